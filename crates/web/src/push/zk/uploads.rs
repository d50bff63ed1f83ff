//! What terminals upload, in our words.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;

use attendance::{DeviceUserId, Punch, PunchState, VerifyMode, Way};
use ingest::{Caller, Delivery, DeviceUser, Event, ParkedRecord};
use jiff::civil::DateTime;
use jiff::tz::Offset;
use store::StoreError;
use store::kept_uploads::KeptUpload;
use zk_proto::push::attlog::{self, Record};
use zk_proto::push::body::BadLine;
use zk_proto::push::hello::Family;
use zk_proto::push::operlog::{self, Line, Tampering};
use zk_proto::push::options::Parameters;
use zk_proto::push::photo::Photo;
use zk_proto::push::request::Upload;
use zk_proto::push::security::{self, QueryData, QueryKind};
use zk_proto::push::{OK, body};

use super::dialect::Spoken;
use super::{Call, PushAnswer, ZkPush, ZkPushOptions, told_by_parameters};

impl ZkPush {
    /// POST on `cdata` or `querydata`. It is on disk, or is nothing to keep, before it is acknowledged.
    pub(super) async fn uploaded(
        &self,
        call: &Call<'_>,
        bytes: &[u8],
        asked: bool,
    ) -> Result<PushAnswer, StoreError> {
        let upload = Upload::of(&call.query);
        if asked && self.counted(call, bytes).await? {
            return Ok(PushAnswer::ok(upload.acknowledge(&call.query, 1)));
        }
        let mut delivery = Delivery {
            content: upload.name().chars().take(50).collect(),
            digest: digest(&call.query.any(&["table"]), bytes),
            unasked: !asked && !call.query.answers_a_command(),
            ..Delivery::default()
        };
        if delivery.unasked {
            let stamp = call.query.stamp();
            delivery.cursor = stamp.map(|stamp| stamp.chars().take(50).collect());
        }
        match &upload {
            Upload::AttLog => read_punches(&call.caller, bytes, &mut delivery),
            Upload::RtLog | Upload::Transactions => read_events(bytes, &mut delivery),
            Upload::OperLog => read_lines(bytes, None, &self.options, &mut delivery),
            Upload::Rows(kind) => read_lines(bytes, Some(*kind), &self.options, &mut delivery),
            Upload::Options => {
                let told = told_by_parameters(&Parameters::parse(bytes));
                self.callers
                    .told(&call.caller, &told, self.clock.now())
                    .await?;
                return Ok(PushAnswer::ok(upload.acknowledge(&call.query, 0)));
            }
            Upload::AttPhoto => return self.photographed(call, bytes).await,
            Upload::RtState | Upload::Verification | Upload::PostVerify => {
                return Ok(PushAnswer::ok(upload.acknowledge(&call.query, 0)));
            }
            Upload::Other(_) | Upload::Nothing if !bytes.is_empty() => {
                let lines = body::lines(bytes).count();
                self.unknown(call, upload.name(), bytes).await?;
                return Ok(PushAnswer::ok(upload.acknowledge(&call.query, lines)));
            }
            Upload::Other(_) | Upload::Nothing => {}
        }
        let lines = usize::try_from(delivery.lines).unwrap_or(usize::MAX);
        // Some terminals post nothing over and over.
        if lines > 0 {
            self.callers.deliver(&call.caller, delivery).await?;
        }
        Ok(PushAnswer::ok(upload.acknowledge(&call.query, lines)))
    }

    /// How many rows a table has, because it was asked.
    async fn counted(&self, call: &Call<'_>, bytes: &[u8]) -> Result<bool, StoreError> {
        let data = QueryData::of(&call.query);
        if data.kind != QueryKind::Count {
            return Ok(false);
        }
        let counted = data.counted(bytes);
        let records = counted.and_then(|count| u32::try_from(count).ok());
        if let Some(records) = records.filter(|_| data.table.eq_ignore_ascii_case("transaction")) {
            let told = store::calls::Told {
                records: Some(records),
                ..store::calls::Told::default()
            };
            self.callers
                .told(&call.caller, &told, self.clock.now())
                .await?;
        }
        Ok(true)
    }

    /// A photo is acknowledged, and kept where a setting says so.
    pub(super) async fn photographed(
        &self,
        call: &Call<'_>,
        bytes: &[u8],
    ) -> Result<PushAnswer, StoreError> {
        if !bytes.is_empty() {
            let mut delivery = Delivery {
                content: Upload::AttPhoto.name().to_owned(),
                digest: digest(&None, bytes),
                lines: 1,
                ..Delivery::default()
            };
            match Photo::parse(bytes) {
                Ok(photo) if self.options.keep_photos => delivery.kept.push(KeptUpload {
                    kind: "photo",
                    name: tidy(&photo.file_name),
                    bytes: photo.image.to_vec(),
                }),
                _ => {}
            }
            self.callers.deliver(&call.caller, delivery).await?;
        }
        Ok(PushAnswer::ok(OK))
    }

    /// Something nobody here understands: it is kept, and people are told.
    pub(super) async fn unknown(
        &self,
        call: &Call<'_>,
        name: &str,
        bytes: &[u8],
    ) -> Result<(), StoreError> {
        let name = tidy(name);
        let delivery = Delivery {
            content: name.clone(),
            digest: digest(&Some(&name), bytes),
            lines: body::lines(bytes).count() as u64,
            parked: vec![ParkedRecord {
                bytes: bytes.to_vec(),
                reason: format!("the table {name:?} is not known"),
            }],
            events: vec![Event {
                kind: "unknown_table",
                detail: name,
            }],
            ..Delivery::default()
        };
        self.callers.deliver(&call.caller, delivery).await?;
        Ok(())
    }
}

/// Cut, and without what is no text.
fn tidy(text: &str) -> String {
    let text = text.chars().filter(|c| !c.is_control());
    text.take(100).collect()
}

/// The same for the same bytes of the same table.
fn digest(table: &Option<&str>, bytes: &[u8]) -> String {
    let mut hasher = DefaultHasher::new();
    table.hash(&mut hasher);
    bytes.hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}

/// Punches of the attendance families.
fn read_punches(caller: &Caller, bytes: &[u8], delivery: &mut Delivery) {
    for line in attlog::lines(bytes) {
        let record = delivery.lines;
        delivery.lines += 1;
        let punch = line.map_err(parked).and_then(|line| {
            punch(caller, &line, record).ok_or_else(|| ParkedRecord {
                bytes: line.line.to_vec(),
                reason: "the user id is none".to_owned(),
            })
        });
        match punch {
            Ok(punch) => delivery.punches.push(punch),
            Err(bad) => delivery.parked.push(bad),
        }
    }
}

fn punch(caller: &Caller, line: &Record<'_>, record: u64) -> Option<Punch> {
    let (clock, offset) = match line.offset {
        Some(offset) if is_unix_time(line.line) => (in_its_zone(caller, line.time, offset), None),
        offset => (line.time, offset),
    };
    Some(Punch {
        user: DeviceUserId::parse(line.pin)?,
        clock,
        offset,
        state: line.status.map_or(PunchState::None, punch_state),
        verify: line
            .verify
            .map_or(VerifyMode::Unknown, |code| verify_mode(code.into())),
        record,
    })
}

/// A number of seconds in place of a wall time.
fn is_unix_time(line: &[u8]) -> bool {
    let mut fields = line.split(|byte| *byte == b'\t');
    let time = fields.nth(1).unwrap_or_default().trim_ascii();
    !time.is_empty() && time.iter().all(u8::is_ascii_digit)
}

/// An instant as the terminal's own clock shows it.
fn in_its_zone(caller: &Caller, time: DateTime, offset: Offset) -> DateTime {
    match offset.to_timestamp(time) {
        Ok(at) => caller.clock_at(at),
        Err(_) => time, // at the ends of the calendar
    }
}

/// Events of the security family; those that are no punches are acknowledged.
fn read_events(bytes: &[u8], delivery: &mut Delivery) {
    for line in security::events(bytes) {
        delivery.lines += 1;
        let event = match line {
            Err(bad) => {
                delivery.parked.push(parked(bad));
                continue;
            }
            Ok(event) if event.is_punch() => event,
            Ok(_) => continue,
        };
        let Some(user) = event.pin.and_then(DeviceUserId::parse) else {
            continue;
        };
        delivery.punches.push(Punch {
            user,
            clock: event.time,
            offset: None,
            state: event.in_out.map_or(PunchState::None, punch_state),
            verify: event.verify.map_or(VerifyMode::Unknown, verify_mode),
            record: event.index.unwrap_or(delivery.lines),
        });
    }
}

/// People and what was done at the terminal. Templates and pictures are acknowledged, and kept where a setting says so.
fn read_lines(
    bytes: &[u8],
    rows: Option<operlog::Kind>,
    options: &ZkPushOptions,
    delivery: &mut Delivery,
) {
    for line in operlog::lines(bytes, rows) {
        delivery.lines += 1;
        match line {
            Err(bad) => delivery.parked.push(ParkedRecord {
                // Without passwords and templates.
                bytes: bad.text().into_bytes(),
                reason: bad.reason.to_string(),
            }),
            Ok(Line::User(user)) => delivery.users.extend(device_user(&user)),
            Ok(Line::Operation(operation)) => {
                delivery
                    .events
                    .extend(operation.tampers().map(|tampering| Event {
                        kind: tampering_name(tampering),
                        detail: format!("{} · {}", operation.time, operation.operator),
                    }));
            }
            Ok(Line::Template(template)) if options.keep_templates => {
                delivery.kept.push(KeptUpload {
                    kind: "template",
                    name: template_name(&template),
                    bytes: template.data.as_bytes().to_vec(),
                });
            }
            Ok(Line::Picture(picture)) if options.keep_photos => {
                delivery.kept.push(KeptUpload {
                    kind: "photo",
                    name: format!("{} of {}", picture.kind.name(), picture.pin),
                    bytes: picture.content.as_bytes().to_vec(),
                });
            }
            Ok(Line::Template(_) | Line::Picture(_) | Line::Other { .. }) => {}
        }
    }
}

/// Which one of whose.
fn template_name(template: &operlog::Template<'_>) -> String {
    let kind = template.kind.name();
    let bio_type = template
        .bio_type
        .map_or(String::new(), |code| format!(" {code}"));
    let (number, index) = (template.number, template.index);
    format!("{kind}{bio_type} {number}.{index} of {}", template.pin)
}

fn parked(bad: BadLine<'_>) -> ParkedRecord {
    ParkedRecord {
        bytes: bad.bytes.to_vec(),
        reason: bad.reason.to_string(),
    }
}

fn device_user(user: &operlog::User) -> Option<DeviceUser> {
    Some(DeviceUser {
        id: DeviceUserId::parse(&user.pin)?,
        name: user.name.clone().unwrap_or_default(),
        admin: user.privilege.is_some_and(|privilege| privilege >= 6),
        card: user.card.flatten().map(|card| card.to_string()),
    })
}

fn tampering_name(tampering: Tampering) -> &'static str {
    match tampering {
        Tampering::DataCleared | Tampering::RecordsDeleted => "log_cleared",
        Tampering::ClockSet => "clock_set",
        Tampering::FactoryReset => "factory_reset",
        Tampering::ServerChanged => "server_changed",
    }
}

fn punch_state(code: u8) -> PunchState {
    match code {
        0 => PunchState::In,
        1 => PunchState::Out,
        2 => PunchState::BreakOut,
        3 => PunchState::BreakIn,
        4 => PunchState::OvertimeIn,
        5 => PunchState::OvertimeOut,
        _ => PunchState::None,
    }
}

/// Generations disagree about 0 and 2 to 9; what they agree on, and what newer ones say.
fn verify_mode(code: u16) -> VerifyMode {
    match code {
        1 => VerifyMode::Finger,
        3 => VerifyMode::Password,
        4 => VerifyMode::Card,
        8..=14 | 16..=20 | 26..=29 => VerifyMode::Combined,
        15 => VerifyMode::Face,
        25 => VerifyMode::Palm,
        _ => VerifyMode::Unknown,
    }
}

/// As [`crate::push::retry_parked`], of a device of this brand.
pub(crate) async fn retry_parked(
    state: &crate::WebState,
    caller: &Arc<Caller>,
) -> Result<(usize, usize), StoreError> {
    let callers = &state.engine.callers;
    let parked = state.store.parked_of(caller.device).await?;
    let family = Spoken::parse(&caller.dialect()).family;
    let mut understood = Vec::new();
    let mut delivery = Delivery {
        content: Upload::AttLog.name().to_owned(),
        digest: format!("again {}", crate::random_text(4)),
        ..Delivery::default()
    };
    let told = parked.iter().filter(|row| row.way == Way::Push.as_str());
    for row in told {
        let mut again = Delivery::default();
        match family {
            // Its lines have names that the others know too, and an event is not always a punch.
            Family::Security => read_events(&row.bytes, &mut again),
            _ => read_punches(caller, &row.bytes, &mut again),
        }
        if again.punches.is_empty() || !again.parked.is_empty() {
            continue;
        }
        delivery.lines += again.lines;
        delivery.punches.extend(again.punches);
        understood.push(row.id);
    }
    if !understood.is_empty() {
        callers.deliver(caller, delivery).await?;
        let tx = state.store.begin_write().await?;
        tx.forget_parked(&understood).await?;
        tx.commit().await?;
    }
    Ok((understood.len(), parked.len() - understood.len()))
}

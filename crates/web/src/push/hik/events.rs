//! What terminals post, in our words: events with pictures or without, heartbeats, and what nobody understands.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;

use attendance::{DeviceId, DeviceUserId, Punch, PunchState, VerifyMode, Way};
use hik_proto::{Content, Envelope, Notification, PartSplitter, Piece, Says, Told};
use ingest::{Caller, Delivery, DeviceUser, Event, Link, ParkedRecord};
use jiff::civil::DateTime;
use store::StoreError;

/// Parts of one post that are looked at; an event has a picture or two.
const MOST_PARTS: usize = 200;
/// Bytes of what is not understood.
const MOST_PARKED: usize = 16 * 1024;
/// What the terminals call what they post.
const CONTENT: &str = "AccessControllerEvent";

/// One request of a terminal.
pub(super) struct Post {
    told: Vec<Told>,
    /// With the place of the event that each belongs to: the one before it.
    pictures: Vec<(usize, Vec<u8>)>,
    parked: Vec<ParkedRecord>,
    heartbeats: usize,
    digest: String,
    /// The hardware address of who sent it.
    pub hardware: Option<String>,
    /// What its clock shows now.
    pub clock: Option<DateTime>,
}

impl Post {
    pub(super) fn read(content_type: &str, body: &[u8]) -> Self {
        let mut hasher = DefaultHasher::new();
        body.hash(&mut hasher);
        let mut post = Self {
            told: Vec::new(),
            pictures: Vec::new(),
            parked: Vec::new(),
            heartbeats: 0,
            digest: format!("{:016x}", hasher.finish()),
            hardware: None,
            clock: None,
        };
        let splitter = PartSplitter::of_content_type(content_type);
        // Some send a multipart body and call it something else.
        let dashes = body.trim_ascii_start().starts_with(b"--");
        match splitter.or_else(|| dashes.then(|| PartSplitter::new(None))) {
            None => post.add(body.to_vec()),
            Some(splitter) => post.split(splitter, body),
        }
        post
    }

    fn split(&mut self, mut splitter: PartSplitter, body: &[u8]) {
        splitter.extend(body);
        let mut parts = 0;
        let mut pieces = Vec::new();
        while let Some(piece) = splitter.next_piece() {
            pieces.push(piece);
            parts += 1;
            if parts == MOST_PARTS {
                self.park(body, "it has too many parts");
                break;
            }
        }
        pieces.extend(splitter.finish());
        if pieces.is_empty() {
            self.park(body, "it has no part");
        }
        for piece in pieces {
            match piece {
                Piece::Part(part) => self.add(part.body),
                Piece::TooLarge(_, length) => {
                    let reason = format!("a part of {length} bytes is longer than any");
                    self.park(b"", &reason);
                }
            }
        }
    }

    fn add(&mut self, body: Vec<u8>) {
        match Content::of(&body) {
            Content::Jpeg => self.add_picture(body),
            Content::Other if body.trim_ascii().is_empty() => {}
            Content::Other => self.park(&body, "it is no event"),
            Content::Json | Content::Xml => self.add_text(&body),
        }
    }

    /// The first after an event is its own; a thermal one, or one before any event, is nobody's.
    fn add_picture(&mut self, jpeg: Vec<u8>) {
        let event = self.told.len().checked_sub(1);
        let last = self.pictures.last().map(|(event, _)| *event);
        if let Some(event) = event.filter(|event| Some(*event) != last) {
            self.pictures.push((event, jpeg));
        }
    }

    fn add_text(&mut self, body: &[u8]) {
        let envelope = Envelope::read(body);
        if self.hardware.is_none() {
            self.hardware = envelope.hardware;
        }
        match Notification::decode(body) {
            Ok(Notification::Access(told)) => self.told.push(*told),
            Ok(Notification::Heartbeat) => {
                self.heartbeats += 1;
                self.clock = envelope.time.map(|time| time.clock);
            }
            // Of another kind, such as a door left open: counted as a sign that the terminal is there.
            Ok(Notification::Subscribed | Notification::Other(_)) => {}
            Err(error) => self.park(body, &error.to_string()),
        }
    }

    fn park(&mut self, bytes: &[u8], reason: &str) {
        self.parked.push(ParkedRecord {
            bytes: bytes[..bytes.len().min(MOST_PARKED)].to_vec(),
            reason: reason.to_owned(),
        });
    }

    /// It says that the terminal is there, and nothing else.
    pub(super) fn is_heartbeat(&self) -> bool {
        self.heartbeats > 0 && self.told.is_empty()
    }

    /// What a terminal says that is another one than it should be: nobody's punches. `None` when it tells no event.
    pub(super) fn of_another_terminal(self, hardware: &str) -> Option<Delivery> {
        let reason = format!("it comes from another terminal, with hardware address {hardware}");
        let parked = self.told.into_iter().map(|told| ParkedRecord {
            bytes: told.row.row.json.into_bytes(),
            reason: reason.clone(),
        });
        let parked: Vec<_> = parked.collect();
        (!parked.is_empty()).then(|| Delivery {
            content: CONTENT.to_owned(),
            digest: self.digest,
            lines: parked.len() as u64,
            parked,
            ..Delivery::default()
        })
    }

    /// The pictures of punches, whose they are and when they were taken; to be asked before [`Self::delivery`].
    pub(super) fn take_pictures(&mut self, caller: &Caller) -> Vec<PunchPicture> {
        let pictures = std::mem::take(&mut self.pictures);
        let of_punches = pictures.into_iter().filter_map(|(event, jpeg)| {
            match read(caller, self.told.get(event)?) {
                Ok(Read::Punch(punch, _)) => Some((punch.user, punch.clock, jpeg)),
                _ => None,
            }
        });
        of_punches.collect()
    }

    /// What is to be stored of it; `None` when that is nothing.
    pub(super) fn delivery(mut self, caller: &Caller) -> Option<Delivery> {
        if self.told.is_empty() && self.parked.is_empty() {
            return None;
        }
        let mut delivery = Delivery {
            content: CONTENT.to_owned(),
            digest: std::mem::take(&mut self.digest),
            lines: (self.told.len() + self.parked.len()) as u64,
            parked: std::mem::take(&mut self.parked),
            ..Delivery::default()
        };
        for told in &self.told {
            delivery.unasked |= told.current != Some(false);
            delivery.links.extend(link(caller, told));
            let reason = match read(caller, told) {
                Ok(Read::Punch(punch, name)) => {
                    if !name.is_empty() && !caller.is_read() {
                        delivery.users.push(DeviceUser {
                            id: punch.user.clone(),
                            name,
                            admin: false,
                            card: None,
                        });
                    }
                    delivery.punches.push(punch);
                    continue;
                }
                Ok(Read::Nothing) => continue,
                Ok(Read::OfCard(_)) if caller.is_read() => {
                    delivery.to_read = true;
                    continue;
                }
                Ok(Read::OfCard(card)) => format!("card {card} without an employee number"),
                Err(reason) => reason,
            };
            delivery.parked.push(ParkedRecord {
                bytes: told.row.row.json.clone().into_bytes(),
                reason,
            });
        }
        if !delivery.parked.is_empty() {
            delivery.events.push(Event {
                kind: "not_understood",
                detail: delivery.parked[0].reason.clone(),
            });
        }
        Some(delivery)
    }
}

/// Whose it is, when it was taken, and the JPEG.
pub(super) type PunchPicture = (DeviceUserId, DateTime, Vec<u8>);

/// Its place in the order of events, which a terminal counts whatever they are.
fn link(caller: &Caller, told: &Told) -> Option<Link> {
    let clock = match &told.row.row.value {
        Ok(event) => event.time.clock,
        // That it came is what counts; it covers nothing.
        Err(_) => caller.clock_at(jiff::Timestamp::UNIX_EPOCH),
    };
    Some(Link {
        number: told.row.serial?,
        before: told.front_serial,
        clock,
        is_news: told.current != Some(false),
    })
}

/// What an event is to us.
enum Read {
    /// With the name of who made it.
    Punch(Punch, String),
    /// Of whoever has this card. Only the terminal knows for certain whose it is now, and a reading asks it.
    OfCard(String),
    Nothing,
}

fn read(caller: &Caller, told: &Told) -> Result<Read, String> {
    let event = told.row.row.value.as_ref().map_err(String::clone)?;
    let (employee_no, means) = match event.says()? {
        Says::Punch { employee_no, means } => (employee_no, means),
        Says::OfCard { card, .. } => return Ok(Read::OfCard(card.to_owned())),
        Says::Refused | Says::Noise => return Ok(Read::Nothing),
    };
    let user = DeviceUserId::parse(employee_no).ok_or("unusable employee number")?;
    let offset = event.time.offset;
    let punch = Punch {
        user,
        clock: event.time.clock,
        offset: offset.filter(|offset| !caller.tells_false_offset(event.time.clock, *offset)),
        state: event
            .attendance
            .and_then(|key| PunchState::from_name(key.punch_state()))
            .unwrap_or_default(),
        verify: VerifyMode::from_name(means.verify_mode()).unwrap_or_default(),
        record: told.row.serial.unwrap_or(0),
    };
    Ok(Read::Punch(punch, event.name.clone()))
}

/// Reads again what could not be understood of a device; how much of it is understood now, and how much is not.
pub(crate) async fn retry_parked(
    state: &crate::WebState,
    caller: &Arc<Caller>,
) -> Result<(usize, usize), StoreError> {
    let parked = state.store.parked_of(DeviceId(caller.device.0)).await?;
    let mut understood = Vec::new();
    let mut delivery = Delivery {
        content: CONTENT.to_owned(),
        digest: format!("again {}", crate::random_text(4)),
        ..Delivery::default()
    };
    let pushed = parked.iter().filter(|row| row.way == Way::Push.as_str());
    for row in pushed {
        // What another terminal told stays nobody's.
        let post = Post::read("", &row.bytes);
        if let Some(hardware) = &post.hardware
            && !state
                .engine
                .callers
                .is_known_hardware(caller, hardware)
                .await?
        {
            continue;
        }
        let Some(again) = post.delivery(caller) else {
            continue;
        };
        if again.punches.is_empty() || !again.parked.is_empty() {
            continue;
        }
        delivery.lines += again.lines;
        delivery.punches.extend(again.punches);
        understood.push(row.id);
    }
    if !understood.is_empty() {
        state.engine.callers.deliver(caller, delivery).await?;
        let tx = state.store.begin_write().await?;
        tx.forget_parked(&understood).await?;
        tx.commit().await?;
    }
    Ok((understood.len(), parked.len() - understood.len()))
}

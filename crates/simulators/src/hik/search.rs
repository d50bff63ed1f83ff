//! The event log as it is searched: `AcsEvent`, `AcsEventTotalNum`, and what all searches share.

use jiff::tz::TimeZone;
use jiff::{Timestamp, civil};
use serde_json::Value;

use super::clock::{TimeNotation, iso_offset};
use super::fault::Fault;
use super::isapi::{Device, OverCap};
use super::json::Json;
use super::log::{Event, Log, Row, User};
use super::notice::Pictures;
use super::refusal::Refusal;

/// The conditions a `searchID` was first used with, and the last serial number of that moment.
#[derive(Debug)]
pub(super) struct KeptSearch {
    id: String,
    cond: Value,
    last_serial: u32,
}

/// A terminal keeps few result sets.
const SEARCHES_KEPT: usize = 8;

impl Device {
    pub(super) fn event_search(&mut self, cond: &Value, faults: &[Fault]) -> Result<Json, Refusal> {
        let mut page = Page::read(cond)?;
        let newest = self.log.newest_serial();
        let mut filter = Filter::read(cond, self)?;
        if self.keeps_searches {
            let kept = match self.kept_searches.iter().find(|kept| kept.id == page.id) {
                Some(kept) => kept,
                None => {
                    if self.kept_searches.len() == SEARCHES_KEPT {
                        self.kept_searches.pop_front();
                    }
                    self.kept_searches.push_back(KeptSearch {
                        id: page.id.clone(),
                        cond: cond.clone(),
                        last_serial: newest,
                    });
                    &self.kept_searches[self.kept_searches.len() - 1]
                }
            };
            filter = Filter::read(&kept.cond, self)?;
            page.max_results = Page::read(&kept.cond)?.max_results;
            filter.serials.1 = filter.serials.1.min(kept.last_serial);
        }
        let repeats = faults.contains(&Fault::MoreForever);
        let position = if repeats { 0 } else { page.position };
        let size = self.page_size(page.max_results, faults);

        let mut total = 0;
        let mut list = Vec::new();
        let mut visit = |row: &Row| {
            if total >= position && list.len() < size {
                list.push(self.print_row(row, faults));
            }
            total += 1;
        };
        let rows = filter.matching(&self.log);
        if filter.newest_first {
            rows.rev().for_each(&mut visit);
        } else {
            rows.for_each(&mut visit);
        }

        let more = position + list.len() < total;
        if more && page.position == 0 {
            if faults.contains(&Fault::RowArrives) {
                let now = (self.clock)();
                let employee_no = self
                    .log
                    .users
                    .first()
                    .map_or("1", |user| &user.employee_no)
                    .to_owned();
                self.log
                    .append(Event::face(employee_no, &now), now.time_zone());
            }
            if faults.contains(&Fault::RowLost) {
                self.log.rows.pop_front();
            }
        }
        let more = more || repeats || faults.contains(&Fault::EmptyPages);
        Ok(search_result(
            "AcsEvent", "InfoList", &page.id, list, total, more, faults,
        ))
    }

    pub(super) fn event_total(&self, cond: &Value) -> Result<Json, Refusal> {
        let total = Filter::read(cond, self)?.matching(&self.log).count();
        let inner = Json::Object(vec![("totalNum", total.into())]);
        Ok(Json::Object(vec![("AcsEventTotalNum", inner)]))
    }

    pub(super) fn page_size(&self, asked: usize, faults: &[Fault]) -> usize {
        if faults.contains(&Fault::EmptyPages) {
            0
        } else if asked <= self.page_cap {
            asked
        } else {
            match self.over_cap {
                OverCap::Clamp => self.page_cap,
                OverCap::Empty => 0,
            }
        }
    }

    pub(super) fn print_row(&self, row: &Row, faults: &[Fault]) -> Json {
        let time = self.shown_time(row, faults);
        let (employee_no, user) = self.shown_person(row, faults);
        let mut fields: Vec<(&'static str, Json)> = vec![
            ("major", row.major.into()),
            ("minor", row.minor.into()),
            ("time", Json::Text(time)),
        ];
        if let Some(card_no) = &row.card_no {
            fields.push(("cardNo", Json::text(&**card_no)));
            fields.push(("cardType", 1_u16.into()));
        }
        if let Some(user) = user {
            fields.push(("name", printed_name(user, faults)));
        }
        if row.major == 5 {
            if !row.is_door() {
                fields.push(("cardReaderNo", 1_u16.into()));
            }
            fields.push(("doorNo", 1_u16.into()));
        }
        if let Some(employee_no) = employee_no {
            fields.push(("employeeNoString", employee_no.into()));
        }
        fields.push(("serialNo", row.serial_no.into()));
        if let Some(user) = user {
            fields.push(("userType", Json::text(&user.user_type)));
        }
        if row.major == 5 {
            fields.push(("currentVerifyMode", self.shown_verify_mode(row).into()));
            if self.attendance_mode && !row.is_door() {
                let status = row.attendance_status.as_deref().unwrap_or("undefined");
                fields.push(("attendanceStatus", status.into()));
                fields.push(("label", row.label.as_deref().unwrap_or_default().into()));
                fields.push(("statusValue", 0_u16.into()));
            }
            fields.push(("mask", if row.is_door() { "unknown" } else { "no" }.into()));
        }
        if self.pictures == Pictures::Url && row.employee_no.is_some() {
            fields.push(("pictureURL", Json::Text(self.picture_url(row.serial_no))));
        }
        Json::Object(fields)
    }

    pub(super) fn shown_time(&self, row: &Row, faults: &[Fault]) -> String {
        let impossible = faults
            .iter()
            .any(|fault| matches!(fault, Fault::ImpossibleTime(serial) if concerns(serial, row)));
        if impossible {
            return format!("2026-02-30T25:61:00{}", iso_offset(row.offset));
        }
        let wall = row.offset.to_datetime(row.instant);
        self.time_notation.write(wall, row.offset)
    }

    /// The employee number of a row, and the person if there still is one.
    pub(super) fn shown_person<'a>(
        &'a self,
        row: &'a Row,
        faults: &[Fault],
    ) -> (Option<&'a str>, Option<&'a User>) {
        let nobody = faults.iter().any(
            |fault| matches!(fault, Fault::MissingEmployeeNo(serial) if concerns(serial, row)),
        );
        let employee_no = row.employee_no.as_deref().filter(|_| !nobody);
        (
            employee_no,
            employee_no.and_then(|number| self.log.user(number)),
        )
    }

    pub(super) fn shown_verify_mode<'a>(&'a self, row: &'a Row) -> &'a str {
        let configured = if row.is_door() {
            "invalid"
        } else {
            &self.verify_mode
        };
        row.verify_mode.as_deref().unwrap_or(configured)
    }
}

fn concerns(serial: &Option<u32>, row: &Row) -> bool {
    serial.is_none_or(|serial| serial == row.serial_no)
}

/// The three fields every search needs.
pub(super) struct Page {
    pub(super) id: String,
    pub(super) position: usize,
    pub(super) max_results: usize,
}

impl Page {
    pub(super) fn read(cond: &Value) -> Result<Self, Refusal> {
        let id = text(cond, "searchID")?.ok_or(Refusal::lacks("searchID"))?;
        if id.is_empty() || id.len() > 64 {
            return Err(Refusal::bad_parameters("searchID"));
        }
        let needed = |key: &'static str| -> Result<usize, Refusal> {
            let number = number(cond, key)?.ok_or(Refusal::lacks(key))?;
            usize::try_from(number).map_err(|_| Refusal::bad_parameters(key))
        };
        let (position, max_results) = (needed("searchResultPosition")?, needed("maxResults")?);
        if max_results == 0 {
            return Err(Refusal::bad_parameters("maxResults"));
        }
        Ok(Self {
            id: id.to_owned(),
            position,
            max_results,
        })
    }
}

/// Which rows a condition means. Fields the firmware does not know, such as `eventAttribute`, are ignored.
struct Filter {
    major: u64,
    minor: u64,
    /// Inclusive.
    serials: (u32, u32),
    starts: Option<Bound>,
    ends: Option<Bound>,
    by_wall: bool,
    employee_no: Option<String>,
    card_no: Option<String>,
    newest_first: bool,
}

/// One end of a time window, as an instant and as the digits that were sent.
struct Bound {
    instant: Timestamp,
    wall: civil::DateTime,
}

impl Filter {
    fn read(cond: &Value, device: &Device) -> Result<Self, Refusal> {
        let zone = (device.clock)().time_zone().clone();
        let needed = |key| number(cond, key)?.ok_or(Refusal::lacks(key));
        let bound = |key| -> Result<Option<Bound>, Refusal> {
            text(cond, key)?
                .map(|text| Bound::read(text, &zone).ok_or(Refusal::bad_parameters(key)))
                .transpose()
        };
        let serial = |key, default| -> Result<u32, Refusal> {
            match number(cond, key)? {
                Some(number) if number >= 1 => {
                    u32::try_from(number).map_err(|_| Refusal::bad_parameters(key))
                }
                Some(_) => Err(Refusal::bad_parameters(key)),
                None => Ok(default),
            }
        };
        let serials = if device.ignores_serials {
            (1, u32::MAX)
        } else {
            (
                serial("beginSerialNo", 1)?,
                serial("endSerialNo", u32::MAX)?,
            )
        };
        Ok(Self {
            major: needed("major")?,
            minor: needed("minor")?,
            serials,
            starts: bound("startTime")?,
            ends: bound("endTime")?,
            by_wall: device.time_notation != TimeNotation::Offset,
            employee_no: text(cond, "employeeNoString")?.map(str::to_owned),
            card_no: text(cond, "cardNo")?.map(str::to_owned),
            newest_first: cond.get("timeReverseOrder") == Some(&Value::Bool(true)),
        })
    }

    fn matching<'a>(&'a self, log: &'a Log) -> impl DoubleEndedIterator<Item = &'a Row> + 'a {
        let (first, last) = self.serials;
        let begin = log.rows.partition_point(|row| row.serial_no < first);
        let end = log.rows.partition_point(|row| row.serial_no <= last);
        log.rows
            .range(begin..end.max(begin))
            .filter(|row| self.matches(row))
    }

    fn matches(&self, row: &Row) -> bool {
        let in_window = if self.by_wall {
            let wall = row.offset.to_datetime(row.instant);
            self.starts.as_ref().is_none_or(|bound| wall >= bound.wall)
                && self.ends.as_ref().is_none_or(|bound| wall <= bound.wall)
        } else {
            self.starts
                .as_ref()
                .is_none_or(|bound| row.instant >= bound.instant)
                && self
                    .ends
                    .as_ref()
                    .is_none_or(|bound| row.instant <= bound.instant)
        };
        in_window
            && (self.major == 0 || self.major == u64::from(row.major))
            && (self.minor == 0 || self.minor == u64::from(row.minor))
            && (self.employee_no.is_none()
                || self.employee_no.as_deref() == row.employee_no.as_deref())
            && (self.card_no.is_none() || self.card_no.as_deref() == row.card_no.as_deref())
    }
}

impl Bound {
    /// `2026-09-01T17:27:53` with `Z`, an offset, or nothing for the terminal's own zone.
    fn read(text: &str, zone: &TimeZone) -> Option<Self> {
        let wall: civil::DateTime = text.get(..19)?.parse().ok()?;
        let instant = match text.get(19..)? {
            "" => zone.to_ambiguous_zoned(wall).compatible().ok()?.timestamp(),
            _ => text.parse().ok()?,
        };
        Some(Self { instant, wall })
    }
}

pub(super) fn search_result(
    root: &'static str,
    list_name: &'static str,
    id: &str,
    list: Vec<Json>,
    total: usize,
    more: bool,
    faults: &[Fault],
) -> Json {
    let more = more && (list.is_empty() || !faults.contains(&Fault::OkEarly));
    let status = match (more, list.is_empty()) {
        (true, _) => "MORE",
        (false, true) => "NO MATCH",
        (false, false) => "OK",
    };
    let total = total + usize::from(faults.contains(&Fault::HighTotal));
    let mut fields = vec![("searchID", id.into()), ("totalMatches", total.into())];
    if !faults.contains(&Fault::NoStatus) {
        fields.push(("responseStatusStrg", status.into()));
    }
    fields.push(("numOfMatches", list.len().into()));
    // An empty result has no list at all.
    if !list.is_empty() {
        fields.push((list_name, Json::List(list)));
    }
    Json::Object(vec![(root, Json::Object(fields))])
}

/// A name, or one that was cut in the middle of a letter and carries a stray byte.
pub(super) fn printed_name(user: &User, faults: &[Fault]) -> Json {
    let spoiled = faults.iter().any(|fault| {
        matches!(fault, Fault::InvalidUtf8Name(who)
            if who.as_ref().is_none_or(|who| *who == user.employee_no))
    });
    if !spoiled {
        return Json::text(&user.name);
    }
    let mut bytes = user.name.clone().into_bytes();
    bytes.extend_from_slice(b"\xff\xd8");
    Json::Bytes(bytes)
}

/// An absent field is `None`; numbers sent as text are refused, terminals are strict about what they are asked.
pub(super) fn number(cond: &Value, key: &'static str) -> Result<Option<u64>, Refusal> {
    match cond.get(key) {
        None => Ok(None),
        Some(value) => value.as_u64().map(Some).ok_or(Refusal::bad_parameters(key)),
    }
}

pub(super) fn text<'a>(cond: &'a Value, key: &'static str) -> Result<Option<&'a str>, Refusal> {
    match cond.get(key) {
        None => Ok(None),
        Some(value) => value.as_str().map(Some).ok_or(Refusal::bad_parameters(key)),
    }
}

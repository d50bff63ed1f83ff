//! People and events in the memory of a terminal.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;

use jiff::Timestamp;
use jiff::tz::{Offset, TimeZone};

use super::clock::Moment;

/// A person as the terminal knows them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// Text: `"007"` and `"7"` are different people.
    pub employee_no: String,
    pub name: String,
    pub cards: Vec<String>,
    /// `normal`, `visitor`, `blackList` or `administrators`.
    pub user_type: String,
    /// Whether the validity is looked at, from when and until when, as texts without an offset.
    pub valid: (bool, String, String),
    /// The doors, such as `1`; empty when the person is recognised and refused.
    pub door_right: String,
    /// `planTemplateNo` of the door.
    pub right_plan: String,
    /// The picture a face was enrolled from.
    pub face: Option<Arc<[u8]>>,
}

/// What a face that was enrolled at the terminal itself was taken from.
const OWN_PICTURE: &[u8] = b"\xff\xd8\xff\xe0 taken at the terminal \xff\xd9";

impl User {
    /// Somebody who was enrolled at the terminal with a face.
    pub fn new(employee_no: impl Into<String>, name: impl Into<String>) -> Self {
        Self {
            employee_no: employee_no.into(),
            name: name.into(),
            cards: Vec::new(),
            user_type: "normal".to_owned(),
            valid: (
                true,
                "2025-01-01T00:00:00".to_owned(),
                "2035-12-31T23:59:59".to_owned(),
            ),
            door_right: "1".to_owned(),
            right_plan: "1".to_owned(),
            face: Some(Arc::from(OWN_PICTURE)),
        }
    }

    /// Somebody of whom only the number is known so far.
    pub(super) fn enrolled_remotely(employee_no: &str) -> Self {
        Self {
            door_right: String::new(),
            right_plan: String::new(),
            face: None,
            ..Self::new(employee_no, "")
        }
    }

    /// One more card.
    pub fn card(mut self, card_no: impl Into<String>) -> Self {
        self.cards.push(card_no.into());
        self
    }

    pub fn without_face(mut self) -> Self {
        self.face = None;
        self
    }

    pub fn user_type(mut self, user_type: impl Into<String>) -> Self {
        self.user_type = user_type.into();
        self
    }
}

/// One event to put into the log. Fields left out are filled as a terminal would: the next serial number, the name
/// of the person, the configured verify mode, `undefined` as attendance status.
#[derive(Debug, Clone)]
pub struct Event {
    major: u16,
    minor: u16,
    at: Moment,
    serial_no: Option<u32>,
    employee_no: Option<String>,
    card_no: Option<String>,
    attendance_status: Option<String>,
    label: Option<String>,
    verify_mode: Option<String>,
}

impl Event {
    /// Any event, such as 5/21 (lock opened), 5/76 (face refused), 1/1028 (tamper) or 3/1029 (clock set by NTP).
    pub fn new(major: u16, minor: u16, at: impl Into<Moment>) -> Self {
        Self {
            major,
            minor,
            at: at.into(),
            serial_no: None,
            employee_no: None,
            card_no: None,
            attendance_status: None,
            label: None,
            verify_mode: None,
        }
    }

    /// 5/75: somebody was recognised by face.
    pub fn face(employee_no: impl Into<String>, at: impl Into<Moment>) -> Self {
        Self::new(5, 75, at).employee(employee_no)
    }

    /// 5/38: somebody was recognised by fingerprint.
    pub fn fingerprint(employee_no: impl Into<String>, at: impl Into<Moment>) -> Self {
        Self::new(5, 38, at).employee(employee_no)
    }

    /// 5/1: somebody showed a card. Its number is that of the person, unless [`Event::card_no`] says another.
    pub fn card(employee_no: impl Into<String>, at: impl Into<Moment>) -> Self {
        Self::new(5, 1, at).employee(employee_no)
    }

    /// The key of `employeeNoString`; may be empty or `"0"`, as on failures.
    pub fn employee(mut self, employee_no: impl Into<String>) -> Self {
        self.employee_no = Some(employee_no.into());
        self
    }

    pub fn card_no(mut self, card_no: impl Into<String>) -> Self {
        self.card_no = Some(card_no.into());
        self
    }

    /// `checkIn`, `checkOut`, `breakOut`, `breakIn`, `overtimeIn`, `overtimeOut` or `undefined`; sent only by a
    /// terminal in attendance mode.
    pub fn status(mut self, attendance_status: impl Into<String>) -> Self {
        self.attendance_status = Some(attendance_status.into());
        self
    }

    /// The custom name of the attendance status.
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.label = Some(label.into());
        self
    }

    /// `currentVerifyMode`, such as `cardOrFaceOrFp`: how the reader is configured, not how the person signed in.
    pub fn verify_mode(mut self, verify_mode: impl Into<String>) -> Self {
        self.verify_mode = Some(verify_mode.into());
        self
    }

    /// A serial number of the caller's choice; the next event goes on from it. Must be above all serial numbers in
    /// the log, otherwise the next free one is used.
    pub fn serial_no(mut self, serial_no: u32) -> Self {
        self.serial_no = Some(serial_no);
        self
    }
}

/// An event as it is kept. Texts that repeat in the log are shared.
#[derive(Debug, Clone)]
pub(super) struct Row {
    pub(super) serial_no: u32,
    pub(super) major: u16,
    pub(super) minor: u16,
    pub(super) instant: Timestamp,
    pub(super) offset: Offset,
    pub(super) employee_no: Option<Arc<str>>,
    pub(super) card_no: Option<Arc<str>>,
    pub(super) attendance_status: Option<Arc<str>>,
    pub(super) label: Option<Arc<str>>,
    pub(super) verify_mode: Option<Arc<str>>,
}

impl Row {
    /// Rows of doors and readers, with nobody in front of them.
    pub(super) fn is_door(&self) -> bool {
        self.major == 5 && self.employee_no.is_none() && self.card_no.is_none()
    }
}

/// The event log, a ring, and the people.
#[derive(Debug)]
pub(super) struct Log {
    /// Ascending by serial number.
    pub(super) rows: VecDeque<Row>,
    pub(super) users: Vec<User>,
    user_index: HashMap<String, usize>,
    texts: HashSet<Arc<str>>,
    pub(super) next_serial: u32,
    pub(super) capacity: usize,
    /// Rows of doors, buttons and alarms around each punch.
    pub(super) noise: u32,
    noise_made: u32,
    /// How often the log was emptied.
    pub(super) resets: u32,
}

impl Default for Log {
    fn default() -> Self {
        Self {
            rows: VecDeque::new(),
            users: Vec::new(),
            user_index: HashMap::new(),
            texts: HashSet::new(),
            next_serial: 1,
            capacity: 150_000,
            noise: 0,
            noise_made: 0,
            resets: 0,
        }
    }
}

impl Log {
    /// Adds the person, or replaces the one with the same number.
    pub(super) fn put_user(&mut self, user: User) {
        match self.user_index.get(&user.employee_no) {
            Some(&at) => self.users[at] = user,
            None => {
                self.user_index
                    .insert(user.employee_no.clone(), self.users.len());
                self.users.push(user);
            }
        }
    }

    /// Whether there was such a person.
    pub(super) fn remove_user(&mut self, employee_no: &str) -> bool {
        let Some(at) = self.user_index.remove(employee_no) else {
            return false;
        };
        self.users.remove(at);
        for index in self.user_index.values_mut().filter(|index| **index > at) {
            *index -= 1;
        }
        true
    }

    pub(super) fn remove_all_users(&mut self) {
        self.users.clear();
        self.user_index.clear();
    }

    /// Changes people, but not their numbers.
    pub(super) fn change_users(&mut self, change: impl FnMut(&mut User)) {
        self.users.iter_mut().for_each(change);
    }

    pub(super) fn user(&self, employee_no: &str) -> Option<&User> {
        self.user_index.get(employee_no).map(|&at| &self.users[at])
    }

    /// Adds the event, and the noise around it when it is a person's. Returns its serial number.
    pub(super) fn append(&mut self, event: Event, zone: &TimeZone) -> u32 {
        let at = event.at;
        let is_punch = event.major == 5 && event.employee_no.is_some();
        let noise = if is_punch { self.noise } else { 0 };
        for place in 0..noise.min(1) {
            self.append_noise(place, at, zone);
        }
        let serial_no = self.append_one(event, zone);
        for place in 1..noise {
            self.append_noise(place, at, zone);
        }
        serial_no
    }

    /// Forgets all events; serial numbers begin at 1 again.
    pub(super) fn reset(&mut self) {
        self.rows.clear();
        self.next_serial = 1;
        self.resets += 1;
    }

    /// Another pair when a row was added or the log emptied.
    pub(super) fn state(&self) -> (u32, u32) {
        (self.next_serial, self.resets)
    }

    /// 0 when the log is empty.
    pub(super) fn newest_serial(&self) -> u32 {
        self.rows.back().map_or(0, |row| row.serial_no)
    }

    /// Rows with a higher serial number, ascending.
    pub(super) fn after(&self, serial_no: u32) -> impl DoubleEndedIterator<Item = &Row> {
        let begin = self.rows.partition_point(|row| row.serial_no <= serial_no);
        self.rows.range(begin..)
    }

    fn append_noise(&mut self, place: u32, at: Moment, zone: &TimeZone) {
        // The lock opens before the row of the person, in the same second; then contact, lock, button.
        const DOOR: [u16; 6] = [21, 25, 22, 26, 23, 24];
        self.noise_made += 1;
        let event = match self.noise_made % 20 {
            0 => Event::new(1, 1028, at),
            10 => Event::new(2, 38, at),
            _ => Event::new(5, DOOR[place as usize % DOOR.len()], at),
        };
        self.append_one(event, zone);
    }

    fn append_one(&mut self, event: Event, zone: &TimeZone) -> u32 {
        let (instant, offset) = event.at.resolve(zone);
        let serial_no = event.serial_no.unwrap_or(0).max(self.next_serial);
        self.next_serial = serial_no.saturating_add(1);
        let card_no = event.card_no.or_else(|| match (event.major, event.minor) {
            (5, 1) => self
                .user(event.employee_no.as_deref()?)?
                .cards
                .first()
                .cloned(),
            _ => None,
        });
        let row = Row {
            serial_no,
            major: event.major,
            minor: event.minor,
            instant,
            offset,
            employee_no: self.share(event.employee_no),
            card_no: self.share(card_no),
            attendance_status: self.share(event.attendance_status),
            label: self.share(event.label),
            verify_mode: self.share(event.verify_mode),
        };
        if self.rows.len() >= self.capacity {
            self.rows.pop_front();
        }
        self.rows.push_back(row);
        serial_no
    }

    fn share(&mut self, text: Option<String>) -> Option<Arc<str>> {
        let text = text?;
        if let Some(known) = self.texts.get(text.as_str()) {
            return Some(known.clone());
        }
        let shared: Arc<str> = text.into();
        self.texts.insert(shared.clone());
        Some(shared)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;

    fn codes(log: &Log) -> Vec<(u16, u16)> {
        log.rows.iter().map(|row| (row.major, row.minor)).collect()
    }

    #[test]
    fn noise_comes_around_a_punch_and_keeps_its_ratio() {
        let mut log = Log {
            noise: 3,
            ..Log::default()
        };
        let serial = log.append(
            Event::face("1042", date(2026, 3, 2).at(8, 58, 0, 0)),
            &TimeZone::UTC,
        );
        assert_eq!(serial, 2);
        assert_eq!(codes(&log), [(5, 21), (5, 75), (5, 25), (5, 22)]);
        log.append(
            Event::new(3, 1029, date(2026, 3, 2).at(9, 0, 0, 0)),
            &TimeZone::UTC,
        );
        assert_eq!(log.rows.len(), 5);
    }

    #[test]
    fn the_ring_overwrites_its_oldest_rows_and_serials_go_on() {
        let mut log = Log {
            capacity: 2,
            ..Log::default()
        };
        let at = date(2026, 3, 2).at(8, 58, 0, 0);
        log.append(
            Event::face("1", at).serial_no(3_000_000_000),
            &TimeZone::UTC,
        );
        log.append(Event::face("1", at), &TimeZone::UTC);
        log.append(Event::face("1", at).serial_no(5), &TimeZone::UTC);
        let serials: Vec<u32> = log.rows.iter().map(|row| row.serial_no).collect();
        assert_eq!(serials, [3_000_000_001, 3_000_000_002]);
        log.reset();
        assert_eq!(log.append(Event::face("1", at), &TimeZone::UTC), 1);
    }

    #[test]
    fn people_are_found_after_others_left() {
        let mut log = Log::default();
        for (number, name) in [("7", "A"), ("007", "B"), ("8", "C"), ("7", "D")] {
            log.put_user(User::new(number, name));
        }
        assert!(log.remove_user("007"));
        assert!(!log.remove_user("007"));
        let names: Vec<Option<&str>> = ["7", "007", "8"]
            .iter()
            .map(|number| log.user(number).map(|user| user.name.as_str()))
            .collect();
        assert_eq!(names, [Some("D"), None, Some("C")]);
    }
}

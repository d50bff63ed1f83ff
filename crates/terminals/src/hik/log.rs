//! Paging through a terminal's event log, so that rows added, deleted or repeated while we read lose nothing and end.
//!
//! Each page but the first asks for the last row again: if another one comes back, the rows have moved (the oldest were deleted,
//! or the firmware repeats a page) and the search starts anew behind what has been read.

use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};

use attendance::{DeviceUserId, Punch, PunchState, VerifyMode};
use hik_proto::{
    AccessEvent, EventPage, EventRow, EventSearch, EventTime, EventTotal, Means, Says, SearchState,
    decode_card_owner, decode_event_page, encode_card_owner_search, paths,
};
use jiff::civil::{DateTime, date};
use jiff::tz::Offset;

use super::http::Http;
use super::position::{LastRow, OVERLAP, Position};
use super::{SMALL_PAGE, malformed, new_search_id, optional};
use crate::{ParkedRecord, Step, TerminalError};

const STEP: Step = Step::Punches;
/// More rows than any terminal holds (150,000 is usual).
const MOST_ROWS: usize = 1_000_000;
/// Most bytes of rows that cannot be understood; some hundred thousand rows.
const MOST_PARKED: usize = 64 << 20;
/// Cards looked up in one read; there are hardly ever any.
const MOST_CARDS: usize = 50;
/// Searches started anew without any new row before we give up.
const FRUITLESS: u32 = 3;

/// Where a search begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Start {
    Everything,
    Serial(u64),
    /// Wall time of the terminal.
    Time(DateTime),
}

/// What has been read so far.
#[derive(Debug)]
pub(super) struct Collected {
    pub(super) punches: Vec<Punch>,
    pub(super) parked: Vec<ParkedRecord>,
    /// Authentications that failed, and rows that are none: doors, buttons, alarms.
    pub(super) refused: u32,
    pub(super) noise: u32,
    pub(super) newest: Option<LastRow>,
    /// Rows of a page; shrinks where the terminal cannot bear it.
    pub(super) page: u32,
    /// Read to its end; otherwise the rest follows.
    pub(super) complete: bool,
    /// It is not the log of the earlier read.
    pub(super) lost: bool,
    pub(super) offsets: Offsets,
    /// The beginning of what is new is worth keeping when the deadline comes near.
    in_parts: bool,
    /// The serial numbers rise, but for rows written late.
    in_order: bool,
    parked_bytes: usize,
    keys: HashSet<RowKey>,
    /// Authentications by cards, of which the row does not tell whose they are.
    of_cards: Vec<CardRow>,
    /// Rows an earlier read has given, by the hash of their content.
    given: HashSet<u64>,
    /// The last row of the earlier read, and whether it is still there.
    expected: Option<LastRow>,
    expected_found: bool,
    by_time: bool,
}

/// What makes a row this one. The serial number alone does not: a terminal that gives it twice would lose a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct RowKey {
    serial: Option<u64>,
    /// A hash of the serial number, time, codes and person; of the whole text where these are not known.
    content: u64,
}

fn key_of(row: &EventRow) -> RowKey {
    let mut hasher = DefaultHasher::new();
    match (&row.row.value, row.serial) {
        (Ok(event), Some(serial)) => {
            let codes = (event.major, event.minor);
            (serial, &row.time, codes, &event.employee_no, &event.card_no).hash(&mut hasher);
        }
        _ => row.row.json.hash(&mut hasher),
    }
    RowKey {
        serial: row.serial,
        content: hasher.finish(),
    }
}

impl Collected {
    pub(super) fn new(page: u32) -> Self {
        Self {
            punches: Vec::new(),
            parked: Vec::new(),
            refused: 0,
            noise: 0,
            newest: None,
            page,
            complete: false,
            lost: false,
            offsets: Offsets::None,
            in_parts: false,
            in_order: true,
            parked_bytes: 0,
            keys: HashSet::new(),
            of_cards: Vec::new(),
            given: HashSet::new(),
            expected: None,
            expected_found: false,
            by_time: false,
        }
    }

    fn after(position: &Position, page: u32) -> Self {
        Self {
            given: position.seen.iter().copied().collect(),
            expected: position.last.clone(),
            by_time: position.by_time,
            in_parts: true,
            ..Self::new(page)
        }
    }

    /// The rows read from the serial number `from` on, by the hash of their content; in a fixed order.
    pub(super) fn contents_from(&self, from: u64) -> Vec<u64> {
        let from_there = self.keys.iter().filter(|key| key.serial >= Some(from));
        let mut contents: Vec<u64> = from_there.map(|key| key.content).collect();
        contents.sort_unstable();
        contents
    }

    fn newest_serial(&self) -> Option<u64> {
        self.newest.as_ref().and_then(|newest| newest.serial)
    }

    fn expected_serial(&self) -> Option<u64> {
        self.expected.as_ref().and_then(|expected| expected.serial)
    }

    /// Whether what has been read is new and nothing new comes before it. A search by time promises no order.
    fn is_prefix(&self) -> bool {
        self.in_parts
            && self.in_order
            && !self.by_time
            && self.newest_serial() > self.expected_serial()
            && (self.expected.is_none() || self.expected_found)
    }

    /// Whether the last row of the earlier read should have come by now.
    fn has_passed_expected(&self) -> bool {
        let expected = self.expected_serial();
        !self.by_time
            && !self.expected_found
            && expected
                .is_some_and(|serial| self.newest_serial() > Some(serial.saturating_add(OVERLAP)))
    }

    fn add(&mut self, row: EventRow) {
        if let Some(expected) = &self.expected
            && expected.is(row.serial, &row.time)
        {
            self.expected_found = true;
        }
        let key = key_of(&row);
        if !self.keys.insert(key) {
            return;
        }
        let newest_serial = self.newest_serial();
        self.in_order &= row.serial.map(|serial| serial.saturating_add(OVERLAP)) >= newest_serial;
        if row.serial >= newest_serial {
            self.newest = Some(LastRow {
                serial: row.serial,
                time: row.time.clone(),
            });
        }
        if self.given.contains(&key.content) {
            return;
        }
        let json = row.row.json;
        match row.row.value.and_then(|event| sort_out(event, row.serial)) {
            Ok(Sorted::Punch(punch)) => self.punches.push(punch),
            Ok(Sorted::Refused) => self.refused += 1,
            Ok(Sorted::Noise) => self.noise += 1,
            Ok(Sorted::OfCard(_)) if self.by_time && self.is_old(row.serial) => {}
            Ok(Sorted::OfCard(of_card)) => {
                self.parked_bytes += json.len();
                let row = CardRow { json, ..of_card };
                match self.in_parts {
                    true => self.of_cards.push(row),
                    false => self.parked.push(row.parked()),
                }
            }
            Err(_) if self.by_time && self.is_old(row.serial) => {}
            Err(reason) => {
                self.parked_bytes += json.len();
                self.parked.push(ParkedRecord {
                    bytes: json.into_bytes(),
                    reason,
                });
            }
        }
    }

    /// Read before: a search by time goes back over rows we know, and what is parked is parked once.
    fn is_old(&self, serial: Option<u64>) -> bool {
        serial.is_some() && serial <= self.expected_serial()
    }
}

/// An authentication that names a card and nobody.
#[derive(Debug)]
pub(super) struct CardRow {
    card: String,
    /// The punch of whoever has the card.
    event: AccessEvent,
    means: Means,
    serial: Option<u64>,
    json: String,
}

impl CardRow {
    fn parked(self) -> ParkedRecord {
        ParkedRecord {
            reason: format!("card {} without an employee number", self.card),
            bytes: self.json.into_bytes(),
        }
    }
}

pub(super) enum Sorted {
    Punch(Punch),
    OfCard(CardRow),
    Refused,
    Noise,
}

/// A punch, something to count, or why the row has to wait for a later version of us.
pub(super) fn sort_out(event: AccessEvent, serial: Option<u64>) -> Result<Sorted, String> {
    let (card, means) = match event.says()? {
        Says::Punch { employee_no, means } => {
            let punch = punch_of(employee_no, &event, means, serial);
            let punch = punch.ok_or("unusable employee number")?;
            return Ok(Sorted::Punch(punch));
        }
        Says::OfCard { card, means } => (card.to_owned(), means),
        Says::Refused => return Ok(Sorted::Refused),
        Says::Noise => return Ok(Sorted::Noise),
    };
    Ok(Sorted::OfCard(CardRow {
        card,
        event,
        means,
        serial,
        json: String::new(),
    }))
}

fn punch_of(
    employee_no: &str,
    event: &AccessEvent,
    means: Means,
    serial: Option<u64>,
) -> Option<Punch> {
    Some(Punch {
        user: DeviceUserId::parse(employee_no)?,
        clock: event.time.clock,
        offset: event.time.offset,
        state: event
            .attendance
            .and_then(|key| PunchState::from_name(key.punch_state()))
            .unwrap_or_default(),
        verify: VerifyMode::from_name(means.verify_mode()).unwrap_or_default(),
        record: serial.unwrap_or(0),
    })
}

/// Asks the terminal whose the cards are that came without an employee number. What it does not know, or does not tell, is
/// parked.
async fn find_card_owners(http: &mut Http, log: &mut Collected) -> Result<(), TerminalError> {
    let mut owners: HashMap<String, Option<String>> = HashMap::new();
    let mut asks = true;
    for row in std::mem::take(&mut log.of_cards) {
        if !owners.contains_key(&row.card) && asks && owners.len() < MOST_CARDS {
            let owner = optional(card_owner(http, &row.card).await)?;
            asks = owner.is_some();
            owners.insert(row.card.clone(), owner.flatten());
        }
        let owner = owners.get(&row.card).cloned().flatten();
        let punch = owner.and_then(|owner| punch_of(&owner, &row.event, row.means, row.serial));
        match punch {
            Some(punch) => log.punches.push(punch),
            None => log.parked.push(row.parked()),
        }
    }
    Ok(())
}

async fn card_owner(http: &mut Http, card: &str) -> Result<Option<String>, TerminalError> {
    let search = encode_card_owner_search(&new_search_id(), card);
    let body = http
        .post(STEP, paths::CARDS, search)
        .await?
        .required(STEP)?;
    decode_card_owner(&body, card).map_err(malformed(STEP))
}

/// What the offsets of rows are worth.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Offsets {
    /// No row had one.
    #[default]
    None,
    True,
    FalseUtc,
}

/// Whether an offset of UTC would be one that the terminal does not have itself.
pub(super) fn is_elsewhere(clock: Option<Offset>) -> bool {
    clock.is_some_and(|offset| offset != Offset::UTC)
}

/// One OEM unit marks wall time as UTC. Where the terminal itself is elsewhere and no row has another offset, the rows have
/// none: it would be taken for a zone that does not fit.
fn drop_false_utc(punches: &mut [Punch], now: EventTime) -> Offsets {
    let mut offsets = punches.iter().filter_map(|punch| punch.offset).peekable();
    if offsets.peek().is_none() {
        return Offsets::None;
    }
    if !is_elsewhere(now.offset) || offsets.any(|offset| offset != Offset::UTC) {
        return Offsets::True;
    }
    punches.iter_mut().for_each(|punch| punch.offset = None);
    Offsets::FalseUtc
}

/// Punches of one person that come again exactly an hour later, to the second: what a unit with two zones at once records.
fn hour_twins(punches: &[Punch]) -> usize {
    let at: HashSet<(&DeviceUserId, DateTime)> = punches
        .iter()
        .map(|punch| (&punch.user, punch.clock))
        .collect();
    let hour_before = |punch: &Punch| punch.clock.checked_sub(jiff::ToSpan::hours(1));
    punches
        .iter()
        .filter(|punch| hour_before(punch).is_ok_and(|clock| at.contains(&(&punch.user, clock))))
        .count()
}

/// Reads what is new since `position` and moves it, or the first part of it where the deadline comes near. Where the last row is gone the log is another one (cleared, restored, or
/// overwritten past it): then everything is read, and known punches are sorted out by whoever stores them.
pub(super) async fn read_new(
    http: &mut Http,
    position: &mut Position,
    page: u32,
    now: EventTime,
) -> Result<Collected, TerminalError> {
    let mut log = Collected::after(position, page);
    let start = position.start(now);
    search(
        http,
        start,
        &mut position.by_time,
        now,
        &mut log,
        &mut |_| {},
    )
    .await?;
    if log.expected.is_some() && !log.expected_found {
        tracing::info!("the event log no longer has the last row read: reading everything again");
        position.last = None;
        position.seen = Vec::new();
        log = Collected::after(position, log.page);
        log.lost = true;
        let start = Start::Everything;
        search(
            http,
            start,
            &mut position.by_time,
            now,
            &mut log,
            &mut |_| {},
        )
        .await?;
    }
    find_card_owners(http, &mut log).await?;
    log.offsets = drop_false_utc(&mut log.punches, now);
    let twins = hour_twins(&log.punches);
    if twins > 0 {
        tracing::warn!(
            twins,
            "punches come again exactly an hour later: look whether the terminal has two time zones"
        );
    }
    position.advance(&log, now);
    Ok(log)
}

/// Searches from `start` to the end of the log, or to where it may stop, as often as the rows move. `each_page` sees the collection after every page.
pub(super) async fn search(
    http: &mut Http,
    mut start: Start,
    by_time: &mut bool,
    now: EventTime,
    log: &mut Collected,
    each_page: &mut (dyn FnMut(&mut Collected) + Send),
) -> Result<(), TerminalError> {
    let mut fruitless = 0;
    loop {
        log.by_time = *by_time;
        let before = log.keys.len();
        match read_pages(http, start, now, log, each_page).await? {
            End::Complete => {
                log.complete = true;
                return Ok(());
            }
            End::Lost => return Ok(()),
            End::Late if matches!(start, Start::Serial(_)) => return Ok(()),
            // To read on later needs a terminal that follows serial numbers, which the next search shows.
            End::Late => {}
            End::SerialsIgnored => *by_time = true,
            end @ (End::Moved | End::Short { .. }) => {
                fruitless = if log.keys.len() > before {
                    0
                } else {
                    fruitless + 1
                };
                if fruitless >= FRUITLESS {
                    end.without_more()?;
                    log.complete = true;
                    return Ok(());
                }
            }
        }
        start = resume(start, *by_time, now, log);
    }
}

/// Where to go on: at the newest row read, else at the last one of the earlier read, else where we began.
fn resume(start: Start, by_time: bool, now: EventTime, log: &Collected) -> Start {
    let Some(newest) = log.newest.as_ref().or(log.expected.as_ref()) else {
        return start;
    };
    match newest.serial {
        Some(serial) if !by_time => Start::Serial(serial),
        _ => Start::Time(newest.time_before(now)),
    }
}

enum End {
    Complete,
    /// The rows are no longer where they were.
    Moved,
    /// Nothing follows the last row, and more rows were announced than came: some were deleted meanwhile, or the total is wrong.
    Short {
        announced: u64,
        sent: u64,
        state: SearchState,
    },
    /// Rows below the serial number asked for.
    SerialsIgnored,
    /// The last row of the earlier read is not there.
    Lost,
    /// The deadline is near, and what has been read can stand alone.
    Late,
}

impl End {
    /// What it means when searches begun anew find no new row. A terminal that says `OK` each time after its last row counts its
    /// rows wrongly; in all other cases the end would be a guess, and nobody may be called absent by it.
    fn without_more(self) -> Result<(), TerminalError> {
        let detail = match self {
            Self::Short {
                state: SearchState::Complete,
                announced,
                sent,
            } => {
                tracing::debug!(announced, sent, "the total of an event search is too high");
                return Ok(());
            }
            Self::Short {
                announced, sent, ..
            } => format!("{announced} events announced, {sent} sent"),
            _ => "the terminal sends the same events again and again".to_owned(),
        };
        Err(TerminalError::Malformed { step: STEP, detail })
    }
}

/// One search, all its pages.
async fn read_pages(
    http: &mut Http,
    start: Start,
    now: EventTime,
    log: &mut Collected,
    each_page: &mut (dyn FnMut(&mut Collected) + Send),
) -> Result<End, TerminalError> {
    let mut id = new_search_id();
    let mut taken: u64 = 0; // rows of this search we have
    let mut last: Option<RowKey> = None;
    let mut keys = HashSet::new();
    loop {
        // With pages of one row there is no room to ask for a known one.
        let known = last.filter(|_| log.page > 1);
        let position = taken - u64::from(known.is_some());
        let search = condition(&id, start, position, log.page, now);
        let answer = http.post(STEP, paths::EVENTS, search.encode()).await;
        // Some firmware sends pictures although none were asked for.
        if matches!(answer, Err(TerminalError::TooLarge { .. })) && log.page > SMALL_PAGE {
            log.page = SMALL_PAGE;
            continue;
        }
        let body = answer?.required(STEP)?;
        let page: EventPage = decode_event_page(&body).map_err(malformed(STEP))?;
        let mut rows = page.rows.into_iter();

        if let Start::Serial(begin) = start
            && rows
                .as_slice()
                .iter()
                .any(|row| row.serial.is_some_and(|serial| serial < begin))
        {
            return Ok(End::SerialsIgnored);
        }
        if let Some(known) = known
            && rows.next().as_ref().map(key_of) != Some(known)
        {
            return Ok(End::Moved);
        }
        let more = page.state.has_more(taken + rows.len() as u64, page.total);
        if rows.len() == 0 {
            let announced = page.total.unwrap_or(0);
            if taken > 0 {
                return Ok(if announced > taken {
                    End::Short {
                        announced,
                        sent: taken,
                        state: page.state,
                    }
                } else {
                    End::Complete
                });
            }
            let promised = announced > 0 || page.state == SearchState::More;
            if page.state == SearchState::NoMatch || !promised {
                return Ok(End::Complete);
            }
            if log.page > SMALL_PAGE {
                log.page = SMALL_PAGE;
                id = new_search_id();
                continue;
            }
            // Nothing but the announcement: taken for the end, it would look like a log without these events.
            return Err(TerminalError::Malformed {
                step: STEP,
                detail: format!("{announced} events announced, none sent"),
            });
        }
        let before = keys.len();
        for row in rows {
            taken += 1;
            let key = key_of(&row);
            keys.insert(key);
            last = Some(key);
            log.add(row);
        }
        each_page(log);
        if !more {
            return Ok(End::Complete);
        }
        if keys.len() == before {
            return Ok(End::Moved);
        }
        if log.has_passed_expected() {
            return Ok(End::Lost);
        }
        if log.is_prefix() && http.is_late() {
            return Ok(End::Late);
        }
        if log.keys.len() > MOST_ROWS || log.parked_bytes > MOST_PARKED {
            return Err(TerminalError::Malformed {
                step: STEP,
                detail: "the event log does not end, or is hardly readable".to_owned(),
            });
        }
    }
}

/// A search open to the future: a frozen end would hide rows stamped while a clock ran ahead. New rows append behind.
fn condition(id: &str, start: Start, position: u64, page: u32, now: EventTime) -> EventSearch {
    let offset = now.offset;
    let at = |clock| EventTime { clock, offset };
    let (from, begin_serial) = match start {
        Start::Everything => (earliest(offset), None),
        Start::Serial(serial) => (earliest(offset), Some(serial)),
        Start::Time(clock) => (clock.max(earliest(offset)), None),
    };
    EventSearch {
        id: id.to_owned(),
        position,
        max_results: page,
        start: at(from),
        end: at(LATEST),
        begin_serial,
    }
}

/// All access events of a terminal whose clock is so far from UTC.
pub(super) fn everything(offset: Option<Offset>) -> EventTotal {
    let at = |clock| EventTime { clock, offset };
    EventTotal {
        minor: 0,
        start: at(earliest(offset)),
        end: at(LATEST),
    }
}

/// Terminals count seconds in 32 bits.
const LATEST: DateTime = date(2037, 12, 31).at(23, 59, 59, 0);

/// The first wall time that is neither before 1970 on the terminal's clock nor negative as Unix time.
fn earliest(offset: Option<Offset>) -> DateTime {
    let ahead = offset.map_or(0, Offset::seconds).max(0);
    date(1970, 1, 1)
        .at(0, 0, 0, 0)
        .saturating_add(jiff::ToSpan::seconds(i64::from(ahead)))
}

#[cfg(test)]
mod tests {
    use hik_proto::AttendanceStatus;

    use super::*;

    #[test]
    fn rows_that_share_a_serial_number_are_both_kept() {
        let row = |serial: u32, person: &str| {
            format!(
                r#"{{"major":5,"minor":75,"time":"2026-03-02T08:00:00+01:00","employeeNoString":"{person}","serialNo":{serial}}}"#
            )
        };
        let rows = [
            row(7, "1"),
            row(7, "2"),
            row(7, "1"),
            row(0, "3"),
            row(0, "4"),
        ];
        let body = format!(r#"{{"AcsEvent":{{"InfoList":[{}]}}}}"#, rows.join(","));
        let mut log = Collected::new(30);
        for row in decode_event_page(body.as_bytes()).expect("a page").rows {
            log.add(row);
        }
        let read: Vec<_> = log
            .punches
            .iter()
            .map(|punch| (punch.user.as_str(), punch.record))
            .collect();
        assert_eq!(read, [("1", 7), ("2", 7), ("3", 0), ("4", 0)]);
        assert_eq!(log.contents_from(7).len(), 2);
    }

    fn punch(user: &str, clock: &str, offset_h: Option<i8>) -> Punch {
        Punch {
            user: DeviceUserId::parse(user).expect("a number"),
            clock: clock.parse().expect("a time"),
            offset: offset_h.map(jiff::tz::offset),
            state: PunchState::None,
            verify: VerifyMode::Face,
            record: 1,
        }
    }

    #[test]
    fn wall_time_that_is_marked_as_utc_has_no_offset() {
        let clock: DateTime = "2026-03-02T12:00:00".parse().expect("a time");
        let now = |offset_h: Option<i8>| EventTime {
            clock,
            offset: offset_h.map(jiff::tz::offset),
        };
        let check = |now: EventTime, rows: [Option<i8>; 2], kept: bool| {
            let mut punches = rows.map(|offset| punch("1", "2026-03-02T08:00:00", offset));
            let before = punches.clone();
            drop_false_utc(&mut punches, now);
            let none = punches.iter().all(|punch| punch.offset.is_none());
            assert_eq!((punches == before, none), (kept, !kept), "{rows:?}");
        };
        check(now(Some(5)), [Some(0), Some(0)], false);
        check(now(Some(5)), [Some(0), None], false);
        check(now(Some(5)), [Some(5), Some(5)], true);
        check(now(Some(1)), [Some(0), Some(1)], true); // winter and summer in London
        check(now(Some(0)), [Some(0), Some(0)], true);
        check(now(None), [Some(0), Some(0)], true);
    }

    #[test]
    fn punches_that_come_again_after_an_hour_are_counted() {
        let rows = [
            punch("1", "2026-03-02T08:00:31", None),
            punch("1", "2026-03-02T09:00:31", None),
            punch("2", "2026-03-02T09:00:31", None),
            punch("1", "2026-03-02T10:00:30", None),
        ];
        assert_eq!(hour_twins(&rows), 1);
    }

    #[test]
    fn keys_and_means_have_the_names_of_all_brands() {
        use AttendanceStatus::{BreakIn, BreakOut, CheckIn, CheckOut, OvertimeIn, OvertimeOut};
        for key in [
            CheckIn,
            CheckOut,
            BreakOut,
            BreakIn,
            OvertimeIn,
            OvertimeOut,
        ] {
            let name = PunchState::from_name(key.punch_state());
            assert!(name.is_some(), "{key:?}");
        }
        use Means::{Card, Combined, Face, Finger, Iris, Other, Palm, Password};
        for means in [Card, Finger, Face, Password, Palm, Iris, Combined, Other] {
            let name = VerifyMode::from_name(means.verify_mode());
            assert!(name.is_some(), "{means:?}");
        }
    }

    #[test]
    fn the_widest_window_is_no_negative_time() {
        let at =
            |seconds| earliest(Some(Offset::from_seconds(seconds).expect("an offset"))).to_string();
        assert_eq!(at(0), "1970-01-01T00:00:00");
        assert_eq!(at(19_800), "1970-01-01T05:30:00");
        assert_eq!(at(-14_400), "1970-01-01T00:00:00");
    }
}

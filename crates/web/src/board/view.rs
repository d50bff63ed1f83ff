//! The board as its templates show it: counted, worded and linked. A pure function of the facts and the time.

use std::collections::{BTreeMap, HashMap};
use std::fmt;

use askama::filters::HtmlSafe;
use jiff::Timestamp;
use store::views::board::{PersonToday, RecentPunch};
use store::views::devices::DeviceRow;

use super::brief::Brief;
use super::chart::Arrivals;
use super::facts::{Facts, NAMED, ShiftTimes};
use super::segment::{Bar, Counts, Segment};
use super::usual::minute_of;
use crate::assets::Icon;
use crate::devices::{Condition, quickest_way};
use crate::format::{self, Ago, Chip, Lasting};
use crate::sight::MINE;
use crate::text::{Msg, msg};

#[derive(Debug)]
pub struct Counter {
    pub id: &'static str,
    pub href: String,
    pub class: String,
    pub label: Msg,
    pub count: usize,
    pub caption: String,
    /// Somebody must act: shown in red.
    pub act: bool,
}

#[derive(Debug)]
pub struct Notice {
    pub device: i64,
    pub serial: String,
    pub title: Title,
    pub text: String,
    /// How many people are unknown because of it.
    pub people: usize,
}

/// `Gate 2: no contact for 39 min`, the time counting on.
#[derive(Debug)]
pub struct Title {
    device: String,
    label: String,
    lasting: Option<Lasting>,
}

impl fmt::Display for Title {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let label = format::Escaped(&self.label);
        write!(f, "<bdi>{}</bdi>: {label}", format::Escaped(&self.device))?;
        match &self.lasting {
            Some(lasting) => write!(f, " {lasting}"),
            None => Ok(()),
        }
    }
}

impl HtmlSafe for Title {}

#[derive(Debug)]
pub struct DepartmentRow {
    pub id: i64,
    pub href: String,
    pub name: String,
    pub arrived: usize,
    pub expected: usize,
    pub bar: Bar,
    pub notes: Vec<Note>,
}

#[derive(Debug)]
pub struct Note {
    pub class: &'static str,
    pub text: Msg,
}

#[derive(Debug)]
pub struct PunchRow {
    pub id: i64,
    /// On the device's clock: with seconds, or with the day when it is not today.
    pub time: String,
    pub who: String,
    /// `None` when the device user has no person.
    pub href: Option<String>,
    pub map_href: String,
    pub device: String,
    pub way: Msg,
    pub chip: Option<Chip>,
}

#[derive(Debug, Default)]
pub struct PeopleList {
    pub count: usize,
    pub people: Vec<Person>,
    /// How many are not named.
    pub more: usize,
    pub href: String,
    pub reason: String,
    /// Key of the heading, where it is not always the same.
    pub title: &'static str,
}

#[derive(Debug)]
pub struct Person {
    pub id: i64,
    pub href: String,
    pub name: String,
    pub department: String,
    pub note: String,
}

#[derive(Debug)]
pub struct StripDevice {
    pub id: i64,
    pub serial: String,
    pub name: String,
    pub dot: &'static str,
    pub class: &'static str,
    pub text: String,
    ago: Option<Ago>,
    lasting: Option<Lasting>,
}

impl StripDevice {
    /// Words and the age that counts on.
    pub fn state(&self) -> String {
        let mut html = format::Escaped(&self.text).to_string();
        if let Some(ago) = &self.ago {
            html.push_str(&format!(" · {ago}"));
        }
        if let Some(lasting) = &self.lasting {
            html.push_str(&format!(" {lasting}"));
        }
        html
    }
}

#[derive(Debug)]
pub struct SiteChoice {
    pub id: i64,
    pub name: String,
    pub chosen: bool,
}

/// What is left to set up, as a link.
#[derive(Debug)]
pub struct NextStep {
    pub href: &'static str,
    pub label: Msg,
}

/// Everything on the page of today. Templates call it `board`.
#[derive(Debug)]
pub struct Board {
    pub sites: Vec<SiteChoice>,
    /// Only the people somebody leads.
    pub of_team: bool,
    /// Asks for this board, in an address.
    pub query: String,
    /// Where the page gets its changes from.
    pub stream: String,
    pub day_href: String,
    pub early: bool,
    pub arrived: usize,
    pub expected: usize,
    pub roll: usize,
    pub comparison: String,
    pub brief: Option<Brief>,
    pub bar: Bar,
    pub counters: Vec<Counter>,
    pub notices: Vec<Notice>,
    pub next_steps: Vec<NextStep>,
    pub arrivals: Arrivals,
    pub departments: Vec<DepartmentRow>,
    pub punches: Vec<PunchRow>,
    pub more_punches: usize,
    pub last_punch: Option<Ago>,
    pub not_arrived: PeopleList,
    pub unknown: PeopleList,
    pub late: PeopleList,
    pub devices: Vec<StripDevice>,
    pub devices_caption: String,
    /// The time at the site, for when the connection is lost.
    pub clock: String,
    day: jiff::civil::Date,
}

impl Board {
    pub fn new(facts: &Facts, now: Timestamp) -> Self {
        let counts = Counts::of(facts.people.iter());
        let early = counts.early();
        let starts = starts(facts);
        let arrivals = arrivals(facts, now, &starts);
        let not_arrived = not_arrived(facts, &counts);
        let failing: Vec<&DeviceRow> = facts
            .devices
            .iter()
            .filter(|device| Condition::of(device).is_down())
            .collect();
        let unknown = unknown(facts, &counts, &failing);
        let usual = arrivals.usual_now();
        let query = match facts.of_team {
            true => format!("site={}&team={MINE}", facts.site.id),
            false => format!("site={}", facts.site.id),
        };
        Self {
            of_team: facts.of_team,
            sites: facts
                .sites
                .iter()
                .map(|site| SiteChoice {
                    id: site.id,
                    name: site.name.clone(),
                    chosen: site.id == facts.site.id,
                })
                .collect(),
            stream: format!("/live/today?{query}"),
            query,
            day_href: day_href(facts, None, None),
            early,
            arrived: counts.arrived(),
            expected: counts.expected(),
            roll: counts.roll(),
            comparison: comparison(&arrivals, counts.arrived(), usual, facts, now),
            brief: Brief::of(facts, now),
            bar: Bar::new("mbar", 18, &counts, counts.roll(), true),
            counters: counters(facts, &counts, early, &starts, &unknown.reason),
            notices: notices(facts, &failing, now),
            next_steps: next_steps(facts),
            arrivals,
            departments: departments(facts, early),
            punches: facts
                .punches
                .iter()
                .map(|punch| punch_row(facts, punch))
                .collect(),
            more_punches: facts.unlisted,
            last_punch: facts.punches.first().map(|punch| Ago {
                at: format::instant(punch.instant_ms),
                now,
                zone: facts.zone.clone(),
            }),
            not_arrived,
            unknown,
            late: late(facts, &counts, &starts),
            devices: facts
                .devices
                .iter()
                .map(|device| strip(facts, device, now))
                .collect(),
            devices_caption: msg("devices-in-contact")
                .count("well", crate::devices::in_contact(&facts.devices))
                .count("all", facts.devices.len())
                .to_string(),
            clock: format::clock_time(now, &facts.zone),
            day: facts.day,
        }
    }

    pub fn heading(&self) -> Msg {
        format::long_date(self.day)
    }

    /// What a screen reader is told, at most once a minute.
    pub fn spoken(&self) -> String {
        msg("spoken")
            .count("arrived", self.arrived)
            .count("expected", self.expected)
            .count("missing", self.not_arrived.count)
            .to_string()
    }
}

/// Start and grace of the shifts of everybody who is expected, each pair once, in order of time.
fn starts(facts: &Facts) -> Vec<(usize, usize)> {
    let by_name: HashMap<&str, &ShiftTimes> = facts
        .shifts
        .iter()
        .map(|shift| (shift.name.as_str(), shift))
        .collect();
    let expected = facts
        .people
        .iter()
        .filter(|person| Segment::of_person(person).expected());
    let mut starts: Vec<(usize, usize)> = expected
        .filter_map(|person| by_name.get(person.shift.as_deref()?.split('+').next()?))
        .map(|shift| (shift.start, shift.grace_min))
        .collect();
    starts.sort_unstable();
    starts.dedup();
    starts
}

fn hour_minute(minute: usize) -> String {
    format!("{:02}:{:02}", minute / 60 % 24, minute % 60)
}

fn arrivals(facts: &Facts, now: Timestamp, starts: &[(usize, usize)]) -> Arrivals {
    let wall = now.to_zoned(facts.zone.clone());
    let minute = usize::try_from(i32::from(wall.hour()) * 60 + i32::from(wall.minute()));
    let today = facts.day.to_string();
    let minutes: Vec<usize> = facts
        .people
        .iter()
        // Whom the usual weekday counts too: everybody expected with a first in.
        .filter(|person| Segment::of_person(person).expected())
        .filter_map(|person| person.first_in.as_deref())
        .filter(|wall| wall.starts_with(&today))
        .filter_map(|wall| minute_of(format::wall_minutes(wall)))
        .collect();
    let usual = std::sync::Arc::clone(&facts.usual);
    let caption = match &*usual {
        Some(usual) => msg("arrivals-caption")
            .count("days", usual.days)
            .with("weekday", format::weekday(facts.day))
            .to_string(),
        None if facts.of_team => msg("arrivals-caption-team").to_string(),
        None => msg("arrivals-caption-new").to_string(),
    };
    Arrivals::new(&minutes, minute.unwrap_or(0), usual, starts, caption)
}

/// Arrivals against the usual ones. They are not always the people in (who is on duty elsewhere has no first in, who came
/// before midnight no arrival today); then the sentence says how many it compares.
fn comparison(
    arrivals: &Arrivals,
    arrived: usize,
    usual: Option<i64>,
    facts: &Facts,
    now: Timestamp,
) -> String {
    let Some(usual) = usual else {
        return String::new();
    };
    let difference = i64::from(arrivals.arrived()) - usual;
    let text = match difference {
        0 => msg("usual-same"),
        1.. => msg("usual-more"),
        _ => msg("usual-fewer"),
    };
    let text = text
        .count("difference", difference.abs())
        .with("weekday", format::weekday(facts.day))
        .with("time", format::clock_time(now, &facts.zone))
        .count("usual", usual);
    if arrivals.arrived() as usize == arrived {
        return text.to_string();
    }
    msg("usual-of-arrivals")
        .count("arrivals", arrivals.arrived())
        .with("comparison", text)
        .to_string()
}

fn day_href(facts: &Facts, segment: Option<Segment>, department: Option<i64>) -> String {
    let mut href = format!("/day/{}?site={}", facts.day, facts.site.id);
    if let Some(segment) = segment {
        href.push_str("&status=");
        href.push_str(segment.name());
    }
    if let Some(department) = department {
        href.push_str(&format!("&department={department}"));
    }
    if facts.of_team {
        href.push_str(&format!("&team={MINE}"));
    }
    href
}

fn counters(
    facts: &Facts,
    counts: &Counts,
    early: bool,
    starts: &[(usize, usize)],
    unknown_reason: &str,
) -> Vec<Counter> {
    use Segment::{
        Absent, HalfDay, Holiday, Late, NotArrived, NotDue, OnLeave, OnTime, Unknown, WeeklyOff,
    };
    let final_day = counts.get(Absent) > 0 && counts.get(NotArrived) == 0;
    let shown = |segment: Segment| match segment {
        OnTime | OnLeave | WeeklyOff => true,
        Late | Unknown => !early,
        NotArrived => !early && !final_day,
        HalfDay | Absent | NotDue | Holiday => false,
    };
    let one = match starts {
        [(start, grace)] => Some((*start, start + grace)),
        _ => None,
    };
    let timed = |key: &str, minute: usize| msg(key).with("time", hour_minute(minute)).to_string();
    let plain = |key: &str| msg(key).to_string();
    let caption = |segment: Segment| match (segment, one) {
        (OnTime, _) if early => match first_arrival(facts) {
            Some(first) => msg("caption-first").with("time", first).to_string(),
            None => plain("caption-nobody-yet"),
        },
        (OnTime, Some((_, grace))) => timed("caption-by", grace),
        (OnTime, None) => plain("caption-within-grace"),
        (Late, Some((_, grace))) => timed("caption-after", grace),
        (Late, None) => plain("caption-after-grace"),
        (HalfDay, _) => plain("caption-half-day"),
        (NotArrived, Some((start, _))) => timed("caption-due", start),
        (NotArrived, None) => plain("caption-past-start"),
        (Absent, _) => plain("caption-final"),
        (Unknown, _) => unknown_reason.to_owned(),
        (NotDue, Some((_, grace))) => timed("caption-grace-ends", grace),
        (NotDue, None) => plain("caption-not-due"),
        (OnLeave, _) => plain("caption-approved"),
        (WeeklyOff, _) => plain("caption-roster"),
        (Holiday, _) => plain("caption-calendar"),
    };
    Segment::ALL
        .into_iter()
        .filter(|segment| shown(*segment) || counts.get(*segment) > 0)
        .map(|segment| Counter {
            id: segment.name(),
            href: day_href(facts, Some(segment), None),
            class: format!("b-{}", segment.colour()),
            label: match segment {
                OnTime if early => msg("segment-in"),
                _ => msg(format!("segment-{}", segment.name())),
            },
            count: counts.get(segment),
            caption: caption(segment),
            act: matches!(segment, NotArrived | Absent) && counts.get(segment) > 0,
        })
        .collect()
}

fn first_arrival(facts: &Facts) -> Option<String> {
    let times = facts
        .people
        .iter()
        .filter_map(|person| person.first_in.as_deref());
    times
        .min()
        .map(|wall| format::wall_minutes(wall).to_owned())
}

fn notices(facts: &Facts, failing: &[&DeviceRow], now: Timestamp) -> Vec<Notice> {
    let unknown = people_by_device(facts);
    failing
        .iter()
        .map(|device| {
            let condition = Condition::of(device);
            let only = unknown
                .values()
                .filter(|devices| devices[..] == [device.id])
                .count();
            let any = unknown
                .values()
                .filter(|devices| devices.contains(&device.id))
                .count();
            let since = device.failing_since_ms.map(format::instant);
            let mut text = String::new();
            if let Some(since) = since {
                let since = format::moment(since, now, &facts.zone);
                text = msg("notice-since").with("time", since).to_string();
                text.push(' ');
            }
            let rest = match (only, any) {
                (1.., _) => msg("notice-only").count("people", only),
                (0, 1..) => msg("notice-also").count("people", any),
                (0, 0) => msg("notice-kept"),
            };
            text.push_str(&rest.to_string());
            Notice {
                device: device.id,
                serial: device.serial_number.clone(),
                title: Title {
                    device: device.name.clone(),
                    label: condition.notice().to_string(),
                    lasting: lasting(facts, device, now),
                },
                text,
                people: any,
            }
        })
        .collect()
}

/// The devices that know each person who is unknown.
fn people_by_device(facts: &Facts) -> BTreeMap<i64, Vec<i64>> {
    let mut known: BTreeMap<i64, Vec<i64>> = BTreeMap::new();
    for row in &facts.devices_of_unknown {
        known
            .entry(row.employee_id)
            .or_default()
            .push(row.device_id);
    }
    known
}

fn next_steps(facts: &Facts) -> Vec<NextStep> {
    let mut steps = Vec::new();
    if facts.of_team {
        return steps;
    }
    if facts.devices.is_empty() {
        steps.push(NextStep {
            href: "/devices/new",
            label: msg("add-device"),
        });
    }
    if facts.people.is_empty() {
        steps.push(NextStep {
            href: "/people/import",
            label: msg("import-people"),
        });
    }
    steps
}

fn departments(facts: &Facts, early: bool) -> Vec<DepartmentRow> {
    let mut by_department: BTreeMap<i64, (String, Counts)> = BTreeMap::new();
    for person in facts.people.iter() {
        let name = || match &person.department {
            Some(name) => name.clone(),
            None => msg("no-department").to_string(),
        };
        by_department
            .entry(person.department_id.unwrap_or(0))
            .or_insert_with(|| (name(), Counts::default()))
            .1
            .add(Segment::of_person(person));
    }
    let widest = by_department
        .values()
        .map(|(_, counts)| counts.expected())
        .max();
    // The widest bar leaves room at its end, so that a full department does not look like a frame.
    let whole = widest.unwrap_or(0) * 6 / 5;
    let mut rows: Vec<_> = by_department
        .into_iter()
        .map(|(id, (name, counts))| DepartmentRow {
            id,
            href: day_href(facts, None, Some(id)),
            name,
            arrived: counts.arrived(),
            expected: counts.expected(),
            bar: Bar::new("db", 12, &counts, whole.max(1), false),
            notes: department_notes(&counts, early),
        })
        .collect();
    rows.sort_by(|a, b| {
        b.expected
            .cmp(&a.expected)
            .then_with(|| a.name.cmp(&b.name))
    });
    rows
}

fn department_notes(counts: &Counts, early: bool) -> Vec<Note> {
    use Segment::{Absent, Late, NotArrived, NotDue, Unknown};
    let kinds = [
        (NotArrived, "tx-absent", "n-not-arrived"),
        (Absent, "tx-absent", "n-absent"),
        (Late, "tx-late-plain", "n-late"),
        (Unknown, "muted", "n-unknown"),
        (NotDue, "muted", "n-not-due"),
    ];
    kinds
        .into_iter()
        .filter(|(segment, ..)| counts.get(*segment) > 0 && (early || *segment != NotDue))
        .map(|(segment, class, key)| Note {
            class,
            text: msg(key).count("count", counts.get(segment)),
        })
        .collect()
}

fn punch_row(facts: &Facts, punch: &RecentPunch) -> PunchRow {
    let mapped = punch.employee_id.zip(punch.code.as_ref());
    let who = match mapped {
        Some(_) => store::views::board::full_name(
            punch.first_name.as_deref().unwrap_or_default(),
            punch.last_name.as_deref().unwrap_or_default(),
        ),
        None => msg("user-not-mapped")
            .with("user", &punch.user_id)
            .to_string(),
    };
    PunchRow {
        id: punch.id,
        time: punch_time(facts, &punch.clock),
        who,
        href: mapped.map(|(_, code)| format!("/people/{}", path_part(code))),
        map_href: format!(
            "/inbox?device={}&user={}",
            punch.device_id,
            path_part(&punch.user_id)
        ),
        device: punch.device.clone(),
        way: msg(format!("way-{}", punch.source)),
        chip: mapped.map(|(employee, _)| punch_chip(facts, punch, employee)),
    }
}

/// `09:19:05` today, `Fri 18:04` within the last week, else `6 May 18:04`.
fn punch_time(facts: &Facts, clock: &str) -> String {
    let date = match format::stored_date(clock) {
        Some(date) if date != facts.day => date,
        _ => return format::wall_seconds(clock).to_owned(),
    };
    let days = facts.day.since(date).map_or(0, |past| past.get_days());
    let day = match days {
        1..7 => format::short_weekday(date),
        _ => format::day_and_month(date, facts.day),
    };
    msg("moment-date")
        .with("date", day)
        .with("time", format::wall_minutes(clock))
        .to_string()
}

/// The status of the day the punch counts for: the report whose first in or last out it is, else that of its date.
fn punch_chip(facts: &Facts, punch: &RecentPunch, employee: i64) -> Chip {
    let own = || {
        facts
            .punch_reports
            .iter()
            .filter(|report| report.employee_id == employee)
    };
    let edge = own()
        .find(|report| [report.first_in_ms, report.last_out_ms].contains(&Some(punch.instant_ms)));
    let date = punch.clock.get(..10).unwrap_or_default();
    let report = edge.or_else(|| own().find(|report| report.workday == date));
    match report {
        Some(report) if report.last_out_ms == Some(punch.instant_ms) => {
            Chip::new("st-off", Icon::small("logout"), msg("punch-out"))
        }
        Some(report) => Chip::of(&report.status, report.late_min, None, true),
        None => Chip::not_judged(),
    }
}

fn person(person: &PersonToday, note: String) -> Person {
    Person {
        id: person.id,
        href: format!("/people/{}", path_part(&person.code)),
        name: person.name(),
        department: person.department.clone().unwrap_or_default(),
        note,
    }
}

fn list(
    facts: &Facts,
    counts: &Counts,
    segment: Segment,
    note: impl Fn(&PersonToday) -> String,
) -> PeopleList {
    let count = counts.get(segment);
    let people: Vec<Person> = facts
        .people
        .iter()
        .filter(|person| Segment::of_person(person) == segment)
        .take(NAMED)
        .map(|one| person(one, note(one)))
        .collect();
    PeopleList {
        count,
        more: count - people.len(),
        people,
        href: day_href(facts, Some(segment), None),
        reason: String::new(),
        title: "",
    }
}

/// People nobody has seen: not arrived during the day, absent once it is final, which it may be for one shift and not yet
/// for another.
fn not_arrived(facts: &Facts, counts: &Counts) -> PeopleList {
    let note = |person: &PersonToday| match facts.habits.get(&person.id) {
        Some(Some(usual)) => msg("usually").with("time", usual).to_string(),
        Some(None) => match person
            .employed_from
            .as_deref()
            .and_then(format::stored_date)
        {
            Some(joined) if joined <= facts.day => msg("no-punch-since-joining")
                .with("date", format::day_and_month(joined, facts.day))
                .to_string(),
            _ => String::new(),
        },
        None => String::new(),
    };
    let mut absent = list(facts, counts, Segment::Absent, note);
    let mut not_arrived = list(facts, counts, Segment::NotArrived, note);
    absent.title = "status-absent";
    not_arrived.title = "status-not_arrived";
    match (not_arrived.count, absent.count) {
        (_, 0) => not_arrived,
        (0, _) => absent,
        (waiting, final_) => {
            let final_word = msg("status-absent").to_string();
            for person in &mut absent.people {
                person.note = match person.note.as_str() {
                    "" => final_word.clone(),
                    note => format!("{final_word}, {note}"),
                };
            }
            let mut people = not_arrived.people;
            people.extend(absent.people);
            people.truncate(NAMED);
            PeopleList {
                count: waiting + final_,
                more: waiting + final_ - people.len(),
                people,
                // The table of the day begins with both.
                href: day_href(facts, None, None),
                reason: String::new(),
                title: "not-arrived-or-absent",
            }
        }
    }
}

fn unknown(facts: &Facts, counts: &Counts, failing: &[&DeviceRow]) -> PeopleList {
    let devices = people_by_device(facts);
    let name = |id: i64| {
        failing
            .iter()
            .find(|device| device.id == id)
            .map(|device| &device.name)
    };
    let note = |person: &PersonToday| {
        if person.status.is_none() {
            return msg("not-judged").to_string();
        }
        let known = devices.get(&person.id).map_or(&[][..], Vec::as_slice);
        let down = known.iter().find_map(|id| name(*id));
        match (known, down) {
            ([_], Some(device)) => msg("uses-only").with("device", device).to_string(),
            (_, Some(device)) => msg("waits-for").with("device", device).to_string(),
            _ if person.reason.as_deref() == Some("no_device") => {
                msg("reason-no_device").to_string()
            }
            _ => msg("reason-not_covered").to_string(),
        }
    };
    let mut list = list(facts, counts, Segment::Unknown, note);
    list.reason = match failing {
        _ if list.count == 0 => String::new(),
        [] => msg("reason-not_covered").to_string(),
        [device] => msg("device-is-down")
            .with("device", &device.name)
            .to_string(),
        several => msg("devices-are-down")
            .count("count", several.len())
            .to_string(),
    };
    list
}

fn late(facts: &Facts, counts: &Counts, starts: &[(usize, usize)]) -> PeopleList {
    let note = |person: &PersonToday| format::minutes(person.late_min.unwrap_or(0));
    let mut people: Vec<&PersonToday> = facts
        .people
        .iter()
        .filter(|person| Segment::of_person(person) == Segment::Late)
        .collect();
    people.sort_by_key(|person| std::cmp::Reverse(person.late_min));
    let count = counts.get(Segment::Late);
    let named: Vec<Person> = people
        .iter()
        .take(NAMED)
        .map(|one| person(one, note(one)))
        .collect();
    PeopleList {
        count,
        more: count - named.len(),
        people: named,
        href: day_href(facts, Some(Segment::Late), None),
        reason: match starts {
            [(start, grace)] => msg("caption-after")
                .with("time", hour_minute(start + grace))
                .to_string(),
            _ => msg("caption-after-grace").to_string(),
        },
        title: "",
    }
}

fn lasting(facts: &Facts, device: &DeviceRow, now: Timestamp) -> Option<Lasting> {
    device.failing_since_ms.map(|since| Lasting {
        since: format::instant(since),
        now,
        zone: facts.zone.clone(),
    })
}

fn strip(facts: &Facts, device: &DeviceRow, now: Timestamp) -> StripDevice {
    let condition = Condition::of(device);
    let down = condition.is_down();
    let contact = device.last_contact_ms.filter(|_| !down);
    StripDevice {
        id: device.id,
        serial: device.serial_number.clone(),
        name: device.name.clone(),
        dot: condition.dot(),
        class: if down {
            "tx-absent small"
        } else {
            "muted small"
        },
        text: match (down, contact) {
            (false, Some(_)) if condition == Condition::Well => quickest_way(device, now)
                .unwrap_or_else(|| condition.label())
                .to_string(),
            _ if down => condition.notice().to_string(),
            _ => condition.label().to_string(),
        },
        ago: contact.map(|at| Ago {
            at: format::instant(at),
            now,
            zone: facts.zone.clone(),
        }),
        lasting: if down {
            lasting(facts, device, now)
        } else {
            None
        },
    }
}

/// A code or user id as part of a URL.
pub fn path_part(text: &str) -> String {
    let mut part = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~') {
            part.push(char::from(byte));
        } else {
            part.push_str(&format!("%{byte:02X}"));
        }
    }
    part
}

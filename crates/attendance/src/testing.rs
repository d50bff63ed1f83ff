//! Plans and punches for the tables of the rules: the site is Karachi, days are days of March 2026 (the 2nd is a Monday).

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;

use crate::evidence::{Facing, KeptPunch, Origin};
use crate::inputs::{Inputs, PlannedShift};
use crate::plan::{Plan, Planner};
use crate::policy::Policy;
use crate::shift::Shift;
use crate::time::{Day, SiteZone, timestamp};

pub(crate) fn day(of_march: i8) -> Day {
    Day::of(Date::new(2026, 3, of_march).expect("a day of March"))
}

pub(crate) fn zone() -> SiteZone {
    let karachi = TimeZone::get("Asia/Karachi").expect("a known zone");
    SiteZone::new(&karachi, day(1), day(31))
}

/// The instant of `02 09:00`, with seconds if written.
pub(crate) fn at(text: &str) -> i64 {
    let wall: DateTime = format!("2026-03-{}", text.replace(' ', "T"))
        .parse()
        .unwrap_or_else(|error| panic!("{text}: {error}"));
    let midnight = zone().instant(Day::of(wall.date()).wall(0));
    midnight
        + i64::from(wall.hour()) * 3600
        + i64::from(wall.minute()) * 60
        + i64::from(wall.second())
}

/// `02 09:00`, with seconds unless they are zero.
pub(crate) fn text(instant: i64) -> String {
    let wall = zone().moment(instant).wall;
    let format = if wall.second() == 0 {
        "%d %H:%M"
    } else {
        "%d %H:%M:%S"
    };
    wall.strftime(format).to_string()
}

/// Punches like `02 09:00, i02 13:00, o02 14:00`: i is entering, o leaving, without letter neither. The id is the text.
pub(crate) fn punches(list: &str) -> Vec<KeptPunch<'static>> {
    let texts = list
        .split(',')
        .map(str::trim)
        .filter(|text| !text.is_empty());
    texts.map(|text| punch(text, Origin::Device)).collect()
}

pub(crate) fn punch(text: &str, origin: Origin) -> KeptPunch<'static> {
    let (facing, time) = match text.as_bytes()[0] {
        b'i' => (Facing::Entering, &text[1..]),
        b'o' => (Facing::Leaving, &text[1..]),
        _ => (Facing::Either, text),
    };
    KeptPunch {
        at: at(time),
        facing,
        origin,
        id: Box::leak(Box::new(Arc::from(text))),
        recorded: None,
    }
}

/// The plan of a shift written as in a case file, on a day of March.
pub(crate) fn plan(of_march: i8, shift: &str, policy: &Policy) -> Plan<'static> {
    let shift: Shift = toml::from_str(shift).unwrap_or_else(|error| panic!("{shift}: {error}"));
    let inputs = one_shift("S", shift, policy);
    let names: &'static [Arc<str>] = Box::leak(Box::new(["S".into()]));
    let planner = Planner {
        zone: &zone(),
        inputs: Box::leak(Box::new(inputs)),
        policy: Box::leak(Box::new(policy.clone())),
    };
    let mut plan = planner.shifts(day(of_march), names);
    plan.date = day(of_march).date();
    plan
}

fn one_shift(name: &str, shift: Shift, policy: &Policy) -> Inputs {
    let planned = PlannedShift {
        name: name.into(),
        shift,
        policy: Arc::new(policy.clone()),
    };
    Inputs {
        shifts: Arc::new(BTreeMap::from([(name.into(), planned)])),
        ..Inputs::default()
    }
}

/// The plan of an off day, of segments like `09:00-18:00`, or of several like `09:00-12:00 13:00-18:00`.
pub(crate) fn segments(of_march: i8, list: &str, policy: &Policy) -> Plan<'static> {
    let list: Vec<String> = list
        .split_whitespace()
        .filter_map(|segment| segment.split_once('-'))
        .map(|(start, end)| format!("{{ start = '{start}', end = '{end}' }}"))
        .collect();
    plan(
        of_march,
        &format!("segments = [{}]", list.join(", ")),
        policy,
    )
}

/// Only to be sure that a test speaks of a time it can write.
#[test]
fn texts_are_read_back() {
    for written in ["02 09:00", "31 23:59:30"] {
        assert_eq!(text(at(written)), written);
    }
    assert_eq!(
        timestamp(at("02 09:00")).to_string(),
        "2026-03-02T04:00:00Z"
    );
}

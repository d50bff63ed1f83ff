//! A person with devices, shifts, a roster, leave and evidence around a few days, some of them days of a clock change.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use attendance::{
    Absence, Correction, CorrectionKind, DayPart, Device, Direction, Employee, EvidencePunch, Gap,
    Inputs, PlannedShift, Policy, PunchPolicy, PunchState, Relevance, Roster, RosterOverride,
    RosterPlan, RosterValue, Shift, Source,
};
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use proptest::prelude::*;
use proptest::sample::{Index, select};

#[derive(Clone, Debug)]
pub struct World {
    pub employee: Employee,
    pub inputs: Inputs,
    pub policy: Policy,
    pub now: Timestamp,
    /// All days that a punch may be listed under.
    pub days: Vec<Date>,
}

/// Where the clock changes on the fourth day of the evidence, or never.
const PLACES: [(&str, &str); 6] = [
    ("America/New_York", "2026-03-05"),
    ("America/New_York", "2026-10-29"),
    ("Australia/Lord_Howe", "2026-04-02"),
    ("Pacific/Pago_Pago", "2026-03-02"),
    ("Asia/Kolkata", "2026-03-02"),
    ("Pacific/Apia", "2026-03-02"),
];

/// Days with evidence; the roster repeats over them.
const DAYS: i64 = 7;

const SHIFTS: [(&str, &str); 9] = [
    (
        "DAY",
        "segments = [{ start = '09:00', end = '18:00' }]\nbreaks = [{ kind = 'fixed', start = '13:00', end = '14:00' }]",
    ),
    ("NIGHT", "segments = [{ start = '22:00', end = '06:00' }]"),
    (
        "EARLY",
        "segments = [{ start = '00:00', end = '08:00' }]\nbreaks = [{ kind = 'auto', after_min = 300, minutes = 30 }]",
    ),
    ("LATE", "segments = [{ start = '14:00', end = '22:00' }]"),
    (
        "SPLIT",
        "segments = [{ start = '09:00', end = '12:00' }, { start = '13:00', end = '18:00' }]",
    ),
    (
        "SPAN",
        "segments = [{ start = '09:00', end = '12:00' }, { start = '13:00', end = '18:00' }]\npunch_each_segment = false",
    ),
    (
        "REST",
        "segments = [{ start = '08:00', end = '17:00' }]\nbreaks = [{ kind = 'punched', start = '11:00', end = '15:00', minutes = 45 }]",
    ),
    (
        "FLEX",
        "flexible = true\nrequired_min = 480\ncore = { start = '10:00', end = '15:00' }\nday_start = '05:00'",
    ),
    ("FREE", "flexible = true\nrequired_min = 420"),
];

fn roster_value() -> impl Strategy<Value = RosterValue> {
    let names = SHIFTS.map(|(name, _)| name).to_vec();
    prop_oneof![
        6 => select(names).prop_map(|name| RosterValue::Shifts(vec![name.into()])),
        1 => Just(RosterValue::Shifts(vec!["DAY".into(), "LATE".into()])),
        1 => Just(RosterValue::Auto(vec!["EARLY".into(), "DAY".into(), "NIGHT".into()])),
        1 => Just(RosterValue::Off),
    ]
}

fn policy() -> impl Strategy<Value = Policy> {
    (
        prop::bool::weighted(0.3),
        select(vec![0, 60, 300]),
        select(vec![0, 0, 15]),
        select(vec![0, 25]),
        any::<bool>(),
        select(vec![None, Some(20)]),
    )
        .prop_map(
            |(pairs, debounce_s, round_unit_min, absent, count, before)| Policy {
                punch_policy: if pairs {
                    PunchPolicy::Pairs
                } else {
                    PunchPolicy::FirstLast
                },
                debounce_s,
                round_unit_min,
                absent_below_pct: absent,
                count_before_start: count,
                overtime_before_min: before,
                overtime_levels_min: vec![60],
                ..Policy::default()
            },
        )
}

/// A wall time as minutes since the first midnight: mostly near the ends of shifts.
fn wall() -> impl Strategy<Value = (i64, i64)> {
    let ends = [0, 6, 8, 9, 12, 13, 14, 18, 22, 24].map(|hour| hour * 60);
    let near = (0..DAYS, select(ends.to_vec()), -70_i64..70)
        .prop_map(|(day, minute, off)| day * 1440 + minute + off);
    (
        prop_oneof![3 => near, 1 => 0..DAYS * 1440],
        select(vec![0_i64, 0, 1, 30, 59]),
    )
}

fn punch_state() -> impl Strategy<Value = PunchState> {
    select(PunchState::ALL.to_vec())
}

/// Hours from the first midnight, or nothing.
fn hour(share: f64) -> impl Strategy<Value = Option<i64>> {
    prop::option::weighted(share, -24..DAYS * 24 + 24)
}

#[derive(Clone, Debug)]
struct Tap {
    wall: (i64, i64),
    device: Index,
    state: PunchState,
    /// 0 is a roll call, 1 an added punch, 2 suspect; else a device punch.
    kind: u8,
    received_after_hours: Option<i64>,
    voided: bool,
}

fn tap() -> impl Strategy<Value = Tap> {
    (
        wall(),
        any::<Index>(),
        punch_state(),
        0_u8..20,
        prop::option::weighted(0.2, -2_i64..30),
        prop::bool::weighted(0.05),
    )
        .prop_map(
            |(wall, device, state, kind, received_after_hours, voided)| Tap {
                wall,
                device,
                state,
                kind,
                received_after_hours,
                voided,
            },
        )
}

#[derive(Clone, Debug)]
struct Reader {
    direction: Direction,
    relevant: bool,
    retired: Option<i64>,
    covered_to: Option<i64>,
    gap: Option<(i64, Option<i64>)>,
}

fn reader() -> impl Strategy<Value = Reader> {
    let directions = vec![
        Direction::None,
        Direction::None,
        Direction::States,
        Direction::In,
        Direction::Out,
    ];
    (
        select(directions),
        prop::bool::weighted(0.8),
        hour(0.2),
        hour(0.9),
        prop::option::weighted(0.3, (0..DAYS * 24, prop::option::of(1_i64..30))),
    )
        .prop_map(|(direction, relevant, retired, covered_to, gap)| Reader {
            direction,
            relevant,
            retired,
            covered_to,
            gap,
        })
}

fn absences() -> impl Strategy<Value = Vec<(i64, DayPart)>> {
    let parts = vec![DayPart::Full, DayPart::FirstHalf, DayPart::SecondHalf];
    prop::collection::vec((0..DAYS, select(parts)), 0..2)
}

pub fn world() -> impl Strategy<Value = World> {
    let calendar = (
        absences(),
        absences(),
        prop::option::weighted(0.3, 0..DAYS),
        prop::option::weighted(0.2, 0..DAYS),
        prop::option::weighted(0.2, 0..DAYS),
    );
    (
        select(PLACES.to_vec()),
        policy(),
        prop::collection::vec(prop::option::weighted(0.8, roster_value()), 7),
        prop::collection::vec(reader(), 1..3),
        prop::collection::vec(tap(), 0..18),
        calendar,
        -20_i64..DAYS * 1440 + 3000,
    )
        .prop_map(|(place, policy, week, readers, taps, calendar, now)| {
            build(place, policy, week, &readers, &taps, calendar, now)
        })
}

type Calendar = (
    Vec<(i64, DayPart)>,
    Vec<(i64, DayPart)>,
    Option<i64>,
    Option<i64>,
    Option<i64>,
);

fn build(
    (zone, first): (&str, &str),
    policy: Policy,
    week: Vec<Option<RosterValue>>,
    readers: &[Reader],
    taps: &[Tap],
    (leave, on_duty, holiday, joined, left): Calendar,
    now: i64,
) -> World {
    let zone = TimeZone::get(zone).unwrap();
    let first: Date = first.parse().unwrap();
    let midnight = zone.to_timestamp(first.at(0, 0, 0, 0)).unwrap();
    let at_hour = |hour: i64| midnight + hour.hours();
    let absence = |(day, part): &(i64, DayPart)| Absence {
        from: first + day.days(),
        to: first + day.days(),
        part: *part,
    };
    let mut inputs = Inputs {
        devices: readers
            .iter()
            .enumerate()
            .map(|(number, reader)| Device {
                id: format!("d{number}").into(),
                zone: zone.clone(),
                direction: reader.direction,
                relevant: reader.relevant.then(|| Relevance {
                    from: None,
                    to: reader.retired.map(at_hour),
                }),
                covered_to: reader.covered_to.map(at_hour),
                gaps: reader
                    .gap
                    .iter()
                    .map(|(from, hours)| Gap {
                        from: at_hour(*from),
                        to: hours.map(|hours| at_hour(from + hours)),
                    })
                    .collect(),
                lag_min: 15 * u32::try_from(number).unwrap(),
            })
            .collect(),
        shifts: Arc::new(shifts(&policy)),
        roster: Roster {
            plan: RosterPlan {
                week: week.try_into().unwrap(),
                ..RosterPlan::default()
            },
            overrides: BTreeMap::from([(
                first + 2.days(),
                RosterOverride {
                    value: RosterValue::Shifts(vec!["DAY".into()]),
                    on_holiday: true,
                },
            )]),
            ..Roster::default()
        },
        holidays: Arc::new(holiday.iter().map(|day| first + day.days()).collect()),
        leave: leave.iter().map(absence).collect(),
        on_duty: on_duty.iter().map(absence).collect(),
        ..Inputs::default()
    };
    for (number, tap) in taps.iter().enumerate() {
        add(&mut inputs, tap, number, first, &zone);
    }
    World {
        employee: Employee {
            zone,
            employed_from: joined.map(|day| first + day.days()),
            employed_to: left.map(|day| first + day.days()),
        },
        inputs,
        policy,
        now: midnight + now.minutes(),
        days: (-3..DAYS + 4).map(|day| first + day.days()).collect(),
    }
}

fn shifts(policy: &Policy) -> BTreeMap<Arc<str>, PlannedShift> {
    let planned = |(name, text): &(&str, &str)| {
        let name: Arc<str> = (*name).into();
        let shift: Shift = toml::from_str(text).unwrap();
        let policy = Arc::new(policy.clone());
        (
            name.clone(),
            PlannedShift {
                name,
                shift,
                policy,
            },
        )
    };
    SHIFTS.iter().map(planned).collect()
}

fn add(inputs: &mut Inputs, tap: &Tap, number: usize, first: Date, zone: &TimeZone) {
    let (minutes, seconds) = tap.wall;
    let wall: DateTime = first.at(0, 0, 0, 0) + minutes.minutes() + seconds.seconds();
    let instant = zone.to_timestamp(wall).unwrap();
    let later = tap
        .received_after_hours
        .map(|hours| instant + hours.hours());
    let id: Arc<str> = format!("p{number:02}").into();
    let text: Arc<str> = "said so".into();
    let mut correct = |id: &str, kind| {
        inputs.corrections.push(Correction {
            id: id.into(),
            kind,
            author: text.clone(),
            reason: text.clone(),
            made_at: later,
        });
    };
    if tap.voided {
        correct(
            &format!("v{number:02}"),
            CorrectionKind::Void { id: id.clone() },
        );
    }
    if tap.kind == 1 {
        let state = (tap.state != PunchState::None).then_some(tap.state);
        correct(
            &id,
            CorrectionKind::Add {
                wall,
                instant,
                state,
            },
        );
        return;
    }
    let is_call = tap.kind == 0;
    inputs.punches.push(EvidencePunch {
        id,
        device: (!is_call).then(|| tap.device.index(inputs.devices.len())),
        wall,
        instant,
        received_at: later,
        state: tap.state,
        source: if is_call {
            Source::RollCall
        } else {
            Source::Device
        },
        suspect: tap.kind == 2,
        released: false,
    });
}

impl World {
    /// Ids of all punches, roll calls and added punches, and whether they are known at `now`.
    pub fn ids(&self) -> Vec<(String, bool)> {
        let known = |since: Option<Timestamp>| since.is_none_or(|since| since <= self.now);
        let punches = self.inputs.punches.iter();
        let punches = punches.map(|punch| (punch.id.to_string(), known(punch.received_at)));
        let corrections = self.inputs.corrections.iter();
        let added = corrections
            .filter(|correction| matches!(correction.kind, CorrectionKind::Add { .. }))
            .map(|correction| (correction.id.to_string(), known(correction.made_at)));
        punches.chain(added).collect()
    }

    /// The evidence from two days before to two days after a day.
    pub fn near(&self, day: Date) -> Self {
        let mut near = self.clone();
        let dates: BTreeSet<Date> = (-2..=2).map(|away| day + away.days()).collect();
        near.inputs
            .punches
            .retain(|punch| dates.contains(&punch.wall.date()));
        near.inputs
            .corrections
            .retain(|correction| match &correction.kind {
                CorrectionKind::Add { wall, .. } => dates.contains(&wall.date()),
                CorrectionKind::Void { .. } => true,
            });
        near
    }

    /// Another order of everything whose order says nothing.
    pub fn shuffle(&mut self, seed: u64) {
        shuffle(&mut self.inputs.punches, seed);
        shuffle(&mut self.inputs.corrections, seed);
        shuffle(&mut self.inputs.leave, seed);
        shuffle(&mut self.inputs.on_duty, seed);
    }
}

fn shuffle<T>(list: &mut [T], seed: u64) {
    let mut state = seed | 1;
    for place in (1..list.len()).rev() {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        list.swap(place, (state >> 33) as usize % (place + 1));
    }
}

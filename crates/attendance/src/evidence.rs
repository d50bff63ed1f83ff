//! From the inputs to the punches that count: R7, R30–R34, R40.
//!
//! Roll calls are only set aside here; `roll_call` uses them last (R35).

use std::sync::Arc;

use jiff::Timestamp;

use crate::PunchState;
use crate::inputs::{CorrectionKind, Device, Direction, EvidencePunch, Inputs, Source};
use crate::policy::Policy;
use crate::report::IgnoredReason;
use crate::time::{Span, minutes, second_of};

/// What a punch says about its direction, as far as it is trusted (R40).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Facing {
    Entering,
    Leaving,
    /// No direction, or none that is trusted.
    Either,
}

impl Facing {
    fn of_state(state: PunchState) -> Self {
        match state {
            PunchState::In | PunchState::BreakIn | PunchState::OvertimeIn => Self::Entering,
            PunchState::Out | PunchState::BreakOut | PunchState::OvertimeOut => Self::Leaving,
            PunchState::None => Self::Either,
        }
    }

    fn on(device: &Device, state: PunchState) -> Self {
        match device.direction {
            Direction::None => Self::Either,
            Direction::States => Self::of_state(state),
            Direction::In => Self::Entering,
            Direction::Out => Self::Leaving,
        }
    }

    fn opposes(self, other: Self) -> bool {
        matches!(
            (self, other),
            (Self::Entering, Self::Leaving) | (Self::Leaving, Self::Entering)
        )
    }
}

/// Where a punch comes from. The order is the one of R34 among equal instants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Origin {
    Device,
    Added,
    RollCall,
}

/// A punch that counts, or may count as a roll call.
#[derive(Clone, Copy, Debug)]
pub(crate) struct KeptPunch<'a> {
    pub at: i64,
    pub facing: Facing,
    pub origin: Origin,
    pub id: &'a Arc<str>,
    /// What the why panel shows; `None` for an added punch.
    pub recorded: Option<&'a EvidencePunch>,
}

/// A punch that counts for nothing. Its instant says under which workday it is listed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct IgnoredPunch<'a> {
    pub punch: KeptPunch<'a>,
    pub reason: IgnoredReason,
    /// The punch that counts instead, or the correction that took it out.
    pub by: Option<&'a str>,
}

#[derive(Debug, Default)]
pub(crate) struct Evidence<'a> {
    /// In order of R34.
    pub kept: Vec<KeptPunch<'a>>,
    pub roll_calls: Vec<KeptPunch<'a>>,
    pub ignored: Vec<IgnoredPunch<'a>>,
    /// When the next punch or correction becomes known, or a punch leaves quarantine (R7, R30).
    pub changes_at: Option<i64>,
}

/// Step 1 of the algorithm.
pub(crate) fn evidence<'a>(inputs: &'a Inputs, policy: &Policy, now: i64) -> Evidence<'a> {
    let mut evidence = Evidence {
        kept: Vec::with_capacity(inputs.punches.len()),
        ..Evidence::default()
    };
    let voided = voided(inputs, now, &mut evidence);
    for punch in &inputs.punches {
        if evidence.is_known(punch.received_at, now) {
            evidence.sort_in(punch, &inputs.devices, &voided, policy, now);
        }
    }
    for correction in &inputs.corrections {
        let CorrectionKind::Add { instant, state, .. } = &correction.kind else {
            continue;
        };
        if !evidence.is_known(correction.made_at, now) {
            continue;
        }
        let added = KeptPunch {
            at: second_of(*instant),
            facing: state.map_or(Facing::Either, Facing::of_state), // R32: trusted
            origin: Origin::Added,
            id: &correction.id,
            recorded: None,
        };
        evidence.keep_unless_voided(added, &voided);
    }
    let order = |punch: &KeptPunch<'_>| (punch.at, punch.origin);
    evidence
        .kept
        .sort_unstable_by(|a, b| order(a).cmp(&order(b)).then_with(|| a.id.cmp(b.id)));
    evidence
        .roll_calls
        .sort_unstable_by(|a, b| a.at.cmp(&b.at).then_with(|| a.id.cmp(b.id)));
    evidence.merge_duplicates();
    evidence.debounce(i64::from(policy.debounce_s));
    evidence
}

/// An id that is taken out, and the correction that does so.
type Voided<'a> = (&'a str, &'a str);

/// R32; sorted for searching. A void that is taken back, as known by then, takes nothing out.
fn voided<'a>(inputs: &'a Inputs, now: i64, evidence: &mut Evidence<'_>) -> Vec<Voided<'a>> {
    let mut ids = Vec::new();
    for correction in &inputs.corrections {
        if let CorrectionKind::Void { id } = &correction.kind
            && evidence.is_known(correction.made_at, now)
        {
            ids.push((&**id, &*correction.id));
        }
    }
    ids.sort_unstable();
    let taken_back: Vec<bool> = ids
        .iter()
        .map(|(_, by)| is_voided(&ids, by, ids.len()))
        .collect();
    let mut taken_back = taken_back.into_iter();
    ids.retain(|_| taken_back.next() != Some(true));
    ids
}

/// Whether a void that stands names this id; at most so many in a row, so that two that name each other end.
fn is_voided(voids: &[Voided<'_>], id: &str, deepest: usize) -> bool {
    let place = voids.partition_point(|(voided, _)| *voided < id);
    let mut naming = voids[place..]
        .iter()
        .take_while(|(voided, _)| *voided == id);
    deepest > 0 && naming.any(|(_, by)| !is_voided(voids, by, deepest - 1))
}

fn voided_by<'a>(voided: &[Voided<'a>], id: &str) -> Option<&'a str> {
    let place = voided.partition_point(|(voided, _)| *voided < id);
    let (found, by) = voided.get(place)?;
    (*found == id).then_some(*by)
}

impl<'a> Evidence<'a> {
    pub(crate) fn kept_within(&self, span: Span) -> &[KeptPunch<'a>] {
        within(&self.kept, span)
    }

    pub(crate) fn calls_within(&self, span: Span) -> &[KeptPunch<'a>] {
        within(&self.roll_calls, span)
    }

    /// R7; remembers when what is not known yet will be.
    fn is_known(&mut self, since: Option<Timestamp>, now: i64) -> bool {
        let Some(since) = since.map(second_of).filter(|since| *since > now) else {
            return true;
        };
        self.changes_at_latest(since);
        false
    }

    fn changes_at_latest(&mut self, instant: i64) {
        self.changes_at = Some(self.changes_at.map_or(instant, |at| at.min(instant)));
    }

    fn keep_unless_voided(&mut self, punch: KeptPunch<'a>, voided: &[Voided<'a>]) {
        if let Some(by) = voided_by(voided, punch.id) {
            self.ignore(&punch, IgnoredReason::Voided, Some(by));
        } else if punch.origin == Origin::RollCall {
            self.roll_calls.push(punch);
        } else {
            self.kept.push(punch);
        }
    }

    fn ignore(&mut self, punch: &KeptPunch<'a>, reason: IgnoredReason, by: Option<&'a str>) {
        self.ignored.push(IgnoredPunch {
            punch: *punch,
            reason,
            by,
        });
    }

    fn sort_in(
        &mut self,
        punch: &'a EvidencePunch,
        devices: &[Device],
        voided: &[Voided<'a>],
        policy: &Policy,
        now: i64,
    ) {
        let device = punch.device.and_then(|index| devices.get(index));
        let (origin, facing) = match punch.source {
            Source::Device => (
                Origin::Device,
                device.map_or(Facing::Either, |device| Facing::on(device, punch.state)),
            ),
            // R35: in, unless taken as out.
            Source::RollCall => match Facing::of_state(punch.state) {
                Facing::Leaving => (Origin::RollCall, Facing::Leaving),
                _ => (Origin::RollCall, Facing::Entering),
            },
        };
        let kept = KeptPunch {
            at: second_of(punch.instant),
            facing,
            origin,
            id: &punch.id,
            recorded: Some(punch),
        };
        let is_voided = || voided_by(voided, &punch.id).is_some();
        if origin == Origin::Device && !is_voided() && self.is_quarantined(punch, policy, now) {
            self.ignore(&kept, IgnoredReason::Quarantined, None);
        } else {
            self.keep_unless_voided(kept, voided);
        }
    }

    /// R30, R31.
    fn is_quarantined(&mut self, punch: &EvidencePunch, policy: &Policy, now: i64) -> bool {
        if punch.released {
            return false;
        }
        if punch.suspect || punch.wall.date() < policy.clock_min {
            return true;
        }
        let latest = second_of(punch.instant) - minutes(policy.future_limit_min);
        match punch.received_at {
            Some(received) => latest > second_of(received),
            None if latest > now => {
                self.changes_at_latest(latest);
                true
            }
            None => false,
        }
    }

    /// R33. Equal instants stand together, the smallest id first.
    fn merge_duplicates(&mut self) {
        let mut kept: Vec<KeptPunch<'a>> = Vec::with_capacity(self.kept.len());
        for punch in std::mem::take(&mut self.kept) {
            let first = kept
                .iter()
                .rev()
                .take_while(|earlier| earlier.at == punch.at)
                .find(|earlier| same_record(earlier, &punch));
            match first {
                Some(first) => self.ignore(&punch, IgnoredReason::Duplicate, Some(first.id)),
                None => kept.push(punch),
            }
        }
        self.kept = kept;
    }

    /// R34.
    fn debounce(&mut self, seconds: i64) {
        let mut last: Option<KeptPunch<'a>> = None;
        let ignored = &mut self.ignored;
        self.kept.retain(|punch| {
            let repeats = |last: &KeptPunch<'_>| {
                punch.at - last.at < seconds && !punch.facing.opposes(last.facing)
            };
            if let Some(last) = last.filter(repeats) {
                ignored.push(IgnoredPunch {
                    punch: *punch,
                    reason: IgnoredReason::Debounced,
                    by: Some(last.id),
                });
                return false;
            }
            last = Some(*punch);
            true
        });
    }
}

fn same_record(a: &KeptPunch<'_>, b: &KeptPunch<'_>) -> bool {
    match (a.recorded, b.recorded) {
        (Some(a), Some(b)) => a.device.is_some() && a.device == b.device && a.wall == b.wall,
        _ => false,
    }
}

/// The punches of a sorted list inside a span.
fn within<'s, 'a>(punches: &'s [KeptPunch<'a>], span: Span) -> &'s [KeptPunch<'a>] {
    let from = punches.partition_point(|punch| punch.at < span.from);
    let to = punches.partition_point(|punch| punch.at < span.to);
    &punches[from..to]
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;

    use super::*;
    use crate::inputs::{Correction, Relevance};
    use crate::testing::{at, text};
    use crate::time::timestamp;

    /// A punch on the device of that number: an undirected one, one with keys, an entry, an exit.
    fn punch(id: &str, device: usize, time: &str, state: PunchState) -> EvidencePunch {
        EvidencePunch {
            id: id.into(),
            device: Some(device),
            wall: timestamp(at(time) + 5 * 3600)
                .to_zoned(TimeZone::UTC)
                .datetime(),
            instant: timestamp(at(time)),
            received_at: None,
            state,
            source: Source::Device,
            suspect: false,
            released: false,
        }
    }

    fn inputs(punches: Vec<EvidencePunch>) -> Inputs {
        let directions = [
            Direction::None,
            Direction::States,
            Direction::In,
            Direction::Out,
        ];
        let device = |direction| Device {
            id: "d".into(),
            zone: TimeZone::get("Asia/Karachi").unwrap(),
            direction,
            relevant: Some(Relevance::default()),
            covered_to: None,
            gaps: Vec::new(),
            lag_min: 0,
        };
        Inputs {
            devices: directions.map(device).to_vec(),
            punches,
            ..Inputs::default()
        }
    }

    fn correction(id: &str, kind: CorrectionKind, made: &str) -> Correction {
        Correction {
            id: id.into(),
            kind,
            author: "HR".into(),
            reason: "gate".into(),
            made_at: Some(timestamp(at(made))),
        }
    }

    /// Kept punches as `id`, then the ignored ones with their reasons, as of the 20th.
    #[track_caller]
    fn check(inputs: &Inputs, expected: &str) {
        let found = evidence(inputs, &Policy::default(), at("20 00:00"));
        let kept: Vec<&str> = found.kept.iter().map(|punch| &**punch.id).collect();
        let ignored = found.ignored.iter();
        let ignored: Vec<String> = ignored
            .map(|ignored| format!("{} {}", ignored.punch.id, ignored.reason))
            .collect();
        assert_eq!(
            format!("{} | {}", kept.join(" "), ignored.join(", ")),
            expected
        );
    }

    use PunchState::{In, None as NoKey, Out};

    #[test]
    fn repeats_are_measured_from_the_last_kept_punch() {
        let series = ["09:00:00", "09:00:40", "09:01:20", "09:02:20"];
        let taps = series.iter().zip(["a", "b", "c", "d"]);
        let taps = taps.map(|(time, id)| punch(id, 0, &format!("02 {time}"), NoKey));
        check(&inputs(taps.collect()), "a c d | b debounced");
    }

    #[test]
    fn opposite_directions_never_debounce() {
        let taps = |first, second| {
            inputs(vec![
                punch("a", 1, "02 09:00:00", first),
                punch("b", 1, "02 09:00:10", second),
            ])
        };
        check(&taps(In, Out), "a b | ");
        check(&taps(In, In), "a | b debounced");
        check(&taps(In, NoKey), "a | b debounced");
        let doors = vec![
            punch("a", 2, "02 09:00:00", NoKey),
            punch("b", 3, "02 09:00:10", In),
        ];
        check(&inputs(doors), "a b | "); // the door counts, not the key
        let untrusted = vec![
            punch("a", 0, "02 09:00:00", In),
            punch("b", 0, "02 09:00:10", Out),
        ];
        check(&inputs(untrusted), "a | b debounced");
    }

    #[test]
    fn equal_records_are_sightings_of_one_punch() {
        let taps = vec![
            punch("b", 0, "02 09:00:00", Out),
            punch("a", 0, "02 09:00:00", In),
            punch("c", 1, "02 09:00:00", NoKey), // another device: a repeat
        ];
        check(&inputs(taps), "a | b duplicate, c debounced");
    }

    #[test]
    fn impossible_clocks_are_quarantined() {
        #[track_caller]
        fn check_clock(time: &str, received: Option<&str>, expected: &str) {
            let mut tap = punch("a", 0, time, NoKey);
            tap.received_at = received.map(|time| timestamp(at(time)));
            check(&inputs(vec![tap]), expected);
        }
        check_clock("02 09:00", Some("02 07:45"), "a | ");
        check_clock("02 09:00:01", Some("02 07:45"), " | a quarantined");
        check_clock("20 01:15", None, "a | "); // measured from now
        check_clock("20 01:16", None, " | a quarantined");
        let mut old = punch("a", 0, "02 09:00", NoKey);
        old.wall = "2009-12-31T23:59:59".parse().unwrap();
        check(&inputs(vec![old.clone()]), " | a quarantined");
        old.wall = "2010-01-01T00:00:00".parse().unwrap();
        check(&inputs(vec![old.clone()]), "a | ");
        old.suspect = true;
        check(&inputs(vec![old.clone()]), " | a quarantined");
        old.released = true;
        old.received_at = Some(timestamp(at("02 07:00")));
        check(&inputs(vec![old]), "a | ");
    }

    #[test]
    fn corrections_add_and_take_out() {
        let void = |id: &str| CorrectionKind::Void { id: id.into() };
        let add = |time: &str| CorrectionKind::Add {
            wall: jiff::civil::DateTime::MIN,
            instant: timestamp(at(time)),
            state: Some(Out),
        };
        let mut inputs = inputs(vec![
            punch("a", 0, "02 09:00", NoKey),
            punch("b", 0, "02 09:00:30", NoKey),
        ]);
        inputs.corrections = vec![correction("c1", void("a"), "03 09:00")];
        check(&inputs, "b | a voided"); // what is void debounces nothing
        inputs
            .corrections
            .push(correction("c2", add("02 09:00:40"), "03 09:00"));
        check(&inputs, "b | a voided, c2 debounced"); // an added punch behaves like a device punch
        inputs
            .corrections
            .push(correction("c3", void("c2"), "03 09:00"));
        inputs
            .corrections
            .push(correction("c4", void("nobody"), "03 09:00"));
        check(&inputs, "b | a voided, c2 voided");
        inputs.corrections = vec![correction("c1", void("a"), "20 00:00:01")];
        check(&inputs, "a | b debounced"); // not made yet
    }

    #[test]
    fn a_void_that_is_taken_back_takes_nothing_out() {
        let void =
            |id: &str, of: &str, made| correction(id, CorrectionKind::Void { id: of.into() }, made);
        let mut inputs = inputs(vec![
            punch("a", 0, "02 09:00", NoKey),
            punch("b", 0, "02 09:00:30", NoKey),
        ]);
        inputs.corrections = vec![void("c2", "c1", "04 09:00"), void("c1", "a", "03 09:00")];
        check(&inputs, "a | b debounced");
        inputs.corrections.push(void("c3", "a", "05 09:00"));
        check(&inputs, "b | a voided"); // once more
        inputs.corrections.push(void("c4", "c3", "20 00:00:01"));
        check(&inputs, "b | a voided"); // not taken back yet
        inputs.corrections[3].made_at = Some(timestamp(at("19 00:00")));
        check(&inputs, "a | b debounced");
        inputs.corrections.push(void("c5", "c4", "19 00:00"));
        check(&inputs, "b | a voided"); // nor is that void the last word
        inputs.corrections = vec![void("c1", "c2", "03 09:00"), void("c2", "c1", "03 09:00")];
        check(&inputs, "a | b debounced"); // names nothing that is a punch
    }

    #[test]
    fn what_is_not_known_yet_is_known_later() {
        let mut inputs = inputs(vec![
            punch("a", 0, "19 23:59", NoKey),
            punch("b", 0, "20 01:16", NoKey),
        ]);
        inputs.punches[0].received_at = Some(timestamp(at("20 02:00")));
        let found = evidence(&inputs, &Policy::default(), at("20 00:00"));
        assert!(found.kept.is_empty());
        assert_eq!(found.changes_at.map(text).as_deref(), Some("20 00:01")); // b leaves quarantine
        let found = evidence(&inputs, &Policy::default(), at("20 02:00"));
        assert_eq!(found.kept.len(), 2);
        assert_eq!(found.changes_at, None);
    }
}

//! What holds for every person, roster and evidence: rules.md §17, and the promises of `recheck_at` and `waits`.

mod world;

use std::collections::BTreeMap;

use attendance::{
    Derivation, EvidencePunch, IgnoredReason, Judgement, Relevance, Report, Source, Status, Waits,
    judge, judge_unexplained,
};
use jiff::civil::Date;
use jiff::{Timestamp, ToSpan};
use proptest::prelude::*;
use world::{World, world};

impl World {
    fn judge(&self, days: &[Date], now: Timestamp) -> Judgement {
        judge(&self.employee, days, &self.inputs, &self.policy, now)
    }
}

/// A report as far as two judgements may be compared, whatever the way to it.
fn said(report: &Report) -> Report {
    Report {
        recheck_at: None,
        waits: None,
        derivation: Derivation::default(),
        ..report.clone()
    }
}

fn all_said(judgement: &Judgement) -> Judgement {
    Judgement {
        reports: judgement.reports.iter().map(said).collect(),
        ..judgement.clone()
    }
}

/// Ids of the punches that the why panel of a report shows, used or ignored.
fn shown(report: &Report) -> Vec<String> {
    if report.status == Status::NotEmployed {
        return report.ignored.keys().cloned().collect();
    }
    let facts = report.derivation.facts.iter();
    facts
        .filter(|fact| fact.topic == "punch")
        .map(|fact| fact.values["id"].as_str().unwrap().to_owned())
        .collect()
}

fn was_seen(report: &Report) -> bool {
    report.first_in.is_some() || report.last_out.is_some()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_order_of_evidence_is_irrelevant(world in world(), seed in any::<u64>()) {
        let before = world.judge(&world.days, world.now);
        let mut shuffled = world.clone();
        shuffled.shuffle(seed);
        prop_assert_eq!(all_said(&before), all_said(&shuffled.judge(&world.days, world.now)));
    }

    #[test]
    fn a_duplicate_changes_only_what_is_ignored(world in world(), which in any::<prop::sample::Index>()) {
        let before = world.judge(&world.days, world.now);
        let left_out = |id: &str| {
            let reports = before.reports.iter();
            reports.filter_map(|report| report.ignored.get(id)).any(|reason| {
                matches!(reason, IgnoredReason::Voided | IgnoredReason::Quarantined)
            })
        };
        let devices = world.inputs.punches.iter().filter(|punch| {
            punch.source == Source::Device && !left_out(&punch.id)
        });
        let devices: Vec<&EvidencePunch> = devices.collect();
        if devices.is_empty() {
            return Ok(());
        }
        let again = EvidencePunch {
            id: format!("{}-again", which.get(&devices).id).into(),
            ..(*which.get(&devices)).clone()
        };
        let mut twice = world.clone();
        let is_known = again.received_at.is_none_or(|at| at <= world.now);
        twice.inputs.punches.push(again.clone());
        let mut after = twice.judge(&world.days, world.now);
        let mut found = Vec::new();
        for report in &mut after.reports {
            found.extend(report.ignored.remove(&*again.id));
        }
        prop_assert_eq!(found, if is_known { vec![IgnoredReason::Duplicate] } else { vec![] });
        prop_assert_eq!(all_said(&before), all_said(&after));
    }

    #[test]
    fn minutes_stay_inside_one_another(world in world()) {
        let off_duty = world.inputs.on_duty.is_empty();
        for report in world.judge(&world.days, world.now).reports {
            if off_duty {
                prop_assert!(report.night_min <= report.worked_min);
            }
            if let (Some(first), Some(last)) = (report.first_in, report.last_out)
                && off_duty && world.policy.round_unit_min == 0
            {
                let span = last.instant.duration_since(first.instant).as_secs() / 60;
                prop_assert!(i64::from(report.worked_min) <= span, "{report:?}");
            }
        }
    }

    #[test]
    fn every_punch_is_accounted_for_once(world in world()) {
        let judged = world.judge(&world.days, world.now);
        let mut times: BTreeMap<String, usize> = BTreeMap::new();
        for id in judged.reports.iter().flat_map(shown) {
            *times.entry(id).or_default() += 1;
        }
        for (id, known) in world.ids() {
            prop_assert_eq!(times.remove(&id).unwrap_or(0), usize::from(known), "{}", id);
        }
        prop_assert!(times.is_empty(), "{times:?}");
        for report in &judged.reports {
            for (id, reason) in &report.ignored {
                let (listed, list) = match reason {
                    IgnoredReason::Quarantined => (true, &judged.quarantined),
                    IgnoredReason::OutsideEmployment => (true, &judged.outside_employment),
                    _ => (false, &judged.quarantined),
                };
                prop_assert_eq!(list.contains(id), listed, "{} {}", id, reason);
            }
        }
    }

    #[test]
    fn a_day_alone_is_the_day_of_its_month(world in world(), which in any::<prop::sample::Index>()) {
        let all = world.judge(&world.days, world.now);
        let place = which.index(world.days.len());
        let day = world.days[place];
        let alone = world.judge(&[day], world.now);
        prop_assert_eq!(&alone.reports[..], &all.reports[place..=place]);
        prop_assert_eq!(&alone.quarantined, &all.quarantined);
        prop_assert_eq!(&alone.outside_employment, &all.outside_employment);
        // Evidence farther than the contract asks for changes nothing.
        let near = world.near(day);
        let from_near = near.judge(&[day], world.now);
        prop_assert_eq!(said(&from_near.reports[0]), said(&alone.reports[0]));
        let unexplained = judge_unexplained(&world.employee, &[day], &world.inputs, &world.policy, world.now);
        prop_assert_eq!(said(&unexplained.reports[0]), said(&alone.reports[0]));
    }

    #[test]
    fn more_coverage_makes_nobody_unknown(world in world()) {
        let before = world.judge(&world.days, world.now);
        let mut read = world.clone();
        for device in &mut read.inputs.devices {
            device.covered_to = Some(world.now);
            device.gaps.clear();
        }
        let after = read.judge(&world.days, world.now);
        for (before, after) in before.reports.iter().zip(&after.reports) {
            if before.status == Status::Present {
                prop_assert_ne!(after.status, Status::Unknown);
            }
            let has_device = world.inputs.devices.iter().any(|d| d.relevant == Some(Relevance::default()));
            if has_device {
                prop_assert_ne!(after.status, Status::Unknown);
            }
        }
    }

    #[test]
    fn without_coverage_nobody_is_absent(world in world()) {
        let mut unread = world.clone();
        for device in &mut unread.inputs.devices {
            device.covered_to = None;
            device.relevant = device.relevant.map(|_| Relevance::default());
        }
        for report in unread.judge(&world.days, world.now).reports {
            prop_assert_ne!(report.status, Status::Absent);
            prop_assert!(was_seen(&report) || report.early_min == 0);
        }
    }

    #[test]
    fn nothing_changes_before_the_recheck(world in world(), minutes in 0_i64..20_000, near in 0_i64..4) {
        let before = world.judge(&world.days, world.now);
        for (place, report) in before.reports.iter().enumerate() {
            if let Some(at) = report.recheck_at {
                prop_assert!(at > world.now);
            }
            let mut later = world.now + minutes.minutes();
            if let Some(at) = report.recheck_at.filter(|at| *at <= later) {
                later = (at - near.seconds() - 1.second()).max(world.now);
            }
            let again = world.judge(&world.days[place..=place], later);
            prop_assert_eq!(said(report), said(&again.reports[0]), "at {}", later);
            prop_assert_eq!(&report.waits, &again.reports[0].waits, "at {}", later);
        }
    }

    #[test]
    fn coverage_matters_only_on_the_device_and_below_the_instant_waited_for(
        world in world(),
        minutes in 0_i64..20_000,
        later in 0_i64..2_000,
    ) {
        let before = world.judge(&world.days, world.now);
        for (place, report) in before.reports.iter().enumerate() {
            let mut read = world.clone();
            for device in &mut read.inputs.devices {
                let waited_for = report.waits.as_ref().is_some_and(|waits| {
                    *waits.device == *device.id && device.covered_to.is_none_or(|at| at < waits.below)
                });
                if !waited_for {
                    device.covered_to = Some(device.covered_to.unwrap_or(world.now - 400.hours()) + minutes.minutes());
                }
            }
            let last = report.recheck_at.map_or(Timestamp::MAX, |at| at - 1.second());
            let later = (world.now + later.minutes()).min(last);
            let again = read.judge(&world.days[place..=place], later);
            prop_assert_eq!(said(report), said(&again.reports[0]), "at {}", later);
        }
    }

    #[test]
    fn what_is_waited_for_ends_the_waiting(world in world()) {
        let before = world.judge(&world.days, world.now);
        for (place, report) in before.reports.iter().enumerate() {
            let Some(Waits { below, .. }) = report.waits else {
                continue;
            };
            let mut read = world.clone();
            for device in &mut read.inputs.devices {
                device.covered_to = Some(below);
                device.gaps.clear();
            }
            let again = read.judge(&world.days[place..=place], world.now);
            prop_assert_eq!(&again.reports[0].waits, &None);
        }
    }
}

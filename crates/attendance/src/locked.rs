//! Closed days keep what was stored: R110, R111.

use jiff::civil::DateTime;

use crate::report::{Moment, Report, Stage};

/// The stored report of a closed day, with the names of the fields in which the evidence says otherwise. Its derivation is that
/// of the evidence.
pub(crate) fn locked(stored: &Report, judged: &Report) -> Report {
    Report {
        stage: Stage::Locked,
        changes_after_close: changes(stored, judged),
        recheck_at: judged.recheck_at,
        waits: judged.waits.clone(),
        derivation: judged.derivation.clone(),
        ..stored.clone()
    }
}

/// R111; sorted.
fn changes(stored: &Report, judged: &Report) -> Vec<String> {
    let fields = [
        ("early_min", stored.early_min != judged.early_min),
        ("exceptions", stored.exceptions != judged.exceptions),
        ("first_in", shown(stored.first_in) != shown(judged.first_in)),
        ("last_out", shown(stored.last_out) != shown(judged.last_out)),
        ("late_min", stored.late_min != judged.late_min),
        ("night_min", stored.night_min != judged.night_min),
        ("overtime_min", stored.overtime_min != judged.overtime_min),
        ("status", stored.status != judged.status),
        ("worked_min", stored.worked_min != judged.worked_min),
    ];
    let differing = fields.into_iter().filter(|(_, differs)| *differs);
    differing.map(|(name, _)| name.to_owned()).collect()
}

/// What a person sees of a side.
fn shown(side: Option<Moment>) -> Option<DateTime> {
    side.map(|moment| moment.wall)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{Exception, Status};

    #[test]
    fn a_closed_day_lists_what_differs() {
        let stored = Report::empty("2026-03-02".parse().expect("a date"));
        let mut judged = Report {
            planned_min: 480, // not compared
            ..stored.clone()
        };
        assert!(locked(&stored, &judged).changes_after_close.is_empty());
        judged.status = Status::Present;
        judged.worked_min = 1;
        judged.exceptions = vec![Exception::OffShift];
        let kept = locked(&stored, &judged);
        assert_eq!(
            kept.changes_after_close,
            ["exceptions", "status", "worked_min"]
        );
        assert_eq!(
            (kept.stage, kept.status),
            (Stage::Locked, Status::NotEmployed)
        );
    }
}

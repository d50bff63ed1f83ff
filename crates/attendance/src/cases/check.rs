//! Judges a case and compares completely.

use std::collections::{BTreeMap, BTreeSet};

use super::format::{Case, Expected};
use crate::judge;
use crate::report::{Exception, IgnoredReason, Report};

/// The differences of one case; none means it passed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaseResult {
    pub id: String,
    pub differences: Vec<String>,
}

impl CaseResult {
    pub fn passed(&self) -> bool {
        self.differences.is_empty()
    }
}

/// Judges the case with the real engine and lists every difference, one phrase each.
pub fn check(case: &Case) -> CaseResult {
    let days = case.days();
    let judgement = judge(&case.employee, &days, &case.inputs, &case.policy, case.now);
    let mut differences = Vec::new();
    let mut differs = |what: &str, found: String, expected: String| {
        if found != expected {
            differences.push(format!("{what} is {found}, expected {expected}"));
        }
    };

    let mut ignored: BTreeMap<String, IgnoredReason> = BTreeMap::new();
    for report in &judgement.reports {
        ignored.extend(report.ignored.clone());
    }
    ignored.extend(
        judgement
            .quarantined
            .iter()
            .map(|id| (id.clone(), IgnoredReason::Quarantined)),
    );
    ignored.extend(
        judgement
            .outside_employment
            .iter()
            .map(|id| (id.clone(), IgnoredReason::OutsideEmployment)),
    );

    for expected in &case.expect {
        let day = expected.report.workday;
        let Some(found) = judgement
            .reports
            .iter()
            .find(|report| report.workday == day)
        else {
            differs(&day.to_string(), "missing".into(), "a report".into());
            continue;
        };
        compare(found, expected, &ignored, &mut differs);
    }
    let set = |ids: &BTreeSet<String>| format!("{ids:?}");
    differs(
        "quarantined",
        set(&judgement.quarantined.iter().cloned().collect()),
        set(&case.quarantined),
    );
    differs(
        "outside_employment",
        set(&judgement.outside_employment.iter().cloned().collect()),
        set(&case.outside_employment),
    );
    CaseResult {
        id: case.id.clone(),
        differences,
    }
}

fn compare(
    found: &Report,
    expected: &Expected,
    ignored: &BTreeMap<String, IgnoredReason>,
    differs: &mut impl FnMut(&str, String, String),
) {
    let day = found.workday;
    let wanted = &expected.report;
    let mut field = |name: &str, found: String, wanted: String| {
        differs(&format!("{day}: {name}"), found, wanted)
    };
    let wall = |moment: &Option<crate::report::Moment>| {
        moment.map_or("none".to_owned(), |moment| moment.wall.to_string())
    };
    let names = |set: &[Exception]| {
        set.iter()
            .map(|e| e.as_str())
            .collect::<Vec<_>>()
            .join(", ")
    };

    field(
        "status",
        found.status.to_string(),
        wanted.status.to_string(),
    );
    field("stage", found.stage.to_string(), wanted.stage.to_string());
    let reason = |report: &Report| {
        report
            .reason
            .map_or("none", |reason| reason.as_str())
            .to_owned()
    };
    field("reason", reason(found), reason(wanted));
    field(
        "leave_part",
        format!("{:?}", found.leave_part),
        format!("{:?}", wanted.leave_part),
    );
    field("first_in", wall(&found.first_in), wall(&wanted.first_in));
    field("last_out", wall(&found.last_out), wall(&wanted.last_out));
    for (name, found, wanted) in [
        ("planned_min", found.planned_min, wanted.planned_min),
        ("worked_min", found.worked_min, wanted.worked_min),
        ("late_min", found.late_min, wanted.late_min),
        ("early_min", found.early_min, wanted.early_min),
        ("overtime_min", found.overtime_min, wanted.overtime_min),
        ("night_min", found.night_min, wanted.night_min),
    ] {
        field(name, found.to_string(), wanted.to_string());
    }
    field(
        "overtime_levels",
        format!("{:?}", found.overtime_levels),
        format!("{:?}", wanted.overtime_levels),
    );
    field(
        "exceptions",
        names(&found.exceptions),
        names(&wanted.exceptions),
    );
    field("pending", names(&found.pending), names(&wanted.pending));
    field(
        "changes_after_close",
        found.changes_after_close.join(", "),
        wanted.changes_after_close.join(", "),
    );
    if let Some(shift) = &expected.shift {
        field("shift", found.shift.clone(), shift.clone());
    }
    if let Some(letter) = &expected.letter {
        field("letter", found.letter(), letter.clone());
    }
    if let Some(wanted) = &expected.ignored {
        field("ignored", format!("{ignored:?}"), format!("{wanted:?}"));
    }
}

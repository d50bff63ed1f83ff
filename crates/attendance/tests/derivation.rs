//! The facts that the why panel shows (R120), of cases written like those of the rules.

use attendance::{Fact, cases, judge, judge_unexplained};
use serde_json::{Value, json};

/// The facts of one topic on 2 March 2026, rules joined by blanks.
fn facts(case: &str, topic: &str) -> Vec<(String, Value)> {
    let file = format!(
        "zone = 'Asia/Karachi'\n\
         now = 2026-03-20T00:00:00Z\n\
         devices = [{{ id = 'gate', direction = 'states' }}, {{ id = 'back', covered_to = 2026-03-02T12:00:00 }}]\n\
         week = {{ mon = 'DAY', tue = 'LATE' }}\n\
         [shifts.DAY]\n\
         segments = [{{ start = '09:00', end = '18:00' }}]\n\
         breaks = [{{ kind = 'fixed', start = '13:00', end = '14:00' }}]\n\
         [shifts.LATE]\n\
         segments = [{{ start = '22:00', end = '06:00' }}]\n\
         [[case]]\n\
         id = 'c'\ntitle = 't'\nrules = []\n\
         expect = [{{ day = 2026-03-02, status = 'present' }}]\n\
         {case}"
    );
    let case = cases::read(&file).expect("a case").remove(0);
    let days = case.days();
    let judgement = judge(&case.employee, &days, &case.inputs, &case.policy, case.now);
    let plain = judge_unexplained(&case.employee, &days, &case.inputs, &case.policy, case.now);
    assert!(
        plain
            .reports
            .iter()
            .all(|report| report.derivation.facts.is_empty())
    );
    let day = case.expect[0].report.workday;
    let reports = judgement.reports.into_iter();
    let facts = reports
        .filter(|report| report.workday == day)
        .flat_map(|report| report.derivation.facts);
    facts
        .filter(|fact| fact.topic == topic)
        .map(|Fact { rules, values, .. }| (rules.join(" "), values))
        .collect()
}

/// The named values of each fact of a topic.
#[track_caller]
fn check(case: &str, topic: &str, names: &[&str], expected: Value) {
    let found: Value = facts(case, topic)
        .iter()
        .map(|(_, values)| {
            names
                .iter()
                .map(|name| values[name].clone())
                .collect::<Value>()
        })
        .collect();
    assert_eq!(found, expected);
}

const PUNCHES: &str = "punches = [\
    { at = 2026-03-02T06:30:00 },\
    { at = 2026-03-02T09:12:00, state = 'in' },\
    { at = 2026-03-02T09:12:30, state = 'in' },\
    { at = 2026-03-02T13:00:00 },\
    { at = 2026-03-02T18:45:00, state = 'out' },\
    { at = 2026-03-02T09:30:00, source = 'roll_call' }]\n\
    corrections = [{ void = 'p4', reason = 'card lent' }, { add = 2026-03-02T14:00:00, reason = 'forgot' }]\n";

#[test]
fn the_plan_says_where_it_comes_from() {
    let names = ["day", "from", "shift", "planned_min", "leave_part"];
    check(
        PUNCHES,
        "plan",
        &names,
        json!([["working", "week", "DAY", 480, null]]),
    );
    let half = "leave = [{ from = 2026-03-02, part = 'first_half' }]";
    check(
        half,
        "plan",
        &names,
        json!([["working", "week", "DAY", 240, "first_half"]]),
    );
    let holiday = "holidays = [2026-03-02]";
    check(
        holiday,
        "plan",
        &names,
        json!([["holiday", "week", "DAY", 0, null]]),
    );
}

#[test]
fn an_automatic_choice_says_what_was_near() {
    let auto = "overrides = [{ day = 2026-03-02, shift = { auto = ['DAY', 'LATE'] } }]\n";
    let case = format!("{auto}{PUNCHES}");
    let names = ["from", "shift", "punch", "distances_min"];
    check(
        &case,
        "plan",
        &names,
        json!([["override", "DAY", "p2", { "DAY": 12 }]]),
    );
    check(
        auto,
        "plan",
        &["shift", "candidates"],
        json!([["DAY+LATE", ["DAY", "LATE"]]]),
    );
}

#[test]
fn the_window_is_shown_before_and_after_the_cut() {
    let names = ["opening", "closing", "counts_from", "counts_to"];
    let whole = json!([[
        "2026-03-02T07:00:00",
        "2026-03-02T22:00:00",
        "2026-03-02T07:00:00",
        "2026-03-02T22:00:00"
    ]]);
    check(PUNCHES, "window", &names, whole);
    let close = "overrides = [{ day = 2026-03-03, shift = 'EARLY' }]\nshifts = { EARLY = { segments = [{ start = '00:00', end = '08:00' }] } }";
    let cut = json!([[
        "2026-03-02T07:00:00",
        "2026-03-02T22:00:00",
        "2026-03-02T07:00:00",
        "2026-03-02T22:00:00"
    ]]);
    check(close, "window", &names, cut);
    let closer = "overrides = [{ day = 2026-03-02, shift = 'LATER' }, { day = 2026-03-03, shift = 'EARLY' }]\n\
        shifts = { EARLY = { segments = [{ start = '00:00', end = '08:00' }] }, LATER = { segments = [{ start = '14:00', end = '22:00' }] } }";
    let cut = json!([[
        "2026-03-02T12:00:00",
        "2026-03-03T02:00:00",
        "2026-03-02T12:00:00",
        "2026-03-02T23:00:00"
    ]]);
    check(closer, "window", &names, cut);
    assert_eq!(facts(closer, "window")[0].0, "R20 R22 R23");
}

#[test]
fn every_punch_has_a_use_or_a_reason() {
    let found = json!([
        ["p1", "gate", null, "off_shift"],
        ["p2", "gate", "first_in", null],
        ["p3", "gate", null, "debounced"],
        ["p6", null, null, "superseded"],
        ["p4", "gate", null, "voided"],
        ["c2", null, "between", null],
        ["p5", "gate", "last_out", null],
    ]);
    check(PUNCHES, "punch", &["id", "device", "use", "ignored"], found);
    let (rules, first) = facts(PUNCHES, "punch").remove(1);
    assert_eq!(rules, "R41 R42 R43");
    assert_eq!(first["clock"], "2026-03-02T09:12:00");
    assert_eq!(first["zone"], "Asia/Karachi");
    assert_eq!(first["state"], "in");
}

#[test]
fn corrections_say_who_and_why() {
    let names = ["id", "kind", "of", "reason"];
    let found = json!([
        ["c1", "void", "p4", "card lent"],
        ["c2", "add", null, "forgot"]
    ]);
    check(PUNCHES, "correction", &names, found);
}

#[test]
fn worked_time_names_its_deductions() {
    let found = json!([
        ["2026-03-02T09:12:00", 228, null],
        ["2026-03-02T14:00:00", 285, null],
        ["2026-03-02T13:00:00", 60, true],
    ]);
    check(PUNCHES, "worked", &["from", "min", "deducted"], found);
    assert_eq!(facts(PUNCHES, "worked")[2].0, "R51");
}

#[test]
fn thresholds_show_both_sides() {
    let names = ["name", "found", "limit", "exceeded"];
    let late = json!(["late", "2026-03-02T09:12:00", "2026-03-02T09:10:00", true]);
    let early = json!(["early", "2026-03-02T18:45:00", "2026-03-02T17:50:00", false]);
    let others = [
        json!(["long_session", 573 * 60, 960 * 60, false]),
        json!(["overtime_after_end", 45 * 60, 30 * 60, true]),
    ];
    // Not final, so no limit of worked time.
    let found = json!([late, early, others[0], others[1]]);
    check(PUNCHES, "threshold", &names, found);
    let covered = format!("devices = [{{ id = 'gate' }}]\n{PUNCHES}");
    let limit = json!(["half_day_below", 513 * 60, 240 * 60, false]);
    check(
        &covered,
        "threshold",
        &names,
        json!([late, early, limit, others[0], others[1]]),
    );
}

#[test]
fn overtime_says_what_it_is_compared_with() {
    let names = ["name", "found", "limit", "exceeded"];
    let compared = |case: &str| -> Vec<Value> {
        let facts = facts(case, "threshold").into_iter();
        let facts = facts.map(|(_, values)| values);
        facts
            .filter(|values| values["name"].as_str().unwrap().starts_with("overtime"))
            .map(|values| names.iter().map(|name| values[name].clone()).collect())
            .collect()
    };
    let both = format!("policy = {{ overtime_before_min = 5 }}\n{PUNCHES}");
    assert_eq!(
        compared(&both),
        [
            json!(["overtime_after_end", 45 * 60, 30 * 60, true]),
            json!(["overtime_before_start", 0, 5 * 60, false])
        ]
    );
    let planned = format!("policy = {{ overtime_basis = 'over_planned' }}\n{PUNCHES}");
    let over = json!(["overtime_over_planned", 33 * 60, 30 * 60, true]);
    assert_eq!(compared(&planned), [over]);
    assert!(compared(&format!("policy = {{ overtime = false }}\n{PUNCHES}")).is_empty());
}

#[test]
fn an_ignored_punch_names_the_one_that_counts_instead() {
    let found = json!([
        ["p3", "debounced", "p2"],
        ["p6", "superseded", "p2"],
        ["p4", "voided", "c1"]
    ]);
    let ignored: Vec<Value> = facts(PUNCHES, "punch")
        .into_iter()
        .map(|(_, values)| values)
        .filter(|values| values.get("by").is_some())
        .map(|values| json!([values["id"], values["ignored"], values["by"]]))
        .collect();
    assert_eq!(Value::from(ignored), found);
    let twice = "punches = [{ at = 2026-03-02T09:00:00 }, { at = 2026-03-02T09:00:00 }]";
    check(
        twice,
        "punch",
        &["id", "ignored", "by"],
        json!([["p1", null, null], ["p2", "duplicate", "p1"]]),
    );
}

#[test]
fn the_verdict_names_the_rule_that_gave_the_status() {
    #[track_caller]
    fn check(case: &str, status: &str, rules: &str, due: Option<&str>) {
        let (named, values) = facts(case, "verdict").remove(0);
        assert_eq!((values["status"].as_str(), &*named), (Some(status), rules));
        assert_eq!(values["due"].as_str(), due);
    }
    let due = Some("2026-03-02T09:10:00");
    check(PUNCHES, "present", "R64 R76", None);
    check("", "unknown", "R74 R76", due);
    check("devices = [{ id = 'gate' }]", "absent", "R75 R71", due);
    check("now = 2026-03-02T04:00:00Z", "not_due", "R72 R71", due);
    let late = "now = 2026-03-02T05:00:00Z\ndevices = [{ id = 'gate' }]";
    check(late, "not_arrived", "R73 R71", due);
    check("holidays = [2026-03-02]", "holiday", "R90 R76", None);
    check(
        "leave = [{ from = 2026-03-02 }]",
        "on_leave",
        "R92 R76",
        None,
    );
    check(
        "on_duty = [{ from = 2026-03-02 }]",
        "on_duty",
        "R97 R76",
        None,
    );
    let one = "devices = [{ id = 'gate' }]\npunches = [{ at = 2026-03-02T09:00:00 }]";
    check(one, "present", "R65 R71", None);
}

#[test]
fn time_credited_for_duty_is_an_interval_of_its_own() {
    let duty = "on_duty = [{ from = 2026-03-02, part = 'second_half' }]\n\
        punches = [{ at = 2026-03-02T09:00:00 }, { at = 2026-03-02T13:00:00 }]";
    let names = ["from", "min", "credited"];
    let found = json!([["2026-03-02T09:00:00", 240, null], [null, 240, true]]);
    check(duty, "worked", &names, found);
}

#[test]
fn only_gaps_that_meet_the_window_are_listed() {
    let gaps = "devices = [{ id = 'gate', gaps = [\
        { from = 2026-03-01T08:00:00, to = 2026-03-01T09:00:00 },\
        { from = 2026-03-02T06:00:00, to = 2026-03-02T07:30:00 },\
        { from = 2026-03-02T21:59:00 }] }]";
    let gate = facts(gaps, "coverage").remove(0).1;
    assert_eq!(gate["gaps"].as_array().unwrap().len(), 2, "{gate}");
    let before_the_first = "2026-03-02T01:00:00Z";
    assert_eq!(gate["read_to"], before_the_first);
}

#[test]
fn a_closed_day_is_explained_from_the_evidence() {
    let closed = format!("locked = [{{ day = 2026-03-02, status = 'absent' }}]\n{PUNCHES}");
    let punches = facts(&closed, "punch").len();
    assert_eq!(punches, 7);
}

#[test]
fn coverage_is_shown_for_each_relevant_device() {
    let found = json!([
        ["gate", "2026-03-20T00:00:00Z", true],
        ["back", "2026-03-02T07:00:00Z", false],
    ]);
    check(
        PUNCHES,
        "coverage",
        &["device", "covered_to", "covered"],
        found,
    );
    check("devices = []", "coverage", &["device"], json!([[null]]));
}

#[test]
fn only_values_off_the_default_are_listed() {
    assert!(facts(PUNCHES, "policy").is_empty());
    let case = "policy = { grace_in_min = 5, debounce_s = 60 }";
    assert_eq!(
        facts(case, "policy"),
        [(String::new(), json!({ "grace_in_min": 5 }))]
    );
}

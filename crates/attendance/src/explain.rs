//! Collects the facts of a derivation from the steps of a judged day: R120.
//!
//! Judges nothing; every value was compared elsewhere.

mod punches;

use jiff::civil::DateTime;
use serde_json::{Map, Value, json};

use crate::coverage::covered_until;
use crate::derivation::{Derivation, Fact};
use crate::judge::{Found, Judging};
use crate::lateness::{Thresholds, early_minutes, late_minutes};
use crate::off_days::{Away, DayKind};
use crate::overtime::candidates;
use crate::plan::{Kind, PlacedBreak, Plan};
use crate::policy::Policy;
use crate::report::{Exception, Stage, Status};
use crate::time::{MINUTE, Span, minutes, timestamp, total_within};
use crate::worked::Deduction;

/// The facts in the order of the algorithm.
pub(crate) fn explain(judging: &Judging<'_, '_>, found: &Found<'_, '_, '_>) -> Derivation {
    let mut explained = Explained {
        judging,
        found,
        facts: Vec::with_capacity(16),
    };
    explained.plan();
    explained.window();
    explained.punches();
    explained.corrections();
    explained.worked();
    explained.thresholds();
    explained.other_limits();
    explained.coverage();
    explained.verdict();
    explained.policy();
    Derivation {
        facts: explained.facts,
    }
}

struct Explained<'e, 'j, 'f, 'p, 'a> {
    judging: &'e Judging<'j, 'a>,
    found: &'e Found<'f, 'p, 'a>,
    facts: Vec<Fact>,
}

impl<'p, 'a> Explained<'_, '_, '_, 'p, 'a> {
    fn say(&mut self, topic: &str, rules: &[&str], values: Value) {
        self.facts.push(Fact {
            topic: topic.to_owned(),
            rules: rules.iter().map(|rule| (*rule).to_owned()).collect(),
            values,
        });
    }

    fn shown(&self, instant: i64) -> DateTime {
        self.judging.zone.moment(instant).wall
    }

    fn span(&self, span: Span) -> Value {
        json!({ "start": self.shown(span.from), "end": self.shown(span.to) })
    }

    fn spans(&self, spans: &[Span]) -> Value {
        spans.iter().map(|span| self.span(*span)).collect()
    }

    fn of_plan(&self) -> &'p Plan<'a> {
        self.found.day.plan
    }

    fn plan(&mut self) {
        let (plan, remains) = (self.of_plan(), &self.found.day.remains);
        let day = match remains.day {
            DayKind::Holiday => "holiday",
            DayKind::WeeklyOff => "weekly_off",
            DayKind::Leave => "leave",
            DayKind::OnDuty => "on_duty",
            DayKind::Working => "working",
        };
        let mut values = json!({
            "day": day,
            "from": plan.origin.as_str(),
            "planned_min": remains.planned / MINUTE,
        });
        let mut rules = vec!["R14", "R16", "R90"];
        if !plan.names.is_empty() {
            values["shift"] = plan.names.join("+").into();
        }
        if plan.kind == Kind::Shift {
            values["segments"] = self.spans(&plan.segments);
        }
        if !plan.breaks.is_empty() {
            values["breaks"] = plan.breaks.iter().map(|rest| self.rest(*rest)).collect();
        }
        if let Some(core) = plan.core {
            values["core"] = self.span(core);
            rules.push("R17");
        }
        if remains.away.is_some() {
            values["leave_part"] = remains.part_name().into();
            values["judged"] = self.spans(&remains.segments);
            rules.extend(["R93", "R94"]);
        }
        if plan.kind == Kind::Undecided {
            values["candidates"] = plan.names.iter().map(|name| &**name).collect();
            rules.push("R103");
        }
        if let Some(choice) = &plan.choice {
            let distances = choice.distances.iter();
            values["punch"] = choice.punch.into();
            values["distances_min"] = distances
                .map(|(name, away)| ((*name).to_owned(), json!(away / MINUTE)))
                .collect::<Map<_, _>>()
                .into();
            rules.push("R101");
        }
        self.say("plan", &rules, values);
    }

    fn rest(&self, rest: PlacedBreak) -> Value {
        match rest {
            PlacedBreak::Fixed { span, paid } => {
                let mut values = self.span(span);
                values["kind"] = "fixed".into();
                values["paid"] = paid.into();
                values
            }
            PlacedBreak::Auto { after, length } => {
                json!({ "kind": "auto", "after_min": after / MINUTE, "minutes": length / MINUTE })
            }
            PlacedBreak::Punched { span, length } => {
                let mut values = self.span(span);
                values["kind"] = "punched".into();
                values["minutes"] = (length / MINUTE).into();
                values
            }
        }
    }

    fn window(&mut self) {
        let plan = self.of_plan();
        let clipped = self.found.near.clipped(plan.day).unwrap_or(plan.window);
        let rules: &[&str] = match plan.kind {
            Kind::Shift if clipped == plan.window => &["R20"],
            Kind::Shift => &["R20", "R22", "R23"],
            _ => &["R25"],
        };
        let values = json!({
            "opening": self.shown(plan.judged.from),
            "closing": self.shown(plan.judged.to),
            "counts_from": self.shown(clipped.from),
            "counts_to": self.shown(clipped.to),
            "now": timestamp(self.judging.now),
        });
        self.say("window", rules, values);
    }

    fn worked(&mut self) {
        let work = &self.found.day.work;
        let value = |this: &Self, span: Span| {
            json!({
                "from": this.shown(span.from),
                "to": this.shown(span.to),
                "min": span.len() / MINUTE,
            })
        };
        for span in &work.spans {
            let values = value(self, *span);
            self.say("worked", &["R50", "R55"], values);
        }
        for Deduction { rule, span } in &work.deductions {
            let mut values = value(self, *span);
            values["deducted"] = true.into();
            self.say("worked", &[rule], values);
        }
        let day = self.found.day;
        let credit = i64::from(day.report.worked_min) - work.worked / MINUTE;
        if credit > 0 {
            let rule = match day.remains.day {
                DayKind::OnDuty => "R97",
                _ => "R98",
            };
            self.say(
                "worked",
                &[rule],
                json!({ "min": credit, "credited": true }),
            );
        }
    }

    fn thresholds(&mut self) {
        let (day, policy) = (self.found.day, self.of_plan().policy);
        if day.remains.day == DayKind::Working {
            for (period, session) in &day.sessions {
                let Some(plan) = period.plan else {
                    continue;
                };
                if let Some(first) = session.first_in {
                    let values = json!({
                        "name": "late",
                        "found": self.shown(first.at),
                        "limit": self.shown(plan.from + minutes(policy.grace_in_min)),
                        "planned": self.shown(plan.from),
                        "exceeded": late_minutes(plan, first.at, policy).is_some(),
                    });
                    self.say("threshold", &["R60", "R61"], values);
                }
                if let Some(last) = session.last_out {
                    let values = json!({
                        "name": "early",
                        "found": self.shown(last.at),
                        "limit": self.shown(plan.to - minutes(policy.grace_out_min)),
                        "planned": self.shown(plan.to),
                        "exceeded": early_minutes(plan, last.at, policy).is_some(),
                    });
                    self.say("threshold", &["R62", "R63"], values);
                }
            }
        }
        if let Some(thresholds) = day.thresholds {
            self.limits(thresholds);
        }
    }

    fn limits(&mut self, thresholds: Thresholds) {
        let day = self.found.day;
        let (worked, late) = (day.work.worked, day.report.late_min);
        let below = [
            ("absent_below", thresholds.absent_below),
            ("half_day_below", thresholds.half_day_below),
        ];
        for (name, limit) in below {
            if let Some(limit) = limit {
                let values = json!({ "name": name, "found": worked, "limit": limit, "unit": "s", "exceeded": worked < limit });
                self.say("threshold", &["R64"], values);
            }
        }
        let over = [
            ("absent_if_late_over", thresholds.absent_if_late_over),
            ("half_day_if_late_over", thresholds.half_day_if_late_over),
        ];
        for (name, limit) in over {
            if let Some(limit) = limit {
                let values = json!({ "name": name, "found": late, "limit": limit, "unit": "min", "exceeded": late > limit });
                self.say("threshold", &["R64"], values);
            }
        }
    }

    /// What is compared beside the status: R56, R80, R82, R85, R96.
    fn other_limits(&mut self) {
        let (day, plan) = (self.found.day, self.of_plan());
        let mut compared = Vec::new();
        for (_, session) in &day.sessions {
            if let (Some(first), Some(last)) = (session.first_in, session.last_out) {
                let limit = minutes(plan.policy.long_session_min);
                compared.push(("long_session", "R56", last.at - first.at, limit));
            }
        }
        if day.remains.day == DayKind::Working && !day.work.spans.is_empty() {
            if let Some((Away::Leave, _)) = day.remains.away {
                let halves = day.remains.away_segments.iter();
                let inside = halves
                    .map(|half| total_within(&day.work.spans, *half))
                    .sum();
                let limit = minutes(plan.policy.half_leave_conflict_min);
                compared.push(("half_leave_conflict", "R96", inside, limit));
            }
            if plan.policy.overtime {
                let candidates = candidates(plan, day.remains.planned, &day.work.spans);
                compared.extend(candidates.map(|one| (one.name, one.rule, one.found, one.limit)));
            }
        }
        for (name, rule, found, limit) in compared {
            let values = json!({ "name": name, "found": found, "limit": limit, "unit": "s", "exceeded": found > limit });
            self.say("threshold", &[rule], values);
        }
    }

    fn coverage(&mut self) {
        let window = self.of_plan().judged;
        let mut none = true;
        for device in &self.judging.inputs.devices {
            let Some(until) = covered_until(device, window) else {
                continue;
            };
            none = false;
            let opening = timestamp(window.from);
            let gaps = device.gaps.iter();
            let gaps = gaps.filter(|gap| {
                gap.from < timestamp(window.to) && gap.to.is_none_or(|to| to > opening)
            });
            let values = json!({
                "device": &*device.id,
                "covered_to": device.covered_to,
                "gaps": gaps.map(|gap| json!({ "from": gap.from, "to": gap.to })).collect::<Value>(),
                "read_to": (until > i64::MIN).then(|| timestamp(until.min(window.to))),
                "needed_to": timestamp(window.to),
                "covered": until >= window.to,
            });
            self.say("coverage", &["R71", "R77"], values);
        }
        if none {
            self.say("coverage", &["R74"], json!({}));
        }
    }

    /// Which rule gave the status, and until when nobody was due if nobody was seen.
    fn verdict(&mut self) {
        let day = self.found.day;
        let report = &day.report;
        let seen = !(day.own.punches.is_empty() && day.own.roll_calls.is_empty());
        let missing = [&report.exceptions, &report.pending]
            .into_iter()
            .flatten()
            .any(|one| matches!(one, Exception::MissingIn | Exception::MissingOut));
        let mut rules = vec![match (day.remains.day, report.status) {
            (DayKind::Holiday | DayKind::WeeklyOff, _) if seen => "R91",
            (DayKind::Holiday | DayKind::WeeklyOff, _) => "R90",
            (DayKind::Leave, _) => "R92",
            (DayKind::OnDuty, _) => "R97",
            (DayKind::Working, _) if seen && missing => "R65",
            (DayKind::Working, _) if seen => "R64",
            (DayKind::Working, Status::NotDue) => "R72",
            (DayKind::Working, Status::NotArrived) => "R73",
            (DayKind::Working, Status::Absent) => "R75",
            (DayKind::Working, _) => "R74",
        }];
        rules.push(match report.stage {
            Stage::FinalWithoutCoverage => "R76",
            _ => "R71",
        });
        let mut values = json!({
            "status": report.status.as_str(),
            "stage": report.stage.as_str(),
            "seen": seen,
        });
        if let Some(reason) = report.reason {
            values["reason"] = reason.as_str().into();
        }
        if day.remains.day == DayKind::Working && !seen {
            values["due"] = json!(self.shown(day.remains.due));
        }
        self.say("verdict", &rules, values);
    }

    fn policy(&mut self) {
        let policy = self.of_plan().policy;
        let usual = Policy::default();
        if *policy == usual {
            return;
        }
        let (Ok(Value::Object(mut values)), Ok(usual)) =
            (serde_json::to_value(policy), serde_json::to_value(usual))
        else {
            return;
        };
        values.retain(|name, value| usual.get(name) != Some(value));
        self.say("policy", &[], Value::Object(values));
    }
}

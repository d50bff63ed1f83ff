//! The facts of punches and corrections.

use serde_json::{Value, json};

use super::Explained;
use crate::evidence::{Facing, KeptPunch, Origin};
use crate::inputs::{Correction, CorrectionKind, EvidencePunch};
use crate::period::Session;
use crate::policy::PunchPolicy;
use crate::report::IgnoredReason;
use crate::time::{Span, second_of};

/// Why a punch did not count, and which other one, or which correction, is the reason.
type Ignored<'a> = (IgnoredReason, Option<&'a str>);

impl<'a> Explained<'_, '_, '_, '_, 'a> {
    pub(super) fn punches(&mut self) {
        let day = self.found.day;
        let superseded = |punch: &KeptPunch<'_>| day.superseded.iter().any(|p| p.id == punch.id);
        let mut all: Vec<(KeptPunch<'a>, Option<Ignored<'a>>)> = Vec::new();
        all.extend(day.own.punches.iter().map(|punch| (*punch, None)));
        all.extend(day.own.roll_calls.iter().map(|call| {
            let instead = superseded(call).then(|| (IgnoredReason::Superseded, self.instead(call)));
            (*call, instead)
        }));
        all.extend(
            day.own
                .off_shift
                .iter()
                .map(|punch| (*punch, Some((IgnoredReason::OffShift, None)))),
        );
        let left_out = self.judging.evidence.ignored.iter();
        all.extend(
            left_out
                .filter(|ignored| day.report.ignored.contains_key(&**ignored.punch.id))
                .map(|ignored| (ignored.punch, Some((ignored.reason, ignored.by)))),
        );
        all.sort_by_key(|(punch, _)| (punch.at, punch.origin));
        for (punch, ignored) in all {
            self.punch(&punch, ignored);
        }
    }

    /// The punch that stands where a roll call would have: the nearest, where there are several periods.
    fn instead(&self, call: &KeptPunch<'_>) -> Option<&'a str> {
        let sides = self.found.day.sessions.iter();
        let sides = sides.filter_map(|(_, session)| match call.facing {
            Facing::Leaving => session.last_out,
            _ => session.first_in,
        });
        sides
            .min_by_key(|side| (side.at - call.at).abs())
            .map(|side| &**side.id)
    }

    fn punch(&mut self, punch: &KeptPunch<'a>, ignored: Option<Ignored<'a>>) {
        let source = match punch.origin {
            Origin::Device => "device",
            Origin::Added => "added",
            Origin::RollCall => "roll_call",
        };
        let mut values = json!({ "id": &**punch.id, "at": self.shown(punch.at), "source": source });
        if let Some(recorded) = punch.recorded {
            self.recorded(recorded, &mut values);
        }
        let rules: &[&str] = match ignored {
            Some((reason, by)) => {
                values["ignored"] = reason.as_str().into();
                if let Some(by) = by {
                    values["by"] = by.into();
                }
                match reason {
                    IgnoredReason::Voided => &["R32"],
                    IgnoredReason::Quarantined => &["R30"],
                    IgnoredReason::Duplicate => &["R33"],
                    IgnoredReason::Debounced => &["R34"],
                    IgnoredReason::OffShift => &["R26"],
                    IgnoredReason::Superseded => &["R35"],
                    IgnoredReason::OutsideEmployment => &["R27"],
                }
            }
            None => {
                let (used, rules) = self.used(punch);
                values["use"] = used.into();
                rules
            }
        };
        self.say("punch", rules, values);
    }

    fn recorded(&self, recorded: &EvidencePunch, values: &mut Value) {
        values["clock"] = json!(recorded.wall);
        values["state"] = recorded.state.as_str().into();
        let devices = &self.judging.inputs.devices;
        if let Some(device) = recorded.device.and_then(|index| devices.get(index)) {
            values["device"] = (&*device.id).into();
            values["zone"] = device.zone.iana_name().into();
        }
        if let Some(received) = recorded.received_at {
            values["received_at"] = json!(received);
        }
    }

    /// What a punch was used for.
    fn used(&self, punch: &KeptPunch<'_>) -> (&'static str, &'static [&'static str]) {
        let is = |side: Option<KeptPunch<'_>>| side.is_some_and(|side| side.id == punch.id);
        let first_last = self.of_plan().policy.punch_policy == PunchPolicy::FirstLast;
        let ends: &[&str] = if first_last {
            &["R41", "R42", "R43"]
        } else {
            &["R43", "R45"]
        };
        for (_, session) in &self.found.day.sessions {
            if is(session.first_in) {
                return ("first_in", ends);
            }
            if is(session.last_out) {
                return ("last_out", ends);
            }
            let paired = |pair: &Span| pair.from == punch.at || pair.to == punch.at;
            if session.pairs.iter().flatten().any(paired) {
                return ("pair", &["R45"]);
            }
            if let Session {
                first_in: Some(first),
                last_out: Some(last),
                pairs: None,
                ..
            } = session
                && first.at <= punch.at
                && punch.at <= last.at
            {
                return ("between", &["R41"]);
            }
        }
        ("passed_over", &["R42", "R45"])
    }

    pub(super) fn corrections(&mut self) {
        let day = self.found.day;
        let own = day.own.punches.iter().chain(&day.own.off_shift);
        let own: Vec<&str> = own.map(|punch| &**punch.id).collect();
        let is_here = |id: &str| own.contains(&id) || day.report.ignored.contains_key(id);
        let corrections = &self.judging.inputs.corrections;
        for correction in corrections {
            let (kind, of) = match &correction.kind {
                CorrectionKind::Add { .. } if own.contains(&&*correction.id) => ("add", None),
                CorrectionKind::Void { id } => match void_of(corrections, id) {
                    Some(punch) if is_here(punch) => ("restore", Some(punch)),
                    None if is_here(id) => ("void", Some(&**id)),
                    _ => continue,
                },
                _ => continue,
            };
            if is_known(correction, self.judging.now) {
                let values = json!({
                    "id": &*correction.id,
                    "kind": kind,
                    "of": of,
                    "author": &*correction.author,
                    "reason": &*correction.reason,
                    "made_at": correction.made_at,
                });
                self.say("correction", &["R32"], values);
            }
        }
    }
}

/// What the void of that id takes out; `None` where the id is no void.
fn void_of<'a>(corrections: &'a [Correction], id: &str) -> Option<&'a str> {
    let named = corrections.iter().find(|one| &*one.id == id)?;
    match &named.kind {
        CorrectionKind::Void { id } => Some(id),
        CorrectionKind::Add { .. } => None,
    }
}

/// R7.
fn is_known(correction: &Correction, now: i64) -> bool {
    correction.made_at.is_none_or(|made| second_of(made) <= now)
}

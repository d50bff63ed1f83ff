//! First in and last out of one period of a workday: R40–R46.
//!
//! A period is a segment, the whole span, a core, or a day without a plan (R47, R67).

use crate::evidence::{Facing, KeptPunch};
use crate::policy::PunchPolicy;
use crate::time::Span;

/// What a period is judged by.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Period {
    /// What there is to be late for; `None` for off days and for flexible days without a core.
    pub plan: Option<Span>,
    /// Until when a single punch is an entry and a missing out is nothing to ask about (R43, R66).
    pub end: i64,
}

/// When and how periods are judged.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules {
    pub punch_policy: PunchPolicy,
    pub now: i64,
    /// End of the workday's own window (R46, R70).
    pub closing: i64,
}

/// One period as judged.
#[derive(Clone, Debug, Default)]
pub(crate) struct Session<'a> {
    pub first_in: Option<KeptPunch<'a>>,
    pub last_out: Option<KeptPunch<'a>>,
    /// Under `pairs`, when there is a pair; else the span counts.
    pub pairs: Option<Vec<Span>>,
    pub direction_conflict: bool,
    pub unpaired: bool,
}

impl<'a> Session<'a> {
    /// Whether the period has a punch at all: each is judged as one of the sides.
    pub(crate) fn is_seen(&self) -> bool {
        self.first_in.is_some() || self.last_out.is_some()
    }

    fn span(first: KeptPunch<'a>, last: KeptPunch<'a>) -> Self {
        Self {
            first_in: Some(first),
            last_out: Some(last),
            ..Self::default()
        }
    }

    fn only_in(punch: KeptPunch<'a>) -> Self {
        Self {
            first_in: Some(punch),
            ..Self::default()
        }
    }

    fn only_out(punch: KeptPunch<'a>) -> Self {
        Self {
            last_out: Some(punch),
            ..Self::default()
        }
    }

    fn conflicting(self) -> Self {
        Self {
            direction_conflict: true,
            ..self
        }
    }
}

/// Judges the punches of a period, which are in time order.
pub(crate) fn session<'a>(period: Period, punches: &[KeptPunch<'a>], rules: Rules) -> Session<'a> {
    match *punches {
        [] => Session::default(),
        [only] => single(period, only, rules.now),
        [first, .., last] => {
            let all = |facing| punches.iter().all(|punch| punch.facing == facing);
            if all(Facing::Entering) {
                Session::only_in(first)
            } else if all(Facing::Leaving) {
                Session::only_out(last)
            } else if rules.punch_policy == PunchPolicy::Pairs {
                pairs(punches, rules)
            } else {
                first_last(punches)
            }
        }
    }
}

/// R43.
fn single(period: Period, punch: KeptPunch<'_>, now: i64) -> Session<'_> {
    let is_entry = match punch.facing {
        Facing::Entering => true,
        Facing::Leaving => false,
        Facing::Either => {
            now < period.end || period.plan.is_none_or(|plan| punch.at < plan.middle())
        }
    };
    if is_entry {
        Session::only_in(punch)
    } else {
        Session::only_out(punch)
    }
}

/// R41, R42, R44, for two or more punches that do not all face the same way.
fn first_last<'a>(punches: &[KeptPunch<'a>]) -> Session<'a> {
    let (first, last) = (punches[0], punches[punches.len() - 1]);
    let entry = punches
        .iter()
        .position(|punch| punch.facing != Facing::Leaving)
        .unwrap_or(0);
    let exit = punches
        .iter()
        .rposition(|punch| punch.facing != Facing::Entering)
        .filter(|exit| *exit > entry);
    let Some(exit) = exit else {
        return Session::span(first, last).conflicting();
    };
    Session {
        direction_conflict: entry > 0 || exit + 1 < punches.len(),
        ..Session::span(punches[entry], punches[exit])
    }
}

/// R45, R46, for two or more punches that do not all face the same way.
fn pairs<'a>(punches: &[KeptPunch<'a>], rules: Rules) -> Session<'a> {
    let (first, last) = (punches[0], punches[punches.len() - 1]);
    let undirected = punches.iter().all(|punch| punch.facing == Facing::Either);
    if undirected && punches.len() % 2 == 1 && rules.now >= rules.closing {
        return Session {
            unpaired: true,
            ..Session::span(first, last)
        };
    }
    let mut entry = None;
    let mut exit = None;
    let mut open: Option<KeptPunch<'a>> = None;
    let mut closed = Vec::new();
    let mut left_first = false;
    for punch in punches {
        match (open, punch.facing) {
            (None, Facing::Entering | Facing::Either) => open = Some(*punch),
            (Some(opening), Facing::Leaving | Facing::Either) => {
                closed.push(Span::new(opening.at, punch.at));
                entry = entry.or(Some(opening));
                exit = Some(*punch);
                open = None;
            }
            (None, Facing::Leaving) => left_first |= closed.is_empty(),
            (Some(_), Facing::Entering) => {}
        }
    }
    match (entry, exit, open) {
        (Some(entry), Some(exit), open) => Session {
            first_in: Some(entry),
            last_out: open.is_none().then_some(exit),
            pairs: Some(closed),
            direction_conflict: left_first,
            unpaired: false,
        },
        (_, _, Some(opening)) if !left_first => Session::only_in(opening),
        _ => Session::span(first, last).conflicting(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::evidence::Origin;

    const DAY: Period = Period {
        plan: Some(Span {
            from: 900,
            to: 1800,
        }),
        end: 1800,
    };

    /// `punches` like `i900 o1200 1800`: i is entering, o leaving, bare neither. The answer is `first-last`, the pairs
    /// in brackets and `!` for a direction conflict, `?` for unpaired.
    #[track_caller]
    fn check_at(policy: PunchPolicy, now: i64, period: Period, punches: &str, expected: &str) {
        let id: Arc<str> = "p".into();
        let read = |text: &str| {
            let (facing, at) = match text.split_at(1) {
                ("i", at) => (Facing::Entering, at),
                ("o", at) => (Facing::Leaving, at),
                _ => (Facing::Either, text),
            };
            (facing, at.parse::<i64>().unwrap())
        };
        let punches: Vec<KeptPunch<'_>> = punches
            .split_whitespace()
            .map(read)
            .map(|(facing, at)| KeptPunch {
                at,
                facing,
                origin: Origin::Device,
                id: &id,
                recorded: None,
            })
            .collect();
        let rules = Rules {
            punch_policy: policy,
            now,
            closing: 2200,
        };
        let found = session(period, &punches, rules);
        let side = |punch: Option<KeptPunch<'_>>| punch.map_or(String::new(), |p| p.at.to_string());
        let mut text = format!("{}-{}", side(found.first_in), side(found.last_out));
        if let Some(pairs) = found.pairs {
            let pairs: Vec<String> = pairs
                .iter()
                .map(|p| format!("{}-{}", p.from, p.to))
                .collect();
            text += &format!(" [{}]", pairs.join(" "));
        }
        text += if found.direction_conflict { " !" } else { "" };
        text += if found.unpaired { " ?" } else { "" };
        assert_eq!(text, expected);
    }

    #[track_caller]
    fn first_last(punches: &str, expected: &str) {
        check_at(PunchPolicy::FirstLast, 9999, DAY, punches, expected);
    }

    #[track_caller]
    fn paired(punches: &str, expected: &str) {
        check_at(PunchPolicy::Pairs, 9999, DAY, punches, expected);
    }

    #[test]
    fn without_direction_the_ends_count() {
        first_last("", "-");
        first_last("850 1000 1700", "850-1700");
    }

    #[test]
    fn directions_choose_the_ends() {
        first_last("i900 o1200 i1300 o1800", "900-1800");
        first_last("o800 i900 o1800", "900-1800 !"); // leaving before the first in
        first_last("i900 o1800 i1830", "900-1800 !"); // entering after the last out
        first_last("i900 i1000", "900-");
        first_last("o900 o1000", "-1000");
        first_last("o900 i1800", "900-1800 !"); // no pair
        first_last("900 i1800", "900-1800 !");
        first_last("900 o1800", "900-1800");
    }

    #[test]
    fn a_single_punch_is_nearer_to_one_end() {
        let at = |now, period, punch, expected| {
            check_at(PunchPolicy::FirstLast, now, period, punch, expected);
            check_at(PunchPolicy::Pairs, now, period, punch, expected);
        };
        at(9999, DAY, "1349", "1349-");
        at(9999, DAY, "1350", "-1350");
        at(1799, DAY, "1350", "1350-");
        at(1800, DAY, "1350", "-1350");
        at(1000, DAY, "o1350", "-1350");
        at(9999, DAY, "i1350", "1350-");
        let open = Period {
            plan: None,
            end: 2200,
        };
        at(9999, open, "1350", "1350-");
    }

    #[test]
    fn pairs_alternate() {
        paired("900 1200 1300 1800", "900-1800 [900-1200 1300-1800]");
        paired("900 1200 1800", "900-1800 ?");
        check_at(
            PunchPolicy::Pairs,
            2199,
            DAY,
            "900 1200 1300",
            "900- [900-1200]",
        );
    }

    #[test]
    fn pairs_follow_directions() {
        paired("i900 i905 o1800", "900-1800 [900-1800]");
        paired(
            "i900 o1200 o1202 i1300 o1800",
            "900-1800 [900-1200 1300-1800]",
        );
        paired("o800 i900 o1800", "900-1800 [900-1800] !");
        paired("i900 o1200 i1300", "900- [900-1200]");
        paired("o900 i1800", "900-1800 !");
        paired("i900 i1000", "900-");
        paired("o900 o1000", "-1000");
        paired("i900 1200 1300 o1800", "900-1800 [900-1200 1300-1800]");
    }
}

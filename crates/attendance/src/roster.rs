//! Which shift on which workday: R14, and the holiday over it (R90).

use std::sync::Arc;

use jiff::civil::Date;

use crate::inputs::{Inputs, Roster, RosterValue, WeeklyOff};
use crate::time::Day;

/// Where the value of a day comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlanOrigin {
    Override,
    WeeklyOff,
    Cycle,
    Week,
    /// Nothing found means weekly off.
    Nothing,
}

impl PlanOrigin {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Override => "override",
            Self::WeeklyOff => "weekly_off pattern",
            Self::Cycle => "cycle",
            Self::Week => "week",
            Self::Nothing => "nothing",
        }
    }
}

/// What the roster says for a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Duty<'a> {
    Off,
    Shifts(&'a [Arc<str>]),
    Auto(&'a [Arc<str>]),
}

impl<'a> Duty<'a> {
    fn of(value: &'a RosterValue) -> Self {
        match value {
            RosterValue::Off => Self::Off,
            RosterValue::Shifts(names) => Self::Shifts(names),
            RosterValue::Auto(names) => Self::Auto(names),
        }
    }
}

/// What somebody is planned to work on a day, before any holiday or leave. R14.
pub fn planned(roster: &Roster, date: Date) -> (RosterValue, PlanOrigin) {
    let (duty, origin) = duty(roster, date, Day::of(date));
    let value = match duty {
        Duty::Off => RosterValue::Off,
        Duty::Shifts(names) => RosterValue::Shifts(names.to_vec()),
        Duty::Auto(names) => RosterValue::Auto(names.to_vec()),
    };
    (value, origin)
}

/// R14.
pub(crate) fn duty(roster: &Roster, date: Date, day: Day) -> (Duty<'_>, PlanOrigin) {
    if let Some(found) = roster.overrides.get(&date) {
        return (Duty::of(&found.value), PlanOrigin::Override);
    }
    let plan = roster.plan_on(date);
    if plan.weekly_off.iter().any(|off| names_day(off, date, day)) {
        return (Duty::Off, PlanOrigin::WeeklyOff);
    }
    if let Some(cycle) = &plan.cycle
        && !cycle.days.is_empty()
    {
        let since = day.0 - Day::of(cycle.anchor).0;
        let place = since.rem_euclid(cycle.days.len() as i64) as usize;
        return (Duty::of(&cycle.days[place]), PlanOrigin::Cycle);
    }
    match &plan.week[day.weekday()] {
        Some(value) => (Duty::of(value), PlanOrigin::Week),
        None => (Duty::Off, PlanOrigin::Nothing),
    }
}

/// `nth` counts that weekday within the month.
fn names_day(off: &WeeklyOff, date: Date, day: Day) -> bool {
    let nth = (date.day() - 1) / 7 + 1;
    off.weekday.to_monday_zero_offset() as usize == day.weekday()
        && (off.nth.is_empty() || off.nth.contains(&nth.unsigned_abs()))
}

/// Whether a holiday lies over the day: only an override with `on_holiday` makes it a working day (R90).
pub(crate) fn is_holiday(inputs: &Inputs, date: Date) -> bool {
    let works_anyway = || {
        let found = inputs.roster.overrides.get(&date);
        found.is_some_and(|found| found.on_holiday)
    };
    inputs.holidays.contains(&date) && !works_anyway()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use jiff::civil::Weekday;

    use super::*;
    use crate::inputs::{Cycle, RosterOverride, RosterPlan};

    fn shift(name: &str) -> RosterValue {
        RosterValue::Shifts(vec![name.into()])
    }

    /// Everything at once: a layer counts where no layer before it does.
    #[track_caller]
    fn check(layers: &[PlanOrigin], date: &str, expected: &str) {
        let date: Date = date.parse().unwrap();
        let mut roster = Roster::default();
        for layer in layers {
            match layer {
                PlanOrigin::Override => {
                    let value = RosterOverride {
                        value: shift("override"),
                        on_holiday: false,
                    };
                    roster.overrides = BTreeMap::from([(date, value)]);
                }
                PlanOrigin::WeeklyOff => {
                    let off = WeeklyOff {
                        weekday: Weekday::Saturday,
                        nth: vec![2, 4],
                    };
                    roster.plan.weekly_off = vec![off];
                }
                PlanOrigin::Cycle => {
                    let days = vec![shift("first"), shift("second"), RosterValue::Off];
                    roster.plan.cycle = Some(Cycle {
                        anchor: "2026-03-10".parse().unwrap(),
                        days,
                    });
                }
                PlanOrigin::Week => roster.plan.week[5] = Some(shift("week")),
                PlanOrigin::Nothing => {}
            }
        }
        let (duty, origin) = duty(&roster, date, Day::of(date));
        let found = match duty {
            Duty::Shifts(names) => names.join("+"),
            Duty::Auto(names) => format!("auto {}", names.join("+")),
            Duty::Off => format!("off by {}", origin.as_str()),
        };
        assert_eq!(found, expected);
    }

    #[test]
    fn the_first_layer_that_speaks_decides() {
        use PlanOrigin::{Cycle, Nothing, Override, Week, WeeklyOff};
        check(
            &[Week, Cycle, WeeklyOff, Override],
            "2026-03-14",
            "override",
        );
        check(
            &[Week, Cycle, WeeklyOff],
            "2026-03-14",
            "off by weekly_off pattern",
        ); // the second Saturday
        check(&[Week, WeeklyOff], "2026-03-07", "week"); // the first
        check(&[Week, Cycle], "2026-03-14", "second");
        check(&[Week, Cycle], "2026-03-09", "off by cycle"); // before the anchor
        check(&[Week], "2026-03-14", "week");
        check(&[Week], "2026-03-15", "off by nothing");
        check(&[Nothing], "2026-03-14", "off by nothing");
    }

    #[test]
    fn a_plan_holds_from_its_date_to_the_next() {
        let plan = |name: &str| RosterPlan {
            week: std::array::from_fn(|_| Some(shift(name))),
            ..RosterPlan::default()
        };
        let date = |text: &str| -> Date { text.parse().unwrap() };
        let roster = Roster {
            plan: plan("first"),
            changes: BTreeMap::from([
                (date("2026-03-09"), plan("second")),
                (date("2026-03-16"), plan("third")),
            ]),
            overrides: BTreeMap::new(),
        };
        for (on, expected) in [
            ("2026-03-08", "first"),
            ("2026-03-09", "second"),
            ("2026-03-15", "second"),
            ("2026-03-16", "third"),
        ] {
            let on = date(on);
            let expected = (shift(expected), PlanOrigin::Week);
            assert_eq!(planned(&roster, on), expected, "{on}");
        }
    }
}

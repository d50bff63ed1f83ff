//! The rules that a company may set, in the groups of the form, and what is typed for each of them.

use std::collections::BTreeMap;

use attendance::{HourMinute, Policy, PolicyOverrides};
use jiff::civil::Date;
use serde_json::Value;

use crate::text::{Msg, msg};

/// What unsets a value that a wider level sets.
const NONE: &str = "none";

/// How a rule is typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Number,
    /// A number, or none.
    Optional,
    Switch,
    Choice(&'static [&'static str]),
    Time,
    Day,
    /// Rising numbers, or none.
    Numbers,
}

const ROUNDINGS: Kind = Kind::Choice(&["nearest", "up", "down"]);

/// Every rule of `attendance::Policy`, by group and name.
const GROUPS: &[(&str, &[(&str, Kind)])] = &[
    (
        "punches",
        &[
            ("punch_policy", Kind::Choice(&["first_last", "pairs"])),
            ("debounce_s", Kind::Number),
            ("clock_min", Kind::Day),
            ("future_limit_min", Kind::Number),
        ],
    ),
    (
        "workday",
        &[
            ("window_before_min", Kind::Number),
            ("window_after_min", Kind::Number),
            ("tie_break", Kind::Choice(&["open_session", "cut"])),
            ("day_start", Kind::Time),
            ("auto_shift_max_min", Kind::Number),
        ],
    ),
    (
        "lateness",
        &[
            ("grace_in_min", Kind::Number),
            ("late_count_from", Kind::Choice(&["start", "grace"])),
            ("grace_out_min", Kind::Number),
            ("early_count_from", Kind::Choice(&["end", "grace"])),
        ],
    ),
    (
        "thresholds",
        &[
            ("half_day_below_pct", Kind::Number),
            ("absent_below_pct", Kind::Number),
            ("half_day_below_min", Kind::Optional),
            ("absent_below_min", Kind::Optional),
            ("half_day_if_late_over_min", Kind::Optional),
            ("absent_if_late_over_min", Kind::Optional),
        ],
    ),
    (
        "worked",
        &[
            ("count_before_start", Kind::Switch),
            ("count_after_end", Kind::Switch),
            ("unpunched_break", Kind::Choice(&["planned", "none"])),
            ("round_unit_min", Kind::Number),
            ("round_in", ROUNDINGS),
            ("round_out", ROUNDINGS),
            ("night_start", Kind::Time),
            ("night_end", Kind::Time),
            ("long_session_min", Kind::Number),
        ],
    ),
    (
        "overtime",
        &[
            ("overtime", Kind::Switch),
            (
                "overtime_basis",
                Kind::Choice(&["after_end", "over_planned"]),
            ),
            ("overtime_after_min", Kind::Number),
            ("overtime_before_min", Kind::Optional),
            ("overtime_count_from", Kind::Choice(&["end", "threshold"])),
            ("overtime_round_min", Kind::Number),
            ("overtime_round", ROUNDINGS),
            ("overtime_levels_min", Kind::Numbers),
            ("off_day_overtime", Kind::Switch),
        ],
    ),
    (
        "leave",
        &[
            ("half_leave_conflict_min", Kind::Number),
            ("leave_over_off_days", Kind::Switch),
            ("holiday_over_weekly_off", Kind::Switch),
        ],
    ),
    (
        "finality",
        &[
            ("final_fallback_min", Kind::Number),
            ("coverage_lag_min", Kind::Number),
        ],
    ),
];

impl Kind {
    /// The words of a select; empty for what is typed.
    fn choices(self) -> &'static [&'static str] {
        match self {
            Self::Choice(choices) => choices,
            Self::Switch => &["true", "false"],
            _ => &[],
        }
    }

    /// The value of what was typed.
    ///
    /// # Errors
    /// What would have been right.
    fn value(self, text: &str) -> Result<Value, Msg> {
        let number = |text: &str| text.parse::<u32>().ok();
        let unset = text.eq_ignore_ascii_case(NONE);
        match self {
            Self::Number => number(text).map(Value::from).ok_or("rules-no-number"),
            Self::Optional if unset => Ok(Value::Null),
            Self::Optional => number(text)
                .map(Value::from)
                .ok_or("rules-no-number-or-none"),
            Self::Switch | Self::Choice(_) => match self.choices().contains(&text) {
                true if self == Self::Switch => Ok(Value::Bool(text == "true")),
                true => Ok(Value::from(text)),
                false => Err("rules-no-choice"),
            },
            Self::Time => text
                .parse::<HourMinute>()
                .ok()
                .filter(|time| time.minutes() < 24 * 60)
                .map(|time| Value::from(time.to_string()))
                .ok_or("rules-no-time"),
            Self::Day => text
                .parse::<Date>()
                .map(|day| Value::from(day.to_string()))
                .map_err(|_| "date-wrong"),
            Self::Numbers if unset => Ok(Value::Array(Vec::new())),
            Self::Numbers => text
                .split([',', ' '])
                .filter(|part| !part.is_empty())
                .map(number)
                .collect::<Option<Vec<u32>>>()
                .filter(|limits| !limits.is_empty() && limits.is_sorted_by(|a, b| a < b))
                .map(Value::from)
                .ok_or("rules-no-numbers"),
        }
        .map_err(msg)
    }

    /// A value as it is typed.
    fn typed(self, value: &Value) -> String {
        match value {
            Value::Null => NONE.to_owned(),
            Value::Array(limits) if limits.is_empty() => NONE.to_owned(),
            Value::Array(limits) => {
                let limits: Vec<_> = limits.iter().map(Value::to_string).collect();
                limits.join(", ")
            }
            Value::String(text) => text.clone(),
            other => other.to_string(),
        }
    }

    /// A value in words.
    fn words(self, value: &Value) -> String {
        let typed = self.typed(value);
        match self {
            Self::Switch | Self::Choice(_) => choice(&typed).to_string(),
            _ if typed == NONE => msg("rules-not-set").to_string(),
            _ => typed,
        }
    }
}

/// One of the words of a select.
fn choice(word: &str) -> Msg {
    msg(format!("rule-is-{word}"))
}

fn label(name: &str) -> Msg {
    msg(format!("rule-{name}"))
}

/// A group of the form.
pub(super) struct Group {
    pub title: Msg,
    pub rules: Vec<Rule>,
}

/// A rule in the form, for `parts/rules.html`.
pub(super) struct Rule {
    pub name: &'static str,
    pub label: Msg,
    pub typed: String,
    /// Value, word, whether it is chosen.
    pub choices: Vec<(&'static str, Msg, bool)>,
    /// The type of its field.
    pub field: &'static str,
    /// What holds where nothing is typed, and who says so.
    pub inherited: String,
    pub by: String,
}

/// The form with what was typed, over what holds otherwise: the value of a rule and who says so, or `None` for a rule that has
/// no place in this form.
pub(super) fn groups(
    typed: &BTreeMap<String, String>,
    inherited: impl Fn(&str) -> Option<(Value, String)>,
) -> Vec<Group> {
    let rule = |(name, kind): &(&'static str, Kind)| {
        let (value, by) = inherited(name)?;
        let typed = typed.get(*name).cloned().unwrap_or_default();
        let choices = kind.choices().iter();
        Some(Rule {
            name,
            label: label(name),
            choices: choices
                .map(|word| (*word, choice(word), typed == *word))
                .collect(),
            field: match kind {
                Kind::Day => "date",
                Kind::Time => "time",
                _ => "text",
            },
            inherited: kind.words(&value),
            by,
            typed,
        })
    };
    GROUPS
        .iter()
        .map(|(group, rules)| Group {
            title: msg(format!("rules-{group}")),
            rules: rules.iter().filter_map(rule).collect(),
        })
        .filter(|group| !group.rules.is_empty())
        .collect()
}

/// What values set, as it is typed.
pub(super) fn typed(values: &PolicyOverrides) -> BTreeMap<String, String> {
    let typed = all().filter_map(|(name, kind)| {
        let value = values.0.get(name)?;
        Some((name.to_owned(), kind.typed(value)))
    });
    typed.collect()
}

/// Whether a shift may have a value of its own for a rule.
pub(super) fn is_for_shifts(name: &str, default: &Value) -> bool {
    let value = PolicyOverrides([(name.to_owned(), default.clone())].into());
    Policy::default().with_shift(&value).is_ok()
}

/// The rules as the product has them.
pub(super) fn defaults() -> Value {
    serde_json::to_value(Policy::default()).unwrap_or_default()
}

/// All rules in the order of the form.
fn all() -> impl Iterator<Item = (&'static str, Kind)> {
    GROUPS.iter().flat_map(|(_, rules)| rules.iter().copied())
}

/// What was typed, by name; empty fields are left to the wider level.
///
/// # Errors
/// What is wrong with which rule.
pub(super) fn overrides(
    typed: &BTreeMap<String, String>,
) -> Result<PolicyOverrides, Vec<(&'static str, String)>> {
    let mut values = PolicyOverrides::default();
    let mut wrong = Vec::new();
    for (name, kind) in all() {
        let text = typed.get(name).map_or("", |text| text.trim());
        if text.is_empty() {
            continue;
        }
        match kind.value(text) {
            Ok(value) => {
                values.0.insert(name.to_owned(), value);
            }
            Err(why) => wrong.push((name, why.to_string())),
        }
    }
    match wrong.is_empty() {
        true => Ok(values),
        false => Err(wrong),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_form_has_every_rule_once_with_its_words() {
        let names: BTreeSet<&str> = all().map(|(name, _)| name).collect();
        let defaults = defaults();
        let defaults = defaults.as_object().expect("a struct");
        let known: BTreeSet<&str> = defaults.keys().map(String::as_str).collect();
        assert_eq!(names, known);
        assert_eq!(all().count(), names.len());
        for (name, kind) in all() {
            // A message that is missing panics.
            assert_ne!(label(name).to_string(), "");
            for word in kind.choices() {
                assert_ne!(choice(word).to_string(), "");
            }
        }
        for (group, _) in GROUPS {
            assert_ne!(msg(format!("rules-{group}")).to_string(), "");
        }
    }

    #[test]
    fn what_is_shown_can_be_typed_again() {
        let defaults = defaults();
        for (name, kind) in all() {
            let value = &defaults[name];
            let typed = kind.value(&kind.typed(value)).ok();
            assert_eq!(typed.as_ref(), Some(value), "{name}");
        }
    }

    #[test]
    fn what_acts_before_a_shift_is_known_is_not_for_shifts() {
        let defaults = defaults();
        let may = |name: &str| is_for_shifts(name, &defaults[name]);
        assert!(may("grace_in_min") && may("overtime_levels_min"));
        assert!(!may("debounce_s") && !may("day_start"));
    }

    #[test]
    fn mistakes_are_refused() {
        #[track_caller]
        fn check(kind: Kind, text: &str, expected: Option<Value>) {
            assert_eq!(kind.value(text).ok(), expected, "{text:?}");
        }
        check(Kind::Number, "15", Some(15.into()));
        check(Kind::Number, "-1", None);
        check(Kind::Number, "none", None);
        check(Kind::Optional, "none", Some(Value::Null));
        check(Kind::Optional, "0", Some(0.into()));
        check(Kind::Time, "05:30", Some("05:30".into()));
        check(Kind::Time, "24:00", None);
        check(Kind::Numbers, "120, 240", Some(vec![120, 240].into()));
        check(Kind::Numbers, "240, 120", None);
        check(Kind::Numbers, ",", None);
        check(Kind::Switch, "maybe", None);
        check(ROUNDINGS, "up", Some("up".into()));
    }
}

//! The policy: every number and choice of the rules that a company may set. rules.md §3.

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::shift::{HourMinute, PolicyOverrides};

/// How worked time follows from punches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PunchPolicy {
    /// From the first in to the last out (R41, R42).
    #[default]
    FirstLast,
    /// The sum of pairs (R45, R46).
    Pairs,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TieBreak {
    /// R24 is on.
    #[default]
    OpenSession,
    Cut,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LateCountFrom {
    #[default]
    Start,
    Grace,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EarlyCountFrom {
    #[default]
    End,
    Grace,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UnpunchedBreak {
    #[default]
    Planned,
    None,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rounding {
    #[default]
    Nearest,
    Up,
    Down,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OvertimeBasis {
    #[default]
    AfterEnd,
    OverPlanned,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OvertimeCountFrom {
    #[default]
    End,
    Threshold,
}

/// Effective values. Names and defaults are those of rules.md §3; `_min` are minutes, `_s` seconds, `_pct` per cent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Policy {
    pub punch_policy: PunchPolicy,
    pub debounce_s: u32,
    pub window_before_min: u32,
    pub window_after_min: u32,
    pub tie_break: TieBreak,
    pub day_start: HourMinute,
    pub grace_in_min: u32,
    pub grace_out_min: u32,
    pub late_count_from: LateCountFrom,
    pub early_count_from: EarlyCountFrom,
    pub half_day_below_pct: u32,
    pub absent_below_pct: u32,
    pub half_day_below_min: Option<u32>,
    pub absent_below_min: Option<u32>,
    pub half_day_if_late_over_min: Option<u32>,
    pub absent_if_late_over_min: Option<u32>,
    pub count_before_start: bool,
    pub count_after_end: bool,
    pub unpunched_break: UnpunchedBreak,
    pub round_unit_min: u32,
    pub round_in: Rounding,
    pub round_out: Rounding,
    pub overtime: bool,
    pub overtime_basis: OvertimeBasis,
    pub overtime_after_min: u32,
    pub overtime_before_min: Option<u32>,
    pub overtime_count_from: OvertimeCountFrom,
    pub overtime_round_min: u32,
    pub overtime_round: Rounding,
    pub overtime_levels_min: Vec<u32>,
    pub off_day_overtime: bool,
    pub night_start: HourMinute,
    pub night_end: HourMinute,
    pub long_session_min: u32,
    pub final_fallback_min: u32,
    pub coverage_lag_min: u32,
    pub half_leave_conflict_min: u32,
    pub leave_over_off_days: bool,
    pub holiday_over_weekly_off: bool,
    pub auto_shift_max_min: u32,
    pub clock_min: Date,
    pub future_limit_min: u32,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            punch_policy: PunchPolicy::FirstLast,
            debounce_s: 60,
            window_before_min: 120,
            window_after_min: 240,
            tie_break: TieBreak::OpenSession,
            day_start: hour(4),
            grace_in_min: 10,
            grace_out_min: 10,
            late_count_from: LateCountFrom::Start,
            early_count_from: EarlyCountFrom::End,
            half_day_below_pct: 50,
            absent_below_pct: 0,
            half_day_below_min: None,
            absent_below_min: None,
            half_day_if_late_over_min: None,
            absent_if_late_over_min: None,
            count_before_start: true,
            count_after_end: true,
            unpunched_break: UnpunchedBreak::Planned,
            round_unit_min: 0,
            round_in: Rounding::Nearest,
            round_out: Rounding::Nearest,
            overtime: true,
            overtime_basis: OvertimeBasis::AfterEnd,
            overtime_after_min: 30,
            overtime_before_min: None,
            overtime_count_from: OvertimeCountFrom::End,
            overtime_round_min: 0,
            overtime_round: Rounding::Down,
            overtime_levels_min: Vec::new(),
            off_day_overtime: true,
            night_start: hour(22),
            night_end: hour(6),
            long_session_min: 960,
            final_fallback_min: 720,
            coverage_lag_min: 15,
            half_leave_conflict_min: 30,
            leave_over_off_days: false,
            holiday_over_weekly_off: true,
            auto_shift_max_min: 240,
            clock_min: Date::constant(2010, 1, 1),
            future_limit_min: 75,
        }
    }
}

const fn hour(hour: u16) -> HourMinute {
    HourMinute::from_minutes(hour * 60).expect("a time of the day")
}

/// Values that act before a shift is known, so no shift may set them.
const GENERAL_ONLY: &[&str] = &[
    "debounce_s",
    "day_start",
    "clock_min",
    "future_limit_min",
    "tie_break",
    "auto_shift_max_min",
    "holiday_over_weekly_off",
];

/// Why policy values cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    #[error("policy value {0} acts before a shift is known, so a shift cannot set it")]
    NotForShifts(String),
    /// The name is unknown or the value has the wrong type; the source says which.
    #[error("policy: {0}")]
    Value(#[source] serde_json::Error),
}

impl Policy {
    /// This policy with some values replaced by name.
    ///
    /// # Errors
    /// [`PolicyError::Value`] for a name that is none or a value of another type.
    pub fn with(&self, overrides: &PolicyOverrides) -> Result<Self, PolicyError> {
        let mut values = serde_json::to_value(self).map_err(PolicyError::Value)?;
        let table = values
            .as_object_mut()
            .expect("a struct serializes as an object");
        table.extend(
            overrides
                .0
                .iter()
                .map(|(name, value)| (name.clone(), value.clone())),
        );
        serde_json::from_value(values).map_err(PolicyError::Value)
    }

    /// The policy of the days of a shift.
    ///
    /// # Errors
    /// As [`Policy::with`], and [`PolicyError::NotForShifts`].
    pub fn with_shift(&self, overrides: &PolicyOverrides) -> Result<Self, PolicyError> {
        match overrides
            .0
            .keys()
            .find(|name| GENERAL_ONLY.contains(&name.as_str()))
        {
            Some(name) => Err(PolicyError::NotForShifts(name.clone())),
            None => self.with(overrides),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn overrides(json: &str) -> PolicyOverrides {
        serde_json::from_str(json).expect("an object")
    }

    #[test]
    fn values_are_replaced_by_name() {
        let policy = Policy::default()
            .with(&overrides(
                r#"{"grace_in_min": 5, "day_start": "05:30", "half_day_below_min": 240}"#,
            ))
            .expect("good values");
        assert_eq!(
            (policy.grace_in_min, policy.half_day_below_min),
            (5, Some(240))
        );
        assert_eq!(policy.day_start.to_string(), "05:30");
        assert_eq!(policy.grace_out_min, Policy::default().grace_out_min);
    }

    #[test]
    fn mistakes_are_named() {
        let error = |json| {
            Policy::default()
                .with_shift(&overrides(json))
                .expect_err("a mistake")
                .to_string()
        };
        assert!(error(r#"{"grace": 5}"#).contains("grace"));
        assert!(error(r#"{"grace_in_min": "ten"}"#).contains("ten"));
        assert!(error(r#"{"debounce_s": 5}"#).contains("debounce_s"));
    }
}

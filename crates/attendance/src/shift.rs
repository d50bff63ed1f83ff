//! Shifts as they are written down: segments, breaks, flexible hours. Placing them on a workday is `plan`'s work.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::inputs::PlannedShift;
use crate::policy::{Policy, PolicyError};

/// A time of a plan, `HH:MM`. `24:30` and later mean the following day (R11).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct HourMinute {
    /// Minutes from the midnight that begins the workday; below 48 hours.
    minutes: u16,
}

impl HourMinute {
    pub const fn from_minutes(minutes: u16) -> Option<Self> {
        if minutes < 48 * 60 {
            Some(Self { minutes })
        } else {
            None
        }
    }

    /// Minutes from the midnight that begins the workday.
    pub const fn minutes(self) -> u16 {
        self.minutes
    }
}

/// What is not `HH:MM`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a time like 09:00 or 24:30")]
pub struct HourMinuteError(String);

impl FromStr for HourMinute {
    type Err = HourMinuteError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parse = || {
            let (hour, minute) = text.split_once(':')?;
            let plain = |part: &str| part.len() == 2 && part.bytes().all(|b| b.is_ascii_digit());
            if !plain(hour) || !plain(minute) {
                return None;
            }
            let (hour, minute): (u16, u16) = (hour.parse().ok()?, minute.parse().ok()?);
            (minute < 60).then(|| Self::from_minutes(hour * 60 + minute))?
        };
        parse().ok_or_else(|| HourMinuteError(text.to_owned()))
    }
}

impl TryFrom<String> for HourMinute {
    type Error = HourMinuteError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<HourMinute> for String {
    fn from(time: HourMinute) -> Self {
        time.to_string()
    }
}

impl fmt::Display for HourMinute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}:{:02}", self.minutes / 60, self.minutes % 60)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SegmentSpec {
    pub start: HourMinute,
    pub end: HourMinute,
}

/// R15.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Break {
    Fixed {
        start: HourMinute,
        end: HourMinute,
        #[serde(default)]
        paid: bool,
    },
    Auto {
        after_min: u32,
        minutes: u32,
    },
    /// `start` to `end` is when it may be taken.
    Punched {
        start: HourMinute,
        end: HourMinute,
        minutes: u32,
    },
}

/// A shift definition; stored as JSON, written as TOML in rule cases.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Shift {
    pub segments: Vec<SegmentSpec>,
    pub breaks: Vec<Break>,
    /// `None` means true (R47).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub punch_each_segment: Option<bool>,
    /// Values that win over the policy on days with this shift: the fields of `Policy` by name.
    #[serde(skip_serializing_if = "PolicyOverrides::is_empty")]
    pub policy: PolicyOverrides,
    pub flexible: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub required_min: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub core: Option<SegmentSpec>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub day_start: Option<HourMinute>,
}

/// Policy values by name; only those a shift may set. Checked when a shift is read, merged once when it is loaded.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PolicyOverrides(pub BTreeMap<String, serde_json::Value>);

impl PolicyOverrides {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Why a shift cannot be planned.
#[derive(Debug, thiserror::Error)]
pub enum ShiftError {
    #[error("a shift needs at least one segment, or `flexible` with `required_min`")]
    Empty,
    #[error("a flexible shift needs `required_min`")]
    RequiredMin,
    #[error("a flexible shift has no segments")]
    FlexibleSegments,
    #[error("`required_min`, `core` and `day_start` belong to flexible shifts")]
    NotFlexible,
    #[error(transparent)]
    Policy(#[from] PolicyError),
}

impl PlannedShift {
    /// Checks a shift and merges its policy values into the general ones, once for many judgements.
    ///
    /// # Errors
    /// See [`ShiftError`].
    pub fn new(name: &str, shift: Shift, general: &Policy) -> Result<Self, ShiftError> {
        match (shift.flexible, shift.segments.is_empty()) {
            (false, true) => return Err(ShiftError::Empty),
            (true, false) => return Err(ShiftError::FlexibleSegments),
            (true, true) if shift.required_min.is_none() => return Err(ShiftError::RequiredMin),
            (false, false)
                if shift.required_min.is_some()
                    || shift.core.is_some()
                    || shift.day_start.is_some() =>
            {
                return Err(ShiftError::NotFlexible);
            }
            _ => {}
        }
        let policy = general.with_shift(&shift.policy)?;
        Ok(Self {
            name: name.into(),
            shift,
            policy: Arc::new(policy),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_a_plan() {
        let parse = |text: &str| text.parse::<HourMinute>().map(HourMinute::minutes);
        assert_eq!(parse("09:05"), Ok(545));
        assert_eq!(parse("24:30"), Ok(1470));
        for bad in ["9:05", "09:60", "48:00", "0905", "09:5", "+9:05", ""] {
            assert!(parse(bad).is_err(), "{bad}");
        }
        assert_eq!(
            "24:30".parse::<HourMinute>().expect("good").to_string(),
            "24:30"
        );
    }

    #[test]
    fn a_shift_survives_its_stored_form() {
        let text = r#"{"segments":[{"start":"09:00","end":"18:00"}],"breaks":[{"kind":"fixed","start":"13:00","end":"14:00","paid":false}],"flexible":false}"#;
        let shift: Shift = serde_json::from_str(text).expect("a shift");
        assert_eq!(serde_json::to_string(&shift).expect("JSON"), text);
        assert!(serde_json::from_str::<Shift>(r#"{"segment":[]}"#).is_err());
    }

    #[test]
    fn shifts_that_cannot_be_planned() {
        let error = |json: &str| {
            let shift = serde_json::from_str(json).expect("the form of a shift");
            PlannedShift::new("X", shift, &Policy::default()).expect_err("cannot be planned")
        };
        assert!(matches!(error("{}"), ShiftError::Empty));
        assert!(matches!(
            error(r#"{"flexible":true}"#),
            ShiftError::RequiredMin
        ));
        let day = r#""segments":[{"start":"09:00","end":"18:00"}]"#;
        assert!(matches!(
            error(&format!(r#"{{{day},"flexible":true,"required_min":1}}"#)),
            ShiftError::FlexibleSegments
        ));
        assert!(matches!(
            error(&format!(r#"{{{day},"required_min":1}}"#)),
            ShiftError::NotFlexible
        ));
        assert!(matches!(
            error(&format!(r#"{{{day},"policy":{{"debounce_s":1}}}}"#)),
            ShiftError::Policy(_)
        ));
    }
}

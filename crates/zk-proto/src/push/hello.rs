//! What a handshake says about the terminal, and which of the four protocols that go by one name it speaks.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::request::Query;

/// The protocols behind the same paths. What a terminal takes and sends depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Family {
    /// PUSH 1.0, about 2008: no `pushver`, no `table=`; the kind of stamp tells what is uploaded.
    Original,
    /// The main line, 2.x.
    Attendance,
    /// The branch of manual 3.2.0, mostly in North America: stamps as ISO times, `type=time`, `ComKey`.
    Manual,
    /// Access control, 3.x: registration, other tables, other commands, other answers.
    Security,
}

impl Family {
    pub fn name(self) -> &'static str {
        match self {
            Self::Original => "original",
            Self::Attendance => "attendance",
            Self::Manual => "manual",
            Self::Security => "security",
        }
    }

    /// What a request other than a handshake gives away, to correct a first impression. Most give away nothing.
    pub fn evident(query: &Query<'_>) -> Option<Self> {
        let is = |key, value: &str| {
            query
                .get(key)
                .is_some_and(|v| v.eq_ignore_ascii_case(value))
        };
        let table = query.get("table").unwrap_or_default();
        if ["rtlog", "rtstate", "tabledata"]
            .iter()
            .any(|t| table.eq_ignore_ascii_case(t))
        {
            return Some(Self::Security);
        }
        let has_iso_stamp = query
            .stamp()
            .is_some_and(|stamp| stamp.contains('T') && stamp.contains('-'));
        (has_iso_stamp || is("type", "LastPunch")).then_some(Self::Manual)
    }
}

/// The leading dotted digits of a `pushver` such as `2.0.33S-20200101`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version(pub u16, pub u16, pub u16);

impl Version {
    /// Missing parts are 0. `None` when it does not begin with a digit.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.trim().split('.').map(|part| {
            let end = part.find(|c: char| !c.is_ascii_digit());
            let digits = &part[..end.unwrap_or(part.len())];
            (!digits.is_empty()).then(|| (digits.parse().unwrap_or(u16::MAX), end.is_none()))
        });
        let (first, mut goes_on) = parts.next()??;
        let mut next = || match parts.next() {
            Some(Some((part, more))) if goes_on => {
                goes_on = more;
                part
            }
            _ => {
                goes_on = false;
                0
            }
        };
        let second = next();
        Some(Self(first, second, next()))
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.0, self.1, self.2)
    }
}

/// A handshake: `GET cdata` with `options=all`.
#[derive(Clone, PartialEq, Eq)]
pub struct Hello {
    pub version: Option<Version>,
    /// `att`, `acc`, `pid`, `ins`, or anything else.
    pub device_type: Option<String>,
    /// 69 is English, 83 simplified Chinese; see [`super::text::Charset::of_language`].
    pub language: Option<u16>,
    /// `PushOptionsFlag=1`: can upload its parameters.
    pub has_parameters: bool,
    /// `ComKey`, else `pushcommkey`: what was typed into the terminal to tell it from impostors.
    key: Option<String>,
    asks_like_manual: bool,
}

impl fmt::Debug for Hello {
    /// Without the key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hello")
            .field("version", &self.version)
            .field("device_type", &self.device_type)
            .field("language", &self.language)
            .field("has_parameters", &self.has_parameters)
            .field("family", &self.family())
            .finish_non_exhaustive()
    }
}

impl Hello {
    pub fn of(query: &Query<'_>) -> Self {
        let text = |key| query.any(&[key]).map(str::to_owned);
        Self {
            version: query.get("pushver").and_then(Version::parse),
            device_type: text("DeviceType"),
            language: query.get("language").and_then(|code| code.parse().ok()),
            has_parameters: query.get("PushOptionsFlag") == Some("1"),
            key: text("ComKey").or_else(|| text("pushcommkey")),
            asks_like_manual: query.get("ComKey").is_some()
                || Family::evident(query) == Some(Family::Manual),
        }
    }

    /// To be compared in constant time.
    pub fn key(&self) -> Option<&str> {
        self.key.as_deref()
    }

    /// By the type where it is `acc` or `att`, then by the signs of the branch, then by the version. `pushver=2.0.3x` is the branch
    /// unless the terminal says a type, which the branch does not.
    pub fn family(&self) -> Family {
        let is = |value: &str| {
            let kind = self.device_type.as_deref();
            kind.is_some_and(|kind| kind.eq_ignore_ascii_case(value))
        };
        match self.version {
            _ if is("acc") => Family::Security,
            _ if self.asks_like_manual => Family::Manual,
            _ if is("att") => Family::Attendance,
            Some(Version(3.., ..)) => Family::Security,
            Some(Version(2, 0, 30..=39)) if self.device_type.is_none() => Family::Manual,
            Some(_) => Family::Attendance,
            None if self.device_type.is_some() => Family::Attendance,
            None => Family::Original,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions() {
        let check = |text: &str, expected: Option<(u16, u16, u16)>| {
            let version = Version::parse(text).map(|Version(a, b, c)| (a, b, c));
            assert_eq!(version, expected, "{text}");
        };
        check("2.4.1", Some((2, 4, 1)));
        check("2.0.33S-20200101", Some((2, 0, 33)));
        check("3.1", Some((3, 1, 0)));
        check("2", Some((2, 0, 0)));
        check("2x.4", Some((2, 0, 0)));
        check("2.4x.9", Some((2, 4, 0)));
        check("2..4", Some((2, 0, 0)));
        check("99999.1", Some((u16::MAX, 1, 0)));
        check("Ver 2", None);
        check("", None);
        assert!(Version(2, 10, 0) > Version(2, 4, 9));
        assert_eq!(Version(2, 0, 33).to_string(), "2.0.33");
    }

    #[test]
    fn families() {
        let check = |query: &str, family: Family| {
            let hello = Hello::of(&Query::parse(query));
            assert_eq!(hello.family(), family, "{query}");
        };
        check("SN=1&options=all", Family::Original);
        check(
            "SN=1&options=all&pushver=2.4.1&DeviceType=att",
            Family::Attendance,
        );
        check("SN=1&options=all&pushver=2.2.14", Family::Attendance);
        check(
            "SN=1&options=all&pushver=2.0.34&DeviceType=att",
            Family::Attendance,
        );
        check(
            "SN=1&options=all&pushver=2.3.0&DeviceType=middle%20east",
            Family::Attendance,
        );
        check("SN=1&options=all&DeviceType=pid", Family::Attendance);
        check("SN=1&options=all&pushver=2.0.33S-20200101", Family::Manual);
        check(
            "SN=1&options=all&pushver=2.2.14&ComKey=88888888",
            Family::Manual,
        );
        check("SN=1&options=all&Stamp=2026-11-22T08:00:00", Family::Manual);
        check("SN=1&options=all&pushver=3.1.2", Family::Security);
        check(
            "SN=1&options=all&pushver=3.1.2&DeviceType=acc",
            Family::Security,
        );
        check("SN=1&options=all&DeviceType=ACC", Family::Security);
        check(
            "SN=1&options=all&pushver=3.0.1&DeviceType=att",
            Family::Attendance,
        );
    }

    #[test]
    fn what_other_requests_give_away() {
        let check = |query: &str, family: Option<Family>| {
            assert_eq!(Family::evident(&Query::parse(query)), family, "{query}");
        };
        check("SN=1&table=rtlog", Some(Family::Security));
        check(
            "SN=1&table=tabledata&tablename=user",
            Some(Family::Security),
        );
        check(
            "SN=1&table=ATTLOG&Stamp=2026-11-22T08:00:00",
            Some(Family::Manual),
        );
        check("SN=1&table=ATTLOG&Stamp=9999", None);
        check("SN=1&type=time", None);
    }

    #[test]
    fn keys_are_not_shown() {
        let hello = Hello::of(&Query::parse("SN=1&ComKey=88888888"));
        assert_eq!(hello.key(), Some("88888888"));
        assert!(!format!("{hello:?}").contains("8888"));
        let hello = Hello::of(&Query::parse("SN=1&pushcommkey=abc"));
        assert_eq!(hello.key(), Some("abc"));
    }
}

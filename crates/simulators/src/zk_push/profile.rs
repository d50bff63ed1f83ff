//! The generations of firmware, and in what they differ.

use std::fmt;
use std::str::FromStr;

/// A generation of firmware.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Profile {
    /// `a0`: before 2010. No version, no `table=`, four fields, stamps are packed times.
    A0,
    /// `v22`: push 2.2.14, seven fields, blanks in the request line.
    V22,
    /// `v24`: push 2.4.1, ten fields, uploads its parameters, repeats a batch until its lines are counted.
    V24,
    /// `v242`: push 2.4.2 of a face terminal, twelve fields with the UTC offset, otherwise as `v24`.
    V242,
    /// `b`: the branch of manual 3.2.0. Sixteen fields, ISO stamps, asks for the time, a key on every request.
    B,
    /// `essl`: `.aspx` and lower-case keys; fetches its settings at boot alone.
    Essl,
    /// `acc`: access control, push 3.1.2. It registers, and tells events instead of punches.
    Acc,
}

/// What a terminal sends as its stamp.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stamps {
    Packed,
    Iso,
    /// `9999`: the terminal keeps marks of its own.
    Own,
}

impl Profile {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::A0,
        Self::V22,
        Self::V24,
        Self::V242,
        Self::B,
        Self::Essl,
        Self::Acc,
    ];

    /// As on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::A0 => "a0",
            Self::V22 => "v22",
            Self::V24 => "v24",
            Self::V242 => "v242",
            Self::B => "b",
            Self::Essl => "essl",
            Self::Acc => "acc",
        }
    }

    pub(super) fn push_version(self) -> Option<&'static str> {
        match self {
            Self::A0 => None,
            Self::V22 | Self::Essl => Some("2.2.14"),
            Self::V24 => Some("2.4.1"),
            Self::V242 => Some("2.4.2"),
            Self::B => Some("2.0.36"),
            Self::Acc => Some("3.1.2"),
        }
    }

    pub(super) fn attlog_fields(self) -> usize {
        match self {
            Self::A0 => 4,
            Self::V22 | Self::Essl => 7,
            Self::V24 | Self::Acc => 10,
            Self::V242 => 12,
            Self::B => 16,
        }
    }

    pub(super) fn info_fields(self) -> usize {
        match self {
            Self::A0 | Self::V22 | Self::Essl | Self::B => 6,
            Self::V24 | Self::Acc => 10,
            Self::V242 => 13,
        }
    }

    pub(super) fn stamps(self) -> Stamps {
        match self {
            Self::A0 => Stamps::Packed,
            Self::B => Stamps::Iso,
            _ => Stamps::Own,
        }
    }

    /// Whether a record counts as delivered only when the answer counts the lines.
    pub(super) fn wants_counted_acks(self) -> bool {
        matches!(self, Self::V24 | Self::V242)
    }

    /// Whether it can upload its parameters and knows the tables of biometric templates.
    pub(super) fn is_modern(self) -> bool {
        matches!(self, Self::V24 | Self::V242)
    }

    pub(super) fn leaves_blanks_raw(self) -> bool {
        matches!(self, Self::A0 | Self::V22 | Self::B)
    }

    /// Whether it fetches its settings at boot alone, and not again after an outage.
    pub(super) fn connects_at_boot_alone(self) -> bool {
        self == Self::Essl
    }

    pub(super) fn suffix(self) -> &'static str {
        if self == Self::Essl { ".aspx" } else { "" }
    }

    /// A key of the query as this firmware writes it.
    pub(super) fn key(self, key: &str) -> String {
        match self {
            Self::Essl => key.to_ascii_lowercase(),
            _ => key.to_owned(),
        }
    }

    pub(super) fn content_type(self, table: &str) -> &'static str {
        let newer =
            matches!(self, Self::V242 | Self::Acc) || matches!(table, "BIODATA" | "options");
        match table {
            "ATTPHOTO" => "application/octet-stream",
            _ if newer => "application/push;charset=UTF-8",
            _ => "text/plain",
        }
    }
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// The text names no profile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownProfile(String);

impl fmt::Display for UnknownProfile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known = Profile::ALL.map(Profile::name).join(", ");
        write!(f, "no such profile: {}; known are {known}", self.0)
    }
}

impl std::error::Error for UnknownProfile {}

impl FromStr for Profile {
    type Err = UnknownProfile;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|profile| profile.name() == text);
        found.ok_or_else(|| UnknownProfile(text.to_owned()))
    }
}

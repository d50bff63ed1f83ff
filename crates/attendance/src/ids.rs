//! Identifiers. Row ids are newtypes so that an employee can never be passed where a device is meant.

use std::fmt;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

macro_rules! row_ids {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub i64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    )+};
}

row_ids! {
    /// A person of ours.
    EmployeeId,
    /// A configured device, not a connection to it.
    DeviceId,
    /// A stored punch.
    PunchId,
    /// What a person said about a day.
    CorrectionId,
    SiteId,
    DepartmentId,
    ShiftId,
    /// Somebody who may sign in.
    AccountId,
}

/// A person as a device knows them: ZKTeco `user_id` / PIN, Hikvision `employeeNo`.
///
/// Text, never a number: leading zeros and case matter. Held in place, not on the heap: a log of 100,000 punches has as many
/// of them, and allocating each would cost more than reading the log.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeviceUserId {
    /// UTF-8, filled up with NULs; so the derived order is that of the text.
    bytes: [u8; Self::MAX_LEN],
    len: u8,
}

impl DeviceUserId {
    /// Longest id any known terminal sends, in bytes.
    pub const MAX_LEN: usize = 32;

    /// The id without the NULs and blanks that pad it; `None` when nothing is left, it is too long to be one, or there are
    /// control characters inside.
    pub fn parse(raw: &str) -> Option<Self> {
        Self::from_bytes(raw.as_bytes())
    }

    /// The same, and `None` when it is no UTF-8.
    #[inline]
    pub fn from_bytes(raw: &[u8]) -> Option<Self> {
        // Most are short, printable and not padded: one pass, because a large log has many.
        let mut bytes = [0; Self::MAX_LEN];
        let mut printable = raw.len() <= Self::MAX_LEN;
        for (byte, from) in bytes.iter_mut().zip(raw) {
            printable &= (0x21..0x7f).contains(from);
            *byte = *from;
        }
        match printable && !raw.is_empty() {
            true => Some(Self {
                bytes,
                len: raw.len() as u8,
            }),
            false => Self::from_padded(raw),
        }
    }

    #[cold]
    fn from_padded(raw: &[u8]) -> Option<Self> {
        let id = std::str::from_utf8(raw).ok()?.trim_matches(['\0', ' ']);
        if id.is_empty() || id.contains(char::is_control) {
            return None;
        }
        let mut bytes = [0; Self::MAX_LEN];
        bytes.get_mut(..id.len())?.copy_from_slice(id.as_bytes());
        Some(Self {
            bytes,
            len: id.len() as u8,
        })
    }

    pub fn as_str(&self) -> &str {
        let id = &self.bytes[..usize::from(self.len)];
        std::str::from_utf8(id).expect("an id is made from text")
    }
}

impl fmt::Display for DeviceUserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_str().fmt(f)
    }
}

impl fmt::Debug for DeviceUserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("DeviceUserId").field(&self.as_str()).finish()
    }
}

impl Serialize for DeviceUserId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for DeviceUserId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| D::Error::custom("a device user id has 1 to 32 bytes"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn device_user_ids_keep_zeros_and_lose_padding() {
        let text = |raw: &str| DeviceUserId::parse(raw).map(|id| id.as_str().to_owned());
        assert_eq!(text("0042\0\0\0").as_deref(), Some("0042"));
        assert_eq!(text(" A-7 ").as_deref(), Some("A-7"));
        assert_eq!(text("\0\0"), None);
        assert_eq!(text("12\x0034"), None);
        assert_eq!(text(&"9".repeat(33)), None);
        assert_eq!(text("\u{627}\u{6f1}").as_deref(), Some("\u{627}\u{6f1}"));
        assert_eq!(text("4\u{85}2"), None, "a control character beyond ASCII");
        assert_eq!(DeviceUserId::from_bytes(b"4\xff2"), None);
    }

    #[test]
    fn device_user_ids_sort_as_their_text() {
        let mut ids = ["10", "9", "A", "\u{627}", "1", "100", "a"];
        let mut parsed = ids.map(|id| DeviceUserId::parse(id).expect("an id"));
        ids.sort_unstable();
        parsed.sort_unstable();
        assert_eq!(parsed.each_ref().map(DeviceUserId::as_str), ids);
    }
}

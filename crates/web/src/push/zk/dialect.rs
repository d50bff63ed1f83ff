//! How one terminal speaks, as it is kept with its device.

use serde::{Deserialize, Serialize};
use zk_proto::push::command::Dialect;
use zk_proto::push::hello::Family;
use zk_proto::push::request::SerialNumber;
use zk_proto::push::text::Charset;

/// What was learned of a terminal from its greetings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Spoken {
    pub(super) family: Family,
    /// It asked for the time as only the branch of manual 3.2.0 does, whatever its greeting looks like.
    pub(super) is_manual: bool,
    /// The version of the protocol, as it says it.
    pub(super) version: Option<String>,
    /// Of its menu, as it numbers them.
    pub(super) language: Option<u16>,
    /// It wants every command in an envelope.
    pub(super) wrapped: bool,
    /// It says the comm key, so whoever does not is somebody else.
    pub(super) says_key: bool,
    /// It tried to encrypt.
    pub(super) wants_keys: bool,
    /// By which it is registered, in the security family.
    pub(super) code: Option<String>,
}

impl Default for Spoken {
    fn default() -> Self {
        Self {
            family: Family::Attendance,
            is_manual: false,
            version: None,
            language: None,
            wrapped: false,
            says_key: false,
            wants_keys: false,
            code: None,
        }
    }
}

impl Spoken {
    /// Of one that never greeted it is the main line.
    pub(super) fn parse(text: &str) -> Self {
        serde_json::from_str(text).unwrap_or_default()
    }

    pub(super) fn to_json(&self) -> String {
        serde_json::to_string(self).expect("texts and truth values always serialise")
    }

    /// In which it reads texts.
    pub(super) fn charset(&self) -> Charset {
        Charset::of_language(self.language)
    }

    pub(super) fn dialect(&self, family: Family, serial: &SerialNumber) -> Dialect {
        Dialect {
            wrapped: self.wrapped.then(|| serial.clone()),
            ..Dialect::new(family)
        }
    }
}

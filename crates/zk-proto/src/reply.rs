//! Reply codes: they travel in the place of the command.

use std::fmt;

use crate::command;

/// Done; data may follow in the packet.
pub const ACK_OK: u16 = 2000;
/// Failed, unknown option, no such record.
pub const ACK_ERROR: u16 = 2001;
/// A key is required, or the key is wrong.
pub const ACK_UNAUTH: u16 = 2005;
pub const ACK_UNKNOWN: u16 = 65535;
pub const ACK_ERROR_CMD: u16 = 65533;
pub const ACK_ERROR_INIT: u16 = 65532;
pub const ACK_ERROR_DATA: u16 = 65531;
/// A large answer begins: its length follows, then [`DATA`] packets, then [`ACK_OK`].
pub const PREPARE_DATA: u16 = 1500;
/// A part of a large answer, or the whole of a small one.
pub const DATA: u16 = 1501;
/// Firmware of about 2025 to CONNECT, whatever the key: it no longer speaks this protocol.
pub const NEW_SDK_ONLY: u16 = 6001;
/// A SpeedFace in access-control mode to a log read: it does not offer its log here.
pub const LOG_NOT_OFFERED: u16 = 4989;

/// What a code means, for messages: a lower-case phrase that reads after "answered code 2001: ". Where the command is known
/// too, [`Condition::of`] knows more.
pub fn meaning(code: u16) -> &'static str {
    match code {
        ACK_OK => "done",
        PREPARE_DATA | DATA => "data",
        _ => Condition::of(0, code).meaning(),
    }
}

/// A command that was not carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it answered code {code}: {}", self.condition())]
pub struct Refusal {
    pub command: u16,
    pub code: u16,
}

impl Refusal {
    pub fn condition(&self) -> Condition {
        Condition::of(self.command, self.code)
    }
}

/// What is the matter when a terminal refuses a command. Displays as [`Condition::meaning`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    KeyNeeded,
    /// The answer to AUTH. Asking again with the same key may lock the terminal.
    KeyWrong,
    /// Firmware of about 2025 that no longer speaks this protocol, whatever the key.
    LegacyRefused,
    /// A SpeedFace in access-control mode.
    LogNotOffered,
    /// PREPARE_BUFFER is not known: there is no way to read logs and users that could be trusted.
    NoLargeAnswers,
    UnknownCommand,
    BadCommand,
    NotInitialised,
    BadData,
    /// Also an unknown option, and "no such record".
    Failed,
    /// A code that nobody has described.
    Other(u16),
}

impl Condition {
    /// What this code, which must be none that means success, says as the answer to this command.
    pub fn of(command: u16, code: u16) -> Self {
        match (command, code) {
            // Not every model has a code of its own for a wrong key.
            (command::AUTH, ACK_UNAUTH | ACK_ERROR) => Self::KeyWrong,
            (_, ACK_UNAUTH) => Self::KeyNeeded,
            (_, NEW_SDK_ONLY) => Self::LegacyRefused,
            (_, LOG_NOT_OFFERED) => Self::LogNotOffered,
            (command::PREPARE_BUFFER, ACK_UNKNOWN | ACK_ERROR_CMD) => Self::NoLargeAnswers,
            (_, ACK_UNKNOWN) => Self::UnknownCommand,
            (_, ACK_ERROR_CMD) => Self::BadCommand,
            (_, ACK_ERROR_INIT) => Self::NotInitialised,
            (_, ACK_ERROR_DATA) => Self::BadData,
            (_, ACK_ERROR) => Self::Failed,
            (_, code) => Self::Other(code),
        }
    }

    /// A lower-case phrase, with what to do where that is the point of it.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::KeyNeeded => "a comm key is needed",
            Self::KeyWrong => "the comm key is wrong",
            Self::LegacyRefused => {
                "this firmware no longer speaks the port 4370 protocol, use push"
            }
            Self::LogNotOffered => {
                "the log is not offered over this protocol, use push or attendance mode"
            }
            Self::NoLargeAnswers => "it cannot prepare large answers, use push or newer firmware",
            Self::UnknownCommand => "unknown command",
            Self::BadCommand => "bad command",
            Self::NotInitialised => "not initialised",
            Self::BadData => "bad data",
            Self::Failed => "failed",
            Self::Other(_) => "an unknown code",
        }
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.meaning())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions() {
        let check = |command, code, expected| {
            assert_eq!(Condition::of(command, code), expected, "{command}: {code}");
        };
        check(command::CONNECT, 2005, Condition::KeyNeeded);
        check(command::AUTH, 2005, Condition::KeyWrong);
        check(command::AUTH, 2001, Condition::KeyWrong);
        check(command::CONNECT, 6001, Condition::LegacyRefused);
        check(command::PREPARE_BUFFER, 4989, Condition::LogNotOffered);
        check(command::PREPARE_BUFFER, 65535, Condition::NoLargeAnswers);
        check(command::PREPARE_BUFFER, 65533, Condition::NoLargeAnswers);
        check(command::PREPARE_BUFFER, 2001, Condition::Failed);
        check(command::TEST_VOICE, 65535, Condition::UnknownCommand);
        check(command::TEST_VOICE, 65533, Condition::BadCommand);
        check(command::USER_WRQ, 65532, Condition::NotInitialised);
        check(command::USER_WRQ, 65531, Condition::BadData);
        check(command::USER_WRQ, 2002, Condition::Other(2002));
    }

    #[test]
    fn messages_say_what_to_do() {
        let refusal = |command, code| Refusal { command, code }.to_string();
        assert_eq!(
            refusal(command::CONNECT, 6001),
            "it answered code 6001: this firmware no longer speaks the port 4370 protocol, use push"
        );
        assert_eq!(
            refusal(command::AUTH, 2005),
            "it answered code 2005: the comm key is wrong"
        );
        assert_eq!(meaning(2000), "done");
        assert_eq!(meaning(2005), "a comm key is needed");
        assert_eq!(meaning(7), "an unknown code");
    }
}

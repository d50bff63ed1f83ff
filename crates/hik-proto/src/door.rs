//! The door: opening it, and in which state it is.

use crate::body::{DecodeError, Fields};
use crate::request::{NAMESPACE, Request};

/// What a door is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DoorCommand {
    /// For as long as the terminal is set to.
    Open,
    Close,
    AlwaysOpen,
    AlwaysClosed,
}

impl DoorCommand {
    /// Doors count from 1.
    pub fn request(self, door: u32) -> Request {
        let command = match self {
            Self::Open => "open",
            Self::Close => "close",
            Self::AlwaysOpen => "alwaysOpen",
            Self::AlwaysClosed => "alwaysClose",
        };
        let path = format!("/ISAPI/AccessControl/RemoteControl/door/{door}");
        let body = format!(
            "<RemoteControlDoor version=\"2.0\" xmlns=\"{NAMESPACE}\"><cmd>{command}</cmd></RemoteControlDoor>"
        );
        Request::xml(&path, body)
    }
}

/// How a door is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DoorState {
    Asleep,
    /// It stays open.
    AlwaysOpen,
    /// It stays closed, whoever comes.
    AlwaysClosed,
    Normal,
}

impl DoorState {
    /// Of a door, from `AcsWorkStatus`; `None` where the terminal does not tell.
    ///
    /// # Errors
    /// When the body is neither JSON nor XML.
    pub fn decode(body: &[u8], door: u32) -> Result<Option<Self>, DecodeError> {
        let fields = Fields::parse(body)?;
        let place = usize::try_from(door)
            .unwrap_or(usize::MAX)
            .saturating_sub(1);
        Ok(match fields.all("doorStatus").nth(place) {
            Some("1") => Some(Self::Asleep),
            Some("2") => Some(Self::AlwaysOpen),
            Some("3") => Some(Self::AlwaysClosed),
            Some("4") => Some(Self::Normal),
            _ => None,
        })
    }
}

/// Restarts the terminal.
pub fn reboot() -> Request {
    Request::xml("/ISAPI/System/reboot", String::new())
}

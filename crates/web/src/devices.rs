//! The condition of a device, as people say it.

use store::views::devices::DeviceRow;

use crate::text::{Msg, msg};

/// Whether a clock that is so many seconds ahead of ours is called off.
pub fn is_off(drift_s: i64) -> bool {
    drift_s.unsigned_abs() > ingest::CLOCK_TOLERANCE.unsigned_abs().as_secs()
}

/// What is the matter with a device, worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    /// Taken out by a person; only its punches stay.
    Removed,
    /// Switched off by a person.
    Disabled,
    /// Credentials were refused; nothing is tried before somebody edits the device.
    Refused,
    /// It answered, but as something else than it is registered as.
    NotIdentified,
    /// It does not answer.
    NoContact,
    /// It answers, and reading fails at a later step.
    ReadingFails,
    /// Registered without an address, and never seen.
    WaitingForAddress,
    /// Registered, and not read yet.
    NotReadYet,
    ClockOff,
    Well,
}

impl Condition {
    pub fn of(device: &DeviceRow) -> Self {
        let step = device.last_error_step.as_deref().unwrap_or_default();
        let failing = device.failing_since_ms.is_some() || device.needs_edit;
        if device.retired_ms.is_some() {
            Self::Removed
        } else if !device.enabled {
            Self::Disabled
        } else if device.needs_edit {
            Self::Refused
        } else if failing && step == "identify" {
            Self::NotIdentified
        } else if failing && matches!(step, "" | "resolve" | "connect" | "live") {
            Self::NoContact
        } else if failing {
            Self::ReadingFails
        } else if device.last_contact_ms.is_none() && device.address.is_none() {
            Self::WaitingForAddress
        } else if device.last_contact_ms.is_none() {
            Self::NotReadYet
        } else if device.clock_drift_s.is_some_and(is_off) {
            Self::ClockOff
        } else {
            Self::Well
        }
    }

    /// Its punches do not reach us.
    pub fn is_down(self) -> bool {
        matches!(
            self,
            Self::Refused | Self::NotIdentified | Self::NoContact | Self::ReadingFails
        )
    }

    /// It was read, and nothing says that it could not be read again.
    pub fn is_in_contact(self) -> bool {
        matches!(self, Self::Well | Self::ClockOff)
    }

    fn name(self) -> &'static str {
        match self {
            Self::Removed => "removed",
            Self::Disabled => "disabled",
            Self::Refused => "refused",
            Self::NotIdentified => "not-identified",
            Self::NoContact => "no-contact",
            Self::ReadingFails => "reading-fails",
            Self::WaitingForAddress => "waiting",
            Self::NotReadYet => "not-read",
            Self::ClockOff => "clock-off",
            Self::Well => "well",
        }
    }

    /// By itself: `No contact`.
    pub fn label(self) -> Msg {
        msg(format!("condition-{}", self.name()))
    }

    /// Within a sentence, before how long it has lasted: `no contact for`.
    pub fn notice(self) -> Msg {
        msg(format!("lasting-{}", self.name()))
    }

    /// Class of the dot; its shape differs, not only its colour.
    pub fn dot(self) -> &'static str {
        match self {
            Self::Well => "ok",
            Self::ClockOff
            | Self::WaitingForAddress
            | Self::NotReadYet
            | Self::Disabled
            | Self::Removed => "warn",
            _ => "down",
        }
    }
}

/// How many of them are in contact.
pub fn in_contact(devices: &[DeviceRow]) -> usize {
    let well = devices
        .iter()
        .filter(|device| Condition::of(device).is_in_contact());
    well.count()
}

/// Why a device is not polled, however often somebody asks for it; `None` when it is.
pub fn why_not_polled(device: &DeviceRow) -> Option<Msg> {
    let address = device.address.as_deref().unwrap_or_default();
    if device.retired_ms.is_some() {
        Some(msg("not-polled-removed"))
    } else if !device.enabled {
        Some(msg("not-polled-disabled"))
    } else if device.needs_edit {
        Some(msg("not-polled-refused"))
    } else if address.is_empty() {
        Some(msg("not-polled-address"))
    } else if !device.mode.split(',').any(|way| way.trim() == "poll") {
        Some(msg("not-polled-way"))
    } else {
        None
    }
}

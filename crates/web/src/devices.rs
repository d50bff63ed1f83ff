//! The condition of a device, as people say it.

use ingest::DeviceKind;
use jiff::{SignedDuration, Timestamp};
use store::views::devices::DeviceRow;

use crate::format;
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
    /// It used to call, and does not any more.
    NoCalls,
    /// It is read, and does not tell by itself what it should.
    NoPush,
    /// It answers, and reading fails at a later step.
    ReadingFails,
    /// Registered without an address, and never seen.
    WaitingForAddress,
    /// Registered, and never called.
    WaitingForCall,
    /// Registered, and not read yet.
    NotReadYet,
    ClockOff,
    Well,
}

impl Condition {
    pub fn of(device: &DeviceRow) -> Self {
        let step = failing_step(device);
        let failing = device.failing_since_ms.is_some() || device.needs_edit;
        if device.retired_ms.is_some() {
            Self::Removed
        } else if !device.enabled {
            Self::Disabled
        } else if device.needs_edit {
            Self::Refused
        } else if failing && step == "identify" {
            Self::NotIdentified
        } else if failing
            && is_of_calls(step)
            && device.last_error_step.is_none()
            && is_read(device)
        {
            Self::NoPush
        } else if failing && step == "call" {
            Self::NoCalls
        } else if failing && matches!(step, "" | "resolve" | "connect" | "live") {
            Self::NoContact
        } else if failing {
            Self::ReadingFails
        } else if device.last_contact_ms.is_none() && only_calls(device) {
            Self::WaitingForCall
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
            Self::Refused
                | Self::NotIdentified
                | Self::NoContact
                | Self::NoCalls
                | Self::ReadingFails
        )
    }

    /// It was read, and nothing says that it could not be read again.
    pub fn is_in_contact(self) -> bool {
        matches!(self, Self::Well | Self::ClockOff | Self::NoPush)
    }

    fn name(self) -> &'static str {
        match self {
            Self::Removed => "removed",
            Self::Disabled => "disabled",
            Self::Refused => "refused",
            Self::NotIdentified => "not-identified",
            Self::NoContact => "no-contact",
            Self::NoCalls => "no-calls",
            Self::NoPush => "no-push",
            Self::ReadingFails => "reading-fails",
            Self::WaitingForAddress => "waiting",
            Self::WaitingForCall => "waiting-call",
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
            | Self::NoPush
            | Self::WaitingForAddress
            | Self::WaitingForCall
            | Self::NotReadYet
            | Self::Disabled
            | Self::Removed => "warn",
            _ => "down",
        }
    }
}

/// Whether its punches may reach us in this way.
fn uses(device: &DeviceRow, way: &str) -> bool {
    device.mode.split(',').any(|used| used.trim() == way)
}

/// Whether it calls us, as far as it is set up for that.
pub fn calls(device: &DeviceRow) -> bool {
    uses(device, "push")
}

/// Whether its calls are the only way to it: nobody reads it.
pub fn only_calls(device: &DeviceRow) -> bool {
    let address = device.address.as_deref().unwrap_or_default();
    calls(device) && (address.is_empty() || !uses(device, "poll"))
}

/// What is known of a device may be so old: the board is read whole once a minute.
const KNOWN_FOR: SignedDuration = SignedDuration::from_mins(1);

/// The quickest way in of a device, live and push only while they are; `None` when it has none now.
pub fn quickest_way(device: &DeviceRow, now: Timestamp) -> Option<Msg> {
    let works = |way: &&str| match *way {
        "live" => device.live_since_ms.is_some(),
        "push" => {
            let last = device.last_call_ms.map(format::instant);
            calls(device)
                && last.is_some_and(|last| {
                    let delay_secs = device.call_delay_s.unwrap_or_default();
                    !ingest::has_missed_calls(last + KNOWN_FOR, delay_secs, now)
                })
        }
        way => uses(device, way),
    };
    let quickest = ["live", "push", "poll"].into_iter().find(works);
    quickest.map(|way| msg(format!("way-{way}")))
}

/// The step at which it fails: that of its calls, which are not read, before that of the last reading.
pub fn failing_step(device: &DeviceRow) -> &str {
    let of_calls = device.failing_step.as_deref();
    let of_calls = of_calls.filter(|step| is_of_calls(step));
    let of_reading = device.last_error_step.as_deref();
    of_calls.or(of_reading).unwrap_or_default()
}

fn is_of_calls(step: &str) -> bool {
    matches!(step, "call" | "upload" | "push")
}

/// Whether its punches come by readings too.
fn is_read(device: &DeviceRow) -> bool {
    let kind = DeviceKind::from_name(&device.kind);
    !only_calls(device) && kind.is_some_and(|kind| !kind.fetches_orders())
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
    } else if !uses(device, "poll") {
        Some(msg(match calls(device) {
            true => "not-polled-calls",
            false => "not-polled-way",
        }))
    } else if address.is_empty() {
        Some(msg("not-polled-address"))
    } else {
        None
    }
}

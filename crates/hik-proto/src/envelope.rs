//! What every notification says of the terminal that sends it, whatever it tells.

use crate::body::Fields;
use crate::sadp::normal_mac;
use crate::time::EventTime;

/// Of one body of a stream or push.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Envelope {
    /// The hardware address, in lower case with colons.
    pub hardware: Option<String>,
    /// What the terminal's clock showed: of a heartbeat now, of an event when it happened.
    pub time: Option<EventTime>,
}

impl Envelope {
    /// Reads what there is; nothing of a body that is neither XML nor JSON.
    pub fn read(body: &[u8]) -> Self {
        let Ok(fields) = Fields::parse(body) else {
            return Self::default();
        };
        Self {
            hardware: fields.text("macAddress").and_then(normal_mac),
            time: fields.text("dateTime").and_then(|text| text.parse().ok()),
        }
    }
}

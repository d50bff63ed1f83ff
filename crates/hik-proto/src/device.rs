//! Who a terminal says it is.

use crate::body::{DecodeError, Fields};

/// The answer of `/ISAPI/System/deviceInfo`, as far as we use it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceInfo {
    /// The full serial number, trimmed, never empty: model, date of manufacture, firmware, language and the 9 characters of
    /// the label, written together. OEM units send anything, so the pattern is never required.
    pub serial: String,
    /// The short serial, where the unit sends it apart (cameras do).
    pub short_serial: Option<String>,
    pub model: String,
    pub firmware: String,
    pub name: String,
    pub mac: Option<String>,
}

impl DeviceInfo {
    /// # Errors
    /// When the body is neither XML nor JSON, or names no serial number.
    pub fn decode(body: &[u8]) -> Result<Self, DecodeError> {
        let fields = Fields::parse(body)?;
        let text = |name| fields.text(name).unwrap_or_default().to_owned();
        Ok(Self {
            serial: fields
                .text("serialNumber")
                .ok_or(DecodeError::Missing("serialNumber"))?
                .to_owned(),
            short_serial: fields.text("subSerialNumber").map(str::to_owned),
            model: text("model"),
            firmware: text("firmwareVersion"),
            name: text("deviceName"),
            mac: fields.text("macAddress").map(str::to_owned),
        })
    }

    /// Whether `typed` names this terminal, in full or as on its label.
    pub fn has_serial(&self, typed: &str) -> bool {
        serial_matches(&self.serial, typed)
            || self
                .short_serial
                .as_deref()
                .is_some_and(|short| serial_matches(short, typed))
    }
}

/// What `/SDK/activateStatus` says, which needs no sign-in: whether anybody can sign in. A body that does not say so is no
/// terminal's.
pub fn is_activated(body: &[u8]) -> bool {
    let fields = Fields::parse(body).ok();
    let said = fields.as_ref().and_then(|fields| fields.text("Activated"));
    said.is_some_and(|said| said.eq_ignore_ascii_case("true") || said == "1")
}

/// Length of the serial number on the label, the tail of the full one.
const LABEL_LEN: usize = 9;

/// Whether `typed` is the serial number `full`, or the end of it that stands on the label. Case and blanks do not count; fewer
/// than 9 characters never match an end.
pub fn serial_matches(full: &str, typed: &str) -> bool {
    let plain = |text: &str| -> String {
        text.chars()
            .filter(|c| !c.is_whitespace())
            .flat_map(char::to_uppercase)
            .collect()
    };
    let (full, typed) = (plain(full), plain(typed));
    !typed.is_empty()
        && (full == typed || (typed.chars().count() >= LABEL_LEN && full.ends_with(&typed)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn full_serial_and_label_both_match() {
        let full = "DS-K1T342MFX-E120250307V043800ENGB9637211";
        for typed in [
            full,
            "GB9637211",
            " gb9637211 ",
            "GB963 7211",
            "ENGB9637211",
        ] {
            assert!(serial_matches(full, typed), "{typed}");
        }
        for typed in [
            "",
            "B9637211",
            "7211",
            "GB9637212",
            "XDS-K1T342MFX-E120250307V043800ENGB9637211",
        ] {
            assert!(!serial_matches(full, typed), "{typed}");
        }
        assert!(serial_matches("1234", "1234"), "an OEM serial may be short");
    }
}

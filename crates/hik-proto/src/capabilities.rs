//! What a terminal can do: as a whole, in its event search.

use crate::body::{DecodeError, Fields};

/// The answer of `/ISAPI/AccessControl/AcsEvent/capabilities?format=json`, as far as a search depends on it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EventCapabilities {
    /// Most rows of one page. Asking for more is clamped, or on some firmware answered by no rows at all.
    pub max_results: Option<u32>,
    /// Whether the search knows `beginSerialNo`. `false` only says that it is not listed.
    pub begin_serial: bool,
}

impl EventCapabilities {
    /// # Errors
    /// When the body is neither JSON nor XML.
    pub fn decode(body: &[u8]) -> Result<Self, DecodeError> {
        let fields = Fields::parse(body)?;
        Ok(Self {
            max_results: fields
                .text_in("maxResults", "@max")
                .and_then(|max| max.parse().ok())
                .filter(|max| *max > 0),
            begin_serial: fields.text_in("beginSerialNo", "@max").is_some(),
        })
    }
}

/// The answer of `/ISAPI/AccessControl/capabilities`. What is not named there is not supported.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AccessCapabilities {
    pub events: bool,
    pub event_total: bool,
    pub people: bool,
    /// People are deleted by a request that tells how far it has come.
    pub people_delete: bool,
    pub cards: bool,
    pub fingerprints: bool,
    pub faces: bool,
    pub door: bool,
    /// The keys for in and out can be configured.
    pub attendance_status: bool,
    /// Who listens to its events can be asked.
    pub listeners: bool,
    /// Most characters of an employee number; 32 nearly everywhere.
    pub employee_no_len: Option<usize>,
    /// Employee numbers are digits only.
    pub employee_no_digits: bool,
}

impl AccessCapabilities {
    /// # Errors
    /// When the body is neither XML nor JSON.
    pub fn decode(body: &[u8]) -> Result<Self, DecodeError> {
        let fields = Fields::parse(body)?;
        let characters = fields
            .text_in("characterType", "@opt")
            .or_else(|| fields.text("characterType"))
            .unwrap_or_default()
            .to_ascii_lowercase();
        let has = |word: &str| characters.split(',').any(|kind| kind.trim() == word);
        Ok(Self {
            events: fields.flag("isSupportAcsEvent"),
            event_total: fields.flag("isSupportAcsEventTotalNum"),
            people: fields.flag("isSupportUserInfo"),
            people_delete: fields.flag("isSupportUserInfoDetailDelete"),
            cards: fields.flag("isSupportCardInfo"),
            fingerprints: fields.flag("isSupportFingerPrintCfg"),
            faces: fields.flag("isSupportFDLib"),
            door: fields.flag("isSupportRemoteControlDoor"),
            attendance_status: fields.flag("isSupportAttendanceStatusModeCfg"),
            listeners: fields.flag("isSupportDeployInfo"),
            employee_no_len: fields
                .text_in("employeeNo", "@max")
                .and_then(|max| max.parse().ok())
                .filter(|max| *max > 0),
            employee_no_digits: !has("any") && (has("number") || has("digit") || has("numeric")),
        })
    }
}

/// The answer of `/ISAPI/System/capabilities`, as far as we ask.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SystemCapabilities {
    /// Events can be subscribed to, besides the plain stream.
    pub subscribe_events: bool,
}

impl SystemCapabilities {
    /// # Errors
    /// When the body is neither XML nor JSON.
    pub fn decode(body: &[u8]) -> Result<Self, DecodeError> {
        let fields = Fields::parse(body)?;
        Ok(Self {
            subscribe_events: fields.flag("isSupportSubscribeEvent"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_some_terminals_want_digits() {
        let of = |inner: &str| {
            let body =
                format!("<AccessControl><EmployeeNoInfo>{inner}</EmployeeNoInfo></AccessControl>");
            let found = AccessCapabilities::decode(body.as_bytes()).expect("capabilities");
            (found.employee_no_len, found.employee_no_digits)
        };
        let most = "<employeeNo min=\"1\" max=\"8\"/>";
        assert_eq!(
            of(&format!("{most}<characterType opt=\"number\"/>")),
            (Some(8), true)
        );
        assert_eq!(
            of("<characterType opt=\"any,number\"></characterType>"),
            (None, false)
        );
        assert_eq!(of(""), (None, false));
    }
}

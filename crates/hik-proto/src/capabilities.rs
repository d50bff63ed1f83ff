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
    /// Most bytes of an employee number; 32 nearly everywhere.
    pub employee_no_max: Option<u32>,
}

impl AccessCapabilities {
    /// # Errors
    /// When the body is neither XML nor JSON.
    pub fn decode(body: &[u8]) -> Result<Self, DecodeError> {
        let fields = Fields::parse(body)?;
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
            employee_no_max: fields
                .text_in("employeeNo", "@max")
                .and_then(|max| max.parse().ok())
                .filter(|max| *max > 0),
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

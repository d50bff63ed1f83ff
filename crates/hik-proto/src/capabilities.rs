//! What a terminal's event search can do.

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

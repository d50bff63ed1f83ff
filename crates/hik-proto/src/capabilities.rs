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

/// The answer of `/ISAPI/AccessControl/capabilities`, as far as writing depends on it. What is not listed is not known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AccessCapabilities {
    /// Most characters of an employee number.
    pub employee_no_len: Option<usize>,
    /// Employee numbers are digits only.
    pub employee_no_digits: bool,
}

impl AccessCapabilities {
    /// # Errors
    /// When the body is neither JSON nor XML.
    pub fn decode(body: &[u8]) -> Result<Self, DecodeError> {
        let fields = Fields::parse(body)?;
        let characters = fields
            .text_in("characterType", "@opt")
            .or_else(|| fields.text("characterType"))
            .unwrap_or_default()
            .to_ascii_lowercase();
        let has = |word: &str| characters.split(',').any(|kind| kind.trim() == word);
        Ok(Self {
            employee_no_len: fields
                .text_in("employeeNo", "@max")
                .and_then(|max| max.parse().ok())
                .filter(|max| *max > 0),
            employee_no_digits: !has("any") && (has("number") || has("digit") || has("numeric")),
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

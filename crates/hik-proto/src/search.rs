//! What the searches for events and people share: state, totals, and rows that fail alone.

use serde_json::value::RawValue;

use crate::body::{DecodeError, clean_text};

/// The `responseStatusStrg` of a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SearchState {
    /// Rows follow this page. Some firmware says so for ever.
    More,
    /// This is the last page, or the answer does not say.
    Complete,
    /// `NO MATCH`; one manual spells it `NO MATCHES`.
    NoMatch,
}

impl SearchState {
    pub(crate) fn from_text(text: Option<&str>) -> Self {
        let text = text.unwrap_or_default().trim().to_ascii_uppercase();
        if text == "MORE" {
            Self::More
        } else if text.starts_with("NO MATCH") {
            Self::NoMatch
        } else {
            Self::Complete
        }
    }
}

/// One row of a page, with its own text so that what cannot be understood can be kept.
#[derive(Clone, Debug, PartialEq)]
pub struct Row<T> {
    /// The row as sent; invalid bytes already replaced.
    pub json: String,
    /// The row, or why it cannot be understood: one lower-case phrase.
    pub value: Result<T, String>,
}

/// The object called `name` of a JSON answer.
pub(crate) fn member(body: &[u8], name: &'static str) -> Result<Box<RawValue>, DecodeError> {
    let text = clean_text(body);
    let mut members: std::collections::BTreeMap<String, Box<RawValue>> =
        serde_json::from_str(&text)?;
    members.remove(name).ok_or(DecodeError::Missing(name))
}

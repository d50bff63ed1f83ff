//! What forms share: errors beside their fields, and texts as people type them.

use std::fmt;

use store::StoreError;

use crate::text::{Msg, msg};

/// Errors of a form, each beside the field it is about.
#[derive(Debug, Default)]
pub(crate) struct Errors(Vec<(&'static str, String)>);

impl Errors {
    pub fn add(&mut self, field: &'static str, text: impl fmt::Display) {
        self.0.push((field, text.to_string()));
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The first error of a field.
    pub fn of(&self, field: &str) -> Option<&str> {
        let found = self.0.iter().find(|(name, _)| *name == field);
        found.map(|(_, text)| text.as_str())
    }

    /// All of them, for the list at the top of the form.
    pub fn all(&self) -> &[(&'static str, String)] {
        &self.0
    }
}

/// A text without blanks around it; `None` when nothing is left.
pub(crate) fn filled(text: &str) -> Option<String> {
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

/// Why the store did not take what was entered, beside the field it is about. What it says itself is for the command line.
pub(crate) fn refusal(error: &StoreError) -> Msg {
    match error {
        StoreError::Duplicate { value, .. } => msg("refused-taken").with("value", value),
        StoreError::Proven { serial_number } => msg("refused-proven").with("serial", serial_number),
        StoreError::NotFound { .. } => msg("refused-gone"),
        StoreError::Secret(_) => msg("refused-secret"),
        StoreError::LastOwner => msg("refused-last-owner"),
        StoreError::Closed { workday } => msg("refused-closed").with("day", workday),
        error => {
            // The pages check what they are sent, so this is our mistake, or somebody's own request.
            tracing::warn!(
                error = error as &dyn std::error::Error,
                "a form was refused by the store"
            );
            msg("refused-invalid")
        }
    }
}

/// A message of a terminal or a file as a sentence.
pub(crate) fn sentence(message: &impl fmt::Display) -> String {
    let message = message.to_string();
    let mut letters = message.chars();
    let Some(first) = letters.next() else {
        return message;
    };
    format!("{}{}.", first.to_uppercase(), letters.as_str())
}

/// Only paths of ours are followed after signing in. Browsers strip tabs and line ends from an address and read `\` as `/`,
/// so a path with anything but visible ASCII could lead elsewhere.
pub(crate) fn own_path(next: Option<&str>) -> Option<&str> {
    let plain = |byte: u8| byte.is_ascii_graphic() && byte != b'\\';
    next.filter(|path| path.starts_with('/') && !path.starts_with("//") && path.bytes().all(plain))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signing_in_leads_nowhere_else() {
        assert_eq!(
            own_path(Some("/day/2026-05-12?site=1")),
            Some("/day/2026-05-12?site=1")
        );
        for foreign in [
            "//evil.example",
            "/\\evil.example",
            "/\t/evil.example",
            "/\n/evil.example",
            "/day\\evil.example",
            "/\u{a0}/evil.example",
            "https://evil.example",
            "",
        ] {
            assert_eq!(own_path(Some(foreign)), None, "{foreign}");
        }
    }

    #[test]
    fn the_store_refuses_in_words_of_the_catalogue() {
        let value = "A1".to_owned();
        let duplicate = StoreError::Duplicate {
            what: "a device with serial number",
            value: value.clone(),
        };
        let proven = StoreError::Proven {
            serial_number: value,
        };
        let said = [duplicate, proven, StoreError::Invalid("a detail".into())];
        assert_eq!(
            said.map(|error| refusal(&error).to_string()),
            [
                "A1 exists already. Choose another.",
                "The terminal has answered with the serial number A1. Add another device instead.",
                "This cannot be stored. Look through the fields and send them again.",
            ]
        );
    }

    #[test]
    fn messages_of_terminals_become_sentences() {
        assert_eq!(sentence(&"it answered code 2005"), "It answered code 2005.");
    }
}

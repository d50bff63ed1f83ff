//! Text of bodies: UTF-8, or GB18030 where the terminal's language is Chinese.

use std::borrow::Cow;

use encoding_rs::GB18030;

/// Valid UTF-8, else valid GB18030, else every byte a Latin-1 character. Control characters become U+FFFD: no name has one, and
/// databases refuse some.
pub fn decode(bytes: &[u8]) -> Cow<'_, str> {
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => GB18030
            .decode_without_bom_handling_and_without_replacement(bytes)
            .unwrap_or_else(|| encoding_rs::mem::decode_latin1(bytes)),
    };
    match text.contains(char::is_control) {
        true => Cow::Owned(text.replace(char::is_control, "\u{fffd}")),
        false => text,
    }
}

/// What a terminal expects its answers in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Charset {
    #[default]
    Utf8,
    Gb18030,
}

impl Charset {
    /// By the `language` of the handshake.
    pub fn of_language(language: Option<u16>) -> Self {
        const SIMPLIFIED_CHINESE: u16 = 83;
        match language {
            Some(SIMPLIFIED_CHINESE) => Self::Gb18030,
            _ => Self::Utf8,
        }
    }

    /// Both have every character.
    pub fn encode(self, text: &str) -> Cow<'_, [u8]> {
        match self {
            Self::Utf8 => Cow::Borrowed(text.as_bytes()),
            Self::Gb18030 => GB18030.encode(text).0,
        }
    }
}

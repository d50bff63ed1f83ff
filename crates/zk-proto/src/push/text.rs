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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_first_encoding_that_fits() {
        assert_eq!(decode(b"J\xc3\xb6rg"), "J\u{f6}rg");
        assert_eq!(decode(b"\xd5\xc5\xce\xb0"), "\u{5f20}\u{4f1f}");
        assert_eq!(decode(b"Andr\xe9"), "Andr\u{e9}"); // half a character in GB18030
        assert_eq!(decode(b"A\0\tB"), "A\u{fffd}\u{fffd}B");
    }

    #[test]
    fn answers_in_the_terminals_language() {
        let chinese = Charset::of_language(Some(83));
        assert_eq!(chinese.encode("\u{5f20}\u{4f1f}"), &b"\xd5\xc5\xce\xb0"[..]);
        let english = Charset::of_language(Some(69));
        assert_eq!(english.encode("J\u{f6}rg"), &b"J\xc3\xb6rg"[..]);
        assert_eq!(Charset::of_language(None), Charset::Utf8);
    }

    proptest! {
        #[test]
        fn no_input_panics(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            prop_assert!(!decode(&bytes).contains(char::is_control));
        }

        #[test]
        fn utf8_is_itself(text in "[a-z\u{e0}-\u{2ff}\u{4e00}-\u{4eff} ]{0,20}") {
            prop_assert_eq!(decode(text.as_bytes()), text.as_str());
        }
    }
}

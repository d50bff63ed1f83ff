//! Texts in fixed fields, in whatever code page the terminal was set to.

use encoding_rs::{Encoding, GBK, UTF_8, WINDOWS_1256};

/// The bytes before the first NUL; all when there is none. What follows a NUL is left over from earlier contents.
#[inline]
pub fn until_nul(field: &[u8]) -> &[u8] {
    let end = field.iter().position(|byte| *byte == 0);
    &field[..end.unwrap_or(field.len())]
}

/// A user id: printable ASCII, cut at the first NUL, without blanks around it. `None` when empty or when anything else is in
/// it; then the record was cut at the wrong place.
#[inline]
pub(crate) fn user_id(field: &[u8]) -> Option<&[u8]> {
    // One loop with one exit: ids are short.
    let printable = |byte: &u8| (0x20..=0x7e).contains(byte);
    let end = field.iter().position(|byte| !printable(byte));
    let end = end.unwrap_or(field.len());
    if field.get(end).is_some_and(|byte| *byte != 0) {
        return None;
    }
    let id = field[..end].trim_ascii();
    (!id.is_empty()).then_some(id)
}

/// How a terminal writes names. It does not tell, so it is set by a person or found by [`NameEncoding::of`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NameEncoding {
    /// Newer firmware.
    #[default]
    Utf8,
    /// Chinese.
    Gbk,
    /// Arabic.
    Windows1256,
}

impl NameEncoding {
    /// The encoding that explains a whole user list. Only names depend on it, never whose punch something is.
    ///
    /// UTF-8 when every name is valid; it practically never is by accident. Otherwise Windows-1256 when all bytes beyond
    /// ASCII are Arabic letters there, then GBK when all are valid there: text in Arabic is often valid GBK too, while
    /// Chinese names hardly ever hit Arabic letters only. Otherwise UTF-8, with replacement characters.
    pub fn of<'a>(names: impl Iterator<Item = &'a [u8]> + Clone) -> Self {
        let all = |fits: fn(&[u8]) -> bool| names.clone().all(fits);
        if all(|name| std::str::from_utf8(without_cut_tail(name)).is_ok()) {
            Self::Utf8
        } else if all(is_arabic) {
            Self::Windows1256
        } else if all(is_gbk) {
            Self::Gbk
        } else {
            Self::Utf8
        }
    }

    /// The name before its first NUL, without blanks around it. What is invalid becomes U+FFFD; a character cut off at the
    /// end of the field is dropped.
    pub fn decode(self, field: &[u8]) -> String {
        let bytes = until_nul(field);
        let bytes = match self {
            Self::Utf8 => without_cut_tail(bytes),
            Self::Gbk => without_cut_pair(bytes),
            Self::Windows1256 => bytes,
        };
        let (text, _) = self.code_page().decode_without_bom_handling(bytes);
        text.trim().to_owned()
    }

    /// The name as the terminal stores it. `None` when a character has no place in this code page, or is a control character,
    /// which would end the name.
    pub fn encode(self, name: &str) -> Option<Vec<u8>> {
        if name.contains(char::is_control) {
            return None;
        }
        let (bytes, _, failed) = self.code_page().encode(name);
        (!failed).then(|| bytes.into_owned())
    }

    /// The beginning of a name that has at most `len` bytes when encoded: whole characters, for fields too short for all.
    pub fn fitting(self, name: &str, len: usize) -> &str {
        let ends = name.char_indices().map(|(at, c)| at + c.len_utf8());
        let fits = |end: &usize| {
            let (bytes, _, _) = self.code_page().encode(&name[..*end]);
            bytes.len() <= len
        };
        let end = ends.take_while(fits).last();
        name[..end.unwrap_or(0)].trim_end()
    }

    fn code_page(self) -> &'static Encoding {
        match self {
            Self::Utf8 => UTF_8,
            Self::Gbk => GBK,
            Self::Windows1256 => WINDOWS_1256,
        }
    }
}

/// Without the beginning of a UTF-8 character whose rest did not fit into the field.
fn without_cut_tail(bytes: &[u8]) -> &[u8] {
    match std::str::from_utf8(bytes) {
        Err(error) if error.error_len().is_none() => &bytes[..error.valid_up_to()],
        _ => bytes,
    }
}

/// Without the first half of a GBK character whose second half did not fit.
fn without_cut_pair(bytes: &[u8]) -> &[u8] {
    let mut at = 0;
    while at < bytes.len() {
        // 0x80 is the euro sign, by itself.
        let width = if bytes[at] <= 0x80 { 1 } else { 2 };
        if at + width > bytes.len() {
            return &bytes[..at];
        }
        at += width;
    }
    bytes
}

fn is_arabic(name: &[u8]) -> bool {
    let (text, failed) = WINDOWS_1256.decode_without_bom_handling(name);
    !failed
        && text
            .chars()
            .all(|c| c.is_ascii() || ('\u{620}'..='\u{6ff}').contains(&c))
}

fn is_gbk(name: &[u8]) -> bool {
    let (_, failed) = GBK.decode_without_bom_handling(without_cut_pair(name));
    !failed
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn user_ids_are_printable_ascii() {
        assert_eq!(user_id(b"00421\0\0\x7f"), Some(&b"00421"[..]));
        assert_eq!(user_id(b"A-7"), Some(&b"A-7"[..]));
        assert_eq!(user_id(b" 42 \0"), Some(&b"42"[..]));
        assert_eq!(user_id(b"\0\0\0"), None);
        assert_eq!(user_id(b"  \0"), None);
        assert_eq!(user_id(b"4\x012"), None);
        assert_eq!(user_id(b"4\xff"), None);
    }

    #[test]
    fn names_in_the_code_page_that_explains_the_list() {
        let check = |names: &[&[u8]], encoding, first: &str| {
            assert_eq!(NameEncoding::of(names.iter().copied()), encoding);
            assert_eq!(encoding.decode(names[0]), first);
        };
        check(&[b"Ana", b"J\xc3\xb6rg"], NameEncoding::Utf8, "Ana");
        check(&[b"J\xc3\xb6rg"], NameEncoding::Utf8, "J\u{f6}rg");
        check(
            &[b"\xd5\xc5\xce\xb0", b"Li"],
            NameEncoding::Gbk,
            "\u{5f20}\u{4f1f}",
        );
        check(
            &[b"\xc7\xcd\xe3\xcf", b"Ali"],
            NameEncoding::Windows1256,
            "\u{627}\u{62d}\u{645}\u{62f}",
        );
        // Neither: what is invalid is replaced, the rest stays.
        check(
            &[b"A\xf7 B", b"\xc7\xc7"],
            NameEncoding::Utf8,
            "A\u{fffd} B",
        );
    }

    #[test]
    fn characters_cut_at_the_end_of_the_field_are_dropped() {
        assert_eq!(NameEncoding::Utf8.decode(b"J\xc3"), "J");
        assert_eq!(NameEncoding::Gbk.decode(b"\xd5\xc5\xce"), "\u{5f20}");
        assert_eq!(
            NameEncoding::Gbk.decode(b"\xd5\xc5\x80"),
            "\u{5f20}\u{20ac}"
        );
        assert_eq!(NameEncoding::Utf8.decode(b"Ana\0\xff\xff"), "Ana");
    }

    #[test]
    fn names_are_written_in_the_code_page_of_the_terminal() {
        let check = |encoding: NameEncoding, name: &str, expected: Option<&[u8]>| {
            assert_eq!(encoding.encode(name).as_deref(), expected, "{name}");
        };
        check(NameEncoding::Utf8, "J\u{f6}rg", Some(b"J\xc3\xb6rg"));
        check(
            NameEncoding::Gbk,
            "\u{5f20}\u{4f1f}",
            Some(b"\xd5\xc5\xce\xb0"),
        );
        check(
            NameEncoding::Windows1256,
            "\u{627}\u{62d}\u{645}\u{62f}",
            Some(b"\xc7\xcd\xe3\xcf"),
        );
        check(NameEncoding::Windows1256, "\u{5f20}", None);
        check(NameEncoding::Gbk, "\u{62d}", None);
        check(NameEncoding::Utf8, "A\0B", None);
    }

    #[test]
    fn long_names_end_with_a_whole_character() {
        assert_eq!(NameEncoding::Utf8.fitting("J\u{f6}rg", 2), "J");
        assert_eq!(NameEncoding::Utf8.fitting("J\u{f6}rg", 3), "J\u{f6}");
        assert_eq!(NameEncoding::Utf8.fitting("Ana Maria", 4), "Ana");
        assert_eq!(NameEncoding::Utf8.fitting("Ana", 40), "Ana");
        assert_eq!(NameEncoding::Gbk.fitting("\u{5f20}\u{4f1f}", 3), "\u{5f20}");
    }

    proptest! {
        #[test]
        fn no_input_panics(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            let encoding = NameEncoding::of([bytes.as_slice()].into_iter());
            encoding.decode(&bytes);
            NameEncoding::Gbk.decode(&bytes);
            user_id(&bytes);
        }

        #[test]
        fn what_is_written_is_read(
            name in "[a-z]{0,5}[\u{4e00}-\u{4eff}\u{627}-\u{64a}\u{20ac}a-z ]{0,10}", len in 0usize..30,
        ) {
            for encoding in [NameEncoding::Utf8, NameEncoding::Gbk, NameEncoding::Windows1256] {
                if let Some(bytes) = encoding.encode(&name) {
                    prop_assert_eq!(encoding.decode(&bytes), name.trim());
                }
                let cut = encoding.fitting(&name, len);
                prop_assert!(name.starts_with(cut));
                if let Some(bytes) = encoding.encode(cut) {
                    prop_assert!(bytes.len() <= len);
                }
            }
        }
    }
}

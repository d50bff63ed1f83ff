//! Bodies as lines, lines as `key=value` fields, and what is wrong with a line that says nothing usable.

use std::fmt;

use super::text;

/// The longest line that is looked into, but for those with templates and pictures. The longest legal one has a position in Base64
/// at its end.
pub(super) const LINE_LIMIT: usize = 16 * 1024;

/// The longest user id that is taken; terminals have up to 24 characters.
pub(super) const PIN_LIMIT: usize = 32;

/// The lines of a body that are not blank, without CR and NUL at their ends. The last needs no line feed; a byte order mark in front
/// is no part of the first.
pub fn lines(body: &[u8]) -> Lines<'_> {
    let rest = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    Lines { rest }
}

#[derive(Clone, Debug)]
pub struct Lines<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Lines<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        while !self.rest.is_empty() {
            let end = self.rest.iter().position(|byte| *byte == b'\n');
            let end = end.unwrap_or(self.rest.len());
            let line = trim(&self.rest[..end], |byte| matches!(byte, b'\r' | 0));
            self.rest = self.rest.get(end + 1..).unwrap_or_default();
            if !line.iter().all(u8::is_ascii_whitespace) {
                return Some(line);
            }
        }
        None
    }
}

fn trim(mut bytes: &[u8], drop: fn(u8) -> bool) -> &[u8] {
    while let [first, rest @ ..] = bytes
        && drop(*first)
    {
        bytes = rest;
    }
    while let [rest @ .., last] = bytes
        && drop(*last)
    {
        bytes = rest;
    }
    bytes
}

/// A line that was received and cannot be used. It counts as taken care of: the terminal would send it for ever.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct BadLine<'a> {
    /// As received. May hold passwords and templates; [`Self::text`] does not.
    pub bytes: &'a [u8],
    pub reason: Reason,
}

/// What is wrong with a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Reason {
    #[error("the line is longer than any record")]
    TooLong,
    #[error("the line has a NUL byte inside")]
    Nul,
    #[error("the line has too few fields")]
    TooFewFields,
    #[error("the line has no user id")]
    NoUser,
    #[error("the user id has blanks or characters that no user id has")]
    User,
    #[error("the user id is longer than any user id")]
    UserTooLong,
    #[error("the time is not readable")]
    Time,
    #[error("the time does not exist")]
    NoSuchTime,
    #[error("a number in the line is not readable")]
    Number,
    #[error("the line has no form that is known")]
    Form,
}

impl Reason {
    /// A word for stored lines and counters; does not change.
    pub fn code(self) -> &'static str {
        match self {
            Self::TooLong => "too_long",
            Self::Nul => "nul",
            Self::TooFewFields => "too_few_fields",
            Self::NoUser => "no_user",
            Self::User => "user",
            Self::UserTooLong => "user_too_long",
            Self::Time => "time",
            Self::NoSuchTime => "no_such_time",
            Self::Number => "number",
            Self::Form => "form",
        }
    }
}

impl<'a> BadLine<'a> {
    pub(super) fn new(bytes: &'a [u8], reason: Reason) -> Self {
        Self { bytes, reason }
    }

    /// At most 2,000 characters of the line to be kept and shown: tabs as blanks, other control characters as U+FFFD, passwords and
    /// templates left out.
    pub fn text(&self) -> String {
        const LIMIT: usize = 2000;
        let mut shown = String::new();
        for field in self.bytes.split(|byte| *byte == b'\t') {
            if shown.len() >= LIMIT {
                break;
            }
            if !shown.is_empty() {
                shown.push(' ');
            }
            let field = &field[..field.len().min(LIMIT)];
            let at = field.iter().position(|byte| *byte == b'=');
            match at {
                Some(at) if is_secret(&field[..at]) => {
                    shown.push_str(&text::decode(&field[..=at]));
                    shown.push_str("***");
                }
                _ => shown.push_str(&text::decode(field)),
            }
        }
        shown.chars().take(LIMIT).collect()
    }
}

/// Whether the field with this name, perhaps after the word of its line, holds what must not be shown.
pub(super) fn is_secret(key: &[u8]) -> bool {
    const SECRETS: [&[u8]; 9] = [
        b"passwd",
        b"password",
        b"tmp",
        b"template",
        b"content",
        b"photo",
        b"authkey",
        b"comkey",
        b"pushcommkey",
    ];
    let key = key.trim_ascii();
    let name = key.rsplit(|byte| matches!(byte, b' ' | b'~'));
    let name = name.into_iter().next().unwrap_or_default();
    SECRETS
        .iter()
        .any(|secret| name.eq_ignore_ascii_case(secret))
}

impl fmt::Debug for BadLine<'_> {
    /// Without what must not be shown.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BadLine")
            .field("text", &self.text())
            .field("reason", &self.reason)
            .finish()
    }
}

/// A line of `key=value` fields with tabs between. Looked up without regard to case; the first of a name counts.
#[derive(Clone, Copy)]
pub(super) struct Fields<'a>(pub(super) &'a [u8]);

impl<'a> Fields<'a> {
    /// Without blanks around it. Present and empty is not absent.
    pub(super) fn get(self, key: &str) -> Option<&'a [u8]> {
        let fields = self.0.split(|byte| *byte == b'\t');
        fields
            .filter_map(|field| {
                let at = field.iter().position(|byte| *byte == b'=')?;
                let named = field[..at]
                    .trim_ascii()
                    .eq_ignore_ascii_case(key.as_bytes());
                named.then(|| field[at + 1..].trim_ascii())
            })
            .next()
    }

    /// The first of these names that is there.
    pub(super) fn any(self, keys: &[&str]) -> Option<&'a [u8]> {
        keys.iter().find_map(|key| self.get(key))
    }

    pub(super) fn text(self, keys: &[&str]) -> Option<String> {
        self.any(keys).map(|value| text::decode(value).into_owned())
    }

    pub(super) fn number<T: std::str::FromStr>(self, keys: &[&str]) -> Option<T> {
        number(self.any(keys)?)
    }

    pub(super) fn pin(self) -> Result<&'a str, Reason> {
        pin(self.get("pin").unwrap_or_default())
    }
}

/// A user id: printable ASCII without blanks inside, as it was sent. `0` is one.
pub(super) fn pin(field: &[u8]) -> Result<&str, Reason> {
    let field = field.trim_ascii();
    if field.is_empty() {
        return Err(Reason::NoUser);
    }
    if !field.iter().all(u8::is_ascii_graphic) {
        return Err(Reason::User);
    }
    if field.len() > PIN_LIMIT {
        return Err(Reason::UserTooLong);
    }
    std::str::from_utf8(field).map_err(|_| Reason::User)
}

pub(super) fn number<T: std::str::FromStr>(field: &[u8]) -> Option<T> {
    std::str::from_utf8(field.trim_ascii()).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_must_not_be_shown_is_not() {
        let line = b"USER Name=Ana\tPasswd=1234\tTMP=SghT\xff\tCard=\x01";
        let bad = BadLine::new(line, Reason::NoUser);
        assert_eq!(bad.text(), "USER Name=Ana Passwd=*** TMP=*** Card=\u{fffd}");
        assert!(!format!("{bad:?}").contains("1234"));
        // The first field too.
        let bad = BadLine::new(b"USER Passwd=1234", Reason::NoUser);
        assert_eq!(bad.text(), "USER Passwd=***");
    }

    #[test]
    fn long_lines_are_shown_in_part() {
        let line = b"x\t".repeat(1 << 19);
        assert!(BadLine::new(&line, Reason::TooLong).text().len() <= 2000);
        let line = vec![0xff; 1 << 20];
        let shown = BadLine::new(&line, Reason::TooLong).text();
        assert_eq!(shown.chars().count(), 2000);
    }

    #[test]
    fn codes_are_all_different() {
        let all = [
            Reason::TooLong,
            Reason::Nul,
            Reason::TooFewFields,
            Reason::NoUser,
            Reason::User,
            Reason::UserTooLong,
            Reason::Time,
            Reason::NoSuchTime,
            Reason::Number,
            Reason::Form,
        ];
        let codes: std::collections::BTreeSet<_> = all.iter().map(|reason| reason.code()).collect();
        assert_eq!(codes.len(), all.len());
    }

    #[test]
    fn fields_by_name() {
        let fields = Fields(b" pin =7\tNAME= Ana \tTmp=a=b==\tPin=8\tEmpty=");
        assert_eq!(fields.get("PIN"), Some(&b"7"[..]));
        assert_eq!(fields.get("name"), Some(&b"Ana"[..]));
        assert_eq!(fields.get("tmp"), Some(&b"a=b=="[..]));
        assert_eq!(fields.get("empty"), Some(&b""[..]));
        assert_eq!(fields.get("other"), None);
    }

    proptest! {
        #[test]
        fn no_input_panics(line in proptest::collection::vec(any::<u8>(), 0..100)) {
            let shown = BadLine::new(&line, Reason::Form).text();
            prop_assert!(!shown.contains(char::is_control));
            let _ = pin(&line);
            for line in lines(&line) {
                prop_assert!(!line.is_empty() && !line.contains(&b'\n'));
            }
        }
    }
}

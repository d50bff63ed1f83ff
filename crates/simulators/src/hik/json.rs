//! JSON as the terminals print it: LF and TAB, a TAB after each colon (cJSON style), keys in a fixed order.
//!
//! Only printing; request bodies are read with `serde_json`.

use super::fault::Fault;
use super::xml::escape;

/// A value to print. Keys keep their order, which `serde_json`'s map would not.
#[derive(Debug, Clone)]
pub(super) enum Json {
    Int(i64),
    Bool(bool),
    Text(String),
    /// Text that may be no valid UTF-8; printed as it is, between quotes.
    Bytes(Vec<u8>),
    List(Vec<Json>),
    Object(Vec<(&'static str, Json)>),
}

/// Deviations of some firmware, see `Fault::StringNumbers` and `Fault::BareObject`.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Quirks {
    pub(super) string_numbers: bool,
    pub(super) bare_object: bool,
}

impl Quirks {
    pub(super) fn of(faults: &[Fault]) -> Self {
        Self {
            string_numbers: faults.contains(&Fault::StringNumbers),
            bare_object: faults.contains(&Fault::BareObject),
        }
    }
}

impl Json {
    pub(super) fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    pub(super) fn print(&self, quirks: Quirks) -> Vec<u8> {
        let mut out = Vec::with_capacity(256);
        self.write(&mut out, 0, quirks);
        out.push(b'\n');
        out
    }

    /// The same as XML elements named like the keys; a list repeats its element.
    pub(super) fn print_xml(&self, out: &mut Vec<u8>) {
        match self {
            Self::Int(number) => out.extend_from_slice(number.to_string().as_bytes()),
            Self::Bool(value) => out.extend_from_slice(value.to_string().as_bytes()),
            Self::Text(text) => out.extend_from_slice(escape(text).as_bytes()),
            Self::Bytes(bytes) => out.extend_from_slice(bytes),
            Self::List(items) => items.iter().for_each(|item| item.print_xml(out)),
            Self::Object(fields) => {
                for (key, value) in fields {
                    out.extend_from_slice(format!("<{key}>").as_bytes());
                    if matches!(value, Self::Object(_)) {
                        out.push(b'\n');
                    }
                    value.print_xml(out);
                    out.extend_from_slice(format!("</{key}>\n").as_bytes());
                }
            }
        }
    }

    fn write(&self, out: &mut Vec<u8>, depth: usize, quirks: Quirks) {
        match self {
            Self::Int(number) if quirks.string_numbers => {
                out.extend_from_slice(format!("\"{number}\"").as_bytes());
            }
            Self::Int(number) => out.extend_from_slice(number.to_string().as_bytes()),
            Self::Bool(value) => out.extend_from_slice(value.to_string().as_bytes()),
            Self::Text(text) => write_text(out, text.as_bytes()),
            Self::Bytes(bytes) => write_text(out, bytes),
            Self::List(items) => match items.as_slice() {
                [only] if quirks.bare_object => only.write(out, depth, quirks),
                items => {
                    out.push(b'[');
                    for (index, item) in items.iter().enumerate() {
                        if index > 0 {
                            out.extend_from_slice(b", ");
                        }
                        item.write(out, depth + 1, quirks);
                    }
                    out.push(b']');
                }
            },
            Self::Object(fields) => {
                out.extend_from_slice(b"{\n");
                for (index, (key, value)) in fields.iter().enumerate() {
                    out.extend(std::iter::repeat_n(b'\t', depth + 1));
                    out.extend_from_slice(format!("\"{key}\":\t").as_bytes());
                    value.write(out, depth + 1, quirks);
                    out.extend_from_slice(if index + 1 < fields.len() {
                        b",\n"
                    } else {
                        b"\n"
                    });
                }
                out.extend(std::iter::repeat_n(b'\t', depth));
                out.push(b'}');
            }
        }
    }
}

impl From<bool> for Json {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<u32> for Json {
    fn from(number: u32) -> Self {
        Self::Int(number.into())
    }
}

impl From<u16> for Json {
    fn from(number: u16) -> Self {
        Self::Int(number.into())
    }
}

impl From<usize> for Json {
    fn from(number: usize) -> Self {
        Self::Int(i64::try_from(number).unwrap_or(i64::MAX))
    }
}

impl From<&str> for Json {
    fn from(text: &str) -> Self {
        Self::text(text)
    }
}

fn write_text(out: &mut Vec<u8>, bytes: &[u8]) {
    out.push(b'"');
    for &byte in bytes {
        match byte {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\t' => out.extend_from_slice(b"\\t"),
            0..=0x1f => out.extend_from_slice(format!("\\u{byte:04x}").as_bytes()),
            _ => out.push(byte),
        }
    }
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page() -> Json {
        Json::Object(vec![(
            "AcsEvent",
            Json::Object(vec![
                ("totalMatches", Json::Int(1)),
                (
                    "InfoList",
                    Json::List(vec![Json::Object(vec![
                        ("major", Json::Int(5)),
                        ("name", Json::text("A \"B\"\u{1}")),
                    ])]),
                ),
            ]),
        )])
    }

    fn check(quirks: Quirks, expected: &str) {
        assert_eq!(String::from_utf8(page().print(quirks)).unwrap(), expected);
    }

    #[test]
    fn prints_like_a_terminal() {
        check(
            Quirks::default(),
            "{\n\t\"AcsEvent\":\t{\n\t\t\"totalMatches\":\t1,\n\t\t\"InfoList\":\t[{\n\t\t\t\t\"major\":\t5,\n\t\t\t\t\"name\":\t\"A \\\"B\\\"\\u0001\"\n\t\t\t}]\n\t}\n}\n",
        );
    }

    #[test]
    fn quirks_change_numbers_and_lists_of_one() {
        check(
            Quirks {
                string_numbers: true,
                bare_object: true,
            },
            "{\n\t\"AcsEvent\":\t{\n\t\t\"totalMatches\":\t\"1\",\n\t\t\"InfoList\":\t{\n\t\t\t\"major\":\t\"5\",\n\t\t\t\"name\":\t\"A \\\"B\\\"\\u0001\"\n\t\t}\n\t}\n}\n",
        );
    }
}

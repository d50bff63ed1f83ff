//! What all bodies have in common: dirty text, XML or JSON whatever was asked for, numbers that may be strings.

use std::borrow::Cow;
use std::fmt;

use quick_xml::events::{BytesStart, Event};
use serde::de::{self, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

/// Why a body is not what was asked for.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    #[error("the body is no JSON: {0}")]
    Json(#[from] serde_json::Error),
    #[error("the body is no XML: {0}")]
    Xml(#[from] quick_xml::Error),
    /// Deeper, or with more or longer names, than any answer of a terminal.
    #[error("the body is nested or named beyond all reason")]
    Unreasonable,
    #[error("the body has no {0}")]
    Missing(&'static str),
    #[error("{field} is {found:?}, which is no {expected}")]
    Field {
        field: &'static str,
        found: String,
        expected: &'static str,
    },
}

/// A body as text that a parser accepts: bytes that are no UTF-8 become U+FFFD, control characters (a NUL-padded name) become
/// blanks. Outside strings both replacements are harmless, inside them they keep the rest of the page readable.
pub(crate) fn clean_text(bytes: &[u8]) -> Cow<'_, str> {
    let text = String::from_utf8_lossy(bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes));
    if text.contains(is_dirty) {
        Cow::Owned(blank_dirt(&text))
    } else {
        text
    }
}

/// The same for a value, where an escape (`\u0000` in JSON, `&#1;` in XML) can hide what the body does not show.
fn blank_dirt(text: &str) -> String {
    text.replace(is_dirty, " ")
}

fn is_dirty(c: char) -> bool {
    c.is_ascii_control() && !matches!(c, '\t' | '\r' | '\n')
}

/// A body flattened to its leaves: XML elements and attributes by local name, JSON members, in document order.
///
/// `?format=json` is ignored by some firmware and `Content-Type` may lie (hikvision.md, transport), so the first character decides.
/// An attribute `max` of XML is called `@max`, which is also how terminals write it in JSON.
#[derive(Debug, Default)]
pub(crate) struct Fields {
    leaves: Vec<Leaf>,
}

#[derive(Debug)]
struct Leaf {
    parent: String,
    name: String,
    value: String,
}

const MAX_DEPTH: usize = 32;
const MAX_LEAVES: usize = 10_000;
const MAX_NAME: usize = 128;

impl Fields {
    /// # Errors
    /// When the body is neither XML nor JSON, or larger in kind than any answer.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, DecodeError> {
        let text = clean_text(bytes);
        let mut fields = Self::default();
        if text.trim_start().starts_with('<') {
            fields.read_xml(&text)?;
        } else {
            let value: serde_json::Value = serde_json::from_str(&text)?;
            fields.read_json("", "", &value, 0)?;
        }
        Ok(fields)
    }

    /// The first leaf of that name, trimmed; `None` when there is none or it is empty.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.find(|leaf| leaf.name.eq_ignore_ascii_case(name))
    }

    /// Every leaf of that name that is not empty.
    pub(crate) fn texts<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let named = self.leaves.iter().filter(move |leaf| leaf.name == name);
        named
            .map(|leaf| leaf.value.trim())
            .filter(|value| !value.is_empty())
    }

    /// The first leaf of that name directly inside `parent`.
    pub(crate) fn text_in(&self, parent: &str, name: &str) -> Option<&str> {
        self.find(|leaf| leaf.name == name && leaf.parent == parent)
    }

    /// Every leaf of that name, trimmed: the elements of a list.
    pub(crate) fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.leaves
            .iter()
            .filter(move |leaf| leaf.name.eq_ignore_ascii_case(name))
            .map(|leaf| leaf.value.trim())
    }

    /// All leaves of that name directly inside a `parent`, without the empty ones.
    pub(crate) fn texts_in<'a>(
        &'a self,
        parent: &'a str,
        name: &'a str,
    ) -> impl Iterator<Item = &'a str> {
        let leaves = self.leaves.iter();
        let found = leaves.filter(move |leaf| leaf.name == name && leaf.parent == parent);
        let values = found.map(|leaf| leaf.value.trim());
        values.filter(|value| !value.is_empty())
    }

    /// Whether leaves stand directly inside an element of that name, in any case.
    pub(crate) fn has_parent(&self, name: &str) -> bool {
        let mut leaves = self.leaves.iter();
        leaves.any(|leaf| leaf.parent.eq_ignore_ascii_case(name))
    }

    pub(crate) fn number(&self, name: &str) -> Option<u32> {
        self.text(name)?.parse().ok()
    }

    /// Whether the first leaf of that name is true; one that is missing is not.
    pub(crate) fn flag(&self, name: &str) -> bool {
        self.text(name)
            .is_some_and(|value| value.eq_ignore_ascii_case("true") || value == "1")
    }

    fn find(&self, wanted: impl Fn(&Leaf) -> bool) -> Option<&str> {
        self.leaves
            .iter()
            .find(|leaf| wanted(leaf))
            .map(|leaf| leaf.value.trim())
            .filter(|value| !value.is_empty())
    }

    fn push(&mut self, parent: &str, name: &str, value: String) -> Result<(), DecodeError> {
        if self.leaves.len() >= MAX_LEAVES || name.len() > MAX_NAME || parent.len() > MAX_NAME {
            return Err(DecodeError::Unreasonable);
        }
        self.leaves.push(Leaf {
            parent: parent.to_owned(),
            name: name.to_owned(),
            value: blank_dirt(&value),
        });
        Ok(())
    }

    fn read_xml(&mut self, text: &str) -> Result<(), DecodeError> {
        let mut reader = quick_xml::Reader::from_str(text);
        reader.config_mut().allow_dangling_amp = true;
        let mut open: Vec<OpenElement> = Vec::new();
        loop {
            match reader.read_event()? {
                Event::Start(tag) => {
                    let name = self.read_attributes(&tag)?;
                    if let Some(parent) = open.last_mut() {
                        parent.has_children = true;
                    }
                    if open.len() >= MAX_DEPTH {
                        return Err(DecodeError::Unreasonable);
                    }
                    open.push(OpenElement {
                        name,
                        ..OpenElement::default()
                    });
                }
                Event::Empty(tag) => {
                    self.read_attributes(&tag)?;
                    if let Some(parent) = open.last_mut() {
                        parent.has_children = true;
                    }
                }
                Event::Text(text) => {
                    if let Some(element) = open.last_mut() {
                        element.text.push_str(&text.xml10_content());
                    }
                }
                Event::CData(text) => {
                    if let Some(element) = open.last_mut() {
                        element.text.push_str(&text.xml10_content());
                    }
                }
                Event::GeneralRef(reference) => {
                    if let Some(element) = open.last_mut() {
                        let character = match reference.resolve_char_ref()? {
                            Some(character) => Some(character),
                            None => named_character(&reference.xml10_content()),
                        };
                        element.text.extend(character);
                    }
                }
                Event::End(_) => {
                    if let Some(element) = open.pop()
                        && !element.has_children
                    {
                        let parent = open.last().map_or("", |parent| parent.name.as_str());
                        self.push(parent, &element.name, element.text)?;
                    }
                }
                Event::Eof => return Ok(()),
                Event::Decl(_) | Event::PI(_) | Event::DocType(_) | Event::Comment(_) => {}
            }
        }
    }

    /// Keeps the attributes of an element and returns its local name.
    fn read_attributes(&mut self, tag: &BytesStart<'_>) -> Result<String, DecodeError> {
        let name = String::from(tag.local_name().into_inner());
        for attribute in tag.attributes().flatten() {
            let key = attribute.key.local_name().into_inner();
            self.push(&name, &format!("@{key}"), attribute.value.into_owned())?;
        }
        Ok(name)
    }

    fn read_json(
        &mut self,
        parent: &str,
        name: &str,
        value: &serde_json::Value,
        depth: usize,
    ) -> Result<(), DecodeError> {
        use serde_json::Value;
        if depth > MAX_DEPTH {
            return Err(DecodeError::Unreasonable);
        }
        match value {
            Value::Object(members) => members
                .iter()
                .try_for_each(|(key, value)| self.read_json(name, key, value, depth + 1)),
            Value::Array(items) => items
                .iter()
                .try_for_each(|item| self.read_json(parent, name, item, depth + 1)),
            Value::Null => Ok(()),
            Value::String(text) => self.push(parent, name, text.clone()),
            Value::Bool(_) | Value::Number(_) => self.push(parent, name, value.to_string()),
        }
    }
}

#[derive(Default)]
struct OpenElement {
    name: String,
    text: String,
    has_children: bool,
}

fn named_character(name: &str) -> Option<char> {
    match name {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        _ => None,
    }
}

/// A list as terminals send it: an array, one bare object, or nothing at all when it is empty.
pub(crate) fn list(raw: Option<&RawValue>) -> Result<Vec<Box<RawValue>>, serde_json::Error> {
    match raw.map(|raw| raw.get()) {
        None | Some("null") => Ok(Vec::new()),
        Some(text) if text.starts_with('[') => serde_json::from_str(text),
        Some(text) => Ok(vec![serde_json::from_str(text)?]),
    }
}

/// A request body, members in the order of the struct.
pub(crate) fn encode_json(body: &impl serde::Serialize) -> String {
    serde_json::to_string(body).expect("texts and numbers always serialize")
}

/// For `deserialize_with`: `30`, `"30"`, `30.0`, or `None` for null and the empty string.
pub(crate) fn lenient_number<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<u64>, D::Error> {
    match deserializer.deserialize_any(Scalar)? {
        None => Ok(None),
        Some(text) if text.trim().is_empty() => Ok(None),
        Some(text) => text
            .trim()
            .parse()
            .map(Some)
            .map_err(|_| de::Error::custom(format!("{text:?} is no whole number"))),
    }
}

/// For `deserialize_with`: text, a number or a flag as text, or `None` for null. Not trimmed.
pub(crate) fn lenient_text<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<String>, D::Error> {
    deserializer.deserialize_any(Scalar)
}

/// Any JSON scalar as text. An object or a list where a scalar belongs counts as absent: an unknown dialect of a field nobody
/// needs must not cost the row.
struct Scalar;

impl<'de> Visitor<'de> for Scalar {
    type Value = Option<String>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number or a text")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Self::Value, E> {
        Ok(Some(value.to_string()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Self::Value, E> {
        Ok(Some(value.to_string()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Self::Value, E> {
        Ok(Some(value.to_string()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Self::Value, E> {
        Ok(Some(value.to_string()))
    }

    fn visit_str<E>(self, value: &str) -> Result<Self::Value, E> {
        Ok(Some(blank_dirt(value)))
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_none<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(None)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn xml_by_local_names_with_attributes_and_references() {
        let fields = Fields::parse(
            b"<?xml version=\"1.0\"?>\n<p:A xmlns:p=\"urn:x\"><p:name>Gate &amp; Co &#x41;</p:name><n max=\"30\"/><e></e></p:A>",
        )
        .expect("good XML");
        assert_eq!(fields.text("name"), Some("Gate & Co A"));
        assert_eq!(fields.text_in("A", "name"), Some("Gate & Co A"));
        assert_eq!(fields.text_in("n", "@max"), Some("30"));
        assert_eq!(fields.text("e"), None);
    }

    #[test]
    fn json_where_xml_was_asked() {
        let fields =
            Fields::parse(b"\n {\"A\":{\"n\":{\"@max\":30},\"flag\":true}}").expect("JSON");
        assert_eq!(fields.text_in("n", "@max"), Some("30"));
        assert_eq!(fields.text("flag"), Some("true"));
    }

    #[test]
    fn bodies_beyond_reason_are_refused() {
        let deep = "<a>".repeat(1000);
        assert!(matches!(
            Fields::parse(deep.as_bytes()),
            Err(DecodeError::Unreasonable)
        ));
        let wide = format!("<a>{}</a>", "<b>1</b>".repeat(MAX_LEAVES + 1));
        assert!(matches!(
            Fields::parse(wide.as_bytes()),
            Err(DecodeError::Unreasonable)
        ));
    }

    #[test]
    fn control_characters_and_broken_utf8_do_not_cost_the_page() {
        assert_eq!(clean_text(b"\xef\xbb\xbfa\0b\xffc\n"), "a b\u{fffd}c\n");
    }

    /// A database may refuse a text with NUL, and with it the whole reading.
    #[test]
    fn escaped_control_characters_become_blanks_too() {
        for body in [r#"{"name":"A\u0000da"}"#, "<a><name>A&#1;da</name></a>"] {
            let fields = Fields::parse(body.as_bytes()).expect("a good body");
            assert_eq!(fields.text("name"), Some("A da"), "{body}");
        }
        let mut json = serde_json::Deserializer::from_str(r#""A\u0000da""#);
        let name = lenient_text(&mut json).expect("a string");
        assert_eq!(name.as_deref(), Some("A da"));
    }
}

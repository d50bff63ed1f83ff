//! What the searches for events, people and cards share: pages with state, totals, and rows that fail alone.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::body::{DecodeError, clean_text, encode_json, lenient_number, lenient_text, list};
use crate::numbers::EmployeeNo;

/// A page of the list of people or of that of cards, of one person or of everybody. Old firmware sends those of everybody in any
/// case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListSearch {
    /// Fresh for each search, the same for all its pages.
    pub id: String,
    /// Row offset, not page number.
    pub position: u64,
    pub max_results: u32,
    pub of: Option<EmployeeNo>,
}

impl ListSearch {
    /// The body that asks for people.
    pub fn people(&self) -> String {
        self.encode_as("UserInfoSearchCond")
    }

    /// The body that asks for cards.
    pub fn cards(&self) -> String {
        self.encode_as("CardInfoSearchCond")
    }

    fn encode_as(&self, name: &str) -> String {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Condition<'a> {
            #[serde(rename = "searchID")]
            search_id: &'a str,
            search_result_position: u64,
            max_results: u32,
            #[serde(rename = "EmployeeNoList", skip_serializing_if = "Option::is_none")]
            of: Option<[One<'a>; 1]>,
        }
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct One<'a> {
            employee_no: &'a EmployeeNo,
        }
        let condition = Condition {
            search_id: &self.id,
            search_result_position: self.position,
            max_results: self.max_results,
            of: self.of.as_ref().map(|employee_no| [One { employee_no }]),
        };
        encode_json(&BTreeMap::from([(name, condition)]))
    }
}

/// What a page of any search says of itself, and its rows as they were sent.
pub(crate) struct SentPage {
    pub(crate) state: SearchState,
    pub(crate) total: Option<u64>,
    pub(crate) rows: Vec<Box<RawValue>>,
}

impl SentPage {
    /// The page in the member `name` of a body.
    ///
    /// # Errors
    /// When the body is no JSON or has no such member.
    pub(crate) fn decode(body: &[u8], name: &'static str) -> Result<Self, DecodeError> {
        #[derive(Deserialize)]
        struct Answer {
            #[serde(
                rename = "responseStatusStrg",
                default,
                deserialize_with = "lenient_text"
            )]
            state: Option<String>,
            #[serde(rename = "totalMatches", default, deserialize_with = "lenient_number")]
            total: Option<u64>,
            /// Each search has its own name for them, and some firmware another one.
            #[serde(
                default,
                alias = "InfoList",
                alias = "UserInfo",
                alias = "UserInfoList",
                alias = "CardInfo",
                alias = "CardInfoList"
            )]
            rows: Option<Box<RawValue>>,
        }
        let answer: Answer = serde_json::from_str(member(body, name)?.get())?;
        Ok(Self {
            state: SearchState::from_text(answer.state.as_deref()),
            total: answer.total,
            rows: list(answer.rows.as_deref())?,
        })
    }
}

/// The `responseStatusStrg` of a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SearchState {
    /// Rows follow this page. Some firmware says so for ever.
    More,
    /// `OK`: this is the last page. Only as true as the total beside it.
    Complete,
    /// `NO MATCH`; one manual spells it `NO MATCHES`.
    NoMatch,
    /// The answer does not say, or in words we do not know.
    Unknown,
}

impl SearchState {
    pub(crate) fn from_text(text: Option<&str>) -> Self {
        match text
            .unwrap_or_default()
            .trim()
            .to_ascii_uppercase()
            .as_str()
        {
            "MORE" => Self::More,
            "OK" => Self::Complete,
            text if text.starts_with("NO MATCH") => Self::NoMatch,
            _ => Self::Unknown,
        }
    }

    /// Whether rows follow the `read` ones, those of this page among them. The total decides where there is one: a state alone
    /// has been wrong both ways.
    pub fn has_more(self, read: u64, total: Option<u64>) -> bool {
        match (self, total) {
            (Self::NoMatch, _) => false,
            (_, Some(total)) => read < total,
            (Self::More | Self::Unknown, None) => true,
            (Self::Complete, None) => false,
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
fn member(body: &[u8], name: &'static str) -> Result<Box<RawValue>, DecodeError> {
    let text = clean_text(without_pictures(body));
    let mut members: BTreeMap<String, Box<RawValue>> = serde_json::from_str(&text)?;
    members.remove(name).ok_or(DecodeError::Missing(name))
}

/// The first part of an answer in parts: what was asked for, before the pictures that nobody wanted. Any other body as it is.
fn without_pictures(body: &[u8]) -> &[u8] {
    let find = |bytes: &[u8], wanted: &[u8]| {
        let mut places = bytes.windows(wanted.len().max(1));
        places.position(|place| place == wanted)
    };
    let start = body.iter().position(|byte| !byte.is_ascii_whitespace());
    let body = start.and_then(|start| body.get(start..)).unwrap_or(body);
    if !body.starts_with(b"--") {
        return body;
    }
    let boundary = body.split(|byte| *byte == b'\n').next().unwrap_or(body);
    let boundary = [b"\n", boundary.trim_ascii_end()].concat();
    let heads = [&b"\r\n\r\n"[..], b"\n\n"];
    let part = heads
        .iter()
        .filter_map(|blank| Some(find(body, blank)? + blank.len()))
        .min()
        .and_then(|begins| body.get(begins..))
        .unwrap_or_default();
    let ends = find(part, &boundary).unwrap_or(part.len());
    &part[..ends]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_parts(body: &str) {
        let found = member(body.as_bytes(), "AcsEvent").map(|event| event.get().to_owned());
        assert_eq!(found.expect(body), r#"{"a":"--x"}"#);
    }

    #[test]
    fn pictures_beside_the_answer_are_passed_over() {
        let json = r#"{"AcsEvent":{"a":"--x"}}"#;
        check_parts(json);
        let head = "Content-Type: application/json\r\nContent-Length: 24";
        let picture = "Content-Type: image/jpeg\r\n\r\n\u{1}{\r\n--x--\r\n";
        check_parts(&format!("--x\r\n{head}\r\n\r\n{json}\r\n--x\r\n{picture}"));
        check_parts(&format!("\r\n--x\n{head}\n\n{json}\n--x\n{picture}"));
        check_parts(&format!("--x\r\n{head}\r\n\r\n{json}"));
        for broken in ["--", "--x", "--x\r\n\r\n", "--\n\n--", "   ", ""] {
            assert!(member(broken.as_bytes(), "AcsEvent").is_err(), "{broken}");
        }
    }

    #[track_caller]
    fn check(text: Option<&str>, total: Option<u64>, more: bool) {
        let state = SearchState::from_text(text);
        assert_eq!(state.has_more(30, total), more, "{text:?} {total:?}");
    }

    #[test]
    fn the_total_decides_where_there_is_one() {
        for text in [Some("MORE"), Some("OK"), Some("ok"), Some("FAILED"), None] {
            check(text, Some(277), true);
            check(text, Some(30), false);
        }
        check(Some("NO MATCHES"), Some(277), false);
        check(Some("MORE"), None, true);
        check(None, None, true);
        check(Some("OK"), None, false);
    }
}

//! The people a terminal knows: their count and the paged search.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::body::{DecodeError, Fields, encode_json, lenient_number, lenient_text, list};
use crate::numbers::EmployeeNo;
use crate::search::{Row, SearchState, member};

/// A page of the people list, of one person or of everybody. Old firmware sends everybody in any case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeopleSearch {
    /// Fresh for each search, the same for all its pages.
    pub id: String,
    /// Row offset, not page number.
    pub position: u64,
    pub max_results: u32,
    pub of: Option<EmployeeNo>,
}

impl PeopleSearch {
    /// The request body.
    pub fn encode(&self) -> String {
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
        #[derive(Serialize)]
        #[serde(rename_all = "PascalCase")]
        struct Body<'a> {
            user_info_search_cond: Condition<'a>,
        }
        encode_json(&Body {
            user_info_search_cond: condition,
        })
    }
}

/// One page of the people list.
#[derive(Clone, Debug, PartialEq)]
pub struct PeoplePage {
    pub state: SearchState,
    pub total: Option<u64>,
    pub rows: Vec<Row<Person>>,
}

/// A person as the terminal knows them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// Opaque, never empty: `007` and `7` are two people.
    pub employee_no: String,
    pub name: String,
    /// `userType` is `administrators`.
    pub admin: bool,
    /// How many cards they have; `None` where the terminal does not count them.
    pub cards: Option<u64>,
}

/// Decodes a page of the people search. A row without an employee number is an error of its own, not of the page.
///
/// # Errors
/// When the body is no JSON or has no `UserInfoSearch`.
pub fn decode_people_page(body: &[u8]) -> Result<PeoplePage, DecodeError> {
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
        /// Some firmware calls it `UserInfoList`.
        #[serde(rename = "UserInfo", alias = "UserInfoList", default)]
        rows: Option<Box<RawValue>>,
    }
    let answer: Answer = serde_json::from_str(member(body, "UserInfoSearch")?.get())?;
    Ok(PeoplePage {
        state: SearchState::from_text(answer.state.as_deref()),
        total: answer.total,
        rows: list(answer.rows.as_deref())?
            .iter()
            .map(|raw| Row {
                json: raw.get().to_owned(),
                value: decode_person(raw.get()),
            })
            .collect(),
    })
}

fn decode_person(json: &str) -> Result<Person, String> {
    #[derive(Default, Deserialize)]
    #[serde(rename_all = "camelCase", default)]
    struct Known {
        #[serde(deserialize_with = "lenient_text")]
        employee_no: Option<String>,
        #[serde(deserialize_with = "lenient_text")]
        name: Option<String>,
        #[serde(deserialize_with = "lenient_text")]
        user_type: Option<String>,
        #[serde(rename = "numOfCard", deserialize_with = "lenient_number")]
        cards: Option<u64>,
    }
    let known: Known =
        serde_json::from_str(json).map_err(|error| format!("unreadable person: {error}"))?;
    Ok(Person {
        employee_no: known
            .employee_no
            .map(|number| number.trim().to_owned())
            .filter(|number| !number.is_empty())
            .ok_or("person without an employee number")?,
        name: known.name.unwrap_or_default().trim().to_owned(),
        admin: known.user_type.as_deref() == Some("administrators"),
        cards: known.cards,
    })
}

/// The number of people, from `GET /ISAPI/AccessControl/UserInfo/Count?format=json`.
///
/// # Errors
/// When the body is neither JSON nor XML, or has no `userNumber`.
pub fn decode_people_count(body: &[u8]) -> Result<u32, DecodeError> {
    Fields::parse(body)?
        .number("userNumber")
        .ok_or(DecodeError::Missing("userNumber"))
}

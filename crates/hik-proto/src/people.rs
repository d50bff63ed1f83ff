//! The people a terminal knows: their count and the pages of their list.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::body::{DecodeError, Fields, lenient_number, lenient_text};
use crate::search::{Row, SearchState, SentPage};

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
    let page = SentPage::decode(body, "UserInfoSearch")?;
    let row = |raw: &RawValue| Row {
        json: raw.get().to_owned(),
        value: decode_person(raw.get()),
    };
    Ok(PeoplePage {
        state: page.state,
        total: page.total,
        rows: page.rows.iter().map(|raw| row(raw)).collect(),
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

//! The cards of people: the paged search, and giving one to a person.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::body::{DecodeError, encode_json, lenient_number, lenient_text, list};
use crate::numbers::{CardNo, EmployeeNo};
use crate::request::{Method, Request};
use crate::search::{SearchState, member};

const RECORD: &str = "/ISAPI/AccessControl/CardInfo/Record?format=json";
const MODIFY: &str = "/ISAPI/AccessControl/CardInfo/Modify?format=json";
const SET_UP: &str = "/ISAPI/AccessControl/CardInfo/SetUp?format=json";

/// A card and whose it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Card {
    pub employee_no: EmployeeNo,
    pub card_no: CardNo,
}

impl Card {
    /// Gives the card to the person. Refused when somebody has it.
    pub fn record(&self) -> Request {
        Request::json(Method::Post, RECORD, self.body())
    }

    /// Makes it the card of this person. Refused when nobody has it.
    pub fn modify(&self) -> Request {
        Request::json(Method::Put, MODIFY, self.body())
    }

    /// Either, for firmware that has no other way.
    pub fn set_up(&self) -> Request {
        Request::json(Method::Put, SET_UP, self.body())
    }

    fn body(&self) -> String {
        #[derive(Serialize)]
        #[serde(rename_all = "PascalCase")]
        struct Body<'a> {
            card_info: CardInfo<'a>,
        }
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct CardInfo<'a> {
            employee_no: &'a EmployeeNo,
            card_no: &'a CardNo,
            card_type: &'static str,
        }
        encode_json(&Body {
            card_info: CardInfo {
                employee_no: &self.employee_no,
                card_no: &self.card_no,
                card_type: "normalCard",
            },
        })
    }
}

/// A page of the cards, of one person or of everybody. Old firmware sends those of everybody in any case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CardSearch {
    /// Fresh for each search, the same for all its pages.
    pub id: String,
    /// Row offset, not page number.
    pub position: u64,
    pub max_results: u32,
    pub of: Option<EmployeeNo>,
}

impl CardSearch {
    pub fn encode(&self) -> String {
        #[derive(Serialize)]
        #[serde(rename_all = "PascalCase")]
        struct Body<'a> {
            card_info_search_cond: Condition<'a>,
        }
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Condition<'a> {
            #[serde(rename = "searchID")]
            search_id: &'a str,
            search_result_position: u64,
            max_results: u32,
            #[serde(rename = "EmployeeNoList", skip_serializing_if = "Option::is_none")]
            of: Option<[Person<'a>; 1]>,
        }
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Person<'a> {
            employee_no: &'a EmployeeNo,
        }
        encode_json(&Body {
            card_info_search_cond: Condition {
                search_id: &self.id,
                search_result_position: self.position,
                max_results: self.max_results,
                of: self.of.as_ref().map(|employee_no| [Person { employee_no }]),
            },
        })
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CardPage {
    pub state: SearchState,
    pub total: Option<u64>,
    /// Rows that were sent, with those that name no card or nobody.
    pub rows: u64,
    pub cards: Vec<Card>,
}

/// # Errors
/// When the body is no JSON or has no `CardInfoSearch`.
pub fn decode_card_page(body: &[u8]) -> Result<CardPage, DecodeError> {
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
        #[serde(rename = "CardInfo", alias = "CardInfoList", default)]
        rows: Option<Box<RawValue>>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Known {
        #[serde(default, deserialize_with = "lenient_text")]
        employee_no: Option<String>,
        #[serde(default, deserialize_with = "lenient_text")]
        card_no: Option<String>,
    }
    let answer: Answer = serde_json::from_str(member(body, "CardInfoSearch")?.get())?;
    let rows = list(answer.rows.as_deref())?;
    let card = |raw: &RawValue| {
        let known: Known = serde_json::from_str(raw.get()).ok()?;
        Some(Card {
            employee_no: EmployeeNo::parse(&known.employee_no?)?,
            card_no: CardNo::parse(&known.card_no?)?,
        })
    };
    Ok(CardPage {
        state: SearchState::from_text(answer.state.as_deref()),
        total: answer.total,
        rows: rows.len() as u64,
        cards: rows.iter().filter_map(|raw| card(raw)).collect(),
    })
}

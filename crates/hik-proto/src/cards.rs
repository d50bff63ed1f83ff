//! The cards of people: the pages of their list, and giving one to a person.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::body::{DecodeError, encode_json, lenient_text};
use crate::numbers::{CardNo, EmployeeNo};
use crate::request::{Method, Request};
use crate::search::{SearchState, SentPage};

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

/// A page of the list of cards.
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
    #[serde(rename_all = "camelCase")]
    struct Known {
        #[serde(default, deserialize_with = "lenient_text")]
        employee_no: Option<String>,
        #[serde(default, deserialize_with = "lenient_text")]
        card_no: Option<String>,
    }
    let page = SentPage::decode(body, "CardInfoSearch")?;
    let card = |raw: &RawValue| {
        let known: Known = serde_json::from_str(raw.get()).ok()?;
        Some(Card {
            employee_no: EmployeeNo::parse(&known.employee_no?)?,
            card_no: CardNo::parse(&known.card_no?)?,
        })
    };
    Ok(CardPage {
        state: page.state,
        total: page.total,
        rows: page.rows.len() as u64,
        cards: page.rows.iter().filter_map(|raw| card(raw)).collect(),
    })
}

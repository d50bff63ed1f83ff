//! Deleting people, cards and faces.
//!
//! A terminal that is sent an empty list, or none, deletes everybody. So this module alone knows the paths, and makes each
//! request together with a list that cannot be empty.

use serde::Serialize;

use crate::body::{DecodeError, Fields, encode_json};
use crate::numbers::{CardNo, EmployeeNo, NonEmpty};
use crate::request::{Method, Request};

const PEOPLE_WITH_ALL: &str = "/ISAPI/AccessControl/UserInfoDetail/Delete?format=json";
const PEOPLE: &str = "/ISAPI/AccessControl/UserInfo/Delete?format=json";
const CARDS: &str = "/ISAPI/AccessControl/CardInfo/Delete?format=json";
const FACES: &str =
    "/ISAPI/Intelligent/FDLib/FDSearch/Delete?format=json&FDID=1&faceLibType=blackFD";

/// Deletes people with their cards, faces and fingerprints. The terminal answers before it is done: ask for
/// [`DeleteProgress`] once a second.
pub fn delete_people_with_all(people: &NonEmpty<EmployeeNo>) -> Request {
    #[derive(Serialize)]
    #[serde(rename_all = "PascalCase")]
    struct Body<'a> {
        user_info_detail: Detail<'a>,
    }
    #[derive(Serialize)]
    struct Detail<'a> {
        mode: &'static str,
        #[serde(rename = "EmployeeNoList")]
        list: Vec<Person<'a>>,
    }
    let body = Body {
        user_info_detail: Detail {
            mode: "byEmployeeNo",
            list: named(people),
        },
    };
    Request::json(Method::Put, PEOPLE_WITH_ALL, encode_json(&body))
}

/// The older way, done when it is answered.
pub fn delete_people(people: &NonEmpty<EmployeeNo>) -> Request {
    #[derive(Serialize)]
    #[serde(rename_all = "PascalCase")]
    struct Body<'a> {
        user_info_del_cond: Condition<'a>,
    }
    #[derive(Serialize)]
    #[serde(rename_all = "PascalCase")]
    struct Condition<'a> {
        employee_no_list: Vec<Person<'a>>,
    }
    let body = Body {
        user_info_del_cond: Condition {
            employee_no_list: named(people),
        },
    };
    Request::json(Method::Put, PEOPLE, encode_json(&body))
}

pub fn delete_cards(cards: &NonEmpty<CardNo>) -> Request {
    #[derive(Serialize)]
    #[serde(rename_all = "PascalCase")]
    struct Body<'a> {
        card_info_del_cond: Condition<'a>,
    }
    #[derive(Serialize)]
    #[serde(rename_all = "PascalCase")]
    struct Condition<'a> {
        card_no_list: Vec<Card<'a>>,
    }
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Card<'a> {
        card_no: &'a CardNo,
    }
    let body = Body {
        card_info_del_cond: Condition {
            card_no_list: cards.iter().map(|card_no| Card { card_no }).collect(),
        },
    };
    Request::json(Method::Put, CARDS, encode_json(&body))
}

/// Deletes the faces of these people from the library of visible light.
pub fn delete_faces(people: &NonEmpty<EmployeeNo>) -> Request {
    #[derive(Serialize)]
    struct Body<'a> {
        #[serde(rename = "FPID")]
        list: Vec<Value<'a>>,
    }
    #[derive(Serialize)]
    struct Value<'a> {
        value: &'a EmployeeNo,
    }
    let body = Body {
        list: people.iter().map(|value| Value { value }).collect(),
    };
    Request::json(Method::Put, FACES, encode_json(&body))
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Person<'a> {
    employee_no: &'a EmployeeNo,
}

fn named(people: &NonEmpty<EmployeeNo>) -> Vec<Person<'_>> {
    people
        .iter()
        .map(|employee_no| Person { employee_no })
        .collect()
}

/// How far the last [`delete_people_with_all`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeleteProgress {
    Processing,
    Done,
    Failed,
}

impl DeleteProgress {
    /// # Errors
    /// When the body is neither JSON nor XML, or has no status that is known.
    pub fn decode(body: &[u8]) -> Result<Self, DecodeError> {
        let fields = Fields::parse(body)?;
        let status = fields
            .text("status")
            .ok_or(DecodeError::Missing("status"))?;
        let is = |word: &str| status.eq_ignore_ascii_case(word);
        match () {
            () if is("processing") => Ok(Self::Processing),
            () if is("success") => Ok(Self::Done),
            () if is("failed") => Ok(Self::Failed),
            () => Err(DecodeError::Field {
                field: "status",
                found: status.to_owned(),
                expected: "processing, success or failed",
            }),
        }
    }
}

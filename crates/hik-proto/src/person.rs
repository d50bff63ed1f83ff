//! One person as a terminal stores them: read, changed, written, and compared with what is read back.

use std::collections::BTreeMap;

use jiff::civil::{DateTime, date};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::body::{encode_json, lenient_text};
use crate::numbers::EmployeeNo;
use crate::request::{Method, Request};
use crate::time::EventTime;

const RECORD: &str = "/ISAPI/AccessControl/UserInfo/Record?format=json";
const MODIFY: &str = "/ISAPI/AccessControl/UserInfo/Modify?format=json";
const SET_UP: &str = "/ISAPI/AccessControl/UserInfo/SetUp?format=json";

/// From when until when a person may pass, in the terminal's wall time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validity {
    /// The dates count. Otherwise the person may always pass.
    pub enabled: bool,
    pub begin: DateTime,
    pub end: DateTime,
}

impl Validity {
    /// The first and the last moment that every terminal takes.
    pub const EARLIEST: DateTime = date(2000, 1, 1).at(0, 0, 0, 0);
    pub const LATEST: DateTime = date(2037, 12, 31).at(23, 59, 59, 0);

    /// Without an end that matters.
    pub const ALWAYS: Self = Self {
        enabled: true,
        begin: Self::EARLIEST,
        end: Self::LATEST,
    };

    fn decode(value: &Value) -> Option<Self> {
        let time = |name| {
            let text = value.get(name)?.as_str()?;
            Some(text.parse::<EventTime>().ok()?.clock)
        };
        Some(Self {
            enabled: value
                .get("enable")
                .is_none_or(|enable| said(enable) == "true"),
            begin: time("beginTime")?,
            end: time("endTime")?,
        })
    }
}

/// A person in the terminal's list. What is not named here is kept as it was sent, to be compared afterwards.
#[derive(Clone, Debug, PartialEq)]
pub struct PersonRecord {
    pub employee_no: EmployeeNo,
    pub name: String,
    /// `normal`, `visitor`, `blackList`, `administrators`.
    pub user_type: String,
    /// `None` where the terminal does not tell.
    pub validity: Option<Validity>,
    /// The doors, with commas. Who has none is recognised and refused; `None` where the terminal does not tell.
    pub door_right: Option<String>,
    /// Which week plan holds at which door, as sent.
    right_plan: Option<Value>,
    others: BTreeMap<String, Value>,
}

/// A member in which a person is not as asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    pub member: String,
    pub asked: String,
    pub shown: String,
}

impl PersonRecord {
    pub const NORMAL: &'static str = "normal";
    pub const ADMIN: &'static str = "administrators";
    pub const BLOCKED: &'static str = "blackList";
    /// Bytes of a name, by the capabilities of a DS-K1T342MWX.
    pub const LONGEST_NAME: usize = 128;

    /// Somebody without a name who may pass door 1 at any time.
    pub fn new(employee_no: EmployeeNo) -> Self {
        Self {
            employee_no,
            name: String::new(),
            user_type: Self::NORMAL.to_owned(),
            validity: Some(Validity::ALWAYS),
            door_right: Some("1".to_owned()),
            right_plan: Some(serde_json::json!([{ "doorNo": 1, "planTemplateNo": "1" }])),
            others: BTreeMap::new(),
        }
    }

    /// From a row of the people search.
    ///
    /// # Errors
    /// Says why in one phrase: no object, or no employee number that can be one.
    pub fn decode(json: &str) -> Result<Self, String> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Known {
            #[serde(default, deserialize_with = "lenient_text")]
            employee_no: Option<String>,
            #[serde(default, deserialize_with = "lenient_text")]
            name: Option<String>,
            #[serde(default, deserialize_with = "lenient_text")]
            user_type: Option<String>,
            #[serde(default, deserialize_with = "lenient_text")]
            door_right: Option<String>,
            #[serde(rename = "Valid")]
            valid: Option<Value>,
            #[serde(rename = "RightPlan")]
            right_plan: Option<Value>,
            #[serde(flatten)]
            others: BTreeMap<String, Value>,
        }
        let known: Known =
            serde_json::from_str(json).map_err(|error| format!("unreadable person: {error}"))?;
        let number = known.employee_no.unwrap_or_default();
        Ok(Self {
            employee_no: EmployeeNo::parse(&number)
                .ok_or("person without a usable employee number")?,
            name: known.name.unwrap_or_default().trim().to_owned(),
            user_type: known.user_type.unwrap_or_else(|| Self::NORMAL.to_owned()),
            validity: known.valid.as_ref().and_then(Validity::decode),
            door_right: known.door_right,
            right_plan: known.right_plan.map(as_written),
            others: known.others,
        })
    }

    /// Whether the terminal shows that there is a password; many show none where there is one.
    pub fn shows_password(&self) -> bool {
        self.other("password").is_some_and(|text| !text.is_empty())
    }

    /// `None` where the terminal does not count them.
    pub fn faces(&self) -> Option<u32> {
        self.other("numOfFace")?.parse().ok()
    }

    pub fn cards(&self) -> Option<u32> {
        self.other("numOfCard")?.parse().ok()
    }

    fn other(&self, name: &str) -> Option<String> {
        self.others.get(name).map(said)
    }

    /// Creates the person. Refused when there is one with this number.
    pub fn record(&self, password: Option<&str>) -> Request {
        Request::json(Method::Post, RECORD, self.body(password))
    }

    /// Changes the person. Refused when there is none with this number.
    pub fn modify(&self, password: Option<&str>) -> Request {
        Request::json(Method::Put, MODIFY, self.body(password))
    }

    /// Creates or changes the person, for firmware that has no other way.
    pub fn set_up(&self, password: Option<&str>) -> Request {
        Request::json(Method::Put, SET_UP, self.body(password))
    }

    fn body(&self, password: Option<&str>) -> String {
        #[derive(Serialize)]
        #[serde(rename_all = "PascalCase")]
        struct Body<'a> {
            user_info: UserInfo<'a>,
        }
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct UserInfo<'a> {
            employee_no: &'a EmployeeNo,
            name: &'a str,
            user_type: &'a str,
            #[serde(rename = "Valid", skip_serializing_if = "Option::is_none")]
            valid: Option<Valid>,
            #[serde(skip_serializing_if = "Option::is_none")]
            door_right: Option<&'a str>,
            #[serde(rename = "RightPlan", skip_serializing_if = "Option::is_none")]
            right_plan: Option<&'a Value>,
            #[serde(skip_serializing_if = "Option::is_none")]
            password: Option<&'a str>,
        }
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Valid {
            enable: bool,
            begin_time: String,
            end_time: String,
            time_type: &'static str,
        }
        let valid = self.validity.map(|validity| Valid {
            enable: validity.enabled,
            begin_time: wall(validity.begin),
            end_time: wall(validity.end),
            time_type: "local",
        });
        encode_json(&Body {
            user_info: UserInfo {
                employee_no: &self.employee_no,
                name: &self.name,
                user_type: &self.user_type,
                valid,
                door_right: self.door_right.as_deref(),
                right_plan: self.right_plan.as_ref(),
                password,
            },
        })
    }

    /// Where the person that is shown is not as this one. Only what this one has is compared; numbers of credentials and
    /// addresses of pictures change by themselves, and passwords are mostly not shown.
    pub fn differences(&self, shown: &Self) -> Vec<Difference> {
        let mut found = Vec::new();
        let mut compare = |member: &str, asked: String, shown: String| {
            if asked != shown {
                found.push(Difference {
                    member: member.to_owned(),
                    asked,
                    shown,
                });
            }
        };
        compare(
            "name",
            format!("{:?}", self.name),
            format!("{:?}", shown.name),
        );
        compare("userType", self.user_type.clone(), shown.user_type.clone());
        if let Some(asked) = self.validity {
            let until = |validity: Validity| match validity.enabled {
                true => format!("from {} until {}", wall(validity.begin), wall(validity.end)),
                false => "always".to_owned(),
            };
            let shown = shown.validity.map_or("nothing".to_owned(), until);
            compare("Valid", until(asked), shown);
        }
        if let Some(asked) = &self.door_right {
            let shown = shown.door_right.clone().unwrap_or_default();
            compare("doorRight", asked.clone(), shown);
        }
        let right_plan = (
            "RightPlan",
            self.right_plan.as_ref(),
            shown.right_plan.as_ref(),
        );
        let others = self.others.iter();
        let others =
            others.map(|(name, asked)| (name.as_str(), Some(asked), shown.others.get(name)));
        for (name, asked, shown) in std::iter::once(right_plan).chain(others) {
            let Some(asked) = asked.filter(|_| !changes_by_itself(name)) else {
                continue;
            };
            if !shown.is_some_and(|shown| is_same(asked, shown)) {
                let shown = shown.map_or("nothing".to_owned(), said);
                compare(name, said(asked), shown);
            }
        }
        found
    }
}

/// A week plan in the form in which it is taken, whether a list of one was sent as its element or numbers as texts.
fn as_written(right_plan: Value) -> Value {
    let mut plans = match right_plan {
        Value::Array(plans) => plans,
        plan => vec![plan],
    };
    for plan in &mut plans {
        if let Some(door) = plan.get_mut("doorNo")
            && let Ok(number) = said(door).parse::<u32>()
        {
            *door = number.into();
        }
    }
    plans.into()
}

fn changes_by_itself(member: &str) -> bool {
    member == "password"
        || member.starts_with("numOf")
        || member.to_ascii_lowercase().ends_with("url")
}

/// Whether everything asked is shown, whether numbers are written as text or not, and a list of one as its element.
fn is_same(asked: &Value, shown: &Value) -> bool {
    match (asked, shown) {
        (Value::Array(asked), Value::Array(shown)) => {
            asked.len() == shown.len()
                && asked
                    .iter()
                    .zip(shown)
                    .all(|(asked, shown)| is_same(asked, shown))
        }
        (Value::Array(asked), shown) => matches!(&asked[..], [only] if is_same(only, shown)),
        (asked, Value::Array(shown)) => matches!(&shown[..], [only] if is_same(asked, only)),
        (Value::Object(asked), Value::Object(shown)) => asked
            .iter()
            .all(|(name, asked)| shown.get(name).is_some_and(|shown| is_same(asked, shown))),
        (asked, shown) => said(asked) == said(shown),
    }
}

fn said(value: &Value) -> String {
    match value {
        Value::String(text) => text.trim().to_owned(),
        value => value.to_string(),
    }
}

fn wall(clock: DateTime) -> String {
    clock.strftime("%Y-%m-%dT%H:%M:%S").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(text: &str) -> EmployeeNo {
        EmployeeNo::parse(text).expect("a number")
    }

    #[track_caller]
    fn check(shown: &str, expected: &[&str]) {
        let asked = PersonRecord {
            name: "Aziza".to_owned(),
            others: BTreeMap::from([
                ("gender".to_owned(), "unknown".into()),
                ("numOfCard".to_owned(), 0.into()),
            ]),
            ..PersonRecord::new(number("1042"))
        };
        let shown = PersonRecord::decode(shown).expect("a person");
        let found = asked.differences(&shown);
        let found: Vec<_> = found.iter().map(|one| one.member.as_str()).collect();
        assert_eq!(found, expected);
    }

    const ALWAYS: &str = r#""Valid":{"enable":true,"beginTime":"2000-01-01T00:00:00","endTime":"2037-12-31T23:59:59+05:00"}"#;

    #[test]
    fn what_is_shown_is_compared_with_what_was_asked() {
        let as_asked = format!(
            r#"{{"employeeNo":"1042","name":" Aziza ","userType":"normal",{ALWAYS},"doorRight":1,"RightPlan":{{"doorNo":"1","planTemplateNo":1,"more":2}},"gender":"unknown","numOfCard":3,"new":1}}"#
        );
        check(&as_asked, &[]);
        let cut = format!(
            r#"{{"employeeNo":"1042","name":"Azi","userType":"visitor",{ALWAYS},"doorRight":"","gender":"male"}}"#
        );
        check(
            &cut,
            &["name", "userType", "doorRight", "RightPlan", "gender"],
        );
        check(
            r#"{"employeeNo":"1042","name":"Aziza","doorRight":"1","RightPlan":[{"doorNo":1,"planTemplateNo":"1"},{"doorNo":2}],"gender":"unknown"}"#,
            &["Valid", "RightPlan"],
        );
    }

    #[test]
    fn a_week_plan_is_written_as_a_list_of_numbers() {
        let sent = r#"{"employeeNo":"7","RightPlan":{"doorNo":"1","planTemplateNo":"3"}}"#;
        let person = PersonRecord::decode(sent).expect("a person");
        let body = String::from_utf8_lossy(person.modify(None).body()).into_owned();
        let plan = r#""RightPlan":[{"doorNo":1,"planTemplateNo":"3"}]"#;
        assert!(body.contains(plan), "{body}");
    }

    #[test]
    fn dates_that_do_not_count_are_none() {
        let of = |valid: &str| {
            let json = format!(r#"{{"employeeNo":"7","Valid":{valid}}}"#);
            let person = PersonRecord::decode(&json).expect("a person");
            person.validity
        };
        let dates = r#""beginTime":"2025-01-01T00:00:00","endTime":"2035-12-31T23:59:59""#;
        let enabled = |valid: &str| of(valid).map(|validity| validity.enabled);
        assert_eq!(
            enabled(&format!(r#"{{"enable":false,{dates}}}"#)),
            Some(false)
        );
        assert_eq!(
            enabled(&format!(r#"{{"enable":"true",{dates}}}"#)),
            Some(true)
        );
        assert_eq!(of(r#"{"enable":true,"beginTime":"soon"}"#), None);
    }
}

//! People: listed, enrolled, changed and deleted.

use jiff::civil;
use serde_json::Value;

use super::fault::Fault;
use super::http::{Answer, Request};
use super::isapi::{Device, body_of, command};
use super::json::Json;
use super::log::User;
use super::refusal::Refusal;
use super::search::{Page, printed_name, search_result};

/// People to be deleted with all they have, which takes a while.
#[derive(Debug, Clone)]
pub(super) struct Deletion {
    /// `None` for everybody.
    numbers: Option<Vec<String>>,
    /// How often `DeleteProcess` says `processing` before it is done.
    polls_left: u32,
    fails: bool,
}

impl Device {
    pub(super) fn user_count(&self) -> Json {
        let users = &self.log.users;
        let with_face = users.iter().filter(|user| user.face.is_some()).count();
        let inner = vec![
            ("userNumber", users.len().into()),
            ("bindFaceUserNumber", with_face.into()),
        ];
        Json::Object(vec![("UserInfoCount", Json::Object(inner))])
    }

    pub(super) fn user_capabilities(&self, faults: &[Fault]) -> Json {
        let functions = match faults.contains(&Fault::NoSetUp) {
            true => "post,delete,put,get",
            false => "post,delete,put,get,setUp",
        };
        let range =
            |min: usize, max: usize| Json::Object(vec![("@min", min.into()), ("@max", max.into())]);
        let inner = vec![
            (
                "supportFunction",
                Json::Object(vec![("@opt", functions.into())]),
            ),
            (
                "UserInfoSearchCond",
                Json::Object(vec![("maxResults", range(1, self.page_cap))]),
            ),
            ("employeeNo", range(1, 32)),
            ("name", range(0, 128)),
            ("maxRecordNum", self.people_capacity.into()),
        ];
        Json::Object(vec![("UserInfo", Json::Object(inner))])
    }

    pub(super) fn user_search(&self, cond: &Value, faults: &[Fault]) -> Result<Json, Refusal> {
        let list_name = match faults.contains(&Fault::UserInfoList) {
            true => "UserInfoList",
            false => "UserInfo",
        };
        let fuzzy = cond.get("fuzzySearch").and_then(Value::as_str);
        self.people_search("UserInfoSearch", list_name, cond, faults, |user| {
            let wanted = fuzzy
                .is_none_or(|text| user.name.contains(text) || user.employee_no.contains(text));
            match wanted {
                true => vec![print(user, faults)],
                false => Vec::new(),
            }
        })
    }

    /// One page of what `print` makes of each person, all of them or those in `EmployeeNoList`.
    pub(super) fn people_search(
        &self,
        root: &'static str,
        list_name: &'static str,
        cond: &Value,
        faults: &[Fault],
        print: impl Fn(&User) -> Vec<Json>,
    ) -> Result<Json, Refusal> {
        let page = Page::read(cond)?;
        let wanted = match cond.get("EmployeeNoList") {
            None => None,
            Some(_) => Some(listed(cond, "EmployeeNoList", "employeeNo")?),
        };
        let found: Vec<Json> = self
            .log
            .users
            .iter()
            .filter(|user| {
                wanted
                    .as_ref()
                    .is_none_or(|wanted| wanted.contains(&user.employee_no))
            })
            .flat_map(print)
            .collect();
        let total = found.len();
        let repeats = faults.contains(&Fault::MoreForever);
        let position = if repeats { 0 } else { page.position };
        let size = self.page_size(page.max_results, faults);
        let list: Vec<Json> = found.into_iter().skip(position).take(size).collect();
        let more = position + list.len() < total || repeats || faults.contains(&Fault::EmptyPages);
        Ok(search_result(
            root, list_name, &page.id, list, total, more, faults,
        ))
    }

    /// Enrols somebody who is not there yet.
    pub(super) fn record_user(
        &mut self,
        request: &Request,
        faults: &[Fault],
    ) -> Result<Answer, Refusal> {
        command(request, "POST", self, |device| {
            let info = body_of(request, "UserInfo")?;
            let number = device.employee_no(&info)?;
            if device.log.user(&number).is_some() {
                return Err(Refusal::EMPLOYEE_EXISTS);
            }
            device.enrol(&number, &info, faults)
        })
    }

    /// Changes what is given of somebody who is there.
    pub(super) fn modify_user(
        &mut self,
        request: &Request,
        faults: &[Fault],
    ) -> Result<Answer, Refusal> {
        command(request, "PUT", self, |device| {
            let info = body_of(request, "UserInfo")?;
            let number = device.employee_no(&info)?;
            let may_add = info.get("addUser") == Some(&Value::Bool(true));
            if device.log.user(&number).is_none() && !may_add {
                return Err(Refusal::EMPLOYEE_MISSING);
            }
            device.enrol(&number, &info, faults)
        })
    }

    /// Enrols or changes, whichever is needed; deletes with `deleteUser`.
    pub(super) fn set_up_user(
        &mut self,
        request: &Request,
        faults: &[Fault],
    ) -> Result<Answer, Refusal> {
        if faults.contains(&Fault::NoSetUp) {
            return Err(Refusal::NOT_SUPPORT);
        }
        command(request, "PUT", self, |device| {
            let info = body_of(request, "UserInfo")?;
            let number = device.employee_no(&info)?;
            if info.get("deleteUser") == Some(&Value::Bool(true)) {
                device.log.remove_user(&number);
                return Ok(());
            }
            device.enrol(&number, &info, faults)
        })
    }

    /// Deletes people at once. A list that is missing or empty deletes everybody, as on real terminals.
    pub(super) fn delete_users(&mut self, request: &Request) -> Result<Answer, Refusal> {
        command(request, "PUT", self, |device| {
            let cond = body_of(request, "UserInfoDelCond")?;
            let numbers = listed(&cond, "EmployeeNoList", "employeeNo")?;
            device.remove_users((!numbers.is_empty()).then_some(&numbers));
            Ok(())
        })
    }

    /// Begins to delete people with all they have; `DeleteProcess` says how far it is.
    pub(super) fn delete_details(
        &mut self,
        request: &Request,
        faults: &[Fault],
    ) -> Result<Answer, Refusal> {
        command(request, "PUT", self, |device| {
            let detail = body_of(request, "UserInfoDetail")?;
            let numbers = match detail.get("mode").and_then(Value::as_str) {
                Some("all") => None,
                Some("byEmployeeNo") => {
                    let numbers = listed(&detail, "EmployeeNoList", "employeeNo")?;
                    (!numbers.is_empty()).then_some(numbers)
                }
                _ => return Err(Refusal::bad_parameters("mode")),
            };
            let slow = faults.iter().find_map(|fault| match fault {
                Fault::SlowDelete(polls) => Some(*polls),
                _ => None,
            });
            device.deletion = Some(Deletion {
                numbers,
                polls_left: slow.unwrap_or(1),
                fails: faults.contains(&Fault::DeleteFails),
            });
            Ok(())
        })
    }

    pub(super) fn delete_process(&mut self) -> Json {
        let status = match &mut self.deletion {
            None => "success",
            Some(deletion) if deletion.polls_left > 0 => {
                deletion.polls_left -= 1;
                "processing"
            }
            Some(deletion) if deletion.fails => "failed",
            Some(_) => {
                if let Some(deletion) = self.deletion.take() {
                    self.remove_users(deletion.numbers.as_ref());
                }
                "success"
            }
        };
        let inner = Json::Object(vec![("status", status.into())]);
        Json::Object(vec![("UserInfoDetailDeleteProcess", inner)])
    }

    fn remove_users(&mut self, numbers: Option<&Vec<String>>) {
        match numbers {
            None => self.log.remove_all_users(),
            Some(numbers) => {
                for number in numbers {
                    self.log.remove_user(number);
                }
            }
        }
    }

    fn employee_no(&self, info: &Value) -> Result<String, Refusal> {
        let number = info.get("employeeNo").and_then(Value::as_str);
        let number = number.ok_or(Refusal::lacks("employeeNo"))?;
        let takes = |c: char| !self.digits_only || c.is_ascii_digit();
        if number.is_empty() || number.len() > 32 || !number.chars().all(takes) {
            return Err(Refusal::ILLEGAL_EMPLOYEE_NO);
        }
        Ok(number.to_owned())
    }

    fn enrol(&mut self, number: &str, info: &Value, faults: &[Fault]) -> Result<(), Refusal> {
        let known = self.log.user(number).cloned();
        let is_full = self.log.users.len() >= self.people_capacity || faults.contains(&Fault::Full);
        if known.is_none() && is_full {
            return Err(Refusal::PEOPLE_FULL);
        }
        let mut user = known.unwrap_or_else(|| User::enrolled_remotely(number));
        user.update(info)?;
        if let Some(bytes) = faults.iter().find_map(|fault| match fault {
            Fault::NameCut(bytes) => Some(*bytes),
            _ => None,
        }) {
            let end = (0..=bytes.min(user.name.len()))
                .rev()
                .find(|end| user.name.is_char_boundary(*end));
            user.name.truncate(end.unwrap_or(0));
        }
        self.log.put_user(user);
        Ok(())
    }
}

impl User {
    /// Takes over the fields that are there.
    fn update(&mut self, info: &Value) -> Result<(), Refusal> {
        if let Some(name) = field(info, "name")? {
            if name.len() > 128 {
                return Err(Refusal::bad_parameters("name"));
            }
            self.name = name;
        }
        if let Some(user_type) = field(info, "userType")? {
            if !["normal", "visitor", "blackList", "administrators"].contains(&&*user_type) {
                return Err(Refusal::bad_parameters("userType"));
            }
            self.user_type = user_type;
        }
        if let Some(door_right) = field(info, "doorRight")? {
            self.door_right = door_right;
        }
        if let Some(plans) = info.get("RightPlan") {
            let plan = plans.get(0).and_then(|plan| plan.get("planTemplateNo"));
            let plan = plan.and_then(Value::as_str);
            self.right_plan = plan.ok_or(Refusal::bad_parameters("RightPlan"))?.to_owned();
        }
        if let Some(valid) = info.get("Valid") {
            if let Some(enable) = valid.get("enable") {
                let enable = enable.as_bool();
                self.valid.0 = enable.ok_or(Refusal::bad_parameters("enable"))?;
            }
            if let Some(begins) = field(valid, "beginTime")? {
                self.valid.1 = checked_time(begins, "beginTime")?;
            }
            if let Some(ends) = field(valid, "endTime")? {
                self.valid.2 = checked_time(ends, "endTime")?;
            }
        }
        Ok(())
    }
}

/// A time without an offset, at most the last one terminals know.
fn checked_time(text: String, name: &'static str) -> Result<String, Refusal> {
    let last = civil::datetime(2037, 12, 31, 23, 59, 59, 0);
    let time: Option<civil::DateTime> = text.get(..19).and_then(|time| time.parse().ok());
    match time.filter(|time| *time <= last) {
        Some(_) => Ok(text),
        None => Err(Refusal::bad_parameters(name)),
    }
}

fn print(user: &User, faults: &[Fault]) -> Json {
    let (enable, begins, ends) = &user.valid;
    let count = |number: usize| Json::from(number);
    let valid = vec![
        ("enable", (*enable).into()),
        ("beginTime", Json::text(begins)),
        ("endTime", Json::text(ends)),
        ("timeType", "local".into()),
    ];
    let plan = vec![
        ("doorNo", 1_u16.into()),
        ("planTemplateNo", Json::text(&user.right_plan)),
    ];
    Json::Object(vec![
        ("employeeNo", Json::text(&user.employee_no)),
        ("name", printed_name(user, faults)),
        ("userType", Json::text(&user.user_type)),
        ("closeDelayEnabled", false.into()),
        ("Valid", Json::Object(valid)),
        ("belongGroup", "".into()),
        ("password", "".into()),
        ("doorRight", Json::text(&user.door_right)),
        ("RightPlan", Json::List(vec![Json::Object(plan)])),
        ("userVerifyMode", "".into()),
        ("gender", "unknown".into()),
        ("numOfCard", count(user.cards.len())),
        ("numOfFP", count(0)),
        ("numOfFace", count(usize::from(user.face.is_some()))),
    ])
}

/// A text that may be left out.
fn field(of: &Value, name: &'static str) -> Result<Option<String>, Refusal> {
    match of.get(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(_) => Err(Refusal::bad_parameters(name)),
    }
}

/// The texts of a list such as `[{"employeeNo": "1042"}]`; none when it is missing.
pub(super) fn listed(
    of: &Value,
    list: &'static str,
    name: &'static str,
) -> Result<Vec<String>, Refusal> {
    match of.get(list) {
        None => Ok(Vec::new()),
        Some(Value::Array(items)) => items
            .iter()
            .map(|item| item.get(name).and_then(Value::as_str).map(str::to_owned))
            .collect::<Option<_>>()
            .ok_or(Refusal::bad_parameters(list)),
        Some(_) => Err(Refusal::bad_parameters(list)),
    }
}

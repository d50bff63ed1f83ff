//! People and their cards.

use serde_json::Value;

use super::fault::Fault;
use super::isapi::Device;
use super::json::Json;
use super::log::User;
use super::refusal::Refusal;
use super::search::{Page, printed_name, search_result};

impl Device {
    pub(super) fn user_count(&self) -> Json {
        let count = self.log.users.len();
        let inner = vec![
            ("userNumber", count.into()),
            ("bindFaceUserNumber", count.into()),
        ];
        Json::Object(vec![("UserInfoCount", Json::Object(inner))])
    }

    pub(super) fn user_search(&self, cond: &Value, faults: &[Fault]) -> Result<Json, Refusal> {
        let print = |user: &User| {
            Json::Object(vec![
                ("employeeNo", Json::text(&user.employee_no)),
                ("name", printed_name(user, faults)),
                ("userType", Json::text(&user.user_type)),
                ("closeDelayEnabled", false.into()),
                (
                    "Valid",
                    Json::Object(vec![
                        ("enable", true.into()),
                        ("beginTime", "2025-01-01T00:00:00".into()),
                        ("endTime", "2035-12-31T23:59:59".into()),
                        ("timeType", "local".into()),
                    ]),
                ),
                ("belongGroup", "".into()),
                ("password", "".into()),
                ("doorRight", "1".into()),
                (
                    "RightPlan",
                    Json::List(vec![Json::Object(vec![
                        ("doorNo", 1_u16.into()),
                        ("planTemplateNo", "1".into()),
                    ])]),
                ),
                ("userVerifyMode", "".into()),
                ("gender", "unknown".into()),
                ("numOfCard", u16::from(user.card_no.is_some()).into()),
                ("numOfFP", 0_u16.into()),
                ("numOfFace", 1_u16.into()),
            ])
        };
        self.people_search("UserInfoSearch", "UserInfo", cond, faults, |user| {
            Some(print(user))
        })
    }

    pub(super) fn card_count(&self) -> Json {
        let cards = self
            .log
            .users
            .iter()
            .filter(|user| user.card_no.is_some())
            .count();
        let inner = Json::Object(vec![("cardNumber", cards.into())]);
        Json::Object(vec![("CardInfoCount", inner)])
    }

    pub(super) fn card_search(&self, cond: &Value, faults: &[Fault]) -> Result<Json, Refusal> {
        self.people_search("CardInfoSearch", "CardInfo", cond, faults, |user| {
            let card_no = user.card_no.as_ref()?;
            Some(Json::Object(vec![
                ("employeeNo", Json::text(&user.employee_no)),
                ("cardNo", Json::text(card_no)),
                ("cardType", "normalCard".into()),
            ]))
        })
    }

    /// One page of what `print` makes of each person, all of them or those in `EmployeeNoList`.
    pub(super) fn people_search(
        &self,
        root: &'static str,
        list_name: &'static str,
        cond: &Value,
        faults: &[Fault],
        print: impl Fn(&User) -> Option<Json>,
    ) -> Result<Json, Refusal> {
        let page = Page::read(cond)?;
        let wanted: Option<Vec<&str>> = match cond.get("EmployeeNoList") {
            None => None,
            Some(Value::Array(list)) => Some(
                list.iter()
                    .filter_map(|entry| entry.get("employeeNo")?.as_str())
                    .collect(),
            ),
            Some(_) => return Err(Refusal::bad_parameters("EmployeeNoList")),
        };
        let found: Vec<Json> = self
            .log
            .users
            .iter()
            .filter(|user| {
                wanted
                    .as_ref()
                    .is_none_or(|wanted| wanted.contains(&&*user.employee_no))
            })
            .filter_map(print)
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
}

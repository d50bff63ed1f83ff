//! Cards of people.

use serde_json::Value;

use super::fault::Fault;
use super::http::{Answer, Request};
use super::isapi::{Device, body_of, command};
use super::json::Json;
use super::people::listed;
use super::refusal::Refusal;

/// How many cards one person may have.
const CARDS_EACH: usize = 5;

impl Device {
    pub(super) fn card_count(&self) -> Json {
        let cards: usize = self.log.users.iter().map(|user| user.cards.len()).sum();
        let inner = Json::Object(vec![("cardNumber", cards.into())]);
        Json::Object(vec![("CardInfoCount", inner)])
    }

    pub(super) fn card_search(&self, cond: &Value, faults: &[Fault]) -> Result<Json, Refusal> {
        let wanted = listed(cond, "CardNoList", "cardNo")?;
        self.people_search("CardInfoSearch", "CardInfo", cond, faults, |user| {
            let cards = user.cards.iter();
            let cards = cards.filter(|card| wanted.is_empty() || wanted.contains(card));
            cards
                .map(|card| {
                    Json::Object(vec![
                        ("employeeNo", Json::text(&user.employee_no)),
                        ("cardNo", Json::text(card)),
                        ("cardType", "normalCard".into()),
                    ])
                })
                .collect()
        })
    }

    /// Gives somebody a card that nobody has.
    pub(super) fn record_card(
        &mut self,
        request: &Request,
        faults: &[Fault],
    ) -> Result<Answer, Refusal> {
        command(request, "POST", self, |device| {
            let (number, card) = read_card(request)?;
            if device.card_owner(&card).is_some() {
                return Err(Refusal::CARD_EXISTS);
            }
            device.give_card(&number, card, faults)
        })
    }

    /// Takes a card that somebody has, and may give it to another.
    pub(super) fn modify_card(
        &mut self,
        request: &Request,
        faults: &[Fault],
    ) -> Result<Answer, Refusal> {
        command(request, "PUT", self, |device| {
            let (number, card) = read_card(request)?;
            if device.card_owner(&card).is_none() {
                return Err(Refusal::bad_parameters("cardNo"));
            }
            device.give_card(&number, card, faults)
        })
    }

    pub(super) fn set_up_card(
        &mut self,
        request: &Request,
        faults: &[Fault],
    ) -> Result<Answer, Refusal> {
        if faults.contains(&Fault::NoSetUp) {
            return Err(Refusal::NOT_SUPPORT);
        }
        command(request, "PUT", self, |device| {
            let (number, card) = read_card(request)?;
            device.give_card(&number, card, faults)
        })
    }

    /// Deletes cards by their numbers or those of their owners; all of them when no list names any.
    pub(super) fn delete_cards(&mut self, request: &Request) -> Result<Answer, Refusal> {
        command(request, "PUT", self, |device| {
            let cond = body_of(request, "CardInfoDelCond")?;
            let cards = listed(&cond, "CardNoList", "cardNo")?;
            let owners = listed(&cond, "EmployeeNoList", "employeeNo")?;
            let all = cards.is_empty() && owners.is_empty();
            device.log.change_users(|user| {
                let goes = all || owners.contains(&user.employee_no);
                user.cards.retain(|card| !goes && !cards.contains(card));
            });
            Ok(())
        })
    }

    fn card_owner(&self, card: &str) -> Option<&str> {
        let mut users = self.log.users.iter();
        let owner = users.find(|user| user.cards.iter().any(|known| known == card))?;
        Some(&owner.employee_no)
    }

    fn give_card(&mut self, number: &str, card: String, faults: &[Fault]) -> Result<(), Refusal> {
        let mut user = self
            .log
            .user(number)
            .cloned()
            .ok_or(Refusal::EMPLOYEE_MISSING)?;
        let has_it = user.cards.contains(&card);
        if faults.contains(&Fault::Full) || (!has_it && user.cards.len() >= CARDS_EACH) {
            return Err(Refusal::bad_parameters("cardNo"));
        }
        if has_it {
            return Ok(());
        }
        self.log
            .change_users(|other| other.cards.retain(|known| *known != card));
        user.cards.push(card);
        self.log.put_user(user);
        Ok(())
    }
}

fn read_card(request: &Request) -> Result<(String, String), Refusal> {
    let info = body_of(request, "CardInfo")?;
    let text = |name: &'static str| {
        let text = info.get(name).and_then(Value::as_str);
        text.map(str::to_owned).ok_or(Refusal::lacks(name))
    };
    let (number, card) = (text("employeeNo")?, text("cardNo")?);
    if card.is_empty() || card.len() > 20 {
        return Err(Refusal::bad_parameters("cardNo"));
    }
    Ok((number, card))
}

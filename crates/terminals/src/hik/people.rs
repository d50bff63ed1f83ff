//! The people of a terminal and their cards, page by page: the whole list, or one of them.

use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};

use attendance::DeviceUserId;
use hik_proto::{
    Card, EmployeeNo, ListSearch, Person, PersonRecord, Row, SearchState, decode_card_page,
    decode_people_page, paths,
};

use super::http::{Answer, Denied, Http};
use super::{PAGE, SMALL_PAGE, malformed, new_search_id, optional};
use crate::{DeviceUser, ParkedRecord, Step, TerminalError};

/// More people than any terminal holds.
const MOST_PEOPLE: usize = 200_000;
/// Most bytes of names and of rows that cannot be understood.
const MOST_BYTES: usize = 32 << 20;
/// Characters of a name; a terminal takes 128 bytes.
const MOST_OF_NAME: usize = 128;

pub(super) struct PeopleList {
    pub(super) users: Vec<DeviceUser>,
    pub(super) parked: Vec<ParkedRecord>,
    /// As many people as announced and counted. People deleted while we page move others into pages already read.
    pub(super) complete: bool,
}

/// Reads the whole list, of `count` people where that is known; `None` where the terminal has none for this account. Events
/// carry the numbers, so punches need no list.
pub(super) async fn read(
    http: &mut Http,
    count: Option<u32>,
) -> Result<Option<PeopleList>, TerminalError> {
    let step = Step::Users;
    let refuse = |detail: String| TerminalError::Malformed { step, detail };
    let mut search = ListSearch {
        id: new_search_id(),
        position: 0,
        max_results: PAGE,
        of: None,
    };
    let mut list = PeopleList {
        users: Vec::new(),
        parked: Vec::new(),
        complete: false,
    };
    let mut known = HashSet::new();
    let mut bytes = 0;
    let mut has_cards = false;
    loop {
        let body = match http.post(step, paths::PEOPLE, search.people()).await? {
            Answer::Body(body) => body,
            Answer::NotAvailable(Denied { detail, .. }) => {
                tracing::warn!(detail, "no people list: names are not known");
                return Ok(None);
            }
        };
        let page = decode_people_page(&body).map_err(malformed(step))?;
        let before = known.len();
        search.position += page.rows.len() as u64;
        for row in page.rows {
            if !known.insert(key_of(&row)) {
                continue;
            }
            let cards = row.value.as_ref().map(|person| person.cards);
            has_cards |= cards.is_ok_and(|cards| cards.is_some_and(|cards| cards > 0));
            match row.value.and_then(device_user) {
                Ok(user) => {
                    bytes += user.name.len();
                    list.users.push(user);
                }
                Err(reason) => {
                    bytes += row.json.len();
                    list.parked.push(ParkedRecord {
                        bytes: row.json.into_bytes(),
                        reason,
                    });
                }
            }
        }
        if known.len() > MOST_PEOPLE || bytes > MOST_BYTES {
            return Err(refuse("the people list does not end".to_owned()));
        }
        let announced = page.total.unwrap_or(0);
        let promised = announced > 0 || page.state == SearchState::More;
        if search.position == 0 && promised && page.state != SearchState::NoMatch {
            if search.max_results > SMALL_PAGE {
                search.max_results = SMALL_PAGE;
                search.id = new_search_id();
                continue;
            }
            return Err(refuse(format!("{announced} people announced, none sent")));
        }
        // A page that brings nobody new is the end, or one that repeats; the numbers tell which.
        let more = page.state.has_more(search.position, page.total) && known.len() > before;
        if !more || http.is_late() {
            let expected = announced.max(count.unwrap_or(0).into());
            list.complete = !more && known.len() as u64 >= expected;
            if list.complete && has_cards {
                add_cards(http, &mut list.users).await?;
            }
            return Ok(Some(list));
        }
    }
}

/// Numbers of cards are shown only, so a list of them that cannot be had costs nothing but them.
async fn add_cards(http: &mut Http, users: &mut [DeviceUser]) -> Result<(), TerminalError> {
    let found = optional(cards(http, Step::Users, None).await)?;
    let mut of_users: HashMap<String, Vec<String>> = HashMap::new();
    for card in found.flatten().unwrap_or_default() {
        let of_user = of_users.entry(card.employee_no.to_string()).or_default();
        of_user.push(card.card_no.to_string());
    }
    for user in users {
        let cards = of_users.remove(user.id.as_str());
        user.card = cards.map(|mut cards| {
            cards.sort();
            cards.join(", ")
        });
    }
    Ok(())
}

/// One person. Firmware that does not know the filter sends everybody, so all pages are looked at.
pub(super) async fn find(
    http: &mut Http,
    step: Step,
    number: &EmployeeNo,
) -> Result<Option<PersonRecord>, TerminalError> {
    let mut search = ListSearch {
        id: new_search_id(),
        position: 0,
        max_results: PAGE,
        of: Some(number.clone()),
    };
    loop {
        let answer = http.post(step, paths::PEOPLE, search.people()).await?;
        let page = decode_people_page(&answer.required(step)?).map_err(malformed(step))?;
        let is_it = |row: &&Row<Person>| {
            let person = row.value.as_ref();
            person.is_ok_and(|person| person.employee_no == number.as_str())
        };
        if let Some(row) = page.rows.iter().find(is_it) {
            return PersonRecord::decode(&row.json)
                .map(Some)
                .map_err(malformed(step));
        }
        let rows = page.rows.len() as u64;
        if !turn(&mut search, step, rows, (page.state, page.total))? {
            return Ok(None);
        }
    }
}

/// The cards of one person, or of everybody; `None` where the terminal has no cards for this account.
pub(super) async fn cards(
    http: &mut Http,
    step: Step,
    of: Option<&EmployeeNo>,
) -> Result<Option<Vec<Card>>, TerminalError> {
    let mut search = ListSearch {
        id: new_search_id(),
        position: 0,
        max_results: PAGE,
        of: of.cloned(),
    };
    let mut found = Vec::new();
    loop {
        let body = match http.post(step, paths::CARDS, search.cards()).await? {
            Answer::Body(body) => body,
            Answer::NotAvailable(_) => return Ok(None),
        };
        let page = decode_card_page(&body).map_err(malformed(step))?;
        found.extend(page.cards);
        if !turn(&mut search, step, page.rows, (page.state, page.total))? {
            return Ok(Some(found));
        }
    }
}

/// Turns to what follows a page of so many rows; `false` at the end of the list. Nobody is missing because of a page that was too
/// large: where rows are announced and none sent, a smaller one is asked for.
fn turn(
    search: &mut ListSearch,
    step: Step,
    rows: u64,
    (state, total): (SearchState, Option<u64>),
) -> Result<bool, TerminalError> {
    let refuse = |detail: &str| {
        let detail = detail.to_owned();
        Err(TerminalError::Malformed { step, detail })
    };
    search.position += rows;
    if !state.has_more(search.position, total) {
        return Ok(false);
    }
    if rows == 0 && search.max_results <= SMALL_PAGE {
        return refuse("rows are announced and none sent");
    }
    if rows == 0 {
        search.max_results = SMALL_PAGE;
        search.id = new_search_id();
    }
    if search.position > MOST_PEOPLE as u64 {
        return refuse("the list does not end");
    }
    Ok(true)
}

/// A person is their number, a row that has none its text.
fn key_of(row: &Row<Person>) -> u64 {
    let mut hasher = DefaultHasher::new();
    match &row.value {
        Ok(person) => person.employee_no.hash(&mut hasher),
        Err(_) => row.json.hash(&mut hasher),
    }
    hasher.finish()
}

fn device_user(person: Person) -> Result<DeviceUser, String> {
    let Some(id) = DeviceUserId::parse(&person.employee_no) else {
        return Err("person with an unusable employee number".to_owned());
    };
    Ok(DeviceUser {
        id,
        name: person.name.chars().take(MOST_OF_NAME).collect(),
        admin: person.admin,
        card: None,
    })
}

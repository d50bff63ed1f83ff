//! The people list of a terminal, page by page.

use std::collections::HashSet;

use attendance::DeviceUserId;
use hik_proto::{PeopleSearch, Person, SearchState, decode_people_page, paths};

use super::http::{Answer, Http};
use super::{PAGE, SMALL_PAGE, malformed, new_search_id};
use crate::{DeviceUser, ParkedRecord, Step, TerminalError};

/// More people than any terminal holds.
const MOST_PEOPLE: usize = 200_000;

pub(super) struct PeopleList {
    pub(super) users: Vec<DeviceUser>,
    pub(super) parked: Vec<ParkedRecord>,
    /// As many rows as announced. People deleted while we page move others into pages already read.
    pub(super) complete: bool,
}

/// Reads the whole list; `None` where the terminal has none for this account. Events carry the numbers, so punches need no list.
pub(super) async fn read(http: &mut Http) -> Result<Option<PeopleList>, TerminalError> {
    let step = Step::Users;
    let mut search = PeopleSearch {
        id: new_search_id(),
        position: 0,
        max_results: PAGE,
    };
    let mut list = PeopleList {
        users: Vec::new(),
        parked: Vec::new(),
        complete: true,
    };
    let mut known = HashSet::new();
    loop {
        let body = match http.post(step, paths::PEOPLE, search.encode()).await? {
            Answer::Body(body) => body,
            Answer::NotAvailable(detail) => {
                tracing::warn!(detail, "no people list: names are not known");
                return Ok(None);
            }
        };
        let page = decode_people_page(&body).map_err(malformed(step))?;
        let before = known.len();
        search.position += page.rows.len() as u64;
        for row in page.rows {
            let key = match &row.value {
                Ok(person) => person.employee_no.clone(),
                Err(_) => row.json.clone(),
            };
            if !known.insert(key) {
                continue;
            }
            match row.value.and_then(device_user) {
                Ok(user) => list.users.push(user),
                Err(reason) => list.parked.push(ParkedRecord {
                    bytes: row.json.into_bytes(),
                    reason,
                }),
            }
        }
        let announced = page.total.unwrap_or(0);
        let nothing = page.state != SearchState::NoMatch && search.position == 0;
        if nothing && announced > 0 && search.max_results > SMALL_PAGE {
            search.max_results = SMALL_PAGE;
            search.id = new_search_id();
            continue;
        }
        if page.state != SearchState::More || page.total.is_some_and(|t| search.position >= t) {
            list.complete = search.position >= announced;
            return Ok(Some(list));
        }
        if known.len() == before {
            // `MORE`, and nothing new: the end where no total speaks against it, else a page that repeats.
            if page.total.is_none() {
                return Ok(Some(list));
            }
            return Err(TerminalError::Malformed {
                step,
                detail: format!("{announced} people announced, {before} sent"),
            });
        }
        if known.len() > MOST_PEOPLE {
            return Err(TerminalError::Malformed {
                step,
                detail: "the people list does not end".to_owned(),
            });
        }
    }
}

fn device_user(person: Person) -> Result<DeviceUser, String> {
    let Some(id) = DeviceUserId::parse(&person.employee_no) else {
        return Err("person with an unusable employee number".to_owned());
    };
    Ok(DeviceUser {
        id,
        name: person.name,
        admin: person.admin,
        card: None,
    })
}

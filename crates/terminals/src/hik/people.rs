//! The people list of a terminal, page by page.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};

use attendance::DeviceUserId;
use hik_proto::{PeopleSearch, Person, Row, SearchState, decode_people_page, paths};

use super::http::{Answer, Denied, Http};
use super::{PAGE, SMALL_PAGE, malformed, new_search_id};
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
    let mut search = PeopleSearch {
        id: new_search_id(),
        position: 0,
        max_results: PAGE,
    };
    let mut list = PeopleList {
        users: Vec::new(),
        parked: Vec::new(),
        complete: false,
    };
    let mut known = HashSet::new();
    let mut bytes = 0;
    loop {
        let body = match http.post(step, paths::PEOPLE, search.encode()).await? {
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
            return Ok(Some(list));
        }
    }
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

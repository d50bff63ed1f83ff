//! People and what is known of one of them.

use sea_orm::FromQueryResult;

use super::board::full_name;
use crate::{Store, StoreError, sql};

/// A person in the list of people.
#[derive(Clone, Debug, PartialEq, Eq, FromQueryResult)]
pub struct PersonRow {
    pub id: i64,
    pub code: String,
    pub first_name: String,
    pub last_name: String,
    pub username: Option<String>,
    pub email: Option<String>,
    /// The number on the terminals.
    pub device_id: Option<String>,
    pub site_id: i64,
    pub site: String,
    pub zone: String,
    pub department_id: Option<i64>,
    pub department: Option<String>,
    pub shift_id: Option<i64>,
    pub shift: Option<String>,
    pub employed_from: Option<String>,
    pub employed_to: Option<String>,
}

impl PersonRow {
    pub fn name(&self) -> String {
        full_name(&self.first_name, &self.last_name)
    }
}

const PERSON: &str = "SELECT e.id, e.code, e.first_name, e.last_name, e.username, e.email, e.device_id, e.site_id, s.name AS site,
       s.zone AS zone, e.department_id, d.name AS department, e.shift_id, h.name AS shift, e.employed_from, e.employed_to
     FROM employees e JOIN sites s ON s.id = e.site_id LEFT JOIN departments d ON d.id = e.department_id
     LEFT JOIN shifts h ON h.id = e.shift_id";

const MATCHES: &str = "($1 = '' OR LOWER(e.first_name || ' ' || e.last_name) LIKE $1 OR LOWER(e.code) LIKE $1 OR e.device_id = $2)
     AND ($3 = 0 OR e.department_id = $3)";

/// What the list of people is narrowed to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PeopleFilter {
    /// Part of a name or code, or a whole number on the terminals; empty is everybody.
    pub search: String,
    pub department_id: Option<i64>,
}

impl PeopleFilter {
    fn values(&self) -> Vec<sea_orm::Value> {
        let search = self.search.trim();
        let like = match search.is_empty() {
            true => String::new(),
            false => format!("%{}%", search.to_lowercase()),
        };
        vec![
            like.into(),
            search.into(),
            self.department_id.unwrap_or(0).into(),
        ]
    }
}

/// People in order of name.
pub async fn list(
    store: &Store,
    filter: &PeopleFilter,
    limit: i64,
    skip: i64,
) -> Result<Vec<PersonRow>, StoreError> {
    let text = format!(
        "{PERSON} WHERE {MATCHES} ORDER BY e.first_name, e.last_name, e.code LIMIT $4 OFFSET $5"
    );
    let mut values = filter.values();
    values.extend([limit.into(), skip.into()]);
    Ok(sql::fetch(store.read(), &text, values).await?)
}

#[derive(FromQueryResult)]
struct Count {
    count: i64,
}

pub async fn count(store: &Store, filter: &PeopleFilter) -> Result<i64, StoreError> {
    let text = format!("SELECT COUNT(*) AS count FROM employees e WHERE {MATCHES}");
    let rows: Vec<Count> = sql::fetch(store.read(), &text, filter.values()).await?;
    Ok(rows.first().map_or(0, |row| row.count))
}

/// The person with that code.
pub async fn by_code(store: &Store, code: &str) -> Result<Option<PersonRow>, StoreError> {
    let text = format!("{PERSON} WHERE e.code = $1");
    let row = sql::one(store.read(), &text, [code.into()]).await?;
    Ok(row
        .map(|row| PersonRow::from_query_result(&row, ""))
        .transpose()?)
}

/// Everybody who is employed on a day, for choosing.
pub async fn employed(store: &Store, day: &str, ids: &[i64]) -> Result<Vec<PersonRow>, StoreError> {
    let text = format!(
        "{PERSON} WHERE e.id IN {} AND (e.employed_from IS NULL OR e.employed_from <= $2)
           AND (e.employed_to IS NULL OR e.employed_to >= $2) ORDER BY e.first_name, e.last_name, e.code",
        sql::in_ids(store.backend(), 1)
    );
    Ok(sql::fetch(store.read(), &text, [sql::json(ids), day.into()]).await?)
}

/// A report in a person's list of days.
#[derive(Clone, Debug, PartialEq, Eq, FromQueryResult)]
pub struct PersonDay {
    pub workday: String,
    pub status: String,
    pub stage: String,
    pub reason: String,
    pub shift: String,
    pub first_in: Option<String>,
    pub last_out: Option<String>,
    pub worked_min: i64,
    pub late_min: i64,
    pub early_min: i64,
    pub overtime_min: i64,
    pub exceptions: String,
    pub pending: String,
    pub leave_part: String,
}

/// The newest workdays of a person, newest first.
pub async fn days(
    store: &Store,
    employee_id: i64,
    limit: i64,
) -> Result<Vec<PersonDay>, StoreError> {
    let text = "SELECT workday, status, stage, reason, shift, first_in, last_out, worked_min, late_min, early_min, overtime_min,
           exceptions, pending, leave_part
         FROM attendance_reports WHERE employee_id = $1 ORDER BY workday DESC LIMIT $2";
    Ok(sql::fetch(store.read(), text, [employee_id.into(), limit.into()]).await?)
}

/// A punch as the device recorded it, and by which ways it arrived.
#[derive(Clone, Debug, PartialEq, Eq, FromQueryResult)]
pub struct PersonPunch {
    pub id: i64,
    pub clock: String,
    pub zone: String,
    pub instant_ms: i64,
    pub received_ms: i64,
    pub source: String,
    pub state: String,
    pub verify: String,
    pub suspect: bool,
    /// The wall time that holds instead of `clock`, because a person has shifted it; and by how many seconds.
    pub shifted: Option<String>,
    pub shift_s: Option<i64>,
    pub user_id: String,
    pub device: String,
    pub serial_number: String,
}

/// The newest punches of a person, newest first.
pub async fn punches(
    store: &Store,
    employee_id: i64,
    limit: i64,
) -> Result<Vec<PersonPunch>, StoreError> {
    let text = "SELECT p.id, p.clock, p.zone, p.instant_ms, p.received_ms, p.source, p.state, p.verify, p.suspect, p.shifted, s.shift_s,
           p.user_id, d.name AS device, d.serial_number
         FROM punches p JOIN devices d ON d.id = p.device_id LEFT JOIN clock_shifts s ON s.id = p.shift_id WHERE p.employee_id = $1
         ORDER BY p.instant_ms DESC, p.id DESC LIMIT $2";
    Ok(sql::fetch(store.read(), text, [employee_id.into(), limit.into()]).await?)
}

/// A device user who is that person.
#[derive(Clone, Debug, PartialEq, Eq, FromQueryResult)]
pub struct PersonUser {
    pub device: String,
    pub serial_number: String,
    pub user_id: String,
    /// As the device has it; may be empty.
    pub name: String,
    /// `link`, `device_id`, `code` or `username`.
    pub match_by: Option<String>,
}

/// As whom the devices know a person, in order of device.
pub async fn users_of(store: &Store, employee_id: i64) -> Result<Vec<PersonUser>, StoreError> {
    let text = "SELECT d.name AS device, d.serial_number, u.user_id, u.name, u.match_by
         FROM device_users u JOIN devices d ON d.id = u.device_id
         WHERE u.employee_id = $1 AND d.retired_ms IS NULL ORDER BY d.name, d.serial_number, u.user_id";
    Ok(sql::fetch(store.read(), text, [employee_id.into()]).await?)
}

/// A name to choose from.
#[derive(Clone, Debug, PartialEq, Eq, FromQueryResult)]
pub struct Choice {
    pub id: i64,
    pub name: String,
}

/// Departments of all sites, in order of name.
pub async fn departments(store: &Store) -> Result<Vec<Choice>, StoreError> {
    let text = "SELECT id, name FROM departments ORDER BY name, id";
    Ok(sql::fetch(store.read(), text, []).await?)
}

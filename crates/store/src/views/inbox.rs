//! Device users without a person, and who they might be.

use sea_orm::FromQueryResult;

use crate::{Store, StoreError, sql};

/// A device user without a person, with the punches that wait.
#[derive(Clone, Debug, PartialEq, Eq, FromQueryResult)]
pub struct WaitingUser {
    pub device_id: i64,
    pub device: String,
    /// IANA name of the site's zone.
    pub zone: String,
    pub user_id: String,
    /// As the device has it; may be empty.
    pub name: String,
    pub ambiguous: bool,
    pub first_seen_ms: i64,
    pub punches: i64,
    /// Device clock of the first and the last waiting punch, `YYYY-MM-DD HH:MM:SS`.
    pub first_clock: String,
    pub last_clock: String,
}

const WAITING: &str = "SELECT w.device_id, d.name AS device, s.zone AS zone, w.user_id, COALESCE(u.name, '') AS name,
       COALESCE(u.ambiguous, FALSE) AS ambiguous, COALESCE(u.first_seen_ms, 0) AS first_seen_ms, w.punches, w.first_clock, w.last_clock
     FROM (SELECT device_id, user_id, COUNT(*) AS punches, MIN(COALESCE(shifted, clock)) AS first_clock,
             MAX(COALESCE(shifted, clock)) AS last_clock
           FROM punches WHERE employee_id IS NULL GROUP BY device_id, user_id) AS w
     JOIN devices d ON d.id = w.device_id JOIN sites s ON s.id = d.site_id
     LEFT JOIN device_users u ON u.device_id = w.device_id AND u.user_id = w.user_id";

/// Device users with punches that count for nobody, most punches first.
pub async fn waiting(store: &Store, limit: i64) -> Result<Vec<WaitingUser>, StoreError> {
    let text = format!("{WAITING} ORDER BY w.punches DESC, w.device_id, w.user_id LIMIT $1");
    Ok(sql::fetch(store.read(), &text, [limit.into()]).await?)
}

/// One of them; `None` when nothing of that user waits any more. A user in the list of a device whom nobody is matched to can
/// be mapped before the first punch.
pub async fn waiting_user(
    store: &Store,
    device_id: i64,
    user_id: &str,
) -> Result<Option<WaitingUser>, StoreError> {
    let values = [device_id.into(), user_id.into()];
    let text = format!("{WAITING} WHERE w.device_id = $1 AND w.user_id = $2");
    let mut rows = sql::fetch(store.read(), &text, values.clone()).await?;
    if rows.is_empty() {
        let text = "SELECT u.device_id, d.name AS device, s.zone AS zone, u.user_id, u.name, u.ambiguous, u.first_seen_ms,
               CAST(0 AS BIGINT) AS punches, '' AS first_clock, '' AS last_clock
             FROM device_users u JOIN devices d ON d.id = u.device_id JOIN sites s ON s.id = d.site_id
             WHERE u.device_id = $1 AND u.user_id = $2 AND u.employee_id IS NULL";
        rows = sql::fetch(store.read(), text, values).await?;
    }
    Ok(rows.pop())
}

/// An employee somebody might be.
#[derive(Clone, Debug, PartialEq, Eq, FromQueryResult)]
pub struct Candidate {
    pub id: i64,
    pub code: String,
    pub first_name: String,
    pub last_name: String,
    pub username: Option<String>,
    pub device_id: Option<String>,
    pub department: Option<String>,
    pub employed_from: Option<String>,
    pub employed_to: Option<String>,
}

const CANDIDATE: &str =
    "SELECT e.id, e.code, e.first_name, e.last_name, e.username, e.device_id, d.name AS department,
       e.employed_from, e.employed_to
     FROM employees e LEFT JOIN departments d ON d.id = e.department_id";

/// Everybody whose number, code or user name is this text, apart from leading zeros and case. They are suggestions: exact
/// matches would have been made already, unless there are several.
pub async fn alike_by_number(store: &Store, user_id: &str) -> Result<Vec<Candidate>, StoreError> {
    let text = format!(
        "{CANDIDATE} WHERE LTRIM(LOWER(COALESCE(e.device_id, '')), '0') = $1 OR LTRIM(LOWER(e.code), '0') = $1
           OR LTRIM(LOWER(COALESCE(e.username, '')), '0') = $1 ORDER BY e.code LIMIT 20"
    );
    let bare = user_id.to_lowercase();
    let bare = bare.trim_start_matches('0');
    if bare.is_empty() {
        return Ok(Vec::new());
    }
    Ok(sql::fetch(store.read(), &text, [bare.into()]).await?)
}

/// Everybody who is not matched to a user of that device yet: those whose names are worth comparing.
pub async fn without_user_on(
    store: &Store,
    device_id: i64,
    limit: i64,
) -> Result<Vec<Candidate>, StoreError> {
    let text = format!(
        "{CANDIDATE} WHERE NOT EXISTS (SELECT 1 FROM device_users u WHERE u.device_id = $1 AND u.employee_id = e.id)
         ORDER BY e.code LIMIT $2"
    );
    Ok(sql::fetch(store.read(), &text, [device_id.into(), limit.into()]).await?)
}

/// Employees whose name or code contains a text, in order of name.
pub async fn search(store: &Store, text: &str, limit: i64) -> Result<Vec<Candidate>, StoreError> {
    let query = format!(
        "{CANDIDATE} WHERE LOWER(e.first_name || ' ' || e.last_name) LIKE $1 OR LOWER(e.code) LIKE $1
         ORDER BY e.first_name, e.last_name, e.code LIMIT $2"
    );
    let like = format!("%{}%", text.trim().to_lowercase());
    Ok(sql::fetch(store.read(), &query, [like.into(), limit.into()]).await?)
}

/// The employee with that id, as a candidate.
pub async fn candidate(store: &Store, id: i64) -> Result<Option<Candidate>, StoreError> {
    let query = format!("{CANDIDATE} WHERE e.id = $1");
    let mut rows = sql::fetch(store.read(), &query, [id.into()]).await?;
    Ok(rows.pop())
}

//! Roll calls: manual attendance taken when terminals cannot see people.

use sea_orm::FromQueryResult;

use crate::{Store, StoreError, sql};

/// One person of a roll call, with what the day's report says now.
#[derive(Clone, Debug, PartialEq, Eq, FromQueryResult)]
pub struct CalledPerson {
    pub correction_id: i64,
    pub employee_id: i64,
    pub code: String,
    pub first_name: String,
    pub last_name: String,
    pub department: Option<String>,
    /// Site wall time of the call.
    pub at: String,
    /// `in` or `out`; empty is in.
    pub direction: Option<String>,
    pub reason: String,
    pub author: Option<String>,
    pub made_ms: i64,
    pub workday: Option<String>,
    pub status: Option<String>,
    pub stage: Option<String>,
    pub late_min: Option<i64>,
    pub first_in: Option<String>,
    pub exceptions: Option<String>,
    /// Device punches of the person on the date of the call.
    pub device_punches: i64,
    /// Taken back since.
    pub voided: bool,
}

/// Everybody called together with the person of that correction, in order of name.
pub async fn people(store: &Store, correction: i64) -> Result<Vec<CalledPerson>, StoreError> {
    let text = "SELECT c.id AS correction_id, c.employee_id, e.code, e.first_name, e.last_name, d.name AS department, c.at,
           c.direction, c.reason, a.name AS author, c.made_ms, r.workday, r.status, r.stage, r.late_min, r.first_in, r.exceptions,
           (SELECT COUNT(*) FROM punches p WHERE p.employee_id = c.employee_id AND p.instant_ms >= c.at_ms - 64800000
              AND p.instant_ms <= c.at_ms + 64800000 AND substr(COALESCE(p.shifted, p.clock), 1, 10) = substr(c.at, 1, 10)) AS device_punches,
           EXISTS (SELECT 1 FROM corrections v WHERE v.void_correction_id = c.id
             AND NOT EXISTS (SELECT 1 FROM corrections b WHERE b.void_correction_id = v.id)) AS voided
         FROM corrections c JOIN employees e ON e.id = c.employee_id
         LEFT JOIN departments d ON d.id = e.department_id
         LEFT JOIN accounts a ON a.id = c.author_id
         LEFT JOIN attendance_reports r ON r.employee_id = c.employee_id AND r.workday = substr(c.at, 1, 10)
         WHERE c.batch = (SELECT batch FROM corrections WHERE id = $1) AND c.kind = 'roll_call'
         ORDER BY e.first_name, e.last_name, e.code";
    Ok(sql::fetch(store.read(), text, [correction.into()]).await?)
}

/// A roll call in the list of roll calls.
#[derive(Clone, Debug, PartialEq, Eq, FromQueryResult)]
pub struct RollCallRow {
    /// The first of its corrections, which names it.
    pub id: i64,
    pub at: String,
    pub made_ms: i64,
    pub people: i64,
    pub reason: String,
    pub author: Option<String>,
}

/// The newest roll calls, newest first.
pub async fn list(store: &Store, limit: i64) -> Result<Vec<RollCallRow>, StoreError> {
    let text = "SELECT MIN(c.id) AS id, MIN(c.at) AS at, MAX(c.made_ms) AS made_ms, COUNT(*) AS people, MIN(c.reason) AS reason,
           MIN(a.name) AS author
         FROM corrections c LEFT JOIN accounts a ON a.id = c.author_id
         WHERE c.kind = 'roll_call' AND c.batch IS NOT NULL
         GROUP BY c.batch ORDER BY MAX(c.made_ms) DESC LIMIT $1";
    Ok(sql::fetch(store.read(), text, [limit.into()]).await?)
}

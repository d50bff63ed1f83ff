//! The table of one workday.

use sea_orm::FromQueryResult;

use super::board::full_name;
use crate::{Store, StoreError, sql};

/// One employed person on one workday, with the whole report. Its fields are `None` as long as the day has not been judged.
#[derive(Clone, Debug, PartialEq, Eq, FromQueryResult)]
pub struct DayRow {
    pub id: i64,
    pub code: String,
    pub first_name: String,
    pub last_name: String,
    pub department_id: Option<i64>,
    pub department: Option<String>,
    pub status: Option<String>,
    pub stage: Option<String>,
    pub reason: Option<String>,
    pub shift: Option<String>,
    /// Site wall time `YYYY-MM-DD HH:MM:SS`.
    pub first_in: Option<String>,
    pub first_in_ms: Option<i64>,
    pub last_out: Option<String>,
    pub worked_min: Option<i64>,
    pub late_min: Option<i64>,
    pub early_min: Option<i64>,
    pub overtime_min: Option<i64>,
    pub exceptions: Option<String>,
    pub pending: Option<String>,
    pub leave_part: Option<String>,
}

impl DayRow {
    pub fn name(&self) -> String {
        full_name(&self.first_name, &self.last_name)
    }
}

/// Everybody employed on that workday, at one site or (`None`) at all, in order of name.
pub async fn rows(
    store: &Store,
    site_id: Option<i64>,
    day: &str,
) -> Result<Vec<DayRow>, StoreError> {
    let text =
        "SELECT e.id, e.code, e.first_name, e.last_name, d.id AS department_id, d.name AS department,
           r.status, r.stage, r.reason, r.shift, r.first_in, r.first_in_ms, r.last_out, r.worked_min, r.late_min, r.early_min,
           r.overtime_min, r.exceptions, r.pending, r.leave_part
         FROM employees e
         LEFT JOIN attendance_reports r ON r.employee_id = e.id AND r.workday = $1
         LEFT JOIN attendances a ON a.id = r.attendance_id
         LEFT JOIN departments d ON d.id = COALESCE(e.department_id, a.department_id)
         WHERE ($2 = 0 OR e.site_id = $2) AND (e.employed_from IS NULL OR e.employed_from <= $1)
           AND (e.employed_to IS NULL OR e.employed_to >= $1)
         ORDER BY e.first_name, e.last_name, e.code";
    let values = [day.into(), site_id.unwrap_or(0).into()];
    Ok(sql::fetch(store.read(), text, values).await?)
}

/// A punch in a span of time: who, where.
#[derive(Clone, Debug, PartialEq, Eq, FromQueryResult)]
pub struct Seen {
    pub employee_id: i64,
    pub device_id: i64,
    pub instant_ms: i64,
}

/// Punches of known people between two instants, the second not included.
pub async fn seen(store: &Store, from_ms: i64, to_ms: i64) -> Result<Vec<Seen>, StoreError> {
    // Device by device: an index over the instants of all would cost every punch more than this costs a page.
    let text = "SELECT p.employee_id, p.device_id, p.instant_ms FROM devices d CROSS JOIN punches p
         WHERE p.device_id = d.id AND p.instant_ms >= $1 AND p.instant_ms < $2 AND p.employee_id IS NOT NULL
         ORDER BY p.instant_ms";
    Ok(sql::fetch(store.read(), text, [from_ms.into(), to_ms.into()]).await?)
}

/// The same for some people only.
pub async fn seen_of(
    store: &Store,
    employees: &[i64],
    from_ms: i64,
    to_ms: i64,
) -> Result<Vec<Seen>, StoreError> {
    let text = format!(
        "SELECT employee_id, device_id, instant_ms FROM punches
         WHERE employee_id IN {} AND instant_ms >= $2 AND instant_ms < $3 ORDER BY instant_ms",
        sql::in_ids(store.backend(), 1)
    );
    let values = [sql::json(employees), from_ms.into(), to_ms.into()];
    Ok(sql::fetch(store.read(), &text, values).await?)
}

/// A roll call or another correction that concerns a person on a day.
#[derive(Clone, Debug, PartialEq, Eq, FromQueryResult)]
pub struct CorrectionRow {
    pub id: i64,
    /// `restore` where it takes back a void.
    pub kind: String,
    pub employee_id: i64,
    /// Site wall time.
    pub at: String,
    pub reason: String,
    pub author: Option<String>,
    pub batch: Option<String>,
    pub made_ms: i64,
}

/// Corrections of these people with a site wall time from `from` up to, not including, `before` (text, any prefix).
pub async fn corrections(
    store: &Store,
    employees: &[i64],
    from: &str,
    before: &str,
) -> Result<Vec<CorrectionRow>, StoreError> {
    let text = format!(
        "SELECT c.id, CASE WHEN v.kind = 'void' THEN 'restore' ELSE c.kind END AS kind, c.employee_id, c.at, c.reason,
           a.name AS author, c.batch, c.made_ms
         FROM corrections c LEFT JOIN accounts a ON a.id = c.author_id LEFT JOIN corrections v ON v.id = c.void_correction_id
         WHERE c.employee_id IN {} AND c.at >= $2 AND c.at < $3 ORDER BY c.at_ms, c.id",
        sql::in_ids(store.backend(), 1)
    );
    let values = [sql::json(employees), from.into(), before.into()];
    Ok(sql::fetch(store.read(), &text, values).await?)
}

//! What the board of today is made of.

use sea_orm::{DbBackend, FromQueryResult};

use crate::{Store, StoreError, sql};

/// A site and its zone.
#[derive(Clone, Debug, PartialEq, Eq, FromQueryResult)]
pub struct SiteRow {
    pub id: i64,
    pub name: String,
    /// IANA name.
    pub zone: String,
    pub is_default: bool,
}

/// All sites, the default one first.
pub async fn sites(store: &Store) -> Result<Vec<SiteRow>, StoreError> {
    let text = "SELECT id, name, zone, is_default FROM sites ORDER BY is_default DESC, name";
    Ok(sql::fetch(store.read(), text, []).await?)
}

/// One employed person on one workday. The fields of the report are `None` as long as the day has not been judged.
#[derive(Clone, Debug, PartialEq, Eq, FromQueryResult)]
pub struct PersonToday {
    pub id: i64,
    pub code: String,
    pub first_name: String,
    pub last_name: String,
    pub department_id: Option<i64>,
    pub department: Option<String>,
    pub employed_from: Option<String>,
    pub status: Option<String>,
    pub reason: Option<String>,
    pub shift: Option<String>,
    /// Site wall time `YYYY-MM-DD HH:MM:SS`.
    pub first_in: Option<String>,
    pub late_min: Option<i64>,
}

impl PersonToday {
    pub fn name(&self) -> String {
        full_name(&self.first_name, &self.last_name)
    }
}

/// First and last name with one blank between them; either may be empty.
pub fn full_name(first: &str, last: &str) -> String {
    format!("{first} {last}").trim().to_owned()
}

/// Everybody employed at a site on a workday, or only those of `ids`, in order of name.
pub async fn people(
    store: &Store,
    site_id: i64,
    day: &str,
    ids: Option<&[i64]>,
) -> Result<Vec<PersonToday>, StoreError> {
    let only = match ids {
        Some(_) => format!("AND e.id IN {}", sql::in_ids(store.backend(), 3)),
        None => String::new(),
    };
    let text = format!(
        "SELECT e.id, e.code, e.first_name, e.last_name, d.id AS department_id, d.name AS department, e.employed_from,
           r.status, r.reason, r.shift, r.first_in, r.late_min
         FROM employees e
         LEFT JOIN attendance_reports r ON r.employee_id = e.id AND r.workday = $2
         LEFT JOIN attendances a ON a.id = r.attendance_id
         LEFT JOIN departments d ON d.id = COALESCE(e.department_id, a.department_id)
         WHERE e.site_id = $1 AND (e.employed_from IS NULL OR e.employed_from <= $2)
           AND (e.employed_to IS NULL OR e.employed_to >= $2) {only}
         ORDER BY e.first_name, e.last_name, e.code"
    );
    let mut values = vec![site_id.into(), day.into()];
    values.extend(ids.map(sql::json));
    Ok(sql::fetch(store.read(), &text, values).await?)
}

/// How many people came first in at that minute of that workday.
#[derive(Clone, Debug, PartialEq, Eq, FromQueryResult)]
pub struct ArrivalCount {
    pub workday: String,
    /// `HH:MM` on the site's wall clock.
    pub minute: String,
    pub people: i64,
}

/// Arrivals per minute on earlier workdays; arrivals on another date than the workday (night shifts) are left out.
pub async fn arrivals(
    store: &Store,
    site_id: i64,
    days: &[String],
) -> Result<Vec<ArrivalCount>, StoreError> {
    let text = format!(
        "SELECT r.workday AS workday, substr(r.first_in, 12, 5) AS minute, COUNT(*) AS people
         FROM attendance_reports r JOIN employees e ON e.id = r.employee_id
         WHERE r.workday IN {} AND e.site_id = $1 AND r.first_in IS NOT NULL
           AND substr(r.first_in, 1, 10) = r.workday AND r.status NOT IN ('weekly_off', 'holiday', 'on_leave')
         GROUP BY r.workday, substr(r.first_in, 12, 5) ORDER BY 1, 2",
        sql::in_texts(store.backend(), 2)
    );
    Ok(sql::fetch(store.read(), &text, [site_id.into(), sql::json(days)]).await?)
}

/// How many people of a department had come on that workday.
#[derive(Clone, Debug, PartialEq, Eq, FromQueryResult)]
pub struct DepartmentArrivals {
    pub workday: String,
    pub department_id: i64,
    pub people: i64,
}

/// Arrivals up to and including a minute `HH:MM`, by workday and department; counted as [`arrivals`] counts.
pub async fn arrivals_by_department(
    store: &Store,
    site_id: i64,
    days: &[String],
    minute: &str,
) -> Result<Vec<DepartmentArrivals>, StoreError> {
    let text = format!(
        "SELECT r.workday AS workday, e.department_id AS department_id, COUNT(*) AS people
         FROM attendance_reports r JOIN employees e ON e.id = r.employee_id
         WHERE r.workday IN {} AND e.site_id = $1 AND e.department_id IS NOT NULL AND r.first_in IS NOT NULL
           AND substr(r.first_in, 1, 10) = r.workday AND substr(r.first_in, 12, 5) <= $3
           AND r.status NOT IN ('weekly_off', 'holiday', 'on_leave')
         GROUP BY r.workday, e.department_id ORDER BY 1, 2",
        sql::in_texts(store.backend(), 2)
    );
    let values = [site_id.into(), sql::json(days), minute.into()];
    Ok(sql::fetch(store.read(), &text, values).await?)
}

#[derive(FromQueryResult)]
struct DayOnly {
    day: String,
}

/// Holidays of a site within the days given, both ends included.
pub async fn holidays(
    store: &Store,
    site_id: i64,
    from: &str,
    to: &str,
) -> Result<Vec<String>, StoreError> {
    let text = "SELECT day FROM holidays WHERE (site_id IS NULL OR site_id = $1) AND day >= $2 AND day <= $3";
    let rows: Vec<DayOnly> =
        sql::fetch(store.read(), text, [site_id.into(), from.into(), to.into()]).await?;
    Ok(rows.into_iter().map(|row| row.day).collect())
}

/// A person's first in on an earlier day.
#[derive(Clone, Debug, PartialEq, Eq, FromQueryResult)]
pub struct EarlierArrival {
    pub employee_id: i64,
    pub first_in: String,
}

/// First ins of these people from `from` up to, not including, `before`.
pub async fn earlier_arrivals(
    store: &Store,
    employees: &[i64],
    from: &str,
    before: &str,
) -> Result<Vec<EarlierArrival>, StoreError> {
    let text = format!(
        "SELECT employee_id, first_in FROM attendance_reports
         WHERE employee_id IN {} AND workday >= $2 AND workday < $3 AND first_in IS NOT NULL",
        sql::in_ids(store.backend(), 1)
    );
    let values = [sql::json(employees), from.into(), before.into()];
    Ok(sql::fetch(store.read(), &text, values).await?)
}

/// A device in which a person is enrolled, or on which the person has punched.
#[derive(Clone, Debug, PartialEq, Eq, serde::Deserialize)]
pub struct PersonDevice {
    pub employee_id: i64,
    pub device_id: i64,
}

/// The devices that could have seen these people: where they are known as users.
pub async fn devices_of(store: &Store, employees: &[i64]) -> Result<Vec<PersonDevice>, StoreError> {
    let rest = format!(
        "FROM (SELECT DISTINCT u.employee_id, u.device_id FROM device_users u JOIN devices d ON d.id = u.device_id
         WHERE u.employee_id IN {} AND d.retired_ms IS NULL ORDER BY u.employee_id, u.device_id) AS known",
        sql::in_ids(store.backend(), 1)
    );
    Ok(sql::list(
        store.read(),
        "employee_id, device_id",
        &rest,
        [sql::json(employees)],
    )
    .await?)
}

/// A punch as the list of recent attendances shows it.
#[derive(Clone, Debug, PartialEq, Eq, FromQueryResult)]
pub struct RecentPunch {
    pub id: i64,
    pub user_id: String,
    pub clock: String,
    pub instant_ms: i64,
    pub source: String,
    pub device_id: i64,
    pub device: String,
    /// The name the device has for this user; may be empty.
    pub user_name: Option<String>,
    pub employee_id: Option<i64>,
    pub code: Option<String>,
    pub first_name: Option<String>,
    pub last_name: Option<String>,
}

/// The newest punches of a site's devices by the time they were made, newest first. Punches dated after `until_ms` are left
/// out: a terminal whose clock is ahead would otherwise stay on top for ever.
pub async fn recent_punches(
    store: &Store,
    site_id: i64,
    until_ms: i64,
    limit: i64,
) -> Result<Vec<RecentPunch>, StoreError> {
    let values = [site_id.into(), until_ms.into(), limit.into()];
    Ok(sql::fetch(store.read(), &recent_text(store.backend()), values).await?)
}

fn recent_text(backend: DbBackend) -> String {
    // The newest of each device by index: the newest of a quiet site may lie behind millions of others.
    let newest = |columns: &str| {
        format!(
            "(SELECT {columns} FROM punches q WHERE q.device_id = d.id AND q.instant_ms <= $2 AND (NOT q.suspect OR q.shift_id IS NOT NULL)
              ORDER BY q.instant_ms DESC, q.id DESC LIMIT $3)"
        )
    };
    let punches = match backend {
        DbBackend::Postgres => format!("LATERAL {} AS p", newest("*")),
        _ => format!("punches p ON p.id IN {}", newest("q.id")), // it has no LATERAL
    };
    format!(
        "SELECT p.id, p.user_id, COALESCE(p.shifted, p.clock) AS clock, p.instant_ms, p.source, p.device_id, d.name AS device, u.name AS user_name,
           p.employee_id, e.code, e.first_name, e.last_name
         FROM devices d CROSS JOIN {punches}
         LEFT JOIN device_users u ON u.device_id = p.device_id AND u.user_id = p.user_id
         LEFT JOIN employees e ON e.id = p.employee_id
         WHERE d.site_id = $1 ORDER BY p.instant_ms DESC, p.id DESC LIMIT $3"
    )
}

#[derive(FromQueryResult)]
struct PunchCount {
    punches: i64,
}

/// How many of these punches were made at a site's devices.
pub async fn punches_at(store: &Store, site_id: i64, ids: &[i64]) -> Result<i64, StoreError> {
    let text = format!(
        "SELECT COUNT(*) AS punches FROM punches p JOIN devices d ON d.id = p.device_id
         WHERE d.site_id = $1 AND p.id IN {}",
        sql::in_ids(store.backend(), 2)
    );
    let rows: Vec<PunchCount> =
        sql::fetch(store.read(), &text, [site_id.into(), sql::json(ids)]).await?;
    Ok(rows.first().map_or(0, |row| row.punches))
}

/// Reports of these people on the workdays `from` to `to`, both included.
pub async fn reports_of(
    store: &Store,
    employees: &[i64],
    from: &str,
    to: &str,
) -> Result<Vec<ReportBrief>, StoreError> {
    let text = format!(
        "SELECT employee_id, workday, status, stage, late_min, first_in_ms, last_out_ms, exceptions, pending
         FROM attendance_reports WHERE employee_id IN {} AND workday >= $2 AND workday <= $3",
        sql::in_ids(store.backend(), 1)
    );
    let values = [sql::json(employees), from.into(), to.into()];
    Ok(sql::fetch(store.read(), &text, values).await?)
}

/// What a status badge needs of a report.
#[derive(Clone, Debug, PartialEq, Eq, FromQueryResult)]
pub struct ReportBrief {
    pub employee_id: i64,
    pub workday: String,
    pub status: String,
    pub stage: String,
    pub late_min: i64,
    pub first_in_ms: Option<i64>,
    pub last_out_ms: Option<i64>,
    pub exceptions: String,
    pub pending: String,
}

/// Numbers beside the entries of the navigation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromQueryResult)]
pub struct Waiting {
    /// Device users without a person that have punches.
    pub inbox: i64,
    /// Failures that have not ended.
    pub failures: i64,
    pub devices: i64,
    /// Enabled devices without an open failure.
    pub devices_well: i64,
    /// Terminals that call and wait to be registered.
    pub held: i64,
}

const WAITING: &str = "SELECT
        (SELECT COUNT(*) FROM (SELECT DISTINCT p.device_id, p.user_id FROM punches p WHERE p.employee_id IS NULL) AS w) AS inbox,
        (SELECT COUNT(*) FROM device_failures f JOIN devices d ON d.id = f.device_id
          WHERE f.ended_ms IS NULL AND d.retired_ms IS NULL) AS failures,
        (SELECT COUNT(*) FROM devices d WHERE d.retired_ms IS NULL AND d.enabled) AS devices,
        (SELECT COUNT(*) FROM devices d WHERE d.retired_ms IS NULL AND d.enabled AND NOT EXISTS
          (SELECT 1 FROM device_failures f WHERE f.device_id = d.id AND f.ended_ms IS NULL)) AS devices_well,
        (SELECT COUNT(*) FROM held_terminals WHERE NOT refused) AS held";

pub async fn waiting(store: &Store) -> Result<Waiting, StoreError> {
    let row = sql::one(store.read(), WAITING, []).await?;
    Ok(row
        .map(|row| Waiting::from_query_result(&row, ""))
        .transpose()?
        .unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::on_sqlite;

    /// At every change of the board, with millions of punches.
    #[tokio::test]
    async fn the_board_reads_punches_by_index() {
        on_sqlite(async |store: Store| {
            let plan = async |text: &str, values: Vec<sea_orm::Value>| {
                let explain = format!("EXPLAIN QUERY PLAN {text}");
                let rows = sql::all(store.read(), &explain, values).await.unwrap();
                let steps = rows.iter().map(|row| row.try_get_by_index::<String>(3).unwrap());
                steps.collect::<Vec<_>>().join("; ")
            };
            let values = vec![1.into(), 0.into(), 20.into()];
            let recent = plan(&recent_text(store.backend()), values).await;
            assert!(recent.contains("SEARCH p USING INTEGER PRIMARY KEY"), "{recent}");
            let newest = "SEARCH q USING INDEX punches_by_device_id_instant_ms (device_id=? AND instant_ms<?)";
            assert!(recent.contains(newest), "{recent}");
            let waiting = plan(WAITING, Vec::new()).await;
            assert!(waiting.contains("p USING COVERING INDEX punches_of_nobody"), "{waiting}");
        })
        .await;
    }
}

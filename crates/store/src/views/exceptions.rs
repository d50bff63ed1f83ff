//! Days that wait for a person: with an exception, without what a device has not told, or past and still not settled.

use sea_orm::FromQueryResult;

use super::board::full_name;
use crate::{Store, StoreError, sql};

/// Which days wait, of reports `r`; `$1` is today. The words are those of the index `attendance_reports_undecided`, by which they are found; what is pending
/// today settles by itself.
pub(super) const UNDECIDED: &str = "(r.stage <> 'locked' AND (r.exceptions <> '' OR r.pending <> '' OR r.status = 'unknown')) \
     AND (r.exceptions <> '' OR r.workday < $1)";

/// What the queue is narrowed to. Empty is everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct QueueFilter {
    /// Dates `YYYY-MM-DD`, both inclusive.
    pub days: Option<(String, String)>,
    pub department_id: Option<i64>,
}

impl QueueFilter {
    fn values(&self, today: &str) -> Vec<sea_orm::Value> {
        let (from, to) = match &self.days {
            Some((from, to)) => (from.clone(), to.clone()),
            None => ("0000".to_owned(), "9999-99".to_owned()),
        };
        vec![
            today.into(),
            from.into(),
            to.into(),
            self.department_id.unwrap_or(0).into(),
        ]
    }
}

const FROM: &str = "FROM attendance_reports r JOIN attendances a ON a.id = r.attendance_id
     JOIN departments d ON d.id = a.department_id JOIN employees e ON e.id = r.employee_id";
const WITHIN: &str = "r.workday >= $2 AND r.workday <= $3 AND ($4 = 0 OR d.id = $4)";

/// A day of a person that waits.
#[derive(Clone, Debug, PartialEq, Eq, FromQueryResult)]
pub struct WaitingDay {
    pub code: String,
    pub first_name: String,
    pub last_name: String,
    pub department: String,
    pub workday: String,
    pub status: String,
    pub reason: String,
    pub late_min: i64,
    pub early_min: i64,
    pub overtime_min: i64,
    pub exceptions: String,
    pub pending: String,
    pub leave_part: String,
}

impl WaitingDay {
    pub fn name(&self) -> String {
        full_name(&self.first_name, &self.last_name)
    }
}

/// The first of those that wait, the earliest day first, then by name.
pub async fn list(
    store: &Store,
    today: &str,
    filter: &QueueFilter,
    limit: i64,
) -> Result<Vec<WaitingDay>, StoreError> {
    let text = format!(
        "SELECT e.code, e.first_name, e.last_name, d.name AS department, r.workday, r.status, r.reason, r.late_min, r.early_min,
           r.overtime_min, r.exceptions, r.pending, r.leave_part
         {FROM} WHERE {UNDECIDED} AND {WITHIN} ORDER BY r.workday, e.first_name, e.last_name, e.code LIMIT $5"
    );
    let mut values = filter.values(today);
    values.push(limit.into());
    Ok(sql::fetch(store.read(), &text, values).await?)
}

/// How many wait.
pub async fn count(store: &Store, today: &str, filter: &QueueFilter) -> Result<i64, StoreError> {
    let text = format!("SELECT COUNT(*) {FROM} WHERE {UNDECIDED} AND {WITHIN}");
    counted(store, &text, filter.values(today)).await
}

/// The same of everybody, for the navigation: without a join, as it is read at every change of the board.
pub async fn count_all(store: &Store, today: &str) -> Result<i64, StoreError> {
    counted(store, &all_text(), vec![today.into()]).await
}

fn all_text() -> String {
    format!("SELECT COUNT(*) FROM attendance_reports r WHERE {UNDECIDED}")
}

async fn counted(
    store: &Store,
    text: &str,
    values: Vec<sea_orm::Value>,
) -> Result<i64, StoreError> {
    match sql::one(store.read(), text, values).await? {
        Some(row) => Ok(row.try_get_by_index(0)?),
        None => Ok(0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::on_both_databases;
    use crate::testing::{on_sqlite, report_saying, tamper, weaving_and_others};

    on_both_databases! {
        async fn what_settles_by_itself_today_does_not_wait(store: Store) {
            let tx = store.begin_write().await.unwrap();
            let (_, weaving, ada, bo) = weaving_and_others(&tx).await;
            for (who, day, status) in [
                (ada, "2026-05-04", "present"),
                (ada, "2026-05-05", "unknown"),
                (ada, "2026-05-06", "present"),
                (ada, "2026-05-07", "present"),
                (bo, "2026-05-07", "present"),
                (bo, "2026-05-06", "unknown"),
            ] {
                report_saying(&tx, who, day, status, None, 0).await;
            }
            tx.commit().await.unwrap();
            for text in [
                "UPDATE attendance_reports SET exceptions = 'off_shift', stage = 'locked' WHERE workday = '2026-05-04'",
                "UPDATE attendance_reports SET pending = 'missing_out' WHERE workday = '2026-05-06'",
                "UPDATE attendance_reports SET pending = 'missing_out' WHERE workday = '2026-05-07'",
                "UPDATE attendance_reports SET exceptions = 'missing_in' WHERE workday = '2026-05-07' AND employee_id = 2",
            ] {
                tamper(&store, text).await;
            }
            let days = async |filter: &QueueFilter| {
                let found = list(&store, "2026-05-07", filter, 9).await.unwrap();
                assert_eq!(count(&store, "2026-05-07", filter).await.unwrap(), found.len() as i64);
                found.into_iter().map(|one| format!("{} {}", one.code, &one.workday[8..])).collect::<Vec<_>>()
            };
            assert_eq!(days(&QueueFilter::default()).await, ["1 05", "1 06", "2 06", "2 07"]);
            assert_eq!(count_all(&store, "2026-05-07").await.unwrap(), 4);
            let weaving = QueueFilter { department_id: Some(weaving.0), ..QueueFilter::default() };
            assert_eq!(days(&weaving).await, ["1 05", "1 06"]);
            let only = QueueFilter {
                days: Some(("2026-05-06".to_owned(), "2026-05-06".to_owned())),
                ..QueueFilter::default()
            };
            assert_eq!(days(&only).await, ["1 06", "2 06"]);
        }
    }

    /// At every change of the board, with years of reports.
    #[tokio::test]
    async fn the_navigation_counts_by_index() {
        on_sqlite(async |store: Store| {
            let explain = format!("EXPLAIN QUERY PLAN {}", all_text());
            let rows = sql::all(store.read(), &explain, ["2026-05-07".into()])
                .await
                .unwrap();
            let plan: Vec<String> = rows
                .iter()
                .map(|row| row.try_get_by_index(3).unwrap())
                .collect();
            assert!(
                plan.join(";").contains("attendance_reports_undecided"),
                "{plan:?}"
            );
        })
        .await;
    }
}

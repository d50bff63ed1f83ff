//! Closed periods as people read them, and what the evidence says differently since.

use sea_orm::FromQueryResult;

use super::board::full_name;
use super::sheet::Scope;
use crate::{Store, StoreError, sql};

/// A period that was closed, with the names of those who did it.
#[derive(Clone, Debug, PartialEq, Eq, FromQueryResult)]
pub struct ClosedPeriod {
    pub id: i64,
    pub from_day: String,
    /// Inclusive.
    pub to_day: String,
    /// `None`: every department.
    pub department_id: Option<i64>,
    pub department: Option<String>,
    pub closed_ms: i64,
    pub closed_by: Option<String>,
    /// Why it was closed although something was open; empty when nothing was.
    pub waiver: String,
    pub open_exceptions: i64,
    pub reopened_ms: Option<i64>,
    pub reopened_by: Option<String>,
    pub reopen_reason: Option<String>,
}

/// The periods that touch the days from one to another, both inclusive, the latest closed first. With a department those that
/// close it, else all; opened again ones too.
pub async fn periods(
    store: &Store,
    from: &str,
    to: &str,
    department_id: Option<i64>,
) -> Result<Vec<ClosedPeriod>, StoreError> {
    let text = "SELECT p.id, p.from_day, p.to_day, p.department_id, d.name AS department, p.closed_ms, c.name AS closed_by,
           p.waiver, p.open_exceptions, p.reopened_ms, o.name AS reopened_by, p.reopen_reason
         FROM periods p LEFT JOIN departments d ON d.id = p.department_id
         LEFT JOIN accounts c ON c.id = p.closed_by LEFT JOIN accounts o ON o.id = p.reopened_by
         WHERE p.from_day <= $2 AND p.to_day >= $1 AND ($3 = 0 OR p.department_id IS NULL OR p.department_id = $3)
         ORDER BY p.id DESC";
    let values = [from.into(), to.into(), department_id.unwrap_or(0).into()];
    Ok(sql::fetch(store.read(), text, values).await?)
}

/// A closed day of a person that the evidence no longer agrees with (R111).
#[derive(Clone, Debug, PartialEq, Eq, FromQueryResult)]
pub struct ChangedCell {
    pub code: String,
    pub first_name: String,
    pub last_name: String,
    pub workday: String,
    pub letter: String,
    /// The fields that differ, with commas between.
    pub changes: String,
}

impl ChangedCell {
    pub fn name(&self) -> String {
        full_name(&self.first_name, &self.last_name)
    }
}

/// Those of a scope from one day to another, both inclusive, by day, then name.
pub async fn changed_cells(
    store: &Store,
    scope: &Scope,
    from: &str,
    to: &str,
) -> Result<Vec<ChangedCell>, StoreError> {
    let text = "SELECT e.code, e.first_name, e.last_name, r.workday, r.letter, r.changes_after_close AS changes
         FROM attendance_reports r JOIN attendances a ON a.id = r.attendance_id
         JOIN departments d ON d.id = a.department_id JOIN employees e ON e.id = r.employee_id
         WHERE r.workday >= $3 AND r.workday <= $4 AND r.changes_after_close <> ''
           AND ($1 = 0 OR d.site_id = $1) AND ($2 = 0 OR d.id = $2)
         ORDER BY r.workday, e.first_name, e.last_name, e.code";
    let values = [
        scope.site_id.unwrap_or(0).into(),
        scope.department_id.unwrap_or(0).into(),
        from.into(),
        to.into(),
    ];
    Ok(sql::fetch(store.read(), text, values).await?)
}

#[cfg(test)]
mod tests {
    use attendance::DepartmentId;

    use super::*;
    use crate::on_both_databases;
    use crate::periods::Days;
    use crate::testing::{author, employee_fields, report_saying, site};

    on_both_databases! {
        async fn a_period_names_what_it_closes_and_what_changed_since(store: Store) {
            let tx = store.begin_write().await.unwrap();
            let berlin = site(&tx).await;
            let weaving = tx.add_department(berlin, "Weaving", author()).await.unwrap();
            let stores = tx.add_department(berlin, "Stores", author()).await.unwrap();
            for (code, department) in [("1", weaving), ("2", stores)] {
                let mut fields = employee_fields(berlin, code);
                fields.department = Some(department);
                let id = tx.add_employee(&fields, author()).await.unwrap();
                report_saying(&tx, id, "2026-04-07", "present", None, 0).await;
            }
            sql::run(&tx.tx, "UPDATE attendance_reports SET changes_after_close = 'late_min,status'", []).await.unwrap();
            sql::run(&tx.tx, "DELETE FROM marked_days", []).await.unwrap();
            let days = |department: Option<DepartmentId>| Days {
                from: "2026-04-01".parse().unwrap(),
                to: "2026-04-30".parse().unwrap(),
                department,
            };
            let first = tx.close_days(days(Some(weaving)), None, author()).await.unwrap();
            sql::run(&tx.tx, "DELETE FROM marked_days", []).await.unwrap();
            tx.close_days(days(Some(stores)), None, author()).await.unwrap();
            tx.reopen_period(first, "a late letter", author()).await.unwrap();
            tx.commit().await.unwrap();

            let of = async |department: Option<i64>| periods(&store, "2026-04-30", "2026-05-30", department).await.unwrap();
            assert_eq!(of(None).await.len(), 2);
            let found = of(Some(weaving.0)).await;
            assert_eq!(found.len(), 1, "one department's period does not close another");
            assert_eq!(found[0].department.as_deref(), Some("Weaving"));
            assert_eq!(found[0].reopen_reason.as_deref(), Some("a late letter"));
            assert_eq!(periods(&store, "2026-05-01", "2026-05-30", None).await.unwrap(), []);

            let scope = Scope { site_id: Some(berlin.0), department_id: Some(stores.0) };
            let cells = changed_cells(&store, &scope, "2026-04-01", "2026-04-30").await.unwrap();
            assert_eq!((cells.len(), &*cells[0].code, &*cells[0].changes), (1, "2", "late_min,status"));
            let all = changed_cells(&store, &Scope::default(), "2026-04-08", "2026-04-30").await.unwrap();
            assert_eq!(all, []);
        }
    }
}

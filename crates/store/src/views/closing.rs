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
    /// Only one site or department; neither: everybody.
    pub site: Option<String>,
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

/// The periods that touch the days from one to another, both inclusive, the latest closed first: those that close something of
/// the scope, opened again ones too.
pub async fn periods(
    store: &Store,
    scope: &Scope,
    from: &str,
    to: &str,
) -> Result<Vec<ClosedPeriod>, StoreError> {
    let text = "SELECT p.id, p.from_day, p.to_day, s.name AS site, p.department_id, d.name AS department, p.closed_ms, c.name AS closed_by,
           p.waiver, p.open_exceptions, p.reopened_ms, o.name AS reopened_by, p.reopen_reason
         FROM periods p LEFT JOIN departments d ON d.id = p.department_id LEFT JOIN sites s ON s.id = p.site_id
         LEFT JOIN accounts c ON c.id = p.closed_by LEFT JOIN accounts o ON o.id = p.reopened_by
         WHERE p.from_day <= $4 AND p.to_day >= $3
           AND ($2 = 0 OR p.department_id IS NULL OR p.department_id = $2)
           AND ($2 = 0 OR p.site_id IS NULL OR p.site_id = (SELECT x.site_id FROM departments x WHERE x.id = $2))
           AND ($1 = 0 OR (p.site_id IS NULL OR p.site_id = $1) AND (d.site_id IS NULL OR d.site_id = $1))
         ORDER BY p.id DESC";
    Ok(sql::fetch(store.read(), text, scope.spanning(from, to)).await?)
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
    Ok(sql::fetch(store.read(), text, scope.spanning(from, to)).await?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::on_both_databases;
    use crate::periods::{Days, Part};
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
            let day = "2026-04-07".parse().unwrap();
            let days = |of: Part| Days { from: day, to: day, of };
            let first = tx.close_days(days(Part::Department(weaving)), None, author()).await.unwrap();
            sql::run(&tx.tx, "DELETE FROM marked_days", []).await.unwrap();
            tx.close_days(days(Part::Department(stores)), None, author()).await.unwrap();
            tx.reopen_period(first, "a late letter", author()).await.unwrap();
            sql::run(&tx.tx, "DELETE FROM marked_days", []).await.unwrap();
            tx.close_days(days(Part::Site(berlin)), None, author()).await.unwrap();
            let apia = tx.add_site("Apia", "Pacific/Apia", author()).await.unwrap();
            tx.commit().await.unwrap();

            let of = async |site: Option<i64>, department: Option<i64>| {
                let scope = Scope { site_id: site, department_id: department };
                let found = periods(&store, &scope, "2026-04-07", "2026-05-30").await.unwrap();
                found.into_iter().map(|one| one.department.or(one.site).unwrap_or_default()).collect::<Vec<_>>()
            };
            assert_eq!(of(None, None).await, ["Berlin", "Stores", "Weaving"]);
            assert_eq!(of(Some(berlin.0), None).await, ["Berlin", "Stores", "Weaving"]);
            assert_eq!(of(None, Some(weaving.0)).await, ["Berlin", "Weaving"], "one department's period does not close another");
            assert!(of(Some(apia.0), None).await.is_empty(), "nor one site's");
            let scope = Scope { site_id: None, department_id: Some(weaving.0) };
            let found = periods(&store, &scope, "2026-04-07", "2026-05-30").await.unwrap();
            assert_eq!(found[1].reopen_reason.as_deref(), Some("a late letter"));
            assert_eq!(periods(&store, &Scope::default(), "2026-05-01", "2026-05-30").await.unwrap(), []);

            let scope = Scope { site_id: Some(berlin.0), department_id: Some(stores.0) };
            let cells = changed_cells(&store, &scope, "2026-04-01", "2026-04-30").await.unwrap();
            assert_eq!((cells.len(), &*cells[0].code, &*cells[0].changes), (1, "2", "late_min,status"));
            let all = changed_cells(&store, &Scope::default(), "2026-04-08", "2026-04-30").await.unwrap();
            assert_eq!(all, []);
        }
    }
}

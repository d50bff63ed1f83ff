//! What employees have asked for, with whose it is and who answered.

use std::collections::BTreeSet;

use attendance::{DepartmentId, EmployeeId};
use sea_orm::{EntityTrait, FromQueryResult};

use super::board::full_name;
use crate::entities::requests;
use crate::{Store, StoreError, sql};

/// Whose requests somebody sees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    Everybody,
    /// Of people who are in these departments now.
    Departments(BTreeSet<DepartmentId>),
    Person(EmployeeId),
}

/// A request. What it asks for is [`crate::requests::Asked::of`] its entity, [`find`].
#[derive(Clone, Debug, PartialEq, Eq, FromQueryResult)]
pub struct RequestRow {
    pub id: i64,
    pub employee_id: i64,
    pub code: String,
    pub first_name: String,
    pub last_name: String,
    pub department: Option<String>,
    pub kind: String,
    /// Dates `YYYY-MM-DD`, both inclusive.
    pub from_day: String,
    pub to_day: String,
    pub reason: String,
    pub made_by: Option<i64>,
    pub made_ms: i64,
    /// `open`, `approved`, `rejected` or `withdrawn`.
    pub state: String,
    pub decided_by: Option<String>,
    pub decided_ms: Option<i64>,
    pub answer: String,
}

impl RequestRow {
    pub fn name(&self) -> String {
        full_name(&self.first_name, &self.last_name)
    }
}

/// Somebody without a department is in the default one of the site.
const FROM: &str = "FROM requests q JOIN employees e ON e.id = q.employee_id
     LEFT JOIN departments d ON d.id = COALESCE(e.department_id,
       (SELECT x.id FROM departments x WHERE x.site_id = e.site_id AND x.is_default))";

impl Seen {
    /// The condition, whose `$1` is its value.
    fn within(&self, store: &Store) -> (String, sea_orm::Value) {
        match self {
            Self::Everybody => ("$1 = 0".to_owned(), 0_i64.into()),
            Self::Departments(departments) => {
                let ids: Vec<i64> = departments.iter().map(|id| id.0).collect();
                let within = format!("d.id IN {}", sql::in_ids(store.backend(), 1));
                (within, sql::json(&ids))
            }
            Self::Person(employee) => ("q.employee_id = $1".to_owned(), employee.0.into()),
        }
    }
}

/// The open ones, the oldest first, or the newest answered ones.
pub async fn list(
    store: &Store,
    seen: &Seen,
    open: bool,
    limit: i64,
) -> Result<Vec<RequestRow>, StoreError> {
    let (within, value) = seen.within(store);
    let state = match open {
        true => "q.state = 'open'",
        false => "q.state <> 'open'",
    };
    let order = match open {
        true => "q.made_ms, q.id",
        false => "q.decided_ms DESC, q.id DESC",
    };
    let text = format!(
        "SELECT q.id, q.employee_id, e.code, e.first_name, e.last_name, d.name AS department, q.kind, q.from_day, q.to_day,
           q.reason, q.made_by, q.made_ms, q.state, a.name AS decided_by, q.decided_ms, q.answer
         {FROM} LEFT JOIN accounts a ON a.id = q.decided_by WHERE {state} AND {within} ORDER BY {order} LIMIT $2"
    );
    Ok(sql::fetch(store.read(), &text, [value, limit.into()]).await?)
}

/// How many are open.
pub async fn count_open(store: &Store, seen: &Seen) -> Result<i64, StoreError> {
    let (within, value) = seen.within(store);
    let text = format!("SELECT COUNT(*) {FROM} WHERE q.state = 'open' AND {within}");
    match sql::one(store.read(), &text, [value]).await? {
        Some(row) => Ok(row.try_get_by_index(0)?),
        None => Ok(0),
    }
}

/// A request among those that somebody sees; any other does not exist for them.
pub async fn find(
    store: &Store,
    seen: &Seen,
    id: i64,
) -> Result<Option<requests::Model>, StoreError> {
    let (within, value) = seen.within(store);
    let text = format!("SELECT q.id {FROM} WHERE q.id = $2 AND {within}");
    match sql::one(store.read(), &text, [value, id.into()]).await? {
        Some(_) => Ok(requests::Entity::find_by_id(id).one(store.read()).await?),
        None => Ok(None),
    }
}

/// Whether a person is in one of these departments now.
pub async fn leads(
    store: &Store,
    departments: &BTreeSet<DepartmentId>,
    employee: EmployeeId,
) -> Result<bool, StoreError> {
    let ids: Vec<i64> = departments.iter().map(|id| id.0).collect();
    let text = format!(
        "SELECT e.id FROM employees e WHERE e.id = $2 AND COALESCE(e.department_id,
           (SELECT x.id FROM departments x WHERE x.site_id = e.site_id AND x.is_default)) IN {}",
        sql::in_ids(store.backend(), 1)
    );
    let found = sql::one(store.read(), &text, [sql::json(&ids), employee.0.into()]).await?;
    Ok(found.is_some())
}

/// The code of an employee.
pub async fn code_of(store: &Store, employee: EmployeeId) -> Result<Option<String>, StoreError> {
    let text = "SELECT code FROM employees WHERE id = $1";
    let row = sql::one(store.read(), text, [employee.0.into()]).await?;
    Ok(row.map(|row| row.try_get_by_index(0)).transpose()?)
}

/// Somebody of a team.
#[derive(Clone, Debug, PartialEq, Eq, FromQueryResult)]
pub struct TeamRow {
    pub code: String,
    pub first_name: String,
    pub last_name: String,
    pub department: String,
    /// Of today's report; `None` as long as the day has not been judged.
    pub status: Option<String>,
    pub late_min: Option<i64>,
    pub first_in: Option<String>,
    pub last_out: Option<String>,
    pub exceptions: Option<String>,
    pub pending: Option<String>,
}

impl TeamRow {
    pub fn name(&self) -> String {
        full_name(&self.first_name, &self.last_name)
    }
}

/// Everybody in these departments who is employed on a day, with the report of that day, by department, then name.
pub async fn team(
    store: &Store,
    departments: &BTreeSet<DepartmentId>,
    day: &str,
) -> Result<Vec<TeamRow>, StoreError> {
    let ids: Vec<i64> = departments.iter().map(|id| id.0).collect();
    let text = format!(
        "SELECT e.code, e.first_name, e.last_name, d.name AS department, r.status, r.late_min, r.first_in, r.last_out,
           r.exceptions, r.pending
         FROM employees e JOIN departments d ON d.id = COALESCE(e.department_id,
           (SELECT x.id FROM departments x WHERE x.site_id = e.site_id AND x.is_default))
         LEFT JOIN attendance_reports r ON r.employee_id = e.id AND r.workday = $2
         WHERE d.id IN {} AND (e.employed_from IS NULL OR e.employed_from <= $2)
           AND (e.employed_to IS NULL OR e.employed_to >= $2)
         ORDER BY d.name, e.first_name, e.last_name, e.code",
        sql::in_ids(store.backend(), 1)
    );
    Ok(sql::fetch(store.read(), &text, [sql::json(&ids), day.into()]).await?)
}

#[cfg(test)]
mod tests {
    use jiff::civil::Date;

    use super::*;
    use crate::calendar::LeaveKind;
    use crate::on_both_databases;
    use crate::requests::{Answer, Asked};
    use crate::testing::{author, report_saying, weaving_and_others};

    on_both_databases! {
        async fn who_leads_a_department_sees_nobody_elses_people(store: Store) {
            let tx = store.begin_write().await.unwrap();
            let (_, weaving, ada, bo) = weaving_and_others(&tx).await;
            report_saying(&tx, ada, "2026-05-04", "present", None, 0).await;
            let day: Date = "2026-05-04".parse().unwrap();
            let asked = Asked::Leave {
                kind: LeaveKind::Leave,
                from: day,
                to: day,
                part: attendance::DayPart::Full,
                leave_type: None,
            };
            let of_ada = tx.ask(ada, &asked, "a wedding", author()).await.unwrap();
            let of_bo = tx.ask(bo, &asked, "a fair", author()).await.unwrap();
            let answered = tx.ask(ada, &asked, "a mistake", author()).await.unwrap();
            tx.answer_request(answered, Answer::Reject("twice"), author()).await.unwrap();
            tx.commit().await.unwrap();

            let mine = BTreeSet::from([weaving]);
            let seen = Seen::Departments(mine.clone());
            let ids = async |seen: &Seen, open| {
                let rows = list(&store, seen, open, 9).await.unwrap();
                rows.into_iter().map(|row| row.id).collect::<Vec<_>>()
            };
            assert_eq!(ids(&Seen::Everybody, true).await, [of_ada, of_bo]);
            assert_eq!(ids(&seen, true).await, [of_ada]);
            assert_eq!(ids(&seen, false).await, [answered]);
            assert_eq!(ids(&Seen::Person(bo), true).await, [of_bo]);
            assert_eq!(ids(&Seen::Departments(BTreeSet::new()), true).await, [0_i64; 0]);
            assert_eq!(count_open(&store, &seen).await.unwrap(), 1);
            assert!(find(&store, &seen, of_bo).await.unwrap().is_none());
            assert_eq!(find(&store, &seen, of_ada).await.unwrap().unwrap().reason, "a wedding");
            assert!(leads(&store, &mine, ada).await.unwrap());
            assert!(!leads(&store, &mine, bo).await.unwrap());
            let people = team(&store, &mine, "2026-05-04").await.unwrap();
            assert_eq!((people.len(), people[0].status.as_deref()), (1, Some("present")));
        }
    }
}

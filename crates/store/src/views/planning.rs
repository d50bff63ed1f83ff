//! Leave and duty elsewhere, of everybody.

use sea_orm::FromQueryResult;

use super::board::full_name;
use crate::{Store, StoreError, sql};

/// An entry of leave or duty with whose it is.
#[derive(Clone, Debug, PartialEq, Eq, FromQueryResult)]
pub struct LeaveRow {
    pub id: i64,
    pub code: String,
    pub first_name: String,
    pub last_name: String,
    /// `leave` or `on_duty`.
    pub kind: String,
    pub from_day: String,
    pub to_day: String,
    pub part: String,
    /// The name of its type.
    pub leave_type: Option<String>,
    pub reason: String,
}

impl LeaveRow {
    pub fn name(&self) -> String {
        full_name(&self.first_name, &self.last_name)
    }
}

/// What touches the days from one to another, both inclusive, of everybody or of the person with a code, by day and name.
pub async fn leave(
    store: &Store,
    code: &str,
    from: &str,
    to: &str,
    limit: i64,
) -> Result<Vec<LeaveRow>, StoreError> {
    let text = "SELECT l.id, e.code, e.first_name, e.last_name, l.kind, l.from_day, l.to_day, l.part, t.name AS leave_type, l.reason
         FROM leave l JOIN employees e ON e.id = l.employee_id LEFT JOIN leave_types t ON t.id = l.type_id
         WHERE l.from_day <= $3 AND l.to_day >= $2 AND ($1 = '' OR e.code = $1)
         ORDER BY l.from_day, e.first_name, e.last_name, l.id LIMIT $4";
    let values = [code.into(), from.into(), to.into(), limit.into()];
    Ok(sql::fetch(store.read(), text, values).await?)
}

//! The people of the departments that a manager leads, for pages that show everybody to others.

use std::collections::BTreeSet;

use attendance::DepartmentId;
use sea_orm::FromQueryResult;

use super::board::RecentPunch;
use crate::{Store, StoreError, sql};

/// Somebody of a team, past or present.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromQueryResult)]
pub struct TeamMember {
    pub id: i64,
    pub site_id: i64,
}

/// Everybody who is in one of these departments now; who has none is in the default one of the site.
pub async fn members(
    store: &Store,
    departments: &BTreeSet<DepartmentId>,
) -> Result<Vec<TeamMember>, StoreError> {
    let ids: Vec<i64> = departments.iter().map(|id| id.0).collect();
    let text = format!(
        "SELECT e.id, e.site_id FROM employees e WHERE COALESCE(e.department_id,
           (SELECT x.id FROM departments x WHERE x.site_id = e.site_id AND x.is_default)) IN {} ORDER BY e.id",
        sql::in_ids(store.backend(), 1)
    );
    Ok(sql::fetch(store.read(), &text, [sql::json(&ids)]).await?)
}

/// The newest punches of these people between two instants, the first not included, newest first; as
/// [`super::board::recent_punches`] has those of a site.
pub async fn recent_punches(
    store: &Store,
    people: &[i64],
    (after_ms, until_ms): (i64, i64),
    limit: i64,
) -> Result<Vec<RecentPunch>, StoreError> {
    let text = format!(
        "SELECT p.id, p.user_id, COALESCE(p.shifted, p.clock) AS clock, p.instant_ms, p.source, p.device_id, d.name AS device,
           u.name AS user_name, p.employee_id, e.code, e.first_name, e.last_name
         FROM punches p JOIN devices d ON d.id = p.device_id JOIN employees e ON e.id = p.employee_id
         LEFT JOIN device_users u ON u.device_id = p.device_id AND u.user_id = p.user_id
         WHERE p.employee_id IN {} AND p.instant_ms > $2 AND p.instant_ms <= $3 AND (NOT p.suspect OR p.shift_id IS NOT NULL)
         ORDER BY p.instant_ms DESC, p.id DESC LIMIT $4",
        sql::in_ids(store.backend(), 1)
    );
    let values = [
        sql::json(people),
        after_ms.into(),
        until_ms.into(),
        limit.into(),
    ];
    Ok(sql::fetch(store.read(), &text, values).await?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::on_both_databases;
    use crate::testing::{author, employee_fields, weaving_and_others};

    on_both_databases! {
        async fn a_team_is_who_is_in_its_departments_now(store: Store) {
            let tx = store.begin_write().await.unwrap();
            let (berlin, weaving, ada, bo) = weaving_and_others(&tx).await;
            tx.commit().await.unwrap();
            let member = |id: attendance::EmployeeId| TeamMember { id: id.0, site_id: berlin.0 };
            let of = async |departments: &[DepartmentId]| {
                members(&store, &departments.iter().copied().collect()).await.unwrap()
            };
            assert_eq!(of(&[weaving]).await, [member(ada)]);
            assert_eq!(of(&[]).await, []);
            let all = store.departments().await.unwrap();
            let default = all.iter().find(|one| one.is_default).unwrap().id;
            assert_eq!(of(&[default]).await, [member(bo)]);
            let tx = store.begin_write().await.unwrap();
            tx.edit_employee(ada, &employee_fields(berlin, "1"), author()).await.unwrap();
            tx.commit().await.unwrap();
            assert_eq!(of(&[weaving]).await, []);
            assert_eq!(of(&[weaving, default]).await, [member(ada), member(bo)]);
        }
    }
}

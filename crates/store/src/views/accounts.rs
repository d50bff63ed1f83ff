//! Who may sign in, whose account it is, and who leads whom.

use attendance::EmployeeId;
use sea_orm::FromQueryResult;

use crate::{Store, StoreError, sql};

/// An account with whose it is.
#[derive(Clone, Debug, PartialEq, Eq, FromQueryResult)]
pub struct AccountRow {
    pub id: i64,
    pub email: String,
    pub name: String,
    /// Comma-separated set.
    pub roles: String,
    /// The employee it belongs to.
    pub code: Option<String>,
    pub signed_in_ms: Option<i64>,
    pub disabled_ms: Option<i64>,
}

/// Those who may sign in by name, then those who may not any more.
pub async fn list(store: &Store) -> Result<Vec<AccountRow>, StoreError> {
    let text = "SELECT a.id, a.email, a.name, a.roles, e.code, a.signed_in_ms, a.disabled_ms
         FROM accounts a LEFT JOIN employees e ON e.id = a.employee_id
         ORDER BY CASE WHEN a.disabled_ms IS NULL THEN 0 ELSE 1 END, a.name, a.id";
    Ok(sql::fetch(store.read(), text, []).await?)
}

/// A department and an account that leads it.
#[derive(Clone, Debug, PartialEq, Eq, FromQueryResult)]
pub struct LedRow {
    pub department_id: i64,
    pub department: String,
    pub site: String,
    pub account_id: i64,
}

/// Who leads what, by department.
pub async fn led(store: &Store) -> Result<Vec<LedRow>, StoreError> {
    let text = "SELECT m.department_id, d.name AS department, s.name AS site, m.account_id
         FROM department_managers m JOIN departments d ON d.id = m.department_id JOIN sites s ON s.id = d.site_id
         ORDER BY d.name, s.name, d.id, m.account_id";
    Ok(sql::fetch(store.read(), text, []).await?)
}

/// The names of those who lead somebody now and may sign in.
pub async fn managers_of(store: &Store, employee: EmployeeId) -> Result<Vec<String>, StoreError> {
    let text =
        "SELECT a.name FROM department_managers m JOIN accounts a ON a.id = m.account_id JOIN employees e
           ON m.department_id = COALESCE(e.department_id, (SELECT x.id FROM departments x WHERE x.site_id = e.site_id AND x.is_default))
         WHERE e.id = $1 AND a.disabled_ms IS NULL AND ',' || a.roles || ',' LIKE '%,manager,%' ORDER BY a.name";
    let rows = sql::all(store.read(), text, [employee.0.into()]).await?;
    rows.iter()
        .map(|row| Ok(row.try_get_by_index(0)?))
        .collect()
}

/// Ids and addresses of the accounts that belong to somebody and may sign in.
pub async fn of_employee(
    store: &Store,
    employee: EmployeeId,
) -> Result<Vec<(i64, String)>, StoreError> {
    let text = "SELECT id, email FROM accounts WHERE employee_id = $1 AND disabled_ms IS NULL ORDER BY email";
    let rows = sql::all(store.read(), text, [employee.0.into()]).await?;
    rows.iter()
        .map(|row| Ok((row.try_get_by_index(0)?, row.try_get_by_index(1)?)))
        .collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::accounts::Role;
    use crate::on_both_databases;
    use crate::testing::{author, employee_fields, new_account, site};

    on_both_databases! {
        async fn accounts_say_whose_they_are_and_whom_they_lead(store: Store) {
            let tx = store.begin_write().await.unwrap();
            let berlin = site(&tx).await;
            let weaving = tx.add_department(berlin, "Weaving", author()).await.unwrap();
            let stores = tx.add_department(berlin, "Stores", author()).await.unwrap();
            let mut fields = employee_fields(berlin, "0007");
            fields.department = Some(weaving);
            let ada = tx.add_employee(&fields, author()).await.unwrap();
            let add = async |email: &str, role, employee| {
                tx.add_account(&new_account(email, role, employee), author()).await.unwrap()
            };
            let mona = add("mona@example.org", Role::Manager, None).await;
            let hana = add("hana@example.org", Role::Hr, None).await;
            let own = add("ada@example.org", Role::Employee, Some(ada)).await;
            tx.set_managers(weaving, &BTreeSet::from([mona, hana]), author()).await.unwrap();
            tx.set_led(mona, &BTreeSet::from([weaving, stores]), author()).await.unwrap();
            tx.set_led(mona, &BTreeSet::from([weaving, stores]), author()).await.unwrap();
            tx.note_sign_in(mona, author().at).await.unwrap();
            tx.commit().await.unwrap();

            let rows = list(&store).await.unwrap();
            let said: Vec<_> = rows.iter().map(|row| (row.id, row.code.as_deref(), row.signed_in_ms)).collect();
            let then = Some(author().at.as_millisecond());
            assert_eq!(said, [(own.0, Some("0007"), None), (hana.0, None, None), (mona.0, None, then)]);
            let rows = led(&store).await.unwrap();
            let said: Vec<_> = rows.iter().map(|row| (row.department.as_str(), row.account_id)).collect();
            assert_eq!(said, [("Stores", mona.0), ("Weaving", mona.0), ("Weaving", hana.0)]);
            let audited = store.audit_entries(None, 9).await.unwrap();
            let leads = audited.iter().filter(|one| one.action == "account.leads");
            assert_eq!(leads.count(), 1, "the same again is not audited");
            // Who has not the role leads nobody, whatever the table says; nor does who is disabled.
            assert_eq!(managers_of(&store, ada).await.unwrap(), ["mona@example.org"]);
            assert_eq!(of_employee(&store, ada).await.unwrap(), [(own.0, "ada@example.org".to_owned())]);
            let tx = store.begin_write().await.unwrap();
            tx.disable_account(mona, author()).await.unwrap();
            tx.set_led(mona, &BTreeSet::from([stores]), author()).await.unwrap();
            tx.commit().await.unwrap();
            assert!(managers_of(&store, ada).await.unwrap().is_empty());
            assert_eq!(list(&store).await.unwrap()[2].disabled_ms, then);
            assert_eq!(led(&store).await.unwrap().len(), 2);
        }
    }
}

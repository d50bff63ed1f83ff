//! The rules where they differ from the defaults: of the company, a site, a department, one person. The narrower wins, value by
//! value; a shift's own values win over all (rules.md §1).

use std::collections::BTreeMap;

use attendance::{DepartmentId, EmployeeId, Policy, PolicyOverrides, SiteId};
use sea_orm::{ConnectionTrait, EntityTrait, Set};

use crate::audit::Author;
use crate::entities::policies;
use crate::marks::Whose;
use crate::{Store, StoreError, WriteTx};

/// Whose rules; in order from the widest to the narrowest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PolicyScope {
    Company,
    Site(SiteId),
    Department(DepartmentId),
    Employee(EmployeeId),
}

impl PolicyScope {
    /// The name in the database.
    pub fn level(self) -> &'static str {
        match self {
            Self::Company => "company",
            Self::Site(_) => "site",
            Self::Department(_) => "department",
            Self::Employee(_) => "employee",
        }
    }

    fn id(self) -> i64 {
        match self {
            Self::Company => 0,
            Self::Site(id) => id.0,
            Self::Department(id) => id.0,
            Self::Employee(id) => id.0,
        }
    }

    fn of(row: &policies::Model) -> Option<Self> {
        match row.level.as_str() {
            "company" => Some(Self::Company),
            "site" => Some(Self::Site(SiteId(row.scope_id))),
            "department" => Some(Self::Department(DepartmentId(row.scope_id))),
            "employee" => Some(Self::Employee(EmployeeId(row.scope_id))),
            _ => None,
        }
    }
}

/// What is set, by whose it is.
pub type Policies = BTreeMap<PolicyScope, PolicyOverrides>;

impl WriteTx {
    /// Replaces what is set at a level, or removes it with `None`, and marks every report it decides.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] for a name that is none or a value of another type, [`StoreError::NotFound`] for whose it is.
    pub async fn set_policy(
        &self,
        scope: PolicyScope,
        values: Option<&PolicyOverrides>,
        author: Author,
    ) -> Result<(), StoreError> {
        if let Some(values) = values {
            let policy = Policy::default().with(values);
            policy.map_err(|error| StoreError::Invalid(error.to_string()))?;
        }
        let subject = self.name_of_scope(scope).await?;
        policies::Entity::delete_by_id((scope.level().to_owned(), scope.id()))
            .exec(&self.tx)
            .await?;
        if let Some(values) = values.filter(|values| !values.0.is_empty()) {
            let row = policies::ActiveModel {
                level: Set(scope.level().to_owned()),
                scope_id: Set(scope.id()),
                value: Set(serde_json::json!(values.0).to_string()),
            };
            policies::Entity::insert(row)
                .exec_without_returning(&self.tx)
                .await?;
        }
        let employee;
        let whose = match scope {
            PolicyScope::Company => Whose::Everybody,
            PolicyScope::Site(site) => Whose::Site(site),
            PolicyScope::Department(department) => Whose::Department(department),
            PolicyScope::Employee(id) => {
                employee = [id];
                Whose::Employees(&employee)
            }
        };
        self.mark_reports(whose, None, None, "policy").await?;
        let detail =
            serde_json::json!({ "level": scope.level(), "values": values.map(|values| &values.0) });
        self.audit(author, "policy.set", &subject, detail).await
    }

    async fn name_of_scope(&self, scope: PolicyScope) -> Result<String, StoreError> {
        Ok(match scope {
            PolicyScope::Company => "company".to_owned(),
            PolicyScope::Site(site) => self.site_row(site).await?.name,
            PolicyScope::Department(id) => {
                let row = crate::entities::departments::Entity::find_by_id(id.0)
                    .one(&self.tx)
                    .await?;
                row.ok_or_else(|| StoreError::not_found("department", id))?
                    .name
            }
            PolicyScope::Employee(id) => self.employee_code(id).await?,
        })
    }

    pub(crate) async fn company_policy(&self) -> Result<Policy, StoreError> {
        company_policy(&self.tx).await
    }
}

impl Store {
    /// Everything that is set.
    pub async fn policies(&self) -> Result<Policies, StoreError> {
        load(self.read()).await
    }

    /// The rules of the company; what cannot be understood of them is as if it had not been set.
    pub(crate) async fn company_policy(&self) -> Result<Policy, StoreError> {
        company_policy(self.read()).await
    }
}

async fn company_policy<C: ConnectionTrait>(db: &C) -> Result<Policy, StoreError> {
    let key = (PolicyScope::Company.level().to_owned(), 0);
    let row = policies::Entity::find_by_id(key).one(db).await?;
    let values = row.and_then(|row| serde_json::from_str::<PolicyOverrides>(&row.value).ok());
    let policy = values.and_then(|values| Policy::default().with(&values).ok());
    Ok(policy.unwrap_or_default())
}

pub(crate) async fn load<C: ConnectionTrait>(db: &C) -> Result<Policies, StoreError> {
    let mut found = Policies::new();
    for row in policies::Entity::find().all(db).await? {
        let values = serde_json::from_str(&row.value).map_err(|source| StoreError::Corrupt {
            what: "policy",
            source,
        })?;
        if let Some(scope) = PolicyScope::of(&row) {
            found.insert(scope, values);
        }
    }
    Ok(found)
}

//! Somebody who may sign in.

use sea_orm::entity::prelude::*;

#[derive(Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "accounts")]
pub struct Model {
    #[sea_orm(primary_key)]
    pub id: i64,
    /// Lower case.
    #[sea_orm(column_type = "Text", unique)]
    pub email: String,
    #[sea_orm(column_type = "Text")]
    pub name: String,
    /// PHC string; empty as long as nobody has chosen a password.
    #[sea_orm(column_type = "Text")]
    pub password_hash: String,
    /// Comma-separated set.
    #[sea_orm(column_type = "Text")]
    pub roles: String,
    pub employee_id: Option<i64>,
    pub created_ms: i64,
    pub signed_in_ms: Option<i64>,
    pub disabled_ms: Option<i64>,
}

/// Without what signs somebody in.
impl std::fmt::Debug for Model {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("accounts")
            .field("id", &self.id)
            .field("email", &self.email)
            .field("roles", &self.roles)
            .field("disabled_ms", &self.disabled_ms)
            .finish_non_exhaustive()
    }
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

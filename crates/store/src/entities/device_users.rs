//! A person as one device knows them, and whom we take them for.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "device_users")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub device_id: i64,
    #[sea_orm(primary_key, auto_increment = false, column_type = "Text")]
    pub user_id: String,
    #[sea_orm(column_type = "Text")]
    pub name: String,
    pub admin: bool,
    #[sea_orm(column_type = "Text", nullable)]
    pub card: Option<String>,
    /// Derived: the match of today.
    pub employee_id: Option<i64>,
    /// `link`, `device_id`, `code` or `username`.
    #[sea_orm(column_type = "Text", nullable)]
    pub match_by: Option<String>,
    /// Two candidates at one level: a person decides.
    pub ambiguous: bool,
    /// In the device's own list at its last reading.
    pub enrolled: bool,
    pub first_seen_ms: i64,
    pub last_seen_ms: i64,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

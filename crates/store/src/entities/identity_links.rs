//! A person's decision whose number this is, dated. Dates are inclusive; `None` is open.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "identity_links")]
pub struct Model {
    #[sea_orm(primary_key)]
    pub id: i64,
    pub device_id: i64,
    #[sea_orm(column_type = "Text")]
    pub user_id: String,
    pub employee_id: i64,
    #[sea_orm(column_type = "Text", nullable)]
    pub from_date: Option<String>,
    #[sea_orm(column_type = "Text", nullable)]
    pub to_date: Option<String>,
    /// Who or what made it, e.g. `inbox`.
    #[sea_orm(column_type = "Text")]
    pub origin: String,
    pub author_id: Option<i64>,
    pub made_ms: i64,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

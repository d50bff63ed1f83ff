//! A person says that nothing is missing of a device in this time (R76).

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "coverage_declarations")]
pub struct Model {
    #[sea_orm(primary_key)]
    pub id: i64,
    pub device_id: i64,
    pub from_ms: i64,
    /// Exclusive.
    pub to_ms: i64,
    #[sea_orm(column_type = "Text")]
    pub reason: String,
    pub author_id: Option<i64>,
    pub made_ms: i64,
    pub withdrawn_ms: Option<i64>,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

//! Approved leave or duty elsewhere. Days are inclusive.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "leave")]
pub struct Model {
    #[sea_orm(primary_key)]
    pub id: i64,
    pub employee_id: i64,
    /// `leave` or `on_duty`.
    #[sea_orm(column_type = "Text")]
    pub kind: String,
    #[sea_orm(column_type = "Text")]
    pub from_day: String,
    #[sea_orm(column_type = "Text")]
    pub to_day: String,
    /// `full`, `first_half` or `second_half`.
    #[sea_orm(column_type = "Text")]
    pub part: String,
    pub type_id: Option<i64>,
    #[sea_orm(column_type = "Text")]
    pub reason: String,
    pub author_id: Option<i64>,
    pub made_ms: i64,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

//! What somebody asks to be corrected or allowed, and the answer.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "requests")]
pub struct Model {
    #[sea_orm(primary_key)]
    pub id: i64,
    pub employee_id: i64,
    /// `add_punch`, `void_punch`, `leave` or `on_duty`.
    #[sea_orm(column_type = "Text")]
    pub kind: String,
    /// What it is about, both inclusive.
    #[sea_orm(column_type = "Text")]
    pub from_day: String,
    #[sea_orm(column_type = "Text")]
    pub to_day: String,
    /// The rest of [`crate::requests::Asked`] as JSON.
    #[sea_orm(column_type = "Text")]
    pub body: String,
    #[sea_orm(column_type = "Text")]
    pub reason: String,
    pub made_by: Option<i64>,
    pub made_ms: i64,
    /// `open`, `approved`, `rejected` or `withdrawn`.
    #[sea_orm(column_type = "Text")]
    pub state: String,
    pub decided_by: Option<i64>,
    pub decided_ms: Option<i64>,
    /// What was said to a rejection.
    #[sea_orm(column_type = "Text")]
    pub answer: String,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

//! What reports said before they were judged to say something else, so that "as known at" can be answered. What a report says
//! now is in `attendance_reports`.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "report_versions")]
pub struct Model {
    #[sea_orm(primary_key)]
    pub id: i64,
    pub employee_id: i64,
    #[sea_orm(column_type = "Text")]
    pub workday: String,
    /// The report as JSON; `null` where there was none any more.
    #[sea_orm(column_type = "Text")]
    pub body: String,
    /// Since when it said so, and why it was judged then.
    pub judged_at_ms: i64,
    #[sea_orm(column_type = "Text")]
    pub cause: String,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

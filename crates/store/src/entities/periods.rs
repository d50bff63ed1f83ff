//! Days that were closed, and opened again. The lock itself is at the sheets, `attendances`.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "periods")]
pub struct Model {
    #[sea_orm(primary_key)]
    pub id: i64,
    #[sea_orm(column_type = "Text")]
    pub from_day: String,
    /// Inclusive.
    #[sea_orm(column_type = "Text")]
    pub to_day: String,
    /// Only this site; `None` with no department either: everybody.
    pub site_id: Option<i64>,
    /// Only this department.
    pub department_id: Option<i64>,
    pub closed_ms: i64,
    pub closed_by: Option<i64>,
    /// Why it was closed although something was open; empty when nothing was.
    #[sea_orm(column_type = "Text")]
    pub waiver: String,
    /// How much was open when it was closed.
    pub open_exceptions: i64,
    pub reopened_ms: Option<i64>,
    pub reopened_by: Option<i64>,
    #[sea_orm(column_type = "Text", nullable)]
    pub reopen_reason: Option<String>,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

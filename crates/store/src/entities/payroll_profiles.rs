//! How one payroll program wants its file.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "payroll_profiles")]
pub struct Model {
    #[sea_orm(primary_key)]
    pub id: i64,
    #[sea_orm(column_type = "Text", unique)]
    pub name: String,
    /// Columns and codes as JSON, see `exports::payroll::Profile`.
    #[sea_orm(column_type = "Text")]
    pub definition: String,
    /// When it was last changed, and by whom.
    pub made_ms: i64,
    pub author_id: Option<i64>,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

//! Rules where they differ from the next wider level: company, site, department, employee.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "policies")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false, column_type = "Text")]
    pub level: String,
    /// 0 for the company.
    #[sea_orm(primary_key, auto_increment = false)]
    pub scope_id: i64,
    /// JSON by the names of rules.md §3.
    #[sea_orm(column_type = "Text")]
    pub value: String,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

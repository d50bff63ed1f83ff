//! Stretches of `marked_days` that a judge has taken.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "claimed_days")]
pub struct Model {
    /// Another one for every claim.
    #[sea_orm(primary_key, auto_increment = false, column_type = "Text")]
    pub holder: String,
    #[sea_orm(column_type = "Text")]
    pub lease_owner: String,
    pub lease_until_ms: i64,
    #[sea_orm(column_type = "Text")]
    pub from_day: String,
    pub first_employee_id: i64,
    #[sea_orm(column_type = "Text")]
    pub first_workday: String,
    pub last_employee_id: i64,
    #[sea_orm(column_type = "Text")]
    pub last_workday: String,
    /// All of it is to be judged once more.
    pub renewed: bool,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

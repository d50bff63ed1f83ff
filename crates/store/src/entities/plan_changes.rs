//! What somebody works from a date on, until the next change; before the first the columns of `employees` hold.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "plan_changes")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub employee_id: i64,
    #[sea_orm(primary_key, auto_increment = false, column_type = "Text")]
    pub from_day: String,
    pub shift_id: Option<i64>,
    pub week_pattern_id: Option<i64>,
    pub cycle_id: Option<i64>,
    /// The date of the first day of the rotation.
    #[sea_orm(column_type = "Text", nullable)]
    pub cycle_anchor: Option<String>,
    pub weekly_off_id: Option<i64>,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

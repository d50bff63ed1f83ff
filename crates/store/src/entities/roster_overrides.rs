//! What somebody works on one day, whatever the plan says.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "roster_overrides")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub employee_id: i64,
    #[sea_orm(primary_key, auto_increment = false, column_type = "Text")]
    pub day: String,
    /// See [`crate::roster::DayPlan`].
    #[sea_orm(column_type = "Text")]
    pub plan: String,
    /// Worked although it is a holiday (R90).
    pub on_holiday: bool,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

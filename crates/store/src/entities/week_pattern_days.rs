//! One weekday of a week pattern.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "week_pattern_days")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub pattern_id: i64,
    /// 1 is Monday, 7 is Sunday.
    #[sea_orm(primary_key, auto_increment = false)]
    pub weekday: i64,
    /// See [`crate::roster::DayPlan`].
    #[sea_orm(column_type = "Text")]
    pub plan: String,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

//! One rule of a weekly-off pattern.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "weekly_off_days")]
pub struct Model {
    #[sea_orm(primary_key)]
    pub id: i64,
    pub pattern_id: i64,
    /// 1 is Monday, 7 is Sunday.
    pub weekday: i64,
    /// Which such weekday of the month, 1 to 5; `None` is every one.
    pub nth: Option<i64>,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

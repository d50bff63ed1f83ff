//! One day of a rotation.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "cycle_days")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub cycle_id: i64,
    /// From 0, the day of the anchor.
    #[sea_orm(primary_key, auto_increment = false)]
    pub place: i64,
    /// See [`crate::roster::DayPlan`].
    #[sea_orm(column_type = "Text")]
    pub plan: String,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

//! A person says by how much the clock of a device was wrong when it recorded the punches in a range of its wall time.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "clock_shifts")]
pub struct Model {
    #[sea_orm(primary_key)]
    pub id: i64,
    pub device_id: i64,
    /// Device wall times, both inclusive.
    #[sea_orm(column_type = "Text")]
    pub from_clock: String,
    #[sea_orm(column_type = "Text")]
    pub to_clock: String,
    /// What was added to the wall times.
    pub shift_s: i64,
    #[sea_orm(column_type = "Text")]
    pub reason: String,
    pub author_id: Option<i64>,
    pub made_ms: i64,
    /// Taken back.
    pub undone_ms: Option<i64>,
    pub undone_by: Option<i64>,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

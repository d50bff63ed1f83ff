//! How far a terminal's clock was from ours, noted when that changed, and at least once an hour.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "device_clocks")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub device_id: i64,
    #[sea_orm(primary_key, auto_increment = false)]
    pub at_ms: i64,
    /// Terminal minus server.
    pub drift_s: i64,
    /// Empty, `set`, `jump`, `reset` or `zone`; see `clocks::ClockEvent`.
    #[sea_orm(column_type = "Text")]
    pub event: String,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

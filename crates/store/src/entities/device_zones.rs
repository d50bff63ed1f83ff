//! The zone of a device's clock, since when.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "device_zones")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub device_id: i64,
    /// Device wall time; empty for "since ever".
    #[sea_orm(primary_key, auto_increment = false, column_type = "Text")]
    pub from_clock: String,
    /// IANA name.
    #[sea_orm(column_type = "Text")]
    pub zone: String,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

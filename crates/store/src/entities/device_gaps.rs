//! A period whose punches may be missing although the coverage lies after it.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "device_gaps")]
pub struct Model {
    #[sea_orm(primary_key)]
    pub id: i64,
    pub device_id: i64,
    pub from_ms: i64,
    /// `None` while it lasts.
    pub to_ms: Option<i64>,
    #[sea_orm(column_type = "Text")]
    pub cause: String,
    /// Of a wrong clock: what is stored later is set aside while it lasts.
    pub set_aside_from_ms: Option<i64>,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

//! A template or a photo that a device uploaded, because a setting says that such are kept.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "kept_uploads")]
pub struct Model {
    #[sea_orm(primary_key)]
    pub id: i64,
    pub device_id: i64,
    /// `template`, `photo`, or `picture` of a punch.
    #[sea_orm(column_type = "Text")]
    pub kind: String,
    /// Which one of the device it is.
    #[sea_orm(column_type = "Text")]
    pub name: String,
    /// See `secrets`.
    #[sea_orm(column_type = "Text")]
    pub sealed: String,
    pub kept_ms: i64,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

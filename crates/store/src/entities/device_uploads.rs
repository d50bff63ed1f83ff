//! What a device has uploaded of one content, and up to where.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "device_uploads")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub device_id: i64,
    /// In the device's own word.
    #[sea_orm(primary_key, auto_increment = false, column_type = "Text")]
    pub content: String,
    /// What it gave as its place, told back to it at its next greeting. Opaque.
    #[sea_orm(column_type = "Text", nullable)]
    pub cursor_text: Option<String>,
    pub uploads: i64,
    /// Lines in them.
    pub lines: i64,
    /// Punches stored for the first time.
    pub new: i64,
    /// Punches that were known.
    pub duplicate: i64,
    /// Lines that could not be understood.
    pub parked: i64,
    pub last_ms: i64,
    /// Of the last one.
    #[sea_orm(column_type = "Text")]
    pub digest: String,
    /// How often in a row the last one came again.
    pub repeated: i64,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

//! Bytes that could not be understood, kept so that a later version can. Unique by device and hash.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "parked")]
pub struct Model {
    #[sea_orm(primary_key)]
    pub id: i64,
    /// `None` when the sender is no registered device.
    pub device_id: Option<i64>,
    #[sea_orm(column_type = "Text")]
    pub way: String,
    /// SHA-256 of the bytes, lower-case hex.
    #[sea_orm(column_type = "Text")]
    pub hash: String,
    pub bytes: Vec<u8>,
    #[sea_orm(column_type = "Text")]
    pub reason: String,
    pub first_ms: i64,
    pub last_ms: i64,
    pub count: i64,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

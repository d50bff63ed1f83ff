//! Fingerprints of one device user, as one device had them when they were backed up.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "fingerprint_backups")]
pub struct Model {
    #[sea_orm(primary_key)]
    pub id: i64,
    pub device_id: i64,
    #[sea_orm(column_type = "Text")]
    pub user_id: String,
    /// As the device calls it; another one does not understand the templates.
    #[sea_orm(column_type = "Text")]
    pub algorithm: String,
    /// How many.
    pub fingers: i64,
    /// Finger numbers, kinds and templates, bound to this row; see `secrets`.
    #[sea_orm(column_type = "Text")]
    pub sealed: String,
    /// What the configuration said they are kept for.
    #[sea_orm(column_type = "Text")]
    pub purpose: String,
    pub taken_ms: i64,
    pub author_id: Option<i64>,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

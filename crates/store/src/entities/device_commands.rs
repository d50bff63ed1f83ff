//! A command for a device that calls, from being given to being answered.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "device_commands")]
pub struct Model {
    /// By which the device answers; never used again.
    #[sea_orm(primary_key)]
    pub id: i64,
    pub device_id: i64,
    /// What it is to do, as JSON of `ingest`, without secrets.
    #[sea_orm(column_type = "Text")]
    pub what: String,
    /// `person`, or which work of ours it belongs to.
    #[sea_orm(column_type = "Text")]
    pub purpose: String,
    /// The secret that belongs into it; see `secrets`.
    #[sea_orm(column_type = "Text", nullable)]
    pub secret_sealed: Option<String>,
    /// Doing it twice is as doing it once.
    pub repeatable: bool,
    /// `held_back`, `waiting`, `sent`, `done`, `failed`, `unanswered` or `withdrawn`.
    #[sea_orm(column_type = "Text")]
    pub state: String,
    pub made_ms: i64,
    pub author_id: Option<i64>,
    /// Last time.
    pub sent_ms: Option<i64>,
    /// How often.
    pub sent: i64,
    pub ended_ms: Option<i64>,
    /// The device's own result.
    pub code: Option<i64>,
    /// For people.
    #[sea_orm(column_type = "Text")]
    pub answer: String,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

//! Where a device calls that is told apart by a place of its own, what the terminal has been told of it, and what came there.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "call_places")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub device_id: i64,
    /// By which a caller is looked up.
    #[sea_orm(column_type = "Text", unique)]
    pub token_hash: String,
    /// See `secrets`.
    #[sea_orm(column_type = "Text")]
    pub token_sealed: String,
    /// The token before, as long as the terminal may have it still.
    #[sea_orm(column_type = "Text", nullable)]
    pub former_sealed: Option<String>,
    pub made_ms: i64,
    /// Which of its slots holds our address, in the words of the drivers; `None` when we put it nowhere.
    #[sea_orm(column_type = "Text", nullable)]
    pub slot: Option<String>,
    /// The address that it has been told to call.
    #[sea_orm(column_type = "Text", nullable)]
    pub calls_to: Option<String>,
    /// When it was told, and when it was last seen to be so.
    pub armed_ms: Option<i64>,
    pub checked_ms: Option<i64>,
    /// Why it could not be told, for people.
    #[sea_orm(column_type = "Text", nullable)]
    pub failure: Option<String>,
    /// It was told to show so often that it is there.
    pub heartbeat_s: Option<i64>,
    /// The hardware address of the terminal.
    #[sea_orm(column_type = "Text", nullable)]
    pub hardware: Option<String>,
    /// How far its own clock was from UTC when it was last told, or seen to be told.
    pub clock_offset_s: Option<i64>,
    pub last_event_ms: Option<i64>,
    pub last_heartbeat_ms: Option<i64>,
    /// The number that the newest event has in the terminal.
    pub last_number: Option<i64>,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

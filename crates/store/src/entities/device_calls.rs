//! A device that calls us: how it speaks, where from, when it last did.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "device_calls")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub device_id: i64,
    /// How it speaks, in the words of whoever talks with it. Opaque.
    #[sea_orm(column_type = "Text")]
    pub dialect: String,
    /// Where its last greeting came from.
    #[sea_orm(column_type = "Text")]
    pub address: String,
    /// Where it says it is, on its own network.
    #[sea_orm(column_type = "Text", nullable)]
    pub own_address: Option<String>,
    /// It is told to call at least so often.
    pub delay_s: i64,
    /// When it last greeted and was told how to upload.
    pub greeted_ms: i64,
    /// When it last called, within some seconds.
    pub last_ms: i64,
    /// When it last told how many records it holds; how many is in `devices`.
    pub told_ms: Option<i64>,
    /// So many more records are kept of it than it holds, when everything it held was known to be kept.
    pub surplus: Option<i64>,
    /// It answers when it is asked to count its log, as far as is known.
    pub counts: bool,
    /// It loses commands when it is given several at once.
    pub one_by_one: bool,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

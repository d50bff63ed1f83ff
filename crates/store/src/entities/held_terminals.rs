//! A terminal that called and is not registered.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "held_terminals")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false, column_type = "Text")]
    pub serial_number: String,
    #[sea_orm(column_type = "Text")]
    pub kind: String,
    /// What it says of itself, cut.
    #[sea_orm(column_type = "Text")]
    pub model: String,
    /// Where its last call came from.
    #[sea_orm(column_type = "Text")]
    pub address: String,
    /// As HTTP names it, cut.
    #[sea_orm(column_type = "Text")]
    pub agent: String,
    pub first_ms: i64,
    pub last_ms: i64,
    /// Counted now and then, not each.
    pub calls: i64,
    /// A person does not want it.
    pub refused: bool,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

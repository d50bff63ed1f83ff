//! By which ways a punch reached us: one row for each.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "punch_sightings")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub punch_id: i64,
    #[sea_orm(primary_key, auto_increment = false, column_type = "Text")]
    pub way: String,
    pub first_ms: i64,
    #[sea_orm(column_type = "Text")]
    pub state: String,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

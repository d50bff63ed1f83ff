//! Employee-days that wait to be judged.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "marked_days")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub employee_id: i64,
    #[sea_orm(primary_key, auto_increment = false, column_type = "Text")]
    pub workday: String,
    /// Incremented where it is marked again while it is claimed; a save removes only what it judged.
    pub generation: i64,
    #[sea_orm(column_type = "Text")]
    pub cause: String,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

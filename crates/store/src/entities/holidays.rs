//! A day off for a site, or for everybody.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "holidays")]
pub struct Model {
    #[sea_orm(primary_key)]
    pub id: i64,
    /// `None` is every site.
    pub site_id: Option<i64>,
    #[sea_orm(column_type = "Text")]
    pub day: String,
    #[sea_orm(column_type = "Text")]
    pub name: String,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

//! A person of ours. Employment dates are inclusive; `None` is open.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "employees")]
pub struct Model {
    #[sea_orm(primary_key)]
    pub id: i64,
    /// What payroll prints.
    #[sea_orm(column_type = "Text", unique)]
    pub code: String,
    #[sea_orm(column_type = "Text")]
    pub first_name: String,
    #[sea_orm(column_type = "Text")]
    pub last_name: String,
    #[sea_orm(column_type = "Text", nullable)]
    pub username: Option<String>,
    #[sea_orm(column_type = "Text", nullable)]
    pub email: Option<String>,
    /// The person's number on the terminals. Text, not a foreign key.
    #[sea_orm(column_type = "Text", nullable)]
    pub device_id: Option<String>,
    pub site_id: i64,
    /// Always filled by this crate: without another one, the default department of the site.
    pub department_id: Option<i64>,
    pub shift_id: Option<i64>,
    pub week_pattern_id: Option<i64>,
    pub weekly_off_id: Option<i64>,
    #[sea_orm(column_type = "Text", nullable)]
    pub employed_from: Option<String>,
    #[sea_orm(column_type = "Text", nullable)]
    pub employed_to: Option<String>,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

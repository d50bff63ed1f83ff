//! What was handed to payroll, line by line, so that the next export can say what has changed since.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "payroll_exports")]
pub struct Model {
    #[sea_orm(primary_key)]
    pub id: i64,
    pub profile_id: i64,
    /// The period, both days inclusive.
    #[sea_orm(column_type = "Text")]
    pub from_day: String,
    #[sea_orm(column_type = "Text")]
    pub to_day: String,
    /// A JSON array of texts.
    #[sea_orm(column_type = "Text")]
    pub headings: String,
    /// A JSON array of lines, see `exports::payroll`.
    #[sea_orm(column_type = "Text")]
    pub lines: String,
    pub line_count: i64,
    /// SHA-256 of the CSV file without byte order mark, in hexadecimal.
    #[sea_orm(column_type = "Text")]
    pub hash: String,
    pub made_ms: i64,
    pub author_id: Option<i64>,
    /// How many open days were waived, by whom and why; 0 and empty when none was open.
    pub waived: i64,
    #[sea_orm(column_type = "Text")]
    pub waived_by: String,
    #[sea_orm(column_type = "Text")]
    pub waived_because: String,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

//! One employee, one workday: the judgement. Recomputed, never patched. How it came about is not kept: the judge explains it
//! again from the same evidence.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "attendance_reports")]
pub struct Model {
    #[sea_orm(primary_key)]
    pub id: i64,
    pub attendance_id: i64,
    pub employee_id: i64,
    #[sea_orm(column_type = "Text")]
    pub workday: String,
    #[sea_orm(column_type = "Text")]
    pub status: String,
    #[sea_orm(column_type = "Text")]
    pub stage: String,
    #[sea_orm(column_type = "Text")]
    pub reason: String,
    #[sea_orm(column_type = "Text")]
    pub shift: String,
    /// Site wall time.
    #[sea_orm(column_type = "Text", nullable)]
    pub first_in: Option<String>,
    pub first_in_ms: Option<i64>,
    /// Site wall time.
    #[sea_orm(column_type = "Text", nullable)]
    pub last_out: Option<String>,
    pub last_out_ms: Option<i64>,
    pub planned_min: i64,
    pub worked_min: i64,
    pub late_min: i64,
    pub early_min: i64,
    pub overtime_min: i64,
    pub night_min: i64,
    /// JSON array of minutes.
    #[sea_orm(column_type = "Text")]
    pub overtime_levels: String,
    /// Comma-separated, sorted.
    #[sea_orm(column_type = "Text")]
    pub exceptions: String,
    /// Comma-separated, sorted.
    #[sea_orm(column_type = "Text")]
    pub pending: String,
    #[sea_orm(column_type = "Text")]
    pub leave_part: String,
    #[sea_orm(column_type = "Text")]
    pub letter: String,
    /// Of a closed day, the fields in which the evidence says otherwise (R111); comma-separated, sorted.
    #[sea_orm(column_type = "Text")]
    pub changes_after_close: String,
    /// When it was first judged to read as it does, and why it was judged then.
    pub since_ms: i64,
    #[sea_orm(column_type = "Text")]
    pub cause: String,
    /// When it was judged last.
    pub judged_at_ms: i64,
    /// The earliest instant at which it could differ without new data.
    pub recheck_at_ms: Option<i64>,
    /// The device it waits for, and the instant up to which that must be covered.
    pub waits_for_device_id: Option<i64>,
    pub waits_below_ms: Option<i64>,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

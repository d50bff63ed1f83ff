//! What a device or file said. Never edited or deleted by people. `zone`, `instant_ms`, `employee_id`,
//! `shift_id` and `shifted` are derived and may be rewritten.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "punches")]
pub struct Model {
    #[sea_orm(primary_key)]
    pub id: i64,
    pub device_id: i64,
    #[sea_orm(column_type = "Text")]
    pub user_id: String,
    /// Device wall time.
    #[sea_orm(column_type = "Text")]
    pub clock: String,
    /// 1 only for the second occurrence of a repeated autumn hour.
    pub fold: i64,
    /// IANA name of the zone that was applied.
    #[sea_orm(column_type = "Text")]
    pub zone: String,
    pub instant_ms: i64,
    /// Earliest sighting.
    pub received_ms: i64,
    /// `poll`, `push`, `live` or `import`.
    #[sea_orm(column_type = "Text")]
    pub source: String,
    #[sea_orm(column_type = "Text")]
    pub state: String,
    #[sea_orm(column_type = "Text")]
    pub verify: String,
    /// The device's clock was known to be wrong.
    pub suspect: bool,
    /// `None` while nobody, or nobody certain, is matched.
    pub employee_id: Option<i64>,
    /// By which of `clock_shifts` a person has moved its time, and so released it from quarantine.
    pub shift_id: Option<i64>,
    /// The wall time that holds instead of `clock` then.
    #[sea_orm(column_type = "Text", nullable)]
    pub shifted: Option<String>,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

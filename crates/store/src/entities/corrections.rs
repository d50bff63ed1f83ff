//! What a person says about a day. Never edited: a wrong one is voided by another.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "corrections")]
pub struct Model {
    #[sea_orm(primary_key)]
    pub id: i64,
    /// `add`, `void` or `roll_call`.
    #[sea_orm(column_type = "Text")]
    pub kind: String,
    pub employee_id: i64,
    /// Wall time of the employee's site.
    #[sea_orm(column_type = "Text")]
    pub at: String,
    pub at_ms: i64,
    /// Of a roll call: `in` or `out`.
    #[sea_orm(column_type = "Text", nullable)]
    pub direction: Option<String>,
    /// Of an added punch, if given.
    #[sea_orm(column_type = "Text", nullable)]
    pub state: Option<String>,
    pub void_punch_id: Option<i64>,
    pub void_correction_id: Option<i64>,
    pub author_id: Option<i64>,
    #[sea_orm(column_type = "Text")]
    pub reason: String,
    pub made_ms: i64,
    /// Common to the entries made in one go.
    #[sea_orm(column_type = "Text", nullable)]
    pub batch: Option<String>,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

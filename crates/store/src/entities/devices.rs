//! A configured terminal, with its polling state and lease. `serial_number` is the identity; the address is where it was last seen.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "devices")]
pub struct Model {
    #[sea_orm(primary_key)]
    pub id: i64,
    /// `zk` or `hik`.
    #[sea_orm(column_type = "Text")]
    pub kind: String,
    #[sea_orm(column_type = "Text", unique)]
    pub serial_number: String,
    #[sea_orm(column_type = "Text")]
    pub name: String,
    pub site_id: i64,
    /// Host name or IP address. Without one the device waits; it does not fail.
    #[sea_orm(column_type = "Text", nullable)]
    pub address: Option<String>,
    pub port: Option<i64>,
    /// How its packets travel, in the words of the drivers; `None` until a terminal has answered.
    #[sea_orm(column_type = "Text", nullable)]
    pub transport: Option<String>,
    #[sea_orm(column_type = "Text", nullable)]
    pub username: Option<String>,
    /// See `secrets`.
    #[sea_orm(column_type = "Text", nullable)]
    pub password_sealed: Option<String>,
    /// See `secrets`.
    #[sea_orm(column_type = "Text", nullable)]
    pub comm_key_sealed: Option<String>,
    /// When a person last said that these credentials are to be tried: what was refused before is not tried without.
    pub credentials_ms: i64,
    /// They are sent also where few attempts are left: they were accepted, or a person said so.
    pub sign_in_confirmed: bool,
    /// The terminal is locked: nobody signs in before this, in application time.
    pub sign_in_wait_ms: Option<i64>,
    /// Which certificate it may show, in the words of the drivers; `None` until it has shown one, which is then kept.
    #[sea_orm(column_type = "Text", nullable)]
    pub certificate: Option<String>,
    /// Another one that it showed last, and that was not accepted.
    #[sea_orm(column_type = "Text", nullable)]
    pub certificate_shown: Option<String>,
    /// Comma-separated: `poll`, `live`, `push`.
    #[sea_orm(column_type = "Text")]
    pub mode: String,
    pub enabled: bool,
    /// `none`, `states`, `in` or `out`.
    #[sea_orm(column_type = "Text")]
    pub direction: String,
    pub poll_interval_s: i64,
    pub next_poll_ms: Option<i64>,
    #[sea_orm(column_type = "Text", nullable)]
    pub lease_owner: Option<String>,
    pub lease_until_ms: Option<i64>,
    /// Somebody wants the terminal for something else than reading: until then nobody claims it, and who listens to it gives it back.
    pub wanted_until_ms: Option<i64>,
    pub fail_count: i64,
    #[sea_orm(column_type = "Text", nullable)]
    pub last_error: Option<String>,
    #[sea_orm(column_type = "Text", nullable)]
    pub last_error_step: Option<String>,
    /// A name for what is the matter, in the words of the drivers.
    #[sea_orm(column_type = "Text", nullable)]
    pub last_error_reason: Option<String>,
    /// Credentials were refused: nothing is tried again before a person edits the device.
    pub needs_edit: bool,
    /// The driver's own words. Opaque.
    #[sea_orm(column_type = "Text")]
    pub read_position: String,
    pub last_contact_ms: Option<i64>,
    /// Since when it is listened to; it counts only while its lease lasts.
    pub live_since_ms: Option<i64>,
    /// Why the last reading could not be followed by listening.
    #[sea_orm(column_type = "Text", nullable)]
    pub live_refused: Option<String>,
    pub last_read_ms: Option<i64>,
    /// Terminal minus server, at the last contact.
    pub clock_drift_s: Option<i64>,
    /// Its clock is set by us when it is off, outside the shifts.
    pub set_clock: bool,
    #[sea_orm(column_type = "Text")]
    pub model: String,
    #[sea_orm(column_type = "Text")]
    pub firmware: String,
    pub user_count: Option<i64>,
    pub record_count: Option<i64>,
    pub record_capacity: Option<i64>,
    /// First read that found the registered serial number.
    pub first_verified_ms: Option<i64>,
    /// Removed by a person; its punches stay.
    pub retired_ms: Option<i64>,
    pub created_ms: i64,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

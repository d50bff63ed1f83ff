//! What is known of a device's clock, and what was done about punches of a wrong one.

use sea_orm::FromQueryResult;

use crate::{Store, StoreError, sql};

/// A look at a clock.
#[derive(Clone, Debug, PartialEq, Eq, FromQueryResult)]
pub struct ClockRow {
    pub at_ms: i64,
    /// Terminal minus server.
    pub drift_s: i64,
    /// See `clocks::ClockEvent`.
    pub event: String,
}

/// What was noted of a device's clock since `from_ms`, in order.
pub async fn notes(
    store: &Store,
    device_id: i64,
    from_ms: i64,
) -> Result<Vec<ClockRow>, StoreError> {
    let text = "SELECT at_ms, drift_s, event FROM device_clocks WHERE device_id = $1 AND at_ms >= $2 ORDER BY at_ms";
    Ok(sql::fetch(store.read(), text, [device_id.into(), from_ms.into()]).await?)
}

/// A shift of punches that were set aside.
#[derive(Clone, Debug, PartialEq, Eq, FromQueryResult)]
pub struct ShiftRow {
    pub id: i64,
    pub from_clock: String,
    pub to_clock: String,
    pub shift_s: i64,
    pub reason: String,
    pub author: Option<String>,
    pub made_ms: i64,
    pub undone_ms: Option<i64>,
    /// How many it moves; none when it is taken back.
    pub punches: i64,
}

/// The newest shifts of a device, newest first.
pub async fn shifts(
    store: &Store,
    device_id: i64,
    limit: i64,
) -> Result<Vec<ShiftRow>, StoreError> {
    let text = "SELECT s.id, s.from_clock, s.to_clock, s.shift_s, s.reason, a.name AS author, s.made_ms, s.undone_ms,
           (SELECT COUNT(*) FROM punches p WHERE p.shift_id = s.id) AS punches
         FROM clock_shifts s LEFT JOIN accounts a ON a.id = s.author_id WHERE s.device_id = $1
         ORDER BY s.id DESC LIMIT $2";
    Ok(sql::fetch(store.read(), text, [device_id.into(), limit.into()]).await?)
}

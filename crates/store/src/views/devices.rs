//! Condition of the devices.

use sea_orm::FromQueryResult;

use crate::{Store, StoreError, sql};

/// A device with what is known of its condition. Secrets are not among it.
#[derive(Clone, Debug, PartialEq, Eq, FromQueryResult)]
pub struct DeviceRow {
    pub id: i64,
    pub kind: String,
    pub serial_number: String,
    pub name: String,
    pub site_id: i64,
    pub site: String,
    /// IANA name of the site's zone.
    pub zone: String,
    pub address: Option<String>,
    pub port: Option<i64>,
    pub transport: Option<String>,
    pub username: Option<String>,
    pub has_password: bool,
    pub has_comm_key: bool,
    pub mode: String,
    pub enabled: bool,
    pub direction: String,
    pub poll_interval_s: i64,
    pub next_poll_ms: Option<i64>,
    pub needs_edit: bool,
    /// Which certificate it may show.
    pub certificate: Option<String>,
    /// Another one that it showed last.
    pub certificate_shown: Option<String>,
    pub last_error: Option<String>,
    pub last_error_step: Option<String>,
    pub last_error_reason: Option<String>,
    pub last_contact_ms: Option<i64>,
    /// Since when it is listened to; `None` also when whoever did so has died.
    pub live_since_ms: Option<i64>,
    /// Why it is only read although it should be listened to.
    pub live_refused: Option<String>,
    /// The first read that found this device.
    pub first_verified_ms: Option<i64>,
    /// Since when it is removed.
    pub retired_ms: Option<i64>,
    pub clock_drift_s: Option<i64>,
    pub set_clock: bool,
    pub model: String,
    pub firmware: String,
    pub user_count: Option<i64>,
    pub record_count: Option<i64>,
    pub record_capacity: Option<i64>,
    /// Everything up to this instant has been read.
    pub covered_to_ms: Option<i64>,
    /// Beginning of the failure that has not ended.
    pub failing_since_ms: Option<i64>,
    /// At which step it fails, and why: also for one that nobody reads.
    pub failing_step: Option<String>,
    pub failing_message: Option<String>,
    /// When it last called, within some seconds; `None` when it never did.
    pub last_call_ms: Option<i64>,
    /// It is told to call so often.
    pub call_delay_s: Option<i64>,
    /// Where it called from.
    pub calls_from: Option<String>,
}

fn devices(store: &Store, which: &str) -> String {
    let now = sql::now_ms(store.backend());
    format!(
        "SELECT d.id, d.kind, d.serial_number, d.name, d.site_id, s.name AS site, s.zone AS zone, d.address, d.port, d.transport, d.username,
       (d.password_sealed IS NOT NULL) AS has_password, (d.comm_key_sealed IS NOT NULL) AS has_comm_key,
       d.mode, d.enabled, d.direction, d.poll_interval_s, d.next_poll_ms, d.needs_edit, d.certificate, d.certificate_shown, d.last_error, d.last_error_step, d.last_error_reason,
       d.last_contact_ms, CASE WHEN d.lease_until_ms > {now} THEN d.live_since_ms END AS live_since_ms, d.live_refused, d.first_verified_ms, d.retired_ms, d.clock_drift_s, d.set_clock, d.model, d.firmware, d.user_count, d.record_count, d.record_capacity,
       c.covered_to_ms,
       f.began_ms AS failing_since_ms, f.step AS failing_step, f.message AS failing_message,
       k.last_ms AS last_call_ms, k.delay_s AS call_delay_s, k.address AS calls_from
     FROM devices d JOIN sites s ON s.id = d.site_id LEFT JOIN device_coverage c ON c.device_id = d.id
       LEFT JOIN device_calls k ON k.device_id = d.id
       LEFT JOIN device_failures f ON f.id =
         (SELECT MIN(o.id) FROM device_failures o WHERE o.device_id = d.id AND o.ended_ms IS NULL) {which}"
    )
}

/// All devices that are not retired, of one site or (`None`) of all, in order of name.
pub async fn list(store: &Store, site_id: Option<i64>) -> Result<Vec<DeviceRow>, StoreError> {
    let text = devices(
        store,
        "WHERE d.retired_ms IS NULL AND ($1 = 0 OR d.site_id = $1) ORDER BY d.name, d.serial_number",
    );
    Ok(sql::fetch(store.read(), &text, [site_id.unwrap_or(0).into()]).await?)
}

/// The device with that serial number, retired or not.
pub async fn by_serial(store: &Store, serial: &str) -> Result<Option<DeviceRow>, StoreError> {
    let text = devices(store, "WHERE d.serial_number = $1");
    let row = sql::one(store.read(), &text, [serial.into()]).await?;
    Ok(row
        .map(|row| DeviceRow::from_query_result(&row, ""))
        .transpose()?)
}

/// One read of a device, or several equal failures folded into one line.
#[derive(Clone, Debug, PartialEq, Eq, FromQueryResult)]
pub struct CycleRow {
    pub id: i64,
    pub device_id: i64,
    pub began_ms: i64,
    pub ended_ms: i64,
    pub read: i64,
    pub new: i64,
    pub duplicate: i64,
    pub rejected: i64,
    pub error: Option<String>,
    pub step: Option<String>,
    /// How many further cycles failed in the same way.
    pub folded: i64,
}

/// The newest cycles of a device, newest first.
pub async fn cycles(
    store: &Store,
    device_id: i64,
    limit: i64,
) -> Result<Vec<CycleRow>, StoreError> {
    let text = "SELECT id, device_id, began_ms, ended_ms, read, new, duplicate, rejected, error, step, folded
         FROM poll_cycles WHERE device_id = $1 ORDER BY began_ms DESC, id DESC LIMIT $2";
    Ok(sql::fetch(store.read(), text, [device_id.into(), limit.into()]).await?)
}

/// The newest cycle of every device.
pub async fn last_cycles(store: &Store) -> Result<Vec<CycleRow>, StoreError> {
    let text = "SELECT c.id, c.device_id, c.began_ms, c.ended_ms, c.read, c.new, c.duplicate, c.rejected, c.error, c.step, c.folded
         FROM devices d JOIN poll_cycles c ON c.id =
           (SELECT l.id FROM poll_cycles l WHERE l.device_id = d.id ORDER BY l.began_ms DESC, l.id DESC LIMIT 1)";
    Ok(sql::fetch(store.read(), text, []).await?)
}

/// An outage, from going away to coming back.
#[derive(Clone, Debug, PartialEq, Eq, FromQueryResult)]
pub struct FailureRow {
    pub id: i64,
    pub device_id: i64,
    pub serial_number: String,
    pub device: String,
    /// IANA name of the site's zone.
    pub zone: String,
    pub began_ms: i64,
    /// `None` while it lasts.
    pub ended_ms: Option<i64>,
    pub step: String,
    pub message: String,
    pub count: i64,
}

/// The newest failures, of one device or (`None`) of all that are not retired; those that last come first.
pub async fn failures(
    store: &Store,
    device_id: Option<i64>,
    limit: i64,
    skip: i64,
) -> Result<Vec<FailureRow>, StoreError> {
    let text = "SELECT f.id, f.device_id, d.serial_number, d.name AS device, s.zone AS zone, f.began_ms, f.ended_ms, f.step,
           f.message, f.count
         FROM device_failures f JOIN devices d ON d.id = f.device_id JOIN sites s ON s.id = d.site_id
         WHERE (f.device_id = $1 OR ($1 = 0 AND d.retired_ms IS NULL))
         ORDER BY CASE WHEN f.ended_ms IS NULL THEN 0 ELSE 1 END, f.began_ms DESC, f.id DESC LIMIT $2 OFFSET $3";
    let values = [device_id.unwrap_or(0).into(), limit.into(), skip.into()];
    Ok(sql::fetch(store.read(), text, values).await?)
}

/// A span without contact.
#[derive(Clone, Debug, PartialEq, Eq, FromQueryResult)]
pub struct Outage {
    pub device_id: i64,
    pub began_ms: i64,
    pub ended_ms: Option<i64>,
}

/// Outages of all devices that touch the time since `from_ms`.
pub async fn outages_since(store: &Store, from_ms: i64) -> Result<Vec<Outage>, StoreError> {
    let text = "SELECT device_id, began_ms, ended_ms FROM device_failures WHERE ended_ms IS NULL OR ended_ms >= $1";
    Ok(sql::fetch(store.read(), text, [from_ms.into()]).await?)
}

/// A person as the device knows them.
#[derive(Clone, Debug, PartialEq, Eq, FromQueryResult)]
pub struct DeviceUserRow {
    pub user_id: String,
    pub name: String,
    pub admin: bool,
    pub card: Option<String>,
    pub ambiguous: bool,
    /// In the device's list; else they were only seen to punch, or are not in it any more.
    pub enrolled: bool,
    pub match_by: Option<String>,
    pub code: Option<String>,
    pub first_name: Option<String>,
    pub last_name: Option<String>,
}

const USER: &str = "SELECT u.user_id, u.name, u.admin, u.card, u.ambiguous, u.enrolled, u.match_by, e.code, e.first_name, e.last_name
     FROM device_users u LEFT JOIN employees e ON e.id = u.employee_id WHERE u.device_id = $1";

/// Users of a device; those without a person first.
pub async fn users(
    store: &Store,
    device_id: i64,
    limit: i64,
) -> Result<Vec<DeviceUserRow>, StoreError> {
    let text = format!(
        "{USER} ORDER BY CASE WHEN u.employee_id IS NULL THEN 0 ELSE 1 END, u.user_id LIMIT $2"
    );
    Ok(sql::fetch(store.read(), &text, [device_id.into(), limit.into()]).await?)
}

/// Users of a device in whose number, name or person the text stands, in order of number; an empty one is everybody.
pub async fn users_like(
    store: &Store,
    device_id: i64,
    search: &str,
    limit: i64,
    skip: i64,
) -> Result<Vec<DeviceUserRow>, StoreError> {
    let text = format!(
        "{USER} AND ($2 = '' OR LOWER(u.user_id) LIKE $2 OR LOWER(u.name) LIKE $2 OR LOWER(e.code) LIKE $2
           OR LOWER(e.first_name || ' ' || e.last_name) LIKE $2)
         ORDER BY u.user_id LIMIT $3 OFFSET $4"
    );
    let like = match search.trim() {
        "" => String::new(),
        search => format!("%{}%", search.to_lowercase()),
    };
    let values = [device_id.into(), like.into(), limit.into(), skip.into()];
    Ok(sql::fetch(store.read(), &text, values).await?)
}

/// The user with that number.
pub async fn user(
    store: &Store,
    device_id: i64,
    user_id: &str,
) -> Result<Option<DeviceUserRow>, StoreError> {
    let text = format!("{USER} AND u.user_id = $2");
    let row = sql::one(store.read(), &text, [device_id.into(), user_id.into()]).await?;
    Ok(row
        .map(|row| DeviceUserRow::from_query_result(&row, ""))
        .transpose()?)
}

/// How many users are in a device's list, and how many of those it knows or who punched there have no person.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromQueryResult)]
pub struct UserCounts {
    pub users: i64,
    pub unmapped: i64,
}

pub async fn user_counts(store: &Store, device_id: i64) -> Result<UserCounts, StoreError> {
    let text = "SELECT COUNT(CASE WHEN enrolled THEN 1 END) AS users, COUNT(*) - COUNT(employee_id) AS unmapped
         FROM device_users WHERE device_id = $1";
    let row = sql::one(store.read(), text, [device_id.into()]).await?;
    Ok(row
        .map(|row| UserCounts::from_query_result(&row, ""))
        .transpose()?
        .unwrap_or_default())
}

/// How many punches of a device are stored, and how many of its records are set aside.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromQueryResult)]
pub struct Kept {
    pub punches: i64,
    pub parked: i64,
}

pub async fn kept(store: &Store, device_id: i64) -> Result<Kept, StoreError> {
    let text = "SELECT (SELECT COUNT(*) FROM punches WHERE device_id = $1) AS punches,
           (SELECT COUNT(*) FROM parked WHERE device_id = $1) AS parked";
    let row = sql::one(store.read(), text, [device_id.into()]).await?;
    Ok(row
        .map(|row| Kept::from_query_result(&row, ""))
        .transpose()?
        .unwrap_or_default())
}

/// Records of a device that could not be understood.
#[derive(Clone, Debug, PartialEq, Eq, FromQueryResult)]
pub struct ParkedRow {
    pub id: i64,
    pub way: String,
    pub reason: String,
    pub first_ms: i64,
    pub last_ms: i64,
    pub count: i64,
}

/// What of a device is set aside, newest first.
pub async fn parked(
    store: &Store,
    device_id: i64,
    limit: i64,
) -> Result<Vec<ParkedRow>, StoreError> {
    let text = "SELECT id, way, reason, first_ms, last_ms, count FROM parked WHERE device_id = $1 ORDER BY last_ms DESC, id DESC LIMIT $2";
    Ok(sql::fetch(store.read(), text, [device_id.into(), limit.into()]).await?)
}

/// A record that could not be understood, with what it was.
#[derive(Clone, Debug, PartialEq, Eq, FromQueryResult)]
pub struct ParkedBytes {
    pub way: String,
    pub reason: String,
    /// Cut where it was too long.
    pub bytes: Vec<u8>,
    pub first_ms: i64,
    pub last_ms: i64,
    pub count: i64,
}

/// The same as [`parked`], record by record.
pub async fn parked_bytes(
    store: &Store,
    device_id: i64,
    limit: i64,
    skip: i64,
) -> Result<Vec<ParkedBytes>, StoreError> {
    let text = "SELECT way, reason, bytes, first_ms, last_ms, count FROM parked WHERE device_id = $1 ORDER BY last_ms DESC, id DESC LIMIT $2 OFFSET $3";
    let values = [device_id.into(), limit.into(), skip.into()];
    Ok(sql::fetch(store.read(), text, values).await?)
}

/// People who are unknown on a workday and are known to a device.
#[derive(FromQueryResult)]
struct Affected {
    device_id: i64,
    people: i64,
}

/// For each device: how many people who are unknown on that workday are its users.
pub async fn unknown_people(store: &Store, day: &str) -> Result<Vec<(i64, i64)>, StoreError> {
    let text = "SELECT u.device_id AS device_id, COUNT(DISTINCT u.employee_id) AS people
         FROM attendance_reports r JOIN device_users u ON u.employee_id = r.employee_id
         WHERE r.workday = $1 AND r.status = 'unknown' GROUP BY u.device_id";
    let rows: Vec<Affected> = sql::fetch(store.read(), text, [day.into()]).await?;
    Ok(rows
        .into_iter()
        .map(|row| (row.device_id, row.people))
        .collect())
}

//! Devices that call us: when they last did, how they speak, what they uploaded and what they did besides.

use std::collections::HashMap;

use attendance::{DeviceId, Way};
use jiff::Timestamp;
use jiff::civil::DateTime;
use sea_orm::{ColumnTrait, EntityTrait, FromQueryResult, QueryFilter, QueryOrder};

use crate::entities::{device_calls, device_notices, device_uploads};
use crate::punches::believed;
use crate::secrets::Secret;
use crate::sql::{self, Column};
use crate::times::{instant, wall_text};
use crate::{Store, StoreError, WriteTx};

/// So many different notices are kept of one device; what comes on top is not.
const NOTICES_PER_DEVICE: i64 = 200;

/// A device that may call, with what is to be known of it when it does.
#[derive(Clone, Debug, PartialEq, Eq, FromQueryResult)]
pub struct CallerRow {
    pub id: i64,
    pub kind: String,
    pub serial_number: String,
    pub name: String,
    pub enabled: bool,
    /// It is read too.
    pub polled: bool,
    pub poll_interval_s: i64,
    pub comm_key_sealed: Option<String>,
    /// IANA name of the zone in which its clock runs now.
    pub zone: String,
    pub record_count: Option<i64>,
    pub dialect: Option<String>,
    pub address: Option<String>,
    pub delay_s: Option<i64>,
    pub greeted_ms: Option<i64>,
    pub last_ms: Option<i64>,
    pub told_ms: Option<i64>,
    pub surplus: Option<i64>,
    pub counts: Option<bool>,
    pub one_by_one: Option<bool>,
    /// Some of its users are known from its own list.
    pub has_users: bool,
    /// It has commands that wait or are not answered.
    pub has_commands: bool,
    /// The step of the failure that lasts.
    pub failed_at: Option<String>,
}

/// A device begins to call, and is told how to.
#[derive(Clone, Copy, Debug)]
pub struct Greeting<'a> {
    pub device: DeviceId,
    pub dialect: &'a str,
    pub address: &'a str,
    pub delay_secs: u32,
    pub at: Timestamp,
}

/// What a device says of itself; `None` where it says nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Told {
    pub model: Option<String>,
    pub firmware: Option<String>,
    pub own_address: Option<String>,
    pub users: Option<u32>,
    /// Records in its log.
    pub records: Option<u32>,
    pub record_capacity: Option<u32>,
}

/// One upload, and what became of it.
#[derive(Clone, Copy, Debug)]
pub struct Upload<'a> {
    pub device: DeviceId,
    /// In the device's own word.
    pub content: &'a str,
    /// Where the next one goes on, as the device says; `None` keeps what is there.
    pub cursor: Option<&'a str>,
    pub digest: &'a str,
    pub lines: u64,
    pub new: u64,
    pub duplicate: u64,
    pub parked: u64,
    pub at: Timestamp,
}

impl WriteTx {
    /// Keeps that a device greeted. It is one that answers from now on.
    pub async fn keep_greeting(&self, greeting: &Greeting<'_>) -> Result<(), StoreError> {
        let at = greeting.at.as_millisecond();
        sql::run(
            &self.tx,
            "INSERT INTO device_calls (device_id, dialect, address, delay_s, greeted_ms, last_ms) VALUES ($1, $2, $3, $4, $5, $5) \
             ON CONFLICT (device_id) DO UPDATE SET dialect = excluded.dialect, address = excluded.address, \
             delay_s = excluded.delay_s, greeted_ms = excluded.greeted_ms, last_ms = excluded.last_ms",
            [
                greeting.device.0.into(),
                greeting.dialect.into(),
                greeting.address.into(),
                i64::from(greeting.delay_secs).into(),
                at.into(),
            ],
        )
        .await?;
        sql::run(
            &self.tx,
            "UPDATE devices SET last_contact_ms = $2, first_verified_ms = COALESCE(first_verified_ms, $2) WHERE id = $1",
            [greeting.device.0.into(), at.into()],
        )
        .await?;
        Ok(())
    }

    /// Keeps how a device speaks, if it has greeted.
    pub async fn keep_dialect(&self, device: DeviceId, dialect: &str) -> Result<(), StoreError> {
        sql::run(
            &self.tx,
            "UPDATE device_calls SET dialect = $2 WHERE device_id = $1",
            [device.0.into(), dialect.into()],
        )
        .await?;
        Ok(())
    }

    /// Keeps when each of these devices last called.
    pub async fn keep_calls(&self, calls: &[(DeviceId, Timestamp)]) -> Result<(), StoreError> {
        let rows: Vec<_> = calls
            .iter()
            .map(|(device, at)| (device.0, at.as_millisecond()))
            .collect();
        let table = sql::json_rows(
            self.backend(),
            1,
            "r",
            &[("id", Column::Int), ("at", Column::Int)],
        );
        for update in [
            format!(
                "UPDATE device_calls SET last_ms = r.at FROM {table} WHERE device_id = r.id AND last_ms < r.at"
            ),
            format!(
                "UPDATE devices SET last_contact_ms = r.at FROM {table} \
                 WHERE devices.id = r.id AND (last_contact_ms IS NULL OR last_contact_ms < r.at)"
            ),
        ] {
            sql::run(&self.tx, &update, [sql::json(&rows)]).await?;
        }
        Ok(())
    }

    /// Keeps what a device says of itself.
    pub async fn keep_told(
        &self,
        device: DeviceId,
        told: &Told,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        sql::run(
            &self.tx,
            "UPDATE devices SET model = COALESCE($2, model), firmware = COALESCE($3, firmware), \
             user_count = COALESCE($4, user_count), record_count = COALESCE($5, record_count), \
             record_capacity = COALESCE($6, record_capacity) WHERE id = $1",
            [
                device.0.into(),
                told.model.clone().into(),
                told.firmware.clone().into(),
                told.users.map(i64::from).into(),
                told.records.map(i64::from).into(),
                told.record_capacity.map(i64::from).into(),
            ],
        )
        .await?;
        sql::run(
            &self.tx,
            "UPDATE device_calls SET own_address = COALESCE($2, own_address), \
             told_ms = CASE WHEN $3 THEN $4 ELSE told_ms END WHERE device_id = $1",
            [
                device.0.into(),
                told.own_address.clone().into(),
                told.records.is_some().into(),
                at.as_millisecond().into(),
            ],
        )
        .await?;
        Ok(())
    }

    /// All a device holds is kept, and so many records more.
    pub async fn keep_surplus(
        &self,
        device: DeviceId,
        surplus: Option<i64>,
    ) -> Result<(), StoreError> {
        sql::run(
            &self.tx,
            "UPDATE device_calls SET surplus = $2 WHERE device_id = $1",
            [device.0.into(), surplus.into()],
        )
        .await?;
        Ok(())
    }

    /// Whether it is any use to ask a device to count its log.
    pub async fn keep_counts(&self, device: DeviceId, counts: bool) -> Result<(), StoreError> {
        sql::run(
            &self.tx,
            "UPDATE device_calls SET counts = $2 WHERE device_id = $1",
            [device.0.into(), counts.into()],
        )
        .await?;
        Ok(())
    }

    /// Counts uploads, of which no two are of the same device and content. Returns how often in a row each has come again.
    pub async fn keep_uploads(&self, uploads: &[Upload<'_>]) -> Result<Vec<u64>, StoreError> {
        let count = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
        let rows: Vec<_> = uploads
            .iter()
            .map(|upload| {
                (
                    upload.device.0,
                    upload.content,
                    upload.cursor,
                    count(upload.lines),
                    count(upload.new),
                    count(upload.duplicate),
                    count(upload.parked),
                    upload.at.as_millisecond(),
                    upload.digest,
                )
            })
            .collect();
        let table = sql::json_rows(
            self.backend(),
            1,
            "r",
            &[
                ("device_id", Column::Int),
                ("content", Column::Text),
                ("cursor_text", Column::Text),
                ("lines", Column::Int),
                ("new", Column::Int),
                ("duplicate", Column::Int),
                ("parked", Column::Int),
                ("last_ms", Column::Int),
                ("digest", Column::Text),
            ],
        );
        let kept = sql::all(
            &self.tx,
            &format!(
                "INSERT INTO device_uploads (device_id, content, cursor_text, uploads, lines, new, duplicate, parked, last_ms, digest) \
                 SELECT r.device_id, r.content, r.cursor_text, 1, r.lines, r.new, r.duplicate, r.parked, r.last_ms, r.digest \
                 FROM {table} WHERE true ON CONFLICT (device_id, content) DO UPDATE SET \
                 cursor_text = COALESCE(excluded.cursor_text, device_uploads.cursor_text), uploads = device_uploads.uploads + 1, \
                 lines = device_uploads.lines + excluded.lines, new = device_uploads.new + excluded.new, \
                 duplicate = device_uploads.duplicate + excluded.duplicate, parked = device_uploads.parked + excluded.parked, \
                 last_ms = excluded.last_ms, digest = excluded.digest, \
                 repeated = CASE WHEN device_uploads.digest = excluded.digest THEN device_uploads.repeated + 1 ELSE 0 END \
                 RETURNING device_id, content, repeated"
            ),
            [sql::json(&rows)],
        )
        .await?;
        let mut repeated: HashMap<(i64, String), i64> = HashMap::new();
        for row in &kept {
            let key = (row.try_get_by_index(0)?, row.try_get_by_index(1)?);
            repeated.insert(key, row.try_get_by_index(2)?);
        }
        let of = |upload: &Upload<'_>| {
            let again = repeated.get(&(upload.device.0, upload.content.to_owned()));
            again.map_or(0, |again| again.unsigned_abs())
        };
        Ok(uploads.iter().map(of).collect())
    }

    /// Forgets where a device was, so that it is told to upload everything again.
    pub async fn forget_cursors(&self, device: DeviceId) -> Result<(), StoreError> {
        sql::run(
            &self.tx,
            "UPDATE device_uploads SET cursor_text = NULL WHERE device_id = $1",
            [device.0.into()],
        )
        .await?;
        Ok(())
    }

    /// Keeps something people should know of a device, or counts it.
    pub async fn notice(
        &self,
        device: DeviceId,
        kind: &str,
        detail: &str,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        sql::run(
            &self.tx,
            "INSERT INTO device_notices (device_id, kind, detail, first_ms, last_ms) SELECT $1, $2, $3, $4, $4 \
             WHERE (SELECT count(*) FROM device_notices WHERE device_id = $1) < $5 \
             OR EXISTS (SELECT 1 FROM device_notices WHERE device_id = $1 AND kind = $2 AND detail = $3) \
             ON CONFLICT (device_id, kind, detail) DO UPDATE SET last_ms = excluded.last_ms, count = device_notices.count + 1",
            [
                device.0.into(),
                kind.into(),
                detail.into(),
                at.as_millisecond().into(),
                NOTICES_PER_DEVICE.into(),
            ],
        )
        .await?;
        Ok(())
    }

    /// How many records of a device are kept: punches it told by itself or when it was read, and what could not be understood.
    pub async fn kept_records(&self, device: DeviceId) -> Result<i64, StoreError> {
        kept_records(&self.tx, device).await
    }

    /// How many punches of a device are kept whose wall time is within these two, both included.
    pub async fn kept_between(
        &self,
        device: DeviceId,
        from: DateTime,
        to: DateTime,
    ) -> Result<u64, StoreError> {
        let row = sql::one(
            &self.tx,
            "SELECT count(*) FROM punches WHERE device_id = $1 AND clock >= $2 AND clock <= $3 AND source <> $4",
            [
                device.0.into(),
                wall_text(from).into(),
                wall_text(to).into(),
                Way::Import.as_str().into(),
            ],
        )
        .await?;
        let count: i64 = row.map_or(Ok(0), |row| row.try_get_by_index(0))?;
        Ok(count.unsigned_abs())
    }

    /// Everything a device recorded up to `to` is kept: what lost contacts had left open is closed, and it is covered so far.
    /// Nothing is while its clock is wrong.
    pub async fn cover_calls(&self, device: DeviceId, to: Timestamp) -> Result<(), StoreError> {
        if self.wrong_clock_seen(device).await?.is_some() {
            return Ok(());
        }
        self.close_contact_gaps(device).await?;
        let first = match self.covered_to(device).await? {
            Some(_) => None,
            None => self.first_believed(device).await?,
        };
        if let Some(from) = self.advance_coverage(device, first, to).await? {
            self.mark_device(device, from, "device in service").await?;
        }
        Ok(())
    }

    async fn first_believed(&self, device: DeviceId) -> Result<Option<Timestamp>, StoreError> {
        let row = sql::one(
            &self.tx,
            &format!(
                "SELECT min(instant_ms) FROM punches WHERE device_id = $1 AND {}",
                believed()
            ),
            [device.0.into()],
        )
        .await?;
        let first: Option<i64> = row.map_or(Ok(None), |row| row.try_get_by_index(0))?;
        Ok(first.map(instant))
    }

    /// Ends the outage of a device unless it is at one of these steps; when it began.
    pub async fn end_outage_but_at(
        &self,
        device: DeviceId,
        steps: &[&str],
        at: Timestamp,
    ) -> Result<Option<Timestamp>, StoreError> {
        let step = self.failing_step(device).await?;
        match step {
            Some(step) if !steps.contains(&step.as_str()) => self.end_outage(device, at).await,
            _ => Ok(None),
        }
    }

    async fn failing_step(&self, device: DeviceId) -> Result<Option<String>, StoreError> {
        let row = sql::one(
            &self.tx,
            "SELECT step FROM device_failures WHERE device_id = $1 AND ended_ms IS NULL",
            [device.0.into()],
        )
        .await?;
        Ok(row.map(|row| row.try_get_by_index(0)).transpose()?)
    }

    /// Ends the outage of a device if it was at one of these steps; when it began.
    pub async fn end_outage_at(
        &self,
        device: DeviceId,
        steps: &[&str],
        at: Timestamp,
    ) -> Result<Option<Timestamp>, StoreError> {
        let step = self.failing_step(device).await?;
        match step {
            Some(step) if steps.contains(&step.as_str()) => self.end_outage(device, at).await,
            _ => Ok(None),
        }
    }
}

async fn kept_records(
    connection: &impl sea_orm::ConnectionTrait,
    device: DeviceId,
) -> Result<i64, StoreError> {
    let row = sql::one(
        connection,
        "SELECT (SELECT count(*) FROM punches WHERE device_id = $1 AND source <> $2) \
         + (SELECT count(*) FROM parked WHERE device_id = $1)",
        [device.0.into(), Way::Import.as_str().into()],
    )
    .await?;
    Ok(row.map_or(Ok(0), |row| row.try_get_by_index(0))?)
}

impl Store {
    /// As [`WriteTx::kept_records`], for people to look at.
    pub async fn kept_records(&self, device: DeviceId) -> Result<i64, StoreError> {
        kept_records(self.read(), device).await
    }

    /// Every device that may call.
    pub async fn callers(&self) -> Result<Vec<CallerRow>, StoreError> {
        let query = "SELECT d.id, d.kind, d.serial_number, d.name, d.enabled, d.poll_interval_s, \
             COALESCE(d.address, '') <> '' AND (',' || d.mode || ',') LIKE '%,poll,%' AS polled, d.comm_key_sealed, d.record_count, \
             COALESCE((SELECT z.zone FROM device_zones z WHERE z.device_id = d.id ORDER BY z.from_clock DESC LIMIT 1), s.zone) AS zone, \
             c.dialect, c.address, c.delay_s, c.greeted_ms, c.last_ms, c.told_ms, c.surplus, c.counts, c.one_by_one, \
             EXISTS (SELECT 1 FROM device_users u WHERE u.device_id = d.id AND u.enrolled) AS has_users, \
             EXISTS (SELECT 1 FROM device_commands o WHERE o.device_id = d.id AND (o.state = 'waiting' OR o.state = 'sent')) AS has_commands, \
             (SELECT f.step FROM device_failures f WHERE f.device_id = d.id AND f.ended_ms IS NULL LIMIT 1) AS failed_at \
             FROM devices d JOIN sites s ON s.id = d.site_id LEFT JOIN device_calls c ON c.device_id = d.id \
             WHERE d.retired_ms IS NULL AND (',' || d.mode || ',') LIKE '%,push,%' ORDER BY d.id";
        Ok(sql::fetch(self.read(), query, []).await?)
    }

    /// What a device has to say when it calls, where its firmware can.
    ///
    /// # Errors
    /// [`StoreError::Secret`] when the key does not fit.
    pub fn caller_comm_key(&self, caller: &CallerRow) -> Result<Option<Secret>, StoreError> {
        self.comm_key(DeviceId(caller.id), caller.comm_key_sealed.as_deref())
    }

    /// How a device calls; `None` when it never did.
    pub async fn calls_of(
        &self,
        device: DeviceId,
    ) -> Result<Option<device_calls::Model>, StoreError> {
        Ok(device_calls::Entity::find_by_id(device.0)
            .one(self.read())
            .await?)
    }

    /// What a device has uploaded, by content.
    pub async fn uploads_of(
        &self,
        device: DeviceId,
    ) -> Result<Vec<device_uploads::Model>, StoreError> {
        let query = device_uploads::Entity::find()
            .filter(device_uploads::Column::DeviceId.eq(device.0))
            .order_by_asc(device_uploads::Column::Content);
        Ok(query.all(self.read()).await?)
    }

    /// What people should know of a device, newest first.
    pub async fn notices_of(
        &self,
        device: DeviceId,
    ) -> Result<Vec<device_notices::Model>, StoreError> {
        let query = device_notices::Entity::find()
            .filter(device_notices::Column::DeviceId.eq(device.0))
            .order_by_desc(device_notices::Column::LastMs)
            .order_by_desc(device_notices::Column::Id);
        Ok(query.all(self.read()).await?)
    }
}

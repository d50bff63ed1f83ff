//! Which device is read when, by whom, and what came of it.

use std::collections::HashMap;

use attendance::DeviceId;
use jiff::Timestamp;
use sea_orm::ConnectionTrait;

use crate::identity::zone;
use crate::sql::{self, in_ids, skip_locked};
use crate::times::wall;
use crate::{ReadTx, Store, StoreError, WriteTx};

/// How the last read of a device went, and when the next one is due.
#[derive(Clone, Debug)]
pub struct ReadState<'a> {
    pub device: DeviceId,
    /// Whose lease it was: nothing is written when another worker has taken the device over.
    pub owner: &'a str,
    /// Application time.
    pub at: Timestamp,
    pub next_poll: Timestamp,
    pub outcome: ReadOutcome<'a>,
}

#[derive(Clone, Debug)]
pub enum ReadOutcome<'a> {
    Complete {
        read_position: &'a str,
        /// Terminal minus server, in seconds.
        clock_drift_s: i64,
        model: &'a str,
        firmware: &'a str,
        user_count: Option<u32>,
        record_count: Option<u32>,
        record_capacity: Option<u32>,
        /// By which the terminal answered; kept where it was not known.
        transport: Option<&'a str>,
        /// The device is listened to since then, and stays `owner`'s.
        live_since: Option<Timestamp>,
        /// Why it is only read although it should be listened to.
        live_refused: Option<&'a str>,
    },
    Failed {
        step: &'a str,
        /// A name for what is the matter, in the words of the drivers.
        reason: &'a str,
        message: &'a str,
        /// Nothing is tried again before a person edits the credentials.
        needs_edit: bool,
        /// Nobody signs in before this; `None` where the terminal is not locked.
        sign_in_wait: Option<Timestamp>,
    },
}

/// One read of one device, for the device's page.
#[derive(Clone, Copy, Debug)]
pub struct Cycle<'a> {
    pub device: DeviceId,
    pub began: Timestamp,
    pub ended: Timestamp,
    pub read: u64,
    pub new: u64,
    pub duplicate: u64,
    pub rejected: u64,
    /// Step and message.
    pub error: Option<(&'a str, &'a str)>,
}

/// The dated zones of a device, as intake needs them.
#[derive(Clone, Debug)]
pub struct DeviceZones {
    /// From which device wall time on; in order, the first from the beginning of time.
    zones: Vec<(jiff::civil::DateTime, String, jiff::tz::TimeZone)>,
}

impl DeviceZones {
    /// The zone in which this wall time is read, with its IANA name.
    pub fn at(&self, clock: jiff::civil::DateTime) -> (&str, &jiff::tz::TimeZone) {
        let (_, name, zone) = self
            .zones
            .iter()
            .rev()
            .find(|(from, ..)| *from <= clock)
            .or(self.zones.first())
            .expect("a device has a zone, its site's if no other");
        (name, zone)
    }
}

impl WriteTx {
    /// Takes up to `limit` devices whose poll is due and that nobody reads. Their lease is in real time.
    ///
    /// One that was listened to by a process that died is due at once. A device without address waits, and one whose credentials were refused waits for an edit.
    pub async fn claim_due_devices(
        &self,
        owner: &str,
        now: Timestamp,
        real_now: Timestamp,
        real_until: Timestamp,
        limit: usize,
    ) -> Result<Vec<DeviceId>, StoreError> {
        let rows = sql::all(
            &self.tx,
            &format!(
                "UPDATE devices SET lease_owner = $1, lease_until_ms = $2 WHERE id IN (SELECT id FROM devices \
                 WHERE {POLLED} AND (next_poll_ms IS NULL OR next_poll_ms <= $3 OR live_since_ms IS NOT NULL) \
                 AND {} ORDER BY next_poll_ms, id LIMIT $5 {}) RETURNING id",
                free_at(4),
                skip_locked(self.backend())
            ),
            [
                owner.into(),
                real_until.as_millisecond().into(),
                now.as_millisecond().into(),
                real_now.as_millisecond().into(),
                (limit as i64).into(),
            ],
        )
        .await?;
        device_ids(&rows)
    }

    /// Takes these devices, due or not, as far as nobody reads them.
    pub async fn claim_devices(
        &self,
        owner: &str,
        devices: &[DeviceId],
        real_now: Timestamp,
        real_until: Timestamp,
    ) -> Result<Vec<DeviceId>, StoreError> {
        let rows = sql::all(
            &self.tx,
            &format!(
                "UPDATE devices SET lease_owner = $1, lease_until_ms = $2 WHERE id IN (SELECT id FROM devices \
                 WHERE id IN {} AND {} ORDER BY id {}) RETURNING id",
                in_ids(self.backend(), 3),
                free_at(4),
                skip_locked(self.backend())
            ),
            [
                owner.into(),
                real_until.as_millisecond().into(),
                sql::json(devices),
                real_now.as_millisecond().into(),
            ],
        )
        .await?;
        device_ids(&rows)
    }

    /// Asks for a device that somebody may hold: until `real_until` nobody else claims it, and who listens to it gives it back.
    pub async fn want_device(
        &self,
        device: DeviceId,
        real_until: Timestamp,
    ) -> Result<(), StoreError> {
        sql::run(
            &self.tx,
            "UPDATE devices SET wanted_until_ms = $2 WHERE id = $1",
            [device.0.into(), real_until.as_millisecond().into()],
        )
        .await?;
        Ok(())
    }

    /// Takes the device that was wanted, unless somebody holds it still.
    pub async fn claim_wanted_device(
        &self,
        owner: &str,
        device: DeviceId,
        real_now: Timestamp,
        real_until: Timestamp,
    ) -> Result<bool, StoreError> {
        let claimed = sql::run(
            &self.tx,
            "UPDATE devices SET lease_owner = $1, lease_until_ms = $4, wanted_until_ms = NULL \
             WHERE id = $2 AND (lease_until_ms IS NULL OR lease_until_ms <= $3)",
            [
                owner.into(),
                device.0.into(),
                real_now.as_millisecond().into(),
                real_until.as_millisecond().into(),
            ],
        )
        .await?;
        Ok(claimed > 0)
    }

    /// A device that is listened to has answered.
    pub async fn keep_contact(
        &self,
        device: DeviceId,
        at: Timestamp,
        clock_drift_s: i64,
    ) -> Result<(), StoreError> {
        sql::run(
            &self.tx,
            "UPDATE devices SET last_contact_ms = $2, clock_drift_s = $3 WHERE id = $1",
            [
                device.0.into(),
                at.as_millisecond().into(),
                clock_drift_s.into(),
            ],
        )
        .await?;
        Ok(())
    }

    /// Asks whoever polls to read these devices now; without names, all that are polled. Returns those that will be read.
    pub async fn poll_now(
        &self,
        devices: Option<&[DeviceId]>,
        now: Timestamp,
    ) -> Result<Vec<DeviceId>, StoreError> {
        let named = match devices {
            Some(_) => format!("AND id IN {}", in_ids(self.backend(), 2)),
            None => "AND $2 = $2".to_owned(),
        };
        let rows = sql::all(
            &self.tx,
            &format!("UPDATE devices SET next_poll_ms = $1 WHERE {POLLED} {named} RETURNING id"),
            [
                now.as_millisecond().into(),
                sql::json(devices.unwrap_or_default()),
            ],
        )
        .await?;
        device_ids(&rows)
    }

    /// Whether the lease of a device is still `owner`'s, who then keeps it until the end of this transaction.
    pub async fn holds_device(&self, owner: &str, device: DeviceId) -> Result<bool, StoreError> {
        let held = sql::run(
            &self.tx,
            "UPDATE devices SET lease_owner = lease_owner WHERE id = $1 AND lease_owner = $2",
            [device.0.into(), owner.into()],
        )
        .await?;
        Ok(held > 0)
    }

    /// Keeps how a read went and gives the device back, unless it is listened to. `false`, and nothing written, when its lease had passed to another.
    pub async fn finish_read(&self, state: &ReadState<'_>) -> Result<bool, StoreError> {
        let at = state.at.as_millisecond();
        let next = state.next_poll.as_millisecond();
        let changed = match &state.outcome {
            ReadOutcome::Complete {
                read_position,
                clock_drift_s,
                model,
                firmware,
                user_count,
                record_count,
                record_capacity,
                transport,
                live_since,
                live_refused,
            } => {
                sql::run(
                    &self.tx,
                    "UPDATE devices SET lease_owner = CASE WHEN $12 IS NULL THEN NULL ELSE lease_owner END, \
                     lease_until_ms = CASE WHEN $12 IS NULL THEN NULL ELSE lease_until_ms END, live_since_ms = $12, live_refused = $14, \
                     next_poll_ms = $3, fail_count = 0, \
                     last_error = NULL, last_error_step = NULL, last_error_reason = NULL, needs_edit = false, \
                     sign_in_confirmed = true, sign_in_wait_ms = NULL, certificate_shown = NULL, last_contact_ms = $4, last_read_ms = $4, \
                     read_position = $5, clock_drift_s = $6, model = $7, firmware = $8, user_count = $9, record_count = $10, \
                     record_capacity = $11, transport = COALESCE(transport, $13), first_verified_ms = COALESCE(first_verified_ms, $4) \
                     WHERE id = $1 AND lease_owner = $2",
                    [
                        state.device.0.into(),
                        state.owner.into(),
                        next.into(),
                        at.into(),
                        (*read_position).into(),
                        (*clock_drift_s).into(),
                        (*model).into(),
                        (*firmware).into(),
                        user_count.map(i64::from).into(),
                        record_count.map(i64::from).into(),
                        record_capacity.map(i64::from).into(),
                        live_since.map(Timestamp::as_millisecond).into(),
                        (*transport).into(),
                        (*live_refused).into(),
                    ],
                )
                .await?
            }
            ReadOutcome::Failed {
                step,
                reason,
                message,
                needs_edit,
                sign_in_wait,
            } => {
                sql::run(
                    &self.tx,
                    "UPDATE devices SET lease_owner = NULL, lease_until_ms = NULL, live_since_ms = NULL, next_poll_ms = $3, \
                     fail_count = fail_count + 1, last_error = $4, last_error_step = $5, last_error_reason = $7, needs_edit = $6, \
                     sign_in_confirmed = (sign_in_confirmed AND NOT $6), sign_in_wait_ms = $8 WHERE id = $1 AND lease_owner = $2",
                    [
                        state.device.0.into(),
                        state.owner.into(),
                        next.into(),
                        (*message).into(),
                        (*step).into(),
                        (*needs_edit).into(),
                        (*reason).into(),
                        sign_in_wait.map(Timestamp::as_millisecond).into(),
                    ],
                )
                .await?
            }
        };
        Ok(changed > 0)
    }

    /// The credentials of `row` were refused outside a poll: nothing is tried again before a person edits them, unless they
    /// have been edited meanwhile.
    pub async fn refuse_credentials(
        &self,
        row: &crate::entities::devices::Model,
        step: &str,
        reason: &str,
        message: &str,
    ) -> Result<(), StoreError> {
        let now = self.device_row(DeviceId(row.id)).await?;
        let tried = |row: &crate::entities::devices::Model| {
            let secrets = (row.password_sealed.clone(), row.comm_key_sealed.clone());
            let place = (row.address.clone(), row.port, row.credentials_ms);
            (place, row.username.clone(), secrets)
        };
        if tried(&now) == tried(row) {
            sql::run(
                &self.tx,
                "UPDATE devices SET needs_edit = true, sign_in_confirmed = false, last_error = $2, last_error_step = $3, last_error_reason = $4 WHERE id = $1",
                [row.id.into(), message.into(), step.into(), reason.into()],
            )
            .await?;
        }
        Ok(())
    }

    /// A device is locked, or wants to be left alone, as somebody found who did not poll it.
    pub async fn wait_to_sign_in(
        &self,
        device: DeviceId,
        until: Timestamp,
    ) -> Result<(), StoreError> {
        sql::run(
            &self.tx,
            "UPDATE devices SET sign_in_wait_ms = $2, next_poll_ms = CASE WHEN next_poll_ms < $2 THEN $2 ELSE next_poll_ms END \
             WHERE id = $1",
            [device.0.into(), until.as_millisecond().into()],
        )
        .await?;
        Ok(())
    }

    /// Gives one device back without any news.
    pub async fn release_device(&self, owner: &str, device: DeviceId) -> Result<(), StoreError> {
        sql::run(
            &self.tx,
            "UPDATE devices SET lease_owner = NULL, lease_until_ms = NULL, live_since_ms = NULL WHERE id = $1 AND lease_owner = $2",
            [device.0.into(), owner.into()],
        )
        .await?;
        Ok(())
    }

    /// Has the next read bring everything, as a first one: the log is about to be cleared, and what is in it is known.
    pub async fn forget_position(&self, device: DeviceId) -> Result<(), StoreError> {
        sql::run(
            &self.tx,
            "UPDATE devices SET read_position = '' WHERE id = $1",
            [device.0.into()],
        )
        .await?;
        Ok(())
    }

    /// Prolongs the leases of these devices as far as `owner` holds them. A row that is being written is left alone: its read
    /// is just ending.
    pub async fn renew_devices(
        &self,
        owner: &str,
        devices: &[DeviceId],
        real_until: Timestamp,
    ) -> Result<(), StoreError> {
        sql::run(
            &self.tx,
            &format!(
                "UPDATE devices SET lease_until_ms = $2 WHERE id IN (SELECT id FROM devices \
                 WHERE lease_owner = $1 AND id IN {} ORDER BY id {})",
                in_ids(self.backend(), 3),
                skip_locked(self.backend())
            ),
            [
                owner.into(),
                real_until.as_millisecond().into(),
                sql::json(devices),
            ],
        )
        .await?;
        Ok(())
    }

    /// Frees every device `owner` holds, for a poller that stops.
    pub async fn release_devices(&self, owner: &str) -> Result<(), StoreError> {
        sql::run(
            &self.tx,
            "UPDATE devices SET lease_owner = NULL, lease_until_ms = NULL WHERE lease_owner = $1",
            [owner.into()],
        )
        .await?;
        Ok(())
    }

    /// Ends every lease on devices and marked days, whoever has it: for a server that starts and is known to be alone on its
    /// database, so that nothing waits for the leases of one that was killed.
    pub async fn end_all_leases(&self) -> Result<(), StoreError> {
        for end in [
            "UPDATE devices SET lease_owner = NULL, lease_until_ms = NULL WHERE lease_owner IS NOT NULL",
            "DELETE FROM claimed_days",
        ] {
            sql::run(&self.tx, end, []).await?;
        }
        Ok(())
    }

    /// Keeps a cycle. A failure equal to the one before it only prolongs that row.
    pub async fn record_cycle(&self, cycle: &Cycle<'_>) -> Result<(), StoreError> {
        let (step, error) = cycle.error.unzip();
        if error.is_some() {
            let folded = sql::run(
                &self.tx,
                "UPDATE poll_cycles SET ended_ms = $2, folded = folded + 1 \
                 WHERE id = (SELECT max(id) FROM poll_cycles WHERE device_id = $1) AND error = $3 AND step = $4",
                [
                    cycle.device.0.into(),
                    cycle.ended.as_millisecond().into(),
                    error.into(),
                    step.into(),
                ],
            )
            .await?;
            if folded > 0 {
                return Ok(());
            }
        }
        let count = |n: u64| -> sea_orm::Value { i64::try_from(n).unwrap_or(i64::MAX).into() };
        sql::run(
            &self.tx,
            "INSERT INTO poll_cycles (device_id, began_ms, ended_ms, read, new, duplicate, rejected, error, step) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
            [
                cycle.device.0.into(),
                cycle.began.as_millisecond().into(),
                cycle.ended.as_millisecond().into(),
                count(cycle.read),
                count(cycle.new),
                count(cycle.duplicate),
                count(cycle.rejected),
                error.into(),
                step.into(),
            ],
        )
        .await?;
        Ok(())
    }

    /// Forgets the cycles that began before `before`.
    pub async fn forget_cycles(&self, before: Timestamp) -> Result<u64, StoreError> {
        Ok(sql::run(
            &self.tx,
            "DELETE FROM poll_cycles WHERE began_ms < $1",
            [before.as_millisecond().into()],
        )
        .await?)
    }

    /// The same as [`ReadTx::device_zones`] with what this transaction has changed.
    pub async fn device_zones(&self, device: DeviceId) -> Result<DeviceZones, StoreError> {
        zones_of(&self.tx, device).await
    }

    /// The same for several; all of them are in the answer.
    ///
    /// # Errors
    /// When one of them is unknown.
    pub async fn zones_of_devices(
        &self,
        devices: &[DeviceId],
    ) -> Result<HashMap<DeviceId, DeviceZones>, StoreError> {
        zones_of_all(&self.tx, devices).await
    }
}

impl ReadTx {
    /// The zones of a device: its own as dated, and its site's before and without them.
    pub async fn device_zones(&self, device: DeviceId) -> Result<DeviceZones, StoreError> {
        zones_of(&self.tx, device).await
    }
}

impl Store {
    /// When the next poll is due, of the devices nobody reads; `None` when there is none. Those whose reader died before
    /// `real_now` are among them.
    pub async fn next_poll(&self, real_now: Timestamp) -> Result<Option<Timestamp>, StoreError> {
        let row = sql::one(
            self.read(),
            &format!(
                "SELECT min(CASE WHEN live_since_ms IS NULL THEN COALESCE(next_poll_ms, 0) ELSE 0 END) FROM devices WHERE {POLLED} \
                 AND {}",
                free_at(1)
            ),
            [real_now.as_millisecond().into()],
        )
        .await?;
        Ok(match row {
            Some(row) => row
                .try_get_by_index::<Option<i64>>(0)?
                .map(crate::times::instant),
            None => None,
        })
    }

    /// The devices `owner` holds whose poll is due, that are not to be held any more, or that somebody wants.
    pub async fn held_devices_due(
        &self,
        owner: &str,
        now: Timestamp,
        real_now: Timestamp,
    ) -> Result<Vec<DeviceId>, StoreError> {
        let rows = sql::all(
            self.read(),
            "SELECT id FROM devices WHERE lease_owner = $1 AND (next_poll_ms IS NULL OR next_poll_ms <= $2 \
             OR NOT enabled OR retired_ms IS NOT NULL OR wanted_until_ms > $3)",
            [
                owner.into(),
                now.as_millisecond().into(),
                real_now.as_millisecond().into(),
            ],
        )
        .await?;
        device_ids(&rows)
    }

    /// The latest cycle of each of these devices that ended at or after `since`.
    pub async fn cycles_since(
        &self,
        devices: &[DeviceId],
        since: Timestamp,
    ) -> Result<HashMap<DeviceId, crate::entities::poll_cycles::Model>, StoreError> {
        use sea_orm::FromQueryResult as _;
        let rows = sql::all(
            self.read(),
            &format!(
                "SELECT id, device_id, began_ms, ended_ms, read, new, duplicate, rejected, error, step, folded \
                 FROM poll_cycles WHERE device_id IN {} AND ended_ms >= $2 ORDER BY id",
                in_ids(self.backend(), 1)
            ),
            [sql::json(devices), since.as_millisecond().into()],
        )
        .await?;
        let mut latest = HashMap::new();
        for row in &rows {
            let cycle = crate::entities::poll_cycles::Model::from_query_result(row, "")?;
            latest.insert(DeviceId(cycle.device_id), cycle);
        }
        Ok(latest)
    }
}

/// Devices that are read by polling, as far as they themselves decide.
const POLLED: &str = "enabled AND NOT needs_edit AND retired_ms IS NULL AND address IS NOT NULL AND address <> '' \
     AND (',' || mode || ',') LIKE '%,poll,%'";

/// A device that nobody holds and nobody wants, at the real time that is parameter `now`.
fn free_at(now: usize) -> String {
    format!(
        "(lease_until_ms IS NULL OR lease_until_ms <= ${now}) AND (wanted_until_ms IS NULL OR wanted_until_ms <= ${now})"
    )
}

async fn zones_of<C: ConnectionTrait>(db: &C, device: DeviceId) -> Result<DeviceZones, StoreError> {
    let zones = zones_of_all(db, &[device]).await?.remove(&device);
    Ok(zones.expect("it is in the answer"))
}

async fn zones_of_all<C: ConnectionTrait>(
    db: &C,
    devices: &[DeviceId],
) -> Result<HashMap<DeviceId, DeviceZones>, StoreError> {
    let ids = sql::in_ids(db.get_database_backend(), 1);
    let rows = sql::all(
        db,
        &format!(
            "SELECT d.id, '', s.zone FROM devices d JOIN sites s ON s.id = d.site_id WHERE d.id IN {ids} \
             UNION ALL SELECT z.device_id, z.from_clock, z.zone FROM device_zones z WHERE z.device_id IN {ids} ORDER BY 1, 2"
        ),
        [sql::json(devices)],
    )
    .await?;
    let mut zones: HashMap<DeviceId, DeviceZones> = HashMap::new();
    for row in &rows {
        let device = DeviceId(row.try_get_by_index(0)?);
        let from: String = row.try_get_by_index(1)?;
        let name: String = row.try_get_by_index(2)?;
        let tz = zone(&name);
        let of_it = zones.entry(device);
        let of_it = of_it.or_insert_with(|| DeviceZones { zones: Vec::new() });
        of_it.zones.push((wall(&from), name, tz));
    }
    if let Some(unknown) = devices.iter().find(|device| !zones.contains_key(device)) {
        return Err(StoreError::not_found("device", *unknown));
    }
    Ok(zones)
}

fn device_ids(rows: &[sea_orm::QueryResult]) -> Result<Vec<DeviceId>, StoreError> {
    rows.iter()
        .map(|row| Ok(DeviceId(row.try_get_by_index(0)?)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::on_both_databases;
    use crate::testing::{author, count_rows, device, site};

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_second(secs).unwrap()
    }

    on_both_databases! {
        async fn only_devices_that_are_polled_and_due_are_claimed(store: Store) {
            let tx = store.begin_write().await.unwrap();
            let site = site(&tx).await;
            let mut ids = Vec::new();
            for (serial, column) in [
                ("due", "next_poll_ms = 1000"),
                ("new", "next_poll_ms = NULL"),
                ("later", "next_poll_ms = 9000"),
                ("off", "enabled = false"),
                ("refused", "needs_edit = true"),
                ("lost", "address = NULL"),
                ("pushing", "mode = 'push'"),
                ("leased", "lease_owner = 'x', lease_until_ms = 60000"),
                ("forgotten", "lease_owner = 'x', lease_until_ms = 40000"),
                ("wanted", "wanted_until_ms = 60000"),
                ("wanted before", "wanted_until_ms = 40000"),
            ] {
                let id = device(&tx, site, serial).await;
                let both = format!("UPDATE devices SET next_poll_ms = 1000, {column} WHERE id = $1");
                let one = format!("UPDATE devices SET {column} WHERE id = $1");
                let sql = if column.starts_with("next_poll_ms") { one } else { both };
                sql::run(&tx.tx, &sql, [id.0.into()]).await.unwrap();
                ids.push(id);
            }
            let retired = device(&tx, site, "retired").await;
            tx.retire_device(retired, author()).await.unwrap();
            let mut claimed = tx.claim_due_devices("me", at(5), at(50), at(60), 99).await.unwrap();
            claimed.sort();
            assert_eq!(claimed, [ids[0], ids[1], ids[8], ids[10]]);
            assert_eq!(tx.claim_due_devices("you", at(5), at(50), at(60), 99).await.unwrap(), []);
            tx.commit().await.unwrap();
            assert_eq!(store.next_poll(at(50)).await.unwrap(), Some(at(9)), "that of the later one");

            let tx = store.begin_write().await.unwrap();
            assert_eq!(tx.poll_now(Some(&[ids[2], ids[3]]), at(6)).await.unwrap(), [ids[2]]);
            assert_eq!(tx.claim_due_devices("you", at(6), at(50), at(60), 99).await.unwrap(), [ids[2]]);
        }

        async fn the_end_of_a_read_is_refused_to_who_lost_the_lease(store: Store) {
            let tx = store.begin_write().await.unwrap();
            let site = site(&tx).await;
            let gate = device(&tx, site, "G").await;
            let claim = async |owner: &str, now| tx.claim_devices(owner, &[gate], at(now), at(now + 10)).await.unwrap();
            assert_eq!(claim("first", 0).await, [gate]);
            assert_eq!(claim("second", 5).await, []);
            assert_eq!(claim("second", 10).await, [gate]);
            let state = |owner| ReadState {
                device: gate,
                owner,
                at: at(20),
                next_poll: at(320),
                outcome: ReadOutcome::Failed { step: "connect", reason: "unreachable", message: "refused", needs_edit: false, sign_in_wait: None },
            };
            assert!(!tx.finish_read(&state("first")).await.unwrap());
            assert!(tx.finish_read(&state("second")).await.unwrap());
            let row = tx.device_row(gate).await.unwrap();
            assert_eq!((row.fail_count, row.next_poll_ms, row.lease_owner), (1, Some(320_000), None));
            assert_eq!((row.last_error.as_deref(), row.last_error_step.as_deref()), (Some("refused"), Some("connect")));
        }

        async fn a_transport_that_is_known_or_was_said_stays(store: Store) {
            let tx = store.begin_write().await.unwrap();
            let site = site(&tx).await;
            let gate = device(&tx, site, "G").await;
            for (answered_by, expected) in [(None, None), (Some("udp"), Some("udp")), (None, Some("udp")), (Some("tcp"), Some("udp"))] {
                tx.claim_devices("me", &[gate], at(0), at(10)).await.unwrap();
                let read = ReadState {
                    device: gate,
                    owner: "me",
                    at: at(20),
                    next_poll: at(320),
                    outcome: ReadOutcome::Complete {
                        read_position: "",
                        clock_drift_s: 0,
                        model: "",
                        firmware: "",
                        user_count: None,
                        record_count: None,
                        record_capacity: None,
                        transport: answered_by,
                        live_since: None,
                        live_refused: None,
                    },
                };
                assert!(tx.finish_read(&read).await.unwrap());
                let row = tx.device_row(gate).await.unwrap();
                assert_eq!(row.transport.as_deref(), expected, "{answered_by:?}");
            }
        }

        async fn equal_failures_are_one_cycle_and_old_cycles_are_forgotten(store: Store) {
            let tx = store.begin_write().await.unwrap();
            let site = site(&tx).await;
            let gate = device(&tx, site, "G").await;
            let record = async |began, error| {
                let cycle = Cycle { device: gate, began: at(began), ended: at(began + 1), read: 0, new: 0, duplicate: 0, rejected: 0, error };
                tx.record_cycle(&cycle).await.unwrap();
            };
            record(10, None).await;
            record(20, Some(("connect", "refused"))).await;
            record(30, Some(("connect", "refused"))).await;
            record(40, Some(("connect", "unreachable"))).await;
            record(50, None).await;
            record(60, None).await;
            assert_eq!(tx.forget_cycles(at(20)).await.unwrap(), 1);
            tx.commit().await.unwrap();
            assert_eq!(count_rows(&store, "poll_cycles").await, 4);
            let since = store.cycles_since(&[gate], at(55)).await.unwrap();
            assert_eq!(since[&gate].began_ms, 60_000);
            let folded = sql::one(store.read(), "SELECT began_ms, ended_ms FROM poll_cycles WHERE folded = 1", []).await.unwrap().unwrap();
            let span: (i64, i64) = (folded.try_get_by_index(0).unwrap(), folded.try_get_by_index(1).unwrap());
            assert_eq!(span, (20_000, 31_000));
        }
    }
}

//! Writing what devices and files said. The database decides what is new.

use std::collections::HashMap;

use attendance::{DeviceId, EmployeeId, PunchId, PunchState, VerifyMode, Way};
use jiff::civil::{Date, DateTime};
use jiff::{SignedDuration, Timestamp};
use sea_orm::Value;

use crate::sql::{self, Column};
use crate::times::{instant, wall, wall_text};
use crate::{Store, StoreError, WriteTx};

/// A punch with everything decided that is decided before it is stored.
#[derive(Clone, Debug)]
pub struct PunchRow<'a> {
    pub user: &'a str,
    /// Device wall time, whole seconds.
    pub clock: DateTime,
    /// The second occurrence of a repeated autumn hour.
    pub fold: bool,
    /// IANA name of the zone in which `clock` was read.
    pub zone: &'a str,
    pub instant: Timestamp,
    pub state: PunchState,
    pub verify: VerifyMode,
    /// The device's clock was known to be wrong (R30).
    pub suspect: bool,
    /// `None` while nobody, or nobody certain, is matched.
    pub employee: Option<EmployeeId>,
}

/// Looked up by one statement.
const PUNCHES_AT_ONCE: usize = 5_000;

/// A punch that was stored, or whose state changed because a better way in has now seen it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TouchedPunch {
    pub id: PunchId,
    pub employee: Option<EmployeeId>,
    pub instant: Timestamp,
    /// Its time cannot be believed (R30), so it makes no day exist.
    pub quarantined: bool,
}

/// A clock that shows an earlier date had lost its time (R30, where the policy does not say otherwise).
pub const CLOCK_MIN: Date = Date::constant(2010, 1, 1);
/// A clock that is further from ours than this is wrong: a missed change of summer time and some minutes are less.
pub const CLOCK_TOLERANCE: SignedDuration = SignedDuration::from_mins(75);

/// A person who has shifted its time has released it.
pub(crate) fn quarantined(
    shifted: bool,
    suspect: bool,
    clock: DateTime,
    instant: Timestamp,
    received: Timestamp,
) -> bool {
    !shifted
        && (suspect
            || clock.date() < CLOCK_MIN
            || instant.duration_since(received) > CLOCK_TOLERANCE)
}

/// The opposite of [`quarantined`] for a row of `punches`.
pub(crate) fn believed() -> String {
    format!(
        "(shift_id IS NOT NULL OR NOT suspect AND clock >= '{CLOCK_MIN}' AND instant_ms <= received_ms + {})",
        CLOCK_TOLERANCE.as_millis()
    )
}

/// What [`WriteTx::touched`] reads of a row of `punches`.
const TOUCHED: &str = "device_id, id, employee_id, instant_ms, CAST(suspect AS integer), clock, received_ms, shift_id";

/// What [`WriteTx::insert_punches`] did.
#[derive(Clone, Debug, Default)]
pub struct Inserted {
    /// Stored for the first time.
    pub new: Vec<TouchedPunch>,
    /// Known before, and now with another state.
    pub restated: Vec<TouchedPunch>,
}

impl WriteTx {
    /// Stores what is new of one device; see [`WriteTx::insert_punches_of`].
    pub async fn insert_punches(
        &self,
        device: DeviceId,
        way: Way,
        received: Timestamp,
        rows: &[PunchRow<'_>],
    ) -> Result<Inserted, StoreError> {
        let mut inserted = self
            .insert_punches_of(way, received, &[(device, rows)])
            .await?;
        Ok(inserted.remove(&device).unwrap_or_default())
    }

    /// Stores what is new by (device, user id, wall clock, fold), and one sighting per punch and way.
    ///
    /// Repeating a batch writes nothing. The state of a punch is that of the best way that has seen it: poll, push, live, import.
    pub async fn insert_punches_of(
        &self,
        way: Way,
        received: Timestamp,
        batches: &[(DeviceId, &[PunchRow<'_>])],
    ) -> Result<HashMap<DeviceId, Inserted>, StoreError> {
        let mut inserted: HashMap<DeviceId, Inserted> = HashMap::new();
        let rows: Vec<_> = batches
            .iter()
            .flat_map(|(device, rows)| rows.iter().map(|row| (device.0, row)))
            .map(|(device, row)| {
                (
                    device,
                    row.user,
                    wall_text(row.clock),
                    i64::from(row.fold),
                    row.zone,
                    row.instant.as_millisecond(),
                    row.state.as_str(),
                    row.verify.as_str(),
                    row.suspect,
                    row.employee.map(|id| id.0),
                )
            })
            .collect();
        if rows.is_empty() {
            return Ok(inserted);
        }
        let json = sql::json(&rows);
        let table = sql::json_rows(
            self.backend(),
            1,
            "r",
            &[
                ("device_id", Column::Int),
                ("user_id", Column::Text),
                ("clock", Column::Text),
                ("fold", Column::Int),
                ("zone", Column::Text),
                ("instant_ms", Column::Int),
                ("state", Column::Text),
                ("verify", Column::Text),
                ("suspect", Column::Bool),
                ("employee_id", Column::Int),
            ],
        );
        let shared = || -> [Value; 3] {
            [
                json.clone(),
                received.as_millisecond().into(),
                way.as_str().into(),
            ]
        };
        let before = sql::one(&self.tx, "SELECT COALESCE(max(id), 0) FROM punches", []).await?;
        let before: i64 = before.map_or(Ok(0), |row| row.try_get_by_index(0))?;
        sql::run(
            &self.tx,
            &format!(
                "INSERT INTO punches (device_id, user_id, clock, fold, zone, instant_ms, received_ms, source, state, verify, \
                 suspect, employee_id) \
                 SELECT r.device_id, r.user_id, r.clock, r.fold, r.zone, r.instant_ms, $2, $3, r.state, r.verify, r.suspect, \
                 r.employee_id FROM {table} WHERE true ON CONFLICT DO NOTHING"
            ),
            shared(),
        )
        .await?;
        // Nobody else writes meanwhile, so these are ours; RETURNING would bring them one by one.
        let new = self.touched("id > $1", before.into()).await?;
        if new.len() == rows.len() {
            self.sight_new(before).await?;
        } else {
            let sighted = sql::all(
                &self.tx,
                &format!(
                    // CROSS JOIN: SQLite keeps its order, so each row is looked up by the unique key. Left to itself it may
                    // walk the whole log of the device for each row.
                    "INSERT INTO punch_sightings (punch_id, way, first_ms, state) \
                     SELECT p.id, $3, $2, r.state FROM {table} CROSS JOIN punches p \
                     WHERE p.device_id = r.device_id AND p.user_id = r.user_id AND p.clock = r.clock AND p.fold = r.fold \
                     ON CONFLICT DO NOTHING RETURNING punch_id"
                ),
                shared(),
            )
            .await?;
            let first: std::collections::HashSet<PunchId> =
                new.iter().map(|(_, punch)| punch.id).collect();
            let mut again = Vec::new();
            for row in &sighted {
                let id: i64 = row.try_get_by_index(0)?;
                if !first.contains(&PunchId(id)) {
                    again.push(id);
                }
            }
            for (device, punch) in self.choose_states(&again).await? {
                inserted.entry(device).or_default().restated.push(punch);
            }
        }
        for (device, punch) in new {
            inserted.entry(device).or_default().new.push(punch);
        }
        Ok(inserted)
    }

    /// The latest believed punch that was polled from a device, if the log that brings `rows` goes on after it; `None` when one
    /// of them is stored already, so that the log reaches back further.
    pub async fn log_goes_on_after(
        &self,
        device: DeviceId,
        rows: &[PunchRow<'_>],
    ) -> Result<Option<Timestamp>, StoreError> {
        let latest = sql::one(
            &self.tx,
            &format!(
                "SELECT instant_ms FROM punches WHERE device_id = $1 AND source = $2 AND {} \
                 ORDER BY instant_ms DESC LIMIT 1",
                believed()
            ),
            [device.0.into(), Way::Poll.as_str().into()],
        )
        .await?;
        let Some(latest) = latest else {
            return Ok(None);
        };
        let keys: Vec<_> = rows
            .iter()
            .map(|row| (row.user, wall_text(row.clock), i64::from(row.fold)))
            .collect();
        let table = sql::json_rows(
            self.backend(),
            1,
            "r",
            &[
                ("user_id", Column::Text),
                ("clock", Column::Text),
                ("fold", Column::Int),
            ],
        );
        let known = sql::one(
            &self.tx,
            &format!(
                "SELECT 1 FROM {table} CROSS JOIN punches p \
                 WHERE p.device_id = $2 AND p.user_id = r.user_id AND p.clock = r.clock AND p.fold = r.fold LIMIT 1"
            ),
            [sql::json(&keys), device.0.into()],
        )
        .await?;
        Ok(match known {
            Some(_) => None,
            None => Some(instant(latest.try_get_by_index(0)?)),
        })
    }

    /// The first sighting repeats what the punch says of itself.
    async fn sight_new(&self, before: i64) -> Result<(), StoreError> {
        sql::run(
            &self.tx,
            "INSERT INTO punch_sightings (punch_id, way, first_ms, state) \
             SELECT id, source, received_ms, state FROM punches WHERE id > $1",
            [before.into()],
        )
        .await?;
        Ok(())
    }

    /// Gives punches that were seen by another way the state of the best way; returns those that changed.
    async fn choose_states(
        &self,
        ids: &[i64],
    ) -> Result<Vec<(DeviceId, TouchedPunch)>, StoreError> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let ranks: String = Way::ALL
            .iter()
            .enumerate()
            .map(|(rank, way)| format!(" WHEN '{way}' THEN {rank}"))
            .collect();
        let best = format!(
            "(SELECT s.state FROM punch_sightings s WHERE s.punch_id = punches.id ORDER BY CASE s.way{ranks} END LIMIT 1)"
        );
        let ids_in = sql::in_ids(self.backend(), 1);
        let restated = sql::all(
            &self.tx,
            &format!(
                "UPDATE punches SET state = {best} WHERE id IN {ids_in} AND state <> {best} RETURNING id"
            ),
            [sql::json(ids)],
        )
        .await?;
        let ids = restated
            .iter()
            .map(|row| row.try_get_by_index(0))
            .collect::<Result<Vec<i64>, _>>()?;
        self.touched(&format!("id IN {ids_in}"), sql::json(&ids))
            .await
    }

    pub(crate) async fn touched(
        &self,
        which: &str,
        value: Value,
    ) -> Result<Vec<(DeviceId, TouchedPunch)>, StoreError> {
        let punches = sql::list::<(i64, i64, Option<i64>, i64, i64, String, i64, Option<i64>), _>(
            &self.tx,
            TOUCHED,
            &format!("FROM punches WHERE {which}"),
            [value],
        )
        .await?;
        Ok(punches
            .into_iter()
            .map(
                |(device, id, employee, at, suspect, clock, received, shift)| {
                    let (at, received) = (instant(at), instant(received));
                    let punch = TouchedPunch {
                        id: PunchId(id),
                        employee: employee.map(EmployeeId),
                        instant: at,
                        quarantined: quarantined(
                            shift.is_some(),
                            suspect != 0,
                            wall(&clock),
                            at,
                            received,
                        ),
                    };
                    (DeviceId(device), punch)
                },
            )
            .collect())
    }
}

impl Store {
    /// How many of these punches of a device, by device user and wall time, are not stored.
    pub async fn unstored_punches(
        &self,
        device: DeviceId,
        punches: &[(&str, DateTime)],
    ) -> Result<u64, StoreError> {
        let mut unstored = 0;
        for batch in punches.chunks(PUNCHES_AT_ONCE) {
            let rows: Vec<_> = batch
                .iter()
                .map(|(user, clock)| (*user, wall_text(*clock)))
                .collect();
            let table = sql::json_rows(
                self.backend(),
                2,
                "r",
                &[("user_id", Column::Text), ("clock", Column::Text)],
            );
            let row = sql::one(
                self.read(),
                &format!(
                    "SELECT count(*) FROM {table} WHERE NOT EXISTS (SELECT 1 FROM punches p \
                     WHERE p.device_id = $1 AND p.user_id = r.user_id AND p.clock = r.clock)"
                ),
                [device.0.into(), sql::json(&rows)],
            )
            .await?;
            let counted = row.map_or(Ok(0), |row| row.try_get_by_index::<i64>(0))?;
            unstored += counted.unsigned_abs();
        }
        Ok(unstored)
    }
}

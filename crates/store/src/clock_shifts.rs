//! Punches that were recorded by a wrong clock: which are set aside (R30), and moving them by what a person says the clock was
//! wrong. What the device said stays as it is; only what is derived from it moves, and comes back when the shift is undone.

use std::collections::BTreeSet;

use attendance::{DeviceId, Policy, PunchId};
use jiff::civil::DateTime;
use jiff::{SignedDuration, Timestamp};
use sea_orm::{ActiveModelTrait, EntityTrait, FromQueryResult, Set};

use crate::audit::Author;
use crate::devices::instant_of;
use crate::entities::clock_shifts;
use crate::punches::TouchedPunch;
use crate::sql::{self, Column};
use crate::times::{wall, wall_text};
use crate::{Store, StoreError, WriteTx};

/// Punches that are moved by one statement.
const MOVE_BATCH: usize = 5_000;
const CAUSE: &str = "clock shift";

/// By how much the clock of a device was wrong when it recorded what is set aside in a range of its wall time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewClockShift {
    pub device: DeviceId,
    /// As the device showed it, both inclusive.
    pub from: DateTime,
    pub to: DateTime,
    /// What is added to its wall times, whole seconds; zero lets the punches count as they are.
    pub shift: SignedDuration,
    pub reason: String,
}

/// What a shift, or taking one back, has moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClockShifted {
    pub id: i64,
    pub punches: usize,
}

/// A punch in quarantine, for the device's page.
#[derive(Clone, Debug, PartialEq, Eq, FromQueryResult)]
pub struct SetAside {
    pub id: i64,
    pub user_id: String,
    /// Device wall time.
    pub clock: String,
    pub received_ms: i64,
}

/// For a row of `punches`: whether the rules put it in quarantine.
fn set_aside(policy: &Policy) -> String {
    format!(
        "shift_id IS NULL AND (suspect OR clock < '{}' OR instant_ms > received_ms + {})",
        policy.clock_min,
        i64::from(policy.future_limit_min) * 60_000
    )
}

/// What has to move: a punch, where it lies in its log, and how it is derived from now on.
struct Move {
    id: i64,
    user: String,
    zone: String,
    at: Timestamp,
    /// The shift, and the wall time that holds by it.
    shifted: Option<(i64, DateTime)>,
}

impl WriteTx {
    /// Moves the punches of a device that are set aside in a range of its wall time, releases them, and marks the days on both
    /// sides of the move.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] without a reason, when nothing is set aside there, or when a punch would be dated before the
    /// first date a clock may show, or after now.
    pub async fn shift_clock(
        &self,
        new: &NewClockShift,
        author: Author,
    ) -> Result<ClockShifted, StoreError> {
        let invalid = |message: String| Err(StoreError::Invalid(message));
        let device = self.device_row(new.device).await?;
        let reason = new.reason.trim();
        if reason.is_empty() {
            return invalid("a shift of punches needs a reason".to_owned());
        }
        let policy = self.company_policy().await?;
        let (from, to) = (wall_text(new.from), wall_text(new.to));
        let rows = sql::all(
            &self.tx,
            &format!(
                "SELECT id, user_id, clock, fold FROM punches WHERE device_id = $1 AND clock >= $2 AND clock <= $3 AND {} \
                 ORDER BY id",
                set_aside(&policy)
            ),
            [
                new.device.0.into(),
                from.as_str().into(),
                to.as_str().into(),
            ],
        )
        .await?;
        if rows.is_empty() {
            return invalid(format!(
                "no punch of {} from {from} to {to} is set aside",
                device.name
            ));
        }
        let shift_s = new.shift.as_secs();
        let entry = clock_shifts::ActiveModel {
            device_id: Set(device.id),
            from_clock: Set(from),
            to_clock: Set(to),
            shift_s: Set(shift_s),
            reason: Set(reason.to_owned()),
            author_id: Set(author.account_id()),
            made_ms: Set(author.at_ms()),
            ..Default::default()
        };
        let entry = entry.insert(&self.tx).await?;
        let zones = self.device_zones(new.device).await?;
        let mut moves = Vec::with_capacity(rows.len());
        for row in &rows {
            let clock = wall(&row.try_get_by_index::<String>(2)?);
            let shifted = clock.saturating_add(SignedDuration::from_secs(shift_s));
            let (zone, tz) = zones.at(shifted);
            let at = instant_of(shifted, tz, row.try_get_by_index::<i64>(3)? == 1);
            if shifted.date() < policy.clock_min || at > author.at {
                return invalid(format!(
                    "the punch of {} would be dated {}, which is {}",
                    wall_text(clock),
                    wall_text(shifted),
                    match at > author.at {
                        true => "in the future".to_owned(),
                        false => format!("before {}", policy.clock_min),
                    }
                ));
            }
            moves.push(Move {
                id: row.try_get_by_index(0)?,
                user: row.try_get_by_index(1)?,
                zone: zone.to_owned(),
                at,
                shifted: Some((entry.id, shifted)),
            });
        }
        self.move_punches(new.device, &moves, author.at).await?;
        let detail = serde_json::json!({
            "shift": entry.id,
            "from": entry.from_clock,
            "to": entry.to_clock,
            "shift_s": shift_s,
            "punches": moves.len(),
            "reason": reason,
        });
        self.audit(author, "device.clock.shift", &device.serial_number, detail)
            .await?;
        Ok(ClockShifted {
            id: entry.id,
            punches: moves.len(),
        })
    }

    /// Takes a shift back: its punches are where the device said, and set aside, as before.
    ///
    /// # Errors
    /// [`StoreError::NotFound`]; [`StoreError::Invalid`] when it is taken back already.
    pub async fn undo_clock_shift(
        &self,
        id: i64,
        author: Author,
    ) -> Result<ClockShifted, StoreError> {
        let entry = clock_shifts::Entity::find_by_id(id)
            .one(&self.tx)
            .await?
            .ok_or_else(|| StoreError::not_found("shift of punches", id))?;
        if entry.undone_ms.is_some() {
            let message = "this shift of punches is taken back already".to_owned();
            return Err(StoreError::Invalid(message));
        }
        let device = DeviceId(entry.device_id);
        let zones = self.device_zones(device).await?;
        let rows = sql::all(
            &self.tx,
            "SELECT id, user_id, clock, fold FROM punches WHERE shift_id = $1 ORDER BY id",
            [id.into()],
        )
        .await?;
        let mut moves = Vec::with_capacity(rows.len());
        for row in &rows {
            let clock = wall(&row.try_get_by_index::<String>(2)?);
            let (zone, tz) = zones.at(clock);
            moves.push(Move {
                id: row.try_get_by_index(0)?,
                user: row.try_get_by_index(1)?,
                zone: zone.to_owned(),
                at: instant_of(clock, tz, row.try_get_by_index::<i64>(3)? == 1),
                shifted: None,
            });
        }
        self.move_punches(device, &moves, author.at).await?;
        let mut undone: clock_shifts::ActiveModel = entry.into();
        undone.undone_ms = Set(Some(author.at_ms()));
        undone.undone_by = Set(author.account_id());
        undone.update(&self.tx).await?;
        let serial = self.device_row(device).await?.serial_number;
        let detail = serde_json::json!({ "shift": id, "punches": moves.len() });
        self.audit(author, "device.clock.unshift", &serial, detail)
            .await?;
        Ok(ClockShifted {
            id,
            punches: moves.len(),
        })
    }

    /// Rewrites what is derived, asks again whose the punches are, for that depends on their dates, and marks the days they
    /// leave and those they come to.
    async fn move_punches(
        &self,
        device: DeviceId,
        moves: &[Move],
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let users: BTreeSet<&str> = moves.iter().map(|moved| moved.user.as_str()).collect();
        let users: Vec<_> = users.into_iter().map(|user| (device, user)).collect();
        // Also marks the days of those who claim what is nobody's, where it is now.
        self.resolve_users(&users, now, CAUSE).await?;
        let mut touched = self.touched_moves(moves).await?;
        let table = sql::json_rows(
            self.backend(),
            1,
            "r",
            &[
                ("id", Column::Int),
                ("shift_id", Column::Int),
                ("shifted", Column::Text),
                ("zone", Column::Text),
                ("instant_ms", Column::Int),
            ],
        );
        for batch in moves.chunks(MOVE_BATCH) {
            let rows: Vec<_> = batch
                .iter()
                .map(|moved| {
                    let (shift, shifted) = moved.shifted.unzip();
                    let at = moved.at.as_millisecond();
                    (moved.id, shift, shifted.map(wall_text), &moved.zone, at)
                })
                .collect();
            sql::run(
                &self.tx,
                &format!(
                    "UPDATE punches SET shift_id = r.shift_id, shifted = r.shifted, zone = r.zone, instant_ms = r.instant_ms \
                     FROM {table} WHERE punches.id = r.id"
                ),
                [sql::json(&rows)],
            )
            .await?;
        }
        self.resolve_users(&users, now, CAUSE).await?;
        touched.extend(self.touched_moves(moves).await?);
        self.mark_punches(&touched, now, CAUSE).await
    }

    async fn touched_moves(&self, moves: &[Move]) -> Result<Vec<TouchedPunch>, StoreError> {
        let ids: Vec<_> = moves.iter().map(|moved| PunchId(moved.id)).collect();
        let which = format!("id IN {}", sql::in_ids(self.backend(), 1));
        let touched = self.touched(&which, sql::json(&ids)).await?;
        Ok(touched.into_iter().map(|(_, punch)| punch).collect())
    }
}

impl Store {
    /// What of a device is set aside because of its clock, in the order in which it came to us.
    pub async fn set_aside(
        &self,
        device: DeviceId,
        limit: usize,
    ) -> Result<Vec<SetAside>, StoreError> {
        let policy = self.company_policy().await?;
        let text = format!(
            "SELECT id, user_id, clock, received_ms FROM punches WHERE device_id = $1 AND {} ORDER BY id LIMIT $2",
            set_aside(&policy)
        );
        let values = [device.0.into(), (limit as i64).into()];
        Ok(sql::fetch(self.read(), &text, values).await?)
    }
}

#[cfg(test)]
mod tests {
    use attendance::{EmployeeId, PunchState, VerifyMode, Way};
    use sea_orm::QueryOrder;

    use super::*;
    use crate::entities::punches;
    use crate::on_both_databases;
    use crate::people::time_zone;
    use crate::punches::PunchRow;
    use crate::testing::{author, device, employee, marked_days, report, site};

    const ZONE: &str = "Europe/Berlin";

    async fn punch(tx: &WriteTx, device: DeviceId, clock: &str, suspect: bool, ada: EmployeeId) {
        let clock: DateTime = clock.parse().unwrap();
        let row = PunchRow {
            user: "7",
            clock,
            fold: false,
            zone: ZONE,
            instant: instant_of(clock, &time_zone(ZONE).unwrap(), false),
            state: PunchState::None,
            verify: VerifyMode::Finger,
            suspect,
            employee: Some(ada),
        };
        let received = author().at;
        tx.insert_punches(device, Way::Poll, received, &[row])
            .await
            .unwrap();
    }

    fn shift(device: DeviceId, from: &str, to: &str, hours: i64) -> NewClockShift {
        NewClockShift {
            device,
            from: from.parse().unwrap(),
            to: to.parse().unwrap(),
            shift: SignedDuration::from_hours(hours),
            reason: "its battery was empty".to_owned(),
        }
    }

    on_both_databases! {
        async fn what_is_set_aside_is_shifted_and_comes_back(store: Store) {
            let tx = store.begin_write().await.unwrap();
            let site = site(&tx).await;
            let gate = device(&tx, site, "A1").await;
            tx.set_device_zone(gate, None, ZONE, author()).await.unwrap();
            let ada = employee(&tx, site, "7").await;
            report(&tx, ada, "2026-05-04").await;
            for (clock, suspect) in [
                ("2000-01-01 00:10:00", false),
                ("2000-01-01 08:10:00", false),
                ("2026-05-04 01:00:00", true),
                ("2026-05-04 09:00:00", false),
            ] {
                punch(&tx, gate, clock, suspect, ada).await;
            }
            tx.commit().await.unwrap();
            let rows = async || {
                let query = punches::Entity::find().order_by_asc(punches::Column::Id);
                query.all(store.read()).await.unwrap()
            };
            let aside = async || {
                let aside = store.set_aside(gate, 10).await.unwrap();
                aside.into_iter().map(|punch| punch.clock).collect::<Vec<_>>()
            };
            let before = rows().await;
            assert_eq!(aside().await, ["2000-01-01 00:10:00", "2000-01-01 08:10:00", "2026-05-04 01:00:00"]);

            // 26 years and some months, to 5 May 2026 07:10.
            let hours = (26 * 365 + 7 + 124) * 24 + 7;
            let tx = store.begin_write().await.unwrap();
            sql::run(&tx.tx, "DELETE FROM marked_days", []).await.unwrap();
            let reset = shift(gate, "2000-01-01 00:00:00", "2000-01-02 00:00:00", hours);
            let shifted = tx.shift_clock(&reset, author()).await.unwrap();
            assert_eq!(shifted.punches, 2);
            tx.commit().await.unwrap();
            let moved = rows().await;
            assert_eq!(moved[0].clock, "2000-01-01 00:10:00", "as it was said");
            assert_eq!(moved[0].shifted.as_deref(), Some("2026-05-05 07:10:00"));
            let at: Timestamp = "2026-05-05T05:10:00Z".parse().unwrap();
            assert_eq!(moved[0].instant_ms, at.as_millisecond(), "in summer time");
            assert_eq!(moved[2..], before[2..]);
            assert_eq!(aside().await, ["2026-05-04 01:00:00"]);
            let days = marked_days(&store, ada).await;
            for day in ["2026-05-04", "2026-05-05", "2026-05-06"] {
                assert!(days.contains(&day.parse().unwrap()), "{day} is not among {days:?}");
            }

            let tx = store.begin_write().await.unwrap();
            sql::run(&tx.tx, "DELETE FROM marked_days", []).await.unwrap();
            let doubtful = shift(gate, "2026-05-04 01:00:00", "2026-05-04 09:00:00", 0);
            assert_eq!(tx.shift_clock(&doubtful, author()).await.unwrap().punches, 1, "not what is believed");
            let undone = tx.undo_clock_shift(shifted.id, author()).await.unwrap();
            assert_eq!(undone, shifted);
            let again = tx.undo_clock_shift(shifted.id, author()).await.unwrap_err();
            assert!(matches!(again, StoreError::Invalid(_)), "{again}");
            tx.commit().await.unwrap();
            assert_eq!(rows().await[..2], before[..2]);
            assert_eq!(rows().await[2].instant_ms, before[2].instant_ms);
            assert!(marked_days(&store, ada).await.contains(&"2026-05-05".parse().unwrap()));
            assert_eq!(aside().await, ["2000-01-01 00:10:00", "2000-01-01 08:10:00"]);
            let audited = store.audit_entries(None, 3).await.unwrap();
            let actions: Vec<_> = audited.iter().map(|entry| entry.action.as_str()).collect();
            assert_eq!(actions, ["device.clock.unshift", "device.clock.shift", "device.clock.shift"]);
        }

        async fn a_shift_that_cannot_be_is_refused(store: Store) {
            let tx = store.begin_write().await.unwrap();
            let site = site(&tx).await;
            let gate = device(&tx, site, "A1").await;
            let ada = employee(&tx, site, "7").await;
            punch(&tx, gate, "2000-01-01 00:10:00", false, ada).await;
            let reset = |hours| shift(gate, "2000-01-01 00:00:00", "2000-01-02 00:00:00", hours);
            let without_reason = NewClockShift { reason: " ".to_owned(), ..reset(200_000) };
            let elsewhere = shift(gate, "2001-01-01 00:00:00", "2002-01-02 00:00:00", 200_000);
            for (refused, why) in [
                (reset(0), "which is before 2010-01-01"),
                (reset(300_000), "which is in the future"),
                (without_reason, "needs a reason"),
                (elsewhere, "is set aside"),
            ] {
                let error = tx.shift_clock(&refused, author()).await.unwrap_err();
                assert!(matches!(error, StoreError::Invalid(_)) && error.to_string().contains(why), "{error}");
            }
        }

        async fn a_shifted_punch_is_whose_it_was_on_its_new_date(store: Store) {
            let tx = store.begin_write().await.unwrap();
            let site = site(&tx).await;
            let gate = device(&tx, site, "A1").await;
            let ada = employee(&tx, site, "7").await;
            sql::run(&tx.tx, "UPDATE employees SET employed_from = '2026-01-01', device_id = '7'", []).await.unwrap();
            let seen = std::collections::BTreeSet::from(["7"]);
            let candidates = tx.candidates([(gate, "7")]).await.unwrap();
            let today = "2026-05-05".parse().unwrap();
            tx.see_users(gate, &seen, &[], &candidates[&gate], today, author().at).await.unwrap();
            punch(&tx, gate, "2000-01-01 00:10:00", false, ada).await;
            sql::run(&tx.tx, "UPDATE punches SET employee_id = NULL", []).await.unwrap();
            let reset = shift(gate, "2000-01-01 00:00:00", "2000-01-01 00:10:00", 230_840);
            let shifted = tx.shift_clock(&reset, author()).await.unwrap();
            let owner = async || punches::Entity::find().one(&tx.tx).await.unwrap().unwrap().employee_id;
            assert_eq!(owner().await, Some(ada.0));
            tx.undo_clock_shift(shifted.id, author()).await.unwrap();
            assert_eq!(owner().await, None);
        }
    }
}

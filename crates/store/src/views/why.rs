//! What the page of a person and the why panel show beside a report: its versions, the raw punches, the names of devices.

use attendance::PunchId;
use jiff::Timestamp;
use sea_orm::FromQueryResult;

use super::people::PersonPunch;
use crate::reports::{ReportFields, body_of, read_body};
use crate::times::instant;
use crate::{Store, StoreError, sql};

/// A report as it read from one judgement to the next that differed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    pub judged_at: Timestamp,
    pub cause: String,
    /// `None`: there was no report any more.
    pub says: Option<ReportFields>,
}

/// Every version of one report, oldest first; the last is what is stored now.
pub async fn versions(
    store: &Store,
    employee_id: i64,
    workday: &str,
) -> Result<Vec<Version>, StoreError> {
    let text = format!(
        "SELECT judged_at_ms, cause, body, 0 AS latest, id FROM report_versions WHERE employee_id = $1 AND workday = $2
         UNION ALL SELECT since_ms, cause, CAST({} AS text), 1, id FROM attendance_reports r WHERE employee_id = $1 AND workday = $2
         ORDER BY judged_at_ms, latest, id",
        body_of(store.backend(), "r")
    );
    let rows = sql::all(store.read(), &text, [employee_id.into(), workday.into()]).await?;
    let mut versions = Vec::with_capacity(rows.len());
    for row in &rows {
        let body: String = row.try_get_by_index(2)?;
        versions.push(Version {
            judged_at: instant(row.try_get_by_index(0)?),
            cause: row.try_get_by_index(1)?,
            says: read_body(&body)?,
        });
    }
    Ok(versions)
}

/// The punches of a person from one instant up to, not including, another, newest first; the newest `limit` of them.
pub async fn punches(
    store: &Store,
    employee_id: i64,
    from_ms: i64,
    to_ms: i64,
    limit: i64,
) -> Result<Vec<PersonPunch>, StoreError> {
    let text = "SELECT p.id, p.clock, p.zone, p.instant_ms, p.received_ms, p.source, p.state, p.verify, p.suspect, p.shifted, s.shift_s,
           p.user_id, d.name AS device, d.serial_number
         FROM punches p JOIN devices d ON d.id = p.device_id LEFT JOIN clock_shifts s ON s.id = p.shift_id
         WHERE p.employee_id = $1 AND p.instant_ms >= $2 AND p.instant_ms < $3
         ORDER BY p.instant_ms DESC, p.id DESC LIMIT $4";
    let values = [
        employee_id.into(),
        from_ms.into(),
        to_ms.into(),
        limit.into(),
    ];
    Ok(sql::fetch(store.read(), text, values).await?)
}

/// What people call a device, also one that is retired.
#[derive(Clone, Debug, PartialEq, Eq, FromQueryResult)]
pub struct DeviceName {
    pub serial_number: String,
    pub name: String,
}

pub async fn device_names(store: &Store) -> Result<Vec<DeviceName>, StoreError> {
    let text = "SELECT serial_number, name FROM devices ORDER BY retired_ms IS NULL, id";
    Ok(sql::fetch(store.read(), text, []).await?)
}

/// A punch near the day whose device user fits several people, so that it counts for none of them: its second counts as not read.
#[derive(Clone, Debug, PartialEq, Eq, FromQueryResult)]
pub struct Undecided {
    pub serial_number: String,
    pub instant_ms: i64,
}

/// Punches of nobody between two instants.
pub async fn undecided(
    store: &Store,
    from_ms: i64,
    to_ms: i64,
) -> Result<Vec<Undecided>, StoreError> {
    // Device by device, as the index over the instants is by device.
    let text = "SELECT d.serial_number, p.instant_ms FROM devices d CROSS JOIN punches p
         WHERE p.device_id = d.id AND p.instant_ms >= $1 AND p.instant_ms < $2 AND p.employee_id IS NULL";
    Ok(sql::fetch(store.read(), text, [from_ms.into(), to_ms.into()]).await?)
}

/// A time in which a device was not read.
#[derive(Clone, Debug, PartialEq, Eq, FromQueryResult)]
pub struct GapRow {
    pub from_ms: i64,
    pub to_ms: Option<i64>,
    pub cause: String,
}

/// The newest gaps of a device, newest first.
pub async fn gaps(store: &Store, device_id: i64, limit: i64) -> Result<Vec<GapRow>, StoreError> {
    let text = "SELECT from_ms, to_ms, cause FROM device_gaps WHERE device_id = $1 ORDER BY from_ms DESC, id DESC LIMIT $2";
    Ok(sql::fetch(store.read(), text, [device_id.into(), limit.into()]).await?)
}

/// What a person said about the coverage of a device.
#[derive(Clone, Debug, PartialEq, Eq, FromQueryResult)]
pub struct DeclaredRow {
    pub id: i64,
    pub from_ms: i64,
    pub to_ms: i64,
    pub reason: String,
    pub author: Option<String>,
    pub made_ms: i64,
    pub withdrawn_ms: Option<i64>,
}

/// The latest declaration first, withdrawn ones too.
pub async fn declared(store: &Store, device_id: i64) -> Result<Vec<DeclaredRow>, StoreError> {
    let text = "SELECT c.id, c.from_ms, c.to_ms, c.reason, a.name AS author, c.made_ms, c.withdrawn_ms
         FROM coverage_declarations c LEFT JOIN accounts a ON a.id = c.author_id WHERE c.device_id = $1 ORDER BY c.id DESC";
    Ok(sql::fetch(store.read(), text, [device_id.into()]).await?)
}

/// A correction in the words of the person who made it.
#[derive(Clone, Debug, PartialEq, Eq, FromQueryResult)]
pub struct Said {
    pub id: i64,
    pub kind: String,
    /// Site wall time of what it speaks of.
    pub at: String,
    pub direction: Option<String>,
    pub state: Option<String>,
    pub void_punch_id: Option<i64>,
    pub void_correction_id: Option<i64>,
    pub author: Option<String>,
    pub author_id: Option<i64>,
    pub reason: String,
    pub made_ms: i64,
}

/// What people said of somebody between two instants, the second not included.
pub async fn said(
    store: &Store,
    employee_id: i64,
    from_ms: i64,
    to_ms: i64,
) -> Result<Vec<Said>, StoreError> {
    let text = "SELECT c.id, c.kind, c.at, c.direction, c.state, c.void_punch_id, c.void_correction_id, a.name AS author, c.author_id,
           c.reason, c.made_ms
         FROM corrections c LEFT JOIN accounts a ON a.id = c.author_id
         WHERE c.employee_id = $1 AND c.at_ms >= $2 AND c.at_ms < $3 ORDER BY c.made_ms, c.id";
    Ok(sql::fetch(
        store.read(),
        text,
        [employee_id.into(), from_ms.into(), to_ms.into()],
    )
    .await?)
}

/// Whether one of these punches is of that person.
pub async fn any_of(
    store: &Store,
    employee_id: i64,
    punches: &[PunchId],
) -> Result<bool, StoreError> {
    if punches.is_empty() {
        return Ok(false);
    }
    let text = format!(
        "SELECT id FROM punches WHERE id IN {} AND employee_id = $2 LIMIT 1",
        sql::in_ids(store.backend(), 1)
    );
    let values = [sql::json(punches), employee_id.into()];
    Ok(sql::one(store.read(), &text, values).await?.is_some())
}

/// A report as the calendar and the strip of a year show it.
#[derive(Clone, Debug, PartialEq, Eq, FromQueryResult)]
pub struct CalendarDay {
    pub workday: String,
    pub status: String,
    pub stage: String,
    pub reason: String,
    pub shift: String,
    pub letter: String,
    pub first_in: Option<String>,
    pub last_out: Option<String>,
    pub worked_min: i64,
    pub late_min: i64,
    pub early_min: i64,
    pub overtime_min: i64,
    pub night_min: i64,
    pub exceptions: String,
    pub pending: String,
    pub leave_part: String,
}

/// The reports of a person from one workday up to, not including, another, in order.
pub async fn calendar(
    store: &Store,
    employee_id: i64,
    from: &str,
    before: &str,
) -> Result<Vec<CalendarDay>, StoreError> {
    let text = "SELECT workday, status, stage, reason, shift, letter, first_in, last_out, worked_min, late_min, early_min,
           overtime_min, night_min, exceptions, pending, leave_part
         FROM attendance_reports WHERE employee_id = $1 AND workday >= $2 AND workday < $3 ORDER BY workday";
    Ok(sql::fetch(
        store.read(),
        text,
        [employee_id.into(), from.into(), before.into()],
    )
    .await?)
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use jiff::civil::DateTime;

    use super::*;
    use crate::on_both_databases;
    use crate::testing::{author, employee, report_saying, site};

    on_both_databases! {
        async fn a_punch_is_of_whom_it_is_of(store: Store) {
            let tx = store.begin_write().await.unwrap();
            let site = site(&tx).await;
            let gate = crate::testing::device(&tx, site, "A1").await;
            let (ada, bo) = (employee(&tx, site, "7").await, employee(&tx, site, "8").await);
            let row = sql::one(
                &tx.tx,
                "INSERT INTO punches (device_id, user_id, clock, zone, instant_ms, received_ms, source, state, verify, employee_id) \
                 VALUES ($1, '7', '2026-05-04 09:00:00', 'Europe/Berlin', 1777878000000, 0, 'poll', 'none', 'finger', $2) RETURNING id",
                [gate.0.into(), ada.0.into()],
            )
            .await
            .unwrap()
            .unwrap();
            let id = PunchId(row.try_get_by_index(0).unwrap());
            tx.commit().await.unwrap();
            for (who, punches, expected) in [(ada, vec![PunchId(99), id], true), (bo, vec![id], false), (ada, vec![], false)] {
                assert_eq!(any_of(&store, who.0, &punches).await.unwrap(), expected);
            }
        }

        async fn a_calendar_has_the_reports_of_its_days_only(store: Store) {
            let tx = store.begin_write().await.unwrap();
            let site = site(&tx).await;
            let (ada, bo) = (employee(&tx, site, "1").await, employee(&tx, site, "2").await);
            for (who, day) in [(ada, "2026-04-30"), (ada, "2026-05-31"), (ada, "2026-05-01"), (ada, "2026-06-01"), (bo, "2026-05-02")] {
                report_saying(&tx, who, day, "present", None, 0).await;
            }
            tx.commit().await.unwrap();
            let days = calendar(&store, ada.0, "2026-05-01", "2026-06-01").await.unwrap();
            let days: Vec<_> = days.iter().map(|day| day.workday.as_str()).collect();
            assert_eq!(days, ["2026-05-01", "2026-05-31"]);
        }

        async fn what_was_said_names_who_and_when(store: Store) {
            let tx = store.begin_write().await.unwrap();
            let site = site(&tx).await;
            let (ada, bo) = (employee(&tx, site, "1").await, employee(&tx, site, "2").await);
            let nine: DateTime = "2026-05-04T09:00:00".parse().unwrap();
            let added = tx.add_punch(ada, nine, None, "forgot", author()).await.unwrap();
            tx.void(crate::corrections::Voided::Correction(added), "was ill", author()).await.unwrap();
            tx.add_punch(bo, nine, None, "forgot too", author()).await.unwrap();
            tx.commit().await.unwrap();
            let all = said(&store, ada.0, 0, Timestamp::MAX.as_millisecond()).await.unwrap();
            let all: Vec<_> = all.iter().map(|one| (one.kind.as_str(), one.reason.as_str(), one.void_correction_id)).collect();
            assert_eq!(all, [("add", "forgot", None), ("void", "was ill", Some(added.0))]);
            assert!(said(&store, ada.0, 0, 1).await.unwrap().is_empty());
        }
    }
}

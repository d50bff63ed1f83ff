//! Everything a judgement is made from, loaded for many employee-days at once.
//!
//! What is loaded are rows; turning them into the engine's inputs is `ingest`'s work.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use attendance::{
    DayPart, DepartmentId, DeviceId, Direction, EmployeeId, PunchState, Report, Shift, ShiftId,
    SiteId,
};
use jiff::Timestamp;
use jiff::civil::{Date, DateTime, Weekday};
use jiff::tz::TimeZone;
use sea_orm::{ConnectionTrait, QueryResult};
use serde::Deserialize;

use crate::calendar::part_of;
use crate::entities::{plan_changes, roster_overrides};
use crate::identity::{days_after, zone};
use crate::policies::Policies;
use crate::reports::StoredReport;
use crate::roster::{DayPlan, Override, PlanChange, WorkPlan, day_plan};
use crate::sql::{self, Column};
use crate::times::{day, instant, wall};
use crate::{ReadTx, StoreError, WriteTx, reports};

/// Days beside a judged day whose evidence takes part in assigning punches, and one more for the difference of zones.
const DAYS_AROUND: i32 = 3;
/// A device is relevant for who punched on it within so many days before a workday.
const RELEVANT_DAYS: i32 = crate::identity::RELEVANT_AFTER_PUNCH_DAYS;

/// What the judge needs for a batch of employee-days, all of one state of the database.
#[derive(Clone, Debug, Default)]
pub struct Evidence {
    pub people: BTreeMap<EmployeeId, Person>,
    /// By name.
    pub shifts: Vec<(ShiftId, String, Shift)>,
    pub week_patterns: HashMap<i64, [DayPlan; 7]>,
    pub cycles: HashMap<i64, Vec<DayPlan>>,
    pub weekly_offs: HashMap<i64, Vec<(Weekday, Option<u8>)>>,
    /// Without a site they hold everywhere.
    pub holidays: Vec<(Option<SiteId>, Date)>,
    /// Where the rules differ from the defaults.
    pub policies: Policies,
    pub devices: BTreeMap<DeviceId, DeviceEvidence>,
}

/// One person of the batch.
#[derive(Clone, Debug)]
pub struct Person {
    pub site: SiteId,
    pub zone: TimeZone,
    pub department: DepartmentId,
    /// Until the first change.
    pub plan: WorkPlan,
    /// In order.
    pub plan_changes: Vec<PlanChange>,
    /// Single days around the judged ones.
    pub overrides: BTreeMap<Date, Override>,
    pub employed_from: Option<Date>,
    pub employed_to: Option<Date>,
    /// In order of instant, then id.
    pub punches: Vec<PunchEvidence>,
    pub corrections: Vec<CorrectionEvidence>,
    pub absences: Vec<AbsenceEvidence>,
    /// The devices that list this person, or listed, or saw a first punch.
    pub enrolments: Vec<Enrolment>,
    /// On which devices the person punched, by UTC date: around the judged days all, in the 60 days before of each the last. In
    /// order.
    pub punched_on: Vec<(Date, DeviceId)>,
    /// Punches that fit this person and somebody else, and so are nobody's until a person decides. In order of instant.
    pub contested: Vec<(DeviceId, Timestamp)>,
    /// Stored reports of the judged days, and of closed ones around them, as they are.
    pub stored: BTreeMap<Date, StoredReport>,
    /// Reports of closed days around the judged ones.
    pub locked: BTreeMap<Date, Report>,
}

#[derive(Clone, Debug)]
pub struct PunchEvidence {
    pub id: i64,
    pub device: DeviceId,
    /// As the device showed it, or as a person has shifted it.
    pub clock: DateTime,
    pub instant: Timestamp,
    pub received: Timestamp,
    pub state: PunchState,
    pub suspect: bool,
    /// A person has shifted its time, and so released it from quarantine.
    pub released: bool,
}

#[derive(Clone, Debug)]
pub struct CorrectionEvidence {
    pub id: i64,
    pub kind: CorrectionEvidenceKind,
    /// Wall time of the site.
    pub at: DateTime,
    pub instant: Timestamp,
    pub author: Option<String>,
    pub reason: String,
    pub made: Timestamp,
}

#[derive(Clone, Debug)]
pub enum CorrectionEvidenceKind {
    Add { state: Option<PunchState> },
    VoidPunch(i64),
    VoidCorrection(i64),
    RollCall { out: bool },
}

#[derive(Clone, Copy, Debug)]
pub struct AbsenceEvidence {
    pub on_duty: bool,
    pub from: Date,
    pub to: Date,
    pub part: DayPart,
}

#[derive(Clone, Copy, Debug)]
pub struct Enrolment {
    pub device: DeviceId,
    pub from: Timestamp,
    /// `None` while the terminal still lists the person.
    pub to: Option<Timestamp>,
}

#[derive(Clone, Debug)]
pub struct DeviceEvidence {
    pub serial: String,
    pub site: SiteId,
    /// The zone its clock has now.
    pub zone: TimeZone,
    pub direction: Direction,
    pub retired: Option<Timestamp>,
    /// From when to when it has been read; `None` if it never was.
    pub covered: Option<(Timestamp, Timestamp)>,
    pub gaps: Vec<(Timestamp, Option<Timestamp>)>,
    pub declared: Vec<Declared>,
    pub poll_interval_s: i64,
}

/// A person says that nothing is missing in a time (R76).
#[derive(Clone, Copy, Debug)]
pub struct Declared {
    pub from: Timestamp,
    /// Exclusive.
    pub to: Timestamp,
    pub made: Timestamp,
    pub withdrawn: Option<Timestamp>,
}

impl ReadTx {
    /// Loads what the judge needs for these days. `days` may hold several days of one person.
    pub async fn load_evidence(&self, days: &[(EmployeeId, Date)]) -> Result<Evidence, StoreError> {
        load(&self.tx, days).await
    }
}

impl WriteTx {
    /// The same with what this transaction has changed, for trying a change that is rolled back.
    pub async fn load_evidence(&self, days: &[(EmployeeId, Date)]) -> Result<Evidence, StoreError> {
        load(&self.tx, days).await
    }
}

/// Neighbouring days of one person, from whose evidence they are judged.
struct Span {
    employee: EmployeeId,
    from: Date,
    to: Date,
}

impl Span {
    /// In order; days whose evidence would overlap are in one span.
    fn of(days: &[(EmployeeId, Date)]) -> Vec<Self> {
        let days: BTreeSet<(EmployeeId, Date)> = days.iter().copied().collect();
        let mut spans: Vec<Self> = Vec::new();
        for (employee, day) in days {
            match spans.last_mut() {
                Some(span)
                    if span.employee == employee
                        && day <= days_after(span.to, 2 * DAYS_AROUND + 1) =>
                {
                    span.to = day;
                }
                _ => spans.push(Self {
                    employee,
                    from: day,
                    to: day,
                }),
            }
        }
        spans
    }

    /// As bound: person, first millisecond, and the one after the last.
    fn instants(&self) -> (i64, i64, i64) {
        (
            self.employee.0,
            midnight(days_after(self.from, -DAYS_AROUND)),
            midnight(days_after(self.to, DAYS_AROUND + 1)),
        )
    }

    /// The days before it in which a punch makes its device relevant, as bound.
    fn earlier(&self) -> (i64, i64, i64) {
        (
            self.employee.0,
            midnight(days_after(self.from, -RELEVANT_DAYS - 1)),
            midnight(days_after(self.from, -DAYS_AROUND)),
        )
    }

    /// As bound: person, the first day around it, its own first and last, and the last around it.
    fn days(&self) -> (i64, String, String, String, String) {
        (
            self.employee.0,
            days_after(self.from, -DAYS_AROUND).to_string(),
            self.from.to_string(),
            self.to.to_string(),
            days_after(self.to, DAYS_AROUND).to_string(),
        )
    }
}

/// In UTC: evidence is loaded a day further than any zone needs.
fn midnight(date: Date) -> i64 {
    TimeZone::UTC
        .to_timestamp(date.at(0, 0, 0, 0))
        .map_or(i64::MAX, Timestamp::as_millisecond)
}

async fn load<C: ConnectionTrait>(
    db: &C,
    days: &[(EmployeeId, Date)],
) -> Result<Evidence, StoreError> {
    let spans = Span::of(days);
    let ids: BTreeSet<i64> = spans.iter().map(|span| span.employee.0).collect();
    let ids = sql::json(&ids.into_iter().collect::<Vec<_>>());
    let (Some(first), Some(last)) = (
        days.iter().map(|(_, day)| *day).min(),
        days.iter().map(|(_, day)| *day).max(),
    ) else {
        return Ok(Evidence::default());
    };
    let mut evidence = Evidence {
        people: people(db, ids.clone()).await?,
        devices: devices(db).await?,
        policies: crate::policies::load(db).await?,
        ..Evidence::default()
    };
    plans(db, &mut evidence, first, last).await?;
    let backend = db.get_database_backend();
    let instants = [
        ("employee_id", Column::Int),
        ("from_ms", Column::Int),
        ("to_ms", Column::Int),
    ];
    let span_rows: Vec<_> = spans.iter().map(Span::instants).collect();
    let span_rows = sql::json(&span_rows);
    let table = sql::json_rows(backend, 1, "r", &instants);

    punches(db, &mut evidence, &table, span_rows.clone()).await?;

    punched_on(db, &mut evidence, &table, &spans).await?;

    for person in evidence.people.values_mut() {
        person
            .punches
            .sort_unstable_by_key(|punch| (punch.instant, punch.id));
        person.punched_on.sort_unstable();
        person.punched_on.dedup();
    }

    contested(db, &mut evidence, ids.clone(), first, last).await?;
    corrections(db, &mut evidence, &table, span_rows).await?;
    absences(db, &mut evidence, ids.clone(), first, last).await?;
    roster(db, &mut evidence, ids.clone(), first, last).await?;
    enrolments(db, &mut evidence, ids).await?;
    reports(db, &mut evidence, &spans).await?;
    Ok(evidence)
}

/// The punches `p` of a row `r` of person, first millisecond, and the one after the last.
const PUNCHES_OF_SPAN: &str =
    "p.employee_id = r.employee_id AND p.instant_ms >= r.from_ms AND p.instant_ms < r.to_ms";

/// What is read of a row of `punches`, in this order.
#[derive(Deserialize)]
struct PunchColumns {
    employee_id: i64,
    id: i64,
    device_id: i64,
    clock: String,
    instant_ms: i64,
    received_ms: i64,
    state: String,
    suspect: i64,
    shift_id: Option<i64>,
}

async fn punches<C: ConnectionTrait>(
    db: &C,
    evidence: &mut Evidence,
    table: &str,
    spans: sea_orm::Value,
) -> Result<(), StoreError> {
    let columns = "r.employee_id, p.id, p.device_id, COALESCE(p.shifted, p.clock), p.instant_ms, p.received_ms, p.state, \
                   CAST(p.suspect AS integer), p.shift_id";
    let rest = format!(
        "FROM {table} {}",
        sql::each(db.get_database_backend(), "punches", "p", PUNCHES_OF_SPAN)
    );
    for punch in sql::list::<PunchColumns, _>(db, columns, &rest, [spans]).await? {
        let Some(person) = evidence.people.get_mut(&EmployeeId(punch.employee_id)) else {
            continue;
        };
        let punch = PunchEvidence {
            id: punch.id,
            device: DeviceId(punch.device_id),
            clock: wall(&punch.clock),
            instant: instant(punch.instant_ms),
            received: instant(punch.received_ms),
            state: PunchState::from_name(&punch.state).unwrap_or_default(),
            suspect: punch.suspect != 0,
            released: punch.shift_id.is_some(),
        };
        let date = TimeZone::UTC.to_datetime(punch.instant).date();
        person.punched_on.push((date, punch.device));
        person.punches.push(punch);
    }
    Ok(())
}

/// When people last punched on which devices in the time before their punches are loaded.
async fn punched_on<C: ConnectionTrait>(
    db: &C,
    evidence: &mut Evidence,
    table: &str,
    spans: &[Span],
) -> Result<(), StoreError> {
    let rest = format!(
        "FROM (SELECT r.employee_id, p.device_id, max(p.instant_ms) AS last_ms FROM {table} {} \
         GROUP BY r.employee_id, r.to_ms, p.device_id) AS punched",
        sql::each(db.get_database_backend(), "punches", "p", PUNCHES_OF_SPAN)
    );
    let spans: Vec<_> = spans.iter().map(Span::earlier).collect();
    let columns = "employee_id, device_id, last_ms";
    for (employee, device, last) in
        sql::list::<(i64, i64, i64), _>(db, columns, &rest, [sql::json(&spans)]).await?
    {
        if let Some(person) = evidence.people.get_mut(&EmployeeId(employee)) {
            let date = TimeZone::UTC.to_datetime(instant(last)).date();
            person.punched_on.push((date, DeviceId(device)));
        }
    }
    Ok(())
}

/// Whom the first column of a row names.
fn person_of<'e>(
    evidence: &'e mut Evidence,
    row: &QueryResult,
) -> Result<Option<&'e mut Person>, StoreError> {
    let id = EmployeeId(row.try_get_by_index(0)?);
    Ok(evidence.people.get_mut(&id))
}

/// The punches of ambiguous device users, for each of the people they could be.
async fn contested<C: ConnectionTrait>(
    db: &C,
    evidence: &mut Evidence,
    ids: sea_orm::Value,
    first: Date,
    last: Date,
) -> Result<(), StoreError> {
    let backend = db.get_database_backend();
    let people = sql::in_ids(backend, 1);
    let fits = |column: &str| {
        format!(
            "SELECT e.id, u.device_id, u.user_id FROM device_users u JOIN employees e ON e.{column} = u.user_id \
             WHERE u.ambiguous AND e.id IN {people}"
        )
    };
    let rows = sql::all(
        db,
        &format!(
            "SELECT l.employee_id, u.device_id, u.user_id FROM device_users u \
             JOIN identity_links l ON l.device_id = u.device_id AND l.user_id = u.user_id \
             WHERE u.ambiguous AND l.employee_id IN {people} UNION {} UNION {} UNION {}",
            fits("device_id"),
            fits("code"),
            fits("username"),
        ),
        [ids],
    )
    .await?;
    if rows.is_empty() {
        return Ok(());
    }
    let mut users = Vec::with_capacity(rows.len());
    for row in &rows {
        users.push((
            row.try_get_by_index::<i64>(0)?,
            row.try_get_by_index::<i64>(1)?,
            row.try_get_by_index::<String>(2)?,
        ));
    }
    let table = sql::json_rows(
        backend,
        1,
        "r",
        &[
            ("employee_id", Column::Int),
            ("device_id", Column::Int),
            ("user_id", Column::Text),
        ],
    );
    let rows = sql::all(
        db,
        &format!(
            "SELECT r.employee_id, p.device_id, p.instant_ms FROM {table} CROSS JOIN punches p \
             WHERE p.device_id = r.device_id AND p.user_id = r.user_id AND p.employee_id IS NULL \
             AND p.instant_ms >= $2 AND p.instant_ms < $3 ORDER BY 1, 3, 2"
        ),
        [
            sql::json(&users),
            midnight(days_after(first, -DAYS_AROUND)).into(),
            midnight(days_after(last, DAYS_AROUND + 1)).into(),
        ],
    )
    .await?;
    for row in &rows {
        if let Some(person) = person_of(evidence, row)? {
            let device = DeviceId(row.try_get_by_index(1)?);
            person
                .contested
                .push((device, instant(row.try_get_by_index(2)?)));
        }
    }
    Ok(())
}

async fn people<C: ConnectionTrait>(
    db: &C,
    ids: sea_orm::Value,
) -> Result<BTreeMap<EmployeeId, Person>, StoreError> {
    let rows = sql::all(
        db,
        &format!(
            "SELECT e.id, e.site_id, s.zone, COALESCE(e.department_id, d.id), e.shift_id, e.week_pattern_id, e.weekly_off_id, \
             e.employed_from, e.employed_to FROM employees e JOIN sites s ON s.id = e.site_id \
             JOIN departments d ON d.site_id = e.site_id AND d.is_default WHERE e.id IN {}",
            sql::in_ids(db.get_database_backend(), 1)
        ),
        [ids],
    )
    .await?;
    let mut zones: HashMap<String, TimeZone> = HashMap::new();
    rows.iter()
        .map(|row| {
            let optional_day = |at| -> Result<Option<Date>, StoreError> {
                Ok(row
                    .try_get_by_index::<Option<String>>(at)?
                    .map(|text| day(&text)))
            };
            let name: String = row.try_get_by_index(2)?;
            let person = Person {
                site: SiteId(row.try_get_by_index(1)?),
                zone: zones
                    .entry(name)
                    .or_insert_with_key(|name| zone(name))
                    .clone(),
                department: DepartmentId(row.try_get_by_index(3)?),
                plan: WorkPlan {
                    shift: row.try_get_by_index::<Option<i64>>(4)?.map(ShiftId),
                    week_pattern: row.try_get_by_index(5)?,
                    cycle: None,
                    weekly_off: row.try_get_by_index(6)?,
                },
                plan_changes: Vec::new(),
                overrides: BTreeMap::new(),
                employed_from: optional_day(7)?,
                employed_to: optional_day(8)?,
                punches: Vec::new(),
                corrections: Vec::new(),
                absences: Vec::new(),
                enrolments: Vec::new(),
                punched_on: Vec::new(),
                contested: Vec::new(),
                stored: BTreeMap::new(),
                locked: BTreeMap::new(),
            };
            Ok((EmployeeId(row.try_get_by_index(0)?), person))
        })
        .collect()
}

async fn devices<C: ConnectionTrait>(
    db: &C,
) -> Result<BTreeMap<DeviceId, DeviceEvidence>, StoreError> {
    let rows = sql::all(
        db,
        "SELECT d.id, d.serial_number, d.site_id, COALESCE((SELECT z.zone FROM device_zones z WHERE z.device_id = d.id \
         ORDER BY z.from_clock DESC LIMIT 1), s.zone), d.direction, d.retired_ms, c.covered_from_ms, c.covered_to_ms, \
         d.poll_interval_s \
         FROM devices d JOIN sites s ON s.id = d.site_id LEFT JOIN device_coverage c ON c.device_id = d.id",
        [],
    )
    .await?;
    let mut devices = BTreeMap::new();
    for row in &rows {
        let direction: String = row.try_get_by_index(4)?;
        let covered = row
            .try_get_by_index::<Option<i64>>(6)?
            .zip(row.try_get_by_index::<Option<i64>>(7)?);
        devices.insert(
            DeviceId(row.try_get_by_index(0)?),
            DeviceEvidence {
                serial: row.try_get_by_index(1)?,
                site: SiteId(row.try_get_by_index(2)?),
                zone: zone(&row.try_get_by_index::<String>(3)?),
                direction: match direction.as_str() {
                    "states" => Direction::States,
                    "in" => Direction::In,
                    "out" => Direction::Out,
                    _ => Direction::None,
                },
                retired: row.try_get_by_index::<Option<i64>>(5)?.map(instant),
                covered: covered.map(|(from, to)| (instant(from), instant(to))),
                gaps: Vec::new(),
                declared: Vec::new(),
                poll_interval_s: row.try_get_by_index(8)?,
            },
        );
    }
    let rows = sql::all(
        db,
        "SELECT device_id, from_ms, to_ms FROM device_gaps ORDER BY device_id, from_ms, id",
        [],
    )
    .await?;
    for row in &rows {
        if let Some(device) = devices.get_mut(&DeviceId(row.try_get_by_index(0)?)) {
            let to: Option<i64> = row.try_get_by_index(2)?;
            device
                .gaps
                .push((instant(row.try_get_by_index(1)?), to.map(instant)));
        }
    }
    let rows = sql::all(
        db,
        "SELECT device_id, from_ms, to_ms, made_ms, withdrawn_ms FROM coverage_declarations ORDER BY device_id, from_ms, id",
        [],
    )
    .await?;
    for row in &rows {
        if let Some(device) = devices.get_mut(&DeviceId(row.try_get_by_index(0)?)) {
            device.declared.push(Declared {
                from: instant(row.try_get_by_index(1)?),
                to: instant(row.try_get_by_index(2)?),
                made: instant(row.try_get_by_index(3)?),
                withdrawn: row.try_get_by_index::<Option<i64>>(4)?.map(instant),
            });
        }
    }
    Ok(devices)
}

/// Shifts, patterns and holidays: few rows, whatever the batch.
async fn plans<C: ConnectionTrait>(
    db: &C,
    evidence: &mut Evidence,
    first: Date,
    last: Date,
) -> Result<(), StoreError> {
    for row in &sql::all(
        db,
        "SELECT id, name, definition FROM shifts ORDER BY id",
        [],
    )
    .await?
    {
        let definition: String = row.try_get_by_index(2)?;
        let shift = serde_json::from_str(&definition).map_err(|source| StoreError::Corrupt {
            what: "shift",
            source,
        })?;
        evidence.shifts.push((
            ShiftId(row.try_get_by_index(0)?),
            row.try_get_by_index(1)?,
            shift,
        ));
    }
    let rows = sql::all(
        db,
        "SELECT pattern_id, weekday, plan FROM week_pattern_days",
        [],
    )
    .await?;
    for row in &rows {
        let week = evidence
            .week_patterns
            .entry(row.try_get_by_index(0)?)
            .or_default();
        let weekday: i64 = row.try_get_by_index(1)?;
        let place = usize::try_from(weekday - 1).ok();
        if let Some(day) = place.and_then(|place| week.get_mut(place)) {
            *day = day_plan(&row.try_get_by_index::<String>(2)?);
        }
    }
    let rows = sql::all(
        db,
        "SELECT cycle_id, plan FROM cycle_days ORDER BY cycle_id, place",
        [],
    )
    .await?;
    for row in &rows {
        let days: &mut Vec<DayPlan> = evidence.cycles.entry(row.try_get_by_index(0)?).or_default();
        days.push(day_plan(&row.try_get_by_index::<String>(1)?));
    }
    let rows = sql::all(
        db,
        "SELECT pattern_id, weekday, nth FROM weekly_off_days ORDER BY id",
        [],
    )
    .await?;
    for row in &rows {
        let weekday: i64 = row.try_get_by_index(1)?;
        let weekday = i8::try_from(weekday)
            .ok()
            .and_then(|weekday| Weekday::from_monday_one_offset(weekday).ok());
        let nth = row.try_get_by_index::<Option<i64>>(2)?;
        if let Some(weekday) = weekday {
            evidence
                .weekly_offs
                .entry(row.try_get_by_index(0)?)
                .or_default()
                .push((weekday, nth.and_then(|nth| u8::try_from(nth).ok())));
        }
    }
    let rows = sql::all(
        db,
        "SELECT site_id, day FROM holidays WHERE day >= $1 AND day <= $2",
        [
            days_after(first, -DAYS_AROUND).to_string().into(),
            days_after(last, DAYS_AROUND).to_string().into(),
        ],
    )
    .await?;
    for row in &rows {
        let site: Option<i64> = row.try_get_by_index(0)?;
        let on: String = row.try_get_by_index(1)?;
        evidence.holidays.push((site.map(SiteId), day(&on)));
    }
    Ok(())
}

async fn corrections<C: ConnectionTrait>(
    db: &C,
    evidence: &mut Evidence,
    table: &str,
    spans: sea_orm::Value,
) -> Result<(), StoreError> {
    let rows = sql::all(
        db,
        &format!(
            "SELECT c.employee_id, c.id, c.kind, c.at, c.at_ms, c.direction, c.state, c.void_punch_id, c.void_correction_id, \
             a.name, c.reason, c.made_ms FROM {table} \
             CROSS JOIN corrections c LEFT JOIN accounts a ON a.id = c.author_id \
             WHERE c.employee_id = r.employee_id AND c.at_ms >= r.from_ms AND c.at_ms < r.to_ms ORDER BY c.employee_id, c.at_ms, c.id"
        ),
        [spans],
    )
    .await?;
    for row in &rows {
        let kind: String = row.try_get_by_index(2)?;
        let direction: Option<String> = row.try_get_by_index(5)?;
        let (punch, correction): (Option<i64>, Option<i64>) =
            (row.try_get_by_index(7)?, row.try_get_by_index(8)?);
        let kind = match (kind.as_str(), punch, correction) {
            ("roll_call", ..) => CorrectionEvidenceKind::RollCall {
                out: direction.as_deref() == Some("out"),
            },
            ("void", Some(punch), _) => CorrectionEvidenceKind::VoidPunch(punch),
            ("void", None, Some(correction)) => CorrectionEvidenceKind::VoidCorrection(correction),
            ("add", ..) => CorrectionEvidenceKind::Add {
                state: state(row, 6)?,
            },
            _ => continue,
        };
        let Some(person) = person_of(evidence, row)? else {
            continue;
        };
        person.corrections.push(CorrectionEvidence {
            id: row.try_get_by_index(1)?,
            kind,
            at: wall(&row.try_get_by_index::<String>(3)?),
            instant: instant(row.try_get_by_index(4)?),
            author: row.try_get_by_index(9)?,
            reason: row.try_get_by_index(10)?,
            made: instant(row.try_get_by_index(11)?),
        });
    }
    Ok(())
}

async fn absences<C: ConnectionTrait>(
    db: &C,
    evidence: &mut Evidence,
    ids: sea_orm::Value,
    first: Date,
    last: Date,
) -> Result<(), StoreError> {
    let rows = sql::all(
        db,
        &format!(
            "SELECT employee_id, kind, from_day, to_day, part FROM leave \
             WHERE employee_id IN {} AND to_day >= $2 AND from_day <= $3 ORDER BY id",
            sql::in_ids(db.get_database_backend(), 1)
        ),
        [
            ids,
            days_after(first, -DAYS_AROUND).to_string().into(),
            days_after(last, DAYS_AROUND).to_string().into(),
        ],
    )
    .await?;
    for row in &rows {
        let kind: String = row.try_get_by_index(1)?;
        let part: String = row.try_get_by_index(4)?;
        if let Some(person) = person_of(evidence, row)? {
            person.absences.push(AbsenceEvidence {
                on_duty: kind == "on_duty",
                from: day(&row.try_get_by_index::<String>(2)?),
                to: day(&row.try_get_by_index::<String>(3)?),
                part: part_of(&part),
            });
        }
    }
    Ok(())
}

/// The changes of people's plans, and the single days that are otherwise.
async fn roster<C: ConnectionTrait>(
    db: &C,
    evidence: &mut Evidence,
    ids: sea_orm::Value,
    first: Date,
    last: Date,
) -> Result<(), StoreError> {
    let mine = format!(
        "employee_id IN {}",
        sql::in_ids(db.get_database_backend(), 1)
    );
    let changes: Vec<plan_changes::Model> = sql::fetch(
        db,
        &format!("SELECT * FROM plan_changes WHERE {mine} ORDER BY employee_id, from_day"),
        [ids.clone()],
    )
    .await?;
    for row in changes {
        if let Some(person) = evidence.people.get_mut(&EmployeeId(row.employee_id)) {
            person.plan_changes.push(PlanChange::from(row));
        }
    }
    let overrides: Vec<roster_overrides::Model> = sql::fetch(
        db,
        &format!("SELECT * FROM roster_overrides WHERE {mine} AND day >= $2 AND day <= $3"),
        [
            ids,
            days_after(first, -DAYS_AROUND).to_string().into(),
            days_after(last, DAYS_AROUND).to_string().into(),
        ],
    )
    .await?;
    for row in overrides {
        if let Some(person) = evidence.people.get_mut(&EmployeeId(row.employee_id)) {
            person.overrides.insert(day(&row.day), Override::from(row));
        }
    }
    Ok(())
}

async fn enrolments<C: ConnectionTrait>(
    db: &C,
    evidence: &mut Evidence,
    ids: sea_orm::Value,
) -> Result<(), StoreError> {
    let columns =
        "u.employee_id, u.device_id, u.first_seen_ms, CAST(u.enrolled AS integer), u.last_seen_ms";
    let rest = format!(
        "FROM device_users u WHERE u.employee_id IN {}",
        sql::in_ids(db.get_database_backend(), 1)
    );
    for (employee, device, first, enrolled, last) in
        sql::list::<(i64, i64, i64, i64, i64), _>(db, columns, &rest, [ids]).await?
    {
        if let Some(person) = evidence.people.get_mut(&EmployeeId(employee)) {
            person.enrolments.push(Enrolment {
                device: DeviceId(device),
                from: instant(first),
                to: (enrolled == 0).then(|| instant(last)),
            });
        }
    }
    Ok(())
}

/// The stored reports of the judged days, and those of closed days around them.
async fn reports<C: ConnectionTrait>(
    db: &C,
    evidence: &mut Evidence,
    spans: &[Span],
) -> Result<(), StoreError> {
    let spans: Vec<_> = spans.iter().map(Span::days).collect();
    for around in reports::around(db, &spans).await? {
        let Some(person) = evidence.people.get_mut(&around.employee) else {
            continue;
        };
        if let Some(says) = around.locked {
            let report = says.report(around.workday)?;
            person.locked.insert(around.workday, report);
        }
        person.stored.insert(around.workday, around.report);
    }
    Ok(())
}

fn state(row: &QueryResult, at: usize) -> Result<Option<PunchState>, StoreError> {
    let name: Option<String> = row.try_get_by_index(at)?;
    Ok(name.and_then(|name| PunchState::from_name(&name)))
}

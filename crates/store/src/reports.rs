//! Everything a judgement is made from, loaded for many employee-days at once, and what it says, saved with its versions.
//!
//! What is loaded are rows; turning them into the engine's inputs is `ingest`'s work.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use attendance::{
    DayPart, DepartmentId, DeviceId, Direction, EmployeeId, PunchState, Report, Shift, ShiftId,
    SiteId, Status,
};
use jiff::Timestamp;
use jiff::civil::{Date, DateTime, Weekday};
use jiff::tz::TimeZone;
use sea_orm::{ConnectionTrait, FromQueryResult, QueryResult};
use serde::{Deserialize, Serialize};

use crate::calendar::part_of;
use crate::entities::{plan_changes, roster_overrides};
use crate::identity::{days_after, zone};
use crate::marks::{Claim, employee_days};
use crate::policies::Policies;
use crate::roster::{DayPlan, Override, PlanChange, WorkPlan, day_plan};
use crate::sql::{self, Column};
use crate::times::{day, instant, wall, wall_text};
use crate::{ReadTx, StoreError, WriteTx};

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
    /// On which devices the person punched, by UTC date, from 60 days before the judged days on. In order.
    pub punched_on: Vec<(Date, DeviceId)>,
    /// Punches that fit this person and somebody else, and so are nobody's until a person decides. In order of instant.
    pub contested: Vec<(DeviceId, Timestamp)>,
    /// Stored reports of the judged days, as they are.
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

/// A report as it is stored, and when it was judged.
#[derive(Clone, Debug)]
pub struct StoredReport {
    pub says: ReportFields,
    pub judged_at: Timestamp,
    keeps: Keeps,
}

/// What is kept with a report and is no part of what it says.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
struct Keeps {
    department: i64,
    recheck_at_ms: Option<i64>,
    waits_for: Option<i64>,
    waits_below_ms: Option<i64>,
}

/// What a report says, in the columns of its table. Two judgements are the same when these are.
#[derive(Clone, Debug, PartialEq, Eq, FromQueryResult, Serialize, Deserialize)]
pub struct ReportFields {
    pub status: String,
    pub stage: String,
    pub reason: String,
    pub shift: String,
    pub first_in: Option<String>,
    pub first_in_ms: Option<i64>,
    pub last_out: Option<String>,
    pub last_out_ms: Option<i64>,
    pub planned_min: i64,
    pub worked_min: i64,
    pub late_min: i64,
    pub early_min: i64,
    pub overtime_min: i64,
    pub night_min: i64,
    pub overtime_levels: String,
    pub exceptions: String,
    pub pending: String,
    pub leave_part: String,
    pub letter: String,
    pub changes_after_close: String,
}

impl From<&Report> for ReportFields {
    fn from(report: &Report) -> Self {
        let names = |exceptions: &[attendance::Exception]| {
            let names: Vec<_> = exceptions
                .iter()
                .map(|exception| exception.as_str())
                .collect();
            names.join(",")
        };
        let wall = |moment: Option<attendance::Moment>| moment.map(|moment| wall_text(moment.wall));
        let ms = |moment: Option<attendance::Moment>| {
            moment.map(|moment| moment.instant.as_millisecond())
        };
        Self {
            status: report.status.as_str().to_owned(),
            stage: report.stage.as_str().to_owned(),
            reason: report
                .reason
                .map_or("", |reason| reason.as_str())
                .to_owned(),
            shift: report.shift.clone(),
            first_in: wall(report.first_in),
            first_in_ms: ms(report.first_in),
            last_out: wall(report.last_out),
            last_out_ms: ms(report.last_out),
            planned_min: report.planned_min.into(),
            worked_min: report.worked_min.into(),
            late_min: report.late_min.into(),
            early_min: report.early_min.into(),
            overtime_min: report.overtime_min.into(),
            night_min: report.night_min.into(),
            overtime_levels: serde_json::to_string(&report.overtime_levels)
                .expect("numbers always serialise"),
            exceptions: names(&report.exceptions),
            pending: names(&report.pending),
            leave_part: report.leave_part.clone(),
            letter: report.letter(),
            changes_after_close: report.changes_after_close.join(","),
        }
    }
}

impl ReportFields {
    /// The names of the fields in which two judgements differ.
    pub fn differences(&self, other: &Self) -> Vec<String> {
        let fields = |report: &Self| match serde_json::to_value(report) {
            Ok(serde_json::Value::Object(fields)) => fields,
            _ => serde_json::Map::new(),
        };
        let theirs = fields(other);
        fields(self)
            .into_iter()
            .filter(|(name, value)| theirs.get(name) != Some(value))
            .map(|(name, _)| name)
            .collect()
    }
}

/// A judged day, ready to be saved: its rows are written before the transaction that keeps them.
#[derive(Clone, Debug)]
pub struct JudgedDay {
    employee: EmployeeId,
    department: DepartmentId,
    workday: Date,
    outcome: Outcome,
    /// The row of `report_versions`, if the report differs from what was stored.
    version: Option<String>,
}

#[derive(Clone, Debug)]
enum Outcome {
    /// There is to be no report.
    Nothing,
    /// It is stored as it is, and was only judged again.
    Same,
    /// The row of `attendance_reports`, as [`sql::json_rows`] takes it.
    Report(String),
}

impl JudgedDay {
    /// `at` is when it was judged, `cause` why, `waits_for` the device of `report.waits`, `before` what was stored.
    ///
    /// # Errors
    /// When the report cannot be written as JSON.
    pub fn new(
        employee: EmployeeId,
        department: DepartmentId,
        report: &Report,
        at: Timestamp,
        cause: &str,
        waits_for: Option<DeviceId>,
        before: Option<&StoredReport>,
    ) -> Result<Self, StoreError> {
        let workday = report.workday.to_string();
        let employed = report.status != Status::NotEmployed;
        let says = employed.then(|| ReportFields::from(report));
        let mut version = None;
        if before.map(|before| &before.says) != says.as_ref() {
            let body = serde_json::to_string(report).map_err(corrupt_report)?;
            version = Some(sql::json_row(&(employee.0, &workday, body, cause)));
        }
        let waits_below = report.waits.as_ref().map(|waits| waits.below);
        let keeps = Keeps {
            department: department.0,
            // A judgement must not be due again before it is made, else the judge would never rest.
            recheck_at_ms: report
                .recheck_at
                .map(|due| due.as_millisecond().max(at.as_millisecond() + 1)),
            waits_for: waits_for.map(|device| device.0),
            waits_below_ms: waits_below.map(Timestamp::as_millisecond),
        };
        let same = version.is_none() && before.is_some_and(|before| before.keeps == keeps);
        let outcome = match says {
            None => Outcome::Nothing,
            Some(_) if same => Outcome::Same,
            Some(says) => Outcome::Report(sql::json_row(&ReportRow {
                employee: employee.0,
                workday,
                says,
                keeps,
            })),
        };
        Ok(Self {
            employee,
            department,
            workday: report.workday,
            outcome,
            version,
        })
    }
}

impl ReadTx {
    /// Loads what the judge needs for these days. `days` may hold several days of one person.
    pub async fn load_evidence(&self, days: &[(EmployeeId, Date)]) -> Result<Evidence, StoreError> {
        load(&self.tx, days).await
    }

    /// Days that have a report and are not marked, in a span of days, in order of person and day; at most `limit`, after `after`.
    pub async fn reported_days(
        &self,
        from: Date,
        to: Date,
        after: Option<(EmployeeId, Date)>,
        limit: usize,
    ) -> Result<Vec<(EmployeeId, Date)>, StoreError> {
        let (employee, workday) = after.unwrap_or((EmployeeId(i64::MIN), Date::MIN));
        let rows = sql::all(
            &self.tx,
            "SELECT employee_id, workday FROM attendance_reports WHERE workday >= $1 AND workday <= $2 \
             AND (employee_id > $3 OR (employee_id = $3 AND workday > $4)) AND NOT EXISTS (SELECT 1 FROM marked_days m \
             WHERE m.employee_id = attendance_reports.employee_id AND m.workday = attendance_reports.workday) \
             ORDER BY employee_id, workday LIMIT $5",
            [
                from.to_string().into(),
                to.to_string().into(),
                employee.0.into(),
                workday.to_string().into(),
                (limit as i64).into(),
            ],
        )
        .await?;
        employee_days(&rows)
    }
}

impl WriteTx {
    /// The same as [`ReadTx::load_evidence`] with what this transaction has changed, for trying a change that is rolled back.
    pub async fn load_evidence(&self, days: &[(EmployeeId, Date)]) -> Result<Evidence, StoreError> {
        load(&self.tx, days).await
    }

    /// Saves the reports of a claim and gives its marks up, all or nothing. Days that are no longer held by it are not saved; a
    /// mark that was renewed in between stays. Returns the days whose report now reads differently, or is new, or gone.
    ///
    /// A version is kept of every report that differs from the one before. `coverage` is what the devices were read up to
    /// when the evidence was loaded: reports that wait for coverage that has come since are marked again.
    pub async fn save_reports(
        &self,
        claim: &Claim,
        judged: Vec<JudgedDay>,
        coverage: &BTreeMap<DeviceId, Option<Timestamp>>,
        now: Timestamp,
    ) -> Result<Vec<(EmployeeId, Date)>, StoreError> {
        let held = self.finish_claim(claim).await?;
        let judged: Vec<JudgedDay> = judged
            .into_iter()
            .filter(|judged| held.contains(&(judged.employee, judged.workday)))
            .collect();
        let (mut sheets, mut reports) = (BTreeSet::new(), Vec::new());
        let (mut same, mut gone) = (Vec::new(), Vec::new());
        let (mut changed, mut versions) = (Vec::new(), Vec::new());
        for judged in judged {
            if let Some(version) = judged.version {
                changed.push((judged.employee, judged.workday));
                versions.push(version);
            }
            let day = || (judged.employee.0, judged.workday.to_string());
            match judged.outcome {
                Outcome::Report(report) => {
                    sheets.insert((judged.department.0, judged.workday));
                    reports.push(report);
                }
                Outcome::Same => same.push(day()),
                Outcome::Nothing => gone.push(day()),
            }
        }
        self.open_sheets(sheets).await?;
        self.upsert_reports(&reports, now).await?;
        self.confirm_reports(&same, now).await?;
        self.insert_versions(&versions, now).await?;
        self.delete_reports(&gone).await?;
        self.mark_overtaken(coverage).await?;
        Ok(changed)
    }

    /// Makes the sheets of these departments and days where they are missing.
    async fn open_sheets(&self, sheets: BTreeSet<(i64, Date)>) -> Result<(), StoreError> {
        if sheets.is_empty() {
            return Ok(());
        }
        let sheets: Vec<_> = sheets
            .into_iter()
            .map(|(department, workday)| (department, workday.to_string()))
            .collect();
        sql::run(
            &self.tx,
            &format!(
                "INSERT INTO attendances (department_id, workday) SELECT r.department_id, r.workday FROM {} WHERE true \
                 ON CONFLICT DO NOTHING",
                sql::json_rows(
                    self.backend(),
                    1,
                    "r",
                    &[("department_id", Column::Int), ("workday", Column::Text)]
                )
            ),
            [sql::json(&sheets)],
        )
        .await?;
        Ok(())
    }

    /// The sheets of the reports exist. What is closed stays on its sheet, wherever the person works now.
    async fn upsert_reports(&self, rows: &[String], now: Timestamp) -> Result<(), StoreError> {
        if rows.is_empty() {
            return Ok(());
        }
        let [_department, own @ ..] = REPORT_COLUMNS.map(|(name, _)| name);
        sql::run(
            &self.tx,
            &format!(
                "INSERT INTO attendance_reports (attendance_id, {}, judged_at_ms) SELECT a.id, {}, $2 FROM {} \
                 CROSS JOIN attendances a WHERE a.department_id = r.department_id AND a.workday = r.workday \
                 ON CONFLICT (employee_id, workday) DO UPDATE SET attendance_id = CASE WHEN excluded.stage = 'locked' \
                 THEN attendance_reports.attendance_id ELSE excluded.attendance_id END, {}, \
                 judged_at_ms = excluded.judged_at_ms",
                own.join(", "),
                own.map(|name| format!("r.{name}")).join(", "),
                sql::json_rows(self.backend(), 1, "r", &REPORT_COLUMNS),
                own.map(|name| format!("{name} = excluded.{name}"))
                    .join(", "),
            ),
            [sql::json_of(rows), now.as_millisecond().into()],
        )
        .await?;
        Ok(())
    }

    /// The same reports, judged once more.
    async fn confirm_reports(
        &self,
        days: &[(i64, String)],
        now: Timestamp,
    ) -> Result<(), StoreError> {
        if days.is_empty() {
            return Ok(());
        }
        sql::run(
            &self.tx,
            &format!(
                "UPDATE attendance_reports SET judged_at_ms = $2 WHERE (employee_id, workday) IN \
                 (SELECT r.employee_id, r.workday FROM {})",
                sql::json_rows(self.backend(), 1, "r", &DAY_COLUMNS)
            ),
            [sql::json(days), now.as_millisecond().into()],
        )
        .await?;
        Ok(())
    }

    async fn insert_versions(&self, rows: &[String], now: Timestamp) -> Result<(), StoreError> {
        if rows.is_empty() {
            return Ok(());
        }
        sql::run(
            &self.tx,
            &format!(
                "INSERT INTO report_versions (employee_id, workday, body, judged_at_ms, cause) \
                 SELECT r.employee_id, r.workday, r.body, $2, r.cause FROM {}",
                sql::json_rows(
                    self.backend(),
                    1,
                    "r",
                    &[
                        ("employee_id", Column::Int),
                        ("workday", Column::Text),
                        ("body", Column::Text),
                        ("cause", Column::Text),
                    ]
                )
            ),
            [sql::json_of(rows), now.as_millisecond().into()],
        )
        .await?;
        Ok(())
    }

    async fn delete_reports(&self, gone: &[(i64, String)]) -> Result<(), StoreError> {
        if gone.is_empty() {
            return Ok(());
        }
        sql::run(
            &self.tx,
            &format!(
                "DELETE FROM attendance_reports WHERE (employee_id, workday) IN (SELECT r.employee_id, r.workday FROM {})",
                sql::json_rows(self.backend(), 1, "r", &DAY_COLUMNS)
            ),
            [sql::json(gone)],
        )
        .await?;
        Ok(())
    }

    /// Coverage that came between loading and saving found the old reports, or none, and marked the wrong ones.
    async fn mark_overtaken(
        &self,
        loaded: &BTreeMap<DeviceId, Option<Timestamp>>,
    ) -> Result<(), StoreError> {
        let rows = sql::all(
            &self.tx,
            "SELECT device_id, covered_to_ms FROM device_coverage",
            [],
        )
        .await?;
        for row in &rows {
            let device = DeviceId(row.try_get_by_index(0)?);
            let covered_to = instant(row.try_get_by_index(1)?);
            let before = loaded.get(&device).copied().flatten();
            if before.is_none_or(|before| before < covered_to) {
                self.mark_waiting(device, before).await?;
            }
        }
        Ok(())
    }
}

/// A row of `attendance_reports` on its way into the database.
struct ReportRow {
    employee: i64,
    workday: String,
    says: ReportFields,
    keeps: Keeps,
}

/// Of employee-days.
const DAY_COLUMNS: [(&str, Column); 2] = [("employee_id", Column::Int), ("workday", Column::Text)];

/// What a [`ReportRow`] is written as, in order: all but the first are columns of the table.
const REPORT_COLUMNS: [(&str, Column); 26] = [
    ("department_id", Column::Int),
    ("employee_id", Column::Int),
    ("workday", Column::Text),
    ("status", Column::Text),
    ("stage", Column::Text),
    ("reason", Column::Text),
    ("shift", Column::Text),
    ("first_in", Column::Text),
    ("first_in_ms", Column::Int),
    ("last_out", Column::Text),
    ("last_out_ms", Column::Int),
    ("planned_min", Column::Int),
    ("worked_min", Column::Int),
    ("late_min", Column::Int),
    ("early_min", Column::Int),
    ("overtime_min", Column::Int),
    ("night_min", Column::Int),
    ("overtime_levels", Column::Text),
    ("exceptions", Column::Text),
    ("pending", Column::Text),
    ("leave_part", Column::Text),
    ("letter", Column::Text),
    ("changes_after_close", Column::Text),
    ("recheck_at_ms", Column::Int),
    ("waits_for_device_id", Column::Int),
    ("waits_below_ms", Column::Int),
];

/// Those of [`ReportFields`], in its order.
const SAYS: std::ops::Range<usize> = 3..23;

impl Serialize for ReportRow {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeTuple as _;
        let mut row = serializer.serialize_tuple(REPORT_COLUMNS.len())?;
        row.serialize_element(&self.keeps.department)?;
        row.serialize_element(&self.employee)?;
        row.serialize_element(&self.workday)?;
        let says = &self.says;
        row.serialize_element(&says.status)?;
        row.serialize_element(&says.stage)?;
        row.serialize_element(&says.reason)?;
        row.serialize_element(&says.shift)?;
        row.serialize_element(&says.first_in)?;
        row.serialize_element(&says.first_in_ms)?;
        row.serialize_element(&says.last_out)?;
        row.serialize_element(&says.last_out_ms)?;
        row.serialize_element(&says.planned_min)?;
        row.serialize_element(&says.worked_min)?;
        row.serialize_element(&says.late_min)?;
        row.serialize_element(&says.early_min)?;
        row.serialize_element(&says.overtime_min)?;
        row.serialize_element(&says.night_min)?;
        row.serialize_element(&says.overtime_levels)?;
        row.serialize_element(&says.exceptions)?;
        row.serialize_element(&says.pending)?;
        row.serialize_element(&says.leave_part)?;
        row.serialize_element(&says.letter)?;
        row.serialize_element(&says.changes_after_close)?;
        row.serialize_element(&self.keeps.recheck_at_ms)?;
        row.serialize_element(&self.keeps.waits_for)?;
        row.serialize_element(&self.keeps.waits_below_ms)?;
        row.end()
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

    fn days(&self) -> (i64, String, String) {
        (
            self.employee.0,
            days_after(self.from, -DAYS_AROUND).to_string(),
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

    let earlier: Vec<_> = spans.iter().map(Span::earlier).collect();
    let punched = sql::list::<(i64, i64, i64), _>(
        db,
        &format!(
            "SELECT {} FROM (SELECT p.employee_id, p.device_id, p.instant_ms / {A_DAY_MS} AS day \
             FROM {table} CROSS JOIN punches p \
             WHERE p.employee_id = r.employee_id AND p.instant_ms >= r.from_ms AND p.instant_ms < r.to_ms \
             GROUP BY 1, 2, 3) AS punched",
            sql::json_list(backend, "employee_id, device_id, day")
        ),
        [sql::json(&earlier)],
    )
    .await?;
    for (employee, device, day) in punched {
        let date = TimeZone::UTC.to_datetime(instant(day * A_DAY_MS)).date();
        if let Some(person) = evidence.people.get_mut(&EmployeeId(employee)) {
            person.punched_on.push((date, DeviceId(device)));
        }
    }

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
    stored(db, &mut evidence, days).await?;
    locked(db, &mut evidence, &spans).await?;
    Ok(evidence)
}

/// What is read of a row of `punches`, in this order.
#[derive(Deserialize)]
struct PunchColumns {
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
    let columns = "p.id, p.device_id, COALESCE(p.shifted, p.clock), p.instant_ms, p.received_ms, p.state, CAST(p.suspect AS integer), \
                   p.shift_id";
    let text = format!(
        "SELECT r.employee_id, (SELECT {} FROM punches p \
         WHERE p.employee_id = r.employee_id AND p.instant_ms >= r.from_ms AND p.instant_ms < r.to_ms) FROM {table}",
        sql::json_list(db.get_database_backend(), columns)
    );
    hand_out(db, evidence, &text, spans, |person, punch: PunchColumns| {
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
    })
    .await
}

/// Runs a query of people, each with a [`sql::json_list`], and gives each person every row of theirs.
async fn hand_out<C: ConnectionTrait, T: serde::de::DeserializeOwned>(
    db: &C,
    evidence: &mut Evidence,
    text: &str,
    value: sea_orm::Value,
    mut give: impl FnMut(&mut Person, T),
) -> Result<(), StoreError> {
    for row in &sql::all(db, text, [value]).await? {
        let employee = EmployeeId(row.try_get_by_index(0)?);
        if let Some(person) = evidence.people.get_mut(&employee) {
            for item in sql::from_list(row, 1)? {
                give(person, item);
            }
        }
    }
    Ok(())
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
        let id = EmployeeId(row.try_get_by_index(0)?);
        if let Some(person) = evidence.people.get_mut(&id) {
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
        let Some(person) = evidence
            .people
            .get_mut(&EmployeeId(row.try_get_by_index(0)?))
        else {
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
        if let Some(person) = evidence
            .people
            .get_mut(&EmployeeId(row.try_get_by_index(0)?))
        {
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
    let backend = db.get_database_backend();
    let columns = "u.device_id, u.first_seen_ms, CAST(u.enrolled AS integer), u.last_seen_ms";
    let text = format!(
        "SELECT e.id, (SELECT {} FROM device_users u WHERE u.employee_id = e.id) FROM employees e WHERE e.id IN {}",
        sql::json_list(backend, columns),
        sql::in_ids(backend, 1)
    );
    type Listed = (i64, i64, i64, i64);
    hand_out(db, evidence, &text, ids, |person, listed: Listed| {
        let (device, first, enrolled, last) = listed;
        person.enrolments.push(Enrolment {
            device: DeviceId(device),
            from: instant(first),
            to: (enrolled == 0).then(|| instant(last)),
        });
    })
    .await
}

async fn stored<C: ConnectionTrait>(
    db: &C,
    evidence: &mut Evidence,
    days: &[(EmployeeId, Date)],
) -> Result<(), StoreError> {
    let rows: Vec<_> = days
        .iter()
        .map(|(employee, day)| (employee.0, day.to_string()))
        .collect();
    let backend = db.get_database_backend();
    let says = REPORT_COLUMNS[SAYS].iter().map(|(name, _)| *name);
    let says = sql::json_array(backend, &says.collect::<Vec<_>>().join(", "));
    let keeps = sql::json_array(
        backend,
        "s.department_id, a.recheck_at_ms, a.waits_for_device_id, a.waits_below_ms",
    );
    let stored = sql::list::<(i64, String, i64, ReportFields, Keeps), _>(
        db,
        &format!(
            "SELECT {} FROM {} CROSS JOIN attendance_reports a CROSS JOIN attendances s \
             WHERE a.employee_id = r.employee_id AND a.workday = r.workday AND s.id = a.attendance_id",
            sql::json_list(
                backend,
                &format!("a.employee_id, a.workday, a.judged_at_ms, {says}, {keeps}")
            ),
            sql::json_rows(backend, 1, "r", &DAY_COLUMNS)
        ),
        [sql::json(&rows)],
    )
    .await?;
    for (employee, workday, judged_at, says, keeps) in stored {
        if let Some(person) = evidence.people.get_mut(&EmployeeId(employee)) {
            let report = StoredReport {
                says,
                judged_at: instant(judged_at),
                keeps,
            };
            person.stored.insert(day(&workday), report);
        }
    }
    Ok(())
}

/// The reports of closed sheets: the latest version judged until they were closed (R110).
async fn locked<C: ConnectionTrait>(
    db: &C,
    evidence: &mut Evidence,
    spans: &[Span],
) -> Result<(), StoreError> {
    let rows: Vec<_> = spans.iter().map(Span::days).collect();
    let rows = sql::all(
        db,
        &format!(
            "SELECT a.employee_id, a.workday, (SELECT v.body FROM report_versions v \
             WHERE v.employee_id = a.employee_id AND v.workday = a.workday AND v.judged_at_ms <= s.locked_ms \
             ORDER BY v.id DESC LIMIT 1) FROM {} \
             CROSS JOIN attendance_reports a CROSS JOIN attendances s \
             WHERE a.employee_id = r.employee_id AND a.workday >= r.from_day AND a.workday <= r.to_day \
             AND s.id = a.attendance_id AND s.locked_ms IS NOT NULL",
            sql::json_rows(
                db.get_database_backend(),
                1,
                "r",
                &[
                    ("employee_id", Column::Int),
                    ("from_day", Column::Text),
                    ("to_day", Column::Text),
                ]
            )
        ),
        [sql::json(&rows)],
    )
    .await?;
    for row in &rows {
        let body: Option<String> = row.try_get_by_index(2)?;
        let Some(body) = body else { continue };
        let report = serde_json::from_str(&body).map_err(corrupt_report)?;
        let workday: String = row.try_get_by_index(1)?;
        if let Some(person) = evidence
            .people
            .get_mut(&EmployeeId(row.try_get_by_index(0)?))
        {
            person.locked.insert(day(&workday), report);
        }
    }
    Ok(())
}

fn state(row: &QueryResult, at: usize) -> Result<Option<PunchState>, StoreError> {
    let name: Option<String> = row.try_get_by_index(at)?;
    Ok(name.and_then(|name| PunchState::from_name(&name)))
}

fn corrupt_report(source: serde_json::Error) -> StoreError {
    StoreError::Corrupt {
        what: "report",
        source,
    }
}

const A_DAY_MS: i64 = 86_400_000;

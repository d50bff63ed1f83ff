//! What days were judged to be, saved with its versions.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use attendance::{DepartmentId, DeviceId, EmployeeId, Report, Status};
use jiff::Timestamp;
use jiff::civil::Date;
use sea_orm::{ConnectionTrait, DbBackend, DbErr, FromQueryResult};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::marks::{Claim, DAY_COLUMNS, employee_days};
use crate::sql::{self, Cell, Column, JsonRows};
use crate::times::{day, instant, wall, wall_text};
use crate::{ReadTx, Store, StoreError, WriteTx};

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
    pub shift: String,
    pub letter: String,
    pub first_in: Option<String>,
    pub first_in_ms: Option<i64>,
    pub last_out: Option<String>,
    pub last_out_ms: Option<i64>,
    pub planned_min: i64,
    pub worked_min: i64,
    pub reason: String,
    pub late_min: i64,
    pub early_min: i64,
    pub overtime_min: i64,
    pub night_min: i64,
    pub overtime_levels: String,
    pub exceptions: String,
    pub pending: String,
    pub leave_part: String,
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
        let text = |moment: Option<attendance::Moment>| moment.map(|moment| wall_text(moment.wall));
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
            first_in: text(report.first_in),
            first_in_ms: ms(report.first_in),
            last_out: text(report.last_out),
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
    /// The report that says this, without what is not stored of one.
    pub(crate) fn report(&self, workday: Date) -> Result<Report, StoreError> {
        let names = |names: &str| {
            let names = names.split(',').filter(|name| !name.is_empty());
            names.map(str::to_owned).collect::<Vec<_>>()
        };
        let moment = |text: &Option<String>, ms: Option<i64>| {
            let (text, ms) = text.as_ref().zip(ms)?;
            Some(attendance::Moment {
                wall: wall(text),
                instant: instant(ms),
            })
        };
        let overtime_levels: Vec<u32> =
            serde_json::from_str(&self.overtime_levels).map_err(corrupt_report)?;
        let fields = json!({
            "workday": workday,
            "status": self.status,
            "reason": (!self.reason.is_empty()).then_some(&self.reason),
            "stage": self.stage,
            "shift": self.shift,
            "first_in": moment(&self.first_in, self.first_in_ms),
            "last_out": moment(&self.last_out, self.last_out_ms),
            "planned_min": self.planned_min,
            "worked_min": self.worked_min,
            "late_min": self.late_min,
            "early_min": self.early_min,
            "overtime_min": self.overtime_min,
            "overtime_levels": overtime_levels,
            "night_min": self.night_min,
            "exceptions": names(&self.exceptions),
            "pending": names(&self.pending),
            "leave_part": self.leave_part,
            "changes_after_close": names(&self.changes_after_close),
        });
        serde_json::from_value(fields).map_err(corrupt_report)
    }

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

/// Judged days, ready to be saved: their rows are written before the transaction that keeps them.
#[derive(Clone, Debug)]
pub struct JudgedDays {
    at: Timestamp,
    /// PostgreSQL takes half as long for a new row that is copied.
    copies: bool,
    count: u64,
    /// Whose reports read differently than what was stored.
    changed: Vec<(EmployeeId, Date)>,
    /// Departments and days.
    sheets: BTreeSet<(i64, Date)>,
    /// What the reports that differ said before.
    versions: JsonRows,
    /// New [`PLAIN`] ones, each with its sheet, where the database copies lines.
    copied_reports: Vec<((i64, Date), String)>,
    plain_reports: JsonRows,
    other_reports: JsonRows,
    /// Reports that are stored as they are, and were only judged again.
    confirmed: JsonRows,
    /// Days that are to have no report.
    gone: JsonRows,
}

impl JudgedDays {
    /// None yet, to be saved in this store. `at` is when they are judged.
    pub fn new(store: &Store, at: Timestamp) -> Self {
        Self {
            at,
            copies: store.backend() == DbBackend::Postgres,
            count: 0,
            changed: Vec::new(),
            sheets: BTreeSet::new(),
            versions: JsonRows::default(),
            copied_reports: Vec::new(),
            plain_reports: JsonRows::default(),
            other_reports: JsonRows::default(),
            confirmed: JsonRows::default(),
            gone: JsonRows::default(),
        }
    }

    /// How many were added.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// `cause` is why it was judged, `waits_for` the device of `report.waits`, `before` what was stored.
    pub fn add(
        &mut self,
        employee: EmployeeId,
        department: DepartmentId,
        report: &Report,
        cause: &str,
        waits_for: Option<DeviceId>,
        before: Option<&StoredReport>,
    ) {
        self.count += 1;
        let workday = report.workday.to_string();
        let employed = report.status != Status::NotEmployed;
        let says = employed.then(|| ReportFields::from(report));
        let differs = before.map(|before| &before.says) != says.as_ref();
        if differs {
            self.changed.push((employee, report.workday));
            if let Some(before) = before {
                self.versions
                    .push(&(employee.0, &workday, body(Some(&before.says))));
            }
        }
        let waits_below = report.waits.as_ref().map(|waits| waits.below);
        let keeps = Keeps {
            department: department.0,
            // A judgement must not be due again before it is made, else the judge would never rest.
            recheck_at_ms: report
                .recheck_at
                .map(|due| due.as_millisecond().max(self.at.as_millisecond() + 1)),
            waits_for: waits_for.map(|device| device.0),
            waits_below_ms: waits_below.map(Timestamp::as_millisecond),
        };
        let Some(says) = says else {
            self.gone.push(&(employee.0, workday, cause));
            return;
        };
        if !differs && before.is_some_and(|before| before.keeps == keeps) {
            self.confirmed.push(&(employee.0, workday));
            return;
        }
        self.sheets.insert((department.0, report.workday));
        let row = ReportRow {
            employee: employee.0,
            workday,
            cause: if differs { cause } else { "" },
            says,
            keeps,
        };
        let cells = row.cells();
        if cells[PLAIN..] != NOTHING_MORE {
            self.other_reports.push(&cells.as_slice());
        } else if self.copies && before.is_none() {
            let sheet = (department.0, report.workday);
            self.copied_reports
                .push((sheet, sql::copy_line(&cells[1..PLAIN])));
        } else {
            self.plain_reports.push(&&cells[..PLAIN]);
        }
    }
}

impl ReadTx {
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
    /// Saves the reports of a claim and gives it up, all or nothing. Nothing is saved if somebody else has taken it over; a mark
    /// that was renewed in between stays. Returns the days whose report now reads differently, or is new, or gone.
    ///
    /// What a report said before it differed is kept as a version. `coverage` is what the devices were read up to
    /// when the evidence was loaded: reports that wait for coverage that has come since are marked again.
    pub async fn save_reports(
        &self,
        claim: &Claim,
        judged: JudgedDays,
        coverage: &BTreeMap<DeviceId, Option<Timestamp>>,
    ) -> Result<Vec<(EmployeeId, Date)>, StoreError> {
        if !self.finish_claim(claim).await? {
            return Ok(Vec::new());
        }
        let at = judged.at;
        self.open_sheets(judged.sheets).await?;
        self.insert_versions(judged.versions).await?;
        self.copy_reports(&judged.copied_reports, at).await?;
        self.upsert_reports(&REPORT_COLUMNS[..PLAIN], judged.plain_reports, at)
            .await?;
        self.upsert_reports(&REPORT_COLUMNS, judged.other_reports, at)
            .await?;
        self.confirm_reports(judged.confirmed, at).await?;
        self.delete_reports(judged.gone, at).await?;
        self.mark_overtaken(coverage).await?;
        Ok(judged.changed)
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
                    &SHEET_COLUMNS
                )
            ),
            [sql::json(&sheets)],
        )
        .await?;
        Ok(())
    }

    /// New reports on PostgreSQL, whose sheets exist: lines of [`PLAIN`] columns but the first.
    async fn copy_reports(
        &self,
        reports: &[((i64, Date), String)],
        at: Timestamp,
    ) -> Result<(), StoreError> {
        if reports.is_empty() {
            return Ok(());
        }
        let sheets: BTreeSet<_> = reports.iter().map(|(sheet, _)| sheet).collect();
        let rows: Vec<_> = sheets
            .into_iter()
            .map(|(department, workday)| (department, workday.to_string()))
            .collect();
        let rest = format!(
            "FROM {} CROSS JOIN attendances s WHERE s.department_id = r.department_id AND s.workday = r.workday",
            sql::json_rows(self.backend(), 1, "r", &SHEET_COLUMNS)
        );
        let ids = sql::list::<(i64, String, i64), _>(
            &self.tx,
            "s.department_id, s.workday, s.id",
            &rest,
            [sql::json(&rows)],
        )
        .await?;
        let ids: HashMap<(i64, Date), i64> = ids
            .into_iter()
            .map(|(department, workday, id)| ((department, day(&workday)), id))
            .collect();
        let at = at.as_millisecond();
        let mut lines = String::new();
        for (sheet, line) in reports {
            let id = ids.get(sheet).ok_or_else(|| {
                DbErr::RecordNotFound(format!(
                    "the sheet of department {} and {}",
                    sheet.0, sheet.1
                ))
            })?;
            lines.push_str(&format!("{id}\t{at}\t{at}\t{line}"));
        }
        let names: Vec<_> = REPORT_COLUMNS[1..PLAIN]
            .iter()
            .map(|(name, _)| *name)
            .collect();
        let copy = format!(
            "COPY attendance_reports (attendance_id, since_ms, judged_at_ms, {}) FROM STDIN",
            names.join(", ")
        );
        self.tx.copy(copy, lines).await?;
        Ok(())
    }

    /// The sheets of the reports exist. What is closed stays on its sheet, wherever the person works now. A report without a cause
    /// reads as before. The columns beyond those of the rows become what they are by default.
    async fn upsert_reports(
        &self,
        columns: &[(&str, Column)],
        rows: JsonRows,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        if rows.is_empty() {
            return Ok(());
        }
        let names = |columns: &[(&str, Column)], form: fn(&str) -> String| {
            let names = columns.iter().map(|(name, _)| form(name));
            names.collect::<Vec<_>>().join(", ")
        };
        let own = &columns[1..]; // the department chooses the sheet
        sql::run(
            &self.tx,
            &format!(
                "INSERT INTO attendance_reports (attendance_id, {}, since_ms, judged_at_ms) SELECT a.id, {}, $2, $2 FROM {} \
                 CROSS JOIN attendances a WHERE a.department_id = r.department_id AND a.workday = r.workday \
                 ON CONFLICT (employee_id, workday) DO UPDATE SET attendance_id = CASE WHEN excluded.stage = 'locked' \
                 THEN attendance_reports.attendance_id ELSE excluded.attendance_id END, {}, judged_at_ms = excluded.judged_at_ms, \
                 since_ms = CASE WHEN excluded.cause = '' THEN attendance_reports.since_ms ELSE excluded.since_ms END, \
                 cause = CASE WHEN excluded.cause = '' THEN attendance_reports.cause ELSE excluded.cause END",
                names(own, str::to_owned),
                names(own, |name| format!("r.{name}")),
                sql::json_rows(self.backend(), 1, "r", columns),
                names(&REPORT_COLUMNS[2..], |name| format!("{name} = excluded.{name}")),
            ),
            [rows.into(), at.as_millisecond().into()],
        )
        .await?;
        Ok(())
    }

    /// The same reports, judged once more.
    async fn confirm_reports(&self, days: JsonRows, at: Timestamp) -> Result<(), StoreError> {
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
            [days.into(), at.as_millisecond().into()],
        )
        .await?;
        Ok(())
    }

    /// The reports still say what is written in `rows`.
    async fn insert_versions(&self, rows: JsonRows) -> Result<(), StoreError> {
        if rows.is_empty() {
            return Ok(());
        }
        sql::run(
            &self.tx,
            &format!(
                "INSERT INTO report_versions (employee_id, workday, body, judged_at_ms, cause) \
                 SELECT a.employee_id, a.workday, r.body, a.since_ms, a.cause FROM {} CROSS JOIN attendance_reports a \
                 WHERE a.employee_id = r.employee_id AND a.workday = r.workday",
                sql::json_rows(
                    self.backend(),
                    1,
                    "r",
                    &[
                        ("employee_id", Column::Int),
                        ("workday", Column::Text),
                        ("body", Column::Text),
                    ]
                )
            ),
            [rows.into()],
        )
        .await?;
        Ok(())
    }

    /// That there is no report any more is a version of its own.
    async fn delete_reports(&self, gone: JsonRows, at: Timestamp) -> Result<(), StoreError> {
        if gone.is_empty() {
            return Ok(());
        }
        let [employee, workday] = DAY_COLUMNS;
        let columns = [employee, workday, ("cause", Column::Text)];
        let table = sql::json_rows(self.backend(), 1, "r", &columns);
        let gone = sea_orm::Value::from(gone);
        sql::run(
            &self.tx,
            &format!(
                "INSERT INTO report_versions (employee_id, workday, body, judged_at_ms, cause) \
                 SELECT a.employee_id, a.workday, $2, $3, r.cause FROM {table} CROSS JOIN attendance_reports a \
                 WHERE a.employee_id = r.employee_id AND a.workday = r.workday"
            ),
            [gone.clone(), body(None).into(), at.as_millisecond().into()],
        )
        .await?;
        sql::run(
            &self.tx,
            &format!(
                "DELETE FROM attendance_reports WHERE (employee_id, workday) IN (SELECT r.employee_id, r.workday FROM {table})"
            ),
            [gone],
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
struct ReportRow<'a> {
    employee: i64,
    workday: String,
    /// Why it says something else than before; empty if it does not.
    cause: &'a str,
    says: ReportFields,
    keeps: Keeps,
}

/// Of departments and days.
const SHEET_COLUMNS: [(&str, Column); 2] =
    [("department_id", Column::Int), ("workday", Column::Text)];

/// What a [`ReportRow`] is written as, in order: all but the first are columns of the table. Those of a [`PLAIN`] row come first.
const REPORT_COLUMNS: [(&str, Column); 27] = [
    ("department_id", Column::Int),
    ("cause", Column::Text),
    ("employee_id", Column::Int),
    ("workday", Column::Text),
    ("status", Column::Text),
    ("stage", Column::Text),
    ("shift", Column::Text),
    ("letter", Column::Text),
    ("first_in", Column::Text),
    ("first_in_ms", Column::Int),
    ("last_out", Column::Text),
    ("last_out_ms", Column::Int),
    ("planned_min", Column::Int),
    ("worked_min", Column::Int),
    ("reason", Column::Text),
    ("late_min", Column::Int),
    ("early_min", Column::Int),
    ("overtime_min", Column::Int),
    ("night_min", Column::Int),
    ("overtime_levels", Column::Text),
    ("exceptions", Column::Text),
    ("pending", Column::Text),
    ("leave_part", Column::Text),
    ("changes_after_close", Column::Text),
    ("recheck_at_ms", Column::Int),
    ("waits_for_device_id", Column::Int),
    ("waits_below_ms", Column::Int),
];

/// How many columns a report has of which nothing more is to be said: the others are as the table has them by default. Most
/// reports are such, and half of what saving one costs is to take its columns out of the JSON.
const PLAIN: usize = 14;

/// The rest of the columns by default.
const NOTHING_MORE: [Cell<'_>; REPORT_COLUMNS.len() - PLAIN] = [
    Cell::Text(""),
    Cell::Int(0),
    Cell::Int(0),
    Cell::Int(0),
    Cell::Int(0),
    Cell::Text("[]"),
    Cell::Text(""),
    Cell::Text(""),
    Cell::Text(""),
    Cell::Text(""),
    Cell::Null,
    Cell::Null,
    Cell::Null,
];

/// Those of [`ReportFields`], in its order.
const SAYS: std::ops::Range<usize> = 4..24;

impl ReportRow<'_> {
    /// Of [`REPORT_COLUMNS`], in order.
    fn cells(&self) -> [Cell<'_>; REPORT_COLUMNS.len()] {
        let (says, keeps) = (&self.says, &self.keeps);
        [
            keeps.department.into(),
            Cell::Text(self.cause),
            self.employee.into(),
            (&self.workday).into(),
            (&says.status).into(),
            (&says.stage).into(),
            (&says.shift).into(),
            (&says.letter).into(),
            (&says.first_in).into(),
            says.first_in_ms.into(),
            (&says.last_out).into(),
            says.last_out_ms.into(),
            says.planned_min.into(),
            says.worked_min.into(),
            (&says.reason).into(),
            says.late_min.into(),
            says.early_min.into(),
            says.overtime_min.into(),
            says.night_min.into(),
            (&says.overtime_levels).into(),
            (&says.exceptions).into(),
            (&says.pending).into(),
            (&says.leave_part).into(),
            (&says.changes_after_close).into(),
            keeps.recheck_at_ms.into(),
            keeps.waits_for.into(),
            keeps.waits_below_ms.into(),
        ]
    }
}

/// A stored report, with what is said of closed days.
pub(crate) struct Around {
    pub employee: EmployeeId,
    pub workday: Date,
    pub report: StoredReport,
    /// The sheet is closed, and this is what the report said then (R110).
    pub locked: Option<ReportFields>,
}

/// The stored reports of the days from one to another, both inclusive, of these people, and those of closed days from a first to a
/// last around them. `spans` are rows of person, first, from, to and last.
pub(crate) async fn around<C: ConnectionTrait>(
    db: &C,
    spans: &[(i64, String, String, String, String)],
) -> Result<Vec<Around>, StoreError> {
    let backend = db.get_database_backend();
    let table = sql::json_rows(
        backend,
        1,
        "r",
        &[
            ("employee_id", Column::Int),
            ("first_day", Column::Text),
            ("from_day", Column::Text),
            ("to_day", Column::Text),
            ("last_day", Column::Text),
        ],
    );
    let columns = format!(
        "a.employee_id, a.workday, a.judged_at_ms, a.since_ms, s.locked_ms, CASE WHEN a.since_ms > s.locked_ms THEN \
         (SELECT v.body FROM report_versions v WHERE v.employee_id = a.employee_id AND v.workday = a.workday \
         AND v.judged_at_ms <= s.locked_ms ORDER BY v.id DESC LIMIT 1) END, {}, {}",
        sql::fields(backend, &says_of("a")),
        sql::fields(
            backend,
            "s.department_id, a.recheck_at_ms, a.waits_for_device_id, a.waits_below_ms"
        ),
    );
    let rest = format!(
        "FROM {table} {} CROSS JOIN attendances s WHERE s.id = a.attendance_id \
         AND (s.locked_ms IS NOT NULL OR a.workday >= r.from_day AND a.workday <= r.to_day)",
        sql::each(
            backend,
            "attendance_reports",
            "a",
            "a.employee_id = r.employee_id AND a.workday >= r.first_day AND a.workday <= r.last_day"
        )
    );
    type Row = (
        i64,
        String,
        i64,
        i64,
        Option<i64>,
        Option<String>,
        ReportFields,
        Keeps,
    );
    let rows = sql::list::<Row, _>(db, &columns, &rest, [sql::json(spans)]).await?;
    let reports = rows.into_iter().map(
        |(employee, workday, judged_at, since, locked, earlier, says, keeps)| {
            let locked = match (locked, earlier) {
                (Some(locked), _) if since <= locked => Some(says.clone()),
                (_, Some(body)) => read_body(&body)?,
                _ => None,
            };
            Ok(Around {
                employee: EmployeeId(employee),
                workday: day(&workday),
                report: StoredReport {
                    says,
                    judged_at: instant(judged_at),
                    keeps,
                },
                locked,
            })
        },
    );
    reports.collect()
}

/// The body of a version: what a report said; `None` where there was none any more.
fn body(says: Option<&ReportFields>) -> String {
    serde_json::to_string(&says).expect("texts and numbers always serialise")
}

/// What [`body`] wrote.
pub(crate) fn read_body(body: &str) -> Result<Option<ReportFields>, StoreError> {
    serde_json::from_str(body).map_err(corrupt_report)
}

/// The columns of [`ReportFields`].
fn says_of(alias: &str) -> String {
    let names = REPORT_COLUMNS[SAYS].iter();
    let names: Vec<_> = names.map(|(name, _)| format!("{alias}.{name}")).collect();
    names.join(", ")
}

/// An expression for `SELECT`: what a row of `attendance_reports` says, as [`read_body`] reads it too.
pub(crate) fn body_of(backend: DbBackend, alias: &str) -> String {
    sql::json_array(backend, &says_of(alias))
}

fn corrupt_report(source: serde_json::Error) -> StoreError {
    StoreError::Corrupt {
        what: "report",
        source,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::on_both_databases;
    use crate::testing::{device, employee, site};

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_millisecond(ms).unwrap()
    }

    on_both_databases! {
        async fn a_report_is_stored_with_everything_it_says_and_then_with_no_more_than_it_says(store: Store) {
            let tx = store.begin_write().await.unwrap();
            let site = site(&tx).await;
            let (person, gate) = (employee(&tx, site, "1").await, device(&tx, site, "G").await);
            let department = "SELECT department_id FROM employees WHERE id = $1";
            let department = sql::one(&tx.tx, department, [person.0.into()]).await.unwrap().unwrap();
            let department = DepartmentId(department.try_get_by_index(0).unwrap());
            let day: Date = "2026-03-02".parse().unwrap();
            let save = async |report: &Report| {
                tx.mark_days([(person, day)], "test").await.unwrap();
                let claim = tx.claim_from("judge", at(100), at(200), Date::MIN, 9).await.unwrap();
                let days = || day.to_string();
                let stored = async || around(&tx.tx, &[(person.0, days(), days(), days(), days())]).await.unwrap().pop();
                let before = stored().await.map(|around| around.report);
                let mut judged = JudgedDays::new(&store, at(50));
                let waits_for = report.waits.is_some().then_some(gate);
                judged.add(person, department, report, "test", waits_for, before.as_ref());
                tx.save_reports(&claim, judged, &BTreeMap::new()).await.unwrap();
                let kept = stored().await.unwrap().report;
                assert_eq!(kept.says, ReportFields::from(report));
                assert_eq!(ReportFields::from(&kept.says.report(day).unwrap()), kept.says);
                kept.keeps
            };
            let plain = json!({
                "workday": day,
                "status": "present",
                "stage": "final",
                "shift": "Day\tand \\night\r\n\\N",
                "first_in": { "wall": "2026-03-02T08:55:00", "instant": "2026-03-02T07:55:00Z" },
                "last_out": { "wall": "2026-03-02T18:05:00", "instant": "2026-03-02T17:05:00Z" },
                "planned_min": 480,
                "worked_min": 490,
            });
            let report = |value: &serde_json::Value| serde_json::from_value::<Report>(value.clone()).unwrap();
            let nothing = save(&report(&plain)).await;
            assert_eq!((nothing.recheck_at_ms, nothing.waits_for, nothing.waits_below_ms), (None, None, None));
            for (name, value) in [
                ("reason", json!("no_device")),
                ("late_min", json!(5)),
                ("early_min", json!(5)),
                ("overtime_min", json!(5)),
                ("night_min", json!(5)),
                ("overtime_levels", json!([5])),
                ("exceptions", json!(["off_shift"])),
                ("pending", json!(["missing_out"])),
                ("leave_part", json!("first_half")),
                ("changes_after_close", json!(["status"])),
                ("recheck_at", json!("2026-03-02T20:00:00Z")),
                ("waits", json!({ "device": "G", "below": "2026-03-02T20:00:00Z" })),
            ] {
                let mut more = plain.clone();
                more[name] = value;
                let keeps = save(&report(&more)).await;
                let until = Some("2026-03-02T20:00:00Z".parse::<Timestamp>().unwrap().as_millisecond());
                assert_eq!(keeps.recheck_at_ms, until.filter(|_| name == "recheck_at"), "{name}");
                let waits = (name == "waits").then_some(gate.0);
                assert_eq!((keeps.waits_for, keeps.waits_below_ms), (waits, until.filter(|_| name == "waits")), "{name}");
                assert_eq!(save(&report(&plain)).await, nothing, "{name} is gone again");
            }
        }

        async fn a_report_nobody_knew_of_loses_no_mark(store: Store) {
            let tx = store.begin_write().await.unwrap();
            let site = site(&tx).await;
            let person = employee(&tx, site, "1").await;
            let department = "SELECT department_id FROM employees WHERE id = $1";
            let department = sql::one(&tx.tx, department, [person.0.into()]).await.unwrap().unwrap();
            let department = DepartmentId(department.try_get_by_index(0).unwrap());
            let day: Date = "2026-03-02".parse().unwrap();
            crate::testing::report(&tx, person, "2026-03-02").await;
            tx.mark_days([(person, day)], "test").await.unwrap();
            let claim = tx.claim_from("judge", at(100), at(200), Date::MIN, 9).await.unwrap();
            tx.commit().await.unwrap();
            let report = serde_json::from_value(json!({ "workday": day, "status": "absent", "stage": "final" })).unwrap();
            let mut judged = JudgedDays::new(&store, at(50));
            judged.add(person, department, &report, "test", None, None);
            let tx = store.begin_write().await.unwrap();
            let saved = tx.save_reports(&claim, judged, &BTreeMap::new()).await;
            if store.backend() == DbBackend::Postgres {
                assert!(saved.is_err(), "it was to be new");
                drop(tx);
                assert!(crate::testing::marked_days(&store, person).await.contains(&day));
            } else {
                assert_eq!(saved.unwrap(), [(person, day)], "written over");
            }
        }
    }
}

//! A fresh, migrated database for each test, on SQLite and on PostgreSQL.
//!
//! Tests are written once:
//!
//! ```ignore
//! store::on_both_databases! {
//!     async fn a_punch_is_stored_once(store: Store) {
//!         let tx = store.begin_write().await.unwrap();
//!     }
//! }
//! ```

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::pin;
use std::task::Poll;

use attendance::{DepartmentId, DeviceId, EmployeeId, SiteId, Way};
use jiff::civil::Date;
use sea_orm::sqlx::{self, AssertSqlSafe, Connection, Executor, PgConnection};

use crate::devices::{DeviceFields, NewDevice};
use crate::people::EmployeeFields;
use crate::reports::ReportFields;
use crate::{Author, Store, WriteTx, sql};

/// Where PostgreSQL is: a URL of a user who may create databases.
pub const POSTGRES_URL: &str = "MUSTER_TEST_POSTGRES";

/// Makes two tests of each function, `name::sqlite` and `name::postgres`, each with a [`Store`] of its own.
#[macro_export]
macro_rules! on_both_databases {
    ($($(#[$meta:meta])* async fn $name:ident($store:ident: $type:ty) $body:block)*) => {$(
        $(#[$meta])*
        mod $name {
            #[allow(unused_imports)]
            use super::*;

            #[tokio::test]
            async fn sqlite() {
                $crate::testing::on_sqlite(async |$store: $type| $body).await;
            }

            #[tokio::test]
            async fn postgres() {
                $crate::testing::on_postgres(async |$store: $type| $body).await;
            }
        }
    )*};
}

/// Runs a test on a SQLite file that is removed afterwards.
pub async fn on_sqlite(test: impl AsyncFnOnce(Store)) {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let url = format!("sqlite://{}", folder.path().join("muster.db").display());
    let store = Store::open(&url).await.expect("a new file can be opened");
    store.migrate().await.expect("a new file can be migrated");
    test(store).await;
}

/// Runs a test on a PostgreSQL database that is removed afterwards, also when the test fails.
///
/// # Panics
/// When `MUSTER_TEST_POSTGRES` is not set: a test is never skipped silently.
pub async fn on_postgres(test: impl AsyncFnOnce(Store)) {
    let database = PostgresDatabase::create().await;
    let store = Store::open(&database.url).await.expect("it was just made");
    let mut test = pin!(test(store.clone()));
    let outcome = std::future::poll_fn(|context| {
        match catch_unwind(AssertUnwindSafe(|| test.as_mut().poll(context))) {
            Ok(poll) => poll.map(Ok),
            Err(panic) => Poll::Ready(Err(panic)),
        }
    })
    .await;
    database.remove().await;
    if let Err(panic) = outcome {
        resume_unwind(panic);
    }
}

/// A PostgreSQL database of one test, with all tables.
#[derive(Debug)]
pub struct PostgresDatabase {
    pub url: String,
    admin_url: String,
    name: String,
}

impl PostgresDatabase {
    /// Copies the migrated template, which the first test of all makes.
    pub async fn create() -> Self {
        let admin_url = std::env::var(POSTGRES_URL).unwrap_or_else(|_| {
            panic!("{POSTGRES_URL} is not set: run `cargo xtask test`, which starts a throw-away cluster")
        });
        let mut admin = PgConnection::connect(&admin_url)
            .await
            .unwrap_or_else(|error| {
                panic!("{POSTGRES_URL}={admin_url} cannot be reached: {error}")
            });
        let template = template(&mut admin, &admin_url).await;
        let name = format!("test_{}", crate::secrets::random_token());
        execute(
            &mut admin,
            format!("CREATE DATABASE \"{name}\" TEMPLATE \"{template}\""),
        )
        .await;
        Self {
            url: with_database(&admin_url, &name),
            admin_url,
            name,
        }
    }

    pub async fn remove(self) {
        let mut admin = PgConnection::connect(&self.admin_url)
            .await
            .expect("it was reached before");
        execute(
            &mut admin,
            format!("DROP DATABASE \"{}\" WITH (FORCE)", self.name),
        )
        .await;
    }
}

/// The name of a migrated database to copy. Test processes run at the same time, so it is made under a lock and renamed
/// when it is complete; its name says which schema it has.
async fn template(admin: &mut PgConnection, admin_url: &str) -> String {
    let mut hasher = DefaultHasher::new();
    crate::migrations::SOURCES.hash(&mut hasher);
    let name = format!("template_{:016x}", hasher.finish());
    let exists = async |admin: &mut PgConnection| {
        sqlx::query("SELECT 1 FROM pg_database WHERE datname = $1")
            .bind(&name)
            .fetch_optional(admin)
            .await
            .expect("the catalogue can be read")
            .is_some()
    };
    if exists(admin).await {
        return name;
    }
    execute(admin, "SELECT pg_advisory_lock(4370)".into()).await;
    if !exists(admin).await {
        let draft = format!("draft_{}", crate::secrets::random_token());
        // The order of texts must not depend on the machine.
        execute(
            admin,
            format!("CREATE DATABASE \"{draft}\" TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C'"),
        )
        .await;
        let store = Store::open(&with_database(admin_url, &draft))
            .await
            .expect("it was just made");
        store
            .migrate()
            .await
            .expect("a new database can be migrated");
        store.close().await.expect("connections can be closed");
        execute(
            admin,
            format!("ALTER DATABASE \"{draft}\" RENAME TO \"{name}\""),
        )
        .await;
    }
    execute(admin, "SELECT pg_advisory_unlock(4370)".into()).await;
    name
}

async fn execute(admin: &mut PgConnection, sql: String) {
    admin
        .execute(AssertSqlSafe(sql.clone()))
        .await
        .unwrap_or_else(|error| panic!("{sql}: {error}"));
}

fn with_database(url: &str, name: &str) -> String {
    let (server, _) = url
        .rsplit_once('/')
        .expect("a URL of a database has a path");
    format!("{server}/{name}")
}

/// The command line, on a Wednesday morning.
pub fn author() -> Author {
    Author {
        account: None,
        at: "2026-05-06T08:00:00Z".parse().expect("it is an instant"),
    }
}

/// Somebody with this address who has not chosen a password yet, and whose account it is.
pub fn new_account(
    email: &str,
    role: crate::accounts::Role,
    employee: Option<EmployeeId>,
) -> crate::accounts::NewAccount {
    crate::accounts::NewAccount {
        email: email.to_owned(),
        name: email.to_owned(),
        password_hash: String::new(),
        roles: [role].into(),
        employee,
    }
}

/// A site, its department Weaving, somebody there, and somebody who has no department.
pub async fn weaving_and_others(tx: &WriteTx) -> (SiteId, DepartmentId, EmployeeId, EmployeeId) {
    let berlin = site(tx).await;
    let weaving = tx.add_department(berlin, "Weaving", author()).await;
    let weaving = weaving.expect("a department can be added");
    let mut fields = employee_fields(berlin, "1");
    fields.department = Some(weaving);
    let ada = tx.add_employee(&fields, author()).await;
    let bo = tx
        .add_employee(&employee_fields(berlin, "2"), author())
        .await;
    let [ada, bo] = [ada, bo].map(|added| added.expect("somebody can be added"));
    (berlin, weaving, ada, bo)
}

/// A site on Berlin time.
pub async fn site(tx: &WriteTx) -> SiteId {
    tx.add_site("Berlin", "Europe/Berlin", author())
        .await
        .expect("a first site can be added")
}

/// Somebody with this code, and nothing else by which a device could know them.
pub fn employee_fields(site: SiteId, code: &str) -> EmployeeFields {
    EmployeeFields {
        code: code.to_owned(),
        first_name: format!("Person {code}"),
        last_name: String::new(),
        username: None,
        email: None,
        device_user_id: None,
        site,
        department: None,
        shift: None,
        week_pattern: None,
        weekly_off: None,
        employed_from: None,
        employed_to: None,
    }
}

pub async fn employee(tx: &WriteTx, site: SiteId, code: &str) -> EmployeeId {
    tx.add_employee(&employee_fields(site, code), author())
        .await
        .expect("a code that is not taken can be added")
}

/// A device with an address, polled every five minutes.
pub fn device_fields(site: SiteId, serial_number: &str) -> DeviceFields {
    DeviceFields {
        kind: "zk".to_owned(),
        serial_number: serial_number.to_owned(),
        name: format!("Gate {serial_number}"),
        site,
        address: Some("192.0.2.1".to_owned()),
        port: None,
        transport: None,
        username: None,
        mode: vec![Way::Poll],
        enabled: true,
        direction: "none".to_owned(),
        set_clock: false,
        poll_interval_secs: 300,
    }
}

pub async fn device(tx: &WriteTx, site: SiteId, serial_number: &str) -> DeviceId {
    let new = NewDevice {
        fields: device_fields(site, serial_number),
        password: None,
        comm_key: None,
        zone: None,
    };
    tx.add_device(&new, author())
        .await
        .expect("a serial number that is not taken can be added")
}

/// A report of a day, as if it had been judged.
pub async fn report(tx: &WriteTx, employee: EmployeeId, workday: &str) {
    let department = "SELECT department_id FROM employees WHERE id = $1";
    for sql in [
        format!(
            "INSERT INTO attendances (department_id, workday) VALUES (({department}), $2) ON CONFLICT DO NOTHING"
        ),
        format!(
            "INSERT INTO attendance_reports (attendance_id, employee_id, workday, status, stage, since_ms, cause, judged_at_ms) \
             SELECT id, $1, workday, 'present', 'final', 0, 'test', 0 FROM attendances \
             WHERE department_id = ({department}) AND workday = $2"
        ),
    ] {
        sql::run(&tx.tx, &sql, [employee.0.into(), workday.into()])
            .await
            .expect("an employee has a department");
    }
}

/// The same with a status, a first in as site wall text, and how late that is.
pub async fn report_saying(
    tx: &WriteTx,
    employee: EmployeeId,
    workday: &str,
    status: &str,
    first_in: Option<&str>,
    late_min: i64,
) {
    report(tx, employee, workday).await;
    let employment = tx
        .employment(employee)
        .await
        .expect("an employee works somewhere");
    let first_in_ms = first_in.map(|wall| {
        let at = employment.zone.to_timestamp(crate::times::wall(wall));
        at.expect("a wall time is an instant").as_millisecond()
    });
    let changed = sql::run(
        &tx.tx,
        "UPDATE attendance_reports SET status = $3, first_in = $4, late_min = $5, first_in_ms = $6, shift = 'General' \
         WHERE employee_id = $1 AND workday = $2",
        [
            employee.0.into(),
            workday.into(),
            status.into(),
            first_in.map(str::to_owned).into(),
            late_min.into(),
            first_in_ms.into(),
        ],
    )
    .await;
    assert_eq!(changed.expect("the report can be written"), 1);
}

/// Gives an account other roles, comma-separated.
pub async fn set_roles(store: &Store, account: attendance::AccountId, roles: &str) {
    let tx = store.begin_write().await.expect("a test may write");
    let set = "UPDATE accounts SET roles = $2 WHERE id = $1";
    let changed = sql::run(&tx.tx, set, [account.0.into(), roles.into()]).await;
    assert_eq!(changed.expect("the account can be written"), 1);
    tx.commit().await.expect("a test may write");
}

/// The same database as another process has it.
pub async fn another_node(store: &Store) -> Store {
    Store::open(&store.url).await.expect("it is open already")
}

/// The days of somebody that wait to be judged, the earliest first.
pub async fn marked_days(store: &Store, employee: EmployeeId) -> Vec<Date> {
    let query = "SELECT workday FROM marked_days WHERE employee_id = $1 ORDER BY workday";
    let rows = sql::all(store.read(), query, [employee.0.into()]).await;
    rows.expect("the marks can be read")
        .iter()
        .map(|row| row.try_get_by_index::<String>(0).expect("it is a text"))
        .map(|workday| workday.parse().expect("it is a date"))
        .collect()
}

/// Every punch of a device by its wall time: device user, time, state, verify mode, and the ways it was seen.
pub async fn punches_of(store: &Store, device: DeviceId) -> Vec<String> {
    let ways = match store.backend() {
        sea_orm::DbBackend::Postgres => "string_agg(way, '+' ORDER BY way)",
        _ => "group_concat(way, '+' ORDER BY way)",
    };
    let query = format!(
        "SELECT user_id || ' ' || clock || ' ' || state || ' ' || verify || ' ' || \
         (SELECT {ways} FROM punch_sightings s WHERE s.punch_id = p.id) \
         FROM punches p WHERE device_id = $1 ORDER BY clock, user_id"
    );
    let rows = sql::all(store.read(), &query, [device.0.into()]).await;
    rows.expect("punches can be read")
        .iter()
        .map(|row| row.try_get_by_index(0).expect("it is a text"))
        .collect()
}

/// How many rows a table has.
pub async fn count_rows(store: &Store, table: &str) -> u64 {
    let row = crate::sql::one(store.read(), &format!("SELECT COUNT(*) FROM {table}"), [])
        .await
        .expect("the table can be read")
        .expect("a count is one row");
    let count: i64 = row.try_get_by_index(0).expect("a count is a number");
    count.unsigned_abs()
}

/// Changes the database behind everybody's back.
pub async fn tamper(store: &Store, statement: &str) {
    let tx = store.begin_write().await.expect("a test may write");
    let done = sql::run(&tx.tx, statement, []).await;
    done.expect("a test may write");
    tx.commit().await.expect("a test may write");
}

/// Makes a stored report say something the judge would not.
pub async fn tamper_with_report(store: &Store, employee: EmployeeId, workday: Date) {
    let tx = store.begin_write().await.expect("a test may write");
    let changed = sql::run(
        &tx.tx,
        "UPDATE attendance_reports SET worked_min = worked_min + 1 WHERE employee_id = $1 AND workday = $2",
        [employee.0.into(), workday.to_string().into()],
    )
    .await;
    assert_eq!(changed.expect("the report can be written"), 1);
    tx.commit().await.expect("a test may write");
}

/// A report that says only what is given.
pub fn report_fields(status: &str, letter: &str) -> ReportFields {
    ReportFields {
        status: status.to_owned(),
        stage: "final".to_owned(),
        reason: String::new(),
        shift: String::new(),
        first_in: None,
        first_in_ms: None,
        last_out: None,
        last_out_ms: None,
        planned_min: 0,
        worked_min: 0,
        late_min: 0,
        early_min: 0,
        overtime_min: 0,
        night_min: 0,
        overtime_levels: "[]".to_owned(),
        exceptions: String::new(),
        pending: String::new(),
        leave_part: String::new(),
        letter: letter.to_owned(),
        changes_after_close: String::new(),
    }
}

/// Many reports, over those that are there, as if they had been judged.
pub async fn bulk_reports(tx: &WriteTx, reports: &[(EmployeeId, String, ReportFields)]) {
    let rows: Vec<_> = reports
        .iter()
        .map(|(employee, workday, says)| {
            let times = (
                &says.first_in,
                says.first_in_ms,
                &says.last_out,
                says.last_out_ms,
            );
            let minutes = [
                says.planned_min,
                says.worked_min,
                says.late_min,
                says.early_min,
                says.overtime_min,
                says.night_min,
            ];
            let mut row = serde_json::json!([
                employee.0,
                workday,
                says.status,
                says.stage,
                says.reason,
                says.shift,
                times.0,
                times.1,
                times.2,
                times.3,
                says.overtime_levels,
                says.exceptions,
                says.pending,
                says.leave_part,
                says.letter,
                says.changes_after_close
            ]);
            let row_values = row.as_array_mut().expect("it is an array");
            row_values.extend(minutes.map(serde_json::Value::from));
            row
        })
        .collect();
    use sql::Column::{Int, Text};
    let columns = [
        ("employee_id", Int),
        ("workday", Text),
        ("status", Text),
        ("stage", Text),
        ("reason", Text),
        ("shift", Text),
        ("first_in", Text),
        ("first_in_ms", Int),
        ("last_out", Text),
        ("last_out_ms", Int),
        ("overtime_levels", Text),
        ("exceptions", Text),
        ("pending", Text),
        ("leave_part", Text),
        ("letter", Text),
        ("changes_after_close", Text),
        ("planned_min", Int),
        ("worked_min", Int),
        ("late_min", Int),
        ("early_min", Int),
        ("overtime_min", Int),
        ("night_min", Int),
    ];
    let table = sql::json_rows(tx.backend(), 1, "r", &columns);
    let names = columns.map(|(name, _)| name).join(", ");
    let values = columns.map(|(name, _)| format!("r.{name}")).join(", ");
    for text in [
        format!(
            "INSERT INTO attendances (department_id, workday) SELECT DISTINCT e.department_id, r.workday FROM {table} \
             JOIN employees e ON e.id = r.employee_id WHERE true ON CONFLICT DO NOTHING"
        ),
        format!(
            "DELETE FROM attendance_reports WHERE (employee_id, workday) IN (SELECT r.employee_id, r.workday FROM {table})"
        ),
        format!(
            "INSERT INTO attendance_reports (attendance_id, since_ms, cause, judged_at_ms, {names}) SELECT a.id, 0, 'test', 0, {values} FROM {table} \
             JOIN employees e ON e.id = r.employee_id \
             JOIN attendances a ON a.department_id = e.department_id AND a.workday = r.workday"
        ),
    ] {
        sql::run(&tx.tx, &text, [sql::json(&rows)])
            .await
            .expect("an employee has a department");
    }
}

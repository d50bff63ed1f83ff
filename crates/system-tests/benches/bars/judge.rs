//! The judgement of a month, apart from terminals: the engine by itself, a company from its stored punches on both databases, and
//! three years of one person after a mapping.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use attendance::{
    Device, DeviceUserId, Direction, Employee, EmployeeId, EvidencePunch, Inputs, PlannedShift,
    Policy, Punch, PunchState, Relevance, Roster, RosterPlan, RosterValue, Source, VerifyMode, Way,
};
use ingest::{Batch, Clock, Contact};
use jiff::civil::{Date, DateTime, date};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use store::identity::NewLink;
use store::testing::{PostgresDatabase, count_rows};

use crate::bare::Bare;
use crate::company::Company;
use crate::table::{Row, median, millis, ratio};

const PEOPLE: usize = 10_000;
const DAYS: i64 = 31;
const TERMINALS: usize = 10;
const RUNS: usize = 3;
const ZONE: &str = "Europe/Berlin";
const FIRST: Date = date(2026, 10, 1);
/// After the last window of the month.
const NOW: &str = "2026-11-02T09:00:00Z";

pub fn engine() -> Vec<Row> {
    vec![pure_row()]
}

pub fn on_sqlite() -> Vec<Row> {
    let judged = runtime().block_on(sqlite_runs());
    vec![company_row("SQLite", &judged)]
}

/// Nothing where no PostgreSQL is at hand.
pub fn on_postgres() -> Vec<Row> {
    if std::env::var_os("MUSTER_TEST_POSTGRES").is_none() {
        return Vec::new();
    }
    let judged = runtime().block_on(postgres_runs());
    vec![company_row("PostgreSQL", &judged)]
}

pub fn mapping() -> Vec<Row> {
    vec![runtime().block_on(mapping_row())]
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Runtime::new().expect("a runtime")
}

/// Simple days: one shift, in and out, one terminal, everything covered.
fn pure_row() -> Row {
    let zone = TimeZone::get(ZONE).expect("a zone");
    let policy = Policy::default();
    let shift = serde_json::from_value(serde_json::json!({
        "segments": [{ "start": "09:00", "end": "18:00" }],
        "breaks": [{ "kind": "fixed", "start": "13:00", "end": "14:00" }],
    }));
    let shift = shift.expect("a shift of the engine");
    let planned = PlannedShift::new("Day", shift, &policy).expect("it can be planned");
    let now: Timestamp = NOW.parse().expect("an instant");
    let days: Vec<Date> = (0..DAYS).map(|day| FIRST + day.days()).collect();
    let at = |wall: DateTime| zone.to_timestamp(wall).expect("an instant");
    let punches = days.iter().enumerate().flat_map(|(day, date)| {
        [date.at(8, 55, 0, 0), date.at(18, 5, 0, 0)]
            .into_iter()
            .enumerate()
            .map(move |(side, wall)| (2 * day + side, wall))
    });
    let punches = punches.map(|(id, wall)| EvidencePunch {
        id: id.to_string().into(),
        device: Some(0),
        wall,
        instant: at(wall),
        received_at: Some(at(wall)),
        state: PunchState::None,
        source: Source::Device,
        suspect: false,
        released: false,
    });
    let name: Arc<str> = Arc::clone(&planned.name);
    let inputs = Inputs {
        devices: vec![Device {
            id: "GATE".into(),
            zone: zone.clone(),
            direction: Direction::None,
            relevant: Some(Relevance::default()),
            covered_to: Some(now),
            gaps: Vec::new(),
            lag_min: 15,
        }],
        punches: punches.collect(),
        shifts: Arc::new(BTreeMap::from([(Arc::clone(&name), planned)])),
        roster: Roster {
            plan: RosterPlan {
                week: std::array::from_fn(|_| Some(RosterValue::Shifts(vec![Arc::clone(&name)]))),
                ..RosterPlan::default()
            },
            ..Roster::default()
        },
        ..Inputs::default()
    };
    let employee = Employee {
        zone,
        employed_from: None,
        employed_to: None,
    };
    let months = 4000;
    let runs = (0..RUNS).map(|_| {
        let began = Instant::now();
        for _ in 0..months {
            let judged = attendance::judge_unexplained(
                black_box(&employee),
                &days,
                black_box(&inputs),
                &policy,
                now,
            );
            assert_eq!(black_box(judged).reports.len(), days.len());
        }
        began.elapsed()
    });
    let took = median(runs);
    let a_second = f64::from(months) * DAYS as f64 / took.as_secs_f64();
    Row {
        what: "the engine alone, simple days, one core".to_owned(),
        result: format!("{a_second:.0} employee-days/s"),
        floor: None,
        ratio: None,
        bar: "≥ 1,000,000 employee-days/s",
        met: a_second >= 1e6,
    }
}

struct Judged {
    took: Duration,
    again: Duration,
    floor: Duration,
    reports: u64,
}

fn company_row(database: &str, judged: &Judged) -> Row {
    Row {
        what: format!(
            "{PEOPLE} employees × {DAYS} days judged from stored punches on {database} ({} reports saved; again with nothing \
             different: {})",
            judged.reports,
            millis(judged.again)
        ),
        result: millis(judged.took),
        floor: Some(format!(
            "{} (rows into one bare table)",
            millis(judged.floor)
        )),
        ratio: Some(ratio(judged.took, judged.floor)),
        bar: "≤ 5 s",
        met: judged.took <= Duration::from_secs(5),
    }
}

async fn sqlite_runs() -> Judged {
    let mut runs = Vec::new();
    for _ in 0..RUNS {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let url = format!("sqlite://{}", folder.path().join("muster.db").display());
        runs.push(company(&url).await);
    }
    middle(&runs)
}

async fn postgres_runs() -> Judged {
    let mut runs = Vec::new();
    for _ in 0..RUNS {
        let database = PostgresDatabase::create().await;
        runs.push(company(&database.url).await);
        database.remove().await;
    }
    middle(&runs)
}

fn middle(runs: &[Judged]) -> Judged {
    let of = |of: fn(&Judged) -> Duration| median(runs.iter().map(of));
    Judged {
        took: of(|run| run.took),
        again: of(|run| run.again),
        floor: of(|run| run.floor),
        reports: runs[0].reports,
    }
}

/// Everybody comes and goes once a day, always at the same terminal.
async fn company(url: &str) -> Judged {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let bare = Bare {
        transactions: 1,
        devices: 1,
        rows: PEOPLE * DAYS as usize,
    };
    let began = Instant::now();
    bare.insert(folder.path()).await;
    let floor = began.elapsed();

    let clock = Clock::stopped(NOW.parse().expect("an instant"));
    let company = Company::new(url, ZONE, PEOPLE, clock.clone()).await;
    let names: Vec<_> = (0..TERMINALS)
        .map(|number| (format!("GATE{number:04}"), None))
        .collect();
    let devices = company.add_devices(&names, 300).await;
    for (place, device) in devices.iter().enumerate() {
        let mut punches = Vec::new();
        for day in 0..DAYS {
            let on = FIRST + day.days();
            for (hour, minute) in [(8, 55), (18, 5)] {
                for person in (place..PEOPLE).step_by(TERMINALS) {
                    punches.push(punch(
                        1001 + person,
                        on.at(hour, minute, 0, 0),
                        punches.len(),
                    ));
                }
            }
        }
        let batch = Batch {
            contact: Some(Contact {
                clock: TimeZone::get(ZONE)
                    .expect("a zone")
                    .to_datetime(clock.now()),
                seen_at: clock.now(),
            }),
            complete: true,
            ..Batch::new(*device, Way::Poll, punches)
        };
        let accepted = company.engine.intake.accept(&batch).await;
        accepted.expect("the punches can be stored");
    }
    // Only the month: the days beside it are marked too.
    let began = Instant::now();
    company
        .engine
        .judge
        .drain()
        .await
        .expect("they can be judged");
    let took = began.elapsed();
    let began = Instant::now();
    let judge = &company.engine.judge;
    let last = FIRST + (DAYS - 1).days();
    judge.judge_all(FIRST, last).await.expect("judged again");
    let again = began.elapsed();
    let reports = count_rows(&company.engine.store, "attendance_reports").await;
    eprintln!(
        "   floor {}, judged {}, again {}",
        millis(floor),
        millis(took),
        millis(again)
    );
    assert!(
        reports >= (PEOPLE as u64) * DAYS as u64,
        "every day is judged"
    );
    Judged {
        took,
        again,
        floor,
        reports,
    }
}

fn punch(user: usize, clock: DateTime, record: usize) -> Punch {
    Punch {
        user: DeviceUserId::parse(&user.to_string()).expect("a number is a user id"),
        clock,
        offset: None,
        state: PunchState::None,
        verify: VerifyMode::Finger,
        record: record as u64,
    }
}

/// A device user whom nobody knew is mapped: every day of three years is judged again and can be looked at.
async fn mapping_row() -> Row {
    let years = 3;
    let mut runs = Vec::new();
    for _ in 0..RUNS {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let url = format!("sqlite://{}", folder.path().join("muster.db").display());
        let clock = Clock::stopped(NOW.parse().expect("an instant"));
        let company = Company::new(&url, ZONE, 1, clock.clone()).await;
        let device = company
            .add_devices(&[("GATE0001".to_owned(), None)], 300)
            .await[0];
        let first = date(2023, 11, 1);
        let mut punches = Vec::new();
        for day in 0..years * 365 {
            for hour in [9, 18] {
                let at = (first + i64::from(day).days()).at(hour, 1, 0, 0);
                punches.push(punch(77, at, punches.len()));
            }
        }
        let batch = Batch {
            contact: Some(Contact {
                clock: TimeZone::get(ZONE)
                    .expect("a zone")
                    .to_datetime(clock.now()),
                seen_at: clock.now(),
            }),
            complete: true,
            ..Batch::new(device, Way::Poll, punches)
        };
        company.engine.intake.accept(&batch).await.expect("stored");
        company.engine.judge.drain().await.expect("judged");
        let began = Instant::now();
        map(&company, device, company.people[0]).await;
        company.engine.judge.drain().await.expect("judged");
        let month = store::views::people::days(&company.engine.store, company.people[0].0, 31);
        assert_eq!(month.await.expect("a month").len(), 31);
        runs.push(began.elapsed());
    }
    let took = median(runs);
    Row {
        what: format!(
            "a device user with {years} years of punches is mapped, judged again and shown"
        ),
        result: millis(took),
        floor: None,
        ratio: None,
        bar: "≤ 1 s",
        met: took <= Duration::from_secs(1),
    }
}

async fn map(company: &Company, device: attendance::DeviceId, employee: EmployeeId) {
    let store = &company.engine.store;
    let tx = store.begin_write().await.expect("a transaction");
    let user = DeviceUserId::parse("77").expect("a user id");
    let link = NewLink {
        device,
        user: &user,
        employee,
        from: None,
        to: None,
        origin: "test",
        author: None,
    };
    let now = NOW.parse().expect("an instant");
    tx.link_user(&link, now).await.expect("mapped");
    tx.commit().await.expect("committed");
}

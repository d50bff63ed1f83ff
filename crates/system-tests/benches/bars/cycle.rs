//! One cycle over many terminals, from the wires to the last judged report, on SQLite that keeps every commit.
//!
//! The workers are those of the server; the terminals run in another process. The first cycle brings each terminal's whole
//! log; in the next one nothing is new.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use attendance::DeviceId;
use ingest::Clock;
use jiff::civil::{DateTime, date};
use jiff::{SignedDuration, ToSpan};
use simulators::zk::{self, Record, UserTable, VirtualTerminal};
use store::testing::count_rows;

use crate::bare::Bare;
use crate::company::Company;
use crate::process::{Role, until_told_to_end};
use crate::raw_zk;
use crate::table::{Row, median, millis, ratio};

const TERMINALS: usize = 200;
const RECORDS: usize = 1000;
const PEOPLE: usize = 500;
/// The most days the logs can hold: everybody comes and goes once a day, each day at another terminal.
const MANY_DAYS: usize = TERMINALS * RECORDS / PEOPLE / 2;
const RUNS: usize = 3;
/// A Monday; the logs end on the Friday before.
const NOW: &str = "2026-11-23T09:00:00Z";

pub fn measure() -> Vec<Row> {
    let many = measure_days(MANY_DAYS);
    let one = measure_days(1);
    let what = format!("{TERMINALS} terminals × {RECORDS} records, {PEOPLE} people");
    vec![
        many.first_row(format!("{what}, {MANY_DAYS} days: first cycle")),
        one.first_row(format!("{what}, 1 day: first cycle")),
        many.next_row(),
    ]
}

fn measure_days(days: usize) -> Run {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let runs: Vec<Run> = (0..RUNS).map(|_| runtime.block_on(run(days))).collect();
    let middle = |of: fn(&Run) -> Duration| median(runs.iter().map(of));
    Run {
        floor: middle(|run| run.floor),
        first: middle(|run| run.first),
        next: middle(|run| run.next),
        reports: runs[0].reports,
        written_next: runs
            .iter()
            .map(|run| run.written_next)
            .max()
            .unwrap_or_default(),
    }
}

struct Run {
    floor: Duration,
    first: Duration,
    next: Duration,
    reports: u64,
    written_next: u64,
}

impl Run {
    fn first_row(&self, what: String) -> Row {
        Row {
            what: format!(
                "{what}, until the last of {} reports is judged",
                self.reports
            ),
            result: millis(self.first),
            floor: Some(format!(
                "{} (bytes thrown away, rows into one bare table)",
                millis(self.floor)
            )),
            ratio: Some(ratio(self.first, self.floor)),
            bar: "≤ 10 s",
            met: self.first <= Duration::from_secs(10),
        }
    }

    fn next_row(&self) -> Row {
        let written = self.written_next;
        Row {
            what: format!("a cycle with nothing new ({written} punches and sightings written)"),
            result: millis(self.next),
            floor: None,
            ratio: None,
            bar: "≤ 2 s, nothing written",
            met: self.next <= Duration::from_secs(2) && written == 0,
        }
    }
}

async fn run(days: usize) -> Run {
    let mut role = Role::start("zk-terminals", &[days.to_string()]);
    let terminals = role.terminals(TERMINALS);
    let folder = tempfile::tempdir().expect("a temporary folder can be made");

    let began = Instant::now();
    throw_away(&terminals);
    let bare = Bare {
        transactions: 1,
        devices: TERMINALS,
        rows: RECORDS,
    };
    bare.insert(folder.path()).await;
    let floor = began.elapsed();

    let clock = Clock::scaled(NOW.parse().expect("an instant"), 1.0);
    let url = format!("sqlite://{}", folder.path().join("muster.db").display());
    let devices: Vec<_> = terminals
        .iter()
        .map(|(serial, address)| (serial.clone(), Some(*address)))
        .collect();
    let company = Company::new(&url, "Europe/Berlin", PEOPLE, clock.clone()).await;
    let devices = company.add_devices(&devices, 300).await;
    let store = &company.engine.store;
    let rows =
        async || count_rows(store, "punches").await + count_rows(store, "punch_sightings").await;

    let since = clock.now();
    let began = Instant::now();
    let workers = company.engine.start().await.expect("the workers start");
    until_judged(&company, &devices, since).await;
    let first = began.elapsed();
    assert_eq!(
        count_rows(store, "punches").await,
        (TERMINALS * RECORDS) as u64
    );

    let before = rows().await;
    let since = clock.now();
    let began = Instant::now();
    company
        .engine
        .poller
        .poll_now(None)
        .await
        .expect("all can be asked");
    until_judged(&company, &devices, since).await;
    let next = began.elapsed();
    let run = Run {
        floor,
        first,
        next,
        reports: count_rows(store, "attendance_reports").await,
        written_next: rows().await - before,
    };
    workers.stop().await.expect("the workers stop");
    run
}

/// Waits until every device has been read since then and no day waits to be judged.
pub async fn until_judged(company: &Company, devices: &[DeviceId], since: jiff::Timestamp) {
    let store = &company.engine.store;
    let began = Instant::now();
    let mut unread = devices.to_vec();
    loop {
        let cycles = store
            .cycles_since(&unread, since)
            .await
            .expect("the cycles can be read");
        if let Some(failed) = cycles.values().find(|cycle| cycle.error.is_some()) {
            panic!("a terminal was not read: {failed:?}");
        }
        unread.retain(|device| !cycles.contains_key(device));
        if unread.is_empty() {
            let marked = store.marked_day_count().await;
            if marked.expect("the marks can be counted") == 0 {
                return;
            }
        }
        // Looking costs too; a fiftieth of the time is near enough.
        let wait = (began.elapsed() / 50).max(Duration::from_millis(50));
        tokio::time::sleep(wait).await;
    }
}

/// The bytes of all terminals, several at a time as the poller does.
fn throw_away(terminals: &[(String, SocketAddr)]) {
    std::thread::scope(|scope| {
        for some in terminals.chunks(TERMINALS / 8) {
            scope.spawn(move || {
                for (_, address) in some {
                    raw_zk::throw_poll_away(*address, PEOPLE as u32, RECORDS as u32)
                        .expect("the terminal answers");
                }
            });
        }
    });
}

/// Role: the terminals, with punches of so many days. All know everybody.
pub fn be_terminals(arguments: &[String]) {
    let days = arguments[0].parse().expect("a number of days");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let users: UserTable = (0..PEOPLE)
        .map(|person| zk::User::new(person as u16 + 1, number(person).as_str()))
        .collect();
    let now = date(2026, 11, 23).at(10, 0, 0, 0);
    let running: Vec<_> = (0..TERMINALS)
        .map(|terminal| {
            let serial = format!("A8N52011600{terminal:02}");
            let virtual_terminal = VirtualTerminal::new(&serial)
                .clock(zk::stopped(now))
                .users(users.clone())
                .log_layout(zk::LogLayout::Forty)
                .records(records(terminal, days));
            let running = runtime
                .block_on(virtual_terminal.start("127.0.0.1:0"))
                .expect("a port is free");
            println!("{serial} {}", running.addr());
            running
        })
        .collect();
    runtime.block_on(async {
        let _ = tokio::task::spawn_blocking(until_told_to_end).await;
    });
    drop(running);
}

fn number(person: usize) -> String {
    (1001 + person).to_string()
}

/// The log of a terminal: over its days it sees everybody once in the morning and once in the evening.
fn records(terminal: usize, days: usize) -> Vec<Record> {
    let first_day = date(2026, 11, 20) - (days as i64 - 1).days();
    let mut records = Vec::with_capacity(RECORDS);
    for day in 0..days {
        let here = (0..PEOPLE).filter(|person| (person + day) % days == terminal % days);
        let at = |hour: i8, person: usize| -> DateTime {
            let day = first_day + (day as i64).days();
            // Within half an hour around it, another second for everybody.
            day.at(hour, 0, 0, 0)
                + SignedDuration::from_secs(
                    (person as i64 * 7 + day.day_of_year() as i64 * 61) % 1800 - 1200,
                )
        };
        let record = |hour, state, person| {
            Record::new(
                person as u16 + 1,
                number(person).as_str(),
                at(hour, person),
                state,
                1,
            )
        };
        let mut these: Vec<Record> = here.clone().map(|person| record(9, 0, person)).collect();
        these.extend(here.map(|person| record(18, 1, person)));
        these.sort_by_key(|record| record.clock);
        records.extend(these);
    }
    assert_eq!(records.len(), RECORDS, "every terminal has as many records");
    records
}

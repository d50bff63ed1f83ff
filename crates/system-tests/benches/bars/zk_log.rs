//! Download and decoding of a large ZKTeco log, against a reader that sends the same commands and throws the bytes away.
//!
//! The terminal runs in a process of its own. Behind a slow one every decoder looks free, so it is measured twice: as fast as
//! memory, which no terminal is, and at the speed of the fastest cable a terminal has.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use jiff::civil::date;
use simulators::zk::{self, LogLayout, Records, VirtualTerminal};
use terminals::{Deadline, Target, ZkTerminal};

use crate::process::{Role, memory_kb, until_told_to_end};
use crate::raw_zk;
use crate::table::{Row, median, millis, ratio};

const RECORDS: usize = 100_000;
const FEW_RECORDS: usize = 1_000;
const RUNS: usize = 31;
const MEMORY_RUNS: usize = 5;
/// What 64 kB, the answer to one request, need at least on the 100 Mbit/s that terminals have.
const CABLE: Duration = Duration::from_millis(5);

pub fn measure() -> Vec<Row> {
    let what = format!("ZKTeco log of {RECORDS} records, download and decode");
    vec![
        time(
            format!("{what}: from a terminal without a cable"),
            Duration::ZERO,
        ),
        time(
            format!(
                "{what}: {} for each answer, as on 100 Mbit/s",
                millis(CABLE)
            ),
            CABLE,
        ),
        memory(),
    ]
}

fn time(what: String, wait: Duration) -> Row {
    let (_terminal, address) = terminal(RECORDS, wait);
    let runtime = runtime();
    let mut floor = Vec::new();
    let mut ours = Vec::new();
    for run in 0..=RUNS {
        let thrown_away = timed(|| {
            raw_zk::throw_log_away(address, RECORDS as u32).expect("the terminal answers")
        });
        let decoded = timed(|| assert_eq!(runtime.block_on(read(address)), RECORDS as u64));
        // The first pair finds cold caches on both sides.
        if run > 0 {
            floor.push(thrown_away);
            ours.push(decoded);
        }
    }
    let (floor, ours) = (median(floor), median(ours));
    Row {
        what,
        result: millis(ours),
        floor: Some(format!("{} (bytes thrown away)", millis(floor))),
        ratio: Some(ratio(ours, floor)),
        bar: "≤ 1.2 × floor",
        met: ratio(ours, floor) <= 1.2,
    }
}

/// A log that was kept whole would need 4 MB for its bytes alone.
fn memory() -> Row {
    let peak_kb = |records: usize| {
        let (_terminal, address) = terminal(records, Duration::ZERO);
        median((0..MEMORY_RUNS).map(|_| {
            let mut reader = Role::start("zk-reader", &[address.to_string()]);
            reader.line().parse::<u64>().expect("a number of kB")
        }))
    };
    let (few, many) = (peak_kb(FEW_RECORDS), peak_kb(RECORDS));
    let growth = many.saturating_sub(few);
    Row {
        what: format!("the same: peak memory beyond that of a log of {FEW_RECORDS} records"),
        result: format!("{growth} kB"),
        floor: Some(format!("{few} kB (whole process, {FEW_RECORDS} records)")),
        ratio: None,
        bar: "≤ 1024 kB",
        met: growth <= 1024,
    }
}

fn timed(work: impl FnOnce()) -> Duration {
    let began = Instant::now();
    work();
    began.elapsed()
}

/// A terminal in another process, and where it listens.
fn terminal(records: usize, wait: Duration) -> (Role, SocketAddr) {
    let wait = wait.as_millis().to_string();
    let mut role = Role::start("zk-terminal", &[records.to_string(), wait]);
    let address = role.line().parse().expect("an address");
    (role, address)
}

/// Role: a virtual terminal with so many records of 40 bytes, which waits so many milliseconds before each answer.
pub fn be_a_terminal(arguments: &[String]) {
    let count = arguments[0].parse().expect("a number of records");
    let wait = arguments[1].parse().expect("milliseconds");
    let runtime = runtime();
    let records = Records::new(count, 500, date(2026, 1, 1));
    let terminal = VirtualTerminal::new("A8N5201160001")
        .clock(zk::stopped(date(2026, 11, 23).at(9, 0, 0, 0)))
        .users(records.user_table())
        .log_layout(LogLayout::Forty)
        .records(records)
        .fault(zk::Fault::Slow(Duration::from_millis(wait)));
    let terminal = runtime
        .block_on(terminal.start("127.0.0.1:0"))
        .expect("a port is free");
    println!("{}", terminal.addr());
    runtime.block_on(async {
        let _ = tokio::task::spawn_blocking(until_told_to_end).await;
    });
}

/// Role: reads the whole log once and prints the most memory it ever had, in kB.
pub fn be_a_reader(arguments: &[String]) {
    runtime().block_on(read(arguments[0].parse().expect("an address")));
    println!("{}", memory_kb("self", "VmHWM"));
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime")
}

/// The whole log through the driver, punch by punch; the number of punches.
async fn read(address: SocketAddr) -> u64 {
    let target: Target = format!("zk://{address}").parse().expect("a terminal URL");
    let mut terminal = ZkTerminal::connect(&target, Deadline::none())
        .await
        .expect("it answers");
    let mut seen = 0;
    let read = terminal.punches(|punches| {
        seen += std::hint::black_box(punches).len() as u64;
    });
    read.await.expect("the log can be read");
    terminal.close().await;
    seen
}

//! Download and decoding of a large ZKTeco log, against a reader that sends the same commands and throws the bytes away.
//!
//! The terminal runs in a process of its own. Behind a slow one every decoder looks free, so it is measured twice: as fast as
//! memory, which no terminal is, and at the speed of the fastest cable a terminal has.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use jiff::civil::{DateTime, date};
use jiff::{SignedDuration, Timestamp};
use simulators::zk::{self, LogLayout, Records, VirtualTerminal};
use terminals::{Deadline, ReadPosition, Target, ZkTerminal};

use crate::process::{Role, memory_kb, until_told_to_end};
use crate::raw_zk;
use crate::table::{Row, median, millis, ratio};

const RECORDS: usize = 100_000;
/// Ways in which a log grows by so many records between two polls.
const NEW_RECORDS: [usize; 2] = [0, 10];
const RUNS: usize = 31;
const READERS: usize = 5;
/// When the terminal's clock has stopped.
const LOG_ENDS: DateTime = date(2026, 11, 23).at(9, 0, 0, 0);
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
        processor(),
    ]
    .into_iter()
    .chain(NEW_RECORDS.map(wire))
    .collect()
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
        bar: "≤ 1.1 × floor",
        met: ratio(ours, floor) <= 1.1,
    }
}

/// A log that was kept whole would need 4 MB for its bytes alone.
fn memory() -> Row {
    let peak_kb = |records| median(readers(records).map(|reader| reader.peak_kb));
    let (none, many) = (peak_kb(0), peak_kb(RECORDS));
    let growth = many.saturating_sub(none);
    Row {
        what: "the same: peak memory beyond that of an empty log".to_owned(),
        result: format!("{growth} kB"),
        floor: Some(format!("{none} kB (whole process, no records)")),
        ratio: None,
        bar: "≤ 1024 kB",
        met: growth <= 1024,
    }
}

/// Time of all cores, in a process that does nothing else.
fn processor() -> Row {
    let used = |records| median(readers(records).map(|reader| reader.processor));
    let (none, many) = (used(0), used(RECORDS));
    Row {
        what: "the same: processor time".to_owned(),
        result: millis(many),
        floor: Some(format!("{} (no records)", millis(none))),
        ratio: None,
        bar: "≤ 25 ms",
        met: many <= Duration::from_millis(25),
    }
}

/// What a poll costs on the wire that finds so many new records in a large log.
fn wire(added: usize) -> Row {
    let runtime = runtime();
    let (polled, before, after) = runtime.block_on(async {
        let records = Records::new(RECORDS, 500, date(2026, 1, 1));
        let terminal = virtual_terminal(records).start("127.0.0.1:0").await;
        let terminal = terminal.expect("a port is free");
        let target = target(terminal.addr());
        let poll = async |position| {
            let read = terminals::read(&target, &position, Duration::from_secs(60), &now);
            read.await.expect("the log can be read")
        };
        let first = poll(ReadPosition::default()).await;
        let before = terminal.counts();
        for n in 0..added {
            let clock = LOG_ENDS + SignedDuration::from_secs(n as i64);
            assert!(terminal.punch("1001", clock, 0, 1), "it knows 1001");
        }
        let second = poll(first.position).await;
        (second.punches.len(), before, terminal.counts())
    });
    assert_eq!(polled, added);
    let asked = |counts: &zk::Counts| counts.commands.values().sum::<u64>();
    let (to, from) = (
        after.bytes_in - before.bytes_in,
        after.bytes_out - before.bytes_out,
    );
    Row {
        what: format!(
            "a poll that finds {added} new in it, from CONNECT to EXIT: {} round trips",
            asked(&after) - asked(&before)
        ),
        result: format!("{to} bytes to the terminal, {from} from it"),
        floor: None,
        ratio: None,
        bar: match added {
            0 => "< 1 kB each way",
            _ => "the new ones and one more",
        },
        met: to < 1000 && from < 1000 + 41 * added as u64,
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
    let slow = zk::Fault::Slow(Duration::from_millis(wait));
    let terminal = virtual_terminal(records).fault(slow);
    let terminal = runtime
        .block_on(terminal.start("127.0.0.1:0"))
        .expect("a port is free");
    println!("{}", terminal.addr());
    runtime.block_on(async {
        let _ = tokio::task::spawn_blocking(until_told_to_end).await;
    });
}

fn virtual_terminal(records: Records) -> VirtualTerminal {
    VirtualTerminal::new("A8N5201160001")
        .clock(zk::stopped(LOG_ENDS))
        .users(records.user_table())
        .log_layout(LogLayout::Forty)
        .records(records)
}

/// What it took a process to read a log.
#[derive(Clone, Copy)]
struct Reader {
    peak_kb: u64,
    processor: Duration,
}

/// Several, one after the other, of a log of so many records.
fn readers(records: usize) -> impl Iterator<Item = Reader> {
    let (terminal, address) = terminal(records, Duration::ZERO);
    (0..READERS).map(move |_| {
        let _running = &terminal;
        let mut reader = Role::start("zk-reader", &[address.to_string()]);
        let line = reader.line();
        let (peak_kb, nanos) = line.split_once(' ').expect("two numbers");
        Reader {
            peak_kb: peak_kb.parse().expect("a number of kB"),
            processor: Duration::from_nanos(nanos.parse().expect("nanoseconds")),
        }
    })
}

/// Role: reads the whole log once and prints the most memory it ever had, in kB, and the processor time of the reading.
pub fn be_a_reader(arguments: &[String]) {
    let before = processor_nanos();
    runtime().block_on(read(arguments[0].parse().expect("an address")));
    let used = processor_nanos() - before;
    println!("{} {used}", memory_kb("self", "VmHWM"));
}

/// Of this process, which has one thread.
fn processor_nanos() -> u64 {
    let text = std::fs::read_to_string("/proc/self/schedstat").expect("Linux tells");
    let first = text.split_whitespace().next();
    first
        .and_then(|text| text.parse().ok())
        .expect("nanoseconds")
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime")
}

/// The whole log through the driver, punch by punch; the number of punches.
async fn read(address: SocketAddr) -> u64 {
    let mut terminal = ZkTerminal::connect(&target(address), Deadline::none())
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

fn target(address: SocketAddr) -> Target {
    format!("zk://{address}").parse().expect("a terminal URL")
}

fn now() -> Timestamp {
    let ends = LOG_ENDS.in_tz("UTC").expect("a time that was");
    ends.timestamp()
}

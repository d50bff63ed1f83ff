//! Hikvision terminals: how much a poll of many costs beside its requests, how soon a punch of the stream is kept, and what
//! streams cost on which nothing happens.

use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use attendance::{DeviceId, Way};
use ingest::Clock;
use jiff::civil::date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, ToSpan};
use simulators::hik::{self, Event, Login, RunningTerminal, User, VirtualTerminal};
use store::Store;
use store::testing::count_rows;
use system_tests::{Database, Installation};

use crate::company::Company;
use crate::cycle::until_judged;
use crate::live;
use crate::process::{Role, cpu_time, memory_kb};
use crate::raw_hik;
use crate::table::{Row, median, millis, ratio};

pub const USER: &str = "muster";
pub const PASSWORD: &str = "Abc12345";
const ZONE: &str = "Europe/Berlin";
const TERMINALS: usize = 50;
const EVENTS: usize = 500;
/// Of the company; each terminal knows a part of them.
const PEOPLE: usize = 500;
const PEOPLE_OF_TERMINAL: usize = 100;
/// Everybody on a terminal is seen there once a day.
const DAYS: usize = EVENTS / PEOPLE_OF_TERMINAL;
const RUNS: usize = 5;
/// Terminals in the field take 0.1 to 0.3 s for an answer.
const SLOW: Duration = Duration::from_millis(100);
/// A Monday; the logs end on the Friday before.
const NOW: &str = "2026-11-23T09:00:00Z";

const STREAMS: usize = 1000;
/// After the last stream was opened, so that what the readings took is given back.
const SETTLE: Duration = Duration::from_secs(15);
/// A quiet terminal is asked for its clock once in it.
const IDLE: Duration = Duration::from_secs(60);

pub fn cycles() -> Vec<Row> {
    let what = format!("{TERMINALS} Hikvision terminals × {EVENTS} events, read and stored");
    let slow = millis(SLOW);
    vec![
        Cycle::middle_of_several(Duration::ZERO)
            .row(format!("{what}: from terminals that answer at once")),
        Cycle::middle_of_several(SLOW)
            .row(format!("{what}: {slow} for each answer, as in the field")),
    ]
}

pub fn live() -> Vec<Row> {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let delays = runtime.block_on(live_delays());
    vec![live::row("punches from an `alertStream`", &delays)]
}

/// A first cycle, beside the same requests for nothing.
#[derive(Clone, Copy)]
struct Cycle {
    floor: Duration,
    stored: Duration,
    judged: Duration,
    requests: u64,
}

impl Cycle {
    /// Each over terminals and a database of its own.
    fn middle_of_several(delay: Duration) -> Self {
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        let runs: Vec<Self> = (0..RUNS).map(|_| runtime.block_on(cycle(delay))).collect();
        for run in &runs {
            let [floor, stored, judged] = [run.floor, run.stored, run.judged].map(millis);
            eprintln!("   floor {floor}, stored {stored}, judged {judged}");
        }
        let middle = |of: fn(&Self) -> Duration| median(runs.iter().map(of));
        Self {
            floor: middle(|run| run.floor),
            stored: middle(|run| run.stored),
            judged: middle(|run| run.judged),
            requests: runs[0].requests,
        }
    }

    fn row(&self, what: String) -> Row {
        let Self {
            floor,
            stored,
            judged,
            requests,
        } = *self;
        Row {
            what: format!(
                "{what} ({requests} requests; all judged after {})",
                millis(judged)
            ),
            result: millis(stored),
            floor: Some(format!(
                "{} (the same requests, answers thrown away)",
                millis(floor)
            )),
            ratio: Some(ratio(stored, floor)),
            bar: "≤ 1.3 × floor",
            met: ratio(stored, floor) <= 1.3,
        }
    }
}

async fn cycle(delay: Duration) -> Cycle {
    let mut role = Role::start("hik-terminals", &[delay.as_millis().to_string()]);
    let terminals = role.terminals(TERMINALS);
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let clock = Clock::scaled(NOW.parse().expect("an instant"), 1.0);
    let url = format!("sqlite://{}", folder.path().join("muster.db").display());
    let company = Company::new(&url, ZONE, PEOPLE, clock.clone()).await;
    let devices = company.add_hik(&terminals, &[Way::Poll], 3600).await;

    let began = Instant::now();
    throw_away(&terminals);
    let floor = began.elapsed();
    let asked_by_floor = asked(&mut role);

    let store = &company.engine.store;
    let since = clock.now();
    let began = Instant::now();
    let workers = company.engine.start().await.expect("the workers start");
    until_stored(store, &devices, since).await;
    let stored = began.elapsed();
    until_judged(&company, &devices, since).await;
    let judged = began.elapsed();
    workers.stop().await.expect("the workers stop");
    let punches = count_rows(store, "punches").await;
    assert_eq!(punches, (TERMINALS * EVENTS) as u64);
    let asked = asked(&mut role);
    assert_eq!(asked, asked_by_floor, "the floor asks for the same");
    Cycle {
        floor,
        stored,
        judged,
        requests: asked.iter().sum(),
    }
}

/// All terminals at once, as the poller reads so many.
fn throw_away(terminals: &[(String, SocketAddr)]) {
    std::thread::scope(|scope| {
        for (_, address) in terminals {
            scope.spawn(move || {
                raw_hik::throw_poll_away(*address, EVENTS, PEOPLE_OF_TERMINAL)
                    .expect("the terminal answers");
            });
        }
    });
}

/// Waits until every device has been read since then, and what it gave is stored.
async fn until_stored(store: &Store, devices: &[DeviceId], since: jiff::Timestamp) {
    loop {
        let cycles = store.cycles_since(devices, since).await;
        let cycles = cycles.expect("the cycles can be read");
        if let Some(failed) = cycles.values().find(|cycle| cycle.error.is_some()) {
            panic!("a terminal was not read: {failed:?}");
        }
        if cycles.len() == devices.len() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// How many requests the terminals were sent with and without a signature since they were asked last.
fn asked(role: &mut Role) -> [u64; 2] {
    role.tell("what were you asked?");
    let line = role.line();
    let counts: Vec<u64> = line
        .split(' ')
        .map(|count| count.parse().expect("a count"))
        .collect();
    counts.try_into().expect("two counts")
}

/// Role: terminals with people and a log, which answer after so many milliseconds; for each line they say what they were asked.
pub fn be_terminals(arguments: &[String]) {
    let delay = arguments[0].parse().expect("milliseconds");
    let delay = Duration::from_millis(delay);
    let now = NOW.parse::<jiff::Timestamp>().expect("an instant");
    let now = now.to_zoned(TimeZone::get(ZONE).expect("a zone"));
    let runtime = one_thread();
    let running: Vec<RunningTerminal> = (0..TERMINALS)
        .map(|terminal| {
            let model = VirtualTerminal::new(
                format!("GB96{terminal:05}"),
                Login::new(USER, PASSWORD),
                hik::stopped(now.clone()),
            );
            let model = model
                .answers_after(delay)
                .users(people_of(terminal).map(|person| User::new(number(person), "Somebody")))
                .events(events(terminal));
            let running = runtime.block_on(model.start("127.0.0.1:0"));
            let running = running.expect("a port is free");
            println!("{} {}", running.serial_number(), running.addr());
            running
        })
        .collect();
    runtime.block_on(async {
        while next_line().await {
            let counts: Vec<_> = running.iter().map(RunningTerminal::counts).collect();
            running.iter().for_each(RunningTerminal::reset_counts);
            let signed: u64 = counts.iter().map(|counts| counts.signed).sum();
            let all: u64 = counts.iter().map(|counts| counts.requests).sum();
            println!("{signed} {}", all - signed);
        }
    });
}

/// Whether there is another line to answer.
async fn next_line() -> bool {
    let read = tokio::task::spawn_blocking(|| std::io::stdin().read_line(&mut String::new()));
    matches!(read.await, Ok(Ok(length)) if length > 0)
}

fn people_of(terminal: usize) -> std::ops::Range<usize> {
    let first = terminal % (PEOPLE / PEOPLE_OF_TERMINAL) * PEOPLE_OF_TERMINAL;
    first..first + PEOPLE_OF_TERMINAL
}

fn number(person: usize) -> String {
    (1001 + person).to_string()
}

/// The morning of several days: everybody within an hour, in another order at each terminal.
fn events(terminal: usize) -> Vec<Event> {
    let first_day = date(2026, 11, 20) - (DAYS as i64 - 1).days();
    let of_day = |day: usize| {
        let morning = (first_day + (day as i64).days()).at(8, 30, 0, 0);
        people_of(terminal).enumerate().map(move |(turn, person)| {
            let at = morning + SignedDuration::from_secs((turn * 36 + terminal % 36) as i64);
            Event::face(number(person), at).status("checkIn")
        })
    };
    let events: Vec<Event> = (0..DAYS).flat_map(of_day).collect();
    assert_eq!(events.len(), EVENTS, "every terminal has as many events");
    events
}

async fn live_delays() -> Vec<Duration> {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let clock = Clock::scaled(NOW.parse().expect("an instant"), 1.0);
    let url = format!("sqlite://{}", folder.path().join("muster.db").display());
    let company = Company::new(&url, ZONE, PEOPLE, clock.clone()).await;
    let people = (0..PEOPLE).map(|person| User::new(number(person), "Somebody"));
    let terminal = VirtualTerminal::new(
        "GB9637211",
        Login::new(USER, PASSWORD),
        shown_by(clock.clone()),
    );
    let terminal = terminal.users(people).start("127.0.0.1:0").await;
    let terminal = terminal.expect("a port is free");
    let at = [(terminal.serial_number().to_owned(), terminal.addr())];
    let device = company.add_hik(&at, &[Way::Poll, Way::Live], 3600).await[0];
    let punch = |person: usize| {
        let now = terminal_time(&clock);
        terminal.punch(number(person), now);
    };
    live::delays(&company, device, punch).await
}

fn shown_by(clock: Clock) -> hik::Clock {
    let zone = TimeZone::get(ZONE).expect("a zone");
    Arc::new(move || clock.now().to_zoned(zone.clone()))
}

/// The wall time in whole seconds, as terminals write it.
fn terminal_time(clock: &Clock) -> jiff::civil::DateTime {
    let now = shown_by(clock.clone())().datetime();
    now - SignedDuration::from_nanos(i64::from(now.subsec_nanosecond()))
}

/// The server with that many open streams, with a heartbeat every ten seconds, beside one without a terminal.
pub fn idle_streams() -> Vec<Row> {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let installation = runtime.block_on(Installation::new(Database::Sqlite));
    let server = installation.serve();
    std::thread::sleep(SETTLE);
    let alone = memory_kb(&server.pid().to_string(), "VmRSS");
    drop(server);

    let mut role = Role::start("hik-streams", &[]);
    let mut devices = String::from("kind,serial_number,name,address,port,username,password,mode\n");
    for (serial, address) in role.terminals(STREAMS) {
        let (ip, port) = (address.ip(), address.port());
        let _ = writeln!(
            devices,
            "hik,{serial},Gate {port},{ip},{port},{USER},{PASSWORD},live"
        );
    }
    let file = installation.folder().join("devices.csv");
    std::fs::write(file, devices).expect("a file can be written");
    // What the readings in between cost is not the streams'.
    let import = installation
        .command(&["device", "import", "devices.csv"])
        .env("MUSTER_POLL_INTERVAL_SECS", "3600")
        .output()
        .expect("the program runs");
    assert!(import.status.success(), "{import:?}");

    let server = installation.serve();
    role.tell("say when all are listened to");
    assert_eq!(role.line(), "all are listened to");
    std::thread::sleep(SETTLE);
    let pid = server.pid().to_string();
    let (began, before) = (Instant::now(), cpu_time(&pid));
    std::thread::sleep(IDLE);
    let busy = (cpu_time(&pid) - before).as_secs_f64() / began.elapsed().as_secs_f64();
    let resident = memory_kb(&pid, "VmRSS");
    role.tell("say that all are still listened to");
    assert_eq!(role.line(), "all are listened to");
    let megabytes = |kb: u64| kb as f64 * 1024.0 / 1e6;
    vec![
        Row {
            what: format!("memory of the server with {STREAMS} idle `alertStream`s"),
            result: format!("{:.1} MB", megabytes(resident)),
            floor: Some(format!("{:.1} MB (without terminals)", megabytes(alone))),
            ratio: None,
            bar: "≤ 150 MB",
            met: megabytes(resident) <= 150.0,
        },
        Row {
            what: "the same: processor time".to_owned(),
            result: format!("{:.1} % of a core", busy * 100.0),
            floor: None,
            ratio: None,
            bar: "≤ 10 % of a core",
            met: busy <= 0.1,
        },
    ]
}

/// Role: terminals without people and events; for each line they wait until all are listened to.
pub fn be_streams() {
    let runtime = one_thread();
    let model = VirtualTerminal::new(
        "GB9600001",
        Login::new(USER, PASSWORD),
        shown_by(Clock::system()),
    );
    let fleet = model.start_fleet(STREAMS, IpAddr::V4(Ipv4Addr::LOCALHOST));
    let fleet = runtime.block_on(fleet).expect("ports are free");
    for terminal in &fleet {
        println!("{} {}", terminal.serial_number(), terminal.addr());
    }
    runtime.block_on(async {
        while next_line().await {
            while fleet.iter().any(|one| one.counts().streams_open == 0) {
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
            println!("all are listened to");
        }
    });
    drop(fleet);
}

fn one_thread() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime")
}

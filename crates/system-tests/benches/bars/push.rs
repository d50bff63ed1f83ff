//! Terminals that call: how fast the server keeps what they bring, and how soon it answers them.
//!
//! The server is the real one over SQLite, with its judge; the terminals run in other processes, on the same machine.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use ingest::Clock;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, ToSpan};
use simulators::zk_push::{Profile, RunningTerminal, SlowWriters, Storm, VirtualTerminal};
use store::Store;
use store::testing::count_rows;
use system_tests::installation::{Server, binary};
use system_tests::{Database, Installation};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpSocket;

use crate::bare::Bare;
use crate::company::Company;
use crate::process::{Role, until_told_to_end};
use crate::table::{Row, median, millis, quantile, ratio, write_and_sync};

const ZONE: &str = "Europe/Berlin";
const PEOPLE: usize = 500;
const TERMINALS: usize = 60;
const BATCHES: usize = 100;
const LINES: usize = 20;
const PUNCHES: usize = TERMINALS * BATCHES * LINES;
/// Of both storms.
const STORED: u64 = 2 * PUNCHES as u64;
/// Between two uploads of a terminal: 10,000 punches a second in all.
const PACE: Duration = Duration::from_millis(120);
const RUNS: usize = 3;
/// A calm site: these terminals, and so long between two punches at any of them.
const CALM_TERMINALS: usize = 12;
const CALM_PAUSE: Duration = Duration::from_secs(1);
const CALM_PUNCHES: usize = 60;
const POLLS: usize = 500;
/// From each of two addresses, since one alone is not let in so often.
const SLOW_SOCKETS: usize = 100;
const SLOW_PAUSE: Duration = Duration::from_millis(100);
const STARTS: usize = 10;

pub fn measure() -> Vec<Row> {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let mut sites: Vec<_> = (0..RUNS).map(|_| runtime.block_on(storms())).collect();
    let (last, site) = sites.pop().expect("there were several");
    let mut storms: Vec<Storms> = sites.into_iter().map(|(storms, _)| storms).collect();
    storms.push(last);
    vec![
        Storms::fast_row(&storms),
        Storms::paced_row(&storms),
        calm(&runtime, &site),
        slow_writers(&runtime, &site),
        start(&site),
    ]
}

/// An installation with a company, and where its terminals call.
struct Site {
    installation: Installation,
    calls: SocketAddr,
}

impl Site {
    async fn new() -> Self {
        let installation = Installation::new(Database::Sqlite).await;
        let url = installation.database_url();
        let company = Company::new(url, ZONE, PEOPLE, Clock::system()).await;
        company.add_callers(&serials(TERMINALS)).await;
        company.engine.store.close().await.expect("it closes");
        let port = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr());
        Self {
            installation,
            calls: port.expect("a port is free"),
        }
    }

    fn serve(&self) -> Server {
        // Also on the other loopback address, so that there are callers from two.
        let listen = format!("{},[::1]:{}", self.calls, self.calls.port());
        let variables = [("MUSTER_PUSH_LISTEN", listen.as_str())];
        self.installation.serve_with(&variables)
    }

    /// Punches from this hour of yesterday on.
    fn storm(&self, hour: i8, pace: Duration) -> Stormed {
        let yesterday = Clock::system().now().to_zoned(zone()).date() - 1.day();
        let from = yesterday.at(hour, 0, 0, 0).to_string();
        let pace = pace.as_micros().to_string();
        let mut role = Role::start("push-storm", &[self.calls.to_string(), from, pace]);
        let [took, p50, p99] = role.micros();
        Stormed { took, p50, p99 }
    }

    async fn store(&self) -> Store {
        let store = Store::open(self.installation.database_url()).await;
        store.expect("it opens beside the server")
    }
}

fn serials(count: usize) -> Vec<String> {
    (0..count).map(|n| format!("BOCK20096{n:04}")).collect()
}

fn zone() -> TimeZone {
    TimeZone::get(ZONE).expect("a zone")
}

/// What two storms took, as fast as can be and at a pace.
struct Storms {
    floor: Duration,
    fast: Stormed,
    /// From the last answer until the last report was judged.
    judged: Duration,
    paced: Stormed,
}

#[derive(Clone, Copy)]
struct Stormed {
    took: Duration,
    p50: Duration,
    p99: Duration,
}

impl Stormed {
    fn median(runs: &[Storms], of: fn(&Storms) -> Self) -> Self {
        Self {
            took: median(runs.iter().map(|run| of(run).took)),
            p50: median(runs.iter().map(|run| of(run).p50)),
            p99: median(runs.iter().map(|run| of(run).p99)),
        }
    }

    fn result(&self) -> String {
        let [p50, p99] = [self.p50, self.p99].map(millis);
        format!("{:.0} punches/s; p50 {p50}, p99 {p99}", rate(self.took))
    }
}

fn rate(took: Duration) -> f64 {
    PUNCHES as f64 / took.as_secs_f64()
}

impl Storms {
    fn fast_row(runs: &[Self]) -> Row {
        let fast = Stormed::median(runs, |run| run.fast);
        let floor = median(runs.iter().map(|run| run.floor));
        let judged = median(runs.iter().map(|run| run.judged));
        Row {
            what: format!(
                "{TERMINALS} terminals that call, {PUNCHES} punches of {PEOPLE} people in batches of {LINES}, each acknowledged \
                 once it is on disk (all judged {} after the last)",
                millis(judged)
            ),
            result: fast.result(),
            floor: Some(format!(
                "{:.0} punches/s (rows into one bare table)",
                rate(floor)
            )),
            ratio: Some(ratio(fast.took, floor)),
            bar: "≥ 10000 punches/s",
            met: rate(fast.took) >= 10_000.0,
        }
    }

    fn paced_row(runs: &[Self]) -> Row {
        let paced = Stormed::median(runs, |run| run.paced);
        Row {
            what: format!("the same at a pace of {:.0} punches/s", pace_rate()),
            result: paced.result(),
            floor: None,
            ratio: None,
            bar: "p99 ≤ 100 ms",
            // What is late is sent later, so the rate shows whether the pace was kept.
            met: paced.p99 <= Duration::from_millis(100) && rate(paced.took) >= 0.95 * pace_rate(),
        }
    }
}

fn pace_rate() -> f64 {
    (TERMINALS * LINES) as f64 / PACE.as_secs_f64()
}

/// All terminals upload yesterday's punches: those of a half-hour as fast as they are answered, those of another at a pace.
async fn storms() -> (Storms, Site) {
    let site = Site::new().await;
    let began = Instant::now();
    let bare = Bare {
        transactions: BATCHES,
        devices: TERMINALS,
        rows: LINES,
    };
    bare.insert(site.installation.folder()).await;
    let floor = began.elapsed();

    let server = site.serve();
    let store = site.store().await;
    let fast = site.storm(8, Duration::ZERO);
    let judged = until_judged(&store).await;
    let paced = site.storm(12, PACE);
    until_judged(&store).await;
    assert_eq!(count_rows(&store, "punches").await, STORED);
    store.close().await.expect("it closes");
    drop(server);
    let storms = Storms {
        floor,
        fast,
        judged,
        paced,
    };
    (storms, site)
}

async fn until_judged(store: &Store) -> Duration {
    let began = Instant::now();
    while store.marked_day_count().await.expect("it can be read") > 0 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    began.elapsed()
}

/// Somebody punches now and then, at one terminal after the other; each polls meanwhile as it is told to.
fn calm(runtime: &tokio::runtime::Runtime, site: &Site) -> Row {
    let server = site.serve();
    let mut terminals = Role::start("push-site", &[site.calls.to_string()]);
    assert_eq!(terminals.line(), "all have called");
    let file = tempfile::tempfile_in(site.installation.folder());
    let mut file = file.expect("a temporary file can be made");
    let (mut ours, mut floor) = (Vec::new(), Vec::new());
    for punch in 0..CALM_PUNCHES {
        std::thread::sleep(CALM_PAUSE);
        floor.push(write_and_sync(&mut file));
        terminals.tell(&punch.to_string());
        let [took] = terminals.micros();
        ours.push(took);
    }
    drop(terminals);
    let stored = runtime.block_on(async {
        let store = site.store().await;
        let stored = count_rows(&store, "punches").await;
        store.close().await.expect("it closes");
        stored
    });
    assert_eq!(stored, STORED + CALM_PUNCHES as u64);
    drop(server);
    let [p50, p99] = [0.5, 0.99].map(|part| quantile(ours.iter().copied(), part));
    let floor = median(floor);
    Row {
        what: format!(
            "{CALM_TERMINALS} terminals that call, one punch a second: from the finger to the acknowledgement"
        ),
        result: format!("p50 {}, p99 {}", millis(p50), millis(p99)),
        floor: Some(format!("{} (4 kB written and synced)", millis(floor))),
        ratio: Some(ratio(p50, floor)),
        bar: "p50 ≤ 5 ms",
        met: p50 <= Duration::from_millis(5),
    }
}

/// What a terminal that asks for commands notices of others that send byte by byte.
fn slow_writers(runtime: &tokio::runtime::Runtime, site: &Site) -> Row {
    let server = site.serve();
    let (mut alone, mut among) = (Vec::new(), Vec::new());
    for _ in 0..RUNS {
        alone.push(runtime.block_on(polls(site.calls)));
        let slow = slow_roles(site.calls);
        among.push(runtime.block_on(polls(site.calls)));
        for mut slow in slow {
            slow.tell("how many were sent away?");
            assert_eq!(slow.line(), "0", "all are still writing");
        }
    }
    drop(server);
    let (alone, among) = (median(alone), median(among));
    Row {
        what: format!(
            "a poll for commands while {} sockets send a body byte by byte",
            2 * SLOW_SOCKETS
        ),
        result: format!("p50 {}", millis(among)),
        floor: Some(format!("p50 {} (without them)", millis(alone))),
        ratio: Some(ratio(among, alone)),
        bar: "≤ 2 × floor",
        met: among <= 2 * alone,
    }
}

/// Processes with slow writers, all of which are connected.
fn slow_roles(calls: SocketAddr) -> Vec<Role> {
    let v6 = format!("[::1]:{}", calls.port());
    let roles = [calls.to_string(), v6].map(|server| Role::start("push-slow", &[server]));
    roles
        .into_iter()
        .map(|mut role| {
            assert_eq!(role.line(), "all are writing");
            role
        })
        .collect()
}

/// The median of polls one after the other, each on a connection of its own as terminals make them.
async fn polls(server: SocketAddr) -> Duration {
    let request = format!(
        "GET /iclock/getrequest?SN={} HTTP/1.1\r\nHost: {server}\r\nUser-Agent: iClock Proxy/1.09\r\nConnection: close\r\nAccept: */*\r\n\r\n",
        serials(1)[0]
    );
    let mut took = Vec::with_capacity(POLLS);
    for _ in 0..POLLS {
        let began = Instant::now();
        let answer = ask(server, &request).await.expect("the server answers");
        took.push(began.elapsed());
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }
    median(took)
}

async fn ask(server: SocketAddr, request: &str) -> std::io::Result<String> {
    let socket = TcpSocket::new_v4()?;
    // Those who write slowly use up what one address may have.
    socket.bind((IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2)), 0).into())?;
    let mut stream = socket.connect(server).await?;
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer)
}

/// With the punches of the storm in the database.
fn start(site: &Site) -> Row {
    let greeting = format!(
        "GET /iclock/cdata?SN={}&options=all&pushver=2.2.14&language=69 HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n",
        serials(1)[0],
        site.calls
    );
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let (mut ours, mut floor) = (Vec::new(), Vec::new());
    for _ in 0..STARTS {
        floor.push(version(&binary()));
        let began = Instant::now();
        let server = site.serve();
        let answer = runtime.block_on(ask(site.calls, &greeting));
        ours.push(began.elapsed());
        let answer = answer.expect("the server answers");
        assert!(answer.contains("GET OPTION FROM"), "{answer}");
        drop(server);
    }
    let (ours, floor) = (median(ours), median(floor));
    Row {
        what: "start of the server to its first answer to a terminal that calls".to_owned(),
        result: millis(ours),
        floor: Some(format!("{} (`muster --version`)", millis(floor))),
        ratio: Some(ratio(ours, floor)),
        bar: "≤ 300 ms",
        met: ours <= Duration::from_millis(300),
    }
}

fn version(binary: &Path) -> Duration {
    let began = Instant::now();
    let mut version = Command::new(binary);
    version.arg("--version").stdout(Stdio::null());
    assert!(version.status().expect("the program runs").success());
    began.elapsed()
}

impl Role {
    /// Durations on the next line it prints.
    fn micros<const N: usize>(&mut self) -> [Duration; N] {
        let line = self.line();
        let numbers = line.split(' ').map(|number| number.parse());
        let times: Vec<_> = numbers
            .map(|number| Duration::from_micros(number.expect("microseconds")))
            .collect();
        times.try_into().expect("so many numbers")
    }
}

/// Role: all terminals of the storm; prints what it took, and quantiles of the acknowledgement.
pub fn be_a_storm(arguments: &[String]) {
    let server: SocketAddr = arguments[0].parse().expect("an address");
    let from: DateTime = arguments[1].parse().expect("a time");
    let pace = arguments[2].parse().expect("microseconds");
    let storm = Storm::new(server, serials(TERMINALS))
        .batches(BATCHES)
        .lines(LINES)
        .from(from)
        .pace(Duration::from_micros(pace));
    let weathered = one_thread().block_on(storm.run());
    assert_eq!(weathered.refused, 0, "all is acknowledged");
    let [p50, p99] = [0.5, 0.99].map(|part| quantile(weathered.latencies.iter().copied(), part));
    let all = [weathered.took, p50, p99].map(|time| time.as_micros());
    println!("{} {} {}", all[0], all[1], all[2]);
    until_told_to_end();
}

/// Role: terminals that poll; for each line somebody punches, and the time until the acknowledgement is printed.
pub fn be_a_site(arguments: &[String]) {
    let server: SocketAddr = arguments[0].parse().expect("an address");
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("a runtime");
    let _inside = runtime.enter();
    let terminals: Vec<RunningTerminal> = serials(CALM_TERMINALS)
        .iter()
        .map(|serial| {
            let terminal = VirtualTerminal::new(serial, Profile::V22);
            terminal.clock(Arc::new(here)).start(server)
        })
        .collect();
    runtime.block_on(async {
        for terminal in &terminals {
            // Then it is known to have uploaded all it had.
            terminal.until_polls(2).await;
        }
    });
    println!("all have called");
    for line in std::io::stdin().lines().map_while(Result::ok) {
        let punch: usize = line.parse().expect("a number");
        let terminal = &terminals[punch % CALM_TERMINALS];
        let began = Instant::now();
        terminal.punch((1001 + punch).to_string(), 0, 1);
        runtime.block_on(terminal.until_acknowledged(punch / CALM_TERMINALS + 1));
        println!("{}", began.elapsed().as_micros());
    }
}

/// Role: sockets that write slowly; says when they do, and for a line how many of them the server has sent away.
pub fn be_slow_writers(arguments: &[String]) {
    let server: SocketAddr = arguments[0].parse().expect("an address");
    let runtime = one_thread();
    runtime.block_on(async {
        let slow = SlowWriters::start(server, &serials(1)[0], SLOW_SOCKETS, SLOW_PAUSE);
        tokio::time::sleep(10 * SLOW_PAUSE).await;
        println!("all are writing");
        let told = tokio::task::spawn_blocking(|| std::io::stdin().read_line(&mut String::new()));
        let _ = told.await;
        println!("{}", slow.ended());
    });
}

fn one_thread() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime")
}

/// The time in the zone of the site, in whole seconds.
fn here() -> DateTime {
    let now = Clock::system().now().to_zoned(zone()).datetime();
    now - SignedDuration::from_nanos(i64::from(now.subsec_nanosecond()))
}

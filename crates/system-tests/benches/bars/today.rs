//! How soon the dashboard of a large company answers: 10,000 employees, five million punches, and more coming in.
//!
//! The last 60 days come through intake and judge. What is older is stored in bulk and has no reports; no page of today looks
//! at it, but it is in the same tables.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use attendance::{DeviceId, DeviceUserId, Punch, PunchState, VerifyMode, Way};
use ingest::{Batch, Clock, Contact};
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan};
use simulators::zk::{self, VirtualTerminal};
use store::punches::PunchRow;
use store::testing::count_rows;
use store::views::board::recent_punches;
use system_tests::{Database, Installation};

use crate::company::Company;
use crate::http::Client;
use crate::process::{Role, memory_kb, until_told_to_end};
use crate::table::{Row, millis, quantile, ratio};

const PEOPLE: usize = 10_000;
const PUNCHES: usize = 5_000_000;
const DEVICES: usize = 40;
const PEOPLE_OF_DEVICE: usize = PEOPLE / DEVICES;
/// Days with punches, today among them; two punches each.
const DAYS: i64 = (PUNCHES / PEOPLE / 2) as i64 + 3; // not everybody comes every day
const JUDGED_DAYS: i64 = 60;
const REQUESTS: usize = 600;
/// While punches come in: these terminals are read every few seconds, and somebody punches at one of them this often.
const BUSY_TERMINALS: usize = 8;
const POLL_SECS: u32 = 2;
const ARRIVAL: Duration = Duration::from_millis(100);
const BUSY: Duration = Duration::from_secs(30);

pub fn measure() -> Vec<Row> {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let zone = zone_where_it_is_eleven();
    let installation = runtime.block_on(Installation::new(Database::Sqlite));
    let mut role = Role::start("arrivals", std::slice::from_ref(&zone));
    let terminals = (0..BUSY_TERMINALS).map(|_| role.line().parse().expect("an address"));
    let terminals: Vec<SocketAddr> = terminals.collect();
    let (punches, reports) = runtime.block_on(fill(&installation, &zone, &terminals));

    let server = installation.serve();
    let mut client = Client::connect(&server.base).expect("it listens");
    let link = installation.run_ok(&["setup-link"]);
    let path = &link[link.find("/setup/").expect("a link")..];
    let form = "name=Owner&email=owner%40plant.example&password=correct+horse+battery";
    assert_eq!(client.post(path.trim(), form).status, 303);
    assert_eq!(client.get("/today").status, 200); // loads the board, once

    let quiet = ask(&mut client);
    let stored = runtime.block_on(punches_stored(&installation));
    role.tell("open");
    std::thread::sleep(Duration::from_secs(5));
    let began = Instant::now();
    let busy = ask_for(&mut client, BUSY);
    let came = runtime.block_on(punches_stored(&installation)) - stored;
    let rate = came as f64 / (began.elapsed() + Duration::from_secs(5)).as_secs_f64();
    let delays = runtime.block_on(live_delays(&client, &installation));
    let [p50, p99] = [0.5, 0.99].map(|part| quantile(delays.iter().copied(), part));
    let resident = memory_kb(&server.pid().to_string(), "VmRSS");

    let what = format!(
        "today, first byte: {PEOPLE} people, {:.1} million punches, {reports} reports",
        punches as f64 / 1e6
    );
    vec![
        quiet.row(format!(
            "{what} (page {} kB, server {} MB)",
            quiet.bytes / 1000,
            resident / 1000
        )),
        busy.row(format!("the same while {rate:.0} punches a second come in")),
        Row {
            what: format!(
                "from a punch in the database to its event in `/live/today` ({} punches)",
                delays.len()
            ),
            result: format!("p50 {}, p99 {}", millis(p50), millis(p99)),
            floor: None,
            ratio: None,
            bar: "≤ 2 s",
            met: p99 <= Duration::from_secs(2),
        },
    ]
}

/// What so many requests took.
struct Asked {
    today: Vec<Duration>,
    floor: Vec<Duration>,
    bytes: usize,
}

impl Asked {
    fn row(&self, what: String) -> Row {
        let [p50, p99] = [0.5, 0.99].map(|part| quantile(self.today.iter().copied(), part));
        let [floor50, floor99] = [0.5, 0.99].map(|part| quantile(self.floor.iter().copied(), part));
        Row {
            what,
            result: format!("p50 {}, p99 {}", millis(p50), millis(p99)),
            floor: Some(format!(
                "p50 {}, p99 {} (`/healthz`)",
                millis(floor50),
                millis(floor99)
            )),
            ratio: Some(ratio(p50, floor50)),
            bar: "p99 ≤ 20 ms",
            met: p99 <= Duration::from_millis(20),
        }
    }
}

fn ask(client: &mut Client) -> Asked {
    ask_while(client, |asked| asked.today.len() < REQUESTS, Duration::ZERO)
}

/// Spread over a time in which the board changes many times.
fn ask_for(client: &mut Client, time: Duration) -> Asked {
    let began = Instant::now();
    let more = |asked: &Asked| asked.today.len() < REQUESTS || began.elapsed() < time;
    ask_while(client, more, time / REQUESTS as u32 / 2)
}

fn ask_while(client: &mut Client, more: impl Fn(&Asked) -> bool, pause: Duration) -> Asked {
    let mut asked = Asked {
        today: Vec::new(),
        floor: Vec::new(),
        bytes: 0,
    };
    while more(&asked) {
        asked.floor.push(client.get("/healthz").first_byte);
        std::thread::sleep(pause);
        let answer = client.get("/today");
        assert_eq!(answer.status, 200);
        asked.today.push(answer.first_byte);
        asked.bytes = answer.bytes;
        std::thread::sleep(pause);
    }
    asked
}

/// How long after the database first showed it the newest punch was in the live stream.
async fn live_delays(client: &Client, installation: &Installation) -> Vec<Duration> {
    let lines = client.open("/live/today");
    let shown: Arc<Mutex<HashMap<i64, Instant>>> = Arc::default();
    let showing = shown.clone();
    std::thread::spawn(move || {
        for line in lines {
            let now = Instant::now();
            for after in line.split("id=\"punch-").skip(1) {
                if let Some(id) = after.split('"').next().and_then(|id| id.parse().ok()) {
                    showing
                        .lock()
                        .expect("not poisoned")
                        .entry(id)
                        .or_insert(now);
                }
            }
        }
    });
    let store = store::Store::open(installation.database_url())
        .await
        .expect("it opens beside the server");
    let site = store
        .default_site()
        .await
        .expect("it can be read")
        .expect("there is one")
        .id;
    let mut stored: Vec<(i64, Instant)> = Vec::new();
    let began = Instant::now();
    while began.elapsed() < BUSY {
        let newest = recent_punches(&store, site.0, i64::MAX, 1)
            .await
            .expect("it can be read")[0]
            .id;
        if stored.last().is_none_or(|(id, _)| *id != newest) {
            stored.push((newest, Instant::now()));
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    store.close().await.expect("it closes");
    tokio::time::sleep(Duration::from_secs(3)).await;
    let shown = shown.lock().expect("not poisoned");
    // The first was there before we looked.
    let delays = stored
        .iter()
        .skip(1)
        .filter_map(|(id, stored)| Some(shown.get(id)?.saturating_duration_since(*stored)));
    delays.collect()
}

async fn punches_stored(installation: &Installation) -> u64 {
    let store = store::Store::open(installation.database_url())
        .await
        .expect("it opens beside the server");
    let count = count_rows(&store, "punches").await;
    store.close().await.expect("it closes");
    count
}

/// A zone of a fixed offset where people have just come, whenever this runs.
fn zone_where_it_is_eleven() -> String {
    let hour = Clock::system().now().to_zoned(TimeZone::UTC).hour();
    match 11 - hour {
        east @ -12..=-1 => format!("Etc/GMT+{}", -east), // in these names the sign is the other way round
        0 => "Etc/GMT".to_owned(),
        west => format!("Etc/GMT-{west}"),
    }
}

/// Stores the company and its punches, and judges; how many punches and reports there are.
async fn fill(installation: &Installation, zone: &str, terminals: &[SocketAddr]) -> (u64, u64) {
    let clock = Clock::system();
    let company = Company::new(installation.database_url(), zone, PEOPLE, clock.clone()).await;
    let engine = &company.engine;
    let tz = TimeZone::get(zone).expect("a zone");
    let today = clock.now().to_zoned(tz.clone()).date();
    let (quiet, busy): (Vec<_>, Vec<_>) = (0..DEVICES)
        .map(|device| {
            (
                format!("A8N5201160{device:03}"),
                terminals.get(device).copied(),
            )
        })
        .partition(|(_, address)| address.is_none());
    let mut devices = company.add_devices(&busy, POLL_SECS).await;
    devices.extend(company.add_devices(&quiet, 300).await);

    for (number, device) in devices.iter().enumerate() {
        store_old(&company, zone, &tz, today, number, *device).await;
        let now = clock.now();
        let batch = Batch {
            contact: Some(Contact {
                clock: tz.to_datetime(now),
                seen_at: now,
            }),
            complete: true,
            ..Batch::new(*device, Way::Poll, recent(today, number))
        };
        engine.intake.accept(&batch).await.expect("it is stored");
        eprintln!("   device {} of {DEVICES}", number + 1);
    }
    engine.catch_up().await.expect("today is opened");
    engine.judge.drain().await.expect("all is judged");
    let store = &engine.store;
    let counts = (
        count_rows(store, "punches").await,
        count_rows(store, "attendance_reports").await,
    );
    store.close().await.expect("it closes");
    counts
}

/// Everybody of a device comes at nine, within twenty minutes, and goes at six.
fn times(day: Date, person: usize) -> [DateTime; 2] {
    let spread =
        SignedDuration::from_secs((person as i64 * 37 + i64::from(day.day()) * 61) % 1200 - 900);
    [day.at(9, 0, 0, 0) + spread, day.at(18, 0, 0, 0) - spread]
}

/// One in 20 does not come on a given day.
fn comes(day: Date, person: usize) -> bool {
    !(person + usize::try_from(day.day_of_year()).unwrap_or_default() * 7).is_multiple_of(20)
}

fn people_of(device: usize) -> impl Iterator<Item = usize> {
    device * PEOPLE_OF_DEVICE..(device + 1) * PEOPLE_OF_DEVICE
}

async fn store_old(
    company: &Company,
    zone: &str,
    tz: &TimeZone,
    today: Date,
    number: usize,
    device: DeviceId,
) {
    let users: Vec<(String, usize)> = people_of(number)
        .map(|person| ((1001 + person).to_string(), person))
        .collect();
    let tx = company
        .engine
        .store
        .begin_write()
        .await
        .expect("a transaction");
    let mut day = today - (DAYS - 1).days();
    while day < today - (JUDGED_DAYS - 1).days() {
        let mut rows = Vec::new();
        for _ in 0..20.min((today - (JUDGED_DAYS - 1).days() - day).get_days()) {
            for (user, person) in &users {
                rows.extend(times(day, *person).map(|clock| PunchRow {
                    user,
                    clock,
                    fold: false,
                    zone,
                    instant: instant(tz, clock),
                    state: PunchState::None,
                    verify: VerifyMode::Finger,
                    suspect: false,
                    employee: Some(company.people[*person]),
                }));
            }
            day = day.tomorrow().expect("a date");
        }
        tx.insert_punches(device, Way::Poll, company.engine.clock.now(), &rows)
            .await
            .expect("they are stored");
    }
    tx.commit().await.expect("they are kept");
}

fn instant(tz: &TimeZone, clock: DateTime) -> Timestamp {
    tz.to_timestamp(clock).expect("a fixed offset")
}

/// The last days up to this morning, in the order of a log.
fn recent(today: Date, device: usize) -> Vec<Punch> {
    let mut punches = Vec::new();
    let mut day = today - (JUDGED_DAYS - 1).days();
    while day <= today {
        let mut clocks: Vec<(DateTime, usize)> = people_of(device)
            .filter(|person| comes(day, *person))
            .flat_map(|person| times(day, person).map(|clock| (clock, person)))
            .filter(|(clock, _)| *clock < today.at(11, 0, 0, 0))
            .collect();
        clocks.sort_unstable();
        for (clock, person) in clocks {
            punches.push(Punch {
                user: DeviceUserId::parse(&(1001 + person).to_string()).expect("an id"),
                clock,
                offset: None,
                state: PunchState::None,
                verify: VerifyMode::Finger,
                record: punches.len() as u64,
            });
        }
        day = day.tomorrow().expect("a date");
    }
    punches
}

/// Role: terminals with an empty log, at which people punch once told that the doors are open.
pub fn be_terminals_with_arrivals(arguments: &[String]) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let tz = TimeZone::get(&arguments[0]).expect("a zone");
    let clock = move || tz.to_datetime(Clock::system().now());
    let mut running = Vec::new();
    for device in 0..BUSY_TERMINALS {
        let terminal =
            VirtualTerminal::new(&format!("A8N5201160{device:03}")).clock(Arc::new(clock.clone()));
        let terminal = runtime
            .block_on(terminal.start("127.0.0.1:0"))
            .expect("a port is free");
        println!("{}", terminal.addr());
        running.push(terminal);
    }
    runtime.block_on(async {
        let told = tokio::task::spawn_blocking(|| std::io::stdin().read_line(&mut String::new()));
        let _ = told.await;
        let end = tokio::task::spawn_blocking(until_told_to_end);
        let mut person = 0;
        let mut tick = tokio::time::interval(ARRIVAL);
        while !end.is_finished() {
            tick.tick().await;
            let device = person % BUSY_TERMINALS;
            let here = device * PEOPLE_OF_DEVICE + person / BUSY_TERMINALS % PEOPLE_OF_DEVICE;
            let number = (1001 + here).to_string();
            running[device].punch(number.as_str(), whole_second(clock()), 255, 1);
            person += 1;
        }
    });
    let _: &[zk::RunningTerminal] = &running;
}

fn whole_second(clock: DateTime) -> DateTime {
    clock.with().subsec_nanosecond(0).build().expect("a time")
}

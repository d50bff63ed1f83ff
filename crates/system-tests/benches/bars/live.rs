//! How soon a punch that a terminal tells is in the database: from its event on the socket to the commit.

use std::sync::Arc;
use std::time::{Duration, Instant};

use attendance::{DeviceId, Way};
use ingest::{Clock, Subscription};
use jiff::tz::TimeZone;
use simulators::zk::{self, RunningTerminal, UserTable, VirtualTerminal};
use store::devices::{DeviceFields, SecretEdit};
use store::{Author, Store};

use crate::company::Company;
use crate::table::{Row, millis, quantile};

const PEOPLE: usize = 500;
const PUNCHES: usize = 300;
/// Between two punches.
const PAUSE: Duration = Duration::from_millis(10);
const ZONE: &str = "Europe/Berlin";
const NOW: &str = "2026-11-23T09:00:00Z";

pub fn measure() -> Vec<Row> {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let delays = runtime.block_on(measure_punches());
    vec![row("live punches", &delays)]
}

pub fn row(what: &str, delays: &[Duration]) -> Row {
    let [p50, p99] = [0.5, 0.99].map(|part| quantile(delays.iter().copied(), part));
    Row {
        what: format!("{PUNCHES} {what}, each from its event on the socket to the committed row"),
        result: format!("p50 {}, p99 {}", millis(p50), millis(p99)),
        floor: None,
        ratio: None,
        bar: "≤ 1 s",
        met: p99 <= Duration::from_secs(1),
    }
}

async fn measure_punches() -> Vec<Duration> {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let clock = Clock::scaled(NOW.parse().expect("an instant"), 1.0);
    let url = format!("sqlite://{}", folder.path().join("muster.db").display());
    let company = Company::new(&url, ZONE, PEOPLE, clock.clone()).await;
    let terminal = start(&clock).await;
    let at = vec![("A8N5201160001".to_owned(), Some(terminal.addr()))];
    let device = company.add_devices(&at, 3600).await[0];
    let store = &company.engine.store;
    let row = store.device(device).await.expect("the device can be read");
    let fields = DeviceFields {
        mode: vec![Way::Poll, Way::Live],
        ..DeviceFields::from(&row.expect("it was added"))
    };
    let author = Author {
        account: None,
        at: clock.now(),
    };
    let tx = store.begin_write().await.expect("a transaction");
    let (password, key) = (SecretEdit::Keep, SecretEdit::Keep);
    let edited = tx.edit_device(device, &fields, &password, &key, author);
    edited.await.expect("the device can be edited");
    tx.commit().await.expect("it is kept");
    let punch = |person| punch(&terminal, &clock, person);
    delays(&company, device, punch).await
}

/// Runs the workers until the device is listened to, and has so many people punch there, one after the other.
pub async fn delays(company: &Company, device: DeviceId, punch: impl Fn(usize)) -> Vec<Duration> {
    let mut changes = company.engine.changes.subscribe();
    let workers = company.engine.start().await.expect("the workers start");
    while !is_live(&company.engine.store, device).await {
        tokio::time::sleep(PAUSE).await;
    }
    let mut delays = Vec::with_capacity(PUNCHES);
    for person in 0..PUNCHES {
        tokio::time::sleep(PAUSE).await;
        let began = Instant::now();
        punch(person);
        until_stored(&mut changes).await;
        delays.push(began.elapsed());
    }
    workers.stop().await.expect("the workers stop");
    delays
}

async fn is_live(store: &Store, device: DeviceId) -> bool {
    let row = store.device(device).await.expect("the device can be read");
    row.is_some_and(|row| row.live_since_ms.is_some())
}

/// Changes are told after their commit.
async fn until_stored(changes: &mut Subscription) {
    loop {
        let change = changes.next().await.expect("the workers run");
        if !change.punches.is_empty() {
            return;
        }
    }
}

fn punch(terminal: &RunningTerminal, clock: &Clock, person: usize) {
    let zone = TimeZone::get(ZONE).expect("a zone");
    let now = zone.to_datetime(clock.now());
    let now = now.with().subsec_nanosecond(0).build().expect("a time");
    let user = (1001 + person).to_string();
    assert!(terminal.punch(user.as_str(), now, 0, 1), "it knows {user}");
}

async fn start(clock: &Clock) -> RunningTerminal {
    let clock = clock.clone();
    let zone = TimeZone::get(ZONE).expect("a zone");
    let people: UserTable = (0..PEOPLE)
        .map(|person| zk::User::new(person as u16 + 1, (1001 + person).to_string().as_str()))
        .collect();
    VirtualTerminal::new("A8N5201160001")
        .clock(Arc::new(move || zone.to_datetime(clock.now())))
        .users(people)
        .start("127.0.0.1:0")
        .await
        .expect("a port is free")
}

//! `kill -9` at any moment loses nothing that was committed, doubles nothing, and no day stays unjudged.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::{Duration, Instant};

use jiff::civil::{Date, date};
use simulators::{hik, zk};
use store::Store;
use store::testing::count_rows;
use system_tests::{Database, Installation};

const ZK_TERMINALS: usize = 12;
const ZK_RECORDS: usize = 2_000;
const HIK_TERMINALS: usize = 4;
const HIK_EVENTS: usize = 400;
const PEOPLE: usize = 60;
const KILLS: usize = 10;
/// How long a round waits for another batch before it kills anyway.
const NEXT_BATCH: Duration = Duration::from_secs(10);
const FIRST_DAY: Date = date(2026, 1, 5);
/// For everything to be read and judged after the last kill, on a busy machine.
const LIMIT: Duration = Duration::from_secs(120);

#[tokio::test(flavor = "multi_thread")]
async fn nothing_committed_is_lost_on_sqlite() {
    killed_ten_times(Database::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_committed_is_lost_on_postgres() {
    killed_ten_times(Database::Postgres).await;
}

async fn killed_ten_times(database: Database) {
    let office = Installation::new(database).await;
    let mut devices = String::from("kind,serial_number,name,address,port,username,password\n");
    let records = zk::Records::new(ZK_RECORDS, PEOPLE, FIRST_DAY);
    let (users, log) = (
        records.user_table(),
        zk::Log::new(zk::LogLayout::Forty, records),
    );
    let mut zk_running = Vec::new();
    for n in 0..ZK_TERMINALS {
        let terminal = zk::VirtualTerminal::new(&format!("AEH2194{n:04}"))
            .clock(zk::stopped(date(2026, 6, 1).at(12, 0, 0, 0)))
            .users(users.clone())
            .log(log.clone())
            .start("127.0.0.1:0")
            .await
            .expect("a free port");
        let port = terminal.addr().port();
        writeln!(
            devices,
            "zk,{},Gate {n},127.0.0.1,{port},,",
            terminal.serial_number()
        )
        .expect("text");
        zk_running.push(terminal);
    }
    let mut hik_running = Vec::new();
    for n in 0..HIK_TERMINALS {
        let noon: jiff::Zoned = "2026-06-01T12:00:00+00:00[UTC]".parse().expect("a time");
        let terminal = hik::VirtualTerminal::new(
            format!("GB96{n:05}"),
            hik::Login::new("muster", "Abc12345"),
            hik::stopped(noon),
        )
        .users((0..PEOPLE).map(|p| hik::User::new((1001 + p).to_string(), "")))
        .events((0..HIK_EVENTS).map(|e| {
            let day = FIRST_DAY
                .checked_add(jiff::Span::new().days((e / PEOPLE) as i64))
                .expect("a date");
            hik::Event::face(
                (1001 + e % PEOPLE).to_string(),
                day.at(9, n as i8, (e % 60) as i8, 0),
            )
        }))
        .start("127.0.0.1:0")
        .await
        .expect("a free port");
        let port = terminal.addr().port();
        writeln!(
            devices,
            "hik,{},Lobby {n},127.0.0.1,{port},muster,Abc12345",
            terminal.serial_number()
        )
        .expect("text");
        hik_running.push(terminal);
    }
    let mut people = String::from("code,first_name,last_name,device_id\n");
    for n in 1..=PEOPLE {
        writeln!(people, "E{n:03},Person,{n},{}", 1000 + n).expect("text");
    }
    std::fs::write(office.folder().join("people.csv"), people).expect("written");
    std::fs::write(office.folder().join("devices.csv"), devices).expect("written");
    office.run_ok(&["employee", "import", "people.csv"]);
    office.run_ok(&["device", "import", "devices.csv"]);

    let mut committed = 0;
    for round in 0..KILLS {
        let server = office.serve();
        let store = Store::open(office.database_url())
            .await
            .expect("the database opens beside the server");
        // In the middle of the intake: as soon as another batch is there, while others are on their way.
        let began = Instant::now();
        while count_rows(&store, "punches").await <= committed && began.elapsed() < NEXT_BATCH {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        server.kill();
        let found = count_rows(&store, "punches").await;
        assert!(
            found >= committed,
            "round {round}: {committed} punches were committed, {found} are left"
        );
        committed = found;
        // As a server on SQLite does when it starts; several nodes on PostgreSQL wait for the leases of a dead one to end.
        let tx = store.begin_write().await.expect("a transaction");
        tx.end_all_leases().await.expect("leases can be ended");
        tx.commit().await.expect("committed");
        store.close().await.expect("closed");
    }

    let _server = office.serve();
    let store = Store::open(office.database_url())
        .await
        .expect("the database opens beside the server");
    let expected = (ZK_TERMINALS * ZK_RECORDS + HIK_TERMINALS * HIK_EVENTS) as u64;
    let began = Instant::now();
    loop {
        let state: BTreeMap<&str, u64> = BTreeMap::from([
            ("punches", count_rows(&store, "punches").await),
            ("sightings", count_rows(&store, "punch_sightings").await),
            ("marked", count_rows(&store, "marked_days").await),
        ]);
        if state
            == BTreeMap::from([
                ("punches", expected),
                ("sightings", expected),
                ("marked", 0),
            ])
        {
            break;
        }
        assert!(
            began.elapsed() < LIMIT,
            "expected {expected} punches, all judged; found {state:?}"
        );
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    store.close().await.expect("closed");
    // Every stored report is what a fresh judgement of the stored punches gives.
    office.run_ok(&["judge", "--check"]);
    office.remove().await;
}

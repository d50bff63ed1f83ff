//! Hikvision terminals that are told to call: by the real server, over what happens to it and to them.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use attendance::DeviceId;
use ingest::Clock;
use jiff::tz::TimeZone;
use jiff::{ToSpan, Zoned};
use simulators::hik::{
    AfterReboot, Event, HttpHost, Login, Push, RunningTerminal, User, VirtualTerminal,
};
use store::Store;
use store::testing::author;
use system_tests::{Database, Installation};

/// For everything that is to happen, on a busy machine.
const LIMIT: Duration = Duration::from_secs(120);
const SERIAL: &str = "GB9637211";
const KILLS: usize = 8;
/// Before each kill so many more posts are answered.
const POSTS_A_ROUND: u64 = 6;

fn now() -> Zoned {
    Clock::system().now().to_zoned(TimeZone::UTC)
}

fn terminal(push: Push) -> VirtualTerminal {
    VirtualTerminal::new(SERIAL, Login::new("muster", "Abc12345"), Arc::new(now))
        .users([User::new("41", "Ada"), User::new("42", "Ben")])
        .keeps_alive()
        .push(Push {
            heartbeats: false,
            retries: u32::MAX,
            retry_after: Duration::from_millis(100),
            ..push
        })
}

async fn start(terminal: VirtualTerminal) -> RunningTerminal {
    terminal.start("127.0.0.1:0").await.expect("a free port")
}

async fn office() -> Installation {
    let office = Installation::new(Database::Sqlite).await;
    let store = open(&office).await;
    let tx = store.begin_write().await.expect("a transaction");
    let site = tx.add_site("Office", "UTC", author()).await;
    site.expect("a site");
    tx.commit().await.expect("committed");
    store.close().await.expect("closed");
    office
}

async fn open(office: &Installation) -> Store {
    Store::open(office.database_url())
        .await
        .expect("init made it")
}

fn register(office: &Installation, terminal: &RunningTerminal) {
    let address = terminal.addr().to_string();
    let args = [
        "device",
        "add",
        "--kind",
        "hik",
        "--serial",
        SERIAL,
        "--address",
        &address,
        "--name",
        "Main gate",
        "--mode",
        "poll,push",
        "--username",
        "muster",
        "--password-stdin",
    ];
    office.run_ok_with_input(&args, "Abc12345\n");
}

async fn device(store: &Store) -> DeviceId {
    let row = store.device_by_serial(SERIAL).await.expect("a database");
    DeviceId(row.expect("it is registered").id)
}

/// Waits until it is so.
async fn until(what: &str, so: impl AsyncFn() -> bool) {
    let began = Instant::now();
    while !so().await {
        assert!(began.elapsed() < LIMIT, "{what} does not happen");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn calls_us(terminal: &RunningTerminal) -> bool {
    let mut hosts = terminal.http_hosts().into_iter().flatten();
    hosts.any(|host| host.url.starts_with("/hik/events/"))
}

/// Punches that came by push, each once: who and when.
async fn told(store: &Store) -> BTreeSet<String> {
    let punches = store::testing::punches_of(store, device(store).await).await;
    let all = punches.len();
    let keys = punches
        .iter()
        .map(|line| line.splitn(4, ' ').take(3).collect::<Vec<_>>().join(" "));
    assert_eq!(
        keys.collect::<BTreeSet<_>>().len(),
        all,
        "something is stored twice"
    );
    punches
        .into_iter()
        .filter(|line| line.ends_with("push") || line.contains("push"))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn armed_by_the_server_and_again_after_a_restart_that_forgot() {
    let office = office().await;
    let theirs = HttpHost::new("127.0.0.1", 9, "/theirs");
    let push = Push {
        after_reboot: AfterReboot::Forgets,
        ..Push::default()
    };
    let terminal = start(terminal(push).http_host(theirs.clone())).await;
    register(&office, &terminal);
    let port = system_tests::free_port();
    let _server = office.serve_with(&[("MUSTER_PUSH_LISTEN", &port.to_string())]);
    until("a slot that calls us", async || calls_us(&terminal)).await;
    assert_eq!(
        terminal.http_hosts()[0].as_ref(),
        Some(&theirs),
        "somebody else's is left alone"
    );

    let store = open(&office).await;
    terminal.punch("41", now().datetime());
    until("a punch by push", async || told(&store).await.len() == 1).await;

    terminal.reboot().expect("its port");
    assert!(!calls_us(&terminal), "it forgot");
    office.run_ok(&["poll"]);
    until("a slot that calls us again", async || calls_us(&terminal)).await;
    terminal.punch("42", now().datetime() + 1.minute());
    until("another punch by push", async || {
        told(&store).await.len() == 2
    })
    .await;

    // Once it is not to call any more, it is told so.
    office.run_ok(&["device", "edit", SERIAL, "--mode", "poll"]);
    until("an empty slot", async || !calls_us(&terminal)).await;
    store.close().await.expect("closed");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_was_acknowledged_is_lost_when_the_server_is_killed() {
    let office = office().await;
    let terminal = start(terminal(Push::default())).await;
    register(&office, &terminal);
    let port = system_tests::free_port();
    let serve = || office.serve_with(&[("MUSTER_PUSH_LISTEN", &port.to_string())]);
    let began = now().datetime().round(jiff::Unit::Second).expect("a time") - 1.day();
    let mut made = 0;
    for round in 0..KILLS {
        let server = serve();
        until("a slot that calls us", async || calls_us(&terminal)).await;
        let enough = terminal.counts().posts_taken + POSTS_A_ROUND;
        let waits = Instant::now();
        while terminal.counts().posts_taken < enough {
            assert!(
                waits.elapsed() < LIMIT,
                "round {round}: nothing is delivered"
            );
            made += 1;
            terminal.push(Event::face("41", began + jiff::Span::new().seconds(made)));
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        server.kill();
        let taken = terminal.counts().posts_taken;
        let store = open(&office).await;
        let stored = told(&store).await.len() as u64;
        store.close().await.expect("closed");
        assert!(
            stored >= taken,
            "round {round}: {taken} were acknowledged and {stored} are stored"
        );
    }
    let _server = serve();
    let store = open(&office).await;
    let all = usize::try_from(made).expect("few");
    until("everything that was made is stored", async || {
        store::testing::punches_of(&store, device(&store).await)
            .await
            .len()
            == all
    })
    .await;
    assert!(!told(&store).await.is_empty());
    store.close().await.expect("closed");
}

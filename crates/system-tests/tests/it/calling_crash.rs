//! Terminals that call while the server is killed: what one of them was told is stored, and nothing is stored twice.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use attendance::{DeviceId, Way};
use jiff::civil::{Date, date};
use simulators::zk_push::{Event, Profile, Punch, RunningTerminal, VirtualTerminal, history};
use store::devices::{DeviceFields, NewDevice};
use store::testing::{author, device_fields};
use store::{Store, WriteTx};
use system_tests::{Database, Installation};

const TERMINALS: usize = 30;
const PUNCHES: usize = 600;
const BATCH: usize = 10;
const KILLS: usize = 20;
/// A round ends when the terminals were told of so many more uploads.
const UPLOADS_A_ROUND: usize = 40;
const FIRST_DAY: Date = date(2026, 1, 5);
/// For everything to be delivered, on a busy machine.
const LIMIT: Duration = Duration::from_secs(120);

#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_was_acknowledged_is_lost_when_the_server_is_killed_twenty_times() {
    let office = Installation::new(Database::Sqlite).await;
    let serials: Vec<String> = (0..TERMINALS).map(|n| format!("GATE{n:04}")).collect();
    let devices = register(&office, &serials).await;
    let port = system_tests::free_port();
    let told = Arc::new(AtomicUsize::new(0));
    let terminals: Vec<RunningTerminal> = (serials.iter().enumerate())
        .map(|(n, serial)| {
            let told = told.clone();
            terminal(serial, Profile::ALL[n % Profile::ALL.len()])
                .observer(Arc::new(move |_, event| {
                    if matches!(event, Event::Acknowledged { .. }) {
                        told.fetch_add(1, Ordering::Relaxed);
                    }
                }))
                .start(port)
        })
        .collect();

    for round in 0..KILLS {
        let server = office.serve_with(&[("MUSTER_PUSH_LISTEN", &port.to_string())]);
        let enough = told.load(Ordering::Relaxed) + UPLOADS_A_ROUND;
        let began = Instant::now();
        while told.load(Ordering::Relaxed) < enough {
            assert!(
                began.elapsed() < LIMIT,
                "round {round}: nothing is delivered"
            );
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        server.kill();
        let store = Store::open(office.database_url()).await.expect("the file");
        for (device, terminal) in devices.iter().zip(&terminals) {
            let stored = stored(&store, *device).await;
            let lost: Vec<_> = keys(terminal.acknowledged())
                .difference(&stored)
                .cloned()
                .collect();
            assert!(
                lost.is_empty(),
                "round {round}: {} was told that {lost:?} are kept",
                terminal.serial_number()
            );
        }
        store.close().await.expect("closed");
    }
    assert!(
        terminals
            .iter()
            .any(|terminal| terminal.acknowledged().len() < PUNCHES),
        "it was over before the last kill"
    );

    let _server = office.serve_with(&[("MUSTER_PUSH_LISTEN", &port.to_string())]);
    for terminal in &terminals {
        let all = tokio::time::timeout(LIMIT, terminal.until_acknowledged(PUNCHES)).await;
        all.unwrap_or_else(|_| panic!("{} does not get through", terminal.serial_number()));
    }
    let store = Store::open(office.database_url()).await.expect("the file");
    for (device, terminal) in devices.iter().zip(&terminals) {
        let log = terminal.log().into_iter().map(|logged| logged.punch);
        assert_eq!(
            stored(&store, *device).await,
            keys(log),
            "{}",
            terminal.serial_number()
        );
    }
    let began = Instant::now();
    while store::testing::count_rows(&store, "marked_days").await > 0 {
        assert!(began.elapsed() < LIMIT, "not everything is judged");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    store.close().await.expect("closed");
    office.run_ok(&["judge", "--check"]);
}

/// What the operating system sees: between two acknowledgements of one terminal something reached the disk.
#[tokio::test(flavor = "multi_thread")]
async fn the_disk_is_waited_for_before_each_acknowledgement() {
    let has_strace = Command::new("strace").arg("--version").output().is_ok();
    assert!(
        has_strace,
        "strace is missing: run `cargo xtask test`, or `sudo apt-get install strace`"
    );
    let office = Installation::new(Database::Sqlite).await;
    register(&office, &["GATE0000".to_owned()]).await;
    let port = system_tests::free_port();
    let trace = office.folder().join("trace");
    let mut strace = Command::new("strace");
    strace
        .args([
            "-D",
            "-f",
            "-qq",
            "-s",
            "600",
            "-e",
            "trace=fdatasync,fsync,write,writev,sendto,sendmsg",
            "-o",
        ])
        .arg(&trace);
    let server = office.serve_by(strace, &[("MUSTER_PUSH_LISTEN", &port.to_string())]);
    let terminal = terminal("GATE0000", Profile::V24).start(port);
    let all = tokio::time::timeout(LIMIT, terminal.until_acknowledged(PUNCHES)).await;
    all.expect("it gets through");
    drop(server);
    let text = whole_trace(&trace).await;
    let (mut synced, mut acknowledged) = (0, 0);
    for line in text.lines() {
        if is_synced(line) {
            synced += 1;
        }
        if line.contains(&format!("OK: {BATCH}")) && !line.contains("resumed") {
            acknowledged += 1;
            assert!(
                synced > 0,
                "acknowledgement {acknowledged} came before the disk:\n{line}"
            );
            synced = 0;
        }
    }
    assert_eq!(acknowledged, PUNCHES / BATCH, "each upload is in the trace");
}

fn is_synced(line: &str) -> bool {
    let call = line.contains("fdatasync(") || line.contains("fsync(");
    let ended = line.contains("fdatasync resumed>") || line.contains("fsync resumed>");
    (call || ended) && line.trim_end().ends_with("= 0")
}

/// The tracer ends a moment after what it traced.
async fn whole_trace(file: &Path) -> String {
    let began = Instant::now();
    loop {
        let text = std::fs::read_to_string(file).unwrap_or_default();
        if text.contains("+++ killed by SIGKILL") {
            return text;
        }
        assert!(
            began.elapsed() < LIMIT,
            "strace wrote no end:\n{}",
            text.lines().last().unwrap_or_default()
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn terminal(serial: &str, profile: Profile) -> VirtualTerminal {
    VirtualTerminal::new(serial, profile)
        .records(history(PUNCHES, 10, FIRST_DAY))
        .batch(BATCH)
        .delay(Duration::from_millis(50))
        .error_delay(Duration::from_millis(20))
        .time_out(Duration::from_secs(10))
}

async fn register(office: &Installation, serials: &[String]) -> Vec<DeviceId> {
    let store = Store::open(office.database_url())
        .await
        .expect("init made it");
    let tx: WriteTx = store.begin_write().await.expect("a transaction");
    let site = tx
        .add_site("Office", "UTC", author())
        .await
        .expect("a site");
    let mut devices = Vec::new();
    for serial in serials {
        let new = NewDevice {
            fields: DeviceFields {
                mode: vec![Way::Push],
                address: None,
                ..device_fields(site, serial)
            },
            password: None,
            comm_key: None,
            zone: None,
        };
        devices.push(tx.add_device(&new, author()).await.expect("a device"));
    }
    tx.commit().await.expect("committed");
    store.close().await.expect("closed");
    devices
}

/// Who, and at which wall time.
fn keys(punches: impl IntoIterator<Item = Punch>) -> BTreeSet<String> {
    let keys = punches.into_iter().map(|punch| {
        let clock = punch.clock.strftime("%Y-%m-%d %H:%M:%S");
        format!("{} {clock}", punch.pin)
    });
    keys.collect()
}

/// The same of what is stored, each once.
async fn stored(store: &Store, device: DeviceId) -> BTreeSet<String> {
    let punches = store::testing::punches_of(store, device).await;
    let keys = punches.iter().map(|line| {
        let words: Vec<&str> = line.splitn(4, ' ').collect();
        words[..3].join(" ")
    });
    let distinct: BTreeSet<String> = keys.collect();
    assert_eq!(distinct.len(), punches.len(), "something is stored twice");
    distinct
}

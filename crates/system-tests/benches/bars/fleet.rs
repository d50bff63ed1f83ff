//! One cycle over thousands of terminals that hold nothing new, which is what most cycles are.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use ingest::Clock;
use jiff::civil::date;
use simulators::zk::{self, LogLayout, Records, VirtualTerminal};

use crate::company::Company;
use crate::cycle::until_judged;
use crate::process::{Role, until_told_to_end};
use crate::raw_zk;
use crate::table::{Row, median, millis, ratio};

const TERMINALS: usize = 3000;
const RECORDS: usize = 30;
const PEOPLE: usize = 15;
const RUNS: usize = 5;
/// Readers of the floor at the same time.
const TOGETHER: usize = 16;
const NOW: &str = "2026-11-23T09:00:00Z";

pub fn measure() -> Vec<Row> {
    let mut role = Role::start("zk-fleet", &[]);
    let terminals = role.terminals(TERMINALS);
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let (floor, ours) = runtime.block_on(measure_cycles(&terminals));
    vec![Row {
        what: format!("{TERMINALS} terminals, a cycle with nothing new"),
        result: millis(ours),
        floor: Some(format!("{} (bytes thrown away)", millis(floor))),
        ratio: Some(ratio(ours, floor)),
        bar: "≤ 5 s",
        met: ours <= Duration::from_secs(5),
    }]
}

/// Medians of the floor and of ours, measured in turn.
async fn measure_cycles(terminals: &[(String, SocketAddr)]) -> (Duration, Duration) {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let clock = Clock::scaled(NOW.parse().expect("an instant"), 1.0);
    let url = format!("sqlite://{}", folder.path().join("muster.db").display());
    let company = Company::new(&url, "Europe/Berlin", PEOPLE, clock.clone()).await;
    let devices: Vec<_> = terminals
        .iter()
        .map(|(serial, address)| (serial.clone(), Some(*address)))
        .collect();
    // Nothing is due by itself while it is measured.
    let devices = company.add_devices(&devices, 3600).await;
    let since = clock.now();
    let workers = company.engine.start().await.expect("the workers start");
    until_judged(&company, &devices, since).await;

    let (mut floor, mut ours) = (Vec::new(), Vec::new());
    for _ in 0..RUNS {
        let began = Instant::now();
        throw_away(terminals);
        floor.push(began.elapsed());
        let since = clock.now();
        let began = Instant::now();
        let asked = company.engine.poller.poll_now(None).await;
        assert_eq!(asked.expect("all can be asked").len(), TERMINALS);
        until_judged(&company, &devices, since).await;
        ours.push(began.elapsed());
    }
    workers.stop().await.expect("the workers stop");
    (median(floor), median(ours))
}

fn throw_away(terminals: &[(String, SocketAddr)]) {
    std::thread::scope(|scope| {
        for some in terminals.chunks(TERMINALS.div_ceil(TOGETHER)) {
            scope.spawn(move || {
                for (_, address) in some {
                    raw_zk::throw_nothing_new_away(*address, RECORDS as u32)
                        .expect("the terminal answers");
                }
            });
        }
    });
}

/// Role: the terminals, all with the same people and the same log.
pub fn be_a_fleet() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let records = Records::new(RECORDS, PEOPLE, date(2026, 11, 20));
    let model = VirtualTerminal::new("FLEET0001")
        .clock(zk::stopped(date(2026, 11, 23).at(10, 0, 0, 0)))
        .users(records.user_table())
        .log_layout(LogLayout::Forty)
        .records(records);
    let fleet = model.start_fleet(TERMINALS, IpAddr::V4(Ipv4Addr::LOCALHOST));
    let fleet = runtime.block_on(fleet).expect("ports are free");
    for terminal in &fleet {
        println!("{} {}", terminal.serial_number(), terminal.addr());
    }
    runtime.block_on(async {
        let _ = tokio::task::spawn_blocking(until_told_to_end).await;
    });
    drop(fleet);
}

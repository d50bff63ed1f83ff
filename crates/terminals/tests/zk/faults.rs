//! Every fault over TCP and over UDP: a read brings exactly what the terminal holds, or ends with a named error, and always in
//! time.

use simulators::zk::{Datagrams, Transports};

use super::*;

const RECORDS: usize = 3000;
/// Above this many a read asks the same again and again.
const REQUESTS: u64 = 1000;

pub fn over(transport: Transport, terminal: &RunningTerminal) -> Target {
    let udp = terminal.udp_addr().expect("it listens on UDP");
    match transport {
        Transport::Udp => Target {
            transport,
            ..target_at(udp)
        },
        _ => target(terminal),
    }
}

async fn start_both(builder: VirtualTerminal) -> RunningTerminal {
    start(builder.transports(Transports::Both)).await
}

/// What a read brought is what the log holds, each record at its place; what is lacking is said to be.
#[track_caller]
fn check_exact(what: &str, reading: &Reading, held: usize) {
    let expected = punches(RECORDS);
    let found = plain(&reading.punches);
    for punch in found.iter().filter(|punch| (punch.4 as usize) < RECORDS) {
        assert_eq!(*punch, expected[punch.4 as usize], "{what}");
    }
    let mut places: Vec<u64> = found.iter().map(|punch| punch.4).collect();
    places.dedup();
    assert_eq!(places.len(), found.len(), "{what}: a record came twice");
    let told = found.len() as u64 + reading.rejected + reading.missing;
    assert!(told >= held as u64, "{what}: {told} of {held}");
}

#[tokio::test]
async fn every_fault_ends_in_exact_data_or_a_named_error() {
    let mut tasks = tokio::task::JoinSet::new();
    for notation in Fault::NOTATIONS {
        for transport in [Transport::Tcp, Transport::Udp] {
            tasks.spawn(read_with(notation, transport));
        }
    }
    while let Some(read) = tasks.join_next().await {
        read.expect("no read panics");
    }
}

/// Faults after which nothing can be read in time; every other one a reader bears.
const FATAL: [&str; 25] = [
    "refuse",
    "busy",
    "silent",
    "slow=3s",
    "dribble=20ms",
    "split=7/20ms",
    "frames=20ms",
    "cut=1000",
    "stall=1000",
    "hang-up=1503",
    "mute=1503",
    "wrong-checksum",
    "wrong-reply-id",
    "garbage",
    "udp-loss=20%/7",
    "access-panel",
    "huge-frame",
    "huge-log",
    "wrong-total=-40",
    "growing-transfer=1",
    "ignores-offset",
    "wrong-serial=OTHER1",
    "refuse-key",
    "connect-code=6001",
    "log-code=4989",
];

async fn read_with(notation: &str, transport: Transport) {
    let what = format!("{notation} over {transport:?}");
    let fault: Fault = notation.parse().expect("a notation");
    let terminal = start_both(builder(LogLayout::Forty, RECORDS)).await;
    terminal.set_fault(fault);
    let held = terminal.record_count().min(RECORDS);
    let target = over(transport, &terminal);
    let fatal = FATAL.contains(&notation);
    // Of the fatal ones some end by the deadline; the others are to be borne, however busy the machine is.
    let whole = Duration::from_secs(if fatal { 4 } else { 30 });
    let position = ReadPosition::default();
    let read = read_within(&target, &position, whole);
    let read = tokio::time::timeout(whole + Duration::from_secs(3), read)
        .await
        .unwrap_or_else(|_| panic!("{what}: it hangs"));
    let requests: u64 = terminal.counts().commands.values().sum();
    assert!(requests < REQUESTS, "{what}: {requests} requests");
    match read {
        Ok(reading) => check_exact(&what, &reading, held),
        Err(error) => assert!(fatal, "{what}: {error}"),
    }
}

#[tokio::test]
async fn datagrams_that_are_lost_doubled_and_reordered_change_nothing() {
    let some = |percent, seed| Datagrams::Percent { percent, seed };
    let faults = [
        vec![Fault::UdpLoss(Datagrams::Every(5))],
        vec![Fault::UdpTwice(Datagrams::Every(1))],
        vec![Fault::UdpReorder(Datagrams::Every(2))],
        vec![
            Fault::UdpLoss(some(10, 7)),
            Fault::UdpTwice(some(30, 8)),
            Fault::UdpReorder(some(30, 9)),
        ],
    ];
    let mut tasks = tokio::task::JoinSet::new();
    for layout in LAYOUTS {
        for faults in faults.clone() {
            tasks.spawn(async move {
                let terminal = start_both(builder(layout, 200)).await;
                for fault in &faults {
                    terminal.set_fault(fault.clone());
                }
                let target = over(Transport::Udp, &terminal);
                let position = ReadPosition::default();
                let read = read_within(&target, &position, Duration::from_secs(60)).await;
                let read = read.unwrap_or_else(|error| panic!("{layout:?} {faults:?}: {error}"));
                assert_eq!(plain(&read.punches), punches(200), "{layout:?} {faults:?}");
                assert_eq!(read.rejected, 0, "{layout:?} {faults:?}");
            });
        }
    }
    while let Some(read) = tasks.join_next().await {
        read.expect("no read panics");
    }
}

#[tokio::test]
async fn over_udp_a_read_brings_the_same_and_an_unchanged_log_costs_little() {
    for layout in LAYOUTS {
        for part_size in [1024, 1008, 300] {
            let terminal = start_both(builder(layout, RECORDS).part_size(part_size)).await;
            let target = over(Transport::Udp, &terminal);
            let first = read_within(&target, &ReadPosition::default(), LONG)
                .await
                .expect("a read");
            assert_eq!(plain(&first.punches), punches(RECORDS), "{layout:?}");
            assert_eq!(first.users.as_ref().map(Vec::len), Some(3));
            let before = terminal.counts();
            let again = read_within(&target, &first.position, LONG).await;
            assert_eq!(again.expect("a second read").punches, [], "{layout:?}");
            let after = terminal.counts();
            assert!(after.bytes_out - before.bytes_out < 1000, "{layout:?}");
            assert!(after.bytes_in - before.bytes_in < 1000, "{layout:?}");
            assert_eq!(after.of(EXIT), 2);
        }
    }
}

#[tokio::test]
async fn silence_at_a_udp_port_ends_at_connecting() {
    let terminal = start_both(builder(LogLayout::Forty, 1)).await;
    let target = over(Transport::Udp, &terminal);
    terminal.go_offline();
    let error = read_within(&target, &ReadPosition::default(), LONG)
        .await
        .expect_err("nobody is there");
    assert_eq!(error.step(), Step::Connect, "{error:?}");
}

//! The ZKTeco driver against virtual terminals: what it brings, what it asks, and how each fault ends.

mod clock;
mod discover;
mod faults;
mod live;
mod transports;
mod writing;

use std::time::{Duration, Instant};

use attendance::{Punch, PunchState, VerifyMode};
use jiff::civil::{DateTime, date};
use jiff::{SignedDuration, Timestamp};
use simulators::zk::{
    Fault, LogLayout, Reads, Record, Records, RunningTerminal, User, UserLayout, UserTable,
    VirtualTerminal, stopped,
};
use terminals::{
    CertificateTrust, Credentials, DeviceKind, ReadPosition, Reading, Retry, Step, Target,
    Terminal, TerminalError, Transport,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use zk_proto::{Header, Packet, PacketBuffer};

const SERIAL: &str = "A8N5201160001";
const MORNING: DateTime = date(2026, 11, 22).at(8, 30, 15, 0);
const LONG: Duration = Duration::from_secs(20);
/// For faults that end by the deadline: long enough for everything before the fault.
const SHORT: Duration = Duration::from_millis(400);

const EXIT: u16 = 1001;
const USERS_DIRECT: u16 = 9;
const ATTLOG_DIRECT: u16 = 13;
const READ_BUFFER: u16 = 1504;

fn seen_at() -> Timestamp {
    "2026-11-22T05:30:15Z".parse().expect("an instant")
}

fn target(terminal: &RunningTerminal) -> Target {
    target_at(terminal.addr())
}

fn target_at(addr: std::net::SocketAddr) -> Target {
    Target {
        kind: DeviceKind::Zk,
        host: addr.ip().to_string(),
        port: addr.port(),
        transport: Transport::Tcp,
        credentials: Credentials::default(),
        certificate: CertificateTrust::default(),
        serial: Some(SERIAL.to_owned()),
    }
}

async fn read_within(
    target: &Target,
    position: &ReadPosition,
    deadline: Duration,
) -> Result<Reading, TerminalError> {
    terminals::read(target, position, deadline, &seen_at).await
}

async fn read(terminal: &RunningTerminal) -> Result<Reading, TerminalError> {
    read_within(&target(terminal), &ReadPosition::default(), LONG).await
}

async fn read_again(terminal: &RunningTerminal, before: &Reading) -> Reading {
    read_within(&target(terminal), &before.position, LONG)
        .await
        .expect("a second read")
}

fn people() -> UserTable {
    UserTable::from_iter([
        User::new(1, "1001").named("Ana").admin(),
        User::new(2, "1002").named("Ben").with_card(6543),
        User::new(3, "1003"),
    ])
}

/// Record `n`: the three people in turn, a minute apart, check-in and check-out, by finger.
fn records(count: usize) -> Vec<Record> {
    (0..count)
        .map(|n| {
            let who = n % 3 + 1;
            let clock = MORNING - SignedDuration::from_mins((count - n) as i64);
            Record::new(
                who as u16,
                (1000 + who).to_string().as_str(),
                clock,
                (n % 2) as u8,
                1,
            )
        })
        .collect()
}

fn punches(count: usize) -> Vec<(String, DateTime, PunchState, VerifyMode, u64)> {
    (0..count)
        .map(|n| {
            (
                (1001 + n % 3).to_string(),
                MORNING - SignedDuration::from_mins((count - n) as i64),
                [PunchState::In, PunchState::Out][n % 2],
                VerifyMode::Finger,
                n as u64,
            )
        })
        .collect()
}

fn plain(punches: &[Punch]) -> Vec<(String, DateTime, PunchState, VerifyMode, u64)> {
    punches
        .iter()
        .map(|punch| {
            (
                punch.user.to_string(),
                punch.clock,
                punch.state,
                punch.verify,
                punch.record,
            )
        })
        .collect()
}

fn builder(layout: LogLayout, count: usize) -> VirtualTerminal {
    let user_layout = match layout {
        LogLayout::Packed8 | LogLayout::Compressed8 { .. } | LogLayout::Sixteen => {
            UserLayout::TwentyEight
        }
        _ => UserLayout::SeventyTwo,
    };
    VirtualTerminal::new(SERIAL)
        .clock(stopped(MORNING))
        .users(people())
        .user_layout(user_layout)
        .log_layout(layout)
        .records(records(count))
}

async fn start(builder: VirtualTerminal) -> RunningTerminal {
    builder.start("127.0.0.1:0").await.expect("a free port")
}

const LAYOUTS: [LogLayout; 7] = [
    LogLayout::Packed8,
    LogLayout::Compressed8 { marked: false },
    LogLayout::Compressed8 { marked: true },
    LogLayout::Sixteen,
    LogLayout::Forty,
    LogLayout::FortyNumbered,
    LogLayout::FortyNine,
];

#[tokio::test]
async fn one_read_brings_everything_and_changes_nothing() {
    let terminal = start(builder(LogLayout::Forty, 300)).await;
    let reading = read(&terminal).await.expect("a read");

    assert_eq!(reading.identity.serial, SERIAL);
    assert_eq!(reading.identity.model, "MB360/ID");
    assert_eq!(reading.identity.firmware, "Ver 6.60 Apr 26 2016");
    assert_eq!(reading.identity.users, Some(3));
    assert_eq!(reading.identity.records, Some(300));
    assert_eq!(reading.identity.record_capacity, Some(200_000));
    assert_eq!((reading.clock, reading.seen_at), (MORNING, seen_at()));
    let users: Vec<_> = reading
        .users
        .expect("users")
        .into_iter()
        .map(|user| (user.id.to_string(), user.name, user.admin, user.card))
        .collect();
    assert_eq!(
        users,
        [
            ("1001".to_owned(), "Ana".to_owned(), true, None),
            (
                "1002".to_owned(),
                "Ben".to_owned(),
                false,
                Some("6543".to_owned())
            ),
            ("1003".to_owned(), String::new(), false, None),
        ]
    );
    assert_eq!(plain(&reading.punches), punches(300));
    assert_eq!(reading.parked, []);

    let counts = terminal.counts();
    let asked: Vec<u16> = counts.commands.keys().copied().collect();
    assert_eq!(
        asked,
        [11, 50, 201, 1000, EXIT, 1100, 1502, 1503, READ_BUFFER]
    );
    assert_eq!(counts.of(EXIT), 1);
    assert_eq!((counts.connections, counts.disables), (1, 0));
    assert_eq!((counts.bad_checksums, counts.wrong_sessions), (0, 0));
}

#[tokio::test]
async fn every_layout_inline_and_chunked() {
    for layout in LAYOUTS {
        for (count, inline_limit) in [(0, 1024), (1, 1024), (9, 0), (20, 1024), (5000, 1024)] {
            let terminal = start(builder(layout, count).inline_limit(inline_limit)).await;
            let reading = read(&terminal)
                .await
                .unwrap_or_else(|error| panic!("{layout:?} x {count}: {error}"));
            assert_eq!(plain(&reading.punches), punches(count), "{layout:?}");
            assert_eq!(
                reading.users.map(|users| users.len()),
                Some(3),
                "{layout:?}"
            );
            assert_eq!(reading.parked, [], "{layout:?}");
        }
    }
}

#[tokio::test]
async fn what_models_do_differently_changes_nothing() {
    let plain_one = || builder(LogLayout::Forty, 3000);
    let variants = [
        plain_one().part_size(1008),
        plain_one().part_size(4096),
        plain_one().bare_chunks(),
        plain_one().data_without_session(),
        plain_one().size_in_closing_ack(),
        plain_one().options_without_nul(),
        plain_one().counter_words(20),
        plain_one().counter_words(28),
        plain_one().counter_words(1),
        plain_one().reads(Reads::Both),
    ];
    for (index, variant) in variants.into_iter().enumerate() {
        let terminal = start(variant).await;
        let reading = read(&terminal)
            .await
            .unwrap_or_else(|error| panic!("variant {index}: {error}"));
        assert_eq!(plain(&reading.punches), punches(3000), "variant {index}");
    }
}

#[tokio::test]
async fn segments_cut_and_merged_anywhere() {
    let faults = [
        Fault::Split {
            size: 1,
            pause: Duration::ZERO,
        },
        Fault::Split {
            size: 7,
            pause: Duration::ZERO,
        },
        Fault::Split {
            size: 1000,
            pause: Duration::from_micros(100),
        },
        Fault::SeparateFrames(Duration::from_millis(2)),
        Fault::StaleAnswers,
    ];
    for fault in faults {
        let terminal = start(builder(LogLayout::FortyNine, 700).part_size(4096)).await;
        terminal.set_fault(fault.clone());
        let reading = read(&terminal)
            .await
            .unwrap_or_else(|error| panic!("{fault:?}: {error}"));
        assert_eq!(plain(&reading.punches), punches(700), "{fault:?}");
    }
}

#[tokio::test]
async fn a_punch_between_counters_and_log_does_not_change_the_layout() {
    for layout in LAYOUTS {
        for growth in [1, 2, 3] {
            let terminal = start(builder(layout, 40)).await;
            terminal.set_fault(Fault::Growing(growth));
            let reading = read(&terminal)
                .await
                .unwrap_or_else(|error| panic!("{layout:?}: {error}"));
            assert_eq!(plain(&reading.punches)[..40], punches(40), "{layout:?}");
            // The counters are read when connecting and again before the log.
            assert_eq!(reading.punches.len(), 40 + 2 * growth, "{layout:?}");
            assert_eq!(reading.parked, [], "{layout:?}");
        }
    }
}

#[tokio::test]
async fn counters_that_lie_do_not_hide_the_log() {
    for records_counted in [0, 39, 41, 500] {
        let terminal = start(builder(LogLayout::Forty, 40)).await;
        terminal.set_fault(Fault::Counters(vec![(8, records_counted)]));
        let reading = read(&terminal).await.expect("a read");
        assert_eq!(plain(&reading.punches), punches(40));
        assert_eq!(
            reading.missing,
            u64::from(records_counted).saturating_sub(40)
        );
    }
}

#[tokio::test]
async fn an_unchanged_log_is_not_read() {
    for layout in LAYOUTS {
        for count in [0, 10, 5000] {
            let terminal = start(builder(layout, count)).await;
            let first = read(&terminal).await.expect("a read");
            let before = terminal.counts();
            let second = read_again(&terminal, &first).await;
            assert_eq!(second.punches, [], "{layout:?} x {count}");
            assert_eq!(second.users, None, "{layout:?} x {count}");
            assert_eq!(second.position, first.position);
            let after = terminal.counts();
            let (sent, received) = (
                after.bytes_in - before.bytes_in,
                after.bytes_out - before.bytes_out,
            );
            // An inline log comes whole, at most 1,024 bytes of it.
            let limit = if count == 10 { 2000 } else { 1000 };
            assert!(
                sent < 1000 && received < limit,
                "{sent} sent, {received} received"
            );
        }
    }
}

#[tokio::test]
async fn a_changed_log_is_read() {
    for layout in LAYOUTS {
        let terminal = start(builder(layout, 100)).await;
        let first = read(&terminal).await.expect("a read");

        assert!(terminal.punch("1002", MORNING, 0, 1));
        let second = read_again(&terminal, &first).await;
        // A small log comes whole, whatever of it is wanted.
        let inline = 4 + 101 * layout.size() <= 1024;
        let expected = if inline { 101 } else { 1 };
        assert_eq!(second.punches.len(), expected, "{layout:?}");
        assert_ne!(second.position, first.position);

        // Cleared and filled again to the same count: only the last record tells.
        terminal.clear_log();
        for n in 0..101 {
            let clock = MORNING + SignedDuration::from_mins(n + 1);
            assert!(terminal.punch("1001", clock, 0, 1));
        }
        let third = read_again(&terminal, &second).await;
        assert_eq!(third.punches.len(), 101, "{layout:?}");
        assert_eq!(
            third.punches[0].clock,
            MORNING + SignedDuration::from_mins(1)
        );
        assert!(!second.log_lost && !third.log_lost);

        terminal.clear_log();
        assert!(terminal.punch("1001", MORNING + SignedDuration::from_hours(4), 0, 1));
        assert!(read_again(&terminal, &third).await.log_lost, "{layout:?}");
    }
}

#[tokio::test]
async fn only_what_was_added_is_read() {
    for layout in LAYOUTS {
        let terminal = start(builder(layout, 5000)).await;
        let mut last = read(&terminal).await.expect("a read");
        for round in 0..2_u64 {
            for n in 0..10 {
                let clock = MORNING + SignedDuration::from_secs(round as i64 * 100 + n);
                assert!(terminal.punch("1002", clock, 1, 1));
            }
            let before = terminal.counts();
            let read = read_again(&terminal, &last).await;
            let new: Vec<_> = (0..10)
                .map(|n| {
                    let clock = MORNING + SignedDuration::from_secs((round * 100 + n) as i64);
                    let place = 5000 + round * 10 + n;
                    (
                        "1002".to_owned(),
                        clock,
                        PunchState::Out,
                        VerifyMode::Finger,
                        place,
                    )
                })
                .collect();
            assert_eq!(plain(&read.punches), new, "{layout:?}");
            assert_eq!((read.missing, read.rejected, read.log_lost), (0, 0, false));
            let received = terminal.counts().bytes_out - before.bytes_out;
            // Internal numbers are read with the user list of the moment.
            let users = 3 * 72;
            assert!(
                received < 1000 + 11 * layout.size() as u64 + users,
                "{received}"
            );
            last = read;
        }
        assert_eq!(read_again(&terminal, &last).await.punches, [], "{layout:?}");
    }
}

#[tokio::test]
async fn a_log_that_began_again_and_grew_longer_is_read_whole() {
    for layout in LAYOUTS {
        let terminal = start(builder(layout, 200)).await;
        let first = read(&terminal).await.expect("a read");
        terminal.clear_log();
        for n in 0..300 {
            let clock = MORNING + SignedDuration::from_mins(n + 1);
            assert!(terminal.punch("1001", clock, 0, 1));
        }
        let second = read_again(&terminal, &first).await;
        assert_eq!(second.punches.len(), 300, "{layout:?}");
        assert_eq!(second.punches[0].record, 0);
        assert_eq!(read_again(&terminal, &second).await.punches, []);
    }
}

#[tokio::test]
async fn what_cannot_be_understood_at_the_end_is_parked_and_the_end_is_read_on() {
    let terminal = start(builder(LogLayout::Forty, 100)).await;
    let first = read(&terminal).await.expect("a read");
    for n in 0..8 {
        let clock = MORNING + SignedDuration::from_mins(n);
        assert!(terminal.punch("1001", clock, 0, 1));
    }
    terminal.set_fault(Fault::ImpossibleTime(103));
    let second = read_again(&terminal, &first).await;
    assert_eq!((second.punches.len(), second.rejected), (7, 1));
    assert_eq!(second.parked.len(), 1);
    assert!(terminal.punch("1001", MORNING + SignedDuration::from_mins(9), 0, 1));
    let third = read_again(&terminal, &second).await;
    assert_eq!((third.punches.len(), third.rejected), (1, 0));
}

#[tokio::test]
async fn a_full_log_is_read_every_time() {
    let terminal = start(builder(LogLayout::Forty, 100).record_capacity(100)).await;
    let first = read(&terminal).await.expect("a read");
    assert_eq!(read_again(&terminal, &first).await.punches.len(), 100);
}

#[tokio::test]
async fn users_are_read_when_their_number_changes_or_an_hour_has_passed() {
    let terminal = start(builder(LogLayout::Forty, 100)).await;
    let first = read(&terminal).await.expect("a read");
    terminal.add_user(User::new(4, "1004").named("Dee"));
    let second = read_again(&terminal, &first).await;
    assert_eq!(second.users.as_ref().map(Vec::len), Some(4));
    assert_eq!(second.punches, []);
    assert_eq!(read_again(&terminal, &second).await.users, None);

    let later = || seen_at() + SignedDuration::from_mins(61);
    let third = terminals::read(&target(&terminal), &second.position, LONG, &later)
        .await
        .expect("a read");
    assert_eq!(third.users.map(|users| users.len()), Some(4));
}

#[tokio::test]
async fn the_comm_key_is_tried_once() {
    let terminal = start(builder(LogLayout::Forty, 10).comm_key(123_456)).await;
    let with_key = |comm_key| Target {
        credentials: Credentials {
            comm_key,
            ..Credentials::default()
        },
        ..target(&terminal)
    };
    let attempt = async |key| {
        let before = terminal.counts().auth_attempts;
        let result = read_within(&with_key(key), &ReadPosition::default(), LONG).await;
        (result, terminal.counts().auth_attempts - before)
    };

    let (result, attempts) = attempt(Some(654_321)).await;
    let error = result.expect_err("a wrong key");
    assert!(matches!(error, TerminalError::AuthRefused), "{error}");
    assert_eq!((error.retry(), attempts), (Retry::AfterEdit, 1));

    let (result, attempts) = attempt(None).await;
    let error = result.expect_err("no key");
    assert!(matches!(error, TerminalError::KeyRequired), "{error}");
    assert_eq!((error.retry(), attempts), (Retry::AfterEdit, 1));

    assert_eq!(terminal.counts().of(EXIT), 2);
    let (result, attempts) = attempt(Some(123_456)).await;
    assert_eq!(result.expect("the right key").punches.len(), 10);
    assert_eq!(attempts, 1);
}

#[tokio::test]
async fn a_key_refused_in_another_way_is_not_tried_again_soon() {
    for (answer, expected) in [(Some(2001), Retry::AfterEdit), (None, Retry::NextPoll)] {
        let (target, asked) = scripted(move |command, data| match (command, answer) {
            (1000, _) => vec![(2005, 7, None, vec![])],
            (1102, Some(code)) => vec![(code, 7, None, vec![])],
            (1102, None) => vec![],
            _ => common(command, data),
        })
        .await;
        let error = read_within(&target, &ReadPosition::default(), SHORT)
            .await
            .expect_err("a refused key");
        assert_eq!((error.step(), error.retry()), (Step::SignIn, expected));
        let asked = asked.await.expect("a script");
        assert_eq!(asked.last(), Some(&EXIT), "{error}");
    }
}

#[tokio::test]
async fn another_serial_number_brings_nothing() {
    let terminal = start(builder(LogLayout::Forty, 10)).await;
    terminal.set_fault(Fault::WrongSerial("OTHER1".to_owned()));
    let error = read(&terminal).await.expect_err("another terminal");
    assert!(
        matches!(&error, TerminalError::WrongSerial { expected, found, .. }
            if expected == SERIAL && found == "OTHER1"),
        "{error}"
    );
    let counts = terminal.counts();
    assert_eq!(
        (counts.of(1503), counts.of(201), counts.of(EXIT)),
        (0, 0, 1)
    );
}

#[tokio::test]
async fn case_and_blanks_of_the_serial_number_do_not_matter_and_a_mac_may_stand_in() {
    let terminal = start(builder(LogLayout::Forty, 10)).await;
    let written = Target {
        serial: Some(format!(" {} ", SERIAL.to_lowercase())),
        ..target(&terminal)
    };
    read_within(&written, &ReadPosition::default(), LONG)
        .await
        .expect("the same terminal");

    let terminal = start(
        builder(LogLayout::Forty, 10)
            .option("~SerialNumber", "")
            .option("MAC", "00:17:61:01:02:03"),
    )
    .await;
    let by_mac = Target {
        serial: Some("00:17:61:01:02:03".to_owned()),
        ..target(&terminal)
    };
    let reading = read_within(&by_mac, &ReadPosition::default(), LONG).await;
    assert_eq!(
        reading.expect("the same terminal").identity.serial,
        "00:17:61:01:02:03"
    );
}

#[tokio::test]
async fn an_impossible_date_is_parked_and_the_others_are_read() {
    for layout in LAYOUTS {
        for count in [9, 2000] {
            let terminal = start(builder(layout, count)).await;
            terminal.set_fault(Fault::ImpossibleTime(4));
            let reading = read(&terminal)
                .await
                .unwrap_or_else(|error| panic!("{layout:?}: {error}"));
            let mut expected = punches(count);
            expected.remove(4);
            assert_eq!(plain(&reading.punches), expected, "{layout:?}");
            let [parked] = &reading.parked[..] else {
                panic!("{layout:?}: one parked record, not {:?}", reading.parked);
            };
            assert_eq!(parked.reason, "impossible date 2025-02-30 21:12:20");
            assert_eq!(parked.bytes.len(), layout.size());
        }
    }
}

#[tokio::test]
async fn an_unknown_internal_number_is_parked_until_the_list_has_it() {
    for layout in [LogLayout::Packed8, LogLayout::Compressed8 { marked: true }] {
        let mut log = records(30);
        log[7].uid = 4;
        let terminal = start(builder(layout, 0).records(log)).await;
        let first = read(&terminal).await.expect("a read");
        assert_eq!(first.punches.len(), 29);
        assert_eq!(first.parked.len(), 1);
        assert_eq!(first.parked[0].reason, "unknown internal number 4");
        assert!(first.punches.iter().all(|punch| punch.user.as_str() != "4"));

        terminal.add_user(User::new(4, "1004"));
        let second = read_again(&terminal, &first).await;
        assert_eq!((second.punches.len(), second.parked.len()), (30, 0));
        assert_eq!(second.punches[7].user.as_str(), "1004");
    }
}

#[tokio::test]
async fn a_number_given_to_a_newcomer_leaves_the_leaver_her_punches() {
    for layout in [LogLayout::Packed8, LogLayout::Compressed8 { marked: true }] {
        let terminal = start(builder(layout, 30)).await;
        let first = read(&terminal).await.expect("a read");
        assert!(terminal.remove_user(3));
        terminal.add_user(User::new(3, "1050"));
        assert!(terminal.punch("1050", MORNING + SignedDuration::from_mins(5), 0, 1));
        let second = read_again(&terminal, &first).await;
        assert_eq!(plain(&second.punches)[..30], punches(30), "{layout:?}");
        assert_eq!(second.punches[30].user.as_str(), "1050");
        // Nor does it when the log is read once more.
        assert!(terminal.punch("1001", MORNING + SignedDuration::from_mins(6), 0, 1));
        let third = read_again(&terminal, &second).await;
        assert_eq!(third.punches[..31], second.punches[..], "{layout:?}");
    }
}

#[tokio::test]
async fn names_with_nuls_and_in_other_code_pages() {
    let name_of = async |name: &[u8]| {
        let user = User::new(1, "1001").named(name);
        let terminal = start(builder(LogLayout::Forty, 3).users([user])).await;
        let users = read(&terminal).await.expect("a read").users;
        users.expect("users")[0].name.clone()
    };
    assert_eq!(name_of(b"Ana\0\0old").await, "Ana");
    assert_eq!(name_of("Jörg".as_bytes()).await, "Jörg");
    assert_eq!(name_of(b"\xd5\xc5\xce\xb0").await, "张伟");
    assert_eq!(name_of(b"\xc7\xcd\xe3\xcf").await, "احمد");
    assert_eq!(name_of(b"A\xf7 B").await, "A\u{fffd} B");
}

/// How a fault must end: by name, at a step, within the deadline, with the session ended if it had begun.
#[track_caller]
fn check_error(fault: &Fault, error: &TerminalError, step: Step, kind: &str) {
    let found = format!("{error:?}");
    assert!(found.starts_with(kind), "{fault:?}: {found}");
    assert_eq!(error.step(), step, "{fault:?}: {found}");
}

#[tokio::test]
async fn faults_end_in_named_errors_at_once() {
    let table = [
        (Fault::RefuseConnection, Step::Connect, "Unreachable"),
        (Fault::Busy, Step::Connect, "Cut"),
        (Fault::Garbage, Step::Connect, "Malformed"),
        (Fault::AccessPanel, Step::Connect, "AccessPanel"),
        (Fault::HugeFrame, Step::Connect, "TooLarge"),
        (Fault::WrongChecksum, Step::Connect, "Malformed"),
        (Fault::ConnectCode(6001), Step::Connect, "NotOffered"),
        (Fault::RefuseKey, Step::SignIn, "KeyRequired"),
        (Fault::HangUp(11), Step::Identify, "Cut"),
        (Fault::HangUp(50), Step::Counters, "Cut"),
        (Fault::HangUp(201), Step::Clock, "Cut"),
        (Fault::HangUp(1503), Step::Users, "Cut"),
        (Fault::HangUp(READ_BUFFER), Step::Punches, "Cut"),
        (Fault::CutLog(0), Step::Punches, "Cut"),
        (Fault::CutLog(3), Step::Punches, "Cut"),
        (Fault::CutLog(70_000), Step::Punches, "Cut"),
        (Fault::HugeLog, Step::Punches, "TooLarge"),
        (Fault::WrongTotal(-40), Step::Punches, "Malformed"),
        (Fault::WrongTotal(40), Step::Punches, "Malformed"),
        (Fault::LogCode(4989), Step::Punches, "NotOffered"),
        (Fault::LogCode(2001), Step::Punches, "Refused"),
        (Fault::LogCode(65535), Step::Punches, "NotOffered"),
    ];
    for (fault, step, kind) in table {
        let terminal = start(builder(LogLayout::Forty, 3000)).await;
        terminal.set_fault(fault.clone());
        let began = Instant::now();
        let error = read(&terminal).await.expect_err("a fault");
        check_error(&fault, &error, step, kind);
        assert!(began.elapsed() < Duration::from_secs(2), "{fault:?}");
        // A later read without the fault works: nothing was left behind.
        terminal.clear_faults();
        assert_eq!(read(&terminal).await.expect("a read").punches.len(), 3000);
    }
}

#[tokio::test]
async fn stalls_end_at_the_deadline_and_name_the_step() {
    let table = [
        (Fault::Silent, Step::Connect),
        (Fault::WrongReplyId, Step::Connect),
        (Fault::Mute(11), Step::Identify),
        (Fault::Mute(201), Step::Clock),
        (Fault::Mute(1503), Step::Users),
        (Fault::Mute(READ_BUFFER), Step::Punches),
        (Fault::StallLog(0), Step::Punches),
        (Fault::StallLog(70_000), Step::Punches),
        (Fault::Slow(Duration::from_millis(150)), Step::Identify),
        (Fault::Dribble(Duration::from_millis(50)), Step::Connect),
    ];
    for (fault, step) in table {
        let terminal = start(builder(LogLayout::Forty, 3000)).await;
        terminal.set_fault(fault.clone());
        let began = Instant::now();
        let error = read_within(&target(&terminal), &ReadPosition::default(), SHORT)
            .await
            .expect_err("a stall");
        let waited = began.elapsed();
        check_error(&fault, &error, step, "Timeout");
        assert!(matches!(error, TerminalError::Timeout { after, .. } if after == SHORT));
        assert!(
            waited >= SHORT && waited < SHORT + Duration::from_millis(1500),
            "{fault:?}: {waited:?}"
        );
        if matches!(fault, Fault::Mute(_)) {
            assert_eq!(terminal.counts().of(EXIT), 1, "{fault:?}");
        }
    }
}

#[tokio::test]
async fn a_terminal_that_never_stops_talking_is_left_at_the_deadline() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let target = target_at(listener.local_addr().expect("an address"));
    let flood = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.expect("a connection");
        let (mut incoming, mut outgoing) = stream.into_split();
        let drain = tokio::spawn(async move {
            let mut bytes = [0; 4096];
            while incoming.read(&mut bytes).await.is_ok_and(|read| read > 0) {}
        });
        let mut events = Vec::new();
        for _ in 0..1000 {
            let header = Header {
                command: 500,
                session_id: 1,
                reply_id: 0,
            };
            Packet { header, data: &[] }.encode_framed(&mut events);
        }
        while outgoing.write_all(&events).await.is_ok() {}
        drain.abort();
    });
    let began = Instant::now();
    let error = read_within(&target, &ReadPosition::default(), SHORT)
        .await
        .expect_err("no answer");
    assert!(matches!(error, TerminalError::Timeout { .. }), "{error}");
    assert!(began.elapsed() < SHORT + Duration::from_secs(2));
    flood.abort();
}

#[tokio::test]
async fn what_was_read_counts_whatever_follows() {
    let terminal = start(builder(LogLayout::Forty, 3000)).await;
    terminal.set_fault(Fault::HangUp(1502));
    assert_eq!(read(&terminal).await.expect("a read").punches.len(), 3000);
}

#[tokio::test]
async fn a_log_that_was_there_is_not_empty_because_it_is_refused() {
    let terminal = start(builder(LogLayout::Forty, 10)).await;
    let first = read(&terminal).await.expect("a read");
    terminal.set_fault(Fault::Counters(vec![(8, 0)]));
    terminal.set_fault(Fault::LogCode(2001));
    let error = read_within(&target(&terminal), &first.position, LONG)
        .await
        .expect_err("a refused log");
    check_error(&Fault::LogCode(2001), &error, Step::Punches, "Refused");
}

#[tokio::test]
async fn a_terminal_with_one_connection_is_free_after_every_ending() {
    let terminal = start(builder(LogLayout::Forty, 3000).one_connection(LONG)).await;
    for fault in [
        Fault::Mute(READ_BUFFER),
        Fault::LogCode(4989),
        Fault::WrongSerial("OTHER1".to_owned()),
        Fault::WrongTotal(1),
    ] {
        terminal.set_fault(fault.clone());
        read_within(&target(&terminal), &ReadPosition::default(), SHORT)
            .await
            .expect_err("a fault");
        terminal.clear_faults();
        settled(&terminal).await;
        assert_eq!(
            read(&terminal).await.expect("a free place").punches.len(),
            3000,
            "{fault:?}"
        );
        settled(&terminal).await;
    }
}

/// Waits until the terminal has noticed that we are gone.
async fn settled(terminal: &RunningTerminal) {
    for _ in 0..100 {
        if terminal.counts().open == 0 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("the connection is still open");
}

#[tokio::test]
async fn a_session_that_was_asked_for_is_ended_whatever_the_answer() {
    for fault in [Fault::ConnectCode(6001), Fault::Mute(1000)] {
        let terminal = start(builder(LogLayout::Forty, 10)).await;
        terminal.set_fault(fault.clone());
        read_within(&target(&terminal), &ReadPosition::default(), SHORT)
            .await
            .expect_err("no session");
        settled(&terminal).await;
        assert_eq!(terminal.counts().of(EXIT), 1, "{fault:?}");
    }
}

#[tokio::test]
async fn an_abandoned_read_says_goodbye_too() {
    let terminal = start(builder(LogLayout::Forty, 3000)).await;
    terminal.set_fault(Fault::Mute(READ_BUFFER));
    let target = target(&terminal);
    let position = ReadPosition::default();
    let abandoned = tokio::time::timeout(SHORT, read_within(&target, &position, LONG)).await;
    assert!(abandoned.is_err());
    settled(&terminal).await;
    assert_eq!(terminal.counts().of(EXIT), 1);
}

#[tokio::test]
async fn firmware_that_prepares_nothing_is_asked_directly_and_believed_if_exact() {
    for layout in LAYOUTS {
        for count in [0, 3, 3000] {
            let terminal = start(builder(layout, count).reads(Reads::Direct)).await;
            let first = read(&terminal).await;
            let Ok(first) = first else {
                // Firmware so old has no records of 49 bytes.
                assert_eq!(
                    (layout, count > 0),
                    (LogLayout::FortyNine, true),
                    "{first:?}"
                );
                continue;
            };
            assert_eq!(plain(&first.punches), punches(count), "{layout:?}");
            assert_eq!(first.users.as_ref().map(Vec::len), Some(3));
            let again = read_again(&terminal, &first).await;
            assert_eq!(again.punches, [], "{layout:?}");
        }
    }
    let direct = async |notation: &str| {
        let terminal = start(builder(LogLayout::Forty, 30).reads(Reads::Direct)).await;
        terminal.set_fault(notation.parse().expect("a notation"));
        read(&terminal).await.expect_err("it is not exact")
    };
    for notation in ["counters=8:29", "command-code=13:2001"] {
        let error = direct(notation).await;
        check_error(&Fault::Busy, &error, Step::Punches, "NotOffered");
    }
    // Colour terminals answer with unrelated memory.
    let terminal = start(builder(LogLayout::Forty, 30)).await;
    let refuses = "command-code=1503:65535";
    terminal.set_fault(refuses.parse().expect("a notation"));
    let error = read(&terminal).await.expect_err("memory is no user list");
    check_error(&Fault::Busy, &error, Step::Users, "NotOffered");

    let terminal = start(builder(LogLayout::Forty, 3000)).await;
    read(&terminal).await.expect("a read");
    assert_eq!(
        terminal.counts().of(ATTLOG_DIRECT),
        0,
        "others are not asked so"
    );
}

#[tokio::test]
async fn a_log_is_streamed_in_batches() {
    for layout in LAYOUTS {
        let made = Records::new(20_000, 50, date(2026, 1, 1));
        let terminal = start(
            builder(layout, 0)
                .users(made.user_table())
                .records(made.clone()),
        )
        .await;
        let whole = read(&terminal).await.expect("a read");
        let mut streamed = Vec::new();
        let mut largest = 0;
        let mut connected = Terminal::connect(&target(&terminal))
            .await
            .expect("a terminal");
        let read = connected
            .punches(&mut |batch| {
                largest = largest.max(batch.len());
                streamed.extend_from_slice(batch);
            })
            .await
            .expect("a log");
        connected.close().await;
        assert_eq!((read.records, read.rejected), (20_000, 0));
        assert_eq!(streamed, whole.punches, "{layout:?}");
        assert!(
            largest <= 0xffc0 / layout.size() + 1,
            "{layout:?}: {largest}"
        );
    }
}

#[tokio::test]
async fn users_alone() {
    let terminal = start(builder(LogLayout::Sixteen, 30)).await;
    let mut connected = Terminal::connect(&target(&terminal))
        .await
        .expect("a terminal");
    let users = connected.users().await.expect("users");
    connected.close().await;
    assert_eq!(users.len(), 3);
    assert_eq!(users[2].id.as_str(), "1003");
}

/// A terminal that answers by a script, for what no known model does. `answer` gets command and data and returns the
/// packets to send: code, session field, reply id (`None` echoes), data.
async fn scripted(
    answer: impl Fn(u16, &[u8]) -> Vec<(u16, u16, Option<u16>, Vec<u8>)> + Send + 'static,
) -> (Target, tokio::task::JoinHandle<Vec<u16>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let target = target_at(listener.local_addr().expect("an address"));
    let asked = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("a connection");
        let mut packets = PacketBuffer::new();
        let mut asked = Vec::new();
        loop {
            let mut out = Vec::new();
            while let Some(packet) = packets.next_packet().expect("good packets") {
                asked.push(packet.header.command);
                for (command, session_id, reply_id, data) in
                    answer(packet.header.command, packet.data)
                {
                    let header = Header {
                        command,
                        session_id,
                        reply_id: reply_id.unwrap_or(packet.header.reply_id),
                    };
                    Packet {
                        header,
                        data: &data,
                    }
                    .encode_framed(&mut out);
                }
            }
            stream.write_all(&out).await.expect("an open connection");
            let mut bytes = [0; 4096];
            match stream.read(&mut bytes).await {
                Ok(0) | Err(_) => return asked,
                Ok(read) => packets.extend(&bytes[..read]),
            }
        }
    });
    (target, asked)
}

/// Common answers; a log of two 8-byte records of internal number 1.
fn common(command: u16, data: &[u8]) -> Vec<(u16, u16, Option<u16>, Vec<u8>)> {
    let clock = 864_289_815u32.to_le_bytes(); // 2026-11-22 08:30:15
    let reply = |code, data: &[u8]| vec![(code, 7, None, data.to_vec())];
    match (command, data) {
        (11, _) => reply(2000, format!("~SerialNumber={SERIAL}\0").as_bytes()),
        (201, _) => reply(2000, &clock),
        (1503, [1, 13, ..]) => {
            let record = [&[1, 0, 1][..], &clock, &[0]].concat();
            reply(1501, &[&[16, 0, 0, 0][..], &record, &record].concat())
        }
        _ => reply(2000, b""),
    }
}

#[tokio::test]
async fn without_a_user_list_a_log_by_internal_number_credits_nobody() {
    let (target, asked) = scripted(|command, data| match (command, data) {
        (1503, [1, 9, ..]) => vec![(2001, 7, None, vec![])],
        _ => common(command, data),
    })
    .await;
    let error = read_within(&target, &ReadPosition::default(), LONG)
        .await
        .expect_err("no user list");
    assert!(
        matches!(
            error,
            TerminalError::Refused {
                step: Step::Users,
                ..
            }
        ),
        "{error}"
    );
    let asked = asked.await.expect("a script");
    assert_eq!(asked.iter().filter(|command| **command == 1503).count(), 1);
    assert_eq!(asked.last(), Some(&EXIT));
}

#[tokio::test]
async fn events_between_request_and_answer_are_acknowledged() {
    let (target, asked) = scripted(|command, data| {
        let mut packets = vec![(500, 1, Some(0), vec![0; 32]); 2];
        packets.append(&mut match (command, data) {
            (2000, _) => return vec![],
            (1503, [1, 9, ..]) => vec![(1501, 7, None, vec![0; 4])],
            _ => common(command, data),
        });
        packets
    })
    .await;
    let reading = read_within(&target, &ReadPosition::default(), LONG)
        .await
        .expect("a read");
    assert_eq!(reading.clock, MORNING);
    assert_eq!(reading.parked.len(), 2); // nobody has internal number 1
    let asked = asked.await.expect("a script");
    let requests = asked.iter().filter(|command| **command != 2000).count();
    assert_eq!(asked.len() - requests, 2 * requests);
}

#[tokio::test]
async fn a_terminal_that_ignores_the_offset_is_read_whole() {
    // 3,000 records of 40 bytes, always sent from the start, however much is asked for from wherever.
    let record = |n: u16| {
        let clock = (864_200_000u32 + u32::from(n) * 7).to_le_bytes();
        let mut record = [0; 40];
        record[2..6].copy_from_slice(b"1001");
        record[26] = 1;
        record[27..31].copy_from_slice(&clock);
        record[32..34].copy_from_slice(&n.to_le_bytes());
        record
    };
    let mut body = 40_000u32.to_le_bytes().to_vec();
    body.extend((0..1000).flat_map(record));
    // Or, of another model, always whole.
    for whole in [false, true] {
        ignores_the_offset(&body, whole).await;
    }
}

async fn ignores_the_offset(body: &[u8], whole: bool) {
    let (target, asked) = {
        let body = body.to_vec();
        // 1000 records, of which 100,000 have room.
        let mut counters = [0_u32; 20];
        (counters[8], counters[16]) = (1000, 100_000);
        let counters: Vec<u8> = counters.into_iter().flat_map(u32::to_le_bytes).collect();
        scripted(move |command, data| match (command, data) {
            (50, _) => vec![(2000, 7, None, counters.clone())],
            (1503, [1, 9, ..]) => vec![(1501, 7, None, vec![0; 4])],
            (1503, _) => {
                let size = (body.len() as u32).to_le_bytes();
                vec![(2000, 7, None, [&[0][..], &size, &size, &[0; 4]].concat())]
            }
            (1504, _) if whole => {
                let size = (body.len() as u32).to_le_bytes();
                vec![
                    (1500, 7, None, [size, size].concat()),
                    (1501, 0, None, body.clone()),
                    (2000, 7, None, vec![]),
                ]
            }
            (1504, [_, _, _, _, length @ ..]) => {
                let length = u32::from_le_bytes(length.try_into().expect("four bytes")) as usize;
                vec![(1501, 0, None, body[..length.min(body.len())].to_vec())]
            }
            _ => common(command, data),
        })
        .await
    };
    let mut terminal = Terminal::connect(&target).await.expect("a terminal");
    let first = terminal
        .read(&ReadPosition::default(), &seen_at)
        .await
        .expect("a read");
    assert_eq!(first.punches.len(), 1000);
    let second = terminal
        .read(&first.position, &seen_at)
        .await
        .expect("a second read");
    assert_eq!(second.punches.len(), 1000);
    // That is remembered, and its end not asked for again.
    let third = terminal
        .read(&second.position, &seen_at)
        .await
        .expect("a third read");
    assert_eq!(third.punches.len(), 1000);
    terminal.close().await;
    let asked = asked.await.expect("a script");
    assert_eq!(asked.last(), Some(&EXIT));
    let parts = asked.iter().filter(|command| **command == 1504).count();
    assert_eq!(parts, 4, "three logs and one end");
}

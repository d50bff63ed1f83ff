//! Thousands of terminals in one process.

use std::collections::HashSet;
use std::net::{IpAddr, Ipv4Addr};

use super::*;

const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// Open files this process may have; `None` where the system does not say.
fn open_files_allowed() -> Option<usize> {
    let limits = std::fs::read_to_string("/proc/self/limits").ok()?;
    let line = limits
        .lines()
        .find(|line| line.starts_with("Max open files"))?;
    line.split_whitespace().nth(3)?.parse().ok()
}

#[tokio::test]
async fn three_thousand_terminals() {
    // Both ends of a connection are here, and other tests run beside this one.
    let connections = 300;
    let reserve = 2 * connections + 300;
    let allowed = open_files_allowed().unwrap_or(usize::MAX);
    let count = 3000.min(allowed.saturating_sub(reserve).max(100));
    let connections = connections.min(count);

    let records = Records::new(10_000, 50, date(2026, 1, 1));
    let model = VirtualTerminal::new("FLEET0001")
        .users(records.user_table())
        .log(Log::generated(LogLayout::Forty, records));
    let fleet = model.start_fleet(count, LOOPBACK).await.unwrap();
    assert_eq!(fleet.len(), count);
    let mut open = Vec::new();
    let mut sessions = HashSet::new();
    for terminal in fleet.iter().step_by(count / connections) {
        let (mut raw, session) = Raw::connected(terminal).await;
        let serial = raw
            .ask(code::OPTIONS_RRQ, session, 1, b"~SerialNumber\0")
            .await;
        let expected = format!("~SerialNumber={}\0", terminal.serial_number());
        assert_eq!(serial.data, expected.as_bytes());
        let counters = raw.ask(code::GET_FREE_SIZES, session, 2, &[]).await.data;
        assert_eq!(wire::u32_at(&counters, 32), 10_000);
        sessions.insert(session);
        open.push(raw);
    }
    assert!(open.len() >= connections);
    assert!(sessions.len() > connections / 2, "sessions differ");
    let serials: HashSet<_> = fleet.iter().map(RunningTerminal::serial_number).collect();
    assert_eq!(serials.len(), count);
    assert_eq!(fleet[count - 1].serial_number(), format!("FLEET{count:04}"));
}

#[tokio::test]
async fn a_fleet_shares_its_log_until_they_differ() {
    let records = Records::new(100, 10, date(2026, 1, 1));
    let fleet = VirtualTerminal::new("SHARE1")
        .users(records.user_table())
        .records(records)
        .start_fleet(3, LOOPBACK)
        .await
        .unwrap();
    assert!(fleet[0].shares_its_log_with(&fleet[2]));
    assert!(fleet[1].punch("1001", NOON, 0, 1));
    assert!(!fleet[1].shares_its_log_with(&fleet[2]));
    let counts: Vec<_> = fleet.iter().map(RunningTerminal::record_count).collect();
    assert_eq!(counts, [100, 101, 100]);
}

#[test]
fn a_generated_log_is_made_when_it_is_read() {
    let records = Records::new(1000, 50, date(2026, 1, 1));
    let made = Log::new(LogLayout::FortyNine, records.clone());
    let later = Log::generated(LogLayout::FortyNine, records);
    let mut other = later.clone();
    assert!(!later.is_made());
    assert_eq!((later.len(), later.last()), (1000, made.last()));
    assert!(!later.is_made(), "its length is known without");
    assert_eq!(later.body(), made.body());
    assert!(later.is_made() && other.is_made(), "once for all");
    other.push(Record::new(1, "1001", NOON, 0, 1));
    assert_eq!((other.len(), later.len()), (1001, 1000));
    assert_eq!(other.body()[4..49_004], made.body()[4..]);
    assert!(
        Log::generated(LogLayout::Forty, Records::new(0, 1, date(2026, 1, 1)))
            .last()
            .is_none()
    );
}

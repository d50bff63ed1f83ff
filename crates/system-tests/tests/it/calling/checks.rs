//! What a terminal holds against what is stored: gaps close by themselves, whatever the terminal can tell about its log.

use std::collections::BTreeSet;

use attendance::DeviceId;
use jiff::SignedDuration;
use simulators::zk_push::{Fault, Profile, RunningTerminal, history};

use super::{FIRST_DAY, Seen, Server, distinct, soon, within};

/// Punches of four people: ten working days.
const PAST: usize = 80;

/// With its log delivered, and with the first punch of today by which it is known to be covered.
async fn delivered(
    server: &Server,
    profile: Profile,
    faults: &[Fault],
) -> (DeviceId, RunningTerminal) {
    let serial = format!("{}GATE1", profile.name().to_uppercase());
    let device = server.register(&serial).await;
    let mut terminal = server
        .terminal(&serial, profile)
        .records(history(PAST, 4, FIRST_DAY));
    for fault in faults {
        terminal = terminal.fault(fault.clone());
    }
    let terminal = terminal.start(server.address);
    soon("the log is there", terminal.until_acknowledged(PAST)).await;
    match profile {
        // It does not say by itself how much it holds.
        Profile::Acc => five_minutes_later(server, device, &terminal).await,
        _ => settled(server, device, &terminal).await,
    }
    (device, terminal)
}

/// Lets the terminal call and be asked until nothing is asked any more.
async fn settled(server: &Server, device: DeviceId, terminal: &RunningTerminal) {
    for _ in 0..3 {
        let polls = terminal.counts().polls;
        soon("it calls", terminal.until_polls(polls + 3)).await;
        server.until_all_answered(device).await;
        server.tick().await;
    }
}

/// As long as others are polled: then it is asked what it holds.
async fn five_minutes_later(server: &Server, device: DeviceId, terminal: &RunningTerminal) {
    for _ in 0..20 {
        server.later(SignedDuration::from_secs(15));
        let polls = terminal.counts().polls;
        soon("it calls", terminal.until_polls(polls + 2)).await;
        server.tick().await;
    }
    settled(server, device, terminal).await;
}

/// Punches are gone from the database as if they had never come.
async fn lose(server: &Server, device: DeviceId, which: &str) -> u64 {
    let which = format!("device_id = {} AND {which}", device.0);
    let of_them = format!("punch_id IN (SELECT id FROM punches WHERE {which})");
    let sightings = format!("DELETE FROM punch_sightings WHERE {of_them}");
    server.run_sql(&sightings).await;
    server
        .run_sql(&format!("DELETE FROM punches WHERE {which}"))
        .await
}

async fn is_whole(server: &Server, device: DeviceId, terminal: &RunningTerminal, what: &str) {
    let stored = server.stored(device).await;
    let once: BTreeSet<Seen> = stored.iter().cloned().collect();
    assert_eq!(once.len(), stored.len(), "{what}");
    let log = distinct(terminal.log().into_iter().map(|logged| logged.punch));
    assert_eq!(once, log, "{what}");
}

fn executed(terminal: &RunningTerminal, word: &str) -> usize {
    let executed = terminal.executed();
    executed
        .iter()
        .filter(|executed| executed.command.starts_with(word) && executed.code >= 0)
        .count()
}

#[tokio::test]
async fn what_the_database_lost_is_read_again() {
    // What is gone, and whether the terminal can count its log.
    for (profile, lost, faults) in [
        (Profile::V22, "clock >= '2026-11-09'", ""),
        (Profile::V24, "clock >= '2026-11-09'", ""),
        (Profile::V242, "clock >= '2026-11-09'", ""),
        (Profile::B, "clock >= '2026-11-09'", ""),
        (Profile::Essl, "clock >= '2026-11-09'", ""),
        (Profile::Acc, "clock >= '2026-11-09'", ""),
        (
            Profile::V24,
            "clock >= '2026-11-09'",
            "command-code=VERIFY SUM:-1002",
        ),
        // In the middle of what was covered long ago.
        (
            Profile::V24,
            "clock BETWEEN '2026-11-04' AND '2026-11-05'",
            "",
        ),
        (
            Profile::V24,
            "user_id = '1003'",
            "command-code=VERIFY SUM:-1002",
        ),
        (Profile::Acc, "user_id = '1003'", ""),
    ] {
        {
            let what = format!("{profile}, {lost}, {faults}");
            let server = Server::on_a_file().await;
            let faults: Vec<Fault> = faults
                .split_terminator(';')
                .map(|fault| fault.parse().expect("a fault"))
                .collect();
            let (device, terminal) = delivered(&server, profile, &faults).await;
            is_whole(&server, device, &terminal, &what).await;
            let covered = server.covered_to(device).await;
            assert!(
                covered >= Some(server.now() - SignedDuration::from_secs(1)),
                "{what}: {covered:?}"
            );
            assert!(lose(&server, device, lost).await > 0, "{what}");
            five_minutes_later(&server, device, &terminal).await;
            is_whole(&server, device, &terminal, &what).await;
            assert!(server.covered_to(device).await > covered, "{what}");
        }
    }
}

#[tokio::test]
async fn a_restored_backup_catches_up() {
    let server = Server::on_a_file().await;
    let mut gates = Vec::new();
    for profile in [Profile::V24, Profile::B, Profile::A0, Profile::Acc] {
        gates.push(delivered(&server, profile, &[]).await);
    }
    let backup = server.file().with_file_name("backup.db");
    server
        .run_sql(&format!("VACUUM INTO '{}'", backup.display()))
        .await;

    // Two more days, which only the terminals know of afterwards.
    server.later(SignedDuration::from_hours(48));
    for (device, terminal) in &gates {
        for _ in 0..10 {
            terminal.punch("1001", 0, 1);
            server.later(SignedDuration::from_secs(7));
        }
        soon("it is there", terminal.until_acknowledged(PAST + 10)).await;
        is_whole(&server, *device, terminal, "before").await;
    }
    let file = server.file();
    let left = server.end().await;
    for suffix in ["-wal", "-shm"] {
        let _absent = std::fs::remove_file(file.with_file_name(format!("muster.db{suffix}")));
    }
    std::fs::copy(&backup, &file).expect("a copy");

    let server = Server::start_again(left).await;
    for (device, terminal) in &gates {
        let before = server.covered_to(*device).await;
        five_minutes_later(&server, *device, terminal).await;
        is_whole(&server, *device, terminal, terminal.profile().name()).await;
        let (after, profile) = (server.covered_to(*device).await, terminal.profile());
        assert!(after > before, "{profile}: {after:?}, {before:?}");
    }
}

#[tokio::test]
async fn a_terminal_that_can_neither_count_nor_be_read_is_covered_by_its_calls() {
    for (profile, faults) in [
        (Profile::V24, vec!["command-code=:-1002"]),
        (Profile::A0, vec![]),
    ] {
        {
            let server = Server::on_a_file().await;
            let faults: Vec<Fault> = faults.iter().map(|f| f.parse().expect("a fault")).collect();
            let (device, terminal) = delivered(&server, profile, &faults).await;
            five_minutes_later(&server, device, &terminal).await;
            let covered = server.covered_to(device).await.expect("it is covered");
            assert!(
                covered >= server.now() - SignedDuration::from_mins(3),
                "{profile}: {covered}"
            );
            // Something of it is missing: it says so, and nothing can be done but to go on.
            assert!(lose(&server, device, "clock < '2026-11-04'").await > 0);
            five_minutes_later(&server, device, &terminal).await;
            five_minutes_later(&server, device, &terminal).await;
            let covered = server.covered_to(device).await.expect("it is covered");
            assert!(
                covered >= server.now() - SignedDuration::from_mins(3),
                "{profile}: {covered}"
            );
            let notices = server.store.notices_of(device).await.expect("a database");
            assert!(
                notices.iter().any(|notice| notice.kind == "cannot_check"),
                "{profile}: {notices:?}"
            );
            // What it records from then on comes.
            terminal.punch("1001", 0, 1);
            soon("it is there", terminal.until_acknowledged(PAST + 1)).await;
        }
    }
}

#[tokio::test]
async fn what_is_read_again_does_not_move_the_cursor() {
    {
        let server = Server::on_a_file().await;
        for profile in [
            Profile::V22,
            Profile::V24,
            Profile::V242,
            Profile::B,
            Profile::Essl,
        ] {
            let (device, terminal) = delivered(&server, profile, &[]).await;
            let cursors = async || {
                let uploads = server.store.uploads_of(device).await.expect("a database");
                let cursors: Vec<_> = uploads
                    .into_iter()
                    .map(|row| (row.content, row.cursor_text))
                    .collect();
                cursors
            };
            let before = cursors().await;
            assert!(!before.is_empty());
            let read = executed(&terminal, "DATA QUERY ATTLOG");
            server
                .order(
                    device,
                    ingest::Order::ReadLog {
                        from: FIRST_DAY.at(0, 0, 0, 0),
                        to: FIRST_DAY.at(23, 59, 59, 0),
                    },
                )
                .await;
            server.until_all_answered(device).await;
            assert_eq!(
                executed(&terminal, "DATA QUERY ATTLOG"),
                read + 1,
                "{profile}"
            );
            assert_eq!(cursors().await, before, "{profile}");
            is_whole(&server, device, &terminal, profile.name()).await;
        }
    }
}

#[tokio::test]
async fn two_records_that_are_one_punch_hold_nothing_up() {
    let server = Server::on_a_file().await;
    let (device, terminal) = delivered(&server, Profile::V24, &[]).await;
    server.later(SignedDuration::from_secs(30));
    // A finger and a card in the same second.
    terminal.punch("1001", 0, 1);
    terminal.punch("1001", 0, 4);
    soon("they are there", terminal.until_acknowledged(PAST + 2)).await;
    assert_eq!(server.stored(device).await.len(), PAST + 1);
    five_minutes_later(&server, device, &terminal).await;
    let covered = server.covered_to(device).await;
    assert!(
        covered > Some(server.now() - SignedDuration::from_mins(6)),
        "{covered:?}"
    );
    let asked = executed(&terminal, "VERIFY SUM") + executed(&terminal, "DATA QUERY");
    five_minutes_later(&server, device, &terminal).await;
    let again = executed(&terminal, "VERIFY SUM") + executed(&terminal, "DATA QUERY");
    assert_eq!(
        again, asked,
        "what is known to be one is not looked for again"
    );
    is_whole(&server, device, &terminal, "the same second").await;
}

#[tokio::test]
async fn every_night_the_last_weeks_are_counted() {
    {
        let server = Server::on_a_file().await;
        let (device, terminal) = delivered(&server, Profile::V24, &[]).await;
        // As many are lost as a person removed at the terminal: its count alone says nothing.
        let counted = executed(&terminal, "VERIFY SUM");
        server
            .clock
            .set("2026-11-24T02:30:00Z".parse().expect("an instant"));
        let polls = terminal.counts().polls;
        soon("it calls", terminal.until_polls(polls + 2)).await;
        server.tick().await;
        within("it is counted", async || {
            executed(&terminal, "VERIFY SUM") > counted
        })
        .await;
        settled(&server, device, &terminal).await;
        let counted = executed(&terminal, "VERIFY SUM");
        settled(&server, device, &terminal).await;
        assert_eq!(executed(&terminal, "VERIFY SUM"), counted, "once a night");
    }
}

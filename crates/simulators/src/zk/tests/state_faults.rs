//! Faults of what a terminal keeps: its log, clock, people and the one place for a client.

use super::*;

/// The whole log of a terminal whose log fits into one packet.
async fn log_of(raw: &mut Raw, session: u16) -> Vec<u8> {
    let reply = raw
        .ask(code::PREPARE_BUFFER, session, 1, ALL_OF_THE_LOG)
        .await;
    assert_eq!(reply.command, code::DATA);
    reply.data
}

/// The records of a log of 40 bytes each, by the minute of their time.
fn minutes(log: &[u8]) -> Vec<u32> {
    log[4..]
        .chunks(40)
        .map(|record| wire::u32_at(record, 27) / 60 % 60)
        .collect()
}

fn at_minute(minute: i8) -> DateTime {
    date(2026, 1, 1).at(12, minute, 0, 0)
}

fn full() -> VirtualTerminal {
    let records = (1..=3).map(|minute| Record::new(1, "1000", at_minute(minute), 0, 1));
    documented().record_capacity(3).records(records)
}

async fn records_counted(raw: &mut Raw, session: u16) -> (u32, u32) {
    let counters = raw.ask(code::GET_FREE_SIZES, session, 2, &[]).await.data;
    (wire::u32_at(&counters, 32), wire::u32_at(&counters, 76))
}

#[tokio::test]
async fn a_full_log_may_wrap() {
    check(
        "wrapped-log",
        &[&[2, 3, 4], &[3, 4, 5], &[4, 5, 6], &[5, 6, 7]],
    )
    .await;
    check(
        "wrapped-log=in-place",
        &[&[4, 2, 3], &[4, 5, 3], &[4, 5, 6], &[7, 5, 6]],
    )
    .await;

    async fn check(fault: &str, after_each: &[&[u32]]) {
        let terminal = start(full()).await;
        let (mut raw, session) = Raw::connected(&terminal).await;
        assert!(!terminal.punch("1000", at_minute(4), 0, 1), "full is full");
        terminal.set_fault(fault.parse().unwrap());
        for (minute, expected) in (4..).zip(after_each) {
            assert!(terminal.punch("1000", at_minute(minute), 0, 1));
            let log = log_of(&mut raw, session).await;
            assert_eq!(minutes(&log), *expected, "{fault}");
            assert_eq!(wire::u32_at(&log, 0), 120);
            assert_eq!(records_counted(&mut raw, session).await, (3, 0));
        }
    }
}

#[tokio::test]
async fn a_wrapped_log_numbers_on() {
    let wraps = Fault::WrappedLog { in_place: false };
    let model = full().log_layout(LogLayout::FortyNumbered).fault(wraps);
    let terminal = start(model).await;
    terminal.punch("1000", at_minute(4), 0, 1);
    let (mut raw, session) = Raw::connected(&terminal).await;
    let log = log_of(&mut raw, session).await;
    let numbers: Vec<u16> = log[4..].chunks(40).map(|it| wire::u16_at(it, 0)).collect();
    assert_eq!(numbers, [1, 2, 3]);
    let nothing_fits = start(
        full()
            .record_capacity(0)
            .records([])
            .fault(Fault::WrappedLog { in_place: true }),
    );
    let terminal = nothing_fits.await;
    terminal.punch("1000", at_minute(4), 0, 1);
    assert_eq!(terminal.record_count(), 0);
}

#[tokio::test]
async fn the_offset_may_be_ignored() {
    let terminal = start(with_records(60).fault(Fault::IgnoresOffset)).await;
    let (mut raw, session) = Raw::connected(&terminal).await;
    raw.ask(code::PREPARE_BUFFER, session, 1, ALL_OF_THE_LOG)
        .await;
    let part = [100, 0, 0, 0, 8, 0, 0, 0];
    raw.ask(code::READ_BUFFER, session, 2, &part).await;
    let from_the_start = raw.frame().await.data;
    raw.frame().await;
    assert_eq!(wire::u32_at(&from_the_start, 0), 2400);
    assert_eq!(from_the_start.len(), 8);
    terminal.clear_faults();
    raw.ask(code::READ_BUFFER, session, 3, &part).await;
    assert_ne!(raw.frame().await.data, from_the_start);
}

#[tokio::test]
async fn the_log_may_grow_between_size_and_read() {
    let terminal = start(documented().inline_limit(0)).await;
    terminal.set_fault(Fault::GrowingTransfer(2));
    let (mut raw, session) = Raw::connected(&terminal).await;
    let sizes = raw
        .ask(code::PREPARE_BUFFER, session, 1, ALL_OF_THE_LOG)
        .await
        .data;
    assert_eq!(wire::u32_at(&sizes, 1), 124);
    raw.ask(code::READ_BUFFER, session, 2, &[0, 0, 0, 0, 124, 0, 0, 0])
        .await;
    let start = raw.frame().await.data;
    raw.frame().await;
    assert_eq!((start.len(), wire::u32_at(&start, 0)), (124, 200));
    // The rest can be had by who asks for it, and the user list does not grow.
    raw.ask(code::READ_BUFFER, session, 3, &[124, 0, 0, 0, 80, 0, 0, 0])
        .await;
    assert_eq!(raw.frame().await.data.len(), 80);
    raw.frame().await;
    raw.ask(code::PREPARE_BUFFER, session, 4, ALL_USERS).await;
    assert_eq!(terminal.record_count(), 5);
}

#[tokio::test]
async fn the_clock_may_reset() {
    let terminal = start(documented().clock(stopped(NOON))).await;
    terminal.set_fault(Fault::ClockReset);
    let (mut raw, session) = Raw::connected(&terminal).await;
    let time = raw.ask(code::GET_TIME, session, 1, &[]).await;
    assert_eq!(time.data, [0; 4]);
    let set = wire::pack_clock(NOON).to_le_bytes();
    raw.ask(code::SET_TIME, session, 2, &set).await;
    assert_eq!(terminal.now(), NOON);
    terminal.restart();
    assert_eq!(terminal.now(), date(2000, 1, 1).at(0, 0, 0, 0));
    terminal.clear_faults();
    let (mut raw, session) = Raw::connected(&terminal).await;
    raw.ask(code::SET_TIME, session, 1, &set).await;
    terminal.restart();
    assert_eq!(terminal.now(), NOON, "a good battery keeps it");
}

#[tokio::test]
async fn a_factory_reset_leaves_the_serial_number() {
    let terminal = start(documented().templates([Template::new(1, 0, [1])])).await;
    terminal.set_fault(Fault::FactoryReset);
    let (mut raw, session) = Raw::connected(&terminal).await;
    assert_eq!(log_of(&mut raw, session).await, [0; 4]);
    assert!(terminal.users().users().is_empty());
    assert_eq!(terminal.templates(), []);
    let serial = raw
        .ask(code::OPTIONS_RRQ, session, 2, b"~SerialNumber\0")
        .await;
    assert_eq!(serial.data, b"~SerialNumber=X1\0");
    assert!(terminal.punch("1000", NOON, 0, 1));
    assert_eq!(terminal.record_count(), 1, "it is reset once");
}

#[tokio::test]
async fn writes_may_be_acknowledged_and_not_done() {
    let terminal = start(documented()).await;
    let (mut raw, session) = Raw::connected(&terminal).await;
    let set = wire::pack_clock(NOON).to_le_bytes();
    let writes: [(u16, &[u8]); 6] = [
        (code::SET_TIME, &set),
        (code::DELETE_USER, &[1, 0]),
        (code::CLEAR_ATTLOG, &[]),
        (code::CLEAR_DATA, &[]),
        (code::UNLOCK, &[1, 0, 0, 0]),
        (code::OPTIONS_WRQ, b"LockOn=9\0"),
    ];
    terminal.set_fault(Fault::IgnoreWrites);
    for (command, data) in writes {
        let reply = raw.ask(command, session, 1, data).await;
        assert_eq!((reply.command, reply.data.len()), (code::ACK_OK, 0));
    }
    assert_eq!(terminal.clock_shift(), jiff::SignedDuration::ZERO);
    assert_eq!(terminal.users().users().len(), 2);
    assert_eq!(terminal.record_count(), 3);
    assert!(terminal.unlocks().is_empty());
    assert_eq!(terminal.option("LockOn").as_deref(), Some("5"));

    // One command alone; the others are done.
    terminal.clear_faults();
    terminal.set_fault(Fault::IgnoreWrite(code::SET_TIME));
    for (command, data) in &writes[..2] {
        let reply = raw.ask(*command, session, 2, data).await;
        assert_eq!(reply.command, code::ACK_OK);
    }
    assert_eq!(terminal.clock_shift(), jiff::SignedDuration::ZERO);
    assert_eq!(terminal.users().users().len(), 1);
    terminal.set_fault(Fault::IgnoreWrite(code::RESTART));
    raw.ask(code::RESTART, session, 3, &[]).await;
    raw.ask(code::GET_TIME, session, 4, &[]).await;
}

#[tokio::test]
async fn names_may_be_cut_and_somebody_else_may_write_too() {
    let terminal = start(documented()).await;
    terminal.set_fault(Fault::CutsNames(2));
    terminal.set_fault(Fault::Meddled(code::CLEAR_ATTLOG));
    let (mut raw, session) = Raw::connected(&terminal).await;
    let mut record = Vec::new();
    let ana = User::new(14, "90210").named("Ana");
    ana.encode(UserLayout::SeventyTwo, &mut record);
    let reply = raw.ask(code::USER_WRQ, session, 1, &record).await;
    let names = || {
        terminal
            .users()
            .users()
            .iter()
            .map(|user| user.name.clone())
            .collect::<Vec<_>>()
    };
    assert_eq!((reply.command, &*names()[2]), (code::ACK_OK, &b"An"[..]));
    raw.ask(code::CLEAR_ATTLOG, session, 2, &[]).await;
    assert_eq!((&*names()[0], &*names()[2]), (&b"Meddled"[..], &b"An"[..]));
    assert_eq!(terminal.record_count(), 1);
}

#[tokio::test]
async fn a_command_may_be_refused() {
    let terminal = start(documented()).await;
    let (command, code) = (code::CLEAR_ATTLOG, 2001);
    terminal.set_fault(Fault::CommandCode { command, code });
    let (mut raw, session) = Raw::connected(&terminal).await;
    let reply = raw.ask(command, session, 1, &[]).await;
    assert_eq!((reply.command, terminal.record_count()), (2001, 3));
    let other = raw.ask(code::GET_TIME, session, 2, &[]).await;
    assert_eq!(other.command, code::ACK_OK);
}

#[tokio::test]
async fn one_connection_may_be_a_fault() {
    let terminal = start(documented()).await;
    terminal.set_fault("one-connection=600s".parse().unwrap());
    let (mut first, session) = Raw::connected(&terminal).await;
    assert_eq!(Raw::to(&terminal).await.rest().await, b"");
    first.ask(code::EXIT, session, 1, &[]).await;
    let (second, _) = Raw::connected(&terminal).await;
    drop(second);
    while terminal.counts().open > 0 {
        tokio::task::yield_now().await;
    }
    // It left without EXIT.
    assert_eq!(Raw::to(&terminal).await.rest().await, b"");
    terminal.clear_faults();
    Raw::connected(&terminal).await;
}

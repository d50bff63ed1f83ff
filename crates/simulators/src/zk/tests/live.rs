//! Live events: registration, layouts, order, acknowledgement, and what ends them.

use super::*;

/// The punch of the document's event vectors.
const PUNCH: DateTime = date(2026, 11, 22).at(8, 30, 15, 0);
const REGISTER: &str = "5050827d0c000000f40140b3b64a140001000000";
const REGISTERED: &str = "5050827d08000000d00765adb64a1400";
const EVENT: &str = "5050827d28000000f4011279010000003930323130 00*19 0f011a0b16081e0f";
const ACKNOWLEDGE: &str = "5050827d08000000d00779adb64a0000";

/// The terminal of the document with the person of its event vectors.
fn with_ana() -> VirtualTerminal {
    documented().users([User::new(38, "90210")])
}

fn punch(terminal: &RunningTerminal) {
    assert!(terminal.punch("90210", PUNCH, 1, 15));
}

/// A punch a minute later than the one before, so that events can be told apart.
fn punch_at_minute(terminal: &RunningTerminal, minute: i8) {
    assert!(terminal.punch("90210", date(2026, 11, 22).at(8, minute, 0, 0), 0, 1));
}

/// The minute in an event of 32 bytes.
fn minute(event: &Frame) -> u8 {
    assert_eq!((event.command, event.session, event.reply_id), (500, 1, 0));
    event.data[30]
}

async fn registered(terminal: &RunningTerminal) -> Raw {
    let mut raw = Raw::to(terminal).await;
    let session = raw.ask(code::CONNECT, 0, 0, &[]).await.session;
    let reply = raw.ask(code::REG_EVENT, session, 1, &[1, 0, 0, 0]).await;
    assert_eq!(reply.command, code::ACK_OK);
    raw
}

#[tokio::test]
async fn a_punch_as_documented() {
    let terminal = start(with_ana()).await;
    let mut raw = Raw::to(&terminal).await;
    raw.expect(CONNECT, CONNECTED).await;
    punch(&terminal);
    raw.expect(REGISTER, REGISTERED).await; // V22
    assert_eq!(terminal.listeners(), 1);
    raw.stays_silent().await;
    punch(&terminal);
    raw.receive(EVENT).await; // V23
    assert_eq!(terminal.counts().events_unacknowledged(), 1);
    raw.0.write_all(&hex(ACKNOWLEDGE)).await.unwrap(); // V23
    within(terminal.wait_for_acknowledgements(1)).await;
    raw.stays_silent().await;
    let counts = terminal.counts();
    assert_eq!(
        (
            counts.events_sent,
            counts.events_unacknowledged(),
            counts.stray_acknowledgements
        ),
        (1, 0, 0)
    );

    // C5: a finger of quality 100, which this session did not ask for, until it does.
    terminal.emit(256, &[100]);
    raw.stays_silent().await;
    raw.ask(code::REG_EVENT, 0x4AB6, 2, &[0xff, 0xff, 0, 0])
        .await;
    terminal.emit(256, &[100]);
    raw.receive("5050827d09000000f401a7fc0001000064").await;
    raw.ask(code::REG_EVENT, 0x4AB6, 3, &[0; 4]).await;
    punch(&terminal);
    raw.stays_silent().await;
    assert_eq!(terminal.listeners(), 0);
    let short = raw.ask(code::REG_EVENT, 0x4AB6, 4, &[1]).await;
    assert_eq!(short.command, code::ACK_ERROR);
}

#[tokio::test]
async fn a_punch_over_udp_as_documented() {
    for (layout, event) in [
        (EventLayout::Ten, "f40195db01000000 2600 01 00 1a0b16081e0f"),
        (
            EventLayout::Twelve,
            "f401587b01000000 62600100 01 00 1a0b16081e0f",
        ),
    ] {
        let model = with_ana().transports(Transports::Udp).event_layout(layout);
        let terminal = start(model).await;
        let raw = RawUdp::to(&terminal).await;
        raw.expect(&CONNECT[16..], &CONNECTED[16..]).await;
        raw.expect(&REGISTER[16..], &REGISTERED[16..]).await;
        assert!(terminal.punch("90210", PUNCH, 0, 1));
        assert_eq!(to_hex(&raw.datagram().await), to_hex(&hex(event))); // V24
        raw.0.send(&hex(&ACKNOWLEDGE[16..])).await.unwrap();
        within(terminal.wait_for_acknowledgements(1)).await;
        raw.stays_silent().await;
    }
}

#[test]
fn event_layouts_as_documented() {
    let text = "3930323130 00*19 0f 01 1a0b16081e0f";
    check(EventLayout::Ten, "2600 0f 01 1a0b16081e0f");
    check(EventLayout::Twelve, "62600100 0f 01 1a0b16081e0f");
    check(EventLayout::Fourteen, "2600 0f 01 1a0b16081e0f ff*4");
    check(EventLayout::ThirtyTwo, text);
    check(EventLayout::ThirtySix, &format!("{text} ff*4"));
    check(EventLayout::ThirtySeven, &format!("{text} ff*5"));
    check(EventLayout::FiftyTwo, &format!("{text} ff*20"));

    #[track_caller]
    fn check(layout: EventLayout, bytes: &str) {
        let event = layout.encode(&Record::new(38, "90210", PUNCH, 1, 15));
        assert_eq!(to_hex(&event), to_hex(&hex(bytes)));
        assert_eq!(event.len(), layout.size());
    }
}

#[tokio::test]
async fn every_registered_session_gets_the_event() {
    let terminal = start(with_ana()).await;
    let mut one = registered(&terminal).await;
    let mut two = registered(&terminal).await;
    let (mut other, _) = Raw::connected(&terminal).await;
    punch(&terminal);
    one.receive(EVENT).await;
    two.receive(EVENT).await;
    other.stays_silent().await;
    assert_eq!(terminal.counts().events_sent, 2);
    drop(one);
    within(terminal.wait_for_listeners(1)).await;
    punch(&terminal);
    two.receive(EVENT).await;
}

#[tokio::test]
async fn a_disabled_terminal_sends_no_event() {
    let terminal = start(with_ana()).await;
    let mut raw = registered(&terminal).await;
    raw.ask(code::DISABLEDEVICE, 0x4AB6, 2, &[]).await;
    assert!(terminal.is_disabled());
    terminal.emit(1, &[1]);
    raw.stays_silent().await;
    raw.ask(code::ENABLEDEVICE, 0x4AB6, 3, &[]).await;
    punch(&terminal);
    raw.receive(EVENT).await;
}

#[tokio::test]
async fn several_events_in_one_segment() {
    let terminal = start(with_ana().fault(Fault::EventsMerged(3))).await;
    let mut raw = registered(&terminal).await;
    punch_at_minute(&terminal, 1);
    punch_at_minute(&terminal, 2);
    raw.stays_silent().await;
    punch_at_minute(&terminal, 3);
    let mut segment = [0; 1000];
    let length = raw.0.read(&mut segment).await.unwrap();
    assert_eq!(length, 3 * 48);
    // What waits leaves when nothing holds it back any more.
    punch_at_minute(&terminal, 4);
    raw.stays_silent().await;
    terminal.clear_faults();
    assert_eq!(minute(&raw.frame().await), 4);
}

#[tokio::test]
async fn events_between_the_packets_of_a_bulk_answer() {
    let terminal = start(with_ana().part_size(64).inline_limit(0)).await;
    terminal.set_fault(Fault::EventsInAnswers);
    let mut raw = registered(&terminal).await;
    for minute in 1..=6 {
        punch_at_minute(&terminal, minute);
    }
    raw.stays_silent().await;
    // The answer to 1503 is one packet.
    raw.send(code::PREPARE_BUFFER, 0x4AB6, 2, ALL_OF_THE_LOG)
        .await;
    assert_eq!(minute(&raw.frame().await), 1);
    assert_eq!(raw.frame().await.reply_id, 2);
    for rest in 2..=6 {
        assert_eq!(minute(&raw.frame().await), rest);
    }
    for minute in 11..=15 {
        punch_at_minute(&terminal, minute);
    }
    // A chunk is 1500, 1501 twice, 2000.
    raw.send(code::READ_BUFFER, 0x4AB6, 3, &[0, 0, 0, 0, 124, 0, 0, 0])
        .await;
    let mut commands = Vec::new();
    let mut minutes = Vec::new();
    for _ in 0..9 {
        let frame = raw.frame().await;
        commands.push(frame.command);
        if frame.command == code::REG_EVENT {
            minutes.push(minute(&frame));
        }
    }
    assert_eq!(commands, [500, 1500, 500, 1501, 500, 1501, 500, 2000, 500]);
    assert_eq!(minutes, [11, 12, 13, 14, 15]);
}

#[tokio::test]
async fn the_next_event_waits_for_the_acknowledgement() {
    let terminal = start(with_ana().fault(Fault::EventsNeedAck)).await;
    let mut raw = Raw::to(&terminal).await;
    raw.expect(CONNECT, CONNECTED).await;
    raw.expect(REGISTER, REGISTERED).await;
    punch_at_minute(&terminal, 1);
    punch_at_minute(&terminal, 2);
    assert_eq!(minute(&raw.frame().await), 1);
    // Acknowledgements that acknowledge nothing: a reply id, another session, data.
    raw.send(code::ACK_OK, 0x4AB6, 1, &[]).await;
    raw.send(code::ACK_OK, 0x4AB7, 0, &[]).await;
    raw.send(code::ACK_OK, 0x4AB6, 0, &[0]).await;
    raw.stays_silent().await;
    raw.0.write_all(&hex(ACKNOWLEDGE)).await.unwrap();
    assert_eq!(minute(&raw.frame().await), 2);
    raw.0.write_all(&hex(ACKNOWLEDGE)).await.unwrap();
    within(terminal.wait_for_acknowledgements(2)).await;
    raw.0.write_all(&hex(ACKNOWLEDGE)).await.unwrap();
    raw.ask(code::GET_TIME, 0x4AB6, 3, &[]).await;
    let counts = terminal.counts();
    assert_eq!(
        (counts.events_acknowledged, counts.stray_acknowledgements),
        (2, 4)
    );
}

#[tokio::test]
async fn events_may_repeat() {
    let terminal = start(with_ana().fault(Fault::EventsTwice)).await;
    let mut raw = registered(&terminal).await;
    punch_at_minute(&terminal, 1);
    punch_at_minute(&terminal, 2);
    for expected in [1, 1, 2, 2] {
        assert_eq!(minute(&raw.frame().await), expected);
    }
}

#[tokio::test]
async fn a_restart_in_the_middle_of_live_events() {
    let terminal = start(with_ana().restart_time(Duration::from_millis(20))).await;
    terminal.set_fault(Fault::LiveRestart(2));
    let mut raw = registered(&terminal).await;
    for minute in 1..=3 {
        punch_at_minute(&terminal, minute);
    }
    assert_eq!(minute(&raw.frame().await), 1);
    assert_eq!(minute(&raw.frame().await), 2);
    assert_eq!(raw.rest().await, b"");
    assert_eq!(terminal.listeners(), 0);
    within(async {
        while TcpStream::connect(terminal.addr()).await.is_err() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    let mut raw = registered(&terminal).await;
    assert_eq!(terminal.record_count(), 6, "the log has them all");
    punch_at_minute(&terminal, 4);
    assert_eq!(minute(&raw.frame().await), 4);

    terminal.clear_faults();
    terminal.set_fault(Fault::LiveStall(1));
    let mut raw = registered(&terminal).await;
    punch_at_minute(&terminal, 5);
    assert_eq!(minute(&raw.frame().await), 5);
    punch_at_minute(&terminal, 6);
    raw.send(code::GET_TIME, 0, 9, &[]).await;
    raw.stays_silent().await;
}

#[tokio::test]
async fn a_restart_in_the_middle_of_a_bulk_answer() {
    let terminal = start(with_ana().inline_limit(0)).await;
    let mut raw = registered(&terminal).await;
    raw.ask(code::PREPARE_BUFFER, 0x4AB6, 2, ALL_OF_THE_LOG)
        .await;
    terminal.set_fault(Fault::EventsInAnswers);
    terminal.set_fault(Fault::LiveRestart(2));
    for minute in 1..=3 {
        punch_at_minute(&terminal, minute);
    }
    raw.send(code::READ_BUFFER, 0x4AB6, 3, &[0, 0, 0, 0, 124, 0, 0, 0])
        .await;
    assert_eq!(minute(&raw.frame().await), 1);
    assert_eq!(raw.frame().await.command, code::PREPARE_DATA);
    assert_eq!(minute(&raw.frame().await), 2);
    assert_eq!(raw.rest().await, b"");
}

#[tokio::test]
async fn restarting() {
    // Without a word and back at once.
    let terminal = start(with_ana()).await;
    let mut raw = registered(&terminal).await;
    let (mut other, _) = Raw::connected(&terminal).await;
    raw.ask(code::DISABLEDEVICE, 0x4AB6, 2, &[]).await;
    raw.send(code::RESTART, 0x4AB6, 3, &[]).await;
    assert_eq!(raw.rest().await, b"");
    assert_eq!(other.rest().await, b"", "all connections end");
    assert!(!terminal.is_disabled());
    Raw::connected(&terminal).await;

    // With an acknowledgement, over UDP too, and away for a while.
    let model = with_ana()
        .acknowledges_restart()
        .restart_time(Duration::from_secs(600))
        .transports(Transports::Both);
    let terminal = start(model).await;
    let (mut tcp, session) = Raw::connected(&terminal).await;
    let (udp, udp_session) = RawUdp::connected(&terminal).await;
    let reply = tcp.ask(code::RESTART, session, 1, &[]).await;
    assert_eq!(reply.command, code::ACK_OK);
    assert_eq!(tcp.rest().await, b"");
    assert!(TcpStream::connect(terminal.addr()).await.is_err());
    udp.send(code::GET_TIME, udp_session, 1, &[]).await;
    udp.stays_silent().await;

    let terminal = start(with_ana()).await;
    let (mut raw, _) = Raw::connected(&terminal).await;
    terminal.restart();
    assert_eq!(raw.rest().await, b"");
    Raw::connected(&terminal).await;
}

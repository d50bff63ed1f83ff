//! The terminal over UDP.

use super::*;

fn on_udp(builder: VirtualTerminal) -> VirtualTerminal {
    builder.transports(Transports::Both)
}

#[tokio::test]
async fn one_datagram_is_one_packet() {
    let clock = stopped(date(2026, 11, 22).at(8, 30, 15, 0));
    let terminal = start(on_udp(documented()).clock(clock)).await;
    assert_eq!(terminal.udp_addr(), Some(terminal.addr()));
    let raw = RawUdp::to(&terminal).await;
    // The vectors of TCP without their first eight bytes.
    raw.expect("e80317fc00000000", "d00779adb64a0000").await; // V1
    raw.expect("c90077b4b64a0900", "d007d575b64a090017048433")
        .await; // V16
    raw.expect(
        "df055fa2b64a0a00010d000000000000000000",
        "dd05a863b64a0a0078000000
         0100 31303030 00*20 01 002ccf31 00 00000000ff000000
         0200 31303031 00*20 01 3d2ccf31 01 00000000ff000000
         0100 31303030 00*20 01 7a2ccf31 00 00000000ff000000",
    )
    .await; // V11
    // V25; the terminal has forgotten the session, and an open TCP connection is another one.
    let (mut tcp, _) = Raw::connected(&terminal).await;
    raw.expect("e90343b1b64a1d00", "d0075cadb64a1d00").await;
    let over = raw.ask(code::GET_TIME, 0x4AB6, 30, &[]).await;
    assert_eq!(over.command, code::ACK_ERROR_INIT);
    tcp.expect(
        "5050827d08000000c90076b4b74a0900",
        "5050827d0c000000d007d475b74a090017048433",
    )
    .await;
}

#[tokio::test]
async fn each_peer_has_a_session() {
    let terminal = start(on_udp(documented())).await;
    let (one, first) = RawUdp::connected(&terminal).await;
    let (two, second) = RawUdp::connected(&terminal).await;
    assert_ne!(first, second);
    // A repeated CONNECT is a lost answer, not another session.
    let again = one.ask(code::CONNECT, 0, 1, &[]).await;
    assert_eq!(again.session, first);
    let foreign = two.ask(code::GET_TIME, first, 1, &[]).await;
    assert_eq!(foreign.command, code::ACK_UNAUTH);
    let counts = terminal.counts();
    assert_eq!((counts.connections, counts.open), (2, 2));
}

#[tokio::test]
async fn a_chunk_comes_in_small_datagrams() {
    let terminal = start(on_udp(with_records(1700))).await;
    let (raw, session) = RawUdp::connected(&terminal).await;
    let sizes = raw
        .ask(code::PREPARE_BUFFER, session, 1, ALL_OF_THE_LOG)
        .await;
    assert_eq!(wire::u32_at(&sizes.data, 1), 68_004);
    let announced = raw
        .ask(code::READ_BUFFER, session, 2, &[4, 0, 0, 0, 0, 64, 0, 0])
        .await;
    assert_eq!(announced.command, code::PREPARE_DATA);
    assert_eq!(
        announced.data,
        hex("0040000000040000"),
        "16384 in parts of 1024"
    );
    let mut chunk = Vec::new();
    for _ in 0..16 {
        let part = raw.packet().await;
        assert_eq!((part.command, part.data.len()), (code::DATA, 1024));
        chunk.extend(part.data);
    }
    assert_eq!(raw.packet().await.command, code::ACK_OK);
    let log = Log::new(LogLayout::Forty, Records::new(1700, 50, date(2026, 1, 1)));
    assert_eq!(chunk, log.body()[4..4 + 16_384]);
}

#[tokio::test]
async fn udp_alone_or_on_a_port_of_its_own() {
    let alone = start(documented().transports(Transports::Udp)).await;
    assert_eq!(alone.udp_addr(), Some(alone.addr()));
    RawUdp::connected(&alone).await;
    let refused = TcpStream::connect(alone.addr()).await.unwrap_err();
    assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);

    let apart = start(on_udp(documented()).udp_port(0)).await;
    assert_ne!(apart.udp_addr(), Some(apart.addr()));
    RawUdp::connected(&apart).await;
    Raw::connected(&apart).await;

    let tcp = start(documented()).await;
    assert_eq!(tcp.udp_addr(), None);
}

#[tokio::test]
async fn a_terminal_that_is_away_answers_no_datagram() {
    let terminal = start(on_udp(documented())).await;
    let (raw, session) = RawUdp::connected(&terminal).await;
    terminal.go_offline();
    raw.send(code::GET_TIME, session, 1, &[]).await;
    raw.stays_silent().await;
    assert_eq!(terminal.counts().open, 0);
    terminal.go_online();
    let forgotten = raw.ask(code::GET_TIME, session, 2, &[]).await;
    assert_eq!(forgotten.command, code::ACK_ERROR_INIT);
    raw.ask(code::CONNECT, 0, 3, &[]).await;
    terminal.set_fault(Fault::RefuseConnection);
    raw.send(code::GET_TIME, session, 4, &[]).await;
    raw.stays_silent().await;
}

#[tokio::test]
async fn one_udp_session_at_a_time() {
    let terminal = start(on_udp(documented()).one_connection(Duration::ZERO)).await;
    let (first, session) = RawUdp::connected(&terminal).await;
    let second = RawUdp::to(&terminal).await;
    second.send(code::CONNECT, 0, 0, &[]).await;
    second.stays_silent().await;
    assert_eq!(Raw::to(&terminal).await.rest().await, b"", "turned away");
    first.ask(code::EXIT, session, 1, &[]).await;
    let reply = second.ask(code::CONNECT, 0, 0, &[]).await;
    assert_eq!(reply.command, code::ACK_OK);
    assert_eq!(terminal.counts().turned_away, 2);
}

#[tokio::test]
async fn faults_over_udp() {
    let terminal = start(on_udp(with_records(60))).await;
    let whole = [0, 0, 0, 0, 0x64, 9, 0, 0];
    let (raw, session) = RawUdp::connected(&terminal).await;
    raw.ask(code::PREPARE_BUFFER, session, 1, ALL_OF_THE_LOG)
        .await;
    // A datagram that is cut short does not leave at all, and the session is silent or over until the next CONNECT.
    for (fault, after) in [
        (Fault::StallLog(1500), None),
        (Fault::CutLog(1500), Some(code::ACK_ERROR_INIT)),
    ] {
        terminal.set_fault(fault);
        raw.ask(code::READ_BUFFER, session, 2, &whole).await;
        assert_eq!(raw.packet().await.data.len(), 1024);
        raw.stays_silent().await;
        terminal.clear_faults();
        raw.send(code::GET_TIME, session, 3, &[]).await;
        match after {
            Some(refusal) => assert_eq!(raw.packet().await.command, refusal),
            None => raw.stays_silent().await,
        }
        let reply = raw.ask(code::CONNECT, 0, 0, &[]).await;
        let sizes = raw
            .ask(code::PREPARE_BUFFER, reply.session, 1, ALL_OF_THE_LOG)
            .await;
        assert_eq!(wire::u32_at(&sizes.data, 1), 2404);
    }
    terminal.set_fault(Fault::Garbage);
    raw.send(code::GET_TIME, session, 3, &[]).await;
    assert_eq!(raw.datagram().await.len(), 64);
    // What is shorter than a header is nothing.
    raw.0.send(b"short").await.unwrap();
    raw.stays_silent().await;
}

#[tokio::test]
async fn a_new_session_may_begin_while_the_last_answer_is_under_way() {
    let terminal = start(on_udp(documented())).await;
    let (raw, session) = RawUdp::connected(&terminal).await;
    terminal.set_fault(Fault::Slow(Duration::from_millis(100)));
    raw.send(code::EXIT, session, 1, &[]).await;
    while terminal.counts().open > 0 {
        tokio::task::yield_now().await;
    }
    raw.send(code::CONNECT, 0, 7, &[]).await;
    assert_eq!(raw.packet().await.reply_id, 1);
    let reply = raw.packet().await;
    assert_eq!((reply.command, reply.reply_id), (code::ACK_OK, 7));
    assert_ne!(reply.session, session);
}

/// What arrives of the answer to one chunk: the sizes of its data packets, and the commands of the others.
async fn arriving(fault: &str) -> Vec<u16> {
    let terminal = start(on_udp(with_records(60)).part_size(400)).await;
    let (raw, session) = RawUdp::connected(&terminal).await;
    raw.ask(code::PREPARE_BUFFER, session, 1, ALL_OF_THE_LOG)
        .await;
    terminal.set_fault(fault.parse().unwrap());
    // Seven datagrams: 1500, 1501 of 400 bytes four times and once of 300, 2000.
    raw.send(code::READ_BUFFER, session, 2, &[0, 0, 0, 0, 0x6c, 7, 0, 0])
        .await;
    let mut arrived = Vec::new();
    let mut buffer = [0; 2000];
    while let Ok(received) = timeout(Duration::from_millis(50), raw.0.recv(&mut buffer)).await {
        let packet = Frame::of(&buffer[..received.unwrap()]);
        arrived.push(match packet.command {
            code::DATA => packet.data.len() as u16,
            other => other,
        });
    }
    arrived
}

#[tokio::test]
async fn datagrams_are_lost_doubled_and_late() {
    assert_eq!(
        arriving("slow=0s").await,
        [1500, 400, 400, 400, 400, 300, 2000]
    );
    assert_eq!(arriving("udp-loss=3").await, [1500, 400, 400, 400, 2000]);
    assert_eq!(
        arriving("udp-loss=7").await,
        [1500, 400, 400, 400, 400, 300]
    );
    assert_eq!(
        arriving("udp-twice=6").await,
        [1500, 400, 400, 400, 400, 300, 300, 2000]
    );
    assert_eq!(
        arriving("udp-reorder=6").await,
        [1500, 400, 400, 400, 400, 2000, 300]
    );
    assert_eq!(
        arriving("udp-reorder=1").await,
        [400, 1500, 400, 400, 300, 400, 2000],
        "in pairs, and the last has none after it"
    );
    assert_eq!(arriving("udp-loss=100%").await, [0; 0]);
    let some = arriving("udp-loss=50%/1").await;
    assert!((1..7).contains(&some.len()), "{some:?}");
    assert_eq!(arriving("udp-loss=50%/1").await, some, "always the same");
}

#[tokio::test]
async fn a_share_of_the_datagrams_is_near_its_percentage() {
    for seed in 0..20 {
        let fault = Fault::UdpLoss(Datagrams::Percent { percent: 30, seed });
        let terminal = start(documented().fault(fault)).await;
        let arrived = terminal.deliveries(10_000).len();
        assert!((6800..7200).contains(&arrived), "{arrived} of seed {seed}");
    }
}

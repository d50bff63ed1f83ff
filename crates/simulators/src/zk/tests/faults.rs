//! Each fault as a client sees it.

use super::*;

#[tokio::test]
async fn going_away_and_coming_back() {
    let terminal = start(documented()).await;
    let (mut raw, _) = Raw::connected(&terminal).await;
    for _ in 0..3 {
        terminal.go_offline();
        refuses(&terminal).await;
        assert_eq!(raw.rest().await, b"");
        assert!(
            terminal.punch("1000", NOON, 0, 1),
            "people punch while the network is away"
        );
        terminal.go_online();
        (raw, _) = Raw::connected(&terminal).await;
    }
    terminal.set_fault(Fault::RefuseConnection);
    refuses(&terminal).await;
    terminal.clear_faults();
    Raw::connected(&terminal).await;
    assert_eq!(terminal.counts().connections, 5);
    terminal.reset_counts();
    assert_eq!(terminal.counts().of(code::CONNECT), 0);
    let away = start(documented().fault(Fault::RefuseConnection)).await;
    refuses(&away).await;
    let addr = terminal.addr();
    terminal.shutdown();
    assert!(TcpStream::connect(addr).await.is_err());
}

async fn refuses(terminal: &RunningTerminal) {
    let refused = TcpStream::connect(terminal.addr()).await.unwrap_err();
    assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);
}

#[tokio::test]
async fn one_connection_at_a_time() {
    let terminal = start(documented().one_connection(Duration::from_millis(80))).await;
    let (mut first, session) = Raw::connected(&terminal).await;
    assert_eq!(Raw::to(&terminal).await.rest().await, b"", "turned away");
    assert_eq!(
        first.ask(code::EXIT, session, 1, &[]).await.command,
        code::ACK_OK
    );
    let (second, _) = Raw::connected(&terminal).await;
    // Without EXIT the place stays taken for a while.
    drop(second);
    while terminal.counts().open > 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(Raw::to(&terminal).await.rest().await, b"");
    tokio::time::sleep(Duration::from_millis(90)).await;
    Raw::connected(&terminal).await;
    assert_eq!(terminal.counts().turned_away, 2);
}

#[tokio::test]
async fn faults_of_the_connection() {
    let terminal = start(documented()).await;
    terminal.set_fault(Fault::Busy);
    assert_eq!(Raw::to(&terminal).await.rest().await, b"");
    terminal.clear_faults();

    let (mut raw, session) = Raw::connected(&terminal).await;
    terminal.set_fault(Fault::Silent);
    raw.send(code::GET_TIME, session, 1, &[]).await;
    raw.stays_silent().await;
    terminal.clear_faults();
    terminal.set_fault(Fault::Mute(code::GET_TIME));
    raw.send(code::GET_TIME, session, 2, &[]).await;
    raw.stays_silent().await;
    assert_eq!(
        raw.ask(code::GET_VERSION, session, 3, &[]).await.reply_id,
        3
    );
    terminal.set_fault(Fault::HangUp(code::GET_VERSION));
    raw.send(code::GET_VERSION, session, 4, &[]).await;
    assert_eq!(raw.rest().await, b"");
    terminal.clear_faults();

    terminal.set_fault(Fault::ConnectCode(6001));
    let mut raw = Raw::to(&terminal).await;
    assert_eq!(raw.ask(code::CONNECT, 0, 0, &[]).await.command, 6001);
    terminal.clear_faults();
    terminal.set_fault(Fault::RefuseKey);
    let mut raw = Raw::to(&terminal).await;
    let locked = raw.ask(code::CONNECT, 0, 0, &[]).await;
    assert_eq!(locked.command, code::ACK_UNAUTH);
    let right = hex("617d3279"); // of key 0
    let refused = raw.ask(code::AUTH, locked.session, 1, &right).await;
    assert_eq!(refused.command, code::ACK_UNAUTH);
}

#[tokio::test]
async fn faults_of_the_bytes() {
    let terminal = start(documented()).await;
    let answer = |fault: Fault| {
        terminal.clear_faults();
        terminal.set_fault(fault);
        async {
            let mut raw = Raw::to(&terminal).await;
            raw.0.write_all(&hex(CONNECT)).await.unwrap();
            raw.0.shutdown().await.unwrap();
            raw.rest().await
        }
    };
    // A session id is given out with every connection: compare what does not depend on it.
    let garbage = answer(Fault::Garbage).await;
    assert_eq!(garbage.len(), 64);
    assert_ne!(garbage[..4], wire::MAGIC);
    assert_eq!(
        to_hex(&answer(Fault::AccessPanel).await),
        "aa01010000503c55"
    );
    let wrong = answer(Fault::WrongChecksum).await;
    assert_ne!(wire::checksum(&wrong[8..]), 0);
    let wrong = answer(Fault::WrongReplyId).await;
    assert_eq!(wire::u16_at(&wrong, 14), 1);
    assert_eq!(wire::checksum(&wrong[8..]), 0);
    let huge = answer(Fault::HugeFrame).await;
    assert_eq!(wire::u32_at(&huge, 4), 0x8000_0000);
    let pause = Duration::from_millis(1);
    for cut in [
        Fault::Dribble(pause),
        Fault::Split { size: 3, pause },
        Fault::SeparateFrames(pause),
        Fault::Slow(pause),
    ] {
        let bytes = answer(cut).await;
        assert_eq!(wire::checksum(&bytes[8..]), 0);
        assert_eq!(bytes.len(), 16);
    }

    terminal.clear_faults();
    terminal.set_fault(Fault::StaleAnswers);
    let (mut raw, session) = Raw::connected(&terminal).await;
    let stale = raw.ask(code::GET_VERSION, session, 1, &[]).await;
    assert_eq!(
        (stale.command, stale.reply_id, stale.data.len()),
        (code::ACK_OK, 0, 0)
    );
    assert_eq!(raw.frame().await.reply_id, 1);
}

#[tokio::test]
async fn segments_arrive_one_after_the_other() {
    let terminal = start(with_records(60).part_size(1008)).await;
    let (mut raw, session) = Raw::connected(&terminal).await;
    raw.ask(code::PREPARE_BUFFER, session, 1, ALL_OF_THE_LOG)
        .await;
    let whole = [0, 0, 0, 0, 0x64, 9, 0, 0];
    terminal.set_fault(Fault::SeparateFrames(Duration::from_millis(20)));
    raw.send(code::READ_BUFFER, session, 2, &whole).await;
    let mut segments = Vec::new();
    let mut buffer = [0; 8192];
    while segments.iter().sum::<usize>() < 24 + 2404 + 3 * 16 + 16 {
        segments.push(raw.0.read(&mut buffer).await.unwrap());
    }
    assert_eq!(segments, [24, 1024, 1024, 404, 16]);
}

#[tokio::test]
async fn faults_of_a_transfer() {
    let terminal = start(with_records(60)).await;
    let whole = [0, 0, 0, 0, 0x64, 9, 0, 0];

    terminal.set_fault(Fault::CutLog(1000));
    let (mut raw, session) = Raw::connected(&terminal).await;
    raw.ask(code::PREPARE_BUFFER, session, 1, ALL_OF_THE_LOG)
        .await;
    raw.send(code::READ_BUFFER, session, 2, &whole).await;
    assert_eq!(raw.rest().await.len(), 24 + 16 + 1000);
    terminal.clear_faults();

    // The bytes of a transfer count together, whatever the chunks.
    terminal.set_fault(Fault::StallLog(1000));
    let (mut raw, session) = Raw::connected(&terminal).await;
    raw.ask(code::PREPARE_BUFFER, session, 1, ALL_OF_THE_LOG)
        .await;
    raw.ask(code::READ_BUFFER, session, 2, &[0, 0, 0, 0, 0x84, 3, 0, 0])
        .await;
    assert_eq!(raw.frame().await.data.len(), 900);
    raw.frame().await;
    raw.send(
        code::READ_BUFFER,
        session,
        3,
        &[0x84, 3, 0, 0, 0xe0, 5, 0, 0],
    )
    .await;
    let mut bytes = [0; 24 + 16 + 100];
    raw.0.read_exact(&mut bytes).await.unwrap();
    raw.stays_silent().await;
    terminal.clear_faults();

    // Users are not the log.
    terminal.set_fault(Fault::CutLog(0));
    let (mut raw, session) = Raw::connected(&terminal).await;
    raw.ask(code::PREPARE_BUFFER, session, 1, ALL_USERS).await;
    raw.ask(code::READ_BUFFER, session, 2, &[0, 0, 0, 0, 4, 0, 0, 0])
        .await;
    assert_eq!(wire::u32_at(&raw.frame().await.data, 0), 50 * 72);
    terminal.clear_faults();
}

#[tokio::test]
async fn faults_of_the_content() {
    let terminal = start(documented()).await;
    let (mut raw, session) = Raw::connected(&terminal).await;

    terminal.set_fault(Fault::WrongSerial("OTHER".to_owned()));
    let serial = raw
        .ask(code::OPTIONS_RRQ, session, 1, b"~SerialNumber\0")
        .await;
    assert_eq!(serial.data, b"~SerialNumber=OTHER\0");

    terminal.set_fault(Fault::ImpossibleTime(1));
    let log = raw
        .ask(code::PREPARE_BUFFER, session, 2, ALL_OF_THE_LOG)
        .await
        .data;
    assert_eq!(wire::u32_at(&log, 4 + 40 + 27), wire::THIRTIETH_OF_FEBRUARY);
    terminal.set_fault(Fault::ImpossibleTime(3));
    let log = raw
        .ask(code::PREPARE_BUFFER, session, 3, ALL_OF_THE_LOG)
        .await
        .data;
    assert_eq!(
        log[4..].len(),
        120,
        "a record that does not exist stays away"
    );

    terminal.set_fault(Fault::WrongTotal(-1));
    let log = raw
        .ask(code::PREPARE_BUFFER, session, 4, ALL_OF_THE_LOG)
        .await
        .data;
    assert_eq!((wire::u32_at(&log, 0), log.len()), (119, 124));
    terminal.clear_faults();

    terminal.set_fault(Fault::HugeLog);
    let sizes = raw
        .ask(code::PREPARE_BUFFER, session, 5, ALL_OF_THE_LOG)
        .await
        .data;
    assert_eq!(wire::u32_at(&sizes, 1), 0x8000_0000);
    terminal.clear_faults();

    terminal.set_fault(Fault::LogCode(4989));
    assert_eq!(
        raw.ask(code::PREPARE_BUFFER, session, 6, ALL_OF_THE_LOG)
            .await
            .command,
        4989
    );
    assert_eq!(
        raw.ask(code::PREPARE_BUFFER, session, 7, ALL_USERS)
            .await
            .command,
        code::DATA
    );
    terminal.clear_faults();

    terminal.set_fault(Fault::Growing(2));
    let counters = raw.ask(code::GET_FREE_SIZES, session, 8, &[]).await.data;
    let log = raw
        .ask(code::PREPARE_BUFFER, session, 9, ALL_OF_THE_LOG)
        .await
        .data;
    assert_eq!((wire::u32_at(&counters, 32), log.len()), (3, 4 + 5 * 40));
}

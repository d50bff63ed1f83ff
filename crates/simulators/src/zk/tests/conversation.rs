//! What a terminal answers where the document gives no bytes: segments, parts, refusals, its content.

use super::*;

#[tokio::test]
async fn requests_may_arrive_in_any_pieces() {
    let terminal = start(documented()).await;
    let request = hex(CONNECT);
    for cut in 1..request.len() {
        let mut raw = Raw::to(&terminal).await;
        raw.0.set_nodelay(true).unwrap();
        raw.0.write_all(&request[..cut]).await.unwrap();
        tokio::task::yield_now().await;
        raw.0.write_all(&request[cut..]).await.unwrap();
        assert_eq!(raw.frame().await.command, code::ACK_OK);
    }
    // Two requests in one segment are answered in order.
    let (mut raw, session) = Raw::connected(&terminal).await;
    let mut both = Vec::new();
    wire::push_frame(&mut both, code::GET_TIME, session, 1, &[]);
    wire::push_frame(&mut both, code::GET_VERSION, session, 2, &[]);
    raw.0.write_all(&both).await.unwrap();
    assert_eq!(raw.frame().await.reply_id, 1);
    assert_eq!(raw.frame().await.data, b"Ver 6.60 Apr 26 2016\0");
}

#[tokio::test]
async fn parts_are_sent_until_the_chunk_is_complete() {
    let terminal = start(with_records(60).part_size(1008)).await;
    let (mut raw, session) = Raw::connected(&terminal).await;
    raw.ask(code::PREPARE_BUFFER, session, 1, ALL_OF_THE_LOG)
        .await;
    // 1164 bytes from the middle: what is asked for need not begin at a record.
    let reply = raw
        .ask(
            code::READ_BUFFER,
            session,
            2,
            &[100, 0, 0, 0, 0x8c, 4, 0, 0],
        )
        .await;
    assert_eq!(reply.data, hex("8c040000f0030000"));
    assert_eq!(raw.frame().await.data.len(), 1008);
    assert_eq!(raw.frame().await.data.len(), 156);
    assert_eq!(raw.frame().await.command, code::ACK_OK);
    // Beyond the end.
    let reply = raw
        .ask(code::READ_BUFFER, session, 3, &[0x64, 9, 0, 0, 1, 0, 0, 0])
        .await;
    assert_eq!(reply.command, code::ACK_ERROR);
}

#[tokio::test]
async fn a_bare_chunk_is_one_frame() {
    let terminal = start(with_records(60).bare_chunks()).await;
    let (mut raw, session) = Raw::connected(&terminal).await;
    raw.ask(code::PREPARE_BUFFER, session, 1, ALL_OF_THE_LOG)
        .await;
    let reply = raw
        .ask(code::READ_BUFFER, session, 2, &[0, 0, 0, 0, 0x64, 9, 0, 0])
        .await;
    assert_eq!((reply.command, reply.data.len()), (code::DATA, 2404));
    let next = raw.ask(code::FREE_DATA, session, 3, &[]).await;
    assert_eq!(next.reply_id, 3);
}

#[tokio::test]
async fn direct_and_buffered_reads_exclude_each_other_on_real_firmware() {
    let old = start(
        documented()
            .reads(Reads::Direct)
            .user_layout(UserLayout::TwentyEight),
    )
    .await;
    let (mut raw, session) = Raw::connected(&old).await;
    let refused = raw.ask(code::PREPARE_BUFFER, session, 1, ALL_USERS).await;
    assert_eq!(refused.command, code::ACK_UNKNOWN);
    raw.ask(code::USERTEMP_RRQ, session, 2, &[5]).await;
    let users = raw.frame().await.data;
    assert_eq!(users, *old.users().body(UserLayout::TwentyEight));

    let new = start(documented()).await;
    let (mut raw, session) = Raw::connected(&new).await;
    raw.ask(code::ATTLOG_RRQ, session, 1, &[]).await;
    let memory = raw.frame().await.data;
    assert_eq!(memory.len(), 124);
    assert_ne!(
        wire::u32_at(&memory, 0),
        120,
        "unrelated memory, not the log"
    );
}

#[tokio::test]
async fn what_real_firmware_does_not_know() {
    let terminal = start(documented()).await;
    let mut raw = Raw::to(&terminal).await;
    let early = raw.ask(code::GET_TIME, 0, 0, &[]).await;
    assert_eq!(early.command, code::ACK_ERROR_INIT);
    let session = raw.ask(code::CONNECT, 0, 1, &[]).await.session;
    assert_eq!(raw.ask(code::CONNECT, 0, 2, &[]).await.session, session);
    assert_eq!(
        raw.ask(4711, session, 3, &[]).await.command,
        code::ACK_UNKNOWN
    );
    let foreign = raw.ask(code::GET_TIME, session + 1, 4, &[]).await;
    assert_eq!(foreign.command, code::ACK_UNAUTH);
    let vendors = raw
        .ask(code::OPTIONS_WRQ, session, 5, b"~SerialNumber=MINE\0")
        .await;
    assert_eq!(vendors.command, code::ACK_ERROR);
    let counts = terminal.counts();
    assert_eq!(
        (
            counts.wrong_sessions,
            counts.of(4711),
            counts.of(code::CONNECT)
        ),
        (1, 1, 2)
    );
    raw.0.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    let mut rest = Vec::new();
    // The terminal hangs up; unread bytes may turn that into a reset.
    let _ = raw.0.read_to_end(&mut rest).await;
    assert_eq!(rest, b"");
}

#[tokio::test]
async fn a_set_clock_keeps_its_distance() {
    let terminal = start(documented().clock(stopped(NOON))).await;
    let (mut raw, session) = Raw::connected(&terminal).await;
    let set = wire::pack_clock(date(2027, 3, 4).at(5, 6, 7, 0)).to_le_bytes();
    assert_eq!(
        raw.ask(code::SET_TIME, session, 1, &set).await.command,
        code::ACK_OK
    );
    assert_eq!(raw.ask(code::GET_TIME, session, 2, &[]).await.data, set);
    assert_eq!(terminal.now(), date(2027, 3, 4).at(5, 6, 7, 0));
    let no_date = wire::THIRTIETH_OF_FEBRUARY.to_le_bytes();
    assert_eq!(
        raw.ask(code::SET_TIME, session, 3, &no_date).await.command,
        code::ACK_ERROR
    );
}

#[tokio::test]
async fn punches_show_at_the_next_read() {
    let terminal = start(documented().record_capacity(5).inline_limit(0)).await;
    let (mut raw, session) = Raw::connected(&terminal).await;
    let before = raw
        .ask(code::PREPARE_BUFFER, session, 1, ALL_OF_THE_LOG)
        .await;
    assert!(terminal.punch("1001", NOON, 1, 15));
    assert!(terminal.punch("stranger", NOON, 0, 1));
    assert!(!terminal.punch("1000", NOON, 1, 1), "the log is full");
    raw.ask(code::READ_BUFFER, session, 2, &[0, 0, 0, 0, 124, 0, 0, 0])
        .await;
    assert_eq!(wire::u32_at(&before.data, 1), 124);
    assert_eq!(
        wire::u32_at(&raw.frame().await.data, 0),
        120,
        "the transfer under way is a snapshot"
    );
    raw.frame().await;
    let after = raw
        .ask(code::PREPARE_BUFFER, session, 3, ALL_OF_THE_LOG)
        .await;
    assert_eq!(wire::u32_at(&after.data, 1), 204);
    raw.ask(code::READ_BUFFER, session, 4, &[124, 0, 0, 0, 80, 0, 0, 0])
        .await;
    let added = raw.frame().await.data;
    assert_eq!(
        added[..6],
        *b"\x02\x001001",
        "the internal index comes from the user list"
    );
    assert_eq!(added[40..50], *b"\0\0stranger");
}

#[tokio::test]
async fn terminals_share_a_log_until_they_differ() {
    let log = Log::new(LogLayout::Sixteen, Records::new(100, 10, date(2026, 1, 1)));
    let one = start(VirtualTerminal::new("A").log(log.clone())).await;
    let two = start(VirtualTerminal::new("B").log(log.clone())).await;
    assert!(one.punch("1001", NOON, 0, 1));
    assert_eq!(
        (one.record_count(), two.record_count(), log.len()),
        (101, 100, 100)
    );
}

#[test]
fn generated_records_are_in_order_and_distinct() {
    let records: Vec<Record> = Records::new(10_000, 500, date(2026, 1, 1)).collect();
    assert_eq!(
        records,
        Records::new(10_000, 500, date(2026, 1, 1)).collect::<Vec<_>>()
    );
    assert!(records.is_sorted_by_key(|record| record.clock));
    let distinct: std::collections::HashSet<_> = records
        .iter()
        .map(|record| (record.uid, record.clock))
        .collect();
    assert_eq!(distinct.len(), 10_000);
    let users = Records::new(0, 500, date(2026, 1, 1)).user_table();
    for record in &records {
        let user = users.by_id(record.user_id).expect("a listed person");
        assert_eq!(user.uid, record.uid);
    }
    assert_eq!(records[0].clock, date(2026, 1, 1).at(8, 30, 0, 0));
    assert_eq!(records[9_999].clock.date(), date(2026, 1, 10));
}

#[tokio::test]
async fn hundreds_of_terminals_in_one_process() {
    let records = Records::new(1000, 50, date(2026, 1, 1));
    let (users, log) = (records.user_table(), Log::new(LogLayout::Forty, records));
    let mut terminals = Vec::new();
    for n in 0..200 {
        let builder = VirtualTerminal::new(&format!("MANY{n}"));
        terminals.push(start(builder.users(users.clone()).log(log.clone())).await);
    }
    for terminal in &terminals {
        let (mut raw, session) = Raw::connected(terminal).await;
        raw.ask(code::PREPARE_BUFFER, session, 1, ALL_OF_THE_LOG)
            .await;
        let all = [0, 0, 0, 0, 0x44, 0x9c, 0, 0];
        assert_eq!(
            raw.ask(code::READ_BUFFER, session, 2, &all).await.command,
            code::PREPARE_DATA
        );
        assert_eq!(raw.frame().await.data, *log.body());
    }
}

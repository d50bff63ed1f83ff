//! The vectors of the protocol document and captures of real terminals, byte by byte.

use super::*;

#[tokio::test]
async fn a_session_as_documented() {
    let clock = stopped(date(2026, 11, 22).at(8, 30, 15, 0));
    let terminal = start(documented().option("~UserExtFmt", "1").clock(clock)).await;
    let mut raw = Raw::to(&terminal).await;
    raw.expect(CONNECT, CONNECTED).await; // V1
    raw.expect(
        "5050827d160000000b003a6cb64a01007e53657269616c4e756d62657200",
        "5050827d19000000d0071cf6b64a01007e53657269616c4e756d6265723d583100",
    )
    .await; // V5
    raw.expect(
        "5050827d120000000c007e2fb64a020053444b4275696c643d31",
        "5050827d08000000d00777adb64a0200",
    )
    .await; // V6
    raw.expect(
        "5050827d140000000b00a4d2b64a03007e55736572457874466d7400",
        "5050827d16000000d007ae8db64a03007e55736572457874466d743d3100",
    )
    .await; // V7
    // V9 is of a device whose free fingerprints do not add up to its capacity.
    terminal.set_fault(Fault::Counters(vec![(17, 0), (8, 3)]));
    raw.expect(
        "5050827d08000000320012b5b64a0500",
        "5050827d64000000d0072660b64a0500 00*16 02000000 00*12 03000000 00*20 b80b000088130000400d0300
         00000000861300003d0d0300 00*12",
    )
    .await;
    terminal.clear_faults();
    raw.expect(
        "5050827d13000000df0563a1b64a06000109000500000000000000",
        "5050827d9c000000dd054512b64a0600 90000000
         0100 00*9 5573657231 00*19 00000000 01 00*8 31303030 00*20
         0200 00*9 5573657232 00*19 00000000 01 00*8 31303031 00*20",
    )
    .await; // V10
    raw.expect(
        "5050827d13000000df055fa2b64a0a00010d000000000000000000",
        "5050827d84000000dd05a863b64a0a0078000000
         0100 31303030 00*20 01 002ccf31 00 00000000ff000000
         0200 31303031 00*20 01 3d2ccf31 01 00000000ff000000
         0100 31303030 00*20 01 7a2ccf31 00 00000000ff000000",
    )
    .await; // V11
    raw.expect(
        "5050827d08000000c90077b4b64a0900",
        "5050827d0c000000d007d575b64a090017048433",
    )
    .await; // V16
    raw.expect(
        "5050827d0c000000ca00d97cb64a0b0017048433",
        "5050827d08000000d0076eadb64a0b00",
    )
    .await; // V17
    raw.expect(
        "5050827d08000000de0563afb64a0800",
        "5050827d08000000d00771adb64a0800",
    )
    .await; // V15
    raw.expect(
        "5050827d0c000000f40140b3b64a140001000000",
        "5050827d08000000d00765adb64a1400",
    )
    .await; // V22
    assert_eq!(terminal.counts().disables, 0);
    raw.send(code::EXIT, 0x4AB6, 29, &[]).await; // V25
    assert_eq!(raw.rest().await, hex("5050827d08000000d0075cadb64a1d00"));
}

#[tokio::test]
async fn writes_as_documented() {
    let terminal = start(documented()).await;
    terminal.add_user(User::new(14, "11224488"));
    let mut raw = Raw::to(&terminal).await;
    raw.expect(CONNECT, CONNECTED).await;
    raw.expect(
        "5050827d08000000eb035ab1b64a0400",
        "5050827d08000000d00775adb64a0400",
    )
    .await; // V8
    assert!(
        !terminal.punch("1000", NOON, 0, 1),
        "nobody can punch while it is disabled"
    );
    raw.ask(code::ENABLEDEVICE, 0x4AB6, 5, &[]).await;
    assert!(terminal.punch("1000", NOON, 0, 1));
    raw.expect(
        "5050827d0c000000eb033eb1b64a02001e000000",
        "5050827d08000000d00777adb64a0200",
    )
    .await; // V8, for 30 seconds
    assert!(!terminal.punch("1000", NOON, 0, 1));
    assert_eq!(terminal.counts().disables, 2);
    for (request, id) in [
        ("5050827d0c0000001f00ecb4b64a0c0032000000", "0c"), // V18
        ("5050827d0e0000004200b12bb64a0d00010000204869", "0d"), // V19
        ("5050827d0a000000120018b5b64a11000e00", "11"),     // V20
        ("5050827d080000000f001fb5b64a1b00", "1b"),         // V25
    ] {
        raw.0.write_all(&hex(request)).await.unwrap();
        let reply = raw.frame().await;
        assert_eq!(reply.command, code::ACK_OK, "{request}");
        assert_eq!(to_hex(&reply.reply_id.to_le_bytes()[..1]), id);
    }
    assert_eq!(terminal.users().users().len(), 2);
    assert_eq!(terminal.record_count(), 0);
    // V26: no such option.
    raw.send(code::OPTIONS_RRQ, 0x4AB6, 3, b"~Nothing\0").await;
    raw.receive("5050827d08000000d10775adb64a0300").await;
}

#[tokio::test]
async fn a_large_log_as_documented() {
    let terminal = start(with_records(1700).first_session(0x4AB6).part_size(65_536)).await;
    let mut raw = Raw::to(&terminal).await;
    raw.expect(CONNECT, CONNECTED).await;
    raw.send(code::PREPARE_BUFFER, 0x4AB6, 5, ALL_OF_THE_LOG)
        .await;
    raw.receive("5050827d15000000d0076163b64a050000a4090100a409010000000000")
        .await; // V12
    raw.expect(
        "5050827d10000000e005a2afb64a060000000000c0ff0000",
        "5050827d10000000dc05a5afb64a0600c0ff000000000100",
    )
    .await; // V13
    let first = raw.frame().await;
    assert_eq!(
        (first.command, first.session, first.data.len()),
        (code::DATA, 0x4AB6, 65_472)
    );
    raw.receive("5050827d08000000d00773adb64a0600").await;
    // V14: the document gives the request alone.
    (raw.0)
        .write_all(&hex("5050827d10000000e005bda5b64a0700c0ff0000e4090000"))
        .await
        .unwrap();
    let announced = raw.frame().await;
    assert_eq!(announced.command, code::PREPARE_DATA);
    assert_eq!(announced.data, hex("e409000000000100"));
    let second = raw.frame().await;
    assert_eq!((second.command, second.data.len()), (code::DATA, 2532));
    assert_eq!(raw.frame().await.command, code::ACK_OK);
    raw.expect(
        "5050827d08000000de0563afb64a0800",
        "5050827d08000000d00771adb64a0800",
    )
    .await; // V15
    let body = [first.data, second.data].concat();
    assert_eq!(wire::u32_at(&body, 0), 68_000);
    assert_eq!(
        body[4..],
        Log::new(LogLayout::Forty, Records::new(1700, 50, date(2026, 1, 1))).body()[4..]
    );
    // What was freed cannot be read.
    let refused = raw
        .ask(code::READ_BUFFER, 0x4AB6, 9, &[0, 0, 0, 0, 8, 0, 0, 0])
        .await;
    assert_eq!(refused.command, code::ACK_ERROR);
}

#[tokio::test]
async fn keys_as_documented() {
    let terminal = start(documented().comm_key(8697).first_session(0x6BA0)).await;
    let mut raw = Raw::to(&terminal).await;
    raw.expect(CONNECT, "5050827d08000000d5078a8ca06b0000")
        .await; // V2
    let asked = raw.ask(code::GET_TIME, 0x6BA0, 1, &[]).await;
    assert_eq!(asked.command, code::ACK_UNAUTH, "nothing before the key");
    let wrong = raw.ask(code::AUTH, 0x6BA0, 1, &[1, 2, 3, 4]).await;
    assert_eq!(wrong.command, code::ACK_UNAUTH);
    raw.expect(
        "5050827d0c0000004e04f89aa06b0100e5e23212",
        "5050827d08000000d0078e8ca06b0100",
    )
    .await; // V3
    let counts = terminal.counts();
    assert_eq!((counts.auth_attempts, counts.auth_refused), (2, 1));
}

#[test]
fn keys_match_with_any_free_byte() {
    check_key(0, 0x0000, "617d3279");
    check_key(0, 0x0000, "534f004b");
    check_key(0, 0x0001, "617d3279");
    check_key(1, 0x4AB6, "61fd3233");
    check_key(1, 0x4AB6, "53cf0001");
    check_key(123_456, 0x0039, "267f32f9");
    check_key(123_456, 0x0039, "144d00cb");
    check_key(8697, 0x6BA0, "d7d00020");
    check_key(12_345, 0x1000, "6de13269");
    check_key(999_999, 0xFFFF, "22813296");
    check_key(999_999, 0xFFFF, "10b300a4");

    #[track_caller]
    fn check_key(key: u32, session: u16, sent: &str) {
        assert!(wire::key_matches(key, session, &hex(sent)), "{key} {sent}");
        assert!(
            !wire::key_matches(key + 1, session, &hex(sent)),
            "{key} {sent}"
        );
    }
}

#[test]
fn clocks_as_documented() {
    check(date(2000, 1, 1).at(0, 0, 0, 0), "00000000");
    check(date(2016, 1, 1).at(19, 2, 0, 0), "a8eba71e");
    check(date(2018, 6, 25).at(17, 50, 35, 0), "6bb36823");
    check(date(2024, 2, 29).at(23, 59, 59, 0), "ff69492e");
    check(date(2025, 12, 31).at(23, 59, 59, 0), "ff2bcf31");
    check(date(2026, 1, 1).at(0, 0, 0, 0), "002ccf31");
    check(date(2026, 11, 22).at(8, 30, 15, 0), "17048433");
    check(date(2099, 12, 31).at(23, 59, 59, 0), "fff792bf");
    assert_eq!(wire::unpack_clock(wire::THIRTIETH_OF_FEBRUARY), None);

    #[track_caller]
    fn check(clock: DateTime, bytes: &str) {
        let packed = wire::pack_clock(clock);
        assert_eq!(to_hex(&packed.to_le_bytes()), bytes);
        assert_eq!(wire::unpack_clock(packed), Some(clock));
    }
}

#[test]
fn records_as_documented() {
    check(LogLayout::Packed8, 0, "2600011704843300");
    check(
        LogLayout::Compressed8 { marked: false },
        0,
        "2600080017048433",
    );
    check(
        LogLayout::Compressed8 { marked: true },
        1,
        "2600290017048433",
    );
    check(LogLayout::Sixteen, 0, "62600100170484330001000000000000");
    check(
        LogLayout::Forty,
        0,
        "26003930323130 00*19 01 17048433 00 00000000ff000000",
    );
    check(
        LogLayout::FortyNumbered,
        0,
        "00003930323130 00*19 01 17048433 00 00000000ff000000",
    );
    check(
        LogLayout::FortyNine,
        0,
        "26003930323130 00*19 01 17048433 00 00000000ff000000 ff3235350000000000",
    );

    #[track_caller]
    fn check(layout: LogLayout, state: u8, bytes: &str) {
        let clock = date(2026, 11, 22).at(8, 30, 15, 0);
        let log = Log::new(layout, [Record::new(38, "90210", clock, state, 1)]);
        assert_eq!(to_hex(&log.body()[4..]), to_hex(&hex(bytes)));
        assert_eq!(wire::u32_at(&log.body(), 0) as usize, layout.size());
        let time = 4 + layout.time_offset();
        assert_eq!(log.body()[time..time + 4], hex("17048433"));
    }
}

#[test]
fn users_as_documented() {
    let ana = User::new(38, "90210").named("Ana").with_card(6543);
    let small = ana.clone().with_password("12345");
    check(
        UserLayout::TwentyEight,
        small,
        "2600003132333435416e6100000000008f1900000001000062600100",
    );
    let large = ana.with_password("1234").admin();
    check(
        UserLayout::SeventyTwo,
        large,
        "26000e3132333400000000416e61 00*21 8f190000 01 0000000000000000 3930323130 00*19",
    );

    #[track_caller]
    fn check(layout: UserLayout, user: User, bytes: &str) {
        let table = UserTable::from([user.clone()]);
        assert_eq!(to_hex(&table.body(layout)[4..]), to_hex(&hex(bytes)));
        assert_eq!(User::decode(layout, &hex(bytes)), Some(user));
    }
}

#[tokio::test]
async fn a_written_user_is_listed() {
    let terminal = start(VirtualTerminal::new("F19").first_session(0x8A9D)).await;
    let (mut raw, _) = Raw::connected(&terminal).await;
    // Captured from the vendor's tool, with garbage behind the password's NUL.
    raw.0
        .write_all(&hex(
            "5050827d50000000 0800fc579d8a5c00 0e00 06 313233343536007c 4e7565766f 00*19 8f190000 01
             0000000000000000 3131323234343838 00*16",
        ))
        .await
        .unwrap();
    assert_eq!(raw.frame().await.command, code::ACK_OK);
    let mut expected = User::new(14, "11224488")
        .named("Nuevo")
        .with_card(6543)
        .with_password("123456");
    expected.privilege = 6;
    assert_eq!(terminal.users().users(), [expected]);
    let short = raw.ask(code::USER_WRQ, 0x8A9D, 93, &[0; 28]).await;
    assert_eq!(
        short.command,
        code::ACK_ERROR,
        "28 bytes are not this terminal's layout"
    );
    assert_eq!(terminal.counts().bad_checksums, 0);
}

#[tokio::test]
async fn counters_of_a_real_f18() {
    let people = [
        User::new(1, "1").admin().with_password("1"),
        User::new(2, "2").admin().with_password("2"),
        User::new(3, "3"),
    ];
    let records = Records::new(58, 3, date(2026, 1, 1));
    let terminal = start(
        VirtualTerminal::new("F18")
            .users(people)
            .records(records)
            .record_capacity(100_000),
    )
    .await;
    // Fingerprints and operation records are not kept here.
    terminal.set_fault(Fault::Counters(vec![(6, 3), (10, 90), (17, 2997)]));
    let (mut raw, session) = Raw::connected(&terminal).await;
    let reply = raw.ask(code::GET_FREE_SIZES, session, 1, &[]).await;
    let expected = hex(
        "00*16 03000000 00000000 03000000 00000000 3a000000 00000000 5a000000 00000000
         02000000 02000000 b80b0000 88130000 a0860100 b50b0000 85130000 66860100 00*12",
    );
    assert_eq!(to_hex(&reply.data), to_hex(&expected));
}

#[tokio::test]
async fn captures_of_real_terminals() {
    // C2: the platform of an F19.
    let f19 = VirtualTerminal::new("F19")
        .first_session(0x8DF3)
        .option("~Platform", "ZEM760_TFT");
    let terminal = start(f19).await;
    let (mut raw, _) = Raw::connected(&terminal).await;
    raw.expect(
        "5050827d120000000b00b9e6f38d0c007e506c6174666f726d00",
        "5050827d1d000000d007714cf38d0c007e506c6174666f726d3d5a454d3736305f54465400",
    )
    .await;

    // C1 and C3: an option read, and one written.
    let terminal = start(documented().first_session(0xC0C5)).await;
    let (mut raw, _) = Raw::connected(&terminal).await;
    let request = hex("5050827d0c0000000b0058efc5c005007e4f5300");
    raw.0.write_all(&request).await.unwrap();
    assert_eq!(raw.frame().await.data, b"~OS=1\0");
    let terminal = start(documented().option("LockOn", "9").first_session(0xC584)).await;
    let (mut raw, _) = Raw::connected(&terminal).await;
    let request = hex("5050827d110000000c00ebbb84c547004c6f636b4f6e3d3500");
    raw.0.write_all(&request).await.unwrap();
    assert_eq!(raw.frame().await.command, code::ACK_OK);
    assert_eq!(terminal.option("LockOn").as_deref(), Some("5"));

    // C6 and C7: a K40 with three punches, read directly.
    let k40 = documented()
        .first_session(0x6BA0)
        .reads(Reads::Direct)
        .part_size(1008)
        .data_without_session()
        .size_in_closing_ack();
    let terminal = start(k40).await;
    let mut raw = Raw::to(&terminal).await;
    raw.expect(
        "5050827d08000000e80316fc00000100",
        "5050827d08000000d0078e8ca06b0100",
    )
    .await;
    raw.send(code::ATTLOG_RRQ, 0x6BA0, 2, &[]).await;
    raw.receive("5050827d10000000dc05158aa06b02007c000000f0030000")
        .await;
    let data = raw.frame().await;
    assert_eq!((data.session, data.reply_id, data.data.len()), (0, 2, 124));
    raw.receive("5050827d08000000d007b1f77c000200").await;
    raw.expect(
        "5050827d08000000e9037390a06b0300",
        "5050827d08000000d0078c8ca06b0300",
    )
    .await;

    // C7: a chunk of 1364 bytes from a terminal with large parts.
    let terminal = start(with_records(34).first_session(0x4AB6)).await;
    let (mut raw, session) = Raw::connected(&terminal).await;
    let sizes = raw
        .ask(code::PREPARE_BUFFER, session, 4, ALL_OF_THE_LOG)
        .await;
    assert_eq!(wire::u32_at(&sizes.data, 1), 1364);
    raw.send(code::READ_BUFFER, session, 5, &[0, 0, 0, 0, 0x54, 5, 0, 0])
        .await;
    raw.receive("5050827d10000000dc051baab64a050054050000f8ff0000")
        .await;
}

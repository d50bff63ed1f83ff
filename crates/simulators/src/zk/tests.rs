//! The terminal against the bytes of the protocol document: `V` and `C` numbers are its test vectors, `C` from real devices.

use std::time::Duration;

use jiff::civil::{DateTime, date};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::wire::{self, code};
use super::*;

/// Decodes hex; blanks are ignored and `00*16` repeats a byte.
fn hex(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for word in text.split_whitespace() {
        let (digits, times) = match word.split_once('*') {
            Some((digits, times)) => (digits, times.parse().unwrap()),
            None => (word, 1),
        };
        for _ in 0..times {
            for at in (0..digits.len()).step_by(2) {
                bytes.push(u8::from_str_radix(&digits[at..at + 2], 16).unwrap());
            }
        }
    }
    bytes
}

fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A client that knows nothing but bytes.
struct Raw(TcpStream);

/// One frame of an answer.
#[derive(Debug, Clone, PartialEq)]
struct Frame {
    command: u16,
    session: u16,
    reply_id: u16,
    data: Vec<u8>,
}

impl Raw {
    async fn to(terminal: &RunningTerminal) -> Self {
        Self(TcpStream::connect(terminal.addr()).await.unwrap())
    }

    /// Connected with CONNECT; returns the session too.
    async fn connected(terminal: &RunningTerminal) -> (Self, u16) {
        let mut raw = Self::to(terminal).await;
        let reply = raw.ask(code::CONNECT, 0, 0, &[]).await;
        assert_eq!(reply.command, code::ACK_OK);
        (raw, reply.session)
    }

    /// Sends a document's bytes and expects a document's bytes.
    async fn expect(&mut self, request: &str, answer: &str) {
        self.0.write_all(&hex(request)).await.unwrap();
        self.receive(answer).await;
    }

    async fn receive(&mut self, answer: &str) {
        let expected = hex(answer);
        let mut received = vec![0; expected.len()];
        self.0.read_exact(&mut received).await.unwrap();
        assert_eq!(to_hex(&received), to_hex(&expected));
    }

    async fn send(&mut self, command: u16, session: u16, reply_id: u16, data: &[u8]) {
        let mut bytes = Vec::new();
        wire::push_frame(&mut bytes, command, session, reply_id, &[data]);
        self.0.write_all(&bytes).await.unwrap();
    }

    async fn frame(&mut self) -> Frame {
        self.try_frame().await.expect("a whole frame")
    }

    async fn try_frame(&mut self) -> std::io::Result<Frame> {
        let mut head = [0; 8];
        self.0.read_exact(&mut head).await?;
        assert_eq!(head[..4], wire::MAGIC);
        let mut packet = vec![0; wire::u32_at(&head, 4) as usize];
        self.0.read_exact(&mut packet).await?;
        assert_eq!(
            wire::checksum(&packet),
            0,
            "checksum of {}",
            to_hex(&packet)
        );
        Ok(Frame {
            command: wire::u16_at(&packet, 0),
            session: wire::u16_at(&packet, 4),
            reply_id: wire::u16_at(&packet, 6),
            data: packet[8..].to_vec(),
        })
    }

    async fn ask(&mut self, command: u16, session: u16, reply_id: u16, data: &[u8]) -> Frame {
        self.send(command, session, reply_id, data).await;
        self.frame().await
    }

    /// Bytes until the terminal closes.
    async fn rest(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.0.read_to_end(&mut bytes).await.unwrap();
        bytes
    }

    async fn stays_silent(&mut self) {
        let mut byte = [0];
        let read = timeout(Duration::from_millis(50), self.0.read(&mut byte)).await;
        assert!(read.is_err(), "expected silence, got {read:?}");
    }
}

const NOON: DateTime = date(2026, 1, 1).at(12, 0, 0, 0);
const CONNECT: &str = "5050827d08000000e80317fc00000000";
const CONNECTED: &str = "5050827d08000000d00779adb64a0000";
const ALL_OF_THE_LOG: &[u8] = &[1, 13, 0, 0, 0, 0, 0, 0, 0, 0, 0];
const ALL_USERS: &[u8] = &[1, 9, 0, 5, 0, 0, 0, 0, 0, 0, 0];

/// The terminal of the document's session: 0x4AB6, users 1000 and 1001, three punches on New Year's midnight.
fn documented() -> VirtualTerminal {
    let midnight = date(2026, 1, 1).at(0, 0, 0, 0);
    let second = |n| midnight + jiff::SignedDuration::from_secs(n);
    VirtualTerminal::new("X1")
        .first_session(0x4AB6)
        .part_size(65_536)
        .users([
            User::new(1, "1000").named("User1"),
            User::new(2, "1001").named("User2"),
        ])
        .records([
            Record::new(1, "1000", midnight, 0, 1),
            Record::new(2, "1001", second(61), 1, 1),
            Record::new(1, "1000", second(122), 0, 1),
        ])
}

async fn start(builder: VirtualTerminal) -> RunningTerminal {
    builder.start("127.0.0.1:0").await.unwrap()
}

/// `count` records of 50 people.
fn with_records(count: usize) -> VirtualTerminal {
    let records = Records::new(count, 50, date(2026, 1, 1));
    VirtualTerminal::new("BULK1")
        .first_session(7)
        .users(records.user_table())
        .records(records)
}

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

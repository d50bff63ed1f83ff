//! The golden packets against everything that makes requests and reads answers: what [`crate::packet`] shows to be well framed
//! is shown here to be what we send and what we understand.

use jiff::civil::date;
use std::time::Duration;

use crate::bulk::{self, Chunk, Prepared, Wanted};
use crate::clock::PackedClock;
use crate::control::{self, DoorUnit};
use crate::event::{self, Event, PunchUser};
use crate::templates::{self, Enrolled, Finger};
use crate::testdata::{hex, vectors};
use crate::text::NameEncoding;
use crate::users::{self, Uid, UserLayout};
use crate::{Counters, Incoming, Packet, PacketBuffer, Request, Session, command, key, options};

/// A line of packets.txt.
struct Golden {
    name: String,
    frame: Vec<u8>,
}

impl Golden {
    fn all() -> Vec<Self> {
        vectors(include_str!("../testdata/packets.txt"))
            .into_iter()
            .map(|vector| Self {
                name: vector[0].clone(),
                frame: hex(&vector[5]),
            })
            .collect()
    }

    #[track_caller]
    fn named(name: &str) -> Self {
        let found = Self::all().into_iter().find(|golden| golden.name == name);
        found.unwrap_or_else(|| panic!("a packet named {name}"))
    }

    fn packet(&self) -> Packet<'_> {
        Packet::decode(&self.frame[8..]).expect("a good packet")
    }
}

fn user(record: &[u8]) -> users::UserRecord {
    let body = [&(record.len() as u32).to_le_bytes(), record].concat();
    let list = users::decode(&body, Some(1)).expect("a user");
    list.users[0].record(NameEncoding::Utf8)
}

/// What we would send for a line of packets.txt.
fn request(name: &str, sent: &Packet<'_>) -> Request {
    let option = |name| Request::new(command::OPTIONS_RRQ, options::request(name));
    let auth = |key| {
        let scrambled = key::scramble(key, sent.header.session_id, 0x32);
        Request::new(command::AUTH, scrambled)
    };
    let prepare = |wanted: Wanted| Request::new(command::PREPARE_BUFFER, wanted.request());
    let part =
        |offset, length| Request::new(command::READ_BUFFER, bulk::chunk_request(offset, length));
    let morning = date(2026, 11, 22).at(8, 30, 15, 0);
    match name {
        "V1 connect" | "C6 K40: connect" => Request::new(command::CONNECT, []),
        "V3 auth with key 8697" => auth(8697),
        "V4 auth with key 123456" => auth(123_456),
        "V5 read ~SerialNumber" => option(options::SERIAL_NUMBER),
        "V6 write SDKBuild=1" => {
            let mut request = options::write("SDKBuild", "1").expect("an option");
            assert_eq!(request.data.pop(), Some(0), "that client left out the NUL");
            request
        }
        "V7 read ~UserExtFmt" => option("~UserExtFmt"),
        "V8 disable" => Request::new(command::DISABLE_DEVICE, []), // without end, so we do not
        "V8 disable for 30 s" => control::disable(30),
        "V9 counters" => Request::new(command::GET_FREE_SIZES, []),
        "V10 prepare users" => prepare(Wanted::Users),
        "V11 prepare the log" | "V12 prepare the log" => prepare(Wanted::Log),
        "V13 read 65472 bytes from 0" => part(0, bulk::TCP_CHUNK),
        "V14 read 2532 bytes from 65472" => part(bulk::TCP_CHUNK, 68_004 - bulk::TCP_CHUNK),
        "V15 free" => crate::upload::free(),
        "V16 get time" => Request::new(command::GET_TIME, []),
        "V17 set time" => control::set_time(morning).expect("a year in range"),
        "V18 unlock 5 s" => control::unlock(Duration::from_secs(5), DoorUnit::Tenths),
        "V19 LCD line 1" => control::show(1, "Hi", NameEncoding::Utf8).expect("a text"),
        "V20 delete user 14" => users::delete(Uid(14)),
        "V21 user and template upload" => save()[2].clone(),
        "V21 save templates" => save()[3].clone(),
        "V22 register for punches" => event::register(event::ATTLOG),
        "V25 clear log" => control::clear_log(),
        "V25 exit" | "C6 K40: exit" => Request::new(command::EXIT, []),
        "C1 read ~OS" => option("~OS"),
        "C2 read ~Platform" => option("~Platform"),
        "C3 write LockOn=5" => options::write("LockOn", "5").expect("an option"),
        "F19 write user 14" => {
            let layout = UserLayout::Long72;
            let request = user(sent.data).write(layout, NameEncoding::Utf8);
            let mut request = request.expect("fields that fit");
            request.data[10] = b'|'; // left over behind the password
            request
        }
        name => panic!("nothing makes {name}"),
    }
}

/// The requests of V21.
fn save() -> Vec<Request> {
    let upload = Golden::named("V21 user and template upload");
    let user = user(&upload.packet().data[13..85]);
    let fingers = [(Finger::new(3).expect("a finger"), hex("aabbccdd"))];
    let people = [Enrolled {
        user: &user,
        fingers: &fingers,
    }];
    templates::save(&people, UserLayout::Long72, NameEncoding::Utf8).expect("fields that fit")
}

#[test]
fn every_golden_request_is_what_we_send() {
    let mut seen = 0;
    for golden in Golden::all() {
        let sent = golden.packet();
        let upload = golden.name == "V21 user and template upload";
        let from_terminal = matches!(sent.header.command, 500 | 1500..=1501 | 2000..);
        let registers = golden.name == "V22 register for punches";
        if from_terminal && !upload && !registers {
            continue;
        }
        let request = request(&golden.name, &sent);
        assert_eq!(request.command, sent.header.command, "{}", golden.name);
        assert_eq!(request.data, sent.data, "{}", golden.name);
        seen += 1;
    }
    assert_eq!(seen, 31);
}

#[test]
fn the_beginning_of_a_conversation() {
    let mut session = Session::new();
    let check = |packet: Packet<'_>, name: &str| {
        let mut frame = Vec::new();
        packet.encode_framed(&mut frame);
        assert_eq!(frame, Golden::named(name).frame, "{name}");
    };
    check(session.request(command::CONNECT, &[]), "V1 connect");
    let answer = Golden::named("V1 answer");
    assert_eq!(session.sort(answer.packet().header), Incoming::Reply);
    session.opened(answer.packet().header.session_id);
    let serial = Request::new(command::OPTIONS_RRQ, options::request("~SerialNumber"));
    check(serial.packet(&mut session), "V5 read ~SerialNumber");
    let answer = Golden::named("V5 answer: X1");
    assert_eq!(session.sort(answer.packet().header), Incoming::Reply);
    let data = serial.answer(&answer.packet()).expect("done");
    assert_eq!(options::value(data).as_deref(), Some("X1"));
    check(session.acknowledgement(), "V23 acknowledgement");
}

#[test]
fn answers_to_simple_requests() {
    let value = |name| options::value(Golden::named(name).packet().data);
    assert_eq!(value("V7 answer: 1").as_deref(), Some("1"));
    assert_eq!(
        value("C2 answer: ZEM760_TFT").as_deref(),
        Some("ZEM760_TFT")
    );
    let counters = Counters::decode(Golden::named("V9 answer").packet().data);
    assert_eq!((counters.users, counters.records), (Some(2), Some(3)));
    assert_eq!(counters.fingerprint_capacity, Some(3000));
    assert_eq!(counters.user_capacity, Some(5000));
    assert_eq!(counters.record_capacity, Some(200_000));
    let time = Golden::named("V16 answer: 2026-11-22 08:30:15");
    let raw = time.packet().data.try_into().expect("four bytes");
    assert_eq!(
        PackedClock(u32::from_le_bytes(raw)).to_string(),
        "2026-11-22 08:30:15"
    );
    let error = Golden::named("V26 error");
    let answer = Request::new(command::OPTIONS_RRQ, []).answer(&error.packet());
    let condition = answer.map_err(|refusal| refusal.condition());
    assert_eq!(condition, Err(crate::Condition::Failed));
    let state = Golden::named("C4 answer: state 2 in the session field");
    assert_eq!(state.packet().header.session_id, 2);
}

#[test]
fn answers_that_are_large() {
    let prepared = Golden::named("V12 answer: 68004 bytes wait");
    assert_eq!(
        Prepared::decode(&prepared.packet()),
        Ok(Prepared::Size(68_004))
    );
    let check = |name, promised| {
        let mut chunk = Chunk::new();
        chunk.take(&Golden::named(name).packet()).expect("a start");
        assert_eq!(chunk.promised(), Some(promised), "{name}");
    };
    check("V13 answer: 65472 bytes follow", 65_472);
    check("V14 answer: 2532 bytes follow", 2532);
    check("C7 K40: parts of 1008 bytes follow", 124);
    check("C7 parts of 65528 bytes follow", 1364);
}

/// One part from its announcement to its end, which may carry the size as session, over TCP and over UDP.
#[test]
fn a_part_from_a_k40() {
    let start = Golden::named("C7 K40: parts of 1008 bytes follow");
    let end = Golden::named("C7 closing ACK with the size as session");
    let bytes = [7; 124];
    let data = Packet {
        header: crate::Header {
            command: command::DATA,
            session_id: 0,
            reply_id: 2,
        },
        data: &bytes,
    };
    let mut session = Session::new();
    let mut chunk = Chunk::new();
    for _ in 0..3 {
        session.request(command::READ_BUFFER, &[]);
    }
    let (mut received, mut last) = (Vec::new(), false);
    for packet in [start.packet(), data, end.packet()] {
        assert_eq!(session.sort(packet.header), Incoming::Reply);
        let part = chunk.take(&packet).expect("a part");
        received.extend_from_slice(part.data);
        last = part.last;
    }
    assert_eq!(received, bytes);
    assert!(last);
}

/// The prefix of V13's data packet: a length that needs more than 16 bits with the prefix counted in.
#[test]
fn a_whole_part_in_one_packet() {
    let body = vec![0; bulk::TCP_CHUNK as usize];
    let mut frame = Vec::new();
    let mut session = Session::new();
    session
        .request(command::DATA, &body)
        .encode_framed(&mut frame);
    assert_eq!(frame[..8], hex("5050827dc8ff0000"));
    let mut buffer = PacketBuffer::new();
    buffer.extend(&frame);
    let packet = buffer.next_packet().expect("a packet");
    assert_eq!(packet.map(|packet| packet.data.len()), Some(65_472));
}

#[test]
fn events_among_packets() {
    let session = Session::new();
    let punch = Golden::named("V23 event: a punch of 90210");
    let Incoming::Event { code } = session.sort(punch.packet().header) else {
        panic!("V23 is an event");
    };
    let Event::Punch(decoded) = event::decode(code, punch.packet().data) else {
        panic!("V23 is a punch");
    };
    assert_eq!(decoded.user, PunchUser::Id("90210"));
    let quality = Golden::named("C5 event: finger quality 100");
    let Incoming::Event { code } = session.sort(quality.packet().header) else {
        panic!("C5 is an event");
    };
    assert_eq!(
        event::decode(code, quality.packet().data),
        Event::FingerQuality(100)
    );
}

#[test]
fn a_frame_of_an_access_panel_is_named() {
    let mut buffer = PacketBuffer::new();
    buffer.extend(&hex("aa0114120043616c6c5365637572697479446576696365eea955"));
    assert_eq!(buffer.next_packet(), Err(crate::DecodeError::AccessPanel));
}

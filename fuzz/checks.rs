//! What holds for any bytes a ZKTeco terminal may send. The fuzz targets check it with bytes they invent,
//! `crates/zk-proto/tests/corpus.rs` with those that are kept in `corpus`.

use jiff::civil::{DateTime, date};
use zk_proto::bulk::{Chunk, Prepared};
use zk_proto::event::{self, Event};
use zk_proto::push::operlog::{Kind, Line};
use zk_proto::push::photo::Photo;
use zk_proto::push::request::{Asks, normalise_request_line};
use zk_proto::push::security::{self, QueryData};
use zk_proto::push::{
    BadLine, Family, Hello, Info, Parameters, Query, Route, Upload, attlog, body as lines, operlog,
    result,
};
use zk_proto::templates::{self, Finger};
use zk_proto::users::{self, UserList};
use zk_proto::{
    Counters, DecodeError, Entry, Header, LogDecoder, LogHints, LogSummary, Packet, PacketBuffer,
    Request, Session, UserIndex, options,
};

/// A byte that says how the stream is cut, then the stream of a TCP connection, which is also tried as a datagram. With its
/// highest bit set the stream is made of good packets, because hardly any invented checksum is right.
pub fn packet(input: &[u8]) {
    let Some((cut, bytes)) = input.split_first() else {
        return;
    };
    let stream = match cut & 0x80 {
        0 => bytes.to_vec(),
        _ => framed(bytes),
    };
    let whole = conversation(&stream, stream.len());
    let pieces = conversation(&stream, usize::from(cut & 0x7f));
    assert_eq!(whole, pieces, "packets do not depend on how they were cut");
    if let Ok(packet) = Packet::decode(&stream) {
        encodes_to_itself(&packet);
    }
}

/// Packets of a command, a length and data each.
fn framed(mut bytes: &[u8]) -> Vec<u8> {
    const COMMANDS: [u16; 8] = [2000, 1500, 1501, 500, 2001, 2005, 6001, 65535];
    let mut stream = Vec::new();
    while let [command, len, rest @ ..] = bytes {
        let (data, rest) = rest.split_at(usize::from(*len).min(rest.len()));
        let header = Header {
            command: COMMANDS[usize::from(command % 8)],
            session_id: u16::from(*command),
            reply_id: 0,
        };
        Packet { header, data }.encode_framed(&mut stream);
        bytes = rest;
    }
    stream
}

/// The packets of a stream that arrives in pieces, and whether it ended with an error.
fn conversation(stream: &[u8], piece: usize) -> (Vec<Vec<u8>>, bool) {
    let mut buffer = PacketBuffer::new();
    let mut answers = Answers::new();
    let mut packets = Vec::new();
    for bytes in stream.chunks(piece.max(1)) {
        buffer.space(1).extend_from_slice(bytes);
        loop {
            match next(&mut buffer, &mut answers) {
                Ok(Some(packet)) => packets.push(packet),
                Ok(None) => break,
                Err(error) => {
                    assert_eq!(buffer.next_packet(), Err(error), "an error stays");
                    return (packets, true);
                }
            }
        }
    }
    (packets, false)
}

fn next(buffer: &mut PacketBuffer, answers: &mut Answers) -> Result<Option<Vec<u8>>, DecodeError> {
    let header = buffer.peek()?;
    let packet = buffer.next_packet()?;
    assert_eq!(header, packet.map(|packet| packet.header));
    Ok(packet.map(|packet| {
        answers.read(&packet);
        encodes_to_itself(&packet)
    }))
}

fn encodes_to_itself(packet: &Packet<'_>) -> Vec<u8> {
    let mut core = Vec::new();
    packet.encode(&mut core);
    assert_eq!(Packet::decode(&core).as_ref(), Ok(packet));
    core
}

/// Everything that reads a packet which may be the answer to something.
struct Answers {
    session: Session,
    chunk: Chunk,
}

impl Answers {
    fn new() -> Self {
        Self {
            session: Session::new(),
            chunk: Chunk::new(),
        }
    }

    fn read(&mut self, packet: &Packet<'_>) {
        self.session.sort(packet.header);
        let _ = Prepared::decode(packet);
        let _ = self.chunk.take(packet);
        if let Err(refusal) = Request::new(packet.header.command, []).answer(packet) {
            assert!(refusal.to_string().contains(&refusal.code.to_string()));
        }
        options::value(packet.data);
        Counters::decode(packet.data);
    }
}

/// Seven bytes that say what the rest is taken for and what is known about it.
pub fn records(input: &[u8]) {
    let Some(([kind, cut, known, count @ ..], bytes)) = input.split_first_chunk::<7>() else {
        return;
    };
    let is_known = |bit: u8| known >> bit & 1 == 1;
    // A log is judged by its first 16 KiB, which nobody invents byte by byte.
    let bytes = match is_known(4) {
        true => bytes.repeat(20_000 / bytes.len().max(1) + 1),
        false => bytes.to_vec(),
    };
    // With a right length in front more bytes get further.
    let body = match is_known(0) {
        true => bytes,
        false => body(&bytes),
    };
    let count = is_known(1).then(|| u32::from_le_bytes(*count));
    match kind % 3 {
        0 => user_list(&body, count),
        1 => {
            let index = UserIndex::of(&few_users().users);
            let hints = LogHints {
                count,
                latest: is_known(2).then_some(LATEST),
                users: is_known(3).then_some(&index),
            };
            log(&body, hints, usize::from(*cut));
        }
        _ => template_list(&body),
    }
}

const LATEST: DateTime = date(2026, 11, 23).at(9, 0, 0, 0);

fn body(records: &[u8]) -> Vec<u8> {
    [&(records.len() as u32).to_le_bytes(), records].concat()
}

/// Internal numbers 38, 7 and 5.
fn few_users() -> UserList {
    let user = |uid: u8, id: &[u8]| {
        let mut record = [0; 72];
        record[0] = uid;
        record[48..48 + id.len()].copy_from_slice(id);
        record
    };
    let records = [user(38, b"90210"), user(7, b"0042"), user(5, b"5")].concat();
    users::decode(&body(&records), Some(3)).expect("a user list")
}

fn user_list(body: &[u8], count: Option<u32>) {
    let Ok(list) = users::decode(body, count) else {
        return;
    };
    let Some(layout) = list.layout else {
        assert!(list.users.is_empty() && list.rejected.is_empty());
        return;
    };
    let records = list.users.len() + list.rejected.len();
    assert_eq!(4 + records * layout.size(), body.len(), "nothing is lost");
    for user in &list.users {
        assert!(is_user_id(user.id.as_bytes()));
        let record = user.record(list.encoding);
        let Ok(bytes) = record.encode(layout, list.encoding) else {
            continue; // names and passwords that no terminal should have
        };
        let read = users::decode(&self::body(&bytes), Some(1)).expect("a user");
        assert_eq!(read.users[0].record(list.encoding), record);
    }
}

fn is_user_id(id: &[u8]) -> bool {
    !id.is_empty() && id.iter().all(|byte| (0x20..=0x7e).contains(byte))
}

fn log(body: &[u8], hints: LogHints<'_>, piece: usize) {
    let whole = entries(body, hints, body.len());
    let pieces = entries(body, hints, piece);
    // How far a log that is none is read depends on the pieces.
    assert_eq!(whole, pieces, "records do not depend on how they were cut");
    if let Some((entries, summary)) = whole {
        let rejected = entries.iter().filter(|entry| entry.starts_with("rejected"));
        assert_eq!(entries.len() as u64, summary.records, "nothing is lost");
        assert_eq!(rejected.count() as u64, summary.rejected);
    }
}

fn entries(body: &[u8], hints: LogHints<'_>, piece: usize) -> Option<(Vec<String>, LogSummary)> {
    let mut decoder = LogDecoder::new(hints);
    let mut entries = Vec::new();
    for bytes in body.chunks(piece.max(1)) {
        let fed = decoder.feed(bytes, |entry| {
            if let Entry::Record(record) = &entry {
                assert!(is_user_id(record.user_id));
            }
            entries.push(match entry {
                Entry::Record(record) => format!("{record:?}"),
                Entry::Rejected { reason, bytes, .. } => format!("rejected {bytes:x?}: {reason}"),
            });
        });
        fed.ok()?;
    }
    decoder.finish().ok().map(|summary| (entries, summary))
}

fn template_list(body: &[u8]) {
    let finger = Finger::new(3).expect("a finger");
    if let Some(template) = templates::decode(few_users().users[0].uid(), finger, body) {
        assert!(template.bytes.len() < body.len());
    }
    let Ok(list) = templates::decode_list(body) else {
        return;
    };
    let read: usize = list.templates.iter().map(|one| 6 + one.bytes.len()).sum();
    let rejected: usize = list.rejected.iter().map(Vec::len).sum();
    assert_eq!(
        read + rejected,
        body.len().saturating_sub(4),
        "nothing is lost"
    );
}

/// The code of an event, then its data.
pub fn events(input: &[u8]) {
    let Some((code, bytes)) = input.split_first_chunk::<2>() else {
        return;
    };
    let code = u16::from_le_bytes(*code);
    match event::decode(code, bytes) {
        Event::Punch(punch) => {
            let index = UserIndex::of(&few_users().users);
            let id = punch.user_id(Some(&index));
            assert!(id.is_none_or(|id| is_user_id(id.as_bytes())));
            assert!((2000..2256).contains(&punch.clock.year()));
        }
        Event::Other { data, .. } => assert_eq!(data, bytes),
        Event::Rejected { data, reason, .. } => {
            assert_eq!(data, bytes);
            assert!(!reason.to_string().is_empty());
        }
        _ => {}
    }
}

/// A byte that says what the rest is: a request line or a body of one kind.
pub fn push(input: &[u8]) {
    let Some((kind, bytes)) = input.split_first() else {
        return;
    };
    match kind % 8 {
        0 => request_line(bytes),
        1 => punches(bytes),
        2 => people(bytes, None),
        3 => people(bytes, Some(Kind::User)),
        4 => access_events(bytes),
        5 => parameters(bytes),
        6 => photo(bytes),
        _ => results(bytes),
    }
}

fn request_line(line: &[u8]) {
    let good = normalise_request_line(line);
    assert_eq!(
        normalise_request_line(&good),
        good,
        "a good line stays as it is"
    );
    let text = String::from_utf8_lossy(&good);
    let target = text.split(' ').nth(1).unwrap_or_default();
    if let Some(route) = Route::of(target) {
        assert!(target.contains(route.prefix));
    }
    let query = Query::of(target);
    if let Some(serial) = query.serial() {
        assert!((3..=40).contains(&serial.as_str().len()));
    }
    let family = Hello::of(&query).family();
    assert!(!family.name().is_empty());
    Asks::of(&query);
    let answer = Upload::of(&query).acknowledge(&query, 7);
    assert!(!answer.contains(char::is_control), "one line");
    assert!(!QueryData::of(&query).answer(7).is_empty());
    Info::parse(query.get("INFO").unwrap_or_default());
}

/// With other line ends the same is read, and no line is lost.
fn lines_of(body: &[u8], read: impl Fn(&[u8]) -> Vec<String>) {
    let found = read(body);
    assert_eq!(found.len(), lines::lines(body).count(), "nothing is lost");
    let mut with_returns = Vec::new();
    for byte in body {
        match byte {
            b'\n' => with_returns.extend(b"\r\n"),
            _ => with_returns.push(*byte),
        }
    }
    assert_eq!(read(&with_returns), found, "line ends do not matter");
}

fn bad(bad: &BadLine<'_>) -> String {
    let text = bad.text();
    assert!(!text.contains(char::is_control) && text.chars().count() <= 2000);
    format!("{}: {text}", bad.reason)
}

fn is_pin(pin: &str) -> bool {
    (1..=32).contains(&pin.len()) && pin.bytes().all(|byte| byte.is_ascii_graphic())
}

fn punches(body: &[u8]) {
    lines_of(body, |body| {
        let read = attlog::lines(body).map(|line| match line {
            Ok(record) => {
                assert!(is_pin(record.pin) && record.status != Some(255));
                format!("{record:?}")
            }
            Err(line) => bad(&line),
        });
        read.collect()
    });
}

fn people(body: &[u8], rows: Option<Kind>) {
    lines_of(body, |body| {
        let read = operlog::lines(body, rows).map(|line| match line {
            Ok(line) => {
                let pin = match &line {
                    Line::User(user) => user.pin.as_str(),
                    Line::Template(template) => template.pin,
                    Line::Picture(picture) => picture.pin,
                    Line::Operation(_) | Line::Other { .. } => "1",
                };
                assert!(is_pin(pin));
                format!("{line:?}")
            }
            Err(line) => bad(&line),
        });
        read.collect()
    });
}

fn access_events(body: &[u8]) {
    lines_of(body, |body| {
        let read = security::events(body).map(|line| match line {
            Ok(event) => {
                assert!(event.pin.is_none_or(is_pin));
                assert!(!event.is_punch() || event.pin.is_some());
                format!("{event:?}")
            }
            Err(line) => bad(&line),
        });
        read.collect()
    });
    lines_of(body, |body| {
        let states = security::door_states(body);
        states.map(|state| format!("{state:?}")).collect()
    });
}

fn parameters(body: &[u8]) {
    let parameters = Parameters::parse(body);
    for (name, value) in parameters.shown() {
        assert!(!name.is_empty());
        assert!(!value.contains(char::is_control));
    }
    parameters.record_capacity();
    parameters.lan_address();
    parameters.serial();
}

fn photo(body: &[u8]) {
    if let Ok(photo) = Photo::parse(body) {
        assert!(body.ends_with(photo.image) && !photo.file_name.is_empty());
        assert!(photo.pin.as_deref().is_none_or(is_pin));
    }
}

fn results(body: &[u8]) {
    let query = Query::parse("SN=X");
    let found = result::results(&query, body);
    for one in &found.results {
        for family in [Family::Attendance, Family::Manual, Family::Security] {
            assert!(!one.meaning(family).is_empty());
            assert!(!one.succeeded(family) || one.code.is_some());
        }
    }
    found.bad.iter().map(bad).for_each(drop);
}

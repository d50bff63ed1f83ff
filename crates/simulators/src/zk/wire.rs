//! Packets, checksum, clock and key scrambling as the terminal sees them: the device side of the port 4370 protocol.
//! Written from the protocol document alone; it shares no code with the drivers it tests.

use jiff::civil::{Date, DateTime};

/// First bytes of every TCP frame.
pub(super) const MAGIC: [u8; 4] = [0x50, 0x50, 0x82, 0x7d];

/// Bytes of a frame that are TCP's alone: magic and length.
pub(super) const FRAME_PREFIX: usize = 8;

/// Bytes before the data of a packet: command, checksum, session and reply id.
const PACKET_HEADER: usize = 8;

/// A client that announces a longer packet than this is not speaking the protocol.
const LONGEST_REQUEST: usize = 1 << 20;

/// Command and reply codes, in the vendor's words.
pub(super) mod code {
    pub const DB_RRQ: u16 = 7;
    pub const USER_WRQ: u16 = 8;
    pub const USERTEMP_RRQ: u16 = 9;
    pub const USERTEMP_WRQ: u16 = 10;
    pub const OPTIONS_RRQ: u16 = 11;
    pub const OPTIONS_WRQ: u16 = 12;
    pub const ATTLOG_RRQ: u16 = 13;
    pub const CLEAR_DATA: u16 = 14;
    pub const CLEAR_ATTLOG: u16 = 15;
    pub const DELETE_USER: u16 = 18;
    pub const DELETE_USERTEMP: u16 = 19;
    pub const CLEAR_ADMIN: u16 = 20;
    pub const UNLOCK: u16 = 31;
    pub const OPLOG_RRQ: u16 = 34;
    pub const GET_FREE_SIZES: u16 = 50;
    pub const ENABLE_CLOCK: u16 = 57;
    pub const STARTVERIFY: u16 = 60;
    pub const CANCELCAPTURE: u16 = 62;
    pub const STATE_RRQ: u16 = 64;
    pub const WRITE_LCD: u16 = 66;
    pub const CLEAR_LCD: u16 = 67;
    pub const GET_PINWIDTH: u16 = 69;
    pub const DOORSTATE_RRQ: u16 = 75;
    pub const TMP_WRITE: u16 = 87;
    pub const GET_USERTEMP: u16 = 88;
    pub const SAVE_USERTEMPS: u16 = 110;
    pub const CHECKSUM_BUFFER: u16 = 119;
    pub const DEL_FPTMP: u16 = 134;
    pub const GET_TIME: u16 = 201;
    pub const SET_TIME: u16 = 202;
    pub const REG_EVENT: u16 = 500;
    pub const CONNECT: u16 = 1000;
    pub const EXIT: u16 = 1001;
    pub const ENABLEDEVICE: u16 = 1002;
    pub const DISABLEDEVICE: u16 = 1003;
    pub const RESTART: u16 = 1004;
    pub const POWEROFF: u16 = 1005;
    pub const SLEEP: u16 = 1006;
    pub const RESUME: u16 = 1007;
    pub const REFRESHDATA: u16 = 1013;
    pub const REFRESHOPTION: u16 = 1014;
    pub const TESTVOICE: u16 = 1017;
    pub const GET_VERSION: u16 = 1100;
    pub const CHANGE_SPEED: u16 = 1101;
    pub const AUTH: u16 = 1102;
    pub const PREPARE_DATA: u16 = 1500;
    pub const DATA: u16 = 1501;
    pub const FREE_DATA: u16 = 1502;
    pub const PREPARE_BUFFER: u16 = 1503;
    pub const READ_BUFFER: u16 = 1504;

    pub const ACK_OK: u16 = 2000;
    pub const ACK_ERROR: u16 = 2001;
    pub const ACK_UNAUTH: u16 = 2005;
    pub const ACK_ERROR_DATA: u16 = 65531;
    pub const ACK_ERROR_INIT: u16 = 65532;
    pub const ACK_UNKNOWN: u16 = 65535;
}

/// One packet from a client.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) command: u16,
    pub(super) session: u16,
    pub(super) reply_id: u16,
    pub(super) data: Vec<u8>,
    pub(super) checksum_holds: bool,
}

impl Request {
    /// Reads a packet without TCP's prefix; `None` when it is shorter than its header.
    pub(super) fn parse(packet: &[u8]) -> Option<Self> {
        (packet.len() >= PACKET_HEADER).then(|| Self {
            command: u16_at(packet, 0),
            session: u16_at(packet, 4),
            reply_id: u16_at(packet, 6),
            data: packet[PACKET_HEADER..].to_vec(),
            checksum_holds: checksum(packet) == 0,
        })
    }
}

/// What arrived is not this protocol; a terminal drops the connection.
#[derive(Debug)]
pub(super) struct NotThisProtocol;

/// Cuts the next whole request from the front of `inbox`, or leaves it alone when bytes are missing.
pub(super) fn take_request(inbox: &mut Vec<u8>) -> Result<Option<Request>, NotThisProtocol> {
    let known = inbox.len().min(MAGIC.len());
    if inbox[..known] != MAGIC[..known] {
        return Err(NotThisProtocol);
    }
    if inbox.len() < FRAME_PREFIX {
        return Ok(None);
    }
    let length = u32_at(inbox, 4) as usize;
    if length > LONGEST_REQUEST {
        return Err(NotThisProtocol);
    }
    if inbox.len() < FRAME_PREFIX + length {
        return Ok(None);
    }
    let packet = &inbox[FRAME_PREFIX..FRAME_PREFIX + length];
    let request = Request::parse(packet).ok_or(NotThisProtocol)?;
    inbox.drain(..FRAME_PREFIX + length);
    Ok(Some(request))
}

/// Appends one TCP frame; `data` is the concatenation of the parts.
pub(super) fn push_frame(
    out: &mut Vec<u8>,
    command: u16,
    session: u16,
    reply_id: u16,
    data: &[&[u8]],
) {
    let start = out.len();
    let length: usize = data.iter().map(|part| part.len()).sum();
    out.reserve(FRAME_PREFIX + PACKET_HEADER + length);
    out.extend_from_slice(&MAGIC);
    out.extend_from_slice(&((PACKET_HEADER + length) as u32).to_le_bytes());
    out.extend_from_slice(&command.to_le_bytes());
    out.extend_from_slice(&[0, 0]);
    out.extend_from_slice(&session.to_le_bytes());
    out.extend_from_slice(&reply_id.to_le_bytes());
    for part in data {
        out.extend_from_slice(part);
    }
    let sum = checksum(&out[start + 8..]);
    out[start + 10..start + 12].copy_from_slice(&sum.to_le_bytes());
}

/// The Internet checksum over little-endian words. Over a packet whose field is filled in it is 0.
pub(super) fn checksum(packet: &[u8]) -> u16 {
    // Words are added in pairs: carries end up in the same place when the sum is folded.
    let (pairs, rest) = packet.as_chunks::<4>();
    let mut sum: u64 = pairs
        .iter()
        .map(|pair| u64::from(u32::from_le_bytes(*pair)))
        .sum();
    let mut last = [0; 4];
    last[..rest.len()].copy_from_slice(rest);
    sum += u64::from(u32::from_le_bytes(last));
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

/// Packs a wall clock: seconds since 2000-01-01 in a calendar whose months all have 31 days. The century is not kept.
pub(super) fn pack_clock(clock: DateTime) -> u32 {
    let years = clock.year().rem_euclid(100) as u32;
    let days = (years * 12 + clock.month() as u32 - 1) * 31 + clock.day() as u32 - 1;
    days * 86_400 + clock.hour() as u32 * 3600 + clock.minute() as u32 * 60 + clock.second() as u32
}

/// The wall clock a client sets; `None` when it names no date.
pub(super) fn unpack_clock(packed: u32) -> Option<DateTime> {
    let (days, second_of_day) = (packed / 86_400, packed % 86_400);
    let (months, day) = (days / 31, days % 31 + 1);
    let year = 2000 + months / 12;
    Date::new(year as i16, (months % 12 + 1) as i8, day as i8)
        .ok()
        .map(|day| {
            day.at(
                (second_of_day / 3600) as i8,
                (second_of_day / 60 % 60) as i8,
                (second_of_day % 60) as i8,
                0,
            )
        })
}

/// 30 February 2025, 21:12:20: a packing that real terminals were seen to send.
pub(super) const THIRTIETH_OF_FEBRUARY: u32 = 0x3035_0234;

/// The four bytes a client must send for this key, session and free byte.
fn scramble_key(key: u32, session: u16, free: u8) -> [u8; 4] {
    let sum = key.reverse_bits().wrapping_add(u32::from(session));
    // The lowest byte is not used: in its place travels the free byte.
    let [_, b1, b2, b3] = sum.to_le_bytes();
    [b2 ^ b'S' ^ free, b3 ^ b'O' ^ free, free, b1 ^ b'K' ^ free]
}

/// Whether `sent` is the scrambled form of `key`; the client chose the free byte and sends it in third place.
pub(super) fn key_matches(key: u32, session: u16, sent: &[u8]) -> bool {
    sent.len() == 4 && sent == scramble_key(key, session, sent[2])
}

pub(super) fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

pub(super) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

/// Text of a request up to its NUL.
pub(super) fn text(data: &[u8]) -> String {
    let end = data.iter().position(|byte| *byte == 0);
    String::from_utf8_lossy(&data[..end.unwrap_or(data.len())]).into_owned()
}

//! Large answers: the terminal prepares one in memory, then sends the parts that are asked for.
//!
//! PREPARE_BUFFER is answered with the whole body when it is small, or with its size. Then READ_BUFFER asks for one part at
//! a time; clients that asked for several at once got truncated logs over slow links.

use crate::command;
use crate::packet::Packet;
use crate::reply;

/// What to prepare.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    Log,
    Users,
    /// The fingerprint templates of everybody; see [`crate::templates`]. Can take minutes.
    Templates,
}

impl Wanted {
    /// The data of PREPARE_BUFFER.
    pub fn request(self) -> [u8; 11] {
        let (inner, data_type) = match self {
            Self::Log => (command::ATTLOG_RRQ, 0),
            Self::Users => (command::USERTEMP_RRQ, 5),
            Self::Templates => (command::DB_RRQ, 2),
        };
        let mut data = [0; 11];
        data[0] = 1;
        data[1..3].copy_from_slice(&inner.to_le_bytes());
        data[3] = data_type;
        data
    }

    /// Command and data that ask firmware without PREPARE_BUFFER for the same; `None` where it has no such command.
    ///
    /// To be used only after PREPARE_BUFFER was refused as unknown: colour terminals answer these commands with unrelated
    /// memory of the right size.
    pub fn direct_request(self) -> Option<(u16, &'static [u8])> {
        match self {
            Self::Log => Some((command::ATTLOG_RRQ, &[])),
            Self::Users => Some((command::USERTEMP_RRQ, &[5])),
            Self::Templates => None,
        }
    }

    /// Whether a body can be the answer to [`Self::direct_request`]: exactly as many records as are counted, of a size that
    /// firmware so old has.
    pub fn fits_directly(self, body: &[u8], counted: u32) -> bool {
        let sizes: &[usize] = match self {
            Self::Log => &[8, 16, 40],
            Self::Users => &[28, 72],
            Self::Templates => &[],
        };
        let total = body
            .first_chunk::<4>()
            .map(|head| u32::from_le_bytes(*head));
        let records = body.len().saturating_sub(4);
        total.is_some_and(|total| total as usize == records)
            && sizes
                .iter()
                .any(|size| size.checked_mul(counted as usize) == Some(records))
    }
}

/// How long a part to ask for over TCP: what most clients ask for, not a multiple of any record size.
pub const TCP_CHUNK: u32 = 0xffc0;

/// How long a part to ask for over UDP: less than any terminal puts into one datagram. A part of several datagrams could come
/// with one of them lost and another one twice, and nothing in them would tell.
pub const UDP_CHUNK: u32 = 1000;

/// The data of READ_BUFFER.
pub fn chunk_request(offset: u32, length: u32) -> [u8; 8] {
    let mut data = [0; 8];
    data[..4].copy_from_slice(&offset.to_le_bytes());
    data[4..].copy_from_slice(&length.to_le_bytes());
    data
}

/// Why a bulk answer is not one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BulkError {
    #[error("it answered code {code}: {}", reply::meaning(*code))]
    Refused { code: u16 },
    #[error("the answer has {len} bytes where it should tell a size")]
    NoSize { len: usize },
    #[error("a part of {promised} bytes was announced and {received} came")]
    Length { promised: u32, received: u32 },
}

/// The answer to PREPARE_BUFFER.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Prepared<'a> {
    /// The whole body.
    Inline(&'a [u8]),
    /// A body of this many bytes waits to be read.
    Size(u32),
}

impl<'a> Prepared<'a> {
    /// # Errors
    /// `Refused` with any other code, `NoSize` for an ACK without the size.
    pub fn decode(packet: &Packet<'a>) -> Result<Self, BulkError> {
        match packet.header.command {
            reply::DATA => Ok(Self::Inline(packet.data)),
            // A byte 0, the size, the size again, four bytes of unknown meaning.
            reply::ACK_OK => match packet.data.get(1..5).and_then(|size| size.try_into().ok()) {
                Some(size) => Ok(Self::Size(u32::from_le_bytes(size))),
                None => Err(BulkError::NoSize {
                    len: packet.data.len(),
                }),
            },
            code => Err(BulkError::Refused { code }),
        }
    }
}

/// The answer to one READ_BUFFER, packet by packet: either PREPARE_DATA, DATA packets until the announced length is
/// reached, and a closing ACK; or a single DATA packet.
#[derive(Clone, Debug, Default)]
pub struct Chunk {
    promised: Option<u32>,
    received: u32,
}

/// What one packet of a chunk brings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part<'a> {
    pub data: &'a [u8],
    /// Nothing more follows.
    pub last: bool,
}

impl Chunk {
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next packet that answers the request. Whether the length is the one asked for is for the caller to
    /// compare: not every terminal respects an offset.
    ///
    /// # Errors
    /// `Refused` with any other code; `Length` when more or fewer bytes come than were announced.
    pub fn take<'a>(&mut self, packet: &Packet<'a>) -> Result<Part<'a>, BulkError> {
        let nothing = |last| Part { data: &[], last };
        match (packet.header.command, self.promised) {
            (reply::PREPARE_DATA, None) => {
                let Some(length) = packet.data.first_chunk::<4>() else {
                    return Err(BulkError::NoSize {
                        len: packet.data.len(),
                    });
                };
                self.promised = Some(u32::from_le_bytes(*length));
                Ok(nothing(false))
            }
            (reply::DATA, None) => Ok(Part {
                data: packet.data,
                last: true,
            }),
            (reply::DATA, Some(promised)) => {
                // A packet is shorter than a mebibyte, and the sum is checked at each, so it cannot overflow.
                self.received += packet.data.len() as u32;
                if self.received > promised {
                    return Err(self.length_error(promised));
                }
                Ok(Part {
                    data: packet.data,
                    last: false,
                })
            }
            (reply::ACK_OK, Some(promised)) if self.received == promised => Ok(nothing(true)),
            (reply::ACK_OK, Some(promised)) => Err(self.length_error(promised)),
            (code, _) => Err(BulkError::Refused { code }),
        }
    }

    /// What was announced, once PREPARE_DATA has come.
    pub fn promised(&self) -> Option<u32> {
        self.promised
    }

    fn length_error(&self, promised: u32) -> BulkError {
        BulkError::Length {
            promised,
            received: self.received,
        }
    }
}

/// What one datagram that answers a READ_BUFFER for `length` bytes brings: its part, or `None` when it only announces or closes
/// it. A part that is shorter comes in several datagrams, and a shorter one is to be asked for.
///
/// # Errors
/// `Refused` with any other code, `Length` when more comes than was asked for.
pub fn datagram_part<'a>(packet: &Packet<'a>, length: u32) -> Result<Option<&'a [u8]>, BulkError> {
    let received = match packet.header.command {
        reply::ACK_OK => return Ok(None),
        reply::PREPARE_DATA => packet
            .data
            .first_chunk::<4>()
            .map_or(0, |announced| u32::from_le_bytes(*announced)),
        reply::DATA => u32::try_from(packet.data.len()).unwrap_or(u32::MAX),
        code => return Err(BulkError::Refused { code }),
    };
    if received > length {
        return Err(BulkError::Length {
            promised: length,
            received,
        });
    }
    Ok((packet.header.command == reply::DATA).then_some(packet.data))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packet::Header;

    fn packet(command: u16, data: &[u8]) -> Packet<'_> {
        Packet {
            header: Header {
                command,
                session_id: 0,
                reply_id: 0,
            },
            data,
        }
    }

    #[test]
    fn a_direct_answer_has_exactly_what_is_counted() {
        let body = |records: u32| [&records.to_le_bytes()[..], &vec![7; records as usize]].concat();
        let check = |wanted: Wanted, body: &[u8], counted, expected| {
            assert_eq!(wanted.fits_directly(body, counted), expected);
        };
        check(Wanted::Log, &body(80), 2, true); // 40 each
        check(Wanted::Log, &body(80), 5, true);
        check(Wanted::Log, &body(80), 10, true);
        check(Wanted::Log, &body(80), 3, false);
        check(Wanted::Log, &body(80)[..83], 2, false);
        check(Wanted::Log, &[], 0, false);
        check(Wanted::Users, &body(144), 2, true);
        check(Wanted::Users, &body(80), 2, false);
        check(Wanted::Users, &body(0), u32::MAX, false);
        check(Wanted::Templates, &body(80), 2, false);
    }

    #[test]
    fn requests() {
        assert_eq!(Wanted::Log.request(), *b"\x01\x0d\0\0\0\0\0\0\0\0\0");
        assert_eq!(Wanted::Users.request(), *b"\x01\x09\0\x05\0\0\0\0\0\0\0");
        assert_eq!(
            Wanted::Templates.request(),
            *b"\x01\x07\0\x02\0\0\0\0\0\0\0"
        );
        assert_eq!(chunk_request(0xffc0, 0x9e4), *b"\xc0\xff\0\0\xe4\x09\0\0");
    }

    #[test]
    fn prepared_answers() {
        let size = b"\0\xa4\x09\x01\0\xa4\x09\x01\0\0\0\0\0";
        assert_eq!(
            Prepared::decode(&packet(2000, size)),
            Ok(Prepared::Size(68004))
        );
        assert_eq!(
            Prepared::decode(&packet(1501, b"body")),
            Ok(Prepared::Inline(b"body"))
        );
        assert_eq!(
            Prepared::decode(&packet(2000, b"")),
            Err(BulkError::NoSize { len: 0 })
        );
        assert_eq!(
            Prepared::decode(&packet(4989, b"")),
            Err(BulkError::Refused { code: 4989 })
        );
    }

    #[test]
    fn a_chunk_in_several_packets() {
        let mut chunk = Chunk::new();
        let part = |data: &'static [u8], last| Ok(Part { data, last });
        assert_eq!(
            chunk.take(&packet(1500, b"\x05\0\0\0\xf8\xff\0\0")),
            part(b"", false)
        );
        assert_eq!(chunk.take(&packet(1501, b"abc")), part(b"abc", false));
        assert_eq!(chunk.take(&packet(1501, b"de")), part(b"de", false));
        assert_eq!(chunk.take(&packet(2000, b"")), part(b"", true));
    }

    #[test]
    fn a_chunk_in_one_packet() {
        assert_eq!(
            Chunk::new().take(&packet(1501, b"abc")),
            Ok(Part {
                data: b"abc",
                last: true
            })
        );
    }

    #[test]
    fn too_few_and_too_many_bytes_are_errors() {
        let started = || {
            let mut chunk = Chunk::new();
            chunk.take(&packet(1500, b"\x05\0\0\0")).expect("a start");
            chunk
        };
        let mut short = started();
        short.take(&packet(1501, b"abc")).expect("a part");
        let length = |received| {
            Err(BulkError::Length {
                promised: 5,
                received,
            })
        };
        assert_eq!(short.take(&packet(2000, b"")), length(3));
        assert_eq!(started().take(&packet(1501, b"abcdef")), length(6));
        assert_eq!(
            started().take(&packet(2001, b"")),
            Err(BulkError::Refused { code: 2001 })
        );
        assert_eq!(
            Chunk::new().take(&packet(1500, b"\x05")),
            Err(BulkError::NoSize { len: 1 })
        );
    }

    #[test]
    fn only_a_datagram_with_data_is_a_part() {
        let part = |command, data: &'static [u8]| datagram_part(&packet(command, data), 3);
        assert_eq!(part(1500, b"\x03\0\0\0\x03\0\0\0"), Ok(None));
        assert_eq!(part(1501, b"abc"), Ok(Some(&b"abc"[..])));
        assert_eq!(part(1501, b"a"), Ok(Some(&b"a"[..])));
        assert_eq!(part(2000, b""), Ok(None));
        assert_eq!(part(2001, b""), Err(BulkError::Refused { code: 2001 }));
        let longer = Err(BulkError::Length {
            promised: 3,
            received: 4,
        });
        assert_eq!(part(1501, b"abcd"), longer);
        assert_eq!(part(1500, b"\x04\0\0\0"), longer);
    }
}

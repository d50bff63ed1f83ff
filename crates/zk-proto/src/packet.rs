//! Packets and their framing on TCP. A TCP connection is a stream of bytes: one read may hold half a packet or five.

use std::fmt;
use std::ops::Range;

/// What precedes every packet on TCP.
pub const MAGIC: [u8; 4] = [0x50, 0x50, 0x82, 0x7d];
/// Command, checksum, session id and reply id.
pub const HEADER_LEN: usize = 8;
const PREFIX_LEN: usize = 8;

/// The longest packet accepted, header included. The largest legal one seen is 65,544 bytes.
pub const MAX_PACKET_LEN: usize = 1 << 20;

/// The fixed part of a packet. In an event `session_id` is the event's code; in the reply that closes a bulk answer it may be
/// the size. It is therefore never a reason to refuse a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// The command of a request, the code of a reply, 500 in an event.
    pub command: u16,
    pub session_id: u16,
    /// Chosen by the client, echoed by the terminal; 0 in events.
    pub reply_id: u16,
}

/// One packet; `data` points into the buffer it was read from, or to what shall be sent.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Packet<'a> {
    pub header: Header,
    pub data: &'a [u8],
}

impl fmt::Debug for Packet<'_> {
    /// Length instead of content: a packet may carry a key or 64 kB of log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Packet")
            .field("header", &self.header)
            .field("data_len", &self.data.len())
            .finish()
    }
}

/// Why bytes are not a packet. After one of these the stream has no packet border left to continue from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// Another product family on the same port number.
    #[error("the answer begins with AA: this is an access panel, not an attendance terminal")]
    AccessPanel,
    #[error("a packet begins with {found:02x?} instead of 50 50 82 7d")]
    Magic { found: [u8; 4] },
    #[error("a packet announces {announced} bytes, fewer than its header has")]
    TooShort { announced: u32 },
    #[error("a packet announces {announced} bytes, more than the limit of {limit}")]
    TooLong { announced: u32, limit: u32 },
    #[error("a packet has checksum {found:#06x}, its bytes give {expected:#06x}")]
    Checksum { expected: u16, found: u16 },
}

impl<'a> Packet<'a> {
    /// Reads one packet without prefix, as a UDP datagram holds it. A datagram that is none is to be dropped, as if it were
    /// lost: unlike a stream it says nothing about what comes after it.
    ///
    /// # Errors
    /// `TooShort` below eight bytes, `Checksum` when the sum does not fit.
    pub fn decode(core: &'a [u8]) -> Result<Self, DecodeError> {
        let Some((head, data)) = core.split_first_chunk::<HEADER_LEN>() else {
            return Err(DecodeError::TooShort {
                announced: core.len() as u32,
            });
        };
        // Summed with its own field, a right packet gives zero; only a wrong one is worth a second sum for the message.
        if checksum(core) != 0 {
            let found = u16::from_le_bytes([head[2], head[3]]);
            let mut zeroed = core.to_vec();
            zeroed[2..4].fill(0);
            return Err(DecodeError::Checksum {
                expected: checksum(&zeroed),
                found,
            });
        }
        Ok(Self::split(head, data))
    }

    fn split(head: &[u8; HEADER_LEN], data: &'a [u8]) -> Self {
        let word = |at: usize| u16::from_le_bytes([head[at], head[at + 1]]);
        Self {
            header: Header {
                command: word(0),
                session_id: word(4),
                reply_id: word(6),
            },
            data,
        }
    }

    /// Appends the packet without prefix, as UDP sends it.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let start = out.len();
        out.extend_from_slice(&self.header.command.to_le_bytes());
        out.extend_from_slice(&[0, 0]);
        out.extend_from_slice(&self.header.session_id.to_le_bytes());
        out.extend_from_slice(&self.header.reply_id.to_le_bytes());
        out.extend_from_slice(self.data);
        let sum = checksum(&out[start..]);
        out[start + 2..start + 4].copy_from_slice(&sum.to_le_bytes());
    }

    /// Appends the packet with its prefix, as TCP sends it.
    pub fn encode_framed(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&MAGIC);
        out.extend_from_slice(&((HEADER_LEN + self.data.len()) as u32).to_le_bytes());
        self.encode(out);
    }
}

/// The Internet checksum over little-endian words, an odd last byte padded with zero.
///
/// Over a packet whose checksum field is zero it is the value to put there; over a complete packet it is 0. Common clients
/// compute it by another formula, modulo 65535 and with the previous reply id; the bytes are the same.
pub fn checksum(core: &[u8]) -> u16 {
    // Four bytes at a time: one's-complement addition does not care where the word borders are, as long as carries return. In
    // 64 bits a packet has no carries, so the compiler adds many words at once.
    let mut words = core.chunks_exact(4);
    let mut sum: u64 = (&mut words)
        .map(|word| u64::from(u32::from_le_bytes([word[0], word[1], word[2], word[3]])))
        .sum();
    let mut last = [0; 4];
    last[..words.remainder().len()].copy_from_slice(words.remainder());
    sum += u64::from(u32::from_le_bytes(last));
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

/// Bytes of a TCP connection in, whole packets out, however the bytes were cut.
#[derive(Debug, Default)]
pub struct PacketBuffer {
    buf: Vec<u8>,
    /// Where the first packet not yet handed out begins.
    start: usize,
    /// Length of that packet without prefix, once it is complete and its checksum verified.
    ready: Option<usize>,
}

impl PacketBuffer {
    pub fn new() -> Self {
        Self::default()
    }

    pub fn extend(&mut self, bytes: &[u8]) {
        self.reserve(bytes.len());
        self.buf.extend_from_slice(bytes);
    }

    /// Adds a packet that came by itself, in a datagram.
    pub fn put(&mut self, packet: &Packet<'_>) {
        self.reserve(PREFIX_LEN + HEADER_LEN + packet.data.len());
        packet.encode_framed(&mut self.buf);
    }

    /// The buffer itself, with room for what the current packet lacks (at least `at_least` bytes), so that a socket can be
    /// read into it without a copy. Only append to it.
    pub fn space(&mut self, at_least: usize) -> &mut Vec<u8> {
        let missing = match self.announced() {
            Some(len) if len <= MAX_PACKET_LEN => {
                (PREFIX_LEN + len).saturating_sub(self.pending().len())
            }
            _ => 0,
        };
        self.reserve(missing.max(at_least));
        &mut self.buf
    }

    /// Makes room, first by dropping what was handed out. Bytes move at most once: the rest of a packet moves to the front
    /// before more is added, and stays there.
    fn reserve(&mut self, more: usize) {
        if self.start > 0 {
            self.buf.copy_within(self.start.., 0);
            self.buf.truncate(self.buf.len() - self.start);
            self.start = 0;
        }
        self.buf.reserve(more);
    }

    fn pending(&self) -> &[u8] {
        &self.buf[self.start..]
    }

    fn announced(&self) -> Option<usize> {
        let prefix = self.pending().first_chunk::<PREFIX_LEN>()?;
        Some(u32::from_le_bytes([prefix[4], prefix[5], prefix[6], prefix[7]]) as usize)
    }

    /// The header of the next whole packet, which stays in the buffer; `None` when more bytes are needed.
    ///
    /// # Errors
    /// See [`DecodeError`]. The same error comes again at every further call.
    pub fn peek(&mut self) -> Result<Option<Header>, DecodeError> {
        if self.ready.is_none() {
            self.ready = self.complete()?;
        }
        Ok(self.ready.map(|len| self.packet_of(len).header))
    }

    /// The next whole packet; `None` when more bytes are needed.
    ///
    /// # Errors
    /// See [`DecodeError`]. The same error comes again at every further call.
    pub fn next_packet(&mut self) -> Result<Option<Packet<'_>>, DecodeError> {
        self.peek()?;
        let Some(len) = self.ready.take() else {
            return Ok(None);
        };
        let core_start = self.start + PREFIX_LEN;
        self.start = core_start + len;
        let core = &self.buf[core_start..core_start + len];
        let (head, data) = core
            .split_first_chunk::<HEADER_LEN>()
            .expect("a ready packet has a header");
        Ok(Some(Packet::split(head, data)))
    }

    /// The packet that [`Self::peek`] showed; it stays in the buffer.
    pub fn peeked(&self) -> Option<Packet<'_>> {
        self.ready.map(|len| self.packet_of(len))
    }

    /// Gives the packet that [`Self::peek`] showed away without copying it: `into` becomes the buffer it lies in, and the place
    /// of its data there is returned. What has come after it is copied instead.
    pub fn give_away(&mut self, into: &mut Vec<u8>) -> Option<Range<usize>> {
        let len = self.ready.take()?;
        let core = self.start + PREFIX_LEN;
        let data = core + HEADER_LEN..core + len;
        std::mem::swap(&mut self.buf, into);
        self.buf.clear();
        self.buf.extend_from_slice(&into[data.end..]);
        self.start = 0;
        Some(data)
    }

    /// Drops the packet that [`Self::peek`] showed.
    pub fn skip(&mut self) {
        if let Some(len) = self.ready.take() {
            self.start += PREFIX_LEN + len;
        }
    }

    fn packet_of(&self, len: usize) -> Packet<'_> {
        let core = &self.pending()[PREFIX_LEN..PREFIX_LEN + len];
        let (head, data) = core
            .split_first_chunk::<HEADER_LEN>()
            .expect("a ready packet has a header");
        Packet::split(head, data)
    }

    /// The length of the first packet if it is whole and right.
    fn complete(&self) -> Result<Option<usize>, DecodeError> {
        let pending = self.pending();
        // A wrong first byte is reported at once; waiting for eight of them could be waiting for ever.
        let seen = pending.len().min(MAGIC.len());
        if pending[..seen] != MAGIC[..seen] {
            if pending[0] == 0xaa {
                return Err(DecodeError::AccessPanel);
            }
            let mut found = [0; 4];
            found[..seen].copy_from_slice(&pending[..seen]);
            return Err(DecodeError::Magic { found });
        }
        let Some(len) = self.announced() else {
            return Ok(None);
        };
        if len > MAX_PACKET_LEN {
            return Err(DecodeError::TooLong {
                announced: len as u32,
                limit: MAX_PACKET_LEN as u32,
            });
        }
        if len < HEADER_LEN {
            return Err(DecodeError::TooShort {
                announced: len as u32,
            });
        }
        let Some(core) = pending.get(PREFIX_LEN..PREFIX_LEN + len) else {
            return Ok(None);
        };
        Packet::decode(core)?;
        Ok(Some(len))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::testdata::{hex, vectors};

    /// Every packet of the golden files is what its description says, and encodes to the same bytes.
    #[test]
    fn golden_packets() {
        let mut seen = 0;
        for vector in vectors(include_str!("../testdata/packets.txt")) {
            let [name, command, session, reply, data, frame] = vector.as_slice() else {
                panic!("a line of packets.txt has six fields: {vector:?}");
            };
            let (data, frame) = (hex(data), hex(frame));
            let number = |text: &str| text.parse::<u16>().expect("a number");
            let expected = Packet {
                header: Header {
                    command: number(command),
                    session_id: number(session),
                    reply_id: number(reply),
                },
                data: &data,
            };
            let mut buffer = PacketBuffer::new();
            buffer.extend(&frame);
            assert_eq!(buffer.next_packet(), Ok(Some(expected)), "{name}");
            assert_eq!(buffer.next_packet(), Ok(None), "{name}");
            let mut encoded = Vec::new();
            expected.encode_framed(&mut encoded);
            assert_eq!(encoded, frame, "{name}");
            seen += 1;
        }
        assert_eq!(seen, 69, "packets.txt is complete");
    }

    #[test]
    fn golden_datagrams() {
        let mut seen = 0;
        for vector in vectors(include_str!("../testdata/datagrams.txt")) {
            let [name, command, session, reply, data, datagram] = vector.as_slice() else {
                panic!("a line of datagrams.txt has six fields: {vector:?}");
            };
            let (data, datagram) = (hex(data), hex(datagram));
            let number = |text: &str| text.parse::<u16>().expect("a number");
            let expected = Packet {
                header: Header {
                    command: number(command),
                    session_id: number(session),
                    reply_id: number(reply),
                },
                data: &data,
            };
            assert_eq!(Packet::decode(&datagram), Ok(expected), "{name}");
            let mut encoded = Vec::new();
            expected.encode(&mut encoded);
            assert_eq!(encoded, datagram, "{name}");
            seen += 1;
        }
        assert_eq!(seen, 5);
    }

    #[test]
    fn a_damaged_datagram_is_refused() {
        let vectors = vectors(include_str!("../testdata/datagrams.txt"));
        let datagram = hex(&vectors[0][5]);
        for at in 0..datagram.len() {
            let mut damaged = datagram.clone();
            damaged[at] ^= 4;
            let decoded = Packet::decode(&damaged);
            assert!(
                matches!(decoded, Err(DecodeError::Checksum { .. })),
                "{at}: {decoded:?}"
            );
        }
        let cut = Packet::decode(&datagram[..7]);
        assert_eq!(cut, Err(DecodeError::TooShort { announced: 7 }));
    }

    #[test]
    fn checksum_example() {
        // "read option ~OS", worked out by hand in docs/devices/zkteco.md.
        assert_eq!(checksum(&hex("0b000000c5c005007e4f5300")), 0xef58);
    }

    #[test]
    fn wrong_beginnings_are_named_at_the_first_byte() {
        let error = |bytes: &[u8]| {
            let mut buffer = PacketBuffer::new();
            buffer.extend(bytes);
            buffer.next_packet().map(|packet| packet.is_some())
        };
        assert_eq!(error(b"\xaa"), Err(DecodeError::AccessPanel));
        assert_eq!(error(b"HTTP"), Err(DecodeError::Magic { found: *b"HTTP" }));
        assert_eq!(error(b"\x50\x50"), Ok(false));
        assert_eq!(
            error(b"\x50\x50\x82\x7d\x07\0\0\0"),
            Err(DecodeError::TooShort { announced: 7 })
        );
        assert_eq!(
            error(b"\x50\x50\x82\x7d\0\0\0\x80"),
            Err(DecodeError::TooLong {
                announced: 0x8000_0000,
                limit: MAX_PACKET_LEN as u32
            })
        );
    }

    #[test]
    fn a_damaged_packet_is_refused_and_stays_refused() {
        let mut frame = Vec::new();
        sample(b"1000").encode_framed(&mut frame);
        frame[17] ^= 1;
        let mut buffer = PacketBuffer::new();
        buffer.extend(&frame);
        let first = buffer.next_packet().map(|_| ());
        assert!(matches!(first, Err(DecodeError::Checksum { .. })));
        assert_eq!(buffer.next_packet().map(|_| ()), first);
    }

    proptest! {
        #[test]
        fn a_packet_given_away_is_the_one_that_comes_next(
            datas in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..50), 1..6),
            skipped in 0..5usize,
        ) {
            let mut bytes = Vec::new();
            for data in &datas {
                sample(data).encode_framed(&mut bytes);
            }
            let mut buffer = PacketBuffer::new();
            buffer.extend(&bytes);
            for (at, data) in datas.iter().enumerate() {
                prop_assert!(buffer.peek().expect("packets").is_some());
                let shown = buffer.peeked().map(|packet| packet.data.to_vec());
                prop_assert_eq!(shown.as_ref(), Some(data));
                if at == skipped {
                    let mut into = b"old".to_vec();
                    let place = buffer.give_away(&mut into).expect("a packet");
                    prop_assert_eq!(&into[place], &data[..]);
                } else {
                    buffer.skip();
                }
            }
            prop_assert_eq!(buffer.peek(), Ok(None));
            prop_assert_eq!(buffer.give_away(&mut Vec::new()), None);
        }
    }

    fn sample(data: &[u8]) -> Packet<'_> {
        Packet {
            header: Header {
                command: 2000,
                session_id: 0x4ab6,
                reply_id: 7,
            },
            data,
        }
    }

    fn plain_checksum(core: &[u8]) -> u16 {
        let mut sum: u32 = core
            .chunks(2)
            .map(|pair| u32::from(pair[0]) | u32::from(*pair.get(1).unwrap_or(&0)) << 8)
            .fold(0, |sum, word| {
                let sum = sum + word;
                (sum & 0xffff) + (sum >> 16)
            });
        sum = (sum & 0xffff) + (sum >> 16);
        !(sum as u16)
    }

    proptest! {
        #[test]
        fn any_split_gives_the_same_packets(
            bodies in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..300), 1..6),
            cuts in proptest::collection::vec(1usize..200, 1..40),
        ) {
            let mut stream = Vec::new();
            for body in &bodies {
                sample(body).encode_framed(&mut stream);
            }
            let mut buffer = PacketBuffer::new();
            let mut got = Vec::new();
            let mut rest = stream.as_slice();
            let mut cuts = cuts.iter().cycle();
            while !rest.is_empty() {
                let cut = (*cuts.next().expect("cycled")).min(rest.len());
                buffer.extend(&rest[..cut]);
                rest = &rest[cut..];
                while let Some(packet) = buffer.next_packet().expect("good packets") {
                    prop_assert_eq!(packet.header, sample(b"").header);
                    got.push(packet.data.to_vec());
                }
            }
            prop_assert_eq!(got, bodies);
        }

        #[test]
        fn fast_checksum_is_the_plain_one(core in proptest::collection::vec(any::<u8>(), 0..200)) {
            prop_assert_eq!(checksum(&core), plain_checksum(&core));
        }

        #[test]
        fn encode_then_decode_is_identity(
            command: u16, session_id: u16, reply_id: u16,
            data in proptest::collection::vec(any::<u8>(), 0..200),
        ) {
            let packet = Packet { header: Header { command, session_id, reply_id }, data: &data };
            let mut core = Vec::new();
            packet.encode(&mut core);
            prop_assert_eq!(Packet::decode(&core), Ok(packet));
        }

        #[test]
        fn no_input_panics(
            magic in any::<bool>(),
            bytes in proptest::collection::vec(any::<u8>(), 0..64),
        ) {
            let mut buffer = PacketBuffer::new();
            if magic {
                buffer.extend(&MAGIC);
            }
            for byte in &bytes {
                buffer.extend(&[*byte]);
                buffer.space(1);
                while let Ok(Some(_)) = buffer.next_packet() {}
            }
            let _ = Packet::decode(&bytes);
        }
    }
}

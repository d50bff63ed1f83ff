//! The terminal against the bytes of the protocol document: `V` and `C` numbers are its test vectors, `C` from real devices.

use std::time::Duration;

use jiff::civil::{DateTime, date};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::timeout;

use super::wire::{self, code};
use super::{
    Datagrams, EventLayout, Fault, Log, LogLayout, Reads, Record, Records, RunningTerminal,
    Template, Transports, User, UserLayout, UserTable, VirtualTerminal, stopped,
};

mod conversation;
mod documented;
mod faults;
mod fleet;
mod live;
mod state_faults;
mod udp;
mod writing;

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

/// What must happen, and would otherwise be waited for in vain.
async fn within<T>(future: impl Future<Output = T>) -> T {
    let ended = timeout(Duration::from_secs(10), future).await;
    ended.expect("something within ten seconds")
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

impl Frame {
    fn of(packet: &[u8]) -> Self {
        assert_eq!(wire::checksum(packet), 0, "checksum of {}", to_hex(packet));
        Self {
            command: wire::u16_at(packet, 0),
            session: wire::u16_at(packet, 4),
            reply_id: wire::u16_at(packet, 6),
            data: packet[8..].to_vec(),
        }
    }
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
        within(self.0.read_exact(&mut received)).await.unwrap();
        assert_eq!(to_hex(&received), to_hex(&expected));
    }

    async fn send(&mut self, command: u16, session: u16, reply_id: u16, data: &[u8]) {
        let mut bytes = Vec::new();
        wire::push_frame(&mut bytes, command, session, reply_id, &[data]);
        self.0.write_all(&bytes).await.unwrap();
    }

    async fn frame(&mut self) -> Frame {
        within(self.try_frame()).await.expect("a whole frame")
    }

    async fn try_frame(&mut self) -> std::io::Result<Frame> {
        let mut head = [0; 8];
        self.0.read_exact(&mut head).await?;
        assert_eq!(head[..4], wire::MAGIC);
        let mut packet = vec![0; wire::u32_at(&head, 4) as usize];
        self.0.read_exact(&mut packet).await?;
        Ok(Frame::of(&packet))
    }

    async fn ask(&mut self, command: u16, session: u16, reply_id: u16, data: &[u8]) -> Frame {
        self.send(command, session, reply_id, data).await;
        self.frame().await
    }

    /// Bytes until the terminal closes.
    async fn rest(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        within(self.0.read_to_end(&mut bytes)).await.unwrap();
        bytes
    }

    async fn stays_silent(&mut self) {
        let mut byte = [0];
        let read = timeout(Duration::from_millis(50), self.0.read(&mut byte)).await;
        assert!(read.is_err(), "expected silence, got {read:?}");
    }
}

/// The same over UDP.
struct RawUdp(UdpSocket);

impl RawUdp {
    async fn to(terminal: &RunningTerminal) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let addr = terminal.udp_addr().expect("it talks over UDP");
        socket.connect(addr).await.unwrap();
        Self(socket)
    }

    async fn connected(terminal: &RunningTerminal) -> (Self, u16) {
        let raw = Self::to(terminal).await;
        let reply = raw.ask(code::CONNECT, 0, 0, &[]).await;
        assert_eq!(reply.command, code::ACK_OK);
        (raw, reply.session)
    }

    async fn expect(&self, request: &str, answer: &str) {
        self.0.send(&hex(request)).await.unwrap();
        assert_eq!(to_hex(&self.datagram().await), to_hex(&hex(answer)));
    }

    async fn send(&self, command: u16, session: u16, reply_id: u16, data: &[u8]) {
        let mut bytes = Vec::new();
        wire::push_frame(&mut bytes, command, session, reply_id, &[data]);
        self.0.send(&bytes[8..]).await.unwrap();
    }

    async fn datagram(&self) -> Vec<u8> {
        let mut buffer = vec![0; 65_536];
        let received = within(self.0.recv(&mut buffer)).await;
        buffer.truncate(received.unwrap());
        buffer
    }

    async fn packet(&self) -> Frame {
        Frame::of(&self.datagram().await)
    }

    async fn ask(&self, command: u16, session: u16, reply_id: u16, data: &[u8]) -> Frame {
        self.send(command, session, reply_id, data).await;
        self.packet().await
    }

    async fn stays_silent(&self) {
        let mut byte = [0];
        let read = timeout(Duration::from_millis(50), self.0.recv(&mut byte)).await;
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

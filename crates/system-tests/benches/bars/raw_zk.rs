//! The floor of everything that reads ZKTeco terminals: the conversation of the driver, written from `docs/devices/zkteco.md`
//! and nothing else, by somebody who does not look at what comes.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::ops::Range;

/// What the driver sends to read a log of so many records of 40 bytes; the answers are thrown away.
pub fn throw_log_away(address: SocketAddr, records: u32) -> io::Result<()> {
    let mut terminal = Raw::introduce(address)?;
    terminal.clock_and_counters()?;
    terminal.log(records)?;
    terminal.exit()
}

/// What a first poll sends: the people, in 72 bytes each, and then the log.
pub fn throw_poll_away(address: SocketAddr, people: u32, records: u32) -> io::Result<()> {
    let mut terminal = Raw::introduce(address)?;
    terminal.clock_and_counters()?;
    terminal.prepared(9, 5, 4 + 72 * people)?;
    terminal.log(records)?;
    terminal.exit()
}

/// What a poll sends that finds nothing new in a log of so many records of 40 bytes: it looks at the last one.
pub fn throw_nothing_new_away(address: SocketAddr, records: u32) -> io::Result<()> {
    let mut terminal = Raw::introduce(address)?;
    terminal.clock_and_counters()?;
    let size = 4 + 40 * records;
    terminal.part(13, 0, size - 40..size)?;
    terminal.exit()
}

/// A connection that knows just enough of the protocol to see where answers end.
struct Raw {
    answers: BufReader<TcpStream>,
    session: u16,
    reply: u16,
}

impl Raw {
    fn connect(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        let answers = BufReader::with_capacity(256 * 1024, stream);
        Ok(Self {
            answers,
            session: 0,
            reply: 0,
        })
    }

    /// Connects and asks who it is.
    fn introduce(address: SocketAddr) -> io::Result<Self> {
        let mut terminal = Self::connect(address)?;
        terminal.command(1000, &[])?; // connect; the answer gives the session
        terminal.command(11, b"~SerialNumber\0")?;
        terminal.command(11, b"~DeviceName\0")?;
        terminal.command(1100, &[])?; // firmware
        terminal.command(50, &[])?; // counters
        Ok(terminal)
    }

    fn clock_and_counters(&mut self) -> io::Result<()> {
        self.command(201, &[])?;
        self.command(50, &[])?;
        Ok(())
    }

    fn log(&mut self, records: u32) -> io::Result<()> {
        self.prepared(13, 0, 4 + 40 * records)
    }

    /// Has a large answer prepared, fetches its parts and lets it be forgotten.
    fn prepared(&mut self, command: u8, kind: u8, size: u32) -> io::Result<()> {
        self.part(command, kind, 0..size)
    }

    /// The same for some of its bytes.
    fn part(&mut self, command: u8, kind: u8, bytes: Range<u32>) -> io::Result<()> {
        self.command(1503, &[1, command, 0, kind, 0, 0, 0, 0, 0, 0, 0])?;
        for offset in bytes.clone().step_by(0xffc0) {
            let length = 0xffc0.min(bytes.end - offset);
            let request = [offset.to_le_bytes(), length.to_le_bytes()].concat();
            // Announcement, data in parts, acknowledgement.
            let mut answer = self.command(1504, &request)?;
            while answer != 2000 {
                answer = self.skip_packet()?;
            }
        }
        self.command(1502, &[])?;
        Ok(())
    }

    fn exit(mut self) -> io::Result<()> {
        self.command(1001, &[]).map(drop)
    }

    /// Sends a command and throws the first packet of its answer away, but for its code.
    fn command(&mut self, command: u16, data: &[u8]) -> io::Result<u16> {
        let mut packet = [command, 0, self.session, self.reply]
            .map(u16::to_le_bytes)
            .concat();
        packet.extend_from_slice(data);
        let sum = packet
            .chunks(2)
            .map(|word| u32::from(word[0]) | u32::from(*word.get(1).unwrap_or(&0)) << 8)
            .sum::<u32>();
        let sum = !((sum & 0xffff) + (sum >> 16)) as u16;
        packet[2..4].copy_from_slice(&sum.to_le_bytes());
        self.reply += 1;
        let mut frame = vec![0x50, 0x50, 0x82, 0x7d];
        frame.extend_from_slice(&(packet.len() as u32).to_le_bytes());
        frame.append(&mut packet);
        self.answers.get_mut().write_all(&frame)?;
        self.skip_packet()
    }

    /// Throws one packet away, but for its code.
    fn skip_packet(&mut self) -> io::Result<u16> {
        let mut head = [0; 16];
        self.answers.read_exact(&mut head)?;
        let mut length = u32::from_le_bytes([head[4], head[5], head[6], head[7]]) as usize - 8;
        if self.session == 0 {
            self.session = u16::from_le_bytes([head[12], head[13]]);
        }
        while length > 0 {
            let there = self.answers.fill_buf()?.len().min(length);
            if there == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            self.answers.consume(there);
            length -= there;
        }
        Ok(u16::from_le_bytes([head[8], head[9]]))
    }
}

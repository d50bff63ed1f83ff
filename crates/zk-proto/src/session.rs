//! One conversation: numbers requests and sorts what arrives. At most one request is outstanding.

use crate::command;
use crate::packet::{Header, Packet};
use crate::reply;

/// What a packet from the terminal is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Incoming {
    /// Part of the answer to the outstanding request.
    Reply,
    /// Something happened at the terminal; `code` says what. Every event is to be acknowledged, also one nobody asked for.
    Event { code: u16 },
    /// The rest of an answer to an earlier request: to be dropped.
    Stale,
}

/// Session id and reply counter of one connection.
#[derive(Clone, Debug, Default)]
pub struct Session {
    id: u16,
    next_reply_id: u16,
    outstanding: u16,
}

impl Session {
    /// Requests carry session 0 until the terminal has given another.
    pub fn new() -> Self {
        Self::default()
    }

    /// The session id of the reply to CONNECT, whatever its code. Every later request carries it, AUTH included.
    pub fn opened(&mut self, session_id: u16) {
        self.id = session_id;
    }

    pub fn id(&self) -> u16 {
        self.id
    }

    /// The next request; from now on only its answer is a [`Incoming::Reply`].
    ///
    /// The counter runs from 0 to 65534. One client lineage uses 65535 too, the others never do.
    pub fn request<'a>(&mut self, command: u16, data: &'a [u8]) -> Packet<'a> {
        self.outstanding = self.next_reply_id;
        self.next_reply_id = (self.next_reply_id + 1) % u16::MAX;
        Packet {
            header: Header {
                command,
                session_id: self.id,
                reply_id: self.outstanding,
            },
            data,
        }
    }

    /// Sorts by command and reply id. The session id is no criterion: DATA packets come with 0 in it, the closing ACK with
    /// the size, events with their code.
    pub fn sort(&self, header: Header) -> Incoming {
        if header.command == command::REG_EVENT {
            Incoming::Event {
                code: header.session_id,
            }
        } else if header.reply_id == self.outstanding {
            Incoming::Reply
        } else {
            Incoming::Stale
        }
    }

    /// The answer to every event. It does not advance the counter, and the terminal does not reply to it.
    pub fn acknowledgement(&self) -> Packet<'static> {
        Packet {
            header: Header {
                command: reply::ACK_OK,
                session_id: self.id,
                reply_id: 0,
            },
            data: &[],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_numbered_from_zero_and_skip_65535() {
        let mut session = Session::new();
        assert_eq!(session.request(1000, b"").header.reply_id, 0);
        session.opened(0x4ab6);
        for expected in 1..65535 {
            let header = session.request(50, b"").header;
            assert_eq!((header.reply_id, header.session_id), (expected, 0x4ab6));
        }
        assert_eq!(session.request(50, b"").header.reply_id, 0);
    }

    #[test]
    fn only_the_answer_to_the_outstanding_request_is_a_reply() {
        let mut session = Session::new();
        session.request(1000, b"");
        session.request(11, b"");
        let header = |command, session_id, reply_id| Header {
            command,
            session_id,
            reply_id,
        };
        assert_eq!(session.sort(header(2000, 99, 1)), Incoming::Reply);
        assert_eq!(session.sort(header(1501, 0, 1)), Incoming::Reply);
        assert_eq!(session.sort(header(2000, 99, 0)), Incoming::Stale);
        assert_eq!(session.sort(header(500, 1, 0)), Incoming::Event { code: 1 });
    }
}

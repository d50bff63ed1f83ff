//! A command together with its data, and the answer to one that is either done or refused.

use std::fmt;

use crate::packet::Packet;
use crate::reply::{self, Refusal};
use crate::session::Session;

/// What to send. [`Request::packet`] numbers it; a driver sends the next one only when this one is answered.
#[derive(Clone, PartialEq, Eq)]
pub struct Request {
    pub command: u16,
    pub data: Vec<u8>,
}

impl fmt::Debug for Request {
    /// Length instead of content: it may be a password or a fingerprint.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("command", &self.command)
            .field("data_len", &self.data.len())
            .finish()
    }
}

impl Request {
    pub fn new(command: u16, data: impl Into<Vec<u8>>) -> Self {
        Self {
            command,
            data: data.into(),
        }
    }

    /// The packet of this request, the outstanding one from now on.
    pub fn packet<'a>(&'a self, session: &mut Session) -> Packet<'a> {
        session.request(self.command, &self.data)
    }

    /// The data of the answer, which is empty for most commands that change something.
    ///
    /// # Errors
    /// Any code but 2000.
    pub fn answer<'a>(&self, packet: &Packet<'a>) -> Result<&'a [u8], Refusal> {
        match packet.header.command {
            reply::ACK_OK => Ok(packet.data),
            code => Err(Refusal {
                command: self.command,
                code,
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packet::Header;

    #[test]
    fn an_answer_is_data_or_a_refusal() {
        let request = Request::new(18, [14, 0]);
        let answer = |command, data| {
            request.answer(&Packet {
                header: Header {
                    command,
                    session_id: 0,
                    reply_id: 0,
                },
                data,
            })
        };
        assert_eq!(answer(2000, b"x"), Ok(&b"x"[..]));
        let refusal = Refusal {
            command: 18,
            code: 2001,
        };
        assert_eq!(answer(2001, b"x"), Err(refusal));
    }

    #[test]
    fn content_is_not_shown() {
        let shown = format!("{:?}", Request::new(8, *b"secret"));
        assert_eq!(shown, "Request { command: 8, data_len: 6 }");
    }
}

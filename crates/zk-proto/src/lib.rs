//! ZKTeco stand-alone terminals, the port 4370 protocol and, in [`push`], the protocol of terminals that call: bytes to values and
//! back.
//!
//! Owns packets, commands and record layouts. Knows no socket, no clock and no database: a driver feeds bytes in and takes
//! values out, so everything here works the same over TCP, over UDP and in a test. Facts and their sources:
//! `docs/devices/zkteco.md`, `docs/devices/zkteco-push.md`.

pub mod attlog;
pub mod bulk;
pub mod clock;
pub mod command;
pub mod control;
pub mod counters;
pub mod event;
pub mod key;
pub mod options;
pub mod packet;
pub mod push;
pub mod reply;
pub mod request;
pub mod session;
pub mod templates;
pub mod text;
pub mod upload;
pub mod users;

pub use attlog::{Entry, Layout, LogDecoder, LogError, LogHints, LogSummary, Record, Rejection};
pub use counters::Counters;
pub use event::Event;
pub use packet::{DecodeError, Header, Packet, PacketBuffer};
pub use reply::{Condition, Refusal};
pub use request::Request;
pub use session::{Incoming, Session};
pub use templates::Template;
pub use users::{FieldError, Uid, User, UserIndex, UserLayout, UserListError, UserRecord};

/// The port of every terminal that was not given another one, TCP and UDP.
pub const DEFAULT_PORT: u16 = 4370;

#[cfg(test)]
mod golden;
#[cfg(test)]
mod testdata;

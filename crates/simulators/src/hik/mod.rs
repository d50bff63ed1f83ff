//! A virtual Hikvision terminal: ISAPI over HTTP with digest authentication, an event log, people, and faults.
//!
//! [`VirtualTerminal`] says what the terminal is, [`RunningTerminal`] is it on a port: events and faults come and go
//! while it runs, and it counts what it was asked. Time is the [`Clock`] it is given; it never reads the system's.
//! Reading only; the live stream, push, discovery, TLS and writing people are not here.
//!
//! ```
//! use jiff::{Zoned, civil::date};
//! use simulators::hik::{Event, Fault, Login, User, VirtualTerminal, stopped};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let noon: Zoned = "2026-03-02T12:00:00+01:00[Europe/Berlin]".parse()?;
//! let terminal = VirtualTerminal::new("GB9637211", Login::new("operator", "Abc12345"), stopped(noon))
//!     .users([User::new("1042", "Aziza K.").card("0012345678")])
//!     .events([Event::face("1042", date(2026, 3, 2).at(8, 58, 30, 0))])
//!     .noise(3)
//!     .start("127.0.0.1:0")
//!     .await?;
//! assert_eq!(terminal.serial_number(), "DS-K1T342MFX-E120250307V043800ENGB9637211");
//!
//! // http://{terminal.addr()}/ISAPI/… now answers. While it runs:
//! terminal.punch("1042", date(2026, 3, 2).at(12, 0, 10, 0));
//! terminal.set_fault(Fault::CutMidBody.on("/ISAPI/AccessControl/AcsEvent").after(1).times(1));
//! terminal.clear_faults();
//! assert_eq!(terminal.counts().requests, 0);
//! # Ok(())
//! # }
//! ```

mod builder;
mod cards;
mod clock;
mod door;
mod faces;
mod fault;
mod hosts;
mod http;
mod isapi;
mod json;
mod log;
mod notice;
mod people;
mod push;
mod refusal;
mod rights;
mod running;
mod sadp;
mod search;
mod server;
mod sign_in;
mod stream;
#[cfg(test)]
mod tests;
mod time;
mod tls;
mod xml;

pub use builder::VirtualTerminal;
pub use clock::{Clock, Moment, TimeNotation, ZoneNotation, stopped};
pub use fault::{Fault, FaultRule, UnknownFault};
pub use hosts::HttpHost;
pub use isapi::OverCap;
pub use log::{Event, User};
pub use notice::{EventForm, Heartbeat, Pictures};
pub use push::{AfterReboot, Push};
pub use rights::Right;
pub use running::{Asked, Counts, RunningTerminal};
pub use sadp::{Answers, Inquiries, SADP_GROUP, SADP_PORT, Sadp};
pub use sign_in::{ChallengeForm, LockOut, LockedAnswer, Login, Nonces, Offer};
pub use stream::{Replays, Stream, Subscriptions};
pub use tls::Certificate;

//! A virtual Hikvision terminal: the device side of ISAPI, over HTTP or HTTPS, with scripted faults.
//!
//! [`VirtualTerminal`] says what the terminal is, [`RunningTerminal`] is it on a port: events, people and faults come and
//! go while it runs, and it counts what it was asked. Time is the [`Clock`] it is given; it never reads the system's, but
//! heartbeats and pauses pass in real time. It signs in by digest and locks out, is searched, streams its events, sends
//! them to servers, has people, cards, faces and a door changed, and is found over SADP.
//!
//! Written from the vendor's manuals and from captures, not from our protocol crate. Not here: fingerprints, the vendor's
//! SDK port, ISUP, week plans and attendance rules, the upload controls of servers, and servers that are called by HTTPS.
//!
//! Thousands fit on one runtime, as those of [`VirtualTerminal::start_fleet`] share log, people and certificate until one
//! of them changes its own: an idle terminal takes about ten kilobytes and an idle stream as much again.
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
mod habit;
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
pub use habit::{Habit, UnknownHabit};
pub use hosts::HttpHost;
pub use isapi::OverCap;
pub use log::{Event, User};
pub use notice::{EventForm, Heartbeat, Pictures};
pub use push::{AfterReboot, Push};
pub use rights::Right;
pub use running::{Asked, Counts, RunningTerminal};
pub use sadp::{Answers, Inquiries, SADP_GROUP, SADP_PORT, Sadp};
pub use sign_in::{
    ChallengeForm, LockOut, LockedAnswer, Login, Nonces, Offer, RefusedAnswer, Staleness,
};
pub use stream::{Replays, Stream, Subscriptions};
pub use tls::Certificate;

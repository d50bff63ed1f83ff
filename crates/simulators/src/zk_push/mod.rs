//! Virtual ZKTeco terminals that call the server over HTTP ("ADMS", "iclock"): attendance terminals of several generations,
//! and access-control terminals with their own registration.
//!
//! [`VirtualTerminal`] says what the terminal is, [`RunningTerminal`] is it: it fetches its settings, polls for commands and
//! delivers its log until it is dropped. Its log knows which records the server has acknowledged, which is the measure for
//! what the server must have. Time is the [`Clock`] it is given; the intervals the server sets can be shortened.
//! [`Storm`] and [`SlowWriters`] are load without a terminal behind it.
//!
//! ```no_run
//! use jiff::civil::date;
//! use simulators::zk_push::{Fault, Profile, Server, User, VirtualTerminal, stopped};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let server: Server = "http://127.0.0.1:8081/secret".parse()?;
//! let terminal = VirtualTerminal::new("BOCK200961014", Profile::V24)
//!     .clock(stopped(date(2026, 11, 23).at(8, 58, 30, 0)))
//!     .users([User::new("1000").named("Ana").admin(), User::new("1001").named("Ben")])
//!     .time_scale(100)
//!     .start(server);
//!
//! // Ben arrives. The answer to the first upload is lost, so the terminal sends it again.
//! terminal.set_fault(Fault::CutAnswer);
//! terminal.punch("1001", 0, 15);
//! terminal.until_acknowledged(1).await;
//! assert_eq!(terminal.counts().uploads, 2);
//! # Ok(())
//! # }
//! ```

mod access;
mod builder;
mod clock;
mod commands;
mod conversation;
mod device;
mod event;
mod fault;
mod http;
mod lines;
mod load;
mod log;
mod network;
mod options;
mod profile;
mod running;
mod server;
#[cfg(test)]
mod tests;
mod users;

pub use self::builder::VirtualTerminal;
pub use self::clock::{Clock, pack_clock, stopped};
pub use self::device::{Counts, Executed};
pub use self::event::{Event, Observer};
pub use self::fault::{Fault, UnknownFault};
pub use self::load::{SlowWriters, Storm, Weathered};
pub use self::log::{Logged, Punch, history};
pub use self::profile::{Profile, UnknownProfile};
pub use self::running::RunningTerminal;
pub use self::server::{NoServer, Server};
pub use self::users::User;

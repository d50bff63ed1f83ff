//! Virtual ZKTeco terminals: the device side of the binary protocol of port 4370, over TCP and UDP.
//!
//! [`VirtualTerminal`] says what the terminal is, [`RunningTerminal`] is it on a port: people, punches and faults come and
//! go while it runs, and it counts what it was asked. Time is the [`Clock`] it is given; it never reads the system's.
//! What clients write, and which live events they acknowledge, can be looked at from outside. It keeps no operation log,
//! enrols nobody by itself, and only acknowledges a command to switch off.
//!
//! Thousands fit on one runtime: each takes one socket a transport, and terminals made with the same [`Log`] and
//! [`UserTable`] share the bytes, as those of [`VirtualTerminal::start_fleet`] do. A log of [`Log::generated`] is made when
//! it is first read.
//!
//! ```
//! use jiff::civil::date;
//! use simulators::zk::{Fault, LogLayout, Record, User, VirtualTerminal, stopped};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> std::io::Result<()> {
//! let morning = date(2026, 11, 23).at(8, 58, 30, 0);
//! let terminal = VirtualTerminal::new("A8N5201160001")
//!     .comm_key(123456)
//!     .clock(stopped(morning))
//!     .users([User::new(1, "1000").named("Ana").admin(), User::new(2, "1001").named("Ben")])
//!     .log_layout(LogLayout::FortyNine)
//!     .records([Record::new(1, "1000", morning, 0, 15)])
//!     .start("127.0.0.1:0")
//!     .await?;
//!
//! // A driver reads `terminal.addr()`; meanwhile Ben arrives, and then the network breaks.
//! assert!(terminal.punch("1001", date(2026, 11, 23).at(9, 2, 0, 0), 0, 1));
//! terminal.set_fault(Fault::CutLog(60));
//! assert_eq!(terminal.record_count(), 2);
//! assert_eq!(terminal.counts().disables, 0);
//! # Ok(())
//! # }
//! ```

mod answers;
mod builder;
mod bulk;
mod counts;
mod device;
mod fault;
mod fleet;
mod live;
mod log;
mod network;
mod reply;
mod running;
mod seat;
mod server;
mod street;
mod tcp;
mod templates;
#[cfg(test)]
mod tests;
mod udp;
mod users;
mod wire;
mod writing;

use std::sync::Arc;

use jiff::civil::DateTime;

pub use self::builder::VirtualTerminal;
pub use self::counts::Counts;
pub use self::device::Reads;
pub use self::fault::{Fault, UnknownFault};
pub use self::live::EventLayout;
pub use self::log::{Log, LogLayout, Record, Records};
pub use self::network::Datagrams;
pub use self::running::RunningTerminal;
pub use self::server::Transports;
pub use self::street::Street;
pub use self::templates::Template;
pub use self::users::{User, UserId, UserLayout, UserTable};

/// The wall clock of a terminal: local time without zone, for it sends none.
pub type Clock = Arc<dyn Fn() -> DateTime + Send + Sync>;

/// A clock that always shows the same time.
pub fn stopped(at: DateTime) -> Clock {
    Arc::new(move || at)
}

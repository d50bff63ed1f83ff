//! What a terminal tells about itself while it runs.

use std::fmt;
use std::sync::Arc;

/// Something that happened to a terminal. [`Display`](fmt::Display) is one line for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// It has its settings.
    Connected {
        /// How many the server sent.
        options: usize,
    },
    /// It got an answer without settings: it polls, and uploads nothing until it restarts.
    PollsOnly,
    /// The server gave it this registration code.
    Registered {
        /// The code.
        code: String,
    },
    /// The server has these lines.
    Acknowledged {
        /// `ATTLOG`, `OPERLOG`, `rtlog` and so on.
        table: String,
        /// How many.
        lines: usize,
    },
    /// Nothing came of a request; it will be repeated.
    Failed {
        /// What was asked, for example `upload of 3 ATTLOG lines`.
        what: String,
        /// Status, answer or error.
        why: String,
    },
    /// A command was carried out.
    Executed {
        /// Its id.
        id: String,
        /// What it was.
        command: String,
        /// What was reported.
        code: i64,
    },
    /// The clock was set, and shows this now.
    ClockSet(jiff::civil::DateTime),
    /// It restarts.
    Restarts,
}

/// Who is told; the first argument is the serial number.
pub type Observer = Arc<dyn Fn(&str, &Event) + Send + Sync>;

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connected { options } => write!(f, "connected, {options} settings"),
            Self::PollsOnly => {
                f.write_str("the server sent no settings: polls only, until it restarts")
            }
            Self::Registered { code } => write!(f, "registered as {code}"),
            Self::Acknowledged { table, lines: 1 } => write!(f, "1 line of {table} acknowledged"),
            Self::Acknowledged { table, lines } => {
                write!(f, "{lines} lines of {table} acknowledged")
            }
            Self::Failed { what, why } => write!(f, "{what}: {why}; will be repeated"),
            Self::Executed { id, command, code } => {
                write!(f, "command {id}, {command}: {code}")
            }
            Self::ClockSet(clock) => write!(f, "clock set to {}", super::clock::text(*clock)),
            Self::Restarts => f.write_str("restarts"),
        }
    }
}

//! PUSH ("ADMS", "iclock"): terminals that call the server over HTTP. Requests and bodies to values, values to answers.
//!
//! Knows no HTTP library, no clock and no device: the server hands in targets and bodies and sends what it gets. Everything is
//! total and lenient, and takes linear time. Facts and their sources: `docs/devices/zkteco-push.md`.

pub mod attlog;
pub mod body;
pub mod command;
pub mod hello;
pub mod operlog;
pub mod options;
pub mod photo;
pub mod request;
pub mod result;
pub mod security;
pub mod text;
pub mod time;

pub use body::{BadLine, Reason};
pub use command::{Command, CommandError, Dialect};
pub use hello::{Family, Hello, Version};
pub use options::{Info, OptionBlock, Parameters};
pub use request::{Endpoint, Query, Route, SerialNumber, Upload};

/// The answer to everything that needs no other.
pub const OK: &str = "OK";

/// The answer to an upload whose `count` lines were all taken care of: stored, known already, or parked. Never less than what came, or
/// strict firmware sends the batch for ever.
pub fn counted(count: usize) -> String {
    format!("OK: {count}")
}

#[cfg(test)]
mod golden;

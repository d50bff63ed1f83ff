//! Connections to terminals: one driver per brand behind one closed set.
//!
//! Owns sockets, deadlines and the order of the conversation. Bytes are turned into values by the protocol crates; what is
//! read is given to the caller, who stores it. Nothing here decides whose punch it is.

mod arming;
mod deadline;
pub mod discover;
pub mod doctor;
mod error;
mod hik;
mod reading;
mod steps;
mod subnet;
mod target;
mod terminal;
mod tls;
mod writing;
mod zk;

pub use arming::{Armed, CallHere, Told};
pub use deadline::Deadline;
pub use error::{Lacking, Retry, Step, TerminalError};
pub use hik::{HikLimits, HikTerminal};
pub use hik_proto::Condition;
pub use reading::{
    DeviceUser, Identity, Live, ParkedRecord, Picture, ReadPosition, Reading, log_fullness,
};
pub use steps::OnStep;
pub use subnet::{Subnet, SubnetError};
pub use target::{Credentials, DeviceKind, Target, Transport, same_serial};
pub use terminal::{ClockSet, Terminal, read};
pub use tls::{CertificatePin, CertificateTrust, NoPin};
pub use writing::{
    Effect, FingerKind, Fingerprint, Fingerprints, Limit, Privilege, UserChange, UserDetails,
    WriteError, Written,
};
pub use zk::{LogRead, ZkTerminal};
pub use zk_proto::control::DoorUnit;

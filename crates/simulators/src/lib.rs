//! Virtual terminals: the device side of each protocol, with scripted faults, for tests, the demo and integrators.
//!
//! Built from the protocol documents alone. They share no code with the protocol crates, so that one misreading cannot
//! hide on both sides.

pub mod hik;
pub mod zk;
pub mod zk_push;

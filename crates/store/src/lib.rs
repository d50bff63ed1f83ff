//! Everything that is kept: schema, entities, queries. The only crate with SQL in it.
//!
//! Owns transactions and what is unique; decides nothing about attendance. Times are arguments: application time and the
//! real time of leases alike.

pub mod accounts;
pub mod audit;
pub mod calendar;
pub mod call_places;
pub mod calls;
pub mod clock_shifts;
pub mod clocks;
pub mod commands;
pub mod corrections;
pub mod coverage;
mod database;
pub mod declarations;
pub mod devices;
pub mod entities;
mod error;
pub mod evidence;
pub mod failures;
pub mod files;
pub mod fingerprints;
pub mod held;
pub mod identity;
pub mod kept_uploads;
pub mod locating;
pub mod marks;
mod migrations;
pub mod parked;
pub mod payroll;
pub mod people;
pub mod periods;
pub mod planning_files;
pub mod policies;
pub mod polling;
pub mod punches;
pub mod reports;
pub mod requests;
pub mod roster;
pub mod secrets;
mod settings;
pub mod sign_in_links;
pub mod sql;
#[cfg(any(test, feature = "test-support"))]
pub mod testing;
pub mod times;
mod transaction;
pub mod views;

pub use audit::Author;
pub use database::{ForeignWrites, ReadTx, Store, WriteTx};
pub use error::StoreError;
pub use marks::Whose;

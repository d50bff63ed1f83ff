//! Read queries of the pages: what a page shows, in one or two queries, never more rows than it needs.
//!
//! Everything here is read only and takes the time as an argument. Days are text `YYYY-MM-DD`, as they are stored.

pub mod accounts;
pub mod board;
pub mod clocks;
pub mod closing;
pub mod day;
pub mod devices;
pub mod exceptions;
pub mod inbox;
pub mod people;
pub mod planning;
pub mod requests;
pub mod roll_calls;
pub mod sheet;
pub mod team;
pub mod why;

#[cfg(test)]
mod tests;

//! Command numbers, in the words of the vendor's manual where it has one.

/// One option by name; see [`crate::options`].
pub const OPTIONS_RRQ: u16 = 11;
/// The attendance log. Only ever asked for inside [`PREPARE_BUFFER`]: sent by itself, colour terminals answer with
/// unrelated memory.
pub const ATTLOG_RRQ: u16 = 13;
/// Users and templates, likewise inside [`PREPARE_BUFFER`].
pub const USERTEMP_RRQ: u16 = 9;
/// Counters and capacities; see [`crate::counters`].
pub const GET_FREE_SIZES: u16 = 50;
pub const GET_TIME: u16 = 201;
/// From the client: register for events. From the terminal: an event.
pub const REG_EVENT: u16 = 500;
pub const CONNECT: u16 = 1000;
pub const EXIT: u16 = 1001;
/// Firmware version as text.
pub const GET_VERSION: u16 = 1100;
/// The scrambled comm key; see [`crate::key`].
pub const AUTH: u16 = 1102;
/// Forget the prepared answer.
pub const FREE_DATA: u16 = 1502;
/// Prepare a large answer; see [`crate::bulk`].
pub const PREPARE_BUFFER: u16 = 1503;
/// Send a part of the prepared answer.
pub const READ_BUFFER: u16 = 1504;

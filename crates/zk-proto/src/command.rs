//! Command numbers, in the words of the vendor's manual where it has one.

/// Inside [`PREPARE_BUFFER`]: everything of one kind, here all fingerprint templates.
pub const DB_RRQ: u16 = 7;
/// Write a user; see [`crate::users::UserRecord`].
pub const USER_WRQ: u16 = 8;
/// Users and templates. Users are only asked for inside [`PREPARE_BUFFER`].
pub const USERTEMP_RRQ: u16 = 9;
/// One option by name; see [`crate::options`].
pub const OPTIONS_RRQ: u16 = 11;
pub const OPTIONS_WRQ: u16 = 12;
/// The attendance log. Only ever asked for inside [`PREPARE_BUFFER`]: sent by itself, colour terminals answer with
/// unrelated memory.
pub const ATTLOG_RRQ: u16 = 13;
/// Delete the whole attendance log. There is no deleting a part of it.
pub const CLEAR_ATTLOG: u16 = 15;
pub const DELETE_USER: u16 = 18;
/// Delete a template by internal number.
pub const DELETE_USERTEMP: u16 = 19;
/// Open the door for a while.
pub const UNLOCK: u16 = 31;
/// Counters and capacities; see [`crate::counters`].
pub const GET_FREE_SIZES: u16 = 50;
pub const WRITE_LCD: u16 = 66;
pub const CLEAR_LCD: u16 = 67;
/// One template of a user.
pub const GET_USERTEMP: u16 = 88;
/// Store users and templates that were uploaded; see [`crate::templates::save`].
pub const SAVE_USERTEMPS: u16 = 110;
/// Delete a template by user id.
pub const DEL_FPTMP: u16 = 134;
pub const GET_TIME: u16 = 201;
pub const SET_TIME: u16 = 202;
/// From the client: register for events. From the terminal: an event.
pub const REG_EVENT: u16 = 500;
pub const CONNECT: u16 = 1000;
pub const EXIT: u16 = 1001;
pub const ENABLE_DEVICE: u16 = 1002;
/// Block keypad and sensors.
pub const DISABLE_DEVICE: u16 = 1003;
pub const RESTART: u16 = 1004;
/// Make changes of users and templates take effect.
pub const REFRESH_DATA: u16 = 1013;
/// Make changes of options take effect.
pub const REFRESH_OPTION: u16 = 1014;
pub const TEST_VOICE: u16 = 1017;
/// Firmware version as text.
pub const GET_VERSION: u16 = 1100;
/// The scrambled comm key; see [`crate::key`].
pub const AUTH: u16 = 1102;
/// From the client: announce an upload; see [`crate::upload`].
pub const PREPARE_DATA: u16 = 1500;
/// From the client: a part of an upload.
pub const DATA: u16 = 1501;
/// Forget the prepared answer, or what was uploaded.
pub const FREE_DATA: u16 = 1502;
/// Prepare a large answer; see [`crate::bulk`].
pub const PREPARE_BUFFER: u16 = 1503;
/// Send a part of the prepared answer.
pub const READ_BUFFER: u16 = 1504;

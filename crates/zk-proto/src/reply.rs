//! Reply codes: they travel in the place of the command.

/// Done; data may follow in the packet.
pub const ACK_OK: u16 = 2000;
/// Failed, unknown option, no such record.
pub const ACK_ERROR: u16 = 2001;
/// A key is required, or the key is wrong.
pub const ACK_UNAUTH: u16 = 2005;
pub const ACK_UNKNOWN: u16 = 65535;
pub const ACK_ERROR_CMD: u16 = 65533;
pub const ACK_ERROR_INIT: u16 = 65532;
pub const ACK_ERROR_DATA: u16 = 65531;
/// A large answer begins: its length follows, then [`DATA`] packets, then [`ACK_OK`].
pub const PREPARE_DATA: u16 = 1500;
/// A part of a large answer, or the whole of a small one.
pub const DATA: u16 = 1501;
/// Firmware of about 2025 to CONNECT, whatever the key: it no longer speaks this protocol.
pub const NEW_SDK_ONLY: u16 = 6001;
/// A SpeedFace in access-control mode to a log read: it does not offer its log here.
pub const LOG_NOT_OFFERED: u16 = 4989;

/// What a code means, for messages: a lower-case phrase that reads after "answered code 2001: ".
pub fn meaning(code: u16) -> &'static str {
    match code {
        ACK_OK => "done",
        ACK_ERROR => "failed",
        ACK_UNAUTH => "a comm key is needed",
        ACK_UNKNOWN => "unknown command",
        ACK_ERROR_CMD => "bad command",
        ACK_ERROR_INIT => "not initialised",
        ACK_ERROR_DATA => "bad data",
        PREPARE_DATA | DATA => "data",
        NEW_SDK_ONLY => "this firmware no longer speaks the port 4370 protocol, use push",
        LOG_NOT_OFFERED => "the log is not offered over this protocol, use push or attendance mode",
        _ => "an unknown code",
    }
}

//! Options: named texts such as serial number and model. Names are case-sensitive; a tilde marks what the vendor wrote.

use crate::command;
use crate::request::Request;

/// The serial number. A few models answer with an empty value.
pub const SERIAL_NUMBER: &str = "~SerialNumber";
pub const MODEL: &str = "~DeviceName";
/// The network address burnt in, the identity of terminals without a serial number.
pub const MAC: &str = "MAC";
/// The hardware, e.g. `ZMM210_TFT`: a name with `TFT` is that of a colour terminal.
pub const PLATFORM: &str = "~Platform";
/// Which fingerprint templates it understands: 9 or 10.
pub const FINGER_ALGORITHM: &str = "~ZKFPVersion";

/// The data of a request for an option: its name and a NUL.
pub fn request(name: &str) -> Vec<u8> {
    let mut data = Vec::with_capacity(name.len() + 1);
    data.extend_from_slice(name.as_bytes());
    data.push(0);
    data
}

/// Sets an option, which takes effect with [`crate::control::refresh_options`]. `None` when the name or the value has a NUL, or
/// the name is empty or has a `=`: the terminal would set something else.
pub fn write(name: &str, value: &str) -> Option<Request> {
    let fits = !name.is_empty() && !name.contains(['=', '\0']) && !value.contains('\0');
    fits.then(|| Request::new(command::OPTIONS_WRQ, format!("{name}={value}\0")))
}

/// The value in an answer `name=value`: what follows the first `=`, up to the first NUL, without blanks around it. `None`
/// when there is no `=`. Bytes that are not UTF-8 become U+FFFD.
pub fn value(answer: &[u8]) -> Option<String> {
    let at = answer.iter().position(|byte| *byte == b'=')?;
    Some(text(&answer[at + 1..]))
}

/// A plain text answer, such as the firmware version: up to the first NUL, without blanks around it.
pub fn text(answer: &[u8]) -> String {
    let text = crate::text::until_nul(answer);
    String::from_utf8_lossy(text).trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_options() {
        let check = |answer: &[u8], expected: Option<&str>| {
            assert_eq!(value(answer).as_deref(), expected);
        };
        check(b"~SerialNumber=X1\0", Some("X1"));
        check(b"~DeviceName= F18/ID \0garbage", Some("F18/ID"));
        check(b"~SerialNumber=\0", Some("")); // a SpeedFace-V5L
        check(b"~OS=1", Some("1")); // the NUL may be missing
        check(b"a=b=c\0", Some("b=c"));
        check(b"\0", None);
        check(b"", None);
        assert_eq!(request("~OS"), b"~OS\0");
    }

    #[test]
    fn what_would_set_another_option_is_not_written() {
        let written = write("LockOn", "a=5").map(|request| request.data);
        assert_eq!(written.as_deref(), Some(&b"LockOn=a=5\0"[..]));
        for (name, value) in [
            ("", "5"),
            ("Lock=On", "5"),
            ("Lock\0", "5"),
            ("LockOn", "\0"),
        ] {
            assert_eq!(write(name, value), None, "{name:?}");
        }
    }

    #[test]
    fn plain_texts() {
        assert_eq!(text(b"Ver 6.60 Apr 26 2016\0"), "Ver 6.60 Apr 26 2016");
    }
}

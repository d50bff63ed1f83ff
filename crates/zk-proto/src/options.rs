//! Options: named texts such as serial number and model. Names are case-sensitive; a tilde marks what the vendor wrote.

/// The serial number. A few models answer with an empty value.
pub const SERIAL_NUMBER: &str = "~SerialNumber";
pub const MODEL: &str = "~DeviceName";
/// The network address burnt in, the identity of terminals without a serial number.
pub const MAC: &str = "MAC";

/// The data of a request for an option: its name and a NUL.
pub fn request(name: &str) -> Vec<u8> {
    let mut data = Vec::with_capacity(name.len() + 1);
    data.extend_from_slice(name.as_bytes());
    data.push(0);
    data
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
        assert_eq!(text(b"Ver 6.60 Apr 26 2016\0"), "Ver 6.60 Apr 26 2016");
    }
}

//! The comm key on the wire. It is scrambled, not encrypted: whoever sees the packet knows the key.

/// The data of AUTH for the key (0 is the factory value), the session id of the reply to CONNECT, and a free byte `salt`
/// that the terminal reads back from the third place. Common clients always send 0x32.
pub fn scramble(key: u32, session_id: u16, salt: u8) -> [u8; 4] {
    let mixed = key.reverse_bits().wrapping_add(u32::from(session_id));
    // The lowest byte is lost: its place, the third after the halves have changed places, carries the salt.
    let [_, b1, b2, b3] = mixed.to_le_bytes();
    [b2 ^ b'S' ^ salt, b3 ^ b'O' ^ salt, salt, b1 ^ b'K' ^ salt]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testdata::{hex, vectors};

    #[test]
    fn golden_keys() {
        let mut seen = 0;
        for vector in vectors(include_str!("../testdata/keys.txt")) {
            let [key, session, salt, bytes] = vector.as_slice() else {
                panic!("a line of keys.txt has four fields: {vector:?}");
            };
            let session = u16::from_str_radix(session, 16).expect("a session id");
            let salt = u8::from_str_radix(salt, 16).expect("a salt");
            let key = key.parse().expect("a key");
            assert_eq!(scramble(key, session, salt).to_vec(), hex(bytes), "{key}");
            seen += 1;
        }
        assert_eq!(seen, 13);
    }
}

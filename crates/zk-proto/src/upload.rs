//! Large data to a terminal: announced, sent part after part, then used by a command of its own.

use crate::command;
use crate::request::Request;

/// Bytes in one part. Common clients send so many, and it fits into one datagram too.
pub const PART: usize = 1024;

/// The requests that bring `body` to the terminal and have it used by `finish`. Each is sent when the one before it was
/// answered with 2000; after any other answer the upload has failed, and FREE_DATA ([`free`]) lets the terminal forget it.
pub fn requests(body: &[u8], finish: Request) -> impl Iterator<Item = Request> {
    let size = u32::try_from(body.len()).expect("an upload of less than 4 GiB");
    let parts = body.chunks(PART);
    [
        free(),
        Request::new(command::PREPARE_DATA, size.to_le_bytes()),
    ]
    .into_iter()
    .chain(parts.map(|part| Request::new(command::DATA, part)))
    .chain([finish])
}

/// Lets the terminal forget what was uploaded or prepared.
pub fn free() -> Request {
    Request::new(command::FREE_DATA, [])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn parts_are_the_body(body in proptest::collection::vec(any::<u8>(), 0..4000)) {
            let finish = Request::new(command::SAVE_USERTEMPS, *b"x");
            let requests: Vec<_> = requests(&body, finish.clone()).collect();
            let [first, announced, parts @ .., last] = requests.as_slice() else {
                panic!("a beginning and an end");
            };
            prop_assert_eq!(first, &Request::new(1502, []));
            prop_assert_eq!(announced, &Request::new(1500, (body.len() as u32).to_le_bytes()));
            prop_assert!(parts.iter().all(|part| part.command == 1501 && part.data.len() <= 1024));
            prop_assert_eq!(parts.len(), body.len().div_ceil(1024));
            let sent: Vec<u8> = parts.iter().flat_map(|part| part.data.clone()).collect();
            prop_assert_eq!(sent, body);
            prop_assert_eq!(last, &finish);
        }
    }
}

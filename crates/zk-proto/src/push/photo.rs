//! Photos taken at a punch: a few lines, a NUL, the picture.

use jiff::civil::DateTime;

use super::body::number;
use super::{text, time};

/// A photo; the picture is a part of the body.
#[derive(Clone, PartialEq, Eq)]
pub struct Photo<'a> {
    /// As sent: `YYYYMMDDhhmmss-<pin>.jpg`.
    pub file_name: String,
    /// Wall time, out of the name.
    pub taken: Option<DateTime>,
    /// Whose, out of the name; `None` for somebody who was not recognised.
    pub pin: Option<String>,
    pub serial: Option<String>,
    /// The bytes of the picture that were announced.
    pub size: Option<u64>,
    /// `CMD=realupload`: taken just now.
    pub is_live: bool,
    pub image: &'a [u8],
}

impl std::fmt::Debug for Photo<'_> {
    /// Without the picture.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Photo")
            .field("file_name", &self.file_name)
            .field("size", &self.size)
            .field("image", &self.image.len())
            .finish_non_exhaustive()
    }
}

/// Why a body is no photo.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PhotoError {
    #[error("the photo has no NUL between its description and the picture")]
    NoEnd,
    #[error("the photo has no name")]
    NoName,
}

impl<'a> Photo<'a> {
    /// # Errors
    /// When there is no NUL within the first 4 KiB, or no name.
    pub fn parse(body: &'a [u8]) -> Result<Self, PhotoError> {
        const HEADER_LIMIT: usize = 4096;
        let start = &body[..body.len().min(HEADER_LIMIT)];
        let end = start.iter().position(|byte| *byte == 0);
        let end = end.ok_or(PhotoError::NoEnd)?;
        let (header, image) = (&body[..end], &body[end + 1..]);
        let field = |key: &[u8]| {
            let fields = header.split(|byte| matches!(byte, b'\n' | b'\r' | b'\t'));
            let mut pairs = fields.filter_map(|field| {
                let at = field.iter().position(|byte| *byte == b'=')?;
                Some((field[..at].trim_ascii(), field[at + 1..].trim_ascii()))
            });
            let found = pairs.find(|(name, _)| name.eq_ignore_ascii_case(key));
            found
                .map(|(_, value)| value)
                .filter(|value| !value.is_empty())
        };
        let name = field(b"PIN").ok_or(PhotoError::NoName)?;
        let (taken, pin) = named(name);
        Ok(Self {
            file_name: text::decode(name).into_owned(),
            taken,
            pin,
            serial: field(b"SN").map(|serial| text::decode(serial).into_owned()),
            size: field(b"size").and_then(number),
            is_live: field(b"CMD").is_some_and(|cmd| cmd.eq_ignore_ascii_case(b"realupload")),
            image,
        })
    }

    /// As long as was announced.
    pub fn is_whole(&self) -> bool {
        self.size.is_none_or(|size| size == self.image.len() as u64)
    }
}

fn named(name: &[u8]) -> (Option<DateTime>, Option<String>) {
    let dot = name.iter().rposition(|byte| *byte == b'.');
    let stem = &name[..dot.unwrap_or(name.len())];
    let dash = stem.iter().position(|byte| *byte == b'-');
    let (digits, pin) = match dash {
        Some(dash) => (&stem[..dash], super::body::pin(&stem[dash + 1..]).ok()),
        None => (stem, None),
    };
    (compact_time(digits), pin.map(str::to_owned))
}

/// `YYYYMMDDhhmmss`.
fn compact_time(digits: &[u8]) -> Option<DateTime> {
    let digits: &[u8; 14] = digits.try_into().ok()?;
    if !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let [y1, y2, y3, y4, m1, m2, d1, d2, h1, h2, n1, n2, s1, s2] = *digits;
    let spelled = [
        y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2, b' ', h1, h2, b':', n1, n2, b':', s1, s2,
    ];
    time::parse(&spelled).ok().map(|clock| clock.wall)
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn whose_and_when() {
        let check = |name: &str, taken: bool, pin: Option<&str>| {
            let body = format!("PIN={name}\tSN=X\r\nsize=3\nCMD=realupload\0abc");
            let photo = Photo::parse(body.as_bytes()).expect("a photo");
            let moment = date(2026, 11, 22).at(10, 30, 12, 0);
            assert_eq!(photo.taken, taken.then_some(moment), "{name}");
            assert_eq!(photo.pin.as_deref(), pin);
            assert_eq!((photo.image, photo.size), (&b"abc"[..], Some(3)));
            assert!(photo.is_live && photo.is_whole());
        };
        check("20261122103012-123.jpg", true, Some("123"));
        check("20261122103012-A-7.jpg", true, Some("A-7"));
        check("20261122103012.jpg", true, None);
        check("20260230103012-7.jpg", false, Some("7"));
        check("photo", false, None);
    }

    #[test]
    fn what_is_no_photo_or_not_all_of_one() {
        assert_eq!(Photo::parse(b""), Err(PhotoError::NoEnd));
        assert_eq!(Photo::parse(b"PIN=a.jpg\nsize=3\n"), Err(PhotoError::NoEnd));
        assert_eq!(Photo::parse(b"SN=X\0abc"), Err(PhotoError::NoName));
        assert_eq!(Photo::parse(&[b'x'; 5000]), Err(PhotoError::NoEnd));
        let cut = Photo::parse(b"PIN=a.jpg\nsize=9\0abc").expect("a photo");
        assert!(!cut.is_whole() && !cut.is_live);
        let plain = Photo::parse(b"PIN=a.jpg\0").expect("a photo");
        assert!(plain.is_whole() && plain.image.is_empty());
    }

    proptest! {
        #[test]
        fn no_input_panics(name in "[0-9-]{0,20}", body in proptest::collection::vec(any::<u8>(), 0..100)) {
            let _ = Photo::parse(&body);
            let body = [b"PIN=", name.as_bytes(), b"\0", &body].concat();
            let _ = Photo::parse(&body);
        }
    }
}

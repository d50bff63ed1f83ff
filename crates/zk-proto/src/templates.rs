//! Fingerprint templates: reading them, and writing users together with theirs.
//!
//! A template is bytes that only terminals of the same algorithm understand (option `~ZKFPVersion`, 9 or 10): compare it before
//! bringing templates from one to another.

use std::fmt;

use crate::command;
use crate::request::Request;
use crate::text::NameEncoding;
use crate::upload;
use crate::users::{self, FieldError, Uid, UserLayout, UserRecord};

/// Which finger of a user, 0 to 9.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Finger(u8);

impl Finger {
    pub fn new(number: u8) -> Option<Self> {
        (number < 10).then_some(Self(number))
    }

    pub fn number(self) -> u8 {
        self.0
    }
}

/// One finger of one user.
#[derive(Clone, PartialEq, Eq)]
pub struct Template {
    pub uid: Uid,
    pub finger: Finger,
    /// 0 invalid, 1 valid, 3 to be used under duress.
    pub flag: u8,
    pub bytes: Vec<u8>,
}

impl fmt::Debug for Template {
    /// Without the bytes: they are biometric data.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Template")
            .field("uid", &self.uid)
            .field("finger", &self.finger)
            .field("flag", &self.flag)
            .field("len", &self.bytes.len())
            .finish()
    }
}

/// Asks for one template. The answer is a large one without PREPARE_BUFFER: see [`crate::bulk::Chunk`]. "Failed" means that
/// there is no such template.
pub fn read(Uid(uid): Uid, finger: Finger) -> Request {
    let [low, high] = uid.to_le_bytes();
    Request::new(command::GET_USERTEMP, [low, high, finger.number()])
}

/// The template in the answer to [`read`], which ends with one byte of no meaning, and mostly six zeros before it. `None` when
/// nothing is left without them.
pub fn decode(uid: Uid, finger: Finger, body: &[u8]) -> Option<Template> {
    let (_, bytes) = body.split_last()?;
    let bytes = bytes.strip_suffix(&[0; 6]).unwrap_or(bytes);
    (!bytes.is_empty()).then(|| Template {
        uid,
        finger,
        flag: 1,
        bytes: bytes.to_vec(),
    })
}

/// The templates of everybody.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct TemplateList {
    pub templates: Vec<Template>,
    /// Entries of no finger or without a template, as they came.
    pub rejected: Vec<Vec<u8>>,
}

impl fmt::Debug for TemplateList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TemplateList")
            .field("templates", &self.templates)
            .field("rejected", &self.rejected.len())
            .finish()
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TemplateListError {
    #[error("the template list announces {announced} bytes and has {received}")]
    Length { announced: u32, received: usize },
    #[error("the entry at byte {at} of the template list has an impossible size of {size}")]
    Entry { at: usize, size: u16 },
}

const ENTRY_HEAD: usize = 6;

/// Decodes the body of [`crate::bulk::Wanted::Templates`]: its length, then entries of their own sizes.
///
/// # Errors
/// `Length` when the body is cut or too long; `Entry` when an entry is smaller than its head or larger than what is left.
pub fn decode_list(body: &[u8]) -> Result<TemplateList, TemplateListError> {
    let mut list = TemplateList::default();
    if body.is_empty() {
        return Ok(list);
    }
    let (announced, entries) = match body.split_first_chunk::<4>() {
        Some((total, entries)) => (u32::from_le_bytes(*total), entries),
        None => (0, body),
    };
    if announced as usize != entries.len() {
        return Err(TemplateListError::Length {
            announced,
            received: entries.len(),
        });
    }
    let mut rest = entries;
    while !rest.is_empty() {
        let at = entries.len() - rest.len();
        let size = match *rest {
            [low, high, ..] => u16::from_le_bytes([low, high]),
            _ => 0,
        };
        let entry = rest
            .get(..usize::from(size))
            .filter(|entry| entry.len() >= ENTRY_HEAD)
            .ok_or(TemplateListError::Entry { at, size })?;
        match decode_entry(entry) {
            Some(template) => list.templates.push(template),
            None => list.rejected.push(entry.to_vec()),
        }
        rest = &rest[entry.len()..];
    }
    Ok(list)
}

/// Size of the whole entry, internal number, finger, flag, template.
fn decode_entry(entry: &[u8]) -> Option<Template> {
    let ([_, _, low, high, finger, flag], bytes) = entry.split_first_chunk::<ENTRY_HEAD>()?;
    (!bytes.is_empty()).then_some(Template {
        uid: Uid(u16::from_le_bytes([*low, *high])),
        finger: Finger::new(*finger)?,
        flag: *flag,
        bytes: bytes.to_vec(),
    })
}

/// A user to be written with their templates.
#[derive(Clone, Copy, Debug)]
pub struct Enrolled<'a> {
    pub user: &'a UserRecord,
    pub fingers: &'a [(Finger, Vec<u8>)],
}

/// Why users and templates cannot be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SaveError {
    /// Of the user at this place in what was to be written.
    #[error("user {index}: {source}")]
    Field { index: usize, source: FieldError },
    #[error("user {index}: a template of {len} bytes is none")]
    Template { index: usize, len: usize },
    #[error("{len} bytes are more than a terminal takes at once")]
    TooLarge { len: usize },
}

/// The most that is uploaded at once.
const MAX_SAVE: usize = 16 << 20;

/// Writes users together with their templates. Send the requests one after the other, each when the one before was answered
/// with 2000; then [`crate::control::refresh_data`]. Layout and code page are those of the terminal's own user list.
///
/// # Errors
/// The first field that does not fit; an empty template or one above 65,535 bytes; more than 16 MiB in all.
pub fn save(
    people: &[Enrolled<'_>],
    layout: UserLayout,
    encoding: NameEncoding,
) -> Result<Vec<Request>, SaveError> {
    let body = save_body(people, layout, encoding)?;
    // Constants whose meaning nobody has described.
    let finish = Request::new(command::SAVE_USERTEMPS, [12, 0, 0, 0, 0, 0, 8, 0]);
    Ok(upload::requests(&body, finish).collect())
}

/// Three lengths, then users, a table of whose finger begins where, and the templates with their sizes.
fn save_body(
    people: &[Enrolled<'_>],
    layout: UserLayout,
    encoding: NameEncoding,
) -> Result<Vec<u8>, SaveError> {
    let (mut users, mut table, mut templates) = (Vec::new(), Vec::new(), Vec::new());
    for (index, Enrolled { user, fingers }) in people.iter().enumerate() {
        let record = user
            .encode(layout, encoding)
            .map_err(|source| SaveError::Field { index, source })?;
        users.push(2);
        users.extend(record);
        for (finger, bytes) in *fingers {
            let len = bytes.len();
            let size = u16::try_from(len)
                .ok()
                .filter(|size| *size > 0)
                .ok_or(SaveError::Template { index, len })?;
            let [low, high] = user.uid.0.to_le_bytes();
            table.extend([2, low, high, 0x10 + finger.number()]);
            table.extend((templates.len() as u32).to_le_bytes());
            templates.extend(size.to_le_bytes());
            templates.extend(bytes);
        }
        // Checked as it grows, so that no length or offset leaves its four bytes.
        let len = users.len() + table.len() + templates.len();
        if len > MAX_SAVE {
            return Err(SaveError::TooLarge { len });
        }
    }
    let parts = [users, table, templates];
    let lengths = parts
        .iter()
        .flat_map(|part| (part.len() as u32).to_le_bytes());
    Ok(lengths.chain(parts.iter().flatten().copied()).collect())
}

/// Deletes one finger by internal number. One client lineage sends finger 0 to delete all, so read afterwards what is left.
pub fn delete_by_uid(Uid(uid): Uid, finger: Finger) -> Request {
    let [low, high] = uid.to_le_bytes();
    Request::new(command::DELETE_USERTEMP, [low, high, finger.number()])
}

/// Deletes one finger by user id, on colour terminals.
///
/// # Errors
/// A user id that no terminal has.
pub fn delete(user_id: &str, finger: Finger) -> Result<Request, FieldError> {
    let mut data = users::id_bytes(user_id)?.to_vec();
    data.resize(24, 0);
    data.push(finger.number());
    Ok(Request::new(command::DEL_FPTMP, data))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::testdata::named;

    fn golden(name: &str) -> Vec<u8> {
        named(include_str!("../testdata/templates.txt"), name)
    }

    fn finger(number: u8) -> Finger {
        Finger::new(number).expect("a finger")
    }

    fn template(uid: u16, number: u8, flag: u8, bytes: &[u8]) -> Template {
        Template {
            uid: Uid(uid),
            finger: finger(number),
            flag,
            bytes: bytes.to_vec(),
        }
    }

    #[test]
    fn one_template() {
        assert_eq!(read(Uid(38), finger(3)), Request::new(88, [0x26, 0, 3]));
        let decoded = |body: &[u8]| decode(Uid(38), finger(3), body);
        let expected = template(38, 3, 1, b"\xaa\xbb\xcc\xdd");
        assert_eq!(decoded(&golden("single")), Some(expected.clone()));
        assert_eq!(decoded(&golden("single_short")), Some(expected));
        assert_eq!(decoded(b""), None);
        assert_eq!(decoded(b"x"), None);
        assert_eq!(decoded(&[0; 7]), None);
    }

    #[test]
    fn everybodys_templates() {
        let list = decode_list(&golden("list")).expect("a list");
        assert_eq!(
            list.templates,
            [
                template(14, 3, 1, b"\xaa\xbb\xcc\xdd"),
                template(38, 0, 3, b"\x01\x02"),
            ]
        );
        assert_eq!(list.rejected, [b"\x07\0\x27\0\x0a\x01\x55"]);
    }

    #[test]
    fn lists_that_are_none() {
        assert_eq!(decode_list(&[]), Ok(TemplateList::default()));
        assert_eq!(decode_list(&[0; 4]), Ok(TemplateList::default()));
        let length = |announced, received| {
            Err(TemplateListError::Length {
                announced,
                received,
            })
        };
        assert_eq!(decode_list(&[1]), length(0, 1));
        assert_eq!(decode_list(&[2, 0, 0, 0, 1]), length(2, 1));
        let entry = |at, size| Err(TemplateListError::Entry { at, size });
        assert_eq!(decode_list(b"\x01\0\0\0\x07"), entry(0, 0));
        assert_eq!(decode_list(b"\x05\0\0\0\x05\0\x01\0\0"), entry(0, 5));
        assert_eq!(
            decode_list(b"\x0e\0\0\0\x07\0\x01\0\0\x01\xaa\x08\0\x01\0\0\x01\xaa"),
            entry(7, 8)
        );
        assert_eq!(decode_list(b"\x02\0\0\0\0\0"), entry(0, 0));
    }

    #[test]
    fn deletions() {
        let by_uid = delete_by_uid(Uid(38), finger(3));
        assert_eq!(by_uid, Request::new(19, [0x26, 0, 3]));
        let by_id = delete("90210", finger(3)).expect("an id");
        assert_eq!(
            by_id,
            Request::new(134, *b"90210\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x03")
        );
        assert_eq!(delete("", finger(3)), Err(FieldError::Id));
    }

    fn user(uid: u16, id: &str) -> UserRecord {
        UserRecord::new(Uid(uid), id)
    }

    fn saved(people: &[Enrolled<'_>], layout: UserLayout) -> Result<Vec<u8>, SaveError> {
        save_body(people, layout, NameEncoding::Utf8)
    }

    #[test]
    fn two_users_three_fingers() {
        let (first, second) = (user(14, "7"), user(38, "8"));
        let (both, one) = (
            [(finger(0), vec![0xaa; 3]), (finger(9), vec![0xbb])],
            [(finger(1), vec![0xcc; 2])],
        );
        let people = [
            Enrolled {
                user: &first,
                fingers: &both,
            },
            Enrolled {
                user: &second,
                fingers: &one,
            },
        ];
        assert_eq!(saved(&people, UserLayout::Short28), Ok(golden("save28")));
    }

    #[test]
    fn what_cannot_be_saved() {
        let (good, bad) = (user(1, "7"), user(2, "A"));
        fn enrolled<'a>(user: &'a UserRecord, fingers: &'a [(Finger, Vec<u8>)]) -> Enrolled<'a> {
            Enrolled { user, fingers }
        }
        let people = [enrolled(&good, &[]), enrolled(&bad, &[])];
        let source = FieldError::IdNotNumber;
        assert_eq!(
            saved(&people, UserLayout::Short28),
            Err(SaveError::Field { index: 1, source })
        );
        for len in [0, 65_536] {
            let fingers = [(finger(1), vec![0; len])];
            let people = [enrolled(&good, &fingers[..])];
            assert_eq!(
                saved(&people, UserLayout::Long72),
                Err(SaveError::Template { index: 0, len })
            );
        }
        let fingers = vec![(finger(1), vec![0; 65_535]); 257];
        let people = [enrolled(&good, &fingers)];
        let error = saved(&people, UserLayout::Long72);
        assert!(matches!(error, Err(SaveError::TooLarge { .. })));
    }

    #[test]
    fn fingers_are_not_shown() {
        let shown = format!("{:?}", template(1, 2, 1, &[222; 2]));
        assert!(!shown.contains("222"), "{shown}");
    }

    proptest! {
        #[test]
        fn entries_come_back(
            entries in proptest::collection::vec(
                (any::<u16>(), 0u8..10, any::<u8>(), proptest::collection::vec(any::<u8>(), 1..50)), 0..20,
            ),
        ) {
            let mut records = Vec::new();
            for (uid, finger, flag, bytes) in &entries {
                records.extend((bytes.len() as u16 + 6).to_le_bytes());
                records.extend(uid.to_le_bytes());
                records.extend([*finger, *flag]);
                records.extend(bytes);
            }
            let body = [&(records.len() as u32).to_le_bytes(), records.as_slice()].concat();
            let expected: Vec<_> = entries
                .iter()
                .map(|(uid, finger, flag, bytes)| template(*uid, *finger, *flag, bytes))
                .collect();
            prop_assert_eq!(decode_list(&body).map(|list| list.templates), Ok(expected));
        }

        #[test]
        fn no_input_panics(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = decode_list(&bytes);
            let body = [&(bytes.len() as u32).to_le_bytes(), bytes.as_slice()].concat();
            let _ = decode_list(&body);
            let _ = decode(Uid(1), finger(1), &bytes);
        }
    }
}

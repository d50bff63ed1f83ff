//! Fingerprint templates: how a terminal lists them, and the upload that brings users and templates together.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::users::{User, UserLayout};
use super::wire::{u16_at, u32_at};

/// Fingers are 0 to 9.
const FINGERS: u8 = 10;

/// A fingerprint as a terminal keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    /// Internal index of the user.
    pub uid: u16,
    /// 0 to 9.
    pub finger: u8,
    /// 0 invalid, 1 valid, 3 duress.
    pub flag: u8,
    /// What the algorithm made of it; up to some 1,600 bytes on real terminals.
    pub bytes: Vec<u8>,
}

impl Template {
    /// A valid template.
    pub fn new(uid: u16, finger: u8, bytes: impl Into<Vec<u8>>) -> Self {
        Self {
            uid,
            finger,
            flag: 1,
            bytes: bytes.into(),
        }
    }

    /// Reads an entry: its size, user, finger, flag, then the template. `None` when the sizes do not fit.
    pub(super) fn decode(entry: &[u8]) -> Option<Self> {
        if entry.len() < 6 || usize::from(u16_at(entry, 0)) != entry.len() {
            return None;
        }
        Some(Self {
            uid: u16_at(entry, 2),
            finger: entry[4],
            flag: entry[5],
            bytes: entry[6..].to_vec(),
        })
    }

    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&((6 + self.bytes.len()) as u16).to_le_bytes());
        out.extend_from_slice(&self.uid.to_le_bytes());
        out.extend_from_slice(&[self.finger, self.flag]);
        out.extend_from_slice(&self.bytes);
    }

    /// Whether a terminal has a place for it and can list it again.
    pub(super) fn fits(&self) -> bool {
        self.finger < FINGERS && (1..=usize::from(u16::MAX) - 6).contains(&self.bytes.len())
    }
}

/// The templates of a terminal, in the order of users and fingers. Cloning is cheap.
#[derive(Debug, Clone, Default)]
pub(super) struct Templates(Arc<BTreeMap<(u16, u8), Template>>);

impl Templates {
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &Template> {
        self.0.values()
    }

    pub(super) fn of(&self, uid: u16, finger: u8) -> Option<&Template> {
        self.0.get(&(uid, finger))
    }

    pub(super) fn put(&mut self, template: Template) {
        Arc::make_mut(&mut self.0).insert((template.uid, template.finger), template);
    }

    /// Whether there was such a template.
    pub(super) fn remove(&mut self, uid: u16, finger: u8) -> bool {
        Arc::make_mut(&mut self.0).remove(&(uid, finger)).is_some()
    }

    pub(super) fn remove_user(&mut self, uid: u16) {
        if self.0.keys().any(|(known, _)| *known == uid) {
            Arc::make_mut(&mut self.0).retain(|(known, _), _| *known != uid);
        }
    }

    /// Body of a bulk read: the size of the entries, then the entries.
    pub(super) fn body(&self) -> Arc<Vec<u8>> {
        let mut body = vec![0; 4];
        for template in self.all() {
            template.encode(&mut body);
        }
        let total = (body.len() - 4) as u32;
        body[..4].copy_from_slice(&total.to_le_bytes());
        Arc::new(body)
    }
}

impl FromIterator<Template> for Templates {
    fn from_iter<I: IntoIterator<Item = Template>>(templates: I) -> Self {
        let mut all = Self::default();
        for template in templates {
            all.put(template);
        }
        all
    }
}

/// What command 110 saves: users, and templates of them.
#[derive(Debug, PartialEq)]
pub(super) struct SavedTogether {
    pub(super) users: Vec<User>,
    pub(super) templates: Vec<Template>,
}

impl SavedTogether {
    /// Reads the upload: the sizes of three parts, then users (each after a byte 2), the table that says which template
    /// is whose, and the templates (each after its size). `None` when anything does not fit.
    pub(super) fn decode(layout: UserLayout, upload: &[u8]) -> Option<Self> {
        let (sizes, rest) = upload.split_at_checked(12)?;
        let (users, rest) = rest.split_at_checked(u32_at(sizes, 0) as usize)?;
        let (table, pool) = rest.split_at_checked(u32_at(sizes, 4) as usize)?;
        if pool.len() != u32_at(sizes, 8) as usize {
            return None;
        }
        let users = whole_pieces(users, 1 + layout.size())?
            .map(|piece| match piece.split_first()? {
                (2, record) => User::decode(layout, record),
                _ => None,
            })
            .collect::<Option<_>>()?;
        let templates = whole_pieces(table, 8)?
            .map(|row| {
                let finger = row[3].checked_sub(0x10).filter(|_| row[0] == 2)?;
                let from = pool.get(u32_at(row, 4) as usize..)?;
                let (size, from) = from.split_at_checked(2)?;
                let bytes = from.get(..usize::from(u16_at(size, 0)))?;
                Some(Template::new(u16_at(row, 1), finger, bytes))
            })
            .collect::<Option<_>>()?;
        Some(Self { users, templates })
    }
}

/// `None` when the bytes are not a whole number of pieces.
fn whole_pieces(bytes: &[u8], size: usize) -> Option<impl Iterator<Item = &[u8]>> {
    bytes
        .len()
        .is_multiple_of(size)
        .then(|| bytes.chunks_exact(size))
}

//! The people a virtual terminal knows, and the two forms in which terminals list them.

use std::fmt;
use std::sync::{Arc, OnceLock};

use super::wire::{u16_at, u32_at};

/// The visible number or text of a person, up to 24 bytes; leading zeros count.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct UserId([u8; 24]);

impl UserId {
    /// # Panics
    ///
    /// When the text is longer than 24 bytes: no terminal could store it.
    pub fn new(text: &str) -> Self {
        assert!(text.len() <= 24, "user id {text:?} is longer than 24 bytes");
        Self::from_field(text.as_bytes())
    }

    /// A NUL-terminated field of a record.
    pub(super) fn from_field(field: &[u8]) -> Self {
        let text = until_nul(field);
        let mut id = [0; 24];
        id[..text.len()].copy_from_slice(text);
        Self(id)
    }

    pub(super) fn field(&self) -> &[u8; 24] {
        &self.0
    }

    /// Whether there is no text at all.
    pub fn is_empty(&self) -> bool {
        self.0[0] == 0
    }

    /// The id as older layouts store it; `None` when it is no number of 32 bits.
    pub fn number(&self) -> Option<u32> {
        std::str::from_utf8(until_nul(&self.0)).ok()?.parse().ok()
    }
}

impl From<&str> for UserId {
    /// # Panics
    ///
    /// As [`UserId::new`].
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

impl fmt::Display for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&String::from_utf8_lossy(until_nul(&self.0)))
    }
}

impl fmt::Debug for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "UserId({self})")
    }
}

/// How a terminal lays out a user: black-and-white models use 28 bytes, colour models 72.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UserLayout {
    /// 28 bytes: password of 5, name of 8 bytes, the id as a number of 32 bits.
    TwentyEight,
    /// 72 bytes: password of 8, name of 24 bytes, the id as text of 24 bytes.
    SeventyTwo,
}

impl UserLayout {
    /// Bytes of one record.
    pub fn size(self) -> usize {
        match self {
            Self::TwentyEight => 28,
            Self::SeventyTwo => 72,
        }
    }
}

/// One person on a terminal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// Internal table index ("sn").
    pub uid: u16,
    /// What punches and people call them.
    pub user_id: UserId,
    /// Raw bytes; terminals render them in a code page of their own. Cut to the layout's width.
    pub name: Vec<u8>,
    /// Bits 3..1: 0 user, 14 super administrator; bit 0: disabled.
    pub privilege: u8,
    /// Card number, 0 for none.
    pub card: u32,
    /// Cut to the layout's width, 5 or 8 bytes.
    pub password: String,
    /// Access group.
    pub group: u8,
}

impl User {
    /// A plain user without name, card or password, in access group 1.
    ///
    /// # Panics
    ///
    /// As [`UserId::new`].
    pub fn new(uid: u16, user_id: impl Into<UserId>) -> Self {
        Self {
            uid,
            user_id: user_id.into(),
            name: Vec::new(),
            privilege: 0,
            card: 0,
            password: String::new(),
            group: 1,
        }
    }

    /// The name as UTF-8, or as bytes in any other code page.
    pub fn named(mut self, name: impl AsRef<[u8]>) -> Self {
        self.name = name.as_ref().to_vec();
        self
    }

    /// Makes the person a super administrator (privilege 14).
    pub fn admin(mut self) -> Self {
        self.privilege = 14;
        self
    }

    /// Sets the card number.
    pub fn with_card(mut self, card: u32) -> Self {
        self.card = card;
        self
    }

    /// Sets the password.
    pub fn with_password(mut self, password: &str) -> Self {
        self.password = password.to_owned();
        self
    }

    /// Appends the record in `layout`. An id that is no number becomes the `uid` in the 28-byte form.
    pub(super) fn encode(&self, layout: UserLayout, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.uid.to_le_bytes());
        out.push(self.privilege);
        match layout {
            UserLayout::TwentyEight => {
                push_padded(out, self.password.as_bytes(), 5);
                push_padded(out, &self.name, 8);
                out.extend_from_slice(&self.card.to_le_bytes());
                out.push(0);
                out.push(self.group);
                out.extend_from_slice(&[0; 2]);
                let id = self.user_id.number().unwrap_or(u32::from(self.uid));
                out.extend_from_slice(&id.to_le_bytes());
            }
            UserLayout::SeventyTwo => {
                push_padded(out, self.password.as_bytes(), 8);
                // The last byte of the field stays NUL.
                push_padded(out, &self.name[..self.name.len().min(23)], 24);
                out.extend_from_slice(&self.card.to_le_bytes());
                out.push(self.group);
                out.extend_from_slice(&[0; 8]);
                out.extend_from_slice(self.user_id.field());
            }
        }
    }

    /// Reads a record that a client writes; `None` when it has another size than this terminal's own.
    pub(super) fn decode(layout: UserLayout, record: &[u8]) -> Option<Self> {
        if record.len() != layout.size() {
            return None;
        }
        let text = |field: &[u8]| String::from_utf8_lossy(until_nul(field)).into_owned();
        let (uid, privilege) = (u16_at(record, 0), record[2]);
        Some(match layout {
            UserLayout::TwentyEight => Self {
                uid,
                user_id: UserId::new(&u32_at(record, 24).to_string()),
                name: until_nul(&record[8..16]).to_vec(),
                privilege,
                card: u32_at(record, 16),
                password: text(&record[3..8]),
                group: record[21],
            },
            UserLayout::SeventyTwo => Self {
                uid,
                user_id: UserId::from_field(&record[48..72]),
                name: until_nul(&record[11..35]).to_vec(),
                privilege,
                card: u32_at(record, 35),
                password: text(&record[3..11]),
                group: record[39],
            },
        })
    }
}

/// The user list of a terminal. Cloning is cheap, so a thousand terminals can share one list and its encoded bytes.
#[derive(Debug, Clone, Default)]
pub struct UserTable(Arc<Table>);

#[derive(Debug, Default)]
struct Table {
    users: Vec<User>,
    /// Bodies of a bulk read in the two layouts, made when first asked for.
    bodies: [OnceLock<Arc<Vec<u8>>>; 2],
}

impl UserTable {
    /// The people in the order the terminal lists them.
    pub fn users(&self) -> &[User] {
        &self.0.users
    }

    pub(super) fn by_id(&self, id: UserId) -> Option<&User> {
        self.0.users.iter().find(|user| user.user_id == id)
    }

    pub(super) fn by_uid(&self, uid: u16) -> Option<&User> {
        self.0.users.iter().find(|user| user.uid == uid)
    }

    /// Adds the user, or replaces the one with the same internal index.
    pub(super) fn put(&mut self, user: User) {
        let mut users = self.0.users.clone();
        match users.iter_mut().find(|known| known.uid == user.uid) {
            Some(known) => *known = user,
            None => users.push(user),
        }
        *self = users.into();
    }

    /// Whether there was such a user.
    pub(super) fn remove(&mut self, uid: u16) -> bool {
        let before = self.0.users.len();
        let rest: Vec<User> = (self.0.users.iter())
            .filter(|user| user.uid != uid)
            .cloned()
            .collect();
        let found = rest.len() < before;
        if found {
            *self = rest.into();
        }
        found
    }

    /// Body of a bulk read: the size of the records, then the records.
    pub(super) fn body(&self, layout: UserLayout) -> Arc<Vec<u8>> {
        let slot = match layout {
            UserLayout::TwentyEight => 0,
            UserLayout::SeventyTwo => 1,
        };
        self.0.bodies[slot]
            .get_or_init(|| {
                let total = self.0.users.len() * layout.size();
                let mut body = Vec::with_capacity(4 + total);
                body.extend_from_slice(&(total as u32).to_le_bytes());
                for user in &self.0.users {
                    user.encode(layout, &mut body);
                }
                Arc::new(body)
            })
            .clone()
    }
}

impl From<Vec<User>> for UserTable {
    fn from(users: Vec<User>) -> Self {
        Self(Arc::new(Table {
            users,
            bodies: Default::default(),
        }))
    }
}

impl<const N: usize> From<[User; N]> for UserTable {
    fn from(users: [User; N]) -> Self {
        Vec::from(users).into()
    }
}

impl FromIterator<User> for UserTable {
    fn from_iter<I: IntoIterator<Item = User>>(users: I) -> Self {
        users.into_iter().collect::<Vec<_>>().into()
    }
}

fn until_nul(field: &[u8]) -> &[u8] {
    let end = field.iter().position(|byte| *byte == 0);
    &field[..end.unwrap_or(field.len())]
}

/// Appends the text cut to `width`, or padded with NULs.
fn push_padded(out: &mut Vec<u8>, text: &[u8], width: usize) {
    let kept = &text[..text.len().min(width)];
    out.extend_from_slice(kept);
    out.resize(out.len() + width - kept.len(), 0);
}

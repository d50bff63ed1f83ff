//! The user list, and writing users: 28-byte records of older terminals, 72-byte records of colour ones.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use jiff::civil::DateTime;
use serde::{Deserialize, Serialize};

use crate::command;
use crate::request::Request;
use crate::text::{NameEncoding, until_nul, user_id};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UserLayout {
    /// Black-and-white terminals; the user id is a number.
    Short28,
    /// Colour terminals; the user id is text of up to 24 bytes.
    Long72,
}

impl UserLayout {
    pub fn size(self) -> usize {
        match self {
            Self::Short28 => 28,
            Self::Long72 => 72,
        }
    }

    /// The most bytes of a name, in the terminal's code page.
    pub fn name_len(self) -> usize {
        match self {
            Self::Short28 => 8,
            // One of 24 is for the NUL.
            Self::Long72 => 23,
        }
    }

    /// The bytes of a name as it was read, which may fill its field.
    fn name_field(self) -> usize {
        match self {
            Self::Short28 => 8,
            Self::Long72 => 24,
        }
    }

    fn password_len(self) -> usize {
        match self {
            Self::Short28 => 5,
            Self::Long72 => 8,
        }
    }
}

/// The terminal's own index of a user. To be handed back to the same terminal, never shown or stored as whose a punch is: it
/// passes to somebody else when its user is deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Uid(pub(crate) u16);

impl Uid {
    /// The smallest index that no record of the list has, not even one that cannot be read, for a new user. `None` when there
    /// are 65,534.
    pub fn unused(list: &UserList) -> Option<Self> {
        let unread = list.rejected.iter();
        let unread = unread.filter_map(|record| Some(u16::from_le_bytes(*record.first_chunk()?)));
        let known = list.users.iter().map(|user| user.uid);
        let taken: BTreeSet<u16> = known.chain(unread).collect();
        (1..u16::MAX).find(|uid| !taken.contains(uid)).map(Self)
    }
}

impl fmt::Display for Uid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What a user may do at the terminal, as its byte has it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Privilege(pub u8);

impl Privilege {
    pub const USER: Self = Self(0);
    /// May enrol others.
    pub const ENROLLER: Self = Self(2);
    /// As captured from an F19. The vendor's manual has 12.
    pub const MANAGER: Self = Self(6);
    pub const SUPER_ADMIN: Self = Self(14);

    /// May open the menu of the terminal.
    pub fn is_admin(self) -> bool {
        matches!(self.0 & 0x0e, 6 | 12 | 14)
    }

    /// The terminal does not let this user in.
    pub fn is_disabled(self) -> bool {
        self.0 & 1 == 1
    }
}

/// When a user may enter. The default is what is set for their group; others are kept as they were read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Zones([u8; 8]);

/// One user as the terminal knows them.
#[derive(Clone, PartialEq, Eq)]
pub struct User {
    uid: u16,
    /// Printable ASCII. In the short layout the decimal form of its number.
    pub id: String,
    /// As stored, up to the first NUL; see [`NameEncoding`]. May be empty.
    pub name: Vec<u8>,
    pub card: u32,
    privilege: u8,
    password: Vec<u8>,
    group: u8,
    zones: Zones,
}

impl fmt::Debug for User {
    /// Without the password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("User")
            .field("uid", &self.uid)
            .field("id", &self.id)
            .field("name", &self.name.escape_ascii().to_string())
            .field("card", &self.card)
            .field("privilege", &self.privilege)
            .field("group", &self.group)
            .finish_non_exhaustive()
    }
}

impl User {
    pub fn uid(&self) -> Uid {
        Uid(self.uid)
    }

    pub fn privilege(&self) -> Privilege {
        Privilege(self.privilege)
    }

    /// May open the menu of the terminal. Super admin is 14; manager is 12 in the vendor's manual and 6 in captures.
    pub fn is_admin(&self) -> bool {
        self.privilege().is_admin()
    }

    /// For the keypad.
    pub fn has_password(&self) -> bool {
        !self.password.is_empty()
    }

    /// What to write to leave this user as they are: the start of every change. A name and a password that are not changed are
    /// written as they were read, also where they cannot be shown.
    pub fn record(&self, encoding: NameEncoding) -> UserRecord {
        UserRecord {
            uid: self.uid(),
            id: self.id.clone(),
            name: encoding.decode(&self.name),
            privilege: self.privilege(),
            password: String::from_utf8_lossy(&self.password).into_owned(),
            card: self.card,
            group: self.group,
            zones: self.zones,
            kept: Kept {
                name: self.name.clone(),
                password: self.password.clone(),
            },
        }
    }

    fn decode(record: &[u8], layout: UserLayout) -> Option<Self> {
        let word = |at: usize| u16::from_le_bytes([record[at], record[at + 1]]);
        let long = |at: usize| u32::from(word(at)) | u32::from(word(at + 2)) << 16;
        let (name, card, id) = match layout {
            UserLayout::Short28 => {
                let number = long(24);
                let id = (number != 0).then(|| number.to_string())?;
                (&record[8..16], long(16), id)
            }
            UserLayout::Long72 => {
                let id = user_id(&record[48..72])?.to_vec();
                (&record[11..35], long(35), String::from_utf8(id).ok()?)
            }
        };
        let (group, zones) = match layout {
            UserLayout::Short28 => (record[21], &record[22..24]),
            UserLayout::Long72 => (record[39], &record[40..48]),
        };
        let mut kept = Zones::default();
        kept.0[..zones.len()].copy_from_slice(zones);
        Some(Self {
            uid: word(0),
            id,
            name: until_nul(name).to_vec(),
            card,
            privilege: record[2],
            password: until_nul(&record[3..3 + layout.password_len()]).to_vec(),
            group,
            zones: kept,
        })
    }
}

/// A user to be written.
#[derive(Clone, PartialEq, Eq)]
pub struct UserRecord {
    /// Of the user to be changed, or [`Uid::unused`] for a new one.
    pub uid: Uid,
    /// Not somebody else's. Digits only and without leading zeros where records have 28 bytes.
    pub id: String,
    pub name: String,
    pub privilege: Privilege,
    /// For the keypad; empty for none.
    pub password: String,
    /// 0 for none.
    pub card: u32,
    pub group: u8,
    pub zones: Zones,
    kept: Kept,
}

/// The bytes behind the texts of a user that was read: not every one of them survives being shown.
#[derive(Clone, Default, PartialEq, Eq)]
struct Kept {
    name: Vec<u8>,
    password: Vec<u8>,
}

impl fmt::Debug for UserRecord {
    /// Without the password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UserRecord")
            .field("uid", &self.uid)
            .field("id", &self.id)
            .field("name", &self.name)
            .field("privilege", &self.privilege)
            .field("card", &self.card)
            .field("group", &self.group)
            .finish_non_exhaustive()
    }
}

/// Which field of a user a terminal cannot hold. Nothing is cut: the user would be somebody else afterwards, or have another
/// password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FieldError {
    #[error("the user id is empty or not printable ASCII")]
    Id,
    #[error("the user id has {len} characters and the terminal takes {max}")]
    IdTooLong { len: usize, max: usize },
    #[error("the terminal takes only numbers without leading zeros as user id")]
    IdNotNumber,
    #[error("the name has characters that the terminal's {encoding:?} code page does not have")]
    Name { encoding: NameEncoding },
    #[error("the name has {len} bytes and the terminal takes {max}")]
    NameTooLong { len: usize, max: usize },
    #[error("the password is not printable ASCII")]
    Password,
    #[error("the password has {len} characters and the terminal takes {max}")]
    PasswordTooLong { len: usize, max: usize },
}

impl UserRecord {
    /// A user with nothing but an id.
    pub fn new(uid: Uid, id: impl Into<String>) -> Self {
        Self {
            uid,
            id: id.into(),
            name: String::new(),
            privilege: Privilege::USER,
            password: String::new(),
            card: 0,
            group: 1,
            zones: Zones::default(),
            kept: Kept::default(),
        }
    }

    /// The record in the layout and the code page of the terminal's own user list: see [`UserList`]. In another layout the
    /// terminal would store something else, or refuse.
    ///
    /// # Errors
    /// The first field that does not fit.
    pub fn encode(
        &self,
        layout: UserLayout,
        encoding: NameEncoding,
    ) -> Result<Vec<u8>, FieldError> {
        let password = self.password_bytes(layout)?;
        let name = self.name_bytes(layout, encoding)?;
        let Uid(uid) = self.uid;
        let mut record = vec![0; layout.size()];
        let mut put = |at: usize, bytes: &[u8]| record[at..at + bytes.len()].copy_from_slice(bytes);
        put(0, &uid.to_le_bytes());
        put(2, &[self.privilege.0]);
        put(3, password);
        match layout {
            UserLayout::Short28 => {
                put(8, &name);
                put(16, &self.card.to_le_bytes());
                put(21, &[self.group]);
                put(22, &self.zones.0[..2]);
                put(24, &self.id_number()?.to_le_bytes());
            }
            UserLayout::Long72 => {
                put(11, &name);
                put(35, &self.card.to_le_bytes());
                put(39, &[self.group]);
                put(40, &self.zones.0);
                put(48, id_bytes(&self.id)?);
            }
        }
        Ok(record)
    }

    /// How a terminal that has stored this record lists its user, to be compared with what is read afterwards.
    ///
    /// # Errors
    /// See [`Self::encode`].
    pub fn as_listed(
        &self,
        layout: UserLayout,
        encoding: NameEncoding,
    ) -> Result<User, FieldError> {
        let record = self.encode(layout, encoding)?;
        Ok(User::decode(&record, layout).expect("a record with a user id"))
    }

    /// Writes the user, new or changed. To be followed by [`crate::control::refresh_data`].
    ///
    /// # Errors
    /// See [`Self::encode`].
    pub fn write(&self, layout: UserLayout, encoding: NameEncoding) -> Result<Request, FieldError> {
        let record = self.encode(layout, encoding)?;
        Ok(Request::new(command::USER_WRQ, record))
    }

    fn name_bytes(
        &self,
        layout: UserLayout,
        encoding: NameEncoding,
    ) -> Result<Vec<u8>, FieldError> {
        let kept = &self.kept.name;
        if kept.len() <= layout.name_field() && encoding.decode(kept) == self.name {
            return Ok(kept.clone());
        }
        let name = encoding
            .encode(&self.name)
            .ok_or(FieldError::Name { encoding })?;
        let (len, max) = (name.len(), layout.name_len());
        match len <= max {
            true => Ok(name),
            false => Err(FieldError::NameTooLong { len, max }),
        }
    }

    fn password_bytes(&self, layout: UserLayout) -> Result<&[u8], FieldError> {
        let kept = &self.kept.password;
        if kept.len() <= layout.password_len() && String::from_utf8_lossy(kept) == self.password {
            return Ok(kept);
        }
        let password = self.password.as_bytes();
        let (len, max) = (password.len(), layout.password_len());
        if !password.iter().all(u8::is_ascii_graphic) {
            return Err(FieldError::Password);
        }
        match len <= max {
            true => Ok(password),
            false => Err(FieldError::PasswordTooLong { len, max }),
        }
    }

    fn id_number(&self) -> Result<u32, FieldError> {
        let number = self.id.parse().ok().filter(|number: &u32| *number != 0);
        number
            .filter(|number| number.to_string() == self.id)
            .ok_or(FieldError::IdNotNumber)
    }
}

/// Deletes a user with everything that is stored about them but their punches. To be followed by
/// [`crate::control::refresh_data`].
pub fn delete(Uid(uid): Uid) -> Request {
    Request::new(command::DELETE_USER, uid.to_le_bytes())
}

/// A user id for a field of 24 bytes, which comes back as it was written.
pub(crate) fn id_bytes(id: &str) -> Result<&[u8], FieldError> {
    const MAX: usize = 24;
    if user_id(id.as_bytes()) != Some(id.as_bytes()) {
        return Err(FieldError::Id);
    }
    match id.len() <= MAX {
        true => Ok(id.as_bytes()),
        false => Err(FieldError::IdTooLong {
            len: id.len(),
            max: MAX,
        }),
    }
}

/// Whose internal number is whose, and was, for the log layout that has nothing else. A terminal gives the number of somebody
/// who was deleted to the next newcomer; the leaver's records stay the leaver's.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserIndex(BTreeMap<u16, Vec<Holder>>);

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Holder {
    /// From which wall time of the terminal on.
    from: DateTime,
    id: String,
}

impl UserIndex {
    /// As if everybody had always had the number of today.
    pub fn of(users: &[User]) -> Self {
        Self::default().renewed(users, DateTime::MIN)
    }

    /// With the list of today, when the list before it was read at `since`: a number that now is somebody else's was that only
    /// afterwards. One that nobody was known to have may always have been theirs.
    pub fn renewed(mut self, users: &[User], since: DateTime) -> Self {
        for user in users {
            let holders = self.0.entry(user.uid).or_default();
            if holders.last().is_none_or(|last| last.id != user.id) {
                holders.retain(|holder| holder.from < since);
                let from = match holders.is_empty() {
                    true => DateTime::MIN,
                    false => since,
                };
                let id = user.id.clone();
                holders.push(Holder { from, id });
            }
        }
        self
    }

    /// Who had this number at that wall time.
    pub(crate) fn id(&self, uid: u16, at: DateTime) -> Option<&str> {
        let holders = self.0.get(&uid)?;
        let holder = holders.iter().rev().find(|holder| holder.from <= at);
        holder.map(|holder| holder.id.as_str())
    }
}

/// A decoded user list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UserList {
    pub users: Vec<User>,
    /// Records without a user id, as they came.
    pub rejected: Vec<Vec<u8>>,
    /// How the names are written.
    pub encoding: NameEncoding,
    /// How the records are laid out; `None` when there are none.
    pub layout: Option<UserLayout>,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UserListError {
    #[error("the user list announces {announced} bytes and has {received}")]
    Length { announced: u32, received: usize },
    #[error(
        "the user list of {total} bytes is no list of 28 or 72-byte records, it begins {start:02x?}"
    )]
    Layout { total: usize, start: Vec<u8> },
}

/// Decodes the body of a user read: its length, then the records.
///
/// `count` is the terminal's user counter. It is only needed where both record sizes divide the length, and may be off by a
/// user who was enrolled a moment ago.
///
/// # Errors
/// `Length` when the body is cut or too long; `Layout` when most records would have no user id.
pub fn decode(body: &[u8], count: Option<u32>) -> Result<UserList, UserListError> {
    let Some((total, records)) = body.split_first_chunk::<4>() else {
        return if body.is_empty() {
            Ok(UserList::default())
        } else {
            Err(UserListError::Length {
                announced: 0,
                received: body.len(),
            })
        };
    };
    let announced = u32::from_le_bytes(*total);
    if announced as usize != records.len() {
        return Err(UserListError::Length {
            announced,
            received: records.len(),
        });
    }
    let layout_error = || UserListError::Layout {
        total: records.len(),
        start: records[..records.len().min(128)].to_vec(),
    };
    let layout = find_layout(records, count).ok_or_else(layout_error)?;
    let mut list = UserList::default();
    for record in records.chunks_exact(layout.size()) {
        match User::decode(record, layout) {
            Some(user) => list.users.push(user),
            None => list.rejected.push(record.to_vec()),
        }
    }
    if list.rejected.len() > list.users.len() {
        return Err(layout_error());
    }
    list.layout = (!records.is_empty()).then_some(layout);
    list.encoding = NameEncoding::of(list.users.iter().map(|user| user.name.as_slice()));
    Ok(list)
}

fn find_layout(records: &[u8], count: Option<u32>) -> Option<UserLayout> {
    let fits = |layout: &UserLayout| records.len().is_multiple_of(layout.size());
    let candidates: Vec<_> = [UserLayout::Long72, UserLayout::Short28]
        .into_iter()
        .filter(fits)
        .collect();
    if let [only] = candidates[..] {
        return Some(only);
    }
    let good = |layout: UserLayout| {
        let decoded = |record: &&[u8]| User::decode(record, layout).is_some();
        records.chunks_exact(layout.size()).filter(decoded).count()
    };
    // 504 bytes are 7 long or 18 short records. Short ones read as long have no text where the id should be; long ones read
    // as short have numbers there, so the long layout is asked first and the counter only decides when it is exact.
    let exact = |layout: &UserLayout| {
        count.is_some_and(|count| count as usize * layout.size() == records.len())
    };
    candidates
        .iter()
        .copied()
        .find(|layout| good(*layout) * layout.size() == records.len())
        .or_else(|| candidates.iter().copied().find(exact))
        .or_else(|| candidates.first().copied())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::testdata::named;

    fn golden(name: &str) -> Vec<u8> {
        named(include_str!("../testdata/users.txt"), name)
    }

    fn body(records: &[u8]) -> Vec<u8> {
        let mut body = (records.len() as u32).to_le_bytes().to_vec();
        body.extend_from_slice(records);
        body
    }

    #[test]
    fn golden_users() {
        let check = |name: &str, uid, id: &str, user_name: &str, card, admin| {
            let list = decode(&body(&golden(name)), Some(1)).expect("a user list");
            let [user] = &list.users[..] else {
                panic!("{name}: one user")
            };
            assert_eq!(
                (user.uid, user.id.as_str(), user.card, user.is_admin()),
                (uid, id, card, admin),
                "{name}"
            );
            assert_eq!(list.encoding.decode(&user.name), user_name, "{name}");
        };
        check("user28", 38, "90210", "Ana", 6543, false);
        check("user72", 38, "90210", "Ana", 6543, true);
        check("f19", 14, "11224488", "Nuevo", 6543, true);
    }

    #[test]
    fn two_users_inline() {
        let list = decode(&golden("inline_body"), Some(2)).expect("a user list");
        let users: Vec<_> = list
            .users
            .iter()
            .map(|user| (user.id.as_str(), list.encoding.decode(&user.name)))
            .collect();
        assert_eq!(
            users,
            [("1000", "User1".to_owned()), ("1001", "User2".to_owned())]
        );
        let index = UserIndex::of(&list.users);
        let now = DateTime::MAX;
        assert_eq!((index.id(2, now), index.id(3, now)), (Some("1001"), None));
    }

    #[test]
    fn the_record_size_does_not_need_an_exact_counter() {
        // 504 bytes: seven long records or eighteen short ones.
        for count in [None, Some(6), Some(7), Some(18)] {
            let long = decode(&body(&golden("user72").repeat(7)), count);
            assert_eq!(long.map(|list| list.users.len()), Ok(7), "{count:?}");
            let short = decode(&body(&golden("user28").repeat(18)), count);
            assert_eq!(short.map(|list| list.users.len()), Ok(18), "{count:?}");
        }
    }

    #[test]
    fn records_without_an_id_are_kept_aside() {
        let mut records = golden("user72").repeat(3);
        records[48..72].fill(0);
        let list = decode(&body(&records), Some(3)).expect("a user list");
        assert_eq!((list.users.len(), list.rejected.len()), (2, 1));
        assert_eq!(list.rejected[0], records[..72]);
    }

    #[test]
    fn lists_that_are_none() {
        assert_eq!(decode(&[], None), Ok(UserList::default()));
        assert_eq!(decode(&[0; 4], None), Ok(UserList::default()));
        let cut = &body(&golden("user72"))[..70];
        assert!(matches!(
            decode(cut, Some(1)),
            Err(UserListError::Length {
                announced: 72,
                received: 66
            })
        ));
        assert!(matches!(
            decode(&body(&[0; 73]), Some(1)),
            Err(UserListError::Layout { total: 73, .. })
        ));
        assert!(matches!(
            decode(&body(&[0xff; 72]), Some(1)),
            Err(UserListError::Layout { .. })
        ));
    }

    fn ana() -> UserRecord {
        UserRecord {
            name: "Ana".to_owned(),
            password: "1234".to_owned(),
            privilege: Privilege::SUPER_ADMIN,
            card: 6543,
            ..UserRecord::new(Uid(38), "90210")
        }
    }

    #[test]
    fn golden_users_are_written() {
        let written = |record: &UserRecord, layout| record.encode(layout, NameEncoding::Utf8);
        assert_eq!(written(&ana(), UserLayout::Long72), Ok(golden("user72")));
        let plain = UserRecord {
            password: "12345".to_owned(),
            privilege: Privilege::USER,
            ..ana()
        };
        assert_eq!(written(&plain, UserLayout::Short28), Ok(golden("user28")));
        let nuevo = UserRecord {
            uid: Uid(14),
            id: "11224488".to_owned(),
            name: "Nuevo".to_owned(),
            password: "123456".to_owned(),
            privilege: Privilege::MANAGER,
            ..ana()
        };
        let mut captured = golden("f19");
        captured[10] = 0; // left over behind the password
        assert_eq!(written(&nuevo, UserLayout::Long72), Ok(captured));
    }

    #[test]
    fn a_user_is_written_as_they_were_read() {
        for name in ["user28", "user72", "text_group", "zones28"] {
            let record = golden(name);
            let list = decode(&body(&record), Some(1)).expect("a user list");
            let layout = list.layout.expect("a record");
            let user = list.users[0].record(list.encoding);
            assert_eq!(user.encode(layout, list.encoding), Ok(record), "{name}");
        }
    }

    #[test]
    fn what_cannot_be_shown_is_written_as_it_was() {
        let mut bytes = golden("user72");
        bytes[3..7].copy_from_slice(b"\xff\x01 2"); // a password of no keypad
        bytes[11..35].copy_from_slice(b" \xff\xfeA name without an end");
        let list = decode(&body(&bytes), Some(1)).expect("a user list");
        let mut record = list.users[0].record(list.encoding);
        record.card = 7;
        bytes[35..39].copy_from_slice(&[7, 0, 0, 0]);
        let layout = UserLayout::Long72;
        assert_eq!(record.encode(layout, list.encoding), Ok(bytes.clone()));
        let listed = decode(&body(&bytes), Some(1)).expect("a user list").users;
        let expected = record.as_listed(layout, list.encoding);
        assert_eq!(expected.as_ref(), Ok(&listed[0]));
        record.name = "Ana".to_owned();
        record.password.clear();
        let changed = record.as_listed(layout, list.encoding).expect("it fits");
        assert_eq!(
            (&*changed.name, changed.has_password()),
            (&b"Ana"[..], false)
        );
        // A name that fills another layout's field does not fit here.
        let record = list.users[0].record(list.encoding);
        let short = record.encode(UserLayout::Short28, list.encoding);
        assert!(
            matches!(short, Err(FieldError::NameTooLong { max: 8, .. })),
            "{short:?}"
        );
    }

    #[test]
    fn fields_that_do_not_fit_are_named() {
        let check = |change: &dyn Fn(&mut UserRecord), layout, expected| {
            let mut record = ana();
            change(&mut record);
            let encoded = record.encode(layout, NameEncoding::Windows1256);
            assert_eq!(encoded.map(|_| ()), expected);
        };
        let (short, long) = (UserLayout::Short28, UserLayout::Long72);
        let id = |id: &'static str| move |record: &mut UserRecord| record.id = id.to_owned();
        check(&id("A-007"), long, Ok(()));
        check(&id("123456789012345678901234"), long, Ok(()));
        let too_long = FieldError::IdTooLong { len: 25, max: 24 };
        check(&id("1234567890123456789012345"), long, Err(too_long));
        for bad in ["", " 7", "7\0", "\u{667}"] {
            check(&id(bad), long, Err(FieldError::Id));
        }
        check(&id("4294967295"), short, Ok(()));
        for bad in ["", "0", "007", "+7", "A7", "4294967296"] {
            check(&id(bad), short, Err(FieldError::IdNotNumber));
        }
        let name =
            |name: &'static str| move |record: &mut UserRecord| record.name = name.to_owned();
        check(&name(""), long, Ok(()));
        check(&name("12345678901234567890123"), long, Ok(()));
        let too_long = |len, max| Err(FieldError::NameTooLong { len, max });
        check(&name("123456789012345678901234"), long, too_long(24, 23));
        check(&name("12345678"), short, Ok(()));
        check(&name("123456789"), short, too_long(9, 8));
        let encoding = NameEncoding::Windows1256;
        for bad in ["\u{5f20}", "A\0"] {
            check(&name(bad), long, Err(FieldError::Name { encoding }));
        }
        let password = |password: &'static str| {
            move |record: &mut UserRecord| record.password = password.to_owned()
        };
        check(&password("12345678"), long, Ok(()));
        let too_long = |len, max| Err(FieldError::PasswordTooLong { len, max });
        check(&password("123456789"), long, too_long(9, 8));
        check(&password("12345"), short, Ok(()));
        check(&password("123456"), short, too_long(6, 5));
        check(&password("12\0"), long, Err(FieldError::Password));
    }

    #[test]
    fn passwords_are_not_shown() {
        let list = decode(&body(&golden("user28")), Some(1)).expect("a user list");
        let shown = format!("{list:?} {:?}", list.users[0].record(list.encoding));
        assert!(
            !shown.contains("12345") && shown.contains("90210"),
            "{shown}"
        );
    }

    #[test]
    fn a_new_user_gets_an_index_nobody_has() {
        let mut list = decode(&golden("inline_body"), Some(2)).expect("a user list");
        assert_eq!(Uid::unused(&UserList::default()), Some(Uid(1)));
        assert_eq!(Uid::unused(&list), Some(Uid(3)));
        list.users.remove(0);
        assert_eq!(Uid::unused(&list), Some(Uid(1)));
        // Without a readable id, but with an index.
        list.rejected.push(vec![1, 0, 0]);
        assert_eq!(Uid::unused(&list), Some(Uid(3)));
    }

    #[test]
    fn privileges() {
        let check = |byte, admin, disabled| {
            let privilege = Privilege(byte);
            assert_eq!(
                (privilege.is_admin(), privilege.is_disabled()),
                (admin, disabled)
            );
        };
        check(0, false, false);
        check(2, false, false);
        check(6, true, false);
        check(12, true, false);
        check(14, true, false);
        check(1, false, true);
        check(15, true, true);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(
            uid in 1u16.., id in "[!-~]([ -~]{0,22}[!-~])?", number in 1u32..,
            name in "([a-z\u{f6}]([a-z ]{0,5}[a-z])?)?", password in "[0-9]{0,5}",
            privilege: u8, card: u32, group: u8, zones: [u8; 8],
        ) {
            for layout in [UserLayout::Short28, UserLayout::Long72] {
                let (id, zones) = match layout {
                    UserLayout::Short28 => (number.to_string(), [zones[0], zones[1], 0, 0, 0, 0, 0, 0]),
                    UserLayout::Long72 => (id.clone(), zones),
                };
                let record = UserRecord {
                    uid: Uid(uid), id, name: name.clone(), password: password.clone(),
                    privilege: Privilege(privilege), card, group, zones: Zones(zones),
                    kept: Kept::default(),
                };
                let bytes = match record.encode(layout, NameEncoding::Utf8) {
                    Err(FieldError::NameTooLong { max: 8, .. }) => continue,
                    bytes => bytes.expect("fields that fit"),
                };
                let read = User::decode(&bytes, layout).expect("a user");
                let again = read.record(NameEncoding::Utf8);
                prop_assert_eq!(UserRecord { kept: Kept::default(), ..again }, record);
            }
        }

        #[test]
        fn no_input_panics(bytes in proptest::collection::vec(any::<u8>(), 0..600), count: Option<u32>) {
            let _ = decode(&bytes, count);
            let _ = decode(&body(&bytes), count);
        }
    }
}

//! The user list: 28-byte records of older terminals, 72-byte records of colour ones.

use std::collections::BTreeMap;

use jiff::civil::DateTime;
use serde::{Deserialize, Serialize};

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
}

/// One user as the terminal knows them. The internal index (`uid`) stays inside this crate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    uid: u16,
    /// Printable ASCII. In the short layout the decimal form of its number.
    pub id: String,
    /// As stored, up to the first NUL; see [`NameEncoding`]. May be empty.
    pub name: Vec<u8>,
    pub card: u32,
    privilege: u8,
}

impl User {
    /// May open the menu of the terminal. Super admin is 14; manager is 12 in the vendor's manual and 6 in captures.
    pub fn is_admin(&self) -> bool {
        matches!(self.privilege & 0x0e, 6 | 12 | 14)
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
        Some(Self {
            uid: word(0),
            id,
            name: until_nul(name).to_vec(),
            card,
            privilege: record[2],
        })
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
    use crate::testdata::{hex, vectors};

    fn golden(name: &str) -> Vec<u8> {
        let vector = vectors(include_str!("../testdata/users.txt"))
            .into_iter()
            .find(|vector| vector[0] == name)
            .expect("a named line");
        hex(&vector[1])
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

    proptest! {
        #[test]
        fn no_input_panics(bytes in proptest::collection::vec(any::<u8>(), 0..600), count: Option<u32>) {
            let _ = decode(&bytes, count);
            let _ = decode(&body(&bytes), count);
        }
    }
}

//! The numbers by which terminals name people and cards, and lists of them that are never empty.

use std::fmt;

use serde::Serialize;

/// The number of a person on a terminal: opaque, 1 to 32 bytes. `007` and `7` are two people.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(transparent)]
pub struct EmployeeNo(String);

impl EmployeeNo {
    const LONGEST: usize = 32;

    /// `None` for what no terminal can have: nothing but blanks, control characters, more than 32 bytes.
    pub fn parse(text: &str) -> Option<Self> {
        named(text, Self::LONGEST).map(Self)
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for EmployeeNo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The number of a card: text of 1 to 20 bytes. Zeros in front and case count.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct CardNo(String);

impl CardNo {
    const LONGEST: usize = 20;

    /// `None` for what no card can have: nothing but blanks, control characters, more than 20 bytes.
    pub fn parse(text: &str) -> Option<Self> {
        named(text, Self::LONGEST).map(Self)
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for CardNo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn named(text: &str, longest: usize) -> Option<String> {
    let text = text.trim();
    let fits = !text.is_empty() && text.len() <= longest && !text.contains(char::is_control);
    fits.then(|| text.to_owned())
}

/// A list with something in it: the only list a deletion takes, because a terminal understands an empty one as everybody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NonEmpty<T> {
    first: T,
    rest: Vec<T>,
}

impl<T> NonEmpty<T> {
    pub fn one(first: T) -> Self {
        let rest = Vec::new();
        Self { first, rest }
    }

    /// `None` when there is nothing.
    pub fn from_items(items: impl IntoIterator<Item = T>) -> Option<Self> {
        let mut items = items.into_iter();
        let first = items.next()?;
        Some(Self {
            first,
            rest: items.collect(),
        })
    }

    pub fn iter(&self) -> impl Iterator<Item = &T> {
        std::iter::once(&self.first).chain(&self.rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_never_empty_and_keeps_its_zeros() {
        let person = |text: &str| EmployeeNo::parse(text).map(|number| number.to_string());
        assert_eq!(person(" 007 ").as_deref(), Some("007"));
        assert_eq!(person(&"7".repeat(32)), Some("7".repeat(32)));
        for bad in ["", "  ", "\0", "1\n2", &"7".repeat(33)] {
            assert_eq!(person(bad), None, "{bad:?}");
        }
        let card = |text: &str| CardNo::parse(text).map(|number| number.to_string());
        assert_eq!(card("00AbCd").as_deref(), Some("00AbCd"));
        assert_eq!((card(""), card(&"1".repeat(21))), (None, None));
    }

    #[test]
    fn there_is_no_list_of_nothing() {
        assert_eq!(NonEmpty::<u8>::from_items([]), None);
        let list = NonEmpty::from_items([1, 2, 3]).expect("three");
        assert_eq!(list.iter().copied().collect::<Vec<_>>(), [1, 2, 3]);
        assert_eq!(NonEmpty::one(7).iter().count(), 1);
    }
}

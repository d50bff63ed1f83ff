//! How alike a name on a terminal and a person's name are. It only proposes: nobody's punches are counted by likeness.

/// The likelier, the greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Likeness {
    /// One word begins like the first word of the other name.
    Begins,
    /// Every word of the shorter name has its like in the other, mistyped or cut off.
    Close,
    Same,
}

/// Terminals have short names in capitals, cut off or typed by ear: `RUKSANA B` for Rukhsana Bibi.
pub(super) fn likeness(on_device: &str, person: &str) -> Option<Likeness> {
    let (device, person) = (parts(on_device), parts(person));
    if device.is_empty() || person.is_empty() {
        return None;
    }
    let sorted = |parts: &[String]| {
        let mut parts = parts.to_vec();
        parts.sort();
        parts
    };
    if sorted(&device) == sorted(&person) {
        return Some(Likeness::Same);
    }
    let (short, long) = if device.len() <= person.len() {
        (&device, &person)
    } else {
        (&person, &device)
    };
    let mut rest: Vec<&String> = long.iter().collect();
    // Whole words first, so that an initial does not take the place of the word it stands beside.
    let mut by_length: Vec<&String> = short.iter().collect();
    by_length.sort_by_key(|part| std::cmp::Reverse(part.chars().count()));
    let mut whole = 0;
    for part in &by_length {
        let Some(at) = rest.iter().position(|other| alike(part, other)) else {
            return begins(&device, &person).then_some(Likeness::Begins);
        };
        whole += usize::from(part.chars().count() > 1 && rest[at].chars().count() > 1);
        rest.remove(at);
    }
    match whole {
        0 => None, // initials alone say nothing
        _ if short.len() > 1 || long.len() == 1 => Some(Likeness::Close),
        _ => Some(Likeness::Begins),
    }
}

/// Words of a name in small letters, without marks and signs.
fn parts(name: &str) -> Vec<String> {
    name.split(|c: char| !c.is_alphanumeric() && c != '\'')
        .map(|part| {
            part.chars()
                .filter(|c| *c != '\'')
                .flat_map(char::to_lowercase)
                .collect()
        })
        .filter(|part: &String| !part.is_empty())
        .collect()
}

/// The same but for a letter or two, or one is an initial or the cut-off beginning of the other.
fn alike(one: &str, other: &str) -> bool {
    let (short, long) = if one.len() <= other.len() {
        (one, other)
    } else {
        (other, one)
    };
    let letters = short.chars().count();
    if (letters == 1 || letters >= 4) && long.starts_with(short) {
        return true;
    }
    let allowed = match letters {
        0..=3 => 0,
        4..=5 => 1,
        _ => 2,
    };
    distance(one, other) <= allowed
}

/// The first words have their first three letters in common.
fn begins(device: &[String], person: &[String]) -> bool {
    let head = |parts: &[String]| parts[0].chars().take(3).collect::<String>();
    let (one, other) = (head(device), head(person));
    one.chars().count() == 3 && one == other
}

/// How many letters have to be put in, taken out or replaced.
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (i, a) in one.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b) in other.iter().enumerate() {
            let replaced = diagonal + usize::from(a != *b);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(on_device: &str, person: &str, expected: Option<Likeness>) {
        assert_eq!(
            likeness(on_device, person),
            expected,
            "{on_device} and {person}"
        );
    }

    #[test]
    fn names_on_terminals_are_short_and_typed_by_ear() {
        check("Rukhsana Bibi", "Rukhsana Bibi", Some(Likeness::Same));
        check("BIBI RUKHSANA", "Rukhsana Bibi", Some(Likeness::Same));
        check("RUKSANA B", "Rukhsana Bibi", Some(Likeness::Close));
        check("Sohail Wasti", "Sohail Vasti", Some(Likeness::Close));
        check(
            "Katarina Jovan",
            "Katarina Jovanović",
            Some(Likeness::Close),
        );
        check("PRIYA", "Priya Raghunathan", Some(Likeness::Begins));
        check("RUBI Y", "Rukhsana Bibi", None);
        check("RUKSANA B", "Rukmini Devi", Some(Likeness::Begins));
    }

    #[test]
    fn little_in_common_is_nothing() {
        check("", "Rukhsana Bibi", None);
        check("R B", "Rukhsana Bibi", None);
        check("Ali", "Ann", None);
        check("Sohail Wasti", "Priya Raghunathan", None);
        check("?!", "Priya", None);
    }

    #[test]
    fn a_distance_counts_letters() {
        assert_eq!(distance("ruksana", "rukhsana"), 1);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("kitten", "sitting"), 3);
    }
}

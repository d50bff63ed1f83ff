//! Whose punch it is: the employee behind a device user, on a date.
//!
//! Texts are compared where they are stored, exactly after trimming: zeros and case count. Here is only which of the found
//! candidates it is.

use jiff::civil::Date;

use crate::EmployeeId;
use crate::punch::named_set;

named_set! {
    /// What connects a device user with an employee, the strongest first.
    MatchBy {
        /// A dated statement of a person.
        #[default]
        Link = "link",
        /// The employee's number on the terminals.
        DeviceId = "device_id",
        Code = "code",
        Username = "username",
    }
}

/// An employee that a device user could be, at one level. All dates are inclusive; `None` is open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    pub employee: EmployeeId,
    pub by: MatchBy,
    pub employed_from: Option<Date>,
    pub employed_to: Option<Date>,
    /// Only for [`MatchBy::Link`].
    pub linked_from: Option<Date>,
    pub linked_to: Option<Date>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Match {
    One {
        employee: EmployeeId,
        by: MatchBy,
    },
    /// Several people at one level: a person decides, we never guess whose hours these are.
    Ambiguous {
        by: MatchBy,
    },
    Nobody,
}

impl Match {
    pub fn employee(self) -> Option<EmployeeId> {
        match self {
            Self::One { employee, .. } => Some(employee),
            Self::Ambiguous { .. } | Self::Nobody => None,
        }
    }
}

/// The employee among `candidates` on a date: by explicit link, then the employee's number on the terminals, then employee
/// code, then username.
///
/// Only people employed on the date count, so a number may pass from a leaver to a joiner. Two people at one level stop the
/// search: a weaker level never decides for a stronger one. The order of the candidates is irrelevant.
///
/// If nobody was employed on the date, whoever was on the day before or after: the exit of a last night shift lies on the day
/// after it (R27).
pub fn find_employee(candidates: &[Candidate], on: Date) -> Match {
    [Some(on), on.yesterday().ok(), on.tomorrow().ok()]
        .into_iter()
        .flatten()
        .map(|employed_on| find_on(candidates, on, employed_on))
        .find(|found| *found != Match::Nobody)
        .unwrap_or(Match::Nobody)
}

fn find_on(candidates: &[Candidate], on: Date, employed_on: Date) -> Match {
    for &by in MatchBy::ALL {
        let mut fitting = candidates
            .iter()
            .filter(|c| c.by == by && c.fits(on, employed_on))
            .map(|c| c.employee);
        let Some(employee) = fitting.next() else {
            continue;
        };
        return if fitting.all(|other| other == employee) {
            Match::One { employee, by }
        } else {
            Match::Ambiguous { by }
        };
    }
    Match::Nobody
}

impl Candidate {
    fn fits(&self, on: Date, employed_on: Date) -> bool {
        let within = |day: Date, from: Option<Date>, to: Option<Date>| {
            from.is_none_or(|d| d <= day) && to.is_none_or(|d| day <= d)
        };
        within(employed_on, self.employed_from, self.employed_to)
            && within(on, self.linked_from, self.linked_to)
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    const ON: Date = date(2026, 3, 2);

    fn candidate(employee: i64, by: MatchBy) -> Candidate {
        Candidate {
            employee: EmployeeId(employee),
            by,
            employed_from: None,
            employed_to: None,
            linked_from: None,
            linked_to: None,
        }
    }

    #[track_caller]
    fn check(candidates: &[Candidate], expected: Match) {
        assert_eq!(find_employee(candidates, ON), expected);
        let reversed: Vec<_> = candidates.iter().rev().cloned().collect();
        assert_eq!(find_employee(&reversed, ON), expected, "in the other order");
    }

    fn one(employee: i64, by: MatchBy) -> Match {
        Match::One {
            employee: EmployeeId(employee),
            by,
        }
    }

    #[test]
    fn the_strongest_level_decides() {
        check(&[], Match::Nobody);
        check(
            &[candidate(3, MatchBy::Username)],
            one(3, MatchBy::Username),
        );
        check(
            &[candidate(2, MatchBy::Code), candidate(3, MatchBy::Username)],
            one(2, MatchBy::Code),
        );
        check(
            &[candidate(1, MatchBy::DeviceId), candidate(2, MatchBy::Code)],
            one(1, MatchBy::DeviceId),
        );
        check(
            &[candidate(1, MatchBy::DeviceId), candidate(4, MatchBy::Link)],
            one(4, MatchBy::Link),
        );
    }

    #[test]
    fn two_people_at_one_level_stop_the_search() {
        let two = [
            candidate(1, MatchBy::DeviceId),
            candidate(2, MatchBy::DeviceId),
            candidate(3, MatchBy::Code),
        ];
        check(
            &two,
            Match::Ambiguous {
                by: MatchBy::DeviceId,
            },
        );
        check(
            &[candidate(1, MatchBy::Link), candidate(1, MatchBy::Link)],
            one(1, MatchBy::Link),
        );
    }

    #[test]
    fn a_number_passes_from_a_leaver_to_a_joiner() {
        let leaver = Candidate {
            employed_to: Some(date(2026, 3, 1)),
            ..candidate(1, MatchBy::DeviceId)
        };
        let joiner = Candidate {
            employed_from: Some(ON),
            ..candidate(2, MatchBy::DeviceId)
        };
        check(&[leaver.clone(), joiner.clone()], one(2, MatchBy::DeviceId));
        assert_eq!(
            find_employee(&[leaver, joiner], date(2026, 3, 1)),
            one(1, MatchBy::DeviceId)
        );
    }

    #[test]
    fn the_exit_of_a_last_night_shift_keeps_its_owner() {
        let leaver = |last| Candidate {
            employed_to: Some(last),
            ..candidate(1, MatchBy::Code)
        };
        check(&[leaver(date(2026, 3, 1))], one(1, MatchBy::Code));
        check(&[leaver(date(2026, 2, 28))], Match::Nobody);
    }

    #[test]
    fn a_link_holds_on_its_dates_only() {
        let past = Candidate {
            linked_to: Some(date(2026, 3, 1)),
            ..candidate(1, MatchBy::Link)
        };
        check(&[past, candidate(2, MatchBy::Code)], one(2, MatchBy::Code));
        let from_tomorrow = Candidate {
            linked_from: Some(date(2026, 3, 3)),
            ..candidate(1, MatchBy::Link)
        };
        check(&[from_tomorrow], Match::Nobody);
        let from_today = Candidate {
            linked_from: Some(ON),
            ..candidate(1, MatchBy::Link)
        };
        check(
            &[from_today, candidate(2, MatchBy::Code)],
            one(1, MatchBy::Link),
        );
    }
}

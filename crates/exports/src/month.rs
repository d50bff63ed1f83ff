//! A month, as addresses and file names have it.

use std::fmt;
use std::str::FromStr;

use jiff::ToSpan;
use jiff::civil::{Date, date};

/// A calendar month.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Month {
    first: Date,
}

#[derive(Debug, thiserror::Error)]
#[error("{0:?} is no month such as 2026-05")]
pub struct NotAMonth(String);

impl Month {
    /// The month of a day.
    pub fn of(day: Date) -> Self {
        Self {
            first: day.first_of_month(),
        }
    }

    pub fn first(self) -> Date {
        self.first
    }

    pub fn last(self) -> Date {
        self.first.last_of_month()
    }

    pub fn days(self) -> impl Iterator<Item = Date> {
        let days = self.first.days_in_month();
        self.first
            .series(1.day())
            .take(usize::try_from(days).unwrap_or(0))
    }

    /// The month before; itself at the beginning of the calendar.
    pub fn previous(self) -> Self {
        Self {
            first: self.first.saturating_sub(1.month()).first_of_month(),
        }
    }

    pub fn next(self) -> Self {
        Self {
            first: self.first.saturating_add(1.month()).first_of_month(),
        }
    }

    /// The month from its `begins_on`-th day of the month before, if that is not the first, to the day before that.
    pub fn period(self, begins_on: i8) -> (Date, Date) {
        if begins_on <= 1 {
            return (self.first(), self.last());
        }
        let begin = |month: Self| {
            let first = month.first;
            date(first.year(), first.month(), begins_on.min(28))
        };
        let to = begin(self).yesterday().unwrap_or(self.first);
        (begin(self.previous()), to)
    }
}

impl fmt::Display for Month {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}", self.first.year(), self.first.month())
    }
}

impl FromStr for Month {
    type Err = NotAMonth;

    fn from_str(text: &str) -> Result<Self, NotAMonth> {
        let digits =
            |text: &str, length| text.len() == length && text.bytes().all(|b| b.is_ascii_digit());
        let first = text
            .split_once('-')
            .filter(|(year, month)| digits(year, 4) && digits(month, 2))
            .and_then(|(year, month)| Date::new(year.parse().ok()?, month.parse().ok()?, 1).ok());
        match first {
            Some(first) => Ok(Self { first }),
            None => Err(NotAMonth(text.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn months_are_read_strictly_and_written_as_they_are_read() {
        let month: Month = "2026-02".parse().unwrap();
        assert_eq!(month.to_string(), "2026-02");
        assert_eq!(
            (month.days().count(), month.last()),
            (28, date(2026, 2, 28))
        );
        assert_eq!(month.previous().to_string(), "2026-01");
        assert_eq!(month.next().to_string(), "2026-03");
        for wrong in [
            "2026-2",
            "2026-13",
            "2026-00",
            "2026-05-01",
            "+026-05",
            "",
            "may",
        ] {
            assert!(wrong.parse::<Month>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_period_may_begin_within_a_month() {
        let month: Month = "2026-03".parse().unwrap();
        assert_eq!(month.period(1), (date(2026, 3, 1), date(2026, 3, 31)));
        assert_eq!(month.period(21), (date(2026, 2, 21), date(2026, 3, 20)));
        assert_eq!(
            month.next().period(21).0,
            date(2026, 3, 21),
            "without a hole"
        );
    }
}

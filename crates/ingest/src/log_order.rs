//! Punches a terminal wrote while its clock was wrong, recognised by the order of its log.
//!
//! A log is written in order of time. Where its clocks run backwards by more than a change of summer time and some setting of
//! the clock explain, either the part before was ahead or the part after is behind; the smaller number of punches is taken to
//! be the wrong one.

use jiff::{SignedDuration, Timestamp};
use store::punches::CLOCK_TOLERANCE as SLACK;

/// What a terminal writes late is some days old; a clock that lost its time falls back by years.
const LATE: SignedDuration = SignedDuration::from_hours(31 * 24);

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Suspects {
    /// One flag per punch, in the order of the log.
    pub flags: Vec<bool>,
    /// The times in which the clock was wrong, between the right punches around them; open where there is none after.
    pub gaps: Vec<(Timestamp, Option<Timestamp>)>,
}

impl Suspects {
    pub(crate) fn none(punches: usize) -> Self {
        Self {
            flags: vec![false; punches],
            gaps: Vec::new(),
        }
    }
}

/// Finds the suspects of a log, given as instants in the order in which they were written. `trusted` is the latest instant of
/// what is known to have been written before them, on a clock that was right.
pub(crate) fn suspects(log: &[Timestamp], trusted: Option<Timestamp>) -> Suspects {
    let fallen =
        |instant: Timestamp| trusted.is_some_and(|trusted| trusted.duration_since(instant) > LATE);
    if log.is_sorted() && !log.first().is_some_and(|first| fallen(*first)) {
        return Suspects::none(log.len());
    }
    let (places, possible): (Vec<usize>, Vec<Timestamp>) = log
        .iter()
        .copied()
        .enumerate()
        .filter(|(_, instant)| !fallen(*instant))
        .unzip();
    let mut kept = vec![false; log.len()];
    for (place, keep) in places.into_iter().zip(longest_rising(&possible)) {
        kept[place] = keep;
    }
    let mut next_kept = vec![None; log.len()];
    let mut after = None;
    for (at, &keep) in kept.iter().enumerate().rev() {
        next_kept[at] = after;
        if keep {
            after = Some(log[at]);
        }
    }
    let mut found = Suspects::none(log.len());
    let mut before = None;
    for (at, &instant) in log.iter().enumerate() {
        if kept[at] {
            before = Some(instant);
            continue;
        }
        let fallen = fallen(instant);
        let behind = before.is_some_and(|before: Timestamp| before.duration_since(instant) > SLACK);
        let ahead = next_kept[at].is_some_and(|after| instant.duration_since(after) > SLACK);
        if fallen || behind || ahead {
            found.flags[at] = true;
            if let Some(from) = before.or(trusted.filter(|_| fallen)) {
                let gap = (from, next_kept[at].map(|to: Timestamp| to.max(from)));
                if found.gaps.last() != Some(&gap) {
                    found.gaps.push(gap);
                }
            }
        }
    }
    found
}

/// Which elements belong to a longest subsequence that never falls. Of several, the one with the latest times, because a
/// clock that loses its battery falls back.
fn longest_rising(log: &[Timestamp]) -> Vec<bool> {
    // Searched from the end: starts[n] is the place of the latest element that begins a rising sequence of n + 1.
    let mut starts: Vec<usize> = Vec::new();
    let mut next: Vec<Option<usize>> = vec![None; log.len()];
    for (at, instant) in log.iter().enumerate().rev() {
        let length = starts.partition_point(|&start| log[start] >= *instant);
        next[at] = length.checked_sub(1).map(|shorter| starts[shorter]);
        match starts.get_mut(length) {
            Some(start) => *start = at,
            None => starts.push(at),
        }
    }
    let mut kept = vec![false; log.len()];
    let mut at = starts.last().copied();
    while let Some(place) = at {
        kept[place] = true;
        at = next[place];
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Minutes of a day in the order of the log; the expected suspects by place.
    #[track_caller]
    fn check(minutes: &[i64], expected: &[usize], gaps: &[(i64, Option<i64>)]) {
        check_after(None, minutes, expected, gaps);
    }

    #[track_caller]
    fn check_after(
        trusted: Option<i64>,
        minutes: &[i64],
        expected: &[usize],
        gaps: &[(i64, Option<i64>)],
    ) {
        let at = |minute: i64| Timestamp::UNIX_EPOCH + SignedDuration::from_mins(minute);
        let log: Vec<_> = minutes.iter().map(|minute| at(*minute)).collect();
        let found = suspects(&log, trusted.map(at));
        let flagged: Vec<_> = (0..log.len()).filter(|&place| found.flags[place]).collect();
        assert_eq!(flagged, expected);
        let gaps: Vec<_> = gaps
            .iter()
            .map(|(from, to)| (at(*from), to.map(at)))
            .collect();
        assert_eq!(found.gaps, gaps);
    }

    #[test]
    fn a_log_in_order_is_trusted() {
        check(&[], &[], &[]);
        check(&[1, 2, 2, 900], &[], &[]);
    }

    #[test]
    fn a_change_of_summer_time_is_trusted() {
        check(&[100, 170, 110, 180], &[], &[]);
    }

    #[test]
    fn a_clock_that_fell_back_for_a_while() {
        check(
            &[1000, 1010, 5, 10, 1100, 1110],
            &[2, 3],
            &[(1010, Some(1100))],
        );
    }

    #[test]
    fn a_clock_that_was_ahead_for_a_while() {
        check(
            &[1000, 1010, 9000, 9010, 1100, 1110, 1120],
            &[2, 3],
            &[(1010, Some(1100))],
        );
    }

    #[test]
    fn a_log_goes_on_after_what_is_trusted() {
        let trusted = 1_000_000;
        let check = |log: &[i64], expected: &[usize], gaps: &[(i64, Option<i64>)]| {
            check_after(Some(trusted), log, expected, gaps);
        };
        check(&[trusted - 10_000, trusted + 10], &[], &[]); // rows that came late
        check(&[5], &[0], &[(trusted, None)]);
        let next = trusted + 100;
        check(&[5, 10, 15, next], &[0, 1, 2], &[(trusted, Some(next))]);
    }

    #[test]
    fn a_clock_that_is_wrong_at_the_end() {
        check(&[1000, 1010, 1020, 5, 10], &[3, 4], &[(1020, None)]);
    }
}

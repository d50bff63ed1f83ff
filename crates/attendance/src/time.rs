//! Time inside the engine: instants are whole seconds since 1970 (R9), wall times are seconds of the site's clock.
//!
//! The zone is asked once per judgement; everything after is arithmetic. Types of `jiff` are used at the edges only.

use jiff::civil::{Date, DateTime};
use jiff::tz::{Offset, TimeZone};
use jiff::{SignedDuration, Timestamp};

use crate::report::Moment;
use crate::shift::HourMinute;

pub(crate) const MINUTE: i64 = 60;
const DAY: i64 = 86_400;
const EPOCH: Date = jiff::civil::date(1970, 1, 1);

/// A policy value in minutes as seconds.
pub(crate) fn minutes(count: u32) -> i64 {
    i64::from(count) * MINUTE
}

/// Whole minutes as printed, rounded down (R9).
pub(crate) fn printed(seconds: i64) -> u32 {
    u32::try_from(seconds.max(0) / MINUTE).unwrap_or(u32::MAX)
}

/// The whole second of an instant.
pub(crate) fn second_of(instant: Timestamp) -> i64 {
    // `jiff` cuts off towards 1970.
    instant.as_second() - i64::from(instant.subsec_nanosecond() < 0)
}

/// Beyond the years that `jiff` knows the last instant of them: no clock of a terminal or of a person may end the judging.
pub(crate) fn timestamp(second: i64) -> Timestamp {
    let limit = if second < 0 {
        Timestamp::MIN
    } else {
        Timestamp::MAX
    };
    Timestamp::from_second(second).unwrap_or(limit)
}

/// Real time from `from` (inclusive) to `to` (exclusive).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    pub from: i64,
    pub to: i64,
}

impl Span {
    pub(crate) fn new(from: i64, to: i64) -> Self {
        Self { from, to }
    }

    pub(crate) fn len(self) -> i64 {
        (self.to - self.from).max(0)
    }

    pub(crate) fn contains(self, instant: i64) -> bool {
        self.from <= instant && instant < self.to
    }

    pub(crate) fn middle(self) -> i64 {
        self.from + (self.to - self.from).div_euclid(2)
    }

    pub(crate) fn meet(self, other: Self) -> Option<Self> {
        let both = Self::new(self.from.max(other.from), self.to.min(other.to));
        (both.from < both.to).then_some(both)
    }
}

/// Seconds in `spans`, which do not overlap.
pub(crate) fn total(spans: &[Span]) -> i64 {
    spans.iter().map(|span| span.len()).sum()
}

/// Seconds of `spans` inside `part`.
pub(crate) fn total_within(spans: &[Span], part: Span) -> i64 {
    spans
        .iter()
        .filter_map(|span| span.meet(part))
        .map(Span::len)
        .sum()
}

/// Takes `hole` out of `spans`, which stay sorted.
pub(crate) fn cut_out(spans: &mut Vec<Span>, hole: Span) {
    let mut at = 0;
    while at < spans.len() {
        let span = spans[at];
        let Some(cut) = span.meet(hole) else {
            at += 1;
            continue;
        };
        let before = Span::new(span.from, cut.from);
        let after = Span::new(cut.to, span.to);
        match (before.len() > 0, after.len() > 0) {
            (true, true) => {
                spans[at] = before;
                spans.insert(at + 1, after);
                at += 2;
            }
            (true, false) => {
                spans[at] = before;
                at += 1;
            }
            (false, true) => {
                spans[at] = after;
                at += 1;
            }
            (false, false) => {
                spans.remove(at);
            }
        }
    }
}

/// Sorts, drops what is empty and joins what overlaps or touches.
pub(crate) fn unite(spans: &mut Vec<Span>) {
    spans.retain(|span| span.len() > 0);
    spans.sort_unstable_by_key(|span| (span.from, span.to));
    spans.dedup_by(|next, last| {
        let joins = next.from <= last.to;
        if joins {
            last.to = last.to.max(next.to);
        }
        joins
    });
}

/// A date as days since 1970-01-01.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Day(pub i64);

impl Day {
    pub(crate) fn of(date: Date) -> Self {
        Self(date.duration_since(EPOCH).as_hours() / 24)
    }

    pub(crate) fn date(self) -> Date {
        wall_time(self.0 * DAY).date()
    }

    pub(crate) fn plus(self, days: i64) -> Self {
        Self(self.0 + days)
    }

    /// 0 is Monday.
    pub(crate) fn weekday(self) -> usize {
        (self.0 + 3).rem_euclid(7) as usize
    }

    /// The wall second `minutes` after the midnight that begins the day.
    pub(crate) fn wall(self, minutes: i64) -> i64 {
        self.0 * DAY + minutes * MINUTE
    }

    pub(crate) fn of_wall(wall: i64) -> Self {
        Self(wall.div_euclid(DAY))
    }
}

fn wall_time(second: i64) -> DateTime {
    Offset::UTC.to_datetime(timestamp(second))
}

/// The site's zone with its offsets around the judged days looked up once.
#[derive(Debug)]
pub(crate) struct SiteZone {
    /// From which instant which offset applies, in seconds; the first entry applies before it, too.
    offsets: Vec<(i64, i64)>,
}

impl SiteZone {
    /// Exact from a week before `first` to a week after `last`.
    pub(crate) fn new(zone: &TimeZone, first: Day, last: Day) -> Self {
        let from = timestamp(first.plus(-7).wall(0));
        let to = timestamp(last.plus(8).wall(0));
        let mut offsets = Vec::with_capacity(2);
        offsets.push((from.as_second(), i64::from(zone.to_offset(from).seconds())));
        for change in zone.following(from) {
            if change.timestamp() > to {
                break;
            }
            offsets.push((
                change.timestamp().as_second(),
                i64::from(change.offset().seconds()),
            ));
        }
        Self { offsets }
    }

    /// R4: in a gap and in a repeated hour the offset before the change applies.
    pub(crate) fn instant(&self, wall: i64) -> i64 {
        let mut before = self.offsets[0].1;
        for &(from, after) in &self.offsets[1..] {
            if wall < from + before.max(after) {
                break;
            }
            before = after;
        }
        wall - before
    }

    /// The site's wall clock at an instant.
    pub(crate) fn wall(&self, instant: i64) -> i64 {
        let past = self.offsets[1..]
            .iter()
            .take_while(|(from, _)| *from <= instant);
        instant + past.last().unwrap_or(&self.offsets[0]).1
    }

    pub(crate) fn place(&self, day: Day, time: HourMinute) -> i64 {
        self.instant(day.wall(i64::from(time.minutes())))
    }

    pub(crate) fn moment(&self, instant: i64) -> Moment {
        Moment {
            wall: wall_time(self.wall(instant)),
            instant: timestamp(instant),
        }
    }

    /// The day whose `day_start` … next `day_start` contains the instant (R25, R26).
    pub(crate) fn day_containing(&self, instant: i64, day_start: HourMinute) -> Day {
        let start = i64::from(day_start.minutes());
        let near = Day::of_wall(self.wall(instant) - start * MINUTE);
        // On the days of a clock change the boundary may lie an hour beside the wall time.
        if instant < self.place(near, day_start) {
            near.plus(-1)
        } else if instant >= self.place(near.plus(1), day_start) {
            near.plus(1)
        } else {
            near
        }
    }
}

/// For rounding on the wall clock: seconds after the midnight of the site.
pub(crate) fn second_of_day(wall: i64) -> i64 {
    wall.rem_euclid(DAY)
}

/// An instant moved by seconds, for limits of stored times.
pub(crate) fn ceil_second(instant: Timestamp) -> i64 {
    let whole = second_of(instant);
    if instant.duration_since(timestamp(whole)) > SignedDuration::ZERO {
        whole + 1
    } else {
        whole
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zone(name: &str, day: &str) -> SiteZone {
        let day = Day::of(day.parse().unwrap());
        SiteZone::new(&TimeZone::get(name).unwrap(), day, day)
    }

    /// A wall time as seconds of that clock since 1970-01-01 00:00 on it.
    fn wall_second(wall: DateTime) -> i64 {
        Offset::UTC.to_timestamp(wall).unwrap().as_second()
    }

    /// The wall time read by our arithmetic and by `jiff` itself.
    #[track_caller]
    fn check(name: &str, wall: &str) {
        let wall: DateTime = wall.parse().unwrap();
        let site = zone(name, &wall.date().to_string());
        let expected = TimeZone::get(name)
            .unwrap()
            .to_ambiguous_timestamp(wall)
            .compatible()
            .unwrap();
        let ours = site.instant(wall_second(wall));
        assert_eq!(timestamp(ours), expected);
        let shown = TimeZone::get(name).unwrap().to_datetime(expected);
        assert_eq!(site.moment(ours).wall, shown);
    }

    #[test]
    fn wall_times_are_read_as_r4_says() {
        for zone in ["America/New_York", "Australia/Lord_Howe", "Europe/Dublin"] {
            for hour in 0..24 {
                for minute in [0, 29, 30, 59] {
                    for day in [
                        "2026-03-08",
                        "2026-11-01",
                        "2026-04-05",
                        "2026-10-04",
                        "2026-03-29",
                    ] {
                        check(zone, &format!("{day}T{hour:02}:{minute:02}:00"));
                    }
                }
            }
        }
        check("Pacific/Apia", "2026-03-02T09:00:00");
        check("Pacific/Pago_Pago", "2026-03-02T09:00:00");
        check("Asia/Kolkata", "2026-03-02T09:00:00");
    }

    #[test]
    fn no_year_is_too_far() {
        let far = SiteZone::new(
            &TimeZone::UTC,
            Day(i64::from(i32::MIN)),
            Day(i64::from(i32::MAX)),
        );
        assert_eq!(far.moment(i64::MAX).instant, Timestamp::MAX);
        assert_eq!(Day(i64::from(i32::MAX)).date().year(), 9999);
        assert_eq!(Day(i64::from(i32::MIN)).date().year(), -9999);
    }

    #[test]
    fn days_know_their_date_and_weekday() {
        for (date, weekday) in [("1970-01-01", 3), ("2026-03-02", 0), ("1969-12-28", 6)] {
            let date: Date = date.parse().unwrap();
            assert_eq!(Day::of(date).date(), date);
            assert_eq!(Day::of(date).weekday(), weekday);
        }
    }

    #[test]
    fn cutting_leaves_what_is_outside() {
        let mut spans = vec![Span::new(0, 10), Span::new(20, 30)];
        cut_out(&mut spans, Span::new(4, 6));
        cut_out(&mut spans, Span::new(8, 25));
        cut_out(&mut spans, Span::new(40, 50));
        assert_eq!(spans, [Span::new(0, 4), Span::new(6, 8), Span::new(25, 30)]);
        assert_eq!(total(&spans), 11);
        assert_eq!(total_within(&spans, Span::new(3, 7)), 2);
    }

    #[test]
    fn uniting_joins_what_touches() {
        let mut spans = vec![
            Span::new(5, 9),
            Span::new(0, 5),
            Span::new(7, 8),
            Span::new(12, 12),
            Span::new(20, 21),
        ];
        unite(&mut spans);
        assert_eq!(spans, [Span::new(0, 9), Span::new(20, 21)]);
    }
}

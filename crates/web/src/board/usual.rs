//! The usual arrivals of a weekday: for each minute the median of earlier same weekdays, and the range between them.

use std::collections::{BTreeMap, BTreeSet};

use jiff::ToSpan;
use jiff::civil::Date;
use store::views::board::{self, ArrivalCount, DepartmentArrivals};
use store::{Store, StoreError};

/// Minutes of a day.
pub const DAY: usize = 24 * 60;
/// How many same weekdays are compared, at most and at least.
const MOST: usize = 8;
const LEAST: usize = 3;
/// How far back the search for them goes, in weeks.
const WEEKS: i64 = 16;

/// Running totals of people in, by minute of the day.
#[derive(Clone, Debug, PartialEq)]
pub struct Usual {
    /// How many days were compared.
    pub days: usize,
    /// For each minute, people in up to and including it: least, median, most.
    pub minutes: Vec<[f64; 3]>,
}

impl Usual {
    /// Reads the same weekdays before `day`, without holidays. `None` when there are fewer than three of them.
    pub async fn load(store: &Store, site: i64, day: Date) -> Result<Option<Self>, StoreError> {
        let days = same_weekdays(store, site, day).await?;
        let counts = board::arrivals(store, site, &days).await?;
        Ok(Self::of(&counts))
    }

    /// The same from counts that were read already. Days without any arrival are no working days and are left out.
    fn of(counts: &[ArrivalCount]) -> Option<Self> {
        let mut days: BTreeMap<&str, Vec<u32>> = BTreeMap::new();
        for count in counts {
            let arrivals = days.entry(&count.workday).or_insert_with(|| vec![0; DAY]);
            let at = minute_of(&count.minute).and_then(|minute| arrivals.get_mut(minute));
            if let Some(people) = at {
                *people += u32::try_from(count.people).unwrap_or_default();
            }
        }
        let mut days: Vec<Vec<u32>> = days.into_values().rev().take(MOST).collect();
        if days.len() < LEAST {
            return None;
        }
        for arrivals in &mut days {
            let mut total = 0;
            for people in arrivals {
                total += *people;
                *people = total;
            }
        }
        let minutes = (0..DAY)
            .map(|minute| {
                let mut people: Vec<u32> = days.iter().map(|day| day[minute]).collect();
                people.sort_unstable();
                let most = people[people.len() - 1];
                [f64::from(people[0]), median(&people), f64::from(most)]
            })
            .collect();
        Some(Self {
            days: days.len(),
            minutes,
        })
    }

    /// How many are usually in at that minute, rounded.
    pub fn at(&self, minute: usize) -> i64 {
        let [_, median, _] = self.minutes[minute.min(DAY - 1)];
        rounded(median)
    }
}

/// How many of each department usually have come at a minute `HH:MM`, rounded; nothing of less than three same weekdays.
pub async fn usual_departments(
    store: &Store,
    site: i64,
    day: Date,
    minute: &str,
) -> Result<BTreeMap<i64, i64>, StoreError> {
    let days = same_weekdays(store, site, day).await?;
    let counts = board::arrivals_by_department(store, site, &days, minute).await?;
    Ok(departments_of(&counts))
}

/// Days without any arrival are no working days and are left out; on the others nobody of a department is nobody.
fn departments_of(counts: &[DepartmentArrivals]) -> BTreeMap<i64, i64> {
    let mut days: BTreeMap<&str, BTreeMap<i64, u32>> = BTreeMap::new();
    for count in counts {
        let people = u32::try_from(count.people).unwrap_or_default();
        let day = days.entry(&count.workday).or_default();
        day.insert(count.department_id, people);
    }
    let days: Vec<_> = days.into_values().rev().take(MOST).collect();
    if days.len() < LEAST {
        return BTreeMap::new();
    }
    let departments: BTreeSet<i64> = days.iter().flat_map(|day| day.keys().copied()).collect();
    let usual = departments.into_iter().map(|department| {
        let come = days.iter().map(|day| day.get(&department).copied());
        let mut come: Vec<u32> = come.map(Option::unwrap_or_default).collect();
        come.sort_unstable();
        (department, rounded(median(&come)))
    });
    usual.collect()
}

/// The same weekdays before `day`, without holidays.
async fn same_weekdays(store: &Store, site: i64, day: Date) -> Result<Vec<String>, StoreError> {
    let back = |weeks: i64| day.saturating_sub(weeks.weeks());
    let first = back(WEEKS).to_string();
    let holidays = board::holidays(store, site, &first, &day.to_string()).await?;
    Ok((1..=WEEKS)
        .map(|weeks| back(weeks).to_string())
        .filter(|day| !holidays.contains(day))
        .collect())
}

#[expect(clippy::cast_possible_truncation, reason = "a number of people")]
fn rounded(people: f64) -> i64 {
    people.round() as i64
}

/// Minutes since midnight of `HH:MM`.
pub fn minute_of(text: &str) -> Option<usize> {
    let (hours, minutes) = text.split_once(':')?;
    let minute = hours.parse::<usize>().ok()? * 60 + minutes.get(..2)?.parse::<usize>().ok()?;
    (minute < DAY).then_some(minute)
}

/// Of sorted numbers, at least one.
fn median(sorted: &[u32]) -> f64 {
    let half = sorted.len() / 2;
    if sorted.len().is_multiple_of(2) {
        f64::midpoint(f64::from(sorted[half - 1]), f64::from(sorted[half]))
    } else {
        f64::from(sorted[half])
    }
}

/// The usual first in of a person: the median minute of at least three earlier ones, as `HH:MM`.
pub fn usual_time(first_ins: &[&str]) -> Option<String> {
    let minutes = first_ins
        .iter()
        .filter_map(|wall| minute_of(wall.get(11..16)?))
        .map(|minute| u32::try_from(minute).unwrap_or_default());
    let mut minutes: Vec<u32> = minutes.collect();
    if minutes.len() < LEAST {
        return None;
    }
    minutes.sort_unstable();
    let middle = minutes[minutes.len() / 2];
    Some(format!("{:02}:{:02}", middle / 60, middle % 60))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(workday: &str, minute: &str, people: i64) -> ArrivalCount {
        ArrivalCount {
            workday: workday.into(),
            minute: minute.into(),
            people,
        }
    }

    #[test]
    fn the_usual_is_a_median_of_running_totals() {
        let counts = [
            count("2026-05-05", "08:58", 2),
            count("2026-05-05", "09:01", 1),
            count("2026-04-28", "08:59", 4),
            count("2026-04-21", "09:00", 3),
        ];
        let usual = Usual::of(&counts).expect("three days");
        let at = |text| usual.minutes[minute_of(text).expect("a time")];
        assert_eq!(at("08:57"), [0.0, 0.0, 0.0]);
        assert_eq!(at("08:59"), [0.0, 2.0, 4.0]);
        assert_eq!(at("09:01"), [3.0, 3.0, 4.0]);
        assert_eq!(at("23:59"), [3.0, 3.0, 4.0]);
        assert_eq!(Usual::of(&counts[..3]), None, "two days are no habit");
    }

    #[test]
    fn only_the_newest_eight_days_count() {
        let counts: Vec<_> = (1..=9)
            .map(|day| count(&format!("2026-03-{day:02}"), "09:00", day))
            .collect();
        let usual = Usual::of(&counts).expect("nine days");
        assert_eq!((usual.days, usual.minutes[540]), (8, [2.0, 5.5, 9.0]));
    }

    #[test]
    fn a_person_needs_three_days_for_a_habit() {
        let days = [
            "2026-05-04 08:39:10",
            "2026-05-05 08:52:00",
            "2026-05-06 08:20:00",
        ];
        assert_eq!(usual_time(&days).as_deref(), Some("08:39"));
        assert_eq!(usual_time(&days[..2]), None);
    }
}

//! The morning brief: what there is to say of a day once most people should have come, in sentences. It stays as it was at its
//! minute, but for what the terminals told later.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::Time;
use store::views::devices::Outage;
use store::{Store, StoreError};

use super::facts::Facts;
use super::segment::Segment;
use super::usual::{minute_of, usual_departments};
use crate::format;
use crate::text::{Msg, msg};

/// The minute of the brief, unless the setting `brief_time` says another.
const USUAL_TIME: &str = "09:20";
/// A department is unusual when so many people more or fewer have come than usually,
const UNUSUAL_PEOPLE: i64 = 2;
/// and that is this share of the usual, in per cent.
const UNUSUAL_PCT: i64 = 20;

/// What the brief needs besides the facts of the board. Read once a day and when earlier days change.
#[derive(Clone, Debug, Default)]
pub struct BriefFacts {
    /// `HH:MM` on the site's clock.
    minute: String,
    /// By department.
    usual: BTreeMap<i64, i64>,
}

impl BriefFacts {
    pub async fn load(
        store: &Store,
        site: i64,
        day: jiff::civil::Date,
    ) -> Result<Self, StoreError> {
        let minute = store.setting("brief_time").await?;
        let minute = minute.filter(|minute| minute_of(minute).is_some());
        let minute = minute.unwrap_or_else(|| USUAL_TIME.to_owned());
        Ok(Self {
            usual: usual_departments(store, site, day, &minute).await?,
            minute,
        })
    }
}

/// What is said; in order of weight.
#[derive(Debug)]
pub struct Brief {
    /// `HH:MM`.
    pub time: String,
    pub arrived: usize,
    pub expected: usize,
    pub late: usize,
    pub usual: Option<i64>,
    pub sentences: Vec<Msg>,
}

impl Brief {
    /// `None` before its minute, and on a day on which nobody is expected.
    pub fn of(facts: &Facts, now: Timestamp) -> Option<Self> {
        let of = &facts.brief;
        let minute = minute_of(&of.minute)?;
        let at = Time::midnight().saturating_add(jiff::Span::new().minutes(minute as i64));
        let at = facts.day.to_datetime(at).to_zoned(facts.zone.clone());
        let at = at.ok()?.timestamp();
        if now < at {
            return None;
        }
        let expected = facts.people.iter().filter(|person| {
            let segment = Segment::of_person(person);
            segment.expected() && segment != Segment::NotDue
        });
        let expected: Vec<_> = expected.collect();
        if expected.is_empty() {
            return None;
        }
        let today = facts.day.to_string();
        let came = |first_in: Option<&str>| {
            first_in.is_some_and(|wall| {
                // Whoever came before midnight is here too.
                wall < today.as_str()
                    || minute_of(format::wall_minutes(wall)).is_some_and(|then| then <= minute)
            })
        };
        let arrived = expected
            .iter()
            .filter(|person| came(person.first_in.as_deref()));
        let late = arrived
            .clone()
            .filter(|person| person.late_min.unwrap_or(0) > 0);
        let mut by_department: BTreeMap<i64, (String, i64)> = BTreeMap::new();
        for person in &expected {
            if let (Some(id), Some(name)) = (person.department_id, &person.department) {
                let (_, people) = by_department.entry(id).or_insert_with(|| (name.clone(), 0));
                *people += i64::from(came(person.first_in.as_deref()));
            }
        }
        let usual = facts.usual.as_ref().as_ref().map(|usual| usual.at(minute));
        let mut brief = Self {
            time: of.minute.clone(),
            arrived: arrived.count(),
            expected: expected.len(),
            late: late.count(),
            usual,
            sentences: Vec::new(),
        };
        brief.say_arrivals(facts);
        brief.say_departments(&of.usual, &by_department);
        brief.say_devices(facts, at);
        Some(brief)
    }

    fn say_arrivals(&mut self, facts: &Facts) {
        let text = msg("brief-arrived")
            .count("arrived", self.arrived)
            .count("expected", self.expected);
        self.sentences.push(text);
        if let Some(usual) = self.usual {
            let text = msg("brief-usual")
                .count("usual", usual)
                .with("weekday", format::weekday(facts.day));
            self.sentences.push(text);
        }
        let text = match self.late {
            0 => msg("brief-nobody-late"),
            late => msg("brief-late").count("late", late),
        };
        self.sentences.push(text);
    }

    /// The departments furthest from the usual first.
    fn say_departments(
        &mut self,
        usual: &BTreeMap<i64, i64>,
        today: &BTreeMap<i64, (String, i64)>,
    ) {
        let mut unusual: Vec<_> = today
            .iter()
            .filter_map(|(id, (name, people))| {
                let usual = *usual.get(id)?;
                let off = (people - usual).abs();
                let far = off >= UNUSUAL_PEOPLE && off * 100 >= usual * UNUSUAL_PCT;
                far.then_some((off, name, *people, usual))
            })
            .collect();
        unusual.sort_by_key(|(off, name, ..)| (-off, *name));
        for (_, name, people, usual) in unusual {
            let text = msg("brief-department")
                .with("department", name.clone())
                .count("people", people)
                .count("usual", usual);
            self.sentences.push(text);
        }
    }

    fn say_devices(&mut self, facts: &Facts, at: Timestamp) {
        let down = |outage: &&Outage| {
            format::instant(outage.began_ms) <= at
                && outage
                    .ended_ms
                    .is_none_or(|ended| format::instant(ended) > at)
        };
        let mut names: Vec<&str> = facts
            .outages
            .iter()
            .filter(down)
            .filter_map(|outage| {
                let device = facts.devices.iter().find(|one| one.id == outage.device_id);
                device.map(|device| device.name.as_str())
            })
            .collect();
        names.sort_unstable();
        names.dedup();
        let text = match names.as_slice() {
            [] => msg("brief-devices-well"),
            names => msg("brief-devices-down")
                .count("count", names.len())
                .with("devices", names.join(", ")),
        };
        self.sentences.push(text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn departments_far_from_the_usual_are_named_the_furthest_first() {
        let usual = BTreeMap::from([(1, 10), (2, 10), (3, 30), (4, 2), (5, 0)]);
        let today = [
            (1, "Sales", 4),
            (2, "Store", 9),
            (3, "Works", 26),
            (4, "Office", 0),
            (5, "New", 2),
        ];
        let today = today.map(|(id, name, people)| (id, (name.to_owned(), people)));
        let mut brief = Brief {
            time: USUAL_TIME.to_owned(),
            arrived: 0,
            expected: 0,
            late: 0,
            usual: None,
            sentences: Vec::new(),
        };
        brief.say_departments(&usual, &BTreeMap::from(today));
        let said: Vec<String> = brief.sentences.iter().map(Msg::to_string).collect();
        let plain: Vec<String> = said
            .iter()
            .map(|text| text.replace(['\u{2068}', '\u{2069}'], ""))
            .collect();
        assert_eq!(
            plain,
            [
                "Sales: 4 in, usually 10.",
                "New: 2 in, usually 0.",
                "Office: 0 in, usually 2.",
            ],
            "neither one of ten nor four of thirty"
        );
    }
}

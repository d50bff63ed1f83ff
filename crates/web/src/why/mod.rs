//! Why a day reads as it does: the engine's facts (R120) with what the store knows beside them, for the page, for JSON and for
//! the command line.
//!
//! Judges nothing. [`Story`] puts it into words.

mod history;
mod limits;
mod punches;
mod story;

use std::collections::HashMap;

use attendance::{EmployeeId, Fact, Report, Stage, Status};
use ingest::{Engine, Explanation, IngestError};
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};
use serde_json::{Value, json};
use store::reports::ReportFields;
use store::views::people::{self, PersonPunch, PersonRow};
use store::views::why::{self, Said, Undecided, Version};

pub(crate) use punches::short_use;
pub(crate) use story::Summary;
pub use story::{Mark, Row, Step, Story};

use crate::format;

/// Evidence so many days around a workday can take part in its judgement.
const DAYS_AROUND: i64 = 3;
/// More than anybody punches in a week.
const PUNCHES: i64 = 1000;

/// One workday of one person.
#[derive(Clone, Debug)]
pub struct Why {
    pub person: PersonRow,
    pub workday: Date,
    pub now: Timestamp,
    /// Asked for: the day as it was known then.
    pub at: Option<Timestamp>,
    /// What the report said at that instant, or says; `None` when there was none.
    pub says: Option<ReportFields>,
    pub judged_at: Option<Timestamp>,
    /// The way there, from today's evidence as far as it was known then.
    pub derived: Report,
    pub derived_at: Timestamp,
    /// Columns in which the derivation differs from the report: evidence was rewritten since.
    pub differs: Vec<String>,
    /// Oldest first; with `at` those known then.
    pub versions: Vec<Version>,
    devices: HashMap<String, String>,
    said: Vec<Said>,
    undecided: Vec<Undecided>,
}

impl Why {
    /// `None`: nobody has that code.
    ///
    /// # Errors
    /// When the database cannot be read, or the stored rules cannot be used.
    pub async fn of(
        engine: &Engine,
        code: &str,
        workday: Date,
        at: Option<Timestamp>,
    ) -> Result<Option<Self>, IngestError> {
        let store = &engine.store;
        let Some(person) = people::by_code(store, code).await? else {
            return Ok(None);
        };
        let now = engine.clock.now();
        let explained = engine
            .judge
            .explain(EmployeeId(person.id), &[workday], at)
            .await?;
        let Some(Explanation {
            report: mut derived,
            at: derived_at,
            stored,
        }) = explained.into_iter().next()
        else {
            return Ok(None);
        };
        let (from_ms, to_ms) = around(workday, &format::zone(&person.zone));
        let punches = why::punches(store, person.id, from_ms, to_ms, PUNCHES).await?;
        let said = why::said(store, person.id, from_ms, to_ms).await?;
        let names = why::device_names(store).await?;
        let devices: HashMap<_, _> = names
            .into_iter()
            .map(|device| (device.serial_number, device.name))
            .collect();
        tell_of_punches(&mut derived, &punches, &said, &format::zone(&person.zone));

        let mut versions = why::versions(store, person.id, &workday.to_string()).await?;
        versions.retain(|version| at.is_none_or(|at| version.judged_at <= at));
        let (says, judged_at) = match (at, stored) {
            (None, Some(stored)) => (Some(stored.says), Some(stored.judged_at)),
            (None, None) => (None, None),
            (Some(_), _) => match versions.last() {
                Some(version) => (version.says.clone(), Some(version.judged_at)),
                None => (None, None),
            },
        };
        let differs = match &says {
            Some(says) => says.differences(&ReportFields::from(&derived)),
            None => Vec::new(),
        };
        let undecided = match derived.derivation.facts.iter().any(is_short_gap) {
            true => why::undecided(store, from_ms, to_ms).await?,
            false => Vec::new(),
        };
        Ok(Some(Self {
            workday,
            now,
            at,
            says,
            judged_at,
            derived,
            derived_at,
            differs,
            versions,
            devices,
            said,
            undecided,
            person,
        }))
    }

    pub fn zone(&self) -> TimeZone {
        format::zone(&self.person.zone)
    }

    /// R110: nothing can be corrected.
    pub fn is_closed(&self) -> bool {
        self.derived.stage == Stage::Locked
    }

    pub fn employed(&self) -> bool {
        self.derived.status != Status::NotEmployed
    }

    /// Whether it is a punch that this account added, and that still counts.
    pub(crate) fn can_be_undone(&self, correction: i64, account: i64) -> bool {
        let voids = |entry: &Said| entry.void_correction_id == Some(correction);
        self.said.iter().any(|entry| {
            entry.id == correction && entry.kind == "add" && entry.author_id == Some(account)
        }) && !self.said.iter().any(voids)
    }

    fn facts<'w>(&'w self, topic: &'w str) -> impl Iterator<Item = &'w Fact> {
        let facts = self.derived.derivation.facts.iter();
        facts.filter(move |fact| fact.topic == topic)
    }

    fn fact(&self, topic: &str) -> Option<&Value> {
        let mut facts = self.derived.derivation.facts.iter();
        let fact = facts.find(|fact| fact.topic == topic)?;
        Some(&fact.values)
    }

    /// For scripts. Instants are in UTC, wall times those of the site.
    pub fn json(&self) -> Value {
        let version = |version: &Version| {
            json!({
                "judged_at": version.judged_at,
                "cause": version.cause,
                "report": version.says,
            })
        };
        json!({
            "employee": { "code": self.person.code, "name": self.person.name(), "zone": self.person.zone },
            "workday": self.workday,
            "now": self.now,
            "known_at": self.at,
            "report": self.says,
            "judged_at": self.judged_at,
            "derived_at": self.derived_at,
            "differs": self.differs,
            "derived": if self.differs.is_empty() { None } else { Some(ReportFields::from(&self.derived)) },
            "changes_after_close": self.derived.changes_after_close,
            "facts": self.derived.derivation.facts,
            "versions": self.versions.iter().map(version).collect::<Vec<_>>(),
        })
    }
}

/// An instant as people write it: `2026-03-04T10:00` is wall time of the site, with an offset or `Z` it is any place's.
pub fn read_instant(text: &str, zone: &TimeZone) -> Option<Timestamp> {
    let text = text.trim();
    let date_only = || text.parse::<Date>().ok().map(|date| date.at(0, 0, 0, 0));
    text.parse::<Timestamp>().ok().or_else(|| {
        let wall = text.parse::<DateTime>().ok().or_else(date_only)?;
        zone.to_timestamp(wall).ok()
    })
}

/// The milliseconds within which the evidence of a workday lies.
pub(crate) fn around(workday: Date, zone: &TimeZone) -> (i64, i64) {
    let midnight = |days: i64| {
        let day = workday.saturating_add(Span::new().days(days));
        let start = zone.to_timestamp(day.at(0, 0, 0, 0));
        start.unwrap_or(Timestamp::MAX).as_millisecond()
    };
    (midnight(-DAYS_AROUND), midnight(DAYS_AROUND + 1))
}

/// The store knows by which way a punch came and how the person identified; and the punches of a day on which nobody is
/// employed, which has no derivation.
fn tell_of_punches(report: &mut Report, punches: &[PersonPunch], said: &[Said], zone: &TimeZone) {
    let facts = &mut report.derivation.facts;
    if report.status == Status::NotEmployed {
        facts.extend(report.ignored.iter().map(|(id, reason)| {
            let mut values = json!({ "id": id, "source": "device", "ignored": reason.as_str() });
            if let Some(punch) = punches.iter().find(|punch| punch.id.to_string() == *id) {
                values["at"] = json!(zone.to_datetime(format::instant(punch.instant_ms)));
                values["device"] = punch.serial_number.as_str().into();
                values["zone"] = punch.zone.as_str().into();
                values["state"] = punch.state.as_str().into();
                let received = format::instant(punch.received_ms);
                values["received_at"] = json!(received);
            } else if let Some(entry) = of_correction(said, id) {
                values["at"] = entry.at.replace(' ', "T").into();
                values["source"] = if entry.kind == "roll_call" {
                    "roll_call"
                } else {
                    "added"
                }
                .into();
            }
            Fact {
                topic: "punch".to_owned(),
                rules: vec!["R27".to_owned()],
                values,
            }
        }));
    }
    for fact in facts.iter_mut().filter(|fact| fact.topic == "punch") {
        let id = fact.values["id"].as_str().unwrap_or_default().to_owned();
        if let Some(punch) = punches.iter().find(|punch| punch.id.to_string() == id) {
            fact.values["way"] = punch.source.as_str().into();
            fact.values["verify"] = punch.verify.as_str().into();
            fact.values["user"] = punch.user_id.as_str().into();
            fact.values["suspect"] = punch.suspect.into();
            if punch.shifted.is_some() {
                fact.values["recorded"] = punch.clock.replace(' ', "T").into();
            }
        }
        if let Some(entry) = of_correction(said, &id) {
            fact.values["author"] = entry.author.as_deref().into();
            fact.values["reason"] = entry.reason.as_str().into();
            fact.values["made_at"] = json!(format::instant(entry.made_ms));
        }
    }
}

/// The correction that the engine calls `c` and its number.
fn of_correction<'s>(said: &'s [Said], id: &str) -> Option<&'s Said> {
    let number: i64 = id.strip_prefix('c')?.parse().ok()?;
    said.iter().find(|entry| entry.id == number)
}

/// A gap of one second stands for a punch that fits several people.
fn is_short_gap(fact: &Fact) -> bool {
    fact.topic == "coverage" && gaps(&fact.values).any(|(from, to)| is_one_second(from, to))
}

fn is_one_second(from: Timestamp, to: Option<Timestamp>) -> bool {
    to.is_some_and(|to| to.duration_since(from).as_secs() == 1)
}

fn gaps(values: &Value) -> impl Iterator<Item = (Timestamp, Option<Timestamp>)> {
    let gaps = values["gaps"].as_array().into_iter().flatten();
    gaps.filter_map(|gap| Some((instant(&gap["from"])?, instant(&gap["to"]))))
}

/// An instant of a fact.
fn instant(value: &Value) -> Option<Timestamp> {
    value.as_str()?.parse().ok()
}

/// A wall time of a fact.
fn wall(value: &Value) -> Option<DateTime> {
    value.as_str()?.parse().ok()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_are_read_in_the_zone_of_the_site() {
        let karachi = format::zone("Asia/Karachi");
        let read = |text: &str| read_instant(text, &karachi).map(|at| at.to_string());
        assert_eq!(read("2026-03-04T10:00").unwrap(), "2026-03-04T05:00:00Z");
        assert_eq!(read("2026-03-04 10:00:30").unwrap(), "2026-03-04T05:00:30Z");
        assert_eq!(
            read("2026-03-04T10:00+02:00").unwrap(),
            "2026-03-04T08:00:00Z"
        );
        assert_eq!(read("2026-03-04").unwrap(), "2026-03-03T19:00:00Z");
        assert_eq!(read("yesterday"), None);
    }
}

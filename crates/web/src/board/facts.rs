//! What the board of one site knows, held in memory so that a page costs no query.
//!
//! Everything is read from the store: whole at first and once a minute, and in between only what a change names.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use ingest::Change;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan};
use store::views::board::{self, PersonDevice, PersonToday, RecentPunch, ReportBrief, SiteRow};
use store::views::devices::{self, DeviceRow, Outage};
use store::views::team;
use store::{Store, StoreError};

use super::brief::BriefFacts;
use super::usual::{Usual, usual_time};
use crate::format;
use crate::sight::Team;

/// How many recent attendances the board shows.
pub const RECENT: i64 = 20;
/// How far back those of a team are looked for.
const RECENT_OF_TEAM_MS: i64 = 48 * 60 * 60 * 1000;
/// How many people a list on the board names before it says how many more there are.
pub const NAMED: usize = 40;
/// The least time between two reads of the usual weekday.
const USUAL_KEPT: Duration = Duration::from_secs(5);
/// The same when only the minute passed, or something was edited.
const USUAL_KEPT_QUIET: Duration = Duration::from_secs(600);
/// How far back a person's usual arrival is looked for.
const HABIT_DAYS: i64 = 42;

/// When a shift begins, and until when coming is in time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShiftTimes {
    pub name: String,
    /// Minutes since midnight of the workday.
    pub start: usize,
    pub grace_min: usize,
}

/// A snapshot; replaced as a whole, never changed.
#[derive(Clone, Debug)]
pub struct Facts {
    pub site: SiteRow,
    pub sites: Arc<Vec<SiteRow>>,
    pub zone: TimeZone,
    pub day: Date,
    /// Everybody employed on `day`, in order of name.
    pub people: Arc<Vec<PersonToday>>,
    pub usual: Arc<Option<Usual>>,
    pub brief: Arc<BriefFacts>,
    usual_read: Instant,
    usual_stale: bool,
    pub shifts: Arc<Vec<ShiftTimes>>,
    pub devices: Vec<DeviceRow>,
    /// Times without contact since the day began.
    pub outages: Vec<Outage>,
    pub punches: Vec<RecentPunch>,
    /// Reports of the people in `punches`, on the days around them.
    pub punch_reports: Vec<ReportBrief>,
    /// Which devices know the people who are unknown.
    pub devices_of_unknown: Vec<PersonDevice>,
    /// When people who have not arrived usually do.
    pub habits: Arc<HashMap<i64, Option<String>>>,
    /// Punches of the site stored since the last snapshot that are not among `punches`.
    pub unlisted: usize,
    /// Cut down to the people somebody leads.
    pub of_team: bool,
}

impl Facts {
    /// Reads everything.
    pub async fn load(
        store: &Store,
        site: SiteRow,
        sites: Arc<Vec<SiteRow>>,
        now: Timestamp,
    ) -> Result<Self, StoreError> {
        let zone = format::zone(&site.zone);
        let day = now.to_zoned(zone.clone()).date();
        let people = board::people(store, site.id, &day.to_string(), None).await?;
        let usual = Usual::load(store, site.id, day).await?;
        let brief = BriefFacts::load(store, site.id, day).await?;
        let mut facts = Self {
            site,
            sites,
            zone,
            day,
            people: Arc::new(people),
            usual: Arc::new(usual),
            brief: Arc::new(brief),
            usual_read: Instant::now(),
            usual_stale: false,
            shifts: Arc::new(shift_times(store).await?),
            devices: Vec::new(),
            outages: Vec::new(),
            punches: Vec::new(),
            punch_reports: Vec::new(),
            devices_of_unknown: Vec::new(),
            habits: Arc::default(),
            unlisted: 0,
            of_team: false,
        };
        facts.refresh_lists(store, now).await?;
        Ok(facts)
    }

    /// The same for somebody who sees only a team. The usual weekday and the brief are of the whole site, so they are left out.
    pub async fn of_team(
        &self,
        store: &Store,
        team: &Team,
        now: Timestamp,
    ) -> Result<Self, StoreError> {
        let people = self.people.iter().filter(|person| team.has(person.id));
        let mut facts = Self {
            people: Arc::new(people.cloned().collect()),
            usual: Arc::default(),
            brief: Arc::default(),
            unlisted: 0,
            of_team: true,
            ..self.clone()
        };
        let sites = self.sites.iter().filter(|site| team.works_at(site.id));
        facts.sites = Arc::new(sites.cloned().collect());
        let known = |row: &PersonDevice| team.has(row.employee_id);
        facts.devices_of_unknown.retain(known);
        let ids: Vec<i64> = facts.people.iter().map(|person| person.id).collect();
        let until = recent_until(now);
        let span = (until - RECENT_OF_TEAM_MS, until);
        facts.punches = team::recent_punches(store, &ids, span, RECENT).await?;
        facts.read_punch_reports(store).await?;
        Ok(facts)
    }

    /// The next snapshot after these changes. A new day, or a change that may concern anything, reads everything again.
    pub async fn after(
        &self,
        store: &Store,
        change: &Change,
        now: Timestamp,
    ) -> Result<Self, StoreError> {
        let day = now.to_zoned(self.zone.clone()).date();
        let mut next = self.clone();
        if day != self.day {
            return Self::load(store, self.site.clone(), Arc::clone(&self.sites), now).await;
        }
        let people: BTreeSet<i64> = change
            .days
            .iter()
            .filter(|(_, workday)| *workday == day)
            .map(|(employee, _)| employee.0)
            .collect();
        next.refresh_usual(store, change).await?;
        if change.everything {
            next.shifts = Arc::new(shift_times(store).await?);
            let all = board::people(store, self.site.id, &day.to_string(), None).await?;
            next.people = Arc::new(all);
        } else if !people.is_empty() {
            let ids: Vec<i64> = people.into_iter().collect();
            let changed = board::people(store, self.site.id, &day.to_string(), Some(&ids)).await?;
            let mut by_id: HashMap<i64, PersonToday> = changed
                .into_iter()
                .map(|person| (person.id, person))
                .collect();
            for person in Arc::make_mut(&mut next.people) {
                if let Some(changed) = by_id.remove(&person.id) {
                    *person = changed;
                }
            }
            // Somebody who was not employed today a moment ago.
            if !by_id.is_empty() {
                let all = board::people(store, self.site.id, &day.to_string(), None).await?;
                next.people = Arc::new(all);
            }
        }
        next.refresh_lists(store, now).await?;
        let listed: BTreeSet<i64> = next.punches.iter().map(|punch| punch.id).collect();
        let unlisted: Vec<i64> = change
            .punches
            .iter()
            .map(|punch| punch.0)
            .filter(|punch| !listed.contains(punch))
            .collect();
        next.unlisted = match unlisted.as_slice() {
            [] => 0,
            ids => board::punches_at(store, self.site.id, ids).await? as usize,
        };
        Ok(next)
    }

    /// The usual weekday changes when earlier days do: history that was just read, a mapping. It is a large query, so after
    /// one read the next waits a little, however much changes.
    async fn refresh_usual(&mut self, store: &Store, change: &Change) -> Result<(), StoreError> {
        self.usual_stale |= change.days.iter().any(|(_, day)| *day < self.day);
        let kept = if self.usual_stale {
            USUAL_KEPT
        } else {
            USUAL_KEPT_QUIET
        };
        if (self.usual_stale || change.everything) && self.usual_read.elapsed() >= kept {
            self.usual = Arc::new(Usual::load(store, self.site.id, self.day).await?);
            self.brief = Arc::new(BriefFacts::load(store, self.site.id, self.day).await?);
            (self.usual_read, self.usual_stale) = (Instant::now(), false);
        }
        Ok(())
    }

    /// The short lists, which are cheap to read as a whole.
    async fn refresh_lists(&mut self, store: &Store, now: Timestamp) -> Result<(), StoreError> {
        self.devices = devices::list(store, Some(self.site.id)).await?;
        let began = self.day.to_zoned(self.zone.clone());
        let began = began.map_or(i64::MAX, |began| began.timestamp().as_millisecond());
        self.outages = devices::outages_since(store, began).await?;
        self.punches =
            board::recent_punches(store, self.site.id, recent_until(now), RECENT).await?;
        self.read_punch_reports(store).await?;

        let with_status = |status: &str| -> Vec<i64> {
            self.people
                .iter()
                .filter(|person| person.status.as_deref() == Some(status))
                .map(|person| person.id)
                .collect()
        };
        // All of them: the notices of devices count them.
        let unknown = with_status("unknown");
        self.devices_of_unknown = board::devices_of(store, &unknown).await?;

        let mut absent = with_status("not_arrived");
        absent.truncate(NAMED);
        absent.extend(with_status("absent").into_iter().take(NAMED));
        let news: Vec<i64> = absent
            .into_iter()
            .filter(|id| !self.habits.contains_key(id))
            .collect();
        if !news.is_empty() {
            let from = self.day.saturating_sub(HABIT_DAYS.days()).to_string();
            let before = self.day.to_string();
            let rows = board::earlier_arrivals(store, &news, &from, &before).await?;
            let habits = Arc::make_mut(&mut self.habits);
            for id in news {
                let own = rows.iter().filter(|row| row.employee_id == id);
                let own: Vec<&str> = own.map(|row| row.first_in.as_str()).collect();
                habits.insert(id, usual_time(&own));
            }
        }
        Ok(())
    }

    async fn read_punch_reports(&mut self, store: &Store) -> Result<(), StoreError> {
        let mut people: Vec<i64> = self.punches.iter().filter_map(|p| p.employee_id).collect();
        people.sort_unstable();
        people.dedup();
        let dates = || {
            self.punches
                .iter()
                .filter_map(|p| format::stored_date(&p.clock))
        };
        self.punch_reports = match (dates().min(), dates().max()) {
            // A night shift's exit belongs to the day before.
            (Some(first), Some(last)) => {
                let from = first.yesterday().unwrap_or(first).to_string();
                board::reports_of(store, &people, &from, &last.to_string()).await?
            }
            _ => Vec::new(),
        };
        Ok(())
    }
}

/// A terminal may be a little ahead of us; its punches are still recent.
fn recent_until(now: Timestamp) -> i64 {
    let until = now.saturating_add(SignedDuration::from_mins(2));
    until.unwrap_or(now).as_millisecond()
}

async fn shift_times(store: &Store) -> Result<Vec<ShiftTimes>, StoreError> {
    let usual_grace = store.company_policy().await?.grace_in_min;
    let shifts = store.shifts().await?;
    Ok(shifts
        .into_iter()
        .filter_map(|named| {
            let start = named.shift.segments.first()?.start;
            let own = named.shift.policy.0.get("grace_in_min");
            let grace = own.and_then(serde_json::Value::as_u64);
            Some(ShiftTimes {
                name: named.name,
                start: usize::from(start.minutes()),
                grace_min: grace.map_or(usual_grace as usize, |own| own as usize),
            })
        })
        .collect())
}

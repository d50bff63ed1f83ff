//! What every page needs beside its own content: navigation, the signed-in person, texts, icons and asset paths.

use std::collections::BTreeSet;

use attendance::EmployeeId;
use ingest::Clock;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use store::accounts::Role;

use crate::assets::{self, Icon};
use crate::board::Counts;
use crate::roles::May;
use crate::text::{Msg, msg};

/// The part of the product a page belongs to; marks its entry in the navigation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Section {
    Today,
    Day,
    Month,
    People,
    Devices,
    Inbox,
    RollCall,
    Failures,
    Reports,
    Planning,
    Settings,
    Exceptions,
    Requests,
    Team,
    Me,
    Users,
    Account,
    /// Signing in and setting up: no navigation.
    Door,
}

/// Who is signed in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedIn {
    pub account: i64,
    pub name: String,
    pub email: String,
    pub roles: BTreeSet<Role>,
    /// Whose account it is, if it is an employee's.
    pub employee: Option<EmployeeId>,
}

impl SignedIn {
    pub fn may(&self) -> May {
        let may = May::of(&self.roles);
        May {
            me: may.me && self.employee.is_some(),
            ..may
        }
    }
}

/// The frame of a page. Templates call it `ui`.
#[derive(Clone, Debug)]
pub struct Ui {
    pub section: Section,
    pub may: May,
    pub company: String,
    pub now: Timestamp,
    pub zone: TimeZone,
    person: Option<SignedIn>,
    waiting: Counts,
}

/// Entries of the bar at the foot of a phone.
const TABS: usize = 5;

/// A group of the navigation.
pub struct Group {
    pub title: Option<Msg>,
    pub entries: Vec<Entry>,
}

pub struct Entry {
    pub href: String,
    pub icon: Icon,
    pub label: Msg,
    pub current: bool,
    pub waiting: Option<String>,
}

impl Ui {
    pub fn new(
        section: Section,
        person: Option<SignedIn>,
        company: String,
        waiting: Counts,
        now: Timestamp,
        zone: TimeZone,
    ) -> Self {
        Self {
            section,
            may: person.as_ref().map_or_else(May::default, SignedIn::may),
            company,
            now,
            zone,
            person,
            waiting,
        }
    }

    /// A page for somebody who is not signed in.
    pub fn door(company: String, clock: &Clock) -> Self {
        let nothing = Counts::default();
        Self::new(
            Section::Door,
            None,
            company,
            nothing,
            clock.now(),
            TimeZone::UTC,
        )
    }

    /// The message of that key.
    pub fn t(&self, key: impl Into<String>) -> Msg {
        msg(key)
    }

    pub fn icon(&self, name: &'static str) -> Icon {
        Icon::large(name)
    }

    pub fn icon_s(&self, name: &'static str) -> Icon {
        Icon::small(name)
    }

    pub fn asset(&self, name: &str) -> &'static str {
        assets::path(name)
    }

    /// How many terminals call and wait to be registered, for who may do that.
    pub fn held(&self) -> i64 {
        match self.may.edit_devices {
            true => self.waiting.frame.held,
            false => 0,
        }
    }

    pub fn name(&self) -> &str {
        self.person.as_ref().map_or("", |person| &person.name)
    }

    pub fn initials(&self) -> String {
        let mut words = self.name().split_whitespace();
        let first = words.next().and_then(|word| word.chars().next());
        let last = words.next_back().and_then(|word| word.chars().next());
        first
            .into_iter()
            .chain(last)
            .flat_map(char::to_uppercase)
            .collect()
    }

    pub fn role_names(&self) -> String {
        let roles = self.person.iter().flat_map(|person| person.roles.iter());
        let names: Vec<_> = roles
            .map(|role| msg(format!("role-{}", role.as_str())).to_string())
            .collect();
        names.join(", ")
    }

    fn entry(&self, section: Section, waiting: Option<String>) -> Entry {
        let (href, icon, label) = match section {
            Section::Today | Section::Door => (
                "/today".into(),
                Icon::large("layout-dashboard"),
                msg("nav-today"),
            ),
            // Without a date, because a page may stay open over midnight.
            Section::Day => ("/day".into(), Icon::large("table"), msg("nav-day")),
            Section::Month => (
                "/month".into(),
                Icon::large("calendar-month"),
                msg("nav-month"),
            ),
            Section::People => ("/people".into(), Icon::large("users"), msg("nav-people")),
            Section::Devices => (
                "/devices".into(),
                Icon::large("device-tablet"),
                msg("nav-devices"),
            ),
            Section::Inbox => ("/inbox".into(), Icon::large("user-plus"), msg("nav-inbox")),
            Section::RollCall => (
                "/rollcall".into(),
                Icon::large("list-check"),
                msg("nav-rollcall"),
            ),
            Section::Failures => (
                "/failures".into(),
                Icon::large("plug-connected-x"),
                msg("nav-failures"),
            ),
            Section::Reports => (
                "/reports".into(),
                Icon::large("file-spreadsheet"),
                msg("nav-reports"),
            ),
            Section::Planning => ("/roster".into(), Icon::large("clock"), msg("nav-planning")),
            Section::Settings => (
                "/settings".into(),
                Icon::large("settings"),
                msg("nav-settings"),
            ),
            Section::Exceptions => (
                "/exceptions".into(),
                Icon::large("alert-triangle"),
                msg("nav-exceptions"),
            ),
            Section::Requests => (
                "/requests".into(),
                Icon::large("list-check"),
                msg("nav-requests"),
            ),
            Section::Team => ("/team".into(), Icon::large("users"), msg("nav-team")),
            Section::Me => ("/me".into(), Icon::large("calendar-month"), msg("nav-me")),
            Section::Users => ("/users".into(), Icon::large("user"), msg("nav-users")),
            Section::Account => ("/account".into(), Icon::large("user"), msg("nav-account")),
        };
        Entry {
            href,
            icon,
            label,
            current: section == self.section,
            waiting,
        }
    }

    /// The navigation of this person, in order.
    pub fn nav(&self) -> Vec<Group> {
        let some = |number: i64| (number > 0).then(|| number.to_string());
        let well = self.waiting.frame.devices_well < self.waiting.frame.devices;
        let well = well.then(|| {
            format!(
                "{}/{}",
                self.waiting.frame.devices_well, self.waiting.frame.devices
            )
        });
        let mut main = Vec::new();
        let mut needs = Vec::new();
        let mut set_up = Vec::new();
        if self.may.today || self.may.team {
            main.push(self.entry(Section::Today, None));
        }
        if self.may.team {
            main.push(self.entry(Section::Team, None));
        }
        if self.may.days() {
            main.push(self.entry(Section::Day, None));
            main.push(self.entry(Section::Month, None));
        }
        if self.may.people {
            main.push(self.entry(Section::People, None));
        }
        if self.may.me {
            main.push(self.entry(Section::Me, None));
        }
        if self.may.devices {
            main.push(self.entry(Section::Devices, well));
        }
        if self.may.map {
            needs.push(self.entry(Section::Inbox, some(self.waiting.frame.inbox)));
        }
        if self.may.decide {
            needs.push(self.entry(Section::Exceptions, some(self.waiting.exceptions)));
        }
        if self.may.answer {
            // The number is that of everybody, which a manager does not see.
            let waiting = self.may.people.then_some(self.waiting.requests);
            needs.push(self.entry(Section::Requests, waiting.and_then(some)));
        }
        if self.may.roll_call {
            needs.push(self.entry(Section::RollCall, None));
        }
        if self.may.failures {
            needs.push(self.entry(Section::Failures, some(self.waiting.frame.failures)));
        }
        if self.may.reports {
            set_up.push(self.entry(Section::Reports, None));
        }
        if self.may.plan {
            set_up.push(self.entry(Section::Planning, None));
            set_up.push(self.entry(Section::Settings, None));
        }
        if self.may.users {
            set_up.push(self.entry(Section::Users, None));
        }
        [
            (None, main),
            (Some(msg("nav-needs-a-person")), needs),
            (Some(msg("nav-set-up")), set_up),
        ]
        .into_iter()
        .filter(|(_, entries)| !entries.is_empty())
        .map(|(title, entries)| Group { title, entries })
        .collect()
    }

    fn entries(&self) -> Vec<Entry> {
        let groups = self.nav().into_iter();
        groups.flat_map(|group| group.entries).collect()
    }

    /// What the bar at the foot of a phone has no room for; the page of the account lists it.
    pub fn more(&self) -> Vec<Entry> {
        let mut entries = self.entries();
        match entries.len() > TABS {
            true => entries.split_off(TABS - 1),
            false => Vec::new(),
        }
    }

    /// The bar at the foot of a phone: all entries, or the first four and the way to the others.
    pub fn tabs(&self) -> Vec<Entry> {
        let mut entries = self.entries();
        let more = self.more();
        if !more.is_empty() {
            entries.truncate(TABS - 1);
            entries.push(Entry {
                label: msg("nav-more"),
                icon: Icon::large("dots"),
                current: self.section == Section::Account || more.iter().any(|entry| entry.current),
                ..self.entry(Section::Account, None)
            });
        }
        let short = |entry: Entry| match entry.href.as_str() {
            "/inbox" => Entry {
                label: msg("nav-inbox-short"),
                ..entry
            },
            _ => entry,
        };
        entries.into_iter().map(short).collect()
    }

    /// The few texts that the script needs, as JSON for a script element.
    pub fn words(&self) -> String {
        let mark = |key: &str| msg(key).with("age", "{}").to_string();
        serde_json::json!({
            "now": self.now.as_millisecond(),
            "ago": mark("ago"),
            "live": msg("live").to_string(),
            "stale": mark("live-stale"),
            "staleShort": msg("live-stale-short").to_string(),
            "seconds": msg("duration-seconds").with("seconds", "{}").to_string(),
            "minutes": msg("duration-minutes").with("minutes", "{}").to_string(),
            "hours": msg("duration-hours").with("hours", "{}").with("minutes", "{m}").to_string(),
            "lost": msg("live-lost").with("time", "{}").to_string(),
            "reload": msg("reload").to_string(),
            "selected": msg("selected").with("count", "{}").to_string(),
        })
        .to_string()
        .replace('<', "\\u003c")
    }
}

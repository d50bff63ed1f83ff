//! A small company in Karachi: a day shift from Monday to Friday, people with the numbers 1001, 1002 …, and some devices.

use std::collections::BTreeMap;

use attendance::{
    DeviceId, DeviceUserId, EmployeeId, Punch, PunchState, Shift, SiteId, VerifyMode, Way,
};
use ingest::{Accepted, Batch, Clock, Contact, Engine, PollerOptions};
use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use store::devices::NewDevice;
use store::people::EmployeeFields;
use store::reports::ReportFields;
use store::roster::DayPlan;
use store::testing::{device_fields, employee_fields};
use store::{Author, Store};

pub const ZONE: &str = "Asia/Karachi";

pub struct Company {
    pub store: Store,
    pub clock: Clock,
    pub engine: Engine,
    pub site: SiteId,
    pub people: Vec<EmployeeId>,
    pub devices: Vec<DeviceId>,
}

/// A wall time of the company, e.g. `2026-03-02 09:05:00`.
pub fn wall(text: &str) -> DateTime {
    text.parse().expect("a wall time")
}

/// The instant at which the company's clocks show this.
pub fn at(text: &str) -> Timestamp {
    let zone = TimeZone::get(ZONE).expect("a zone");
    zone.to_timestamp(wall(text)).expect("an instant")
}

pub fn day(text: &str) -> Date {
    text.parse().expect("a date")
}

pub fn user(id: &str) -> DeviceUserId {
    DeviceUserId::parse(id).expect("a user id")
}

/// A punch at a wall time; `record` is its place in the log.
pub fn punch(id: &str, clock: &str, record: u64) -> Punch {
    Punch {
        user: user(id),
        clock: wall(clock),
        offset: None,
        state: PunchState::None,
        verify: VerifyMode::Finger,
        record,
    }
}

impl Company {
    /// With so many people and devices, at a time of the company.
    pub async fn new(store: Store, people: usize, devices: usize, now: &str) -> Self {
        let clock = Clock::stopped(at(now));
        let engine = Engine::new(store.clone(), clock.clone(), PollerOptions::default());
        let mut company = Self {
            store,
            clock,
            engine,
            site: SiteId(0),
            people: Vec::new(),
            devices: Vec::new(),
        };
        let author = company.author();
        let tx = company.store.begin_write().await.unwrap();
        company.site = tx.add_site("Karachi", ZONE, author).await.unwrap();
        let shift: Shift = serde_json::from_value(serde_json::json!({
            "segments": [{ "start": "09:00", "end": "18:00" }],
            "breaks": [{ "kind": "fixed", "start": "13:00", "end": "14:00" }],
        }))
        .unwrap();
        let shift = tx.add_shift("DAY", &shift, author).await.unwrap();
        let week =
            [0, 1, 2, 3, 4, 5, 6].map(|weekday| DayPlan::from((weekday < 5).then_some(shift)));
        let week = tx.add_week_pattern("Office", &week, author).await.unwrap();
        for n in 0..people {
            let id = tx
                .add_employee(&company.fields(n, week), author)
                .await
                .unwrap();
            company.people.push(id);
        }
        for n in 0..devices {
            let new = NewDevice {
                fields: device_fields(company.site, &format!("SERIAL{n}")),
                password: None,
                comm_key: None,
                zone: None,
            };
            company
                .devices
                .push(tx.add_device(&new, author).await.unwrap());
        }
        tx.commit().await.unwrap();
        company
    }

    fn fields(&self, n: usize, week: i64) -> EmployeeFields {
        EmployeeFields {
            device_user_id: Some((1001 + n).to_string()),
            week_pattern: Some(week),
            ..employee_fields(self.site, &format!("E{n}"))
        }
    }

    pub fn author(&self) -> Author {
        Author {
            account: None,
            at: self.clock.now(),
        }
    }

    /// Sets the clock and lets time do what it does.
    pub async fn at(&self, now: &str) {
        self.clock.set(at(now));
        self.engine.catch_up().await.unwrap();
        self.engine.judge.drain().await.unwrap();
    }

    pub async fn accept(&self, batch: &Batch) -> Accepted {
        self.engine.intake.accept(batch).await.unwrap()
    }

    /// A complete read of a device whose clock is right, then everything is judged.
    pub async fn read(&self, device: usize, punches: Vec<Punch>) -> Accepted {
        let accepted = self.accept(&self.reading(device, punches)).await;
        self.engine.judge.drain().await.unwrap();
        accepted
    }

    /// What a complete read of a device whose clock is right brings.
    pub fn reading(&self, device: usize, punches: Vec<Punch>) -> Batch {
        let seen_at = self.clock.now();
        Batch {
            contact: Some(Contact {
                clock: TimeZone::get(ZONE).unwrap().to_datetime(seen_at),
                seen_at,
            }),
            complete: true,
            ..Batch::new(self.devices[device], Way::Poll, punches)
        }
    }

    /// Everything that is reported.
    pub async fn reports(&self) -> BTreeMap<(EmployeeId, Date), ReportFields> {
        let tx = self.store.begin_read().await.unwrap();
        let days = tx
            .reported_days(Date::MIN, Date::MAX, None, 100_000)
            .await
            .unwrap();
        let evidence = tx.load_evidence(&days).await.unwrap();
        days.into_iter()
            .map(|(employee, day)| {
                let stored = &evidence.people[&employee].stored[&day];
                ((employee, day), stored.says.clone())
            })
            .collect()
    }

    /// The status of somebody on a day; `-` without a report.
    pub async fn status(&self, person: usize, on: &str) -> String {
        let reports = self.reports().await;
        let report = reports.get(&(self.people[person], day(on)));
        report.map_or("-".to_owned(), |report| report.status.clone())
    }
}

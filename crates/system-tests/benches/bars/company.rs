//! A company in a fresh database: one site, a day shift, people with numbers on the terminals.

use std::net::SocketAddr;

use attendance::{DeviceId, EmployeeId, SiteId, Way};
use ingest::{Clock, Engine, PollerOptions};
use store::devices::{DeviceFields, NewDevice};
use store::people::EmployeeFields;
use store::secrets::{Secret, SecretKey};
use store::{Author, Store};

use crate::hik;

const DEPARTMENTS: usize = 12;

pub struct Company {
    pub engine: Engine,
    pub people: Vec<EmployeeId>,
    site: SiteId,
    clock: Clock,
}

impl Company {
    /// `people` employees whose numbers on the terminals count up from 1001, in a database that is made where it is missing.
    pub async fn new(url: &str, zone: &str, people: usize, clock: Clock) -> Self {
        let store = Store::open(url).await.expect("a database can be made");
        let store = store.with_secret_key(SecretKey::generate());
        store.migrate().await.expect("its tables can be made");
        let author = Author {
            account: None,
            at: clock.now(),
        };
        let tx = store.begin_write().await.expect("a transaction");
        let site = tx.add_site("Plant", zone, author).await.expect("a site");
        let shift = serde_json::from_value(serde_json::json!({
            "segments": [{ "start": "09:00", "end": "18:00" }],
            "breaks": [{ "kind": "fixed", "start": "13:00", "end": "14:00" }],
        }));
        let shift = shift.expect("a shift of the engine");
        let shift = tx.add_shift("Day", &shift, author).await.expect("a shift");
        let mut departments = Vec::new();
        for number in 1..=DEPARTMENTS {
            let name = format!("Department {number}");
            let department = tx.add_department(site, &name, author).await;
            departments.push(department.expect("a department"));
        }
        let mut employees = Vec::new();
        for number in 0..people {
            let fields = EmployeeFields {
                code: format!("E{number:05}"),
                first_name: format!("Given{number}"),
                last_name: format!("Family{number}"),
                username: None,
                email: None,
                device_user_id: Some((1001 + number).to_string()),
                site,
                department: Some(departments[number % DEPARTMENTS]),
                shift: Some(shift),
                week_pattern: None,
                weekly_off: None,
                employed_from: None,
                employed_to: None,
            };
            employees.push(tx.add_employee(&fields, author).await.expect("an employee"));
        }
        tx.commit().await.expect("the company can be stored");
        let engine = Engine::new(store, clock.clone(), PollerOptions::default());
        Self {
            engine,
            site,
            people: employees,
            clock,
        }
    }

    /// Registers ZKTeco terminals by serial number, due at once where they have an address.
    pub async fn add_devices(
        &self,
        terminals: &[(String, Option<SocketAddr>)],
        poll_interval_secs: u32,
    ) -> Vec<DeviceId> {
        self.add(
            terminals,
            &self.model("zk", &[Way::Poll], poll_interval_secs),
        )
        .await
    }

    /// Registers ZKTeco terminals that call.
    pub async fn add_callers(&self, serials: &[String]) {
        let terminals: Vec<_> = serials
            .iter()
            .map(|serial| (serial.clone(), None))
            .collect();
        self.add(&terminals, &self.model("zk", &[Way::Push], 300))
            .await;
    }

    /// Registers Hikvision terminals by serial number, due at once.
    pub async fn add_hik(
        &self,
        terminals: &[(String, SocketAddr)],
        ways: &[Way],
        poll_interval_secs: u32,
    ) -> Vec<DeviceId> {
        let terminals: Vec<_> = terminals
            .iter()
            .map(|(serial, address)| (serial.clone(), Some(*address)))
            .collect();
        let mut model = self.model("hik", ways, poll_interval_secs);
        model.fields.username = Some(hik::USER.to_owned());
        model.password = Some(Secret::new(hik::PASSWORD));
        self.add(&terminals, &model).await
    }

    fn model(&self, kind: &str, ways: &[Way], poll_interval_secs: u32) -> NewDevice {
        let mut model = NewDevice::calling(kind, "", self.site);
        model.fields.mode = ways.to_vec();
        model.fields.poll_interval_secs = poll_interval_secs;
        model
    }

    async fn add(
        &self,
        terminals: &[(String, Option<SocketAddr>)],
        model: &NewDevice,
    ) -> Vec<DeviceId> {
        let author = Author {
            account: None,
            at: self.clock.now(),
        };
        let tx = self
            .engine
            .store
            .begin_write()
            .await
            .expect("a transaction");
        let mut devices = Vec::new();
        for (serial, address) in terminals {
            let new = NewDevice {
                fields: DeviceFields {
                    serial_number: serial.clone(),
                    name: format!("Gate {serial}"),
                    address: address.map(|address| address.ip().to_string()),
                    port: address.map(|address| address.port()),
                    ..model.fields.clone()
                },
                ..model.clone()
            };
            devices.push(tx.add_device(&new, author).await.expect("a device"));
        }
        tx.commit().await.expect("the devices can be stored");
        devices
    }
}

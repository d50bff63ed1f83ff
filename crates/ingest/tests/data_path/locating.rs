//! Devices that are not where they are registered: found by their serial number, and nobody else is asked.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use ingest::{Engine, LocatorOptions, Outcome, PollerOptions};
use simulators::zk::{Street, VirtualTerminal};
use store::devices::SecretEdit;
use store::entities::devices;
use store::secrets::Secret;
use store::testing::count_rows;
use store::{Store, on_both_databases};
use terminals::discover::Answer;
use tokio::net::TcpListener;

use crate::company::Company;
use crate::polling::{builder, edit, edit_with, poll, run_until, said, with_secrets};

/// 127.0.2.1 to 127.0.2.6.
const SUBNET: &str = "127.0.2.0/29";
/// Beside it.
const OUTSIDE: &str = "127.0.2.9";

fn options(every: Duration) -> LocatorOptions {
    LocatorOptions {
        subnets: vec![SUBNET.parse().expect("a subnet")],
        every,
        ..LocatorOptions::default()
    }
}

/// A company whose next search need not wait.
async fn company(store: Store, devices: usize) -> Company {
    let mut company = Company::new(store, 2, devices, "2026-03-02 12:00:00").await;
    company.engine = engine(&company, options(Duration::ZERO));
    company
}

fn engine(company: &Company, options: LocatorOptions) -> Engine {
    let polling = PollerOptions::default();
    Engine::new(company.store.clone(), company.clock.clone(), polling).searching(options)
}

/// Starts these terminals at their hosts of the subnet; nobody is at the others.
async fn street(terminals: &[(u8, VirtualTerminal)]) -> (Street, u16) {
    let empty = (1..=6).filter(|host| terminals.iter().all(|(taken, _)| taken != host));
    let terminals: Vec<_> = (terminals.iter().cloned())
        .map(|(host, terminal)| (ip(host), terminal))
        .collect();
    let street = Street::start(&terminals, empty.map(ip))
        .await
        .expect("a port");
    let port = street.port();
    (street, port)
}

fn ip(host: u8) -> Ipv4Addr {
    Ipv4Addr::new(127, 0, 2, host)
}

fn address(host: u8) -> String {
    ip(host).to_string()
}

/// Registers a device at a host, or nowhere.
async fn register(company: &Company, device: usize, host: Option<u8>, port: u16) {
    edit(company, device, |fields| {
        fields.address = host.map(address);
        fields.port = Some(port);
    })
    .await;
}

async fn row(company: &Company, device: usize) -> devices::Model {
    let device = company.store.device(company.devices[device]).await;
    device.unwrap().expect("it is registered")
}

/// What came of one search.
async fn search(company: &Company) -> Vec<(String, Outcome)> {
    let located = company.engine.locator.search().await.unwrap();
    let located = located.expect("it is time, and a device is missing");
    located
        .into_iter()
        .map(|located| (located.device.serial_number, located.outcome))
        .collect()
}

fn moved(serial: &str) -> (String, Outcome) {
    (serial.to_owned(), Outcome::Moved)
}

/// Counts who connects.
async fn listen(host: &str, port: u16) -> Arc<AtomicUsize> {
    let listener = TcpListener::bind((host, port)).await.expect("a free port");
    let connections = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&connections);
    tokio::spawn(async move {
        while listener.accept().await.is_ok() {
            count.fetch_add(1, Ordering::SeqCst);
        }
    });
    connections
}

on_both_databases! {
    async fn a_device_that_has_moved_is_found_and_read(store: Store) {
        let company = company(store, 1).await;
        let (_street, port) = street(&[(3, builder("SERIAL0"))]).await;
        let outside = listen(OUTSIDE, port).await;
        register(&company, 0, Some(2), port).await;
        assert_eq!(poll(&company).await, said(&[("SERIAL0", "connect")]));
        let mut changes = company.engine.changes.subscribe();

        assert_eq!(search(&company).await, [moved("SERIAL0")]);
        let device = row(&company, 0).await;
        assert_eq!((device.address.as_deref(), device.port), (Some("127.0.2.3"), Some(i64::from(port))));
        assert_eq!(device.last_error, Some(format!("it was found at 127.0.2.3:{port} and is read there next")));
        let audit = company.store.audit_entries(None, 1).await.unwrap();
        assert_eq!((audit[0].action.as_str(), audit[0].subject.as_str()), ("device.moved", "SERIAL0"));
        assert_eq!(audit[0].detail, format!(r#"{{"from":"127.0.2.2:{port}","to":"127.0.2.3:{port}"}}"#));
        assert_eq!(changes.next().await.unwrap().devices, [company.devices[0]]);

        run_until(&company, async || row(&company, 0).await.last_read_ms.is_some()).await;
        assert_eq!(count_rows(&company.store, "punches").await, 2);
        assert_eq!(row(&company, 0).await.last_error, None);
        assert!(company.engine.locator.search().await.unwrap().is_none(), "nobody is missing");
        assert_eq!(outside.load(Ordering::SeqCst), 0);
    }

    async fn devices_that_took_each_other_s_address_are_told_apart(store: Store) {
        let company = company(store, 2).await;
        let (_street, port) = street(&[(2, builder("SERIAL1")), (3, builder(" serial0 "))]).await;
        register(&company, 0, Some(2), port).await;
        register(&company, 1, Some(3), port).await;
        assert_eq!(poll(&company).await, said(&[("SERIAL0", "identify"), ("SERIAL1", "identify")]));
        assert_eq!(search(&company).await, [moved("SERIAL0"), moved("SERIAL1")]);
        assert_eq!(poll(&company).await, said(&[("SERIAL0", "ok"), ("SERIAL1", "ok")]));
    }

    async fn a_device_without_address_is_found_by_the_workers(store: Store) {
        let company = company(store, 1).await;
        let (_street, port) = street(&[(4, builder("SERIAL0"))]).await;
        register(&company, 0, None, port).await;
        run_until(&company, async || row(&company, 0).await.last_read_ms.is_some()).await;
        assert_eq!(row(&company, 0).await.address.as_deref(), Some("127.0.2.4"));
        assert_eq!(count_rows(&company.store, "device_failures").await, 0);
    }

    async fn the_keys_of_missing_devices_are_tried_and_no_others(store: Store) {
        let (store, _folder) = with_secrets(store);
        let company = company(store, 3).await;
        let (street, port) = street(&[
            (2, builder("SERIAL0").comm_key(11)),
            (3, builder("SERIAL1").comm_key(22)),
            (4, builder("STRANGER").comm_key(33)),
        ])
        .await;
        let key = |key: &str| SecretEdit::Set(Secret::new(key));
        edit_with(&company, 0, key("11"), |fields| {
            fields.address = Some(address(2));
            fields.port = Some(port);
        })
        .await;
        assert_eq!(poll(&company).await[0], said(&[("SERIAL0", "ok")])[0]);
        for device in [1, 2] {
            edit_with(&company, device, key("22"), |fields| {
                fields.address = None;
                fields.port = Some(port);
            })
            .await;
        }
        street[0].reset_counts();

        assert_eq!(search(&company).await, [moved("SERIAL1")]);
        assert_eq!(street[0].counts().connections, 0);
        assert_eq!((street[1].counts().auth_attempts, street[1].counts().auth_refused), (1, 0));
        assert_eq!((street[2].counts().auth_attempts, street[2].counts().auth_refused), (1, 1));
        assert_eq!(poll(&company).await[1], said(&[("SERIAL1", "ok")])[0]);
        assert_eq!(search(&company).await, [], "the third is missing still");
        assert_eq!(street[2].counts().auth_attempts, 1, "a refused key rests");
    }

    async fn a_device_in_contact_or_switched_off_or_being_read_is_not_disturbed(store: Store) {
        let mut company = company(store, 4).await;
        let mut wide = options(Duration::ZERO);
        wide.subnets.push("127.0.0.1".parse().unwrap());
        company.engine = engine(&company, wide);
        let places = [(Ipv4Addr::LOCALHOST, 0), (ip(3), 1), (ip(4), 2)];
        let terminals = places.map(|(ip, number)| (ip, builder(&format!("SERIAL{number}"))));
        let street = Street::start(&terminals, [1, 2, 5, 6].map(ip)).await.expect("a port");
        let port = street.port();
        for (device, host) in [(0, Some(2)), (1, Some(3)), (2, Some(4)), (3, None)] {
            register(&company, device, host, port).await;
        }
        edit(&company, 1, |fields| fields.enabled = false).await;
        // By name: its address has to be found out.
        edit(&company, 0, |fields| fields.address = Some("localhost".to_owned())).await;
        street[2].go_offline();
        assert_eq!(poll(&company).await[1], said(&[("SERIAL2", "connect")])[0]);
        street[2].go_online();
        let polled = company.engine.poller.poll_once(Some(&company.devices[..1])).await.unwrap();
        assert!(polled[0].result.is_ok(), "{polled:?}");
        let claim = async |until: i64| {
            let now = company.clock.real_now();
            let until = now + jiff::SignedDuration::from_secs(until);
            let tx = company.store.begin_claim().await.unwrap();
            let far = now + jiff::SignedDuration::from_secs(3600);
            tx.claim_devices("reader", &company.devices[2..3], far, until).await.unwrap();
            tx.commit_quietly().await.unwrap();
        };
        claim(60).await;
        let counts = || [0, 1, 2].map(|number| street[number].counts().connections);
        let before = counts();
        assert_eq!(search(&company).await, []);
        assert_eq!(counts(), before);
        claim(-1).await;
        assert_eq!(search(&company).await, [("SERIAL2".to_owned(), Outcome::There)]);
        assert_eq!(counts(), [before[0], before[1], before[2] + 1], "nobody reads it any more, and it fails");
    }

    async fn two_terminals_with_its_serial_number_leave_a_device_where_it_is(store: Store) {
        let company = company(store, 1).await;
        let (street, port) = street(&[(2, builder("SERIAL0")), (3, builder("SERIAL0"))]).await;
        register(&company, 0, None, port).await;
        let told = search(&company).await;
        let message = format!(
            "2 terminals answer with its serial number, at 127.0.2.2:{port} and 127.0.2.3:{port}: its address stays as it is until only one does"
        );
        assert_eq!(told, [("SERIAL0".to_owned(), Outcome::Doubted(message.clone()))]);
        let device = row(&company, 0).await;
        assert_eq!((device.address, device.last_error), (None, Some(message)));
        assert_eq!(count_rows(&company.store, "device_failures").await, 1);

        street[0].go_offline();
        assert_eq!(search(&company).await, [moved("SERIAL0")]);
        assert_eq!(poll(&company).await, said(&[("SERIAL0", "ok")]));
    }

    async fn a_device_with_a_host_name_keeps_it(store: Store) {
        let company = company(store, 1).await;
        let (_street, port) = street(&[(3, builder("SERIAL0"))]).await;
        register(&company, 0, None, port).await;
        edit(&company, 0, |fields| fields.address = Some("localhost".to_owned())).await;
        assert_eq!(poll(&company).await, said(&[("SERIAL0", "connect")]));
        let told = search(&company).await;
        assert!(matches!(&told[0].1, Outcome::Doubted(why) if why.contains("127.0.2.3") && why.contains("localhost")), "{told:?}");
        assert_eq!(row(&company, 0).await.address.as_deref(), Some("localhost"));
    }

    async fn an_edit_made_meanwhile_stays(store: Store) {
        let company = company(store, 1).await;
        register(&company, 0, None, 4371).await;
        let locator = &company.engine.locator;
        let search = locator.plan(locator.subnets(), None).await.unwrap();
        let found = Answer::Terminal { serial: "SERIAL0".to_owned(), model: String::new() };
        register(&company, 0, Some(77), 4371).await;
        let located = locator.relocate(&search, &[("127.0.2.3:4371".parse().unwrap(), found)]).await.unwrap();
        assert_eq!(located[0].outcome, Outcome::Overtaken);
        assert_eq!(row(&company, 0).await.address.as_deref(), Some("127.0.2.77"));
    }

    async fn one_node_searches_at_a_time_and_not_at_all_without_subnets(store: Store) {
        let mut company = company(store, 1).await;
        let (street, port) = street(&[(3, builder("STRANGER"))]).await;
        register(&company, 0, None, port).await;
        let hour = Duration::from_secs(3600);
        let none = engine(&company, LocatorOptions { subnets: Vec::new(), ..options(hour) });
        assert!(none.locator.search().await.unwrap().is_none());
        assert_eq!(street[0].counts().connections, 0);

        company.engine = engine(&company, options(hour));
        let other = engine(&company, options(hour));
        let both = tokio::join!(company.engine.locator.search(), other.locator.search());
        let both = [both.0.unwrap(), both.1.unwrap()];
        assert_eq!(both.iter().flatten().count(), 1, "one of them");
        assert!(other.locator.search().await.unwrap().is_none(), "not again within the hour");
        assert_eq!(street[0].counts().connections, 1);
    }

    async fn only_configured_subnets_and_their_parts_are_asked(store: Store) {
        let company = company(store, 1).await;
        register(&company, 0, None, 4371).await;
        let locator = &company.engine.locator;
        let asked = async |subnet: &str, port| {
            let subnets = [subnet.parse().unwrap()];
            locator.plan(&subnets, port).await.unwrap().asked()
        };
        assert_eq!(asked(SUBNET, None).await, 12, "at the usual port, and at that of the device");
        assert_eq!(asked("127.0.2.4/30", Some(5005)).await, 2);
        assert_eq!(asked("127.0.2.0/28", None).await, 0);
        assert_eq!(asked("127.0.2.8/29", None).await, 0);
    }
}

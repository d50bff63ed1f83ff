//! Devices that are found because their terminals say where they are: only once they have proved it.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use ingest::{Engine, LocatorOptions, Outcome, PollerOptions};
use simulators::hik::{Answers, Login, RunningTerminal, Sadp, VirtualTerminal, stopped};
use store::devices::{DeviceFields, SecretEdit};
use store::entities::devices;
use store::secrets::Secret;
use store::{Store, on_both_databases};
use terminals::discover::{Answer, LinkSearch};

use crate::company::{Company, ZONE, wall};
use crate::live::until;
use crate::polling::{poll, said, with_secrets};

const ONE: &str = "DS-K1T342MFX-E120250307V043800ENGB9637211";
const OTHER: &str = "DS-K1T341AMF20220311V030230ENJ70368704";

/// A port that nobody listens on now.
fn free_port() -> u16 {
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.local_addr().unwrap().port()
}

/// Whose terminals listen to the group on the loopback.
fn sadp(port: u16) -> Sadp {
    Sadp {
        interface: Some(Ipv4Addr::LOCALHOST),
        answers: Answers::Group,
        ..Sadp::at(SocketAddr::from((Ipv4Addr::UNSPECIFIED, port)))
    }
}

fn model(serial: &str, password: &str) -> VirtualTerminal {
    let noon = wall("2026-03-02 12:00:00").in_tz(ZONE).unwrap();
    let login = Login::new("operator", password);
    VirtualTerminal::new("GB9637211", login, stopped(noon))
        .serial_number(serial)
        .keeps_alive()
}

async fn start(terminal: VirtualTerminal) -> RunningTerminal {
    terminal.start("127.0.0.1:0").await.unwrap()
}

/// A company that asks on the loopback, with so many devices that nobody has registered anywhere.
async fn company(store: Store, serials: &[&str], port: u16) -> Company {
    let mut company = Company::new(store, 1, serials.len(), "2026-03-02 12:00:00").await;
    let options = LocatorOptions {
        links: LinkSearch {
            interfaces: vec![Ipv4Addr::LOCALHOST],
            port,
            within: Duration::from_millis(1200),
            times: 2,
        },
        every: Duration::ZERO,
        ..LocatorOptions::default()
    };
    let polling = PollerOptions::default();
    let engine = Engine::new(company.store.clone(), company.clock.clone(), polling);
    company.engine = engine.searching(options);
    for (device, serial) in serials.iter().enumerate() {
        register(&company, device, serial, None).await;
    }
    company
}

async fn register(company: &Company, device: usize, serial: &str, at: Option<SocketAddr>) {
    let id = company.devices[device];
    let row = company.store.device(id).await.unwrap().unwrap();
    let fields = DeviceFields {
        kind: "hik".to_owned(),
        serial_number: serial.to_owned(),
        address: at.map(|at| at.ip().to_string()),
        port: at.map(|at| at.port()),
        username: Some("operator".to_owned()),
        ..DeviceFields::from(&row)
    };
    let password = SecretEdit::Set(Secret::new("Abc12345"));
    let tx = company.store.begin_write().await.unwrap();
    tx.edit_device(id, &fields, &password, &SecretEdit::Keep, company.author())
        .await
        .unwrap();
    tx.commit().await.unwrap();
}

async fn row(company: &Company, device: usize) -> devices::Model {
    let device = company.store.device(company.devices[device]).await;
    device.unwrap().expect("it is registered")
}

async fn is_at(company: &Company, device: usize, terminal: &RunningTerminal) -> bool {
    let row = row(company, device).await;
    row.address.as_deref() == Some("127.0.0.1")
        && row.port == Some(i64::from(terminal.addr().port()))
}

async fn search(company: &Company) -> Vec<Outcome> {
    let located = company.engine.locator.search().await.unwrap();
    let located = located.expect("it is time, and a device is missing");
    located.into_iter().map(|located| located.outcome).collect()
}

/// What a terminal says that claims to be this one, at a place.
fn claim(serial: &str) -> Answer {
    Answer::Claims {
        serial: serial.to_owned(),
        model: "DS-K1T342MFX-E1".to_owned(),
        tls_port: None,
        activated: true,
    }
}

async fn follow(company: &Company) -> Vec<Outcome> {
    let located = company.engine.locator.follow_what_was_heard().await;
    let located = located.unwrap().into_iter();
    located.map(|located| located.outcome).collect()
}

on_both_databases! {
    async fn a_terminal_that_is_heard_need_not_be_searched_for(store: Store) {
        let (store, _key) = with_secrets(store);
        let port = free_port();
        let terminal = start(model(ONE, "Abc12345").sadp(sadp(port))).await;
        let company = company(store, &["GB9637211"], port).await;
        let locator = company.engine.locator.clone();
        let hearing = tokio::spawn(async move { locator.hear_links().await });
        let somebody = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let question = "<?xml version=\"1.0\" encoding=\"utf-8\"?><Probe><Uuid>13A888A9-F1B1-4020-AE9F-05607682D23B</Uuid><Types>inquiry</Types></Probe>";
        until("it is found", async || {
            somebody.send_to(question.as_bytes(), ("239.255.255.250", port)).await.unwrap();
            follow(&company).await == [Outcome::Moved]
        })
        .await;
        assert!(is_at(&company, 0, &terminal).await);
        assert_eq!(poll(&company).await, said(&[("GB9637211", "ok")]));
        hearing.abort();

        // Where that is switched off, nobody listens.
        let options = LocatorOptions {
            links: LinkSearch { interfaces: vec![Ipv4Addr::LOCALHOST], port, ..LinkSearch::default() },
            hears: false,
            ..LocatorOptions::default()
        };
        company.engine.clone().searching(options).locator.hear_links().await;
    }

    async fn what_is_heard_moves_only_who_is_missing_and_proves_it(store: Store) {
        let (store, _key) = with_secrets(store);
        let port = free_port();
        let home = start(model(ONE, "Abc12345")).await;
        let liar = start(model(OTHER, "other")).await;
        let company = company(store, &[ONE, OTHER], port).await;
        register(&company, 0, ONE, Some(home.addr())).await;
        let locator = &company.engine.locator;
        assert_eq!(poll(&company).await, said(&[(OTHER, "address"), (ONE, "ok")]));
        home.reset_counts();

        // It is where it should be; who claims to be it elsewhere is not even asked.
        locator.hear(liar.addr(), claim(ONE));
        assert_eq!(follow(&company).await, []);
        assert_eq!(liar.counts().requests, 0);
        // Nor is it disturbed by who says that another one is there.
        locator.hear(home.addr(), claim(OTHER));
        assert_eq!(follow(&company).await, []);
        assert_eq!(home.counts().requests, 0);

        // It moves. What was heard before it was missed is followed then.
        home.go_offline();
        assert_eq!(poll(&company).await, said(&[(OTHER, "address"), (ONE, "connect")]));
        assert_eq!(follow(&company).await, [], "a liar");
        assert_eq!((liar.counts().refused_sign_ins, row(&company, 0).await.needs_edit), (1, false));
        let new = start(model(ONE, "Abc12345")).await;
        new.go_offline();
        locator.hear(new.addr(), claim(ONE));
        assert_eq!(follow(&company).await, [], "it is not ready yet");
        new.go_online().expect("the port is still free");
        for _ in 0..2 {
            locator.hear(liar.addr(), claim(ONE));
            locator.hear(new.addr(), claim(ONE));
        }
        assert_eq!(follow(&company).await, [Outcome::Moved]);
        assert!(is_at(&company, 0, &new).await);
        assert_eq!(liar.counts().refused_sign_ins, 1, "once a day");
        assert_eq!(poll(&company).await, said(&[(OTHER, "address"), (ONE, "ok")]));
    }

    async fn claims_without_end_are_not_remembered_without_end(store: Store) {
        let (store, _key) = with_secrets(store);
        let company = company(store, &[ONE], free_port()).await;
        let terminal = start(model(ONE, "Abc12345")).await;
        let locator = &company.engine.locator;
        locator.hear(terminal.addr(), claim(ONE));
        for number in 0..1000 {
            locator.hear(terminal.addr(), claim(&format!("{number:09}")));
        }
        assert_eq!(follow(&company).await, [], "the oldest is forgotten");
        locator.hear(terminal.addr(), claim(ONE));
        assert_eq!(follow(&company).await, [Outcome::Moved]);
    }

    async fn a_device_known_by_its_label_is_found_and_read(store: Store) {
        let (store, _key) = with_secrets(store);
        let port = free_port();
        let terminal = start(model(ONE, "Abc12345").sadp(sadp(port))).await;
        let company = company(store, &["GB9637211"], port).await;
        assert!(company.engine.locator.searches("hik") && !company.engine.locator.searches("zk"));
        assert_eq!(search(&company).await, [Outcome::Moved]);
        assert!(is_at(&company, 0, &terminal).await);
        assert_eq!(poll(&company).await, said(&[("GB9637211", "ok")]));
        assert_eq!(terminal.counts().sadp_commands, 0);
    }

    async fn two_that_have_swapped_addresses_are_both_found(store: Store) {
        let (store, _key) = with_secrets(store);
        let port = free_port();
        let one = start(model(ONE, "Abc12345").sadp(sadp(port))).await;
        let other = start(model(OTHER, "Abc12345").sadp(sadp(port))).await;
        let company = company(store, &[ONE, OTHER], port).await;
        register(&company, 0, ONE, Some(other.addr())).await;
        register(&company, 1, OTHER, Some(one.addr())).await;
        assert_eq!(poll(&company).await, said(&[(OTHER, "identify"), (ONE, "identify")]));
        assert_eq!(search(&company).await, [Outcome::Moved, Outcome::Moved]);
        assert!(is_at(&company, 0, &one).await && is_at(&company, 1, &other).await);
        assert_eq!(poll(&company).await, said(&[(OTHER, "ok"), (ONE, "ok")]));
        assert_eq!(one.counts().refused_sign_ins + other.counts().refused_sign_ins, 0);
    }

    async fn a_liar_is_signed_in_to_once_and_moves_nothing(store: Store) {
        let (store, _key) = with_secrets(store);
        let port = free_port();
        let claims = Sadp { claims: Some(ONE.to_owned()), ..sadp(port) };
        // One with another password, and one with ours.
        let liar = start(model(OTHER, "other").sadp(claims.clone())).await;
        let impostor = start(model(OTHER, "Abc12345").sadp(claims)).await;
        let company = company(store, &[ONE], port).await;
        for _ in 0..2 {
            assert_eq!(search(&company).await, []);
            assert_eq!(row(&company, 0).await.address, None);
        }
        assert_eq!(liar.counts().refused_sign_ins, 1);
        assert_eq!(impostor.counts().by_path["/ISAPI/System/deviceInfo"], 2, "one challenge, one answer");
        assert!(!row(&company, 0).await.needs_edit, "the password may be right for the true one");
        let honest = start(model(ONE, "Abc12345").sadp(sadp(port))).await;
        assert_eq!(search(&company).await, [Outcome::Moved]);
        assert!(is_at(&company, 0, &honest).await);
        assert_eq!(poll(&company).await, said(&[(ONE, "ok")]));
    }

    async fn two_that_both_prove_it_leave_it_where_it_is(store: Store) {
        let (store, _key) = with_secrets(store);
        let port = free_port();
        let _one = start(model(ONE, "Abc12345").sadp(sadp(port))).await;
        let _twin = start(model(ONE, "Abc12345").sadp(sadp(port))).await;
        let company = company(store, &[ONE], port).await;
        let outcomes = search(&company).await;
        assert!(matches!(outcomes.as_slice(), [Outcome::Doubted(why)] if why.contains("2 terminals answer")), "{outcomes:?}");
        assert_eq!(row(&company, 0).await.address, None);
    }
}

//! Terminals that are told to call us: by the reading that finds that they do not, and no more once they are not to.

use ingest::{CallsTo, Delivery, Engine, Link, PollerOptions};
use simulators::hik::{AfterReboot, HttpHost, Push, RunningTerminal};
use store::call_places::Chain;
use store::devices::DeviceFields;
use store::entities::call_places;
use store::testing::count_rows;
use store::{Store, on_both_databases};

use crate::company::{Company, at, punch, wall};
use crate::polling::{edit, hik_terminal, locate_hik, poll, said, with_secrets};
use attendance::Way;

/// A company whose terminal is read and should call, and a server that it may call.
async fn company(store: Store, push: Push) -> (Company, RunningTerminal) {
    let terminal = hik_terminal(3).push(push);
    let terminal = terminal.start("127.0.0.1:0").await.unwrap();
    (company_at(store, &terminal).await, terminal)
}

async fn company_at(store: Store, terminal: &RunningTerminal) -> Company {
    let mut company = Company::new(store, 2, 1, "2026-03-02 12:00:00").await;
    company.engine = engine(&company);
    locate_hik(&company, terminal).await;
    edit(&company, 0, both_ways).await;
    company
}

fn both_ways(fields: &mut DeviceFields) {
    fields.mode = vec![Way::Poll, Way::Push];
}

fn engine(company: &Company) -> Engine {
    let options = PollerOptions {
        calls: Some(CallsTo {
            host: Some("192.0.2.10".to_owned()),
            port: 8081,
        }),
        ..PollerOptions::default()
    };
    Engine::new(company.store.clone(), company.clock.clone(), options)
}

async fn place(company: &Company) -> call_places::Model {
    let place = company.store.call_place(company.devices[0]).await.unwrap();
    place.expect("it has a place")
}

/// The paths in the terminal's slots.
fn paths(terminal: &RunningTerminal) -> Vec<String> {
    let hosts = terminal.http_hosts().into_iter().flatten();
    hosts
        .map(|host| host.url)
        .filter(|url| !url.is_empty())
        .collect()
}

async fn path(company: &Company) -> String {
    let (token, _) = company.store.call_tokens(&place(company).await).unwrap();
    format!("/hik/events/{}", token.expose())
}

async fn failure(company: &Company) -> Option<(String, String)> {
    company.engine.callers.tick().await.unwrap();
    let serial = company
        .store
        .device(company.devices[0])
        .await
        .unwrap()
        .unwrap();
    let row = store::views::devices::by_serial(&company.store, &serial.serial_number)
        .await
        .unwrap()
        .unwrap();
    row.failing_step.zip(row.failing_message)
}

on_both_databases! {
    async fn a_reading_tells_a_terminal_to_call(store: Store) {
        let (store, _key) = with_secrets(store);
        let (company, terminal) = company(store, Push::default()).await;
        assert_eq!(poll(&company).await, said(&[(terminal.label_serial(), "ok")]));
        assert_eq!(paths(&terminal), [path(&company).await]);
        let told = place(&company).await;
        assert_eq!((told.slot.as_deref(), told.calls_to.as_deref()), (Some("1"), Some("192.0.2.10:8081")));
        assert_eq!((told.heartbeat_s, told.failure), (Some(30), None));
        assert!(told.hardware.is_some());

        // The next reading writes nothing; the one after it was told to stop does.
        company.at("2026-03-02 12:10:00").await;
        poll(&company).await;
        assert_eq!(place(&company).await.armed_ms, told.armed_ms);
        assert_eq!(place(&company).await.checked_ms, Some(at("2026-03-02 12:10:00").as_millisecond()));
        edit(&company, 0, |fields| fields.mode = vec![Way::Poll]).await;
        company.engine.poller.tell_others_once().await.unwrap();
        assert_eq!(paths(&terminal), [] as [String; 0]);
        assert_eq!(place(&company).await.slot, None);
    }

    async fn a_terminal_that_forgot_is_told_again_and_people_see_it(store: Store) {
        let (store, _key) = with_secrets(store);
        let push = Push { after_reboot: AfterReboot::Forgets, ..Push::default() };
        let (company, terminal) = company(store, push).await;
        poll(&company).await;
        terminal.reboot().unwrap();
        assert_eq!(paths(&terminal), [] as [String; 0]);
        poll(&company).await;
        assert_eq!(paths(&terminal), [path(&company).await]);
        let notices = company.store.notices_of(company.devices[0]).await.unwrap();
        assert_eq!(notices[0].kind, "told_again");
    }

    async fn somebody_else_s_slots_are_left_alone_and_named(store: Store) {
        let (store, _key) = with_secrets(store);
        let theirs = ["10.0.0.8", "10.0.0.9"].map(|host| HttpHost::new(host, 9000, "/theirs"));
        let terminal = theirs.iter().fold(hik_terminal(3), |terminal, host| terminal.http_host(host.clone()));
        let terminal = terminal.start("127.0.0.1:0").await.unwrap();
        let company = company_at(store, &terminal).await;
        assert_eq!(poll(&company).await, said(&[(terminal.label_serial(), "ok")]), "it is read as before");
        assert_eq!(paths(&terminal), ["/theirs", "/theirs"]);
        let (step, message) = failure(&company).await.expect("people are told");
        assert_eq!(step, "push");
        assert!(message.contains("slot 1 calls 10.0.0.8:9000") && message.contains("10.0.0.9:9000"), "{message}");
        // A reading does not mend it, and a free slot does.
        poll(&company).await;
        assert!(failure(&company).await.is_some());
        assert_eq!(count_rows(&company.store, "device_failures").await, 1);
    }

    async fn a_terminal_that_tells_nothing_although_it_was_told_to_is_a_failure(store: Store) {
        let (store, _key) = with_secrets(store);
        let (company, terminal) = company(store, Push::default()).await;
        poll(&company).await;
        company.engine.callers.read_known().await.unwrap();
        assert_eq!(failure(&company).await, None, "what was made before it was told does not count");
        let read = ["12:01:00", "12:02:00", "12:03:00"].map(|time| punch("1001", &format!("2026-03-02 {time}"), 0));
        company.at("2026-03-02 12:04:00").await;
        company.read(0, read[..2].to_vec()).await;
        assert_eq!(failure(&company).await, None, "two are chance");
        company.at("2026-03-02 12:06:00").await;
        company.read(0, read.to_vec()).await;
        let (step, message) = failure(&company).await.expect("people are told");
        assert_eq!(step, "push");
        assert!(message.contains("came by readings only"), "{message}");
        // Some call again once they are told again.
        let before = place(&company).await.armed_ms;
        poll(&company).await;
        assert_ne!(place(&company).await.armed_ms, before);
        drop(terminal);

        let caller = company.engine.callers.caller(company.devices[0]).unwrap();
        let delivery = Delivery {
            content: "x".to_owned(),
            lines: 1,
            punches: vec![punch("1001", "2026-03-02 12:03:00", 0)],
            ..Delivery::default()
        };
        company.engine.callers.deliver(&caller, delivery).await.unwrap();
        company.at("2026-03-02 12:08:00").await;
        assert_eq!(failure(&company).await, None);
    }

    async fn a_removed_device_is_told_to_stop(store: Store) {
        let (store, _key) = with_secrets(store);
        let (company, terminal) = company(store, Push::default()).await;
        poll(&company).await;
        let tx = company.store.begin_write().await.unwrap();
        tx.retire_device(company.devices[0], company.author()).await.unwrap();
        tx.commit().await.unwrap();
        company.engine.poller.tell_others_once().await.unwrap();
        assert_eq!(paths(&terminal), [] as [String; 0]);
        assert_eq!(company.store.devices_to_tell().await.unwrap(), []);
    }

    async fn a_terminal_that_nobody_reads_is_told_all_the_same(store: Store) {
        let (store, _key) = with_secrets(store);
        let (company, terminal) = company(store, Push::default()).await;
        edit(&company, 0, |fields| fields.mode = vec![Way::Push]).await;
        company.engine.poller.tell_others_once().await.unwrap();
        assert_eq!(paths(&terminal), [path(&company).await]);
    }

    async fn a_renewed_place_is_told_at_the_next_reading(store: Store) {
        let (store, _key) = with_secrets(store);
        let (company, terminal) = company(store, Push::default()).await;
        poll(&company).await;
        let before = path(&company).await;
        let callers = &company.engine.callers;
        callers.renew_place(company.devices[0], company.author()).await.unwrap();
        assert_ne!(path(&company).await, before);
        poll(&company).await;
        assert_eq!(paths(&terminal), [path(&company).await], "in the same slot");
        assert_eq!(place(&company).await.former_sealed, None);
    }

    /// Of two server processes, or after a restart, what was told last is known.
    async fn events_follow_each_other(store: Store) {
        let (store, _key) = with_secrets(store);
        let (company, _terminal) = company(store, Push::default()).await;
        let callers = &company.engine.callers;
        callers.tick().await.unwrap();
        let caller = callers.caller(company.devices[0]).unwrap();
        let told = async |links: &[(u64, Option<u64>, bool)]| {
            let links = links.iter().map(|(number, before, is_news)| Link {
                number: *number,
                before: *before,
                clock: wall("2026-03-02 12:00:00"),
                is_news: *is_news,
            });
            let delivery = Delivery {
                content: "x".to_owned(),
                digest: format!("{links:?}"),
                lines: 1,
                links: links.collect(),
                ..Delivery::default()
            };
            callers.deliver(&caller, delivery).await.unwrap();
            let notices = company.store.notices_of(company.devices[0]).await.unwrap();
            notices.iter().filter(|notice| notice.kind == "events_missing").map(|notice| notice.count).sum::<i64>()
        };
        assert_eq!(told(&[(10, Some(9), true)]).await, 0, "the first one begins");
        assert_eq!(told(&[(11, Some(10), true), (12, None, true)]).await, 0);
        assert_eq!(told(&[(12, Some(11), true), (5, None, false)]).await, 0, "told again");
        assert_eq!(told(&[(20, Some(12), true)]).await, 0, "others were of no interest");
        assert_eq!(told(&[(30, Some(29), true)]).await, 1);
        assert_eq!(told(&[(1, Some(0), true)]).await, 2, "it counts from the beginning again");
        assert_eq!(told(&[(2, Some(1), true)]).await, 2);
        assert_eq!(place(&company).await.last_number, Some(2));
    }

    async fn a_gap_in_what_was_told_covers_nobody(store: Store) {
        let company = Company::new(store, 1, 1, "2026-03-02 12:00:00").await;
        let device = company.devices[0];
        let follow = async |chain: Chain, to: &str| {
            let tx = company.store.begin_write().await.unwrap();
            tx.cover_followed(device, chain, at(to)).await.unwrap();
            let covered = tx.covered_to(device).await.unwrap();
            tx.commit().await.unwrap();
            (covered, count_rows(&company.store, "device_gaps").await)
        };
        let noon = at("2026-03-02 12:00:00");
        assert_eq!(follow(Chain::Begins, "2026-03-02 12:00:00").await, (Some(noon), 0));
        let later = at("2026-03-02 12:30:00");
        assert_eq!(follow(Chain::Whole, "2026-03-02 12:30:00").await, (Some(later), 0));
        let last = at("2026-03-02 13:00:00");
        assert_eq!(follow(Chain::Broken, "2026-03-02 13:00:00").await, (Some(last), 1));
        let on = at("2026-03-02 13:30:00");
        assert_eq!(follow(Chain::Whole, "2026-03-02 13:30:00").await, (Some(on), 1), "a gap with an end stays");
        // A reading of everything brings what was missing.
        company.read(0, Vec::new()).await;
        assert_eq!(count_rows(&company.store, "device_gaps").await, 0);
    }
}

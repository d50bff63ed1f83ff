//! Devices that tell their punches live, with readings on the same connection.

use std::sync::Arc;
use std::time::{Duration, Instant};

use attendance::Way;
use ingest::{Engine, Found, PollerOptions, Workers};
use jiff::SignedDuration;
use jiff::tz::TimeZone;
use simulators::zk::{Fault, RunningTerminal, VirtualTerminal};
use store::entities::devices;
use store::testing::count_rows;
use store::{Store, on_both_databases, sql};

use crate::company::{Company, ZONE, wall};
use crate::polling::{builder, edit, locate};

/// A company whose only device is this terminal, listened to. Its clock shows the time of the company.
pub async fn company(store: Store) -> Company {
    let mut company = Company::new(store, 2, 1, "2026-03-02 12:00:00").await;
    let options = PollerOptions {
        quiet: Duration::from_millis(100),
        ..PollerOptions::default()
    };
    company.engine = Engine::new(company.store.clone(), company.clock.clone(), options);
    company
}

pub async fn listened_to(company: &Company, terminal: VirtualTerminal) -> RunningTerminal {
    let clock = company.clock.clone();
    let zone = TimeZone::get(ZONE).expect("a zone");
    let terminal = terminal.clock(Arc::new(move || zone.to_datetime(clock.now())));
    let terminal = terminal.start("127.0.0.1:0").await.expect("a free port");
    locate(company, 0, &terminal).await;
    edit(company, 0, |fields| {
        fields.mode = vec![Way::Poll, Way::Live]
    })
    .await;
    terminal
}

async fn row(company: &Company) -> devices::Model {
    company
        .store
        .device(company.devices[0])
        .await
        .unwrap()
        .unwrap()
}

pub async fn until(what: &str, done: impl AsyncFn() -> bool) {
    let began = Instant::now();
    while !done().await {
        assert!(
            began.elapsed() < Duration::from_secs(20),
            "it did not happen: {what}"
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

pub async fn until_live(company: &Company) {
    until("it is live", async || {
        row(company).await.live_since_ms.is_some()
    })
    .await;
}

pub async fn start(company: &Company) -> Workers {
    company.engine.start().await.unwrap()
}

/// How the punch at this time came, in order.
pub async fn ways(company: &Company, clock: &str) -> Vec<String> {
    let rows = sql::all(
        company.store.read(),
        "SELECT s.way FROM punch_sightings s JOIN punches p ON p.id = s.punch_id WHERE p.clock = $1 ORDER BY s.first_ms, s.way",
        [clock.into()],
    )
    .await
    .unwrap();
    rows.iter()
        .map(|row| row.try_get_by_index(0).unwrap())
        .collect()
}

on_both_databases! {
    async fn a_device_is_read_and_then_listened_to_on_one_connection(store: Store) {
        let company = company(store).await;
        let terminal = listened_to(&company, builder("SERIAL0")).await;
        terminal.set_fault(Fault::OneConnection(Duration::from_secs(60)));
        let workers = start(&company).await;
        until_live(&company).await;
        assert_eq!(count_rows(&company.store, "punches").await, 2, "it was read first");

        assert!(terminal.punch("1002", wall("2026-03-02 11:59:40"), 1, 1));
        terminal.wait_for_acknowledgements(1).await;
        assert_eq!(ways(&company, "2026-03-02 11:59:40").await, ["live"], "stored before it was told OK");
        until("it is judged", async || {
            let reports = company.reports().await;
            let ben = reports.get(&(company.people[1], "2026-03-02".parse().unwrap()));
            ben.is_some_and(|ben| ben.last_out.as_deref() == Some("2026-03-02 11:59:40"))
        })
        .await;
        assert_eq!(count_rows(&company.store, "poll_cycles").await, 1);

        company.engine.poller.poll_now(None).await.unwrap();
        until("it is read again", async || count_rows(&company.store, "poll_cycles").await == 2).await;
        assert_eq!(ways(&company, "2026-03-02 11:59:40").await.len(), 2, "live and poll agree on it");
        assert_eq!(count_rows(&company.store, "punches").await, 3);
        let counts = terminal.counts();
        assert_eq!((counts.connections, counts.turned_away, counts.disables), (1, 0, 0));
        let row_now = row(&company).await;
        assert!(row_now.live_since_ms.is_some());
        assert!(row_now.lease_owner.is_some(), "nobody else may read it in between");
        workers.stop().await.unwrap();
        until("it is told goodbye", async || terminal.counts().of(1001) == 1).await;
    }

    async fn a_quiet_device_is_covered_by_its_answers(store: Store) {
        let company = company(store).await;
        let _terminal = listened_to(&company, builder("SERIAL0")).await;
        let workers = start(&company).await;
        until_live(&company).await;
        company.clock.set(company.clock.now() + SignedDuration::from_mins(2));
        let now = company.clock.now();
        until("it answers", async || row(&company).await.last_contact_ms == Some(now.as_millisecond())).await;
        let tx = company.store.begin_write().await.unwrap();
        assert_eq!(tx.covered_to(company.devices[0]).await.unwrap(), Some(now));
        tx.rollback().await.unwrap();
        assert_eq!(count_rows(&company.store, "poll_cycles").await, 1, "without a reading");
        workers.stop().await.unwrap();
    }

    async fn what_happened_while_the_connection_was_lost_is_read_before_it_is_live_again(store: Store) {
        let company = company(store).await;
        let terminal = listened_to(&company, builder("SERIAL0")).await;
        let workers = start(&company).await;
        until_live(&company).await;
        terminal.go_offline();
        until("it is lost", async || row(&company).await.live_since_ms.is_none()).await;
        assert_eq!(row(&company).await.last_error_step.as_deref(), Some("live"));
        assert_eq!(count_rows(&company.store, "device_failures").await, 1);
        assert!(terminal.punch("1001", wall("2026-03-02 11:59:50"), 1, 1));
        terminal.go_online();
        company.clock.set(company.clock.now() + SignedDuration::from_mins(5));
        until_live(&company).await;
        assert_eq!(ways(&company, "2026-03-02 11:59:50").await, ["poll"]);
        assert!(row(&company).await.last_error.is_none());
        workers.stop().await.unwrap();
    }

    async fn a_connection_that_is_gone_without_a_word_is_noticed(store: Store) {
        let company = company(store).await;
        let terminal = listened_to(&company, builder("SERIAL0")).await;
        terminal.set_fault(Fault::LiveStall(1));
        let workers = start(&company).await;
        until_live(&company).await;
        assert!(terminal.punch("1001", wall("2026-03-02 11:59:50"), 1, 1));
        until("it is lost", async || row(&company).await.live_since_ms.is_none()).await;
        assert_eq!(row(&company).await.last_error_step.as_deref(), Some("clock"));
        assert_eq!(ways(&company, "2026-03-02 11:59:50").await, ["live"]);
        workers.stop().await.unwrap();
    }

    async fn what_is_not_understood_is_read(store: Store) {
        let company = company(store).await;
        let terminal = listened_to(&company, builder("SERIAL0")).await;
        let workers = start(&company).await;
        until_live(&company).await;
        terminal.emit(1, &[1, 2, 3]);
        until("it is read", async || count_rows(&company.store, "poll_cycles").await == 2).await;
        assert_eq!(count_rows(&company.store, "parked").await, 0);
        workers.stop().await.unwrap();
    }

    async fn who_listens_steps_aside_for_somebody_else(store: Store) {
        let company = company(store).await;
        let terminal = listened_to(&company, builder("SERIAL0")).await;
        terminal.set_fault(Fault::OneConnection(Duration::from_secs(60)));
        let workers = start(&company).await;
        until_live(&company).await;
        let elsewhere = ingest::Engine::new(company.store.clone(), company.clock.clone(), PollerOptions::default());
        let taken = elsewhere.poller.take(company.devices[0]).await.unwrap().expect("it is given back");
        let held = row(&company).await;
        assert!(held.live_since_ms.is_none() && held.lease_owner.is_some());
        company.engine.poller.poll_now(None).await.unwrap();
        let polled = company.engine.poller.poll_once(None).await.unwrap();
        assert_eq!(polled[0].result.as_ref().unwrap_err().step, "lease");
        assert_eq!(terminal.counts().of(1001), 1, "nobody has a connection");
        taken.give_back().await.unwrap();
        until_live(&company).await;
        let diagnosis = company.engine.poller.examine(company.devices[0], &mut |_| {}).await.unwrap().expect("it steps aside");
        let failed = diagnosis.checks.iter().any(|one| matches!(one.found, Found::Failed(_)));
        assert!(!failed, "its one connection is free: {diagnosis:?}");
        until_live(&company).await;
        assert_eq!((terminal.counts().turned_away, count_rows(&company.store, "device_failures").await), (0, 0));
        workers.stop().await.unwrap();
    }

    async fn an_edited_device_is_let_go(store: Store) {
        let company = company(store).await;
        let terminal = listened_to(&company, builder("SERIAL0")).await;
        let workers = start(&company).await;
        until_live(&company).await;
        edit(&company, 0, |fields| fields.mode = vec![Way::Poll]).await;
        company.engine.edited();
        until("it is let go", async || row(&company).await.live_since_ms.is_none()).await;
        until("it is polled", async || count_rows(&company.store, "poll_cycles").await == 2).await;
        assert_eq!(terminal.counts().of(1001), 2, "both conversations ended with a goodbye");
        workers.stop().await.unwrap();
    }
}

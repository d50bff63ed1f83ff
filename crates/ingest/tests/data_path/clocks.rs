//! Clocks of terminals: what is noted of them, what a wrong one does to punches, and how these are put right.

use std::sync::Arc;
use std::time::Duration;

use attendance::Way;
use ingest::{Batch, ClockChange, NotSet, SetClockFailure};
use jiff::SignedDuration;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use proptest::prelude::*;
use simulators::zk::{Fault, RunningTerminal};
use store::clock_shifts::NewClockShift;
use store::{Store, on_both_databases, sql};

use crate::company::{Company, ZONE, at, punch, wall};
use crate::live::until;
use crate::polling::{builder, edit, locate};

/// The clocks of the punches that are doubted, in order.
pub async fn suspects(company: &Company) -> Vec<String> {
    let rows = sql::all(
        company.store.read(),
        "SELECT clock FROM punches WHERE suspect ORDER BY clock",
        [],
    )
    .await
    .unwrap();
    rows.iter()
        .map(|row| row.try_get_by_index(0).unwrap())
        .collect()
}

/// A complete reading of the first device, whose clock is off by so much.
fn off(company: &Company, by: SignedDuration, punches: Vec<attendance::Punch>) -> Batch {
    let mut batch = company.reading(0, punches);
    let contact = batch.contact.as_mut().expect("a reading has one");
    contact.clock = contact.clock.saturating_add(by);
    batch
}

/// What a live connection tells of the clock.
fn probe(company: &Company, by: SignedDuration) -> Batch {
    Batch {
        way: Way::Live,
        ..off(company, by, Vec::new())
    }
}

fn live(company: &Company, clock: &str) -> Batch {
    Batch::new(company.devices[0], Way::Live, vec![punch("1001", clock, 0)])
}

/// Minute of the note since nine, drift, event.
async fn notes(company: &Company) -> Vec<(i64, i64, String)> {
    let rows = sql::all(
        company.store.read(),
        "SELECT at_ms, drift_s, event FROM device_clocks ORDER BY at_ms",
        [],
    )
    .await
    .unwrap();
    let nine = at("2026-03-02 09:00:00").as_millisecond();
    rows.iter()
        .map(|row| {
            let noted: i64 = row.try_get_by_index(0).unwrap();
            let drift_s = row.try_get_by_index(1).unwrap();
            (
                (noted - nine) / 60_000,
                drift_s,
                row.try_get_by_index(2).unwrap(),
            )
        })
        .collect()
}

on_both_databases! {
    async fn a_clock_is_noted_when_it_moves_and_once_an_hour(store: Store) {
        let company = Company::new(store, 1, 1, "2026-03-02 09:00:00").await;
        let secs = SignedDuration::from_secs;
        for (minute, drift_s, by_live) in [
            (0, 3, false),
            (5, 4, false),
            (6, 4, true),
            (10, 5, true),
            (65, 5, false),
            (126, 5, true),
            (130, 50, false),
            (135, -826_000_000, false),
            (140, -826_000_001, true),
            (145, 0, false),
        ] {
            let nine = at("2026-03-02 09:00:00");
            company.clock.set(nine + SignedDuration::from_mins(minute));
            let looked = match by_live {
                true => probe(&company, secs(drift_s)),
                false => off(&company, secs(drift_s), Vec::new()),
            };
            company.accept(&looked).await;
        }
        let expected = [
            (0, 3, ""),
            (10, 5, ""),
            (126, 5, ""),
            (130, 50, "jump"),
            (135, -826_000_000, "reset"),
            (145, 0, "jump"),
        ];
        assert_eq!(notes(&company).await, expected.map(|(at, drift_s, event)| (at, drift_s, event.to_owned())));
        // Another process knows nothing of it, and notes nothing twice.
        let again = ingest::Engine::new(company.store.clone(), company.clock.clone(), Default::default());
        again.intake.accept(&probe(&company, secs(1))).await.unwrap();
        assert_eq!(notes(&company).await.len(), expected.len());
        company.at("2026-08-29 09:00:00").await;
        assert_eq!(notes(&company).await.len(), expected.len(), "180 days");
        let later = ingest::Engine::new(company.store.clone(), company.clock.clone(), Default::default());
        company.clock.set(at("2026-08-29 11:12:00"));
        later.catch_up().await.unwrap();
        let left: Vec<_> = notes(&company).await.into_iter().map(|(_, drift_s, _)| drift_s).collect();
        assert_eq!(left, [-826_000_000, 0]);
    }

    async fn what_comes_while_a_clock_is_known_to_be_wrong_is_set_aside(store: Store) {
        let company = Company::new(store, 1, 1, "2026-03-02 09:00:00").await;
        let hours = SignedDuration::from_hours;
        company.read(0, Vec::new()).await;
        company.accept(&live(&company, "2026-03-02 08:59:00")).await;
        // Seen for the first time: what came before is judged by the order of the log.
        company.accept(&off(&company, hours(-3), vec![punch("1001", "2026-03-02 09:01:00", 1)])).await;
        assert_eq!(suspects(&company).await, Vec::<String>::new());
        company.accept(&live(&company, "2026-03-02 06:01:00")).await;
        company.accept(&off(&company, hours(-3), vec![punch("1001", "2026-03-02 06:02:00", 2)])).await;
        assert_eq!(suspects(&company).await, ["2026-03-02 06:01:00", "2026-03-02 06:02:00"]);
        let file = Batch { way: Way::Import, ..live(&company, "2026-02-02 09:02:00") };
        company.accept(&file).await;
        // A reading finds it right, or a live connection does.
        company.read(0, vec![punch("1001", "2026-03-02 08:58:00", 3)]).await;
        company.accept(&live(&company, "2026-03-02 08:59:30")).await;
        company.accept(&probe(&company, hours(3))).await;
        company.accept(&live(&company, "2026-03-02 10:00:00")).await;
        company.accept(&probe(&company, hours(0))).await;
        company.accept(&live(&company, "2026-03-02 08:59:40")).await;
        assert_eq!(
            suspects(&company).await,
            ["2026-03-02 06:01:00", "2026-03-02 06:02:00", "2026-03-02 10:00:00"]
        );
        // Nor is a duplicate doubted, or believed, because it comes again.
        company.accept(&off(&company, hours(3), vec![punch("1001", "2026-03-02 08:58:00", 3)])).await;
        company.accept(&off(&company, hours(3), vec![punch("1001", "2026-03-02 08:58:00", 3)])).await;
        company.read(0, vec![punch("1001", "2026-03-02 06:02:00", 2)]).await;
        assert_eq!(suspects(&company).await.len(), 3);
    }

    async fn a_long_log_is_not_doubted_because_the_clock_is_wrong_now(store: Store) {
        let company = Company::new(store, 1, 1, "2026-03-02 12:00:00").await;
        let ahead = SignedDuration::from_hours(3);
        for (record, clock) in [(1, "2026-02-02 09:00:00"), (2, "2026-02-03 09:00:00")] {
            let mut part = off(&company, ahead, vec![punch("1001", clock, record)]);
            part.complete = false;
            assert!(company.accept(&part).await.clock_fault.is_some());
        }
        company.accept(&off(&company, ahead, vec![punch("1001", "2026-02-04 09:00:00", 3)])).await;
        assert_eq!(suspects(&company).await, Vec::<String>::new());
        company.accept(&off(&company, ahead, vec![punch("1001", "2026-03-02 15:00:00", 4)])).await;
        assert_eq!(suspects(&company).await, ["2026-03-02 15:00:00"]);
    }

    async fn punches_of_a_clock_that_was_reset_count_once_they_are_shifted(store: Store) {
        let company = Company::new(store, 1, 1, "2026-03-02 19:00:00").await;
        company.at("2026-03-02 19:00:00").await;
        let came_and_went = vec![punch("1001", "2000-01-01 00:10:00", 0), punch("1001", "2000-01-01 09:15:00", 1)];
        company.read(0, came_and_went.clone()).await;
        assert_ne!(company.status(0, "2026-03-02").await, "present");
        let shift = NewClockShift {
            device: company.devices[0],
            from: wall("2000-01-01 00:00:00"),
            to: wall("2000-01-01 09:15:00"),
            shift: wall("2026-03-02 08:58:00").duration_since(wall("2000-01-01 00:10:00")),
            reason: "the battery".to_owned(),
        };
        let tx = company.store.begin_write().await.unwrap();
        let shifted = tx.shift_clock(&shift, company.author()).await.unwrap();
        tx.commit().await.unwrap();
        company.engine.judge.drain().await.unwrap();
        let report = company.reports().await.remove(&(company.people[0], crate::company::day("2026-03-02"))).unwrap();
        assert_eq!((report.first_in.as_deref(), report.last_out.as_deref()), (Some("2026-03-02 08:58:00"), Some("2026-03-02 18:03:00")));
        assert_eq!(company.engine.judge.check(Date::MIN, Date::MAX).await.unwrap(), []);

        let again = company.read(0, came_and_went).await;
        assert_eq!((again.new, again.duplicate), (0, 2), "it is what the device said that is compared");
        assert_eq!(company.status(0, "2026-03-02").await, "present");

        let tx = company.store.begin_write().await.unwrap();
        tx.undo_clock_shift(shifted.id, company.author()).await.unwrap();
        tx.commit().await.unwrap();
        company.engine.judge.drain().await.unwrap();
        assert_ne!(company.status(0, "2026-03-02").await, "present");
        assert_eq!(company.engine.judge.check(Date::MIN, Date::MAX).await.unwrap(), []);
    }

    async fn a_punch_that_was_doubted_counts_once_somebody_vouches_for_it(store: Store) {
        let company = Company::new(store, 1, 1, "2026-03-02 09:00:00").await;
        let hours = SignedDuration::from_hours;
        company.read(0, Vec::new()).await;
        company.accept(&off(&company, hours(-3), Vec::new())).await;
        company.clock.set(at("2026-03-02 09:05:00"));
        company.accept(&live(&company, "2026-03-02 06:01:00")).await;
        company.read(0, Vec::new()).await;
        company.at("2026-03-02 09:06:00").await;
        assert_ne!(company.status(0, "2026-03-02").await, "present");
        shift_all(&company, "2026-03-02 06:01:00", hours(3)).await;
        let report = company.reports().await.remove(&(company.people[0], crate::company::day("2026-03-02"))).unwrap();
        assert_eq!((report.status.as_str(), report.first_in.as_deref()), ("present", Some("2026-03-02 09:01:00")));
    }

    async fn a_shifted_punch_of_nobody_is_unread_where_it_came_to_and_not_where_it_was(store: Store) {
        let company = Company::new(store, 2, 1, "2026-03-02 12:00:00").await;
        hire_a_double(&company, "2026-01-01").await;
        company.at("2026-03-02 12:00:00").await;
        company.read(0, Vec::new()).await;
        let ahead = vec![punch("1002", "2026-03-10 08:58:00", 0)];
        company.accept(&Batch::new(company.devices[0], Way::Live, ahead)).await;
        for day in 2..=11 {
            company.at(&format!("2026-03-{day:02} 23:00:00")).await;
            company.read(0, Vec::new()).await;
        }
        assert_eq!(company.status(1, "2026-03-03").await, "absent");
        assert_eq!(company.status(1, "2026-03-10").await, "unknown", "it may be theirs");
        shift_all(&company, "2026-03-10 08:58:00", SignedDuration::from_hours(-7 * 24)).await;
        assert_eq!(company.status(1, "2026-03-03").await, "unknown");
        assert_eq!(company.status(1, "2026-03-10").await, "absent");
        assert_eq!(company.engine.judge.check(Date::MIN, Date::MAX).await.unwrap(), []);
    }
}

/// Shifts what is set aside of the first device from this time of its clock on, and judges.
async fn shift_all(company: &Company, from: &str, shift: SignedDuration) {
    let new = NewClockShift {
        device: company.devices[0],
        from: wall(from),
        to: wall("2100-01-01 00:00:00"),
        shift,
        reason: "it was off".to_owned(),
    };
    let tx = company.store.begin_write().await.unwrap();
    tx.shift_clock(&new, company.author()).await.unwrap();
    tx.commit().await.unwrap();
    company.engine.judge.drain().await.unwrap();
}

/// A terminal that is off by so much, as the first device, whose clock is set by itself.
async fn off_terminal(company: &Company, off_s: i64, live: bool) -> RunningTerminal {
    let (clock, zone) = (company.clock.clone(), TimeZone::get(ZONE).expect("a zone"));
    let terminal = builder("SERIAL0").clock(Arc::new(move || {
        zone.to_datetime(clock.now())
            .saturating_add(SignedDuration::from_secs(off_s))
    }));
    let terminal = terminal.start("127.0.0.1:0").await.expect("a free port");
    locate(company, 0, &terminal).await;
    edit(company, 0, |fields| {
        fields.set_clock = true;
        if live {
            fields.mode = vec![Way::Poll, Way::Live];
        }
    })
    .await;
    terminal
}

/// The drift of the first device at its last contact, and what was noted of its clock.
async fn drift_and_events(company: &Company) -> (Option<i64>, Vec<String>) {
    let row = company
        .store
        .device(company.devices[0])
        .await
        .unwrap()
        .unwrap();
    let events = notes(company).await.into_iter().map(|(_, _, event)| event);
    (row.clock_drift_s, events.collect())
}

async fn poll(company: &Company) {
    let polled = company.engine.poller.poll_once(None).await.unwrap();
    for polled in polled {
        polled.result.expect("it can be read");
    }
}

on_both_databases! {
    async fn a_clock_is_set_after_a_reading_outside_the_shifts(store: Store) {
        let company = Company::new(store, 2, 1, "2026-03-02 12:00:00").await;
        let terminal = off_terminal(&company, 100, false).await;
        poll(&company).await;
        assert_eq!(terminal.counts().of(202), 0, "people are at work");
        company.clock.set(at("2026-03-02 21:59:00"));
        poll(&company).await;
        assert_eq!(terminal.counts().of(202), 0, "the window is open until four hours after the shift");
        company.clock.set(at("2026-03-02 22:00:00"));
        poll(&company).await;
        assert_eq!(terminal.counts().of(202), 1);
        assert_eq!(terminal.clock_shift(), SignedDuration::from_secs(-100));
        let events = |events: &[&str]| events.iter().map(|event| event.to_string()).collect::<Vec<_>>();
        assert_eq!(drift_and_events(&company).await, (Some(0), events(&["", "", "set"])));
        let audited = company.store.audit_entries(None, 1).await.unwrap();
        assert_eq!((audited[0].action.as_str(), audited[0].detail.as_str()), ("device.clock.set", r#"{"after_s":0,"before_s":100}"#));
        company.clock.set(at("2026-03-02 23:30:00"));
        poll(&company).await;
        assert_eq!(drift_and_events(&company).await, (Some(0), events(&["", "", "set", ""])), "it runs on");
        assert_eq!(terminal.counts().of(202), 1);

        edit(&company, 0, |fields| fields.set_clock = false).await;
        terminal.set_fault(Fault::ClockReset);
        poll(&company).await;
        assert_eq!(terminal.counts().of(202), 1, "it is not asked for any more");
    }

    async fn a_clock_that_cannot_be_set_is_no_failure_of_the_device(store: Store) {
        let company = Company::new(store, 2, 1, "2026-03-02 23:00:00").await;
        let terminal = off_terminal(&company, -100, false).await;
        terminal.set_fault(Fault::IgnoreWrites);
        poll(&company).await;
        assert_eq!(terminal.counts().of(202), 1);
        let (drift, events) = drift_and_events(&company).await;
        assert_eq!((drift, events.len()), (Some(-100), 1));
        assert_eq!(store::testing::count_rows(&company.store, "device_failures").await, 0);
    }

    async fn a_clock_is_not_set_back_over_a_punch(store: Store) {
        let company = Company::new(store, 2, 1, "2026-03-02 23:00:00").await;
        let terminal = off_terminal(&company, 600, false).await;
        assert!(terminal.punch("1001", wall("2026-03-02 23:07:00"), 0, 1));
        poll(&company).await;
        assert_eq!(terminal.counts().of(202), 0);
        let until = at("2026-03-02 23:07:00");
        let asked = company.engine.poller.set_clock(company.devices[0], None).await.unwrap();
        assert_eq!(asked, Err(SetClockFailure::NotSet(NotSet::OverPunch { until })));
        company.clock.set(until);
        poll(&company).await;
        assert_eq!(terminal.counts().of(202), 1);
    }

    async fn a_person_sets_a_clock_back_over_what_is_set_aside(store: Store) {
        let company = Company::new(store, 2, 1, "2026-03-02 23:30:00").await;
        let terminal = off_terminal(&company, 86_400, false).await;
        assert!(terminal.punch("1001", wall("2026-03-03 23:10:00"), 0, 1));
        poll_wrong(&company).await;
        assert_eq!(terminal.counts().of(202), 0, "by itself it waits for a day");
        let set = company.engine.poller.set_clock(company.devices[0], None).await.unwrap();
        assert_eq!(set.map(|change| change.before_s), Ok(86_400));
    }

    async fn a_person_sets_a_clock_at_any_time_and_it_is_read_again(store: Store) {
        let company = Company::new(store, 2, 1, "2026-03-02 12:00:00").await;
        let terminal = off_terminal(&company, -3 * 3600, false).await;
        poll_wrong(&company).await;
        assert_eq!(terminal.counts().of(202), 0);
        company.clock.set(at("2026-03-02 12:00:01"));
        let set = company.engine.poller.set_clock(company.devices[0], None).await.unwrap();
        assert_eq!(set, Ok(ClockChange { before_s: -3 * 3600, after_s: 0, left_time_server: false }));
        assert_eq!(drift_and_events(&company).await, (Some(0), vec![String::new(), "set".to_owned()]));
        let row = company.store.device(company.devices[0]).await.unwrap().unwrap();
        assert_eq!((row.lease_owner, row.next_poll_ms), (None, Some(company.clock.now().as_millisecond())));
        poll(&company).await;
        let tx = company.store.begin_write().await.unwrap();
        assert_eq!(tx.wrong_clock_seen(company.devices[0]).await.unwrap(), None);
        tx.rollback().await.unwrap();
        terminal.go_offline();
        let failed = company.engine.poller.set_clock(company.devices[0], None).await.unwrap();
        let Err(SetClockFailure::Failed(failure)) = failed else { panic!("{failed:?}") };
        assert_eq!(failure.step, "connect");
    }

    async fn the_clock_of_a_device_that_is_listened_to_is_set_on_its_connection(store: Store) {
        let mut company = Company::new(store, 2, 1, "2026-03-02 23:00:00").await;
        let options = ingest::PollerOptions { quiet: Duration::from_millis(100), ..Default::default() };
        company.engine = ingest::Engine::new(company.store.clone(), company.clock.clone(), options);
        let terminal = off_terminal(&company, 3 * 3600, true).await;
        let workers = company.engine.start().await.unwrap();
        until("it is set", async || drift_and_events(&company).await.1.contains(&"set".to_owned())).await;
        // An answer shows that it is right, so what comes now is believed.
        until("it is right", async || {
            let tx = company.store.begin_write().await.unwrap();
            let wrong = tx.wrong_clock_seen(company.devices[0]).await.unwrap();
            tx.rollback().await.unwrap();
            wrong.is_none()
        })
        .await;
        assert!(terminal.punch("1002", wall("2026-03-02 22:59:59"), 1, 1));
        terminal.wait_for_acknowledgements(1).await;
        assert_eq!(suspects(&company).await, Vec::<String>::new());
        assert_eq!(terminal.counts().connections, 1);
        workers.stop().await.unwrap();
    }
}

/// One reading that says that the clock is wrong.
async fn poll_wrong(company: &Company) {
    let polled = company.engine.poller.poll_once(None).await.unwrap();
    let accepted = polled[0].result.as_ref().expect("it is read all the same");
    assert!(accepted.clock_fault.is_some());
}

/// Everything that is stored of the punches.
async fn rows(company: &Company) -> Vec<String> {
    let rows = sql::all(
        company.store.read(),
        "SELECT id || ' ' || user_id || ' ' || clock || ' ' || zone || ' ' || instant_ms || ' ' || CAST(suspect AS text) || ' ' || \
         COALESCE(CAST(employee_id AS text), '-') || ' ' || COALESCE(CAST(shift_id AS text), '-') || ' ' || COALESCE(shifted, '-') \
         FROM punches ORDER BY id",
        [],
    )
    .await
    .unwrap();
    rows.iter()
        .map(|row| row.try_get_by_index(0).unwrap())
        .collect()
}

/// Somebody who has the number of the second person since that day.
async fn hire_a_double(company: &Company, since: &str) {
    let double = store::people::EmployeeFields {
        device_user_id: Some("1002".to_owned()),
        employed_from: Some(crate::company::day(since)),
        ..store::testing::employee_fields(company.site, "D")
    };
    let tx = company.store.begin_write().await.unwrap();
    tx.add_employee(&double, company.author()).await.unwrap();
    tx.commit().await.unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, ..ProptestConfig::default() })]

    #[test]
    fn a_shift_that_is_undone_leaves_everything_as_it_was(
        log in crate::intake::logs(),
        wrong in crate::intake::logs(),
        hours in -60..60_i64,
        first in 2..5_u8,
        days in 0..3_i64,
    ) {
        crate::intake::on_a_fresh_company(async |company| {
            hire_a_double(&company, "2026-03-04").await;
            company.at("2026-03-02 00:10:00").await; // the days from the second on are judged
            company.at("2026-03-06 12:00:00").await;
            company.read(1, log).await;
            let off_by = SignedDuration::from_hours(hours.signum() * 2 + hours);
            company.accept(&off(&company, off_by, Vec::new())).await;
            company.accept(&off(&company, off_by, wrong)).await;
            company.engine.judge.drain().await.unwrap();
            let (rows_before, reports_before) = (rows(&company).await, company.reports().await);

            let from: DateTime = wall(&format!("2026-03-{first:02} 00:00:00"));
            let shift = NewClockShift {
                device: company.devices[0],
                from,
                to: from.saturating_add(SignedDuration::from_hours(days * 24 + 23)),
                shift: -SignedDuration::from_hours(hours),
                reason: "it was off".to_owned(),
            };
            let tx = company.store.begin_write().await.unwrap();
            let Ok(shifted) = tx.shift_clock(&shift, company.author()).await else {
                return; // nothing there, or into the future
            };
            tx.commit().await.unwrap();
            company.engine.judge.drain().await.unwrap();
            assert_ne!(rows(&company).await, rows_before);
            assert_eq!(company.engine.judge.check(Date::MIN, Date::MAX).await.unwrap(), []);

            let tx = company.store.begin_write().await.unwrap();
            tx.undo_clock_shift(shifted.id, company.author()).await.unwrap();
            tx.commit().await.unwrap();
            company.engine.judge.drain().await.unwrap();
            assert_eq!(rows(&company).await, rows_before);
            let mut reports = company.reports().await;
            // A punch that lay before all others has made days of its own, which stay.
            reports.retain(|day, _| reports_before.contains_key(day));
            assert_eq!(reports, reports_before);
            assert_eq!(company.engine.judge.check(Date::MIN, Date::MAX).await.unwrap(), []);
        });
    }
}

use attendance::{PunchState, Way};
use ingest::{Batch, Contact};
use jiff::civil::Date;
use jiff::tz::Offset;
use proptest::prelude::*;
use store::testing::count_rows;
use store::{Store, on_both_databases};

use crate::clocks::suspects;
use crate::company::{Company, at, punch, wall};

on_both_databases! {
    async fn a_batch_is_stored_once_whatever_brings_it(store: Store) {
        let company = Company::new(store, 2, 1, "2026-03-02 12:00:00").await;
        let punches = vec![
            punch("1001", "2026-03-02 08:58:30", 0),
            punch("1002", "2026-03-02 09:01:00", 1),
            punch("1001", "2026-03-02 08:58:30", 2), // twice in one log
        ];
        let first = company.read(0, punches.clone()).await;
        assert_eq!((first.read, first.new, first.duplicate), (3, 2, 1));
        assert_eq!(first.punches.len(), 2);
        let again = company.read(0, punches.clone()).await;
        assert_eq!((again.read, again.new, again.duplicate), (3, 0, 3));
        let live = Batch::new(company.devices[0], Way::Live, punches);
        assert_eq!(company.accept(&live).await.new, 0);
        company.accept(&live).await;
        assert_eq!(count_rows(&company.store, "punches").await, 2);
        assert_eq!(count_rows(&company.store, "punch_sightings").await, 4);
        assert_eq!(company.status(0, "2026-03-02").await, "present");
    }

    async fn the_state_is_that_of_the_best_way(store: Store) {
        let company = Company::new(store, 1, 1, "2026-03-02 12:00:00").await;
        let state = async || {
            let tx = company.store.begin_read().await.unwrap();
            let days = [(company.people[0], "2026-03-02".parse().unwrap())];
            let evidence = tx.load_evidence(&days).await.unwrap();
            evidence.people[&company.people[0]].punches[0].state
        };
        let stated = |state| {
            let mut punch = punch("1001", "2026-03-02 08:58:30", 0);
            punch.state = state;
            vec![punch]
        };
        let device = company.devices[0];
        for (way, says, stays) in [
            (Way::Import, PunchState::BreakIn, PunchState::BreakIn),
            (Way::Live, PunchState::Out, PunchState::Out),
            (Way::Poll, PunchState::In, PunchState::In),
            (Way::Push, PunchState::Out, PunchState::In), // a poll knows better
        ] {
            company.accept(&Batch::new(device, way, stated(says))).await;
            assert_eq!(state().await, stays, "after {way}");
        }
    }

    async fn what_nobody_understands_is_parked_once_and_counted(store: Store) {
        let company = Company::new(store, 0, 1, "2026-03-02 12:00:00").await;
        let mut batch = Batch::new(company.devices[0], Way::Poll, Vec::new());
        for reason in ["impossible date 2024-02-31", "impossible date 2024-02-31", "noise"] {
            batch.parked.push(terminals::ParkedRecord {
                bytes: reason.as_bytes().to_vec(),
                reason: reason.to_owned(),
            });
        }
        batch.rejected = 3;
        assert_eq!(company.accept(&batch).await.rejected, 3);
        assert_eq!(company.accept(&batch).await.rejected, 3);
        assert_eq!(count_rows(&company.store, "parked").await, 2);
    }

    async fn a_name_ends_at_its_first_nul(store: Store) {
        let company = Company::new(store, 1, 1, "2026-03-02 12:00:00").await;
        let mut batch = Batch::new(company.devices[0], Way::Poll, Vec::new());
        let listed = |name: &str| terminals::DeviceUser { id: crate::company::user("1001"), name: name.to_owned(), admin: false, card: None };
        for name in ["Ana\0\u{fffd}rest", "Anne\0"] {
            batch.users = Some(vec![listed(name)]);
            company.accept(&batch).await;
        }
        let stored = store::views::devices::users(&company.store, company.devices[0].0, 10).await.unwrap();
        assert_eq!(stored.iter().map(|user| user.name.as_str()).collect::<Vec<_>>(), ["Anne"]);
    }

    async fn an_offset_chooses_the_second_occurrence_and_never_moves_a_punch(store: Store) {
        let company = Company::new(store, 1, 1, "2026-10-25 12:00:00").await;
        let tx = company.store.begin_write().await.unwrap();
        tx.set_device_zone(company.devices[0], None, "Europe/Berlin", company.author()).await.unwrap();
        tx.commit().await.unwrap();
        let with_offset = |clock: &str, hours: i8, record| {
            let mut punch = punch("1001", clock, record);
            punch.offset = Some(Offset::constant(hours));
            punch
        };
        let batch = Batch::new(company.devices[0], Way::Poll, vec![
            with_offset("2026-10-25 02:30:00", 2, 0),
            with_offset("2026-10-25 02:30:00", 1, 1),
        ]);
        let accepted = company.accept(&batch).await;
        assert_eq!((accepted.new, accepted.clock_fault), (2, None));
        let tx = company.store.begin_read().await.unwrap();
        let days = [(company.people[0], "2026-10-25".parse().unwrap())];
        let evidence = tx.load_evidence(&days).await.unwrap();
        let instants: Vec<_> = evidence.people[&company.people[0]].punches.iter().map(|punch| punch.instant.to_string()).collect();
        assert_eq!(instants, ["2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z"]);
        drop(tx);

        let mut wrong = company.reading(0, vec![with_offset("2026-10-25 09:00:00", 5, 2)]);
        wrong.contact = Some(Contact { clock: wall("2026-10-25 08:00:00"), seen_at: company.clock.now() });
        let accepted = company.accept(&wrong).await;
        let fault = accepted.clock_fault.expect("Berlin is not at +05").to_string();
        assert_eq!(
            fault,
            "the terminal says +05 at 2026-10-25T09:00:00, but its zone Europe/Berlin does not: \
             correct the zone of the device, or that of the terminal"
        );
        assert_eq!(accepted.new, 1, "stored by its wall time");
        assert_eq!(count_rows(&company.store, "device_coverage").await, 0, "and nothing is covered by it");
    }

    async fn a_read_covers_no_further_than_the_slower_clock(store: Store) {
        let company = Company::new(store, 1, 1, "2026-03-02 12:00:00").await;
        let covered = async || {
            let tx = company.store.begin_read().await.unwrap();
            let evidence = tx.load_evidence(&[(company.people[0], "2026-03-02".parse().unwrap())]).await.unwrap();
            evidence.devices[&company.devices[0]].covered
        };
        let mut slow = company.reading(0, vec![punch("1001", "2026-03-02 08:00:00", 0)]);
        slow.contact = Some(Contact { clock: wall("2026-03-02 11:40:00"), seen_at: company.clock.now() });
        assert_eq!(company.accept(&slow).await.clock_drift_s, Some(-1200));
        assert_eq!(covered().await, Some((at("2026-03-02 08:00:00"), at("2026-03-02 11:40:00"))));
        let mut fast = company.reading(0, Vec::new());
        fast.contact = Some(Contact { clock: wall("2026-03-02 12:30:00"), seen_at: company.clock.now() });
        company.accept(&fast).await;
        assert_eq!(covered().await.map(|(_, to)| to), Some(at("2026-03-02 12:00:00")));
        company.accept(&slow).await;
        assert_eq!(covered().await.map(|(_, to)| to), Some(at("2026-03-02 12:00:00")), "never backwards");
    }

    async fn the_beginning_of_a_log_covers_only_its_first_punch(store: Store) {
        let company = Company::new(store, 1, 1, "2026-03-02 12:00:00").await;
        let covered = async || {
            let tx = company.store.begin_read().await.unwrap();
            let evidence = tx.load_evidence(&[(company.people[0], "2026-03-02".parse().unwrap())]).await.unwrap();
            evidence.devices[&company.devices[0]].covered
        };
        let first = at("2026-02-27 08:00:00");
        for clock in ["2026-02-27 08:00:00", "2026-02-28 08:00:00"] {
            let mut part = company.reading(0, vec![punch("1001", clock, 0)]);
            part.complete = false;
            company.accept(&part).await;
            assert_eq!(covered().await, Some((first, first)));
        }
        company.read(0, vec![punch("1001", "2026-03-02 08:00:00", 2)]).await;
        assert_eq!(covered().await, Some((first, at("2026-03-02 12:00:00"))));
        let mut part = company.reading(0, vec![punch("1001", "2026-03-02 11:00:00", 3)]);
        company.clock.set(at("2026-03-02 13:00:00"));
        part.complete = false;
        company.accept(&part).await;
        assert_eq!(covered().await, Some((first, at("2026-03-02 12:00:00"))), "it stays");
    }

    async fn a_lost_log_leaves_a_gap_up_to_what_is_there_now(store: Store) {
        let company = Company::new(store, 1, 2, "2026-03-02 09:05:00").await;
        for device in [0, 1] {
            company.read(device, vec![punch("1001", "2026-03-02 08:58:00", 0)]).await;
        }
        company.clock.set(at("2026-03-02 09:15:00"));
        let mut restored = company.reading(0, vec![
            punch("1001", "2025-01-01 00:00:10", 1), // before its clock was set
            punch("1001", "2026-03-02 09:13:00", 2),
        ]);
        let mut empty = company.reading(1, Vec::new());
        for batch in [&mut restored, &mut empty] {
            batch.log_lost = true;
            company.accept(batch).await;
        }
        let tx = company.store.begin_read().await.unwrap();
        let evidence = tx.load_evidence(&[(company.people[0], "2026-03-02".parse().unwrap())]).await.unwrap();
        let (lost_at, read_at) = (at("2026-03-02 09:05:00"), at("2026-03-02 09:15:00"));
        for (device, until) in [(0, at("2026-03-02 09:13:00")), (1, read_at)] {
            let device = &evidence.devices[&company.devices[device]];
            assert!(device.gaps.contains(&(lost_at, Some(until))), "{:?}", device.gaps);
            assert_eq!(device.covered.map(|(_, to)| to), Some(read_at));
        }
    }

    async fn a_log_of_which_something_is_missing_covers_nothing(store: Store) {
        let company = Company::new(store, 1, 1, "2026-03-02 09:05:00").await;
        let mut short = company.reading(0, vec![punch("1001", "2026-03-02 08:58:00", 0)]);
        short.missing = 3;
        let accepted = company.accept(&short).await;
        assert_eq!(accepted.new, 1);
        let (step, text) = accepted.fault().expect("a fault");
        assert!(step.as_str() == "punches" && text.contains("counts 3 more records than it sent"), "{text}");
        assert_eq!(count_rows(&company.store, "device_coverage").await, 0);
    }

    async fn a_clock_that_fell_back_makes_its_punches_suspect_and_a_gap(store: Store) {
        let company = Company::new(store, 1, 1, "2026-03-02 12:00:00").await;
        company.read(0, vec![
            punch("1001", "2026-03-02 08:00:00", 0),
            punch("1001", "2025-01-01 00:10:00", 1),
            punch("1001", "2026-03-02 11:00:00", 2),
        ]).await;
        let tx = company.store.begin_read().await.unwrap();
        let evidence = tx.load_evidence(&[
            (company.people[0], "2025-01-01".parse().unwrap()),
            (company.people[0], "2026-03-02".parse().unwrap()),
        ]).await.unwrap();
        let suspects: Vec<_> = evidence.people[&company.people[0]].punches.iter().map(|punch| punch.suspect).collect();
        assert_eq!(suspects, [true, false, false]);
        let gap = (at("2026-03-02 08:00:00"), Some(at("2026-03-02 11:00:00")));
        assert_eq!(evidence.devices[&company.devices[0]].gaps, [gap]);
    }

    async fn a_clock_reset_to_its_beginning_makes_no_day_exist_and_covers_nothing(store: Store) {
        let company = Company::new(store, 2, 2, "2026-03-02 12:00:00").await;
        company.at("2026-03-02 12:00:00").await;
        let days = company.reports().await.len();
        let mut reset = company.reading(0, vec![punch("1001", "2000-01-01 00:10:00", 0)]);
        reset.contact = Some(Contact { clock: wall("2000-01-01 00:20:00"), seen_at: company.clock.now() });
        let fault = company.accept(&reset).await.clock_fault.expect("it is 26 years behind").to_string();
        assert!(fault.starts_with("the terminal's clock is about 9557 days behind the time in Asia/Karachi: set it,"), "{fault}");
        assert_eq!(count_rows(&company.store, "device_coverage").await, 0);
        // The same clock, set right before the terminal is read again.
        company.read(0, vec![punch("1002", "2000-01-01 00:30:00", 1)]).await;
        // Another one was reset to a date that is not impossible; only the new part of its log is read.
        company.read(1, vec![punch("1001", "2026-03-02 08:00:00", 0)]).await;
        company.read(1, vec![punch("1002", "2024-06-01 00:10:00", 1)]).await;
        // One that is days ahead.
        company.accept(&Batch::new(company.devices[0], Way::Live, vec![punch("1002", "2026-03-09 08:00:00", 0)])).await;
        // Nor do they make days exist when they change hands.
        let tx = company.store.begin_write().await.unwrap();
        tx.resolve_employees(&company.people, company.clock.now()).await.unwrap();
        tx.set_device_zone(company.devices[0], None, "Asia/Dubai", company.author()).await.unwrap();
        tx.commit().await.unwrap();
        company.engine.judge.drain().await.unwrap();
        let found: Vec<_> = company.reports().await.into_keys().map(|(_, day)| day.to_string()).collect();
        assert_eq!(days, 2);
        assert_eq!(found, ["2026-03-01", "2026-03-02", "2026-03-03", "2026-03-02"], "those around the punch of today");
    }

    async fn a_wrong_clock_makes_nobody_absent(store: Store) {
        let company = Company::new(store, 2, 1, "2026-03-02 06:00:00").await;
        let ahead = |hours, punches| {
            let mut batch = company.reading(0, punches);
            let contact = batch.contact.as_mut().expect("a reading has one");
            contact.clock = contact.clock.saturating_add(jiff::SignedDuration::from_hours(hours));
            batch
        };
        company.read(0, Vec::new()).await;
        company.clock.set(at("2026-03-02 09:00:00"));
        // It is three hours ahead, and says so of the one who comes.
        let accepted = company.accept(&ahead(3, vec![punch("1001", "2026-03-02 11:58:00", 0)])).await;
        assert_eq!(accepted.new, 1, "stored all the same");
        assert_eq!(
            accepted.clock_fault.expect("a fault").to_string(),
            "the terminal's clock is about 3 h 0 min ahead of the time in Asia/Karachi: set it, or correct the zone of the device; \
             nobody is absent by what it records until then"
        );
        assert_eq!(company.accept(&ahead(3, Vec::new())).await.clock_drift_s, Some(10_800));
        // Its clock is set, and everything is read until after the window.
        for now in ["2026-03-02 12:00:00", "2026-03-02 23:00:00"] {
            company.clock.set(at(now));
            assert_eq!(company.read(0, Vec::new()).await.clock_fault, None);
        }
        company.at("2026-03-02 23:00:00").await;
        for person in 0..2 {
            assert_eq!(company.status(person, "2026-03-02").await, "unknown");
        }
        assert_eq!(company.engine.judge.check(Date::MIN, Date::MAX).await.unwrap(), []);

        // The day after it is right.
        company.at("2026-03-03 23:00:00").await;
        company.read(0, Vec::new()).await;
        assert_eq!(company.status(0, "2026-03-03").await, "absent");
    }

    async fn a_wrong_zone_that_is_corrected_leaves_no_gap(store: Store) {
        let company = Company::new(store, 1, 1, "2026-03-02 09:00:00").await;
        let zone = async |zone: &str| {
            let tx = company.store.begin_write().await.unwrap();
            tx.set_device_zone(company.devices[0], None, zone, company.author()).await.unwrap();
            tx.commit().await.unwrap();
        };
        zone("Europe/London").await;
        assert!(company.read(0, vec![punch("1001", "2026-03-02 08:58:00", 0)]).await.clock_fault.is_some());
        assert_ne!(company.status(0, "2026-03-02").await, "present", "five hours from now");
        company.clock.set(at("2026-03-02 09:05:00"));
        company.read(0, vec![punch("1001", "2026-03-02 08:59:00", 1)]).await;
        assert_eq!(suspects(&company).await, ["2026-03-02 08:59:00"]);
        zone(crate::company::ZONE).await;
        assert_eq!(suspects(&company).await, Vec::<String>::new());
        assert_eq!(company.read(0, Vec::new()).await.clock_fault, None);
        assert_eq!(company.status(0, "2026-03-02").await, "present");
        assert_eq!(count_rows(&company.store, "device_gaps").await, 0);
    }
}

/// Punches of three people at few times, so that many coincide, in the order of their log.
pub fn logs() -> impl Strategy<Value = Vec<attendance::Punch>> {
    let punch =
        (1001..1004_u16, 2..5_u8, 7..20_u8, 0..60_u8).prop_map(|(user, day, hour, minute)| {
            let clock = format!("2026-03-{day:02} {hour:02}:{minute:02}:00");
            punch(&user.to_string(), &clock, 0)
        });
    prop::collection::vec(punch, 1..40).prop_map(|mut log| {
        log.sort_by_key(|punch| punch.clock);
        for (record, punch) in (0..).zip(&mut log) {
            punch.record = record;
        }
        log
    })
}

pub fn on_a_fresh_company(test: impl AsyncFnOnce(Company)) {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(store::testing::on_sqlite(async |store| {
        test(Company::new(store, 3, 2, "2026-03-06 12:00:00").await).await;
    }));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    #[test]
    fn a_batch_accepted_twice_equals_once(log in logs()) {
        on_a_fresh_company(async |company| {
            let first = company.read(0, log.clone()).await;
            let once = company.reports().await;
            let punches = count_rows(&company.store, "punches").await;
            let second = company.read(0, log.clone()).await;
            assert_eq!(second.new, 0);
            assert_eq!(second.duplicate, first.read);
            assert_eq!(count_rows(&company.store, "punches").await, punches);
            assert_eq!(count_rows(&company.store, "punch_sightings").await, punches);
            assert_eq!(company.reports().await, once);
        });
    }

    #[test]
    fn the_order_of_punches_and_batches_is_irrelevant(
        log in logs(),
        shuffled in logs().prop_flat_map(|log| Just(log).prop_shuffle()),
        cut in 0..40_usize,
    ) {
        let (mut one, mut other) = (Default::default(), Default::default());
        on_a_fresh_company(async |company| {
            let mut sorted = shuffled.clone();
            sorted.sort_by_key(|punch| punch.record);
            company.read(0, log.clone()).await;
            company.read(1, sorted).await;
            one = company.reports().await;
        });
        on_a_fresh_company(async |company| {
            let (head, tail) = shuffled.split_at(cut.min(shuffled.len()));
            company.read(1, tail.to_vec()).await;
            company.read(0, log.clone()).await;
            company.read(1, head.to_vec()).await;
            other = company.reports().await;
        });
        prop_assert_eq!(one, other);
    }
}

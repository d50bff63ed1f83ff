//! What people have a terminal do: read back, audited, and never at the price of a punch.

use std::time::Duration;

use ingest::{Done, Effect, Operation, PollFailure, UserChange};
use simulators::zk::{Fault, LogLayout, Record, RunningTerminal, VirtualTerminal};
use store::testing::count_rows;
use store::{Store, on_both_databases, sql};

use crate::company::{Company, user, wall};
use crate::live;
use crate::polling::{builder, locate, poll, said};

async fn company(store: Store, terminal: VirtualTerminal) -> (Company, RunningTerminal) {
    let company = Company::new(store, 2, 1, "2026-03-02 12:00:00").await;
    let terminal = terminal.start("127.0.0.1:0").await.expect("a free port");
    locate(&company, 0, &terminal).await;
    (company, terminal)
}

async fn operate(company: &Company, operation: Operation) -> Result<Done, PollFailure> {
    let poller = &company.engine.poller;
    poller
        .operate(company.devices[0], operation, None)
        .await
        .unwrap()
}

/// Commands of the terminal. Not every model lets itself be blocked.
const BLOCK: u16 = 1003;
const CLEAR: u16 = 15;

/// The log was left as it is, for this reason.
async fn refused(company: &Company, reason: &str) -> String {
    let failure = operate(company, Operation::ClearLog).await.unwrap_err();
    assert_eq!(failure.reason, reason, "{failure:?}");
    failure.message
}

async fn texts(company: &Company, query: &str) -> Vec<String> {
    let rows = sql::all(company.store.read(), query, []).await.unwrap();
    rows.iter()
        .map(|row| row.try_get_by_index(0).unwrap())
        .collect()
}

async fn clocks(company: &Company) -> Vec<String> {
    texts(company, "SELECT clock FROM punches ORDER BY clock").await
}

/// What is audited of operations, in order.
async fn audited(company: &Company) -> Vec<String> {
    let query = "SELECT action || ' ' || subject || ' ' || detail FROM audit \
         WHERE action LIKE 'device.log.%' OR action LIKE 'device.user.%' ORDER BY id";
    texts(company, query).await
}

fn aziza() -> UserChange {
    UserChange {
        name: Some("Aziza".to_owned()),
        cards: Some(vec!["77".to_owned()]),
        password: Some("4711".to_owned()),
        ..UserChange::none(user("0042"))
    }
}

const OWN: [&str; 2] = ["2026-03-02 08:58:30", "2026-03-02 09:25:00"];

on_both_databases! {
    async fn a_user_is_at_the_terminal_and_here_and_audited_without_the_password(store: Store) {
        let (company, terminal) = company(store, builder("SERIAL0")).await;
        let done = operate(&company, Operation::SetUser(aziza())).await.expect("it is written");
        let Done::User(written) = done else { panic!("{done:?}") };
        assert_eq!((written.effect, written.user.has_password), (Effect::Created, true));
        let there: Vec<_> = terminal.users().users().iter().map(|user| user.password.clone()).collect();
        assert_eq!(there, ["", "", "4711"]);
        let known = "SELECT name || ' ' || card FROM device_users WHERE user_id = '0042' AND enrolled";
        assert_eq!(texts(&company, known).await, ["Aziza 77"]);

        let done = operate(&company, Operation::DeleteUser(user("0042"))).await.expect("it is deleted");
        assert!(matches!(&done, Done::UserDeleted(gone) if gone.name == "Aziza"), "{done:?}");
        assert_eq!(terminal.users().users().len(), 2);
        assert!(texts(&company, known).await.is_empty(), "not in its list any more");

        let again = operate(&company, Operation::DeleteUser(user("0042"))).await.unwrap_err();
        assert_eq!(again.reason, "write_nobody");
        let audited = audited(&company).await;
        assert_eq!(audited.len(), 3, "{audited:?}");
        assert!(audited[0].starts_with("device.user.set SERIAL0 "), "{audited:?}");
        assert!(audited[0].contains("\"failed\":null") && audited[0].contains("Aziza"), "{audited:?}");
        assert!(!format!("{audited:?}").contains("4711"), "{audited:?}");
        assert!(audited[2].contains("the terminal has no user 0042"), "what was not done, too: {audited:?}");
    }

    async fn who_listens_steps_aside_and_is_live_again(store: Store) {
        let company = live::company(store).await;
        let terminal = live::listened_to(&company, builder("SERIAL0")).await;
        terminal.set_fault(Fault::OneConnection(Duration::from_secs(60)));
        let workers = live::start(&company).await;
        live::until_live(&company).await;
        operate(&company, Operation::SetUser(aziza())).await.expect("its one connection is free");
        operate(&company, Operation::Unlock(Some(Duration::from_secs(3)))).await.expect("here, too");
        assert_eq!(terminal.unlocks(), [30]);
        let done = operate(&company, Operation::ClearLog).await;
        assert_eq!(done, Ok(Done::LogCleared { records: 2, left: 0 }));
        live::until_live(&company).await;
        assert!(terminal.punch("1002", wall("2026-03-02 11:59:40"), 1, 1));
        terminal.wait_for_acknowledgements(1).await;
        assert_eq!(live::ways(&company, "2026-03-02 11:59:40").await, ["live"]);
        assert_eq!(terminal.counts().turned_away, 0);
        for table in ["device_failures", "device_gaps"] {
            assert_eq!(count_rows(&company.store, table).await, 0, "{table}");
        }
        workers.stop().await.unwrap();
    }

    async fn a_log_is_cleared_and_nothing_of_it_is_lost(store: Store) {
        let (company, terminal) = company(store, builder("SERIAL0")).await;
        // Made since the last reading.
        assert_eq!(poll(&company).await, said(&[("SERIAL0", "ok")]));
        assert!(terminal.punch("1001", wall("2026-03-02 11:00:00"), 1, 1));
        let done = operate(&company, Operation::ClearLog).await;
        assert_eq!(done, Ok(Done::LogCleared { records: 3, left: 0 }));
        assert_eq!(terminal.record_count(), 0);
        assert_eq!(clocks(&company).await, [OWN[0], OWN[1], "2026-03-02 11:00:00"]);

        company.at("2026-03-02 12:10:00").await;
        assert!(terminal.punch("1002", wall("2026-03-02 12:05:00"), 1, 1));
        assert_eq!(poll(&company).await, said(&[("SERIAL0", "ok")]));
        assert_eq!(clocks(&company).await.last().unwrap(), "2026-03-02 12:05:00", "it is read on");
        assert_eq!(count_rows(&company.store, "device_gaps").await, 0, "no log was lost");
        let audited = audited(&company).await;
        assert_eq!(audited, [r#"device.log.clear SERIAL0 {"failed":null}"#]);

        for records in [1, 0] {
            let done = operate(&company, Operation::ClearLog).await;
            assert_eq!(done, Ok(Done::LogCleared { records, left: 0 }));
        }
        assert_eq!(clocks(&company).await.len(), 4);
    }

    async fn a_punch_right_after_the_clearing_stays_and_is_read(store: Store) {
        let (company, terminal) = company(store, builder("SERIAL0")).await;
        terminal.set_fault(Fault::IgnoreWrite(BLOCK));
        terminal.set_fault(Fault::Meddled(CLEAR));
        let done = operate(&company, Operation::ClearLog).await;
        assert_eq!(done, Ok(Done::LogCleared { records: 2, left: 1 }));
        terminal.clear_faults();
        company.at("2026-03-02 12:10:00").await;
        assert_eq!(poll(&company).await, said(&[("SERIAL0", "ok")]));
        assert_eq!(clocks(&company).await, [OWN[0], OWN[1], "2026-03-02 12:00:00"]);
        assert_eq!(count_rows(&company.store, "device_gaps").await, 0);
    }

    async fn a_log_that_grows_all_the_while_is_not_cleared(store: Store) {
        let (company, terminal) = company(store, builder("SERIAL0")).await;
        // While it is read, and after it was blocked.
        for fault in [Fault::Growing(1), Fault::Meddled(BLOCK)] {
            terminal.set_fault(Fault::IgnoreWrite(BLOCK));
            terminal.set_fault(fault.clone());
            refused(&company, "write_log_changed").await;
            assert_eq!(terminal.counts().of(CLEAR), 0, "{fault}: nobody asked it to clear its log");
            terminal.clear_faults();
        }
        let records = u32::try_from(terminal.record_count()).unwrap();
        assert!(records > 6, "{records}");
        let done = operate(&company, Operation::ClearLog).await;
        assert_eq!(done, Ok(Done::LogCleared { records, left: 0 }));
        assert_eq!(clocks(&company).await, [OWN[0], OWN[1], "2026-03-02 12:00:00"]);
    }

    async fn a_log_that_is_not_wholly_known_is_not_cleared(store: Store) {
        let (company, terminal) = company(store, builder("SERIAL0")).await;
        terminal.set_fault(Fault::Counters(vec![(8, 5)]));
        let message = refused(&company, "write_unverified").await;
        assert!(message.contains("counts 3 records more than it sent"), "{message}");
        terminal.clear_faults();
        terminal.set_fault(Fault::CutLog(60));
        let failure = operate(&company, Operation::ClearLog).await.unwrap_err();
        assert_eq!(failure.step, "punches");
        assert_eq!((terminal.record_count(), terminal.counts().of(CLEAR)), (2, 0));
        let audited = audited(&company).await;
        assert!(audited[0].contains("more than it sent") && audited.len() == 2, "{audited:?}");
    }

    async fn what_nobody_understands_is_kept_or_the_log_is_not_cleared(store: Store) {
        // People who are not in its list, of whom an 8-byte record has no number.
        let strangers = |count: i64| {
            let record = move |n| {
                let clock = wall("2026-03-01 00:00:00") + jiff::Span::new().seconds(n);
                Record::new(900, "900", clock, 0, 1)
            };
            (0..count).map(record)
        };
        let few = builder("SERIAL0").log_layout(LogLayout::Packed8).records(strangers(3));
        let (company, terminal) = company(store, few).await;
        let done = operate(&company, Operation::ClearLog).await;
        assert_eq!(done, Ok(Done::LogCleared { records: 3, left: 0 }));
        assert_eq!(count_rows(&company.store, "parked").await, 3);
        terminal.shutdown();

        let many = builder("SERIAL0").log_layout(LogLayout::Packed8).records(strangers(1001));
        let terminal = many.start("127.0.0.1:0").await.expect("a free port");
        locate(&company, 0, &terminal).await;
        let message = refused(&company, "write_unverified").await;
        assert!(message.contains("1001 records are not understood"), "{message}");
        assert_eq!(terminal.record_count(), 1001);
    }

    async fn a_crash_before_the_clearing_looks_like_nothing_at_all(store: Store) {
        let (company, terminal) = company(store, builder("SERIAL0")).await;
        assert_eq!(poll(&company).await, said(&[("SERIAL0", "ok")]));
        for cleared in [false, true] {
            let tx = company.store.begin_write().await.unwrap();
            tx.forget_position(company.devices[0]).await.unwrap();
            tx.commit().await.unwrap();
            // After it, nobody was left to see the answer.
            if cleared {
                terminal.clear_log();
            }
            let now = if cleared { "2026-03-02 12:20:00" } else { "2026-03-02 12:10:00" };
            company.at(now).await;
            assert_eq!(poll(&company).await, said(&[("SERIAL0", "ok")]));
            assert_eq!(clocks(&company).await, OWN);
            assert_eq!(count_rows(&company.store, "device_gaps").await, 0, "cleared: {cleared}");
        }
    }

    async fn another_terminal_at_the_address_is_left_alone(store: Store) {
        let (company, terminal) = company(store, builder("OTHER1")).await;
        refused(&company, "wrong_serial").await;
        assert_eq!((terminal.record_count(), clocks(&company).await.len()), (2, 0));
    }
}

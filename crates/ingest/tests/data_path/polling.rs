use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use ingest::{
    Check, ClockFault, Diagnosis, Engine, Found, Operation, PollFailure, PollerOptions, Seen,
};
use jiff::SignedDuration;
use simulators::hik;
use simulators::zk::{Fault, Record, RunningTerminal, Transports, User, VirtualTerminal, stopped};
use store::devices::{DeviceFields, SecretEdit};
use store::secrets::{Secret, SecretKey};
use store::testing::count_rows;
use store::{Store, on_both_databases};
use terminals::{Retry, Terminal};

use crate::company::{Company, wall};

/// A terminal with the punches of one morning, its clock at noon.
async fn terminal(serial: &str) -> RunningTerminal {
    builder(serial)
        .start("127.0.0.1:0")
        .await
        .expect("a free port")
}

pub fn builder(serial: &str) -> VirtualTerminal {
    VirtualTerminal::new(serial)
        .clock(stopped(wall("2026-03-02 12:00:00")))
        .users([
            User::new(1, "1001").named("Ana"),
            User::new(2, "1002").named("Ben"),
        ])
        .records([
            Record::new(1, "1001", wall("2026-03-02 08:58:30"), 0, 1),
            Record::new(2, "1002", wall("2026-03-02 09:25:00"), 0, 1),
        ])
}

/// Says where a device is.
pub async fn locate(company: &Company, device: usize, terminal: &RunningTerminal) {
    edit(company, device, |fields| {
        fields.address = Some(terminal.addr().ip().to_string());
        fields.port = Some(terminal.addr().port());
    })
    .await;
}

pub async fn edit(company: &Company, device: usize, change: impl FnOnce(&mut DeviceFields)) {
    edit_with(company, device, SecretEdit::Keep, change).await;
}

pub async fn edit_with(
    company: &Company,
    device: usize,
    comm_key: SecretEdit,
    change: impl FnOnce(&mut DeviceFields),
) {
    let id = company.devices[device];
    let row = company.store.device(id).await.unwrap().unwrap();
    let mut fields = DeviceFields::from(&row);
    change(&mut fields);
    let tx = company.store.begin_write().await.unwrap();
    tx.edit_device(id, &fields, &SecretEdit::Keep, &comm_key, company.author())
        .await
        .unwrap();
    tx.commit().await.unwrap();
}

/// The label of a Hikvision terminal that no other test has: what is found out about one holds for the whole process.
pub fn hik_label() -> String {
    static TERMINALS: AtomicU32 = AtomicU32::new(0);
    format!("GB{:07}", TERMINALS.fetch_add(1, Ordering::Relaxed))
}

/// A Hikvision terminal at noon, with so many punches since midnight of the day before.
pub fn hik_terminal(punches: i64) -> hik::VirtualTerminal {
    let noon = wall("2026-03-02 12:00:00")
        .in_tz(crate::company::ZONE)
        .unwrap();
    let login = hik::Login::new("operator", "Abc12345");
    let minute = |minute| wall("2026-03-01 00:00:00") + jiff::Span::new().minutes(minute);
    hik::VirtualTerminal::new(hik_label(), login, hik::stopped(noon))
        .events((0..punches).map(|n| hik::Event::face("1001", minute(n))))
        .keeps_alive()
}

/// Makes the first device this Hikvision terminal.
pub async fn locate_hik(company: &Company, terminal: &hik::RunningTerminal) {
    let id = company.devices[0];
    let row = company.store.device(id).await.unwrap().unwrap();
    let fields = DeviceFields {
        kind: "hik".to_owned(),
        serial_number: terminal.label_serial().to_owned(),
        address: Some(terminal.addr().ip().to_string()),
        port: Some(terminal.addr().port()),
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

fn failure_of(diagnosis: &Diagnosis) -> Option<&PollFailure> {
    diagnosis.checks.iter().find_map(|one| match &one.found {
        Found::Failed(failure) => Some(failure),
        _ => None,
    })
}

pub fn with_secrets(store: Store) -> (Store, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let key = SecretKey::create_file(&folder.path().join("muster.key")).unwrap();
    (store.with_secret_key(key), folder)
}

/// Polls until nothing is due; by device the failed step or `ok`.
pub async fn poll(company: &Company) -> Vec<(String, String)> {
    let polled = company.engine.poller.poll_once(None).await.unwrap();
    company.engine.judge.drain().await.unwrap();
    let mut results: Vec<_> = polled
        .into_iter()
        .map(|polled| {
            let result = polled.result.map_or_else(|failure| failure.step, |_| "ok");
            (polled.serial_number, result.to_owned())
        })
        .collect();
    results.sort();
    results
}

pub fn said(results: &[(&str, &str)]) -> Vec<(String, String)> {
    results
        .iter()
        .map(|(serial, result)| ((*serial).to_owned(), (*result).to_owned()))
        .collect()
}

/// Lets the workers run until `done`, at most some seconds.
pub async fn run_until(company: &Company, done: impl AsyncFn() -> bool) {
    let workers = company.engine.start().await.unwrap();
    let began = Instant::now();
    while !done().await {
        assert!(
            began.elapsed() < Duration::from_secs(20),
            "it did not happen"
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    workers.stop().await.unwrap();
}

on_both_databases! {
    async fn from_a_terminal_to_a_report(store: Store) {
        let company = Company::new(store, 2, 1, "2026-03-02 12:00:00").await;
        let terminal = terminal("SERIAL0").await;
        locate(&company, 0, &terminal).await;
        let mut changes = company.engine.changes.subscribe();
        run_until(&company, async || company.status(1, "2026-03-02").await == "present").await;
        let reports = company.reports().await;
        let ben = &reports[&(company.people[1], "2026-03-02".parse().unwrap())];
        assert_eq!((ben.first_in.as_deref(), ben.late_min), (Some("2026-03-02 09:25:00"), 25));
        let (mut punches, mut days) = (0, 0);
        while punches < 2 || days < 2 {
            let change = changes.next().await.expect("the channel is open");
            punches += change.punches.len();
            days += change.days.len();
        }
        assert_eq!(company.store.marked_day_count().await.unwrap(), 0);
        assert_eq!(terminal.counts().disables, 0);

        // Nothing new: no punch rows, one more cycle.
        assert_eq!(poll(&company).await, said(&[("SERIAL0", "ok")]));
        assert_eq!(count_rows(&company.store, "punches").await, 2);
        assert_eq!(count_rows(&company.store, "punch_sightings").await, 2);
        assert_eq!(count_rows(&company.store, "poll_cycles").await, 2);
        let row = company.store.device(company.devices[0]).await.unwrap().unwrap();
        assert_eq!((row.record_count, row.clock_drift_s), (Some(2), Some(0)));
        assert_eq!(row.lease_owner, None);
    }

    async fn another_serial_number_gives_no_punches_to_anybody(store: Store) {
        let company = Company::new(store, 2, 1, "2026-03-02 12:00:00").await;
        let stranger = terminal("SOMEBODY ELSE").await;
        locate(&company, 0, &stranger).await;
        assert_eq!(poll(&company).await, said(&[("SERIAL0", "identify")]));
        assert_eq!(count_rows(&company.store, "punches").await, 0);
        assert_eq!(count_rows(&company.store, "device_coverage").await, 0);
        let row = company.store.device(company.devices[0]).await.unwrap().unwrap();
        let message = row.last_error.expect("a failure says why");
        assert!(message.contains("SOMEBODY ELSE") && message.contains("SERIAL0"), "{message}");
    }

    async fn an_outage_is_one_row_and_equal_failures_are_one_cycle(store: Store) {
        let company = Company::new(store, 2, 1, "2026-03-02 12:00:00").await;
        let terminal = terminal("SERIAL0").await;
        locate(&company, 0, &terminal).await;
        terminal.go_offline();
        for minute in 1..4 {
            assert_eq!(poll(&company).await, said(&[("SERIAL0", "connect")]));
            company.clock.set(company.clock.now() + SignedDuration::from_mins(minute));
        }
        assert_eq!(count_rows(&company.store, "device_failures").await, 1);
        assert_eq!(count_rows(&company.store, "poll_cycles").await, 1);
        let row = company.store.device(company.devices[0]).await.unwrap().unwrap();
        assert_eq!(row.fail_count, 3);
        let next = row.next_poll_ms.expect("it is tried again");
        assert!(next <= company.clock.now().as_millisecond() + 300_000, "within the poll interval");

        terminal.go_online();
        assert_eq!(poll(&company).await, said(&[("SERIAL0", "ok")]));
        terminal.go_offline();
        assert_eq!(poll(&company).await, said(&[("SERIAL0", "connect")]));
        assert_eq!(count_rows(&company.store, "device_failures").await, 2, "a second outage");
        assert_eq!(count_rows(&company.store, "poll_cycles").await, 3);
    }

    async fn refused_credentials_are_tried_once_and_wait_for_an_edit(store: Store) {
        let folder = tempfile::tempdir().unwrap();
        let key = SecretKey::create_file(&folder.path().join("muster.key")).unwrap();
        let company = Company::new(store.with_secret_key(key), 2, 1, "2026-03-02 12:00:00").await;
        let terminal = builder("SERIAL0").comm_key(4711).start("127.0.0.1:0").await.unwrap();
        locate(&company, 0, &terminal).await;
        edit_with(&company, 0, SecretEdit::Set(Secret::new("1234")), |_| {}).await;
        assert_eq!(poll(&company).await, said(&[("SERIAL0", "sign_in")]));
        let tried = terminal.counts().connections;
        assert_eq!(poll(&company).await, said(&[("SERIAL0", "sign_in")]));
        company.clock.set(company.clock.now() + SignedDuration::from_hours(2));
        let now = company.clock.now();
        let tx = company.store.begin_write().await.unwrap();
        let real = company.clock.real_now();
        let due = tx.claim_due_devices("me", now, real, real + SignedDuration::from_secs(9), 9).await.unwrap();
        tx.rollback().await.unwrap();
        assert_eq!(due, [], "it is not due");
        assert_eq!(terminal.counts().connections, tried, "and was not tried again");

        edit_with(&company, 0, SecretEdit::Set(Secret::new("4711")), |_| {}).await;
        assert_eq!(poll(&company).await, said(&[("SERIAL0", "ok")]));
        assert_eq!(count_rows(&company.store, "punches").await, 2);
    }

    async fn the_doctor_sends_refused_credentials_once(store: Store) {
        let (store, _folder) = with_secrets(store);
        let company = Company::new(store, 1, 1, "2026-03-02 12:00:00").await;
        let terminal = builder("SERIAL0").comm_key(4711).start("127.0.0.1:0").await.unwrap();
        locate(&company, 0, &terminal).await;
        edit_with(&company, 0, SecretEdit::Set(Secret::new("1234")), |_| {}).await;
        for _ in 0..3 {
            let failed = match company.engine.poller.examine(company.devices[0], &mut |_| {}).await.unwrap() {
                Ok(diagnosis) => failure_of(&diagnosis).expect("a failure").step,
                Err(failure) => failure.step,
            };
            assert_eq!(failed, "sign_in");
        }
        assert_eq!(terminal.counts().connections, 1);
        let row = company.store.device(company.devices[0]).await.unwrap().unwrap();
        assert!(row.needs_edit && row.last_error.is_some());
        edit_with(&company, 0, SecretEdit::Set(Secret::new("4711")), |_| {}).await;
        let diagnosis = company.engine.poller.examine(company.devices[0], &mut |_| {}).await.unwrap().unwrap();
        assert!(failure_of(&diagnosis).is_none());
    }

    async fn a_lock_by_somebody_else_is_waited_for(store: Store) {
        let (store, _folder) = with_secrets(store);
        let company = Company::new(store, 1, 1, "2026-03-02 12:00:00").await;
        let terminal = hik_terminal(3).fault(hik::Fault::Locked).start("127.0.0.1:0").await.unwrap();
        locate_hik(&company, &terminal).await;
        assert_eq!(poll(&company).await, said(&[(terminal.label_serial(), "sign_in")]));
        let row = company.store.device(company.devices[0]).await.unwrap().unwrap();
        let unlocked = company.clock.now() + SignedDuration::from_secs(1768 + 60);
        assert_eq!((row.needs_edit, row.next_poll_ms), (false, Some(unlocked.as_millisecond())));
        terminal.clear_faults();
        // Who asks meanwhile is not heard.
        assert_eq!(poll(&company).await, said(&[(terminal.label_serial(), "sign_in")]));
        let examined = company.engine.poller.examine(company.devices[0], &mut |_| {}).await.unwrap();
        assert!(examined.is_err_and(|failure| failure.reason == "locked"));
        assert_eq!(terminal.counts().requests, 1);
        let row = company.store.device(company.devices[0]).await.unwrap().unwrap();
        assert_eq!(row.next_poll_ms, Some(unlocked.as_millisecond()));
        company.clock.set(unlocked);
        assert_eq!(poll(&company).await, said(&[(terminal.label_serial(), "ok")]));
    }

    async fn a_day_with_a_wrong_password_is_one_signed_request(store: Store) {
        let (store, _folder) = with_secrets(store);
        let company = Company::new(store, 1, 1, "2026-03-02 00:00:00").await;
        let terminal = hik_terminal(3).start("127.0.0.1:0").await.unwrap();
        locate_hik(&company, &terminal).await;
        terminal.set_password("Xyz98765");
        let device = company.devices[0];
        let poller = &company.engine.poller;
        let row = company.store.device(device).await.unwrap().unwrap();
        // A worker that has loaded the credentials before they were refused, and goes on with them.
        let held = poller.target(&row).unwrap();
        let midnight = company.clock.now();
        for minutes in (0..24 * 60).step_by(5) {
            company.clock.set(midnight + SignedDuration::from_mins(minutes));
            assert_eq!(poll(&company).await, said(&[(terminal.label_serial(), "sign_in")]), "{minutes}");
            let error = Terminal::connect(&held).await.expect_err("refused");
            assert_eq!(error.retry(), Retry::AfterEdit, "{minutes}");
            if minutes % 60 == 0 {
                let examined = poller.examine(device, &mut |_| {}).await.unwrap();
                assert!(examined.is_err_and(|failure| failure.step == "sign_in"), "{minutes}");
                let restarted = poller.operate(device, Operation::Restart, None).await.unwrap();
                assert!(restarted.is_err_and(|failure| failure.step == "sign_in"), "{minutes}");
            }
        }
        let counts = terminal.counts();
        assert_eq!((counts.refused_sign_ins, counts.signed), (1, 0));
        assert_eq!(counts.requests, 2, "a challenge and the one signed request");

        // A person asks for another try: one more, and no other.
        let tx = company.store.begin_write().await.unwrap();
        tx.try_credentials_again(device, false, company.author()).await.unwrap();
        tx.commit().await.unwrap();
        for _ in 0..3 {
            assert_eq!(poll(&company).await, said(&[(terminal.label_serial(), "sign_in")]));
        }
        assert_eq!(terminal.counts().refused_sign_ins, 2);
    }

    async fn the_first_certificate_is_kept_and_another_one_is_refused(store: Store) {
        let (store, _folder) = with_secrets(store);
        let company = Company::new(store, 1, 1, "2026-03-02 12:00:00").await;
        let terminal = hik_terminal(3).https().start("127.0.0.1:0").await.unwrap();
        locate_hik(&company, &terminal).await;
        edit(&company, 0, |fields| fields.transport = Some("tls".to_owned())).await;
        let device = company.devices[0];
        let row = async || company.store.device(device).await.unwrap().unwrap();
        let shown = |terminal: &hik::RunningTerminal| format!("sha256:{}", terminal.fingerprint().expect("a certificate"));

        assert_eq!(poll(&company).await, said(&[(terminal.label_serial(), "ok")]));
        let first = shown(&terminal);
        assert_eq!(row().await.certificate.as_ref(), Some(&first));

        terminal.change_certificate().unwrap();
        terminal.reset_counts();
        let second = shown(&terminal);
        assert_eq!(poll(&company).await, said(&[(terminal.label_serial(), "tls")]));
        let failed = row().await;
        assert_eq!((failed.certificate.as_ref(), failed.certificate_shown.as_ref()), (Some(&first), Some(&second)));
        let told = failed.last_error.unwrap();
        assert!(told.contains(&first) && told.contains(&second), "{told}");
        assert_eq!(failed.last_error_reason.as_deref(), Some("other_certificate"));
        assert_eq!(terminal.counts().requests, 0, "nothing is said to it");

        let tx = company.store.begin_write().await.unwrap();
        tx.set_certificate(device, Some(&second), company.author()).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(poll(&company).await, said(&[(terminal.label_serial(), "ok")]));
        let now = row().await;
        assert_eq!((now.certificate, now.certificate_shown), (Some(second), None));
    }

    async fn a_long_log_is_read_on_at_once(store: Store) {
        let (store, _folder) = with_secrets(store);
        let mut company = Company::new(store, 1, 1, "2026-03-02 12:00:00").await;
        let options = PollerOptions { deadline: Duration::from_secs(3), ..PollerOptions::default() };
        company.engine = Engine::new(company.store.clone(), company.clock.clone(), options);
        let terminal = hik_terminal(1500).answers_after(Duration::from_millis(50)).start("127.0.0.1:0").await.unwrap();
        locate_hik(&company, &terminal).await;
        let mut parts = 0;
        loop {
            assert_eq!(poll(&company).await, said(&[(terminal.label_serial(), "ok")]));
            parts += 1;
            let row = company.store.device(company.devices[0]).await.unwrap().unwrap();
            if row.next_poll_ms != Some(company.clock.now().as_millisecond()) {
                break;
            }
        }
        assert!(parts > 1);
        assert_eq!(count_rows(&company.store, "punches").await, 1500);
        assert_eq!(count_rows(&company.store, "punch_sightings").await, 1500);
    }

    async fn a_device_without_address_waits_and_does_not_fail(store: Store) {
        let company = Company::new(store, 1, 1, "2026-03-02 12:00:00").await;
        edit(&company, 0, |fields| fields.address = None).await;
        assert_eq!(company.store.next_poll(company.clock.real_now()).await.unwrap(), None);
        assert_eq!(poll(&company).await, said(&[("SERIAL0", "address")]));
        assert_eq!(count_rows(&company.store, "device_failures").await, 0);
        assert_eq!(count_rows(&company.store, "poll_cycles").await, 0);
        let row = company.store.device(company.devices[0]).await.unwrap().unwrap();
        assert_eq!((row.fail_count, row.lease_owner), (0, None));
    }

    async fn an_offset_conflict_comes_again_until_the_zone_is_corrected(store: Store) {
        let folder = tempfile::tempdir().unwrap();
        let key = SecretKey::create_file(&folder.path().join("muster.key")).unwrap();
        let company = Company::new(store.with_secret_key(key), 2, 1, "2026-03-02 16:00:00").await;
        let noon = "2026-03-02T12:00:00+01:00[Europe/Berlin]".parse().unwrap();
        let login = hik::Login::new("operator", "Abc12345");
        let terminal = hik::VirtualTerminal::new(hik_label(), login, hik::stopped(noon))
            .users([hik::User::new("1001", "Ana")])
            .events([hik::Event::face("1001", wall("2026-03-02 08:58:30"))])
            .start("127.0.0.1:0")
            .await
            .unwrap();
        locate_hik(&company, &terminal).await;
        let failures = async || store::views::board::waiting(&company.store).await.unwrap().failures;
        for _ in 0..3 {
            let polled = company.engine.poller.poll_once(None).await.unwrap();
            let accepted = polled[0].result.clone().expect("it is read");
            assert!(matches!(accepted.clock_fault, Some(ClockFault::Offset { .. })), "{accepted:?}");
            assert_eq!((accepted.read, failures().await), (1, 1));
        }
        let tx = company.store.begin_write().await.unwrap();
        tx.set_device_zone(company.devices[0], None, "Europe/Berlin", company.author()).await.unwrap();
        tx.commit().await.unwrap();
        for read in [1, 0] {
            let polled = company.engine.poller.poll_once(None).await.unwrap();
            let accepted = polled[0].result.clone().expect("it is read");
            assert_eq!((accepted.clock_fault, accepted.read, failures().await), (None, read, 0));
        }
    }

    async fn a_stalled_device_delays_nobody(store: Store) {
        let mut company = Company::new(store, 2, 3, "2026-03-02 12:00:00").await;
        let options = PollerOptions { deadline: Duration::from_secs(3), ..PollerOptions::default() };
        company.engine = Engine::new(company.store.clone(), company.clock.clone(), options);
        let mut terminals = Vec::new();
        for device in 0..3 {
            let terminal = terminal(&format!("SERIAL{device}")).await;
            locate(&company, device, &terminal).await;
            terminals.push(terminal);
        }
        terminals[0].set_fault(Fault::Silent);
        terminals[1].set_fault(Fault::Dribble(Duration::from_millis(400)));
        let began = Instant::now();
        let read = async || {
            let row = company.store.device(company.devices[2]).await.unwrap().unwrap();
            row.last_read_ms.is_some()
        };
        run_until(&company, read).await;
        assert!(began.elapsed() < Duration::from_secs(3), "the good one did not wait for the others");

        let failed = async || count_rows(&company.store, "device_failures").await == 2;
        let tx = company.store.begin_write().await.unwrap();
        tx.poll_now(None, company.clock.now()).await.unwrap();
        tx.commit().await.unwrap();
        run_until(&company, failed).await;
        assert!(began.elapsed() < Duration::from_secs(9), "and they were given up as a whole");
    }

    async fn a_device_of_a_dead_poller_is_read_by_another(store: Store) {
        let company = Company::new(store, 1, 1, "2026-03-02 12:00:00").await;
        let terminal = terminal("SERIAL0").await;
        locate(&company, 0, &terminal).await;
        let now = company.clock.real_now();
        let claim = async |from: SignedDuration, until: SignedDuration| {
            let tx = company.store.begin_write().await.unwrap();
            let claimed = tx.claim_devices("dead", &company.devices, now + from, now + until).await.unwrap();
            tx.commit().await.unwrap();
            claimed
        };
        assert_eq!(claim(SignedDuration::ZERO, SignedDuration::from_secs(60)).await.len(), 1);
        assert_eq!(poll(&company).await, said(&[("SERIAL0", "lease")]), "its lease lasts");
        assert_eq!(claim(SignedDuration::from_secs(61), SignedDuration::from_secs(-1)).await.len(), 1);
        assert_eq!(poll(&company).await, said(&[("SERIAL0", "ok")]), "its lease is over");
    }

    async fn the_only_device_is_read_again_after_its_poller_died(store: Store) {
        let company = Company::new(store, 1, 1, "2026-03-02 12:00:00").await;
        let terminal = terminal("SERIAL0").await;
        locate(&company, 0, &terminal).await;
        let now = company.clock.real_now();
        let tx = company.store.begin_write().await.unwrap();
        let over = now - SignedDuration::from_secs(1);
        tx.claim_devices("dead", &company.devices, now, over).await.unwrap();
        tx.commit().await.unwrap();
        run_until(&company, async || count_rows(&company.store, "poll_cycles").await == 1).await;
    }

    async fn the_doctor_tells_what_a_poll_would_read_and_stores_nothing(store: Store) {
        let company = Company::new(store, 2, 1, "2026-03-02 12:00:00").await;
        let ahead = stopped(wall("2026-03-02 12:01:30"));
        let terminal = builder("SERIAL0").clock(ahead).start("127.0.0.1:0").await.unwrap();
        locate(&company, 0, &terminal).await;
        let examine = async || company.engine.poller.examine(company.devices[0], &mut |_| {}).await.unwrap().unwrap();
        let diagnosis = examine().await;
        let seen = |check| diagnosis.checks.iter().find_map(|one| match &one.found {
            Found::Good(seen) if one.check == check => Some(seen.clone()),
            _ => None,
        });
        assert_eq!(seen(Check::Users), Some(Seen::Users(2)));
        assert_eq!(seen(Check::Log), Some(Seen::Log { punches: 2, rejected: 0, whole: true }));
        assert_eq!(diagnosis.clock_drift_s, Some(90));
        assert_eq!(count_rows(&company.store, "punches").await, 0);
        let tx = company.store.begin_write().await.unwrap();
        tx.set_device_zone(company.devices[0], None, "Asia/Kolkata", company.author()).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(examine().await.clock_drift_s, Some(90 - 1800), "read in its own zone");
        terminal.go_offline();
        assert_eq!(failure_of(&examine().await).map(|failure| failure.reason), Some("unreachable"));
    }

    async fn the_transport_of_a_device_is_found_out_once(store: Store) {
        let company = Company::new(store, 2, 1, "2026-03-02 12:00:00").await;
        let terminal = builder("SERIAL0").transports(Transports::Udp).start("127.0.0.1:0").await.unwrap();
        let udp = terminal.udp_addr().unwrap();
        edit(&company, 0, |fields| {
            fields.address = Some(udp.ip().to_string());
            fields.port = Some(udp.port());
        })
        .await;
        let known = async || company.store.device(company.devices[0]).await.unwrap().unwrap().transport;
        assert_eq!(known().await, None);
        assert_eq!(poll(&company).await, said(&[("SERIAL0", "ok")]));
        assert_eq!(known().await.as_deref(), Some("udp"));
        assert_eq!(count_rows(&company.store, "punches").await, 2);
        edit(&company, 0, |fields| fields.transport = Some("tcp".to_owned())).await;
        assert_eq!(poll(&company).await, said(&[("SERIAL0", "connect")]));
        let row = company.store.device(company.devices[0]).await.unwrap().unwrap();
        assert_eq!((row.transport.as_deref(), row.last_error_reason.as_deref()), (Some("tcp"), Some("unreachable")));
        edit(&company, 0, |fields| fields.transport = None).await;
        assert_eq!(poll(&company).await, said(&[("SERIAL0", "ok")]));
        assert_eq!(known().await.as_deref(), Some("udp"));
        let row = company.store.device(company.devices[0]).await.unwrap().unwrap();
        assert_eq!(row.last_error_reason, None);
    }
}

//! Terminals that call: whether everything they hold is known, what their punches tell of their clocks, what they are told to do.

use std::net::IpAddr;
use std::sync::Arc;

use ingest::{Answer, Caller, Delivery, DeviceUser, Order, Stranger, Who};
use jiff::SignedDuration;
use store::calls::Told;
use store::devices::DeviceFields;
use store::secrets::{Secret, SecretKey};
use store::{Store, on_both_databases, sql};

use crate::company::{Company, at, punch, user, wall};

const SERIAL: &str = "SERIAL0";

/// A company whose device calls, has greeted at nine, and has told a user.
async fn company(store: Store) -> (Company, Arc<Caller>) {
    let (company, caller) = unlisted(store).await;
    let delivery = Delivery {
        users: vec![told("1001", "")],
        digest: "users".to_owned(),
        ..lines(&[])
    };
    let delivered = company.engine.callers.deliver(&caller, delivery).await;
    delivered.unwrap();
    (company, caller)
}

fn told(id: &str, name: &str) -> DeviceUser {
    DeviceUser {
        id: user(id),
        name: name.to_owned(),
        admin: false,
        card: None,
    }
}

/// The same, and nobody knows its users.
async fn unlisted(store: Store) -> (Company, Arc<Caller>) {
    let (company, [caller]) = company_with(store, [SERIAL]).await;
    (company, caller)
}

async fn company_with<const N: usize>(
    store: Store,
    serials: [&str; N],
) -> (Company, [Arc<Caller>; N]) {
    let company = Company::new(store, 2, N, "2026-03-02 09:00:00").await;
    for device in &company.devices {
        let row = company.store.device(*device).await.unwrap().unwrap();
        let fields = DeviceFields {
            mode: vec![attendance::Way::Push],
            address: None,
            ..DeviceFields::from(&row)
        };
        let keep = store::devices::SecretEdit::Keep;
        let tx = company.store.begin_write().await.unwrap();
        tx.edit_device(*device, &fields, &keep, &keep, company.author())
            .await
            .unwrap();
        tx.commit().await.unwrap();
    }
    company.engine.callers.forget();
    let mut callers = Vec::new();
    for serial in serials {
        let caller = known(&company, serial).await;
        greet(&company, &caller).await;
        callers.push(caller);
    }
    (company, callers.try_into().unwrap())
}

fn stranger(serial: &str) -> Stranger<'_> {
    Stranger {
        serial_number: serial,
        kind: "zk",
        model: "",
        address: IpAddr::from([10, 0, 0, 9]),
        agent: "",
    }
}

async fn known(company: &Company, serial: &str) -> Arc<Caller> {
    match company.engine.callers.who(&stranger(serial)).await.unwrap() {
        Who::Known(caller) => caller,
        other => panic!("it is registered: {other:?}"),
    }
}

async fn greet(company: &Company, caller: &Caller) {
    let address = IpAddr::from([10, 0, 0, 9]);
    company
        .engine
        .callers
        .greet(caller, "speaks so", address)
        .await
        .unwrap();
}

/// One line the device uploads by itself, or several.
fn lines(punches: &[(&str, &str)]) -> Delivery {
    Delivery {
        content: "LOG".to_owned(),
        digest: format!("{punches:?}"),
        lines: punches.len() as u64,
        punches: punches
            .iter()
            .zip(0..)
            .map(|((id, clock), n)| punch(id, clock, n))
            .collect(),
        unasked: true,
        ..Delivery::default()
    }
}

async fn deliver(company: &Company, caller: &Arc<Caller>, punches: &[(&str, &str)]) {
    company
        .engine
        .callers
        .deliver(caller, lines(punches))
        .await
        .unwrap();
}

async fn tell(company: &Company, caller: &Arc<Caller>, records: u32) {
    let told = Told {
        records: Some(records),
        ..Told::default()
    };
    company
        .engine
        .callers
        .told(caller, &told, company.clock.now())
        .await
        .unwrap();
}

async fn tick(company: &Company) {
    company.engine.callers.tick().await.unwrap();
}

/// The device asks for commands every ten seconds until then.
async fn poll_until(company: &Company, caller: &Arc<Caller>, until: &str) {
    while company.clock.now() + SignedDuration::from_secs(10) <= at(until) {
        company
            .clock
            .set(company.clock.now() + SignedDuration::from_secs(10));
        company.engine.callers.called(caller, true);
        tick(company).await;
    }
    company.clock.set(at(until));
}

/// What the device fetches now.
async fn fetched(company: &Company, caller: &Caller) -> Vec<(i64, Order)> {
    let handed = company.engine.callers.hand_out(caller).await.unwrap();
    handed
        .into_iter()
        .map(|handed| (handed.id, handed.order))
        .collect()
}

async fn only(company: &Company, caller: &Caller) -> (i64, Order) {
    let fetched = fetched(company, caller).await;
    let [one] = <[_; 1]>::try_from(fetched).unwrap_or_else(|other| panic!("one order: {other:?}"));
    one
}

async fn answer(company: &Company, caller: &Arc<Caller>, answer: Answer) {
    assert!(
        company
            .engine
            .callers
            .answered(caller, &answer)
            .await
            .unwrap()
    );
}

fn done(id: i64) -> Answer {
    Answer {
        id,
        succeeded: true,
        ..Answer::default()
    }
}

fn unsupported(id: i64) -> Answer {
    Answer {
        id,
        code: -1002,
        unsupported: true,
        ..Answer::default()
    }
}

/// Up to when the device is covered, in the company's time.
async fn covered(company: &Company) -> Option<String> {
    let query = "SELECT covered_to_ms FROM device_coverage";
    let rows = sql::all(company.store.read(), query, []).await.unwrap();
    let to = store::times::instant(rows.first()?.try_get_by_index(0).unwrap());
    let zone = jiff::tz::TimeZone::get(crate::company::ZONE).unwrap();
    Some(zone.to_datetime(to).time().to_string())
}

/// Step, and whether it has ended.
async fn failures(company: &Company) -> Vec<(String, bool)> {
    let query = "SELECT step, ended_ms FROM device_failures ORDER BY id";
    let rows = sql::all(company.store.read(), query, []).await.unwrap();
    rows.iter()
        .map(|row| {
            let ended: Option<i64> = row.try_get_by_index(1).unwrap();
            (row.try_get_by_index(0).unwrap(), ended.is_some())
        })
        .collect()
}

/// Causes of gaps that are open.
async fn gaps(company: &Company) -> Vec<String> {
    texts(
        company,
        "SELECT cause FROM device_gaps WHERE to_ms IS NULL ORDER BY id",
    )
    .await
}

fn failure(step: &str, ended: bool) -> (String, bool) {
    (step.to_owned(), ended)
}

async fn texts(company: &Company, query: &str) -> Vec<String> {
    let rows = sql::all(company.store.read(), query, []).await.unwrap();
    rows.iter()
        .map(|row| row.try_get_by_index(0).unwrap())
        .collect()
}

async fn drift(company: &Company) -> Option<i64> {
    company
        .store
        .device(company.devices[0])
        .await
        .unwrap()
        .unwrap()
        .clock_drift_s
}

on_both_databases! {
    async fn a_count_that_fits_covers_the_device(store: Store) {
        let (company, caller) = company(store).await;
        deliver(&company, &caller, &[("1001", "2026-03-02 08:58:00"), ("1002", "2026-03-02 08:59:00")]).await;
        assert_eq!(covered(&company).await, None);
        tell(&company, &caller, 2).await;
        assert_eq!(covered(&company).await.as_deref(), Some("09:00:00"));
        assert_eq!(fetched(&company, &caller).await, []);
        // Every five minutes it is asked again.
        poll_until(&company, &caller, "2026-03-02 09:05:00").await;
        let (id, order) = only(&company, &caller).await;
        assert_eq!(order, Order::TellState);
        let told = Told { records: Some(2), ..Told::default() };
        company.clock.set(at("2026-03-02 09:05:03"));
        answer(&company, &caller, Answer { told: Some(told), ..done(id) }).await;
        assert_eq!(covered(&company).await.as_deref(), Some("09:05:00"), "when it was asked, not when it answered");
    }

    async fn what_differs_is_narrowed_down_and_read_again(store: Store) {
        let (company, caller) = company(store).await;
        deliver(&company, &caller, &[("1001", "2026-03-01 08:58:00"), ("1002", "2026-03-02 08:59:00")]).await;
        tell(&company, &caller, 2).await;
        company.clock.set(at("2026-03-02 09:10:00"));
        deliver(&company, &caller, &[("1001", "2026-03-02 09:09:00")]).await;
        // One is missing here.
        tell(&company, &caller, 4).await;
        let (count, order) = only(&company, &caller).await;
        let (from, to) = (wall("2026-03-01 09:00:00"), wall("2026-03-03 23:59:59"));
        assert_eq!(order, Order::CountLog { from, to });
        tell(&company, &caller, 4).await;
        assert_eq!(fetched(&company, &caller).await, [], "that is being looked for already");
        answer(&company, &caller, Answer { counted: Some(3), ..done(count) }).await;
        let halves = fetched(&company, &caller).await;
        let middle = wall("2026-03-02 00:00:00");
        let orders: Vec<_> = halves.iter().map(|(_, order)| order.clone()).collect();
        assert_eq!(orders, [
            Order::CountLog { from, to: wall("2026-03-01 23:59:59") },
            Order::CountLog { from: middle, to },
        ]);
        answer(&company, &caller, Answer { counted: Some(0), ..done(halves[0].0) }).await;
        assert_eq!(covered(&company).await.as_deref(), Some("09:00:00"), "the other half is not known");
        answer(&company, &caller, Answer { counted: Some(3), ..done(halves[1].0) }).await;
        let (read, order) = only(&company, &caller).await;
        assert_eq!(order, Order::ReadLog { from: middle, to });
        let again = Delivery { unasked: false, ..lines(&[("1002", "2026-03-02 09:08:00")]) };
        company.engine.callers.deliver(&caller, again).await.unwrap();
        answer(&company, &caller, done(read)).await;
        assert_eq!(covered(&company).await.as_deref(), Some("09:10:00"));
        tell(&company, &caller, 4).await;
        assert_eq!(fetched(&company, &caller).await, [], "that fits");
    }

    async fn a_log_that_was_cleared_is_told_by_its_spans(store: Store) {
        let (company, caller) = company(store).await;
        deliver(&company, &caller, &[("1001", "2026-03-01 08:58:00"), ("1002", "2026-03-02 08:59:00")]).await;
        tell(&company, &caller, 2).await;
        company.clock.set(at("2026-03-02 09:10:00"));
        // It holds one now, the newest.
        deliver(&company, &caller, &[("1001", "2026-03-02 09:09:00")]).await;
        tell(&company, &caller, 1).await;
        let (count, _) = only(&company, &caller).await;
        answer(&company, &caller, Answer { counted: Some(2), ..done(count) }).await;
        assert_eq!(covered(&company).await.as_deref(), Some("09:10:00"));
        // From now on two more are kept here than it holds.
        deliver(&company, &caller, &[("1002", "2026-03-02 09:09:30")]).await;
        company.clock.set(at("2026-03-02 09:11:00"));
        tell(&company, &caller, 2).await;
        assert_eq!(covered(&company).await.as_deref(), Some("09:11:00"));
        assert_eq!(fetched(&company, &caller).await, []);
    }

    async fn a_device_that_counts_nothing_is_covered_by_its_calls(store: Store) {
        let (company, caller) = company(store).await;
        deliver(&company, &caller, &[("1001", "2026-03-02 08:58:00")]).await;
        tell(&company, &caller, 7).await;
        let (count, _) = only(&company, &caller).await;
        answer(&company, &caller, unsupported(count)).await;
        let (read, order) = only(&company, &caller).await;
        assert!(matches!(order, Order::ReadLog { .. }), "{order:?}");
        answer(&company, &caller, unsupported(read)).await;
        assert_eq!(covered(&company).await, None);
        poll_until(&company, &caller, "2026-03-02 09:03:00").await;
        let covered = covered(&company).await.unwrap();
        assert!(("09:00:00".."09:02:01").contains(&covered.as_str()), "{covered}");
        assert_eq!(texts(&company, "SELECT kind FROM device_notices").await, ["cannot_check"]);
    }

    async fn a_device_that_does_not_call_is_away_until_it_does(store: Store) {
        let (company, caller) = company(store).await;
        deliver(&company, &caller, &[("1001", "2026-03-02 08:58:00")]).await;
        tell(&company, &caller, 1).await;
        poll_until(&company, &caller, "2026-03-02 09:01:00").await;
        company.clock.set(at("2026-03-02 09:01:30"));
        tick(&company).await;
        assert_eq!(failures(&company).await, [], "it may miss three calls");
        company.clock.set(at("2026-03-02 09:01:31"));
        tick(&company).await;
        tick(&company).await;
        assert_eq!(failures(&company).await, [failure("call", false)]);
        assert_eq!(gaps(&company).await, ["contact"]);
        company.clock.set(at("2026-03-02 10:00:00"));
        company.engine.callers.called(&caller, true);
        tick(&company).await;
        assert_eq!(failures(&company).await, [failure("call", true)]);
        assert_eq!(gaps(&company).await, ["contact"], "what it recorded meanwhile is not known");
        deliver(&company, &caller, &[("1002", "2026-03-02 09:30:00")]).await;
        tell(&company, &caller, 2).await;
        assert_eq!(gaps(&company).await, [""; 0]);
        let kept = company.store.device(company.devices[0]).await.unwrap().unwrap();
        assert_eq!(kept.last_contact_ms, Some(at("2026-03-02 10:00:00").as_millisecond()));
    }

    async fn a_device_that_calls_another_node_is_not_away(store: Store) {
        let (company, caller) = company(store).await;
        let other = ingest::Engine::new(company.store.clone(), company.clock.clone(), ingest::PollerOptions::default());
        other.callers.tick().await.unwrap();
        poll_until(&company, &caller, "2026-03-02 09:02:00").await;
        other.callers.tick().await.unwrap();
        assert_eq!(failures(&company).await, []);
    }

    async fn an_upload_that_comes_over_and_over_is_a_failure(store: Store) {
        let (company, caller) = company(store).await;
        for repeats in 0..4 {
            deliver(&company, &caller, &[("1001", "2026-03-02 08:58:00")]).await;
            tick(&company).await;
            let expected = if repeats < 2 { vec![] } else { vec![failure("upload", false)] };
            assert_eq!(failures(&company).await, expected, "{repeats}");
        }
        deliver(&company, &caller, &[("1001", "2026-03-02 08:59:00")]).await;
        tick(&company).await;
        assert_eq!(failures(&company).await, [failure("upload", true)]);
    }

    async fn what_is_stored_together_is_as_if_it_came_one_by_one(store: Store) {
        let (company, [gate, door]) = company_with(store, [SERIAL, "SERIAL1"]).await;
        let (ana, bo) = (("1001", "2026-03-02 08:58:00"), ("1002", "2026-03-02 08:59:00"));
        // While somebody else writes, everything but the first has to wait.
        let writing = company.store.begin_write().await.unwrap();
        let mut delivering = Vec::new();
        for (caller, punches) in [
            (&gate, vec![("7", "2026-03-02 08:00:00")]),
            (&gate, vec![ana]),
            (&door, vec![ana, bo]),
            (&gate, vec![ana]),
            (&gate, vec![ana, bo]),
            (&door, vec![]),
        ] {
            let (callers, caller, delivery) = (company.engine.callers.clone(), Arc::clone(caller), lines(&punches));
            delivering.push(tokio::spawn(async move { callers.deliver(&caller, delivery).await }));
            tokio::task::yield_now().await;
        }
        writing.rollback().await.unwrap();
        let mut became = Vec::new();
        for delivered in delivering {
            let delivered = delivered.await.unwrap().unwrap();
            became.push((delivered.new, delivered.duplicate));
        }
        assert_eq!(became, [(1, 0), (1, 0), (2, 0), (0, 1), (1, 1), (0, 0)]);
        let uploads = "SELECT d.serial_number || ' ' || u.uploads || ' ' || u.new || ' ' || u.duplicate || ' ' || u.repeated \
                       FROM device_uploads u JOIN devices d ON d.id = u.device_id ORDER BY d.serial_number";
        assert_eq!(texts(&company, uploads).await, ["SERIAL0 4 3 2 0", "SERIAL1 2 2 0 0"]);
        let whose = "SELECT d.serial_number || ' ' || p.user_id || ' ' || COALESCE(e.code, '-') FROM punches p \
                     JOIN devices d ON d.id = p.device_id LEFT JOIN employees e ON e.id = p.employee_id \
                     ORDER BY d.serial_number, p.clock";
        let codes = texts(&company, whose).await;
        assert_eq!(codes, ["SERIAL0 7 -", "SERIAL0 1001 E0", "SERIAL0 1002 E1", "SERIAL1 1001 E0", "SERIAL1 1002 E1"]);
        let known = "SELECT d.serial_number || ' ' || u.user_id FROM device_users u JOIN devices d ON d.id = u.device_id ORDER BY 1";
        let seen = ["SERIAL0 1001", "SERIAL0 1002", "SERIAL0 7", "SERIAL1 1001", "SERIAL1 1002"];
        assert_eq!(texts(&company, known).await, seen);
        assert_eq!(texts(&company, "SELECT 'x' FROM punch_sightings").await.len(), 5);
    }

    async fn a_punch_tells_of_the_clock_when_nothing_waited_before_it(store: Store) {
        let (company, caller) = company(store).await;
        // What it recorded while it was away says nothing.
        deliver(&company, &caller, &[("1001", "2026-03-02 06:00:00")]).await;
        company.engine.callers.called(&caller, true);
        deliver(&company, &caller, &[("1001", "2026-03-02 06:30:00")]).await;
        assert_eq!(drift(&company).await, None);
        for (now, shown, expected) in [
            ("2026-03-02 09:01:05", "2026-03-02 09:01:02", 0),
            ("2026-03-02 09:02:05", "2026-03-02 09:02:45", 40),
            ("2026-03-02 09:03:05", "2026-03-02 09:02:00", -65), // it has just asked
        ] {
            poll_until(&company, &caller, now).await;
            deliver(&company, &caller, &[("1002", shown)]).await;
            assert_eq!(drift(&company).await, Some(expected), "{now}");
        }
        // Several at once, or an answer to a question, say nothing either.
        poll_until(&company, &caller, "2026-03-02 09:05:00").await;
        deliver(&company, &caller, &[("1001", "2026-03-02 07:00:00"), ("1001", "2026-03-02 07:01:00")]).await;
        poll_until(&company, &caller, "2026-03-02 09:06:00").await;
        let asked = Delivery { unasked: false, ..lines(&[("1001", "2026-03-02 07:02:00")]) };
        company.engine.callers.deliver(&caller, asked).await.unwrap();
        assert_eq!(drift(&company).await, Some(-65));
    }

    async fn punches_of_a_wrong_clock_are_set_aside_until_it_is_right(store: Store) {
        let (company, caller) = company(store).await;
        let suspects = "SELECT clock FROM punches WHERE suspect ORDER BY clock";
        poll_until(&company, &caller, "2026-03-02 09:01:00").await;
        deliver(&company, &caller, &[("1001", "2026-03-02 05:01:00")]).await;
        assert_eq!(gaps(&company).await, ["clock"]);
        deliver(&company, &caller, &[("1002", "2026-03-02 05:02:00")]).await;
        assert_eq!(texts(&company, suspects).await, ["2026-03-02 05:01:00", "2026-03-02 05:02:00"]);
        tell(&company, &caller, 2).await;
        assert_eq!(covered(&company).await, None, "nobody is absent by it");
        poll_until(&company, &caller, "2026-03-02 09:10:00").await;
        deliver(&company, &caller, &[("1001", "2026-03-02 09:10:00")]).await;
        assert_eq!(gaps(&company).await, [""; 0]);
        assert_eq!(texts(&company, suspects).await.len(), 2);
    }

    async fn an_order_is_given_again_alone_when_it_was_lost(store: Store) {
        let store = store.with_secret_key(SecretKey::generate());
        let (company, caller) = company(store).await;
        let callers = &company.engine.callers;
        let set = Order::SetUser {
            user: "1001".to_owned(),
            name: None,
            privilege: None,
            card: None,
            sets_password: true,
        };
        let device = company.devices[0];
        let first = callers.order(device, &set, Some(Secret::new("4711")), None).await.unwrap();
        let second = callers.order(device, &Order::Recheck, None, None).await.unwrap();
        let third = callers.order(device, &Order::Restart, None, None).await.unwrap();
        let handed = callers.hand_out(&caller).await.unwrap();
        assert_eq!(handed[0].secret.as_ref().map(Secret::expose), Some("4711"));
        assert!(!format!("{handed:?}").contains("4711"));
        let ids: Vec<_> = handed.iter().map(|handed| handed.id).collect();
        assert_eq!(ids, [first, second, third]);
        assert!(!callers.withdraw(device, first, None).await.unwrap(), "it was fetched");
        tick(&company).await;
        assert_eq!(fetched(&company, &caller).await, []);
        poll_until(&company, &caller, "2026-03-02 09:05:00").await;
        let (again, _) = only(&company, &caller).await;
        assert_eq!(again, first);
        assert_eq!(fetched(&company, &caller).await, [], "one at a time");
        answer(&company, &caller, done(first)).await;
        let (again, _) = only(&company, &caller).await;
        assert_eq!(again, second);
        assert!(!callers.answered(&caller, &done(first)).await.unwrap(), "it is closed");
        let commands = company.store.commands_of(device, 10).await.unwrap();
        let restart = commands.iter().find(|row| row.id == third).unwrap();
        assert_eq!(restart.state, "unanswered", "nobody restarts a terminal twice");
        let waits = callers.order(device, &Order::UploadNew, None, None).await.unwrap();
        assert!(callers.withdraw(device, waits, None).await.unwrap());
    }

    async fn users_are_told_one_by_one(store: Store) {
        let (company, caller) = company(store).await;
        let listed = "SELECT user_id || ' ' || name FROM device_users WHERE enrolled ORDER BY user_id";
        for (users, deleted, expected) in [
            (vec![told("1001", "Ana"), told("7", "Bo")], vec![], vec!["1001 Ana", "7 Bo"]),
            (vec![told("7", "B"), told("7", "Bob")], vec![], vec!["1001 Ana", "7 Bob"]),
            (vec![], vec![user("7")], vec!["1001 Ana"]),
            (vec![told("7", "Bob")], vec![user("7")], vec!["1001 Ana", "7 Bob"]),
        ] {
            let delivery = Delivery { users, deleted_users: deleted, digest: format!("{expected:?}"), ..lines(&[]) };
            company.engine.callers.deliver(&caller, delivery).await.unwrap();
            assert_eq!(texts(&company, listed).await, expected);
        }
        let id = company.engine.callers.order(company.devices[0], &Order::DeleteUser { user: "1001".to_owned() }, None, None).await.unwrap();
        only(&company, &caller).await;
        answer(&company, &caller, done(id)).await;
        assert_eq!(texts(&company, listed).await, ["7 Bob"]);
    }

    async fn a_device_whose_users_nobody_knows_is_asked_for_them_once(store: Store) {
        let (company, caller) = unlisted(store).await;
        tick(&company).await;
        tick(&company).await;
        let (_, order) = only(&company, &caller).await;
        assert_eq!(order, Order::ListUsers);
    }

    async fn every_night_the_last_weeks_are_counted(store: Store) {
        let (company, caller) = company(store).await;
        let orders = async || -> Vec<Order> {
            tick(&company).await;
            let mut orders = Vec::new();
            for (id, order) in fetched(&company, &caller).await {
                answer(&company, &caller, Answer { counted: Some(0), ..done(id) }).await;
                orders.push(order);
            }
            orders
        };
        for (night, expected) in [
            ("2026-03-03 01:59:50", false),
            ("2026-03-03 02:00:00", true),
            ("2026-03-03 02:00:10", false),
            ("2026-03-04 03:00:00", true),
        ] {
            company.clock.set(at(night));
            company.engine.callers.called(&caller, true);
            let from = wall(night).date().saturating_sub(jiff::Span::new().days(34)).at(23, 59, 59, 0);
            let to = wall(night).date().tomorrow().unwrap().at(23, 59, 59, 0);
            let count = Order::CountLog { from, to };
            let orders = orders().await;
            assert_eq!(orders.contains(&count), expected, "{night} {orders:?}");
            assert_eq!(orders.contains(&Order::ListUsers), expected, "{night}");
        }
    }

    async fn whoever_calls_first_is_known_to_all(store: Store) {
        let (company, _) = company(store).await;
        let engine = ingest::Engine::new(company.store.clone(), company.clock.clone(), ingest::PollerOptions::default());
        let calls: Vec<_> = (0..8).map(|_| {
            let callers = engine.callers.clone();
            tokio::spawn(async move { callers.who(&stranger(SERIAL)).await })
        }).collect();
        for call in calls {
            let who = call.await.unwrap().unwrap();
            assert!(matches!(who, Who::Known(_)), "{who:?}");
        }
    }
}

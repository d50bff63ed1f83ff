//! The queries on both databases, over a company of two.

use attendance::{DeviceId, DeviceUserId, EmployeeId, Way};

use super::board::PersonDevice;
use super::people::PeopleFilter;
use super::{board, day, devices, inbox, people, planning, roll_calls};
use crate::calendar::{LeaveKind, NewLeave};
use crate::calls::Greeting;
use crate::corrections::Side;
use crate::held::HeldCall;
use crate::identity::NewLink;
use crate::parked::Unreadable;
use crate::testing::{author, device, employee_fields, report_saying};
use crate::{Store, on_both_databases, sql};

struct Seen {
    site: i64,
    device: i64,
    ada: EmployeeId,
    ben: EmployeeId,
}

async fn company(store: &Store) -> Seen {
    let tx = store.begin_write().await.unwrap();
    let site = tx
        .add_site("Karachi", "Asia/Karachi", author())
        .await
        .unwrap();
    let gate = device(&tx, site, "A1").await;
    let mut ada = employee_fields(site, "7");
    ada.first_name = "Ada".to_owned();
    ada.device_user_id = Some("7".to_owned());
    let ada = tx.add_employee(&ada, author()).await.unwrap();
    let mut ben = employee_fields(site, "008");
    ben.employed_from = Some("2026-05-01".parse().unwrap());
    let ben = tx.add_employee(&ben, author()).await.unwrap();
    for day in ["2026-04-28", "2026-05-05", "2026-05-12"] {
        let first_in = format!("{day} 08:58:30");
        report_saying(&tx, ada, day, "present", Some(&first_in), 0).await;
    }
    report_saying(&tx, ben, "2026-05-12", "unknown", None, 0).await;
    for (user, clock, owner) in [
        ("7", "2026-05-12 08:58:30", Some(ada.0)),
        ("8", "2026-05-12 09:01:00", None),
        ("8", "2026-05-11 09:02:00", None),
    ] {
        let at: jiff::Timestamp = format!("{}+05:00", clock.replace(' ', "T"))
            .parse()
            .unwrap();
        sql::run(
            &tx.tx,
            "INSERT INTO punches (device_id, user_id, clock, zone, instant_ms, received_ms, source, state, verify, employee_id) \
             VALUES ($1, $2, $3, 'Asia/Karachi', $4, $4, 'poll', 'none', 'finger', $5)",
            [
                gate.0.into(),
                user.into(),
                clock.into(),
                at.as_millisecond().into(),
                owner.into(),
            ],
        )
        .await
        .unwrap();
    }
    for (user, owner) in [("7", Some(ada.0)), ("8", None), ("9", Some(ben.0))] {
        sql::run(
            &tx.tx,
            "INSERT INTO device_users (device_id, user_id, name, employee_id, ambiguous, enrolled, first_seen_ms, last_seen_ms) \
             VALUES ($1, $2, 'X', $3, false, true, 0, 0)",
            [gate.0.into(), user.into(), owner.into()],
        )
        .await
        .unwrap();
    }
    tx.record_failure(gate, author().at, "connect", "no connection")
        .await
        .unwrap();
    tx.commit().await.unwrap();
    Seen {
        site: site.0,
        device: gate.0,
        ada,
        ben,
    }
}

fn late_in_may() -> i64 {
    let at: jiff::Timestamp = "2026-05-12T12:00:00Z".parse().unwrap();
    at.as_millisecond()
}

on_both_databases! {
    async fn the_board_of_a_day(store: Store) {
        let seen = company(&store).await;
        assert_eq!(board::sites(&store).await.unwrap()[0].zone, "Asia/Karachi");
        let all = board::people(&store, seen.site, "2026-05-12", None).await.unwrap();
        let status: Vec<_> = all.iter().map(|person| person.status.as_deref()).collect();
        assert_eq!(status, [Some("present"), Some("unknown")]);
        let before = board::people(&store, seen.site, "2026-04-28", None).await.unwrap();
        assert_eq!(before.len(), 1, "Ben was not employed yet");
        let one = board::people(&store, seen.site, "2026-05-12", Some(&[seen.ben.0])).await.unwrap();
        assert_eq!(one.len(), 1);

        let days = ["2026-04-28".to_owned(), "2026-05-05".to_owned()];
        let arrivals = board::arrivals(&store, seen.site, &days).await.unwrap();
        let arrivals: Vec<_> = arrivals.iter().map(|a| (&*a.workday, &*a.minute, a.people)).collect();
        assert_eq!(arrivals, [("2026-04-28", "08:58", 1), ("2026-05-05", "08:58", 1)]);
        let own = board::earlier_arrivals(&store, &[seen.ada.0], "2026-05-01", "2026-05-12").await.unwrap();
        assert_eq!(own[0].first_in, "2026-05-05 08:58:30");
        assert_eq!(own.len(), 1);
        assert!(board::holidays(&store, seen.site, "2026-01-01", "2026-12-31").await.unwrap().is_empty());

        let devices = board::devices_of(&store, &[seen.ben.0]).await.unwrap();
        assert_eq!(devices, [PersonDevice { employee_id: seen.ben.0, device_id: seen.device }]);
        let punches = board::recent_punches(&store, seen.site, late_in_may(), 2).await.unwrap();
        let users: Vec<_> = punches.iter().map(|p| (&*p.user_id, p.code.as_deref())).collect();
        assert_eq!(users, [("8", None), ("7", Some("7"))]);
        let reports = board::reports_of(&store, &[seen.ada.0], "2026-05-01", "2026-05-12").await.unwrap();
        assert_eq!(reports.len(), 2);
        let waiting = board::waiting(&store).await.unwrap();
        assert_eq!((waiting.inbox, waiting.failures, waiting.devices, waiting.devices_well), (1, 1, 1, 0));
    }

    async fn the_table_of_a_day_and_a_roll_call(store: Store) {
        let seen = company(&store).await;
        let rows = day::rows(&store, None, "2026-05-12").await.unwrap();
        assert_eq!(rows.len(), 2);
        assert_eq!(day::rows(&store, Some(seen.site + 1), "2026-05-12").await.unwrap().len(), 0);
        let punches = day::seen(&store, 0, late_in_may()).await.unwrap();
        assert_eq!(punches.len(), 1);
        assert_eq!(day::seen_of(&store, &[seen.ben.0], 0, late_in_may()).await.unwrap(), []);

        let tx = store.begin_write().await.unwrap();
        let at = "2026-05-12T09:22:00".parse().unwrap();
        let both = [seen.ada, seen.ben];
        let called = tx.roll_call(&both, at, Side::In, "the gate has failed", author()).await.unwrap();
        tx.commit().await.unwrap();
        let said = day::corrections(&store, &[seen.ada.0], "2026-05-12", "2026-05-13").await.unwrap();
        assert_eq!((said.len(), &*said[0].at, &*said[0].reason), (1, "2026-05-12 09:22:00", "the gate has failed"));
        let people = roll_calls::people(&store, called[1].0).await.unwrap();
        let punched: Vec<_> = people.iter().map(|person| (&*person.code, person.device_punches)).collect();
        assert_eq!(punched, [("7", 1), ("008", 0)]);
        let list = roll_calls::list(&store, 5).await.unwrap();
        assert_eq!((list.len(), list[0].people, list[0].id), (1, 2, called[0].0));
    }

    async fn devices_and_their_condition(store: Store) {
        let seen = company(&store).await;
        let list = devices::list(&store, Some(seen.site)).await.unwrap();
        assert_eq!(list.len(), 1);
        assert_eq!(list[0].failing_since_ms, Some(author().at.as_millisecond()));
        assert!(!list[0].has_password);
        assert_eq!(devices::by_serial(&store, "A1").await.unwrap().as_ref(), Some(&list[0]));
        assert_eq!(devices::by_serial(&store, "none").await.unwrap(), None);
        assert!(devices::cycles(&store, seen.device, 9).await.unwrap().is_empty());
        assert!(devices::last_cycles(&store).await.unwrap().is_empty());
        let failures = devices::failures(&store, Some(seen.device), 9, 0).await.unwrap();
        assert_eq!((failures.len(), &*failures[0].step), (1, "connect"));
        assert_eq!(devices::failures(&store, None, 9, 1).await.unwrap().len(), 0);
        assert_eq!(devices::outages_since(&store, i64::MAX).await.unwrap().len(), 1, "it lasts");
        let users = devices::users(&store, seen.device, 9).await.unwrap();
        assert_eq!((users.len(), &*users[0].user_id), (3, "8"), "without a person first");
        let counts = devices::user_counts(&store, seen.device).await.unwrap();
        assert_eq!((counts.users, counts.unmapped), (3, 1));
        let found = async |search: &str| {
            let users = devices::users_like(&store, seen.device, search, 2, 0).await.unwrap();
            users.into_iter().map(|user| user.user_id).collect::<Vec<_>>()
        };
        assert_eq!(found("").await, ["7", "8"]);
        assert_eq!(found(" 9 ").await, ["9"]);
        assert_eq!(found("ADA").await, ["7"], "by the name of the person");
        assert_eq!(found("x").await, ["7", "8"], "by the name on the terminal");
        assert_eq!(devices::user(&store, seen.device, "8").await.unwrap().unwrap().code, None);
        assert_eq!(devices::user(&store, seen.device, "08").await.unwrap(), None);
        let kept = devices::kept(&store, seen.device).await.unwrap();
        assert_eq!((kept.punches, kept.parked), (3, 0));
        assert!(devices::parked(&store, seen.device, 9).await.unwrap().is_empty());
        assert_eq!(devices::unknown_people(&store, "2026-05-12").await.unwrap(), [(seen.device, 1)]);
    }

    async fn how_a_device_calls_and_what_is_set_aside_of_it(store: Store) {
        let seen = company(&store).await;
        let gate = DeviceId(seen.device);
        let at = |secs: i64| jiff::Timestamp::from_second(secs).unwrap();
        let row = devices::by_serial(&store, "A1").await.unwrap().unwrap();
        assert_eq!((row.last_call_ms, row.call_delay_s, row.calls_from), (None, None, None));
        assert_eq!(row.failing_step.as_deref(), Some("connect"), "somebody reads it in vain");
        let tx = store.begin_write().await.unwrap();
        let greeting = Greeting { device: gate, dialect: "{}", address: "10.0.0.9", delay_secs: 10, at: at(60) };
        tx.keep_greeting(&greeting).await.unwrap();
        tx.end_outage(gate, at(60)).await.unwrap();
        tx.record_failure(gate, at(90), "call", "it is away").await.unwrap();
        for (second, bytes) in [(1, "a"), (2, "b"), (3, "c")] {
            let record = Unreadable { bytes: bytes.as_bytes(), reason: "noise" };
            tx.park(gate, Way::Push, &[record], at(second)).await.unwrap();
        }
        let call = HeldCall {
            serial_number: "X1".to_owned(), kind: "zk", model: String::new(), address: String::new(), agent: String::new(),
            at_ms: 1, calls: 1,
        };
        tx.hold(&[call.clone(), HeldCall { serial_number: "X2".to_owned(), ..call }]).await.unwrap();
        tx.refuse_held("X2", true, author()).await.unwrap();
        tx.commit().await.unwrap();
        let row = devices::list(&store, None).await.unwrap().remove(0);
        assert_eq!((row.last_call_ms, row.call_delay_s), (Some(60_000), Some(10)));
        assert_eq!(row.calls_from.as_deref(), Some("10.0.0.9"));
        assert_eq!((row.failing_since_ms, row.failing_step.as_deref()), (Some(90_000), Some("call")));
        assert_eq!(row.failing_message.as_deref(), Some("it is away"));
        assert_eq!(board::waiting(&store).await.unwrap().held, 1);
        let bytes = async |limit, skip| {
            let rows = devices::parked_bytes(&store, seen.device, limit, skip).await.unwrap();
            rows.into_iter().map(|row| String::from_utf8(row.bytes).unwrap()).collect::<Vec<_>>()
        };
        assert_eq!(bytes(2, 0).await, ["c", "b"]);
        assert_eq!(bytes(2, 2).await, ["a"]);
        assert_eq!(store.kept_records(gate).await.unwrap(), 6);
    }

    async fn the_inbox_empties_when_somebody_is_mapped(store: Store) {
        let seen = company(&store).await;
        let waiting = inbox::waiting(&store, 9).await.unwrap();
        assert_eq!((waiting.len(), waiting[0].punches, &*waiting[0].first_clock), (1, 2, "2026-05-11 09:02:00"));
        assert_eq!(inbox::waiting_user(&store, seen.device, "8").await.unwrap().as_ref(), Some(&waiting[0]));
        let alike = inbox::alike_by_number(&store, "8").await.unwrap();
        assert_eq!((alike.len(), &*alike[0].code), (1, "008"), "zeros only suggest");
        assert!(inbox::alike_by_number(&store, "00").await.unwrap().is_empty());
        assert!(inbox::without_user_on(&store, seen.device, 9).await.unwrap().is_empty());
        let found = inbox::search(&store, "08", 9).await.unwrap();
        assert_eq!(found, alike, "by a part of the code");
        assert_eq!(inbox::candidate(&store, seen.ben.0).await.unwrap(), found.into_iter().next());

        let user = DeviceUserId::parse("8").unwrap();
        let link = NewLink {
            device: attendance::DeviceId(seen.device),
            user: &user,
            employee: seen.ben,
            from: None,
            to: None,
            origin: "inbox",
            author: None,
        };
        let tx = store.begin_write().await.unwrap();
        tx.link_user(&link, author().at).await.unwrap();
        tx.commit().await.unwrap();
        assert!(inbox::waiting(&store, 9).await.unwrap().is_empty());
        assert_eq!(people::punches(&store, seen.ben.0, 9).await.unwrap().len(), 2);
        let users = people::users_of(&store, seen.ben.0).await.unwrap();
        assert!(users.iter().any(|one| (&*one.user_id, one.match_by.as_deref()) == ("8", Some("link"))));

        let tx = store.begin_write().await.unwrap();
        let device = attendance::DeviceId(seen.device);
        let back = tx.take_link_back(device, &user, seen.ben, author().at).await.unwrap();
        assert_eq!(back.punches, 2);
        let twice = tx.take_link_back(device, &user, seen.ben, author().at).await.unwrap_err();
        assert_eq!(twice.to_string(), "there is no mapping of device user 8");
        tx.commit().await.unwrap();
        assert_eq!(inbox::waiting(&store, 9).await.unwrap(), waiting);
    }

    async fn a_listed_user_can_be_mapped_before_the_first_punch(store: Store) {
        let seen = company(&store).await;
        let device = attendance::DeviceId(seen.device);
        let tx = store.begin_write().await.unwrap();
        let users = std::collections::BTreeSet::from(["77"]);
        let (day, at) = ("2026-05-12".parse().unwrap(), author().at);
        tx.see_users(device, &users, &[], &Default::default(), day, at).await.unwrap();
        tx.commit().await.unwrap();
        let user = inbox::waiting_user(&store, seen.device, "77").await.unwrap().unwrap();
        assert_eq!((user.punches, &*user.first_clock), (0, ""));
        assert_eq!(inbox::waiting_user(&store, seen.device, "7").await.unwrap(), None, "Ada's");
    }

    async fn people_are_found_by_name_code_and_number(store: Store) {
        let seen = company(&store).await;
        let found = async |search: &str| {
            let filter = PeopleFilter { search: search.to_owned(), ..PeopleFilter::default() };
            let list = people::list(&store, &filter, 9, 0).await.unwrap();
            assert_eq!(people::count(&store, &filter).await.unwrap(), list.len() as i64);
            list.into_iter().map(|person| person.code).collect::<Vec<_>>()
        };
        assert_eq!(found("").await, ["7", "008"]);
        assert_eq!(found("ada").await, ["7"]);
        assert_eq!(found("00").await, ["008"]);
        let ada = people::by_code(&store, "7").await.unwrap().unwrap();
        assert_eq!((ada.id, ada.name()), (seen.ada.0, "Ada".to_owned()));
        assert_eq!(people::employed(&store, "2026-04-28", &[seen.ada.0, seen.ben.0]).await.unwrap().len(), 1);
        let days = people::days(&store, seen.ada.0, 2).await.unwrap();
        assert_eq!(days[0].workday, "2026-05-12");
        assert_eq!(days.len(), 2);
        assert_eq!(people::departments(&store).await.unwrap().len(), 1);
    }

    async fn leave_is_listed_with_whose_it_is(store: Store) {
        let seen = company(&store).await;
        let tx = store.begin_write().await.unwrap();
        let annual = tx.add_leave_type("Annual leave", "AL", true, author()).await.unwrap();
        for (employee, from, to, leave_type) in [
            (seen.ben, "2026-05-18", "2026-05-20", Some(annual)),
            (seen.ada, "2026-05-04", "2026-05-04", None),
        ] {
            let new = NewLeave {
                employee,
                kind: LeaveKind::Leave,
                from: from.parse().unwrap(),
                to: to.parse().unwrap(),
                part: attendance::DayPart::Full,
                leave_type,
                reason: "sea".to_owned(),
            };
            tx.add_leave(&new, author()).await.unwrap();
        }
        tx.commit().await.unwrap();
        let found = async |code: &str, from: &str, to: &str, limit| {
            let rows = planning::leave(&store, code, from, to, limit).await.unwrap();
            rows.into_iter().map(|row| (row.code, row.leave_type)).collect::<Vec<_>>()
        };
        let ada = ("7".to_owned(), None);
        let ben = ("008".to_owned(), Some("Annual leave".to_owned()));
        assert_eq!(found("", "2026-05-01", "2026-05-31", 9).await, [ada.clone(), ben.clone()]);
        assert_eq!(found("", "2026-05-01", "2026-05-31", 1).await, [ada]);
        assert_eq!(found("", "2026-05-20", "2026-05-31", 9).await, [ben]);
        assert_eq!(found("7", "2026-05-05", "2026-05-31", 9).await, []);
    }
}

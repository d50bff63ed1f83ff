//! What people do with terminals that call: approve them, refuse them, give them orders; and a terminal that is read as well.

use std::sync::Arc;
use std::time::Duration;

use attendance::Way;
use ingest::Order;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, ToSpan};
use simulators::zk;
use simulators::zk_push::{Fault, Profile, SlowWriters, history};
use store::Store;
use store::secrets::Secret;
use web::push::{Limits, PushListenerOptions};

use super::{FIRST_DAY, Server, soon, two_users, within};

const PAST: usize = 40;

store::on_both_databases! {
    async fn who_is_unknown_waits_and_then_delivers_everything_and_who_is_refused_never(store: Store) {
        let server = Server::start(store).await;
        for profile in Profile::ALL {
            let what = profile.name();
            let serial = format!("{}NEW1", what.to_uppercase());
            let terminal = server
                .terminal(&serial, profile)
                .users(two_users())
                .records(history(PAST, 4, FIRST_DAY))
                .start(server.address);
            let refused = server
                .terminal(&format!("{serial}X"), profile)
                .records(history(PAST, 4, FIRST_DAY))
                .start(server.address);
            for terminal in [&terminal, &refused] {
                soon(what, terminal.until_counts(|counts| counts.refused >= 3)).await;
            }
            terminal.punch("1002", 1, 1);
            server.tick().await;
            let held = server.store.held_terminals().await.expect("a database");
            let mut held: Vec<_> = held.into_iter().filter(|row| !row.refused).map(|row| row.serial_number).collect();
            held.sort();
            assert_eq!(held, [serial.clone(), format!("{serial}X")], "{what}");
            let tx = server.store.begin_write().await.expect("a transaction");
            let decided = tx.refuse_held(&format!("{serial}X"), true, server.author()).await;
            decided.expect("it waits");
            tx.commit().await.expect("a commit");
            let device = server.register(&serial).await;
            terminal.report_users();
            soon(what, terminal.until_acknowledged(PAST + 1)).await;
            server.is_exact(device, &terminal, what).await;
            let before = refused.counts().refused;
            soon(what, refused.until_counts(|counts| counts.refused >= before + 3)).await;
            assert_eq!(refused.acknowledged(), []);
        }
        assert_eq!(store::testing::count_rows(&server.store, "punches").await, 7 * (PAST as u64 + 1));
        assert_eq!(store::testing::count_rows(&server.store, "devices").await, 7);
    }

    async fn a_batch_that_comes_twice_at_once_and_again_is_stored_once(store: Store) {
        let server = Server::start(store).await;
        for profile in Profile::ALL {
            let serial = format!("{}GATE", profile.name().to_uppercase());
            let device = server.register(&serial).await;
            let terminal = server
                .terminal(&serial, profile)
                .records(history(PAST, 4, FIRST_DAY))
                .batch(7)
                .fault(Fault::Twin)
                .fault(Fault::Repeat(1))
                .fault(Fault::Twice)
                .start(server.address);
            soon("it is there", terminal.until_acknowledged(PAST)).await;
            server.is_exact(device, &terminal, profile.name()).await;
        }
    }
}

#[tokio::test]
async fn orders_are_carried_out_once_and_closed_by_their_terminal() {
    for profile in [
        Profile::V22,
        Profile::V24,
        Profile::V242,
        Profile::B,
        Profile::Essl,
        Profile::Acc,
    ] {
        let what = profile.name();
        let server = Server::on_a_file().await;
        let device = server.register("GATE1").await;
        let terminal = server
            .terminal("GATE1", profile)
            .users(two_users())
            .records(history(PAST, 4, FIRST_DAY))
            .start(server.address);
        soon(what, terminal.until_acknowledged(PAST)).await;
        server.until_all_answered(device).await;
        let before = terminal.executed().len();
        let handshakes = terminal.counts().handshakes;
        let cem = Order::SetUser {
            user: "1003".to_owned(),
            name: Some("Cem".to_owned()),
            privilege: Some("admin".to_owned()),
            card: Some(4711),
            sets_password: true,
        };
        let callers = &server.engine.callers;
        let secret = Some(Secret::new("0815"));
        callers
            .order(device, &cem, secret, None)
            .await
            .expect("a database");
        let mut orders = vec![
            Order::DeleteUser {
                user: "1001".to_owned(),
            },
            Order::SetOption {
                key: "VOLUME".to_owned(),
                value: "60".to_owned(),
            },
            Order::ReadLog {
                from: FIRST_DAY.at(0, 0, 0, 0),
                to: FIRST_DAY.at(23, 59, 59, 0),
            },
            Order::ListUsers,
            Order::TellState,
            Order::UploadNew,
            Order::SetClock,
            Order::Unlock { seconds: 5 },
        ];
        if profile != Profile::Acc {
            orders.push(Order::Recheck);
        }
        orders.push(Order::Restart);
        for order in &orders {
            server.order(device, order.clone()).await;
        }
        server.until_all_answered(device).await;
        let done: Vec<_> = terminal.executed().split_off(before);
        assert_eq!(done.len(), orders.len() + 1, "{what}: each once: {done:#?}");
        assert!(done.iter().all(|done| done.code >= 0), "{what}: {done:#?}");
        let states = server
            .store
            .commands_of(device, 100)
            .await
            .expect("a database");
        assert!(
            states
                .iter()
                .all(|row| row.state == "done" && row.secret_sealed.is_none()),
            "{what}"
        );
        let mut users: Vec<_> = terminal
            .users()
            .into_iter()
            .map(|user| {
                (
                    user.pin,
                    user.name,
                    user.privilege,
                    user.card,
                    user.password,
                )
            })
            .collect();
        users.sort();
        let ben = ("1002".to_owned(), b"Ben".to_vec(), 0, 0, String::new());
        let cem = (
            "1003".to_owned(),
            b"Cem".to_vec(),
            14,
            4711,
            "0815".to_owned(),
        );
        assert_eq!(users, [ben, cem], "{what}");
        assert_eq!(terminal.option("VOLUME").as_deref(), Some("60"), "{what}");
        assert_eq!(terminal.unlocks(), 1, "{what}");
        soon(
            what,
            terminal.until_counts(|counts| counts.handshakes > handshakes),
        )
        .await;
        server.is_exact(device, &terminal, what).await;
    }
}

#[tokio::test]
async fn a_log_is_cleared_when_everything_in_it_is_stored() {
    for profile in [
        Profile::V22,
        Profile::V24,
        Profile::V242,
        Profile::B,
        Profile::Essl,
    ] {
        let what = profile.name();
        let server = Server::on_a_file().await;
        let device = server.register("GATE1").await;
        let terminal = server
            .terminal("GATE1", profile)
            .records(history(PAST, 4, FIRST_DAY))
            .start(server.address);
        soon(what, terminal.until_acknowledged(PAST)).await;
        server.until_all_answered(device).await;
        // Part of it is not here any more, and part of it is not here yet.
        let lost = format!("device_id = {} AND clock < '2026-11-03'", device.0);
        server.run_sql(&format!("DELETE FROM punch_sightings WHERE punch_id IN (SELECT id FROM punches WHERE {lost})")).await;
        assert!(
            server
                .run_sql(&format!("DELETE FROM punches WHERE {lost}"))
                .await
                > 0
        );
        terminal.go_offline();
        server.later(SignedDuration::from_secs(9));
        terminal.punch("1001", 1, 1);
        let all = super::distinct(terminal.log().into_iter().map(|logged| logged.punch));
        server.order(device, Order::ClearLog { tries: 0 }).await;
        terminal.go_online();
        within("it is cleared", async || terminal.log().is_empty()).await;
        server.until_all_answered(device).await;
        let stored = server.stored(device).await;
        assert_eq!(stored.len(), all.len(), "{what}");
        assert_eq!(
            stored
                .into_iter()
                .collect::<std::collections::BTreeSet<_>>(),
            all,
            "{what}"
        );
        // It goes on, and is covered again.
        server.later(SignedDuration::from_secs(9));
        terminal.punch("1002", 1, 1);
        soon(what, terminal.until_acknowledged(PAST + 2)).await;
        let before = server.covered_to(device).await;
        // The next look at its log is due five minutes after the last one, which may have come before or after the punch.
        let mut rounds = 0;
        while server.covered_to(device).await <= before {
            rounds += 1;
            assert!(rounds <= 42, "{what}: not covered again");
            server.later(SignedDuration::from_secs(15));
            let polls = terminal.counts().polls;
            soon(what, terminal.until_polls(polls + 2)).await;
            server.tick().await;
            server.until_all_answered(device).await;
        }
        assert_eq!(server.stored(device).await.len(), all.len() + 1, "{what}");
    }
}

#[tokio::test]
async fn a_log_is_not_cleared_when_it_cannot_be_read_or_somebody_else_counts() {
    for (profile, fault) in [
        (Profile::A0, None),
        (Profile::V24, Some("command-code=DATA QUERY:-1002")),
        (Profile::V24, Some("command-code=INFO:-1002")),
    ] {
        let server = Server::on_a_file().await;
        let device = server.register("GATE1").await;
        let terminal = server
            .terminal("GATE1", profile)
            .records(history(PAST, 4, FIRST_DAY))
            .start(server.address);
        soon("it is there", terminal.until_acknowledged(PAST)).await;
        server.until_all_answered(device).await;
        if let Some(fault) = fault {
            terminal.set_fault(fault.parse().expect("a fault"));
        }
        let clear = server.order(device, Order::ClearLog { tries: 0 }).await;
        server.until_all_answered(device).await;
        assert_eq!(terminal.log().len(), PAST, "{profile}");
        let commands = server
            .store
            .commands_of(device, 100)
            .await
            .expect("a database");
        let clear = commands
            .iter()
            .find(|row| row.id == clear)
            .expect("it is kept");
        assert!(
            clear.state == "failed" && clear.answer.starts_with("it was not cleared"),
            "{clear:?}"
        );
    }
}

#[tokio::test]
async fn a_punch_by_push_by_listening_and_by_reading_is_one() {
    let server = Server::on_a_file().await;
    let clock = server.clock.clone();
    let shown: zk::Clock = Arc::new(move || TimeZone::UTC.to_datetime(clock.now()));
    let serial = "AEH2194760215";
    let behind_port = zk::VirtualTerminal::new(serial)
        .clock(shown.clone())
        .users([zk::User::new(1, "1001").named("Ana")])
        .start("127.0.0.1:0")
        .await
        .expect("a free port");
    let ways = vec![Way::Poll, Way::Live, Way::Push];
    let device = server
        .register_with(serial, ways, Some(behind_port.addr()))
        .await;
    let calling = server.terminal(serial, Profile::V24).start(server.address);
    let workers = server.engine.start().await.expect("a database");
    within("it is listened to", async || {
        let row = server.store.device(device).await.expect("a database");
        row.expect("it is there").live_since_ms.is_some()
    })
    .await;
    let mut at = shown();
    for n in 0..5_u8 {
        at = at.saturating_add(7.seconds());
        server.later(SignedDuration::from_secs(7));
        // By turns one way is first.
        match n % 2 {
            0 => {
                assert!(behind_port.punch("1001", at, 0, 1));
                behind_port
                    .wait_for_acknowledgements(u64::from(n) + 1)
                    .await;
                calling.punch("1001", 0, 1);
                soon("it is told", calling.until_acknowledged(usize::from(n) + 1)).await;
            }
            _ => {
                calling.punch("1001", 0, 1);
                soon("it is told", calling.until_acknowledged(usize::from(n) + 1)).await;
                assert!(behind_port.punch("1001", at, 0, 1));
                behind_port
                    .wait_for_acknowledgements(u64::from(n) + 1)
                    .await;
            }
        }
    }
    server
        .engine
        .poller
        .poll_now(Some(&[device]))
        .await
        .expect("a database");
    let punches = async || store::testing::punches_of(&server.store, device).await;
    within("it was read", async || {
        punches()
            .await
            .iter()
            .all(|line| line.ends_with("live+poll+push"))
    })
    .await;
    assert_eq!(punches().await.len(), 5);
    workers.stop().await.expect("a database");
}

#[tokio::test]
async fn sockets_that_write_slowly_stop_nobody_else() {
    // Whoever else calls comes from another address, or from the same as if all stood behind one router.
    for same_address in [false, true] {
        let server = Server::on_a_file().await;
        let mut options = PushListenerOptions::default();
        if same_address {
            options.limits = Limits {
                body: Duration::from_millis(500),
                ..Limits::default()
            };
        }
        let (listening, addresses) = server
            .listen_also(&["[::1]:0", "127.0.0.1:0"], options)
            .await;
        let [six, four] = addresses[..] else {
            panic!("two addresses: {addresses:?}");
        };
        server.register("SLOW1").await;
        let device = server.register("GATE1").await;
        let towards = if same_address { four } else { six };
        let slow = SlowWriters::start(towards, "SLOW1", 200, Duration::from_millis(50));
        let terminal = server
            .terminal("GATE1", Profile::V24)
            .records(history(PAST, 4, FIRST_DAY))
            .start(four);
        soon("it is there", terminal.until_acknowledged(PAST)).await;
        for n in 1..=10 {
            server.later(SignedDuration::from_secs(3));
            terminal.punch("1001", 0, 1);
            soon("it is there", terminal.until_acknowledged(PAST + n)).await;
        }
        server
            .is_exact(device, &terminal, "beside slow sockets")
            .await;
        if same_address {
            soon("they are gone", slow.until_all_ended()).await;
        }
        listening.abort();
    }
}

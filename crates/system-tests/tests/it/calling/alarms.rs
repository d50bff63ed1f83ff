//! What is wrong with a terminal that calls: logged once, and ended when it is over.

use attendance::DeviceId;
use jiff::SignedDuration;
use simulators::zk_push::{Fault, Profile, RunningTerminal, history};

use super::{FIRST_DAY, Server, soon};

const PAST: usize = 20;
/// Terminals are told to call every ten seconds.
const THREE_CALLS: SignedDuration = SignedDuration::from_secs(31);

async fn delivered(server: &Server, profile: Profile) -> (DeviceId, RunningTerminal) {
    let device = server.register("GATE1").await;
    let terminal = server
        .terminal("GATE1", profile)
        .records(history(PAST, 4, FIRST_DAY))
        .start(server.address);
    soon("the log is there", terminal.until_acknowledged(PAST)).await;
    idle(server, &terminal).await;
    server.until_all_answered(device).await;
    (device, terminal)
}

/// Several calls without anything to upload, and what the server makes of them.
async fn idle(server: &Server, terminal: &RunningTerminal) {
    let polls = terminal.counts().polls;
    soon("it calls", terminal.until_polls(polls + 3)).await;
    server.tick().await;
}

#[tokio::test]
async fn who_does_not_call_any_more_has_failed_until_everything_is_there() {
    let server = Server::on_a_file().await;
    let (device, terminal) = delivered(&server, Profile::V24).await;
    assert_eq!(server.failure(device).await, None);
    let covered = server.covered_to(device).await;
    let left = server.now();
    terminal.go_offline();
    server.later(THREE_CALLS - SignedDuration::from_secs(2));
    server.tick().await;
    assert_eq!(server.failure(device).await, None, "two calls were missed");
    server.later(SignedDuration::from_secs(2));
    server.tick().await;
    server.tick().await;
    assert_eq!(server.failure(device).await.as_deref(), Some("call"));
    let gaps = server.gaps(device).await;
    assert_eq!(gaps, [("contact".to_owned(), left, None)], "one");

    server.later(SignedDuration::from_hours(1));
    terminal.punch("1001", 1, 1);
    server.tick().await;
    assert_eq!(server.covered_to(device).await, covered);
    terminal.go_online();
    soon("it is there", terminal.until_acknowledged(PAST + 1)).await;
    idle(&server, &terminal).await;
    server.until_all_answered(device).await;
    idle(&server, &terminal).await;
    assert_eq!(server.failure(device).await, None);
    assert_eq!(server.gaps(device).await, []);
    assert!(server.covered_to(device).await >= Some(left + SignedDuration::from_hours(1)));
    server.is_exact(device, &terminal, "after an outage").await;
}

#[tokio::test]
async fn who_comes_back_while_the_server_was_down_has_no_failure_any_more() {
    let server = Server::on_a_file().await;
    let (device, terminal) = delivered(&server, Profile::V24).await;
    terminal.go_offline();
    server.later(THREE_CALLS);
    server.tick().await;
    assert_eq!(server.failure(device).await.as_deref(), Some("call"));
    let server = Server::start_again(server.end().await).await;
    server.tick().await;
    assert_eq!(
        server.failure(device).await.as_deref(),
        Some("call"),
        "it is away still"
    );
    terminal.go_online();
    idle(&server, &terminal).await;
    assert_eq!(server.failure(device).await, None);
}

#[tokio::test]
async fn a_server_that_was_down_blames_nobody() {
    let server = Server::on_a_file().await;
    let (device, terminal) = delivered(&server, Profile::V24).await;
    terminal.go_offline();
    let (folder, address, now) = server.end().await;
    let later = now + SignedDuration::from_hours(5);
    let server = Server::start_again((folder, address, later)).await;
    server.tick().await;
    server.later(THREE_CALLS - SignedDuration::from_secs(2));
    server.tick().await;
    assert_eq!(
        (server.failure(device).await, server.gaps(device).await),
        (None, vec![])
    );
    server.later(SignedDuration::from_secs(2));
    server.tick().await;
    assert_eq!(server.failure(device).await.as_deref(), Some("call"));
    let gaps = server.gaps(device).await;
    assert!(
        matches!(&gaps[..], [(_, from, None)] if *from <= now),
        "since it last called: {gaps:?}"
    );
}

#[tokio::test]
async fn the_same_upload_over_and_over_is_a_failure_and_its_punches_are_stored() {
    for profile in Profile::ALL {
        let server = Server::on_a_file().await;
        let (device, terminal) = delivered(&server, profile).await;
        terminal.set_fault(Fault::Repeat(3));
        terminal.punch("1001", 1, 1);
        soon("it is there", terminal.until_acknowledged(PAST + 1)).await;
        server.tick().await;
        assert_eq!(
            server.failure(device).await.as_deref(),
            Some("upload"),
            "{profile}"
        );
        server.is_exact(device, &terminal, profile.name()).await;
        terminal.clear_faults();
        server.later(SignedDuration::from_secs(5));
        terminal.punch("1002", 1, 1);
        soon("it is there", terminal.until_acknowledged(PAST + 2)).await;
        server.tick().await;
        assert_eq!(server.failure(device).await, None, "{profile}");
    }
}

async fn drift(server: &Server, device: DeviceId) -> Option<i64> {
    let row = server.store.device(device).await.expect("a database");
    row.expect("it is there").clock_drift_s
}

#[tokio::test]
async fn a_live_punch_tells_how_far_a_clock_is_off() {
    for profile in Profile::ALL {
        let server = Server::on_a_file().await;
        let (device, terminal) = delivered(&server, profile).await;
        assert_eq!(drift(&server, device).await, None, "{profile}");
        terminal.shift_clock(SignedDuration::from_secs(-90));
        terminal.punch("1001", 1, 1);
        soon("it is there", terminal.until_acknowledged(PAST + 1)).await;
        assert_eq!(drift(&server, device).await, Some(-90), "{profile}");
        assert_eq!(
            server.gaps(device).await,
            [],
            "{profile}: that is tolerated"
        );
    }
}

#[tokio::test]
async fn what_a_clock_that_is_hours_off_records_is_set_aside() {
    for profile in Profile::ALL {
        let server = Server::on_a_file().await;
        let (device, terminal) = delivered(&server, profile).await;
        terminal.shift_clock(SignedDuration::from_hours(3));
        terminal.punch("1001", 1, 1);
        soon("it is there", terminal.until_acknowledged(PAST + 1)).await;
        server.tick().await;
        assert_eq!(drift(&server, device).await, Some(3 * 3600), "{profile}");
        let gaps = server.gaps(device).await;
        assert!(
            matches!(&gaps[..], [(cause, _, None)] if cause == "clock"),
            "{profile}: {gaps:?}"
        );
        assert_eq!(
            suspects(&server).await,
            1,
            "{profile}: the punch that shows it is set aside too"
        );
        assert_eq!(
            server.failure(device).await.as_deref(),
            Some("clock"),
            "{profile}"
        );
        idle(&server, &terminal).await;
        server.later(SignedDuration::from_secs(20));
        terminal.punch("1002", 1, 1);
        soon("it is there", terminal.until_acknowledged(PAST + 2)).await;
        assert_eq!(suspects(&server).await, 2, "{profile}");
        let covered = server.covered_to(device).await;
        // Somebody sets it.
        terminal.shift_clock(SignedDuration::from_hours(-3));
        idle(&server, &terminal).await;
        server.later(SignedDuration::from_secs(20));
        terminal.punch("1001", 1, 1);
        soon("it is there", terminal.until_acknowledged(PAST + 3)).await;
        server.tick().await;
        assert_eq!(server.failure(device).await, None, "{profile}");
        let gaps = server.gaps(device).await;
        assert!(
            matches!(&gaps[..], [(cause, _, Some(_))] if cause == "clock"),
            "{profile}: {gaps:?}"
        );
        assert_eq!(suspects(&server).await, 2, "{profile}");
        assert!(server.covered_to(device).await >= covered, "{profile}");
        server.is_exact(device, &terminal, profile.name()).await;
    }
}

async fn suspects(server: &Server) -> u64 {
    server
        .run_sql("UPDATE punches SET suspect = suspect WHERE suspect")
        .await
}

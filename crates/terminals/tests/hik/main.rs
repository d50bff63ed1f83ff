//! The Hikvision driver against virtual terminals with scripted faults.

mod arming;
mod doctor;
mod faults;
mod finding;
mod live;
mod writing;

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use attendance::{Punch, PunchState, VerifyMode};
use jiff::civil::{DateTime, date};
use jiff::{Timestamp, Zoned};
use simulators::hik::{
    ChallengeForm, Event, Fault, LockOut, LockedAnswer, Login, Nonces, Offer, OverCap,
    RunningTerminal, TimeNotation, User, VirtualTerminal, stopped,
};
use terminals::{
    CertificateTrust, Condition, Credentials, Deadline, DeviceKind, HikLimits, HikTerminal,
    ReadPosition, Reading, Retry, Step, Target, TerminalError, Transport,
};

const EVENTS: &str = "/ISAPI/AccessControl/AcsEvent";
const PEOPLE: &str = "/ISAPI/AccessControl/UserInfo/Search";

fn noon() -> Zoned {
    "2026-03-02T12:00:00+01:00[Europe/Berlin]"
        .parse()
        .expect("a time")
}

/// Of a terminal of its own: what one test finds out about a terminal holds for the whole process.
fn label() -> String {
    static TERMINALS: AtomicU32 = AtomicU32::new(0);
    format!("GB{:07}", TERMINALS.fetch_add(1, Ordering::Relaxed))
}

fn virtual_terminal() -> VirtualTerminal {
    VirtualTerminal::new(label(), Login::new("operator", "Abc12345"), stopped(noon()))
        .users([
            User::new("1042", "Aziza K."),
            User::new("007", "José").user_type("administrators"),
        ])
        .keeps_alive()
}

/// `count` punches by face, a minute apart.
fn punches(count: usize) -> Vec<Event> {
    (0..count)
        .map(|minute| Event::face("1042", minute_of_march(minute)))
        .collect()
}

fn minute_of_march(minute: usize) -> DateTime {
    let minutes = i64::try_from(minute).expect("few");
    date(2026, 3, 1).at(6, 0, 0, 0) + jiff::Span::new().minutes(minutes)
}

async fn start(terminal: VirtualTerminal) -> RunningTerminal {
    terminal.start("127.0.0.1:0").await.expect("a free port")
}

fn target(terminal: &RunningTerminal) -> Target {
    target_over(terminal, Transport::Tcp)
}

fn target_over(terminal: &RunningTerminal, transport: Transport) -> Target {
    Target {
        transport,
        serial: Some(terminal.label_serial().to_owned()),
        ..target_at(terminal.addr())
    }
}

/// Whoever is there.
fn target_at(addr: SocketAddr) -> Target {
    Target {
        kind: DeviceKind::Hik,
        host: addr.ip().to_string(),
        port: addr.port(),
        transport: Transport::Tcp,
        credentials: Credentials {
            username: Some("operator".to_owned()),
            password: Some("Abc12345".to_owned()),
            ..Credentials::default()
        },
        certificate: CertificateTrust::default(),
        serial: None,
    }
}

/// For terminals that stall: short enough to wait for in a test.
const IMPATIENT: HikLimits = HikLimits {
    connect: Duration::from_secs(5),
    answer: Duration::from_secs(1),
    body: 1 << 20,
    silence_least: Duration::from_secs(1),
    silence_most: Duration::from_secs(2),
};

fn instant() -> Timestamp {
    noon().timestamp()
}

async fn read(target: &Target, position: &ReadPosition) -> Result<Reading, TerminalError> {
    read_with(target, position, HikLimits::default()).await
}

async fn read_with(
    target: &Target,
    position: &ReadPosition,
    limits: HikLimits,
) -> Result<Reading, TerminalError> {
    let mut terminal = HikTerminal::connect_with(target, Deadline::none(), limits).await?;
    let reading = terminal.read(position, &instant).await;
    terminal.close().await;
    reading
}

async fn read_impatiently(terminal: &RunningTerminal) -> Result<Reading, TerminalError> {
    read_with(&target(terminal), &ReadPosition::default(), IMPATIENT).await
}

async fn read_all(terminal: &RunningTerminal) -> Result<Reading, TerminalError> {
    read(&target(terminal), &ReadPosition::default()).await
}

async fn read_on(terminal: &RunningTerminal, reading: &Reading) -> Reading {
    read(&target(terminal), &reading.position)
        .await
        .expect("a good read")
}

fn records(reading: &Reading) -> Vec<u64> {
    reading.punches.iter().map(|punch| punch.record).collect()
}

fn clocks(reading: &Reading) -> Vec<DateTime> {
    reading.punches.iter().map(|punch| punch.clock).collect()
}

fn minutes(range: std::ops::Range<usize>) -> Vec<DateTime> {
    range.map(minute_of_march).collect()
}

#[tokio::test]
async fn a_first_read_brings_everything() {
    let terminal = start(virtual_terminal().noise(3).events([
        Event::face("1042", date(2026, 3, 2).at(8, 58, 30, 0)).status("checkIn"),
        Event::fingerprint("007", date(2026, 3, 2).at(9, 1, 0, 0)),
        Event::new(5, 76, date(2026, 3, 2).at(9, 2, 0, 0)),
        Event::new(2, 38, date(2026, 3, 2).at(9, 3, 0, 0)).employee("1042"),
    ]))
    .await;
    let reading = read_all(&terminal).await.expect("a good read");
    assert_eq!(reading.identity.serial, terminal.serial_number());
    assert_eq!(reading.identity.model, "DS-K1T342MFX-E1");
    assert_eq!(reading.identity.users, Some(2));
    assert_eq!(reading.clock, date(2026, 3, 2).at(12, 0, 0, 0));
    assert_eq!(reading.seen_at, instant());
    assert_eq!(reading.parked, []);

    let users = reading.users.expect("the people list");
    let of = |id: &str| users.iter().find(|user| user.id.as_str() == id);
    assert!(of("007").is_some_and(|user| user.admin && user.name == "José"));
    assert!(of("1042").is_some_and(|user| !user.admin));

    let [face, finger] = reading.punches.as_slice() else {
        panic!("two punches: {:?}", reading.punches);
    };
    assert_eq!(face.user.as_str(), "1042");
    assert_eq!(face.clock, date(2026, 3, 2).at(8, 58, 30, 0));
    assert_eq!(face.offset.map(|offset| offset.seconds()), Some(3600));
    assert_eq!(
        (face.state, face.verify),
        (PunchState::In, VerifyMode::Face)
    );
    assert_eq!(
        (finger.user.as_str(), finger.state, finger.verify),
        ("007", PunchState::None, VerifyMode::Finger)
    );
}

/// Whatever would change a terminal is a PUT, a DELETE, or a POST to another place.
#[tokio::test]
async fn a_read_changes_nothing() {
    let terminal = start(virtual_terminal().events(punches(100))).await;
    read_all(&terminal).await.expect("a good read");
    let asked = terminal.asked();
    assert!(!asked.is_empty());
    for request in asked {
        let path = request.target.split('?').next().expect("a path");
        let searches = request.method == "POST" && [EVENTS, PEOPLE].contains(&path);
        assert!(request.method == "GET" || searches, "{request:?}");
    }
}

/// What is punched while the log is read may be missing from it, so no more is covered than was there at the beginning.
#[tokio::test]
async fn the_clock_is_looked_at_before_the_log() {
    let terminal = start(virtual_terminal().events(punches(100))).await;
    let mut ours = HikTerminal::connect_with(&target(&terminal), Deadline::none(), IMPATIENT)
        .await
        .expect("connected");
    terminal.reset_counts();
    let events_asked = || terminal.counts().by_path.get(EVENTS).copied();
    let now = || {
        assert_eq!(
            events_asked(),
            None,
            "the log was asked for before the clock"
        );
        instant()
    };
    let reading = ours.read(&ReadPosition::default(), &now).await;
    assert_eq!(reading.expect("a good read").punches.len(), 100);
    assert!(events_asked().is_some());
    ours.close().await;
}

#[tokio::test]
async fn an_unchanged_log_costs_four_small_requests() {
    let terminal = start(virtual_terminal().events(punches(100))).await;
    let first = read_all(&terminal).await.expect("a good read");
    assert_eq!(first.punches.len(), 100);
    terminal.reset_counts();
    let second = read_on(&terminal, &first).await;
    assert_eq!(second.punches, []);
    assert_eq!(second.users, None);
    assert_eq!(second.position, first.position);
    let counts = terminal.counts();
    assert_eq!((counts.signed, counts.unsigned), (4, 0));
    assert_eq!((counts.connections, counts.most_at_once), (1, 1));

    let serial = terminal.punch("1042", date(2026, 3, 2).at(11, 59, 0, 0));
    let third = read_on(&terminal, &second).await;
    assert_eq!(records(&third), [u64::from(serial)]);
}

#[tokio::test]
async fn people_are_read_again_when_their_number_changes() {
    let terminal = start(virtual_terminal()).await;
    let first = read_all(&terminal).await.expect("a good read");
    assert_eq!(read_on(&terminal, &first).await.users, None);
    terminal.add_user(User::new("2000", "New"));
    let users = read_on(&terminal, &first).await.users.expect("a new list");
    assert_eq!(users.len(), 3);
}

#[tokio::test]
async fn a_people_list_of_several_pages() {
    let many = (0..95).map(|n| User::new(format!("P{n:03}"), "Somebody"));
    let terminal = start(virtual_terminal().users(many)).await;
    let mut connected = HikTerminal::connect(&target(&terminal), Deadline::none())
        .await
        .expect("signed in");
    assert_eq!(connected.users().await.expect("a list").len(), 97);
}

#[tokio::test]
async fn punches_stream_for_the_command_line() {
    let terminal = start(virtual_terminal().noise(1).events(punches(70))).await;
    let mut connected = HikTerminal::connect(&target(&terminal), Deadline::none())
        .await
        .expect("signed in");
    let mut clocks = Vec::new();
    let read = connected
        .punches(|batch: &[Punch]| clocks.extend(batch.iter().map(|punch| punch.clock)))
        .await
        .expect("a whole log");
    assert_eq!(clocks, minutes(0..70));
    assert_eq!((read.records, read.rejected), (70, 0));
}

/// Whoever is missing from a list counts as deleted, so half a list is none; and punches do not need it.
#[tokio::test]
async fn a_people_list_that_is_not_whole_is_no_list() {
    let many: Vec<User> = (0..95)
        .map(|n| User::new(format!("P{n:03}"), "Somebody"))
        .collect();
    for fault in [Fault::EmptyPages, Fault::ErrorInOk, Fault::HighTotal] {
        let terminal = virtual_terminal().users(many.clone()).events(punches(3));
        let terminal = start(terminal).await;
        terminal.set_fault(fault.clone().on(PEOPLE));
        let reading = read_all(&terminal).await.expect("a good read");
        assert_eq!((reading.users, reading.punches.len()), (None, 3), "{fault}");
        // It is asked for again at the next poll.
        terminal.clear_faults();
        let next = read(&target(&terminal), &reading.position).await;
        let users = next.expect("a good read").users.expect("a list");
        assert_eq!(users.len(), 97, "{fault}");
    }
    for fault in [Fault::OkEarly, Fault::NoStatus, Fault::MoreForever] {
        let terminal = virtual_terminal().users(many[..40].to_vec());
        let terminal = start(terminal).await;
        terminal.set_fault(fault.clone().on(PEOPLE));
        let users = read_all(&terminal).await.expect("a good read").users;
        let whole = (fault != Fault::MoreForever).then_some(42);
        assert_eq!(users.map(|users| users.len()), whole, "{fault}");
    }
}

#[tokio::test]
async fn a_number_of_people_that_is_refused_costs_no_punch() {
    for fault in [Fault::ErrorInOk, Fault::GarbageBody] {
        let terminal = start(virtual_terminal().events(punches(3))).await;
        terminal.set_fault(fault.clone().on("/ISAPI/AccessControl/UserInfo/Count"));
        let reading = read_all(&terminal).await.expect("a good read");
        assert_eq!((reading.identity.users, reading.punches.len()), (None, 3));
        assert_eq!(reading.users.map(|users| users.len()), Some(2), "{fault}");
    }
}

// Signing in.

#[tokio::test]
async fn every_kind_of_challenge_and_nonce() {
    let nonces = [
        Nonces::Reusable,
        Nonces::SingleUse,
        Nonces::Expiring { uses: 2 },
        Nonces::BoundToUri,
    ];
    let forms = [
        ChallengeForm::Terminal,
        ChallengeForm::Quoted,
        ChallengeForm::Camera,
    ];
    // Until the end, so that none gets the port of one before: its first request would be signed for that one.
    let mut running = Vec::new();
    for offer in [Offer::Md5, Offer::Sha256, Offer::Both] {
        for form in forms {
            for nonces in nonces {
                let terminal = virtual_terminal()
                    .offer(offer)
                    .challenge_form(form)
                    .nonces(nonces)
                    .hides_staleness()
                    .events(punches(130));
                let terminal = start(terminal).await;
                let reading = read_all(&terminal).await;
                let context = format!("{offer:?} {form:?} {nonces:?}");
                assert_eq!(reading.expect(&context).punches.len(), 130, "{context}");
                assert_eq!(terminal.counts().refused_sign_ins, 0, "{context}");
                running.push(terminal);
            }
        }
    }
}

#[tokio::test]
async fn single_use_nonces_are_not_tried_for_ever() {
    let terminal = start(
        virtual_terminal()
            .nonces(Nonces::SingleUse)
            .events(punches(290)),
    )
    .await;
    read_all(&terminal).await.expect("a good read");
    assert_eq!(terminal.counts().stale, 2);
}

#[tokio::test]
async fn a_wrong_password_is_sent_once() {
    let offers = [Offer::Md5, Offer::Sha256, Offer::Both];
    for (version, offer) in (0..).zip(offers) {
        let terminal = start(virtual_terminal().offer(offer)).await;
        let mut target = target(&terminal);
        target.credentials.password = Some("wrong".to_owned());
        target.credentials.version = version;
        let error = read(&target, &ReadPosition::default())
            .await
            .expect_err("a wrong password");
        assert!(matches!(error, TerminalError::AuthRefused), "{error:?}");
        assert_eq!(error.retry(), Retry::AfterEdit);
        assert_eq!(error.step(), Step::SignIn);
        let counts = terminal.counts();
        assert_eq!((counts.refused_sign_ins, counts.requests), (1, 2));
    }
}

/// Poller, live, doctor and operations meet at the gate, whatever connections they have.
#[tokio::test]
async fn workers_share_one_refusal_and_one_line() {
    let terminal = start(virtual_terminal().events(punches(40))).await;
    let mut wrong = target(&terminal);
    wrong.credentials.password = Some("wrong".to_owned());
    let mut workers = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let wrong = wrong.clone();
        workers.spawn(async move { read(&wrong, &ReadPosition::default()).await });
    }
    for result in workers.join_all().await {
        let error = result.expect_err("a wrong password");
        assert_eq!(error.retry(), Retry::AfterEdit, "{error:?}");
    }
    let counts = terminal.counts();
    assert_eq!((counts.refused_sign_ins, counts.most_at_once), (1, 1));

    // The right password is not meant, and the wrong one again only if somebody asks.
    read_all(&terminal).await.expect("a good read");
    terminal.reset_counts();
    let error = read(&wrong, &ReadPosition::default()).await;
    assert!(matches!(error, Err(TerminalError::RefusedBefore)));
    assert_eq!(terminal.counts().requests, 0);
    wrong.credentials.version += 1;
    let error = read(&wrong, &ReadPosition::default()).await;
    assert!(matches!(error, Err(TerminalError::AuthRefused)));
    assert_eq!(terminal.counts().refused_sign_ins, 1);
}

/// The serial number stays refused where the address changes.
#[tokio::test]
async fn a_refused_password_does_not_follow_to_another_address() {
    let terminal = start(virtual_terminal()).await;
    let mut wrong = target(&terminal);
    wrong.credentials.password = Some("wrong".to_owned());
    let error = read(&wrong, &ReadPosition::default()).await;
    assert!(matches!(error, Err(TerminalError::AuthRefused)));
    let elsewhere = start(virtual_terminal()).await;
    wrong.port = elsewhere.addr().port();
    let error = read(&wrong, &ReadPosition::default()).await;
    assert!(matches!(error, Err(TerminalError::RefusedBefore)));
    assert_eq!(elsewhere.counts().requests, 0);
}

#[tokio::test]
async fn connections_take_turns() {
    let terminal = virtual_terminal().answers_after(Duration::from_millis(30));
    let terminal = start(terminal.events(punches(70))).await;
    let target = target(&terminal);
    let mut workers = tokio::task::JoinSet::new();
    for _ in 0..4 {
        let target = target.clone();
        workers.spawn(async move { read(&target, &ReadPosition::default()).await });
    }
    for reading in workers.join_all().await {
        assert_eq!(clocks(&reading.expect("a good read")), minutes(0..70));
    }
    let counts = terminal.counts();
    assert_eq!(counts.most_at_once, 1, "one request in flight");
    assert_eq!(counts.unsigned, 6, "one challenge for each path");
}

/// With two attempts left a password that never was accepted is kept back, until a person says otherwise.
#[tokio::test]
async fn the_last_attempts_are_left_to_people() {
    let terminal = start(virtual_terminal()).await;
    for version in 0..3 {
        let mut wrong = target(&terminal);
        wrong.credentials.password = Some("wrong".to_owned());
        wrong.credentials.version = version;
        let error = read(&wrong, &ReadPosition::default()).await;
        assert!(matches!(error, Err(TerminalError::AuthRefused)));
    }
    let error = read_all(&terminal).await.expect_err("two left");
    assert!(
        matches!(error, TerminalError::FewAttempts { left: 2 }),
        "{error:?}"
    );
    assert_eq!(terminal.counts().refused_sign_ins, 3);
    let mut insisting = target(&terminal);
    insisting.credentials.confirmed = true;
    read(&insisting, &ReadPosition::default())
        .await
        .expect("a good read");
    read_all(&terminal).await.expect("it is proven now");
}

#[tokio::test]
async fn a_lock_is_waited_out_by_everybody() {
    let terminal = start(virtual_terminal().fault(Fault::Locked)).await;
    for _ in 0..5 {
        let error = read_all(&terminal).await.expect_err("locked");
        assert!(
            matches!(error.retry(), Retry::After(wait) if wait > Duration::from_secs(1768)),
            "{error:?}"
        );
    }
    assert_eq!(terminal.counts().requests, 1);
    let error = read(&asked_again(&terminal), &ReadPosition::default()).await;
    assert!(matches!(error, Err(TerminalError::LockedOut { .. })));
    assert_eq!(terminal.counts().requests, 2, "one single attempt");
    terminal.clear_faults();
    let mut later = asked_again(&terminal);
    later.credentials.version += 1;
    read(&later, &ReadPosition::default())
        .await
        .expect("a good read");
    read_all(&terminal).await.expect("open for everybody");
}

/// A second try with MD5 would be a second failed login for a terminal whose password has really changed.
#[tokio::test]
async fn a_refused_sha_256_is_not_tried_again_with_md5() {
    let terminal = start(virtual_terminal().offer(Offer::BothButOnlyMd5Works)).await;
    let error = read_all(&terminal).await.expect_err("refused");
    assert!(matches!(error, TerminalError::AuthRefused), "{error:?}");
    assert_eq!(terminal.counts().refused_sign_ins, 1);
}

#[tokio::test]
async fn a_password_changed_during_a_read_is_signed_once_more() {
    let terminal = start(virtual_terminal().events(punches(10))).await;
    let mut connected = HikTerminal::connect(&target(&terminal), Deadline::none())
        .await
        .expect("signed in");
    terminal.set_password("Xyz98765");
    for n in 0..3 {
        let error = connected
            .read(&ReadPosition::default(), &instant)
            .await
            .expect_err("the old password");
        assert_eq!(matches!(error, TerminalError::AuthRefused), n == 0);
        assert_eq!(matches!(error, TerminalError::RefusedBefore), n != 0);
        assert_eq!(error.retry(), Retry::AfterEdit);
    }
    assert_eq!(terminal.counts().refused_sign_ins, 1);
}

#[tokio::test]
async fn basic_alone_is_refused_by_us() {
    let terminal = start(virtual_terminal().offer(Offer::Basic)).await;
    let error = read_all(&terminal).await.expect_err("no digest");
    assert!(matches!(
        error,
        TerminalError::Refused {
            step: Step::SignIn,
            ..
        }
    ));
    let counts = terminal.counts();
    assert_eq!((counts.requests, counts.unsigned), (1, 1));
}

#[tokio::test]
async fn a_lock_is_told_with_its_time_and_nothing_is_signed() {
    let terminal = start(virtual_terminal().fault(Fault::Locked)).await;
    let error = read_all(&terminal).await.expect_err("locked");
    assert!(
        matches!(
            error,
            TerminalError::LockedOut {
                for_secs: Some(1768)
            }
        ),
        "{error:?}"
    );
    assert_eq!(error.retry(), Retry::After(Duration::from_secs(1768 + 60)));
    assert_eq!(
        error.to_string(),
        "the terminal is locked after somebody's wrong passwords, for 30 min more"
    );
    assert_eq!(terminal.counts().requests, 1);
}

/// Somebody else's wrong passwords lock us out in the middle of a read: our password has been accepted, so it ends by itself.
#[tokio::test]
async fn a_lock_that_is_not_ours_passes() {
    for skip in [1, 2] {
        let terminal = start(virtual_terminal().events(punches(40))).await;
        terminal.set_fault(Fault::Locked.on(EVENTS).after(skip));
        let error = read_all(&terminal).await.expect_err("locked");
        assert!(
            matches!(error.retry(), Retry::After(wait) if wait > Duration::from_secs(1768)),
            "{error:?}"
        );
    }
}

#[tokio::test]
async fn the_attempt_that_locks_is_told_as_lock() {
    for answer in [LockedAnswer::UserCheck, LockedAnswer::Forbidden] {
        let lock_out = LockOut {
            attempts: 1,
            answer,
            ..LockOut::default()
        };
        let terminal = start(virtual_terminal().lock_out(lock_out)).await;
        let mut target = asked_again(&terminal);
        target.credentials.version = i64::from(answer == LockedAnswer::Forbidden);
        target.credentials.confirmed = true;
        target.credentials.password = Some("wrong".to_owned());
        let error = read(&target, &ReadPosition::default())
            .await
            .expect_err("locked");
        assert!(matches!(error, TerminalError::Locked { .. }), "{error:?}");
        assert_eq!(error.retry(), Retry::AfterEdit);
        assert_eq!(terminal.counts().refused_sign_ins, 1);
    }
}

#[tokio::test]
async fn a_sign_in_that_is_dropped_is_not_repeated_soon() {
    let lock_out = LockOut {
        attempts: 1,
        answer: LockedAnswer::Dropped,
        ..LockOut::default()
    };
    let terminal = start(virtual_terminal().lock_out(lock_out)).await;
    let mut target = target(&terminal);
    target.credentials.confirmed = true;
    target.credentials.password = Some("wrong".to_owned());
    let error = read(&target, &ReadPosition::default())
        .await
        .expect_err("dropped");
    assert!(
        matches!(error, TerminalError::SignInUnanswered { .. }),
        "{error:?}"
    );
    assert_eq!(
        (error.step(), error.retry()),
        (Step::SignIn, Retry::NextPoll)
    );
    assert_eq!(terminal.counts().refused_sign_ins, 1);
}

/// The same once somebody has asked for another try, or the wait is over.
fn asked_again(terminal: &RunningTerminal) -> Target {
    let mut target = target(terminal);
    target.credentials.version += 1;
    target
}

#[tokio::test]
async fn a_401_without_challenge_is_no_wrong_password() {
    let a_minute = Retry::After(Duration::from_secs(60));
    let terminal = start(virtual_terminal().fault(Fault::BareUnauthorized)).await;
    for _ in 0..3 {
        let error = read_all(&terminal).await.expect_err("busy");
        assert_eq!((error.step(), error.retry()), (Step::SignIn, a_minute));
        assert_eq!(error.reason(), "sign_in_refused");
    }
    assert_eq!(terminal.counts().requests, 1, "it is left alone");

    // In the middle of a read, when the password has been accepted.
    let terminal = start(virtual_terminal().events(punches(40))).await;
    terminal.set_fault(Fault::BareUnauthorized.on(EVENTS).after(1));
    let error = read_all(&terminal).await.expect_err("busy");
    assert_eq!((error.step(), error.retry()), (Step::SignIn, a_minute));
    terminal.clear_faults();
    let reading = read(&asked_again(&terminal), &ReadPosition::default()).await;
    assert_eq!(clocks(&reading.expect("a good read")), minutes(0..40));

    // To the first password it may be the answer to a wrong one.
    let terminal = start(virtual_terminal()).await;
    terminal.set_fault(Fault::BareUnauthorized.after(1));
    let error = read_all(&terminal).await.expect_err("refused");
    assert!(matches!(error, TerminalError::AuthRefused), "{error:?}");
}

#[tokio::test]
async fn stale_for_ever_ends() {
    let terminal = start(virtual_terminal().fault(Fault::AlwaysStale)).await;
    let error = read_all(&terminal).await.expect_err("never accepted");
    assert_eq!(
        (error.step(), error.retry()),
        (Step::SignIn, Retry::AfterEdit),
        "the password has been sent twice"
    );
    assert_eq!(terminal.counts().requests, 3);

    let terminal = start(virtual_terminal()).await;
    terminal.set_fault(Fault::AlwaysStale.on(EVENTS));
    let error = read(&asked_again(&terminal), &ReadPosition::default())
        .await
        .expect_err("never accepted");
    assert_eq!(
        (error.step(), error.retry()),
        (Step::SignIn, Retry::NextPoll),
        "elsewhere it was accepted"
    );
}

// Who answers.

#[tokio::test]
async fn the_serial_number_matches_in_full_or_as_on_the_label() {
    let terminal = start(virtual_terminal()).await;
    let full = terminal.serial_number().to_owned();
    let label = terminal.label_serial().to_lowercase();
    for serial in [Some(full.as_str()), Some(label.as_str()), None] {
        let mut target = target(&terminal);
        target.serial = serial.map(str::to_owned);
        let connected = HikTerminal::connect(&target, Deadline::none())
            .await
            .expect("the right one");
        assert_eq!(connected.identity().serial, full);
    }
}

#[tokio::test]
async fn another_terminal_gives_no_punches() {
    let terminal = start(
        virtual_terminal()
            .events(punches(5))
            .fault(Fault::WrongSerial),
    )
    .await;
    let error = read_all(&terminal).await.expect_err("another terminal");
    let TerminalError::WrongSerial {
        expected, found, ..
    } = &error
    else {
        panic!("{error:?}");
    };
    assert_eq!(expected, terminal.label_serial());
    assert_ne!(found, terminal.serial_number());
    assert!(!terminal.counts().by_path.contains_key(EVENTS));
}

// The network.

#[tokio::test]
async fn nobody_listens() {
    let terminal = start(virtual_terminal()).await;
    terminal.go_offline();
    let error = read_all(&terminal).await.expect_err("nobody there");
    assert!(
        matches!(&error, TerminalError::Unreachable { source, .. }
            if source.kind() == std::io::ErrorKind::ConnectionRefused),
        "{error:?}"
    );
    assert_eq!(error.step(), Step::Connect);
}

#[tokio::test]
async fn a_name_that_does_not_resolve() {
    let terminal = start(virtual_terminal()).await;
    let mut target = target(&terminal);
    target.host = "no-such-terminal.invalid".to_owned();
    let error = read(&target, &ReadPosition::default())
        .await
        .expect_err("no such name");
    assert_eq!(error.step(), Step::Resolve);
}

#[tokio::test]
async fn tls_where_there_is_none() {
    let terminal = start(virtual_terminal()).await;
    let mut target = target(&terminal);
    target.transport = Transport::Tls;
    // A server that expects HTTP waits for the rest of the line.
    let limits = HikLimits {
        connect: Duration::from_millis(200),
        ..IMPATIENT
    };
    let error = HikTerminal::connect_with(&target, Deadline::none(), limits)
        .await
        .expect_err("no TLS");
    assert_eq!(error.step(), Step::Connect, "{error:?}");
    assert_eq!(terminal.counts().requests, 0);
}

#[tokio::test]
async fn every_step_can_be_cut_or_stall_and_is_named() {
    let steps = [
        ("/ISAPI/System/deviceInfo", Step::Identify),
        ("/ISAPI/System/time", Step::Clock),
        ("/ISAPI/AccessControl/UserInfo/Count", Step::Counters),
        (PEOPLE, Step::Users),
        (EVENTS, Step::Punches),
        // Its second page.
        (EVENTS, Step::Punches),
    ];
    let mut tries = tokio::task::JoinSet::new();
    for (n, (path, step)) in steps.into_iter().enumerate() {
        let skip = u32::from(n == 5);
        tries.spawn(async move {
            let terminal = start(virtual_terminal().events(punches(40))).await;
            terminal.set_fault(Fault::CutMidBody.on(path).after(skip));
            let error = read_all(&terminal).await.expect_err("cut");
            assert!(
                matches!(&error, TerminalError::Cut { step: at, .. } if *at == step),
                "{path}: {error:?}"
            );
            assert_eq!(error.retry(), Retry::Soon);

            for fault in [Fault::StallMidBody, Fault::Silent] {
                terminal.clear_faults();
                terminal.set_fault(fault.on(path).after(skip));
                let error = read_impatiently(&terminal).await.expect_err("stalled");
                assert!(
                    matches!(&error, TerminalError::Timeout { step: at, .. } if *at == step),
                    "{path}: {error:?}"
                );
            }
            terminal.clear_faults();
            let reading = read_all(&terminal).await.expect("a good read");
            assert_eq!(clocks(&reading), minutes(0..40));
        });
    }
    tries.join_all().await;
}

#[tokio::test]
async fn a_trickle_does_not_outlast_the_limit_of_an_answer() {
    let terminal = start(virtual_terminal()).await;
    terminal.set_fault(Fault::Dribble(Duration::from_millis(50)).on("/ISAPI/System/time"));
    let began = Instant::now();
    let error = read_impatiently(&terminal).await.expect_err("too slow");
    assert!(matches!(error, TerminalError::Timeout { .. }), "{error:?}");
    assert!(began.elapsed() < Duration::from_secs(4));
}

#[tokio::test]
async fn the_deadline_of_a_read_covers_all_its_requests() {
    // Each answer is well within its own limit, the whole is not.
    let terminal = virtual_terminal().answers_after(Duration::from_millis(150));
    let terminal = start(terminal.events(punches(100))).await;
    let deadline = Duration::from_millis(1000);
    let began = Instant::now();
    let position = ReadPosition::default();
    let error = terminals::read(&target(&terminal), &position, deadline, &instant)
        .await
        .expect_err("too slow");
    assert!(
        matches!(&error, TerminalError::Timeout { step, after }
            if *after == deadline && *step != Step::Identify),
        "{error:?}"
    );
    assert!(began.elapsed() < Duration::from_secs(4));
}

#[tokio::test]
async fn what_is_no_http_and_no_body_is_malformed() {
    for fault in [Fault::Garbage, Fault::GarbageBody] {
        let terminal = start(virtual_terminal()).await;
        terminal.set_fault(fault.on("/ISAPI/System/time"));
        let error = read_all(&terminal).await.expect_err("garbage");
        assert!(
            matches!(
                error,
                TerminalError::Malformed {
                    step: Step::Clock,
                    ..
                }
            ),
            "{error:?}"
        );
    }
}

#[tokio::test]
async fn a_huge_body_is_not_held() {
    for fault in [Fault::HugeBody, Fault::EndlessBody] {
        for skip in [0, 1] {
            let terminal = start(virtual_terminal().events(punches(40))).await;
            terminal.set_fault(fault.clone().on(EVENTS).after(skip));
            let error = read_all(&terminal).await.expect_err("too large");
            assert!(
                matches!(
                    error,
                    TerminalError::TooLarge {
                        step: Step::Punches,
                        limit: 1_048_576,
                        ..
                    }
                ),
                "{fault}: {error:?}"
            );
        }
    }
}

#[tokio::test]
async fn a_wrong_length_is_an_error_or_harmless_but_never_half_a_log() {
    for by in [-5, 5] {
        for skip in [0, 1] {
            let terminal = start(virtual_terminal().events(punches(40))).await;
            terminal.set_fault(Fault::WrongContentLength(by).on(EVENTS).after(skip));
            let error = read_all(&terminal).await.expect_err("a wrong length");
            assert_eq!(error.step(), Step::Punches, "{error:?}");
        }
    }
}

#[tokio::test]
async fn connections_closed_after_each_answer() {
    let terminal =
        VirtualTerminal::new(label(), Login::new("operator", "Abc12345"), stopped(noon()))
            .events(punches(70));
    let terminal = start(terminal).await;
    let reading = read_all(&terminal).await.expect("a good read");
    assert_eq!(clocks(&reading), minutes(0..70));
}

#[tokio::test]
async fn a_busy_terminal_is_asked_again_a_little_later() {
    let terminal = start(virtual_terminal().events(punches(40))).await;
    terminal.set_fault(Fault::Busy.on(EVENTS).after(2).times(1));
    terminal.set_fault(Fault::ErrorInOk.on(EVENTS).after(1).times(1));
    terminal.set_fault(Fault::ErrorInOk.on("/ISAPI/System/time").times(1));
    let reading = read_all(&terminal).await.expect("a good read");
    assert_eq!(clocks(&reading), minutes(0..40));

    terminal.set_fault(Fault::ErrorInOk.on("/ISAPI/System/time"));
    let error = read_all(&terminal).await.expect_err("for ever");
    assert!(
        matches!(&error, TerminalError::Condition { step: Step::Clock, condition: Condition::Fault, detail }
            if detail.contains("deviceError")),
        "{error:?}"
    );
}

// The event log.

#[tokio::test]
async fn rows_that_arrive_or_go_while_paging() {
    for fault in [Fault::RowArrives, Fault::RowLost] {
        let terminal = start(virtual_terminal().events(punches(100))).await;
        terminal.set_fault(fault.clone());
        let reading = read_all(&terminal).await.expect("a good read");
        let mut clocks = clocks(&reading);
        clocks.truncate(100);
        assert_eq!(clocks, minutes(0..100), "{fault}");
        terminal.clear_faults();
        let next = read_on(&terminal, &reading).await;
        let mut serials = records(&reading);
        serials.extend(records(&next));
        let before = serials.len();
        serials.sort_unstable();
        serials.dedup();
        assert_eq!(serials.len(), before, "{fault}: nothing comes twice");
    }
}

#[tokio::test]
async fn pages_that_repeat_and_pages_without_rows_end() {
    let terminal = start(virtual_terminal().events(punches(100))).await;
    terminal.set_fault(Fault::MoreForever);
    let reading = read_all(&terminal).await.expect("a good read");
    assert_eq!(clocks(&reading), minutes(0..100));

    terminal.clear_faults();
    terminal.set_fault(Fault::EmptyPages.on(EVENTS));
    for position in [ReadPosition::default(), reading.position] {
        let error = read(&target(&terminal), &position)
            .await
            .expect_err("announced and never sent");
        assert!(
            matches!(
                error,
                TerminalError::Malformed {
                    step: Step::Punches,
                    ..
                }
            ),
            "{error:?}"
        );
    }
}

/// Taken for the last page, the rows behind it would count as read.
#[tokio::test]
async fn a_page_is_not_the_last_one_because_it_says_so() {
    for fault in [Fault::OkEarly, Fault::NoStatus, Fault::HighTotal] {
        let terminal = start(virtual_terminal().events(punches(100))).await;
        terminal.set_fault(fault.clone());
        let reading = read_all(&terminal).await.expect("a good read");
        assert_eq!(clocks(&reading), minutes(0..100), "{fault}");
        assert_eq!(read_on(&terminal, &reading).await.punches, [], "{fault}");
    }
    // Rows are missing, and the terminal does not say that there are none.
    let terminal = start(virtual_terminal().events(punches(100))).await;
    terminal.set_fault(Fault::HighTotal);
    terminal.set_fault(Fault::NoStatus);
    let error = read_all(&terminal).await.expect_err("an unsure end");
    assert!(
        matches!(&error, TerminalError::Malformed { step: Step::Punches, detail }
            if detail.contains("announced")),
        "{error:?}"
    );
}

#[tokio::test]
async fn caps_are_discovered_once_and_survived_when_wrong() {
    let terminal = start(virtual_terminal().page_cap(7).events(punches(40))).await;
    let first = read_all(&terminal).await.expect("a good read");
    assert_eq!(clocks(&first), minutes(0..40));
    terminal.reset_counts();
    read_on(&terminal, &first).await;
    let asked = terminal.counts().by_path;
    assert!(!asked.contains_key("/ISAPI/AccessControl/AcsEvent/capabilities"));

    for over_cap in [OverCap::Clamp, OverCap::Empty] {
        // A smaller page under the same name would bring the cached empty one.
        let terminal = virtual_terminal()
            .keeps_searches()
            .page_cap(10)
            .announced_page_cap(50)
            .over_cap(over_cap)
            .events(punches(40));
        let terminal = start(terminal).await;
        let reading = read_all(&terminal).await.expect("a good read");
        assert_eq!(clocks(&reading), minutes(0..40), "{over_cap:?}");
    }
}

#[tokio::test]
async fn cached_searches_do_not_hide_new_rows() {
    let terminal = start(virtual_terminal().keeps_searches().events(punches(40))).await;
    let first = read_all(&terminal).await.expect("a good read");
    let serial = terminal.punch("007", date(2026, 3, 2).at(11, 0, 0, 0));
    let second = read_on(&terminal, &first).await;
    assert_eq!(records(&second), [u64::from(serial)]);
}

#[tokio::test]
async fn firmware_that_ignores_serial_numbers_is_read_by_time() {
    let terminal = virtual_terminal().ignores_serials().noise(1);
    let terminal = start(terminal.events(punches(200))).await;
    let first = read_all(&terminal).await.expect("a good read");
    assert_eq!(first.punches.len(), 200);
    let serial = terminal.punch("007", date(2026, 3, 2).at(11, 59, 0, 0));
    let second = read_on(&terminal, &first).await;
    assert_eq!(records(&second).last(), Some(&u64::from(serial)));
    terminal.reset_counts();
    let third = read_on(&terminal, &second).await;
    assert!(third.punches.len() < 10, "only the last hour again");
    assert_eq!(
        terminal.counts().by_path[EVENTS],
        1,
        "a page, with the challenge of the read before"
    );
}

#[tokio::test]
async fn serial_numbers_beyond_31_bits() {
    let terminal = virtual_terminal().first_serial(2_999_999_950);
    let terminal = start(terminal.events(punches(40))).await;
    let first = read_all(&terminal).await.expect("a good read");
    assert_eq!(first.punches[0].record, 2_999_999_950);
    let serial = terminal.punch("1042", date(2026, 3, 2).at(11, 0, 0, 0));
    assert_eq!(
        records(&read_on(&terminal, &first).await),
        [u64::from(serial)]
    );
}

#[tokio::test]
async fn a_log_that_begins_again_is_read_again() {
    // Fewer rows than before, more rows than before, and none at first.
    for after in [3, 90] {
        let terminal = start(virtual_terminal().events(punches(60))).await;
        let first = read_all(&terminal).await.expect("a good read");
        terminal.reset_serials();
        let empty = read_on(&terminal, &first).await;
        assert_eq!(empty.punches, []);
        let new: Vec<DateTime> = (0..after).map(|n| minute_of_march(500 + n)).collect();
        for clock in &new {
            terminal.punch("007", *clock);
        }
        assert_eq!(clocks(&read_on(&terminal, &empty).await), new);
        assert_eq!(clocks(&read_on(&terminal, &first).await), new);
    }
}

#[tokio::test]
async fn a_log_that_was_lost_is_told() {
    let terminal = start(virtual_terminal().capacity(100).events(punches(60))).await;
    let first = read_all(&terminal).await.expect("a good read");
    assert!(!first.log_lost && !read_on(&terminal, &first).await.log_lost);
    // Overwritten past the last row read.
    for minute in 60..300 {
        terminal.punch("1042", minute_of_march(minute));
    }
    let second = read_on(&terminal, &first).await;
    assert!(second.log_lost && second.complete);
    assert_eq!(clocks(&second), minutes(200..300));
    assert!(!read_on(&terminal, &second).await.log_lost);
    // Restored, and empty at first.
    terminal.reset_serials();
    let third = read_on(&terminal, &second).await;
    assert!(third.log_lost);
    assert!(!read_on(&terminal, &third).await.log_lost, "told once");
}

#[tokio::test]
async fn a_log_too_long_for_one_deadline_is_read_in_parts() {
    for overwritten in [false, true] {
        let terminal = virtual_terminal().answers_after(Duration::from_millis(50));
        let terminal = start(terminal.capacity(1200).events(punches(1000))).await;
        let target = target(&terminal);
        let deadline = Duration::from_secs(3);
        let mut position = ReadPosition::default();
        if overwritten {
            let mut ours = HikTerminal::connect(&target, Deadline::none())
                .await
                .expect("signed in");
            let read = ours.read(&position, &instant).await.expect("a good read");
            position = read.position;
            for minute in 1000..2500 {
                terminal.punch("1042", minute_of_march(minute));
            }
        }
        let mut read = Vec::new();
        let mut parts = Vec::new();
        loop {
            let reading = terminals::read(&target, &position, deadline, &instant)
                .await
                .expect("a good part");
            read.extend(clocks(&reading));
            parts.push((reading.log_lost, reading.users.is_some()));
            position = reading.position;
            if reading.complete {
                break;
            }
            assert_eq!(reading.users, None, "punches come first");
            // What is punched meanwhile comes last.
            if parts.len() == 1 {
                terminal.punch("1042", minute_of_march(2600));
            }
            assert!(parts.len() < 20, "it ends");
        }
        let all = if overwritten { 1301..2500 } else { 0..1000 };
        let mut expected = minutes(all);
        expected.push(minute_of_march(2600));
        assert!(parts.len() > 1, "{parts:?}");
        assert_eq!(parts[0].0, overwritten);
        assert!(parts[1..].iter().all(|(lost, _)| !lost), "{parts:?}");
        let missing = usize::from(overwritten);
        assert_eq!(read[missing..], expected, "nothing lost, nothing twice");
    }
}

#[tokio::test]
async fn a_clock_that_jumps_back_hides_nothing() {
    let terminal = start(virtual_terminal().events(punches(60))).await;
    let first = read_all(&terminal).await.expect("a good read");
    let early = date(1970, 1, 1).at(8, 0, 0, 0);
    terminal.punch("1042", early);
    let second = read_on(&terminal, &first).await;
    assert_eq!(clocks(&second), [early]);
    assert_eq!(read_on(&terminal, &second).await.punches, []);
}

#[tokio::test]
async fn an_impossible_time_is_parked_once_and_costs_only_its_row() {
    let terminal = start(virtual_terminal().events(punches(3))).await;
    let serial = terminal.punch("1042", date(2026, 3, 2).at(11, 0, 0, 0));
    terminal.set_fault(Fault::ImpossibleTime(Some(serial)));
    let first = read_all(&terminal).await.expect("a good read");
    assert_eq!(first.punches.len(), 3);
    let [parked] = first.parked.as_slice() else {
        panic!("one parked row: {:?}", first.parked);
    };
    assert!(
        parked.reason.starts_with("impossible time"),
        "{}",
        parked.reason
    );
    assert!(String::from_utf8_lossy(&parked.bytes).contains(&serial.to_string()));
    let second = read_on(&terminal, &first).await;
    assert_eq!((second.parked.len(), second.punches.len()), (0, 0));
}

#[tokio::test]
async fn rows_of_nobody_are_counted_and_unclear_ones_parked() {
    let at = date(2026, 3, 2).at(11, 0, 0, 0);
    let terminal = start(virtual_terminal().events([
        Event::new(5, 75, at).employee(""),
        Event::new(5, 75, at).employee("0"),
        Event::new(5, 21, at),
        Event::new(5, 1, at).card_no("0012345678"),
        Event::new(5, 4000, at).employee("1042"),
    ]))
    .await;
    let reading = read_all(&terminal).await.expect("a good read");
    assert_eq!(reading.punches, []);
    let reasons: Vec<&str> = reading
        .parked
        .iter()
        .map(|row| row.reason.as_str())
        .collect();
    assert_eq!(
        reasons,
        [
            "unknown access event 5/4000 of a person",
            "card 0012345678 without an employee number"
        ]
    );
}

/// A row that names only a card is a punch of whoever has the card.
#[tokio::test]
async fn a_card_alone_tells_who_it_was() {
    let card_only = |card: &str, minute| Event::new(5, 1, minute_of_march(minute)).card_no(card);
    let terminal = virtual_terminal().users([User::new("3003", "Carla").card("0012345678")]);
    let terminal = start(terminal.events([
        card_only("0012345678", 0),
        card_only("0012345678", 5),
        card_only("9999999999", 6),
    ]))
    .await;
    let reading = read_all(&terminal).await.expect("a good read");
    let users: Vec<_> = reading
        .punches
        .iter()
        .map(|one| one.user.as_str())
        .collect();
    assert_eq!(users, ["3003", "3003"]);
    assert_eq!(clocks(&reading), [minute_of_march(0), minute_of_march(5)]);
    let [parked] = reading.parked.as_slice() else {
        panic!("one row: {:?}", reading.parked);
    };
    assert_eq!(parked.reason, "card 9999999999 without an employee number");
    let cards = "/ISAPI/AccessControl/CardInfo/Search";
    assert_eq!(
        terminal.counts().by_path[cards],
        4,
        "a challenge, each card once, and all of them with the people"
    );

    // Where cards are not told the rows wait, and the read goes on.
    terminal.set_fault(Fault::ErrorInOk.on(cards));
    let mut other = asked_again(&terminal);
    other.serial = None;
    let reading = read(&other, &ReadPosition::default()).await;
    let reading = reading.expect("a good read");
    assert_eq!((reading.punches.len(), reading.parked.len()), (0, 3));
}

#[tokio::test]
async fn dialects_of_json() {
    for fault in [
        Fault::StringNumbers,
        Fault::BareObject,
        Fault::InvalidUtf8Name(None),
    ] {
        for count in [1, 31] {
            let terminal = start(virtual_terminal().events(punches(count))).await;
            terminal.set_fault(fault.clone());
            let reading = read_all(&terminal).await.expect("a good read");
            assert_eq!(clocks(&reading), minutes(0..count), "{fault}");
            assert_eq!(reading.users.map(|users| users.len()), Some(2), "{fault}");
        }
    }
    let terminal = start(virtual_terminal().events(punches(2))).await;
    terminal.set_fault(Fault::MissingEmployeeNo(None));
    let reading = read_all(&terminal).await.expect("a good read");
    assert_eq!(reading.punches, []);
}

#[tokio::test]
async fn dialects_of_time_keep_the_wall_clock() {
    for notation in [
        TimeNotation::Offset,
        TimeNotation::Bare,
        TimeNotation::WallMarkedUtc,
    ] {
        let terminal = virtual_terminal().time_notation(notation);
        let terminal = start(terminal.events(punches(40))).await;
        let first = read_all(&terminal).await.expect("a good read");
        assert_eq!(
            first.clock,
            date(2026, 3, 2).at(12, 0, 0, 0),
            "{notation:?}"
        );
        assert_eq!(clocks(&first), minutes(0..40), "{notation:?}");
        assert_eq!(read_on(&terminal, &first).await.punches, [], "{notation:?}");
    }
}

//! By which transport a terminal is reached, and what the doctor says of one.

use std::net::SocketAddr;

use simulators::zk::Transports;
use terminals::doctor::{Check, Examined, Finding, Seen, examine};
use terminals::{Deadline, Lacking};

use super::*;

/// A terminal that answers at one address by these transports.
async fn at_one_port(transports: Transports) -> (RunningTerminal, SocketAddr) {
    let terminal = start(builder(LogLayout::Forty, 3).transports(transports)).await;
    let addr = match transports {
        Transports::Udp => terminal.udp_addr().expect("it listens on UDP"),
        _ => terminal.addr(),
    };
    (terminal, addr)
}

fn unknown(addr: SocketAddr) -> Target {
    Target {
        transport: Transport::Unknown,
        ..target_at(addr)
    }
}

#[tokio::test]
async fn the_transport_is_found_out_with_tcp_first() {
    for (transports, expected) in [
        (Transports::Tcp, Transport::Tcp),
        (Transports::Udp, Transport::Udp),
    ] {
        let (terminal, addr) = at_one_port(transports).await;
        let reading = read_within(&unknown(addr), &ReadPosition::default(), LONG)
            .await
            .expect("a read");
        assert_eq!(reading.transport, Some(expected));
        assert_eq!(plain(&reading.punches), punches(3));
        assert_eq!(terminal.counts().of(1000), 1, "one session");
    }
}

#[tokio::test]
async fn what_tcp_answers_is_believed_and_not_asked_again_over_udp() {
    let terminal = start(builder(LogLayout::Forty, 3).transports(Transports::Both)).await;
    terminal.set_fault("refuse-key".parse().expect("a notation"));
    let error = read_within(&unknown(terminal.addr()), &ReadPosition::default(), LONG)
        .await
        .expect_err("the key is refused");
    assert!(matches!(error, TerminalError::KeyRequired), "{error:?}");
    assert_eq!(terminal.counts().of(1102), 1, "the key is sent once");
}

#[tokio::test]
async fn firmware_that_has_to_push_is_named() {
    for (notation, lacking, step) in [
        ("connect-code=6001", Lacking::Protocol, Step::Connect),
        ("log-code=4989", Lacking::Log, Step::Punches),
        (
            "command-code=1503:65535",
            Lacking::LargeAnswers,
            Step::Users,
        ),
    ] {
        let terminal = start(builder(LogLayout::Forty, 300)).await;
        terminal.set_fault(notation.parse().expect("a notation"));
        let error = read(&terminal).await.expect_err("it cannot be read");
        let TerminalError::NotOffered {
            step: at,
            lacking: what,
            ..
        } = error
        else {
            panic!("{notation}: {error:?}");
        };
        assert_eq!((what, at), (lacking, step), "{notation}");
    }
    let terminal = start(builder(LogLayout::Forty, 3)).await;
    terminal.set_fault("access-panel".parse().expect("a notation"));
    let error = read(&terminal).await.expect_err("a panel");
    assert_eq!(error.reason(), "access_panel", "{error:?}");
}

/// Over UDP nothing would tell that a part of a large answer is missing.
#[tokio::test]
async fn firmware_that_prepares_nothing_is_not_asked_directly_over_udp() {
    let old = builder(LogLayout::Forty, 30).reads(Reads::Direct);
    let terminal = start(old.transports(Transports::Udp)).await;
    let addr = terminal.udp_addr().expect("it listens on UDP");
    let read = read_within(&unknown(addr), &ReadPosition::default(), LONG).await;
    let error = read.expect_err("its users cannot be read");
    assert!(
        matches!(
            error,
            TerminalError::NotOffered {
                step: Step::Users,
                lacking: Lacking::LargeAnswers,
                ..
            }
        ),
        "{error:?}"
    );
    let directly = [USERS_DIRECT, ATTLOG_DIRECT];
    assert_eq!(
        directly.map(|command| terminal.counts().of(command)),
        [0; 2]
    );
}

async fn examined(target: &Target) -> Vec<Examined> {
    let mut told = Vec::new();
    let mut on_check = |examined: &Examined| told.push(examined.check);
    let found = examine(target, Deadline::after(LONG), &seen_at, &mut on_check).await;
    assert!(
        found
            .iter()
            .map(|one| one.check)
            .eq(Check::of(DeviceKind::Zk).iter().copied()),
        "each in its place"
    );
    told.sort();
    assert_eq!(told, Check::of(DeviceKind::Zk), "each is told once");
    found
}

/// `ok`, `no` (failed), `--` (not offered) or `  ` (not tried) for each check, in their order.
fn marks(found: &[Examined]) -> String {
    let marks = found.iter().map(|one| match one.finding {
        Finding::Good(_) => "ok",
        Finding::Failed(_) => "no",
        Finding::NotOffered => "--",
        Finding::NotTried => "..",
    });
    marks.collect::<Vec<_>>().join(" ")
}

async fn check(builder: VirtualTerminal, notations: &[&str], expected: &str) {
    let terminal = start(builder).await;
    for notation in notations {
        terminal.set_fault(notation.parse().expect("a notation"));
    }
    let found = examined(&unknown(terminal.addr())).await;
    assert_eq!(marks(&found), expected, "{notations:?}: {found:?}");
    let cut = notations.iter().any(|notation| notation.starts_with("cut"));
    let goodbyes = terminal.counts().of(EXIT);
    assert_eq!(goodbyes, u64::from(!cut), "{notations:?}");
}

#[tokio::test]
async fn the_doctor_looks_at_everything_and_goes_on_where_that_is_possible() {
    let healthy = || builder(LogLayout::Forty, 3000);
    //                resolve tcp udp hands key serial clock count users live log
    check(healthy(), &[], "ok ok -- ok ok ok ok ok ok ok ok").await;
    let one = Fault::OneConnection(Duration::from_secs(60)).to_string();
    check(healthy(), &[&one], "ok ok -- ok ok ok ok ok ok ok ok").await;
    check(
        healthy(),
        &["refuse-key"],
        "ok ok -- ok no .. .. .. .. .. ..",
    )
    .await;
    check(
        healthy(),
        &["wrong-serial=OTHER1"],
        "ok ok -- ok ok no .. .. .. .. ..",
    )
    .await;
    check(
        healthy(),
        &["connect-code=6001"],
        "ok ok -- no .. .. .. .. .. .. ..",
    )
    .await;
    check(
        healthy(),
        &["command-code=201:2001"],
        "ok ok -- ok ok ok no ok ok ok no",
    )
    .await;
    check(
        healthy(),
        &["command-code=500:2001"],
        "ok ok -- ok ok ok ok ok ok -- ok",
    )
    .await;
    check(
        healthy(),
        &["log-code=4989"],
        "ok ok -- ok ok ok ok ok ok ok no",
    )
    .await;
    check(
        healthy(),
        &["access-panel"],
        "ok ok -- no .. .. .. .. .. .. ..",
    )
    .await;
    check(healthy(), &["cut=1000"], "ok ok -- ok ok ok ok ok ok ok no").await;
}

#[tokio::test]
async fn the_doctor_finds_a_terminal_that_answers_over_udp_alone() {
    let (_terminal, addr) = at_one_port(Transports::Udp).await;
    let found = examined(&unknown(addr)).await;
    assert_eq!(
        marks(&found),
        "ok -- ok ok ok ok ok ok ok ok ok",
        "{found:?}"
    );
    let (_terminal, addr) = at_one_port(Transports::Both).await;
    let found = examined(&unknown(addr)).await;
    let good = |check| {
        found
            .iter()
            .any(|one| one.check == check && matches!(one.finding, Finding::Good(_)))
    };
    assert!(good(Check::Tcp));
    let nowhere = Target {
        host: "127.0.0.1".to_owned(),
        port: 9,
        ..unknown(addr)
    };
    let found = examined(&nowhere).await;
    assert_eq!(
        marks(&found),
        "ok no no .. .. .. .. .. .. .. ..",
        "{found:?}"
    );
    let nameless = Target {
        host: "no-such-host.invalid".to_owned(),
        ..nowhere
    };
    assert_eq!(
        marks(&examined(&nameless).await),
        "no .. .. .. .. .. .. .. .. .. .."
    );
}

#[tokio::test]
async fn the_doctor_tells_what_it_saw() {
    let terminal = start(builder(LogLayout::Forty, 3000).comm_key(1234)).await;
    let mut target = unknown(terminal.addr());
    target.credentials.comm_key = Some(1234);
    let found = examined(&target).await;
    let seen = |check| {
        let one = found.iter().find(|one| one.check == check);
        match &one.expect("all checks").finding {
            Finding::Good(seen) => seen.clone(),
            other => panic!("{check:?}: {other:?}"),
        }
    };
    assert_eq!(seen(Check::Key), Seen::Key { wanted: true });
    let clock = Seen::Clock {
        shows: MORNING,
        at: seen_at(),
    };
    assert_eq!(seen(Check::Clock), clock);
    assert_eq!(seen(Check::Users), Seen::Users(3));
    let log = Seen::Log {
        punches: 3000,
        rejected: 0,
        whole: true,
    };
    assert_eq!(seen(Check::Log), log);
}

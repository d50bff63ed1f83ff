//! The doctor at a virtual Hikvision terminal: every check in its order, and what a terminal says no for by its name.

use jiff::civil::date;
use jiff::{Timestamp, Zoned};
use simulators::hik::{
    Event, Fault, FaultRule, Login, Right, RunningTerminal, User, VirtualTerminal, stopped,
};
use terminals::doctor::{Ability, Check, Examined, Finding, Seen, examine};
use terminals::{
    CertificateTrust, Credentials, Deadline, DeviceKind, Target, TerminalError, Transport,
};

fn noon() -> Zoned {
    "2026-03-02T12:00:00+01:00[Europe/Berlin]"
        .parse()
        .expect("a time")
}

fn builder(label: &str) -> VirtualTerminal {
    VirtualTerminal::new(label, Login::new("operator", "Abc12345"), stopped(noon()))
        .users([User::new("1042", "Aziza K.")])
        .events([Event::face("1042", date(2026, 3, 2).at(8, 58, 30, 0))])
        .keeps_alive()
}

fn target(terminal: &RunningTerminal, transport: Transport) -> Target {
    Target {
        kind: DeviceKind::Hik,
        host: terminal.addr().ip().to_string(),
        port: terminal.addr().port(),
        transport,
        credentials: Credentials {
            username: Some("operator".to_owned()),
            password: Some("Abc12345".to_owned()),
            ..Credentials::default()
        },
        certificate: CertificateTrust::default(),
        serial: Some(terminal.serial_number().to_owned()),
    }
}

async fn examined(target: &Target) -> Vec<Examined> {
    let now = || -> Timestamp { noon().timestamp() };
    let found = examine(target, Deadline::none(), &now, &mut |_| {}).await;
    let checks: Vec<Check> = found.iter().map(|one| one.check).collect();
    assert_eq!(checks, Check::of(DeviceKind::Hik), "all, in their order");
    found
}

fn finding(found: &[Examined], check: Check) -> &Finding {
    let one = found.iter().find(|one| one.check == check);
    &one.expect("it is among them").finding
}

#[track_caller]
fn failed(found: &[Examined], check: Check, reason: &str) {
    match finding(found, check) {
        Finding::Failed(error) => assert_eq!(error.reason(), reason, "{error:?}"),
        other => panic!("{check:?}: {other:?}"),
    }
}

#[tokio::test]
async fn a_terminal_that_is_well() {
    let terminal = builder("GB0000001").https();
    let terminal = terminal.start("127.0.0.1:0").await.expect("a free port");
    let found = examined(&target(&terminal, Transport::Tls)).await;
    for one in &found {
        assert!(matches!(one.finding, Finding::Good(_)), "{one:?}");
    }
    let shown = terminal.fingerprint().expect("a certificate");
    assert!(matches!(finding(&found, Check::Tls),
        Finding::Good(Seen::Certificate(pin)) if pin.to_string() == format!("sha256:{shown}")));
    assert!(matches!(finding(&found, Check::Permissions),
        Finding::Good(Seen::Abilities(can)) if can.contains(&Ability::Events)));
    assert!(matches!(
        finding(&found, Check::Counters),
        Finding::Good(Seen::Counters { users: Some(1), .. })
    ));
    assert!(matches!(
        finding(&found, Check::Log),
        Finding::Good(Seen::Log {
            punches: 1,
            rejected: 0,
            whole: true
        })
    ));
    let counts = terminal.counts();
    assert_eq!((counts.refused_sign_ins, counts.most_at_once), (0, 1));
    assert_eq!(counts.streams, 1, "it was opened");

    let plain = builder("GB0000002").start("127.0.0.1:0").await;
    let plain = plain.expect("a free port");
    let found = examined(&target(&plain, Transport::Tcp)).await;
    assert!(matches!(finding(&found, Check::Tls), Finding::NotOffered));
}

#[tokio::test]
async fn what_a_terminal_says_no_for_has_a_name() {
    let faults: [(FaultRule, Check, &str); 7] = [
        (Fault::StreamFull.into(), Check::Live, "stream_full"),
        (
            Fault::Lacks(Right::Stream).into(),
            Check::Live,
            "low_privilege",
        ),
        (Fault::Lacks(Right::Log).into(), Check::Log, "low_privilege"),
        (
            Fault::Lacks(Right::Push).into(),
            Check::Push,
            "low_privilege",
        ),
        (Fault::NotActivated.into(), Check::Serial, "not_activated"),
        (Fault::Locked.into(), Check::Key, "locked"),
        (Fault::Busy.on("/ISAPI/System/time"), Check::Clock, "busy"),
    ];
    for (n, (fault, check, reason)) in faults.into_iter().enumerate() {
        let terminal = builder(&format!("GB000001{n}")).start("127.0.0.1:0").await;
        let terminal = terminal.expect("a free port");
        terminal.set_fault(fault);
        let found = examined(&target(&terminal, Transport::Tcp)).await;
        failed(&found, check, reason);
    }
}

#[tokio::test]
async fn a_wrong_password_is_sent_once_however_often_it_is_examined() {
    let terminal = builder("GB0000020").start("127.0.0.1:0").await;
    let terminal = terminal.expect("a free port");
    let mut wrong = target(&terminal, Transport::Tcp);
    wrong.credentials.password = Some("wrong".to_owned());
    for n in 0..3 {
        let found = examined(&wrong).await;
        match finding(&found, Check::Key) {
            Finding::Failed(TerminalError::AuthRefused) => assert_eq!(n, 0),
            Finding::Failed(TerminalError::RefusedBefore) => assert_ne!(n, 0),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(terminal.counts().refused_sign_ins, 1);
}

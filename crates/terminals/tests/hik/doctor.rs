//! The doctor at a virtual Hikvision terminal: every check in its order, and what a terminal says no for by its name.

use simulators::hik::{FaultRule, Right};
use terminals::doctor::{Ability, Check, Examined, Finding, Seen, examine};

use super::*;

fn builder() -> VirtualTerminal {
    let event = Event::face("1042", date(2026, 3, 2).at(8, 58, 30, 0));
    virtual_terminal().events([event])
}

async fn examined(target: &Target) -> Vec<Examined> {
    let found = examine(target, Deadline::none(), &instant, &mut |_| {}).await;
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
    let terminal = start(builder().https()).await;
    let found = examined(&target_over(&terminal, Transport::Tls)).await;
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
        Finding::Good(Seen::Counters {
            users: Some(2),
            records: Some(1),
            capacity: None
        })
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

    let plain = start(builder()).await;
    let found = examined(&target(&plain)).await;
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
    for (fault, check, reason) in faults {
        let terminal = start(builder()).await;
        terminal.set_fault(fault);
        let found = examined(&target(&terminal)).await;
        failed(&found, check, reason);
    }
}

#[tokio::test]
async fn a_wrong_password_is_sent_once_however_often_it_is_examined() {
    let terminal = start(builder()).await;
    let mut wrong = target(&terminal);
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

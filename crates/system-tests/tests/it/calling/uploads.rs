//! Every generation of firmware and every fault: nothing that was acknowledged is missing, and nothing is there twice.

use std::time::Duration;

use simulators::zk_push::{Fault, Profile, history};
use store::Store;

use super::{FIRST_DAY, Server, soon, two_users};

const PAST: usize = 60;

/// What breaks a conversation in its own way, and so is tried with every generation.
const REPRESENTATIVE: &[&str] = &[
    "cut-request=150",
    "cut-answer",
    "hang-up",
    "split=7",
    "dribble=0ms",
    "chunked",
    "no-length",
    "twin",
    "repeat=3",
    "crlf",
    "garbage",
    "newest-first",
];

store::on_both_databases! {
    async fn a_log_people_live_punches_and_an_outage(store: Store) {
        let server = Server::start(store).await;
        for profile in Profile::ALL {
            a_day(&server, profile, None).await;
        }
    }
}

#[tokio::test]
async fn representative_faults_of_every_generation() {
    let server = Server::on_a_file().await;
    for profile in Profile::ALL {
        for fault in REPRESENTATIVE {
            a_day(&server, profile, Some(fault)).await;
        }
    }
}

#[tokio::test]
async fn every_fault() {
    let server = Server::on_a_file().await;
    for fault in Fault::NOTATIONS {
        a_day(&server, Profile::V24, Some(fault)).await;
    }
    a_day(&server, Profile::Acc, Some("empty-queries")).await;
    a_day(&server, Profile::A0, Some("clock-reset")).await;
    a_day(&server, Profile::B, Some("clock-off=-90s")).await;
}

/// Sixty punches of the past, two live ones, and three made without network: everything is acknowledged in the end, and stored
/// once.
async fn a_day(server: &Server, profile: Profile, fault: Option<&str>) {
    let what = format!("{profile} with {}", fault.unwrap_or("no fault"));
    let fault: Option<Fault> = fault.map(|fault| fault.parse().expect("a fault"));
    // As slow as a test can afford.
    let fault = fault.map(|fault| match fault {
        Fault::Dribble(_) => Fault::Dribble(Duration::ZERO),
        Fault::Split { size, .. } => Fault::Split {
            size,
            pause: Duration::ZERO,
        },
        other => other,
    });
    let number = store::testing::count_rows(&server.store, "devices").await;
    let serial = format!("{}X{number:04}", profile.name().to_uppercase());
    let calls_as = match &fault {
        Some(Fault::WrongSerial(other)) => other.clone(),
        _ => serial.clone(),
    };
    let device = server.register(&calls_as).await;
    let mut terminal = server
        .terminal(&serial, profile)
        .users(two_users())
        .records(history(PAST, 4, FIRST_DAY))
        .batch(25);
    if let Some(fault) = &fault {
        terminal = terminal.fault(fault.clone());
        if *fault == Fault::Stall {
            terminal = terminal.time_out(Duration::from_millis(200));
        }
    }
    let terminal = terminal.start(server.address);
    terminal.report_users();
    let all = |terminal: &simulators::zk_push::RunningTerminal| terminal.log().len();
    soon(&what, terminal.until_acknowledged(all(&terminal))).await;
    server.later(jiff::SignedDuration::from_secs(60));
    terminal.punch("1001", 0, 1);
    soon(&what, terminal.until_acknowledged(all(&terminal))).await;
    server.later(jiff::SignedDuration::from_secs(5));
    terminal.punch("1002", 1, 15);
    soon(&what, terminal.until_acknowledged(all(&terminal))).await;
    terminal.go_offline();
    for pin in ["1001", "1002", "1003"] {
        server.later(jiff::SignedDuration::from_secs(30));
        terminal.punch(pin, 1, 4);
    }
    terminal.go_online();
    soon(&what, terminal.until_acknowledged(all(&terminal))).await;
    server.is_exact(device, &terminal, &what).await;
    let polls = terminal.counts().polls;
    soon(&what, terminal.until_polls(polls + 2)).await;
    let mut people: Vec<_> = store::views::devices::users(&server.store, device.0, 10)
        .await
        .expect("a database")
        .into_iter()
        .filter(|user| user.enrolled)
        .map(|user| (user.user_id, user.name))
        .collect();
    people.sort();
    let expected = match &fault {
        Some(Fault::Gb2312) => ["张伟", "张伟"],
        _ => ["Ana", "Ben"],
    };
    let people: Vec<_> = people.iter().map(|(id, name)| (&**id, &**name)).collect();
    assert_eq!(
        people,
        [("1001", expected[0]), ("1002", expected[1])],
        "{what}"
    );
    let parked = server.parked(device).await;
    let spoils = matches!(
        fault,
        Some(Fault::Garbage | Fault::ImpossibleDate | Fault::Nul | Fault::UnknownTable(_))
    );
    assert_eq!(parked > 0, spoils && profile != Profile::Acc, "{what}");
}

//! Terminals that are told to call us: in a slot that nobody has, and read back.

use simulators::hik::{AfterReboot, HttpHost, Push};
use terminals::{Armed, CallHere, Terminal, Told};

use super::*;

const HOSTS: &str = "/ISAPI/Event/notification/httpHosts";

fn here() -> CallHere {
    CallHere {
        host: Some("192.168.1.10".to_owned()),
        port: 8081,
        path: "/hik/events/abc".to_owned(),
        former: None,
        heartbeat_secs: 30,
        again: false,
    }
}

fn somebody(host: &str) -> HttpHost {
    HttpHost::new(host, 9000, "/theirs?key=secret")
}

async fn arm(terminal: &RunningTerminal, here: &CallHere) -> Result<Told, TerminalError> {
    let mut connected = Terminal::connect(&target(terminal)).await?;
    let armed = connected.arm(here).await;
    connected.close().await;
    armed.map(|armed| match armed {
        Armed::Told(told) => told,
        Armed::ByHand => panic!("a Hikvision terminal is told"),
    })
}

async fn disarm(terminal: &RunningTerminal, here: &CallHere) {
    let mut connected = Terminal::connect(&target(terminal))
        .await
        .expect("it is there");
    connected.disarm(here).await.expect("it is given back");
    connected.close().await;
}

fn puts(terminal: &RunningTerminal) -> Vec<String> {
    let asked = terminal.asked().into_iter();
    let puts = asked.filter(|asked| asked.method == "PUT" && asked.status == 200);
    puts.map(|asked| asked.target).collect()
}

#[tokio::test]
async fn a_free_slot_is_taken_once() {
    let theirs = somebody("10.0.0.9");
    let terminal = start(virtual_terminal().http_host(theirs.clone())).await;
    let told = arm(&terminal, &here()).await.expect("a slot is free");
    assert_eq!(
        (told.slot.as_str(), told.calls_to.as_str()),
        ("2", "192.168.1.10:8081")
    );
    assert_eq!((told.heartbeat_secs, told.was_told), (30, true));
    assert!(told.hardware.is_some());
    let hosts = terminal.http_hosts();
    assert_eq!(
        hosts[0].as_ref(),
        Some(&theirs),
        "somebody else's is left alone"
    );
    let ours = hosts[1].as_ref().expect("ours");
    assert_eq!((ours.host.as_str(), ours.port), ("192.168.1.10", 8081));
    assert_eq!(ours.url, "/hik/events/abc");
    assert_eq!(ours.heartbeat, Some(30));

    let again = arm(&terminal, &here()).await.expect("it is so");
    assert_eq!((again.slot.as_str(), again.was_told), ("2", false));
    assert_eq!(
        puts(&terminal),
        [format!("{HOSTS}/2")],
        "one slot is written, once"
    );
    // Unless it does not call.
    let asked = CallHere {
        again: true,
        ..here()
    };
    assert!(arm(&terminal, &asked).await.expect("it is so").was_told);

    disarm(&terminal, &here()).await;
    assert_eq!(terminal.http_hosts()[0].as_ref(), Some(&theirs));
    let left = terminal.http_hosts()[1].clone();
    assert!(left.is_none_or(|left| left.url.is_empty() && left.host == "0.0.0.0"));
    let free = arm(&terminal, &here()).await.expect("it is free again");
    assert_eq!(free.slot, "2");
}

#[tokio::test]
async fn without_a_free_slot_nothing_is_written() {
    let vendor = HttpHost {
        protocol: "EHome".to_owned(),
        ..HttpHost::new("cloud.example.com", 7660, "")
    };
    let terminal = virtual_terminal()
        .http_host(somebody("10.0.0.9"))
        .http_host(vendor);
    let terminal = start(terminal).await;
    let before = terminal.http_hosts();
    let error = arm(&terminal, &here()).await.expect_err("no slot is free");
    assert_eq!((error.step(), error.retry()), (Step::Arm, Retry::NextPoll));
    let said = error.to_string();
    for part in [
        "slot 1 calls 10.0.0.9:9000",
        "slot 2 calls cloud.example.com:7660",
    ] {
        assert!(said.contains(part), "{said}");
    }
    assert!(!said.contains("secret"), "{said}");
    assert_eq!(terminal.http_hosts(), before);
    disarm(&terminal, &here()).await;
    assert_eq!(terminal.http_hosts(), before);
    assert_eq!(puts(&terminal), [] as [String; 0]);
}

/// Some firmware lists only the slots that are taken.
#[tokio::test]
async fn a_slot_that_is_not_listed_is_free() {
    let push = Push {
        lists_empty_slots: false,
        ..Push::default()
    };
    let terminal = virtual_terminal()
        .push(push)
        .http_host(somebody("10.0.0.9"));
    let terminal = start(terminal).await;
    let told = arm(&terminal, &here())
        .await
        .expect("the second one is free");
    assert_eq!(told.slot, "2");
}

#[tokio::test]
async fn what_the_terminal_stores_is_read_back() {
    let terminal = start(virtual_terminal().fault(Fault::ZeroHost)).await;
    let error = arm(&terminal, &here())
        .await
        .expect_err("it stores something else");
    let said = error.to_string();
    assert!(said.contains("stored something else in slot 1"), "{said}");
    assert!(
        said.contains("address is 0.0.0.0 instead of 192.168.1.10"),
        "{said}"
    );
    assert!(!said.contains("abc"), "the token is in no message: {said}");
    let ignoring = start(virtual_terminal().fault(Fault::WriteIgnored)).await;
    let error = arm(&ignoring, &here())
        .await
        .expect_err("it stores nothing");
    assert!(
        error.to_string().contains("stored something else"),
        "{error}"
    );
}

#[tokio::test]
async fn elements_come_in_the_order_of_the_manuals() {
    let terminal = start(virtual_terminal().fault(Fault::StrictOrder)).await;
    arm(&terminal, &here()).await.expect("it takes them");
}

#[tokio::test]
async fn a_terminal_that_forgot_is_told_again() {
    let push = Push {
        after_reboot: AfterReboot::Forgets,
        ..Push::default()
    };
    let terminal = start(virtual_terminal().push(push)).await;
    arm(&terminal, &here()).await.expect("a slot is free");
    terminal.reboot().expect("its port");
    let again = arm(&terminal, &here()).await.expect("a slot is free");
    assert!(again.was_told);
}

/// A new path is written over the one before, and not into another slot.
#[tokio::test]
async fn a_former_path_is_ours_too() {
    let terminal = start(virtual_terminal()).await;
    arm(&terminal, &here()).await.expect("a slot is free");
    let renewed = CallHere {
        path: "/hik/events/new".to_owned(),
        former: Some(here().path),
        ..here()
    };
    let told = arm(&terminal, &renewed).await.expect("ours");
    assert_eq!((told.slot.as_str(), told.was_told), ("1", true));
    let urls = terminal
        .http_hosts()
        .into_iter()
        .flatten()
        .map(|host| host.url);
    assert_eq!(
        urls.filter(|url| !url.is_empty()).collect::<Vec<_>>(),
        ["/hik/events/new"]
    );
}

/// Where nobody says how it reaches us, it is by the address from which we reach it.
#[tokio::test]
async fn our_own_address_is_that_on_the_way_to_it() {
    let terminal = start(virtual_terminal()).await;
    let unsaid = CallHere {
        host: None,
        ..here()
    };
    let told = arm(&terminal, &unsaid).await.expect("a slot is free");
    assert_eq!(told.calls_to, "127.0.0.1:8081");
}

#[tokio::test]
async fn an_account_without_the_right_is_told_so() {
    let terminal = virtual_terminal().fault(Fault::NotActivated);
    let terminal = start(terminal).await;
    arm(&terminal, &here())
        .await
        .expect_err("nobody can sign in");
    assert_eq!(puts(&terminal), [] as [String; 0]);
}

//! Terminals that say where they are, and have to prove it.

use std::net::Ipv4Addr;

use simulators::hik::{Answers, Inquiries, Sadp};
use terminals::discover::{self, Answer, LinkSearch, Proof, ScanLimits};

use super::*;

const LOOPBACK: Ipv4Addr = Ipv4Addr::LOCALHOST;

fn search(port: u16) -> LinkSearch {
    LinkSearch {
        interfaces: vec![LOOPBACK],
        port,
        within: Duration::from_millis(1500),
        times: 2,
    }
}

async fn found(port: u16, addresses: &[Ipv4Addr]) -> Vec<(SocketAddr, Answer)> {
    let mut found = Vec::new();
    discover::ask_links(
        &search(port),
        addresses,
        ScanLimits::default(),
        &mut |place, answer| {
            found.push((place, answer));
        },
    )
    .await
    .expect("the loopback is ours");
    found
}

/// A port that nobody listens on now.
fn free_port() -> u16 {
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").expect("a port");
    socket.local_addr().expect("an address").port()
}

fn at(port: u16) -> Sadp {
    Sadp::at(SocketAddr::from((LOOPBACK, port)))
}

fn claims(serial: &str, answer: &Answer) -> bool {
    matches!(answer, Answer::Claims { serial: told, .. } if DeviceKind::Hik.is_serial(told, serial))
}

#[tokio::test]
async fn a_terminal_answers_who_asks_it() {
    for (odd, knows) in [
        (false, Inquiries::Both),
        (true, Inquiries::OldOnly),
        (true, Inquiries::NewOnly),
    ] {
        let port = free_port();
        let sadp = Sadp {
            odd_root: odd,
            digits: odd,
            knows,
            ..at(port)
        };
        let terminal = start(virtual_terminal().sadp(sadp)).await;
        let found = found(port, &[LOOPBACK]).await;
        let [(place, answer)] = found.as_slice() else {
            panic!("one terminal answers, once: {found:?}");
        };
        assert_eq!(*place, terminal.addr());
        assert!(claims(terminal.label_serial(), answer), "{answer:?}");
        assert_eq!(terminal.counts().sadp_commands, 0);
        assert_eq!(terminal.counts().signed, 0, "nobody signs in to be told");
    }
}

/// What another program is answered is heard too, and nothing is asked for it.
#[tokio::test]
async fn terminals_are_heard_when_somebody_else_asks_them() {
    let port = free_port();
    let sadp = Sadp {
        listens: SocketAddr::from((Ipv4Addr::UNSPECIFIED, port)),
        interface: Some(LOOPBACK),
        answers: Answers::Group,
        ..at(port)
    };
    let terminal = start(virtual_terminal().sadp(sadp)).await;
    let mut ear = discover::hear_links(&search(port)).expect("the loopback is ours");
    let somebody = std::net::UdpSocket::bind((LOOPBACK, 0)).expect("a port");
    let say = |text: &[u8]| {
        let said = somebody.send_to(text, (LOOPBACK, port));
        said.expect("the loopback takes it")
    };
    // Neither junk nor a question is a claim.
    say(b"hello");
    say(&[b'<'; 9000]);
    let probe = hik_proto::sadp::probe("13A888A9-F1B1-4020-AE9F-05607682D23B", "inquiry");
    let group = (hik_proto::sadp::GROUP, port);
    let asking = tokio::net::UdpSocket::bind((LOOPBACK, 0)).await;
    let asking = asking.expect("a port");
    asking
        .send_to(probe.as_bytes(), group)
        .await
        .expect("it is asked");
    let heard = tokio::time::timeout(Duration::from_secs(20), ear.next()).await;
    let (place, answer) = heard.expect("it is heard");
    assert_eq!(place, terminal.addr());
    assert!(claims(terminal.label_serial(), &answer), "{answer:?}");
    let counts = terminal.counts();
    assert_eq!((counts.sadp_inquiries, counts.requests), (1, 0));
}

#[tokio::test]
async fn terminals_answer_the_group() {
    let port = free_port();
    let sadp = |answers| Sadp {
        listens: SocketAddr::from((Ipv4Addr::UNSPECIFIED, port)),
        interface: Some(LOOPBACK),
        answers,
        ..at(port)
    };
    let one = start(virtual_terminal().sadp(sadp(Answers::Group))).await;
    let other = virtual_terminal().serial_number("DS-K1T341AMF20220311V030230ENJ70368704");
    let other = start(other.sadp(sadp(Answers::Sender))).await;
    let mut places: Vec<_> = found(port, &[])
        .await
        .into_iter()
        .map(|(place, _)| place)
        .collect();
    places.sort_unstable();
    let mut expected = vec![one.addr(), other.addr()];
    expected.sort_unstable();
    assert_eq!(places, expected);
}

#[tokio::test]
async fn junk_and_our_own_questions_are_no_answers() {
    let port = free_port();
    let junk = tokio::net::UdpSocket::bind((LOOPBACK, port))
        .await
        .expect("a port");
    let answering = tokio::spawn(async move {
        let mut datagram = [0; 4096];
        while let Ok((length, from)) = junk.recv_from(&mut datagram).await {
            for answer in [&datagram[..length], b"", b"<ProbeMatch>", &[0xff; 4000]] {
                let _ = junk.send_to(answer, from).await;
            }
            let far =
                "<ProbeMatch><DeviceSN>X</DeviceSN><IPv4Address>8.8.8.8</IPv4Address></ProbeMatch>";
            let _ = junk.send_to(far.as_bytes(), from).await;
        }
    });
    assert_eq!(found(port, &[LOOPBACK]).await, []);
    answering.abort();
}

#[tokio::test]
async fn who_claims_a_serial_number_has_to_prove_it() {
    let limit = Duration::from_secs(20);
    let honest = start(virtual_terminal()).await;
    // The registered device, said to be at this place.
    let at = |place: &RunningTerminal| Target {
        serial: Some(honest.label_serial().to_owned()),
        ..target(place)
    };
    let proof = discover::confirm(&at(&honest), limit).await;
    assert_eq!(proof.expect("it answers"), Proof::Given);
    // Another terminal with the same password.
    let other = virtual_terminal().serial_number("DS-K1T341AMF20220311V030230ENJ70368704");
    let other = start(other).await;
    let proof = discover::confirm(&at(&other), limit).await;
    assert_eq!(proof.expect("it answers"), Proof::Another);
    // One that nobody can sign in to is not sent anything.
    let fresh = start(virtual_terminal().fault(Fault::NotActivated)).await;
    let proof = discover::confirm(&at(&fresh), limit).await;
    assert_eq!(proof.expect("it answers"), Proof::Nobody);
    assert_eq!(fresh.counts().signed + fresh.counts().refused_sign_ins, 0);
    // A liar that refuses the password does not lock the true terminal out.
    let liar = VirtualTerminal::new(
        honest.label_serial(),
        Login::new("operator", "other"),
        stopped(noon()),
    );
    let liar = start(liar).await;
    discover::confirm(&at(&liar), limit)
        .await
        .expect_err("it refuses");
    assert_eq!(liar.counts().refused_sign_ins, 1);
    let proof = discover::confirm(&at(&honest), limit).await;
    assert_eq!(proof.expect("it answers"), Proof::Given);
    assert!(read_all(&honest).await.is_ok());
}

//! Terminals that are looked for over UDP.

use std::net::{Ipv4Addr, SocketAddr};

use tokio::net::UdpSocket;

use super::*;

const UUID: &str = "13A888A9-F1B1-4020-AE9F-05607682D23B";

fn probe(kind: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?><Probe><Uuid>{UUID}</Uuid><Types>{kind}</Types></Probe>"
    )
}

fn loopback() -> Sadp {
    Sadp::at("127.0.0.1:0".parse().unwrap())
}

/// What comes back for a datagram, if anything does.
async fn ask(to: SocketAddr, text: &str) -> Option<String> {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    socket.send_to(text.as_bytes(), to).await.unwrap();
    let mut bytes = [0; 4096];
    let read = timeout(Duration::from_millis(300), socket.recv_from(&mut bytes)).await;
    let (length, _) = read.ok()?.unwrap();
    Some(String::from_utf8(bytes[..length].to_vec()).unwrap())
}

#[tokio::test]
async fn an_inquiry_is_answered_with_who_and_where() {
    let terminal = start(entrance().sadp(loopback())).await;
    let to = terminal.sadp_addr().unwrap();
    let answer = ask(to, &probe("inquiry")).await.unwrap();
    let found = xml::inner(&answer, "ProbeMatch").unwrap();
    let field = |name| xml::text(found, name).unwrap();
    assert_eq!(field("Uuid"), UUID);
    assert_eq!(field("DeviceSN"), terminal.serial_number());
    assert_eq!(field("IPv4Address"), "127.0.0.1");
    assert_eq!(field("HttpPort"), terminal.addr().port().to_string());
    assert_eq!(
        (field("DHCP"), field("SoftwareVersion")),
        ("true".into(), "V4.38.0build 250307".into())
    );
    let info = get(&terminal, INFO).await.text();
    let mac = xml::text(&info, "macAddress").unwrap();
    assert_eq!(field("MAC"), mac.replace(':', "-"));
    let newer = ask(to, &probe("inquiry_v32")).await.unwrap();
    assert!(newer.contains("<SupportHCPlatform>true</SupportHCPlatform>"));
    let counts = terminal.counts();
    assert_eq!((counts.sadp_inquiries, counts.sadp_commands), (2, 0));
    assert!(start(entrance()).await.sadp_addr().is_none());
}

#[tokio::test]
async fn commands_are_counted_and_junk_is_not() {
    let terminal = start(entrance().sadp(loopback())).await;
    let to = terminal.sadp_addr().unwrap();
    for text in ["activate", "update", "reset"].map(probe) {
        assert_eq!(ask(to, &text).await, None);
    }
    for junk in [
        "",
        "\u{1}",
        "<Probe>",
        "<ProbeMatch><Types>inquiry</Types></ProbeMatch>",
    ] {
        assert_eq!(ask(to, junk).await, None);
    }
    let counts = terminal.counts();
    assert_eq!((counts.sadp_inquiries, counts.sadp_commands), (0, 3));
    terminal.go_offline();
    assert_eq!(ask(to, &probe("inquiry")).await, None);
    terminal.go_online().unwrap();
    assert!(ask(to, &probe("inquiry")).await.is_some());
}

#[tokio::test]
async fn answers_are_odd_and_may_lie() {
    let other = "DS-K1T342MFX-E120250307V043800ENGB0000002";
    let odd = Sadp {
        odd_root: true,
        digits: true,
        claims: Some(other.to_owned()),
        says: Some("192.0.2.7:8080".parse().unwrap()),
        knows: Inquiries::NewOnly,
        ..loopback()
    };
    let terminal = start(entrance().sadp(odd)).await;
    let to = terminal.sadp_addr().unwrap();
    assert_eq!(ask(to, &probe("inquiry")).await, None);
    let answer = ask(to, &probe("inquiry_v32")).await.unwrap();
    for expected in [
        "<Probematch>",
        "<Activated>1</Activated>",
        "<ResetAbility>0</ResetAbility>",
        &format!("<DeviceSN>{other}</DeviceSN>"),
        "<IPv4Address>192.0.2.7</IPv4Address>",
        "<HttpPort>8080</HttpPort>",
    ] {
        assert!(answer.contains(expected), "{expected}");
    }
    // Over ISAPI it is itself.
    assert!(
        get(&terminal, INFO)
            .await
            .text()
            .contains(terminal.serial_number())
    );
    terminal.set_sadp(Sadp {
        knows: Inquiries::OldOnly,
        ..loopback()
    });
    let answer = ask(to, &probe("inquiry")).await.unwrap();
    assert!(answer.contains(terminal.serial_number()));
    assert_eq!(ask(to, &probe("inquiry_v32")).await, None);
}

#[tokio::test]
async fn several_terminals_hear_the_group_on_one_port() {
    let port = {
        let free = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        free.local_addr().unwrap().port()
    };
    let shared = Sadp {
        listens: SocketAddr::from((Ipv4Addr::UNSPECIFIED, port)),
        ..Sadp::on_interface(Ipv4Addr::LOCALHOST)
    };
    let first = start(entrance().sadp(shared.clone())).await;
    let second = VirtualTerminal::new("GB9637212", login(), stopped(noon()));
    let second = start(second.sadp(Sadp {
        answers: Answers::Group,
        ..shared
    }))
    .await;
    let client = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::DGRAM, None).unwrap();
    client.set_reuse_address(true).unwrap();
    client.set_nonblocking(true).unwrap();
    client
        .bind(&SocketAddr::from((Ipv4Addr::UNSPECIFIED, port)).into())
        .unwrap();
    client
        .join_multicast_v4(&SADP_GROUP, &Ipv4Addr::LOCALHOST)
        .unwrap();
    client.set_multicast_if_v4(&Ipv4Addr::LOCALHOST).unwrap();
    let listening = UdpSocket::from_std(client.into()).unwrap();
    let asking = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    asking.set_multicast_loop_v4(true).unwrap();
    let group = SocketAddr::from((SADP_GROUP, port));
    asking
        .send_to(probe("inquiry").as_bytes(), group)
        .await
        .unwrap();

    let mut bytes = [0; 4096];
    let read = timeout(Duration::from_secs(5), asking.recv_from(&mut bytes))
        .await
        .unwrap();
    let direct = String::from_utf8_lossy(&bytes[..read.unwrap().0]).into_owned();
    assert!(direct.contains(first.serial_number()));
    loop {
        let read = timeout(Duration::from_secs(5), listening.recv_from(&mut bytes))
            .await
            .unwrap();
        let heard = String::from_utf8_lossy(&bytes[..read.unwrap().0]).into_owned();
        // The probe itself is heard too.
        if heard.contains("<ProbeMatch>") {
            assert!(heard.contains(second.serial_number()));
            break;
        }
    }
}

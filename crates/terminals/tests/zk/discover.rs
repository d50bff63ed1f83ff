//! Finding terminals: who is at which address, with how few words, and that nobody else is asked.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use simulators::zk::Street;
use terminals::discover::{Answer, ScanKeys, ScanLimits, scan};

use super::*;

const CONNECT: u16 = 1000;

fn host(last: u8) -> Ipv4Addr {
    Ipv4Addr::new(127, 0, 1, last)
}

/// Starts them at 127.0.1.2, 127.0.1.3 and so on; nobody is at 127.0.1.1.
async fn street(terminals: Vec<VirtualTerminal>) -> (Street, u16) {
    let terminals: Vec<_> = (2..).map(host).zip(terminals).collect();
    let street = Street::start(&terminals, [host(1)]).await.expect("a port");
    let port = street.port();
    (street, port)
}

async fn answers(
    hosts: std::ops::RangeInclusive<u8>,
    port: u16,
    limits: ScanLimits,
    keys: &ScanKeys,
) -> BTreeMap<u8, Answer> {
    let mut answers = BTreeMap::new();
    let mut on_host = |place: std::net::SocketAddr, answer| {
        assert_eq!(place.port(), port);
        let std::net::IpAddr::V4(address) = place.ip() else {
            panic!("{place}");
        };
        let before = answers.insert(address.octets()[3], answer);
        assert_eq!(before, None, "{place} is told once");
    };
    scan(
        DeviceKind::Zk,
        hosts.map(host),
        port,
        limits,
        keys,
        &mut on_host,
    )
    .await;
    answers
}

fn terminal(serial: &str, model: &str) -> Answer {
    Answer::Terminal {
        serial: serial.to_owned(),
        model: model.to_owned(),
    }
}

#[tokio::test]
async fn whoever_is_in_a_subnet_is_named() {
    let model = || VirtualTerminal::new(SERIAL).model("K40");
    let (street, port) = street(vec![
        model(),
        model().fault(Fault::Silent),
        model().fault(Fault::RefuseConnection),
        model().fault(Fault::AccessPanel),
        model().fault(Fault::Dribble(Duration::from_secs(60))),
        model().comm_key(1234),
        model(),
        model()
            .option("~SerialNumber", "")
            .option("MAC", "00:17:61:00:00:01"),
        model().fault(Fault::Garbage),
        model().fault(Fault::ConnectCode(6001)),
        model().option("~SerialNumber", &"X".repeat(65)),
    ])
    .await;
    // Beside the searched addresses, at the same port.
    let outside = TcpListener::bind((host(13), port))
        .await
        .expect("a free port");
    let disturbed = Arc::new(AtomicUsize::new(0));
    let counting = {
        let disturbed = Arc::clone(&disturbed);
        tokio::spawn(async move {
            while outside.accept().await.is_ok() {
                disturbed.fetch_add(1, Ordering::SeqCst);
            }
        })
    };

    let limits = ScanLimits {
        host: Duration::from_millis(800),
        ..ScanLimits::default()
    };
    let found = answers(1..=12, port, limits, &ScanKeys::default()).await;
    assert_eq!(found.len(), 12);
    let named = terminal(SERIAL, "K40");
    assert_eq!(found[&1], Answer::Nothing);
    assert_eq!(
        (&found[&2], &found[&8]),
        (&named, &named),
        "two say they are the same"
    );
    assert_eq!(found[&4], Answer::Nothing);
    assert_eq!(found[&5], Answer::AccessPanel);
    assert_eq!(found[&7], Answer::WantsKey);
    assert_eq!(found[&9], terminal("00:17:61:00:00:01", "K40"));
    for (last, says) in [
        (3, "no answer"),
        (6, "no answer"),
        (10, ""),
        (11, "6001"),
        (12, "longer"),
    ] {
        match &found[&last] {
            Answer::Other(detail) => assert!(detail.contains(says), "{last}: {detail}"),
            answer => panic!("{last}: {answer:?}"),
        }
    }

    for (terminal, last) in street.iter().zip(2..) {
        let counts = terminal.counts();
        let once = u64::from(last != 4);
        assert_eq!(counts.connections, once, "{last}");
        assert_eq!((counts.disables, counts.auth_attempts), (0, 0), "{last}");
    }
    let asked = street[0].counts();
    assert_eq!((asked.of(CONNECT), asked.of(EXIT)), (1, 1));
    assert_eq!(asked.commands.values().sum::<u64>(), 4, "and two options");
    counting.abort();
    assert_eq!(disturbed.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_wrong_key_is_tried_once_and_the_right_one_finds() {
    let (street, port) = street(vec![VirtualTerminal::new(SERIAL).comm_key(1234)]).await;
    let attempts = || {
        let counts = street[0].counts();
        assert_eq!(counts.of(CONNECT), counts.of(EXIT), "each session is ended");
        (counts.connections, counts.auth_attempts)
    };
    let memory = ScanKeys::default();
    let scan_with = async |keys: &[u32]| {
        let keys = memory.with(keys.iter().copied());
        answers(2..=2, port, ScanLimits::default(), &keys)
            .await
            .remove(&2)
    };
    assert_eq!(scan_with(&[7, 8]).await, Some(Answer::WantsKey));
    assert_eq!(attempts(), (2, 2), "each in a session of its own");
    assert_eq!(scan_with(&[7, 8]).await, Some(Answer::WantsKey));
    assert_eq!(attempts(), (3, 2), "they rest");
    let named = Some(terminal(SERIAL, "MB360/ID"));
    assert_eq!(scan_with(&[7, 1234]).await, named);
    assert_eq!(attempts(), (4, 3));
    assert_eq!(
        scan_with(&[7, 1234]).await,
        named,
        "a right key may be used again"
    );
}

#[tokio::test]
async fn silence_after_a_key_counts_as_a_refusal() {
    let model = VirtualTerminal::new(SERIAL).comm_key(1234);
    let (street, port) = street(vec![model.fault(Fault::Mute(1102))]).await;
    let limits = ScanLimits {
        host: Duration::from_millis(300),
        ..ScanLimits::default()
    };
    let keys = ScanKeys::default().with([7]);
    for _ in 0..2 {
        let answer = answers(2..=2, port, limits, &keys).await;
        assert_eq!(answer[&2], Answer::WantsKey);
    }
    assert_eq!(street[0].counts().of(1102), 1);
}

#[tokio::test]
async fn a_scan_that_is_dropped_says_goodbye() {
    let (street, port) = street(vec![builder(LogLayout::Forty, 1).fault(Fault::Mute(11))]).await;
    let keys = ScanKeys::default();
    let mut on_host = |_, _| {};
    let scan = scan(
        DeviceKind::Zk,
        [host(2)],
        port,
        ScanLimits::default(),
        &keys,
        &mut on_host,
    );
    let asked = async {
        while street[0].counts().of(11) == 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        () = scan => panic!("the terminal does not answer"),
        () = asked => {}
    }
    while street[0].counts().of(EXIT) == 0 {
        tokio::task::yield_now().await;
    }
}

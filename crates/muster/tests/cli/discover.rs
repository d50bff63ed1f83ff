//! `muster device discover`: what it asks, what it says, and what it writes.

use super::*;

const SUBNETS: &str = "127.0.3.0/29";

/// An office whose terminals may be searched for in [`SUBNETS`].
async fn searching_office() -> Office {
    let office = Office::open().await;
    let file = office.folder.path().join("muster.toml");
    let before = std::fs::read_to_string(file).expect("init has written it");
    let section = format!("\n[discover]\nsubnets = [\"{SUBNETS}\"]\n");
    office.file("muster.toml", before + &section);
    office
}

/// Starts these terminals at 127.0.3.2, 127.0.3.3 and so on, all at one port; nobody is at the other addresses.
async fn street(terminals: &[zk::VirtualTerminal]) -> (zk::Street, u16) {
    let hosts = || (1..=6).map(|host| std::net::Ipv4Addr::new(127, 0, 3, host));
    let terminals: Vec<_> = hosts().skip(1).zip(terminals.iter().cloned()).collect();
    let empty = hosts().filter(|host| terminals.iter().all(|(taken, _)| taken != host));
    let street = zk::Street::start(&terminals, empty).await.expect("a port");
    let port = street.port();
    (street, port)
}

fn model(serial: &str) -> zk::VirtualTerminal {
    zk::VirtualTerminal::new(serial)
        .model("K40")
        .clock(right_clock())
}

#[tokio::test]
async fn nothing_is_searched_that_is_not_configured() {
    let office = Office::open().await;
    let said = office.run(&["device", "discover"]).await;
    said.failed(
        1,
        &["no subnet is configured", "muster.toml", "subnets = ["],
    );
    let said = office.run(&["device", "discover", "10.0.0.0/24"]).await;
    said.failed(
        2,
        &["10.0.0.0/24", "[discover]", "subnets = [\"10.0.0.0/24\"]"],
    );

    let office = searching_office().await;
    let said = office
        .run(&["device", "discover", "127.0.3.1", "10.0.0.0/24"])
        .await;
    said.failed(2, &["subnets = [\"127.0.3.0/29\", \"10.0.0.0/24\"]"]);
    let said = office.run(&["device", "discover", "127.0.3.0/28"]).await;
    said.failed(2, &["127.0.3.0/28"]);
    let said = office.run(&["device", "discover", "8.8.8.0/24"]).await;
    said.failed(2, &["8.8.8.0/24 is not private"]);
    office.file("muster.toml", "[discover]\nsubnets = [\"10.0.0.0/8\"]\n");
    let said = office.run(&["device", "list"]).await;
    said.failed(
        1,
        &["discover.subnets: 10.0.0.0/8 has more than 4096 addresses"],
    );
}

#[tokio::test]
async fn who_is_there_is_listed_and_what_has_moved_is_written() {
    let office = searching_office().await;
    let (street, port) = street(&[
        model("WELL1"),
        model("MOVED1"),
        model("NEW1"),
        model("KEY1").comm_key(1234),
        model("PANEL1").fault(zk::Fault::AccessPanel),
    ])
    .await;
    office.add_zk(&street[0], "WELL1").await;
    let added = office
        .run(&["device", "add", "--kind", "zk", "--serial", "MOVED1"])
        .await
        .done();
    assert!(
        added.out.contains("muster device discover --update"),
        "{added:?}"
    );
    office.run(&["poll"]).await.done();
    let listed = office.run(&["device", "list"]).await.done();
    assert!(listed.out.contains("searching"), "{listed:?}");
    street[0].reset_counts();

    let text = port.to_string();
    let discover = ["device", "discover", "--port", &text];
    let said = office.run(&discover).await.done();
    let line = |host: u8| {
        let place = format!("127.0.3.{host}:{port} ");
        let line = said.out.lines().find(|line| line.starts_with(&place));
        let cells = line.unwrap_or_default().split("  ").map(str::trim);
        cells
            .filter(|cell| !cell.is_empty())
            .skip(1)
            .collect::<Vec<_>>()
            .join(" | ")
    };
    assert_eq!(line(2), "", "{said:?}");
    assert_eq!(line(3), "MOVED1 | K40 | MOVED1, registered without address");
    assert_eq!(line(4), "NEW1 | K40 | not registered");
    assert_eq!(line(5), "wants a comm key");
    assert_eq!(line(6), "access panel, not an attendance terminal");
    for part in [
        "5 addresses asked in 127.0.3.0/29, 4 answered",
        "1 address of registered devices not asked",
        "muster device discover --update",
        &format!("muster device add --kind zk --serial NEW1 --address 127.0.3.4:{port}"),
        "--comm-key-stdin",
    ] {
        assert!(said.out.contains(part), "{part:?} is not in {said:?}");
    }
    assert_eq!(street[0].counts().connections, 0, "it is in contact");
    assert_eq!(
        street[3].counts().auth_attempts,
        0,
        "there is no key to try"
    );
    assert_eq!(
        office
            .devices()
            .await
            .iter()
            .filter(|device| device["address"].is_null())
            .count(),
        1
    );

    let said = office
        .run(&[&discover[..], &["127.0.3.3", "--update", "--json"]].concat())
        .await
        .done();
    let told: Value = serde_json::from_str(&said.out).expect("one JSON object");
    assert_eq!((&told["asked"], &told["spared"]), (&1.into(), &0.into()));
    let found = told["found"].as_array().expect("a list");
    assert_eq!(found.len(), 1);
    assert_eq!(found[0]["serial_number"], "MOVED1");
    assert_eq!(found[0]["registration"], "moved");
    let (_, totals) = office.poll().await;
    assert_eq!((&totals["devices"], &totals["ok"]), (&2.into(), &2.into()));
    let store = office.store().await;
    let audit = store.audit_entries(None, 1).await.expect("the audit");
    assert_eq!(
        (&*audit[0].action, &*audit[0].subject),
        ("device.moved", "MOVED1")
    );
}

#[tokio::test]
async fn a_running_server_finds_a_device_that_has_moved() {
    let office = searching_office().await;
    let (street, port) = street(&[model("LOST1")]).await;
    let csv = format!("kind,serial_number,address,port\nzk,LOST1,127.0.3.5,{port}\n");
    office.file("devices.csv", csv);
    office
        .run(&["device", "import", "devices.csv"])
        .await
        .done();
    let mut server = office
        .command(&["serve", "--listen", "127.0.0.1:0", "--role", "worker"])
        .spawn()
        .expect("muster starts");
    let began = std::time::Instant::now();
    while office.devices().await[0]["last_contact"].is_null() {
        assert!(began.elapsed() < LIMIT, "it is not found");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    assert_eq!(office.devices().await[0]["address"], "127.0.3.2");
    assert!(street[0].counts().connections >= 2);
    server.start_kill().expect("it runs");
    server.wait().await.expect("it ends");
}

//! Terminals that call: those that wait, and how a registered one is listed.

use std::net::{IpAddr, Ipv4Addr};

use attendance::DeviceId;
use ingest::{Clock, Engine, PollerOptions, Stranger, Who};
use serde_json::Value;
use store::held::HeldCall;

use super::Office;

async fn hold(office: &Office, serials: &[&str]) {
    let call = |serial: &&str| HeldCall {
        serial_number: (*serial).to_owned(),
        kind: "zk",
        model: "K40".to_owned(),
        address: "10.20.4.77".to_owned(),
        agent: "iClock Proxy/1.09".to_owned(),
        at_ms: 1_778_559_600_000,
        calls: 3,
    };
    let calls: Vec<_> = serials.iter().map(call).collect();
    let store = office.store().await;
    let tx = store.begin_write().await.expect("a transaction");
    tx.hold(&calls).await.expect("kept");
    tx.commit().await.expect("committed");
}

async fn waiting(office: &Office) -> Vec<Value> {
    let said = office.run(&["device", "waiting", "--json"]).await.done();
    serde_json::from_str(&said.out).expect("a JSON array")
}

#[tokio::test]
async fn a_terminal_that_waits_is_listed_approved_or_refused() {
    let office = Office::open().await;
    let said = office.run(&["device", "waiting"]).await.done();
    assert!(said.out.contains("no terminal waits"), "{said:?}");
    assert_eq!(waiting(&office).await, Vec::<Value>::new());
    hold(&office, &["X1", "X2\u{1b}[2J"]).await;
    let said = office.run(&["device", "waiting"]).await.done();
    for part in [
        "SERIAL",
        "X1",
        "K40",
        "10.20.4.77",
        "iClock Proxy/1.09",
        "waits",
    ] {
        assert!(said.out.contains(part), "{part}: {said:?}");
    }
    assert!(said.out.contains("2026-05-12 04:20:00"), "{said:?}");
    assert!(!said.out.contains('\u{1b}'), "{said:?}");

    let approve = ["device", "approve", "X1", "--name", "Gate 3"];
    let mars = [&approve[..], &["--site", "Mars"]].concat();
    office
        .run(&mars)
        .await
        .failed(2, &["there is no site \"Mars\""]);
    let said = office.run(&approve).await.done();
    assert!(said.out.contains("approved X1 \"Gate 3\""), "{said:?}");
    let devices = office.devices().await;
    assert_eq!(
        (
            &devices[0]["name"],
            &devices[0]["mode"],
            &devices[0]["condition"]
        ),
        (
            &Value::from("Gate 3"),
            &Value::from("push"),
            &Value::from("waits for its first call")
        )
    );
    office.run(&approve).await.failed(
        1,
        &[
            "no terminal with serial number \"X1\" waits",
            "next: See `muster device waiting`",
        ],
    );

    let said = office
        .run(&["device", "refuse", "X2\u{1b}[2J"])
        .await
        .done();
    assert!(said.out.contains("refused X2"), "{said:?}");
    let left = waiting(&office).await;
    assert_eq!((left.len(), &left[0]["refused"]), (1, &Value::from(true)));
    assert_eq!(left[0]["last_call"], "2026-05-12T04:20:00Z");
    office
        .run(&["device", "refuse", "X9"])
        .await
        .failed(1, &["no terminal with serial number \"X9\" waits"]);
}

#[tokio::test]
async fn a_hikvision_terminal_that_calls_is_told_how() {
    let office = Office::open().await;
    let add = ["device", "add", "--kind", "hik", "--serial"];
    let push = ["--mode", "push"];
    let said = office
        .run(&[&add[..], &["H1"], &push].concat())
        .await
        .done();
    assert!(said.out.contains("a URL of its own"), "{said:?}");
    let both = [
        "H2",
        "--mode",
        "poll,push",
        "--address",
        "10.0.0.9",
        "--username",
        "u",
    ];
    let command = [&add[..], &both, &["--password-stdin"]].concat();
    let said = office.run_with(&command, "p\n").await.done();
    assert!(
        said.out.contains("told to call after its first reading"),
        "{said:?}"
    );
}

#[tokio::test]
async fn a_device_that_calls_is_listed_as_such() {
    let office = Office::open().await;
    let add = [
        "device", "add", "--kind", "zk", "--serial", "A1", "--mode", "push",
    ];
    let said = office.run(&add).await.done();
    assert!(said.out.contains("from its first call on"), "{said:?}");
    let condition = async || {
        let devices = office.devices().await;
        devices[0]["condition"].as_str().expect("text").to_owned()
    };
    assert_eq!(condition().await, "waits for its first call");

    let store = office.store().await;
    let engine = Engine::new(store.clone(), Clock::system(), PollerOptions::default());
    let address = IpAddr::V4(Ipv4Addr::new(10, 20, 4, 11));
    let stranger = Stranger {
        serial_number: "A1",
        kind: "zk",
        model: "",
        address,
        agent: "",
    };
    let Ok(Who::Known(caller)) = engine.callers.who(&stranger).await else {
        panic!("it is registered");
    };
    let greeted = engine.callers.greet(&caller, "{}", address).await;
    greeted.expect("kept");
    assert_eq!(condition().await, "calls");
    let listed = office.devices().await;
    assert_eq!(listed[0]["calls_from"], "10.20.4.11");

    let tx = store.begin_write().await.expect("a transaction");
    let device = DeviceId(caller.device.0);
    let now = engine.clock.now();
    let failure = tx.record_failure(device, now, "call", "it does not call any more");
    failure.await.expect("kept");
    tx.commit().await.expect("committed");
    let said = condition().await;
    assert!(said.starts_with("failing since "), "{said}");
    assert!(said.ends_with(": it does not call any more"), "{said}");
}

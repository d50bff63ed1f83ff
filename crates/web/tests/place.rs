//! The card of a device that calls at a place of its own: who sees the URL, what it says, and what its buttons do.

mod company;

use attendance::Way;
use axum::http::StatusCode;
use company::{Company, part};
use store::accounts::Role;
use store::call_places::Armed;
use store::secrets::SecretKey;
use store::testing::tamper;
use web::{WebConfig, WebState};

/// The main gate as a Hikvision terminal that is read and posts, with a key that seals its token.
async fn posting(ways: &[Way]) -> Company {
    let mut company = Company::of_ten().await;
    company.store = company.store.clone().with_secret_key(SecretKey::generate());
    let polling = ingest::PollerOptions::default();
    company.engine =
        ingest::Engine::new(company.store.clone(), company.engine.clock.clone(), polling);
    let config = WebConfig {
        push_addresses: vec!["0.0.0.0:8081".parse().expect("an address")],
        ..WebConfig::default()
    };
    company.state = WebState::new(company.engine.clone(), config);
    company.router = web::router(company.state.clone());
    let ways: Vec<_> = ways.iter().map(|way| way.as_str()).collect();
    let edit = format!(
        "UPDATE devices SET kind = 'hik', mode = '{}' WHERE serial_number = 'A1'",
        ways.join(",")
    );
    tamper(&company.store, &edit).await;
    company.engine.callers.read_known().await.expect("a query");
    company
}

async fn token(company: &Company) -> String {
    let row = company
        .store
        .call_place(company.gate)
        .await
        .expect("a query");
    let (token, _) = company
        .store
        .call_tokens(&row.expect("a place"))
        .expect("our key");
    token.expose().to_owned()
}

async fn card(company: &Company, cookie: &str) -> String {
    let page = company.get("/devices/A1", Some(cookie)).await;
    assert_eq!(page.status, StatusCode::OK);
    part(&page.body, "place")
}

#[track_caller]
fn has(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "{part:?} is not in {text}");
    }
}

#[tokio::test]
async fn the_url_is_for_who_may_edit_devices() {
    let company = posting(&[Way::Poll, Way::Push]).await;
    let it = company.sign_in(&[Role::It]).await;
    let shown = card(&company, &it).await;
    let url = format!(
        "http://ADDRESS-OF-THIS-SERVER:8081/hik/events/{}",
        token(&company).await
    );
    has(
        &shown,
        &[
            &url,
            "has not been told",
            "none yet",
            "Renew the URL",
            "Tell it now",
            "Stop",
        ],
    );
    let company = posting(&[Way::Poll, Way::Push]).await;
    let owner = company.sign_in(&[Role::Owner]).await;
    company.get("/devices/A1", Some(&owner)).await;
    company.engine.callers.tick().await.expect("a query");
    let page = company.get("/devices/A1", Some(&owner)).await;
    assert!(
        !page.body.contains(&token(&company).await),
        "whoever has it can tell punches"
    );
    assert!(!page.body.contains("Renew the URL"));
    for button in ["tell", "renew", "stop"] {
        let path = format!("/devices/A1/place/{button}");
        let answer = company.post(&path, "", Some(&owner)).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{button}");
    }
}

#[tokio::test]
async fn what_the_terminal_was_told_and_what_keeps_it_from_calling() {
    let company = posting(&[Way::Poll, Way::Push]).await;
    let it = company.sign_in(&[Role::It]).await;
    card(&company, &it).await;
    let now = company.engine.clock.now();
    let tx = company.store.begin_write().await.expect("a transaction");
    let armed = Armed {
        slot: "2",
        calls_to: "10.20.4.5:8081",
        heartbeat_secs: 30,
        hardware: Some("c0:6d:ed:02:d3:d9"),
        clock_offset_s: Some(5 * 3600),
        was_told: true,
    };
    tx.keep_armed(company.gate, &armed, now)
        .await
        .expect("kept");
    tx.keep_arrivals(&[(company.gate, Some(now), None)])
        .await
        .expect("kept");
    tx.commit().await.expect("committed");
    let shown = card(&company, &it).await;
    has(
        &shown,
        &[
            "Its slot 2 posts to 10.20.4.5:8081",
            "http://10.20.4.5:8081/hik/events/",
            "c0:6d:ed:02:d3:d9",
        ],
    );

    let tx = company.store.begin_write().await.expect("a transaction");
    tx.keep_not_armed(company.gate, "no slot of the terminal is free", now)
        .await
        .expect("kept");
    tx.commit().await.expect("committed");
    has(
        &card(&company, &it).await,
        &[
            "cannot be told to call us",
            "no slot of the terminal is free",
            "tx-late",
        ],
    );
    // It is read, so its punches come; people are told all the same.
    company.engine.callers.tick().await.expect("a query");
    let page = company.get("/devices/A1", Some(&it)).await.body;
    has(
        &page,
        &[
            "does not tell its events by itself",
            "no slot of the terminal is free",
        ],
    );
    assert!(
        !part(&page, "device-state").contains("tx-absent"),
        "its punches do reach us"
    );
}

#[tokio::test]
async fn a_renewed_url_is_another_one_and_audited() {
    let company = posting(&[Way::Push]).await;
    let it = company.sign_in(&[Role::It]).await;
    card(&company, &it).await;
    let before = token(&company).await;
    let answer = company.post("/devices/A1/place/renew", "", Some(&it)).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER);
    assert_ne!(token(&company).await, before);
    let page = company.get("/devices/A1", Some(&it)).await.body;
    has(&page, &["has a new URL", &token(&company).await]);
    assert!(!page.contains(&before));
    let audit = company
        .store
        .audit_entries(None, 1)
        .await
        .expect("the audit");
    assert_eq!(
        (&*audit[0].action, &*audit[0].subject),
        ("device.push_renew", "A1")
    );
    // It only calls: there would be no way left.
    assert!(!page.contains("/place/stop"));
    let answer = company.post("/devices/A1/place/stop", "", Some(&it)).await;
    assert_eq!(answer.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn stopping_takes_the_way_away() {
    let company = posting(&[Way::Poll, Way::Push]).await;
    let it = company.sign_in(&[Role::It]).await;
    card(&company, &it).await;
    let answer = company.post("/devices/A1/place/stop", "", Some(&it)).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER);
    let row = company.store.device(company.gate).await.expect("a query");
    assert_eq!(row.expect("a device").mode, "poll");
    let page = company.get("/devices/A1", Some(&it)).await.body;
    assert!(!page.contains("id=\"place\""));
}

/// Nobody fetches orders by a place, so none are offered.
#[tokio::test]
async fn a_terminal_that_fetches_nothing_is_offered_no_orders() {
    let company = posting(&[Way::Push]).await;
    let it = company.sign_in(&[Role::It]).await;
    let page = company.get("/devices/A1", Some(&it)).await.body;
    assert!(!page.contains("/devices/A1/order"));
}

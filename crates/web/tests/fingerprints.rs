//! The card of fingerprints on a device's page.

mod company;

use axum::http::StatusCode;
use company::{Company, part};
use ingest::{Engine, PollerOptions};
use simulators::zk::{RunningTerminal, Template, User, VirtualTerminal};
use store::accounts::Role;
use store::devices::{DeviceFields, SecretEdit};
use store::secrets::SecretKey;
use store::testing::author;

/// What must not be on any page.
const TEMPLATE: &[u8] = b"ridge-ending-bifurcation";

/// The company on these terminals, its fingerprints kept for this.
async fn company(purpose: Option<&str>) -> (Company, [RunningTerminal; 2]) {
    let mut company = Company::of_ten().await;
    company.store = company.store.clone().with_secret_key(SecretKey::generate());
    let terminals = [("A1", 1), ("B2", 0)].map(async |(serial, fingers)| {
        let terminal = VirtualTerminal::new(serial)
            .users([User::new(1, "2001").named("Asma <J>")])
            .templates((0..fingers).map(|finger| Template::new(1, finger, TEMPLATE)));
        terminal.start("127.0.0.1:0").await.expect("a free port")
    });
    let [a, b] = terminals;
    let terminals = [a.await, b.await];
    for terminal in &terminals {
        let row = company.store.device_by_serial(terminal.serial_number());
        let row = row.await.expect("a query").expect("a device");
        let fields = DeviceFields {
            address: Some(terminal.addr().ip().to_string()),
            port: Some(terminal.addr().port()),
            ..DeviceFields::from(&row)
        };
        let tx = company.store.begin_write().await.expect("a transaction");
        let device = attendance::DeviceId(row.id);
        tx.edit_device(
            device,
            &fields,
            &SecretEdit::Keep,
            &SecretEdit::Keep,
            author(),
        )
        .await
        .expect("it is changed");
        tx.commit().await.expect("committed");
    }
    let options = PollerOptions {
        fingerprint_purpose: purpose.map(str::to_owned),
        ..PollerOptions::default()
    };
    let clock = company.engine.clock.clone();
    company.engine = Engine::new(company.store.clone(), clock, options);
    company.state = web::WebState::new(company.engine.clone(), web::WebConfig::default());
    company.router = web::router(company.state.clone());
    company.state_is_fresh().await;
    (company, terminals)
}

#[tokio::test]
async fn fingerprints_are_backed_up_copied_and_forgotten_on_the_page() {
    let (company, [_source, other]) = company(Some("a second gate")).await;
    let cookie = company.owner().await;
    let post = async |action: &str, form: &str| {
        let path = format!("/devices/A1/fingerprints/{action}");
        let answer = company.post(&path, form, Some(&cookie)).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.body);
        let page = company.get("/devices/A1", Some(&cookie)).await.body;
        assert!(
            !page.contains("ridge") && !page.contains("cmlkZ2"),
            "{page}"
        );
        format!("{}{}", part(&page, "told"), part(&page, "fingerprints"))
    };
    let card = company.get("/devices/A1", Some(&cookie)).await.body;
    let card = part(&card, "fingerprints");
    assert!(
        card.contains("Kept encrypted, for: a second gate") && card.contains("Back up now"),
        "{card}"
    );
    assert!(
        !card.contains("Copy to it"),
        "there is nothing to copy: {card}"
    );

    let copy = "user=2001&to=B2";
    let none = post("copy", copy).await;
    assert!(
        none.contains("notice bad")
            && none.contains("There is no backup of the fingerprints of user 2001 at A1."),
        "{none}"
    );
    let kept = post("backup", "").await;
    assert!(
        kept.contains("notice ok")
            && kept.contains("Read and kept: fingers 1, users 1.")
            && kept.contains("stored encrypted")
            && kept.contains("backed up of one user"),
        "{kept}"
    );
    assert!(
        kept.contains("<option value=\"B2\"") && kept.contains("<option value=\"A1\""),
        "{kept}"
    );
    let copied = post("copy", copy).await;
    assert!(
        copied.contains("Copied: user 2001, fingers 1.") && copied.contains("are the same"),
        "{copied}"
    );
    assert_eq!(other.templates(), [Template::new(1, 0, TEMPLATE)]);
    let by = company
        .store
        .audit_entries(None, 1)
        .await
        .expect("the audit");
    assert_eq!(
        (&*by[0].action, by[0].account_id.is_some()),
        ("device.fingerprints.copy", true)
    );
    let forgotten = post("forget", "user=2001").await;
    assert!(
        forgotten.contains("The backup of user 2001 is deleted.")
            && forgotten.contains("Nothing has changed"),
        "{forgotten}"
    );
    assert!(
        company
            .store
            .fingerprint_backups(None)
            .await
            .expect("a query")
            .is_empty()
    );
}

#[tokio::test]
async fn without_a_purpose_the_card_says_so_and_nothing_is_read() {
    let (company, terminals) = company(None).await;
    let cookie = company.owner().await;
    let card = company.get("/devices/A1", Some(&cookie)).await.body;
    let card = part(&card, "fingerprints");
    assert!(card.contains("[fingerprints] purpose"), "{card}");
    assert!(!card.contains("<button"), "{card}");
    for (action, form) in [("backup", ""), ("copy", "user=2001&to=B2")] {
        let path = format!("/devices/A1/fingerprints/{action}");
        company.post(&path, form, Some(&cookie)).await;
        let page = company.get("/devices/A1", Some(&cookie)).await.body;
        let told = part(&page, "told");
        assert!(
            told.contains("Nothing of fingerprints is read, kept or written"),
            "{told}"
        );
    }
    for terminal in terminals {
        assert_eq!(terminal.counts().connections, 0);
    }
}

#[tokio::test]
async fn only_who_edits_devices_sees_fingerprints_and_only_of_kinds_that_have_them() {
    let (company, _terminals) = company(Some("a second gate")).await;
    let cookie = company.sign_in(&[Role::Owner]).await;
    let page = company.get("/devices/A1", Some(&cookie)).await;
    assert!(page.status == StatusCode::OK && !page.body.contains("id=\"fingerprints\""));
    for action in ["backup", "copy", "forget"] {
        let path = format!("/devices/A1/fingerprints/{action}");
        let refused = company.post(&path, "user=2001&to=B2", Some(&cookie)).await;
        assert_eq!(refused.status, StatusCode::NOT_FOUND, "{action}");
    }
    let account = company.store.accounts().await.expect("accounts")[0].id;
    store::testing::set_roles(&company.store, account, "it").await;
    let page = company.get("/devices/A1", Some(&cookie)).await.body;
    assert!(page.contains("id=\"fingerprints\""));
    let add = "kind=hik&serial_number=H3&name=Store";
    company.post("/devices/new", add, Some(&cookie)).await;
    let page = company.get("/devices/H3", Some(&cookie)).await;
    assert!(page.status == StatusCode::OK && !page.body.contains("id=\"fingerprints\""));
    let page = company.get("/devices/A1", Some(&cookie)).await.body;
    assert!(!page.contains("value=\"H3\""));
}

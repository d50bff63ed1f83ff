//! What is done at a terminal from its page, against a virtual one.

mod company;

use attendance::DeviceId;
use axum::http::StatusCode;
use company::{Answer, Company, part};
use simulators::zk::{Fault, Record, RunningTerminal, User, VirtualTerminal, stopped};
use store::accounts::Role;
use store::devices::{DeviceFields, SecretEdit};
use store::secrets::{Secret, SecretKey};
use store::testing::{author, count_rows};

/// The main gate as a virtual terminal with two people and their punches, at the company's time.
async fn gate(company: &Company) -> RunningTerminal {
    gate_but(company, |terminal| terminal).await
}

/// The same, with something changed about it.
async fn gate_but(
    company: &Company,
    change: impl FnOnce(VirtualTerminal) -> VirtualTerminal,
) -> RunningTerminal {
    let terminal = VirtualTerminal::new("A1")
        .clock(stopped(wall("2026-05-12 09:20:00")))
        .users([
            User::new(1, "2001").named("Asma"),
            User::new(2, "2002").named("Beata"),
        ])
        .records([
            Record::new(1, "2001", wall("2026-05-12 08:41:00"), 0, 1),
            Record::new(2, "2002", wall("2026-05-12 08:52:10"), 0, 1),
        ]);
    let terminal = change(terminal)
        .start("127.0.0.1:0")
        .await
        .expect("a free port");
    edit(company, "A1", |fields| {
        fields.address = Some(terminal.addr().ip().to_string());
        fields.port = Some(terminal.addr().port());
    })
    .await;
    let polled = company.engine.poller.poll_once(Some(&[company.gate])).await;
    assert!(polled.expect("a query")[0].result.is_ok(), "it can be read");
    terminal
}

fn wall(text: &str) -> jiff::civil::DateTime {
    text.parse().expect("a wall time")
}

async fn edit(company: &Company, serial: &str, change: impl FnOnce(&mut DeviceFields)) {
    let row = company.store.device_by_serial(serial).await;
    let row = row.expect("a query").expect("a device");
    let mut fields = DeviceFields::from(&row);
    change(&mut fields);
    let keep = SecretEdit::Keep;
    let tx = company.store.begin_write().await.expect("a transaction");
    tx.edit_device(DeviceId(row.id), &fields, &keep, &keep, author())
        .await
        .expect("edited");
    tx.commit().await.expect("committed");
}

/// Sends a form and follows to the page that tells what came of it.
async fn told(company: &Company, path: &str, form: &str, cookie: &str) -> String {
    let answer = company.post(path, form, Some(cookie)).await;
    let to = redirected(&answer);
    // A part that fetches itself again does not take it away.
    let request = axum::http::Request::get(to)
        .header("host", "muster.test")
        .header("hx-request", "true");
    let part_of_it = company
        .send(request, axum::body::Body::empty(), Some(cookie))
        .await;
    assert!(!part_of_it.body.contains("id=\"told\""));
    let page = company.get(to, Some(cookie)).await.body;
    let again = company.get(to, Some(cookie)).await.body;
    assert!(!again.contains("id=\"told\""), "it is told once");
    part(&page, "told")
}

#[track_caller]
fn redirected(answer: &Answer) -> &str {
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.body);
    answer.location.as_deref().expect("a page to go to")
}

#[track_caller]
fn has(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "{part:?} is not in {text}");
    }
}

#[tokio::test]
async fn door_voice_and_screen() {
    let company = Company::of_ten().await;
    let terminal = gate(&company).await;
    let cookie = company.owner().await;
    let told = async |path: &str, form: &str| {
        told(&company, &format!("/devices/A1/{path}"), form, &cookie).await
    };
    has(
        &told("unlock", "secs=3").await,
        &["notice ok", "door is open for 3 s", "cannot be read back"],
    );
    assert_eq!(terminal.unlocks(), [30]);
    has(&told("voice", "voice=10").await, &["voice 10 was played"]);
    assert_eq!(terminal.announcements(), [10]);
    let shown = told("screen", "line=2&text=Fire+drill").await;
    has(&shown, &["the text is in line 2"]);
    assert!(terminal.lcd()[&2].contains("Fire drill"));
    has(
        &told("screen", "line=2&text=x&clear=1").await,
        &["the screen is cleared"],
    );
    assert!(terminal.lcd().is_empty());
    terminal.go_offline();
    has(
        &told("unlock", "secs=3").await,
        &["notice bad", "It was not done", "Check its power"],
    );
    terminal.go_online();
    has(&told("restart", "").await, &["The terminal restarts"]);
}

#[tokio::test]
async fn a_clock_is_set() {
    let company = Company::of_ten().await;
    let late = wall("2026-05-12 09:19:00");
    let terminal = gate_but(&company, |terminal| terminal.clock(stopped(late))).await;
    let cookie = company.owner().await;
    let path = "/devices/A1/clock";
    let set = told(&company, path, "", &cookie).await;
    has(
        &set,
        &["notice ok", "The clock is set.", "was off by −60 s"],
    );
    assert_eq!(terminal.now(), wall("2026-05-12 09:20:00"));
    let again = told(&company, path, "", &cookie).await;
    has(&again, &["was off by 0 s"]);
}

#[tokio::test]
async fn a_clock_does_not_go_back_over_a_punch() {
    let company = Company::of_ten().await;
    let early = wall("2026-05-12 09:22:00");
    let terminal = gate_but(&company, |terminal| terminal.clock(stopped(early))).await;
    company.punch("2001", "2026-05-12T09:21:30").await;
    let cookie = company.owner().await;
    let said = told(&company, "/devices/A1/clock", "", &cookie).await;
    has(
        &said,
        &["notice bad", "was not set", "a punch it has dated 09:21:30"],
    );
    assert_eq!(terminal.now(), early);
}

#[tokio::test]
async fn the_doctor_says_what_is_well_and_what_to_do() {
    let company = Company::of_ten().await;
    company.state_is_fresh().await;
    let terminal = gate(&company).await;
    let cookie = company.owner().await;
    let examine = async |serial: &str| {
        let path = format!("/devices/{serial}/doctor");
        let answer = company.post(&path, "", Some(&cookie)).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
        part(&answer.body, "doctor")
    };
    let before = count_rows(&company.store, "poll_cycles").await;
    let well = examine("A1").await;
    has(
        &well,
        &[
            "<li class=\"pass\">",
            "none set: everybody on its network",
            "A1, ",
            "2026-05-12 09:20:00, terminal minus server 0 s",
            "2 users, 2 of 200,000 records",
            "2 punches, 0 not understood",
            " ms<",
        ],
    );
    assert!(!well.contains("\"fail\""), "{well}");
    let cycles = count_rows(&company.store, "poll_cycles").await;
    assert_eq!(cycles, before, "nothing is stored");

    terminal.go_offline();
    let away = examine("A1").await;
    has(&away, &["<li class=\"fail\">", "skip-step", "not tried"]);
    let advice = "Check its power and network cable";
    assert_eq!(away.matches(advice).count(), 1, "said once: {away}");

    let add = "kind=zk&serial_number=C3&name=Store";
    company.post("/devices/new", add, Some(&cookie)).await;
    let nowhere = examine("C3").await;
    has(&nowhere, &["<li class=\"fail\">", "no address"]);
}

#[tokio::test]
async fn a_log_that_gets_full_is_a_notice() {
    for (records, urgent) in [(15, None), (16, Some(false)), (19, Some(true))] {
        let company = Company::of_ten().await;
        let punches = (0..records).map(|minute| {
            let at = wall("2026-05-12 08:00:00") + jiff::SignedDuration::from_mins(minute);
            Record::new(1, "2001", at, 0, 1)
        });
        let _terminal = gate_but(&company, |terminal| {
            terminal.records(punches).record_capacity(20)
        })
        .await;
        let cookie = company.owner().await;
        let page = company.get("/devices/A1", Some(&cookie)).await.body;
        let notices = part(&page, "device-notices");
        let told = format!("The log is {} % full.", records * 5);
        assert_eq!(notices.contains(&told), urgent.is_some(), "{notices}");
        assert_eq!(notices.contains("notice bad"), urgent == Some(true));
    }
}

#[tokio::test]
async fn a_terminal_without_a_comm_key_is_said_to_have_none() {
    let company = Company::of_ten().await;
    let cookie = company.owner().await;
    let open = async || {
        let page = company.get("/devices/A1", Some(&cookie)).await.body;
        page.contains("none: everybody on its network can read")
    };
    assert!(!open().await, "it was never asked");
    let now = company.engine.clock.now();
    let tx = company.store.begin_write().await.expect("a transaction");
    let kept = tx.keep_contact(company.gate, now, 0).await;
    kept.expect("it has answered");
    tx.commit().await.expect("committed");
    assert!(open().await);
    edit(&company, "A1", |fields| fields.kind = "hik".into()).await;
    assert!(!open().await, "it has a password instead");
    edit(&company, "A1", |fields| fields.kind = "zk".into()).await;

    let row = company.store.device_by_serial("A1").await;
    let fields = DeviceFields::from(&row.expect("a query").expect("a device"));
    let store = company.store.clone();
    let store = store.with_secret_key(SecretKey::generate());
    let tx = store.begin_write().await.expect("a transaction");
    let key = SecretEdit::Set(Secret::new("4711"));
    tx.edit_device(company.gate, &fields, &SecretEdit::Keep, &key, author())
        .await
        .expect("edited");
    tx.commit().await.expect("committed");
    assert!(!open().await);
}

#[tokio::test]
async fn a_transport_is_chosen_where_a_kind_has_several() {
    let company = Company::of_ten().await;
    company.state_is_fresh().await;
    let cookie = company.owner().await;
    let select = async |path: &str| {
        let page = company.get(path, Some(&cookie)).await.body;
        part(&page, "f-transport")
    };
    let new = select("/devices/new").await;
    has(
        &new,
        &[
            "value=\"\">find out",
            "value=\"tcp\">TCP",
            "value=\"udp\">UDP",
        ],
    );
    let stored = async || {
        let row = company.store.device_by_serial("C3").await;
        row.expect("a query").expect("a device").transport
    };
    let site = company.store.sites().await.expect("sites")[0].id;
    let form = format!("serial_number=C3&name=Store&site={site}&existing=1");
    let added = format!("{form}&kind=zk&transport=udp");
    company.post("/devices/new", &added, Some(&cookie)).await;
    assert_eq!(stored().await.as_deref(), Some("udp"));
    let chosen = select("/devices/C3/edit").await;
    has(&chosen, &["value=\"udp\" selected", "value=\"tcp\">TCP"]);
    for (sent, expected) in [
        ("kind=zk&transport=tcp", Some("tcp")),
        ("kind=zk&transport=tls", None),
        ("kind=zk&transport=tcp", Some("tcp")),
        ("kind=zk&transport=", None),
        ("kind=hik&transport=udp", None),
        ("kind=hik&transport=tls", Some("tls")),
    ] {
        let edited = format!("{form}&{sent}");
        let answer = company
            .post("/devices/C3/edit", &edited, Some(&cookie))
            .await;
        assert_eq!(answer.location.as_deref(), Some("/devices/C3"), "{sent}");
        assert_eq!(stored().await.as_deref(), expected, "{sent}");
    }
}

#[tokio::test]
async fn a_user_is_added_changed_and_deleted() {
    let company = Company::of_ten().await;
    let terminal = gate(&company).await;
    let cookie = company.owner().await;
    let (form, delete) = ("/devices/A1/user", "/devices/A1/user/delete");
    let new = "id=0042&name=Aziza+K.&privilege=enroller&card=77&password=4711";
    let said = told(&company, form, new, &cookie).await;
    has(
        &said,
        &[
            "User 0042 was added",
            "Aziza K.",
            "may enrol others",
            "card 77",
            "with a password",
        ],
    );
    let page = company.get("/devices/A1/user?id=0042", Some(&cookie)).await;
    has(
        &page.body,
        &["value=\"Aziza K.\"", "value=\"77\"", "Delete 0042"],
    );
    assert!(!page.body.contains("4711"), "a password never comes back");

    // Somebody renames her at the terminal's menu; what was not changed here is not written.
    let mut hers = terminal.users().users()[2].clone();
    hers.name = b"A. Karimova".to_vec();
    terminal.add_user(hers);
    let kept = "existing=1&id=0042&name_was=Aziza+K.&card_was=77&privilege=";
    let change = format!("{kept}&name=Aziza+K.&card=&password=&clear_password=1");
    let said = told(&company, form, &change, &cookie).await;
    has(
        &said,
        &[
            "User 0042 was changed",
            "A. Karimova",
            "card none",
            "no password",
        ],
    );

    let refused = async |sent: &str, parts: &[&str]| {
        let answer = company.post(form, sent, Some(&cookie)).await;
        assert_eq!(answer.status, StatusCode::OK);
        has(&answer.body, parts);
        assert!(!answer.body.contains("8642"), "nor here");
    };
    refused(
        "id=0042&name=Other&password=8642",
        &["is on the terminal already", "Enter it again"],
    )
    .await;
    refused("id=+&name=Other", &["Enter a number of 1 to 32"]).await;
    refused("id=43&card=seven", &["A card is a number"]).await;
    let long = format!("{kept}&name={}&card=77", "M".repeat(40));
    refused(&long, &["the name has 40 bytes", "Shorten", "MMMM"]).await;
    assert_eq!(terminal.users().users().len(), 3);

    let said = told(&company, delete, "id=0042", &cookie).await;
    has(&said, &["User 0042 was deleted", "A. Karimova"]);
    assert_eq!(terminal.users().users().len(), 2);
    let said = told(&company, delete, "id=0042", &cookie).await;
    has(&said, &["notice bad", "has no user 0042", "zeros in front"]);
}

#[tokio::test]
async fn everybody_on_a_terminal_can_be_found() {
    let company = Company::of_ten().await;
    let _terminal = gate(&company).await;
    let cookie = company.owner().await;
    let found = async |query: &str| {
        let path = format!("/devices/A1/users?{query}");
        part(
            &company.get(&path, Some(&cookie)).await.body,
            "device-users",
        )
    };
    let all = found("").await;
    has(
        &all,
        &["user?id=2001", "user?id=2002", "not in the terminal’s list"],
    );
    let one = found("q=beata").await;
    assert!(one.contains("2002") && !one.contains("2001"), "{one}");
    has(
        &found("q=nobody").await,
        &["Nobody is found", "Clear filter"],
    );
    has(&found("page=9").await, &["Previous"]);
}

#[tokio::test]
async fn a_log_is_cleared_for_who_types_the_serial_number() {
    let company = Company::of_ten().await;
    let terminal = gate(&company).await;
    let cookie = company.owner().await;
    let path = "/devices/A1/clear-log";
    let ask = company.get(path, Some(&cookie)).await.body;
    has(
        &ask,
        &["2 records", "4 punches, 0 set aside", "Type A1 to confirm"],
    );
    for other in ["serial=", "serial=a1", "serial=B2"] {
        let answer = company.post(path, other, Some(&cookie)).await;
        has(
            &answer.body,
            &["not the serial number of this terminal. Nothing was deleted"],
        );
    }
    terminal.set_fault(Fault::Counters(vec![(8, 9)]));
    let said = told(&company, path, "serial=A1", &cookie).await;
    has(&said, &["notice bad", "counts 7 records more", "Poll the"]);
    assert_eq!(terminal.record_count(), 2);
    terminal.clear_faults();
    let said = told(&company, path, "serial=+A1+", &cookie).await;
    has(&said, &["notice ok", "2 records were found", "empty now"]);
    assert_eq!(terminal.record_count(), 0);
    assert_eq!(count_rows(&company.store, "device_gaps").await, 0);
}

#[tokio::test]
async fn only_who_may_edit_devices_changes_a_terminal() {
    let company = Company::of_ten().await;
    let terminal = gate(&company).await;
    let posts = [
        ("unlock", "secs=3"),
        ("voice", "voice=1"),
        ("screen", "line=1&text=x"),
        ("restart", ""),
        ("user", "id=7"),
        ("user/delete", "id=2001"),
        ("clear-log", "serial=A1"),
    ];
    let refused = async |serial: &str, cookie: &str| {
        for (path, form) in posts {
            let path = format!("/devices/{serial}/{path}");
            let answer = company.post(&path, form, Some(cookie)).await;
            assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}");
        }
        for path in ["user", "clear-log"] {
            let path = format!("/devices/{serial}/{path}");
            let answer = company.get(&path, Some(cookie)).await;
            assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}");
        }
    };
    let owner = company.sign_in(&[Role::Owner]).await;
    refused("A1", &owner).await;
    for path in ["/devices/A1", "/devices/A1/users"] {
        let page = company.get(path, Some(&owner)).await.body;
        assert!(
            page.contains("2001") && !page.contains("/user?id="),
            "{path}"
        );
        assert!(!page.contains("at-terminal"), "{path}");
    }
    let set_roles = async |roles: &str| {
        let account = company.store.accounts().await.expect("accounts")[0].id;
        store::testing::set_roles(&company.store, account, roles).await;
    };
    set_roles("hr").await;
    refused("A1", &owner).await;
    let list = company.get("/devices/A1/users", Some(&owner)).await;
    assert_eq!(list.status, StatusCode::NOT_FOUND);

    set_roles("it").await;
    let page = company.get("/devices/A1", Some(&owner)).await.body;
    has(&page, &["id=\"at-terminal\"", "/user?id=2001"]);
    // A device that was removed.
    company.post("/devices/A1/remove", "", Some(&owner)).await;
    refused("A1", &owner).await;
    let page = company.get("/devices/A1", Some(&owner)).await.body;
    assert!(!page.contains("at-terminal"));
    assert_eq!((terminal.unlocks().len(), terminal.record_count()), (0, 2));
    assert_eq!(terminal.users().users().len(), 2);
}

#[tokio::test]
async fn another_certificate_waits_for_a_person_who_accepts_it() {
    let company = Company::of_ten().await;
    let cookie = company.owner().await;
    let [first, second, third] =
        ["1a", "2b", "3c"].map(|pair| format!("sha256:{}", pair.repeat(32)));
    let tx = company.store.begin_write().await.expect("a transaction");
    tx.keep_first_certificate(company.gate, &first)
        .await
        .expect("kept");
    tx.keep_first_certificate(company.gate, &second)
        .await
        .expect("nothing");
    tx.commit().await.expect("committed");
    let page = async || company.get("/devices/A1", Some(&cookie)).await.body;
    let before = page().await;
    has(&before, &[&first]);
    assert!(!before.contains("id=\"trust\"") && !before.contains(&second));

    let tx = company.store.begin_write().await.expect("a transaction");
    tx.note_other_certificate(company.gate, &second)
        .await
        .expect("noted");
    tx.commit().await.expect("committed");
    has(
        &part(&page().await, "trust"),
        &[&first, &second, "Accept the new certificate"],
    );

    let path = "/devices/A1/certificate";
    let wrong = told(&company, path, &format!("certificate={third}"), &cookie).await;
    has(&wrong, &["was not accepted"]);
    let right = told(&company, path, &format!("certificate={second}"), &cookie).await;
    has(&right, &["notice ok", &second]);
    let after = page().await;
    assert!(after.contains(&second) && !after.contains(&first));
    assert!(!after.contains("id=\"trust\""));
    let audited = company.store.audit_entries(None, 1).await.expect("a query");
    assert_eq!(audited[0].action, "device.certificate");
}

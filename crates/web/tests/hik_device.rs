//! What is done at a Hikvision terminal from its page, against a virtual one.

mod company;

use std::sync::atomic::{AtomicU32, Ordering};

use attendance::DeviceId;
use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use company::{Answer, Company, part};
use ingest::{Engine, PollerOptions};
use simulators::hik::{Fault, Login, Right, RunningTerminal, User, VirtualTerminal, stopped};
use store::devices::{DeviceFields, SecretEdit};
use store::secrets::{Secret, SecretKey};
use store::sql;
use store::testing::author;

const JPEG: &[u8] = b"\xff\xd8\xff\xe0 from a file \xff\xd9";

/// The company with its main gate as a Hikvision terminal that has been read.
async fn gate(
    change: impl FnOnce(VirtualTerminal) -> VirtualTerminal,
) -> (Company, RunningTerminal) {
    let mut company = Company::of_ten().await;
    company.store = company.store.clone().with_secret_key(SecretKey::generate());
    let clock = company.engine.clock.clone();
    company.engine = Engine::new(company.store.clone(), clock, PollerOptions::default());
    company.state = web::WebState::new(company.engine.clone(), web::WebConfig::default());
    company.router = web::router(company.state.clone());

    let now = "2026-05-12T09:20:00+05:00[Asia/Karachi]";
    let login = Login::new("operator", "Abc12345");
    // What is found out about a terminal holds for the whole process, so each test has its own.
    static TERMINALS: AtomicU32 = AtomicU32::new(0);
    let label = format!("GB{:07}", TERMINALS.fetch_add(1, Ordering::Relaxed));
    let terminal = VirtualTerminal::new(label, login, stopped(now.parse().expect("a time")))
        .users([
            User::new("2001", "Asma").without_face(),
            User::new("2002", "Beata").card("0012345678"),
        ])
        .keeps_alive();
    let terminal = change(terminal)
        .start("127.0.0.1:0")
        .await
        .expect("a free port");
    let row = company.store.device(company.gate).await;
    let row = row.expect("a query").expect("a device");
    let fields = DeviceFields {
        kind: "hik".to_owned(),
        serial_number: terminal.label_serial().to_owned(),
        address: Some(terminal.addr().ip().to_string()),
        port: Some(terminal.addr().port()),
        username: Some("operator".to_owned()),
        ..DeviceFields::from(&row)
    };
    let password = SecretEdit::Set(Secret::new("Abc12345"));
    let tx = company.store.begin_write().await.expect("a transaction");
    tx.edit_device(
        DeviceId(row.id),
        &fields,
        &password,
        &SecretEdit::Keep,
        author(),
    )
    .await
    .expect("edited");
    tx.commit().await.expect("committed");
    let polled = company.engine.poller.poll_once(Some(&[company.gate])).await;
    assert!(polled.expect("a query")[0].result.is_ok(), "it can be read");
    company.state_is_fresh().await;
    (company, terminal)
}

/// The path of something of the gate, which is registered as on its label.
fn at_gate(terminal: &RunningTerminal, what: &str) -> String {
    format!("/devices/{}{what}", terminal.label_serial())
}

async fn told(company: &Company, answer: &Answer, cookie: &str) -> String {
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.body);
    let to = answer.location.as_deref().expect("a page to go to");
    part(&company.get(to, Some(cookie)).await.body, "told")
}

#[track_caller]
fn has(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "{part:?} is not in {text}");
    }
}

#[track_caller]
fn has_not(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(!text.contains(part), "{part:?} is in {text}");
    }
}

fn user(terminal: &RunningTerminal, number: &str) -> Option<User> {
    let users = terminal.users();
    users.into_iter().find(|user| user.employee_no == number)
}

/// What is audited of operations, in order.
async fn audited(company: &Company) -> Vec<String> {
    let query = "SELECT action || ' ' || detail FROM audit WHERE action LIKE 'device.user.%' \
         OR action LIKE 'device.face.%' OR action = 'device.unlock' ORDER BY id";
    let rows = sql::all(company.store.read(), query, [])
        .await
        .expect("rows");
    rows.iter()
        .map(|row| row.try_get_by_index(0).expect("a text"))
        .collect()
}

#[tokio::test]
async fn a_user_is_added_changed_and_deleted() {
    let (company, terminal) = gate(|terminal| terminal).await;
    let cookie = company.owner().await;
    let (form, delete) = (
        at_gate(&terminal, "/user"),
        at_gate(&terminal, "/user/delete"),
    );
    let send = async |path: &str, sent: &str| {
        let answer = company.post(path, sent, Some(&cookie)).await;
        told(&company, &answer, &cookie).await
    };
    let new = company.get(&form, Some(&cookie)).await.body;
    has(
        &new,
        &[
            "Valid from",
            "Cards",
            "value=\"admin\"",
            "at any time unless",
        ],
    );
    has_not(
        &new,
        &["value=\"enroller\"", "value=\"manager\"", "id=\"face\""],
    );

    let sent = "id=0042&name=Aziza+K.&privilege=admin&card=00Ab%2C+77&password=4711&valid_until=2026-12-31";
    let said = send(&form, sent).await;
    has(
        &said,
        &[
            "User 0042 was added",
            "Aziza K.",
            "admin",
            "card 00Ab, 77",
            "with a password",
            "until 2026-12-31",
        ],
    );
    let stored = user(&terminal, "0042").expect("there is one");
    assert_eq!(stored.cards, ["00Ab", "77"]);
    assert_eq!(
        (stored.door_right.as_str(), stored.valid.2.as_str()),
        ("1", "2026-12-31T23:59:59")
    );
    let page = company
        .get(&format!("{form}?id=0042"), Some(&cookie))
        .await
        .body;
    has(
        &page,
        &[
            "value=\"Aziza K.\"",
            "value=\"00Ab, 77\"",
            "id=\"face\"",
            "Empty: as it is",
        ],
    );
    has_not(&page, &["4711", "Abc12345"]);
    let list = company
        .get(&at_gate(&terminal, "/users"), Some(&cookie))
        .await
        .body;
    has(&list, &["user?id=0042", "user?id=2001", "Aziza K."]);

    let kept = "existing=1&id=0042&name_was=Aziza+K.&card_was=00Ab%2C+77&privilege=";
    let said = send(
        &form,
        &format!("{kept}&name=Aziza&card=77&clear_validity=1"),
    )
    .await;
    has(&said, &["User 0042 was changed", "name Aziza,", "card 77,"]);
    has_not(&said, &["until"]);
    let stored = user(&terminal, "0042").expect("there is one");
    assert_eq!(
        (stored.cards, stored.valid.2.as_str()),
        (vec!["77".to_owned()], "2037-12-31T23:59:59")
    );

    for (sent, part) in [
        ("id=43&card=123456789012345678901", "1 to 20 characters"),
        ("id=43&valid_until=soon", "Enter a date"),
        ("id=43&valid_until=2040-01-01", "from 2000 to 2037"),
        ("id=2001&name=Other", "is on the terminal already"),
    ] {
        let answer = company.post(&form, sent, Some(&cookie)).await;
        assert_eq!(answer.status, StatusCode::OK);
        has(&answer.body, &[part]);
    }
    let taken = company
        .post(&form, "id=43&card=0012345678", Some(&cookie))
        .await;
    has(
        &taken.body,
        &[
            "A part of it was done",
            "belongs to somebody else",
            "The first part is done",
        ],
    );

    let said = send(&delete, "id=0042").await;
    has(&said, &["User 0042 was deleted", "Aziza"]);
    assert_eq!(user(&terminal, "0042"), None);
    assert_eq!(terminal.users().len(), 3, "nobody else");
    let said = send(&delete, "id=0042").await;
    has(&said, &["notice bad", "has no user 0042"]);
    let audited = audited(&company).await;
    has(
        &audited[0],
        &[
            "device.user.set",
            "00Ab",
            "\"password\":\"set\"",
            "2026-12-31T23:59:59",
        ],
    );
    has_not(&audited.join(" "), &["4711"]);
    has(
        &audited[audited.len() - 2],
        &["device.user.delete", "\"failed\":null"],
    );
}

#[tokio::test]
async fn a_face_is_uploaded_and_deleted_and_kept_nowhere() {
    let (company, terminal) = gate(|terminal| terminal).await;
    let cookie = company.owner().await;
    let upload = async |number: &str, picture: &[u8]| {
        let head = format!(
            "--x\r\nContent-Disposition: form-data; name=\"id\"\r\n\r\n{number}\r\n\
             --x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.jpg\"\r\n\r\n"
        );
        let body = [head.as_bytes(), picture, b"\r\n--x--\r\n"].concat();
        let request = Request::post(at_gate(&terminal, "/user/face"))
            .header(header::HOST, "muster.test")
            .header("sec-fetch-site", "same-origin")
            .header(header::CONTENT_TYPE, "multipart/form-data; boundary=x");
        let answer = company.send(request, Body::from(body), Some(&cookie)).await;
        told(&company, &answer, &cookie).await
    };
    let face = |number: &str| user(&terminal, number).and_then(|user| user.face);
    has(
        &upload("2001", JPEG).await,
        &["notice ok", "User 2001 has this face now"],
    );
    assert_eq!(face("2001").as_deref(), Some(JPEG));
    has(
        &upload("2001", b"GIF89a").await,
        &["notice bad", "is no JPEG", "Nothing was changed"],
    );
    has(&upload("9", JPEG).await, &["notice bad", "has no user 9"]);
    terminal.set_fault(Fault::FaceScore);
    has(
        &upload("2002", JPEG).await,
        &["cannot use the picture", "one face from the front"],
    );
    terminal.clear_faults();
    assert_eq!(face("2001").as_deref(), Some(JPEG));

    let delete = at_gate(&terminal, "/user/face/delete");
    let answer = company.post(&delete, "id=2001", Some(&cookie)).await;
    has(
        &told(&company, &answer, &cookie).await,
        &["face of user 2001 was deleted"],
    );
    assert!(
        face("2001").is_none() && face("2002").is_some(),
        "nobody else’s"
    );
    let audited = audited(&company).await;
    has(
        &audited[0],
        &["device.face.set", "\"user\":\"2001\"", "\"failed\":null"],
    );
    has_not(&audited.join(" "), &["from a file"]);
    assert_eq!(audited.len(), 5, "what was not done, too: {audited:?}");
}

#[tokio::test]
async fn the_door_opens_after_a_question_and_is_audited() {
    let (company, terminal) = gate(|terminal| terminal).await;
    let cookie = company.owner().await;
    let page = company
        .get(&at_gate(&terminal, ""), Some(&cookie))
        .await
        .body;
    let card = part(&page, "at-terminal");
    has(
        &card,
        &[
            "<summary>Open the door",
            "Anybody can walk in",
            "Open the door at Main gate",
            "/restart",
        ],
    );
    has_not(&card, &["name=\"secs\"", "/voice", "/screen", "/clear-log"]);
    assert!(!page.contains("id=\"fingerprints\""));

    let unlock = at_gate(&terminal, "/unlock");
    let answer = company.post(&unlock, "", Some(&cookie)).await;
    let said = told(&company, &answer, &cookie).await;
    has(
        &said,
        &["notice ok", "the door is open, for as long as it is set to"],
    );
    assert_eq!(terminal.door_commands(), ["open"]);
    terminal.set_fault(Fault::Lacks(Right::Door));
    let answer = company.post(&unlock, "secs=5", Some(&cookie)).await;
    let said = told(&company, &answer, &cookie).await;
    has(
        &said,
        &["It was not done", "may not do this", "User Management"],
    );
    assert_eq!(terminal.door_commands().len(), 1);
    let audited = audited(&company).await;
    assert_eq!(audited.len(), 2, "{audited:?}");
    has(&audited[0], &["device.unlock", "\"failed\":null"]);
    has(&audited[1], &["lowPrivilege"]);

    // What it cannot do is not there, whoever asks for it.
    for (path, form) in [
        ("voice", "voice=1"),
        ("screen", "line=1&text=x"),
        ("clear-log", "serial=x"),
    ] {
        let path = at_gate(&terminal, &format!("/{path}"));
        let answer = company.post(&path, form, Some(&cookie)).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}");
    }
}

#[tokio::test]
async fn a_clock_that_a_time_server_sets_is_set_only_by_a_person() {
    let late = "2026-05-12T09:18:00+05:00[Asia/Karachi]"
        .parse()
        .expect("a time");
    let (company, terminal) = gate(|terminal| terminal).await;
    terminal.set_clock(stopped(late));
    let set_by_itself = async || {
        let row = company.store.device(company.gate).await;
        let fields = DeviceFields {
            set_clock: true,
            ..DeviceFields::from(&row.expect("a query").expect("a device"))
        };
        let tx = company.store.begin_write().await.expect("a transaction");
        let keep = SecretEdit::Keep;
        tx.edit_device(company.gate, &fields, &keep, &keep, author())
            .await
            .expect("edited");
        tx.commit().await.expect("committed");
        let polled = company.engine.poller.poll_once(Some(&[company.gate])).await;
        assert!(polled.expect("a query")[0].result.is_ok(), "it is read");
    };
    let puts = || {
        let asked = terminal.asked().into_iter();
        asked
            .filter(|asked| asked.method == "PUT" && asked.status == 200)
            .count()
    };
    set_by_itself().await;
    assert_eq!(puts(), 0, "a time server does");

    let cookie = company.owner().await;
    let page = company
        .get(&at_gate(&terminal, ""), Some(&cookie))
        .await
        .body;
    has(
        &page,
        &["Set the clock", "If the terminal asks a time server"],
    );
    let answer = company
        .post(&at_gate(&terminal, "/clock"), "", Some(&cookie))
        .await;
    let said = told(&company, &answer, &cookie).await;
    has(
        &said,
        &[
            "The clock is set",
            "A time server or platform set it until now",
        ],
    );
    assert_eq!(puts(), 1);
    let answer = company
        .post(&at_gate(&terminal, "/clock"), "", Some(&cookie))
        .await;
    let said = told(&company, &answer, &cookie).await;
    has_not(&said, &["time server"]);
}

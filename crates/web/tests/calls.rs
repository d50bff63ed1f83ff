//! Terminals that call, on the pages: those that wait, what one uploaded, what it is told to do, and what is set aside of it.

mod company;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use attendance::Way;
use axum::http::StatusCode;
use company::{Company, part};
use ingest::{Answer, Caller, Event, Order, Stranger, Who};
use store::accounts::Role;
use store::calls::{Told, Upload};
use store::devices::{DeviceFields, SecretEdit};
use store::held::HeldCall;
use store::parked::Unreadable;
use store::secrets::SecretKey;
use store::testing::{author, count_rows};
use web::{WebConfig, WebState};

const NOW_MS: i64 = 1_778_559_600_000;

fn call(serial: &str, minutes_ago: i64) -> HeldCall {
    HeldCall {
        serial_number: serial.to_owned(),
        kind: "zk",
        model: "SpeedFace-V5L".to_owned(),
        address: "10.20.4.77".to_owned(),
        agent: "iClock Proxy/1.09".to_owned(),
        at_ms: NOW_MS - 60_000 * minutes_ago,
        calls: 3,
    }
}

async fn hold(company: &Company, calls: &[HeldCall]) {
    let tx = company.store.begin_write().await.expect("a transaction");
    tx.hold(calls).await.expect("kept");
    tx.commit().await.expect("committed");
}

/// The main gate with these ways in, with or without an address.
async fn uses(company: &Company, mode: &[Way], address: Option<&str>) {
    let row = company.store.device_by_serial("A1").await;
    let row = row.expect("a query").expect("a device");
    let mut fields = DeviceFields::from(&row);
    fields.mode = mode.to_vec();
    fields.address = address.map(str::to_owned);
    let keep = SecretEdit::Keep;
    let tx = company.store.begin_write().await.expect("a transaction");
    tx.edit_device(company.gate, &fields, &keep, &keep, author())
        .await
        .expect("edited");
    tx.commit().await.expect("committed");
    let read = company.engine.callers.read_known().await;
    read.expect("a query");
}

/// The main gate, as it calls.
async fn caller(company: &Company) -> Arc<Caller> {
    let stranger = Stranger {
        serial_number: "A1",
        kind: "zk",
        model: "",
        address: IpAddr::V4(Ipv4Addr::new(10, 20, 4, 11)),
        agent: "",
    };
    match company.engine.callers.who(&stranger).await {
        Ok(Who::Known(caller)) => caller,
        other => panic!("it is registered: {other:?}"),
    }
}

/// The main gate that calls and cannot be reached, after its greeting.
async fn calling(company: &Company) -> Arc<Caller> {
    uses(company, &[Way::Push], None).await;
    let caller = caller(company).await;
    let dialect = r#"{"family":"attendance","version":"2.4.1","own":true}"#;
    let address = IpAddr::V4(Ipv4Addr::new(10, 20, 4, 11));
    let callers = &company.engine.callers;
    callers
        .greet(&caller, dialect, address)
        .await
        .expect("greeted");
    caller
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

/// Sends a form and follows to the page that tells what came of it.
async fn told(company: &Company, path: &str, form: &str, cookie: &str) -> String {
    let answer = company.post(path, form, Some(cookie)).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.body);
    let to = answer.location.expect("a page to go to");
    let page = company.get(&to, Some(cookie)).await.body;
    part(&page, "told")
}

async fn page(company: &Company, path: &str, cookie: &str) -> String {
    let answer = company.get(path, Some(cookie)).await;
    assert_eq!(answer.status, StatusCode::OK, "{path}");
    answer.body
}

#[tokio::test]
async fn a_terminal_that_waits_is_approved() {
    let company = Company::of_ten().await;
    let cookie = company.owner().await;
    let nothing = page(&company, "/devices", &cookie).await;
    has_not(&nothing, &["id=\"waiting\"", "waits for approval"]);
    hold(&company, &[call("CQZ7/1", 128), call("CQZ7<2>", 5)]).await;
    company.state_is_fresh().await;
    let today = page(&company, "/today", &cookie).await;
    has(
        &part(&today, "notice-waiting"),
        &["2 terminals wait for approval"],
    );
    let list = page(&company, "/devices", &cookie).await;
    has(
        &part(&list, "waiting-notice"),
        &["2 terminals wait", "keep their punches"],
    );
    has(
        &part(&list, "waiting"),
        &[
            "CQZ7/1",
            "CQZ7&#60;2&#62;",
            "ZKTeco SpeedFace-V5L",
            "10.20.4.77",
            "iClock Proxy/1.09",
            "07:12",
            "5 min ago",
            "href=\"/devices/waiting/CQZ7%2F1\"",
        ],
    );

    let path = "/devices/waiting/CQZ7%2F1";
    let ask = page(&company, path, &cookie).await;
    has(
        &ask,
        &[
            "Compare the serial number",
            "Karachi mill",
            "Approve CQZ7/1",
        ],
    );
    let no_site = company
        .post(path, "name=Gate+3&site=99", Some(&cookie))
        .await;
    has(&no_site.body, &["Choose a site.", "value=\"Gate 3\""]);
    let site = company.store.sites().await.expect("sites")[0].id;
    let form = format!("name=Gate+3&site={site}");
    let said = told(&company, path, &form, &cookie).await;
    has(&said, &["notice ok", "Gate 3 is registered"]);
    let row = company.store.device_by_serial("CQZ7/1").await;
    let row = row.expect("a query").expect("a device");
    assert_eq!((row.mode.as_str(), row.kind.as_str()), ("push", "zk"));
    assert_eq!((row.name.as_str(), row.address), ("Gate 3", None));

    // It counts at once.
    let stranger = Stranger {
        serial_number: "CQZ7/1",
        kind: "zk",
        model: "",
        address: IpAddr::V4(Ipv4Addr::LOCALHOST),
        agent: "",
    };
    let who = company.engine.callers.who(&stranger).await;
    assert!(matches!(who, Ok(Who::Known(_))), "{who:?}");
    let again = company.get(path, Some(&cookie)).await;
    assert_eq!(again.status, StatusCode::NOT_FOUND);
    let device = page(&company, "/devices/CQZ7%2F1", &cookie).await;
    has(
        &device,
        &["Waiting for its first call", "has not called yet"],
    );
    has_not(&device, &["Poll now", "/doctor#doctor"]);
}

#[tokio::test]
async fn a_terminal_that_waits_is_refused_and_taken_back() {
    let company = Company::of_ten().await;
    let cookie = company.owner().await;
    hold(&company, &[call("X1", 5)]).await;
    let said = told(&company, "/devices/waiting/X1/refuse", "", &cookie).await;
    has(&said, &["notice ok", "X1 is refused"]);
    let stranger = Stranger {
        serial_number: "X1",
        kind: "zk",
        model: "",
        address: IpAddr::V4(Ipv4Addr::LOCALHOST),
        agent: "",
    };
    let who = async || company.engine.callers.who(&stranger).await;
    assert!(matches!(who().await, Ok(Who::Refused)), "it counts at once");
    company.state_is_fresh().await;
    let today = page(&company, "/today", &cookie).await;
    has_not(&today, &["notice-waiting"]);
    let list = page(&company, "/devices", &cookie).await;
    has(
        &part(&list, "waiting"),
        &["Refused", "Take back", "No terminal waits for approval"],
    );
    has_not(&part(&list, "waiting-notice"), &["class=\"notice"]);
    let said = told(&company, "/devices/waiting/X1/take-back", "", &cookie).await;
    has(&said, &["X1 waits for approval again"]);
    assert!(matches!(who().await, Ok(Who::Held)));
    let said = told(&company, "/devices/waiting/X2/refuse", "", &cookie).await;
    has(&said, &["notice bad", "X2 is not in the list any more"]);
}

#[tokio::test]
async fn who_sets_up_a_terminal_is_told_what_to_enter() {
    let mut company = Company::of_ten().await;
    let cookie = company.owner().await;
    let config = |addresses: &[&str], push_has_path_secret| WebConfig {
        push_addresses: addresses
            .iter()
            .map(|address| address.parse::<SocketAddr>().expect("an address"))
            .collect(),
        push_has_path_secret,
        ..WebConfig::default()
    };
    for (config, said, not) in [
        (
            config(&["0.0.0.0:8081", "[::]:8081"], false),
            "enter the address of this server and port 8081 in its menu",
            "path secret",
        ),
        (
            config(&["10.0.0.5:8081", "10.1.0.5:80"], true),
            "enter 10.0.0.5 and port 8081, or 10.1.0.5 and port 80 in its menu (Comm. › Cloud server, on some models ADMS). The path \
             secret",
            "this server",
        ),
    ] {
        company.state = WebState::new(company.engine.clone(), config);
        company.router = web::router(company.state.clone());
        company.state_is_fresh().await;
        let list = page(&company, "/devices", &cookie).await;
        let list = part(&list, "waiting");
        has(&list, &["No terminal waits for approval.", said]);
        has_not(&list, &[not]);
        let form = page(&company, "/devices/new", &cookie).await;
        has(&part(&form, "f-ways"), &[said]);
    }
}

#[tokio::test]
async fn what_a_terminal_calls_for_is_on_its_page() {
    let company = Company::of_ten().await;
    let cookie = company.owner().await;
    uses(&company, &[Way::Push], None).await;
    let before = page(&company, "/devices/A1", &cookie).await;
    has(&part(&before, "calls"), &["It has not called yet."]);
    let caller = calling(&company).await;
    let callers = &company.engine.callers;
    let now = company.engine.clock.now();
    let told = Told {
        own_address: Some("192.168.1.201".to_owned()),
        records: Some(1204),
        ..Told::default()
    };
    callers.told(&caller, &told, now).await.expect("kept");
    for (kind, detail) in [
        ("another_network", "10.0.0.1 → 10.9.0.1"),
        ("other_<thing>", "what this version does not know"),
        ("log_cleared", ""),
        ("log_cleared", ""),
    ] {
        let event = Event {
            kind,
            detail: detail.to_owned(),
        };
        callers.note(&caller, &event).await.expect("kept");
    }
    let tx = company.store.begin_write().await.expect("a transaction");
    for _ in 0..3 {
        let upload = Upload {
            device: company.gate,
            content: "ATTLOG",
            cursor: None,
            digest: "same",
            lines: 4000,
            new: 3990,
            duplicate: 7,
            parked: 3,
            at: now,
        };
        tx.keep_uploads(&[upload]).await.expect("kept");
    }
    tx.give_one_by_one(company.gate).await.expect("kept");
    tx.commit().await.expect("committed");
    let device = page(&company, "/devices/A1", &cookie).await;
    let card = part(&device, "calls");
    has(
        &card,
        &[
            "0 s ago",
            "10.20.4.11",
            "192.168.1.201",
            "attendance 2.4.1",
            "10 s",
            "one at a time",
            // Two punches of the company came from here.
            "1204 on the terminal at 09:20, 2 kept here: 1202 more are asked for",
            "ATTLOG",
            "12,000",
            "11,970",
            ">21<",
            "the same 3 times in a row",
            "It called from another network",
            "10.0.0.1 → 10.9.0.1",
            "other_&#60;thing&#62;",
            "Its log was cleared at the terminal",
            "2 times since 09:20",
        ],
    );
    has_not(&card, &["own&quot;", "{&"]);
    // It is neither polled nor read.
    has_not(
        &device,
        &["Last cycles", "id=\"at-terminal\"", "Poll interval"],
    );
}

#[tokio::test]
async fn a_device_that_calls_says_so() {
    let company = Company::of_ten().await;
    let cookie = company.owner().await;
    calling(&company).await;
    let list = async || {
        company.state_is_fresh().await;
        let list = page(&company, "/devices", &cookie).await;
        let today = page(&company, "/today", &cookie).await;
        (part(&list, "device-A1"), part(&today, "devices"))
    };
    let (row, strip) = list().await;
    has(
        &row,
        &["In contact", "<span class=\"mtag\">push", "10.20.4.11"],
    );
    has(&strip, &[">push"]);
    let failing = async |step: &str, message: &str| {
        let tx = company.store.begin_write().await.expect("a transaction");
        let began = "2026-05-12T04:16:00Z".parse().expect("an instant");
        tx.end_outage(company.gate, began).await.expect("ended");
        tx.record_failure(company.gate, began, step, message)
            .await
            .expect("a failure");
        tx.commit().await.expect("committed");
        let device = page(&company, "/devices/A1", &cookie).await;
        (
            part(&device, "device-state"),
            part(&device, "device-notices"),
        )
    };
    let (state, notice) = failing("call", "it does not call any more: check").await;
    has(&state, &["no calls for", "4 min", "dot down"]);
    has(
        &notice,
        &["does not call any more.", "server address in its menu"],
    );
    has(&list().await.0, &["No calls"]);
    let (state, notice) = failing("upload", "it uploads the same over and over").await;
    has(&state, &["reading fails for"]);
    has(
        &notice,
        &[
            "its uploads do not go on",
            "It uploads the same over and over.",
        ],
    );
}

#[tokio::test]
async fn what_is_set_aside_is_shown_record_by_record_and_cannot_act() {
    let company = Company::of_ten().await;
    calling(&company).await;
    let cookie = company.owner().await;
    let tx = company.store.begin_write().await.expect("a transaction");
    let numbered: Vec<_> = (0..100).map(|n| format!("row {n}")).collect();
    let mut bytes: Vec<&[u8]> = numbered.iter().map(|row| row.as_bytes()).collect();
    bytes.push(b"7\t<script>alert(1)</script>\x1b[2J\r\n\xff\0");
    for bytes in bytes {
        let record = Unreadable {
            bytes,
            reason: "the <time> is no time",
        };
        let at = company.engine.clock.now();
        tx.park(company.gate, Way::Push, &[record], at)
            .await
            .expect("kept");
    }
    tx.commit().await.expect("committed");
    let device = page(&company, "/devices/A1", &cookie).await;
    has(&part(&device, "parked"), &["href=\"/devices/A1/parked\""]);
    let first = page(&company, "/devices/A1/parked", &cookie).await;
    let records = part(&first, "parked-records");
    has(
        &records,
        &[
            "7\\t&#60;script&#62;alert(1)&#60;/script&#62;\\x1b[2J\\r\\n\\xff\\x00",
            "The &#60;time&#62; is no time.",
            "push",
            "09:20",
            "row 99",
            "parked?page=2",
        ],
    );
    has_not(&records, &["<script", "\u{1b}", "row 0<"]);
    let second = page(&company, "/devices/A1/parked?page=2", &cookie).await;
    let records = part(&second, "parked-records");
    has(&records, &["row 0<", "parked?page=1"]);
    has_not(&records, &["row 1<", "page=3"]);

    let path = "/devices/A1/parked/again";
    let said = told(&company, path, "", &cookie).await;
    has(&said, &["notice bad", "101 records stay set aside"]);
    assert_eq!(count_rows(&company.store, "parked").await, 101);
}

#[tokio::test]
async fn commands_are_given_fetched_answered_and_withdrawn() {
    let company = Company::of_ten().await;
    let caller = calling(&company).await;
    let cookie = company.owner().await;
    let path = "/devices/A1/order";
    let said = told(&company, path, "what=unlock&secs=9999", &cookie).await;
    has(
        &said,
        &[
            "notice ok",
            "Given: Open the door for 3600 s.",
            "calls next",
        ],
    );
    let list = async || part(&page(&company, "/devices/A1", &cookie).await, "orders");
    has(
        &list().await,
        &["Open the door", "Farhan", "Waiting", "09:20", "Withdraw"],
    );

    let callers = &company.engine.callers;
    let handed = callers.hand_out(&caller).await.expect("handed");
    assert_eq!(handed[0].order, Order::Unlock { seconds: 3600 });
    let fetched = list().await;
    has(&fetched, &["Fetched, not answered yet", "fetched 09:20"]);
    has_not(&fetched, &["Withdraw"]);
    let withdraw = format!("{path}/{}/withdraw", handed[0].id);
    let said = told(&company, &withdraw, "", &cookie).await;
    has(&said, &["notice bad", "too late"]);
    let answer = Answer {
        id: handed[0].id,
        code: -1002,
        text: "no such <door>".to_owned(),
        ..Answer::default()
    };
    assert!(callers.answered(&caller, &answer).await.expect("kept"));
    has(
        &list().await,
        &["Failed", "code -1002: no such &#60;door&#62;"],
    );

    for (form, expected) in [
        ("what=users", "Upload its users"),
        (
            "what=log&from=2026-05-01&to=2026-05-12",
            "Upload its log from 2026-05-01 00:00 to 2026-05-12 23:59",
        ),
        ("what=upload", "Upload what is new"),
        ("what=recheck", "Read again how to upload"),
        ("what=option&key=Volume&value=70", "Set Volume to 70"),
        ("what=clock", "Set its clock"),
        ("what=restart", "Restart"),
    ] {
        has(
            &told(&company, path, form, &cookie).await,
            &["notice ok", expected],
        );
        has(&list().await, &[expected]);
    }
    let waiting = count_rows(&company.store, "device_commands").await;
    for (form, why) in [
        (
            "what=log&from=2026-05-12&to=2026-05-01",
            "Choose a first and a last day",
        ),
        ("what=log&from=&to=", "Choose a first and a last day"),
        ("what=option&key=a%3Db&value=1", "The name of a setting"),
        ("what=option&key=&value=1", "The name of a setting"),
        ("what=option&key=A&value=1%0AB", "The value of a setting"),
    ] {
        has(
            &told(&company, path, form, &cookie).await,
            &["notice bad", why],
        );
    }
    let unknown = company.post(path, "what=format", Some(&cookie)).await;
    assert_eq!(unknown.status, StatusCode::NOT_FOUND);
    let rows = company.store.commands_of(company.gate, 100).await;
    let rows = rows.expect("a query");
    assert_eq!(rows.len() as u64, waiting, "none of those was given");
    let restart = rows.iter().find(|row| row.what.contains("restart"));
    let withdraw = format!("{path}/{}/withdraw", restart.expect("given").id);
    let said = told(&company, &withdraw, "", &cookie).await;
    has(&said, &["notice ok", "is withdrawn"]);
    has(&list().await, &["Withdrawn"]);
}

#[tokio::test]
async fn users_and_log_of_a_terminal_that_only_calls_are_changed_by_its_calls() {
    let mut company = Company::of_ten().await;
    calling(&company).await;
    let cookie = company.owner().await;
    let user = "id=0042&name=Aziza&privilege=admin&card=77";
    let (form, list) = ("/devices/A1/user", "/devices/A1");
    let said = told(&company, form, user, &cookie).await;
    has(&said, &["notice ok", "Given: Write user 0042."]);
    let newest = async || {
        let rows = company.store.commands_of(company.gate, 1).await;
        let rows = rows.expect("a query");
        (
            Order::of(&rows[0]).expect("an order"),
            rows[0].state.clone(),
        )
    };
    let expected = Order::SetUser {
        user: "0042".to_owned(),
        name: Some("Aziza".to_owned()),
        privilege: Some("admin".to_owned()),
        card: Some(77),
        sets_password: false,
    };
    assert_eq!(newest().await.0, expected);
    let refused = company
        .post(form, "id=43&password=8642", Some(&cookie))
        .await;
    has(&refused.body, &["was not given", "has no key for them"]);
    assert!(!refused.body.contains("8642"));
    let said = told(&company, "/devices/A1/user/delete", "id=2001", &cookie).await;
    has(&said, &["Given: Delete user 2001."]);

    let clear = "/devices/A1/clear-log";
    has(
        &page(&company, clear, &cookie).await,
        &["the terminal uploads its whole log"],
    );
    let other = company.post(clear, "serial=B2", Some(&cookie)).await;
    has(&other.body, &["Nothing was deleted"]);
    let said = told(&company, clear, "serial=A1", &cookie).await;
    has(&said, &["Given: Clear its log."]);
    let (order, state) = newest().await;
    assert_eq!(
        (order, state.as_str()),
        (Order::ClearLog { tries: 0 }, "held_back")
    );
    let orders = part(&page(&company, list, &cookie).await, "orders");
    has(
        &orders,
        &[
            "Held back: its log is checked first",
            "Upload its whole log",
        ],
    );

    // With a key, a password travels sealed.
    company.engine = ingest::Engine::new(
        company.store.clone().with_secret_key(SecretKey::generate()),
        company.engine.clock.clone(),
        ingest::PollerOptions::default(),
    );
    company.state = WebState::new(company.engine.clone(), WebConfig::default());
    company.router = web::router(company.state.clone());
    let said = told(&company, form, "id=43&password=8642", &cookie).await;
    has(&said, &["Given: Write user 43."]);
    let rows = company.store.commands_of(company.gate, 1).await;
    let row = rows.expect("a query").remove(0);
    assert!(row.secret_sealed.is_some() && !row.what.contains("8642"));
}

#[tokio::test]
async fn a_device_that_is_read_and_calls_is_told_only_what_reading_cannot() {
    let company = Company::of_ten().await;
    uses(&company, &[Way::Poll, Way::Push], Some("192.0.2.1")).await;
    let cookie = company.owner().await;
    let device = page(&company, "/devices/A1", &cookie).await;
    has(&device, &["id=\"at-terminal\"", "Poll now", "Last cycles"]);
    let card = part(&device, "orders-form");
    has(
        &card,
        &[
            "value=\"log\"",
            "value=\"upload\"",
            "value=\"recheck\"",
            "value=\"option\"",
        ],
    );
    let others = ["users", "clock", "restart", "unlock"];
    for other in others {
        has_not(&card, &[&format!("value=\"{other}\"")]);
        let form = format!("what={other}&secs=5");
        let answer = company
            .post("/devices/A1/order", &form, Some(&cookie))
            .await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{other}");
    }
    uses(&company, &[Way::Push], None).await;
    let device = page(&company, "/devices/A1", &cookie).await;
    let card = part(&device, "orders-form");
    for other in others {
        has(&card, &[&format!("value=\"{other}\"")]);
    }
    has_not(&device, &["id=\"at-terminal\""]);
    uses(&company, &[Way::Poll], Some("192.0.2.1")).await;
    let device = page(&company, "/devices/A1", &cookie).await;
    has_not(&device, &["orders-form", "id=\"calls\""]);
    let answer = company
        .post("/devices/A1/order", "what=upload", Some(&cookie))
        .await;
    assert_eq!(answer.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn the_ways_in_are_chosen_in_the_form() {
    let company = Company::of_ten().await;
    company.state_is_fresh().await;
    let cookie = company.owner().await;
    let new = page(&company, "/devices/new", &cookie).await;
    let ticked =
        |page: &str, way: &str| page.contains(&format!("name=\"{way}\" value=\"1\" checked"));
    assert!(ticked(&new, "poll") && !ticked(&new, "push"));
    let site = company.store.sites().await.expect("sites")[0].id;
    let form = format!("serial_number=C3&name=Store&site={site}&ways=1");
    let added = format!("{form}&kind=zk&push=1");
    company.post("/devices/new", &added, Some(&cookie)).await;
    let mode = async || {
        let row = company.store.device_by_serial("C3").await;
        row.expect("a query").map(|row| row.mode)
    };
    assert_eq!(mode().await.as_deref(), Some("push"));
    let edit = "/devices/C3/edit";
    let shown = page(&company, edit, &cookie).await;
    assert!(ticked(&shown, "push") && !ticked(&shown, "poll"));
    for (ways, expected) in [
        ("kind=zk&poll=1&push=1", "poll,push"),
        ("kind=zk&live=1", "poll,live"),
        ("kind=hik&poll=1&push=1&live=1", "poll,live,push"),
        ("kind=zk&push=1", "push"),
    ] {
        let form = format!("{form}&existing=1&enabled=1&{ways}");
        let answer = company.post(edit, &form, Some(&cookie)).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{ways}");
        assert_eq!(mode().await.as_deref(), Some(expected), "{ways}");
    }
    for none in ["kind=zk", "kind=hik"] {
        let form = format!("{form}&existing=1&enabled=1&{none}");
        let answer = company.post(edit, &form, Some(&cookie)).await;
        has(&answer.body, &["Choose at least one way"]);
        assert_eq!(mode().await.as_deref(), Some("push"));
    }
}

#[tokio::test]
async fn only_who_may_edit_devices_decides_and_commands() {
    let company = Company::of_ten().await;
    let caller = calling(&company).await;
    hold(&company, &[call("X1", 5)]).await;
    let secret = Order::SetOption {
        key: "ComKey".to_owned(),
        value: "sesame".to_owned(),
    };
    let callers = &company.engine.callers;
    let id = callers.order(company.gate, &secret, None, None).await;
    let id = id.expect("given");
    let tx = company.store.begin_write().await.expect("a transaction");
    let record = Unreadable {
        bytes: b"sesame",
        reason: "noise",
    };
    let at = company.engine.clock.now();
    tx.park(company.gate, Way::Push, &[record], at)
        .await
        .expect("kept");
    tx.commit().await.expect("committed");
    company.state_is_fresh().await;
    let owner = company.sign_in(&[Role::Owner]).await;
    let posts = [
        "/devices/waiting/X1".to_owned(),
        "/devices/waiting/X1/refuse".to_owned(),
        "/devices/waiting/X1/take-back".to_owned(),
        "/devices/A1/order".to_owned(),
        format!("/devices/A1/order/{id}/withdraw"),
        "/devices/A1/parked/again".to_owned(),
    ];
    for path in &posts {
        let form = "what=upload&name=x&site=1";
        let answer = company.post(path, form, Some(&owner)).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}");
    }
    for path in ["/devices/waiting/X1", "/devices/A1/parked"] {
        let answer = company.get(path, Some(&owner)).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}");
    }
    let today = page(&company, "/today", &owner).await;
    let list = page(&company, "/devices", &owner).await;
    has_not(
        &(today + &list),
        &["waiting-notice", "notice-waiting", "X1"],
    );
    let device = page(&company, "/devices/A1", &owner).await;
    has(&device, &["id=\"calls\"", "Set ComKey", "Waiting"]);
    has_not(&device, &["sesame", "/order", "/parked\"", "Withdraw"]);
    let commands = callers.hand_out(&caller).await.expect("handed");
    assert_eq!(commands.len(), 1, "nobody withdrew or added one");
    let account = company.store.accounts().await.expect("accounts")[0].id;
    store::testing::set_roles(&company.store, account, "it").await;
    let device = page(&company, "/devices/A1", &owner).await;
    has(
        &device,
        &["Set ComKey to sesame", "id=\"orders-form\"", "/parked\""],
    );
    // A device that was removed.
    company.post("/devices/A1/remove", "", Some(&owner)).await;
    let answer = company
        .post("/devices/A1/order", "what=upload", Some(&owner))
        .await;
    assert_eq!(answer.status, StatusCode::NOT_FOUND);
    assert_eq!(company.store.callers().await.expect("a query").len(), 0);
}

//! The terminal as a client sees it, in raw HTTP over sockets.

use std::time::Duration;

use jiff::civil::{DateTime, date};
use jiff::{ToSpan, Zoned};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::sign_in::{Algorithm, base64, digest_response, parse_digest};
use super::*;

const SEARCH: &str = "/ISAPI/AccessControl/AcsEvent?format=json";
const INFO: &str = "/ISAPI/System/deviceInfo";

fn noon() -> Zoned {
    "2026-03-02T12:00:00+01:00[Europe/Berlin]".parse().unwrap()
}

fn login() -> Login {
    Login::new("operator", "Abc12345")
}

fn entrance() -> VirtualTerminal {
    VirtualTerminal::new("GB9637211", login(), stopped(noon()))
        .users([User::new("1042", "Aziza K.").card("0012345678")])
}

/// `count` punches of employee 1042, a minute apart from 08:00, serial numbers from 1.
fn punches(count: i64) -> impl Iterator<Item = Event> {
    (0..count).map(|minute| Event::face("1042", at(8, 0) + minute.minutes()))
}

fn at(hour: i8, minute: i8) -> DateTime {
    date(2026, 3, 2).at(hour, minute, 0, 0)
}

async fn start(terminal: VirtualTerminal) -> RunningTerminal {
    terminal.start("127.0.0.1:0").await.unwrap()
}

struct Response {
    status: u16,
    head: String,
    body: Vec<u8>,
}

impl Response {
    fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }

    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    fn challenges(&self) -> Vec<&str> {
        self.head
            .lines()
            .filter_map(|line| line.strip_prefix("WWW-Authenticate: "))
            .collect()
    }
}

fn request(method: &str, target: &str, authorization: Option<&str>, body: &str) -> String {
    let authorization =
        authorization.map_or_else(String::new, |value| format!("Authorization: {value}\r\n"));
    format!(
        "{method} {target} HTTP/1.1\r\nHost: terminal\r\n{authorization}Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// Everything the terminal sends until it closes.
async fn exchange(terminal: &RunningTerminal, request: &str) -> Vec<u8> {
    let mut stream = TcpStream::connect(terminal.addr()).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut bytes = Vec::new();
    let read = stream.read_to_end(&mut bytes);
    timeout(Duration::from_secs(5), read)
        .await
        .expect("the terminal closes")
        .unwrap();
    bytes
}

fn response(bytes: &[u8]) -> Response {
    let end = bytes
        .windows(4)
        .position(|four| four == b"\r\n\r\n")
        .expect("a head");
    let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Response {
        status,
        head,
        body: bytes[end + 4..].to_vec(),
    }
}

async fn unsigned(terminal: &RunningTerminal, method: &str, target: &str) -> Response {
    response(&exchange(terminal, &request(method, target, None, "")).await)
}

/// An answer to `challenge`, which holds one challenge.
fn sign(login: &Login, challenge: &str, method: &str, target: &str, count: u32) -> String {
    let fields = parse_digest(challenge).expect("a digest challenge");
    let (realm, nonce, count) = (&fields["realm"], &fields["nonce"], format!("{count:08x}"));
    let (algorithm, name) = match fields.get("algorithm").map(String::as_str) {
        None => (Algorithm::Md5, ""),
        Some("MD5") => (Algorithm::Md5, ", algorithm=MD5"),
        Some("SHA-256" | "SHA256") => (Algorithm::Sha256, ", algorithm=SHA-256"),
        Some(other) => panic!("unknown algorithm {other}"),
    };
    let proof = digest_response(
        algorithm, login, realm, method, target, nonce, &count, "0a4f113b",
    );
    let opaque = fields
        .get("opaque")
        .map_or_else(String::new, |text| format!(", opaque=\"{text}\""));
    format!(
        "Digest username=\"{}\", realm=\"{realm}\", nonce=\"{nonce}\", uri=\"{target}\", qop=auth, nc={count}, \
         cnonce=\"0a4f113b\", response=\"{proof}\"{opaque}{name}",
        login.username
    )
}

async fn signed_bytes(
    terminal: &RunningTerminal,
    login: &Login,
    method: &str,
    target: &str,
    body: &str,
) -> Vec<u8> {
    let challenge = unsigned(terminal, method, target).await;
    let authorization = sign(login, challenge.challenges()[0], method, target, 1);
    exchange(
        terminal,
        &request(method, target, Some(&authorization), body),
    )
    .await
}

async fn get(terminal: &RunningTerminal, target: &str) -> Response {
    response(&signed_bytes(terminal, &login(), "GET", target, "").await)
}

async fn post(terminal: &RunningTerminal, target: &str, body: &Value) -> Response {
    response(&signed_bytes(terminal, &login(), "POST", target, &body.to_string()).await)
}

/// One page of a search for major 5, with more conditions.
async fn page(terminal: &RunningTerminal, position: usize, more: Value) -> Value {
    let mut cond = json!({
        "searchID": "bb94da74", "searchResultPosition": position, "maxResults": 30, "major": 5, "minor": 0,
    });
    cond.as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    let answer = post(terminal, SEARCH, &json!({ "AcsEventCond": cond })).await;
    assert_eq!(answer.status, 200);
    answer.json()["AcsEvent"].clone()
}

fn serials(page: &Value) -> Vec<u64> {
    let rows = page["InfoList"].as_array().map_or(&[][..], Vec::as_slice);
    rows.iter()
        .map(|row| row["serialNo"].as_u64().unwrap())
        .collect()
}

#[tokio::test]
async fn says_who_it_is_in_both_forms_of_the_serial_number() {
    let terminal = start(entrance().name("Gate <2>")).await;
    let full = "DS-K1T342MFX-E120250307V043800ENGB9637211";
    assert_eq!(
        (terminal.serial_number(), terminal.label_serial()),
        (full, "GB9637211")
    );
    let info = get(&terminal, INFO).await.text();
    assert!(info.contains(&format!("<serialNumber>{full}</serialNumber>")));
    assert!(info.contains("<deviceName>Gate &lt;2&gt;</deviceName>"));
    assert!(info.contains("<firmwareVersion>V4.38.0</firmwareVersion>"));

    let older = VirtualTerminal::new("J70368704", login(), stopped(noon()))
        .model("DS-K1T341AMF")
        .firmware("V3.2.30");
    assert_eq!(
        start(older).await.serial_number(),
        "DS-K1T341AMF20250307V030230ENJ70368704"
    );
    let oem = entrance().serial_number("4711");
    assert_eq!(start(oem).await.label_serial(), "4711");
}

#[tokio::test]
async fn shows_the_time_of_its_own_clock() {
    let terminal = start(entrance().zone_notation(ZoneNotation::Short)).await;
    let time = get(&terminal, "/ISAPI/System/time").await.text();
    assert!(
        time.contains(
            "<localTime>2026-03-02T12:00:00+01:00</localTime>\n<timeZone>CST-1</timeZone>"
        )
    );
    terminal.set_clock(stopped(
        "2026-03-01T22:35:56+05:30[Asia/Kolkata]".parse().unwrap(),
    ));
    let time = get(&terminal, "/ISAPI/System/time").await.text();
    assert!(time.contains(
        "<localTime>2026-03-01T22:35:56+05:30</localTime>\n<timeZone>CST-5:30</timeZone>"
    ));
}

#[tokio::test]
async fn a_password_must_be_chosen() {
    let nameless = VirtualTerminal::new("GB9637211", Login::new("operator", ""), stopped(noon()));
    let error = nameless.start("127.0.0.1:0").await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
    assert!(!format!("{:?}", login()).contains("Abc12345"));
}

#[tokio::test]
async fn challenges_are_spelled_as_in_the_field() {
    async fn check(form: ChallengeForm, expected: &[&str]) {
        let terminal = start(
            entrance()
                .challenge_form(form)
                .offer(Offer::Both)
                .realm("R(1)"),
        )
        .await;
        let answer = unsigned(&terminal, "GET", INFO).await;
        let nonce = &parse_digest(answer.challenges()[0]).unwrap()["nonce"];
        let expected: Vec<String> = expected
            .iter()
            .map(|text| text.replace('N', nonce))
            .collect();
        assert_eq!(answer.challenges(), expected);
    }
    check(
        ChallengeForm::Terminal,
        &[
            "Digest qop=\"auth\", realm=\"R(1)\", nonce=\"N\", stale=\"false\", opaque=\"\", domain=\"::\", algorithm=SHA-256",
            "Digest qop=\"auth\", realm=\"R(1)\", nonce=\"N\", stale=\"false\", opaque=\"\", domain=\"::\"",
        ],
    )
    .await;
    check(
        ChallengeForm::Camera,
        &[
            "Digest qop=\"auth\", realm=\"R(1)\", nonce=\"N\", stale=\"FALSE\", algorithm=SHA-256",
            "Digest qop=\"auth\", realm=\"R(1)\", nonce=\"N\", stale=\"FALSE\"",
        ],
    )
    .await;
    let terminal = start(
        entrance()
            .challenge_form(ChallengeForm::Quoted)
            .offer(Offer::Both),
    )
    .await;
    let answer = unsigned(&terminal, "GET", INFO).await;
    let [both] = answer.challenges()[..] else {
        panic!("one header")
    };
    assert!(both.contains("algorithm=\"SHA256\", stale=\"FALSE\", Digest realm="));
    assert!(both.ends_with("algorithm=\"MD5\", stale=\"FALSE\""));
}

#[tokio::test]
async fn each_offer_takes_what_it_offers() {
    async fn check(offer: Offer, challenge: usize, expected: u16) {
        let terminal = start(entrance().offer(offer)).await;
        let answer = unsigned(&terminal, "GET", INFO).await;
        let authorization = sign(&login(), answer.challenges()[challenge], "GET", INFO, 1);
        let answer = exchange(&terminal, &request("GET", INFO, Some(&authorization), "")).await;
        assert_eq!(response(&answer).status, expected, "{offer:?}");
    }
    check(Offer::Md5, 0, 200).await;
    check(Offer::Sha256, 0, 200).await;
    check(Offer::Both, 0, 200).await;
    check(Offer::Both, 1, 200).await;
    check(Offer::BothButOnlyMd5Works, 0, 401).await;
    check(Offer::BothButOnlyMd5Works, 1, 200).await;
    for form in [
        ChallengeForm::Terminal,
        ChallengeForm::Quoted,
        ChallengeForm::Camera,
    ] {
        assert_eq!(
            get(&start(entrance().challenge_form(form)).await, INFO)
                .await
                .status,
            200
        );
    }

    let basic = start(entrance().offer(Offer::Basic)).await;
    let answer = unsigned(&basic, "GET", INFO).await;
    assert!(answer.challenges()[0].starts_with("Basic realm=\"DS-"));
    for (pair, expected) in [("operator:Abc12345", 200), ("operator:guess", 401)] {
        let authorization = format!("Basic {}", base64(pair.as_bytes()));
        let answer = exchange(&basic, &request("GET", INFO, Some(&authorization), "")).await;
        assert_eq!(response(&answer).status, expected);
    }
    assert_eq!(basic.counts().refused_sign_ins, 1);
}

#[tokio::test]
async fn a_sign_in_must_fit_the_request_in_every_field() {
    let terminal = start(entrance().lock_out(LockOut {
        attempts: 99,
        ..LockOut::default()
    }))
    .await;
    let challenge = unsigned(&terminal, "GET", INFO).await;
    let good = sign(&login(), challenge.challenges()[0], "GET", INFO, 1);
    let spoil = |from: &str, to: &str| {
        assert!(good.contains(from), "{from}");
        good.replace(from, to)
    };
    let bad = [
        spoil("username=\"operator\"", "username=\"admin\""),
        spoil("realm=\"DS-", "realm=\"XX-"),
        spoil("uri=\"/ISAPI", "uri=\"/PSIA"),
        spoil("opaque=\"\"", "opaque=\"x\""),
        spoil(", opaque=\"\"", ""),
        spoil("qop=auth", "qop=auth-int"),
        spoil("nc=00000001", "nc=1"),
        spoil("response=\"", "response=\"0"),
        spoil("Digest ", "Basic "),
        sign(
            &Login::new("operator", "guess"),
            challenge.challenges()[0],
            "GET",
            INFO,
            1,
        ),
        sign(&login(), challenge.challenges()[0], "POST", INFO, 1),
        sign(
            &login(),
            challenge.challenges()[0],
            "GET",
            "/ISAPI/System/time",
            1,
        ),
    ];
    for authorization in &bad {
        let answer = exchange(&terminal, &request("GET", INFO, Some(authorization), "")).await;
        assert_eq!(response(&answer).status, 401, "{authorization}");
    }
    assert_eq!(terminal.counts().refused_sign_ins, bad.len() as u64);
    let answer = exchange(&terminal, &request("GET", INFO, Some(&good), "")).await;
    assert_eq!(response(&answer).status, 200);
}

/// Signs `INFO` with one challenge and the given counts (`(path, nc)`); the status and `stale` of each answer.
async fn reuse(terminal: &RunningTerminal, requests: &[(&str, u32)]) -> Vec<(u16, String)> {
    let challenge = unsigned(terminal, "GET", INFO).await;
    let mut answers = Vec::new();
    for (target, count) in requests {
        let authorization = sign(&login(), challenge.challenges()[0], "GET", target, *count);
        let answer = exchange(terminal, &request("GET", target, Some(&authorization), "")).await;
        let answer = response(&answer);
        let stale = answer
            .challenges()
            .first()
            .map_or_else(String::new, |challenge| {
                parse_digest(challenge).unwrap()["stale"].clone()
            });
        answers.push((answer.status, stale));
    }
    answers
}

#[tokio::test]
async fn nonces_last_as_long_as_set() {
    const TIME: &str = "/ISAPI/System/time";
    async fn check(nonces: Nonces, requests: &[(&str, u32)], expected: &[u16]) {
        let terminal = start(entrance().nonces(nonces)).await;
        let answers = reuse(&terminal, requests).await;
        let statuses: Vec<u16> = answers.iter().map(|(status, _)| *status).collect();
        assert_eq!(statuses, expected, "{nonces:?}");
        assert!(
            answers
                .iter()
                .all(|(status, stale)| (*status == 401) == (stale == "true"))
        );
        let stale = expected.iter().filter(|status| **status == 401).count() as u64;
        let counts = terminal.counts();
        assert_eq!((counts.stale, counts.refused_sign_ins), (stale, 0));
    }
    check(
        Nonces::Reusable,
        &[(INFO, 1), (TIME, 2), (INFO, 9)],
        &[200, 200, 200],
    )
    .await;
    check(
        Nonces::Reusable,
        &[(INFO, 2), (INFO, 2), (INFO, 1), (INFO, 3)],
        &[200, 401, 401, 200],
    )
    .await;
    check(Nonces::SingleUse, &[(INFO, 1), (INFO, 2)], &[200, 401]).await;
    check(
        Nonces::Expiring { uses: 2 },
        &[(INFO, 1), (INFO, 2), (INFO, 3)],
        &[200, 200, 401],
    )
    .await;
    check(
        Nonces::BoundToUri,
        &[(INFO, 1), (TIME, 2), (INFO, 3)],
        &[200, 401, 200],
    )
    .await;

    let quiet = start(entrance().nonces(Nonces::SingleUse).hides_staleness()).await;
    let answers = reuse(&quiet, &[(INFO, 1), (INFO, 2)]).await;
    assert_eq!(answers[1], (401, "false".to_owned()));
    assert_eq!(quiet.counts().refused_sign_ins, 0);

    let stale = start(entrance().fault(Fault::AlwaysStale)).await;
    assert_eq!(
        reuse(&stale, &[(INFO, 1)]).await,
        [(401, "true".to_owned())]
    );
    stale.clear_faults();
    assert_eq!(reuse(&stale, &[(INFO, 1)]).await, [(200, String::new())]);
}

#[tokio::test]
async fn wrong_passwords_lock_until_the_terminals_clock_says_so() {
    let terminal = start(entrance()).await;
    let wrong = Login::new("operator", "guess");
    for left in [4, 3, 2, 1] {
        let answer = response(&signed_bytes(&terminal, &wrong, "GET", INFO, "").await);
        assert_eq!((answer.status, answer.challenges().len()), (401, 1));
        let body = answer.text();
        assert!(body.contains("<lockStatus>unlock</lockStatus>"));
        assert!(body.contains(&format!("<retryLoginTime>{left}</retryLoginTime>")));
    }
    let answer = response(&signed_bytes(&terminal, &wrong, "GET", INFO, "").await);
    assert_eq!((answer.status, answer.challenges().len()), (401, 0));
    assert!(
        answer
            .text()
            .contains("<lockStatus>lock</lockStatus>\n<unlockTime>1800</unlockTime>")
    );

    terminal.set_clock(stopped(noon() + 10.minutes()));
    let answer = unsigned(&terminal, "GET", INFO).await;
    assert!(answer.text().contains("<unlockTime>1200</unlockTime>"));
    let counts = terminal.counts();
    assert_eq!(
        (
            counts.refused_sign_ins,
            counts.while_locked,
            counts.unsigned
        ),
        (5, 1, 5)
    );

    terminal.set_clock(stopped(noon() + 30.minutes()));
    assert_eq!(get(&terminal, INFO).await.status, 200);
}

#[tokio::test]
async fn a_good_sign_in_forgets_the_bad_ones() {
    let terminal = start(entrance()).await;
    let wrong = Login::new("operator", "guess");
    signed_bytes(&terminal, &wrong, "GET", INFO, "").await;
    assert_eq!(get(&terminal, INFO).await.status, 200);
    let answer = response(&signed_bytes(&terminal, &wrong, "GET", INFO, "").await);
    assert!(answer.text().contains("<retryLoginTime>4</retryLoginTime>"));
    terminal.set_password("guess");
    let answer = response(&signed_bytes(&terminal, &wrong, "GET", INFO, "").await);
    assert_eq!(answer.status, 200);
}

#[tokio::test]
async fn a_locked_terminal_answers_as_set() {
    let locks = |answer| LockOut {
        attempts: 1,
        minutes: 30,
        answer,
    };
    let wrong = Login::new("operator", "guess");
    let forbidding = start(entrance().lock_out(locks(LockedAnswer::Forbidden))).await;
    let answer = response(&signed_bytes(&forbidding, &wrong, "GET", INFO, "").await);
    assert_eq!(answer.status, 403);
    let dropping = start(entrance().lock_out(locks(LockedAnswer::Dropped))).await;
    assert!(
        signed_bytes(&dropping, &wrong, "GET", INFO, "")
            .await
            .is_empty()
    );
    assert_eq!(dropping.asked()[1].status, 0);
    let faulty = start(entrance().fault(Fault::Locked)).await;
    assert!(
        unsigned(&faulty, "GET", INFO)
            .await
            .text()
            .contains("<unlockTime>1768</unlockTime>")
    );
}

#[tokio::test]
async fn pages_hold_what_the_firmware_allows_and_lose_nothing() {
    let terminal = start(entrance().events(punches(70)).first_serial(2_999_999_000)).await;
    let mut seen = Vec::new();
    for expected in ["MORE", "MORE", "OK"] {
        let page = page(&terminal, seen.len(), json!({ "maxResults": 50 })).await;
        assert_eq!(
            (&page["responseStatusStrg"], &page["totalMatches"]),
            (&json!(expected), &json!(70))
        );
        assert_eq!(page["numOfMatches"], serials(&page).len());
        seen.extend(serials(&page));
    }
    assert_eq!(seen, (2_999_999_000..2_999_999_070).collect::<Vec<u64>>());

    let empty = start(
        entrance()
            .events(punches(70))
            .page_cap(10)
            .over_cap(OverCap::Empty),
    )
    .await;
    assert!(serials(&page(&empty, 0, json!({})).await).is_empty());
    assert_eq!(
        serials(&page(&empty, 0, json!({ "maxResults": 10 })).await).len(),
        10
    );
}

#[tokio::test]
async fn nothing_found_has_no_list() {
    let terminal = start(entrance()).await;
    let answer = page(&terminal, 0, json!({})).await;
    let expected = json!({"searchID": "bb94da74", "responseStatusStrg": "NO MATCH", "numOfMatches": 0, "totalMatches": 0});
    assert_eq!(answer, expected);
}

#[tokio::test]
async fn conditions_choose_rows() {
    let events = [
        Event::new(3, 1029, at(7, 59)),
        Event::card("1042", at(8, 0)).status("checkIn"),
        Event::fingerprint("7", at(8, 1)).verify_mode("cardOrFaceOrFp"),
        Event::face("007", at(8, 2)),
        Event::new(5, 76, at(8, 3)).employee("0"),
        Event::new(5, 21, at(8, 4)),
        Event::face("1042", at(7, 30)),
    ];
    let terminal = start(entrance().events(events)).await;
    async fn check(terminal: &RunningTerminal, cond: Value, expected: &[u64]) {
        assert_eq!(
            serials(&page(terminal, 0, cond.clone()).await),
            expected,
            "{cond}"
        );
        let mut total = json!({"major": 5, "minor": 0});
        total
            .as_object_mut()
            .unwrap()
            .extend(cond.as_object().unwrap().clone());
        let total = json!({ "AcsEventTotalNumCond": total });
        let answer = post(
            terminal,
            "/ISAPI/AccessControl/AcsEventTotalNum?format=json",
            &total,
        )
        .await;
        assert_eq!(
            answer.json(),
            json!({"AcsEventTotalNum": {"totalNum": expected.len()}})
        );
    }
    check(&terminal, json!({}), &[2, 3, 4, 5, 6, 7]).await;
    check(&terminal, json!({"major": 0}), &[1, 2, 3, 4, 5, 6, 7]).await;
    check(&terminal, json!({"major": 3}), &[1]).await;
    check(&terminal, json!({"minor": 75}), &[4, 7]).await;
    check(
        &terminal,
        json!({"beginSerialNo": 3, "endSerialNo": 5}),
        &[3, 4, 5],
    )
    .await;
    check(&terminal, json!({"beginSerialNo": 9}), &[]).await;
    check(
        &terminal,
        json!({"beginSerialNo": 5, "endSerialNo": 3}),
        &[],
    )
    .await;
    // Both ends belong to the window; any offset names the same instant.
    let window =
        json!({"startTime": "2026-03-02T08:00:00+01:00", "endTime": "2026-03-02T07:02:00Z"});
    check(&terminal, window, &[2, 3, 4]).await;
    check(&terminal, json!({"startTime": "2026-03-02T08:04:00"}), &[6]).await;
    check(&terminal, json!({"employeeNoString": "7"}), &[3]).await;
    check(&terminal, json!({"cardNo": "0012345678"}), &[2]).await;
    check(
        &terminal,
        json!({"timeReverseOrder": true}),
        &[7, 6, 5, 4, 3, 2],
    )
    .await;

    let rows =
        page(&terminal, 0, json!({"beginSerialNo": 2, "endSerialNo": 6})).await["InfoList"].clone();
    assert_eq!(
        rows[0],
        json!({"major": 5, "minor": 1, "time": "2026-03-02T08:00:00+01:00", "cardNo": "0012345678", "cardType": 1,
            "name": "Aziza K.", "cardReaderNo": 1, "doorNo": 1, "employeeNoString": "1042", "serialNo": 2,
            "userType": "normal", "currentVerifyMode": "cardOrFace", "attendanceStatus": "checkIn", "label": "",
            "statusValue": 0, "mask": "no"})
    );
    assert_eq!(
        (&rows[1]["currentVerifyMode"], &rows[1]["name"]),
        (&json!("cardOrFaceOrFp"), &Value::Null)
    );
    assert_eq!(
        (&rows[2]["attendanceStatus"], &rows[3]["employeeNoString"]),
        (&json!("undefined"), &json!("0"))
    );
    assert_eq!(
        rows[4],
        json!({"major": 5, "minor": 21, "time": "2026-03-02T08:04:00+01:00", "doorNo": 1, "serialNo": 6,
            "currentVerifyMode": "invalid", "mask": "unknown"})
    );
}

#[tokio::test]
async fn firmware_habits_show_in_rows_and_searches() {
    let plain = start(
        entrance()
            .events(punches(3))
            .attendance_mode(false)
            .ignores_serials(),
    )
    .await;
    let answer = page(&plain, 0, json!({"beginSerialNo": 3, "endSerialNo": 3})).await;
    assert_eq!(serials(&answer), [1, 2, 3]);
    assert!(answer["InfoList"][0].get("attendanceStatus").is_none());

    let window =
        json!({"startTime": "2026-03-02T08:01:00+00:00", "endTime": "2026-03-02T08:01:00+01:00"});
    for (notation, expected) in [
        (TimeNotation::Bare, "2026-03-02T08:01:00"),
        (TimeNotation::WallMarkedUtc, "2026-03-02T08:01:00+00:00"),
    ] {
        let terminal = start(entrance().events(punches(3)).time_notation(notation)).await;
        let answer = page(&terminal, 0, window.clone()).await;
        assert_eq!(
            (serials(&answer), &answer["InfoList"][0]["time"]),
            (vec![2], &json!(expected))
        );
    }

    let keeping = start(entrance().events(punches(3)).keeps_searches()).await;
    assert_eq!(
        serials(&page(&keeping, 0, json!({"minor": 75})).await),
        [1, 2, 3]
    );
    keeping.punch("1042", at(9, 0));
    assert_eq!(
        serials(&page(&keeping, 0, json!({"minor": 1})).await),
        [1, 2, 3]
    );
    assert_eq!(
        serials(&page(&keeping, 0, json!({"searchID": "other"})).await),
        [1, 2, 3, 4]
    );
}

#[tokio::test]
async fn wrong_questions_get_the_answers_of_real_firmware() {
    let terminal = start(entrance().events(punches(1))).await;
    async fn check(
        terminal: &RunningTerminal,
        method: &str,
        target: &str,
        body: &str,
        expected: (u16, u64, &str),
    ) {
        let answer = response(&signed_bytes(terminal, &login(), method, target, body).await);
        let (code, sub) = if target.contains("format=json") {
            let json = answer.json();
            (
                json["statusCode"].as_u64().unwrap(),
                json["subStatusCode"].as_str().unwrap().to_owned(),
            )
        } else {
            let text = answer.text();
            let field = |name: &str| {
                let from = text.find(&format!("<{name}>")).unwrap() + name.len() + 2;
                text[from..].split('<').next().unwrap().to_owned()
            };
            (field("statusCode").parse().unwrap(), field("subStatusCode"))
        };
        assert_eq!(
            (answer.status, code, sub.as_str()),
            expected,
            "{method} {target} {body}"
        );
    }
    let ok = r#"{"AcsEventCond":{"searchID":"a","searchResultPosition":0,"maxResults":30,"major":5,"minor":0}}"#;
    for path in [
        "/ISAPI/AccessControl/Attendance",
        "/ISAPI/Event/triggers",
        "/ISAPI/event/notification/alertStream",
    ] {
        check(&terminal, "GET", path, "", (403, 4, "notSupport")).await;
        check(
            &terminal,
            "GET",
            &format!("{path}?format=json"),
            "",
            (403, 4, "notSupport"),
        )
        .await;
    }
    check(&terminal, "GET", SEARCH, "", (405, 4, "methodNotAllowed")).await;
    check(&terminal, "PUT", INFO, "", (405, 4, "methodNotAllowed")).await;
    check(
        &terminal,
        "POST",
        SEARCH,
        "<AcsEventCond/>",
        (400, 5, "badJsonFormat"),
    )
    .await;
    check(
        &terminal,
        "POST",
        "/ISAPI/AccessControl/AcsEvent",
        ok,
        (400, 5, "badXmlFormat"),
    )
    .await;
    for field in [
        "searchID",
        "searchResultPosition",
        "maxResults",
        "major",
        "minor",
    ] {
        let lacks = ok.replace(field, "unknown");
        check(
            &terminal,
            "POST",
            SEARCH,
            &lacks,
            (400, 6, "MessageParametersLack"),
        )
        .await;
    }
    for (good, bad) in [
        ("\"maxResults\":30", "\"maxResults\":0"),
        ("\"maxResults\":30", "\"maxResults\":\"30\""),
        ("\"searchID\":\"a\"", "\"searchID\":\"\""),
        ("\"minor\":0", "\"minor\":0,\"startTime\":\"2026-03-02\""),
        (
            "\"minor\":0",
            "\"minor\":0,\"startTime\":\"2026-02-30T00:00:00+01:00\"",
        ),
        ("\"minor\":0", "\"minor\":0,\"beginSerialNo\":0"),
    ] {
        assert!(ok.contains(good));
        check(
            &terminal,
            "POST",
            SEARCH,
            &ok.replace(good, bad),
            (400, 6, "badParameters"),
        )
        .await;
    }
    assert_eq!(get(&terminal, "/index.asp").await.status, 404);
    let last = terminal.asked().pop().unwrap();
    assert_eq!(
        (last.method.as_str(), last.target.as_str(), last.status),
        ("GET", "/index.asp", 404)
    );
}

#[tokio::test]
async fn some_firmware_refuses_in_xml_what_was_asked_in_json() {
    let terminal = start(entrance().refuses_in_xml()).await;
    let answer = get(&terminal, SEARCH).await;
    assert_eq!(answer.status, 405);
    let text = answer.text();
    assert!(text.contains("<requestURL>/ISAPI/AccessControl/AcsEvent?format=json</requestURL>"));
    assert!(text.contains("<subStatusCode>methodNotAllowed</subStatusCode>"));
    // A good question is answered as before.
    assert_eq!(page(&terminal, 0, json!({})).await["totalMatches"], 0);
}

#[tokio::test]
async fn people_and_cards_are_listed_by_pages() {
    let terminal = start(entrance().page_cap(2)).await;
    terminal.add_user(User::new("7", "Bo"));
    terminal.add_user(User::new("007", "Cy").card("12").user_type("visitor"));
    let count = get(&terminal, "/ISAPI/AccessControl/UserInfo/Count?format=json")
        .await
        .json();
    assert_eq!(count["UserInfoCount"]["userNumber"], 3);

    let users = "/ISAPI/AccessControl/UserInfo/Search?format=json";
    let cond = |position: u32| json!({"UserInfoSearchCond": {"searchID": "a", "searchResultPosition": position, "maxResults": 30}});
    let first = post(&terminal, users, &cond(0)).await.json()["UserInfoSearch"].clone();
    assert_eq!(
        (&first["responseStatusStrg"], &first["totalMatches"]),
        (&json!("MORE"), &json!(3))
    );
    assert_eq!(
        (
            &first["UserInfo"][0]["employeeNo"],
            &first["UserInfo"][0]["numOfCard"]
        ),
        (&json!("1042"), &json!(1))
    );
    let last = post(&terminal, users, &cond(2)).await.json()["UserInfoSearch"].clone();
    assert_eq!(
        (
            &last["responseStatusStrg"],
            &last["UserInfo"][0]["userType"]
        ),
        (&json!("OK"), &json!("visitor"))
    );
    let mut one = cond(0);
    one["UserInfoSearchCond"]["EmployeeNoList"] = json!([{"employeeNo": "7"}]);
    let one = post(&terminal, users, &one).await.json()["UserInfoSearch"].clone();
    assert_eq!(
        (&one["totalMatches"], &one["UserInfo"][0]["name"]),
        (&json!(1), &json!("Bo"))
    );

    let cards = json!({"CardInfoSearchCond": {"searchID": "a", "searchResultPosition": 0, "maxResults": 30}});
    let cards = post(
        &terminal,
        "/ISAPI/AccessControl/CardInfo/Search?format=json",
        &cards,
    )
    .await
    .json();
    assert_eq!(
        cards["CardInfoSearch"]["CardInfo"],
        json!([{"employeeNo": "1042", "cardNo": "0012345678", "cardType": "normalCard"},
            {"employeeNo": "007", "cardNo": "12", "cardType": "normalCard"}])
    );
    assert!(terminal.remove_user("1042"));
    let count = get(&terminal, "/ISAPI/AccessControl/CardInfo/Count?format=json")
        .await
        .json();
    assert_eq!(count["CardInfoCount"]["cardNumber"], 1);
}

#[tokio::test]
async fn capabilities_announce_the_page_size() {
    let terminal = start(
        entrance()
            .page_cap(10)
            .announced_page_cap(30)
            .ignores_serials(),
    )
    .await;
    let events = get(
        &terminal,
        "/ISAPI/AccessControl/AcsEvent/capabilities?format=json",
    )
    .await
    .json();
    let cond = &events["AcsEvent"]["AcsEventCond"];
    assert_eq!(
        (&cond["maxResults"]["@max"], cond.get("beginSerialNo")),
        (&json!(30), None)
    );
    let xml = get(&terminal, "/ISAPI/AccessControl/capabilities")
        .await
        .text();
    assert!(xml.contains("<isSupportAcsEvent>true</isSupportAcsEvent>"));
    let check = get(&terminal, "/ISAPI/Security/userCheck").await.text();
    assert!(check.contains("<statusValue>200</statusValue>"));
}

#[tokio::test]
async fn events_come_while_it_runs_and_serials_begin_again() {
    let terminal = start(entrance().events(punches(2)).noise(3)).await;
    assert_eq!(terminal.event_count(), 8);
    assert_eq!(terminal.punch("1042", noon()), 10);
    let answer = page(&terminal, 0, json!({"minor": 75})).await;
    assert_eq!(serials(&answer), [2, 6, 10]);
    assert_eq!(answer["InfoList"][2]["time"], "2026-03-02T12:00:00+01:00");
    terminal.reset_serials();
    assert_eq!(
        page(&terminal, 0, json!({})).await["responseStatusStrg"],
        "NO MATCH"
    );
    assert_eq!(terminal.push(Event::new(3, 1031, at(12, 0))), 1);
}

#[tokio::test]
async fn counts_what_it_is_asked() {
    let terminal = start(entrance().answers_after(Duration::from_millis(200))).await;
    tokio::join!(get(&terminal, INFO), get(&terminal, "/ISAPI/System/time"));
    let counts = terminal.counts();
    assert_eq!(
        (
            counts.connections,
            counts.requests,
            counts.signed,
            counts.unsigned
        ),
        (4, 4, 2, 2)
    );
    assert_eq!((counts.by_path[INFO], counts.most_at_once), (2, 2));
    assert!(counts.bytes_in > 200 && counts.bytes_out > 1000);
    terminal.reset_counts();
    assert_eq!(
        (terminal.counts(), terminal.asked()),
        (Counts::default(), vec![])
    );
}

#[tokio::test]
async fn connections_are_kept_only_when_set() {
    let terminal = start(entrance().keeps_alive()).await;
    let mut stream = TcpStream::connect(terminal.addr()).await.unwrap();
    for _ in 0..3 {
        stream
            .write_all(request("GET", INFO, None, "").as_bytes())
            .await
            .unwrap();
        let mut bytes = Vec::new();
        while !bytes.ends_with(b"</userCheck>\n") {
            assert!(stream.read_buf(&mut bytes).await.unwrap() > 0);
        }
        assert!(response(&bytes).head.contains("Connection: keep-alive"));
    }
    assert_eq!(
        (terminal.counts().connections, terminal.counts().requests),
        (1, 3)
    );
    let closing = request("GET", INFO, None, "").replace("Host:", "Connection: close\r\nHost:");
    assert!(
        response(&exchange(&terminal, &closing).await)
            .head
            .contains("Connection: close")
    );
}

#[tokio::test]
async fn it_goes_offline_and_comes_back_on_its_port() {
    let terminal = start(entrance().events(punches(1)).keeps_alive()).await;
    let mut idle = TcpStream::connect(terminal.addr()).await.unwrap();
    idle.write_all(request("GET", INFO, None, "").as_bytes())
        .await
        .unwrap();
    let mut bytes = vec![0; 4096];
    assert!(idle.read(&mut bytes).await.unwrap() > 0);
    for round in 0..3 {
        let challenge = unsigned_closing(&terminal).await;
        if round == 1 {
            terminal.set_fault(Fault::RefuseConnection);
        } else {
            terminal.go_offline();
        }
        let error = TcpStream::connect(terminal.addr()).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
        terminal.go_offline();
        if round == 1 {
            terminal.clear_faults();
        } else {
            terminal.go_online().unwrap();
        }
        // The nonce of before is forgotten, the log is not.
        let authorization = sign(&login(), challenge.challenges()[0], "GET", INFO, 1);
        let again = request("GET", INFO, Some(&authorization), "")
            .replace("Host:", "Connection: close\r\nHost:");
        assert_eq!(response(&exchange(&terminal, &again).await).status, 401);
        assert_eq!(
            (terminal.event_count(), terminal.counts().refused_sign_ins),
            (1, 0)
        );
    }
    assert!(matches!(idle.read(&mut bytes).await, Ok(0) | Err(_)));
}

async fn unsigned_closing(terminal: &RunningTerminal) -> Response {
    let closing = request("GET", INFO, None, "").replace("Host:", "Connection: close\r\nHost:");
    response(&exchange(terminal, &closing).await)
}

#[tokio::test]
async fn dropping_it_ends_everything() {
    let terminal = start(entrance().fault(Fault::Silent)).await;
    let addr = terminal.addr();
    let mut waiting = TcpStream::connect(addr).await.unwrap();
    waiting
        .write_all(request("GET", INFO, None, "").as_bytes())
        .await
        .unwrap();
    while terminal.counts().requests == 0 {
        tokio::task::yield_now().await;
    }
    drop(terminal);
    let ended = timeout(Duration::from_secs(5), waiting.read(&mut [0; 16]))
        .await
        .unwrap();
    assert!(matches!(ended, Ok(0) | Err(_)));
    assert!(TcpStream::connect(addr).await.is_err());
}

// Faults of the line.

/// What arrives of a signed `INFO` while `fault` holds: the bytes until nothing comes for a second, at most a few
/// megabytes, and whether the terminal closed.
async fn faulty_info(fault: Fault) -> (Vec<u8>, bool) {
    let terminal = start(entrance().fault(fault)).await;
    let challenge = unsigned(&terminal, "GET", INFO).await;
    let authorization = sign(&login(), challenge.challenges()[0], "GET", INFO, 1);
    let mut stream = TcpStream::connect(terminal.addr()).await.unwrap();
    let asked = request("GET", INFO, Some(&authorization), "");
    stream.write_all(asked.as_bytes()).await.unwrap();
    let mut bytes = Vec::new();
    while bytes.len() < 4 << 20 {
        let read = timeout(Duration::from_secs(1), stream.read_buf(&mut bytes));
        match read.await {
            Ok(Ok(0)) => return (bytes, true),
            Ok(read) => read.unwrap(),
            Err(_) => break,
        };
    }
    (bytes, false)
}

fn announced(response: &Response) -> u64 {
    let line = response
        .head
        .lines()
        .find_map(|line| line.strip_prefix("Content-Length: "));
    line.unwrap().parse().unwrap()
}

#[tokio::test]
async fn bodies_are_cut_or_stall_half_way() {
    for (fault, closes) in [(Fault::CutMidBody, true), (Fault::StallMidBody, false)] {
        let (bytes, closed) = faulty_info(fault).await;
        let answer = response(&bytes);
        assert_eq!((answer.status, closed), (200, closes));
        assert_eq!(answer.body.len() as u64, announced(&answer) / 2);
    }
}

#[tokio::test]
async fn lengths_are_wrong_by_what_was_set() {
    for by in [-5, 7] {
        let (bytes, closed) = faulty_info(Fault::WrongContentLength(by)).await;
        let answer = response(&bytes);
        assert!(closed && answer.text().ends_with("</DeviceInfo>\n"));
        assert_eq!(announced(&answer) as i64, answer.body.len() as i64 + by);
    }
}

#[tokio::test]
async fn garbage_is_no_http_or_no_body() {
    let (bytes, closed) = faulty_info(Fault::Garbage).await;
    assert!(closed && !bytes.is_empty() && !bytes.starts_with(b"HTTP"));
    let (bytes, closed) = faulty_info(Fault::GarbageBody).await;
    let answer = response(&bytes);
    assert!(closed && answer.status == 200 && std::str::from_utf8(&answer.body).is_err());
    assert_eq!(announced(&answer), answer.body.len() as u64);
}

#[tokio::test]
async fn a_huge_body_goes_on_for_as_long_as_it_is_read() {
    let (bytes, closed) = faulty_info(Fault::HugeBody).await;
    assert!(!closed && bytes.len() >= 4 << 20);
    assert_eq!(announced(&response(&bytes)), 4 << 30);

    let (bytes, closed) = faulty_info(Fault::EndlessBody).await;
    assert!(!closed && bytes.len() >= 4 << 20);
    assert!(!response(&bytes).head.contains("Content-Length"));
}

#[tokio::test]
async fn slow_and_dribbled_answers_are_whole_in_the_end() {
    for fault in [
        Fault::Slow(Duration::from_millis(60)),
        Fault::Dribble(Duration::from_micros(100)),
    ] {
        let terminal = start(entrance().fault(fault)).await;
        let began = std::time::Instant::now();
        let answer = get(&terminal, INFO).await;
        assert!(answer.text().ends_with("</DeviceInfo>\n"));
        assert!(began.elapsed() >= Duration::from_millis(60));
    }
}

#[tokio::test]
async fn a_silent_terminal_takes_the_request_and_says_nothing() {
    let terminal = start(entrance().fault(Fault::Silent.on(INFO))).await;
    let mut stream = TcpStream::connect(terminal.addr()).await.unwrap();
    stream
        .write_all(request("GET", INFO, None, "").as_bytes())
        .await
        .unwrap();
    let read = timeout(Duration::from_millis(100), stream.read(&mut [0; 16])).await;
    assert!(read.is_err());
    assert_eq!(terminal.asked()[0].status, 0);
    assert_eq!(
        unsigned(&terminal, "GET", "/ISAPI/System/time")
            .await
            .status,
        401
    );
}

#[tokio::test]
async fn refusals_that_are_no_wrong_password() {
    async fn check(fault: Fault, status: u16, says: &str) {
        let terminal = start(entrance().fault(fault)).await;
        let answer = unsigned(&terminal, "GET", INFO).await;
        assert_eq!((answer.status, answer.challenges().len()), (status, 0));
        assert!(answer.text().contains(says));
        assert_eq!(terminal.counts().refused_sign_ins, 0);
    }
    check(
        Fault::Busy,
        503,
        "<subStatusCode>deviceBusy</subStatusCode>",
    )
    .await;
    check(Fault::BareUnauthorized, 401, "<html>").await;
    let terminal = start(entrance().fault(Fault::ErrorInOk)).await;
    let answer = post(&terminal, SEARCH, &json!({})).await;
    assert_eq!(
        (answer.status, &answer.json()["statusCode"]),
        (200, &json!(3))
    );
}

// Faults of the firmware.

#[tokio::test]
async fn a_fault_can_wait_for_the_second_page() {
    let terminal = start(entrance().events(punches(70))).await;
    terminal.set_fault(
        Fault::ErrorInOk
            .on("/ISAPI/AccessControl/AcsEvent")
            .after(1)
            .times(1),
    );
    let mut codes = Vec::new();
    for position in [0, 30, 30, 60] {
        let answer = page(&terminal, position, json!({})).await;
        codes.push(serials(&answer).len());
    }
    assert_eq!(codes, [30, 0, 30, 10]);
}

#[tokio::test]
async fn searches_that_never_end() {
    let terminal = start(entrance().events(punches(3)).fault(Fault::MoreForever)).await;
    for position in [0, 3, 300] {
        let answer = page(&terminal, position, json!({})).await;
        assert_eq!(
            (serials(&answer), &answer["responseStatusStrg"]),
            (vec![1, 2, 3], &json!("MORE"))
        );
    }
    terminal.clear_faults();
    terminal.set_fault(Fault::EmptyPages);
    let answer = page(&terminal, 0, json!({})).await;
    assert_eq!(
        (answer.get("InfoList"), &answer["responseStatusStrg"]),
        (None, &json!("MORE"))
    );
    assert_eq!(
        (&answer["numOfMatches"], &answer["totalMatches"]),
        (&json!(0), &json!(3))
    );
}

#[tokio::test]
async fn searches_that_say_too_little_or_too_much() {
    let terminal = start(entrance().events(punches(40))).await;
    let check = async |fault: Fault, status: Value, total: Value| {
        terminal.clear_faults();
        terminal.set_fault(fault);
        let first = page(&terminal, 0, json!({})).await;
        assert_eq!(
            (serials(&first).len(), &first["totalMatches"]),
            (30, &total)
        );
        assert_eq!(first["responseStatusStrg"], status);
    };
    check(Fault::OkEarly, json!("OK"), json!(40)).await;
    check(Fault::NoStatus, Value::Null, json!(40)).await;
    check(Fault::HighTotal, json!("MORE"), json!(41)).await;
}

#[tokio::test]
async fn rows_come_and_go_between_pages() {
    let terminal = start(entrance().events(punches(40)).fault(Fault::RowArrives)).await;
    assert_eq!(page(&terminal, 0, json!({})).await["totalMatches"], 40);
    let second = page(&terminal, 30, json!({})).await;
    assert_eq!(
        (serials(&second).last(), &second["totalMatches"]),
        (Some(&41), &json!(41))
    );
    assert_eq!(second["InfoList"][10]["time"], "2026-03-02T12:00:00+01:00");

    let terminal = start(entrance().events(punches(40)).fault(Fault::RowLost)).await;
    assert_eq!(
        serials(&page(&terminal, 0, json!({})).await).last(),
        Some(&30)
    );
    // Row 31 has moved to position 29.
    assert_eq!(
        serials(&page(&terminal, 30, json!({})).await).first(),
        Some(&32)
    );
}

#[tokio::test]
async fn bodies_with_other_shapes() {
    let terminal = start(entrance().events(punches(1))).await;
    terminal.set_fault(Fault::StringNumbers);
    terminal.set_fault(Fault::BareObject);
    let answer = page(&terminal, 0, json!({})).await;
    assert_eq!(
        (&answer["totalMatches"], &answer["InfoList"]["serialNo"]),
        (&json!("1"), &json!("1"))
    );
    assert_eq!(answer["InfoList"]["employeeNoString"], "1042");
}

#[tokio::test]
async fn rows_that_cannot_be_a_punch() {
    let terminal = start(entrance().events(punches(3))).await;
    terminal.set_fault(Fault::MissingEmployeeNo(Some(1)));
    terminal.set_fault(Fault::ImpossibleTime(Some(2)));
    let rows = page(&terminal, 0, json!({})).await["InfoList"].clone();
    assert_eq!(
        (rows[0].get("employeeNoString"), rows[0].get("name")),
        (None, None)
    );
    assert_eq!(rows[1]["time"], "2026-02-30T25:61:00+01:00");
    assert_eq!(
        (&rows[2]["employeeNoString"], &rows[2]["time"]),
        (&json!("1042"), &json!("2026-03-02T08:02:00+01:00"))
    );
    terminal.set_fault(Fault::MissingEmployeeNo(None));
    let rows = page(&terminal, 0, json!({})).await["InfoList"].clone();
    assert!(
        rows.as_array()
            .unwrap()
            .iter()
            .all(|row| row.get("employeeNoString").is_none())
    );
}

#[tokio::test]
async fn names_that_are_no_utf8() {
    let terminal = start(entrance().users([User::new("7", "Bo")])).await;
    terminal.push(Event::face("1042", at(8, 0)));
    terminal.set_fault(Fault::InvalidUtf8Name(Some("1042".to_owned())));
    let people = json!({"UserInfoSearchCond": {"searchID": "a", "searchResultPosition": 0, "maxResults": 30}});
    let events = json!({"AcsEventCond": {"searchID": "a", "searchResultPosition": 0, "maxResults": 30, "major": 5, "minor": 0}});
    for (target, body) in [
        ("/ISAPI/AccessControl/UserInfo/Search?format=json", people),
        (SEARCH, events),
    ] {
        let answer = post(&terminal, target, &body).await;
        assert!(std::str::from_utf8(&answer.body).is_err());
        let repaired: Value = serde_json::from_str(&String::from_utf8_lossy(&answer.body)).unwrap();
        assert!(repaired.to_string().contains("Aziza K.\u{fffd}"));
    }
}

#[tokio::test]
async fn another_terminal_at_the_same_address() {
    let terminal = start(entrance().fault(Fault::WrongSerial)).await;
    let info = get(&terminal, INFO).await.text();
    assert!(
        info.contains("<serialNumber>DS-K1T342MFX-E120250307V043800ENZZ0000001</serialNumber>")
    );
    assert_eq!(terminal.label_serial(), "GB9637211");
}

#[tokio::test]
async fn many_terminals_share_a_process() {
    let mut terminals = Vec::new();
    for number in 0..50 {
        let terminal = VirtualTerminal::new(format!("GB{number:07}"), login(), stopped(noon()))
            .users([User::new("1042", "Aziza K.")])
            .events(punches(1000))
            .page_cap(600);
        terminals.push(start(terminal).await);
    }
    let mut reads = tokio::task::JoinSet::new();
    for terminal in terminals {
        reads.spawn(async move {
            let first = page(&terminal, 0, json!({"maxResults": 600})).await;
            let second = page(&terminal, 600, json!({"maxResults": 600})).await;
            [serials(&first), serials(&second)].concat()
        });
    }
    for read in reads.join_all().await {
        assert_eq!(read, (1..=1000).collect::<Vec<u64>>());
    }
}

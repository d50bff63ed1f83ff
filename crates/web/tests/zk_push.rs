//! ZKTeco terminals that call, over real sockets: every documented exchange, what is kept of it, and who may not.

use std::net::SocketAddr;
use std::sync::Arc;

use attendance::{DeviceId, Way};
use ingest::{CallerOptions, Clock, Engine, Order, PollerOptions, Unknown};
use jiff::{SignedDuration, Timestamp};
use store::devices::{DeviceFields, NewDevice};
use store::secrets::{Secret, SecretKey};
use store::{Author, Store};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use web::push::{PushListener, PushListenerOptions, ZkPush, ZkPushOptions};

/// The requests and answers of the protocol's reference.
const EXCHANGES: &str = include_str!("../../zk-proto/testdata/push.txt");
const GATE: &str = "BOCK200961014";
const DOOR: &str = "3383154200002";

struct Server {
    store: Store,
    engine: Engine,
    clock: Clock,
    address: SocketAddr,
    _folder: Arc<tempfile::TempDir>,
    serving: tokio::task::JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

#[derive(Debug, PartialEq, Eq)]
struct Answer {
    status: String,
    headers: Vec<String>,
    body: String,
}

impl Server {
    /// With the terminals of the reference registered, at 10:30:03 in India.
    async fn start() -> Self {
        Self::with(CallerOptions::default(), ZkPushOptions::default()).await
    }

    async fn with(callers: CallerOptions, push: ZkPushOptions) -> Self {
        let folder = Arc::new(tempfile::tempdir().expect("a folder"));
        let url = format!("sqlite://{}", folder.path().join("muster.db").display());
        let store = Store::open(&url).await.expect("a new file");
        store.migrate().await.expect("a new file");
        let store = store.with_secret_key(SecretKey::generate());
        let clock = Clock::stopped(at("2026-11-22T05:00:03Z"));
        let tx = store.begin_write().await.expect("a transaction");
        let site = store::testing::site(&tx).await;
        for serial in [GATE, "0066688490001", "NCD8000000001", DOOR] {
            let new = NewDevice {
                zone: Some("Asia/Kolkata".to_owned()),
                ..NewDevice::calling("zk", serial, site)
            };
            tx.add_device(&new, author()).await.expect("a device");
        }
        tx.commit().await.expect("a commit");
        let engine = Engine::new(store.clone(), clock.clone(), PollerOptions::default());
        let engine = engine.answering(callers);
        let any = "127.0.0.1:0".parse().expect("an address");
        let listener = PushListener::bind(&[any]).await.expect("a port");
        let address = listener.addresses()[0];
        let protocol = ZkPush::new(engine.callers.clone(), clock.clone(), push);
        let serving = listener.serve(
            protocol,
            clock.clone(),
            PushListenerOptions::default(),
            std::future::pending(),
        );
        Self {
            store,
            engine,
            clock,
            address,
            _folder: folder,
            serving: tokio::spawn(serving),
        }
    }

    async fn raw(&self, request: &[u8]) -> Vec<u8> {
        let mut stream = TcpStream::connect(self.address)
            .await
            .expect("a connection");
        stream.write_all(request).await.expect("it is taken");
        stream.shutdown().await.expect("it is taken");
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.expect("an answer");
        answer
    }

    async fn ask(&self, line: &str, body: &[u8]) -> Answer {
        let head = format!(
            "{line}\r\nHost: 10.0.0.5:8081\r\nUser-Agent: iClock Proxy/1.09\r\nConnection: close\r\n"
        );
        let length = match line.starts_with("POST") {
            true => format!("Content-Length: {}\r\n", body.len()),
            false => String::new(),
        };
        let request = [head.as_bytes(), length.as_bytes(), b"\r\n", body].concat();
        answer(&self.raw(&request).await)
    }

    async fn get(&self, target: &str) -> String {
        self.ask(&format!("GET {target} HTTP/1.1"), b"")
            .await
            .told()
    }

    async fn post(&self, target: &str, body: &[u8]) -> String {
        self.ask(&format!("POST {target} HTTP/1.1"), body)
            .await
            .told()
    }

    /// A punch line of the gate.
    async fn upload(&self, body: &str) -> String {
        let target = format!("/iclock/cdata?SN={GATE}&table=ATTLOG&Stamp=9999");
        self.post(&target, body.as_bytes()).await
    }

    async fn device(&self, serial: &str) -> DeviceId {
        let row = self
            .store
            .device_by_serial(serial)
            .await
            .expect("a database");
        DeviceId(row.expect("it is registered").id)
    }

    /// Device user, wall time, state and verify mode of what is kept of a device.
    async fn punches(&self, serial: &str) -> Vec<String> {
        let device = self.device(serial).await;
        store::testing::punches_of(&self.store, device).await
    }

    async fn parked(&self) -> Vec<String> {
        let parked = self.store.parked_of(self.device(GATE).await).await;
        let parked = parked.expect("a database");
        let shown = |row: &store::entities::parked::Model| {
            format!("{} · {}", row.bytes.escape_ascii(), row.reason)
        };
        parked.iter().map(shown).collect()
    }

    /// Devices were edited.
    async fn reread(&self) {
        let read = self.engine.callers.read_known().await;
        read.expect("a database");
    }

    async fn cursor(&self, content: &str) -> Option<String> {
        let uploads = self.store.uploads_of(self.device(GATE).await).await;
        let uploads = uploads.expect("a database");
        let of_it = uploads.into_iter().find(|row| row.content == content);
        of_it.and_then(|row| row.cursor_text)
    }

    async fn later(&self, secs: i64) {
        self.clock
            .set(self.clock.now() + SignedDuration::from_secs(secs));
    }
}

impl Answer {
    fn told(self) -> String {
        match self.status.as_str() {
            "200 OK" => self.body,
            status => format!("{status}: {}", self.body),
        }
    }
}

fn at(text: &str) -> Timestamp {
    text.parse().expect("an instant")
}

fn author() -> Author {
    Author {
        account: None,
        at: at("2026-11-01T00:00:00Z"),
    }
}

#[track_caller]
fn answer(bytes: &[u8]) -> Answer {
    let text = std::str::from_utf8(bytes).expect("answers are texts");
    let (head, body) = text.split_once("\r\n\r\n").expect("a head");
    let mut lines = head.split("\r\n");
    let first = lines.next().expect("a status line");
    Answer {
        status: first
            .strip_prefix("HTTP/1.1 ")
            .expect("a version")
            .to_owned(),
        headers: lines.map(str::to_owned).collect(),
        body: body.to_owned(),
    }
}

/// `\t` and the like as the bytes they stand for.
fn unescaped(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            bytes.extend(c.to_string().bytes());
            continue;
        }
        bytes.push(match chars.next() {
            Some('t') => b'\t',
            Some('n') => b'\n',
            Some('r') => b'\r',
            Some('0') => 0,
            Some('x') => {
                let digits: String = chars.by_ref().take(2).collect();
                u8::from_str_radix(&digits, 16).expect("two digits")
            }
            other => panic!("unknown escape {other:?}"),
        });
    }
    bytes
}

#[tokio::test]
async fn documented_exchanges() {
    let server = Server::start().await;
    let mut compared = 0;
    for line in EXCHANGES.lines().filter(|line| !line.starts_with('#')) {
        let [name, request, body, status, expected] = line
            .split(" | ")
            .map(str::trim)
            .collect::<Vec<_>>()
            .try_into()
            .unwrap_or_else(|parts: Vec<_>| {
                let [name, request, status, expected] = parts.try_into().expect(line);
                [name, request, "", status, expected]
            });
        let mut body = unescaped(body);
        if name == "E8" {
            body.extend(vec![0xff; 9512]);
        }
        if ["E2", "E10", "A3", "A2"].contains(&name) {
            continue; // what an installation decides, see below
        }
        let found = match name {
            // The terminal goes away in the middle.
            "E17" => {
                let head = format!("{request}\r\nContent-Length: 70\r\nConnection: close\r\n\r\n");
                answer(&server.raw(&[head.as_bytes(), &body].concat()).await)
            }
            _ => server.ask(request, &body).await,
        };
        let expected = String::from_utf8(unescaped(expected)).expect("a text");
        assert_eq!(
            (found.status.as_str(), &found.body),
            (status, &expected),
            "{name}"
        );
        let mut headers = vec![
            "Date: Sun, 22 Nov 2026 05:00:03 GMT".to_owned(),
            "Content-Type: text/plain".to_owned(),
            format!("Content-Length: {}", expected.len()),
            "Connection: close".to_owned(),
        ];
        if status.starts_with("503") {
            headers.push("Retry-After: 60".to_owned());
        }
        for header in headers {
            let is_there = found
                .headers
                .iter()
                .any(|found| found.eq_ignore_ascii_case(&header));
            assert!(
                is_there,
                "{name}: {header} is missing from {:?}",
                found.headers
            );
        }
        compared += 1;
    }
    assert_eq!(compared, 21);
    // E2: PUSH 1.0 goes on from where it was.
    let terminal = "0066688490001";
    let upload = format!("/iclock/cdata?SN={terminal}&Stamp=289503453");
    assert_eq!(
        server
            .post(&upload, b"1\t2026-11-22 08:00:00\t0\t1\n")
            .await,
        "OK: 1"
    );
    let block = server
        .get(&format!("/iclock/cdata?SN={terminal}&options=all"))
        .await;
    let expected = "GET OPTION FROM: 0066688490001\nStamp=289503453\nOpStamp=0\nPhotoStamp=0\n";
    assert!(block.starts_with(expected), "{block}");
    assert!(
        block.contains("\nTransFlag=1100101000\nTimeZone=330\n"),
        "{block}"
    );
    // A2 and A3: the code and the session are ours.
    let code = server
        .post(&format!("/iclock/registry?SN={DOOR}"), b"DeviceType=acc")
        .await;
    assert!(
        code.strip_prefix("RegistryCode=")
            .is_some_and(|code| code.len() == 10),
        "{code}"
    );
    let again = server
        .post(&format!("/iclock/registry?SN={DOOR}"), b"DeviceType=acc")
        .await;
    assert_eq!(again, code, "it registers at every connection");
    let block = server.post(&format!("/iclock/push?SN={DOOR}"), b"").await;
    assert!(
        block.starts_with("ServerVersion=3.1.2\nServerName=Muster\n"),
        "{block}"
    );
}

#[tokio::test]
async fn what_the_exchanges_leave_behind() {
    let server = Server::start().await;
    for name in [
        "E4", "E6", "E14", "E16", "E18", "A4", "A5", "A6", "E12", "E3",
    ] {
        let line = EXCHANGES
            .lines()
            .find(|line| line.starts_with(&format!("{name} |")))
            .expect("it is there");
        let parts: Vec<&str> = line.split(" | ").map(str::trim).collect();
        server
            .ask(
                parts[1],
                &unescaped(parts.get(2).filter(|_| parts.len() == 5).unwrap_or(&"")),
            )
            .await;
    }
    assert_eq!(
        server.punches(GATE).await,
        [
            "982 2026-11-21 12:08:21 in finger push",
            "982 2026-11-21 18:01:09 out finger push",
            "1001 2026-11-22 08:00:00 in finger push",
            "1003 2026-11-22 08:01:00 none finger push",
            "1452 2026-11-22 10:29:58 in finger push",
            "1452 2026-11-22 10:30:01 in finger push",
            "8965 2026-11-22 10:30:02 out face push",
        ]
    );
    assert_eq!(
        server.parked().await,
        [
            "garbage · the line has too few fields",
            "1002\\t2026-02-30 08:00:00\\t0\\t1 · the time does not exist",
        ]
    );
    // The same event as it happened and from the log is one punch.
    assert_eq!(
        server.punches(DOOR).await,
        ["4 2026-11-22 11:49:32 in face push"]
    );
    let device = server.device(GATE).await;
    let users = store::views::devices::users_like(&server.store, device.0, "", 10, 0).await;
    let users: Vec<_> = users
        .expect("a database")
        .into_iter()
        .filter(|user| user.enrolled)
        .map(|user| (user.user_id, user.name, user.card.unwrap_or_default()))
        .collect();
    let user = |id: &str, name: &str, card: &str| (id.to_owned(), name.to_owned(), card.to_owned());
    assert_eq!(
        users,
        [
            user("36234", "Ana", "133440"),
            user("7", "\u{5f20}\u{4f1f}", "123456789")
        ]
    );
    assert_eq!(
        server.cursor("ATTLOG").await.as_deref(),
        Some("9999"),
        "not moved by Stamp=0"
    );
    let row = server
        .store
        .device(device)
        .await
        .expect("a database")
        .expect("it is there");
    assert_eq!(
        (row.record_count, row.user_count),
        (Some(1093), Some(14)),
        "of E3, E12 is of no command"
    );
}

#[tokio::test]
async fn lines_that_cannot_be_used_are_parked_and_block_nothing() {
    let server = Server::start().await;
    let rest = "\t2026-11-22 08:00:00\t0\t1";
    for (line, kept, reason) in [
        ("x".repeat(1 << 20), 0, "the line is longer than any record"),
        (format!("11\0{rest}"), 0, "the line has a NUL byte inside"),
        (rest.to_owned(), 0, "the line has no user id"),
        (
            format!("1 2{rest}"),
            0,
            "the user id has blanks or characters that no user id has",
        ),
        (
            format!("{}{rest}", "1".repeat(200)),
            0,
            "the user id is longer than any user id",
        ),
        (format!("0{rest}"), 1, ""),
        (
            "12\t0000-00-00 00:00:00\t0\t1".to_owned(),
            0,
            "the time does not exist",
        ),
        ("13\t2000-01-01 00:00:10\t0\t1".to_owned(), 1, ""),
        ("14\t2099-01-01 00:00:00\t0\t1".to_owned(), 1, ""),
        (format!("\u{feff}15{rest}"), 1, ""),
        ("16 2026-11-22 08:00:00 0 1".to_owned(), 1, ""),
        (
            "1001%092026-11-22 08:00:00+0+1".to_owned(),
            0,
            "the line has too few fields",
        ),
    ] {
        let before = (
            server.punches(GATE).await.len(),
            server.parked().await.len(),
        );
        assert_eq!(server.upload(&line).await, "OK: 1", "{reason}");
        let (punches, parked) = (server.punches(GATE).await, server.parked().await);
        assert_eq!(punches.len() - before.0, kept, "{reason} {punches:?}");
        assert_eq!(parked.len() - before.1, 1 - kept, "{reason}");
        if kept == 0 {
            assert!(
                parked[before.1].ends_with(reason),
                "{}",
                parked[before.1].len()
            );
        }
    }
    // Tables that are named loosely, and batches that come twice at once.
    let plain = b"20\t2026-11-22 08:00:00\t0\t1".as_slice();
    for target in ["table=attlog&Stamp=1", "Stamp=1", "TABLE=%20ATTLOG&stamp=1"] {
        let target = format!("/iclock/cdata?SN={GATE}&{target}");
        let both = tokio::join!(server.post(&target, plain), server.post(&target, plain));
        assert_eq!(both, ("OK: 1".to_owned(), "OK: 1".to_owned()));
    }
    let kept = server.punches(GATE).await;
    assert_eq!(
        kept.iter().filter(|punch| punch.starts_with("20 ")).count(),
        1
    );
    assert_eq!(
        server
            .post(&format!("/iclock/cdata?SN={GATE}&table=ATTLOG"), b"")
            .await,
        "OK: 0"
    );
}

#[tokio::test]
async fn a_database_that_is_away_loses_nothing() {
    let server = Server::start().await;
    assert_eq!(
        server.upload("1\t2026-11-22 08:00:00\t0\t1\n").await,
        "OK: 1"
    );
    server.store.close().await.expect("it closes");
    let answer = server.upload("1\t2026-11-22 08:00:01\t0\t1\n").await;
    assert_eq!(
        answer,
        "503 Service Unavailable: ERROR: not stored, come again\n"
    );
}

#[tokio::test]
async fn who_may_not_call_is_told_so_and_leaves_nothing() {
    let server = Server::start().await;
    let bad = "400 Bad Request: ERROR: the serial number SN is missing or is none\n";
    for query in [
        "options=all",
        "SN=",
        "SN=../x",
        "SN=a%00b",
        &format!("SN={}", "1".repeat(5000)),
    ] {
        let answer = server.get(&format!("/iclock/cdata?{query}")).await;
        assert_eq!(answer, bad, "{query}");
    }
    assert_eq!(
        server.get("/other").await,
        "404 Not Found: ERROR: no such place\n"
    );
    assert_eq!(server.get("/iclock/test").await, "OK");
    let held = "503 Service Unavailable: ERROR: device not approved\n";
    for target in [
        "cdata?SN=NEW1&options=all&DeviceType=att",
        "getrequest?SN=NEW1",
        "ping?SN=NEW1",
    ] {
        assert_eq!(
            server.get(&format!("/iclock/{target}")).await,
            held,
            "{target}"
        );
    }
    let upload = "/iclock/cdata?SN=NEW1&table=ATTLOG&Stamp=1";
    let line = b"1\t2026-11-22 08:00:00\t0\t1\n";
    assert_eq!(server.post(upload, line).await, held);
    server.engine.callers.tick().await.expect("a database");
    let waiting = server.store.held_terminals().await.expect("a database");
    let [waiting] = waiting.as_slice() else {
        panic!("one waits: {waiting:?}");
    };
    let told = (
        waiting.serial_number.as_str(),
        waiting.address.as_str(),
        waiting.agent.as_str(),
    );
    assert_eq!(told, ("NEW1", "127.0.0.1", "iClock Proxy/1.09"));
    assert_eq!(
        store::testing::count_rows(&server.store, "punches").await,
        0
    );
    // Approved, it delivers what it kept.
    let tx = server.store.begin_write().await.expect("a transaction");
    let site = server
        .store
        .default_site()
        .await
        .expect("a database")
        .expect("a site");
    let new = NewDevice::calling("zk", "NEW1", site.id);
    tx.add_device(&new, author()).await.expect("a device");
    tx.commit().await.expect("a commit");
    server.reread().await;
    assert_eq!(server.post(upload, line).await, "OK: 1");
    assert_eq!(
        store::testing::count_rows(&server.store, "held_terminals").await,
        0
    );
    // Refused by a person.
    let tx = server.store.begin_write().await.expect("a transaction");
    let device = server.device("NEW1").await;
    tx.retire_device(device, author())
        .await
        .expect("it is there");
    tx.commit().await.expect("a commit");
    server.reread().await;
    assert_eq!(
        server.post(upload, line).await,
        held,
        "a removed one waits again"
    );
    server.engine.callers.tick().await.expect("a database");
    let tx = server.store.begin_write().await.expect("a transaction");
    tx.refuse_held("NEW1", true, author())
        .await
        .expect("it waits");
    tx.commit().await.expect("a commit");
    server.reread().await;
    let refused = "403 Forbidden: ERROR: device refused\n";
    assert_eq!(server.post(upload, line).await, refused);
}

#[tokio::test]
async fn unknown_terminals_are_accepted_or_refused_where_that_is_asked_for() {
    let accept = CallerOptions {
        unknown: Unknown::Accept,
        ..CallerOptions::default()
    };
    let server = Server::with(accept, ZkPushOptions::default()).await;
    let block = server
        .get("/iclock/cdata?SN=NEW1&options=all&pushver=2.4.1")
        .await;
    assert!(block.starts_with("GET OPTION FROM: NEW1\n"), "{block}");
    let row = server
        .store
        .device_by_serial("NEW1")
        .await
        .expect("a database");
    assert_eq!(row.expect("it is registered").mode, "push");
    for n in 0..30 {
        server
            .get(&format!("/iclock/cdata?SN=INVENTED{n}&options=all"))
            .await;
    }
    let devices = server.store.devices().await.expect("a database");
    assert_eq!(devices.len(), 4 + 20, "one address brings only so many");

    let refuse = CallerOptions {
        unknown: Unknown::Refuse,
        ..CallerOptions::default()
    };
    let server = Server::with(refuse, ZkPushOptions::default()).await;
    let answer = server.get("/iclock/cdata?SN=NEW1&options=all").await;
    assert_eq!(answer, "403 Forbidden: ERROR: device refused\n");
    server.engine.callers.tick().await.expect("a database");
    assert_eq!(
        store::testing::count_rows(&server.store, "held_terminals").await,
        0
    );
}

#[tokio::test]
async fn a_secret_stands_in_front_of_the_path() {
    let push = ZkPushOptions {
        path_secret: Some("s3cret".to_owned()),
        ..ZkPushOptions::default()
    };
    let server = Server::with(CallerOptions::default(), push).await;
    for path in ["", "/s3cre", "/s3crets", "/s3cret/x", "/S3CRET"] {
        let answer = server.get(&format!("{path}/iclock/ping?SN={GATE}")).await;
        assert_eq!(answer, "404 Not Found: ERROR: no such place\n", "{path}");
    }
    for path in ["/s3cret", "/berlin/s3cret"] {
        assert_eq!(
            server.get(&format!("{path}/iclock/ping?SN={GATE}")).await,
            "OK",
            "{path}"
        );
    }
}

#[tokio::test]
async fn a_terminal_that_has_said_its_key_has_to_go_on_saying_it() {
    let server = Server::start().await;
    let row = server
        .store
        .device_by_serial(GATE)
        .await
        .expect("a database")
        .expect("it is there");
    let tx = server.store.begin_write().await.expect("a transaction");
    let fields = DeviceFields::from(&row);
    let key = store::devices::SecretEdit::Set(Secret::new("88888888"));
    let keep = store::devices::SecretEdit::Keep;
    tx.edit_device(DeviceId(row.id), &fields, &keep, &key, author())
        .await
        .expect("an edit");
    tx.commit().await.expect("a commit");
    server.reread().await;
    let greet = |key: &str| {
        format!("/iclock/cdata?SN={GATE}&options=all&pushver=2.4.1&DeviceType=att{key}")
    };
    let wrong = "403 Forbidden: ERROR: wrong key\n";
    assert!(
        server.get(&greet("")).await.starts_with("GET OPTION"),
        "firmware without a key"
    );
    assert_eq!(server.get(&greet("&pushcommkey=1")).await, wrong);
    assert!(
        server
            .get(&greet("&pushcommkey=88888888"))
            .await
            .starts_with("GET OPTION")
    );
    assert_eq!(server.get(&greet("")).await, wrong, "an impostor");
    let notices = server
        .store
        .notices_of(DeviceId(row.id))
        .await
        .expect("a database");
    assert_eq!(
        (notices[0].kind.as_str(), notices[0].count),
        ("wrong_key", 2)
    );
}

#[tokio::test]
async fn commands_are_fetched_and_closed_by_their_own_terminal() {
    let server = Server::start().await;
    let gate = server.device(GATE).await;
    let callers = &server.engine.callers;
    let poll = format!("/iclock/getrequest?SN={GATE}");
    assert_eq!(server.get(&poll).await, "OK");
    let set = Order::SetUser {
        user: "7".to_owned(),
        name: Some("Ana".to_owned()),
        privilege: Some("admin".to_owned()),
        card: Some(133_440),
        sets_password: true,
    };
    let secret = Some(Secret::new("4711"));
    let user = callers
        .order(gate, &set, secret, None)
        .await
        .expect("given");
    let from = "2026-11-21T00:00:00".parse().expect("a time");
    let to = "2026-11-22T23:59:59".parse().expect("a time");
    let log = callers
        .order(gate, &Order::ReadLog { from, to }, None, None)
        .await
        .expect("given");
    let injected = Order::SetUser {
        user: "8".to_owned(),
        name: Some("Eve\nC:9:REBOOT".to_owned()),
        privilege: None,
        card: None,
        sets_password: false,
    };
    callers
        .order(gate, &injected, None, None)
        .await
        .expect("given");
    let restart = callers
        .order(gate, &Order::Restart, None, None)
        .await
        .expect("given");
    let info = callers
        .order(gate, &Order::TellState, None, None)
        .await
        .expect("given");
    let expected = format!(
        "C:{user}:DATA UPDATE USERINFO PIN=7\tName=Ana\tPri=14\tPasswd=4711\tCard=133440\n\
         C:{log}:DATA QUERY ATTLOG StartTime=2026-11-21 00:00:00\tEndTime=2026-11-22 23:59:59\n\
         C:{restart}:REBOOT\n"
    );
    assert_eq!(server.get(&poll).await, expected);
    assert_eq!(
        server.get(&poll).await,
        format!("C:{info}:INFO\n"),
        "not behind a restart"
    );
    assert_eq!(server.get(&poll).await, "OK", "they are out");
    let state = async |id: i64| {
        let commands = server
            .store
            .commands_of(gate, 100)
            .await
            .expect("a database");
        let command = commands
            .into_iter()
            .find(|row| row.id == id)
            .expect("it is kept");
        (command.state, command.code, command.answer)
    };
    let was =
        |state: &str, code: Option<i64>, text: &str| (state.to_owned(), code, text.to_owned());
    let another = format!("/iclock/devicecmd?SN={DOOR}");
    let result = format!("ID={user}&Return=0&CMD=DATA\nID=xyz&Return=0\nnonsense\n");
    assert_eq!(server.post(&another, result.as_bytes()).await, "OK");
    assert_eq!(
        state(user).await,
        was("sent", None, ""),
        "another terminal cannot close it"
    );
    let own = format!("/iclock/devicecmd?SN={GATE}");
    let results = format!("ID={user}&Return=0&CMD=DATA\nID={log}&Return=-1002&CMD=DATA\n");
    assert_eq!(server.post(&own, results.as_bytes()).await, "OK");
    assert_eq!(state(user).await, was("done", Some(0), "done"));
    let unknown = "the terminal does not know the command";
    assert_eq!(state(log).await, was("failed", Some(-1002), unknown));
    let refused = server
        .store
        .commands_of(gate, 100)
        .await
        .expect("a database");
    let refused = refused
        .iter()
        .find(|row| row.what.contains("Eve"))
        .expect("it is kept");
    assert_eq!(refused.state, "failed");
    assert!(refused.answer.contains("line break"), "{}", refused.answer);
    for body in [
        "",
        "ID=&Return=",
        "ID=99999999999999999999&Return=0",
        "\0\0",
    ] {
        assert_eq!(server.post(&own, body.as_bytes()).await, "OK", "{body:?}");
    }
}

#[tokio::test]
async fn a_log_is_cleared_after_everything_in_it_is_kept() {
    let server = Server::start().await;
    let gate = server.device(GATE).await;
    let callers = &server.engine.callers;
    let (poll, own) = (
        format!("/iclock/getrequest?SN={GATE}"),
        format!("/iclock/devicecmd?SN={GATE}"),
    );
    server.get(&poll).await;
    let clear = Order::ClearLog { tries: 0 };
    let clear = callers
        .order(gate, &clear, None, None)
        .await
        .expect("given");
    let given = server.get(&poll).await;
    let lines: Vec<&str> = given.lines().collect();
    let [log, info] = lines.as_slice() else {
        panic!("first it is read: {given}");
    };
    let id = |line: &str| line.split(':').nth(1).expect("an id").to_owned();
    assert!(
        log.contains("DATA QUERY ATTLOG") && info.ends_with(":INFO"),
        "{given}"
    );
    server.upload("1\t2026-11-22 08:00:00\t0\t1\n").await;
    server
        .post(
            &own,
            format!("ID={}&Return=0&CMD=DATA\n", id(log)).as_bytes(),
        )
        .await;
    // Somebody punches in between.
    server.upload("2\t2026-11-22 08:00:00\t0\t1\n").await;
    let told = format!("ID={}&Return=0&CMD=INFO\nTransactionCount=2\n", id(info));
    server.post(&own, told.as_bytes()).await;
    let again = server.get(&poll).await;
    assert!(again.ends_with(":INFO\n"), "it is counted again: {again}");
    let told = format!("ID={}&Return=0&CMD=INFO\nTransactionCount=2\n", id(&again));
    server.post(&own, told.as_bytes()).await;
    assert_eq!(server.get(&poll).await, format!("C:{clear}:CLEAR LOG\n"));
    // It is never given twice.
    server.later(3600).await;
    callers.tick().await.expect("a database");
    assert!(!server.get(&poll).await.contains("CLEAR"));
}

#[tokio::test]
async fn templates_and_photos_are_kept_only_where_a_setting_says_so() {
    let keep = ZkPushOptions {
        keep_templates: true,
        keep_photos: true,
        ..ZkPushOptions::default()
    };
    let photo =
        b"PIN=20261122103012-123.jpg\nSN=BOCK200961014\nsize=4\nCMD=uploadphoto\0\xff\xd8\xff\xd9";
    let rows = "USER PIN=1\tName=A\nFP PIN=1\tFID=6\tSize=4\tValid=1\tTMP=AAAA\nUSERPIC PIN=1\tFileName=1.jpg\tSize=4\tContent=BBBB\n";
    for (options, expected) in [
        (ZkPushOptions::default(), vec![]),
        (
            keep,
            vec![
                (
                    "photo",
                    "20261122103012-123.jpg",
                    b"\xff\xd8\xff\xd9".as_slice(),
                ),
                ("photo", "USERPIC of 1", b"BBBB"),
                ("template", "FP 6.0 of 1", b"AAAA"),
            ],
        ),
    ] {
        let server = Server::with(CallerOptions::default(), options).await;
        let (people, photos) = ("table=OPERLOG", "table=ATTPHOTO");
        for (table, body, answer) in [
            (people, rows.as_bytes(), "OK: 3"),
            (photos, photo.as_slice(), "OK"),
            (people, rows.as_bytes(), "OK: 3"),
        ] {
            let target = format!("/iclock/cdata?SN={GATE}&{table}&Stamp=1");
            assert_eq!(server.post(&target, body).await, answer);
        }
        let kept = server.store.kept_uploads(server.device(GATE).await).await;
        let kept = kept.expect("a database");
        let opened: Vec<_> = kept
            .iter()
            .map(|row| (row, server.store.kept_bytes(row).expect("the key fits")))
            .collect();
        let found: Vec<_> = opened
            .iter()
            .map(|(row, bytes)| (row.kind.as_str(), row.name.as_str(), bytes.as_slice()))
            .collect();
        assert_eq!(found, expected);
    }
}

#[tokio::test]
async fn terminals_may_call_the_port_of_the_pages() {
    let server = Server::start().await;
    let state = web::WebState::new(server.engine.clone(), web::WebConfig::default());
    let zk = ZkPush::new(
        server.engine.callers.clone(),
        server.clock.clone(),
        ZkPushOptions::default(),
    );
    let hik = web::push::HikPush::new(
        server.engine.callers.clone(),
        server.engine.pictures.clone(),
    );
    let protocol = web::push::Brands { zk, hik };
    let local = "127.0.0.0/8".parse().expect("a network");
    let elsewhere = "10.0.0.0/8".parse().expect("a network");
    for (networks, expected) in [
        (vec![], "200 OK"),
        (vec![local], "200 OK"),
        (vec![elsewhere], "403 Forbidden"),
    ] {
        let pages = web::push::beside_pages(
            web::router(state.clone()),
            protocol.clone(),
            networks,
            server.clock.clone(),
        );
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a port");
        let address = listener.local_addr().expect("an address");
        let service = pages.into_make_service_with_connect_info::<SocketAddr>();
        let serving = tokio::spawn(async move { axum::serve(listener, service).await });
        let beside = async |request: String| {
            let mut stream = TcpStream::connect(address).await.expect("a connection");
            stream
                .write_all(request.as_bytes())
                .await
                .expect("it is taken");
            let mut said = Vec::new();
            stream.read_to_end(&mut said).await.expect("an answer");
            answer(&said)
        };
        let line = "7\t2026-11-22 08:00:00\t0\t1\n";
        let upload = format!(
            "POST /any/iclock/cdata?SN={GATE}&table=ATTLOG&Stamp=1 HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n{line}",
            line.len()
        );
        let found = beside(upload).await;
        assert_eq!(found.status, expected);
        if expected == "200 OK" {
            let headers: Vec<_> = found
                .headers
                .iter()
                .map(|header| header.to_lowercase())
                .collect();
            assert_eq!(
                headers,
                [
                    "date: sun, 22 nov 2026 05:00:03 gmt",
                    "content-type: text/plain",
                    "content-length: 5",
                    "connection: close",
                    "cache-control: no-store",
                ]
            );
            assert_eq!(found.body, "OK: 1");
        }
        let page =
            beside("GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".to_owned())
                .await;
        assert_eq!(page.status, "200 OK");
        serving.abort();
    }
    assert_eq!(server.punches(GATE).await.len(), 1);
}

#[tokio::test]
async fn what_a_terminal_turns_out_to_be_is_remembered() {
    let server = Server::start().await;
    // Its greeting could be of the main line; only the branch asks for the time so.
    let greet = format!("/iclock/cdata?SN={GATE}&options=all&pushver=2.4.0&language=83");
    assert!(server.get(&greet).await.contains("\nTimeZone=330\n"));
    let time = server
        .get(&format!("/iclock/cdata?SN={GATE}&type=time"))
        .await;
    assert_eq!(time, "Time=2026-11-22T10:30:03+05:30");
    assert!(server.get(&greet).await.contains("\nTimeZone=+05:30\n"));
    // One that wants to encrypt is told that nobody here can.
    let other = "/iclock/cdata?SN=NCD8000000001&options=all&pushver=2.4.2&DeviceType=att";
    assert!(server.get(other).await.contains("\nPushProtVer=2.4.1\n"));
    let exchange = "/iclock/exchange?SN=NCD8000000001&type=publickey";
    assert_eq!(
        server.post(exchange, b"key").await,
        "404 Not Found: ERROR: not served\n"
    );
    assert!(server.get(other).await.contains("\nPushProtVer=2.2.14\n"));
    // Names go out in the language of the terminal.
    let device = server.device(GATE).await;
    let name = Order::SetUser {
        user: "7".to_owned(),
        name: Some("\u{5f20}".to_owned()),
        privilege: None,
        card: None,
        sets_password: false,
    };
    server
        .engine
        .callers
        .order(device, &name, None, None)
        .await
        .expect("given");
    let request = format!("GET /iclock/getrequest?SN={GATE} HTTP/1.1\r\nConnection: close\r\n\r\n");
    let said = server.raw(request.as_bytes()).await;
    assert!(
        said.ends_with(b"PIN=7\tName=\xd5\xc5\n"),
        "{}",
        said.escape_ascii()
    );
}

#[tokio::test]
async fn what_was_parked_is_tried_again() {
    let server = Server::start().await;
    server
        .upload("garbage\n\t2026-11-22 08:00:00\t0\t1\n")
        .await;
    // As an older version would have left it.
    let device = server.device(GATE).await;
    let tx = server.store.begin_write().await.expect("a transaction");
    let understood = store::parked::Unreadable {
        bytes: b"7\t2026-11-22 08:00:00\t0\t1",
        reason: "unknown",
    };
    tx.park(device, Way::Push, &[understood], server.clock.now())
        .await
        .expect("it is kept");
    tx.commit().await.expect("a commit");
    let state = web::WebState::new(server.engine.clone(), web::WebConfig::default());
    assert_eq!(
        web::push::retry_parked(&state, device)
            .await
            .expect("a database"),
        (1, 2)
    );
    assert_eq!(
        server.punches(GATE).await,
        ["7 2026-11-22 08:00:00 in finger push"]
    );
    assert_eq!(server.parked().await.len(), 2);
    assert_eq!(
        web::push::retry_parked(&state, device)
            .await
            .expect("a database"),
        (0, 2)
    );
}

#[tokio::test]
async fn what_an_access_terminal_left_is_tried_again_as_events() {
    let server = Server::start().await;
    let registry = format!("/iclock/registry?SN={DOOR}");
    server.post(&registry, b"DeviceType=acc").await;
    let device = server.device(DOOR).await;
    let tx = server.store.begin_write().await.expect("a transaction");
    let line = |bytes| store::parked::Unreadable {
        bytes,
        reason: "unknown",
    };
    let lines = [
        line(b"time=2026-11-22 08:00:00\tpin=7\tevent=0\tinoutstatus=1\tverifytype=4".as_slice()),
        line(b"time=2026-11-22 08:00:01\tpin=8\tevent=27"),
        line(b"time=2026-11-22 08:00:02\tpin=9"),
    ];
    tx.park(device, Way::Push, &lines, server.clock.now())
        .await
        .expect("kept");
    tx.commit().await.expect("a commit");
    let state = web::WebState::new(server.engine.clone(), web::WebConfig::default());
    let tried = web::push::retry_parked(&state, device).await;
    assert_eq!(tried.expect("a database"), (1, 2));
    let kept = ["7 2026-11-22 08:00:00 out card push"];
    assert_eq!(
        server.punches(DOOR).await,
        kept,
        "nobody who was turned away"
    );
}

#[tokio::test]
async fn a_whole_log_may_come_at_once() {
    let server = Server::start().await;
    let minute = |n: i64| SignedDuration::from_mins(n);
    let first: jiff::civil::DateTime = "2026-01-01T00:00:00".parse().expect("a time");
    let mut log = String::new();
    for n in 0..100_000 {
        let clock = first + minute(n);
        log += &format!(
            "{}\t{}\t0\t1\n",
            1000 + n % 50,
            clock.strftime("%Y-%m-%d %H:%M:%S")
        );
    }
    assert_eq!(server.upload(&log).await, "OK: 100000");
    assert_eq!(
        store::testing::count_rows(&server.store, "punches").await,
        100_000
    );
}

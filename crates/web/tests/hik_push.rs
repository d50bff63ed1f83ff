//! Hikvision terminals that post at their places, over real sockets: what is kept of it, whose it is, and who may not.

use std::net::SocketAddr;
use std::sync::Arc;

use attendance::{DeviceId, Way};
use ingest::{Batch, CallerOptions, Clock, Engine, PollerOptions};
use jiff::civil::DateTime;
use jiff::{SignedDuration, Timestamp};
use store::devices::{DeviceFields, NewDevice, SecretEdit};
use store::secrets::SecretKey;
use store::{Author, Store};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use web::push::{Brands, HikPush, PushListener, PushListenerOptions, ZkPush, ZkPushOptions};

const GATE: &str = "DS-K1T342MFX-E120250307V043800ENGB9637211";
const MAC: &str = "c0:6d:ed:02:d3:d9";
const EVENT: &str = include_str!("../../hik-proto/testdata/push_event.json");

struct Server {
    store: Store,
    engine: Engine,
    clock: Clock,
    address: SocketAddr,
    gate: DeviceId,
    token: String,
    _folder: Arc<tempfile::TempDir>,
    serving: tokio::task::JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// Whether the gate is read too.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Gate {
    OnlyCalls,
    IsReadToo,
}

impl Server {
    /// With a terminal in New York that only calls, at 17:28:00 there.
    async fn start() -> Self {
        Self::with(Gate::OnlyCalls, 0).await
    }

    async fn with(kind: Gate, keep_pictures_days: u32) -> Self {
        let folder = Arc::new(tempfile::tempdir().expect("a folder"));
        let url = format!("sqlite://{}", folder.path().join("muster.db").display());
        let store = Store::open(&url).await.expect("a new file");
        store.migrate().await.expect("a new file");
        let store = store.with_secret_key(SecretKey::generate());
        let clock = Clock::stopped(at("2026-09-01T21:28:00Z"));
        let tx = store.begin_write().await.expect("a transaction");
        let site = store::testing::site(&tx).await;
        let mut new = NewDevice {
            zone: Some("America/New_York".to_owned()),
            ..NewDevice::calling("hik", GATE, site)
        };
        if kind == Gate::IsReadToo {
            new.fields.mode = vec![Way::Poll, Way::Push];
            new.fields.address = Some("192.0.2.7".to_owned());
        }
        let gate = tx.add_device(&new, author()).await.expect("a device");
        tx.commit().await.expect("a commit");
        let options = PollerOptions {
            keep_pictures_days,
            ..PollerOptions::default()
        };
        let engine = Engine::new(store.clone(), clock.clone(), options);
        let engine = engine.answering(CallerOptions::default());
        let any = "127.0.0.1:0".parse().expect("an address");
        let listener = PushListener::bind(&[any]).await.expect("a port");
        let address = listener.addresses()[0];
        let callers = engine.callers.clone();
        let protocol = Brands {
            hik: HikPush::new(callers.clone(), engine.pictures.clone()),
            zk: ZkPush::new(callers.clone(), clock.clone(), ZkPushOptions::default()),
        };
        let serving = listener.serve(
            protocol,
            clock.clone(),
            PushListenerOptions::default(),
            std::future::pending(),
        );
        callers.tick().await.expect("a database");
        let token = callers.place_of(gate).await.expect("a place");
        Self {
            store,
            engine,
            clock,
            address,
            gate,
            token: token.expose().to_owned(),
            _folder: folder,
            serving: tokio::spawn(serving),
        }
    }

    fn path(&self) -> String {
        format!("/hik/events/{}", self.token)
    }

    /// The status and the body of the answer.
    async fn ask(&self, line: &str, kind: &str, body: &[u8]) -> (u16, String) {
        let mut stream = TcpStream::connect(self.address).await.expect("it listens");
        let head = format!(
            "{line} HTTP/1.1\r\nHost: 192.168.1.10:8080\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
            body.len()
        );
        let request = [head.as_bytes(), body].concat();
        stream.write_all(&request).await.expect("it is taken");
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.expect("an answer");
        let answer = String::from_utf8(answer).expect("a text");
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
        let status = head.split(' ').nth(1).and_then(|code| code.parse().ok());
        (status.expect("a status"), body.to_owned())
    }

    async fn post(&self, kind: &str, body: &[u8]) -> u16 {
        self.ask(&format!("POST {}", self.path()), kind, body)
            .await
            .0
    }

    async fn event(&self, event: &str) -> u16 {
        self.post("application/json", event.as_bytes()).await
    }

    async fn punches(&self) -> Vec<String> {
        store::testing::punches_of(&self.store, self.gate).await
    }

    async fn parked(&self) -> Vec<String> {
        let parked = self.store.parked_of(self.gate).await.expect("a database");
        parked.into_iter().map(|row| row.reason).collect()
    }

    async fn notices(&self) -> Vec<(String, i64)> {
        let notices = self.store.notices_of(self.gate).await.expect("a database");
        notices
            .into_iter()
            .map(|row| (row.kind, row.count))
            .collect()
    }

    async fn later(&self, secs: i64) {
        self.clock
            .set(self.clock.now() + SignedDuration::from_secs(secs));
    }

    async fn tick(&self) {
        self.engine.callers.tick().await.expect("a database");
    }

    async fn covered(&self) -> Option<Timestamp> {
        let tx = self.store.begin_write().await.expect("a transaction");
        let covered = tx.covered_to(self.gate).await.expect("a database");
        tx.rollback().await.expect("a database");
        covered
    }

    async fn gaps(&self) -> u64 {
        store::testing::count_rows(&self.store, "device_gaps").await
    }

    async fn failure(&self) -> Option<String> {
        let callers = self.store.callers().await.expect("a database");
        callers[0].failed_at.clone()
    }
}

fn at(text: &str) -> Timestamp {
    text.parse().expect("an instant")
}

fn author() -> Author {
    Author {
        account: None,
        at: at("2026-08-01T00:00:00Z"),
    }
}

/// The documented event, by somebody else at another time, with its numbers.
fn event_of(user: &str, clock: &str, number: u64, before: Option<u64>) -> String {
    let (_, event) = EVENT.split_once('\n').expect("a source and a body");
    let before = before.map_or(String::new(), |before| {
        format!("\"frontSerialNo\":{before},")
    });
    event
        .replace("\"1042\"", &format!("\"{user}\""))
        .replace("2026-09-01T17:27:53", clock)
        .replace("\"frontSerialNo\":1865,", &before)
        .replace("\"serialNo\":1866", &format!("\"serialNo\":{number}"))
        .replace(
            "\"portNo\":80,",
            &format!("\"portNo\":80,\"macAddress\":\"{MAC}\","),
        )
}

fn multipart(name: &str, event: &str) -> Vec<u8> {
    let mut body = format!(
        "--MIME_boundary\r\nContent-Disposition: form-data; name=\"{name}\"\r\nContent-Type: application/json; charset=\"UTF-8\"\r\n\
         Content-Length: {}\r\n\r\n{event}\r\n--MIME_boundary\r\nContent-Disposition: form-data; name=\"Picture\"; \
         filename=\"Picture.jpg\"\r\nContent-Type: image/jpeg\r\nContent-Length: 7\r\n\r\n",
        event.len()
    )
    .into_bytes();
    body.extend_from_slice(b"\xff\xd8\xff\xe0abc\r\n--MIME_boundary--\r\n");
    body
}

const HEARTBEAT: &str = "<EventNotificationAlert version=\"2.0\" xmlns=\"http://www.isapi.org/ver20/XMLSchema\"><ipAddress>192.168.1.64</ipAddress>\
     <macAddress>C0-6D-ED-02-D3-D9</macAddress><dateTime>2026-09-01T17:28:10-04:00</dateTime><eventType>heartBeat</eventType>\
     <eventState>active</eventState></EventNotificationAlert>";

#[tokio::test]
async fn the_documented_post_is_a_punch() {
    let server = Server::start().await;
    let (_, event) = EVENT.split_once('\n').expect("a source and a body");
    let kind = "multipart/form-data; boundary=MIME_boundary";
    let body = multipart("AccessControllerEvent", event);
    let line = format!("POST {}", server.path());
    let answer = server.ask(&line, kind, &body).await;
    assert_eq!(answer, (200, String::new()));
    assert_eq!(
        server.punches().await,
        ["1042 2026-09-01 17:27:53 in face push"]
    );
    // Posted again after an outage it is one sighting more of the same.
    assert_eq!(server.post(kind, &body).await, 200);
    assert_eq!(server.punches().await.len(), 1);
    assert_eq!(
        store::testing::count_rows(&server.store, "kept_uploads").await,
        0
    );
}

#[tokio::test]
async fn events_in_any_dress() {
    let server = Server::start().await;
    let event = |n: u64| event_of("7", &format!("2026-09-01T17:27:{n:02}"), n, Some(n - 1));
    let named = |name: &str, n| multipart(name, &event(n));
    let mixed = "multipart/mixed; boundary=\"hikboundary\"";
    for (kind, body) in [
        ("application/json", event(1).into_bytes()),
        ("text/json", event(2).into_bytes()),
        ("", event(3).into_bytes()),
        (
            "multipart/form-data; boundary=MIME_boundary",
            named("event_log", 4),
        ),
        (
            "multipart/form-data; boundary=MIME_boundary",
            named("Event_Type", 5),
        ),
        // A boundary that is not the one, and none at all.
        (mixed, named("AccessControllerEvent", 6)),
        (
            "application/octet-stream",
            named("AccessControllerEvent", 7),
        ),
    ] {
        assert_eq!(server.post(kind, &body).await, 200, "{kind}");
    }
    let xml = format!(
        "<EventNotificationAlert xmlns=\"http://www.hikvision.com/ver20/XMLSchema\"><macAddress>{MAC}</macAddress>\
         <dateTime>2026-09-01T17:27:08-04:00</dateTime><activePostCount/><eventType>AccessControllerEvent</eventType>\
         <AccessControllerEvent><majorEventType>5</majorEventType><subEventType>38</subEventType><employeeNoString>7</employeeNoString>\
         <serialNo>8</serialNo></AccessControllerEvent></EventNotificationAlert>"
    );
    assert_eq!(server.post("text/xml", xml.as_bytes()).await, 200);
    let punches = server.punches().await;
    assert_eq!(punches.len(), 8);
    assert_eq!(punches[7], "7 2026-09-01 17:27:08 none finger push");
    assert_eq!(server.parked().await, [] as [String; 0]);
}

/// Anything but 200 makes some units send it for ever.
#[tokio::test]
async fn junk_is_answered_200_and_kept_once() {
    let server = Server::start().await;
    let no_time = event_of("7", "yesterday", 5, None);
    // Who has the card, only the terminal knows.
    let card = event_of("", "2026-09-01T17:27:01", 5, None)
        .replace("\"employeeNoString\":\"\"", "\"cardNo\":\"0012345678\"");
    assert!(card.contains("cardNo"));
    let junk = [
        "{\"eventType\":",
        "hello",
        "<a><b></a>",
        "--x\r\n\r\nhello there\r\n--x--\r\n",
        &no_time,
        &card,
    ];
    for body in junk.iter().chain(&junk) {
        assert_eq!(
            server.post("text/plain", body.as_bytes()).await,
            200,
            "{body}"
        );
    }
    assert_eq!(server.parked().await.len(), junk.len());
    assert_eq!(server.punches().await, [] as [String; 0]);
    // Nothing, noise and other kinds of events are nothing to keep.
    let door = event_of("", "2026-09-01T17:27:00", 6, None).replace("75,", "21,");
    let other = "<EventNotificationAlert><eventType>VMD</eventType></EventNotificationAlert>";
    for body in ["", " \r\n", &door, other] {
        assert_eq!(server.post("application/json", body.as_bytes()).await, 200);
    }
    assert_eq!(server.parked().await.len(), junk.len());
}

#[tokio::test]
async fn who_has_no_place_is_told_nothing() {
    let server = Server::start().await;
    let event = event_of("7", "2026-09-01T17:27:00", 5, None);
    let other = "A".repeat(22);
    let long = "A".repeat(5000);
    for path in [
        "/hik/events/".to_owned(),
        format!("/hik/events/{other}"),
        format!("/hik/events/{long}"),
        format!("/hik/events/x/{}", server.token),
        format!("/hik/events/{}x", server.token),
        format!("/HIK/events/{}", server.token),
        format!("/hik/events/{}", server.token.to_uppercase()),
    ] {
        for method in ["POST", "GET"] {
            let (status, told) = server
                .ask(
                    &format!("{method} {path}"),
                    "application/json",
                    event.as_bytes(),
                )
                .await;
            assert_eq!(status, 404, "{method} {path}");
            assert!(!told.contains("event") && told.len() < 40, "{told}");
        }
    }
    assert_eq!(server.punches().await, [] as [String; 0]);
    let (status, told) = server.ask(&format!("GET {}", server.path()), "", b"").await;
    assert_eq!(
        (status, told.as_str()),
        (200, ""),
        "somebody tries the address"
    );

    // A device that is switched off, and one that calls no more, have no place.
    let row = server.store.device(server.gate).await.unwrap().unwrap();
    let mut fields = DeviceFields::from(&row);
    fields.enabled = false;
    let keep = SecretEdit::Keep;
    let tx = server.store.begin_write().await.unwrap();
    tx.edit_device(server.gate, &fields, &keep, &keep, author())
        .await
        .unwrap();
    tx.commit().await.unwrap();
    server.engine.callers.read_known().await.unwrap();
    assert_eq!(server.event(&event).await, 404);
}

/// A device of this kind is known by its place: no other protocol lets anybody claim its serial number.
#[tokio::test]
async fn its_serial_number_opens_nothing() {
    let server = Server::start().await;
    // As on its label.
    store::testing::tamper(
        &server.store,
        "UPDATE devices SET serial_number = 'GB9637211'",
    )
    .await;
    server.engine.callers.read_known().await.unwrap();
    let line = "POST /iclock/cdata?SN=GB9637211&table=ATTLOG&Stamp=9999";
    let body = b"1\t2026-09-01 17:00:00\t0\t1\n";
    let (status, _) = server.ask(line, "text/plain", body).await;
    assert_eq!(status, 403);
    assert_eq!(server.punches().await, [] as [String; 0]);
}

#[tokio::test]
async fn a_renewed_place_is_another_one() {
    let mut server = Server::start().await;
    let event = event_of("7", "2026-09-01T17:27:00", 5, None);
    let before = server.token.clone();
    let author = author();
    let token = server.engine.callers.renew_place(server.gate, author).await;
    let token = token.expect("a database").expose().to_owned();
    assert_ne!(token, before);
    assert_eq!(server.event(&event).await, 404);
    server.token = token;
    assert_eq!(server.event(&event).await, 200);
    let audit = server.store.audit_entries(None, 1).await.unwrap();
    assert_eq!(
        (audit[0].action.as_str(), audit[0].subject.as_str()),
        ("device.push_renew", GATE)
    );
    assert!(!audit[0].detail.contains(&server.token));
    let rows = server.store.call_places().await.unwrap();
    let kept = format!("{rows:?}");
    assert!(!kept.contains(&server.token) && !kept.contains(&before));
}

#[tokio::test]
async fn another_terminal_at_this_place_tells_nobody_s_punches() {
    let server = Server::start().await;
    assert_eq!(
        server
            .event(&event_of("7", "2026-09-01T17:27:00", 5, None))
            .await,
        200
    );
    let other = event_of("8", "2026-09-01T17:27:10", 6, None).replace(MAC, "c0:6d:ed:ff:ff:ff");
    assert_eq!(server.event(&other).await, 200);
    assert_eq!(
        server.punches().await,
        ["7 2026-09-01 17:27:00 in face push"]
    );
    let reason = "it comes from another terminal, with hardware address c0:6d:ed:ff:ff:ff";
    assert_eq!(server.parked().await, [reason]);
    assert_eq!(
        server.notices().await[0],
        ("another_hardware".to_owned(), 1)
    );
    // Written otherwise it is the same.
    let same = event_of("9", "2026-09-01T17:27:20", 7, None).replace(MAC, "C0-6D-ED-02-D3-D9");
    assert_eq!(server.event(&same).await, 200);
    assert_eq!(server.punches().await.len(), 2);
    // Nor does a heartbeat of another one say that this one is there.
    let before = server
        .store
        .calls_of(server.gate)
        .await
        .unwrap()
        .unwrap()
        .last_ms;
    server.later(60).await;
    let strange = HEARTBEAT.replace("C0-6D", "AA-AA");
    assert_eq!(
        server.post("application/xml", strange.as_bytes()).await,
        200
    );
    server.tick().await;
    let after = server
        .store
        .calls_of(server.gate)
        .await
        .unwrap()
        .unwrap()
        .last_ms;
    assert_eq!(before, after);
}

/// A punch is one whichever way it comes: by push, by listening, and by reading.
#[tokio::test]
async fn the_same_punch_by_push_and_by_reading_is_one() {
    let server = Server::with(Gate::IsReadToo, 0).await;
    assert_eq!(
        server
            .event(&event_of("0042", "2026-09-01T17:27:53", 9, None))
            .await,
        200
    );
    let read = attendance::Punch {
        user: attendance::DeviceUserId::parse("0042").expect("an id"),
        clock: "2026-09-01T17:27:53".parse::<DateTime>().expect("a time"),
        offset: Some(jiff::tz::offset(-4)),
        state: attendance::PunchState::None,
        verify: attendance::VerifyMode::Face,
        record: 9,
    };
    let batch = Batch::new(server.gate, Way::Poll, vec![read]);
    let accepted = server
        .engine
        .intake
        .accept(&batch)
        .await
        .expect("a database");
    assert_eq!((accepted.new, accepted.duplicate), (0, 1));
    assert_eq!(server.punches().await.len(), 1);
}

/// What the terminal told before it is not there: the device is read now, once in a while.
#[tokio::test]
async fn a_missing_event_has_the_device_read() {
    let server = Server::with(Gate::IsReadToo, 0).await;
    let due = async || {
        server
            .store
            .device(server.gate)
            .await
            .unwrap()
            .unwrap()
            .next_poll_ms
    };
    store::testing::tamper(&server.store, "UPDATE devices SET next_poll_ms = 0").await;
    let never = due().await;
    for (number, before) in [(10, 9), (11, 10), (13, 11)] {
        let event = event_of(
            "7",
            &format!("2026-09-01T17:27:{number}"),
            number,
            Some(before),
        );
        assert_eq!(server.event(&event).await, 200);
        assert_eq!(due().await, never, "{number} follows {before}");
    }
    assert_eq!(
        server
            .event(&event_of("7", "2026-09-01T17:27:20", 20, Some(19)))
            .await,
        200
    );
    assert_eq!(due().await, Some(server.clock.now().as_millisecond()));
    assert_eq!(server.notices().await[0], ("events_missing".to_owned(), 1));
    // What is told again later is no gap.
    let again = event_of("7", "2026-09-01T17:27:18", 18, Some(13));
    let again = again.replace("\"currentEvent\":true", "\"currentEvent\":false");
    assert_eq!(server.event(&again).await, 200);
    assert_eq!(server.notices().await[0], ("events_missing".to_owned(), 1));
    assert_eq!(
        (server.covered().await, server.gaps().await),
        (None, 0),
        "readings cover it"
    );
}

/// Nobody is absent by a terminal that only calls, unless its events say that none is missing.
#[tokio::test]
async fn only_events_that_follow_each_other_cover() {
    let server = Server::start().await;
    let told = async |number: u64, before: Option<u64>, secs: i64| {
        server.later(secs).await;
        let clock = server
            .clock
            .now()
            .to_zoned(jiff::tz::TimeZone::get("America/New_York").unwrap());
        let clock = clock.datetime().strftime("%Y-%m-%dT%H:%M:%S").to_string();
        assert_eq!(
            server.event(&event_of("7", &clock, number, before)).await,
            200
        );
        server.covered().await
    };
    let begin = server.clock.now() + SignedDuration::from_secs(10);
    assert_eq!(
        told(10, Some(9), 10).await,
        Some(begin),
        "of the time before nothing is known"
    );
    assert_eq!(server.gaps().await, 0);
    let minute = SignedDuration::from_mins(1);
    let covered = told(11, Some(10), 600).await;
    assert_eq!(covered, Some(server.clock.now() - minute));
    // Heartbeats say nothing of what was lost.
    server.later(600).await;
    assert_eq!(server.post("text/xml", HEARTBEAT.as_bytes()).await, 200);
    server.tick().await;
    assert_eq!(server.covered().await, covered);
    // 12 is missing: that time stays open.
    let covered = told(13, Some(12), 600).await;
    assert_eq!(covered, Some(server.clock.now()));
    assert_eq!(server.gaps().await, 1);
    told(14, Some(13), 600).await;
    assert_eq!(
        server.gaps().await,
        1,
        "no later event brings what is missing"
    );
}

/// The chain goes on after a restart.
#[tokio::test]
async fn what_was_told_last_is_remembered() {
    let server = Server::start().await;
    assert_eq!(
        server
            .event(&event_of("7", "2026-09-01T17:27:10", 10, None))
            .await,
        200
    );
    let place = server.store.call_place(server.gate).await.unwrap().unwrap();
    assert_eq!(place.last_number, Some(10));
    let again = Engine::new(
        server.store.clone(),
        server.clock.clone(),
        PollerOptions::default(),
    );
    let caller = again
        .callers
        .at_place(&server.token)
        .await
        .unwrap()
        .expect("it is known");
    let link = ingest::Link {
        number: 11,
        before: Some(10),
        clock: "2026-09-01T17:27:50".parse().unwrap(),
        is_news: true,
    };
    let delivery = ingest::Delivery {
        content: "x".to_owned(),
        lines: 1,
        links: vec![link],
        ..ingest::Delivery::default()
    };
    again.callers.deliver(&caller, delivery).await.unwrap();
    assert_eq!(server.gaps().await, 0);
    assert_eq!(server.notices().await, []);
}

#[tokio::test]
async fn a_terminal_whose_heartbeats_stop_is_away() {
    let server = Server::start().await;
    // One that never sends any is not.
    assert_eq!(
        server
            .event(&event_of("7", "2026-09-01T17:27:00", 1, None))
            .await,
        200
    );
    server.later(3600).await;
    server.tick().await;
    assert_eq!(server.failure().await, None);
    for _ in 0..3 {
        server.later(30).await;
        assert_eq!(
            server.post("application/xml", HEARTBEAT.as_bytes()).await,
            200
        );
    }
    server.tick().await;
    assert_eq!(server.failure().await, None);
    server.later(89).await;
    server.tick().await;
    assert_eq!(server.failure().await, None);
    server.later(2).await;
    server.tick().await;
    assert_eq!(server.failure().await.as_deref(), Some("call"));
    assert_eq!(
        server.post("application/xml", HEARTBEAT.as_bytes()).await,
        200
    );
    server.tick().await;
    assert_eq!(server.failure().await, None);
    let place = server.store.call_place(server.gate).await.unwrap().unwrap();
    assert_eq!(
        place.last_heartbeat_ms,
        Some(server.clock.now().as_millisecond())
    );
    assert_eq!(server.punches().await.len(), 1, "a heartbeat is no punch");
}

/// Told by its heartbeats, where nobody reads its clock.
#[tokio::test]
async fn a_wrong_clock_shows() {
    let server = Server::start().await;
    let heartbeat = |clock: &str| HEARTBEAT.replace("2026-09-01T17:28:10-04:00", clock);
    assert_eq!(
        server
            .post(
                "text/xml",
                heartbeat("2026-09-01T18:28:00-04:00").as_bytes()
            )
            .await,
        200
    );
    let row = server.store.device(server.gate).await.unwrap().unwrap();
    assert_eq!(row.clock_drift_s, Some(3600));
}

/// What could not be stored is told again, and nothing else was said.
#[tokio::test]
async fn a_database_that_refuses_is_not_acknowledged() {
    let server = Server::start().await;
    let event = event_of("7", "2026-09-01T17:27:00", 5, None);
    store::testing::tamper(&server.store, "ALTER TABLE punches RENAME TO gone").await;
    assert_eq!(server.event(&event).await, 503);
    store::testing::tamper(&server.store, "ALTER TABLE gone RENAME TO punches").await;
    assert_eq!(server.event(&event).await, 200);
    assert_eq!(server.punches().await.len(), 1);
}

/// The same setting as for pictures of the live stream; without it, see `the_documented_post_is_a_punch`.
#[tokio::test]
async fn pictures_of_punches_are_kept_for_as_many_days_as_a_setting_says() {
    let server = Server::with(Gate::OnlyCalls, 2).await;
    let kind = "multipart/form-data; boundary=MIME_boundary";
    let post = async |event: &str| {
        let body = multipart("AccessControllerEvent", event);
        assert_eq!(server.post(kind, &body).await, 200);
        server.store.kept_uploads(server.gate).await.unwrap()
    };
    let refused = event_of("7", "2026-09-01T17:26:59", 4, None)
        .replace("\"subEventType\":75", "\"subEventType\":76");
    assert_eq!(post(&refused).await, [], "of somebody who was not let in");
    let kept = post(&event_of("7", "2026-09-01T17:27:00", 5, None)).await;
    let [kept] = kept.as_slice() else {
        panic!("one picture: {kept:?}");
    };
    assert_eq!(
        (kept.kind.as_str(), kept.name.as_str()),
        (ingest::PICTURE, "7 2026-09-01 17:27:00")
    );
    for (hours, left) in [(47, 1), (2, 0)] {
        server.later(hours * 3600).await;
        server.engine.catch_up().await.unwrap();
        let kept = server.store.kept_uploads(server.gate).await.unwrap();
        assert_eq!(kept.len(), left);
    }
}

/// Some firmware marks wall time as UTC. Where the terminal's own clock was seen elsewhere, that is no offset.
#[tokio::test]
async fn an_offset_that_is_made_up_is_none() {
    let event = event_of("7", "2026-09-01T17:27:10", 10, None);
    assert!(event.contains("-04:00"));
    let marked = event.replace("-04:00", "+00:00");
    for (clock, failure) in [
        ("NULL", Some("clock")),
        ("0", Some("clock")),
        ("-14400", None),
    ] {
        let server = Server::start().await;
        let set = format!("UPDATE call_places SET clock_offset_s = {clock}");
        store::testing::tamper(&server.store, &set).await;
        server.tick().await;
        assert_eq!(server.event(&marked).await, 200);
        server.tick().await;
        assert_eq!(server.failure().await.as_deref(), failure, "{clock}");
        assert_eq!(
            server.punches().await,
            ["7 2026-09-01 17:27:10 in face push"]
        );
    }
}

/// Whose the card is, only the terminal knows for certain, and it is asked at once where it is read.
#[tokio::test]
async fn an_event_that_names_only_a_card_has_the_device_read() {
    let of_card = event_of("", "2026-09-01T17:27:01", 5, None)
        .replace("\"employeeNoString\":\"\"", "\"cardNo\":\"0012345678\"")
        .replace("\"subEventType\":75", "\"subEventType\":1");
    let server = Server::with(Gate::IsReadToo, 0).await;
    store::testing::tamper(&server.store, "UPDATE devices SET next_poll_ms = 0").await;
    assert_eq!(server.event(&of_card).await, 200);
    let row = server.store.device(server.gate).await.unwrap().unwrap();
    let now = server.clock.now().as_millisecond();
    assert_eq!(row.next_poll_ms, Some(now));
    assert_eq!(server.parked().await, [] as [String; 0], "its log has it");
    let server = Server::start().await;
    assert_eq!(server.event(&of_card).await, 200);
    let reason = "card 0012345678 without an employee number";
    assert_eq!(server.parked().await, [reason]);
}

#[tokio::test]
async fn what_was_not_understood_can_be_read_again() {
    let server = Server::start().await;
    assert_eq!(
        server
            .event(&event_of("7", "2026-09-01T17:27:00", 5, None))
            .await,
        200
    );
    let other = event_of("8", "2026-09-01T17:27:10", 6, None).replace(MAC, "c0:6d:ed:ff:ff:ff");
    assert_eq!(server.event(&other).await, 200);
    let state = web::WebState::new(server.engine.clone(), web::WebConfig::default());
    assert_eq!(
        web::push::retry_parked(&state, server.gate).await.unwrap(),
        (0, 1)
    );
    // A person finds out that it was the same terminal with a new board.
    store::testing::tamper(
        &server.store,
        "UPDATE call_places SET hardware = 'c0:6d:ed:ff:ff:ff'",
    )
    .await;
    assert_eq!(
        web::push::retry_parked(&state, server.gate).await.unwrap(),
        (1, 0)
    );
    assert_eq!(server.punches().await.len(), 2);
}

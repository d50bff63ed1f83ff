//! The live stream and subscriptions.

use super::*;

const LIVE: &str = "/ISAPI/Event/notification/alertStream?deployID=1";
const CLIENT: &str = "/ISAPI/Event/notification/alertStream";
const SUBSCRIBE: &str = "/ISAPI/Event/notification/subscribeEvent?deployID=1";

/// Short enough to wait for, and long enough for bytes on loopback.
const MOMENT: Duration = Duration::from_millis(60);

/// One who listens; reads parts by their lengths.
struct Listener {
    stream: TcpStream,
    buffer: Vec<u8>,
    head: String,
    boundary: String,
}

struct Part {
    head: String,
    body: Vec<u8>,
}

impl Part {
    fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }

    fn event(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// Serial number, the one before, whether it is current.
    fn serials(&self) -> (u64, u64, bool) {
        let event = &self.event()["AccessControllerEvent"];
        (
            event["serialNo"].as_u64().unwrap(),
            event["frontSerialNo"].as_u64().unwrap(),
            event["currentEvent"].as_bool().unwrap(),
        )
    }
}

impl Listener {
    async fn connect(terminal: &RunningTerminal, method: &str, target: &str, body: &str) -> Self {
        let challenge = unsigned(terminal, method, target).await;
        let authorization = sign(&login(), challenge.challenges()[0], method, target, 1);
        let mut stream = TcpStream::connect(terminal.addr()).await.unwrap();
        let asked = request(method, target, Some(&authorization), body);
        stream.write_all(asked.as_bytes()).await.unwrap();
        let mut listener = Self {
            stream,
            buffer: Vec::new(),
            head: String::new(),
            boundary: "--MIME_boundary".to_owned(),
        };
        listener.head = listener.until("\r\n\r\n").await.expect("a head");
        listener
    }

    async fn open(terminal: &RunningTerminal, target: &str) -> Self {
        let listener = Self::connect(terminal, "GET", target, "").await;
        assert!(
            listener.head.starts_with("HTTP/1.1 200"),
            "{}",
            listener.head
        );
        listener
    }

    /// More bytes; `false` when the terminal has closed.
    async fn fill(&mut self) -> bool {
        let read = self.stream.read_buf(&mut self.buffer);
        let read = timeout(Duration::from_secs(20), read).await.expect("bytes");
        read.is_ok_and(|read| read > 0)
    }

    /// The bytes before `mark`, which goes too; `None` at the end.
    async fn until(&mut self, mark: &str) -> Option<String> {
        loop {
            let at = self
                .buffer
                .windows(mark.len())
                .position(|bytes| bytes == mark.as_bytes());
            if let Some(at) = at {
                let before = String::from_utf8_lossy(&self.buffer[..at]).into_owned();
                self.buffer.drain(..at + mark.len());
                return Some(before);
            }
            if !self.fill().await {
                return None;
            }
        }
    }

    async fn part(&mut self) -> Option<Part> {
        let boundary = self.boundary.clone();
        assert_eq!(self.until(&format!("{boundary}\r\n")).await?.trim(), "");
        let head = self.until("\r\n\r\n").await?;
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("Content-Length: "));
        let length: usize = length.expect("a length").parse().unwrap();
        while self.buffer.len() < length {
            if !self.fill().await {
                return None;
            }
        }
        let body = self.buffer.drain(..length).collect();
        Some(Part { head, body })
    }

    async fn next(&mut self) -> Part {
        self.part().await.expect("a part")
    }
}

fn streaming(stream: Stream) -> VirtualTerminal {
    entrance().stream(Stream {
        heartbeat_every: Duration::from_secs(3600),
        ..stream
    })
}

fn quiet() -> VirtualTerminal {
    streaming(Stream::default())
}

#[tokio::test]
async fn a_punch_comes_at_once_and_only_to_those_who_listen() {
    let terminal = start(quiet().events(punches(2)).noise(2)).await;
    let mut listener = Listener::open(&terminal, LIVE).await;
    assert!(
        listener
            .head
            .contains("Content-Type: multipart/mixed; boundary=MIME_boundary")
    );
    assert!(
        !listener.head.contains("Transfer-Encoding") && !listener.head.contains("Content-Length")
    );
    terminal.punch("1042", noon());
    // Two punches with a row of the door before and after each came earlier.
    let door = listener.next().await;
    assert_eq!(door.serials(), (7, 6, true));
    assert_eq!(door.event()["AccessControllerEvent"]["subEventType"], 21);
    let punch = listener.next().await;
    assert_eq!(
        punch.head.lines().next(),
        Some("Content-Type: application/json; charset=\"UTF-8\"")
    );
    assert_eq!(punch.serials(), (8, 7, true));
    let event = punch.event();
    assert_eq!(
        (&event["dateTime"], &event["eventType"], &event["ipAddress"]),
        (
            &json!("2026-03-02T12:00:00+01:00"),
            &json!("AccessControllerEvent"),
            &json!("127.0.0.1")
        )
    );
    let inner = &event["AccessControllerEvent"];
    for (key, expected) in [
        ("majorEventType", json!(5)),
        ("subEventType", json!(75)),
        ("employeeNoString", json!("1042")),
        ("name", json!("Aziza K.")),
        ("attendanceStatus", json!("undefined")),
        ("currentVerifyMode", json!("cardOrFace")),
    ] {
        assert_eq!(inner[key], expected, "{key}");
    }
    assert_eq!(listener.next().await.serials(), (9, 8, true));
    let counts = terminal.counts();
    assert_eq!((counts.streams, counts.streams_open), (1, 1));
    // Listening is no request under way.
    terminal.reset_counts();
    get(&terminal, INFO).await;
    assert_eq!(terminal.counts().most_at_once, 1);
    assert_eq!(terminal.counts().streams_open, 1);
}

#[tokio::test]
async fn history_comes_first_to_a_client_without_deploy_id() {
    async fn check(terminal: VirtualTerminal, target: &str, expected: &[(u64, u64, bool)]) {
        let terminal = start(terminal.events(punches(2))).await;
        let mut listener = Listener::open(&terminal, target).await;
        terminal.punch("1042", noon());
        for expected in expected {
            assert_eq!(listener.next().await.serials(), *expected);
        }
    }
    let all = [(1, 0, false), (2, 1, false), (3, 2, true)];
    let live = [(3, 2, true)];
    check(quiet(), CLIENT, &all).await;
    check(quiet(), &format!("{CLIENT}?deployID=0"), &all).await;
    check(quiet(), LIVE, &live).await;
    check(quiet().fault(Fault::LogDump), LIVE, &all).await;
    let replays = |replays| {
        streaming(Stream {
            replays,
            ..Stream::default()
        })
    };
    check(replays(Replays::Always), LIVE, &all).await;
    check(replays(Replays::Never), CLIENT, &live).await;
}

#[tokio::test]
async fn a_long_log_is_sent_whole_and_begins_again_after_a_reset() {
    let terminal = start(quiet().events(punches(500))).await;
    let mut listener = Listener::open(&terminal, CLIENT).await;
    for serial in 1..=500 {
        assert_eq!(listener.next().await.serials().0, serial);
    }
    terminal.reset_serials();
    terminal.punch("1042", noon());
    assert_eq!(listener.next().await.serials(), (1, 0, true));
}

#[tokio::test]
async fn heartbeats_come_in_each_style() {
    async fn check(heartbeat: Heartbeat, expected: &[&str]) {
        let stream = Stream {
            heartbeat,
            heartbeat_every: MOMENT,
            ..Stream::default()
        };
        let terminal = start(entrance().stream(stream)).await;
        let mut listener = Listener::open(&terminal, LIVE).await;
        for _ in 0..3 {
            let beat = listener.next().await.text();
            for expected in expected {
                assert!(beat.contains(expected), "{beat}");
            }
        }
    }
    check(
        Heartbeat::VideoLoss,
        &[
            "<eventType>videoloss</eventType>\n<eventState>inactive</eventState>",
            "<activePostCount>0<",
        ],
    )
    .await;
    check(
        Heartbeat::Xml,
        &["<eventType>heartBeat</eventType>\n<eventState>active</eventState>"],
    )
    .await;
    check(
        Heartbeat::Json,
        &[
            "\"eventType\":\t\"heartBeat\"",
            "\"eventState\":\t\"active\"",
        ],
    )
    .await;

    let none = Stream {
        heartbeat: Heartbeat::None,
        heartbeat_every: MOMENT,
        ..Stream::default()
    };
    let terminal = start(entrance().stream(none)).await;
    let mut listener = Listener::open(&terminal, LIVE).await;
    assert!(timeout(MOMENT * 3, listener.fill()).await.is_err());
    terminal.punch("1042", noon());
    assert_eq!(listener.next().await.serials().0, 1);
}

#[tokio::test]
async fn events_can_be_xml_and_bring_pictures() {
    let stream = Stream {
        events: EventForm::Xml,
        form_data: true,
        ..Stream::default()
    };
    let terminal = start(streaming(stream).pictures(Pictures::Binary { bytes: 5000 })).await;
    let mut listener = Listener::open(&terminal, LIVE).await;
    assert!(listener.head.contains("multipart/form-data"));
    terminal.punch("1042", noon());
    let event = listener.next().await;
    assert!(event.head.starts_with("Content-Type: application/xml"));
    let text = event.text();
    assert!(
        text.contains("<subEventType>75</subEventType>") && text.contains("<name>Aziza K.</name>")
    );
    assert!(text.ends_with("</AccessControllerEvent>\n</EventNotificationAlert>\n"));
    let picture = listener.next().await;
    assert!(
        picture
            .head
            .contains("filename=\"Picture.jpg\"\r\nContent-Type: image/jpeg")
    );
    assert_eq!(picture.body.len(), 5000);
    assert!(picture.body.starts_with(b"\xff\xd8\xff") && picture.body.ends_with(b"\xff\xd9"));

    let terminal = start(quiet().pictures(Pictures::Url)).await;
    let mut listener = Listener::open(&terminal, LIVE).await;
    terminal.punch("1042", noon());
    let event = listener.next().await.event();
    let url = event["AccessControllerEvent"]["pictureURL"]
        .as_str()
        .unwrap();
    let (_, path) = url.split_once(&terminal.addr().to_string()).unwrap();
    assert!(path.ends_with("@WEB000000000011"));
    assert!(get(&terminal, path).await.body.starts_with(b"\xff\xd8\xff"));
    let row = page(&terminal, 0, json!({})).await["InfoList"][0].clone();
    assert_eq!(row["pictureURL"], url);
}

#[tokio::test]
async fn places_are_few_and_come_back() {
    let terminal = start(quiet()).await;
    let mut open = Vec::new();
    for target in [CLIENT, LIVE, LIVE, LIVE, LIVE] {
        open.push(Listener::open(&terminal, target).await);
    }
    for target in [CLIENT, LIVE] {
        let answer = get(&terminal, target).await;
        assert_eq!(answer.status, 403);
        assert!(
            answer
                .text()
                .contains("<subStatusCode>deployExceedMax</subStatusCode>")
        );
    }
    let info = get(&terminal, "/ISAPI/AccessControl/DeployInfo")
        .await
        .text();
    assert_eq!(
        info.matches("<deployType>1</deployType>\n<ipAddr>127.0.0.1</ipAddr>")
            .count(),
        4
    );
    open.pop();
    while terminal.counts().streams_open == 5 {
        tokio::task::yield_now().await;
    }
    Listener::open(&terminal, LIVE).await;
    let full = start(quiet().fault(Fault::StreamFull)).await;
    assert_eq!(get(&full, LIVE).await.status, 403);
}

#[tokio::test]
async fn some_firmware_refuses_the_query_or_a_quick_second_request() {
    for status in [400, 404] {
        let terminal = start(quiet().fault(Fault::NoDeployId(status))).await;
        assert_eq!(get(&terminal, LIVE).await.status, status);
        Listener::open(&terminal, CLIENT).await;
    }
    // The request for a challenge is the first of two.
    let terminal = start(quiet().fault(Fault::QuickReopen(Duration::from_secs(60)))).await;
    assert_eq!(get(&terminal, LIVE).await.status, 400);
    let terminal = start(quiet().fault(Fault::QuickReopen(Duration::ZERO))).await;
    Listener::open(&terminal, LIVE).await;
    let answer = get(
        &terminal,
        "/ISAPI/Event/notification/alertStream?deployID=7",
    )
    .await;
    assert_eq!(answer.status, 400);
}

#[tokio::test]
async fn a_stream_that_hangs_stays_open_and_one_that_ends_does_not() {
    let terminal = start(quiet()).await;
    let mut listener = Listener::open(&terminal, LIVE).await;
    terminal.hang_streams();
    terminal.punch("1042", noon());
    let silent = timeout(MOMENT * 2, listener.part()).await;
    assert!(silent.is_err());
    assert_eq!(terminal.counts().streams_open, 1);
    // Another connection is well.
    let mut second = Listener::open(&terminal, LIVE).await;
    terminal.punch("1042", noon());
    assert_eq!(second.next().await.serials(), (2, 1, true));
    terminal.end_streams();
    assert!(second.part().await.is_none());
}

#[tokio::test]
async fn faults_with_a_time_end_or_silence_a_stream() {
    let beating = || {
        entrance().stream(Stream {
            heartbeat_every: MOMENT,
            ..Stream::default()
        })
    };
    let terminal = start(beating().fault(Fault::StreamEnds(MOMENT * 5 / 2))).await;
    let mut listener = Listener::open(&terminal, LIVE).await;
    listener.next().await;
    while listener.part().await.is_some() {}

    let terminal = start(beating().fault(Fault::HalfOpen(MOMENT * 3 / 2))).await;
    let mut listener = Listener::open(&terminal, LIVE).await;
    listener.next().await;
    terminal.punch("1042", noon());
    let silent = async { while listener.fill().await {} };
    assert!(timeout(MOMENT * 5, silent).await.is_err());
    assert!(listener.buffer.len() < 2000);
}

/// Everything a stream sends of one punch, until nothing comes for a moment, and whether it closed.
async fn raw(fault: Fault) -> (String, Vec<u8>, bool) {
    let terminal = start(quiet().fault(fault)).await;
    let mut listener = Listener::open(&terminal, LIVE).await;
    terminal.punch("1042", noon());
    let mut closed = false;
    while listener.buffer.len() < 4 << 20 {
        match timeout(MOMENT * 4, listener.fill()).await {
            Ok(true) => {}
            Ok(false) => {
                closed = true;
                break;
            }
            Err(_) => break,
        }
    }
    // The port is another one each time.
    let (port, mut bytes) = (terminal.addr().port().to_string(), listener.buffer);
    let at = bytes
        .windows(port.len())
        .position(|five| five == port.as_bytes());
    if let Some(at) = at {
        bytes[at..at + port.len()].fill(b'0');
    }
    (listener.head, bytes, closed)
}

#[tokio::test]
async fn parts_are_framed_wrongly_in_each_way() {
    let (_, whole, _) = raw(Fault::Slow(Duration::ZERO)).await;
    let text = String::from_utf8(whole.clone()).unwrap();
    let body = text
        .split_once("\r\n\r\n")
        .unwrap()
        .1
        .trim_end_matches("\r\n");
    let length = |by: i64| format!("Content-Length: {}\r\n", body.len() as i64 + by);
    assert!(text.contains(&length(0)) && text.starts_with("--MIME_boundary\r\n"));
    // No boundary closes the stream.
    assert!(!text.contains("--MIME_boundary--"));

    for by in [-5, 7] {
        let (_, bytes, _) = raw(Fault::PartLength(Some(by))).await;
        let text = String::from_utf8(bytes).unwrap();
        assert!(text.contains(&length(by)) && text.contains(body));
    }
    let (_, bytes, _) = raw(Fault::PartLength(None)).await;
    assert!(!String::from_utf8(bytes).unwrap().contains("Content-Length"));
    let (_, bytes, _) = raw(Fault::LfOnly).await;
    assert!(!bytes.contains(&b'\r'));
    let (_, bytes, _) = raw(Fault::Dribble(Duration::ZERO)).await;
    assert_eq!(bytes, whole);
    let (_, bytes, closed) = raw(Fault::CutMidBody).await;
    assert!(closed && whole.starts_with(&bytes) && bytes.len() == whole.len() / 2);
    let (_, bytes, closed) = raw(Fault::StallMidBody).await;
    assert!(!closed && bytes.len() == whole.len() / 2);
    let (_, bytes, closed) = raw(Fault::HugePart).await;
    assert!(!closed && bytes.len() >= 4 << 20 && bytes.windows(10).any(|ten| ten == b"4294967296"));
}

#[tokio::test]
async fn the_boundary_is_named_in_each_way() {
    async fn check(fault: Fault, named: &str, used: &str) {
        let (head, bytes, _) = raw(fault).await;
        assert!(head.ends_with(named), "{head}");
        assert!(bytes.starts_with(used.as_bytes()));
    }
    check(
        Fault::QuotedBoundary,
        "boundary=\"MIME_boundary\"",
        "--MIME_boundary\r\n",
    )
    .await;
    check(Fault::EmptyBoundary, "boundary=", "--MIME_boundary\r\n").await;
    check(
        Fault::Boundary("hikboundary".into()),
        "boundary=hikboundary",
        "--hikboundary\r\n",
    )
    .await;
}

#[tokio::test]
async fn events_get_lost_doubled_or_stand_beside_junk() {
    async fn check(fault: Fault, expected: &[(u64, u64, bool)]) {
        let terminal = start(quiet().fault(fault)).await;
        let mut listener = Listener::open(&terminal, LIVE).await;
        for _ in 0..3 {
            terminal.punch("1042", noon());
        }
        for expected in expected {
            assert_eq!(listener.next().await.serials(), *expected);
        }
    }
    check(Fault::StreamHoles(2), &[(1, 0, true), (3, 2, true)]).await;
    check(
        Fault::StreamTwice,
        &[(1, 0, true), (1, 0, true), (2, 1, true)],
    )
    .await;

    let (_, bytes, _) = raw(Fault::MuteStream).await;
    assert_eq!(bytes, b"");
    let (_, bytes, _) = raw(Fault::EmptyCount).await;
    let text = String::from_utf8(bytes).unwrap();
    assert!(text.contains("<activePostCount/>") && text.contains("\"serialNo\":\t1,"));
    let (_, bytes, _) = raw(Fault::GarbagePart).await;
    assert!(String::from_utf8(bytes.clone()).is_err());
    assert!(String::from_utf8_lossy(&bytes).contains("\"serialNo\":\t1,"));
}

#[tokio::test]
async fn a_boundary_may_follow_its_part() {
    let terminal = start(streaming(Stream {
        boundary_follows: true,
        ..Stream::default()
    }))
    .await;
    let mut listener = Listener::open(&terminal, LIVE).await;
    assert_eq!(
        listener.until("\r\n").await.as_deref(),
        Some("--MIME_boundary")
    );
    terminal.punch("1042", noon());
    assert!(listener.until("}\n\r\n--MIME_boundary\r\n").await.is_some());
}

#[tokio::test]
async fn faults_of_streams_leave_other_requests_alone() {
    let rule = Fault::StreamFull.times(1);
    let terminal = start(quiet().fault(rule)).await;
    assert_eq!(get(&terminal, INFO).await.status, 200);
    assert_eq!(get(&terminal, LIVE).await.status, 403);
    Listener::open(&terminal, LIVE).await;
}

// Subscriptions.

const LISTED: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<SubscribeEvent version=\"2.0\" \
    xmlns=\"http://www.isapi.org/ver20/XMLSchema\">\n<heartbeat>1</heartbeat>\n<eventMode>list</eventMode>\n\
    <EventList><Event><type>AccessControllerEvent</type><minorEvent>0x01,0x26,0x4b</minorEvent>\
    <pictureURLType>localURL</pictureURLType></Event></EventList>\n</SubscribeEvent>\n";
const BARE: &str = "<SubscribeEvent/>";
const AS_JSON: &str = r#"{"SubscribeEvent":{"heartbeat":30,"eventMode":"list","EventList":[{"type":"AccessControllerEvent","minorEvent":"0x4b"}]}}"#;

fn subscribing(subscriptions: Subscriptions) -> VirtualTerminal {
    streaming(Stream {
        subscriptions,
        ..Stream::default()
    })
}

#[tokio::test]
async fn a_subscription_has_the_chosen_events_and_holes_in_their_serials() {
    let terminal = start(subscribing(Subscriptions::All).events(punches(1)).noise(2)).await;
    let mut listener = Listener::connect(&terminal, "POST", SUBSCRIBE, LISTED).await;
    let first = listener.next().await.text();
    assert!(first.contains("<SubscribeEventResponse") && first.contains("<id>1</id>"));
    terminal.punch("1042", noon());
    terminal.push(Event::new(5, 76, noon()));
    terminal.punch("1042", noon());
    assert_eq!(listener.next().await.serials(), (5, 2, true));
    assert_eq!(listener.next().await.serials(), (9, 5, true));
    // The heartbeat is the one that was asked for, in the new style.
    assert!(
        listener
            .next()
            .await
            .text()
            .contains("<eventType>heartBeat</eventType>")
    );

    let target = "/ISAPI/Event/notification/unSubscribeEvent?ID=1";
    let answer = signed_bytes(&terminal, &login(), "PUT", target, "").await;
    assert_eq!(response(&answer).status, 200);
    assert!(listener.part().await.is_none());
}

#[tokio::test]
async fn subscriptions_speak_the_dialects_they_know() {
    async fn check(subscriptions: Subscriptions, statuses: [u16; 3]) {
        let terminal = start(subscribing(subscriptions)).await;
        let json = format!("{SUBSCRIBE}&format=json");
        for ((target, body), expected) in [(SUBSCRIBE, LISTED), (SUBSCRIBE, BARE), (&json, AS_JSON)]
            .into_iter()
            .zip(statuses)
        {
            let listener = Listener::connect(&terminal, "POST", target, body).await;
            let status = format!("HTTP/1.1 {expected} ");
            assert!(
                listener.head.starts_with(&status),
                "{subscriptions:?} {body}"
            );
        }
        let capabilities = get(&terminal, "/ISAPI/System/capabilities").await.text();
        assert_eq!(
            capabilities.contains("<isSupportSubscribeEvent>true<"),
            subscriptions != Subscriptions::None
        );
    }
    check(Subscriptions::None, [403, 403, 403]).await;
    check(Subscriptions::All, [200, 200, 200]).await;
    check(Subscriptions::Xml, [200, 400, 400]).await;
    check(Subscriptions::Bare, [400, 200, 400]).await;
    check(Subscriptions::Json, [400, 400, 200]).await;

    let terminal = start(subscribing(Subscriptions::All)).await;
    for bad in [
        LISTED.replace("<heartbeat>1", "<heartbeat>181"),
        LISTED.replace(">list<", ">some<"),
        LISTED.replace("0x26", "38"),
        "{}".to_owned(),
    ] {
        let listener = Listener::connect(&terminal, "POST", SUBSCRIBE, &bad).await;
        assert!(listener.head.starts_with("HTTP/1.1 400 "), "{bad}");
    }
    let mut listener = Listener::connect(
        &terminal,
        "POST",
        &format!("{SUBSCRIBE}&format=json"),
        AS_JSON,
    )
    .await;
    assert_eq!(
        listener.next().await.event()["SubscribeEventResponse"]["id"],
        1
    );
    terminal.push(Event::card("1042", noon()));
    terminal.punch("1042", noon());
    assert_eq!(listener.next().await.serials(), (2, 0, true));
}

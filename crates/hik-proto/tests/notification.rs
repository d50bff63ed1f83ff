//! What a stream and a push tell, and that it is what the event search tells of the same punch.

use hik_proto::{
    AttendanceStatus, Content, EventRow, Means, Notification, PartSplitter, Piece, ResponseStatus,
    Says, Subscription, Told, decode_event_page, decode_listeners,
};

macro_rules! golden {
    ($name:literal) => {
        without_source(include_str!(concat!("../testdata/", $name)))
    };
}

fn without_source(file: &str) -> &[u8] {
    let (source, body) = file.split_once('\n').expect("a source and a body");
    assert!(source.starts_with("# "), "the first line names the source");
    body.as_bytes()
}

#[track_caller]
fn told(body: &[u8]) -> Told {
    match Notification::decode(body) {
        Ok(Notification::Access(told)) => *told,
        other => panic!("no access event: {other:?}"),
    }
}

#[test]
fn an_event_of_the_log_dump() {
    let told = told(golden!("stream_event.json"));
    assert_eq!((told.current, told.front_serial), (Some(false), Some(17)));
    assert_eq!(told.mac.as_deref(), Some("c0:6d:ed:02:d3:d9"));
    assert_eq!(told.row.serial, Some(18));
    assert_eq!(told.row.time, "2025-06-22T10:37:34-04:00");
    let event = told.row.row.value.expect("an event");
    assert_eq!((event.major, event.minor), (5, 75));
    assert_eq!((event.name.as_str(), event.attendance), ("Aziza K.", None));
    let punch = Says::Punch {
        employee_no: "1042",
        means: Means::Face,
    };
    assert_eq!(event.says(), Ok(punch));
}

#[test]
fn an_event_of_a_push() {
    let told = told(golden!("push_event.json"));
    assert_eq!((told.current, told.pictures), (Some(true), 1));
    assert_eq!(
        (told.row.serial, told.front_serial),
        (Some(1866), Some(1865))
    );
    let event = told.row.row.value.expect("an event");
    assert_eq!(event.attendance, Some(AttendanceStatus::CheckIn));
}

/// The path of the picture is its end: a push with the example's own bytes.
#[test]
fn a_push_with_its_picture() {
    let event = golden!("push_event.json");
    let mut body = format!(
        "--MIME_boundary\r\nContent-Disposition: form-data; name=\"AccessControllerEvent\"\r\nContent-Type: application/json; charset=\"UTF-8\"\r\nContent-Length: {}\r\n\r\n",
        event.len()
    )
    .into_bytes();
    body.extend(event);
    body.extend(b"\r\n--MIME_boundary\r\nContent-Disposition: form-data; name=\"Picture\"; filename=\"Picture.jpg\"\r\nContent-Type: image/jpeg\r\nContent-Length: 7\r\n\r\n\xff\xd8\xff\xe0.\xff\xd9\r\n--MIME_boundary--\r\n");
    let mut splitter = PartSplitter::of_content_type("multipart/form-data; boundary=MIME_boundary")
        .expect("a multipart");
    splitter.extend(&body);
    let mut next = || match splitter.next_piece() {
        Some(Piece::Part(part)) => part,
        other => panic!("no part: {other:?}"),
    };
    let event = next();
    assert_eq!(event.name.as_deref(), Some("AccessControllerEvent"));
    assert_eq!(event.content(), Content::Json);
    assert_eq!(told(&event.body).row.serial, Some(1866));
    let picture = next();
    assert_eq!(picture.content(), Content::Jpeg);
    assert_eq!(
        (picture.name.as_deref(), picture.file_name.as_deref()),
        (Some("Picture"), Some("Picture.jpg"))
    );
}

#[test]
fn an_event_in_xml_with_empty_elements() {
    let told = told(golden!("stream_event.xml"));
    assert_eq!(
        (told.row.serial, told.front_serial),
        (Some(3_000_000_000), Some(2_999_999_999))
    );
    assert_eq!(told.current, Some(true));
    let event = told.row.row.value.expect("an event");
    assert_eq!(event.employee_no.as_deref(), Some("1042"));
    assert_eq!((event.card_no, event.minor), (None, 38));
    assert_eq!(event.attendance, Some(AttendanceStatus::CheckIn));
}

#[test]
fn heartbeats_and_what_is_none() {
    let decoded = |body: &[u8]| Notification::decode(body).expect("a notification");
    for heartbeat in [
        golden!("heartbeat_old.xml"),
        golden!("heartbeat_new.xml"),
        golden!("heartbeat.json"),
        br#"{"eventType":"videoloss","eventState":"inactive"}"#,
    ] {
        assert_eq!(decoded(heartbeat), Notification::Heartbeat);
    }
    // A camera that lost its picture.
    assert_eq!(
        decoded(br#"{"eventType":"videoloss","eventState":"active"}"#),
        Notification::Other("videoloss".to_owned())
    );
    assert_eq!(decoded(golden!("subscribed.xml")), Notification::Subscribed);
    assert_eq!(decoded(br#"{"a":1}"#), Notification::Other(String::new()));
}

#[test]
fn subscriptions_in_every_dialect() {
    assert_eq!(
        Subscription::Xml.encode().as_bytes(),
        golden!("subscribe.xml")
    );
    assert_eq!(Subscription::Bare.encode(), "<SubscribeEvent/>");
    assert_eq!(
        Subscription::Json.encode(),
        r#"{"SubscribeEvent":{"heartbeat":20,"eventMode":"all","EventList":[{"type":"AccessControllerEvent","pictureURLType":"localURL"}]}}"#
    );
}

#[test]
fn no_place_left_and_who_holds_them() {
    let status = ResponseStatus::find(golden!("deploy_exceed.xml")).expect("a status");
    assert!(status.is_without_place() && !status.is_passing());
    assert_eq!(
        decode_listeners(golden!("deploy_info.xml")).expect("listeners"),
        ["192.168.1.10", "192.168.1.11"]
    );
    let json =
        br#"{"DeployInfo":{"DeployList":[{"Content":{"deployType":2,"ipAddr":"10.0.0.7"}}]}}"#;
    assert_eq!(decode_listeners(json).expect("listeners"), ["10.0.0.7"]);
}

/// The event of a row of a search, as the stream tells it.
fn as_told(row: &EventRow) -> Told {
    let json = row
        .row
        .json
        .replace("\"major\":", "\"majorEventType\":")
        .replace("\"minor\":", "\"subEventType\":");
    told(
        format!(
            r#"{{"dateTime":"{}","eventType":"AccessControllerEvent","eventState":"active","AccessControllerEvent":{json}}}"#,
            row.time
        )
        .as_bytes(),
    )
}

/// Also what is wrong with a row is the same.
#[test]
fn stream_and_search_understand_the_same() {
    for page in [
        golden!("event_page_more.json"),
        golden!("event_page_lenient.json"),
        golden!("event_page_trouble.json"),
    ] {
        for row in decode_event_page(page).expect("a page").rows {
            let told = as_told(&row);
            assert_eq!(told.row.serial, row.serial);
            match (&told.row.row.value, &row.row.value) {
                (Ok(one), Ok(other)) => assert_eq!((one, one.says()), (other, other.says())),
                (one, other) => assert_eq!(one.is_err(), other.is_err(), "{row:?}"),
            }
        }
    }
}

#[test]
fn a_row_that_is_impossible_keeps_its_text_and_one_that_is_none_says_whether_it_matters() {
    let told = told(br#"{"dateTime":"2026-02-30T10:00:00","AccessControllerEvent":{"majorEventType":"5","subEventType":75.0,"serialNo":"9"}}"#);
    assert_eq!(told.row.serial, Some(9));
    let reason = told.row.row.value.expect_err("no such date");
    assert_eq!(reason, "impossible time \"2026-02-30T10:00:00\"");
    assert!(told.row.row.json.contains("2026-02-30"));
    let cut = &golden!("stream_event.json")[..600];
    assert!(Notification::decode(cut).is_err() && Notification::may_be_access(cut));
    assert!(!Notification::may_be_access(
        b"<EventNotificationAlert><eventType>VMD"
    ));
}

//! Every example body of docs/devices/hikvision.md. The first line of each file in `testdata/` names its source.

use hik_proto::{
    AccessCapabilities, AttendanceStatus, Condition, DeviceInfo, DeviceTime, EventCapabilities,
    EventPage, EventSearch, EventTotal, ListSearch, LoginState, ResponseStatus, SearchState,
    SystemCapabilities, decode_event_page, decode_event_total, decode_people_count,
    decode_people_page,
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

#[test]
fn device_information() {
    let info = DeviceInfo::decode(golden!("device_info.xml")).expect("device information");
    assert_eq!(info.serial, "DS-K1T342MFX-E120250307V043800ENGB9637211");
    assert_eq!(info.model, "DS-K1T342MFX-E1");
    assert_eq!(info.firmware, "V4.38.0");
    assert_eq!(info.name, "Main entrance");
    assert_eq!(info.mac.as_deref(), Some("c0:6d:ed:02:d3:d9"));
    assert!(info.has_serial("gb9637211") && !info.has_serial("gb9637212"));
}

#[test]
fn clocks() {
    let clock = |body| DeviceTime::decode(body).expect("a clock").local.to_string();
    assert_eq!(clock(golden!("time_ntp.xml")), "2026-09-01T17:28:02-04:00");
    // Without an offset of its own the zone gives it; `CST-5` is five hours east.
    assert_eq!(
        clock(golden!("time_manual.xml")),
        "2026-09-01T17:28:05+05:00"
    );
}

#[test]
fn statuses() {
    let status = |body| ResponseStatus::find(body).expect("a status");
    assert!(status(golden!("status_ok.xml")).is_ok());
    let refused = status(golden!("status_not_support.xml"));
    assert!(!refused.is_ok() && refused.is_not_available() && !refused.is_passing());
    assert_eq!(refused.to_string(), "notSupport (Invalid Operation)");
    let exists = status(golden!("status_exists.json"));
    assert_eq!(
        (exists.code, exists.to_string().as_str()),
        (6, "employeeNoAlreadyExist")
    );
    assert_eq!(ResponseStatus::find(golden!("people_count.json")), None);
}

#[test]
fn what_a_terminal_can_do() {
    let can = AccessCapabilities::decode(golden!("access_capabilities.xml")).expect("a list");
    let all = AccessCapabilities {
        events: true,
        event_total: true,
        people: true,
        people_delete: true,
        cards: true,
        fingerprints: false,
        faces: true,
        door: true,
        attendance_status: true,
        listeners: true,
        employee_no_len: Some(32),
        employee_no_digits: false,
    };
    assert_eq!(can, all);
    let system = SystemCapabilities::decode(golden!("system_capabilities.xml"));
    assert!(system.expect("a list").subscribe_events);
    let nothing = AccessCapabilities::decode(b"<AccessControl/>").expect("a list");
    assert_eq!(nothing, AccessCapabilities::default());
}

#[test]
fn conditions_have_names() {
    let condition = |code: u32, sub_code: &str| {
        let body = format!(r#"{{"statusCode":{code},"subStatusCode":"{sub_code}"}}"#);
        let status = ResponseStatus::find(body.as_bytes()).expect("a status");
        status.condition()
    };
    for (code, sub_code, expected) in [
        (1, "ok", None),
        (1, "riskPassword", None),
        (2, "deviceBusy", Some(Condition::Busy)),
        (2, "", Some(Condition::Busy)),
        (3, "deviceError", Some(Condition::Fault)),
        (4, "notSupport", Some(Condition::NotSupported)),
        (4, "LowPrivilege", Some(Condition::LowPrivilege)),
        (4, "notActivated", Some(Condition::NotActivated)),
        (4, "userNameLocked", None),
        (4, "loginNumExceedLimit", None),
        (4, "badAuthorization", None),
        (4, "invalidOperation", None),
        (5, "badXmlFormat", Some(Condition::NotUnderstood)),
        (6, "employeeNoAlreadyExist", None),
        (6, "deviceUserFull", Some(Condition::Full)),
        (6, "deployExceedMax", Some(Condition::TooManyListeners)),
        (7, "rebootRequired", Some(Condition::RebootRequired)),
    ] {
        assert_eq!(condition(code, sub_code), expected, "{code} {sub_code}");
    }
}

#[test]
fn login_states() {
    assert_eq!(
        LoginState::read(golden!("user_check_left.xml")),
        LoginState {
            locked: false,
            unlock_in_secs: None,
            attempts_left: Some(4)
        }
    );
    assert_eq!(
        LoginState::read(golden!("user_check_locked.xml")),
        LoginState {
            locked: true,
            unlock_in_secs: Some(1768),
            attempts_left: None
        }
    );
    assert_eq!(
        LoginState::read(b"<html><body>401</body>"),
        LoginState::default()
    );
}

#[test]
fn event_capabilities() {
    let capabilities =
        EventCapabilities::decode(golden!("event_capabilities.json")).expect("capabilities");
    assert_eq!(
        (capabilities.max_results, capabilities.begin_serial),
        (Some(30), true)
    );
}

#[test]
fn event_search_request() {
    let mut search = EventSearch {
        id: "bb94da74-7d80-4fc4-8dad-d0776397716d".into(),
        position: 0,
        max_results: 30,
        start: "2026-09-01T00:00:00-04:00".parse().expect("a time"),
        end: "2026-09-01T23:59:59-04:00".parse().expect("a time"),
        begin_serial: None,
    };
    let expected = golden!("event_search.json").trim_ascii_end();
    assert_eq!(search.encode().as_bytes(), expected);
    search.begin_serial = Some(3_000_000_000);
    assert!(search.encode().ends_with(",\"beginSerialNo\":3000000000}}"));
}

#[test]
fn how_many_events_there_are() {
    let asked = EventTotal {
        minor: 75,
        start: "2026-09-01T00:00:00-04:00".parse().expect("a time"),
        end: "2026-09-01T23:59:59-04:00".parse().expect("a time"),
    };
    let expected = golden!("event_total_search.json").trim_ascii_end();
    assert_eq!(asked.encode().as_bytes(), expected);
    let total = |body: &[u8]| decode_event_total(body).ok();
    assert_eq!(total(golden!("event_total.json")), Some(68));
    let newer = br#"{"AcsEventTotalNum":{"totalNum":68,"existedEventNum":70}}"#;
    assert_eq!(total(newer), Some(68));
    assert_eq!(
        total(br#"{"totalNum":68}"#),
        Some(68),
        "one client reads it flat"
    );
    assert_eq!(total(br#"{"AcsEventTotalNum":{}}"#), None);
}

fn page(body: &[u8]) -> EventPage {
    decode_event_page(body).expect("a page of events")
}

#[test]
fn a_page_with_more_to_come() {
    let page = page(golden!("event_page_more.json"));
    assert_eq!((page.state, page.total), (SearchState::More, Some(277)));
    assert_eq!(page.rows.len(), 2);
    let door = page.rows[0].row.value.as_ref().expect("a door row");
    assert_eq!((door.minor, &door.employee_no), (21, &None));
    let face = page.rows[1].row.value.as_ref().expect("a face row");
    assert_eq!((face.major, face.minor), (5, 75));
    assert_eq!(face.employee_no.as_deref(), Some("1042"));
    assert_eq!(face.name, "Aziza K.");
    assert_eq!(face.time.to_string(), "2026-09-01T17:27:53-04:00");
    assert_eq!(face.attendance, None);
    assert_eq!(page.rows[1].serial, Some(19354));
}

#[test]
fn nothing_found_has_no_list() {
    let page = page(golden!("event_page_no_match.json"));
    assert_eq!(
        (page.state, page.total, page.rows.len()),
        (SearchState::NoMatch, Some(0), 0)
    );
}

#[test]
fn numbers_as_strings_and_one_row_without_a_list() {
    let page = page(golden!("event_page_lenient.json"));
    assert_eq!((page.state, page.total), (SearchState::Complete, Some(1)));
    assert_eq!(page.rows[0].serial, Some(3_000_000_000));
    let event = page.rows[0].row.value.as_ref().expect("an event");
    assert_eq!((event.major, event.minor), (5, 38));
    assert_eq!(event.employee_no.as_deref(), Some("1042"));
    assert_eq!(event.attendance, Some(AttendanceStatus::OvertimeOut));
}

#[test]
fn a_bad_row_fails_alone_and_keeps_its_text() {
    let page = page(golden!("event_page_trouble.json"));
    let reason = |at: usize| {
        page.rows[at]
            .row
            .value
            .as_ref()
            .expect_err("a bad row")
            .as_str()
    };
    assert_eq!(reason(0), "impossible time \"2026-02-30T10:00:00+05:00\"");
    assert_eq!(page.rows[0].serial, Some(7));
    assert!(page.rows[0].row.json.contains("2026-02-30"));
    assert_eq!(reason(1), "event row without a major code");
    let person = |at: usize| {
        let event = page.rows[at].row.value.as_ref().expect("a good row");
        (event.employee_no.as_deref(), event.card_no.as_deref())
    };
    assert_eq!(person(2), (None, None));
    assert_eq!(person(3), (None, None));
    assert_eq!(person(4), (None, Some("0012345678")));
    assert!(reason(5).starts_with("unreadable event row"));
}

#[test]
fn a_name_that_is_no_utf8_costs_only_itself() {
    let page = page(
        b"{\"AcsEvent\":{\"InfoList\":[{\"major\":5,\"minor\":1,\"time\":\"2026-09-01T08:00:00\",\"employeeNoString\":\"7\",\"name\":\"Jos\xe9\0\0\",\"serialNo\":1}]}}",
    );
    let event = page.rows[0].row.value.as_ref().expect("an event");
    assert_eq!(
        (event.employee_no.as_deref(), event.name.as_str()),
        (Some("7"), "Jos\u{fffd}")
    );
}

#[test]
fn people() {
    assert_eq!(
        decode_people_count(golden!("people_count.json")).expect("a count"),
        7
    );
    let search = ListSearch {
        id: "8d1c".into(),
        position: 0,
        max_results: 30,
        of: None,
    };
    assert_eq!(
        search.people().as_bytes(),
        golden!("people_search.json").trim_ascii_end()
    );
    let page = decode_people_page(golden!("people_page.json")).expect("a page of people");
    assert_eq!((page.state, page.total), (SearchState::Complete, Some(1)));
    let person = page.rows[0].value.as_ref().expect("a person");
    assert_eq!(
        (
            person.employee_no.as_str(),
            person.name.as_str(),
            person.admin
        ),
        ("1042", "Aziza K.", false)
    );
}

#[test]
fn people_under_their_other_name_and_without_numbers() {
    let page = decode_people_page(
        br#"{"UserInfoSearch":{"responseStatusStrg":"MORE","UserInfoList":{"name":"nobody"}}}"#,
    )
    .expect("a page of people");
    assert_eq!(page.state, SearchState::More);
    assert_eq!(
        page.rows[0].value,
        Err("person without an employee number".to_owned())
    );
}

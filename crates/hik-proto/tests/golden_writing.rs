//! Every example body of docs/devices/hikvision.md that changes a terminal, and its answer. The first line of each file in
//! `testdata/` names its source.

use hik_proto::{
    Card, CardNo, Condition, DeleteProgress, DeviceTime, DoorCommand, DoorState, EmployeeNo,
    FacePicture, FaceUpload, ListSearch, Method, NonEmpty, PersonRecord, Refusal, Request,
    ResponseStatus, SearchState, Validity, decode_card_page, decode_has_face, decode_people_page,
    delete_cards, delete_faces, delete_people, delete_people_with_all, encode_face_search,
};
use jiff::civil::{DateTime, date};

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
fn check(request: &Request, method: Method, path: &str, body: &[u8]) {
    let line = (request.method(), request.path());
    assert_eq!(line, (method, path));
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes.trim_ascii_end()).into_owned();
    assert_eq!(text(request.body()), text(body));
}

fn person(text: &str) -> EmployeeNo {
    EmployeeNo::parse(text).expect("an employee number")
}

fn card_no(text: &str) -> CardNo {
    CardNo::parse(text).expect("a card number")
}

fn wall(text: &str) -> DateTime {
    text.parse().expect("a wall time")
}

#[test]
fn setting_the_clock_keeps_the_zone_as_the_terminal_wrote_it() {
    let five_east = DeviceTime::decode(golden!("time_manual.xml")).expect("a clock");
    let request = five_east.set_to(wall("2026-09-01T17:28:05"));
    let path = "/ISAPI/System/time";
    check(&request, Method::Put, path, golden!("time_manual.xml"));
    assert!(!five_east.is_set_from_outside());

    let summer = DeviceTime::decode(golden!("time_summer.xml")).expect("a clock");
    let body = summer.set_to(wall("2026-07-01T17:28:02"));
    let body = String::from_utf8_lossy(body.body()).into_owned();
    let zone = "<timeZone>CST-8:00:00DST00:30:00,M4.1.0/02:00:00,M10.5.0/02:00:00</timeZone>";
    let time = "<localTime>2026-07-01T17:28:02</localTime>";
    assert!(body.contains(zone) && body.contains(time), "{body}");

    let from_outside = DeviceTime::decode(golden!("time_ntp.xml")).expect("a clock");
    assert!(from_outside.is_set_from_outside());
    let without_zone = DeviceTime {
        zone: None,
        ..from_outside
    };
    let body = without_zone.set_to(wall("2026-07-01T17:28:02"));
    assert!(!String::from_utf8_lossy(body.body()).contains("timeZone"));
}

#[test]
fn a_person_is_created_changed_and_set_up() {
    let mut aziza = PersonRecord::new(person("1042"));
    aziza.name = "Aziza K.".to_owned();
    aziza.validity = Some(Validity {
        enabled: true,
        begin: date(2025, 1, 1).at(0, 0, 0, 0),
        end: date(2035, 12, 31).at(23, 59, 59, 0),
    });
    let path = |verb: &str| format!("/ISAPI/AccessControl/UserInfo/{verb}?format=json");
    let body = golden!("person_record.json");
    check(&aziza.record(None), Method::Post, &path("Record"), body);
    check(&aziza.modify(None), Method::Put, &path("Modify"), body);
    check(&aziza.set_up(None), Method::Put, &path("SetUp"), body);
    let with_password = aziza.record(Some("4711"));
    assert!(with_password.body().ends_with(br#","password":"4711"}}"#));
    assert!(!format!("{with_password:?}").contains("4711"));

    let refused = ResponseStatus::find(golden!("status_exists.json")).expect("a status");
    assert_eq!(refused.refusal(), Refusal::PersonExists);
}

#[test]
fn a_person_of_the_list_can_be_written_back() {
    let page = decode_people_page(golden!("people_page.json")).expect("a page");
    assert_eq!(
        page.rows[0].value.as_ref().map(|row| row.cards),
        Ok(Some(0))
    );
    let aziza = PersonRecord::decode(&page.rows[0].json).expect("a person");
    assert_eq!((aziza.faces(), aziza.cards()), (Some(1), Some(0)));
    assert!(!aziza.shows_password());
    assert_eq!(aziza.differences(&aziza), []);
    let body = golden!("person_record.json");
    let path = "/ISAPI/AccessControl/UserInfo/Modify?format=json";
    check(&aziza.modify(None), Method::Put, path, body);
}

#[test]
fn a_search_for_one_person() {
    let search = ListSearch {
        id: "8d1c".into(),
        position: 0,
        max_results: 30,
        of: Some(person("007")),
    };
    let expected = r#"{"UserInfoSearchCond":{"searchID":"8d1c","searchResultPosition":0,"maxResults":30,"EmployeeNoList":[{"employeeNo":"007"}]}}"#;
    assert_eq!(search.people(), expected);
}

#[test]
fn people_are_deleted_by_number() {
    let one = NonEmpty::one(person("1042"));
    check(
        &delete_people(&one),
        Method::Put,
        "/ISAPI/AccessControl/UserInfo/Delete?format=json",
        golden!("delete_people.json"),
    );
    check(
        &delete_people_with_all(&one),
        Method::Put,
        "/ISAPI/AccessControl/UserInfoDetail/Delete?format=json",
        golden!("delete_people_with_all.json"),
    );
    let progress = |body: &[u8]| DeleteProgress::decode(body).ok();
    let processing = progress(golden!("delete_process.json"));
    assert_eq!(processing, Some(DeleteProgress::Processing));
    let said =
        |status: &str| format!("{{\"UserInfoDetailDeleteProcess\":{{\"status\":\"{status}\"}}}}");
    let of = |status: &str| progress(said(status).as_bytes());
    assert_eq!(of("success"), Some(DeleteProgress::Done));
    assert_eq!(of("failed"), Some(DeleteProgress::Failed));
    assert_eq!((of("soon"), progress(b"{}")), (None, None));
}

#[test]
fn cards_are_given_found_and_taken_away() {
    let card = Card {
        employee_no: person("1042"),
        card_no: card_no("0012345678"),
    };
    let path = |verb: &str| format!("/ISAPI/AccessControl/CardInfo/{verb}?format=json");
    let body = golden!("card_record.json");
    check(&card.record(), Method::Post, &path("Record"), body);
    check(&card.modify(), Method::Put, &path("Modify"), body);
    check(&card.set_up(), Method::Put, &path("SetUp"), body);

    let page = decode_card_page(golden!("card_page.json")).expect("a page of cards");
    assert_eq!(
        (page.state, page.total, page.rows),
        (SearchState::Complete, Some(1), 1)
    );
    assert_eq!(page.cards, std::slice::from_ref(&card));
    let none = decode_card_page(br#"{"CardInfoSearch":{"responseStatusStrg":"NO MATCH"}}"#);
    assert_eq!(none.expect("an answer").cards, []);
    let search = ListSearch {
        id: "8d1c".into(),
        position: 0,
        max_results: 30,
        of: None,
    };
    let everybody =
        r#"{"CardInfoSearchCond":{"searchID":"8d1c","searchResultPosition":0,"maxResults":30}}"#;
    assert_eq!(search.cards(), everybody);

    let cards = NonEmpty::one(card.card_no);
    let request = delete_cards(&cards);
    check(
        &request,
        Method::Put,
        &path("Delete"),
        golden!("delete_cards.json"),
    );
}

#[test]
fn a_face_is_uploaded_found_and_deleted() {
    let of = person("1042");
    let bytes = b"\xff\xd8\xff<JPEG bytes>".to_vec();
    let picture = FacePicture::new(bytes.clone()).expect("a picture");
    let upload = FaceUpload {
        of: &of,
        picture: &picture,
    };
    let request = upload.record();
    let golden = golden!("face_record.txt");
    let text = String::from_utf8_lossy(golden).replace('\n', "\r\n");
    let at = text.find("<JPEG").expect("the picture");
    let mut expected = text.as_bytes().to_vec();
    expected.splice(at..at, b"\xff\xd8\xff".iter().copied());
    assert_eq!(request.body(), expected);
    assert_eq!(request.content_type(), "multipart/form-data; boundary=b7e1");
    let path = "/ISAPI/Intelligent/FDLib/FaceDataRecord?format=json";
    assert_eq!((request.method(), request.path()), (Method::Post, path));
    let replaced = upload.set_up();
    let path = "/ISAPI/Intelligent/FDLib/FDSetUp?format=json";
    assert_eq!((replaced.method(), replaced.path()), (Method::Put, path));
    assert_eq!(replaced.body(), request.body());

    let search = golden!("face_search.json").trim_ascii_end();
    assert_eq!(encode_face_search(&of).as_bytes(), search);
    let has = |body: &[u8]| decode_has_face(body, &of).expect("an answer");
    assert!(has(golden!("face_page.json")) && !has(golden!("face_no_match.json")));
    check(
        &delete_faces(&NonEmpty::one(of.clone())),
        Method::Put,
        "/ISAPI/Intelligent/FDLib/FDSearch/Delete?format=json&FDID=1&faceLibType=blackFD",
        golden!("delete_faces.json"),
    );
}

#[test]
fn doors() {
    let path = "/ISAPI/AccessControl/RemoteControl/door/1";
    let open = DoorCommand::Open.request(1);
    check(&open, Method::Put, path, golden!("door_open.xml"));
    assert_eq!(open.content_type(), "application/xml");
    let command = |command: DoorCommand| {
        let body = String::from_utf8_lossy(command.request(2).body()).into_owned();
        let (_, rest) = body.split_once("<cmd>").expect("a command");
        rest.split('<').next().map(str::to_owned)
    };
    assert_eq!(command(DoorCommand::Close).as_deref(), Some("close"));
    assert_eq!(
        command(DoorCommand::AlwaysOpen).as_deref(),
        Some("alwaysOpen")
    );
    assert_eq!(
        command(DoorCommand::AlwaysClosed).as_deref(),
        Some("alwaysClose")
    );
    let state = |door| DoorState::decode(golden!("work_status.json"), door).expect("a status");
    assert_eq!(state(1), Some(DoorState::Normal));
    assert_eq!(state(2), Some(DoorState::AlwaysClosed));
    assert_eq!(state(3), None);
}

#[test]
fn what_a_refusal_means() {
    let check = |code: u32, sub_code: &str, expected: Refusal| {
        let body = format!(r#"{{"statusCode":{code},"subStatusCode":"{sub_code}"}}"#);
        let status = ResponseStatus::find(body.as_bytes()).expect("a status");
        assert_eq!(status.refusal(), expected, "{code} {sub_code}");
    };
    check(4, "LowPrivilege", Refusal::For(Condition::LowPrivilege));
    check(4, "notSupport", Refusal::For(Condition::NotSupported));
    check(6, "deviceUserFull", Refusal::For(Condition::Full));
    check(6, "deviceFaceFull", Refusal::For(Condition::Full));
    check(6, "employeeNoNotExist", Refusal::NoSuchPerson);
    check(6, "cardNoAlreadyExist", Refusal::CardTaken);
    check(6, "deviceUserAlreadyExistFace", Refusal::FaceExists);
    check(3, "pictureSizeExceedLimit", Refusal::BadPicture);
    check(3, "deviceError", Refusal::For(Condition::Fault));
    check(2, "upgrading", Refusal::For(Condition::Busy));
    check(7, "rebootRequired", Refusal::For(Condition::RebootRequired));
}

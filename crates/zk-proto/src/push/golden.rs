//! The recorded exchanges: every request is understood, every answer is made byte by byte.

use jiff::civil::{DateTime, date};
use jiff::tz::Offset;

use super::command::{self, Limits, UserFields};
use super::operlog::{self, Kind, Line};
use super::options::{SecurityBlock, Topic};
use super::request::Asks;
use super::security::{self, QueryData, QueryKind, RegistryCode};
use super::{
    Command, Dialect, Endpoint, Family, Hello, Info, OptionBlock, Parameters, Query, Reason, Route,
    Upload, attlog, photo, request, result,
};
use crate::testdata::{unescaped, vectors};

/// A line of push.txt.
struct Exchange {
    method: String,
    target: String,
    body: Vec<u8>,
    answer: String,
}

impl Exchange {
    #[track_caller]
    fn named(name: &str) -> Self {
        let all = vectors(include_str!("../../testdata/push.txt"));
        let found = all.into_iter().find(|vector| vector[0] == name);
        let vector = found.unwrap_or_else(|| panic!("an exchange named {name}"));
        let line = vector[1].as_bytes();
        let good = request::normalise_request_line(line);
        assert_eq!(good, line, "the line is good");
        let mut words = vector[1].split(' ');
        let mut next = || words.next().expect("a request line").to_owned();
        Self {
            method: next(),
            target: next(),
            body: unescaped(&vector[2]),
            answer: String::from_utf8(unescaped(&vector[4])).expect("a text"),
        }
    }

    fn query(&self) -> Query<'_> {
        Query::of(&self.target)
    }

    #[track_caller]
    fn goes_to(&self, method: &str, endpoint: Endpoint<'_>) {
        assert_eq!(self.method, method);
        let route = Route::of(&self.target).expect("a route");
        assert_eq!((route.prefix, route.endpoint), ("", endpoint));
        assert!(self.query().serial().is_some());
    }

    #[track_caller]
    fn uploads(&self, upload: &Upload, count: usize) {
        self.goes_to("POST", Endpoint::Cdata);
        assert_eq!(Upload::of(&self.query()), *upload);
        assert_eq!(upload.acknowledge(&self.query(), count), self.answer);
    }
}

#[track_caller]
fn at(text: &str) -> DateTime {
    text.parse().expect("a time")
}

fn india() -> Offset {
    Offset::from_seconds(19_800).expect("an offset")
}

/// Pin, time, status and verify of each, or why not.
type Punch = Result<(&'static str, &'static str, Option<u8>, u8), Reason>;

#[track_caller]
fn punches(name: &str, expected: &[Punch]) {
    let exchange = Exchange::named(name);
    let found: Vec<_> = attlog::lines(&exchange.body)
        .map(|line| match line {
            Ok(record) => Ok((
                record.pin.to_owned(),
                record.time,
                record.status,
                record.verify,
            )),
            Err(bad) => Err(bad.reason),
        })
        .collect();
    let expected: Vec<_> = expected
        .iter()
        .map(|punch| {
            let (pin, time, status, verify) = (*punch)?;
            Ok((pin.to_owned(), at(time), status, Some(verify)))
        })
        .collect();
    assert_eq!(found, expected);
    if exchange.answer.starts_with("OK") {
        exchange.uploads(&Upload::AttLog, found.len());
    }
}

#[test]
fn e1_handshake() {
    let exchange = Exchange::named("E1");
    exchange.goes_to("GET", Endpoint::Cdata);
    let query = exchange.query();
    assert_eq!(Asks::of(&query), Asks::Options);
    let hello = Hello::of(&query);
    assert_eq!(hello.family(), Family::Attendance);
    assert_eq!(hello.language, Some(69));
    assert!(hello.has_parameters);
    let serial = query.serial().expect("a serial number");
    let mut block = OptionBlock::new(&serial);
    block.offset = Some(india());
    assert_eq!(block.encode(hello.family()), exchange.answer);
}

#[test]
fn e2_handshake_of_2009() {
    let exchange = Exchange::named("E2");
    let query = exchange.query();
    let family = Hello::of(&query).family();
    assert_eq!(family, Family::Original);
    let serial = query.serial().expect("a serial number");
    let mut block = OptionBlock::new(&serial);
    block.stamps.att_log = "289503453".to_owned();
    block.stamps.oper_log = "289504127".to_owned();
    block.error_delay_secs = 120;
    block.delay_secs = 60;
    block.trans_interval_mins = 2;
    block.topics = vec![
        Topic::AttLog,
        Topic::OpLog,
        Topic::AttPhoto,
        Topic::EnrollFp,
    ];
    assert_eq!(block.encode(family), exchange.answer);
}

#[test]
fn e3_first_poll() {
    let exchange = Exchange::named("E3");
    exchange.goes_to("GET", Endpoint::GetRequest);
    let query = exchange.query();
    let expected = Info {
        firmware: Some("Ver 2.0.12-20150625".to_owned()),
        users: Some(14),
        fingers: Some(22),
        records: Some(1093),
        lan_address: Some([192, 168, 16, 27].into()),
        finger_algorithm: Some("10".to_owned()),
        face_algorithm: Some("7".to_owned()),
        faces_per_enrolment: Some(15),
        faces: Some(0),
        features: Some("111".to_owned()),
        ..Info::default()
    };
    assert_eq!(Info::parse(query.get("info").expect("INFO")), expected);
    assert_eq!(
        command::answer(&[], Limits::default()).body,
        exchange.answer
    );
}

#[test]
fn punches_of_all_generations() {
    punches(
        "E4",
        &[
            Ok(("1452", "2026-11-22 10:29:58", Some(0), 1)),
            Ok(("1452", "2026-11-22 10:30:01", Some(0), 1)),
            Ok(("8965", "2026-11-22 10:30:02", Some(1), 15)),
        ],
    );
    punches("E5", &[Ok(("11", "2026-11-22 10:57:49", Some(0), 25))]);
    punches(
        "E14",
        &[
            Ok(("982", "2026-11-21 12:08:21", Some(0), 1)),
            Ok(("982", "2026-11-21 18:01:09", Some(1), 1)),
        ],
    );
    punches("E15", &[Ok(("1001", "2026-11-22 08:00:00", Some(0), 1))]);
    punches(
        "E16",
        &[
            Ok(("1001", "2026-11-22 08:00:00", Some(0), 1)),
            Err(Reason::TooFewFields),
            Err(Reason::NoSuchTime),
            Ok(("1003", "2026-11-22 08:01:00", None, 1)),
        ],
    );
    punches(
        "E17",
        &[
            Ok(("1001", "2026-11-22 08:00:00", Some(0), 1)),
            Err(Reason::TooFewFields),
        ],
    );
}

#[test]
fn offsets_and_stamps_of_punches() {
    let offset_of = |name| {
        let exchange = Exchange::named(name);
        let record = attlog::lines(&exchange.body).next().expect("a line");
        let of_a_command = exchange.query().answers_a_command();
        (record.expect("a record").offset, of_a_command)
    };
    assert_eq!(offset_of("E5"), (Some(india()), false));
    assert_eq!(offset_of("E4"), (None, false));
    assert_eq!(offset_of("E14"), (None, true));
    assert_eq!(Exchange::named("E16").query().stamp(), Some("9999"));
}

#[test]
fn e6_people_operations_and_templates() {
    let exchange = Exchange::named("E6");
    exchange.uploads(&Upload::OperLog, 4);
    assert_eq!(exchange.query().stamp(), Some("9999"));
    let lines: Vec<_> = operlog::lines(&exchange.body, None).collect();
    let [
        Ok(Line::Operation(menu)),
        Ok(Line::Operation(finger)),
        Ok(Line::User(user)),
        Ok(Line::Template(template)),
    ] = lines.as_slice()
    else {
        panic!("four lines that are understood: {lines:?}");
    };
    assert_eq!((menu.code, menu.operator), (4, "14"));
    assert_eq!(menu.time, at("2026-11-22 10:22:34"));
    assert_eq!(
        (finger.code, finger.objects),
        (6, ["36234", "0", "1124", "0"])
    );
    assert_eq!(
        (user.pin.as_str(), user.name.as_deref()),
        ("36234", Some("Ana"))
    );
    assert_eq!((user.privilege, user.group), (Some(0), Some(1)));
    assert_eq!(user.card, Some(Some(133_440)));
    assert_eq!(user.has_password(), Some(false));
    assert_eq!((template.kind, template.pin), (Kind::Finger, "36234"));
    assert_eq!((template.number, template.valid), (0, Some(1)));
    assert_eq!(template.data, "SghTUzIxAAADS00E");
    assert_eq!(template.size, Some(16));
}

#[test]
fn e7_unified_template() {
    let exchange = Exchange::named("E7");
    exchange.uploads(&Upload::Rows(Kind::BioData), 1);
    let line = operlog::lines(&exchange.body, Some(Kind::BioData)).next();
    let Some(Ok(Line::Template(template))) = line else {
        panic!("a template: {line:?}");
    };
    assert_eq!((template.pin, template.bio_type), ("36234", Some(9)));
    assert_eq!(
        (template.major_version, template.minor_version),
        (Some(58), Some(0))
    );
    assert_eq!(template.data, "apUBEK8AAQ==");
}

#[test]
fn e8_photo() {
    let mut exchange = Exchange::named("E8");
    exchange.uploads(&Upload::AttPhoto, 1);
    let mut image = vec![0; 9512];
    image[..4].copy_from_slice(b"\xff\xd8\xff\xe0");
    exchange.body.extend_from_slice(&image);
    assert_eq!(exchange.body.len(), 9582);
    let photo = photo::Photo::parse(&exchange.body).expect("a photo");
    assert_eq!(photo.file_name, "20261122103012-123.jpg");
    assert_eq!(photo.taken, Some(at("2026-11-22 10:30:12")));
    assert_eq!(photo.pin.as_deref(), Some("123"));
    assert_eq!(photo.serial.as_deref(), Some("BOCK200961014"));
    assert_eq!(photo.image, image);
    assert!(photo.is_whole() && !photo.is_live);
}

#[test]
fn e9_parameters() {
    let exchange = Exchange::named("E9");
    exchange.uploads(&Upload::Options, 1);
    let parameters = Parameters::parse(&exchange.body);
    assert_eq!(parameters.model(), Some("ProBio"));
    assert_eq!(parameters.firmware(), Some("Ver 8.0.4.1-20180102"));
    assert_eq!(parameters.user_count(), Some(7));
    assert_eq!(parameters.record_count(), Some(23));
    assert_eq!(parameters.record_capacity(), Some(100_000));
    assert_eq!(parameters.mac(), Some("00:17:61:11:ad:4f"));
    assert_eq!(parameters.shown().count(), 10);
}

#[test]
fn e10_commands() {
    let exchange = Exchange::named("E10");
    exchange.goes_to("GET", Endpoint::GetRequest);
    let user = UserFields {
        pin: "36234".to_owned(),
        name: Some("Ana".to_owned()),
        privilege: Some(0),
        password: Some(String::new()),
        card: Some(133_440),
        group: Some(1),
        zones: Some("0000000100000000".to_owned()),
    };
    let commands = [
        Command::SetUser(user),
        Command::QueryLog {
            from: at("2026-11-21 00:00:00"),
            to: at("2026-11-22 23:59:59"),
        },
        Command::Info,
    ];
    let dialect = Dialect::new(Family::Attendance);
    let encoded: Vec<_> = (101..)
        .zip(&commands)
        .map(|(id, command)| command.encode(id, &dialect).expect("a command"))
        .collect();
    let answer = command::answer(&encoded, Limits::default());
    assert_eq!(answer.body, exchange.answer);
    assert_eq!(answer.sent, [101, 102, 103]);
}

#[track_caller]
fn results(name: &str) -> Vec<result::CommandResult> {
    let exchange = Exchange::named(name);
    exchange.goes_to("POST", Endpoint::DeviceCmd);
    let query = exchange.query();
    let found = result::results(&query, &exchange.body);
    assert_eq!(found.bad, []);
    assert_eq!(super::OK, exchange.answer);
    assert!(
        found
            .results
            .iter()
            .all(|one| one.succeeded(Family::Attendance))
    );
    found.results
}

#[test]
fn results_of_commands() {
    let ids: Vec<_> = results("E11").iter().map(|one| one.number()).collect();
    assert_eq!(ids, [Some(101), Some(102)]);

    let [info] = &results("E12")[..] else {
        panic!("one result");
    };
    assert_eq!((info.id.as_str(), info.command.as_str()), ("103", "INFO"));
    assert_eq!(info.parameters.model(), Some("K40"));
    assert_eq!(info.parameters.firmware(), Some("Ver 6.60 Apr 28 2017"));
    assert_eq!(info.parameters.record_count(), Some(1093));
    assert_eq!(
        info.parameters.lan_address(),
        Some([192, 168, 16, 27].into())
    );
    assert_eq!(info.parameters.platform(), Some("ZEM510_TFT"));

    let [shell] = &results("E13")[..] else {
        panic!("one result");
    };
    assert_eq!(
        (shell.number(), shell.command.as_str()),
        (Some(32), "Shell")
    );
    assert_eq!(shell.serial.as_deref(), Some("BOCK200961014"));
    let output = b"Tue Mar 24 16:12:26 GMT 2026\n";
    assert_eq!(shell.content.as_deref(), Some(&output[..]));
}

#[test]
fn e18_chinese_name_and_hex_card() {
    let exchange = Exchange::named("E18");
    exchange.uploads(&Upload::OperLog, 1);
    let line = operlog::lines(&exchange.body, None).next();
    let Some(Ok(Line::User(user))) = line else {
        panic!("a user: {line:?}");
    };
    assert_eq!(user.name.as_deref(), Some("\u{5f20}\u{4f1f}"));
    assert_eq!(user.card, Some(Some(123_456_789)));
}

#[test]
fn a1_to_a3_a_security_terminal_registers() {
    let hello = Exchange::named("A1");
    hello.goes_to("GET", Endpoint::Cdata);
    assert_eq!(Hello::of(&hello.query()).family(), Family::Security);
    assert_eq!(hello.answer, super::OK);

    let registry = Exchange::named("A2");
    registry.goes_to("POST", Endpoint::Registry);
    let parameters = Parameters::parse(&registry.body);
    assert_eq!(parameters.model(), Some("F20/M"));
    assert_eq!(parameters.firmware(), Some("Ver 8.0.1.3-20151229"));
    assert_eq!(parameters.record_capacity(), Some(100_000));
    assert!(!parameters.has_string_pins() && !parameters.wraps_commands());
    let code = RegistryCode::parse("Uy47fxftP3").expect("a code");
    assert_eq!(code.answer(), registry.answer);

    let push = Exchange::named("A3");
    push.goes_to("POST", Endpoint::Push);
    let block = SecurityBlock {
        server_name: "ATT",
        ..SecurityBlock::new("30BFB04B2C8AECC72C01C03BFD549D15")
    };
    assert_eq!(block.encode(), push.answer);
    let at_once = block.encode_registered(&code);
    let expected = format!("registry=ok\nRegistryCode=Uy47fxftP3\n{}", push.answer);
    assert_eq!(at_once, expected);
}

#[test]
fn a4_and_a6_events_that_are_punches() {
    let live = Exchange::named("A4");
    live.uploads(&Upload::RtLog, 1);
    let stored = Exchange::named("A6");
    stored.goes_to("POST", Endpoint::QueryData);
    let query = stored.query();
    let data = QueryData::of(&query);
    assert_eq!((data.kind, data.command), (QueryKind::Rows, Some(415)));
    assert!(data.is_last());
    assert_eq!(data.answer(1), stored.answer);
    assert_eq!(Upload::of(&query), Upload::Transactions);
    assert_eq!(Upload::Transactions.acknowledge(&query, 1), stored.answer);
    for body in [&live.body, &stored.body] {
        let event = security::events(body).next().expect("a line");
        let event = event.expect("an event");
        assert_eq!(event.time, date(2026, 11, 22).at(11, 49, 32, 0));
        assert_eq!((event.pin, event.event), (Some("4"), 0));
        assert_eq!((event.verify, event.index), (Some(15), Some(21)));
        assert_eq!(
            (event.door, event.in_out, event.card),
            (Some(1), Some(0), None)
        );
        assert!(event.is_punch());
    }
}

#[test]
fn a5_users_of_a_security_terminal() {
    let exchange = Exchange::named("A5");
    exchange.uploads(&Upload::Rows(Kind::User), 1);
    let line = operlog::lines(&exchange.body, Some(Kind::User)).next();
    let Some(Ok(Line::User(user))) = line else {
        panic!("a user: {line:?}");
    };
    assert_eq!((user.pin.as_str(), user.name.as_deref()), ("4", Some("")));
    assert_eq!((user.card, user.disabled), (Some(None), Some(false)));
}

#[test]
fn a7_time() {
    let exchange = Exchange::named("A7");
    exchange.goes_to("GET", Endpoint::RtData);
    let answer = security::time_answer(at("2026-11-22 05:00:03"), india());
    assert_eq!(answer.as_deref(), Some(exchange.answer.as_str()));
}

#[test]
fn every_exchange_is_with_a_terminal() {
    let all = vectors(include_str!("../../testdata/push.txt"));
    assert_eq!(all.len(), 25);
    for vector in all {
        let exchange = Exchange::named(&vector[0]);
        assert!(Route::of(&exchange.target).is_some(), "{}", vector[0]);
        assert!(exchange.query().serial().is_some(), "{}", vector[0]);
    }
}

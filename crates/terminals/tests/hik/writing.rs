//! Changes at a Hikvision terminal: what is written is what is there afterwards, or a named error says whether anything was.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use attendance::DeviceUserId;
use simulators::hik::{Asked, FaultRule, Right, ZoneNotation};
use terminals::{DoorUnit, Effect, Limit, Privilege, Terminal, UserChange, WriteError};

use super::*;

const RECORD: &str = "/ISAPI/AccessControl/UserInfo/Record";
const MODIFY: &str = "/ISAPI/AccessControl/UserInfo/Modify";
const COUNT: &str = "/ISAPI/AccessControl/UserInfo/Count";
const DELETE: &str = "/ISAPI/AccessControl/UserInfoDetail/Delete";
const OLD_DELETE: &str = "/ISAPI/AccessControl/UserInfo/Delete";
const PROGRESS: &str = "/ISAPI/AccessControl/UserInfoDetail/DeleteProcess";
const CARD: &str = "/ISAPI/AccessControl/CardInfo/Record";
const FACE: &str = "/ISAPI/Intelligent/FDLib/FaceDataRecord";
const FACES: &str = "/ISAPI/Intelligent/FDLib/FDSearch";
const FACE_SET_UP: &str = "/ISAPI/Intelligent/FDLib/FDSetUp";
const DOOR: &str = "/ISAPI/AccessControl/RemoteControl/door/1";
const TIME: &str = "/ISAPI/System/time";

const JPEG: &[u8] = b"\xff\xd8\xff\xe0 from a file \xff\xd9";

fn noon_in_july() -> Zoned {
    "2026-07-02T12:00:00+02:00[Europe/Berlin]"
        .parse()
        .expect("a time")
}

fn office() -> VirtualTerminal {
    let login = Login::new("operator", "Abc12345");
    VirtualTerminal::new(label(), login, stopped(noon_in_july()))
        .users([
            User::new("1042", "Aziza K.").without_face(),
            User::new("007", "José").card("0012345678"),
            User::new("7", "Seven").user_type("blackList"),
        ])
        .keeps_alive()
}

async fn connect(terminal: &RunningTerminal) -> HikTerminal {
    connect_at(&target(terminal)).await
}

/// Impatient, for terminals that stall.
async fn connect_at(target: &Target) -> HikTerminal {
    let limits = HikLimits {
        answer: Duration::from_secs(1),
        ..HikLimits::default()
    };
    HikTerminal::connect_with(target, Deadline::none(), limits)
        .await
        .expect("a terminal")
}

fn id(text: &str) -> DeviceUserId {
    DeviceUserId::parse(text).expect("an id")
}

fn named(of: &str, name: &str) -> UserChange {
    UserChange {
        name: Some(name.to_owned()),
        ..UserChange::none(id(of))
    }
}

fn with_cards(of: &str, cards: &[&str]) -> UserChange {
    UserChange {
        cards: Some(cards.iter().map(|card| (*card).to_owned()).collect()),
        ..UserChange::none(id(of))
    }
}

fn user(terminal: &RunningTerminal, number: &str) -> User {
    let users = terminal.users();
    let found = users.into_iter().find(|user| user.employee_no == number);
    found.unwrap_or_else(|| panic!("no user {number}"))
}

/// Whatever would change something, once it is signed in.
fn changes(terminal: &RunningTerminal) -> Vec<Asked> {
    let asked = terminal.asked().into_iter();
    let is_change = |asked: &Asked| {
        asked.method != "GET" && !asked.target.contains("Search?") && asked.status != 401
    };
    asked.filter(is_change).collect()
}

/// No list of a deletion was empty.
#[track_caller]
fn assert_deletions_name_somebody(terminal: &RunningTerminal) {
    for asked in terminal.asked() {
        if asked.target.contains("/Delete?") {
            let body = &asked.body;
            let named = ["employeeNo\":\"", "cardNo\":\"", "value\":\""];
            assert!(named.iter().any(|one| body.contains(one)), "{asked:?}");
        }
    }
}

#[track_caller]
fn write_error(error: TerminalError) -> WriteError {
    match error {
        TerminalError::Write(error) => error,
        error => panic!("{error:?}"),
    }
}

#[tokio::test]
async fn a_user_is_created_changed_and_deleted() {
    let terminal = start(office()).await;
    let mut connection = connect(&terminal).await;
    let hana = UserChange {
        privilege: Some(Privilege::Admin),
        cards: Some(vec!["00AbCd".to_owned(), "77".to_owned()]),
        password: Some("4711".to_owned()),
        valid_until: Some(Limit::At(date(2027, 1, 31).at(23, 59, 59, 0))),
        ..named("0009", " Hana ")
    };
    let written = connection.set_user(&hana).await.expect("it is written");
    assert_eq!(written.effect, Effect::Created);
    let shown = written.user;
    assert_eq!(
        (shown.name.as_str(), shown.privilege, shown.disabled),
        ("Hana", Some(Privilege::Admin), false)
    );
    assert_eq!(shown.cards_text().as_deref(), Some("00AbCd, 77"));
    let until = date(2027, 1, 31).at(23, 59, 59, 0);
    assert_eq!((shown.valid_from, shown.valid_until), (None, Some(until)));
    assert_eq!((shown.has_password, shown.has_face), (true, Some(false)));
    let stored = user(&terminal, "0009");
    assert_eq!(
        (stored.door_right.as_str(), stored.right_plan.as_str()),
        ("1", "1")
    );
    assert_eq!(stored.valid.2, "2027-01-31T23:59:59");

    // What is not asked for stays, and what is so already is not written.
    let before = changes(&terminal).len();
    let change = UserChange {
        valid_until: Some(Limit::Never),
        ..with_cards("0009", &["77", "78"])
    };
    let written = connection.set_user(&change).await.expect("it is written");
    assert_eq!(written.effect, Effect::Changed);
    assert_eq!(written.user.cards, ["77", "78"]);
    assert_eq!(written.user.valid_until, None);
    let stored = user(&terminal, "0009");
    assert_eq!(
        (stored.name.as_str(), stored.user_type.as_str()),
        ("Hana", "administrators")
    );
    assert_eq!(stored.valid.2, "2037-12-31T23:59:59");
    assert_eq!(
        changes(&terminal).len(),
        before + 3,
        "person, one card, another away"
    );
    let written = connection.set_user(&change).await.expect("it is so");
    assert_eq!(
        (written.effect, written.user.cards.len()),
        (Effect::AlreadySo, 2)
    );
    assert_eq!(changes(&terminal).len(), before + 3, "nothing was written");

    let users = connection.users().await.expect("a list");
    let cards = |number: &str| {
        let found = users.iter().find(|user| user.id.as_str() == number);
        found.and_then(|user| user.card.clone())
    };
    assert_eq!(cards("0009").as_deref(), Some("77, 78"));
    assert_eq!(
        (cards("007").as_deref(), cards("7")),
        (Some("0012345678"), None)
    );

    let deleted = connection.delete_user(&id("0009")).await.expect("deleted");
    assert_eq!((deleted.name.as_str(), deleted.cards.len()), ("Hana", 2));
    let left: Vec<_> = terminal
        .users()
        .into_iter()
        .map(|user| user.employee_no)
        .collect();
    assert_eq!(left, ["1042", "007", "7"]);
    let again = connection.delete_user(&id("0009")).await.expect_err("gone");
    assert_eq!(
        write_error(again),
        WriteError::NoSuchUser { id: id("0009") }
    );
    assert_deletions_name_somebody(&terminal);
}

#[tokio::test]
async fn who_is_changed_keeps_everything_else() {
    let terminal = start(office()).await;
    let mut connection = connect(&terminal).await;
    let before = user(&terminal, "7");
    connection
        .set_user(&named("7", "Seven of nine"))
        .await
        .expect("written");
    let after = user(&terminal, "7");
    assert_eq!(after.name, "Seven of nine");
    assert_eq!(
        User {
            name: before.name.clone(),
            ..after
        },
        before
    );
    let seven = connection.set_user(&UserChange::none(id("7"))).await;
    let seven = seven.expect("read").user;
    assert_eq!((seven.privilege, seven.disabled), (None, true));
    let zeros = user(&terminal, "007");
    assert_eq!((zeros.name.as_str(), zeros.cards.len()), ("José", 1));
}

#[tokio::test]
async fn what_does_not_fit_is_not_sent() {
    let terminal = start(office().digits_only()).await;
    let mut connection = connect(&terminal).await;
    let refused = [
        named("1042", &"n".repeat(129)),
        UserChange {
            privilege: Some(Privilege::Enroller),
            ..UserChange::none(id("1042"))
        },
        with_cards("1042", &[""]),
        with_cards("1042", &["123456789012345678901"]),
        named("1042a", "no digits"),
        UserChange {
            valid_until: Some(Limit::At(date(2038, 1, 1).at(0, 0, 0, 0))),
            ..UserChange::none(id("1042"))
        },
        UserChange {
            valid_from: Some(Limit::At(date(2036, 1, 1).at(0, 0, 0, 0))),
            ..UserChange::none(id("1042"))
        },
    ];
    for change in refused {
        let error = connection
            .set_user(&change)
            .await
            .expect_err("it does not fit");
        let error = write_error(error);
        assert!(
            matches!(error, WriteError::DoesNotFit { .. }),
            "{change:?}: {error:?}"
        );
    }
    let too_large = [JPEG, &[0; 200_000]].concat();
    for picture in [&b""[..], b"\x89PNG\r\n", &too_large] {
        let error = connection.set_face(&id("1042"), picture).await;
        let error = write_error(error.expect_err("it does not fit"));
        assert!(matches!(error, WriteError::DoesNotFit { .. }), "{error:?}");
    }
    assert_eq!(changes(&terminal), []);
    let aziza = connection.set_user(&named("1042", "Aziza")).await;
    assert_eq!(aziza.expect("written").effect, Effect::Changed);
}

/// What is asked in a row of the table.
#[derive(Clone, Copy, Debug)]
enum Ask {
    Create,
    Change,
    CreateWithCards,
    Delete,
    SetFace,
    DeleteFace,
    OpenDoor,
    SetClock,
}

impl Ask {
    async fn of(self, connection: &mut HikTerminal) -> Result<(), TerminalError> {
        match self {
            Self::Create => connection.set_user(&named("9", "Hana")).await.map(drop),
            Self::Change => connection.set_user(&named("1042", "Aziza")).await.map(drop),
            Self::CreateWithCards => connection
                .set_user(&with_cards("9", &["77", "0012345678"]))
                .await
                .map(drop),
            Self::Delete => connection.delete_user(&id("1042")).await.map(drop),
            Self::SetFace => connection.set_face(&id("1042"), JPEG).await.map(drop),
            Self::DeleteFace => connection.delete_face(&id("007")).await.map(drop),
            Self::OpenDoor => connection.unlock().await,
            Self::SetClock => connection
                .set_clock(&|| wall("2026-07-02T12:05:00"))
                .await
                .map(drop),
        }
    }
}

fn wall(text: &str) -> DateTime {
    text.parse().expect("a wall time")
}

/// Whether the terminal is as it was.
fn state(terminal: &RunningTerminal) -> (Vec<User>, usize) {
    (terminal.users(), terminal.door_commands().len())
}

/// Every row: what goes wrong, what is asked, the reason that is named, and whether the terminal changed.
#[tokio::test]
async fn every_fault_of_a_write_is_named() {
    let lacks = |right: Right, path: &str| Fault::Lacks(right).on(path.to_owned());
    let in_answer = |path: &str| Fault::CutMidBody.on(path.to_owned());
    let rows: Vec<(FaultRule, Ask, &str, bool)> = vec![
        (Fault::Full.into(), Ask::Create, "write_full", false),
        (
            lacks(Right::Enrol, RECORD),
            Ask::Create,
            "write_not_allowed",
            false,
        ),
        (
            lacks(Right::Enrol, MODIFY),
            Ask::Change,
            "write_not_allowed",
            false,
        ),
        (
            lacks(Right::People, PEOPLE),
            Ask::Change,
            "low_privilege",
            false,
        ),
        (
            Fault::ErrorInOk.on(RECORD),
            Ask::Create,
            "write_refused",
            false,
        ),
        (
            Fault::ErrorInOk.on(MODIFY),
            Ask::Change,
            "write_refused",
            false,
        ),
        (
            Fault::WriteIgnored.into(),
            Ask::Create,
            "write_not_as_asked",
            false,
        ),
        (
            Fault::WriteIgnored.into(),
            Ask::Change,
            "write_not_as_asked",
            false,
        ),
        (
            Fault::NameCut(3).into(),
            Ask::Create,
            "write_not_as_asked",
            true,
        ),
        (in_answer(RECORD), Ask::Create, "write_unsure", true),
        (in_answer(MODIFY), Ask::Change, "write_unsure", true),
        (
            Fault::StallMidBody.on(MODIFY),
            Ask::Change,
            "write_unsure",
            true,
        ),
        (Fault::Garbage.on(MODIFY), Ask::Change, "write_unsure", true),
        (
            Fault::HugeBody.on(MODIFY),
            Ask::Change,
            "write_unsure",
            true,
        ),
        (
            Fault::GarbageBody.on(PEOPLE).after(1),
            Ask::Change,
            "write_not_read_back",
            true,
        ),
        (Fault::Busy.on(MODIFY), Ask::Change, "write_refused", false),
        (
            Fault::WriteIgnored.on(CARD),
            Ask::CreateWithCards,
            "write_not_as_asked",
            true,
        ),
        (in_answer(CARD), Ask::CreateWithCards, "write_unsure", true),
        (
            lacks(Right::Enrol, CARD),
            Ask::CreateWithCards,
            "write_partly",
            true,
        ),
        (
            lacks(Right::Enrol, DELETE),
            Ask::Delete,
            "write_not_allowed",
            false,
        ),
        (
            Fault::WriteIgnored.into(),
            Ask::Delete,
            "write_not_as_asked",
            false,
        ),
        (
            Fault::DeleteFails.into(),
            Ask::Delete,
            "write_unsure",
            false,
        ),
        (in_answer(DELETE), Ask::Delete, "write_unsure", false),
        (in_answer(PROGRESS), Ask::Delete, "write_unsure", false),
        (
            Fault::FaceScore.into(),
            Ask::SetFace,
            "write_picture",
            false,
        ),
        (Fault::Full.on(FACE), Ask::SetFace, "write_full", false),
        (
            lacks(Right::Enrol, FACE),
            Ask::SetFace,
            "write_not_allowed",
            false,
        ),
        (
            Fault::WriteIgnored.into(),
            Ask::SetFace,
            "write_not_as_asked",
            false,
        ),
        (in_answer(FACE), Ask::SetFace, "write_unsure", true),
        (
            Fault::WriteIgnored.into(),
            Ask::DeleteFace,
            "write_not_as_asked",
            false,
        ),
        (
            Fault::GarbageBody.on(FACES).after(1),
            Ask::DeleteFace,
            "write_not_read_back",
            true,
        ),
        (
            lacks(Right::Door, DOOR),
            Ask::OpenDoor,
            "write_not_allowed",
            false,
        ),
        (
            Fault::ErrorInOk.on(DOOR),
            Ask::OpenDoor,
            "write_unsure",
            false,
        ),
        (in_answer(DOOR), Ask::OpenDoor, "write_unsure", true),
        (
            lacks(Right::Clock, TIME),
            Ask::SetClock,
            "write_not_allowed",
            false,
        ),
        (
            Fault::TimeRefused.into(),
            Ask::SetClock,
            "write_refused",
            false,
        ),
        (
            Fault::TimeIgnored.into(),
            Ask::SetClock,
            "write_not_as_asked",
            false,
        ),
        (
            Fault::CutMidBody.on(TIME).after(1),
            Ask::SetClock,
            "write_unsure",
            false,
        ),
    ];
    for (fault, ask, reason, changed) in rows {
        let what = format!("{ask:?} with {fault:?}");
        let terminal = start(office()).await;
        let mut connection = connect(&terminal).await;
        let before = state(&terminal);
        terminal.set_fault(fault);
        let error = ask.of(&mut connection).await.expect_err(&what);
        assert_eq!(error.reason(), reason, "{what}: {error:?}");
        assert_eq!(state(&terminal) != before, changed, "{what}: {error:?}");
        assert_deletions_name_somebody(&terminal);
    }
}

/// A change is sent again only to a terminal that has done nothing.
#[tokio::test]
async fn a_busy_terminal_is_asked_again_and_a_silent_one_is_not() {
    let terminal = start(office().fault(Fault::Busy.on(MODIFY).times(1))).await;
    let mut connection = connect(&terminal).await;
    let written = connection.set_user(&named("1042", "Aziza")).await;
    assert_eq!(written.expect("written").effect, Effect::Changed);

    let terminal = start(office()).await;
    let mut connection = connect(&terminal).await;
    terminal.set_fault(Fault::CutMidBody.on(DOOR));
    connection.unlock().await.expect_err("cut");
    assert_eq!(terminal.door_commands(), ["open"]);
}

#[tokio::test]
async fn a_card_of_somebody_else_is_told_with_what_was_done_before() {
    let terminal = start(office()).await;
    let mut connection = connect(&terminal).await;
    let error = connection
        .set_user(&with_cards("1042", &["0012345678"]))
        .await;
    let taken = WriteError::CardTaken {
        card: "0012345678".to_owned(),
    };
    assert_eq!(write_error(error.expect_err("taken")), taken);
    let error = connection.set_user(&with_cards("9", &["0012345678"])).await;
    let partly = WriteError::Partly {
        done: "user 9 was written".to_owned(),
        why: taken.to_string(),
    };
    assert_eq!(write_error(error.expect_err("taken")), partly);
    assert_eq!(user(&terminal, "007").cards, ["0012345678"]);
}

#[tokio::test]
async fn a_face_comes_from_a_file_and_goes() {
    let terminal = start(office()).await;
    let mut connection = connect(&terminal).await;
    let shown = connection
        .set_face(&id("1042"), JPEG)
        .await
        .expect("a face");
    assert_eq!(shown.has_face, Some(true));
    assert_eq!(user(&terminal, "1042").face.as_deref(), Some(JPEG));
    // In the place of the one there is.
    let other = [JPEG, b"another"].concat();
    connection
        .set_face(&id("1042"), &other)
        .await
        .expect("a face");
    assert_eq!(user(&terminal, "1042").face.as_deref(), Some(&other[..]));
    let replaced = terminal
        .asked()
        .iter()
        .any(|asked| asked.target.starts_with(FACE_SET_UP));
    assert!(replaced);

    let shown = connection.delete_face(&id("1042")).await.expect("deleted");
    assert_eq!(
        (shown.name.as_str(), shown.has_face),
        ("Aziza K.", Some(false))
    );
    let none = connection.delete_face(&id("1042")).await.expect_err("gone");
    assert_eq!(write_error(none), WriteError::NoSuchFace { id: id("1042") });
    assert!(user(&terminal, "007").face.is_some(), "nobody else's");
    let nobody = connection
        .set_face(&id("9"), JPEG)
        .await
        .expect_err("nobody");
    assert_eq!(write_error(nobody), WriteError::NoSuchUser { id: id("9") });
    assert_deletions_name_somebody(&terminal);
}

/// Firmware without pages of the usual size, without `SetUp`, or with another name of the list.
#[tokio::test]
async fn other_firmware_is_written_to_as_well() {
    let many = (0..40).map(|number| User::new(format!("A{number}"), "Somebody"));
    for (what, terminal) in [
        ("no set-up", office().fault(Fault::NoSetUp)),
        ("list", office().fault(Fault::UserInfoList)),
        ("bare objects", office().fault(Fault::BareObject)),
        ("strings", office().fault(Fault::StringNumbers)),
        ("XML", office().refuses_in_xml()),
        (
            "pages",
            office().users(many).page_cap(10).over_cap(OverCap::Empty),
        ),
    ] {
        let terminal = start(terminal).await;
        let mut connection = connect(&terminal).await;
        let written = connection
            .set_user(&with_cards("9", &["77"]))
            .await
            .expect(what);
        assert_eq!(written.effect, Effect::Created, "{what}");
        let written = connection.set_user(&named("9", "Nine")).await.expect(what);
        assert_eq!(written.effect, Effect::Changed, "{what}");
        connection.set_face(&id("9"), JPEG).await.expect(what);
        let gone = connection.delete_user(&id("9")).await.expect(what);
        assert_eq!((gone.cards.len(), gone.has_face), (1, Some(true)), "{what}");
        assert_eq!(
            terminal
                .users()
                .iter()
                .filter(|user| user.employee_no == "9")
                .count(),
            0
        );
    }
}

#[tokio::test]
async fn a_clock_is_set_in_the_zone_as_the_terminal_writes_it() {
    for (notation, zone) in [
        (
            ZoneNotation::Full,
            "CST-1:00:00DST01:00:00,M3.5.0/02:00:00,M10.5.0/03:00:00",
        ),
        (ZoneNotation::Short, "CST-2"),
    ] {
        let terminal = start(office().zone_notation(notation)).await;
        let mut connection = connect(&terminal).await;
        let now = wall("2026-07-02T12:05:00");
        let set = connection.set_clock(&|| now).await.expect("it is set");
        assert_eq!(
            (set.shows, set.should, set.left_time_server),
            (now, now, true)
        );
        let asked = changes(&terminal);
        let [put] = asked.as_slice() else {
            panic!("one change: {asked:?}");
        };
        let time = "<localTime>2026-07-02T12:05:00</localTime>";
        assert!(
            put.body.contains(time) && put.body.contains("<timeMode>manual<"),
            "{put:?}"
        );
        assert!(
            put.body.contains(&format!("<timeZone>{zone}</timeZone>")),
            "{put:?}"
        );
        let after = connection.clock().await.expect("a clock");
        assert_eq!(
            (after.local.clock, after.is_set_from_outside()),
            (now, false)
        );
        let again = connection.set_clock(&|| now).await.expect("it is set");
        assert!(!again.left_time_server, "it did already");
    }
}

#[tokio::test]
async fn the_door_is_opened_once_and_not_for_a_time() {
    let terminal = start(office()).await;
    let mut connection = Terminal::Hik(connect(&terminal).await);
    connection
        .unlock(None, DoorUnit::default())
        .await
        .expect("open");
    assert_eq!(terminal.door_commands(), ["open"]);
    let five = Some(Duration::from_secs(5));
    let error = connection
        .unlock(five, DoorUnit::default())
        .await
        .expect_err("its own time");
    assert!(matches!(write_error(error), WriteError::DoesNotFit { .. }));
    let error = connection.voice(0).await.expect_err("no voice");
    assert!(matches!(
        write_error(error),
        WriteError::NotOffered { brand: "Hikvision" }
    ));
    assert_eq!(terminal.door_commands().len(), 1);
}

/// A terminal without sign-in that answers by a table: what stands there for a path in its order, the last for ever; `None`
/// cuts the connection. Everything else is not supported.
struct Scripted {
    addr: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
}

type Script = Vec<(&'static str, Option<&'static str>)>;

const OK: &str = r#"{"statusCode":1,"statusString":"OK","subStatusCode":"ok"}"#;
const DEVICE: &str = "<DeviceInfo><serialNumber>GB9637211</serialNumber></DeviceInfo>";

impl Scripted {
    fn start(mut script: Script) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let addr = listener.local_addr().expect("an address");
        let asked: Arc<Mutex<Vec<String>>> = Arc::default();
        let log = Arc::clone(&asked);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(mut stream) = stream else { return };
                let Some((line, body)) = request(&mut stream) else {
                    continue;
                };
                let known = |path: &str| line.contains(&format!(" {path}"));
                let place = script.iter().position(|(path, _)| known(path));
                let more = script.iter().filter(|(path, _)| known(path)).count() > 1;
                let answer = match place {
                    Some(place) if more => script.remove(place).1,
                    Some(place) => script[place].1,
                    None if known("/ISAPI/System/deviceInfo") => Some(DEVICE),
                    None => Some(r#"{"statusCode":4,"subStatusCode":"notSupport"}"#),
                };
                log.lock().expect("a log").push(format!("{line} {body}"));
                if let Some(answer) = answer {
                    let head = format!(
                        "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
                        answer.len()
                    );
                    let _ = stream.write_all(format!("{head}{answer}").as_bytes());
                }
            }
        });
        Self { addr, asked }
    }

    async fn connect(&self) -> HikTerminal {
        connect_at(&target_at(self.addr)).await
    }

    fn asked(&self, part: &str) -> usize {
        let asked = self.asked.lock().expect("a log");
        asked.iter().filter(|asked| asked.contains(part)).count()
    }
}

/// The request line and the body.
fn request(stream: &mut TcpStream) -> Option<(String, String)> {
    let mut bytes = Vec::new();
    let mut part = [0; 4096];
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let head_line = head.lines().next()?.to_owned();
            let length = head.to_ascii_lowercase();
            let length = length.split("content-length: ").nth(1);
            let length = length.and_then(|rest| rest.lines().next()?.parse().ok());
            if body.len() >= length.unwrap_or(0) {
                return Some((head_line, body.to_owned()));
            }
        }
        match stream.read(&mut part).ok()? {
            0 => return None,
            read => bytes.extend_from_slice(part.get(..read)?),
        }
    }
}

const ONE: &str = r#"{"UserInfoSearch":{"responseStatusStrg":"OK","totalMatches":1,"UserInfo":{"employeeNo":"1042","name":"Aziza"}}}"#;
const NOBODY: &str = r#"{"UserInfoSearch":{"responseStatusStrg":"NO MATCH","totalMatches":0}}"#;

#[tokio::test]
async fn a_restart_is_an_answer_or_none() {
    for answer in [Some(OK), None] {
        let terminal = Scripted::start(vec![("/ISAPI/System/reboot", answer)]);
        terminal
            .connect()
            .await
            .restart()
            .await
            .expect("it restarts");
        assert_eq!(terminal.asked("PUT /ISAPI/System/reboot"), 1, "{answer:?}");
    }
    let terminal = Scripted::start(vec![]);
    let error = terminal
        .connect()
        .await
        .restart()
        .await
        .expect_err("unknown");
    assert!(matches!(write_error(error), WriteError::Refused { .. }));
}

#[tokio::test]
async fn a_door_that_stays_closed_is_no_open_door() {
    let terminal = Scripted::start(vec![
        (DOOR, Some(OK)),
        (
            "/ISAPI/AccessControl/AcsWorkStatus",
            Some(r#"{"AcsWorkStatus":{"doorStatus":[3]}}"#),
        ),
    ]);
    let error = terminal.connect().await.unlock().await.expect_err("locked");
    assert!(matches!(write_error(error), WriteError::NotAsAsked { .. }));
    // One that does not tell has done what it says.
    let terminal = Scripted::start(vec![(DOOR, Some(OK))]);
    terminal.connect().await.unlock().await.expect("open");
}

#[tokio::test]
async fn old_firmware_deletes_without_a_progress_and_never_everybody() {
    let terminal = Scripted::start(vec![
        (OLD_DELETE, Some(OK)),
        (PEOPLE, Some(ONE)),
        (COUNT, Some(r#"{"UserInfoCount":{"userNumber":3}}"#)),
    ]);
    let mut connection = terminal.connect().await;
    let error = connection
        .delete_user(&id("1042"))
        .await
        .expect_err("still there");
    assert!(matches!(write_error(error), WriteError::NotAsAsked { .. }));
    let body = r#"{"UserInfoDelCond":{"EmployeeNoList":[{"employeeNo":"1042"}]}}"#;
    assert_eq!((terminal.asked(OLD_DELETE), terminal.asked(body)), (1, 1));
}

#[tokio::test]
async fn a_terminal_that_deletes_others_too_is_told() {
    let terminal = Scripted::start(vec![
        (
            PROGRESS,
            Some(r#"{"UserInfoDetailDeleteProcess":{"status":"success"}}"#),
        ),
        (DELETE, Some(OK)),
        (PEOPLE, Some(ONE)),
        (PEOPLE, Some(NOBODY)),
        (COUNT, Some(r#"{"UserInfoCount":{"userNumber":3}}"#)),
        (COUNT, Some(r#"{"UserInfoCount":{"userNumber":0}}"#)),
    ]);
    let error = terminal.connect().await.delete_user(&id("1042")).await;
    let expected = WriteError::NotAsAsked {
        asked: "2 users".to_owned(),
        shows: "0".to_owned(),
    };
    assert_eq!(write_error(error.expect_err("all are gone")), expected);
}

/// An employee number that a row names is somebody else's where the filter of the search is not known.
#[tokio::test]
async fn a_search_without_a_filter_finds_only_who_is_meant() {
    let terminal = Scripted::start(vec![(PEOPLE, Some(ONE))]);
    let mut connection = terminal.connect().await;
    let error = connection
        .delete_user(&id("7"))
        .await
        .expect_err("somebody else");
    assert_eq!(write_error(error), WriteError::NoSuchUser { id: id("7") });
    assert_eq!(terminal.asked("Delete"), 0);
}

#[tokio::test]
async fn somebody_who_was_added_meanwhile_is_not_overwritten() {
    let exists = r#"{"statusCode":6,"subStatusCode":"employeeNoAlreadyExist"}"#;
    let missing = r#"{"statusCode":6,"subStatusCode":"employeeNoNotExist"}"#;
    let terminal = Scripted::start(vec![(PEOPLE, Some(NOBODY)), (RECORD, Some(exists))]);
    let error = terminal.connect().await.set_user(&named("9", "Nine")).await;
    let expected = WriteError::AddedMeanwhile { id: id("9") };
    assert_eq!(write_error(error.expect_err("there is one")), expected);
    let terminal = Scripted::start(vec![(PEOPLE, Some(ONE)), (MODIFY, Some(missing))]);
    let error = terminal.connect().await.set_user(&named("1042", "A")).await;
    let expected = WriteError::NoSuchUser { id: id("1042") };
    assert_eq!(write_error(error.expect_err("nobody")), expected);
}

#[tokio::test]
async fn a_reading_step_that_fails_before_a_write_is_no_write() {
    let terminal = start(office()).await;
    let mut connection = connect(&terminal).await;
    terminal.set_fault(Fault::GarbageBody.on(PEOPLE));
    let error = connection
        .set_user(&named("1042", "A"))
        .await
        .expect_err("garbage");
    assert_eq!(
        (error.step(), error.reason()),
        (Step::Users, "not_understood")
    );
    assert_eq!(changes(&terminal), []);
}

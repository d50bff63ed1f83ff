//! Changes at a terminal: what is written is what is there afterwards or a named error says what is, and whatever happens the
//! terminal is unblocked again.

use attendance::DeviceUserId;
use simulators::zk::{Datagrams, Template, Transports};
use terminals::{
    Deadline, DoorUnit, Effect, FingerKind, Fingerprint, Fingerprints, Privilege, UserChange,
    WriteError,
};

use super::*;

const USER_WRQ: u16 = 8;
const CLEAR_ATTLOG: u16 = 15;
const DELETE_USER: u16 = 18;
const UNLOCK: u16 = 31;
const WRITE_LCD: u16 = 66;
const SAVE: u16 = 110;
const DEL_FPTMP: u16 = 134;
const ENABLE: u16 = 1002;
const DISABLE: u16 = 1003;
const RESTART: u16 = 1004;
const REFRESH: u16 = 1013;
const VOICE: u16 = 1017;
const UPLOAD_PART: u16 = 1501;

const BOTH_LAYOUTS: [UserLayout; 2] = [UserLayout::TwentyEight, UserLayout::SeventyTwo];
const BOTH: [Transport; 2] = [Transport::Tcp, Transport::Udp];

fn office(layout: UserLayout) -> VirtualTerminal {
    builder(LogLayout::Forty, 30)
        .user_layout(layout)
        .transports(Transports::Both)
}

async fn connect(transport: Transport, terminal: &RunningTerminal) -> Terminal {
    connect_within(transport, terminal, LONG).await
}

async fn connect_within(
    transport: Transport,
    terminal: &RunningTerminal,
    whole: Duration,
) -> Terminal {
    let target = faults::over(transport, terminal);
    Terminal::connect_within(&target, Deadline::after(whole))
        .await
        .expect("a terminal")
}

fn id(text: &str) -> DeviceUserId {
    DeviceUserId::parse(text).expect("an id")
}

fn change(of: &str) -> UserChange {
    UserChange::none(id(of))
}

fn named(of: &str, name: &str) -> UserChange {
    UserChange {
        name: Some(name.to_owned()),
        ..change(of)
    }
}

fn with_card(of: &str, card: u32) -> UserChange {
    UserChange {
        cards: Some(vec![card.to_string()]),
        ..change(of)
    }
}

fn users(terminal: &RunningTerminal) -> Vec<User> {
    terminal.users().users().to_vec()
}

/// Nobody at the terminal is hindered any more, and it was told so.
#[track_caller]
fn assert_unblocked(what: &str, terminal: &RunningTerminal) {
    assert!(
        terminal.counts().of(ENABLE) > 0,
        "{what}: it was not enabled"
    );
    assert!(!terminal.is_disabled(), "{what}: it is blocked still");
}

#[track_caller]
fn write_error(what: &str, error: TerminalError) -> WriteError {
    match error {
        TerminalError::Write(error) => error,
        error => panic!("{what}: {error:?}"),
    }
}

#[track_caller]
fn assert_refused(what: &str, error: &TerminalError, part: &str) {
    let refused = matches!(error, TerminalError::Refused { step: Step::Write, detail } if detail.contains(part));
    assert!(refused, "{what}: {error:?}");
}

#[tokio::test]
async fn a_user_is_created_changed_and_deleted() {
    for layout in BOTH_LAYOUTS {
        for transport in BOTH {
            let what = format!("{layout:?} over {transport:?}");
            let terminal = start(office(layout)).await;
            let before = users(&terminal);
            let mut connection = connect(transport, &terminal).await;

            let hana = UserChange {
                privilege: Some(Privilege::Enroller),
                cards: Some(vec!["77".to_owned()]),
                password: Some("4711".to_owned()),
                ..named("1009", " Hana ")
            };
            let written = connection.set_user(&hana).await.expect(&what);
            assert_eq!(written.effect, Effect::Created);
            let user = written.user;
            let shown = (user.name.as_str(), user.privilege, user.cards_text());
            let expected = ("Hana", Some(Privilege::Enroller), Some("77".to_owned()));
            assert_eq!((shown, user.has_password), (expected, true), "{what}");
            let mut stored = User::new(4, "1009")
                .named("Hana")
                .with_card(77)
                .with_password("4711");
            stored.privilege = 2;
            let mut expected = before.clone();
            expected.push(stored);
            assert_eq!(users(&terminal), expected, "{what}");

            // What is not asked for stays, and what is so already is not written.
            let written = connection.set_user(&with_card("1009", 78)).await;
            assert_eq!(written.expect(&what).effect, Effect::Changed);
            expected[3].card = 78;
            assert_eq!(users(&terminal), expected, "{what}");
            let counts = terminal.counts();
            let written = connection.set_user(&with_card("1009", 78)).await;
            assert_eq!(written.expect(&what).effect, Effect::AlreadySo);
            let same = terminal.counts();
            assert_eq!(same.of(USER_WRQ), counts.of(USER_WRQ), "{what}");
            assert_eq!(same.disables, counts.disables, "{what}");

            let nothing = UserChange {
                cards: Some(Vec::new()),
                password: Some(String::new()),
                privilege: Some(Privilege::Manager),
                ..named("1009", "")
            };
            let user = connection.set_user(&nothing).await.expect(&what).user;
            assert_eq!(
                (user.cards_text(), user.has_password),
                (None, false),
                "{what}"
            );
            expected[3] = User::new(4, "1009");
            expected[3].privilege = 6;
            assert_eq!(users(&terminal), expected, "{what}");
            assert_unblocked(&what, &terminal);

            let deleted = connection.delete_user(&id("1002")).await.expect(&what);
            assert_eq!(
                (deleted.name.as_str(), deleted.cards_text()),
                ("Ben", Some("6543".to_owned()))
            );
            expected.remove(1);
            assert_eq!(users(&terminal), expected, "{what}");
            let blocked = terminal.counts().disables;
            let error = connection.delete_user(&id("1002")).await.expect_err("gone");
            let nobody = WriteError::NoSuchUser { id: id("1002") };
            assert_eq!(write_error(&what, error), nobody);
            assert_eq!(terminal.counts().disables, blocked, "{what}");

            // The number that became free is given to the next one.
            connection.set_user(&change("2000")).await.expect(&what);
            assert_eq!(users(&terminal)[3], User::new(2, "2000"), "{what}");
            assert!(!terminal.is_disabled(), "{what}");
            connection.close().await;
        }
    }
}

#[tokio::test]
async fn who_has_a_role_or_is_disabled_stays_so() {
    let mut manager = User::new(1, "1");
    manager.privilege = 13; // manager as the vendor's manual has it, and disabled
    let terminal = start(office(UserLayout::SeventyTwo).users([manager])).await;
    let mut connection = connect(Transport::Tcp, &terminal).await;
    for (privilege, expected) in [
        (Privilege::Manager, 13),
        (Privilege::Admin, 15),
        (Privilege::User, 1),
        (Privilege::Manager, 7),
    ] {
        let privilege = Some(privilege);
        let asked = UserChange {
            privilege,
            ..change("1")
        };
        let user = connection.set_user(&asked).await.expect("a write").user;
        assert_eq!((user.privilege, user.disabled), (privilege, true));
        assert_eq!(users(&terminal)[0].privilege, expected);
    }
    connection.close().await;
}

#[tokio::test]
async fn what_does_not_fit_is_refused_with_the_limit_before_anything_is_sent() {
    let long_name = named("1009", "Maximiliana Hohenlohe-Langenburg");
    let password = UserChange {
        password: Some("123456789".to_owned()),
        ..change("1002")
    };
    let (short, long) = (UserLayout::TwentyEight, UserLayout::SeventyTwo);
    let cases = [
        (
            short,
            &long_name,
            "the name has 32 bytes and the terminal takes 8",
        ),
        (
            long,
            &long_name,
            "the name has 32 bytes and the terminal takes 23",
        ),
        (short, &password, "the terminal takes 5"),
        (long, &password, "the terminal takes 8"),
        (short, &change("A7"), "only numbers without leading zeros"),
        (short, &change("007"), "only numbers without leading zeros"),
        (
            long,
            &change("1234567890123456789012345"),
            "25 characters and the terminal takes 24",
        ),
    ];
    for (layout, asked, expected) in cases {
        let terminal = start(office(layout)).await;
        let mut connection = connect(Transport::Tcp, &terminal).await;
        let error = connection.set_user(asked).await.expect_err("too long");
        assert!(error.to_string().contains(expected), "{error}");
        let error = write_error(expected, error);
        assert!(matches!(error, WriteError::DoesNotFit { .. }), "{error:?}");
        let counts = terminal.counts();
        assert_eq!((counts.of(USER_WRQ), counts.disables), (0, 0));
        assert_eq!(users(&terminal), people().users());
        connection.close().await;
    }

    let full = office(long).user_capacity(3);
    let terminal = start(full).await;
    let mut connection = connect(Transport::Tcp, &terminal).await;
    let error = connection.set_user(&change("9")).await.expect_err("full");
    assert!(
        error.to_string().contains("3 users and takes no more"),
        "{error}"
    );
    // Somebody who is there can be changed.
    connection
        .set_user(&with_card("1003", 9))
        .await
        .expect("a write");
    connection.close().await;
}

#[tokio::test]
async fn the_first_user_is_laid_out_as_the_model_tells() {
    let empty = || office(UserLayout::SeventyTwo).users([]);
    let terminal = start(empty()).await;
    let mut connection = connect(Transport::Tcp, &terminal).await;
    connection
        .set_user(&named("0007", "J\u{f6}rg"))
        .await
        .expect("a write");
    assert_eq!(users(&terminal), [User::new(1, "0007").named("J\u{f6}rg")]);
    connection
        .delete_user(&id("0007"))
        .await
        .expect("the last one");
    connection.close().await;

    let unknown = empty().option("~Platform", "ZEM560");
    let terminal = start(unknown).await;
    let mut connection = connect(Transport::Tcp, &terminal).await;
    let error = connection
        .set_user(&change("7"))
        .await
        .expect_err("unknown");
    assert!(
        error.to_string().contains("enrol one at its menu first"),
        "{error}"
    );
    assert_eq!(terminal.counts().disables, 0);
    connection.close().await;

    // The last one of a terminal in black and white can be deleted.
    let one = office(UserLayout::TwentyEight).users([User::new(1, "7")]);
    let terminal = start(one.option("~Platform", "ZEM560")).await;
    let mut connection = connect(Transport::Tcp, &terminal).await;
    connection
        .delete_user(&id("7"))
        .await
        .expect("the last one");
    assert!(users(&terminal).is_empty());
    connection.close().await;
}

#[tokio::test]
async fn what_was_not_written_as_asked_is_named_and_the_terminal_unblocked() {
    let mut tasks = tokio::task::JoinSet::new();
    for transport in BOTH {
        for (fault, expected) in [
            (
                "ignore-writes",
                "asked for user 1009, the terminal shows no user 1009",
            ),
            (
                "ignore-write=8",
                "asked for user 1009, the terminal shows no user 1009",
            ),
            (
                "cuts-names=3",
                "asked for user 1009 with name \"Hana\", the terminal shows user 1009 with name \"Han\"",
            ),
            (
                "meddled=8",
                "asked for user 1001 with name \"Ana\", the terminal shows user 1001 with name \"Meddled\"",
            ),
        ] {
            tasks.spawn(async move {
                let what = format!("{fault} over {transport:?}");
                let terminal = start(office(UserLayout::SeventyTwo)).await;
                terminal.set_fault(fault.parse().expect("a fault"));
                let mut connection = connect(transport, &terminal).await;
                let asked = connection.set_user(&named("1009", "Hana")).await;
                let error = asked.expect_err(&what);
                assert_eq!(
                    (error.step(), &*error.to_string()),
                    (Step::Write, expected),
                    "{what}"
                );
                assert_unblocked(&what, &terminal);
                connection.close().await;
            });
        }
        tasks.spawn(async move {
            let terminal = start(office(UserLayout::SeventyTwo)).await;
            terminal.set_fault(Fault::IgnoreWrite(DELETE_USER));
            let mut connection = connect(transport, &terminal).await;
            let error = connection
                .delete_user(&id("1002"))
                .await
                .expect_err("still there");
            assert_eq!(
                error.to_string(),
                "asked for no user 1002, the terminal shows user 1002"
            );
            assert_unblocked("delete", &terminal);
            connection.close().await;
        });
    }
    while let Some(written) = tasks.join_next().await {
        written.expect("as expected");
    }
}

#[tokio::test]
async fn what_is_refused_says_so_and_the_terminal_is_unblocked() {
    for transport in BOTH {
        for (command, code, expected) in [
            (
                USER_WRQ,
                2001,
                "writing user 1009: it answered code 2001: failed; it may not take",
            ),
            (USER_WRQ, 65535, "code 65535: unknown command"),
            (USER_WRQ, 65531, "code 65531: bad data"),
        ] {
            let terminal = start(office(UserLayout::SeventyTwo)).await;
            terminal.set_fault(Fault::CommandCode { command, code });
            let mut connection = connect(transport, &terminal).await;
            let error = connection
                .set_user(&change("1009"))
                .await
                .expect_err("refused");
            assert_refused(expected, &error, expected);
            assert_unblocked(expected, &terminal);
            connection.close().await;
        }
        let (command, code) = (DELETE_USER, 2001);
        let terminal = start(office(UserLayout::SeventyTwo)).await;
        terminal.set_fault(Fault::CommandCode { command, code });
        let mut connection = connect(transport, &terminal).await;
        let error = connection
            .delete_user(&id("1002"))
            .await
            .expect_err("refused");
        assert_refused(
            "delete",
            &error,
            "deleting user 1002: it answered code 2001: failed",
        );
        assert_unblocked("delete", &terminal);
        connection.close().await;
    }

    // A model that cannot be blocked, or needs no refreshing, is written to all the same.
    let terminal = start(office(UserLayout::SeventyTwo)).await;
    let code = 65535;
    for command in [DISABLE, ENABLE, REFRESH] {
        terminal.set_fault(Fault::CommandCode { command, code });
        let mut connection = connect(Transport::Tcp, &terminal).await;
        let card = u32::from(command);
        connection
            .set_user(&with_card("1001", card))
            .await
            .expect("a write");
        connection.close().await;
    }
}

/// Faults of the network in the middle of a write.
#[tokio::test]
async fn a_write_that_is_interrupted_leaves_no_terminal_blocked() {
    let mut tasks = tokio::task::JoinSet::new();
    for transport in BOTH {
        for command in [DISABLE, USER_WRQ, REFRESH] {
            for fault in [Fault::HangUp(command), Fault::Mute(command)] {
                tasks.spawn(async move {
                    let what = format!("{fault} over {transport:?}");
                    let terminal = start(office(UserLayout::SeventyTwo).comm_key(1234)).await;
                    let mut target = faults::over(transport, &terminal);
                    target.credentials.comm_key = Some(1234);
                    let deadline = Deadline::after(Duration::from_secs(2));
                    let connection = Terminal::connect_within(&target, deadline).await;
                    let mut connection = connection.expect("a terminal");
                    terminal.set_fault(fault);
                    let error = connection
                        .set_user(&named("1009", "Hana"))
                        .await
                        .expect_err(&what);
                    let expected = matches!(
                        error,
                        TerminalError::Timeout {
                            step: Step::Write,
                            ..
                        } | TerminalError::Cut {
                            step: Step::Write,
                            ..
                        }
                    );
                    assert!(expected, "{what}: {error:?}");
                    assert_unblocked(&what, &terminal);
                    connection.close().await;
                    let counts = terminal.counts();
                    assert_eq!((counts.auth_refused, counts.open), (0, 0), "{what}");
                });
            }
        }
    }
    while let Some(written) = tasks.join_next().await {
        written.expect("as expected");
    }
}

#[tokio::test]
async fn a_terminal_whose_write_is_abandoned_unblocks_itself() {
    let terminal = start(office(UserLayout::SeventyTwo)).await;
    terminal.set_fault(Fault::Mute(USER_WRQ));
    let mut connection = connect(Transport::Tcp, &terminal).await;
    let asked = named("1009", "Hana");
    let sent = async {
        while terminal.counts().of(USER_WRQ) == 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        written = connection.set_user(&asked) => panic!("{written:?}"),
        () = sent => {}
    }
    drop(connection);
    assert!(terminal.is_disabled() && !terminal.is_disabled_for_good());
}

/// The answer to the `nth` request after the connection is lost. Each is sent in one datagram.
async fn losing(nth: u64, terminal: &RunningTerminal) -> Terminal {
    let connection = connect(Transport::Udp, terminal).await;
    terminal.set_fault(Fault::UdpLoss(Datagrams::Every(nth)));
    connection
}

#[tokio::test]
async fn an_answer_that_is_lost_does_no_harm() {
    // Counters, list, block, counters, list; then the write.
    let write = 6;
    let create = async {
        let terminal = start(office(UserLayout::SeventyTwo)).await;
        let mut connection = losing(write, &terminal).await;
        let written = connection
            .set_user(&named("1009", "Hana"))
            .await
            .expect("a write");
        assert_eq!(written.effect, Effect::Created);
        assert_eq!(terminal.counts().of(USER_WRQ), 2);
        assert_eq!(users(&terminal)[3..], [User::new(4, "1009").named("Hana")]);
        assert_unblocked("create", &terminal);
    };
    let delete = async {
        let terminal = start(office(UserLayout::SeventyTwo)).await;
        let mut connection = losing(write, &terminal).await;
        // The second request is refused, for there is nobody any more.
        connection.delete_user(&id("1002")).await.expect("a write");
        assert_eq!(terminal.counts().of(DELETE_USER), 2);
        assert_eq!(users(&terminal).len(), 2);
        assert_unblocked("delete", &terminal);
    };
    let upload = async {
        let terminal = start(office(UserLayout::SeventyTwo)).await;
        // Option, counters, list, block, counters, list, counters, templates, free, announcement; then the first part.
        let mut connection = losing(11, &terminal).await;
        let asked = prints(&[(3, 3000)]);
        connection
            .write_fingerprints(&change("1002"), &asked)
            .await
            .expect("a write");
        assert_eq!(
            terminal.templates(),
            [Template::new(2, 3, template(3, 3000))]
        );
        let counts = terminal.counts();
        assert_eq!((counts.of(SAVE), counts.of(UPLOAD_PART)), (1, 1 + 4));
        assert_unblocked("upload", &terminal);
    };
    tokio::join!(create, delete, upload);
}

/// What must not come twice is sent once, also where it gets lost.
#[tokio::test]
async fn what_does_harm_twice_is_sent_once() {
    let mut tasks = tokio::task::JoinSet::new();
    for command in [UNLOCK, VOICE, RESTART, CLEAR_ATTLOG] {
        tasks.spawn(async move {
            let terminal = start(office(UserLayout::SeventyTwo)).await;
            terminal.set_fault(Fault::Mute(command));
            // What is harmless twice would be sent again after five seconds.
            let whole = Duration::from_secs(6);
            let mut connection = connect_within(Transport::Udp, &terminal, whole).await;
            let said = match command {
                UNLOCK => {
                    let open = Duration::from_secs(5);
                    connection.unlock(Some(open), DoorUnit::Tenths).await
                }
                VOICE => connection.voice(1).await,
                CLEAR_ATTLOG => connection.clear_log(30).await.map(|_| ()),
                _ => connection.restart().await,
            };
            // A terminal that restarts says nothing.
            assert_eq!(said.is_ok(), command == RESTART, "{command}: {said:?}");
            assert_eq!(terminal.counts().of(command), 1, "{command}");
            assert!(!terminal.is_disabled(), "{command}");
        });
    }
    while let Some(sent) = tasks.join_next().await {
        sent.expect("as expected");
    }
}

fn template(finger: u8, len: usize) -> Vec<u8> {
    let byte = |n: usize| (n.wrapping_mul(31) as u8).wrapping_add(finger);
    (0..len).map(byte).collect()
}

fn prints(fingers: &[(u8, usize)]) -> Fingerprints {
    let print = |(finger, len): &(u8, usize)| Fingerprint {
        finger: *finger,
        kind: FingerKind::Valid,
        template: template(*finger, *len),
    };
    Fingerprints {
        algorithm: Some("10".to_owned()),
        fingers: fingers.iter().map(print).collect(),
    }
}

#[tokio::test]
async fn fingerprints_go_from_one_terminal_to_another_and_are_deleted() {
    for layout in BOTH_LAYOUTS {
        for transport in BOTH {
            let what = format!("{layout:?} over {transport:?}");
            let source = start(office(layout)).await;
            for finger in [0, 6] {
                source.add_template(Template::new(2, finger, template(finger, 1500)));
            }
            source.add_template(Template::new(1, 0, template(9, 400)));
            let mut connection = connect(transport, &source).await;
            let read = connection.fingerprints(&id("1002")).await.expect(&what);
            assert_eq!(read, prints(&[(0, 1500), (6, 1500)]), "{what}");
            source.add_template(Template::new(77, 0, template(7, 400))); // of nobody
            let all = connection.all_fingerprints().await.expect(&what);
            let ids: Vec<_> = all.iter().map(|(id, _)| id.as_str()).collect();
            assert_eq!(ids, ["1001", "1002"], "{what}");
            assert_eq!(all[1].1, read, "{what}");
            connection.close().await;
            assert_eq!(source.counts().disables, 0);

            // There the user has another internal number, and somebody else has fingers.
            let other = office(layout).users([User::new(2, "7"), User::new(9, "1002")]);
            let terminal = start(other).await;
            let others = Template::new(2, 0, template(5, 300));
            terminal.add_template(others.clone());
            let kept = Template::new(9, 4, template(4, 300));
            terminal.add_template(kept.clone());
            let mut connection = connect(transport, &terminal).await;
            let written = connection
                .write_fingerprints(&named("1002", "Ben"), &read)
                .await;
            let written = written.expect(&what);
            assert_eq!(
                (written.effect, &*written.user.name),
                (Effect::Changed, "Ben")
            );
            let expected = [
                others.clone(),
                Template::new(9, 0, template(0, 1500)),
                kept.clone(),
                Template::new(9, 6, template(6, 1500)),
            ];
            assert_eq!(terminal.templates(), expected, "{what}");
            assert_eq!(
                users(&terminal)[1],
                User::new(9, "1002").named("Ben"),
                "{what}"
            );
            assert_unblocked(&what, &terminal);
            // Together with a user who is new there.
            let written = connection
                .write_fingerprints(&change("3"), &prints(&[(1, 5)]))
                .await;
            assert_eq!(written.expect(&what).effect, Effect::Created);
            assert_eq!(terminal.templates()[0], Template::new(1, 1, template(1, 5)));

            let gone = connection.delete_fingerprints(&id("1002"), Some(0)).await;
            assert_eq!(gone.expect(&what), [0]);
            let error = connection.delete_fingerprints(&id("1002"), Some(0)).await;
            let expected = WriteError::NoSuchFinger {
                id: id("1002"),
                finger: 0,
            };
            assert_eq!(write_error(&what, error.expect_err("gone")), expected);
            let gone = connection.delete_fingerprints(&id("1002"), None).await;
            assert_eq!(gone.expect(&what), [4, 6]);
            assert_eq!(terminal.templates()[1..], [others], "{what}");
            let gone = connection.delete_fingerprints(&id("1002"), None).await;
            assert!(gone.expect(&what).is_empty());
            assert_unblocked(&what, &terminal);
            connection.close().await;
        }
    }
}

#[tokio::test]
async fn fingerprints_that_would_not_work_are_not_written() {
    let duress = |mut prints: Fingerprints, kind| {
        prints.fingers[0].kind = kind;
        prints
    };
    let nine = Fingerprints {
        algorithm: Some("9".to_owned()),
        ..prints(&[(1, 9)])
    };
    let unknown = Fingerprints {
        algorithm: None,
        ..prints(&[(1, 9)])
    };
    let cases = [
        (nine, "of algorithm 9 and the terminal has 10"),
        (unknown, "of algorithm nobody knows and the terminal has 10"),
        (
            duress(prints(&[(1, 9)]), FingerKind::Duress),
            "finger 1 raises an alarm",
        ),
        (
            duress(prints(&[(1, 9)]), FingerKind::Invalid),
            "finger 1 is marked invalid",
        ),
        (prints(&[]), "there is no fingerprint"),
        (prints(&[(10, 9)]), "there is no 10"),
        (prints(&[(1, 0)]), "a template of 0 bytes is none"),
    ];
    let terminal = start(office(UserLayout::SeventyTwo)).await;
    let mut connection = connect(Transport::Tcp, &terminal).await;
    for (asked, expected) in cases {
        let error = connection.write_fingerprints(&change("1002"), &asked).await;
        let error = error.expect_err(expected);
        assert!(error.to_string().contains(expected), "{error}");
    }
    let counts = terminal.counts();
    assert_eq!((counts.disables, counts.of(UPLOAD_PART)), (0, 0));
    connection.close().await;
    let terminal = start(office(UserLayout::SeventyTwo).without_option("~ZKFPVersion")).await;
    let mut connection = connect(Transport::Tcp, &terminal).await;
    assert_eq!(connection.algorithm().await.expect("it answers"), None);
    let error = connection
        .write_fingerprints(&change("1002"), &prints(&[(1, 9)]))
        .await;
    assert!(matches!(
        write_error("unknown", error.expect_err("unknown")),
        WriteError::OtherAlgorithm { .. }
    ));
    connection.close().await;
}

#[tokio::test]
async fn an_upload_that_fails_is_named_and_the_terminal_unblocked() {
    let mut tasks = tokio::task::JoinSet::new();
    for transport in BOTH {
        for (fault, expected) in [
            ("hang-up=1501", ""),
            ("mute=1501", ""),
            ("hang-up=110", ""),
            (
                "command-code=1501:2001",
                "writing user 1002: it answered code 2001",
            ),
            ("command-code=110:65535", "unknown command"),
            (
                "ignore-write=110",
                "asked for finger 1 of user 1002, the terminal shows no finger 1",
            ),
        ] {
            tasks.spawn(upload_with(fault, transport, expected));
        }
    }
    while let Some(written) = tasks.join_next().await {
        written.expect("as expected");
    }
}

async fn upload_with(fault: &str, transport: Transport, expected: &str) {
    let what = format!("{fault} over {transport:?}");
    let terminal = start(office(UserLayout::SeventyTwo)).await;
    let mut connection = connect_within(transport, &terminal, Duration::from_secs(3)).await;
    terminal.set_fault(fault.parse().expect("a fault"));
    let asked = prints(&[(1, 2500)]);
    let error = connection.write_fingerprints(&change("1002"), &asked).await;
    let error = error.expect_err(&what);
    assert_eq!(error.step(), Step::Write, "{what}: {error:?}");
    assert!(error.to_string().contains(expected), "{what}: {error}");
    assert!(terminal.templates().is_empty(), "{what}");
    assert_unblocked(&what, &terminal);
    connection.close().await;
}

#[tokio::test]
async fn a_finger_that_was_not_deleted_is_named() {
    let terminal = start(office(UserLayout::SeventyTwo)).await;
    terminal.add_template(Template::new(2, 1, template(1, 9)));
    let mut connection = connect(Transport::Tcp, &terminal).await;
    for (fault, expected) in [
        (
            "ignore-write=134",
            "asked for no finger 1 of user 1002, the terminal shows finger 1",
        ),
        (
            "command-code=134:65535",
            "deleting finger 1 of user 1002: it answered code 65535",
        ),
    ] {
        terminal.clear_faults();
        terminal.set_fault(fault.parse().expect("a fault"));
        let error = connection.delete_fingerprints(&id("1002"), None).await;
        let error = error.expect_err(fault).to_string();
        assert!(error.contains(expected), "{error}");
        assert_unblocked(fault, &terminal);
    }
    assert_eq!(terminal.counts().of(DEL_FPTMP), 2);
    connection.close().await;
}

#[tokio::test]
async fn a_log_is_cleared_when_it_is_the_one_that_was_read() {
    for transport in BOTH {
        let terminal = start(office(UserLayout::SeventyTwo)).await;
        let mut connection = connect(transport, &terminal).await;
        for held in [0, 29, 31] {
            let error = connection.clear_log(held).await.expect_err("another log");
            let expected = WriteError::LogChanged {
                expected: held,
                found: 30,
            };
            assert_eq!(write_error("changed", error), expected);
            assert_unblocked("changed", &terminal);
        }
        let (command, code) = (CLEAR_ATTLOG, 2001);
        terminal.set_fault(Fault::CommandCode { command, code });
        let error = connection.clear_log(30).await.expect_err("refused");
        assert_refused("clear", &error, "clearing the log: it answered code 2001");
        terminal.clear_faults();
        terminal.set_fault(Fault::IgnoreWrite(CLEAR_ATTLOG));
        let error = connection.clear_log(30).await.expect_err("ignored");
        assert_eq!(
            error.to_string(),
            "asked for an empty log, the terminal shows 30 records"
        );
        terminal.clear_faults();
        assert_eq!(terminal.record_count(), 30);

        assert_eq!(connection.clear_log(30).await.expect("cleared"), 0);
        assert_eq!(terminal.record_count(), 0);
        assert_unblocked("cleared", &terminal);
        let cleared = terminal.counts().of(CLEAR_ATTLOG);
        assert_eq!(connection.clear_log(0).await.expect("empty"), 0);
        assert_eq!(terminal.counts().of(CLEAR_ATTLOG), cleared);
        connection.close().await;
    }

    // Where blocking has no effect, somebody may punch in between.
    let terminal = start(office(UserLayout::SeventyTwo)).await;
    terminal.set_fault(Fault::IgnoreWrite(DISABLE));
    terminal.set_fault(Fault::Meddled(CLEAR_ATTLOG));
    let mut connection = connect(Transport::Tcp, &terminal).await;
    assert_eq!(connection.clear_log(30).await.expect("cleared"), 1);
    connection.close().await;

    let terminal = start(office(UserLayout::SeventyTwo).counter_words(1)).await;
    let mut connection = connect(Transport::Tcp, &terminal).await;
    let error = connection.clear_log(30).await.expect_err("not counted");
    assert_refused("counters", &error, "does not tell how many records");
    assert_eq!(terminal.record_count(), 30);
    connection.close().await;
}

#[tokio::test]
async fn a_restart_is_done_with_an_answer_and_without() {
    for transport in BOTH {
        for answers in [true, false] {
            let mut model = office(UserLayout::SeventyTwo);
            if answers {
                model = model.acknowledges_restart();
            }
            let terminal = start(model).await;
            // Over UDP only the time tells that it says nothing.
            let whole = Duration::from_millis(500);
            let connection = connect_within(transport, &terminal, whole).await;
            connection.restart().await.expect("it restarts");
            let counts = terminal.counts();
            assert_eq!((counts.of(RESTART), counts.of(EXIT)), (1, 0));
            connect(transport, &terminal).await.close().await;
        }
        let (command, code) = (RESTART, 65535);
        let terminal = start(office(UserLayout::SeventyTwo)).await;
        terminal.set_fault(Fault::CommandCode { command, code });
        let connection = connect(transport, &terminal).await;
        let error = connection.restart().await.expect_err("refused");
        assert_refused(
            "restart",
            &error,
            "restarting: it answered code 65535: unknown command",
        );
        assert_eq!(terminal.counts().of(EXIT), 1);
    }
}

#[tokio::test]
async fn door_voice_and_screen() {
    for transport in BOTH {
        let terminal = start(office(UserLayout::SeventyTwo)).await;
        let mut connection = connect(transport, &terminal).await;
        let five = Duration::from_secs(5);
        connection
            .unlock(Some(five), DoorUnit::Tenths)
            .await
            .expect("it opens");
        connection
            .unlock(Some(five), DoorUnit::Seconds)
            .await
            .expect("it opens");
        assert_eq!(terminal.unlocks(), [50, 5]);
        for open in [Duration::ZERO, Duration::from_secs(3601)] {
            let error = connection.unlock(Some(open), DoorUnit::Tenths).await;
            assert!(
                error
                    .expect_err("no such time")
                    .to_string()
                    .contains("1 to 3600")
            );
        }
        connection.voice(10).await.expect("it speaks");
        assert_eq!(terminal.announcements(), [10]);
        connection.show(2, "Closed today").await.expect("it shows");
        assert_eq!(terminal.lcd(), [(2, " Closed today".to_owned())].into());
        connection.clear_screen().await.expect("it clears");
        assert!(terminal.lcd().is_empty());
        assert_eq!(terminal.counts().disables, 0);
        for (command, part) in [
            (
                UNLOCK,
                "opening the door: it answered code 65533: bad command",
            ),
            (VOICE, "playing voice 3: it answered code 65533"),
            (
                WRITE_LCD,
                "showing a text in line 1: it answered code 65533",
            ),
        ] {
            let code = 65533;
            terminal.set_fault(Fault::CommandCode { command, code });
            let error = match command {
                UNLOCK => connection.unlock(Some(five), DoorUnit::Tenths).await,
                VOICE => connection.voice(3).await,
                _ => connection.show(1, "x").await,
            };
            assert_refused(part, &error.expect_err("refused"), part);
        }
        connection.close().await;
    }
}

#[tokio::test]
async fn texts_and_names_are_written_in_the_code_page_of_the_list() {
    let arabic = User::new(1, "1").named(b"\xc7\xcd\xe3\xcf");
    let terminal = start(office(UserLayout::SeventyTwo).users([arabic])).await;
    let mut connection = connect(Transport::Tcp, &terminal).await;
    connection
        .set_user(&named("2", "\u{639}\u{644}\u{64a}"))
        .await
        .expect("a write");
    assert_eq!(users(&terminal)[1].name, b"\xda\xe1\xed");
    for text in ["\u{5f20}", "two\nlines"] {
        let error = connection
            .show(1, text)
            .await
            .expect_err("it has no such letters");
        assert!(matches!(
            write_error(text, error),
            WriteError::DoesNotFit { .. }
        ));
    }
    let error = connection
        .set_user(&named("2", "\u{5f20}"))
        .await
        .expect_err("no such letters");
    assert!(error.to_string().contains("Windows1256"), "{error}");
    connection.close().await;
}

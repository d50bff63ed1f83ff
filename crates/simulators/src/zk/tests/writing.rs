//! What clients change: people, templates, clock, door, voice and display.

use super::*;

const ALL_TEMPLATES: &[u8] = &[1, 7, 0, 2, 0, 0, 0, 0, 0, 0, 0];
const ACK_AFTER_V21: &str = "5050827d08000000d00760adb64a1900";

/// The announced upload of the document's users and templates.
fn saved_together() -> Vec<u8> {
    hex("49000000 08000000 06000000
         02 0e00 00 3132333400000000 416e61 00*21 8f190000 01 31 00*7 3930323130 00*19
         02 0e00 13 00000000 0400 aabbccdd")
}

/// Connected with the session of the document.
async fn documented_session(terminal: &RunningTerminal) -> Raw {
    let mut raw = Raw::to(terminal).await;
    raw.expect(CONNECT, CONNECTED).await;
    raw
}

impl Raw {
    /// What it says to a command of the document's session.
    async fn said(&mut self, command: u16, data: &[u8]) -> u16 {
        self.ask(command, 0x4AB6, 1, data).await.command
    }
}

#[tokio::test]
async fn users_and_templates_saved_together() {
    let terminal = start(documented()).await;
    let mut raw = documented_session(&terminal).await;
    let upload = saved_together();
    let size = (upload.len() as u32).to_le_bytes();
    assert_eq!(raw.said(code::PREPARE_DATA, &size).await, code::ACK_OK);
    raw.expect(
        "5050827d6b000000dd054868b64a1800
         49000000 08000000 06000000
         02 0e00 00 3132333400000000 416e61 00*21 8f190000 01 31 00*7 3930323130 00*19
         02 0e00 13 00000000 0400 aabbccdd",
        "5050827d08000000d00761adb64a1800",
    )
    .await; // V21
    raw.expect(
        "5050827d100000006e00aeb4b64a19000c00000000000800",
        ACK_AFTER_V21,
    )
    .await; // V21
    let ana = User::new(14, "90210")
        .named("Ana")
        .with_card(6543)
        .with_password("1234");
    assert_eq!(terminal.users().users()[2], ana);
    let finger = Template::new(14, 3, [0xaa, 0xbb, 0xcc, 0xdd]);
    assert_eq!(terminal.templates(), [finger]);

    // Saved again it replaces: nothing is there twice.
    assert_eq!(
        raw.said(code::SAVE_USERTEMPS, &[12, 0, 0, 0, 0, 0, 8, 0])
            .await,
        code::ACK_OK
    );
    assert_eq!(terminal.users().users().len(), 3);
    assert_eq!(raw.said(code::FREE_DATA, &[]).await, code::ACK_OK);
    assert_eq!(
        raw.said(code::SAVE_USERTEMPS, &[12, 0, 0, 0, 0, 0, 8, 0])
            .await,
        code::ACK_ERROR,
        "what was freed is not saved"
    );
}

#[tokio::test]
async fn what_does_not_fit_is_not_saved_at_all() {
    let terminal = start(documented()).await;
    let mut raw = documented_session(&terminal).await;
    let good = saved_together();
    let mut unknown_user = good.clone();
    unknown_user[12 + 73 + 1] = 15;
    let mut wrong_offset = good.clone();
    wrong_offset[12 + 73 + 4] = 3;
    let mut taken_id = good.clone();
    taken_id[12 + 49..12 + 54].copy_from_slice(b"1001\0");
    let mut wrong_mark = good.clone();
    wrong_mark[12] = 1;
    let mut wrong_row = good.clone();
    wrong_row[12 + 73] = 1;
    let mut no_finger = good.clone();
    no_finger[12 + 73 + 3] = 3;
    let longer = [good, vec![0]].concat();
    for upload in [
        unknown_user,
        wrong_offset,
        taken_id,
        wrong_mark,
        wrong_row,
        no_finger,
        longer,
    ] {
        let size = (upload.len() as u32).to_le_bytes();
        raw.said(code::PREPARE_DATA, &size).await;
        assert_eq!(raw.said(code::DATA, &upload).await, code::ACK_OK);
        let saved = raw.said(code::SAVE_USERTEMPS, &[12, 0, 0, 0, 0, 0, 8, 0]);
        assert_eq!(saved.await, code::ACK_ERROR);
    }
    assert_eq!(terminal.users().users().len(), 2);
    assert_eq!(terminal.templates(), []);

    // An upload that is not complete, or longer than announced.
    raw.said(code::PREPARE_DATA, &4u32.to_le_bytes()).await;
    assert_eq!(raw.said(code::DATA, &[1, 2, 3]).await, code::ACK_OK);
    let write = |size: u8| [1, 0, 3, 1, size, 0];
    assert_eq!(raw.said(code::TMP_WRITE, &write(3)).await, code::ACK_ERROR);
    assert_eq!(raw.said(code::DATA, &[4, 5]).await, code::ACK_ERROR);
    assert_eq!(raw.said(code::DATA, &[4]).await, code::ACK_ERROR);
    assert_eq!(
        raw.said(code::PREPARE_DATA, &u32::MAX.to_le_bytes()).await,
        code::ACK_ERROR
    );
    assert_eq!(terminal.templates(), []);
}

#[tokio::test]
async fn one_template_is_written_read_and_deleted() {
    let terminal = start(documented()).await;
    let mut raw = documented_session(&terminal).await;
    let bytes: Vec<u8> = (1..=200).collect();
    raw.said(code::PREPARE_DATA, &[200, 0, 0, 0]).await;
    // In parts, as over a slow line.
    raw.said(code::DATA, &bytes[..150]).await;
    raw.said(code::DATA, &bytes[150..]).await;
    let sum = raw.ask(code::CHECKSUM_BUFFER, 0x4AB6, 2, &[]).await;
    assert_eq!(sum.data, 20_100u32.to_le_bytes());
    let write = [2, 0, 6, 3, 200, 0];
    assert_eq!(raw.said(code::TMP_WRITE, &write).await, code::ACK_OK);
    assert_eq!(
        raw.said(code::TMP_WRITE, &write).await,
        code::ACK_ERROR,
        "the place is taken"
    );
    assert_eq!(
        raw.said(code::TMP_WRITE, &[9, 0, 6, 3, 200, 0]).await,
        code::ACK_ERROR,
        "there is no user 9"
    );
    assert_eq!(
        raw.said(code::TMP_WRITE, &[1, 0, 10, 3, 200, 0]).await,
        code::ACK_ERROR,
        "nobody has eleven fingers"
    );
    // With its header: size, user, finger, flag.
    let entry = hex("0a00 0100 00 01 deadbeef");
    assert_eq!(raw.said(code::USERTEMP_WRQ, &entry).await, code::ACK_OK);

    let all = raw
        .ask(code::PREPARE_BUFFER, 0x4AB6, 3, ALL_TEMPLATES)
        .await;
    let mut expected = hex("d8000000 0a00 0100 00 01 deadbeef ce00 0200 06 03");
    expected.extend(&bytes);
    assert_eq!(to_hex(&all.data), to_hex(&expected));
    let one = raw.ask(code::USERTEMP_RRQ, 0x4AB6, 4, &[2, 0, 6]).await;
    assert_eq!((one.command, one.data), (code::DATA, bytes));
    let one = raw.ask(code::GET_USERTEMP, 0x4AB6, 5, &[1, 0, 0]).await;
    assert_eq!(to_hex(&one.data), "deadbeef00000000000000");
    let counters = raw.ask(code::GET_FREE_SIZES, 0x4AB6, 6, &[]).await.data;
    assert_eq!(
        (wire::u32_at(&counters, 24), wire::u32_at(&counters, 68)),
        (2, 2998)
    );

    let by_id = hex("31303031 00*20 06");
    assert_eq!(raw.said(code::DEL_FPTMP, &by_id).await, code::ACK_OK);
    assert_eq!(raw.said(code::DEL_FPTMP, &by_id).await, code::ACK_ERROR);
    assert_eq!(
        raw.said(code::USERTEMP_RRQ, &[2, 0, 6]).await,
        code::ACK_ERROR
    );
    assert_eq!(
        raw.said(code::DELETE_USERTEMP, &[1, 0, 0]).await,
        code::ACK_OK
    );
    assert_eq!(
        raw.said(code::GET_USERTEMP, &[1, 0, 0]).await,
        code::ACK_ERROR
    );
    assert_eq!(terminal.templates(), []);
}

#[tokio::test]
async fn a_large_template_comes_in_announced_parts() {
    let template = Template::new(1, 5, vec![7; 1500]);
    let terminal = start(documented().part_size(1008).templates([template])).await;
    let mut raw = documented_session(&terminal).await;
    let announced = raw.ask(code::USERTEMP_RRQ, 0x4AB6, 1, &[1, 0, 5]).await;
    assert_eq!(to_hex(&announced.data), "dc050000f0030000");
    assert_eq!(raw.frame().await.data, [7; 1008]);
    assert_eq!(raw.frame().await.data, [7; 492]);
    assert_eq!(raw.frame().await.command, code::ACK_OK);
}

#[tokio::test]
async fn users_are_created_changed_and_refused() {
    let small = documented()
        .user_layout(UserLayout::TwentyEight)
        .user_capacity(3)
        .templates([Template::new(1, 0, [1])]);
    let terminal = start(small).await;
    let mut raw = documented_session(&terminal).await;
    let ana = "2600003132333435416e6100000000008f1900000001000062600100";
    assert_eq!(raw.said(code::USER_WRQ, &hex(ana)).await, code::ACK_OK);
    let expected = User::new(38, "90210")
        .named("Ana")
        .with_card(6543)
        .with_password("12345");
    assert_eq!(terminal.users().users()[2], expected);
    // The same person, now an administrator without a card.
    let changed = "26000e3132333435416e6100000000000000000000 01000062600100";
    assert_eq!(raw.said(code::USER_WRQ, &hex(changed)).await, code::ACK_OK);
    let mut admin = expected.admin();
    admin.card = 0;
    assert_eq!(terminal.users().users()[2], admin);

    let refused = [
        ("a fourth person", "2700 00*22 63600100"),
        ("the id of another", "2600 00*22 e8030000"),
        ("no internal index", "0000 00*22 62600100"),
        ("no id", "2600 00*22 00000000"),
        ("the other layout", "2600 00*46 3930323130 00*19"),
    ];
    for (why, record) in refused {
        assert_eq!(
            raw.said(code::USER_WRQ, &hex(record)).await,
            code::ACK_ERROR,
            "{why}"
        );
    }
    assert_eq!(raw.said(code::CLEAR_ADMIN, &[]).await, code::ACK_OK);
    assert_eq!(terminal.users().users()[2].privilege, 0);
    assert_eq!(raw.said(code::DELETE_USER, &[1, 0]).await, code::ACK_OK);
    assert_eq!(raw.said(code::DELETE_USER, &[1, 0]).await, code::ACK_ERROR);
    assert_eq!(terminal.templates(), [], "they go with their user");
    assert_eq!(terminal.users().users().len(), 2);
}

#[tokio::test]
async fn clearing_by_kind() {
    let finger = Template::new(1, 0, [1]);
    let full = documented().templates([finger.clone()]);
    let left = async |data: &[u8]| {
        let terminal = start(full.clone()).await;
        let mut raw = documented_session(&terminal).await;
        assert_eq!(raw.said(code::CLEAR_DATA, data).await, code::ACK_OK);
        (
            terminal.record_count(),
            terminal.templates().len(),
            terminal.users().users().len(),
        )
    };
    assert_eq!(left(&[1]).await, (0, 1, 2));
    assert_eq!(left(&[2]).await, (3, 0, 2));
    assert_eq!(left(&[4]).await, (3, 1, 2));
    assert_eq!(left(&[5]).await, (3, 0, 0));
    assert_eq!(left(&[]).await, (0, 0, 0));
}

#[tokio::test]
async fn door_voice_and_display() {
    let terminal = start(documented()).await;
    let mut raw = documented_session(&terminal).await;
    raw.expect(
        "5050827d0c0000001f00ecb4b64a0c0032000000",
        "5050827d08000000d0076dadb64a0c00",
    )
    .await; // V18
    assert_eq!(terminal.unlocks(), [50]);
    raw.expect(
        "5050827d0e0000004200b12bb64a0d00010000204869",
        "5050827d08000000d0076cadb64a0d00",
    )
    .await; // V19
    assert_eq!(terminal.lcd()[&1], " Hi");
    raw.said(code::CLEAR_LCD, &[]).await;
    assert!(terminal.lcd().is_empty());
    raw.said(code::TESTVOICE, &[10, 0, 0, 0]).await;
    raw.said(code::TESTVOICE, &[0, 0]).await;
    assert_eq!(terminal.announcements(), [10, 0]);
    raw.said(code::OPTIONS_WRQ, b"LockOn=7\0").await;
    assert_eq!(terminal.option("LockOn").as_deref(), Some("7"));
    let later = wire::pack_clock(date(2026, 1, 1).at(0, 1, 0, 0)).to_le_bytes();
    raw.said(code::SET_TIME, &later).await;
    assert_eq!(terminal.clock_shift(), jiff::SignedDuration::from_mins(1));
    for (command, data) in [
        (code::UNLOCK, &[1][..]),
        (code::TESTVOICE, &[]),
        (code::WRITE_LCD, &[1, 0]),
        (code::SET_TIME, &[1, 2, 3]),
    ] {
        assert_eq!(raw.said(command, data).await, code::ACK_ERROR);
    }
}

#[tokio::test]
async fn a_model_without_a_command_refuses_it() {
    let model = documented()
        .without_command(code::UNLOCK, code::ACK_UNKNOWN)
        .without_command(code::GET_TIME, 65_533);
    let terminal = start(model).await;
    let mut raw = documented_session(&terminal).await;
    assert_eq!(
        raw.said(code::UNLOCK, &[1, 0, 0, 0]).await,
        code::ACK_UNKNOWN
    );
    assert_eq!(raw.said(code::GET_TIME, &[]).await, 65_533);
    assert!(terminal.unlocks().is_empty());
    assert_eq!(raw.said(code::GET_VERSION, &[]).await, code::ACK_OK);
}

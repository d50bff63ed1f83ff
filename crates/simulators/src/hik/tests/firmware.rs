//! Faults of the firmware.

use super::*;

#[tokio::test]
async fn a_fault_can_wait_for_the_second_page() {
    let terminal = start(entrance().events(punches(70))).await;
    terminal.set_fault(
        Fault::ErrorInOk
            .on("/ISAPI/AccessControl/AcsEvent")
            .after(1)
            .times(1),
    );
    let mut codes = Vec::new();
    for position in [0, 30, 30, 60] {
        let answer = page(&terminal, position, json!({})).await;
        codes.push(serials(&answer).len());
    }
    assert_eq!(codes, [30, 0, 30, 10]);
}

#[tokio::test]
async fn searches_that_never_end() {
    let terminal = start(entrance().events(punches(3)).fault(Fault::MoreForever)).await;
    for position in [0, 3, 300] {
        let answer = page(&terminal, position, json!({})).await;
        assert_eq!(
            (serials(&answer), &answer["responseStatusStrg"]),
            (vec![1, 2, 3], &json!("MORE"))
        );
    }
    terminal.clear_faults();
    terminal.set_fault(Fault::EmptyPages);
    let answer = page(&terminal, 0, json!({})).await;
    assert_eq!(
        (answer.get("InfoList"), &answer["responseStatusStrg"]),
        (None, &json!("MORE"))
    );
    assert_eq!(
        (&answer["numOfMatches"], &answer["totalMatches"]),
        (&json!(0), &json!(3))
    );
}

#[tokio::test]
async fn searches_that_say_too_little_or_too_much() {
    let terminal = start(entrance().events(punches(40))).await;
    let check = async |fault: Fault, status: Value, total: Value| {
        terminal.clear_faults();
        terminal.set_fault(fault);
        let first = page(&terminal, 0, json!({})).await;
        assert_eq!(
            (serials(&first).len(), &first["totalMatches"]),
            (30, &total)
        );
        assert_eq!(first["responseStatusStrg"], status);
    };
    check(Fault::OkEarly, json!("OK"), json!(40)).await;
    check(Fault::NoStatus, Value::Null, json!(40)).await;
    check(Fault::HighTotal, json!("MORE"), json!(41)).await;
}

#[tokio::test]
async fn rows_come_and_go_between_pages() {
    let terminal = start(entrance().events(punches(40)).fault(Fault::RowArrives)).await;
    assert_eq!(page(&terminal, 0, json!({})).await["totalMatches"], 40);
    let second = page(&terminal, 30, json!({})).await;
    assert_eq!(
        (serials(&second).last(), &second["totalMatches"]),
        (Some(&41), &json!(41))
    );
    assert_eq!(second["InfoList"][10]["time"], "2026-03-02T12:00:00+01:00");

    let terminal = start(entrance().events(punches(40)).fault(Fault::RowLost)).await;
    assert_eq!(
        serials(&page(&terminal, 0, json!({})).await).last(),
        Some(&30)
    );
    // Row 31 has moved to position 29.
    assert_eq!(
        serials(&page(&terminal, 30, json!({})).await).first(),
        Some(&32)
    );
}

#[tokio::test]
async fn bodies_with_other_shapes() {
    let terminal = start(entrance().events(punches(1))).await;
    terminal.set_fault(Fault::StringNumbers);
    terminal.set_fault(Fault::BareObject);
    let answer = page(&terminal, 0, json!({})).await;
    assert_eq!(
        (&answer["totalMatches"], &answer["InfoList"]["serialNo"]),
        (&json!("1"), &json!("1"))
    );
    assert_eq!(answer["InfoList"]["employeeNoString"], "1042");
}

#[tokio::test]
async fn rows_that_cannot_be_a_punch() {
    let terminal = start(entrance().events(punches(3))).await;
    terminal.set_fault(Fault::MissingEmployeeNo(Some(1)));
    terminal.set_fault(Fault::ImpossibleTime(Some(2)));
    let rows = page(&terminal, 0, json!({})).await["InfoList"].clone();
    assert_eq!(
        (rows[0].get("employeeNoString"), rows[0].get("name")),
        (None, None)
    );
    assert_eq!(rows[1]["time"], "2026-02-30T25:61:00+01:00");
    assert_eq!(
        (&rows[2]["employeeNoString"], &rows[2]["time"]),
        (&json!("1042"), &json!("2026-03-02T08:02:00+01:00"))
    );
    terminal.set_fault(Fault::MissingEmployeeNo(None));
    let rows = page(&terminal, 0, json!({})).await["InfoList"].clone();
    assert!(
        rows.as_array()
            .unwrap()
            .iter()
            .all(|row| row.get("employeeNoString").is_none())
    );
}

#[tokio::test]
async fn names_that_are_no_utf8() {
    let terminal = start(entrance().users([User::new("7", "Bo")])).await;
    terminal.push(Event::face("1042", at(8, 0)));
    terminal.set_fault(Fault::InvalidUtf8Name(Some("1042".to_owned())));
    let people = json!({"UserInfoSearchCond": {"searchID": "a", "searchResultPosition": 0, "maxResults": 30}});
    let events = json!({"AcsEventCond": {"searchID": "a", "searchResultPosition": 0, "maxResults": 30, "major": 5, "minor": 0}});
    for (target, body) in [
        ("/ISAPI/AccessControl/UserInfo/Search?format=json", people),
        (SEARCH, events),
    ] {
        let answer = post(&terminal, target, &body).await;
        assert!(std::str::from_utf8(&answer.body).is_err());
        let repaired: Value = serde_json::from_str(&String::from_utf8_lossy(&answer.body)).unwrap();
        assert!(repaired.to_string().contains("Aziza K.\u{fffd}"));
    }
}

#[tokio::test]
async fn another_terminal_at_the_same_address() {
    let terminal = start(entrance().fault(Fault::WrongSerial)).await;
    let info = get(&terminal, INFO).await.text();
    assert!(
        info.contains("<serialNumber>DS-K1T342MFX-E120250307V043800ENZZ0000001</serialNumber>")
    );
    assert_eq!(terminal.label_serial(), "GB9637211");
}

#[tokio::test]
async fn many_terminals_share_a_process() {
    let mut terminals = Vec::new();
    for number in 0..50 {
        let terminal = VirtualTerminal::new(format!("GB{number:07}"), login(), stopped(noon()))
            .users([User::new("1042", "Aziza K.")])
            .events(punches(1000))
            .page_cap(600);
        terminals.push(start(terminal).await);
    }
    let mut reads = tokio::task::JoinSet::new();
    for terminal in terminals {
        reads.spawn(async move {
            let first = page(&terminal, 0, json!({"maxResults": 600})).await;
            let second = page(&terminal, 600, json!({"maxResults": 600})).await;
            [serials(&first), serials(&second)].concat()
        });
    }
    for read in reads.join_all().await {
        assert_eq!(read, (1..=1000).collect::<Vec<u64>>());
    }
}

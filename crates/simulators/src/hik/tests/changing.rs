//! The clock, the door, and rights.

use super::*;

const TIME: &str = "/ISAPI/System/time";
const DOOR: &str = "/ISAPI/AccessControl/RemoteControl/door/1";
const OPEN: &str = "<RemoteControlDoor version=\"2.0\" xmlns=\"http://www.isapi.org/ver20/XMLSchema\"><cmd>open</cmd></RemoteControlDoor>";

fn time_body(local: &str, zone: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Time version=\"2.0\" xmlns=\"http://www.isapi.org/ver20/XMLSchema\">\n\
         <timeMode>manual</timeMode>\n<localTime>{local}</localTime>\n<timeZone>{zone}</timeZone>\n</Time>\n"
    )
}

/// `localTime` and `timeZone` of the terminal.
async fn shown(terminal: &RunningTerminal) -> (String, String) {
    let text = get(terminal, TIME).await.text();
    let field = |name: &str| xml::text(&text, name).unwrap();
    (field("localTime"), field("timeZone"))
}

#[tokio::test]
async fn the_clock_is_set_by_wall_time_and_posix_zone() {
    let terminal = start(entrance()).await;
    const BERLIN: &str = "CST-1:00:00DST01:00:00,M3.5.0/02:00:00,M10.5.0/03:00:00";
    async fn check(terminal: &RunningTerminal, local: &str, zone: &str, expected: &str) {
        let answer = put(terminal, TIME, &time_body(local, zone)).await;
        assert_eq!(said(&answer), (200, "ok".to_owned()));
        assert_eq!(
            shown(terminal).await,
            (expected.to_owned(), zone.to_owned())
        );
    }
    check(
        &terminal,
        "2026-03-02T12:01:30",
        BERLIN,
        "2026-03-02T12:01:30+01:00",
    )
    .await;
    check(
        &terminal,
        "2026-07-02T12:00:00",
        BERLIN,
        "2026-07-02T12:00:00+02:00",
    )
    .await;
    check(
        &terminal,
        "2026-03-02T17:00:00",
        "CST-5:00:00",
        "2026-03-02T17:00:00+05:00",
    )
    .await;
    check(
        &terminal,
        "2026-03-02T17:00:00",
        "CST-8:00:00DST00:30:00,M4.1.0/02:00:00,M10.5.0/02:00:00",
        "2026-03-02T17:00:00+08:00",
    )
    .await;
    // An offset names the instant.
    check(
        &terminal,
        "2026-03-02T12:00:00Z",
        "CST-5:00:00",
        "2026-03-02T17:00:00+05:00",
    )
    .await;
    assert!(
        get(&terminal, TIME)
            .await
            .text()
            .contains("<timeMode>manual</timeMode>")
    );
    let zone = get(&terminal, "/ISAPI/System/time/timeZone").await.text();
    assert_eq!(zone, "CST-5:00:00");

    // Each leaves an operation event at the new time.
    let rows = page(&terminal, 0, json!({"major": 3})).await["InfoList"].clone();
    assert_eq!(rows.as_array().unwrap().len(), 5);
    assert_eq!(
        (&rows[4]["minor"], &rows[4]["time"]),
        (&json!(1028), &json!("2026-03-02T17:00:00+05:00"))
    );
}

#[tokio::test]
async fn what_is_no_time_is_refused_and_some_firmware_refuses_all_or_nothing() {
    let good = time_body("2026-03-02T12:01:30", "CST-1:00:00");
    let terminal = start(entrance()).await;
    for (body, expected) in [
        (
            good.replace("-02T", "-30T").replace("03-30", "02-30"),
            "badXmlContent",
        ),
        (good.replace("CST-1:00:00", "Berlin"), "badXmlContent"),
        (good.replace("manual", "sundial"), "badXmlContent"),
        ("{}".to_owned(), "badXmlFormat"),
    ] {
        assert_eq!(
            said(&put(&terminal, TIME, &body).await),
            (400, expected.to_owned()),
            "{body}"
        );
    }
    assert_eq!(shown(&terminal).await.0, "2026-03-02T12:00:00+01:00");
    assert_eq!(terminal.event_count(), 0);

    terminal.set_fault(Fault::TimeIgnored);
    assert_eq!(put(&terminal, TIME, &good).await.status, 200);
    assert_eq!(shown(&terminal).await.0, "2026-03-02T12:00:00+01:00");
    terminal.clear_faults();
    terminal.set_fault(Fault::TimeRefused);
    assert_eq!(
        said(&put(&terminal, TIME, &good).await),
        (403, "invalidOperation".to_owned())
    );
    terminal.clear_faults();
    terminal.set_fault(Fault::OffsetRefused);
    let offset = time_body("2026-03-02T12:01:30+01:00", "CST-1:00:00");
    assert_eq!(
        said(&put(&terminal, TIME, &offset).await),
        (400, "badXmlContent".to_owned())
    );
    assert_eq!(put(&terminal, TIME, &good).await.status, 200);
}

#[tokio::test]
async fn clocks_jump_and_serials_begin_again_once() {
    let terminal = start(entrance().events(punches(2))).await;
    terminal.set_fault("clock-jump=-12h".parse::<Fault>().unwrap().after(1));
    assert_eq!(shown(&terminal).await.0, "2026-03-02T12:00:00+01:00");
    assert_eq!(shown(&terminal).await.0, "2026-03-02T00:00:00+01:00");
    assert_eq!(shown(&terminal).await.0, "2026-03-02T00:00:00+01:00");
    let sync = page(&terminal, 0, json!({"major": 3})).await["InfoList"][0].clone();
    assert_eq!(
        (&sync["minor"], &sync["serialNo"]),
        (&json!(1029), &json!(3))
    );

    terminal.set_fault(Fault::SerialReset);
    assert_eq!(page(&terminal, 0, json!({})).await["totalMatches"], 0);
    assert_eq!(terminal.punch("1042", noon()), 1);
    assert_eq!(serials(&page(&terminal, 0, json!({})).await), [1]);
}

#[tokio::test]
async fn the_door_opens_and_leaves_its_rows() {
    let terminal = start(entrance()).await;
    assert_eq!(
        said(&put(&terminal, DOOR, OPEN).await),
        (200, "ok".to_owned())
    );
    let json = r#"{"RemoteControlDoor":{"cmd":"alwaysOpen"}}"#;
    let target = format!("{DOOR}?format=json");
    assert_eq!(
        said(&put(&terminal, &target, json).await),
        (200, "ok".to_owned())
    );
    assert_eq!(terminal.door_commands(), ["open", "alwaysOpen"]);
    let rows = page(&terminal, 0, json!({"major": 0})).await["InfoList"].clone();
    let codes: Vec<_> = rows
        .as_array()
        .unwrap()
        .iter()
        .map(|row| (&row["major"], &row["minor"]))
        .collect();
    assert_eq!(codes, [(&json!(3), &json!(1024)), (&json!(5), &json!(21))]);
    let status = get(&terminal, "/ISAPI/AccessControl/AcsWorkStatus?format=json")
        .await
        .json();
    assert_eq!(status["AcsWorkStatus"]["doorStatus"], json!([2]));

    let wrong = OPEN.replace(">open<", ">smash<");
    assert_eq!(said(&put(&terminal, DOOR, &wrong).await).1, "badParameters");
    assert_eq!(
        said(&put(&terminal, &DOOR.replace("/1", "/2"), OPEN).await).1,
        "badParameters"
    );
    assert_eq!(said(&get(&terminal, DOOR).await).1, "methodNotAllowed");
    assert_eq!(terminal.door_commands().len(), 2);
}

#[tokio::test]
async fn an_account_may_lack_rights() {
    let low = (403, "lowPrivilege".to_owned());
    let terminal = start(entrance()).await;
    for right in ["log", "stream", "push", "people", "enrol", "door", "clock"] {
        terminal.clear_faults();
        terminal.set_fault(format!("lacks={right}").parse::<Fault>().unwrap());
        let condition = json!({"AcsEventCond": {"searchID": "a", "searchResultPosition": 0, "maxResults": 1, "major": 5, "minor": 0}});
        let refused = [
            (
                "log",
                said(&post(&terminal, SEARCH, &condition).await) == low,
            ),
            ("door", said(&put(&terminal, DOOR, OPEN).await) == low),
            (
                "clock",
                said(&put(&terminal, TIME, &time_body("2026-03-02T12:00:00", "CST-1")).await)
                    == low,
            ),
            (
                "people",
                said(&get(&terminal, "/ISAPI/AccessControl/UserInfo/Count?format=json").await)
                    == low,
            ),
        ];
        for (name, refused) in refused {
            assert_eq!(refused, name == right, "{name} without {right}");
        }
        assert_eq!(get(&terminal, INFO).await.status, 200);
    }
    terminal.clear_faults();
    terminal.set_fault(Fault::Lacks(Right::Stream));
    assert_eq!(
        said(&get(&terminal, "/ISAPI/Event/notification/alertStream").await),
        low
    );
}

#[tokio::test]
async fn a_unit_from_the_factory_says_so_to_everybody() {
    let terminal = start(entrance().fault(Fault::NotActivated)).await;
    let status = unsigned(&terminal, "GET", "/SDK/activateStatus").await;
    assert!(status.text().contains("<Activated>false</Activated>"));
    assert_eq!(
        said(&unsigned(&terminal, "GET", INFO).await),
        (403, "notActivated".to_owned())
    );
    terminal.clear_faults();
    let status = unsigned(&terminal, "GET", "/SDK/activateStatus").await;
    assert!(status.status == 200 && status.text().contains("<Activated>true</Activated>"));
}

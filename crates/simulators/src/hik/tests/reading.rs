//! Device information, the log, people, capabilities.

use super::*;

#[tokio::test]
async fn says_who_it_is_in_both_forms_of_the_serial_number() {
    let terminal = start(entrance().name("Gate <2>")).await;
    let full = "DS-K1T342MFX-E120250307V043800ENGB9637211";
    assert_eq!(
        (terminal.serial_number(), terminal.label_serial()),
        (full, "GB9637211")
    );
    let info = get(&terminal, INFO).await.text();
    assert!(info.contains(&format!("<serialNumber>{full}</serialNumber>")));
    assert!(info.contains("<deviceName>Gate &lt;2&gt;</deviceName>"));
    assert!(info.contains("<firmwareVersion>V4.38.0</firmwareVersion>"));

    let older = VirtualTerminal::new("J70368704", login(), stopped(noon()))
        .model("DS-K1T341AMF")
        .firmware("V3.2.30");
    assert_eq!(
        start(older).await.serial_number(),
        "DS-K1T341AMF20250307V030230ENJ70368704"
    );
    let oem = entrance().serial_number("4711");
    assert_eq!(start(oem).await.label_serial(), "4711");
}

#[tokio::test]
async fn shows_the_time_of_its_own_clock() {
    let terminal = start(entrance().zone_notation(ZoneNotation::Short)).await;
    let time = get(&terminal, "/ISAPI/System/time").await.text();
    assert!(
        time.contains(
            "<localTime>2026-03-02T12:00:00+01:00</localTime>\n<timeZone>CST-1</timeZone>"
        )
    );
    terminal.set_clock(stopped(
        "2026-03-01T22:35:56+05:30[Asia/Kolkata]".parse().unwrap(),
    ));
    let time = get(&terminal, "/ISAPI/System/time").await.text();
    assert!(time.contains(
        "<localTime>2026-03-01T22:35:56+05:30</localTime>\n<timeZone>CST-5:30</timeZone>"
    ));
}

#[tokio::test]
async fn pages_hold_what_the_firmware_allows_and_lose_nothing() {
    let terminal = start(entrance().events(punches(70)).first_serial(2_999_999_000)).await;
    let mut seen = Vec::new();
    for expected in ["MORE", "MORE", "OK"] {
        let page = page(&terminal, seen.len(), json!({ "maxResults": 50 })).await;
        assert_eq!(
            (&page["responseStatusStrg"], &page["totalMatches"]),
            (&json!(expected), &json!(70))
        );
        assert_eq!(page["numOfMatches"], serials(&page).len());
        seen.extend(serials(&page));
    }
    assert_eq!(seen, (2_999_999_000..2_999_999_070).collect::<Vec<u64>>());

    let empty = start(
        entrance()
            .events(punches(70))
            .page_cap(10)
            .over_cap(OverCap::Empty),
    )
    .await;
    assert!(serials(&page(&empty, 0, json!({})).await).is_empty());
    assert_eq!(
        serials(&page(&empty, 0, json!({ "maxResults": 10 })).await).len(),
        10
    );
}

#[tokio::test]
async fn nothing_found_has_no_list() {
    let terminal = start(entrance()).await;
    let answer = page(&terminal, 0, json!({})).await;
    let expected = json!({"searchID": "bb94da74", "responseStatusStrg": "NO MATCH", "numOfMatches": 0, "totalMatches": 0});
    assert_eq!(answer, expected);
}

#[tokio::test]
async fn conditions_choose_rows() {
    let events = [
        Event::new(3, 1029, at(7, 59)),
        Event::card("1042", at(8, 0)).status("checkIn"),
        Event::fingerprint("7", at(8, 1)).verify_mode("cardOrFaceOrFp"),
        Event::face("007", at(8, 2)),
        Event::new(5, 76, at(8, 3)).employee("0"),
        Event::new(5, 21, at(8, 4)),
        Event::face("1042", at(7, 30)),
    ];
    let terminal = start(entrance().events(events)).await;
    async fn check(terminal: &RunningTerminal, cond: Value, expected: &[u64]) {
        assert_eq!(
            serials(&page(terminal, 0, cond.clone()).await),
            expected,
            "{cond}"
        );
        let mut total = json!({"major": 5, "minor": 0});
        total
            .as_object_mut()
            .unwrap()
            .extend(cond.as_object().unwrap().clone());
        let total = json!({ "AcsEventTotalNumCond": total });
        let answer = post(
            terminal,
            "/ISAPI/AccessControl/AcsEventTotalNum?format=json",
            &total,
        )
        .await;
        assert_eq!(
            answer.json(),
            json!({"AcsEventTotalNum": {"totalNum": expected.len()}})
        );
    }
    check(&terminal, json!({}), &[2, 3, 4, 5, 6, 7]).await;
    check(&terminal, json!({"major": 0}), &[1, 2, 3, 4, 5, 6, 7]).await;
    check(&terminal, json!({"major": 3}), &[1]).await;
    check(&terminal, json!({"minor": 75}), &[4, 7]).await;
    check(
        &terminal,
        json!({"beginSerialNo": 3, "endSerialNo": 5}),
        &[3, 4, 5],
    )
    .await;
    check(&terminal, json!({"beginSerialNo": 9}), &[]).await;
    check(
        &terminal,
        json!({"beginSerialNo": 5, "endSerialNo": 3}),
        &[],
    )
    .await;
    // Both ends belong to the window; any offset names the same instant.
    let window =
        json!({"startTime": "2026-03-02T08:00:00+01:00", "endTime": "2026-03-02T07:02:00Z"});
    check(&terminal, window, &[2, 3, 4]).await;
    check(&terminal, json!({"startTime": "2026-03-02T08:04:00"}), &[6]).await;
    check(&terminal, json!({"employeeNoString": "7"}), &[3]).await;
    check(&terminal, json!({"cardNo": "0012345678"}), &[2]).await;
    check(
        &terminal,
        json!({"timeReverseOrder": true}),
        &[7, 6, 5, 4, 3, 2],
    )
    .await;

    let rows =
        page(&terminal, 0, json!({"beginSerialNo": 2, "endSerialNo": 6})).await["InfoList"].clone();
    assert_eq!(
        rows[0],
        json!({"major": 5, "minor": 1, "time": "2026-03-02T08:00:00+01:00", "cardNo": "0012345678", "cardType": 1,
            "name": "Aziza K.", "cardReaderNo": 1, "doorNo": 1, "employeeNoString": "1042", "serialNo": 2,
            "userType": "normal", "currentVerifyMode": "cardOrFace", "attendanceStatus": "checkIn", "label": "",
            "statusValue": 0, "mask": "no"})
    );
    assert_eq!(
        (&rows[1]["currentVerifyMode"], &rows[1]["name"]),
        (&json!("cardOrFaceOrFp"), &Value::Null)
    );
    assert_eq!(
        (&rows[2]["attendanceStatus"], &rows[3]["employeeNoString"]),
        (&json!("undefined"), &json!("0"))
    );
    assert_eq!(
        rows[4],
        json!({"major": 5, "minor": 21, "time": "2026-03-02T08:04:00+01:00", "doorNo": 1, "serialNo": 6,
            "currentVerifyMode": "invalid", "mask": "unknown"})
    );
}

#[tokio::test]
async fn firmware_habits_show_in_rows_and_searches() {
    let plain = start(
        entrance()
            .events(punches(3))
            .attendance_mode(false)
            .ignores_serials(),
    )
    .await;
    let answer = page(&plain, 0, json!({"beginSerialNo": 3, "endSerialNo": 3})).await;
    assert_eq!(serials(&answer), [1, 2, 3]);
    assert!(answer["InfoList"][0].get("attendanceStatus").is_none());

    let window =
        json!({"startTime": "2026-03-02T08:01:00+00:00", "endTime": "2026-03-02T08:01:00+01:00"});
    for (notation, expected) in [
        (TimeNotation::Bare, "2026-03-02T08:01:00"),
        (TimeNotation::WallMarkedUtc, "2026-03-02T08:01:00+00:00"),
    ] {
        let terminal = start(entrance().events(punches(3)).time_notation(notation)).await;
        let answer = page(&terminal, 0, window.clone()).await;
        assert_eq!(
            (serials(&answer), &answer["InfoList"][0]["time"]),
            (vec![2], &json!(expected))
        );
    }

    let keeping = start(entrance().events(punches(3)).keeps_searches()).await;
    assert_eq!(
        serials(&page(&keeping, 0, json!({"minor": 75})).await),
        [1, 2, 3]
    );
    keeping.punch("1042", at(9, 0));
    assert_eq!(
        serials(&page(&keeping, 0, json!({"minor": 1})).await),
        [1, 2, 3]
    );
    assert_eq!(
        serials(&page(&keeping, 0, json!({"searchID": "other"})).await),
        [1, 2, 3, 4]
    );
}

#[tokio::test]
async fn wrong_questions_get_the_answers_of_real_firmware() {
    let terminal = start(entrance().events(punches(1))).await;
    async fn check(
        terminal: &RunningTerminal,
        method: &str,
        target: &str,
        body: &str,
        expected: (u16, u64, &str),
    ) {
        let answer = response(&signed_bytes(terminal, &login(), method, target, body).await);
        let (code, sub) = if target.contains("format=json") {
            let json = answer.json();
            (
                json["statusCode"].as_u64().unwrap(),
                json["subStatusCode"].as_str().unwrap().to_owned(),
            )
        } else {
            let text = answer.text();
            let field = |name: &str| {
                let from = text.find(&format!("<{name}>")).unwrap() + name.len() + 2;
                text[from..].split('<').next().unwrap().to_owned()
            };
            (field("statusCode").parse().unwrap(), field("subStatusCode"))
        };
        assert_eq!(
            (answer.status, code, sub.as_str()),
            expected,
            "{method} {target} {body}"
        );
    }
    let ok = r#"{"AcsEventCond":{"searchID":"a","searchResultPosition":0,"maxResults":30,"major":5,"minor":0}}"#;
    for path in [
        "/ISAPI/AccessControl/Attendance",
        "/ISAPI/Event/triggers",
        "/ISAPI/event/notification/alertStream",
    ] {
        check(&terminal, "GET", path, "", (403, 4, "notSupport")).await;
        check(
            &terminal,
            "GET",
            &format!("{path}?format=json"),
            "",
            (403, 4, "notSupport"),
        )
        .await;
    }
    check(&terminal, "GET", SEARCH, "", (405, 4, "methodNotAllowed")).await;
    check(&terminal, "PUT", INFO, "", (405, 4, "methodNotAllowed")).await;
    check(
        &terminal,
        "POST",
        SEARCH,
        "<AcsEventCond/>",
        (400, 5, "badJsonFormat"),
    )
    .await;
    check(
        &terminal,
        "POST",
        "/ISAPI/AccessControl/AcsEvent",
        ok,
        (400, 5, "badXmlFormat"),
    )
    .await;
    for field in [
        "searchID",
        "searchResultPosition",
        "maxResults",
        "major",
        "minor",
    ] {
        let lacks = ok.replace(field, "unknown");
        check(
            &terminal,
            "POST",
            SEARCH,
            &lacks,
            (400, 6, "MessageParametersLack"),
        )
        .await;
    }
    for (good, bad) in [
        ("\"maxResults\":30", "\"maxResults\":0"),
        ("\"maxResults\":30", "\"maxResults\":\"30\""),
        ("\"searchID\":\"a\"", "\"searchID\":\"\""),
        ("\"minor\":0", "\"minor\":0,\"startTime\":\"2026-03-02\""),
        (
            "\"minor\":0",
            "\"minor\":0,\"startTime\":\"2026-02-30T00:00:00+01:00\"",
        ),
        ("\"minor\":0", "\"minor\":0,\"beginSerialNo\":0"),
    ] {
        assert!(ok.contains(good));
        check(
            &terminal,
            "POST",
            SEARCH,
            &ok.replace(good, bad),
            (400, 6, "badParameters"),
        )
        .await;
    }
    assert_eq!(get(&terminal, "/index.asp").await.status, 404);
    let last = terminal.asked().pop().unwrap();
    assert_eq!(
        (last.method.as_str(), last.target.as_str(), last.status),
        ("GET", "/index.asp", 404)
    );
}

#[tokio::test]
async fn some_firmware_refuses_in_xml_what_was_asked_in_json() {
    let terminal = start(entrance().refuses_in_xml()).await;
    let answer = get(&terminal, SEARCH).await;
    assert_eq!(answer.status, 405);
    let text = answer.text();
    assert!(text.contains("<requestURL>/ISAPI/AccessControl/AcsEvent?format=json</requestURL>"));
    assert!(text.contains("<subStatusCode>methodNotAllowed</subStatusCode>"));
    // A good question is answered as before.
    assert_eq!(page(&terminal, 0, json!({})).await["totalMatches"], 0);
}

#[tokio::test]
async fn people_and_cards_are_listed_by_pages() {
    let terminal = start(entrance().page_cap(2)).await;
    terminal.add_user(User::new("7", "Bo"));
    terminal.add_user(User::new("007", "Cy").card("12").user_type("visitor"));
    let count = get(&terminal, "/ISAPI/AccessControl/UserInfo/Count?format=json")
        .await
        .json();
    assert_eq!(count["UserInfoCount"]["userNumber"], 3);

    let users = "/ISAPI/AccessControl/UserInfo/Search?format=json";
    let cond = |position: u32| json!({"UserInfoSearchCond": {"searchID": "a", "searchResultPosition": position, "maxResults": 30}});
    let first = post(&terminal, users, &cond(0)).await.json()["UserInfoSearch"].clone();
    assert_eq!(
        (&first["responseStatusStrg"], &first["totalMatches"]),
        (&json!("MORE"), &json!(3))
    );
    assert_eq!(
        (
            &first["UserInfo"][0]["employeeNo"],
            &first["UserInfo"][0]["numOfCard"]
        ),
        (&json!("1042"), &json!(1))
    );
    let last = post(&terminal, users, &cond(2)).await.json()["UserInfoSearch"].clone();
    assert_eq!(
        (
            &last["responseStatusStrg"],
            &last["UserInfo"][0]["userType"]
        ),
        (&json!("OK"), &json!("visitor"))
    );
    let mut one = cond(0);
    one["UserInfoSearchCond"]["EmployeeNoList"] = json!([{"employeeNo": "7"}]);
    let one = post(&terminal, users, &one).await.json()["UserInfoSearch"].clone();
    assert_eq!(
        (&one["totalMatches"], &one["UserInfo"][0]["name"]),
        (&json!(1), &json!("Bo"))
    );

    let cards = json!({"CardInfoSearchCond": {"searchID": "a", "searchResultPosition": 0, "maxResults": 30}});
    let cards = post(
        &terminal,
        "/ISAPI/AccessControl/CardInfo/Search?format=json",
        &cards,
    )
    .await
    .json();
    assert_eq!(
        cards["CardInfoSearch"]["CardInfo"],
        json!([{"employeeNo": "1042", "cardNo": "0012345678", "cardType": "normalCard"},
            {"employeeNo": "007", "cardNo": "12", "cardType": "normalCard"}])
    );
    assert!(terminal.remove_user("1042"));
    let count = get(&terminal, "/ISAPI/AccessControl/CardInfo/Count?format=json")
        .await
        .json();
    assert_eq!(count["CardInfoCount"]["cardNumber"], 1);
}

#[tokio::test]
async fn capabilities_announce_the_page_size() {
    let terminal = start(
        entrance()
            .page_cap(10)
            .announced_page_cap(30)
            .ignores_serials(),
    )
    .await;
    let events = get(
        &terminal,
        "/ISAPI/AccessControl/AcsEvent/capabilities?format=json",
    )
    .await
    .json();
    let cond = &events["AcsEvent"]["AcsEventCond"];
    assert_eq!(
        (&cond["maxResults"]["@max"], cond.get("beginSerialNo")),
        (&json!(30), None)
    );
    let xml = get(&terminal, "/ISAPI/AccessControl/capabilities")
        .await
        .text();
    assert!(xml.contains("<isSupportAcsEvent>true</isSupportAcsEvent>"));
    let check = get(&terminal, "/ISAPI/Security/userCheck").await.text();
    assert!(check.contains("<statusValue>200</statusValue>"));
}

#[tokio::test]
async fn events_come_while_it_runs_and_serials_begin_again() {
    let terminal = start(entrance().events(punches(2)).noise(3)).await;
    assert_eq!(terminal.event_count(), 8);
    assert_eq!(terminal.punch("1042", noon()), 10);
    let answer = page(&terminal, 0, json!({"minor": 75})).await;
    assert_eq!(serials(&answer), [2, 6, 10]);
    assert_eq!(answer["InfoList"][2]["time"], "2026-03-02T12:00:00+01:00");
    terminal.reset_serials();
    assert_eq!(
        page(&terminal, 0, json!({})).await["responseStatusStrg"],
        "NO MATCH"
    );
    assert_eq!(terminal.push(Event::new(3, 1031, at(12, 0))), 1);
}

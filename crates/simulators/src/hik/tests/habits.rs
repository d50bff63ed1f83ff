//! What some firmware always does, and the rest of what goes wrong in the field.

use super::stream::Listener;
use super::*;

async fn with(habit: &str) -> RunningTerminal {
    let habit: Habit = habit.parse().unwrap();
    assert_eq!(
        habit.to_string().parse::<Habit>().unwrap().to_string(),
        habit.to_string()
    );
    start(habit.set(entrance().events(punches(12)))).await
}

#[tokio::test]
async fn habits_go_by_names() {
    let error = "sundial".parse::<Habit>().unwrap_err().to_string();
    assert!(error.starts_with("no such habit: sundial; known are sha256, "));
    let challenge = unsigned(&with("sha256").await, "GET", INFO).await;
    assert!(challenge.challenges()[0].contains("SHA-256"));
    let challenge = unsigned(&with("basic").await, "GET", INFO).await;
    assert!(challenge.challenges()[0].starts_with("Basic "));
    assert_eq!(
        serials(&page(&with("pages-of-ten").await, 0, json!({})).await).len(),
        10
    );
    let marked = page(&with("times-marked-utc").await, 0, json!({})).await;
    assert_eq!(marked["InfoList"][0]["time"], "2026-03-02T08:00:00+00:00");
}

#[tokio::test]
async fn nonces_may_last_for_a_time_and_staleness_be_said_in_each_way() {
    async fn second(staleness: Staleness, form: ChallengeForm) -> (u16, String) {
        let terminal = entrance()
            .nonces(Nonces::Lasting { seconds: 60 })
            .staleness(staleness);
        let terminal = start(terminal.challenge_form(form)).await;
        let challenge = unsigned(&terminal, "GET", INFO).await;
        let ask = async |count| {
            let authorization = sign(&login(), challenge.challenges()[0], "GET", INFO, count);
            response(&exchange(&terminal, &request("GET", INFO, Some(&authorization), "")).await)
        };
        assert_eq!(ask(1).await.status, 200);
        terminal.set_clock(stopped(noon() + 59.seconds()));
        assert_eq!(ask(2).await.status, 200);
        terminal.set_clock(stopped(noon() + 60.seconds()));
        let answer = ask(3).await;
        assert_eq!(terminal.counts().refused_sign_ins, 0);
        let stale = parse_digest(answer.challenges()[0])
            .unwrap()
            .remove("stale");
        (answer.status, stale.unwrap_or_default())
    }
    for (staleness, form, expected) in [
        (Staleness::Said, ChallengeForm::Terminal, "true"),
        (Staleness::Said, ChallengeForm::Quoted, "TRUE"),
        (Staleness::Denied, ChallengeForm::Terminal, "false"),
        (Staleness::Denied, ChallengeForm::Camera, "FALSE"),
        (Staleness::Omitted, ChallengeForm::Terminal, ""),
        (Staleness::Omitted, ChallengeForm::Camera, ""),
    ] {
        assert_eq!(second(staleness, form).await, (401, expected.to_owned()));
    }
}

#[tokio::test]
async fn wrong_passwords_are_answered_in_each_shape() {
    let wrong = Login::new("operator", "guess");
    for (habit, says) in [
        (
            "refuses-with-page",
            "<title>Document Error: Unauthorized</title>",
        ),
        (
            "refuses-with-status",
            "<retryLoginTime>4</retryLoginTime>\n</ResponseStatus>",
        ),
    ] {
        let terminal = with(habit).await;
        let answer = response(&signed_bytes(&terminal, &wrong, "GET", INFO, "").await);
        assert_eq!((answer.status, answer.challenges().len()), (401, 1));
        assert!(answer.text().contains(says), "{habit}");
    }
}

#[tokio::test]
async fn an_oem_unit_has_each_punch_twice() {
    let terminal = start(entrance().twins().noise(2)).await;
    assert_eq!(terminal.punch("1042", at(8, 0)), 2);
    let rows = page(&terminal, 0, json!({"minor": 75})).await["InfoList"].clone();
    let shown: Vec<_> = rows
        .as_array()
        .unwrap()
        .iter()
        .map(|row| (row["serialNo"].as_u64(), row["time"].as_str()))
        .collect();
    assert_eq!(
        shown,
        [
            (Some(2), Some("2026-03-02T08:00:00+01:00")),
            (Some(3), Some("2026-03-02T09:00:00+01:00"))
        ]
    );
}

#[tokio::test]
async fn only_one_connection_is_served_at_a_time() {
    let terminal = start(entrance().keeps_alive().fault(Fault::OneConnection)).await;
    let mut first = TcpStream::connect(terminal.addr()).await.unwrap();
    first
        .write_all(request("GET", INFO, None, "").as_bytes())
        .await
        .unwrap();
    assert!(first.read(&mut [0; 4096]).await.unwrap() > 0);
    let mut second = TcpStream::connect(terminal.addr()).await.unwrap();
    second
        .write_all(request("GET", INFO, None, "").as_bytes())
        .await
        .unwrap();
    let mut bytes = [0; 4096];
    assert!(
        timeout(Duration::from_millis(100), second.read(&mut bytes))
            .await
            .is_err()
    );
    drop(first);
    let read = timeout(Duration::from_secs(5), second.read(&mut bytes))
        .await
        .unwrap();
    assert!(read.unwrap() > 0);
    assert_eq!(terminal.counts().most_at_once, 1);
    // A stream is no such connection.
    let terminal = start(entrance().fault(Fault::OneConnection)).await;
    let stream = "/ISAPI/Event/notification/alertStream?deployID=1";
    let _listener = Listener::open(&terminal, stream).await;
    assert_eq!(get(&terminal, INFO).await.status, 200);
}

#[tokio::test]
async fn too_many_challenges_exhaust_a_terminal_until_it_starts_again() {
    let terminal = start(entrance().fault(Fault::Challenges(2))).await;
    let challenge = unsigned(&terminal, "GET", INFO).await;
    unsigned(&terminal, "GET", INFO).await;
    let exhausted = unsigned(&terminal, "GET", INFO).await;
    assert_eq!((exhausted.status, exhausted.challenges().len()), (401, 0));
    let authorization = sign(&login(), challenge.challenges()[0], "GET", INFO, 1);
    let signed = exchange(&terminal, &request("GET", INFO, Some(&authorization), "")).await;
    assert_eq!(response(&signed).status, 401);
    terminal.reboot().unwrap();
    assert_eq!(get(&terminal, INFO).await.status, 200);
}

#[tokio::test]
async fn any_sub_status_of_the_manuals_can_be_said() {
    for (sub, status, code) in [
        ("noMemory", 503, 2),
        ("searchDatabaseError", 500, 3),
        ("loginNumExceedLimit", 403, 4),
        ("noSearchIDResource", 400, 6),
        ("rebootRequired", 400, 7),
    ] {
        let terminal = start(entrance()).await;
        terminal.set_fault(format!("says={sub}").parse::<Fault>().unwrap());
        let answer = post(&terminal, SEARCH, &json!({})).await;
        assert_eq!(
            (answer.status, &answer.json()["statusCode"]),
            (status, &json!(code))
        );
        assert_eq!(said(&answer).1, sub);
    }
    assert!("says=nothing".parse::<Fault>().is_err());
}

#[tokio::test]
async fn types_are_wrong_and_pictures_gone() {
    let terminal = start(entrance().pictures(Pictures::Url).events(punches(1))).await;
    terminal.set_fault(Fault::WrongType.on(INFO));
    terminal.set_fault(Fault::PictureGone);
    let answer = get(&terminal, INFO).await;
    assert!(
        answer.head.contains("Content-Type: text/html") && answer.text().contains("<DeviceInfo")
    );
    let rows = page(&terminal, 0, json!({})).await["InfoList"].clone();
    let url = rows[0]["pictureURL"].as_str().unwrap();
    let (_, path) = url.split_once(&terminal.addr().to_string()).unwrap();
    assert_eq!(get(&terminal, path).await.status, 404);
}

#[tokio::test]
async fn a_search_brings_pictures_unless_it_says_no() {
    let events = punches(2).chain([Event::new(5, 21, at(9, 0))]);
    let terminal = start(
        entrance()
            .pictures(Pictures::Binary { bytes: 700 })
            .events(events),
    )
    .await;
    let cond = json!({"AcsEventCond": {"searchID": "a", "searchResultPosition": 0, "maxResults": 30, "major": 5, "minor": 0}});
    let answer = post(&terminal, SEARCH, &cond).await;
    assert!(
        answer
            .head
            .contains("Content-Type: multipart/form-data; boundary=MIME_boundary")
    );
    let text = String::from_utf8_lossy(&answer.body);
    assert!(text.starts_with("--MIME_boundary\r\nContent-Type: application/json\r\n"));
    assert_eq!(
        text.matches("Content-Type: image/jpeg\r\nContent-Length: 700\r\n")
            .count(),
        2
    );
    assert!(
        text.contains("\"filename\":\t\"picture2\"") && text.contains("filename=\"picture2\"\r\n")
    );
    assert!(!text.contains("picture3"));
    let rows = page(&terminal, 0, json!({"picEnable": false})).await;
    assert_eq!(
        (serials(&rows), rows["InfoList"][0].get("filename")),
        (vec![1, 2, 3], None)
    );
}

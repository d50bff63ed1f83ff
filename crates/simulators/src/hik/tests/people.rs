//! People, cards and faces as they are written.

use super::*;

const USER: &str = "/ISAPI/AccessControl/UserInfo/";
const CARD: &str = "/ISAPI/AccessControl/CardInfo/";
const FACE: &str = "/ISAPI/Intelligent/FDLib/";

/// Sends JSON to `path` and returns what is said to it.
async fn send(terminal: &RunningTerminal, method: &str, path: &str, body: &Value) -> (u16, String) {
    let sign = if path.contains('?') { '&' } else { '?' };
    let target = format!("{path}{sign}format=json");
    let bytes = signed_bytes(terminal, &login(), method, &target, &body.to_string()).await;
    said(&response(&bytes))
}

fn ok() -> (u16, String) {
    (200, "ok".to_owned())
}

fn refused(sub: &str) -> (u16, String) {
    (400, sub.to_owned())
}

fn person(number: &str, name: &str) -> Value {
    json!({"UserInfo": {"employeeNo": number, "name": name, "userType": "normal",
        "Valid": {"enable": true, "beginTime": "2026-01-01T00:00:00", "endTime": "2030-12-31T23:59:59", "timeType": "local"},
        "doorRight": "1", "RightPlan": [{"doorNo": 1, "planTemplateNo": "1"}]}})
}

/// The person as the list of people shows them.
async fn listed(terminal: &RunningTerminal, number: &str) -> Value {
    let cond = json!({"UserInfoSearchCond": {"searchID": "a", "searchResultPosition": 0, "maxResults": 30,
        "EmployeeNoList": [{"employeeNo": number}]}});
    let answer = post(terminal, &format!("{USER}Search?format=json"), &cond)
        .await
        .json();
    answer["UserInfoSearch"]["UserInfo"][0].clone()
}

fn numbers(terminal: &RunningTerminal) -> Vec<String> {
    terminal
        .users()
        .into_iter()
        .map(|user| user.employee_no)
        .collect()
}

#[tokio::test]
async fn people_are_enrolled_changed_and_set_up() {
    let terminal = start(entrance()).await;
    let record = format!("{USER}Record");
    let modify = format!("{USER}Modify");
    let set_up = format!("{USER}SetUp");
    assert_eq!(
        send(&terminal, "POST", &record, &person("007", "Bo")).await,
        ok()
    );
    let shown = listed(&terminal, "007").await;
    assert_eq!(
        (
            &shown["name"],
            &shown["Valid"]["endTime"],
            &shown["numOfFace"]
        ),
        (&json!("Bo"), &json!("2030-12-31T23:59:59"), &json!(0))
    );
    let exists = post(
        &terminal,
        &format!("{record}?format=json"),
        &person("007", "Bo"),
    )
    .await;
    assert_eq!(
        (exists.status, exists.json()),
        (
            400,
            json!({"requestURL": "/ISAPI/AccessControl/UserInfo/Record?format=json", "statusCode": 6,
            "statusString": "Invalid Content", "subStatusCode": "employeeNoAlreadyExist", "errorCode": 1610637344,
            "errorMsg": "employeeNoAlreadyExist"})
        )
    );

    // What is not given stays.
    let name = json!({"UserInfo": {"employeeNo": "007", "name": "Bo B."}});
    assert_eq!(send(&terminal, "PUT", &modify, &name).await, ok());
    let shown = listed(&terminal, "007").await;
    assert_eq!(
        (&shown["name"], &shown["doorRight"]),
        (&json!("Bo B."), &json!("1"))
    );
    assert_eq!(
        send(&terminal, "POST", &modify, &name).await,
        (405, "methodNotAllowed".to_owned())
    );
    let missing = send(&terminal, "PUT", &modify, &person("7", "Cy")).await;
    assert_eq!(missing, refused("employeeNoNotExist"));
    let mut adding = person("7", "Cy");
    adding["UserInfo"]["addUser"] = json!(true);
    assert_eq!(send(&terminal, "PUT", &modify, &adding).await, ok());

    assert_eq!(
        send(&terminal, "PUT", &set_up, &person("8", "Di")).await,
        ok()
    );
    assert_eq!(
        send(&terminal, "PUT", &set_up, &person("8", "Dia")).await,
        ok()
    );
    assert_eq!(listed(&terminal, "8").await["name"], "Dia");
    let gone = json!({"UserInfo": {"employeeNo": "8", "deleteUser": true}});
    assert_eq!(send(&terminal, "PUT", &set_up, &gone).await, ok());
    assert_eq!(numbers(&terminal), ["1042", "007", "7"]);
}

#[tokio::test]
async fn what_cannot_be_enrolled_is_refused() {
    let terminal = start(entrance().people_capacity(2).digits_only()).await;
    let record = format!("{USER}Record");
    let with = |field: &str, value: Value| {
        let mut body = person("7", "Bo");
        body["UserInfo"][field] = value;
        body
    };
    for (body, expected) in [
        (with("employeeNo", json!("")), "illegalEmployeeNo"),
        (
            with("employeeNo", json!("1".repeat(33))),
            "illegalEmployeeNo",
        ),
        (with("employeeNo", json!("A7")), "illegalEmployeeNo"),
        (with("name", json!("x".repeat(129))), "badParameters"),
        (with("userType", json!("king")), "badParameters"),
        (
            with("Valid", json!({"endTime": "2038-01-01T00:00:00"})),
            "badParameters",
        ),
        (json!({"UserInfo": {"name": "Bo"}}), "MessageParametersLack"),
        (json!({"User": {}}), "MessageParametersLack"),
    ] {
        assert_eq!(
            send(&terminal, "POST", &record, &body).await,
            refused(expected),
            "{body}"
        );
    }
    assert_eq!(
        send(&terminal, "POST", &record, &person("7", "Bo")).await,
        ok()
    );
    let full = send(&terminal, "POST", &record, &person("8", "Cy")).await;
    assert_eq!(full, refused("deviceUserFull"));
    let capabilities = get(&terminal, "/ISAPI/AccessControl/capabilities")
        .await
        .text();
    assert!(capabilities.contains("<characterType opt=\"digit\">"));
}

#[tokio::test]
async fn an_empty_list_deletes_everybody() {
    let delete = format!("{USER}Delete");
    let everybody = ["1042", "7", "007"];
    let people = || entrance().users([User::new("7", "Bo"), User::new("007", "Cy")]);
    let terminal = start(people()).await;
    let one = json!({"UserInfoDelCond": {"EmployeeNoList": [{"employeeNo": "7"}]}});
    assert_eq!(send(&terminal, "PUT", &delete, &one).await, ok());
    assert_eq!(numbers(&terminal), ["1042", "007"]);
    for body in [
        json!({"UserInfoDelCond": {"EmployeeNoList": []}}),
        json!({"UserInfoDelCond": {}}),
    ] {
        let terminal = start(people()).await;
        assert_eq!(numbers(&terminal), everybody);
        assert_eq!(send(&terminal, "PUT", &delete, &body).await, ok());
        assert!(numbers(&terminal).is_empty(), "{body}");
    }
    let odd = json!({"UserInfoDelCond": {"EmployeeNoList": [{"employee": "7"}]}});
    let terminal = start(people()).await;
    assert_eq!(
        send(&terminal, "PUT", &delete, &odd).await,
        refused("badParameters")
    );
    assert_eq!(numbers(&terminal), everybody);
}

async fn process(terminal: &RunningTerminal) -> String {
    let target = "/ISAPI/AccessControl/UserInfoDetail/DeleteProcess?format=json";
    let json = get(terminal, target).await.json();
    json["UserInfoDetailDeleteProcess"]["status"]
        .as_str()
        .unwrap()
        .to_owned()
}

#[tokio::test]
async fn deleting_with_everything_takes_a_while() {
    let terminal = start(entrance().users([User::new("7", "Bo")])).await;
    let path = "/ISAPI/AccessControl/UserInfoDetail/Delete";
    let body =
        |list: Value| json!({"UserInfoDetail": {"mode": "byEmployeeNo", "EmployeeNoList": list}});
    let one = body(json!([{"employeeNo": "7"}]));
    terminal.set_fault(Fault::SlowDelete(2).times(1));
    assert_eq!(send(&terminal, "PUT", path, &one).await, ok());
    assert_eq!(process(&terminal).await, "processing");
    assert_eq!(numbers(&terminal), ["1042", "7"]);
    assert_eq!(process(&terminal).await, "processing");
    assert_eq!(process(&terminal).await, "success");
    assert_eq!(numbers(&terminal), ["1042"]);

    terminal.set_fault(Fault::DeleteFails);
    assert_eq!(
        send(
            &terminal,
            "PUT",
            path,
            &body(json!([{"employeeNo": "1042"}]))
        )
        .await,
        ok()
    );
    assert_eq!(process(&terminal).await, "processing");
    assert_eq!(process(&terminal).await, "failed");
    assert_eq!(numbers(&terminal), ["1042"]);
    terminal.clear_faults();
    assert_eq!(send(&terminal, "PUT", path, &body(json!([]))).await, ok());
    process(&terminal).await;
    process(&terminal).await;
    assert!(numbers(&terminal).is_empty());
    let wrong = json!({"UserInfoDetail": {"mode": "some"}});
    assert_eq!(
        send(&terminal, "PUT", path, &wrong).await,
        refused("badParameters")
    );
}

#[tokio::test]
async fn firmware_writes_less_than_it_says() {
    let terminal = start(entrance()).await;
    let set_up = format!("{USER}SetUp");
    terminal.set_fault(Fault::WriteIgnored);
    assert_eq!(
        send(&terminal, "PUT", &set_up, &person("7", "Bo")).await,
        ok()
    );
    assert_eq!(numbers(&terminal), ["1042"]);
    // Reading goes on.
    assert_eq!(listed(&terminal, "1042").await["name"], "Aziza K.");
    terminal.clear_faults();
    terminal.set_fault(Fault::NameCut(4));
    assert_eq!(
        send(&terminal, "PUT", &set_up, &person("7", "Zoë Zo")).await,
        ok()
    );
    assert_eq!(listed(&terminal, "7").await["name"], "Zoë");
    terminal.clear_faults();
    terminal.set_fault(Fault::NoSetUp);
    let unknown = (403, "notSupport".to_owned());
    assert_eq!(
        send(&terminal, "PUT", &set_up, &person("8", "Cy")).await,
        unknown
    );
    let capabilities = get(&terminal, &format!("{USER}capabilities?format=json"))
        .await
        .json();
    assert_eq!(
        capabilities["UserInfo"]["supportFunction"]["@opt"],
        "post,delete,put,get"
    );
    terminal.set_fault(Fault::Full);
    let full = send(
        &terminal,
        "POST",
        &format!("{USER}Record"),
        &person("8", "Cy"),
    )
    .await;
    assert_eq!(full, refused("deviceUserFull"));
    terminal.set_fault(Fault::UserInfoList);
    let cond = json!({"UserInfoSearchCond": {"searchID": "a", "searchResultPosition": 0, "maxResults": 30, "fuzzySearch": "ziz"}});
    let answer = post(&terminal, &format!("{USER}Search?format=json"), &cond)
        .await
        .json();
    let list = answer["UserInfoSearch"]["UserInfoList"].as_array().unwrap();
    assert_eq!((list.len(), &list[0]["employeeNo"]), (1, &json!("1042")));
}

fn card(number: &str, card: &str) -> Value {
    json!({"CardInfo": {"employeeNo": number, "cardNo": card, "cardType": "normalCard"}})
}

#[tokio::test]
async fn cards_are_given_moved_and_taken() {
    let terminal = start(entrance().users([User::new("7", "Bo")])).await;
    let cards = || -> Vec<Vec<String>> {
        terminal
            .users()
            .into_iter()
            .map(|user| user.cards)
            .collect()
    };
    let (record, set_up) = (format!("{CARD}Record"), format!("{CARD}SetUp"));
    assert_eq!(
        send(&terminal, "POST", &record, &card("7", "Ab1")).await,
        ok()
    );
    assert_eq!(
        send(&terminal, "POST", &record, &card("7", "Ab1")).await,
        refused("cardNoAlreadyExist")
    );
    // Cards are case sensitive.
    assert_eq!(
        send(&terminal, "POST", &record, &card("7", "AB1")).await,
        ok()
    );
    assert_eq!(
        send(&terminal, "POST", &record, &card("9", "x")).await,
        refused("employeeNoNotExist")
    );
    assert_eq!(
        send(&terminal, "POST", &record, &card("7", &"1".repeat(21))).await,
        refused("badParameters")
    );
    assert_eq!(
        send(
            &terminal,
            "PUT",
            &format!("{CARD}Modify"),
            &card("7", "new")
        )
        .await,
        refused("badParameters")
    );
    assert_eq!(cards(), [vec!["0012345678"], vec!["Ab1", "AB1"]]);
    assert_eq!(
        send(
            &terminal,
            "PUT",
            &format!("{CARD}Modify"),
            &card("1042", "AB1")
        )
        .await,
        ok()
    );
    assert_eq!(cards(), [vec!["0012345678", "AB1"], vec!["Ab1"]]);
    for number in ["2", "3", "4", "5"] {
        assert_eq!(
            send(&terminal, "PUT", &set_up, &card("7", number)).await,
            ok()
        );
    }
    assert_eq!(
        send(&terminal, "PUT", &set_up, &card("7", "6")).await,
        refused("badParameters")
    );
    let cond = json!({"CardInfoSearchCond": {"searchID": "a", "searchResultPosition": 0, "maxResults": 30, "CardNoList": [{"cardNo": "AB1"}]}});
    let found = post(&terminal, &format!("{CARD}Search?format=json"), &cond)
        .await
        .json();
    assert_eq!(
        found["CardInfoSearch"]["CardInfo"],
        json!([{"employeeNo": "1042", "cardNo": "AB1", "cardType": "normalCard"}])
    );

    let delete = format!("{CARD}Delete");
    let by_card = json!({"CardInfoDelCond": {"CardNoList": [{"cardNo": "AB1"}]}});
    assert_eq!(send(&terminal, "PUT", &delete, &by_card).await, ok());
    let by_owner = json!({"CardInfoDelCond": {"EmployeeNoList": [{"employeeNo": "7"}]}});
    assert_eq!(send(&terminal, "PUT", &delete, &by_owner).await, ok());
    assert_eq!(cards(), [vec!["0012345678"], vec![]]);
    assert_eq!(
        send(&terminal, "PUT", &delete, &json!({"CardInfoDelCond": {}})).await,
        ok()
    );
    assert!(cards().concat().is_empty());
}

/// Sends a face as the manuals show it.
async fn upload(
    terminal: &RunningTerminal,
    method: &str,
    path: &str,
    number: &str,
    picture: &[u8],
) -> (u16, String) {
    let target = format!("{FACE}{path}?format=json");
    let challenge = unsigned(terminal, method, &target).await;
    let authorization = sign(&login(), challenge.challenges()[0], method, &target, 1);
    let mut body = format!(
        "--b7e1\r\nContent-Disposition: form-data; name=\"FaceDataRecord\"\r\nContent-Type: application/json\r\n\r\n\
         {{\"faceLibType\":\"blackFD\",\"FDID\":\"1\",\"FPID\":\"{number}\"}}\r\n--b7e1\r\n\
         Content-Disposition: form-data; name=\"FaceImage\"; filename=\"{number}.jpg\"\r\nContent-Type: image/jpeg\r\n\r\n"
    )
    .into_bytes();
    body.extend_from_slice(picture);
    body.extend_from_slice(b"\r\n--b7e1--\r\n");
    let head = format!(
        "{method} {target} HTTP/1.1\r\nHost: t\r\nAuthorization: {authorization}\r\n\
         Content-Type: multipart/form-data; boundary=b7e1\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    let mut stream = TcpStream::connect(terminal.addr()).await.unwrap();
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(&body).await.unwrap();
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).await.unwrap();
    said(&response(&bytes))
}

#[tokio::test]
async fn faces_are_enrolled_from_pictures_that_fit() {
    let people = [
        User::new("7", "Bo").without_face(),
        User::new("8", "Cy").without_face(),
    ];
    let terminal = start(entrance().users(people).people_capacity(3)).await;
    let picture = |bytes: usize| {
        let mut picture = b"\xff\xd8\xff\xe0".to_vec();
        picture.resize(bytes, 7);
        picture
    };
    let record = "FaceDataRecord";
    for (number, picture, expected) in [
        ("9", picture(100), "deviceUserNotExist"),
        ("7", picture(200 * 1024 + 1), "pictureSizeExceedLimit"),
        ("7", b"\x89PNG".to_vec(), "SubpicAnalysisModelingError"),
        ("1042", picture(100), "deviceUserAlreadyExistFace"),
    ] {
        assert_eq!(
            upload(&terminal, "POST", record, number, &picture).await,
            refused(expected)
        );
    }
    assert_eq!(
        upload(&terminal, "POST", record, "7", &picture(200 * 1024)).await,
        ok()
    );
    assert_eq!(
        upload(&terminal, "PUT", "FDSetUp", "7", &picture(300)).await,
        ok()
    );
    assert_eq!(
        terminal.users()[1].face.as_deref(),
        Some(picture(300).as_slice())
    );
    assert_eq!(listed(&terminal, "7").await["numOfFace"], 1);
    terminal.set_fault(Fault::FaceScore.times(1));
    assert_eq!(
        upload(&terminal, "POST", record, "8", &picture(100)).await,
        refused("faceScoreFailure")
    );
    terminal.set_fault(Fault::Full.times(1));
    assert_eq!(
        upload(&terminal, "POST", record, "8", &picture(100)).await,
        refused("deviceFaceFull")
    );
}

#[tokio::test]
async fn faces_are_found_and_deleted() {
    let terminal =
        start(entrance().users([User::new("7", "Bo"), User::new("8", "Cy").without_face()])).await;
    let search = async |number: Option<&str>| {
        let mut cond = json!({"searchResultPosition": 0, "maxResults": 30, "faceLibType": "blackFD", "FDID": "1"});
        if let Some(number) = number {
            cond["FPID"] = json!(number);
        }
        post(&terminal, &format!("{FACE}FDSearch?format=json"), &cond)
            .await
            .json()
    };
    assert_eq!(search(None).await["totalMatches"], 2);
    let one = search(Some("7")).await;
    assert_eq!(
        (&one["responseStatusStrg"], &one["MatchList"][0]["FPID"]),
        (&json!("OK"), &json!("7"))
    );
    let url = one["MatchList"][0]["faceURL"].as_str().unwrap();
    let (_, path) = url.split_once(&terminal.addr().to_string()).unwrap();
    assert!(get(&terminal, path).await.body.starts_with(b"\xff\xd8\xff"));
    let nobody = search(Some("8")).await;
    assert_eq!(
        (&nobody["responseStatusStrg"], nobody.get("MatchList")),
        (&json!("NO MATCHES"), None)
    );

    let delete = format!("{FACE}FDSearch/Delete?FDID=1&faceLibType=blackFD");
    assert_eq!(
        send(
            &terminal,
            "PUT",
            &delete,
            &json!({"FPID": [{"value": "7"}]})
        )
        .await,
        ok()
    );
    assert_eq!(search(Some("7")).await["totalMatches"], 0);
    assert_eq!(search(None).await["totalMatches"], 1);
    let other = format!("{FACE}FDSearch/Delete?FDID=2&faceLibType=blackFD");
    assert_eq!(
        send(&terminal, "PUT", &other, &json!({"FPID": []})).await,
        refused("badParameters")
    );
}

//! People, their import, the mapping inbox, roll calls and failures through the router: what they show, and what they do.

mod company;

use attendance::EmployeeId;
use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use store::accounts::Role;
use store::testing::author;

use crate::company::{Answer, Company, DAY, part, redacted};

fn snapshot(name: &str, html: &str) {
    redacted().bind(|| insta::assert_snapshot!(name, html));
}

impl Company {
    /// Follows the answer of a form to the page it leads to.
    async fn follow(&self, answer: Answer, cookie: &str) -> String {
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.body);
        let page = self
            .get(&answer.location.expect("a place"), Some(cookie))
            .await;
        assert_eq!(page.status, StatusCode::OK, "{}", page.body);
        page.body
    }

    async fn judged(&self) {
        self.engine.judge.drain().await.expect("days can be judged");
    }

    /// Sends a file as browsers do; `confirm` sends it as the text area of the second step.
    async fn upload(&self, file: &[u8], confirm: bool, cookie: &str) -> Answer {
        let mut body = Vec::new();
        let name = if confirm {
            "name=\"text\""
        } else {
            "name=\"file\"; filename=\"people.csv\""
        };
        body.extend(format!("--X\r\nContent-Disposition: form-data; {name}\r\n\r\n").as_bytes());
        body.extend(file);
        if confirm {
            body.extend(b"\r\n--X\r\nContent-Disposition: form-data; name=\"confirm\"\r\n\r\n1");
        }
        body.extend(b"\r\n--X--\r\n");
        let request = Request::post("/people/import")
            .header(header::HOST, "muster.test")
            .header("sec-fetch-site", "same-origin")
            .header(header::CONTENT_TYPE, "multipart/form-data; boundary=X");
        self.send(request, Body::from(body), Some(cookie)).await
    }
}

#[tokio::test]
async fn people_are_found_and_narrowed() {
    let company = Company::of_ten().await;
    company.state_is_fresh().await;
    let cookie = company.owner().await;
    let rows = async |query: &str| {
        let page = company.get(&format!("/people{query}"), Some(&cookie)).await;
        assert_eq!(page.status, StatusCode::OK);
        page.body.matches("<a class=\"who\"").count()
    };
    assert_eq!(rows("").await, 10);
    assert_eq!(rows("?q=imran").await, 1);
    assert_eq!(rows("?q=2003").await, 1, "the number on the terminals");
    assert_eq!(rows("?q=nobody").await, 0);
    assert_eq!(rows("?department=999").await, 0);
    assert_eq!(
        rows("?page=7").await,
        10,
        "a page that does not exist is the last one"
    );
}

#[tokio::test]
async fn a_person_has_days_and_raw_punches() {
    let company = Company::of_ten().await;
    company.judged().await;
    company.state_is_fresh().await;
    let cookie = company.owner().await;
    let page = company.get("/people/CT-1007", Some(&cookie)).await;
    assert_eq!(page.status, StatusCode::OK);
    snapshot("days", &part(&page.body, "days"));
    snapshot("punches", &part(&page.body, "punches"));
    let missing = company.get("/people/CT-9999", Some(&cookie)).await;
    assert_eq!(missing.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn an_employee_is_added_and_edited() {
    let company = Company::of_ten().await;
    company.state_is_fresh().await;
    let cookie = company.owner().await;
    let form = "first_name=Rukhsana&last_name=Bibi&code=CT-1377&device_id=9999&department=Dyeing&employed_from=2026-05-04";
    let answer = company.post("/people/new", form, Some(&cookie)).await;
    let page = company.follow(answer, &cookie).await;
    assert!(page.contains("Rukhsana Bibi") && page.contains("Dyeing"));
    assert!(
        page.contains("Tue 12 May 09:15:49"),
        "the waiting punch of that number is hers"
    );

    let taken = company.post("/people/new", form, Some(&cookie)).await;
    assert_eq!(taken.status, StatusCode::OK);
    assert!(taken.body.contains("CT-1377 exists already"));
    assert!(
        taken.body.contains("value=\"Rukhsana\""),
        "what was typed is kept"
    );

    let answer = company
        .post(
            "/people/CT-1377/edit",
            "first_name=Rukhsana&last_name=Begum&code=CT-1378",
            Some(&cookie),
        )
        .await;
    assert_eq!(answer.location.as_deref(), Some("/people/CT-1378"));
    let edited = company
        .store
        .employee_by_code("CT-1378")
        .await
        .expect("read")
        .expect("kept");
    assert_eq!(
        (
            edited.fields.last_name.as_str(),
            edited.fields.device_user_id
        ),
        ("Begum", None)
    );
}

#[tokio::test]
async fn a_wrong_employee_is_shown_again_with_its_errors() {
    let company = Company::of_ten().await;
    company.state_is_fresh().await;
    let cookie = company.owner().await;
    let form = "code=new&email=nobody&employed_from=2026-05-04&employed_to=2026-04-01";
    let page = company.post("/people/new", form, Some(&cookie)).await;
    assert_eq!(page.status, StatusCode::OK);
    for error in [
        "This code is the address of a page",
        "Enter a name.",
        "Enter an e-mail address.",
        "The last day is before the first day.",
    ] {
        assert!(page.body.contains(error), "{error}");
    }
    assert_eq!(company.store.employees().await.expect("read").len(), 10);
}

#[tokio::test]
async fn an_import_is_checked_before_it_is_made() {
    let company = Company::of_ten().await;
    company.state_is_fresh().await;
    let cookie = company.owner().await;
    let file = b"code,first_name,last_name,department\nCT-1001,Asma,Jabeen,Stores\nCT-2000,Nabil,\"Saad, Dr\",Quality\n";
    let checked = company.upload(file, false, &cookie).await;
    assert_eq!(checked.status, StatusCode::OK, "{}", checked.body);
    snapshot("checked", &part(&checked.body, "checked"));
    assert_eq!(
        company.store.employees().await.expect("read").len(),
        10,
        "nothing is stored yet"
    );

    let done = company.upload(file, true, &cookie).await;
    assert!(
        done.body.contains("Done: 1 new, 1 changed, 0 unchanged."),
        "{}",
        done.body
    );
    assert_eq!(company.store.employees().await.expect("read").len(), 11);
}

#[tokio::test]
async fn a_file_with_mistakes_is_refused_with_their_lines() {
    let company = Company::of_ten().await;
    company.state_is_fresh().await;
    let cookie = company.owner().await;
    let unknown = company
        .upload(b"code,frist_name\n1,Ada\n", false, &cookie)
        .await;
    assert!(unknown.body.contains("Unknown column"), "{}", unknown.body);
    assert!(unknown.body.contains("frist_name") && unknown.body.contains("employed_to"));

    // Confirming does not store the good lines of a file with a bad one.
    let file = b"code,first_name,shift\n1,Ada,General\n2,Bo,Nights\n";
    for confirm in [false, true] {
        let page = company.upload(file, confirm, &cookie).await;
        let checked = part(&page.body, "checked");
        assert!(checked.contains("<td class=\"num\">3</td>"), "{checked}");
        assert!(
            checked.contains("there is no shift &#34;Nights&#34;"),
            "{checked}"
        );
    }
    assert_eq!(company.store.employees().await.expect("read").len(), 10);
}

#[tokio::test]
async fn a_mapping_says_what_it_changes_and_can_be_undone() {
    let company = Company::of_ten().await;
    company.judged().await;
    company.state_is_fresh().await;
    let cookie = company.owner().await;
    // Somebody without a number, whose name on the gate is only close.
    let huda = company.people[7];
    let tx = company.store.begin_write().await.expect("a transaction");
    let mut fields = company
        .store
        .employee(huda)
        .await
        .expect("read")
        .expect("kept")
        .fields;
    fields.device_user_id = None;
    tx.edit_employee(huda, &fields, author())
        .await
        .expect("edited");
    let listed = store::identity::ListedUser {
        user: "9999",
        name: "HUDA SALIM",
        admin: false,
        card: None,
    };
    tx.store_user_list(
        company.gate,
        &[listed],
        &std::collections::BTreeSet::new(),
        company.engine.clock.now(),
    )
    .await
    .expect("listed");
    tx.commit().await.expect("committed");
    company.judged().await;

    let page = company.get("/inbox", Some(&cookie)).await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(
        page.body
            .contains("One device user without a person. One punch is kept")
    );
    snapshot("choice", &part(&page.body, "choice"));

    let form = format!("device={}&user=9999&employee={}", company.gate.0, huda.0);
    let answer = company.post("/inbox/map", &form, Some(&cookie)).await;
    let page = company.follow(answer, &cookie).await;
    assert!(page.contains("Mapped to Huda Salem, one day changed."));
    assert!(page.contains("Every punch has its person."));
    company.judged().await;
    let row = company.get("/people/CT-1008", Some(&cookie)).await.body;
    assert!(part(&row, "days").contains("09:15"), "the punch counts");

    let answer = company.post("/inbox/undo", &form, Some(&cookie)).await;
    let page = company.follow(answer, &cookie).await;
    assert!(page.contains("The mapping is taken back.") && page.contains("Device user 9999"));
    company.judged().await;
    let row = company.get("/people/CT-1008", Some(&cookie)).await.body;
    assert!(!part(&row, "days").contains("09:15"), "it waits again");
    let audited = company.store.audit_entries(None, 2).await.expect("read");
    let actions: Vec<_> = audited.iter().map(|entry| entry.action.as_str()).collect();
    assert_eq!(actions, ["identity.unlink", "identity.link"]);
}

#[tokio::test]
async fn a_user_mapped_meanwhile_is_not_replaced_by_another() {
    let company = Company::of_ten().await;
    company.state_is_fresh().await;
    let cookie = company.owner().await;
    let jakob = company.people[9].0;
    let path = format!("/inbox?device={}&user=2007&who={jakob}", company.gate.0);
    let page = company.get(&path, Some(&cookie)).await.body;
    let choice = part(&page, "choice");
    assert!(
        choice.contains("Device user 2007 waits no more"),
        "{choice}"
    );
    assert!(!page.contains("action=\"/inbox/map\""), "nothing is chosen");
    assert!(page.contains("9999"), "the others still wait");
}

#[tokio::test]
async fn somebody_else_is_found_by_searching() {
    let company = Company::of_ten().await;
    company.state_is_fresh().await;
    let cookie = company.owner().await;
    let page = company.get("/inbox?q=lindgren", Some(&cookie)).await.body;
    assert!(
        page.contains("Jakob Lindgren") && !page.contains("Map to"),
        "found, not chosen"
    );
    let jakob = company.people[9].0;
    let page = company
        .get(&format!("/inbox?who={jakob}"), Some(&cookie))
        .await
        .body;
    assert!(page.contains("Map to Jakob Lindgren"));
}

#[tokio::test]
async fn a_roll_call_fills_what_no_terminal_saw_and_gives_way_to_one_that_did() {
    let company = Company::of_ten().await;
    company.judged().await;
    company.state_is_fresh().await;
    let cookie = company.owner().await;
    let (huda, imran) = (company.people[7], company.people[8]);
    let page = company.get("/rollcall/new", Some(&cookie)).await.body;
    assert!(page.contains("value=\"09:20\""), "now is proposed");
    for absent in [huda, imran] {
        assert!(page.contains(&format!("id=\"p-{}\"", absent.0)));
    }

    let form = format!(
        "date={DAY}&time=09:18&side=in&reason=Gate+2+has+no+power&person={}&person={}",
        huda.0, imran.0
    );
    let answer = company.post("/rollcall/new", &form, Some(&cookie)).await;
    let place = answer.location.clone().expect("a place");
    company.follow(answer, &cookie).await;
    company.judged().await;
    let called = part(&company.get(&place, Some(&cookie)).await.body, "called");
    assert!(called.contains("2 people called") && called.contains("0 of 2 seen"));
    assert_eq!(called.matches("st-present").count(), 2, "{called}");

    // The terminal comes back with an earlier punch.
    company.punch("2008", "2026-05-12T08:57:00").await;
    company.judged().await;
    snapshot(
        "called",
        &part(&company.get(&place, Some(&cookie)).await.body, "called"),
    );

    let voided = company
        .post(&format!("{place}/void"), "reason=wrong+day", Some(&cookie))
        .await;
    company.follow(voided, &cookie).await;
    company.judged().await;
    let called = part(&company.get(&place, Some(&cookie)).await.body, "called");
    assert_eq!(called.matches("taken back").count(), 2, "both stay visible");
    assert_eq!(
        called.matches("st-present").count(),
        1,
        "only the punch counts: {called}"
    );
}

#[tokio::test]
async fn a_roll_call_needs_people_a_time_and_a_reason() {
    let company = Company::of_ten().await;
    company.state_is_fresh().await;
    let cookie = company.owner().await;
    let refused = async |form: &str| {
        let page = company.post("/rollcall/new", form, Some(&cookie)).await;
        assert_eq!(page.status, StatusCode::OK, "{}", page.body);
        page.body
    };
    let nothing = refused(&format!("date={DAY}&reason=+&time=")).await;
    for error in [
        "Enter a time like 09:22.",
        "Enter a reason.",
        "Mark at least one person.",
    ] {
        assert!(nothing.contains(error), "{error}");
    }
    let one = company.people[7].0;
    let later = refused(&format!("date={DAY}&time=09:21&reason=power&person={one}")).await;
    assert!(later.contains("This time is still to come."));
    assert!(
        later.contains(&format!("value=\"{one}\" data-select-one checked")),
        "the mark is kept"
    );
    let nobody = refused(&format!("date={DAY}&time=09:00&reason=power&person=99999")).await;
    assert!(nobody.contains("Somebody marked is not employed on that day."));
    let said =
        company
            .store
            .corrections_of(EmployeeId(one), jiff::Timestamp::MIN, jiff::Timestamp::MAX);
    assert_eq!(said.await.expect("read").len(), 0);
}

#[tokio::test]
async fn another_list_of_a_roll_call_keeps_what_was_typed() {
    let company = Company::of_ten().await;
    company.state_is_fresh().await;
    let cookie = company.owner().await;
    let huda = company.people[7].0;
    let form = format!("filter=1&date={DAY}&time=09:11&side=out&reason=power&person={huda}");
    let page = company.post("/rollcall/new", &form, Some(&cookie)).await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(page.body.contains("value=\"power\"") && page.body.contains("value=\"09:11\""));
    assert!(
        page.body
            .contains(&format!("value=\"{huda}\" data-select-one checked"))
    );
    assert!(page.body.contains("Mark as left"));
    assert!(!page.body.contains("problems"), "nothing is refused yet");
}

#[tokio::test]
async fn a_file_that_is_too_large_is_called_so() {
    let company = Company::of_ten().await;
    company.state_is_fresh().await;
    let cookie = company.owner().await;
    let answer = company.upload(&vec![b'a'; 5 << 20], false, &cookie).await;
    assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert!(answer.body.contains("at most 4 MB"), "{}", answer.body);
}

#[tokio::test]
async fn failures_show_step_and_text() {
    let company = Company::of_ten().await;
    company.state_is_fresh().await;
    let cookie = company.owner().await;
    let page = company.get("/failures", Some(&cookie)).await;
    assert_eq!(page.status, StatusCode::OK);
    let failures = part(&page.body, "failures");
    assert!(
        failures.contains("Gate 2") && failures.contains("since 08:41"),
        "{failures}"
    );
    assert!(
        failures.contains("No connection to 192.0.2.1:4370."),
        "{failures}"
    );
}

#[tokio::test]
async fn who_may_not_does_not_see() {
    let company = Company::of_ten().await;
    company.state_is_fresh().await;
    let it = company.sign_in(&[Role::It]).await;
    for (path, status) in [
        ("/people", StatusCode::NOT_FOUND),
        ("/people/new", StatusCode::NOT_FOUND),
        ("/people/CT-1001", StatusCode::NOT_FOUND),
        ("/people/import", StatusCode::NOT_FOUND),
        ("/rollcall", StatusCode::NOT_FOUND),
        ("/rollcall/new", StatusCode::NOT_FOUND),
        ("/inbox", StatusCode::OK),
        ("/failures", StatusCode::OK),
    ] {
        assert_eq!(company.get(path, Some(&it)).await.status, status, "{path}");
    }
    let refused = company
        .post("/people/new", "code=1&first_name=Ada", Some(&it))
        .await;
    assert_eq!(refused.status, StatusCode::NOT_FOUND);
    let refused = company.upload(b"code\n1\n", true, &it).await;
    assert_eq!(refused.status, StatusCode::NOT_FOUND);
}

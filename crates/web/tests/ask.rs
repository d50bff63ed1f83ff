//! Closing a month, the days that need a decision, and what employees ask for, through the router: above all who sees what.

mod company;

use axum::http::StatusCode;
use store::accounts::Role;
use store::reports::ReportFields;
use store::testing::{author, bulk_reports, count_rows, report_fields, tamper};

use crate::company::{Company, account, manager, part, weaving};

/// The ten in April, with two days on which somebody came, one of which needs a decision.
async fn april() -> Company {
    let company = Company::of_ten().await;
    let mut rows = vec![
        (
            company.people[0],
            "2026-04-07".to_owned(),
            report_fields("present", "P"),
        ),
        (
            company.people[6],
            "2026-04-08".to_owned(),
            ReportFields {
                exceptions: "missing_out".into(),
                ..report_fields("present", "MO")
            },
        ),
    ];
    for person in &company.people {
        for day in 1..=30 {
            let off = (
                *person,
                format!("2026-04-{day:02}"),
                report_fields("weekly_off", "WO"),
            );
            if !rows[..2]
                .iter()
                .any(|(who, on, _)| (who, on) == (&off.0, &off.1))
            {
                rows.push(off);
            }
        }
    }
    let tx = company.store.begin_write().await.expect("a transaction");
    bulk_reports(&tx, &rows).await;
    tx.commit().await.expect("committed");
    tamper(&company.store, "DELETE FROM marked_days").await;
    company.state_is_fresh().await;
    company
}

#[tokio::test]
async fn a_month_with_something_open_closes_only_with_a_waiver() {
    let company = april().await;
    let cookie = company.owner().await;
    let page = company.get("/month/2026-04/close", Some(&cookie)).await;
    assert_eq!(page.status, StatusCode::OK, "{}", page.body);
    assert!(
        page.body.contains("1 thing is open. Decide it"),
        "{}",
        page.body
    );
    let refused = company
        .post(
            "/month/2026-04/close",
            "department=&waiver=+",
            Some(&cookie),
        )
        .await;
    assert_eq!(refused.status, StatusCode::OK);
    assert!(refused.body.contains("role=\"alert\""), "{}", refused.body);
    assert_eq!(count_rows(&company.store, "periods").await, 0);

    let form = "department=&waiver=payroll+cannot+wait";
    let closed = company
        .post("/month/2026-04/close", form, Some(&cookie))
        .await;
    assert_eq!(closed.location.as_deref(), Some("/month/2026-04/close"));
    let page = company
        .get("/month/2026-04/close", Some(&cookie))
        .await
        .body;
    let periods = part(&page, "periods");
    assert!(
        periods.contains("1 thing was open, waived: payroll cannot wait"),
        "{periods}"
    );
    for path in ["/month/2026-04", "/day/2026-04-07"] {
        let page = company.get(path, Some(&cookie)).await.body;
        assert!(
            page.contains("Closed on 12 May by Farhan."),
            "{path}: {page}"
        );
    }
    let open = company.get("/day/2026-05-11", Some(&cookie)).await.body;
    assert!(!open.contains("Closed on"), "another month is not closed");
    let again = company
        .post("/month/2026-04/close", form, Some(&cookie))
        .await;
    assert!(again.body.contains("It is closed."), "{}", again.body);
    assert_eq!(count_rows(&company.store, "periods").await, 1);
}

#[tokio::test]
async fn a_department_is_closed_alone_and_the_running_month_not_at_all() {
    let company = april().await;
    let cookie = company.owner().await;
    let weaving = weaving(&company).await;
    let form = format!("department={weaving}&waiver=");
    let closed = company
        .post("/month/2026-04/close", &form, Some(&cookie))
        .await;
    assert_eq!(
        closed.status,
        StatusCode::SEE_OTHER,
        "what is open elsewhere does not matter: {}",
        closed.body
    );
    let day = company.get("/day/2026-04-07", Some(&cookie)).await.body;
    assert!(
        day.contains("Weaving: Closed on 12 May by Farhan."),
        "{day}"
    );
    let all = company
        .get("/month/2026-04/close", Some(&cookie))
        .await
        .body;
    assert!(
        all.contains("What is still open"),
        "the other department is not closed"
    );
    let running = company
        .post(
            "/month/2026-05/close",
            "department=&waiver=x",
            Some(&cookie),
        )
        .await;
    assert!(running.body.contains("once its last day is over"));
    assert_eq!(count_rows(&company.store, "periods").await, 1);
}

#[tokio::test]
async fn a_site_is_closed_alone() {
    let company = april().await;
    let cookie = company.owner().await;
    let tx = company.store.begin_write().await.expect("a transaction");
    let apia = tx
        .add_site("Apia", "Pacific/Apia", author())
        .await
        .expect("a site");
    let karachi = company.store.default_site().await.expect("read");
    let karachi = karachi.expect("the first site").id;
    tx.commit().await.expect("committed");
    company.state_is_fresh().await;
    let of_site =
        |site: attendance::SiteId| format!("/month/2026-04/close?site={site}&department=");

    let all = company.get("/month/2026-04/close", Some(&cookie)).await;
    assert!(
        all.body.contains("all departments of all sites"),
        "{}",
        all.body
    );
    let page = company.get(&of_site(apia), Some(&cookie)).await.body;
    assert!(page.contains("all departments of Apia") && page.contains("nothing to close"));
    let form = format!("site={karachi}&department=&waiver=late");
    let closed = company
        .post("/month/2026-04/close", &form, Some(&cookie))
        .await;
    assert_eq!(closed.location, Some(of_site(karachi)), "{}", closed.body);
    let page = company.get(&of_site(karachi), Some(&cookie)).await.body;
    assert!(page.contains("It is closed."), "{page}");
    assert!(part(&page, "periods").contains("Karachi mill"), "{page}");
    let page = company.get(&of_site(apia), Some(&cookie)).await.body;
    assert!(
        !page.contains("id=\"periods\""),
        "another site is not closed"
    );
    let day = format!("/day/2026-04-07?site={karachi}");
    let day = company.get(&day, Some(&cookie)).await.body;
    assert!(day.contains("Closed on 12 May by Farhan."), "{day}");
    // The sheet leads to closing what it shows.
    let sheet = format!("/month/2026-04?site={apia}");
    let sheet = company.get(&sheet, Some(&cookie)).await.body;
    let link = format!("/month/2026-04/close?site={apia}");
    assert!(sheet.contains(&link), "{sheet}");
    let unknown = company
        .get("/month/2026-04/close?site=9", Some(&cookie))
        .await;
    assert_eq!(unknown.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn days_that_were_never_judged_are_judged_before_the_month_is_closed() {
    let company = april().await;
    let cookie = company.owner().await;
    let tx = company.store.begin_write().await.expect("a transaction");
    let fields = store::people::EmployeeFields {
        employed_from: Some("2026-04-28".parse().expect("a date")),
        ..store::testing::employee_fields(attendance::SiteId(1), "CT-2001")
    };
    let late = tx.add_employee(&fields, author()).await.expect("somebody");
    tx.commit().await.expect("committed");
    tamper(&company.store, "DELETE FROM marked_days").await;
    let page = company.get("/month/2026-04/close", Some(&cookie)).await;
    let open = part(&page.body, "open");
    assert!(
        open.contains("Days never judged") && open.contains("<dd>3 "),
        "{open}"
    );

    let close = async || {
        let form = "department=&waiver=late";
        company
            .post("/month/2026-04/close", form, Some(&cookie))
            .await
    };
    let told = close().await;
    assert!(
        told.body.contains("3 days had never been judged"),
        "{}",
        told.body
    );
    assert_eq!(count_rows(&company.store, "periods").await, 0);
    company.engine.judge.drain().await.expect("judged");
    let closed = close().await;
    assert_eq!(closed.status, StatusCode::SEE_OTHER, "{}", closed.body);
    company.engine.judge.drain().await.expect("judged");
    let known = store::views::why::calendar(&company.store, late.0, "2026-04-01", "2026-05-01");
    let stages: Vec<_> = known
        .await
        .expect("read")
        .into_iter()
        .map(|day| day.stage)
        .collect();
    assert_eq!(stages, ["locked"; 3]);
}

#[tokio::test]
async fn only_an_owner_opens_a_period_again_and_says_why() {
    let company = april().await;
    let cookie = company.owner().await;
    company
        .post(
            "/month/2026-04/close",
            "department=&waiver=late",
            Some(&cookie),
        )
        .await;
    let changed = "UPDATE attendance_reports SET changes_after_close = 'late_min,status' WHERE workday = '2026-04-07'";
    tamper(&company.store, changed).await;
    let (_, hr) = account(&company, "hana@example.org", &[Role::Hr], None).await;
    let page = company.get("/month/2026-04/close", Some(&hr)).await.body;
    assert!(!page.contains("Open again"), "{page}");
    let changed = part(&page, "changed");
    assert!(
        changed.contains("href=\"/people/CT-1001/2026-04-07\"")
            && changed.contains("lateness, status"),
        "{changed}"
    );
    let form = "department=&period=1&reason=a+late+letter";
    let refused = company.post("/month/2026-04/reopen", form, Some(&hr)).await;
    assert_eq!(refused.status, StatusCode::NOT_FOUND);
    let silent = company
        .post(
            "/month/2026-04/reopen",
            "department=&period=1&reason=",
            Some(&cookie),
        )
        .await;
    assert!(silent.body.contains("role=\"alert\""), "{}", silent.body);
    let elsewhere = company
        .post("/month/2026-03/reopen", form, Some(&cookie))
        .await;
    assert_eq!(elsewhere.status, StatusCode::NOT_FOUND);
    let opened = company
        .post("/month/2026-04/reopen", form, Some(&cookie))
        .await;
    assert_eq!(opened.status, StatusCode::SEE_OTHER, "{}", opened.body);
    let page = company
        .get("/month/2026-04/close", Some(&cookie))
        .await
        .body;
    let said = "Opened again on 12 May by Farhan: a late letter";
    assert!(
        page.contains(said) && page.contains("What is still open"),
        "{page}"
    );
    for roles in [&[Role::It][..], &[Role::Manager], &[Role::Employee]] {
        let email = format!("{}@example.net", roles[0].as_str());
        let (_, other) = account(&company, &email, roles, None).await;
        let page = company.get("/month/2026-04/close", Some(&other)).await;
        assert_eq!(page.status, StatusCode::NOT_FOUND, "{roles:?}");
    }
}

#[tokio::test]
async fn the_queue_shows_one_day_at_a_time() {
    let company = april().await;
    let cookie = company.owner().await;
    let waits = "UPDATE attendance_reports SET exceptions = 'off_shift' WHERE workday = '2026-05-12' AND status = 'on_leave'";
    tamper(&company.store, waits).await;
    company.state_is_fresh().await;
    let page = company.get("/exceptions", Some(&cookie)).await;
    assert_eq!(page.status, StatusCode::OK, "{}", page.body);
    assert!(
        page.body.contains("2 days wait"),
        "what is unknown today settles by itself"
    );
    let decide = part(&page.body, "decide");
    assert!(
        decide.contains("Giulia Romano") && decide.contains("Missing out"),
        "{decide}"
    );
    let next = "/exceptions?month=&#38;department=&#38;at=2026-05-12%2FCT-1010";
    assert!(decide.contains(next), "{decide}");
    let page = company
        .get(&next.replace("&#38;", "&"), Some(&cookie))
        .await
        .body;
    assert!(part(&page, "decide").contains("Jakob Lindgren"), "{page}");
    assert!(
        page.contains("<span class=\"n warn\">2</span>"),
        "the navigation counts them"
    );
    let page = company
        .get(
            "/exceptions?month=2026-05&at=2026-04-08%2FCT-1007",
            Some(&cookie),
        )
        .await
        .body;
    assert!(
        page.contains("1 day waits") && part(&page, "decide").contains("Jakob"),
        "{page}"
    );
    let weaving = weaving(&company).await;
    let none = company
        .get(&format!("/exceptions?department={weaving}"), Some(&cookie))
        .await
        .body;
    assert!(none.contains("No open exceptions."), "{none}");
    for roles in [&[Role::It][..], &[Role::Manager], &[Role::Employee]] {
        let email = format!("{}@example.net", roles[0].as_str());
        let (_, other) = account(&company, &email, roles, None).await;
        let page = company.get("/exceptions", Some(&other)).await;
        assert_eq!(page.status, StatusCode::NOT_FOUND, "{roles:?}");
    }
}

#[tokio::test]
async fn leave_is_looked_at_first_and_leads_back_to_the_queue() {
    let company = april().await;
    let cookie = company.owner().await;
    let path = "/people/CT-1007/2026-04-08/leave";
    let page = company
        .get(
            &format!("{path}?kind=on_duty&back=%2Fexceptions"),
            Some(&cookie),
        )
        .await;
    assert!(page.body.contains("Add duty elsewhere"), "{}", page.body);
    assert!(page.body.contains("value=\"2026-04-08\""), "{}", page.body);
    let form = "kind=on_duty&from=2026-04-08&to=2026-04-09&part=full&reason=a+fair";
    let looked = company
        .post(path, &format!("{form}&step=preview"), Some(&cookie))
        .await;
    assert_eq!(looked.status, StatusCode::OK);
    assert!(looked.body.contains("id=\"changes\""), "{}", looked.body);
    assert_eq!(count_rows(&company.store, "leave").await, 0);
    let wrong = form.replace("to=2026-04-09", "to=2026-04-07");
    let wrong = company
        .post(path, &format!("{wrong}&step=save"), Some(&cookie))
        .await;
    assert!(wrong.body.contains("Choose the first day or a later one"));
    let foreign = format!("{form}&step=save&back=%2F%2Fevil.example");
    let saved = company.post(path, &foreign, Some(&cookie)).await;
    assert_eq!(
        saved.location.as_deref(),
        Some("/people/CT-1007/2026-04-08")
    );
    let back = format!("{form}&step=save&back=%2Fexceptions%3Fmonth%3D");
    let saved = company.post(path, &back, Some(&cookie)).await;
    assert_eq!(saved.location.as_deref(), Some("/exceptions?month="));
    assert_eq!(count_rows(&company.store, "leave").await, 2);
    let told = company.get("/exceptions?month=", Some(&cookie)).await.body;
    assert!(told.contains("The duty is entered."), "{told}");
}

#[tokio::test]
async fn an_employee_sees_only_themselves_and_asks() {
    let company = Company::of_ten().await;
    company.state_is_fresh().await;
    let owner = company.owner().await;
    let giulia = Some(company.people[6]);
    let (_, cookie) = account(&company, "giulia@example.org", &[Role::Employee], giulia).await;
    let home = company.get("/", Some(&cookie)).await;
    assert_eq!(home.location.as_deref(), Some("/me"));
    let page = company.get("/me", Some(&cookie)).await;
    assert_eq!(page.status, StatusCode::OK, "{}", page.body);
    assert!(
        page.body.contains("Giulia Romano") && page.body.contains("Late 19"),
        "{}",
        page.body
    );
    assert!(part(&page.body, "punches").contains("Main gate"));
    for path in [
        "/today",
        "/day/2026-05-12",
        "/month/2026-05",
        "/people",
        "/people/CT-1007",
        "/people/CT-1001/2026-05-12",
        "/people/CT-1007/2026-05-12.json",
        "/requests",
        "/team",
        "/exceptions",
    ] {
        let page = company.get(path, Some(&cookie)).await;
        assert_eq!(page.status, StatusCode::NOT_FOUND, "{path}");
    }
    // The punch of somebody else cannot be asked about.
    let punches = store::testing::punches_of(&company.store, company.gate).await;
    assert!(punches.len() >= 2, "{punches:?}");
    let mut own = 0;
    for id in 1..=3 {
        let path = format!("/me/ask?kind=void_punch&date=2026-05-12&punch={id}");
        let page = company.get(&path, Some(&cookie)).await;
        let form = format!("kind=void_punch&date=2026-05-12&punch={id}&reason=not+mine");
        let asked = company.post("/me/ask", &form, Some(&cookie)).await;
        match page.status {
            StatusCode::OK => {
                assert_eq!(asked.status, StatusCode::SEE_OTHER, "{}", asked.body);
                own += 1;
            }
            status => assert_eq!((status, asked.status), (StatusCode::NOT_FOUND, status)),
        }
    }
    assert_eq!(own, 1, "one of the three punches is hers");
    let form = "kind=add_punch&date=2026-05-12&time=09:30&reason=x";
    let ahead = company.post("/me/ask", form, Some(&cookie)).await;
    assert_eq!(ahead.status, StatusCode::OK, "a time to come is refused");
    let form = "kind=leave&from=2026-05-14&to=2026-05-15&part=full&reason=a+wedding";
    let asked = company.post("/me/ask", form, Some(&cookie)).await;
    assert_eq!(asked.location.as_deref(), Some("/me"));
    let page = company.get("/me", Some(&cookie)).await.body;
    assert!(
        part(&page, "requests").contains("Leave from 14 May to 15 May"),
        "{page}"
    );
    // Only whoever asked withdraws.
    let (_, other) = account(
        &company,
        "huda@example.org",
        &[Role::Employee],
        Some(company.people[7]),
    )
    .await;
    let refused = company.post("/me/withdraw", "id=2", Some(&other)).await;
    assert_eq!(refused.status, StatusCode::NOT_FOUND);
    let gone = company.post("/me/withdraw", "id=2", Some(&cookie)).await;
    assert_eq!(gone.status, StatusCode::SEE_OTHER);
    let open = company.get("/requests", Some(&owner)).await.body;
    assert!(open.contains("1 waits for an answer"), "{open}");
    // An account of nobody has no such page.
    let (_, nobody) = account(&company, "no@example.org", &[Role::Employee], None).await;
    let home = company.get("/", Some(&nobody)).await;
    assert_eq!(home.location.as_deref(), Some("/account"));
    let page = company.get("/me", Some(&nobody)).await;
    assert_eq!(page.status, StatusCode::NOT_FOUND);
}

/// Requests 1 of Asma, of Weaving, and 2 of Giulia, of Stores.
async fn two_requests(company: &Company) -> String {
    let mut first = String::new();
    for (email, person) in [("asma@example.org", 0), ("giulia@example.org", 6)] {
        let employee = Some(company.people[person]);
        let (_, cookie) = account(company, email, &[Role::Employee], employee).await;
        let form = "kind=leave&from=2026-05-14&to=2026-05-14&part=full&reason=a+wedding";
        let asked = company.post("/me/ask", form, Some(&cookie)).await;
        assert_eq!(asked.status, StatusCode::SEE_OTHER, "{}", asked.body);
        if first.is_empty() {
            first = cookie;
        }
    }
    first
}

#[tokio::test]
async fn a_manager_answers_and_sees_nothing_outside_the_own_departments() {
    let company = Company::of_ten().await;
    company.state_is_fresh().await;
    company.owner().await;
    let asma = two_requests(&company).await;
    let cookie = manager(&company).await;
    let home = company.get("/", Some(&cookie)).await;
    assert_eq!(home.location.as_deref(), Some("/today?team=mine"));
    let team = company.get("/team", Some(&cookie)).await.body;
    assert!(
        team.contains("Asma Jabeen") && !team.contains("Giulia Romano"),
        "{team}"
    );
    let page = company.get("/requests", Some(&cookie)).await.body;
    assert!(
        page.contains("1 waits for an answer") && page.contains("Asma Jabeen"),
        "{page}"
    );
    assert!(!page.contains("Giulia"), "{page}");
    for (path, status) in [
        ("/people/CT-1001", StatusCode::OK),
        ("/people/CT-1001/2026-05-12", StatusCode::OK),
        ("/people/CT-1007", StatusCode::NOT_FOUND),
        ("/people/CT-1007/2026-05-12", StatusCode::NOT_FOUND),
        ("/people/CT-1007/2026-05-12.json", StatusCode::NOT_FOUND),
        ("/people/CT-1001/2026-05-12/add", StatusCode::NOT_FOUND),
        ("/people/CT-1001/2026-05-12/leave", StatusCode::NOT_FOUND),
        ("/people/CT-1001/edit", StatusCode::NOT_FOUND),
        ("/people", StatusCode::NOT_FOUND),
    ] {
        let page = company.get(path, Some(&cookie)).await;
        assert_eq!(page.status, status, "{path}");
    }
    let outside = company
        .post("/requests/2", "answer=approve", Some(&cookie))
        .await;
    assert_eq!(outside.status, StatusCode::NOT_FOUND);
    let silent = company
        .post("/requests/1", "answer=reject&reason=", Some(&cookie))
        .await;
    assert!(silent.body.contains("role=\"alert\""), "{}", silent.body);
    assert_eq!(
        count_rows(&company.store, "leave").await,
        0,
        "nothing was entered by looking"
    );
    let done = company
        .post("/requests/1", "answer=approve", Some(&cookie))
        .await;
    assert_eq!(done.location.as_deref(), Some("/requests"), "{}", done.body);
    assert_eq!(count_rows(&company.store, "leave").await, 1);
    let me = company.get("/me", Some(&asma)).await.body;
    assert!(me.contains("Approved by mona"), "{me}");
    // Somebody who moves to another department is out of sight at once.
    let moved = "UPDATE employees SET department_id = (SELECT id FROM departments WHERE name = 'Stores') WHERE code = 'CT-1001'";
    tamper(&company.store, moved).await;
    let page = company.get("/people/CT-1001", Some(&cookie)).await;
    assert_eq!(page.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn nobody_answers_their_own() {
    let company = Company::of_ten().await;
    company.state_is_fresh().await;
    company.owner().await;
    let roles = [Role::Hr, Role::Employee];
    let asma = Some(company.people[0]);
    let (_, hana) = account(&company, "hana@example.org", &roles, asma).await;
    let form = "kind=on_duty&from=2026-05-14&to=2026-05-14&part=full&reason=a+fair";
    company.post("/me/ask", form, Some(&hana)).await;
    let page = company.get("/requests", Some(&hana)).await.body;
    assert!(page.contains("somebody else has to answer it"), "{page}");
    assert!(!page.contains("value=\"approve\""), "{page}");
    for answer in ["answer=approve", "answer=reject&reason=no"] {
        let refused = company.post("/requests/1", answer, Some(&hana)).await;
        assert_eq!(refused.status, StatusCode::OK, "{answer}");
    }
    // Nor by another account of the same person.
    let (_, second) = account(&company, "asma@example.org", &roles, asma).await;
    let refused = company
        .post("/requests/1", "answer=approve", Some(&second))
        .await;
    assert_eq!(refused.status, StatusCode::OK);
    assert_eq!(count_rows(&company.store, "leave").await, 0);
    let (_, other) = account(&company, "olga@example.org", &[Role::Hr], None).await;
    let form = "answer=reject&reason=the+fair+is+over";
    let done = company.post("/requests/1", form, Some(&other)).await;
    assert_eq!(done.status, StatusCode::SEE_OTHER, "{}", done.body);
    let me = company.get("/me", Some(&hana)).await.body;
    assert!(me.contains("Rejected by olga: the fair is over"), "{me}");
}

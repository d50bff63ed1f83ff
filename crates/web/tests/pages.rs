//! The pages through the router, without a server: who may see what, that the numbers add up, and that a change arrives.

mod company;

use std::time::Duration;

use attendance::DeviceId;
use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode, header};
use futures_util::StreamExt;
use store::accounts::Role;
use store::testing::{author, employee_fields, report_saying};
use tower::ServiceExt;

use crate::company::{Company, DAY, part, redacted};

fn snapshot(name: &str, html: &str) {
    redacted().bind(|| insta::assert_snapshot!(name, html));
}

#[tokio::test]
async fn the_counters_add_up_to_the_roll() {
    let company = Company::of_ten().await;
    company.state_is_fresh().await;
    let cookie = company.owner().await;
    let page = company.get("/today", Some(&cookie)).await;
    assert_eq!(page.status, StatusCode::OK, "{}", page.body);
    let counts: Vec<usize> = page
        .body
        .split("<b data-figure>")
        .skip(1)
        .map(|rest| {
            rest[..rest.find('<').expect("a figure")]
                .parse()
                .expect("a number")
        })
        .collect();
    assert_eq!(
        counts,
        [5, 2, 1, 1, 1, 0],
        "on time, late, not arrived, unknown, leave, off"
    );
    assert_eq!(counts.iter().sum::<usize>(), 10);
    assert!(page.body.contains("10 people on the roll"));
    assert!(page.body.contains("in, of 9 expected"));
    assert!(page.body.contains("Recent Attendances"));
}

#[tokio::test]
async fn the_regions_of_today() {
    let company = Company::of_ten().await;
    company.state_is_fresh().await;
    let cookie = company.owner().await;
    let page = company.get("/today", Some(&cookie)).await.body;
    for region in [
        "notices",
        "counters",
        "departments",
        "punches",
        "not-arrived",
        "unknown",
        "late",
        "devices",
    ] {
        snapshot(region, &part(&page, region));
    }
    assert!(!page.contains("<Al-Otaibi>"), "names are escaped");
    assert!(
        !page.contains(" style="),
        "the policy forbids style attributes"
    );
}

#[tokio::test]
async fn who_is_missing_is_said_as_far_as_it_is_known() {
    let list = async |changes: &[(usize, &str)]| {
        let company = Company::of_ten_but(changes).await;
        let cookie = company.owner().await;
        company.state_is_fresh().await;
        let page = company.get("/today", Some(&cookie)).await.body;
        part(&page, "not-arrived")
    };
    // Imran is unknown, Huda has not arrived.
    let nobody = list(&[(7, "on_leave")]).await;
    assert!(nobody.contains("some are unknown"), "{nobody}");
    let both = list(&[(0, "absent")]).await;
    assert!(both.contains("<h2>Not arrived or absent</h2>"), "{both}");
    assert!(both.contains("Huda Salem") && both.contains("Asma Jabeen"));
    assert!(both.contains("Weaving · Absent"), "{both}");
    let final_ = list(&[(7, "absent")]).await;
    assert!(final_.contains("<h2>Absent</h2>"), "{final_}");
    let all = list(&[(7, "present"), (8, "present")]).await;
    assert!(all.contains("Everybody who is due has been seen."), "{all}");
}

#[tokio::test]
async fn arrivals_are_compared_with_arrivals() {
    let company = Company::of_ten().await;
    let tx = company.store.begin_write().await.expect("a transaction");
    for day in ["2026-04-21", "2026-04-28", "2026-05-05"] {
        for person in &company.people[..5] {
            let first_in = format!("{day} 08:50:00");
            report_saying(&tx, *person, day, "present", Some(&first_in), 0).await;
        }
    }
    tx.commit().await.expect("committed");
    company.state_is_fresh().await;
    let cookie = company.owner().await;
    let page = company.get("/today", Some(&cookie)).await.body;
    let counters = part(&page, "counters");
    // Seven are in, one of them on duty elsewhere.
    assert!(counters.contains("<span class=\"big\">7</span>"));
    let compared = "6 arrived, 1 more than a usual Tuesday at 09:20 (5)";
    assert!(counters.contains(compared), "{counters}");
}

#[tokio::test]
async fn a_notice_counts_everybody_who_is_unknown() {
    let company = Company::of_ten().await;
    let second = company.store.device_by_serial("B2").await;
    let second = DeviceId(second.expect("a query").expect("a device").id);
    let tx = company.store.begin_write().await.expect("a transaction");
    let site = company.store.sites().await.expect("sites")[0].id;
    let codes: Vec<String> = (900..960).map(|code| code.to_string()).collect();
    let users: Vec<_> = codes
        .iter()
        .map(|user| store::identity::ListedUser {
            user,
            name: "",
            admin: false,
            card: None,
        })
        .collect();
    tx.store_user_list(
        second,
        &users,
        &std::collections::BTreeSet::new(),
        company.engine.clock.now(),
    )
    .await
    .expect("listed");
    for code in &codes {
        let fields = employee_fields(site, code);
        let id = tx.add_employee(&fields, author()).await.expect("a person");
        report_saying(&tx, id, DAY, "unknown", None, 0).await;
    }
    tx.commit().await.expect("committed");
    company.state_is_fresh().await;
    let cookie = company.owner().await;
    let page = company.get("/today", Some(&cookie)).await.body;
    let notices = part(&page, "notices");
    assert!(
        notices.contains("61 people use only this terminal"),
        "{notices}"
    );
}

#[tokio::test]
async fn a_punch_reaches_the_page_within_two_seconds() {
    let company = Company::of_ten().await;
    let cookie = company.owner().await;
    let running = tokio::spawn(company.state.clone().run());
    let page = company.get("/today", Some(&cookie)).await.body;
    let at = page.find("data-live=\"").expect("a stream") + "data-live=\"".len();
    let stream = page[at..at + page[at..].find('"').expect("its end")].replace("&#38;", "&");
    let request = Request::get(&stream)
        .header(header::COOKIE, &cookie)
        .header(header::ACCEPT, "text/event-stream")
        .body(Body::empty())
        .expect("a request");
    let response = company
        .router
        .clone()
        .oneshot(request)
        .await
        .expect("an answer");
    assert_eq!(response.status(), StatusCode::OK);
    let mut events = response.into_body().into_data_stream();

    company.punch("2001", "2026-05-12T09:19:50").await;
    let arrived = tokio::time::timeout(Duration::from_secs(2), async {
        let mut text = String::new();
        while let Some(Ok(bytes)) = events.next().await {
            text.push_str(&String::from_utf8_lossy(&bytes));
            let punch = text
                .split("event: punch")
                .nth(1)
                .is_some_and(|event| event.contains("09:19:50"));
            if punch && text.contains("event: tick") {
                return;
            }
        }
        panic!("the stream ended: {text}");
    });
    arrived
        .await
        .expect("the punch is on the page within two seconds");
    company.state.close();
    running.await.expect("it stops when it is closed");
}

/// What a stream brings before its first tick.
async fn first_events(company: &Company, path: &str, cookie: &str) -> String {
    let request = Request::get(path)
        .header(header::COOKIE, cookie)
        .body(Body::empty())
        .expect("a request");
    let response = company
        .router
        .clone()
        .oneshot(request)
        .await
        .expect("an answer");
    let mut events = response.into_body().into_data_stream();
    let mut text = String::new();
    while !text.contains("event: tick") {
        let bytes = tokio::time::timeout(Duration::from_secs(5), events.next()).await;
        text.push_str(&String::from_utf8_lossy(
            &bytes.expect("in time").expect("open").expect("bytes"),
        ));
    }
    text
}

#[tokio::test]
async fn a_page_from_before_the_start_is_rearranged_when_it_connects_again() {
    let company = Company::of_ten().await;
    company.state_is_fresh().await;
    let cookie = company.owner().await;
    let text = first_events(&company, "/live/today?early=1", &cookie).await;
    let board = text
        .split("event: board\n")
        .nth(1)
        .expect("the whole board");
    for list in ["not-arrived", "unknown", "late"] {
        assert!(board.contains(&format!("id=\"{list}\"")), "{list}");
    }
    let text = first_events(&company, "/live/today?early=0", &cookie).await;
    assert!(!text.contains("event: board\n"), "it is arranged already");
}

#[tokio::test]
async fn a_reopened_stream_brings_every_region() {
    let company = Company::of_ten().await;
    company.state_is_fresh().await;
    let cookie = company.owner().await;
    let text = first_events(&company, "/live/today", &cookie).await;
    for region in [
        "heading",
        "notices",
        "counters",
        "arrivals",
        "departments",
        "punch",
        "not-arrived",
        "unknown",
        "late",
        "devices",
    ] {
        assert!(
            text.contains(&format!("event: {region}\n")),
            "{region} in {text}"
        );
    }
}

#[tokio::test]
async fn the_page_of_a_person_is_told_of_their_days_and_punches() {
    let company = Company::of_ten().await;
    let cookie = company.owner().await;
    let page = company.get("/people/CT-1001", Some(&cookie)).await.body;
    let stream = "/live/people/CT-1001?month=2026-05";
    assert!(
        page.contains(&format!("data-follow=\"{stream}\"")),
        "{page}"
    );
    let mut asma = Stream::open(&company, stream, &cookie).await;
    assert!(asma.next().await.contains("event: tick"));
    let day = |person: usize, day: &str| ingest::Change {
        days: vec![(company.people[person], day.parse().expect("a date"))],
        ..ingest::Change::default()
    };
    let changes = &company.engine.changes;
    changes.publish(day(0, "2026-05-04"));
    assert!(asma.next().await.contains("event: changed\ndata: page"));
    company.punch("2001", "2026-05-12T09:10:00").await;
    assert!(asma.next().await.contains("event: changed"));

    for (path, cookie) in [
        ("/live/people/NOBODY?month=2026-05", Some(&*cookie)),
        (stream, None),
    ] {
        let answer = company.get(path, cookie).await;
        assert_ne!(answer.status, StatusCode::OK, "{path}");
    }
}

/// An open stream of events.
struct Stream(axum::body::BodyDataStream);

impl Stream {
    async fn open(company: &Company, path: &str, cookie: &str) -> Self {
        let request = Request::get(path)
            .header(header::COOKIE, cookie)
            .body(Body::empty())
            .expect("a request");
        let answer = company.router.clone().oneshot(request).await;
        let answer = answer.expect("an answer");
        assert_eq!(answer.status(), StatusCode::OK, "{path}");
        Self(answer.into_body().into_data_stream())
    }

    async fn next(&mut self) -> String {
        let bytes = tokio::time::timeout(Duration::from_secs(5), self.0.next()).await;
        let bytes = bytes.expect("in time").expect("open").expect("bytes");
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

#[tokio::test]
async fn the_stream_of_a_manager_tells_of_the_own_team_alone() {
    let company = Company::of_ten().await;
    company.state_is_fresh().await;
    company.owner().await;
    let cookie = company::manager(&company).await;
    for path in ["/live/today?site=1&team=mine", "/live/today"] {
        let text = first_events(&company, path, &cookie).await;
        assert!(text.contains("event: counters\n") && text.contains("Faisal"));
        for other in ["Giulia", "Huda", "Imran", "Jakob", "Stores"] {
            assert!(!text.contains(other), "{path} {other}: {text}");
        }
    }
}

#[tokio::test]
async fn pages_need_a_session() {
    let company = Company::of_ten().await;
    for path in [
        "/",
        "/today",
        "/day",
        "/day/2026-05-12?status=late",
        "/devices",
        "/devices/A1",
        "/devices/new",
        "/account",
        "/people",
        "/people/new",
        "/people/import",
        "/people/CT-1001",
        "/inbox",
        "/rollcall",
        "/rollcall/new",
        "/failures",
        "/setup/company",
        "/setup/device",
    ] {
        let answer = company.get(path, None).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{path}");
        let next = path
            .replace('/', "%2F")
            .replace('?', "%3F")
            .replace('=', "%3D");
        assert_eq!(
            answer.location.as_deref(),
            Some(&*format!("/login?next={next}")),
            "{path}"
        );
    }
    let request = Request::get("/live/today").header(header::ACCEPT, "text/event-stream");
    let answer = company.send(request, Body::empty(), None).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    for (path, status) in [
        ("/login", 200),
        ("/healthz", 200),
        ("/readyz", 200),
        ("/setup/unknown", 200),
        ("/nowhere", 404),
        ("/assets/none.css", 404),
    ] {
        assert_eq!(
            company.get(path, None).await.status.as_u16(),
            status,
            "{path}"
        );
    }
}

#[tokio::test]
async fn whatever_is_refused_is_a_page_in_our_words() {
    let company = Company::of_ten().await;
    let cookie = company.owner().await;
    for path in ["/today?site=x", "/rollcall/abc", "/failures?page=x"] {
        let answer = company.get(path, Some(&cookie)).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{path}");
        assert!(answer.body.contains("Not understood"), "{path}");
    }
    // A part of a page that is asked for after the session has ended.
    let request = Request::get("/people").header("hx-request", "true");
    let answer = company.send(request, Body::empty(), None).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    assert_eq!(answer.redirect.as_deref(), Some("/login"));
}

#[tokio::test]
async fn a_phone_reaches_every_page() {
    let company = Company::of_ten().await;
    company.state_is_fresh().await;
    let cookie = company.owner().await;
    let page = company.get("/account", Some(&cookie)).await.body;
    let (_, bar) = page.split_once("<nav class=\"tabbar\"").expect("a bar");
    assert_eq!(bar.matches("<a href=").count(), 5);
    assert!(bar.contains("<a href=\"/account\" aria-current=\"page\">"));
    let (_, more) = page.split_once("only-s").expect("the other entries");
    let more = &more[..more.find("</nav>").expect("its end")];
    for path in ["/inbox", "/rollcall", "/failures"] {
        assert!(more.contains(&format!("href=\"{path}\"")), "{path}");
    }
}

#[tokio::test]
async fn roles_see_only_their_pages() {
    let company = Company::of_ten().await;
    company.state_is_fresh().await;
    let it = company.sign_in(&[Role::It]).await;
    let status = async |path: &str| company.get(path, Some(&it)).await.status.as_u16();
    assert_eq!(status("/devices").await, 200);
    assert_eq!(status("/inbox").await, 200);
    assert_eq!(status("/people").await, 404);
    assert_eq!(status("/day/2026-05-12").await, 404);
    assert_eq!(status("/rollcall/new").await, 404);
    let home = company.get("/", Some(&it)).await;
    assert_eq!(home.location.as_deref(), Some("/devices"));
    let page = company.get("/devices", Some(&it)).await.body;
    assert!(
        !page.contains("href=\"/people\""),
        "the navigation never offers the rest"
    );

    let owner = company.store.accounts().await.expect("accounts")[0].id;
    store::testing::set_roles(&company.store, owner, "owner").await;
    let refused = company.post("/devices/A1/poll", "", Some(&it)).await;
    assert_eq!(
        refused.status,
        StatusCode::NOT_FOUND,
        "an owner sees devices and edits none"
    );
    assert_eq!(
        company.get("/day/2026-05-12", Some(&it)).await.status,
        StatusCode::OK
    );
}

#[tokio::test]
async fn a_foreign_page_cannot_write() {
    let company = Company::of_ten().await;
    let cookie = company.owner().await;
    let form = "kind=zk&serial_number=EVIL&name=x";
    for (name, value) in [
        ("sec-fetch-site", "cross-site"),
        ("origin", "https://evil.example"),
        ("x-none", "1"),
    ] {
        let request = Request::post("/devices/new")
            .header(header::HOST, "muster.test")
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(name, value);
        let answer = company.send(request, Body::from(form), Some(&cookie)).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{name}");
        assert!(answer.body.contains("nothing was changed"));
    }
    assert!(
        company
            .store
            .device_by_serial("EVIL")
            .await
            .expect("a query")
            .is_none()
    );
    let page = company.get("/login", None).await;
    let policy = page.policy.expect("a policy");
    assert!(policy.starts_with("default-src 'self'") && !policy.contains("unsafe"));
}

#[tokio::test]
async fn a_one_time_link_works_once() {
    let company = Company::empty().await;
    let tx = company.store.begin_write().await.expect("a transaction");
    let token = tx
        .add_setup_link(company.engine.clock.real_now())
        .await
        .expect("a link");
    tx.commit().await.expect("committed");
    let path = format!("/setup/{token}");
    assert!(
        company
            .get(&path, None)
            .await
            .body
            .contains("Create the owner account")
    );
    let short = company
        .post(&path, "name=F&email=f%40e.org&password=short", None)
        .await;
    assert!(short.body.contains("Use at least 10 characters."));
    let made = company
        .post(
            &path,
            "name=F&email=f%40e.org&password=correct%20horse",
            None,
        )
        .await;
    assert_eq!(made.location.as_deref(), Some("/setup/company"));
    let line = made.cookie_line.expect("a session");
    assert!(
        line.contains("HttpOnly") && line.contains("SameSite=Lax"),
        "{line}"
    );
    let again = company
        .post(
            &path,
            "name=G&email=g%40e.org&password=correct%20horse",
            None,
        )
        .await;
    assert!(again.body.contains("This link no longer works"));
    assert_eq!(company.store.accounts().await.expect("accounts").len(), 1);
}

#[tokio::test]
async fn a_new_password_signs_everybody_else_out() {
    let company = Company::of_ten().await;
    let here = company.owner().await;
    let form = "email=farhan%40example.org&password=correct%20horse";
    let there = company.post("/login", form, None).await.cookie;
    let there = there.expect("a session");
    let status = async |cookie: &str| company.get("/account", Some(cookie)).await.status;
    assert_eq!(status(&there).await, StatusCode::OK);

    let form = "present=correct%20horse&password=another%20horse";
    let changed = company.post("/account/password", form, Some(&here)).await;
    assert!(changed.body.contains("Your password was changed."));
    let renewed = changed.cookie.expect("another id of the session");
    assert_eq!(status(&renewed).await, StatusCode::OK);
    assert_eq!(status(&there).await, StatusCode::SEE_OTHER);
    assert_eq!(status(&here).await, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn a_link_lets_an_owner_set_a_new_password_once() {
    let company = Company::of_ten().await;
    let cookie = company.owner().await;
    let tx = company.store.begin_write().await.expect("a transaction");
    let token = tx
        .add_setup_link(company.engine.clock.real_now())
        .await
        .expect("a link");
    tx.commit().await.expect("committed");
    let path = format!("/setup/{token}");
    let page = company.get(&path, None).await.body;
    assert!(page.contains("Set a new password") && !page.contains("name=\"name\""));
    let nobody = "email=eve%40example.org&password=another%20horse";
    let refused = company.post(&path, nobody, None).await.body;
    assert!(refused.contains("No owner signs in with this address."));
    let form = "email=Farhan%40example.org&password=another%20horse";
    let reset = company.post(&path, form, None).await;
    assert_eq!(reset.location.as_deref(), Some("/"));
    let renewed = reset.cookie.expect("a session");
    let status = async |cookie: &str| company.get("/account", Some(cookie)).await.status;
    assert_eq!(status(&renewed).await, StatusCode::OK);
    assert_eq!(status(&cookie).await, StatusCode::SEE_OTHER, "the old one");
    let again = company.post(&path, form, None).await;
    assert!(again.body.contains("This link no longer works"));
    assert_eq!(company.store.accounts().await.expect("accounts").len(), 1);
}

#[tokio::test]
async fn guesses_are_slowed_down_and_signing_out_ends_the_session() {
    let company = Company::of_ten().await;
    let cookie = company.owner().await;
    assert_eq!(
        company.get("/account", Some(&cookie)).await.status,
        StatusCode::OK
    );
    company.post("/logout", "", Some(&cookie)).await;
    assert_eq!(
        company.get("/account", Some(&cookie)).await.status,
        StatusCode::SEE_OTHER
    );

    let wrong = "email=farhan%40example.org&password=wrong";
    for left in [
        "4 tries left",
        "3 tries left",
        "2 tries left",
        "One try left",
        "Wait five minutes",
    ] {
        let answer = company.post("/login", wrong, None).await;
        assert!(answer.body.contains(left), "{left}");
    }
    let right = "email=farhan%40example.org&password=correct%20horse";
    let answer = company.post("/login", right, None).await;
    assert!(
        answer.body.contains("Wait five minutes"),
        "even the right one has to wait"
    );
    assert!(answer.cookie.is_none());
}

#[tokio::test]
async fn signing_in_leads_back_to_the_page_that_was_wanted() {
    let company = Company::of_ten().await;
    company.owner().await;
    let form = "email=Farhan%40Example.org&password=correct%20horse&next=";
    let to = async |next: &str| {
        let answer = company.post("/login", &format!("{form}{next}"), None).await;
        answer.location.expect("signed in")
    };
    assert_eq!(to("%2Fdevices%2FA1").await, "/devices/A1");
    assert_eq!(to("%2F%2Fevil.example").await, "/");
}

#[tokio::test]
async fn the_day_table_filters_by_link() {
    let company = Company::of_ten().await;
    company.state_is_fresh().await;
    let cookie = company.owner().await;
    let rows = async |query: &str| {
        let page = company
            .get(&format!("/day/{DAY}{query}"), Some(&cookie))
            .await;
        assert_eq!(page.status, StatusCode::OK);
        page.body.matches("<tr id=\"day-").count()
    };
    assert_eq!(rows("").await, 10);
    for (status, count) in [
        ("on_time", 5),
        ("late", 2),
        ("not_arrived", 1),
        ("unknown", 1),
        ("on_leave", 1),
        ("absent", 0),
    ] {
        assert_eq!(rows(&format!("?status={status}")).await, count, "{status}");
    }
    assert_eq!(rows("?q=giulia").await, 1);
    assert_eq!(rows("?q=CT-100").await, 9);
    assert_eq!(rows(&format!("?device={}", company.gate)).await, 1);
    let today = company.get("/day", Some(&cookie)).await.location;
    assert!(today.is_some_and(|to| to.starts_with(&format!("/day/{DAY}?site="))));
    assert_eq!(
        company.get("/day/someday", Some(&cookie)).await.status,
        StatusCode::NOT_FOUND
    );
}

#[tokio::test]
async fn sites_are_kept_apart() {
    let company = Company::of_ten().await;
    let tx = company.store.begin_write().await.expect("a transaction");
    let lahore = tx.add_site("Lahore shop", "Asia/Karachi", author()).await;
    let lahore = lahore.expect("a site");
    let fields = employee_fields(lahore, "LH-1");
    tx.add_employee(&fields, author()).await.expect("a person");
    let door = store::testing::device(&tx, lahore, "L1").await;
    tx.commit().await.expect("committed");
    company.state_is_fresh().await;
    let cookie = company.owner().await;
    let page = async |path: &str| company.get(path, Some(&cookie)).await.body;
    let karachi = page(&format!("/day/{DAY}")).await;
    assert!(karachi.contains("Karachi mill</span>") && !karachi.contains("LH-1"));
    let shop = page(&format!("/day/{DAY}?site={lahore}&q=nobody")).await;
    assert!(
        shop.contains(&format!("href=\"/day/{DAY}?site={lahore}\"")),
        "clear"
    );
    let site = format!("name=\"site\" value=\"{lahore}\"");
    assert!(shop.contains(&site), "the roll call is of the shop");
    let person = page("/people/LH-1").await;
    assert!(person.contains(&format!("/rollcall/new?site={lahore}&amp;person=")));

    // One more punch there than the list of Karachi shows is none of Karachi's.
    page("/today").await;
    company.punch_at(door, "77", "2026-05-12T09:10:00").await;
    let all: Vec<_> = (1..50).map(attendance::PunchId).collect();
    let change = ingest::Change {
        punches: all,
        ..ingest::Change::default()
    };
    company.state.refresh(&change).await.expect("refreshed");
    let today = page("/today").await;
    assert!(!part(&today, "punches").contains("sub more"));
}

#[tokio::test]
async fn a_serial_number_is_registered_once() {
    let company = Company::of_ten().await;
    company.state_is_fresh().await;
    let cookie = company.owner().await;
    let add = async |form: &str| company.post("/devices/new", form, Some(&cookie)).await;
    let answer = add("kind=zk&serial_number=A1&name=Twin&address=192.0.2.9").await;
    assert_eq!(answer.status, StatusCode::OK);
    assert!(answer.body.contains("A1 exists already. Choose another."));
    assert!(
        answer.body.contains("192.0.2.9"),
        "what was typed is still in the form"
    );
    let answer = add("kind=zk&serial_number=C3&name=&port=70000&interval_min=x&comm_key=abc").await;
    for text in [
        "A port is a number",
        "Enter a number of minutes",
        "A comm key is a number",
    ] {
        assert!(answer.body.contains(text), "{text}");
    }
    let answer = add("kind=hik&serial_number=A1&password=secret").await;
    assert!(answer.body.contains("Enter it again; it was not kept."));
    let answer = add("kind=hik&serial_number=C3&name=").await;
    assert_eq!(answer.location.as_deref(), Some("/devices/C3?asked=1"));
    let device = company
        .store
        .device_by_serial("C3")
        .await
        .expect("a query")
        .expect("a device");
    assert_eq!(
        (&*device.name, &*device.kind, device.poll_interval_s),
        ("C3", "hik", 300)
    );
    let page = company.get("/devices/B2", Some(&cookie)).await.body;
    assert!(page.contains("The terminal does not answer"), "{page}");
}

#[tokio::test]
async fn a_device_that_is_not_polled_says_why() {
    let company = Company::of_ten().await;
    company.state_is_fresh().await;
    let cookie = company.owner().await;
    let page = async |path: &str| company.get(path, Some(&cookie)).await.body;
    let add = "kind=zk&serial_number=C3&name=Store";
    let added = company.post("/devices/new", add, Some(&cookie)).await;
    let told = page(&added.location.expect("a page")).await;
    assert!(told.contains("has no address yet, so it is not read"));
    assert!(!told.contains("action=\"/devices/C3/poll\""));

    let site = company.store.sites().await.expect("sites")[0].id;
    let edit = format!("{add}&site={site}&address=192.0.2.3&existing=1");
    company.post("/devices/C3/edit", &edit, Some(&cookie)).await;
    let asked = company.post("/devices/C3/poll", "", Some(&cookie)).await;
    let told = page(&asked.location.expect("a page")).await;
    assert!(told.contains("switched off, so it is not read"), "{told}");
    let asked = company.post("/devices/poll", "", Some(&cookie)).await;
    let told = page(&asked.location.expect("a page")).await;
    assert!(told.contains("2 terminals are being read."), "{told}");
    assert!(told.contains("0 of 3 in contact"), "none was ever read");
    let strip = &told[told.find("id=\"device-C3\"").expect("a row")..];
    let strip = &strip[strip.find("class=\"strip\"").expect("a strip")..];
    let strip = &strip[..strip.find("</svg>").expect("its end")];
    assert!(!strip.contains("<rect"), "nothing is known: {strip}");
}

#[tokio::test]
async fn punches_of_a_wrong_clock_are_shifted_and_taken_back() {
    let company = Company::of_ten().await;
    company.state_is_fresh().await;
    let cookie = company.owner().await;
    for clock in ["2000-01-01T00:10:00", "2000-01-01T08:20:00"] {
        company.punch("2001", clock).await;
    }
    let get = async |path: &str| company.get(path, Some(&cookie)).await.body;
    let shifts = async |query: &str| part(&get(&format!("/devices/A1{query}")).await, "shifts");
    let list = shifts("").await;
    assert!(
        list.contains("2 punches dated 1 Jan 2000 are set aside, no day was changed."),
        "{list}"
    );
    let range = "from=2000-01-01T00:10:00&to=2000-01-01T08:20:00";
    for (asked, told) in [
        ("by=9&really=&reason=x", "Enter an amount like"),
        ("by=&really=&reason=x", "Enter the amount, or when"),
        ("by=0%20h&really=&reason=", "Enter a reason"),
    ] {
        let page = shifts(&format!("?{range}&{asked}")).await;
        assert!(
            page.contains(told) && !page.contains("name=\"shift_s\""),
            "{page}"
        );
    }
    let preview = shifts(&format!(
        "?{range}&by=&really=2026-05-11T08:40:00&reason=battery"
    ))
    .await;
    assert!(
        preview.contains("Mon 11 May 08:40:00") && preview.contains("Mon 11 May 16:50:00"),
        "{preview}"
    );
    let at = preview
        .find("name=\"shift_s\" value=\"")
        .expect("the shift")
        + 22;
    let shift_s: i64 = preview[at..]
        .split('"')
        .next()
        .expect("a value")
        .parse()
        .expect("seconds");
    let form = format!("{range}&shift_s={shift_s}&reason=battery");
    let shifted = company
        .post("/devices/A1/shift", &form, Some(&cookie))
        .await;
    assert_eq!(
        shifted.location.as_deref(),
        Some("/devices/A1#shifts"),
        "{}",
        shifted.body
    );
    let list = shifts("").await;
    assert!(
        !list.contains("are set aside")
            && list.contains("2 punches from")
            && list.contains("battery"),
        "{list}"
    );
    let person = part(&get("/people/CT-1001").await, "punches");
    assert!(person.contains("Mon 11 May 08:40:00"), "{person}");
    assert!(
        person.contains("the device said Sat 1 Jan 2000 00:10:00"),
        "{person}"
    );
    // Into the future, or what is shifted already.
    for wrong in [form.as_str(), "from=then&to=&reason=battery"] {
        let path = "/devices/A1/shift";
        let refused = company.post(path, wrong, Some(&cookie)).await;
        assert_eq!(refused.location.as_deref(), Some("/devices/A1"), "{wrong}");
        let told = part(&get("/devices/A1").await, "told");
        assert!(told.contains("Nothing was shifted."), "{told}");
    }

    let foreign = company
        .post("/devices/B2/shift/1/undo", "", Some(&cookie))
        .await;
    assert_eq!(foreign.status, StatusCode::NOT_FOUND);
    let undone = company
        .post("/devices/A1/shift/1/undo", "", Some(&cookie))
        .await;
    assert_eq!(undone.status, StatusCode::SEE_OTHER);
    let list = shifts("").await;
    assert!(
        list.contains("are set aside") && list.contains("taken back") && !list.contains("/undo"),
        "{list}"
    );

    let account = company.store.accounts().await.expect("accounts")[0].id;
    store::testing::set_roles(&company.store, account, Role::Owner.as_str()).await;
    let list = shifts("").await;
    assert!(
        list.contains("are set aside") && !list.contains("<form"),
        "{list}"
    );
    for path in [
        "/devices/A1/shift",
        "/devices/A1/shift/1/undo",
        "/devices/A1/clock",
    ] {
        let refused = company.post(path, &form, Some(&cookie)).await;
        assert_eq!(refused.status, StatusCode::NOT_FOUND, "{path}");
    }
}

#[tokio::test]
async fn a_clock_is_drawn_and_listed() {
    let company = Company::of_ten().await;
    company.state_is_fresh().await;
    let cookie = company.owner().await;
    let now = company.engine.clock.now();
    let tx = company.store.begin_write().await.expect("a transaction");
    for (hours_ago, drift_s, event) in [
        (50, 41, store::clocks::ClockEvent::None),
        (26, 0, store::clocks::ClockEvent::Set),
        (2, 3700, store::clocks::ClockEvent::Jump),
    ] {
        let at = now - jiff::SignedDuration::from_hours(hours_ago);
        let note = store::clocks::ClockNote { at, drift_s, event };
        tx.note_clock(company.gate, &note).await.expect("kept");
    }
    tx.commit().await.expect("committed");
    let get = async |path: &str| part(&company.get(path, Some(&cookie)).await.body, "clock");
    let drawn = get("/devices/A1").await;
    assert!(
        drawn.contains("class=\"band\"") && drawn.contains("Clock moved to"),
        "{drawn}"
    );
    assert!(drawn.contains("action=\"/devices/A1/clock\""), "{drawn}");
    let listed = get("/devices/A1?clock=table").await;
    assert!(
        !listed.contains("class=\"band\"") && listed.contains("Clock set"),
        "{listed}"
    );
    // The picture of it that comes every 15 s is the same.
    let page = company
        .get("/devices/A1?clock=table", Some(&cookie))
        .await
        .body;
    assert!(page.contains("hx-get=\"/devices/A1?clock=table\""));
    // There is no terminal.
    let failed = company.post("/devices/A1/clock", "", Some(&cookie)).await;
    assert_eq!(failed.location.as_deref(), Some("/devices/A1"));
    let page = company.get("/devices/A1", Some(&cookie)).await.body;
    let told = part(&page, "told");
    assert!(told.contains("The clock was not set."), "{told}");
}

#[tokio::test]
async fn a_device_without_address_is_searched_for_where_that_is_allowed() {
    let mut company = Company::of_ten().await;
    company.state_is_fresh().await;
    let cookie = company.owner().await;
    for kind in ["zk", "hik"] {
        let add = format!("kind={kind}&serial_number={kind}3&name=Store");
        company.post("/devices/new", &add, Some(&cookie)).await;
    }
    let searching = async |company: &Company, serial: &str| {
        let page = company
            .get(&format!("/devices/{serial}"), Some(&cookie))
            .await;
        let waits = page.body.contains("The device has no address yet.");
        let searching = page.body.contains("Searching for the device.");
        assert_ne!(waits, searching, "{}", page.body);
        searching
    };
    assert!(!searching(&company, "zk3").await);
    let options = ingest::LocatorOptions {
        subnets: vec!["10.0.0.0/24".parse().expect("a subnet")],
        ..ingest::LocatorOptions::default()
    };
    let engine = company.engine.clone().searching(options);
    company.router = web::router(web::WebState::new(engine, web::WebConfig::default()));
    assert!(searching(&company, "zk3").await);
    assert!(!searching(&company, "hik3").await, "only some are found");
}

#[tokio::test]
async fn a_removed_device_is_gone() {
    let company = Company::of_ten().await;
    company.state_is_fresh().await;
    let cookie = company.owner().await;
    let before = company.get("/failures", Some(&cookie)).await.body;
    assert!(part(&before, "failures").contains("Gate 2"));
    company.post("/devices/B2/remove", "", Some(&cookie)).await;
    company.state_is_fresh().await;
    let after = company.get("/failures", Some(&cookie)).await.body;
    assert!(!part(&after, "failures").contains("Gate 2"));
    let waiting = store::views::board::waiting(&company.store).await;
    assert_eq!(waiting.expect("read").failures, 0);
    let own = company.get("/devices/B2", Some(&cookie)).await.body;
    assert!(part(&own, "device-state").contains("Removed"));
    assert!(!own.contains("/devices/B2/edit") && !own.contains("/devices/B2/doctor"));
    for path in [
        "/devices/B2/poll",
        "/devices/B2/doctor",
        "/devices/B2/remove",
    ] {
        let refused = company.post(path, "", Some(&cookie)).await;
        assert_eq!(refused.status, StatusCode::NOT_FOUND, "{path}");
    }
}

#[tokio::test]
async fn first_run_leads_to_a_board() {
    let company = Company::empty().await;
    let cookie = company.owner().await;
    let today = company.get("/today", Some(&cookie)).await;
    assert_eq!(today.location.as_deref(), Some("/setup/company"));
    let form = "company=Crescent&site=Mill&zone=Nowhere%2FLand&start=9&end=18%3A00&off=6&off=7";
    let answer = company.post("/setup/company", form, Some(&cookie)).await;
    assert!(
        answer.body.contains("Choose a time zone")
            && answer.body.contains("Enter a time like 09:00.")
    );
    let form =
        "company=Crescent&site=Mill&zone=Asia%2FKarachi&start=09%3A00&end=18%3A00&off=6&off=7";
    let answer = company.post("/setup/company", form, Some(&cookie)).await;
    assert_eq!(answer.location.as_deref(), Some("/setup/device"));
    let page = company.get("/today", Some(&cookie)).await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(page.body.contains("Muster is ready."));
    assert!(page.body.contains("No devices yet."));
}

#[tokio::test]
async fn first_run_takes_over_what_the_command_line_made() {
    let company = Company::empty().await;
    let tx = company.store.begin_write().await.expect("a transaction");
    let site = tx.add_site("Main", "UTC", author()).await.expect("a site");
    let device = store::testing::device(&tx, site, "A1").await;
    let person = employee_fields(site, "7");
    let person = tx.add_employee(&person, author()).await.expect("a person");
    tx.commit().await.expect("it is kept");

    let cookie = company.owner().await;
    let page = company.get("/setup/company", Some(&cookie)).await;
    assert!(page.body.contains("value=\"Main\""), "{}", page.body);
    let form = "company=Crescent&site=Mill&zone=Asia%2FKarachi&start=09%3A00&end=18%3A00&off=7";
    let answer = company.post("/setup/company", form, Some(&cookie)).await;
    assert_eq!(answer.location.as_deref(), Some("/setup/device"));

    let sites = company.store.sites().await.expect("a query");
    let [mill] = sites.as_slice() else {
        panic!("one site: {sites:?}");
    };
    assert_eq!(
        (mill.id, &*mill.name, &*mill.zone),
        (site, "Mill", "Asia/Karachi")
    );
    let zones = company.store.device_zones(device).await.expect("a query");
    assert_eq!(zones, [(None, "Asia/Karachi".to_owned())]);
    let person = company
        .store
        .employee(person)
        .await
        .expect("a query")
        .expect("a person");
    assert!(person.fields.shift.is_some() && person.fields.weekly_off.is_some());
    let again = company.get("/setup/company", Some(&cookie)).await;
    assert_eq!(again.location.as_deref(), Some("/"));
}

#[tokio::test]
async fn the_first_load_is_small() {
    let company = Company::of_ten().await;
    company.state_is_fresh().await;
    let cookie = company.owner().await;
    let zipped = async |path: &str| {
        let request = Request::get(path).header(header::ACCEPT_ENCODING, "gzip");
        let request = request.header(header::COOKIE, &cookie).body(Body::empty());
        let response = company
            .router
            .clone()
            .oneshot(request.expect("a request"))
            .await
            .expect("an answer");
        assert_eq!(response.status(), StatusCode::OK, "{path}");
        to_bytes(response.into_body(), 8 << 20)
            .await
            .expect("a body")
            .len()
    };
    let page = company.get("/today", Some(&cookie)).await.body;
    let mut total = zipped("/today").await;
    let mut fonts = 0;
    let mut assets: Vec<&str> = page
        .split('"')
        .filter(|text| text.starts_with("/assets/"))
        .collect();
    assets.sort_unstable();
    assets.dedup();
    assert!(assets.len() >= 6, "{assets:?}");
    for asset in assets {
        let size = zipped(asset).await;
        if asset.ends_with(".woff2") {
            fonts += size;
        } else {
            total += size;
        }
    }
    assert!(total <= 150_000, "{total} bytes without fonts");
    assert!(
        total + fonts <= 320_000,
        "{} bytes with fonts",
        total + fonts
    );
}

//! Accounts and the links by which people choose a password, and what managers and employees see then, through the router.

mod company;

use std::collections::BTreeSet;

use attendance::AccountId;
use axum::http::StatusCode;
use store::accounts::Role;
use store::testing::author;

use crate::company::{Answer, Company, account, manager, part, weaving};

const MONA: &str = "name=Mona+Haddad&email=mona%40example.org&role=manager&code=";

/// The link on a page on which one was just made.
fn link(page: &str) -> String {
    let shown = part(page, "link");
    let start = shown.find("/setup/").unwrap_or_else(|| panic!("{shown}"));
    let path = &shown[start..];
    path[..path.find('"').expect("the end")].to_owned()
}

async fn id_of(company: &Company, email: &str) -> AccountId {
    let account = company.store.account_by_email(email).await.expect("read");
    account.expect("an account").id
}

async fn sign_in(company: &Company, email: &str, password: &str) -> Answer {
    let form = format!("email={email}&password={password}");
    company.post("/login", &form, None).await
}

#[tokio::test]
async fn who_is_added_chooses_a_password_by_the_link_and_signs_in() {
    let company = Company::of_ten().await;
    company.state_is_fresh().await;
    let owner = company.owner().await;
    let weaving = weaving(&company).await;
    let form = format!("{MONA}CT-1003&role=employee&led={weaving}");
    let made = company.post("/users", &form, Some(&owner)).await;
    assert_eq!(made.status, StatusCode::OK, "{}", made.body);
    assert!(
        made.body.contains("http://muster.test/setup/"),
        "{}",
        made.body
    );
    let link = link(&made.body);
    let id = id_of(&company, "mona@example.org").await;
    let page = company
        .get(&format!("/users/{id}"), Some(&owner))
        .await
        .body;
    assert!(!page.contains("/setup/"), "it is shown once: {page}");

    let door = company.get(&link, None).await.body;
    assert!(
        door.contains("Mona Haddad") && door.contains("mona@example.org"),
        "{door}"
    );
    let short = company.post(&link, "password=short", None).await;
    assert!(
        short.body.contains("Use at least 10 characters."),
        "{}",
        short.body
    );
    let early = sign_in(&company, "mona%40example.org", "").await;
    assert_eq!(
        early.status,
        StatusCode::OK,
        "no password is not an empty one"
    );
    let chosen = company.post(&link, "password=a%20red%20loom", None).await;
    assert_eq!(chosen.location.as_deref(), Some("/"), "{}", chosen.body);
    let cookie = chosen.cookie.expect("a session");
    let home = company.get("/", Some(&cookie)).await;
    assert_eq!(home.location.as_deref(), Some("/today?team=mine"));
    for again in [
        company.get(&link, None).await,
        company.post(&link, "password=another%20loom", None).await,
    ] {
        assert!(
            again.body.contains("This link no longer works"),
            "{}",
            again.body
        );
    }
    let entered = sign_in(&company, "Mona%40example.org", "a%20red%20loom").await;
    assert_eq!(entered.status, StatusCode::SEE_OTHER);
    let users = company.get("/users", Some(&owner)).await.body;
    let users = part(&users, "users");
    for said in [
        "Mona Haddad",
        "Manager, Employee",
        "Weaving",
        "CT-1003",
        "09:20",
    ] {
        assert!(users.contains(said), "{said}: {users}");
    }
    // And on the page of whom she leads, and her own.
    let led = company.get("/people/CT-1001", Some(&owner)).await.body;
    assert!(
        led.contains("Led by") && led.contains("Mona Haddad"),
        "{led}"
    );
    assert!(led.contains("href=\"/users?code=CT-1001#new\""), "{led}");
    let own = company.get("/people/CT-1003", Some(&owner)).await.body;
    assert!(own.contains(&format!("href=\"/users/{id}\"")), "{own}");
}

#[tokio::test]
async fn a_link_of_an_account_is_for_that_account_alone() {
    let company = Company::of_ten().await;
    let owner = company.owner().await;
    let made = company.post("/users", MONA, Some(&owner)).await;
    let form = "name=Eve&email=farhan%40example.org&password=a%20red%20loom";
    let chosen = company.post(&link(&made.body), form, None).await;
    assert_eq!(chosen.location.as_deref(), Some("/"));
    let page = company.get("/users", Some(&owner)).await;
    assert_eq!(
        page.status,
        StatusCode::OK,
        "the owner's password is as it was"
    );
    let farhan = sign_in(&company, "farhan%40example.org", "a%20red%20loom").await;
    assert_eq!(farhan.status, StatusCode::OK);
    let mona = chosen.cookie.expect("a session");
    let page = company.get("/users", Some(&mona)).await;
    assert_eq!(page.status, StatusCode::NOT_FOUND);
    assert_eq!(company.store.accounts().await.expect("accounts").len(), 2);
}

#[tokio::test]
async fn a_new_link_voids_the_one_before() {
    let company = Company::of_ten().await;
    let owner = company.owner().await;
    let made = company.post("/users", MONA, Some(&owner)).await;
    let first = link(&made.body);
    let id = id_of(&company, "mona@example.org").await;
    let path = format!("/users/{id}/link");
    let again = company.post(&path, "", Some(&owner)).await;
    let second = link(&again.body);
    let door = company.get(&first, None).await.body;
    assert!(door.contains("This link no longer works"), "{door}");
    let door = company.get(&second, None).await.body;
    assert!(door.contains("Choose your password"), "{door}");
}

#[tokio::test]
async fn a_form_says_what_is_wrong_and_stores_nothing() {
    let company = Company::of_ten().await;
    let owner = company.owner().await;
    for (form, said) in [
        ("name=&email=m%40e.org&role=hr&code=", "Enter a name."),
        ("name=M&email=m&role=hr&code=", "Enter an e-mail address."),
        ("name=M&email=m%40e.org&code=", "Choose at least one role."),
        (
            "name=M&email=m%40e.org&role=employee&code=",
            "needs the code",
        ),
        (
            "name=M&email=m%40e.org&role=hr&code=X9",
            "Nobody has the code X9.",
        ),
        (
            "name=M&email=farhan%40example.org&role=hr&code=",
            "exists already",
        ),
    ] {
        let refused = company.post("/users", form, Some(&owner)).await;
        assert_eq!(refused.status, StatusCode::OK, "{form}");
        assert!(refused.body.contains(said), "{form}: {}", refused.body);
    }
    assert_eq!(company.store.accounts().await.expect("accounts").len(), 1);
    let prefilled = company.get("/users?code=CT-1001", Some(&owner)).await.body;
    assert!(prefilled.contains("value=\"Asma Jabeen\""), "{prefilled}");
}

#[tokio::test]
async fn nobody_acts_for_a_role_above_their_own() {
    let company = Company::of_ten().await;
    company.owner().await;
    let farhan = id_of(&company, "farhan@example.org").await;
    let (_, hr) = account(&company, "hana@example.org", &[Role::Hr], None).await;
    let page = company.get("/users", Some(&hr)).await.body;
    let new = part(&page, "new");
    assert!(
        new.contains("value=\"hr\"")
            && !new.contains("value=\"owner\"")
            && !new.contains("value=\"it\""),
        "{new}"
    );
    let page = company.get(&format!("/users/{farhan}"), Some(&hr)).await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(
        page.body.contains("Only an owner") && !page.body.contains("name=\"role\""),
        "{}",
        page.body
    );
    let demoted = "name=F&email=farhan%40example.org&role=employee&code=CT-1001";
    for (path, form) in [
        (
            "/users".to_owned(),
            "name=E&email=e%40e.org&role=owner&code=",
        ),
        (
            "/users".to_owned(),
            "name=E&email=e%40e.org&role=hr&role=it&code=",
        ),
        (format!("/users/{farhan}"), demoted),
        (format!("/users/{farhan}/link"), ""),
        (format!("/users/{farhan}/disable"), ""),
        (format!("/users/{farhan}/enable"), ""),
    ] {
        let refused = company.post(&path, form, Some(&hr)).await;
        assert_eq!(refused.status, StatusCode::NOT_FOUND, "{path} {form}");
    }
    let hana = id_of(&company, "hana@example.org").await;
    let own = format!("/users/{hana}");
    let raised = "name=Hana&email=hana%40example.org&role=hr&role=owner&code=";
    let refused = company.post(&own, raised, Some(&hr)).await;
    assert_eq!(refused.status, StatusCode::NOT_FOUND);
    let refused = company.post(&format!("{own}/disable"), "", Some(&hr)).await;
    assert_eq!(
        refused.status,
        StatusCode::NOT_FOUND,
        "nobody locks themselves out"
    );
    // IT makes accounts, but does not decide who leads whom.
    let (_, it) = account(&company, "ivo@example.org", &[Role::It], None).await;
    let weaving = weaving(&company).await;
    let made = company
        .post("/users", &format!("{MONA}&led={weaving}"), Some(&it))
        .await;
    assert_eq!(made.status, StatusCode::OK, "{}", made.body);
    let mona = id_of(&company, "mona@example.org").await;
    assert_eq!(
        company.store.managed_by(mona).await.expect("read"),
        BTreeSet::new()
    );
    for role in [Role::Manager, Role::Employee] {
        let email = format!("{}@example.net", role.as_str());
        let (_, other) = account(&company, &email, &[role], None).await;
        let page = company.get("/users", Some(&other)).await;
        assert_eq!(page.status, StatusCode::NOT_FOUND, "{role:?}");
        let refused = company.post("/users", MONA, Some(&other)).await;
        assert_eq!(refused.status, StatusCode::NOT_FOUND, "{role:?}");
    }
}

#[tokio::test]
async fn the_last_owner_stays_one() {
    let company = Company::of_ten().await;
    let owner = company.owner().await;
    let farhan = id_of(&company, "farhan@example.org").await;
    let path = format!("/users/{farhan}");
    let form = "name=Farhan&email=farhan%40example.org&role=hr&code=";
    let refused = company.post(&path, form, Some(&owner)).await;
    assert!(
        refused.body.contains("the only account of an owner"),
        "{}",
        refused.body
    );
    let (other, _) = account(&company, "olga@example.org", &[Role::Owner], None).await;
    let done = company.post(&path, form, Some(&owner)).await;
    assert_eq!(done.location.as_deref(), Some(&*path), "{}", done.body);
    let account = company.store.account(other).await.expect("read");
    assert!(account.expect("an account").is_working_owner());
    let page = company.get("/today", Some(&owner)).await;
    assert_eq!(page.status, StatusCode::OK, "HR is left");
}

#[tokio::test]
async fn who_is_disabled_is_out_at_once_until_enabled() {
    let company = Company::of_ten().await;
    let owner = company.owner().await;
    let (id, cookie) = account(&company, "ivo@example.org", &[Role::It], None).await;
    let path = format!("/users/{id}");
    let done = company
        .post(&format!("{path}/disable"), "", Some(&owner))
        .await;
    assert_eq!(done.location.as_deref(), Some(&*path));
    let page = company.get(&path, Some(&owner)).await.body;
    assert!(page.contains("ivo cannot sign in any more."), "{page}");
    let out = company.get("/devices", Some(&cookie)).await;
    assert_eq!(out.status, StatusCode::SEE_OTHER);
    let refused = sign_in(&company, "ivo%40example.org", "correct%20horse").await;
    assert_eq!(refused.status, StatusCode::OK);
    let no_link = company
        .post(&format!("{path}/link"), "", Some(&owner))
        .await;
    assert_eq!(no_link.status, StatusCode::SEE_OTHER, "{}", no_link.body);
    company
        .post(&format!("{path}/enable"), "", Some(&owner))
        .await;
    let entered = sign_in(&company, "ivo%40example.org", "correct%20horse").await;
    assert_eq!(entered.status, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn a_manager_sees_days_and_months_of_the_own_people_alone() {
    let company = Company::of_ten().await;
    company.state_is_fresh().await;
    company.owner().await;
    let cookie = manager(&company).await;
    // Asma, Beata … Faisal work in Weaving; Giulia, Huda, Imran and Jakob do not.
    for path in [
        "/day/2026-05-12",
        "/day/2026-05-12?team=mine",
        "/day/2026-05-12?site=1&sort=name",
        "/day/2026-05-12.csv",
        "/month/2026-05",
        "/month/2026-05?site=1",
        "/month/2026-05.csv",
        "/team",
    ] {
        let page = company.get(path, Some(&cookie)).await;
        assert_eq!(page.status, StatusCode::OK, "{path}");
        assert!(page.body.contains("Asma"), "{path}: {}", page.body);
        for other in ["Giulia", "Huda", "Imran", "Jakob", "Stores", "CT-1007"] {
            assert!(!page.body.contains(other), "{path} {other}: {}", page.body);
        }
    }
    let stores = store::views::people::departments(&company.store).await;
    let stores = stores.expect("departments");
    let stores = stores.iter().find(|one| one.name == "Stores").expect("one");
    for path in [
        format!("/day/2026-05-12?department={}", stores.id),
        format!("/month/2026-05?department={}", stores.id),
        format!("/month/2026-05.csv?department={}", stores.id),
    ] {
        let page = company.get(&path, Some(&cookie)).await;
        assert_eq!(page.status, StatusCode::OK, "{path}");
        assert!(
            !page.body.contains("Giulia") && !page.body.contains("CT-10"),
            "{path}: {}",
            page.body
        );
    }
    let month = company.get("/month/2026-05", Some(&cookie)).await.body;
    assert!(!month.contains("Payroll export"), "{month}");
    for path in [
        "/month/2026-05/close",
        "/punches/2026-05.csv",
        "/timecard/CT-1007/2026-05.csv",
        "/reports",
        "/exceptions",
    ] {
        let page = company.get(path, Some(&cookie)).await;
        assert_eq!(page.status, StatusCode::NOT_FOUND, "{path}");
    }
    for (path, to) in [
        ("/day", "/day/2026-05-12?site=1"),
        ("/month", "/month/2026-05?site=1"),
    ] {
        let page = company.get(path, Some(&cookie)).await;
        assert_eq!(page.location.as_deref(), Some(to));
    }
    let home = company.get("/team", Some(&cookie)).await.body;
    for entry in ["/today", "/team", "/day", "/month", "/requests"] {
        assert!(
            home.contains(&format!("<a href=\"{entry}\"")),
            "{entry}: {home}"
        );
    }
    for entry in ["/people", "/devices", "/users", "/exceptions", "/roster"] {
        assert!(
            !home.contains(&format!("<a href=\"{entry}\"")),
            "{entry}: {home}"
        );
    }
}

#[tokio::test]
async fn the_board_of_a_team_counts_its_people_alone() {
    let company = Company::of_ten().await;
    company.state_is_fresh().await;
    let owner = company.owner().await;
    let cookie = manager(&company).await;
    for path in ["/today?team=mine", "/today", "/today?site=1"] {
        let page = company.get(path, Some(&cookie)).await;
        assert_eq!(page.status, StatusCode::OK, "{path}");
        let counters = part(&page.body, "counters");
        assert!(counters.contains("of 6 expected"), "{counters}");
        assert!(
            page.body.contains("Faisal") && page.body.contains("team=mine"),
            "{path}"
        );
        for other in ["Giulia", "Huda", "Imran", "Jakob", "Stores", "9999"] {
            assert!(!page.body.contains(other), "{path} {other}: {}", page.body);
        }
    }
    company.punch("2006", "2026-05-12T09:12:30").await;
    company.punch("2008", "2026-05-12T09:12:31").await;
    company.state_is_fresh().await;
    let page = company.get("/today", Some(&cookie)).await.body;
    let punches = part(&page, "punches");
    assert!(
        punches.contains("09:12:30") && !punches.contains("09:12:31"),
        "{punches}"
    );
    let table = company
        .get("/today/arrivals?site=1&team=mine&table=1", Some(&cookie))
        .await;
    assert!(table.body.contains("team=mine"), "{}", table.body);
    let refused = company.get("/today?team=mine", Some(&owner)).await;
    assert_eq!(
        refused.status,
        StatusCode::NOT_FOUND,
        "an owner leads nobody"
    );
    // Who sees everybody may look at the own team alone.
    let roles = [Role::Hr, Role::Manager];
    let (hana, both) = account(&company, "hana@example.org", &roles, None).await;
    let tx = company.store.begin_write().await.expect("a transaction");
    let led = BTreeSet::from([weaving(&company).await]);
    tx.set_led(hana, &led, author()).await.expect("led");
    tx.commit().await.expect("committed");
    let all = company.get("/today", Some(&both)).await.body;
    assert!(all.contains("Giulia"), "{all}");
    let mine = company.get("/today?team=mine", Some(&both)).await.body;
    assert!(!mine.contains("Giulia"), "{mine}");
    assert!(
        mine.contains("/day/2026-05-12?site=1&#38;status=on_time&#38;team=mine"),
        "{mine}"
    );
    let day = company
        .get("/day/2026-05-12?team=mine", Some(&both))
        .await
        .body;
    assert!(day.contains("Asma") && !day.contains("Giulia"), "{day}");
}

#[tokio::test]
async fn a_manager_of_nobody_sees_nobody() {
    let company = Company::of_ten().await;
    company.state_is_fresh().await;
    company.owner().await;
    let (_, cookie) = account(&company, "mo@example.org", &[Role::Manager], None).await;
    for path in [
        "/today",
        "/team",
        "/day/2026-05-12",
        "/month/2026-05",
        "/requests",
    ] {
        let page = company.get(path, Some(&cookie)).await;
        assert_eq!(page.status, StatusCode::OK, "{path}");
        for name in ["Asma", "Giulia", "CT-10"] {
            assert!(!page.body.contains(name), "{path} {name}: {}", page.body);
        }
    }
}

#[tokio::test]
async fn an_employee_sees_why_the_own_day_reads_as_it_does() {
    let company = Company::of_ten().await;
    company.state_is_fresh().await;
    company.owner().await;
    let giulia = Some(company.people[6]);
    let roles = [Role::Hr, Role::Employee];
    for (email, roles) in [
        ("giulia@example.org", &roles[1..]),
        ("g@example.org", &roles),
    ] {
        let (_, cookie) = account(&company, email, roles, giulia).await;
        let page = company.get("/me?day=2026-05-12", Some(&cookie)).await.body;
        let why = part(&page, "why");
        let said = ["Why Tuesday 12 May", "Late 19", "General, 09:00 to 18:00"];
        let why = why.replace('\u{a0}', " ");
        assert!(said.iter().all(|text| why.contains(text)), "{why}");
        assert!(
            !why.contains("/people/"),
            "nobody corrects their own here: {why}"
        );
    }
}

#[tokio::test]
async fn requests_are_answered_by_keys_and_enter_rejects() {
    let company = Company::of_ten().await;
    company.state_is_fresh().await;
    let owner = company.owner().await;
    for person in [0, 6] {
        let email = format!("p{person}@example.org");
        let employee = Some(company.people[person]);
        let (_, cookie) = account(&company, &email, &[Role::Employee], employee).await;
        let form = "kind=leave&from=2026-05-14&to=2026-05-14&part=full&reason=a+fair";
        company.post("/me/ask", form, Some(&cookie)).await;
    }
    let page = company.get("/requests", Some(&owner)).await.body;
    let request = part(&page, "request");
    for key in ["a", "r", "j", "w"] {
        assert!(
            request.contains(&format!("data-key=\"{key}\"")),
            "{key}: {request}"
        );
    }
    assert!(request.contains("href=\"/requests?id=2\"") && !request.contains("data-key=\"k\""));
    // Enter in the field of the reason sends the first button, which must not approve.
    let first = request.find("name=\"answer\"").expect("a button");
    assert!(
        request[first..].starts_with("name=\"answer\" value=\"reject\""),
        "{request}"
    );
}

//! `muster user`: accounts from an empty folder on, and what is refused.

use serde_json::Value;
use store::accounts::Role;

use super::Office;

/// A person with a department, and an owner who can sign in.
async fn office() -> Office {
    let office = Office::open().await;
    office.file(
        "people.csv",
        "code,first_name,last_name,department\nEMP-7,Mona,Haddad,Weaving\nEMP-8,Omar,Aziz,Weaving\n",
    );
    office
        .run(&["employee", "import", "people.csv"])
        .await
        .done();
    office
        .run(&[
            "user",
            "add",
            "ada@example.org",
            "--name",
            "Ada",
            "--role",
            "owner",
        ])
        .await
        .done();
    choose(&office, "ada@example.org").await;
    office
}

/// By a new link.
async fn choose(office: &Office, email: &str) {
    let said = office.run(&["user", "link", email]).await.done();
    let token = said.out.trim().rsplit('/').next().expect("a link");
    let store = office.store().await;
    let now = ingest::Clock::system().real_now();
    let tx = store.begin_write().await.expect("a transaction");
    let chosen = tx.choose_password(token, now, "$hash", now).await;
    assert!(chosen.expect("written").is_some());
    tx.commit().await.expect("committed");
}

async fn users(office: &Office) -> Vec<Value> {
    let said = office.run(&["user", "list", "--json"]).await.done();
    serde_json::from_str(&said.out).expect("a JSON array")
}

#[tokio::test]
async fn an_account_is_added_with_a_link_that_works() {
    let office = office().await;
    let base = ["--base-url", "https://muster.example/"];
    let add = ["user", "add", "Mona@example.org", "--employee", "EMP-7"];
    let roles = ["--role", "manager,employee"];
    let said = office.run(&[&add[..], &roles, &base].concat()).await.done();
    assert!(
        said.out.contains("https://muster.example/setup/"),
        "{said:?}"
    );
    let token = said.out.trim().rsplit('/').next().expect("a link");
    let store = office.store().await;
    let now = ingest::Clock::system().real_now();
    let account = store.account_of_link(token, now).await.expect("read");
    let account = account.expect("the link works");
    assert_eq!(account.roles, [Role::Manager, Role::Employee].into());
    let own = office
        .run(&["user", "add", "omar@example.org", "--employee", "EMP-8"])
        .await;
    own.done();
    let users = users(&office).await;
    let said: Vec<_> = users
        .iter()
        .map(|one| {
            (
                one["name"].as_str(),
                one["employee"].as_str(),
                one["roles"].to_string(),
            )
        })
        .collect();
    assert_eq!(
        said,
        [
            (Some("Ada"), None, "[\"owner\"]".to_owned()),
            (
                Some("Mona Haddad"),
                Some("EMP-7"),
                "[\"manager\",\"employee\"]".to_owned()
            ),
            (
                Some("Omar Aziz"),
                Some("EMP-8"),
                "[\"employee\"]".to_owned()
            ),
        ]
    );
    let table = office.run(&["user", "list"]).await.done();
    assert!(
        table.out.contains("mona@example.org") && !table.out.contains("hash"),
        "{table:?}"
    );
}

#[tokio::test]
async fn what_cannot_be_is_refused_by_name() {
    let office = office().await;
    for (args, code, parts) in [
        (
            &["user", "add", "m@e.org", "--name", "M"][..],
            2,
            &["needs a role"][..],
        ),
        (&["user", "add", "m@e.org", "--role", "hr"], 2, &["--name"]),
        (
            &[
                "user", "add", "m@e.org", "--name", "M", "--role", "employee",
            ],
            2,
            &["--employee"],
        ),
        (
            &["user", "add", "m@e.org", "--name", "M", "--role", "boss"],
            2,
            &["owner, hr, it"],
        ),
        (
            &["user", "add", "m@e.org", "--employee", "X9"],
            1,
            &["nobody has the code \"X9\""],
        ),
        (
            &["user", "add", "m", "--name", "M", "--role", "hr"],
            1,
            &["no e-mail address"],
        ),
        (
            &[
                "user",
                "add",
                "ADA@example.org",
                "--name",
                "A",
                "--role",
                "hr",
            ],
            1,
            &["exists already"],
        ),
        (
            &["user", "link", "eve@example.org"],
            1,
            &["nobody signs in with", "muster user list"],
        ),
        (
            &["user", "disable", "ada@example.org"],
            1,
            &["only account of an owner", "next: Add another owner"],
        ),
        (
            &["user", "edit", "ada@example.org", "--role", "hr"],
            1,
            &["only account of an owner"],
        ),
        (
            &["user", "managers", "Spinning"],
            1,
            &["there is no department \"Spinning\""],
        ),
        (
            &["user", "managers", "Weaving", "--lead", "ada@example.org"],
            1,
            &["does not have the role manager"],
        ),
    ] {
        office.run(args).await.failed(code, parts);
    }
    assert_eq!(office.rows("accounts").await, 1);
    assert_eq!(office.rows("department_managers").await, 0);
}

#[tokio::test]
async fn accounts_are_edited_disabled_and_lead_departments() {
    let office = office().await;
    let add = ["user", "add", "mona@example.org", "--employee", "EMP-7"];
    office.run(&add).await.done();
    let edit = ["user", "edit", "mona@example.org", "--role", "manager"];
    let more = ["--new-email", "m.haddad@example.org", "--no-employee"];
    office.run(&[&edit[..], &more].concat()).await.done();
    let lead = [
        "user",
        "managers",
        "Weaving",
        "--lead",
        "m.haddad@example.org",
    ];
    office.run(&lead).await.done();
    let said = office.run(&["user", "managers", "Weaving"]).await.done();
    assert_eq!(said.out, "m.haddad@example.org\n");
    let mona = users(&office).await.remove(1);
    assert_eq!(mona["leads"][0], "Weaving");
    assert!(
        mona["employee"].is_null() && mona["disabled"].is_null(),
        "{mona}"
    );
    for (action, disabled) in [("disable", true), ("enable", false)] {
        office
            .run(&["user", action, "m.haddad@example.org"])
            .await
            .done();
        let mona = users(&office).await.remove(1);
        assert_eq!(!mona["disabled"].is_null(), disabled, "{mona}");
    }
    office
        .run(&["user", "managers", "Weaving", "--nobody"])
        .await
        .done();
    assert_eq!(office.rows("department_managers").await, 0);
    // With another owner who can sign in, the first one may go.
    let second = [
        "user",
        "add",
        "olga@example.org",
        "--name",
        "Olga",
        "--role",
        "owner",
    ];
    office.run(&second).await.done();
    office
        .run(&["user", "disable", "ada@example.org"])
        .await
        .failed(1, &["only account of an owner"]);
    choose(&office, "olga@example.org").await;
    office
        .run(&["user", "disable", "ada@example.org"])
        .await
        .done();
}

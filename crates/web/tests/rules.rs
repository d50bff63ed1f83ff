//! The rules of each level, and what other rules would have made of a month, through the router.

mod company;

use axum::http::StatusCode;
use store::accounts::Role;
use store::policies::PolicyScope;

use crate::company::{Company, DAY, part};

/// The ten, of whom Giulia has punched at 09:19:05 and so was late.
async fn company() -> Company {
    let company = Company::of_ten().await;
    company.engine.judge.drain().await.expect("judged");
    company.state_is_fresh().await;
    company
}

#[tokio::test]
async fn other_rules_are_looked_at_before_they_are_saved() {
    let company = company().await;
    let cookie = company.owner().await;
    let page = company.get("/settings", Some(&cookie)).await;
    assert_eq!(page.status, StatusCode::OK, "{}", page.body);
    assert!(page.body.contains("name=\"grace_in_min\"") && page.body.contains("10 <span"));

    let form = "whose=&code=&grace_in_min=30&month=2026-05&step=what-if";
    let page = company.post("/settings", form, Some(&cookie)).await;
    assert_eq!(page.status, StatusCode::OK, "{}", page.body);
    let seen = part(&page.body, "what-if");
    assert!(seen.contains(">Giulia Romano<"), "{seen}");
    assert!(seen.contains("Late 19"), "{seen}");
    assert!(page.body.contains("value=\"30\""), "what was typed stays");
    let policies = company.store.policies().await.expect("policies");
    assert!(policies.is_empty(), "looking saves nothing");

    let form = form.replace("what-if", "save");
    let saved = company.post("/settings", &form, Some(&cookie)).await;
    assert_eq!(saved.status, StatusCode::SEE_OTHER, "{}", saved.body);
    company.engine.judge.drain().await.expect("judged");
    let day = company.get(&format!("/day/{DAY}"), Some(&cookie)).await;
    let giulia = &day.body[day.body.find("Giulia").expect("Giulia")..];
    assert!(!giulia[..giulia.find("</tr>").unwrap()].contains("Late"));
    let told = company.get("/settings", Some(&cookie)).await.body;
    assert!(
        told.contains("Saved the rules: Whole company."),
        "it is said once"
    );
    let values = company.store.policies().await.expect("policies");
    assert_eq!(values[&PolicyScope::Company].0["grace_in_min"], 30);
}

#[tokio::test]
async fn a_narrower_level_says_what_the_wider_one_does() {
    let company = company().await;
    let cookie = company.owner().await;
    let save = async |form: &str| {
        let form = format!("{form}&step=save");
        let answer = company.post("/settings", &form, Some(&cookie)).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.body);
        answer.location.expect("a page")
    };
    save("whose=&grace_in_min=5&half_day_below_min=240").await;
    let site = save("whose=site-1&grace_in_min=7").await;
    assert_eq!(site, "/settings?whose=site-1");
    let person = save("whose=employee&code=CT-1007&half_day_below_min=none").await;
    let page = company.get(&person, Some(&cookie)).await.body;
    assert!(page.contains(">Giulia Romano</span>"), "{page}");
    assert!(
        page.contains("<td>7 <span class=\"muted\" dir=\"auto\">(Karachi mill)"),
        "{page}"
    );
    assert!(page.contains("<td>240 <span class=\"muted\" dir=\"auto\">(Whole company)"));
    assert!(
        page.contains("value=\"none\""),
        "nothing is set here on purpose"
    );
    // Everything emptied is nothing set.
    save("whose=site-1&grace_in_min=").await;
    let policies = company.store.policies().await.expect("policies");
    assert_eq!(policies.len(), 2);
}

#[tokio::test]
async fn mistakes_stand_at_their_fields() {
    let company = company().await;
    let cookie = company.owner().await;
    let form = "grace_in_min=ten&night_start=25%3A00&month=2026-05&step=save";
    let page = company.post("/settings", form, Some(&cookie)).await.body;
    assert!(page.contains("id=\"h-grace_in_min\"") && page.contains("id=\"h-night_start\""));
    assert!(page.contains("value=\"ten\""), "what was typed stays");
    let page = company
        .get("/settings?whose=employee&code=NOBODY", Some(&cookie))
        .await;
    assert!(page.body.contains("Nobody has the code NOBODY."));
    let page = company.get("/settings?whose=site-99", Some(&cookie)).await;
    assert_eq!(page.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn only_hr_sets_rules() {
    let company = company().await;
    let cookie = company.sign_in(&[Role::Owner, Role::It]).await;
    for path in ["/settings"] {
        let page = company.get(path, Some(&cookie)).await;
        assert_eq!(page.status, StatusCode::NOT_FOUND, "{path}");
        let page = company.post(path, "step=save", Some(&cookie)).await;
        assert_eq!(page.status, StatusCode::NOT_FOUND, "{path}");
    }
}

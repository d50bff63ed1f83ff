//! Shifts, the roster, and the calendar, through the router.

mod company;

use attendance::Break;
use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use jiff::civil::Date;
use store::accounts::Role;
use store::audit::Author;
use store::periods::{Days, Part};
use store::roster::DayPlan;
use store::testing::author;

use crate::company::{Answer, Company, DAY, part};

async fn company() -> Company {
    let company = Company::of_ten().await;
    company.engine.judge.drain().await.expect("judged");
    company.state_is_fresh().await;
    company
}

fn date(text: &str) -> Date {
    text.parse().expect("a date")
}

impl Company {
    /// Sends a form that is to be kept; the page it leads to.
    async fn kept(&self, path: &str, form: &str, cookie: &str) -> String {
        let answer = self.post(path, form, Some(cookie)).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.body);
        let to = answer.location.expect("a page");
        self.get(&to, Some(cookie)).await.body
    }

    /// Sends a form that is refused; the page that says why.
    async fn refused(&self, path: &str, form: &str, cookie: &str) -> String {
        let answer = self.post(path, form, Some(cookie)).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
        answer.body
    }

    async fn add_night_shift(&self, cookie: &str) {
        let form = "name=NIGHT&form=fixed&start=22%3A00&end=06%3A00&start=&end=\
                    &break=unpaid&break_start=02%3A00&break_end=02%3A30&break_after=&break_minutes=&break=&grace_in_min=5";
        let page = self.kept("/shifts/new", form, cookie).await;
        assert!(part(&page, "shifts").contains("22:00–06:00"), "{page}");
    }

    /// Nothing of the day may change any more.
    async fn close(&self, day: &str) {
        let days = Days {
            from: date(day),
            to: date(day),
            of: Part::Everybody,
        };
        self.engine.judge.drain().await.expect("judged");
        let tx = self.store.begin_write().await.expect("a transaction");
        let author = Author {
            at: self.engine.clock.now(),
            ..author()
        };
        tx.close_days(days, Some("for the test"), author)
            .await
            .expect("closed");
        tx.commit().await.expect("committed");
    }

    async fn upload(&self, path: &str, file: &str, confirm: bool, cookie: &str) -> Answer {
        let (name, confirm) = match confirm {
            true => (
                "name=\"text\"",
                "\r\n--X\r\nContent-Disposition: form-data; name=\"confirm\"\r\n\r\n1",
            ),
            false => ("name=\"file\"; filename=\"a.csv\"", ""),
        };
        let body = format!(
            "--X\r\nContent-Disposition: form-data; {name}\r\n\r\n{file}{confirm}\r\n--X--\r\n"
        );
        let request = Request::post(path)
            .header(header::HOST, "muster.test")
            .header("sec-fetch-site", "same-origin")
            .header(header::CONTENT_TYPE, "multipart/form-data; boundary=X");
        self.send(request, Body::from(body), Some(cookie)).await
    }
}

#[tokio::test]
async fn shifts_are_added_and_edited_whole() {
    let company = company().await;
    let cookie = company.owner().await;
    company.add_night_shift(&cookie).await;
    let shifts = company.store.shifts().await.expect("shifts");
    let night = shifts.iter().find(|one| one.name == "NIGHT");
    let night = night.expect("the new shift").clone();
    assert!(matches!(
        night.shift.breaks[..],
        [Break::Fixed { paid: false, .. }]
    ));
    assert_eq!(night.shift.policy.0["grace_in_min"], 5);

    // What the form shows, sent again, changes nothing.
    let path = format!("/shifts/{}", night.id);
    let page = company.get(&path, Some(&cookie)).await.body;
    for value in ["NIGHT", "22:00", "06:00", "02:30", "5"] {
        assert!(page.contains(&format!("value=\"{value}\"")), "{value}");
    }
    let form = "name=NIGHT&form=flexible&required=480&core_start=11%3A00&core_end=15%3A00&break=auto&break_after=360&break_minutes=30";
    let page = company.kept(&path, form, &cookie).await;
    assert!(
        part(&page, "shifts").contains("Flexible, 8 h 00, 11:00–15:00"),
        "{page}"
    );

    let page = company
        .refused("/shifts/new", "name=DAY&form=fixed", &cookie)
        .await;
    assert!(page.contains("Enter when the shift starts and ends."));
    let form = "name=NIGHT&form=fixed&start=9&end=18%3A00&break=auto&break_minutes=30&late_count_from=noon";
    let page = company.refused("/shifts/new", form, &cookie).await;
    for wrong in ["Enter times like 09:00", "not complete", "of the list"] {
        assert!(page.contains(wrong), "{wrong}: {page}");
    }
    let form = "name=NIGHT&form=fixed&start=09%3A00&end=18%3A00";
    let page = company.refused("/shifts/new", form, &cookie).await;
    assert!(page.contains("NIGHT exists already."), "{page}");
}

#[tokio::test]
async fn weeks_rotations_and_weekly_offs_name_shifts() {
    let company = company().await;
    let cookie = company.owner().await;
    company.add_night_shift(&cookie).await;
    let form = "name=Office&day=General&day=General&day=General&day=General&day=General%2BNIGHT&day=off&day=";
    let page = company.kept("/shifts/week/new", form, &cookie).await;
    assert!(part(&page, "weeks").contains("General+NIGHT"));
    let week = &company.store.week_patterns().await.expect("weeks")[0];
    assert_eq!(week.days[6], DayPlan::Off);
    let path = format!("/shifts/week/{}", week.id);
    let page = company.get(&path, Some(&cookie)).await.body;
    assert!(page.contains("value=\"General+NIGHT\""), "{page}");
    company
        .kept(&path, &form.replace("Office", "Mill"), &cookie)
        .await;

    let form = "name=Guard&days=General%0D%0Aauto+General%2BNIGHT%0D%0Aoff";
    let page = company.kept("/shifts/rotation/new", form, &cookie).await;
    assert!(part(&page, "rotation").contains("General · auto General+NIGHT · off"));
    let page = company
        .refused(
            "/shifts/rotation/new",
            "name=X&days=General%0ALATE",
            &cookie,
        )
        .await;
    assert!(page.contains("Day 2: There is no shift "), "{page}");
    let page = company
        .refused("/shifts/rotation/new", "name=X&days=", &cookie)
        .await;
    assert!(page.contains("Enter at least one day."), "{page}");

    let form = "name=Fridays&off=5-0&off=6-2";
    let page = company.kept("/shifts/off/new", form, &cookie).await;
    assert!(
        part(&page, "off").contains("Friday · 2nd Saturday"),
        "{page}"
    );
}

#[tokio::test]
async fn the_roster_says_what_holds_on_each_day() {
    let company = company().await;
    let cookie = company.owner().await;
    company.add_night_shift(&cookie).await;
    company
        .kept("/shifts/off/new", "name=Sundays&off=7-0", &cookie)
        .await;
    let night = company.store.shifts().await.expect("shifts");
    let night = night.iter().find(|one| one.name == "NIGHT").unwrap().id;
    let off = company.store.weekly_offs().await.expect("offs")[0].id;
    let asma = company.people[0];

    let form = format!(
        "week=2026-W20&person={asma}&from=2026-05-14&shift={night}&weekly_off={off}&step=change"
    );
    let page = company.kept("/roster/plan", &form, &cookie).await;
    assert!(page.contains("Changed the plan of one person."), "{page}");
    let asma_says = |page: &str| {
        let start = page.find(">Asma Jabeen</a>").expect("Asma");
        let row = &page[start..start + page[start..].find("</tr>").expect("a row")];
        let cells = row.split("<td class=\"nowrap\">").skip(1);
        let texts = cells.map(|cell| cell[cell.find('>').unwrap() + 1..].to_owned());
        texts
            .map(|cell| cell[..cell.find("</a>").unwrap()].to_owned())
            .collect::<Vec<_>>()
    };
    let (general, night_text) = ("General", "NIGHT");
    assert_eq!(
        asma_says(&page),
        [
            general, general, general, night_text, night_text, night_text, "off"
        ]
    );

    company
        .kept(
            "/roster/CT-1001/2026-05-17",
            "plan=General&on_holiday=1",
            &cookie,
        )
        .await;
    let form = "day=2026-05-15&holiday=Ascension&site=";
    let page = company.kept("/calendar/holiday", form, &cookie).await;
    assert!(part(&page, "holidays").contains("Ascension"));
    let page = company
        .get("/roster?week=2026-W20", Some(&cookie))
        .await
        .body;
    assert_eq!(asma_says(&page)[6], "<b>General</b> *");
    assert!(page.contains("<small class=\"muted\">Holiday</small>"));

    let day = company
        .get("/roster/CT-1001/2026-05-17", Some(&cookie))
        .await
        .body;
    assert!(part(&day, "changes").contains("NIGHT · Sundays"), "{day}");
    company
        .kept("/roster/CT-1001/2026-05-17", "step=as-planned", &cookie)
        .await;
    let form = format!("week=2026-W20&person={asma}&from=2026-05-14&step=take-back");
    let page = company.kept("/roster/plan", &form, &cookie).await;
    assert_eq!(asma_says(&page), [general; 7]);

    let page = company.refused("/roster/plan", "from=x", &cookie).await;
    assert!(page.contains("Choose somebody") && page.contains("Enter a date like"));
    let page = company
        .refused("/roster/CT-1001/2026-05-17", "plan=LATE", &cookie)
        .await;
    assert!(page.contains("There is no shift"), "{page}");
    for path in ["/roster?week=2026-W60", "/roster/NOBODY/2026-05-17"] {
        let page = company.get(path, Some(&cookie)).await;
        assert_eq!(page.status, StatusCode::NOT_FOUND, "{path}");
    }
}

#[tokio::test]
async fn leave_is_entered_with_its_type_and_removed() {
    let company = company().await;
    let cookie = company.owner().await;
    let form = "type_name=Annual+leave&type_code=AL&paid=1";
    let page = company.kept("/calendar/type", form, &cookie).await;
    assert!(part(&page, "types").contains("value=\"Annual leave\""));
    let kind = company.store.leave_types().await.expect("types")[0].id;
    let form = format!(
        "code=CT-1001&kind=leave&leave_type={kind}&from=2026-05-18&to=2026-05-20&reason=sea"
    );
    company.kept("/calendar/leave", &form, &cookie).await;
    let form = "code=CT-1002&kind=on_duty&from=2026-05-18&part=second_half";
    let page = company.kept("/calendar/leave", form, &cookie).await;
    let list = part(&page, "leave");
    assert!(
        list.contains("Annual leave") && list.contains("sea"),
        "{list}"
    );
    assert!(list.contains("On duty") && list.contains("second half</span>"));
    let page = company.get("/calendar?code=CT-1002", Some(&cookie)).await;
    assert!(!part(&page.body, "leave").contains("Asma"));
    let page = company
        .get("/roster?week=2026-W21", Some(&cookie))
        .await
        .body;
    assert!(page.contains("On duty, second half") && page.contains("On leave"));

    let leave = company
        .store
        .leave_of(company.people[0], date("2026-05-18"), date("2026-05-18"))
        .await
        .expect("leave");
    let form = format!("what=leave&id={}", leave[0].id);
    let page = company.kept("/calendar/remove", &form, &cookie).await;
    assert!(!part(&page, "leave").contains("Asma"));

    let form = "code=X&from=2026-05-18&to=2026-05-17";
    let page = company.refused("/calendar/leave", form, &cookie).await;
    assert!(page.contains("Nobody has the code X.") && page.contains("before the first day"));
    let form = "type_name=Annual+leave&type_code=AL2";
    let page = company.refused("/calendar/type", form, &cookie).await;
    assert!(page.contains("exists already"), "{page}");
}

#[tokio::test]
async fn a_holiday_on_a_closed_day_says_that_its_reports_stay() {
    let company = company().await;
    let cookie = company.owner().await;
    company.close("2026-05-12").await;
    company.engine.judge.drain().await.expect("judged");
    let form = "day=2026-05-12&holiday=Flood&site=";
    let page = company.kept("/calendar/holiday", form, &cookie).await;
    assert!(
        page.contains("10 closed reports of that day stay as they are"),
        "{page}"
    );
    let form = "day=2026-05-13&holiday=Mud&site=";
    let page = company.kept("/calendar/holiday", form, &cookie).await;
    assert!(!page.contains("stay as they are;"), "{page}");
    let file = "day,name,site\n2026-05-12,Flood,Karachi mill\n";
    let checked = company
        .upload("/import/holidays", file, false, &cookie)
        .await;
    assert!(
        checked.body.contains("10 reports on these days are closed"),
        "{}",
        checked.body
    );
    let page = company
        .kept("/calendar/remove", "what=holiday&id=1", &cookie)
        .await;
    assert!(
        page.contains("10 closed reports of that day stay as they are"),
        "{page}"
    );
}

#[tokio::test]
async fn closed_days_refuse_and_the_form_says_so() {
    let company = company().await;
    let cookie = company.owner().await;
    company.close(DAY).await;
    // Giulia's day was judged before it was closed.
    let giulia = company.people[6];
    let said = "2026-05-12 is closed, so nothing was stored.";
    for (path, form) in [
        (
            "/roster/plan",
            format!("person={giulia}&from={DAY}&step=change"),
        ),
        ("/roster/CT-1007/2026-05-12", "plan=off&step=set".to_owned()),
        ("/calendar/leave", format!("code=CT-1007&from={DAY}")),
    ] {
        let page = company.refused(path, &form, &cookie).await;
        assert!(page.contains(said), "{path}: {page}");
    }
}

#[tokio::test]
async fn a_file_is_checked_before_it_is_imported() {
    let company = company().await;
    let cookie = company.owner().await;
    let roster = "code,day,to,plan\nCT-1001,2026-05-18,2026-05-19,off\n";
    let page = company
        .upload("/import/roster", roster, false, &cookie)
        .await;
    assert!(page.body.contains("2 new, 0 changed"), "{}", page.body);
    let (from, to) = (date("2026-05-18"), date("2026-05-19"));
    let single = company.store.overrides(None, from, to).await.expect("days");
    assert!(single.is_empty(), "checking stores nothing");
    let page = company
        .upload("/import/roster", roster, true, &cookie)
        .await;
    assert!(page.body.contains("Done: 2 new"), "{}", page.body);
    let single = company.store.overrides(None, from, to).await.expect("days");
    assert_eq!(single.len(), 2);

    let file = "day,name,site\n2026-05-01,Labour Day,Rome\n";
    let page = company
        .upload("/import/holidays", file, true, &cookie)
        .await;
    let said = part(&page.body, "checked");
    assert!(said.contains("<td class=\"num\">2</td>") && said.contains("there is no site"));
    let file = "code,from\nCT-1001,2026-06-01\n";
    let page = company.upload("/import/leave", file, true, &cookie).await;
    assert!(page.body.contains("Done: 1 new"), "{}", page.body);
    let page = company
        .upload("/import/leave", "code\n", false, &cookie)
        .await;
    assert!(
        page.body.contains("The file was not read."),
        "{}",
        page.body
    );
}

#[tokio::test]
async fn only_hr_plans() {
    let company = company().await;
    let cookie = company.sign_in(&[Role::Owner, Role::It]).await;
    for path in [
        "/shifts",
        "/shifts/new",
        "/shifts/1",
        "/shifts/week/new",
        "/roster",
        "/roster/CT-1001/2026-05-12",
        "/calendar",
        "/import/roster",
    ] {
        let page = company.get(path, Some(&cookie)).await;
        assert_eq!(page.status, StatusCode::NOT_FOUND, "{path}");
    }
    for path in [
        "/shifts/new",
        "/shifts/1",
        "/shifts/off/new",
        "/roster/plan",
        "/roster/CT-1001/2026-05-12",
        "/calendar/holiday",
        "/calendar/leave",
        "/calendar/type",
        "/calendar/remove",
    ] {
        let page = company.post(path, "name=X", Some(&cookie)).await;
        assert_eq!(page.status, StatusCode::NOT_FOUND, "{path}");
    }
    let today = company.get("/today", Some(&cookie)).await.body;
    assert!(!today.contains("href=\"/roster\"") && !today.contains("href=\"/settings\""));
}

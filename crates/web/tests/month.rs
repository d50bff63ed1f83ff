//! The month sheet, its files, and the way to payroll, through the router.

mod company;

use axum::http::StatusCode;
use store::accounts::Role;
use store::reports::ReportFields;
use store::testing::{bulk_reports, report_fields};

use crate::company::{Company, part, redacted};

/// The ten, whose reports of 12 May exist already, with a few days before it.
async fn company() -> Company {
    let company = Company::of_ten().await;
    company.state_is_fresh().await;
    let day = |person: usize, day: u8, says: ReportFields| {
        (company.people[person], format!("2026-05-{day:02}"), says)
    };
    let worked = |letter: &str, worked_min, late_min, overtime_min| ReportFields {
        worked_min,
        late_min,
        overtime_min,
        ..report_fields("present", letter)
    };
    let rows = [
        day(0, 1, worked("P", 485, 0, 77)),
        day(0, 4, worked("P*", 455, 25, 0)),
        day(
            0,
            5,
            ReportFields {
                exceptions: "missing_out".into(),
                ..worked("MO", 0, 0, 0)
            },
        ),
        day(0, 6, report_fields("absent", "A")),
        day(
            0,
            7,
            ReportFields {
                leave_part: "second_half".into(),
                ..worked("P/LV", 240, 0, 0)
            },
        ),
        day(0, 10, report_fields("weekly_off", "WO")),
        day(
            1,
            10,
            ReportFields {
                exceptions: "off_shift".into(),
                ..report_fields("weekly_off", "WO")
            },
        ),
        day(5, 1, worked("P*", 480, 61, 83)),
        day(6, 1, report_fields("unknown", "U")),
    ];
    let tx = company.store.begin_write().await.expect("a transaction");
    bulk_reports(&tx, &rows).await;
    tx.commit().await.expect("committed");
    company
}

/// The sheet's row of a person.
fn row(page: &str, name: &str) -> String {
    let start = page
        .find(&format!(">{name}</a>"))
        .expect("the person is in the sheet");
    let start = page[..start].rfind("<tr>").expect("a row");
    page[start..start + page[start..].find("</tr>").expect("its end")].to_owned()
}

/// The texts of the cells of a row of sums.
fn sums(row: &str) -> Vec<&str> {
    let cells = row.split("<td class=\"tot\">").skip(1);
    cells
        .map(|cell| &cell[..cell.find('<').unwrap_or(0)])
        .collect()
}

/// The row of a day on a time card, its texts only.
fn card_row(page: &str, day: &str) -> Vec<String> {
    let start = page
        .find(&format!(">{day}</th>"))
        .expect("a row of the day");
    let row = &page[start..start + page[start..].find("</tr>").expect("its end")];
    let cells = row.split("<td").skip(1);
    cells
        .map(|cell| {
            cell[cell.find('>').expect("a tag") + 1..cell.find("</td>").expect("its end")]
                .to_owned()
        })
        .collect()
}

#[tokio::test]
async fn a_time_card_has_every_day_and_the_sums_of_the_sheet() {
    let company = company().await;
    let cookie = company.owner().await;
    let card = company
        .get("/timecard/CT-1001/2026-05", Some(&cookie))
        .await;
    assert_eq!(card.status, StatusCode::OK, "{}", card.body);
    assert_eq!(card.body.matches("<th scope=\"row\">").count(), 31);
    let late = card_row(&card.body, "4 Mon");
    assert_eq!(late[3..5], ["7:35", "0:25"], "{late:?}");
    assert_eq!(late[8..], ["P*", "Present"]);
    let missing = card_row(&card.body, "5 Tue");
    assert_eq!(missing[8..], ["MO", "Present, Missing out"]);
    assert!(
        card_row(&card.body, "20 Wed").iter().all(String::is_empty),
        "nothing is known yet"
    );
    let foot = &card.body[card.body.find("<tfoot>").expect("a foot")..];
    for sum in [">19:40<", ">0:25<", ">1:17<"] {
        assert!(foot.contains(sum), "{sum}: {foot}");
    }
    assert!(card.body.contains("Draft: 1 open exception"));
    let person = company
        .get("/people/CT-1001?month=2026-05", Some(&cookie))
        .await;
    assert!(person.body.contains("href=\"/timecard/CT-1001/2026-05\""));
    for wrong in ["/timecard/CT-1001/2026-13", "/timecard/NOBODY/2026-05"] {
        let answer = company.get(wrong, Some(&cookie)).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{wrong}");
    }
}

#[tokio::test]
async fn the_cards_of_a_department_are_those_of_its_sheet() {
    let company = company().await;
    let cookie = company.owner().await;
    let departments = store::views::people::departments(&company.store).await;
    let departments = departments.expect("departments");
    let weaving = departments.iter().find(|one| one.name == "Weaving");
    let filter = format!("department={}", weaving.expect("a department").id);
    let sheet = format!("/month/2026-05?site=1&{filter}");
    let sheet = company.get(&sheet, Some(&cookie)).await.body;
    let link = format!("/timecards/2026-05?site=1&{filter}");
    assert!(sheet.contains(&link.replace('&', "&#38;")), "{sheet}");
    let cards = company.get(&link, Some(&cookie)).await.body;
    assert_eq!(cards.matches("class=\"card timecard\"").count(), 6);
    assert!(cards.contains("Faisal &#60;Al-Otaibi&#62;") && !cards.contains("Giulia Romano"));
    let open = company
        .get("/timecards/2026-05?show=exceptions", Some(&cookie))
        .await
        .body;
    assert_eq!(open.matches("class=\"card timecard\"").count(), 3);
}

#[tokio::test]
async fn a_letter_for_every_day_and_sums_that_are_those_of_the_reports() {
    let company = company().await;
    let cookie = company.owner().await;
    let page = company.get("/month/2026-05", Some(&cookie)).await;
    assert_eq!(page.status, StatusCode::OK, "{}", page.body);
    let asma = row(&page.body, "Asma Jabeen");
    redacted().bind(|| insta::assert_snapshot!("asma", asma.replace("</td><td", "</td>\n<td")));
    // P, HD, A, LV, OD, WO, H, U, late days, late minutes, overtime; the 12th is present too.
    assert_eq!(
        sums(&asma),
        ["5", "", "1", "", "", "1", "", "", "1", "25", "1:17"]
    );
    let label = "aria-label=\"Asma Jabeen, 4 May, Present, Late 25";
    assert!(asma.contains(label), "{asma}");
    assert!(asma.contains("href=\"/people/CT-1001/2026-05-04\""));
    // Something to decide without a letter of its own is outlined.
    assert!(row(&page.body, "Beata Kowalska").contains("<td class=\"d x-MO\"><a"));
    // Every column is the sum of its people, minutes too.
    let foot = part(&page.body, "sheet");
    let foot = &foot[foot.find("<tfoot>").expect("a foot")..];
    let all: Vec<(&str, &str)> = foot
        .split("<span class=\"key\">")
        .skip(1)
        .map(|key| {
            let text = |tag: &str| {
                let text = key.split(tag).nth(1).expect("a text");
                text.split('<').next().expect("its end")
            };
            (text("<b>"), text("class=\"sum\">"))
        })
        .collect();
    let number = |text: &str| match text.split_once(':') {
        Some((hours, minutes)) => {
            hours.parse::<i64>().unwrap() * 60 + minutes.parse::<i64>().unwrap()
        }
        None => text.parse().unwrap_or(0),
    };
    let mut added = vec![0; 11];
    for one in page
        .body
        .split("<tr>")
        .filter(|row| row.contains("class=\"who\""))
    {
        for (sum, text) in added.iter_mut().zip(sums(one)) {
            *sum += number(text);
        }
    }
    added.retain(|sum| *sum > 0);
    let said: Vec<i64> = all.iter().map(|(_, text)| number(text)).collect();
    assert_eq!(said, added, "{all:?}");
    assert_eq!(all.last(), Some(&("OT h", "2:40")), "77 and 83 minutes");
    assert!(
        !page.body.contains(" style="),
        "the policy forbids style attributes"
    );
    assert!(!page.body.contains("<Al-Otaibi>"), "names are escaped");
}

#[tokio::test]
async fn the_steps_count_what_is_open() {
    let company = company().await;
    let cookie = company.owner().await;
    let page = company.get("/month/2026-05", Some(&cookie)).await.body;
    assert!(
        page.contains("3 open exceptions") && page.contains("of 3 people"),
        "{page}"
    );
    assert!(page.contains("Not exported yet") && page.contains("Not closed"));
    assert!(
        page.contains("Draft: 3 open exceptions"),
        "the paper says that it is a draft"
    );
    let only = company
        .get("/month/2026-05?show=exceptions", Some(&cookie))
        .await
        .body;
    assert!(only.contains(">Asma Jabeen</a>") && only.contains(">Beata Kowalska</a>"));
    assert!(!only.contains(">Danish Aslam</a>"));
    let none = company
        .get("/month/2026-04?show=exceptions", Some(&cookie))
        .await
        .body;
    assert!(none.contains("No open exceptions."), "{none}");
}

#[tokio::test]
async fn files_have_the_filters_of_their_page() {
    let company = company().await;
    let cookie = company.owner().await;
    let page = company.get("/month/2026-05", Some(&cookie)).await.body;
    let stores = page
        .split("<option value=\"")
        .find(|option| option.contains(">Stores<"));
    let stores = stores
        .and_then(|option| option.split('"').next())
        .expect("a department")
        .to_owned();
    let page = company
        .get(
            &format!("/month/2026-05?department={stores}"),
            Some(&cookie),
        )
        .await
        .body;
    assert!(page.contains(">Giulia Romano</a>") && !page.contains(">Asma Jabeen</a>"));
    let href = format!("/month/2026-05.csv?site=1&#38;department={stores}");
    assert!(page.contains(&href), "{page}");
    let lines = async |path: &str| {
        let file = company.get(path, Some(&cookie)).await;
        assert_eq!(file.status, StatusCode::OK, "{path}");
        file.body
    };
    let csv = lines(&href.replace("&#38;", "&")).await;
    assert!(
        csv.starts_with("employee_code,name") && csv.lines().count() == 5,
        "{csv}"
    );
    assert!(csv.contains("CT-1007,Giulia Romano") && !csv.contains("Asma"));
    let only = lines("/month/2026-05.csv?show=exceptions&bom=1").await;
    assert!(
        only.starts_with('\u{feff}') && only.lines().count() == 4,
        "{only}"
    );
    // A day has more filters, and its order.
    let late = lines("/day/2026-05-12.csv?status=late&sort=late").await;
    let codes: Vec<_> = late
        .lines()
        .skip(1)
        .map(|line| line.split(',').nth(1).unwrap())
        .collect();
    assert_eq!(codes, ["CT-1007", "CT-1006"]);
    let card = lines("/timecard/CT-1001/2026-05.csv").await;
    assert_eq!(card.lines().count(), 32);
    let punches = lines("/punches/2026-05-12.csv").await;
    assert_eq!(punches.lines().count(), 3, "{punches}");
    assert!(lines("/month/2026-05.xlsx").await.starts_with("PK"));
    for gone in [
        "/month/2026-5",
        "/month/2026-05.pdf",
        "/timecard/nobody/2026-05.csv",
        "/punches/may.csv",
    ] {
        let answer = company.get(gone, Some(&cookie)).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{gone}");
    }
}

#[tokio::test]
async fn roles_decide_who_sees_sheets_and_payroll() {
    for (role, month, reports) in [
        (Role::Owner, true, false),
        (Role::Hr, true, true),
        (Role::It, false, false),
    ] {
        let company = Company::of_ten().await;
        let cookie = company.sign_in(&[role]).await;
        let open = async |path: &str| {
            let status = company.get(path, Some(&cookie)).await.status;
            status == StatusCode::OK
        };
        for path in [
            "/month/2026-05",
            "/month/2026-05.csv",
            "/punches/2026-05.csv",
            "/timecard/CT-1001/2026-05.csv",
        ] {
            assert_eq!(open(path).await, month, "{role:?} {path}");
        }
        for path in ["/reports", "/reports/profile"] {
            assert_eq!(open(path).await, reports, "{role:?} {path}");
        }
        let posted = company
            .post("/reports/payroll", "profile=x&month=2026-05", Some(&cookie))
            .await;
        let profile = company
            .post("/reports/profile", "name=x", Some(&cookie))
            .await;
        assert_eq!(
            posted.status == StatusCode::NOT_FOUND && !reports,
            !reports,
            "{role:?}"
        );
        assert_eq!(
            profile.status == StatusCode::NOT_FOUND,
            !reports,
            "{role:?}"
        );
    }
}

const PROFILE: &str = "name=Payroll&begins_on=1&site=&heading=No&field=employee_code&heading=Worked&field=hours%3Aworked&heading=&field=\
    &code=&of=&unit=days";

#[tokio::test]
async fn a_payroll_file_goes_from_profile_to_correction() {
    let company = company().await;
    let cookie = company.owner().await;
    let empty = company.get("/reports", Some(&cookie)).await.body;
    assert!(
        empty.contains("No payroll file has been described yet."),
        "{empty}"
    );
    let wrong = PROFILE.replace("hours%3Aworked", "shoes");
    let refused = company
        .post("/reports/profile", &wrong, Some(&cookie))
        .await
        .body;
    assert!(
        refused.contains("is no field") && refused.contains("value=\"Worked\""),
        "{refused}"
    );
    let saved = company
        .post("/reports/profile", PROFILE, Some(&cookie))
        .await;
    assert_eq!(saved.location.as_deref(), Some("/reports?profile=Payroll"));
    let form = company
        .get("/reports/profile?name=Payroll", Some(&cookie))
        .await
        .body;
    assert!(form.contains("value=\"hours:worked\""));

    // Days are open, so nothing is handed over without a reason.
    let checked = company
        .get("/reports?month=2026-05&profile=Payroll", Some(&cookie))
        .await
        .body;
    assert!(
        checked.contains("days are open.")
            && checked.contains("CT-1001</a> · Tue 5 May · Missing out"),
        "{checked}"
    );
    let refused = company
        .post(
            "/reports/payroll",
            "profile=Payroll&month=2026-05",
            Some(&cookie),
        )
        .await;
    assert_eq!(refused.status, StatusCode::SEE_OTHER);
    let told = company
        .get(&refused.location.expect("a page"), Some(&cookie))
        .await
        .body;
    assert!(told.contains("Nothing was handed over."), "{told}");
    assert!(
        company
            .store
            .payroll_exports(None, 9)
            .await
            .expect("exports")
            .is_empty()
    );

    let waived = "profile=Payroll&month=2026-05&because=the+bank+closes";
    company
        .post("/reports/payroll", waived, Some(&cookie))
        .await;
    let page = company.get("/reports", Some(&cookie)).await.body;
    assert!(
        page.contains("open days waived by Farhan: the bank closes"),
        "{page}"
    );
    let export = company
        .store
        .payroll_exports(None, 9)
        .await
        .expect("exports")[0]
        .clone();
    let file = company
        .get(
            &format!("/reports/exports/{}.csv", export.id),
            Some(&cookie),
        )
        .await
        .body;
    // 485 + 455 + 0 + 240 minutes.
    assert!(file.starts_with("No,Worked\nCT-1001,19.67\n"), "{file}");

    let tx = company.store.begin_write().await.expect("a transaction");
    let more = ReportFields {
        worked_min: 60,
        ..report_fields("present", "P")
    };
    bulk_reports(&tx, &[(company.people[0], "2026-05-06".to_owned(), more)]).await;
    tx.commit().await.expect("committed");
    let checked = company
        .get("/reports?month=2026-05&profile=Payroll", Some(&cookie))
        .await
        .body;
    assert!(
        checked.contains("1 line has changed since the last export"),
        "{checked}"
    );
    company
        .post("/reports/payroll", waived, Some(&cookie))
        .await;
    let second = company
        .store
        .payroll_exports(None, 9)
        .await
        .expect("exports")[0]
        .id;
    let corrections = company
        .get(
            &format!("/reports/exports/{second}-corrections.csv"),
            Some(&cookie),
        )
        .await
        .body;
    assert_eq!(
        corrections,
        "correction,No,Worked\nbefore,CT-1001,19.67\nafter,CT-1001,20.67\n"
    );
    let again = company
        .get(
            &format!("/reports/exports/{}.csv", export.id),
            Some(&cookie),
        )
        .await
        .body;
    assert_eq!(again, file, "what was handed over does not change");
    let month = company.get("/month/2026-05", Some(&cookie)).await.body;
    assert!(month.contains("since the export of"), "{month}");
}

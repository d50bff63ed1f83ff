//! Reports as tables and files, and the way of a payroll file.

use std::path::Path;

use store::reports::ReportFields;
use store::testing::{author, bulk_reports, employee_fields, report_fields};

use super::Office;

/// Ada with a good day, and one that waits for a decision.
async fn staffed() -> Office {
    let office = Office::open().await;
    let store = office.store().await;
    let tx = store.begin_write().await.expect("a transaction");
    let site = tx
        .add_site("Karachi", "Asia/Karachi", author())
        .await
        .expect("a site");
    let mut fields = employee_fields(site, "0007");
    fields.first_name = "=Ada".to_owned();
    fields.employed_from = Some("2026-05-04".parse().expect("a date"));
    fields.employed_to = Some("2026-05-05".parse().expect("a date"));
    let ada = tx.add_employee(&fields, author()).await.expect("a person");
    let good = ReportFields {
        worked_min: 485,
        ..report_fields("present", "P")
    };
    let open = ReportFields {
        exceptions: "missing_out".to_owned(),
        ..report_fields("present", "MO")
    };
    let rows = [
        (ada, "2026-05-04".to_owned(), good),
        (ada, "2026-05-05".to_owned(), open),
    ];
    bulk_reports(&tx, &rows).await;
    tx.commit().await.expect("committed");
    store.close().await.expect("it closes");
    office
}

#[tokio::test]
async fn a_month_is_a_table_and_the_same_file_twice() {
    let office = staffed().await;
    let said = office.run(&["report", "month", "2026-05"]).await.done();
    assert!(
        said.out.contains("=Ada") && said.out.contains("P  MO") && said.out.ends_with("1 person\n"),
        "{said:?}"
    );
    let csv = office
        .run(&["report", "month", "2026-05", "--format", "csv"])
        .await
        .done()
        .out;
    assert!(csv.contains("\n0007,'=Ada,Karachi,"), "{csv}");
    let path = |name: &str| office.folder.path().join(name);
    for name in ["a.xlsx", "b.xlsx"] {
        let to = path(name);
        let to = to.to_str().expect("a plain path");
        office
            .run(&[
                "report", "month", "2026-05", "--format", "xlsx", "--output", to,
            ])
            .await
            .done();
    }
    let read = |name: &str| std::fs::read(path(name)).expect("it was written");
    assert!(read("a.xlsx").starts_with(b"PK") && read("a.xlsx") == read("b.xlsx"));
    let json = office
        .run(&["report", "timecard", "0007", "2026-05", "--format", "json"])
        .await
        .done()
        .out;
    let days: Vec<serde_json::Value> = serde_json::from_str(&json).expect("an array");
    assert_eq!((days.len(), &days[0]["worked_min"]), (2, &485.into()));
    for (args, says) in [
        (
            &["report", "timecard", "9", "2026-05"][..],
            "nobody has the employee code 9",
        ),
        (
            &["report", "day", "2026-05-04", "--department", "Shoes"],
            "there is no department \"Shoes\"",
        ),
        (&["report", "month", "may"], "is no month such as 2026-05"),
    ] {
        let said = office.run(args).await;
        assert!(said.code != 0 && said.err.contains(says), "{said:?}");
    }
}

#[tokio::test]
async fn a_payroll_file_is_refused_waived_and_corrected() {
    let office = staffed().await;
    let profile = office.run(&["report", "profile", "show"]).await.done().out;
    let path = office.folder.path().join("payroll.toml");
    std::fs::write(&path, profile).expect("written");
    save(&office, &path).await;
    let payroll = [
        "report",
        "payroll",
        "2026-05",
        "--profile",
        "Payroll",
        "--format",
        "csv",
    ];
    let refused = office.run(&payroll).await;
    assert_eq!(refused.code, 1, "{refused:?}");
    assert!(
        refused.err.contains("0007 2026-05-05 missing_out") && refused.err.contains("--waive-by"),
        "{refused:?}"
    );
    assert_eq!(refused.out, "", "nothing is handed over");
    let waiver = ["--waive-by", "Marta", "--because", "the bank closes"];
    let done = office.run(&[&payroll[..], &waiver].concat()).await.done();
    assert!(
        done.out.starts_with("employee_code,name,present_days")
            && done.out.contains("\n0007,'=Ada,2.00,"),
        "{done:?}"
    );
    let again = office
        .run(&[&payroll[..], &["--corrections", "--dry-run"]].concat())
        .await
        .done();
    assert_eq!(
        again.out.lines().count(),
        1,
        "nothing has changed: {again:?}"
    );
    let none = office
        .run(&["report", "payroll", "2026-05", "--profile", "Other"])
        .await;
    assert!(
        none.err.contains("there is no payroll profile \"Other\""),
        "{none:?}"
    );
}

async fn save(office: &Office, file: &Path) {
    let file = file.to_str().expect("a plain path");
    let said = office
        .run(&["report", "profile", "save", "Payroll", file])
        .await
        .done();
    assert!(
        said.out.contains("stored the payroll profile Payroll"),
        "{said:?}"
    );
    let listed = office.run(&["report", "profile", "list"]).await.done();
    assert_eq!(listed.out, "Payroll\n");
}

//! Files of a small company: what is in them, that they say what the reports say, and that they can be trusted.

use std::collections::BTreeMap;
use std::io::Read;

use attendance::{DayPart, EmployeeId};
use calamine::{Data, Reader, Xlsx, open_workbook_from_rs};
use exports::payroll::{Change, Kept, Payroll, Profile, correction_columns, correction_rows};
use exports::{Export, ExportError, Format, Month, Totals, Whose, write_rows};
use jiff::civil::date;
use store::Store;
use store::calendar::{LeaveKind, NewLeave};
use store::reports::ReportFields;
use store::testing::{author, bulk_reports, device, employee_fields, on_sqlite, report_fields};
use store::views::sheet::{self, Scope};

const CSV: Format = Format::Csv { bom: false };

fn month() -> Month {
    "2026-05".parse().unwrap()
}

fn everybody() -> Whose {
    Whose::Scope(Scope::default())
}

/// Somebody with every kind of day, somebody who began on the 20th, and somebody whose name is an attack.
async fn company(store: &Store) -> Vec<EmployeeId> {
    let tx = store.begin_write().await.unwrap();
    let site = tx
        .add_site("Karachi", "Asia/Karachi", author())
        .await
        .unwrap();
    let weaving = tx.add_department(site, "Weaving", author()).await.unwrap();
    let mut people = Vec::new();
    for (code, first, last, from) in [
        ("0007", "Ada", "Király", None),
        ("0008", "Ben", "Okafor", Some(date(2026, 5, 20))),
        ("=9", "=HYPERLINK(\"http://x\")", "Ozil", None),
    ] {
        let mut fields = employee_fields(site, code);
        fields.first_name = first.to_owned();
        fields.last_name = last.to_owned();
        fields.department = Some(weaving);
        fields.employed_from = from;
        people.push(tx.add_employee(&fields, author()).await.unwrap());
    }
    let [ada, ben, third] = people[..] else {
        unreachable!()
    };
    let worked = |status: &str, letter: &str, worked, late, overtime| ReportFields {
        shift: "DAY".to_owned(),
        planned_min: 480,
        worked_min: worked,
        late_min: late,
        overtime_min: overtime,
        night_min: worked / 100,
        ..report_fields(status, letter)
    };
    let mut rows = vec![
        (ada, "2026-05-01", worked("present", "P", 485, 0, 0)),
        (ada, "2026-05-04", worked("present", "P*", 455, 25, 0)),
        (
            ada,
            "2026-05-05",
            ReportFields {
                exceptions: "missing_out,off_shift".to_owned(),
                ..worked("present", "MO", 0, 0, 0)
            },
        ),
        (ada, "2026-05-06", worked("half_day", "HD", 200, 0, 0)),
        (ada, "2026-05-07", report_fields("absent", "A")),
        (ada, "2026-05-08", report_fields("on_leave", "LV")),
        (ada, "2026-05-09", report_fields("weekly_off", "WO")),
        (
            ada,
            "2026-05-11",
            ReportFields {
                leave_part: "second_half".to_owned(),
                ..worked("present", "P/LV", 240, 0, 0)
            },
        ),
        (
            ada,
            "2026-05-12",
            ReportFields {
                overtime_levels: "[120,10]".to_owned(),
                ..worked("on_duty", "OD", 610, 0, 130)
            },
        ),
        (
            ada,
            "2026-05-13",
            ReportFields {
                reason: "not_covered".to_owned(),
                ..report_fields("unknown", "U")
            },
        ),
        (ada, "2026-05-14", report_fields("holiday", "H")),
        (
            ada,
            "2026-05-15",
            ReportFields {
                stage: "provisional".to_owned(),
                ..report_fields("not_arrived", "")
            },
        ),
        (ben, "2026-05-20", worked("present", "P", 480, 0, 0)),
    ];
    rows[0].2.first_in = Some("2026-05-01 08:58:30".to_owned());
    rows[0].2.last_out = Some("2026-05-01 18:03:00".to_owned());
    rows.push((third, "2026-05-01", worked("present", "P", 480, 0, 0)));
    // What is outside the month is not in it.
    rows.push((ada, "2026-06-01", worked("present", "P", 9999, 9, 9)));
    let rows: Vec<_> = rows
        .into_iter()
        .map(|(who, day, says)| (who, day.to_owned(), says))
        .collect();
    bulk_reports(&tx, &rows).await;
    let unpaid = tx
        .add_leave_type("Unpaid", "LWP", false, author())
        .await
        .unwrap();
    for (day, part) in [(8, DayPart::Full), (11, DayPart::SecondHalf)] {
        let leave = NewLeave {
            employee: ada,
            kind: LeaveKind::Leave,
            from: date(2026, 5, day),
            to: date(2026, 5, day),
            part,
            leave_type: (day == 11).then_some(unpaid),
            reason: String::new(),
        };
        tx.add_leave(&leave, author()).await.unwrap();
    }
    tx.commit().await.unwrap();
    people
}

async fn bytes(store: &Store, export: &Export, format: Format) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut file = export.to_file(store, format).await.unwrap();
    file.read_to_end(&mut bytes).unwrap();
    bytes
}

async fn csv(store: &Store, export: &Export) -> String {
    String::from_utf8(bytes(store, export, CSV).await).unwrap()
}

fn of_month() -> Export {
    Export::Month {
        month: month(),
        whose: everybody(),
    }
}

/// Compares with a file beside this test; `GOLDEN=1 cargo test -p exports` writes it anew.
#[track_caller]
fn golden(name: &str, text: &str) {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden")
        .join(name);
    if std::env::var_os("GOLDEN").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
    }
    let wanted = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(text, wanted, "{name}");
}

#[tokio::test]
async fn csv_files_are_as_they_always_were() {
    on_sqlite(async |store: Store| {
        company(&store).await;
        golden("month.csv", &csv(&store, &of_month()).await);
        let day = Export::Day {
            day: date(2026, 5, 1),
            whose: everybody(),
        };
        golden("day.csv", &csv(&store, &day).await);
        let card = Export::Timecard {
            code: "0007".to_owned(),
            month: month(),
        };
        golden("timecard.csv", &csv(&store, &card).await);
        let nobody = Export::Timecard {
            code: "9999".to_owned(),
            month: month(),
        };
        assert!(matches!(
            nobody.to_file(&store, CSV).await,
            Err(ExportError::NobodyWithCode(_))
        ));
    })
    .await;
}

/// Adds the reports up in another way than `Totals` does: by letter and column of the day file.
#[tokio::test]
async fn totals_are_the_sums_of_the_days() {
    on_sqlite(async |store: Store| {
        company(&store).await;
        let mut by_hand: BTreeMap<String, BTreeMap<String, i64>> = BTreeMap::new();
        for day in month().days() {
            let text = csv(
                &store,
                &Export::Day {
                    day,
                    whose: everybody(),
                },
            )
            .await;
            let mut reader = csv::Reader::from_reader(text.as_bytes());
            let headings = reader.headers().unwrap().clone();
            for record in reader.records().map(Result::unwrap) {
                let sums = by_hand.entry(record[1].to_owned()).or_default();
                for (heading, value) in headings.iter().zip(&record) {
                    if heading.ends_with("_min") {
                        *sums.entry(heading.to_owned()).or_default() +=
                            value.parse::<i64>().unwrap_or(0);
                    }
                }
                let column = match &record[6] {
                    "" => continue,
                    "present" => "present_days",
                    "half_day" => "half_days",
                    "on_leave" => "leave_days",
                    "not_due" | "not_arrived" => "open_days",
                    other => &format!("{other}_days"),
                };
                *sums.entry(column.to_owned()).or_default() += 1;
                *sums.entry("late_days".to_owned()).or_default() +=
                    i64::from(record[14] != *"0" && !record[14].is_empty());
                *sums.entry("exception_days".to_owned()).or_default() +=
                    i64::from(!record[19].is_empty());
            }
        }
        let text = csv(&store, &of_month()).await;
        let mut reader = csv::Reader::from_reader(text.as_bytes());
        let headings = reader.headers().unwrap().clone();
        let mut compared = 0;
        for record in reader.records().map(Result::unwrap) {
            let first = headings
                .iter()
                .position(|heading| heading == "present_days")
                .unwrap();
            for (heading, value) in headings.iter().zip(&record).skip(first) {
                let wanted = by_hand[&record[0]].get(heading).copied().unwrap_or(0);
                assert_eq!(value, wanted.to_string(), "{} {heading}", &record[0]);
                compared += 1;
            }
        }
        assert_eq!(compared, 3 * Totals::default().named().len());
    })
    .await;
}

#[tokio::test]
async fn an_excel_file_read_back_says_what_the_reports_say() {
    on_sqlite(async |store: Store| {
        let people = company(&store).await;
        let file = bytes(&store, &of_month(), Format::Xlsx).await;
        let mut workbook: Xlsx<_> = open_workbook_from_rs(std::io::Cursor::new(file)).unwrap();
        assert!(workbook.worksheet_formula("Sheet1").unwrap().is_empty());
        let range = workbook.worksheet_range("Sheet1").unwrap();
        let headings: Vec<String> = range
            .rows()
            .next()
            .unwrap()
            .iter()
            .map(ToString::to_string)
            .collect();
        let column = |name: &str| headings.iter().position(|heading| heading == name).unwrap();
        let tx = store.begin_read().await.unwrap();
        let ids: Vec<i64> = people.iter().map(|id| id.0).collect();
        let reports = sheet::reports(&tx, &ids, "2026-05-01", "2026-05-31")
            .await
            .unwrap();
        for person in sheet::people(&tx, &Scope::default(), "2026-05-01", "2026-05-31")
            .await
            .unwrap()
        {
            let row = range
                .rows()
                .find(|row| row[0] == Data::String(person.code.clone()))
                .unwrap();
            assert_eq!(row[1], Data::String(person.name()));
            let own: Vec<_> = reports
                .iter()
                .filter(|report| report.employee_id == person.id)
                .collect();
            for report in &own {
                let cell = row[column(&report.workday)].to_string();
                assert_eq!(cell, report.letter, "{} {}", person.code, report.workday);
            }
            let worked: i64 = own.iter().map(|report| report.worked_min).sum();
            assert_eq!(row[column("worked_min")], Data::Float(worked as f64));
        }
    })
    .await;
}

#[tokio::test]
async fn the_same_reports_are_the_same_bytes() {
    on_sqlite(async |store: Store| {
        company(&store).await;
        for export in [
            of_month(),
            Export::Day {
                day: date(2026, 5, 1),
                whose: everybody(),
            },
        ] {
            for format in [Format::Csv { bom: true }, Format::Xlsx, Format::Json] {
                let (first, again) = (
                    bytes(&store, &export, format).await,
                    bytes(&store, &export, format).await,
                );
                assert!(!first.is_empty() && first == again, "{export:?} {format:?}");
            }
        }
        // Nothing in the archive tells when it was made.
        let file = bytes(&store, &of_month(), Format::Xlsx).await;
        let mut archive = zip::ZipArchive::new(std::io::Cursor::new(file)).unwrap();
        for at in 0..archive.len() {
            let entry = archive.by_index(at).unwrap();
            let made = entry.last_modified().unwrap_or_default();
            assert_eq!(made, zip::DateTime::default(), "{:?}", entry.name());
        }
        let mut core = String::new();
        archive
            .by_name("docProps/core.xml")
            .unwrap()
            .read_to_string(&mut core)
            .unwrap();
        assert!(core.contains("2000-01-01T00:00:00Z"), "{core}");
    })
    .await;
}

#[tokio::test]
async fn a_filter_limits_who_is_in_the_file() {
    on_sqlite(async |store: Store| {
        let people = company(&store).await;
        let whose = Whose::Ids(vec![people[2].0, people[0].0]);
        let text = csv(
            &store,
            &Export::Month {
                month: month(),
                whose,
            },
        )
        .await;
        let codes: Vec<_> = text
            .lines()
            .skip(1)
            .map(|line| line.split(',').next().unwrap())
            .collect();
        assert_eq!(codes, ["'=9", "0007"], "in the order of the page");
        let other = Scope {
            site_id: None,
            department_id: Some(9999),
        };
        let text = csv(
            &store,
            &Export::Month {
                month: month(),
                whose: Whose::Scope(other),
            },
        )
        .await;
        assert_eq!(text.lines().count(), 1);
    })
    .await;
}

#[tokio::test]
async fn punches_are_exported_as_devices_recorded_them() {
    on_sqlite(async |store: Store| {
        let people = company(&store).await;
        let tx = store.begin_write().await.unwrap();
        let site = store.sites().await.unwrap()[0].id;
        let gate = device(&tx, site, "A1").await;
        let rows: Vec<_> = [
            "2026-04-30T23:59:59",
            "2026-05-01T00:00:00",
            "2026-05-31T23:59:59",
            "2026-06-01T00:00:00",
        ]
        .into_iter()
        .map(|clock| {
            let clock: jiff::civil::DateTime = clock.parse().unwrap();
            store::punches::PunchRow {
                user: "7",
                clock,
                fold: false,
                zone: "Asia/Karachi",
                instant: clock.in_tz("Asia/Karachi").unwrap().timestamp(),
                state: attendance::PunchState::None,
                verify: attendance::VerifyMode::Finger,
                suspect: false,
                employee: Some(people[0]),
            }
        })
        .collect();
        tx.insert_punches(gate, attendance::Way::Poll, author().at, &rows)
            .await
            .unwrap();
        tx.commit().await.unwrap();
        let export = |scope| Export::Punches {
            from: month().first(),
            to: month().last(),
            scope,
        };
        golden("punches.csv", &csv(&store, &export(Scope::default())).await);
        let none = Scope {
            site_id: None,
            department_id: Some(9999),
        };
        assert_eq!(csv(&store, &export(none)).await.lines().count(), 1);
    })
    .await;
}

const BY_CODE: &str = r#"{"columns":[{"heading":"Pers.No","field":"employee_code"},{"heading":"Code","field":"code"},
  {"heading":"Amount","field":"amount"},{"heading":"Unit","field":"unit"}],
 "codes":[{"code":"100","of":"worked","unit":"hours"},{"code":"210","of":"overtime:1","unit":"hours"},
  {"code":"220","of":"overtime:2","unit":"minutes"},{"code":"300","of":"leave:leave","unit":"days"},{"code":"305","of":"leave:LWP","unit":"days"},{"code":"310","of":"absent","unit":"days"},
  {"code":"320","of":"late","unit":"days"}]}"#;

async fn save(store: &Store, definition: &str) {
    let profile = Profile::parse(definition).unwrap();
    let tx = store.begin_write().await.unwrap();
    let json = serde_json::to_value(profile).unwrap();
    tx.save_payroll_profile("Payroll", &json, author())
        .await
        .unwrap();
    tx.commit().await.unwrap();
}

fn text_of(payroll: &Payroll) -> String {
    let mut text = String::new();
    let mut file = write_rows(&payroll.columns(), &payroll.rows(), CSV).unwrap();
    file.read_to_string(&mut text).unwrap();
    text
}

#[tokio::test]
async fn a_payroll_file_has_the_codes_of_the_profile() {
    on_sqlite(async |store: Store| {
        company(&store).await;
        save(&store, BY_CODE).await;
        let payroll = Payroll::prepare(&store, "Payroll", month()).await.unwrap();
        // 485+455+0+200+240+610 minutes are 33 h 10; a whole day of leave and a half one of another kind; "=9" sorts last.
        assert_eq!(
            text_of(&payroll),
            "Pers.No,Code,Amount,Unit\n0007,100,33.17,hours\n0007,210,2.00,hours\n0007,220,10,minutes\n0007,300,1.00,days\n0007,305,0.50,days\n\
             0007,310,1.00,days\n0007,320,1.00,days\n0008,100,8.00,hours\n'=9,100,8.00,hours\n"
        );
        let wide = r#"{"begins_on":21,"columns":[{"heading":"No","field":"employee_code"},{"heading":"From","field":"period_from"},
          {"heading":"Days","field":"days:present"}]}"#;
        save(&store, wide).await;
        let payroll = Payroll::prepare(&store, "Payroll", "2026-06".parse().unwrap()).await.unwrap();
        assert_eq!(
            text_of(&payroll),
            "No,From,Days\n0007,2026-05-21,1.00\n0008,2026-05-21,0.00\n'=9,2026-05-21,0.00\n"
        );
        save(&store, &wide.replace("\"begins_on\":21", "\"begins_on\":1")).await;
        let payroll = Payroll::prepare(&store, "Payroll", month()).await.unwrap();
        assert!(text_of(&payroll).contains("0007,2026-05-01,3.50\n"), "half a day of leave leaves half a day: {}", text_of(&payroll));
    })
    .await;
}

#[tokio::test]
async fn nothing_is_handed_over_while_days_are_open_unless_somebody_answers_for_it() {
    on_sqlite(async |store: Store| {
        company(&store).await;
        save(&store, BY_CODE).await;
        let payroll = Payroll::prepare(&store, "Payroll", month()).await.unwrap();
        let open: Vec<String> = payroll.open.iter().map(ToString::to_string).collect();
        for wanted in [
            "0007 2026-05-05 missing_out, off_shift",
            "0007 2026-05-13 unknown",
            "0007 2026-05-15 not_final",
            "0007 2026-05-16 not_judged",
        ] {
            assert!(open.iter().any(|day| day == wanted), "{wanted}: {open:?}");
        }
        assert!(
            !open.iter().any(|day| day.starts_with("0008 2026-05-19")),
            "before the employment: {open:?}"
        );
        let refused = payroll.hand_over(&store, None, author()).await;
        assert!(matches!(refused, Err(ExportError::Open(days)) if days == open.len()));
        assert!(
            payroll
                .hand_over(&store, Some(("Marta", "  ")), author())
                .await
                .is_err()
        );
        assert!(store.payroll_exports(None, 10).await.unwrap().is_empty());
        payroll
            .hand_over(&store, Some(("Marta", "the bank closes at noon")), author())
            .await
            .unwrap();
        let kept = &store.payroll_exports(None, 10).await.unwrap()[0];
        assert_eq!(
            (kept.waived, &*kept.waived_by),
            (i64::try_from(open.len()).unwrap(), "Marta")
        );
        let audited = &store.audit_entries(None, 1).await.unwrap()[0].detail;
        assert!(
            audited.contains("0007 2026-05-13 unknown") && audited.contains("noon"),
            "{audited}"
        );
    })
    .await;
}

#[tokio::test]
async fn what_a_profile_has_no_code_for_is_open() {
    on_sqlite(async |store: Store| {
        company(&store).await;
        save(
            &store,
            &BY_CODE.replace(r#"{"code":"220","of":"overtime:2","unit":"minutes"},"#, ""),
        )
        .await;
        let open = Payroll::prepare(&store, "Payroll", month())
            .await
            .unwrap()
            .open;
        assert!(
            open.iter()
                .any(|day| day.to_string() == "0007 uncoded overtime:2"),
            "{open:?}"
        );
        save(
            &store,
            &BY_CODE.replace(r#"{"code":"305","of":"leave:LWP","unit":"days"},"#, ""),
        )
        .await;
        let open = Payroll::prepare(&store, "Payroll", month())
            .await
            .unwrap()
            .open;
        assert!(
            open.iter()
                .any(|day| day.to_string() == "0007 uncoded leave:LWP"),
            "{open:?}"
        );
        save(&store, BY_CODE).await;
        let open = Payroll::prepare(&store, "Payroll", month())
            .await
            .unwrap()
            .open;
        assert!(
            !open.iter().any(|day| day.to_string().contains("uncoded")),
            "{open:?}"
        );
    })
    .await;
}

#[tokio::test]
async fn the_next_export_lists_what_has_changed() {
    on_sqlite(async |store: Store| {
        let people = company(&store).await;
        save(&store, BY_CODE).await;
        let first = Payroll::prepare(&store, "Payroll", month()).await.unwrap();
        assert!(first.changes().is_none(), "there is nothing to compare with");
        let waiver = Some(("Marta", "test"));
        let first_id = first.hand_over(&store, waiver, author()).await.unwrap();
        let tx = store.begin_write().await.unwrap();
        let changed = ReportFields { worked_min: 540, ..report_fields("present", "P") };
        bulk_reports(&tx, &[
            (people[1], "2026-05-20".to_owned(), changed.clone()),
            (people[1], "2026-05-21".to_owned(), report_fields("absent", "A")),
            (people[2], "2026-05-01".to_owned(), report_fields("present", "P")),
        ]).await;
        tx.commit().await.unwrap();
        let second = Payroll::prepare(&store, "Payroll", month()).await.unwrap();
        let changes = second.changes().unwrap();
        let mut text = String::new();
        write_rows(&correction_columns(&second.headings), &correction_rows(&changes), CSV)
            .unwrap()
            .read_to_string(&mut text)
            .unwrap();
        assert_eq!(
            text,
            "correction,Pers.No,Code,Amount,Unit\nbefore,0008,100,8.00,hours\nafter,0008,100,9.00,hours\nnew,0008,310,1.00,days\n\
             gone,'=9,100,8.00,hours\n"
        );
        assert!(matches!(changes[2], Change::Gone(_)));
        assert_eq!(changes[0].person(), "0008");
        let second_id = second.hand_over(&store, waiver, author()).await.unwrap();
        // Both can be had again, as they were.
        let (kept, before) = Kept::load(&store, second_id).await.unwrap().unwrap();
        assert_eq!(before.as_ref().unwrap().row.id, first_id);
        assert_eq!(kept.changes_since(&before.unwrap()), Some(changes));
        let (old, none) = Kept::load(&store, first_id).await.unwrap().unwrap();
        assert!(none.is_none());
        let mut again = String::new();
        old.to_file(CSV).unwrap().read_to_string(&mut again).unwrap();
        assert_eq!(again, text_of(&first));
        assert_ne!(old.row.hash, kept.row.hash);
        // Other columns cannot be compared.
        save(&store, &BY_CODE.replace("Pers.No", "Number")).await;
        let third = Payroll::prepare(&store, "Payroll", month()).await.unwrap();
        assert!(third.last.is_some() && third.changes().is_none());
    })
    .await;
}

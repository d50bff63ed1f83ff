//! How long a month takes: the sheet of 1,000 employees on a page, and that of 10,000 as an Excel file.
//!
//! Reports are stored in bulk, as if they had been judged. The file is written by another process, whose memory can be told from ours.

use std::time::{Duration, Instant};

use attendance::EmployeeId;
use exports::{Cell, Column, Export, ExportError, Format, Month, Sink, Whose};
use ingest::Clock;
use store::Store;
use store::reports::ReportFields;
use store::testing::{bulk_reports, report_fields};
use store::views::sheet::Scope;
use system_tests::{Database, Installation};

use crate::company::Company;
use crate::http::Client;
use crate::process::{Role, memory_kb};
use crate::table::{Row, median, millis, ratio};

const SHEET: usize = 1_000;
const FILE: usize = 10_000;
const REQUESTS: usize = 30;
const FILES: usize = 5;
const MONTH: &str = "2026-05";
/// People whose reports are stored together.
const TOGETHER: usize = 500;

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Runtime::new().expect("a runtime")
}

fn month() -> Month {
    MONTH.parse().expect("a month")
}

pub fn page() -> Vec<Row> {
    let runtime = runtime();
    let installation = runtime.block_on(Installation::new(Database::Sqlite));
    runtime.block_on(fill(installation.database_url(), SHEET));
    let server = installation.serve();
    let mut client = Client::connect(&server.base).expect("it listens");
    let link = installation.run_ok(&["setup-link"]);
    let path = &link[link.find("/setup/").expect("a link")..];
    let form = "name=Owner&email=owner%40plant.example&password=correct+horse+battery";
    assert_eq!(client.post(path.trim(), form).status, 303);
    let address = format!("/month/{MONTH}");
    let (mut ours, mut floor, mut bytes) = (Vec::new(), Vec::new(), 0);
    for _ in 0..REQUESTS {
        floor.push(client.get("/healthz").first_byte);
        let began = Instant::now();
        let answer = client.get(&address);
        assert_eq!(answer.status, 200);
        ours.push(began.elapsed());
        bytes = answer.bytes;
    }
    let (ours, floor) = (median(ours), median(floor));
    vec![Row {
        what: format!(
            "month sheet of {SHEET} employees, to its last byte ({} kB)",
            bytes / 1000
        ),
        result: millis(ours),
        floor: Some(format!("{} (`/healthz`)", millis(floor))),
        ratio: Some(ratio(ours, floor)),
        bar: "≤ 300 ms",
        met: ours <= Duration::from_millis(300),
    }]
}

pub fn file() -> Vec<Row> {
    let runtime = runtime();
    let installation = runtime.block_on(Installation::new(Database::Sqlite));
    runtime.block_on(fill(installation.database_url(), FILE));
    let url = installation.database_url().to_owned();
    let (mut ours, mut floor, mut used, mut without) = (Vec::new(), Vec::new(), 0, 0);
    let mut size = 0;
    for _ in 0..FILES {
        let (took, memory, _) = exported("read", &url);
        floor.push(took);
        without = without.max(memory);
        let (written, memory, bytes) = exported("xlsx", &url);
        ours.push(written);
        eprintln!("   read {}, written {}", millis(took), millis(written));
        used = used.max(memory);
        size = bytes;
    }
    let (ours, floor) = (median(ours), median(floor));
    vec![
        Row {
            what: format!("XLSX of {FILE} employees × month ({} kB)", size / 1000),
            result: millis(ours),
            floor: Some(format!("{} (the rows read and thrown away)", millis(floor))),
            ratio: Some(ratio(ours, floor)),
            bar: "≤ 5 s",
            met: ours <= Duration::from_secs(5),
        },
        Row {
            what: "the same: peak memory of the process".to_owned(),
            result: format!("{:.1} MB", used as f64 / 1024.0),
            floor: Some(format!(
                "{:.1} MB (the rows read and thrown away)",
                without as f64 / 1024.0
            )),
            ratio: Some(used as f64 / without.max(1) as f64),
            bar: "≤ 64 MB",
            met: used <= 64 * 1024,
        },
    ]
}

/// Time, peak memory in kB and size of one file.
fn exported(what: &str, url: &str) -> (Duration, u64, u64) {
    let mut role = Role::start("exporter", &[what.to_owned(), url.to_owned()]);
    let line = role.line();
    let numbers: Vec<u64> = line
        .split(' ')
        .map(|number| number.parse().expect("a number"))
        .collect();
    let [micros, memory, bytes] = numbers[..] else {
        panic!("{line}");
    };
    (Duration::from_micros(micros), memory, bytes)
}

/// Takes the rows and does nothing with them.
struct Nothing;

impl Sink for Nothing {
    type Done = u64;

    fn head(&mut self, _: &[Column]) -> Result<(), ExportError> {
        Ok(())
    }

    fn row(&mut self, row: &[Cell]) -> Result<(), ExportError> {
        std::hint::black_box(row);
        Ok(())
    }

    fn finish(self) -> Result<u64, ExportError> {
        Ok(0)
    }
}

/// Role: exports the month once and tells what it cost.
pub fn be_an_exporter(arguments: &[String]) {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let export = Export::Month {
        month: month(),
        whose: Whose::Scope(Scope::default()),
    };
    let (took, bytes) = runtime.block_on(async {
        let store = Store::open(&arguments[1]).await.expect("it opens");
        let began = Instant::now();
        let bytes = if arguments[0] == "xlsx" {
            let file = export.to_file(&store, Format::Xlsx).await.expect("a file");
            file.metadata().expect("it has a size").len()
        } else {
            export.into_sink(&store, Nothing).await.expect("all rows")
        };
        (began.elapsed(), bytes)
    });
    let peak = memory_kb("self", "VmHWM");
    println!("{} {peak} {bytes}", took.as_micros());
}

/// A company with a whole month of reports of every kind.
async fn fill(url: &str, people: usize) {
    let company = Company::new(url, "Europe/Berlin", people, Clock::system()).await;
    let store = &company.engine.store;
    for some in company.people.chunks(TOGETHER) {
        let reports: Vec<_> = some
            .iter()
            .flat_map(|person| {
                month()
                    .days()
                    .map(|day| (*person, day.to_string(), says(*person, day.day())))
            })
            .collect();
        let tx = store.begin_write().await.expect("a transaction");
        bulk_reports(&tx, &reports).await;
        tx.commit().await.expect("they are kept");
    }
    store.close().await.expect("it closes");
}

fn says(person: EmployeeId, day: i8) -> ReportFields {
    let kind = (person.0 + i64::from(day) * 7) % 40;
    let present = |letter: &str, late_min, overtime_min| ReportFields {
        shift: "Day".to_owned(),
        first_in: Some(format!("{MONTH}-{day:02} 08:58:30")),
        last_out: Some(format!("{MONTH}-{day:02} 18:03:00")),
        planned_min: 480,
        worked_min: 485 - late_min,
        late_min,
        overtime_min,
        ..report_fields("present", letter)
    };
    match kind {
        _ if day % 7 == 3 => report_fields("weekly_off", "WO"),
        0 => report_fields("absent", "A"),
        1 => report_fields("on_leave", "LV"),
        2 => report_fields("unknown", "U"),
        3 => ReportFields {
            exceptions: "missing_out".to_owned(),
            ..present("MO", 0, 0)
        },
        4..=8 => present("P*", 11 + kind * 3, 0),
        9..=12 => present("P", 0, 35 + kind),
        _ => present("P", 0, 0),
    }
}

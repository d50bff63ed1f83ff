//! The program as people and scripts run it, with bad input: each mistake has a message that names the step, and loses nothing.

#[path = "cli/discover.rs"]
mod discover;
#[path = "cli/fingerprints.rs"]
mod fingerprints;
#[path = "cli/report.rs"]
mod report;
#[path = "cli/user.rs"]
mod user;
#[path = "cli/waiting.rs"]
mod waiting;
#[path = "cli/why.rs"]
mod why;

use std::collections::BTreeMap;
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::civil::{Date, DateTime, date};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use simulators::{hik, zk};
use store::policies::PolicyScope;
use store::reports::JudgedDays;
use store::{Author, Store, sql};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::Command;

/// Longer than any of these commands takes, shorter than anybody's patience.
const LIMIT: Duration = Duration::from_secs(60);

/// A folder with a database, as `muster init` leaves it.
struct Office {
    folder: TempDir,
}

/// What a command said.
#[derive(Debug)]
struct Said {
    code: i32,
    out: String,
    err: String,
}

impl Office {
    async fn open() -> Self {
        let office = Self {
            folder: tempfile::tempdir().expect("a folder"),
        };
        office.run(&["init"]).await.done();
        office
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_muster"));
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("MUSTER_")) {
            command.env_remove(name);
        }
        command.env_remove("RUST_LOG").env("TZ", "UTC");
        // The default port is one, and tests run side by side.
        command.env("MUSTER_PUSH_LISTEN", "");
        command
            .args(args)
            .current_dir(self.folder.path())
            .kill_on_drop(true);
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    async fn run(&self, args: &[&str]) -> Said {
        self.run_with(args, "").await
    }

    async fn run_with(&self, args: &[&str], input: &str) -> Said {
        let mut child = self
            .command(args)
            .stdin(Stdio::piped())
            .spawn()
            .expect("muster starts");
        let mut stdin = child.stdin.take().expect("a pipe");
        // A command that does not read its input may have ended already.
        let _ = stdin.write_all(input.as_bytes()).await;
        drop(stdin);
        let ended = tokio::time::timeout(LIMIT, child.wait_with_output()).await;
        let output = ended.expect("it ends in time").expect("it runs");
        Said {
            code: output.status.code().expect("it ends by itself"),
            out: String::from_utf8(output.stdout).expect("UTF-8"),
            err: String::from_utf8(output.stderr).expect("UTF-8"),
        }
    }

    fn file(&self, name: &str, content: impl AsRef<[u8]>) {
        std::fs::write(self.folder.path().join(name), content).expect("a new file");
    }

    async fn add_zk(&self, terminal: &zk::RunningTerminal, serial: &str) {
        let address = terminal.addr().to_string();
        let args = [
            "device",
            "add",
            "--kind",
            "zk",
            "--serial",
            serial,
            "--address",
            &address,
        ];
        self.run(&args).await.done();
    }

    async fn add_hik(&self, terminal: &hik::RunningTerminal, password: &str) {
        let address = terminal.addr().to_string();
        let args = [
            "device",
            "add",
            "--kind",
            "hik",
            "--serial",
            terminal.label_serial(),
        ];
        let more = [
            "--address",
            &address,
            "--username",
            "operator",
            "--password-stdin",
        ];
        self.run_with(&[&args[..], &more[..]].concat(), password)
            .await
            .done();
    }

    async fn poll(&self) -> (Said, Value) {
        let said = self.run(&["poll", "--json"]).await;
        let totals = serde_json::from_str(&said.out).expect("standard output is one JSON object");
        (said, totals)
    }

    async fn devices(&self) -> Vec<Value> {
        let said = self.run(&["device", "list", "--json"]).await.done();
        serde_json::from_str(&said.out).expect("a JSON array")
    }

    async fn store(&self) -> Store {
        let file = self.folder.path().join("muster.db");
        let url = format!("sqlite://{}", file.display());
        Store::open(&url).await.expect("it is there")
    }

    /// How many rows a table has.
    async fn rows(&self, table: &str) -> i64 {
        let store = self.store().await;
        let text = format!("SELECT COUNT(*) FROM {table}");
        let row = sql::one(store.read(), &text, []).await.expect("a table");
        row.expect("one row").try_get_by_index(0).expect("a number")
    }
}

impl Said {
    #[track_caller]
    fn done(self) -> Self {
        assert_eq!(self.code, 0, "{self:?}");
        self
    }

    /// It ended with that code, and its message has each of these parts.
    #[track_caller]
    fn failed(&self, code: i32, parts: &[&str]) {
        assert_eq!(self.code, code, "{self:?}");
        for part in parts {
            assert!(
                self.out.contains(part) || self.err.contains(part),
                "{part:?} is not in {self:?}"
            );
        }
        assert!(!self.err.contains("panicked"), "{self:?}");
    }
}

fn monday() -> Date {
    date(2026, 3, 2)
}

fn evening() -> DateTime {
    monday().at(20, 0, 0, 0)
}

/// A terminal with 200 punches of ten people from February 2026 on, and its clock right.
async fn zk_terminal(serial: &str) -> zk::RunningTerminal {
    start_zk(zk::VirtualTerminal::new(serial)).await
}

async fn start_zk(terminal: zk::VirtualTerminal) -> zk::RunningTerminal {
    let records = zk::Records::new(200, 10, date(2026, 2, 10));
    let terminal = terminal
        .clock(right_clock())
        .users(records.user_table())
        .log(zk::Log::new(zk::LogLayout::Forty, records));
    terminal.start("127.0.0.1:0").await.expect("a free port")
}

/// Shows what it is in UTC, the zone of the first site.
fn right_clock() -> zk::Clock {
    Arc::new(|| TimeZone::UTC.to_datetime(ingest::Clock::system().now()))
}

async fn hik_terminal() -> hik::RunningTerminal {
    let clock = Arc::new(|| ingest::Clock::system().now().to_zoned(TimeZone::UTC));
    let login = hik::Login::new("operator", "Abc12345");
    hik::VirtualTerminal::new("GB9637211", login, clock)
        .users([hik::User::new("1042", "Aziza K.")])
        .events([
            hik::Event::face("1042", monday().at(8, 58, 30, 0)),
            hik::Event::face("1042", monday().at(18, 3, 0, 0)),
        ])
        .start("127.0.0.1:0")
        .await
        .expect("a free port")
}

fn zk_url(terminal: &zk::RunningTerminal) -> String {
    format!("zk://{}", terminal.addr())
}

#[track_caller]
fn assert_counts(totals: &Value, expected: [(&str, u64); 7]) {
    for (name, number) in expected {
        assert_eq!(totals[name], number, "{name} of {totals}");
    }
}

#[tokio::test]
async fn output_that_nobody_reads_any_more_ends_a_command_without_a_word() {
    let office = Office::open().await;
    let mut child = office
        .command(&["device", "list"])
        .spawn()
        .expect("muster starts");
    drop(child.stdout.take());
    let ended = child.wait_with_output().await.expect("it ends");
    assert_eq!(String::from_utf8_lossy(&ended.stderr), "");
    assert_eq!(ended.status.code(), Some(141));
}

#[tokio::test]
async fn polling_stores_each_punch_once_and_counts_what_came() {
    let office = Office::open().await;
    let terminal = zk_terminal("A8N5201160001").await;
    office.add_zk(&terminal, "A8N5201160001").await;
    let (said, totals) = office.poll().await;
    said.done();
    let names: Vec<_> = totals
        .as_object()
        .expect("an object")
        .keys()
        .map(String::as_str)
        .collect();
    let expected = [
        "devices",
        "duplicate",
        "failed",
        "new",
        "ok",
        "read",
        "rejected",
        "seconds",
    ];
    assert_eq!(names, expected);
    assert!(
        totals["seconds"]
            .as_f64()
            .is_some_and(|seconds| seconds > 0.0)
    );
    assert_counts(
        &totals,
        [
            ("devices", 1),
            ("ok", 1),
            ("failed", 0),
            ("read", 200),
            ("new", 200),
            ("duplicate", 0),
            ("rejected", 0),
        ],
    );

    assert!(terminal.punch("1001", evening(), 1, 1));
    let (said, totals) = office.poll().await;
    said.done();
    assert_eq!(totals["new"], 1);
    assert_eq!(office.rows("punches").await, 201);
    assert_eq!(terminal.counts().disables, 0);
}

#[tokio::test]
async fn what_a_terminal_with_a_wrong_clock_sent_is_counted() {
    let office = Office::open().await;
    let records = zk::Records::new(200, 10, date(2026, 2, 10));
    let five_hours_ago = || ingest::Clock::system().now() - SignedDuration::from_hours(5);
    let terminal = zk::VirtualTerminal::new("LATE1")
        .clock(Arc::new(move || {
            TimeZone::UTC.to_datetime(five_hours_ago())
        }))
        .users(records.user_table())
        .log(zk::Log::new(zk::LogLayout::Forty, records))
        .start("127.0.0.1:0")
        .await
        .expect("a free port");
    office.add_zk(&terminal, "LATE1").await;
    let (said, totals) = office.poll().await;
    said.failed(1, &["5 h 0 min behind", "(200 read, 200 new,"]);
    assert_counts(
        &totals,
        [
            ("devices", 1),
            ("ok", 0),
            ("failed", 1),
            ("read", 200),
            ("new", 200),
            ("duplicate", 0),
            ("rejected", 0),
        ],
    );
    assert_eq!(office.rows("punches").await, 200);
}

#[tokio::test]
async fn polled_punches_of_imported_people_are_judged() {
    let office = Office::open().await;
    let terminal = zk_terminal("A8N5201160001").await;
    office.add_zk(&terminal, "A8N5201160001").await;
    office.file(
        "people.csv",
        "code,first_name,device_id,employed_from\nE1,Ada,1001,2026-02-01\n",
    );
    let dry = office
        .run(&["employee", "import", "people.csv", "--dry-run"])
        .await
        .done();
    assert!(dry.out.contains("1 person would be added"), "{dry:?}");
    assert_eq!(office.rows("employees").await, 0);
    office
        .run(&["employee", "import", "people.csv"])
        .await
        .done();
    assert_eq!(office.rows("employees").await, 1);

    let lines = office.run(&["poll"]).await.done();
    assert!(lines.out.contains("A8N5201160001"), "{lines:?}");
    assert!(
        lines
            .out
            .contains("200 read, 200 new, 0 duplicate, 0 rejected"),
        "{lines:?}"
    );
    assert!(
        office
            .rows("attendance_reports WHERE first_in IS NOT NULL")
            .await
            >= 10
    );
    office
        .run(&["judge", "--from", "2026-02-01", "--to", "2026-03-31"])
        .await
        .done();
    office.run(&["judge", "--check"]).await.done();
}

#[tokio::test]
async fn rules_are_tried_set_and_days_are_closed() {
    let office = Office::open().await;
    let terminal = zk_terminal("A8N5201160001").await;
    office.add_zk(&terminal, "A8N5201160001").await;
    office.file(
        "people.csv",
        "code,first_name,device_id,employed_from\nE1,Ada,1001,2026-02-01\n",
    );
    office
        .run(&["employee", "import", "people.csv"])
        .await
        .done();
    office.run(&["poll"]).await.done();

    let days = ["--from", "2026-02-01", "--to", "2026-02-28"];
    let try_it = [&["policy", "what-if"][..], &days, &["debounce_s=86400"]].concat();
    let said = office.run(&try_it).await.done();
    assert!(
        said.out.contains("2026-02-10  E1 Ada: last_out"),
        "{said:?}"
    );
    assert!(said.out.contains("nothing was saved"), "{said:?}");
    let said = office.run(&["policy", "show"]).await.done();
    assert!(said.out.contains("nothing is set"), "{said:?}");
    office
        .run(&["policy", "set", "--employee", "E1", "debounce_s=86400"])
        .await
        .done();
    let said = office.run(&["policy", "show"]).await.done();
    assert_eq!(said.out, "employee E1: debounce_s = 86400\n");
    let said = office.run(&["policy", "set", "debounce=1"]).await;
    said.failed(1, &["debounce"]);
    office.run(&["judge"]).await.done();

    let close = ["period", "close", "2026-02-01", "2026-02-28"];
    let said = office.run(&close).await;
    said.failed(1, &["things are open", "written waiver"]);
    let waived = [&close[..], &["--waive", "agreed"]].concat();
    let said = office.run(&waived).await.done();
    assert_eq!(said.out, "closed 2026-02-01 to 2026-02-28 as period 1\n");
    office.file(
        "leave.csv",
        "code,from,to,reason\nE1,2026-02-10,2026-02-10,sea\nE1,2026-03-10,2026-03-10,sea\n",
    );
    let said = office.run(&["leave", "import", "leave.csv"]).await;
    said.failed(
        1,
        &["leave.csv:2: 2026-02-10 is closed", "nothing of leave.csv"],
    );
    office
        .run(&["period", "reopen", "1", "--reason", "leave came late"])
        .await
        .done();
    let said = office.run(&["period", "list"]).await.done();
    assert!(said.out.contains("agreed"), "{said:?}");
    office.run(&["leave", "import", "leave.csv"]).await.done();
    assert_eq!(office.rows("leave").await, 2);
}

#[tokio::test]
async fn a_changed_report_is_found_by_checking_and_mended_by_judging() {
    let office = Office::open().await;
    let terminal = zk_terminal("A8N5201160001").await;
    office.add_zk(&terminal, "A8N5201160001").await;
    office.file(
        "people.csv",
        "code,first_name,device_id,employed_from\nE1,Ada,1001,2026-02-01\n",
    );
    office
        .run(&["employee", "import", "people.csv"])
        .await
        .done();
    office.run(&["poll"]).await.done();

    // The rules change, and the marks of the days are lost.
    let store = office.store().await;
    let tx = store.begin_write().await.expect("a writer");
    let author = Author {
        account: None,
        at: Timestamp::UNIX_EPOCH,
    };
    let rules = serde_json::from_str("{\"debounce_s\":86400}").expect("an object");
    let set = tx.set_policy(PolicyScope::Company, Some(&rules), author);
    set.await.expect("a policy");
    let now = ingest::Clock::system().now();
    let claim = tx.claim_marked_days("nobody", now, now, None, None, 1000);
    let claim = claim.await.expect("marks");
    let covered = BTreeMap::new();
    let lost = tx.save_reports(&claim, JudgedDays::new(&store, now), &covered);
    assert_eq!(lost.await.expect("no report"), []);
    tx.commit().await.expect("it is kept");
    let said = office.run(&["judge", "--check"]).await;
    said.failed(1, &["2026-02-10  E1 Ada: last_out", "reports differ"]);
    office.run(&["judge"]).await.done();
    office.run(&["judge", "--check"]).await.done();
}

#[tokio::test]
async fn unknown_columns_of_a_file_are_named() {
    let office = Office::open().await;
    office.file("people.csv", "code,frist_name\n1,Ada\n");
    let said = office.run(&["employee", "import", "people.csv"]).await;
    said.failed(
        1,
        &[
            "nothing of people.csv was imported",
            "unknown column \"frist_name\"",
            "code,first_name,",
        ],
    );
    office.file("devices.csv", "kind,serial_number,adress\nzk,A1,10.0.0.9\n");
    let said = office.run(&["device", "import", "devices.csv"]).await;
    said.failed(
        1,
        &[
            "nothing of devices.csv was imported",
            "unknown column \"adress\"",
            "kind,serial_number,",
        ],
    );
    assert_eq!(
        (office.rows("employees").await, office.devices().await.len()),
        (0, 0)
    );
}

#[tokio::test]
async fn a_file_with_a_mistake_is_imported_not_at_all() {
    let office = Office::open().await;
    let mistakes = "kind,serial_number,name,site,address,port,username,password,comm_key,zone,mode\n\
                    zk,A1,Gate,,10.0.0.9,,,,,,\n\
                    zk,A1,Gate again,,10.0.0.10,,,,,,\n\
                    suprema,A2,,,,,,,,,\n\
                    zk,A3,,,10.0.0.11,70000,,,,,\n\
                    zk,A4,,,10.0.0.12,,,,secret9,,\n\
                    hik,A5,,,10.0.0.13,,,,,,\n\
                    zk,A6,,Mars,,,,,,,\n\
                    zk,A7,,,,,,,,Europe/Atlantis,\n\
                    hik,A8,,,,,,,,,pull\n\
                    zk,,,,,,,,,,\n";
    office.file("devices.csv", mistakes);
    let said = office.run(&["device", "import", "devices.csv"]).await;
    said.failed(
        1,
        &[
            "devices.csv:3: the serial number stands in line 2 already",
            "devices.csv:4: there is no kind \"suprema\"; the kinds are zk and hik",
            "devices.csv:5: the port \"70000\" is not a number from 1 to 65535",
            "devices.csv:6: the comm key is not a number",
            "devices.csv:7: a Hikvision terminal needs a user name and a password",
            "devices.csv:8: there is no site \"Mars\"",
            "devices.csv:9: \"Europe/Atlantis\" is no time zone",
            "devices.csv:10: there is no mode \"pull\"; there are poll, live and push",
            "devices.csv:11: a device needs a serial number",
            "nothing of devices.csv was imported: 9 lines are wrong",
        ],
    );
    assert!(!said.err.contains("secret9"), "{said:?}");
    assert_eq!(
        (office.devices().await.len(), office.rows("sites").await),
        (0, 0)
    );

    office.file("people.csv", "code,first_name,employed_from,shift\n1,Ada,2026-02-31,\n,Bob,,\n3,Cyd,,Night\n3,Dee,,\n4,Eve,,\n");
    let said = office.run(&["employee", "import", "people.csv"]).await;
    said.failed(
        1,
        &[
            "people.csv:2: employed_from \"2026-02-31\" is no date",
            "people.csv:3: an employee needs a code",
            "people.csv:4: there is no shift \"Night\"",
            "people.csv:5: code 3 stands in line 4 already",
            "4 lines are wrong",
        ],
    );
    assert_eq!(office.rows("employees").await, 0);
}

#[tokio::test]
async fn files_that_are_no_utf_8_or_hold_nul_are_refused_with_their_line() {
    let office = Office::open().await;
    office.file("latin.csv", b"code,first_name\n1,Ada\n2,Jos\xe9\n");
    let said = office.run(&["employee", "import", "latin.csv"]).await;
    said.failed(1, &["line 3 is not UTF-8 text"]);
    office.file("nul.csv", "code,first_name\n1,A\0da\n");
    let said = office.run(&["employee", "import", "nul.csv"]).await;
    said.failed(1, &["line 2", "first_name", "NUL"]);
    let said = office.run(&["employee", "import", "nowhere.csv"]).await;
    said.failed(1, &["nowhere.csv cannot be opened"]);
    assert_eq!(office.rows("employees").await, 0);
}

#[tokio::test]
async fn a_file_of_devices_is_imported_as_a_whole() {
    let office = Office::open().await;
    let file = "kind,serial_number,name,address,port,username,password,comm_key,zone\n\
                zk,A1,Main gate,10.0.0.9,,,,1234,Asia/Karachi\n\
                hik,B1,Lobby,10.0.0.10:8000,,admin,Abc12345,,\n\
                zk,C1,Cellar,,,,,,\n";
    office.file("devices.csv", file);
    let dry = office
        .run(&["device", "import", "devices.csv", "--dry-run"])
        .await
        .done();
    assert!(dry.out.contains("3 devices would be added"), "{dry:?}");
    assert_eq!(office.devices().await.len(), 0);
    office
        .run(&["device", "import", "devices.csv"])
        .await
        .done();
    let devices = office.devices().await;
    let shown: Vec<_> = devices
        .iter()
        .map(|device| (&device["name"], &device["port"], &device["condition"]))
        .collect();
    let expected = serde_json::json!([
        ["Cellar", null, "waits for an address"],
        ["Lobby", 8000, "not read yet"],
        ["Main gate", null, "not read yet"],
    ]);
    assert_eq!(serde_json::to_value(shown).expect("JSON"), expected);
    assert!(!format!("{devices:?}").contains("Abc12345"));
}

#[tokio::test]
async fn a_serial_number_is_registered_once() {
    let office = Office::open().await;
    let add = ["device", "add", "--kind", "zk", "--serial", "A1"];
    let first = office.run(&add).await.done();
    assert!(first.out.contains("made the first site, Main"), "{first:?}");
    let said = office.run(&add).await;
    said.failed(
        1,
        &[
            "a device with serial number A1 exists already",
            "muster device edit A1",
        ],
    );
    assert_eq!(office.devices().await.len(), 1);

    office.run(&["device", "remove", "A1"]).await.done();
    assert_eq!(office.devices().await.len(), 0);
    office
        .run(&["device", "remove", "A1"])
        .await
        .failed(1, &["there is no device with serial number \"A1\""]);
    office.run(&add).await.done();
}

#[tokio::test]
async fn what_cannot_be_asked_for_is_wrong_usage() {
    let office = Office::open().await;
    let zk = |more: &[&'static str]| {
        [&["device", "add", "--kind", "zk", "--serial", "A1"], more].concat()
    };
    for (args, part) in [
        (zk(&["--mode", "pull"]), "there are poll, live and push"),
        (zk(&["--address", "zk://10.0.0.9"]), "without zk://"),
        (zk(&["--address", "10.0.0.9:0"]), "from 1 to 65535"),
        (
            zk(&["--username", "admin"]),
            "a ZKTeco terminal has a comm key",
        ),
        (
            zk(&["--site", "Mars"]),
            "there is no site \"Mars\"; the sites are Main",
        ),
        (zk(&["--zone", "Europe/Atlantis"]), "is no time zone"),
        (zk(&["--interval", "1"]), "10..=86400"),
        (
            vec!["device", "add", "--kind", "suprema", "--serial", "A1"],
            "zk, hik",
        ),
        (
            vec!["terminal", "info", "10.0.0.9"],
            "zk://, hik:// or hiks://",
        ),
        (
            vec![
                "terminal",
                "punches",
                "zk://10.0.0.9",
                "--since",
                "yesterday",
            ],
            "yesterday",
        ),
        (
            vec!["judge", "--from", "2026-03-02", "--to", "2026-03-01"],
            "is before",
        ),
    ] {
        office.run(&args).await.failed(2, &[part]);
    }
    let said = office
        .run(&["terminal", "info", "hik://admin:s3cret?x@10.0.0.9"])
        .await;
    said.failed(2, &["this is no terminal URL"]);
    assert!(!said.err.contains("s3cret"), "{said:?}");
    assert_eq!(office.devices().await.len(), 0);
}

#[tokio::test]
async fn a_clock_is_shown_and_set() {
    let office = Office::open().await;
    let ahead = zk::VirtualTerminal::new("AHEAD1").clock(Arc::new(|| {
        let now = ingest::Clock::system().now() + SignedDuration::from_secs(5 * 3600 + 95);
        TimeZone::UTC.to_datetime(now)
    }));
    let terminal = ahead.start("127.0.0.1:0").await.expect("a free port");
    let url = zk_url(&terminal);
    let shown = office.run(&["terminal", "clock", &url]).await.done();
    assert!(
        shown.out.trim_end().ends_with(", 5 h 1 min ahead"),
        "{}",
        shown.out
    );
    assert_eq!(terminal.counts().of(202), 0);
    let set = [
        "terminal",
        "clock",
        &url,
        "--set",
        "--zone",
        "Asia/Karachi",
        "--json",
    ];
    let set: Value = serde_json::from_str(&office.run(&set).await.done().out).expect("JSON");
    assert_eq!(set["set"], true);
    let drift = |name: &str| set[name].as_i64().expect("a number");
    assert!((94..=96).contains(&drift("clock_drift_before_s")), "{set}");
    assert!(drift("clock_drift_s").abs() <= 2, "{set}");
    let wrong = office
        .run(&["terminal", "clock", &url, "--zone", "Mars/Olympus"])
        .await;
    assert_eq!(wrong.code, 2);
    terminal.set_fault(zk::Fault::IgnoreWrites);
    let failed = office.run(&["terminal", "clock", &url, "--set"]).await;
    assert_eq!(failed.code, 1);
    assert!(
        failed.err.contains("setting the clock failed at") && failed.err.contains("and shows"),
        "{}",
        failed.err
    );
}

#[tokio::test]
async fn an_unreachable_terminal_fails_at_connecting_and_delays_nobody() {
    let office = Office::open().await;
    let (gone, good) = (zk_terminal("GONE1").await, zk_terminal("GOOD1").await);
    office.add_zk(&gone, "GONE1").await;
    office.add_zk(&good, "GOOD1").await;
    gone.go_offline();
    let (said, totals) = office.poll().await;
    said.failed(1, &["connecting: no connection to", "GONE1"]);
    assert_counts(
        &totals,
        [
            ("devices", 2),
            ("ok", 1),
            ("failed", 1),
            ("read", 200),
            ("new", 200),
            ("duplicate", 0),
            ("rejected", 0),
        ],
    );
    let said = office.run(&["device", "test", "GONE1"]).await;
    said.failed(
        1,
        &[
            "connect  failed",
            "The terminal does not answer at 127.0.0.1, port",
            "power and network cable",
        ],
    );

    gone.go_online();
    let said = office.run(&["device", "poll", "GONE1"]).await.done();
    assert!(said.out.contains("200 new"), "{said:?}");
    assert_eq!(office.rows("punches").await, 400);
    assert!(
        office
            .devices()
            .await
            .iter()
            .all(|device| device["condition"] != "not read yet")
    );
}

#[tokio::test]
async fn a_wrong_comm_key_is_tried_once_until_it_is_changed() {
    let office = Office::open().await;
    let terminal = start_zk(zk::VirtualTerminal::new("KEY1").comm_key(1234)).await;
    let address = terminal.addr().to_string();
    let add = [
        "device",
        "add",
        "--kind",
        "zk",
        "--serial",
        "KEY1",
        "--address",
        &address,
        "--comm-key-stdin",
    ];
    office.run_with(&add, "99\n").await.done();
    let (said, totals) = office.poll().await;
    said.failed(1, &["signing in: the terminal refused the credentials"]);
    assert_eq!(
        (&totals["failed"], terminal.counts().auth_refused),
        (&Value::from(1), 1)
    );

    office
        .poll()
        .await
        .0
        .failed(1, &["not tried again before `muster device edit KEY1`"]);
    office
        .run(&["device", "test", "KEY1"])
        .await
        .failed(1, &["the credentials were refused before"]);
    assert_eq!(terminal.counts().auth_attempts, 1);
    assert_eq!(office.devices().await[0]["needs_edit"], true);

    office
        .run_with(&["device", "edit", "KEY1", "--comm-key-stdin"], "1234")
        .await
        .done();
    let (said, totals) = office.poll().await;
    said.done();
    assert_eq!(totals["new"], 200);

    let url = format!("zk://7@{address}");
    let said = office.run(&["terminal", "test", &url]).await;
    said.failed(
        1,
        &["sign in  failed", "Comm key refused. Muster tried it once"],
    );
    let said = office.run(&["terminal", "info", &zk_url(&terminal)]).await;
    said.failed(
        1,
        &["signing in failed", "wants a comm key", "zk://COMMKEY@HOST"],
    );
}

#[tokio::test]
async fn a_wrong_password_is_tried_once_until_it_is_changed() {
    let office = Office::open().await;
    let terminal = hik_terminal().await;
    office.add_hik(&terminal, "wr0ng-s3cret").await;
    let (said, totals) = office.poll().await;
    said.failed(1, &["signing in: the terminal refused the credentials"]);
    assert_eq!(totals["failed"], 1);
    let again = office.poll().await.0;
    again.failed(
        1,
        &[
            "signing in:",
            "not tried again before `muster device edit GB9637211`",
        ],
    );
    assert_eq!(terminal.counts().refused_sign_ins, 1);
    let listed = office.run(&["device", "list"]).await.done();
    assert!(
        listed.out.contains("waits for new credentials"),
        "{listed:?}"
    );
    for said in [said, again, listed] {
        assert!(!format!("{said:?}").contains("wr0ng-s3cret"), "{said:?}");
    }

    office
        .run_with(
            &["device", "edit", "GB9637211", "--password-stdin"],
            "Abc12345",
        )
        .await
        .done();
    let (said, totals) = office.poll().await;
    said.done();
    assert_eq!(totals["new"], 2);
}

/// Each command is a process of its own: the next one learns from the database that the password was refused.
#[tokio::test]
async fn a_wrong_password_is_not_sent_again_by_test_or_doctor() {
    let office = Office::open().await;
    let terminal = hik_terminal().await;
    office.add_hik(&terminal, "wr0ng-s3cret").await;
    let test = ["device", "test", "GB9637211"];
    let refused = office.run(&test).await;
    refused.failed(1, &[]);
    assert!(
        refused.out.contains("refused the credentials"),
        "{refused:?}"
    );
    for command in [&test[..], &["device", "doctor", "GB9637211"], &test] {
        let said = office.run(command).await;
        said.failed(1, &["refused before", "muster device retry GB9637211"]);
    }
    assert_eq!(terminal.counts().refused_sign_ins, 1);

    // It was corrected at the terminal instead.
    terminal.set_password("wr0ng-s3cret");
    office.run(&["device", "retry", "GB9637211"]).await.done();
    office.run(&test).await.done();
    assert_eq!(terminal.counts().refused_sign_ins, 1);
}

#[tokio::test]
async fn the_last_attempts_want_a_word() {
    let office = Office::open().await;
    let terminal = hik_terminal().await;
    let lock_out = |left: &str| format!("hik://operator:wr0ng{left}@{}", terminal.addr());
    for left in ["5", "4", "3"] {
        let said = office.run(&["terminal", "test", &lock_out(left)]).await;
        said.failed(1, &[]);
    }
    assert_eq!(terminal.counts().refused_sign_ins, 3);
    let right = format!("hik://operator:Abc12345@{}", terminal.addr());
    let kept_back = office.run(&["terminal", "info", &right]).await;
    kept_back.failed(1, &["2 more wrong passwords", "--anyway"]);
    let insists = ["terminal", "info", &right, "--anyway"];
    office.run(&insists).await.done();
    office.run(&["terminal", "info", &right]).await.done();
}

#[tokio::test]
async fn a_certificate_is_kept_and_another_one_accepted_by_a_person() {
    let office = Office::open().await;
    let clock = Arc::new(|| ingest::Clock::system().now().to_zoned(TimeZone::UTC));
    let login = hik::Login::new("operator", "Abc12345");
    let terminal = hik::VirtualTerminal::new("GB9637211", login, clock)
        .https()
        .start("127.0.0.1:0")
        .await
        .expect("a free port");
    let shown = || format!("sha256:{}", terminal.fingerprint().expect("a certificate"));
    office.add_hik(&terminal, "Abc12345").await;
    let edit = ["device", "edit", "GB9637211"];
    office
        .run(&[&edit[..], &["--transport", "tls"]].concat())
        .await
        .done();
    let first = shown();
    let tested = office.run(&["device", "test", "GB9637211"]).await.done();
    assert!(tested.out.contains(&first), "{tested:?}");
    office.poll().await.0.done();
    assert_eq!(office.devices().await[0]["certificate"], first);

    terminal.change_certificate().expect("another one");
    let second = shown();
    office.poll().await.0.failed(1, &[&first, &second]);
    let listed = &office.devices().await[0];
    assert_eq!(
        (&listed["certificate"], &listed["certificate_shown"]),
        (&first.into(), &second.as_str().into())
    );
    office
        .run(&[&edit[..], &["--certificate", "shown"]].concat())
        .await
        .done();
    office.poll().await.0.done();

    let url = format!("hiks://operator:Abc12345@{}", terminal.addr());
    let pinned = format!("{url}?fingerprint={second}");
    office.run(&["terminal", "info", &pinned]).await.done();
    let other = format!("{url}?fingerprint=sha256:{}", "0a".repeat(32));
    let said = office.run(&["terminal", "info", &other]).await;
    said.failed(1, &[&second, "factory reset"]);
    office
        .run(&["terminal", "info", &format!("{url}?insecure=1")])
        .await
        .done();
}

#[tokio::test]
async fn the_doctor_says_what_it_saw_and_what_to_do() {
    let office = Office::open().await;
    let terminal = zk_terminal("AEH2194760215").await;
    office.add_zk(&terminal, "AEH2194760215").await;
    let said = office.run(&["device", "doctor", "AEH2194760215"]).await;
    for part in [
        "address   ok",
        "UDP       not offered",
        "key       ok",
        "everybody on its network can read, change and clear it",
        "log       ok",
        "200 punches",
        "Nothing is wrong with it.",
    ] {
        assert!(said.out.contains(part), "{part}: {said:?}");
    }
    let said = office
        .run(&["device", "doctor", "AEH2194760215", "--json"])
        .await
        .done();
    let answer: Value = serde_json::from_str(&said.out).expect("JSON");
    assert_eq!(answer["checks"].as_array().map(Vec::len), Some(11));
    assert_eq!(answer["checks"][1]["check"], "tcp");
    assert_eq!(answer["checks"][2]["result"], "not_offered");
    assert_eq!(office.rows("punches").await, 0);

    terminal.go_offline();
    let said = office.run(&["device", "doctor", "AEH2194760215"]).await;
    said.failed(1, &["TCP       failed", "UDP       failed"]);
    let advice = "Check its power and network cable";
    let times = said.out.matches(advice).count();
    assert_eq!(times, 1, "once for both: {said:?}");
    let said = office
        .run(&["device", "doctor", "AEH2194760215", "--json"])
        .await;
    let answer: Value = serde_json::from_str(&said.out).expect("JSON");
    let tcp = answer["checks"][1]["advice"].as_str();
    assert!(tcp.is_some_and(|text| text.contains(advice)), "{answer}");
    terminal.go_online();

    terminal.set_fault(zk::Fault::ConnectCode(6001));
    let said = office.run(&["device", "doctor", "AEH2194760215"]).await;
    said.failed(1, &["handshake failed", "Cloud server"]);
    let (said, _) = office.poll().await;
    said.failed(1, &["no longer speaks the port 4370 protocol"]);
    let mut edit = vec!["device", "edit", "AEH2194760215"];
    edit.extend(["--transport", "udp"]);
    office.run(&edit).await.done();
    let listed = office.run(&["device", "list", "--json"]).await.done();
    let listed: Value = serde_json::from_str(&listed.out).expect("JSON");
    assert_eq!(listed[0]["transport"], "udp");
}

#[tokio::test]
async fn the_doctor_and_a_test_wait_no_longer_than_a_reading() {
    let office = Office::open().await;
    office.file("muster.toml", "[poll]\ndeadline_secs = 3\n");
    let terminal = zk_terminal("AEH2194760215").await;
    office.add_zk(&terminal, "AEH2194760215").await;
    let read_clock = 201;
    terminal.set_fault(zk::Fault::Mute(read_clock));
    for command in ["doctor", "test"] {
        let said = office.run(&["device", command, "AEH2194760215"]).await;
        said.failed(1, &["clock", "within 3 s at step clock"]);
    }
}

#[tokio::test]
async fn a_terminal_with_another_serial_number_gives_no_punches() {
    let office = Office::open().await;
    let terminal = zk_terminal("BRA5201160077").await;
    office.add_zk(&terminal, "AEH2194760215").await;
    let (said, totals) = office.poll().await;
    said.failed(
        1,
        &[
            "reading the serial number:",
            "BRA5201160077",
            "expected AEH2194760215",
        ],
    );
    assert_eq!(
        (&totals["read"], office.rows("punches").await),
        (&Value::from(0), 0)
    );
    let said = office.run(&["device", "test", "AEH2194760215"]).await;
    said.failed(
        1,
        &[
            "serial   failed",
            "answers with serial number BRA5201160077, expected AEH2194760215",
            "No punch was taken.",
        ],
    );
    let said = office.run(&["device", "doctor", "AEH2194760215"]).await;
    said.failed(
        1,
        &[
            "serial    failed",
            "clock     not tried",
            "No punch was taken.",
        ],
    );

    // The device has never answered, so the mistyped number is a new registration.
    office
        .run(&["device", "remove", "AEH2194760215"])
        .await
        .done();
    office.add_zk(&terminal, "BRA5201160077").await;
    office.poll().await.0.done();
    assert_eq!(office.rows("punches").await, 200);
}

#[tokio::test]
async fn a_transfer_that_is_cut_stores_nothing_and_loses_nothing() {
    let office = Office::open().await;
    let terminal = zk_terminal("CUT1").await;
    terminal.set_fault(zk::Fault::CutLog(3000));
    office.add_zk(&terminal, "CUT1").await;
    let (said, totals) = office.poll().await;
    said.failed(1, &["reading the punches: the connection was cut"]);
    assert_eq!(
        (&totals["read"], office.rows("punches").await),
        (&Value::from(0), 0)
    );
    let said = office
        .run(&[
            "terminal",
            "punches",
            &zk_url(&terminal),
            "--format",
            "count",
        ])
        .await;
    said.failed(
        1,
        &[
            "reading the punches failed",
            "not the whole log",
            "nothing is lost",
        ],
    );

    terminal.clear_faults();
    let (said, totals) = office.poll().await;
    said.done();
    assert_eq!(
        (&totals["new"], office.rows("punches").await),
        (&Value::from(200), 200)
    );
}

#[tokio::test]
async fn impossible_dates_are_counted_kept_aside_and_shown() {
    let office = Office::open().await;
    let zk = zk_terminal("DATE1").await;
    zk.set_fault(zk::Fault::ImpossibleTime(17));
    office.add_zk(&zk, "DATE1").await;
    let hik = hik_terminal().await;
    hik.set_fault(hik::Fault::ImpossibleTime(Some(1)));
    office.add_hik(&hik, "Abc12345").await;
    let (said, totals) = office.poll().await;
    said.done();
    assert_eq!(
        (&totals["new"], &totals["rejected"]),
        (&Value::from(200), &Value::from(2))
    );
    assert_eq!(
        (office.rows("punches").await, office.rows("parked").await),
        (200, 2)
    );

    let said = office
        .run(&["terminal", "punches", &zk_url(&zk), "--format", "count"])
        .await
        .done();
    assert_eq!(said.out, "199\n");
    assert!(
        said.err
            .contains("1 record cannot be understood, the first: impossible date"),
        "{said:?}"
    );
}

#[tokio::test]
async fn listening_prints_each_punch_when_it_is_made() {
    use tokio::io::AsyncBufReadExt as _;

    let office = Office::open().await;
    let terminal = zk_terminal("A8N5201160001").await;
    let url = zk_url(&terminal);
    let mut child = office
        .command(&["terminal", "listen", &url, "--format", "jsonl"])
        .spawn()
        .expect("muster starts");
    let mut lines = tokio::io::BufReader::new(child.stdout.take().expect("a pipe")).lines();
    terminal.wait_for_listeners(1).await;
    for record in 0..2 {
        assert!(terminal.punch("1001", evening(), 1, 1));
        let line = tokio::time::timeout(LIMIT, lines.next_line()).await;
        let line = line.expect("in time").expect("a pipe").expect("a line");
        let expected = format!(
            "{{\"user_id\":\"1001\",\"clock\":\"2026-03-02 20:00:00\",\"state\":\"out\",\"verify\":\"finger\",\"record\":{record}}}"
        );
        assert_eq!(line, expected);
        terminal.wait_for_acknowledgements(record + 1).await;
    }
    terminal.go_offline();
    let ended = tokio::time::timeout(LIMIT, child.wait()).await;
    assert_eq!(ended.expect("in time").expect("it ran").code(), Some(1));

    let hik = hik_terminal().await;
    let url = format!("hik://operator:Abc12345@{}", hik.addr());
    let mut child = office
        .command(&["terminal", "listen", &url, "--format", "jsonl"])
        .spawn()
        .expect("muster starts");
    let mut lines = tokio::io::BufReader::new(child.stdout.take().expect("a pipe")).lines();
    let began = Instant::now();
    while hik.counts().streams_open == 0 {
        assert!(began.elapsed() < LIMIT, "it does not listen");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    hik.punch("1042", evening());
    let line = tokio::time::timeout(LIMIT, lines.next_line()).await;
    let line = line.expect("in time").expect("a pipe").expect("a line");
    let expected = "{\"user_id\":\"1042\",\"clock\":\"2026-03-02 20:00:00\",\"state\":\"none\",\"verify\":\"face\",\"record\":0}";
    assert_eq!(line, expected);
    hik.end_streams();
    let ended = tokio::time::timeout(LIMIT, child.wait()).await;
    assert_eq!(ended.expect("in time").expect("it ran").code(), Some(1));
}

#[tokio::test]
async fn names_with_nul_or_in_no_utf_8_are_read_without_harm() {
    let office = Office::open().await;
    let terminal = zk::VirtualTerminal::new("NAME1")
        .clock(right_clock())
        .users([
            zk::User::new(1, "1001").named(b"Ada\0left over"),
            zk::User::new(2, "1002").named(b"\xff\xfe\x80broken"),
            zk::User::new(3, "1003").named("\u{1b}[2Jclear"),
        ])
        .records([zk::Record::new(1, "1001", monday().at(8, 58, 30, 0), 0, 1)])
        .start("127.0.0.1:0")
        .await
        .expect("a free port");
    let url = zk_url(&terminal);
    let said = office
        .run(&["terminal", "users", &url, "--format", "jsonl"])
        .await
        .done();
    let users: Vec<Value> = said
        .out
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    assert_eq!((users.len(), &users[0]["name"]), (3, &Value::from("Ada")));
    let table = office.run(&["terminal", "users", &url]).await.done();
    assert!(!table.out.contains('\u{1b}'), "{table:?}");

    let hik = hik_terminal().await;
    hik.add_user(hik::User::new("7", "A\0da"));
    hik.set_fault(hik::Fault::InvalidUtf8Name(Some("1042".to_owned())));
    office.add_zk(&terminal, "NAME1").await;
    office.add_hik(&hik, "Abc12345").await;
    let (said, totals) = office.poll().await;
    said.done();
    assert_eq!(
        (&totals["new"], office.rows("device_users").await),
        (&Value::from(3), 5)
    );
    assert_eq!(
        office
            .rows("device_users WHERE instr(name, char(0)) > 0")
            .await,
        0
    );
}

#[tokio::test]
async fn punches_come_as_a_table_as_csv_as_json_lines_or_as_their_number() {
    let office = Office::open().await;
    let terminal = zk::VirtualTerminal::new("LOG1")
        .clock(zk::stopped(evening()))
        .users([zk::User::new(1, "0042")])
        .records([
            zk::Record::new(1, "0042", monday().at(8, 58, 30, 0), 0, 1),
            zk::Record::new(1, "0042", monday().at(18, 3, 0, 0), 1, 15),
        ])
        .start("127.0.0.1:0")
        .await
        .expect("a free port");
    let url = zk_url(&terminal);
    let punches = async |more: &[&str]| {
        let said = office
            .run(&[&["terminal", "punches", &url], more].concat())
            .await;
        said.done().out
    };
    let last = "{\"user_id\":\"0042\",\"clock\":\"2026-03-02 18:03:00\",\"state\":\"out\",\"verify\":\"face\",\"record\":1}\n";
    let first = "{\"user_id\":\"0042\",\"clock\":\"2026-03-02 08:58:30\",\"state\":\"in\",\"verify\":\"finger\",\"record\":0}\n";
    assert_eq!(
        punches(&["--format", "jsonl"]).await,
        format!("{first}{last}")
    );
    assert_eq!(
        punches(&["--format", "jsonl", "--since", "2026-03-02T12:00"]).await,
        last
    );
    assert_eq!(
        punches(&["--format", "count", "--since", "2026-03-02"]).await,
        "2\n"
    );
    assert_eq!(
        punches(&["--format", "csv"]).await,
        "user_id,clock,state,verify,record\n0042,2026-03-02 08:58:30,in,finger,0\n0042,2026-03-02 18:03:00,out,face,1\n"
    );
    assert!(
        punches(&[])
            .await
            .contains("0042          2026-03-02 18:03:00  out           face      1")
    );

    let said = office
        .run(&["terminal", "info", &url, "--json"])
        .await
        .done();
    let info: Value = serde_json::from_str(&said.out).expect("JSON");
    assert_eq!(
        (&info["serial_number"], &info["records"]),
        (&Value::from("LOG1"), &Value::from(2))
    );
    let said = office
        .run(&["terminal", "test", &url, "--zone", "UTC"])
        .await
        .done();
    for step in [
        "connect  ok",
        "sign in  ok",
        "serial   ok",
        "clock    ok",
        "users    ok",
        "punches  ok",
    ] {
        assert!(said.out.contains(step), "{step} is not in {said:?}");
    }
}

#[tokio::test]
async fn a_server_on_the_same_file_does_the_reading() {
    let office = Office::open().await;
    let terminal = zk_terminal("SRV1").await;
    let mut server = office
        .command(&["serve", "--listen", "127.0.0.1:0"])
        .spawn()
        .expect("it starts");
    let mut lines = BufReader::new(server.stdout.take().expect("a pipe")).lines();
    let ready = async {
        while let Some(line) = lines.next_line().await.expect("text") {
            if line.contains("listens on") {
                return;
            }
        }
        panic!("the server ended");
    };
    tokio::time::timeout(LIMIT, ready)
        .await
        .expect("it starts in time");

    office
        .run(&["serve", "--listen", "127.0.0.1:0"])
        .await
        .failed(1, &["another `muster serve` uses"]);
    office.add_zk(&terminal, "SRV1").await;
    office.poll().await.0.done();
    assert_eq!(office.rows("punches").await, 200);
    assert!(terminal.punch("1001", evening(), 1, 1));
    let (said, totals) = office.poll().await;
    said.done();
    assert_eq!(totals["new"], 1);
    let lease = "devices WHERE lease_owner IS NOT NULL";
    assert_eq!(office.rows(lease).await, 0);
    server.kill().await.expect("it was running");
    let (said, totals) = office.poll().await;
    said.done();
    assert_eq!(
        (&totals["ok"], &totals["new"]),
        (&Value::from(1), &Value::from(0))
    );
}

#[tokio::test]
async fn terminals_call_an_address_of_their_own() {
    let office = Office::open().await;
    let args = ["serve", "--listen", "127.0.0.1:0"];
    let holder = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let taken = holder.local_addr().expect("an address").to_string();
    let wanted = format!("cannot listen on {taken} for terminals that call");
    let said = office
        .run(&[&args[..], &["--push-listen", &taken]].concat())
        .await;
    said.failed(1, &[&wanted, "--push-listen", "listen = []"]);
    drop(holder);

    let more = ["--push-listen", "127.0.0.1:0,127.0.0.1:0"];
    let mut server = office
        .command(&[&args[..], &more].concat())
        .spawn()
        .expect("it starts");
    let mut lines = BufReader::new(server.stdout.take().expect("a pipe")).lines();
    let addresses = async {
        while let Some(line) = lines.next_line().await.expect("text") {
            if let Some(addresses) = line.strip_prefix("terminals can call ") {
                return addresses.to_owned();
            }
        }
        panic!("the server ended");
    };
    let addresses = tokio::time::timeout(LIMIT, addresses).await;
    let addresses = addresses.expect("it starts in time");
    let addresses: Vec<_> = addresses.split(" and ").collect();
    assert_eq!(addresses.len(), 2);
    for address in addresses {
        let mut caller = tokio::net::TcpStream::connect(address)
            .await
            .expect("a connection");
        let request = b"GET /iclock/cdata?SN=NEW001&options=all HTTP/1.1\r\n\r\n";
        caller.write_all(request).await.expect("sent");
        let mut answer = String::new();
        let read = tokio::io::AsyncReadExt::read_to_string(&mut caller, &mut answer);
        let read = tokio::time::timeout(LIMIT, read).await;
        read.expect("an answer in time").expect("an answer");
        assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    }
    let pid = server.id().expect("it runs").to_string();
    let stop = Command::new("kill").arg(pid).status().await;
    assert!(stop.expect("a signal").success());
    let ended = tokio::time::timeout(LIMIT, server.wait()).await;
    assert!(ended.expect("it stops").expect("a status").success());
}

#[tokio::test]
async fn simulated_hikvision_terminals_say_where_they_are_and_what_to_pin() {
    let office = Office::open().await;
    let args = [
        "simulate",
        "hik",
        "--user",
        "admin",
        "--password",
        "Abc12345",
        "--count",
        "2",
        "--https",
        "--sadp",
        "127.0.0.1",
        "--habit",
        "no-stale",
        "--fault",
        "half-open=30s",
        "--records",
        "4",
    ];
    let mut child = office.command(&args).spawn().expect("it starts");
    let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    let mut pins = Vec::new();
    for label in ["GB9637211", "GB9637212"] {
        let line = tokio::time::timeout(LIMIT, lines.next_line())
            .await
            .expect("in time");
        let line = line.expect("text").expect("a terminal");
        let (serial, rest) = line.split_once("  ").expect("a serial number");
        assert!(serial.ends_with(label), "{line}");
        let (url, rest) = rest.split_once("  sha256:").expect("a fingerprint");
        assert!(
            url.starts_with("hiks://admin:Abc12345@127.0.0.1:"),
            "{line}"
        );
        pins.push(rest.to_owned());
    }
    // All share the certificate, and the SADP port.
    assert_eq!(pins[0], pins[1]);
    assert!(pins[0].ends_with("  SADP on UDP port 37020") && pins[0].len() > 64);
    child.kill().await.expect("it ends");
    for (flag, value, known) in [
        ("--habit", "sundial", "known are sha256"),
        ("--fault", "sundial", "known are refuse"),
    ] {
        let args = [
            "simulate",
            "hik",
            "--user",
            "a",
            "--password",
            "b",
            flag,
            value,
        ];
        office.run(&args).await.failed(2, &[known]);
    }
}

/// A terminal as `muster simulate zk` runs it, which ends with the test, and its URL.
async fn simulated(office: &Office, more: &[&str]) -> (tokio::process::Child, String) {
    let args = [
        &["simulate", "zk", "--people", "3", "--records", "12"],
        more,
    ]
    .concat();
    let mut child = office.command(&args).spawn().expect("it starts");
    let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    let line = tokio::time::timeout(LIMIT, lines.next_line())
        .await
        .expect("it starts in time")
        .expect("text")
        .expect("a terminal");
    // It would end where nobody can hear it any more.
    child.stdout = Some(lines.into_inner().into_inner());
    let (_, url) = line.split_once("  ").expect("serial number and URL");
    (child, url.to_owned())
}

fn json(said: Said) -> Value {
    serde_json::from_str(&said.done().out).expect("one JSON object")
}

#[tokio::test]
async fn a_user_is_set_and_deleted_and_what_the_terminal_shows_is_printed() {
    let office = Office::open().await;
    let (_terminal, tcp) = simulated(&office, &["--udp", "--comm-key", "1234"]).await;
    for url in [tcp.clone(), format!("{tcp}?transport=udp")] {
        let set = ["terminal", "set-user", &url, "--id", "0042"];
        let all = [
            "--name",
            "Aziza K.",
            "--privilege",
            "enroller",
            "--card",
            "77",
        ];
        let args = [&set[..], &all, &["--password-stdin"]].concat();
        let said = office.run_with(&args, "4711\n").await.done();
        for part in [
            "created user 0042 on BRA5201160001; read back:",
            "name       Aziza K.",
            "privilege  enroller",
            "card       77",
            "password   set",
        ] {
            assert!(said.out.contains(part), "{part:?} is not in {said:?}");
        }
        assert!(!format!("{said:?}").contains("4711"), "{said:?}");

        let card = ["--card", "78", "--json"];
        let changed = json(office.run(&[&set[..], &card].concat()).await);
        let expected = serde_json::json!({
            "effect": "changed", "serial_number": "BRA5201160001", "user_id": "0042", "name": "Aziza K.",
            "privilege": "enroller", "disabled": false, "cards": ["78"], "has_password": true,
            "has_face": null, "valid_from": null, "valid_until": null,
        });
        assert_eq!(changed, expected);
        let same = json(office.run(&[&set[..], &card].concat()).await);
        assert_eq!(same["effect"], "unchanged");

        let delete = ["terminal", "delete-user", &url, "--id", "0042"];
        office.run(&delete).await.failed(2, &["--yes"]);
        let said = office.run(&[&delete[..], &["--yes"]].concat()).await.done();
        let part = "deleted user 0042 on BRA5201160001; its list no longer has:";
        assert!(
            said.out.contains(part) && said.out.contains("Aziza K."),
            "{said:?}"
        );
        let said = office.run(&[&delete[..], &["--yes"]].concat()).await;
        said.failed(
            1,
            &[
                "writing failed at",
                "the terminal has no user 0042",
                "zeros in front",
            ],
        );
        let users = ["terminal", "users", &url, "--format", "count"];
        assert_eq!(office.run(&users).await.done().out, "3\n");
    }
    let long = ["--id", "1", "--name", "Maximiliana Hohenlohe-Langenburg"];
    let said = office
        .run(&[&["terminal", "set-user", &tcp][..], &long].concat())
        .await;
    said.failed(
        1,
        &[
            "nothing was written: the name has 32 bytes and the terminal takes 23",
            "Shorten",
        ],
    );
    let none = ["terminal", "set-user", &tcp, "--id", " "];
    office.run(&none).await.failed(2, &["is no user id"]);
}

#[tokio::test]
async fn what_a_terminal_does_not_do_is_said() {
    let office = Office::open().await;
    let (_terminal, url) = simulated(&office, &["--fault", "ignore-writes"]).await;
    let set = ["terminal", "set-user", &url, "--id", "7", "--name", "Ada"];
    let shows = "asked for user 7, the terminal shows no user 7";
    office
        .run(&set)
        .await
        .failed(1, &["writing failed", shows, "Look at it there"]);
    let (_terminal, url) = simulated(&office, &["--fault", "command-code=31:65535"]).await;
    let unlock = ["terminal", "unlock", &url];
    office.run(&unlock).await.failed(
        1,
        &["opening the door: it answered code 65535: unknown command"],
    );
    let hik = hik_terminal().await;
    let url = format!("hik://operator:Abc12345@{}", hik.addr());
    let voice = ["terminal", "voice", &url];
    let parts = ["Hikvision terminals do not offer this", "its own web page"];
    office.run(&voice).await.failed(1, &parts);
}

#[tokio::test]
async fn people_faces_door_and_clock_of_a_hikvision_terminal() {
    let office = Office::open().await;
    let hik = hik_terminal().await;
    let url = format!("hik://operator:Abc12345@{}", hik.addr());
    let run = async |args: &[&str]| office.run(&[&["terminal"], args].concat()).await;
    let done = async |args: &[&str], parts: &[&str]| {
        let said = run(args).await.done();
        for part in parts {
            assert!(said.out.contains(part), "{part:?} is not in {said:?}");
        }
    };
    let hana = ["set-user", &url, "--id", "007", "--name", "Hana"];
    let more = ["--card", "00Ab", "--card", "77", "--privilege", "admin"];
    let until = ["--valid-until", "2027-01-31"];
    let shown = [
        "created user 007",
        "Hana",
        "admin",
        "00Ab, 77",
        "face       none",
        "2027-01-31 23:59:59",
    ];
    done(&[&hana[..], &more, &until].concat(), &shown).await;
    let same = json(
        run(&[
            "set-user", &url, "--id", "007", "--card", "00Ab", "--card", "77", "--json",
        ])
        .await,
    );
    assert_eq!(same["effect"], "unchanged");
    assert_eq!(same["cards"], serde_json::json!(["00Ab", "77"]));
    let change = [
        "set-user",
        &url,
        "--id",
        "007",
        "--card",
        "0",
        "--valid-until",
        "none",
    ];
    done(&change, &["changed user 007", "card       none"]).await;
    done(&["users", &url], &["007", "Hana"]).await;

    let file = office.folder.path().join("face.jpg");
    std::fs::write(&file, b"\xff\xd8\xff a face").expect("a file");
    let face = file.to_str().expect("a path");
    done(
        &["set-face", &url, "--id", "007", "--file", face],
        &["has a face now", "face       enrolled"],
    )
    .await;
    done(
        &["delete-face", &url, "--id", "007", "--yes"],
        &["no face any more"],
    )
    .await;
    std::fs::write(&file, b"GIF89a").expect("a file");
    run(&["set-face", &url, "--id", "007", "--file", face])
        .await
        .failed(1, &["is no JPEG", "Nothing was changed"]);
    done(
        &["delete-user", &url, "--id", "007", "--yes"],
        &["deleted user 007"],
    )
    .await;
    assert_eq!(hik.users().len(), 1, "nobody else");

    done(
        &["unlock", &url],
        &["door is open, for as long as it is set to"],
    )
    .await;
    assert_eq!(hik.door_commands(), ["open"]);
    let seconds = run(&["unlock", &url, "--secs", "5"]).await;
    seconds.failed(1, &["the terminal itself decides"]);
    let zone = ["--zone", "Europe/Berlin"];
    done(
        &[&["clock", &url][..], &zone].concat(),
        &["a time server or platform sets it"],
    )
    .await;
    let set = [&["clock", &url, "--set"][..], &zone].concat();
    done(&set, &["set to", "until now, and no longer does"]).await;
    let set = json(run(&[&set[..], &["--json"]].concat()).await);
    assert_eq!(
        (&set["set"], &set["left_time_server"]),
        (&Value::from(true), &Value::from(false))
    );
}

#[tokio::test]
async fn restart_door_voice_and_screen() {
    let office = Office::open().await;
    let (_terminal, url) = simulated(&office, &[]).await;
    let done = async |args: &[&str], part: &str| {
        let said = office.run(&[&["terminal"], args].concat()).await.done();
        assert!(said.out.contains(part), "{part:?} is not in {said:?}");
    };
    done(&["unlock", &url], "says that the door is open for 5 s").await;
    done(
        &["unlock", &url, "--secs", "2", "--unit", "seconds"],
        "open for 2 s",
    )
    .await;
    done(&["voice", &url], "says that voice 0 was played").await;
    done(&["voice", &url, "10"], "voice 10").await;
    done(
        &["show", &url, "Fire drill at 11", "--line", "2"],
        "the text is in line 2",
    )
    .await;
    done(&["show", &url, "--clear"], "the screen is cleared").await;
    done(&["restart", &url], "BRA5201160001 answers again after").await;
    let back = json(office.run(&["terminal", "restart", &url, "--json"]).await);
    assert_eq!(
        (&back["effect"], back["back_after_s"].is_u64()),
        (&Value::from("restarted"), true)
    );
    for (args, part) in [
        (&["show", &url][..], "TEXT"),
        (&["show", &url, "x", "--clear"], "cannot be used with"),
        (&["unlock", &url, "--secs", "0"], "1..=3600"),
        (&["voice", &url, "loud"], "invalid value"),
    ] {
        office
            .run(&[&["terminal"], args].concat())
            .await
            .failed(2, &[part]);
    }
}

#[tokio::test]
async fn a_log_is_cleared_once_every_record_is_in_the_database() {
    let office = Office::open().await;
    let terminal = zk_terminal("LOG1").await;
    let url = zk_url(&terminal);
    let (by_url, yes) = (["terminal", "clear-log", &url], "--yes-clear-log");
    let unregistered = office.run(&[&by_url[..], &[yes]].concat()).await;
    let parts = [
        "LOG1 is not registered",
        "muster device add --kind zk --serial LOG1",
    ];
    unregistered.failed(1, &parts);
    office.add_zk(&terminal, "LOG1").await;
    for args in [&by_url[..], &["device", "clear-log", "LOG1"]] {
        let parts = ["without --yes-clear-log", "known to be in the database"];
        office.run(args).await.failed(2, &parts);
    }
    terminal.set_fault(zk::Fault::Counters(vec![(8, 205)]));
    let by_serial = ["device", "clear-log", "LOG1", yes];
    office.run(&by_serial).await.failed(
        1,
        &[
            "the log of LOG1 is not known to be cleared",
            "the terminal counts 5 records more than it sent",
            "Nothing was deleted. Read it with `muster device poll LOG1`",
        ],
    );
    assert_eq!(terminal.record_count(), 200);
    terminal.clear_faults();

    let said = office.run(&by_serial).await.done();
    for part in [
        "cleared the log of LOG1: 200 records verified in the database and deleted",
        "its log is empty now",
    ] {
        assert!(said.out.contains(part), "{part:?} is not in {said:?}");
    }
    assert_eq!(
        (terminal.record_count(), office.rows("punches").await),
        (0, 200)
    );
    assert!(terminal.punch("1001", evening(), 1, 1));
    let cleared = json(office.run(&[&by_url[..], &[yes, "--json"]].concat()).await);
    let expected = serde_json::json!({
        "effect": "cleared", "serial_number": "LOG1", "records_verified": 1, "records_left": 0,
    });
    assert_eq!(cleared, expected);
    assert_eq!(
        (terminal.record_count(), office.rows("punches").await),
        (0, 201)
    );
    assert_eq!(office.rows("device_gaps").await, 0);
    let audited = office.rows("audit WHERE action = 'device.log.clear'").await;
    assert_eq!(audited, 3);
    office
        .run(&["device", "clear-log", "LOG2", yes])
        .await
        .failed(1, &["there is no device with serial number \"LOG2\""]);
}

//! From a terminal to a row in the browser: one story, told for each brand on each database.

use std::sync::Arc;
use std::time::Duration;

use attendance::{Shift, Way};
use ingest::Clock;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{ToSpan, Zoned};
use simulators::{hik, zk, zk_push};
use store::devices::{DeviceFields, NewDevice};
use store::people::EmployeeFields;
use store::{Author, Store};
use system_tests::{Browser, Database, Installation, Page, Server};

/// Generous: a test does not measure. How fast the board follows is measured in docs/benchmarks.md.
const SOON: Duration = Duration::from_secs(20);
const PASSWORD: &str = "correct horse battery";

#[tokio::test(flavor = "multi_thread")]
async fn zkteco_on_sqlite() {
    journey(Database::Sqlite, Brand::Zk).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn zkteco_on_postgres() {
    journey(Database::Postgres, Brand::Zk).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn hikvision_on_sqlite() {
    journey(Database::Sqlite, Brand::Hik).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn hikvision_on_postgres() {
    journey(Database::Postgres, Brand::Hik).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn zkteco_that_calls_on_sqlite() {
    called(Database::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn zkteco_that_calls_on_postgres() {
    called(Database::Postgres).await;
}

/// The same story of terminals that call, one of each family: nobody reads them, and the page follows what they tell.
async fn called(database: Database) {
    let office = Installation::new(database).await;
    two_people(&office).await;
    let port = system_tests::free_port();
    let server = office.serve_with(&[("MUSTER_PUSH_LISTEN", &port.to_string())]);
    let browser = Browser::start().await;
    let board = owner_signs_in(&browser, &server, &office).await;
    board.wait_for_text("2 people on the roll", SOON).await;
    board.evaluate("window.neverReloaded = true").await;
    let start = |serial, profile, user, at: DateTime| {
        zk_push::VirtualTerminal::new(serial, profile)
            .clock(Arc::new(|| utc_now().datetime()))
            .records([zk_push::Punch::new(user, at, 0, 1)])
            .delay(Duration::from_millis(100))
            .error_delay(Duration::from_millis(100))
            .start(port)
    };
    let yesterday = utc_now().yesterday().expect("a date").date();
    let gate = start(
        "GATE1",
        zk_push::Profile::V24,
        "41",
        yesterday.at(9, 0, 0, 0),
    );
    let door = start(
        "DOOR1",
        zk_push::Profile::Acc,
        "41",
        yesterday.at(17, 30, 0, 0),
    );
    for terminal in [&gate, &door] {
        terminal.until_counts(|counts| counts.refused > 0).await;
        register_calling(&office, &terminal.serial_number()).await;
        terminal.until_acknowledged(1).await;
    }
    for (terminal, user, name) in [(&gate, "41", "Ada Lovelace"), (&door, "42", "Ben Nevis")] {
        terminal.punch(user, 0, 1);
        terminal.until_acknowledged(2).await;
        let shown = format!("document.querySelector('#punches').innerText.includes('{name}')");
        board.wait_until(&shown, SOON).await;
    }
    assert_eq!(
        board.evaluate("window.neverReloaded").await,
        true,
        "the page changed by itself"
    );
    let day = browser
        .open(&server.url(&format!("/day/{yesterday}")))
        .await;
    day.wait_for_text("17:30", SOON).await;
    office.run_ok(&["judge", "--check"]);
    drop(server);
    office.remove().await;
}

/// Registers a terminal beside the running server, as another node does.
async fn register_calling(office: &Installation, serial: &str) {
    let store = Store::open(office.database_url()).await;
    let store = store.expect("init made the database");
    let site = store.default_site().await.expect("a database");
    let new = NewDevice {
        fields: DeviceFields {
            mode: vec![Way::Push],
            address: None,
            ..store::testing::device_fields(site.expect("a site").id, serial)
        },
        password: None,
        comm_key: None,
        zone: None,
    };
    let author = Author {
        account: None,
        at: Clock::system().now(),
    };
    let tx = store.begin_write().await.expect("a transaction");
    tx.add_device(&new, author).await.expect("a device");
    tx.commit().await.expect("committed");
    store.close().await.expect("closed");
}

#[derive(Clone, Copy)]
enum Brand {
    Zk,
    Hik,
}

/// A virtual terminal with two people, Ada (41) and Ben (42), and yesterday in its log.
enum Terminal {
    Zk(zk::RunningTerminal),
    Hik(hik::RunningTerminal),
}

impl Terminal {
    async fn start(brand: Brand) -> Self {
        let yesterday = utc_now().yesterday().expect("a date").date();
        let (came, went) = (yesterday.at(9, 0, 0, 0), yesterday.at(17, 30, 0, 0));
        match brand {
            Brand::Zk => {
                let terminal = zk::VirtualTerminal::new("AEH2194760215")
                    .comm_key(4711)
                    .clock(Arc::new(|| utc_now().datetime()))
                    .users([
                        zk::User::new(1, "41").named("Ada"),
                        zk::User::new(2, "42").named("Ben"),
                    ])
                    .records([
                        zk::Record::new(1, "41", came, 0, 1),
                        zk::Record::new(1, "41", went, 1, 1),
                    ])
                    .start("127.0.0.1:0");
                Self::Zk(terminal.await.expect("a free port"))
            }
            Brand::Hik => {
                let terminal = hik::VirtualTerminal::new(
                    "GB9637211",
                    hik::Login::new("muster", "Abc12345"),
                    Arc::new(utc_now),
                )
                .noise(2)
                .users([hik::User::new("41", "Ada"), hik::User::new("42", "Ben")])
                .events([hik::Event::face("41", came), hik::Event::face("41", went)])
                .start("127.0.0.1:0");
                Self::Hik(terminal.await.expect("a free port"))
            }
        }
    }

    fn punch(&self, user: &str, at: DateTime) {
        match self {
            Self::Zk(terminal) => assert!(terminal.punch(user, at, 0, 1)),
            Self::Hik(terminal) => {
                terminal.punch(user, at);
            }
        }
    }

    fn set_online(&self, online: bool) {
        match (self, online) {
            (Self::Zk(terminal), true) => terminal.go_online(),
            (Self::Zk(terminal), false) => terminal.go_offline(),
            (Self::Hik(terminal), true) => terminal.go_online().expect("its port is free"),
            (Self::Hik(terminal), false) => terminal.go_offline(),
        }
    }

    fn serial(&self) -> &str {
        match self {
            Self::Zk(terminal) => terminal.serial_number(),
            Self::Hik(terminal) => terminal.serial_number(),
        }
    }

    /// Registers it on the command line, as its owner would.
    fn register(&self, office: &Installation) {
        match self {
            Self::Zk(terminal) => {
                let address = terminal.addr().to_string();
                let args = [
                    "device",
                    "add",
                    "--kind",
                    "zk",
                    "--serial",
                    self.serial(),
                    "--address",
                    &address,
                    "--name",
                    "Main gate",
                ];
                office.run_ok_with_input(&[&args[..], &["--comm-key-stdin"]].concat(), "4711\n");
            }
            Self::Hik(terminal) => {
                let address = terminal.addr().to_string();
                let args = [
                    "device",
                    "add",
                    "--kind",
                    "hik",
                    "--serial",
                    self.serial(),
                    "--address",
                    &address,
                    "--name",
                    "Main gate",
                ];
                let secret = ["--username", "muster", "--password-stdin"];
                office.run_ok_with_input(&[&args[..], &secret].concat(), "Abc12345\n");
            }
        }
    }
}

async fn journey(database: Database, brand: Brand) {
    let office = Installation::new(database).await;
    two_people(&office).await;
    let terminal = Terminal::start(brand).await;
    let server = office.serve();
    let browser = Browser::start().await;
    let board = owner_signs_in(&browser, &server, &office).await;
    board.wait_for_text("2 people on the roll", SOON).await;
    board.evaluate("window.neverReloaded = true").await;

    // The history arrives with the first poll.
    terminal.register(&office);
    assert_eq!(counts(&office.run_ok(&["poll", "--json"]))[..3], [1, 1, 0]);

    // Ada comes, is read, and stands on the open page.
    terminal.punch("41", utc_now().datetime());
    let polled = counts(&office.run_ok(&["poll", "--json"]));
    assert_eq!(
        (polled[1], polled[4]),
        (1, 1),
        "one terminal, one new punch: {polled:?}"
    );
    board
        .wait_until(
            "document.querySelector('#punches').innerText.includes('Ada Lovelace')",
            SOON,
        )
        .await;
    board
        .wait_until(
            "document.querySelector('#counters').innerText.includes('1')",
            SOON,
        )
        .await;
    assert_eq!(
        board.evaluate("window.neverReloaded").await,
        true,
        "the page changed by itself"
    );
    assert!(board.text("#punches").await.contains("Main gate"));

    // Reading again finds nothing new.
    assert_eq!(counts(&office.run_ok(&["poll", "--json"]))[4], 0);

    // The day shows her report, and yesterday hers too.
    let day = browser
        .open(&server.url(&format!("/day/{}", utc_now().date())))
        .await;
    day.wait_for_text("Ada Lovelace", SOON).await;
    day.goto(&server.url(&format!(
        "/day/{}",
        utc_now().date().yesterday().expect("a date")
    )))
    .await;
    day.wait_for_text("17:30", SOON).await;

    // The terminal goes away: one failure with its step, and the punch made meanwhile comes when it is back.
    terminal.set_online(false);
    assert!(!office.run(&["poll"]).status.success());
    day.goto(&server.url("/failures")).await;
    day.wait_for_text("Main gate", SOON).await;
    terminal.punch("42", utc_now().datetime());
    terminal.set_online(true);
    office.run_ok(&["poll"]);
    board
        .wait_until(
            "document.querySelector('#punches').innerText.includes('Ben Nevis')",
            SOON,
        )
        .await;
    assert_eq!(
        board.evaluate("window.neverReloaded").await,
        true,
        "the page changed by itself"
    );

    office.run_ok(&["judge", "--check"]);
    drop(server);
    office.remove().await;
}

/// Follows the one-time link, makes the owner's account, and ends on the board.
async fn owner_signs_in<'a>(
    browser: &'a Browser,
    server: &Server,
    office: &Installation,
) -> Page<'a> {
    let page = browser.open(&server.url("/today")).await;
    page.wait_until("location.pathname === '/login'", SOON)
        .await;
    page.goto(&server.url(&office.setup_path)).await;
    page.fill("#f-name", "Grace Hopper").await;
    page.fill("#f-email", "grace@office.example").await;
    page.fill("#f-password", PASSWORD).await;
    page.click("form .btn-primary").await;
    page.wait_until(
        "!location.pathname.startsWith('/setup/') || location.pathname === '/setup/company'",
        SOON,
    )
    .await;
    page.goto(&server.url("/today")).await;
    page
}

/// Ada and Ben, who work whenever they come.
async fn two_people(office: &Installation) {
    let store = Store::open(office.database_url())
        .await
        .expect("init made the database");
    let author = Author {
        account: None,
        at: Clock::system().now(),
    };
    let tx = store.begin_write().await.expect("a transaction");
    let site = tx.add_site("Office", "UTC", author).await.expect("a site");
    let whenever: Shift =
        serde_json::from_str(r#"{"flexible": true, "required_min": 60, "day_start": "00:00"}"#)
            .expect("a shift");
    let shift = tx
        .add_shift("Whenever", &whenever, author)
        .await
        .expect("a shift");
    for (code, number, first_name, last_name) in [
        ("A1", "41", "Ada", "Lovelace"),
        ("B2", "42", "Ben", "Nevis"),
    ] {
        let fields = EmployeeFields {
            code: code.into(),
            first_name: first_name.into(),
            last_name: last_name.into(),
            username: None,
            email: None,
            device_user_id: Some(number.into()),
            site,
            department: None,
            shift: Some(shift),
            week_pattern: None,
            weekly_off: None,
            employed_from: None,
            employed_to: None,
        };
        tx.add_employee(&fields, author).await.expect("an employee");
    }
    tx.commit().await.expect("committed");
    store.close().await.expect("closed");
}

/// devices, ok, failed, read, new
fn counts(json: &str) -> [u64; 5] {
    let totals: serde_json::Value =
        serde_json::from_str(json).expect("poll --json prints one object");
    ["devices", "ok", "failed", "read", "new"].map(|key| totals[key].as_u64().expect("a number"))
}

fn utc_now() -> Zoned {
    let now = Clock::system().now().to_zoned(TimeZone::UTC);
    now.checked_sub(i64::from(now.subsec_nanosecond()).nanoseconds())
        .expect("this century")
}

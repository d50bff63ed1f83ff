//! A small company behind the router, for the tests of its pages.
#![allow(dead_code)] // each test binary uses a part of it

use std::collections::BTreeSet;

use attendance::{
    AccountId, DepartmentId, DeviceId, DeviceUserId, EmployeeId, HourMinute, Punch, PunchState,
    SegmentSpec, Shift, VerifyMode, Way,
};
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode, header};
use ingest::{Batch, Change, Clock, Engine, PollerOptions};
use jiff::Timestamp;
use store::Store;
use store::accounts::{NewAccount, Role};
use store::people::EmployeeFields;
use store::testing::{author, device_fields, employee_fields, report_saying};
use tower::ServiceExt;
use web::{WebConfig, WebState};

pub const DAY: &str = "2026-05-12";

/// A company of ten, at 09:20 of a Tuesday in Karachi.
pub struct Company {
    _folder: tempfile::TempDir,
    pub store: Store,
    pub engine: Engine,
    pub state: WebState,
    pub router: Router,
    pub gate: DeviceId,
    pub people: Vec<EmployeeId>,
}

impl Company {
    pub async fn empty() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let url = format!("sqlite://{}", folder.path().join("muster.db").display());
        let store = Store::open(&url).await.expect("a new file");
        store.migrate().await.expect("a new file");
        let now: Timestamp = "2026-05-12T04:20:00Z".parse().expect("an instant");
        let engine = Engine::new(store.clone(), Clock::stopped(now), PollerOptions::default());
        let state = WebState::new(engine.clone(), WebConfig::default());
        Self {
            router: web::router(state.clone()),
            _folder: folder,
            store,
            engine,
            state,
            gate: DeviceId(0),
            people: Vec::new(),
        }
    }

    /// Ten people: five on time, two late, one not arrived, one unknown, one on leave; one device that answers, one that does not.
    pub async fn of_ten() -> Self {
        Self::of_ten_but(&[]).await
    }

    /// The same, with other statuses for some of them.
    pub async fn of_ten_but(changes: &[(usize, &str)]) -> Self {
        let mut company = Self::empty().await;
        let tx = company.store.begin_write().await.expect("a transaction");
        let site = tx
            .add_site("Karachi mill", "Asia/Karachi", author())
            .await
            .expect("a site");
        tx.set_setting("company", Some("Crescent & Sons"), author())
            .await
            .expect("a setting");
        let hour = |hour: u16| HourMinute::from_minutes(hour * 60).expect("a time");
        let shift = Shift {
            segments: vec![SegmentSpec {
                start: hour(9),
                end: hour(18),
            }],
            ..Shift::default()
        };
        let shift = tx
            .add_shift("General", &shift, author())
            .await
            .expect("a shift");
        let weaving = tx
            .add_department(site, "Weaving", author())
            .await
            .expect("a department");
        let stores = tx
            .add_department(site, "Stores", author())
            .await
            .expect("a department");
        let days = [
            ("Asma Jabeen", "present", Some("08:41:00"), 0),
            ("Beata Kowalska", "present", Some("08:52:10"), 0),
            ("Chamari Silva", "present", Some("08:55:30"), 0),
            ("Danish Aslam", "present", Some("08:59:59"), 0),
            ("Elena Petrova", "on_duty", None, 0),
            ("Faisal <Al-Otaibi>", "present", Some("09:12:30"), 12),
            ("Giulia Romano", "present", Some("09:19:05"), 19),
            ("Huda Salem", "not_arrived", None, 0),
            ("Imran Butt", "unknown", None, 0),
            ("Jakob Lindgren", "on_leave", None, 0),
        ];
        for (number, (name, status, first_in, late)) in days.into_iter().enumerate() {
            let (first, last) = name.split_once(' ').expect("two names");
            let fields = EmployeeFields {
                first_name: first.into(),
                last_name: last.into(),
                device_user_id: Some(format!("{}", 2001 + number)),
                department: Some(if number < 6 { weaving } else { stores }),
                shift: Some(shift),
                ..employee_fields(site, &format!("CT-{}", 1001 + number))
            };
            let id = tx
                .add_employee(&fields, author())
                .await
                .expect("an employee");
            let changed = changes.iter().find(|(person, _)| *person == number);
            let status = changed.map_or(status, |(_, status)| *status);
            let first_in = first_in.map(|time| format!("{DAY} {time}"));
            report_saying(&tx, id, DAY, status, first_in.as_deref(), late).await;
            company.people.push(id);
        }
        for (serial, name) in [("A1", "Main gate"), ("B2", "Gate 2")] {
            let new = store::devices::NewDevice {
                fields: store::devices::DeviceFields {
                    name: name.into(),
                    ..device_fields(site, serial)
                },
                password: None,
                comm_key: None,
                zone: None,
            };
            let id = tx.add_device(&new, author()).await.expect("a device");
            if serial == "A1" {
                company.gate = id;
            } else {
                let began: Timestamp = "2026-05-12T03:41:00Z".parse().expect("an instant");
                tx.record_failure(id, began, "connect", "no connection to 192.0.2.1:4370")
                    .await
                    .expect("a failure");
            }
        }
        tx.commit().await.expect("committed");
        let second = company
            .store
            .device_by_serial("B2")
            .await
            .expect("a query")
            .expect("a device");
        company
            .punch_at(DeviceId(second.id), "2009", "2026-05-11T08:50:00")
            .await;
        company.punch("2007", "2026-05-12T09:19:05").await;
        company.punch("9999", "2026-05-12T09:15:49").await;
        company
    }

    pub async fn punch(&self, user: &str, clock: &str) {
        self.punch_at(self.gate, user, clock).await;
    }

    pub async fn punch_at(&self, device: DeviceId, user: &str, clock: &str) {
        let punch = Punch {
            user: DeviceUserId::parse(user).expect("an id"),
            clock: clock.parse().expect("a clock"),
            offset: None,
            state: PunchState::None,
            verify: VerifyMode::Finger,
            record: 0,
        };
        let batch = Batch::new(device, Way::Push, vec![punch]);
        self.engine.intake.accept(&batch).await.expect("accepted");
    }

    /// Signs in with an account of these roles; the cookie.
    pub async fn sign_in(&self, roles: &[Role]) -> String {
        let token = {
            let tx = self.store.begin_write().await.expect("a transaction");
            let token = tx
                .add_setup_link(self.engine.clock.real_now())
                .await
                .expect("a link");
            tx.commit().await.expect("committed");
            token
        };
        let form = "name=Farhan&email=farhan%40example.org&password=correct%20horse";
        let answer = self.post(&format!("/setup/{token}"), form, None).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.body);
        let account = self.store.accounts().await.expect("accounts")[0].id;
        let names: Vec<_> = roles.iter().map(|role| role.as_str()).collect();
        store::testing::set_roles(&self.store, account, &names.join(",")).await;
        answer.cookie.expect("a session")
    }

    pub async fn owner(&self) -> String {
        self.sign_in(&[Role::Owner, Role::Hr, Role::It]).await
    }

    pub async fn get(&self, path: &str, cookie: Option<&str>) -> Answer {
        let request = Request::get(path).header(header::HOST, "muster.test");
        self.send(request, Body::empty(), cookie).await
    }

    pub async fn post(&self, path: &str, form: &str, cookie: Option<&str>) -> Answer {
        let request = Request::post(path)
            .header(header::HOST, "muster.test")
            .header("sec-fetch-site", "same-origin")
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        self.send(request, Body::from(form.to_owned()), cookie)
            .await
    }

    pub async fn send(
        &self,
        mut request: axum::http::request::Builder,
        body: Body,
        cookie: Option<&str>,
    ) -> Answer {
        if let Some(cookie) = cookie {
            request = request.header(header::COOKIE, cookie);
        }
        let request = request.body(body).expect("a request");
        let response = self
            .router
            .clone()
            .oneshot(request)
            .await
            .expect("an answer");
        let text = |name: &str| {
            let value = response.headers().get(name)?.to_str().ok()?;
            Some(value.to_owned())
        };
        Answer {
            status: response.status(),
            location: text("location"),
            redirect: text("hx-redirect"),
            policy: text("content-security-policy"),
            cookie: text("set-cookie").map(|cookie| {
                let pair = cookie.split(';').next().unwrap_or_default();
                pair.to_owned()
            }),
            cookie_line: text("set-cookie"),
            body: {
                let bytes = to_bytes(response.into_body(), 8 << 20)
                    .await
                    .expect("a body");
                String::from_utf8_lossy(&bytes).into_owned()
            },
        }
    }
}

pub struct Answer {
    pub status: StatusCode,
    pub location: Option<String>,
    pub redirect: Option<String>,
    pub policy: Option<String>,
    pub cookie: Option<String>,
    pub cookie_line: Option<String>,
    pub body: String,
}

/// One element of a page by its id, a tag per line, without what differs from run to run.
pub fn part(page: &str, id: &str) -> String {
    let at = page
        .find(&format!(" id=\"{id}\""))
        .unwrap_or_else(|| panic!("no #{id}"));
    let start = page[..at].rfind('<').expect("a tag");
    let tag: String = page[start + 1..]
        .chars()
        .take_while(char::is_ascii_alphanumeric)
        .collect();
    let (mut depth, mut end) = (0_usize, start);
    loop {
        let rest = &page[end + 1..];
        let next = rest.find(&format!("<{tag}")).map_or(usize::MAX, |at| at);
        let close = rest.find(&format!("</{tag}>")).expect("it is closed");
        if next < close {
            depth += 1;
            end += next + 1;
        } else {
            end += close + 1;
            if depth == 0 {
                break;
            }
            depth -= 1;
        }
    }
    page[start..end].replace("><", ">\n<")
}

impl Company {
    pub async fn state_is_fresh(&self) {
        self.state
            .refresh(&Change::everything())
            .await
            .expect("the board can be read");
    }
}

/// What differs from run to run, or is the same on every page, is left out of snapshots.
pub fn redacted() -> insta::Settings {
    let mut settings = insta::Settings::clone_current();
    settings.add_filter(
        r#"data-(ago|since)="\d+" datetime="[^"]*" title="[^"]*""#,
        "data-$1",
    );
    settings.add_filter(r#"<svg class="ic[^>]*>\n(<path[^>]*>\n)+</svg>"#, "(icon)");
    settings
}

/// An account of an employee, or of nobody, signed in.
pub async fn account(
    company: &Company,
    email: &str,
    roles: &[Role],
    employee: Option<EmployeeId>,
) -> (AccountId, String) {
    let known = company.store.accounts().await.expect("accounts");
    let tx = company.store.begin_write().await.expect("a transaction");
    let new = NewAccount {
        email: email.to_owned(),
        name: email.split('@').next().unwrap_or_default().to_owned(),
        password_hash: known[0].password_hash.clone(),
        roles: roles.iter().copied().collect(),
        employee,
    };
    let id = tx.add_account(&new, author()).await.expect("an account");
    tx.commit().await.expect("committed");
    let form = format!(
        "email={}&password=correct%20horse",
        email.replace('@', "%40")
    );
    let answer = company.post("/login", &form, None).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.body);
    (id, answer.cookie.expect("a session"))
}

pub async fn weaving(company: &Company) -> DepartmentId {
    let departments = store::views::people::departments(&company.store).await;
    let departments = departments.expect("departments");
    let found = departments.iter().find(|one| one.name == "Weaving");
    DepartmentId(found.expect("a department").id)
}

/// A manager of Weaving, where the first six of the ten work.
pub async fn manager(company: &Company) -> String {
    let (id, cookie) = account(company, "mona@example.org", &[Role::Manager], None).await;
    let department = weaving(company).await;
    let tx = company.store.begin_write().await.expect("a transaction");
    tx.set_managers(department, &BTreeSet::from([id]), author())
        .await
        .expect("a manager");
    tx.commit().await.expect("committed");
    cookie
}

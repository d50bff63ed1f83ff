//! Why a day reads as it does, the month of a person, and corrections: through the router, and as a whole.

mod company;

use std::collections::BTreeMap;

use attendance::{DeviceId, EmployeeId};
use axum::http::StatusCode;
use jiff::civil::{Date, DateTime, date};
use jiff::{Span, Timestamp};
use proptest::prelude::*;
use serde_json::Value;
use store::Author;
use store::accounts::Role;
use store::corrections::{Side, Voided};
use store::people::EmployeeFields;
use store::testing::{author, count_rows, employee_fields};
use web::why::{Story, Why};

use crate::company::{Answer, Company, DAY, part, redacted};

const WHY: &str = "/people/CT-1007/2026-05-12";

fn at(text: &str) -> Timestamp {
    text.parse().expect("an instant")
}

impl Company {
    async fn judged(&self) {
        self.engine.judge.drain().await.expect("days can be judged");
    }

    /// The report of the day is a judged one: its history begins with the judgement.
    async fn ready() -> (Self, String) {
        let company = Self::of_ten().await;
        let person = "(SELECT id FROM employees WHERE code = 'CT-1007')";
        let fixture = format!(
            "DELETE FROM attendance_reports WHERE workday = '{DAY}' AND employee_id = {person}"
        );
        store::testing::tamper(&company.engine.store, &fixture).await;
        company.judged().await;
        company.state_is_fresh().await;
        let cookie = company.owner().await;
        (company, cookie)
    }

    async fn page(&self, path: &str, cookie: &str) -> String {
        let page = self.get(path, Some(cookie)).await;
        assert_eq!(page.status, StatusCode::OK, "{path}: {}", page.body);
        page.body.replace('\u{a0}', " ")
    }

    async fn facts(&self, path: &str, cookie: &str) -> Value {
        let page = self.get(&format!("{path}.json"), Some(cookie)).await;
        assert_eq!(page.status, StatusCode::OK, "{path}");
        serde_json::from_str(&page.body).expect("JSON")
    }

    async fn send_form(&self, path: &str, form: &str, cookie: &str) -> Answer {
        let answer = self.post(path, form, Some(cookie)).await;
        assert!(
            matches!(answer.status, StatusCode::OK | StatusCode::SEE_OTHER),
            "{}",
            answer.body
        );
        answer
    }
}

#[tokio::test]
async fn a_day_says_why_it_reads_so() {
    let (company, cookie) = Company::ready().await;
    company.punch("2007", "2026-05-12T09:19:30").await;
    company.judged().await;
    let page = company.page(WHY, &cookie).await;
    let why = part(&page, "why");
    for said in [
        "Why Tuesday 12 May 2026 is P*",
        "First in 09:19:05 is after 09:10:00 (start 09:00 and the grace), so the day counts as late by 19 min.",
        "General, 09:00 to 18:00.",
        "Punches: 1 used, 1 ignored",
        "Ignored: repeat within 60 s of 09:19:05",
        "The day is open until 22:00.",
        "Main gate",
        "push, Finger, clock 09:19:05 Asia/Karachi",
        "R34",
    ] {
        assert!(why.contains(said), "{said}: {why}");
    }
    redacted().bind(|| insta::assert_snapshot!("why", why));

    let facts = company.facts(WHY, &cookie).await;
    assert_eq!(facts["report"]["late_min"], 19);
    assert_eq!(facts["employee"]["code"], "CT-1007");
    assert_eq!(facts["differs"], serde_json::json!([]));
    assert_eq!(facts["versions"].as_array().map(Vec::len), Some(1));
    let punch = facts["facts"]
        .as_array()
        .expect("facts")
        .iter()
        .find(|fact| fact["topic"] == "punch");
    let punch = &punch.expect("a punch")["values"];
    assert_eq!(
        (&punch["way"], &punch["use"], &punch["verify"]),
        (&"push".into(), &"first_in".into(), &"finger".into())
    );
}

#[tokio::test]
async fn the_month_of_a_person_has_a_letter_for_each_day_and_the_chosen_one_is_explained() {
    let (company, cookie) = Company::ready().await;
    let page = company.page("/people/CT-1007", &cookie).await;
    let calendar = part(&page, "calendar");
    assert!(
        calendar.contains("aria-label=\"Tuesday 12 May 2026, Present, late 19 min, in 09:19\""),
        "{calendar}"
    );
    assert!(
        calendar.contains("present 1, late 1 (19 min)"),
        "{calendar}"
    );
    assert_eq!(calendar.matches("<a id=\"d-2026-05-").count(), 31);
    assert!(
        part(&page, "why").contains("Why Tuesday 12 May 2026 is P*"),
        "the newest day is explained"
    );
    assert!(part(&page, "punches").contains("used, first in"));
    let april = company.page("/people/CT-1007?month=2026-04", &cookie).await;
    assert_eq!(
        part(&april, "calendar")
            .matches("<a id=\"d-2026-04-")
            .count(),
        30
    );
    assert!(april.contains("No punch in this month."));
    let other = company
        .page("/people/CT-1007?month=2026-05&day=2026-05-11", &cookie)
        .await;
    assert!(part(&other, "why").contains("Why Monday 11 May 2026"));
    let chosen = part(&other, "d-2026-05-11");
    assert!(chosen.contains("aria-current=\"date\""), "{chosen}");
}

#[tokio::test]
async fn an_unknown_day_names_the_terminal_and_since_when_it_was_not_read() {
    let (company, cookie) = Company::ready().await;
    let gate_2 = company
        .store
        .device_by_serial("B2")
        .await
        .expect("read")
        .expect("a device");
    let tx = company.store.begin_write().await.expect("a transaction");
    let read_to = at("2026-05-12T03:41:00Z");
    tx.advance_coverage(
        DeviceId(gate_2.id),
        Some(at("2026-05-01T00:00:00Z")),
        read_to,
    )
    .await
    .expect("covered");
    tx.mark_days([(company.people[8], date(2026, 5, 12))], "coverage")
        .await
        .expect("marked");
    tx.commit().await.expect("committed");
    company.judged().await;
    let why = part(
        &company.page("/people/CT-1009/2026-05-12", &cookie).await,
        "why",
    );
    for said in [
        "No punch so far, and Gate 2 has not been read since 08:41.",
        "read up to 08:41, needed up to 22:00",
        "/devices/B2/coverage?from=2026-05-12T03:41:00Z",
        "R74",
        "a terminal was read",
    ] {
        assert!(why.contains(said), "{said}: {why}");
    }
}

#[tokio::test]
async fn a_punch_is_added_after_a_look_at_what_changes_and_can_be_taken_back() {
    let (company, cookie) = Company::ready().await;
    let corrections = async || count_rows(&company.store, "corrections").await;
    let form = format!("date={DAY}&time=09%3A05&state=in&reason=forgot+the+card");
    let add = format!("{WHY}/add");
    let looked = company.send_form(&add, &form, &cookie).await;
    let changes = part(&looked.body, "changes");
    assert!(
        changes.contains("Present, late") && changes.contains("09:05"),
        "{changes}"
    );
    assert_eq!(corrections().await, 0, "only looked");

    let saved = company
        .send_form(&add, &format!("{form}&step=save"), &cookie)
        .await;
    let to = saved.location.expect("a place");
    company.judged().await;
    let page = company.page(&to, &cookie).await;
    let why = part(&page, "why");
    assert!(page.contains("Punch 09:05:00 is added."));
    assert!(
        why.contains("Punches: 2 used, 0 ignored") && why.contains("09:05:00"),
        "{why}"
    );
    assert!(why.contains("by Farhan: forgot the card"), "{why}");
    let audited = &company.store.audit_entries(None, 1).await.expect("read")[0];
    assert_eq!(
        (audited.action.as_str(), audited.subject.as_str()),
        ("correction.add", "CT-1007")
    );

    let id = to.split_once("added=").expect("the entry").1.to_owned();
    company
        .send_form(&format!("{WHY}/undo"), &format!("id={id}"), &cookie)
        .await;
    company.judged().await;
    let why = part(&company.page(WHY, &cookie).await, "why");
    assert!(
        why.contains("Voided by Farhan: taken back right after it was entered"),
        "{why}"
    );
    assert!(why.contains("late by 19 min"), "{why}");
    // Twice is once, and an entry of somebody else is not mine to undo.
    let again = company
        .post(&format!("{WHY}/undo"), &format!("id={id}"), Some(&cookie))
        .await;
    assert_eq!(again.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_punch_of_a_terminal_is_voided_and_never_changed() {
    let (company, cookie) = Company::ready().await;
    let facts = company.facts(WHY, &cookie).await;
    let facts = facts["facts"].as_array().expect("facts").clone();
    let id = facts
        .iter()
        .find(|fact| fact["topic"] == "punch")
        .expect("a punch")["values"]["id"]
        .clone();
    let id = id.as_str().expect("an id");
    let raw = company.page("/people/CT-1007", &cookie).await;
    let raw = part(&raw, "punches").replace("used, first in", "voided");

    let shown = company.page(&format!("{WHY}/void?id={id}"), &cookie).await;
    assert!(shown.contains("09:19:05") && shown.contains("Main gate"));
    let void = format!("{WHY}/void");
    let looked = company
        .send_form(&void, &format!("id={id}&reason=tailgating"), &cookie)
        .await;
    assert!(
        part(&looked.body, "changes").contains("Present, late"),
        "{}",
        looked.body
    );
    let refused = company
        .send_form(&void, &format!("id={id}&reason=+&step=save"), &cookie)
        .await;
    assert!(refused.body.contains("Enter a reason."));
    company
        .send_form(
            &void,
            &format!("id={id}&reason=tailgating&step=save"),
            &cookie,
        )
        .await;
    company.judged().await;
    let why = part(&company.page(WHY, &cookie).await, "why");
    assert!(
        why.contains("Voided by Farhan: tailgating") && why.contains("Punches: 0 used, 1 ignored"),
        "{why}"
    );
    assert_eq!(
        part(&company.page("/people/CT-1007", &cookie).await, "punches"),
        raw,
        "as received"
    );
    let again = company
        .post(
            &void,
            &format!("id={id}&reason=again&step=save"),
            Some(&cookie),
        )
        .await;
    assert_eq!(again.status, StatusCode::NOT_FOUND);

    // The void is taken back by another entry.
    assert!(
        why.contains("href=\"/people/CT-1007/2026-05-12/void?id=c1\""),
        "{why}"
    );
    let shown = company.page(&format!("{WHY}/void?id=c1"), &cookie).await;
    assert!(shown.contains("Restore punch") && shown.contains("09:19:05"));
    let back = company
        .send_form(
            &void,
            "id=c1&reason=the+camera+says+otherwise&step=save",
            &cookie,
        )
        .await;
    assert_eq!(back.status, StatusCode::SEE_OTHER, "{}", back.body);
    company.judged().await;
    let page = company.page(WHY, &cookie).await;
    assert!(page.contains("Punch 09:19:05 counts again."), "{page}");
    let why = part(&page, "why");
    let said = "Void of 09:19:05 taken back by Farhan";
    assert!(
        why.contains(said) && why.contains("Punches: 1 used"),
        "{why}"
    );
    let day = company.page(&format!("/day/{DAY}"), &cookie).await;
    assert!(day.contains("Void of 09:19 taken back, Farhan: the camera says otherwise"));
    let again = company
        .post(&void, "id=c1&reason=again&step=save", Some(&cookie))
        .await;
    assert_eq!(again.status, StatusCode::NOT_FOUND);
    // A punch of somebody else is not on this day.
    let other = company
        .get(
            &format!("/people/CT-1001/{DAY}/void?id={id}"),
            Some(&cookie),
        )
        .await;
    assert_eq!(other.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_wrong_correction_is_shown_again() {
    let (company, cookie) = Company::ready().await;
    let add = format!("{WHY}/add");
    for (form, error) in [
        ("date=2026-05-12&time=&reason=x", "Enter a time like 18:02."),
        ("date=2026-05-12&time=09%3A05&reason=", "Enter a reason."),
        (
            "date=2026-05-12&time=23%3A00&reason=x",
            "This time is still to come.",
        ),
        (
            "date=2026-05-09&time=09%3A05&reason=x",
            "Choose this day, or the day before or after.",
        ),
        ("date=never&time=09%3A05&reason=x", "Enter a date"),
    ] {
        let answer = company
            .send_form(&add, &format!("{form}&step=save"), &cookie)
            .await;
        assert!(answer.body.contains(error), "{form}: {}", answer.body);
    }
    assert_eq!(count_rows(&company.store, "corrections").await, 0);
}

#[tokio::test]
async fn a_day_is_shown_as_it_was_known() {
    let (company, cookie) = Company::ready().await;
    company.engine.clock.set(at("2026-05-12T05:00:00Z"));
    company
        .send_form(
            &format!("{WHY}/add"),
            &format!("date={DAY}&time=09%3A05&reason=forgot&step=save"),
            &cookie,
        )
        .await;
    company.judged().await;
    assert!(
        company
            .page(WHY, &cookie)
            .await
            .contains("is not after 09:10:00, so it is on time")
    );

    let then = company
        .page(&format!("{WHY}?at=2026-05-12T09:30"), &cookie)
        .await;
    let why = part(&then, "why");
    assert!(
        why.contains("late by 19 min") && why.contains("As known at 09:30."),
        "{why}"
    );
    assert!(
        why.contains("Punches: 1 used") && !why.contains("forgot"),
        "the correction was not made yet: {why}"
    );
    assert!(!why.contains("rewritten"), "{why}");
    assert!(!why.contains("/void?"), "the past is not corrected");
    let before = part(
        &company
            .page(&format!("{WHY}?at=2026-05-12T09:10"), &cookie)
            .await,
        "why",
    );
    assert!(
        before.contains("there was no report of this day yet"),
        "{before}"
    );
    let wrong = company.page(&format!("{WHY}?at=yesterday"), &cookie).await;
    assert!(wrong.contains("Enter a date and time like"));
    let wrong = company
        .get(&format!("{WHY}.json?at=yesterday"), Some(&cookie))
        .await;
    assert_eq!(wrong.status, StatusCode::BAD_REQUEST);

    // The punch turns out to be somebody else's.
    let giulia = company.people[6];
    let tx = company.store.begin_write().await.expect("a transaction");
    let mut fields = company
        .store
        .employee(giulia)
        .await
        .expect("read")
        .expect("kept")
        .fields;
    fields.device_user_id = None;
    tx.edit_employee(giulia, &fields, author())
        .await
        .expect("edited");
    tx.commit().await.expect("committed");
    company.judged().await;
    let then = company
        .page(&format!("{WHY}?at=2026-05-12T09:30"), &cookie)
        .await;
    let why = part(&then, "why");
    assert!(
        why.contains("is P*") && why.contains("Evidence has been rewritten"),
        "{why}"
    );
    let facts = company
        .get(&format!("{WHY}.json?at=2026-05-12T09:30"), Some(&cookie))
        .await;
    let facts: Value = serde_json::from_str(&facts.body).expect("JSON");
    assert_eq!(facts["report"]["late_min"], 19);
    assert!(
        facts["differs"]
            .as_array()
            .expect("a list")
            .contains(&"first_in".into())
    );
    let history = part(&company.page(WHY, &cookie).await, "why-history");
    assert!(
        history.contains("because of a correction") && history.contains("changed first in"),
        "{history}"
    );
}

#[tokio::test]
async fn a_closed_day_is_explained_and_refuses_corrections() {
    let (company, cookie) = Company::ready().await;
    let days = store::periods::Days {
        from: date(2026, 5, 12),
        to: date(2026, 5, 12),
        of: store::periods::Part::Everybody,
    };
    let tx = company.store.begin_write().await.expect("a transaction");
    let author = Author {
        account: None,
        at: company.engine.clock.now(),
    };
    tx.close_days(days, Some("a test"), author)
        .await
        .expect("closed");
    tx.commit().await.expect("committed");
    company.judged().await;
    let why = part(&company.page(WHY, &cookie).await, "why");
    assert!(why.contains("The period is closed"), "{why}");
    assert!(
        why.contains("Punches: 1 used") && !why.contains("/void?") && !why.contains("/add"),
        "{why}"
    );
    let form = format!("date={DAY}&time=09%3A05&reason=forgot&step=save");
    let refused = company
        .send_form(&format!("{WHY}/add"), &form, &cookie)
        .await;
    assert!(
        refused.body.contains("The period of this day is closed"),
        "{}",
        refused.body
    );
    // From the day before, too.
    let refused = company
        .send_form("/people/CT-1007/2026-05-11/add", &form, &cookie)
        .await;
    assert!(
        refused.body.contains("The period of this day is closed"),
        "{}",
        refused.body
    );
    assert_eq!(count_rows(&company.store, "corrections").await, 0);
}

#[tokio::test]
async fn a_time_is_declared_covered_from_the_day_that_is_unknown_by_it() {
    let (company, cookie) = Company::ready().await;
    let path = "/devices/A1/coverage";
    let linked = company
        .page(
            &format!("{path}?from=2026-05-12T02:00:00Z&to=2026-05-12T03:00:00Z&back={WHY}"),
            &cookie,
        )
        .await;
    assert!(
        linked.contains("value=\"2026-05-12T07:00:00\"")
            && linked.contains("value=\"2026-05-12T08:00:00\"")
    );
    assert!(linked.contains(&format!("href=\"{WHY}\"")), "the way back");
    let foreign = company
        .page(&format!("{path}?back=https://evil.example"), &cookie)
        .await;
    assert!(!foreign.contains("evil.example\""), "{foreign}");
    for (form, error) in [
        (
            "from=2026-05-12T07:00&to=2026-05-12T08:00&reason=",
            "Enter a reason.",
        ),
        (
            "from=2026-05-12T08:00&to=2026-05-12T07:00&reason=x",
            "Only a time that has passed",
        ),
        (
            "from=2026-05-12T08:00&to=2026-05-13T07:00&reason=x",
            "Only a time that has passed",
        ),
        (
            "from=&to=2026-05-12T07:00&reason=x",
            "Enter a date and time",
        ),
    ] {
        let answer = company.send_form(path, form, &cookie).await;
        assert!(answer.body.contains(error), "{form}");
    }
    assert_eq!(count_rows(&company.store, "coverage_declarations").await, 0);
    let form = "from=2026-05-12T07:00&to=2026-05-12T08:00&reason=the+door+was+locked";
    company.send_form(path, form, &cookie).await;
    let declared = part(&company.page(path, &cookie).await, "declared");
    assert!(
        declared.contains("07:00 to 08:00: the door was locked") && declared.contains("by Farhan"),
        "{declared}"
    );
    let declarations = company
        .store
        .declarations(company.gate)
        .await
        .expect("read");
    company
        .send_form(
            &format!("{path}/{}/withdraw", declarations[0].id),
            "",
            &cookie,
        )
        .await;
    assert!(part(&company.page(path, &cookie).await, "declared").contains("withdrawn 09:20"));
    let other = company
        .post(
            &format!("/devices/B2/coverage/{}/withdraw", declarations[0].id),
            "",
            Some(&cookie),
        )
        .await;
    assert_eq!(other.status, StatusCode::NOT_FOUND);

    let gone = "since=2026-05-12T09:00&reason=stolen";
    company
        .send_form(&format!("{path}/gone"), gone, &cookie)
        .await;
    let device = company
        .store
        .device_by_serial("A1")
        .await
        .expect("read")
        .expect("kept");
    assert_eq!(
        device.retired_ms,
        Some(at("2026-05-12T04:00:00Z").as_millisecond())
    );
    let audited = company.store.audit_entries(None, 1).await.expect("read");
    assert_eq!(audited[0].action, "device.gone");
    let hr = company.sign_in(&[Role::Hr]).await;
    let refused = company
        .post("/devices/B2/coverage/gone", gone, Some(&hr))
        .await;
    assert_eq!(
        refused.status,
        StatusCode::NOT_FOUND,
        "HR declares, IT removes"
    );
}

#[tokio::test]
async fn who_may_not_see_people_sees_no_reasons() {
    let company = Company::of_ten().await;
    company.state_is_fresh().await;
    let it = company.sign_in(&[Role::It]).await;
    for path in ["", ".json", "/add", "/void?id=1"] {
        let answer = company.get(&format!("{WHY}{path}"), Some(&it)).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}");
    }
    let form = format!("date={DAY}&time=09%3A05&reason=forgot&step=save");
    let refused = company.post(&format!("{WHY}/add"), &form, Some(&it)).await;
    assert_eq!(refused.status, StatusCode::NOT_FOUND);
    assert_eq!(count_rows(&company.store, "corrections").await, 0);
    let owner = company.get("/people/CT-1007/soon", Some(&it)).await;
    assert_eq!(owner.status, StatusCode::NOT_FOUND);
}

/// What happens to one person within four days.
#[derive(Clone, Debug)]
enum Event {
    Punch {
        gate: usize,
        clock: DateTime,
    },
    Add {
        at: DateTime,
    },
    Call {
        at: DateTime,
        leaving: bool,
    },
    /// Of what was recorded before, by its place.
    Void {
        which: prop::sample::Index,
    },
}

fn event() -> impl Strategy<Value = Event> {
    let moment = || {
        // Few minutes, so that repeats and duplicates are common.
        (
            8_i8..=11,
            0_i8..24,
            0_i8..6,
            prop::sample::select(vec![0_i8, 20, 59]),
        )
            .prop_map(|(day, hour, tens, second)| date(2026, 5, day).at(hour, tens * 10, second, 0))
    };
    prop_oneof![
        6 => (0_usize..2, moment()).prop_map(|(gate, clock)| Event::Punch { gate, clock }),
        1 => moment().prop_map(|at| Event::Add { at }),
        1 => (moment(), any::<bool>()).prop_map(|(at, leaving)| Event::Call { at, leaving }),
        1 => any::<prop::sample::Index>().prop_map(|which| Event::Void { which }),
    ]
}

/// The ids that the why panels of the days around show, each with how often.
async fn shown(company: &Company, code: &str) -> BTreeMap<String, usize> {
    let mut times = BTreeMap::new();
    for ahead in 0..8 {
        let day: Date = date(2026, 5, 6).saturating_add(Span::new().days(ahead));
        let why = Why::of(&company.engine, code, day, None)
            .await
            .expect("explained")
            .expect("somebody");
        let json = why.json();
        let punches: Vec<&Value> = json["facts"]
            .as_array()
            .expect("facts")
            .iter()
            .filter(|fact| fact["topic"] == "punch")
            .collect();
        let story = Story::of(&why);
        let step = story
            .steps
            .iter()
            .find(|step| step.name == "punches")
            .expect("a step");
        assert_eq!(step.rows.len(), punches.len(), "{day}");
        assert!(
            step.rows
                .iter()
                .all(|row| !row.time.is_empty() && !row.text.is_empty()),
            "{day}: {step:?}"
        );
        for punch in punches {
            *times
                .entry(punch["values"]["id"].as_str().expect("an id").to_owned())
                .or_default() += 1;
        }
    }
    times
}

async fn happen(
    company: &Company,
    who: EmployeeId,
    gates: &[DeviceId],
    events: &[Event],
) -> BTreeMap<String, usize> {
    let mut ids: Vec<String> = Vec::new();
    let mut expected = BTreeMap::new();
    for event in events {
        let tx = match event {
            Event::Punch { gate, clock } => {
                company
                    .punch_at(gates[*gate], "3001", &clock.to_string())
                    .await;
                continue;
            }
            _ => company.store.begin_write().await.expect("a transaction"),
        };
        let entered = match event {
            Event::Add { at } => Some(
                tx.add_punch(who, *at, None, "forgot", author())
                    .await
                    .expect("added"),
            ),
            Event::Call { at, leaving } => {
                let side = if *leaving { Side::Out } else { Side::In };
                tx.roll_call(&[who], *at, side, "power", author())
                    .await
                    .expect("called")
                    .pop()
            }
            Event::Void { which } => {
                // A void of what is voided is refused, which changes nothing.
                if let Some(id) = ids.get(which.index(ids.len().max(1))) {
                    let entry = attendance::CorrectionId(id[1..].parse().expect("a number"));
                    let _refused_if_voided =
                        tx.void(Voided::Correction(entry), "wrong", author()).await;
                }
                None
            }
            Event::Punch { .. } => None,
        };
        tx.commit().await.expect("committed");
        if let Some(id) = entered {
            ids.push(format!("c{id}"));
            expected.insert(format!("c{id}"), 1);
        }
    }
    let punches = store::views::people::punches(&company.store, who.0, 1000)
        .await
        .expect("read");
    expected.extend(punches.iter().map(|punch| (punch.id.to_string(), 1)));
    expected
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 12, max_shrink_iters: 20, ..ProptestConfig::default() })]

    #[test]
    fn every_punch_is_accounted_for_exactly_once_in_the_panels(
        events in prop::collection::vec(event(), 1..24),
        joins in prop::option::of(8_i8..=11),
    ) {
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        let (shown, expected) = runtime.block_on(async {
            let company = Company::of_ten().await;
            let template = company.store.employee(company.people[0]).await.expect("read").expect("kept").fields;
            let tx = company.store.begin_write().await.expect("a transaction");
            let fields = EmployeeFields {
                shift: template.shift,
                device_user_id: Some("3001".to_owned()),
                employed_from: joins.map(|day| date(2026, 5, day)),
                ..employee_fields(template.site, "CT-3001")
            };
            let who = tx.add_employee(&fields, author()).await.expect("an employee");
            tx.commit().await.expect("committed");
            let second = company.store.device_by_serial("B2").await.expect("read").expect("a device");
            let gates = [company.gate, DeviceId(second.id)];
            let expected = happen(&company, who, &gates, &events).await;
            company.judged().await;
            (shown(&company, "CT-3001").await, expected)
        });
        // Punches before somebody joins are nobody's, so they are not among those expected.
        prop_assert_eq!(shown, expected);
    }
}

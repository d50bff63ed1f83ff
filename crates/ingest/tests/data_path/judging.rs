use std::collections::BTreeMap;

use attendance::{DepartmentId, Way};
use ingest::{Batch, Engine, PollerOptions};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use store::corrections::{Side, Voided};
use store::identity::NewLink;
use store::periods::{Days, Part};
use store::policies::PolicyScope;
use store::reports::JudgedDays;
use store::roster::{DayPlan, Override, WorkPlan};
use store::testing::count_rows;
use store::{Store, StoreError, on_both_databases};

use crate::company::{Company, day, punch, user, wall};

on_both_databases! {
    async fn a_day_from_its_opening_to_its_end(store: Store) {
        let company = Company::new(store, 3, 1, "2026-03-02 07:30:00").await;
        company.read(0, Vec::new()).await;
        company.at("2026-03-02 08:55:00").await;
        assert_eq!(company.status(0, "2026-03-02").await, "not_due");
        company.read(0, vec![punch("1001", "2026-03-02 08:54:00", 0)]).await;
        company.at("2026-03-02 09:10:01").await;
        company.read(0, Vec::new()).await;
        company.at("2026-03-02 09:20:00").await;
        assert_eq!(company.status(0, "2026-03-02").await, "present");
        assert_eq!(company.status(1, "2026-03-02").await, "not_arrived");
        // The terminal falls silent: by time alone nobody knows any more who came.
        company.at("2026-03-02 10:00:00").await;
        assert_eq!(company.status(1, "2026-03-02").await, "unknown");
        // It is back, and brings one of the two.
        company.clock.set(crate::company::at("2026-03-02 11:00:00"));
        company.read(0, vec![punch("1002", "2026-03-02 09:05:00", 1)]).await;
        assert_eq!(company.status(1, "2026-03-02").await, "present");
        assert_eq!(company.status(2, "2026-03-02").await, "not_arrived");
        company.clock.set(crate::company::at("2026-03-02 22:00:00"));
        company.read(0, Vec::new()).await;
        company.at("2026-03-02 22:00:00").await;
        assert_eq!(company.status(2, "2026-03-02").await, "absent");
    }

    async fn a_device_that_comes_into_service_concerns_who_has_no_device_of_his_own(store: Store) {
        let company = Company::new(store, 1, 2, "2026-03-03 12:00:00").await;
        company.read(0, vec![punch("9999", "2026-03-02 08:54:00", 0)]).await;
        company.at("2026-03-03 12:00:00").await;
        let marked = async || store::testing::marked_days(&company.store, company.people[0]).await;
        assert_eq!(marked().await, []);
        let reports = company.reports().await;
        let reported: Vec<Date> = reports.keys().map(|(_, day)| *day).collect();
        assert!(!reported.is_empty());
        // The log of another terminal of the site reaches back to these days.
        company.accept(&company.reading(1, vec![punch("9999", "2026-03-02 08:55:00", 0)])).await;
        assert_eq!(marked().await, reported);
    }

    async fn every_changed_report_has_a_version(store: Store) {
        let company = Company::new(store, 1, 1, "2026-03-02 12:00:00").await;
        let versions = async || {
            let versions = store::views::why::versions(&company.store, company.people[0].0, "2026-03-02").await.unwrap();
            let tell = |version: store::views::why::Version| {
                let minute = TimeZone::get(crate::company::ZONE).unwrap().to_datetime(version.judged_at).minute();
                (minute, version.cause, version.says.map(|says| says.first_in.unwrap()[11..16].to_owned()))
            };
            versions.into_iter().map(tell).collect::<Vec<_>>()
        };
        let version = |minute: i8, cause: &str, first_in: Option<&str>| (minute, cause.to_owned(), first_in.map(str::to_owned));
        company.read(0, vec![punch("1001", "2026-03-02 08:54:00", 0)]).await;
        let mut expected = vec![version(0, "employee edited", Some("08:54"))];
        assert_eq!(versions().await, expected);
        company.clock.set(crate::company::at("2026-03-02 12:01:00"));
        company.engine.judge.judge_all(Date::MIN, Date::MAX).await.unwrap();
        assert_eq!(versions().await, expected, "nothing changed");
        company.clock.set(crate::company::at("2026-03-02 12:02:00"));
        company.read(0, vec![punch("1001", "2026-03-02 08:50:00", 1)]).await;
        expected.push(version(2, "punch", Some("08:50")));
        assert_eq!(versions().await, expected);
        assert_eq!(count_rows(&company.store, "report_versions").await, 1, "what it says now is in the report alone");
        for (minute, employed_to, first_in) in [(3, Some(day("2026-03-01")), None), (4, None, Some("08:50"))] {
            company.clock.set(crate::company::at(&format!("2026-03-02 12:0{minute}:00")));
            let mut fields = company.store.employee(company.people[0]).await.unwrap().unwrap().fields;
            fields.employed_to = employed_to;
            let tx = company.store.begin_write().await.unwrap();
            tx.edit_employee(company.people[0], &fields, company.author()).await.unwrap();
            tx.commit().await.unwrap();
            company.engine.judge.drain().await.unwrap();
            expected.push(version(minute, "employee edited", first_in));
            assert_eq!(versions().await, expected);
        }
    }

    async fn a_report_that_stays_the_same_is_judged_at_another_time_and_goes_with_its_person(store: Store) {
        let company = Company::new(store, 1, 1, "2026-03-02 12:00:00").await;
        company.read(0, vec![punch("1001", "2026-03-02 08:54:00", 0)]).await;
        company.read(0, vec![punch("1001", "2026-03-02 18:05:00", 1)]).await;
        company.clock.set(crate::company::at("2026-03-04 12:00:00"));
        company.read(0, Vec::new()).await;
        let (ada, on) = (company.people[0], day("2026-03-02"));
        let stored = async || {
            let explained = company.engine.judge.explain(ada, &[on], None).await.unwrap();
            explained[0].stored.clone().unwrap()
        };
        let judge_again = async |now: &str| {
            company.clock.set(crate::company::at(now));
            company.engine.judge.judge_all(Date::MIN, Date::MAX).await.unwrap();
        };
        judge_again("2026-03-04 12:00:00").await;
        let before = stored().await;
        judge_again("2026-03-05 12:00:00").await;
        let after = stored().await;
        assert_eq!(after.says, before.says);
        assert_eq!((before.judged_at, after.judged_at), (
            crate::company::at("2026-03-04 12:00:00"),
            crate::company::at("2026-03-05 12:00:00"),
        ));

        let tx = company.store.begin_write().await.unwrap();
        let author = company.author();
        let weaving = tx.add_department(company.site, "Weaving", author).await.unwrap();
        let mut fields = company.store.employee(ada).await.unwrap().unwrap().fields;
        fields.department = Some(weaving);
        tx.edit_employee(ada, &fields, author).await.unwrap();
        tx.commit().await.unwrap();
        judge_again("2026-03-05 12:00:00").await;
        let tx = company.store.begin_write().await.unwrap();
        let days = Days { from: on, to: on, of: Part::Department(weaving) };
        tx.close_days(days, Some("as it is"), author).await.unwrap();
        tx.commit().await.unwrap();
        judge_again("2026-03-05 12:00:00").await;
        assert_eq!(stored().await.says.stage, "locked", "it is on the sheet of the new department");
    }

    async fn a_crash_between_intake_and_judge_loses_no_judgement(store: Store) {
        let company = Company::new(store, 1, 1, "2026-03-02 12:00:00").await;
        let batch = company.reading(0, vec![punch("1001", "2026-03-02 08:54:00", 0)]);
        company.accept(&batch).await;
        assert_eq!(company.status(0, "2026-03-02").await, "-");
        let after_restart = Engine::new(company.store.clone(), company.clock.clone(), PollerOptions::default());
        after_restart.judge.drain().await.unwrap();
        assert_eq!(company.status(0, "2026-03-02").await, "present");
    }

    async fn the_claim_of_a_dead_judge_is_taken_over_and_its_save_refused(store: Store) {
        let company = Company::new(store, 1, 1, "2026-03-02 12:00:00").await;
        company.accept(&company.reading(0, vec![punch("1001", "2026-03-02 08:54:00", 0)])).await;
        let now = company.clock.real_now();
        let tx = company.store.begin_write().await.unwrap();
        let long_ago = now - SignedDuration::from_secs(120);
        let claimed = tx.claim_marked_days("dead", long_ago, now - SignedDuration::from_secs(60), None, None, 100).await.unwrap();
        tx.commit().await.unwrap();
        assert!(!claimed.marks.is_empty());
        company.engine.judge.drain().await.unwrap();
        assert_eq!(company.status(0, "2026-03-02").await, "present");
        assert_eq!(company.store.marked_day_count().await.unwrap(), 0);

        // A living one keeps its claim.
        company.accept(&company.reading(0, vec![punch("1001", "2026-03-02 08:50:00", 1)])).await;
        let tx = company.store.begin_write().await.unwrap();
        let held = tx.claim_marked_days("other", now, now + SignedDuration::from_secs(60), None, None, 100).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(company.engine.judge.drain().await.unwrap(), 0);
        // What the dead one would save now is refused: the days are not its own any more.
        let tx = company.store.begin_write().await.unwrap();
        let person = company.people[0];
        let explained = company.engine.judge.explain(person, &[day("2026-03-02")], None).await.unwrap();
        let mut report = explained[0].report.clone();
        report.worked_min += 60;
        let mut late = JudgedDays::new(&company.store, company.clock.now());
        late.add(person, DepartmentId(1), &report, "test", None, None);
        let saved = tx.save_reports(&claimed, late, &BTreeMap::new()).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(saved, []);
        let kept = company.engine.judge.explain(person, &[day("2026-03-02")], None).await.unwrap();
        assert_eq!(kept[0].stored.as_ref().unwrap().says, explained[0].stored.as_ref().unwrap().says);
        assert_eq!(company.store.marked_day_count().await.unwrap(), held.marks.len() as u64);
    }

    async fn a_day_marked_again_while_it_is_judged_stays_marked(store: Store) {
        let company = Company::new(store, 1, 1, "2026-03-02 12:00:00").await;
        company.accept(&company.reading(0, vec![punch("1001", "2026-03-02 08:54:00", 0)])).await;
        let now = company.clock.real_now();
        let tx = company.store.begin_write().await.unwrap();
        let claimed = tx.claim_marked_days("me", now, now + SignedDuration::from_secs(60), None, None, 100).await.unwrap();
        tx.commit().await.unwrap();
        let tx = company.store.begin_write().await.unwrap();
        tx.mark_days([(company.people[0], day("2026-03-02"))], "test").await.unwrap();
        tx.save_reports(&claimed, JudgedDays::new(&company.store, company.clock.now()), &BTreeMap::new()).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(company.store.marked_day_count().await.unwrap(), 1);
        assert_eq!(company.engine.judge.drain().await.unwrap(), 1, "and is free at once");
    }

    async fn check_finds_a_report_that_was_tampered_with(store: Store) {
        let company = Company::new(store, 2, 1, "2026-03-02 12:00:00").await;
        company.read(0, vec![punch("1001", "2026-03-02 08:54:00", 0)]).await;
        company.at("2026-03-02 12:00:00").await;
        let judge = &company.engine.judge;
        assert_eq!(judge.check(Date::MIN, Date::MAX).await.unwrap(), []);
        store::testing::tamper_with_report(&company.store, company.people[0], day("2026-03-02")).await;
        let differences = judge.check(Date::MIN, Date::MAX).await.unwrap();
        assert_eq!(differences.len(), 1);
        assert_eq!(differences[0].fields, ["worked_min"]);
        judge.judge_all(Date::MIN, Date::MAX).await.unwrap();
        assert_eq!(judge.check(Date::MIN, Date::MAX).await.unwrap(), []);
    }

    async fn a_report_is_explained_as_of_when_it_was_made(store: Store) {
        let company = Company::new(store, 1, 1, "2026-03-02 12:00:00").await;
        company.read(0, vec![punch("1001", "2026-03-02 09:25:00", 0)]).await;
        company.clock.set(crate::company::at("2026-03-02 23:00:00"));
        let judge = &company.engine.judge;
        let explain = async |at| judge.explain(company.people[0], &[day("2026-03-02")], at).await.unwrap().remove(0);
        let explained = explain(None).await;
        let report = &explained.report;
        assert_eq!((report.status, report.late_min), (attendance::Status::Present, 25));
        assert_eq!(report.stage, attendance::Stage::Provisional, "as it was at noon");
        let topics: Vec<_> = report.derivation.facts.iter().map(|fact| fact.topic.as_str()).collect();
        assert!(topics.contains(&"punch") && topics.contains(&"coverage"), "{topics:?}");
        let stored = explained.stored.as_ref().expect("a report");
        assert!(explained.differences(&stored.says).is_empty());
        // Earlier the punch was not known, and later the day is over.
        let known = explain(Some(crate::company::at("2026-03-02 11:00:00"))).await;
        assert_eq!((known.report.first_in, known.at), (None, crate::company::at("2026-03-02 11:00:00")));
        assert!(known.differences(&stored.says).contains(&"first_in".to_owned()));
        let late = explain(Some(crate::company::at("2026-03-03 12:00:00"))).await;
        assert_eq!(late.report.stage, attendance::Stage::FinalWithoutCoverage);
        // A day without a report is judged now; nobody is nothing.
        let days = [day("2026-04-01"), day("2026-03-02")];
        let both = judge.explain(company.people[0], &days, None).await.unwrap();
        assert_eq!(both.iter().map(|one| one.report.workday).collect::<Vec<_>>(), [days[1], days[0]]);
        assert!(both[1].stored.is_none());
        assert_eq!(both[1].at, company.clock.now());
        let nobody = judge.explain(attendance::EmployeeId(9999), &days, None).await.unwrap();
        assert!(nobody.is_empty());
    }

    async fn a_punch_that_several_people_claim_counts_as_unread_for_each(store: Store) {
        let company = Company::new(store, 3, 1, "2026-03-03 06:00:00").await;
        company.read(0, Vec::new()).await;
        company.clock.set(crate::company::at("2026-03-03 22:30:00"));
        company.read(0, Vec::new()).await;
        company.at("2026-03-03 22:30:00").await;
        let statuses = async || {
            company.engine.judge.drain().await.unwrap();
            assert_eq!(company.engine.judge.check(Date::MIN, Date::MAX).await.unwrap(), []);
            let mut statuses = Vec::new();
            for person in 0..3 {
                statuses.push(company.status(person, "2026-03-03").await);
            }
            statuses
        };
        assert_eq!(statuses().await, ["absent", "absent", "absent"]);
        let claim = async |person: usize| {
            let tx = company.store.begin_write().await.unwrap();
            let link = NewLink {
                device: company.devices[0],
                user: &user("77"),
                employee: company.people[person],
                from: None,
                to: None,
                origin: "test",
                author: None,
            };
            tx.link_user(&link, company.clock.now()).await.unwrap();
            tx.commit().await.unwrap();
        };
        claim(0).await;
        claim(1).await;
        company.accept(&Batch::new(company.devices[0], Way::Push, vec![punch("77", "2026-03-03 09:00:00", 0)])).await;
        assert_eq!(statuses().await, ["unknown", "unknown", "absent"]);
        claim(2).await;
        assert_eq!(statuses().await, ["unknown", "unknown", "unknown"]);
        let tx = company.store.begin_write().await.unwrap();
        tx.unlink_user(company.devices[0], &user("77"), company.clock.now()).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(statuses().await, ["absent", "absent", "absent"]);
    }

    async fn a_punch_after_midnight_says_nothing_of_the_day_before_yesterday(store: Store) {
        let company = Company::new(store, 1, 2, "2026-03-02 06:00:00").await;
        company.read(0, Vec::new()).await;
        company.read(1, Vec::new()).await;
        // The second terminal is not read any more, and may have seen the person until we know better.
        company.clock.set(crate::company::at("2026-03-04 01:30:00"));
        company.read(0, Vec::new()).await;
        company.at("2026-03-04 01:30:00").await;
        assert_eq!(company.status(0, "2026-03-02").await, "unknown");
        // 20:00 of the day before in UTC, which lies next to the first day.
        company.accept(&Batch::new(company.devices[0], Way::Push, vec![punch("1001", "2026-03-04 01:00:00", 0)])).await;
        company.engine.judge.drain().await.unwrap();
        assert_eq!(company.engine.judge.check(Date::MIN, Date::MAX).await.unwrap(), []);
        assert_eq!(company.status(0, "2026-03-02").await, "unknown");
    }

    async fn a_node_without_workers_learns_what_others_write(store: Store) {
        let elsewhere = store::testing::another_node(&store).await;
        let company = Company::new(store, 1, 1, "2026-03-02 12:00:00").await;
        let pages = Engine::new(elsewhere.clone(), company.clock.clone(), PollerOptions::default());
        let watching = pages.watch().await.unwrap();
        let mut changes = pages.changes.subscribe();
        company.accept(&company.reading(0, vec![punch("1001", "2026-03-02 08:54:00", 0)])).await;
        let told = tokio::time::timeout(std::time::Duration::from_secs(5), changes.next()).await;
        assert!(told.expect("within a second").expect("it is open").everything);
        drop(watching);
        elsewhere.close().await.unwrap();
    }

    async fn a_terminal_that_is_polled_seldom_may_be_further_behind(store: Store) {
        let company = Company::new(store, 1, 1, "2026-03-02 07:30:00").await;
        company.read(0, Vec::new()).await;
        company.clock.set(crate::company::at("2026-03-02 09:15:00"));
        company.read(0, Vec::new()).await;
        company.at("2026-03-02 10:00:00").await;
        assert_eq!(company.status(0, "2026-03-02").await, "unknown", "45 minutes behind");
        let row = company.store.device(company.devices[0]).await.unwrap().unwrap();
        let mut fields = store::devices::DeviceFields::from(&row);
        fields.poll_interval_secs = 1200;
        let keep = store::devices::SecretEdit::Keep;
        let tx = company.store.begin_write().await.unwrap();
        tx.edit_device(company.devices[0], &fields, &keep, &keep, company.author()).await.unwrap();
        tx.commit().await.unwrap();
        company.engine.judge.drain().await.unwrap();
        assert_eq!(company.status(0, "2026-03-02").await, "not_arrived");
        company.at("2026-03-02 10:15:01").await;
        assert_eq!(company.status(0, "2026-03-02").await, "unknown", "three intervals are over");
    }

    async fn what_is_marked_is_not_compared(store: Store) {
        let company = Company::new(store, 1, 1, "2026-03-02 12:00:00").await;
        company.read(0, vec![punch("1001", "2026-03-02 08:54:00", 0)]).await;
        company.accept(&company.reading(0, vec![punch("1001", "2026-03-02 08:50:00", 1)])).await;
        assert_eq!(company.engine.judge.check(Date::MIN, Date::MAX).await.unwrap(), []);
    }

    async fn who_is_listed_again_was_there_all_along(store: Store) {
        let company = Company::new(store, 1, 2, "2026-03-02 06:00:00").await;
        company.at("2026-03-02 06:00:00").await;
        company.read(1, Vec::new()).await; // and never again
        let listed = terminals::DeviceUser { id: user("1001"), name: String::new(), admin: false, card: None };
        let read = async |now: &str, users: &[terminals::DeviceUser]| {
            company.clock.set(crate::company::at(now));
            let mut batch = company.reading(0, Vec::new());
            batch.users = Some(users.to_vec());
            company.accept(&batch).await;
            company.at(now).await;
        };
        read("2026-03-02 07:00:00", std::slice::from_ref(&listed)).await;
        read("2026-03-02 23:00:00", &[]).await;
        assert_eq!(company.status(0, "2026-03-02").await, "absent", "only the first terminal matters");
        read("2026-03-04 23:00:00", &[]).await;
        assert_eq!(company.status(0, "2026-03-04").await, "unknown", "any of the site could have seen the person");
        read("2026-03-05 07:00:00", &[listed]).await;
        assert_eq!(company.status(0, "2026-03-04").await, "absent");
        assert_eq!(company.engine.judge.check(Date::MIN, Date::MAX).await.unwrap(), []);
    }

    async fn days_that_began_while_nobody_ran_are_opened(store: Store) {
        let company = Company::new(store, 2, 1, "2026-03-02 12:00:00").await;
        company.at("2026-03-02 12:00:00").await;
        company.at("2026-03-05 06:00:00").await;
        for on in ["2026-03-02", "2026-03-03", "2026-03-04", "2026-03-05"] {
            assert_ne!(company.status(1, on).await, "-", "{on}");
        }
    }
}

/// Something that happens to a company.
#[derive(Clone, Debug)]
enum Event {
    /// A complete read that brings punches: person (3 is unknown), minutes before now.
    Read(usize, Vec<(u16, i64)>),
    /// A push of one punch, which covers nothing.
    Push(usize, u16, i64),
    TimePasses(i64),
    Map(usize),
    Unmap,
    AddPunch(usize, i64),
    VoidLast,
    RollCall(usize, i64),
    Holiday(i64),
    SwapNumbers,
    ClockGap(usize),
    /// From so many days ago on.
    ChangePlan(usize, i64),
    /// A day off, so many days ago.
    DayOff(usize, i64),
    Policy(usize, u32),
    /// The last so many minutes of a device.
    Declare(usize, i64),
    /// Three days, the last of them so many days ago.
    Close(i64),
    Reopen,
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let minutes = 0..4000_i64;
    let event = prop_oneof![
        4 => (0..2_usize, prop::collection::vec((1001..1005_u16, minutes.clone()), 0..6)).prop_map(|(device, punches)| Event::Read(device, punches)),
        2 => (0..2_usize, 1001..1005_u16, minutes.clone()).prop_map(|(device, user, ago)| Event::Push(device, user, ago)),
        4 => (1..1500_i64).prop_map(Event::TimePasses),
        1 => (0..3_usize).prop_map(Event::Map),
        1 => Just(Event::Unmap),
        1 => (0..3_usize, minutes.clone()).prop_map(|(person, ago)| Event::AddPunch(person, ago)),
        1 => Just(Event::VoidLast),
        1 => (0..3_usize, minutes).prop_map(|(person, ago)| Event::RollCall(person, ago)),
        1 => (0..4_i64).prop_map(Event::Holiday),
        1 => Just(Event::SwapNumbers),
        1 => (0..2_usize).prop_map(Event::ClockGap),
        1 => (0..3_usize, 0..4_i64).prop_map(|(person, days)| Event::ChangePlan(person, days)),
        1 => (0..3_usize, 0..4_i64).prop_map(|(person, days)| Event::DayOff(person, days)),
        1 => (0..3_usize, 0..60_u32).prop_map(|(level, grace)| Event::Policy(level, grace)),
        1 => (0..2_usize, 1..3000_i64).prop_map(|(device, minutes)| Event::Declare(device, minutes)),
        1 => (0..4_i64).prop_map(Event::Close),
        1 => Just(Event::Reopen),
    ];
    prop::collection::vec(event, 1..14)
}

/// The wall time so many minutes ago.
fn ago(company: &Company, minutes: i64) -> jiff::civil::DateTime {
    let then: Timestamp = company.clock.now() - SignedDuration::from_mins(minutes);
    jiff::tz::TimeZone::get(crate::company::ZONE)
        .unwrap()
        .to_datetime(then)
}

async fn happen(
    company: &Company,
    event: &Event,
    record: &mut u64,
    last: &mut Option<attendance::CorrectionId>,
) {
    let author = company.author();
    let mut numbered = |user: u16, minutes: i64| {
        *record += 1;
        let mut punch = punch(&user.to_string(), "2026-03-02 00:00:00", *record);
        punch.clock = ago(company, minutes);
        punch
    };
    match event {
        Event::Read(device, punches) => {
            let mut log: Vec<_> = punches
                .iter()
                .map(|(user, ago)| numbered(*user, *ago))
                .collect();
            log.sort_by_key(|punch| punch.clock);
            for (place, punch) in (0..).zip(&mut log) {
                punch.record = place;
            }
            company.accept(&company.reading(*device, log)).await;
        }
        Event::Push(device, user, ago) => {
            let punches = vec![numbered(*user, *ago)];
            company
                .accept(&Batch::new(company.devices[*device], Way::Push, punches))
                .await;
        }
        Event::TimePasses(minutes) => {
            company
                .clock
                .set(company.clock.now() + SignedDuration::from_mins(*minutes));
        }
        Event::Map(person) => {
            let tx = company.store.begin_write().await.unwrap();
            for &device in &company.devices {
                let link = NewLink {
                    device,
                    user: &user("1004"),
                    employee: company.people[*person],
                    from: None,
                    to: None,
                    origin: "test",
                    author: None,
                };
                tx.link_user(&link, author.at).await.unwrap();
            }
            tx.commit().await.unwrap();
        }
        Event::Unmap => {
            let tx = company.store.begin_write().await.unwrap();
            tx.unlink_user(company.devices[0], &user("1004"), author.at)
                .await
                .unwrap();
            tx.commit().await.unwrap();
        }
        Event::AddPunch(person, minutes) => {
            let tx = company.store.begin_write().await.unwrap();
            let at = ago(company, *minutes);
            let who = company.people[*person];
            let added = open(tx.add_punch(who, at, None, "forgot", author).await);
            if added.is_some() {
                tx.commit().await.unwrap();
                *last = added;
            }
        }
        Event::VoidLast => {
            if let Some(id) = last.take() {
                let tx = company.store.begin_write().await.unwrap();
                let what = Voided::Correction(id);
                if open(tx.void(what, "was wrong", author).await).is_some() {
                    tx.commit().await.unwrap();
                }
            }
        }
        Event::RollCall(person, minutes) => {
            let tx = company.store.begin_write().await.unwrap();
            let at = ago(company, *minutes);
            let who = [company.people[*person]];
            let called = tx.roll_call(&who, at, Side::In, "gate down", author);
            if open(called.await).is_some() {
                tx.commit().await.unwrap();
            }
        }
        Event::Holiday(days) => {
            let tx = company.store.begin_write().await.unwrap();
            let on = ago(company, days * 1440).date();
            tx.add_holiday(None, on, "a day off", author).await.unwrap();
            tx.commit().await.unwrap();
        }
        Event::SwapNumbers => {
            let tx = company.store.begin_write().await.unwrap();
            let mut fields = Vec::new();
            for &id in &company.people[..2] {
                fields.push((
                    id,
                    company.store.employee(id).await.unwrap().unwrap().fields,
                ));
            }
            let (first, second) = fields.split_at_mut(1);
            std::mem::swap(
                &mut first[0].1.device_user_id,
                &mut second[0].1.device_user_id,
            );
            for (id, fields) in &fields {
                tx.edit_employee(*id, fields, author).await.unwrap();
            }
            tx.commit().await.unwrap();
        }
        Event::ClockGap(device) => {
            let tx = company.store.begin_write().await.unwrap();
            let (from, to) = (
                author.at - SignedDuration::from_hours(3),
                author.at - SignedDuration::from_hours(1),
            );
            tx.add_gap(
                company.devices[*device],
                from,
                Some(to),
                store::coverage::GapCause::Clock,
            )
            .await
            .unwrap();
            tx.commit().await.unwrap();
        }
        Event::ChangePlan(person, days) => {
            let tx = company.store.begin_write().await.unwrap();
            let from = ago(company, days * 1440).date();
            let plan = WorkPlan::default();
            let who = [company.people[*person]];
            open(tx.change_plan(&who, from, Some(&plan), author).await);
            tx.commit().await.unwrap();
        }
        Event::DayOff(person, days) => {
            let tx = company.store.begin_write().await.unwrap();
            let on = ago(company, days * 1440).date();
            let off = Override {
                plan: DayPlan::Off,
                on_holiday: false,
            };
            let who = company.people[*person];
            open(tx.set_override(who, on, Some(&off), author).await);
            tx.commit().await.unwrap();
        }
        Event::Policy(level, grace) => {
            let scope = match level {
                0 => PolicyScope::Company,
                1 => PolicyScope::Site(company.site),
                _ => PolicyScope::Employee(company.people[0]),
            };
            let json = format!("{{\"grace_in_min\":{grace}}}");
            let values = serde_json::from_str(&json).unwrap();
            let tx = company.store.begin_write().await.unwrap();
            tx.set_policy(scope, Some(&values), author).await.unwrap();
            tx.commit().await.unwrap();
        }
        Event::Declare(device, minutes) => {
            let tx = company.store.begin_write().await.unwrap();
            let from = author.at - SignedDuration::from_mins(*minutes);
            let device = company.devices[*device];
            tx.declare_covered(device, from, author.at, "nobody was in", author)
                .await
                .unwrap();
            tx.commit().await.unwrap();
        }
        Event::Close(days) => {
            let days = Days {
                from: ago(company, (days + 2) * 1440).date(),
                to: ago(company, days * 1440).date(),
                of: Part::Everybody,
            };
            let tx = company.store.begin_write().await.unwrap();
            tx.judge_unreported(days, author.at).await.unwrap();
            tx.commit().await.unwrap();
            company.engine.judge.drain().await.unwrap();
            let tx = company.store.begin_write().await.unwrap();
            tx.close_days(days, Some("the test closes it"), author)
                .await
                .unwrap();
            tx.commit().await.unwrap();
        }
        Event::Reopen => {
            let periods = company.store.periods(Date::MIN, Date::MAX).await.unwrap();
            if let Some(closed) = periods.iter().find(|period| period.reopened_ms.is_none()) {
                let tx = company.store.begin_write().await.unwrap();
                tx.reopen_period(closed.id, "it was too early", author)
                    .await
                    .unwrap();
                tx.commit().await.unwrap();
            }
        }
    }
    // What was closed says what it said when it was closed, so nothing else may happen at the same instant.
    company
        .clock
        .set(company.clock.now() + SignedDuration::from_secs(1));
}

/// A day that is closed refuses; everything else goes well.
fn open<T>(result: Result<T, StoreError>) -> Option<T> {
    match result {
        Ok(value) => Some(value),
        Err(StoreError::Closed { .. }) => None,
        Err(error) => panic!("{error}"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    /// P5: whatever happened in whatever order, judging everything anew changes nothing.
    #[test]
    fn judging_everything_equals_what_was_judged_as_it_happened(events in events()) {
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        runtime.block_on(store::testing::on_sqlite(async |store| {
            let company = Company::new(store, 3, 2, "2026-03-04 08:00:00").await;
            let (mut record, mut last) = (0, None);
            company.engine.catch_up().await.unwrap();
            company.engine.judge.drain().await.unwrap();
            for event in &events {
                happen(&company, event, &mut record, &mut last).await;
                company.engine.catch_up().await.unwrap();
                company.engine.judge.drain().await.unwrap();
            }
            let judge = &company.engine.judge;
            assert_eq!(judge.check(Date::MIN, Date::MAX).await.unwrap(), [], "as of their own instants");
            let as_it_happened = company.reports().await;
            judge.judge_all(Date::MIN, Date::MAX).await.unwrap();
            assert_eq!(company.reports().await, as_it_happened);
        }));
    }
}

#[test]
fn wall_times_of_the_tests_are_those_of_karachi() {
    assert_eq!(
        crate::company::at("2026-03-02 05:00:00").to_string(),
        "2026-03-02T00:00:00Z"
    );
    assert_eq!(
        wall("2026-03-02 05:00:00").to_string(),
        "2026-03-02T05:00:00"
    );
}

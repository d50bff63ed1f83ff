//! What people plan, decide, declare and close, as it shows in reports.

use std::collections::BTreeSet;

use attendance::{AccountId, PunchId, Shift, ShiftId};
use jiff::civil::Date;
use store::accounts::Role;
use store::corrections::Voided;
use store::periods::{Days, Part};
use store::policies::PolicyScope;
use store::requests::{Answer, Asked};
use store::roster::{DayPlan, Override, WorkPlan};
use store::testing::new_account;
use store::{Author, Store, StoreError, WriteTx, on_both_databases};

use crate::company::{Company, at, day, punch, wall};

/// A change of its own, judged.
async fn change<T>(company: &Company, what: impl AsyncFnOnce(&WriteTx, Author) -> T) -> T {
    let tx = company.store.begin_write().await.unwrap();
    let done = what(&tx, company.author()).await;
    tx.commit().await.unwrap();
    company.engine.judge.drain().await.unwrap();
    done
}

async fn shift_of(company: &Company, person: usize, on: &str) -> String {
    let reports = company.reports().await;
    reports[&(company.people[person], day(on))].shift.clone()
}

async fn night(tx: &WriteTx, author: Author) -> ShiftId {
    let shift: Shift = serde_json::from_value(serde_json::json!({
        "segments": [{ "start": "22:00", "end": "06:00" }],
    }))
    .unwrap();
    tx.add_shift("NIGHT", &shift, author).await.unwrap()
}

/// Monday to Friday are judged.
async fn a_week(store: Store) -> Company {
    let company = Company::new(store, 2, 1, "2026-03-02 06:00:00").await;
    for on in ["02", "03", "04", "05", "06"] {
        company.clock.set(at(&format!("2026-03-{on} 23:30:00")));
        company.read(0, Vec::new()).await;
        company.at(&format!("2026-03-{on} 23:30:00")).await;
    }
    company
}

async fn unchanged_when_judged_again(company: &Company) {
    let judge = &company.engine.judge;
    let before = company.reports().await;
    assert_eq!(judge.check(Date::MIN, Date::MAX).await.unwrap(), []);
    judge.judge_all(Date::MIN, Date::MAX).await.unwrap();
    assert_eq!(company.reports().await, before);
}

on_both_databases! {
    async fn a_plan_changes_on_a_date_and_a_single_day_is_otherwise(store: Store) {
        let company = a_week(store).await;
        let ada = company.people[0];
        change(&company, async |tx, author| {
            let night = night(tx, author).await;
            let days = [DayPlan::Shifts(vec![night]), DayPlan::Off];
            let cycle = tx.add_cycle("Nights", &days, author).await.unwrap();
            let plan = WorkPlan { cycle: Some((cycle, day("2026-03-04"))), ..WorkPlan::default() };
            tx.change_plan(&[ada], day("2026-03-04"), Some(&plan), author).await.unwrap();
            let single = Override { plan: DayPlan::Shifts(vec![night]), on_holiday: false };
            tx.set_override(ada, day("2026-03-02"), Some(&single), author).await.unwrap();
        }).await;
        let mut worked = Vec::new();
        for on in ["02", "03", "04", "05", "06"] {
            worked.push(shift_of(&company, 0, &format!("2026-03-{on}")).await);
        }
        assert_eq!(worked, ["NIGHT", "DAY", "NIGHT", "", "NIGHT"]);
        assert_eq!(shift_of(&company, 1, "2026-03-04").await, "DAY");
        unchanged_when_judged_again(&company).await;

        change(&company, async |tx, author| {
            tx.change_plan(&[ada], day("2026-03-04"), None, author).await.unwrap();
            tx.set_override(ada, day("2026-03-02"), None, author).await.unwrap();
        }).await;
        for on in ["2026-03-02", "2026-03-04", "2026-03-05"] {
            assert_eq!(shift_of(&company, 0, on).await, "DAY", "{on}");
        }
    }

    async fn an_edited_rotation_shift_or_pattern_is_judged_wherever_it_is_planned(store: Store) {
        let company = a_week(store).await;
        let (cycle, night) = change(&company, async |tx, author| {
            let night = night(tx, author).await;
            let cycle = tx.add_cycle("Nights", &[DayPlan::Shifts(vec![night])], author).await.unwrap();
            let plan = WorkPlan { cycle: Some((cycle, day("2026-03-04"))), ..WorkPlan::default() };
            tx.change_plan(&company.people[..1], day("2026-03-04"), Some(&plan), author).await.unwrap();
            (cycle, night)
        }).await;
        change(&company, async |tx, author| {
            let late: Shift = serde_json::from_value(serde_json::json!({
                "segments": [{ "start": "23:00", "end": "06:00" }],
            })).unwrap();
            tx.edit_shift(night, "LATE", &late, author).await.unwrap();
        }).await;
        assert_eq!(shift_of(&company, 0, "2026-03-04").await, "LATE");
        change(&company, async |tx, author| {
            tx.edit_cycle(cycle, "Off", &[DayPlan::Off], author).await.unwrap();
        }).await;
        assert_eq!(company.status(0, "2026-03-04").await, "weekly_off");
        assert_eq!(company.status(0, "2026-03-03").await, "absent");
        unchanged_when_judged_again(&company).await;
    }

    async fn the_narrower_policy_wins_value_by_value(store: Store) {
        let company = Company::new(store, 2, 1, "2026-03-02 07:00:00").await;
        company.clock.set(at("2026-03-02 23:30:00"));
        let came = vec![punch("1001", "2026-03-02 09:20:00", 0), punch("1002", "2026-03-02 09:20:00", 1)];
        company.read(0, came).await;
        company.at("2026-03-02 23:30:00").await;
        let late = async || {
            let reports = company.reports().await;
            let late = |person: usize| reports[&(company.people[person], day("2026-03-02"))].late_min;
            (late(0), late(1))
        };
        assert_eq!(late().await, (20, 20));
        let set = async |scope: PolicyScope, json: Option<&str>| {
            let values = json.map(|json| serde_json::from_str(json).unwrap());
            change(&company, async |tx, author| tx.set_policy(scope, values.as_ref(), author).await).await
        };
        let department = company.store.departments().await.unwrap()[0].id;
        let ada = PolicyScope::Employee(company.people[0]);
        set(PolicyScope::Company, Some(r#"{"grace_in_min": 30}"#)).await.unwrap();
        assert_eq!(late().await, (0, 0));
        set(PolicyScope::Department(department), Some(r#"{"grace_in_min": 15, "late_count_from": "grace"}"#)).await.unwrap();
        assert_eq!(late().await, (5, 5));
        set(PolicyScope::Site(company.site), Some(r#"{"grace_in_min": 0}"#)).await.unwrap();
        assert_eq!(late().await, (5, 5), "a department is narrower than its site");
        set(ada, Some(r#"{"grace_in_min": 5}"#)).await.unwrap();
        assert_eq!(late().await, (15, 5));
        unchanged_when_judged_again(&company).await;
        set(ada, None).await.unwrap();
        assert_eq!(late().await, (5, 5));
        for wrong in [r#"{"grace": 5}"#, r#"{"grace_in_min": "ten"}"#] {
            let error = set(ada, Some(wrong)).await.unwrap_err();
            assert!(matches!(error, StoreError::Invalid(_)), "{error}");
        }
    }

    async fn other_rules_can_be_tried_on_a_past_month(store: Store) {
        let company = Company::new(store, 2, 1, "2026-03-02 07:00:00").await;
        for (on, came) in [("02", "09:20"), ("03", "09:05"), ("04", "09:20")] {
            company.clock.set(at(&format!("2026-03-{on} 23:30:00")));
            company.read(0, vec![punch("1001", &format!("2026-03-{on} {came}:00"), 0)]).await;
            company.at(&format!("2026-03-{on} 23:30:00")).await;
        }
        let days = Days { from: day("2026-03-04"), to: day("2026-03-04"), of: Part::Everybody };
        change(&company, async |tx, author| tx.close_days(days, Some("for the test"), author).await.unwrap()).await;
        let before = company.reports().await;
        let judge = &company.engine.judge;
        let values = serde_json::from_str(r#"{"grace_in_min": 30}"#).unwrap();
        let changed = judge.what_if(PolicyScope::Company, &values, Date::MIN, Date::MAX).await.unwrap();
        let days: Vec<_> = changed.iter().map(|one| (one.employee, one.workday)).collect();
        assert_eq!(days, [(company.people[0], day("2026-03-02"))], "neither the one in time nor the closed one");
        let late = |says: &Option<store::reports::ReportFields>| says.as_ref().unwrap().late_min;
        assert_eq!((late(&changed[0].before), late(&changed[0].after)), (20, 0));
        assert_eq!(company.reports().await, before, "nothing is saved");
        let wrong = serde_json::from_str(r#"{"grace": 30}"#).unwrap();
        assert!(judge.what_if(PolicyScope::Company, &wrong, Date::MIN, Date::MAX).await.is_err());
    }

    async fn a_declared_time_makes_nobody_unknown(store: Store) {
        let company = Company::new(store, 1, 1, "2026-03-02 07:00:00").await;
        company.read(0, Vec::new()).await;
        company.at("2026-03-03 12:00:00").await;
        assert_eq!(company.status(0, "2026-03-02").await, "unknown");
        let device = company.devices[0];
        let (from, to) = (at("2026-03-02 07:00:00"), at("2026-03-03 00:00:00"));
        let declared = change(&company, async |tx, author| {
            let to_come = tx.declare_covered(device, from, at("2026-03-03 13:00:00"), "it was off", author).await;
            assert!(matches!(to_come, Err(StoreError::Invalid(_))));
            tx.declare_covered(device, from, to, "the building was locked", author).await.unwrap()
        }).await;
        assert_eq!(company.status(0, "2026-03-02").await, "absent");
        unchanged_when_judged_again(&company).await;
        change(&company, async |tx, author| tx.withdraw_declaration(declared, author).await.unwrap()).await;
        assert_eq!(company.status(0, "2026-03-02").await, "unknown");
    }

    async fn a_gap_in_the_middle_can_be_declared_covered(store: Store) {
        let company = Company::new(store, 1, 1, "2026-03-02 06:00:00").await;
        company.read(0, Vec::new()).await;
        company.clock.set(at("2026-03-02 23:30:00"));
        company.read(0, Vec::new()).await;
        let device = company.devices[0];
        let (from, to) = (at("2026-03-02 10:00:00"), at("2026-03-02 12:00:00"));
        change(&company, async |tx, _| {
            tx.add_gap(device, from, Some(to), store::coverage::GapCause::Contact).await.unwrap();
        }).await;
        company.at("2026-03-02 23:30:00").await;
        assert_eq!(company.status(0, "2026-03-02").await, "unknown");
        // All but one minute, then the rest.
        for (from, expected) in [("10:01", "unknown"), ("10:00", "absent")] {
            let from = at(&format!("2026-03-02 {from}:00"));
            change(&company, async |tx, author| tx.declare_covered(device, from, to, "nobody was in", author).await.unwrap()).await;
            assert_eq!(company.status(0, "2026-03-02").await, expected);
        }
    }

    async fn a_device_that_is_gone_makes_nobody_unknown_from_then_on(store: Store) {
        let company = Company::new(store, 1, 2, "2026-03-02 06:00:00").await;
        for device in [0, 1] {
            company.read(device, Vec::new()).await;
        }
        company.clock.set(at("2026-03-03 23:30:00"));
        company.read(0, Vec::new()).await;
        company.at("2026-03-03 23:30:00").await;
        assert_eq!(company.status(0, "2026-03-03").await, "unknown", "the second was not read");
        change(&company, async |tx, author| {
            let gone = at("2026-03-02 06:00:00");
            let unsaid = tx.declare_gone(company.devices[1], gone, " ", author).await;
            assert!(matches!(unsaid, Err(StoreError::Invalid(_))));
            tx.declare_gone(company.devices[1], gone, "the door was bricked up", author).await.unwrap();
        }).await;
        assert_eq!(company.status(0, "2026-03-03").await, "absent");
        unchanged_when_judged_again(&company).await;
    }

    async fn a_closed_day_stays_and_lists_what_came_after(store: Store) {
        let company = a_week(store).await;
        let days = Days { from: day("2026-03-02"), to: day("2026-03-03"), of: Part::Everybody };
        let ada = company.people[0];
        let period = change(&company, async |tx, author| {
            let open = tx.open_in(days).await.unwrap();
            assert_eq!((open.unjudged, open.waivable()), (0, 0));
            tx.close_days(days, None, author).await.unwrap()
        }).await;
        let report = async |on: &str| company.reports().await[&(ada, day(on))].clone();
        assert_eq!(report("2026-03-02").await.stage, "locked");
        assert_eq!(report("2026-03-04").await.stage, "final");

        company.clock.set(at("2026-03-07 10:00:00"));
        company.read(0, vec![punch("1001", "2026-03-02 08:55:00", 0), punch("1001", "2026-03-02 18:00:00", 1)]).await;
        let closed = report("2026-03-02").await;
        assert_eq!((closed.status.as_str(), closed.stage.as_str()), ("absent", "locked"));
        assert_eq!(closed.changes_after_close, "first_in,last_out,status,worked_min");
        unchanged_when_judged_again(&company).await;

        // A day off does not change it either, only the other days of the same people.
        let holiday = change(&company, async |tx, author| {
            tx.add_holiday(None, day("2026-03-04"), "Founding day", author).await.unwrap();
            tx.add_holiday(Some(company.site), day("2026-03-02"), "Founding day", author).await.unwrap()
        }).await;
        assert_eq!(holiday.closed, 2);
        let closed = report("2026-03-02").await;
        assert_eq!((closed.status.as_str(), closed.stage.as_str()), ("absent", "locked"));
        assert!(closed.changes_after_close.contains("status"), "{}", closed.changes_after_close);
        assert_eq!(company.status(1, "2026-03-02").await, "absent");
        assert_eq!(report("2026-03-04").await.status, "holiday");
        unchanged_when_judged_again(&company).await;
        let removed = change(&company, async |tx, author| tx.remove_holiday(holiday.id, author).await.unwrap()).await;
        assert_eq!(removed, holiday);
        assert_eq!(report("2026-03-02").await.changes_after_close, "first_in,last_out,status,worked_min");

        // People cannot change it, and changing the department does not open it.
        let tx = company.store.begin_write().await.unwrap();
        let author = company.author();
        let refused = tx.add_punch(ada, wall("2026-03-03 09:00:00"), None, "forgot", author).await;
        assert!(matches!(refused, Err(StoreError::Closed { .. })), "{refused:?}");
        let refused = tx.set_override(ada, day("2026-03-02"), None, author).await;
        assert!(matches!(refused, Err(StoreError::Closed { .. })), "{refused:?}");
        let refused = tx.change_plan(&[ada], day("2026-03-01"), None, author).await;
        assert!(matches!(refused, Err(StoreError::Closed { .. })), "{refused:?}");
        drop(tx);
        change(&company, async |tx, author| {
            let other = tx.add_department(company.site, "Other", author).await.unwrap();
            let mut fields = company.store.employee(ada).await.unwrap().unwrap().fields;
            fields.department = Some(other);
            tx.edit_employee(ada, &fields, author).await.unwrap();
            tx.mark_reports(store::Whose::Everybody, None, None, "test").await.unwrap();
        }).await;
        assert_eq!(report("2026-03-02").await.stage, "locked");

        change(&company, async |tx, author| {
            let unsaid = tx.reopen_period(period, "", author).await;
            assert!(matches!(unsaid, Err(StoreError::Invalid(_))));
            tx.reopen_period(period, "the gate was read late", author).await.unwrap();
        }).await;
        let open = report("2026-03-02").await;
        assert_eq!((open.status.as_str(), open.changes_after_close.as_str()), ("present", ""));
    }

    async fn somebody_entered_after_the_close_is_not_locked(store: Store) {
        let company = a_week(store).await;
        let days = Days { from: day("2026-03-02"), to: day("2026-03-06"), of: Part::Everybody };
        change(&company, async |tx, author| tx.close_days(days, None, author).await.unwrap()).await;
        company.clock.set(at("2026-03-07 10:00:00"));
        let late = change(&company, async |tx, author| {
            let mut fields = store::testing::employee_fields(company.site, "LATE");
            fields.device_user_id = Some("7".to_owned());
            fields.employed_from = Some(day("2026-03-02"));
            tx.add_employee(&fields, author).await.unwrap()
        }).await;
        company.read(0, vec![punch("7", "2026-03-03 09:00:00", 0)]).await;
        for _ in 0..2 {
            let reports = company.reports().await;
            assert_ne!(reports[&(late, day("2026-03-03"))].stage, "locked");
            company.engine.judge.judge_all(Date::MIN, Date::MAX).await.unwrap();
        }
        change(&company, async |tx, author| {
            tx.add_punch(late, wall("2026-03-03 18:00:00"), None, "forgot", author).await.unwrap();
        }).await;
    }

    async fn days_of_somebody_entered_later_are_judged_before_the_close(store: Store) {
        let company = a_week(store).await;
        let late = change(&company, async |tx, author| {
            let mut fields = store::testing::employee_fields(company.site, "LATE");
            fields.employed_from = Some(day("2026-03-05"));
            tx.add_employee(&fields, author).await.unwrap()
        }).await;
        let days = Days { from: day("2026-03-02"), to: day("2026-03-06"), of: Part::Site(company.site) };
        let author = company.author();
        let tx = company.store.begin_write().await.unwrap();
        let open = tx.open_in(days).await.unwrap();
        let error = tx.close_days(days, Some("never mind"), author).await.unwrap_err();
        assert!(error.to_string().contains("wait to be judged"), "{error}");
        drop(tx);
        let marked = change(&company, async |tx, author| tx.judge_unreported(days, author.at).await.unwrap()).await;
        assert_eq!((open.unreported, marked), (1, 1), "the day of the entry is opened by itself");
        change(&company, async |tx, author| tx.close_days(days, Some("known"), author).await.unwrap()).await;
        let reports = company.reports().await;
        for on in ["2026-03-05", "2026-03-06"] {
            assert_eq!(reports[&(late, day(on))].stage, "locked", "{on}");
        }
        assert!(!reports.contains_key(&(late, day("2026-03-04"))), "before the employment");
    }

    async fn a_voided_punch_counts_again_when_its_void_is_taken_back(store: Store) {
        let company = Company::new(store, 1, 1, "2026-03-02 06:00:00").await;
        company.clock.set(at("2026-03-02 23:30:00"));
        company.read(0, vec![punch("1001", "2026-03-02 08:55:00", 0), punch("1001", "2026-03-02 18:00:00", 1)]).await;
        company.at("2026-03-02 23:30:00").await;
        let (ada, on) = (company.people[0], day("2026-03-02"));
        let first_in = async || company.reports().await[&(ada, on)].first_in.clone();
        let came = Some("2026-03-02 08:55:00".to_owned());
        assert_eq!(first_in().await, came);
        let void = change(&company, async |tx, author| {
            tx.void(Voided::Punch(PunchId(1)), "tailgating", author).await.unwrap()
        }).await;
        assert_eq!(first_in().await, None);
        company.clock.set(at("2026-03-02 23:40:00"));
        change(&company, async |tx, author| {
            tx.void(Voided::Correction(void), "the camera says otherwise", author).await.unwrap()
        }).await;
        assert_eq!(first_in().await, came);
        unchanged_when_judged_again(&company).await;

        let judge = &company.engine.judge;
        let then = judge.explain(ada, &[on], Some(at("2026-03-02 23:35:00"))).await.unwrap();
        assert!(then[0].report.first_in.is_none(), "as it was known before");
        let now = judge.explain(ada, &[on], None).await.unwrap();
        let said = now[0].report.derivation.facts.iter().filter(|fact| fact.topic == "correction");
        let said: Vec<_> = said.map(|fact| (fact.values["kind"].as_str(), fact.values["of"].as_str())).collect();
        assert_eq!(said, [(Some("void"), Some("1")), (Some("restore"), Some("1"))]);
    }

    async fn what_is_open_has_to_be_waived_by_name(store: Store) {
        let company = Company::new(store, 1, 1, "2026-03-02 06:00:00").await;
        company.clock.set(at("2026-03-02 23:30:00"));
        company.read(0, vec![punch("1001", "2026-03-02 09:00:00", 0)]).await;
        company.at("2026-03-02 23:30:00").await;
        let days = Days { from: day("2026-03-02"), to: day("2026-03-02"), of: Part::Everybody };
        change(&company, async |tx, author| {
            let open = tx.open_in(days).await.unwrap();
            assert_eq!((open.exceptions, open.waivable()), (1, 1), "a missing out");
            let error = tx.close_days(days, None, author).await.unwrap_err();
            assert!(error.to_string().starts_with("1 things are open"), "{error}");
            tx.mark_reports(store::Whose::Everybody, None, None, "test").await.unwrap();
            let error = tx.close_days(days, Some("known"), author).await.unwrap_err();
            assert!(error.to_string().contains("wait to be judged"), "{error}");
        }).await;
        change(&company, async |tx, author| tx.close_days(days, Some("she went to the dentist"), author).await.unwrap()).await;
        let period = &company.store.periods(days.from, days.to).await.unwrap()[0];
        assert_eq!((period.waiver.as_str(), period.open_exceptions), ("she went to the dentist", 1));
    }

    async fn an_approved_request_is_entered_and_nobody_approves_their_own(store: Store) {
        let company = Company::new(store, 1, 1, "2026-03-02 06:00:00").await;
        company.clock.set(at("2026-03-02 23:30:00"));
        company.read(0, vec![punch("1001", "2026-03-02 09:00:00", 0)]).await;
        company.at("2026-03-02 23:30:00").await;
        let ada = company.people[0];
        let by = |account: i64| Author { account: Some(AccountId(account)), ..company.author() };
        let asked = Asked::AddPunch { at: wall("2026-03-02 18:05:00"), state: None };
        let ask = async |asked: &Asked| {
            let tx = company.store.begin_write().await.unwrap();
            let id = tx.ask(ada, asked, "the reader was dark", by(1)).await.unwrap();
            tx.commit().await.unwrap();
            id
        };
        let answer = async |id: i64, answer: Answer<'static>, account: i64| {
            change(&company, async |tx, _| tx.answer_request(id, answer, by(account)).await).await
        };
        let id = ask(&asked).await;
        assert!(answer(id, Answer::Approve, 1).await.is_err(), "their own");
        assert!(answer(id, Answer::Withdraw, 2).await.is_err(), "somebody else's");
        assert!(answer(id, Answer::Reject(" "), 2).await.is_err(), "without a reason");
        answer(id, Answer::Approve, 2).await.unwrap();
        let report = company.reports().await[&(ada, day("2026-03-02"))].clone();
        assert_eq!(report.last_out.as_deref(), Some("2026-03-02 18:05:00"));
        assert!(answer(id, Answer::Approve, 2).await.is_err(), "twice");

        let leave = Asked::Leave {
            kind: store::calendar::LeaveKind::Leave,
            from: day("2026-03-02"),
            to: day("2026-03-02"),
            part: attendance::DayPart::Full,
            leave_type: None,
        };
        let id = ask(&leave).await;
        answer(id, Answer::Reject("the fair is on"), 2).await.unwrap();
        assert_eq!(company.status(0, "2026-03-02").await, "present");
        let id = ask(&leave).await;
        answer(id, Answer::Approve, 2).await.unwrap();
        assert_eq!(company.status(0, "2026-03-02").await, "on_leave");
        let id = ask(&leave).await;
        answer(id, Answer::Withdraw, 1).await.unwrap();

        let department = company.store.departments().await.unwrap()[0].id;
        let leader = change(&company, async |tx, author| {
            let new = new_account("lead@plant.example", Role::Manager, None);
            let leader = tx.add_account(&new, author).await.unwrap();
            tx.set_managers(department, &BTreeSet::from([leader]), author).await.unwrap();
            leader
        }).await;
        assert_eq!(company.store.managed_by(leader).await.unwrap(), BTreeSet::from([department]));
    }
}

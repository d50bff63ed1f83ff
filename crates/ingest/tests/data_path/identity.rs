use attendance::Way;
use ingest::Batch;
use jiff::civil::Date;
use store::identity::NewLink;
use store::reports::ReportFields;
use store::testing::employee_fields;
use store::{Store, on_both_databases};

use crate::company::{Company, day, punch, user};

on_both_databases! {
    async fn mapping_an_unknown_user_judges_the_past_days_again(store: Store) {
        let company = Company::new(store, 1, 1, "2026-03-06 23:00:00").await;
        let stranger = user("77");
        let punches = (2..7).flat_map(|day| [
            punch("77", &format!("2026-03-{day:02} 08:55:00"), day * 2),
            punch("77", &format!("2026-03-{day:02} 18:05:00"), day * 2 + 1),
        ]).collect();
        company.at("2026-03-06 23:00:00").await;
        assert_eq!(company.read(0, punches).await.new, 10);
        assert_eq!(company.status(0, "2026-03-04").await, "-", "kept, and nobody's");

        let link = NewLink {
            device: company.devices[0],
            user: &stranger,
            employee: company.people[0],
            from: Some(day("2026-03-03")),
            to: None,
            origin: "inbox",
            author: None,
        };
        let tx = company.store.begin_write().await.unwrap();
        tx.link_user(&link, company.clock.now()).await.unwrap();
        let preview = company.engine.judge.preview(&tx, &company.people, 100).await.unwrap();
        tx.rollback().await.unwrap();
        let present = |report: &ReportFields| report.status == "present";
        assert_eq!(preview.iter().filter(|day| day.after.as_ref().is_some_and(present)).count(), 4);
        assert_eq!(company.status(0, "2026-03-04").await, "-", "nothing was saved");

        let tx = company.store.begin_write().await.unwrap();
        let touched = tx.link_user(&link, company.clock.now()).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!((touched.punches, touched.days), (8, 4), "from the 3rd to the 6th");
        company.engine.judge.drain().await.unwrap();
        assert_eq!(company.status(0, "2026-03-03").await, "present");
        assert_eq!(company.status(0, "2026-03-06").await, "present");
        assert_ne!(company.status(0, "2026-03-02").await, "present");

        let tx = company.store.begin_write().await.unwrap();
        let touched = tx.unlink_user(company.devices[0], &stranger, company.clock.now()).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!((touched.punches, touched.days), (8, 4));
        company.engine.judge.drain().await.unwrap();
        assert_ne!(company.status(0, "2026-03-04").await, "present");
    }

    async fn two_candidates_are_nobody_until_one_is_left(store: Store) {
        let company = Company::new(store, 1, 1, "2026-03-02 12:00:00").await;
        let mut twin = employee_fields(company.site, "TWIN");
        twin.device_user_id = Some("1001".to_owned());
        let tx = company.store.begin_write().await.unwrap();
        let twin_id = tx.add_employee(&twin, company.author()).await.unwrap();
        tx.commit().await.unwrap();
        company.read(0, vec![punch("1001", "2026-03-02 08:55:00", 0)]).await;
        assert_ne!(company.status(0, "2026-03-02").await, "present", "nobody gets it");

        twin.device_user_id = Some("2002".to_owned());
        let tx = company.store.begin_write().await.unwrap();
        tx.edit_employee(twin_id, &twin, company.author()).await.unwrap();
        tx.commit().await.unwrap();
        company.engine.judge.drain().await.unwrap();
        assert_eq!(company.status(0, "2026-03-02").await, "present");
    }

    async fn a_number_given_twice_makes_nobody_absent(store: Store) {
        let company = Company::new(store, 2, 1, "2026-03-04 12:00:00").await;
        company.read(0, vec![
            punch("1001", "2026-03-02 08:55:00", 0),
            punch("1001", "2026-03-02 18:01:00", 1),
        ]).await;
        company.at("2026-03-04 12:00:00").await;
        assert_eq!(company.status(0, "2026-03-02").await, "present");

        let before = company.store.employee(company.people[1]).await.unwrap().unwrap().fields;
        let mut twin = before.clone();
        twin.device_user_id = Some("1001".to_owned());
        for (fields, first) in [(&twin, "unknown"), (&before, "present")] {
            let tx = company.store.begin_write().await.unwrap();
            tx.edit_employee(company.people[1], fields, company.author()).await.unwrap();
            tx.commit().await.unwrap();
            company.engine.judge.judge_all(day("2026-03-02"), day("2026-03-02")).await.unwrap();
            assert_eq!(company.status(0, "2026-03-02").await, first);
            // Whose punches they are is for a person to decide; until then the other one is not absent either.
            assert_ne!(company.status(1, "2026-03-02").await, if first == "unknown" { "absent" } else { "unknown" });
        }
    }

    async fn an_employee_entered_later_gets_the_punches_that_waited(store: Store) {
        let company = Company::new(store, 1, 1, "2026-03-04 12:00:00").await;
        company.read(0, vec![
            punch("E9", "2026-03-02 08:55:00", 0),
            punch("E9", "2026-03-04 08:56:00", 1),
        ]).await;
        let tx = company.store.begin_write().await.unwrap();
        let late = tx.add_employee(&employee_fields(company.site, "E9"), company.author()).await.unwrap();
        tx.commit().await.unwrap();
        company.engine.judge.drain().await.unwrap();
        let reports = company.reports().await;
        let days: Vec<_> = reports.keys().filter(|(id, _)| *id == late).map(|(_, day)| day.to_string()).collect();
        assert_eq!(
            days,
            ["2026-03-01", "2026-03-02", "2026-03-03", "2026-03-04", "2026-03-05"],
            "no day between the first punch and today is missing"
        );
        assert_eq!(reports[&(late, day("2026-03-04"))].first_in.as_deref(), Some("2026-03-04 08:56:00"));
    }

    async fn a_number_on_the_terminal_is_the_joiners_from_the_first_day_on(store: Store) {
        let company = Company::new(store, 2, 1, "2026-03-02 12:00:00").await;
        let author = company.author();
        let employed = async |person: usize, number: &str, from: Option<&str>, to: Option<&str>| {
            let id = company.people[person];
            let mut fields = company.store.employee(id).await.unwrap().unwrap().fields;
            fields.device_user_id = Some(number.to_owned());
            (fields.employed_from, fields.employed_to) = (from.map(day), to.map(day));
            let tx = company.store.begin_write().await.unwrap();
            tx.edit_employee(id, &fields, author).await.unwrap();
            tx.commit().await.unwrap();
        };
        // 1001 passes from the one to the other on the 4th; 77 is linked on the 5th.
        employed(0, "1001", None, Some("2026-03-03")).await;
        employed(1, "1001", Some("2026-03-04"), None).await;
        let link = NewLink {
            device: company.devices[0],
            user: &user("77"),
            employee: company.people[1],
            from: Some(day("2026-03-05")),
            to: Some(day("2026-03-05")),
            origin: "inbox",
            author: None,
        };
        let tx = company.store.begin_write().await.unwrap();
        tx.link_user(&link, author.at).await.unwrap();
        tx.commit().await.unwrap();
        let mut batch = company.reading(0, Vec::new());
        batch.users = Some(["1001", "77"].map(|id| terminals::DeviceUser {
            id: user(id),
            name: String::new(),
            admin: false,
            card: None,
        }).to_vec());
        company.accept(&batch).await;
        // Midnight in Karachi is the evening before in UTC.
        for (now, expected) in [
            ("2026-03-02 12:00:00", [1, 0]),
            ("2026-03-03 23:59:00", [1, 0]),
            ("2026-03-04 00:01:00", [0, 1]),
            ("2026-03-05 00:01:00", [0, 2]),
            ("2026-03-06 00:01:00", [0, 1]),
        ] {
            company.at(now).await;
            let tx = company.store.begin_read().await.unwrap();
            let days: Vec<_> = company.people.iter().map(|id| (*id, day("2026-03-04"))).collect();
            let evidence = tx.load_evidence(&days).await.unwrap();
            let listed = [0, 1].map(|person| evidence.people[&company.people[person]].enrolments.len());
            assert_eq!(listed, expected, "{now}");
            drop(tx);
            assert_eq!(company.engine.judge.check(Date::MIN, Date::MAX).await.unwrap(), []);
        }
    }

    async fn reports_end_with_the_employment(store: Store) {
        let company = Company::new(store, 1, 1, "2026-03-04 12:00:00").await;
        let read = |clock: &str| Batch::new(company.devices[0], Way::Poll, vec![punch("1001", clock, 0)]);
        company.accept(&read("2026-03-02 08:55:00")).await;
        company.accept(&read("2026-03-04 08:55:00")).await;
        company.engine.judge.drain().await.unwrap();
        assert_eq!(company.status(0, "2026-03-04").await, "present");
        let mut fields = company.store.employee(company.people[0]).await.unwrap().unwrap().fields;
        fields.employed_to = Some(day("2026-03-02"));
        let tx = company.store.begin_write().await.unwrap();
        tx.edit_employee(company.people[0], &fields, company.author()).await.unwrap();
        tx.commit().await.unwrap();
        company.engine.judge.drain().await.unwrap();
        assert_eq!(company.status(0, "2026-03-02").await, "present");
        assert_eq!(company.status(0, "2026-03-04").await, "-");
    }
}

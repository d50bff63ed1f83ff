//! `muster why`: a day in words and as JSON, now and as it was known.

use attendance::{
    DeviceId, DeviceUserId, HourMinute, Punch, PunchState, SegmentSpec, Shift, VerifyMode, Way,
};
use ingest::{Batch, Clock, Engine, PollerOptions};
use jiff::SignedDuration;
use jiff::tz::TimeZone;
use serde_json::Value;
use store::Author;

use super::{Office, evening, monday};

/// Somebody with a shift, who was late on Monday the 2nd of March and got a punch added two days later.
async fn late_on_monday(office: &Office) {
    let store = office.store().await;
    let evening = evening().to_zoned(TimeZone::UTC).expect("an instant");
    let clock = Clock::stopped(evening.timestamp());
    let engine = Engine::new(store.clone(), clock.clone(), PollerOptions::default());
    let author = || Author {
        account: None,
        at: clock.now(),
    };
    let hour = |hour: u16| HourMinute::from_minutes(hour * 60).expect("a time");
    let shift = Shift {
        segments: vec![SegmentSpec {
            start: hour(9),
            end: hour(18),
        }],
        ..Shift::default()
    };
    let tx = store.begin_write().await.expect("a transaction");
    tx.add_shift("General", &shift, author())
        .await
        .expect("a shift");
    tx.commit().await.expect("committed");
    let people = "code,first_name,last_name,device_id,shift\nEMP-7,Priya,Raghunathan,7,General\n";
    office.file("people.csv", people);
    office
        .run(&["employee", "import", "people.csv"])
        .await
        .done();
    let add = ["device", "add", "--kind", "zk", "--serial", "A1"];
    let add = [&add[..], &["--name", "Mill floor A"]].concat();
    office.run(&add).await.done();

    let punch = |time: &str| Punch {
        user: DeviceUserId::parse("7").expect("an id"),
        clock: format!("{}T{time}", monday()).parse().expect("a clock"),
        offset: None,
        state: PunchState::None,
        verify: VerifyMode::Face,
        record: 0,
    };
    let device = store.device_by_serial("A1").await.expect("read");
    let device = DeviceId(device.expect("a device").id);
    let punches = ["09:14:20", "09:14:41", "18:03:52"].map(punch);
    let batch = Batch::new(device, Way::Push, punches.to_vec());
    engine.intake.accept(&batch).await.expect("accepted");
    engine.judge.drain().await.expect("judged");

    clock.set(clock.now() + SignedDuration::from_hours(48));
    let priya = store.employee_by_code("EMP-7").await.expect("read");
    let priya = priya.expect("imported").id;
    let came = monday().at(8, 55, 0, 0);
    let tx = store.begin_write().await.expect("a transaction");
    tx.add_punch(priya, came, None, "forgot the card", author())
        .await
        .expect("added");
    tx.commit().await.expect("committed");
    engine.judge.drain().await.expect("judged");
}

#[tokio::test]
async fn a_day_is_explained_on_a_screen() {
    let office = Office::open().await;
    late_on_monday(&office).await;
    let said = office.run(&["why", "EMP-7", "2026-03-02"]).await.done();
    for part in [
        "EMP-7 Priya Raghunathan, 2026-03-02",
        "First in 08:55:00 is not after 09:10:00, so it is on time.",
        "(R64 R76)",
        "1. Shift (R14 R16 R20 R90)",
        "2. Punches: 2 used, 1 between, 1 ignored",
        "08:55:00  Added         Used as first in",
        "09:14:41  Mill floor A  Ignored: repeat within 60 s of 09:14:20",
        "by Muster: forgot the card",
        "because of a correction; changed",
    ] {
        assert!(said.out.contains(part), "{part}: {}", said.out);
    }
    assert!(
        said.out.lines().all(|line| line.chars().count() <= 100),
        "{}",
        said.out
    );

    let then = office
        .run(&["why", "EMP-7", "2026-03-02", "--at", "2026-03-03T10:00"])
        .await
        .done();
    assert!(
        then.out.contains("so the day counts as late by 14"),
        "{}",
        then.out
    );
    assert!(
        then.out.contains("As known at 3 Mar 10:00.") && !then.out.contains("forgot"),
        "{}",
        then.out
    );

    let said = office
        .run(&["why", "EMP-7", "2026-03-02", "--json"])
        .await
        .done();
    let why: Value = serde_json::from_str(&said.out).expect("JSON");
    assert_eq!(why["report"]["first_in"], "2026-03-02 08:55:00");
    assert_eq!(why["known_at"], Value::Null);
    let topics: Vec<_> = why["facts"]
        .as_array()
        .expect("facts")
        .iter()
        .map(|fact| fact["topic"].as_str())
        .collect();
    assert!(
        topics.contains(&Some("verdict")) && topics.contains(&Some("correction")),
        "{topics:?}"
    );
}

#[tokio::test]
async fn nobody_and_no_instant_are_said() {
    let office = Office::open().await;
    late_on_monday(&office).await;
    office
        .run(&["why", "EMP-8", "2026-03-02"])
        .await
        .failed(1, &["there is no employee \"EMP-8\"", "next:"]);
    office
        .run(&["why", "EMP-7", "2026-03-02", "--at", "noon"])
        .await
        .failed(2, &["--at \"noon\" is no instant"]);
    office
        .run(&["why", "EMP-7", "Monday"])
        .await
        .failed(2, &["Monday"]);
}

//! Clocks that follow the server, and clocks that go wrong.

use jiff::SignedDuration;

use super::*;

#[tokio::test]
async fn a_clock_follows_date_and_zone_when_it_may() {
    for (follows, expected) in [
        (true, "2026-11-22T10:30:03"),
        (false, "2026-11-22T09:00:00"),
    ] {
        let office = Office::open(usual).await;
        let nine = stopped(at("2026-11-22T09:00:00"));
        let mut terminal = terminal(Profile::V24).clock(nine);
        if follows {
            terminal = terminal.follow_server_clock();
        }
        let terminal = terminal.start(office.addr);
        within(terminal.until_polls(1)).await;
        assert_eq!(terminal.now(), at(expected));
    }
}

#[tokio::test]
async fn a_wrong_date_is_followed_too() {
    let office = Office::open(
        |request: &Received| match request.line().contains("/getrequest") {
            true => Reply::Dated("OK".to_owned(), "Thu, 01 Jan 2015 00:00:00 GMT"),
            false => usual(request),
        },
    )
    .await;
    let terminal = terminal(Profile::V24)
        .follow_server_clock()
        .start(office.addr);
    within(terminal.until_polls(1)).await;
    terminal.punch("1", 0, 1);
    within(terminal.until_acknowledged(1)).await;
    assert!(office.attlogs()[0].starts_with("1\t2015-01-01 05:30:00\t"));
}

#[tokio::test]
async fn the_branch_of_manual_3_2_0_asks_for_the_time() {
    let office = Office::open(|request: &Received| match request.line() {
        line if line.contains("options=all") => ok("GET OPTION FROM: X\nSyncTime=1\n"),
        _ => usual(request),
    })
    .await;
    let terminal = VirtualTerminal::new("BOCK200961014", Profile::B)
        .time_scale(100)
        .clock(stopped(at("2026-11-22T09:00:00")))
        .follow_server_clock()
        .start(office.addr);
    let target = "GET /iclock/cdata?SN=BOCK200961014&type=time";
    let first = office.until(1, target).await;
    assert_eq!(first.line(), format!("{target}&ComKey=88888888"));
    office.until(2, target).await;
    assert_eq!(terminal.now(), at("2026-11-22T10:30:03"));
}

#[tokio::test]
async fn an_empty_battery_forgets_the_time_at_each_restart() {
    let office = Office::open(usual).await;
    let terminal = terminal(Profile::V24).start(office.addr);
    within(terminal.until_polls(1)).await;
    terminal.set_fault(Fault::ClockReset);
    assert_eq!(terminal.now(), at("2000-01-01T00:00:00"));
    terminal.shift_clock(SignedDuration::from_secs(60));
    assert_eq!(terminal.punch("1", 0, 1).clock, at("2000-01-01T00:01:00"));
    terminal.reboot();
    within(terminal.until_counts(|counts| counts.handshakes == 2)).await;
    assert_eq!(terminal.now(), at("2000-01-01T00:00:00"));
}

#[tokio::test]
async fn a_clock_that_is_off_stays_off() {
    let office = Office::open(usual).await;
    let terminal = terminal(Profile::V22).fault("clock-off=-90s".parse().unwrap());
    let terminal = terminal.start(office.addr);
    let punch = terminal.punch("1", 0, 1);
    assert_eq!(punch.clock, at("2026-11-22T10:28:30"));
    within(terminal.until_acknowledged(1)).await;
    assert_eq!(terminal.acknowledged(), [punch]);
}

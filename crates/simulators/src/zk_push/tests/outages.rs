//! Networks, servers and terminals that go away and come back.

use super::*;

#[tokio::test]
async fn what_happens_offline_is_delivered_afterwards() {
    let office = Office::open(usual).await;
    let terminal = terminal(Profile::V24).batch(20).start(office.addr);
    within(terminal.until_polls(1)).await;
    terminal.go_offline();
    for punch in punches(50) {
        terminal.log_punch(punch);
    }
    assert!(terminal.acknowledged().is_empty());
    terminal.go_online();
    within(terminal.until_acknowledged(50)).await;
    let lines: Vec<_> = office
        .attlogs()
        .iter()
        .map(|body| body.lines().count())
        .collect();
    assert_eq!(lines, [20, 20, 10]);
    assert_eq!(terminal.acknowledged(), punches(50));
}

#[tokio::test]
async fn going_offline_cuts_off_what_is_under_way() {
    let mut silent = true;
    let office =
        Office::open(
            move |request| match request.is("POST") && std::mem::take(&mut silent) {
                true => Reply::Silent,
                false => usual(request),
            },
        )
        .await;
    let terminal = terminal(Profile::V24).time_out(Duration::from_secs(3600));
    let terminal = terminal.records(punches(3)).start(office.addr);
    office.until(1, "POST").await;
    terminal.go_offline();
    within(terminal.until_counts(|counts| counts.unanswered == 1)).await;
    terminal.go_online();
    within(terminal.until_acknowledged(3)).await;
}

#[tokio::test]
async fn an_answer_that_does_not_come_in_time_is_none() {
    let mut silent = true;
    let office =
        Office::open(
            move |request| match request.is("POST") && std::mem::take(&mut silent) {
                true => Reply::Silent,
                false => usual(request),
            },
        )
        .await;
    let terminal = terminal(Profile::V24).time_out(Duration::from_millis(50));
    let terminal = terminal.records(punches(3)).start(office.addr);
    within(terminal.until_acknowledged(3)).await;
    assert!(terminal.counts().uploads >= 2);
}

#[tokio::test]
async fn a_server_that_died_is_called_until_it_is_back() {
    for (profile, hellos) in [(Profile::V24, 1), (Profile::Essl, 0)] {
        let office = Office::open(usual).await;
        let addr = office.addr;
        let terminal = terminal(profile).start(addr);
        terminal.punch("1", 0, 1);
        within(terminal.until_acknowledged(1)).await;
        drop(office);
        terminal.punch("2", 0, 1);
        let refused = terminal.counts().unanswered + 2;
        within(terminal.until_counts(|counts| counts.unanswered >= refused)).await;
        let office = Office::open_at(addr, usual).await;
        within(terminal.until_acknowledged(2)).await;
        let again = office.received().into_iter();
        let again = again.filter(|request| request.line().contains("options=all"));
        assert_eq!(again.count(), hellos, "{profile}");
    }
}

#[tokio::test]
async fn a_refused_connection_is_tried_again_before_the_error_delay() {
    let office = Office::open(usual).await;
    let addr = office.addr;
    drop(office);
    let terminal = VirtualTerminal::new("BOCK200961014", Profile::V24).start(addr);
    within(terminal.until_counts(|counts| counts.unanswered == 1)).await;
    let _office = Office::open_at(addr, usual).await;
    within(terminal.until_polls(1)).await;
}

#[tokio::test]
async fn a_terminal_restored_to_factory_has_nothing_left() {
    let office = Office::open(usual).await;
    let terminal = terminal(Profile::V24)
        .users([User::new("1")])
        .records(punches(3));
    let terminal = terminal.start(office.addr);
    within(terminal.until_acknowledged(3)).await;
    terminal.restore_to_factory();
    within(terminal.until_counts(|counts| counts.handshakes == 2)).await;
    assert!(terminal.users().is_empty() && terminal.log().is_empty());
    assert_eq!(terminal.acknowledged(), punches(3));
    let request = office
        .until(1, "POST /iclock/cdata?SN=BOCK200961014&table=OPERLOG")
        .await;
    assert!(
        request.text().starts_with("OPLOG 22\t"),
        "{}",
        request.text()
    );
    terminal.punch("5", 0, 1);
    assert_eq!(terminal.log()[0].number, 1);
    within(terminal.until_acknowledged(4)).await;
}

#[tokio::test]
async fn it_goes_where_it_is_told() {
    let (first, second) = (Office::open(usual).await, Office::open(usual).await);
    let terminal = terminal(Profile::V24).start(first.addr);
    within(terminal.until_polls(1)).await;
    terminal.set_server(second.addr);
    terminal.punch("1", 0, 1);
    within(terminal.until_acknowledged(1)).await;
    assert_eq!((first.attlogs().len(), second.attlogs().len()), (0, 1));
}

#[tokio::test]
async fn a_kept_connection_serves_many_requests_and_may_close_at_any_time() {
    let mut answers = 0;
    let office = Office::open(move |request| {
        answers += 1;
        match usual(request) {
            Reply::Says(200, text) if answers % 5 > 0 => Reply::KeepsOpen(text),
            reply => reply,
        }
    })
    .await;
    let terminal = terminal(Profile::V24).keeps_alive().batch(1);
    let terminal = terminal.records(punches(20)).start(office.addr);
    within(terminal.until_acknowledged(20)).await;
    let connections = *office.seen.connections.lock().unwrap();
    assert!((4..=7).contains(&connections), "{connections} connections");
    assert_eq!(terminal.counts().unanswered, 0);
}

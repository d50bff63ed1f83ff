//! Live punches: every layout, mixed into answers, merged, kept before they are acknowledged, and terminals that go away.

use simulators::zk::{EventLayout, Transports};
use terminals::Live;

use super::*;

const EVENTS: [EventLayout; 7] = [
    EventLayout::Ten,
    EventLayout::Twelve,
    EventLayout::Fourteen,
    EventLayout::ThirtyTwo,
    EventLayout::ThirtySix,
    EventLayout::ThirtySeven,
    EventLayout::FiftyTwo,
];

async fn listening(target: &Target) -> Terminal {
    let mut terminal = Terminal::connect(target).await.expect("a terminal");
    terminal.listen().await.expect("it tells");
    terminal
}

async fn next_punch(terminal: &mut Terminal) -> Punch {
    match terminal.next_live(LONG).await {
        Ok(Some(Live::Punch(punch))) => punch,
        other => panic!("no punch: {other:?}"),
    }
}

#[tokio::test]
async fn every_layout_tells_who_when_and_how() {
    for layout in EVENTS {
        for transport in [Transport::Tcp, Transport::Udp] {
            let virtual_terminal = builder(LogLayout::Forty, 10).event_layout(layout);
            let terminal = start(virtual_terminal.transports(Transports::Both)).await;
            let target = faults::over(transport, &terminal);
            let mut connection = listening(&target).await;
            assert!(terminal.punch("1002", MORNING, 1, 1));
            let punch = next_punch(&mut connection).await;
            let expected = ("1002", MORNING, PunchState::Out, VerifyMode::Finger);
            let found = (punch.user.as_str(), punch.clock, punch.state, punch.verify);
            assert_eq!(found, expected, "{layout:?} over {transport:?}");
            connection.close().await;
        }
    }
}

#[tokio::test]
async fn a_punch_is_acknowledged_when_it_is_kept_and_not_before() {
    let terminal = start(builder(LogLayout::Forty, 10)).await;
    terminal.set_fault(Fault::EventsNeedAck);
    let mut connection = listening(&target(&terminal)).await;
    for minute in 0..3 {
        assert!(terminal.punch("1001", MORNING + SignedDuration::from_mins(minute), 0, 1));
    }
    for minute in 0..3 {
        let punch = next_punch(&mut connection).await;
        assert_eq!(punch.clock, MORNING + SignedDuration::from_mins(minute));
        assert_eq!(terminal.counts().events_acknowledged, minute as u64);
        let more = connection.next_live(Duration::from_millis(50)).await;
        assert_eq!(more.expect("it is there"), None, "it waits for our word");
        connection.acknowledge().await.expect("it is there");
        terminal.wait_for_acknowledgements(minute as u64 + 1).await;
    }
    assert_eq!(terminal.counts().stray_acknowledgements, 0);
    connection.close().await;
}

#[tokio::test]
async fn several_in_one_segment_and_between_the_packets_of_an_answer() {
    for fault in [Fault::EventsMerged(3), Fault::EventsInAnswers] {
        let terminal = start(builder(LogLayout::Forty, 3000)).await;
        terminal.set_fault(fault.clone());
        let mut connection = listening(&target(&terminal)).await;
        for minute in 0..3 {
            assert!(terminal.punch("1003", MORNING + SignedDuration::from_mins(minute), 0, 1));
        }
        // A read in between neither loses them nor is disturbed by them.
        let reading = connection.read(&ReadPosition::default(), &seen_at).await;
        assert_eq!(reading.expect("a read").punches.len(), 3003, "{fault:?}");
        for minute in 0..3 {
            let punch = next_punch(&mut connection).await;
            assert_eq!(punch.clock, MORNING + SignedDuration::from_mins(minute));
            connection.acknowledge().await.expect("it is there");
        }
        terminal.wait_for_acknowledgements(3).await;
        connection.close().await;
    }
}

#[tokio::test]
async fn a_newcomers_internal_number_is_looked_up_and_a_strangers_waits() {
    let virtual_terminal = builder(LogLayout::Packed8, 10).event_layout(EventLayout::Ten);
    let terminal = start(virtual_terminal).await;
    let mut connection = listening(&target(&terminal)).await;
    terminal.add_user(User::new(9, "1009"));
    assert!(terminal.punch("1009", MORNING, 0, 1));
    assert_eq!(next_punch(&mut connection).await.user.as_str(), "1009");
    // Internal number 77, which the list does not have.
    terminal.emit(1, &[77, 0, 1, 0, 26, 11, 22, 8, 30, 15]);
    let heard = connection.next_live(LONG).await.expect("it is there");
    assert!(matches!(heard, Some(Live::Unclear(_))), "{heard:?}");
    // What is no punch is passed over, what cannot be read is shown.
    terminal.emit(2, &[]);
    terminal.emit(1, &[1, 2, 3]);
    let heard = connection.next_live(LONG).await.expect("it is there");
    assert!(
        matches!(&heard, Some(Live::Unclear(record)) if record.bytes == [1, 2, 3]),
        "{heard:?}"
    );
    connection.close().await;
}

#[tokio::test]
async fn a_terminal_that_goes_away_is_noticed() {
    let terminal = start(builder(LogLayout::Forty, 10)).await;
    let mut connection = listening(&target(&terminal)).await;
    terminal.restart();
    let error = connection.next_live(LONG).await.expect_err("it is gone");
    assert_eq!(error.step(), Step::Live, "{error}");

    // Without a word: quiet at first, and no answer to a question.
    let terminal = start(builder(LogLayout::Forty, 10)).await;
    terminal.set_fault(Fault::LiveStall(1));
    let mut connection = listening(&target(&terminal)).await;
    assert!(terminal.punch("1001", MORNING, 0, 1));
    next_punch(&mut connection).await;
    assert!(terminal.punch("1001", MORNING + SignedDuration::from_mins(1), 0, 1));
    let quiet = connection.next_live(Duration::from_millis(100)).await;
    assert_eq!(quiet.expect("nothing says so"), None);
    let error = connection.clock().await.expect_err("it is gone");
    assert_eq!(error.step(), Step::Clock, "{error}");
}

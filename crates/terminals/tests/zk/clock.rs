//! Setting the clock, and terminals that only say they did.

use std::sync::atomic::{AtomicI64, Ordering};

use super::*;

#[tokio::test]
async fn a_clock_is_set_to_the_second_and_read_back() {
    for transport in [Transport::Tcp, Transport::Udp] {
        let virtual_terminal = builder(LogLayout::Forty, 10);
        let terminal = start(virtual_terminal.transports(simulators::zk::Transports::Both)).await;
        let before = terminal.counts();
        let mut connection = Terminal::connect(&faults::over(transport, &terminal))
            .await
            .expect("a terminal");
        let shown = connection.clock().await.expect("a clock");
        let right = shown + SignedDuration::from_millis(9 * 3_600_000 + 700);
        let set = connection
            .set_clock(&move || right)
            .await
            .expect("it is set");
        let expected = shown + SignedDuration::from_secs(9 * 3600 + 1);
        assert_eq!((set.shows, set.should), (expected, right), "{transport:?}");
        assert_eq!(connection.clock().await.expect("a clock"), expected);
        connection.close().await;
        let counts = terminal.counts();
        assert_eq!(counts.of(202) - before.of(202), 1);
        assert_eq!(counts.disables, 0);
    }
}

#[tokio::test]
async fn a_clock_that_was_not_set_is_noticed() {
    let terminal = start(builder(LogLayout::Forty, 10)).await;
    terminal.set_fault(Fault::IgnoreWrites);
    let mut connection = Terminal::connect(&target(&terminal))
        .await
        .expect("a terminal");
    let shown = connection.clock().await.expect("a clock");
    let check = async |connection: &mut Terminal, off_s: i64| {
        let right = shown + SignedDuration::from_secs(off_s);
        connection.set_clock(&move || right).await
    };
    let set = check(&mut connection, 2).await.expect("near enough");
    assert_eq!(set.shows, shown);
    let error = check(&mut connection, -3)
        .await
        .expect_err("it shows the old time");
    assert_eq!(error.step(), Step::Clock);
    let right = shown - SignedDuration::from_secs(3);
    let text = format!("the terminal refused step clock: it was set to {right} and shows {shown}");
    assert_eq!(error.to_string(), text);
    let never = connection.set_clock(&|| jiff::civil::date(2100, 1, 1).at(0, 0, 0, 0));
    let error = never.await.expect_err("no ZKTeco clock has that");
    assert!(error.to_string().contains("can show 2100-01-01"), "{error}");
    // What takes long is compared with the time at which it answers.
    let passed = AtomicI64::new(0);
    let later =
        move || shown + SignedDuration::from_secs(60 * passed.fetch_add(1, Ordering::Relaxed));
    let slow = connection.set_clock(&later);
    let error = slow.await.expect_err("a minute has passed");
    assert!(error.to_string().contains("and shows"), "{error}");
    connection.close().await;
}

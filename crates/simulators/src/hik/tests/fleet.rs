//! Many terminals in one process.

use super::stream::Listener;
use super::*;

#[tokio::test]
async fn a_fleet_counts_on_and_shares_until_one_changes() {
    let model = entrance().events(punches(100)).https();
    let fleet = model.start_fleet(3, [127, 0, 0, 1].into()).await.unwrap();
    let labels: Vec<&str> = fleet.iter().map(RunningTerminal::label_serial).collect();
    assert_eq!(labels, ["GB9637211", "GB9637212", "GB9637213"]);
    assert_eq!(fleet[0].fingerprint(), fleet[2].fingerprint());
    assert_ne!(fleet[0].addr(), fleet[1].addr());
    fleet[1].punch("1042", noon());
    fleet[1].add_user(User::new("7", "Bo"));
    fleet[2].remove_user("1042");
    let state = |terminal: &RunningTerminal| (terminal.event_count(), terminal.users().len());
    assert_eq!(
        (state(&fleet[0]), state(&fleet[1]), state(&fleet[2])),
        ((100, 1), (101, 2), (100, 0))
    );
    let own = entrance()
        .serial_number("OEM-0099")
        .start_fleet(2, [127, 0, 0, 1].into());
    assert_eq!(own.await.unwrap()[1].serial_number(), "OEM-0100");
}

#[tokio::test]
async fn a_fleet_of_streams_hears_each_its_own() {
    let model = entrance().stream(Stream {
        heartbeat: Heartbeat::None,
        ..Stream::default()
    });
    let fleet = model.start_fleet(50, [127, 0, 0, 1].into()).await.unwrap();
    let mut listeners = Vec::new();
    for terminal in &fleet {
        listeners.push(
            Listener::open(terminal, "/ISAPI/Event/notification/alertStream?deployID=1").await,
        );
    }
    for (count, terminal) in fleet.iter().enumerate() {
        terminal.push(Event::face("1042", noon()).serial_no(count as u32 + 1));
    }
    for (count, listener) in listeners.iter_mut().enumerate() {
        assert_eq!(listener.next().await.serials().0, count as u64 + 1);
    }
    let open: u64 = fleet
        .iter()
        .map(|terminal| terminal.counts().streams_open)
        .sum();
    assert_eq!(open, 50);
}

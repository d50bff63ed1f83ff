//! Load.

use std::collections::HashSet;

use super::*;

#[tokio::test]
async fn a_storm_says_what_was_acknowledged() {
    let mut uploads = 0;
    let office = Office::open(move |request| {
        uploads += 1;
        match uploads % 5 {
            0 => Reply::Says(503, String::new()),
            _ => usual(request),
        }
    })
    .await;
    let serials = (0..60).map(|n| format!("STORM{n:04}"));
    let storm = Storm::new(office.addr, serials).batches(2).lines(20);
    let weathered = within(storm.run()).await;
    assert_eq!((weathered.latencies.len(), weathered.refused), (96, 24));
    let distinct: HashSet<_> = weathered.acknowledged.iter().collect();
    assert_eq!(
        (distinct.len(), weathered.acknowledged.len()),
        (96 * 20, 96 * 20)
    );
    let lines: HashSet<String> = (office.received().iter())
        .flat_map(|request| {
            let serial = request.query("SN").unwrap().to_owned();
            let text = request.text();
            text.lines()
                .map(|line| format!("{serial}\t{line}"))
                .collect::<Vec<_>>()
        })
        .collect();
    for (serial, pin, clock) in distinct {
        let clock = clock.strftime("%Y-%m-%d %H:%M:%S");
        assert!(lines.contains(&format!("{serial}\t{pin}\t{clock}\t0\t1\t0\t0\t0")));
    }
}

#[tokio::test]
async fn sixty_terminals_deliver_all_they_have() {
    let office = Office::open(usual).await;
    let terminals: Vec<_> = (0..60)
        .map(|n| {
            VirtualTerminal::new(&format!("MANY{n:04}"), Profile::V24)
                .clock(stopped(MORNING))
                .batch(20)
                .records(punches(100))
                .start(office.addr)
        })
        .collect();
    for terminal in &terminals {
        within(terminal.until_acknowledged(100)).await;
    }
    assert_eq!(office.attlogs().len(), 60 * 5);
}

#[tokio::test]
async fn slow_writers_stay_until_the_server_has_enough() {
    let office = Office::open(usual).await;
    let slow = SlowWriters::start(office.addr, "SLOW1", 20, Duration::from_millis(1));
    within(async {
        while *office.seen.connections.lock().unwrap() < 20 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert_eq!(slow.ended(), 0);
    drop(office);
    within(slow.until_all_ended()).await;
}

#[tokio::test]
async fn what_happens_is_told() {
    let told = Arc::new(Mutex::new(Vec::new()));
    let (kept, office) = (told.clone(), with_commands("C:1:LOG").await);
    let terminal = terminal(Profile::V24)
        .records(punches(3))
        .observer(Arc::new(move |serial: &str, event: &Event| {
            kept.lock().unwrap().push(format!("{serial}  {event}"));
        }))
        .start(office.addr);
    within(terminal.until_reported(1)).await;
    let expected = [
        "BOCK200961014  connected, 14 settings",
        "BOCK200961014  3 lines of ATTLOG acknowledged",
        "BOCK200961014  command 1, LOG: 0",
    ];
    assert_eq!(*told.lock().unwrap(), expected);
}

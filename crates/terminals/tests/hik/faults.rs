//! Every fault of a virtual Hikvision terminal over HTTP and over HTTPS: a read brings exactly what the terminal holds, or ends
//! with a named error; in time, with few requests, and without a single refused sign-in.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::Semaphore;

use super::*;

const ROWS: usize = 100;
/// Above this many a read asks the same again and again.
const REQUESTS: u64 = 60;

/// For terminals that stall: short enough to wait for in a test.
const HURRIED: HikLimits = HikLimits {
    connect: Duration::from_millis(1900),
    answer: Duration::from_secs(2),
    body: 1 << 20,
    silence_least: Duration::from_secs(40),
    silence_most: Duration::from_secs(90),
};
const STALLING: [&str; 5] = ["silent", "slow=3s", "dribble=20ms", "stall", "tls-silent"];
/// Reads at one time: each has deadlines, and all share the machine.
const AT_ONCE: usize = 6;

fn builder() -> VirtualTerminal {
    virtual_terminal().events(punches(ROWS)).noise(1)
}

async fn read(target: &Target, whole: Duration) -> Result<Reading, TerminalError> {
    read_within(target, whole, HikLimits::default()).await
}

async fn read_within(
    target: &Target,
    whole: Duration,
    limits: HikLimits,
) -> Result<Reading, TerminalError> {
    let deadline = Deadline::after(whole);
    let mut terminal = HikTerminal::connect_with(target, deadline, limits).await?;
    let reading = terminal.read(&ReadPosition::default(), &instant).await;
    terminal.close().await;
    reading
}

/// Faults after which nothing can be read, and the reason that is told; every other one a reader bears. Those of TLS alone
/// concern only HTTPS.
const FATAL: &[(&str, &str)] = &[
    ("refuse", "unreachable"),
    ("silent", "silent"),
    ("slow=3s", "sign_in_unanswered"),
    ("dribble=20ms", "sign_in_unanswered"),
    ("cut", "silent"),
    ("stall", "silent"),
    ("length=-5", "not_understood"),
    ("garbage", "not_understood"),
    ("garbage-body", "not_understood"),
    ("huge-body", "not_understood"),
    ("endless-body", "not_understood"),
    ("empty-pages", "not_understood"),
    ("wrong-serial", "wrong_serial"),
    ("stale", "credentials"),
    ("locked", "locked"),
    ("bare-401", "sign_in_refused"),
    ("busy", "busy"),
    ("says=noMemory", "busy"),
    ("error-in-200", "device_fault"),
    ("not-activated", "not_activated"),
];
const FATAL_TO_TLS: &[(&str, &str)] = &[
    ("tls10", "tls_too_old"),
    ("cbc-only", "tls_too_old"),
    ("tls-silent", "unreachable"),
];

/// All that the simulator knows, as its own complaint about an unknown one lists them.
fn notations() -> Vec<String> {
    let complaint = "no such fault".parse::<Fault>().expect_err("unknown");
    let text = complaint.to_string();
    let (_, list) = text.split_once("known are ").expect("a list");
    let all: Vec<String> = list
        .split(", ")
        .map(|one| one.replace("SERIAL", "7").replace("EMPLOYEE", "1042"))
        .collect();
    assert!(all.len() > 40, "{text}");
    all
}

#[tokio::test]
async fn every_fault_ends_in_exact_data_or_a_named_error() {
    let all = notations();
    for (fatal, _) in FATAL.iter().chain(FATAL_TO_TLS) {
        assert!(all.iter().any(|one| one == fatal), "{fatal} is no fault");
    }
    let mut tasks = tokio::task::JoinSet::new();
    let free = Arc::new(Semaphore::new(AT_ONCE));
    for notation in all {
        for transport in [Transport::Tcp, Transport::Tls] {
            let (free, notation) = (Arc::clone(&free), notation.clone());
            tasks.spawn(async move {
                let _place = free.acquire().await;
                let terminal = match transport {
                    Transport::Tls => start(builder().https()).await,
                    _ => start(builder()).await,
                };
                let read = read_with(notation, transport, &terminal).await;
                (read, terminal)
            });
        }
    }
    // They stay until all are read, so that none gets the port of another.
    let (wrong, _terminals): (Vec<_>, Vec<_>) = tasks.join_all().await.into_iter().unzip();
    let wrong: Vec<String> = wrong.into_iter().filter_map(Result::err).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

async fn read_with(
    notation: String,
    transport: Transport,
    terminal: &RunningTerminal,
) -> Result<(), String> {
    let what = format!("{notation} over {transport:?}");
    let fault: Fault = notation.parse().expect("a notation");
    terminal.set_fault(fault);
    let of_tls = (transport == Transport::Tls).then_some(FATAL_TO_TLS);
    let expected = FATAL
        .iter()
        .chain(of_tls.unwrap_or_default())
        .find(|(name, _)| *name == notation)
        .map(|(_, reason)| *reason);
    let whole = Duration::from_secs(60);
    let target = target_over(terminal, transport);
    let limits = match STALLING.contains(&notation.as_str()) {
        true => HURRIED,
        false => HikLimits::default(),
    };
    let read = read_within(&target, whole, limits);
    let read = tokio::time::timeout(whole + Duration::from_secs(3), read)
        .await
        .map_err(|_| format!("{what}: it hangs"))?;
    let counts = terminal.counts();
    let (requests, refused) = (counts.requests, counts.refused_sign_ins);
    if requests >= REQUESTS || refused > 0 || counts.most_at_once > 1 {
        return Err(format!("{what}: {counts:?}"));
    }
    match (read, expected) {
        (Ok(reading), None) => {
            check_exact(&what, &notation, &reading);
            Ok(())
        }
        (Err(error), Some(expected)) if error.reason() == expected => Ok(()),
        (Ok(reading), _) => Err(format!("{what}: {} punches", reading.punches.len())),
        (Err(error), _) => Err(format!("{what}: {error:?}")),
    }
}

/// What a read brought is what the log holds; what is lacking is parked, or names nobody.
#[track_caller]
fn check_exact(what: &str, notation: &str, reading: &Reading) {
    let lacks = |punch: &Punch| -> bool { punch.user.as_str() != "1042" };
    assert!(!reading.punches.iter().any(lacks), "{what}");
    let mut times: BTreeMap<DateTime, usize> = BTreeMap::new();
    for punch in &reading.punches {
        *times.entry(punch.clock).or_default() += 1;
    }
    assert!(times.values().all(|count| *count == 1), "{what}: twice");
    let held = (0..ROWS)
        .filter(|n| times.contains_key(&minute_of_march(*n)))
        .count();
    let expected = match notation {
        // Every row names nobody, or happened never.
        "no-employee" | "serial-reset" => 0,
        "impossible-time" => 0,
        // One row of a person or of a door.
        "no-employee=7" | "impossible-time=7" => ROWS - 1,
        // The oldest row is overwritten, once for each search.
        "row-lost" => ROWS - 1,
        _ => ROWS,
    };
    assert!(
        (expected..=ROWS).contains(&held),
        "{what}: {held} of {expected}"
    );
    let parked = match notation {
        // Those of doors too.
        "impossible-time" => ROWS..=2 * ROWS,
        "impossible-time=7" => 1..=1,
        _ => 0..=0,
    };
    assert!(parked.contains(&reading.parked.len()), "{what}");
    assert!(reading.complete, "{what}");
}

/// A fault in the middle of a log costs nothing that the next read does not bring.
#[tokio::test]
async fn what_a_fault_cut_off_comes_with_the_next_read() {
    for notation in ["cut", "stall", "garbage", "busy", "locked", "bare-401"] {
        let terminal = start(builder()).await;
        let fault: Fault = notation.parse().expect("a notation");
        terminal.set_fault(fault.on(EVENTS).after(2));
        let mut target = target(&terminal);
        let whole = Duration::from_secs(20);
        let limits = match STALLING.contains(&notation) {
            true => HURRIED,
            false => HikLimits::default(),
        };
        let read_broken = read_within(&target, whole, limits).await;
        read_broken.expect_err(notation);
        terminal.clear_faults();
        target.credentials.version += 1;
        let reading = read(&target, whole).await.expect(notation);
        check_exact(notation, "", &reading);
    }
}

/// Nonces of the one before are no attempts at the other's account, but for the first that shows that it is another.
#[tokio::test]
async fn another_terminal_at_the_same_address() {
    let whole = Duration::from_secs(20);
    let first = start(builder()).await;
    let addr = first.addr();
    read(&target(&first), whole).await.expect("a good read");
    drop(first);
    let second = loop {
        match builder().start(addr).await {
            Ok(second) => break second,
            Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::AddrInUse),
        }
        tokio::task::yield_now().await;
    };
    let reading = read(&target(&second), whole).await;
    check_exact("the second", "", &reading.expect("a good read"));
    let counts = second.counts();
    assert_eq!(counts.refused_sign_ins + counts.stale, 1, "{counts:?}");
}

// Certificates.

#[tokio::test]
async fn the_first_certificate_is_told_and_another_one_is_refused() {
    let terminal = start(builder().https()).await;
    let mut target = target_over(&terminal, Transport::Tls);
    let connected = HikTerminal::connect(&target, Deadline::none())
        .await
        .expect("any is taken first");
    let first = connected.certificate().expect("it showed one");
    let shown = terminal.fingerprint().expect("it has one");
    assert_eq!(first.to_string(), format!("sha256:{shown}"));

    target.certificate = CertificateTrust::Pinned(first);
    let whole = Duration::from_secs(20);
    read(&target, whole).await.expect("the same");

    terminal.change_certificate().expect("another one");
    terminal.reset_counts();
    let error = read(&target, whole).await.expect_err("another one");
    let TerminalError::OtherCertificate { expected, found } = &error else {
        panic!("{error:?}");
    };
    assert_eq!(*expected, first);
    let shown = terminal.fingerprint().expect("it has one");
    assert_eq!(found.to_string(), format!("sha256:{shown}"));
    assert_eq!((error.step(), error.retry()), (Step::Tls, Retry::NextPoll));
    assert_eq!(terminal.counts().requests, 0, "nothing is said to it");

    target.certificate = CertificateTrust::Any;
    read(&target, whole).await.expect("it does not matter");
}

#[tokio::test]
async fn plain_http_where_tls_is_expected_and_the_reverse() {
    let whole = Duration::from_secs(20);
    let plain = start(builder()).await;
    let error = read_within(&target_over(&plain, Transport::Tls), whole, HURRIED).await;
    let error = error.expect_err("no TLS");
    let reasons = ["no_tls", "unreachable"];
    assert!(reasons.contains(&error.reason()), "{error:?}");
    assert_eq!(plain.counts().requests, 0);

    let secured = start(builder().https()).await;
    let error = read_within(&target(&secured), whole, HURRIED).await;
    error.expect_err("no plain HTTP");
    assert_eq!(secured.counts().signed, 0);
}

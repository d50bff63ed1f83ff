//! Live punches: how streams are opened, framed and lost, and that nothing a stream does costs more than a reading.

use simulators::hik::{EventForm, Heartbeat, Pictures, Replays, Stream, Subscriptions};
use terminals::Live;

use super::*;

const STREAM: &str = "/ISAPI/Event/notification/alertStream";
const SUBSCRIBE: &str = "/ISAPI/Event/notification/subscribeEvent";
/// Long enough for whatever comes at all.
const LONG: Duration = Duration::from_secs(20);
/// Short enough to wait for, and long enough for bytes on loopback.
const MOMENT: Duration = Duration::from_millis(60);

/// No heartbeat comes while a test runs, so that nothing but what is told brings it on.
fn streaming(stream: Stream) -> VirtualTerminal {
    virtual_terminal().stream(Stream {
        heartbeat_every: Duration::from_secs(3600),
        ..stream
    })
}

fn quiet() -> VirtualTerminal {
    streaming(Stream::default())
}

fn beating(heartbeat: Heartbeat) -> VirtualTerminal {
    virtual_terminal().stream(Stream {
        heartbeat,
        heartbeat_every: MOMENT,
        ..Stream::default()
    })
}

/// Silence is noticed soon, answers have their time.
const LIMITS: HikLimits = HikLimits {
    connect: Duration::from_secs(5),
    answer: Duration::from_secs(20),
    ..IMPATIENT
};

async fn connected(terminal: &RunningTerminal) -> HikTerminal {
    HikTerminal::connect_with(&target(terminal), Deadline::none(), LIMITS)
        .await
        .expect("connected")
}

async fn listening(terminal: &RunningTerminal) -> HikTerminal {
    let mut ours = connected(terminal).await;
    ours.listen().await.expect("it tells");
    ours
}

/// As the poller does: the whole log from the position, right after the stream is opened.
async fn caught_up(terminal: &RunningTerminal) -> (HikTerminal, Reading) {
    let mut ours = listening(terminal).await;
    let reading = ours.read(&ReadPosition::default(), &instant).await;
    (ours, reading.expect("a good read"))
}

async fn next(ours: &mut HikTerminal) -> Live {
    let next = ours.next_live(LONG).await.expect("it is there");
    next.expect("it tells something")
}

async fn next_punch(ours: &mut HikTerminal) -> Punch {
    match next(ours).await {
        Live::Punch(punch) => punch,
        other => panic!("no punch: {other:?}"),
    }
}

async fn next_unclear(ours: &mut HikTerminal) -> String {
    match next(ours).await {
        Live::Unclear(record) => record.reason,
        other => panic!("nothing unclear: {other:?}"),
    }
}

async fn assert_nothing(ours: &mut HikTerminal) {
    let heard = ours.next_live(MOMENT).await.expect("it is there");
    assert_eq!(heard, None);
}

/// Streams are asked for so often, and once each to fetch a challenge.
fn opened(terminal: &RunningTerminal) -> u64 {
    terminal.counts().streams
}

#[tokio::test]
async fn a_punch_is_told_as_the_log_has_it() {
    for form in [EventForm::Json, EventForm::Xml] {
        let stream = Stream {
            events: form,
            ..Stream::default()
        };
        let terminal = start(streaming(stream).events(punches(2)).noise(3)).await;
        let (mut ours, first) = caught_up(&terminal).await;
        assert_eq!(first.punches.len(), 2);
        terminal.push(Event::fingerprint("007", noon()).status("checkOut"));
        terminal.push(Event::new(5, 76, noon()).employee("1042")); // refused
        terminal.push(Event::new(2, 38, noon()).employee("1042")); // the network
        terminal.punch("1042", noon());
        let told = [next_punch(&mut ours).await, next_punch(&mut ours).await];
        assert_eq!(
            (told[0].user.as_str(), told[0].state, told[0].verify),
            ("007", PunchState::Out, VerifyMode::Finger)
        );
        assert_nothing(&mut ours).await;
        let second = ours.read(&first.position, &instant).await.expect("a read");
        assert_eq!(second.punches, told, "{form:?}");
        assert_nothing(&mut ours).await;
        ours.close().await;
    }
}

/// On such firmware search rows have no `attendanceStatus` at all, while events say `undefined`.
#[tokio::test]
async fn a_status_that_only_one_of_them_tells_makes_no_other_punch() {
    let terminal = start(quiet().attendance_mode(false)).await;
    let (mut ours, first) = caught_up(&terminal).await;
    terminal.punch("1042", noon());
    let told = next_punch(&mut ours).await;
    let second = ours.read(&first.position, &instant).await.expect("a read");
    assert_eq!(second.punches, [told]);
}

/// Such a terminal is found out by reading: what it tells before that is read, what it tells afterwards is as the log has it.
#[tokio::test]
async fn wall_time_that_is_marked_as_utc_is_told_as_it_is_read() {
    let marked = || quiet().time_notation(TimeNotation::WallMarkedUtc);
    let terminal = start(marked().events(punches(2))).await;
    let (mut ours, first) = caught_up(&terminal).await;
    assert!(first.punches.iter().all(|punch| punch.offset.is_none()));
    terminal.punch("1042", noon());
    let told = next_punch(&mut ours).await;
    let second = ours.read(&first.position, &instant).await.expect("a read");
    assert_eq!(second.punches, [told]);

    let terminal = start(marked()).await;
    let (mut ours, first) = caught_up(&terminal).await;
    terminal.punch("1042", noon());
    let unclear = next_unclear(&mut ours).await;
    assert!(unclear.contains("UTC"), "{unclear}");
    let second = ours.read(&first.position, &instant).await.expect("a read");
    assert_eq!(second.punches[0].offset, None);
    terminal.punch("007", noon());
    let told = next_punch(&mut ours).await;
    let third = ours.read(&second.position, &instant).await.expect("a read");
    assert_eq!(third.punches, [told]);
}

#[tokio::test]
async fn punches_that_come_while_the_log_is_read_are_told_afterwards() {
    let terminal = start(quiet().events(punches(200))).await;
    let mut ours = listening(&terminal).await;
    for _ in 0..3 {
        terminal.punch("007", noon());
    }
    let reading = ours.read(&ReadPosition::default(), &instant).await;
    assert_eq!(reading.expect("a read").punches.len(), 203);
    for _ in 0..3 {
        assert_eq!(next_punch(&mut ours).await.user.as_str(), "007");
    }
    assert_nothing(&mut ours).await;
}

/// Beside the stream, which is no request under way.
#[tokio::test]
async fn requests_go_out_one_at_a_time_while_it_is_listened_to() {
    let terminal = start(quiet()).await;
    let (mut ours, _) = caught_up(&terminal).await;
    terminal.reset_counts();
    ours.clock().await.expect("a clock");
    let counts = terminal.counts();
    assert_eq!((counts.most_at_once, counts.streams_open), (1, 1));
    ours.close().await;
}

#[tokio::test]
async fn every_kind_of_nonce_and_a_wrong_password_once() {
    for nonces in [Nonces::Reusable, Nonces::SingleUse, Nonces::BoundToUri] {
        let terminal = start(quiet().nonces(nonces)).await;
        let (mut ours, _) = caught_up(&terminal).await;
        terminal.punch("1042", noon());
        next_punch(&mut ours).await;
        assert_eq!(terminal.counts().refused_sign_ins, 0, "{nonces:?}");
    }
    let terminal = start(quiet()).await;
    let mut ours = connected(&terminal).await;
    terminal.set_password("Other123");
    terminal.reset_counts();
    let error = ours.listen().await.expect_err("another password");
    assert!(matches!(error, TerminalError::AuthRefused), "{error:?}");
    let error = ours.listen().await.expect_err("another password");
    assert_eq!(error.retry(), Retry::AfterEdit, "{error:?}");
    assert_eq!(terminal.counts().refused_sign_ins, 1);
}

/// History is read, not told: of nineteen thousand events nothing is held.
#[tokio::test]
async fn a_log_dump_brings_nothing_and_hides_nothing() {
    let dumps = Stream {
        replays: Replays::Always,
        ..Stream::default()
    };
    let terminal = start(streaming(dumps).events(punches(500))).await;
    let (mut ours, first) = caught_up(&terminal).await;
    assert_eq!(first.punches.len(), 500);
    terminal.punch("007", noon());
    assert_eq!(next_punch(&mut ours).await.user.as_str(), "007");
    assert_nothing(&mut ours).await;
    assert!(terminal.asked().iter().all(|asked| asked.target != STREAM));
}

#[tokio::test]
async fn what_a_stream_loses_is_read() {
    let terminal = start(quiet().fault(Fault::StreamHoles(2)).events(punches(3))).await;
    let (mut ours, _) = caught_up(&terminal).await;
    terminal.punch("1042", noon());
    let first = next_punch(&mut ours).await;
    terminal.punch("007", noon()); // is not told
    terminal.punch("1042", noon());
    let third = next_punch(&mut ours).await;
    assert_eq!((first.record, third.record), (4, 6));
    let reason = next_unclear(&mut ours).await;
    assert!(reason.contains("event 5 was not told"), "{reason}");
    assert_nothing(&mut ours).await;
}

#[tokio::test]
async fn serial_numbers_that_begin_again_are_read() {
    let terminal = start(quiet().events(punches(3))).await;
    let (mut ours, _) = caught_up(&terminal).await;
    terminal.punch("1042", noon());
    next_punch(&mut ours).await;
    terminal.reset_serials();
    terminal.punch("1042", noon());
    assert_eq!(next_punch(&mut ours).await.record, 1);
    next_unclear(&mut ours).await;
    assert_nothing(&mut ours).await;
}

/// What the frames of a stream do wrong costs neither a punch nor the stream.
#[tokio::test]
async fn every_framing_gives_exact_punches() {
    let faults = [
        "part-length=none",
        "part-length=-5",
        "part-length=400",
        "part-length=100000",
        "lf-only",
        "empty-count",
        "boundary=hikboundary",
        "boundary-quoted",
        "boundary-empty",
        "garbage-part",
        "stream-twice",
    ];
    for (fault, follows) in faults.into_iter().flat_map(|f| [(f, true), (f, false)]) {
        let habits = Stream {
            boundary_follows: follows,
            form_data: follows,
            ..Stream::default()
        };
        let terminal = streaming(habits).pictures(Pictures::Binary { bytes: 3000 });
        let terminal = start(terminal.noise(1)).await;
        let (mut ours, first) = caught_up(&terminal).await;
        let parsed: Fault = fault.parse().expect("a fault");
        terminal.set_fault(parsed.on(STREAM));
        ours.listen().await.expect("it tells");
        let times = if fault == "stream-twice" { 2 } else { 1 };
        let mut told = Vec::new();
        for person in ["1042", "007", "1042"] {
            terminal.punch(person, noon());
            for _ in 0..times {
                told.push(next_punch(&mut ours).await);
            }
        }
        told.dedup();
        terminal.clear_faults();
        let reading = ours.read(&first.position, &instant).await.expect("a read");
        assert_eq!(told, reading.punches, "{fault} {follows}");
    }
}

#[tokio::test]
async fn a_picture_follows_its_punch_where_it_is_wanted() {
    let terminal = quiet().pictures(Pictures::Binary { bytes: 3000 }).noise(1);
    let terminal = start(terminal).await;
    let mut unwanted = listening(&terminal).await;
    let mut ours = connected(&terminal).await;
    ours.want_pictures();
    ours.listen().await.expect("it tells");
    terminal.punch("1042", noon());
    let punch = next_punch(&mut ours).await;
    match next(&mut ours).await {
        Live::Picture(picture) => {
            assert_eq!((picture.user, picture.clock), (punch.user, punch.clock));
            assert_eq!(picture.jpeg.len(), 3000);
        }
        other => panic!("no picture: {other:?}"),
    }
    assert_nothing(&mut ours).await;
    next_punch(&mut unwanted).await;
    assert_nothing(&mut unwanted).await;

    // One that is too large is not held.
    let terminal = quiet().pictures(Pictures::Binary { bytes: 300_000 });
    let terminal = start(terminal).await;
    let mut ours = connected(&terminal).await;
    ours.want_pictures();
    ours.listen().await.expect("it tells");
    terminal.punch("1042", noon());
    next_punch(&mut ours).await;
    terminal.punch("007", noon());
    assert_eq!(next_punch(&mut ours).await.user.as_str(), "007");
}

#[tokio::test]
async fn a_punch_that_comes_byte_by_byte() {
    let dribble = Fault::Dribble(Duration::from_micros(200));
    let terminal = start(quiet().fault(dribble.on(STREAM))).await;
    let mut ours = listening(&terminal).await;
    terminal.punch("1042", noon());
    assert_eq!(next_punch(&mut ours).await.record, 1);
}

#[tokio::test]
async fn a_part_that_never_ends_is_an_error_and_is_not_held() {
    let terminal = start(quiet().fault(Fault::HugePart)).await;
    let (mut ours, _) = caught_up(&terminal).await;
    terminal.punch("1042", noon());
    let error = ours.next_live(LONG).await.expect_err("it does not end");
    assert!(matches!(error, TerminalError::TooLarge { .. }), "{error:?}");
    assert_eq!(error.step(), Step::Live);
}

#[tokio::test]
async fn streams_that_end_or_fall_silent_are_noticed() {
    // Cut by the terminal.
    let terminal = start(quiet()).await;
    let (mut ours, _) = caught_up(&terminal).await;
    terminal.end_streams();
    let error = ours.next_live(LONG).await.expect_err("it is over");
    assert!(matches!(error, TerminalError::Cut { .. }), "{error:?}");
    assert_eq!((error.step(), error.retry()), (Step::Live, Retry::Soon));
    ours.next_live(LONG).await.expect_err("it stays over");

    // Half-open, in each style of heartbeat.
    for heartbeat in [Heartbeat::VideoLoss, Heartbeat::Xml, Heartbeat::Json] {
        let terminal = start(beating(heartbeat)).await;
        let (mut ours, _) = caught_up(&terminal).await;
        // Longer than silence may last: it is alive.
        let heard = ours.next_live(IMPATIENT.silence_most * 5 / 4).await;
        assert_eq!(heard.expect("it beats"), None);
        terminal.hang_streams();
        let error = ours.next_live(LONG).await.expect_err("it is silent");
        let most = IMPATIENT.silence_most;
        assert!(
            matches!(error, TerminalError::Timeout { step: Step::Live, after } if after <= most),
            "{heartbeat:?}: {error:?}"
        );
    }

    // Without heartbeats silence says nothing, and the clock does.
    let terminal = start(beating(Heartbeat::None)).await;
    let mut ours = HikTerminal::connect_with(&target(&terminal), Deadline::none(), IMPATIENT)
        .await
        .expect("connected");
    ours.listen().await.expect("it tells");
    let heard = ours.next_live(IMPATIENT.silence_most * 5 / 4).await;
    assert_eq!(heard.expect("nothing says so"), None);
    terminal.set_fault(Fault::Silent);
    let error = ours.clock().await.expect_err("it is gone");
    assert_eq!(error.step(), Step::Clock, "{error}");
}

#[tokio::test]
async fn firmware_that_wants_no_deploy_id_or_asks_for_patience() {
    for fault in [Fault::NoDeployId(400), Fault::NoDeployId(404)] {
        let terminal = start(quiet().fault(fault.clone()).events(punches(3))).await;
        let (mut ours, first) = caught_up(&terminal).await;
        assert_eq!(first.punches.len(), 3);
        terminal.punch("1042", noon());
        next_punch(&mut ours).await;
        assert!(
            terminal.asked().iter().any(|asked| asked.target == STREAM),
            "{fault:?}"
        );
    }
    let terminal = start(quiet().fault(Fault::QuickReopen(Duration::from_secs(1)))).await;
    let (mut ours, _) = caught_up(&terminal).await;
    terminal.punch("1042", noon());
    next_punch(&mut ours).await;
    assert!(terminal.asked().iter().all(|asked| asked.target != STREAM));
}

#[tokio::test]
async fn places_that_are_taken_are_told_with_who_holds_them() {
    let few = Stream {
        live_slots: 1,
        ..Stream::default()
    };
    let terminal = start(streaming(few)).await;
    let one = listening(&terminal).await;
    let mut other = connected(&terminal).await;
    let error = other.listen().await.expect_err("there is one place");
    assert_eq!(
        error.to_string(),
        "all places of its live stream are taken, by 127.0.0.1"
    );
    assert!(error.is_of_live_only());
    // It is read all the same, and the place is free once nobody listens.
    let reading = other.read(&ReadPosition::default(), &instant).await;
    reading.expect("a good read");
    one.close().await;
    let began = Instant::now();
    while terminal.counts().streams_open > 0 {
        assert!(began.elapsed() < LONG, "the place is still taken");
        tokio::task::yield_now().await;
    }
    other.listen().await.expect("it tells");
}

/// Two readings with punches that were not told; one may be a matter of the moment.
#[tokio::test]
async fn a_stream_that_tells_no_punches_gives_way_to_a_subscription() {
    for (subscriptions, asked) in [
        (Subscriptions::All, 1),
        (Subscriptions::Bare, 2),
        (Subscriptions::Json, 3),
    ] {
        let stream = Stream {
            subscriptions,
            ..Stream::default()
        };
        let mute = Fault::MuteStream.on(STREAM);
        let serial = format!("GB963800{asked}");
        let terminal = start(named(&serial, stream).fault(mute)).await;
        let (mut ours, first) = caught_up_with(&terminal, &serial).await;
        terminal.punch("1042", noon());
        let second = ours.read(&first.position, &instant).await.expect("a read");
        assert_eq!(second.punches.len(), 1);
        assert_eq!(subscribed(&terminal), 0);
        terminal.punch("007", noon());
        let third = ours.read(&second.position, &instant).await.expect("a read");
        assert_eq!(third.punches.len(), 1);
        terminal.punch("1042", noon());
        assert_eq!(next_punch(&mut ours).await.user.as_str(), "1042");
        assert_eq!(subscribed(&terminal), asked, "{subscriptions:?}");
        // The next connection knows.
        ours.listen().await.expect("it tells");
        assert_eq!(subscribed(&terminal), asked + 1);
    }
}

#[tokio::test]
async fn a_terminal_that_tells_in_no_way_is_only_read() {
    let serial = "GB9638009";
    let mute = Fault::MuteStream.on(STREAM);
    let terminal = start(named(serial, Stream::default()).fault(mute)).await;
    let (mut ours, mut reading) = caught_up_with(&terminal, serial).await;
    for _ in 0..2 {
        terminal.punch("1042", noon());
        reading = ours
            .read(&reading.position, &instant)
            .await
            .expect("a read");
        assert_eq!(reading.punches.len(), 1);
    }
    let error = ours.next_live(LONG).await.expect_err("it is mute");
    assert!(matches!(error, TerminalError::StreamMute), "{error:?}");
    let streams = opened(&terminal);
    let error = ours.listen().await.expect_err("it is known to be mute");
    assert!(error.is_of_live_only(), "{error:?}");
    assert_eq!(opened(&terminal), streams, "it is not asked again");
    // It is asked once whether it takes subscriptions at all.
    assert_eq!(subscribed(&terminal), 1);
}

/// As the other tests of its kind learn something of their terminals, each has its own.
fn named(serial: &str, stream: Stream) -> VirtualTerminal {
    let login = Login::new("operator", "Abc12345");
    VirtualTerminal::new(serial, login, stopped(noon()))
        .users([User::new("1042", "Aziza K."), User::new("007", "José")])
        .stream(Stream {
            heartbeat_every: Duration::from_secs(3600),
            ..stream
        })
}

async fn caught_up_with(terminal: &RunningTerminal, serial: &str) -> (HikTerminal, Reading) {
    let target = Target {
        serial: Some(serial.to_owned()),
        ..target(terminal)
    };
    let connected = HikTerminal::connect_with(&target, Deadline::none(), LIMITS);
    let mut ours = connected.await.expect("connected");
    ours.listen().await.expect("it tells");
    let reading = ours.read(&ReadPosition::default(), &instant).await;
    (ours, reading.expect("a good read"))
}

/// Requests for a subscription that were signed.
fn subscribed(terminal: &RunningTerminal) -> usize {
    let asked = terminal.asked();
    let signed = asked
        .iter()
        .filter(|asked| asked.target.starts_with(SUBSCRIBE) && asked.status != 401);
    signed.count()
}

//! Hikvision terminals that are listened to: what they tell, lose and refuse, and that their log has the last word.

use std::sync::Arc;
use std::time::Duration;

use attendance::Way;
use ingest::{CallsTo, Engine, Operation, PICTURE, PollerOptions};
use jiff::SignedDuration;
use jiff::tz::TimeZone;
use simulators::hik::{Event, Fault, Pictures, Replays, RunningTerminal, Stream, VirtualTerminal};
use store::testing::count_rows;
use store::{Store, on_both_databases};

use crate::company::{Company, ZONE, wall};
use crate::live::{company, start, until, until_live, ways};
use crate::polling::{builder, edit, hik_terminal, locate, locate_hik, with_secrets};
use terminals::{Retry, Terminal};

const STREAM: &str = "/ISAPI/Event/notification/alertStream";
const TWO_TO_NOON: &str = "2026-03-02 11:58:00";

async fn listened_to(company: &Company, terminal: VirtualTerminal) -> RunningTerminal {
    let terminal = terminal.start("127.0.0.1:0").await.expect("a free port");
    locate_hik(company, &terminal).await;
    edit(company, 0, |fields| {
        fields.mode = vec![Way::Poll, Way::Live]
    })
    .await;
    terminal
}

/// Without a heartbeat while a test runs.
fn streaming(stream: Stream) -> VirtualTerminal {
    hik_terminal(2).stream(Stream {
        heartbeat_every: Duration::from_secs(3600),
        ..stream
    })
}

fn quiet() -> VirtualTerminal {
    streaming(Stream::default())
}

async fn read_again(company: &Company, cycles: u64) {
    company.engine.poller.poll_now(None).await.unwrap();
    until("it is read again", async || {
        count_rows(&company.store, "poll_cycles").await == cycles
    })
    .await;
}

/// A day with workers, of a terminal that should be listened to, be read and be told to call. Another one, which is only read,
/// shows that the workers have looked at both.
async fn a_day_with_workers(company: &Company) {
    let (device, beside) = (company.devices[0], company.devices[1]);
    let poller = &company.engine.poller;
    let row = company.store.device(device).await.unwrap().unwrap();
    // A worker that has loaded the credentials before they were refused, and goes on with them.
    let held = poller.target(&row).expect("not refused yet");
    let read = async || {
        let cycles = store::sql::all(
            company.store.read(),
            "SELECT id FROM poll_cycles WHERE device_id = $1",
            [beside.0.into()],
        );
        cycles.await.unwrap().len()
    };
    let midnight = company.clock.now();
    for minutes in (30..=24 * 60).step_by(30) {
        let before = read().await;
        company
            .clock
            .set(midnight + SignedDuration::from_mins(minutes));
        poller.poll_now(None).await.unwrap();
        until("the other one is read", async || read().await > before).await;
        let row = async || company.store.device(device).await.unwrap().unwrap();
        until("it is refused", async || row().await.needs_edit).await;
        let error = Terminal::connect(&held).await.expect_err("refused");
        assert_eq!(error.retry(), Retry::AfterEdit, "{minutes}");
        poller.tell(device).await.unwrap();
        poller.tell_others_once().await.unwrap();
        if minutes % 120 == 0 {
            let examined = poller.examine(device, &mut |_| {}).await.unwrap();
            assert!(examined.is_err_and(|failure| failure.step == "sign_in"));
            let restarted = poller.operate(device, Operation::Restart, None).await;
            assert!(
                restarted
                    .unwrap()
                    .is_err_and(|failure| failure.step == "sign_in")
            );
        }
    }
}

/// With two terminals, the first one of ours.
async fn company_that_calls(store: Store, terminal: &RunningTerminal) -> Company {
    let mut company = Company::new(store, 1, 2, "2026-03-02 00:00:00").await;
    let options = PollerOptions {
        quiet: Duration::from_millis(100),
        calls: Some(CallsTo {
            host: Some("192.0.2.10".to_owned()),
            port: 8081,
        }),
        ..PollerOptions::default()
    };
    company.engine = Engine::new(company.store.clone(), company.clock.clone(), options);
    locate_hik(&company, terminal).await;
    edit(&company, 0, |fields| {
        fields.mode = vec![Way::Poll, Way::Live, Way::Push]
    })
    .await;
    company
}

on_both_databases! {
    async fn a_day_of_listening_with_a_wrong_password_is_one_signed_request(store: Store) {
        let (store, _folder) = with_secrets(store);
        let terminal = quiet().start("127.0.0.1:0").await.expect("a free port");
        let company = company_that_calls(store, &terminal).await;
        let beside = builder("SERIAL1").start("127.0.0.1:0").await.expect("a free port");
        locate(&company, 1, &beside).await;
        terminal.set_password("Xyz98765");
        let workers = start(&company).await;
        a_day_with_workers(&company).await;
        let counts = terminal.counts();
        assert_eq!((counts.refused_sign_ins, counts.signed, counts.requests), (1, 0, 2));
        workers.stop().await.unwrap();
    }

    /// A nonce that was good is used ahead, and only the one after it, just given, tells that the password is wrong now.
    async fn a_password_that_changes_while_it_is_listened_to_is_tried_with_one_new_nonce(store: Store) {
        let (store, _folder) = with_secrets(store);
        let terminal = quiet().start("127.0.0.1:0").await.expect("a free port");
        let company = company_that_calls(store, &terminal).await;
        let beside = builder("SERIAL1").start("127.0.0.1:0").await.expect("a free port");
        locate(&company, 1, &beside).await;
        let workers = start(&company).await;
        until_live(&company).await;
        until("it is told to call", async || {
            let place = company.store.call_place(company.devices[0]).await.unwrap();
            place.is_some_and(|place| place.slot.is_some())
        })
        .await;
        terminal.set_password("Xyz98765");
        terminal.reset_counts();
        a_day_with_workers(&company).await;
        let counts = terminal.counts();
        assert!(counts.refused_sign_ins <= 2 && counts.signed == 0, "{counts:?}");
        assert_eq!(counts.streams_open, 0, "nor is anything heard on");
        workers.stop().await.unwrap();
    }

    async fn a_hikvision_terminal_is_read_and_then_tells(store: Store) {
        let (store, _folder) = with_secrets(store);
        let company = company(store).await;
        let terminal = listened_to(&company, quiet().noise(2)).await;
        let workers = start(&company).await;
        until_live(&company).await;
        assert_eq!(count_rows(&company.store, "punches").await, 2, "it was read first");
        terminal.push(Event::face("1002", wall(TWO_TO_NOON)).status("checkIn"));
        until("it is told", async || !ways(&company, TWO_TO_NOON).await.is_empty()).await;
        assert_eq!(ways(&company, TWO_TO_NOON).await, ["live"]);
        assert_eq!(count_rows(&company.store, "poll_cycles").await, 1, "without a reading");
        read_again(&company, 2).await;
        assert_eq!(ways(&company, TWO_TO_NOON).await, ["live", "poll"], "they agree on it");
        assert_eq!(count_rows(&company.store, "punches").await, 3, "and noise is none");
        assert_eq!(terminal.counts().streams, 1);
        workers.stop().await.unwrap();
        until("nobody listens", async || terminal.counts().streams_open == 0).await;
    }

    async fn a_quiet_stream_is_contact_and_no_proof(store: Store) {
        let (store, _folder) = with_secrets(store);
        let company = company(store).await;
        let terminal = listened_to(&company, quiet()).await;
        let clock = company.clock.clone();
        let zone = TimeZone::get(ZONE).expect("a zone");
        terminal.set_clock(Arc::new(move || clock.now().to_zoned(zone.clone())));
        let workers = start(&company).await;
        until_live(&company).await;
        let read_at = company.clock.now();
        company.clock.set(read_at + SignedDuration::from_secs(20));
        let now = company.clock.now().as_millisecond();
        let device = company.devices[0];
        until("it answers", async || {
            let row = company.store.device(device).await.unwrap().unwrap();
            row.last_contact_ms == Some(now)
        })
        .await;
        let tx = company.store.begin_write().await.unwrap();
        assert_eq!(tx.covered_to(device).await.unwrap(), Some(read_at), "the stream may have lost something");
        tx.rollback().await.unwrap();
        workers.stop().await.unwrap();
    }

    async fn what_a_stream_lost_or_a_lost_stream_had_is_read(store: Store) {
        let (store, _folder) = with_secrets(store);
        let company = company(store).await;
        let terminal = listened_to(&company, quiet().fault(Fault::StreamHoles(2))).await;
        let workers = start(&company).await;
        until_live(&company).await;
        for second in ["01", "02", "03"] {
            terminal.punch("1001", wall(&format!("2026-03-02 11:58:{second}")));
        }
        until("the gap is read", async || count_rows(&company.store, "punches").await == 5).await;
        assert_eq!(ways(&company, "2026-03-02 11:58:02").await, ["poll"]);
        terminal.go_offline();
        let device = company.devices[0];
        until("it is lost", async || {
            company.store.device(device).await.unwrap().unwrap().live_since_ms.is_none()
        })
        .await;
        terminal.punch("1001", wall("2026-03-02 11:58:04"));
        terminal.go_online().expect("the port is still free");
        // A second later: so soon is a connection that lasted or is the first one tried again.
        company.clock.set(company.clock.now() + SignedDuration::from_secs(1));
        until_live(&company).await;
        assert_eq!(ways(&company, "2026-03-02 11:58:04").await, ["poll"]);
        workers.stop().await.unwrap();
    }

    async fn a_dump_of_the_whole_log_tells_nothing_twice(store: Store) {
        let (store, _folder) = with_secrets(store);
        let company = company(store).await;
        let dumps = Stream { replays: Replays::Always, ..Stream::default() };
        let terminal = listened_to(&company, streaming(dumps)).await;
        let workers = start(&company).await;
        until_live(&company).await;
        terminal.punch("1001", wall(TWO_TO_NOON));
        until("it is told", async || !ways(&company, TWO_TO_NOON).await.is_empty()).await;
        assert_eq!(count_rows(&company.store, "punch_sightings").await, 3, "history is no news");
        workers.stop().await.unwrap();
    }

    async fn pictures_are_kept_where_that_is_wanted_and_for_so_long(store: Store) {
        let (store, _folder) = with_secrets(store);
        let mut company = company(store).await;
        let pictured = || quiet().pictures(Pictures::Binary { bytes: 3000 });
        let terminal = listened_to(&company, pictured()).await;
        let workers = start(&company).await;
        until_live(&company).await;
        let device = company.devices[0];
        let told = async |at: &str| {
            terminal.push(Event::face("1001", wall(at)));
            until("it is told", async || !ways(&company, at).await.is_empty()).await;
        };
        told("2026-03-02 11:58:01").await;
        // The next one is told after what belongs to the first.
        told("2026-03-02 11:58:02").await;
        assert_eq!(company.store.kept_uploads(device).await.unwrap(), [], "nobody has asked for them");
        workers.stop().await.unwrap();

        let options = PollerOptions { keep_pictures_days: 2, ..PollerOptions::default() };
        company.engine = Engine::new(company.store.clone(), company.clock.clone(), options.clone());
        let workers = start(&company).await;
        until("it listens again", async || terminal.counts().streams == 2).await;
        terminal.push(Event::face("1001", wall(TWO_TO_NOON)));
        until("it is kept", async || count_rows(&company.store, "kept_uploads").await == 1).await;
        let kept = company.store.kept_uploads(device).await.unwrap().remove(0);
        assert_eq!((kept.kind.as_str(), kept.name.as_str()), (PICTURE, "1001 2026-03-02 11:58:00"));
        let jpeg = company.store.kept_bytes(&kept).unwrap();
        assert!(jpeg.len() == 3000 && jpeg.starts_with(b"\xff\xd8\xff"));
        let ada = company.people[0];
        let of = company.store.kept_of_punches(PICTURE, ada).await.unwrap();
        assert_eq!(of.iter().map(|of| of.kept_id).collect::<Vec<_>>(), [kept.id]);
        assert!(company.store.kept_of_person(PICTURE, kept.id, ada).await.unwrap().is_some());
        let nobody = company.store.kept_of_person(PICTURE, kept.id, company.people[1]).await.unwrap();
        assert_eq!(nobody, None, "it is of somebody else");
        workers.stop().await.unwrap();

        // Two days later, by what forgets other things too.
        for (hours, left) in [(47, 1), (2, 0)] {
            company.clock.set(company.clock.now() + SignedDuration::from_hours(hours));
            let engine = Engine::new(company.store.clone(), company.clock.clone(), options.clone());
            engine.catch_up().await.unwrap();
            assert_eq!(count_rows(&company.store, "kept_uploads").await, left);
        }
    }

    async fn a_terminal_that_refuses_to_tell_is_read_and_says_why(store: Store) {
        let (store, _folder) = with_secrets(store);
        let company = company(store).await;
        let terminal = listened_to(&company, quiet().fault(Fault::StreamFull.on(STREAM))).await;
        let workers = start(&company).await;
        let device = company.devices[0];
        until("it is read", async || count_rows(&company.store, "poll_cycles").await == 1).await;
        assert_eq!(count_rows(&company.store, "punches").await, 2);
        let row = company.store.device(device).await.unwrap().unwrap();
        let why = row.live_refused.expect("why");
        assert!(why.contains("all places of its live stream are taken"), "{why}");
        assert!(row.live_since_ms.is_none() && row.last_error.is_none());
        assert_eq!(count_rows(&company.store, "device_failures").await, 0, "its punches come");
        terminal.clear_faults();
        company.engine.poller.poll_now(None).await.unwrap();
        until_live(&company).await;
        assert_eq!(company.store.device(device).await.unwrap().unwrap().live_refused, None);
        workers.stop().await.unwrap();
    }
}

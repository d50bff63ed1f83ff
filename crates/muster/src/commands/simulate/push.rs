//! `muster simulate zk-push` and `zk-acc`: virtual terminals that call a server, and what happens to them line by line.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use jiff::tz::TimeZone;
use simulators::zk_push::{
    Event, Fault, Profile, RunningTerminal, Server, User, VirtualTerminal, history,
};

use super::{counted_on, first_day, wait_for_ctrl_c, zone};

#[derive(clap::Args)]
pub struct Args {
    /// The server they call, with the path if it wants one: http://HOST:PORT[/PATH]
    #[arg(long)]
    server: Server,
    #[arg(long, default_value_t = 1)]
    count: u16,
    /// The serial number of the first terminal; the others count on.
    #[arg(long)]
    serial: Option<String>,
    /// Punches in the log, up to yesterday; all of them wait to be uploaded.
    #[arg(long, default_value_t = 100)]
    records: usize,
    /// People enrolled: 1001, 1002 …
    #[arg(long, default_value_t = 50)]
    people: usize,
    /// Somebody punches at each terminal every so many seconds.
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..))]
    punch_every: Option<u64>,
    /// Lines of one upload, at most.
    #[arg(long, default_value = "100", value_parser = clap::value_parser!(u16).range(1..))]
    batch: u16,
    /// The key they know and send.
    #[arg(long)]
    comm_key: Option<String>,
    /// Let the server set their clocks.
    #[arg(long)]
    sync_clock: bool,
    /// Zone of the terminals' clocks; this machine's by default.
    #[arg(long)]
    zone: Option<String>,
    /// A fault, e.g. cut-answer or repeat=3; may be repeated. An unknown name lists all.
    #[arg(long = "fault", value_name = "F")]
    faults: Vec<Fault>,
}

/// Runs until Ctrl-C.
pub async fn run(args: Args, profile: Profile) -> anyhow::Result<()> {
    let zone = zone(args.zone.as_deref())?;
    let terminals: Vec<Arc<RunningTerminal>> = (0..args.count)
        .map(|index| Arc::new(start(&args, profile, index, &zone)))
        .collect();
    if let Some(seconds) = args.punch_every {
        let pause = Duration::from_secs(seconds);
        for terminal in &terminals {
            tokio::spawn(punch_every(pause, terminal.clone(), args.people));
        }
    }
    wait_for_ctrl_c().await.context("waiting for Ctrl-C")
}

fn start(args: &Args, profile: Profile, index: u16, zone: &TimeZone) -> RunningTerminal {
    let clock = ingest::Clock::system();
    let today = zone.to_datetime(clock.now()).date();
    let from = first_day(today, args.records, args.people);
    let default = match profile {
        Profile::Acc => "BRC6210960001",
        _ => "BRP6210960001",
    };
    let serial = counted_on(args.serial.as_deref().unwrap_or(default), index);
    println!("{serial}  {profile}, calls {}", args.server);
    let wall = zone.clone();
    let people = (0..args.people)
        .map(|n| User::new((1001 + n).to_string()).named(format!("Person {}", n + 1)));
    let mut terminal = VirtualTerminal::new(&serial, profile)
        .clock(Arc::new(move || wall.to_datetime(clock.now())))
        .users(people)
        .records(history(args.records, args.people, from))
        .batch(args.batch.into())
        .observer(Arc::new(|serial: &str, event: &Event| {
            println!("{serial}  {event}");
        }));
    if let Some(key) = &args.comm_key {
        terminal = terminal.comm_key(key);
    }
    if args.sync_clock {
        terminal = terminal.follow_server_clock();
    }
    for fault in &args.faults {
        terminal = terminal.fault(fault.clone());
    }
    let terminal = terminal.start(args.server.clone());
    terminal.report_users();
    terminal
}

/// People punch in turn.
async fn punch_every(pause: Duration, terminal: Arc<RunningTerminal>, people: usize) {
    for person in (0..people.max(1)).cycle() {
        tokio::time::sleep(pause).await;
        terminal.punch((1001 + person).to_string(), 0, 15);
    }
}

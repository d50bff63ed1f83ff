//! `muster simulate hik`: virtual Hikvision terminals that are read, listened to, called by name, or that call.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use clap::ValueEnum;
use jiff::ToSpan;
use simulators::hik::{
    AfterReboot, Clock, Event, EventForm, Fault, Habit, Heartbeat, HttpHost, Login, Pictures, Push,
    Replays, RunningTerminal, Sadp, Stream, Subscriptions, User, VirtualTerminal,
};

use super::{Common, first_day, url_part, wait_for_ctrl_c, zone};

#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    common: Common,
    #[arg(long)]
    user: String,
    /// Password of the virtual terminals; there is no default.
    #[arg(long)]
    password: String,
    /// Speak HTTPS, all with one certificate as from the factory.
    #[arg(long)]
    https: bool,
    /// Rows of doors and alarms for each punch.
    #[arg(long, default_value_t = 0)]
    noise: u32,
    /// Somebody punches at each terminal every so many seconds.
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..))]
    punch_every: Option<u64>,
    /// How a stream says that it is alive.
    #[arg(long, value_enum, default_value = "old")]
    stream_heartbeat: HeartbeatName,
    /// Seconds between two heartbeats of a stream.
    #[arg(long, default_value = "10", value_parser = clap::value_parser!(u64).range(1..))]
    stream_every: u64,
    /// The form of the events of a stream.
    #[arg(long, value_enum, default_value = "json")]
    stream_events: FormName,
    /// Who gets the log at the beginning of a stream.
    #[arg(long, value_enum, default_value = "client")]
    stream_replays: ReplaysName,
    /// Which bodies subscribeEvent takes.
    #[arg(long, value_enum, default_value = "none")]
    subscribe: SubscribeName,
    /// Pictures of people: none, url, or the bytes of one.
    #[arg(long, default_value = "none", value_parser = pictures)]
    pictures: Pictures,
    /// A server that stands in the first slot already: http://HOST:PORT/PATH
    #[arg(long, value_name = "URL", value_parser = server)]
    push_to: Option<HttpHost>,
    /// How many slots for servers there are.
    #[arg(long, default_value = "2", value_parser = clap::value_parser!(u8).range(1..=2))]
    push_slots: u8,
    /// Send a form also when there is no picture.
    #[arg(long)]
    push_form: bool,
    /// The name of the part with the event.
    #[arg(long, default_value = "AccessControllerEvent", value_name = "NAME")]
    push_part: String,
    /// What becomes of the slots when a terminal starts again.
    #[arg(long, value_enum, default_value = "resumes")]
    push_after_reboot: RebootName,
    /// Let them be found over SADP on the interface with this address, e.g. 127.0.0.1.
    #[arg(long, value_name = "ADDRESS")]
    sadp: Option<Ipv4Addr>,
    /// What their firmware always does, e.g. single-use-nonces; may be repeated. An unknown name lists all.
    #[arg(long = "habit", value_name = "H")]
    habits: Vec<Habit>,
    /// A fault, e.g. cut, more-forever or half-open=30s; may be repeated. An unknown name lists all.
    #[arg(long = "fault", value_name = "F")]
    faults: Vec<Fault>,
}

#[derive(Clone, Copy, ValueEnum)]
enum HeartbeatName {
    Old,
    Xml,
    Json,
    None,
}

#[derive(Clone, Copy, ValueEnum)]
enum FormName {
    Json,
    Xml,
}

#[derive(Clone, Copy, ValueEnum)]
enum ReplaysName {
    Never,
    Client,
    Always,
}

#[derive(Clone, Copy, ValueEnum)]
enum SubscribeName {
    None,
    All,
    Xml,
    Bare,
    Json,
}

#[derive(Clone, Copy, ValueEnum)]
enum RebootName {
    Resumes,
    Forgets,
    Mute,
}

fn pictures(text: &str) -> Result<Pictures, String> {
    match text {
        "none" => Ok(Pictures::None),
        "url" => Ok(Pictures::Url),
        bytes => match bytes.parse() {
            Ok(bytes) => Ok(Pictures::Binary { bytes }),
            Err(_) => Err("pictures are none, url, or a number of bytes".to_owned()),
        },
    }
}

fn server(text: &str) -> Result<HttpHost, String> {
    let parts = text.strip_prefix("http://").and_then(|rest| {
        let (authority, path) = rest.split_once('/')?;
        let (host, port) = authority.rsplit_once(':')?;
        Some((host, port.parse().ok()?, path))
    });
    let (host, port, path) = parts.ok_or("a server is written http://HOST:PORT/PATH")?;
    Ok(HttpHost {
        heartbeat: Some(30),
        ..HttpHost::new(host, port, format!("/{path}"))
    })
}

/// Runs until Ctrl-C.
pub async fn run(args: Args) -> anyhow::Result<()> {
    let model = model(&args)?;
    let mut running = Vec::new();
    for index in 0..args.common.count {
        let terminal = model
            .numbered(usize::from(index))
            .start(args.common.address(index))
            .await
            .with_context(|| format!("starting terminal {}", index + 1))?;
        println!("{}", line(&args, &terminal));
        running.push(Arc::new(terminal));
    }
    if let Some(seconds) = args.punch_every {
        let pause = Duration::from_secs(seconds);
        let clock = clock(&args)?;
        tokio::spawn(punch_every(
            pause,
            running.clone(),
            args.common.people,
            clock,
        ));
    }
    wait_for_ctrl_c().await
}

/// The terminal all others are like.
fn model(args: &Args) -> anyhow::Result<VirtualTerminal> {
    let Common {
        records, people, ..
    } = args.common;
    let clock = clock(args)?;
    let start = first_day(clock().date(), records, people);
    let login = Login::new(args.user.as_str(), args.password.as_str());
    let users = (0..people).map(|n| User::new((1001 + n).to_string(), format!("Person {}", n + 1)));
    let events = (0..records).map(|n| {
        let (round, person) = (n / people.max(1), n % people.max(1));
        let day = start + ((round / 2) as i64).days();
        let hour = if round % 2 == 0 { 8 } else { 18 };
        let at = day.at(hour, (person % 60) as i8, 0, 0);
        Event::face((1001 + person).to_string(), at)
    });
    let mut terminal = VirtualTerminal::new(args.common.serial("GB9637211", 0), login, clock)
        .noise(args.noise)
        .users(users)
        .events(events)
        .stream(stream(args))
        .push(push(args))
        .pictures(args.pictures);
    if args.https {
        terminal = terminal.https();
    }
    if let Some(host) = &args.push_to {
        terminal = terminal.http_host(host.clone());
    }
    if let Some(interface) = args.sadp {
        terminal = terminal.sadp(Sadp::on_interface(interface));
    }
    for habit in &args.habits {
        terminal = habit.set(terminal);
    }
    for fault in &args.faults {
        terminal = terminal.fault(fault.clone());
    }
    terminal.laid_out().context("making a certificate")
}

fn clock(args: &Args) -> anyhow::Result<Clock> {
    let zone = zone(args.common.zone.as_deref())?;
    let clock = ingest::Clock::system();
    Ok(Arc::new(move || clock.now().to_zoned(zone.clone())))
}

fn stream(args: &Args) -> Stream {
    Stream {
        heartbeat: match args.stream_heartbeat {
            HeartbeatName::Old => Heartbeat::VideoLoss,
            HeartbeatName::Xml => Heartbeat::Xml,
            HeartbeatName::Json => Heartbeat::Json,
            HeartbeatName::None => Heartbeat::None,
        },
        heartbeat_every: Duration::from_secs(args.stream_every),
        events: match args.stream_events {
            FormName::Json => EventForm::Json,
            FormName::Xml => EventForm::Xml,
        },
        replays: match args.stream_replays {
            ReplaysName::Never => Replays::Never,
            ReplaysName::Client => Replays::ClientOnly,
            ReplaysName::Always => Replays::Always,
        },
        subscriptions: match args.subscribe {
            SubscribeName::None => Subscriptions::None,
            SubscribeName::All => Subscriptions::All,
            SubscribeName::Xml => Subscriptions::Xml,
            SubscribeName::Bare => Subscriptions::Bare,
            SubscribeName::Json => Subscriptions::Json,
        },
        ..Stream::default()
    }
}

fn push(args: &Args) -> Push {
    Push {
        slots: args.push_slots.into(),
        always_form: args.push_form,
        part_name: args.push_part.clone(),
        after_reboot: match args.push_after_reboot {
            RebootName::Resumes => AfterReboot::Resumes,
            RebootName::Forgets => AfterReboot::Forgets,
            RebootName::Mute => AfterReboot::StaysMute,
        },
        ..Push::default()
    }
}

/// Serial number, URL, and what else somebody needs who wants to talk to it.
fn line(args: &Args, terminal: &RunningTerminal) -> String {
    let scheme = if args.https { "hiks" } else { "hik" };
    let mut line = format!(
        "{}  {scheme}://{}:{}@{}",
        terminal.serial_number(),
        url_part(&args.user),
        url_part(&args.password),
        terminal.addr()
    );
    if let Some(fingerprint) = terminal.fingerprint() {
        line.push_str(&format!("  sha256:{fingerprint}"));
    }
    if let Some(addr) = terminal.sadp_addr() {
        let addr: SocketAddr = addr;
        line.push_str(&format!("  SADP on UDP port {}", addr.port()));
    }
    line
}

/// People punch in turn, one at each terminal.
async fn punch_every(
    pause: Duration,
    terminals: Vec<Arc<RunningTerminal>>,
    people: usize,
    clock: Clock,
) {
    for person in (0..people.max(1)).cycle() {
        tokio::time::sleep(pause).await;
        for terminal in &terminals {
            terminal.punch((1001 + person).to_string(), clock());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_and_pictures_are_read() {
        let host = server("http://192.168.1.10:8080/hik/events/a?b=1").unwrap();
        assert_eq!((host.host.as_str(), host.port), ("192.168.1.10", 8080));
        assert_eq!(host.url, "/hik/events/a?b=1");
        for text in ["https://a:1/b", "http://a/b", "http://a:b/c", "a:1/b"] {
            assert!(server(text).is_err(), "{text}");
        }
        assert_eq!(pictures("4096"), Ok(Pictures::Binary { bytes: 4096 }));
        assert!(pictures("some").is_err());
    }
}

//! `muster simulate`: virtual terminals on this machine, for integrators and tests.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Context;
use jiff::ToSpan;
use jiff::tz::TimeZone;
use simulators::{zk, zk_push};

mod hik;
mod push;

#[derive(clap::Subcommand)]
pub enum Command {
    /// ZKTeco terminals on TCP, or on UDP too.
    ///
    /// Example: muster simulate zk --port 4370 --records 5000
    Zk {
        #[command(flatten)]
        common: Common,
        /// The comm key they ask for.
        #[arg(long, default_value_t = 0)]
        comm_key: u32,
        /// Answer over UDP too, on the same port.
        #[arg(long)]
        udp: bool,
        /// A fault, e.g. cut=1000 or slow=3s; may be repeated. An unknown name lists all.
        #[arg(long = "fault", value_name = "F")]
        faults: Vec<zk::Fault>,
    },
    /// Hikvision terminals on HTTP, or HTTPS: searched, listened to, found, and calling servers.
    ///
    /// Example: muster simulate hik --port 8000 --count 2 --user admin --password Abc12345
    #[command(after_long_help = HIK_EXAMPLES)]
    Hik(Box<hik::Args>),
    /// ZKTeco attendance terminals that call a server (push).
    ///
    /// Example: muster simulate zk-push --server http://127.0.0.1:8081 --profile v22 --punch-every 5
    ZkPush {
        #[command(flatten)]
        push: Box<push::Args>,
        /// The generation of their firmware: a0, v22, v24, v242, b, essl or acc.
        #[arg(long, default_value_t = zk_push::Profile::V24)]
        profile: zk_push::Profile,
    },
    /// ZKTeco access-control terminals that call a server (push).
    ///
    /// Example: muster simulate zk-acc --server http://127.0.0.1:8081 --fault cut-answer
    ZkAcc {
        #[command(flatten)]
        push: Box<push::Args>,
    },
}

const HIK_EXAMPLES: &str = "\
Examples:
  A thousand terminals whose streams stay open:
    muster simulate hik --count 1000 --records 100 --user admin --password Abc12345
  Somebody at the door every five seconds, with noise and the new heartbeat:
    muster simulate hik --user admin --password Abc12345 --punch-every 5 --noise 3 --stream-heartbeat json
  A stream that falls silent after half a minute, over HTTPS:
    muster simulate hik --user admin --password Abc12345 --https --fault half-open=30s
  Events sent to a server, in a form, by a unit that can be found on this machine:
    muster simulate hik --user admin --password Abc12345 --punch-every 5 --push-form \\
      --push-to http://127.0.0.1:8081/hik/events/TOKEN --sadp 127.0.0.1
  Firmware with difficult digests:
    muster simulate hik --user admin --password Abc12345 --habit single-use-nonces --habit no-stale";

#[derive(clap::Args)]
pub struct Common {
    /// The port of the first terminal, the others follow; 0 takes free ones.
    #[arg(long, default_value_t = 0)]
    port: u16,
    #[arg(long, default_value_t = 1)]
    count: u16,
    /// The serial number of the first terminal; the others count on.
    #[arg(long)]
    serial: Option<String>,
    /// Punches in the log, up to today.
    #[arg(long, default_value_t = 1000)]
    records: usize,
    /// People enrolled: 1001, 1002 …
    #[arg(long, default_value_t = 50)]
    people: usize,
    /// Zone of the terminals' clocks; this machine's by default.
    #[arg(long)]
    zone: Option<String>,
}

impl Common {
    fn address(&self, index: u16) -> SocketAddr {
        let port = if self.port == 0 { 0 } else { self.port + index };
        SocketAddr::from(([127, 0, 0, 1], port))
    }

    fn serial(&self, default: &str, index: u16) -> String {
        counted_on(self.serial.as_deref().unwrap_or(default), index)
    }
}

fn zone(name: Option<&str>) -> anyhow::Result<TimeZone> {
    match name {
        Some(name) => TimeZone::get(name).with_context(|| format!("there is no zone {name}")),
        None => Ok(TimeZone::system()),
    }
}

/// A serial number with its last digits counted on by `index`.
fn counted_on(first: &str, index: u16) -> String {
    let letters = first.trim_end_matches(|c: char| c.is_ascii_digit());
    let digits = &first[letters.len()..];
    match digits.parse::<u64>() {
        Ok(number) => format!(
            "{letters}{:0width$}",
            number + u64::from(index),
            width = digits.len()
        ),
        Err(_) if index == 0 => first.to_owned(),
        Err(_) => format!("{first}{index}"),
    }
}

/// Runs until Ctrl-C.
pub async fn run(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Zk {
            common,
            comm_key,
            udp,
            faults,
        } => {
            let zone = zone(common.zone.as_deref())?;
            let clock = ingest::Clock::system();
            let today = zone.to_datetime(clock.now()).date();
            let records = zk::Records::new(
                common.records,
                common.people,
                first_day(today, common.records, common.people),
            );
            let (users, log) = (
                records.user_table(),
                zk::Log::new(zk::LogLayout::Forty, records),
            );
            let transports = match udp {
                true => zk::Transports::Both,
                false => zk::Transports::Tcp,
            };
            let mut running = Vec::new();
            for index in 0..common.count {
                let (clock, zone) = (clock.clone(), zone.clone());
                let mut terminal = zk::VirtualTerminal::new(&common.serial("BRA5201160001", index))
                    .comm_key(comm_key)
                    .transports(transports)
                    .clock(Arc::new(move || zone.to_datetime(clock.now())))
                    .users(users.clone())
                    .log(log.clone());
                for fault in &faults {
                    terminal = terminal.fault(fault.clone());
                }
                let terminal = terminal
                    .start(common.address(index))
                    .await
                    .context("the port cannot be opened")?;
                let key = if comm_key == 0 {
                    String::new()
                } else {
                    format!("{comm_key}@")
                };
                println!(
                    "{}  zk://{key}{}",
                    terminal.serial_number(),
                    terminal.addr()
                );
                running.push(terminal);
            }
            wait_for_ctrl_c().await
        }
        Command::Hik(args) => hik::run(*args).await,
        Command::ZkPush { push, profile } => push::run(*push, profile).await,
        Command::ZkAcc { push } => push::run(*push, zk_push::Profile::Acc).await,
    }
}

/// A user name or password as it is written in the URL of a terminal.
fn url_part(text: &str) -> String {
    let mut part = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '%' | '@' | ':' | '/' | '?' => part.push_str(&format!("%{:02X}", u32::from(character))),
            _ => part.push(character),
        }
    }
    part
}

/// The day on which a log of two punches per person and day begins, so that it ends yesterday.
fn first_day(today: jiff::civil::Date, records: usize, people: usize) -> jiff::civil::Date {
    today - (records.div_ceil(people.max(1) * 2) as i64).days()
}

async fn wait_for_ctrl_c() -> anyhow::Result<()> {
    println!("running on this machine until Ctrl-C");
    Ok(tokio::signal::ctrl_c().await?)
}

#[cfg(test)]
mod tests {
    use terminals::Target;

    use super::*;

    #[test]
    fn the_printed_url_signs_in_with_the_same_name_and_password() {
        let (user, password) = ("a:dm/in", "p@ss:w?rd%40/x");
        let url = format!(
            "hik://{}:{}@127.0.0.1:80",
            url_part(user),
            url_part(password)
        );
        let target: Target = url.parse().unwrap();
        assert_eq!(target.credentials.username.as_deref(), Some(user));
        assert_eq!(target.credentials.password.as_deref(), Some(password));
    }
}

//! `muster terminal`: talks to one terminal. Nothing is stored here, but for the records of a log that is cleared.

mod advice;
mod clock;
mod fingerprints;
mod reading;
mod writing;

use std::process::ExitCode;

use ingest::Clock;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use terminals::{Deadline, Target, Terminal, TerminalError};

use super::clear_log;
use crate::config::Config;
use crate::output::{Usage, plain};

use advice::failure;
pub use advice::{advice_for, fullness, stored_step_name, story};
pub use reading::test;
pub use writing::user_id;

/// How far a terminal's clock may be off before it is worth a word.
pub const CLOCK_TOLERANCE_S: i64 = 30;

#[derive(clap::Subcommand)]
pub enum Command {
    /// Shows who a terminal says it is, its clock, and how full it is.
    ///
    /// Example: muster terminal info zk://10.0.0.9
    Info {
        #[command(flatten)]
        place: Place,
        /// Prints one JSON object.
        #[arg(long)]
        json: bool,
    },
    /// Tries every step of a reading and stops at the first that fails, with what to do next.
    ///
    /// Example: muster terminal test hik://admin:Abc12345@10.0.0.10
    Test {
        #[command(flatten)]
        place: Place,
        /// The zone of the terminal's clock; this machine's by default.
        #[arg(long, value_name = "ZONE")]
        zone: Option<String>,
    },
    /// Prints every punch the terminal holds.
    ///
    /// Example: muster terminal punches zk://1234@10.0.0.9 --since 2026-11-01 --format csv
    Punches {
        #[command(flatten)]
        place: Place,
        /// How they are printed.
        #[arg(long, value_enum, default_value_t = Format::Table)]
        format: Format,
        /// Only punches from this time of the terminal's clock on: 2026-11-01 or 2026-11-01T08:30.
        #[arg(long, value_name = "DATE[TIME]")]
        since: Option<DateTime>,
    },
    /// Prints each punch when it is made, until Ctrl-C; `record` counts them. They stay in the terminal's log.
    ///
    /// Example: muster terminal listen hik://USER:PASSWORD@10.0.0.9 --format jsonl
    Listen {
        #[command(flatten)]
        place: Place,
        /// How they are printed.
        #[arg(long, value_enum, default_value_t = Format::Table)]
        format: Format,
    },
    /// Prints the people the terminal knows.
    ///
    /// Example: muster terminal users zk://10.0.0.9 --format jsonl
    Users {
        #[command(flatten)]
        place: Place,
        /// How they are printed.
        #[arg(long, value_enum, default_value_t = Format::Table)]
        format: Format,
    },
    /// Shows the terminal's clock and how far it is off, or sets it.
    ///
    /// Example: muster terminal clock zk://10.0.0.9 --set --zone Asia/Karachi
    Clock {
        #[command(flatten)]
        place: Place,
        /// Sets it to the time in its zone, and reads it back. The log stays as it is.
        #[arg(long)]
        set: bool,
        /// The zone of the terminal's clock; this machine's by default.
        #[arg(long, value_name = "ZONE")]
        zone: Option<String>,
        /// Prints one JSON object.
        #[arg(long)]
        json: bool,
    },
    #[command(flatten)]
    Write(writing::Command),
    #[command(flatten)]
    Fingers(fingerprints::Command),
    /// Deletes the log of a registered terminal after every record is verified in the database; see `muster device clear-log`.
    ///
    /// Example: muster terminal clear-log zk://10.0.0.9 --yes-clear-log
    ClearLog {
        #[command(flatten)]
        place: Place,
        #[command(flatten)]
        sure: clear_log::Sure,
    },
}

#[derive(clap::Args)]
pub struct Place {
    /// zk://[COMMKEY@]HOST[:4370], hik://USER:PASSWORD@HOST[:80] or hiks://USER:PASSWORD@HOST[:443], which takes any certificate
    /// and shows it, unless ?fingerprint=sha256:… says which; in a user name or password, write @ : / ? and % as %40 %3A %2F %3F
    /// and %25. Other people on this machine cannot see it in MUSTER_TERMINAL.
    #[arg(value_name = "URL", env = "MUSTER_TERMINAL", hide_env_values = true)]
    url: String,
    /// Sends the password also where the terminal allows only one or two wrong ones more before it locks.
    #[arg(long)]
    anyway: bool,
}

impl Place {
    fn target(&self) -> Result<Target, Usage> {
        let parsed = self.url.parse().map(|mut target: Target| {
            target.credentials.confirmed = self.anyway;
            target
        });
        parsed.map_err(|error| {
            // The mistaken part could be a piece of the password.
            Usage(match self.url.contains('@') && self.url.starts_with("hik") {
                true => "this is no terminal URL: expected hik://USER:PASSWORD@HOST[:PORT], with @ : / ? and % in a user name \
                         or password written as %40 %3A %2F %3F and %25"
                    .to_owned(),
                false => format!("{error}; for example zk://10.0.0.9 or hik://admin:PASSWORD@10.0.0.10"),
            })
        })
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    Table,
    Csv,
    /// One JSON object on each line.
    Jsonl,
    /// Only how many.
    Count,
}

pub async fn run(command: Command, config: &Config) -> anyhow::Result<ExitCode> {
    match command {
        Command::Info { place, json } => reading::info(&place.target()?, json).await?,
        Command::Test { place, zone } => {
            let zone = zone_named(zone)?;
            let tested = reading::test(&place.target()?, Deadline::none(), &zone).await;
            return Ok(match tested {
                Ok(()) => ExitCode::SUCCESS,
                Err(_) => ExitCode::FAILURE,
            });
        }
        Command::Punches {
            place,
            format,
            since,
        } => reading::punches(&place.target()?, format, since).await?,
        Command::Listen { place, format } => reading::listen(&place.target()?, format).await?,
        Command::Users { place, format } => reading::users(&place.target()?, format).await?,
        Command::Clock {
            place,
            set,
            zone,
            json,
        } => clock::run(&place.target()?, &zone_named(zone)?, set, json).await?,
        Command::Write(command) => writing::run(command).await?,
        Command::Fingers(command) => fingerprints::run(command, config).await?,
        Command::ClearLog { place, sure } => {
            clear_log::at(&place.target()?, &sure, config).await?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// An error says what to do next.
pub async fn connect(target: &Target) -> anyhow::Result<Terminal> {
    let connected = Terminal::connect(target).await;
    Ok(connected.map_err(|error| failure(error, target))?)
}

/// Ends the conversation; what was done in it, and the serial number of the terminal.
async fn end<T>(
    terminal: Terminal,
    target: &Target,
    done: Result<T, TerminalError>,
) -> anyhow::Result<(T, String)> {
    let serial = plain(&terminal.identity().serial);
    terminal.close().await;
    let done = done.map_err(|error| failure(error, target))?;
    Ok((done, serial))
}

/// This machine's without a name.
fn zone_named(name: Option<String>) -> Result<TimeZone, Usage> {
    match name {
        Some(name) => TimeZone::get(&name).map_err(|_| {
            Usage(format!(
                "{name:?} is no time zone; expected a name like Europe/Berlin"
            ))
        }),
        None => Ok(TimeZone::system()),
    }
}

/// The wall time as it is written everywhere.
pub fn wall_text(clock: DateTime) -> String {
    clock.strftime("%Y-%m-%d %H:%M:%S").to_string()
}

/// How far a terminal's clock in that zone is ahead of ours, in seconds.
pub fn drift(clock: DateTime, zone: &TimeZone) -> i64 {
    let ours = zone.to_datetime(Clock::system().now());
    clock.duration_since(ours).as_secs_f64().round() as i64
}

pub fn drift_text(seconds: i64) -> String {
    let way = if seconds < 0 { "behind" } else { "ahead" };
    let (days, hours) = (seconds.abs() / 86_400, seconds.abs() / 3600 % 24);
    let (minutes, rest) = (seconds.abs() / 60 % 60, seconds.abs() % 60);
    match (days, hours, minutes) {
        (0, 0, 0) if rest <= 1 => "on time".to_owned(),
        (0, 0, 0) => format!("{rest} s {way}"),
        (0, 0, _) => format!("{minutes} min {rest} s {way}"),
        (0, ..) => format!("{hours} h {minutes} min {way}"),
        _ => format!("{days} d {hours} h {way}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drift_is_said_as_people_say_it() {
        let check = |seconds, expected| assert_eq!(drift_text(seconds), expected);
        check(0, "on time");
        check(-1, "on time");
        check(3, "3 s ahead");
        check(-48, "48 s behind");
        check(95, "1 min 35 s ahead");
        check(-3600, "1 h 0 min behind");
        check(-820_800_000, "9500 d 0 h behind");
    }

    #[test]
    fn a_mistaken_url_does_not_show_its_password() {
        for url in [
            "hik://admin:top?secret@h",
            "hik://admin:top/secret@h:x",
            "hik://admin:topsecret@h:99999",
        ] {
            let place = Place {
                url: url.to_owned(),
                anyway: false,
            };
            let error = place.target().expect_err("no URL").to_string();
            assert!(
                error.contains("%3F") && !error.contains("secret"),
                "{error}"
            );
        }
    }
}

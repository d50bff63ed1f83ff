//! `muster demo`: the whole of Muster on a company of virtual terminals, in one process and on a clock of its own.

mod company;
mod seed;
mod terminals;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, bail};
use company::{Company, Planned};
use ingest::Clock;
use jiff::ToSpan;
use jiff::civil::{Date, Time, Weekday};
use jiff::tz::TimeZone;
use store::secrets::SecretKey;
use store::{Author, Store};
use terminals::Terminal;
use web::push::{PushListener, PushListenerOptions, ZkPushOptions};

use crate::lock::ServerLock;
use crate::server;

const HISTORY_DAYS: i64 = 60;
const STARTS_AT: Time = Time::constant(8, 40, 0, 0);
/// How often the virtual people are looked after, in real time.
const TICK: Duration = Duration::from_millis(200);

#[derive(clap::Args)]
pub struct Args {
    /// Where the pages are served.
    #[arg(long, default_value = "127.0.0.1:8080", value_name = "ADDRESS")]
    listen: SocketAddr,
    /// Keeps the data here; without it they are in a temporary folder and removed at the end.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Another number makes another company.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many seconds pass in one.
    #[arg(long, default_value_t = 20.0, value_parser = speed)]
    speed: f64,
}

fn speed(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(speed) if (1.0..=600.0).contains(&speed) => Ok(speed),
        _ => Err("a number from 1 to 600".into()),
    }
}

pub async fn run(args: Args) -> anyhow::Result<()> {
    let temporary;
    let folder = match &args.data {
        Some(folder) => {
            std::fs::create_dir_all(folder)
                .with_context(|| format!("{} cannot be made", folder.display()))?;
            folder.as_path()
        }
        None => {
            temporary = tempfile::Builder::new()
                .prefix("muster-demo-")
                .tempdir()
                .context("no temporary folder can be made")?;
            temporary.path()
        }
    };
    let database = folder.join("muster.db");
    if database.exists() {
        bail!(
            "{} holds the data of an earlier demo; remove it or name another folder, a demo starts fresh",
            folder.display()
        );
    }
    let _lock = ServerLock::take(&database)?;
    // The port first: when it is taken there is nothing to undo.
    let listener = server::listen(args.listen).await?;

    let zone = TimeZone::get(company::ZONE).context("the zone of the company")?;
    let first_day = working_day(zone.to_datetime(Clock::system().now()).date());
    let start = zone.to_timestamp(first_day.to_datetime(STARTS_AT))?;
    let clock = Clock::scaled(start, args.speed);
    let company = Company::new(args.seed, first_day);

    let key_file = folder.join("muster.key");
    let key = SecretKey::create_file(&key_file).or_else(|_| SecretKey::read_file(&key_file))?;
    let store = Store::open(&format!("sqlite://{}", database.display()))
        .await?
        .with_secret_key(key);
    store.migrate().await?;

    let planned: Vec<Planned> = days(first_day - HISTORY_DAYS.days(), first_day)
        .flat_map(|day| company.punches(day))
        .collect();
    let (history, today) =
        planned.split_at(planned.partition_point(|p| p.at < first_day.to_datetime(STARTS_AT)));
    let password = store::secrets::random_token();
    let push = PushListener::bind(&[SocketAddr::from(([127, 0, 0, 1], 0))]).await?;
    let place = terminals::Place {
        clock: &clock,
        speed: args.speed,
        zone: &zone,
        server: push.addresses()[0],
        password: &password,
    };
    let running = terminals::start_all(&company, history, place).await?;
    let (terminals, registrations): (Vec<_>, Vec<_>) = running.into_iter().unzip();
    let devices: Vec<_> = terminals
        .iter()
        .map(Terminal::addr)
        .zip(registrations)
        .collect();
    // About every five seconds of real time, so that something happens while one watches.
    let poll_interval_secs = (args.speed * 5.0).clamp(10.0, 300.0) as u32;
    let author = Author {
        account: None,
        at: start,
    };
    seed::seed(&store, &company, &devices, poll_interval_secs, author).await?;

    println!(
        "{}: {} people, {} virtual terminals, {} punches of {HISTORY_DAYS} days in their logs.\n\
         It is {first_day} {} at {}, and time passes at {} × speed.\n",
        company::NAME,
        company.people.len(),
        terminals.len(),
        history.len(),
        STARTS_AT.strftime("%H:%M"),
        company::SITE,
        args.speed,
    );
    let (owner, link) = server::sign_in_link(&store, company::OWNER, &listener, author).await?;
    println!(
        "Open this link, it works once:\n\n  {link}\n\nCtrl-C ends the demo{}.",
        match &args.data {
            Some(folder) => format!("; its data stay in {}", folder.display()),
            None => " and removes its data".into(),
        }
    );
    let people = tokio::spawn(act(company, today.to_vec(), terminals, clock.clone(), zone));
    let options = server::Options {
        part: server::Part::All,
        web: web::WebConfig {
            link_signs_in: Some(owner),
            ..web::WebConfig::default()
        },
        push: Some(server::Push {
            listener: push,
            limits: PushListenerOptions::default(),
            zk: ZkPushOptions::default(),
            advertise: None,
        }),
        callers: ingest::CallerOptions::default(),
        poller: ingest::PollerOptions::default(),
        locator: ingest::LocatorOptions::default(),
    };
    let served = server::run_until_stopped(store, clock, listener, options).await;
    people.abort();
    served
}

/// Lets people punch and the failing gate fail, for as long as the demo runs.
async fn act(
    company: Company,
    today: Vec<Planned>,
    terminals: Vec<Terminal>,
    clock: Clock,
    zone: TimeZone,
) {
    let mut coming = std::collections::VecDeque::from(today);
    let mut planned_until = zone.to_datetime(clock.now()).date();
    let mut failing = false;
    loop {
        let now = zone.to_datetime(clock.now());
        while planned_until < now.date() {
            planned_until = planned_until.tomorrow().unwrap_or(planned_until);
            coming.extend(company.punches(planned_until));
        }
        while coming.front().is_some_and(|planned| planned.at <= now) {
            if let Some(planned) = coming.pop_front() {
                terminals[planned.terminal].punch(&planned);
            }
        }
        let fails = (company::FAILS_FROM..company::FAILS_TO).contains(&now.time());
        if fails != failing {
            failing = fails;
            if let Err(error) = terminals[company::FAILING].set_online(!fails) {
                tracing::warn!(%error, "the failing terminal of the demo cannot come back");
            }
        }
        tokio::time::sleep(TICK).await;
    }
}

/// Today, or the Saturday before a Sunday, when most people are off.
fn working_day(today: Date) -> Date {
    if today.weekday() == Weekday::Sunday {
        today.yesterday().unwrap_or(today)
    } else {
        today
    }
}

fn days(from: Date, to: Date) -> impl Iterator<Item = Date> {
    from.series(1.day()).take_while(move |day| *day <= to)
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    #[test]
    fn the_demo_never_begins_on_a_sunday() {
        assert_eq!(working_day(date(2026, 11, 22)), date(2026, 11, 21));
        assert_eq!(working_day(date(2026, 11, 23)), date(2026, 11, 23));
    }

    #[test]
    fn a_speed_that_stops_time_is_refused() {
        assert_eq!(speed("20"), Ok(20.0));
        assert!(speed("0").is_err() && speed("fast").is_err() && speed("inf").is_err());
    }
}

//! `muster period`: closing days and opening them again.

use std::process::ExitCode;

use ingest::Engine;
use jiff::Timestamp;
use jiff::civil::Date;
use store::Store;
use store::periods::{Days, Part};

use super::{author, department_named, engine, site_named};
use crate::config::Config;
use crate::output::print_table;

#[derive(clap::Subcommand)]
pub enum Command {
    /// Closes days: their reports stay as they are, and what comes later is listed beside them.
    ///
    /// Refused while something is open – exceptions, days that can still change, unanswered requests – unless it is waived by name.
    ///
    /// Days that were never judged, as of a person entered later, are judged first.
    ///
    /// Example: muster period close 2026-05-01 2026-05-31 --waive "agreed with the works council"
    Close {
        /// The first day.
        from: Date,
        /// The last day.
        to: Date,
        /// Only this site, by name.
        #[arg(long, value_name = "NAME")]
        site: Option<String>,
        /// Only this department, by name.
        #[arg(long, value_name = "NAME", conflicts_with = "site")]
        department: Option<String>,
        /// Why it is closed although something is open.
        #[arg(long, value_name = "REASON")]
        waive: Option<String>,
    },
    /// Opens closed days again; every version of their reports is kept.
    ///
    /// Example: muster period reopen 3 --reason "the gate was read late"
    Reopen {
        /// The number `muster period list` shows.
        period: i64,
        #[arg(long)]
        reason: String,
    },
    /// What was closed and opened again.
    ///
    /// Example: muster period list
    List,
}

pub async fn run(command: Command, config: Config) -> anyhow::Result<ExitCode> {
    let engine = engine(&config).await?;
    let store = &engine.store;
    match command {
        Command::Close {
            from,
            to,
            site,
            department,
            waive,
        } => {
            let of = match (&site, &department) {
                (Some(name), _) => Part::Site(site_named(store, name).await?),
                (None, Some(name)) => Part::Department(department_named(store, name).await?),
                (None, None) => Part::Everybody,
            };
            let days = Days { from, to, of };
            judge_unreported(&engine, days).await?;
            let tx = store.begin_write().await?;
            let id = tx.close_days(days, waive.as_deref(), author()).await?;
            tx.commit().await?;
            println!("closed {from} to {to} as period {id}");
        }
        Command::Reopen { period, reason } => {
            let tx = store.begin_write().await?;
            tx.reopen_period(period, &reason, author()).await?;
            tx.commit().await?;
            println!("period {period} is open again");
        }
        Command::List => list(store).await?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Closing stores a report for every employed workday, so those that nobody has asked for are judged here and now.
async fn judge_unreported(engine: &Engine, days: Days) -> anyhow::Result<()> {
    let tx = engine.store.begin_write().await?;
    let unreported = tx.judge_unreported(days, author().at).await?;
    tx.commit().await?;
    if unreported > 0 {
        engine.judge.drain().await?;
    }
    Ok(())
}

async fn list(store: &Store) -> anyhow::Result<()> {
    let (sites, departments) = (store.sites().await?, store.departments().await?);
    let mut rows = Vec::new();
    for period in store.periods(Date::MIN, Date::MAX).await? {
        let of = match (period.site_id, period.department_id) {
            (_, Some(id)) => {
                let found = departments.iter().find(|one| one.id.0 == id);
                found.map_or_else(|| id.to_string(), |one| one.name.clone())
            }
            (Some(id), None) => {
                let found = sites.iter().find(|one| one.id.0 == id);
                found.map_or_else(|| id.to_string(), |one| one.name.clone())
            }
            (None, None) => "all".to_owned(),
        };
        rows.push(vec![
            period.id.to_string(),
            period.from_day,
            period.to_day,
            of,
            at(Some(period.closed_ms)),
            at(period.reopened_ms),
            period.waiver,
        ]);
    }
    let headings = [
        "period",
        "from",
        "to",
        "of",
        "closed",
        "open again",
        "waived",
    ];
    print_table(&headings, &rows);
    Ok(())
}

fn at(ms: Option<i64>) -> String {
    let instant = ms.and_then(|ms| Timestamp::from_millisecond(ms).ok());
    instant.map_or_else(String::new, |at| at.strftime("%F %R UTC").to_string())
}

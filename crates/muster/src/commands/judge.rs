//! `muster judge`: reports from the punches again, or only compared with what is stored.

use std::collections::HashMap;
use std::process::ExitCode;
use std::time::Instant;

use attendance::EmployeeId;
use ingest::{Difference, Engine};
use jiff::civil::{Date, date};

use super::engine;
use crate::config::Config;
use crate::output::{self, Usage, count, plain};

#[derive(clap::Args)]
pub struct Args {
    /// The first workday; the earliest report if not said.
    #[arg(long, value_name = "DATE", default_value_t = date(1, 1, 1), hide_default_value = true)]
    from: Date,
    /// The last workday; the latest report if not said.
    #[arg(long, value_name = "DATE", default_value_t = Date::MAX, hide_default_value = true)]
    to: Date,
    /// Only compares the stored reports with a judgement of the same evidence as of the same time, and lists what differs.
    #[arg(long)]
    check: bool,
}

/// Exit code 1 when a check finds a difference.
pub async fn run(args: Args, config: Config) -> anyhow::Result<ExitCode> {
    if args.to < args.from {
        return Err(Usage(format!("--to {} is before --from {}", args.to, args.from)).into());
    }
    let engine = engine(&config).await?;
    let began = Instant::now();
    if args.check {
        return check(&engine, args.from, args.to).await;
    }
    let bar = output::progress(None, "judging");
    let judged = engine.judge.judge_all(args.from, args.to).await?;
    bar.finish_and_clear();
    let reports = count(judged, "report", "reports");
    println!("judged {reports} in {:.1} s", began.elapsed().as_secs_f64());
    Ok(ExitCode::SUCCESS)
}

async fn check(engine: &Engine, from: Date, to: Date) -> anyhow::Result<ExitCode> {
    let bar = output::progress(None, "comparing");
    let differences = engine.judge.check(from, to).await?;
    let people = engine.store.employees().await?;
    bar.finish_and_clear();
    let names: HashMap<EmployeeId, String> = people
        .into_iter()
        .map(|person| {
            let fields = person.fields;
            let name = format!("{} {} {}", fields.code, fields.first_name, fields.last_name);
            (person.id, name)
        })
        .collect();
    for difference in &differences {
        println!("{}", plain(&line(difference, &names)));
    }
    if differences.is_empty() {
        println!("every stored report is as judged");
        return Ok(ExitCode::SUCCESS);
    }
    let differ = count(differences.len() as u64, "report differs", "reports differ");
    println!("{differ}; `muster judge` without --check judges them again");
    Ok(ExitCode::FAILURE)
}

fn line(difference: &Difference, names: &HashMap<EmployeeId, String>) -> String {
    let who = match names.get(&difference.employee) {
        Some(name) => name.trim().to_owned(),
        None => format!("employee {}", difference.employee),
    };
    let what = match difference.fields.as_slice() {
        [] => "a report too many or too few".to_owned(),
        fields => fields.join(", "),
    };
    format!("{}  {who}: {what}", difference.workday)
}

//! `muster report payroll` and the profiles it works by.

use std::io::Read;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use exports::payroll::{Payroll, Profile, correction_columns, correction_rows};
use exports::{Cell, Column, ExportError, Month, write_rows};

use super::{FileArgs, failure, table};
use crate::commands::{author, open_store};
use crate::config::Config;
use crate::output::{self, Failure, Usage, count, plain};

/// Open days that are listed.
const LISTED: usize = 20;

#[derive(clap::Args)]
pub struct Args {
    /// The month, e.g. 2026-05. The profile says on which day its period begins.
    month: Month,
    /// The payroll profile.
    #[arg(long, value_name = "NAME")]
    profile: String,
    /// Writes only what has changed since the last hand-over: each line before and after, new and gone ones.
    #[arg(long)]
    corrections: bool,
    /// Shows the file and what is open, and hands nothing over.
    #[arg(long)]
    dry_run: bool,
    /// Who answers for open days.
    #[arg(long, value_name = "PERSON", requires = "because")]
    waive_by: Option<String>,
    /// Why open days do not matter.
    #[arg(long, value_name = "REASON", requires = "waive_by")]
    because: Option<String>,
    #[command(flatten)]
    file: FileArgs,
}

#[derive(clap::Subcommand)]
pub enum ProfileCommand {
    /// Lists the profiles.
    ///
    /// Example: muster report profile list
    List,
    /// Prints a profile as TOML; without a name one to begin with.
    ///
    /// Example: muster report profile show > payroll.toml
    Show { name: Option<String> },
    /// Stores a profile from a TOML file under a name, over the one that had it.
    ///
    /// Fields are employee_code, first_name, last_name, name, email, site, department, period_from, period_to, code, amount, unit, and
    /// sums: days:present, hours:worked, minutes:late, days:leave:KIND, hours:overtime:LEVEL. With a column code or amount the file
    /// has a line for each code of a person.
    ///
    /// Example: muster report profile save Payroll payroll.toml
    Save { name: String, file: PathBuf },
}

pub async fn run(args: Args, config: &Config) -> anyhow::Result<ExitCode> {
    let format = args.file.file_format()?;
    let store = open_store(config).await?;
    let bar = output::progress(None, "adding up");
    let payroll = Payroll::prepare(&store, &args.profile, args.month).await;
    bar.finish_and_clear();
    let payroll = payroll.map_err(failure)?;
    let (columns, rows) = match args.corrections {
        false => (payroll.columns(), payroll.rows()),
        true => corrections(&payroll)?,
    };
    if !payroll.open.is_empty() {
        let days = count(payroll.open.len() as u64, "day is", "days are");
        eprintln!("{days} open:");
        for day in payroll.open.iter().take(LISTED) {
            eprintln!("  {}", plain(&day.to_string()));
        }
        if let Some(more) = payroll.open.len().checked_sub(LISTED + 1) {
            eprintln!("  and {} more", more + 1);
        }
    }
    if !args.dry_run {
        let waiver = args.waive_by.as_deref().zip(args.because.as_deref());
        let done = payroll.hand_over(&store, waiver, author()).await;
        done.map_err(|error| match error {
            ExportError::Open(_) => Failure {
                what: format!("the payroll file of {} is not handed over: {error}", args.month),
                next: "Decide them, or say who answers for them and why: --waive-by PERSON --because REASON.".to_owned(),
                source: None,
            }
            .into(),
            error => failure(error),
        })?;
    }
    match format {
        Some(format) => args.file.write_file(write_rows(&columns, &rows, format)?)?,
        None => args
            .file
            .write_text(&table::Rows::new(&columns, &rows).plain())?,
    }
    Ok(ExitCode::SUCCESS)
}

type Table = (Vec<Column>, Vec<Vec<Cell>>);

fn corrections(payroll: &Payroll) -> anyhow::Result<Table> {
    let Some(changes) = payroll.changes() else {
        let why = match &payroll.last {
            None => "this period has not been handed over yet",
            Some(_) => "the profile had other columns at the last hand-over",
        };
        return Err(Failure {
            what: format!("there is nothing to compare with: {why}"),
            next: "Hand the whole file over, without --corrections.".to_owned(),
            source: None,
        }
        .into());
    };
    Ok((
        correction_columns(&payroll.headings),
        correction_rows(&changes),
    ))
}

pub async fn run_profile(command: ProfileCommand, config: &Config) -> anyhow::Result<ExitCode> {
    match command {
        ProfileCommand::List => {
            let store = open_store(config).await?;
            for profile in store.payroll_profiles().await? {
                println!("{}", plain(&profile.name));
            }
        }
        ProfileCommand::Show { name: None } => print!("{}", toml::to_string(&Profile::example())?),
        ProfileCommand::Show { name: Some(name) } => {
            let store = open_store(config).await?;
            let stored = store.payroll_profile(&name).await?;
            let stored = stored.ok_or_else(|| failure(ExportError::NoProfile(name)))?;
            print!("{}", toml::to_string(&Profile::parse(&stored.definition)?)?);
        }
        ProfileCommand::Save { name, file } => {
            let mut text = String::new();
            std::fs::File::open(&file)
                .and_then(|mut file| file.read_to_string(&mut text))
                .with_context(|| format!("{} cannot be read", file.display()))?;
            let profile: Profile = toml::from_str(&text)
                .with_context(|| format!("{} is no payroll profile", file.display()))?;
            profile.check().map_err(|error| Usage(error.to_string()))?;
            let store = open_store(config).await?;
            let tx = store.begin_write().await?;
            let definition = serde_json::to_value(&profile)?;
            tx.save_payroll_profile(&name, &definition, author())
                .await?;
            tx.commit().await?;
            println!("stored the payroll profile {}", plain(name.trim()));
        }
    }
    Ok(ExitCode::SUCCESS)
}

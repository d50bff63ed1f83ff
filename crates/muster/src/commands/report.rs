//! `muster report`: the sheets of a day and a month, time cards and punches, as tables or files, and the payroll file.

mod payroll;
mod table;

use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap::ValueEnum;
use exports::{Export, ExportError, Format, Month, Whose};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use store::views::sheet::{self, Scope, ScopeName};
use store::{ReadTx, Store};

use super::open_store;
use crate::config::Config;
use crate::output::{self, Failure, Usage};

#[derive(clap::Subcommand)]
pub enum Command {
    /// Everybody employed on a workday, with status, times and minutes.
    ///
    /// Example: muster report day 2026-05-12 --department Weaving
    Day {
        /// The workday, today if not said.
        date: Option<Date>,
        #[command(flatten)]
        scope: ScopeArgs,
        #[command(flatten)]
        file: FileArgs,
    },
    /// A letter for every person and day of a month, and the sums of each person.
    ///
    /// Letters: P present, P* late, HD half day, A absent, LV leave, OD on duty, WO weekly off, H holiday, MI and MO missing in or out,
    /// U unknown, – not employed.
    ///
    /// Example: muster report month 2026-05 --format xlsx --output may.xlsx
    Month {
        /// The month, e.g. 2026-05; the present one if not said.
        month: Option<Month>,
        #[command(flatten)]
        scope: ScopeArgs,
        #[command(flatten)]
        file: FileArgs,
    },
    /// Every workday of one person in a month.
    ///
    /// Example: muster report timecard EMP-7 2026-05
    Timecard {
        /// The employee code.
        code: String,
        /// The month, e.g. 2026-05; the present one if not said.
        month: Option<Month>,
        #[command(flatten)]
        file: FileArgs,
    },
    /// Punches as the devices recorded them, those of unknown people too.
    ///
    /// Example: muster report punches 2026-05 --format csv --output punches.csv
    Punches {
        /// A day or a month; today if not said.
        period: Option<Period>,
        #[command(flatten)]
        scope: ScopeArgs,
        #[command(flatten)]
        file: FileArgs,
    },
    /// Hands the payroll file of a month over, and keeps what it says for the next one to be compared with.
    ///
    /// Nothing is handed over while days are open: exceptions, unknown days, days that are not final. Somebody may answer for them by
    /// name and with a reason, which is kept and audited.
    ///
    /// Example: muster report payroll 2026-05 --profile Payroll --output may.csv
    Payroll(payroll::Args),
    /// The columns and codes of payroll files.
    #[command(subcommand)]
    Profile(payroll::ProfileCommand),
}

#[derive(clap::Args)]
pub struct ScopeArgs {
    /// Only this site.
    #[arg(long, value_name = "NAME")]
    site: Option<String>,
    /// Only this department.
    #[arg(long, value_name = "NAME")]
    department: Option<String>,
}

#[derive(clap::Args)]
pub struct FileArgs {
    #[arg(long, value_enum, default_value_t = FormatName::Table)]
    format: FormatName,
    /// Writes a file instead of to standard output.
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Begins a CSV file with a byte order mark, by which Excel knows that it is UTF-8.
    #[arg(long)]
    bom: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum FormatName {
    Table,
    Csv,
    Xlsx,
    Json,
}

impl FileArgs {
    /// `None` is a table for people.
    fn file_format(&self) -> Result<Option<Format>, Usage> {
        let format = match self.format {
            FormatName::Table => None,
            FormatName::Csv => Some(Format::Csv { bom: self.bom }),
            FormatName::Xlsx => Some(Format::Xlsx),
            FormatName::Json => Some(Format::Json),
        };
        if format == Some(Format::Xlsx) && self.output.is_none() && io::stdout().is_terminal() {
            return Err(Usage(
                "an Excel file is nothing for a terminal; say where it goes with --output"
                    .to_owned(),
            ));
        }
        Ok(format)
    }

    fn write_text(&self, text: &str) -> anyhow::Result<()> {
        match &self.output {
            Some(path) => std::fs::write(path, text).with_context(|| cannot_write(path)),
            None => Ok(io::stdout().write_all(text.as_bytes())?),
        }
    }

    fn write_file(&self, mut file: File) -> anyhow::Result<()> {
        match &self.output {
            Some(path) => {
                let mut to = File::create(path).with_context(|| cannot_write(path))?;
                io::copy(&mut file, &mut to).with_context(|| cannot_write(path))?;
            }
            None => {
                io::copy(&mut file, &mut io::stdout().lock())?;
            }
        }
        Ok(())
    }
}

fn cannot_write(path: &Path) -> String {
    format!("{} cannot be written", path.display())
}

/// A day or a month.
#[derive(Clone, Copy, Debug)]
pub struct Period {
    from: Date,
    to: Date,
}

impl std::str::FromStr for Period {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match (text.parse::<Month>(), text.parse::<Date>()) {
            (Ok(month), _) => Ok(Self {
                from: month.first(),
                to: month.last(),
            }),
            (_, Ok(day)) => Ok(Self { from: day, to: day }),
            _ => Err(format!(
                "{text:?} is neither a day such as 2026-05-12 nor a month such as 2026-05"
            )),
        }
    }
}

pub async fn run(command: Command, config: Config) -> anyhow::Result<ExitCode> {
    match command {
        Command::Profile(command) => return payroll::run_profile(command, &config).await,
        Command::Payroll(args) => return payroll::run(args, &config).await,
        Command::Day { date, scope, file } => {
            let store = open_store(&config).await?;
            let scope = scope.find(&store).await?;
            let day = match date {
                Some(day) => day,
                None => today(&store).await?,
            };
            let export = Export::Day {
                day,
                whose: Whose::Scope(scope),
            };
            write(&store, &export, &file, table::day).await?;
        }
        Command::Month { month, scope, file } => {
            let store = open_store(&config).await?;
            let scope = scope.find(&store).await?;
            let month = month_or_present(&store, month).await?;
            let export = Export::Month {
                month,
                whose: Whose::Scope(scope),
            };
            write(&store, &export, &file, table::month).await?;
        }
        Command::Timecard { code, month, file } => {
            let store = open_store(&config).await?;
            let month = month_or_present(&store, month).await?;
            let export = Export::Timecard { code, month };
            write(&store, &export, &file, table::timecard).await?;
        }
        Command::Punches {
            period,
            scope,
            file,
        } => {
            let store = open_store(&config).await?;
            let scope = scope.find(&store).await?;
            let period = match period {
                Some(period) => period,
                None => {
                    let day = today(&store).await?;
                    Period { from: day, to: day }
                }
            };
            let export = Export::Punches {
                from: period.from,
                to: period.to,
                scope,
            };
            write(&store, &export, &file, table::punches).await?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn write(
    store: &Store,
    export: &Export,
    file: &FileArgs,
    as_table: fn(&table::Rows) -> String,
) -> anyhow::Result<()> {
    let format = file.file_format()?;
    let bar = output::progress(None, "reading reports");
    let written = match format {
        Some(format) => export.to_file(store, format).await.map(Written::File),
        None => {
            let rows = export.into_sink(store, table::Rows::default()).await;
            rows.map(|rows| Written::Text(as_table(&rows)))
        }
    };
    bar.finish_and_clear();
    match written.map_err(failure)? {
        Written::File(from) => file.write_file(from),
        Written::Text(text) => file.write_text(&text),
    }
}

enum Written {
    File(File),
    Text(String),
}

/// What failed with what to do about it, where that can be said.
fn failure(error: ExportError) -> anyhow::Error {
    let next = match &error {
        ExportError::NobodyWithCode(_) => "Look the code up on the page People.",
        ExportError::NoProfile(_) => "`muster report profile list` shows those there are.",
        ExportError::Profile(_) => "`muster report profile show` prints a profile to begin with.",
        ExportError::TooManyRows => "Take fewer days or --format csv.",
        _ => return error.into(),
    };
    Failure {
        what: error.to_string(),
        next: next.to_owned(),
        source: None,
    }
    .into()
}

impl ScopeArgs {
    async fn find(&self, store: &Store) -> anyhow::Result<Scope> {
        let tx = store.begin_read().await?;
        let site_id = match &self.site {
            Some(name) => Some(named("site", name, sheet::sites(&tx).await?)?),
            None => None,
        };
        let department_id = match &self.department {
            Some(name) => Some(self.department(&tx, site_id, name).await?),
            None => None,
        };
        Ok(Scope {
            site_id,
            department_id,
        })
    }

    async fn department(&self, tx: &ReadTx, site: Option<i64>, name: &str) -> anyhow::Result<i64> {
        let known = sheet::departments(tx, site).await?;
        let same = known.iter().filter(|one| one.name == *name).count();
        if same > 1 {
            return Err(Usage(format!(
                "several sites have a department {name:?}; name one with --site"
            ))
            .into());
        }
        named("department", name, known)
    }
}

/// The id of a name, or which there are.
fn named(what: &str, name: &str, known: Vec<ScopeName>) -> anyhow::Result<i64> {
    match known.iter().find(|one| one.name == name) {
        Some(found) => Ok(found.id),
        None => {
            let names: Vec<_> = known.iter().map(|one| &*one.name).collect();
            Err(Usage(format!(
                "there is no {what} {name:?}; there are {}",
                names.join(", ")
            ))
            .into())
        }
    }
}

/// The day it is at the default site.
async fn today(store: &Store) -> anyhow::Result<Date> {
    let site = store.default_site().await?;
    let zone = site.and_then(|site| TimeZone::get(&site.zone).ok());
    Ok(super::author()
        .at
        .to_zoned(zone.unwrap_or(TimeZone::UTC))
        .date())
}

async fn month_or_present(store: &Store, month: Option<Month>) -> anyhow::Result<Month> {
    match month {
        Some(month) => Ok(month),
        None => Ok(Month::of(today(store).await?)),
    }
}

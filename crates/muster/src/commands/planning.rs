//! `muster roster|holiday|leave import`: what is planned, from files.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use store::WriteTx;
use store::files::{FileError, Line};
use store::planning_files::{self, PlanningImport};

use super::{author, open_store, read_file, refuse_lines};
use crate::config::Config;
use crate::output::count;

#[derive(clap::Subcommand)]
pub enum Roster {
    /// Sets what people work on single days, whatever their plan says: all of the file, or nothing when a line has a mistake.
    ///
    /// Columns: code,day,to,plan,on_holiday. The plan is `off`, a shift by name, several as `EARLY+LATE`, or `auto EARLY+LATE` for
    /// a choice by the first punch; empty takes the day back. `to` is the last day, `on_holiday` yes or no.
    ///
    /// Example: muster roster import week-32.csv --dry-run
    Import(FileArgs),
}

#[derive(clap::Subcommand)]
pub enum Holiday {
    /// Adds days off. Columns: day,name,site; without a site the day is off everywhere.
    ///
    /// Example: muster holiday import 2027.csv
    Import(FileArgs),
}

#[derive(clap::Subcommand)]
pub enum Leave {
    /// Adds approved leave and duty elsewhere. Columns: code,kind,from,to,part,type,reason; kind is leave or on_duty, part full,
    /// first_half or second_half, type a leave type by name or code.
    ///
    /// Example: muster leave import leave.csv
    Import(FileArgs),
}

#[derive(clap::Args)]
pub struct FileArgs {
    /// The CSV file.
    file: PathBuf,
    /// Checks everything, says what would change, and stores nothing.
    #[arg(long)]
    dry_run: bool,
}

pub async fn roster(command: Roster, config: Config) -> anyhow::Result<ExitCode> {
    let Roster::Import(args) = command;
    let take = async |tx: &WriteTx, lines: &[Line]| tx.import_roster(lines, author()).await;
    import(&args, planning_files::read_roster, take, &config).await
}

pub async fn holiday(command: Holiday, config: Config) -> anyhow::Result<ExitCode> {
    let Holiday::Import(args) = command;
    let take = async |tx: &WriteTx, lines: &[Line]| tx.import_holidays(lines, author()).await;
    import(&args, planning_files::read_holidays, take, &config).await
}

pub async fn leave(command: Leave, config: Config) -> anyhow::Result<ExitCode> {
    let Leave::Import(args) = command;
    let take = async |tx: &WriteTx, lines: &[Line]| tx.import_leave(lines, author()).await;
    import(&args, planning_files::read_leave, take, &config).await
}

async fn import(
    args: &FileArgs,
    read: impl FnOnce(std::fs::File) -> Result<Vec<Line>, FileError>,
    take: impl AsyncFnOnce(&WriteTx, &[Line]) -> Result<PlanningImport, store::StoreError>,
    config: &Config,
) -> anyhow::Result<ExitCode> {
    let file: &Path = &args.file;
    let lines = read_file(file, read)?;
    let store = open_store(config).await?;
    let tx = store.begin_write().await?;
    let done = take(&tx, &lines).await?;
    if !done.errors.is_empty() {
        tx.rollback().await?;
        let mistakes: Vec<_> = done
            .errors
            .into_iter()
            .map(|error| (error.line, error.message))
            .collect();
        return Err(refuse_lines(file, &mistakes));
    }
    let entries = |number: usize| count(number as u64, "entry", "entries");
    let (added, changed) = (entries(done.added), entries(done.changed));
    if args.dry_run {
        tx.rollback().await?;
        println!(
            "nothing was stored; without --dry-run {added} would be added, {changed} changed, {} left as they are",
            done.unchanged
        );
    } else {
        tx.commit().await?;
        println!(
            "added {added}, changed {changed}, {} unchanged",
            done.unchanged
        );
    }
    if done.closed > 0 {
        let closed = count(done.closed, "closed report stays", "closed reports stay");
        println!("{closed} as before; what differs is listed with the closed months");
    }
    Ok(ExitCode::SUCCESS)
}

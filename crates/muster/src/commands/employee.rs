//! `muster employee`: the people.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use store::files;

use super::{Sites, author, open_store, read_file, refuse_lines};
use crate::config::Config;
use crate::output::{self, count};

#[derive(clap::Subcommand)]
pub enum Command {
    /// Adds and changes people by code from a CSV file: all of it, or nothing when a line has a mistake.
    ///
    /// Columns: code,first_name,last_name,username,email,department,device_id,shift,site,employed_from,employed_to. Only code is
    /// required; a column that is missing changes nothing, an empty cell clears. Departments that do not exist are made.
    ///
    /// Example: muster employee import people.csv --dry-run
    Import {
        /// The CSV file.
        file: PathBuf,
        /// Checks everything, says what would change, and stores nothing.
        #[arg(long)]
        dry_run: bool,
    },
}

pub async fn run(command: Command, config: Config) -> anyhow::Result<ExitCode> {
    match command {
        Command::Import { file, dry_run } => import(&file, dry_run, &config).await?,
    }
    Ok(ExitCode::SUCCESS)
}

async fn import(file: &Path, dry_run: bool, config: &Config) -> anyhow::Result<()> {
    let rows = read_file(file, files::read_employees)?;
    let store = open_store(config).await?;
    let bar = output::progress(None, "importing people");
    let tx = store.begin_write().await?;
    let sites = Sites::load_or_make(&store, &tx).await?;
    let done = tx.import_employees(&rows, author()).await?;
    if !done.errors.is_empty() || dry_run {
        tx.rollback().await?;
    } else {
        tx.commit().await?;
    }
    bar.finish_and_clear();

    if !done.errors.is_empty() {
        let mistakes: Vec<_> = done
            .errors
            .into_iter()
            .map(|error| (error.line, error.message))
            .collect();
        return Err(refuse_lines(file, &mistakes));
    }
    let people = |number: usize| count(number as u64, "person", "people");
    let (added, changed, unchanged) = (people(done.added), people(done.changed), done.unchanged);
    if dry_run {
        println!(
            "nothing was stored; without --dry-run {added} would be added, {changed} changed, {unchanged} left as they are"
        );
        return Ok(());
    }
    sites.tell();
    println!("added {added}, changed {changed}, {unchanged} unchanged");
    Ok(())
}

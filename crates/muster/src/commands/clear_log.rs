//! `muster device clear-log` and `muster terminal clear-log`: deletes the log of a registered terminal, once each of its
//! records is known to be in the database.

use attendance::DeviceId;
use ingest::{Done, Engine, Operation, PollFailure};
use store::entities::devices;
use terminals::Target;

use super::{device, engine, terminal};
use crate::config::Config;
use crate::output::{self, Failure, Usage, count};

#[derive(clap::Args)]
pub struct Sure {
    /// Yes, delete all records of the terminal's log: they are read and stored first, and if one of them is not found in the
    /// database, nothing is deleted.
    #[arg(long)]
    yes_clear_log: bool,
    /// Prints one JSON object.
    #[arg(long)]
    json: bool,
}

impl Sure {
    fn check(&self) -> Result<(), Usage> {
        match self.yes_clear_log {
            true => Ok(()),
            false => Err(Usage(
                "the log is not cleared without --yes-clear-log: it says that all records of the terminal may be deleted \
                 once each of them is known to be in the database"
                    .to_owned(),
            )),
        }
    }
}

/// The log of a device, by its serial number.
pub async fn of_device(serial: &str, sure: &Sure, config: &Config) -> anyhow::Result<()> {
    sure.check()?;
    let engine = engine(config).await?;
    let row = device::find(&engine.store, serial).await?;
    clear(&engine, &row, sure.json).await
}

/// The log of the terminal at a URL, which says itself who it is. It is reached where it is registered.
pub async fn at(target: &Target, sure: &Sure, config: &Config) -> anyhow::Result<()> {
    sure.check()?;
    let engine = engine(config).await?;
    let answering = terminal::connect(target).await?;
    let serial = answering.identity().serial.clone();
    answering.close().await;
    let row = device::find(&engine.store, &serial)
        .await
        .map_err(|_| unregistered(&serial, target))?;
    clear(&engine, &row, sure.json).await
}

fn unregistered(serial: &str, target: &Target) -> Failure {
    let serial = output::plain(serial);
    let kind = target.kind.as_str();
    Failure {
        what: format!(
            "the log was not cleared: {serial} is not registered, so nothing of it is stored"
        ),
        next: format!(
            "Register it with `muster device add --kind {kind} --serial {serial} --address {}`, read it with `muster device poll {serial}`, and try again.",
            target.address()
        ),
        source: None,
    }
}

async fn clear(engine: &Engine, row: &devices::Model, json: bool) -> anyhow::Result<()> {
    let target = device::target(engine, row)?;
    let serial = &row.serial_number;
    let bar = output::progress(None, "reading the log, storing it and looking it up");
    let poller = &engine.poller;
    let done = poller.operate(DeviceId(row.id), Operation::ClearLog, None);
    let done = done.await?;
    bar.finish_and_clear();
    let (records, left) = match done {
        Ok(Done::LogCleared { records, left }) => (records, left),
        Ok(other) => unreachable!("clearing a log ends with {other:?}"),
        Err(failure) => return Err(not_cleared(&failure, &target).into()),
    };
    if json {
        let said = serde_json::json!({
            "effect": "cleared", "serial_number": serial, "records_verified": records, "records_left": left,
        });
        println!("{said}");
        return Ok(());
    }
    let records = count(records.into(), "record", "records");
    println!("cleared the log of {serial}: {records} verified in the database and deleted");
    match left {
        0 => println!("its log is empty now"),
        left => println!(
            "{} since, still in its log",
            count(left.into(), "punch", "punches")
        ),
    }
    Ok(())
}

fn not_cleared(failure: &PollFailure, target: &Target) -> Failure {
    let serial = target.serial.as_deref().unwrap_or_default();
    Failure {
        what: format!("the log of {serial} is not known to be cleared"),
        next: match failure.step {
            "lease" => format!("`muster device list` shows when {serial} was last read."),
            _ => terminal::advice_for(failure.reason, target),
        },
        source: Some(failure.message.clone().into()),
    }
}

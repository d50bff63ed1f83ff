//! `muster device fingerprints`: backups of fingerprints, sealed here, and copies of them at other terminals. No template is
//! ever printed.

use attendance::{DeviceId, DeviceUserId};
use ingest::{Done, Engine, Operation, PollFailure};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::json;
use store::Store;
use store::entities::devices;
use store::fingerprints::BackupRow;

use super::terminal::{advice_for, user_id};
use super::{author, device, engine, open_store};
use crate::config::Config;
use crate::output::{self, Failure, count, plain};

#[derive(clap::Subcommand)]
pub enum Command {
    /// Reads the fingerprints of a terminal and keeps them here, encrypted, in place of older ones.
    ///
    /// Example: muster device fingerprints backup AEH2194760215 --user 1042
    Backup {
        /// The serial number.
        serial: String,
        /// Only of this user, by the number on the terminal; of all who have any if not said.
        #[arg(long, value_name = "ID")]
        user: Option<String>,
        /// Prints one JSON object.
        #[arg(long)]
        json: bool,
    },
    /// Lists the backups: whose, how many fingers, and for what they are kept.
    ///
    /// Example: muster device fingerprints list AEH2194760215
    List {
        /// The serial number; all devices if not said.
        serial: Option<String>,
        /// Prints a JSON array.
        #[arg(long)]
        json: bool,
    },
    /// Writes a backup at another terminal of the same algorithm, or back to its own, together with the user, and reads it back.
    ///
    /// Example: muster device fingerprints copy AEH2194760215 --user 1042 --to AEH2194760301
    Copy {
        /// The serial number of the terminal they were backed up from.
        serial: String,
        /// The number on the terminal; zeros in front count.
        #[arg(long, value_name = "ID")]
        user: String,
        /// The serial number of the terminal they are written to.
        #[arg(long, value_name = "SERIAL")]
        to: String,
        /// Prints one JSON object.
        #[arg(long)]
        json: bool,
    },
    /// Deletes backups here. Nothing changes at the terminal.
    ///
    /// Example: muster device fingerprints forget AEH2194760215 --user 1042
    Forget {
        /// The serial number.
        serial: String,
        /// Only of this user; all of the device if not said.
        #[arg(long, value_name = "ID")]
        user: Option<String>,
    },
}

pub async fn run(command: Command, config: &Config) -> anyhow::Result<()> {
    match command {
        Command::Backup { serial, user, json } => {
            let user = user.as_deref().map(user_id).transpose()?;
            backup(&serial, user, json, config).await
        }
        Command::List { serial, json } => list(serial.as_deref(), json, config).await,
        Command::Copy {
            serial,
            user,
            to,
            json,
        } => copy(&serial, user_id(&user)?, &to, json, config).await,
        Command::Forget { serial, user } => {
            let user = user.as_deref().map(user_id).transpose()?;
            forget(&serial, user.as_ref(), config).await
        }
    }
}

/// Nobody has said for what.
pub fn off() -> Failure {
    Failure {
        what: "nothing of fingerprints is read, kept or written: muster.toml does not say for what".to_owned(),
        next: "Write it there: [fingerprints] and below it, for example, purpose = \"moving people to new terminals\"."
            .to_owned(),
        source: None,
    }
}

async fn backup(
    serial: &str,
    user: Option<DeviceUserId>,
    json: bool,
    config: &Config,
) -> anyhow::Result<()> {
    let engine = engine(config).await?;
    let row = device::find(&engine.store, serial).await?;
    let operation = Operation::BackupFingerprints { user: user.clone() };
    let Done::FingerprintsKept { users, fingers } =
        operate(&engine, &row, operation, "reading the fingerprints").await?
    else {
        unreachable!("that is what a backup does");
    };
    let serial = &row.serial_number;
    if json {
        println!(
            "{}",
            json!({ "serial_number": serial, "users": users, "fingers": fingers })
        );
        return Ok(());
    }
    let fingers = count(fingers as u64, "finger", "fingers");
    match (user, users) {
        (Some(user), _) => println!("backed up {fingers} of user {user} on {serial}"),
        (None, 0) => println!("{serial} knows no fingerprints; nothing was backed up"),
        (None, _) => {
            let users = count(users as u64, "user", "users");
            println!("backed up {fingers} of {users} on {serial}");
        }
    }
    Ok(())
}

async fn copy(
    serial: &str,
    user: DeviceUserId,
    to: &str,
    json: bool,
    config: &Config,
) -> anyhow::Result<()> {
    let engine = engine(config).await?;
    let from = known(&engine.store, serial).await?;
    let to = device::find(&engine.store, to).await?;
    let operation = Operation::CopyFingerprints {
        user: user.clone(),
        from: DeviceId(from.id),
    };
    let Done::FingerprintsCopied { written, fingers } =
        operate(&engine, &to, operation, "writing the fingerprints").await?
    else {
        unreachable!("that is what a copy does");
    };
    let (from, to) = (&from.serial_number, &to.serial_number);
    if json {
        let told = json!({ "from": from, "to": to, "user_id": user.as_str(), "name": written.user.name, "fingers": fingers });
        println!("{told}");
        return Ok(());
    }
    let fingers = count(fingers as u64, "finger", "fingers");
    let name = plain(&written.user.name);
    println!("copied {fingers} of user {user} {name:?} from {from} to {to}, and read back");
    Ok(())
}

async fn list(serial: Option<&str>, json: bool, config: &Config) -> anyhow::Result<()> {
    let store = open_store(config).await?;
    let device = match serial {
        Some(serial) => Some(DeviceId(known(&store, serial).await?.id)),
        None => None,
    };
    let rows = store.fingerprint_backups(device).await?;
    if json {
        let rows: Vec<_> = rows.iter().map(json_of).collect();
        println!("{}", serde_json::to_string_pretty(&rows)?);
        return Ok(());
    }
    if config.fingerprints.purpose().is_none() {
        let Failure { what, next, .. } = off();
        println!("{what}. {next}");
    }
    if rows.is_empty() {
        println!("there is no backup; make one with `muster device fingerprints backup SERIAL`");
        return Ok(());
    }
    let rows: Vec<Vec<String>> = rows
        .into_iter()
        .map(|row| {
            let taken = taken(&row).to_zoned(TimeZone::system());
            vec![
                row.serial_number,
                row.user_id,
                row.name,
                row.fingers.to_string(),
                row.algorithm,
                taken.strftime("%Y-%m-%d %H:%M").to_string(),
                row.purpose,
            ]
        })
        .collect();
    let headings = [
        "SERIAL",
        "USER",
        "NAME",
        "FINGERS",
        "ALGORITHM",
        "TAKEN",
        "PURPOSE",
    ];
    output::print_table(&headings, &rows);
    Ok(())
}

fn json_of(row: &BackupRow) -> serde_json::Value {
    json!({
        "serial_number": row.serial_number,
        "user_id": row.user_id,
        "name": row.name,
        "fingers": row.fingers,
        "algorithm": row.algorithm,
        "taken": taken(row),
        "purpose": row.purpose,
    })
}

fn taken(row: &BackupRow) -> Timestamp {
    Timestamp::from_millisecond(row.taken_ms).unwrap_or_default()
}

async fn forget(serial: &str, user: Option<&DeviceUserId>, config: &Config) -> anyhow::Result<()> {
    let store = open_store(config).await?;
    let row = known(&store, serial).await?;
    let tx = store.begin_write().await?;
    let forgotten = tx
        .forget_fingerprints(DeviceId(row.id), user, author())
        .await?;
    tx.commit().await?;
    let serial = &row.serial_number;
    match (forgotten, user) {
        (0, Some(user)) => println!("there is no backup of user {user} of {serial}"),
        (0, None) => println!("there is no backup of {serial}"),
        (_, Some(user)) => println!("forgot the fingerprints of user {user} of {serial}"),
        (users, None) => {
            let users = count(users, "user", "users");
            println!("forgot the fingerprints of {users} of {serial}");
        }
    }
    Ok(())
}

async fn operate(
    engine: &Engine,
    row: &devices::Model,
    operation: Operation,
    what: &'static str,
) -> anyhow::Result<Done> {
    let bar = output::progress(None, what);
    let done = engine
        .poller
        .operate(DeviceId(row.id), operation, None)
        .await;
    bar.finish_and_clear();
    Ok(done?.map_err(|failure| explained(engine, row, failure))?)
}

fn explained(engine: &Engine, row: &devices::Model, failure: PollFailure) -> Failure {
    let serial = &row.serial_number;
    let next = match failure.reason {
        "fingerprints_off" => return off(),
        "fingerprints_none" => {
            "`muster device fingerprints list` shows what is backed up; `backup` reads a terminal.".to_owned()
        }
        "fingerprints_other_person" => {
            "Enrol the finger at that terminal under a number of its own, or correct the mapping first.".to_owned()
        }
        "fingerprints_algorithm" => "Enrol the fingers at the other terminal.".to_owned(),
        "fingerprints_sealed" => {
            "Restore muster.key from your copy, or name it with MUSTER_SECRET_KEY_FILE; or back up again.".to_owned()
        }
        "" => format!("`muster device list` shows the condition of {serial}."),
        reason => match engine.poller.target(row) {
            Ok(target) => advice_for(reason, &target),
            Err(failure) => format!("{}.", failure.message),
        },
    };
    Failure {
        what: format!("{serial}: {}", failure.message),
        next,
        source: None,
    }
}

/// A registered device, also one that was removed: its backups are there still.
async fn known(store: &Store, serial: &str) -> anyhow::Result<devices::Model> {
    match store.device_by_serial(serial).await? {
        Some(row) => Ok(row),
        None => device::find(store, serial).await,
    }
}

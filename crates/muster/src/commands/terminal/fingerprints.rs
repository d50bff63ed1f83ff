//! Fingerprints of one terminal: which fingers it knows, and deleting them. Their templates are never shown.

use attendance::DeviceUserId;
use serde_json::json;
use terminals::{Fingerprints, Target};

use super::writing::user_id;
use super::{Place, connect, end};
use crate::commands::fingerprints::off;
use crate::config::Config;
use crate::output::{self, plain};

#[derive(clap::Subcommand)]
pub enum Command {
    /// Shows which fingers of a user the terminal knows, if muster.toml says for what they are read ([fingerprints] purpose).
    ///
    /// Example: muster terminal fingerprints zk://10.0.0.9 --id 1042
    Fingerprints {
        #[command(flatten)]
        place: Place,
        /// The number on the terminal; zeros in front count.
        #[arg(long)]
        id: String,
        /// Prints one JSON object.
        #[arg(long)]
        json: bool,
    },
    /// Deletes one finger of a user from the terminal, or all. Backups stay; see muster device fingerprints forget.
    ///
    /// Example: muster terminal delete-fingerprints zk://10.0.0.9 --id 1042 --finger 6 --yes
    DeleteFingerprints {
        #[command(flatten)]
        place: Place,
        /// The number on the terminal; zeros in front count.
        #[arg(long)]
        id: String,
        /// Which one, 0 to 9; all if not said.
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(0..=9))]
        finger: Option<u8>,
        /// Yes, delete.
        #[arg(long, required = true)]
        yes: bool,
        /// Prints one JSON object.
        #[arg(long)]
        json: bool,
    },
}

pub async fn run(command: Command, config: &Config) -> anyhow::Result<()> {
    match command {
        Command::Fingerprints { place, id, json } => {
            let (target, id) = (place.target()?, user_id(&id)?);
            if config.fingerprints.purpose().is_none() {
                return Err(off().into());
            }
            show(&target, &id, json).await
        }
        Command::DeleteFingerprints {
            place,
            id,
            finger,
            yes: _,
            json,
        } => delete(&place.target()?, &user_id(&id)?, finger, json).await,
    }
}

async fn show(target: &Target, id: &DeviceUserId, json: bool) -> anyhow::Result<()> {
    let bar = output::progress(None, "reading the fingerprints");
    let mut terminal = connect(target).await?;
    let read = terminal.fingerprints(id).await;
    let ended = end(terminal, target, read).await;
    bar.finish_and_clear();
    let (Fingerprints { algorithm, fingers }, serial) = ended?;
    if json {
        let fingers: Vec<_> = fingers
            .iter()
            .map(|print| json!({ "finger": print.finger, "kind": print.kind.as_str() }))
            .collect();
        let shown = json!({ "serial_number": serial, "user_id": id.as_str(), "algorithm": algorithm, "fingers": fingers });
        println!("{shown}");
        return Ok(());
    }
    let many = output::count(fingers.len() as u64, "finger", "fingers");
    let algorithm = algorithm.as_deref().map_or("not told".to_owned(), plain);
    println!("{serial} knows {many} of user {id}, algorithm {algorithm}");
    for print in &fingers {
        println!("  finger {}  {}", print.finger, print.kind.as_str());
    }
    Ok(())
}

async fn delete(
    target: &Target,
    id: &DeviceUserId,
    finger: Option<u8>,
    json: bool,
) -> anyhow::Result<()> {
    let bar = output::progress(None, "deleting the fingerprints");
    let mut terminal = connect(target).await?;
    let deleted = terminal.delete_fingerprints(id, finger).await;
    let ended = end(terminal, target, deleted).await;
    bar.finish_and_clear();
    let (deleted, serial) = ended?;
    if json {
        let told = json!({
            "effect": "deleted", "serial_number": serial, "user_id": id.as_str(), "fingers": deleted
        });
        println!("{told}");
        return Ok(());
    }
    let numbers: Vec<_> = deleted.iter().map(ToString::to_string).collect();
    match deleted.len() {
        0 => println!("{serial} knows no finger of user {id}; nothing was deleted"),
        1 => println!(
            "deleted finger {} of user {id} on {serial}; it no longer lists it",
            numbers[0]
        ),
        _ => println!(
            "deleted fingers {} of user {id} on {serial}; it no longer lists them",
            numbers.join(", ")
        ),
    }
    Ok(())
}

//! `muster device waiting`, `approve` and `refuse`: terminals that call a server and are not registered.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use store::devices::NewDevice;
use store::entities::held_terminals;
use store::{Store, StoreError};

use super::{Sites, author, open_store};
use crate::config::Config;
use crate::output::{self, Failure, Usage};

#[derive(clap::Args)]
pub struct ApproveArgs {
    /// The serial number, as `muster device waiting` shows it.
    serial: String,
    /// What people call it; the serial number if not said.
    #[arg(long)]
    name: Option<String>,
    /// The site it is at; the default site if not said.
    #[arg(long)]
    site: Option<String>,
}

pub async fn list(json: bool, config: &Config) -> anyhow::Result<()> {
    let store = open_store(config).await?;
    let held = store.held_terminals().await?;
    if json {
        let held: Vec<_> = held.iter().map(json_of).collect();
        println!("{}", serde_json::to_string_pretty(&held)?);
        return Ok(());
    }
    if held.is_empty() {
        println!(
            "no terminal waits; one that calls appears here: enter this server's address and port in its menu (Comm. > Cloud server)"
        );
        return Ok(());
    }
    let zone = TimeZone::system();
    let rows: Vec<Vec<String>> = held
        .iter()
        .map(|held| {
            vec![
                held.serial_number.clone(),
                held.kind.clone(),
                held.model.clone(),
                held.address.clone(),
                held.agent.clone(),
                local(held.first_ms, &zone),
                local(held.last_ms, &zone),
                if held.refused { "refused" } else { "waits" }.to_owned(),
            ]
        })
        .collect();
    output::print_table(
        &[
            "SERIAL",
            "KIND",
            "MODEL",
            "CALLED FROM",
            "PROGRAM",
            "FIRST SEEN",
            "LAST CALL",
            "STATE",
        ],
        &rows,
    );
    Ok(())
}

fn json_of(held: &held_terminals::Model) -> serde_json::Value {
    let at = |ms: i64| Timestamp::from_millisecond(ms).ok();
    serde_json::json!({
        "serial_number": held.serial_number,
        "kind": held.kind,
        "model": held.model,
        "address": held.address,
        "agent": held.agent,
        "first_seen": at(held.first_ms),
        "last_call": at(held.last_ms),
        "calls": held.calls,
        "refused": held.refused,
    })
}

/// It belongs to no site yet, so it is the time of this machine.
fn local(ms: i64, zone: &TimeZone) -> String {
    match Timestamp::from_millisecond(ms) {
        Ok(at) => zone
            .to_datetime(at)
            .strftime("%Y-%m-%d %H:%M:%S")
            .to_string(),
        Err(_) => String::new(),
    }
}

pub async fn approve(args: ApproveArgs, config: &Config) -> anyhow::Result<()> {
    let store = open_store(config).await?;
    let held = find(&store, &args.serial).await?;
    let tx = store.begin_write().await?;
    let sites = Sites::load_or_make(&store, &tx).await?;
    let site = sites.find(args.site.as_deref()).map_err(Usage)?.id;
    let mut device = NewDevice::calling(&held.kind, &held.serial_number, site);
    device.fields.poll_interval_secs = config.poll.interval_secs;
    if let Some(name) = args.name {
        device.fields.name = name;
    }
    tx.add_device(&device, author()).await?;
    tx.commit().await?;
    sites.tell();
    println!(
        "approved {} {:?}; it uploads what it has kept from its next call on",
        device.fields.serial_number, device.fields.name
    );
    Ok(())
}

pub async fn refuse(serial: &str, config: &Config) -> anyhow::Result<()> {
    let store = open_store(config).await?;
    let held = find(&store, serial).await?;
    let tx = store.begin_write().await?;
    match tx.refuse_held(&held.serial_number, true, author()).await {
        Err(StoreError::NotFound { .. }) => return Err(none_waits(serial).into()),
        refused => refused?,
    }
    tx.commit().await?;
    println!(
        "refused {}; if that was a mistake: muster device approve {}",
        held.serial_number, held.serial_number
    );
    Ok(())
}

async fn find(store: &Store, serial: &str) -> anyhow::Result<held_terminals::Model> {
    let held = store.held_terminal(serial.trim()).await?;
    Ok(held.ok_or_else(|| none_waits(serial))?)
}

fn none_waits(serial: &str) -> Failure {
    Failure {
        what: format!("no terminal with serial number {:?} waits", serial.trim()),
        next: "See `muster device waiting` for those that do, and `muster device list` for those that are registered."
            .to_owned(),
        source: None,
    }
}

//! `muster device doctor`: everything a device is needed for, one line each, and what to do about what fails.

use std::process::ExitCode;

use attendance::DeviceId;
use ingest::{Check, Diagnosis, Found, Seen};
use jiff::tz::TimeZone;
use store::entities::devices;
use terminals::doctor::{Examined, Finding};
use terminals::{DeviceKind, Target};

use super::terminal::{self, CLOCK_TOLERANCE_S, drift, drift_text, wall_text};
use super::{device, engine};
use crate::config::Config;
use crate::output::{Failure, count, plain};

pub async fn run(
    serial: &str,
    anyway: bool,
    json: bool,
    config: &Config,
) -> anyhow::Result<ExitCode> {
    let engine = engine(config).await?;
    if anyway {
        device::try_again(&engine.store, serial, true).await?;
    }
    let row = device::find(&engine.store, serial).await?;
    let target = device::target(&engine, &row)?;
    let zone = device::zone(&engine.store, DeviceId(row.id)).await?;
    if !json {
        println!(
            "{} terminal {:?} at {}",
            target.kind.brand(),
            row.name,
            target.address()
        );
    }
    let mut on_check = |examined: &Examined| {
        if !json {
            println!("{}", line(examined, target.kind, &zone).trim_end());
        }
    };
    let examined = engine.poller.examine(DeviceId(row.id), &mut on_check);
    let diagnosis = examined.await?.map_err(|failure| Failure {
        what: format!("{serial} cannot be examined: {}", failure.message),
        next: format!("`muster device list` shows when {serial} was last read."),
        source: None,
    })?;
    match json {
        true => println!("{:#}", as_json(&row, &diagnosis, &target)),
        false => print_advice(&diagnosis, &target),
    }
    Ok(match failures(&diagnosis).next() {
        None => ExitCode::SUCCESS,
        Some(_) => ExitCode::FAILURE,
    })
}

fn line(examined: &Examined, kind: DeviceKind, zone: &TimeZone) -> String {
    let took = format!("{:>6} ms", examined.took.as_millis());
    let (result, took, shows) = match &examined.finding {
        Finding::Good(seen) => ("ok", took, seen_text(seen, Some(zone))),
        Finding::Failed(error) => ("failed", took, terminal::story(error)),
        Finding::NotOffered => ("not offered", took, String::new()),
        Finding::NotTried => ("not tried", String::new(), String::new()),
    };
    let check = name(examined.check, kind);
    format!("  {check:<10}{result:<12}{took:>9}  {}", plain(&shows))
}

fn name(check: Check, kind: DeviceKind) -> &'static str {
    match check {
        Check::Key if kind == DeviceKind::Hik => "login",
        Check::Resolve => "address",
        Check::Tcp => "TCP",
        Check::Udp => "UDP",
        Check::Tls => "TLS",
        Check::Permissions => "abilities",
        other => other.as_str(),
    }
}

fn seen_text(seen: &Seen, zone: Option<&TimeZone>) -> String {
    match seen {
        Seen::Nothing => String::new(),
        Seen::Addresses(addresses) => {
            let addresses = addresses.iter().map(ToString::to_string);
            addresses.collect::<Vec<_>>().join(", ")
        }
        Seen::Certificate(shown) => shown.to_string(),
        Seen::Abilities(abilities) => {
            let names: Vec<_> = abilities.iter().map(|one| one.as_str()).collect();
            names.join(", ")
        }
        Seen::Key { wanted: true } => "accepted".to_owned(),
        Seen::Key { wanted: false } => {
            "none set: everybody on its network can read, change and clear it".to_owned()
        }
        Seen::Identity(identity) => {
            let parts = [&identity.serial, &identity.model, &identity.firmware];
            let parts = parts.into_iter().filter(|part| !part.is_empty());
            parts.cloned().collect::<Vec<_>>().join(", ")
        }
        Seen::Clock { shows, .. } => match zone.map(|zone| drift(*shows, zone)) {
            None => wall_text(*shows),
            Some(off) => {
                let remark = match off.abs() > CLOCK_TOLERANCE_S {
                    true => format!(
                        ": more than {CLOCK_TOLERANCE_S} s, so set it, or correct the zone of the device"
                    ),
                    false => String::new(),
                };
                format!("{}, {}{remark}", wall_text(*shows), drift_text(off))
            }
        },
        Seen::Counters {
            users,
            records,
            capacity,
        } => {
            let users = users.map(|users| format!("users {users}"));
            let records = records.map(|records| match capacity {
                Some(capacity) => {
                    let full = terminal::fullness(records, *capacity);
                    format!("records {records} of {capacity}{full}")
                }
                None => format!("records {records}"),
            });
            let told = users.into_iter().chain(records);
            told.collect::<Vec<_>>().join(", ")
        }
        Seen::Users(users) => count(*users as u64, "user", "users"),
        Seen::Log {
            punches,
            rejected,
            whole,
        } => {
            let mut text = count(*punches, "punch", "punches");
            if *rejected > 0 {
                text = format!("{text}, {rejected} not understood");
            }
            match whole {
                true => text,
                false => format!("{text} in 10 s, there are more"),
            }
        }
    }
}

fn failures(diagnosis: &Diagnosis) -> impl Iterator<Item = (Check, &ingest::PollFailure)> {
    diagnosis.checks.iter().filter_map(|one| match &one.found {
        Found::Failed(failure) => Some((one.check, failure)),
        _ => None,
    })
}

/// Each advice once: TCP and UDP mostly fail for the same reason.
fn print_advice(diagnosis: &Diagnosis, target: &Target) {
    let mut said = Vec::new();
    for (_, failure) in failures(diagnosis) {
        let advice = terminal::advice_for(failure.reason, target);
        if !said.contains(&advice) {
            println!("{}", plain(&advice));
            said.push(advice);
        }
    }
    if said.is_empty() {
        println!("Nothing is wrong with it.");
    }
}

fn as_json(row: &devices::Model, diagnosis: &Diagnosis, target: &Target) -> serde_json::Value {
    let checks = diagnosis.checks.iter().map(|one| {
        let (result, detail, advice) = match &one.found {
            Found::Good(seen) => ("ok", seen_text(seen, None), None),
            Found::Failed(failure) => (
                "failed",
                failure.message.clone(),
                Some(terminal::advice_for(failure.reason, target)),
            ),
            Found::NotOffered => ("not_offered", String::new(), None),
            Found::NotTried => ("not_tried", String::new(), None),
        };
        serde_json::json!({
            "check": one.check.as_str(),
            "result": result,
            "took_ms": one.took.as_millis() as u64,
            "detail": detail,
            "advice": advice,
        })
    });
    serde_json::json!({
        "serial_number": row.serial_number,
        "clock_drift_s": diagnosis.clock_drift_s,
        "checks": checks.collect::<Vec<_>>(),
    })
}

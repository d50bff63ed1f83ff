//! `muster poll`: one cycle over the devices, now.
//!
//! With a server running, the server reads and this command waits for it, so that no terminal is read twice at once. Without one,
//! this process reads and judges itself.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::Context;
use attendance::{DeviceId, Way};
use ingest::{Engine, PollFailure, PollerOptions};
use serde::Serialize;
use store::entities::devices;
use store::entities::poll_cycles;

use super::{device, engine, terminal};
use crate::config::Config;
use crate::lock::ServerLock;
use crate::output::{self, count};

/// Beyond the deadline of a reading, for a server to notice that it is asked, and to store what it read.
const SERVER_MARGIN: Duration = Duration::from_secs(15);

#[derive(clap::Args)]
pub struct Args {
    /// The serial number of a device; may be repeated. Without it, all that are polled.
    #[arg(long = "device", value_name = "SERIAL")]
    devices: Vec<String>,
    /// Prints the counts as one JSON object, and the line of each device on standard error.
    #[arg(long)]
    json: bool,
}

impl Args {
    pub fn one(serial: String, json: bool) -> Self {
        Self {
            devices: vec![serial],
            json,
        }
    }
}

/// What the cycle brought; scripts read it.
#[derive(Debug, Default, Serialize)]
struct Totals {
    devices: usize,
    ok: usize,
    failed: usize,
    #[serde(flatten)]
    counts: Counts,
    seconds: f64,
}

/// How one device was read.
#[derive(Default)]
struct Outcome {
    took: Option<Duration>,
    /// What came, which is stored also when something is wrong with it.
    counts: Counts,
    failed: Option<Failed>,
}

#[derive(Clone, Copy, Debug, Default, Serialize)]
struct Counts {
    read: u64,
    new: u64,
    duplicate: u64,
    rejected: u64,
}

impl Counts {
    fn add(&mut self, more: Self) {
        self.read += more.read;
        self.new += more.new;
        self.duplicate += more.duplicate;
        self.rejected += more.rejected;
    }

    fn text(self) -> String {
        let Self {
            read,
            new,
            duplicate,
            rejected,
        } = self;
        format!("{read} read, {new} new, {duplicate} duplicate, {rejected} rejected")
    }
}

impl Outcome {
    fn failed(failed: Failed) -> Self {
        Self {
            failed: Some(failed),
            ..Self::default()
        }
    }
}

struct Failed {
    step: String,
    message: String,
}

impl Failed {
    fn new(step: &str, message: impl Into<String>) -> Self {
        Self {
            step: step.to_owned(),
            message: message.into(),
        }
    }
}

pub async fn run(args: Args, config: Config) -> anyhow::Result<ExitCode> {
    let began = Instant::now();
    let engine = engine(&config).await?;
    let chosen = match args.devices.as_slice() {
        [] => polled(engine.store.devices().await?),
        serials => {
            let mut named = Vec::new();
            for serial in serials {
                let found = device::find(&engine.store, serial).await?;
                if !named.contains(&found) {
                    named.push(found);
                }
            }
            named
        }
    };
    let readable: Vec<DeviceId> = chosen
        .iter()
        .filter(|device| hindrance(device).is_none())
        .map(|device| DeviceId(device.id))
        .collect();

    let served = match config.sqlite_file() {
        Some(file) => ServerLock::is_held(file)?,
        None => true,
    };
    let bar = output::progress(None, "reading the devices");
    let mut outcomes = match (readable.is_empty(), served) {
        (true, _) => Vec::new(),
        (false, true) => read_by_server(&engine, &readable, &config.poller()).await?,
        (false, false) => read_here(&engine, &readable).await?,
    };
    bar.finish_and_clear();
    if !served {
        let bar = output::progress(None, "judging");
        engine
            .catch_up()
            .await
            .context("what became due was not marked")?;
        engine
            .judge
            .drain()
            .await
            .context("the punches are stored, but their days are not judged yet")?;
        bar.finish_and_clear();
    }

    let mut totals = Totals {
        devices: chosen.len(),
        ..Totals::default()
    };
    let mut rows = Vec::new();
    for device in &chosen {
        let outcome = match hindrance(device) {
            Some(failed) => Outcome::failed(failed),
            None => outcomes
                .iter()
                .position(|(id, _)| id.0 == device.id)
                .map(|place| outcomes.swap_remove(place).1)
                .unwrap_or_else(|| missing(served)),
        };
        totals.add(&outcome);
        rows.push(row(device, &outcome));
    }
    totals.seconds = (began.elapsed().as_secs_f64() * 1000.0).round() / 1000.0;
    print(&totals, &rows, args.json)?;
    Ok(if totals.failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Those that a cycle is about. A device without an address is waiting, not failing.
fn polled(devices: Vec<devices::Model>) -> Vec<devices::Model> {
    let polled = |device: &devices::Model| {
        let mut ways = device.mode.split(',');
        device.enabled && has_address(device) && ways.any(|way| way == Way::Poll.as_str())
    };
    devices.into_iter().filter(polled).collect()
}

fn has_address(device: &devices::Model) -> bool {
    device
        .address
        .as_deref()
        .is_some_and(|host| !host.trim().is_empty())
}

/// Why it is not even tried.
fn hindrance(device: &devices::Model) -> Option<Failed> {
    let serial = &device.serial_number;
    if !device.enabled {
        let message =
            format!("it is disabled; `muster device edit {serial} --enable` reads it again");
        return Some(Failed::new("disabled", message));
    }
    if !has_address(device) {
        let message = format!(
            "it waits for an address; `muster device edit {serial} --address HOST` gives one"
        );
        return Some(Failed::new("address", message));
    }
    if device.needs_edit {
        let message = format!(
            "{}; not tried again before `muster device edit {serial}` sets new credentials, so that the terminal does not lock",
            device
                .last_error
                .as_deref()
                .unwrap_or("the credentials were refused")
        );
        return Some(Failed::new(
            device.last_error_step.as_deref().unwrap_or("sign_in"),
            message,
        ));
    }
    None
}

async fn read_here(
    engine: &Engine,
    devices: &[DeviceId],
) -> anyhow::Result<Vec<(DeviceId, Outcome)>> {
    let mut outcomes: Vec<(DeviceId, Outcome)> = Vec::new();
    let mut devices = devices.to_vec();
    // A long log comes in parts.
    while !devices.is_empty() {
        let polled = engine.poller.poll_once(Some(&devices)).await?;
        devices.clear();
        for polled in polled {
            if polled.result.as_ref().is_ok_and(|accepted| accepted.more) {
                devices.push(polled.device);
            }
            let earlier = outcomes.iter().position(|(id, _)| *id == polled.device);
            let earlier = earlier.map(|place| outcomes.swap_remove(place).1);
            outcomes.push((polled.device, of_read(polled, earlier)));
        }
    }
    Ok(outcomes)
}

/// What came of a read, together with the parts of the log that were read before it.
fn of_read(polled: ingest::Polled, earlier: Option<Outcome>) -> Outcome {
    let earlier = earlier.unwrap_or_default();
    let mut outcome = Outcome {
        took: Some(earlier.took.unwrap_or_default() + polled.took),
        counts: earlier.counts,
        failed: None,
    };
    match polled.result {
        Ok(accepted) => {
            let fault = accepted.fault();
            outcome.failed = fault.map(|(step, text)| Failed::new(step.as_str(), text));
            outcome.counts.add(Counts {
                read: accepted.read,
                new: accepted.new,
                duplicate: accepted.duplicate,
                rejected: accepted.rejected,
            });
        }
        Err(PollFailure { step, message, .. }) => outcome.failed = Some(Failed::new(step, message)),
    }
    outcome
}

async fn read_by_server(
    engine: &Engine,
    devices: &[DeviceId],
    options: &PollerOptions,
) -> anyhow::Result<Vec<(DeviceId, Outcome)>> {
    let rounds = devices.len().div_ceil(options.concurrency.max(1));
    let patience = options.deadline * u32::try_from(rounds).unwrap_or(u32::MAX) + SERVER_MARGIN;
    let asked = engine.clock.now();
    let mut cycles = engine
        .poller
        .poll_elsewhere(Some(devices), patience)
        .await?;
    // A reading that was under way when we asked may have passed the newest punches already. What it brought counts too.
    let early: Vec<DeviceId> = cycles
        .iter()
        .filter(|(_, cycle)| cycle.folded == 0 && cycle.began_ms < asked.as_millisecond())
        .map(|(device, _)| *device)
        .collect();
    if !early.is_empty() {
        let again = engine.poller.poll_elsewhere(Some(&early), patience).await?;
        for (device, mut later) in again {
            if let Some(earlier) = cycles.remove(&device) {
                later.began_ms = earlier.began_ms;
                later.read += earlier.read;
                later.new += earlier.new;
                later.duplicate += earlier.duplicate;
                later.rejected += earlier.rejected;
            }
            cycles.insert(device, later);
        }
    }
    Ok(cycles
        .into_iter()
        .map(|(device, cycle)| (device, of_cycle(&cycle)))
        .collect())
}

fn of_cycle(cycle: &poll_cycles::Model) -> Outcome {
    let number = |number: i64| u64::try_from(number).unwrap_or(0);
    // Equal failures are one row, which began with the first of them.
    let took = u64::try_from(cycle.ended_ms - cycle.began_ms).ok();
    let took = took
        .filter(|_| cycle.folded == 0)
        .map(Duration::from_millis);
    let step = cycle.step.as_deref().unwrap_or("read");
    Outcome {
        took,
        counts: Counts {
            read: number(cycle.read),
            new: number(cycle.new),
            duplicate: number(cycle.duplicate),
            rejected: number(cycle.rejected),
        },
        failed: cycle
            .error
            .as_ref()
            .map(|message| Failed::new(step, message)),
    }
}

/// A device that was asked for and of which nothing came back.
fn missing(served: bool) -> Outcome {
    Outcome::failed(if served {
        Failed::new(
            "server",
            "no server has read it in time; is `muster serve` running on this database?",
        )
    } else {
        Failed::new("lease", "another process took it over while it was read")
    })
}

impl Totals {
    fn add(&mut self, outcome: &Outcome) {
        match outcome.failed {
            None => self.ok += 1,
            Some(_) => self.failed += 1,
        }
        self.counts.add(outcome.counts);
    }
}

fn row(device: &devices::Model, outcome: &Outcome) -> Vec<String> {
    let counts = outcome.counts.text();
    let (word, what) = match &outcome.failed {
        None => ("ok", counts),
        Some(failed) => {
            let step = terminal::stored_step_name(&failed.step);
            let step = step.map_or(String::new(), |step| format!("{step}: "));
            let came = match outcome.counts.read {
                0 => String::new(),
                _ => format!(" ({counts})"),
            };
            ("failed", format!("{step}{}{came}", failed.message))
        }
    };
    let took = outcome
        .took
        .map_or(String::new(), |took| format!("{:.1} s", took.as_secs_f64()));
    vec![
        device.serial_number.clone(),
        device.name.clone(),
        word.to_owned(),
        took,
        what,
    ]
}

fn print(totals: &Totals, rows: &[Vec<String>], json: bool) -> anyhow::Result<()> {
    let table = output::table(&["DEVICE", "NAME", "RESULT", "TOOK", ""], rows);
    if json {
        eprint!("{table}");
        println!("{}", serde_json::to_string(totals)?);
        return Ok(());
    }
    if rows.is_empty() {
        println!("there is no device to read; `muster device list` shows all");
        return Ok(());
    }
    print!("{table}");
    println!(
        "{}, {} ok, {} failed: {} in {:.1} s",
        count(totals.devices as u64, "device", "devices"),
        totals.ok,
        totals.failed,
        totals.counts.text(),
        totals.seconds
    );
    if totals.failed > 0 {
        println!("`muster device test SERIAL` shows at which step a device fails and what to do");
    }
    Ok(())
}

//! `muster device discover`: who is at which address of the configured subnets, and which device is not where it is registered.

use std::net::SocketAddr;

use ingest::{Located, Locator, Outcome, Search, is_registered_at};
use serde_json::json;
use store::entities::devices;
use terminals::discover::Answer;
use terminals::{DeviceKind, Subnet, same_serial};

use super::engine;
use crate::config::Config;
use crate::output::{self, Failure, Usage, count, plain};

#[derive(clap::Args)]
pub struct Args {
    /// A subnet of muster.toml or a part of one, e.g. 10.0.0.0/24 or 10.0.0.9; all of muster.toml if not said.
    #[arg(value_name = "SUBNET")]
    subnets: Vec<Subnet>,
    /// The port that is asked, instead of 4370 and those of the devices that are missing.
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..))]
    port: Option<u16>,
    /// Writes the new addresses of devices that have moved.
    #[arg(long)]
    update: bool,
    /// Prints one JSON object.
    #[arg(long)]
    json: bool,
}

/// Somebody who answers.
struct Host {
    place: SocketAddr,
    answer: Answer,
    /// The device that is registered with the serial number it tells.
    device: Option<devices::Model>,
    state: State,
}

/// How what answers and what is registered fit together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    NotRegistered,
    /// Registered at this address.
    Here,
    /// Registered at another one, or without any.
    Elsewhere,
    /// Another one answers with the same serial number.
    Twice,
    Moved,
    /// No terminal that tells who it is.
    Unknown,
}

impl State {
    fn as_str(self) -> &'static str {
        match self {
            Self::NotRegistered => "not_registered",
            Self::Here => "here",
            Self::Elsewhere => "elsewhere",
            Self::Twice => "twice",
            Self::Moved => "moved",
            Self::Unknown => "unknown",
        }
    }
}

pub async fn run(args: Args, config: &Config) -> anyhow::Result<()> {
    let asks_links = !config.discover.sadp.is_empty();
    let subnets = chosen(args.subnets, &config.discover.subnets, asks_links)?;
    let engine = engine(config).await?;
    let search = engine.locator.plan(&subnets, args.port).await?;
    if let Some(device) = &search.unresolved {
        return Err(unresolved(device));
    }
    let found = ask(&engine.locator, &search).await;
    let located = match args.update {
        true => engine.locator.relocate(&search, &found).await?,
        false => Vec::new(),
    };
    let hosts = compare(found, &engine.store.devices().await?, &located);
    if args.json {
        println!(
            "{}",
            serde_json::to_string_pretty(&report(&search, &hosts))?
        );
        return Ok(());
    }
    print(&subnets, &search, &hosts);
    Ok(())
}

/// Those that are named, as far as they are configured; all that are configured if none is.
fn chosen(
    named: Vec<Subnet>,
    configured: &[Subnet],
    asks_links: bool,
) -> anyhow::Result<Vec<Subnet>> {
    if let Some(outside) =
        (named.iter()).find(|part| !configured.iter().any(|whole| whole.covers(part)))
    {
        let lines = toml_lines(configured.iter().chain([outside]));
        let mistake = format!(
            "{outside} is not among the subnets that may be searched; to allow it, write in muster.toml:\n{lines}"
        );
        return Err(Usage(mistake).into());
    }
    if !named.is_empty() {
        return Ok(named);
    }
    if configured.is_empty() && !asks_links {
        return Err(Failure {
            what: "no subnet is configured, so nothing is searched".to_owned(),
            next: "Write the subnets of your terminals in muster.toml: [discover] and below it, for example, subnets = [\"10.0.0.0/24\"]. \
                   Hikvision terminals tell where they are on the networks of sadp = [\"0.0.0.0\"]."
                .to_owned(),
            source: None,
        }
        .into());
    }
    Ok(configured.to_vec())
}

fn toml_lines<'a>(subnets: impl Iterator<Item = &'a Subnet>) -> String {
    let subnets: Vec<_> = subnets.map(|subnet| format!("\"{subnet}\"")).collect();
    format!("[discover]\nsubnets = [{}]", subnets.join(", "))
}

fn unresolved(device: &devices::Model) -> anyhow::Error {
    let (name, host) = (&device.name, device.address.as_deref().unwrap_or_default());
    Failure {
        what: format!("nothing was searched: the host name {host} of device {name:?} cannot be resolved now"),
        next: format!(
            "That device is in contact and must not be disturbed. Mend the name server, or give it its IP address: muster device \
             edit {} --address IP",
            device.serial_number
        ),
        source: None,
    }
    .into()
}

/// Everybody who answers, by address.
async fn ask(locator: &Locator, search: &Search) -> Vec<(SocketAddr, Answer)> {
    let bar = output::progress(Some(search.asked() as u64), "asking addresses");
    let mut found = Vec::new();
    locator
        .scan(search, &mut |place, answer| {
            bar.inc(1);
            if answer != Answer::Nothing {
                found.push((place, answer));
            }
        })
        .await;
    bar.finish_and_clear();
    found.sort_by_key(|(place, _)| *place);
    found
}

fn compare(
    found: Vec<(SocketAddr, Answer)>,
    devices: &[devices::Model],
    located: &[Located],
) -> Vec<Host> {
    let serial_of = |answer: &Answer| match answer {
        Answer::Terminal { serial, .. } | Answer::Claims { serial, .. } => Some(serial.clone()),
        _ => None,
    };
    let told: Vec<String> = found
        .iter()
        .filter_map(|(_, answer)| serial_of(answer))
        .collect();
    let moved = |place| {
        let at = located.iter().find(|located| located.at == place);
        at.is_some_and(|located| located.outcome == Outcome::Moved)
    };
    found
        .into_iter()
        .map(|(place, answer)| {
            let serial = serial_of(&answer);
            let device = serial.as_ref().and_then(|serial| {
                let known = devices.iter().find(|device| is_serial_of(device, serial));
                known.cloned()
            });
            let twice = |serial: &String| {
                told.iter()
                    .filter(|other| same_serial(other, serial))
                    .count()
                    > 1
            };
            let state = match (&serial, &device) {
                (None, _) => State::Unknown,
                (Some(_), None) => State::NotRegistered,
                (Some(serial), Some(_)) if twice(serial) => State::Twice,
                (_, Some(_)) if moved(place) => State::Moved,
                (_, Some(device)) if is_registered_at(device, place) => State::Here,
                _ => State::Elsewhere,
            };
            Host {
                place,
                answer,
                device,
                state,
            }
        })
        .collect()
}

fn report(search: &Search, hosts: &[Host]) -> serde_json::Value {
    let hosts = hosts.iter().map(|host| {
        let (answer, serial, model, detail) = match &host.answer {
            Answer::Nothing => ("nothing", None, None, None),
            Answer::Terminal { serial, model } => ("terminal", Some(serial), Some(model), None),
            Answer::Claims { serial, model, .. } => ("claims", Some(serial), Some(model), None),
            Answer::WantsKey => ("wants_key", None, None, None),
            Answer::AccessPanel => ("access_panel", None, None, None),
            Answer::Other(detail) => ("other", None, None, Some(detail)),
        };
        json!({
            "address": host.place.ip(),
            "port": host.place.port(),
            "answer": answer,
            "serial_number": serial,
            "model": model,
            "detail": detail,
            "registration": host.state.as_str(),
            "registered_name": host.device.as_ref().map(|device| &device.name),
            "registered_address": host.device.as_ref().and_then(|device| device.address.as_ref()),
        })
    });
    json!({
        "asked": search.asked(),
        "spared": search.spared,
        "found": hosts.collect::<Vec<_>>(),
    })
}

fn print(subnets: &[Subnet], search: &Search, hosts: &[Host]) {
    let rows: Vec<Vec<String>> = hosts.iter().map(row).collect();
    output::print_table(&["ADDRESS", "SERIAL", "MODEL", "REGISTERED AS"], &rows);
    let subnets: Vec<_> = subnets.iter().map(ToString::to_string).collect();
    let asked = count(search.asked() as u64, "address", "addresses");
    match subnets.is_empty() {
        true => println!(
            "terminals of the configured networks asked, {} answered",
            hosts.len()
        ),
        false => println!(
            "{asked} asked in {}, {} answered",
            subnets.join(", "),
            hosts.len()
        ),
    }
    if search.spared > 0 {
        let spared = count(search.spared as u64, "address", "addresses");
        println!("{spared} of registered devices not asked, so that they are not disturbed");
    }
    for line in next_steps(hosts) {
        println!("{}", plain(&line));
    }
}

fn row(host: &Host) -> Vec<String> {
    let (serial, model) = match &host.answer {
        Answer::Terminal { serial, model } | Answer::Claims { serial, model, .. } => {
            (serial.clone(), model.clone())
        }
        _ => Default::default(),
    };
    let name = host.device.as_ref().map(|device| device.name.as_str());
    let name = name.unwrap_or_default();
    let registered = match (&host.answer, host.state) {
        (Answer::WantsKey, _) => "wants a comm key".to_owned(),
        (Answer::AccessPanel, _) => "access panel, not an attendance terminal".to_owned(),
        (Answer::Other(detail), _) => format!("something else: {detail}"),
        (_, State::NotRegistered | State::Unknown) => "not registered".to_owned(),
        (_, State::Here) => name.to_owned(),
        (_, State::Elsewhere) => format!("{name}, registered {}", registered_at(host)),
        (_, State::Twice) => format!("{name}, but more than one answers with this serial number"),
        (_, State::Moved) => format!("{name}, moved here"),
    };
    vec![place_text(host.place), serial, model, registered]
}

fn registered_at(host: &Host) -> String {
    let device = host.device.as_ref();
    match device.and_then(|device| device.address.as_deref()) {
        None => "without address".to_owned(),
        Some(address) => format!("at {address}"),
    }
}

/// What a person does with what was found.
fn next_steps(hosts: &[Host]) -> Vec<String> {
    let mut steps = Vec::new();
    if hosts.iter().any(|host| host.state == State::Elsewhere) {
        steps.push(
            "write the new addresses: muster device discover --update (a running `muster serve` does it by itself)".to_owned(),
        );
    }
    for kind in DeviceKind::ALL {
        let new =
            |host: &&Host| host.state == State::NotRegistered && kind_of(&host.answer) == *kind;
        if let Some(host) = hosts.iter().find(new) {
            steps.push(format!(
                "register a terminal: {}muster device add --kind {} --serial {} --address {}{}",
                before_adding(*kind),
                kind.as_str(),
                serial_argument(&host.answer),
                place_text(host.place),
                signing_in(*kind)
            ));
        }
    }
    if hosts.iter().any(|host| {
        matches!(
            host.answer,
            Answer::Claims {
                activated: false,
                ..
            }
        )
    }) {
        steps.push(
            "a terminal is as it left the factory: give it a password on its own screen, or with the vendor's program".to_owned(),
        );
    }
    if hosts.iter().any(|host| host.answer == Answer::WantsKey) {
        steps.push(
            "where a comm key is wanted, it is in the terminal's menu Comm. › PC connection: printf %s \"$KEY\" | muster device add \
             --kind zk --serial SERIAL --address ADDRESS --comm-key-stdin"
                .to_owned(),
        );
    }
    if hosts.is_empty() {
        steps.push(
            "nobody answers; check with `muster terminal test zk://ADDRESS` a terminal that should, and that this computer reaches its network"
                .to_owned(),
        );
    }
    steps
}

/// The serial number as it may stand in a command that people copy: it comes from the network.
fn serial_argument(answer: &Answer) -> &str {
    match answer {
        Answer::Terminal { serial, .. } | Answer::Claims { serial, .. }
            if !serial.is_empty()
                && serial
                    .chars()
                    .all(|c| c.is_ascii_alphanumeric() || c == '-' || c == ':')
                && !serial.starts_with('-') =>
        {
            serial
        }
        _ => "SERIAL",
    }
}

/// Which brand answers in this way.
fn kind_of(answer: &Answer) -> DeviceKind {
    match answer {
        Answer::Claims { .. } => DeviceKind::Hik,
        _ => DeviceKind::Zk,
    }
}

fn before_adding(kind: DeviceKind) -> &'static str {
    match kind {
        DeviceKind::Zk => "",
        DeviceKind::Hik => "printf %s \"$PASSWORD\" | ",
    }
}

fn signing_in(kind: DeviceKind) -> &'static str {
    match kind {
        DeviceKind::Zk => "",
        DeviceKind::Hik => " --username USER --password-stdin",
    }
}

/// Whether a device is registered with the serial number that somebody tells.
fn is_serial_of(device: &devices::Model, told: &str) -> bool {
    DeviceKind::from_name(&device.kind)
        .is_some_and(|kind| kind.is_serial(told, &device.serial_number))
}

/// Without the port where it is the usual one.
fn place_text(place: SocketAddr) -> String {
    let usual = DeviceKind::ALL.iter().map(|kind| kind.default_port());
    match usual.into_iter().any(|port| port == place.port()) {
        true => place.ip().to_string(),
        false => place.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_harmless_serial_numbers_stand_in_a_command() {
        let argument = |serial: &str| {
            let answer = Answer::Terminal {
                serial: serial.to_owned(),
                model: String::new(),
            };
            serial_argument(&answer).to_owned()
        };
        for serial in ["A8N5201160001", "00:17:61:12:34:56", "DS-K1T671M"] {
            assert_eq!(argument(serial), serial);
        }
        for serial in ["", "$(reboot)", "a b", "--help", "x;y", "x'y", "\u{1b}[2J"] {
            assert_eq!(argument(serial), "SERIAL", "{serial:?}");
        }
    }
}

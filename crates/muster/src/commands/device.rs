//! `muster device`: the configured devices.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::str::FromStr;

use attendance::{DeviceId, Way};
use clap::builder::{PossibleValuesParser, TypedValueParser};
use ingest::{Engine, Taken};
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use store::devices::{DeviceFields, NewDevice, SecretEdit};
use store::entities::devices;
use store::files::{self, Line};
use store::secrets::{Secret, SecretError};
use store::views::devices::DeviceRow;
use store::{Store, StoreError};
use terminals::{CertificateTrust, Deadline, DeviceKind, NoPin, Target, Transport};

use super::{
    Sites, author, clear_log, discover, doctor, engine, fingerprints, open_store, poll, read_file,
    refuse_lines, secret_from_stdin, terminal, waiting,
};
use crate::config::Config;
use crate::output::{self, Failure, Usage, count};

/// The columns of a device file. `kind` and `serial_number` are required.
const COLUMNS: &[&str] = &[
    "kind",
    "serial_number",
    "name",
    "site",
    "address",
    "port",
    "username",
    "password",
    "comm_key",
    "zone",
    "mode",
    "transport",
    "certificate",
];

#[derive(clap::Subcommand)]
pub enum Command {
    /// Registers a terminal.
    ///
    /// Example: muster device add --kind zk --serial AEH2194760215 --address 10.0.0.9 --name "Main gate"
    Add(Box<AddArgs>),
    /// Registers all terminals of a CSV file, or none when a line has a mistake.
    ///
    /// Columns: kind,serial_number,name,site,address,port,username,password,comm_key,zone,mode,transport,certificate
    ///
    /// Example: muster device import devices.csv --dry-run
    Import {
        /// The CSV file.
        file: PathBuf,
        /// Checks everything and stores nothing.
        #[arg(long)]
        dry_run: bool,
    },
    /// Lists the devices and their condition.
    ///
    /// Example: muster device list --json
    List {
        /// Prints a JSON array.
        #[arg(long)]
        json: bool,
    },
    /// Changes a device; what is not named stays as it is.
    ///
    /// Example: muster device edit AEH2194760215 --address 10.0.0.12
    Edit(Box<EditArgs>),
    /// Stops reading a device. Its punches stay, and adding its serial number again brings it back.
    ///
    /// Example: muster device remove AEH2194760215
    Remove {
        /// The serial number.
        serial: String,
    },
    /// Lists the terminals that call the server and are not registered. They keep their punches until they are.
    ///
    /// Example: muster device waiting
    Waiting {
        /// Prints a JSON array.
        #[arg(long)]
        json: bool,
    },
    /// Registers a terminal that waits; from its next call on it uploads what it has kept.
    ///
    /// Example: muster device approve AEH2194760215 --name "Main gate"
    Approve(waiting::ApproveArgs),
    /// Has a server take nothing from a terminal that waits. It can be approved nevertheless later.
    ///
    /// Example: muster device refuse AEH2194760215
    Refuse {
        /// The serial number.
        serial: String,
    },
    /// Tries every step of a reading with the stored address and credentials. Nothing is stored, but that these were refused.
    ///
    /// Example: muster device test AEH2194760215
    Test {
        /// The serial number.
        serial: String,
        #[command(flatten)]
        again: Again,
    },
    /// Lets refused credentials be tried once more without a change: somebody has corrected the terminal instead, or unlocked it.
    ///
    /// Example: muster device retry GB9637211
    Retry {
        /// The serial number.
        serial: String,
        #[command(flatten)]
        again: Again,
    },
    /// Examines a terminal: address, TCP, UDP or TLS, key or password, serial number, clock, abilities, counters, users, live
    /// events, log and push, as far as its brand has them, each with the time it took and what to do next. Nothing is stored, and a server leaves the terminal alone meanwhile.
    ///
    /// Example: muster device doctor AEH2194760215
    Doctor {
        /// The serial number.
        serial: String,
        #[command(flatten)]
        again: Again,
        /// Prints one JSON object.
        #[arg(long)]
        json: bool,
    },
    /// Deletes the log of a terminal after every record is verified in the database: the whole log is read and stored, each of
    /// its records is looked up, and if one is missing or somebody punches meanwhile, nothing is deleted.
    ///
    /// Example: muster device clear-log AEH2194760215 --yes-clear-log
    ClearLog {
        /// The serial number.
        serial: String,
        #[command(flatten)]
        sure: clear_log::Sure,
    },
    /// Asks every address of a subnet who is there, and says which terminals are not where they are registered.
    ///
    /// Only subnets of muster.toml are asked ([discover] subnets), or parts of them. Devices in contact are not disturbed.
    ///
    /// Example: muster device discover 10.0.0.0/24 --update
    Discover(discover::Args),
    /// Reads one device now.
    ///
    /// Example: muster device poll AEH2194760215
    Poll {
        /// The serial number.
        serial: String,
        /// Prints one JSON object.
        #[arg(long)]
        json: bool,
    },
    /// Backs up fingerprints and copies them to another terminal, if muster.toml says for what ([fingerprints] purpose).
    #[command(subcommand)]
    Fingerprints(fingerprints::Command),
}

#[derive(clap::Args)]
pub struct Again {
    /// Sends the password although it was refused before, also where the terminal allows only one or two wrong ones more before
    /// it locks.
    #[arg(long)]
    anyway: bool,
}

#[derive(clap::Args)]
pub struct AddArgs {
    /// zk is ZKTeco, hik is Hikvision.
    #[arg(long, value_parser = kinds())]
    kind: DeviceKind,
    /// The serial number: the identity of the device. Of a Hikvision terminal the one on the label will do.
    #[arg(long)]
    serial: String,
    /// Host name or IP address, with the port where it is not the usual one (zk 4370, hik 80). Without it the device waits.
    #[arg(long, value_name = "HOST[:PORT]")]
    address: Option<Address>,
    /// What people call it; the serial number if not said.
    #[arg(long)]
    name: Option<String>,
    /// The site it is at; the default site if not said.
    #[arg(long)]
    site: Option<String>,
    /// The IANA zone of its clock; that of the site if not said.
    #[arg(long)]
    zone: Option<String>,
    #[command(flatten)]
    sign_in: SignIn,
    #[command(flatten)]
    habits: Habits,
}

#[derive(clap::Args)]
#[group(skip)]
struct SignIn {
    /// Reads the comm key of a ZKTeco terminal from standard input.
    #[arg(long, conflicts_with = "password_stdin")]
    comm_key_stdin: bool,
    /// The user name on a Hikvision terminal.
    #[arg(long)]
    username: Option<String>,
    /// Reads the password of a Hikvision terminal from standard input.
    #[arg(long)]
    password_stdin: bool,
}

impl SignIn {
    fn comm_key(&self) -> anyhow::Result<Option<String>> {
        let asked = self.comm_key_stdin;
        asked.then(|| secret_from_stdin("comm key")).transpose()
    }

    fn password(&self) -> anyhow::Result<Option<String>> {
        let asked = self.password_stdin;
        asked.then(|| secret_from_stdin("password")).transpose()
    }
}

#[derive(clap::Args)]
#[group(skip)]
struct Habits {
    /// How its punches reach us, with commas: poll; live, which also listens to the terminal, so that a punch comes when it is
    /// made; push, in which a ZKTeco terminal calls the server and needs no address.
    #[arg(long)]
    mode: Option<Modes>,
    /// What its in and out keys mean: none (a hint), states (trusted), in or out (all its punches are that).
    #[arg(long, value_parser = ["none", "states", "in", "out"])]
    direction: Option<String>,
    /// How it is spoken to. ZKTeco: tcp, udp, or auto, which finds it out at the next reading. Hikvision: tcp is plain HTTP, tls
    /// is HTTPS, and auto takes HTTPS for port 443.
    #[arg(long, value_parser = ["auto", "tcp", "udp", "tls"])]
    transport: Option<String>,
    /// Which certificate a terminal may show over HTTPS: its fingerprint (sha256:…); first keeps the one it shows next, as for a
    /// new device; shown accepts the one that was refused last; any accepts all, so that nobody notices who stands in between.
    #[arg(long, value_name = "FINGERPRINT|first|shown|any")]
    certificate: Option<Certificate>,
    /// Seconds between two readings; of a new device as configured if not said.
    #[arg(long, value_name = "SECS", value_parser = clap::value_parser!(u32).range(10..=86_400))]
    interval: Option<u32>,
    /// Sets its clock when it is more than 30 s off: outside the shifts, and never back over a punch.
    #[arg(long, conflicts_with = "no_set_clock")]
    set_clock: bool,
    /// Only reports how far its clock is off.
    #[arg(long)]
    no_set_clock: bool,
}

#[derive(clap::Args)]
pub struct EditArgs {
    /// The serial number.
    serial: String,
    /// Where it is now.
    #[arg(long, value_name = "HOST[:PORT]")]
    address: Option<Address>,
    /// Forgets the address: the device waits for another.
    #[arg(long, conflicts_with = "address")]
    no_address: bool,
    /// What people call it.
    #[arg(long)]
    name: Option<String>,
    /// The site it is at.
    #[arg(long)]
    site: Option<String>,
    /// Corrects the IANA zone of its clock. Stored punches move with it, and their days are judged again.
    #[arg(long)]
    zone: Option<String>,
    /// From this time of its clock on the zone holds; without it, since ever.
    #[arg(long, value_name = "DATE[TIME]", requires = "zone")]
    zone_since: Option<DateTime>,
    #[command(flatten)]
    sign_in: SignIn,
    /// Forgets the comm key.
    #[arg(long, conflicts_with = "comm_key_stdin")]
    no_comm_key: bool,
    /// Forgets user name and password.
    #[arg(long, conflicts_with_all = ["password_stdin", "username"])]
    no_password: bool,
    #[command(flatten)]
    habits: Habits,
    /// Reads it again after --disable.
    #[arg(long, conflicts_with = "disable")]
    enable: bool,
    /// Stops reading it for a while.
    #[arg(long)]
    disable: bool,
}

fn kinds() -> impl TypedValueParser<Value = DeviceKind> {
    let names = DeviceKind::ALL.iter().map(|kind| kind.as_str());
    PossibleValuesParser::new(names)
        .map(|name| DeviceKind::from_name(&name).expect("one of the possible values"))
}

/// Which certificate a person says a device may show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Certificate {
    Trust(CertificateTrust),
    Shown,
}

impl FromStr for Certificate {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(match text {
            "shown" => Self::Shown,
            "first" => Self::Trust(CertificateTrust::FirstUse),
            "any" => Self::Trust(CertificateTrust::Any),
            pin => Self::Trust(CertificateTrust::Pinned(
                pin.parse().map_err(|error: NoPin| error.to_string())?,
            )),
        })
    }
}

impl Certificate {
    /// As it is stored.
    fn of(self, shown: Option<&str>) -> Result<Option<String>, String> {
        match (self, shown) {
            (Self::Trust(trust), _) => Ok(trust.stored()),
            (Self::Shown, Some(shown)) => Ok(Some(shown.to_owned())),
            (Self::Shown, None) => Err("it has shown no certificate that was refused".to_owned()),
        }
    }
}

/// Host and, where it is not the usual one, port.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Address {
    host: String,
    port: Option<u16>,
}

impl FromStr for Address {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.contains("://") {
            return Err("an address is HOST or HOST:PORT, without zk:// or http://".to_owned());
        }
        let (host, port) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((host, "")) => (host, None),
            Some((host, rest)) => (host, Some(rest.strip_prefix(':').unwrap_or(rest))),
            None if text.parse::<std::net::Ipv6Addr>().is_ok() => (text, None),
            None => match text.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (text, None),
            },
        };
        check_host(host)?;
        let port = port.map(parse_port).transpose()?;
        Ok(Self {
            host: host.to_owned(),
            port,
        })
    }
}

fn check_host(host: &str) -> Result<(), String> {
    let bad = |c: char| c.is_whitespace() || c.is_control() || "/@?#[]".contains(c);
    if host.is_empty() || host.contains(bad) {
        return Err(format!("{host:?} is no host name or IP address"));
    }
    Ok(())
}

fn parse_port(text: &str) -> Result<u16, String> {
    let port = text.parse().ok().filter(|port| *port != 0);
    port.ok_or_else(|| format!("the port {text:?} is not a number from 1 to 65535"))
}

/// The ways in that a device can have.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Modes(Vec<Way>);

impl FromStr for Modes {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut named = Vec::new();
        for name in text.split(',').map(str::trim) {
            match Way::from_name(name) {
                Some(way @ (Way::Poll | Way::Live | Way::Push)) => named.push(way),
                _ => {
                    return Err(format!(
                        "there is no mode {name:?}; there are poll, live and push"
                    ));
                }
            }
        }
        // What is listened to is polled on the same connection.
        if named.contains(&Way::Live) {
            named.push(Way::Poll);
        }
        let mut ways = vec![Way::Poll, Way::Live, Way::Push];
        ways.retain(|way| named.contains(way));
        Ok(Self(ways))
    }
}

impl Modes {
    fn of(self, kind: DeviceKind) -> Result<Vec<Way>, String> {
        if self.0.contains(&Way::Live) && !kind.tells_live() {
            return Err(format!(
                "{} terminals are polled, not listened to: leave the mode at poll",
                kind.brand()
            ));
        }
        if self.0.contains(&Way::Push) && !kind.calls() {
            return Err(format!(
                "{} terminals do not call the server: leave the mode at poll",
                kind.brand()
            ));
        }
        Ok(self.0)
    }
}

pub async fn run(command: Command, config: Config) -> anyhow::Result<ExitCode> {
    match command {
        Command::Add(args) => add(*args, &config).await?,
        Command::Import { file, dry_run } => import(&file, dry_run, &config).await?,
        Command::List { json } => list(json, &config).await?,
        Command::Edit(args) => edit(*args, &config).await?,
        Command::Remove { serial } => remove(&serial, &config).await?,
        Command::Waiting { json } => waiting::list(json, &config).await?,
        Command::Approve(args) => waiting::approve(args, &config).await?,
        Command::Refuse { serial } => waiting::refuse(&serial, &config).await?,
        Command::Test { serial, again } => return test(&serial, &again, &config).await,
        Command::Retry { serial, again } => retry(&serial, &again, &config).await?,
        Command::Doctor {
            serial,
            again,
            json,
        } => return doctor::run(&serial, again.anyway, json, &config).await,
        Command::ClearLog { serial, sure } => {
            clear_log::of_device(&serial, &sure, &config).await?;
        }
        Command::Discover(args) => discover::run(args, &config).await?,
        Command::Fingerprints(command) => fingerprints::run(command, &config).await?,
        Command::Poll { serial, json } => {
            return poll::run(poll::Args::one(serial, json), config).await;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// A device as a person describes it, on the command line or in a line of a file.
#[derive(Debug)]
struct Description {
    kind: DeviceKind,
    serial: String,
    name: Option<String>,
    site: Option<String>,
    address: Option<Address>,
    username: Option<String>,
    password: Option<String>,
    comm_key: Option<String>,
    zone: Option<String>,
    mode: Option<Modes>,
    direction: Option<String>,
    transport: Option<String>,
    certificate: Option<Certificate>,
    interval: Option<u32>,
    set_clock: bool,
}

impl Description {
    /// Which certificate it may show; `None` keeps the first one.
    fn certificate(&self) -> Result<Option<String>, String> {
        let certificate = self.certificate.map(|certificate| certificate.of(None));
        Ok(certificate.transpose()?.flatten())
    }

    fn into_device(self, sites: &Sites, config: &Config) -> Result<NewDevice, String> {
        check_sign_in(self.kind, &self.username, &self.password, &self.comm_key)?;
        if self.username.is_some() != self.password.is_some() {
            return Err("a user name and a password belong together".to_owned());
        }
        if self.kind == DeviceKind::Hik && self.address.is_some() && self.username.is_none() {
            return Err("a Hikvision terminal needs a user name and a password".to_owned());
        }
        if let Some(zone) = &self.zone {
            check_zone(zone)?;
        }
        if self.set_clock {
            check_sets_clock(self.kind)?;
        }
        let site = sites.find(self.site.as_deref())?;
        let (host, port) = self
            .address
            .map(|address| (address.host, address.port))
            .unzip();
        Ok(NewDevice {
            fields: DeviceFields {
                kind: self.kind.as_str().to_owned(),
                name: self.name.unwrap_or_else(|| self.serial.clone()),
                serial_number: self.serial,
                site: site.id,
                address: host,
                port: port.flatten(),
                transport: match self.transport {
                    None => None,
                    Some(name) => transport(&name, self.kind)?,
                },
                username: self.username,
                mode: match self.mode {
                    None => vec![Way::Poll],
                    Some(modes) => modes.of(self.kind)?,
                },
                enabled: true,
                direction: self.direction.unwrap_or_else(|| "none".to_owned()),
                poll_interval_secs: self.interval.unwrap_or(config.poll.interval_secs),
                set_clock: self.set_clock,
            },
            password: self.password.map(Secret::new),
            comm_key: self.comm_key.map(Secret::new),
            zone: self.zone,
        })
    }
}

fn check_sets_clock(kind: DeviceKind) -> Result<(), String> {
    match kind.sets_clock() {
        true => Ok(()),
        false => Err(format!(
            "the clock of a {} terminal is not set by Muster yet: let the terminal ask a time server",
            kind.brand()
        )),
    }
}

/// `None` for `auto`.
fn transport(name: &str, kind: DeviceKind) -> Result<Option<String>, String> {
    match Transport::from_name(name) {
        None if name != "auto" => Err(format!(
            "there is no transport {name:?}; there are auto, tcp, udp and tls"
        )),
        Some(named) if !kind.transports().contains(&named) => {
            let names = kind.transports().iter().map(|one| one.as_str());
            Err(format!(
                "{} terminals are spoken to by {}, not by {name}",
                kind.brand(),
                names.collect::<Vec<_>>().join(" or ")
            ))
        }
        named => Ok(named.map(|named| named.as_str().to_owned())),
    }
}

fn check_zone(name: &str) -> Result<(), String> {
    match TimeZone::get(name) {
        Ok(_) => Ok(()),
        Err(_) => Err(format!(
            "{name:?} is no time zone; expected a name like Europe/Berlin"
        )),
    }
}

/// Each brand has its own way of signing in.
fn check_sign_in(
    kind: DeviceKind,
    username: &Option<String>,
    password: &Option<String>,
    comm_key: &Option<String>,
) -> Result<(), String> {
    match (kind, comm_key) {
        (DeviceKind::Zk, _) if username.is_some() || password.is_some() => {
            Err("a ZKTeco terminal has a comm key, no user name and password".to_owned())
        }
        (DeviceKind::Hik, Some(_)) => {
            Err("a Hikvision terminal has a user name and a password, no comm key".to_owned())
        }
        (DeviceKind::Zk, Some(key)) if key.parse::<u32>().is_err() => {
            Err("the comm key is not a number".to_owned())
        }
        _ => Ok(()),
    }
}

async fn add(args: AddArgs, config: &Config) -> anyhow::Result<()> {
    let described = Description {
        kind: args.kind,
        serial: args.serial.trim().to_owned(),
        name: args.name,
        site: args.site,
        address: args.address,
        comm_key: args.sign_in.comm_key()?,
        password: args.sign_in.password()?,
        username: args.sign_in.username,
        zone: args.zone,
        mode: args.habits.mode,
        direction: args.habits.direction,
        transport: args.habits.transport,
        certificate: args.habits.certificate,
        interval: args.habits.interval,
        set_clock: args.habits.set_clock,
    };
    let store = open_store(config).await?;
    let tx = store.begin_write().await?;
    let sites = Sites::load_or_make(&store, &tx).await?;
    let certificate = described.certificate().map_err(Usage)?;
    let device = described.into_device(&sites, config).map_err(Usage)?;
    let id = tx.add_device(&device, author()).await.map_err(explained)?;
    if certificate.is_some() {
        tx.set_certificate(id, certificate.as_deref(), author())
            .await?;
    }
    tx.commit().await?;

    sites.tell();
    let fields = device.fields;
    println!("added {} {:?}", fields.serial_number, fields.name);
    let calls = fields.mode.contains(&Way::Push);
    match fields.address {
        None if calls && has_place(&fields.kind) => println!(
            "it posts its events to a URL of its own, which is on its page under Devices: enter that on the terminal's page (Network > \
             HTTP listening)"
        ),
        Some(_) if calls && has_place(&fields.kind) => println!(
            "it is told to call after its first reading while `muster serve` runs; try it now: muster device test {}",
            fields.serial_number
        ),
        _ if fields.mode == [Way::Push] => println!(
            "it is taken from its first call on: enter this server's address and port in its menu (Comm. > Cloud server)"
        ),
        None if calls => println!(
            "it is taken from its first call on, and read once it has an address: muster device edit {} --address HOST",
            fields.serial_number
        ),
        Some(_) => println!(
            "it is read every {} s while `muster serve` runs; try it now: muster device test {}",
            fields.poll_interval_secs, fields.serial_number
        ),
        None if is_searched_for(&fields.kind, config) => println!(
            "`muster serve` searches for it in the subnets of muster.toml; search now: muster device discover --update"
        ),
        None => println!(
            "it waits for an address: muster device edit {} --address HOST",
            fields.serial_number
        ),
    }
    Ok(())
}

async fn import(file: &Path, dry_run: bool, config: &Config) -> anyhow::Result<()> {
    let read = |input| files::read_csv(input, COLUMNS, &["kind", "serial_number"]);
    let lines = read_file(file, read)?;
    let store = open_store(config).await?;
    let tx = store.begin_write().await?;
    let sites = Sites::load_or_make(&store, &tx).await?;
    let mut mistakes: Vec<(u64, String)> = Vec::new();
    let mut places: std::collections::HashMap<&str, u64> = std::collections::HashMap::new();
    let bar = output::progress(Some(lines.len() as u64), "importing devices");
    for line in &lines {
        let added = match places.insert(line.get("serial_number").unwrap_or_default(), line.number)
        {
            Some(first) => Err(format!("the serial number stands in line {first} already")),
            None => match described(line).and_then(|found| {
                let certificate = found.certificate()?;
                Ok((found.into_device(&sites, config)?, certificate))
            }) {
                Ok((device, certificate)) => {
                    let added = added(tx.add_device(&device, author()).await)?;
                    if let (Ok(id), Some(certificate)) = (&added, certificate) {
                        tx.set_certificate(*id, Some(&certificate), author())
                            .await?;
                    }
                    added
                }
                Err(mistake) => Err(mistake),
            },
        };
        mistakes.extend(added.err().map(|mistake: String| (line.number, mistake)));
        bar.inc(1);
    }
    bar.finish_and_clear();
    if !mistakes.is_empty() {
        tx.rollback().await?;
        return Err(refuse_lines(file, &mistakes));
    }
    let devices = count(lines.len() as u64, "device", "devices");
    if dry_run {
        tx.rollback().await?;
        println!("nothing was stored; without --dry-run {devices} would be added");
        return Ok(());
    }
    tx.commit().await?;
    sites.tell();
    println!("added {devices}");
    Ok(())
}

fn described(line: &Line) -> Result<Description, String> {
    let text = |column| line.filled(column).map(str::to_owned);
    let kind = line.get("kind").unwrap_or_default();
    let kind = DeviceKind::from_name(kind)
        .ok_or_else(|| format!("there is no kind {kind:?}; the kinds are zk and hik"))?;
    let port = line.filled("port").map(parse_port).transpose()?;
    let address = match (line.filled("address"), port) {
        (Some(text), port) => {
            let address: Address = text.parse()?;
            if address.port.is_some() && port.is_some() && address.port != port {
                return Err(format!(
                    "the address {text:?} and the column port name two ports"
                ));
            }
            let port = address.port.or(port);
            Some(Address { port, ..address })
        }
        (None, Some(_)) => return Err("there is a port but no address".to_owned()),
        (None, None) => None,
    };
    Ok(Description {
        kind,
        serial: text("serial_number").unwrap_or_default(),
        name: text("name"),
        site: text("site"),
        address,
        username: text("username"),
        password: text("password"),
        comm_key: text("comm_key"),
        zone: text("zone"),
        mode: line.filled("mode").map(str::parse).transpose()?,
        direction: None,
        transport: text("transport"),
        certificate: line.filled("certificate").map(str::parse).transpose()?,
        interval: None,
        set_clock: false,
    })
}

/// Separates what is wrong with a line from what is wrong with the database or its key.
fn added(result: Result<DeviceId, StoreError>) -> anyhow::Result<Result<DeviceId, String>> {
    match result {
        Ok(device) => Ok(Ok(device)),
        Err(
            error @ (StoreError::Duplicate { .. }
            | StoreError::Invalid(_)
            | StoreError::NotFound { .. }),
        ) => Ok(Err(error.to_string())),
        Err(error) => Err(explained(error)),
    }
}

/// Adds what to do next, where that is not plain.
fn explained(error: StoreError) -> anyhow::Error {
    let next = match &error {
        StoreError::Duplicate { value, .. } => {
            format!("Change it with `muster device edit {value}`, or look at it with `muster device list`.")
        }
        StoreError::Secret(SecretError::NoKey) => {
            "Run `muster init`, which makes the key, or name the key file with MUSTER_SECRET_KEY_FILE.".to_owned()
        }
        _ => return error.into(),
    };
    let failure = match error {
        StoreError::Secret(SecretError::NoKey) => {
            "there is no secret key to encrypt the password with".to_owned()
        }
        error => error.to_string(),
    };
    Failure {
        what: failure,
        next,
        source: None,
    }
    .into()
}

async fn edit(args: EditArgs, config: &Config) -> anyhow::Result<()> {
    let store = open_store(config).await?;
    let before = find(&store, &args.serial).await?;
    let kind = DeviceKind::from_name(&before.kind).ok_or_else(|| {
        anyhow::anyhow!(
            "device {} has the unknown kind {:?}",
            args.serial,
            before.kind
        )
    })?;
    let (comm_key, password) = (args.sign_in.comm_key()?, args.sign_in.password()?);
    check_sign_in(kind, &args.sign_in.username, &password, &comm_key).map_err(Usage)?;
    if let Some(zone) = &args.zone {
        check_zone(zone).map_err(Usage)?;
    }

    let tx = store.begin_write().await?;
    let mut fields = DeviceFields::from(&before);
    if let Some(address) = args.address {
        (fields.address, fields.port) = (Some(address.host), address.port);
    }
    if args.no_address {
        (fields.address, fields.port) = (None, None);
    }
    if let Some(site) = &args.site {
        let sites = Sites::load_or_make(&store, &tx).await?;
        fields.site = sites.find(Some(site)).map_err(Usage)?.id;
    }
    if args.no_password {
        fields.username = None;
    }
    fields.name = args.name.unwrap_or(fields.name);
    fields.username = args.sign_in.username.or(fields.username);
    if let Some(modes) = args.habits.mode {
        fields.mode = modes.of(kind).map_err(Usage)?;
    }
    fields.direction = args.habits.direction.unwrap_or(fields.direction);
    if args.habits.set_clock {
        check_sets_clock(kind).map_err(Usage)?;
    }
    fields.set_clock = (fields.set_clock || args.habits.set_clock) && !args.habits.no_set_clock;
    if let Some(name) = args.habits.transport {
        fields.transport = transport(&name, kind).map_err(Usage)?;
    }
    fields.poll_interval_secs = args.habits.interval.unwrap_or(fields.poll_interval_secs);
    fields.enabled = (fields.enabled || args.enable) && !args.disable;
    let has_password =
        password.is_some() || (before.password_sealed.is_some() && !args.no_password);
    if kind == DeviceKind::Hik && fields.username.is_some() != has_password {
        return Err(Usage("a user name and a password belong together".to_owned()).into());
    }

    let device = DeviceId(before.id);
    let password = secret_edit(password, args.no_password);
    let comm_key = secret_edit(comm_key, args.no_comm_key);
    tx.edit_device(device, &fields, &password, &comm_key, author())
        .await
        .map_err(explained)?;
    if let Some(certificate) = args.habits.certificate {
        let certificate = certificate
            .of(before.certificate_shown.as_deref())
            .map_err(Usage)?;
        tx.set_certificate(device, certificate.as_deref(), author())
            .await?;
    }
    let moved = match &args.zone {
        Some(zone) => Some(
            tx.set_device_zone(device, args.zone_since, zone, author())
                .await?,
        ),
        None => None,
    };
    tx.commit().await?;
    println!("changed {} {:?}", fields.serial_number, fields.name);
    if let (Some(moved), Some(zone)) = (moved, args.zone) {
        let moved = count(moved as u64, "punch was", "punches were");
        println!("{moved} moved to {zone}; the server judges their days again");
    }
    Ok(())
}

fn secret_edit(set: Option<String>, clear: bool) -> SecretEdit {
    match set {
        Some(secret) => SecretEdit::Set(Secret::new(secret)),
        None if clear => SecretEdit::Clear,
        None => SecretEdit::Keep,
    }
}

async fn remove(serial: &str, config: &Config) -> anyhow::Result<()> {
    let store = open_store(config).await?;
    let device = find(&store, serial).await?;
    let tx = store.begin_write().await?;
    tx.retire_device(DeviceId(device.id), author()).await?;
    tx.commit().await?;
    println!(
        "removed {} {:?}; its punches stay",
        device.serial_number, device.name
    );
    Ok(())
}

/// Lets the credentials of a device be tried once more.
pub async fn try_again(store: &Store, serial: &str, anyway: bool) -> anyhow::Result<()> {
    let device = find(store, serial).await?;
    let tx = store.begin_write().await?;
    tx.try_credentials_again(DeviceId(device.id), anyway, author())
        .await?;
    Ok(tx.commit().await?)
}

async fn retry(serial: &str, again: &Again, config: &Config) -> anyhow::Result<()> {
    let store = open_store(config).await?;
    try_again(&store, serial, again.anyway).await?;
    println!(
        "{serial} is tried once more by `muster serve`; try it now: muster device test {serial}"
    );
    Ok(())
}

async fn test(serial: &str, again: &Again, config: &Config) -> anyhow::Result<ExitCode> {
    let engine = engine(config).await?;
    if again.anyway {
        try_again(&engine.store, serial, true).await?;
    }
    let device = find(&engine.store, serial).await?;
    let target = target(&engine, &device)?;
    let zone = zone(&engine.store, DeviceId(device.id)).await?;
    let taken = take(&engine, &device).await?;
    let deadline = Deadline::after(config.poll.deadline());
    let tested = terminal::test(&target, deadline, &zone).await;
    // What was refused is not sent again by the next command, or by the server.
    if let Err(error) = &tested {
        engine.poller.keep_refusal(&device, error).await?;
    }
    taken.give_back().await?;
    Ok(match tested {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    })
}

/// Where a device is and how to sign in.
pub fn target(engine: &Engine, device: &devices::Model) -> anyhow::Result<Target> {
    let serial = &device.serial_number;
    let target = engine.poller.target(device);
    target.map_err(|failure| {
        Failure {
            what: format!("{serial} cannot be tried: {}", failure.message),
            next: match device.address {
                Some(_) => {
                    format!(
                        "Set the right ones with `muster device edit {serial}`, see its --help; or try the same once more: \
                         `muster device retry {serial}`."
                    )
                }
                None => format!("Give it one with `muster device edit {serial} --address HOST`."),
            },
            source: None,
        }
        .into()
    })
}

/// The zone in which a device's clock runs now.
pub async fn zone(store: &Store, device: DeviceId) -> anyhow::Result<TimeZone> {
    let zones = store.device_zones(device).await?;
    let zone = zones.last().and_then(|(_, name)| TimeZone::get(name).ok());
    Ok(zone.unwrap_or_else(TimeZone::system))
}

/// Has the server, if one runs, leave the device alone until it is given back.
async fn take(engine: &Engine, device: &devices::Model) -> anyhow::Result<Taken> {
    let taken = engine.poller.take(DeviceId(device.id)).await?;
    let serial = &device.serial_number;
    taken.map_err(|failure| {
        Failure {
            what: format!("{serial} cannot be tried: {}", failure.message),
            next: format!("`muster device list` shows when {serial} was last read."),
            source: None,
        }
        .into()
    })
}

async fn list(json: bool, config: &Config) -> anyhow::Result<()> {
    let store = open_store(config).await?;
    let devices = store::views::devices::list(&store, None).await?;
    if json {
        let devices: Vec<_> = devices
            .iter()
            .map(|device| json_of(device, config))
            .collect();
        println!("{}", serde_json::to_string_pretty(&devices)?);
        return Ok(());
    }
    if devices.is_empty() {
        println!("there is no device yet; register one with `muster device add`, see its --help");
        return Ok(());
    }
    let rows: Vec<Vec<String>> = devices
        .iter()
        .map(|device| {
            vec![
                device.serial_number.clone(),
                device.kind.clone(),
                device.name.clone(),
                device.site.clone(),
                address_of(device),
                device
                    .last_contact_ms
                    .map_or("never".to_owned(), |ms| at_site(ms, device)),
                condition(device, config),
            ]
        })
        .collect();
    output::print_table(
        &[
            "SERIAL",
            "KIND",
            "NAME",
            "SITE",
            "ADDRESS",
            "LAST CONTACT",
            "CONDITION",
        ],
        &rows,
    );
    Ok(())
}

fn json_of(device: &DeviceRow, config: &Config) -> serde_json::Value {
    let at = |ms: Option<i64>| ms.and_then(|ms| Timestamp::from_millisecond(ms).ok());
    serde_json::json!({
        "serial_number": device.serial_number,
        "kind": device.kind,
        "name": device.name,
        "site": device.site,
        "address": device.address,
        "port": device.port,
        "transport": device.transport,
        "certificate": device.certificate,
        "certificate_shown": device.certificate_shown,
        "username": device.username,
        "mode": device.mode,
        "enabled": device.enabled,
        "set_clock": device.set_clock,
        "direction": device.direction,
        "poll_interval_s": device.poll_interval_s,
        "condition": condition(device, config),
        "needs_edit": device.needs_edit,
        "last_error": device.last_error,
        "last_error_step": device.last_error_step,
        "failing_step": device.failing_step,
        "failing_message": device.failing_message,
        "failing_since": at(device.failing_since_ms),
        "last_contact": at(device.last_contact_ms),
        "live_since": at(device.live_since_ms),
        "live_refused": device.live_refused,
        "last_call": at(device.last_call_ms),
        "calls_from": device.calls_from,
        "covered_to": at(device.covered_to_ms),
        "clock_drift_s": device.clock_drift_s,
        "model": device.model,
        "firmware": device.firmware,
        "users": device.user_count,
        "records": device.record_count,
        "record_capacity": device.record_capacity,
    })
}

fn address_of(device: &DeviceRow) -> String {
    match (&device.address, device.port) {
        (None, _) => String::new(),
        (Some(host), None) => host.clone(),
        (Some(host), Some(port)) if host.contains(':') => format!("[{host}]:{port}"),
        (Some(host), Some(port)) => format!("{host}:{port}"),
    }
}

/// What is the matter with a device, worst first.
fn condition(device: &DeviceRow, config: &Config) -> String {
    let (step, error) = failure(device);
    let step = step
        .and_then(terminal::stored_step_name)
        .map_or(String::new(), |step| format!("{step}: "));
    let error = format!("{step}{}", error.unwrap_or("no reason given"));
    match device.failing_since_ms {
        _ if !device.enabled => "disabled".to_owned(),
        _ if device.needs_edit => format!("waits for new credentials: {error}"),
        Some(since) => format!("failing since {}: {error}", at_site(since, device)),
        None if only_calls(device) && device.last_contact_ms.is_none() => {
            "waits for its first call".to_owned()
        }
        None if !only_calls(device)
            && device.address.is_none()
            && is_searched_for(&device.kind, config) =>
        {
            "searching".to_owned()
        }
        None if device.last_contact_ms.is_none() && device.address.is_none() => {
            "waits for an address".to_owned()
        }
        None if device.last_contact_ms.is_none() => "not read yet".to_owned(),
        None => match device.clock_drift_s.unwrap_or(0) {
            drift if drift.abs() > terminal::CLOCK_TOLERANCE_S => {
                format!("clock {}", terminal::drift_text(drift))
            }
            _ if device.live_since_ms.is_some() => "live".to_owned(),
            _ => match &device.live_refused {
                Some(why) => format!("only read: {why}"),
                None if calls(device) => "calls".to_owned(),
                None => "ok".to_owned(),
            },
        },
    }
}

/// At which step it fails, and why: what concerns its calls before what the last reading said.
fn failure(device: &DeviceRow) -> (Option<&str>, Option<&str>) {
    match device.failing_step.as_deref() {
        Some("call" | "upload") => (None, device.failing_message.as_deref()),
        _ => (
            device.last_error_step.as_deref(),
            device.last_error.as_deref(),
        ),
    }
}

fn uses(device: &DeviceRow, way: Way) -> bool {
    device.mode.split(',').any(|used| used == way.as_str())
}

/// Whether nobody reads it: it calls.
fn only_calls(device: &DeviceRow) -> bool {
    uses(device, Way::Push) && (device.address.is_none() || !uses(device, Way::Poll))
}

/// Whether it has called lately.
fn calls(device: &DeviceRow) -> bool {
    let last = device.last_call_ms;
    let last = last.and_then(|ms| Timestamp::from_millisecond(ms).ok());
    let delay_secs = device.call_delay_s.unwrap_or_default();
    let now = ingest::Clock::system().now();
    uses(device, Way::Push)
        && last.is_some_and(|last| !ingest::has_missed_calls(last, delay_secs, now))
}

/// Whether its terminals call at a place of their own.
fn has_place(kind: &str) -> bool {
    DeviceKind::from_name(kind)
        .and_then(DeviceKind::call_path)
        .is_some()
}

/// Whether a server finds a device of this kind that has no address.
fn is_searched_for(kind: &str, config: &Config) -> bool {
    let kind = DeviceKind::from_name(kind);
    let by_subnet = !config.discover.subnets.is_empty();
    let by_link = !config.discover.sadp.is_empty();
    kind.is_some_and(|kind| by_subnet && kind.can_be_found() || by_link && kind.answers_links())
}

fn at_site(ms: i64, device: &DeviceRow) -> String {
    let zone = TimeZone::get(&device.zone).unwrap_or(TimeZone::UTC);
    match Timestamp::from_millisecond(ms) {
        Ok(at) => zone
            .to_datetime(at)
            .strftime("%Y-%m-%d %H:%M:%S")
            .to_string(),
        Err(_) => String::new(),
    }
}

/// A device that is registered and not removed.
pub async fn find(store: &Store, serial: &str) -> anyhow::Result<devices::Model> {
    let found = store.device_by_serial(serial).await?;
    let next = "See `muster device list` for those there are.".to_owned();
    match found.filter(|device| device.retired_ms.is_none()) {
        Some(device) => Ok(device),
        None => Err(Failure {
            what: format!("there is no device with serial number {:?}", serial.trim()),
            next,
            source: None,
        }
        .into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_have_a_host_and_perhaps_a_port() {
        let parse = |text: &str| {
            text.parse::<Address>()
                .map(|found| (found.host, found.port))
        };
        assert_eq!(parse("10.0.0.9"), Ok(("10.0.0.9".to_owned(), None)));
        assert_eq!(
            parse("gate.example:5005"),
            Ok(("gate.example".to_owned(), Some(5005)))
        );
        assert_eq!(parse("::1"), Ok(("::1".to_owned(), None)));
        assert_eq!(parse("[::1]:80"), Ok(("::1".to_owned(), Some(80))));
        for bad in [
            "",
            ":80",
            "zk://10.0.0.9",
            "10.0.0.9:0",
            "10.0.0.9:http",
            "a b",
            "1234@h",
            "[::1]80x",
        ] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn only_what_exists_is_a_mode() {
        assert_eq!("poll".parse(), Ok(Modes(vec![Way::Poll])));
        let both: Result<_, String> = Ok(Modes(vec![Way::Poll, Way::Live]));
        assert_eq!("poll, live,live".parse(), both);
        assert_eq!("live".parse(), both);
        assert_eq!("push".parse(), Ok(Modes(vec![Way::Push])));
        let all: Result<_, String> = Ok(Modes(vec![Way::Poll, Way::Live, Way::Push]));
        assert_eq!("push,live".parse(), all);
        for bad in ["poll,pull", "import", ""] {
            assert!(bad.parse::<Modes>().is_err(), "{bad}");
        }
    }
}

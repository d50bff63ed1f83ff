//! `muster.toml`, its environment variables and flags, in one place.
//!
//! Precedence: flag, environment variable, file, default. Paths in the file are relative to the file.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail};
use ingest::{CallerOptions, LocatorOptions, PollerOptions, Unknown};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use terminals::discover::LinkSearch;
use terminals::{Subnet, SubnetError};
use web::push::{Network, NetworkError, ZkPushOptions};

use crate::server::calls_to;

/// Every key with its environment variable. A test compares it with the struct.
const KEYS: &[(&str, &str)] = &[
    ("database", "MUSTER_DATABASE"),
    ("listen", "MUSTER_LISTEN"),
    ("secret_key_file", "MUSTER_SECRET_KEY_FILE"),
    ("secure_cookies", "MUSTER_SECURE_COOKIES"),
    ("poll.interval_secs", "MUSTER_POLL_INTERVAL_SECS"),
    ("poll.deadline_secs", "MUSTER_POLL_DEADLINE_SECS"),
    ("poll.concurrency", "MUSTER_POLL_CONCURRENCY"),
    ("discover.subnets", "MUSTER_DISCOVER_SUBNETS"),
    ("discover.sadp", "MUSTER_DISCOVER_SADP"),
    ("discover.sadp_listen", "MUSTER_DISCOVER_SADP_LISTEN"),
    ("discover.every", "MUSTER_DISCOVER_EVERY"),
    ("push.listen", "MUSTER_PUSH_LISTEN"),
    ("push.unknown", "MUSTER_PUSH_UNKNOWN"),
    ("push.path_secret", "MUSTER_PUSH_PATH_SECRET"),
    ("push.networks", "MUSTER_PUSH_NETWORKS"),
    ("push.advertise", "MUSTER_PUSH_ADVERTISE"),
    ("push.delay_secs", "MUSTER_PUSH_DELAY_SECS"),
    ("push.keep", "MUSTER_PUSH_KEEP"),
    ("fingerprints.purpose", "MUSTER_FINGERPRINTS_PURPOSE"),
    ("pictures.keep_days", "MUSTER_PICTURES_KEEP_DAYS"),
    ("log.filter", "MUSTER_LOG_FILTER"),
    ("log.format", "MUSTER_LOG_FORMAT"),
];

/// Keys whose value is text although it may look like a number.
const TEXTS: &[&str] = &["push.path_secret", "fingerprints.purpose"];
/// Faces are not kept for ever.
const MOST_PICTURE_DAYS: u32 = 365;
/// A secret in a path can be guessed at by whoever reaches the port.
const SHORTEST_PATH_SECRET: usize = 8;

/// The effective configuration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// `sqlite://PATH` or `postgres://…`.
    pub database: String,
    /// Where the pages are served.
    pub listen: SocketAddr,
    /// Holds the key that device passwords are encrypted with. Keep a copy apart from the database.
    pub secret_key_file: PathBuf,
    /// Set when people reach the pages by HTTPS only, through a proxy.
    pub secure_cookies: bool,
    pub poll: Poll,
    pub discover: Discover,
    pub push: Push,
    pub fingerprints: Fingerprints,
    pub pictures: Pictures,
    pub log: Log,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Poll {
    /// For devices that have no interval of their own when they are added.
    pub interval_secs: u32,
    /// One read of one terminal as a whole.
    pub deadline_secs: u32,
    /// Terminals read at the same time.
    pub concurrency: u16,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Discover {
    /// Where missing devices may be searched for, and nowhere else. Without any, nothing is.
    #[serde(deserialize_with = "subnets")]
    pub subnets: Vec<Subnet>,
    /// Addresses of this machine on the networks where Hikvision terminals are asked, by SADP, where they are; 0.0.0.0 is the network
    /// that the system prefers. Empty: nobody is asked.
    #[serde(deserialize_with = "interfaces")]
    pub sadp: Vec<Ipv4Addr>,
    /// What they tell there without being asked by us is heard too.
    pub sadp_listen: bool,
    /// Seconds between two searches.
    pub every: u32,
}

/// Terminals that call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Push {
    /// Where they call; empty: nowhere.
    #[serde(deserialize_with = "push_listen")]
    pub listen: Vec<SocketAddr>,
    /// What becomes of a terminal that nobody has registered.
    pub unknown: UnknownTerminals,
    /// Stands in the address that is typed into a terminal, in front of `/iclock`. Empty: none is asked for.
    pub path_secret: String,
    /// From where terminals may call; empty: from everywhere.
    #[serde(deserialize_with = "push_networks")]
    pub networks: Vec<Network>,
    /// What terminals that can be told are told to call, e.g. http://muster.example.com:8081. Empty: the address from which they are
    /// reached, and the first port of `listen`.
    pub advertise: String,
    /// Seconds between two polls of a terminal, and with that how long a command waits.
    pub delay_secs: u32,
    /// What is stored of uploads beside punches and people.
    #[serde(deserialize_with = "push_keep")]
    pub keep: Vec<Kept>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum UnknownTerminals {
    /// It waits in the approval list, and keeps what it has.
    Hold,
    /// It is registered by its first call.
    Accept,
    Refuse,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kept {
    Templates,
    Photos,
}

/// What cameras of terminals see at punches.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Pictures {
    /// So many days each is kept. 0: nothing of them is stored.
    pub keep_days: u32,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Fingerprints {
    /// For what fingerprints are backed up and copied, in words for those whose they are. Empty: nothing of them is read,
    /// kept or written.
    pub purpose: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Log {
    /// As understood by `tracing-subscriber`, e.g. `info,ingest=debug`.
    pub filter: String,
    pub format: LogFormat,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    Text,
    Json,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            database: "sqlite://muster.db".into(),
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            secret_key_file: "muster.key".into(),
            secure_cookies: false,
            poll: Poll::default(),
            discover: Discover::default(),
            push: Push::default(),
            fingerprints: Fingerprints::default(),
            pictures: Pictures::default(),
            log: Log::default(),
        }
    }
}

impl Default for Poll {
    fn default() -> Self {
        Self {
            interval_secs: 300,
            deadline_secs: 60,
            concurrency: 64,
        }
    }
}

impl Default for Discover {
    fn default() -> Self {
        Self {
            subnets: Vec::new(),
            sadp: Vec::new(),
            sadp_listen: true,
            every: 300,
        }
    }
}

impl Default for Push {
    fn default() -> Self {
        Self {
            listen: vec![SocketAddr::from(([0, 0, 0, 0], 8081))],
            unknown: UnknownTerminals::Hold,
            path_secret: String::new(),
            networks: Vec::new(),
            advertise: String::new(),
            delay_secs: 10,
            keep: Vec::new(),
        }
    }
}

impl Default for Log {
    fn default() -> Self {
        Self {
            filter: "info".into(),
            format: LogFormat::Text,
        }
    }
}

impl Poll {
    pub fn deadline(&self) -> Duration {
        Duration::from_secs(self.deadline_secs.into())
    }
}

impl Push {
    pub fn callers(&self) -> CallerOptions {
        CallerOptions {
            unknown: match self.unknown {
                UnknownTerminals::Hold => Unknown::Hold,
                UnknownTerminals::Accept => Unknown::Accept,
                UnknownTerminals::Refuse => Unknown::Refuse,
            },
            delay_secs: self.delay_secs,
        }
    }

    /// The host and the port of `advertise`; `None` when it is empty.
    ///
    /// # Errors
    /// When it is no `http://host:port`: terminals cannot be told anything else.
    pub fn advertised(&self) -> anyhow::Result<Option<(String, u16)>> {
        let text = self.advertise.trim();
        if text.is_empty() {
            return Ok(None);
        }
        let place = text
            .strip_prefix("http://")
            .map(|place| place.trim_end_matches('/'));
        let parts = place.and_then(|place| place.rsplit_once(':'));
        let parts = parts.and_then(|(host, port)| Some((host, port.parse().ok()?)));
        let plain = |host: &str| {
            let host = host
                .strip_prefix('[')
                .and_then(|host| host.strip_suffix(']'))
                .unwrap_or(host);
            let is_one = !host.is_empty() && !host.contains(['/', '@', '?', '#', '[', ' ']);
            is_one.then(|| host.to_owned())
        };
        match parts.and_then(|(host, port): (&str, u16)| Some((plain(host)?, port))) {
            Some((host, port)) if port != 0 => Ok(Some((host, port))),
            _ => bail!(
                "push.advertise: {text:?} is no address that a terminal can call, like http://10.0.0.5:8081"
            ),
        }
    }

    pub fn zk(&self) -> ZkPushOptions {
        ZkPushOptions {
            path_secret: (!self.path_secret.is_empty()).then(|| self.path_secret.clone()),
            keep_templates: self.keep.contains(&Kept::Templates),
            keep_photos: self.keep.contains(&Kept::Photos),
        }
    }
}

impl Discover {
    pub fn locator(&self) -> LocatorOptions {
        LocatorOptions {
            subnets: self.subnets.clone(),
            links: LinkSearch {
                interfaces: self.sadp.clone(),
                ..LinkSearch::default()
            },
            hears: self.sadp_listen,
            every: Duration::from_secs(self.every.into()),
            ..LocatorOptions::default()
        }
    }
}

impl Fingerprints {
    /// `None` when it is empty.
    pub fn purpose(&self) -> Option<String> {
        let purpose = self.purpose.trim();
        (!purpose.is_empty()).then(|| purpose.to_owned())
    }
}

fn subnets<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Subnet>, D::Error> {
    let what = ("discover.subnets", "subnets", "10.0.0.0/24");
    list(deserializer, what, |text| {
        text.parse().map_err(|e: SubnetError| e.to_string())
    })
}

fn interfaces<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Ipv4Addr>, D::Error> {
    let what = ("discover.sadp", "addresses of this machine", "10.0.0.5");
    list(deserializer, what, |text| {
        let address = text.parse();
        address.map_err(|_| format!("{text:?} is no IPv4 address"))
    })
}

fn push_listen<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<SocketAddr>, D::Error> {
    let what = ("push.listen", "addresses", "0.0.0.0:8081");
    list(deserializer, what, |text| {
        let address = text.parse();
        address.map_err(|_| format!("{text:?} is no address with a port, like 0.0.0.0:8081"))
    })
}

fn push_networks<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Network>, D::Error> {
    let what = ("push.networks", "networks", "10.0.0.0/8");
    list(deserializer, what, |text| {
        text.parse().map_err(|e: NetworkError| e.to_string())
    })
}

fn push_keep<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Kept>, D::Error> {
    let what = ("push.keep", "words", "photos");
    list(deserializer, what, |text| match text {
        "templates" => Ok(Kept::Templates),
        "photos" => Ok(Kept::Photos),
        _ => Err(format!("{text:?} is neither templates nor photos")),
    })
}

/// A list, or one text with commas, as it is written in an environment variable.
fn list<'de, D: Deserializer<'de>, T>(
    deserializer: D,
    (key, things, example): (&str, &str, &str),
    read: impl Fn(&str) -> Result<T, String>,
) -> Result<Vec<T>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Written {
        List(Vec<String>),
        Text(String),
    }
    let texts = match Written::deserialize(deserializer) {
        Ok(Written::List(texts)) => texts,
        Ok(Written::Text(text)) => text.split(',').map(str::to_owned).collect(),
        Err(_) => {
            return Err(D::Error::custom(format!(
                "{key}: a list of {things} is expected, like [{example:?}]"
            )));
        }
    };
    let texts = texts.iter().map(|text| text.trim());
    let read = texts.filter(|text| !text.is_empty()).map(read);
    let read = read.collect::<Result<_, _>>();
    read.map_err(|error| D::Error::custom(format!("{key}: {error}")))
}

/// Values given as flags; they win over everything else.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct Flags {
    /// The configuration file; without one the defaults hold.
    #[arg(
        long,
        global = true,
        env = "MUSTER_CONFIG",
        default_value = "muster.toml",
        value_name = "FILE",
        help_heading = "Configuration"
    )]
    pub config: PathBuf,
    /// The database, e.g. sqlite://muster.db or postgres://user@host/muster.
    #[arg(
        long,
        global = true,
        value_name = "URL",
        help_heading = "Configuration"
    )]
    pub database: Option<String>,
}

impl Config {
    /// Reads the file (it may be missing), the environment and the flags.
    ///
    /// # Errors
    /// When the file is no TOML, or a key or value is unknown; the message names file and key.
    pub fn load(flags: &Flags) -> anyhow::Result<Self> {
        let text = match std::fs::read_to_string(&flags.config) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(error) => {
                return Err(error)
                    .with_context(|| format!("{} cannot be read", flags.config.display()));
            }
        };
        let folder = flags.config.parent().unwrap_or(Path::new(""));
        Self::from_parts(&text, folder, |name| std::env::var(name).ok(), flags).with_context(|| {
            format!(
                "the configuration in {} or its MUSTER_… variables cannot be used",
                flags.config.display()
            )
        })
    }

    fn from_parts(
        text: &str,
        folder: &Path,
        env: impl Fn(&str) -> Option<String>,
        flags: &Flags,
    ) -> anyhow::Result<Self> {
        let mut table: toml::Table = text.parse()?;
        let mut from_outside = |key: &str, value: String| -> anyhow::Result<()> {
            let (holder, leaf) = match key.split_once('.') {
                None => (&mut table, key),
                Some((section, leaf)) => {
                    let section = table
                        .entry(section)
                        .or_insert_with(|| toml::Table::new().into());
                    (
                        section
                            .as_table_mut()
                            .with_context(|| format!("{key}: not a section"))?,
                        leaf,
                    )
                }
            };
            // A number, truth value or list is written as in the file; everything else is text, and where text is expected so is a
            // secret of digits.
            let parsed = format!("v = {value}")
                .parse::<toml::Table>()
                .ok()
                .and_then(|mut t| t.remove("v"))
                .filter(|_| !TEXTS.contains(&key));
            let value = match parsed {
                Some(
                    plain @ (toml::Value::Integer(_)
                    | toml::Value::Boolean(_)
                    | toml::Value::Array(_)),
                ) => plain,
                _ => toml::Value::String(value),
            };
            holder.insert(leaf.to_owned(), value);
            Ok(())
        };
        for (key, variable) in KEYS {
            if let Some(value) = env(variable) {
                from_outside(key, value)?;
            }
        }
        if let Some(database) = &flags.database {
            from_outside("database", database.clone())?;
        }
        let mut config: Self = table.try_into()?;
        config.place_paths(
            folder,
            flags.database.is_some() || env("MUSTER_DATABASE").is_some(),
        );
        config.check()?;
        Ok(config)
    }

    /// Paths of the file are relative to it, so that `muster --config /etc/muster/muster.toml` works from anywhere.
    fn place_paths(&mut self, folder: &Path, database_from_outside: bool) {
        if self.secret_key_file.is_relative() {
            self.secret_key_file = folder.join(&self.secret_key_file);
        }
        if let Some(path) = self.database.strip_prefix("sqlite://")
            && Path::new(path).is_relative()
            && !database_from_outside
        {
            self.database = format!("sqlite://{}", folder.join(path).display());
        }
    }

    fn check(&self) -> anyhow::Result<()> {
        if !["sqlite://", "postgres://", "postgresql://"]
            .iter()
            .any(|scheme| self.database.starts_with(scheme))
        {
            bail!(
                "database: {:?} does not begin with sqlite:// or postgres://",
                without_password(&self.database)
            );
        }
        for (key, value, least) in [
            ("poll.interval_secs", self.poll.interval_secs, 10),
            ("poll.deadline_secs", self.poll.deadline_secs, 1),
            ("poll.concurrency", self.poll.concurrency.into(), 1),
            ("discover.every", self.discover.every, 60),
        ] {
            if value < least {
                bail!("{key}: {value} is less than {least}");
            }
        }
        if self.pictures.keep_days > MOST_PICTURE_DAYS {
            bail!(
                "pictures.keep_days: {} is more than {MOST_PICTURE_DAYS}; 0 keeps none",
                self.pictures.keep_days
            );
        }
        if !(2..=60).contains(&self.push.delay_secs) {
            bail!(
                "push.delay_secs: {} is not from 2 to 60",
                self.push.delay_secs
            );
        }
        self.push.advertised()?;
        let secret = &self.push.path_secret;
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
        if !secret.is_empty() && (secret.len() < SHORTEST_PATH_SECRET || !secret.bytes().all(fits))
        {
            bail!(
                "push.path_secret: expected at least {SHORTEST_PATH_SECRET} letters, digits, - and _, because it is part of an address"
            );
        }
        tracing_subscriber::EnvFilter::try_new(&self.log.filter)
            .with_context(|| format!("log.filter: {:?} is no filter", self.log.filter))?;
        Ok(())
    }

    /// The effective values as TOML, without the password in the database URL and the secret in the path.
    pub fn printable(&self) -> String {
        let mut shown = Self {
            database: without_password(&self.database),
            ..self.clone()
        };
        if !shown.push.path_secret.is_empty() {
            shown.push.path_secret = "***".into();
        }
        toml::to_string_pretty(&shown).expect("plain values are TOML")
    }

    /// How terminals are read.
    pub fn poller(&self) -> PollerOptions {
        PollerOptions {
            concurrency: self.poll.concurrency.into(),
            deadline: self.poll.deadline(),
            fingerprint_purpose: self.fingerprints.purpose(),
            keep_pictures_days: self.pictures.keep_days,
            // Also where another process listens.
            calls: calls_to(self.push.advertised().ok().flatten(), &self.push.listen),
            ..PollerOptions::default()
        }
    }

    /// The file that holds the SQLite database; `None` on PostgreSQL.
    pub fn sqlite_file(&self) -> Option<&Path> {
        self.database
            .strip_prefix("sqlite://")
            .map(|path| Path::new(path.split('?').next().unwrap_or(path)))
    }
}

fn without_password(url: &str) -> String {
    let hidden = || {
        let (scheme, rest) = url.split_once("://")?;
        let (sign_in, place) = rest.rsplit_once('@')?;
        let (user, _) = sign_in.split_once(':')?;
        Some(format!("{scheme}://{user}:***@{place}"))
    };
    hidden().unwrap_or_else(|| url.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(text: &str, env: &[(&str, &str)], flags: &Flags) -> anyhow::Result<Config> {
        let env = |name: &str| {
            env.iter()
                .find(|(key, _)| *key == name)
                .map(|(_, value)| (*value).to_owned())
        };
        Config::from_parts(text, Path::new("/etc/muster"), env, flags)
    }

    #[test]
    fn what_terminals_are_told_to_call_is_a_host_and_a_port() {
        let advertised = |text: &str| {
            let file = format!("[push]\nadvertise = \"{text}\"\n");
            let config =
                load(&file, &[], &Flags::default()).map_err(|error| format!("{error:#}"))?;
            config.push.advertised().map_err(|error| error.to_string())
        };
        assert_eq!(advertised(""), Ok(None));
        for (text, host) in [
            ("http://10.0.0.5:8081", "10.0.0.5"),
            ("http://muster.example.com:8081/", "muster.example.com"),
            ("http://[fd00::1]:8081", "fd00::1"),
        ] {
            assert_eq!(
                advertised(text),
                Ok(Some((host.to_owned(), 8081))),
                "{text}"
            );
        }
        for bad in [
            "10.0.0.5:8081",
            "https://h:1",
            "http://h",
            "http://h:0",
            "http://:1",
            "http://h/x:1",
            "http://u@h:1",
        ] {
            assert!(
                advertised(bad).unwrap_err().contains("push.advertise"),
                "{bad}"
            );
        }
    }

    #[test]
    fn flag_beats_environment_beats_file_beats_default() {
        let file = "database = \"sqlite://file.db\"\nlisten = \"127.0.0.1:1\"\n[poll]\ninterval_secs = 60\n";
        let env = [
            ("MUSTER_LISTEN", "127.0.0.1:2"),
            ("MUSTER_DATABASE", "sqlite://env.db"),
            ("MUSTER_POLL_CONCURRENCY", "7"),
        ];
        let flags = Flags {
            database: Some("sqlite://flag.db".into()),
            ..Flags::default()
        };
        let config = load(file, &env, &flags).expect("a good configuration");
        assert_eq!(config.database, "sqlite://flag.db");
        assert_eq!(config.listen.port(), 2);
        assert_eq!(
            (
                config.poll.interval_secs,
                config.poll.concurrency,
                config.poll.deadline_secs
            ),
            (60, 7, 60)
        );
    }

    #[test]
    fn paths_are_relative_to_the_file() {
        let config = load("", &[], &Flags::default()).expect("the defaults");
        assert_eq!(config.database, "sqlite:///etc/muster/muster.db");
        assert_eq!(config.secret_key_file, Path::new("/etc/muster/muster.key"));
    }

    #[test]
    fn mistakes_are_named() {
        let error = |text: &str| {
            format!(
                "{:#}",
                load(text, &[], &Flags::default()).expect_err("a mistake")
            )
        };
        assert!(error("listne = 1").contains("listne"));
        assert!(error("[poll]\ninterval_secs = 1").contains("poll.interval_secs"));
        assert!(error("[discover]\nevery = 59").contains("discover.every: 59 is less than 60"));
        let wide = error("[discover]\nsubnets = [\"10.0.0.0/24\", \"8.8.8.0/24\"]");
        assert!(
            wide.contains("discover.subnets: 8.8.8.0/24 is not private"),
            "{wide}"
        );
        let other = error("[discover]\nsubnets = 7");
        assert!(other.contains("discover.subnets: a list"), "{other}");
        assert!(error("[log]\nfilter = \"ingest=loud\"").contains("log.filter"));
        for (push, expected) in [
            (
                "listen = \"8081\"",
                "push.listen: \"8081\" is no address with a port",
            ),
            (
                "listen = 8081",
                "push.listen: a list of addresses is expected, like [\"0.0.0.0:8081\"]",
            ),
            (
                "networks = [\"10.0.0.1/8\"]",
                "push.networks: 10.0.0.1/8 does not begin",
            ),
            ("unknown = \"ask\"", "`hold`, `accept`, `refuse`"),
            ("delay_secs = 1", "push.delay_secs: 1 is not from 2 to 60"),
            ("delay_secs = 61", "push.delay_secs: 61 is"),
            ("keep = \"faces\"", "push.keep: \"faces\" is neither"),
            (
                "path_secret = \"seven77\"",
                "push.path_secret: expected at least 8",
            ),
            ("path_secret = \"with/slash\"", "push.path_secret"),
        ] {
            let error = error(&format!("[push]\n{push}"));
            assert!(error.contains(expected), "{push}: {error}");
            assert!(!error.contains("seven77"), "{error}");
        }
        assert!(error("database = \"mysql://root:secret@h/x\"").contains("sqlite://"));
        assert!(!error("database = \"mysql://root:secret@h/x\"").contains("secret"));
    }

    #[test]
    fn subnets_are_a_list_or_a_text_with_commas() {
        let printed = |text: &str, env: &[(&str, &str)]| {
            let config = load(text, env, &Flags::default()).expect("a good configuration");
            let texts = config.discover.subnets.iter().map(ToString::to_string);
            texts.collect::<Vec<_>>().join(" ")
        };
        let file = "[discover]\nsubnets = [\"10.0.0.0/24\", \"192.168.1.7\"]";
        assert_eq!(printed("", &[]), "");
        assert_eq!(printed(file, &[]), "10.0.0.0/24 192.168.1.7/32");
        for text in [
            "172.16.0.0/20, 10.1.0.0/24",
            "[\"172.16.0.0/20\", \"10.1.0.0/24\"]",
        ] {
            let env = [("MUSTER_DISCOVER_SUBNETS", text)];
            assert_eq!(printed(file, &env), "172.16.0.0/20 10.1.0.0/24", "{text}");
        }
        assert_eq!(printed(file, &[("MUSTER_DISCOVER_SUBNETS", "")]), "");
        let config = load(file, &[], &Flags::default()).expect("a good configuration");
        let again = load(&config.printable(), &[], &Flags::default());
        assert_eq!(again.expect("what is printed can be read"), config);
    }

    #[test]
    fn fingerprints_have_no_purpose_unless_one_is_given() {
        let purpose = |text: &str, env: &[(&str, &str)]| {
            let config = load(text, env, &Flags::default()).expect("a good configuration");
            config.fingerprints.purpose()
        };
        assert_eq!(purpose("", &[]), None);
        assert_eq!(purpose("[fingerprints]\npurpose = \"  \"", &[]), None);
        let file = "[fingerprints]\npurpose = \"a new gate\"";
        assert_eq!(purpose(file, &[]).as_deref(), Some("a new gate"));
        let env = [("MUSTER_FINGERPRINTS_PURPOSE", "spare terminals")];
        assert_eq!(purpose(file, &env).as_deref(), Some("spare terminals"));
    }

    #[test]
    fn terminals_call_as_the_file_or_the_environment_says() {
        let defaults = load("", &[], &Flags::default()).expect("the defaults").push;
        assert_eq!(defaults.listen, [SocketAddr::from(([0, 0, 0, 0], 8081))]);
        assert_eq!(defaults.unknown, UnknownTerminals::Hold);
        assert!(defaults.keep.is_empty() && defaults.networks.is_empty());
        let file = "[push]\nlisten = [\"0.0.0.0:80\", \"[::1]:81\"]\nunknown = \"refuse\"\nkeep = [\"photos\"]\ndelay_secs = 2\n";
        let push = load(file, &[], &Flags::default())
            .expect("a good file")
            .push;
        let ports: Vec<_> = push.listen.iter().map(SocketAddr::port).collect();
        assert_eq!(ports, [80, 81]);
        assert_eq!(push.unknown, UnknownTerminals::Refuse);
        assert_eq!((push.keep, push.delay_secs), (vec![Kept::Photos], 2));
        let env = [
            ("MUSTER_PUSH_LISTEN", "127.0.0.1:1, 127.0.0.1:2"),
            ("MUSTER_PUSH_UNKNOWN", "accept"),
            ("MUSTER_PUSH_PATH_SECRET", "00112233"),
            ("MUSTER_PUSH_NETWORKS", "10.0.0.0/8,fd00::/8"),
            ("MUSTER_PUSH_DELAY_SECS", "60"),
            ("MUSTER_PUSH_KEEP", "[\"templates\", \"photos\"]"),
        ];
        let config = load(file, &env, &Flags::default()).expect("good variables");
        let push = &config.push;
        let ports: Vec<_> = push.listen.iter().map(SocketAddr::port).collect();
        assert_eq!(ports, [1, 2]);
        assert_eq!(push.unknown, UnknownTerminals::Accept);
        assert_eq!((&*push.path_secret, push.delay_secs), ("00112233", 60));
        assert_eq!((push.networks.len(), push.keep.len()), (2, 2));
        assert!(!config.printable().contains("00112233"));
        let nowhere = load(file, &[("MUSTER_PUSH_LISTEN", "")], &Flags::default());
        assert!(nowhere.expect("a good variable").push.listen.is_empty());
    }

    #[test]
    fn the_password_of_the_database_is_not_printed() {
        let config = load(
            "database = \"postgres://m:secret@h/x\"",
            &[],
            &Flags::default(),
        )
        .expect("a good configuration");
        assert!(config.printable().contains("postgres://m:***@h/x"));
    }

    #[test]
    fn every_key_has_a_variable() {
        let table: toml::Table =
            toml::from_str(&toml::to_string(&Config::default()).expect("TOML")).expect("TOML");
        let mut keys = Vec::new();
        for (name, value) in &table {
            match value.as_table() {
                Some(section) => keys.extend(section.keys().map(|leaf| format!("{name}.{leaf}"))),
                None => keys.push(name.clone()),
            }
        }
        keys.sort();
        let mut listed: Vec<_> = KEYS.iter().map(|(key, _)| (*key).to_owned()).collect();
        listed.sort();
        assert_eq!(keys, listed);
    }
}

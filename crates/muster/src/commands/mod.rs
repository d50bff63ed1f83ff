//! One file per command. Commands that use the database open it beside a running server.

pub mod clear_log;
pub mod device;
pub mod discover;
pub mod doctor;
pub mod employee;
pub mod fingerprints;
pub mod init;
pub mod judge;
pub mod period;
pub mod planning;
pub mod policy;
pub mod poll;
pub mod report;
pub mod rules;
pub mod simulate;
pub mod terminal;
pub mod user;
pub mod waiting;
pub mod why;

use std::fs::File;
use std::io::Read;
use std::path::Path;

use anyhow::Context;
use attendance::{DepartmentId, SiteId};
use ingest::{Clock, Engine};
use jiff::tz::TimeZone;
use store::files::FileError;
use store::people::Site;
use store::secrets::SecretKey;
use store::{Author, Store, WriteTx};

use crate::config::Config;
use crate::output::{self, plain};

/// The name of the site that exists before anybody has named one.
const FIRST_SITE: &str = "Main";

/// The database of a command: it must exist and have the tables of this version.
pub async fn open_store(config: &Config) -> anyhow::Result<Store> {
    if let Some(file) = config.sqlite_file()
        && !file.exists()
    {
        anyhow::bail!(
            "there is no database at {}; run `muster init` first, or name it with --database",
            file.display()
        );
    }
    let store = open_with_key(config).await?;
    store
        .check_migrated()
        .await
        .context("run `muster migrate` first")?;
    Ok(store)
}

/// The data path of a command over its database, as the configuration says. Nothing of it runs by itself.
pub async fn engine(config: &Config) -> anyhow::Result<Engine> {
    let store = open_store(config).await?;
    let engine = Engine::new(store, Clock::system(), config.poller());
    Ok(engine.searching(config.discover.locator()))
}

/// The database with the secret key, if there is one; its tables are not touched.
pub async fn open_with_key(config: &Config) -> anyhow::Result<Store> {
    let store = Store::open(&config.database).await?;
    if !config.secret_key_file.exists() {
        return Ok(store);
    }
    let key = SecretKey::read_file(&config.secret_key_file)
        .context("the secret key cannot be used; restore muster.key from your copy, or name it with MUSTER_SECRET_KEY_FILE")?;
    Ok(store.with_secret_key(key))
}

/// Who changes something from the command line.
pub fn author() -> Author {
    Author {
        account: None,
        at: Clock::system().now(),
    }
}

/// A secret from standard input, without the line end; it never stands on a command line, where others could read it.
pub fn secret_from_stdin(what: &str) -> anyhow::Result<String> {
    let mut text = String::new();
    std::io::stdin()
        .take(4096)
        .read_to_string(&mut text)
        .with_context(|| format!("the {what} cannot be read from standard input"))?;
    let secret = text.trim_end_matches(['\r', '\n']).to_owned();
    anyhow::ensure!(
        !secret.is_empty(),
        "standard input holds no {what}; for example: printf %s \"$SECRET\" | muster …"
    );
    Ok(secret)
}

/// The site of that name.
pub async fn site_named(store: &Store, name: &str) -> anyhow::Result<SiteId> {
    let site = store.site_by_name(name).await?;
    let site = site.with_context(|| format!("there is no site {name:?}"))?;
    Ok(site.id)
}

/// The department of that name.
///
/// # Errors
/// When there is none, or several sites have one.
pub async fn department_named(store: &Store, name: &str) -> anyhow::Result<DepartmentId> {
    let found = store.departments().await?;
    let mut named = found.iter().filter(|department| department.name == name);
    let department = named
        .next()
        .with_context(|| format!("there is no department {name:?}"))?;
    anyhow::ensure!(
        named.next().is_none(),
        "several sites have a department {name:?}: do it on the pages"
    );
    Ok(department.id)
}

/// Reads a file that is imported; every mistake names the file.
pub fn read_file<T>(
    path: &Path,
    read: impl FnOnce(File) -> Result<T, FileError>,
) -> anyhow::Result<T> {
    let file = File::open(path).with_context(|| format!("{} cannot be opened", path.display()))?;
    read(file).with_context(|| format!("nothing of {} was imported", path.display()))
}

/// Lists the mistakes of a file, each with its place, as the reason to import nothing.
pub fn refuse_lines(path: &Path, mistakes: &[(u64, String)]) -> anyhow::Error {
    for (line, message) in mistakes {
        eprintln!("{}:{line}: {}", path.display(), plain(message));
    }
    let wrong = output::count(mistakes.len() as u64, "line is", "lines are");
    anyhow::anyhow!("nothing of {} was imported: {wrong} wrong", path.display())
}

/// The sites that devices and people can be at.
#[derive(Debug)]
pub struct Sites {
    known: Vec<Site>,
    made: bool,
}

impl Sites {
    /// All sites. On a fresh database, where the set-up in the browser has not been done yet, `tx` makes the first one, in this
    /// machine's zone; the set-up can change it.
    pub async fn load_or_make(store: &Store, tx: &WriteTx) -> anyhow::Result<Self> {
        let known = store.sites().await?;
        if !known.is_empty() {
            return Ok(Self { known, made: false });
        }
        let zone = TimeZone::try_system().ok();
        let zone = zone.as_ref().and_then(TimeZone::iana_name).unwrap_or("UTC");
        let first = Site {
            id: tx.add_site(FIRST_SITE, zone, author()).await?,
            name: FIRST_SITE.to_owned(),
            zone: zone.to_owned(),
            is_default: true,
        };
        Ok(Self {
            known: vec![first],
            made: true,
        })
    }

    /// The site of that name; without a name the default one.
    pub fn find(&self, name: Option<&str>) -> Result<&Site, String> {
        let found = self.known.iter().find(|site| match name {
            Some(name) => site.name == name.trim(),
            None => site.is_default,
        });
        found.ok_or_else(|| {
            let names: Vec<_> = self.known.iter().map(|site| &*site.name).collect();
            let names = names.join(", ");
            match name {
                Some(name) => format!("there is no site {name:?}; the sites are {names}"),
                None => format!("no site is the default one; the sites are {names}"),
            }
        })
    }

    /// Says what was made besides what was asked for. To be called after the commit.
    pub fn tell(&self) {
        if let (true, Some(site)) = (self.made, self.known.first()) {
            println!(
                "made the first site, {} ({}); the set-up in the browser can change both",
                site.name, site.zone
            );
        }
    }
}

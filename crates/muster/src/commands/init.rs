//! `muster init`, `setup-link` and `migrate`: from an empty folder to a server that can start.

use std::net::SocketAddr;

use anyhow::Context;
use store::Store;
use store::secrets::SecretKey;

use crate::config::{Config, Flags};

#[derive(clap::Args)]
pub struct Args {
    /// Where the pages will be served.
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
}

#[derive(clap::Args)]
pub struct SetupLinkArgs {
    /// The address people reach the server at, e.g. https://muster.example.
    #[arg(long, value_name = "URL")]
    base_url: Option<String>,
}

/// Makes what is missing and keeps what is there.
pub async fn run(args: Args, flags: &Flags, mut config: Config) -> anyhow::Result<()> {
    if let Some(listen) = args.listen {
        config.listen = listen;
    }
    let file = &flags.config;
    if file.exists() {
        println!("{} exists and is kept", file.display());
    } else {
        std::fs::write(file, file_text(&config, flags))
            .with_context(|| format!("{} cannot be written", file.display()))?;
        println!("wrote {}", file.display());
    }
    let key_file = &config.secret_key_file;
    if key_file.exists() {
        println!("{} exists and is kept", key_file.display());
    } else {
        SecretKey::create_file(key_file)?;
        println!(
            "made {}: keep a copy apart from the database, device passwords cannot be read without it",
            key_file.display()
        );
    }
    let store = super::open_with_key(&config).await?;
    store.migrate().await.context("the tables cannot be made")?;
    if store.has_owner().await? {
        println!("there is an owner account already; start the server with `muster serve`");
        return Ok(());
    }
    let link = new_setup_link(&store, &base_url(&config)).await?;
    println!("start the server with `muster serve`, then open within 30 minutes:\n\n  {link}\n");
    Ok(())
}

/// Prints a link that creates the owner account, or lets an existing owner set a new password.
pub async fn setup_link(args: SetupLinkArgs, config: Config) -> anyhow::Result<()> {
    let store = super::open_store(&config).await?;
    println!(
        "{}",
        new_setup_link(&store, &args.base_url.unwrap_or_else(|| base_url(&config))).await?
    );
    Ok(())
}

pub async fn migrate(config: Config) -> anyhow::Result<()> {
    let store = super::open_with_key(&config).await?;
    store
        .migrate()
        .await
        .context("the tables cannot be brought to this version")?;
    println!(
        "the database has the tables of Muster {}",
        env!("CARGO_PKG_VERSION")
    );
    Ok(())
}

/// A link valid 30 minutes and once.
pub async fn new_setup_link(store: &Store, base_url: &str) -> anyhow::Result<String> {
    let tx = store.begin_write().await?;
    let token = tx
        .add_setup_link(ingest::Clock::system().real_now())
        .await?;
    tx.commit().await?;
    Ok(format!("{}/setup/{token}", base_url.trim_end_matches('/')))
}

pub fn base_url(config: &Config) -> String {
    format!("http://{}", config.listen)
}

/// The file as it is first written: what was asked for, and the rest as comments to uncomment.
fn file_text(config: &Config, flags: &Flags) -> String {
    let defaults = Config::default();
    let database = flags
        .database
        .clone()
        .or_else(|| std::env::var("MUSTER_DATABASE").ok())
        .unwrap_or(defaults.database);
    format!(
        "# Muster. Each key can also be set as an environment variable, e.g. MUSTER_POLL_INTERVAL_SECS.\n\
         # `muster serve --print-config` shows the effective values. Paths are relative to this file.\n\n\
         database = {database:?}\n\
         listen = \"{}\"\n\n\
         # Set when people reach the pages by HTTPS only, through a proxy.\n\
         # secure_cookies = true\n\n\
         # [poll]\n\
         # interval_secs = {}   # for devices that have no interval of their own\n\
         # deadline_secs = {}    # one read of one terminal as a whole\n\
         # concurrency = {}      # terminals read at the same time\n\n\
         # [discover]\n\
         # subnets = [\"10.0.0.0/24\"]   # where ZKTeco terminals that moved are found again; private, and nothing else is searched\n\
         # every = {}                  # seconds between two searches\n\
         # sadp = [\"0.0.0.0\"]          # our addresses on the networks where Hikvision terminals are asked where they are\n\
         # sadp_listen = {}          # they are also heard when somebody else asks them\n\n\
         # [fingerprints]\n\
         # purpose = \"\"   # for what fingerprints are backed up and copied; without it nothing of them is read, kept or written\n\n\
         # [pictures]\n\
         # keep_days = {}   # so long the pictures that Hikvision terminals send with punches are kept, encrypted; 0: none is stored\n",
        config.listen,
        defaults.poll.interval_secs,
        defaults.poll.deadline_secs,
        defaults.poll.concurrency,
        defaults.discover.every,
        defaults.discover.sadp_listen,
        defaults.pictures.keep_days,
    )
}

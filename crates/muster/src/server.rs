//! `muster serve`: opens the database, starts the workers and the pages, and stops them in order.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context;
use attendance::AccountId;
use ingest::{CallerOptions, CallsTo, Clock, Engine, LocatorOptions, PollerOptions};
use store::accounts::{NewAccount, Role};
use store::secrets::{SecretKey, random_token};
use store::{Author, Store};
use tokio::net::TcpListener;
use tracing::info;
use web::push::{
    Brands, HikPush, PushListener, PushListenerOptions, ZkPush, ZkPushOptions, beside_pages,
};
use web::{WebConfig, WebState};

use crate::commands;
use crate::config::Config;
use crate::lock::ServerLock;

/// How long open requests may take to end when the server stops.
const STOP_LIMIT: Duration = Duration::from_secs(5);

#[derive(clap::Args)]
pub struct Args {
    /// Where the pages are served.
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
    /// Where terminals call; several addresses with commas.
    #[arg(long, value_name = "ADDRESS", value_delimiter = ',')]
    push_listen: Vec<SocketAddr>,
    /// What this process does; on PostgreSQL several can share the work.
    #[arg(long, value_enum, default_value_t = Part::All)]
    role: Part,
    /// Prints the effective configuration, with secrets hidden, and ends.
    #[arg(long)]
    print_config: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Part {
    /// Pages and workers.
    All,
    /// Only the pages.
    Web,
    /// Only reading and judging.
    Worker,
}

/// How a server differs from another one on the same program.
#[derive(Debug)]
pub struct Options {
    pub part: Part,
    pub web: WebConfig,
    /// Where terminals call, and how they are answered; `None`: nowhere.
    pub push: Option<Push>,
    pub callers: CallerOptions,
    pub poller: PollerOptions,
    pub locator: LocatorOptions,
}

/// Where terminals call, who of them may, and how they are answered.
#[derive(Debug)]
pub struct Push {
    pub listener: PushListener,
    pub limits: PushListenerOptions,
    pub zk: ZkPushOptions,
    /// What terminals are told to call instead of where we listen.
    pub advertise: Option<(String, u16)>,
}

impl Push {
    /// Where terminals that can be told are told to call.
    fn calls(&self) -> Option<CallsTo> {
        calls_to(self.advertise.clone(), &self.listener.addresses())
    }
}

/// Where terminals are told to call: what is advertised, else the first address that is listened on.
pub fn calls_to(advertised: Option<(String, u16)>, listens: &[SocketAddr]) -> Option<CallsTo> {
    if let Some((host, port)) = advertised {
        let host = Some(host);
        return Some(CallsTo { host, port });
    }
    let address = listens.first()?;
    let host = (!address.ip().is_unspecified()).then(|| address.ip().to_string());
    Some(CallsTo {
        host,
        port: address.port(),
    })
}

pub async fn run(args: Args, mut config: Config) -> anyhow::Result<()> {
    if let Some(listen) = args.listen {
        config.listen = listen;
    }
    if !args.push_listen.is_empty() {
        config.push.listen = args.push_listen;
    }
    if args.print_config {
        print!("{}", config.printable());
        return Ok(());
    }
    let lock = config.sqlite_file().map(ServerLock::take).transpose()?;
    let listener = listen(config.listen).await?;
    let push = match args.role {
        Part::All | Part::Worker => listen_for_terminals(&config).await?,
        Part::Web => None,
    };
    let store = open(&config).await?;
    if lock.is_some() {
        // Nobody else serves this file: leases are those of a server that was killed.
        let tx = store.begin_write().await?;
        tx.end_all_leases().await?;
        tx.commit_quietly().await?;
    }
    println!("Muster listens on http://{}", listener.local_addr()?);
    if let Some(push) = &push {
        let addresses = push
            .listener
            .addresses()
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>();
        println!("terminals can call {}", addresses.join(" and "));
    }
    if !store.has_owner().await? {
        let link = commands::init::new_setup_link(&store, &base_url(&listener)?).await?;
        println!("there is no owner account yet; make it within 30 minutes at\n\n  {link}\n");
    }
    let options = Options {
        part: args.role,
        web: WebConfig {
            secure_cookies: config.secure_cookies,
            push_addresses: push
                .as_ref()
                .map_or(Vec::new(), |push| push.listener.addresses()),
            push_advertise: config
                .push
                .advertised()?
                .map(|(host, port)| format!("{host}:{port}")),
            push_has_path_secret: !config.push.path_secret.is_empty(),
            ..WebConfig::default()
        },
        push,
        callers: config.push.callers(),
        poller: config.poller(),
        locator: config.discover.locator(),
    };
    run_until_stopped(store, Clock::system(), listener, options).await
}

/// The database, brought to this version, with a secret key that fits it.
async fn open(config: &Config) -> anyhow::Result<Store> {
    let mut store = commands::open_with_key(config).await?;
    store
        .migrate()
        .await
        .context("the tables cannot be brought to this version")?;
    store.check_secret_key().await.with_context(|| {
        format!(
            "the stored device passwords or fingerprints do not open with {}; restore that file from your copy, or name it with MUSTER_SECRET_KEY_FILE",
            config.secret_key_file.display()
        )
    })?;
    if !config.secret_key_file.exists() {
        store = store.with_secret_key(SecretKey::create_file(&config.secret_key_file)?);
        info!(
            "made the secret key {}; keep a copy apart from the database",
            config.secret_key_file.display()
        );
    }
    Ok(store)
}

pub async fn listen(address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.with_context(|| {
        format!(
            "cannot listen on {address}; is another program there? choose another with --listen"
        )
    })
}

/// The addresses that terminals call, if there are any.
async fn listen_for_terminals(config: &Config) -> anyhow::Result<Option<Push>> {
    if config.push.listen.is_empty() {
        return Ok(None);
    }
    let listener = PushListener::bind(&config.push.listen).await.context(
        "terminals cannot call; is another program on that port? choose another with --push-listen, or none with listen = [] under [push] in muster.toml",
    )?;
    let limits = PushListenerOptions {
        networks: config.push.networks.clone(),
        ..PushListenerOptions::default()
    };
    Ok(Some(Push {
        listener,
        limits,
        zk: config.push.zk(),
        advertise: config.push.advertised()?,
    }))
}

/// Makes the owner's account, without a password that anybody knows, and a link that signs in to it once.
pub async fn sign_in_link(
    store: &Store,
    (name, email): (&str, &str),
    listener: &TcpListener,
    author: Author,
) -> anyhow::Result<(AccountId, String)> {
    let owner = NewAccount {
        email: email.into(),
        name: name.into(),
        // No argon2 hash: nothing that is typed matches it.
        password_hash: format!("!{}", random_token()),
        roles: [Role::Owner, Role::Hr, Role::It].into(),
        employee: None,
    };
    let tx = store.begin_write().await?;
    let account = tx.add_account(&owner, author).await?;
    tx.commit().await?;
    Ok((
        account,
        commands::init::new_setup_link(store, &base_url(listener)?).await?,
    ))
}

/// Serves until Ctrl-C or SIGTERM, then lets what is under way end.
pub async fn run_until_stopped(
    store: Store,
    clock: Clock,
    listener: TcpListener,
    options: Options,
) -> anyhow::Result<()> {
    let mut poller = options.poller;
    if let Some(push) = &options.push {
        poller.calls = push.calls(); // with the port that the system chose
    }
    let engine = Engine::new(store.clone(), clock.clone(), poller)
        .searching(options.locator)
        .answering(options.callers);
    let watching = engine.watch().await?;
    let workers = match options.part {
        Part::Web => None,
        Part::All | Part::Worker => Some(engine.start().await?),
    };
    let (callers, pictures) = (engine.callers.clone(), engine.pictures.clone());
    let state = WebState::new(engine, options.web);
    let boards = tokio::spawn(state.clone().run());
    let mut pages = match options.part {
        Part::Worker => web::health_router(state.clone()),
        Part::All | Part::Web => web::router(state.clone()),
    };
    let calls = options.push.map(|push| {
        let state = state.clone();
        let stopped = async move { state.closed().await };
        let watching = callers.watch();
        let protocol = Brands {
            hik: HikPush::new(callers.clone(), pictures),
            zk: ZkPush::new(callers, clock.clone(), push.zk),
        };
        let networks = push.limits.networks.clone();
        let beside = std::mem::take(&mut pages);
        pages = beside_pages(beside, protocol.clone(), networks, clock.clone());
        let serving = push.listener.serve(protocol, clock, push.limits, stopped);
        (watching, tokio::spawn(serving))
    });
    let stopped = {
        let state = state.clone();
        async move {
            stop_signal().await;
            info!("stopping");
            state.close();
        }
    };
    let serving = axum::serve(
        listener,
        pages.into_make_service_with_connect_info::<SocketAddr>(),
    )
    .with_graceful_shutdown(stopped);
    let mut serving = tokio::spawn(serving.into_future());
    let outcome = tokio::select! {
        ended = &mut serving => ended,
        () = async { state.closed().await; tokio::time::sleep(STOP_LIMIT).await } => { serving.abort(); Ok(Ok(())) }
    };
    // Also when the pages ended by themselves.
    state.close();
    if let Some((_watching, calls)) = calls {
        calls.await?;
    }
    boards.abort();
    drop(watching);
    if let Some(workers) = workers {
        workers.stop().await?;
    }
    store.close().await?;
    Ok(outcome??)
}

fn base_url(listener: &TcpListener) -> anyhow::Result<String> {
    Ok(format!("http://{}", listener.local_addr()?))
}

async fn stop_signal() {
    let interrupt = tokio::signal::ctrl_c();
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())
        .expect("signals can be awaited");
    tokio::select! {
        _interrupted = interrupt => {}
        _terminated = terminate.recv() => {}
    }
}

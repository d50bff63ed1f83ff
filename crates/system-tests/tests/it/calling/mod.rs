//! Terminals that call the server, against the pushing virtual terminals: what they say it has, it has, once.
//!
//! The server runs in this process, on a clock that only the test moves; the terminals run as fast as they are answered, and
//! show the server's time.

mod alarms;
mod checks;
mod journeys;
mod uploads;

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use attendance::{DeviceId, Way};
use ingest::{CallerOptions, Clock, Engine, Order, PollerOptions};
use jiff::civil::{Date, DateTime, date};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use sea_orm::{ConnectionTrait, Statement};
use simulators::zk_push::{Profile, Punch, RunningTerminal, User, VirtualTerminal};
use store::devices::{DeviceFields, NewDevice};
use store::secrets::SecretKey;
use store::testing::author;
use store::{Author, Store};
use tokio::task::JoinHandle;
use web::push::{PushListener, PushListenerOptions, ZkPush, ZkPushOptions};

/// Far more than anything here takes: only what hangs ends so.
pub const SOON: Duration = Duration::from_secs(60);
/// A Monday, the first day in the logs.
pub const FIRST_DAY: Date = date(2026, 11, 2);
const SITE_ZONE: &str = "UTC";

/// The server, with one site and no device yet, on Monday 2026-11-23 at half past eight.
pub struct Server {
    pub store: Store,
    pub engine: Engine,
    pub clock: Clock,
    pub address: SocketAddr,
    site: attendance::SiteId,
    serving: Option<JoinHandle<()>>,
    /// Of [`Server::on_a_file`].
    folder: Option<tempfile::TempDir>,
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(serving) = &self.serving {
            serving.abort();
        }
    }
}

impl Server {
    /// On a new SQLite file.
    pub async fn on_a_file() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let url = format!("sqlite://{}", folder.path().join("muster.db").display());
        let store = Store::open(&url).await.expect("a new file");
        store.migrate().await.expect("a new file");
        let mut server = Self::start(store).await;
        server.folder = Some(folder);
        server
    }

    pub async fn start(store: Store) -> Self {
        let any = "127.0.0.1:0".parse().expect("an address");
        let now = "2026-11-23T08:30:00Z".parse().expect("an instant");
        Self::start_at(store, any, now).await
    }

    async fn start_at(store: Store, address: SocketAddr, now: Timestamp) -> Self {
        let clock = Clock::stopped(now);
        let store = store.with_secret_key(SecretKey::generate());
        let known = store.default_site().await.expect("a database");
        let site = match known {
            Some(site) => site.id,
            None => {
                let tx = store.begin_write().await.expect("a transaction");
                let site = tx.add_site("Office", SITE_ZONE, author()).await;
                tx.commit().await.expect("a commit");
                site.expect("a site")
            }
        };
        let engine = Engine::new(store.clone(), clock.clone(), PollerOptions::default());
        let engine = engine.answering(CallerOptions::default());
        let listener = PushListener::bind(&[address]).await.expect("a port");
        let address = listener.addresses()[0];
        let zk = ZkPush::new(
            engine.callers.clone(),
            clock.clone(),
            ZkPushOptions::default(),
        );
        let serving = listener.serve(
            zk,
            clock.clone(),
            PushListenerOptions::default(),
            std::future::pending(),
        );
        Self {
            store,
            engine,
            clock,
            address,
            site,
            serving: Some(tokio::spawn(serving)),
            folder: None,
        }
    }

    /// Where [`Server::on_a_file`] keeps its database.
    pub fn file(&self) -> std::path::PathBuf {
        let folder = self.folder.as_ref().expect("it is on a file of its own");
        folder.path().join("muster.db")
    }

    /// Changes the file behind the server's back.
    pub async fn run_sql(&self, text: &str) -> u64 {
        let url = format!("sqlite://{}", self.file().display());
        let file = sea_orm::Database::connect(url).await.expect("the file");
        let done = file.execute_raw(self.statement(text)).await;
        file.close().await.expect("the file");
        done.expect("a test may write").rows_affected()
    }

    /// Ends it as a crash does; its file stays. What to start it with again.
    pub async fn end(mut self) -> (Option<tempfile::TempDir>, SocketAddr, Timestamp) {
        self.stop_listening().await;
        self.store.close().await.expect("closed");
        (self.folder.take(), self.address, self.now())
    }

    /// Nobody answers on its port any more.
    async fn stop_listening(&mut self) {
        if let Some(serving) = self.serving.take() {
            serving.abort();
            let _aborted = serving.await;
        }
    }

    /// On a file that another server left, at the same address and time.
    pub async fn start_again(left: (Option<tempfile::TempDir>, SocketAddr, Timestamp)) -> Self {
        let (folder, address, now) = left;
        let folder = folder.expect("it was on a file");
        let url = format!("sqlite://{}", folder.path().join("muster.db").display());
        let store = Store::open(&url).await.expect("the file");
        let mut server = Self::start_at(store, address, now).await;
        server.folder = Some(folder);
        server
    }

    /// Registers a device that calls, as the page of held terminals does.
    pub async fn register(&self, serial: &str) -> DeviceId {
        self.register_with(serial, vec![Way::Push], None).await
    }

    pub async fn register_with(
        &self,
        serial: &str,
        mode: Vec<Way>,
        address: Option<SocketAddr>,
    ) -> DeviceId {
        let new = NewDevice {
            fields: DeviceFields {
                mode,
                address: address.map(|address| address.ip().to_string()),
                port: address.map(|address| address.port()),
                ..store::testing::device_fields(self.site, serial)
            },
            password: None,
            comm_key: None,
            zone: None,
        };
        let tx = self.store.begin_write().await.expect("a transaction");
        let device = tx.add_device(&new, author()).await.expect("a device");
        tx.commit().await.expect("a commit");
        self.read_known().await;
        device
    }

    pub async fn read_known(&self) {
        let read = self.engine.callers.read_known().await;
        read.expect("a database");
    }

    /// The same server on more addresses.
    pub async fn listen_also(
        &self,
        addresses: &[&str],
        options: PushListenerOptions,
    ) -> (JoinHandle<()>, Vec<SocketAddr>) {
        let addresses: Vec<SocketAddr> = addresses
            .iter()
            .map(|address| address.parse().expect("an address"))
            .collect();
        let listener = PushListener::bind(&addresses).await.expect("free ports");
        let found = listener.addresses();
        let (callers, clock) = (self.engine.callers.clone(), self.clock.clone());
        let zk = ZkPush::new(callers, clock.clone(), ZkPushOptions::default());
        let serving = listener.serve(zk, clock, options, std::future::pending());
        (tokio::spawn(serving), found)
    }

    /// A virtual terminal that shows the server's time and hurries, before it is switched on.
    pub fn terminal(&self, serial: &str, profile: Profile) -> VirtualTerminal {
        let clock = self.clock.clone();
        VirtualTerminal::new(serial, profile)
            .clock(Arc::new(move || TimeZone::UTC.to_datetime(clock.now())))
            .delay(Duration::from_millis(5))
            .error_delay(Duration::from_millis(5))
            .time_out(Duration::from_secs(5))
            .time_scale(1000)
    }

    pub fn later(&self, by: SignedDuration) {
        self.clock.set(self.clock.now() + by);
    }

    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub fn author(&self) -> Author {
        Author {
            account: None,
            at: self.now(),
        }
    }

    /// What the server does every few seconds.
    pub async fn tick(&self) {
        let done = self.engine.callers.tick().await;
        done.expect("the database takes it");
    }

    /// Device user and wall time of every punch that is stored of a device.
    pub async fn stored(&self, device: DeviceId) -> Vec<Seen> {
        let punches = store::testing::punches_of(&self.store, device).await;
        let seen = punches.iter().map(|line| {
            let mut words = line.split(' ');
            let mut word = || words.next().expect("a user, a date and a time");
            let (user, date, time) = (word(), word(), word());
            let clock = format!("{date} {time}").parse().expect("a wall time");
            (user.to_owned(), clock)
        });
        let mut seen: Vec<Seen> = seen.collect();
        seen.sort();
        seen
    }

    pub async fn parked(&self, device: DeviceId) -> usize {
        let parked = self.store.parked_of(device).await;
        parked.expect("a database").len()
    }

    /// Everything the terminal said it has delivered is stored once, and everything that is stored is in its log. What of the
    /// log is stored.
    pub async fn is_exact(&self, device: DeviceId, terminal: &RunningTerminal, what: &str) {
        let acknowledged = distinct(terminal.acknowledged());
        let log = distinct(terminal.log().into_iter().map(|logged| logged.punch));
        let stored = self.stored(device).await;
        let once: BTreeSet<Seen> = stored.iter().cloned().collect();
        assert_eq!(
            once.len(),
            stored.len(),
            "{what}: something is stored twice"
        );
        assert_eq!(
            once, log,
            "{what}: what is stored is not what is in the log"
        );
        assert_eq!(
            acknowledged, log,
            "{what}: what is acknowledged is not the log"
        );
    }

    pub async fn order(&self, device: DeviceId, order: Order) -> i64 {
        let callers = &self.engine.callers;
        let given = callers.order(device, &order, None, None).await;
        given.expect("the database takes it")
    }

    /// Waits until no command is open.
    pub async fn until_all_answered(&self, device: DeviceId) {
        within("every command is answered", async || {
            let commands = self.store.commands_of(device, 1000).await;
            let commands = commands.expect("a database");
            commands.iter().all(|command| command.ended_ms.is_some())
        })
        .await;
    }

    /// The step of the failure that lasts, if one does.
    pub async fn failure(&self, device: DeviceId) -> Option<String> {
        let failures = store::views::devices::failures(&self.store, Some(device.0), 10, 0).await;
        let failures = failures.expect("a database");
        let lasting = failures.into_iter().find(|row| row.ended_ms.is_none());
        lasting.map(|row| row.step)
    }

    /// Cause and ends of the gaps of a device.
    pub async fn gaps(&self, device: DeviceId) -> Vec<(String, Timestamp, Option<Timestamp>)> {
        let text = format!(
            "SELECT cause, from_ms, to_ms FROM device_gaps WHERE device_id = {} ORDER BY from_ms, id",
            device.0
        );
        let rows = self.store.read().query_all_raw(self.statement(&text)).await;
        let gap = |row: &sea_orm::QueryResult| {
            let from: i64 = row.try_get_by_index(1).expect("a number");
            let to: Option<i64> = row.try_get_by_index(2).expect("a number");
            let cause = row.try_get_by_index(0).expect("a text");
            (cause, instant(from), to.map(instant))
        };
        rows.expect("the gaps can be read")
            .iter()
            .map(gap)
            .collect()
    }

    pub async fn covered_to(&self, device: DeviceId) -> Option<Timestamp> {
        let tx = self.store.begin_write().await.expect("a transaction");
        let covered = tx.covered_to(device).await.expect("a database");
        tx.rollback().await.expect("a database");
        covered
    }

    pub fn statement(&self, text: &str) -> Statement {
        Statement::from_string(self.store.backend(), text.to_owned())
    }
}

/// Who, and at which wall time: what makes a punch of a device one.
pub type Seen = (String, DateTime);

pub fn distinct(punches: impl IntoIterator<Item = Punch>) -> BTreeSet<Seen> {
    let seen = punches.into_iter().map(|punch| (punch.pin, punch.clock));
    seen.collect()
}

fn instant(ms: i64) -> Timestamp {
    Timestamp::from_millisecond(ms).expect("an instant")
}

/// Ana and Ben, whose pins are those of the logs.
pub fn two_users() -> [User; 2] {
    [
        User::new("1001").named("Ana").admin(),
        User::new("1002").named("Ben"),
    ]
}

/// Waits until something holds that nobody tells about.
pub async fn within(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let limit = std::time::Instant::now() + SOON;
    while !holds().await {
        assert!(std::time::Instant::now() < limit, "it never was so: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// What takes longer hangs.
pub async fn soon<T>(what: &str, work: impl Future<Output = T>) -> T {
    let ended = tokio::time::timeout(SOON, work).await;
    ended.unwrap_or_else(|_| panic!("it never was so: {what}"))
}

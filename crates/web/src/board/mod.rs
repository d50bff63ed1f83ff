//! The board of today: a snapshot per site in memory, refreshed after changes, so that a page costs no query.

mod brief;
mod chart;
mod facts;
mod segment;
mod usual;
mod view;

use std::collections::HashMap;
use std::sync::{Arc, RwLock};
use std::time::Duration;

use ingest::{Change, Changes, Clock, Subscription};
use jiff::tz::TimeZone;
use store::views::board::{self, SiteRow, Waiting};
use store::views::exceptions;
use store::views::requests::{self, Seen};
use store::{Store, StoreError};
use tokio::sync::{Mutex, watch};

pub use facts::Facts;
pub use segment::Segment;
pub use view::{Board, path_part};

use crate::format;

/// Changes within this time become one refresh, so there are at most four a second.
const BATCH: Duration = Duration::from_millis(250);
/// Or within so many times as the last refresh took: while everybody's punches come at once, storing them goes first.
const REST: u32 = 4;
/// But no longer than this, because somebody may be looking at the board.
const LONGEST_REST: Duration = Duration::from_secs(1);
/// At least this often everything is read again.
const WHOLE: Duration = Duration::from_secs(60);
/// A clock that runs faster than life does not refresh more often than this.
const LEAST: Duration = Duration::from_secs(2);

/// Numbers beside the entries of the navigation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub frame: Waiting,
    /// Days that need a decision.
    pub exceptions: i64,
    /// Open requests of everybody.
    pub requests: i64,
}

/// The frame of every page: company, sites, and what waits.
#[derive(Clone, Debug, Default)]
pub struct Frame {
    pub company: String,
    pub sites: Arc<Vec<SiteRow>>,
    pub waiting: Counts,
}

impl Frame {
    /// The site with that id, else the default one; `None` before the first site exists.
    pub fn site(&self, id: Option<i64>) -> Option<&SiteRow> {
        let wanted = self.sites.iter().find(|site| Some(site.id) == id);
        wanted.or_else(|| self.sites.first())
    }

    /// The zone of the default site.
    pub fn zone(&self) -> TimeZone {
        self.site(None)
            .map_or(TimeZone::UTC, |site| format::zone(&site.zone))
    }
}

/// The boards of all sites that somebody looks at. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Boards(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    store: Store,
    clock: Clock,
    frame: RwLock<Arc<Frame>>,
    boards: RwLock<HashMap<i64, Arc<Facts>>>,
    /// Loading a site the first time happens once, however many ask for it.
    loading: Mutex<()>,
    /// Counts snapshots; begins at the time of the start, so that no two runs share a number.
    version: watch::Sender<u64>,
}

impl Boards {
    /// Boards that know nothing yet; see [`Boards::run`].
    pub fn new(store: Store, clock: Clock) -> Self {
        let start = u64::try_from(clock.real_now().as_millisecond()).unwrap_or_default();
        Self(Arc::new(Inner {
            store,
            clock,
            frame: RwLock::default(),
            boards: RwLock::default(),
            loading: Mutex::default(),
            version: watch::Sender::new(start),
        }))
    }

    /// The number of the present snapshot.
    pub fn version(&self) -> u64 {
        *self.0.version.borrow()
    }

    /// Told when a new snapshot is there.
    pub fn watch(&self) -> watch::Receiver<u64> {
        self.0.version.subscribe()
    }

    pub fn frame(&self) -> Arc<Frame> {
        Arc::clone(&self.0.frame.read().expect("nobody panics while holding it"))
    }

    /// The snapshot of a site; read from the store when nobody has asked for it before. `None` when there is no site at all.
    pub async fn site(&self, id: Option<i64>) -> Result<Option<Arc<Facts>>, StoreError> {
        let mut frame = self.frame();
        if frame.sites.is_empty() {
            // Nothing was read yet, or the first site was added a moment ago.
            self.refresh_frame().await?;
            frame = self.frame();
        }
        let Some(site) = frame.site(id) else {
            return Ok(None);
        };
        if let Some(facts) = self.known(site.id) {
            return Ok(Some(facts));
        }
        let _one = self.0.loading.lock().await;
        if let Some(facts) = self.known(site.id) {
            return Ok(Some(facts));
        }
        let now = self.0.clock.now();
        let sites = Arc::clone(&frame.sites);
        let facts = Arc::new(Facts::load(&self.0.store, site.clone(), sites, now).await?);
        self.put(&facts);
        Ok(Some(facts))
    }

    fn known(&self, site: i64) -> Option<Arc<Facts>> {
        let boards = self
            .0
            .boards
            .read()
            .expect("nobody panics while holding it");
        boards.get(&site).cloned()
    }

    fn put(&self, facts: &Arc<Facts>) {
        let mut boards = self
            .0
            .boards
            .write()
            .expect("nobody panics while holding it");
        boards.insert(facts.site.id, Arc::clone(facts));
    }

    /// Reads what the frame of every page shows.
    pub async fn refresh_frame(&self) -> Result<(), StoreError> {
        let store = &self.0.store;
        let mut frame = Frame {
            company: store.setting("company").await?.unwrap_or_default(),
            sites: Arc::new(board::sites(store).await?),
            waiting: Counts::default(),
        };
        let today = self.0.clock.now().to_zoned(frame.zone()).date().to_string();
        frame.waiting = Counts {
            frame: board::waiting(store).await?,
            exceptions: exceptions::count_all(store, &today).await?,
            requests: requests::count_open(store, &Seen::Everybody).await?,
        };
        *self
            .0
            .frame
            .write()
            .expect("nobody panics while holding it") = Arc::new(frame);
        Ok(())
    }

    /// Applies a change to every board in memory and tells the viewers.
    pub async fn refresh(&self, change: &Change) -> Result<(), StoreError> {
        self.refresh_frame().await?;
        let frame = self.frame();
        let known: Vec<Arc<Facts>> = {
            let boards = self
                .0
                .boards
                .read()
                .expect("nobody panics while holding it");
            boards.values().cloned().collect()
        };
        let now = self.0.clock.now();
        for facts in known {
            let edited = *facts.sites != *frame.sites;
            let Some(site) = frame.sites.iter().find(|site| site.id == facts.site.id) else {
                continue;
            };
            let next = if edited {
                let sites = Arc::clone(&frame.sites);
                Facts::load(&self.0.store, site.clone(), sites, now).await?
            } else {
                facts.after(&self.0.store, change, now).await?
            };
            self.put(&Arc::new(next));
        }
        self.0.version.send_modify(|version| *version += 1);
        Ok(())
    }

    /// Keeps the boards fresh until the channel of changes closes. A failed read is logged and tried again.
    pub async fn run(self, changes: Changes) {
        let mut subscription = changes.subscribe();
        drop(changes);
        let mut last_whole = tokio::time::Instant::now();
        let mut next = Some(Change::everything());
        let mut batch = BATCH;
        loop {
            if let Some(change) = next.take() {
                let began = tokio::time::Instant::now();
                if change.everything {
                    last_whole = tokio::time::Instant::now();
                }
                let loaded = async {
                    self.refresh(&change).await?;
                    self.site(None).await
                };
                if let Err(error) = loaded.await {
                    tracing::warn!(
                        error = &error as &dyn std::error::Error,
                        "the board cannot be read"
                    );
                    tokio::time::sleep(LEAST).await;
                    next = Some(Change::everything());
                    continue;
                }
                batch = (began.elapsed() * REST).clamp(BATCH, LONGEST_REST);
            }
            let wait = self.until_next_minute();
            let change = tokio::select! {
                change = subscription.next() => match change {
                    Some(change) => gather(&mut subscription, (*change).clone(), batch).await,
                    None => return,
                },
                () = tokio::time::sleep(wait) => Change::default(),
            };
            let whole = last_whole.elapsed() >= WHOLE;
            next = Some(if whole { Change::everything() } else { change });
        }
    }

    /// Real time until the clock shows another minute.
    fn until_next_minute(&self) -> Duration {
        let now = self.0.clock.now();
        let past = now.as_second().rem_euclid(60);
        let next = now + Duration::from_secs(u64::try_from(60 - past).unwrap_or(60));
        let wait = self.0.clock.real_time_until(next).unwrap_or(WHOLE);
        wait.clamp(LEAST, WHOLE)
    }
}

/// Joins what comes within a moment into one change.
async fn gather(subscription: &mut Subscription, mut all: Change, within: Duration) -> Change {
    let end = tokio::time::Instant::now() + within;
    while let Ok(Some(more)) = tokio::time::timeout_at(end, subscription.next()).await {
        all.punches.extend(&more.punches);
        all.days.extend(&more.days);
        all.devices.extend(&more.devices);
        all.everything |= more.everything;
    }
    all
}

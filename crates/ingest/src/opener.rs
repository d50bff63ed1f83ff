//! What happens by time alone: days begin, and reports become due without any new data.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use attendance::SiteId;
use jiff::SignedDuration;
use jiff::civil::Date;
use store::{Store, StoreError};

use crate::{Clock, Judge, Pictures, pictures};

/// How often the clock is looked at, in real time.
const TICK: Duration = Duration::from_secs(1);
const AFTER_ERROR: Duration = Duration::from_secs(5);
/// Cycles are kept for so long.
const CYCLES_KEPT: SignedDuration = SignedDuration::from_hours(7 * 24);
/// So is how far clocks were off.
const CLOCKS_KEPT: SignedDuration = SignedDuration::from_hours(180 * 24);
const FORGET_EVERY: Duration = Duration::from_secs(3600);

/// Opens days and marks reports whose time has come.
#[derive(Debug)]
pub(crate) struct Opener {
    store: Store,
    clock: Clock,
    judge: Judge,
    pictures: Pictures,
    /// The latest day that was opened, by site.
    opened: BTreeMap<SiteId, Date>,
    forgot: Option<Instant>,
}

impl Opener {
    pub(crate) fn new(store: Store, clock: Clock, judge: Judge, pictures: Pictures) -> Self {
        Self {
            store,
            clock,
            judge,
            pictures,
            opened: BTreeMap::new(),
            forgot: None,
        }
    }

    /// Looks at the clock every second, for ever.
    pub(crate) async fn run(mut self) {
        loop {
            let wait = match self.tick().await {
                Ok(()) => TICK,
                Err(error) => {
                    tracing::error!(
                        error = &error as &dyn std::error::Error,
                        "days could not be opened; trying again"
                    );
                    AFTER_ERROR
                }
            };
            tokio::time::sleep(wait).await;
        }
    }

    /// Does what the time demands. Doing it again does nothing.
    pub(crate) async fn tick(&mut self) -> Result<(), StoreError> {
        let now = self.clock.now();
        let mut marked = 0;
        for (site, zone) in self.store.site_zones().await? {
            let today = zone.to_datetime(now).date();
            if self
                .opened
                .get(&site)
                .is_some_and(|opened| *opened >= today)
            {
                continue;
            }
            let tx = self.store.begin_write().await?;
            marked += tx.open_days(site, today, now).await?;
            tx.commit_quietly().await?;
            self.opened.insert(site, today);
        }
        if self.store.has_due_reports(now).await? {
            let tx = self.store.begin_write().await?;
            marked += tx.mark_due(now).await?;
            tx.commit_quietly().await?;
        }
        if marked > 0 {
            self.judge.wake();
        }
        if self.forgot.is_none_or(|at| at.elapsed() >= FORGET_EVERY) {
            let tx = self.store.begin_write().await?;
            tx.forget_cycles(now - CYCLES_KEPT).await?;
            tx.forget_clock_notes(now - CLOCKS_KEPT).await?;
            tx.forget_kept(pictures::KIND, self.pictures.old_before(now))
                .await?;
            tx.commit_quietly().await?;
            self.forgot = Some(Instant::now());
        }
        Ok(())
    }
}

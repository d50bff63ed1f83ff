//! Puts the parts together, starts what runs by itself, and stops it.

use std::time::Duration;

use store::{Store, StoreError};
use tokio::task::JoinHandle;

use crate::background::Background;
use crate::opener::Opener;
use crate::{
    CallerOptions, Callers, Change, Changes, Clock, Intake, Judge, Locator, LocatorOptions,
    Pictures, Poller, PollerOptions,
};

/// The data path over one store. Cheap to clone. Nothing runs by itself before [`Engine::start`].
#[derive(Clone, Debug)]
pub struct Engine {
    pub store: Store,
    pub clock: Clock,
    pub changes: Changes,
    pub judge: Judge,
    pub intake: Intake,
    pub poller: Poller,
    pub locator: Locator,
    pub callers: Callers,
    pub pictures: Pictures,
}

impl Engine {
    /// Missing devices are not searched for; see [`Engine::searching`].
    pub fn new(store: Store, clock: Clock, options: PollerOptions) -> Self {
        let changes = Changes::default();
        let judge = Judge::new(store.clone(), clock.clone(), changes.clone());
        let intake = Intake::new(store.clone(), clock.clone(), judge.clone(), changes.clone());
        let pictures = Pictures::new(store.clone(), clock.clone(), options.keep_pictures_days);
        let poller = Poller::new(
            store.clone(),
            clock.clone(),
            intake.clone(),
            pictures.clone(),
            changes.clone(),
            options,
        );
        let locator = Locator::new(
            store.clone(),
            clock.clone(),
            changes.clone(),
            poller.clone(),
            LocatorOptions::default(),
        );
        let callers = Callers::new(
            store.clone(),
            clock.clone(),
            intake.clone(),
            changes.clone(),
            CallerOptions::default(),
        );
        Self {
            store,
            clock,
            changes,
            judge,
            intake,
            poller,
            locator,
            callers,
            pictures,
        }
    }

    /// The same, answering terminals that call as these options say.
    pub fn answering(mut self, options: CallerOptions) -> Self {
        self.callers = Callers::new(
            self.store.clone(),
            self.clock.clone(),
            self.intake.clone(),
            self.changes.clone(),
            options,
        );
        self
    }

    /// The same, searching for missing devices as these options say.
    pub fn searching(mut self, options: LocatorOptions) -> Self {
        self.locator = Locator::new(
            self.store.clone(),
            self.clock.clone(),
            self.changes.clone(),
            self.poller.clone(),
            options,
        );
        self
    }

    /// To be called after a commit that marked days: edits of people, calendars, corrections, devices. Judges them and tells
    /// viewers to look at everything.
    pub fn edited(&self) {
        self.judge.wake();
        self.poller.wake();
        self.callers.forget();
        self.changes.publish(Change::everything());
    }

    /// Opens the days that began while nobody ran and marks what became due, once. For commands that judge without a server.
    pub async fn catch_up(&self) -> Result<(), StoreError> {
        self.opener().tick().await
    }

    /// Watches for what other processes write, for as long as the value lives: wakes the workers, if they run here, and tells
    /// viewers. Every server does, whatever its part: one that only shows pages learns of the work of others by nothing else.
    ///
    /// # Errors
    /// When the database refuses at the first look.
    pub async fn watch(&self) -> Result<Watching, StoreError> {
        let mut foreign = self.store.foreign_writes().await?;
        let watcher = self.clone();
        let watching = Background::begin(async move {
            loop {
                match foreign.changed().await {
                    Ok(()) => watcher.edited(),
                    Err(error) => {
                        tracing::error!(
                            error = &error as &dyn std::error::Error,
                            "writes of other processes cannot be watched; trying again"
                        );
                        tokio::time::sleep(WATCH_AGAIN).await;
                        if let Ok(again) = watcher.store.foreign_writes().await {
                            foreign = again;
                            watcher.edited(); // something may have been missed
                        }
                    }
                }
            }
        });
        Ok(Watching::of(watching))
    }

    /// Starts polling, searching for missing devices, judging and opening days. Start it once, and again only after
    /// [`Workers::stop`].
    ///
    /// # Errors
    /// When the database refuses at the first look.
    pub async fn start(&self) -> Result<Workers, StoreError> {
        let mut opener = self.opener();
        opener.tick().await?; // days come before the punches of today
        self.judge.restart();
        self.poller.restart();
        let judge = self.judge.clone();
        let poller = self.poller.clone();
        Ok(Workers {
            engine: self.clone(),
            judge: tokio::spawn(async move { judge.run().await }),
            poller: tokio::spawn(async move { poller.run().await }),
            locator: tokio::spawn(self.locator.clone().run()),
            opener: tokio::spawn(opener.run()),
            _telling: self.poller.tell_others(),
        })
    }

    fn opener(&self) -> Opener {
        Opener::new(
            self.store.clone(),
            self.clock.clone(),
            self.judge.clone(),
            self.pictures.clone(),
        )
    }
}

const WATCH_AGAIN: Duration = Duration::from_secs(5);

/// Ends [`Engine::watch`] or [`Callers::watch`] when it is dropped.
#[derive(Debug)]
#[must_use = "nothing is watched once it is dropped"]
pub struct Watching {
    _watching: Background,
}

impl Watching {
    pub(crate) fn of(watching: Background) -> Self {
        Self {
            _watching: watching,
        }
    }
}

/// The running tasks of an [`Engine`].
#[derive(Debug)]
#[must_use = "the workers run until they are stopped"]
pub struct Workers {
    engine: Engine,
    judge: JoinHandle<()>,
    poller: JoinHandle<()>,
    locator: JoinHandle<()>,
    opener: JoinHandle<()>,
    /// Tells terminals whom to call.
    _telling: Watching,
}

impl Workers {
    /// Stops everything: the batch at hand is saved, reads under way are dropped, and leases are given back.
    ///
    /// # Errors
    /// When the database refuses to take leases back; they end by themselves.
    pub async fn stop(self) -> Result<(), StoreError> {
        self.opener.abort();
        self.locator.abort();
        let _ended = self.locator.await; // every conversation with a goodbye
        self.engine.poller.stop();
        let _ended = self.poller.await;
        self.engine.poller.give_back().await?;
        self.engine.judge.stop().await?;
        let _ended = self.judge.await;
        Ok(())
    }
}

//! Reads terminals when they are due: many at once, each with a deadline of its own, so that a bad one delays nobody.

mod arming;
mod clocks;
mod doctor;
mod fingerprints;
mod live;
mod operations;
mod taken;

use std::collections::{BTreeSet, HashMap};
use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use attendance::DeviceId;
use jiff::{SignedDuration, Timestamp};
use store::entities::devices;
use store::failures::Outage;
use store::polling::{Cycle, ReadOutcome, ReadState};
use store::{Store, StoreError, WriteTx};
use terminals::{
    CertificatePin, CertificateTrust, Credentials, Deadline, DeviceKind, Identity, ReadPosition,
    Reading, Retry, Step, Target, Terminal, TerminalError, Transport,
};
use tokio::sync::Notify;
use tokio::task::JoinSet;

pub use arming::CallsTo;
pub use clocks::SetClockFailure;
pub use doctor::{Checked, Diagnosis, Found};
pub use operations::{Done, Operation, Picture};
pub use taken::Taken;

use crate::background::Background;
use crate::callers::OF_CALLS;
use crate::error::story;
use crate::intake::ToMark;
use crate::together::{Keep, Together};
use crate::{Accepted, Batch, Change, Changes, Clock, ClockFault, Intake, Pictures, place};

/// How terminals are read, and what else may be done with them.
#[derive(Clone, Debug)]
pub struct PollerOptions {
    /// Terminals read at the same time.
    pub concurrency: usize,
    /// For a whole read, in real time.
    pub deadline: Duration,
    /// A device that is listened to and was quiet for so long is asked for its clock: a connection can be gone without a word.
    pub quiet: Duration,
    /// For what fingerprints are backed up and copied. Without a purpose nothing of them is read, kept or written.
    pub fingerprint_purpose: Option<String>,
    /// So long the pictures that terminals tell with their punches are kept. Not at all: they are not looked at.
    pub keep_pictures_days: u32,
    /// Where terminals that can be told are told to call; `None`: nobody listens to them.
    pub calls: Option<CallsTo>,
}

impl Default for PollerOptions {
    fn default() -> Self {
        Self {
            concurrency: 64,
            deadline: Duration::from_secs(120),
            quiet: Duration::from_secs(30),
            fingerprint_purpose: None,
            keep_pictures_days: 0,
            calls: None,
        }
    }
}

/// How long a device stays with a process that was killed. One that lives renews its leases several times in between.
const LEASE: Duration = Duration::from_secs(20);
const RENEW: Duration = Duration::from_secs(5);
/// The first retry after a passing fault; each further one waits twice as long, up to the poll interval.
const FIRST_RETRY: SignedDuration = SignedDuration::from_secs(10);
/// Punches of one transaction; a live punch may have to wait for it.
const TOGETHER: usize = 20_000;
/// How often the poller looks for devices that others made due.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
const AFTER_ERROR: Duration = Duration::from_secs(5);

/// One read of one device.
#[derive(Clone, Debug)]
pub struct Polled {
    pub device: DeviceId,
    pub serial_number: String,
    pub name: String,
    pub took: Duration,
    pub result: Result<Accepted, PollFailure>,
}

/// Why a device could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PollFailure {
    /// The name of the step that failed: those of `terminals::Step`, `address`, `lease` or `store`.
    pub step: &'static str,
    /// What is the matter, as [`TerminalError::reason`] names it; empty for what is not of a terminal.
    pub reason: &'static str,
    /// For people, with its causes.
    pub message: String,
}

/// Reads devices. Cheap to clone; clones share the work.
#[derive(Clone, Debug)]
pub struct Poller(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    store: Store,
    clock: Clock,
    intake: Intake,
    pictures: Pictures,
    changes: Changes,
    options: PollerOptions,
    /// One name per process start, so that leases of an earlier one are nobody's.
    owner: String,
    woken: Notify,
    stopping: AtomicBool,
    /// Reads under way, whose leases are renewed.
    reading: Mutex<BTreeSet<DeviceId>>,
    /// Devices that are listened to, each told here when it is to be read.
    live: Mutex<HashMap<DeviceId, Arc<Notify>>>,
    /// Of devices that are listened to, the connections in a row that did not last.
    losses: Mutex<HashMap<DeviceId, u32>>,
    tried: arming::Tried,
    /// Complete reads that wait to be stored.
    complete: Together<CompleteRead, Option<Accepted>>,
}

/// Says while it lives that a device is being read.
struct UnderWay<'a> {
    reading: &'a Mutex<BTreeSet<DeviceId>>,
    device: DeviceId,
}

impl<'a> UnderWay<'a> {
    fn begin(reading: &'a Mutex<BTreeSet<DeviceId>>, device: DeviceId) -> Self {
        lock(reading).insert(device);
        Self { reading, device }
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        lock(self.reading).remove(&self.device);
    }
}

impl Poller {
    pub fn new(
        store: Store,
        clock: Clock,
        intake: Intake,
        pictures: Pictures,
        changes: Changes,
        options: PollerOptions,
    ) -> Self {
        Self(Arc::new(Inner {
            store,
            clock,
            intake,
            pictures,
            changes,
            options,
            owner: format!("poller-{}", store::secrets::random_token()),
            woken: Notify::new(),
            stopping: AtomicBool::new(false),
            reading: Mutex::default(),
            live: Mutex::default(),
            losses: Mutex::default(),
            tried: Mutex::default(),
            complete: Together::new(TOGETHER),
        }))
    }

    /// A device may be due. Returns at once.
    pub fn wake(&self) {
        self.0.woken.notify_one();
    }

    /// Asks whoever polls to read these devices now, or all; those that will be. Does not wait.
    pub async fn poll_now(
        &self,
        devices: Option<&[DeviceId]>,
    ) -> Result<Vec<DeviceId>, StoreError> {
        let tx = self.0.store.begin_write().await?;
        let asked = tx.poll_now(devices, self.0.clock.now()).await?;
        tx.commit().await?;
        self.wake();
        Ok(asked)
    }

    /// Reads these devices in this process, due or not, and waits for all. Devices that are removed or disabled are read too
    /// when they are named; without names, all that are polled.
    pub async fn poll_once(&self, devices: Option<&[DeviceId]>) -> Result<Vec<Polled>, StoreError> {
        let inner = &self.0;
        let mut waiting: Vec<DeviceId> = match devices {
            Some(devices) => devices.to_vec(),
            None => self.polled_devices().await?,
        };
        waiting.reverse();
        let _renewing = self.keep_leases();
        let mut polled = Vec::new();
        let mut tasks = JoinSet::new();
        loop {
            let free = inner.options.concurrency.saturating_sub(tasks.len());
            let next: Vec<DeviceId> = {
                let from = waiting.len().saturating_sub(free);
                waiting.drain(from..).rev().collect()
            };
            if !next.is_empty() {
                let (now, until) = self.lease();
                let tx = inner.store.begin_claim().await?;
                let claimed = tx.claim_devices(&inner.owner, &next, now, until).await?;
                tx.commit_quietly().await?;
                for device in next {
                    let poller = self.clone();
                    let ours = claimed.contains(&device);
                    tasks.spawn(async move {
                        if ours {
                            poller.read_device(device).await
                        } else {
                            poller.held_by_another(device).await
                        }
                    });
                }
            }
            match tasks.join_next().await {
                None => return Ok(polled),
                Some(Ok(result)) => polled.extend(result?),
                Some(Err(panic)) => std::panic::resume_unwind(panic.into_panic()),
            }
        }
    }

    /// Lets a running server poll these devices, or all, and waits until each has been read, or `patience` is over. By device,
    /// the cycle that ended; a device that is missing was not read in time.
    pub async fn poll_elsewhere(
        &self,
        devices: Option<&[DeviceId]>,
        patience: Duration,
    ) -> Result<HashMap<DeviceId, store::entities::poll_cycles::Model>, StoreError> {
        let since = self.0.clock.now();
        let began = Instant::now();
        let asked = self.poll_now(devices).await?;
        loop {
            let cycles = self.0.store.cycles_since(&asked, since).await?;
            if cycles.len() >= asked.len() || began.elapsed() >= patience {
                return Ok(cycles);
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    /// Reads what is due until [`Poller::stop`].
    pub(crate) async fn run(&self) {
        let _renewing = self.keep_leases();
        let mut tasks = JoinSet::new();
        while !self.0.stopping.load(Ordering::Relaxed) {
            let listening = lock(&self.0.live).len();
            let wait = match self.claim_due(tasks.len().saturating_sub(listening)).await {
                Ok(Claimed { devices, wait }) => {
                    for device in devices {
                        let poller = self.clone();
                        tasks.spawn(async move { poller.attend(device).await });
                    }
                    wait
                }
                Err(error) => {
                    tracing::error!(
                        error = &error as &dyn std::error::Error,
                        "due devices could not be claimed; trying again"
                    );
                    AFTER_ERROR
                }
            };
            if let Err(error) = self.tell_due().await {
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "devices that are listened to cannot be told to be read; trying again"
                );
            }
            tokio::select! {
                Some(read) = tasks.join_next() => {
                    report(read);
                    while let Some(read) = tasks.try_join_next() {
                        report(read);
                    }
                }
                () = self.0.woken.notified() => {}
                () = tokio::time::sleep(wait) => {}
            }
        }
        tasks.shutdown().await;
    }

    /// Allows [`Poller::run`] again after a stop.
    pub(crate) fn restart(&self) {
        self.0.stopping.store(false, Ordering::Relaxed);
    }

    /// Ends [`Poller::run`]; reads under way are dropped.
    pub(crate) fn stop(&self) {
        self.0.stopping.store(true, Ordering::Relaxed);
        self.0.woken.notify_one();
    }

    /// To be called when no read is under way any more.
    pub(crate) async fn give_back(&self) -> Result<(), StoreError> {
        let tx = self.0.store.begin_claim().await?;
        tx.release_devices(&self.0.owner).await?;
        tx.commit_quietly().await
    }

    /// Claims in groups, because each claim is a commit.
    async fn claim_due(&self, running: usize) -> Result<Claimed, StoreError> {
        let inner = &self.0;
        let free = inner.options.concurrency.saturating_sub(running);
        let wait_for = |devices: Vec<DeviceId>, wait: Duration| Claimed { devices, wait };
        if free == 0 || (running > 0 && free < inner.options.concurrency / 4) {
            return Ok(wait_for(Vec::new(), LOOK_AGAIN));
        }
        let due = inner.store.next_poll(inner.clock.real_now()).await?;
        let wait = due.and_then(|due| inner.clock.real_time_until(due));
        match wait {
            Some(Duration::ZERO) => {}
            Some(wait) => return Ok(wait_for(Vec::new(), wait.min(LOOK_AGAIN))),
            None => return Ok(wait_for(Vec::new(), LOOK_AGAIN)),
        }
        let (now, until) = self.lease();
        let tx = inner.store.begin_claim().await?;
        let devices = tx
            .claim_due_devices(&inner.owner, inner.clock.now(), now, until, free)
            .await?;
        tx.commit_quietly().await?;
        Ok(wait_for(devices, LOOK_AGAIN))
    }

    fn lease(&self) -> (Timestamp, Timestamp) {
        let now = self.0.clock.real_now();
        (now, now + LEASE)
    }

    /// Renews the leases of the reads under way for as long as the value lives.
    fn keep_leases(&self) -> Background {
        let poller = self.clone();
        let failing = "the leases of devices being read could not be renewed";
        Background::repeat(RENEW, failing, move || {
            let poller = poller.clone();
            async move { poller.renew_leases().await }
        })
    }

    async fn renew_leases(&self) -> Result<(), StoreError> {
        let reading: Vec<DeviceId> = lock(&self.0.reading).iter().copied().collect();
        match reading.is_empty() {
            true => Ok(()),
            false => self.renew(&self.0.owner, &reading).await,
        }
    }

    async fn renew(&self, owner: &str, devices: &[DeviceId]) -> Result<(), StoreError> {
        let (_, until) = self.lease();
        let tx = self.0.store.begin_claim().await?;
        tx.renew_devices(owner, devices, until).await?;
        tx.commit_quietly().await
    }

    async fn polled_devices(&self) -> Result<Vec<DeviceId>, StoreError> {
        let devices = self.0.store.devices().await?;
        Ok(devices
            .iter()
            .filter(|device| device.enabled && device.mode.split(',').any(|way| way == "poll"))
            .map(|device| DeviceId(device.id))
            .collect())
    }

    async fn row(&self, device: DeviceId) -> Result<devices::Model, StoreError> {
        let row = self.0.store.device(device).await?;
        row.ok_or_else(|| StoreError::NotFound {
            what: "device",
            value: device.to_string(),
        })
    }

    async fn held_by_another(&self, device: DeviceId) -> Result<Option<Polled>, StoreError> {
        let row = self.row(device).await?;
        Ok(Some(Polled {
            device,
            serial_number: row.serial_number,
            name: row.name,
            took: Duration::ZERO,
            result: Err(PollFailure {
                step: "lease",
                reason: "",
                message: "another process is reading it".to_owned(),
            }),
        }))
    }

    /// Reads a claimed device, and stays with one that tells its punches live.
    async fn attend(&self, device: DeviceId) -> Result<Option<Polled>, StoreError> {
        let row = self.row(device).await?;
        if live::is_asked_for(&row) {
            self.follow(row).await?;
            return Ok(None);
        }
        self.read_device(device).await
    }

    /// Tells the devices that are listened to whose poll is due, that were edited, or that somebody wants.
    async fn tell_due(&self) -> Result<(), StoreError> {
        let inner = &*self.0;
        if lock(&inner.live).is_empty() {
            return Ok(());
        }
        let (now, real_now) = (inner.clock.now(), inner.clock.real_now());
        let due = inner.store.held_devices_due(&inner.owner, now, real_now);
        for device in due.await? {
            if let Some(to_read) = lock(&inner.live).get(&device) {
                to_read.notify_one();
            }
        }
        Ok(())
    }

    /// Reads a claimed device and keeps what came of it. `None` when another worker has taken it over meanwhile.
    async fn read_device(&self, device: DeviceId) -> Result<Option<Polled>, StoreError> {
        let _under_way = UnderWay::begin(&self.0.reading, device);
        let row = self.row(device).await?;
        let began = self.0.clock.now();
        let started = Instant::now();
        let result = match self.target(&row) {
            Err(failure) => {
                let retry = self.retry_of(&row);
                self.keep_failure(&row, began, failure, retry).await?
            }
            Ok(target) => self.read_target(&row, began, &target).await?,
        };
        Ok(result.map(|result| Polled {
            device,
            serial_number: row.serial_number,
            name: row.name,
            took: started.elapsed(),
            result,
        }))
    }

    async fn read_target(
        &self,
        row: &devices::Model,
        began: Timestamp,
        target: &Target,
    ) -> Result<Option<Result<Accepted, PollFailure>>, StoreError> {
        let failed = async |error: TerminalError| {
            let failure = PollFailure::of(&error);
            self.keep_failure(row, began, failure, error.retry()).await
        };
        let deadline = Deadline::after(self.0.options.deadline);
        let mut terminal = match self.connect(row, target, deadline).await? {
            Ok(terminal) => terminal,
            Err(error) => return failed(error).await,
        };
        let clock = self.0.clock.clone();
        let position = ReadPosition(row.read_position.clone());
        let reading = match terminal.read(&position, &move || clock.now()).await {
            Ok(reading) => reading,
            Err(error) => {
                terminal.close().await;
                return failed(error).await;
            }
        };
        // A terminal does not wait for our disk, unless it is asked for something afterwards.
        if !row.set_clock && !arming::is_to_call(row) {
            terminal.close().await;
            return self
                .keep_reading(row, began, reading, LiveState::Unasked)
                .await;
        }
        let kept = self
            .keep_reading(row, began, reading, LiveState::Unasked)
            .await;
        if let Ok(Some(Ok(accepted))) = &kept {
            self.set_clock_if_off(&mut terminal, row, accepted).await;
            self.arm_if_asked(&mut terminal, row).await?;
        }
        terminal.close().await;
        kept
    }

    /// Where a device is and how to sign in; a failure that names what is missing.
    pub fn target(&self, row: &devices::Model) -> Result<Target, PollFailure> {
        let failure = |step: &'static str, message: String| PollFailure {
            step,
            reason: "",
            message,
        };
        let kind = DeviceKind::from_name(&row.kind).ok_or_else(|| {
            failure(
                "address",
                format!("there is no kind of device {:?}", row.kind),
            )
        })?;
        let host = place::host(row);
        if host.is_empty() {
            let message = "it has no address: waiting until it calls in or is given one";
            return Err(failure("address", message.to_owned()));
        }
        if row.needs_edit {
            let message = "the credentials were refused before: edit the device first";
            return Err(failure(Step::SignIn.as_str(), message.to_owned()));
        }
        if let Some(left) = self.sign_in_waits(row) {
            return Err(PollFailure {
                step: Step::SignIn.as_str(),
                reason: "locked",
                message: format!(
                    "the terminal is locked after wrong passwords and left alone for {} min more",
                    (left.as_secs() / 60).max(1)
                ),
            });
        }
        let sealed = self
            .0
            .store
            .device_credentials(row)
            .map_err(|error| failure(Step::SignIn.as_str(), story(&error)))?;
        let comm_key = match sealed
            .comm_key
            .as_ref()
            .map(|key| key.expose().trim().parse())
        {
            None => None,
            Some(Ok(key)) => Some(key),
            Some(Err(_)) => {
                let message = "the comm key is not a number".to_owned();
                return Err(failure(Step::SignIn.as_str(), message));
            }
        };
        let port = place::port(row, kind);
        let known = row.transport.as_deref().and_then(Transport::from_name);
        Ok(Target {
            kind,
            host: host.to_owned(),
            port,
            transport: kind.transport(port, known),
            credentials: Credentials {
                comm_key,
                username: sealed.username,
                password: sealed.password.map(|password| password.expose().to_owned()),
                version: row.credentials_ms.max(row.sign_in_wait_ms.unwrap_or(0)),
                confirmed: row.sign_in_confirmed,
            },
            certificate: CertificateTrust::from_stored(row.certificate.as_deref())
                .map_err(|error| failure(Step::Tls.as_str(), error.to_string()))?,
            serial: Some(row.serial_number.clone()),
        })
    }

    /// How long nobody signs in at a device that is locked.
    fn sign_in_waits(&self, row: &devices::Model) -> Option<SignedDuration> {
        let until = Timestamp::from_millisecond(row.sign_in_wait_ms?).ok()?;
        let left = until.duration_since(self.0.clock.now());
        left.is_positive().then_some(left)
    }

    /// When a device is tried again that could not be tried now.
    fn retry_of(&self, row: &devices::Model) -> Retry {
        let waits = self.sign_in_waits(row);
        waits.map_or(Retry::NextPoll, |left| Retry::After(left.unsigned_abs()))
    }

    /// Connects, and keeps what that told about the certificate: the first one a device shows, or one that it may not show.
    async fn connect(
        &self,
        row: &devices::Model,
        target: &Target,
        deadline: Deadline,
    ) -> Result<Result<Terminal, TerminalError>, StoreError> {
        let connected = Terminal::connect_within(target, deadline).await;
        match &connected {
            Ok(terminal) => {
                self.keep_first_certificate(row, terminal.certificate())
                    .await?
            }
            Err(error) => self.note_certificate(row, error).await?,
        }
        Ok(connected)
    }

    async fn keep_first_certificate(
        &self,
        row: &devices::Model,
        shown: Option<CertificatePin>,
    ) -> Result<(), StoreError> {
        let (None, Some(shown)) = (&row.certificate, shown) else {
            return Ok(());
        };
        let tx = self.0.store.begin_write().await?;
        tx.keep_first_certificate(DeviceId(row.id), &shown.to_string())
            .await?;
        tx.commit().await?;
        tracing::info!(
            device.id = row.id,
            certificate = %shown,
            "the certificate of device {} is kept", row.name
        );
        Ok(())
    }

    async fn note_certificate(
        &self,
        row: &devices::Model,
        error: &TerminalError,
    ) -> Result<(), StoreError> {
        let TerminalError::OtherCertificate { found, .. } = error else {
            return Ok(());
        };
        let tx = self.0.store.begin_write().await?;
        tx.note_other_certificate(DeviceId(row.id), &found.to_string())
            .await?;
        tx.commit().await
    }

    /// Stores a complete read with everything that depends on it. Reads that are complete at the same time share a
    /// transaction: a commit waits for the disk, and neighbouring reads change the same pages.
    async fn keep_reading(
        &self,
        row: &devices::Model,
        began: Timestamp,
        reading: Reading,
        live: LiveState,
    ) -> Result<Option<Result<Accepted, PollFailure>>, StoreError> {
        let complete = CompleteRead {
            row: row.clone(),
            began,
            identity: reading.identity.clone(),
            transport: reading.transport,
            position: reading.position.clone(),
            batch: Batch::of_reading(DeviceId(row.id), reading),
            live,
        };
        let kept = self.0.complete.keep(self, complete).await?;
        Ok(kept.flatten().map(Ok))
    }

    async fn keep_in(
        &self,
        tx: &WriteTx,
        read: &CompleteRead,
    ) -> Result<Option<(Kept, ToMark)>, StoreError> {
        let inner = &self.0;
        let device = DeviceId(read.row.id);
        if !tx.holds_device(&inner.owner, device).await? {
            return Ok(None);
        }
        let (accepted, to_mark) = inner.intake.store_in(tx, &read.batch).await?;
        let now = inner.clock.now();
        let read_position = match accepted.clock_fault {
            // What conflicts is read again until the zone is corrected; so is what the zone would place wrongly until then.
            Some(ClockFault::Offset { .. }) => &read.row.read_position,
            // So is a log of which something is missing.
            _ if accepted.missing > 0 => &read.row.read_position,
            _ => &read.position.0,
        };
        tx.finish_read(&ReadState {
            device,
            owner: &inner.owner,
            at: now,
            // The rest of a long log does not wait.
            next_poll: match read.batch.complete {
                true => now + jittered(interval(&read.row)),
                false => now,
            },
            outcome: ReadOutcome::Complete {
                read_position,
                clock_drift_s: accepted.clock_drift_s.unwrap_or_default(),
                model: &read.identity.model,
                firmware: &read.identity.firmware,
                user_count: read.identity.users,
                record_count: read.identity.records,
                record_capacity: read.identity.record_capacity,
                transport: read.transport.map(Transport::as_str),
                live_since: match read.live {
                    LiveState::Since(since) => Some(since),
                    _ => None,
                },
                live_refused: match &read.live {
                    LiveState::Refused(why) => Some(why),
                    _ => None,
                },
            },
        })
        .await?;
        let fault = accepted.fault();
        let error = fault
            .as_ref()
            .map(|(step, text)| (step.as_str(), text.as_str()));
        tx.record_cycle(&Cycle {
            device,
            began: read.began,
            ended: now,
            read: accepted.read,
            new: accepted.new,
            duplicate: accepted.duplicate,
            rejected: accepted.rejected,
            error,
        })
        .await?;
        let (mut back, mut failed) = (None, None);
        match error {
            None => back = tx.end_outage_but_at(device, &OF_CALLS, now).await?,
            Some((step, message)) => {
                failed = Some(tx.record_failure(device, now, step, message).await?);
            }
        }
        let kept = Kept {
            accepted,
            back,
            failed,
        };
        Ok(Some((kept, to_mark)))
    }

    async fn keep_failure(
        &self,
        row: &devices::Model,
        began: Timestamp,
        failure: PollFailure,
        retry: Retry,
    ) -> Result<Option<Result<Accepted, PollFailure>>, StoreError> {
        let wait = match retry {
            Retry::Soon => jittered(retry_after(row.fail_count).min(interval(row))),
            Retry::NextPoll | Retry::AfterEdit => jittered(interval(row)),
            Retry::After(wait) => SignedDuration::try_from(wait)
                .unwrap_or(interval(row))
                .max(interval(row)),
        };
        self.keep_failure_for(row, began, failure, wait, retry)
            .await
    }

    async fn keep_failure_for(
        &self,
        row: &devices::Model,
        began: Timestamp,
        failure: PollFailure,
        wait: SignedDuration,
        retry: Retry,
    ) -> Result<Option<Result<Accepted, PollFailure>>, StoreError> {
        let inner = &self.0;
        let device = DeviceId(row.id);
        let now = inner.clock.now();
        let tx = inner.store.begin_write().await?;
        if failure.step == "address" {
            // Waiting is not failing.
            tx.release_device(&inner.owner, device).await?;
            tx.commit_quietly().await?;
            return Ok(Some(Err(failure)));
        }
        let ours = tx
            .finish_read(&ReadState {
                device,
                owner: &inner.owner,
                at: now,
                next_poll: now + wait,
                outcome: ReadOutcome::Failed {
                    step: failure.step,
                    reason: failure.reason,
                    message: &failure.message,
                    needs_edit: row.needs_edit || retry == Retry::AfterEdit,
                    sign_in_wait: waits_to_sign_in(&failure, retry, now),
                },
            })
            .await?;
        if !ours {
            tx.rollback().await?;
            return Ok(None);
        }
        let outage = tx
            .record_failure(device, now, failure.step, &failure.message)
            .await?;
        tx.record_cycle(&Cycle {
            device,
            began,
            ended: now,
            read: 0,
            new: 0,
            duplicate: 0,
            rejected: 0,
            error: Some((failure.step, &failure.message)),
        })
        .await?;
        tx.commit().await?;
        if outage == Outage::Began {
            tracing::warn!(
                device.id = row.id,
                step = failure.step,
                "device {} cannot be read: {}",
                row.name,
                failure.message
            );
        }
        inner.changes.publish(Change {
            devices: vec![device],
            ..Change::default()
        });
        Ok(Some(Err(failure)))
    }
}

impl Keep for Poller {
    type Item = CompleteRead;
    /// `None` when its device had been taken over.
    type Kept = Option<Accepted>;

    fn weight(read: &CompleteRead) -> usize {
        read.batch.punches.len()
    }

    async fn keep(&self, reads: &[CompleteRead]) -> Result<Vec<Option<Accepted>>, StoreError> {
        let inner = &self.0;
        let _storing = inner.intake.storing();
        let tx = inner.store.begin_write().await?;
        let mut kept = Vec::with_capacity(reads.len());
        let mut to_mark = ToMark::default();
        for read in reads {
            let result = self.keep_in(&tx, read).await?;
            kept.push(result.map(|(kept, touched)| {
                to_mark.add(touched);
                kept
            }));
        }
        to_mark.mark_in(&tx, inner.clock.now()).await?;
        tx.commit().await?;
        let mut accepted = Vec::with_capacity(reads.len());
        for (read, kept) in reads.iter().zip(kept) {
            let row = &read.row;
            let Some(kept) = kept else {
                tracing::warn!(
                    device.id = row.id,
                    "device {} was taken over while it was read",
                    row.name
                );
                accepted.push(None);
                continue;
            };
            inner.intake.stored(DeviceId(row.id), &kept.accepted);
            if let Some(since) = kept.back {
                tracing::info!(
                    device.id = row.id,
                    punches = kept.accepted.new,
                    "device {} is back, away since {since}",
                    row.name
                );
            }
            if let (Some(Outage::Began), Some((_, fault))) = (kept.failed, kept.accepted.fault()) {
                tracing::warn!(device.id = row.id, "device {}: {fault}", row.name);
            }
            accepted.push(Some(kept.accepted));
        }
        Ok(accepted)
    }
}

/// A read that is complete and not stored yet.
#[derive(Debug)]
pub(crate) struct CompleteRead {
    row: devices::Model,
    began: Timestamp,
    identity: Identity,
    transport: Option<Transport>,
    position: ReadPosition,
    batch: Batch,
    live: LiveState,
}

/// Whether the terminal tells its punches as they are made.
#[derive(Debug)]
enum LiveState {
    Unasked,
    /// So it stays ours.
    Since(Timestamp),
    /// Asked, and why not.
    Refused(String),
}

/// What became of a stored read.
struct Kept {
    accepted: Accepted,
    /// The outage that ended with it began then.
    back: Option<Timestamp>,
    failed: Option<Outage>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Claimed {
    devices: Vec<DeviceId>,
    /// How long nothing more is due.
    wait: Duration,
}

impl PollFailure {
    fn of(error: &TerminalError) -> Self {
        Self {
            step: error.step().as_str(),
            reason: error.reason(),
            message: story(error),
        }
    }
}

/// What became of a read is kept with the device; only a database that refuses is told here.
fn report(read: Result<Result<Option<Polled>, StoreError>, tokio::task::JoinError>) {
    match read {
        Ok(Ok(_)) => {}
        Ok(Err(error)) => tracing::error!(
            error = &error as &dyn std::error::Error,
            "a read could not be stored; its device is read again when its lease ends"
        ),
        Err(panic) => tracing::error!(error = &panic as &dyn std::error::Error, "a read panicked"),
    }
}

/// Until when nobody signs in, where a terminal said so.
fn waits_to_sign_in(failure: &PollFailure, retry: Retry, now: Timestamp) -> Option<Timestamp> {
    match retry {
        Retry::After(wait) if failure.step == Step::SignIn.as_str() => {
            now.checked_add(SignedDuration::try_from(wait).ok()?).ok()
        }
        _ => None,
    }
}

fn interval(row: &devices::Model) -> SignedDuration {
    SignedDuration::from_secs(row.poll_interval_s.max(1))
}

fn retry_after(failures: i64) -> SignedDuration {
    let doublings = u32::try_from(failures.clamp(0, 10)).unwrap_or(10);
    FIRST_RETRY * 2_i32.pow(doublings)
}

/// Up to a tenth less, so that devices that were added together are not read together for ever. Never more, because a retry
/// must not wait longer than the poll interval.
fn jittered(wait: SignedDuration) -> SignedDuration {
    let random = RandomState::new().build_hasher().finish() % 1000;
    let percent_of_tenth = i32::try_from(random).unwrap_or(0);
    wait - wait / 10_000 * percent_of_tenth
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retries_double_and_jitter_never_lengthens() {
        assert_eq!(retry_after(0), SignedDuration::from_secs(10));
        assert_eq!(retry_after(3), SignedDuration::from_secs(80));
        assert_eq!(retry_after(i64::MAX), SignedDuration::from_secs(10_240));
        let wait = SignedDuration::from_secs(300);
        for _ in 0..100 {
            let jittered = jittered(wait);
            assert!(jittered <= wait && jittered >= SignedDuration::from_secs(270));
        }
    }
}

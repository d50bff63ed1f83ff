//! Terminals that call us: who they are, what they deliver, what they are told to do, and what is wrong when they do not call.
//!
//! Knows no protocol: whoever listens to terminals turns requests into calls of [`Callers`], and what it says into answers.

mod checks;
mod commands;
mod delivery;
mod places;
mod strangers;
mod watch;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::{Duration, Instant};

use attendance::DeviceId;
use jiff::civil::{Date, DateTime};
use jiff::tz::{AmbiguousOffset, Offset, TimeZone};
use jiff::{SignedDuration, Timestamp};
use store::calls::{CallerRow, Greeting};
use store::secrets::Secret;
use store::{Store, StoreError, WriteTx};
use terminals::DeviceKind;

pub use commands::{Answer, Handed, Order};
pub use delivery::{Delivered, Delivery, Event};
pub use places::Link;
pub(crate) use places::untold;
pub use strangers::Stranger;
pub(crate) use watch::OF_CALLS;
pub use watch::has_missed_calls;

use crate::background::Background;
use crate::together::Together;
use crate::{Changes, Clock, Intake, Watching};

/// How terminals that call are answered.
#[derive(Clone, Debug)]
pub struct CallerOptions {
    pub unknown: Unknown,
    /// They are told to call so often.
    pub delay_secs: u32,
}

impl Default for CallerOptions {
    fn default() -> Self {
        Self {
            unknown: Unknown::Hold,
            delay_secs: 10,
        }
    }
}

/// What becomes of a terminal that nobody registered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Unknown {
    /// It waits, and keeps its punches, until a person decides.
    #[default]
    Hold,
    /// It is registered.
    Accept,
    Refuse,
}

/// Punches of one transaction.
const TOGETHER: usize = 5_000;
/// How often calls are kept and what is due is looked at, in real time.
const TICK: Duration = Duration::from_secs(2);
/// How old the list of devices may be when something was edited; in real time.
const KNOWN_FOR: Duration = Duration::from_secs(1);

/// Who calls.
#[derive(Clone, Debug)]
pub enum Who {
    Known(Arc<Caller>),
    /// It waits for a person.
    Held,
    Refused,
}

/// A registered device that may call.
#[derive(Debug)]
pub struct Caller {
    pub device: DeviceId,
    pub serial_number: String,
    pub name: String,
    /// In which its clock runs now.
    pub zone: TimeZone,
    /// What it has to say where its firmware can.
    pub comm_key: Option<Secret>,
    kind: Option<DeviceKind>,
    enabled: bool,
    /// It is read too.
    polled: bool,
    /// It is known by the place where it calls, not by what it says.
    has_place: bool,
    poll_interval: SignedDuration,
    state: Arc<Mutex<State>>,
}

/// What changes from call to call. The database has what must survive.
#[derive(Debug, Default)]
struct State {
    /// Opaque; see `device_calls`.
    dialect: String,
    address: String,
    delay_secs: i64,
    /// When it greeted and was told how to upload.
    greeted: Option<Timestamp>,
    last: Option<Timestamp>,
    /// The newest call that is kept.
    kept: Option<Timestamp>,
    /// Since its last upload or greeting it asked for commands so often: it has nothing more to upload then.
    idle_calls: u32,
    /// The last of those.
    idle_at: Option<Timestamp>,
    /// Something it uploaded could not be stored, and it will upload it again.
    owes: bool,
    /// Uploads of punches for which it was not asked.
    uploads: u64,
    told: Option<Timestamp>,
    /// When it was last asked to tell.
    asked: Option<Timestamp>,
    /// Without a count: how far it is covered.
    covered: Option<Timestamp>,
    /// How many records it told to hold then, and the uploads it had made.
    records: Option<(i64, u64)>,
    /// The uploads it had made when its whole log had been read back before it is cleared.
    read_back: Option<u64>,
    surplus: Option<i64>,
    counts: bool,
    one_by_one: bool,
    has_commands: bool,
    /// Its users are known, or it was asked for them.
    listed: bool,
    /// How often in a row the same upload came.
    repeated: u64,
    /// The day whose night check was ordered.
    checked: Option<Date>,
    /// The beginning of a span that is counted in parts, and when it was first counted.
    halved: Option<(DateTime, Timestamp)>,
    /// The day on which its whole log was last counted because something older was lacking.
    searched: Option<Date>,
    /// What is wrong with its clock; `None` as long as that was not seen in this process.
    clock: Option<Result<(), String>>,
    /// Of a device that calls at a place of its own.
    place: places::PlaceState,
    placed: bool,
    /// What is recorded as its failure.
    trouble: Option<&'static str>,
}

/// Answers terminals that call. Cheap to clone; clones share the work.
#[derive(Clone, Debug)]
pub struct Callers(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    store: Store,
    clock: Clock,
    intake: Intake,
    changes: Changes,
    options: CallerOptions,
    known: RwLock<Known>,
    outdated: AtomicBool,
    renewing: tokio::sync::Mutex<()>,
    strangers: strangers::Strangers,
    writing: Together<delivery::Arrived, Delivered>,
    /// Nobody is away for the time before.
    began: Timestamp,
}

#[derive(Debug, Default)]
struct Known {
    read: Option<Instant>,
    callers: HashMap<String, Arc<Caller>>,
    /// By what their tokens are looked up by.
    places: HashMap<String, Arc<Caller>>,
    /// Terminals that are listed, and wait or are refused.
    held: HashSet<String>,
    refused: HashSet<String>,
}

/// What a device that greets is told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Welcome {
    /// Where it was, by content, in its own words.
    pub cursors: BTreeMap<String, String>,
    pub delay_secs: u32,
}

impl Callers {
    pub fn new(
        store: Store,
        clock: Clock,
        intake: Intake,
        changes: Changes,
        options: CallerOptions,
    ) -> Self {
        let began = clock.now();
        Self(Arc::new(Inner {
            store,
            clock,
            intake,
            changes,
            options,
            known: RwLock::default(),
            outdated: AtomicBool::new(true),
            renewing: tokio::sync::Mutex::default(),
            strangers: strangers::Strangers::default(),
            writing: Together::new(TOGETHER),
            began,
        }))
    }

    /// Devices may have been edited. Returns at once.
    pub fn forget(&self) {
        self.0.outdated.store(true, Ordering::Relaxed);
    }

    /// Who has this serial number. A terminal that nobody registered is listed, or registered, as the options say.
    ///
    /// # Errors
    /// When the database cannot be read; the terminal keeps what it has.
    pub async fn who(&self, stranger: &Stranger<'_>) -> Result<Who, StoreError> {
        self.renew_known().await?;
        let known = |inner: &Inner| {
            let known = inner.known.read().unwrap_or_else(PoisonError::into_inner);
            let caller = known.callers.get(stranger.serial_number).cloned();
            (caller, known.refused.contains(stranger.serial_number))
        };
        match known(&self.0) {
            (Some(caller), _) if caller.enabled && caller.says_its_serial(stranger.kind) => {
                return Ok(Who::Known(caller));
            }
            (Some(_), _) | (None, true) => return Ok(Who::Refused),
            (None, false) => {}
        }
        match self.0.options.unknown {
            Unknown::Refuse => Ok(Who::Refused),
            Unknown::Hold => {
                self.0.strangers.note(stranger, self.0.clock.now());
                Ok(Who::Held)
            }
            Unknown::Accept => {
                if !self.register(stranger).await? {
                    return Ok(Who::Held);
                }
                Ok(known(&self.0).0.map_or(Who::Held, Who::Known))
            }
        }
    }

    /// A device begins to call, speaks so (opaque, for [`Caller::dialect`]), and has to be told how to upload.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn greet(
        &self,
        caller: &Caller,
        dialect: &str,
        address: IpAddr,
    ) -> Result<Welcome, StoreError> {
        let delay_secs = self.0.options.delay_secs;
        self.greet_every(caller, dialect, address, delay_secs).await
    }

    async fn greet_every(
        &self,
        caller: &Caller,
        dialect: &str,
        address: IpAddr,
        delay_secs: u32,
    ) -> Result<Welcome, StoreError> {
        let inner = &*self.0;
        let at = inner.clock.now();
        let address = address.to_string();
        let before = {
            let state = caller.state();
            state.greeted.map(|_| state.address.clone())
        };
        let tx = inner.store.begin_write().await?;
        tx.keep_greeting(&Greeting {
            device: caller.device,
            dialect,
            address: &address,
            delay_secs,
            at,
        })
        .await?;
        if let Some(before) = before.filter(|before| network(before) != network(&address)) {
            let detail = format!("{before} → {address}");
            tx.notice(caller.device, "another_network", &detail, at)
                .await?;
        }
        tx.commit_quietly().await?;
        let uploads = inner.store.uploads_of(caller.device).await?;
        let cursors = uploads
            .into_iter()
            .filter_map(|upload| Some((upload.content, upload.cursor_text?)))
            .collect();
        let mut state = caller.state();
        state.dialect = dialect.to_owned();
        state.address = address;
        state.delay_secs = i64::from(delay_secs);
        state.greeted = Some(at);
        state.idle_calls = 0;
        state.called(at);
        Ok(Welcome {
            cursors,
            delay_secs,
        })
    }

    /// A device turned out to speak otherwise than its greeting told.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn learn(&self, caller: &Caller, dialect: &str) -> Result<(), StoreError> {
        let tx = self.0.store.begin_write().await?;
        tx.keep_dialect(caller.device, dialect).await?;
        tx.commit_quietly().await?;
        caller.state().dialect = dialect.to_owned();
        Ok(())
    }

    /// A device shows that it is there; `idle` when it asks for commands, which it does when it has nothing to upload.
    pub fn called(&self, caller: &Caller, idle: bool) {
        let at = self.0.clock.now();
        let mut state = caller.state();
        state.called(at);
        if idle {
            state.idle_calls = state.idle_calls.saturating_add(1);
            state.idle_at = Some(at);
        }
    }

    /// Keeps calls, watches for devices that do not call, and checks what they hold, for as long as the value lives. Once in
    /// each process that listens to terminals.
    pub fn watch(&self) -> Watching {
        let callers = self.clone();
        let failing = "what terminals that call are doing could not be kept";
        Watching::of(Background::repeat(TICK, failing, move || {
            let callers = callers.clone();
            async move { callers.tick().await }
        }))
    }

    /// What [`Callers::watch`] does now and then.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn tick(&self) -> Result<(), StoreError> {
        self.renew_known().await?;
        self.keep_strangers().await?;
        self.renew_places().await?;
        self.keep_places().await?;
        self.keep_calls().await?;
        self.keep_arrivals().await?;
        self.look_for_untold().await?;
        self.look_after_commands().await?;
        self.check_what_they_hold().await?;
        self.watch_contact().await
    }

    /// Reads the list of devices again when it may be outdated. Who comes first waits for it, others see the one before.
    async fn renew_known(&self) -> Result<(), StoreError> {
        let inner = &*self.0;
        let is_good = || {
            let read = inner.known().read;
            let is_fresh = |read: Instant| read.elapsed() < KNOWN_FOR;
            let outdated = inner.outdated.load(Ordering::Relaxed);
            read.is_some_and(|read| is_fresh(read) || !outdated)
        };
        if is_good() {
            return Ok(());
        }
        let _one_at_a_time = inner.renewing.lock().await;
        if is_good() {
            return Ok(());
        }
        self.read_known().await
    }

    /// Reads the list of devices again, whatever its age: what was just decided counts at once.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn read_known(&self) -> Result<(), StoreError> {
        let inner = &*self.0;
        // What is edited while it is read is read again.
        inner.outdated.store(false, Ordering::Relaxed);
        let read = async {
            let rows = inner.store.callers().await?;
            let held = inner.store.held_terminals().await?;
            Ok((rows, held, inner.store.call_places().await?))
        };
        let (rows, held, places) = read.await.inspect_err(|_: &StoreError| self.forget())?;
        let mut known = inner.known.write().unwrap_or_else(PoisonError::into_inner);
        let mut callers = HashMap::with_capacity(rows.len());
        for row in rows {
            let before = known.callers.get(&row.serial_number);
            let same = before.filter(|caller| caller.device.0 == row.id);
            let state = same.map(|caller| Arc::clone(&caller.state));
            let caller = inner.caller(&row, state)?;
            callers.insert(row.serial_number, Arc::new(caller));
        }
        let mut by_token = HashMap::new();
        for place in &places {
            let of_it = |caller: &&Arc<Caller>| caller.device.0 == place.device_id;
            if let Some(caller) = callers.values().find(of_it).filter(|c| c.has_place) {
                let mut state = caller.state();
                state.place.renew(place);
                state.placed = true;
                by_token.insert(place.token_hash.clone(), Arc::clone(caller));
            }
        }
        let refused = held.iter().filter(|held| held.refused);
        let refused = refused.map(|held| held.serial_number.clone()).collect();
        *known = Known {
            read: Some(Instant::now()),
            callers,
            places: by_token,
            held: held.into_iter().map(|held| held.serial_number).collect(),
            refused,
        };
        Ok(())
    }

    /// The device, if it may call.
    pub fn caller(&self, device: DeviceId) -> Option<Arc<Caller>> {
        let callers = self.callers();
        callers.into_iter().find(|caller| caller.device == device)
    }

    fn callers(&self) -> Vec<Arc<Caller>> {
        self.0.known().callers.values().cloned().collect()
    }
}

impl Inner {
    fn known(&self) -> std::sync::RwLockReadGuard<'_, Known> {
        self.known.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn caller(
        &self,
        row: &CallerRow,
        state: Option<Arc<Mutex<State>>>,
    ) -> Result<Caller, StoreError> {
        let kind = DeviceKind::from_name(&row.kind);
        let has_place = kind.and_then(DeviceKind::call_path).is_some();
        let state = state.unwrap_or_else(|| Arc::new(Mutex::new(State::of(row))));
        {
            let mut state = lock(&state);
            if has_place && row.failed_at.is_none() {
                state.trouble = None; // whoever reads it has ended its failure
            }
            state.has_commands |= row.has_commands;
            // Another node may have been called.
            state.last = state.last.max(row.last_ms.map(store::times::instant));
            state.surplus = row.surplus;
            state.counts = row.counts.unwrap_or(true);
            state.one_by_one = row.one_by_one.unwrap_or(false);
        }
        Ok(Caller {
            kind,
            has_place,
            polled: row.polled,
            device: DeviceId(row.id),
            serial_number: row.serial_number.clone(),
            name: row.name.clone(),
            zone: TimeZone::get(&row.zone).unwrap_or(TimeZone::UTC),
            comm_key: self.store.caller_comm_key(row)?,
            enabled: row.enabled,
            poll_interval: SignedDuration::from_secs(row.poll_interval_s.max(1)),
            state,
        })
    }
}

impl State {
    fn of(row: &CallerRow) -> Self {
        let instant = |ms: Option<i64>| ms.map(store::times::instant);
        Self {
            dialect: row.dialect.clone().unwrap_or_default(),
            address: row.address.clone().unwrap_or_default(),
            delay_secs: row.delay_s.unwrap_or(0),
            greeted: instant(row.greeted_ms),
            last: instant(row.last_ms),
            kept: instant(row.last_ms),
            listed: row.has_users,
            told: instant(row.told_ms),
            trouble: watch::step_of_ours(row.failed_at.as_deref()),
            ..Self::default()
        }
    }

    /// How many records it holds, unless it uploaded something since it told.
    fn records_now(&self) -> Option<i64> {
        let told = self.records.filter(|(_, uploads)| *uploads == self.uploads);
        told.map(|(records, _)| records)
    }

    /// A span is counted in parts: when each of them fits or was read back, all of it is kept.
    fn halve(&mut self, from: DateTime, counted: Timestamp) {
        self.halved = Some(match self.halved {
            Some((whole, first)) => (whole.min(from), first.min(counted)),
            None => (from, counted),
        });
    }

    fn called(&mut self, at: Timestamp) {
        self.last = Some(self.last.map_or(at, |last| last.max(at)));
    }
}

impl Caller {
    /// How it speaks, as [`Callers::greet`] was told; empty before.
    pub fn dialect(&self) -> String {
        self.state().dialect.clone()
    }

    /// Where it greeted from.
    pub fn address(&self) -> String {
        self.state().address.clone()
    }

    /// It was told to call so often.
    pub fn delay_secs(&self) -> i64 {
        self.state().delay_secs
    }

    /// Whether it is known by the place where it calls.
    pub fn has_place(&self) -> bool {
        self.has_place
    }

    /// Whether it is read too.
    pub fn is_read(&self) -> bool {
        self.polled
    }

    /// Whether a terminal of this kind that says its serial number can be it.
    fn says_its_serial(&self, kind: &str) -> bool {
        !self.has_place && self.kind.is_some_and(|ours| ours.as_str() == kind)
    }

    /// Whether it fetches what it is to do.
    fn fetches_orders(&self) -> bool {
        self.kind.is_some_and(DeviceKind::fetches_orders)
    }

    /// What its clock shows when it is right.
    pub fn clock_at(&self, at: Timestamp) -> DateTime {
        self.zone.to_datetime(at)
    }

    /// Whether an offset that it tells with a time is made up: some mark wall time as UTC although their own clock is elsewhere.
    /// Where UTC fits the zone, it is as it says.
    pub fn tells_false_offset(&self, clock: DateTime, offset: Offset) -> bool {
        let fits = match self.zone.to_ambiguous_timestamp(clock).offset() {
            AmbiguousOffset::Unambiguous { offset } => offset == Offset::UTC,
            AmbiguousOffset::Gap { before, after } | AmbiguousOffset::Fold { before, after } => {
                before == Offset::UTC || after == Offset::UTC
            }
        };
        let elsewhere = self.state().place.clock_offset_s.is_some_and(|s| s != 0);
        offset == Offset::UTC && elsewhere && !fits
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

/// What an address has in common with its neighbours.
fn network(address: &str) -> Option<Vec<u8>> {
    match address.parse::<IpAddr>().ok()? {
        IpAddr::V4(address) => Some(address.octets()[..3].to_vec()),
        IpAddr::V6(address) => Some(address.octets()[..8].to_vec()),
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Everything a device held at an instant is kept: it is covered so far, and from now on its count must be ours.
async fn all_is_kept(
    tx: &WriteTx,
    caller: &Caller,
    as_of: Timestamp,
) -> Result<Option<i64>, StoreError> {
    let told = caller.state().records_now();
    let surplus = match told {
        Some(records) => Some(tx.kept_records(caller.device).await? - records),
        None => None,
    };
    tx.keep_surplus(caller.device, surplus).await?;
    tx.cover_calls(caller.device, as_of).await?;
    Ok(surplus)
}

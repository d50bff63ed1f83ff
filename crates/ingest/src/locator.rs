//! Finds devices that are not reached where they should be: asks the addresses of the configured subnets, and the terminals of
//! the configured links, compares serial numbers, and writes where they are now.
//!
//! Terminals of the links are also heard when somebody else asks them, so that one that has moved need not be searched for.
//!
//! Nothing is asked outside these subnets, nor at the address of a device that is in contact, being read, or switched off.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use attendance::{DeviceId, Way};
use store::entities::devices;
use store::locating::Sighting;
use store::{Author, Store, StoreError};
use terminals::discover::{self, Answer, LinkSearch, Proof, ScanKeys, ScanLimits};
use terminals::{DeviceKind, Step, Subnet, Transport};

use crate::background::Background;
use crate::place::{self, host, is_registered_at};
use crate::{Change, Changes, Clock, Poller};

/// Where and how often devices are searched for.
#[derive(Clone, Debug)]
pub struct LocatorOptions {
    /// Nothing is ever asked outside them.
    pub subnets: Vec<Subnet>,
    /// Where terminals that tell who they are are asked. What they tell is a claim, and counts once they have proved it.
    pub links: LinkSearch,
    /// What they tell without being asked is heard too.
    pub hears: bool,
    /// Between the end of a search and the beginning of the next one, in real time and among all nodes.
    pub every: Duration,
    pub limits: ScanLimits,
}

impl Default for LocatorOptions {
    fn default() -> Self {
        Self {
            subnets: Vec::new(),
            links: LinkSearch::default(),
            hears: true,
            every: Duration::from_secs(300),
            limits: ScanLimits::default(),
        }
    }
}

/// The name of the turn that nodes take.
const WORK: &str = "search for devices";
/// A search that runs shows so often that it does.
const RENEW: Duration = Duration::from_secs(20);
/// How long a terminal may take to prove that it is the one it claims to be.
const PROOF: Duration = Duration::from_secs(15);
/// Of the places that claim to be one device so many are asked for a proof.
const PLACES_ASKED: usize = 4;
/// A place that could not prove its claim is not asked again for so long.
const CLAIM_RESTS: Duration = Duration::from_secs(24 * 3600);
/// How often it is looked whether a device is missing.
const LOOK_AGAIN: Duration = Duration::from_secs(5);
const AFTER_ERROR: Duration = Duration::from_secs(30);
/// So many claims are remembered, the newest, and each for so long: a device may be missed only a while after it has moved.
const MOST_HEARD: usize = 1000;
const HEARD_FOR: Duration = Duration::from_secs(3600);
/// When it is tried again to hear the links.
const HEAR_AGAIN: Duration = Duration::from_secs(60);

/// Finds devices. Cheap to clone; clones share what they know of refused keys.
#[derive(Clone, Debug)]
pub struct Locator(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    store: Store,
    clock: Clock,
    changes: Changes,
    poller: Poller,
    options: LocatorOptions,
    keys: ScanKeys,
    /// Devices that were found and stay where they are, and what was said about it. Said once.
    doubted: Mutex<BTreeMap<DeviceId, String>>,
    /// Places that were asked to prove to be a device and did not, and when.
    unproved: Mutex<BTreeMap<(DeviceId, SocketAddr), Instant>>,
    heard: Mutex<Heard>,
}

/// What terminals have told of themselves without being asked: where, and the serial number that they claim to have.
#[derive(Debug, Default)]
struct Heard(BTreeMap<(SocketAddr, String), (Answer, Instant)>);

/// What is to be searched for, and where.
#[derive(Clone, Debug)]
pub struct Search {
    pub missing: Vec<devices::Model>,
    /// Devices that are not to be disturbed, whoever claims to be where they are.
    undisturbed: Vec<devices::Model>,
    addresses: Vec<Ipv4Addr>,
    ports: BTreeSet<(&'static str, u16)>,
    /// Terminals that tell who they are are asked.
    asks_links: bool,
    keys: ScanKeys,
    /// Addresses of the subnets that are not asked, because a registered device is there.
    pub spared: usize,
    /// A device in contact whose address is not known now, because its host name cannot be resolved. It could be disturbed.
    pub unresolved: Option<devices::Model>,
}

/// A missing device that was found.
#[derive(Clone, Debug)]
pub struct Located {
    pub device: devices::Model,
    pub at: SocketAddr,
    pub outcome: Outcome,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Its address is that now.
    Moved,
    /// It has that address already.
    There,
    /// It stays where it is, for the reason that is shown as its failure.
    Doubted(String),
    /// It was edited, removed or read meanwhile.
    Overtaken,
}

impl Locator {
    pub(crate) fn new(
        store: Store,
        clock: Clock,
        changes: Changes,
        poller: Poller,
        options: LocatorOptions,
    ) -> Self {
        Self(Arc::new(Inner {
            store,
            clock,
            changes,
            poller,
            options,
            keys: ScanKeys::default(),
            doubted: Mutex::default(),
            unproved: Mutex::default(),
            heard: Mutex::default(),
        }))
    }

    pub fn subnets(&self) -> &[Subnet] {
        &self.0.options.subnets
    }

    /// Whether a device of this kind is found by its serial number if it has no address.
    pub fn searches(&self, kind: &str) -> bool {
        let kind = DeviceKind::from_name(kind);
        kind.is_some_and(|kind| self.finds(kind))
    }

    fn finds(&self, kind: DeviceKind) -> bool {
        let by_subnet = kind.can_be_found() && !self.subnets().is_empty();
        by_subnet || kind.answers_links() && self.asks_links()
    }

    /// Whether terminals are asked on our links.
    pub fn asks_links(&self) -> bool {
        !self.0.options.links.interfaces.is_empty()
    }

    fn searches_nowhere(&self) -> bool {
        self.subnets().is_empty() && !self.asks_links()
    }

    /// Searches whenever a device is missing and it is time, and hears the links, for ever.
    pub(crate) async fn run(self) {
        if !self.searches_nowhere() {
            tokio::join!(self.search_for_ever(), self.hear_links());
        }
    }

    async fn search_for_ever(&self) {
        let look = async || {
            self.follow_what_was_heard().await?;
            self.search().await
        };
        loop {
            let wait = match look().await {
                Ok(_) => LOOK_AGAIN,
                Err(error) => {
                    tracing::error!(
                        error = &error as &dyn std::error::Error,
                        "missing devices cannot be searched for; trying again"
                    );
                    AFTER_ERROR
                }
            };
            tokio::time::sleep(wait).await;
        }
    }

    /// Hears what terminals of the links tell, for ever; returns at once where that is not wanted.
    pub async fn hear_links(&self) {
        let links = &self.0.options.links;
        if !self.asks_links() || !self.0.options.hears {
            return;
        }
        let mut was_said = false;
        loop {
            match discover::hear_links(links) {
                Ok(mut ear) => loop {
                    let (place, answer) = ear.next().await;
                    self.hear(place, answer);
                },
                Err(error) if !was_said => {
                    was_said = true;
                    tracing::warn!(
                        error = &error as &dyn std::error::Error,
                        "what terminals tell on the networks of discover.sadp is not heard; trying again"
                    );
                }
                Err(_) => {}
            }
            tokio::time::sleep(HEAR_AGAIN).await;
        }
    }

    /// Remembers what a terminal has told without being asked.
    pub fn hear(&self, place: SocketAddr, answer: Answer) {
        if let Answer::Claims { serial, .. } = &answer {
            let key = (place, serial.clone());
            self.heard().keep(key, answer, Instant::now());
        }
    }

    /// Moves missing devices to where their terminals were heard to be, once they have proved it there.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn follow_what_was_heard(&self) -> Result<Vec<Located>, StoreError> {
        if self.heard().0.is_empty() {
            return Ok(Vec::new());
        }
        let (mut missing, mut undisturbed) = (Vec::new(), Vec::new());
        for device in self.0.store.devices().await? {
            match self.is_missing(&device) {
                true => missing.push(device),
                false if self.must_be_spared(&device) => undisturbed.push(device),
                false => {}
            }
        }
        let found = self.heard().take_of(&missing, Instant::now());
        if found.is_empty() {
            return Ok(Vec::new());
        }
        let search = Search {
            missing,
            undisturbed,
            addresses: Vec::new(),
            ports: BTreeSet::new(),
            asks_links: false,
            keys: ScanKeys::default(),
            spared: 0,
            unresolved: None,
        };
        self.relocate(&search, &found).await
    }

    /// One search of all configured subnets for all missing devices; `None` when none is missing, or it is not time yet, or
    /// another node is searching.
    pub async fn search(&self) -> Result<Option<Vec<Located>>, StoreError> {
        let inner = &*self.0;
        if self.searches_nowhere() {
            return Ok(None);
        }
        let now = inner.clock.real_now();
        if !inner.store.turn_is_free(WORK, now).await? {
            return Ok(None);
        }
        let devices = inner.store.devices().await?;
        if !devices.iter().any(|device| self.is_missing(device)) {
            return Ok(None);
        }
        let tx = inner.store.begin_claim().await?;
        let ours = tx.take_turn(WORK, now, now + inner.options.every).await?;
        tx.commit_quietly().await?;
        if !ours {
            return Ok(None);
        }
        let search = self.plan_for(devices, self.subnets(), None).await;
        if let Some(device) = &search.unresolved {
            tracing::warn!(
                device.id = device.id,
                "missing devices are not searched for now: the host name of device {} cannot be resolved, and it must not be \
                 disturbed",
                device.name
            );
            return Ok(None);
        }
        let renewing = self.keep_turn();
        let mut found = Vec::new();
        self.scan(&search, &mut |place, answer| match answer {
            Answer::Nothing => {}
            answer => found.push((place, answer)),
        })
        .await;
        drop(renewing);
        tracing::debug!(
            addresses = search.asked(),
            missing = search.missing.len(),
            answers = found.len(),
            "searched for missing devices"
        );
        let located = self.relocate(&search, &found).await?;
        self.prolong().await?;
        Ok(Some(located))
    }

    /// What a search of these subnets, which must be configured ones or parts of them, would be about. It asks at the port
    /// that is usual and those of the missing devices, or only at `port`.
    pub async fn plan(&self, subnets: &[Subnet], port: Option<u16>) -> Result<Search, StoreError> {
        let devices = self.0.store.devices().await?;
        Ok(self.plan_for(devices, subnets, port).await)
    }

    async fn plan_for(
        &self,
        devices: Vec<devices::Model>,
        subnets: &[Subnet],
        port: Option<u16>,
    ) -> Search {
        let configured = self.subnets();
        let allowed = subnets
            .iter()
            .filter(|subnet| configured.iter().any(|whole| whole.covers(subnet)));
        let mut addresses: BTreeSet<Ipv4Addr> = allowed.flat_map(Subnet::hosts).collect();
        let all = addresses.len();
        let (mut missing, mut unresolved) = (Vec::new(), None);
        let mut undisturbed = Vec::new();
        for device in devices {
            if self.must_be_spared(&device) {
                let found = discover::addresses_of(host(&device)).await;
                if found.is_empty() && is_in_contact(&device) {
                    unresolved = Some(device);
                    break;
                }
                for address in found {
                    if let IpAddr::V4(address) = address.to_canonical() {
                        addresses.remove(&address);
                    }
                }
            }
            match self.is_missing(&device) {
                true => missing.push(device),
                false if self.must_be_spared(&device) => undisturbed.push(device),
                false => {}
            }
        }
        let findable = DeviceKind::ALL.iter().filter(|kind| kind.can_be_found());
        let mut ports: BTreeSet<_> = findable
            .map(|kind| (kind.as_str(), port.unwrap_or(kind.default_port())))
            .collect();
        if port.is_none() {
            ports.extend(missing.iter().filter_map(|device| {
                let kind = DeviceKind::from_name(&device.kind)?;
                Some((kind.as_str(), place::port(device, kind)))
            }));
        }
        Search {
            asks_links: port.is_none(),
            keys: self.0.keys.with(self.comm_keys(&missing)),
            missing,
            undisturbed,
            spared: all - addresses.len(),
            addresses: addresses.into_iter().collect(),
            ports,
            unresolved,
        }
    }

    /// Whether a search stays away from where a device is registered: only where it fails may somebody else be there.
    fn must_be_spared(&self, device: &devices::Model) -> bool {
        let now = self.0.clock.real_now().as_millisecond();
        let is_read = device.lease_until_ms.is_some_and(|until| until > now);
        let fails = device.last_error_step.is_some();
        !host(device).is_empty() && (is_read || !device.enabled || !fails)
    }

    fn comm_keys(&self, missing: &[devices::Model]) -> Vec<u32> {
        let key = |device| {
            let sealed = self.0.store.device_credentials(device).ok()?;
            sealed.comm_key?.expose().trim().parse().ok()
        };
        missing.iter().filter_map(key).collect()
    }

    /// Asks all addresses; `on_host` is told of each, in any order.
    pub async fn scan(
        &self,
        search: &Search,
        on_host: &mut (dyn FnMut(SocketAddr, Answer) + Send),
    ) {
        let limits = self.0.options.limits;
        let links = &self.0.options.links;
        if self.asks_links() && search.asks_links {
            let asked = discover::ask_links(links, &search.addresses, limits, on_host).await;
            if let Err(error) = asked {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "terminals are not asked where they are: look at discover.sadp in muster.toml"
                );
            }
        }
        for (kind, port) in &search.ports {
            if let Some(kind) = DeviceKind::from_name(kind) {
                let addresses = search.addresses.iter().copied();
                discover::scan(kind, addresses, *port, limits, &search.keys, on_host).await;
            }
        }
    }

    /// Writes where the missing devices were found. One that answers at two places, or has a host name, stays where it is.
    pub async fn relocate(
        &self,
        search: &Search,
        found: &[(SocketAddr, Answer)],
    ) -> Result<Vec<Located>, StoreError> {
        let mut located = Vec::new();
        for device in &search.missing {
            let places = self.places_of(device, found, &search.undisturbed).await;
            if let Some(at) = places.first() {
                let outcome = self.conclude(device, &places).await?;
                located.push(Located {
                    device: device.clone(),
                    at: *at,
                    outcome,
                });
            }
        }
        Ok(located)
    }

    async fn conclude(
        &self,
        device: &devices::Model,
        places: &[SocketAddr],
    ) -> Result<Outcome, StoreError> {
        match places {
            [place] if is_registered_at(device, *place) => Ok(Outcome::There),
            [place] if !has_host_name(device) => self.relocate_to(device, *place).await,
            [place] => {
                let message = format!(
                    "it answers at {place}, but its host name {} leads elsewhere: correct the name server, or enter the address",
                    host(device)
                );
                let step = device.last_error_step.as_deref();
                let step = step.unwrap_or(Step::Resolve.as_str());
                self.doubt(device, step, message).await
            }
            several => {
                let places: Vec<_> = several.iter().map(ToString::to_string).collect();
                let message = format!(
                    "{} terminals answer with its serial number, at {}: its address stays as it is until only one does",
                    places.len(),
                    places.join(" and ")
                );
                self.doubt(device, Step::Identify.as_str(), message).await
            }
        }
    }

    async fn relocate_to(
        &self,
        device: &devices::Model,
        place: SocketAddr,
    ) -> Result<Outcome, StoreError> {
        let inner = &*self.0;
        let kind = DeviceKind::from_name(&device.kind);
        let usual = kind.is_some_and(|kind| kind.default_port() == place.port());
        let port = (!usual || device.port.is_some()).then_some(place.port());
        let message = format!("it was found at {place} and is read there next");
        let sighting = Sighting {
            before: device,
            message: &message,
        };
        let author = Author {
            account: None,
            at: inner.clock.now(),
        };
        let tx = inner.store.begin_write().await?;
        let address = place.ip().to_string();
        if !tx.move_device(sighting, &address, port, author).await? {
            tx.rollback().await?;
            return Ok(Outcome::Overtaken);
        }
        tx.commit().await?;
        tracing::info!(
            device.id = device.id,
            "device {} was found at {place}; its address was {}",
            device.name,
            match host(device) {
                "" => "not known",
                before => before,
            }
        );
        self.doubted().remove(&DeviceId(device.id));
        self.tell(device);
        inner.poller.wake();
        Ok(Outcome::Moved)
    }

    async fn doubt(
        &self,
        device: &devices::Model,
        step: &str,
        message: String,
    ) -> Result<Outcome, StoreError> {
        let inner = &*self.0;
        let sighting = Sighting {
            before: device,
            message: &message,
        };
        let tx = inner.store.begin_write().await?;
        if !tx.doubt_device(sighting, step, inner.clock.now()).await? {
            tx.rollback().await?;
            return Ok(Outcome::Overtaken);
        }
        tx.commit().await?;
        let said = self.doubted().insert(DeviceId(device.id), message.clone());
        if said.as_ref() != Some(&message) {
            tracing::warn!(device.id = device.id, "device {}: {message}", device.name);
        }
        self.tell(device);
        Ok(Outcome::Doubted(message))
    }

    /// Whether a device is to be searched for: one that should be polled and is not reached, or answers as another.
    fn is_missing(&self, device: &devices::Model) -> bool {
        let lost = [Step::Resolve, Step::Connect, Step::Identify].map(Step::as_str);
        let step = device.last_error_step.as_deref();
        let mut ways = device.mode.split(',');
        DeviceKind::from_name(&device.kind).is_some_and(|kind| self.finds(kind))
            && device.enabled
            && !device.needs_edit
            && device.retired_ms.is_none()
            && ways.any(|way| way == Way::Poll.as_str())
            && (host(device).is_empty() || step.is_some_and(|step| lost.contains(&step)))
    }

    /// Where a device is, as far as what answers tells its serial number, and has proved it where it only claims to.
    async fn places_of(
        &self,
        device: &devices::Model,
        found: &[(SocketAddr, Answer)],
        undisturbed: &[devices::Model],
    ) -> Vec<SocketAddr> {
        let Some(kind) = DeviceKind::from_name(&device.kind) else {
            return Vec::new();
        };
        let tells = |serial: &str| kind.is_serial(serial, &device.serial_number);
        let mut places = Vec::new();
        let mut claims = BTreeSet::new();
        for (place, answer) in found {
            match answer {
                Answer::Terminal { serial, .. } if tells(serial) => places.push(*place),
                Answer::Claims {
                    serial,
                    tls_port,
                    activated: true,
                    ..
                } if tells(serial) => {
                    let usual = place::port(device, kind);
                    let with_tls = kind.transport(usual, None) == Transport::Tls;
                    let port = match with_tls {
                        true => tls_port.unwrap_or(usual),
                        false => place.port(),
                    };
                    claims.insert(SocketAddr::new(place.ip(), port));
                }
                _ => {}
            }
        }
        let is_free = |claim: &SocketAddr| {
            let at_claim = |other: &devices::Model| is_registered_at(other, *claim);
            !undisturbed.iter().any(at_claim)
        };
        for claim in claims.into_iter().filter(is_free).take(PLACES_ASKED) {
            if self.proves(device, claim).await {
                places.push(claim);
            }
        }
        places.sort_unstable();
        places.dedup();
        places
    }

    /// Whether the terminal at a place proves to be the device it claims to be. A place is sent a sign-in once a day.
    async fn proves(&self, device: &devices::Model, place: SocketAddr) -> bool {
        let key = (DeviceId(device.id), place);
        {
            let mut unproved = self.unproved();
            unproved.retain(|_, at| at.elapsed() < CLAIM_RESTS);
            if unproved.contains_key(&key) {
                return false;
            }
            // To be there before anything is sent: silence is an answer too.
            unproved.insert(key, Instant::now());
        }
        let at_place = devices::Model {
            address: Some(place.ip().to_string()),
            port: Some(i64::from(place.port())),
            ..device.clone()
        };
        let target = match self.0.poller.target(&at_place) {
            Ok(target) => target,
            Err(failure) => {
                tracing::debug!(device.id = device.id, "not asked: {}", failure.message);
                return false;
            }
        };
        match discover::confirm(&target, PROOF).await {
            Ok(Proof::Given) => {
                self.unproved().remove(&key);
                return true;
            }
            // One that has just been switched on says where it is before it answers there.
            Ok(Proof::Nobody) => {
                self.unproved().remove(&key);
            }
            Ok(Proof::Another) => tracing::warn!(
                device.id = device.id,
                "somebody at {place} claims to be device {}, and is another one",
                device.name
            ),
            Err(error) => tracing::warn!(
                device.id = device.id,
                error = &error as &dyn std::error::Error,
                "somebody at {place} claims to be device {}, and does not prove it",
                device.name
            ),
        }
        false
    }

    fn unproved(&self) -> MutexGuard<'_, BTreeMap<(DeviceId, SocketAddr), Instant>> {
        let unproved = self.0.unproved.lock();
        unproved.unwrap_or_else(PoisonError::into_inner)
    }

    fn heard(&self) -> MutexGuard<'_, Heard> {
        self.0.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn doubted(&self) -> MutexGuard<'_, BTreeMap<DeviceId, String>> {
        let doubted = self.0.doubted.lock();
        doubted.unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self, device: &devices::Model) {
        self.0.changes.publish(Change {
            devices: vec![DeviceId(device.id)],
            ..Change::default()
        });
    }

    /// Keeps the turn of a search that runs, for as long as the value lives.
    fn keep_turn(&self) -> Background {
        let locator = self.clone();
        let failing = "the turn to search for devices could not be kept";
        Background::repeat(RENEW, failing, move || {
            let locator = locator.clone();
            async move { locator.prolong().await }
        })
    }

    async fn prolong(&self) -> Result<(), StoreError> {
        let inner = &*self.0;
        let until = inner.clock.real_now() + inner.options.every;
        let tx = inner.store.begin_claim().await?;
        tx.prolong_turn(WORK, until).await?;
        tx.commit_quietly().await
    }
}

impl Heard {
    fn keep(&mut self, key: (SocketAddr, String), answer: Answer, now: Instant) {
        self.0.insert(key, (answer, now));
        if self.0.len() > MOST_HEARD {
            let oldest = self.0.iter().min_by_key(|(_, (_, at))| *at);
            if let Some(oldest) = oldest.map(|(key, _)| key.clone()) {
                self.0.remove(&oldest);
            }
        }
    }

    /// What may be one of these devices. It is looked at once, unless it is told again.
    fn take_of(&mut self, missing: &[devices::Model], now: Instant) -> Vec<(SocketAddr, Answer)> {
        let may_be = |serial: &str| {
            missing.iter().any(|device| {
                let kind = DeviceKind::from_name(&device.kind);
                kind.is_some_and(|kind| kind.is_serial(serial, &device.serial_number))
            })
        };
        let is_fresh = |at: &Instant| now.saturating_duration_since(*at) < HEARD_FOR;
        self.0.retain(|_, (_, at)| is_fresh(at));
        let heard = self.0.extract_if(.., |(_, serial), _| may_be(serial));
        heard
            .map(|((place, _), (answer, _))| (place, answer))
            .collect()
    }
}

impl Search {
    /// How many times an address is asked.
    pub fn asked(&self) -> usize {
        self.addresses.len() * self.ports.len()
    }
}

fn is_in_contact(device: &devices::Model) -> bool {
    device.enabled && device.last_contact_ms.is_some() && device.last_error_step.is_none()
}

fn has_host_name(device: &devices::Model) -> bool {
    !host(device).is_empty() && host(device).parse::<IpAddr>().is_err()
}

//! Terminals that do not say who they are and call at a place of their own: whose place it is, that they are there, and whether
//! anything of what they tell is missing.

use std::net::IpAddr;
use std::sync::Arc;

use jiff::civil::DateTime;
use jiff::{SignedDuration, Timestamp};
use store::call_places::Chain;
use store::entities::call_places;
use store::secrets::Secret;
use store::{Author, Store, StoreError, WriteTx};

use super::{Caller, Callers, Delivery, Event, State};

/// A terminal that shows that it is there when something happens and not otherwise is away after three days without anything.
const RARELY: i64 = 24 * 3600;
/// A pause of so long is none between two heartbeats.
const LONGEST_BEAT: i64 = 3600;
/// So soon after a reading that something missing asked for, no other one is.
const READ_AGAIN: SignedDuration = SignedDuration::from_mins(1);
/// What a terminal records it tells within that.
const TELLS_WITHIN: SignedDuration = SignedDuration::from_mins(1);
/// How often the clock of a terminal that nobody reads is compared.
const HEAR_CLOCK: SignedDuration = SignedDuration::from_mins(5);
/// So many readings in a row brought what the terminal had not told.
const UNTOLD: u32 = 3;
/// How long a terminal may take to tell a punch before that counts.
const TELLS_LATE: SignedDuration = SignedDuration::from_mins(2);
/// How often it is looked for punches that were not told.
const LOOK_EVERY: SignedDuration = SignedDuration::from_mins(1);

/// What a terminal says of the order of its events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link {
    /// Its number of the event.
    pub number: u64,
    /// That of the one before it, which it told us too.
    pub before: Option<u64>,
    /// What its clock showed then.
    pub clock: DateTime,
    /// It happens now; otherwise it is told again, or late.
    pub is_news: bool,
}

/// What is known of a place in this process.
#[derive(Debug, Default)]
pub(super) struct PlaceState {
    pub(super) hardware: Option<String>,
    /// How far its own clock is from UTC, in seconds.
    pub(super) clock_offset_s: Option<i64>,
    /// Told to us, and not yet kept.
    last_event: Option<Timestamp>,
    last_heartbeat: Option<Timestamp>,
    kept: (Option<Timestamp>, Option<Timestamp>),
    last_number: Option<u64>,
    /// The terminal was told by us to call, since then.
    armed: Option<Timestamp>,
    /// Why it could not be told.
    pub(super) failure: Option<String>,
    /// It was last asked to be read because something is missing.
    read_asked: Option<Timestamp>,
    looked: Option<Timestamp>,
    heard_clock: Option<Timestamp>,
    /// Readings bring what it does not tell.
    pub(super) tells_nothing: bool,
}

impl PlaceState {
    /// What the database says, beside what happened since.
    pub(super) fn renew(&mut self, row: &call_places::Model) {
        let instant = |ms: Option<i64>| ms.map(store::times::instant);
        self.hardware.clone_from(&row.hardware);
        self.clock_offset_s = row.clock_offset_s;
        self.failure.clone_from(&row.failure);
        self.armed = instant(row.armed_ms);
        self.last_event = self.last_event.max(instant(row.last_event_ms));
        self.last_heartbeat = self.last_heartbeat.max(instant(row.last_heartbeat_ms));
        if self.last_number.is_none() {
            self.last_number = row.last_number.and_then(|number| number.try_into().ok());
        }
    }

    /// How these follow what was known, and the newest number then. What was told before breaks nothing.
    fn follow(&self, links: &[Link]) -> Option<(Chain, Link)> {
        let mut known = self.last_number;
        let (mut chain, mut newest) = (Chain::Whole, None);
        for link in links {
            let seen = known.is_some_and(|known| link.number <= known);
            if seen && !link.is_news {
                continue; // told again
            }
            let step = match (known, link.before) {
                (None, _) => Chain::Begins,
                (Some(known), Some(before)) if before == known => Chain::Whole,
                (Some(known), _) if link.number == known => continue,
                (Some(known), _) if link.number == known + 1 => Chain::Whole,
                (Some(_), Some(_)) => Chain::Broken,
                // It started to count again.
                (Some(known), None) if link.number < known => Chain::Broken,
                // Others may have been in between that it does not tell.
                (Some(_), None) => Chain::Begins,
            };
            chain = match (chain, step) {
                (Chain::Broken, _) | (_, Chain::Broken) => Chain::Broken,
                (Chain::Begins, _) | (_, Chain::Begins) => Chain::Begins,
                _ => Chain::Whole,
            };
            known = Some(link.number);
            newest = Some(*link);
        }
        newest.map(|newest| (chain, newest))
    }
}

/// What the events of an upload say of those that should have come before them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Followed {
    chain: Chain,
    newest: Link,
    /// To be read, because something is missing.
    reads: bool,
}

impl Callers {
    /// Whose place this token names; `None` for a token that is nobody's, or whose device is switched off.
    ///
    /// # Errors
    /// When the database cannot be read; the terminal keeps what it has.
    pub async fn at_place(&self, token: &str) -> Result<Option<Arc<Caller>>, StoreError> {
        self.renew_known().await?;
        let place = Store::call_token_hash(token);
        let caller = self.0.known().places.get(&place).cloned();
        Ok(caller.filter(|caller| caller.enabled))
    }

    /// A terminal shows at its place that it is there, by an event or by a heartbeat, with which it does so regularly.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn arrived(
        &self,
        caller: &Caller,
        address: IpAddr,
        is_heartbeat: bool,
    ) -> Result<(), StoreError> {
        let now = self.0.clock.now();
        let delay_secs = {
            let mut state = caller.state();
            let before = state.place.last_heartbeat;
            if is_heartbeat {
                state.place.last_heartbeat = Some(now);
            } else {
                state.place.last_event = Some(now);
            }
            state.idle_calls = 0;
            let wanted = match (is_heartbeat, before) {
                (true, Some(before)) => state.beats_every(now, before),
                _ => state.delay_secs,
            };
            let wanted = if wanted == 0 { RARELY } else { wanted };
            let is_as_before = state.greeted.is_some()
                && state.delay_secs == wanted
                && state.address == address.to_string();
            (!is_as_before).then_some(wanted)
        };
        match delay_secs {
            Some(secs) => {
                let secs = u32::try_from(secs).unwrap_or(u32::MAX);
                self.greet_every(caller, "", address, secs).await.map(drop)
            }
            None => {
                self.called(caller, false);
                Ok(())
            }
        }
    }

    /// A terminal says what its clock shows now. It is looked at now and then, where no reading does.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn heard_clock(
        &self,
        caller: &Arc<Caller>,
        clock: DateTime,
    ) -> Result<(), StoreError> {
        let now = self.0.clock.now();
        {
            let mut state = caller.state();
            let heard = &mut state.place.heard_clock;
            let is_due = heard.is_none_or(|heard| now.duration_since(heard) >= HEAR_CLOCK);
            if caller.polled || !is_due {
                return Ok(());
            }
            *heard = Some(now);
        }
        let delivery = Delivery {
            unasked: true,
            clock: Some(clock),
            ..Delivery::default()
        };
        self.deliver(caller, delivery).await.map(drop)
    }

    /// Whether this may be the terminal that calls at this place: the first one, or one that was read there, is from then on.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn is_known_hardware(
        &self,
        caller: &Caller,
        hardware: &str,
    ) -> Result<bool, StoreError> {
        let known = caller.state().place.hardware.clone();
        if let Some(known) = known {
            if known == hardware {
                return Ok(true);
            }
            let detail = format!("{hardware} instead of {known}");
            let kind = "another_hardware";
            self.note(caller, &Event { kind, detail }).await?;
            tracing::warn!(
                device.id = caller.device.0,
                "another terminal calls at the place of device {}: its hardware address is {hardware}, not {known}",
                caller.name
            );
            return Ok(false);
        }
        let tx = self.0.store.begin_write().await?;
        tx.keep_hardware(caller.device, hardware).await?;
        tx.commit_quietly().await?;
        caller.state().place.hardware = Some(hardware.to_owned());
        Ok(true)
    }

    /// The token of the place at which a device is to call; made when it has none.
    ///
    /// # Errors
    /// When the database refuses, or there is no key to seal the token with.
    pub async fn place_of(&self, device: attendance::DeviceId) -> Result<Secret, StoreError> {
        let tx = self.0.store.begin_write().await?;
        let token = tx.call_token(device, self.0.clock.now()).await?;
        tx.commit_quietly().await?;
        self.forget();
        Ok(token)
    }

    /// Gives a device another place. What still calls at the one before is a stranger; a terminal that we reach is told the new
    /// one when it is next read.
    ///
    /// # Errors
    /// As [`Callers::place_of`].
    pub async fn renew_place(
        &self,
        device: attendance::DeviceId,
        author: Author,
    ) -> Result<Secret, StoreError> {
        let tx = self.0.store.begin_write().await?;
        let token = tx.renew_call_token(device, author).await?;
        tx.poll_now(Some(&[device]), author.at).await?;
        tx.commit().await?;
        self.read_known().await?;
        self.publish(device);
        Ok(token)
    }

    /// Reads again what others write of places: whoever reads terminals, and other nodes.
    pub(super) async fn renew_places(&self) -> Result<(), StoreError> {
        let callers = self.callers();
        if !callers.iter().any(|caller| caller.has_place) {
            return Ok(());
        }
        let places = self.0.store.call_places().await?;
        let mut is_new = false;
        for place in &places {
            let caller = callers.iter().find(|c| c.device.0 == place.device_id);
            if let Some(caller) = caller.filter(|caller| caller.has_place) {
                is_new |= !self.0.known().places.contains_key(&place.token_hash);
                let mut state = caller.state();
                state.place.renew(place);
                // A failure that lasts may have been taken for another one, and ended with it.
                is_new |= state.trouble.is_some();
            }
        }
        match is_new {
            true => self.read_known().await,
            false => Ok(()),
        }
    }

    /// Every device that calls at a place of its own has one.
    pub(super) async fn keep_places(&self) -> Result<(), StoreError> {
        let lacks = |caller: &&Arc<Caller>| caller.has_place && !caller.state().placed;
        let callers = self.callers();
        let lacking: Vec<_> = callers.iter().filter(lacks).collect();
        if lacking.is_empty() {
            return Ok(());
        }
        let at = self.0.clock.now();
        let tx = self.0.store.begin_write().await?;
        for caller in &lacking {
            tx.call_token(caller.device, at).await?;
        }
        tx.commit_quietly().await?;
        self.read_known().await
    }

    /// Keeps when terminals last told something at their places.
    pub(super) async fn keep_arrivals(&self) -> Result<(), StoreError> {
        let mut arrivals = Vec::new();
        let callers = self.callers();
        for caller in &callers {
            let place = &caller.state().place;
            let newest = (place.last_event, place.last_heartbeat);
            if newest != place.kept && newest != (None, None) {
                arrivals.push((caller.device, newest.0, newest.1));
            }
        }
        if arrivals.is_empty() {
            return Ok(());
        }
        let tx = self.0.store.begin_claim().await?;
        tx.keep_arrivals(&arrivals).await?;
        tx.commit_quietly().await?;
        for (device, event, heartbeat) in arrivals {
            let caller = callers.iter().find(|caller| caller.device == device);
            if let Some(caller) = caller {
                caller.state().place.kept = (event, heartbeat);
            }
        }
        Ok(())
    }

    /// Looks whether terminals that were told to call do tell what they record: the newest punches that were read were told too.
    pub(super) async fn look_for_untold(&self) -> Result<(), StoreError> {
        let now = self.0.clock.now();
        for caller in self.callers() {
            let Some(armed) = ({
                let mut state = caller.state();
                let place = &mut state.place;
                let is_due = place
                    .looked
                    .is_none_or(|looked| now.duration_since(looked) >= LOOK_EVERY);
                let armed = place.armed.filter(|_| is_due);
                if armed.is_some() {
                    place.looked = Some(now);
                } else if place.armed.is_none() {
                    place.tells_nothing = false;
                }
                armed
            }) else {
                continue;
            };
            let tells_nothing = untold(&self.0.store, caller.device, armed, now).await?;
            caller.state().place.tells_nothing = tells_nothing;
        }
        Ok(())
    }

    /// What the links of an upload say. To be asked before it is stored.
    pub(super) fn follow(&self, caller: &Caller, links: &[Link]) -> Option<Followed> {
        let now = self.0.clock.now();
        let mut state = caller.state();
        let (chain, newest) = state.place.follow(links)?;
        let is_due = |asked: &Timestamp| now.duration_since(*asked) >= READ_AGAIN;
        let reads = chain == Chain::Broken && state.place.read_asked.as_ref().is_none_or(is_due);
        if reads {
            state.place.read_asked = Some(now);
        }
        Some(Followed {
            chain,
            newest,
            reads,
        })
    }
}

/// Whether the newest punches of a terminal came by readings only, although it was told to call before they were made.
pub(crate) async fn untold(
    store: &Store,
    device: attendance::DeviceId,
    armed: Timestamp,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let within = (armed, now - TELLS_LATE);
    let (all, told) = store.told_of_newest(device, within, UNTOLD).await?;
    Ok(all >= UNTOLD && told == 0)
}

/// Keeps how the events of an upload follow each other, in its transaction: what is missing is read where the device is read, and
/// elsewhere nobody is absent by it.
pub(super) async fn keep_followed(
    tx: &WriteTx,
    caller: &Caller,
    followed: &Followed,
    at: Timestamp,
) -> Result<(), StoreError> {
    tx.keep_last_number(caller.device, followed.newest.number)
        .await?;
    if followed.chain == Chain::Broken {
        let detail = match caller.polled {
            true => "it is read now",
            false => "nobody reads it",
        };
        tx.notice(caller.device, "events_missing", detail, at)
            .await?;
    }
    if followed.reads && caller.polled {
        tx.poll_now(Some(&[caller.device]), at).await?;
    }
    if caller.polled {
        return Ok(()); // its readings cover it
    }
    // More of what it recorded while it could not call may be to come, so it is covered up to this event and not up to now.
    let recorded = caller
        .zone
        .to_ambiguous_timestamp(followed.newest.clock)
        .compatible();
    let to = recorded.map_or(at, |recorded| recorded.min(at));
    let to = match followed.chain {
        Chain::Whole => to - TELLS_WITHIN,
        Chain::Begins | Chain::Broken => to,
    };
    tx.cover_followed(caller.device, followed.chain, to).await
}

impl State {
    /// Those of an upload are kept.
    pub(super) fn followed(&mut self, followed: &Followed) {
        self.place.last_number = Some(followed.newest.number);
    }

    /// How often it shows that it is there, after two heartbeats in a row.
    fn beats_every(&self, now: Timestamp, before: Timestamp) -> i64 {
        let pause = now.duration_since(before).as_secs().max(1);
        let is_first = self.delay_secs == 0 || self.delay_secs == RARELY;
        match () {
            () if is_first && pause <= LONGEST_BEAT => pause,
            // It was away for longer, or is only a little late.
            () if is_first || pause > self.delay_secs * 3 => self.delay_secs,
            () if pause > self.delay_secs * 3 / 2 => pause,
            () => self.delay_secs,
        }
    }
}

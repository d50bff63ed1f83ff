//! What a terminal that calls has delivered: stored before it is told so.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use attendance::{DeviceUserId, Punch, Way};
use jiff::Timestamp;
use jiff::civil::DateTime;
use store::calls::Upload;
use store::kept_uploads::KeptUpload;
use store::{StoreError, WriteTx};
use terminals::{DeviceUser, ParkedRecord};

use super::places::{Followed, Link, keep_followed};
use super::{Caller, Callers, Inner};
use crate::intake::{Contact, ToMark};
use crate::together::Keep;
use crate::{Accepted, Batch, Change};

/// What one upload brings.
#[derive(Clone, Debug, Default)]
pub struct Delivery {
    /// Of what, in the device's own word; empty for what is no upload, such as a look at its clock.
    pub content: String,
    /// Where the device is after it, in its own words; `None` leaves that as it was.
    pub cursor: Option<String>,
    /// The same for the same bytes.
    pub digest: String,
    /// Lines in it, whatever became of them.
    pub lines: u64,
    pub punches: Vec<Punch>,
    pub users: Vec<DeviceUser>,
    pub deleted_users: Vec<DeviceUserId>,
    pub parked: Vec<ParkedRecord>,
    pub events: Vec<Event>,
    /// Templates and photos, where a setting says that such are kept.
    pub kept: Vec<KeptUpload>,
    /// Told by the device on its own, not because it was asked: one punch that it has just recorded, perhaps.
    pub unasked: bool,
    /// Something came that only a reading can tell whole: the device is read now, where it is read.
    pub to_read: bool,
    /// What the device says of the order of its events.
    pub links: Vec<Link>,
    /// What its clock showed when it delivered this, where it says that.
    pub clock: Option<DateTime>,
}

/// Something that happened at a terminal and explains what people see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// A name; the words are in the message catalogue.
    pub kind: &'static str,
    pub detail: String,
}

/// What became of an upload. It is on disk.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Delivered {
    pub new: u64,
    pub duplicate: u64,
    pub parked: u64,
}

/// A delivery that waits to be stored.
#[derive(Debug)]
pub(super) struct Arrived {
    caller: Arc<Caller>,
    delivery: Delivery,
    contact: Option<Contact>,
    followed: Option<Followed>,
    at: Timestamp,
}

/// How often in a row the same upload means that the device does not understand our answer.
const REPEATS: u64 = 2;

impl Callers {
    /// Stores what a device delivers; once this returns, it may be told so. Deliveries that arrive at the same time share a
    /// transaction. Goes on when nobody waits for it any more.
    ///
    /// # Errors
    /// When the database refuses: then nothing of it is stored, and the device delivers it again.
    pub async fn deliver(
        &self,
        caller: &Arc<Caller>,
        delivery: Delivery,
    ) -> Result<Delivered, StoreError> {
        let arrived = Arrived {
            contact: self.clock_look(caller, &delivery),
            followed: self.follow(caller, &delivery.links),
            caller: Arc::clone(caller),
            delivery,
            at: self.0.clock.now(),
        };
        {
            let mut state = caller.state();
            state.idle_calls = 0;
            let delivery = &arrived.delivery;
            state.listed |= !delivery.users.is_empty();
            state.uploads += u64::from(delivery.unasked && !delivery.punches.is_empty());
        }
        let inner = Arc::clone(&self.0);
        let storing = tokio::spawn(async move { inner.writing.keep(&*inner, arrived).await });
        let kept = match storing.await {
            Ok(kept) => kept,
            Err(panic) => std::panic::resume_unwind(panic.into_panic()),
        };
        caller.state().owes = !matches!(kept, Ok(Some(_)));
        kept?.ok_or(StoreError::Interrupted)
    }

    /// Something happened with a device that is no upload.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn note(&self, caller: &Caller, event: &Event) -> Result<(), StoreError> {
        let tx = self.0.store.begin_write().await?;
        tx.notice(caller.device, event.kind, &event.detail, self.0.clock.now())
            .await?;
        tx.commit().await?;
        self.0.changes.publish(Change {
            devices: vec![caller.device],
            ..Change::default()
        });
        Ok(())
    }

    /// What the terminal's clock shows, as far as one punch can tell. A device that asked for commands twice had nothing more
    /// to upload; so a punch that it uploads by itself after that was recorded since it last asked.
    fn clock_look(&self, caller: &Caller, delivery: &Delivery) -> Option<Contact> {
        let seen_at = self.0.clock.now();
        if let Some(clock) = delivery.clock {
            return Some(Contact { clock, seen_at });
        }
        let [punch] = delivery.punches.as_slice() else {
            return None;
        };
        let state = caller.state();
        if !delivery.unasked || delivery.lines != 1 || state.idle_calls < 2 || state.owes {
            return None;
        }
        let since = state.idle_at.filter(|since| *since <= seen_at)?;
        let recorded = caller
            .zone
            .to_ambiguous_timestamp(punch.clock)
            .compatible()
            .ok()?;
        // Within the time in which it was recorded it is right, else off by what it is outside of it. Clocks of terminals
        // show whole seconds.
        let earliest = since.as_second();
        let off_s = match recorded.as_second() {
            at if at > seen_at.as_second() => at - seen_at.as_second(),
            at if at < earliest => at - earliest,
            _ => 0,
        };
        let shows = jiff::Timestamp::from_second(seen_at.as_second() + off_s).ok()?;
        Some(Contact {
            clock: caller.clock_at(shows),
            seen_at,
        })
    }
}

impl Keep for Inner {
    type Item = Arrived;
    type Kept = Delivered;

    fn weight(arrived: &Arrived) -> usize {
        arrived
            .delivery
            .lines
            .try_into()
            .unwrap_or(usize::MAX)
            .max(1)
    }

    async fn keep(&self, arrived: &[Arrived]) -> Result<Vec<Delivered>, StoreError> {
        let _storing = self.intake.storing();
        let tx = self.store.begin_write().await?;
        let mut kept = Vec::with_capacity(arrived.len());
        let mut to_mark = ToMark::default();
        for some in of_different_devices(arrived) {
            kept.extend(self.keep_in(&tx, some, &mut to_mark).await?);
        }
        to_mark.mark_in(&tx, self.clock.now()).await?;
        tx.commit().await?;
        Ok(arrived
            .iter()
            .zip(kept)
            .map(|(arrived, (accepted, repeated))| {
                {
                    let mut state = arrived.caller.state();
                    state.repeated = repeated;
                    if let Some(followed) = &arrived.followed {
                        state.followed(followed);
                    }
                    match accepted.fault() {
                        Some((_, text)) if arrived.delivery.unasked => {
                            state.clock = Some(Err(text))
                        }
                        None if arrived.contact.is_some() => state.clock = Some(Ok(())),
                        _ => {}
                    }
                }
                self.intake.stored(arrived.caller.device, &accepted);
                Delivered {
                    new: accepted.new,
                    duplicate: accepted.duplicate,
                    parked: accepted.rejected,
                }
            })
            .collect())
    }
}

/// The deliveries in their order, cut where a device comes again: it must find what it has just brought.
fn of_different_devices(arrived: &[Arrived]) -> impl Iterator<Item = &[Arrived]> {
    let mut rest = arrived;
    std::iter::from_fn(move || {
        let mut devices = HashSet::new();
        let different = rest
            .iter()
            .take_while(|arrived| devices.insert(arrived.caller.device));
        let (some, others) = rest.split_at(different.count());
        rest = others;
        (!some.is_empty()).then_some(some)
    })
}

impl Inner {
    /// Stores deliveries of different devices; what became of each, and how often in a row it came.
    async fn keep_in(
        &self,
        tx: &WriteTx,
        arrived: &[Arrived],
        to_mark: &mut ToMark,
    ) -> Result<Vec<(Accepted, u64)>, StoreError> {
        let batches: Vec<Batch> = arrived.iter().map(Arrived::batch).collect();
        let full: Vec<&Batch> = (batches.iter())
            .filter(|batch| !batch_is_empty(batch))
            .collect();
        let mut stored = Vec::new();
        if !full.is_empty() {
            let touched;
            (stored, touched) = self.intake.store_all_in(tx, Way::Push, &full).await?;
            to_mark.add(touched);
        }
        let mut stored = stored.into_iter();
        let accepted: Vec<Accepted> = (batches.iter())
            .map(|batch| match batch_is_empty(batch) {
                true => Accepted::default(),
                false => stored.next().unwrap_or_default(),
            })
            .collect();
        let is_upload = |arrived: &Arrived| !arrived.delivery.content.is_empty();
        let uploads: Vec<Upload<'_>> = (arrived.iter().zip(&accepted))
            .filter(|(arrived, _)| is_upload(arrived))
            .map(|(arrived, accepted)| arrived.upload(accepted))
            .collect();
        let mut repeated = tx.keep_uploads(&uploads).await?.into_iter();
        let repeated: Vec<u64> = (arrived.iter())
            .map(|arrived| match is_upload(arrived) {
                true => repeated.next().unwrap_or(0),
                false => arrived.caller.state().repeated,
            })
            .collect();
        for (arrived, accepted) in arrived.iter().zip(&accepted) {
            let (delivery, device) = (&arrived.delivery, arrived.caller.device);
            for event in &delivery.events {
                tx.notice(device, event.kind, &event.detail, arrived.at)
                    .await?;
            }
            for kept in &delivery.kept {
                tx.keep_uploaded(device, kept, arrived.at).await?;
            }
            if delivery.to_read && arrived.caller.is_read() {
                tx.poll_now(Some(&[device]), arrived.at).await?;
            }
            if let Some(followed) = &arrived.followed {
                keep_followed(tx, &arrived.caller, followed, arrived.at).await?;
            }
            if let (Some(contact), Some(drift)) = (arrived.contact, accepted.clock_drift_s) {
                tx.keep_contact(device, contact.seen_at, drift).await?;
            }
        }
        Ok(accepted.into_iter().zip(repeated).collect())
    }
}

impl Arrived {
    fn upload(&self, accepted: &Accepted) -> Upload<'_> {
        let delivery = &self.delivery;
        Upload {
            device: self.caller.device,
            content: &delivery.content,
            cursor: delivery.cursor.as_deref(),
            digest: &delivery.digest,
            lines: delivery.lines,
            new: accepted.new,
            duplicate: accepted.duplicate,
            parked: accepted.rejected,
            at: self.at,
        }
    }

    fn batch(&self) -> Batch {
        let delivery = &self.delivery;
        // The last word about a user holds.
        let users: BTreeMap<&str, &DeviceUser> = delivery
            .users
            .iter()
            .map(|user| (user.id.as_str(), user))
            .collect();
        let deleted = delivery.deleted_users.iter();
        let deleted = deleted.filter(|id| !users.contains_key(id.as_str()));
        Batch {
            deleted_users: deleted.cloned().collect(),
            told_users: users.into_values().cloned().collect(),
            parked: delivery.parked.clone(),
            rejected: delivery.parked.len() as u64,
            contact: self.contact,
            ..Batch::new(self.caller.device, Way::Push, delivery.punches.clone())
        }
    }
}

fn batch_is_empty(batch: &Batch) -> bool {
    batch.punches.is_empty()
        && batch.told_users.is_empty()
        && batch.deleted_users.is_empty()
        && batch.parked.is_empty()
        && batch.contact.is_none()
}

/// Whether a device uploads the same over and over.
pub(super) fn is_a_loop(repeated: u64) -> bool {
    repeated >= REPEATS
}

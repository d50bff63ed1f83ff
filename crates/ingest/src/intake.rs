//! The one way in for punches, whatever brought them.
//!
//! Decides zone, instant, occurrence and owner of each punch and stores what is new, all in one transaction with the marks of
//! the days it touches. A terminal may be told OK, and its reading position may move, once `accept` has returned.

use std::collections::BTreeSet;

use attendance::{DeviceId, EmployeeId, Match, Punch, PunchId, Way};
use jiff::civil::{Date, DateTime};
use jiff::tz::{AmbiguousOffset, Offset};
use jiff::{Span, Timestamp};
use store::coverage::GapCause;
use store::identity::{Candidates, ListedUser};
use store::parked::Unreadable;
use store::polling::DeviceZones;
use store::punches::PunchRow;
use store::{Store, StoreError, Whose, WriteTx};
use terminals::{DeviceUser, ParkedRecord, Reading};

use crate::{Change, Changes, Clock, Judge, log_order};

/// What one read, one push or one file brought of one device.
#[derive(Clone, Debug)]
pub struct Batch {
    pub device: DeviceId,
    pub way: Way,
    pub punches: Vec<Punch>,
    /// The terminal's whole user list; `None` when it was not read.
    pub users: Option<Vec<DeviceUser>>,
    pub parked: Vec<ParkedRecord>,
    /// How many could not be understood, the parked ones among them.
    pub rejected: u64,
    /// The terminal's clock, where it was seen.
    pub contact: Option<Contact>,
    /// Everything the device had recorded by the time of the contact is in this batch or was stored before.
    pub complete: bool,
    /// The device has lost its log: what it recorded after the last complete read may be gone.
    pub log_lost: bool,
}

/// A look at a terminal's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Contact {
    /// What it showed.
    pub clock: DateTime,
    /// When we saw it.
    pub seen_at: Timestamp,
}

impl Batch {
    /// Punches alone.
    pub fn new(device: DeviceId, way: Way, punches: Vec<Punch>) -> Self {
        Self {
            device,
            way,
            punches,
            users: None,
            parked: Vec::new(),
            rejected: 0,
            contact: None,
            complete: false,
            log_lost: false,
        }
    }

    /// What a read brought.
    pub fn of_reading(device: DeviceId, reading: Reading) -> Self {
        Self {
            device,
            way: Way::Poll,
            punches: reading.punches,
            users: reading.users,
            parked: reading.parked,
            rejected: reading.rejected,
            contact: Some(Contact {
                clock: reading.clock,
                seen_at: reading.seen_at,
            }),
            complete: reading.complete,
            log_lost: reading.log_lost,
        }
    }
}

/// What became of a batch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Accepted {
    /// Punches in the batch.
    pub read: u64,
    pub new: u64,
    /// Known before, by whichever way.
    pub duplicate: u64,
    /// Parked, because nobody could understand them.
    pub rejected: u64,
    /// The new punches.
    pub punches: Vec<PunchId>,
    /// How far the terminal's clock was ahead of ours, in seconds; negative is behind.
    pub clock_drift_s: Option<i64>,
    /// The terminal reported an offset that its zone does not have. The punches are stored by their wall time; nothing is
    /// covered by such a read (R4).
    pub offset_conflict: Option<OffsetConflict>,
}

/// The first punch whose reported offset does not fit the device's zone.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the terminal says {reported} at {clock}, but its zone {zone} does not")]
pub struct OffsetConflict {
    pub clock: DateTime,
    pub reported: Offset,
    pub zone: String,
}

/// Stores batches. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Intake {
    store: Store,
    clock: Clock,
    judge: Judge,
    changes: Changes,
}

impl Intake {
    pub fn new(store: Store, clock: Clock, judge: Judge, changes: Changes) -> Self {
        Self {
            store,
            clock,
            judge,
            changes,
        }
    }

    /// Stores a batch and marks every workday it touches, all or nothing. Known punches are skipped, so a batch may be sent
    /// again after a failure.
    ///
    /// # Errors
    /// When the database refuses, or does not know the device. Then nothing was stored.
    pub async fn accept(&self, batch: &Batch) -> Result<Accepted, StoreError> {
        let tx = self.store.begin_write().await?;
        let accepted = self.store_in(&tx, batch).await?;
        tx.commit().await?;
        self.stored(batch.device, &accepted);
        Ok(accepted)
    }

    /// To be called after the commit of what [`Intake::store_in`] stored.
    pub(crate) fn stored(&self, device: DeviceId, accepted: &Accepted) {
        self.judge.wake();
        self.changes.publish(Change {
            punches: accepted.punches.clone(),
            devices: vec![device],
            ..Change::default()
        });
    }

    /// The same as `accept` inside a transaction of the caller's.
    pub(crate) async fn store_in(
        &self,
        tx: &WriteTx,
        batch: &Batch,
    ) -> Result<Accepted, StoreError> {
        let received = self.clock.now();
        let zones = tx.device_zones(batch.device).await?;
        let candidates = self.know_users(tx, batch, &zones, received).await?;

        let mut punches: Vec<&Punch> = batch.punches.iter().collect();
        punches.sort_by_key(|punch| punch.record);
        let placed: Vec<Placed<'_>> = punches.iter().map(|punch| place(punch, &zones)).collect();
        let offset_conflict = placed.iter().find_map(|placed| placed.conflict.clone());
        let suspects = match batch.way {
            // These come in the order in which the terminal wrote them.
            Way::Poll | Way::Import => log_order::suspects(
                &placed
                    .iter()
                    .map(|placed| placed.instant)
                    .collect::<Vec<_>>(),
            ),
            Way::Push | Way::Live => log_order::Suspects::none(punches.len()),
        };
        let owners: Vec<Match> = punches
            .iter()
            .map(|punch| owner(&candidates, punch))
            .collect();
        let rows: Vec<PunchRow<'_>> = punches
            .iter()
            .zip(&placed)
            .zip(&suspects.flags)
            .zip(&owners)
            .map(|(((punch, placed), &suspect), owner)| PunchRow {
                user: punch.user.as_str(),
                clock: punch.clock,
                fold: placed.fold,
                zone: placed.zone,
                instant: placed.instant,
                state: punch.state,
                verify: punch.verify,
                suspect,
                employee: owner.employee(),
            })
            .collect();
        let inserted = tx
            .insert_punches(batch.device, batch.way, received, &rows)
            .await?;
        let touched: Vec<_> = inserted
            .new
            .iter()
            .chain(&inserted.restated)
            .copied()
            .collect();
        tx.mark_punches(&touched, received, "punch").await?;
        let contested: BTreeSet<&str> = punches
            .iter()
            .zip(&owners)
            .filter(|(_, owner)| matches!(owner, Match::Ambiguous { .. }))
            .map(|(punch, _)| punch.user.as_str())
            .collect();
        tx.contest_punches(batch.device, &contested, &candidates, &touched, "punch")
            .await?;

        let parked: Vec<_> = batch
            .parked
            .iter()
            .map(|record| Unreadable {
                bytes: &record.bytes,
                reason: &record.reason,
            })
            .collect();
        tx.park(batch.device, batch.way, &parked, received).await?;

        let contact = batch.contact.map(|contact| {
            let (_, zone) = zones.at(contact.clock);
            let shows = zone
                .to_ambiguous_timestamp(contact.clock)
                .compatible()
                .unwrap_or(contact.seen_at);
            (contact.seen_at, shows)
        });
        if let Some((seen_at, shows)) = contact {
            let good = rows
                .iter()
                .filter(|row| !row.suspect && row.clock.date() >= IN_SERVICE_SINCE)
                .filter(|_| offset_conflict.is_none())
                .map(|row| row.instant);
            let known_to = match batch.complete && !batch.log_lost {
                true => None, // not asked for
                false => tx.covered_to(batch.device).await?,
            };
            if let Some(from) = known_to.filter(|from| batch.log_lost && *from < seen_at) {
                // What was lost lies before the first that is there now.
                let first = good.clone().filter(|instant| *instant > from).min();
                let to = first.map_or(seen_at, |first| first.min(seen_at));
                tx.add_gap(batch.device, from, Some(to), GapCause::Lost)
                    .await?;
            }
            if offset_conflict.is_none() {
                for (from, to) in &suspects.gaps {
                    let to = to.or(batch.complete.then_some(seen_at));
                    if to.is_some() {
                        tx.add_gap(batch.device, *from, to, GapCause::Clock).await?;
                    }
                }
                let (first, to) = (good.min(), seen_at.min(shows));
                if batch.complete {
                    tx.close_contact_gaps(batch.device).await?;
                    tx.advance_coverage(batch.device, first.map_or(to, |first| first.min(to)), to)
                        .await?;
                } else if let (Some(first), None, Way::Poll) = (first, known_to, batch.way)
                    && first < to
                {
                    // The part of the log that completes it will not tell how far back it reaches.
                    tx.advance_coverage(batch.device, first, first).await?;
                }
            }
        }
        let (read, new) = (rows.len() as u64, inserted.new.len() as u64);
        Ok(Accepted {
            read,
            new,
            duplicate: read - new,
            rejected: batch.rejected,
            punches: inserted.new.iter().map(|punch| punch.id).collect(),
            clock_drift_s: contact.map(|(seen_at, shows)| shows.duration_since(seen_at).as_secs()),
            offset_conflict,
        })
    }

    /// Keeps and resolves the device users of a batch; who those of its punches could be.
    async fn know_users(
        &self,
        tx: &WriteTx,
        batch: &Batch,
        zones: &DeviceZones,
        received: Timestamp,
    ) -> Result<Candidates, StoreError> {
        let punched = batch.punches.iter().map(|punch| punch.user.as_str());
        let mut wanted: BTreeSet<&str> = punched.collect();
        let listed = batch.users.iter().flatten().map(|user| user.id.as_str());
        let seen: BTreeSet<&str> = wanted.iter().copied().chain(listed).collect();
        let unseen = tx.unseen_users(batch.device, &seen).await?;
        wanted.extend(&unseen);
        let candidates = tx.candidates(batch.device, &wanted).await?;
        let today = today(zones, received);
        let users = batch.users.as_deref();
        let listed: Vec<_> = users.unwrap_or_default().iter().map(listed_user).collect();
        let mut enrolled = tx
            .see_users(batch.device, &unseen, &listed, &candidates, today, received)
            .await?;
        if users.is_some() {
            enrolled.extend(tx.store_user_list(batch.device, &listed, received).await?);
            // Being listed on a terminal makes it relevant from now on.
            let enrolled: Vec<EmployeeId> = enrolled.into_iter().collect();
            let from = today.saturating_sub(Span::new().days(1));
            let whose = Whose::Employees(&enrolled);
            tx.mark_reports(whose, Some(from), None, "user list")
                .await?;
        }
        Ok(candidates)
    }
}

/// Punches dated before this say nothing of how long a terminal has been in service: its clock had been reset.
const IN_SERVICE_SINCE: Date = Date::constant(2010, 1, 1);

struct Placed<'z> {
    zone: &'z str,
    fold: bool,
    instant: Timestamp,
    conflict: Option<OffsetConflict>,
}

/// R4: the reported offset chooses between the two occurrences of a repeated hour, and does nothing else.
fn place<'z>(punch: &Punch, zones: &'z DeviceZones) -> Placed<'z> {
    let (name, zone) = zones.at(punch.clock);
    let ambiguous = zone.to_ambiguous_timestamp(punch.clock);
    let (fits, fold) = match (ambiguous.offset(), punch.offset) {
        (_, None) => (true, false),
        (AmbiguousOffset::Unambiguous { offset }, Some(reported)) => (reported == offset, false),
        (AmbiguousOffset::Gap { before, after }, Some(reported)) => {
            (reported == before || reported == after, false)
        }
        (AmbiguousOffset::Fold { before, after }, Some(reported)) => {
            (reported == before || reported == after, reported == after)
        }
    };
    let instant = if fold {
        ambiguous.later()
    } else {
        ambiguous.compatible()
    };
    Placed {
        zone: name,
        fold,
        instant: instant.unwrap_or(Timestamp::UNIX_EPOCH), // only at the ends of the calendar
        conflict: (!fits).then(|| OffsetConflict {
            clock: punch.clock,
            reported: punch.offset.unwrap_or(Offset::UTC),
            zone: name.to_owned(),
        }),
    }
}

fn owner(candidates: &Candidates, punch: &Punch) -> Match {
    let candidates = candidates.get(punch.user.as_str());
    attendance::find_employee(
        candidates.map_or(&[][..], Vec::as_slice),
        punch.clock.date(),
    )
}

fn listed_user(user: &DeviceUser) -> ListedUser<'_> {
    ListedUser {
        user: user.id.as_str(),
        name: before_nul(&user.name),
        admin: user.admin,
        card: user.card.as_deref().map(before_nul),
    }
}

/// PostgreSQL stores no NUL; to a terminal it ends the text.
fn before_nul(text: &str) -> &str {
    text.split_once('\0').map_or(text, |(text, _)| text)
}

/// The date at the device, good enough for showing whom a user matches.
fn today(zones: &DeviceZones, now: Timestamp) -> Date {
    let (_, zone) = zones.at(DateTime::MAX);
    zone.to_datetime(now).date()
}

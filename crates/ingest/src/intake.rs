//! The one way in for punches, whatever brought them.
//!
//! Decides zone, instant, occurrence and owner of each punch and stores what is new, all in one transaction with the marks of
//! the days it touches. A terminal may be told OK, and its reading position may move, once `accept` has returned.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use attendance::{DeviceId, DeviceUserId, EmployeeId, Match, Punch, PunchId, Way};
use jiff::civil::{Date, DateTime};
use jiff::tz::{AmbiguousOffset, Offset};
use jiff::{SignedDuration, Span, Timestamp};
use store::clocks::{ClockEvent, ClockNote};
use store::coverage::GapCause;
use store::identity::{Candidates, ListedUser};
use store::parked::Unreadable;
use store::polling::DeviceZones;
use store::punches::{CLOCK_MIN, Inserted, PunchRow, TouchedPunch};
use store::{Store, StoreError, WriteTx};
use terminals::{DeviceUser, ParkedRecord, Reading, Step};

use crate::clock_notes::ClockNotes;
use crate::judge::Storing;
use crate::{Change, Changes, Clock, Judge, log_order};

/// What one read, one push or one file brought of one device.
#[derive(Clone, Debug)]
pub struct Batch {
    pub device: DeviceId,
    pub way: Way,
    pub punches: Vec<Punch>,
    /// The terminal's whole user list; `None` when it was not read.
    pub users: Option<Vec<DeviceUser>>,
    /// Users it told one by one; what it does not tell stays.
    pub told_users: Vec<DeviceUser>,
    /// Users that were deleted there.
    pub deleted_users: Vec<DeviceUserId>,
    pub parked: Vec<ParkedRecord>,
    /// How many could not be understood, the parked ones among them.
    pub rejected: u64,
    /// How many the device counts and did not send.
    pub missing: u64,
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
            told_users: Vec::new(),
            deleted_users: Vec::new(),
            parked: Vec::new(),
            rejected: 0,
            missing: 0,
            contact: None,
            complete: false,
            log_lost: false,
        }
    }

    /// What a read brought.
    pub fn of_reading(device: DeviceId, reading: Reading) -> Self {
        Self {
            users: reading.users,
            parked: reading.parked,
            rejected: reading.rejected,
            missing: reading.missing,
            contact: Some(Contact {
                clock: reading.clock,
                seen_at: reading.seen_at,
            }),
            complete: reading.complete,
            log_lost: reading.log_lost,
            ..Self::new(device, Way::Poll, reading.punches)
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
    /// The terminal's clock or its zone is wrong. The punches are stored by their wall time; nothing is covered by such a read.
    pub clock_fault: Option<ClockFault>,
    /// How many the device counts and did not send; nothing is covered by such a read.
    pub missing: u64,
    /// The read was a part of a long log; the next one goes on from there.
    pub more: bool,
    /// The newest note of the terminal's clock.
    pub(crate) clock_note: Option<ClockNote>,
}

impl Accepted {
    /// Why nothing is covered although what came is stored: the step, and a text for people.
    pub fn fault(&self) -> Option<(Step, String)> {
        if let Some(fault) = &self.clock_fault {
            return Some((Step::Clock, fault.to_string()));
        }
        let missing = self.missing;
        (missing > 0).then(|| {
            let text = format!(
                "the terminal counts {missing} more records than it sent: what came is stored, and nobody is absent by what is \
                 missing; if it stays so, restart the terminal"
            );
            (Step::Punches, text)
        })
    }
}

/// Why the times of a terminal cannot be believed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClockFault {
    /// The first punch whose reported offset does not fit the device's zone (R4).
    #[error(
        "the terminal says {reported} at {clock}, but its zone {zone} does not: correct the zone of the device, or that of the terminal"
    )]
    Offset {
        clock: DateTime,
        reported: Offset,
        zone: String,
    },
    /// It shows a time so far from ours that its punches are in quarantine (R30), or count for other days.
    #[error(
        "the terminal's clock is about {} the time in {zone}: set it, or correct the zone of the device; nobody is absent by what it records until then",
        about(*.ahead)
    )]
    Wrong {
        /// Negative is behind.
        ahead: SignedDuration,
        zone: String,
    },
}

/// Coarse, so that a clock that stays wrong says the same at every read.
fn about(ahead: SignedDuration) -> String {
    let side = if ahead.is_negative() {
        "behind"
    } else {
        "ahead of"
    };
    let quarters = (ahead.as_secs().unsigned_abs() + 450) / 900;
    match (quarters / 4, quarters % 4 * 15) {
        (hours @ 48.., _) => format!("{} days {side}", hours / 24),
        (hours, minutes) => format!("{hours} h {minutes} min {side}"),
    }
}

/// What the batches of one transaction change for reports: marked once for all of them, because batches that come together
/// touch the same days.
#[derive(Debug, Default)]
#[must_use = "what is not marked is not judged"]
pub(crate) struct ToMark {
    punches: Vec<TouchedPunch>,
    /// People who are listed on another terminal now, and from when to when that makes a difference.
    listed: Vec<(EmployeeId, Date, Date)>,
    /// Devices whose logs reach back further than was known.
    in_service: BTreeMap<DeviceId, Timestamp>,
}

impl ToMark {
    pub(crate) fn add(&mut self, other: Self) {
        self.punches.extend(other.punches);
        self.listed.extend(other.listed);
        self.in_service.extend(other.in_service);
    }

    pub(crate) async fn mark_in(self, tx: &WriteTx, now: Timestamp) -> Result<(), StoreError> {
        tx.mark_report_spans(&self.listed, "user list").await?;
        tx.mark_punches(&self.punches, now, "punch").await?;
        tx.mark_devices(&self.in_service, "device in service")
            .await?;
        Ok(())
    }
}

/// Stores batches. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Intake {
    store: Store,
    clock: Clock,
    judge: Judge,
    changes: Changes,
    clock_notes: ClockNotes,
}

impl Intake {
    pub fn new(store: Store, clock: Clock, judge: Judge, changes: Changes) -> Self {
        Self {
            store,
            clock,
            judge,
            changes,
            clock_notes: ClockNotes::default(),
        }
    }

    /// Stores a batch and marks every workday it touches, all or nothing. Known punches are skipped, so a batch may be sent
    /// again after a failure.
    ///
    /// # Errors
    /// When the database refuses, or does not know the device. Then nothing was stored.
    pub async fn accept(&self, batch: &Batch) -> Result<Accepted, StoreError> {
        let _storing = self.storing();
        let tx = self.store.begin_write().await?;
        let (accepted, to_mark) = self.store_in(&tx, batch).await?;
        to_mark.mark_in(&tx, self.clock.now()).await?;
        tx.commit().await?;
        self.stored(batch.device, &accepted);
        Ok(accepted)
    }

    /// Held while [`Intake::store_in`] works, so that the judge leaves old days alone.
    pub(crate) fn storing(&self) -> Storing<'_> {
        self.judge.storing()
    }

    /// Days were marked by a commit that stored no batch.
    pub(crate) fn wake(&self) {
        self.judge.wake();
    }

    /// To be called after the commit of what [`Intake::store_in`] stored.
    pub(crate) fn stored(&self, device: DeviceId, accepted: &Accepted) {
        if let Some(note) = accepted.clock_note {
            self.clock_notes.know(device, note);
        }
        self.judge.wake();
        self.changes.publish(Change {
            punches: accepted.punches.clone(),
            devices: vec![device],
            ..Change::default()
        });
    }

    /// The same as `accept` inside a transaction of the caller's, who marks what is to be marked before its commit.
    pub(crate) async fn store_in(
        &self,
        tx: &WriteTx,
        batch: &Batch,
    ) -> Result<(Accepted, ToMark), StoreError> {
        let (accepted, to_mark) = self.store_all_in(tx, batch.way, &[batch]).await?;
        Ok((accepted.into_iter().next().unwrap_or_default(), to_mark))
    }

    /// The same for batches of different devices that came in the same way. The database is asked once for all of them.
    pub(crate) async fn store_all_in(
        &self,
        tx: &WriteTx,
        way: Way,
        batches: &[&Batch],
    ) -> Result<(Vec<Accepted>, ToMark), StoreError> {
        let mut to_mark = ToMark::default();
        let received = self.clock.now();
        let known = Known::of(tx, batches).await?;
        let mut read = Vec::with_capacity(batches.len());
        for batch in batches {
            self.keep_users(tx, batch, &known, received, &mut to_mark)
                .await?;
            read.push(Read::of(tx, batch, &known).await?);
        }
        let rows: Vec<_> = batches
            .iter()
            .zip(&read)
            .map(|(batch, read)| (batch.device, read.rows.as_slice()))
            .collect();
        let mut inserted = tx.insert_punches_of(way, received, &rows).await?;
        let mut accepted = Vec::with_capacity(batches.len());
        for (batch, read) in batches.iter().zip(read) {
            let inserted = inserted.remove(&batch.device).unwrap_or_default();
            let touched: Vec<_> = inserted
                .new
                .iter()
                .chain(&inserted.restated)
                .copied()
                .collect();
            to_mark.punches.extend(&touched);
            tx.contest_punches(
                batch.device,
                &read.contested,
                known.candidates(batch.device),
                &touched,
                "punch",
            )
            .await?;
            let result = self
                .conclude(tx, batch, read, &inserted, received, &mut to_mark)
                .await?;
            accepted.push(result);
        }
        Ok((accepted, to_mark))
    }

    /// What follows from a batch whose punches are stored.
    async fn conclude(
        &self,
        tx: &WriteTx,
        batch: &Batch,
        read: Read<'_>,
        inserted: &Inserted,
        received: Timestamp,
        to_mark: &mut ToMark,
    ) -> Result<Accepted, StoreError> {
        let Read {
            rows,
            conflict: mut clock_fault,
            gaps,
            looked,
            ..
        } = read;
        let parked: Vec<_> = batch
            .parked
            .iter()
            .map(|record| Unreadable {
                bytes: &record.bytes,
                reason: &record.reason,
            })
            .collect();
        tx.park(batch.device, batch.way, &parked, received).await?;

        let mut clock_note = None;
        if let Some((looked, is_wrong)) = looked {
            let Looked { seen_at, shows, .. } = looked;
            let seen = looked.note();
            clock_note = Some(self.clock_notes.note(tx, batch.device, &seen).await?);
            if is_wrong {
                // What the rest of a long log brings was not all recorded since.
                if batch.complete || batch.way == Way::Push {
                    tx.open_clock_gap(batch.device, seen_at, received).await?;
                }
                let (ahead, zone) = (looked.ahead(), looked.zone.to_owned());
                clock_fault.get_or_insert(ClockFault::Wrong { ahead, zone });
            } else if batch.way == Way::Push {
                tx.close_clock_gap(batch.device, seen_at).await?;
            }
            let good = |row: &&PunchRow<'_>| !row.suspect && row.clock.date() >= CLOCK_MIN;
            let believed: Vec<Timestamp> = match clock_fault {
                None => rows.iter().filter(good).map(|row| row.instant).collect(),
                Some(_) => Vec::new(),
            };
            if batch.log_lost {
                lose(tx, batch.device, &believed, seen_at).await?;
            }
            if clock_fault.is_none() && batch.missing == 0 {
                let first = believed.into_iter().min();
                let covered = cover(tx, batch, first, &gaps, seen_at, shows).await?;
                if let Some(from) = covered {
                    to_mark.in_service.insert(batch.device, from);
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
            clock_drift_s: looked.map(|(looked, _)| looked.ahead().as_secs()),
            clock_fault,
            missing: batch.missing,
            more: batch.way == Way::Poll && batch.contact.is_some() && !batch.complete,
            clock_note,
        })
    }

    /// Keeps and resolves the device users of a batch.
    async fn keep_users(
        &self,
        tx: &WriteTx,
        batch: &Batch,
        known: &Known<'_>,
        received: Timestamp,
        to_mark: &mut ToMark,
    ) -> Result<(), StoreError> {
        let zones = known.zones(batch.device);
        let unseen = known.unseen(batch.device);
        let candidates = known.candidates(batch.device);
        let today = today(zones, received);
        let users = batch.users.as_deref().unwrap_or(&batch.told_users);
        let listed: Vec<_> = users.iter().map(listed_user).collect();
        let device = batch.device;
        let deleted: Vec<_> = batch.deleted_users.iter().map(|id| id.as_str()).collect();
        let mut changed = tx.forget_users(device, &deleted, received).await?;
        changed.extend(match &batch.users {
            Some(_) => {
                tx.store_user_list(device, &listed, &unseen, received)
                    .await?
            }
            None => tx.store_users(device, &listed, &unseen, received).await?,
        });
        let enrolled = tx
            .see_users(batch.device, &unseen, &listed, candidates, today, received)
            .await?;
        for employee in enrolled {
            changed.entry(employee).or_insert(received);
        }
        // Being listed on a terminal makes it relevant.
        let spans = changed.into_iter().map(|(employee, since)| {
            let (_, zone) = zones.at(DateTime::MAX);
            let day = zone.to_datetime(since).date();
            let from = day.saturating_sub(Span::new().days(1));
            (employee, from, Date::MAX)
        });
        to_mark.listed.extend(spans);
        Ok(())
    }
}

/// What the database knows of the devices of some batches and of their users.
struct Known<'b> {
    zones: HashMap<DeviceId, DeviceZones>,
    /// Users that their device has never shown.
    unseen: BTreeSet<(DeviceId, &'b str)>,
    /// Who the users of the punches, and the unseen ones, could be.
    candidates: HashMap<DeviceId, Candidates>,
    nobody: Candidates,
    /// Devices whose clock was seen to be wrong, and not to be right since.
    wrong_clocks: BTreeSet<DeviceId>,
}

impl<'b> Known<'b> {
    async fn of(tx: &WriteTx, batches: &[&'b Batch]) -> Result<Self, StoreError> {
        let devices: Vec<DeviceId> = batches.iter().map(|batch| batch.device).collect();
        let mut wanted = BTreeSet::new();
        let mut seen = BTreeSet::new();
        for batch in batches {
            let of_it = |id: &'b DeviceUserId| (batch.device, id.as_str());
            wanted.extend(batch.punches.iter().map(|punch| of_it(&punch.user)));
            let listed = batch.users.iter().flatten().chain(&batch.told_users);
            seen.extend(listed.map(|user| of_it(&user.id)));
        }
        seen.extend(&wanted);
        let unseen = tx.unseen_users(&seen).await?;
        wanted.extend(&unseen);
        Ok(Self {
            zones: tx.zones_of_devices(&devices).await?,
            candidates: tx.candidates(wanted).await?,
            unseen,
            nobody: Candidates::default(),
            wrong_clocks: tx.wrong_clocks_seen(&devices).await?,
        })
    }

    fn zones(&self, device: DeviceId) -> &DeviceZones {
        self.zones.get(&device).expect("asked for every batch")
    }

    fn unseen(&self, device: DeviceId) -> BTreeSet<&'b str> {
        let of_it = self.unseen.range((device, "")..);
        let of_it = of_it.take_while(|(of, _)| *of == device);
        of_it.map(|(_, user)| *user).collect()
    }

    fn candidates(&self, device: DeviceId) -> &Candidates {
        self.candidates.get(&device).unwrap_or(&self.nobody)
    }
}

/// The punches of a batch as they are to be stored, and what its clock shows.
struct Read<'b> {
    rows: Vec<PunchRow<'b>>,
    /// Users whose punches several people claim.
    contested: BTreeSet<&'b str>,
    conflict: Option<ClockFault>,
    gaps: Vec<(Timestamp, Option<Timestamp>)>,
    /// The clock, and whether it is wrong.
    looked: Option<(Looked<'b>, bool)>,
}

impl<'b> Read<'b> {
    async fn of(tx: &WriteTx, batch: &'b Batch, known: &'b Known<'_>) -> Result<Self, StoreError> {
        let zones = known.zones(batch.device);
        let candidates = known.candidates(batch.device);
        let mut punches: Vec<&Punch> = batch.punches.iter().collect();
        punches.sort_by_key(|punch| punch.record);
        let placed: Vec<Placed<'_>> = punches.iter().map(|punch| place(punch, zones)).collect();
        let owners: Vec<Match> = punches
            .iter()
            .map(|punch| owner(candidates, punch))
            .collect();
        let mut rows: Vec<PunchRow<'_>> = punches
            .iter()
            .zip(&placed)
            .zip(&owners)
            .map(|((punch, placed), owner)| PunchRow {
                user: punch.user.as_str(),
                clock: punch.clock,
                fold: placed.fold,
                zone: placed.zone,
                instant: placed.instant,
                state: punch.state,
                verify: punch.verify,
                suspect: false,
                employee: owner.employee(),
            })
            .collect();
        let log: Vec<Timestamp> = rows.iter().map(|row| row.instant).collect();
        let suspects = match batch.way {
            // These come in the order in which the terminal wrote them.
            Way::Poll => {
                let trusted = tx.log_goes_on_after(batch.device, &rows).await?;
                log_order::suspects(&log, trusted)
            }
            Way::Import => log_order::suspects(&log, None),
            Way::Push | Way::Live => log_order::Suspects::none(log.len()),
        };
        let looked = match batch.contact {
            None => None,
            Some(contact) => {
                let looked = Looked::at(contact, zones);
                let is_wrong = looked.ahead().abs() > tx.clock_tolerance().await?;
                Some((looked, is_wrong))
            }
        };
        // What is in a file may have been recorded at any time.
        let may_be_wrong = batch.way != Way::Import && looked.is_none_or(|(_, wrong)| wrong);
        // A terminal that calls shows its clock by a punch alone.
        let shown_wrong = batch.way == Way::Push && looked.is_some_and(|(_, wrong)| wrong);
        let still_wrong = may_be_wrong && known.wrong_clocks.contains(&batch.device);
        for (row, suspect) in rows.iter_mut().zip(suspects.flags) {
            row.suspect = suspect || still_wrong || shown_wrong;
        }
        let contested: BTreeSet<&str> = punches
            .iter()
            .zip(&owners)
            .filter(|(_, owner)| matches!(owner, Match::Ambiguous { .. }))
            .map(|(punch, _)| punch.user.as_str())
            .collect();
        Ok(Self {
            rows,
            contested,
            conflict: placed.into_iter().find_map(|placed| placed.conflict),
            gaps: suspects.gaps,
            looked,
        })
    }
}

/// A look at a terminal's clock, in the zone in which it is read.
#[derive(Clone, Copy)]
struct Looked<'z> {
    seen_at: Timestamp,
    shows: Timestamp,
    zone: &'z str,
}

impl<'z> Looked<'z> {
    fn at(contact: Contact, zones: &'z DeviceZones) -> Self {
        let (name, zone) = zones.at(contact.clock);
        let shows = zone.to_ambiguous_timestamp(contact.clock).compatible();
        Self {
            seen_at: contact.seen_at,
            shows: shows.unwrap_or(contact.seen_at),
            zone: name,
        }
    }

    fn ahead(&self) -> SignedDuration {
        self.shows.duration_since(self.seen_at)
    }

    fn note(&self) -> ClockNote {
        ClockNote {
            at: self.seen_at,
            drift_s: self.ahead().as_secs(),
            event: ClockEvent::None,
        }
    }
}

/// What was lost with a log lies between what was read last and the first punch that is there now.
async fn lose(
    tx: &WriteTx,
    device: DeviceId,
    now_there: &[Timestamp],
    seen_at: Timestamp,
) -> Result<(), StoreError> {
    let Some(from) = tx.covered_to(device).await?.filter(|from| *from < seen_at) else {
        return Ok(());
    };
    let first = now_there.iter().filter(|instant| **instant > from).min();
    let to = first.map_or(seen_at, |first| seen_at.min(*first));
    tx.add_gap(device, from, Some(to), GapCause::Lost).await
}

/// Says how far a device is covered by a batch whose times are believed; from when on, if it reaches back further than before.
async fn cover(
    tx: &WriteTx,
    batch: &Batch,
    first: Option<Timestamp>,
    clock_gaps: &[(Timestamp, Option<Timestamp>)],
    seen_at: Timestamp,
    shows: Timestamp,
) -> Result<Option<Timestamp>, StoreError> {
    for (from, to) in clock_gaps {
        // In a part of a log nobody knows yet when the clock was right again.
        if let Some(to) = to.or(batch.complete.then_some(seen_at)) {
            tx.add_gap(batch.device, *from, Some(to), GapCause::Clock)
                .await?;
        }
    }
    let to = seen_at.min(shows);
    if batch.complete {
        tx.close_clock_gap(batch.device, seen_at).await?;
        tx.close_contact_gaps(batch.device).await?;
        return tx.advance_coverage(batch.device, first, to).await;
    }
    // The part that completes a long log will not tell how far back it reaches.
    let first = first.filter(|first| *first < to && batch.way == Way::Poll);
    if let Some(first) = first
        && tx.covered_to(batch.device).await?.is_none()
    {
        return tx.advance_coverage(batch.device, Some(first), first).await;
    }
    Ok(None)
}

struct Placed<'z> {
    zone: &'z str,
    fold: bool,
    instant: Timestamp,
    conflict: Option<ClockFault>,
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
        conflict: (!fits).then(|| ClockFault::Offset {
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

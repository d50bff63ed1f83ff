//! Judges what is marked. Recomputes, never patches: late, repeated and corrected punches need no code of their own.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use attendance::{
    DayPart, DeviceId, EmployeeId, PlanOrigin, PolicyOverrides, Report, RosterValue, Stage, Status,
};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Span, Timestamp};
use store::evidence::Evidence;
use store::marks::Claim;
use store::policies::PolicyScope;
use store::reports::{JudgedDays, ReportFields, StoredReport};
use store::{Store, StoreError, Whose, WriteTx};
use tokio::sync::{Mutex, Notify};

use crate::evidence::{Explained, judge_days, planned_days};
use crate::{Change, Changes, Clock, IngestError};

/// Employee-days of one transaction. Each touches pages of indexes that the others touch too, so fewer would write much more.
const BATCH: usize = 10_000;
/// While punches are being stored, who stores them waits for the transaction of a batch: fewer, and of the recent days fewest,
/// which come in between all the time.
const BATCH_BETWEEN_PUNCHES: usize = 5000;
const RECENT_BATCH_BETWEEN_PUNCHES: usize = 500;
/// Marks of a judge that died are taken over after this, in real time.
const LEASE: SignedDuration = SignedDuration::from_secs(60);
/// The board shows these days, so their marks go before all others.
const RECENT_DAYS: i32 = 2;
/// Old days are judged when nothing has been marked for so long: while a terminal's history arrives, each of its days would be
/// judged again and again.
const QUIET: Duration = Duration::from_millis(100);
/// But no longer than this are they put off.
const LONGEST_WAIT: Duration = Duration::from_secs(10);
/// While punches keep coming, recent days are left alone after a judgement for so many times as long as it took: the next
/// punches may touch them again.
const REST: u32 = 4;
/// But no longer than this, because somebody may be looking at the board.
const LONGEST_REST: Duration = Duration::from_secs(1);
/// How often an idle judge looks for days that a judge that died has left.
const LOOK_AGAIN: Duration = Duration::from_secs(5);
const AFTER_ERROR: Duration = Duration::from_secs(5);

/// Judges marked days and tells what changed. Cheap to clone; clones share the work.
#[derive(Clone, Debug)]
pub struct Judge(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    store: Store,
    clock: Clock,
    changes: Changes,
    /// One name per process start, so that leases of an earlier one are nobody's.
    owner: String,
    woken: Notify,
    started: Instant,
    /// When it was last woken, in milliseconds after `started`.
    woken_ms: AtomicU64,
    /// How many are storing punches at this moment.
    storing: AtomicUsize,
    /// Only one drain at a time, since all have one lease owner.
    draining: Mutex<()>,
    stopping: AtomicBool,
}

/// A stored report that a new judgement of the same evidence, as of when it was made, does not repeat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    pub employee: EmployeeId,
    pub workday: Date,
    /// The columns that differ; empty when there should be no report, or none is stored.
    pub fields: Vec<String>,
}

/// A day whose report will read differently.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Preview {
    pub employee: EmployeeId,
    pub workday: Date,
    /// `None`: there is, or will be, no report.
    pub before: Option<ReportFields>,
    pub after: Option<ReportFields>,
}

/// What somebody is to do on a day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedDay {
    /// Shifts by name.
    pub value: RosterValue,
    pub origin: PlanOrigin,
    /// And not worked nevertheless (R90).
    pub holiday: bool,
    /// Leave, or duty elsewhere (`true`), and of which part of the day.
    pub away: Vec<(bool, DayPart)>,
}

/// A day as it was judged, or would be, with the way to it.
#[derive(Clone, Debug)]
pub struct Explanation {
    /// With its derivation.
    pub report: Report,
    /// As of when.
    pub at: Timestamp,
    /// What is stored of the day now.
    pub stored: Option<StoredReport>,
}

impl Explanation {
    /// The fields in which it differs from another judgement of the day, as of [`ReportFields`].
    pub fn differences(&self, other: &ReportFields) -> Vec<String> {
        other.differences(&ReportFields::from(&self.report))
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Which {
    Recent,
    All,
}

impl Judge {
    pub fn new(store: Store, clock: Clock, changes: Changes) -> Self {
        Self(Arc::new(Inner {
            store,
            clock,
            changes,
            owner: format!("judge-{}", store::secrets::random_name()),
            woken: Notify::new(),
            started: Instant::now(),
            woken_ms: AtomicU64::new(0),
            storing: AtomicUsize::new(0),
            draining: Mutex::new(()),
            stopping: AtomicBool::new(false),
        }))
    }

    /// Something was marked. Returns at once.
    pub fn wake(&self) {
        let now = self.0.started.elapsed().as_millis();
        let now = u64::try_from(now).unwrap_or(u64::MAX);
        self.0.woken_ms.store(now, Ordering::Relaxed);
        self.0.woken.notify_one();
    }

    /// While the value lives punches are being stored, so it is not quiet, however long that takes.
    pub(crate) fn storing(&self) -> Storing<'_> {
        self.0.storing.fetch_add(1, Ordering::Relaxed);
        Storing(&self.0.storing)
    }

    /// Judges every marked day; how many. Returns when no day is marked that nobody else holds.
    ///
    /// # Errors
    /// When the database refuses, or stored rules cannot be used. Nothing is lost: what was not saved stays marked.
    pub async fn drain(&self) -> Result<u64, IngestError> {
        self.drain_which(Which::All, None).await
    }

    /// Judges all days from `from` to `to`, both inclusive, that have a report, and everything that is marked; how many.
    pub async fn judge_all(&self, from: Date, to: Date) -> Result<u64, IngestError> {
        let tx = self.0.store.begin_write().await?;
        tx.mark_reports(Whose::Everybody, Some(from), Some(to), "judged again")
            .await?;
        tx.commit().await?;
        self.drain().await
    }

    /// Judges the stored reports from `from` to `to` again, each as of when it was made, without saving. Marked days are left
    /// out: they are known to be out of date.
    pub async fn check(&self, from: Date, to: Date) -> Result<Vec<Difference>, IngestError> {
        let mut differences = Vec::new();
        let mut after = None;
        loop {
            let tx = self.0.store.begin_read().await?;
            let days = tx.reported_days(from, to, after, BATCH).await?;
            let Some(&last) = days.last() else {
                return Ok(differences);
            };
            after = Some(last);
            let evidence = tx.load_evidence(&days).await?;
            drop(tx);
            let found = tokio::task::spawn_blocking(move || compare(&evidence, &days))
                .await
                .map_err(IngestError::Judging)??;
            differences.extend(found);
        }
    }

    /// What the days from `from` to `to` would say under other rules, each as of when its report was made, without saving. Days
    /// that would say the same are left out, and closed ones, which stay as they are whatever the rules.
    ///
    /// # Errors
    /// [`IngestError::Policy`] for rules that are none.
    pub async fn what_if(
        &self,
        scope: PolicyScope,
        values: &PolicyOverrides,
        from: Date,
        to: Date,
    ) -> Result<Vec<Preview>, IngestError> {
        let mut found = Vec::new();
        let mut after = None;
        loop {
            let tx = self.0.store.begin_read().await?;
            let days = tx.reported_days(from, to, after, BATCH).await?;
            let Some(&last) = days.last() else {
                return Ok(found);
            };
            after = Some(last);
            let mut evidence = tx.load_evidence(&days).await?;
            drop(tx);
            evidence.policies.insert(scope, values.clone());
            let changed = tokio::task::spawn_blocking(move || otherwise(&evidence, &days))
                .await
                .map_err(IngestError::Judging)??;
            found.extend(changed);
        }
    }

    /// What people are planned to do (R14), without those who do not exist and days on which they are not employed.
    pub async fn planned(
        &self,
        days: &[(EmployeeId, Date)],
    ) -> Result<BTreeMap<(EmployeeId, Date), PlannedDay>, IngestError> {
        let tx = self.0.store.begin_read().await?;
        let evidence = tx.load_evidence(days).await?;
        planned_days(&evidence, days)
    }

    /// Days with their derivations (R120), judged from today's evidence as far as it was known at `at` (R7); without it each as
    /// of when its stored report was made, or now if there is none. Empty for somebody who does not exist.
    pub async fn explain(
        &self,
        employee: EmployeeId,
        workdays: &[Date],
        at: Option<Timestamp>,
    ) -> Result<Vec<Explanation>, IngestError> {
        let days: Vec<_> = workdays.iter().map(|day| (employee, *day)).collect();
        let tx = self.0.store.begin_read().await?;
        let mut evidence = tx.load_evidence(&days).await?;
        drop(tx);
        let now = self.0.clock.now();
        let judged = tokio::task::spawn_blocking(move || {
            let mut by_instant: BTreeMap<Timestamp, Vec<(EmployeeId, Date)>> = BTreeMap::new();
            let stored = |day: Date| evidence.people.get(&employee)?.stored.get(&day);
            for (_, day) in days {
                let as_of = at.or_else(|| Some(stored(day)?.judged_at)).unwrap_or(now);
                by_instant.entry(as_of).or_default().push((employee, day));
            }
            let mut explained = Vec::new();
            for (at, days) in by_instant {
                let reports = judge_days(&evidence, &days, at, Explained::Yes)?;
                explained.extend(reports.into_iter().map(|(_, report)| (report, at)));
            }
            let mut stored = match evidence.people.remove(&employee) {
                Some(person) => person.stored,
                None => BTreeMap::new(),
            };
            let explained = explained.into_iter().map(|(report, at)| Explanation {
                stored: stored.remove(&report.workday),
                report,
                at,
            });
            Ok::<_, IngestError>(explained.collect())
        });
        let mut explained: Vec<Explanation> = judged.await.map_err(IngestError::Judging)??;
        explained.sort_by_key(|one| one.report.workday);
        Ok(explained)
    }

    /// What the marked days of these people will say, judged from what `tx` has changed so far, without saving; the latest
    /// `limit` days. Days that will say the same are left out. To see what an edit does before it is made: edit, look, roll
    /// back.
    pub async fn preview(
        &self,
        tx: &WriteTx,
        employees: &[EmployeeId],
        limit: usize,
    ) -> Result<Vec<Preview>, IngestError> {
        let days = tx.marked_days_of(employees, limit).await?;
        let evidence = tx.load_evidence(&days).await?;
        let at = self.0.clock.now();
        tokio::task::spawn_blocking(move || {
            let reports = judge_days(&evidence, &days, at, Explained::No)?;
            let previews = reports.into_iter().map(|(employee, report)| {
                let stored = evidence
                    .people
                    .get(&employee)
                    .and_then(|person| person.stored.get(&report.workday));
                let employed = report.status != Status::NotEmployed;
                Preview {
                    employee,
                    workday: report.workday,
                    before: stored.map(|stored| stored.says.clone()),
                    after: employed.then(|| ReportFields::from(&report)),
                }
            });
            Ok(previews
                .filter(|preview| preview.before != preview.after)
                .collect())
        })
        .await
        .map_err(IngestError::Judging)?
    }

    /// Judges whenever woken, until [`Judge::stop`].
    pub(crate) async fn run(&self) {
        let mut waiting_since: Option<Instant> = None;
        let mut rest_until = Instant::now();
        while !self.0.stopping.load(Ordering::Relaxed) {
            let quiet_for = self.quiet_for();
            let waited = waiting_since.is_some_and(|since| since.elapsed() >= LONGEST_WAIT);
            let which = if quiet_for >= QUIET || waited {
                Which::All
            } else {
                Which::Recent
            };
            let rest = rest_until.saturating_duration_since(Instant::now());
            if which == Which::Recent && !rest.is_zero() {
                self.pause(rest.min(QUIET)).await; // it may become quiet before
                continue;
            }
            let began = Instant::now();
            let drained = self.drain_which(which, Some(QUIET)).await;
            if let Err(error) = &drained {
                tracing::error!(
                    error = error as &dyn std::error::Error,
                    "days could not be judged; trying again"
                );
                self.pause(AFTER_ERROR).await;
                continue;
            }
            match which {
                Which::All if self.quiet_for() >= QUIET => {
                    waiting_since = None;
                    self.pause(LOOK_AGAIN).await;
                }
                Which::All => waiting_since = None,
                Which::Recent => {
                    rest_until = Instant::now() + (began.elapsed() * REST).min(LONGEST_REST);
                    waiting_since.get_or_insert_with(Instant::now);
                    self.pause(QUIET.saturating_sub(quiet_for)).await;
                }
            }
        }
    }

    /// Allows [`Judge::run`] again after a stop.
    pub(crate) fn restart(&self) {
        self.0.stopping.store(false, Ordering::Relaxed);
    }

    /// Ends [`Judge::run`] after the batch at hand, and gives up what it holds.
    pub(crate) async fn stop(&self) -> Result<(), StoreError> {
        self.0.stopping.store(true, Ordering::Relaxed);
        self.0.woken.notify_one();
        let _last_batch = self.0.draining.lock().await;
        let tx = self.0.store.begin_write().await?;
        tx.release_claims(&self.0.owner).await?;
        tx.commit_quietly().await
    }

    fn quiet_for(&self) -> Duration {
        if self.0.storing.load(Ordering::Relaxed) > 0 {
            return Duration::ZERO;
        }
        let woken = Duration::from_millis(self.0.woken_ms.load(Ordering::Relaxed));
        self.0.started.elapsed().saturating_sub(woken)
    }

    async fn pause(&self, time: Duration) {
        let _woken_or_not = tokio::time::timeout(time, self.0.woken.notified()).await;
    }

    /// While one batch is judged the one before is saved and the one after claimed, in one transaction. With `yield_after`,
    /// returns when old days have been judged for so long, to look whether recent ones were marked meanwhile.
    async fn drain_which(
        &self,
        which: Which,
        yield_after: Option<Duration>,
    ) -> Result<u64, IngestError> {
        let inner = &*self.0;
        let _one_at_a_time = inner.draining.lock().await;
        let began = Instant::now();
        let mut judged = 0;
        let mut to_save = None;
        let mut to_judge: Option<Claim> = None;
        let mut last = LastClaim::default();
        loop {
            let enough = inner.stopping.load(Ordering::Relaxed)
                || yield_after
                    .is_some_and(|limit| began.elapsed() >= limit && self.quiet_for() < QUIET);
            let which = (!enough).then_some(which);
            let (saved, next) = tokio::join!(
                self.save_and_claim(to_save.take(), which, &mut last),
                self.judge(to_judge)
            );
            to_judge = saved?;
            to_save = next?;
            if to_save.is_none() && to_judge.is_none() {
                return Ok(judged);
            }
            judged += to_save.as_ref().map_or(0, |batch| batch.days.count());
        }
    }

    /// Saves a batch, tells what changed, and claims the next one.
    async fn save_and_claim(
        &self,
        batch: Option<JudgedBatch>,
        which: Option<Which>,
        last: &mut LastClaim,
    ) -> Result<Option<Claim>, StoreError> {
        let inner = &*self.0;
        if batch.is_none() && which.is_none() {
            return Ok(None);
        }
        let tx = inner.store.begin_write().await?;
        let mut changed = Vec::new();
        if let Some(JudgedBatch {
            claim,
            days,
            coverage,
        }) = batch
        {
            changed = tx.save_reports(&claim, days, &coverage).await?;
        }
        let claim = match which {
            None => None,
            Some(which) => Some(self.claim(&tx, which, last).await?),
        };
        if changed.is_empty() {
            tx.commit_quietly().await?;
        } else {
            tx.commit().await?;
        }
        inner.changes.publish(Change {
            days: changed,
            ..Change::default()
        });
        Ok(claim.filter(|claim| !claim.marks.is_empty()))
    }

    async fn claim(
        &self,
        tx: &WriteTx,
        which: Which,
        last: &mut LastClaim,
    ) -> Result<Claim, StoreError> {
        let real_now = self.0.clock.real_now();
        let until = real_now.saturating_add(LEASE).unwrap_or(real_now);
        let today = TimeZone::UTC.to_datetime(self.0.clock.now()).date();
        let recent = today.saturating_sub(Span::new().days(RECENT_DAYS));
        let owner = &self.0.owner;
        match which {
            Which::Recent => {
                let limit = RECENT_BATCH_BETWEEN_PUNCHES;
                tx.claim_from(owner, real_now, until, recent, limit).await
            }
            Which::All => {
                let quiet = self.quiet_for() >= QUIET;
                let limit = if quiet { BATCH } else { BATCH_BETWEEN_PUNCHES };
                let woken_ms = self.0.woken_ms.load(Ordering::Relaxed);
                let recent = (last.without_recent != Some(woken_ms)).then_some(recent);
                let claim = tx
                    .claim_marked_days(owner, real_now, until, recent, last.after, limit)
                    .await?;
                if !claim.only_recent() {
                    let mark = claim.marks.last();
                    last.after = mark.map(|mark| (mark.employee, mark.workday));
                    last.without_recent = Some(woken_ms);
                }
                Ok(claim)
            }
        }
    }

    async fn judge(&self, claim: Option<Claim>) -> Result<Option<JudgedBatch>, IngestError> {
        let Some(claim) = claim else {
            return Ok(None);
        };
        let at = self.0.clock.now();
        let days: Vec<(EmployeeId, Date)> = claim
            .marks
            .iter()
            .map(|mark| (mark.employee, mark.workday))
            .collect();
        let tx = self.0.store.begin_read().await?;
        let evidence = tx.load_evidence(&days).await?;
        drop(tx);
        let store = self.0.store.clone();
        tokio::task::spawn_blocking(move || {
            let mut causes: BTreeMap<(EmployeeId, Date), &str> = BTreeMap::new();
            for mark in &claim.marks {
                causes.insert((mark.employee, mark.workday), &mark.cause);
            }
            let reports = judge_days(&evidence, &days, at, Explained::No)?;
            let devices: HashMap<&str, DeviceId> = evidence
                .devices
                .iter()
                .map(|(id, device)| (device.serial.as_str(), *id))
                .collect();
            let mut days = JudgedDays::new(&store, at);
            for (employee, report) in &reports {
                let cause = causes.get(&(*employee, report.workday));
                let Some((person, cause)) = evidence.people.get(employee).zip(cause) else {
                    continue;
                };
                let waits_for = report.waits.as_ref();
                days.add(
                    *employee,
                    person.department,
                    report,
                    cause,
                    waits_for.and_then(|waits| devices.get(waits.device.as_str()).copied()),
                    person.stored.get(&report.workday),
                );
            }
            let coverage: BTreeMap<DeviceId, Option<Timestamp>> = evidence
                .devices
                .iter()
                .map(|(id, device)| (*id, device.covered.map(|(_, to)| to)))
                .collect();
            Ok(Some(JudgedBatch {
                claim,
                days,
                coverage,
            }))
        })
        .await
        .map_err(IngestError::Judging)?
    }
}

/// See [`Judge::storing`].
#[must_use]
pub(crate) struct Storing<'j>(&'j AtomicUsize);

impl Drop for Storing<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Where the next claim of a drain goes on.
#[derive(Default)]
struct LastClaim {
    after: Option<(EmployeeId, Date)>,
    /// As of this wake no recent day was marked any more. To ask again would be to pass over all that were judged.
    without_recent: Option<u64>,
}

/// A judged claim, on its way to be saved.
struct JudgedBatch {
    claim: Claim,
    days: JudgedDays,
    coverage: BTreeMap<DeviceId, Option<Timestamp>>,
}

/// The days that have a report, by when it was made.
fn by_instant(
    evidence: &Evidence,
    days: &[(EmployeeId, Date)],
) -> BTreeMap<Timestamp, Vec<(EmployeeId, Date)>> {
    let mut by_instant: BTreeMap<Timestamp, Vec<(EmployeeId, Date)>> = BTreeMap::new();
    for &(employee, day) in days {
        if let Some(stored) = stored(evidence, employee, day) {
            by_instant
                .entry(stored.judged_at)
                .or_default()
                .push((employee, day));
        }
    }
    by_instant
}

fn stored(evidence: &Evidence, employee: EmployeeId, day: Date) -> Option<&StoredReport> {
    evidence.people.get(&employee)?.stored.get(&day)
}

/// The days that this evidence judges otherwise than they were.
fn otherwise(
    evidence: &Evidence,
    days: &[(EmployeeId, Date)],
) -> Result<Vec<Preview>, IngestError> {
    let mut previews = Vec::new();
    for (at, days) in by_instant(evidence, days) {
        for (employee, report) in judge_days(evidence, &days, at, Explained::No)? {
            let says = ReportFields::from(&report);
            let stored = stored(evidence, employee, report.workday);
            if let Some(stored) = stored.filter(|stored| stored.says != says)
                && report.stage != Stage::Locked
            {
                previews.push(Preview {
                    employee,
                    workday: report.workday,
                    before: Some(stored.says.clone()),
                    after: Some(says),
                });
            }
        }
    }
    previews.sort_by_key(|preview| (preview.employee, preview.workday));
    Ok(previews)
}

fn compare(
    evidence: &Evidence,
    days: &[(EmployeeId, Date)],
) -> Result<Vec<Difference>, IngestError> {
    let mut differences = Vec::new();
    for (at, days) in by_instant(evidence, days) {
        for (employee, report) in judge_days(evidence, &days, at, Explained::No)? {
            let stored = stored(evidence, employee, report.workday);
            let fields = stored.map_or_else(Vec::new, |stored| {
                stored.says.differences(&ReportFields::from(&report))
            });
            if !fields.is_empty() {
                differences.push(Difference {
                    employee,
                    workday: report.workday,
                    fields,
                });
            }
        }
    }
    Ok(differences)
}

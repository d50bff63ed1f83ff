//! Whether everything a terminal holds is kept: its own counts against ours, and what differs is read back.
//!
//! A count that fits covers the device. One that does not is narrowed down by counting spans of its log, and the span that
//! differs is uploaded again. So a gap closes by itself, also the one a restored backup leaves.

use std::sync::Arc;

use jiff::civil::{Date, DateTime};
use jiff::{SignedDuration, Timestamp, ToSpan};
use store::StoreError;
use store::calls::Told;

use super::commands::{Answer, CHECK, LIST, Order};
use super::{Caller, Callers, all_is_kept};

/// Before this no terminal recorded anything.
const BEGINNING: DateTime = DateTime::constant(2000, 1, 1, 0, 0, 0, 0);
/// A longer span is read back at once: halving it would take too many questions.
const HALVED_DAYS: i64 = 62;
/// What is counted every night.
const NIGHT_CHECK_DAYS: i32 = 35;
/// When the site is quiet.
const NIGHT: std::ops::Range<i8> = 2..4;
/// Without a count a device is covered up to so long before its last call: what it records it uploads within that.
const UPLOADS_WITHIN: SignedDuration = SignedDuration::from_mins(1);
/// So long after it greeted a device that counts has told its count.
const TELLS_WITHIN: SignedDuration = SignedDuration::from_mins(2);

impl Callers {
    /// A device says of itself who it is and what it holds, at `as_of` or later.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn told(
        &self,
        caller: &Arc<Caller>,
        told: &Told,
        as_of: Timestamp,
    ) -> Result<(), StoreError> {
        let tx = self.0.store.begin_write().await?;
        tx.keep_told(caller.device, told, as_of).await?;
        tx.commit_quietly().await?;
        if let Some(records) = told.records {
            self.count_told(caller, records, as_of).await?;
        }
        self.publish(caller.device);
        Ok(())
    }

    /// A device held so many records at `as_of` or later.
    pub(super) async fn count_told(
        &self,
        caller: &Arc<Caller>,
        records: u32,
        as_of: Timestamp,
    ) -> Result<(), StoreError> {
        let records = i64::from(records);
        {
            let mut state = caller.state();
            state.told = Some(as_of);
            state.records = Some((records, state.uploads));
        }
        self.compare(caller, records, as_of).await
    }

    /// Covers a device that holds as much as is kept; else has it counted.
    pub(super) async fn compare(
        &self,
        caller: &Arc<Caller>,
        records: i64,
        as_of: Timestamp,
    ) -> Result<(), StoreError> {
        let surplus = caller.state().surplus;
        let tx = self.0.store.begin_write().await?;
        let kept = tx.kept_records(caller.device).await?;
        if kept == records + surplus.unwrap_or(0) {
            tx.keep_surplus(caller.device, Some(kept - records)).await?;
            tx.cover_calls(caller.device, as_of).await?;
            tx.commit().await?;
            caller.state().surplus = Some(kept - records);
            self.0.intake.wake();
            return Ok(());
        }
        tx.rollback().await?;
        self.count_since_covered(caller).await
    }

    /// Has a device count what it recorded since it was last known to be covered, if it can and is not about to.
    pub(super) async fn count_since_covered(&self, caller: &Caller) -> Result<(), StoreError> {
        let tx = self.0.store.begin_write().await?;
        let is_checked = tx.has_open_command(caller.device, CHECK).await?;
        let covered = tx.covered_to(caller.device).await?;
        tx.rollback().await?;
        if is_checked || !caller.state().counts {
            return Ok(());
        }
        let from = match covered {
            Some(covered) => caller.clock_at(covered).saturating_sub(1.day()),
            None => BEGINNING,
        };
        let to = self.tomorrow(caller);
        self.order_ourselves(caller, &[Order::CountLog { from, to }])
            .await
    }

    /// A device counted a span of its log, after `sent`.
    pub(super) async fn counted(
        &self,
        caller: &Arc<Caller>,
        from: DateTime,
        to: DateTime,
        answer: &Answer,
        sent: Timestamp,
    ) -> Result<(), StoreError> {
        let tx = self.0.store.begin_write().await?;
        let kept = tx.kept_between(caller.device, from, to).await?;
        if answer.counted == Some(kept) {
            return self.keep_all_is_kept(tx, caller, from, sent).await;
        }
        tx.rollback().await?;
        let days = to
            .date()
            .since(from.date())
            .map_or(0, |span| span.get_days());
        let can_halve = answer.counted.is_some() && days > 1 && i64::from(days) <= HALVED_DAYS;
        let next = match can_halve {
            true => {
                caller.state().halve(from, sent);
                let middle = from.date().saturating_add((days / 2).days());
                let (before, after) = (middle.at(0, 0, 0, 0).saturating_sub(1.second()), middle);
                vec![
                    Order::CountLog { from, to: before },
                    Order::CountLog {
                        from: after.at(0, 0, 0, 0),
                        to,
                    },
                ]
            }
            false => vec![Order::ReadLog { from, to }],
        };
        self.order_ourselves(caller, &next).await
    }

    /// A device uploaded a span of its log again, after `sent`; what it uploaded is stored.
    pub(super) async fn read_back(
        &self,
        caller: &Arc<Caller>,
        from: DateTime,
        answer: &Answer,
        sent: Timestamp,
    ) -> Result<(), StoreError> {
        let tx = self.0.store.begin_write().await?;
        if answer.succeeded {
            return self.keep_all_is_kept(tx, caller, from, sent).await;
        }
        caller.state().halved = None;
        // Neither counted nor read: what it uploads by itself has to do.
        if answer.unsupported {
            tx.keep_counts(caller.device, false).await?;
            caller.state().counts = false;
        }
        let at = self.0.clock.now();
        tx.notice(caller.device, "cannot_check", &answer.text, at)
            .await?;
        tx.commit().await
    }

    /// Everything since `from` that a device held is kept. That covers it where it was covered up to then, and nothing else is
    /// being looked for.
    async fn keep_all_is_kept(
        &self,
        tx: store::WriteTx,
        caller: &Caller,
        from: DateTime,
        as_of: Timestamp,
    ) -> Result<(), StoreError> {
        if tx.has_open_command(caller.device, CHECK).await? {
            return tx.commit().await;
        }
        let (from, as_of) = match caller.state().halved.take() {
            Some((whole, counted)) => (whole.min(from), counted.min(as_of)),
            None => (from, as_of),
        };
        let covered = tx.covered_to(caller.device).await?;
        let reaches_back = match covered {
            Some(covered) => from <= caller.clock_at(covered),
            None => from <= BEGINNING,
        };
        if !reaches_back {
            return tx.commit().await;
        }
        if from > BEGINNING && self.lacks_older(&tx, caller).await? {
            tx.rollback().await?;
            let (from, to) = (BEGINNING, self.tomorrow(caller));
            return self
                .order_ourselves(caller, &[Order::CountLog { from, to }])
                .await;
        }
        let surplus = all_is_kept(&tx, caller, as_of).await?;
        tx.commit().await?;
        caller.state().surplus = surplus;
        self.0.intake.wake();
        Ok(())
    }

    /// What is new fits and the whole does not: something that was kept once is not any more. Its whole log is looked at for that
    /// once a day, because a device may hold records that count as one here.
    async fn lacks_older(&self, tx: &store::WriteTx, caller: &Caller) -> Result<bool, StoreError> {
        let today = caller.clock_at(self.0.clock.now()).date();
        let Some((records, before)) = ({
            let state = caller.state();
            let is_new = state.searched != Some(today);
            let records = state.records_now().filter(|_| is_new);
            records.map(|records| (records, state.surplus.unwrap_or(0)))
        }) else {
            return Ok(false);
        };
        let lacks = tx.kept_records(caller.device).await? < records + before;
        if lacks {
            caller.state().searched = Some(today);
        }
        Ok(lacks)
    }

    /// Asks devices what they hold as often as others are polled, and counts the last weeks every night; covers those that
    /// cannot count as far as their calls allow.
    pub(super) async fn check_what_they_hold(&self) -> Result<(), StoreError> {
        let now = self.0.clock.now();
        let mut without_count = Vec::new();
        for caller in self.callers() {
            match self.due(&caller, now) {
                Due::Nothing => {}
                Due::Cover(to) => without_count.push((caller, to)),
                Due::Ask => self.order_ourselves(&caller, &[Order::TellState]).await?,
                Due::List => self.order_for(&caller, LIST, &[Order::ListUsers]).await?,
                Due::NightCheck => {
                    self.order_for(&caller, LIST, &[Order::ListUsers]).await?;
                    let to = self.tomorrow(&caller);
                    let from = to.saturating_sub(NIGHT_CHECK_DAYS.days());
                    self.order_ourselves(&caller, &[Order::CountLog { from, to }])
                        .await?;
                }
            }
        }
        if without_count.is_empty() {
            return Ok(());
        }
        let tx = self.0.store.begin_write().await?;
        for (caller, to) in &without_count {
            tx.cover_calls(caller.device, *to).await?;
        }
        tx.commit().await?;
        self.0.intake.wake();
        Ok(())
    }

    fn due(&self, caller: &Caller, now: Timestamp) -> Due {
        if !caller.fetches_orders() {
            return Due::Nothing; // nobody can ask it anything
        }
        let mut state = caller.state();
        let (Some(greeted), Some(last)) = (state.greeted, state.last) else {
            return Due::Nothing;
        };
        if state.owes || caller.is_away(&state, now, self.0.began) {
            return Due::Nothing;
        }
        let here = caller.clock_at(now);
        if state.counts && NIGHT.contains(&here.hour()) && state.checked != Some(here.date()) {
            state.checked = Some(here.date());
            return Due::NightCheck;
        }
        if !state.listed {
            state.listed = true;
            return Due::List;
        }
        let asked = state.told.max(state.asked).unwrap_or(greeted);
        if now.duration_since(asked) >= caller.poll_interval {
            state.asked = Some(now);
            return Due::Ask;
        }
        let counts = state.counts && state.told.is_some();
        let waits = state.told.is_none() && now.duration_since(greeted) < TELLS_WITHIN;
        let to = last - UPLOADS_WITHIN;
        if counts || waits || state.covered >= Some(to - UPLOADS_WITHIN) {
            return Due::Nothing;
        }
        state.covered = Some(to);
        Due::Cover(to)
    }

    fn tomorrow(&self, caller: &Caller) -> DateTime {
        let here = caller.clock_at(self.0.clock.now());
        let day: Date = here.date().saturating_add(1.day());
        day.at(23, 59, 59, 0)
    }
}

/// What is to be done about what a device holds.
enum Due {
    Nothing,
    /// It does not count: what it recorded up to then is here.
    Cover(Timestamp),
    Ask,
    /// Nobody knows its users.
    List,
    NightCheck,
}

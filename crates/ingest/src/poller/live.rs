//! Devices that tell their punches live: one connection, for readings and for what is told in between, as long as it lasts.
//!
//! What a device tells is a hint, because its log has it too. So every connection begins with a reading, a device that is
//! quiet is asked for its clock, and what cannot be understood is read.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use attendance::{DeviceId, Way};
use jiff::SignedDuration;
use store::StoreError;
use store::entities::devices;
use terminals::{Deadline, DeviceKind, Live, ReadPosition, Retry, Terminal, TerminalError};
use tokio::sync::Notify;

use super::{LiveState, PollFailure, Poller, UnderWay, interval, jittered, lock};
use crate::Batch;
use crate::error::story;
use crate::intake::Contact;

/// A device that keeps a question waiting for so long is gone.
pub(super) const ANSWER: Duration = Duration::from_secs(10);

/// A connection that lasted so long was a good one.
const HEALTHY: Duration = Duration::from_secs(60);
const LONGEST_WAIT: SignedDuration = SignedDuration::from_secs(60);

/// Whether a device is to be listened to.
pub(super) fn is_asked_for(row: &devices::Model) -> bool {
    let live = Way::Live.as_str();
    let kind = DeviceKind::from_name(&row.kind);
    row.enabled
        && kind.is_some_and(DeviceKind::tells_live)
        && row.mode.split(',').any(|way| way == live)
}

/// Why listening ends.
enum End {
    /// The device was edited, or somebody else wants or has it.
    LetGo,
    Lost(TerminalError),
}

/// Says while it lives that a device is listened to.
struct Listening<'a> {
    live: &'a Mutex<HashMap<DeviceId, Arc<Notify>>>,
    device: DeviceId,
    /// Told when its next reading is due.
    to_read: Arc<Notify>,
}

impl<'a> Listening<'a> {
    fn begin(live: &'a Mutex<HashMap<DeviceId, Arc<Notify>>>, device: DeviceId) -> Self {
        let to_read = Arc::new(Notify::new());
        lock(live).insert(device, Arc::clone(&to_read));
        Self {
            live,
            device,
            to_read,
        }
    }
}

impl Drop for Listening<'_> {
    fn drop(&mut self) {
        lock(self.live).remove(&self.device);
    }
}

impl Poller {
    /// Reads a claimed device and listens to it until the connection is lost or the device is edited.
    pub(super) async fn follow(&self, row: devices::Model) -> Result<(), StoreError> {
        let device = DeviceId(row.id);
        let _under_way = UnderWay::begin(&self.0.reading, device);
        let began = self.0.clock.now();
        let target = match self.target(&row) {
            Ok(target) => target,
            Err(failure) => {
                let retry = self.retry_of(&row);
                self.keep_failure(&row, began, failure, retry).await?;
                return Ok(());
            }
        };
        let deadline = Deadline::after(self.0.options.deadline);
        let mut terminal = match self.connect(&row, &target, deadline).await? {
            Ok(terminal) => terminal,
            Err(error) => return self.lose(device, &error, Duration::ZERO).await,
        };
        let began = Instant::now();
        let listening = Listening::begin(&self.0.live, device);
        let end = self.stay(&mut terminal, &row, &listening.to_read).await;
        drop(listening);
        terminal.close().await;
        match end? {
            End::LetGo => self.let_go(device).await,
            End::Lost(error) => self.lose(device, &error, began.elapsed()).await,
        }
    }

    /// Readings, and listening in between.
    async fn stay(
        &self,
        terminal: &mut Terminal,
        first: &devices::Model,
        to_read: &Notify,
    ) -> Result<End, StoreError> {
        let device = DeviceId(first.id);
        // From here on the device tells, so nothing is missed between a reading and what follows it.
        if self.0.pictures.are_wanted() {
            terminal.want_pictures();
        }
        let refused = match terminal.listen().await {
            Ok(()) => None,
            Err(error) if error.is_of_live_only() => Some(story(&error)),
            Err(error) => return Ok(End::Lost(error)),
        };
        let mut live_since = None;
        loop {
            let row = self.row(device).await?;
            let wanted = row.wanted_until_ms > Some(self.0.clock.real_now().as_millisecond());
            if wanted || !is_asked_for(&row) || row.retired_ms.is_some() || moved(first, &row) {
                return Ok(End::LetGo);
            }
            let began = self.0.clock.now();
            terminal.renew(Deadline::after(self.0.options.deadline));
            let clock = self.0.clock.clone();
            let position = ReadPosition(row.read_position.clone());
            let reading = match terminal.read(&position, &move || clock.now()).await {
                Ok(reading) => reading,
                Err(error) => return Ok(End::Lost(error)),
            };
            let live = match &refused {
                None => LiveState::Since(*live_since.get_or_insert_with(|| self.0.clock.now())),
                Some(why) => LiveState::Refused(why.clone()),
            };
            match self.keep_reading(&row, began, reading, live).await? {
                None => return Ok(End::LetGo),
                Some(Ok(accepted)) => {
                    self.set_clock_if_off(terminal, &row, &accepted).await;
                    self.arm_if_asked(terminal, &row).await?;
                }
                Some(Err(_)) => {}
            }
            if refused.is_some() {
                return Ok(End::LetGo);
            }
            if let Some(end) = self.listen(terminal, device, to_read).await? {
                return Ok(end);
            }
        }
    }

    /// Keeps what a device tells, until it is to be read (`None`) or is lost.
    async fn listen(
        &self,
        terminal: &mut Terminal,
        device: DeviceId,
        to_read: &Notify,
    ) -> Result<Option<End>, StoreError> {
        loop {
            terminal.renew(Deadline::none());
            let heard = tokio::select! {
                () = to_read.notified() => return Ok(None),
                heard = terminal.next_live(terminal.quiet(self.0.options.quiet)) => heard,
            };
            let kept = match heard {
                Ok(Some(live)) => self.keep_live(terminal, device, live).await?,
                Ok(None) => {
                    terminal.renew(Deadline::after(ANSWER));
                    self.probe(terminal, device).await?
                }
                Err(error) => Err(error),
            };
            match kept {
                Ok(true) => {}
                Ok(false) => return Ok(None),
                Err(error) => return Ok(Some(End::Lost(error))),
            }
        }
    }

    /// The device is told OK when its punch is stored. `false`: only a reading will tell what it said.
    async fn keep_live(
        &self,
        terminal: &mut Terminal,
        device: DeviceId,
        live: Live,
    ) -> Result<Result<bool, TerminalError>, StoreError> {
        let understood = match live {
            Live::Punch(punch) => {
                let batch = Batch::new(device, Way::Live, vec![punch]);
                self.0.intake.accept(&batch).await?;
                true
            }
            Live::Picture(picture) => {
                let pictures = &self.0.pictures;
                pictures
                    .keep(device, &picture.user, picture.clock, picture.jpeg)
                    .await;
                true
            }
            Live::Unclear(record) => {
                tracing::debug!(
                    device.id = device.0,
                    reason = record.reason,
                    "unclear event"
                );
                false
            }
        };
        Ok(terminal.acknowledge().await.map(|()| understood))
    }

    /// Asks a quiet device for its clock. What it told before it answered is stored first; so everything up to now is known,
    /// unless it tells by another connection than it answers.
    async fn probe(
        &self,
        terminal: &mut Terminal,
        device: DeviceId,
    ) -> Result<Result<bool, TerminalError>, StoreError> {
        let clock = match terminal.clock().await {
            Ok(clock) => clock,
            Err(error) => return Ok(Err(error)),
        };
        let seen_at = self.0.clock.now();
        loop {
            match terminal.next_live(Duration::ZERO).await {
                Ok(None) => break,
                Ok(Some(live)) => match self.keep_live(terminal, device, live).await? {
                    Ok(true) => {}
                    other => return Ok(other),
                },
                Err(error) => return Ok(Err(error)),
            }
        }
        let batch = Batch {
            contact: Some(Contact { clock, seen_at }),
            complete: terminal.tells_before_it_answers(),
            ..Batch::new(device, Way::Live, Vec::new())
        };
        let _storing = self.0.intake.storing();
        let tx = self.0.store.begin_write().await?;
        let (accepted, to_mark) = self.0.intake.store_in(&tx, &batch).await?;
        to_mark.mark_in(&tx, seen_at).await?;
        let drift = accepted.clock_drift_s.unwrap_or_default();
        tx.keep_contact(device, seen_at, drift).await?;
        tx.commit().await?;
        self.0.intake.stored(device, &accepted);
        Ok(Ok(true))
    }

    /// A device that did not answer, or does not any more. One that may be back any moment is asked again soon, and less soon
    /// each time it does not stay.
    async fn lose(
        &self,
        device: DeviceId,
        error: &TerminalError,
        stayed: Duration,
    ) -> Result<(), StoreError> {
        let row = self.row(device).await?;
        let failure = PollFailure::of(error);
        let began = self.0.clock.now();
        if !error.is_absence() {
            self.keep_failure(&row, began, failure, error.retry())
                .await?;
            return Ok(());
        }
        let losses = {
            let mut losses = lock(&self.0.losses);
            let losses = losses.entry(device).or_default();
            if stayed >= HEALTHY {
                *losses = 0;
            }
            *losses += 1;
            *losses
        };
        let wait = jittered(again_after(losses).min(interval(&row)));
        self.keep_failure_for(&row, began, failure, wait, Retry::Soon)
            .await?;
        Ok(())
    }

    async fn let_go(&self, device: DeviceId) -> Result<(), StoreError> {
        let tx = self.0.store.begin_claim().await?;
        tx.release_device(&self.0.owner, device).await?;
        tx.commit_quietly().await?;
        self.wake();
        Ok(())
    }
}

/// 1, 2, 4 … 60 s after so many connections that did not last.
fn again_after(losses: u32) -> SignedDuration {
    let doublings = losses.saturating_sub(1).min(6);
    SignedDuration::from_secs(1 << doublings).min(LONGEST_WAIT)
}

/// Whether another connection is needed. What was not known before, and is found out by the first connection, is no change.
fn moved(before: &devices::Model, now: &devices::Model) -> bool {
    let place = |row: &devices::Model| {
        let sealed = (row.password_sealed.clone(), row.comm_key_sealed.clone());
        (row.address.clone(), row.port, row.username.clone(), sealed)
    };
    let how = |before: &Option<String>, now: &Option<String>| before.is_some() && before != now;
    place(before) != place(now)
        || how(&before.transport, &now.transport)
        || how(&before.certificate, &now.certificate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_does_not_stay_is_asked_less_and_less_soon() {
        let waits = (1..=8).map(|losses| again_after(losses).as_secs());
        assert_eq!(waits.collect::<Vec<_>>(), [1, 2, 4, 8, 16, 32, 60, 60]);
        assert_eq!(again_after(u32::MAX), LONGEST_WAIT);
    }
}

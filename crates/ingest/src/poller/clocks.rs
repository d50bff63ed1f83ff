//! Clocks that are set: by themselves after a reading, or because a person wants it now.

use attendance::{AccountId, DeviceId};
use store::StoreError;
use store::entities::devices;
use terminals::{Deadline, Terminal};

use super::live::ANSWER;
use super::taken::to_the_end;
use super::{PollFailure, Poller};
use crate::clock_setting::{CLOCK_TOLERANCE, ClockChange, NotSet, SetBy, SetClockError, set_clock};
use crate::error::story;
use crate::{Accepted, Change};

/// Why a clock was not set as a person wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SetClockFailure {
    NotSet(NotSet),
    Failed(PollFailure),
}

impl From<PollFailure> for SetClockFailure {
    fn from(failure: PollFailure) -> Self {
        Self::Failed(failure)
    }
}

impl Poller {
    /// Sets the clock of a device. Who reads or listens to it steps aside meanwhile, and reads it again afterwards. Goes on when
    /// nobody waits for the answer any more.
    pub async fn set_clock(
        &self,
        device: DeviceId,
        account: Option<AccountId>,
    ) -> Result<Result<ClockChange, SetClockFailure>, StoreError> {
        let poller = self.clone();
        to_the_end(async move {
            let work = poller.set_clock_of_taken(device, account);
            poller.while_taken(device, work).await
        })
        .await
    }

    async fn set_clock_of_taken(
        &self,
        device: DeviceId,
        account: Option<AccountId>,
    ) -> Result<Result<ClockChange, SetClockFailure>, StoreError> {
        let row = self.row(device).await?;
        let target = match self.target(&row) {
            Ok(target) => target,
            Err(failure) => return Ok(Err(failure.into())),
        };
        let (store, clock) = (&self.0.store, &self.0.clock);
        let deadline = Deadline::after(self.0.options.deadline);
        let set = match self.connect(&row, &target, deadline).await? {
            Err(error) => Err(error.into()),
            Ok(mut terminal) => {
                let by = SetBy::Person(account);
                let set = set_clock(store, clock, &mut terminal, &row, by).await;
                terminal.close().await;
                set
            }
        };
        let failure = match set {
            Ok(change) => {
                tell(&row, change);
                self.0.changes.publish(Change {
                    devices: vec![device],
                    ..Change::default()
                });
                return Ok(Ok(change));
            }
            Err(SetClockError::Store(error)) => return Err(error),
            Err(SetClockError::NotSet(why)) => SetClockFailure::NotSet(why),
            Err(SetClockError::Terminal(error)) => {
                self.keep_refusal(&row, &error).await?;
                SetClockFailure::Failed(PollFailure::of(&error))
            }
            Err(error @ SetClockError::Plans(_)) => SetClockFailure::Failed(PollFailure {
                step: "store",
                reason: "",
                message: story(&error),
            }),
        };
        Ok(Err(failure))
    }

    /// After a complete reading that is stored. That a clock cannot be set is no failure of the device: it was read.
    pub(super) async fn set_clock_if_off(
        &self,
        terminal: &mut Terminal,
        row: &devices::Model,
        accepted: &Accepted,
    ) {
        let tolerated = CLOCK_TOLERANCE.as_secs().unsigned_abs();
        let is_off = accepted
            .clock_drift_s
            .is_some_and(|drift| drift.unsigned_abs() > tolerated);
        if !row.set_clock || !is_off || accepted.more {
            return;
        }
        terminal.renew(Deadline::after(ANSWER));
        let (store, clock) = (&self.0.store, &self.0.clock);
        match set_clock(store, clock, terminal, row, SetBy::Itself).await {
            Ok(change) => tell(row, change),
            Err(SetClockError::NotSet(why)) => tracing::debug!(
                device.id = row.id,
                "the clock of device {} is left alone: {why}",
                row.name
            ),
            Err(error) => tracing::warn!(
                device.id = row.id,
                "the clock of device {} could not be set: {}",
                row.name,
                story(&error)
            ),
        }
    }
}

fn tell(row: &devices::Model, change: ClockChange) {
    tracing::info!(
        device.id = row.id,
        before_s = change.before_s,
        "the clock of device {} was set",
        row.name
    );
}

//! Examines a device with the address and the credentials that are stored, and stores nothing but that these were refused.

use std::time::Duration;

use attendance::DeviceId;
use store::StoreError;
use store::entities::devices;
use terminals::doctor::{Check, Examined, Finding, Seen, examine};
use terminals::{Deadline, Retry, Target, TerminalError};

use super::{PollFailure, Poller, waits_to_sign_in};

/// What the doctor found, all checks in their order.
#[derive(Clone, Debug)]
pub struct Diagnosis {
    pub checks: Vec<Checked>,
    /// How far the clock is ahead of ours, in seconds, read in its zone.
    pub clock_drift_s: Option<i64>,
}

#[derive(Clone, Debug)]
pub struct Checked {
    pub check: Check,
    pub found: Found,
    pub took: Duration,
}

#[derive(Clone, Debug)]
pub enum Found {
    Good(Seen),
    Failed(PollFailure),
    /// The terminal has no such thing, which is no fault.
    NotOffered,
    /// Something before it failed.
    NotTried,
}

impl Poller {
    /// Looks at everything a device is needed for; `on_check` is told of each check when it is over. Who reads or listens to
    /// the device steps aside meanwhile.
    ///
    /// # Errors
    /// A [`PollFailure`] when it cannot be examined: it has no address, or is being read.
    pub async fn examine(
        &self,
        device: DeviceId,
        on_check: &mut (dyn FnMut(&Examined) + Send),
    ) -> Result<Result<Diagnosis, PollFailure>, StoreError> {
        let row = self.row(device).await?;
        let target = match self.target(&row) {
            Ok(target) => target,
            Err(failure) => return Ok(Err(failure)),
        };
        let work = self.examine_taken(&row, &target, on_check);
        self.while_taken(device, async { work.await.map(Ok) }).await
    }

    async fn examine_taken(
        &self,
        row: &devices::Model,
        target: &Target,
        on_check: &mut (dyn FnMut(&Examined) + Send),
    ) -> Result<Diagnosis, StoreError> {
        let clock = self.0.clock.clone();
        let deadline = Deadline::after(self.0.options.deadline);
        let examined = examine(target, deadline, &move || clock.now(), on_check).await;
        // Only a certificate of the terminal that it is meant to be is worth keeping.
        let is_it = examined
            .iter()
            .any(|one| one.check == Check::Serial && matches!(one.finding, Finding::Good(_)));
        for one in &examined {
            match &one.finding {
                Finding::Failed(error) => self.keep_refusal(row, error).await?,
                Finding::Good(Seen::Certificate(shown)) if is_it => {
                    self.keep_first_certificate(row, Some(*shown)).await?;
                }
                _ => {}
            }
        }
        Ok(Diagnosis {
            clock_drift_s: self.drift(DeviceId(row.id), &examined).await?,
            checks: examined.into_iter().map(Checked::from).collect(),
        })
    }

    /// What a failure says about the sign-in and the certificate. Otherwise every examination would send the password again,
    /// until the terminal locks.
    pub async fn keep_refusal(
        &self,
        row: &devices::Model,
        error: &TerminalError,
    ) -> Result<(), StoreError> {
        self.note_certificate(row, error).await?;
        let failure = PollFailure::of(error);
        let now = self.0.clock.now();
        if let Some(until) = waits_to_sign_in(&failure, error.retry(), now) {
            let tx = self.0.store.begin_write().await?;
            tx.wait_to_sign_in(DeviceId(row.id), until).await?;
            return tx.commit().await;
        }
        if error.retry() != Retry::AfterEdit {
            return Ok(());
        }
        let PollFailure {
            step,
            reason,
            message,
        } = failure;
        let tx = self.0.store.begin_write().await?;
        tx.refuse_credentials(row, step, reason, &message).await?;
        tx.commit().await
    }

    async fn drift(
        &self,
        device: DeviceId,
        examined: &[Examined],
    ) -> Result<Option<i64>, StoreError> {
        let clock = examined.iter().find_map(|one| match one.finding {
            Finding::Good(Seen::Clock { shows, at }) => Some((shows, at)),
            _ => None,
        });
        let Some((shows, at)) = clock else {
            return Ok(None);
        };
        let tx = self.0.store.begin_read().await?;
        let zones = tx.device_zones(device).await?;
        let (_, zone) = zones.at(shows);
        let instant = zone.to_ambiguous_timestamp(shows).compatible().ok();
        Ok(instant.map(|instant| instant.duration_since(at).as_secs()))
    }
}

impl From<Examined> for Checked {
    fn from(examined: Examined) -> Self {
        Self {
            check: examined.check,
            took: examined.took,
            found: match examined.finding {
                Finding::Good(seen) => Found::Good(seen),
                Finding::Failed(error) => Found::Failed(PollFailure::of(&error)),
                Finding::NotOffered => Found::NotOffered,
                Finding::NotTried => Found::NotTried,
            },
        }
    }
}

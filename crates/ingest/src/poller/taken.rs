//! A device that somebody wants for something else than reading: whoever reads or listens to it steps aside.
//!
//! Many terminals serve one connection, so nothing is asked of them beside a reading. The wish is a column of the device: it
//! reaches the process that holds the device, whichever that is.

use std::time::Duration;

use attendance::DeviceId;
use store::StoreError;
use tokio::time::Instant;

use super::{PollFailure, Poller, RENEW};
use crate::background::Background;

/// How long somebody who reads the device may take to give it back.
const PATIENCE: Duration = Duration::from_secs(20);
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// A device nobody else talks to until [`Taken::give_back`]. One that is forgotten is free again when its lease ends.
#[derive(Debug)]
#[must_use = "give it back when it is not needed any more"]
pub struct Taken {
    poller: Poller,
    owner: String,
    device: DeviceId,
    _renewing: Background,
}

impl Poller {
    /// Takes a device, as soon as whoever reads or listens to it has given it back.
    ///
    /// # Errors
    /// A [`PollFailure`] at step `lease` when that takes too long: a large log is being read.
    pub async fn take(&self, device: DeviceId) -> Result<Result<Taken, PollFailure>, StoreError> {
        let owner = format!("taken-{}", store::secrets::random_token());
        let give_up = Instant::now() + PATIENCE;
        let mut wanted = false;
        loop {
            let (now, until) = self.lease();
            let tx = self.0.store.begin_claim().await?;
            let claimed = tx.claim_wanted_device(&owner, device, now, until).await?;
            let given_up = Instant::now() >= give_up;
            match (claimed, given_up) {
                (true, _) => {}
                (false, true) => tx.want_device(device, now).await?,
                (false, false) if wanted => {}
                (false, false) => tx.want_device(device, now + PATIENCE).await?,
            }
            match claimed || given_up || !wanted {
                true => tx.commit_quietly().await?,
                false => tx.rollback().await?,
            }
            wanted = true;
            if claimed {
                return Ok(Ok(Taken {
                    _renewing: self.keep_lease(owner.clone(), device),
                    poller: self.clone(),
                    owner,
                    device,
                }));
            }
            if given_up {
                return Ok(Err(PollFailure {
                    step: "lease",
                    reason: "",
                    message: "it is being read at the moment: try again in a minute".to_owned(),
                }));
            }
            self.wake();
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    /// Does the work while nobody else talks to the device, and gives it back whatever came of it.
    ///
    /// # Errors
    /// Those of the work, and those of [`Poller::take`]; then it was not begun.
    pub(super) async fn while_taken<T, E: From<PollFailure>>(
        &self,
        device: DeviceId,
        work: impl Future<Output = Result<Result<T, E>, StoreError>>,
    ) -> Result<Result<T, E>, StoreError> {
        let taken = match self.take(device).await? {
            Ok(taken) => taken,
            Err(failure) => return Ok(Err(failure.into())),
        };
        let done = work.await;
        taken.give_back().await?;
        done
    }

    /// Renews the lease of one device for as long as the value lives.
    fn keep_lease(&self, owner: String, device: DeviceId) -> Background {
        let poller = self.clone();
        let failing = "the lease of a device that was taken could not be renewed";
        Background::repeat(RENEW, failing, move || {
            let (poller, owner) = (poller.clone(), owner.clone());
            async move { poller.renew(&owner, &[device]).await }
        })
    }
}

impl Taken {
    /// Lets it be read again, at once.
    ///
    /// # Errors
    /// When the database refuses; it is free again when its lease ends.
    pub async fn give_back(self) -> Result<(), StoreError> {
        let Poller(inner) = &self.poller;
        let tx = inner.store.begin_claim().await?;
        tx.release_device(&self.owner, self.device).await?;
        tx.poll_now(Some(&[self.device]), inner.clock.now()).await?;
        tx.commit_quietly().await?;
        self.poller.wake();
        Ok(())
    }
}

/// Goes on with the work when nobody waits for it any more: what was begun at a terminal is ended and kept.
pub(super) async fn to_the_end<T: Send + 'static>(
    work: impl Future<Output = T> + Send + 'static,
) -> T {
    match tokio::spawn(work).await {
        Ok(done) => done,
        Err(panic) => std::panic::resume_unwind(panic.into_panic()),
    }
}

//! The end of a conversation as a whole, and the limits of single waits inside it.

use std::future::Future;
use std::time::Duration;

use tokio::time::Instant;

use crate::{Step, TerminalError};

/// When a whole conversation must be over. Each wait inside it has a shorter limit of its own, and ends with whichever comes
/// first; so a terminal that sends one byte a second holds nobody up, and the time-out names the step that was running.
#[derive(Clone, Copy, Debug)]
pub struct Deadline {
    /// The end and how long it was away at first; `None` leaves only the limits of the waits.
    end: Option<(Instant, Duration)>,
}

impl Deadline {
    /// The conversation begins now and may take this long.
    pub fn after(whole: Duration) -> Self {
        // A duration that leads past the end of time is no deadline.
        let end = Instant::now().checked_add(whole);
        Self {
            end: end.map(|end| (end, whole)),
        }
    }

    /// Only the waits are limited: for a person who watches.
    pub fn none() -> Self {
        Self { end: None }
    }

    /// Whether less than `spare` is left, or less than a quarter of the whole where that is shorter: time to stop where that
    /// loses nothing.
    pub(crate) fn is_near(&self, spare: Duration) -> bool {
        self.end
            .is_some_and(|(end, whole)| Instant::now() + spare.min(whole / 4) >= end)
    }

    /// Waits for `future`, at most for `limit` and not past the deadline.
    ///
    /// # Errors
    /// [`TerminalError::Timeout`] with `step`, and with the limit that was hit.
    pub async fn within<T>(
        &self,
        step: Step,
        limit: Duration,
        future: impl Future<Output = T>,
    ) -> Result<T, TerminalError> {
        let own = Instant::now() + limit;
        let (at, after) = match self.end {
            Some((end, whole)) if end < own => (end, whole),
            _ => (own, limit),
        };
        timeout_at(at, future)
            .await
            .ok_or(TerminalError::Timeout { step, after })
    }

    /// Waits for `future`, not past the deadline.
    ///
    /// # Errors
    /// [`TerminalError::Timeout`] with `step`.
    pub async fn cover<T>(
        &self,
        step: Step,
        future: impl Future<Output = T>,
    ) -> Result<T, TerminalError> {
        match self.end {
            None => Ok(future.await),
            Some((end, after)) => timeout_at(end, future)
                .await
                .ok_or(TerminalError::Timeout { step, after }),
        }
    }
}

/// Like the one of tokio, which asks the future first: bytes that are always there would never let the time run out.
async fn timeout_at<T>(at: Instant, future: impl Future<Output = T>) -> Option<T> {
    if Instant::now() >= at {
        return None;
    }
    tokio::time::timeout_at(at, future).await.ok()
}

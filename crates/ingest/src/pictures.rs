//! Pictures of punches: kept for some days where a setting says so, sealed, and never in the way of a punch.

use attendance::{DeviceId, DeviceUserId};
use jiff::civil::DateTime;
use jiff::{SignedDuration, Timestamp};
use store::kept_uploads::{KeptUpload, punch_name};
use store::{Store, StoreError};

use crate::Clock;

/// What they are called in the database.
pub const KIND: &str = "picture";
/// Terminals send some ten thousand bytes.
const MOST_BYTES: usize = 200_000;

/// Keeps pictures, or does not. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Pictures {
    store: Store,
    clock: Clock,
    keep_days: u32,
}

impl Pictures {
    pub(crate) fn new(store: Store, clock: Clock, keep_days: u32) -> Self {
        Self {
            store,
            clock,
            keep_days,
        }
    }

    pub fn are_wanted(&self) -> bool {
        self.keep_days > 0
    }

    /// Keeps the picture of a punch that has been stored. Whatever is wrong with it concerns nobody but the log: a punch does
    /// not wait for its picture.
    pub async fn keep(
        &self,
        device: DeviceId,
        user: &DeviceUserId,
        clock: DateTime,
        jpeg: Vec<u8>,
    ) {
        if !self.are_wanted() || jpeg.len() > MOST_BYTES || !jpeg.starts_with(b"\xff\xd8\xff") {
            return;
        }
        let picture = KeptUpload {
            kind: KIND,
            name: punch_name(user, clock),
            bytes: jpeg,
        };
        if let Err(error) = self.try_keep(device, &picture).await {
            tracing::warn!(
                device.id = device.0,
                error = &error as &dyn std::error::Error,
                "a picture of a punch is not kept"
            );
        }
    }

    async fn try_keep(&self, device: DeviceId, picture: &KeptUpload) -> Result<(), StoreError> {
        let tx = self.store.begin_write().await?;
        tx.keep_uploaded(device, picture, self.clock.now()).await?;
        tx.commit_quietly().await
    }

    /// Up to when pictures are old; where none are wanted, all are.
    pub(crate) fn old_before(&self, now: Timestamp) -> Timestamp {
        now - SignedDuration::from_hours(24 * i64::from(self.keep_days))
    }
}

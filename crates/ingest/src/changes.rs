//! What changed, told to whoever shows it, after the commit: viewers never see what was not kept.

use std::sync::Arc;

use attendance::{DeviceId, EmployeeId, PunchId};
use jiff::civil::Date;
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;

/// What one commit changed. Ids only: a viewer reads what it shows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Change {
    /// Punches stored for the first time.
    pub punches: Vec<PunchId>,
    /// Employee-days whose report now reads differently.
    pub days: Vec<(EmployeeId, Date)>,
    /// Devices whose state changed: read, failed, back, edited.
    pub devices: Vec<DeviceId>,
    /// Anything may have changed: people, calendar or rules were edited, another process wrote, or the viewer fell behind.
    pub everything: bool,
}

impl Change {
    /// Look at everything again.
    pub fn everything() -> Self {
        Self {
            everything: true,
            ..Self::default()
        }
    }

    pub fn is_empty(&self) -> bool {
        !self.everything
            && self.punches.is_empty()
            && self.days.is_empty()
            && self.devices.is_empty()
    }
}

/// The one channel of changes; cheap to clone.
#[derive(Clone, Debug)]
pub struct Changes(broadcast::Sender<Arc<Change>>);

impl Default for Changes {
    fn default() -> Self {
        // A viewer that is further behind is told to look at everything, so the size only decides how often that happens.
        Self(broadcast::Sender::new(256))
    }
}

impl Changes {
    /// Tells every viewer. Call it after the commit; an empty change is not told.
    pub fn publish(&self, change: Change) {
        if !change.is_empty() {
            let _nobody_listens = self.0.send(Arc::new(change));
        }
    }

    /// Every change from now on.
    pub fn subscribe(&self) -> Subscription {
        Subscription(self.0.subscribe())
    }
}

/// One viewer's place in the stream of changes.
#[derive(Debug)]
pub struct Subscription(broadcast::Receiver<Arc<Change>>);

impl Subscription {
    /// The next change; `None` when the server stops. A viewer that fell behind gets [`Change::everything`] instead of what it
    /// missed. Cancel safe.
    pub async fn next(&mut self) -> Option<Arc<Change>> {
        match self.0.recv().await {
            Ok(change) => Some(change),
            Err(RecvError::Lagged(_)) => Some(Arc::new(Change::everything())),
            Err(RecvError::Closed) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_viewer_that_fell_behind_looks_at_everything() {
        let changes = Changes::default();
        let mut viewer = changes.subscribe();
        changes.publish(Change::default()); // nothing to tell
        for id in 0..300 {
            changes.publish(Change {
                punches: vec![PunchId(id)],
                ..Change::default()
            });
        }
        assert!(viewer.next().await.expect("open").everything);
        assert_eq!(viewer.next().await.expect("open").punches, [PunchId(44)]);
        drop(changes);
        let mut rest = 0;
        while viewer.next().await.is_some() {
            rest += 1;
        }
        assert_eq!(rest, 255);
    }
}

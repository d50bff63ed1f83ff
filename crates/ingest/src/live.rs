//! Devices that tell their punches live: one connection, for readings and for what is told in between, as long as it lasts.
//!
//! What a device tells is a hint, because its log has it too. So every connection begins with a reading, a device that is
//! quiet is asked for its clock, and what cannot be understood is read.

use std::sync::Arc;
use std::time::Duration;

use attendance::{DeviceId, Way};
use store::StoreError;
use store::entities::devices;
use terminals::{Deadline, DeviceKind, Live, ReadPosition, Terminal, TerminalError};
use tokio::sync::Notify;

use crate::intake::Contact;
use crate::poller::{Poller, Told};
use crate::{Batch, Change};

/// A device that keeps a question waiting for so long is gone.
const ANSWER: Duration = Duration::from_secs(10);

/// Whether a device is to be listened to.
pub(crate) fn tells_live(row: &devices::Model) -> bool {
    let live = Way::Live.as_str();
    let kind = DeviceKind::from_name(&row.kind);
    row.enabled
        && kind.is_some_and(DeviceKind::tells_live)
        && row.mode.split(',').any(|way| way == live)
}

/// Why listening ends.
enum End {
    /// The device was edited, or another process has it.
    LetGo,
    Lost(TerminalError),
}

impl From<TerminalError> for End {
    fn from(error: TerminalError) -> Self {
        Self::Lost(error)
    }
}

impl Poller {
    /// Reads a claimed device and listens to it until the connection is lost or the device is edited.
    pub(crate) async fn follow(&self, row: devices::Model) -> Result<(), StoreError> {
        let device = DeviceId(row.id);
        let _under_way = self.under_way(device);
        let began = self.clock().now();
        let target = match self.target(&row) {
            Ok(target) => target,
            Err(failure) => return self.give_up(&row, began, failure).await,
        };
        let deadline = Deadline::after(self.options().deadline);
        let end = match Terminal::connect_within(&target, deadline).await {
            Err(error) => End::Lost(error),
            Ok(mut terminal) => {
                let told = self.tell(device);
                let end = self.stay(&mut terminal, &row, &told).await;
                drop(told);
                terminal.close().await;
                end?
            }
        };
        match end {
            End::LetGo => self.let_go(device).await,
            End::Lost(error) => self.lose(&row, began, &error).await,
        }
    }

    /// Readings, and listening in between.
    async fn stay(
        &self,
        terminal: &mut Terminal,
        first: &devices::Model,
        told: &Told<'_>,
    ) -> Result<End, StoreError> {
        let device = DeviceId(first.id);
        let mut live_since = None;
        // From here on the device tells, so nothing is missed between a reading and what follows it.
        if let Err(error) = terminal.listen().await {
            return Ok(End::Lost(error));
        }
        loop {
            let row = self.row(device).await?;
            if !tells_live(&row) || row.retired_ms.is_some() || moved(first, &row) {
                return Ok(End::LetGo);
            }
            let began = self.clock().now();
            terminal.renew(Deadline::after(self.options().deadline));
            let clock = self.clock().clone();
            let position = ReadPosition(row.read_position.clone());
            let reading = match terminal.read(&position, &move || clock.now()).await {
                Ok(reading) => reading,
                Err(error) => return Ok(End::Lost(error)),
            };
            if self.keep_reading(&row, began, reading).await?.is_none() {
                return Ok(End::LetGo);
            }
            let since = *live_since.get_or_insert_with(|| self.clock().now());
            if !self.keep_hold(device, since).await? {
                return Ok(End::LetGo);
            }
            if let Some(end) = self.listen(terminal, device, &told.to_read).await? {
                return Ok(end);
            }
        }
    }

    /// Keeps what a device tells, until it is to be read (`None`) or is lost.
    async fn listen(
        &self,
        terminal: &mut Terminal,
        device: DeviceId,
        to_read: &Arc<Notify>,
    ) -> Result<Option<End>, StoreError> {
        loop {
            terminal.renew(Deadline::none());
            let heard = tokio::select! {
                () = to_read.notified() => return Ok(None),
                heard = terminal.next_live(self.options().quiet) => heard,
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
                Err(error) => return Ok(Some(error.into())),
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
                self.intake().accept(&batch).await?;
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

    /// Asks a quiet device for its clock. What it told before it answered is stored first; so everything up to now is known.
    async fn probe(
        &self,
        terminal: &mut Terminal,
        device: DeviceId,
    ) -> Result<Result<bool, TerminalError>, StoreError> {
        let clock = match terminal.clock().await {
            Ok(clock) => clock,
            Err(error) => return Ok(Err(error)),
        };
        let seen_at = self.clock().now();
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
            complete: true,
            ..Batch::new(device, Way::Live, Vec::new())
        };
        let _storing = self.intake().storing();
        let tx = self.store().begin_write().await?;
        let (accepted, to_mark) = self.intake().store_in(&tx, &batch).await?;
        to_mark.mark_in(&tx, seen_at).await?;
        let drift = accepted.clock_drift_s.unwrap_or_default();
        tx.keep_contact(device, seen_at, drift).await?;
        tx.commit().await?;
        self.intake().stored(device, &accepted);
        Ok(Ok(true))
    }

    /// The reading has given the device back; it stays ours. `false` when another process has taken it.
    async fn keep_hold(
        &self,
        device: DeviceId,
        live_since: jiff::Timestamp,
    ) -> Result<bool, StoreError> {
        let tx = self.store().begin_claim().await?;
        let (now, until) = self.lease();
        let ours = tx
            .claim_devices(self.owner(), &[device], now, until)
            .await?;
        tx.keep_live(self.owner(), device, live_since).await?;
        tx.commit_quietly().await?;
        self.changes().publish(Change {
            devices: vec![device],
            ..Change::default()
        });
        Ok(!ours.is_empty())
    }

    async fn let_go(&self, device: DeviceId) -> Result<(), StoreError> {
        let tx = self.store().begin_claim().await?;
        tx.release_device(self.owner(), device).await?;
        tx.commit_quietly().await?;
        self.wake();
        Ok(())
    }
}

/// Whether another connection is needed.
fn moved(before: &devices::Model, now: &devices::Model) -> bool {
    let place = |row: &devices::Model| {
        let sealed = (row.password_sealed.clone(), row.comm_key_sealed.clone());
        (row.address.clone(), row.port, row.username.clone(), sealed)
    };
    place(before) != place(now)
}

//! Terminals that are told to call us: looked at after each reading, because one may have forgotten it, and told to stop when
//! they are not to call any more.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use attendance::{DeviceId, Way};
use jiff::SignedDuration;
use store::StoreError;
use store::call_places::Armed as Kept;
use store::entities::{call_places, devices};
use terminals::{Armed, CallHere, Deadline, DeviceKind, Retry, Terminal, TerminalError, Told};

use super::taken::to_the_end;
use super::{Poller, lock};
use crate::background::Background;
use crate::callers::untold;
use crate::error::story;
use crate::{Change, Watching};

/// Where terminals are told to call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallsTo {
    /// A name or an address that they reach us by; `None`: the address from which we reach them.
    pub host: Option<String>,
    pub port: u16,
}

/// They should show so often that they are there.
const HEARTBEAT_SECS: u32 = 30;
/// For all that is to be asked and told.
const WITHIN: Duration = Duration::from_secs(30);
/// How often it is looked, in real time, for terminals that nobody reads and that are to be told something.
const LOOK: Duration = Duration::from_secs(5);
/// When one that could not be told is tried again.
const TRY_AGAIN: Duration = Duration::from_secs(600);

/// When it was last tried to tell a device something that no reading tells it.
pub(super) type Tried = Mutex<HashMap<DeviceId, Instant>>;

impl Poller {
    /// After a reading that is stored: that a terminal cannot be told to call is no failure of the reading.
    pub(super) async fn arm_if_asked(
        &self,
        terminal: &mut Terminal,
        row: &devices::Model,
    ) -> Result<(), StoreError> {
        match is_to_call(row) {
            true => self.arm(terminal, row).await,
            false => Ok(()),
        }
    }

    async fn arm(&self, terminal: &mut Terminal, row: &devices::Model) -> Result<(), StoreError> {
        let device = DeviceId(row.id);
        let here = match self.0.options.calls {
            Some(_) => self.call_here(row).await?,
            None => None,
        };
        let Some(here) = here else {
            let nowhere =
                "Muster listens nowhere for terminals that call: write push.listen in muster.toml";
            return self.keep_not_armed(row, nowhere.to_owned()).await;
        };
        let before = self.0.store.call_place(device).await?;
        terminal.renew(Deadline::after(WITHIN));
        let told = match terminal.arm(&here).await {
            Ok(Armed::Told(told)) => told,
            Ok(Armed::ByHand) => return Ok(()),
            Err(error) => return self.keep_not_armed(row, what_fails(&error)).await,
        };
        self.keep_armed(device, &told).await?;
        if told.was_told {
            let was_armed = before.is_some_and(|place| place.slot.is_some());
            tracing::info!(
                device.id = row.id,
                "device {} was told to call {}{}",
                row.name,
                told.calls_to,
                match was_armed {
                    true => ", which it had forgotten",
                    false => "",
                }
            );
            if was_armed {
                let tx = self.0.store.begin_write().await?;
                let at = self.0.clock.now();
                tx.notice(device, "told_again", &told.calls_to, at).await?;
                tx.commit_quietly().await?;
            }
        }
        Ok(())
    }

    async fn keep_armed(&self, device: DeviceId, told: &Told) -> Result<(), StoreError> {
        let inner = &self.0;
        let tx = inner.store.begin_write().await?;
        let kept = Kept {
            slot: &told.slot,
            calls_to: &told.calls_to,
            heartbeat_secs: told.heartbeat_secs,
            hardware: told.hardware.as_deref(),
            clock_offset_s: told.clock_offset.map(|offset| offset.seconds()),
            was_told: told.was_told,
        };
        tx.keep_armed(device, &kept, inner.clock.now()).await?;
        tx.commit_quietly().await?;
        self.told(device, told.was_told);
        Ok(())
    }

    async fn keep_not_armed(
        &self,
        row: &devices::Model,
        failure: String,
    ) -> Result<(), StoreError> {
        let inner = &self.0;
        let device = DeviceId(row.id);
        let before = inner.store.call_place(device).await?;
        let before = before.and_then(|place| place.failure);
        let tx = inner.store.begin_write().await?;
        tx.call_token(device, inner.clock.now()).await?;
        tx.keep_not_armed(device, &failure, inner.clock.now())
            .await?;
        tx.commit_quietly().await?;
        if before.as_ref() != Some(&failure) {
            tracing::warn!(
                device.id = row.id,
                "device {} cannot be told to call us: {failure}",
                row.name
            );
            self.told(device, true);
        }
        Ok(())
    }

    /// Whether it calls no more.
    async fn disarm(
        &self,
        terminal: &mut Terminal,
        row: &devices::Model,
    ) -> Result<bool, StoreError> {
        let device = DeviceId(row.id);
        let Some(here) = self.call_here(row).await? else {
            return Ok(false);
        };
        terminal.renew(Deadline::after(WITHIN));
        if let Err(error) = terminal.disarm(&here).await {
            tracing::warn!(
                device.id = row.id,
                "device {} cannot be told to call us no more: {}",
                row.name,
                story(&error)
            );
            return Ok(false);
        }
        let tx = self.0.store.begin_write().await?;
        tx.keep_disarmed(device).await?;
        tx.commit_quietly().await?;
        tracing::info!(device.id = row.id, "device {} calls no more", row.name);
        self.told(device, true);
        Ok(true)
    }

    fn told(&self, device: DeviceId, is_news: bool) {
        if is_news {
            self.0.changes.publish(Change {
                devices: vec![device],
                ..Change::default()
            });
        }
    }

    /// With port 0 where nobody listens to terminals that call; `None` for a kind that is not told.
    async fn call_here(&self, row: &devices::Model) -> Result<Option<CallHere>, StoreError> {
        let inner = &self.0;
        let device = DeviceId(row.id);
        let kind = DeviceKind::from_name(&row.kind);
        let Some(path) = kind.and_then(DeviceKind::call_path) else {
            return Ok(None);
        };
        let to = inner.options.calls.as_ref();
        let mut place = inner.store.call_place(device).await?;
        if place.is_none() {
            let tx = inner.store.begin_write().await?;
            tx.call_token(device, inner.clock.now()).await?;
            tx.commit_quietly().await?;
            place = inner.store.call_place(device).await?;
        }
        let Some(place) = place else {
            return Ok(None);
        };
        let (token, former) = inner.store.call_tokens(&place)?;
        Ok(Some(CallHere {
            host: to.and_then(|to| to.host.clone()),
            port: to.map_or(0, |to| to.port),
            path: format!("{path}{}", token.expose()),
            former: former.map(|former| format!("{path}{}", former.expose())),
            heartbeat_secs: HEARTBEAT_SECS,
            again: self.does_not_call(&place).await?,
        }))
    }

    /// Whether a terminal that was told to call does not: its heartbeats have stopped, or its newest punches came by readings
    /// only. Some call again once they are told again.
    async fn does_not_call(&self, place: &call_places::Model) -> Result<bool, StoreError> {
        let inner = &self.0;
        let (Some(armed), now) = (place.armed_ms, inner.clock.now()) else {
            return Ok(false);
        };
        let armed = store::times::instant(armed);
        let patience = SignedDuration::from_secs(place.heartbeat_s.unwrap_or(0).max(10) * 3);
        let heard = place.last_heartbeat_ms.map(store::times::instant);
        if heard.is_some_and(|heard| now.duration_since(heard.max(armed)) > patience) {
            return Ok(true);
        }
        untold(&inner.store, DeviceId(place.device_id), armed, now).await
    }

    /// Tells terminals that no reading comes to, for as long as the value lives: those that only call, and those that are to
    /// call no more.
    pub(crate) fn tell_others(&self) -> Watching {
        let poller = self.clone();
        let failing = "terminals could not be told whom to call";
        Watching::of(Background::repeat(LOOK, failing, move || {
            let poller = poller.clone();
            async move { poller.tell_others_once().await }
        }))
    }

    /// What the poller does now and then.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn tell_others_once(&self) -> Result<(), StoreError> {
        let to_tell = self.0.store.devices_to_tell().await?;
        let wanted = to_tell.into_iter().filter(|(_, kind)| is_told(kind));
        for (device, _) in wanted {
            if self.is_time_for(device) {
                self.tell(device).await?;
            }
        }
        Ok(())
    }

    fn is_time_for(&self, device: DeviceId) -> bool {
        let mut tried = lock(&self.0.tried);
        tried.retain(|_, at| at.elapsed() < TRY_AGAIN);
        match tried.contains_key(&device) {
            true => false,
            false => tried.insert(device, Instant::now()).is_none(),
        }
    }

    /// Connects to tell a terminal whether it is to call us.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn tell(&self, device: DeviceId) -> Result<(), StoreError> {
        let poller = self.clone();
        to_the_end(async move {
            let row = poller.row(device).await?;
            let target = match poller.target(&row) {
                Ok(target) => target,
                Err(failure) => {
                    tracing::debug!(device.id = row.id, "not told: {}", failure.message);
                    return Ok(());
                }
            };
            let mut terminal =
                match Terminal::connect_within(&target, Deadline::after(WITHIN)).await {
                    Ok(terminal) => terminal,
                    Err(error) if error.retry() == Retry::AfterEdit => {
                        return poller.keep_refusal(&row, &error).await;
                    }
                    Err(error) if is_to_call(&row) => {
                        return poller.keep_not_armed(&row, what_fails(&error)).await;
                    }
                    Err(error) => {
                        tracing::debug!(device.id = row.id, "not told: {}", story(&error));
                        return Ok(());
                    }
                };
            let told = match is_to_call(&row) {
                true => poller.arm(&mut terminal, &row).await,
                false => poller.disarm(&mut terminal, &row).await.map(drop),
            };
            terminal.close().await;
            told
        })
        .await
    }
}

/// Whether terminals of this kind are told by us whom to call.
fn is_told(kind: &str) -> bool {
    let kind = DeviceKind::from_name(kind);
    kind.and_then(DeviceKind::call_path).is_some()
}

/// Whether a device is to call us, and is told so.
pub(super) fn is_to_call(row: &devices::Model) -> bool {
    let push = Way::Push.as_str();
    let ways = row.mode.split(',').any(|way| way == push);
    ways && row.retired_ms.is_none() && is_told(&row.kind)
}

/// For people; a refusal speaks for itself.
fn what_fails(error: &TerminalError) -> String {
    match error {
        TerminalError::Refused { detail, .. } => detail.clone(),
        error => story(error),
    }
}

//! The terminal's wall clock: what it shows, who sets it, and setting it.

use hik_proto::{DeviceTime, paths};
use jiff::Unit;
use jiff::civil::DateTime;

use super::http::Changed;
use super::writing::{refused, unseen};
use super::{HikTerminal, malformed};
use crate::terminal::{ClockSet, checked};
use crate::{Step, TerminalError, WriteError};

impl HikTerminal {
    /// The terminal's wall clock.
    ///
    /// # Errors
    /// See [`TerminalError`].
    pub async fn clock(&mut self) -> Result<DeviceTime, TerminalError> {
        self.clock_at(Step::Clock).await
    }

    pub(super) async fn clock_at(&mut self, step: Step) -> Result<DeviceTime, TerminalError> {
        let body = self.http.get(step, paths::TIME).await?.required(step)?;
        let time = DeviceTime::decode(&body).map_err(malformed(step))?;
        self.clock_offset = Some(time.local.offset);
        Ok(time)
    }

    /// Sets the terminal's clock to what `wall` says when it is sent, and reads what it shows then. Its zone stays as it is, with
    /// its rules of summer time. A terminal that asked a time server no longer does.
    ///
    /// # Errors
    /// `Refused` when it shows another time afterwards, [`WriteError::NotAsAsked`] when it has another zone or asks its time
    /// server still.
    pub async fn set_clock(
        &mut self,
        wall: &(dyn Fn() -> DateTime + Send + Sync),
    ) -> Result<ClockSet, TerminalError> {
        let before = self.clock().await?;
        let now = wall();
        let request = before.set_to(now.round(Unit::Second).unwrap_or(now));
        if let Changed::Refused(said) = self.http.change(&request).await? {
            return Err(refused(&said));
        }
        let after = self.clock_at(Step::Write).await.map_err(unseen)?;
        let zone =
            |time: &DeviceTime| format!("the zone {}", time.zone.as_deref().unwrap_or("none"));
        if before.zone.is_some() && after.zone != before.zone {
            let (asked, shows) = (zone(&before), zone(&after));
            return Err(WriteError::NotAsAsked { asked, shows }.into());
        }
        if after.is_set_from_outside() {
            let mode = after.mode.unwrap_or_default();
            return Err(WriteError::NotAsAsked {
                asked: "a clock set by hand".to_owned(),
                shows: format!("one in mode {mode}"),
            }
            .into());
        }
        Ok(ClockSet {
            left_time_server: before.is_set_from_outside(),
            ..checked(after.local.clock, wall())?
        })
    }
}

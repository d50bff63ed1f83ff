//! The terminal's wall clock: what it shows, and setting it.

use jiff::Unit;
use jiff::civil::DateTime;
use zk_proto::clock::PackedClock;
use zk_proto::{command, control};

use super::ZkTerminal;
use crate::terminal::{ClockSet, checked};
use crate::{Step, TerminalError};

const STEP: Step = Step::Clock;

impl ZkTerminal {
    /// The terminal's wall clock.
    ///
    /// # Errors
    /// `Malformed` when it shows no date.
    pub async fn clock(&mut self) -> Result<DateTime, TerminalError> {
        let answer = self
            .connection
            .ask(STEP, command::GET_TIME, &[])
            .await?
            .first_chunk::<4>()
            .map(|bytes| PackedClock(u32::from_le_bytes(*bytes)))
            .ok_or_else(|| TerminalError::Malformed {
                step: STEP,
                detail: "the clock has four bytes".to_owned(),
            })?;
        answer.unpack().ok_or_else(|| TerminalError::Malformed {
            step: STEP,
            detail: format!("impossible date {answer}"),
        })
    }

    /// Sets the terminal's clock to what `wall` says when it is sent, and reads what it shows then. Its log stays as it is.
    ///
    /// # Errors
    /// `Refused` when it shows another time afterwards: not every terminal that says "done" has done it.
    pub async fn set_clock(
        &mut self,
        wall: &(dyn Fn() -> DateTime + Send + Sync),
    ) -> Result<ClockSet, TerminalError> {
        let now = wall();
        let time = now.round(Unit::Second).unwrap_or(now);
        let request = control::set_time(time).ok_or_else(|| TerminalError::Refused {
            step: STEP,
            detail: format!("no ZKTeco terminal can show {time}"),
        })?;
        self.connection
            .ask(STEP, request.command, &request.data)
            .await?;
        // Some want to be told, others do not know the word.
        let refresh = control::refresh_data();
        self.connection
            .ask_if_known(STEP, refresh.command, &refresh.data)
            .await?;
        let shows = self.clock().await?;
        checked(shows, wall())
    }
}

//! Whether terminals that call still do, and whether what they do makes sense: failures, logged once each.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use store::StoreError;
use store::coverage::GapCause;
use store::failures::Outage;

use super::delivery::is_a_loop;
use super::{Caller, Callers, State};

/// Calls are kept when they are so much newer than what is kept, in application time: one row each would wear the disk.
const KEEP_EVERY: SignedDuration = SignedDuration::from_secs(5);
/// A device that is told to call every so often and misses three calls is away.
const CALLS_MISSED: i64 = 3;

/// The steps of our failures; others are of whoever polls the device, who ends them.
const CALL: &str = "call";
const UPLOAD: &str = "upload";
const CLOCK: &str = "clock";
const PUSH: &str = "push";
const STEPS: [&str; 4] = [CALL, UPLOAD, CLOCK, PUSH];
/// Those that a reading does not mend.
pub(crate) const OF_CALLS: [&str; 3] = [CALL, UPLOAD, PUSH];

/// That of the failure that lasts, if it is ours.
pub(super) fn step_of_ours(step: Option<&str>) -> Option<&'static str> {
    STEPS.into_iter().find(|ours| Some(*ours) == step)
}

impl Callers {
    /// Keeps when devices called.
    pub(super) async fn keep_calls(&self) -> Result<(), StoreError> {
        let mut calls = Vec::new();
        let callers = self.callers();
        for caller in &callers {
            let state = caller.state();
            let is_news = match (state.last, state.kept) {
                (Some(last), Some(kept)) => last.duration_since(kept) >= KEEP_EVERY,
                (last, None) => last.is_some(),
                (None, Some(_)) => false,
            };
            if let Some(last) = state.last.filter(|_| is_news) {
                calls.push((caller.device, last));
            }
        }
        if calls.is_empty() {
            return Ok(());
        }
        let tx = self.0.store.begin_claim().await?;
        tx.keep_calls(&calls).await?;
        tx.commit_quietly().await?;
        for caller in &callers {
            if let Some((_, at)) = calls.iter().find(|(device, _)| *device == caller.device) {
                caller.state().kept = Some(*at);
            }
        }
        Ok(())
    }

    /// Logs what is wrong with devices that call, and that it is not any more.
    pub(super) async fn watch_contact(&self) -> Result<(), StoreError> {
        let (now, began) = (self.0.clock.now(), self.0.began);
        let seems_away = |caller: &Arc<Caller>| {
            let state = caller.state();
            state.trouble != Some(CALL) && caller.is_away(&state, now, began)
        };
        if self.callers().iter().any(seems_away) {
            self.read_known().await?; // it may call another node
        }
        for caller in self.callers() {
            let (found, known, is_open) = {
                let state = caller.state();
                let found = caller.trouble(&state, now, began);
                (found, state.trouble, state.is_open(began))
            };
            let step = found.as_ref().map(|trouble| trouble.step);
            if step == known || step.is_none() && is_open {
                continue; // as it was
            }
            let tx = self.0.store.begin_write().await?;
            match &found {
                Some(trouble) => {
                    if let Some(since) = trouble.away_since {
                        tx.add_gap(caller.device, since, None, GapCause::Contact)
                            .await?;
                    }
                    let outage = tx
                        .record_failure(caller.device, now, trouble.step, &trouble.message)
                        .await?;
                    tx.commit().await?;
                    if outage == Outage::Began {
                        tracing::warn!(
                            device.id = caller.device.0,
                            step = trouble.step,
                            "device {}: {}",
                            caller.name,
                            trouble.message
                        );
                    }
                }
                None => {
                    let ended = tx.end_outage_at(caller.device, &STEPS, now).await?;
                    tx.commit().await?;
                    if let Some(since) = ended {
                        tracing::info!(
                            device.id = caller.device.0,
                            "device {} is back, away since {since}",
                            caller.name
                        );
                    }
                }
            }
            caller.state().trouble = found.map(|trouble| trouble.step);
            self.0.intake.wake();
            self.publish(caller.device);
        }
        Ok(())
    }
}

/// Whether a device that is told to call every so many seconds and last did then should have called by now.
pub fn has_missed_calls(last: Timestamp, delay_secs: i64, now: Timestamp) -> bool {
    now.duration_since(last).as_secs() > delay_secs.max(1).saturating_mul(CALLS_MISSED)
}

impl State {
    /// What was wrong when this process began may be wrong still.
    fn is_open(&self, began: Timestamp) -> bool {
        match self.trouble {
            Some(CALL) => self.last < Some(began),
            Some(CLOCK) => self.clock.is_none(),
            _ => false,
        }
    }
}

struct Trouble {
    step: &'static str,
    message: String,
    /// Since when nothing is known of the device.
    away_since: Option<Timestamp>,
}

impl Caller {
    /// Whether a device that used to call has missed too many calls. Nobody is away for the time in which we were.
    pub(super) fn is_away(&self, state: &State, now: Timestamp, began: Timestamp) -> bool {
        let Some(last) = state.last else {
            return false; // it never called: it waits
        };
        has_missed_calls(last.max(began), state.delay_secs, now)
    }

    fn trouble(&self, state: &State, now: Timestamp, began: Timestamp) -> Option<Trouble> {
        if !self.enabled {
            return None;
        }
        if self.is_away(state, now, began) {
            let message = "it does not call any more: check its power and network, and the server address in its menu";
            return Some(Trouble {
                step: CALL,
                message: message.to_owned(),
                // What is read is covered by its readings.
                away_since: state.last.filter(|_| !(self.has_place && self.polled)),
            });
        }
        if is_a_loop(state.repeated) {
            let message = "it uploads the same over and over: everything in it is stored; restart the terminal, and look whether \
                a proxy changes the answers";
            return Some(Trouble {
                step: UPLOAD,
                message: message.to_owned(),
                away_since: None,
            });
        }
        if let Some(message) = &state.place.failure {
            return Some(Trouble {
                step: PUSH,
                message: format!("it cannot be told to call us: {message}"),
                away_since: None,
            });
        }
        if state.place.tells_nothing {
            let message = "it was told to call us, and its newest punches came by readings only: check that it reaches the address it \
                was told, and that no firewall is in between";
            return Some(Trouble {
                step: PUSH,
                message: message.to_owned(),
                away_since: None,
            });
        }
        let wrong = state.clock.as_ref()?.as_ref().err()?;
        Some(Trouble {
            step: CLOCK,
            message: wrong.clone(),
            away_since: None,
        })
    }
}

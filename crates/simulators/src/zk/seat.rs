//! The places of a terminal's clients: one for each TCP connection and each UDP session.

use std::sync::Arc;

use tokio::time::Instant;

use super::device::Slot;
use super::fault::Fault;
use super::server::Shared;

/// A client's place at the terminal, given up on drop.
pub(super) struct Seat {
    shared: Arc<Shared>,
    number: u64,
    taken: bool,
}

impl Seat {
    /// `None` when the terminal turns the client away.
    pub(super) fn take(shared: &Arc<Shared>) -> Option<Self> {
        let mut device = shared.device();
        device.counts.connections += 1;
        let taken = device.one_connection().is_some()
            && match device.slot {
                Slot::Free => false,
                Slot::HeldBy(_) => true,
                Slot::HeldUntil(end) => Instant::now() < end,
            };
        if taken || device.has(&Fault::Busy) {
            device.counts.turned_away += 1;
            return None;
        }
        device.seats += 1;
        let number = device.seats;
        device.slot = Slot::HeldBy(number);
        device.counts.open += 1;
        Some(Self {
            shared: shared.clone(),
            number,
            taken: true,
        })
    }

    pub(super) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// After EXIT the place is free at once, else the terminal may hold it.
    pub(super) fn leave(&mut self, said_exit: bool) {
        if !std::mem::replace(&mut self.taken, false) {
            return;
        }
        let mut device = self.shared.device();
        device.counts.open -= 1;
        device.listeners.remove(&self.number);
        device.changed.notify_waiters();
        if matches!(device.slot, Slot::HeldBy(number) if number == self.number) {
            device.slot = match device.one_connection() {
                Some(hold) if !said_exit && !hold.is_zero() => {
                    Slot::HeldUntil(Instant::now() + hold)
                }
                _ => Slot::Free,
            };
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.leave(false);
    }
}

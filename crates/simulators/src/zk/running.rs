//! A virtual terminal that runs: what people, the network and tests do to it.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;

use jiff::SignedDuration;
use jiff::civil::DateTime;

use super::counts::Counts;
use super::device::{Device, Keypad};
use super::fault::Fault;
use super::server::Server;
use super::templates::Template;
use super::users::{User, UserId, UserTable};

/// A running terminal. Dropping it closes the port and every connection.
///
/// All methods take effect before they return and may be called from any thread.
pub struct RunningTerminal {
    server: Server,
    serial_number: String,
}

impl RunningTerminal {
    pub(super) fn new(server: Server, serial_number: String) -> Self {
        Self {
            server,
            serial_number,
        }
    }

    /// Where it listens, or listened before it went away: on TCP, unless it talks over UDP alone.
    pub fn addr(&self) -> SocketAddr {
        self.server.addr()
    }

    /// Where it listens on UDP, when it does.
    pub fn udp_addr(&self) -> Option<SocketAddr> {
        self.server.udp_addr()
    }

    /// The serial number it was built with.
    pub fn serial_number(&self) -> &str {
        &self.serial_number
    }

    /// Its wall clock, with what a client may have set.
    pub fn now(&self) -> DateTime {
        self.server.device().now()
    }

    /// Somebody punches: the record is appended to the log, whatever its time. A transfer under way does not show it, and
    /// the sessions that registered for punches get an event.
    /// `false` when the terminal lost the punch, because the log is full or a client has disabled the terminal.
    ///
    /// # Panics
    ///
    /// As [`UserId::new`].
    pub fn punch(
        &self,
        user_id: impl Into<UserId>,
        clock: DateTime,
        state: u8,
        verify: u8,
    ) -> bool {
        let user_id = user_id.into();
        self.server.device().punch(user_id, clock, state, verify)
    }

    /// Sends another event to the sessions that registered for it: `code` is one bit of their mask, `data` what the
    /// document says of it. For example 256 and one byte of quality for a finger.
    pub fn emit(&self, code: u16, data: &[u8]) {
        self.server.device().emit(code, data);
    }

    /// How many sessions are registered for live events.
    pub fn listeners(&self) -> usize {
        self.server.device().listeners.len()
    }

    /// Waits until so many sessions are registered for live events.
    pub async fn wait_for_listeners(&self, count: usize) {
        self.wait_until(|device| device.listeners.len() == count)
            .await;
    }

    /// Waits until so many events are acknowledged, see [`Counts::events_acknowledged`].
    pub async fn wait_for_acknowledgements(&self, count: u64) {
        self.wait_until(|device| device.counts.events_acknowledged >= count)
            .await;
    }

    #[cfg(test)]
    pub(super) fn shares_its_log_with(&self, other: &Self) -> bool {
        let mine = self.server.device().log.body();
        std::sync::Arc::ptr_eq(&mine, &other.server.device().log.body())
    }

    #[cfg(test)]
    pub(super) fn deliveries(&self, count: usize) -> Vec<usize> {
        self.server.device().deliveries(count)
    }

    async fn wait_until(&self, holds: impl Fn(&Device) -> bool) {
        let changed = self.server.device().changed.clone();
        loop {
            // Made before looking, so that no change is missed.
            let next = changed.notified();
            if holds(&self.server.device()) {
                return;
            }
            next.await;
        }
    }

    /// Enrols a user, or replaces the one with the same `uid`.
    pub fn add_user(&self, user: User) {
        self.server.device().users.put(user);
    }

    /// Deletes a user and their fingerprints; their records stay. Whether there was one.
    pub fn remove_user(&self, uid: u16) -> bool {
        self.server.device().remove_user(uid)
    }

    /// The user list as it is now.
    pub fn users(&self) -> UserTable {
        self.server.device().users.clone()
    }

    /// Enrols a finger, or replaces what is known of it.
    pub fn add_template(&self, template: Template) {
        self.server.device().templates.put(template);
    }

    /// The fingerprints as they are now, in the order of users and fingers.
    pub fn templates(&self) -> Vec<Template> {
        self.server.device().templates.all().cloned().collect()
    }

    /// An option as it is now.
    pub fn option(&self, name: &str) -> Option<String> {
        self.server.device().options.get(name).cloned()
    }

    /// What clients wrote on the display, by line, as they sent it.
    pub fn lcd(&self) -> BTreeMap<u16, String> {
        self.server.device().lcd.clone()
    }

    /// The time of each opening of the door, as clients sent it: seconds or tenths, models differ.
    pub fn unlocks(&self) -> Vec<u32> {
        self.server.device().unlocks.clone()
    }

    /// The numbers of the announcements that clients made it speak.
    pub fn announcements(&self) -> Vec<u32> {
        self.server.device().announcements.clone()
    }

    /// What clients added to the clock by setting it.
    pub fn clock_shift(&self) -> SignedDuration {
        self.server.device().clock_shift
    }

    /// Whether a client has disabled it, so that nobody can punch.
    pub fn is_disabled(&self) -> bool {
        self.server.device().is_disabled()
    }

    /// Whether it stays disabled until a client enables it; otherwise it does so itself.
    pub fn is_disabled_for_good(&self) -> bool {
        matches!(self.server.device().keypad, Keypad::Disabled)
    }

    /// Records in the log.
    pub fn record_count(&self) -> usize {
        self.server.device().log.len()
    }

    /// Empties the log, as somebody at the terminal's menu would.
    pub fn clear_log(&self) {
        self.server.device().clear_log();
    }

    /// Adds a fault; one of the same kind is replaced. Takes effect before it returns, on open connections too.
    pub fn set_fault(&self, fault: Fault) {
        self.server.device().set_fault(fault);
        self.server.settle_ports();
    }

    /// Removes all faults. Connections that a fault has silenced for good stay silent.
    pub fn clear_faults(&self) {
        self.server.device().clear_faults();
        self.server.settle_ports();
    }

    /// Switches the terminal off: the port closes, open connections end. Users, log and faults stay. The port number
    /// stays reserved for [`go_online`](Self::go_online).
    pub fn go_offline(&self) {
        self.server.device().online = false;
        self.server.settle_ports();
    }

    /// Switches it on again, on the same port.
    pub fn go_online(&self) {
        self.server.device().online = true;
        self.server.settle_ports();
    }

    /// Switches it off and on, as command 1004 does: connections end, and it is back after its restart time.
    pub fn restart(&self) {
        self.server.restart();
    }

    /// What it was asked so far.
    pub fn counts(&self) -> Counts {
        self.server.device().counts.clone()
    }

    /// Starts counting anew; connections that are open stay counted as open.
    pub fn reset_counts(&self) {
        let mut device = self.server.device();
        device.counts = Counts {
            open: device.counts.open,
            ..Counts::default()
        };
    }

    /// Ends it; the same as dropping it.
    pub fn shutdown(self) {}
}

impl fmt::Debug for RunningTerminal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RunningTerminal")
            .field("serial_number", &self.serial_number)
            .field("addr", &self.addr())
            .finish_non_exhaustive()
    }
}

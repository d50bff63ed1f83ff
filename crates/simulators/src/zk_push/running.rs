//! A virtual terminal that runs: what people, the network and tests do to it.

use std::fmt;
use std::sync::{Arc, PoisonError};

use jiff::SignedDuration;
use jiff::civil::DateTime;
use tokio::task::JoinHandle;

use super::conversation::Shared;
use super::device::{About, Counts, Device, Executed};
use super::fault::Fault;
use super::log::{Logged, Punch};
use super::profile::Profile;
use super::server::Server;
use super::users::User;

/// A running terminal. Dropping it ends it, in the middle of a request if need be.
///
/// All methods may be called from any thread. What they change is so before they return; what the terminal makes of it
/// comes after.
pub struct RunningTerminal {
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

impl RunningTerminal {
    pub(super) fn new(shared: Arc<Shared>, task: JoinHandle<()>) -> Self {
        Self { shared, task }
    }

    fn change<T>(&self, change: impl FnOnce(&mut Device) -> T) -> T {
        let changed = change(&mut self.shared.device());
        self.shared.changed.notify_waiters();
        self.shared.wake.notify_one();
        changed
    }

    /// The serial number it was built with.
    pub fn serial_number(&self) -> String {
        self.shared.device().config.serial.clone()
    }

    /// Its generation.
    pub fn profile(&self) -> Profile {
        self.shared.device().profile()
    }

    /// Its wall clock, with what faults and the server made of it.
    pub fn now(&self) -> DateTime {
        self.shared.device().now()
    }

    /// Moves its clock by so much, as somebody at the menu would.
    pub fn shift_clock(&self, by: SignedDuration) {
        self.change(|device| device.clock_shift = device.clock_shift.saturating_add(by));
    }

    /// Somebody punches now, by the terminal's clock.
    pub fn punch(&self, pin: impl Into<String>, status: u8, verify: u8) -> Punch {
        let punch = Punch::new(pin, self.now(), status, verify);
        self.log_punch(punch.clone());
        punch
    }

    /// Adds a punch, whatever its time. While the terminal is online, access-control terminals tell it as a live event.
    pub fn log_punch(&self, punch: Punch) {
        self.change(|device| {
            let live = device.online;
            device.log(punch, live);
        });
    }

    /// Enrols or changes a user at the menu: an operation, and the lines of the user.
    pub fn add_user(&self, user: User) {
        self.change(|device| {
            let is_new = !device.users.iter().any(|known| known.pin == user.pin);
            let code = if is_new { 30 } else { 36 };
            device.operation(code, "0", [&user.pin, "0", "0", "0"]);
            device.put_user(user.clone());
            device.report_user(&user);
        });
    }

    /// Deletes a user at the menu; whether there was one.
    pub fn remove_user(&self, pin: &str) -> bool {
        self.change(|device| {
            let found = device.remove_user(pin);
            if found {
                device.operation(9, "0", [pin, "0", "0", "0"]);
            }
            found
        })
    }

    /// The user list as it is now.
    pub fn users(&self) -> Vec<User> {
        self.shared.device().users.clone()
    }

    /// The lines of everybody on the list wait to be uploaded.
    pub fn report_users(&self) {
        self.change(|device| {
            for user in device.users.clone() {
                device.report_user(&user);
            }
        });
    }

    /// Something done at the menu: its code, who did it, and four values. Not of access-control terminals.
    pub fn operation(&self, code: u8, operator: &str, objects: [&str; 4]) {
        self.change(|device| device.operation(code, operator, objects));
    }

    /// A line of any other table waits to be uploaded: `BIODATA`, `ERRORLOG`, `IDCARD`; of access-control terminals
    /// `rtstate` and the tables of `tabledata`.
    pub fn queue(&self, table: &str, line: impl AsRef<[u8]>) {
        let line = line.as_ref().to_vec();
        self.change(|device| device.queue(table, line, About::Anything));
    }

    /// A photo waits to be uploaded; `name` is for example `20261122103012-123.jpg`.
    pub fn photo(&self, name: &str, jpeg: &[u8]) {
        self.change(|device| {
            let (serial, size) = (device.serial(), jpeg.len());
            let head = format!("PIN={name}\nSN={serial}\nsize={size}\nCMD=uploadphoto\0");
            let body = [head.as_bytes(), jpeg].concat();
            device.queue("ATTPHOTO", body, About::Anything);
        });
    }

    /// Pulls the network cable: what is under way is cut off.
    pub fn go_offline(&self) {
        self.change(|device| device.online = false);
        self.shared.cut.notify_waiters();
    }

    /// Puts it back.
    pub fn go_online(&self) {
        self.change(|device| device.online = true);
    }

    /// Switches it off and on, as soon as what is under way has ended.
    pub fn reboot(&self) {
        self.change(|device| device.wants_restart = true);
    }

    /// People, log and all that waits are gone, and it restarts. Parameters and clock stay.
    pub fn restore_to_factory(&self) {
        self.change(|device| {
            device.factory_reset();
            device.operation(22, "0", ["0", "0", "0", "0"]);
            device.wants_restart = true;
        });
    }

    /// Empties the log, as somebody at the menu would.
    pub fn clear_log(&self) {
        self.change(|device| {
            device.clear_log();
            device.operation(23, "0", ["0", "0", "0", "0"]);
        });
    }

    /// Types another server's address at the menu; the terminal goes there with its next request.
    pub fn set_server(&self, server: impl Into<Server>) {
        let known = self.shared.server.lock();
        *known.unwrap_or_else(PoisonError::into_inner) = server.into();
        self.shared.wake.notify_one();
    }

    /// Adds a fault; one of the same kind is replaced. Takes effect with the next request.
    pub fn set_fault(&self, fault: Fault) {
        self.change(|device| device.set_fault(fault));
    }

    /// Removes all faults. A clock stays where they have put it.
    pub fn clear_faults(&self) {
        self.change(|device| device.faults.clear());
    }

    /// The log as it is now, oldest first.
    pub fn log(&self) -> Vec<Logged> {
        self.shared.device().logged().to_vec()
    }

    /// Every punch of which the server ever said that it has it, also what was cleared since, in the order of the log.
    pub fn acknowledged(&self) -> Vec<Punch> {
        let device = self.shared.device();
        let acknowledged = device
            .ever_logged()
            .iter()
            .filter(|logged| logged.acknowledged);
        acknowledged.map(|logged| logged.punch.clone()).collect()
    }

    /// The commands it carried out, in order.
    pub fn executed(&self) -> Vec<Executed> {
        self.shared.device().executed.clone()
    }

    /// A parameter as it is now, by its name without `~`.
    pub fn option(&self, name: &str) -> Option<String> {
        super::commands::parameter(&self.shared.device(), name)
    }

    /// How often the server had it open the door.
    pub fn unlocks(&self) -> u64 {
        self.shared.device().unlocks
    }

    /// Who may open the door of an access-control terminal.
    pub fn authorized(&self) -> Vec<String> {
        self.shared.device().authorized.iter().cloned().collect()
    }

    /// What it asked and was asked so far.
    pub fn counts(&self) -> Counts {
        self.shared.device().counts.clone()
    }

    /// Waits until so many punches are acknowledged, each counted once.
    pub async fn until_acknowledged(&self, punches: usize) {
        self.until(|device| device.acknowledged >= punches).await;
    }

    /// Waits until so many commands are carried out and their results reported.
    pub async fn until_reported(&self, commands: usize) {
        self.until(|device| {
            let reported = device.executed.iter().filter(|command| command.reported);
            reported.count() >= commands
        })
        .await;
    }

    /// Waits until the counts are so.
    pub async fn until_counts(&self, holds: impl Fn(&Counts) -> bool) {
        self.until(|device| holds(&device.counts)).await;
    }

    /// Waits until so many polls were answered.
    pub async fn until_polls(&self, polls: u64) {
        self.until(|device| device.counts.polls >= polls).await;
    }

    async fn until(&self, holds: impl Fn(&Device) -> bool) {
        loop {
            // Made before looking, so that no change is missed.
            let next = self.shared.changed.notified();
            if holds(&self.shared.device()) {
                return;
            }
            next.await;
        }
    }

    #[cfg(test)]
    pub(super) fn put_user(&self, user: User) {
        self.change(|device| {
            device.put_user(user.clone());
            device.report_user(&user);
        });
    }
}

impl Drop for RunningTerminal {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl fmt::Debug for RunningTerminal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RunningTerminal")
            .field("serial_number", &self.serial_number())
            .finish_non_exhaustive()
    }
}

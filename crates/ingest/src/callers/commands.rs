//! What terminals that call are told to do: given by people or by ourselves, fetched by the device, closed by its own result.

use std::fmt;
use std::sync::Arc;

use attendance::{AccountId, DeviceId};
use jiff::civil::DateTime;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use store::calls::Told;
use store::commands::{Ended, NewCommand, PERSON};
use store::entities::device_commands;
use store::secrets::Secret;
use store::{Author, StoreError};

use super::{Caller, Callers};
use crate::Change;

/// The purpose of what is ordered to know whether everything a device holds is kept.
pub(super) const CHECK: &str = "check";
/// The purpose of asking for users.
pub(super) const LIST: &str = "list";
/// The purpose of what has to be known before a log is cleared.
pub(super) const BEFORE_CLEARING: &str = "before clearing";

/// A command without its result is given again after so long, or given up.
const ANSWERED_WITHIN: SignedDuration = SignedDuration::from_mins(5);
/// Handed out at once.
const AT_ONCE: usize = 50;
/// How often it is looked whether a device recorded something while its log was about to be cleared.
const CLEAR_TRIES: u32 = 5;

/// What a device is to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "order", rename_all = "snake_case")]
pub enum Order {
    /// `None` leaves what is there; a password travels beside it, see [`Handed::secret`].
    SetUser {
        user: String,
        name: Option<String>,
        /// In the words of [`terminals::Privilege`].
        privilege: Option<String>,
        /// 0 takes it away.
        card: Option<u32>,
        sets_password: bool,
    },
    DeleteUser {
        user: String,
    },
    /// Uploads its users.
    ListUsers,
    /// Uploads what it recorded between these wall times.
    ReadLog {
        from: DateTime,
        to: DateTime,
    },
    /// Says how much it recorded between these wall times.
    CountLog {
        from: DateTime,
        to: DateTime,
    },
    /// Takes the time from us.
    SetClock,
    SetOption {
        key: String,
        value: String,
    },
    /// Tells who it is and how many records it holds.
    TellState,
    /// Reads again how it is to upload.
    Recheck,
    /// Uploads what it has not uploaded yet.
    UploadNew,
    Restart,
    Unlock {
        seconds: u32,
    },
    /// Deletes all records, once each is known to be kept.
    ClearLog {
        /// How often that was looked at.
        #[serde(default)]
        tries: u32,
    },
}

impl Order {
    /// Doing it twice is as doing it once.
    fn is_repeatable(&self) -> bool {
        !matches!(
            self,
            Self::Restart | Self::Unlock { .. } | Self::ClearLog { .. }
        )
    }

    /// The name in the audit.
    fn action(&self) -> &'static str {
        match self {
            Self::SetUser { .. } => "device.user.set",
            Self::DeleteUser { .. } => "device.user.delete",
            Self::ListUsers => "device.users.read",
            Self::ReadLog { .. } => "device.log.read",
            Self::CountLog { .. } => "device.log.count",
            Self::SetClock => "device.clock.set",
            Self::SetOption { .. } => "device.option.set",
            Self::TellState => "device.state",
            Self::Recheck => "device.recheck",
            Self::UploadNew => "device.upload",
            Self::Restart => "device.restart",
            Self::Unlock { .. } => "device.unlock",
            Self::ClearLog { .. } => "device.log.clear",
        }
    }

    fn to_json(&self) -> String {
        serde_json::to_string(self).expect("texts and numbers always serialise")
    }

    /// What was stored; `None` for what another version wrote.
    pub fn of(command: &device_commands::Model) -> Option<Self> {
        serde_json::from_str(&command.what).ok()
    }
}

/// An order on its way to its device.
#[derive(Clone)]
pub struct Handed {
    /// By which the device answers.
    pub id: i64,
    pub order: Order,
    pub secret: Option<Secret>,
}

impl fmt::Debug for Handed {
    /// Without the secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handed")
            .field("id", &self.id)
            .field("order", &self.order)
            .finish_non_exhaustive()
    }
}

/// A device's own result of an order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    pub id: i64,
    pub succeeded: bool,
    /// As the device says it.
    pub code: i64,
    /// What that means, for people.
    pub text: String,
    /// It knows no such command.
    pub unsupported: bool,
    /// For [`Order::CountLog`].
    pub counted: Option<u64>,
    /// For [`Order::TellState`].
    pub told: Option<Told>,
}

impl Callers {
    /// Gives a device an order of a person's; it fetches it when it calls next. Returns by which number it is known.
    ///
    /// # Errors
    /// When the database refuses, or has no key for a secret.
    pub async fn order(
        &self,
        device: DeviceId,
        order: &Order,
        secret: Option<Secret>,
        by: Option<AccountId>,
    ) -> Result<i64, StoreError> {
        let inner = &*self.0;
        let author = Author {
            account: by,
            at: inner.clock.now(),
        };
        let row = inner.store.device(device).await?;
        let serial = row.map(|row| row.serial_number).unwrap_or_default();
        let tx = inner.store.begin_write().await?;
        let clears = matches!(order, Order::ClearLog { .. });
        if clears {
            // Nothing is cleared that is not here: first everything is uploaded, and then counted.
            let everything = Order::ReadLog {
                from: DateTime::constant(2000, 1, 1, 0, 0, 0, 0),
                to: DateTime::constant(2099, 12, 31, 23, 59, 59, 0),
            };
            for first in [everything, Order::TellState] {
                let what = first.to_json();
                tx.give_command(&command(device, &what, BEFORE_CLEARING, &first), author)
                    .await?;
            }
        }
        let what = order.to_json();
        let mut new = command(device, &what, PERSON, order);
        new.secret = secret;
        new.held_back = clears;
        let given = tx.give_command(&new, author).await?;
        let detail: serde_json::Value = serde_json::from_str(&what).unwrap_or_default();
        tx.audit(author, order.action(), &serial, detail).await?;
        tx.commit().await?;
        self.has_commands(device);
        self.publish(device);
        Ok(given.id)
    }

    /// Takes back an order that the device has not fetched; `false` when it has.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn withdraw(
        &self,
        device: DeviceId,
        id: i64,
        by: Option<AccountId>,
    ) -> Result<bool, StoreError> {
        let inner = &*self.0;
        let author = Author {
            account: by,
            at: inner.clock.now(),
        };
        let row = inner.store.device(device).await?;
        let serial = row.map(|row| row.serial_number).unwrap_or_default();
        let tx = inner.store.begin_write().await?;
        if !tx.withdraw_command(device, id, author.at).await? {
            tx.rollback().await?;
            return Ok(false);
        }
        let detail = serde_json::json!({ "command": id });
        tx.audit(author, "device.command.withdraw", &serial, detail)
            .await?;
        tx.commit().await?;
        self.publish(device);
        Ok(true)
    }

    /// The orders a device fetches now, in their order. Costs nothing while there are none.
    ///
    /// # Errors
    /// When the database refuses; the device asks again.
    pub async fn hand_out(&self, caller: &Caller) -> Result<Vec<Handed>, StoreError> {
        let inner = &*self.0;
        let alone = {
            let mut state = caller.state();
            if !std::mem::take(&mut state.has_commands) {
                return Ok(Vec::new());
            }
            state.one_by_one
        };
        let handed = self.hand_out_due(caller, alone).await;
        if handed.is_err() {
            caller.state().has_commands = true;
        }
        let handed = handed?;
        if !alone && !handed.is_empty() {
            caller.state().has_commands = true; // more may wait
        }
        let mut orders = Vec::with_capacity(handed.len());
        for command in &handed {
            let secret = inner.store.command_secret(command)?;
            let Some(order) = Order::of(command) else {
                self.fail(caller, command.id, "another version of Muster gave it")
                    .await?;
                continue;
            };
            orders.push(Handed {
                id: command.id,
                order,
                secret,
            });
        }
        Ok(orders)
    }

    async fn hand_out_due(
        &self,
        caller: &Caller,
        alone: bool,
    ) -> Result<Vec<device_commands::Model>, StoreError> {
        let at = self.0.clock.now();
        let tx = self.0.store.begin_write().await?;
        // What stands behind a restart is lost with it.
        let restarts = |row: &device_commands::Model| Order::of(row) == Some(Order::Restart);
        let again = at - ANSWERED_WITHIN;
        let due = tx
            .hand_out_commands(caller.device, at, again, AT_ONCE, alone, restarts)
            .await?;
        tx.commit_quietly().await?;
        Ok(due)
    }

    /// An order cannot be put into the words of this device.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn fail(&self, caller: &Caller, id: i64, why: &str) -> Result<(), StoreError> {
        let at = self.0.clock.now();
        let tx = self.0.store.begin_write().await?;
        tx.end_command(caller.device, id, Ended::Failed, None, why, at)
            .await?;
        tx.commit().await?;
        self.publish(caller.device);
        Ok(())
    }

    /// Keeps a device's result of an order that was given to it; `false` for any other number.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn answered(
        &self,
        caller: &Arc<Caller>,
        answer: &Answer,
    ) -> Result<bool, StoreError> {
        let at = self.0.clock.now();
        let ended = match answer.succeeded {
            true => Ended::Done,
            false => Ended::Failed,
        };
        let tx = self.0.store.begin_write().await?;
        let code = Some(answer.code);
        let closed = tx
            .end_command(caller.device, answer.id, ended, code, &answer.text, at)
            .await?;
        let Some(command) = closed else {
            tx.rollback().await?;
            return Ok(false);
        };
        if let Some(told) = &answer.told {
            tx.keep_told(caller.device, told, at).await?;
        }
        let order = Order::of(&command);
        if let (Some(Order::DeleteUser { user }), true) = (&order, answer.succeeded) {
            let left = tx.forget_users(caller.device, &[user], at).await?;
            let from = |since: Timestamp| caller.clock_at(since).date();
            let spans: Vec<_> = left
                .into_iter()
                .map(|(employee, since)| (employee, from(since), jiff::civil::Date::MAX))
                .collect();
            tx.mark_report_spans(&spans, "user list").await?;
        }
        tx.commit().await?;
        caller.state().has_commands = true; // there may be more
        let sent = command.sent_ms.map_or(at, store::times::instant);
        if let Some(order) = order {
            self.conclude(caller, &command.purpose, order, answer, sent)
                .await?;
        }
        self.publish(caller.device);
        Ok(true)
    }

    /// What follows from a result.
    async fn conclude(
        &self,
        caller: &Arc<Caller>,
        purpose: &str,
        order: Order,
        answer: &Answer,
        sent: Timestamp,
    ) -> Result<(), StoreError> {
        if purpose == BEFORE_CLEARING {
            return self.before_clearing(caller, &order, answer).await;
        }
        match order {
            Order::CountLog { from, to } => self.counted(caller, from, to, answer, sent).await,
            Order::ReadLog { from, .. } => self.read_back(caller, from, answer, sent).await,
            Order::TellState => match answer.told.as_ref().and_then(|told| told.records) {
                Some(records) => self.count_told(caller, records, sent).await,
                None => {
                    // Some tell it in an upload of its own, before the result.
                    let (told, records) = {
                        let state = caller.state();
                        (state.told, state.records_now())
                    };
                    match (told >= Some(sent), records) {
                        (false, _) => self.count_since_covered(caller).await,
                        (true, Some(records)) => self.compare(caller, records, sent).await,
                        (true, None) => Ok(()),
                    }
                }
            },
            _ => Ok(()),
        }
    }

    /// Everything in the log was uploaded and stored, and then counted without another upload in between: it may be cleared.
    async fn before_clearing(
        &self,
        caller: &Arc<Caller>,
        order: &Order,
        answer: &Answer,
    ) -> Result<(), StoreError> {
        let Some((id, tries)) = self.clearing(caller).await? else {
            return Ok(());
        };
        let records = answer.told.as_ref().and_then(|told| told.records);
        let why = match order {
            Order::ReadLog { .. } if answer.succeeded => {
                let mut state = caller.state();
                state.read_back = Some(state.uploads);
                return Ok(());
            }
            Order::ReadLog { .. } => {
                "it was not cleared: the terminal does not upload its whole log when it is asked"
            }
            _ if records.is_none() => {
                "it was not cleared: the terminal does not say how many records it holds"
            }
            _ => {
                let (read_back, uploads, owes) = {
                    let state = caller.state();
                    (state.read_back, state.uploads, state.owes)
                };
                match read_back {
                    Some(before) if before == uploads && !owes => {
                        return self.let_clear(caller, id).await;
                    }
                    Some(_) if tries < CLEAR_TRIES => {
                        caller.state().read_back = Some(uploads);
                        return self.count_again(caller, id, tries).await;
                    }
                    _ => "it was not cleared: somebody punched whenever it was about to be",
                }
            }
        };
        self.fail(caller, id, why).await
    }

    async fn let_clear(&self, caller: &Caller, id: i64) -> Result<(), StoreError> {
        let tx = self.0.store.begin_write().await?;
        tx.let_command_go(id).await?;
        // What is kept of it stays, so its count means something else from now on.
        tx.keep_surplus(caller.device, None).await?;
        tx.commit().await?;
        let mut state = caller.state();
        state.read_back = None;
        state.surplus = None;
        state.has_commands = true;
        Ok(())
    }

    /// The open order to clear a log, and how often it was tried.
    async fn clearing(&self, caller: &Caller) -> Result<Option<(i64, u32)>, StoreError> {
        let commands = self.0.store.commands_of(caller.device, 1000).await?;
        let open = commands.iter().filter(|row| row.ended_ms.is_none());
        let mut clearing = open.filter_map(|row| match Order::of(row)? {
            Order::ClearLog { tries } => Some((row.id, tries)),
            _ => None,
        });
        Ok(clearing.next())
    }

    async fn count_again(&self, caller: &Caller, id: i64, tries: u32) -> Result<(), StoreError> {
        let author = Author {
            account: None,
            at: self.0.clock.now(),
        };
        let tx = self.0.store.begin_write().await?;
        let again = Order::ClearLog { tries: tries + 1 };
        tx.change_command(id, &again.to_json()).await?;
        let what = Order::TellState.to_json();
        let tell = command(caller.device, &what, BEFORE_CLEARING, &Order::TellState);
        tx.give_command(&tell, author).await?;
        tx.commit().await?;
        caller.state().has_commands = true;
        Ok(())
    }

    /// Gives orders by which to know what a device holds.
    pub(super) async fn order_ourselves(
        &self,
        caller: &Caller,
        orders: &[Order],
    ) -> Result<(), StoreError> {
        self.order_for(caller, CHECK, orders).await
    }

    /// Gives orders of our own.
    pub(super) async fn order_for(
        &self,
        caller: &Caller,
        purpose: &str,
        orders: &[Order],
    ) -> Result<(), StoreError> {
        let author = Author {
            account: None,
            at: self.0.clock.now(),
        };
        let tx = self.0.store.begin_write().await?;
        for order in orders {
            let what = order.to_json();
            tx.give_command(&command(caller.device, &what, purpose, order), author)
                .await?;
        }
        tx.commit_quietly().await?;
        caller.state().has_commands = true;
        Ok(())
    }

    /// Ends orders that were fetched and never answered, and has others given again.
    pub(super) async fn look_after_commands(&self) -> Result<(), StoreError> {
        let at = self.0.clock.now();
        let since = at - ANSWERED_WITHIN;
        let unanswered = self.0.store.unanswered_commands(since).await?;
        let callers = self.callers();
        let concerned = callers
            .iter()
            .filter(|caller| unanswered.contains_key(&caller.device));
        let concerned: Vec<_> = concerned.collect();
        for caller in &concerned {
            caller.state().has_commands = true;
        }
        let loses = |caller: &&&Arc<Caller>| !caller.state().one_by_one;
        let losing: Vec<_> = concerned.iter().filter(loses).collect();
        if losing.is_empty() && !unanswered.values().any(|give_up| *give_up) {
            return Ok(());
        }
        let tx = self.0.store.begin_write().await?;
        let ended = tx.give_up_commands(since, at).await?;
        for caller in &losing {
            // One that loses what it is given together is given less.
            tx.give_one_by_one(caller.device).await?;
        }
        tx.commit().await?;
        for caller in losing {
            caller.state().one_by_one = true;
        }
        for caller in concerned {
            let of_it = ended.iter().filter(|row| row.device_id == caller.device.0);
            for command in of_it {
                self.conclude_unanswered(caller, command).await?;
            }
            self.publish(caller.device);
        }
        Ok(())
    }

    async fn conclude_unanswered(
        &self,
        caller: &Arc<Caller>,
        command: &device_commands::Model,
    ) -> Result<(), StoreError> {
        let Some(order) = Order::of(command) else {
            return Ok(());
        };
        let nothing = Answer {
            id: command.id,
            unsupported: true,
            ..Answer::default()
        };
        let sent = command
            .sent_ms
            .map_or(self.0.clock.now(), store::times::instant);
        self.conclude(caller, &command.purpose, order, &nothing, sent)
            .await
    }

    fn has_commands(&self, device: DeviceId) {
        let of_it = self.callers();
        for caller in of_it.iter().filter(|caller| caller.device == device) {
            caller.state().has_commands = true;
        }
    }

    pub(super) fn publish(&self, device: DeviceId) {
        self.0.changes.publish(Change {
            devices: vec![device],
            ..Change::default()
        });
    }
}

fn command<'a>(device: DeviceId, what: &'a str, purpose: &'a str, order: &Order) -> NewCommand<'a> {
    NewCommand {
        device,
        what,
        purpose,
        secret: None,
        repeatable: order.is_repeatable(),
        held_back: false,
    }
}

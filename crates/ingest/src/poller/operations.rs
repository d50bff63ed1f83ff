//! What people have a terminal do: on a connection of its own, confirmed by what is read back, and audited whatever came of it.

use std::fmt;
use std::time::Duration;

use attendance::{AccountId, DeviceId, DeviceUserId, Way};
use store::entities::devices;
use store::fingerprints::FingerprintBackup;
use store::{Author, StoreError};
use terminals::{
    Deadline, DoorUnit, Limit, ReadPosition, Reading, Terminal, TerminalError, UserChange,
    UserDetails, WriteError, Written,
};

use super::fingerprints::read_backups;
use super::taken::to_the_end;
use super::{PollFailure, Poller};
use crate::Batch;

/// How often a log is read again because somebody punched before it could be cleared.
const CLEAR_TRIES: usize = 3;

/// What a terminal is to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operation {
    SetUser(UserChange),
    DeleteUser(DeviceUserId),
    SetFace(DeviceUserId, Picture),
    DeleteFace(DeviceUserId),
    /// Deletes all records of the log, once each is known to be in the database.
    ClearLog,
    Restart,
    /// For so long, where the terminal does not decide that itself.
    Unlock(Option<Duration>),
    Voice(u32),
    Show {
        line: u16,
        text: String,
    },
    ClearScreen,
    /// Keeps the fingerprints of one user, or of everybody who has any, here.
    BackupFingerprints {
        user: Option<DeviceUserId>,
    },
    /// Writes what was backed up at another terminal, together with the user.
    CopyFingerprints {
        user: DeviceUserId,
        from: DeviceId,
    },
}

/// A face on its way to a terminal; it is kept nowhere.
#[derive(Clone, PartialEq, Eq)]
pub struct Picture(pub Vec<u8>);

impl fmt::Debug for Picture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Picture({} bytes)", self.0.len())
    }
}

/// What was done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Done {
    /// The terminal says so, and nothing can be read back.
    Said,
    User(Written),
    UserDeleted(UserDetails),
    FaceSet(UserDetails),
    FaceDeleted(UserDetails),
    LogCleared {
        /// So many records were in it, and are stored here.
        records: u32,
        /// Recorded since.
        left: u32,
    },
    FingerprintsKept {
        users: usize,
        fingers: usize,
    },
    FingerprintsCopied {
        written: Written,
        fingers: usize,
    },
}

impl Operation {
    /// The name in the audit.
    fn action(&self) -> &'static str {
        match self {
            Self::SetUser(_) => "device.user.set",
            Self::DeleteUser(_) => "device.user.delete",
            Self::SetFace(..) => "device.face.set",
            Self::DeleteFace(_) => "device.face.delete",
            Self::ClearLog => "device.log.clear",
            Self::Restart => "device.restart",
            Self::Unlock(_) => "device.unlock",
            Self::Voice(_) => "device.voice",
            Self::Show { .. } => "device.show",
            Self::ClearScreen => "device.screen.clear",
            Self::BackupFingerprints { .. } => "device.fingerprints.backup",
            Self::CopyFingerprints { .. } => "device.fingerprints.copy",
        }
    }

    /// What is asked, without secrets.
    fn detail(&self) -> serde_json::Value {
        match self {
            Self::SetUser(change) => serde_json::json!({
                "user": change.id.as_str(),
                "name": change.name,
                "privilege": change.privilege.map(|privilege| privilege.as_str()),
                "cards": change.cards,
                "password": change.password.as_ref().map(|_| "set"),
                "valid_from": change.valid_from.map(limit_text),
                "valid_until": change.valid_until.map(limit_text),
            }),
            Self::DeleteUser(id) | Self::DeleteFace(id) => {
                serde_json::json!({ "user": id.as_str() })
            }
            Self::SetFace(id, picture) => {
                serde_json::json!({ "user": id.as_str(), "bytes": picture.0.len() })
            }
            Self::Unlock(open) => {
                serde_json::json!({ "seconds": open.map(|open| open.as_secs()) })
            }
            Self::Voice(index) => serde_json::json!({ "voice": index }),
            Self::Show { line, text } => serde_json::json!({ "line": line, "text": text }),
            Self::BackupFingerprints { user } => {
                serde_json::json!({ "user": user.as_ref().map(DeviceUserId::as_str) })
            }
            Self::CopyFingerprints { user, .. } => serde_json::json!({ "user": user.as_str() }),
            Self::ClearLog | Self::Restart | Self::ClearScreen => serde_json::json!({}),
        }
    }
}

fn limit_text(limit: Limit) -> String {
    match limit {
        Limit::At(at) => at.to_string(),
        Limit::Never => "never".to_owned(),
    }
}

/// Why an operation was not done.
pub(super) enum Undone {
    Terminal(TerminalError),
    /// On our side.
    Failed(PollFailure),
    Store(StoreError),
}

impl From<TerminalError> for Undone {
    fn from(error: TerminalError) -> Self {
        Self::Terminal(error)
    }
}

impl From<StoreError> for Undone {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl Poller {
    /// Has a terminal do something. Who reads or listens to it steps aside meanwhile, and reads it again afterwards. Goes on
    /// when nobody waits for the answer any more.
    ///
    /// # Errors
    /// A [`PollFailure`] says why it was not done, or, with the reason `write_unsure`, that nobody can tell.
    pub async fn operate(
        &self,
        device: DeviceId,
        operation: Operation,
        by: Option<AccountId>,
    ) -> Result<Result<Done, PollFailure>, StoreError> {
        let poller = self.clone();
        to_the_end(async move { poller.operate_now(device, operation, by).await }).await
    }

    async fn operate_now(
        &self,
        device: DeviceId,
        operation: Operation,
        by: Option<AccountId>,
    ) -> Result<Result<Done, PollFailure>, StoreError> {
        let row = self.row(device).await?;
        if let Err(failure) = self.allows_fingerprints(&operation, &row) {
            return Ok(Err(failure));
        }
        let work = self.operate_taken(&row, &operation, by);
        self.while_taken(device, work).await
    }

    async fn operate_taken(
        &self,
        row: &devices::Model,
        operation: &Operation,
        by: Option<AccountId>,
    ) -> Result<Result<Done, PollFailure>, StoreError> {
        let mut backups = Vec::new();
        let done = match self.perform(row, operation, &mut backups).await {
            Ok(done) => Ok(done),
            Err(Undone::Store(error)) => return Err(error),
            Err(Undone::Failed(failure)) => Err(failure),
            Err(Undone::Terminal(error)) => {
                self.keep_refusal(row, &error).await?;
                Err(PollFailure::of(&error))
            }
        };
        let author = Author {
            account: by,
            at: self.0.clock.now(),
        };
        let mut detail = operation.detail();
        detail["failed"] = match &done {
            Ok(_) => serde_json::Value::Null,
            Err(failure) => failure.message.as_str().into(),
        };
        self.tell_of_fingerprints(operation, &done, &mut detail)
            .await?;
        let tx = self.0.store.begin_write().await?;
        self.keep_backups(&tx, DeviceId(row.id), &backups, author)
            .await?;
        tx.audit(author, operation.action(), &row.serial_number, detail)
            .await?;
        tx.commit().await?;
        Ok(done)
    }

    /// What is to be kept of it goes into `backups`.
    async fn perform(
        &self,
        row: &devices::Model,
        operation: &Operation,
        backups: &mut Vec<FingerprintBackup>,
    ) -> Result<Done, Undone> {
        let target = self.target(row).map_err(Undone::Failed)?;
        let deadline = Deadline::after(self.0.options.deadline);
        let mut terminal = self.connect(row, &target, deadline).await??;
        if *operation == Operation::Restart {
            terminal.restart().await?;
            return Ok(Done::Said);
        }
        let done = self
            .perform_on(&mut terminal, row, operation, backups)
            .await;
        terminal.close().await;
        done
    }

    async fn perform_on(
        &self,
        terminal: &mut Terminal,
        row: &devices::Model,
        operation: &Operation,
        backups: &mut Vec<FingerprintBackup>,
    ) -> Result<Done, Undone> {
        let device = DeviceId(row.id);
        match operation {
            Operation::SetUser(change) => {
                let written = terminal.set_user(change).await?;
                self.keep_users(terminal, device).await?;
                Ok(Done::User(written))
            }
            Operation::DeleteUser(id) => {
                let deleted = terminal.delete_user(id).await?;
                self.keep_users(terminal, device).await?;
                Ok(Done::UserDeleted(deleted))
            }
            Operation::SetFace(id, picture) => {
                let user = terminal.set_face(id, &picture.0).await?;
                Ok(Done::FaceSet(user))
            }
            Operation::DeleteFace(id) => {
                let user = terminal.delete_face(id).await?;
                Ok(Done::FaceDeleted(user))
            }
            Operation::ClearLog => self.clear_log(terminal, device).await,
            Operation::Unlock(open) => {
                terminal.unlock(*open, DoorUnit::default()).await?;
                Ok(Done::Said)
            }
            Operation::Voice(index) => {
                terminal.voice(*index).await?;
                Ok(Done::Said)
            }
            Operation::Show { line, text } => {
                terminal.show(*line, text).await?;
                Ok(Done::Said)
            }
            Operation::ClearScreen => {
                terminal.clear_screen().await?;
                Ok(Done::Said)
            }
            Operation::BackupFingerprints { user } => {
                *backups = read_backups(terminal, user.as_ref()).await?;
                Ok(Done::FingerprintsKept {
                    users: backups.len(),
                    fingers: backups.iter().map(|backup| backup.fingers.len()).sum(),
                })
            }
            Operation::CopyFingerprints { user, from } => {
                let done = self.copy_backup(terminal, row, user, *from).await?;
                self.keep_users(terminal, device).await?;
                Ok(done)
            }
            Operation::Restart => unreachable!("it ends the connection"),
        }
    }

    /// The list as it is now: a reading would not notice that somebody has another name.
    async fn keep_users(&self, terminal: &mut Terminal, device: DeviceId) -> Result<(), Undone> {
        let users = terminal.users().await?;
        let batch = Batch {
            users: Some(users),
            ..Batch::new(device, Way::Poll, Vec::new())
        };
        self.0.intake.accept(&batch).await?;
        Ok(())
    }

    /// Reads the whole log, stores it, looks in the database for each of its records, and only then clears it; again from the
    /// start when somebody punched meanwhile.
    async fn clear_log(&self, terminal: &mut Terminal, device: DeviceId) -> Result<Done, Undone> {
        let mut tries = CLEAR_TRIES;
        loop {
            tries -= 1;
            let clock = self.0.clock.clone();
            let everything = ReadPosition::default();
            let reading = terminal.read(&everything, &move || clock.now()).await?;
            self.0
                .intake
                .accept(&Batch::of_reading(device, reading.clone()))
                .await?;
            let records = self.verified(device, &reading).await?;
            // Were it forgotten after the clearing, a crash in between would look like a log that was lost.
            let tx = self.0.store.begin_write().await?;
            tx.forget_position(device).await?;
            tx.commit().await?;
            match terminal.clear_log(records).await {
                Ok(left) => return Ok(Done::LogCleared { records, left }),
                Err(TerminalError::Write(WriteError::LogChanged { .. })) if tries > 0 => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// How many records the log holds, each of which is in the database.
    async fn verified(&self, device: DeviceId, reading: &Reading) -> Result<u32, Undone> {
        let unverified = |what: String| {
            Err(Undone::Failed(PollFailure {
                step: "store",
                reason: "write_unverified",
                message: format!("the log was not cleared: {what}"),
            }))
        };
        let Some(records) = reading.identity.records else {
            return unverified("the terminal does not count its records".to_owned());
        };
        if !reading.complete || reading.missing > 0 {
            let missing = reading.missing;
            return unverified(format!(
                "the terminal counts {missing} records more than it sent"
            ));
        }
        if reading.rejected > reading.parked.len() as u64 {
            let rejected = reading.rejected;
            return unverified(format!(
                "{rejected} records are not understood, which are too many to be kept here"
            ));
        }
        let store = &self.0.store;
        let punches: Vec<_> = reading
            .punches
            .iter()
            .map(|punch| (punch.user.as_str(), punch.clock))
            .collect();
        let parked: Vec<_> = reading
            .parked
            .iter()
            .map(|record| record.bytes.as_slice())
            .collect();
        let unstored = store.unstored_punches(device, &punches).await?;
        let unkept = store.unkept_records(device, &parked).await?;
        match unstored + unkept as u64 {
            0 => Ok(records),
            lacking => unverified(format!("{lacking} of its records are not in the database")),
        }
    }
}

//! Fingerprints: read to be kept here, and written from there at another terminal; only where the configuration says for what.
//!
//! A template is never told to anybody but a terminal and the store, which seals it.

use attendance::{DeviceId, DeviceUserId};
use store::entities::devices;
use store::fingerprints::{BackedUpFinger, FingerprintBackup};
use store::{Author, StoreError, WriteTx};
use terminals::{
    DeviceKind, FingerKind, Fingerprint, Fingerprints, Terminal, UserChange, WriteError,
};

use super::operations::Undone;
use super::{Done, Operation, PollFailure, Poller};
use crate::error::story;

impl Poller {
    /// For what fingerprints are backed up and copied; `None` when they are not.
    pub fn fingerprint_purpose(&self) -> Option<&str> {
        self.0.options.fingerprint_purpose.as_deref()
    }

    /// Whether terminals of this kind give and take fingerprints.
    pub fn copies_fingerprints(&self, kind: &str) -> bool {
        DeviceKind::from_name(kind).is_some_and(DeviceKind::copies_fingerprints)
    }

    /// Refuses what is not allowed or cannot be, before the terminal is asked anything.
    pub(super) fn allows_fingerprints(
        &self,
        operation: &Operation,
        row: &devices::Model,
    ) -> Result<(), PollFailure> {
        if !matches!(
            operation,
            Operation::BackupFingerprints { .. } | Operation::CopyFingerprints { .. }
        ) {
            return Ok(());
        }
        if self.fingerprint_purpose().is_none() {
            let message = "nothing of fingerprints is read, kept or written: muster.toml does not say for what, in \
                           [fingerprints] purpose";
            return Err(refusal("fingerprints_off", message));
        }
        let kind = DeviceKind::from_name(&row.kind);
        if !kind.is_some_and(DeviceKind::copies_fingerprints) {
            let brand = kind.map_or(row.kind.as_str(), |kind| kind.brand());
            let message = format!("fingerprints of {brand} terminals are not offered");
            return Err(refusal("write_not_offered", message));
        }
        Ok(())
    }

    /// Adds for what it was, from where, and how much of it was done.
    pub(super) async fn tell_of_fingerprints(
        &self,
        operation: &Operation,
        done: &Result<Done, PollFailure>,
        detail: &mut serde_json::Value,
    ) -> Result<(), StoreError> {
        match operation {
            Operation::CopyFingerprints { from, .. } => {
                detail["from"] = self.row(*from).await?.serial_number.into();
            }
            Operation::BackupFingerprints { .. } => {}
            _ => return Ok(()),
        }
        detail["purpose"] = self.fingerprint_purpose().into();
        match done {
            Ok(Done::FingerprintsKept { users, fingers }) => {
                detail["users"] = (*users).into();
                detail["fingers"] = (*fingers).into();
            }
            Ok(Done::FingerprintsCopied { fingers, .. }) => detail["fingers"] = (*fingers).into(),
            _ => {}
        }
        Ok(())
    }

    pub(super) async fn keep_backups(
        &self,
        tx: &WriteTx,
        device: DeviceId,
        backups: &[FingerprintBackup],
        author: Author,
    ) -> Result<(), StoreError> {
        let purpose = self.fingerprint_purpose().unwrap_or_default();
        for backup in backups {
            tx.keep_fingerprints(device, backup, purpose, author)
                .await?;
        }
        Ok(())
    }

    /// Writes a backup at another terminal. A user who is there already stays as they are; a new one gets the name and card
    /// they have at the terminal of the backup, and no rights at the menu.
    pub(super) async fn copy_backup(
        &self,
        terminal: &mut Terminal,
        to: &devices::Model,
        user: &DeviceUserId,
        from: DeviceId,
    ) -> Result<Done, Undone> {
        let backup = self.backup(user, from).await?;
        let there = self.0.store.device_user(from, user).await?;
        let here = self.0.store.device_user(DeviceId(to.id), user).await?;
        let people = [&there, &here].map(|known| known.as_ref()?.employee_id);
        if let [Some(one), Some(other)] = people
            && one != other
        {
            let serial = &to.serial_number;
            let message =
                format!("nothing was written: user {user} at {serial} is mapped to somebody else");
            return Err(Undone::Failed(refusal(
                "fingerprints_other_person",
                message,
            )));
        }
        let mut change = UserChange::none(user.clone());
        let listed = terminal.users().await?;
        if let (false, Some(known)) = (listed.iter().any(|listed| listed.id == *user), there) {
            change.name = Some(known.name);
            change.cards = known.card.map(|card| vec![card]);
        }
        let prints = prints_of(backup)?;
        let written = terminal.write_fingerprints(&change, &prints).await?;
        Ok(Done::FingerprintsCopied {
            written,
            fingers: prints.fingers.len(),
        })
    }

    async fn backup(
        &self,
        user: &DeviceUserId,
        from: DeviceId,
    ) -> Result<FingerprintBackup, Undone> {
        match self.0.store.fingerprint_backup(from, user).await {
            Ok(Some(backup)) => Ok(backup),
            Ok(None) => {
                let serial = self.row(from).await?.serial_number;
                let message =
                    format!("there is no backup of the fingerprints of user {user} at {serial}");
                Err(Undone::Failed(refusal("fingerprints_none", message)))
            }
            Err(error @ (StoreError::Secret(_) | StoreError::Corrupt { .. })) => {
                let message = format!("the backup cannot be opened: {}", story(&error));
                Err(Undone::Failed(refusal("fingerprints_sealed", message)))
            }
            Err(error) => Err(error.into()),
        }
    }
}

/// The fingerprints of one user, or of everybody who has any.
pub(super) async fn read_backups(
    terminal: &mut Terminal,
    user: Option<&DeviceUserId>,
) -> Result<Vec<FingerprintBackup>, Undone> {
    let read = match user {
        None => terminal.all_fingerprints().await?,
        Some(user) => vec![(user.clone(), terminal.fingerprints(user).await?)],
    };
    read.into_iter()
        .map(|(user, prints)| backup_of(user, prints).map_err(Undone::Failed))
        .collect()
}

/// What could be written nowhere is not kept.
fn backup_of(user: DeviceUserId, prints: Fingerprints) -> Result<FingerprintBackup, PollFailure> {
    if prints.fingers.is_empty() {
        let message = format!("the terminal has no fingerprint of user {user}");
        return Err(refusal("fingerprints_none", message));
    }
    let Some(algorithm) = prints.algorithm else {
        let message = "nothing was kept: the terminal does not tell its fingerprint algorithm, so they could be written nowhere";
        return Err(refusal("fingerprints_algorithm", message));
    };
    let fingers = prints.fingers.into_iter().map(|print| BackedUpFinger {
        finger: print.finger,
        kind: print.kind.as_str().to_owned(),
        template: print.template,
    });
    Ok(FingerprintBackup {
        user,
        algorithm,
        fingers: fingers.collect(),
    })
}

fn prints_of(backup: FingerprintBackup) -> Result<Fingerprints, Undone> {
    let fingers = backup.fingers.into_iter().map(|finger| {
        let kind = FingerKind::from_name(&finger.kind).ok_or_else(|| WriteError::DoesNotFit {
            detail: format!(
                "finger {} is of the unknown kind {:?}",
                finger.finger, finger.kind
            ),
        })?;
        Ok(Fingerprint {
            finger: finger.finger,
            kind,
            template: finger.template,
        })
    });
    let fingers: Result<_, WriteError> = fingers.collect();
    Ok(Fingerprints {
        algorithm: Some(backup.algorithm),
        fingers: fingers.map_err(|error| Undone::Terminal(error.into()))?,
    })
}

fn refusal(reason: &'static str, message: impl Into<String>) -> PollFailure {
    PollFailure {
        step: "fingerprints",
        reason,
        message: message.into(),
    }
}

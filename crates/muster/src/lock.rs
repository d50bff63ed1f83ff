//! One server per SQLite file. The lock lies beside the file and is freed by the operating system, also after `kill -9`.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail};

const TRIES: u32 = 5;
const TRY_AGAIN: Duration = Duration::from_millis(20);

/// Held for as long as the server runs.
#[derive(Debug)]
pub struct ServerLock {
    _file: File,
}

impl ServerLock {
    /// Takes the lock of a database file.
    ///
    /// # Errors
    /// When another server holds it; the message says what to do.
    pub fn take(database: &Path) -> anyhow::Result<Self> {
        let file = open(database)?;
        let mut tries = TRIES;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Self { _file: file }),
                // A command that asks whether a server runs holds the lock for an instant.
                Err(TryLockError::WouldBlock) if tries > 0 => {
                    tries -= 1;
                    std::thread::sleep(TRY_AGAIN);
                }
                Err(TryLockError::WouldBlock) => bail!(
                    "another `muster serve` uses {}; stop it first, or use PostgreSQL for several servers",
                    database.display()
                ),
                Err(TryLockError::Error(error)) => {
                    return Err(error).context("the lock beside the database cannot be taken");
                }
            }
        }
    }

    /// Whether a server is running on this file.
    pub fn is_held(database: &Path) -> anyhow::Result<bool> {
        if !lock_path(database).exists() {
            return Ok(false);
        }
        let file = open(database)?;
        Ok(matches!(file.try_lock(), Err(TryLockError::WouldBlock)))
    }
}

fn lock_path(database: &Path) -> PathBuf {
    let mut path = database.as_os_str().to_owned();
    path.push(".lock");
    path.into()
}

fn open(database: &Path) -> anyhow::Result<File> {
    let path = lock_path(database);
    OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .with_context(|| {
            format!(
                "{} cannot be opened; does its folder exist and may Muster write there?",
                path.display()
            )
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_server_is_refused_until_the_first_is_gone() {
        let folder = tempfile::tempdir().expect("a folder");
        let database = folder.path().join("muster.db");
        assert!(!ServerLock::is_held(&database).expect("no lock yet"));
        let first = ServerLock::take(&database).expect("free");
        assert!(ServerLock::is_held(&database).expect("held"));
        assert!(
            ServerLock::take(&database)
                .expect_err("held")
                .to_string()
                .contains("another `muster serve`")
        );
        drop(first);
        ServerLock::take(&database).expect("free again");
    }
}

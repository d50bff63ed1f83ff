//! The gate before every request to a terminal, one for the whole process: one request at a time, and none once it would be a
//! second wrong password or would meet a lock.
//!
//! It outlives connections and is shared by whoever talks to the terminal. What is known is kept by address and by serial
//! number: a terminal that moves, or is reached by another port, does not get the refused password again. Other processes
//! learn the same from the database.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hik_proto::{DigestSession, Login};
use sha2::{Digest, Sha256};
use tokio::time::Instant;

use crate::error::lock_lasts;
use crate::tls::Tls;
use crate::{CertificateTrust, Credentials, Deadline, Step, Target, TerminalError};

/// A terminal that wants a sign-in and offers none is busy or has locked us out: nobody asks it again before this is over.
pub(super) const REST: Duration = Duration::from_secs(60);
/// With so few attempts left a password goes out only if it was accepted before or somebody insists.
const FEW_ATTEMPTS: u32 = 2;
/// A nonce that was not used for so long may have expired. Some live for half a minute.
const NONCE_AGE: Duration = Duration::from_secs(20);
/// Wrong passwords remembered for one terminal.
const REFUSALS: usize = 16;
/// Addresses and serial numbers of which something is known. Above, those nobody uses and that hold nobody up are dropped.
const KNOWN: usize = 10_000;

static KNOWN_TERMINALS: LazyLock<Mutex<HashMap<Key, Arc<Known>>>> = LazyLock::new(Mutex::default);

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Key {
    Address(String),
    Serial(String),
}

/// What is known of one address, or of one serial number.
#[derive(Debug, Default)]
struct Known {
    facts: Mutex<Facts>,
    /// Only by address: what a conversation has learnt. Whoever holds it may send a request.
    line: Arc<tokio::sync::Mutex<Line>>,
    tls: Mutex<Option<Tls>>,
}

#[derive(Debug, Default)]
struct Facts {
    refused: Vec<Attempt>,
    locked: Option<Pause>,
    resting: Option<Pause>,
    attempts_left: Option<u32>,
}

/// Nothing is sent before it is over, or somebody asks for it.
#[derive(Clone, Copy, Debug)]
struct Pause {
    until: Instant,
    version: i64,
}

impl Pause {
    /// How long it still holds up whoever asks.
    fn holds_up(self, version: i64) -> Option<Duration> {
        let left = self.until.saturating_duration_since(Instant::now());
        (version <= self.version && !left.is_zero()).then_some(left)
    }
}

/// A password, recognised and not readable, and how often somebody has asked that it be tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Attempt {
    login: [u8; 32],
    version: i64,
}

#[derive(Debug, Default)]
pub(super) struct Line {
    pub(super) digest: DigestSession,
    /// Whose password the digest was proven with.
    signed_by: Option<[u8; 32]>,
    last_turn: Option<Instant>,
}

/// The way of one connection through the gate.
#[derive(Debug)]
pub(super) struct Gate {
    by_address: Arc<Known>,
    by_serial: Option<Arc<Known>>,
    attempt: Attempt,
    /// Few attempts left do not matter.
    confirmed: bool,
}

/// The right to send one request. A stream gives it back once its head has come.
pub(super) type Turn = tokio::sync::OwnedMutexGuard<Line>;

impl Gate {
    pub(super) fn of(target: &Target, login: Login<'_>) -> Self {
        let address = target.address().to_ascii_lowercase();
        let serial = target.serial.as_ref();
        let serial = serial.map(|serial| serial.trim().to_ascii_uppercase());
        let mut known = lock(&KNOWN_TERMINALS);
        if known.len() >= KNOWN {
            known.retain(|_, known| Arc::strong_count(known) > 1 || known.holds_up());
        }
        let mut entry = |key| Arc::clone(known.entry(key).or_default());
        Self {
            by_address: entry(Key::Address(address)),
            by_serial: serial.map(|serial| entry(Key::Serial(serial))),
            attempt: Attempt {
                login: recognised(login),
                version: target.credentials.version,
            },
            confirmed: target.credentials.confirmed,
        }
    }

    /// Waits for its turn, unless nothing may be sent at all.
    ///
    /// # Errors
    /// `RefusedBefore`, `LockedOut` or `Resting`: nothing was sent. `Timeout` when others keep the terminal busy.
    pub(super) async fn enter(
        &self,
        step: Step,
        deadline: Deadline,
        limit: Duration,
    ) -> Result<Turn, TerminalError> {
        self.is_open()?;
        let line = Arc::clone(&self.by_address.line).lock_owned();
        let mut line = deadline.within(step, limit, line).await?;
        // Whoever was before us may have been refused.
        self.is_open()?;
        line.digest.begin();
        let last = line.last_turn.replace(Instant::now());
        if last.is_some_and(|last| last.elapsed() >= NONCE_AGE) {
            line.digest.rested();
        }
        if line.signed_by != Some(self.attempt.login) {
            line.signed_by = Some(self.attempt.login);
            line.digest.doubt();
        }
        Ok(line)
    }

    /// TLS for this connection; that of the last one if it trusts the same, so that its session is resumed.
    pub(super) fn tls(&self, trust: CertificateTrust) -> Tls {
        let mut kept = lock(&self.by_address.tls);
        match &*kept {
            Some(tls) if tls.trust == trust => tls.clone(),
            _ => kept.insert(Tls::new(trust)).clone(),
        }
    }

    fn is_open(&self) -> Result<(), TerminalError> {
        let Attempt { login, version } = self.attempt;
        for known in self.known() {
            let facts = lock(&known.facts);
            let refused = facts.refused.iter().find(|one| one.login == login);
            if refused.is_some_and(|refused| version <= refused.version) {
                return Err(TerminalError::RefusedBefore);
            }
            let left = |pause: Option<Pause>| pause.and_then(|pause| pause.holds_up(version));
            if let Some(left) = left(facts.locked) {
                let told = left.saturating_sub(lock_lasts(Some(0))).as_secs();
                return Err(TerminalError::LockedOut {
                    for_secs: Some(u32::try_from(told).unwrap_or(u32::MAX)),
                });
            }
            if let Some(left) = left(facts.resting) {
                return Err(TerminalError::Resting {
                    for_secs: left.as_secs() + 1,
                });
            }
        }
        Ok(())
    }

    /// Whether a password that has not proven itself may be sent, where the terminal says, now or last, how many attempts are left.
    pub(super) fn may_sign(&self, told: Option<u32>) -> Result<(), TerminalError> {
        let mut facts = lock(&self.by_address.facts);
        if told.is_some() {
            facts.attempts_left = told;
        }
        match facts.attempts_left {
            Some(left) if left <= FEW_ATTEMPTS && !self.confirmed => {
                Err(TerminalError::FewAttempts { left })
            }
            _ => Ok(()),
        }
    }

    /// The password is wrong: nobody sends it again before somebody asks for it.
    pub(super) fn refused(&self, attempts_left: Option<u32>) {
        for known in self.known() {
            let mut facts = lock(&known.facts);
            facts.refused.retain(|one| one.login != self.attempt.login);
            if facts.refused.len() >= REFUSALS {
                facts.refused.remove(0);
            }
            facts.refused.push(self.attempt);
            facts.attempts_left = attempts_left;
        }
    }

    pub(super) fn locked(&self, for_secs: Option<u32>) {
        let pause = self.pause(lock_lasts(for_secs));
        for known in self.known() {
            let mut facts = lock(&known.facts);
            facts.locked = Some(pause);
            facts.attempts_left = None;
        }
    }

    pub(super) fn rests(&self) {
        lock(&self.by_address.facts).resting = Some(self.pause(REST));
    }

    fn pause(&self, lasts: Duration) -> Pause {
        Pause {
            until: Instant::now() + lasts,
            version: self.attempt.version,
        }
    }

    pub(super) fn accepted(&self) {
        for known in self.known() {
            let mut facts = lock(&known.facts);
            facts.refused.retain(|one| one.login != self.attempt.login);
            facts.locked = None;
            facts.resting = None;
            facts.attempts_left = None;
        }
    }

    fn known(&self) -> impl Iterator<Item = &Known> {
        std::iter::once(&*self.by_address).chain(self.by_serial.as_deref())
    }
}

impl Known {
    fn holds_up(&self) -> bool {
        let facts = lock(&self.facts);
        let pauses = [facts.locked, facts.resting];
        let pausing = |pause: Pause| pause.holds_up(i64::MIN).is_some();
        !facts.refused.is_empty() || pauses.into_iter().flatten().any(pausing)
    }
}

/// Salted by nothing: it never leaves the process.
fn recognised(login: Login<'_>) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update((login.user.len() as u64).to_be_bytes());
    hash.update(login.user);
    hash.update(login.password);
    hash.finalize().into()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Credentials {
    pub(super) fn login(&self) -> Option<Login<'_>> {
        Some(Login {
            user: self.username.as_deref()?,
            password: self.password.as_deref()?,
        })
    }
}

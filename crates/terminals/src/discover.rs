//! Finding terminals: asks every address of a list who is there, gently and each within a limit of its own.
//!
//! Owns the pace and what is remembered of refused keys. Which addresses may be asked, and what is concluded from the
//! answers, is the caller's. What is said to a terminal is in the module of its brand.

use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::net::lookup_host;
use tokio::task::JoinSet;
use tokio::time::Instant;

pub use crate::hik::discover::{LinkEar, LinkSearch};
use crate::{Deadline, DeviceKind, Target, Terminal, TerminalError, hik, zk};

/// A key that was refused somewhere is not tried there again for so long.
const KEY_RESTS: Duration = Duration::from_secs(24 * 3600);
const RESOLVE: Duration = Duration::from_secs(5);

/// How gently a scan goes about it.
#[derive(Clone, Copy, Debug)]
pub struct ScanLimits {
    /// Addresses asked at the same time.
    pub together: usize,
    /// New connections in a second.
    pub per_second: u32,
    /// For an address to take the connection.
    pub connect: Duration,
    /// For everything at one address, but the goodbye.
    pub host: Duration,
}

impl Default for ScanLimits {
    fn default() -> Self {
        Self {
            together: 64,
            per_second: 200,
            connect: Duration::from_millis(300),
            host: Duration::from_secs(5),
        }
    }
}

/// Who is at an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Nobody takes the connection.
    Nothing,
    Terminal {
        /// Empty where it tells none.
        serial: String,
        model: String,
    },
    /// It says itself that it is this one, and may be anybody: to be confirmed before anything secret goes there.
    Claims {
        serial: String,
        model: String,
        /// Where it takes TLS, if it says so.
        tls_port: Option<u16>,
        /// `false`: it is as it left the factory, and nobody can sign in.
        activated: bool,
    },
    /// It asks for a comm key and none of ours is right, or each was refused there lately.
    WantsKey,
    /// Of the same vendor and on the same port, with another protocol.
    AccessPanel,
    /// It takes the connection and is nothing we know; how it behaves.
    Other(String),
}

/// Comm keys to try at terminals that ask for one, and where which was refused. Clones share the memory. Never printed.
#[derive(Clone, Default)]
pub struct ScanKeys {
    keys: Vec<u32>,
    refused: Arc<Mutex<HashMap<(SocketAddr, u32), Instant>>>,
}

impl fmt::Debug for ScanKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScanKeys").finish_non_exhaustive()
    }
}

impl ScanKeys {
    /// These keys, each once, with the same memory.
    pub fn with(&self, keys: impl IntoIterator<Item = u32>) -> Self {
        let mut keys: Vec<u32> = keys.into_iter().collect();
        keys.sort_unstable();
        keys.dedup();
        Self {
            keys,
            refused: Arc::clone(&self.refused),
        }
    }

    /// Those that were not refused at that place within a day.
    pub(crate) fn untried(&self, place: SocketAddr, now: Instant) -> Vec<u32> {
        let mut refused = self.refused();
        refused.retain(|_, at| now.saturating_duration_since(*at) < KEY_RESTS);
        let untried = self.keys.iter().copied();
        untried
            .filter(|key| !refused.contains_key(&(place, *key)))
            .collect()
    }

    /// To be called before the key is sent: silence is an answer too.
    pub(crate) fn try_at(&self, place: SocketAddr, key: u32, now: Instant) {
        self.refused().insert((place, key), now);
    }

    pub(crate) fn was_right(&self, place: SocketAddr, key: u32) {
        self.refused().remove(&(place, key));
    }

    fn refused(&self) -> MutexGuard<'_, HashMap<(SocketAddr, u32), Instant>> {
        self.refused.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Asks every address at this port whether a terminal of this kind is there; `on_host` is told of each, in any order. Ends
/// every conversation with a goodbye, also when it is dropped.
///
/// To be kept away from addresses with a live session: many terminals serve one connection, and asking can end it.
pub async fn scan(
    kind: DeviceKind,
    addresses: impl IntoIterator<Item = Ipv4Addr>,
    port: u16,
    limits: ScanLimits,
    keys: &ScanKeys,
    on_host: &mut (dyn FnMut(SocketAddr, Answer) + Send),
) {
    let pace = Arc::new(Pace::new(limits.per_second));
    let probes = addresses.into_iter().map(|address| {
        let place = SocketAddr::from((address, port));
        let (pace, keys) = (Arc::clone(&pace), keys.clone());
        async move {
            let answer = match kind {
                DeviceKind::Zk => zk::who_is_at(place, &limits, &pace, &keys).await,
                DeviceKind::Hik => Answer::Nothing, // see ask_links
            };
            (place, answer)
        }
    });
    let mut on_done = |(place, answer)| on_host(place, answer);
    side_by_side(probes, limits.together, &mut on_done).await;
}

/// Asks the terminals of our links, and those at these addresses, who they are; `on_host` is told of each that answers. An answer
/// is a claim.
///
/// # Errors
/// When an interface is not one of this machine.
pub async fn ask_links(
    search: &LinkSearch,
    addresses: &[Ipv4Addr],
    limits: ScanLimits,
    on_host: &mut (dyn FnMut(SocketAddr, Answer) + Send),
) -> io::Result<()> {
    let pace = Pace::new(limits.per_second);
    hik::discover::ask_links(search, addresses, &pace, on_host).await
}

/// Begins to hear what terminals of these links tell the group, whoever asked them.
///
/// # Errors
/// When an interface is not one of this machine, or another program holds the port alone.
pub fn hear_links(search: &LinkSearch) -> io::Result<LinkEar> {
    LinkEar::open(search)
}

/// What became of a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proof {
    Given,
    /// It is another terminal, which has been sent a sign-in.
    Another,
    /// Nobody is there, or nobody that can be signed in to: perhaps not yet. Nothing secret was sent.
    Nobody,
}

/// Has the terminal at `target` prove the serial number that it claims: somebody like it is there, it takes our credentials, and
/// then tells that number. A refusal counts for this address only, because a liar must not lock the true one out.
///
/// # Errors
/// See [`TerminalError`]; of the sign-in, which is sent once.
pub async fn confirm(target: &Target, limit: Duration) -> Result<Proof, TerminalError> {
    let deadline = Deadline::after(limit);
    if target.kind.answers_links() {
        match hik::discover::may_sign_in_at(target, deadline).await {
            Ok(true) => {}
            Ok(false) => return Ok(Proof::Nobody),
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                tracing::debug!(error, "a place that was claimed does not answer");
                return Ok(Proof::Nobody);
            }
        }
    }
    let stranger = Target {
        serial: None,
        ..target.clone()
    };
    let terminal = Terminal::connect_within(&stranger, deadline).await?;
    let told = terminal.identity().serial.clone();
    terminal.close().await;
    let expected = target.serial.as_deref().unwrap_or_default();
    Ok(match target.kind.is_serial(&told, expected) {
        true => Proof::Given,
        false => Proof::Another,
    })
}

/// The addresses of a host as it is configured, by name or by number; empty when its name is not known now.
pub async fn addresses_of(host: &str) -> Vec<IpAddr> {
    if let Ok(address) = host.parse() {
        return vec![address];
    }
    match tokio::time::timeout(RESOLVE, lookup_host((host, 0))).await {
        Ok(Ok(found)) => found.map(|found| found.ip()).collect(),
        _ => Vec::new(),
    }
}

/// Runs all of them, so many at a time.
async fn side_by_side<T: Send + 'static>(
    tasks: impl Iterator<Item = impl Future<Output = T> + Send + 'static>,
    together: usize,
    on_done: &mut (dyn FnMut(T) + Send),
) {
    let mut running = JoinSet::new();
    let mut tasks = tasks.fuse();
    loop {
        while running.len() < together.max(1)
            && let Some(task) = tasks.next()
        {
            running.spawn(task);
        }
        match running.join_next().await {
            None => return,
            Some(Ok(done)) => on_done(done),
            Some(Err(panic)) => std::panic::resume_unwind(panic.into_panic()),
        }
    }
}

/// Spaces connections evenly.
#[derive(Debug)]
pub(crate) struct Pace {
    step: Duration,
    next: Mutex<Instant>,
}

impl Pace {
    pub(crate) fn new(per_second: u32) -> Self {
        Self {
            step: Duration::from_secs(1) / per_second.max(1),
            next: Mutex::new(Instant::now()),
        }
    }

    /// Waits until it is the caller's turn to connect.
    pub(crate) async fn turn(&self) {
        let at = self.place(Instant::now());
        tokio::time::sleep_until(at).await;
    }

    /// The next free turn from `now` on.
    fn place(&self, now: Instant) -> Instant {
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        let at = now.max(*next);
        *next = at + self.step;
        at
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn never_more_connections_in_a_second_than_allowed() {
        let pace = Pace::new(200);
        let began = Instant::now() + Duration::from_secs(1);
        let turns: Vec<_> = (0..401).map(|_| pace.place(began) - began).collect();
        assert_eq!(turns[0], Duration::ZERO);
        assert_eq!(turns[200], Duration::from_secs(1));
        assert_eq!(turns[400], Duration::from_secs(2));
        let later = began + Duration::from_secs(60);
        assert_eq!(pace.place(later), later, "turns not taken are lost");
        assert_eq!(pace.place(later) - later, Duration::from_millis(5));
    }

    #[tokio::test]
    async fn never_more_addresses_at_a_time_than_allowed() {
        let running = Arc::new(AtomicUsize::new(0));
        let most = Arc::new(AtomicUsize::new(0));
        let tasks = (0..20).map(|number| {
            let (running, most) = (Arc::clone(&running), Arc::clone(&most));
            async move {
                let now = running.fetch_add(1, Ordering::SeqCst) + 1;
                most.fetch_max(now, Ordering::SeqCst);
                for _ in 0..number % 5 {
                    tokio::task::yield_now().await;
                }
                running.fetch_sub(1, Ordering::SeqCst);
                number
            }
        });
        let mut done = Vec::new();
        side_by_side(tasks, 3, &mut |number| done.push(number)).await;
        assert_eq!(most.load(Ordering::SeqCst), 3);
        done.sort_unstable();
        assert_eq!(done, Vec::from_iter(0..20));
    }

    #[test]
    fn a_refused_key_rests_there_for_a_day() {
        let memory = ScanKeys::default();
        let keys = memory.with([7, 1234, 7]);
        let place = |host: u8| SocketAddr::from(([10, 0, 0, host], 4370));
        let now = Instant::now();
        assert_eq!(keys.untried(place(1), now), [7, 1234]);
        keys.try_at(place(1), 7, now);
        keys.try_at(place(1), 1234, now);
        keys.was_right(place(1), 1234);
        let again = memory.with([1234, 7]);
        let almost = now + Duration::from_secs(24 * 3600 - 1);
        assert_eq!(again.untried(place(1), almost), [1234]);
        assert_eq!(again.untried(place(2), almost), [7, 1234]);
        let after = now + Duration::from_secs(24 * 3600);
        assert_eq!(again.untried(place(1), after), [7, 1234]);
        assert!(!format!("{keys:?}").contains("1234"));
    }
}

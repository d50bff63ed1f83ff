//! Looks at everything a terminal is needed for, one check after the other, and goes on where a failure still allows it.
//!
//! Nothing is stored, here or there. What each finding means and what to do about it is said by who shows it.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use attendance::Punch;
use jiff::Timestamp;
use jiff::civil::DateTime;
use tokio::net::{TcpStream, lookup_host};

use crate::zk::is_unanswered;
use crate::{
    CertificatePin, Condition, Deadline, DeviceKind, HikTerminal, Identity, Step, Target, Terminal,
    TerminalError, Transport, ZkTerminal,
};

/// For a name and for a connection.
const REACH: Duration = Duration::from_secs(5);
/// The log is read for so long; the rest is not needed to know that it can be read.
const LOG: Duration = Duration::from_secs(10);

/// What is looked at, in the order in which it is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Check {
    /// Host name to address.
    Resolve,
    Tcp,
    Udp,
    /// Encryption, and which certificate it shows.
    Tls,
    /// The terminal's first answer.
    Handshake,
    /// Comm key, or user name and password.
    Key,
    Serial,
    Clock,
    /// What it can do, and may do for this user.
    Permissions,
    Counters,
    Users,
    Live,
    Log,
    /// Where it calls when something happens.
    Push,
}

impl Check {
    /// Those of a brand.
    pub fn of(kind: DeviceKind) -> &'static [Self] {
        match kind {
            DeviceKind::Zk => &[
                Self::Resolve,
                Self::Tcp,
                Self::Udp,
                Self::Handshake,
                Self::Key,
                Self::Serial,
                Self::Clock,
                Self::Counters,
                Self::Users,
                Self::Live,
                Self::Log,
            ],
            DeviceKind::Hik => &[
                Self::Resolve,
                Self::Tcp,
                Self::Tls,
                Self::Handshake,
                Self::Key,
                Self::Serial,
                Self::Clock,
                Self::Permissions,
                Self::Counters,
                Self::Users,
                Self::Live,
                Self::Log,
                Self::Push,
            ],
        }
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Resolve => "resolve",
            Self::Tcp => "tcp",
            Self::Udp => "udp",
            Self::Tls => "tls",
            Self::Handshake => "handshake",
            Self::Key => "key",
            Self::Serial => "serial",
            Self::Clock => "clock",
            Self::Permissions => "permissions",
            Self::Counters => "counters",
            Self::Users => "users",
            Self::Live => "live",
            Self::Log => "log",
            Self::Push => "push",
        }
    }
}

#[derive(Debug)]
pub enum Finding {
    Good(Seen),
    Failed(TerminalError),
    /// The terminal has no such thing, which is no fault.
    NotOffered,
    /// Something before it failed.
    NotTried,
}

/// What a check that went well saw.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    Nothing,
    Addresses(Vec<IpAddr>),
    Certificate(CertificatePin),
    /// What it says it can do, of what we may ask for.
    Abilities(Vec<Ability>),
    /// Whether the terminal wants a key or password. Without one everybody on the network can read and clear it.
    Key {
        wanted: bool,
    },
    Identity(Identity),
    Clock {
        shows: DateTime,
        at: Timestamp,
    },
    Counters {
        users: Option<u32>,
        records: Option<u32>,
        capacity: Option<u32>,
    },
    Users(usize),
    Log {
        punches: u64,
        rejected: u64,
        /// Otherwise there are more, and the time was up.
        whole: bool,
    },
}

/// What a terminal may be able to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ability {
    Events,
    People,
    Cards,
    Faces,
    Fingerprints,
    Door,
}

impl Ability {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Events => "events",
            Self::People => "people",
            Self::Cards => "cards",
            Self::Faces => "faces",
            Self::Fingerprints => "fingerprints",
            Self::Door => "door",
        }
    }
}

#[derive(Debug)]
pub struct Examined {
    pub check: Check,
    pub finding: Finding,
    pub took: Duration,
}

/// Examines a terminal; `on_check` is told of each check when it is over. The result has all of them, in their order.
pub async fn examine(
    target: &Target,
    deadline: Deadline,
    now: &(dyn Fn() -> Timestamp + Send + Sync),
    on_check: &mut (dyn FnMut(&Examined) + Send),
) -> Vec<Examined> {
    let mut exam = Exam {
        target,
        deadline,
        began: Instant::now(),
        found: Vec::new(),
        on_check,
    };
    if exam.resolve().await.is_ok() {
        let terminal = match target.kind {
            DeviceKind::Zk => exam.reach_zk().await.map(Terminal::Zk),
            DeviceKind::Hik => exam.reach_hik().await.map(Terminal::Hik),
        };
        if let Ok(mut terminal) = terminal {
            let _broke_off = exam.look_inside(&mut terminal, now).await;
            terminal.close().await;
        }
        if target.kind == DeviceKind::Zk && !exam.knows(Check::Udp) {
            exam.look_at_udp().await;
        }
    }
    exam.end()
}

struct Exam<'a> {
    target: &'a Target,
    deadline: Deadline,
    /// When the check at hand began.
    began: Instant,
    found: Vec<Examined>,
    on_check: &'a mut (dyn FnMut(&Examined) + Send),
}

/// The conversation cannot go on.
struct BrokeOff;

impl Exam<'_> {
    /// The check is over; the next one begins.
    fn note(&mut self, check: Check, finding: Finding) {
        let took = self.lap();
        self.note_after(took, check, finding);
    }

    fn lap(&mut self) -> Duration {
        let took = self.began.elapsed();
        self.began = Instant::now();
        took
    }

    fn note_after(&mut self, took: Duration, check: Check, finding: Finding) {
        let examined = Examined {
            check,
            finding,
            took,
        };
        (self.on_check)(&examined);
        self.found.push(examined);
    }

    /// The same for what was tried. A terminal that answered and said no to one thing can be asked for the next.
    fn note_result(
        &mut self,
        check: Check,
        result: Result<Seen, TerminalError>,
    ) -> Result<(), BrokeOff> {
        let (finding, goes_on) = match result {
            Ok(seen) => (Finding::Good(seen), true),
            Err(error) => {
                let said_no = matches!(
                    error,
                    TerminalError::NotOffered { .. }
                        | TerminalError::Refused { .. }
                        | TerminalError::Condition { .. }
                );
                let is_missing = match &error {
                    TerminalError::Condition { condition, .. } => {
                        *condition == Condition::NotSupported
                    }
                    _ => said_no,
                };
                let may_be_missing = [Check::Permissions, Check::Live, Check::Push];
                match is_missing && may_be_missing.contains(&check) {
                    true => (Finding::NotOffered, true),
                    false => (Finding::Failed(error), said_no && check > Check::Serial),
                }
            }
        };
        self.note(check, finding);
        match goes_on {
            true => Ok(()),
            false => Err(BrokeOff),
        }
    }

    fn knows(&self, check: Check) -> bool {
        self.found.iter().any(|examined| examined.check == check)
    }

    fn end(mut self) -> Vec<Examined> {
        for check in Check::of(self.target.kind) {
            if !self.knows(*check) {
                self.note_after(Duration::ZERO, *check, Finding::NotTried);
            }
        }
        self.found.sort_by_key(|examined| examined.check);
        self.found
    }

    async fn resolve(&mut self) -> Result<(), BrokeOff> {
        let lookup = lookup_host((self.target.host.as_str(), self.target.port));
        let found = self.deadline.within(Step::Resolve, REACH, lookup).await;
        let found = found.and_then(|found| {
            found
                .map(|found| Seen::Addresses(found.map(|address| address.ip()).collect()))
                .map_err(|source| TerminalError::Resolve {
                    address: self.target.address(),
                    source,
                })
        });
        self.note_result(Check::Resolve, found)
    }

    /// By TCP, or where nothing answers, by UDP. One connection at a time: many terminals have no more.
    async fn reach_zk(&mut self) -> Result<ZkTerminal, BrokeOff> {
        let (opened, tcp) = self.greet_by(Transport::Tcp).await;
        let greeted = match tcp {
            Err(unanswered) if is_unanswered(&unanswered) => {
                self.lap();
                let (udp_opened, udp) = self.greet_by(Transport::Udp).await;
                let reached = !udp.as_ref().is_err_and(is_unanswered);
                let tcp = match reached {
                    true => Finding::NotOffered,
                    false => Finding::Failed(unanswered),
                };
                self.note_after(opened, Check::Tcp, tcp);
                match udp {
                    Err(error) if !reached => {
                        self.note(Check::Udp, Finding::Failed(error));
                        return Err(BrokeOff);
                    }
                    udp => {
                        self.note_after(udp_opened, Check::Udp, Finding::Good(Seen::Nothing));
                        udp
                    }
                }
            }
            tcp => {
                self.note_after(opened, Check::Tcp, Finding::Good(Seen::Nothing));
                tcp
            }
        };
        let (mut terminal, wants_key) = match greeted {
            Ok(greeted) => greeted,
            Err(error) => {
                self.note(Check::Handshake, Finding::Failed(error));
                return Err(BrokeOff);
            }
        };
        self.note(Check::Handshake, Finding::Good(Seen::Nothing));
        let introduced = self.introduce(&mut terminal, wants_key).await;
        match introduced {
            Ok(()) => Ok(terminal),
            Err(broke_off) => {
                terminal.close().await;
                Err(broke_off)
            }
        }
    }

    /// The terminal and whether it wants a key; how long the socket took.
    async fn greet_by(
        &mut self,
        transport: Transport,
    ) -> (Duration, Result<(ZkTerminal, bool), TerminalError>) {
        let opened = ZkTerminal::open(self.target, transport, self.deadline).await;
        let took = self.lap();
        let mut terminal = match opened {
            Ok(terminal) => terminal,
            Err(error) => return (took, Err(error)),
        };
        match terminal.greet().await {
            Ok(wants_key) => (took, Ok((terminal, wants_key))),
            Err(error) => {
                terminal.close().await;
                (took, Err(error))
            }
        }
    }

    async fn introduce(
        &mut self,
        terminal: &mut ZkTerminal,
        wants_key: bool,
    ) -> Result<(), BrokeOff> {
        let signed_in = match wants_key {
            true => terminal.sign_in(self.target.credentials.comm_key).await,
            false => Ok(()),
        };
        self.note_result(
            Check::Key,
            signed_in.map(|()| Seen::Key { wanted: wants_key }),
        )?;
        let identified = terminal.identify(self.target).await;
        let seen = identified.map(|()| Seen::Identity(terminal.identity().clone()));
        self.note_result(Check::Serial, seen)
    }

    async fn reach_hik(&mut self) -> Result<HikTerminal, BrokeOff> {
        let address = (self.target.host.as_str(), self.target.port);
        let connecting = TcpStream::connect(address);
        let connected = self.deadline.within(Step::Connect, REACH, connecting).await;
        let connected = connected.and_then(|connected| {
            connected.map_err(|source| TerminalError::Unreachable {
                address: self.target.address(),
                source,
            })
        });
        self.note_result(Check::Tcp, connected.map(|_| Seen::Nothing))?;
        let mut passed = Vec::new();
        let mut on_step = |step, took| passed.push((step, took));
        let signed_in =
            HikTerminal::connect_watched(self.target, self.deadline, &mut on_step).await;
        let certificate = HikTerminal::certificate_of(self.target);
        match (self.target.transport, &certificate) {
            (Transport::Tls, Some(shown)) => {
                let refused = signed_in
                    .as_ref()
                    .err()
                    .is_some_and(|e| e.step() == Step::Tls);
                if !refused {
                    self.note_after(
                        Duration::ZERO,
                        Check::Tls,
                        Finding::Good(Seen::Certificate(*shown)),
                    );
                }
            }
            (Transport::Tls, None) => {}
            _ => self.note_after(Duration::ZERO, Check::Tls, Finding::NotOffered),
        }
        for (step, took) in passed {
            let (check, seen) = match step {
                Step::Connect => (Check::Handshake, Seen::Nothing),
                Step::SignIn => (Check::Key, Seen::Key { wanted: true }),
                _ => continue, // with the identity
            };
            self.note_after(took, check, Finding::Good(seen));
        }
        let failed = match &signed_in {
            Err(error) if error.step() == Step::Tls => Check::Tls,
            Err(error) if error.step() == Step::Connect => Check::Handshake,
            Err(error) if error.step() == Step::SignIn => Check::Key,
            _ => Check::Serial,
        };
        let seen =
            signed_in.map(|terminal| (Seen::Identity(terminal.identity().clone()), terminal));
        let (seen, terminal) = match seen {
            Ok((seen, terminal)) => (Ok(seen), Some(terminal)),
            Err(error) => (Err(error), None),
        };
        self.note_result(failed, seen)?;
        terminal.ok_or(BrokeOff)
    }

    async fn look_inside(
        &mut self,
        terminal: &mut Terminal,
        now: &(dyn Fn() -> Timestamp + Send + Sync),
    ) -> Result<(), BrokeOff> {
        let clock = terminal.clock().await;
        let at = now();
        self.note_result(Check::Clock, clock.map(|shows| Seen::Clock { shows, at }))?;

        if let Terminal::Hik(terminal) = &mut *terminal {
            let abilities = terminal.abilities().await;
            self.note_result(Check::Permissions, abilities.map(Seen::Abilities))?;
            terminal.count().await.ok();
        }

        let identity = terminal.identity();
        let counters = match (identity.users, identity.records) {
            (None, None) => Finding::NotOffered,
            (users, records) => Finding::Good(Seen::Counters {
                users,
                records,
                capacity: identity.record_capacity,
            }),
        };
        self.note(Check::Counters, counters);

        let users = terminal.users().await;
        self.note_result(Check::Users, users.map(|users| Seen::Users(users.len())))?;

        let live = match &mut *terminal {
            Terminal::Zk(terminal) => terminal.listen().await,
            Terminal::Hik(terminal) => terminal.look_at_stream().await,
        };
        self.note_result(Check::Live, live.map(|()| Seen::Nothing))?;

        let log = read_log(terminal).await;
        self.note_result(Check::Log, log)?;

        if let Terminal::Hik(terminal) = terminal {
            let hosts = terminal.look_at_push().await;
            self.note_result(Check::Push, hosts.map(|()| Seen::Nothing))?;
        }
        Ok(())
    }

    /// Whether a terminal that was reached by TCP answers over UDP too.
    async fn look_at_udp(&mut self) {
        self.lap();
        let finding = match self.greet_by(Transport::Udp).await {
            (_, Ok((terminal, _))) => {
                terminal.close().await;
                Finding::Good(Seen::Nothing)
            }
            (_, Err(error)) if is_unanswered(&error) => Finding::NotOffered,
            (_, Err(_)) => Finding::Good(Seen::Nothing), // it answered
        };
        self.note(Check::Udp, finding);
    }
}

async fn read_log(terminal: &mut Terminal) -> Result<Seen, TerminalError> {
    let mut punches = 0;
    let mut on_batch = |batch: &[Punch]| punches += batch.len() as u64;
    let reading = tokio::time::timeout(LOG, terminal.punches(&mut on_batch)).await;
    let whole = reading.ok().transpose()?;
    Ok(Seen::Log {
        punches,
        rejected: whole.as_ref().map_or(0, |read| read.rejected),
        whole: whole.is_some(),
    })
}

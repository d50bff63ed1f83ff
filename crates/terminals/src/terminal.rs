//! The closed set of terminals, and the one conversation that a poll is.

use std::time::Duration;

use attendance::Punch;
use jiff::Timestamp;
use jiff::civil::DateTime;

use crate::{
    Armed, CallHere, CertificatePin, Deadline, DeviceKind, DeviceUser, HikTerminal, Identity, Live,
    LogRead, OnStep, ReadPosition, Reading, Step, Target, TerminalError, Transport, ZkTerminal,
};

/// A signed-in connection to a device whose serial number has been checked.
#[derive(Debug)]
pub enum Terminal {
    Zk(ZkTerminal),
    Hik(HikTerminal),
}

impl Terminal {
    /// Connects, signs in once, and checks the serial number against `target.serial`.
    ///
    /// # Errors
    /// See [`TerminalError`]; refused credentials are reported after one attempt.
    pub async fn connect(target: &Target) -> Result<Self, TerminalError> {
        Self::connect_within(target, Deadline::none()).await
    }

    /// Like [`Self::connect`], with a deadline for everything that follows on this connection.
    ///
    /// # Errors
    /// See [`TerminalError`].
    pub async fn connect_within(
        target: &Target,
        deadline: Deadline,
    ) -> Result<Self, TerminalError> {
        Self::connect_watched(target, deadline, &mut |_, _| {}).await
    }

    /// Like [`Self::connect_within`], and tells `on_step` when `Connect`, `SignIn` and `Identify` are done, in this order.
    ///
    /// # Errors
    /// See [`TerminalError`].
    pub async fn connect_watched(
        target: &Target,
        deadline: Deadline,
        on_step: OnStep<'_>,
    ) -> Result<Self, TerminalError> {
        match target.kind {
            DeviceKind::Zk => ZkTerminal::connect_watched(target, deadline, on_step)
                .await
                .map(Self::Zk),
            DeviceKind::Hik => HikTerminal::connect_watched(target, deadline, on_step)
                .await
                .map(Self::Hik),
        }
    }

    pub fn identity(&self) -> &Identity {
        match self {
            Self::Zk(terminal) => terminal.identity(),
            Self::Hik(terminal) => terminal.identity(),
        }
    }

    /// By which transport it answers, where that had to be found out.
    pub fn transport(&self) -> Option<Transport> {
        match self {
            Self::Zk(terminal) => Some(terminal.transport()),
            Self::Hik(_) => None,
        }
    }

    /// The certificate it showed; none without TLS.
    pub fn certificate(&self) -> Option<CertificatePin> {
        match self {
            Self::Zk(_) => None,
            Self::Hik(terminal) => terminal.certificate(),
        }
    }

    /// Reads what is new since `position` (everything when it is empty), the clock first.
    ///
    /// # Errors
    /// See [`TerminalError`]. Nothing of a failed read may be stored.
    pub async fn read(
        &mut self,
        position: &ReadPosition,
        now: &(dyn Fn() -> Timestamp + Send + Sync),
    ) -> Result<Reading, TerminalError> {
        match self {
            Self::Zk(terminal) => terminal.read(position, now).await,
            Self::Hik(terminal) => terminal.read(position, now).await,
        }
    }

    /// The terminal's wall clock, as it shows it.
    ///
    /// # Errors
    /// See [`TerminalError`].
    pub async fn clock(&mut self) -> Result<DateTime, TerminalError> {
        match self {
            Self::Zk(terminal) => terminal.clock().await,
            Self::Hik(terminal) => Ok(terminal.clock().await?.local.clock),
        }
    }

    /// Sets the terminal's clock to what `wall` says when it is sent, and reads what it shows then. Its log stays as it is.
    ///
    /// # Errors
    /// See [`TerminalError`]; `Refused` when it shows another time afterwards.
    pub async fn set_clock(
        &mut self,
        wall: &(dyn Fn() -> DateTime + Send + Sync),
    ) -> Result<ClockSet, TerminalError> {
        match self {
            Self::Zk(terminal) => terminal.set_clock(wall).await,
            Self::Hik(terminal) => terminal.set_clock(wall).await,
        }
    }

    /// Whether somebody else sets the terminal's clock: a time server or a platform. Who sets it, ends that.
    ///
    /// # Errors
    /// See [`TerminalError`].
    pub async fn clock_is_set_from_outside(&mut self) -> Result<bool, TerminalError> {
        match self {
            Self::Zk(_) => Ok(false),
            Self::Hik(terminal) => Ok(terminal.clock().await?.is_set_from_outside()),
        }
    }

    /// The terminal's whole user list, in its order.
    ///
    /// # Errors
    /// See [`TerminalError`].
    pub async fn users(&mut self) -> Result<Vec<DeviceUser>, TerminalError> {
        match self {
            Self::Zk(terminal) => terminal.users().await,
            Self::Hik(terminal) => terminal.users().await,
        }
    }

    /// Streams every punch the terminal holds, in the order of its log, in batches; memory does not grow with the log.
    ///
    /// # Errors
    /// See [`TerminalError`]. After an error the batches so far are not the whole log, and may be wrong.
    pub async fn punches(
        &mut self,
        on_batch: &mut (dyn FnMut(&[Punch]) + Send),
    ) -> Result<LogRead, TerminalError> {
        match self {
            Self::Zk(terminal) => terminal.punches(on_batch).await,
            Self::Hik(terminal) => terminal.punches(on_batch).await,
        }
    }

    /// Gives what follows another deadline.
    pub fn renew(&mut self, deadline: Deadline) {
        match self {
            Self::Zk(terminal) => terminal.renew(deadline),
            Self::Hik(terminal) => terminal.renew(deadline),
        }
    }

    /// Has pictures of punches handed out too, where the terminal tells any. To be said before [`Self::listen`].
    pub fn want_pictures(&mut self) {
        match self {
            Self::Zk(_) => {}
            Self::Hik(terminal) => terminal.want_pictures(),
        }
    }

    /// Asks the terminal to tell each punch when it is made; see [`Self::next_live`].
    ///
    /// # Errors
    /// See [`TerminalError`]; one that [`TerminalError::is_of_live_only`] leaves it to be read.
    pub async fn listen(&mut self) -> Result<(), TerminalError> {
        match self {
            Self::Zk(terminal) => terminal.listen().await,
            Self::Hik(terminal) => terminal.listen().await,
        }
    }

    /// What the terminal tells next; `None` when it has been quiet for so long. Each is to be acknowledged when it is kept.
    ///
    /// # Errors
    /// See [`TerminalError`]. A terminal that has gone away without a word stays quiet: ask for its clock now and then.
    pub async fn next_live(&mut self, quiet: Duration) -> Result<Option<Live>, TerminalError> {
        match self {
            Self::Zk(terminal) => terminal.next_live(quiet).await,
            Self::Hik(terminal) => terminal.next_live(quiet).await,
        }
    }

    /// Tells the terminal that what it told last is kept.
    ///
    /// # Errors
    /// See [`TerminalError`].
    pub async fn acknowledge(&mut self) -> Result<(), TerminalError> {
        match self {
            Self::Zk(terminal) => terminal.acknowledge().await,
            Self::Hik(_) => Ok(()), // a stream is not answered
        }
    }

    /// Whether an answer shows that everything recorded before has been told. Not where it comes by another connection.
    pub fn tells_before_it_answers(&self) -> bool {
        match self {
            Self::Zk(_) => true,
            Self::Hik(_) => false,
        }
    }

    /// How long a terminal may be quiet before it is asked for its clock, where `usual` is usual. One that answers by other
    /// connections is asked less often.
    pub fn quiet(&self, usual: Duration) -> Duration {
        match self {
            Self::Zk(_) => usual,
            Self::Hik(_) => usual * 2,
        }
    }

    /// Has the terminal call us when something happens, where it can be told so; nothing is written when it does already, and
    /// never where it calls somebody else.
    ///
    /// # Errors
    /// See [`TerminalError`]; `Refused` when it has no place left, or does not keep what it was told.
    pub async fn arm(&mut self, here: &CallHere) -> Result<Armed, TerminalError> {
        match self {
            Self::Zk(_) => Ok(Armed::ByHand),
            Self::Hik(terminal) => terminal.arm(here).await,
        }
    }

    /// Has the terminal call us no more, where [`Self::arm`] had it.
    ///
    /// # Errors
    /// See [`TerminalError`].
    pub async fn disarm(&mut self, here: &CallHere) -> Result<(), TerminalError> {
        match self {
            Self::Zk(_) => Ok(()),
            Self::Hik(terminal) => terminal.disarm(here).await,
        }
    }

    /// Ends the conversation politely; a terminal with one connection is free again at once.
    pub async fn close(self) {
        match self {
            Self::Zk(terminal) => terminal.close().await,
            Self::Hik(terminal) => terminal.close().await,
        }
    }
}

/// What a terminal showed after its clock was set, and what it should have shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClockSet {
    pub shows: DateTime,
    pub should: DateTime,
    /// It was set by a time server or a platform until now.
    pub left_time_server: bool,
}

/// Setting it takes a moment, and a clock has whole seconds.
const CLOCK_SET_WITHIN_S: u64 = 2;

pub(crate) fn checked(shows: DateTime, should: DateTime) -> Result<ClockSet, TerminalError> {
    let off = shows.duration_since(should).as_secs();
    if off.unsigned_abs() > CLOCK_SET_WITHIN_S {
        return Err(TerminalError::Refused {
            step: Step::Clock,
            detail: format!("it was set to {should} and shows {shows}"),
        });
    }
    Ok(ClockSet {
        shows,
        should,
        left_time_server: false,
    })
}

/// One poll: connect, read, close, all within `deadline`; the goodbye may take half a second more. A time-out names the step
/// that was running.
///
/// # Errors
/// See [`TerminalError`].
pub async fn read(
    target: &Target,
    position: &ReadPosition,
    deadline: Duration,
    now: &(dyn Fn() -> Timestamp + Send + Sync),
) -> Result<Reading, TerminalError> {
    let deadline = Deadline::after(deadline);
    let mut terminal = Terminal::connect_within(target, deadline).await?;
    let reading = terminal.read(position, now).await;
    terminal.close().await;
    reading
}

//! ZKTeco terminals on port 4370, over TCP or UDP.
//!
//! Owns the order of the conversation and what the terminal's numbers mean in our words. Reading changes nothing: the
//! terminal is never disabled, no option is written, no log is cleared. Protocol facts: `docs/devices/zkteco.md`.

mod clock;
mod connection;
mod discover;
mod link;
mod live;
mod position;
mod writing;

use attendance::{DeviceUserId, Punch, PunchState, VerifyMode};
use jiff::civil::DateTime;
use jiff::tz::Offset;
use jiff::{SignedDuration, Timestamp, ToSpan};
use zk_proto::bulk::Wanted;
use zk_proto::users::UserList;
use zk_proto::{
    Counters, Entry, Layout, LogDecoder, LogError, LogHints, LogSummary, Record, UserIndex,
    command, options, users,
};

use crate::steps::Steps;
use crate::{
    Deadline, DeviceUser, Identity, OnStep, ParkedRecord, ReadPosition, Reading, Step, Target,
    TerminalError, Transport, same_serial,
};
use connection::{Connection, Counted};
use position::{Position, hex, people};

pub(crate) use discover::who_is_at;

/// Far above the largest log sold, 200,000 records of at most 49 bytes.
const MAX_LOG_LEN: u32 = 16 << 20;
/// Likewise: 200,000 users.
const MAX_USERS_LEN: u32 = 16 << 20;
/// Punches that [`ZkTerminal::punches`] hands out together: few enough to stay in the processor's nearest cache.
const BATCH: usize = 256;
/// How many records that cannot be understood [`ZkTerminal::punches`] shows.
const PARKED_SHOWN: usize = 100;
/// How many of them a read hands on with their bytes; the others are counted.
const PARKED_KEPT: usize = 1000;

/// A signed-in connection.
#[derive(Debug)]
pub struct ZkTerminal {
    connection: Connection,
    identity: Identity,
    /// Whose internal numbers are whose, once live punches need it.
    numbers: Option<UserIndex>,
    /// Where it is, to come back once more and unblock it.
    target: Target,
    /// Keypad and sensors are blocked by us.
    blocked: bool,
}

/// What a streamed log was.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogRead {
    /// Records in the log, the rejected ones among them.
    pub records: u64,
    pub rejected: u64,
    /// The first of the rejected records.
    pub parked: Vec<ParkedRecord>,
}

impl ZkTerminal {
    /// Connects, signs in with the comm key if the terminal wants one, and compares the serial number.
    ///
    /// # Errors
    /// See [`TerminalError`]. The session is ended on every failure after it began.
    pub async fn connect(target: &Target, deadline: Deadline) -> Result<Self, TerminalError> {
        Self::connect_watched(target, deadline, &mut |_, _| {}).await
    }

    /// Like [`ZkTerminal::connect`], and tells `on_step` what is done: socket and session, signing in, the identity.
    ///
    /// # Errors
    /// See [`TerminalError`].
    pub async fn connect_watched(
        target: &Target,
        deadline: Deadline,
        on_step: OnStep<'_>,
    ) -> Result<Self, TerminalError> {
        let mut steps = Steps::begin(on_step);
        if target.transport != Transport::Unknown {
            return Self::connect_by(target, target.transport, deadline, &mut steps).await;
        }
        let tcp = Self::connect_by(target, Transport::Tcp, deadline, &mut steps).await;
        if !tcp.as_ref().is_err_and(is_unanswered) {
            return tcp;
        }
        // Some old models answer over UDP alone.
        match Self::connect_by(target, Transport::Udp, deadline, &mut steps).await {
            Err(error) if is_unanswered(&error) => tcp,
            udp => udp,
        }
    }

    async fn connect_by(
        target: &Target,
        transport: Transport,
        deadline: Deadline,
        steps: &mut Steps<'_>,
    ) -> Result<Self, TerminalError> {
        let mut terminal = Self::open(target, transport, deadline).await?;
        match terminal.introduce(target, steps).await {
            Ok(()) => Ok(terminal),
            Err(error) => {
                terminal.close().await;
                Err(error)
            }
        }
    }

    async fn introduce(
        &mut self,
        target: &Target,
        steps: &mut Steps<'_>,
    ) -> Result<(), TerminalError> {
        let wants_key = self.greet().await?;
        steps.done(Step::Connect);
        if wants_key {
            self.sign_in(target.credentials.comm_key).await?;
        }
        steps.done(Step::SignIn);
        self.identify(target).await?;
        steps.done(Step::Identify);
        Ok(())
    }

    /// Opens the socket and sends nothing.
    pub(crate) async fn open(
        target: &Target,
        transport: Transport,
        deadline: Deadline,
    ) -> Result<Self, TerminalError> {
        let connection = Connection::open(target, transport, deadline).await?;
        Ok(Self::over(connection, target.clone()))
    }

    fn over(connection: Connection, target: Target) -> Self {
        Self {
            connection,
            identity: Identity::default(),
            numbers: None,
            target,
            blocked: false,
        }
    }

    /// Opens a session; whether the terminal wants a comm key for it.
    pub(crate) async fn greet(&mut self) -> Result<bool, TerminalError> {
        self.connection.greet().await
    }

    /// Sends the comm key that the terminal wants, once.
    pub(crate) async fn sign_in(&mut self, comm_key: Option<u32>) -> Result<(), TerminalError> {
        self.connection.sign_in(comm_key).await
    }

    /// Reads who the terminal is and compares its serial number.
    pub(crate) async fn identify(&mut self, target: &Target) -> Result<(), TerminalError> {
        self.identity.serial = self.serial().await?;
        if let Some(expected) = &target.serial
            && !same_serial(expected, &self.identity.serial)
        {
            return Err(TerminalError::WrongSerial {
                address: target.address(),
                expected: expected.clone(),
                found: self.identity.serial.clone(),
            });
        }
        self.identity.model = self.option(options::MODEL).await?.unwrap_or_default();
        let version = self
            .connection
            .ask_if_known(Step::Identify, command::GET_VERSION, &[])
            .await?;
        self.identity.firmware = version.map(options::text).unwrap_or_default();
        self.counters().await?;
        Ok(())
    }

    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// By which it answers.
    pub fn transport(&self) -> Transport {
        self.connection.transport()
    }

    /// The serial number, or where a model has none, its MAC address.
    async fn serial(&mut self) -> Result<String, TerminalError> {
        for name in [options::SERIAL_NUMBER, options::MAC] {
            let value = self.option(name).await?;
            if let Some(value) = value.filter(|value| !value.is_empty()) {
                return Ok(value);
            }
        }
        Ok(String::new())
    }

    async fn option(&mut self, name: &str) -> Result<Option<String>, TerminalError> {
        let answer = self
            .connection
            .ask_if_known(
                Step::Identify,
                command::OPTIONS_RRQ,
                &options::request(name),
            )
            .await?;
        Ok(answer.and_then(options::value))
    }

    /// How much the terminal holds. One that does not tell is no failure.
    async fn counters(&mut self) -> Result<Counters, TerminalError> {
        let counters = self
            .connection
            .ask_if_known(Step::Counters, command::GET_FREE_SIZES, &[])
            .await?
            .map(Counters::decode)
            .unwrap_or_default();
        self.identity.users = counters.users;
        self.identity.records = counters.records;
        self.identity.record_capacity = counters.record_capacity;
        Ok(counters)
    }

    /// The terminal's user list, in its order.
    ///
    /// # Errors
    /// See [`TerminalError`].
    pub async fn users(&mut self) -> Result<Vec<DeviceUser>, TerminalError> {
        let counters = self.counters().await?;
        let list = self.user_list(&counters).await?;
        Ok(device_users(&list))
    }

    async fn user_list(&mut self, counters: &Counters) -> Result<UserList, TerminalError> {
        self.user_list_at(Step::Users, counters.users).await
    }

    async fn user_list_at(
        &mut self,
        step: Step,
        counted: Option<u32>,
    ) -> Result<UserList, TerminalError> {
        let body = self
            .whole(step, Wanted::Users, counted, MAX_USERS_LEN)
            .await?;
        users::decode(&body, counted).map_err(|error| TerminalError::Malformed {
            step,
            detail: error.to_string(),
        })
    }

    /// A large answer in one piece.
    async fn whole(
        &mut self,
        step: Step,
        wanted: Wanted,
        counted: Option<u32>,
        limit: u32,
    ) -> Result<Vec<u8>, TerminalError> {
        let mut body = Vec::new();
        let prepared = self
            .connection
            .prepare(step, wanted, Counted::of(counted), limit, &mut body)
            .await?;
        if let Some(size) = prepared {
            self.connection
                .download(step, 0..size, |part| {
                    body.extend_from_slice(part);
                    Ok::<_, TerminalError>(())
                })
                .await?;
            self.connection.free(step).await;
        }
        Ok(body)
    }

    /// Reads the clock, the counters, the users where they may have changed, and the log where it may have changed.
    ///
    /// A cycle in which nothing is new costs a handful of packets of less than a hundred bytes, one with new punches those and
    /// one record more. Cheaper would be to compare the record counter alone, but a log that was cleared and filled again can
    /// have the same count, and some models count 0 whatever they hold; so the size and the last record that was read are
    /// compared too.
    ///
    /// # Errors
    /// See [`TerminalError`]. A failed user list ends the read before any record that names users by internal number.
    pub async fn read(
        &mut self,
        position: &ReadPosition,
        now: &(dyn Fn() -> Timestamp + Send + Sync),
    ) -> Result<Reading, TerminalError> {
        let known = Position::parse(position);
        let clock = self.clock().await?;
        let seen_at = now();
        let counters = self.counters().await?;

        let mut list = None;
        if known
            .as_ref()
            .is_none_or(|known| known.users_due(&counters, seen_at))
        {
            list = Some(self.user_list(&counters).await?);
        }
        let (log, index) = loop {
            let index = list.as_ref().map(|list| match &known {
                Some(known) => known
                    .numbers
                    .clone()
                    .renewed(&list.users, known.users_read_at),
                None => UserIndex::of(&list.users),
            });
            let hints = LogHints {
                count: counters.records,
                latest: Some(latest_punch(clock, seen_at)),
                users: index.as_ref(),
            };
            match self.changed_log(known.as_ref(), &counters, hints).await {
                Ok(log) => break (log, index),
                Err(LogFailure::UsersNeeded) => list = Some(self.user_list(&counters).await?),
                Err(LogFailure::Terminal(error)) => return Err(error),
            }
        };

        let mut missing = 0;
        if let Some(log) = &log
            && counters
                .records
                .is_some_and(|counted| u64::from(counted) > log.records)
        {
            // It may have been cleared in between; a punch in between would make the log longer.
            let counted = self.counters().await?.records.unwrap_or(0);
            missing = u64::from(counted).saturating_sub(log.records);
        }
        let (users_read_ms, users_read_at) = match (&list, &known) {
            (None, Some(known)) => (known.users_read_ms, known.users_read_at),
            _ => (seen_at.as_millisecond(), clock),
        };
        // What was cleared away since the last read may have held more than that read brought.
        let shrank = |log: &Log| known.as_ref().is_some_and(|known| log.size < known.size);
        let log_lost = log.as_ref().is_some_and(shrank);
        let known_numbers = known.as_ref().map(|known| known.numbers.clone());
        let numbers = index.or(known_numbers).unwrap_or_default();
        let mut log = match (log, known) {
            (Some(log), _) => log,
            (None, Some(known)) => Log::unchanged(known),
            (None, None) => unreachable!("without a position the log is read"),
        };
        let needs_users = log.layout.is_some_and(Layout::needs_users);
        if let Some(list) = &list {
            log.rejected += list.rejected.len() as u64;
            let room = PARKED_KEPT.saturating_sub(log.parked.len());
            log.parked
                .extend(list.rejected.iter().take(room).map(|bytes| ParkedRecord {
                    bytes: bytes.clone(),
                    reason: "a user without a readable id".to_owned(),
                }));
        }
        Ok(Reading {
            identity: self.identity.clone(),
            transport: Some(self.transport()),
            clock,
            seen_at,
            users: list.as_ref().map(device_users),
            punches: log.punches,
            parked: log.parked,
            rejected: log.rejected,
            missing,
            complete: true,
            log_lost,
            position: Position {
                records: counters.records,
                people: people(&counters),
                size: log.size,
                held: log.records,
                layout: log.layout,
                last: log.last,
                whole_only: log.whole_only,
                users_read_ms,
                users_read_at,
                numbers: match needs_users {
                    true => numbers,
                    false => UserIndex::default(),
                },
            }
            .store(),
        })
    }

    /// What the log has that it had not at `known`: all of it where that cannot be told, `None` when nothing.
    async fn changed_log(
        &mut self,
        known: Option<&Position>,
        counters: &Counters,
        hints: LogHints<'_>,
    ) -> Result<Option<Log>, LogFailure> {
        // "No such record" is no empty log where there was one before.
        let was_empty = known.is_none_or(|known| known.last.is_empty());
        let counted = Counted {
            held: hints.count,
            may_be_none: was_empty,
        };
        let mut body = Vec::new();
        let mut prepared = self.prepare_log(counted, &mut body).await?;
        let size = prepared.unwrap_or(body.len() as u32);
        let mut log = Log {
            whole_only: known.is_some_and(|known| known.whole_only),
            ..Log::default()
        };
        // What came instead of the end of the log.
        let mut instead = Vec::new();
        if let Some(known) = known.filter(|known| known.may_go_on(counters, size)) {
            match prepared {
                None => {
                    if body.len() as u32 == known.size && ends_with(&body, &known.last) {
                        return Ok(None);
                    }
                }
                Some(_) if known.whole_only => {}
                Some(size) => match self.log_since(known, size, hints).await? {
                    Since::Nothing => return Ok(None),
                    Since::Added(log) => return Ok(Some(log)),
                    Since::Other(bytes) => instead = bytes,
                    Since::Refused => {
                        log.whole_only = true;
                        prepared = self.prepare_log(counted, &mut body).await?;
                    }
                },
            }
        }

        log.size = prepared.unwrap_or(body.len() as u32);
        let mut start = Vec::new();
        let mut decoder = LogDecoder::new(hints);
        self.stream_log(prepared, &body, |part| {
            let lacking = instead.len() - start.len();
            start.extend_from_slice(&part[..part.len().min(lacking)]);
            decoder.feed(part, |entry| log.take(entry))
        })
        .await?;
        // A terminal that ignores the offset sends the log from its start.
        log.whole_only |= !instead.is_empty() && start == instead;
        log.ends(decoder.finish()?);
        Ok(Some(log))
    }

    /// Reads the prepared log from the last record of `known` on.
    async fn log_since(
        &mut self,
        known: &Position,
        size: u32,
        hints: LogHints<'_>,
    ) -> Result<Since, LogFailure> {
        let Some(layout) = known.layout else {
            self.connection.free(Step::Punches).await;
            return Ok(Since::Nothing); // still empty
        };
        if size > known.size && layout.needs_users() && hints.users.is_none() {
            return Err(LogFailure::UsersNeeded);
        }
        let mut log = Log {
            size,
            ..Log::default()
        };
        let record = known.record_size();
        let mut decoder = LogDecoder::tail(hints, layout, known.held, size - known.size);
        let mut first = Vec::new();
        let read = self
            .connection
            .download(Step::Punches, known.size - record..size, |part| {
                let lacking = record as usize - first.len();
                let (known_part, added) = part.split_at(part.len().min(lacking));
                first.extend_from_slice(known_part);
                decoder
                    .feed(added, |entry| log.take(entry))
                    .map_err(LogFailure::from)
            })
            .await;
        match read {
            Ok(()) => {}
            // It cannot give a part alone. What it still sends of it is told apart by its number.
            Err(LogFailure::Terminal(
                TerminalError::TooLarge { .. }
                | TerminalError::NotOffered { .. }
                | TerminalError::Refused { .. }
                | TerminalError::Malformed { .. },
            )) => return Ok(Since::Refused),
            Err(error) => return Err(error),
        }
        match decoder.finish() {
            Ok(_) if hex(&first) != known.last => Ok(Since::Other(first)),
            // What does not look like records either is judged with all the others.
            Err(_) => Ok(Since::Other(first)),
            Ok(summary) => {
                self.connection.free(Step::Punches).await;
                if size == known.size {
                    return Ok(Since::Nothing);
                }
                log.ends(summary);
                Ok(Since::Added(log))
            }
        }
    }

    async fn prepare_log(
        &mut self,
        counted: Counted,
        body: &mut Vec<u8>,
    ) -> Result<Option<u32>, TerminalError> {
        self.connection
            .prepare(Step::Punches, Wanted::Log, counted, MAX_LOG_LEN, body)
            .await
    }

    async fn stream_log(
        &mut self,
        prepared: Option<u32>,
        body: &[u8],
        mut feed: impl FnMut(&[u8]) -> Result<(), LogError>,
    ) -> Result<(), LogFailure> {
        let step = Step::Punches;
        match prepared {
            None => feed(body)?,
            Some(size) => {
                self.connection
                    .download(step, 0..size, |part| feed(part).map_err(LogFailure::from))
                    .await?;
                self.connection.free(step).await;
            }
        }
        Ok(())
    }

    /// Streams the whole log in batches, in its order, holding one batch at a time.
    ///
    /// # Errors
    /// See [`TerminalError`]. After an error the batches so far may be wrong and are not the whole log.
    pub async fn punches(
        &mut self,
        mut on_batch: impl FnMut(&[Punch]) + Send,
    ) -> Result<LogRead, TerminalError> {
        let clock = self.clock().await?;
        let counters = self.counters().await?;
        let mut index = None;
        loop {
            let hints = LogHints {
                count: counters.records,
                latest: clock.checked_add(1.day()).ok(),
                users: index.as_ref(),
            };
            match self.stream_punches(hints, &mut on_batch).await {
                Ok(read) => return Ok(read),
                Err(LogFailure::UsersNeeded) => {
                    let list = self.user_list(&counters).await?;
                    index = Some(UserIndex::of(&list.users));
                }
                Err(LogFailure::Terminal(error)) => return Err(error),
            }
        }
    }

    async fn stream_punches(
        &mut self,
        hints: LogHints<'_>,
        on_batch: &mut (impl FnMut(&[Punch]) + Send),
    ) -> Result<LogRead, LogFailure> {
        let mut body = Vec::new();
        let prepared = self
            .prepare_log(Counted::of(hints.count), &mut body)
            .await?;
        let mut read = LogRead::default();
        let mut batch = Vec::with_capacity(BATCH);
        let mut decoder = LogDecoder::new(hints);
        self.stream_log(prepared, &body, |part| {
            decoder.feed(part, |entry| match entry {
                Entry::Record(record) => {
                    if batch.len() == BATCH {
                        on_batch(&batch);
                        batch.clear();
                    }
                    batch.push(punch(&record));
                }
                Entry::Rejected { bytes, reason, .. } => {
                    if read.parked.len() < PARKED_SHOWN {
                        read.parked.push(ParkedRecord {
                            bytes: bytes.to_vec(),
                            reason: reason.to_string(),
                        });
                    }
                }
            })
        })
        .await?;
        if !batch.is_empty() {
            on_batch(&batch);
        }
        let summary = decoder.finish()?;
        read.records = summary.records;
        read.rejected = summary.rejected;
        Ok(read)
    }

    /// Ends the conversation: EXIT is sent, and its answer awaited for half a second.
    pub async fn close(mut self) {
        self.connection.exit().await;
    }
}

/// Nothing at all came back: what answers by another transport is not known to be wrong.
pub(crate) fn is_unanswered(error: &TerminalError) -> bool {
    matches!(
        error,
        TerminalError::Unreachable { .. }
            | TerminalError::Timeout {
                step: Step::Connect,
                ..
            }
            | TerminalError::Cut {
                step: Step::Connect,
                ..
            }
    )
}

/// What was read of a log.
#[derive(Default)]
struct Log {
    punches: Vec<Punch>,
    parked: Vec<ParkedRecord>,
    /// Of the whole log: bytes, records, and how these are laid out.
    size: u32,
    records: u64,
    layout: Option<Layout>,
    /// Its last record, in hex.
    last: String,
    /// Of the records that were read.
    rejected: u64,
    whole_only: bool,
}

impl Log {
    fn unchanged(known: Position) -> Self {
        Self {
            size: known.size,
            records: known.held,
            layout: known.layout,
            last: known.last,
            whole_only: known.whole_only,
            ..Self::default()
        }
    }

    fn take(&mut self, entry: Entry<'_>) {
        match entry {
            Entry::Record(record) => self.punches.push(punch(&record)),
            Entry::Rejected { bytes, reason, .. } if self.parked.len() < PARKED_KEPT => {
                self.parked.push(ParkedRecord {
                    bytes: bytes.to_vec(),
                    reason: reason.to_string(),
                });
            }
            Entry::Rejected { .. } => {}
        }
    }

    fn ends(&mut self, summary: LogSummary) {
        self.records = summary.records;
        self.rejected = summary.rejected;
        self.layout = summary.layout;
        self.last = hex(&summary.last);
    }
}

/// What a log has after the last record that was read before.
enum Since {
    Nothing,
    Added(Log),
    /// Another record stands there: its bytes. The log is prepared still.
    Other(Vec<u8>),
    /// The terminal gives no part alone.
    Refused,
}

fn ends_with(body: &[u8], last: &str) -> bool {
    let end = body.len().saturating_sub(last.len() / 2);
    hex(&body[end..]) == last
}

/// Why a log was not read.
enum LogFailure {
    /// Read the user list and try again; nothing has been taken from the log.
    UsersNeeded,
    Terminal(TerminalError),
}

impl From<TerminalError> for LogFailure {
    fn from(error: TerminalError) -> Self {
        Self::Terminal(error)
    }
}

impl From<LogError> for LogFailure {
    fn from(error: LogError) -> Self {
        match error {
            LogError::UsersNeeded => Self::UsersNeeded,
            error => Self::Terminal(TerminalError::Malformed {
                step: Step::Punches,
                detail: error.to_string(),
            }),
        }
    }
}

/// No punch is later: a day after the terminal's clock or, as that may have been reset, a day after the latest wall time on
/// earth.
fn latest_punch(clock: DateTime, now: Timestamp) -> DateTime {
    let earth = Offset::constant(14).to_datetime(now);
    let latest = clock.max(earth);
    latest
        .checked_add(SignedDuration::from_hours(24))
        .unwrap_or(latest)
}

fn device_users(list: &UserList) -> Vec<DeviceUser> {
    list.users
        .iter()
        .map(|user| DeviceUser {
            id: device_user_id(user.id.as_bytes()),
            name: list.encoding.decode(&user.name),
            admin: user.is_admin(),
            card: (user.card != 0).then(|| user.card.to_string()),
        })
        .collect()
}

fn punch(record: &Record<'_>) -> Punch {
    Punch {
        user: device_user_id(record.user_id),
        clock: record.clock,
        offset: None,
        state: punch_state(record.state),
        verify: verify_mode(record.verify),
        record: record.index,
    }
}

fn device_user_id(id: &[u8]) -> DeviceUserId {
    DeviceUserId::from_bytes(id).expect("the decoder gives ids of 1 to 24 printable characters")
}

fn punch_state(state: u8) -> PunchState {
    match state {
        0 => PunchState::In,
        1 => PunchState::Out,
        2 => PunchState::BreakOut,
        3 => PunchState::BreakIn,
        4 => PunchState::OvertimeIn,
        5 => PunchState::OvertimeOut,
        _ => PunchState::None, // 255 on terminals without function keys
    }
}

/// The sources disagree about 0 and 2, where one has password and card, the other "any" and "id only"; we follow the first,
/// which was captured. They agree about 1. The rest is only in the second.
fn verify_mode(verify: u8) -> VerifyMode {
    match verify {
        1 => VerifyMode::Finger,
        0 | 3 => VerifyMode::Password,
        2 | 4 => VerifyMode::Card,
        8..=14 => VerifyMode::Combined,
        15 => VerifyMode::Face,
        _ => VerifyMode::Unknown, // 5 to 7 are "either of two"
    }
}

//! The live stream of a terminal: opened once, listened to in the background, handed out punch by punch.
//!
//! What it tells is a hint, because the log has it too. So it holds little: history that is sent again only says whether the log
//! has something unread, and what is lost, garbled or too much at once is answered by reading.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::io;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use attendance::{DeviceUserId, Punch};
use hik_proto::{
    Content, Notification, Part, PartSplitter, Piece, ResponseStatus, Subscription, Told,
    decode_listeners, paths,
};
use jiff::civil::DateTime;
use jiff::tz::Offset;
use reqwest::{Response, StatusCode, header};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::http::{self, Answer, Denied, Opened, io_error};
use super::log::{Offsets, Sorted, is_elsewhere, sort_out};
use super::{HikLimits, HikTerminal};
use crate::{Deadline, Identity, Live, ParkedRecord, Picture, Step, TerminalError};

const STEP: Step = Step::Live;
/// Punches that wait to be taken, while the log is read; of more only that they are in the log is known.
const MOST_WAITING: usize = 1000;
/// Of an event that cannot be understood so many bytes wait with it.
const MOST_OF_UNCLEAR: usize = 4000;
/// Pictures that wait, and how large each may be.
const MOST_PICTURES: usize = 16;
const MOST_OF_PICTURE: usize = 200_000;
/// A part that is larger than anything a terminal sends does not end.
const MOST_OF_PART: u64 = 64 << 20;
/// A terminal that asks for patience between two streams.
const BEFORE_AGAIN: Duration = Duration::from_millis(1500);
/// So many readings in a row have brought punches that the stream did not tell, and it told none.
const MUTE_AFTER: u32 = 2;
/// Terminals of which it is known how they tell, and for how long.
const MOST_KNOWN: usize = 10_000;
const MANNER_LASTS: Duration = Duration::from_secs(24 * 3600);

/// How a terminal tells its punches. Found out by listening, and again after a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Manner {
    Stream,
    Subscription(Subscription),
    /// In no way that we know.
    Mute,
}

type Firmware = (String, String);

static MANNERS: LazyLock<Mutex<HashMap<Firmware, (Manner, Instant)>>> =
    LazyLock::new(Mutex::default);

fn firmware(identity: &Identity) -> Firmware {
    (identity.serial.clone(), identity.firmware.clone())
}

fn manner_of(identity: &Identity) -> Manner {
    match lock(&MANNERS).get(&firmware(identity)) {
        Some((manner, since)) if since.elapsed() < MANNER_LASTS => *manner,
        _ => Manner::Stream,
    }
}

fn remember(identity: &Identity, manner: Manner) {
    let mut manners = lock(&MANNERS);
    if manners.len() >= MOST_KNOWN {
        manners.retain(|_, (_, since)| since.elapsed() < MANNER_LASTS);
    }
    if manners.len() < MOST_KNOWN {
        manners.insert(firmware(identity), (manner, Instant::now()));
    }
}

impl HikTerminal {
    /// Has the pictures of punches handed out too.
    pub fn want_pictures(&mut self) {
        self.wants_pictures = true;
    }

    fn begin(&self, response: Response) -> Stream {
        Stream::begin(response, self.http.limits(), self.wants_pictures)
    }

    /// Asks the terminal to tell each punch when it is made. From now on [`Self::next_live`] hands them out, also those that come
    /// while the log is read.
    ///
    /// # Errors
    /// See [`TerminalError`]; `StreamFull` when others hold all places of the stream, `StreamMute` when it tells no punches.
    pub async fn listen(&mut self) -> Result<(), TerminalError> {
        self.stream = None;
        let response = match manner_of(&self.identity) {
            Manner::Stream => match self.open_alert_stream().await? {
                Ok(response) => response,
                Err(_) => self.subscribe().await?,
            },
            Manner::Subscription(body) => match self.try_subscription(body).await? {
                Ok(response) => response,
                Err(_) => self.subscribe().await?,
            },
            Manner::Mute => return Err(TerminalError::StreamMute),
        };
        self.stream = Some(self.begin(response));
        Ok(())
    }

    /// What the terminal tells next; `None` when it has been quiet for so long.
    ///
    /// # Errors
    /// See [`TerminalError`]. A terminal without heartbeats that has gone away without a word stays quiet: ask for its clock now
    /// and then.
    pub async fn next_live(&mut self, quiet: Duration) -> Result<Option<Live>, TerminalError> {
        match &self.stream {
            Some(stream) => stream.next(quiet).await,
            None => Err(TerminalError::Refused {
                step: STEP,
                detail: "it has not been asked to tell".to_owned(),
            }),
        }
    }

    /// Compares what a reading has found with what was told, and looks for another way where punches are not told.
    /// `read_up_to` is the newest serial number of the log, `clock` what the terminal's own clock says of its offset.
    pub(super) async fn compare(
        &mut self,
        punches: &[Punch],
        read_up_to: Option<u64>,
        clock: Option<Offset>,
        offsets: Offsets,
    ) {
        let Some(stream) = &self.stream else {
            return;
        };
        stream.heard.ear().learn_offsets(clock, offsets);
        if !stream.is_mute(punches, read_up_to) {
            return;
        }
        self.stream = None; // its place at the terminal is free again
        let other = match manner_of(&self.identity) {
            Manner::Stream => match self.http.pause(STEP, BEFORE_AGAIN).await {
                Ok(()) => self.subscribe().await,
                Err(error) => Err(error),
            },
            Manner::Subscription(_) | Manner::Mute => {
                remember(&self.identity, Manner::Mute);
                Err(TerminalError::StreamMute)
            }
        };
        let stream = match other {
            Ok(response) => self.begin(response),
            Err(error) => Stream::over(error),
        };
        stream.is_mute(&[], read_up_to);
        stream.heard.ear().learn_offsets(clock, offsets);
        self.stream = Some(stream);
    }

    /// `Err` inside: there is no such thing, or not for this account.
    pub(super) async fn open_alert_stream(
        &mut self,
    ) -> Result<Result<Response, Refusal>, TerminalError> {
        let mut refusal = match self.try_stream(paths::STREAM).await? {
            Ok(response) => return Ok(Ok(response)),
            Err(refusal) => refusal,
        };
        if refusal.status == StatusCode::BAD_REQUEST {
            // So some firmware answers who asks twice in quick succession, if only for the challenge.
            self.http.pause(STEP, BEFORE_AGAIN).await?;
            refusal = match self.try_stream(paths::STREAM).await? {
                Ok(response) => return Ok(Ok(response)),
                Err(refusal) => refusal,
            };
        }
        if matches!(
            refusal.status,
            StatusCode::BAD_REQUEST | StatusCode::NOT_FOUND
        ) {
            refusal = match self.try_stream(paths::PLAIN_STREAM).await? {
                Ok(response) => return Ok(Ok(response)),
                Err(refusal) => refusal,
            };
        }
        match refusal.is_unknown() {
            true => Ok(Err(refusal)),
            false => Err(refusal.into_error()),
        }
    }

    /// The first subscription that is taken.
    async fn subscribe(&mut self) -> Result<Response, TerminalError> {
        for body in Subscription::ALL {
            match self.try_subscription(body).await? {
                Ok(response) => {
                    remember(&self.identity, Manner::Subscription(body));
                    return Ok(response);
                }
                Err(refusal) if refusal.is_passing() => return Err(refusal.into_error()),
                Err(refusal) if refusal.is_unknown() => break,
                Err(_) => {}
            }
        }
        remember(&self.identity, Manner::Mute);
        Err(TerminalError::StreamMute)
    }

    async fn try_subscription(
        &mut self,
        body: Subscription,
    ) -> Result<Result<Response, Refusal>, TerminalError> {
        let content = http::Content::of(body.encode());
        let opened = self.http.open_stream(STEP, body.path(), Some(&content));
        let opened = opened.await?;
        self.sorted(opened).await
    }

    async fn try_stream(&mut self, uri: &str) -> Result<Result<Response, Refusal>, TerminalError> {
        let opened = self.http.open_stream(STEP, uri, None).await?;
        self.sorted(opened).await
    }

    /// Where there is no place left, says who holds them, as far as the terminal tells.
    async fn sorted(&mut self, opened: Opened) -> Result<Result<Response, Refusal>, TerminalError> {
        let refusal = match opened {
            Opened::Stream(response) => return Ok(Ok(response)),
            Opened::Refused { status, said } => Refusal { status, said },
        };
        let said = refusal.said.as_ref();
        if !said.is_some_and(ResponseStatus::is_without_place) {
            return Ok(Err(refusal));
        }
        let held_by = match self.http.get(STEP, paths::ARMED).await {
            Ok(Answer::Body(body)) => decode_listeners(&body).unwrap_or_default(),
            _ => Vec::new(),
        };
        Err(TerminalError::StreamFull { held_by })
    }
}

/// Why a stream was not opened.
pub(super) struct Refusal {
    status: StatusCode,
    said: Option<ResponseStatus>,
}

impl Refusal {
    /// The terminal has no such thing, whatever the body.
    fn is_unknown(&self) -> bool {
        let unknown = [
            StatusCode::NOT_FOUND,
            StatusCode::METHOD_NOT_ALLOWED,
            StatusCode::NOT_IMPLEMENTED,
        ];
        let said = self.said.as_ref();
        unknown.contains(&self.status) || said.is_some_and(ResponseStatus::is_not_available)
    }

    fn is_passing(&self) -> bool {
        let said = self.said.as_ref();
        said.map_or(self.status.is_server_error(), ResponseStatus::is_passing)
    }

    pub(super) fn into_error(self) -> TerminalError {
        let said = self.said.filter(|said| !said.is_ok());
        Denied::of(said.as_ref(), self.status).at(STEP)
    }
}

/// An open stream. It is listened to until this is dropped.
#[derive(Debug)]
pub(super) struct Stream {
    heard: Arc<Heard>,
    listener: JoinHandle<()>,
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.listener.abort();
    }
}

#[derive(Debug, Default)]
struct Heard {
    ear: Mutex<Ear>,
    more: Notify,
}

/// What has been heard and not been taken, and what is needed to understand what comes.
#[derive(Debug, Default)]
struct Ear {
    waiting: VecDeque<Live>,
    /// Why the log should be read, apart from what waits.
    to_read: Option<String>,
    ended: Option<TerminalError>,
    /// The log has been read since the stream was opened.
    was_read: bool,
    /// The newest serial number of the log then; `None` where they have none.
    read_up_to: Option<u64>,
    last_told: Option<u64>,
    /// The highest serial number of a punch among the history that was sent again.
    replayed_up_to: Option<u64>,
    /// Serial numbers of punches told since the last reading.
    told: BTreeSet<u64>,
    /// Readings in a row with punches that were not told.
    untold: u32,
    /// The terminal's own clock was not at UTC when it was read.
    elsewhere: bool,
    /// What the last reading with any said of the offsets of rows.
    offsets: Offsets,
    counts: Counts,
    heartbeat: Heartbeat,
    wants_pictures: bool,
    /// Whose picture the next part may be.
    pictured: Option<(DeviceUserId, DateTime)>,
    pictures_waiting: usize,
}

/// What is no punch, for those who wonder why nothing comes.
#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    punches: u64,
    history: u64,
    refused: u64,
    noise: u64,
    other: u64,
    garbled: u64,
}

#[derive(Clone, Copy, Debug, Default)]
struct Heartbeat {
    last: Option<Instant>,
    every: Option<Duration>,
}

impl Heartbeat {
    fn beat(&mut self, at: Instant) {
        self.every = self.last.map(|last| at - last).or(self.every);
        self.last = Some(at);
    }

    /// How long silence is no sign: three beats, within limits. No limit where there never was one.
    fn silence(&self, limits: HikLimits) -> Option<Duration> {
        self.last?;
        let three = self.every.map(|every| every * 3);
        let (least, most) = (limits.silence_least, limits.silence_most);
        Some(three.map_or(most, |three| three.clamp(least, most)))
    }
}

impl Stream {
    fn begin(response: Response, limits: HikLimits, wants_pictures: bool) -> Self {
        let heard = Arc::new(Heard::default());
        heard.ear().wants_pictures = wants_pictures;
        let listener = tokio::spawn({
            let heard = Arc::clone(&heard);
            async move {
                let ended = heard.listen(response, limits).await;
                let mut ear = heard.ear();
                tracing::debug!(counts = ?ear.counts, error = %ended, "the live stream has ended");
                ear.ended = Some(ended);
                drop(ear);
                heard.more.notify_one();
            }
        });
        Self { heard, listener }
    }

    /// One that has ended before it began.
    fn over(error: TerminalError) -> Self {
        let heard = Arc::new(Heard::default());
        heard.ear().ended = Some(error);
        Self {
            heard,
            listener: tokio::spawn(async {}),
        }
    }

    async fn next(&self, quiet: Duration) -> Result<Option<Live>, TerminalError> {
        let until = Instant::now() + quiet;
        loop {
            if let Some(next) = self.heard.ear().take() {
                return next.map(Some);
            }
            let more = self.heard.more.notified();
            if tokio::time::timeout_at(until, more).await.is_err() {
                return Ok(None);
            }
        }
    }

    /// A reading is done. Whether the stream has missed punches so often that it seems to tell none.
    fn is_mute(&self, punches: &[Punch], read_up_to: Option<u64>) -> bool {
        self.heard.ear().read(punches, read_up_to)
    }
}

impl Heard {
    fn ear(&self) -> MutexGuard<'_, Ear> {
        lock(&self.ear)
    }

    /// Listens until the stream ends; says why it did.
    async fn listen(&self, mut response: Response, limits: HikLimits) -> TerminalError {
        let content_type = response.headers().get(header::CONTENT_TYPE);
        let content_type = content_type.and_then(|kind| kind.to_str().ok());
        let mut splitter = content_type
            .and_then(PartSplitter::of_content_type)
            .unwrap_or_else(|| PartSplitter::new(None));
        loop {
            let silence = self.ear().heartbeat.silence(limits);
            let chunk = match silence {
                Some(silence) => {
                    Deadline::none()
                        .within(STEP, silence, response.chunk())
                        .await
                }
                None => Ok(response.chunk().await),
            };
            let bytes = match chunk {
                Ok(Ok(Some(bytes))) => bytes,
                Ok(Ok(None)) => {
                    return TerminalError::Cut {
                        step: STEP,
                        source: io::ErrorKind::UnexpectedEof.into(),
                    };
                }
                Ok(Err(error)) => {
                    return TerminalError::Cut {
                        step: STEP,
                        source: io_error(&error),
                    };
                }
                Err(silent) => return silent,
            };
            splitter.extend(&bytes);
            while let Some(piece) = splitter.next_piece() {
                self.ear().hear(&piece);
                self.more.notify_one();
            }
            if splitter.dropped() > MOST_OF_PART {
                return TerminalError::TooLarge {
                    step: STEP,
                    announced: splitter.dropped(),
                    limit: MOST_OF_PART,
                };
            }
        }
    }
}

impl Ear {
    fn take(&mut self) -> Option<Result<Live, TerminalError>> {
        if let Some(live) = self.waiting.pop_front() {
            self.pictures_waiting -= usize::from(matches!(live, Live::Picture(_)));
            return Some(Ok(match live {
                Live::Punch(punch) => self.as_read(punch),
                other => other,
            }));
        }
        if let Some(reason) = self.to_read.take() {
            let bytes = Vec::new();
            return Some(Ok(Live::Unclear(ParkedRecord { bytes, reason })));
        }
        let ended = self.ended.take()?;
        // Asked once more, it is still over.
        self.ended = Some(TerminalError::Cut {
            step: STEP,
            source: io::ErrorKind::NotConnected.into(),
        });
        Some(Err(ended))
    }

    /// A punch as a reading gives it. Until one has told whether UTC is made up, only a reading can.
    fn as_read(&self, mut punch: Punch) -> Live {
        if self.elsewhere && punch.offset == Some(Offset::UTC) {
            match self.offsets {
                Offsets::FalseUtc => punch.offset = None,
                Offsets::True => {}
                Offsets::None => {
                    let reason = "an event says UTC, and the terminal is elsewhere".to_owned();
                    let bytes = Vec::new();
                    return Live::Unclear(ParkedRecord { bytes, reason });
                }
            }
        }
        Live::Punch(punch)
    }

    fn learn_offsets(&mut self, clock: Option<Offset>, offsets: Offsets) {
        self.elsewhere = is_elsewhere(clock);
        if offsets != Offsets::None {
            self.offsets = offsets;
        }
    }

    fn hear(&mut self, piece: &Piece) {
        let part = match piece {
            Piece::Part(part) => part,
            Piece::TooLarge(_, length) => {
                self.counts.garbled += 1;
                self.has_to_be_read(format!("a part of {length} bytes"));
                return;
            }
        };
        match part.content() {
            Content::Json | Content::Xml => self.hear_text(part),
            Content::Jpeg => self.hear_picture(part),
            Content::Other => self.counts.other += 1,
        }
    }

    fn hear_text(&mut self, part: &Part) {
        match Notification::decode(&part.body) {
            Ok(Notification::Access(told)) => self.hear_event(*told),
            Ok(Notification::Heartbeat) => self.heartbeat.beat(Instant::now()),
            Ok(Notification::Subscribed) => {}
            Ok(Notification::Other(_)) => self.counts.other += 1,
            Err(error) => {
                self.counts.garbled += 1;
                if Notification::may_be_access(&part.body) {
                    self.has_to_be_read(error.to_string());
                }
            }
        }
    }

    /// A picture belongs to the event before it. One that is too large or too many is not kept; its punch is.
    fn hear_picture(&mut self, part: &Part) {
        let is_welcome = self.wants_pictures
            && part.body.len() <= MOST_OF_PICTURE
            && self.pictures_waiting < MOST_PICTURES;
        match self.pictured.take().filter(|_| is_welcome) {
            Some((user, clock)) => {
                self.pictures_waiting += 1;
                self.waiting.push_back(Live::Picture(Picture {
                    user,
                    clock,
                    jpeg: part.body.clone(),
                }));
            }
            None => self.counts.other += 1,
        }
    }

    fn hear_event(&mut self, told: Told) {
        self.pictured = None;
        let serial = told.row.serial;
        let text = told.row.row.json;
        let sorted = told.row.row.value.and_then(|event| sort_out(event, serial));
        if told.current == Some(false) {
            self.counts.history += 1;
            if !matches!(sorted, Ok(Sorted::Refused | Sorted::Noise)) {
                self.hear_history(serial);
            }
            return;
        }
        if let Some(lost) = self.lost_before(serial, told.front_serial) {
            self.has_to_be_read(lost);
        }
        match sorted {
            Ok(Sorted::Punch(punch)) => {
                self.counts.punches += 1;
                self.untold = 0;
                self.told.extend(serial);
                while self.told.len() > MOST_WAITING {
                    self.told.pop_first();
                }
                self.pictured = Some((punch.user.clone(), punch.clock));
                self.wait(Live::Punch(punch));
            }
            Ok(Sorted::OfCard(_)) => {
                self.has_to_be_read("an event names a card and nobody".to_owned());
            }
            Ok(Sorted::Refused) => self.counts.refused += 1,
            Ok(Sorted::Noise) => self.counts.noise += 1,
            Err(reason) => {
                // The log has it whole.
                let mut bytes = text.into_bytes();
                bytes.truncate(MOST_OF_UNCLEAR);
                let reason = reason.chars().take(MOST_OF_UNCLEAR).collect();
                self.wait(Live::Unclear(ParkedRecord { bytes, reason }));
            }
        }
    }

    /// History is in the log, which is read after the stream is opened; what is newer than that is read now.
    fn hear_history(&mut self, serial: Option<u64>) {
        self.replayed_up_to = self.replayed_up_to.max(serial);
        if self.was_read {
            self.look_at_history();
        }
    }

    fn look_at_history(&mut self) {
        if self.read_up_to.is_some() && self.replayed_up_to > self.read_up_to {
            self.replayed_up_to = None;
            self.has_to_be_read("history that is newer than the log was".to_owned());
        }
    }

    /// Why something is missing before this event.
    fn lost_before(&mut self, serial: Option<u64>, front: Option<u64>) -> Option<String> {
        let serial = serial?;
        let last = self.last_told.replace(serial);
        if last.is_some_and(|last| serial < last) {
            return Some(format!("event {serial} came after a later one"));
        }
        let known = last.max(self.read_up_to)?; // `None` is less than any
        let front = front.filter(|front| *front > known && *front < serial)?;
        Some(format!(
            "event {front} was not told, {known} is the last one known"
        ))
    }

    fn wait(&mut self, live: Live) {
        if self.waiting.len() < MOST_WAITING {
            self.waiting.push_back(live);
        } else {
            self.has_to_be_read("more punches than can wait".to_owned());
        }
    }

    fn has_to_be_read(&mut self, reason: String) {
        self.to_read.get_or_insert(reason);
    }

    fn read(&mut self, punches: &[Punch], read_up_to: Option<u64>) -> bool {
        let is_untold = |punch: &Punch| {
            let is_new = punch.record > self.read_up_to.unwrap_or(0);
            is_new && !self.told.contains(&punch.record)
        };
        // What was recorded before the stream was opened says nothing, nor does what has no number.
        if self.was_read && punches.iter().any(is_untold) {
            self.untold += 1;
        }
        self.was_read = true;
        self.read_up_to = read_up_to;
        self.told.retain(|serial| Some(*serial) > read_up_to);
        self.look_at_history();
        self.untold >= MUTE_AFTER
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

//! The Hikvision driver: sign in, identify, read clock, people and event log over ISAPI. Reading changes nothing on a terminal.
//!
//! Owns the order of requests and what a position means. Bodies and the sign-in policy are `hik-proto`'s, one HTTP exchange is
//! `http.rs`, paging through the event log is `log.rs`, punches as they are made are `stream.rs`, whom it calls is `arming.rs`,
//! what changes a terminal is `writing.rs` and `clock.rs`, finding it is `discover.rs`.

mod arming;
mod clock;
pub(crate) mod discover;
mod gate;
mod http;
mod log;
mod people;
mod position;
mod stream;
mod writing;

use std::time::Duration;

use attendance::Punch;
use hik_proto::sadp::normal_mac;
use hik_proto::{
    AccessCapabilities, DeviceInfo, EventCapabilities, decode_event_total, decode_people_count,
    paths,
};
use jiff::Timestamp;
use jiff::tz::Offset;

use self::gate::Gate;
use self::http::{Answer, Http};
use self::log::{Collected, Start};
use self::position::Position;
use self::stream::Stream;
use crate::doctor::Ability;
use crate::steps::Steps;
use crate::{
    CertificatePin, Deadline, DeviceUser, Identity, LogRead, OnStep, ReadPosition, Reading, Step,
    Target, TerminalError,
};

/// How long and how much one request may take. The vendor advises 10 s for the event search.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HikLimits {
    pub connect: Duration,
    /// From sending a request to the last byte of its answer.
    pub answer: Duration,
    /// Bytes of one answer; a page of 30 events is about 20 kB.
    pub body: u64,
    /// A live stream with heartbeats may say nothing for three of them, at least and at most for so long.
    pub silence_least: Duration,
    pub silence_most: Duration,
}

impl Default for HikLimits {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            answer: Duration::from_secs(10),
            body: 1 << 20,
            silence_least: Duration::from_secs(40),
            silence_most: Duration::from_secs(90),
        }
    }
}

/// Rows of a page, unless the terminal says fewer. More is clamped, or answered by nothing at all.
const PAGE: u32 = 30;
/// Tried when a terminal announces rows and sends none: some firmware answers so to a page larger than it likes.
const SMALL_PAGE: u32 = 10;
/// Rejected rows a streamed log shows; the rest is only counted.
const PARKED_SHOWN: usize = 100;
/// The people list is read again after this long although the count is unchanged: a new name does not change the count.
const PEOPLE_AGE: Duration = Duration::from_secs(3600);

/// A signed-in connection to a terminal. Requests go out one at a time: terminals have few sessions.
#[derive(Debug)]
pub struct HikTerminal {
    http: Http,
    /// `host:port`.
    address: String,
    identity: Identity,
    /// Its hardware address, where it says it.
    hardware: Option<String>,
    /// How far its clock is from UTC, as it was last seen; `None` inside where it does not say.
    clock_offset: Option<Option<Offset>>,
    /// It tells its punches while they are made.
    stream: Option<Stream>,
    wants_pictures: bool,
    /// It can tell how many events it has, as far as its abilities were asked for.
    counts_events: bool,
}

impl HikTerminal {
    /// Gives what follows another deadline.
    pub fn renew(&mut self, deadline: Deadline) {
        self.http.renew(deadline);
    }

    /// Signs in, reads the device information and checks the serial number, in full or as on the label.
    ///
    /// # Errors
    /// See [`TerminalError`]. A wrong password is sent once and is `AuthRefused`; `deadline` ends everything on this connection.
    pub async fn connect(target: &Target, deadline: Deadline) -> Result<Self, TerminalError> {
        Self::connect_with(target, deadline, HikLimits::default()).await
    }

    /// As [`HikTerminal::connect`], and tells `on_step` what is done. One request does it all: a terminal is connected when it
    /// answers with its challenge, and signed in when it answers in full.
    ///
    /// # Errors
    /// See [`TerminalError`].
    pub async fn connect_watched(
        target: &Target,
        deadline: Deadline,
        on_step: OnStep<'_>,
    ) -> Result<Self, TerminalError> {
        let steps = Steps::begin(on_step);
        Self::introduced(target, deadline, HikLimits::default(), steps).await
    }

    /// As [`HikTerminal::connect`], with other limits for every request.
    ///
    /// # Errors
    /// See [`TerminalError`].
    pub async fn connect_with(
        target: &Target,
        deadline: Deadline,
        limits: HikLimits,
    ) -> Result<Self, TerminalError> {
        Self::introduced(target, deadline, limits, Steps::begin(&mut |_, _| {})).await
    }

    async fn introduced(
        target: &Target,
        deadline: Deadline,
        limits: HikLimits,
        mut steps: Steps<'_>,
    ) -> Result<Self, TerminalError> {
        let mut http = Http::open(target, deadline, limits).await?;
        let step = Step::Identify;
        let answer = http.get(step, paths::DEVICE_INFO).await;
        if let Some(answered) = http.first_answer() {
            steps.done_at(Step::Connect, answered);
        }
        let answer = answer?;
        steps.done(Step::SignIn);
        let body = answer.required(step)?;
        let info = DeviceInfo::decode(&body).map_err(malformed(step))?;
        if let Some(expected) = &target.serial
            && !info.has_serial(expected)
        {
            return Err(TerminalError::WrongSerial {
                address: target.address(),
                expected: expected.clone(),
                found: info.serial,
            });
        }
        steps.done(Step::Identify);
        Ok(Self {
            http,
            address: target.address(),
            hardware: info.mac.as_deref().and_then(normal_mac),
            identity: Identity {
                serial: info.serial,
                model: info.model,
                firmware: info.firmware,
                ..Identity::default()
            },
            clock_offset: None,
            stream: None,
            wants_pictures: false,
            counts_events: false,
        })
    }

    /// The serial number is the full one, whichever form was asked for. The number of people is known after a read; a terminal
    /// tells neither how many events it holds nor how many it can hold.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Reads the clock, the events since `position` (everything when it is empty) and people, where they may have changed. Of
    /// more events than the deadline allows the oldest come first, and the rest with the next read.
    ///
    /// A poll with nothing new is four requests: device information, clock, number of people, one page of events.
    ///
    /// # Errors
    /// See [`TerminalError`]. Nothing of a failed read may be stored.
    pub async fn read(
        &mut self,
        position: &ReadPosition,
        now: &(dyn Fn() -> Timestamp + Send + Sync),
    ) -> Result<Reading, TerminalError> {
        let mut position = Position::decode(position);
        let before = now();
        let clock = self.clock().await?;
        let seen_at = before + now().duration_since(before) / 2;

        let count = self.people_count().await?;
        self.identity.users = count;
        let page = match position.page_size(&self.identity.firmware) {
            Some(page) => page,
            None => self.discover_page_size().await?,
        };
        let log = log::read_new(&mut self.http, &mut position, page, clock.local).await?;
        position.page_discovered(log.page, &self.identity.firmware);
        tracing::debug!(
            serial = self.identity.serial,
            punches = log.punches.len(),
            refused = log.refused,
            other = log.noise,
            "event log read"
        );
        if log.complete {
            let newest = position.last.as_ref().and_then(|last| last.serial);
            self.compare(&log.punches, newest, clock.local.offset, log.offsets)
                .await;
        }

        // The people come last: punches carry their numbers, and a list that takes long must not keep them from being read.
        let mut parked = log.parked;
        let mut users = None;
        if log.complete && position.people_may_have_changed(count, seen_at) {
            let list = optional(people::read(&mut self.http, count).await)?;
            let done = list
                .as_ref()
                .is_some_and(|list| list.as_ref().is_none_or(|list| list.complete));
            position.people_read(done, count, seen_at);
            if let Some(list) = list.flatten() {
                parked.extend(list.parked);
                // Whoever is missing from a list counts as deleted, so half a list is none.
                users = list.complete.then_some(list.users);
            }
        }
        Ok(Reading {
            identity: self.identity.clone(),
            transport: None,
            clock: clock.local.clock,
            seen_at,
            users,
            punches: log.punches,
            rejected: parked.len() as u64,
            missing: 0,
            parked,
            complete: log.complete,
            log_lost: log.lost,
            position: position.encode(),
        })
    }

    /// The whole people list.
    ///
    /// # Errors
    /// See [`TerminalError`]; `Refused` where the terminal does not give its list to this account.
    pub async fn users(&mut self) -> Result<Vec<DeviceUser>, TerminalError> {
        match people::read(&mut self.http, None).await? {
            Some(list) if list.complete => Ok(list.users),
            Some(list) => Err(TerminalError::Malformed {
                step: Step::Users,
                detail: format!("only {} people of the list were sent", list.users.len()),
            }),
            None => Err(TerminalError::Refused {
                step: Step::Users,
                detail: "the people list is not available to this account".to_owned(),
            }),
        }
    }

    /// Streams every punch of the log, oldest first, a page at a time. Rows that are no authentication are not counted.
    ///
    /// # Errors
    /// See [`TerminalError`]. Punches given before an error are good.
    pub async fn punches(
        &mut self,
        mut on_batch: impl FnMut(&[Punch]) + Send,
    ) -> Result<LogRead, TerminalError> {
        let clock = self.clock().await?;
        let page = self.discover_page_size().await?;
        let mut log = Collected::new(page);
        let mut read = LogRead::default();
        let mut each_page = |log: &mut Collected| {
            read.records += (log.punches.len() + log.parked.len()) as u64;
            read.rejected += log.parked.len() as u64;
            let room = PARKED_SHOWN.saturating_sub(read.parked.len());
            read.parked.extend(log.parked.drain(..).take(room));
            if !log.punches.is_empty() {
                on_batch(&log.punches);
                log.punches.clear();
            }
        };
        let mut by_time = false;
        log::search(
            &mut self.http,
            Start::Everything,
            &mut by_time,
            clock.local,
            &mut log,
            &mut each_page,
        )
        .await?;
        Ok(read)
    }

    /// The certificate the terminal showed; none without TLS.
    pub fn certificate(&self) -> Option<CertificatePin> {
        self.http.certificate()
    }

    /// The certificate the terminal showed to whoever talked to it last in this process.
    pub(crate) fn certificate_of(target: &Target) -> Option<CertificatePin> {
        let login = target.credentials.login()?;
        let tls = Gate::of(target, login).tls(target.certificate);
        tls.shown()
    }

    /// What the terminal says it can do.
    pub(crate) async fn abilities(&mut self) -> Result<Vec<Ability>, TerminalError> {
        let step = Step::Identify;
        let answer = self.http.get(step, paths::ACCESS_CAPABILITIES).await?;
        let can = AccessCapabilities::decode(&answer.required(step)?).map_err(malformed(step))?;
        self.counts_events = can.event_total;
        let all = [
            (can.events, Ability::Events),
            (can.people, Ability::People),
            (can.cards, Ability::Cards),
            (can.faces, Ability::Faces),
            (can.fingerprints, Ability::Fingerprints),
            (can.door, Ability::Door),
        ];
        let has = all.into_iter().filter(|(has, _)| *has);
        Ok(has.map(|(_, ability)| ability).collect())
    }

    /// Has the identity tell how many people there are, and how many events where the terminal says that it counts them.
    pub(crate) async fn count(&mut self) -> Result<(), TerminalError> {
        self.identity.users = self.people_count().await?;
        if self.counts_events {
            self.identity.records = self.event_count().await?;
        }
        Ok(())
    }

    /// Opens the stream of events and closes it again: its head says that it is there and that a place is free.
    pub(crate) async fn look_at_stream(&mut self) -> Result<(), TerminalError> {
        let step = Step::Live;
        match self.open_alert_stream().await? {
            Ok(head) if is_multipart(&head) => Ok(()),
            Ok(_) => Err(TerminalError::Malformed {
                step,
                detail: "its stream of events is not in parts".to_owned(),
            }),
            Err(refusal) => Err(refusal.into_error()),
        }
    }

    /// Whether the terminal tells where it calls, and lets that be changed.
    pub(crate) async fn look_at_push(&mut self) -> Result<(), TerminalError> {
        let step = Step::Live;
        let answer = self.http.get(step, paths::HTTP_HOSTS).await?;
        answer.required(step).map(drop)
    }

    /// Ends the conversation. ISAPI has no sign-out: dropping the connection frees the session.
    pub async fn close(self) {}

    /// `None` where the terminal does not count its people, or not so that we understand it.
    async fn people_count(&mut self) -> Result<Option<u32>, TerminalError> {
        let step = Step::Counters;
        let body = match optional(self.http.get(step, paths::PEOPLE_COUNT).await)? {
            Some(Answer::Body(body)) => body,
            Some(Answer::NotAvailable(_)) | None => return Ok(None),
        };
        optional(decode_people_count(&body).map_err(malformed(step)))
    }

    /// The same of its access events: one number for all that it keeps, those of doors that were opened among them.
    async fn event_count(&mut self) -> Result<Option<u32>, TerminalError> {
        let step = Step::Counters;
        let total = log::everything(self.clock_offset.flatten()).encode();
        let body = match optional(self.http.post(step, paths::EVENT_TOTAL, total).await)? {
            Some(Answer::Body(body)) => body,
            Some(Answer::NotAvailable(_)) | None => return Ok(None),
        };
        optional(decode_event_total(&body).map_err(malformed(step)))
    }

    /// The cap is a courtesy of the terminal: without a readable answer the usual one is tried.
    async fn discover_page_size(&mut self) -> Result<u32, TerminalError> {
        let answer = self
            .http
            .get(Step::Punches, paths::EVENT_CAPABILITIES)
            .await;
        let most = match answer {
            Ok(Answer::Body(body)) => EventCapabilities::decode(&body)
                .ok()
                .and_then(|capabilities| capabilities.max_results),
            Ok(Answer::NotAvailable(_))
            | Err(TerminalError::Refused { .. } | TerminalError::Condition { .. }) => None,
            Err(error) => return Err(error),
        };
        Ok(most.map_or(PAGE, |most| most.min(PAGE)))
    }
}

fn is_multipart(head: &reqwest::Response) -> bool {
    let kind = head.headers().get(reqwest::header::CONTENT_TYPE);
    kind.and_then(|kind| kind.to_str().ok())
        .is_some_and(|kind| kind.trim().to_ascii_lowercase().starts_with("multipart/"))
}

/// What punches do without: refused or garbled it is missing, and the read goes on. A failed sign-in or network ends it.
fn optional<T>(result: Result<T, TerminalError>) -> Result<Option<T>, TerminalError> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(
            error @ (TerminalError::Refused { .. }
            | TerminalError::Condition { .. }
            | TerminalError::Malformed { .. }
            | TerminalError::TooLarge { .. }),
        ) if error.step() != Step::SignIn => {
            tracing::debug!(error = &error as &dyn std::error::Error, "read without it");
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

fn malformed<E: std::fmt::Display>(step: Step) -> impl FnOnce(E) -> TerminalError {
    move |error| TerminalError::Malformed {
        step,
        detail: error.to_string(),
    }
}

/// A fresh name for a search. Reusing one may bring the terminal's cached old result.
fn new_search_id() -> String {
    use std::hash::{BuildHasher, Hasher, RandomState};
    let random = || RandomState::new().build_hasher().finish();
    let (a, b) = (random(), random());
    format!(
        "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
        a >> 32,
        (a >> 16) & 0xffff,
        a & 0xffff,
        b >> 48,
        b & 0xffff_ffff_ffff
    )
}

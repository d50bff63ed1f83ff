//! The live stream, `alertStream`, and its younger sister `subscribeEvent`: one answer that never ends.
//!
//! A stream has no queue. It remembers the last serial number it sent and reads on in the log when told that it grew.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::Instant;

use super::fault::Fault;
use super::http::{JSON, Request, XML};
use super::isapi::Device;
use super::json::{Json, Quirks};
use super::log::Row;
use super::notice::{EventForm, Heartbeat, JSON_UTF8, Manner, Notice, Pictures};
use super::refusal::Refusal;
use super::server::Shared;
use super::xml;

pub(super) const ALERT_STREAM: &str = "/ISAPI/Event/notification/alertStream";
pub(super) const SUBSCRIBE: &str = "/ISAPI/Event/notification/subscribeEvent";
pub(super) const UNSUBSCRIBE: &str = "/ISAPI/Event/notification/unSubscribeEvent";

pub(super) fn is_path(path: &str) -> bool {
    path == ALERT_STREAM || path == SUBSCRIBE
}

/// The habits of a terminal with streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stream {
    pub heartbeat: Heartbeat,
    pub heartbeat_every: Duration,
    pub events: EventForm,
    pub replays: Replays,
    /// How many clients may listen with `deployID=0`, or without it.
    pub client_slots: usize,
    /// How many may listen with `deployID=1`.
    pub live_slots: usize,
    pub subscriptions: Subscriptions,
    /// `multipart/form-data` in the head, instead of `multipart/mixed`.
    pub form_data: bool,
    /// The line that parts two parts is sent with the first of them, not with the second.
    pub boundary_follows: bool,
}

impl Default for Stream {
    /// Events in JSON and the old heartbeat every ten seconds, one place for a client with history and four for live
    /// listeners, no `subscribeEvent`.
    fn default() -> Self {
        Self {
            heartbeat: Heartbeat::VideoLoss,
            heartbeat_every: Duration::from_secs(10),
            events: EventForm::Json,
            replays: Replays::ClientOnly,
            client_slots: 1,
            live_slots: 4,
            subscriptions: Subscriptions::None,
            form_data: false,
            boundary_follows: false,
        }
    }
}

/// When a stream begins with the log, as `currentEvent: false`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Replays {
    Never,
    /// With `deployID=0`, as the manuals say.
    ClientOnly,
    /// Whatever `deployID` says.
    Always,
}

/// Which bodies `subscribeEvent` takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subscriptions {
    /// `notSupport`, and the capabilities do not name it.
    None,
    /// All three dialects.
    All,
    /// A whole XML body only.
    Xml,
    /// `<SubscribeEvent/>` and nothing in it: all events, heartbeat every thirty seconds.
    Bare,
    /// JSON only.
    Json,
}

/// One who listens.
#[derive(Debug, Clone)]
pub(super) struct Armed {
    id: u32,
    pub(super) deploy: Deploy,
    pub(super) peer: IpAddr,
    hangs: bool,
    ends: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Deploy {
    Client,
    Live,
}

/// What an opened stream sends, and how.
#[derive(Debug)]
pub(super) struct Opened {
    id: u32,
    habits: Stream,
    manner: Manner,
    /// The event codes of a subscription with a list; `None` for all.
    chosen: Option<Chosen>,
    /// The last serial number that was looked at.
    position: u32,
    /// Events up to this serial number happened before the stream.
    past: u32,
    /// How often the log was emptied when `position` was true.
    resets: u32,
    seen: u32,
    faults: Vec<Fault>,
    greeting: Option<Notice>,
}

/// Codes of `minorEvent`, `minorOperation` and the like, by major.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Chosen(Vec<(u16, Vec<u16>)>);

impl Chosen {
    pub(super) fn has(&self, row: &Row) -> bool {
        let listed = self.0.iter().find(|(major, _)| *major == row.major);
        listed.is_some_and(|(_, minors)| minors.contains(&row.minor))
    }
}

impl Device {
    /// Opens a stream for a request that is signed in.
    pub(super) fn open_stream(
        &mut self,
        request: &Request,
        peer: IpAddr,
        since_asked: Option<Duration>,
        faults: &[Fault],
    ) -> Result<Opened, Refusal> {
        let method = if request.path() == SUBSCRIBE {
            "POST"
        } else {
            "GET"
        };
        if method == "POST" && self.stream.subscriptions == Subscriptions::None {
            return Err(Refusal::NOT_SUPPORT);
        }
        if request.method != method {
            return Err(Refusal::METHOD_NOT_ALLOWED);
        }
        for fault in faults {
            match fault {
                Fault::StreamFull => return Err(Refusal::DEPLOY_EXCEED_MAX),
                Fault::QuickReopen(within) if since_asked.is_some_and(|since| since < *within) => {
                    return Err(Refusal::bad_parameters("deployID"));
                }
                Fault::NoDeployId(status) if request.query("deployID").is_some() => {
                    return Err(Refusal::bad_parameters("deployID").with_http(*status));
                }
                _ => {}
            }
        }
        let deploy = match request.query("deployID") {
            None | Some("0") => Deploy::Client,
            Some("1") => Deploy::Live,
            Some(_) => return Err(Refusal::bad_parameters("deployID")),
        };
        let (mut habits, mut pictures, mut chosen) = (self.stream, self.pictures, None);
        if method == "POST" {
            let wishes = Wishes::read(request, self.stream.subscriptions)?;
            habits.heartbeat_every = wishes.heartbeat;
            habits.heartbeat = match (self.stream.heartbeat, wishes.is_json) {
                (Heartbeat::None, _) => Heartbeat::None,
                (_, true) => Heartbeat::Json,
                (_, false) => Heartbeat::Xml,
            };
            chosen = wishes.chosen;
            pictures = match (wishes.picture_url_type.as_deref(), pictures) {
                (_, Pictures::None) | (None, _) => pictures,
                (Some("binary"), Pictures::Url) => Pictures::Binary { bytes: 4096 },
                (Some("localURL"), _) => Pictures::Url,
                _ => pictures,
            };
        }
        let slots = match deploy {
            Deploy::Client => self.stream.client_slots,
            Deploy::Live => self.stream.live_slots,
        };
        let taken = self.armed.iter().filter(|armed| armed.deploy == deploy);
        if taken.count() >= slots {
            return Err(Refusal::DEPLOY_EXCEED_MAX);
        }
        self.armed_ever += 1;
        let id = self.armed_ever;
        self.armed.push(Armed {
            id,
            deploy,
            peer,
            hangs: false,
            ends: false,
        });
        let replays = match self.stream.replays {
            _ if faults.contains(&Fault::LogDump) => true,
            Replays::Never => false,
            Replays::ClientOnly => deploy == Deploy::Client,
            Replays::Always => true,
        };
        let newest = self.log.newest_serial();
        let mut opened = Opened {
            id,
            habits,
            manner: Manner {
                form: habits.events,
                pictures,
                front: 0,
                current: true,
            },
            chosen,
            position: if replays { 0 } else { newest },
            past: newest,
            resets: self.log.resets,
            seen: 0,
            faults: faults.to_vec(),
            greeting: None,
        };
        if !replays {
            let earlier = self.log.rows.iter().rev().find(|row| opened.sends(row));
            opened.manner.front = earlier.map_or(0, |row| row.serial_no);
        }
        if method == "POST" {
            opened.greeting = Some(self.subscribed(id, request.wants_json()));
        }
        Ok(opened)
    }

    fn subscribed(&self, id: u32, is_json: bool) -> Notice {
        let (content_type, body) = if is_json {
            let inner = Json::Object(vec![("id", id.into())]);
            let json = Json::Object(vec![("SubscribeEventResponse", inner)]);
            (JSON_UTF8, json.print(Quirks::default()))
        } else {
            let namespace = &self.namespace;
            let body = format!(
                "<SubscribeEventResponse version=\"2.0\" xmlns=\"{namespace}\"><id>{id}</id></SubscribeEventResponse>\n"
            );
            (XML, body.into_bytes())
        };
        Notice {
            content_type,
            body,
            picture: None,
        }
    }

    /// Ends the stream with the `ID` of the query.
    pub(super) fn unsubscribe(&mut self, request: &Request) -> Result<(), Refusal> {
        let id = request.query("ID").and_then(|id| id.parse::<u32>().ok());
        let armed = self.armed.iter_mut().find(|armed| Some(armed.id) == id);
        armed.ok_or(Refusal::bad_parameters("ID"))?.ends = true;
        Ok(())
    }

    /// All streams say nothing more and stay open.
    pub(super) fn hang_streams(&mut self) {
        self.armed.iter_mut().for_each(|armed| armed.hangs = true);
    }

    pub(super) fn end_streams(&mut self) {
        self.armed.iter_mut().for_each(|armed| armed.ends = true);
    }

    /// What this stream has not sent yet, some of it.
    fn due(&self, opened: &mut Opened) -> Vec<Notice> {
        const AT_ONCE: usize = 64;
        if opened.resets != self.log.resets {
            opened.resets = self.log.resets;
            (opened.position, opened.past, opened.manner.front) = (0, 0, 0);
        }
        let mut notices = Vec::new();
        for row in self.log.after(opened.position) {
            opened.position = row.serial_no;
            if !opened.sends(row) {
                continue;
            }
            opened.seen += 1;
            opened.manner.current = row.serial_no > opened.past;
            let notice = self.event_notice(row, opened.manner, &opened.faults);
            opened.manner.front = row.serial_no;
            let lost = opened.faults.iter().any(|fault| {
                matches!(fault, Fault::StreamHoles(every) if opened.seen.is_multiple_of((*every).max(1)))
            });
            if lost || opened.faults.contains(&Fault::MuteStream) {
                continue;
            }
            if opened.faults.contains(&Fault::EmptyCount) {
                notices.push(self.empty_count_notice());
            }
            if opened.faults.contains(&Fault::GarbagePart) {
                notices.push(Notice {
                    content_type: JSON,
                    body: b"{\"ipAddress\":\t\"192.168.1.6\x00\xff<\n".to_vec(),
                    picture: None,
                });
            }
            if opened.faults.contains(&Fault::StreamTwice) {
                notices.push(notice.clone());
            }
            notices.push(notice);
            if notices.len() >= AT_ONCE {
                break;
            }
        }
        notices
    }
}

impl Opened {
    fn sends(&self, row: &Row) -> bool {
        self.chosen.as_ref().is_none_or(|chosen| chosen.has(row))
    }

    fn boundary(&self) -> &str {
        self.faults
            .iter()
            .find_map(|fault| match fault {
                Fault::Boundary(name) => Some(name.as_str()),
                _ => None,
            })
            .unwrap_or("MIME_boundary")
    }

    fn line_end(&self) -> &'static str {
        if self.faults.contains(&Fault::LfOnly) {
            "\n"
        } else {
            "\r\n"
        }
    }

    fn head(&self) -> Vec<u8> {
        let kind = if self.habits.form_data {
            "form-data"
        } else {
            "mixed"
        };
        let name = match self.boundary() {
            _ if self.faults.contains(&Fault::EmptyBoundary) => String::new(),
            name if self.faults.contains(&Fault::QuotedBoundary) => format!("\"{name}\""),
            name => name.to_owned(),
        };
        let mut head = format!(
            "HTTP/1.1 200 OK\r\nMIME-Version: 1.0\r\nConnection: close\r\nContent-Type: multipart/{kind}; boundary={name}\r\n\r\n"
        );
        if self.habits.boundary_follows {
            head.push_str(&format!("--{}{}", self.boundary(), self.line_end()));
        }
        head.into_bytes()
    }

    /// One part, with the line that parts it from another.
    fn part(&self, headers: &[(&str, &str)], body: &[u8], announced: u64) -> Vec<u8> {
        let end = self.line_end();
        let line = format!("--{}{end}", self.boundary());
        let mut part = Vec::with_capacity(body.len() + 256);
        if !self.habits.boundary_follows {
            part.extend_from_slice(line.as_bytes());
        }
        for (name, value) in headers {
            part.extend_from_slice(format!("{name}: {value}{end}").as_bytes());
        }
        let length = self.faults.iter().find_map(|fault| match fault {
            Fault::PartLength(by) => Some(by.map(|by| announced.saturating_add_signed(by))),
            _ => None,
        });
        if let Some(length) = length.unwrap_or(Some(announced)) {
            part.extend_from_slice(format!("Content-Length: {length}{end}").as_bytes());
        }
        part.extend_from_slice(end.as_bytes());
        part.extend_from_slice(body);
        part.extend_from_slice(end.as_bytes());
        if self.habits.boundary_follows {
            part.extend_from_slice(line.as_bytes());
        }
        part
    }

    fn parts(&self, notice: &Notice) -> Vec<u8> {
        let body = &notice.body;
        let headers = [("Content-Type", notice.content_type)];
        let mut parts = self.part(&headers, body, body.len() as u64);
        if let Some(picture) = &notice.picture {
            let headers = [
                (
                    "Content-Disposition",
                    "form-data; name=\"Picture\"; filename=\"Picture.jpg\"",
                ),
                ("Content-Type", "image/jpeg"),
            ];
            parts.extend(self.part(&headers, picture, picture.len() as u64));
        }
        parts
    }

    /// When a fault with a time of the stream's life comes due.
    fn moment(&self, began: Instant, of: impl Fn(&Fault) -> Option<Duration>) -> Option<Instant> {
        self.faults.iter().find_map(of).map(|after| began + after)
    }
}

/// What a subscription asks for.
struct Wishes {
    heartbeat: Duration,
    chosen: Option<Chosen>,
    picture_url_type: Option<String>,
    is_json: bool,
}

impl Wishes {
    fn read(request: &Request, taken: Subscriptions) -> Result<Self, Refusal> {
        let is_json = request.wants_json();
        let body = std::str::from_utf8(&request.body).map_err(|_| Refusal::BAD_XML_FORMAT)?;
        let (fields, is_bare) = if is_json {
            let json: serde_json::Value =
                serde_json::from_str(body).map_err(|_| Refusal::BAD_JSON_FORMAT)?;
            let inner = json.get("SubscribeEvent");
            let inner = inner.ok_or(Refusal::lacks("SubscribeEvent"))?;
            (as_xml(inner), false)
        } else {
            let inner = xml::inner(body, "SubscribeEvent").ok_or(Refusal::BAD_XML_FORMAT)?;
            (inner.to_owned(), inner.trim().is_empty())
        };
        let takes = match taken {
            Subscriptions::None => false,
            Subscriptions::All => true,
            Subscriptions::Xml => !is_json && !is_bare,
            Subscriptions::Bare => is_bare,
            Subscriptions::Json => is_json,
        };
        if !takes {
            return Err(Refusal::BAD_XML_CONTENT);
        }
        let heartbeat = match xml::text(&fields, "heartbeat") {
            None => 30,
            Some(text) => text
                .parse()
                .ok()
                .filter(|seconds| (1..=180).contains(seconds))
                .ok_or(Refusal::BAD_XML_CONTENT)?,
        };
        let chosen = match xml::text(&fields, "eventMode").as_deref() {
            None | Some("all") => None,
            Some("list") => chosen(&fields)?,
            Some(_) => return Err(Refusal::BAD_XML_CONTENT),
        };
        Ok(Self {
            heartbeat: Duration::from_secs(heartbeat),
            chosen,
            picture_url_type: xml::text(&fields, "pictureURLType"),
            is_json,
        })
    }
}

/// The lists of codes, in hexadecimal, of the event type that terminals have; `None` when it is named without any.
pub(super) fn chosen(fields: &str) -> Result<Option<Chosen>, Refusal> {
    let mut chosen = Vec::new();
    for event in xml::all(fields, "Event") {
        if xml::text(event, "type").as_deref() != Some("AccessControllerEvent") {
            continue;
        }
        if !event.contains("minor") {
            return Ok(None);
        }
        for (major, name) in [
            (1, "minorAlarm"),
            (2, "minorException"),
            (3, "minorOperation"),
            (5, "minorEvent"),
        ] {
            let Some(list) = xml::text(event, name) else {
                continue;
            };
            let codes = list.split(',').map(|code| {
                let digits = code.trim().strip_prefix("0x")?;
                u16::from_str_radix(digits, 16).ok()
            });
            let codes: Option<Vec<u16>> = codes.collect();
            chosen.push((major, codes.ok_or(Refusal::BAD_XML_CONTENT)?));
        }
    }
    Ok(Some(Chosen(chosen)))
}

/// JSON as the elements of the XML form; a list repeats its element.
fn as_xml(value: &serde_json::Value) -> String {
    use serde_json::Value;
    match value {
        Value::Object(fields) => fields
            .iter()
            .map(|(key, value)| match value {
                Value::Array(items) => items
                    .iter()
                    .map(|item| {
                        // `EventList: [{…}]` stands for `<EventList><Event>…`.
                        let name = key.strip_suffix("List").unwrap_or(key);
                        format!("<{name}>{}</{name}>", as_xml(item))
                    })
                    .collect(),
                value => format!("<{key}>{}</{key}>", as_xml(value)),
            })
            .collect(),
        Value::String(text) => xml::escape(text),
        other => other.to_string(),
    }
}

/// A stream has a place at the terminal until this is dropped.
pub(super) struct Place {
    shared: Arc<Shared>,
    id: u32,
}

impl Place {
    pub(super) fn of(opened: &Opened, shared: &Arc<Shared>) -> Self {
        Self {
            shared: shared.clone(),
            id: opened.id,
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut state = self.shared.state();
        state.device.armed.retain(|armed| armed.id != self.id);
        state.counts.streams_open -= 1;
    }
}

/// Sends until somebody closes. Returns when the connection is to be closed.
pub(super) async fn run<R, W>(
    shared: &Arc<Shared>,
    mut opened: Opened,
    reading: &mut R,
    writing: &mut W,
) -> std::io::Result<()>
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    let mut grown = shared.grown.subscribe();
    let began = Instant::now();
    let ends_at = opened.moment(began, |fault| match fault {
        Fault::StreamEnds(after) => Some(*after),
        _ => None,
    });
    let hangs_at = opened.moment(began, |fault| match fault {
        Fault::HalfOpen(after) => Some(*after),
        _ => None,
    });
    let mut pen = Pen {
        shared,
        writing,
        pause: opened.faults.iter().find_map(|fault| match fault {
            Fault::Dribble(pause) => Some(*pause),
            _ => None,
        }),
    };
    pen.write(&opened.head()).await?;
    if let Some(greeting) = opened.greeting.take() {
        pen.write(&opened.parts(&greeting)).await?;
    }
    let mut beats = tokio::time::interval_at(
        began + opened.habits.heartbeat_every,
        opened.habits.heartbeat_every,
    );
    let mut heard = [0; 64];
    let mut hangs = hangs_at == Some(began);
    loop {
        let (ends, now_hangs) = shared.state().device.orders(opened.id);
        if ends {
            return Ok(());
        }
        hangs |= now_hangs;
        while !hangs {
            let notices = shared.state().device.due(&mut opened);
            if notices.is_empty() {
                break;
            }
            for notice in notices {
                let bytes = opened.parts(&notice);
                for fault in opened.faults.clone() {
                    match fault {
                        Fault::CutMidBody => return pen.write(&bytes[..bytes.len() / 2]).await,
                        Fault::StallMidBody => {
                            pen.write(&bytes[..bytes.len() / 2]).await?;
                            hangs = true;
                        }
                        Fault::HugePart => {
                            let headers = [("Content-Type", JSON_UTF8)];
                            pen.write(&opened.part(&headers, b"", 4 << 30)).await?;
                            loop {
                                pen.write(&[b' '; 8192]).await?;
                            }
                        }
                        _ => {}
                    }
                }
                if hangs {
                    break;
                }
                pen.write(&bytes).await?;
            }
        }
        tokio::select! {
            changed = grown.changed() => if changed.is_err() { return Ok(()) },
            _ = beats.tick(), if !hangs => {
                let beat = opened.habits.heartbeat;
                let notice = shared.state().device.heartbeat_notice(beat, &opened.faults);
                if let Some(notice) = notice {
                    pen.write(&opened.parts(&notice)).await?;
                }
            }
            () = until(ends_at) => return Ok(()),
            () = until(hangs_at), if !hangs => hangs = true,
            read = reading.read(&mut heard) => if read? == 0 { return Ok(()) },
        }
    }
}

impl Device {
    /// Whether this stream is to end, and whether it is to say nothing more.
    fn orders(&self, id: u32) -> (bool, bool) {
        let armed = self.armed.iter().find(|armed| armed.id == id);
        armed.map_or((true, true), |armed| (armed.ends, armed.hangs))
    }
}

async fn until(moment: Option<Instant>) {
    match moment {
        Some(moment) => tokio::time::sleep_until(moment).await,
        None => std::future::pending().await,
    }
}

/// Writes at once, or byte by byte, and counts.
struct Pen<'a, W> {
    shared: &'a Shared,
    writing: &'a mut W,
    pause: Option<Duration>,
}

impl<W: AsyncWrite + Unpin> Pen<'_, W> {
    async fn write(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        match self.pause {
            None => {
                self.writing.write_all(bytes).await?;
                self.writing.flush().await?;
            }
            Some(pause) => {
                for byte in bytes {
                    self.writing.write_all(&[*byte]).await?;
                    self.writing.flush().await?;
                    tokio::time::sleep(pause).await;
                }
            }
        }
        self.shared.state().counts.bytes_out += bytes.len() as u64;
        Ok(())
    }
}

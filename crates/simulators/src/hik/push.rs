//! The events a terminal sends to the servers of its slots, one POST at a time.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep_until, timeout};

use super::fault::{Fault, Stage};
use super::hosts::HttpHost;
use super::http::XML;
use super::isapi::Device;
use super::notice::{EventForm, Heartbeat, JSON_UTF8, Manner, Notice};
use super::server::{Line, Shared};

/// The habits of a terminal that calls servers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Push {
    /// How many servers it can call: one or two on real terminals.
    pub slots: usize,
    /// Shows slots without a server in the list, as 0.0.0.0 with port 0.
    pub lists_empty_slots: bool,
    /// Sends a form also when there is no picture.
    pub always_form: bool,
    /// The name of the part with the event: `AccessControllerEvent`, `event_log`, `Event_Type` …
    pub part_name: String,
    /// The name of the part with the picture: `Picture`, `Picture_Name`, `VisibleLight` …
    pub picture_name: String,
    /// `text/json` and `text/xml` instead of `application/json` and `application/xml`.
    pub says_text: bool,
    /// How often an event is sent again that was not answered with 200; some units never stop.
    pub retries: u32,
    pub retry_after: Duration,
    /// Sends heartbeats to slots that ask for them.
    pub heartbeats: bool,
    pub after_reboot: AfterReboot,
}

impl Default for Push {
    fn default() -> Self {
        Self {
            slots: 2,
            lists_empty_slots: true,
            always_form: false,
            part_name: "AccessControllerEvent".to_owned(),
            picture_name: "Picture".to_owned(),
            says_text: false,
            retries: 3,
            retry_after: Duration::from_secs(1),
            heartbeats: true,
            after_reboot: AfterReboot::Resumes,
        }
    }
}

/// What becomes of the slots when the terminal starts again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AfterReboot {
    Resumes,
    /// They are empty.
    Forgets,
    /// They are as before, and nothing is sent until one is written again.
    StaysMute,
}

/// One POST.
struct Job {
    slot: usize,
    /// `None` for a heartbeat.
    serial_no: Option<u32>,
    host: HttpHost,
    bytes: Vec<u8>,
    faults: Vec<Fault>,
}

/// What became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Taken,
    /// Answered with another status than 200.
    Refused,
    Unreachable,
}

/// Terminals do not wait longer for a server.
const PATIENCE: Duration = Duration::from_secs(10);

/// Sends what is due until the terminal ends.
pub(super) async fn run(shared: Arc<Shared>) {
    let mut grown = shared.grown.subscribe();
    let mut changes = shared.changes.subscribe();
    loop {
        let is_up = match *shared.line() {
            Line::Ended => return,
            Line::Up(_) => true,
            Line::Down(_) => false,
        };
        let (job, next) = {
            let mut state = shared.state();
            let now = Instant::now();
            let job = if is_up { state.next_job(now) } else { None };
            (job, state.device.next_moment(now))
        };
        let Some(job) = job else {
            let next = next.filter(|_| is_up);
            let until = async {
                match next {
                    Some(moment) => sleep_until(moment).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                _ = grown.changed() => {}
                _ = changes.changed() => {}
                () = until => {}
            }
            continue;
        };
        let outcome = tokio::select! {
            outcome = post(&job) => outcome,
            _ = changes.changed() => continue,
        };
        let mut state = shared.state();
        state.counts.posts += 1;
        state.counts.posts_taken += u64::from(outcome == Outcome::Taken);
        state.device.note(&job, outcome);
    }
}

impl super::server::State {
    /// The next POST that is due, of the slots in turn.
    fn next_job(&mut self, now: Instant) -> Option<Job> {
        let mut slot = 0;
        while slot < self.device.slots.len() {
            let Some((host, serial_no, notice)) = self.device.due_of(slot, now) else {
                slot += 1;
                continue;
            };
            let faults = self.take_faults(Stage::Push, &host.url);
            if faults.contains(&Fault::PushMute) {
                self.device.pass_over(slot, serial_no);
                continue;
            }
            let mut bytes = self.device.post_bytes(&host, &notice);
            if faults.contains(&Fault::PushGarbage) {
                bytes = self.device.post_bytes(
                    &host,
                    &Notice {
                        content_type: JSON_UTF8,
                        body: b"{\"ipAddress\":\t\xff\x00".to_vec(),
                        picture: None,
                    },
                );
            }
            return Some(Job {
                slot,
                serial_no,
                host,
                bytes,
                faults,
            });
        }
        None
    }
}

impl Device {
    /// Server, serial number and body of what this slot has to send now.
    fn due_of(&mut self, index: usize, now: Instant) -> Option<(HttpHost, Option<u32>, Notice)> {
        if !self.pushes {
            return None;
        }
        let (resets, push_heartbeats) = (self.log.resets, self.push.heartbeats);
        let slot = self.slots.get_mut(index)?;
        let host = slot.host.clone()?;
        if host.protocol != "HTTP" || slot.waits_until.is_some_and(|until| now < until) {
            return None;
        }
        if slot.resets != resets {
            (slot.resets, slot.position, slot.front, slot.past) = (resets, 0, 0, 0);
        }
        if push_heartbeats && slot.next_beat.is_some_and(|moment| moment <= now) {
            let seconds = host.heartbeat.unwrap_or(30);
            slot.next_beat = Some(now + Duration::from_secs(u64::from(seconds)));
            let heartbeat = match host.format {
                EventForm::Json => Heartbeat::Json,
                EventForm::Xml => Heartbeat::Xml,
            };
            let notice = self.heartbeat_notice(heartbeat, &[])?;
            return Some((host, None, notice));
        }
        let slot = self.slots.get(index)?;
        let mut rows = self.log.after(slot.position);
        let row = rows.find(|row| slot.chosen.as_ref().is_none_or(|chosen| chosen.has(row)))?;
        let manner = Manner {
            form: host.format,
            pictures: self.pictures,
            front: slot.front,
            current: row.serial_no > slot.past,
        };
        let (serial_no, notice) = (row.serial_no, self.event_notice(row, manner, &[]));
        Some((host, Some(serial_no), notice))
    }

    /// When something may be due that is not yet.
    fn next_moment(&self, now: Instant) -> Option<Instant> {
        let slots = self.slots.iter().filter(|slot| slot.host.is_some());
        let moments = slots.flat_map(|slot| {
            let beat = slot.next_beat.filter(|_| self.push.heartbeats);
            [slot.waits_until, beat]
        });
        moments.flatten().filter(|moment| *moment > now).min()
    }

    fn pass_over(&mut self, index: usize, serial_no: Option<u32>) {
        let slot = &mut self.slots[index];
        slot.waits_until = None;
        slot.tries = 0;
        if let Some(serial_no) = serial_no {
            slot.position = serial_no;
            slot.front = serial_no;
        }
    }

    fn note(&mut self, job: &Job, outcome: Outcome) {
        let newest = self.log.newest_serial();
        let Push {
            retries,
            retry_after,
            ..
        } = self.push;
        let Some(slot) = self.slots.get_mut(job.slot) else {
            return;
        };
        if slot.host.as_ref() != Some(&job.host) {
            return;
        }
        if outcome == Outcome::Taken || job.serial_no.is_none() {
            return self.pass_over(job.slot, job.serial_no);
        }
        slot.tries += 1;
        let keeps = outcome == Outcome::Unreachable && job.host.resends;
        if keeps {
            slot.past = newest;
        }
        if !keeps && slot.tries > retries {
            return self.pass_over(job.slot, job.serial_no);
        }
        slot.waits_until = Some(Instant::now() + retry_after);
    }

    fn post_bytes(&self, host: &HttpHost, notice: &Notice) -> Vec<u8> {
        let plain = match (self.push.says_text, notice.content_type) {
            (false, XML) => "application/xml",
            (false, _) => "application/json",
            (true, XML) => "text/xml",
            (true, _) => "text/json",
        };
        let (content_type, body) = if notice.picture.is_some() || self.push.always_form {
            (
                "multipart/form-data; boundary=MIME_boundary",
                self.form(notice),
            )
        } else {
            (plain, notice.body.clone())
        };
        // A whole URL is called by its path.
        let target = match host.url.split_once("://") {
            Some((_, rest)) => rest.find('/').map_or("/", |at| &rest[at..]),
            None => &host.url,
        };
        let slash = if target.starts_with('/') { "" } else { "/" };
        let mut bytes = format!(
            "POST {slash}{target} HTTP/1.1\r\nHost: {}:{}\r\nContent-Type: {content_type}\r\nContent-Length: {}\r\nConnection: keep-alive\r\n\r\n",
            host.host,
            host.port,
            body.len()
        )
        .into_bytes();
        bytes.extend(body);
        bytes
    }

    fn form(&self, notice: &Notice) -> Vec<u8> {
        let mut form = Vec::new();
        let mut part = |disposition: String, content_type: &str, body: &[u8]| {
            let head = format!(
                "--MIME_boundary\r\nContent-Disposition: form-data; {disposition}\r\nContent-Type: {content_type}\r\nContent-Length: {}\r\n\r\n",
                body.len()
            );
            form.extend_from_slice(head.as_bytes());
            form.extend_from_slice(body);
            form.extend_from_slice(b"\r\n");
        };
        let name = format!("name=\"{}\"", self.push.part_name);
        part(name, notice.content_type, &notice.body);
        if let Some(picture) = &notice.picture {
            let name = format!(
                "name=\"{}\"; filename=\"Picture.jpg\"",
                self.push.picture_name
            );
            part(name, "image/jpeg", picture);
        }
        form.extend_from_slice(b"--MIME_boundary--\r\n");
        form
    }
}

async fn post(job: &Job) -> Outcome {
    let times = if job.faults.contains(&Fault::PushTwice) {
        2
    } else {
        1
    };
    let mut outcome = Outcome::Unreachable;
    for _ in 0..times {
        outcome = match timeout(PATIENCE, exchange(job)).await {
            Ok(Ok(200)) => Outcome::Taken,
            Ok(Ok(_)) => Outcome::Refused,
            Ok(Err(_)) | Err(_) => Outcome::Unreachable,
        };
    }
    outcome
}

/// The status of the answer.
async fn exchange(job: &Job) -> io::Result<u16> {
    let mut stream = TcpStream::connect((job.host.host.as_str(), job.host.port)).await?;
    stream.set_nodelay(true)?;
    if job.faults.contains(&Fault::PushCut) {
        stream.write_all(&job.bytes[..job.bytes.len() / 2]).await?;
        stream.shutdown().await?;
        return Err(io::ErrorKind::ConnectionAborted.into());
    }
    stream.write_all(&job.bytes).await?;
    let mut answer = Vec::new();
    while !answer.windows(4).any(|four| four == b"\r\n\r\n") {
        if answer.len() > 16 * 1024 || stream.read_buf(&mut answer).await? == 0 {
            return Err(io::ErrorKind::InvalidData.into());
        }
    }
    let head = String::from_utf8_lossy(&answer);
    let status = head
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok());
    status.ok_or(io::ErrorKind::InvalidData.into())
}

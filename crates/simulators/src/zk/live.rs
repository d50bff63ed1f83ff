//! Live events: who registered for them, what waits to be sent, and what was acknowledged.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use jiff::civil::DateTime;
use tokio::sync::Notify;

use super::device::{Device, Link};
use super::fault::Fault;
use super::log::Record;
use super::reply::{Ending, Reply, Segments};
use super::wire::{Request, u32_at};

/// The event of a punch: bit 0 of the mask a client registers with.
pub(super) const PUNCHED: u16 = 1;

/// How a terminal lays out the event of a punch. All have verify mode, punch state and time in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventLayout {
    /// 10 bytes: internal index of 16 bits. A ZEM560.
    Ten,
    /// 12 bytes: user id as a number of 32 bits.
    Twelve,
    /// 14 bytes: as ten, and four more. A ZEM300.
    Fourteen,
    /// 32 bytes: user id as text of 24 bytes. Colour models.
    ThirtyTwo,
    /// As 32, and four more.
    ThirtySix,
    /// As 32, and five more.
    ThirtySeven,
    /// As 32, and twenty more.
    FiftyTwo,
}

impl EventLayout {
    /// Bytes of one event.
    pub fn size(self) -> usize {
        match self {
            Self::Ten => 10,
            Self::Twelve => 12,
            Self::Fourteen => 14,
            Self::ThirtyTwo => 32,
            Self::ThirtySix => 36,
            Self::ThirtySeven => 37,
            Self::FiftyTwo => 52,
        }
    }

    /// An id that is no number becomes the `uid` in the 12-byte form. What the bytes after the time mean is not known:
    /// they are FF here, so that nobody takes them for padding.
    pub(super) fn encode(self, record: &Record) -> Vec<u8> {
        let mut data = Vec::with_capacity(self.size());
        match self {
            Self::Ten | Self::Fourteen => data.extend_from_slice(&record.uid.to_le_bytes()),
            Self::Twelve => {
                let id = record.user_id.number().unwrap_or(u32::from(record.uid));
                data.extend_from_slice(&id.to_le_bytes());
            }
            _ => data.extend_from_slice(record.user_id.field()),
        }
        data.extend_from_slice(&[record.verify, record.state]);
        data.extend_from_slice(&six_bytes(record.clock));
        data.resize(self.size(), 0xff);
        data
    }
}

/// Year of the century, month, day, hour, minute, second.
fn six_bytes(clock: DateTime) -> [u8; 6] {
    [
        clock.year().rem_euclid(100) as u8,
        clock.month() as u8,
        clock.day() as u8,
        clock.hour() as u8,
        clock.minute() as u8,
        clock.second() as u8,
    ]
}

/// The sessions that registered for events, by their seat.
pub(super) type Listeners = BTreeMap<u64, Listener>;

/// A session that registered.
pub(super) struct Listener {
    mask: u32,
    waiting: VecDeque<Event>,
    sent: u64,
    unacknowledged: u64,
    /// Of the task that sends.
    wake: Arc<Notify>,
}

#[derive(Clone)]
struct Event {
    code: u16,
    data: Vec<u8>,
}

impl Device {
    /// Command 500: a mask of 0 ends the registration.
    pub(super) fn register(&mut self, link: &Link, data: &[u8]) -> bool {
        if data.len() < 4 {
            return false;
        }
        match u32_at(data, 0) {
            0 => drop(self.listeners.remove(&link.seat)),
            mask => {
                let listener = self.listeners.entry(link.seat).or_insert_with(|| Listener {
                    mask,
                    waiting: VecDeque::new(),
                    sent: 0,
                    unacknowledged: 0,
                    wake: link.wake.clone(),
                });
                listener.mask = mask;
            }
        }
        self.changed.notify_waiters();
        true
    }

    pub(super) fn emit_punch(&mut self, record: &Record) {
        if !self.listeners.is_empty() {
            let data = self.config.event_layout.encode(record);
            self.emit(PUNCHED, &data);
        }
    }

    /// Queues an event for everybody who registered for it. A disabled terminal sends none.
    pub(super) fn emit(&mut self, code: u16, data: &[u8]) {
        if self.is_disabled() {
            return;
        }
        for listener in self.listeners.values_mut() {
            if listener.mask & u32::from(code) != 0 {
                let data = data.to_vec();
                listener.waiting.push_back(Event { code, data });
                listener.wake.notify_one();
            }
        }
    }

    /// After a change of what may leave.
    pub(super) fn wake_listeners(&self) {
        for listener in self.listeners.values() {
            listener.wake.notify_one();
        }
    }

    /// The events that leave by themselves now; often none.
    pub(super) fn live_events(&mut self, link: &Link) -> Reply {
        let listener = self.listeners.get(&link.seat);
        let ready = listener.map_or(0, |listener| self.ready(listener));
        if ready == 0 {
            return Reply::default();
        }
        let mut reply = self.new_reply(link, 0);
        if matches!(reply.segments, Segments::Whole) && self.merged().is_none() {
            reply.segments = Segments::Frames;
        }
        for _ in 0..ready {
            self.send_event(link, &mut reply);
        }
        reply
    }

    /// How many of the waiting events leave by themselves.
    fn ready(&self, listener: &Listener) -> usize {
        let waiting = listener.waiting.len();
        if self.has(&Fault::Silent) || self.has(&Fault::EventsInAnswers) {
            return 0;
        }
        if self.has(&Fault::EventsNeedAck) {
            return waiting.min(usize::from(listener.unacknowledged == 0));
        }
        match self.merged() {
            Some(together) if waiting < together => 0,
            _ => waiting,
        }
    }

    fn merged(&self) -> Option<usize> {
        self.fault(|fault| match fault {
            Fault::EventsMerged(together) => Some(*together),
            _ => None,
        })
    }

    /// Moves the first waiting event into the answer.
    fn send_event(&mut self, link: &Link, reply: &mut Reply) {
        let limit = self.event_limit();
        let twice = self.has(&Fault::EventsTwice);
        let Some(listener) = self.listeners.get_mut(&link.seat) else {
            return;
        };
        let Some(event) = listener.waiting.pop_front() else {
            return;
        };
        for _ in 0..1 + u64::from(twice) {
            if reply.ending != Ending::KeepOpen {
                return;
            }
            reply.send_event(event.code, &event.data);
            listener.sent += 1;
            listener.unacknowledged += 1;
            self.counts.events_sent += 1;
            if let Some((after, ending)) = limit
                && listener.sent >= after
            {
                reply.ending = ending;
            }
        }
    }

    fn waiting(&self, link: &Link) -> usize {
        let listener = self.listeners.get(&link.seat);
        listener.map_or(0, |listener| listener.waiting.len())
    }

    /// After how many events of a session what happens.
    fn event_limit(&self) -> Option<(u64, Ending)> {
        self.faults
            .iter()
            .filter_map(|fault| match fault {
                Fault::LiveRestart(after) => Some((*after, Ending::Restart)),
                Fault::LiveStall(after) => Some((*after, Ending::Stall)),
                _ => None,
            })
            .min_by_key(|(after, _)| *after)
    }

    /// Puts waiting events between the packets of an answer: one before each, the others behind the last.
    pub(super) fn mix_in_events(&mut self, link: &Link, reply: &mut Reply) {
        let mut mixed = self.new_reply(link, reply.reply_id);
        for frame in reply.frames() {
            self.send_event(link, &mut mixed);
            if mixed.ending == Ending::KeepOpen {
                mixed.push_raw(frame);
            }
        }
        for _ in 0..self.waiting(link) {
            self.send_event(link, &mut mixed);
        }
        (reply.bytes, reply.frame_ends) = (mixed.bytes, mixed.frame_ends);
        if mixed.ending != Ending::KeepOpen {
            reply.ending = mixed.ending;
        }
    }

    /// An acknowledgement carries the session, reply id 0 and no data. It is not answered.
    pub(super) fn take_acknowledgement(&mut self, link: &Link, request: &Request) {
        let well_formed = request.checksum_holds
            && request.session == link.session
            && request.reply_id == 0
            && request.data.is_empty();
        let listener = self.listeners.get_mut(&link.seat);
        match listener.filter(|listener| well_formed && listener.unacknowledged > 0) {
            Some(listener) => {
                listener.unacknowledged -= 1;
                if !listener.waiting.is_empty() {
                    listener.wake.notify_one();
                }
                self.counts.events_acknowledged += 1;
            }
            None => self.counts.stray_acknowledgements += 1,
        }
        self.changed.notify_waiters();
    }
}

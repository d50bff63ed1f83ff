//! Bulk reads: the buffered kind (1503, 1504), the direct kind (13, 9), and what faults do to them.

use std::sync::Arc;

use super::device::{Device, Link, Reads};
use super::fault::Fault;
use super::reply::{Ending, Reply, TWO_GB};
use super::wire::{self, Request, code, u16_at, u32_at};

/// Data bytes of the largest datagram; answers over UDP come in parts of at most this size.
const DATAGRAM_SIZE: usize = 1024;

/// The body of a bulk answer.
pub(super) struct Body {
    bytes: Arc<Vec<u8>>,
    is_log: bool,
}

impl Device {
    /// The body that a bulk read of this kind delivers: the inner command and the data type choose it. The operation log
    /// is empty.
    fn body(&self, command: u16, kind: u32) -> Option<Body> {
        let (bytes, is_log) = match (command, kind) {
            (code::ATTLOG_RRQ, _) => (self.log_body(), true),
            (code::USERTEMP_RRQ, 5) => (self.users.body(self.config.user_layout), false),
            (code::DB_RRQ, 2) => (self.templates.body(), false),
            (code::DB_RRQ | code::OPLOG_RRQ, _) => (Arc::new(vec![0; 4]), false),
            _ => return None,
        };
        Some(Body { bytes, is_log })
    }

    fn log_body(&self) -> Arc<Vec<u8>> {
        let mut body = self.log.body();
        for fault in &self.faults {
            match fault {
                Fault::ImpossibleTime(index) if *index < self.log.len() => {
                    let layout = self.log.layout();
                    let at = 4 + index * layout.size() + layout.time_offset();
                    let date = wire::THIRTIETH_OF_FEBRUARY.to_le_bytes();
                    Arc::make_mut(&mut body)[at..at + 4].copy_from_slice(&date);
                }
                Fault::WrongTotal(by) => {
                    let total = u32_at(&body, 0).wrapping_add_signed(*by);
                    Arc::make_mut(&mut body)[..4].copy_from_slice(&total.to_le_bytes());
                }
                _ => {}
            }
        }
        body
    }

    fn log_refusal(&self) -> Option<u16> {
        self.fault(|fault| match fault {
            Fault::LogCode(code) => Some(*code),
            _ => None,
        })
    }

    pub(super) fn prepare_buffer(&mut self, link: &mut Link, data: &[u8], reply: &mut Reply) {
        link.prepared = None;
        if self.config.reads == Reads::Direct {
            return reply.send(code::ACK_UNKNOWN, &[]);
        }
        if data.len() < 11 {
            return reply.send(code::ACK_ERROR, &[]);
        }
        let Some(body) = self.body(u16_at(data, 1), u32_at(data, 3)) else {
            return reply.send(code::ACK_ERROR, &[]);
        };
        if let Some(refusal) = self.log_refusal().filter(|_| body.is_log) {
            return reply.send(refusal, &[]);
        }
        if body.is_log {
            link.log_sent = 0;
        }
        let huge = body.is_log && self.has(&Fault::HugeLog);
        if body.bytes.len() <= self.inline_limit(link) && !huge {
            self.send_data(link, &body, 0..body.bytes.len(), reply);
            return;
        }
        let size = if huge {
            TWO_GB
        } else {
            body.bytes.len() as u32
        };
        let size = size.to_le_bytes();
        reply.send_as(code::ACK_OK, link.session, &[&[0], &size, &size, &[0; 4]]);
        let growth = self.fault(|fault| match fault {
            Fault::GrowingTransfer(punches) if body.is_log => Some(*punches),
            _ => None,
        });
        link.prepared = match growth {
            Some(punches) => {
                self.grow(punches);
                self.body(u16_at(data, 1), u32_at(data, 3))
            }
            None => Some(body),
        };
    }

    /// Serves any part of the prepared body, in any order and as often as asked; a part outside of it is refused.
    pub(super) fn read_buffer(&mut self, link: &mut Link, data: &[u8], reply: &mut Reply) {
        let Some(body) = link.prepared.take().filter(|_| data.len() >= 8) else {
            return reply.send(code::ACK_ERROR, &[]);
        };
        let offset = match self.has(&Fault::IgnoresOffset) {
            true => 0,
            false => u32_at(data, 0) as usize,
        };
        let length = u32_at(data, 4) as usize;
        if length == 0 || offset + length > body.bytes.len() {
            reply.send(code::ACK_ERROR, &[]);
        } else if self.config.bare_chunks && !(link.datagrams && length > DATAGRAM_SIZE) {
            self.send_data(link, &body, offset..offset + length, reply);
        } else {
            self.send_announced(link, &body, offset..offset + length, length as u32, reply);
        }
        link.prepared = Some(body);
    }

    /// Commands 13, 9 and 88 without the buffer.
    pub(super) fn read_directly(&mut self, link: &mut Link, request: &Request, reply: &mut Reply) {
        if request.command == code::GET_USERTEMP || request.data.len() == 3 {
            return self.read_template(link, request, reply);
        }
        let kind = request.data.first().copied().map_or(0, u32::from);
        let Some(mut body) = self.body(request.command, kind) else {
            return reply.send(code::ACK_ERROR, &[]);
        };
        if let Some(refusal) = self.log_refusal().filter(|_| body.is_log) {
            return reply.send(refusal, &[]);
        }
        if body.is_log {
            link.log_sent = 0;
        }
        if self.config.reads == Reads::Buffered {
            body.bytes = Arc::new(unrelated_memory(body.bytes.len()));
        }
        let whole = 0..body.bytes.len();
        let huge = body.is_log && self.has(&Fault::HugeLog);
        let size = if huge { TWO_GB } else { whole.len() as u32 };
        self.send_announced(link, &body, whole, size, reply);
    }

    /// One template, asked for by the internal index and the finger. Command 9 brings its bytes as they are. After those
    /// of command 88 clients expect seven more, six of them zero; what they mean is not documented.
    fn read_template(&self, link: &mut Link, request: &Request, reply: &mut Reply) {
        let data = request.data.as_slice();
        let template = (data.len() >= 3)
            .then(|| self.templates.of(u16_at(data, 0), data[2]))
            .flatten();
        let Some(template) = template else {
            return reply.send(code::ACK_ERROR, &[]);
        };
        let mut bytes = template.bytes.clone();
        if request.command == code::GET_USERTEMP {
            bytes.extend_from_slice(&[0; 7]);
        }
        let whole = 0..bytes.len();
        let body = Body {
            bytes: Arc::new(bytes),
            is_log: false,
        };
        if whole.len() <= self.inline_limit(link) {
            self.send_data(link, &body, whole, reply);
        } else {
            let size = whole.len() as u32;
            self.send_announced(link, &body, whole, size, reply);
        }
    }

    /// PREPARE_DATA, the range in parts, and the closing acknowledgement.
    fn send_announced(
        &self,
        link: &mut Link,
        body: &Body,
        range: std::ops::Range<usize>,
        announced: u32,
        reply: &mut Reply,
    ) {
        let part_size = self.part_size(link);
        let sizes = [announced.to_le_bytes(), part_size.to_le_bytes()].concat();
        reply.send(code::PREPARE_DATA, &sizes);
        for start in range.clone().step_by(part_size as usize) {
            let end = range.end.min(start + part_size as usize);
            self.send_data(link, body, start..end, reply);
        }
        let session = match self.config.size_in_closing_ack {
            true => announced as u16,
            false => link.session,
        };
        reply.send_as(code::ACK_OK, session, &[]);
    }

    /// One DATA frame, ended early where a fault says so.
    fn send_data(
        &self,
        link: &mut Link,
        body: &Body,
        range: std::ops::Range<usize>,
        reply: &mut Reply,
    ) {
        let session = match self.config.data_without_session {
            true => 0,
            false => link.session,
        };
        let length = range.len();
        reply.send_as(code::DATA, session, &[&body.bytes[range]]);
        if !body.is_log || reply.ending != Ending::KeepOpen {
            return;
        }
        if let Some((limit, ending)) = self.log_limit()
            && link.log_sent + length > limit
        {
            reply.end_early(length - (limit - link.log_sent), ending);
            link.log_sent = limit;
        } else {
            link.log_sent += length;
        }
    }

    fn inline_limit(&self, link: &Link) -> usize {
        match link.datagrams {
            true => self.config.inline_limit.min(DATAGRAM_SIZE),
            false => self.config.inline_limit,
        }
    }

    fn part_size(&self, link: &Link) -> u32 {
        match link.datagrams {
            true => self.config.part_size.min(DATAGRAM_SIZE as u32),
            false => self.config.part_size,
        }
    }

    /// After how many bytes of the log what happens.
    fn log_limit(&self) -> Option<(usize, Ending)> {
        self.faults
            .iter()
            .filter_map(|fault| match fault {
                Fault::CutLog(after) => Some((*after, Ending::HangUp)),
                Fault::StallLog(after) => Some((*after, Ending::Stall)),
                _ => None,
            })
            .min_by_key(|(after, _)| *after)
    }
}

/// Noise of the right size, the same at every read.
fn unrelated_memory(size: usize) -> Vec<u8> {
    let mut state = 0x2545_f491_u32;
    std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        (state >> 24) as u8
    })
    .take(size)
    .collect()
}

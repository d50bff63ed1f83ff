//! An answer on its way to the client: its packets as bytes, and how they leave.

use std::time::Duration;

use super::wire::{self, FRAME_PREFIX, MAGIC, code};

/// The bytes that answer one request, and how to send them.
#[derive(Default)]
pub(super) struct Reply {
    pub(super) bytes: Vec<u8>,
    /// Where in `bytes` each frame ends.
    pub(super) frame_ends: Vec<usize>,
    pub(super) delay: Duration,
    pub(super) segments: Segments,
    pub(super) pause: Duration,
    pub(super) ending: Ending,
    pub(super) session: u16,
    pub(super) reply_id: u16,
    pub(super) wrong_checksum: bool,
    pub(super) huge_frame: bool,
    /// Bytes of the last frame are missing.
    pub(super) cut_short: bool,
}

#[derive(Default)]
pub(super) enum Segments {
    #[default]
    Whole,
    Frames,
    Bytes(usize),
}

#[derive(Default, Clone, Copy, PartialEq)]
pub(super) enum Ending {
    #[default]
    KeepOpen,
    HangUp,
    Stall,
    Restart,
}

/// What the faults about sizes announce.
pub(super) const TWO_GB: u32 = 0x8000_0000;

impl Reply {
    pub(super) fn acknowledge(&mut self, done: bool) {
        self.send(if done { code::ACK_OK } else { code::ACK_ERROR }, &[]);
    }

    pub(super) fn send(&mut self, command: u16, data: &[u8]) {
        self.send_as(command, self.session, &[data]);
    }

    /// Appends a frame, unless the answer has already ended early.
    pub(super) fn send_as(&mut self, command: u16, session: u16, data: &[&[u8]]) {
        if self.ending != Ending::KeepOpen {
            return;
        }
        let start = self.bytes.len();
        wire::push_frame(&mut self.bytes, command, session, self.reply_id, data);
        if self.wrong_checksum {
            self.bytes[start + 10] ^= 0x01;
        }
        if self.huge_frame {
            self.bytes[start + 4..start + 8].copy_from_slice(&TWO_GB.to_le_bytes());
        }
        self.frame_ends.push(self.bytes.len());
    }

    /// Appends an event: its code stands in the session field, and its reply id is 0 whatever happens to others.
    pub(super) fn send_event(&mut self, event: u16, data: &[u8]) {
        let reply_id = std::mem::take(&mut self.reply_id);
        self.send_as(code::REG_EVENT, event, &[data]);
        self.reply_id = reply_id;
    }

    /// Appends a frame that is ready.
    pub(super) fn push_raw(&mut self, frame: &[u8]) {
        self.bytes.extend_from_slice(frame);
        self.frame_ends.push(self.bytes.len());
    }

    pub(super) fn frames(&self) -> impl Iterator<Item = &[u8]> {
        let starts = std::iter::once(0).chain(self.frame_ends.iter().copied());
        (starts.zip(&self.frame_ends)).map(|(start, end)| &self.bytes[start..*end])
    }

    /// Takes back the last `missing` bytes.
    pub(super) fn end_early(&mut self, missing: usize, ending: Ending) {
        self.bytes.truncate(self.bytes.len() - missing);
        if let Some(end) = self.frame_ends.last_mut() {
            *end = self.bytes.len();
        }
        self.ending = ending;
        self.cut_short = true;
    }

    /// The packets as UDP sends them, without the prefix of TCP. One that is cut short does not leave at all.
    pub(super) fn datagrams(&self) -> impl Iterator<Item = &[u8]> {
        let whole = self.frame_ends.len() - usize::from(self.cut_short);
        self.frames()
            .take(whole)
            .map(|frame| match frame.starts_with(&MAGIC) {
                true => &frame[FRAME_PREFIX..],
                false => frame,
            })
    }
}

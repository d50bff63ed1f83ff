//! The stream between a socket and the HTTP library. Gives the library one head after the other, made good and checked, and leaves
//! bodies as they are. Keeps the deadlines of heads, of answers and of silence.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::http::StatusCode;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};

use super::head::{self, BodyEnd};
use super::places::PlaceState;
use super::{Limits, PushAnswer};

/// The longest head, and how much is read at once.
const BUFFER: usize = 16 * 1024;
/// What a caller may still send after the last answer.
const LINGERED: usize = 64 * 1024;
/// What the library gets in place of a head that is refused: its service answers what [`Heads`] says.
const REFUSED: &[u8] = b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n";

pub(super) struct Wire<S> {
    stream: S,
    limits: Arc<Limits>,
    place: Arc<PlaceState>,
    heads: Heads,
    /// Read from the socket and not yet given: `buffer[start..end]`.
    buffer: Box<[u8]>,
    start: usize,
    end: usize,
    /// So many of them hold no whole head.
    seen: usize,
    /// A head, of which the library has so many bytes.
    head: Vec<u8>,
    given: usize,
    part: Part,
    wait: Wait,
    deadline: Pin<Box<Sleep>>,
    write_deadline: Option<Pin<Box<Sleep>>>,
    has_ended: bool,
    /// What may still come, once our side is shut.
    lingers: Option<usize>,
}

/// What the next bytes from the socket are.
#[derive(Debug)]
enum Part {
    Head,
    Body(u64),
    Chunks(Chunks),
    /// Chunks that are none: the library refuses them.
    Broken,
    /// Nothing: the library sees the end.
    Nothing,
}

/// What is waited for, and with that which deadline holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wait {
    /// The first byte.
    Beginning,
    Head,
    /// A body or an answer, on which others have an eye.
    Others,
    NextRequest,
}

/// For each head that was given to the library, in order, what its service should know: whether the connection may be kept, or
/// that it is no request at all, and the answer.
#[derive(Clone, Debug, Default)]
pub(super) struct Heads(Arc<Mutex<VecDeque<Result<bool, PushAnswer>>>>);

impl Heads {
    fn put(&self, head: Result<bool, PushAnswer>) {
        let mut heads = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        heads.push_back(head);
    }

    pub(super) fn take(&self) -> Option<Result<bool, PushAnswer>> {
        let mut heads = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        heads.pop_front()
    }
}

impl<S> Wire<S> {
    pub(super) fn new(
        stream: S,
        limits: Arc<Limits>,
        place: Arc<PlaceState>,
        heads: Heads,
    ) -> Self {
        Self {
            stream,
            deadline: Box::pin(tokio::time::sleep(limits.head)),
            limits,
            place,
            heads,
            buffer: vec![0; BUFFER].into(),
            start: 0,
            end: 0,
            seen: 0,
            head: Vec::new(),
            given: 0,
            part: Part::Head,
            wait: Wait::Beginning,
            write_deadline: None,
            has_ended: false,
            lingers: None,
        }
    }

    /// Looks for a head in what was read.
    fn find_head(&mut self) {
        let blank = self.buffer[self.start..self.end].iter();
        self.start += blank.take_while(|b| matches!(b, b'\r' | b'\n')).count();
        let unread = &self.buffer[self.start..self.end];
        match unread.first() {
            None => {
                self.seen = 0;
                if matches!(self.wait, Wait::Head | Wait::Others) {
                    self.wait_for(Wait::NextRequest, self.limits.idle);
                }
                self.place.set_busy(false);
            }
            Some(first) if !first.is_ascii_uppercase() => {
                tracing::debug!("what a caller sends is no HTTP; it may be set to HTTPS");
                self.part = Part::Nothing;
            }
            Some(_) => {
                self.place.set_busy(true);
                match self.wait {
                    Wait::Beginning => self.wait = Wait::Head,
                    Wait::Head => {}
                    Wait::Others | Wait::NextRequest => {
                        self.wait_for(Wait::Head, self.limits.head);
                    }
                }
                let unread = &self.buffer[self.start..self.end];
                match head::length(unread, self.seen) {
                    Some(length) => self.take_head(length),
                    None if unread.len() == BUFFER => self.refuse(head::too_large()),
                    None => self.seen = unread.len(),
                }
            }
        }
    }

    fn take_head(&mut self, length: usize) {
        let raw = &self.buffer[self.start..self.start + length];
        let read = head::read(raw);
        self.start += length;
        self.seen = 0;
        self.wait = Wait::Others;
        self.write_deadline = None;
        match read {
            Ok(head) => {
                self.part = match head.body {
                    BodyEnd::After(0) => Part::Head,
                    BodyEnd::After(length) => Part::Body(length),
                    BodyEnd::Chunked => Part::Chunks(Chunks::default()),
                };
                self.head = head.bytes;
                self.heads.put(Ok(head.keeps));
            }
            Err(answer) => self.refuse(answer),
        }
    }

    fn refuse(&mut self, answer: PushAnswer) {
        self.heads.put(Err(answer));
        self.head = REFUSED.to_vec();
        self.part = Part::Nothing;
        self.wait = Wait::Others;
    }

    fn wait_for(&mut self, wait: Wait, limit: Duration) {
        self.wait = wait;
        self.deadline.as_mut().reset(Instant::now() + limit);
    }

    /// Gives what was read of a body.
    fn give_body(&mut self, out: &mut ReadBuf<'_>) {
        let unread = &self.buffer[self.start..self.end];
        let unread = &unread[..unread.len().min(out.remaining())];
        let (length, next) = match &mut self.part {
            Part::Head | Part::Nothing => return,
            Part::Body(left) => {
                let length = unread
                    .len()
                    .min(usize::try_from(*left).unwrap_or(usize::MAX));
                *left -= length as u64;
                (length, (*left == 0).then_some(Part::Head))
            }
            Part::Chunks(chunks) => match chunks.follow(unread) {
                Follow::All => (unread.len(), None),
                Follow::End(length) => (length, Some(Part::Head)),
                Follow::Broken => (unread.len(), Some(Part::Broken)),
            },
            Part::Broken => (unread.len(), None),
        };
        out.put_slice(&unread[..length]);
        self.start += length;
        if let Some(next) = next {
            self.part = next;
        }
    }

    fn deadline_passed(&mut self, cx: &mut Context<'_>) -> bool {
        self.wait != Wait::Others && self.deadline.as_mut().poll(cx).is_ready()
    }
}

impl<S: AsyncRead + Unpin> Wire<S> {
    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
        } else if self.end == BUFFER {
            self.buffer.copy_within(self.start.., 0);
            self.end -= self.start;
            self.start = 0;
        }
        let mut free = ReadBuf::new(&mut self.buffer[self.end..]);
        ready!(Pin::new(&mut self.stream).poll_read(cx, &mut free))?;
        let length = free.filled().len();
        self.end += length;
        self.has_ended |= length == 0;
        Poll::Ready(Ok(length))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Wire<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let wire = self.get_mut();
        loop {
            if wire.given == wire.head.len() && matches!(wire.part, Part::Head) {
                (wire.given, wire.head) = (0, Vec::new());
                wire.find_head();
            }
            if wire.given < wire.head.len() {
                let left = &wire.head[wire.given..];
                let length = left.len().min(out.remaining());
                out.put_slice(&left[..length]);
                wire.given += length;
                return Poll::Ready(Ok(()));
            }
            let filled = out.filled().len();
            wire.give_body(out);
            if out.filled().len() > filled || matches!(wire.part, Part::Nothing) {
                return Poll::Ready(Ok(()));
            }
            if wire.deadline_passed(cx) {
                match wire.wait {
                    Wait::Head => {
                        let text = "ERROR: head too slow";
                        wire.refuse(PushAnswer::with(StatusCode::REQUEST_TIMEOUT, text));
                    }
                    _ => wire.part = Part::Nothing,
                }
            } else if ready!(wire.poll_fill(cx))? == 0 {
                wire.part = Part::Nothing;
            }
        }
    }
}

impl<S: AsyncWrite + Unpin> Wire<S> {
    /// An answer that is not taken ends the connection.
    fn poll_limited<T>(
        &mut self,
        cx: &mut Context<'_>,
        write: impl FnOnce(Pin<&mut S>, &mut Context<'_>) -> Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        let written = write(Pin::new(&mut self.stream), cx);
        if written.is_pending() {
            let limit = self.limits.write;
            let deadline = self
                .write_deadline
                .get_or_insert_with(|| Box::pin(tokio::time::sleep(limit)));
            ready!(deadline.as_mut().poll(cx));
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        written
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Wire<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let wire = self.get_mut();
        wire.poll_limited(cx, |stream, cx| stream.poll_write(cx, bytes))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let wire = self.get_mut();
        wire.poll_limited(cx, |stream, cx| stream.poll_write_vectored(cx, parts))
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let wire = self.get_mut();
        wire.poll_limited(cx, |stream, cx| stream.poll_flush(cx))
    }

    /// Ends our side, and reads on for a while: a socket that is closed on unread bytes takes the answer away from the caller.
    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let wire = self.get_mut();
        let mut left = match wire.lingers {
            Some(left) => left,
            None => {
                ready!(wire.poll_limited(cx, |stream, cx| stream.poll_shutdown(cx)))?;
                let was_idle = matches!(wire.wait, Wait::Beginning | Wait::NextRequest);
                wire.wait_for(Wait::NextRequest, wire.limits.linger);
                wire.place.set_busy(false);
                if was_idle { 0 } else { LINGERED }
            }
        };
        while left > 0 && !wire.has_ended && !wire.deadline_passed(cx) {
            wire.lingers = Some(left);
            wire.start = wire.end;
            let read = ready!(wire.poll_fill(cx)).unwrap_or(0);
            wire.has_ended |= read == 0;
            left = left.saturating_sub(read);
        }
        wire.lingers = Some(0);
        Poll::Ready(Ok(()))
    }
}

/// Where we are in a body of chunks. Only follows; the library decodes.
#[derive(Debug, Default)]
struct Chunks {
    at: Chunk,
}

#[derive(Clone, Copy, Debug)]
enum Chunk {
    /// The line before a chunk; `None` before its first digit.
    Size(Option<u64>),
    /// What follows the size in its line.
    Extension(u64),
    Data(u64),
    /// The line end after a chunk.
    End,
    /// After the last chunk; whether the line is empty so far.
    Trailer(bool),
}

impl Default for Chunk {
    fn default() -> Self {
        Self::Size(None)
    }
}

enum Follow {
    /// The body goes on after these bytes.
    All,
    /// It ends after so many.
    End(usize),
    Broken,
}

impl Chunks {
    fn follow(&mut self, bytes: &[u8]) -> Follow {
        let mut at = 0;
        while let Some(&byte) = bytes.get(at) {
            if let Chunk::Data(left) = self.at {
                let rest = (bytes.len() - at) as u64;
                let length = left.min(rest);
                at += length as usize; // at most the rest of a slice
                self.at = match left - length {
                    0 => Chunk::End,
                    left => Chunk::Data(left),
                };
                continue;
            }
            at += 1;
            self.at = match (self.at, byte) {
                (Chunk::Size(Some(size)) | Chunk::Extension(size), b'\n') => match size {
                    0 => Chunk::Trailer(true),
                    size => Chunk::Data(size),
                },
                (Chunk::Size(Some(size)), b';' | b' ' | b'\t' | b'\r') => Chunk::Extension(size),
                (Chunk::Size(size), byte) => {
                    let digit = char::from(byte).to_digit(16).map(u64::from);
                    let longer = size.unwrap_or(0).checked_mul(16);
                    match longer.zip(digit) {
                        Some((longer, digit)) => Chunk::Size(Some(longer | digit)),
                        None => return Follow::Broken,
                    }
                }
                (Chunk::Extension(size), _) => Chunk::Extension(size),
                (Chunk::End, b'\r') => Chunk::End,
                (Chunk::End, b'\n') => Chunk::Size(None),
                (Chunk::End | Chunk::Data(_), _) => return Follow::Broken,
                (Chunk::Trailer(true), b'\n') => return Follow::End(at),
                (Chunk::Trailer(_), b'\n') => Chunk::Trailer(true),
                (Chunk::Trailer(empty), b'\r') => Chunk::Trailer(empty),
                (Chunk::Trailer(_), _) => Chunk::Trailer(false),
            };
        }
        Follow::All
    }
}

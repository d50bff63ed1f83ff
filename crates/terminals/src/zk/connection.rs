//! One conversation with a ZKTeco terminal: requests, answers, large answers, and the goodbye.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::ops::Range;
use std::time::Duration;

use tokio::net::lookup_host;
use zk_proto::bulk::{self, BulkError, Chunk, Prepared, Wanted};
use zk_proto::reply::{self, Condition};
use zk_proto::{DecodeError, Incoming, Packet, PacketBuffer, Request, Session, command, key};

use super::link::Link;
use crate::{Deadline, Lacking, Step, Target, TerminalError, Transport};

const RESOLVE: Duration = Duration::from_secs(5);
const CONNECT: Duration = Duration::from_secs(3);
/// For a whole answer to a simple command.
const ANSWER: Duration = Duration::from_secs(5);
/// Without any byte, while a large answer is prepared or sent.
const PROGRESS: Duration = Duration::from_secs(15);
/// For the answer to EXIT, also when the deadline has passed: a terminal with one slot is worth half a second.
const GOODBYE: Duration = Duration::from_millis(500);

/// For a part that may have got lost, before it is asked for again.
const REPEAT: Duration = Duration::from_secs(2);
/// How often something is asked for that may get lost.
const TRIES: u32 = 4;
/// Events that are kept while a long answer is under way. The log has what is beyond.
const MOST_HEARD: usize = 1000;
/// So many bytes at the head of two parts are equal only if the terminal sends the same part again.
const HEAD: usize = 64;

/// A packet with so many bytes of data is worth a second buffer to save the copy.
const WORTH_SWAPPING: usize = 4096;

/// What the scrambled key is salted with; the value common clients use.
const SALT: u8 = 0x32;

/// Whether a terminal is as well off with a request that comes twice as with one.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Twice {
    Harmless,
    Harmful,
}

/// How long to wait for a packet.
#[derive(Clone, Copy)]
enum Patience {
    /// From now to the end of the packet.
    Whole(Duration),
    /// Between one byte and the next.
    Idle(Duration),
}

/// What a terminal counts of something.
#[derive(Clone, Copy, Debug)]
pub(super) struct Counted {
    pub held: Option<u32>,
    /// Whether having none is possible.
    pub may_be_none: bool,
}

impl Counted {
    pub(super) fn of(held: Option<u32>) -> Self {
        Self {
            held,
            may_be_none: true,
        }
    }

    fn nothing(self) -> bool {
        self.may_be_none && self.held == Some(0)
    }
}

#[derive(Debug)]
pub(super) struct Connection {
    link: Link,
    packets: PacketBuffer,
    session: Session,
    deadline: Deadline,
    out: Vec<u8>,
    /// The terminal holds a session of ours, which EXIT has not ended yet.
    open: bool,
    /// Events that nobody has taken yet; `None` while nobody listens.
    heard: Option<VecDeque<Heard>>,
}

/// The code of an event and what it says.
pub(super) type Heard = (u16, Vec<u8>);

impl Connection {
    /// Opens the socket. Nothing is sent: terminals that serve one connection would have lost it to a probe.
    pub(super) async fn open(
        target: &Target,
        transport: Transport,
        deadline: Deadline,
    ) -> Result<Self, TerminalError> {
        let address = target.address();
        let found = deadline
            .within(
                Step::Resolve,
                RESOLVE,
                lookup_host((target.host.as_str(), target.port)),
            )
            .await?
            .map(Vec::from_iter)
            .and_then(|found| match found.is_empty() {
                true => Err(io::ErrorKind::NotFound.into()),
                false => Ok(found),
            })
            .map_err(|source| TerminalError::Resolve {
                address: address.clone(),
                source,
            })?;
        let link = deadline
            .within(Step::Connect, CONNECT, Link::open(transport, &found))
            .await?
            .map_err(|source| TerminalError::Unreachable { address, source })?;
        Ok(Self::over(link, deadline))
    }

    /// Opens a TCP connection to a place that has `limit` to take it.
    pub(super) async fn open_at(
        place: SocketAddr,
        limit: Duration,
        deadline: Deadline,
    ) -> Result<Self, TerminalError> {
        let link = deadline
            .within(Step::Connect, limit, Link::open(Transport::Tcp, &[place]))
            .await?
            .map_err(|source| TerminalError::Unreachable {
                address: place.to_string(),
                source,
            })?;
        Ok(Self::over(link, deadline))
    }

    fn over(link: Link, deadline: Deadline) -> Self {
        Self {
            link,
            packets: PacketBuffer::new(),
            session: Session::new(),
            deadline,
            out: Vec::new(),
            open: false,
            heard: None,
        }
    }

    pub(super) fn transport(&self) -> Transport {
        match self.link.loses() {
            true => Transport::Udp,
            false => Transport::Tcp,
        }
    }

    /// Opens a session; whether the terminal wants a comm key for it.
    pub(super) async fn greet(&mut self) -> Result<bool, TerminalError> {
        // From here on it may hold its only place for us, whatever it answers.
        self.open = true;
        let header = self
            .exchange(Step::Connect, command::CONNECT, &[])
            .await?
            .header;
        self.session.opened(header.session_id);
        match header.command {
            reply::ACK_OK => Ok(false),
            reply::ACK_UNAUTH => Ok(true),
            code => Err(refused(Step::Connect, command::CONNECT, code)),
        }
    }

    /// Sends the comm key that the terminal wants, once.
    pub(super) async fn sign_in(&mut self, comm_key: Option<u32>) -> Result<(), TerminalError> {
        // Without a configured key the factory value is worth the one try.
        match (self.accepts_key(comm_key.unwrap_or(0)).await?, comm_key) {
            (true, _) => Ok(()),
            (false, None | Some(0)) => Err(TerminalError::KeyRequired),
            (false, Some(_)) => Err(TerminalError::AuthRefused),
        }
    }

    /// Sends a comm key, which is to be done once; whether it is right.
    pub(super) async fn accepts_key(&mut self, key: u32) -> Result<bool, TerminalError> {
        let scrambled = key::scramble(key, self.session.id(), SALT);
        let answer = self
            .exchange(Step::SignIn, command::AUTH, &scrambled)
            .await?;
        // 2005, or some other code: not every model has the one for a wrong key.
        Ok(answer.header.command == reply::ACK_OK)
    }

    /// Sends a command and gives the data of its answer.
    pub(super) async fn ask(
        &mut self,
        step: Step,
        command: u16,
        data: &[u8],
    ) -> Result<&[u8], TerminalError> {
        let answer = self.exchange(step, command, data).await?;
        match answer.header.command {
            reply::ACK_OK => Ok(answer.data),
            code => Err(refused(step, command, code)),
        }
    }

    /// Like [`Self::ask`], where "no" is an answer too.
    pub(super) async fn ask_if_known(
        &mut self,
        step: Step,
        command: u16,
        data: &[u8],
    ) -> Result<Option<&[u8]>, TerminalError> {
        let answer = self.exchange(step, command, data).await?;
        Ok((answer.header.command == reply::ACK_OK).then_some(answer.data))
    }

    /// Has something changed, which may take the terminal a while. Where packets get lost, only what is harmless twice is asked
    /// for again.
    pub(super) async fn change(
        &mut self,
        request: &Request,
        twice: Twice,
    ) -> Result<(), TerminalError> {
        let step = Step::Write;
        let answer = match twice {
            Twice::Harmless => {
                self.exchange_within(step, request.command, &request.data, PROGRESS)
                    .await?
            }
            Twice::Harmful => {
                self.send(step, request.command, &request.data).await?;
                self.reply_comes(step, Patience::Whole(PROGRESS)).await?;
                self.reply(step)?
            }
        };
        done(request, &answer)
    }

    /// Sends requests that only count together: parts of an upload, and what is to be done with it.
    ///
    /// A part that comes twice would spoil it, so each is sent once. Where one gets lost, or its answer, all of them are sent
    /// again: the first lets the terminal forget what it has, and nothing is done before the last.
    pub(super) async fn upload(&mut self, requests: &[Request]) -> Result<(), TerminalError> {
        let mut tries = if self.link.loses() { TRIES } else { 1 };
        loop {
            tries -= 1;
            match self.upload_once(requests).await {
                Err(TerminalError::Timeout { .. }) if tries > 0 => {}
                ended => return ended,
            }
        }
    }

    async fn upload_once(&mut self, requests: &[Request]) -> Result<(), TerminalError> {
        let step = Step::Write;
        let limit = if self.link.loses() { REPEAT } else { PROGRESS };
        for request in requests {
            self.send(step, request.command, &request.data).await?;
            self.reply_comes(step, Patience::Whole(limit)).await?;
            let answered = done(request, &self.reply(step)?);
            if let Err(refused) = answered {
                self.free(step).await;
                return Err(refused);
            }
        }
        Ok(())
    }

    /// Sends a request after which the terminal goes away: its answer, silence and a broken connection are all as good.
    pub(super) async fn send_away(&mut self, request: &Request) -> Result<(), TerminalError> {
        let step = Step::Write;
        self.send(step, request.command, &request.data).await?;
        match self.reply_comes(step, Patience::Whole(ANSWER)).await {
            Ok(()) => done(request, &self.reply(step)?)?,
            Err(TerminalError::Timeout { .. } | TerminalError::Cut { .. }) => {}
            Err(error) => return Err(error),
        }
        // The session is over: EXIT could only reach the next one.
        self.open = false;
        if !self.link.loses() {
            // One that has answered is still there for a moment.
            let _gone = self.reply_comes(step, Patience::Whole(ANSWER)).await;
        }
        Ok(())
    }

    /// Has the terminal prepare a large answer. One that is small comes at once and is put into `body`; otherwise its size
    /// is returned. A terminal that counts nothing of the kind may say "no such record", which is an empty answer.
    ///
    /// # Errors
    /// `TooLarge` above `limit` bytes, before any of them is asked for.
    pub(super) async fn prepare(
        &mut self,
        step: Step,
        wanted: Wanted,
        counted: Counted,
        limit: u32,
        body: &mut Vec<u8>,
    ) -> Result<Option<u32>, TerminalError> {
        // Some terminals copy the whole log before they answer.
        let answer = self
            .exchange_within(step, command::PREPARE_BUFFER, &wanted.request(), PROGRESS)
            .await?;
        body.clear();
        if answer.header.command == reply::ACK_ERROR && counted.nothing() {
            return Ok(None);
        }
        match Prepared::decode(&answer) {
            Ok(Prepared::Inline(data)) => {
                body.extend_from_slice(data);
                Ok(None)
            }
            Ok(Prepared::Size(size)) if size > limit => Err(TerminalError::TooLarge {
                step,
                announced: u64::from(size),
                limit: u64::from(limit),
            }),
            Ok(Prepared::Size(size)) => Ok(Some(size)),
            Err(error) => match bulk_error(step, command::PREPARE_BUFFER, error) {
                unknown @ TerminalError::NotOffered {
                    lacking: Lacking::LargeAnswers,
                    ..
                } => self
                    .ask_directly(step, wanted, counted, limit, body, unknown)
                    .await
                    .map(|()| None),
                error => Err(error),
            },
        }
    }

    /// Asks firmware that prepares nothing for all of it at once. What comes is believed only if it is exactly what the
    /// terminal counts.
    async fn ask_directly(
        &mut self,
        step: Step,
        wanted: Wanted,
        counted: Counted,
        limit: u32,
        body: &mut Vec<u8>,
        unknown: TerminalError,
    ) -> Result<(), TerminalError> {
        // Over UDP nothing would tell that a part is missing.
        let request = wanted.direct_request().filter(|_| !self.link.loses());
        let (Some((command, data)), Some(held)) = (request, counted.held) else {
            return Err(unknown);
        };
        if counted.nothing() {
            return Ok(());
        }
        self.send(step, command, data).await?;
        let mut part = Part::default();
        let received = self.receive_chunk(step, limit, &mut part).await;
        body.extend_from_slice(part.bytes());
        match received {
            Err(TerminalError::Refused { .. } | TerminalError::NotOffered { .. }) => Err(unknown),
            Ok(()) if !wanted.fits_directly(body, held) => {
                tracing::debug!(
                    bytes = body.len(),
                    held,
                    "asked directly, it sends something else than it counts"
                );
                Err(unknown)
            }
            received => received,
        }
    }

    /// Reads these of the prepared bytes, part after part, into `feed`.
    ///
    /// The next part is asked for before the last one is given to `feed`, so that the terminal works while we decode; there
    /// is never more than one request under way. Holds one part in memory.
    pub(super) async fn download<E: From<TerminalError>>(
        &mut self,
        step: Step,
        bytes: Range<u32>,
        mut feed: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        if self.link.loses() {
            return self.download_by_datagrams(step, bytes, feed).await;
        }
        let length_at = |offset: u32| bulk::TCP_CHUNK.min(bytes.end - offset);
        let mut part = Part::default();
        let mut head = Head::default();
        let mut offset = bytes.start;
        if !bytes.is_empty() {
            self.send_chunk_request(step, offset, length_at(offset))
                .await?;
        }
        while offset < bytes.end {
            let length = length_at(offset);
            self.receive_chunk(step, length, &mut part).await?;
            if part.bytes().len() != length as usize {
                let detail = format!(
                    "{length} bytes from {offset} were asked for and {} came",
                    part.bytes().len()
                );
                return Err(TerminalError::Malformed { step, detail }.into());
            }
            head.follow(step, part.bytes())?;
            offset += length;
            if offset < bytes.end {
                self.send_chunk_request(step, offset, length_at(offset))
                    .await?;
            }
            feed(part.bytes())?;
        }
        Ok(())
    }

    /// The same where datagrams get lost, come twice and overtake each other: each part is so short that it comes in one.
    async fn download_by_datagrams<E: From<TerminalError>>(
        &mut self,
        step: Step,
        bytes: Range<u32>,
        mut feed: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut longest = bulk::UDP_CHUNK;
        let mut part = Vec::new();
        let mut head = Head::default();
        let mut offset = bytes.start;
        while offset < bytes.end {
            let length = longest.min(bytes.end - offset);
            self.fetch_datagram(step, offset, length, &mut part).await?;
            if part.len() < length as usize {
                longest = u32::try_from(part.len()).unwrap_or(longest).max(1);
                continue;
            }
            head.follow(step, &part)?;
            offset += length;
            feed(&part)?;
        }
        Ok(())
    }

    /// Asks for a part until a datagram of it has come.
    async fn fetch_datagram(
        &mut self,
        step: Step,
        offset: u32,
        length: u32,
        part: &mut Vec<u8>,
    ) -> Result<(), TerminalError> {
        let mut tries = TRIES;
        loop {
            self.send_chunk_request(step, offset, length).await?;
            tries -= 1;
            match self.receive_datagram(step, length, part).await {
                Err(TerminalError::Timeout { .. }) if tries > 0 => {}
                received => return received,
            }
        }
    }

    async fn receive_datagram(
        &mut self,
        step: Step,
        length: u32,
        part: &mut Vec<u8>,
    ) -> Result<(), TerminalError> {
        loop {
            self.reply_comes(step, Patience::Whole(REPEAT)).await?;
            let packet = self.reply(step)?;
            let data = bulk::datagram_part(&packet, length);
            if let Some(data) =
                data.map_err(|error| bulk_error(step, command::READ_BUFFER, error))?
            {
                part.clear();
                part.extend_from_slice(data);
                return Ok(());
            }
        }
    }

    /// Lets the terminal forget what it has prepared. What was read is complete whatever it answers, if it does.
    pub(super) async fn free(&mut self, step: Step) {
        let _complete = self.exchange(step, command::FREE_DATA, &[]).await;
    }

    /// Ends the session, whatever happened before; also after the deadline, for half a second.
    pub(super) async fn exit(&mut self) {
        if !std::mem::take(&mut self.open) {
            return;
        }
        self.deadline = Deadline::after(GOODBYE);
        // Nobody is waiting for this answer: what matters is that the packet is on its way.
        let _ = self.exchange(Step::Connect, command::EXIT, &[]).await;
        let _ = self
            .deadline
            .cover(Step::Connect, self.link.shut_down())
            .await;
    }

    async fn send_chunk_request(
        &mut self,
        step: Step,
        offset: u32,
        length: u32,
    ) -> Result<(), TerminalError> {
        let request = bulk::chunk_request(offset, length);
        self.send(step, command::READ_BUFFER, &request).await
    }

    /// Fills `part` with the answer to one chunk request, at most `length` bytes and one packet.
    async fn receive_chunk(
        &mut self,
        step: Step,
        length: u32,
        part: &mut Part,
    ) -> Result<(), TerminalError> {
        part.clear();
        let mut chunk = Chunk::new();
        loop {
            self.reply_comes(step, Patience::Idle(PROGRESS)).await?;
            let packet = self.packets.peeked().expect("a packet that has come");
            let received = chunk
                .take(&packet)
                .map_err(|error| bulk_error(step, command::READ_BUFFER, error))?;
            let last = received.last;
            if let Some(promised) = chunk.promised().filter(|promised| *promised > length) {
                return Err(TerminalError::TooLarge {
                    step,
                    announced: u64::from(promised),
                    limit: u64::from(length),
                });
            }
            match part.bytes().is_empty() && received.data.len() >= WORTH_SWAPPING {
                true => part.take_over(&mut self.packets),
                false => {
                    part.add(received.data);
                    self.packets.skip();
                }
            }
            if last {
                return Ok(());
            }
        }
    }

    pub(super) fn renew(&mut self, deadline: Deadline) {
        self.deadline = deadline;
    }

    pub(super) fn deadline(&self) -> Deadline {
        self.deadline
    }

    /// Whether packets may get lost.
    pub(super) fn loses(&self) -> bool {
        self.link.loses()
    }

    /// Keeps events from now on.
    pub(super) fn listen(&mut self) {
        self.heard.get_or_insert_default();
    }

    /// The next event; `None` when there is none for so long.
    pub(super) async fn next_event(
        &mut self,
        quiet: Duration,
    ) -> Result<Option<Heard>, TerminalError> {
        let step = Step::Live;
        let began = tokio::time::Instant::now();
        loop {
            while self.reply_is_here(step).await? {
                self.packets.skip(); // nobody waits for it any more
            }
            if let Some(event) = self.heard.as_mut().and_then(VecDeque::pop_front) {
                return Ok(Some(event));
            }
            let left = quiet.saturating_sub(began.elapsed());
            let read = self
                .deadline
                .within(step, left, self.link.read_into(&mut self.packets));
            match read.await {
                Err(TerminalError::Timeout { after, .. }) if after == left => return Ok(None),
                Err(error) => return Err(error),
                Ok(read) => read.map_err(|source| TerminalError::Cut { step, source })?,
            }
        }
    }

    /// Sorts what has come; whether what stands first then answers the outstanding request.
    async fn reply_is_here(&mut self, step: Step) -> Result<bool, TerminalError> {
        while let Some(header) = self
            .packets
            .peek()
            .map_err(|error| decode_error(step, error))?
        {
            match self.session.sort(header) {
                Incoming::Reply => return Ok(true),
                Incoming::Stale => self.packets.skip(),
                Incoming::Event { code } => self.hear(step, code).await?,
            }
        }
        Ok(false)
    }

    /// Takes the event at hand. One that nobody waits for is acknowledged at once: a terminal may tell nothing more before.
    async fn hear(&mut self, step: Step, code: u16) -> Result<(), TerminalError> {
        let packet = self
            .packets
            .next_packet()
            .map_err(|error| decode_error(step, error))?;
        match &mut self.heard {
            Some(heard) if heard.len() < MOST_HEARD => {
                heard.extend(packet.map(|packet| (code, packet.data.to_vec())));
                Ok(())
            }
            _ => self.acknowledge(step).await,
        }
    }

    pub(super) async fn acknowledge(&mut self, step: Step) -> Result<(), TerminalError> {
        self.out.clear();
        let thanks = self.session.acknowledgement();
        self.link.encode(&thanks, &mut self.out);
        self.write_out(step).await
    }

    async fn exchange(
        &mut self,
        step: Step,
        command: u16,
        data: &[u8],
    ) -> Result<Packet<'_>, TerminalError> {
        self.exchange_within(step, command, data, ANSWER).await
    }

    /// Asks, and where the question or the answer may have got lost, asks again; so only what may be done twice is asked so.
    async fn exchange_within(
        &mut self,
        step: Step,
        command: u16,
        data: &[u8],
        limit: Duration,
    ) -> Result<Packet<'_>, TerminalError> {
        let (mut tries, limit) = match self.link.loses() {
            true => (TRIES, limit / (TRIES - 1)),
            false => (1, limit),
        };
        loop {
            self.send(step, command, data).await?;
            tries -= 1;
            match self.reply_comes(step, Patience::Whole(limit)).await {
                Ok(()) => return self.reply(step),
                Err(TerminalError::Timeout { .. }) if tries > 0 => {}
                Err(error) => return Err(error),
            }
        }
    }

    async fn send(&mut self, step: Step, command: u16, data: &[u8]) -> Result<(), TerminalError> {
        self.out.clear();
        let request = self.session.request(command, data);
        self.link.encode(&request, &mut self.out);
        self.write_out(step).await
    }

    async fn write_out(&mut self, step: Step) -> Result<(), TerminalError> {
        self.deadline
            .within(step, ANSWER, self.link.write(&self.out))
            .await?
            .map_err(|source| TerminalError::Cut { step, source })
    }

    /// The packet that [`Self::reply_comes`] has waited for.
    fn reply(&mut self, step: Step) -> Result<Packet<'_>, TerminalError> {
        let packet = self
            .packets
            .next_packet()
            .map_err(|error| decode_error(step, error))?;
        Ok(packet.expect("a packet that was peeked at"))
    }

    /// Waits until the next packet that belongs to the outstanding request has come.
    async fn reply_comes(&mut self, step: Step, patience: Patience) -> Result<(), TerminalError> {
        let began = tokio::time::Instant::now();
        loop {
            if self.reply_is_here(step).await? {
                return Ok(());
            }
            let limit = match patience {
                Patience::Idle(limit) => limit,
                Patience::Whole(limit) => limit.saturating_sub(began.elapsed()),
            };
            self.deadline
                .within(step, limit, self.link.read_into(&mut self.packets))
                .await
                .map_err(|error| match (error, patience) {
                    // What is left of a limit says nothing to people; the limit does.
                    (TerminalError::Timeout { step, after }, Patience::Whole(whole))
                        if after == limit =>
                    {
                        TerminalError::Timeout { step, after: whole }
                    }
                    (error, _) => error,
                })?
                .map_err(|source| TerminalError::Cut { step, source })?;
        }
    }
}

/// One part of a large answer, in the buffer of the packet that brought it where that is long.
#[derive(Default)]
struct Part {
    buffer: Vec<u8>,
    data: Range<usize>,
}

impl Part {
    fn bytes(&self) -> &[u8] {
        &self.buffer[self.data.clone()]
    }

    fn clear(&mut self) {
        self.buffer.clear();
        self.data = 0..0;
    }

    fn add(&mut self, bytes: &[u8]) {
        self.buffer.truncate(self.data.end);
        self.buffer.extend_from_slice(bytes);
        self.data.end += bytes.len();
    }

    /// The data of the packet that stands first.
    fn take_over(&mut self, packets: &mut PacketBuffer) {
        self.data = packets.give_away(&mut self.buffer).unwrap_or_default();
    }
}

/// Finds out terminals that send the start of the prepared bytes whatever part of them is asked for.
#[derive(Default)]
struct Head(Option<Vec<u8>>);

impl Head {
    /// `part` is the next one.
    fn follow(&mut self, step: Step, part: &[u8]) -> Result<(), TerminalError> {
        let head = &part[..part.len().min(HEAD)];
        match &self.0 {
            None => self.0 = Some(head.to_vec()),
            Some(first) if head.len() == HEAD && first == head => {
                let detail = "whatever part is asked for, the first one comes".to_owned();
                return Err(TerminalError::Malformed { step, detail });
            }
            Some(_) => {}
        }
        Ok(())
    }
}

impl Drop for Connection {
    /// The last resort when a conversation is abandoned in the middle, for example by a shutdown: EXIT without waiting.
    fn drop(&mut self) {
        if self.open {
            self.out.clear();
            let goodbye = self.session.request(command::EXIT, &[]);
            self.link.encode(&goodbye, &mut self.out);
            self.link.try_write(&self.out);
        }
    }
}

/// Whether the answer says that it is done.
fn done(request: &Request, answer: &Packet<'_>) -> Result<(), TerminalError> {
    match request.answer(answer) {
        Ok(_) => Ok(()),
        Err(refusal) => Err(refused(Step::Write, refusal.command, refusal.code)),
    }
}

fn refused(step: Step, command: u16, code: u16) -> TerminalError {
    let lacking = match Condition::of(command, code) {
        Condition::LegacyRefused => Lacking::Protocol,
        Condition::LogNotOffered => Lacking::Log,
        Condition::NoLargeAnswers => Lacking::LargeAnswers,
        condition => {
            return TerminalError::Refused {
                step,
                detail: format!("it answered code {code}: {condition}"),
            };
        }
    };
    TerminalError::NotOffered {
        step,
        lacking,
        code,
    }
}

fn decode_error(step: Step, error: DecodeError) -> TerminalError {
    match error {
        DecodeError::AccessPanel if step == Step::Connect => TerminalError::AccessPanel { step },
        DecodeError::TooLong { announced, limit } => TerminalError::TooLarge {
            step,
            announced: u64::from(announced),
            limit: u64::from(limit),
        },
        error => TerminalError::Malformed {
            step,
            detail: error.to_string(),
        },
    }
}

fn bulk_error(step: Step, command: u16, error: BulkError) -> TerminalError {
    match error {
        BulkError::Refused { code } => refused(step, command, code),
        error => TerminalError::Malformed {
            step,
            detail: error.to_string(),
        },
    }
}

//! UDP: one datagram is one packet, and each peer has a session of its own. A terminal that is away answers nothing, like
//! one without power.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::UdpSocket;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{sleep, timeout};

use super::device::Link;
use super::reply::{Ending, Reply};
use super::seat::Seat;
use super::server::Shared;
use super::wire::{Request, code};

/// A session without a datagram for so long is over; no document says when real terminals give up.
const IDLE: Duration = Duration::from_secs(300);

/// A longer datagram is cut, so that its checksum does not hold.
const LONGEST_REQUEST: usize = 8192;

/// The UDP side of a terminal.
pub(super) enum UdpPort {
    Open {
        socket: Arc<UdpSocket>,
        /// Whether the task answers; else it throws away what comes.
        answers: bool,
        task: AbortHandle,
    },
    /// Not offered, or over.
    Closed,
}

impl UdpPort {
    pub(super) fn open(shared: &Arc<Shared>, socket: UdpSocket) {
        let socket = Arc::new(socket);
        let task = shared
            .runtime()
            .spawn(serve(shared.clone(), socket.clone()));
        *shared.udp() = Self::Open {
            socket,
            answers: true,
            task: task.abort_handle(),
        };
    }

    /// Answers or falls silent. All sessions end with the silence.
    pub(super) fn settle(&mut self, shared: &Arc<Shared>, wanted: bool) {
        let Self::Open {
            socket,
            answers,
            task,
        } = self
        else {
            return;
        };
        if *answers == wanted {
            return;
        }
        task.abort();
        let socket = socket.clone();
        let new = match wanted {
            true => shared.runtime().spawn(serve(shared.clone(), socket)),
            false => shared.runtime().spawn(ignore(socket)),
        };
        *task = new.abort_handle();
        *answers = wanted;
    }

    pub(super) fn close(&mut self) {
        if let Self::Open { task, .. } = std::mem::replace(self, Self::Closed) {
            task.abort();
        }
    }
}

async fn ignore(socket: Arc<UdpSocket>) {
    let mut nothing = [0; 1];
    loop {
        // A datagram longer than the buffer, or the news that a peer is gone: both are thrown away.
        let _ = socket.recv_from(&mut nothing).await;
    }
}

/// Owns the sessions: they end with it.
async fn serve(shared: Arc<Shared>, socket: Arc<UdpSocket>) {
    let mut sessions = JoinSet::new();
    let mut peers: HashMap<SocketAddr, UnboundedSender<Vec<u8>>> = HashMap::new();
    let mut buffer = vec![0; LONGEST_REQUEST];
    loop {
        tokio::select! {
            Some(ended) = sessions.join_next() => {
                // The peer may have begun a new session already.
                if let Ok(peer) = ended && peers.get(&peer).is_some_and(UnboundedSender::is_closed) {
                    peers.remove(&peer);
                }
            }
            received = socket.recv_from(&mut buffer) => {
                // An error tells that a peer is gone: its session ends by itself.
                let Ok((length, peer)) = received else { continue };
                shared.device().counts.bytes_in += length as u64;
                let mut datagram = buffer[..length].to_vec();
                if let Some(inbox) = peers.get(&peer) {
                    match inbox.send(datagram) {
                        Ok(()) => continue,
                        Err(unsent) => datagram = unsent.0,
                    }
                }
                let (inbox, outbox) = unbounded_channel();
                inbox.send(datagram).expect("the receiver is here");
                peers.insert(peer, inbox);
                let session = Session {
                    shared: shared.clone(),
                    socket: socket.clone(),
                    peer,
                    seat: None,
                    link: Link::over_datagrams(),
                };
                sessions.spawn(session.converse(outbox));
            }
        }
    }
}

/// What the terminal remembers of one peer.
struct Session {
    shared: Arc<Shared>,
    socket: Arc<UdpSocket>,
    peer: SocketAddr,
    seat: Option<Seat>,
    link: Link,
}

impl Session {
    /// Ends with EXIT, when the terminal turns the peer away, hangs up, or hears nothing for a while. Returns the peer.
    async fn converse(mut self, mut inbox: UnboundedReceiver<Vec<u8>>) -> SocketAddr {
        let mut stalled = false;
        loop {
            let reply = tokio::select! {
                datagram = timeout(IDLE, inbox.recv()) => {
                    let Ok(Some(datagram)) = datagram else { break };
                    let Some(request) = Request::parse(&datagram) else { continue };
                    let begins = request.command == code::CONNECT;
                    if begins && !self.sit_down() {
                        break;
                    }
                    stalled &= !begins;
                    if stalled {
                        continue;
                    }
                    self.shared.device().answer(&mut self.link, &request)
                }
                () = self.link.wake.notified(), if !stalled => {
                    self.shared.device().live_events(&self.link)
                }
            };
            if let Some(seat) = self.seat.as_mut().filter(|_| self.link.said_exit) {
                // Before the answer: whoever has it may connect again.
                seat.leave(true);
            }
            if reply.ending == Ending::HangUp {
                // Before the answer: what the peer sends after it begins a new session.
                inbox.close();
            }
            self.deliver(&reply).await;
            match reply.ending {
                Ending::KeepOpen => {}
                Ending::HangUp => break,
                Ending::Stall => stalled = true,
                Ending::Restart => {
                    self.shared.restart();
                    break;
                }
            }
        }
        self.peer
    }

    /// A peer takes its place with CONNECT; `false` when there is none for it.
    fn sit_down(&mut self) -> bool {
        if self.seat.is_none() {
            self.seat = Seat::take(&self.shared);
            self.link.seat = self.seat.as_ref().map_or(0, Seat::number);
        }
        self.seat.is_some()
    }

    async fn deliver(&self, reply: &Reply) {
        if !reply.delay.is_zero() {
            sleep(reply.delay).await;
        }
        let datagrams: Vec<&[u8]> = reply.datagrams().collect();
        let deliveries = self.shared.device().deliveries(datagrams.len());
        for (n, index) in deliveries.into_iter().enumerate() {
            let datagram = datagrams[index];
            if n > 0 && !reply.pause.is_zero() {
                sleep(reply.pause).await;
            }
            self.shared.device().counts.bytes_out += datagram.len() as u64;
            // What cannot be sent is lost, as on any network.
            let _ = self.socket.send_to(datagram, self.peer).await;
        }
    }
}

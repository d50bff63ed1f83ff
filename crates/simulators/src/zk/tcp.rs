//! TCP: the listener, its connections, and how answers are cut into segments.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::sleep;

use super::device::Link;
use super::reply::{Ending, Reply, Segments};
use super::seat::Seat;
use super::server::Shared;
use super::wire::{self, Request};

/// Connections that may wait to be accepted.
const BACKLOG: u32 = 128;

/// The TCP side of a terminal.
pub(super) enum TcpPort {
    Listening {
        listener: TcpListener,
        /// Which acceptor may use the listener; an aborted one may still be awake for a moment.
        acceptor: u64,
        task: AbortHandle,
    },
    /// Bound but not listening: connecting is refused and nobody else can take the number.
    Kept { socket: TcpSocket, acceptors: u64 },
    /// Not offered: bound for good, and never listening.
    Reserved(#[expect(dead_code, reason = "held, not used")] TcpSocket),
    /// Over, or not yet open.
    Closed,
}

impl TcpPort {
    pub(super) fn open(shared: &Arc<Shared>, listener: TcpListener) {
        // The acceptor waits for this lock, so that it finds its listener.
        let mut port = shared.tcp();
        let task = shared.runtime().spawn(accept(shared.clone(), 0));
        *port = Self::Listening {
            listener,
            acceptor: 0,
            task: task.abort_handle(),
        };
    }

    /// Listens or stops listening. Open connections end with the listener.
    pub(super) fn settle(&mut self, shared: &Arc<Shared>, wanted: bool) {
        *self = match std::mem::replace(self, Self::Closed) {
            Self::Listening {
                listener,
                acceptor,
                task,
            } if !wanted => {
                task.abort();
                let addr = listener.local_addr();
                drop(listener);
                Self::Kept {
                    socket: addr.and_then(keep).expect("the port was ours a moment ago"),
                    acceptors: acceptor + 1,
                }
            }
            Self::Kept { socket, acceptors } if wanted => {
                let _runtime = shared.runtime().enter();
                let task = shared.runtime().spawn(accept(shared.clone(), acceptors));
                Self::Listening {
                    listener: socket.listen(BACKLOG).expect("the port was kept"),
                    acceptor: acceptors,
                    task: task.abort_handle(),
                }
            }
            unchanged => unchanged,
        };
    }

    pub(super) fn close(&mut self) {
        if let Self::Listening { task, .. } = std::mem::replace(self, Self::Closed) {
            task.abort();
        }
    }

    /// The next connection; `None` when this acceptor has been replaced.
    fn poll_accept(
        &self,
        me: u64,
        context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<TcpStream>>> {
        match self {
            Self::Listening {
                listener, acceptor, ..
            } if *acceptor == me => listener
                .poll_accept(context)
                .map(|accepted| Some(accepted.map(|(stream, _)| stream))),
            _ => Poll::Ready(None),
        }
    }
}

/// Holds a port without serving it.
pub(super) fn keep(addr: SocketAddr) -> io::Result<TcpSocket> {
    let socket = match addr {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    socket.set_reuseaddr(true)?;
    socket.bind(addr)?;
    Ok(socket)
}

/// Owns the connections it accepts: they end with it.
async fn accept(shared: Arc<Shared>, me: u64) {
    let mut connections = JoinSet::new();
    while let Some(accepted) = poll_fn(|context| shared.tcp().poll_accept(me, context)).await {
        while connections.try_join_next().is_some() {}
        match accepted {
            Ok(stream) => {
                if let Some(seat) = Seat::take(&shared) {
                    connections.spawn(converse(seat, stream));
                }
            }
            // Too many open files, mostly: others may close some.
            Err(error) => {
                tracing::warn!(%error, "virtual terminal cannot accept");
                sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

async fn converse(mut seat: Seat, mut stream: TcpStream) {
    // A connection that breaks is the client's business; the terminal just forgets it.
    let _ = talk(&mut seat, &mut stream).await;
}

async fn talk(seat: &mut Seat, stream: &mut TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut link = Link::over_tcp(seat.number());
    let mut inbox = Vec::with_capacity(256);
    loop {
        while let Some(request) = take_request(&mut inbox)? {
            let reply = seat.shared().device().answer(&mut link, &request);
            if link.said_exit {
                // Before the answer: whoever has it may connect again.
                seat.leave(true);
            }
            if send(seat, stream, &reply).await? == Then::Over {
                return Ok(());
            }
        }
        tokio::select! {
            received = stream.read_buf(&mut inbox) => match received? {
                0 => return Ok(()),
                received => seat.shared().device().counts.bytes_in += received as u64,
            },
            () = link.wake.notified() => {
                let events = seat.shared().device().live_events(&link);
                if send(seat, stream, &events).await? == Then::Over {
                    return Ok(());
                }
            }
        }
    }
}

fn take_request(inbox: &mut Vec<u8>) -> io::Result<Option<Request>> {
    wire::take_request(inbox).map_err(|wire::NotThisProtocol| io::ErrorKind::InvalidData.into())
}

#[derive(PartialEq)]
enum Then {
    GoOn,
    Over,
}

async fn send(seat: &Seat, stream: &mut TcpStream, reply: &Reply) -> io::Result<Then> {
    deliver(seat.shared(), stream, reply).await?;
    match reply.ending {
        Ending::KeepOpen => return Ok(Then::GoOn),
        Ending::HangUp => stream.shutdown().await?,
        Ending::Stall => wait_for_the_end(stream).await?,
        // The port is closed before the client sees the end of its connection.
        Ending::Restart => seat.shared().restart(),
    }
    Ok(Then::Over)
}

async fn deliver(shared: &Shared, stream: &mut TcpStream, reply: &Reply) -> io::Result<()> {
    if !reply.delay.is_zero() {
        sleep(reply.delay).await;
    }
    let mut sent = 0;
    while sent < reply.bytes.len() {
        let end = match reply.segments {
            Segments::Whole => reply.bytes.len(),
            Segments::Bytes(size) => reply.bytes.len().min(sent + size),
            Segments::Frames => {
                let next = reply.frame_ends.partition_point(|end| *end <= sent);
                reply.frame_ends[next]
            }
        };
        if sent > 0 && !reply.pause.is_zero() {
            sleep(reply.pause).await;
        }
        // Counted first: whoever has the answer finds it counted.
        shared.device().counts.bytes_out += (end - sent) as u64;
        stream.write_all(&reply.bytes[sent..end]).await?;
        sent = end;
    }
    Ok(())
}

async fn wait_for_the_end(stream: &mut TcpStream) -> io::Result<()> {
    let mut ignored = [0; 256];
    while stream.read(&mut ignored).await? > 0 {}
    Ok(())
}

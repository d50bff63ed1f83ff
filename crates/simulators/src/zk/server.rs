//! The network side of a virtual terminal: its port, its connections, and how answers are cut into segments.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::runtime::Handle;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{Instant, sleep};

use super::device::{Device, Link, Slot};
use super::fault::Fault;
use super::reply::{Ending, Reply, Segments};
use super::wire;

/// Connections that may wait to be accepted.
const BACKLOG: u32 = 128;

/// A terminal on a port. Dropping it frees the port and ends all connections.
pub(super) struct Server {
    shared: Arc<Shared>,
    addr: SocketAddr,
    runtime: Handle,
}

struct Shared {
    device: Mutex<Device>,
    port: Mutex<Port>,
}

enum Port {
    Listening {
        listener: TcpListener,
        /// Which acceptor may use the listener; an aborted one may still be awake for a moment.
        acceptor: u64,
        task: AbortHandle,
    },
    /// Bound but not listening: connecting is refused and nobody else can take the number.
    Kept {
        socket: TcpSocket,
        acceptors: u64,
    },
    Closed,
}

impl Server {
    pub(super) fn start(device: Device, listener: TcpListener) -> io::Result<Self> {
        let addr = listener.local_addr()?;
        let shared = Arc::new(Shared {
            device: Mutex::new(device),
            port: Mutex::new(Port::Closed),
        });
        let runtime = Handle::current();
        // The acceptor waits for this lock, so that it finds its listener.
        let mut port = shared.port();
        *port = Port::Listening {
            listener,
            acceptor: 0,
            task: runtime.spawn(accept(shared.clone(), 0)).abort_handle(),
        };
        drop(port);
        Ok(Self {
            shared,
            addr,
            runtime,
        })
    }

    pub(super) fn addr(&self) -> SocketAddr {
        self.addr
    }

    pub(super) fn device(&self) -> MutexGuard<'_, Device> {
        self.shared.device()
    }

    /// Opens or closes the port as the device's state wants it. Closing takes effect before this returns.
    pub(super) fn settle_port(&self) {
        let mut port = self.shared.port();
        let wanted = {
            let device = self.device();
            device.online && !device.has(&Fault::RefuseConnection)
        };
        *port = match std::mem::replace(&mut *port, Port::Closed) {
            Port::Listening {
                listener,
                acceptor,
                task,
            } if !wanted => {
                task.abort();
                drop(listener);
                self.device().slot = Slot::Free;
                Port::Kept {
                    socket: keep(self.addr).expect("the port was ours a moment ago"),
                    acceptors: acceptor + 1,
                }
            }
            Port::Kept { socket, acceptors } if wanted => {
                let _runtime = self.runtime.enter();
                let task = accept(self.shared.clone(), acceptors);
                Port::Listening {
                    listener: socket.listen(BACKLOG).expect("the port was kept"),
                    acceptor: acceptors,
                    task: self.runtime.spawn(task).abort_handle(),
                }
            }
            unchanged => unchanged,
        };
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let port = std::mem::replace(&mut *self.shared.port(), Port::Closed);
        if let Port::Listening { task, .. } = port {
            task.abort();
        }
    }
}

/// Holds a port without serving it.
fn keep(addr: SocketAddr) -> io::Result<TcpSocket> {
    let socket = match addr {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    socket.set_reuseaddr(true)?;
    socket.bind(addr)?;
    Ok(socket)
}

impl Shared {
    fn device(&self) -> MutexGuard<'_, Device> {
        self.device
            .lock()
            .expect("nothing panics while it holds the device")
    }

    fn port(&self) -> MutexGuard<'_, Port> {
        self.port
            .lock()
            .expect("nothing panics while it holds the port")
    }

    /// The next connection; `None` when this acceptor has been replaced.
    fn poll_accept(
        &self,
        me: u64,
        context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<TcpStream>>> {
        match &*self.port() {
            Port::Listening {
                listener, acceptor, ..
            } if *acceptor == me => listener
                .poll_accept(context)
                .map(|accepted| Some(accepted.map(|(stream, _)| stream))),
            _ => Poll::Ready(None),
        }
    }
}

/// Owns the connections it accepts: they end with it.
async fn accept(shared: Arc<Shared>, me: u64) {
    let mut connections = JoinSet::new();
    while let Some(accepted) = poll_fn(|context| shared.poll_accept(me, context)).await {
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

/// A connection's place at the terminal, given up on drop.
struct Seat {
    shared: Arc<Shared>,
    number: u64,
    taken: bool,
}

impl Seat {
    fn take(shared: &Arc<Shared>) -> Option<Self> {
        let mut device = shared.device();
        device.counts.connections += 1;
        let taken = device.config.one_connection
            && match device.slot {
                Slot::Free => false,
                Slot::HeldBy(_) => true,
                Slot::HeldUntil(end) => Instant::now() < end,
            };
        if taken || device.has(&Fault::Busy) {
            device.counts.turned_away += 1;
            return None;
        }
        device.seats += 1;
        let number = device.seats;
        device.slot = Slot::HeldBy(number);
        device.counts.open += 1;
        Some(Self {
            shared: shared.clone(),
            number,
            taken: true,
        })
    }

    fn leave(&mut self, said_exit: bool) {
        if !std::mem::replace(&mut self.taken, false) {
            return;
        }
        let mut device = self.shared.device();
        device.counts.open -= 1;
        if matches!(device.slot, Slot::HeldBy(number) if number == self.number) {
            let hold = device.config.slot_hold;
            device.slot = match said_exit || hold.is_zero() {
                true => Slot::Free,
                false => Slot::HeldUntil(Instant::now() + hold),
            };
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.leave(false);
    }
}

async fn converse(mut seat: Seat, mut stream: TcpStream) {
    // A connection that breaks is the client's business; the terminal just forgets it.
    let _ = talk(&mut seat, &mut stream).await;
}

async fn talk(seat: &mut Seat, stream: &mut TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut link = Link::default();
    let mut inbox = Vec::with_capacity(256);
    loop {
        let received = stream.read_buf(&mut inbox).await?;
        if received == 0 {
            return Ok(());
        }
        seat.shared.device().counts.bytes_in += received as u64;
        loop {
            let request = match wire::take_request(&mut inbox) {
                Ok(Some(request)) => request,
                Ok(None) => break,
                Err(wire::NotThisProtocol) => return Ok(()),
            };
            let reply = seat.shared.device().answer(&mut link, &request);
            if link.said_exit {
                // Before the answer: whoever has it may connect again.
                seat.leave(true);
            }
            deliver(&seat.shared, stream, &reply).await?;
            match reply.ending {
                Ending::KeepOpen => {}
                Ending::HangUp => return stream.shutdown().await,
                Ending::Stall => return wait_for_the_end(stream).await,
            }
        }
    }
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

//! The sockets that terminals call: who may come in, and how it all ends.

use std::collections::HashSet;
use std::future::Future;
use std::io::{self, Write as _};
use std::net::{IpAddr, Shutdown, SocketAddr};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use ingest::Clock;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::connection::{self, Service};
use super::places::Places;
use super::{Limits, Network, PushProtocol};

/// Until the next try, when the system has no socket left for us.
const NO_SOCKETS: Duration = Duration::from_secs(1);
/// Strangers that are remembered, each of which is logged once.
const STRANGERS: usize = 256;

/// The addresses that terminals call.
#[derive(Debug)]
pub struct PushListener {
    sockets: Vec<TcpListener>,
    /// Whose turn it is to be asked first.
    turn: usize,
}

#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address} for terminals that call")]
pub struct ListenError {
    pub address: SocketAddr,
    #[source]
    pub source: io::Error,
}

/// Who may call, and how much.
#[derive(Clone, Debug, Default)]
pub struct PushListenerOptions {
    /// From where; empty: from everywhere.
    pub networks: Vec<Network>,
    pub limits: Limits,
}

impl PushListener {
    /// All of these addresses, or none.
    ///
    /// # Errors
    /// When one of them is taken, or is not one of this machine.
    pub async fn bind(addresses: &[SocketAddr]) -> Result<Self, ListenError> {
        let mut sockets = Vec::with_capacity(addresses.len());
        for &address in addresses {
            let socket = TcpListener::bind(address).await;
            sockets.push(socket.map_err(|source| ListenError { address, source })?);
        }
        Ok(Self { sockets, turn: 0 })
    }

    /// Where it listens, with the ports that the system chose.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        let addresses = self.sockets.iter().map(TcpListener::local_addr);
        addresses.filter_map(Result::ok).collect()
    }

    /// Serves whoever calls until `stop` ends. Then nobody else is let in, requests under way are answered, and connections end.
    pub async fn serve<P: PushProtocol>(
        mut self,
        protocol: P,
        clock: Clock,
        options: PushListenerOptions,
        stop: impl Future<Output = ()>,
    ) {
        let limits = Arc::new(options.limits);
        let service = Arc::new(Service::new(protocol, clock, limits.clone()));
        let places = Places::new(limits.connections, limits.connections_per_address);
        let mut strangers = Strangers::default();
        let closing = watch::Sender::new(false);
        let mut connections = JoinSet::new();
        let mut stop = pin!(stop);
        loop {
            let (stream, peer) = tokio::select! {
                () = &mut stop => break,
                called = self.accept() => called,
                Some(ended) = connections.join_next() => {
                    if let Err(error) = ended {
                        tracing::error!(%error, "the connection of a caller failed");
                    }
                    continue;
                }
            };
            let peer = SocketAddr::new(peer.ip().to_canonical(), peer.port());
            let networks = &options.networks;
            if !networks.is_empty() && !networks.iter().any(|n| n.contains(peer.ip())) {
                strangers.log_once(peer.ip());
                continue;
            }
            match places.enter(peer.ip()) {
                Some(seat) => {
                    // Answers are short, and written at once.
                    let _ = stream.set_nodelay(true);
                    let closing = closing.subscribe();
                    connections.spawn(connection::serve(
                        service.clone(),
                        stream,
                        peer,
                        seat,
                        closing,
                    ));
                }
                None => turn_away(stream, &connection::crowded(&service.clock)),
            }
        }
        drop(self.sockets);
        closing.send_replace(true);
        let all_ended = async { while connections.join_next().await.is_some() {} };
        if timeout(limits.stop, all_ended).await.is_err() {
            tracing::warn!("some callers were cut off: they took too long");
        }
    }

    /// The next caller on any of the addresses. Never, without one.
    async fn accept(&mut self) -> (TcpStream, SocketAddr) {
        loop {
            let accepted = std::future::poll_fn(|cx| {
                for step in 0..self.sockets.len() {
                    let next = (self.turn + step) % self.sockets.len();
                    if let Poll::Ready(accepted) = self.sockets[next].poll_accept(cx) {
                        self.turn = next + 1;
                        return Poll::Ready(accepted);
                    }
                }
                Poll::Pending
            });
            match accepted.await {
                Ok(called) => return called,
                // It hung up before we picked up.
                Err(error)
                    if matches!(
                        error.kind(),
                        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset
                    ) => {}
                Err(error) => {
                    tracing::warn!(%error, "no terminal can call: the system gives no socket");
                    sleep(NO_SOCKETS).await;
                }
            }
        }
    }
}

/// Says so without waiting for anybody: there is no place for this one to wait in.
fn turn_away(stream: TcpStream, answer: &[u8]) {
    if let Ok(mut stream) = stream.into_std() {
        let _ = stream.write(answer);
        let _ = stream.shutdown(Shutdown::Write);
    }
}

#[derive(Default)]
struct Strangers(HashSet<IpAddr>);

impl Strangers {
    fn log_once(&mut self, address: IpAddr) {
        if self.0.len() < STRANGERS && self.0.insert(address) {
            tracing::warn!(%address, "{address} called, which is in none of the networks of push.networks");
        }
    }
}

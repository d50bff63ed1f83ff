//! Terminals at several addresses and one port, as in the network of an office.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::ops::Deref;

use tokio::net::TcpSocket;

use super::builder::VirtualTerminal;
use super::running::RunningTerminal;

/// How often a port is tried that may be taken at one of the addresses.
const TRIES: usize = 32;

/// Running terminals, each at an address of its own, all at one port; at the other addresses connecting to it is refused.
#[derive(Debug)]
pub struct Street {
    terminals: Vec<RunningTerminal>,
    port: u16,
    /// Bound and not listening, so that nobody else can take the port there.
    _empty: Vec<TcpSocket>,
}

impl Street {
    /// Starts these terminals, and keeps their port free at the addresses of `empty`.
    ///
    /// # Errors
    ///
    /// When no port was found that is free at all addresses.
    pub async fn start(
        terminals: &[(Ipv4Addr, VirtualTerminal)],
        empty: impl IntoIterator<Item = Ipv4Addr>,
    ) -> io::Result<Self> {
        let empty: Vec<Ipv4Addr> = empty.into_iter().collect();
        let mut tries = 1;
        loop {
            match Self::try_start(terminals, &empty).await {
                Err(_) if tries < TRIES => tries += 1,
                started => return started,
            }
        }
    }

    async fn try_start(
        terminals: &[(Ipv4Addr, VirtualTerminal)],
        empty: &[Ipv4Addr],
    ) -> io::Result<Self> {
        let mut street = Self {
            terminals: Vec::new(),
            port: 0,
            _empty: Vec::new(),
        };
        for (address, terminal) in terminals {
            let started = terminal.clone().start((*address, street.port)).await?;
            street.port = started.addr().port();
            street.terminals.push(started);
        }
        for address in empty {
            let socket = TcpSocket::new_v4()?;
            socket.bind(SocketAddr::from((*address, street.port)))?;
            street._empty.push(socket);
        }
        Ok(street)
    }

    /// The port of all of them.
    pub fn port(&self) -> u16 {
        self.port
    }
}

impl Deref for Street {
    type Target = [RunningTerminal];

    fn deref(&self) -> &[RunningTerminal] {
        &self.terminals
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpStream;

    use super::*;

    #[tokio::test]
    async fn terminals_share_a_port_and_the_rest_is_empty() {
        let host = |last| Ipv4Addr::new(127, 0, 4, last);
        let terminals = [2, 4].map(|last| (host(last), VirtualTerminal::new("A1")));
        let street = Street::start(&terminals, [host(3)]).await.expect("a port");
        let connects = async |last| {
            TcpStream::connect((host(last), street.port()))
                .await
                .is_ok()
        };
        assert!(connects(2).await && connects(4).await && !connects(3).await);
        assert_eq!(street.len(), 2);
    }
}

//! How packets travel: in a TCP stream, or one in each UDP datagram.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use zk_proto::{Packet, PacketBuffer};

use crate::Transport;

/// No datagram is longer.
const DATAGRAM: usize = 65_536;

#[derive(Debug)]
pub(super) enum Link {
    Tcp(TcpStream),
    Udp {
        socket: UdpSocket,
        /// The last datagram that came.
        datagram: Vec<u8>,
    },
}

impl Link {
    /// Tries all addresses of a name, one after the other. Over UDP nothing is sent, so the first one that is possible is taken.
    pub(super) async fn open(transport: Transport, found: &[SocketAddr]) -> io::Result<Self> {
        if transport != Transport::Udp {
            let stream = TcpStream::connect(found).await?;
            stream.set_nodelay(true)?;
            return Ok(Self::Tcp(stream));
        }
        let v4 = found.iter().any(SocketAddr::is_ipv4);
        let any: SocketAddr = match v4 {
            true => (Ipv4Addr::UNSPECIFIED, 0).into(),
            false => (Ipv6Addr::UNSPECIFIED, 0).into(),
        };
        let fits: Vec<SocketAddr> = found
            .iter()
            .filter(|address| address.is_ipv4() == v4)
            .copied()
            .collect();
        let socket = UdpSocket::bind(any).await?;
        socket.connect(&fits[..]).await?;
        Ok(Self::Udp {
            socket,
            datagram: vec![0; DATAGRAM],
        })
    }

    /// Whether packets may get lost, come twice or in another order.
    pub(super) fn loses(&self) -> bool {
        matches!(self, Self::Udp { .. })
    }

    /// Appends the packet as it travels.
    pub(super) fn encode(&self, packet: &Packet<'_>, out: &mut Vec<u8>) {
        match self {
            Self::Tcp(_) => packet.encode_framed(out),
            Self::Udp { .. } => packet.encode(out),
        }
    }

    /// Sends one encoded packet.
    pub(super) async fn write(&mut self, packet: &[u8]) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => stream.write_all(packet).await,
            Self::Udp { socket, .. } => socket.send(packet).await.map(|_| ()),
        }
    }

    /// Sends one encoded packet if that is possible at once.
    pub(super) fn try_write(&self, packet: &[u8]) {
        let _ = match self {
            Self::Tcp(stream) => stream.try_write(packet),
            Self::Udp { socket, .. } => socket.try_send(packet),
        };
    }

    /// Puts what arrives next into `packets`; a datagram that is no whole packet is dropped.
    ///
    /// # Errors
    /// `UnexpectedEof` when the terminal has ended the stream.
    pub(super) async fn read_into(&mut self, packets: &mut PacketBuffer) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => match stream.read_buf(packets.space(4096)).await? {
                0 => Err(io::ErrorKind::UnexpectedEof.into()),
                _ => Ok(()),
            },
            Self::Udp { socket, datagram } => {
                let length = socket.recv(datagram).await?;
                match Packet::decode(&datagram[..length]) {
                    Ok(packet) => packets.put(&packet),
                    Err(error) => tracing::debug!(%error, "dropped a datagram"),
                }
                Ok(())
            }
        }
    }

    /// Tells the terminal that nothing more will come.
    pub(super) async fn shut_down(&mut self) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => stream.shutdown().await,
            Self::Udp { .. } => Ok(()),
        }
    }
}

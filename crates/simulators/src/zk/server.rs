//! The ports of a virtual terminal: opened, closed and kept as its state wants it. What goes over them is in `tcp` and
//! `udp`.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};

use tokio::net::{TcpListener, TcpSocket, UdpSocket};
use tokio::runtime::Handle;
use tokio::time::sleep;

use super::device::{Device, Slot};
use super::tcp::{self, TcpPort};
use super::udp::UdpPort;

/// Over which transports a terminal talks. Real models do either or both, on the same port number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transports {
    /// TCP alone.
    Tcp,
    /// UDP alone, as an MA300 and other old models. The TCP port of the same number is kept, so that connecting to it is
    /// refused.
    Udp,
    /// Both.
    Both,
}

/// How often a free TCP port is tried whose number is free on UDP too.
const TRIES: usize = 32;

/// The sockets of a terminal that is about to run.
pub(super) struct Sockets {
    pub(super) tcp: Option<TcpListener>,
    /// Keeps the TCP number of a terminal that talks over UDP alone.
    pub(super) reserved: Option<TcpSocket>,
    pub(super) udp: Option<UdpSocket>,
}

impl Sockets {
    /// Binds what `transports` asks for. Without a `udp_port` UDP takes the number of TCP.
    pub(super) async fn bind(
        addrs: &[SocketAddr],
        transports: Transports,
        udp_port: Option<u16>,
    ) -> io::Result<Self> {
        let chosen_freely = addrs.iter().any(|addr| addr.port() == 0);
        let mut tries = 1;
        loop {
            match Self::try_bind(addrs, transports, udp_port).await {
                // The number is free on one transport and taken on the other.
                Err(_) if chosen_freely && tries < TRIES => tries += 1,
                bound => return bound,
            }
        }
    }

    async fn try_bind(
        addrs: &[SocketAddr],
        transports: Transports,
        udp_port: Option<u16>,
    ) -> io::Result<Self> {
        let on_udp_port =
            |addr: SocketAddr| SocketAddr::new(addr.ip(), udp_port.unwrap_or_else(|| addr.port()));
        if transports == Transports::Udp {
            let addrs: Vec<SocketAddr> = addrs.iter().copied().map(on_udp_port).collect();
            let udp = UdpSocket::bind(addrs.as_slice()).await?;
            let reserved = Some(tcp::keep(udp.local_addr()?)?);
            let (tcp, udp) = (None, Some(udp));
            return Ok(Self { tcp, reserved, udp });
        }
        let listener = TcpListener::bind(addrs).await?;
        let udp = match transports {
            Transports::Tcp => None,
            _ => Some(UdpSocket::bind(on_udp_port(listener.local_addr()?)).await?),
        };
        let (tcp, reserved) = (Some(listener), None);
        Ok(Self { tcp, reserved, udp })
    }
}

/// A terminal on its ports. Dropping it frees them and ends all connections.
pub(super) struct Server {
    shared: Arc<Shared>,
    addr: SocketAddr,
    udp_addr: Option<SocketAddr>,
}

/// What the tasks of a terminal have in common.
pub(super) struct Shared {
    device: Mutex<Device>,
    tcp: Mutex<TcpPort>,
    udp: Mutex<UdpPort>,
    runtime: Handle,
}

impl Server {
    pub(super) fn start(device: Device, sockets: Sockets) -> io::Result<Self> {
        let shared = Arc::new(Shared {
            device: Mutex::new(device),
            tcp: Mutex::new(TcpPort::Closed),
            udp: Mutex::new(UdpPort::Closed),
            runtime: Handle::current(),
        });
        let tcp_addr = sockets
            .tcp
            .as_ref()
            .map(TcpListener::local_addr)
            .transpose()?;
        let udp_addr = sockets
            .udp
            .as_ref()
            .map(UdpSocket::local_addr)
            .transpose()?;
        if let Some(listener) = sockets.tcp {
            TcpPort::open(&shared, listener);
        }
        if let Some(socket) = sockets.reserved {
            *shared.tcp() = TcpPort::Reserved(socket);
        }
        if let Some(socket) = sockets.udp {
            UdpPort::open(&shared, socket);
        }
        shared.settle_ports();
        Ok(Self {
            shared,
            addr: tcp_addr.or(udp_addr).expect("there is a transport"),
            udp_addr,
        })
    }

    pub(super) fn addr(&self) -> SocketAddr {
        self.addr
    }

    pub(super) fn udp_addr(&self) -> Option<SocketAddr> {
        self.udp_addr
    }

    pub(super) fn device(&self) -> MutexGuard<'_, Device> {
        self.shared.device()
    }

    pub(super) fn restart(&self) {
        self.shared.restart();
    }

    /// Opens or closes the ports as the device's state wants it. Closing takes effect before this returns.
    pub(super) fn settle_ports(&self) {
        self.shared.settle_ports();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shared.tcp().close();
        self.shared.udp().close();
    }
}

impl Shared {
    pub(super) fn device(&self) -> MutexGuard<'_, Device> {
        lock(&self.device)
    }

    pub(super) fn tcp(&self) -> MutexGuard<'_, TcpPort> {
        lock(&self.tcp)
    }

    pub(super) fn udp(&self) -> MutexGuard<'_, UdpPort> {
        lock(&self.udp)
    }

    pub(super) fn runtime(&self) -> &Handle {
        &self.runtime
    }

    /// Ends all connections and comes back after the terminal's restart time.
    pub(super) fn restart(self: &Arc<Self>) {
        let time = {
            let mut device = self.device();
            device.power_cycle();
            device.restarting += 1;
            device.config.restart_time
        };
        self.settle_ports();
        if time.is_zero() {
            return self.come_back();
        }
        let shared = Arc::downgrade(self);
        self.runtime.spawn(async move {
            sleep(time).await;
            if let Some(shared) = shared.upgrade() {
                shared.come_back();
            }
        });
    }

    fn come_back(self: &Arc<Self>) {
        self.device().restarting -= 1;
        self.settle_ports();
    }

    fn settle_ports(self: &Arc<Self>) {
        let mut tcp = self.tcp();
        let mut udp = self.udp();
        let wanted = self.device().is_reachable();
        tcp.settle(self, wanted);
        udp.settle(self, wanted);
        if !wanted {
            self.device().slot = Slot::Free;
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex
        .lock()
        .expect("nothing panics while it holds the lock")
}

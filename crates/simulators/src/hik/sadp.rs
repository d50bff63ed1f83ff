//! SADP: terminals on the local network say where they are when somebody asks, over UDP.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::UdpSocket;
use tokio::sync::watch;

use super::isapi::Device;
use super::server::{Line, Shared};
use super::xml::{self, elements};

/// The group terminals listen to.
pub const SADP_GROUP: Ipv4Addr = Ipv4Addr::new(239, 255, 255, 250);
/// The port they listen on, and send from.
pub const SADP_PORT: u16 = 37020;

/// How a terminal lets itself be found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sadp {
    /// Where it listens. Several terminals may share one port, and then hear only what goes to the group.
    pub listens: SocketAddr,
    /// The interface, by its address, on which it hears what goes to [`SADP_GROUP`].
    pub interface: Option<Ipv4Addr>,
    pub answers: Answers,
    pub knows: Inquiries,
    /// The root element is spelled `Probematch`, as on some units.
    pub odd_root: bool,
    /// `1` and `0` instead of `true` and `false`.
    pub digits: bool,
    /// The full serial number of another terminal, which this one claims to be.
    pub claims: Option<String>,
    /// The address it says it has, when it is not the true one.
    pub says: Option<SocketAddr>,
}

impl Sadp {
    /// Listens at `listens` for what is sent there, and answers those who ask.
    pub fn at(listens: SocketAddr) -> Self {
        Self {
            listens,
            interface: None,
            answers: Answers::Sender,
            knows: Inquiries::Both,
            odd_root: false,
            digits: false,
            claims: None,
            says: None,
        }
    }

    /// Listens on the usual port, on this interface, and to the group.
    pub fn on_interface(interface: Ipv4Addr) -> Self {
        Self {
            interface: Some(interface),
            ..Self::at(SocketAddr::from((Ipv4Addr::UNSPECIFIED, SADP_PORT)))
        }
    }
}

/// Whom it answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answers {
    Sender,
    /// Everybody who listens to the group at the port it listens on.
    Group,
}

/// Which inquiries it knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Inquiries {
    Both,
    OldOnly,
    /// `inquiry_v32`.
    NewOnly,
}

/// Opens the socket and answers until the terminal ends. Returns where it listens.
pub(super) fn open(shared: &Arc<Shared>, sadp: Sadp) -> io::Result<SocketAddr> {
    let socket = Socket::new(
        Domain::for_address(sadp.listens),
        Type::DGRAM,
        Some(Protocol::UDP),
    )?;
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&sadp.listens.into())?;
    if let Some(interface) = sadp.interface {
        socket.join_multicast_v4(&SADP_GROUP, &interface)?;
        socket.set_multicast_if_v4(&interface)?;
        socket.set_multicast_loop_v4(true)?;
    }
    let socket = UdpSocket::from_std(socket.into())?;
    let addr = socket.local_addr()?;
    shared.state().device.sadp = Some(sadp);
    let changes = shared.changes.subscribe();
    tokio::spawn(answer(shared.clone(), socket, changes));
    Ok(addr)
}

async fn answer(shared: Arc<Shared>, socket: UdpSocket, mut changes: watch::Receiver<()>) {
    let mut datagram = [0; 2048];
    loop {
        let is_up = match *shared.line() {
            Line::Ended => return,
            Line::Up(_) => true,
            Line::Down(_) => false,
        };
        let received = tokio::select! {
            _ = changes.changed() => continue,
            received = socket.recv_from(&mut datagram) => received,
        };
        let Ok((length, peer)) = received else {
            continue;
        };
        let text = String::from_utf8_lossy(&datagram[..length]).into_owned();
        let reply = {
            let mut state = shared.state();
            let found = state.device.sadp_answer(&text);
            state.counts.sadp_commands += u64::from(found == Heard::Command);
            match found {
                Heard::Inquiry(reply, answers) if is_up => {
                    state.counts.sadp_inquiries += 1;
                    Some((reply, answers))
                }
                _ => None,
            }
        };
        if let Some((reply, answers)) = reply {
            let port = socket.local_addr().map_or(SADP_PORT, |addr| addr.port());
            let to = match answers {
                Answers::Sender => peer,
                Answers::Group => SocketAddr::from((SADP_GROUP, port)),
            };
            // A network that does not take it loses it.
            let _ = socket.send_to(reply.as_bytes(), to).await;
        }
    }
}

/// What a datagram was.
#[derive(Debug, PartialEq, Eq)]
enum Heard {
    Inquiry(String, Answers),
    /// Something that would change the terminal: activate, update, reset …
    Command,
    Nothing,
}

impl Device {
    fn sadp_answer(&self, text: &str) -> Heard {
        let (Some(probe), Some(sadp)) = (xml::inner(text, "Probe"), &self.sadp) else {
            return Heard::Nothing;
        };
        let (Some(uuid), Some(kind)) = (xml::text(probe, "Uuid"), xml::text(probe, "Types")) else {
            return Heard::Nothing;
        };
        let knows = match kind.as_str() {
            "inquiry" => sadp.knows != Inquiries::NewOnly,
            "inquiry_v32" => sadp.knows != Inquiries::OldOnly,
            _ => return Heard::Command,
        };
        match knows {
            true => Heard::Inquiry(self.probe_match(sadp, &uuid, &kind), sadp.answers),
            false => Heard::Nothing,
        }
    }

    fn probe_match(&self, sadp: &Sadp, uuid: &str, kind: &str) -> String {
        let truth = |is_true: bool| match (sadp.digits, is_true) {
            (true, true) => "1",
            (true, false) => "0",
            (false, true) => "true",
            (false, false) => "false",
        };
        let addr = sadp.says.unwrap_or(self.addr);
        let (http, https) = match self.certificate {
            Some(_) => (80, addr.port()),
            None => (addr.port(), 443),
        };
        let started = (self.clock)().strftime("%Y-%m-%d %H:%M:%S").to_string();
        let mut fields = vec![
            ("Uuid", uuid.to_owned()),
            ("Types", kind.to_owned()),
            ("DeviceType", "135340".to_owned()),
            ("DeviceDescription", self.model.clone()),
            (
                "DeviceSN",
                sadp.claims.clone().unwrap_or(self.serial_number.clone()),
            ),
            ("CommandPort", "8000".to_owned()),
            ("HttpPort", http.to_string()),
            ("MAC", self.mac.replace(':', "-")),
            ("IPv4Address", addr.ip().to_string()),
            ("IPv4SubnetMask", "255.255.255.0".to_owned()),
            ("IPv4Gateway", "0.0.0.0".to_owned()),
            ("IPv6Address", "::".to_owned()),
            ("DHCP", truth(true).to_owned()),
            ("SoftwareVersion", format!("{}build 250307", self.firmware)),
            ("BootTime", started),
            ("Activated", truth(true).to_owned()),
        ];
        if kind == "inquiry_v32" {
            fields.extend([
                ("HttpsPort", https.to_string()),
                ("SDKOverTLSPort", "8443".to_owned()),
                ("ResetAbility", truth(false).to_owned()),
                ("SupportHCPlatform", truth(true).to_owned()),
                ("AnalogChannelNum", "0".to_owned()),
                ("SupportMailBox", truth(true).to_owned()),
            ]);
        }
        let fields: Vec<(&str, &str)> = fields
            .iter()
            .map(|(name, text)| (*name, text.as_str()))
            .collect();
        let root = if sadp.odd_root {
            "Probematch"
        } else {
            "ProbeMatch"
        };
        format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<{root}>\n{}</{root}>\n",
            elements(&fields)
        )
    }
}

//! Asks the terminals of a link who and where they are, by SADP. What they answer is a claim: nobody signs it.

use std::collections::BTreeSet;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use hik_proto::sadp::{self, SadpAnswer};
use hik_proto::{is_activated, paths};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::UdpSocket;
use tokio::time::{Instant, sleep_until, timeout_at};

use super::http::Http;
use super::{HikLimits, new_search_id};
use crate::discover::{Answer, Pace};
use crate::{Deadline, Step, Target, TerminalError};

/// Where and how long terminals are asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkSearch {
    /// Our addresses on the links; `0.0.0.0` is the one that the system prefers. Empty: nobody is asked.
    pub interfaces: Vec<Ipv4Addr>,
    pub port: u16,
    /// From the first question to the last answer.
    pub within: Duration,
    /// How often each question is asked in that time.
    pub times: u32,
}

impl Default for LinkSearch {
    fn default() -> Self {
        Self {
            interfaces: Vec::new(),
            port: sadp::PORT,
            within: Duration::from_secs(5),
            times: 3,
        }
    }
}

/// Answers of one search that are listened to.
const MOST_ANSWERS: usize = 2000;

/// Asks on every link, and each of these addresses by itself; `on_answer` is told of each terminal once. Also hears what
/// terminals answer somebody else.
///
/// # Errors
/// When an interface is not one of this machine.
pub(crate) async fn ask_links(
    search: &LinkSearch,
    addresses: &[Ipv4Addr],
    pace: &Pace,
    on_answer: &mut (dyn FnMut(SocketAddr, Answer) + Send),
) -> io::Result<()> {
    let mut sockets = Vec::new();
    for interface in &search.interfaces {
        sockets.push(open(*interface)?);
    }
    // Answers may go to the group. Where another program holds the port alone, those to us have to do.
    let group = match listen_to_group(search) {
        Ok(group) => Some(group),
        Err(error) => {
            let error = &error as &dyn std::error::Error;
            tracing::debug!(error, "answers to the group of SADP are not heard");
            None
        }
    };
    let asking = ask(search, &sockets, addresses, pace);
    let mut seen = BTreeSet::new();
    let mut hear = |from: SocketAddr, datagram: &[u8]| {
        let Some((place, answer)) = claim(from, datagram) else {
            return;
        };
        if seen.len() < MOST_ANSWERS && seen.insert((place, serial_of(&answer))) {
            on_answer(place, answer);
        }
    };
    let ends = Instant::now() + search.within;
    let hearing = async {
        let mut buffers = vec![vec![0; sadp::LONGEST_ANSWER + 1]; sockets.len() + 1];
        let all: Vec<&UdpSocket> = sockets.iter().chain(group.as_ref()).collect();
        while let Ok((at, length, from)) = timeout_at(ends, receive(&all, &mut buffers)).await {
            hear(from, &buffers[at][..length]);
        }
    };
    tokio::join!(asking, hearing);
    Ok(())
}

/// Hears what terminals tell the group of our links, whoever asked them. Nothing is ever sent.
#[derive(Debug)]
pub struct LinkEar {
    group: UdpSocket,
    /// Who talks without end costs us no more than others do.
    pace: Pace,
    datagram: Vec<u8>,
}

/// Datagrams that are looked at in a second.
const HEARD_PER_SECOND: u32 = 100;

impl LinkEar {
    pub(crate) fn open(search: &LinkSearch) -> io::Result<Self> {
        Ok(Self {
            group: listen_to_group(search)?,
            pace: Pace::new(HEARD_PER_SECOND),
            datagram: vec![0; sadp::LONGEST_ANSWER + 1],
        })
    }

    /// Where the next terminal says that it is. It claims so, and may claim it again and again.
    pub async fn next(&mut self) -> (SocketAddr, Answer) {
        loop {
            self.pace.turn().await;
            let Ok((length, from)) = self.group.recv_from(&mut self.datagram).await else {
                continue;
            };
            if let Some(heard) = claim(from, &self.datagram[..length]) {
                return heard;
            }
        }
    }
}

fn open(interface: Ipv4Addr) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_nonblocking(true)?;
    socket.set_broadcast(true)?;
    socket.set_multicast_loop_v4(true)?;
    if !interface.is_unspecified() {
        socket.set_multicast_if_v4(&interface)?;
    }
    socket.bind(&SocketAddr::from((interface, 0)).into())?;
    UdpSocket::from_std(socket.into())
}

fn listen_to_group(search: &LinkSearch) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&SocketAddr::from((Ipv4Addr::UNSPECIFIED, search.port)).into())?;
    for interface in &search.interfaces {
        socket.join_multicast_v4(&sadp::GROUP, interface)?;
    }
    UdpSocket::from_std(socket.into())
}

/// The questions, some times over. One that cannot be sent is none.
async fn ask(search: &LinkSearch, sockets: &[UdpSocket], addresses: &[Ipv4Addr], pace: &Pace) {
    let times = search.times.max(1);
    // The last answers need time too.
    let pause = search.within / (times + 1);
    let began = Instant::now();
    for round in 0..times {
        sleep_until(began + pause * round).await;
        for question in sadp::QUESTIONS {
            let probe = sadp::probe(&new_search_id(), question);
            for socket in sockets {
                for everybody in [sadp::GROUP, Ipv4Addr::BROADCAST] {
                    let _ = socket
                        .send_to(probe.as_bytes(), (everybody, search.port))
                        .await;
                }
            }
            // Behind routers only a question to the address itself arrives, and once is enough for that.
            if let (0, Some(socket)) = (round, sockets.first()) {
                for address in addresses {
                    pace.turn().await;
                    let _ = socket
                        .send_to(probe.as_bytes(), (*address, search.port))
                        .await;
                }
            }
        }
    }
}

/// The next datagram on any of them: which one, how long, and from whom. Errors of a socket, such as a port that is closed
/// at the other end, are nothing.
async fn receive(sockets: &[&UdpSocket], buffers: &mut [Vec<u8>]) -> (usize, usize, SocketAddr) {
    std::future::poll_fn(|cx| {
        for (at, socket) in sockets.iter().enumerate() {
            let Some(buffer) = buffers.get_mut(at) else {
                continue;
            };
            let mut read = tokio::io::ReadBuf::new(buffer);
            loop {
                match socket.poll_recv_from(cx, &mut read) {
                    std::task::Poll::Ready(Ok(from)) => {
                        return std::task::Poll::Ready((at, read.filled().len(), from));
                    }
                    std::task::Poll::Ready(Err(_)) => read.clear(),
                    std::task::Poll::Pending => break,
                }
            }
        }
        std::task::Poll::Pending
    })
    .await
}

/// Who a datagram says that it is from, and where that answers HTTP.
fn claim(from: SocketAddr, datagram: &[u8]) -> Option<(SocketAddr, Answer)> {
    let answer = SadpAnswer::decode(datagram).ok().flatten()?;
    let address = match (answer.address, from.ip()) {
        (Some(address), _) => address,
        (None, IpAddr::V4(address)) => address,
        (None, IpAddr::V6(_)) => return None,
    };
    let is_near = address.is_private() || address.is_loopback() || address.is_link_local();
    is_near.then(|| {
        let place = SocketAddr::from((address, answer.http_port));
        let claim = Answer::Claims {
            serial: answer.serial,
            model: answer.model,
            tls_port: answer.https_port,
            activated: answer.activated != Some(false),
        };
        (place, claim)
    })
}

fn serial_of(answer: &Answer) -> String {
    match answer {
        Answer::Claims { serial, .. } => serial.clone(),
        _ => String::new(),
    }
}

/// Whether somebody like a terminal that people can sign in to is there. Nothing secret is sent; with TLS it also shows the
/// certificate that is expected.
pub(crate) async fn may_sign_in_at(
    target: &Target,
    deadline: Deadline,
) -> Result<bool, TerminalError> {
    let step = Step::Identify;
    let mut http = Http::open(target, deadline, HikLimits::default()).await?;
    let (status, body) = http.get_unsigned(step, paths::ACTIVATE_STATUS).await?;
    // Firmware that does not know the question asks for a sign-in, or says so.
    Ok(match status.is_success() {
        true => is_activated(&body),
        false => [401, 403, 404].contains(&status.as_u16()),
    })
}

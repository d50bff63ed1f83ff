//! The terminals against a server of the test's own, which knows nothing but bytes.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::civil::{DateTime, date};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::{
    Event, Fault, Profile, Punch, RunningTerminal, Server, SlowWriters, Storm, User,
    VirtualTerminal, history, stopped,
};

mod access;
mod clocks;
mod commands;
mod documented;
mod faults;
mod load;
mod outages;
mod uploads;

/// What must happen, and would otherwise be waited for in vain.
async fn within<T>(future: impl Future<Output = T>) -> T {
    let ended = timeout(Duration::from_secs(10), future).await;
    ended.expect("something within ten seconds")
}

/// A request as it came over the wire, or as much of it as came.
#[derive(Debug, Clone)]
struct Received {
    head: String,
    body: Vec<u8>,
    whole: bool,
}

impl Received {
    /// Method, path and query.
    fn line(&self) -> &str {
        self.head.split(" HTTP/").next().unwrap()
    }

    fn is(&self, start: &str) -> bool {
        self.line().starts_with(start)
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// Lines that are not blank.
    fn lines(&self) -> usize {
        let text = self.text();
        text.lines().filter(|line| !line.trim().is_empty()).count()
    }

    fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines();
        lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }

    fn query(&self, key: &str) -> Option<&str> {
        let (_, query) = self.line().split_once('?')?;
        query
            .split('&')
            .find_map(|pair| pair.strip_prefix(key)?.strip_prefix('='))
    }

    /// All of it, as the document prints it.
    fn printed(&self, addr: SocketAddr) -> String {
        let head = self.head.replace(&addr.to_string(), "10.0.0.5:8081");
        assert!(
            !head.replace("\r\n", "").contains('\n'),
            "bare line feed in {head:?}"
        );
        head.replace("\r\n", "\n") + &self.text()
    }
}

/// What the server says to a request.
#[derive(Debug, Clone)]
enum Reply {
    Says(u16, String),
    Dated(String, &'static str),
    KeepsOpen(String),
    HangsUp,
    Silent,
}

fn ok(text: impl Into<String>) -> Reply {
    Reply::Says(200, text.into())
}

/// A server that is scripted by a function from a request to its answer.
struct Office {
    addr: SocketAddr,
    seen: Arc<Seen>,
    task: JoinHandle<()>,
}

#[derive(Default)]
struct Seen {
    requests: Mutex<Vec<Received>>,
    connections: Mutex<usize>,
    changed: Notify,
}

impl Office {
    async fn open(script: impl FnMut(&Received) -> Reply + Send + 'static) -> Self {
        Self::open_at("127.0.0.1:0".parse().unwrap(), script).await
    }

    async fn open_at(
        addr: SocketAddr,
        script: impl FnMut(&Received) -> Reply + Send + 'static,
    ) -> Self {
        let listener = TcpListener::bind(addr).await.unwrap();
        let addr = listener.local_addr().unwrap();
        let (seen, script) = (Arc::new(Seen::default()), Arc::new(Mutex::new(script)));
        let kept = seen.clone();
        let task = tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                *kept.connections.lock().unwrap() += 1;
                let (seen, script) = (kept.clone(), script.clone());
                connections.spawn(async move {
                    while let Some(request) = receive(&mut stream).await {
                        let reply = match request.whole {
                            true => (script.lock().unwrap())(&request),
                            false => Reply::HangsUp,
                        };
                        seen.requests.lock().unwrap().push(request);
                        seen.changed.notify_waiters();
                        if !answer(&mut stream, reply).await {
                            return;
                        }
                    }
                });
            }
        });
        Self { addr, seen, task }
    }

    fn received(&self) -> Vec<Received> {
        self.seen.requests.lock().unwrap().clone()
    }

    fn of(&self, start: &str) -> Vec<Received> {
        let mut received = self.received();
        received.retain(|request| request.is(start));
        received
    }

    /// Waits for the `count`th request that begins so.
    async fn until(&self, count: usize, start: &str) -> Received {
        within(async {
            loop {
                let next = self.seen.changed.notified();
                if let Some(found) = self.of(start).into_iter().nth(count - 1) {
                    return found;
                }
                next.await;
            }
        })
        .await
    }

    /// The bodies of the uploads of punches.
    fn attlogs(&self) -> Vec<String> {
        let uploads = self.of("POST /iclock/cdata").into_iter();
        let punches = uploads.filter(|request| request.query("table") == Some("ATTLOG"));
        punches.map(|request| request.text()).collect()
    }
}

impl Drop for Office {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn receive(stream: &mut TcpStream) -> Option<Received> {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let count = stream.read(&mut buffer).await.unwrap_or(0);
        bytes.extend_from_slice(&buffer[..count]);
        let end = bytes.windows(4).position(|part| part == b"\r\n\r\n");
        let head_end = end.map_or(bytes.len(), |end| end + 4);
        let head = String::from_utf8_lossy(&bytes[..head_end]).into_owned();
        let request = |body: &[u8], whole| Received {
            head: head.clone(),
            body: body.to_vec(),
            whole,
        };
        let body = &bytes[head_end..];
        if count == 0 {
            return (!bytes.is_empty()).then(|| request(body, false));
        }
        if end.is_none() {
            continue;
        }
        if head.contains("Expect: 100-continue") && body.is_empty() {
            stream
                .write_all(b"HTTP/1.1 100 Continue\r\n\r\n")
                .await
                .ok()?;
        }
        if head.contains("chunked") {
            if body.ends_with(b"0\r\n\r\n") {
                return Some(request(&without_chunks(body), true));
            }
            continue;
        }
        let length = request(body, true);
        let length = length
            .header("Content-Length")
            .map_or(0, |length| length.parse().unwrap());
        if body.len() >= length {
            return Some(request(&body[..length], true));
        }
    }
}

fn without_chunks(mut body: &[u8]) -> Vec<u8> {
    let mut plain = Vec::new();
    loop {
        let end = body.windows(2).position(|part| part == b"\r\n").unwrap();
        let size = std::str::from_utf8(&body[..end]).unwrap();
        let size = usize::from_str_radix(size, 16).unwrap();
        if size == 0 {
            return plain;
        }
        plain.extend_from_slice(&body[end + 2..end + 2 + size]);
        body = &body[end + 4 + size..];
    }
}

/// Whether the connection goes on.
async fn answer(stream: &mut TcpStream, reply: Reply) -> bool {
    let date = match &reply {
        Reply::Dated(_, date) => *date,
        _ => "Sun, 22 Nov 2026 05:00:03 GMT",
    };
    let (status, text, open) = match reply {
        Reply::Says(status, text) => (status, text, false),
        Reply::Dated(text, _) => (200, text, false),
        Reply::KeepsOpen(text) => (200, text, true),
        Reply::HangsUp => return false,
        Reply::Silent => std::future::pending().await,
    };
    let connection = if open { "keep-alive" } else { "close" };
    let length = text.len();
    let answer = format!(
        "HTTP/1.1 {status} X\r\nDate: {date}\r\nContent-Type: text/plain\r\nContent-Length: {length}\r\nConnection: {connection}\r\n\r\n{text}"
    );
    stream.write_all(answer.as_bytes()).await.is_ok() && open
}

/// The settings of example E1.
fn settings() -> String {
    "GET OPTION FROM: BOCK200961014\nATTLOGStamp=0\nOPERLOGStamp=0\nATTPHOTOStamp=0\nErrorDelay=30\nDelay=10\n\
     TransTimes=00:00;14:05\nTransInterval=1\nTransFlag=TransData AttLog\tOpLog\tEnrollUser\tChgUser\nTimeZone=330\n\
     Realtime=1\nEncrypt=0\nServerVer=2.4.1\nPushProtVer=2.4.1\nSupportPing=1\n"
        .to_owned()
}

/// What a good server says.
fn usual(request: &Received) -> Reply {
    let table = request.query("tablename").unwrap_or_default();
    match request.line() {
        line if line.contains("/registry") => ok("RegistryCode=Uy47fxftP3"),
        line if line.contains("/push") => ok(CONFIGURATION),
        line if line.contains("/rtdata") => ok("DateTime=864277203,ServerTZ=+0530"),
        line if line.contains("type=time") => ok("Time=2026-11-22T10:30:03+05:30"),
        line if line.contains("/querydata") && line.contains("type=options") => ok("OK"),
        line if line.contains("/querydata") => ok(format!("{table}={}", request.lines())),
        line if line.contains("DeviceType=acc") => ok("OK"),
        line if line.contains("options=all") => ok(settings()),
        line if line.contains("tabledata") => ok(format!("{table}={}", request.lines())),
        line if line.contains("ATTPHOTO") || line.contains("table=options") => ok("OK"),
        line if line.starts_with("POST") && line.contains("cdata") => {
            ok(format!("OK: {}", request.lines()))
        }
        _ => ok("OK"),
    }
}

/// The configuration of example A3.
const CONFIGURATION: &str = "ServerVersion=3.1.2\nServerName=ATT\nPushProtVer=3.1.2\nErrorDelay=60\nRequestDelay=10\n\
    TransTimes=00:00;14:00\nTransInterval=1\nTransTables=User Transaction\nRealtime=1\n\
    SessionID=30BFB04B2C8AECC72C01C03BFD549D15\nTimeoutSec=10\n";

/// The usual server, which hands out these commands at the first poll.
async fn with_commands(commands: &'static str) -> Office {
    let mut waiting = Some(commands);
    Office::open(
        move |request| match request.line().contains("/getrequest") {
            true => ok(waiting.take().unwrap_or("OK")),
            false => usual(request),
        },
    )
    .await
}

const MORNING: DateTime = date(2026, 11, 22).at(10, 30, 0, 0);

fn at(text: &str) -> DateTime {
    text.parse().unwrap()
}

/// The terminal of the document's examples, in a hurry.
fn terminal(profile: Profile) -> VirtualTerminal {
    VirtualTerminal::new("BOCK200961014", profile)
        .clock(stopped(MORNING))
        .delay(Duration::from_millis(20))
        .error_delay(Duration::from_millis(20))
}

fn punches(count: usize) -> Vec<Punch> {
    history(count, 50, date(2026, 11, 2)).collect()
}

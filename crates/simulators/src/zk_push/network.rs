//! One request and its answer, over a network that may misbehave.

use std::fmt;
use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use super::fault::Fault;
use super::http::{Answer, Length, Request, read_answer};

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum NoAnswer {
    /// Nobody listens there.
    Refused,
    TimedOut,
    /// A fault ended it, or the terminal was switched off meanwhile.
    Cut,
    Broken(io::Error),
}

impl fmt::Display for NoAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused => f.write_str("nobody listens there"),
            Self::TimedOut => f.write_str("no answer in time"),
            Self::Cut => f.write_str("the connection was cut"),
            Self::Broken(error) => write!(f, "{error}"),
        }
    }
}

impl From<io::Error> for NoAnswer {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::ConnectionRefused => Self::Refused,
            _ => Self::Broken(error),
        }
    }
}

/// How a request is sent.
#[derive(Debug, Clone)]
pub(super) struct Manner {
    pub faults: Vec<Fault>,
    /// Whether it is the first sending of an upload, which some faults break.
    pub may_break: bool,
    pub time_out: Duration,
    pub keeps_alive: bool,
}

/// A terminal's side of the network: at most one connection that is open still.
#[derive(Debug, Default)]
pub(super) struct Network {
    open: Option<TcpStream>,
}

impl Network {
    /// Closes what is open.
    pub(super) fn hang_up(&mut self) {
        self.open = None;
    }

    pub(super) async fn exchange(
        &mut self,
        authority: &str,
        request: &Request,
        manner: &Manner,
    ) -> Result<Answer, NoAnswer> {
        let work = self.conversation(authority, request, manner);
        timeout(manner.time_out, work)
            .await
            .unwrap_or(Err(NoAnswer::TimedOut))
    }

    async fn conversation(
        &mut self,
        authority: &str,
        request: &Request,
        manner: &Manner,
    ) -> Result<Answer, NoAnswer> {
        if let Some(stream) = self.open.take().filter(|stream| !has_ended(stream)) {
            match self.talk(stream, request, manner).await {
                // The server may close a kept connection at any time; a new one decides.
                Err(NoAnswer::Broken(_)) => {}
                settled => return settled,
            }
        }
        let stream = TcpStream::connect(authority).await?;
        stream.set_nodelay(true)?;
        self.talk(stream, request, manner).await
    }

    async fn talk(
        &mut self,
        mut stream: TcpStream,
        request: &Request,
        manner: &Manner,
    ) -> Result<Answer, NoAnswer> {
        send(&mut stream, request, manner).await?;
        let breaks = |fault: &Fault| manner.may_break && manner.faults.contains(fault);
        if breaks(&Fault::HangUp) {
            return Err(NoAnswer::Cut);
        }
        if breaks(&Fault::CutAnswer) {
            stream.readable().await?;
            return Err(NoAnswer::Cut);
        }
        let answer = read_answer(&mut stream).await?;
        if manner.keeps_alive && answer.keeps {
            self.open = Some(stream);
        }
        Ok(answer)
    }
}

/// Whether the server has closed a connection on which nothing is due.
fn has_ended(stream: &TcpStream) -> bool {
    let read = stream.try_read(&mut [0]);
    !matches!(read, Err(error) if error.kind() == io::ErrorKind::WouldBlock)
}

async fn send(stream: &mut TcpStream, request: &Request, manner: &Manner) -> Result<(), NoAnswer> {
    let has = |fault: &Fault| manner.faults.contains(fault);
    let length = match () {
        () if has(&Fault::NoLength) && manner.may_break => Length::Missing,
        () if has(&Fault::Chunked) => Length::Chunked,
        () => Length::Declared,
    };
    let expects = has(&Fault::ExpectContinue) && request.body.is_some();
    let head = request.head(has(&Fault::Http10), length, expects);
    let body = request.sent_body(length);
    let upload = manner.faults.iter().find_map(|fault| match fault {
        Fault::CutRequest(after) if manner.may_break => Some(Broken::After(*after)),
        Fault::Stall if manner.may_break => Some(Broken::Stalled),
        Fault::Dribble(pause) if request.body.is_some() => Some(Broken::Dribbled(*pause)),
        _ => None,
    });
    if expects {
        stream.write_all(&head).await?;
        read_continue(stream).await?;
        stream.write_all(&body).await?;
        return Ok(());
    }
    match upload {
        Some(Broken::After(after)) => {
            let whole = [head, body].concat();
            stream.write_all(&whole[..after.min(whole.len())]).await?;
            stream.flush().await?;
            Err(NoAnswer::Cut)
        }
        Some(Broken::Stalled) => {
            let half = [&head[..], &body[..body.len() / 2]].concat();
            stream.write_all(&half).await?;
            std::future::pending().await
        }
        Some(Broken::Dribbled(pause)) => {
            stream.write_all(&head).await?;
            write_in_parts(stream, &body, 1, pause).await
        }
        None => {
            let whole = [head, body].concat();
            let split = manner.faults.iter().find_map(|fault| match fault {
                Fault::Split { size, pause } => Some((*size, *pause)),
                _ => None,
            });
            let (size, pause) = split.unwrap_or((whole.len(), Duration::ZERO));
            write_in_parts(stream, &whole, size, pause).await
        }
    }
}

/// How the sending of an upload goes wrong.
enum Broken {
    After(usize),
    Stalled,
    Dribbled(Duration),
}

async fn write_in_parts(
    stream: &mut TcpStream,
    bytes: &[u8],
    size: usize,
    pause: Duration,
) -> Result<(), NoAnswer> {
    for (index, part) in bytes.chunks(size.max(1)).enumerate() {
        if index > 0 && !pause.is_zero() {
            sleep(pause).await;
        }
        stream.write_all(part).await?;
        stream.flush().await?;
    }
    Ok(())
}

/// Reads the head of `100 Continue`, byte by byte so that nothing behind it is lost.
async fn read_continue(stream: &mut TcpStream) -> Result<(), NoAnswer> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await?);
        if head.len() > 1024 {
            break;
        }
    }
    if head.starts_with(b"HTTP/1.1 100") {
        return Ok(());
    }
    let refused = String::from_utf8_lossy(&head)
        .lines()
        .next()
        .unwrap_or_default()
        .to_owned();
    Err(io::Error::other(format!("no leave to send the body: {refused}")).into())
}

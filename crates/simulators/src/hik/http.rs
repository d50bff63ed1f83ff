//! The little HTTP/1.1 that terminals speak, written by hand so that faults can be put into every byte.

use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// Heads beyond this are cut off, as small embedded servers do.
const MAX_HEAD: usize = 16 * 1024;
/// The largest body a terminal takes; searches are a few hundred bytes.
const MAX_BODY: usize = 1024 * 1024;

#[derive(Debug)]
pub(super) struct Request {
    pub(super) method: String,
    /// Path and query exactly as on the request line.
    pub(super) target: String,
    headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
    /// Bytes of head and body together.
    pub(super) size: usize,
}

impl Request {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    pub(super) fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }

    /// The value of `name` in the query.
    pub(super) fn query(&self, name: &str) -> Option<&str> {
        let (_, query) = self.target.split_once('?')?;
        let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        pairs.find(|(key, _)| *key == name).map(|(_, value)| value)
    }

    /// Whether the query says `format=json`.
    pub(super) fn wants_json(&self) -> bool {
        self.query("format") == Some("json")
    }
}

/// Reads requests from one connection; bytes after a request wait for the next call.
#[derive(Debug)]
pub(super) struct RequestReader<R> {
    stream: R,
    buffer: Vec<u8>,
}

impl<R: AsyncRead + Unpin> RequestReader<R> {
    pub(super) fn new(stream: R) -> Self {
        Self {
            stream,
            buffer: Vec::new(),
        }
    }

    /// The stream, for bytes that are no request; those read ahead are lost.
    pub(super) fn into_inner(self) -> R {
        self.stream
    }

    /// The next request; `None` when the peer is gone or does not speak HTTP.
    pub(super) async fn next(&mut self) -> Option<Request> {
        let head_end = loop {
            if let Some(at) = find(&self.buffer, b"\r\n\r\n") {
                break at;
            }
            if self.buffer.len() > MAX_HEAD {
                return None;
            }
            self.fill().await?;
        };
        let head = std::str::from_utf8(self.buffer.get(..head_end)?).ok()?;
        let mut lines = head.split("\r\n");
        let mut first = lines.next()?.split(' ');
        let (method, target) = (first.next()?.to_owned(), first.next()?.to_owned());
        let headers: Vec<(String, String)> = lines
            .filter_map(|line| line.split_once(':'))
            .map(|(key, value)| (key.trim().to_owned(), value.trim().to_owned()))
            .collect();
        let mut request = Request {
            method,
            target,
            headers,
            body: Vec::new(),
            size: 0,
        };
        let length = match request.header("content-length") {
            Some(text) => text.parse().ok().filter(|length| *length <= MAX_BODY)?,
            None => 0,
        };
        request.size = head_end + 4 + length;
        while self.buffer.len() < request.size {
            self.fill().await?;
        }
        request.body = self.buffer.get(head_end + 4..request.size)?.to_vec();
        self.buffer.drain(..request.size);
        Some(request)
    }

    async fn fill(&mut self) -> Option<()> {
        let read = self.stream.read_buf(&mut self.buffer).await.ok()?;
        (read > 0).then_some(())
    }
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack
        .windows(needle.len())
        .position(|window| window == needle)
}

#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) content_type: &'static str,
    /// One header line per challenge.
    pub(super) challenges: Vec<String>,
    pub(super) body: Vec<u8>,
}

pub(super) const XML: &str = "application/xml; charset=\"UTF-8\"";
pub(super) const JSON: &str = "application/json";

impl Answer {
    pub(super) fn new(status: u16, content_type: &'static str, body: impl Into<Vec<u8>>) -> Self {
        Self {
            status,
            content_type,
            challenges: Vec::new(),
            body: body.into(),
        }
    }

    /// Without a length the body ends with the connection.
    fn head(&self, length: Option<u64>, keep_alive: bool) -> Vec<u8> {
        let reason = match self.status {
            200 => "OK",
            400 => "Bad Request",
            401 => "Unauthorized",
            403 => "Forbidden",
            404 => "Not Found",
            405 => "Method Not Allowed",
            503 => "Service Unavailable",
            _ => "Internal Server Error",
        };
        let mut head = format!("HTTP/1.1 {} {reason}\r\nServer: webs\r\n", self.status);
        for challenge in &self.challenges {
            head.push_str(&format!("WWW-Authenticate: {challenge}\r\n"));
        }
        head.push_str(&format!("Content-Type: {}\r\n", self.content_type));
        if let Some(length) = length {
            head.push_str(&format!("Content-Length: {length}\r\n"));
        }
        head.push_str(if keep_alive {
            "Connection: keep-alive\r\nKeep-Alive: timeout=60, max=99\r\n\r\n"
        } else {
            "Connection: close\r\n\r\n"
        });
        head.into_bytes()
    }
}

/// How an answer reaches the peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Delivery {
    Whole,
    /// The connection ends without a byte.
    Dropped,
    Silent,
    Dribble(Duration),
    CutMidBody,
    StallMidBody,
    WrongLength(i64),
    Garbage,
    /// A body that goes on for as long as it is read, announced with this length.
    Endless(Option<u64>),
}

/// Writes the answer and returns the bytes sent. `true` beside it when the connection may carry another request.
pub(super) async fn deliver<W: AsyncWrite + Unpin>(
    stream: &mut W,
    answer: &Answer,
    delivery: Delivery,
    keep_alive: bool,
) -> std::io::Result<(usize, bool)> {
    let length = answer.body.len();
    let whole = |announced: u64, keep_alive: bool, body: &[u8]| {
        let mut bytes = answer.head(Some(announced), keep_alive);
        bytes.extend_from_slice(body);
        bytes
    };
    let half = || whole(length as u64, false, &answer.body[..length / 2]);
    let bytes = match delivery {
        Delivery::Dropped => return Ok((0, false)),
        Delivery::Silent => std::future::pending().await,
        Delivery::Whole => whole(length as u64, keep_alive, &answer.body),
        Delivery::Dribble(pause) => {
            let bytes = whole(length as u64, false, &answer.body);
            for byte in &bytes {
                stream.write_all(&[*byte]).await?;
                stream.flush().await?;
                tokio::time::sleep(pause).await;
            }
            return Ok((bytes.len(), false));
        }
        Delivery::CutMidBody => half(),
        Delivery::StallMidBody => {
            stream.write_all(&half()).await?;
            stream.flush().await?;
            std::future::pending().await
        }
        Delivery::WrongLength(by) => whole(
            (length as u64).saturating_add_signed(by),
            false,
            &answer.body,
        ),
        Delivery::Garbage => b"\x00\xff\x13\x37 no http \r\n\x80\x81\r\n\r\n\xfe".to_vec(),
        Delivery::Endless(announced) => {
            stream.write_all(&answer.head(announced, false)).await?;
            loop {
                stream.write_all(&[b' '; 8192]).await?;
            }
        }
    };
    stream.write_all(&bytes).await?;
    stream.flush().await?;
    Ok((bytes.len(), keep_alive && delivery == Delivery::Whole))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWO: &[u8] = b"POST /a?format=json&x=1 HTTP/1.1\r\nHost: t\r\ncontent-length: 2\r\n\r\n{}GET /b HTTP/1.1\r\n\r\n";

    #[tokio::test]
    async fn requests_are_read_from_any_split() {
        for cut in 1..TWO.len() {
            let stream = tokio::io::join(TWO[..cut].chain(&TWO[cut..]), tokio::io::sink());
            let mut reader = RequestReader::new(stream);
            let first = reader.next().await.unwrap();
            assert_eq!((first.method.as_str(), first.path()), ("POST", "/a"));
            assert_eq!(
                (first.body.as_slice(), first.wants_json()),
                (&b"{}"[..], true)
            );
            let second = reader.next().await.unwrap();
            assert_eq!((second.target.as_str(), second.wants_json()), ("/b", false));
            assert!(reader.next().await.is_none());
        }
    }

    #[tokio::test]
    async fn what_is_no_request_ends_the_connection() {
        let too_long = [b'x'; MAX_HEAD + 8192];
        for bytes in [
            &b"\r\n\r\n"[..],
            b"GET\r\n\r\n",
            b"GET /a HTTP/1.1\r\nContent-Length: many\r\n\r\n",
            b"GET /a HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n",
            b"\xff\xfe /a\r\n\r\n",
            &too_long,
        ] {
            assert!(RequestReader::new(bytes).next().await.is_none());
        }
    }
}

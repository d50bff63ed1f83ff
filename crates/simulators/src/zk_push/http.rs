//! HTTP as terminals write it and as leniently as they read it.

use std::io;

use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, BufReader};

const HEAD_LIMIT: u64 = 16 * 1024;
const BODY_LIMIT: u64 = 4 * 1024 * 1024;

/// A request before it is written; which headers it gets depends on the terminal.
#[derive(Debug, Clone)]
pub(super) struct Request {
    pub method: &'static str,
    /// Path and query, written as they are: old firmware leaves blanks in them.
    pub target: String,
    pub headers: Vec<(&'static str, String)>,
    pub body: Option<Vec<u8>>,
}

/// How the length of a body is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Length {
    Declared,
    Chunked,
    Missing,
}

impl Request {
    pub(super) fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// The request line and the headers, up to the empty line.
    pub(super) fn head(&self, old: bool, length: Length, expects: bool) -> Vec<u8> {
        let version = if old { "1.0" } else { "1.1" };
        let mut head = format!("{} {} HTTP/{version}\r\n", self.method, self.target);
        for (name, value) in &self.headers {
            if !(old && *name == "Host") {
                head += &format!("{name}: {value}\r\n");
            }
        }
        if let Some(body) = &self.body {
            match length {
                Length::Declared => head += &format!("Content-Length: {}\r\n", body.len()),
                Length::Chunked => head += "Transfer-Encoding: chunked\r\n",
                Length::Missing => {}
            }
            if expects {
                head += "Expect: 100-continue\r\n";
            }
        }
        head += "\r\n";
        head.into_bytes()
    }

    /// The body as it goes over the wire.
    pub(super) fn sent_body(&self, length: Length) -> Vec<u8> {
        let body = self.body.as_deref().unwrap_or_default();
        if length != Length::Chunked || self.body.is_none() {
            return body.to_vec();
        }
        let mut sent = Vec::with_capacity(body.len() + 32);
        for chunk in body.chunks(100) {
            sent.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
            sent.extend_from_slice(chunk);
            sent.extend_from_slice(b"\r\n");
        }
        sent.extend_from_slice(b"0\r\n\r\n");
        sent
    }
}

/// What a server answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Answer {
    pub status: u16,
    /// The header `Date`, as it was sent.
    pub date: Option<String>,
    /// Whether the connection can be used again.
    pub keeps: bool,
    pub body: Vec<u8>,
}

impl Answer {
    pub(super) fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    pub(super) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).trim().to_owned()
    }

    /// Status and the start of the body, for people.
    pub(super) fn summary(&self) -> String {
        let text = self.text();
        let line: String = text
            .lines()
            .next()
            .unwrap_or_default()
            .chars()
            .take(60)
            .collect();
        format!("{} {line}", self.status).trim_end().to_owned()
    }
}

/// Reads the next answer that is final.
pub(super) async fn read_answer<R: AsyncRead + Unpin>(stream: R) -> io::Result<Answer> {
    let mut reader = BufReader::new(stream);
    loop {
        let answer = read_one(&mut reader).await?;
        if answer.status >= 200 {
            return Ok(answer);
        }
    }
}

async fn read_one<R: AsyncRead + Unpin>(reader: &mut BufReader<R>) -> io::Result<Answer> {
    let head = read_head(reader).await?;
    let mut lines = head.lines();
    let status = (lines.next().unwrap_or_default().strip_prefix("HTTP/1."))
        .and_then(|line| line.split(' ').nth(1)?.parse().ok())
        .ok_or_else(|| bad("the answer is no HTTP"))?;
    let headers: Vec<(String, &str)> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.trim().to_ascii_lowercase(), value.trim()))
        .collect();
    let header = |name: &str| {
        let found = headers.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| *value)
    };
    let length = header("content-length").and_then(|length| length.parse::<u64>().ok());
    let chunked = header("transfer-encoding").is_some_and(|value| value.contains("chunked"));
    let closes = header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"));
    let mut body = Vec::new();
    if chunked {
        read_chunks(reader, &mut body).await?;
    } else if status < 200 || status == 204 {
        // No body.
    } else if let Some(length) = length {
        if length > BODY_LIMIT {
            return Err(bad("the answer is too long"));
        }
        body.resize(length as usize, 0);
        reader.read_exact(&mut body).await?;
    } else {
        reader.take(BODY_LIMIT).read_to_end(&mut body).await?;
    }
    Ok(Answer {
        status,
        date: header("date").map(str::to_owned),
        keeps: !closes && (chunked || length.is_some()),
        body,
    })
}

async fn read_head<R: AsyncRead + Unpin>(reader: &mut BufReader<R>) -> io::Result<String> {
    let mut head = Vec::new();
    let mut limited = reader.take(HEAD_LIMIT);
    loop {
        let before = head.len();
        limited.read_until(b'\n', &mut head).await?;
        match &head[before..] {
            b"\n" | b"\r\n" => return Ok(String::from_utf8_lossy(&head).into_owned()),
            line if line.ends_with(b"\n") => {}
            _ => return Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }
}

async fn read_chunks<R: AsyncRead + Unpin>(
    reader: &mut BufReader<R>,
    body: &mut Vec<u8>,
) -> io::Result<()> {
    loop {
        let mut line = Vec::new();
        (&mut *reader).take(64).read_until(b'\n', &mut line).await?;
        let line = String::from_utf8_lossy(&line);
        let size = line.split(';').next().unwrap_or_default().trim();
        let size = u64::from_str_radix(size, 16).map_err(|_| bad("a chunk without size"))?;
        if body.len() as u64 + size > BODY_LIMIT {
            return Err(bad("the answer is too long"));
        }
        let from = body.len();
        body.resize(from + size as usize, 0);
        reader.read_exact(&mut body[from..]).await?;
        reader.read_exact(&mut [0; 2]).await?;
        if size == 0 {
            return Ok(());
        }
    }
}

fn bad(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn answers_of_any_length_are_read() {
        check(
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nOKnot this",
            200,
            "OK",
            true,
        )
        .await;
        check(
            "HTTP/1.0 503 Down\r\nDate: x\r\n\r\nall of it",
            503,
            "all of it",
            false,
        )
        .await;
        let chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\nO\r\n2;x=y\r\nK:\r\n0\r\n\r\n";
        check(chunked, 200, "OK:", true).await;
        let continued = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nConnection: close\r\ncontent-length: 5\r\n\r\nOK: 1";
        check(continued, 200, "OK: 1", false).await;
    }

    async fn check(bytes: &str, status: u16, body: &str, keeps: bool) {
        let answer = read_answer(bytes.as_bytes()).await.unwrap();
        assert_eq!((answer.status, answer.keeps), (status, keeps), "{bytes}");
        assert_eq!(answer.text(), body);
    }

    #[tokio::test]
    async fn what_is_no_answer_is_an_error() {
        for bytes in [
            "",
            "HTTP/1.1 200 OK\r\n",
            "SSH-2.0\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nOK",
            "HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffff\r\n",
        ] {
            assert!(read_answer(bytes.as_bytes()).await.is_err(), "{bytes}");
        }
    }
}

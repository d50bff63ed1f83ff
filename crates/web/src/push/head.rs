//! The head of a request before the HTTP library sees it: its line made one that the library takes, how its body ends, and why it is
//! refused. What passes here the library reads in the same way.

use std::borrow::Cow;
use std::ops::Range;

use axum::http::{StatusCode, Uri};
use zk_proto::push::request::normalise_request_line;

use super::PushAnswer;

/// Header lines of one request.
const MOST_HEADERS: usize = 100;
/// No body is that long, and the library counts no further.
const LONGEST_BODY: u64 = 1 << 60;

/// A head that the library can have.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub bytes: Vec<u8>,
    pub body: BodyEnd,
    /// The caller expects to send another request on this connection.
    pub keeps: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BodyEnd {
    After(u64),
    Chunked,
}

/// The length of the first head in `bytes`, with its empty line; `None` while it is not whole. The first `seen` bytes are known to
/// hold no whole one.
pub(super) fn length(bytes: &[u8], seen: usize) -> Option<usize> {
    let from = seen.saturating_sub(2); // an empty line that was cut
    let ends = bytes.iter().enumerate().skip(from);
    let mut lines = ends.filter_map(|(at, byte)| (*byte == b'\n').then_some(at + 1));
    lines.find_map(|line| match &bytes[line..] {
        [b'\n', ..] => Some(line + 1),
        [b'\r', b'\n', ..] => Some(line + 2),
        _ => None,
    })
}

/// Reads a whole head.
pub(super) fn read(raw: &[u8]) -> Result<Head, PushAnswer> {
    let bytes = with_good_line(raw);
    let mut headers = [httparse::EMPTY_HEADER; MOST_HEADERS];
    let mut request = httparse::Request::new(&mut headers);
    match request.parse(&bytes) {
        Ok(httparse::Status::Complete(length)) if length == bytes.len() => {}
        Err(httparse::Error::TooManyHeaders) => return Err(too_large()),
        _ => return Err(bad("ERROR: no HTTP request")),
    }
    let is_11 = request.version == Some(1);
    let method = request.method.unwrap_or_default();
    if !["GET", "HEAD", "POST"].contains(&method) {
        let text = "ERROR: only GET and POST";
        return Err(PushAnswer::with(StatusCode::METHOD_NOT_ALLOWED, text));
    }
    if request
        .path
        .and_then(|target| target.parse::<Uri>().ok())
        .is_none()
    {
        return Err(bad("ERROR: no such target"));
    }
    let body = body_end(request.headers, is_11, method == "POST")?;
    let keeps = keeps(request.headers);
    let kept_before_11 = match (is_11, keeps) {
        (false, true) => places(&bytes, request.headers, "connection"),
        _ => Vec::new(),
    };
    let mut bytes = bytes.into_owned();
    // The library would promise to keep it, whatever we answer.
    for place in kept_before_11 {
        bytes[place].fill(b' ');
    }
    Ok(Head {
        bytes,
        body,
        keeps: is_11 && keeps,
    })
}

pub(super) fn too_large() -> PushAnswer {
    let status = StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE;
    PushAnswer::with(status, "ERROR: head too large")
}

fn bad(text: &str) -> PushAnswer {
    PushAnswer::with(StatusCode::BAD_REQUEST, text)
}

fn with_good_line(raw: &[u8]) -> Cow<'_, [u8]> {
    let line = raw.iter().position(|byte| *byte == b'\n').unwrap_or(0);
    let line = raw[..line].strip_suffix(b"\r").unwrap_or(&raw[..line]);
    match normalise_request_line(line) {
        Cow::Borrowed(_) => Cow::Borrowed(raw),
        Cow::Owned(good) => Cow::Owned([&good, &raw[line.len()..]].concat()),
    }
}

/// A body has one end, or a proxy in front could see another one than we do.
fn body_end(
    headers: &[httparse::Header<'_>],
    is_11: bool,
    must_be_told: bool,
) -> Result<BodyEnd, PushAnswer> {
    let mut lengths = values(headers, "content-length");
    let mut codings = values(headers, "transfer-encoding");
    match (lengths.next(), codings.next()) {
        (None, None) if must_be_told => {
            let text = "ERROR: Content-Length is missing";
            Err(PushAnswer::with(StatusCode::LENGTH_REQUIRED, text))
        }
        (None, None) => Ok(BodyEnd::After(0)),
        (None, Some(coding)) => {
            let is_chunked = coding.eq_ignore_ascii_case(b"chunked") && codings.next().is_none();
            match is_11 && is_chunked {
                true => Ok(BodyEnd::Chunked),
                false => Err(bad("ERROR: unknown Transfer-Encoding")),
            }
        }
        (Some(length), None) => {
            let is_number = !length.is_empty() && length.iter().all(u8::is_ascii_digit);
            if !is_number || lengths.any(|other| other != length) {
                return Err(bad("ERROR: bad Content-Length"));
            }
            let number = std::str::from_utf8(length)
                .ok()
                .and_then(|t| t.parse().ok());
            match number.filter(|length| *length <= LONGEST_BODY) {
                Some(length) => Ok(BodyEnd::After(length)),
                None => Err(super::too_long()),
            }
        }
        (Some(_), Some(_)) => Err(bad("ERROR: both Content-Length and Transfer-Encoding")),
    }
}

/// Terminals say `close`, or the odd `starting`, and go wrong when they are taken at less than their word.
fn keeps(headers: &[httparse::Header<'_>]) -> bool {
    let mut words = values(headers, "connection").flat_map(|value| value.split(|b| *b == b','));
    words.all(|word| word.trim_ascii().eq_ignore_ascii_case(b"keep-alive"))
}

fn values<'h>(headers: &'h [httparse::Header<'_>], name: &str) -> impl Iterator<Item = &'h [u8]> {
    let found = headers
        .iter()
        .filter(move |header| header.name.eq_ignore_ascii_case(name));
    found.map(|header| header.value.trim_ascii())
}

/// Where the values of a header stand in the head.
fn places(head: &[u8], headers: &[httparse::Header<'_>], name: &str) -> Vec<Range<usize>> {
    let begin = head.as_ptr() as usize;
    let places = values(headers, name).map(|value| {
        let at = value.as_ptr() as usize - begin;
        at..at + value.len()
    });
    places.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_ends_with_its_empty_line() {
        for (bytes, expected) in [
            ("", None),
            ("GET / HTTP/1.1\r\n", None),
            ("GET / HTTP/1.1\r\n\r", None),
            ("GET / HTTP/1.1\r\n\r\n", Some(18)),
            ("GET / HTTP/1.1\n\nGET", Some(16)),
            ("GET / HTTP/1.1\nA: b\r\n\r\n\r\n", Some(23)),
        ] {
            assert_eq!(length(bytes.as_bytes(), 0), expected, "{bytes:?}");
            let bytes = &bytes.as_bytes()[..expected.unwrap_or(0)];
            for seen in 0..bytes.len() {
                assert_eq!(length(bytes, seen), expected, "{seen} seen");
                assert_eq!(length(&bytes[..seen], 0), None);
            }
        }
    }

    #[test]
    fn one_end_of_a_body_or_none() {
        #[track_caller]
        fn check(head: &str, expected: Result<BodyEnd, u16>) {
            let head = head.replace('\n', "\r\n");
            let read = read(head.as_bytes());
            let read = read.map(|head| head.body).map_err(|a| a.status.as_u16());
            assert_eq!(read, expected, "{head}");
        }
        check("GET / HTTP/1.1\n\n", Ok(BodyEnd::After(0)));
        check("GET /a b?c=\"é HTTP/1.0\n\n", Ok(BodyEnd::After(0)));
        check("POST / HTTP/1.1\n\n", Err(411));
        check(
            "POST / HTTP/1.1\ncontent-LENGTH:  7 \n\n",
            Ok(BodyEnd::After(7)),
        );
        check(
            "POST / HTTP/1.1\nContent-Length: 7\nContent-Length: 7\n\n",
            Ok(BodyEnd::After(7)),
        );
        check(
            "POST / HTTP/1.1\nContent-Length: 7\nContent-Length: 07\n\n",
            Err(400),
        );
        for wrong in ["", "-1", "+7", "7,7", "0x7", "7 7"] {
            check(
                &format!("POST / HTTP/1.1\nContent-Length: {wrong}\n\n"),
                Err(400),
            );
        }
        for long in [
            "99999999999999999999999999",
            "18446744073709551615",
            "2305843009213693952",
        ] {
            check(
                &format!("POST / HTTP/1.1\nContent-Length: {long}\n\n"),
                Err(413),
            );
        }
        let chunked = "Transfer-Encoding: Chunked\n";
        check(
            &format!("POST / HTTP/1.1\n{chunked}\n"),
            Ok(BodyEnd::Chunked),
        );
        check(&format!("POST / HTTP/1.0\n{chunked}\n"), Err(400));
        check(&format!("POST / HTTP/1.1\n{chunked}{chunked}\n"), Err(400));
        check(
            &format!("POST / HTTP/1.1\n{chunked}Content-Length: 7\n\n"),
            Err(400),
        );
        check(
            "POST / HTTP/1.1\nTransfer-Encoding: gzip, chunked\n\n",
            Err(400),
        );
        check("PUT / HTTP/1.1\n\n", Err(405));
        check("get / HTTP/1.1\n\n", Err(405));
        check("PRI * HTTP/2.0\n\n", Err(400));
        check("GET http://[::bad/ HTTP/1.1\n\n", Err(400));
        check("GET / HTTP/1.1\nA B: c\n\n", Err(400));
        check(
            &format!("GET / HTTP/1.1\n{}\n", "A: b\n".repeat(101)),
            Err(431),
        );
    }

    #[test]
    fn only_who_says_nothing_else_keeps_the_connection() {
        #[track_caller]
        fn check(version: &str, connection: &str, expected: bool) {
            let head = format!("GET / HTTP/{version}\r\n{connection}\r\n");
            assert_eq!(
                read(head.as_bytes()).map(|head| head.keeps),
                Ok(expected),
                "{head}"
            );
        }
        check("1.1", "", true);
        check("1.0", "", false);
        check("1.1", "Connection: Keep-Alive\r\n", true);
        check("1.0", "Connection: Keep-Alive\r\n", false);
        for other in ["close", "starting", "keep-alive, close", "upgrade", ""] {
            check("1.1", &format!("Connection: {other}\r\n"), false);
        }
        check(
            "1.1",
            "Connection: close\r\nConnection: keep-alive\r\n",
            false,
        );
    }
}

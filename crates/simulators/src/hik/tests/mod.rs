//! The terminal as a client sees it, in raw HTTP over sockets.

use std::io;
use std::time::Duration;

use jiff::civil::{DateTime, date};
use jiff::{ToSpan, Zoned};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

mod changing;
mod firmware;
mod line;
mod people;
mod push;
mod reading;
mod sadp;
mod sign_in;
mod stream;
mod tls;

use super::sign_in::{Algorithm, base64, digest_response, parse_digest};
use super::*;

const SEARCH: &str = "/ISAPI/AccessControl/AcsEvent?format=json";
const INFO: &str = "/ISAPI/System/deviceInfo";

fn noon() -> Zoned {
    "2026-03-02T12:00:00+01:00[Europe/Berlin]".parse().unwrap()
}

fn login() -> Login {
    Login::new("operator", "Abc12345")
}

fn entrance() -> VirtualTerminal {
    VirtualTerminal::new("GB9637211", login(), stopped(noon()))
        .users([User::new("1042", "Aziza K.").card("0012345678")])
}

/// `count` punches of employee 1042, a minute apart from 08:00, serial numbers from 1.
fn punches(count: i64) -> impl Iterator<Item = Event> {
    (0..count).map(|minute| Event::face("1042", at(8, 0) + minute.minutes()))
}

fn at(hour: i8, minute: i8) -> DateTime {
    date(2026, 3, 2).at(hour, minute, 0, 0)
}

async fn start(terminal: VirtualTerminal) -> RunningTerminal {
    terminal.start("127.0.0.1:0").await.unwrap()
}

struct Response {
    status: u16,
    head: String,
    body: Vec<u8>,
}

impl Response {
    fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }

    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    fn challenges(&self) -> Vec<&str> {
        self.head
            .lines()
            .filter_map(|line| line.strip_prefix("WWW-Authenticate: "))
            .collect()
    }
}

fn request(method: &str, target: &str, authorization: Option<&str>, body: &str) -> String {
    let authorization =
        authorization.map_or_else(String::new, |value| format!("Authorization: {value}\r\n"));
    format!(
        "{method} {target} HTTP/1.1\r\nHost: terminal\r\n{authorization}Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// Everything the terminal sends until it closes.
async fn exchange(terminal: &RunningTerminal, request: &str) -> Vec<u8> {
    let mut stream = TcpStream::connect(terminal.addr()).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut bytes = Vec::new();
    let read = stream.read_to_end(&mut bytes);
    timeout(Duration::from_secs(5), read)
        .await
        .expect("the terminal closes")
        .unwrap();
    bytes
}

fn response(bytes: &[u8]) -> Response {
    let end = bytes
        .windows(4)
        .position(|four| four == b"\r\n\r\n")
        .expect("a head");
    let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Response {
        status,
        head,
        body: bytes[end + 4..].to_vec(),
    }
}

async fn unsigned(terminal: &RunningTerminal, method: &str, target: &str) -> Response {
    response(&exchange(terminal, &request(method, target, None, "")).await)
}

/// An answer to `challenge`, which holds one challenge.
fn sign(login: &Login, challenge: &str, method: &str, target: &str, count: u32) -> String {
    let fields = parse_digest(challenge).expect("a digest challenge");
    let (realm, nonce, count) = (&fields["realm"], &fields["nonce"], format!("{count:08x}"));
    let (algorithm, name) = match fields.get("algorithm").map(String::as_str) {
        None => (Algorithm::Md5, ""),
        Some("MD5") => (Algorithm::Md5, ", algorithm=MD5"),
        Some("SHA-256" | "SHA256") => (Algorithm::Sha256, ", algorithm=SHA-256"),
        Some(other) => panic!("unknown algorithm {other}"),
    };
    let proof = digest_response(
        algorithm, login, realm, method, target, nonce, &count, "0a4f113b",
    );
    let opaque = fields
        .get("opaque")
        .map_or_else(String::new, |text| format!(", opaque=\"{text}\""));
    format!(
        "Digest username=\"{}\", realm=\"{realm}\", nonce=\"{nonce}\", uri=\"{target}\", qop=auth, nc={count}, \
         cnonce=\"0a4f113b\", response=\"{proof}\"{opaque}{name}",
        login.username
    )
}

async fn signed_bytes(
    terminal: &RunningTerminal,
    login: &Login,
    method: &str,
    target: &str,
    body: &str,
) -> Vec<u8> {
    let challenge = unsigned(terminal, method, target).await;
    let authorization = sign(login, challenge.challenges()[0], method, target, 1);
    exchange(
        terminal,
        &request(method, target, Some(&authorization), body),
    )
    .await
}

async fn get(terminal: &RunningTerminal, target: &str) -> Response {
    response(&signed_bytes(terminal, &login(), "GET", target, "").await)
}

async fn post(terminal: &RunningTerminal, target: &str, body: &Value) -> Response {
    response(&signed_bytes(terminal, &login(), "POST", target, &body.to_string()).await)
}

async fn put(terminal: &RunningTerminal, target: &str, body: &str) -> Response {
    response(&signed_bytes(terminal, &login(), "PUT", target, body).await)
}

/// HTTP status and sub-status of an answer in either form.
fn said(answer: &Response) -> (u16, String) {
    let text = answer.text();
    let sub = match serde_json::from_str::<Value>(&text) {
        Ok(json) => json["subStatusCode"]
            .as_str()
            .unwrap_or_default()
            .to_owned(),
        Err(_) => xml::text(&text, "subStatusCode").unwrap_or_default(),
    };
    (answer.status, sub)
}

/// One page of a search for major 5, with more conditions.
async fn page(terminal: &RunningTerminal, position: usize, more: Value) -> Value {
    let mut cond = json!({
        "searchID": "bb94da74", "searchResultPosition": position, "maxResults": 30, "major": 5, "minor": 0,
    });
    cond.as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    let answer = post(terminal, SEARCH, &json!({ "AcsEventCond": cond })).await;
    assert_eq!(answer.status, 200);
    answer.json()["AcsEvent"].clone()
}

fn serials(page: &Value) -> Vec<u64> {
    let rows = page["InfoList"].as_array().map_or(&[][..], Vec::as_slice);
    rows.iter()
        .map(|row| row["serialNo"].as_u64().unwrap())
        .collect()
}

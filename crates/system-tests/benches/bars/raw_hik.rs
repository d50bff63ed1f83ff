//! The floor of everything that reads Hikvision terminals: the requests of the driver, written from `docs/devices/hikvision.md`
//! and nothing else, signed as they must be, by somebody who does not look at what comes.

use std::collections::HashMap;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};

use md5::{Digest, Md5};

use crate::hik::{PASSWORD, USER};

const PAGE: usize = 30;

/// What a first poll asks for: who and when it is, every page of so many events, and every page of so many people.
pub fn throw_poll_away(address: SocketAddr, events: usize, people: usize) -> io::Result<()> {
    let mut terminal = Raw {
        address,
        challenges: HashMap::new(),
    };
    terminal.get("/ISAPI/System/deviceInfo")?;
    terminal.get("/ISAPI/System/time")?;
    terminal.get("/ISAPI/AccessControl/UserInfo/Count?format=json")?;
    terminal.get("/ISAPI/AccessControl/AcsEvent/capabilities?format=json")?;
    // Each page but the first begins with the last row of the one before.
    let mut position = 0;
    loop {
        terminal.post(
            "/ISAPI/AccessControl/AcsEvent?format=json",
            &format!(
                "{{\"AcsEventCond\":{{\"searchID\":\"0f8fad5b\",\"searchResultPosition\":{position},\"maxResults\":{PAGE},\
                 \"major\":5,\"minor\":0,\"startTime\":\"1970-01-01T01:00:00+01:00\",\"endTime\":\"2037-12-31T23:59:59+01:00\",\
                 \"picEnable\":false}}}}"
            ),
        )?;
        if position + PAGE >= events {
            break;
        }
        position += PAGE - 1;
    }
    for position in (0..people).step_by(PAGE) {
        terminal.post(
            "/ISAPI/AccessControl/UserInfo/Search?format=json",
            &format!(
                "{{\"UserInfoSearchCond\":{{\"searchID\":\"0f8fad5c\",\"searchResultPosition\":{position},\"maxResults\":{PAGE}}}}}"
            ),
        )?;
    }
    Ok(())
}

/// The challenges of a terminal, one for each path as the driver keeps them. Each request has a connection of its own.
struct Raw {
    address: SocketAddr,
    challenges: HashMap<String, Challenge>,
}

struct Challenge {
    realm: String,
    nonce: String,
    used: u32,
}

impl Raw {
    fn get(&mut self, uri: &str) -> io::Result<()> {
        self.ask("GET", uri, "")
    }

    fn post(&mut self, uri: &str, body: &str) -> io::Result<()> {
        self.ask("POST", uri, body)
    }

    /// Asks for a challenge where there is none yet, and then for the thing itself.
    fn ask(&mut self, method: &str, uri: &str, body: &str) -> io::Result<()> {
        let path = uri.split('?').next().unwrap_or(uri);
        if !self.challenges.contains_key(path) {
            let challenge = self.send(method, uri, body, "")?.ok_or_else(|| {
                io::Error::new(
                    io::ErrorKind::InvalidData,
                    "the terminal does not challenge",
                )
            })?;
            self.challenges.insert(path.to_owned(), challenge);
        }
        let challenge = self.challenges.get_mut(path).expect("just inserted");
        let authorization = challenge.answer(method, uri);
        match self.send(method, uri, body, &authorization)? {
            None => Ok(()),
            Some(_) => Err(io::Error::new(
                io::ErrorKind::PermissionDenied,
                "the terminal challenges again",
            )),
        }
    }

    /// One request and its answer, thrown away but for a challenge.
    fn send(
        &self,
        method: &str,
        uri: &str,
        body: &str,
        authorization: &str,
    ) -> io::Result<Option<Challenge>> {
        let mut stream = TcpStream::connect(self.address)?;
        stream.set_nodelay(true)?;
        let request = format!(
            "{method} {uri} HTTP/1.1\r\nHost: {}\r\nAccept: */*\r\n{authorization}Content-Type: application/json\r\n\
             Content-Length: {}\r\n\r\n{body}",
            self.address,
            body.len()
        );
        stream.write_all(request.as_bytes())?;
        let mut answer = BufReader::with_capacity(32 * 1024, stream);
        let mut challenge = None;
        let mut length = 0;
        let mut line = String::new();
        loop {
            line.clear();
            if answer.read_line(&mut line)? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            if line.trim_end().is_empty() {
                break;
            }
            if let Some(text) = line.strip_prefix("Content-Length: ") {
                length = text.trim().parse().unwrap_or(0);
            } else if let Some(text) = line.strip_prefix("WWW-Authenticate: ") {
                challenge = Challenge::parse(text);
            }
        }
        io::copy(&mut answer.take(length), &mut io::sink())?;
        Ok(challenge)
    }
}

impl Challenge {
    /// As the virtual terminal writes it: MD5, both values quoted.
    fn parse(text: &str) -> Option<Self> {
        let value = |name: &str| {
            let (_, rest) = text.split_once(name)?;
            rest.split('"').next().map(str::to_owned)
        };
        Some(Self {
            realm: value("realm=\"")?,
            nonce: value("nonce=\"")?,
            used: 0,
        })
    }

    fn answer(&mut self, method: &str, uri: &str) -> String {
        self.used += 1;
        let Self { realm, nonce, used } = self;
        let who = hash(&format!("{USER}:{realm}:{PASSWORD}"));
        let what = hash(&format!("{method}:{uri}"));
        let response = hash(&format!("{who}:{nonce}:{used:08x}:0a4f113b:auth:{what}"));
        format!(
            "Authorization: Digest username=\"{USER}\", realm=\"{realm}\", nonce=\"{nonce}\", uri=\"{uri}\", qop=auth, \
             nc={used:08x}, cnonce=\"0a4f113b\", response=\"{response}\", opaque=\"\"\r\n"
        )
    }
}

fn hash(text: &str) -> String {
    let sum = Md5::digest(text);
    sum.iter().map(|byte| format!("{byte:02x}")).collect()
}

//! One keep-alive connection of a browser, reduced to what a measurement needs.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

pub struct Client {
    connection: BufReader<TcpStream>,
    host: String,
    cookie: Option<String>,
}

pub struct Answer {
    pub status: u16,
    /// From the request's last byte out to the answer's first byte in.
    pub first_byte: Duration,
    /// Of the body as it came.
    pub bytes: usize,
}

impl Client {
    /// `base` is `http://HOST:PORT`.
    pub fn connect(base: &str) -> std::io::Result<Self> {
        let host = base.trim_start_matches("http://").to_owned();
        let stream = TcpStream::connect(&host)?;
        stream.set_nodelay(true)?;
        let connection = BufReader::with_capacity(256 * 1024, stream);
        Ok(Self {
            connection,
            host,
            cookie: None,
        })
    }

    pub fn get(&mut self, path: &str) -> Answer {
        self.ask(&format!("GET {path} HTTP/1.1\r\n"), "")
    }

    /// Sends a form as one of our own pages would; a cookie in the answer is kept.
    pub fn post(&mut self, path: &str, form: &str) -> Answer {
        let kind =
            "Content-Type: application/x-www-form-urlencoded\r\nSec-Fetch-Site: same-origin\r\n";
        self.ask(
            &format!(
                "POST {path} HTTP/1.1\r\n{kind}Content-Length: {}\r\n",
                form.len()
            ),
            form,
        )
    }

    /// Asks for an endless answer on a connection of its own and gives its lines, headers first, the sizes of chunks among them.
    pub fn open(&self, path: &str) -> impl Iterator<Item = String> + use<> {
        let mut other =
            Self::connect(&format!("http://{}", self.host)).expect("the server accepts");
        let cookie = self.cookie.as_deref().unwrap_or_default();
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: {}\r\nCookie: {cookie}\r\n\r\n",
            self.host
        );
        other
            .connection
            .get_mut()
            .write_all(request.as_bytes())
            .expect("the server reads");
        other.connection.lines().map_while(Result::ok)
    }

    fn ask(&mut self, head: &str, body: &str) -> Answer {
        let cookie = self
            .cookie
            .as_ref()
            .map(|cookie| format!("Cookie: {cookie}\r\n"))
            .unwrap_or_default();
        let request = format!(
            "{head}Host: {}\r\nAccept-Encoding: gzip\r\n{cookie}\r\n{body}",
            self.host
        );
        self.connection
            .get_mut()
            .write_all(request.as_bytes())
            .expect("the server reads");
        let asked = Instant::now();
        let first = self
            .connection
            .fill_buf()
            .expect("the server answers")
            .len();
        let first_byte = asked.elapsed();
        assert!(first > 0, "the server closed the connection");
        let status_line = self.line();
        let status = status_line
            .split(' ')
            .nth(1)
            .and_then(|code| code.parse().ok());
        let status = status.unwrap_or_else(|| panic!("no status: {status_line}"));
        let mut length = None;
        loop {
            let line = self.line();
            let Some((name, value)) = line.split_once(':') else {
                break; // the empty line
            };
            match name.to_ascii_lowercase().as_str() {
                "content-length" => length = value.trim().parse().ok(),
                "set-cookie" => self.cookie = value.trim().split(';').next().map(str::to_owned),
                _ => {}
            }
        }
        let bytes = match length {
            Some(length) => self.skip(length),
            None => self.skip_chunks(),
        };
        Answer {
            status,
            first_byte,
            bytes,
        }
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.connection
            .read_line(&mut line)
            .expect("the server sends text");
        line.trim_end().to_owned()
    }

    fn skip(&mut self, length: usize) -> usize {
        let mut body = vec![0; length];
        self.connection
            .read_exact(&mut body)
            .expect("the body is whole");
        length
    }

    fn skip_chunks(&mut self) -> usize {
        let mut all = 0;
        loop {
            let length = usize::from_str_radix(&self.line(), 16).expect("the length of a chunk");
            all += self.skip(length);
            self.line();
            if length == 0 {
                return all;
            }
        }
    }
}

//! Load without a terminal behind it: many terminals that upload as fast as they are answered, and sockets that write slowly.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use jiff::SignedDuration;
use jiff::civil::{DateTime, date};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::http::{Length, Request, read_answer};
use super::lines::AttlogLayout;
use super::log::Punch;
use super::profile::Profile;
use super::server::Server;

/// How long an answer may take before it counts as none.
const TIME_OUT: Duration = Duration::from_secs(60);

/// Terminals of profile `v22` that each upload prepared batches one after the other, without waiting between them. No two
/// punches of a terminal are alike.
#[derive(Debug, Clone)]
pub struct Storm {
    server: Server,
    serials: Vec<String>,
    batches: usize,
    lines: usize,
    from: DateTime,
    pace: Duration,
}

/// What a [`Storm`] measured.
#[derive(Debug, Clone, Default)]
pub struct Weathered {
    /// From the first byte of an upload to its acknowledgement, connecting included; in no order.
    pub latencies: Vec<Duration>,
    /// Serial number, user id and time of each punch that was acknowledged.
    pub acknowledged: Vec<(String, String, DateTime)>,
    /// Uploads that were not acknowledged. They are not repeated.
    pub refused: usize,
    /// From the first upload to the last answer.
    pub took: Duration,
}

impl Storm {
    /// These terminals with 50 batches of 20 lines each, the first punch at 2026-01-01 08:00:00.
    pub fn new(
        server: impl Into<Server>,
        serials: impl IntoIterator<Item = impl Into<String>>,
    ) -> Self {
        Self {
            server: server.into(),
            serials: serials.into_iter().map(Into::into).collect(),
            batches: 50,
            lines: 20,
            from: date(2026, 1, 1).at(8, 0, 0, 0),
            pace: Duration::ZERO,
        }
    }

    /// Batches of each terminal.
    pub fn batches(mut self, batches: usize) -> Self {
        self.batches = batches;
        self
    }

    /// Punches of each batch.
    pub fn lines(mut self, lines: usize) -> Self {
        self.lines = lines;
        self
    }

    /// The time of the first punch; each further one of a terminal is a second later.
    pub fn from(mut self, from: DateTime) -> Self {
        self.from = from;
        self
    }

    /// A terminal begins an upload so often at most; the terminals are spread over that time. Without it, at once after the
    /// answer to the one before.
    pub fn pace(mut self, pace: Duration) -> Self {
        self.pace = pace;
        self
    }

    /// Runs it to its end. Every upload is rendered before the first one is sent.
    pub async fn run(self) -> Weathered {
        let prepared: Vec<Vec<Upload>> = (self.serials.iter())
            .map(|serial| {
                let batches = 0..self.batches;
                batches.map(|batch| self.upload(serial, batch)).collect()
            })
            .collect();
        let begun = Instant::now();
        let mut terminals = JoinSet::new();
        for (uploads, nth) in prepared.into_iter().zip(0..) {
            let first = begun + self.pace * nth / self.serials.len() as u32;
            let authority = self.server.authority.clone();
            terminals.spawn(send_all(authority, uploads, first, self.pace));
        }
        let mut all = Weathered::default();
        while let Some(ended) = terminals.join_next().await {
            let part = ended.unwrap_or_default();
            all.latencies.extend(part.latencies);
            all.acknowledged.extend(part.acknowledged);
            all.refused += part.refused;
        }
        all.took = begun.elapsed();
        all
    }

    fn upload(&self, serial: &str, batch: usize) -> Upload {
        let layout = AttlogLayout {
            fields: Profile::V22.attlog_fields(),
            temperature: Default::default(),
            offset: None,
        };
        let punches: Vec<Punch> = (0..self.lines)
            .map(|line| {
                let second = (batch * self.lines + line) as i64;
                let clock = self.from.saturating_add(SignedDuration::from_secs(second));
                Punch::new((1001 + second % 500).to_string(), clock, 0, 1)
            })
            .collect();
        let mut body = Vec::new();
        for punch in &punches {
            body.extend_from_slice(&layout.line(punch));
            body.push(b'\n');
        }
        let request = upload_request(&self.server, serial, body);
        Upload {
            bytes: [
                request.head(false, Length::Declared, false),
                request.sent_body(Length::Declared),
            ]
            .concat(),
            keys: (punches.into_iter())
                .map(|punch| (serial.to_owned(), punch.pin, punch.clock))
                .collect(),
        }
    }
}

fn upload_request(server: &Server, serial: &str, body: Vec<u8>) -> Request {
    Request {
        method: "POST",
        target: format!(
            "{}/iclock/cdata?SN={serial}&table=ATTLOG&Stamp=9999",
            server.prefix
        ),
        headers: vec![
            ("Host", server.authority.clone()),
            ("User-Agent", "iClock Proxy/1.09".to_owned()),
            ("Connection", "close".to_owned()),
            ("Accept", "*/*".to_owned()),
            ("Content-Type", "text/plain".to_owned()),
        ],
        body: Some(body),
    }
}

/// An upload that is ready to be sent, and the punches in it.
struct Upload {
    bytes: Vec<u8>,
    keys: Vec<(String, String, DateTime)>,
}

async fn send_all(
    authority: String,
    uploads: Vec<Upload>,
    first: Instant,
    pace: Duration,
) -> Weathered {
    let mut weathered = Weathered::default();
    for (upload, nth) in uploads.into_iter().zip(0..) {
        let planned = first + pace * nth;
        sleep(planned.saturating_duration_since(Instant::now())).await;
        let begun = Instant::now();
        let acknowledged = timeout(TIME_OUT, send(&authority, &upload.bytes)).await;
        if acknowledged.unwrap_or(false) {
            weathered.latencies.push(begun.elapsed());
            weathered.acknowledged.extend(upload.keys);
        } else {
            weathered.refused += 1;
        }
    }
    weathered
}

/// Whether the server took it.
async fn send(authority: &str, bytes: &[u8]) -> bool {
    let answered = async {
        let mut stream = TcpStream::connect(authority).await?;
        stream.set_nodelay(true)?;
        stream.write_all(bytes).await?;
        read_answer(&mut stream).await
    };
    let answer = answered.await;
    answer.is_ok_and(|answer| answer.is_success() && answer.text().starts_with("OK"))
}

/// Sockets that each announce an upload of 1 MB and write it byte by byte. Dropping it closes them.
#[derive(Debug)]
pub struct SlowWriters {
    tasks: JoinSet<()>,
    ended: Arc<AtomicUsize>,
}

impl SlowWriters {
    /// So many sockets of one terminal, with this pause between two bytes of each.
    pub fn start(server: impl Into<Server>, serial: &str, sockets: usize, pause: Duration) -> Self {
        let server = server.into();
        let request = upload_request(&server, serial, vec![b'1'; 1_000_000]);
        let head: Arc<[u8]> = request.head(false, Length::Declared, false).into();
        let (mut tasks, ended) = (JoinSet::new(), Arc::new(AtomicUsize::new(0)));
        for _ in 0..sockets {
            let (head, ended) = (head.clone(), ended.clone());
            let authority = server.authority.clone();
            tasks.spawn(async move {
                // Whether it was refused or closed, the server is rid of it.
                let _ = write_slowly(&authority, &head, pause).await;
                ended.fetch_add(1, Ordering::Relaxed);
            });
        }
        Self { tasks, ended }
    }

    /// How many of them the server has closed, or never let in.
    pub fn ended(&self) -> usize {
        self.ended.load(Ordering::Relaxed)
    }

    /// Waits until the server is rid of all of them.
    pub async fn until_all_ended(mut self) {
        while self.tasks.join_next().await.is_some() {}
    }
}

async fn write_slowly(authority: &str, head: &[u8], pause: Duration) -> std::io::Result<()> {
    let stream = TcpStream::connect(authority).await?;
    let (mut reader, mut writer) = stream.into_split();
    writer.write_all(head).await?;
    let writing = async {
        for _ in 0..1_000_000 {
            writer.write_all(b"1").await?;
            sleep(pause).await;
        }
        Ok(())
    };
    tokio::select! {
        ended = writing => ended,
        // An answer, or the end of the connection.
        _ = read_answer(&mut reader) => Ok(()),
    }
}

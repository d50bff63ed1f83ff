//! The server process on an empty database: its start, its memory, and the size of the program.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use system_tests::installation::binary;
use system_tests::{Database, Installation};

use crate::http::Client;
use crate::process::memory_kb;
use crate::table::{Row, median, millis, ratio};

const STARTS: usize = 10;
const IDLE: Duration = Duration::from_secs(10);

fn installation() -> Installation {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(Installation::new(Database::Sqlite))
}

pub fn start() -> Vec<Row> {
    let installation = installation();
    let mut ours = Vec::new();
    let mut floor = Vec::new();
    for _ in 0..STARTS {
        let began = Instant::now();
        let mut version = Command::new(binary());
        version.arg("--version").stdout(Stdio::null());
        assert!(version.status().expect("the program runs").success());
        floor.push(began.elapsed());

        let began = Instant::now();
        let server = installation.serve();
        let answer = Client::connect(&server.base)
            .expect("it listens")
            .get("/healthz");
        ours.push(began.elapsed());
        assert_eq!(answer.status, 200);
    }
    let (ours, floor) = (median(ours), median(floor));
    vec![
        Row {
            what: "start of the server to its first answer".to_owned(),
            result: millis(ours),
            floor: Some(format!("{} (`muster --version`)", millis(floor))),
            ratio: Some(ratio(ours, floor)),
            bar: "≤ 300 ms",
            met: ours <= Duration::from_millis(300),
        },
        size(&binary()),
    ]
}

fn size(binary: &Path) -> Row {
    let bytes = std::fs::metadata(binary)
        .expect("the program has a size")
        .len();
    Row {
        what: "size of the program".to_owned(),
        result: format!("{:.1} MB", bytes as f64 / 1e6),
        floor: None,
        ratio: None,
        bar: "≤ 25 MB",
        met: bytes <= 25_000_000,
    }
}

pub fn idle() -> Vec<Row> {
    let installation = installation();
    let server = installation.serve();
    std::thread::sleep(IDLE);
    let resident = memory_kb(&server.pid().to_string(), "VmRSS");
    vec![Row {
        what: format!("memory of an idle server after {} s", IDLE.as_secs()),
        result: format!("{:.1} MB", resident as f64 * 1024.0 / 1e6),
        floor: None,
        ratio: None,
        bar: "≤ 40 MB",
        met: resident * 1024 <= 40_000_000,
    }]
}

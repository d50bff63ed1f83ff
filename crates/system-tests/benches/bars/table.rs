//! The table of results, and the machine they hold for.

use std::fmt::Write as _;
use std::fs::File;
use std::io::Write as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// One line of the table.
pub struct Row {
    pub what: String,
    pub result: String,
    /// The least that the same work can cost, measured in the same run.
    pub floor: Option<String>,
    /// Result by floor.
    pub ratio: Option<f64>,
    pub bar: &'static str,
    pub met: bool,
}

const BEGIN: &str = "<!-- written by `cargo xtask bench` from here -->";
const END: &str = "<!-- to here -->";

/// The table and what it was measured on.
pub fn markdown(rows: &[Row]) -> String {
    let mut text = format!("{}\n\n", machine());
    text += "| measurement | result | floor | ratio | bar | |\n|---|---:|---:|---:|---|---|\n";
    for row in rows {
        let floor = row.floor.as_deref().unwrap_or("–");
        let ratio = row
            .ratio
            .map_or("–".to_owned(), |ratio| format!("{ratio:.2}"));
        let met = if row.met { "met" } else { "**missed**" };
        let _ = writeln!(
            text,
            "| {} | {} | {floor} | {ratio} | {} | {met} |",
            row.what, row.result, row.bar
        );
    }
    text
}

/// Puts the table into the document; the text around it stays.
pub fn write(rows: &[Row]) {
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/benchmarks.md");
    let old = std::fs::read_to_string(&file).expect("docs/benchmarks.md can be read");
    let (before, rest) = old
        .split_once(BEGIN)
        .expect("the document says where the table begins");
    let (_, after) = rest
        .split_once(END)
        .expect("the document says where the table ends");
    let new = format!("{before}{BEGIN}\n{}{END}{after}", markdown(rows));
    std::fs::write(&file, new).expect("docs/benchmarks.md can be written");
}

/// Processor, memory, disk, system, compiler and day.
fn machine() -> String {
    let today = ingest::Clock::system()
        .now()
        .to_zoned(jiff::tz::TimeZone::UTC)
        .date();
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let processor = value_in("/proc/cpuinfo", "model name", ':').unwrap_or_default();
    let memory: u64 = value_in("/proc/meminfo", "MemTotal", ':')
        .and_then(|text| text.trim_end_matches(" kB").parse().ok())
        .unwrap_or_default();
    let system = value_in("/etc/os-release", "PRETTY_NAME", '=').unwrap_or_default();
    let rustc = std::process::Command::new("rustc")
        .arg("--version")
        .output();
    let rustc = rustc.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    let rustc = rustc.unwrap_or_default();
    let rustc = rustc
        .split_whitespace()
        .take(2)
        .collect::<Vec<_>>()
        .join(" ");
    format!(
        "Measured on {today}: {processor}, {cores} cores, {:.0} GB memory, a disk that keeps 4 kB in {}; {}, {rustc}.",
        memory as f64 / 1e6,
        millis(sync_time()),
        system.trim_matches('"'),
    )
}

fn value_in(file: &str, key: &str, separator: char) -> Option<String> {
    let text = std::fs::read_to_string(file).ok()?;
    let line = text.lines().find(|line| line.starts_with(key))?;
    Some(line.split_once(separator)?.1.trim().to_owned())
}

/// How long the disk under the temporary folder takes to keep what was written: the price of every commit.
fn sync_time() -> Duration {
    let mut file = tempfile::tempfile().expect("a temporary file can be made");
    median((0..51).map(|_| write_and_sync(&mut file)))
}

/// How long it takes to keep 4 kB more in an open file.
pub fn write_and_sync(file: &mut File) -> Duration {
    let began = Instant::now();
    file.write_all(&[1; 4096])
        .and_then(|()| file.sync_data())
        .expect("the disk has room");
    began.elapsed()
}

/// The middle one; of an even number the smaller.
pub fn median<T: Ord + Copy>(values: impl IntoIterator<Item = T>) -> T {
    quantile(values, 0.5)
}

/// The value that `part` of all do not exceed.
pub fn quantile<T: Ord + Copy>(values: impl IntoIterator<Item = T>, part: f64) -> T {
    let mut values: Vec<T> = values.into_iter().collect();
    values.sort_unstable();
    let rank = (values.len() as f64 * part).ceil() as usize;
    values[rank.clamp(1, values.len()) - 1]
}

pub fn ratio(ours: Duration, floor: Duration) -> f64 {
    ours.as_secs_f64() / floor.as_secs_f64()
}

/// A duration as people compare them.
pub fn millis(time: Duration) -> String {
    match time.as_secs_f64() * 1e3 {
        ms if ms < 10.0 => format!("{ms:.2} ms"),
        ms if ms < 1000.0 => format!("{ms:.0} ms"),
        ms => format!("{:.2} s", ms / 1e3),
    }
}

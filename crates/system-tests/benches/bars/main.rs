//! The bars of `docs/benchmarks.md`, measured: `cargo bench -p system-tests --bench bars [-- FILTER]`.
//!
//! A plain program, because most of these are not loops over a function: they start terminals and servers as processes of
//! their own, alternate between a floor and ours, and take medians. Without a filter the table in the document is written
//! anew. A missed bar is written down; only a measurement that cannot be made ends the program.

mod bare;
mod company;
mod cycle;
mod fleet;
mod hik;
mod http;
mod judge;
mod live;
mod process;
mod push;
mod raw_hik;
mod raw_zk;
mod server;
mod sheets;
mod table;
mod today;
mod zk_log;

use table::Row;

/// Name, and what measures it.
type Measurement = (&'static str, fn() -> Vec<Row>);

const MEASUREMENTS: &[Measurement] = &[
    ("zk-log", zk_log::measure),
    ("cycle", cycle::measure),
    ("fleet", fleet::measure),
    ("live", live::measure),
    ("hik-cycle", hik::cycles),
    ("hik-live", hik::live),
    ("hik-streams", hik::idle_streams),
    ("today", today::measure),
    ("push", push::measure),
    ("judge-engine", judge::engine),
    ("judge-sqlite", judge::on_sqlite),
    ("judge-postgres", judge::on_postgres),
    ("judge-mapping", judge::mapping),
    ("sheet-page", sheets::page),
    ("sheet-file", sheets::file),
    ("idle", server::idle),
    ("start", server::start),
];

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [role, arguments @ ..] = arguments.as_slice()
        && role.starts_with(process::ROLE)
    {
        return process::play(role, arguments);
    }
    // cargo says `--bench` to every benchmark; without it a test run is passing by.
    if !arguments.iter().any(|argument| argument == "--bench") {
        println!("measurements are made by `cargo bench`");
        return;
    }
    let filter = arguments.iter().find(|argument| !argument.starts_with('-'));
    let mut rows = Vec::new();
    for (name, measure) in MEASUREMENTS {
        if filter.is_none_or(|filter| name.contains(filter.as_str())) {
            eprintln!("── {name}");
            rows.extend(measure());
        }
    }
    print!("{}", table::markdown(&rows));
    if filter.is_none() {
        table::write(&rows);
    }
}

//! All automation of the project: `cargo xtask test`, `bench`, `audit`, `vendor`.
//!
//! Does its own set-up: a fresh Debian machine with the Rust toolchain, a C compiler and git is enough.

mod audit;
mod bench;
mod postgres;
mod run;
mod test;
mod tools;
mod vendor;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Automation of the Muster repository")]
struct Args {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Format check, lints, every test on both databases and in a real browser, and the documentation.
    Test {
        /// Run only tests whose name contains this text, and skip the checks around them.
        filter: Option<String>,
    },
    /// Measures the bars of docs/benchmarks.md in a release build and writes the table there.
    Bench {
        /// Measure only the benchmarks whose name contains this text; the file is left alone.
        filter: Option<String>,
    },
    /// Checks licences and known vulnerabilities of the dependencies with cargo-deny (installed when missing; takes minutes).
    Audit,
    /// Fetches the browser assets from npm, checks their checksums and puts them into crates/web/assets.
    Vendor,
}

fn main() -> anyhow::Result<()> {
    std::env::set_current_dir(run::workspace_root()).map_err(anyhow::Error::from)?;
    match Args::parse().task {
        Task::Test { filter } => test::run(filter.as_deref()),
        Task::Bench { filter } => bench::run(filter.as_deref()),
        Task::Audit => audit::run(),
        Task::Vendor => vendor::run(),
    }
}

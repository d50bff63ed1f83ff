//! `cargo xtask bench`: the bars of `docs/benchmarks.md`, measured against the simulators in a release build.

use crate::postgres::Cluster;
use crate::{run, tools};

/// Runs the measurements; without a filter they rewrite the table in `docs/benchmarks.md`.
///
/// # Errors
/// When the build or a measurement fails. A missed bar is written down, not an error: machines differ.
pub fn run(filter: Option<&str>) -> anyhow::Result<()> {
    // The program as users have it; the measurements start it.
    run::step(
        "build the server",
        run::cargo().args(["build", "--release", "--package", "muster"]),
    )?;
    let (postgres, _chromium) = tools::find_or_install()?;
    let cluster = Cluster::durable(&postgres)?;
    let mut bench = run::cargo();
    bench.env("MUSTER_TEST_POSTGRES", cluster.url());
    bench.args(["bench", "--package", "system-tests", "--bench", "bars"]);
    if let Some(filter) = filter {
        bench.args(["--", filter]);
    }
    run::step("measurements", &mut bench)
}

//! `cargo xtask test`: everything that has to hold before a change lands.

use std::process::Command;
use std::time::Instant;

use crate::postgres::Cluster;
use crate::{run, tools};

/// Runs all checks, or with `filter` only the matching tests.
///
/// # Errors
/// At the first step that fails.
pub fn run(filter: Option<&str>) -> anyhow::Result<()> {
    let began = Instant::now();
    let (postgres, chromium) = tools::find_or_install()?;
    if filter.is_none() {
        run::step("format", run::cargo().args(["fmt", "--all", "--check"]))?;
        run::step(
            "lints",
            run::cargo().args([
                "clippy",
                "--workspace",
                "--all-targets",
                "--",
                "-D",
                "warnings",
            ]),
        )?;
    }
    // Everything at once and with the features of the tests: building the server alone would compile most crates twice. The
    // journeys start that server as a process of its own.
    run::step(
        "build",
        run::cargo().args(["test", "--workspace", "--no-run", "--quiet"]),
    )?;
    let cluster = Cluster::start(&postgres)?;
    let tests = |name: &str, command: &mut Command| {
        run::step(
            name,
            command
                .env("MUSTER_TEST_POSTGRES", cluster.url())
                .env("MUSTER_TEST_CHROMIUM", &chromium),
        )
    };
    if has_nextest() {
        tests(
            "tests",
            run::cargo()
                .args([
                    "nextest",
                    "run",
                    "--workspace",
                    "--no-tests=fail",
                    "--no-fail-fast",
                ])
                .args(filter),
        )?;
        if filter.is_none() {
            tests(
                "examples in the documentation",
                run::cargo().args(["test", "--workspace", "--doc", "--quiet"]),
            )?;
        }
    } else {
        tests(
            "tests",
            run::cargo()
                .args(["test", "--workspace", "--quiet"])
                .args(filter),
        )?;
    }
    drop(cluster);
    if filter.is_none() {
        let mut doc = run::cargo();
        doc.args([
            "doc",
            "--workspace",
            "--no-deps",
            "--document-private-items",
        ])
        .env("RUSTDOCFLAGS", "-D warnings");
        run::step("documentation", &mut doc)?;
    }
    eprintln!("── everything passed in {} s", began.elapsed().as_secs());
    Ok(())
}

fn has_nextest() -> bool {
    run::cargo()
        .args(["nextest", "--version"])
        .output()
        .is_ok_and(|output| output.status.success())
}

//! `cargo xtask audit`: licences, sources and known vulnerabilities of the dependencies.

use crate::run;

/// Runs cargo-deny with `deny.toml`, and installs it first when it is missing.
///
/// # Errors
/// When the installation or a check fails.
pub fn run() -> anyhow::Result<()> {
    if !run::cargo()
        .args(["deny", "--version"])
        .output()
        .is_ok_and(|output| output.status.success())
    {
        run::step(
            "install cargo-deny",
            run::cargo().args(["install", "cargo-deny", "--locked"]),
        )?;
    }
    run::step("audit", run::cargo().args(["deny", "check"]))
}

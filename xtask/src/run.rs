//! Running other programs, told in one line each.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, bail};

pub fn workspace_root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("xtask lies one folder below the workspace")
        .to_owned()
}

/// The cargo that runs us, so that the pinned toolchain is used all the way down.
pub fn cargo() -> Command {
    Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

/// Runs one step to its end and says how long it took.
///
/// # Errors
/// When the program cannot be started or does not succeed; the message names the step.
pub fn step(name: &str, command: &mut Command) -> anyhow::Result<()> {
    eprintln!("── {name}");
    let began = Instant::now();
    let status = command
        .status()
        .with_context(|| format!("{name}: {:?} cannot be started", command.get_program()))?;
    if !status.success() {
        bail!("{name} failed ({status}); to repeat it: {command:?}");
    }
    eprintln!("── {name}: done in {} s", began.elapsed().as_secs());
    Ok(())
}

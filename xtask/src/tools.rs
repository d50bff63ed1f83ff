//! Finds the programs that tests need besides Rust, or installs them: PostgreSQL, Chromium and strace.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail};

use crate::run;

/// Programs of a PostgreSQL server.
pub struct PostgresTools {
    pub initdb: PathBuf,
    pub postgres: PathBuf,
}

/// Finds PostgreSQL, Chromium and strace. As root on Debian and its relatives what is missing is installed with apt.
///
/// # Errors
/// When something is missing and cannot be installed; the message says what to install.
pub fn find_or_install() -> anyhow::Result<(PostgresTools, PathBuf)> {
    let mut missing = Vec::new();
    if postgres().is_none() {
        missing.push("postgresql");
    }
    if chromium().is_none() {
        missing.push("chromium");
    }
    if on_path("strace").is_none() {
        missing.push("strace");
    }
    if !missing.is_empty() {
        install(&missing)?;
    }
    let postgres = postgres()
        .context("PostgreSQL was installed, but initdb is not in /usr/lib/postgresql/*/bin")?;
    let chromium = chromium().context("Chromium was installed, but is not on the PATH")?;
    Ok((postgres, chromium))
}

fn postgres() -> Option<PostgresTools> {
    let mut versions: Vec<(u32, PathBuf)> = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .filter_map(|version| {
            let folder = version.ok()?.path();
            let name = folder.file_name()?.to_str()?;
            let number = name.split('.').next()?.parse().ok()?;
            Some((number, folder.join("bin")))
        })
        .collect();
    versions.sort();
    let mut folders: Vec<PathBuf> = versions.into_iter().rev().map(|(_, bin)| bin).collect();
    folders.extend(std::env::split_paths(
        &std::env::var_os("PATH").unwrap_or_default(),
    ));
    // Both must come from one folder: a lone client or wrapper on the PATH has no server beside it.
    let bin = folders
        .into_iter()
        .find(|bin| bin.join("initdb").is_file() && bin.join("postgres").is_file())?;
    Some(PostgresTools {
        initdb: bin.join("initdb"),
        postgres: bin.join("postgres"),
    })
}

fn chromium() -> Option<PathBuf> {
    [
        "chromium",
        "chromium-browser",
        "google-chrome",
        "google-chrome-stable",
    ]
    .iter()
    .find_map(|name| on_path(name))
}

fn on_path(name: &str) -> Option<PathBuf> {
    std::env::split_paths(&std::env::var_os("PATH")?)
        .map(|folder| folder.join(name))
        .find(|path| path.is_file())
}

fn install(packages: &[&str]) -> anyhow::Result<()> {
    if !(is_root() && Path::new("/usr/bin/apt-get").is_file()) {
        bail!(
            "the tests need {}; install with `sudo apt-get install {}` (or your system's packages of that name) and run again",
            packages.join(" and "),
            packages.join(" ")
        );
    }
    let apt = || {
        let mut command = Command::new("apt-get");
        command
            .env("DEBIAN_FRONTEND", "noninteractive")
            .stdout(std::process::Stdio::null());
        command
    };
    run::step("apt-get update", apt().arg("update"))?;
    let name = format!("apt-get install {}", packages.join(" "));
    run::step(
        &name,
        apt()
            .args(["install", "-y", "--no-install-recommends"])
            .args(packages),
    )
}

pub fn is_root() -> bool {
    user_id(None) == Some(0)
}

/// The user id of a name, or our own.
pub fn user_id(name: Option<&str>) -> Option<u32> {
    number_from(Command::new("id").arg("-u").args(name))
}

/// The group id of a user.
pub fn group_id(name: &str) -> Option<u32> {
    number_from(Command::new("id").args(["-g", name]))
}

fn number_from(command: &mut Command) -> Option<u32> {
    let output = command
        .output()
        .ok()
        .filter(|output| output.status.success())?;
    String::from_utf8(output.stdout).ok()?.trim().parse().ok()
}

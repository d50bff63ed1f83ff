//! `muster rules check`: worked cases against the real engine.

use std::path::PathBuf;
use std::process::ExitCode;

use attendance::cases;

#[derive(clap::Subcommand)]
pub enum Command {
    /// Judges the cases of the files and prints every difference.
    ///
    /// Example: muster rules check crates/attendance/cases/rules/*.toml
    Check {
        /// Case files (TOML).
        #[arg(required = true)]
        files: Vec<PathBuf>,
    },
}

/// Exit code 0 when all cases pass, 1 when one fails, 2 when a file is no case file.
pub fn run(command: Command) -> ExitCode {
    let Command::Check { files } = command;
    let (mut passed, mut failed, mut bad_files) = (0, 0, 0);
    for file in &files {
        let read = std::fs::read_to_string(file).map_err(|error| error.to_string());
        match read.and_then(|text| cases::read(&text).map_err(|error| error.to_string())) {
            Ok(read) => {
                for result in read.iter().map(cases::check) {
                    if result.passed() {
                        passed += 1;
                    } else {
                        failed += 1;
                    }
                    for difference in result.differences {
                        println!("{}: {}: {difference}", file.display(), result.id);
                    }
                }
            }
            Err(error) => {
                bad_files += 1;
                eprintln!("{}: {error}", file.display());
            }
        }
    }
    println!("{passed} passed, {failed} failed");
    match (bad_files, failed) {
        (0, 0) => ExitCode::SUCCESS,
        (0, _) => ExitCode::FAILURE,
        _ => ExitCode::from(2),
    }
}

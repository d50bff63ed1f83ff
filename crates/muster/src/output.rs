//! How commands speak: tables for people, JSON for scripts, errors with their story.

use std::error::Error;
use std::fmt;
use std::io::IsTerminal;
use std::process::ExitCode;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Work that takes less shows no bar.
const BAR_AFTER: Duration = Duration::from_secs(1);

/// As a shell reports a program that `SIGPIPE` has ended.
const NOBODY_READS: i32 = 141;

/// Has the process end without a word when nobody reads any more what it prints, as in `muster report punches … | head`:
/// `println!` can only panic then.
pub fn end_when_nobody_reads() {
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let said = panic.payload_as_str().unwrap_or_default();
        if said.starts_with("failed printing to stdout") && said.contains("Broken pipe") {
            std::process::exit(NOBODY_READS);
        }
        usual(panic);
    }));
}

/// What failed, and what to do about it.
#[derive(Debug)]
pub struct Failure {
    /// The step, lower case, e.g. `sign in failed at 10.0.0.9:4370`.
    pub what: String,
    /// In whole sentences.
    pub next: String,
    pub source: Option<Box<dyn Error + Send + Sync>>,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

impl Error for Failure {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_ref().map(|source| &**source as _)
    }
}

/// The command line asks for something that cannot be, as in "a ZKTeco terminal has no user name". Exit code 2.
#[derive(Debug)]
pub struct Usage(pub String);

impl fmt::Display for Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Error for Usage {}

/// Prints an error with its causes and what to do next, each on its line.
pub fn print_error(error: &anyhow::Error) {
    eprintln!("muster: {}", lines(&error.to_string()));
    let mut said = error.to_string();
    for cause in error.chain().skip(1) {
        let cause = cause.to_string();
        // Some errors repeat their cause in their own text.
        if !said.contains(&cause) {
            eprintln!("  because: {}", lines(&cause));
        }
        said = cause;
    }
    if let Some(failure) = error.downcast_ref::<Failure>() {
        eprintln!("  next: {}", plain(&failure.next));
    }
}

/// 1 for work that failed, 2 for a command that was wrong.
pub fn exit_code(error: &anyhow::Error) -> ExitCode {
    if error.is::<Usage>() {
        ExitCode::from(2)
    } else {
        ExitCode::FAILURE
    }
}

/// Text from a terminal or a file, fit for a screen: what would move the cursor or end the line becomes U+FFFD.
pub fn plain(text: &str) -> String {
    text.replace(char::is_control, "\u{fffd}")
}

/// As [`plain`], but a message of several lines, as of a mistake in TOML, keeps them: the later ones are indented, so that none
/// of them looks like the beginning of another message.
fn lines(text: &str) -> String {
    let lines: Vec<_> = text.lines().map(|line| plain(line.trim_end())).collect();
    lines.join("\n    ")
}

/// Prints rows under their headings; see [`table`].
pub fn print_table(headings: &[&str], rows: &[Vec<String>]) {
    print!("{}", table(headings, rows));
}

/// Rows under their headings, in columns as wide as their widest cell. Without rows there is nothing.
pub fn table(headings: &[&str], rows: &[Vec<String>]) -> String {
    if rows.is_empty() {
        return String::new();
    }
    let headings = headings.iter().map(|heading| (*heading).to_owned());
    let mut lines = vec![headings.collect::<Vec<String>>()];
    lines.extend(
        rows.iter()
            .map(|row| row.iter().map(|cell| plain(cell)).collect()),
    );
    let mut widths = vec![0; lines[0].len()];
    for line in &lines {
        for (width, cell) in widths.iter_mut().zip(line) {
            *width = cell.chars().count().max(*width);
        }
    }
    let mut text = String::new();
    for line in &lines {
        let padded = line
            .iter()
            .zip(&widths)
            .map(|(cell, width)| format!("{cell:<width$}"));
        text.push_str(padded.collect::<Vec<_>>().join("  ").trim_end());
        text.push('\n');
    }
    text
}

/// `3 punches`, `1 punch`.
pub fn count(number: u64, one: &str, many: &str) -> String {
    match number {
        1 => format!("1 {one}"),
        _ => format!("{number} {many}"),
    }
}

/// A progress bar on standard error for work that takes longer than a second; silent in a pipe. Without a length it only turns.
/// Needs a runtime.
pub fn progress(length: Option<u64>, what: &'static str) -> ProgressBar {
    let (bar, template) = match length {
        Some(length) => (
            ProgressBar::new(length),
            "{msg} {bar:30} {human_pos}/{human_len} {elapsed}",
        ),
        None => (ProgressBar::new_spinner(), "{spinner} {msg} {elapsed}"),
    };
    bar.set_draw_target(ProgressDrawTarget::hidden());
    let style = ProgressStyle::with_template(template).expect("a good template");
    let bar = bar.with_message(what).with_style(style);
    if std::io::stderr().is_terminal() {
        let shown = bar.clone();
        tokio::spawn(async move {
            tokio::time::sleep(BAR_AFTER).await;
            if !shown.is_finished() {
                shown.set_draw_target(ProgressDrawTarget::stderr());
                shown.enable_steady_tick(Duration::from_millis(200));
            }
        });
    }
    bar
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_of_several_lines_keeps_them_and_cannot_pass_for_another() {
        assert_eq!(
            lines("1 | = bad\n  | ^\nmuster: all is well\u{1b}[2J\n"),
            "1 | = bad\n      | ^\n    muster: all is well\u{fffd}[2J"
        );
    }
}

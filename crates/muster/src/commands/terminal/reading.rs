//! Reading: what a terminal says it is, the people it knows and its punches. Nothing changes there.

use std::io::{self, BufWriter, IsTerminal, Stdout, Write};
use std::time::{Duration, Instant};

use anyhow::Context;
use attendance::{Punch, PunchState, VerifyMode};
use indicatif::ProgressBar;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde::Serialize;
use terminals::{Deadline, DeviceUser, Live, LogRead, Step, Target, Terminal, TerminalError};
use tokio::sync::Notify;

use super::advice::{advice, failure, story};
use super::{CLOCK_TOLERANCE_S, Format, connect, drift, drift_text, end, wall_text};
use crate::output::{self, count, plain};

/// A test reads the log for so long; the rest is not needed to know that it can be read.
const TEST_LOG_FOR: Duration = Duration::from_secs(10);

pub async fn info(target: &Target, json: bool) -> anyhow::Result<()> {
    let mut terminal = connect(target).await?;
    let clock = terminal.clock().await;
    let users = match terminal.identity().users {
        None if clock.is_ok() => terminal.users().await.ok().map(|users| users.len() as u64),
        counted => counted.map(u64::from),
    };
    let identity = terminal.identity().clone();
    let (clock, _) = end(terminal, target, clock).await?;
    let drift = drift(clock, &TimeZone::system());
    if json {
        let answer = serde_json::json!({
            "kind": target.kind.as_str(),
            "serial_number": identity.serial,
            "model": identity.model,
            "firmware": identity.firmware,
            "clock": wall_text(clock),
            "clock_drift_s": drift,
            "users": users,
            "records": identity.records,
            "record_capacity": identity.record_capacity,
        });
        println!("{answer}");
        return Ok(());
    }
    let number = |number: Option<u64>| number.map_or("not told".to_owned(), |n| n.to_string());
    let records = match identity.record_capacity {
        Some(capacity) => format!("{} of {capacity}", number(identity.records.map(u64::from))),
        None => number(identity.records.map(u64::from)),
    };
    for (name, value) in [
        ("serial number", identity.serial),
        ("brand", target.kind.brand().to_owned()),
        ("model", identity.model),
        ("firmware", identity.firmware),
        (
            "clock",
            format!("{}, {}", wall_text(clock), drift_text(drift)),
        ),
        ("users", number(users)),
        ("records", records),
    ] {
        println!("{name:<15}{}", plain(&value));
    }
    Ok(())
}

/// Prints each step of a reading as it is done, and why it failed. Of a configured device, the serial number is checked too.
pub async fn test(
    target: &Target,
    deadline: Deadline,
    zone: &TimeZone,
) -> Result<(), TerminalError> {
    println!("{} terminal at {}", target.kind.brand(), target.address());
    let mut lines = StepLines::begin();
    match test_steps(target, deadline, zone, &mut lines).await {
        Ok(()) => {
            println!("It can be read.");
            Ok(())
        }
        Err(error) => {
            lines.failed();
            println!("{}", plain(&story(&error)));
            println!("{}", plain(&advice(&error, target)));
            Err(error)
        }
    }
}

async fn test_steps(
    target: &Target,
    deadline: Deadline,
    zone: &TimeZone,
    lines: &mut StepLines,
) -> Result<(), TerminalError> {
    lines.start("connect");
    let mut on_step = |step, took| match step {
        Step::Connect => {
            lines.done(took, "");
            lines.start("sign in");
        }
        Step::SignIn => {
            lines.done(took, "");
            lines.start("serial");
        }
        _ => lines.took = took, // what it answered is shown when we have it
    };
    let mut terminal = Terminal::connect_watched(target, deadline, &mut on_step).await?;
    let result = test_reading(&mut terminal, zone, lines).await;
    terminal.close().await;
    result
}

async fn test_reading(
    terminal: &mut Terminal,
    zone: &TimeZone,
    lines: &mut StepLines,
) -> Result<(), TerminalError> {
    let identity = terminal.identity();
    let mut who = identity.serial.clone();
    for part in [&identity.model, &identity.firmware] {
        if !part.is_empty() {
            who = format!("{who}, {part}");
        }
    }
    lines.done(lines.took, &who);
    if let Some(certificate) = terminal.certificate() {
        println!("  {:<9}certificate {certificate}", "tls");
    }

    lines.start("clock");
    let clock = terminal.clock().await?;
    let off = drift(clock, zone);
    let remark = match off.abs() > CLOCK_TOLERANCE_S {
        true => format!(
            ": more than {CLOCK_TOLERANCE_S} s, so set the clock, or say its zone if it is not {}",
            zone.iana_name().unwrap_or("this one")
        ),
        false => String::new(),
    };
    let shown = format!("{}, {}{remark}", wall_text(clock), drift_text(off));
    lines.finish(&shown);

    lines.start("users");
    let users = terminal.users().await?;
    lines.finish(&count(users.len() as u64, "user", "users"));

    lines.start("punches");
    let mut seen = Seen::default();
    let mut on_batch = |punches: &[Punch]| seen.add(punches);
    let reading = tokio::time::timeout(TEST_LOG_FOR, terminal.punches(&mut on_batch)).await;
    let whole = reading.ok().transpose()?;
    lines.finish(&seen.text(whole.as_ref()));
    if let Some(read) = &whole {
        print_rejected(read, &mut io::stdout());
    }
    Ok(())
}

/// One line for each step: its name when it begins, so that a terminal that hangs shows where, and the rest when it is over.
struct StepLines {
    began: Instant,
    /// Of a step that is over, while its line is not.
    took: Duration,
}

impl StepLines {
    fn begin() -> Self {
        Self {
            began: Instant::now(),
            took: Duration::ZERO,
        }
    }

    fn start(&mut self, step: &str) {
        print!("  {step:<9}");
        let _ = io::stdout().flush();
        self.began = Instant::now();
    }

    fn done(&self, took: Duration, shows: &str) {
        println!(
            "{}",
            format!("ok     {:>6} ms  {}", took.as_millis(), plain(shows)).trim_end()
        );
    }

    fn finish(&self, shows: &str) {
        self.done(self.began.elapsed(), shows);
    }

    fn failed(&self) {
        println!("failed {:>6} ms", self.began.elapsed().as_millis());
    }
}

/// What a log holds, without holding it.
#[derive(Default)]
struct Seen {
    punches: u64,
    first: Option<DateTime>,
    last: Option<DateTime>,
}

impl Seen {
    fn add(&mut self, punches: &[Punch]) {
        self.punches += punches.len() as u64;
        for clock in punches.iter().map(|punch| punch.clock) {
            self.first = Some(self.first.map_or(clock, |first| first.min(clock)));
            self.last = Some(self.last.map_or(clock, |last| last.max(clock)));
        }
    }

    fn text(&self, whole: Option<&LogRead>) -> String {
        let mut text = count(self.punches, "punch", "punches");
        if let (Some(first), Some(last)) = (self.first, self.last) {
            text = format!("{text}, {} to {}", wall_text(first), wall_text(last));
        }
        if whole.is_none() {
            text = format!(
                "{text}; stopped after {} s, there are more",
                TEST_LOG_FOR.as_secs()
            );
        }
        text
    }
}

pub async fn users(target: &Target, format: Format) -> anyhow::Result<()> {
    let bar = output::progress(None, "reading the users");
    let mut terminal = connect(target).await?;
    let users = terminal.users().await;
    let ended = end(terminal, target, users).await;
    bar.finish_and_clear();
    let (users, _) = ended?;
    until_closed(print_users(&users, format))
}

fn print_users(users: &[DeviceUser], format: Format) -> io::Result<()> {
    let mut out = BufWriter::new(io::stdout());
    match format {
        Format::Count => writeln!(out, "{}", users.len())?,
        Format::Jsonl => {
            for user in users {
                let line = UserLine {
                    user_id: user.id.as_str(),
                    name: &user.name,
                    admin: user.admin,
                    card: user.card.as_deref(),
                };
                write_line(&mut out, &line)?;
            }
        }
        Format::Csv => {
            let mut csv = csv::Writer::from_writer(&mut out);
            csv.write_record(["user_id", "name", "admin", "card"])?;
            for user in users {
                let (id, name) = (cell(user.id.as_str()), cell(&user.name));
                let card = cell(user.card.as_deref().unwrap_or_default());
                let admin = if user.admin { "true" } else { "false" };
                csv.write_record([&*id, &*name, admin, &*card])?;
            }
            csv.flush()?;
        }
        Format::Table => {
            let rows: Vec<_> = users
                .iter()
                .map(|user| {
                    let right = if user.admin { "admin" } else { "" };
                    let card = user.card.clone().unwrap_or_default();
                    vec![
                        user.id.to_string(),
                        user.name.clone(),
                        right.to_owned(),
                        card,
                    ]
                })
                .collect();
            drop(out);
            output::print_table(&["USER", "NAME", "RIGHT", "CARD"], &rows);
            return Ok(());
        }
    }
    out.flush()
}

/// A punch as scripts read it.
#[derive(Serialize)]
struct PunchLine<'a> {
    user_id: &'a str,
    clock: String,
    state: PunchState,
    verify: VerifyMode,
    record: u64,
}

/// A device user as scripts read it.
#[derive(Serialize)]
struct UserLine<'a> {
    user_id: &'a str,
    name: &'a str,
    admin: bool,
    card: Option<&'a str>,
}

pub async fn punches(
    target: &Target,
    format: Format,
    since: Option<DateTime>,
) -> anyhow::Result<()> {
    let mut terminal = connect(target).await?;
    // A bar between the lines of the table would be in the way.
    let watched = format == Format::Count || !io::stdout().is_terminal();
    let records = terminal.identity().records.map(u64::from);
    let bar = watched.then(|| output::progress(records, "reading the log"));
    let mut printer = Printer::begin(format, since, bar);
    let stop = Notify::new();
    let read = {
        let mut on_batch = |punches: &[Punch]| {
            if printer.print(punches).is_err() {
                stop.notify_one(); // nobody reads on: the log need not be read on either
            }
        };
        tokio::select! {
            read = terminal.punches(&mut on_batch) => Some(read),
            () = stop.notified() => None,
            _interrupted = tokio::signal::ctrl_c() => None,
        }
    };
    terminal.close().await;
    let written = printer.finish();
    match read {
        Some(Ok(read)) => {
            print_rejected(&read, &mut io::stderr());
            until_closed(written)
        }
        Some(Err(error)) => {
            let mut failure = failure(error, target);
            failure.what = format!(
                "{}, and what was printed is not the whole log",
                failure.what
            );
            Err(failure.into())
        }
        None => {
            until_closed(written)?;
            Ok(())
        }
    }
}

/// How long a terminal may be quiet before it is asked whether it is still there.
const QUIET: Duration = Duration::from_secs(30);

pub async fn listen(target: &Target, format: Format) -> anyhow::Result<()> {
    let mut terminal = connect(target).await?;
    let mut printer = Printer::begin(format, None, None);
    let heard = tokio::select! {
        heard = print_live(&mut terminal, &mut printer) => heard,
        _interrupted = tokio::signal::ctrl_c() => Ok(()),
    };
    let heard = end(terminal, target, heard).await;
    let written = printer.finish();
    heard?;
    until_closed(written)
}

/// Until nobody reads on.
async fn print_live(terminal: &mut Terminal, printer: &mut Printer) -> Result<(), TerminalError> {
    terminal.listen().await?;
    let mut heard = 0..;
    loop {
        match terminal.next_live(QUIET).await? {
            None => {
                terminal.clock().await?;
            }
            Some(Live::Punch(mut punch)) => {
                punch.record = heard.next().unwrap_or_default();
                let printed = printer.print(&[punch]).and_then(|()| printer.flush());
                if printed.is_err() {
                    return Ok(());
                }
                terminal.acknowledge().await?;
            }
            Some(Live::Picture(_)) => {}
            Some(Live::Unclear(record)) => {
                eprintln!("not understood: {}", record.reason);
                terminal.acknowledge().await?;
            }
        }
    }
}

/// Writes punches as they come, a batch at a time.
struct Printer {
    format: Format,
    since: Option<DateTime>,
    bar: Option<ProgressBar>,
    out: Out,
    shown: u64,
    /// The first error of writing; after it nothing is written any more.
    failed: Option<io::Error>,
}

enum Out {
    Plain(BufWriter<Stdout>),
    Csv(Box<csv::Writer<Stdout>>),
}

impl Printer {
    fn begin(format: Format, since: Option<DateTime>, bar: Option<ProgressBar>) -> Self {
        let out = match format {
            Format::Csv => Out::Csv(Box::new(csv::Writer::from_writer(io::stdout()))),
            _ => Out::Plain(BufWriter::new(io::stdout())),
        };
        let mut printer = Self {
            format,
            since,
            bar,
            out,
            shown: 0,
            failed: None,
        };
        printer.failed = printer.headings().err();
        printer
    }

    fn headings(&mut self) -> io::Result<()> {
        match &mut self.out {
            Out::Csv(csv) => csv.write_record(["user_id", "clock", "state", "verify", "record"])?,
            Out::Plain(out) if self.format == Format::Table => {
                writeln!(
                    out,
                    "{:<12}  {:<19}  {:<12}  {:<8}  RECORD",
                    "USER", "CLOCK", "STATE", "VERIFY"
                )?;
            }
            Out::Plain(_) => {}
        }
        Ok(())
    }

    /// An error once nothing can be written any more.
    fn print(&mut self, punches: &[Punch]) -> Result<(), ()> {
        if self.failed.is_none() {
            self.failed = self.write(punches).err();
        }
        if let Some(bar) = &self.bar {
            bar.inc(punches.len() as u64);
        }
        if self.failed.is_some() {
            Err(())
        } else {
            Ok(())
        }
    }

    /// Shows what was printed so far.
    fn flush(&mut self) -> Result<(), ()> {
        let flushed = match &mut self.out {
            Out::Csv(csv) => csv.flush(),
            Out::Plain(out) => out.flush(),
        };
        flushed.map_err(|error| self.failed = Some(error))
    }

    fn write(&mut self, punches: &[Punch]) -> io::Result<()> {
        for punch in punches {
            if self.since.is_some_and(|since| punch.clock < since) {
                continue;
            }
            self.shown += 1;
            let Punch {
                user,
                clock,
                state,
                verify,
                record,
                ..
            } = punch;
            let clock = wall_text(*clock);
            match (&mut self.out, self.format) {
                (_, Format::Count) => {}
                (Out::Csv(csv), _) => csv.write_record([
                    &*cell(user.as_str()),
                    &*clock,
                    state.as_str(),
                    verify.as_str(),
                    &record.to_string(),
                ])?,
                (Out::Plain(out), Format::Jsonl) => {
                    let line = PunchLine {
                        user_id: user.as_str(),
                        clock,
                        state: *state,
                        verify: *verify,
                        record: *record,
                    };
                    write_line(out, &line)?;
                }
                (Out::Plain(out), _) => {
                    let user = plain(user.as_str());
                    writeln!(
                        out,
                        "{user:<12}  {clock}  {state:<12}  {verify:<8}  {record}"
                    )?;
                }
            }
        }
        Ok(())
    }

    fn finish(mut self) -> io::Result<()> {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        if let Some(error) = self.failed {
            return Err(error);
        }
        match &mut self.out {
            Out::Csv(csv) => csv.flush(),
            Out::Plain(out) => {
                if self.format == Format::Count {
                    writeln!(out, "{}", self.shown)?;
                }
                out.flush()
            }
        }
    }
}

fn write_line(out: &mut impl Write, line: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer(&mut *out, line)?;
    writeln!(out)
}

/// A reader that has seen enough, as in `… | head`, is no failure.
fn until_closed(written: io::Result<()>) -> anyhow::Result<()> {
    match written {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other.context("the output cannot be written"),
    }
}

/// A cell that no spreadsheet takes for a formula. What a terminal holds was typed by anybody.
fn cell(text: &str) -> String {
    match text.starts_with(['=', '+', '-', '@', '\t', '\r']) {
        true => format!("'{text}"),
        false => text.to_owned(),
    }
}

/// What could not be understood, so that nobody takes the rest for everything.
fn print_rejected(read: &LogRead, out: &mut dyn Write) {
    let Some(first) = read.parked.first() else {
        return;
    };
    let many = count(read.rejected, "record", "records");
    let reason = plain(&first.reason);
    let _ = writeln!(
        out,
        "{many} cannot be understood, the first: {reason}. A poll keeps such records aside."
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_cell_is_a_formula() {
        assert_eq!(cell("=1+1"), "'=1+1");
        assert_eq!(cell("0042"), "0042");
    }
}

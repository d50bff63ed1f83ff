//! `muster why`: how one day of one person came to read as it does.

use std::process::ExitCode;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use web::why::{Row, Step, Story, Why, read_instant};

use super::engine;
use crate::config::Config;
use crate::output::{Failure, Usage, plain};

/// Wider lines are broken.
const WIDTH: usize = 100;
const INDENT: &str = "   ";

#[derive(clap::Args)]
pub struct Args {
    /// The employee's code.
    employee: String,
    /// The workday, such as 2026-03-02. The exit of a night shift counts for the day it began.
    date: Date,
    /// The report as it was at that instant: wall time of the site such as 2026-03-04T10:00, or with an offset or Z.
    #[arg(long, value_name = "INSTANT")]
    at: Option<String>,
    /// The facts as JSON.
    #[arg(long)]
    json: bool,
}

pub async fn run(args: Args, config: Config) -> anyhow::Result<ExitCode> {
    let engine = engine(&config).await?;
    let person = engine.store.employee_by_code(&args.employee).await?;
    let Some(person) = person else {
        let failure = Failure {
            what: format!("there is no employee {:?}", args.employee),
            next: "The code is the one that payroll prints; the page People lists them all."
                .to_owned(),
            source: None,
        };
        return Err(failure.into());
    };
    let at = match &args.at {
        None => None,
        Some(text) => {
            let sites = engine.store.sites().await?;
            let site = sites.iter().find(|site| site.id == person.fields.site);
            let zone = site.and_then(|site| TimeZone::get(&site.zone).ok());
            Some(instant(text, &zone.unwrap_or(TimeZone::UTC))?)
        }
    };
    let why = Why::of(&engine, &args.employee, args.date, at).await?;
    let why = why.ok_or_else(|| anyhow::anyhow!("the employee was removed meanwhile"))?;
    if args.json {
        println!("{}", serde_json::to_string_pretty(&why.json())?);
    } else {
        print!("{}", text(&why));
    }
    Ok(ExitCode::SUCCESS)
}

fn instant(text: &str, zone: &TimeZone) -> Result<Timestamp, Usage> {
    read_instant(text, zone).ok_or_else(|| {
        Usage(format!(
            "--at {text:?} is no instant; write it like 2026-03-04T10:00, or 2026-03-04T10:00Z"
        ))
    })
}

/// The story on a screen of 100 columns.
fn text(why: &Why) -> String {
    let story = Story::of(why);
    let mut out = String::new();
    let name = why.person.name();
    wrapped(
        &mut out,
        "",
        &format!("{} {name}, {}", why.person.code, why.workday),
    );
    let caption = match story.caption.as_str() {
        "" => story.status.clone(),
        caption => format!("{}; {caption}", story.status),
    };
    wrapped(&mut out, "", &caption);
    let verdict = story.verdict.join(" ");
    wrapped(&mut out, "", &format!("{verdict}{}", named(&story.rules)));
    for notice in &story.notices {
        wrapped(&mut out, "! ", notice);
    }
    for (place, step) in story.steps.iter().enumerate() {
        told(&mut out, place + 1, step);
    }
    out
}

/// Rules behind what they explain.
fn named(rules: &str) -> String {
    match rules {
        "" => String::new(),
        rules => format!(" ({rules})"),
    }
}

fn told(out: &mut String, number: usize, step: &Step) {
    out.push('\n');
    let rules = named(&step.rules);
    wrapped(out, "", &format!("{number}. {}{rules}", step.title));
    for line in &step.lines {
        wrapped(out, INDENT, line);
    }
    let width = |cell: fn(&Row) -> &str| {
        let cells = step.rows.iter().map(|row| cell(row).chars().count());
        cells.max().unwrap_or(0)
    };
    let (times, places) = (width(|row| &row.time), width(|row| &row.place));
    for row in &step.rows {
        let mut begin = INDENT.to_owned();
        for (cell, width) in [(&row.time, times), (&row.place, places)] {
            if width > 0 {
                begin.push_str(&format!("{cell:<width$}  "));
            }
        }
        wrapped(out, &begin, &row.text);
        if !row.detail.is_empty() {
            let below = " ".repeat(begin.chars().count());
            wrapped(out, &below, &row.detail);
        }
    }
}

/// Writes a text in lines of at most [`WIDTH`]; the later ones are indented as far as the first begins.
fn wrapped(out: &mut String, begin: &str, text: &str) {
    let indent = begin.chars().count();
    let below = " ".repeat(indent);
    let mut line = plain(begin);
    let mut length = indent;
    let text = plain(text).replace('\u{a0}', " ");
    for word in text.split_whitespace() {
        let word_length = word.chars().count();
        if length > indent {
            if length + 1 + word_length > WIDTH {
                out.push_str(line.trim_end());
                out.push('\n');
                line = below.clone();
                length = indent;
            } else {
                line.push(' ');
                length += 1;
            }
        }
        line.push_str(word);
        length += word_length;
    }
    out.push_str(line.trim_end());
    out.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_broken_between_words_below_their_beginning() {
        let mut out = String::new();
        wrapped(&mut out, "   09:14  ", &"word ".repeat(30));
        let lines: Vec<_> = out.lines().collect();
        assert_eq!(lines.len(), 2);
        assert!(
            lines.iter().all(|line| line.chars().count() <= WIDTH),
            "{out}"
        );
        assert!(lines[1].starts_with("          word"), "{out}");
    }
}

//! How far a terminal's clock was from ours over some weeks, drawn as SVG by the server. A slope is drift, a step is named.
//!
//! Laid out like the arrivals: positions across are percentages, the line is in a nested drawing that is stretched.

use std::fmt::{self, Write as _};

use askama::filters::HtmlSafe;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan};
use store::views::clocks::ClockRow;

use super::drift;
use crate::format::{self, Escaped};
use crate::text::{Msg, msg};

const HEIGHT: f64 = 170.0;
/// What is further off is drawn at the edge: a clock that was reset would make a flat line of everything else.
const EDGE_S: i64 = 600;
const TOLERANCE_S: i64 = 30;
/// Points that a line of that width can show.
const POINTS: usize = 400;
/// Lines of the table.
const LINES: usize = 60;

/// What the card of the clock shows.
pub(super) struct Drift {
    rows: Vec<ClockRow>,
    from: i64,
    to: i64,
    now: Timestamp,
    zone: TimeZone,
}

/// A line of the table.
pub(super) struct TableRow {
    pub time: String,
    pub drift: String,
    pub off: bool,
    pub event: String,
}

impl Drift {
    pub fn new(rows: Vec<ClockRow>, now: Timestamp, zone: TimeZone) -> Self {
        let to = now.as_millisecond();
        // An hour at least, so that a first look is no line of no length.
        let from = rows.first().map_or(to, |row| row.at_ms).min(to - 3_600_000);
        Self {
            rows,
            from,
            to,
            now,
            zone,
        }
    }

    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The first look of each day and whatever happened, newest first.
    pub fn table(&self) -> Vec<TableRow> {
        let mut day = None;
        let mut lines = Vec::new();
        for row in &self.rows {
            let at = format::instant(row.at_ms);
            let date = self.zone.to_datetime(at).date();
            if row.event.is_empty() && day == Some(date) {
                continue;
            }
            day = Some(date);
            lines.push(TableRow {
                time: format::moment(at, self.now, &self.zone),
                drift: long_drift(row.drift_s),
                off: row.drift_s.abs() > TOLERANCE_S,
                event: event(row).map(|text| text.to_string()).unwrap_or_default(),
            });
        }
        lines.reverse();
        lines.truncate(LINES);
        lines
    }

    /// The conclusion, for whoever does not see the drawing.
    fn conclusion(&self) -> Msg {
        let drift_s = self.rows.last().map_or(0, |row| row.drift_s);
        let happened = self.rows.iter().filter(|row| !row.event.is_empty());
        msg("drift-conclusion")
            .with("drift", long_drift(drift_s))
            .count("events", happened.count())
    }

    fn x(&self, at_ms: i64) -> f64 {
        share_of(at_ms - self.from, self.to - self.from)
    }

    /// The bottom and the top of the value axis and the distance of its lines, in seconds: the tolerance and every value up to
    /// the edge are between them.
    fn scale(&self) -> (i64, i64, i64) {
        let values = || self.rows.iter().map(|row| inside(row.drift_s));
        let least = values().min().unwrap_or(0).min(-TOLERANCE_S);
        let most = values().max().unwrap_or(0).max(TOLERANCE_S);
        let step = [15, 30, 60, 120, 300]
            .into_iter()
            .find(|step| (most - least) / step <= 6)
            .unwrap_or(300);
        let down = |value: i64| value.div_euclid(step) * step;
        (down(least), -down(-most), step)
    }

    /// Points of the line, not more than can be seen; what happened is always among them.
    fn points(&self) -> impl Iterator<Item = &ClockRow> {
        let every = self.rows.len().div_ceil(POINTS).max(1);
        let last = self.rows.len().saturating_sub(1);
        let seen = self.rows.iter().enumerate();
        seen.filter(move |(at, row)| at % every == 0 || *at == last || !row.event.is_empty())
            .map(|(_, row)| row)
    }

    /// Midnights and their dates, or hours of a short time, at most eight.
    fn ticks(&self) -> Vec<(i64, String)> {
        let (from, to) = (format::instant(self.from), format::instant(self.to));
        let length = to.duration_since(from);
        let (step, by_day) = match length.as_hours() {
            ..=8 => (1, false),
            9..=48 => (6, false),
            hours => (hours / 24 / 7 + 1, true),
        };
        let begins = from.to_zoned(self.zone.clone());
        let mut ticks = Vec::new();
        let Ok(mut tick) = begins.start_of_day() else {
            return ticks;
        };
        while tick.timestamp() <= to && ticks.len() < 12 {
            if tick.timestamp() >= from {
                let text = match by_day {
                    true => format::day_and_month(tick.date(), self.zone.to_datetime(to).date())
                        .to_string(),
                    false => format::clock_time(tick.timestamp(), &self.zone),
                };
                ticks.push((tick.timestamp().as_millisecond(), text));
            }
            let span = match by_day {
                true => step.days(),
                false => step.hours(),
            };
            let Ok(next) = tick.checked_add(span) else {
                break;
            };
            tick = next;
        }
        ticks
    }
}

/// What happened to a clock; `None` when it ran on.
fn event(row: &ClockRow) -> Option<Msg> {
    let name = ["set", "jump", "reset", "zone"]
        .into_iter()
        .find(|known| *known == row.event)?;
    Some(msg(format!("clock-event-{name}")).with("drift", long_drift(row.drift_s)))
}

/// In seconds up to two minutes, then as people say it.
pub(super) fn long_drift(seconds: i64) -> String {
    if seconds.abs() < 120 {
        return drift(seconds);
    }
    let sign = if seconds < 0 { "−" } else { "+" };
    let length = SignedDuration::from_secs(seconds.saturating_abs());
    format!("{sign}{}", format::duration(length))
}

fn inside(drift_s: i64) -> i64 {
    drift_s.clamp(-EDGE_S, EDGE_S)
}

#[expect(clippy::cast_precision_loss, reason = "milliseconds of some weeks")]
fn share_of(part: i64, whole: i64) -> f64 {
    part as f64 * 100.0 / whole.max(1) as f64
}

impl fmt::Display for Drift {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (least, most, step) = self.scale();
        let y = |seconds: i64| HEIGHT - HEIGHT * share_of(seconds - least, most - least) / 100.0;
        write!(
            f,
            "<div class=\"chart drift\" dir=\"ltr\"><svg class=\"plot\" role=\"img\" aria-label=\"{}\" width=\"100%\" height=\"{HEIGHT}\">\
             <rect class=\"band\" x=\"0\" width=\"100%\" y=\"{:.1}\" height=\"{:.1}\"/>",
            Escaped(&self.conclusion().to_string()),
            y(TOLERANCE_S),
            y(-TOLERANCE_S) - y(TOLERANCE_S),
        )?;
        let mut value = least;
        while value <= most {
            write!(
                f,
                "<line class=\"gridline\" x1=\"0\" x2=\"100%\" y1=\"{0:.1}\" y2=\"{0:.1}\"/><text class=\"y\" x=\"-8\" y=\"{1:.1}\">{2}</text>",
                y(value),
                y(value) + 4.0,
                Escaped(&long_drift(value))
            )?;
            value += step;
        }
        for (at, text) in self.ticks() {
            write!(
                f,
                "<text class=\"x\" x=\"{:.2}%\" y=\"{}\">{}</text>",
                self.x(at),
                HEIGHT + 18.0,
                Escaped(&text)
            )?;
        }
        let mut line = String::new();
        for row in self.points() {
            let _ = write!(
                line,
                "{:.3},{:.2} ",
                self.x(row.at_ms),
                y(inside(row.drift_s))
            );
        }
        // It is what it was when it was noted last.
        if let Some(last) = self.rows.last() {
            let _ = write!(line, "100,{:.2}", y(inside(last.drift_s)));
        }
        write!(
            f,
            "<svg width=\"100%\" height=\"100%\" viewBox=\"0 0 100 {HEIGHT}\" preserveAspectRatio=\"none\">\
             <polyline class=\"today\" points=\"{}\"/></svg>",
            line.trim_end()
        )?;
        self.marks(f, y)?;
        if let Some(last) = self.rows.last() {
            let cy = y(inside(last.drift_s));
            write!(
                f,
                "<circle class=\"now\" cx=\"100%\" cy=\"{cy:.1}\" r=\"4.5\"/>"
            )?;
        }
        f.write_str("</svg></div>")
    }
}

impl Drift {
    /// What happened, the newest first, in words where they do not run into each other.
    fn marks(&self, f: &mut fmt::Formatter<'_>, y: impl Fn(i64) -> f64) -> fmt::Result {
        let mut free_to = f64::MAX;
        let mut class = "mark newest";
        for row in self.rows.iter().rev() {
            let Some(name) = event(row) else {
                continue;
            };
            let (x, cy) = (self.x(row.at_ms), y(inside(row.drift_s)));
            write!(
                f,
                "<circle class=\"mark\" cx=\"{x:.2}%\" cy=\"{cy:.1}\" r=\"4.5\"/>"
            )?;
            let when = format::moment(format::instant(row.at_ms), self.now, &self.zone);
            let text = msg("drift-mark").with("event", name).with("time", when);
            let text = text.to_string();
            // About a hundred letters fill the drawing.
            let length = share_of(text.chars().count() as i64, 100);
            let (anchor, begins) = match x {
                x if x + length / 2.0 > 100.0 => ("end", x - length),
                x if x < length / 2.0 => ("start", x),
                x => ("middle", x - length / 2.0),
            };
            if begins + length > free_to {
                continue;
            }
            free_to = begins - 2.0;
            let below = cy < HEIGHT - 26.0;
            write!(
                f,
                "<text class=\"{class}\" x=\"{x:.2}%\" y=\"{:.1}\" text-anchor=\"{anchor}\">{}</text>",
                if below { cy + 20.0 } else { cy - 11.0 },
                Escaped(&text)
            )?;
            class = "mark";
        }
        Ok(())
    }
}

impl HtmlSafe for Drift {}

#[cfg(test)]
mod tests {
    use super::*;

    fn drift_of(rows: &[(i64, i64, &str)]) -> Drift {
        let now: Timestamp = "2026-05-12T04:20:00Z".parse().expect("an instant");
        let rows = rows.iter().map(|(hours_ago, drift_s, event)| ClockRow {
            at_ms: (now - SignedDuration::from_hours(*hours_ago)).as_millisecond(),
            drift_s: *drift_s,
            event: (*event).to_owned(),
        });
        Drift::new(rows.collect(), now, format::zone("Asia/Karachi"))
    }

    #[test]
    fn the_scale_holds_the_tolerance_and_not_a_reset() {
        let scale = |drifts: &[i64]| {
            let rows: Vec<_> = drifts.iter().map(|drift_s| (1, *drift_s, "")).collect();
            drift_of(&rows).scale()
        };
        assert_eq!(scale(&[0]), (-30, 30, 15));
        assert_eq!(scale(&[7, 42]), (-30, 45, 15));
        assert_eq!(scale(&[-800_000_000, 0]), (-600, 120, 120));
        assert_eq!(scale(&[3600, -3600]), (-600, 600, 300));
    }

    #[test]
    fn what_happened_is_said_in_words() {
        let drift = drift_of(&[
            (300, 7, ""),
            (299, 7, ""),
            (200, 42, ""),
            (150, 0, "set"),
            (20, 3601, "jump"),
            (19, -800_000_000, "reset"),
        ]);
        let svg = drift.to_string().replace('\u{a0}', " ");
        for text in [
            "Clock set",
            "Clock reset",
            "aria-label=\"The clock was −9259 days off when it was noted last; 3 events.",
        ] {
            assert!(svg.contains(text), "{text} is not in {svg}");
        }
        assert!(
            !svg.contains("style="),
            "the content security policy forbids it"
        );
        let lines: Vec<_> = drift
            .table()
            .into_iter()
            .map(|row| (row.drift.replace('\u{a0}', " "), row.off, row.event))
            .collect();
        let line = |drift: &str, off, event: &str| (drift.to_owned(), off, event.to_owned());
        assert_eq!(lines[0], line("−9259 days", true, "Clock reset"));
        assert_eq!(lines[1], line("+1 h 00", true, "Clock moved to +1 h 00"));
        assert_eq!(lines[2], line("0 s", false, "Clock set"));
        assert_eq!(
            lines[3..],
            [line("+42 s", true, ""), line("+7 s", false, "")]
        );
    }

    #[test]
    fn many_points_are_thinned_and_events_are_not() {
        let mut rows: Vec<_> = (0..5000).map(|at| (at / 8, 1, "")).rev().collect();
        rows[1] = (624, 40, "jump");
        let drift = drift_of(&rows);
        assert!(drift.points().count() <= POINTS + 2);
        assert!(drift.points().any(|row| row.event == "jump"));
        assert!((2..=8).contains(&drift.ticks().len()));
    }
}

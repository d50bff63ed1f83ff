//! The arrivals curve: today's running total against the usual weekday, drawn as SVG by the server.
//!
//! Positions are percentages, so the same markup fits a phone and a wide screen and needs no script; the lines are in a nested
//! drawing that is stretched, the texts are not.

use std::fmt::{self, Write as _};
use std::sync::Arc;

use askama::filters::HtmlSafe;

use super::usual::{DAY, Usual};
use crate::format::Escaped;
use crate::text::{Msg, msg};

/// Height of the plot in pixels; texts stand above and below it.
const HEIGHT: f64 = 180.0;

/// A line across the time axis.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    pub minute: usize,
    pub kind: MarkKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MarkKind {
    Start,
    Grace,
}

/// What the card of arrivals shows.
#[derive(Clone, Debug)]
pub struct Arrivals {
    pub caption: String,
    /// Shown as a table instead of a drawing.
    pub as_table: bool,
    /// First and last minute shown.
    from: usize,
    to: usize,
    /// The present minute.
    now: usize,
    /// Running total of today by minute of the day, up to `now`.
    today: Vec<u32>,
    usual: Arc<Option<Usual>>,
    marks: Vec<Mark>,
}

/// A line of the table.
pub struct TableRow {
    pub time: String,
    pub today: String,
    pub usual: String,
    pub range: String,
}

impl Arrivals {
    /// `arrivals` are the minutes of today's first ins; `starts` those of the shifts, with their grace.
    pub fn new(
        arrivals: &[usize],
        now: usize,
        usual: Arc<Option<Usual>>,
        starts: &[(usize, usize)],
        caption: String,
    ) -> Self {
        let now = now.min(DAY - 1);
        let mut today = vec![0_u32; now + 1];
        for minute in arrivals {
            if let Some(people) = today.get_mut(*minute) {
                *people += 1;
            }
        }
        let mut total = 0;
        for people in &mut today {
            total += *people;
            *people = total;
        }
        let (from, to) = span(arrivals, now, (*usual).as_ref(), starts);
        let marks = match starts {
            [(start, grace)] => vec![
                Mark {
                    minute: *start,
                    kind: MarkKind::Start,
                },
                Mark {
                    minute: start + grace,
                    kind: MarkKind::Grace,
                },
            ],
            several => several
                .iter()
                .map(|(start, _)| Mark {
                    minute: *start,
                    kind: MarkKind::Start,
                })
                .collect(),
        };
        let marks = marks
            .into_iter()
            .filter(|mark| (from..=to).contains(&mark.minute))
            .collect();
        Self {
            caption,
            as_table: false,
            from,
            to,
            now,
            today,
            usual,
            marks,
        }
    }

    fn usual(&self) -> Option<&Usual> {
        (*self.usual).as_ref()
    }

    pub fn has_usual(&self) -> bool {
        self.usual().is_some()
    }

    /// How many have come until now.
    pub fn arrived(&self) -> u32 {
        self.today.last().copied().unwrap_or_default()
    }

    /// How many usually have by now.
    pub fn usual_now(&self) -> Option<i64> {
        Some(self.usual()?.at(self.now))
    }

    /// The drawing.
    pub fn chart(&self) -> Chart<'_> {
        Chart(self)
    }

    /// The conclusion, for whoever does not see the drawing.
    fn conclusion(&self) -> Msg {
        let time = hour_minute(self.now);
        match self.usual_now() {
            Some(usual) => msg("arrivals-conclusion-usual").count("usual", usual),
            None => msg("arrivals-conclusion"),
        }
        .count("arrived", self.arrived())
        .with("time", time)
    }

    /// The same as a table, a line for each quarter of an hour and one for now.
    pub fn table(&self) -> Vec<TableRow> {
        let mut minutes: Vec<usize> = (self.from..=self.to).step_by(self.tick()).collect();
        if (self.from..=self.to).contains(&self.now) {
            minutes.push(self.now);
        }
        minutes.sort_unstable();
        minutes.dedup();
        minutes
            .into_iter()
            .map(|minute| {
                let usual = self.usual().map(|usual| usual.minutes[minute]);
                TableRow {
                    time: hour_minute(minute),
                    today: self
                        .today
                        .get(minute)
                        .map(u32::to_string)
                        .unwrap_or_default(),
                    usual: usual
                        .map(|[_, median, _]| format!("{median:.0}"))
                        .unwrap_or_default(),
                    range: usual
                        .map(|[least, _, most]| format!("{least:.0}–{most:.0}"))
                        .unwrap_or_default(),
                }
            })
            .collect()
    }

    /// Minutes between two labels of the time axis.
    fn tick(&self) -> usize {
        [15, 30, 60, 120, 180, 240]
            .into_iter()
            .find(|tick| (self.to - self.from) / tick <= 8)
            .unwrap_or(240)
    }

    /// The top of the value axis and the distance of its lines: round numbers above every curve.
    fn scale(&self) -> (f64, f64) {
        let usual = self
            .usual()
            .into_iter()
            .flat_map(|usual| &usual.minutes[self.from..=self.to]);
        let most = usual
            .map(|[_, _, most]| *most)
            .fold(f64::from(self.arrived()), f64::max)
            .max(4.0);
        let step = (0..)
            .flat_map(|power| [1.0, 2.0, 5.0].map(|digit| digit * 10_f64.powi(power)))
            .find(|step| most / step <= 6.0)
            .unwrap_or(most);
        ((most * 1.02 / step).ceil() * step, step)
    }
}

/// First and last minute worth showing, on quarter hours: around the starts, and wide enough for every arrival of today.
fn span(
    arrivals: &[usize],
    now: usize,
    usual: Option<&Usual>,
    starts: &[(usize, usize)],
) -> (usize, usize) {
    let first_start = starts.iter().map(|(start, _)| *start).min();
    let last_start = starts.iter().map(|(start, _)| *start).max();
    let usual_first = usual.and_then(|usual| usual.minutes.iter().position(|[_, m, _]| *m >= 1.0));
    let mut from = first_start
        .map(|start| start.saturating_sub(60))
        .or(usual_first)
        .unwrap_or(8 * 60);
    let mut to = last_start.map_or(from + 100, |start| start + 40);
    if let (Some(first), Some(last)) = (arrivals.iter().min(), arrivals.iter().max()) {
        from = from.min(*first);
        to = to.max(last + 10);
    }
    from = from.min(now) / 15 * 15;
    // Whoever opens the page before anybody can come sees the hour that is coming, not a long flat line.
    from = from.max(first_start.unwrap_or(from).saturating_sub(180).min(from));
    to = to.max(from + 100).div_ceil(15) * 15 - 5;
    (from, to.min(DAY - 1))
}

fn hour_minute(minute: usize) -> String {
    format!("{:02}:{:02}", minute / 60, minute % 60)
}

/// An [`Arrivals`] as SVG.
pub struct Chart<'a>(&'a Arrivals);

impl Chart<'_> {
    fn x(&self, minute: usize) -> f64 {
        let Arrivals { from, to, .. } = self.0;
        share(minute.saturating_sub(*from), to - from)
    }

    /// Points of a curve in minutes and people.
    fn points(
        &self,
        minutes: impl Iterator<Item = usize>,
        people: impl Fn(usize) -> f64,
    ) -> String {
        let mut text = String::new();
        for minute in minutes {
            let _ = write!(text, "{},{:.1} ", minute - self.0.from, people(minute));
        }
        text.truncate(text.trim_end().len());
        text
    }
}

impl fmt::Display for Chart<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let it = self.0;
        let (top, step) = it.scale();
        let width = it.to - it.from;
        let y = |people: f64| HEIGHT * (1.0 - people / top);
        write!(
            f,
            "<div class=\"chart\" dir=\"ltr\"><svg class=\"plot\" role=\"img\" aria-label=\"{}\" width=\"100%\" height=\"{HEIGHT}\">",
            Escaped(&it.conclusion().to_string())
        )?;
        let mut people = 0.0;
        while people <= top {
            write!(
                f,
                "<line class=\"gridline\" x1=\"0\" x2=\"100%\" y1=\"{0:.1}\" y2=\"{0:.1}\"/><text class=\"y\" x=\"-8\" y=\"{1:.1}\">{people:.0}</text>",
                y(people),
                y(people) + 4.0
            )?;
            people += step;
        }
        for minute in (it.from.next_multiple_of(it.tick())..=it.to).step_by(it.tick()) {
            write!(
                f,
                "<text class=\"x\" x=\"{:.2}%\" y=\"{}\">{}</text>",
                self.x(minute),
                HEIGHT + 18.0,
                hour_minute(minute)
            )?;
        }
        write!(
            f,
            "<svg width=\"100%\" height=\"100%\" viewBox=\"0 0 {width} {top}\" preserveAspectRatio=\"none\"><g transform=\"matrix(1 0 0 -1 0 {top})\">"
        )?;
        if let Some(usual) = it.usual() {
            let all = it.from..=it.to;
            let most = self.points(all.clone(), |minute| usual.minutes[minute][2]);
            let least = self.points(all.clone().rev(), |minute| usual.minutes[minute][0]);
            let median = self.points(all, |minute| usual.minutes[minute][1]);
            write!(
                f,
                "<polygon class=\"range\" points=\"{most} {least}\"/><polyline class=\"usual\" points=\"{median}\"/>"
            )?;
        }
        let last = it.now.min(it.to);
        if last >= it.from {
            let today = self.points(it.from..=last, |minute| f64::from(it.today[minute]));
            write!(f, "<polyline class=\"today\" points=\"{today}\"/>")?;
        }
        f.write_str("</g></svg>")?;
        let mut end_of_last = f64::MIN;
        for mark in &it.marks {
            let x = self.x(mark.minute);
            let (class, key) = match mark.kind {
                MarkKind::Start => ("start", "arrivals-start"),
                MarkKind::Grace => ("grace", "arrivals-grace"),
            };
            let before = mark.kind == MarkKind::Start && it.marks.len() < 3;
            let (dx, anchor) = if before { (-6, "end") } else { (6, "start") };
            write!(
                f,
                "<line class=\"{class}\" x1=\"{x:.2}%\" x2=\"{x:.2}%\" y1=\"0\" y2=\"{HEIGHT}\"/>"
            )?;
            // Labels that would run into each other are left out; the axis says the time.
            if x - end_of_last > 12.0 || end_of_last < 0.0 || it.marks.len() < 3 {
                write!(
                    f,
                    "<text class=\"{class}\" x=\"{x:.2}%\" dx=\"{dx}\" y=\"11\" text-anchor=\"{anchor}\">{}</text>",
                    Escaped(&msg(key).with("time", hour_minute(mark.minute)).to_string())
                )?;
                end_of_last = x;
            }
        }
        if last >= it.from {
            let x = self.x(last);
            let cy = y(f64::from(it.arrived()));
            let (dx, anchor) = match x {
                x if x > 92.0 => (6, "end"),
                x if x < 8.0 => (-2, "start"),
                _ => (0, "middle"),
            };
            let below = cy < HEIGHT - 30.0;
            write!(
                f,
                "<circle class=\"now\" cx=\"{x:.2}%\" cy=\"{cy:.1}\" r=\"4.5\"/><text class=\"now\" x=\"{x:.2}%\" dx=\"{dx}\" y=\"{:.1}\" text-anchor=\"{anchor}\">{}</text>",
                if below { cy + 22.0 } else { cy - 12.0 },
                Escaped(
                    &msg("arrivals-now")
                        .count("arrived", it.arrived())
                        .to_string()
                )
            )?;
        }
        f.write_str("</svg></div>")
    }
}

impl HtmlSafe for Chart<'_> {}

/// A part of a whole in percent; 0 of nothing.
#[expect(clippy::cast_precision_loss, reason = "numbers of people and minutes")]
pub fn share(part: usize, whole: usize) -> f64 {
    if whole == 0 {
        0.0
    } else {
        part as f64 * 100.0 / whole as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> usize {
        super::super::usual::minute_of(text).expect("a time")
    }

    #[test]
    fn the_span_holds_every_arrival_of_today() {
        let starts = [(at("09:00"), 10)];
        let spans = |arrivals: &[&str], now: &str| {
            let arrivals: Vec<usize> = arrivals.iter().map(|text| at(text)).collect();
            let (from, to) = span(&arrivals, at(now), None, &starts);
            (hour_minute(from), hour_minute(to))
        };
        let text = |from: &str, to: &str| (from.to_owned(), to.to_owned());
        assert_eq!(spans(&["08:11", "09:19"], "09:20"), text("08:00", "09:40"));
        assert_eq!(spans(&["07:50", "11:02"], "17:00"), text("07:45", "11:10"));
    }

    #[test]
    fn the_scale_is_round_and_above_the_curve() {
        let arrivals: Vec<usize> = vec![at("08:50"); 103];
        let chart = Arrivals::new(
            &arrivals,
            at("09:20"),
            Arc::default(),
            &[(at("09:00"), 10)],
            String::new(),
        );
        assert_eq!(chart.scale(), (120.0, 20.0));
        assert_eq!(chart.arrived(), 103);
        let svg = chart.chart().to_string();
        assert!(
            svg.contains("Start 09:00") && svg.contains("Grace 09:10") && svg.contains("103 in")
        );
        assert!(
            !svg.contains("style="),
            "the content security policy forbids it"
        );
    }

    #[test]
    fn the_table_says_what_the_drawing_says() {
        let chart = Arrivals::new(
            &[at("08:50")],
            at("09:07"),
            Arc::default(),
            &[(at("09:00"), 10)],
            String::new(),
        );
        let rows = chart.table();
        let row = |time: &str| {
            rows.iter()
                .find(|row| row.time == time)
                .map(|row| row.today.clone())
        };
        assert_eq!(row("08:45").as_deref(), Some("0"));
        assert_eq!(row("09:07").as_deref(), Some("1"));
        assert_eq!(row("09:15").as_deref(), Some(""), "the future is empty");
    }
}

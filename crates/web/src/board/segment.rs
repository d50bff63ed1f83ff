//! The segments of the muster bar: which one a person is in, how many are in each, and the bar itself.

use std::fmt;

use askama::filters::HtmlSafe;
use store::views::board::PersonToday;

use super::chart::share;

/// The one segment of the muster bar a person is in. Every status has exactly one, so the counters add up to the roll.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Segment {
    /// Present and not late, and whoever is on duty elsewhere.
    OnTime,
    Late,
    HalfDay,
    NotArrived,
    Absent,
    Unknown,
    NotDue,
    OnLeave,
    WeeklyOff,
    Holiday,
}

impl Segment {
    pub const ALL: [Self; 10] = [
        Self::OnTime,
        Self::Late,
        Self::HalfDay,
        Self::NotArrived,
        Self::Absent,
        Self::Unknown,
        Self::NotDue,
        Self::OnLeave,
        Self::WeeklyOff,
        Self::Holiday,
    ];

    /// Of a status; a day nobody has judged yet is unknown.
    pub fn of(status: Option<&str>, late_min: i64) -> Self {
        match status {
            Some("present") if late_min > 0 => Self::Late,
            Some("present" | "on_duty") => Self::OnTime,
            Some("half_day") => Self::HalfDay,
            Some("not_arrived") => Self::NotArrived,
            Some("absent") => Self::Absent,
            Some("not_due") => Self::NotDue,
            Some("on_leave") => Self::OnLeave,
            Some("weekly_off") => Self::WeeklyOff,
            Some("holiday") => Self::Holiday,
            _ => Self::Unknown,
        }
    }

    pub(super) fn of_person(person: &PersonToday) -> Self {
        Self::of(person.status.as_deref(), person.late_min.unwrap_or(0))
    }

    /// Expected at work today.
    pub(super) fn expected(self) -> bool {
        !matches!(self, Self::OnLeave | Self::WeeklyOff | Self::Holiday)
    }

    /// At work.
    pub(super) fn arrived(self) -> bool {
        matches!(self, Self::OnTime | Self::Late | Self::HalfDay)
    }

    /// Part of ids and of the filter of the day table.
    pub fn name(self) -> &'static str {
        match self {
            Self::OnTime => "on_time",
            Self::Late => "late",
            Self::HalfDay => "half_day",
            Self::NotArrived => "not_arrived",
            Self::Absent => "absent",
            Self::Unknown => "unknown",
            Self::NotDue => "not_due",
            Self::OnLeave => "on_leave",
            Self::WeeklyOff => "weekly_off",
            Self::Holiday => "holiday",
        }
    }

    /// Ending of the classes of bars and keys.
    pub fn colour(self) -> &'static str {
        match self {
            Self::OnTime => "present",
            Self::Late => "late",
            Self::HalfDay => "half",
            Self::NotArrived | Self::Absent => "absent",
            Self::Unknown => "unknown",
            Self::NotDue => "due",
            Self::OnLeave => "leave",
            Self::WeeklyOff => "off",
            Self::Holiday => "holiday",
        }
    }
}

/// How many people are in each segment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts([usize; 10]);

impl Counts {
    pub(super) fn of<'a>(people: impl IntoIterator<Item = &'a PersonToday>) -> Self {
        let mut counts = Self::default();
        for person in people {
            counts.add(Segment::of_person(person));
        }
        counts
    }

    pub(super) fn add(&mut self, segment: Segment) {
        self.0[segment as usize] += 1;
    }

    pub fn get(&self, segment: Segment) -> usize {
        self.0[segment as usize]
    }

    pub fn roll(&self) -> usize {
        self.0.iter().sum()
    }

    pub(super) fn where_(&self, wanted: impl Fn(Segment) -> bool) -> usize {
        let wanted = Segment::ALL.into_iter().filter(|segment| wanted(*segment));
        wanted.map(|segment| self.get(segment)).sum()
    }

    pub fn expected(&self) -> usize {
        self.where_(Segment::expected)
    }

    pub fn arrived(&self) -> usize {
        self.where_(Segment::arrived)
    }

    /// Nobody was due yet: everybody expected is either in, in time, or not due.
    pub(super) fn early(&self) -> bool {
        use Segment::{Absent, HalfDay, Late, NotArrived, NotDue, Unknown};
        self.get(NotDue) > 0
            && [Late, HalfDay, NotArrived, Absent, Unknown]
                .into_iter()
                .all(|segment| self.get(segment) == 0)
    }
}

/// A stacked bar as SVG, because the content security policy allows no style attributes. Not for screen readers: the
/// numbers stand beside it.
#[derive(Clone, Debug)]
pub struct Bar {
    class: &'static str,
    height: u32,
    /// Segment, start and width in percent.
    parts: Vec<(Segment, f64, f64)>,
}

impl Bar {
    /// `whole` people fill the width.
    pub(super) fn new(
        class: &'static str,
        height: u32,
        counts: &Counts,
        whole: usize,
        all: bool,
    ) -> Self {
        let mut parts = Vec::new();
        let mut start = 0.0;
        for segment in Segment::ALL {
            let people = counts.get(segment);
            if people == 0 || !(all || segment.expected()) {
                continue;
            }
            let width = share(people, whole);
            parts.push((segment, start, width));
            start += width;
        }
        Self {
            class,
            height,
            parts,
        }
    }
}

impl fmt::Display for Bar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { class, height, .. } = self;
        write!(
            f,
            "<svg class=\"{class}\" width=\"100%\" height=\"{height}\" aria-hidden=\"true\">"
        )?;
        for (segment, start, width) in &self.parts {
            let colour = segment.colour();
            write!(
                f,
                "<svg x=\"{start:.3}%\" width=\"{width:.3}%\" height=\"{height}\"><rect class=\"f-{colour}\" width=\"100%\" height=\"100%\"/>"
            )?;
            if *segment == Segment::Unknown {
                f.write_str("<rect fill=\"url(#hatch)\" width=\"100%\" height=\"100%\"/>")?;
            }
            f.write_str("</svg>")?;
        }
        f.write_str("</svg>")
    }
}

impl HtmlSafe for Bar {}

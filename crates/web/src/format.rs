//! Times, dates, durations and status badges as people read them.

use std::fmt;

use askama::filters::HtmlSafe;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use crate::assets::Icon;
use crate::text::{Msg, msg};

/// The instant of stored milliseconds; the epoch for what no calendar has.
pub fn instant(ms: i64) -> Timestamp {
    Timestamp::from_millisecond(ms).unwrap_or(Timestamp::UNIX_EPOCH)
}

/// The zone of that IANA name; UTC for one this machine does not know.
pub fn zone(name: &str) -> TimeZone {
    TimeZone::get(name).unwrap_or(TimeZone::UTC)
}

/// `09:20`.
pub fn clock_time(at: Timestamp, zone: &TimeZone) -> String {
    at.to_zoned(zone.clone()).strftime("%H:%M").to_string()
}

/// `09:20:14`.
pub fn clock_seconds(at: Timestamp, zone: &TimeZone) -> String {
    at.to_zoned(zone.clone()).strftime("%H:%M:%S").to_string()
}

/// Hours and minutes of a stored wall time `YYYY-MM-DD HH:MM:SS`; empty for anything shorter.
pub fn wall_minutes(wall: &str) -> &str {
    wall.get(11..16).unwrap_or_default()
}

/// Hours, minutes and seconds of a stored wall time.
pub fn wall_seconds(wall: &str) -> &str {
    wall.get(11..19).unwrap_or_default()
}

/// The date a stored day or wall time begins with.
pub fn stored_date(text: &str) -> Option<Date> {
    text.get(..10)?.parse().ok()
}

fn weekday_number(day: Date) -> i8 {
    day.weekday().to_monday_one_offset()
}

/// What there is to say under a name, in one line.
pub fn caption<const N: usize>(parts: [Option<&str>; N]) -> String {
    let parts: Vec<_> = parts.into_iter().flatten().collect();
    parts.join(" · ")
}

/// `Tuesday`.
pub fn weekday(day: Date) -> Msg {
    msg(format!("weekday-{}", weekday_number(day)))
}

/// `Tue`.
pub fn short_weekday(day: Date) -> Msg {
    msg(format!("weekday-short-{}", weekday_number(day)))
}

/// `Tuesday 12 May 2026`.
pub fn long_date(day: Date) -> Msg {
    msg("date-long")
        .with("weekday", weekday(day))
        .with("day", day.day())
        .with("month", msg(format!("month-{}", day.month())))
        .with("year", day.year())
}

/// `May 2026`.
pub fn month(day: Date) -> Msg {
    msg("date-month")
        .with("month", msg(format!("month-{}", day.month())))
        .with("year", day.year())
}

/// `Tue 12 May`, with the year when it is not that of `today`.
pub fn short_date(day: Date, today: Date) -> Msg {
    let text = if day.year() == today.year() {
        msg("date-short")
    } else {
        msg("date-short-year").with("year", day.year())
    };
    text.with("weekday", short_weekday(day))
        .with("day", day.day())
        .with("month", msg(format!("month-short-{}", day.month())))
}

/// `12 May`, for use within a sentence.
pub fn day_and_month(day: Date, today: Date) -> Msg {
    let text = if day.year() == today.year() {
        msg("date-day")
    } else {
        msg("date-day-year").with("year", day.year())
    };
    text.with("day", day.day())
        .with("month", msg(format!("month-short-{}", day.month())))
}

/// `08:41`, `yesterday 14:52`, or `6 May 08:58`.
pub fn moment(at: Timestamp, now: Timestamp, zone: &TimeZone) -> String {
    let day = at.to_zoned(zone.clone()).date();
    let today = now.to_zoned(zone.clone()).date();
    let time = clock_time(at, zone);
    if day == today {
        time
    } else if day.tomorrow().is_ok_and(|next| next == today) {
        msg("moment-yesterday").with("time", time).to_string()
    } else {
        msg("moment-date")
            .with("date", day_and_month(day, today))
            .with("time", time)
            .to_string()
    }
}

/// `14 min` or `7 h 49`.
pub fn minutes(minutes: i64) -> String {
    if minutes < 60 {
        msg("duration-minutes")
            .count("minutes", minutes)
            .to_string()
    } else {
        msg("duration-hours")
            .count("hours", minutes / 60)
            .with("minutes", format!("{:02}", minutes % 60))
            .to_string()
    }
}

/// `46 s`, `39 min`, `2 h 20`, `3 days`.
pub fn duration(length: SignedDuration) -> String {
    let seconds = length.as_secs().max(0);
    if seconds < 60 {
        msg("duration-seconds")
            .count("seconds", seconds)
            .to_string()
    } else if seconds < 48 * 3600 {
        minutes(seconds / 60)
    } else {
        msg("duration-days")
            .count("days", seconds / 86_400)
            .to_string()
    }
}

/// A device's wall time as stored, with its date: `6 May 08:58:00`.
pub fn short_wall(wall: &str, today: Date) -> String {
    match stored_date(wall) {
        Some(date) => format!("{} {}", short_date(date, today), wall_seconds(wall)),
        None => wall.to_owned(),
    }
}

/// By how much times are shifted, exactly: `+9:30:00 h`, `−2 days 0:10:05 h`.
pub fn shift(seconds: i64) -> String {
    let sign = match seconds {
        1.. => "+",
        0 => "",
        _ => "−",
    };
    let left = seconds.unsigned_abs();
    let (days, left) = (left / 86_400, left % 86_400);
    let time = format!("{}:{:02}:{:02}", left / 3600, left % 3600 / 60, left % 60);
    let text = match days {
        0 => msg("shift-hours"),
        days => msg("shift-days").count("days", days),
    };
    format!("{sign}{}", text.with("time", time))
}

/// An age that the page counts on by itself: `46 s ago`, after an hour the clock time, then the date.
#[derive(Clone, Debug)]
pub struct Ago {
    pub at: Timestamp,
    pub now: Timestamp,
    pub zone: TimeZone,
}

impl fmt::Display for Ago {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let age = self.now.duration_since(self.at);
        let moment = moment(self.at, self.now, &self.zone);
        if age >= SignedDuration::from_hours(1) {
            return write_time(f, "data-ago", self.at, &self.zone, &moment);
        }
        let text = msg("ago").with("age", duration(age)).to_string();
        // What the page writes once an hour is over.
        let attribute = format!("data-then=\"{}\" data-ago", Escaped(&moment));
        write_time(f, &attribute, self.at, &self.zone, &text)
    }
}

impl HtmlSafe for Ago {}

/// How long something has lasted, counted on by the page: `39 min`.
#[derive(Clone, Debug)]
pub struct Lasting {
    pub since: Timestamp,
    pub now: Timestamp,
    pub zone: TimeZone,
}

impl fmt::Display for Lasting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = duration(self.now.duration_since(self.since));
        write_time(f, "data-since", self.since, &self.zone, &text)
    }
}

impl HtmlSafe for Lasting {}

/// The absolute time with its zone is in the title; the text is what the page replaces.
fn write_time(
    f: &mut fmt::Formatter<'_>,
    attribute: &str,
    at: Timestamp,
    zone: &TimeZone,
    text: &str,
) -> fmt::Result {
    let zoned = at.to_zoned(zone.clone());
    let title = zoned.strftime("%Y-%m-%d %H:%M:%S %Z");
    let ms = at.as_millisecond();
    write!(
        f,
        "<time {attribute}=\"{ms}\" datetime=\"{at}\" title=\"{title}\">{text}</time>"
    )
}

/// A status as word, icon and colour.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chip {
    class: &'static str,
    icon: Icon,
    text: String,
}

impl Chip {
    /// The status of a report. Late is a flag, shown in place of *Present*; with `minutes` it says how late.
    pub fn of(status: &str, late_min: i64, missing: Option<&str>, minutes: bool) -> Self {
        let (class, icon) = look(status);
        if let Some(missing) = missing {
            return Self {
                class: "st-missing",
                icon: Icon::small("alert-triangle"),
                text: msg(format!("exception-{missing}")).to_string(),
            };
        }
        let text = match status {
            "present" if late_min > 0 && minutes => msg("late-by")
                .with("minutes", self::minutes(late_min))
                .to_string(),
            "present" if late_min > 0 => msg("present-late").to_string(),
            _ => msg(format!("status-{status}")).to_string(),
        };
        let late = status == "present" && late_min > 0;
        Self {
            class: if late { "st-late" } else { class },
            icon: if late { Icon::small("clock") } else { icon },
            text,
        }
    }

    /// A day that nobody has judged yet; it lasts as long as the judge needs.
    pub fn not_judged() -> Self {
        Self {
            class: "st-unknown",
            icon: Icon::small("hourglass-empty"),
            text: msg("not-judged").to_string(),
        }
    }

    pub fn new(class: &'static str, icon: Icon, text: impl fmt::Display) -> Self {
        Self {
            class,
            icon,
            text: text.to_string(),
        }
    }
}

/// Class and icon of a status.
fn look(status: &str) -> (&'static str, Icon) {
    match status {
        "present" => ("st-present", Icon::small("check")),
        "half_day" => ("st-half", Icon::small("circle-half-2")),
        "absent" | "not_arrived" => ("st-absent", Icon::small("x")),
        "on_leave" => ("st-leave", Icon::small("beach")),
        "weekly_off" => ("st-off", Icon::small("calendar-off")),
        "holiday" => ("st-holiday", Icon::small("star")),
        "on_duty" => ("st-duty", Icon::small("briefcase")),
        "not_due" => ("st-due", Icon::small("hourglass-empty")),
        _ => ("st-unknown", Icon::small("question-mark")),
    }
}

impl fmt::Display for Chip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "<span class=\"st {}\">{}{}</span>",
            self.class,
            self.icon,
            Escaped(&self.text)
        )
    }
}

impl HtmlSafe for Chip {}

/// Text inside hand-written HTML.
pub struct Escaped<'a>(pub &'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars() {
            match c {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                c => fmt::Write::write_char(f, c)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_as_people_say_them() {
        let text = |secs| duration(SignedDuration::from_secs(secs)).replace('\u{a0}', " ");
        assert_eq!(text(46), "46 s");
        assert_eq!(text(39 * 60 + 59), "39 min");
        assert_eq!(text(2 * 3600 + 20 * 60), "2 h 20");
        assert_eq!(text(3 * 86_400), "3 days");
        assert_eq!(text(-5), "0 s"); // a terminal that is ahead is never younger than now
    }

    #[test]
    fn shifts_are_exact() {
        let text = |secs| shift(secs).replace('\u{a0}', " ");
        assert_eq!(text(0), "0:00:00 h");
        assert_eq!(text(9 * 3600 + 1800), "+9:30:00 h");
        assert_eq!(text(-605), "−0:10:05 h");
        assert_eq!(text(86_400 + 61), "+1 day 0:01:01 h");
        assert_eq!(text(-9620 * 86_400), "−9620 days 0:00:00 h");
    }

    #[test]
    fn moments_name_the_day_only_when_it_is_another() {
        let zone = zone("Asia/Karachi");
        let at = |text: &str| text.parse::<Timestamp>().expect("an instant");
        let now = at("2026-05-12T04:20:00Z");
        assert_eq!(moment(at("2026-05-12T03:41:00Z"), now, &zone), "08:41");
        assert_eq!(
            moment(at("2026-05-11T09:52:00Z"), now, &zone),
            "yesterday 14:52"
        );
        assert_eq!(
            moment(at("2026-05-06T03:58:00Z"), now, &zone),
            "6 May 08:58"
        );
        assert_eq!(
            moment(at("2025-05-06T03:58:00Z"), now, &zone),
            "6 May 2025 08:58"
        );
    }

    #[test]
    fn a_status_is_word_icon_and_colour() {
        let html = Chip::of("present", 19, None, true).to_string();
        assert!(html.contains("st-late") && html.contains("Late 19") && html.contains("<svg"));
        assert_eq!(Chip::of("present", 0, None, true).text, "Present");
        assert_eq!(Chip::of("present", 19, None, false).text, "Present, late");
        assert_eq!(
            Chip::of("present", 0, Some("missing_out"), false).text,
            "Missing out"
        );
        let chip = Chip::new("st-off", Icon::small("x"), "<script>");
        assert!(chip.to_string().contains("&lt;script&gt;"));
    }
}

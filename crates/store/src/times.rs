//! Times as they are stored: instants as unix milliseconds, wall times as `YYYY-MM-DD HH:MM:SS`, dates as `YYYY-MM-DD`.

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};

/// `YYYY-MM-DD HH:MM:SS`, whose order as text is its order in time.
pub fn wall_text(wall: DateTime) -> String {
    format!(
        "{:04}-{:02}-{:02} {:02}:{:02}:{:02}",
        wall.year(),
        wall.month(),
        wall.day(),
        wall.hour(),
        wall.minute(),
        wall.second()
    )
}

/// The wall time of [`wall_text`]; midnight of the first year for a text nobody of ours wrote.
pub fn wall(text: &str) -> DateTime {
    text.parse().unwrap_or_else(|_| Date::MIN.at(0, 0, 0, 0))
}

/// The date of its `Display`; the first day of all for a text nobody of ours wrote.
pub fn day(text: &str) -> Date {
    text.parse().unwrap_or(Date::MIN)
}

/// An instant of unix milliseconds; the nearest one there is for a number nobody of ours wrote.
pub fn instant(ms: i64) -> Timestamp {
    Timestamp::from_millisecond(ms).unwrap_or(if ms < 0 {
        Timestamp::MIN
    } else {
        Timestamp::MAX
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wall_times_survive() {
        let text = "2026-03-02 08:58:09";
        assert_eq!(wall_text(wall(text)), text);
        assert_eq!(day("2026-03-02").to_string(), "2026-03-02");
        assert_eq!(
            instant(1_772_441_889_123).as_millisecond(),
            1_772_441_889_123
        );
    }
}

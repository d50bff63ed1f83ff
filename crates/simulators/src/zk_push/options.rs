//! The settings a server sends, read as leniently as firmware does.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::SignedDuration;

use super::clock;

#[derive(Debug, Clone, Default)]
pub(super) struct Options(BTreeMap<String, String>);

impl Options {
    /// Lines `key=value` in any order; all else is skipped.
    pub(super) fn parse(body: &[u8]) -> Self {
        let text = String::from_utf8_lossy(body);
        let pairs = text.lines().filter_map(|line| line.split_once('='));
        Self(
            pairs
                .map(|(key, value)| (key.trim().to_owned(), value.trim().to_owned()))
                .collect(),
        )
    }

    /// Whether an answer to the first request of an attendance terminal carries settings.
    pub(super) fn are_in(body: &[u8]) -> bool {
        String::from_utf8_lossy(body)
            .lines()
            .any(|line| line.trim_start().starts_with("GET OPTION FROM"))
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).map(String::as_str)
    }

    fn number(&self, key: &str) -> Option<u64> {
        self.get(key)?.parse().ok()
    }

    pub(super) fn is_on(&self, key: &str) -> bool {
        self.number(key) == Some(1)
    }

    pub(super) fn seconds(&self, key: &str) -> Option<Duration> {
        self.number(key).map(Duration::from_secs)
    }

    /// Real-time upload is the rule where the server does not say.
    pub(super) fn realtime(&self) -> bool {
        self.number("Realtime") != Some(0)
    }

    /// Between two checks for something to upload; `None` when they are switched off.
    pub(super) fn interval(&self) -> Option<Duration> {
        let minutes = self
            .number("TransInterval")
            .filter(|minutes| *minutes > 0)?;
        Some(Duration::from_secs(minutes * 60))
    }

    /// Times of day for a check, as minutes since midnight.
    pub(super) fn times(&self) -> Vec<i64> {
        let times = self.get("TransTimes").unwrap_or_default().split(';');
        times
            .filter_map(|time| {
                let (hour, minute) = time.trim().split_once(':')?;
                Some(hour.parse::<i64>().ok()? * 60 + minute.parse::<i64>().ok()?)
            })
            .collect()
    }

    pub(super) fn zone(&self) -> Option<SignedDuration> {
        clock::parse_zone(self.get("TimeZone")?)
    }

    /// The stamp of the attendance log under its new or its old name.
    pub(super) fn log_stamp(&self) -> Option<&str> {
        self.get("ATTLOGStamp").or_else(|| self.get("Stamp"))
    }

    /// Whether the terminal may upload punches by itself.
    pub(super) fn wants_punches(&self) -> bool {
        self.flag(&["AttLog"], &[1])
    }

    /// Whether it may upload what people did at its menu.
    pub(super) fn wants_operations(&self) -> bool {
        self.flag(&["OpLog"], &[2])
    }

    /// Whether it may upload who was enrolled. The positions are disputed, so each of the disputed ones will do.
    pub(super) fn wants_users(&self) -> bool {
        let words = ["EnrollUser", "ChgUser", "EnrollFP", "ChgFP"];
        self.flag(&words, &[4, 5, 6, 7, 8])
    }

    fn flag(&self, words: &[&str], positions: &[usize]) -> bool {
        let Some(flag) = self.get("TransFlag") else {
            return true;
        };
        let digits = flag.bytes().all(|byte| byte.is_ascii_digit());
        if digits && !flag.is_empty() {
            let set = |position: &usize| flag.as_bytes().get(position - 1) == Some(&b'1');
            return positions.iter().any(set);
        }
        flag.split_ascii_whitespace()
            .any(|word| words.contains(&word))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_ends_blanks_and_noise_do_not_matter() {
        let body =
            b"GET OPTION FROM: X\r\nDelay = 10\r\n\r\nnoise\r\nTimeZone=330\r\nATTLOGStamp=0\r\n";
        let options = Options::parse(body);
        assert!(Options::are_in(body) && !Options::are_in(b"OK"));
        assert_eq!(options.seconds("Delay"), Some(Duration::from_secs(10)));
        assert_eq!(options.zone(), Some(SignedDuration::from_mins(330)));
        assert_eq!(options.log_stamp(), Some("0"));
    }

    #[test]
    fn both_forms_of_the_transfer_flag() {
        check("TransFlag=TransData AttLog\tOpLog", [true, true, false]);
        check("TransFlag=TransData AttLog\tChgUser", [true, false, true]);
        check("TransFlag=1100000000", [true, true, false]);
        check("TransFlag=1111000000", [true, true, true]);
        check("TransFlag=0000000000", [false, false, false]);
        check("Delay=10", [true, true, true]);
    }

    #[track_caller]
    fn check(block: &str, expected: [bool; 3]) {
        let options = Options::parse(block.as_bytes());
        let found = [
            options.wants_punches(),
            options.wants_operations(),
            options.wants_users(),
        ];
        assert_eq!(found, expected, "{block}");
    }

    #[test]
    fn checks_by_time() {
        let options = Options::parse(b"TransTimes=00:00;14:05;x\nTransInterval=2\nRealtime=0");
        assert_eq!(options.times(), [0, 845]);
        assert_eq!(options.interval(), Some(Duration::from_secs(120)));
        assert!(!options.realtime());
    }
}

//! What a report says beside its status and times.

use super::day::words;
use super::form::filled;
use crate::format;
use crate::text::msg;

/// The columns of a report that become remarks, by their names in the database.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Remarks<'a> {
    pub reason: &'a str,
    pub leave_part: &'a str,
    pub early_min: i64,
    pub overtime_min: i64,
    pub exceptions: &'a str,
    pub pending: &'a str,
}

impl<'a> Remarks<'a> {
    /// `missing_in` or `missing_out`, which take the place of the status.
    pub fn missing(&self) -> Option<&'a str> {
        words(self.exceptions)
            .chain(words(self.pending))
            .find(|word| matches!(*word, "missing_in" | "missing_out"))
    }

    /// All of them, without what [`Remarks::missing`] says.
    pub fn texts(&self) -> Vec<String> {
        let mut texts = Vec::new();
        if let Some(reason) = filled(self.reason) {
            texts.push(msg(format!("reason-{reason}")).to_string());
        }
        if let Some(part) = filled(self.leave_part) {
            texts.push(msg(format!("leave-part-{part}")).to_string());
        }
        if self.early_min > 0 {
            let minutes = format::minutes(self.early_min);
            texts.push(msg("note-early").with("minutes", minutes).to_string());
        }
        if self.overtime_min > 0 {
            let minutes = format::minutes(self.overtime_min);
            texts.push(msg("note-overtime").with("minutes", minutes).to_string());
        }
        let missing = self.missing();
        for word in words(self.exceptions).filter(|word| Some(*word) != missing) {
            texts.push(msg(format!("exception-{word}")).to_string());
        }
        texts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_side_is_said_once() {
        let remarks = Remarks {
            early_min: 75,
            exceptions: "missing_out,off_shift",
            pending: "missing_out",
            ..Remarks::default()
        };
        assert_eq!(remarks.missing(), Some("missing_out"));
        let texts: Vec<_> = remarks
            .texts()
            .iter()
            .map(|text| text.replace('\u{a0}', " "))
            .collect();
        assert_eq!(texts, ["Left early 1 h 15", "Off shift"]);
    }
}

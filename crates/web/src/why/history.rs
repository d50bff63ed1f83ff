//! The step of the versions: how the report read from when on, why it was judged again, and what changed.

use store::reports::ReportFields;
use store::views::why::Version;

use super::story::{Row, Step, Words, field_name, summary};
use crate::text::{Msg, msg};

impl Words<'_> {
    pub(super) fn history(&self) -> Step {
        let mut step = Step {
            name: "history",
            title: msg("why-history").to_string(),
            rules: String::new(),
            lines: Vec::new(),
            rows: Vec::new(),
        };
        let mut before: Option<&ReportFields> = None;
        for version in &self.why.versions {
            step.rows.push(self.version(version, before));
            before = version.says.as_ref();
        }
        if step.rows.is_empty() {
            step.lines.push(msg("why-history-none").to_string());
        }
        step
    }

    fn version(&self, version: &Version, before: Option<&ReportFields>) -> Row {
        let text = match &version.says {
            None => msg("why-version-gone").to_string(),
            Some(says) => summary(says),
        };
        let mut detail = cause(&version.cause).to_string();
        if let (Some(before), Some(after)) = (before, &version.says) {
            let changed = before.differences(after);
            let changed = changed.iter().filter(|field| {
                !matches!(field.as_str(), "first_in_ms" | "last_out_ms" | "letter")
            });
            let changed: Vec<_> = changed.map(|field| field_name(field).to_string()).collect();
            if !changed.is_empty() {
                let changed = msg("why-version-changed").with("fields", changed.join(", "));
                detail = format!("{detail}; {changed}");
            }
        }
        Row {
            time: self.moment(version.judged_at),
            text,
            detail,
            ..Row::default()
        }
    }
}

/// Why a day was judged again, in words. The store has its own for what no person needs told apart.
fn cause(cause: &str) -> Msg {
    let key = match cause {
        "punch" => "cause-punch",
        "correction" => "cause-correction",
        "coverage" | "gap closed" => "cause-coverage",
        "time passed" => "cause-time",
        "day opened" => "cause-opened",
        "mapping" => "cause-mapping",
        "leave" => "cause-leave",
        "holiday" => "cause-holiday",
        "policy" => "cause-policy",
        "gap" => "cause-gap",
        _ => return msg("cause-other").with("cause", cause),
    };
    msg(key)
}

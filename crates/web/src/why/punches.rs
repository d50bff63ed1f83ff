//! The step of the punches: each of them once, with its use or the reason why it has none.

use jiff::Timestamp;
use serde_json::Value;

use super::story::{Mark, Row, Step, Words};
use super::{instant, text, wall};
use crate::format;
use crate::text::msg;

impl Words<'_> {
    pub(super) fn punches(&self) -> Step {
        let punches: Vec<&Value> = self.why.facts("punch").map(|fact| &fact.values).collect();
        let count = |wanted: Mark| punches.iter().filter(|punch| mark(punch) == wanted).count();
        let (used, beside) = (count(Mark::Strong), count(Mark::Plain));
        let title = match punches.len() {
            0 => msg("why-punches-none"),
            all if beside == 0 => msg("why-punches")
                .count("used", used)
                .count("ignored", all - used),
            all => msg("why-punches-beside")
                .count("used", used)
                .count("beside", beside)
                .count("ignored", all - used - beside),
        };
        let rows = punches.into_iter().map(|punch| self.punch(punch)).collect();
        Step {
            name: "punches",
            title: title.to_string(),
            rules: self.rules(&["punch"]),
            lines: Vec::new(),
            rows,
        }
    }

    fn punch(&self, punch: &Value) -> Row {
        let time = wall(&punch["at"]).map(|at| self.clock_seconds(at));
        let place = match text(&punch["source"]) {
            "device" => self.device(text(&punch["device"])),
            source => msg(format!("why-source-{source}")).to_string(),
        };
        let (void, restore) = match text(&punch["ignored"]) {
            "voided" => (None, punch["by"].as_str().map(str::to_owned)),
            _ => (Some(text(&punch["id"]).to_owned()), None),
        };
        Row {
            time: time.unwrap_or_default(),
            place,
            text: self.use_of(punch),
            detail: self.detail(punch),
            mark: mark(punch),
            void,
            restore,
            ..Row::default()
        }
    }

    /// What it was used for, or why it was not.
    fn use_of(&self, punch: &Value) -> String {
        let by = text(&punch["by"]);
        let reason = match text(&punch["ignored"]) {
            "" => return msg(format!("why-use-{}", use_name(text(&punch["use"])))).to_string(),
            "debounced" => msg("why-ignored-debounced")
                .count("seconds", self.debounce())
                .with("time", self.time_of_punch(by)),
            "superseded" if by.is_empty() => msg("why-ignored-call"),
            "superseded" => msg("why-ignored-superseded").with("time", self.time_of_punch(by)),
            "duplicate" => msg("why-ignored-duplicate"),
            "voided" => return self.voided(by),
            "quarantined" if punch["suspect"] == true => msg("why-ignored-suspect"),
            "quarantined" => msg("why-ignored-quarantined"),
            "outside_employment" => msg("why-ignored-outside_employment"),
            _ => msg("why-ignored-off_shift"),
        };
        reason.to_string()
    }

    fn voided(&self, by: &str) -> String {
        match super::of_correction(&self.why.said, by) {
            Some(entry) => msg("why-ignored-voided-by")
                .with("author", entry.author.as_deref().unwrap_or("Muster"))
                .with("reason", &entry.reason)
                .to_string(),
            None => msg("why-ignored-voided").to_string(),
        }
    }

    fn debounce(&self) -> i64 {
        let changed = self
            .why
            .fact("policy")
            .and_then(|values| values["debounce_s"].as_i64());
        changed.unwrap_or_else(|| attendance::Policy::default().debounce_s.into())
    }

    /// `Live, face, key in, device clock 09:14:20 Asia/Karachi, received 0.4 s later`.
    fn detail(&self, punch: &Value) -> String {
        let mut parts = Vec::new();
        if let way @ ("poll" | "push" | "live" | "import") = text(&punch["way"]) {
            parts.push(msg(format!("way-{way}")).to_string());
        }
        if let Some(verify) = punch["verify"].as_str() {
            parts.push(msg(format!("verify-{verify}")).to_string());
        }
        if let state @ ("in" | "out" | "break_out" | "break_in" | "overtime_in" | "overtime_out") =
            text(&punch["state"])
        {
            let state = msg(format!("state-{state}"));
            parts.push(msg("why-key").with("state", state).to_string());
        }
        if let (Some(clock), Some(zone)) = (wall(&punch["clock"]), punch["zone"].as_str()) {
            let clock = match wall(&punch["recorded"]) {
                Some(recorded) => msg("why-clock-shifted")
                    .with("recorded", recorded.strftime("%Y-%m-%d %H:%M:%S"))
                    .with("clock", self.clock_seconds(clock))
                    .with("zone", zone),
                None => msg("why-clock")
                    .with("clock", self.clock_seconds(clock))
                    .with("zone", zone),
            };
            parts.push(clock.to_string());
        }
        let at = wall(&punch["at"]).and_then(|at| self.zone.to_timestamp(at).ok());
        if let (Some(at), Some(received), true) = (
            at,
            instant(&punch["received_at"]),
            punch["device"].is_string(),
        ) {
            parts.push(received_after(at, received));
        }
        if punch["reason"].is_string() {
            parts.push(
                msg("why-by")
                    .with("author", punch["author"].as_str().unwrap_or("Muster"))
                    .with("reason", text(&punch["reason"]))
                    .to_string(),
            );
        }
        parts.join(", ")
    }
}

fn received_after(at: Timestamp, received: Timestamp) -> String {
    let after = format::duration(received.duration_since(at));
    msg("why-received").with("after", after).to_string()
}

/// Between the ends a punch is neither ignored nor one of them; a break may have been read from it.
fn mark(punch: &Value) -> Mark {
    match (punch["ignored"].as_str(), text(&punch["use"])) {
        (Some(_), _) => Mark::Struck,
        (None, "first_in" | "last_out" | "pair") => Mark::Strong,
        (None, _) => Mark::Plain,
    }
}

/// In two or three words, for the list of raw punches.
pub(crate) fn short_use(punch: &Value) -> String {
    let key = match punch["ignored"].as_str() {
        Some(reason) => return msg(format!("use-{reason}")).to_string(),
        None => use_name(text(&punch["use"])),
    };
    msg(format!("use-{key}")).to_string()
}

/// The last part of the key of a use.
fn use_name(name: &str) -> &'static str {
    match name {
        "first_in" => "first_in",
        "last_out" => "last_out",
        "pair" => "pair",
        "between" => "between",
        _ => "passed_over",
    }
}

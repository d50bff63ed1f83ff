//! The steps of worked time and of the limits it is compared with.

use serde_json::Value;
use store::reports::ReportFields;

use super::story::{Mark, Row, Step, Words};
use super::{text, wall};
use crate::format;
use crate::text::{Msg, msg};

impl Words<'_> {
    /// `None` when nothing was worked.
    pub(super) fn worked(&self) -> Option<Step> {
        let rows: Vec<Row> = self
            .why
            .facts("worked")
            .map(|fact| self.interval(&fact.values, &fact.rules))
            .collect();
        if rows.is_empty() {
            return None;
        }
        let worked = i64::from(self.why.derived.worked_min);
        let title = msg("why-worked-title").with("minutes", format::minutes(worked));
        Some(Step {
            name: "worked",
            title: title.to_string(),
            rules: self.rules(&["worked"]),
            lines: Vec::new(),
            rows,
        })
    }

    fn interval(&self, values: &Value, rules: &[String]) -> Row {
        let minutes = format::minutes(values["min"].as_i64().unwrap_or(0));
        let span = match (wall(&values["from"]), wall(&values["to"])) {
            (Some(from), Some(to)) => msg("from-to")
                .with("from", self.clock(from))
                .with("to", self.clock(to))
                .to_string(),
            _ => String::new(),
        };
        let deducted = values["deducted"] == true;
        let text = match rules.first().map(String::as_str) {
            Some("R48") => msg("why-deducted-R48"),
            Some("R51") => msg("why-deducted-R51"),
            Some("R52") => msg("why-deducted-R52"),
            Some("R53") => msg("why-deducted-R53"),
            Some("R54") => msg("why-deducted-R54"),
            _ if values["credited"] == true => msg("why-credited"),
            _ => msg("why-counted"),
        };
        Row {
            place: span,
            time: minutes,
            text: text.to_string(),
            mark: if deducted { Mark::Struck } else { Mark::Plain },
            ..Row::default()
        }
    }

    pub(super) fn limits(&self) -> Step {
        let thresholds = self.why.facts("threshold").map(|fact| &fact.values);
        let rows = thresholds.filter_map(|values| {
            let exceeded = values["exceeded"] == true;
            let name = text(&values["name"]);
            // Everybody's day is shorter than that.
            if name == "long_session" && !exceeded {
                return None;
            }
            let (found, limit) = (self.side(values, "found"), self.side(values, "limit"));
            let row = Row {
                place: msg(format!("why-limit-{name}")).to_string(),
                text: msg(format!("why-compared-{name}"))
                    .with("found", found)
                    .with("limit", limit)
                    .to_string(),
                mark: if exceeded { Mark::Strong } else { Mark::Plain },
                ..Row::default()
            };
            Some(row)
        });
        let mut step = Step {
            name: "limits",
            title: msg("why-limits").to_string(),
            rules: self.rules(&["threshold"]),
            lines: Vec::new(),
            rows: rows.collect(),
        };
        if step.rows.is_empty() {
            step.lines.push(msg("why-limits-none").to_string());
        }
        step.lines.extend(self.settings());
        step
    }

    /// Settings that differ from the defaults, each with its usual value.
    fn settings(&self) -> Vec<String> {
        let Some(values) = self.why.fact("policy").and_then(Value::as_object) else {
            return Vec::new();
        };
        let usual = serde_json::to_value(attendance::Policy::default()).unwrap_or_default();
        let plain = |value: &Value| match value {
            Value::String(text) => text.clone(),
            Value::Null => msg("none").to_string(),
            value => value.to_string(),
        };
        let settings = values.iter().map(|(name, value)| {
            msg("why-setting")
                .with("name", name)
                .with("value", plain(value))
                .with("usual", plain(&usual[name]))
                .to_string()
        });
        settings.collect()
    }

    /// One side of a comparison: a time of the day, or a duration.
    fn side(&self, values: &Value, name: &str) -> String {
        let value = &values[name];
        match (wall(value), text(&values["unit"])) {
            (Some(at), _) if name == "planned" => self.clock(at),
            (Some(at), _) => self.clock_seconds(at),
            (None, "s") => exact(value.as_i64().unwrap_or(0)),
            (None, _) => format::minutes(value.as_i64().unwrap_or(0)),
        }
    }

    /// What about the limits gave a present person's status, in sentences.
    pub(super) fn exceeded(&self, says: &ReportFields) -> Vec<Msg> {
        let mut told = Vec::new();
        let limits: Vec<&Value> = self
            .why
            .facts("threshold")
            .map(|fact| &fact.values)
            .collect();
        let of = |name: &'static str| {
            limits
                .iter()
                .copied()
                .filter(move |values| text(&values["name"]) == name)
        };
        let both = |text: Msg, values: &Value| {
            text.with("found", self.side(values, "found"))
                .with("limit", self.side(values, "limit"))
        };
        let is_exceeded = |values: &&Value| values["exceeded"] == true;
        if says.late_min > 0 {
            for values in of("late").filter(is_exceeded) {
                let planned = self.side(values, "planned");
                let text = msg("why-late")
                    .with("planned", planned)
                    .with("minutes", format::minutes(says.late_min));
                told.push(both(text, values));
            }
        }
        if says.early_min > 0 {
            for values in of("early").filter(is_exceeded) {
                let planned = self.side(values, "planned");
                let text = msg("why-early")
                    .with("planned", planned)
                    .with("minutes", format::minutes(says.early_min));
                told.push(both(text, values));
            }
        }
        let decisive = match says.status.as_str() {
            "absent" => ["absent_below", "absent_if_late_over"],
            "half_day" => ["half_day_below", "half_day_if_late_over"],
            _ => ["", ""],
        };
        if let Some(values) = limits
            .iter()
            .copied()
            .filter(is_exceeded)
            .find(|values| decisive.contains(&text(&values["name"])))
        {
            let name = text(&values["name"]);
            told.push(both(msg(format!("why-because-{name}")), values));
        }
        if told.is_empty() && says.status == "present" {
            let on_time = of("late")
                .next()
                .map(|values| both(msg("why-on-time"), values));
            told.push(on_time.unwrap_or_else(|| msg("why-seen")));
        }
        told
    }
}

/// `7 h 49`, with seconds where there are some: limits are compared to the second.
fn exact(seconds: i64) -> String {
    let sign = if seconds < 0 { "−" } else { "" };
    let seconds = seconds.abs();
    let (minutes, rest) = (seconds / 60, seconds % 60);
    let text = match (minutes, rest) {
        (minutes, 0) => format::minutes(minutes),
        (0, rest) => msg("duration-seconds").with("seconds", rest).to_string(),
        (1..60, rest) => {
            let rest = msg("duration-seconds").with("seconds", rest);
            format!("{} {rest}", format::minutes(minutes))
        }
        _ => msg("duration-exact")
            .with("hours", minutes / 60)
            .with("minutes", minutes % 60)
            .with("seconds", rest)
            .to_string(),
    };
    format!("{sign}{text}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_exact() {
        let text = |seconds| exact(seconds).replace('\u{a0}', " ");
        assert_eq!(text(4 * 3600), "4 h 00");
        assert_eq!(text(4 * 3600 - 1), "3 h 59 min 59 s");
        assert_eq!(text(17), "17 s");
        assert_eq!(text(-90), "−1 min 30 s");
    }
}

//! The facts of a day as sentences, step by step. Rules are named beside them, for who wants to look them up.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde_json::Value;
use store::reports::ReportFields;

use super::{Why, gaps, instant, is_one_second, of_correction, text, wall};
use crate::format::{self, Chip};
use crate::pages::{Remarks, words};
use crate::text::{Msg, msg};

/// What the why panel shows.
#[derive(Clone, Debug)]
pub struct Story {
    pub title: String,
    /// Status and flags as badges; empty without a report.
    pub chips: Vec<Chip>,
    /// The same in plain words.
    pub status: String,
    /// Worked time and overtime.
    pub caption: String,
    /// Why it has this status, in whole sentences.
    pub verdict: Vec<String>,
    /// The rules that gave it.
    pub rules: String,
    /// What is to be known beside: a closed period, another evidence than then.
    pub notices: Vec<String>,
    pub steps: Vec<Step>,
}

/// One step of the way to the report.
#[derive(Clone, Debug)]
pub struct Step {
    /// Part of the element's id.
    pub name: &'static str,
    pub title: String,
    /// Rule numbers, with blanks between them.
    pub rules: String,
    pub lines: Vec<String>,
    pub rows: Vec<Row>,
}

/// A line of a step in columns.
#[derive(Clone, Debug, Default)]
pub struct Row {
    pub time: String,
    pub place: String,
    pub text: String,
    /// Smaller, below.
    pub detail: String,
    pub mark: Mark,
    /// The punch or correction it is about, as in the facts, if it can still be voided.
    pub void: Option<String>,
    /// The void that took it out, if that can be taken back.
    pub restore: Option<String>,
    /// The serial number of the device it is about.
    pub device: Option<String>,
    /// What was not read of it, as a query.
    pub unread: Option<String>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mark {
    #[default]
    Plain,
    /// It counts, or a limit was passed.
    Strong,
    /// It does not count.
    Struck,
}

impl Row {
    pub fn is_strong(&self) -> bool {
        self.mark == Mark::Strong
    }

    pub fn is_struck(&self) -> bool {
        self.mark == Mark::Struck
    }
}

impl Step {
    fn new(name: &'static str, title: String) -> Self {
        Self {
            name,
            title,
            rules: String::new(),
            lines: Vec::new(),
            rows: Vec::new(),
        }
    }
}

impl Story {
    pub fn of(why: &Why) -> Self {
        let words = Words {
            why,
            zone: why.zone(),
        };
        let mut story = Self {
            title: words.title(),
            chips: words.chips(),
            status: words.status(),
            caption: words.caption(),
            verdict: words.verdict(),
            rules: words.rules(&["verdict"]),
            notices: words.notices(),
            steps: Vec::new(),
        };
        if why.employed() {
            story.steps.push(words.plan());
        }
        story.steps.push(words.punches());
        if why.employed() {
            story.steps.extend(words.worked());
            story.steps.push(words.limits());
            story.steps.push(words.coverage());
            story.steps.push(words.calendar());
        }
        story.steps.push(words.history());
        story
    }
}

/// A day on its way into words.
pub(super) struct Words<'w> {
    pub why: &'w Why,
    pub zone: TimeZone,
}

impl Words<'_> {
    fn title(&self) -> String {
        let date = format::long_date(self.why.workday);
        match self.why.says.as_ref().map(|says| says.letter.as_str()) {
            None | Some("") => msg("why-title-open").with("date", date).to_string(),
            Some(letter) => msg("why-title")
                .with("date", date)
                .with("letter", letter)
                .to_string(),
        }
    }

    fn chips(&self) -> Vec<Chip> {
        let Some(says) = &self.why.says else {
            return Vec::new();
        };
        let missing = remarks(says).missing();
        let mut chips = vec![Chip::of(&says.status, 0, missing, false)];
        if says.late_min > 0 {
            let late = msg("late-by").with("minutes", format::minutes(says.late_min));
            chips.push(Chip::new(
                "st-late",
                crate::assets::Icon::small("clock"),
                late,
            ));
        }
        chips
    }

    fn status(&self) -> String {
        match &self.why.says {
            None if self.why.employed() => msg("not-judged").to_string(),
            None => msg("why-not-employed").to_string(),
            Some(says) => summary(says),
        }
    }

    fn caption(&self) -> String {
        let Some(says) = self.why.says.as_ref().filter(|says| says.worked_min > 0) else {
            return String::new();
        };
        let overtime = match says.overtime_min {
            0 => msg("why-no-overtime").to_string(),
            minutes => msg("why-overtime")
                .with("minutes", format::minutes(minutes))
                .to_string(),
        };
        let worked = format::minutes(says.worked_min);
        let mut caption = msg("why-worked").with("minutes", worked).to_string();
        caption.push_str(&format!(", {overtime}"));
        if says.night_min > 0 {
            let night = msg("why-night").with("minutes", format::minutes(says.night_min));
            caption.push_str(&format!(", {night}"));
        }
        caption
    }

    fn notices(&self) -> Vec<String> {
        let why = self.why;
        let mut notices = Vec::new();
        if let Some(at) = why.at {
            notices.push(match why.judged_at {
                Some(judged) => msg("why-known-at")
                    .with("at", self.moment(at))
                    .with("judged", self.moment(judged))
                    .to_string(),
                None => msg("why-nothing-known")
                    .with("at", self.moment(at))
                    .to_string(),
            });
        }
        if why.is_closed() {
            notices.push(match why.derived.changes_after_close.as_slice() {
                [] => msg("why-closed").to_string(),
                fields => {
                    let fields = fields.iter().map(|field| field_name(field).to_string());
                    msg("why-closed-changes")
                        .with("fields", fields.collect::<Vec<_>>().join(", "))
                        .to_string()
                }
            });
        } else if !why.differs.is_empty() {
            let fields = why.differs.iter().filter(|field| is_worth_telling(field));
            let mut fields: Vec<_> = fields.map(|field| field_name(field).to_string()).collect();
            fields.dedup();
            let key = match why.at {
                Some(_) => "why-differs-then",
                None => "why-differs-now",
            };
            if !fields.is_empty() {
                let derived = summary(&ReportFields::from(&why.derived));
                notices.push(
                    msg(key)
                        .with("fields", fields.join(", "))
                        .with("derived", derived)
                        .to_string(),
                );
            }
        }
        notices
    }

    fn verdict(&self) -> Vec<String> {
        let why = self.why;
        let Some(says) = &why.says else {
            let key = match why.employed() {
                true => "why-no-report",
                false => "why-outside-employment",
            };
            return vec![msg(key).to_string()];
        };
        let seen = says.first_in.is_some() || says.last_out.is_some();
        let mut told = Vec::new();
        let mut tell = |text: Msg| told.push(text.to_string());
        match says.status.as_str() {
            "not_due" => tell(msg("why-not-due").with("due", self.due())),
            "not_arrived" => tell(msg("why-not-arrived").with("due", self.due())),
            "unknown" if says.reason == "no_device" => tell(msg("why-no-device")),
            "unknown" => tell(self.not_covered()),
            "absent" if !seen => tell(self.absent()),
            "holiday" if seen => tell(msg("why-holiday-seen")),
            "holiday" => tell(msg("why-holiday")),
            "weekly_off" if seen => tell(msg("why-off-seen")),
            "weekly_off" => tell(msg("why-off")),
            "on_leave" if seen => tell(msg("why-leave-seen")),
            "on_leave" => tell(msg("why-leave")),
            "on_duty" => tell(msg("why-duty")),
            _ => {
                for text in self.exceeded(says) {
                    tell(text);
                }
            }
        }
        let missing = remarks(says).missing();
        if let Some(missing) = missing {
            tell(msg(format!("why-exception-{missing}")));
        }
        for exception in words(&says.exceptions).filter(|one| Some(*one) != missing) {
            tell(msg(format!("why-exception-{exception}")));
        }
        match says.stage.as_str() {
            "provisional" if says.status != "not_due" => {
                if let Some(closing) = self.window("closing") {
                    tell(msg("why-stage-provisional").with("closing", closing));
                }
            }
            "final_without_coverage" => tell(msg("why-stage-final_without_coverage")),
            _ => {}
        }
        told
    }

    fn due(&self) -> String {
        let due = self.why.fact("verdict").and_then(|fact| wall(&fact["due"]));
        due.map(|due| self.clock(due)).unwrap_or_default()
    }

    /// Names the device that was read least far.
    fn not_covered(&self) -> Msg {
        let facts = self.why.facts("coverage").map(|fact| &fact.values);
        let open = facts.filter(|values| values["covered"] != true);
        let behind = open.min_by_key(|values| instant(&values["read_to"]));
        let Some(values) = behind else {
            return msg("why-not-covered");
        };
        let device = self.device(text(&values["device"]));
        match instant(&values["read_to"]) {
            Some(read_to) => msg("why-not-read-since")
                .with("device", device)
                .with("time", self.moment(read_to)),
            None => msg("why-never-read").with("device", device),
        }
    }

    fn absent(&self) -> Msg {
        msg("why-absent")
            .with("from", self.window("opening").unwrap_or_default())
            .with("to", self.window("closing").unwrap_or_default())
    }

    fn window(&self, name: &str) -> Option<String> {
        Some(self.clock(wall(&self.why.fact("window")?[name])?))
    }

    fn plan(&self) -> Step {
        let mut step = Step::new("shift", msg("shift").to_string());
        let Some(plan) = self.why.fact("plan") else {
            return step;
        };
        step.rules = self.rules(&["plan", "window"]);
        let shift = text(&plan["shift"]);
        let mut first = match shift {
            "" => msg("why-plan-off").to_string(),
            shift => {
                let mut parts = vec![shift.to_owned()];
                parts.extend(self.spans(&plan["segments"]));
                parts.extend(
                    plan["breaks"]
                        .as_array()
                        .into_iter()
                        .flatten()
                        .map(|rest| self.rest(rest)),
                );
                if let Some(core) = self.span(&plan["core"]) {
                    parts.push(msg("why-plan-core").with("span", core).to_string());
                }
                format!("{}.", parts.join(", "))
            }
        };
        if plan["candidates"].is_array() {
            first = msg("why-plan-undecided")
                .with("shifts", shift.replace('+', ", "))
                .to_string();
        }
        step.lines.push(first);
        step.lines
            .push(msg(format!("why-plan-from-{}", origin(text(&plan["from"])))).to_string());
        if let Some(distances) = plan["distances_min"].as_object() {
            let distances = distances.iter().map(|(shift, away)| {
                msg("why-plan-distance")
                    .with("shift", shift)
                    .with("away", format::minutes(away.as_i64().unwrap_or(0).abs()))
                    .to_string()
            });
            let distances: Vec<_> = distances.collect();
            step.lines.push(
                msg("why-plan-chosen")
                    .with("punch", self.time_of_punch(text(&plan["punch"])))
                    .with("distances", distances.join(", "))
                    .to_string(),
            );
        }
        let planned = plan["planned_min"].as_i64().unwrap_or(0);
        if planned > 0 {
            step.lines.push(
                msg("why-plan-planned")
                    .with("minutes", format::minutes(planned))
                    .to_string(),
            );
        }
        if let (Some(from), Some(to)) = (self.window("counts_from"), self.window("counts_to")) {
            let (opening, closing) = (
                self.window("opening").unwrap_or_default(),
                self.window("closing").unwrap_or_default(),
            );
            let whole = opening == from && closing == to;
            let key = if whole {
                "why-window"
            } else {
                "why-window-clipped"
            };
            let window = msg(key).with("from", from).with("to", to);
            step.lines.push(match whole {
                true => window.to_string(),
                false => window
                    .with("opening", opening)
                    .with("closing", closing)
                    .to_string(),
            });
        }
        step
    }

    fn rest(&self, rest: &Value) -> String {
        let minutes = |name: &str| format::minutes(rest[name].as_i64().unwrap_or(0));
        match text(&rest["kind"]) {
            "auto" => msg("why-break-auto")
                .with("after", minutes("after_min"))
                .with("minutes", minutes("minutes"))
                .to_string(),
            "punched" => msg("why-break-punched")
                .with("span", self.span(rest).unwrap_or_default())
                .with("minutes", minutes("minutes"))
                .to_string(),
            _ => {
                let key = match rest["paid"] == true {
                    true => "why-break-paid",
                    false => "why-break",
                };
                msg(key)
                    .with("span", self.span(rest).unwrap_or_default())
                    .to_string()
            }
        }
    }

    fn coverage(&self) -> Step {
        let mut step = Step::new("coverage", msg("why-coverage").to_string());
        step.rules = self.rules(&["coverage"]);
        for values in self.why.facts("coverage").map(|fact| &fact.values) {
            let serial = text(&values["device"]);
            if serial.is_empty() {
                step.lines.push(msg("why-no-device").to_string());
                continue;
            }
            let device = self.device(serial);
            let needed = instant(&values["needed_to"]);
            let needed = needed.map(|to| self.moment(to)).unwrap_or_default();
            let covered = values["covered"] == true;
            let (key, time) = match instant(&values["covered_to"]) {
                None => ("why-coverage-never", String::new()),
                Some(to) if covered => ("why-coverage-whole", self.moment(to)),
                Some(to) => ("why-coverage-part", self.moment(to)),
            };
            let mut line = msg(key).with("needed", needed);
            if !time.is_empty() {
                line = line.with("time", time);
            }
            let mut detail = Vec::new();
            for (from, to) in gaps(values) {
                detail.push(self.gap(serial, from, to).to_string());
            }
            step.rows.push(Row {
                place: device,
                text: line.to_string(),
                detail: detail.join(" "),
                mark: if covered { Mark::Plain } else { Mark::Strong },
                device: Some(serial.to_owned()),
                unread: self.unread(values).filter(|_| !covered),
                ..Row::default()
            });
        }
        step
    }

    /// From where it has not been read, or the opening, to as far as it is needed.
    fn unread(&self, values: &Value) -> Option<String> {
        let from = instant(&values["read_to"])?;
        let to = instant(&values["needed_to"])?.min(self.why.now);
        (from < to).then(|| format!("from={from}&to={to}"))
    }

    fn gap(&self, serial: &str, from: Timestamp, to: Option<Timestamp>) -> Msg {
        let ms = from.as_millisecond();
        let mut undecided = self.why.undecided.iter();
        let is_undecided = is_one_second(from, to)
            && undecided.any(|one| one.serial_number == serial && one.instant_ms == ms);
        match to {
            _ if is_undecided => msg("why-gap-undecided").with("time", self.moment(from)),
            Some(to) => msg("why-gap")
                .with("from", self.moment(from))
                .with("to", self.moment(to)),
            None => msg("why-gap-open").with("from", self.moment(from)),
        }
    }

    /// Leave, holiday and what people corrected.
    fn calendar(&self) -> Step {
        let mut step = Step::new("said", msg("why-calendar").to_string());
        step.rules = self.rules(&["correction"]);
        if let Some(plan) = self.why.fact("plan") {
            let day = text(&plan["day"]);
            if matches!(day, "holiday" | "leave" | "on_duty") {
                step.lines.push(msg(format!("why-day-{day}")).to_string());
            }
            if let Some(part) = plan["leave_part"].as_str().filter(|part| !part.is_empty()) {
                step.lines
                    .push(msg(format!("leave-part-{part}")).to_string());
            }
        }
        for values in self.why.facts("correction").map(|fact| &fact.values) {
            let Some(entry) = of_correction(&self.why.said, text(&values["id"])) else {
                continue;
            };
            let made = format::instant(entry.made_ms);
            let key = match (text(&values["kind"]), entry.void_correction_id) {
                ("restore", _) => "why-said-restore",
                ("void", Some(_)) => "why-said-void-entry",
                ("void", None) => "why-said-void",
                _ => "why-said-add",
            };
            let about = format::wall_seconds(&entry.at);
            step.lines.push(
                msg(key)
                    .with("time", about)
                    .with("author", entry.author.as_deref().unwrap_or("Muster"))
                    .with("made", self.moment(made))
                    .with("reason", &entry.reason)
                    .to_string(),
            );
        }
        for values in self.why.facts("punch").map(|fact| &fact.values) {
            if values["source"] != "roll_call" {
                continue;
            }
            let made = instant(&values["made_at"]).unwrap_or(self.why.now);
            let at = wall(&values["at"]).map(|at| self.clock_seconds(at));
            step.lines.push(
                msg("why-said-roll-call")
                    .with("time", at.unwrap_or_default())
                    .with("author", values["author"].as_str().unwrap_or("Muster"))
                    .with("made", self.moment(made))
                    .with("reason", text(&values["reason"]))
                    .to_string(),
            );
        }
        if step.lines.is_empty() {
            step.lines.push(msg("why-nothing-said").to_string());
        }
        step
    }

    // ---------- parts of sentences ----------

    /// What people call a device.
    pub fn device(&self, serial: &str) -> String {
        let name = self.why.devices.get(serial);
        name.cloned().unwrap_or_else(|| serial.to_owned())
    }

    /// `09:10:00` or `22:00`, with its date where that is not the workday.
    pub fn clock(&self, wall: DateTime) -> String {
        if wall.second() == 0 {
            self.dated(wall, wall.strftime("%H:%M").to_string())
        } else {
            self.clock_seconds(wall)
        }
    }

    pub fn clock_seconds(&self, wall: DateTime) -> String {
        self.dated(wall, wall.strftime("%H:%M:%S").to_string())
    }

    fn dated(&self, wall: DateTime, time: String) -> String {
        if wall.date() == self.why.workday {
            return time;
        }
        msg("moment-date")
            .with("date", format::day_and_month(wall.date(), self.why.workday))
            .with("time", time)
            .to_string()
    }

    /// An instant on the clock of the site.
    pub fn moment(&self, at: Timestamp) -> String {
        let wall = self.zone.to_datetime(at);
        self.dated(wall, wall.strftime("%H:%M").to_string())
    }

    fn span(&self, span: &Value) -> Option<String> {
        let text = msg("from-to")
            .with("from", self.clock(wall(&span["start"])?))
            .with("to", self.clock(wall(&span["end"])?));
        Some(text.to_string())
    }

    fn spans(&self, spans: &Value) -> Vec<String> {
        let spans = spans.as_array().into_iter().flatten();
        spans.filter_map(|span| self.span(span)).collect()
    }

    /// The site's time of a punch by its id.
    pub fn time_of_punch(&self, id: &str) -> String {
        let mut punches = self.why.facts("punch").map(|fact| &fact.values);
        let punch = punches.find(|punch| text(&punch["id"]) == id);
        let at = punch.and_then(|punch| wall(&punch["at"]));
        at.map(|at| self.clock_seconds(at)).unwrap_or_default()
    }

    /// The rules of the facts of some topics, each once, in order of number.
    pub fn rules(&self, topics: &[&str]) -> String {
        let facts = self.why.derived.derivation.facts.iter();
        let facts = facts.filter(|fact| topics.contains(&fact.topic.as_str()));
        let mut rules: Vec<&str> = facts
            .flat_map(|fact| &fact.rules)
            .map(String::as_str)
            .collect();
        rules.sort_unstable_by_key(|rule| rule.trim_start_matches('R').parse::<u32>().unwrap_or(0));
        rules.dedup();
        rules.join(" ")
    }
}

/// The columns of a report that become remarks.
pub(super) fn remarks(says: &ReportFields) -> Remarks<'_> {
    Remarks {
        reason: &says.reason,
        leave_part: &says.leave_part,
        early_min: says.early_min,
        overtime_min: says.overtime_min,
        exceptions: &says.exceptions,
        pending: &says.pending,
    }
}

/// A report in one line.
pub(super) fn summary(says: &ReportFields) -> String {
    let summary = Summary {
        status: &says.status,
        late_min: says.late_min,
        first_in: says.first_in.as_deref(),
        last_out: says.last_out.as_deref(),
        remarks: remarks(says),
    };
    summary.text()
}

/// What is worth saying of a report in one line.
pub(crate) struct Summary<'a> {
    pub status: &'a str,
    pub late_min: i64,
    pub first_in: Option<&'a str>,
    pub last_out: Option<&'a str>,
    pub remarks: Remarks<'a>,
}

impl Summary<'_> {
    /// `Present, late 14 min, 09:14 to 18:03`.
    pub(crate) fn text(&self) -> String {
        let mut parts = vec![msg(format!("status-{}", self.status)).to_string()];
        if self.late_min > 0 {
            let minutes = format::minutes(self.late_min);
            parts.push(msg("why-late-by").with("minutes", minutes).to_string());
        }
        let ends = [self.first_in, self.last_out].map(|side| side.map(format::wall_minutes));
        parts.extend(
            match ends {
                [Some(first), Some(last)] => {
                    Some(msg("from-to").with("from", first).with("to", last))
                }
                [Some(first), None] => Some(msg("why-in-at").with("time", first)),
                [None, Some(last)] => Some(msg("why-out-at").with("time", last)),
                [None, None] => None,
            }
            .map(|text| text.to_string()),
        );
        if let Some(missing) = self.remarks.missing() {
            parts.push(
                msg(format!("exception-{missing}"))
                    .to_string()
                    .to_lowercase(),
            );
        }
        parts.extend(self.remarks.texts().iter().map(|text| text.to_lowercase()));
        parts.join(", ")
    }
}

fn origin(from: &str) -> &'static str {
    match from {
        "override" => "override",
        "weekly_off pattern" => "weekly-off",
        "cycle" => "cycle",
        "week" => "week",
        _ => "nothing",
    }
}

/// The milliseconds beside a wall time, and the short form of a status, say the same again.
fn is_worth_telling(field: &str) -> bool {
    !matches!(field, "first_in_ms" | "last_out_ms" | "letter")
}

/// A column of a report in words.
pub(super) fn field_name(field: &str) -> Msg {
    let known = [
        "status",
        "stage",
        "reason",
        "shift",
        "first_in",
        "last_out",
        "planned_min",
        "worked_min",
        "late_min",
        "early_min",
        "overtime_min",
        "night_min",
        "overtime_levels",
        "exceptions",
        "pending",
        "leave_part",
        "changes_after_close",
    ];
    match known.contains(&field) {
        true => msg(format!("field-{field}")),
        false => msg("field-other"),
    }
}

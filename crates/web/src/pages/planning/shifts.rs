//! `/shifts`: the shifts, week patterns, rotations and weekly offs, and the form of a shift.

use std::collections::BTreeMap;

use askama::Template;
use attendance::{
    Break, HourMinute, PlannedShift, Policy, SegmentSpec, Shift, ShiftError, ShiftId,
};
use axum::extract::{Form, Path, State};
use axum::response::{IntoResponse, Redirect, Response};
use jiff::civil::Weekday;
use store::calendar::NamedShift;
use tower_sessions::Session;

use super::super::form::{Errors, filled};
use super::super::rules::{self, Group};
use super::{ShiftNames, refused, span};
use crate::WebState;
use crate::error::{PageError, html};
use crate::format;
use crate::session::{Outcome, Told, Visitor, leave};
use crate::text::{Msg, msg};
use crate::ui::{Section, Ui};

/// Empty lines of the form.
const SPARE: usize = 2;

#[derive(Template)]
#[template(path = "shifts.html")]
struct ShiftsPage<'a> {
    ui: &'a Ui,
    told: Option<Outcome>,
    shifts: Vec<ShiftRow>,
    weeks: Vec<PatternRow>,
    /// Rotations and weekly offs.
    lists: Vec<PatternList>,
}

struct PatternList {
    /// The part of the addresses of its forms.
    path: &'static str,
    title: Msg,
    sub: Msg,
    none: Msg,
    add: Msg,
    rows: Vec<PatternRow>,
}

struct ShiftRow {
    id: ShiftId,
    name: String,
    times: String,
    breaks: String,
    rules: usize,
}

struct PatternRow {
    id: i64,
    name: String,
    days: Vec<String>,
}

pub(super) async fn list(
    State(state): State<WebState>,
    visitor: Visitor,
    Told(told): Told,
) -> Result<Response, PageError> {
    visitor.require(visitor.may().plan)?;
    let shifts = state.store.shifts().await?;
    let names = ShiftNames::of(&shifts);
    let weeks = state.store.week_patterns().await?;
    let rotations = state.store.cycles().await?;
    let offs = state.store.weekly_offs().await?;
    let plans = |days: &[store::roster::DayPlan]| days.iter().map(|day| names.text(day)).collect();
    let rotations = rotations.into_iter().map(|one| PatternRow {
        days: plans(&one.days),
        id: one.id,
        name: one.name,
    });
    let offs = offs.into_iter().map(|one| PatternRow {
        days: one
            .days
            .iter()
            .map(|(day, nth)| off_day(*day, *nth))
            .collect(),
        id: one.id,
        name: one.name,
    });
    html(&ShiftsPage {
        ui: &visitor.ui(&state, Section::Planning),
        told,
        shifts: shifts.iter().map(ShiftRow::of).collect(),
        weeks: weeks
            .into_iter()
            .map(|one| PatternRow {
                days: plans(&one.days),
                id: one.id,
                name: one.name,
            })
            .collect(),
        lists: vec![
            PatternList {
                path: "rotation",
                title: msg("rotations"),
                sub: msg("rotations-sub"),
                none: msg("rotations-empty"),
                add: msg("rotation-add"),
                rows: rotations.collect(),
            },
            PatternList {
                path: "off",
                title: msg("offs"),
                sub: msg("offs-sub"),
                none: msg("offs-empty"),
                add: msg("off-add"),
                rows: offs.collect(),
            },
        ],
    })
}

/// `Saturday`, or `2nd Saturday`.
fn off_day(day: Weekday, nth: Option<u8>) -> String {
    let day = msg(format!("weekday-{}", day.to_monday_one_offset()));
    match nth {
        None => day.to_string(),
        Some(nth) => msg(format!("off-nth-{nth}"))
            .with("weekday", day)
            .to_string(),
    }
}

impl ShiftRow {
    fn of(named: &NamedShift) -> Self {
        let shift = &named.shift;
        let times: Vec<_> = shift
            .segments
            .iter()
            .map(|one| span(one.start, one.end))
            .collect();
        let times = match shift.required_min {
            Some(required) if shift.flexible => {
                let hours = format::minutes(required.into());
                let text = msg("shift-flexible-hours").with("hours", hours).to_string();
                match shift.core {
                    Some(core) => format!("{text}, {}", span(core.start, core.end)),
                    None => text,
                }
            }
            _ => times.join(", "),
        };
        let breaks: Vec<_> = shift.breaks.iter().map(break_text).collect();
        Self {
            id: named.id,
            name: named.name.clone(),
            times,
            breaks: breaks.join(", "),
            rules: shift.policy.0.len(),
        }
    }
}

fn break_text(one: &Break) -> String {
    match one {
        Break::Fixed { start, end, paid } => {
            let text = if *paid {
                msg("break-paid")
            } else {
                msg("break-unpaid")
            };
            text.with("span", span(start, end))
        }
        Break::Auto { after_min, minutes } => msg("break-after")
            .with("minutes", format::minutes((*minutes).into()))
            .with("after", format::minutes((*after_min).into())),
        Break::Punched {
            start,
            end,
            minutes,
        } => msg("break-within")
            .with("minutes", format::minutes((*minutes).into()))
            .with("span", span(start, end)),
    }
    .to_string()
}

/// The form as it was typed.
#[derive(Clone, Debug, Default)]
struct Entered {
    name: String,
    flexible: bool,
    /// Start and end.
    segments: Vec<[String; 2]>,
    /// `no` when the segments are one period.
    each_segment: String,
    required: String,
    core: [String; 2],
    day_start: String,
    breaks: Vec<EnteredBreak>,
    rules: BTreeMap<String, String>,
}

/// Kind, start, end, minutes of work after which it is taken, its minutes.
#[derive(Clone, Debug, Default)]
struct EnteredBreak {
    kind: String,
    start: String,
    end: String,
    after: String,
    minutes: String,
}

impl Entered {
    fn of(name: &str, shift: &Shift) -> Self {
        let text = |time: Option<HourMinute>| time.map(|time| time.to_string()).unwrap_or_default();
        Self {
            name: name.to_owned(),
            flexible: shift.flexible,
            segments: shift
                .segments
                .iter()
                .map(|one| [one.start.to_string(), one.end.to_string()])
                .collect(),
            each_segment: match shift.punch_each_segment {
                Some(false) => "no".to_owned(),
                _ => String::new(),
            },
            required: shift
                .required_min
                .map(|minutes| minutes.to_string())
                .unwrap_or_default(),
            core: [
                text(shift.core.map(|core| core.start)),
                text(shift.core.map(|core| core.end)),
            ],
            day_start: text(shift.day_start),
            breaks: shift.breaks.iter().map(EnteredBreak::of).collect(),
            rules: rules::typed(&shift.policy),
        }
    }

    /// The lines of a form come as the same names again and again, in order.
    fn parse(pairs: Vec<(String, String)>) -> Self {
        let mut entered = Self::default();
        for (name, value) in pairs {
            let value = value.trim().to_owned();
            let last_break = entered.breaks.last_mut();
            match (name.as_str(), last_break) {
                ("name", _) => entered.name = value,
                ("form", _) => entered.flexible = value == "flexible",
                ("start", _) => entered.segments.push([value, String::new()]),
                ("end", _) => {
                    if let Some(segment) = entered.segments.last_mut() {
                        segment[1] = value;
                    }
                }
                ("each_segment", _) => entered.each_segment = value,
                ("required", _) => entered.required = value,
                ("core_start", _) => entered.core[0] = value,
                ("core_end", _) => entered.core[1] = value,
                ("flexible_from", _) => entered.day_start = value,
                ("break", _) => entered.breaks.push(EnteredBreak {
                    kind: value,
                    ..EnteredBreak::default()
                }),
                ("break_start", Some(one)) => one.start = value,
                ("break_end", Some(one)) => one.end = value,
                ("break_after", Some(one)) => one.after = value,
                ("break_minutes", Some(one)) => one.minutes = value,
                _ => {
                    entered.rules.insert(name, value);
                }
            }
        }
        entered
            .segments
            .retain(|[start, end]| !start.is_empty() || !end.is_empty());
        entered.breaks.retain(|one| !one.kind.is_empty());
        entered
    }

    /// The shift, or what is wrong with it.
    fn shift(&self, errors: &mut Errors) -> Option<(String, Shift)> {
        let name = filled(&self.name);
        if name.is_none() {
            errors.add("name", msg("shift-needs-name"));
        }
        let mut shift = Shift {
            flexible: self.flexible,
            ..Shift::default()
        };
        if self.flexible {
            shift.required_min = number(&self.required);
            shift.day_start = optional(&self.day_start, "flexible_from", errors);
            if self.core.iter().any(|time| !time.is_empty()) {
                shift.core = segment(&self.core, "core_start", errors);
            }
        } else {
            let segments = self.segments.iter();
            shift.segments = segments
                .filter_map(|one| segment(one, "start", errors))
                .collect();
            shift.punch_each_segment = (self.each_segment == "no").then_some(false);
        }
        for one in &self.breaks {
            match one.value() {
                Some(found) => shift.breaks.push(found),
                None => errors.add("break", msg("shift-break-wrong")),
            }
        }
        match rules::overrides(&self.rules) {
            Ok(values) => shift.policy = values,
            Err(wrong) => {
                for (name, why) in wrong {
                    errors.add(name, why);
                }
            }
        }
        if !errors.is_empty() {
            return None;
        }
        match PlannedShift::new(&self.name, shift.clone(), &Policy::default()) {
            Ok(_) => Some((name?, shift)),
            Err(ShiftError::RequiredMin) => {
                errors.add("required", msg("shift-needs-required"));
                None
            }
            Err(ShiftError::Empty) => {
                errors.add("start", msg("shift-needs-segment"));
                None
            }
            Err(_) => {
                errors.add("name", msg("refused-invalid"));
                None
            }
        }
    }
}

impl EnteredBreak {
    fn of(one: &Break) -> Self {
        let (kind, times, after, minutes) = match one {
            Break::Fixed { start, end, paid } => {
                let kind = if *paid { "paid" } else { "unpaid" };
                (kind, Some((start, end)), None, None)
            }
            Break::Auto { after_min, minutes } => ("auto", None, Some(after_min), Some(minutes)),
            Break::Punched {
                start,
                end,
                minutes,
            } => ("punched", Some((start, end)), None, Some(minutes)),
        };
        let text = |number: Option<&u32>| number.map(u32::to_string).unwrap_or_default();
        Self {
            kind: kind.to_owned(),
            start: times
                .map(|(start, _)| start.to_string())
                .unwrap_or_default(),
            end: times.map(|(_, end)| end.to_string()).unwrap_or_default(),
            after: text(after),
            minutes: text(minutes),
        }
    }

    fn value(&self) -> Option<Break> {
        let time = |text: &str| text.parse::<HourMinute>().ok();
        match self.kind.as_str() {
            "auto" => Some(Break::Auto {
                after_min: number(&self.after)?,
                minutes: number(&self.minutes)?,
            }),
            "punched" => Some(Break::Punched {
                start: time(&self.start)?,
                end: time(&self.end)?,
                minutes: number(&self.minutes)?,
            }),
            kind => Some(Break::Fixed {
                start: time(&self.start)?,
                end: time(&self.end)?,
                paid: kind == "paid",
            }),
        }
    }
}

fn number(text: &str) -> Option<u32> {
    text.parse().ok()
}

fn segment(
    [start, end]: &[String; 2],
    field: &'static str,
    errors: &mut Errors,
) -> Option<SegmentSpec> {
    let times = start.parse().ok().zip(end.parse().ok());
    if times.is_none() {
        errors.add(field, msg("shift-times-wrong"));
    }
    times.map(|(start, end)| SegmentSpec { start, end })
}

fn optional(text: &str, field: &'static str, errors: &mut Errors) -> Option<HourMinute> {
    if text.is_empty() {
        return None;
    }
    let time = text.parse().ok();
    if time.is_none() {
        errors.add(field, msg("shift-times-wrong"));
    }
    time
}

#[derive(Template)]
#[template(path = "shift_form.html")]
struct ShiftForm<'a> {
    ui: &'a Ui,
    errors: &'a Errors,
    title: String,
    action: String,
    is_new: bool,
    entered: Entered,
    /// Kinds of breaks with their words.
    kinds: Vec<(&'static str, Msg)>,
    groups: Vec<Group>,
    has_rules: bool,
}

fn form(
    state: &WebState,
    visitor: &Visitor,
    mut entered: Entered,
    stored: Option<&NamedShift>,
    errors: &Errors,
) -> Result<Response, PageError> {
    let defaults = rules::defaults();
    let inherited = |name: &str| {
        let default = &defaults[name];
        let says = msg("rules-default").to_string();
        rules::is_for_shifts(name, default).then(|| (default.clone(), says))
    };
    let has_rules = entered.rules.values().any(|value| !value.is_empty());
    for _ in 0..SPARE {
        entered.segments.push(Default::default());
        entered.breaks.push(Default::default());
    }
    html(&ShiftForm {
        ui: &visitor.ui(state, Section::Planning),
        errors,
        title: match stored {
            Some(stored) => stored.name.clone(),
            None => msg("shift-add").to_string(),
        },
        action: match stored {
            Some(stored) => format!("/shifts/{}", stored.id),
            None => "/shifts/new".to_owned(),
        },
        is_new: stored.is_none(),
        kinds: ["unpaid", "paid", "auto", "punched"]
            .map(|kind| (kind, msg(format!("break-kind-{kind}"))))
            .into(),
        groups: rules::groups(&entered.rules, inherited),
        has_rules,
        entered,
    })
}

pub(super) async fn new(
    State(state): State<WebState>,
    visitor: Visitor,
) -> Result<Response, PageError> {
    visitor.require(visitor.may().plan)?;
    form(
        &state,
        &visitor,
        Entered::default(),
        None,
        &Errors::default(),
    )
}

pub(super) async fn edit(
    State(state): State<WebState>,
    visitor: Visitor,
    Path(id): Path<i64>,
) -> Result<Response, PageError> {
    visitor.require(visitor.may().plan)?;
    let stored = state.store.shift(ShiftId(id)).await?;
    let stored = stored.ok_or(PageError::NotFound)?;
    let entered = Entered::of(&stored.name, &stored.shift);
    form(&state, &visitor, entered, Some(&stored), &Errors::default())
}

pub(super) async fn add(
    State(state): State<WebState>,
    visitor: Visitor,
    session: Session,
    Form(pairs): Form<Vec<(String, String)>>,
) -> Result<Response, PageError> {
    visitor.require(visitor.may().plan)?;
    store(&state, &visitor, &session, Entered::parse(pairs), None).await
}

pub(super) async fn save(
    State(state): State<WebState>,
    visitor: Visitor,
    session: Session,
    Path(id): Path<i64>,
    Form(pairs): Form<Vec<(String, String)>>,
) -> Result<Response, PageError> {
    visitor.require(visitor.may().plan)?;
    let stored = state.store.shift(ShiftId(id)).await?;
    let stored = stored.ok_or(PageError::NotFound)?;
    let entered = Entered::parse(pairs);
    store(&state, &visitor, &session, entered, Some(&stored)).await
}

async fn store(
    state: &WebState,
    visitor: &Visitor,
    session: &Session,
    entered: Entered,
    stored: Option<&NamedShift>,
) -> Result<Response, PageError> {
    let mut errors = Errors::default();
    if let Some((name, shift)) = entered.shift(&mut errors) {
        let tx = state.store.begin_write().await?;
        let author = visitor.author(state);
        let done = match stored {
            Some(stored) => tx.edit_shift(stored.id, &name, &shift, author).await,
            None => tx.add_shift(&name, &shift, author).await.map(drop),
        };
        match done {
            Ok(()) => {
                tx.commit().await?;
                state.engine.edited();
                let title = msg("planning-saved").with("name", name);
                let outcome = Outcome::done("/shifts", title, msg("rules-saved-text"));
                leave(session, &outcome).await?;
                return Ok(Redirect::to("/shifts").into_response());
            }
            Err(error) => {
                tx.rollback().await?;
                errors.add("name", refused(error)?);
            }
        }
    }
    form(state, visitor, entered, stored, &errors)
}

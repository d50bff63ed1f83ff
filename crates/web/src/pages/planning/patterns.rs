//! The forms of a week pattern, a rotation and a weekly off.

use askama::Template;
use axum::extract::{Form, Path, State};
use axum::response::{IntoResponse, Redirect, Response};
use jiff::civil::Weekday;
use store::StoreError;
use store::roster::DayPlan;
use tower_sessions::Session;

use super::super::form::Errors;
use super::{ShiftNames, refused};
use crate::WebState;
use crate::error::{PageError, html};
use crate::session::{Outcome, Visitor, leave};
use crate::text::{Msg, msg};
use crate::ui::{Section, Ui};

/// Which pattern, by the part of its address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Week,
    Rotation,
    Off,
}

impl Kind {
    fn of(text: &str) -> Option<Self> {
        match text {
            "week" => Some(Self::Week),
            "rotation" => Some(Self::Rotation),
            "off" => Some(Self::Off),
            _ => None,
        }
    }

    fn title(self) -> Msg {
        match self {
            Self::Week => msg("week-add"),
            Self::Rotation => msg("rotation-add"),
            Self::Off => msg("off-add"),
        }
    }
}

/// The form as it was typed.
#[derive(Clone, Debug, Default)]
struct Entered {
    name: String,
    /// One for each weekday, or for each day of the rotation.
    days: Vec<String>,
    /// Weekday from Monday, and which of the month; 0 is every one.
    off: Vec<(i8, u8)>,
}

impl Entered {
    fn parse(pairs: Vec<(String, String)>) -> Self {
        let mut entered = Self::default();
        for (name, value) in pairs {
            match name.as_str() {
                "name" => entered.name = value.trim().to_owned(),
                "day" => entered.days.push(value.trim().to_owned()),
                "days" => {
                    entered.days = value
                        .trim()
                        .lines()
                        .map(|line| line.trim().to_owned())
                        .collect()
                }
                "off" => {
                    let day = value.split_once('-');
                    let day =
                        day.and_then(|(day, nth)| Some((day.parse().ok()?, nth.parse().ok()?)));
                    entered.off.extend(day);
                }
                _ => {}
            }
        }
        entered
    }

    /// The days as plans, or what is wrong with which of them.
    fn plans(&self, names: &ShiftNames, errors: &mut Errors) -> Vec<DayPlan> {
        let mut plans = Vec::new();
        for (day, text) in (1..).zip(&self.days) {
            match names.plan(text) {
                Ok(plan) => plans.push(plan),
                Err(mistake) => {
                    let text = msg("pattern-day-wrong")
                        .count("day", day)
                        .with("why", mistake);
                    errors.add("days", text);
                }
            }
        }
        plans
    }

    fn off_days(&self) -> Vec<(Weekday, Option<u8>)> {
        let days = self.off.iter().filter_map(|(day, nth)| {
            let day = Weekday::from_monday_one_offset(*day).ok()?;
            Some((day, (*nth > 0).then_some(*nth)))
        });
        days.collect()
    }
}

#[derive(Template)]
#[template(path = "pattern_form.html")]
struct PatternForm<'a> {
    ui: &'a Ui,
    errors: &'a Errors,
    title: String,
    action: String,
    is_new: bool,
    name: String,
    /// Of a week: the weekdays and what is typed for each.
    week: Vec<(Msg, String)>,
    /// Of a rotation: a line for each day.
    rotation: Option<String>,
    /// Of a weekly off: the weekdays with a box each for every one, the first, and so on.
    off: Vec<(Msg, Vec<OffBox>)>,
    choices: Vec<String>,
}

struct OffBox {
    value: String,
    label: Msg,
    checked: bool,
}

pub(super) async fn show(
    State(state): State<WebState>,
    visitor: Visitor,
    Path((kind, id)): Path<(String, String)>,
) -> Result<Response, PageError> {
    visitor.require(visitor.may().plan)?;
    let kind = Kind::of(&kind).ok_or(PageError::NotFound)?;
    let names = ShiftNames::of(&state.store.shifts().await?);
    let entered = match known(&id)? {
        Some(id) => stored(&state, kind, id, &names).await?,
        None => Entered::default(),
    };
    form(
        &state,
        &visitor,
        kind,
        &id,
        &entered,
        &names,
        &Errors::default(),
    )
}

/// The id of an address, or `None` of a new one.
fn known(id: &str) -> Result<Option<i64>, PageError> {
    match id {
        "new" => Ok(None),
        id => id.parse().map(Some).map_err(|_| PageError::NotFound),
    }
}

async fn stored(
    state: &WebState,
    kind: Kind,
    id: i64,
    names: &ShiftNames,
) -> Result<Entered, PageError> {
    let texts = |days: &[DayPlan]| days.iter().map(|day| names.text(day)).collect();
    let found = match kind {
        Kind::Week => {
            let all = state.store.week_patterns().await?;
            all.into_iter().find(|one| one.id == id).map(|one| Entered {
                days: texts(&one.days),
                name: one.name,
                ..Entered::default()
            })
        }
        Kind::Rotation => {
            let all = state.store.cycles().await?;
            all.into_iter().find(|one| one.id == id).map(|one| Entered {
                days: texts(&one.days),
                name: one.name,
                ..Entered::default()
            })
        }
        Kind::Off => {
            let all = state.store.weekly_offs().await?;
            all.into_iter().find(|one| one.id == id).map(|one| Entered {
                off: one
                    .days
                    .iter()
                    .map(|(day, nth)| (day.to_monday_one_offset(), nth.unwrap_or(0)))
                    .collect(),
                name: one.name,
                ..Entered::default()
            })
        }
    };
    found.ok_or(PageError::NotFound)
}

pub(super) async fn save(
    State(state): State<WebState>,
    visitor: Visitor,
    session: Session,
    Path((kind, id)): Path<(String, String)>,
    Form(pairs): Form<Vec<(String, String)>>,
) -> Result<Response, PageError> {
    visitor.require(visitor.may().plan)?;
    let kind = Kind::of(&kind).ok_or(PageError::NotFound)?;
    let names = ShiftNames::of(&state.store.shifts().await?);
    let entered = Entered::parse(pairs);
    let mut errors = Errors::default();
    if entered.name.is_empty() {
        errors.add("name", msg("shift-needs-name"));
    }
    let plans = entered.plans(&names, &mut errors);
    if kind == Kind::Rotation && plans.is_empty() && errors.is_empty() {
        errors.add("days", msg("rotation-needs-day"));
    }
    if errors.is_empty() {
        let tx = state.store.begin_write().await?;
        match write(&tx, &state, &visitor, kind, known(&id)?, &entered, plans).await {
            Ok(()) => {
                tx.commit().await?;
                state.engine.edited();
                let title = msg("planning-saved").with("name", &entered.name);
                let outcome = Outcome::done("/shifts", title, msg("rules-saved-text"));
                leave(&session, &outcome).await?;
                return Ok(Redirect::to("/shifts").into_response());
            }
            Err(error) => {
                tx.rollback().await?;
                errors.add("name", refused(error)?);
            }
        }
    }
    form(&state, &visitor, kind, &id, &entered, &names, &errors)
}

async fn write(
    tx: &store::WriteTx,
    state: &WebState,
    visitor: &Visitor,
    kind: Kind,
    id: Option<i64>,
    entered: &Entered,
    plans: Vec<DayPlan>,
) -> Result<(), StoreError> {
    let (name, author) = (&entered.name, visitor.author(state));
    match kind {
        Kind::Week => {
            let mut plans = plans.into_iter();
            let week: [DayPlan; 7] = std::array::from_fn(|_| plans.next().unwrap_or_default());
            match id {
                Some(id) => tx.edit_week_pattern(id, name, &week, author).await,
                None => tx.add_week_pattern(name, &week, author).await.map(drop),
            }
        }
        Kind::Rotation => match id {
            Some(id) => tx.edit_cycle(id, name, &plans, author).await,
            None => tx.add_cycle(name, &plans, author).await.map(drop),
        },
        Kind::Off => {
            let days = entered.off_days();
            match id {
                Some(id) => tx.edit_weekly_off(id, name, &days, author).await,
                None => tx.add_weekly_off(name, &days, author).await.map(drop),
            }
        }
    }
}

fn form(
    state: &WebState,
    visitor: &Visitor,
    kind: Kind,
    id: &str,
    entered: &Entered,
    names: &ShiftNames,
    errors: &Errors,
) -> Result<Response, PageError> {
    let weekday = |day: i8| msg(format!("weekday-{day}"));
    let boxes = |day: i8| {
        let label = |nth: u8| match nth {
            0 => msg("off-every"),
            nth => msg(format!("off-which-{nth}")),
        };
        let boxes = (0..=5).map(|nth| OffBox {
            value: format!("{day}-{nth}"),
            label: label(nth),
            checked: entered.off.contains(&(day, nth)),
        });
        (weekday(day), boxes.collect())
    };
    let week = (1..=7).zip(entered.days.iter().map(Some).chain(std::iter::repeat(None)));
    let path = match kind {
        Kind::Week => "week",
        Kind::Rotation => "rotation",
        Kind::Off => "off",
    };
    html(&PatternForm {
        ui: &visitor.ui(state, Section::Planning),
        errors,
        title: match id {
            "new" => kind.title().to_string(),
            _ => entered.name.clone(),
        },
        action: format!("/shifts/{path}/{id}"),
        is_new: id == "new",
        name: entered.name.clone(),
        week: match kind {
            Kind::Week => week
                .map(|(day, text)| (weekday(day), text.cloned().unwrap_or_default()))
                .collect(),
            _ => Vec::new(),
        },
        rotation: (kind == Kind::Rotation).then(|| entered.days.join("\n")),
        off: match kind {
            Kind::Off => (1..=7).map(boxes).collect(),
            _ => Vec::new(),
        },
        choices: names.choices(),
    })
}

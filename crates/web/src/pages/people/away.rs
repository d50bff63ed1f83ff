//! Leave and duty elsewhere, from a day of a person on. What the days become is shown before anything is saved.

use askama::Template;
use attendance::DayPart;
use axum::extract::{Form, Path, Query, State};
use axum::response::Response;
use jiff::civil::Date;
use serde::Deserialize;
use store::calendar::{LeaveKind, LeaveType, NewLeave};
use tower_sessions::Session;

use super::correct::{Corrected, refused};
use crate::WebState;
use crate::error::{PageError, html};
use crate::pages::changes::ChangedDay;
use crate::pages::day::Choice;
use crate::pages::form::{Errors, filled, own_path};
use crate::session::Visitor;
use crate::text::msg;
use crate::ui::{Section, Ui};

/// Nobody is away for longer at once by one entry.
const LONGEST: i32 = 366;

/// What a form sends.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct AwayForm {
    /// `leave` or `on_duty`.
    pub kind: String,
    pub from: String,
    pub to: String,
    /// `full`, `first_half` or `second_half`.
    pub part: String,
    /// Empty or an id.
    pub leave_type: String,
    pub reason: String,
    /// Where to go on; a path of ours.
    pub back: String,
    /// `save`, or only a look at what would change.
    pub step: String,
}

/// The days of leave that somebody entered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Away {
    pub kind: LeaveKind,
    pub from: Date,
    pub to: Date,
    pub part: DayPart,
    pub leave_type: Option<i64>,
}

impl AwayForm {
    pub fn kind(&self) -> LeaveKind {
        match self.kind.as_str() {
            "on_duty" => LeaveKind::OnDuty,
            _ => LeaveKind::Leave,
        }
    }

    /// What it says, with errors beside the fields that say nothing useful.
    pub fn read(&self, types: &[LeaveType], errors: &mut Errors) -> Option<Away> {
        let mut date = |field: &'static str, text: &str| {
            let date: Option<Date> = text.parse().ok();
            if date.is_none() {
                errors.add(field, msg("date-wrong"));
            }
            date
        };
        let (from, to) = (date("from", &self.from), date("to", &self.to));
        let (from, to) = (from?, to?);
        let days = (to - from).get_days();
        if !(0..LONGEST).contains(&days) {
            errors.add("to", msg("away-days-wrong"));
            return None;
        }
        let kind = self.kind();
        let leave_type = types
            .iter()
            .map(|one| one.id)
            .find(|id| id.to_string() == self.leave_type)
            .filter(|_| kind == LeaveKind::Leave);
        Some(Away {
            kind,
            from,
            to,
            part: match self.part.as_str() {
                "first_half" => DayPart::FirstHalf,
                "second_half" => DayPart::SecondHalf,
                _ => DayPart::Full,
            },
            leave_type,
        })
    }

    pub fn parts(&self) -> Vec<Choice> {
        ["full", "first_half", "second_half"]
            .into_iter()
            .map(|part| Choice {
                name: msg(format!("away-part-{part}")).to_string(),
                chosen: self.part == part,
                value: part.to_owned(),
            })
            .collect()
    }

    pub fn types(&self, types: &[LeaveType]) -> Vec<Choice> {
        let of_leave = types.iter().filter(|_| self.kind() == LeaveKind::Leave);
        of_leave
            .map(|one| Choice {
                value: one.id.to_string(),
                name: one.name.clone(),
                chosen: self.leave_type == one.id.to_string(),
            })
            .collect()
    }
}

#[derive(Template)]
#[template(path = "person_away.html")]
struct AwayPage<'a> {
    ui: &'a Ui,
    errors: &'a Errors,
    form: &'a AwayForm,
    name: String,
    title: String,
    action: String,
    cancel: String,
    parts: Vec<Choice>,
    types: Vec<Choice>,
    /// What the days become; `None` before anybody has looked.
    changes: Option<Vec<ChangedDay>>,
}

fn page(
    corrected: &Corrected,
    ui: &Ui,
    form: &AwayForm,
    types: &[LeaveType],
    errors: &Errors,
    changes: Option<Vec<ChangedDay>>,
) -> Result<Response, PageError> {
    html(&AwayPage {
        name: corrected.why().person.name(),
        title: msg(format!("away-add-{}", form.kind().as_str())).to_string(),
        action: format!("{}/leave", corrected.base),
        cancel: own_path(Some(&form.back))
            .unwrap_or(&corrected.base)
            .to_owned(),
        parts: form.parts(),
        types: form.types(types),
        changes,
        errors,
        form,
        ui,
    })
}

pub(super) async fn new_leave(
    State(state): State<WebState>,
    visitor: Visitor,
    Path((code, date)): Path<(String, String)>,
    Query(mut form): Query<AwayForm>,
) -> Result<Response, PageError> {
    let corrected = Corrected::of(&state, &visitor, &code, &date).await?;
    for day in [&mut form.from, &mut form.to] {
        if day.is_empty() {
            *day = corrected.day.to_string();
        }
    }
    let types = state.store.leave_types().await?;
    let ui = visitor.ui(&state, Section::People);
    page(&corrected, &ui, &form, &types, &Errors::default(), None)
}

pub(super) async fn add(
    State(state): State<WebState>,
    visitor: Visitor,
    session: Session,
    Path((code, date)): Path<(String, String)>,
    Form(form): Form<AwayForm>,
) -> Result<Response, PageError> {
    let corrected = Corrected::of(&state, &visitor, &code, &date).await?;
    let types = state.store.leave_types().await?;
    let mut errors = Errors::default();
    let away = form.read(&types, &mut errors);
    let reason = filled(&form.reason);
    if reason.is_none() {
        errors.add("reason", msg("rollcall-reason-missing"));
    }
    let mut changes = None;
    if let (Some(away), Some(reason), true) = (away, reason, errors.is_empty()) {
        let new = NewLeave {
            employee: corrected.employee,
            kind: away.kind,
            from: away.from,
            to: away.to,
            part: away.part,
            leave_type: away.leave_type,
            reason,
        };
        let tx = state.store.begin_write().await?;
        match tx.add_leave(&new, visitor.author(&state)).await {
            Ok(_) if form.step == "save" => {
                tx.commit().await?;
                let title = msg(format!("away-added-{}", away.kind.as_str()));
                return corrected
                    .saved(&state, &session, title, None, &form.back)
                    .await;
            }
            Ok(_) => changes = corrected.preview(&state, tx).await?,
            Err(error) => {
                tx.rollback().await?;
                errors.add("from", refused(error)?);
            }
        }
    }
    let ui = visitor.ui(&state, Section::People);
    page(&corrected, &ui, &form, &types, &errors, changes)
}

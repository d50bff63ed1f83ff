//! Leave and duty elsewhere, from a day of a person on. What the days become is shown before anything is saved.

use askama::Template;
use axum::extract::{Form, Path, Query, State};
use axum::response::Response;
use store::calendar::LeaveType;
use tower_sessions::Session;

use super::correct::{Corrected, Sent, Tried};
use crate::WebState;
use crate::error::{PageError, html};
use crate::pages::away::AwayForm;
use crate::pages::changes::ChangedDay;
use crate::pages::day::Choice;
use crate::pages::form::{Errors, filled, own_path};
use crate::session::Visitor;
use crate::text::msg;
use crate::ui::{Section, Ui};

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
        let new = away.of(corrected.employee, reason);
        let tx = state.store.begin_write().await?;
        let done = tx.add_leave(&new, visitor.author(&state)).await;
        let title = msg(format!("away-added-{}", away.kind.as_str()));
        let sent = Sent {
            step: &form.step,
            back: &form.back,
        };
        let done = (tx, done.map(|_| None));
        let tried = corrected.tried(&state, &session, done, sent, title);
        match tried.await? {
            Tried::Kept(answer) => return Ok(answer),
            Tried::Seen(days) => changes = Some(days),
            Tried::Refused(why) => errors.add("from", why),
        }
    }
    let ui = visitor.ui(&state, Section::People);
    page(&corrected, &ui, &form, &types, &errors, changes)
}

//! Adding a punch, voiding one and taking a void back, on a day of a person. Nothing overwrites what a device recorded, and what
//! the days become is shown before anything is saved.

use askama::Template;
use attendance::{CorrectionId, EmployeeId, PunchId, PunchState};
use axum::extract::{Form, Path, Query, State};
use axum::response::{IntoResponse, Redirect, Response};
use jiff::civil::{Date, DateTime, Time};
use serde::Deserialize;
use store::corrections::Voided;
use store::{StoreError, WriteTx};
use tower_sessions::Session;

use super::known;
use super::why::Panel;
use crate::WebState;
use crate::board::path_part;
use crate::error::{PageError, html};
use crate::format;
use crate::pages::changes::{ChangedDay, changed_day, worth_showing};
use crate::pages::day::Choice;
use crate::pages::form::{Errors, filled, own_path, refusal};
use crate::session::{Outcome, Visitor, leave};
use crate::text::{Msg, msg};
use crate::ui::{Section, Ui};
use crate::why::{Row, Why};

/// A punch reaches the days beside its own, and other days may wait for the judge as well.
const PREVIEWED: usize = 31;

/// The keys that an added punch may have.
const STATES: [PunchState; 6] = [
    PunchState::In,
    PunchState::Out,
    PunchState::BreakOut,
    PunchState::BreakIn,
    PunchState::OvertimeIn,
    PunchState::OvertimeOut,
];

/// What a form sends.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct CorrectForm {
    /// Of an added punch; a shift may end on the date after the workday.
    date: String,
    time: String,
    /// Empty: no direction.
    state: String,
    /// Of a void: the punch or entry, as the why panel calls it; the void itself when that is taken back.
    id: String,
    reason: String,
    /// Where to go on; a path of ours.
    back: String,
    /// `save`, or only a look at what would change.
    step: String,
}

impl CorrectForm {
    fn sent(&self) -> Sent<'_> {
        Sent {
            step: &self.step,
            back: &self.back,
        }
    }
}

#[derive(Template)]
#[template(path = "person_correct.html")]
struct CorrectPage<'a> {
    ui: &'a Ui,
    errors: &'a Errors,
    form: &'a CorrectForm,
    /// The punch that is voided or counts again; none when one is added.
    voided: Option<Row>,
    name: String,
    title: String,
    caption: String,
    action: String,
    cancel: String,
    states: Vec<Choice>,
    closed: bool,
    max_date: Date,
    /// What the days become; `None` before anybody has looked.
    changes: Option<Vec<ChangedDay>>,
}

/// The day that is corrected.
pub(super) struct Corrected {
    pub employee: EmployeeId,
    panel: Panel,
    pub day: Date,
    pub base: String,
}

impl Corrected {
    pub async fn of(
        state: &WebState,
        visitor: &Visitor,
        code: &str,
        date: &str,
    ) -> Result<Self, PageError> {
        visitor.require(visitor.may().correct)?;
        let day: Date = date.parse().map_err(|_| PageError::NotFound)?;
        let person = known(state, code).await?;
        let panel = Panel::of(state, visitor, code, day, None).await?;
        Ok(Self {
            employee: EmployeeId(person.id),
            panel: panel.ok_or(PageError::NotFound)?,
            day,
            base: format!("/people/{}/{day}", path_part(code)),
        })
    }

    pub fn why(&self) -> &Why {
        &self.panel.why
    }

    /// A punch of the day that can be voided or restored, by the name that the panel gives it or its void.
    fn punch(&self, id: &str) -> Option<(Row, Voided)> {
        let mut rows = self.panel.story.steps.iter().flat_map(|step| &step.rows);
        let named = |row: &&Row| [&row.void, &row.restore].contains(&&Some(id.to_owned()));
        let row = rows.find(named)?.clone();
        let what = match id.strip_prefix('c') {
            Some(entry) => Voided::Correction(CorrectionId(entry.parse().ok()?)),
            None => Voided::Punch(PunchId(id.parse().ok()?)),
        };
        Some((row, what))
    }

    fn page(
        &self,
        state: &WebState,
        visitor: &Visitor,
        form: &CorrectForm,
        voided: Option<Row>,
        errors: &Errors,
        changes: Option<Vec<ChangedDay>>,
    ) -> Result<Response, PageError> {
        let ui = visitor.ui(state, Section::People);
        let zone = self.why().zone();
        let (title, action) = match &voided {
            Some(row) if row.restore.is_some() => (msg("correct-restore"), "void"),
            Some(_) => (msg("correct-void"), "void"),
            None => (msg("correct-add"), "add"),
        };
        html(&CorrectPage {
            name: self.why().person.name(),
            title: title.to_string(),
            caption: format::long_date(self.day).to_string(),
            action: format!("{}/{action}", self.base),
            cancel: own_path(Some(&form.back)).unwrap_or(&self.base).to_owned(),
            states: STATES
                .iter()
                .map(|state| Choice {
                    value: state.as_str().to_owned(),
                    name: msg(format!("state-{}", state.as_str())).to_string(),
                    chosen: form.state == state.as_str(),
                })
                .collect(),
            closed: self.why().is_closed(),
            max_date: zone.to_datetime(ui.now).date(),
            voided,
            changes,
            errors,
            form,
            ui: &ui,
        })
    }

    /// Keeps what was entered with a transaction, if that is asked for, or gives it up and shows what it would do.
    pub async fn tried(
        &self,
        state: &WebState,
        session: &Session,
        (tx, done): (WriteTx, Result<Option<CorrectionId>, StoreError>),
        form: Sent<'_>,
        title: Msg,
    ) -> Result<Tried, PageError> {
        match done {
            Ok(added) if form.step == "save" => {
                tx.commit().await?;
                let answer = self.saved(state, session, title, added, form.back);
                Ok(Tried::Kept(answer.await?))
            }
            Ok(_) => Ok(Tried::Seen(self.preview(state, tx).await?)),
            Err(error) => {
                tx.rollback().await?;
                Ok(Tried::Refused(refused(error)?))
            }
        }
    }

    /// What the days become by what `tx` has changed; it is given up afterwards.
    async fn preview(&self, state: &WebState, tx: WriteTx) -> Result<Vec<ChangedDay>, PageError> {
        let judge = &state.engine.judge;
        let changed = judge.preview(&tx, &[self.employee], PREVIEWED).await;
        tx.rollback().await?;
        let mut changed = changed?;
        changed.retain(worth_showing);
        changed.sort_by_key(|one| one.workday);
        let today = self.why().zone().to_datetime(state.clock.now()).date();
        let days = changed.iter().filter_map(|one| changed_day(one, today));
        Ok(days.collect())
    }

    async fn saved(
        &self,
        state: &WebState,
        session: &Session,
        title: Msg,
        added: Option<CorrectionId>,
        back: &str,
    ) -> Result<Response, PageError> {
        state.engine.edited();
        if let Some(back) = own_path(Some(back)) {
            let outcome = Outcome::done(back, title, msg("correct-judged"));
            leave(session, &outcome).await?;
            return Ok(Redirect::to(back).into_response());
        }
        let outcome = Outcome::done(&self.base, title, msg("correct-judged"));
        leave(session, &outcome).await?;
        let to = match added {
            Some(id) => format!("{}?added={id}", self.base),
            None => self.base.clone(),
        };
        Ok(Redirect::to(&to).into_response())
    }
}

/// What every form of an entry sends beside it.
#[derive(Clone, Copy)]
pub(super) struct Sent<'a> {
    /// `save`, or only a look.
    pub step: &'a str,
    /// Where to go on.
    pub back: &'a str,
}

/// What came of an entry.
pub(super) enum Tried {
    /// It is kept, and this leads on.
    Kept(Response),
    /// It was only looked at.
    Seen(Vec<ChangedDay>),
    /// Why not, for beside its field.
    Refused(String),
}

pub(super) async fn new_punch(
    State(state): State<WebState>,
    visitor: Visitor,
    Path((code, date)): Path<(String, String)>,
    Query(mut form): Query<CorrectForm>,
) -> Result<Response, PageError> {
    let corrected = Corrected::of(&state, &visitor, &code, &date).await?;
    if form.date.is_empty() {
        form.date = corrected.day.to_string();
    }
    corrected.page(&state, &visitor, &form, None, &Errors::default(), None)
}

pub(super) async fn add(
    State(state): State<WebState>,
    visitor: Visitor,
    session: Session,
    Path((code, date)): Path<(String, String)>,
    Form(form): Form<CorrectForm>,
) -> Result<Response, PageError> {
    let corrected = Corrected::of(&state, &visitor, &code, &date).await?;
    let mut errors = Errors::default();
    let at = added_at(&corrected, &form, &state, &mut errors);
    let reason = reason_of(&corrected, &form, &mut errors);
    let key = STATES.iter().find(|state| state.as_str() == form.state);
    let mut changes = None;
    if let (Some(at), Some(reason), true) = (at, reason, errors.is_empty()) {
        let tx = state.store.begin_write().await?;
        let author = visitor.author(&state);
        let done = tx.add_punch(corrected.employee, at, key.copied(), &reason, author);
        let done = done.await.map(Some);
        let title = msg("correct-added").with("time", at.strftime("%H:%M:%S"));
        let tried = corrected.tried(&state, &session, (tx, done), form.sent(), title);
        match tried.await? {
            Tried::Kept(answer) => return Ok(answer),
            Tried::Seen(days) => changes = Some(days),
            Tried::Refused(why) => errors.add("time", why),
        }
    }
    corrected.page(&state, &visitor, &form, None, &errors, changes)
}

/// The wall time of an added punch: on the workday or beside it, and not to come.
fn added_at(
    corrected: &Corrected,
    form: &CorrectForm,
    state: &WebState,
    errors: &mut Errors,
) -> Option<DateTime> {
    let Ok(date) = form.date.parse::<Date>() else {
        errors.add("date", msg("date-wrong"));
        return None;
    };
    let Ok(time) = form.time.trim().parse::<Time>() else {
        errors.add("time", msg("correct-time-missing"));
        return None;
    };
    if (date - corrected.day).get_days().abs() > 1 {
        errors.add("date", msg("correct-date-far"));
        return None;
    }
    let at = date.to_datetime(time);
    let now = corrected.why().zone().to_datetime(state.clock.now());
    if at > now {
        errors.add("time", msg("rollcall-time-to-come"));
        return None;
    }
    Some(at)
}

fn reason_of(corrected: &Corrected, form: &CorrectForm, errors: &mut Errors) -> Option<String> {
    if corrected.why().is_closed() {
        errors.add("reason", msg("correct-closed"));
    }
    let reason = filled(&form.reason);
    if reason.is_none() {
        errors.add("reason", msg("rollcall-reason-missing"));
    }
    reason
}

/// In words beside the field, if the entry itself is at fault.
pub(super) fn refused(error: StoreError) -> Result<String, PageError> {
    match error {
        StoreError::Closed { .. } => Ok(msg("correct-closed").to_string()),
        StoreError::Invalid(_) | StoreError::NotFound { .. } => Ok(refusal(&error).to_string()),
        error => Err(error.into()),
    }
}

pub(super) async fn new_void(
    State(state): State<WebState>,
    visitor: Visitor,
    Path((code, date)): Path<(String, String)>,
    Query(form): Query<CorrectForm>,
) -> Result<Response, PageError> {
    let corrected = Corrected::of(&state, &visitor, &code, &date).await?;
    let (row, _) = corrected.punch(&form.id).ok_or(PageError::NotFound)?;
    corrected.page(&state, &visitor, &form, Some(row), &Errors::default(), None)
}

pub(super) async fn void(
    State(state): State<WebState>,
    visitor: Visitor,
    session: Session,
    Path((code, date)): Path<(String, String)>,
    Form(form): Form<CorrectForm>,
) -> Result<Response, PageError> {
    let corrected = Corrected::of(&state, &visitor, &code, &date).await?;
    let (row, what) = corrected.punch(&form.id).ok_or(PageError::NotFound)?;
    let mut errors = Errors::default();
    let mut changes = None;
    let reason = reason_of(&corrected, &form, &mut errors);
    if let (Some(reason), true) = (reason, errors.is_empty()) {
        let tx = state.store.begin_write().await?;
        let done = tx.void(what, &reason, visitor.author(&state)).await;
        let key = match row.restore {
            Some(_) => "correct-restored",
            None => "correct-voided",
        };
        let title = msg(key).with("time", &row.time);
        let done = (tx, done.map(|_| None));
        let tried = corrected.tried(&state, &session, done, form.sent(), title);
        match tried.await? {
            Tried::Kept(answer) => return Ok(answer),
            Tried::Seen(days) => changes = Some(days),
            Tried::Refused(why) => errors.add("reason", why),
        }
    }
    corrected.page(&state, &visitor, &form, Some(row), &errors, changes)
}

#[derive(Deserialize)]
pub(super) struct UndoForm {
    id: i64,
}

/// Takes back what the same person has just added. Both entries stay visible.
pub(super) async fn undo(
    State(state): State<WebState>,
    visitor: Visitor,
    session: Session,
    Path((code, date)): Path<(String, String)>,
    Form(form): Form<UndoForm>,
) -> Result<Response, PageError> {
    let corrected = Corrected::of(&state, &visitor, &code, &date).await?;
    let mine = corrected
        .why()
        .can_be_undone(form.id, visitor.person.account);
    if !mine || corrected.why().is_closed() {
        return Err(PageError::NotFound);
    }
    let tx = state.store.begin_write().await?;
    let what = Voided::Correction(CorrectionId(form.id));
    let reason = msg("correct-undo-reason").to_string();
    tx.void(what, &reason, visitor.author(&state)).await?;
    tx.commit().await?;
    corrected
        .saved(&state, &session, msg("correct-undone"), None, "")
        .await
}

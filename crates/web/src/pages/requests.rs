//! `/requests`: what employees ask for, with what their days become, to approve or to reject with a reason. `/team`: the people of
//! the departments that a manager leads.
//!
//! HR sees all requests, a manager those of the departments led. Nobody answers their own.

use askama::Template;
use attendance::{DayPart, EmployeeId};
use axum::Router;
use axum::extract::{Form, Path, Query, State};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use jiff::civil::Date;
use serde::Deserialize;
use store::StoreError;
use store::calendar::LeaveType;
use store::requests::{Answer, Asked};
use store::views::requests::{self, RequestRow, TeamRow};
use tower_sessions::Session;

use super::changes::{ChangedDay, changed_day, worth_showing};
use super::form::{Errors, filled, refusal};
use super::remarks::Remarks;
use crate::WebState;
use crate::board::path_part;
use crate::error::{PageError, html};
use crate::format::{self, Chip};
use crate::session::{Outcome, Told, Visitor, leave};
use crate::text::msg;
use crate::ui::{Section, Ui};

/// Requests in a list.
const LISTED: i64 = 100;
/// Days of a request whose change is shown.
const PREVIEWED: usize = 31;

pub(super) fn routes() -> Router<WebState> {
    Router::new()
        .route("/requests", get(show))
        .route("/requests/{id}", post(answer))
        .route("/team", get(team))
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct RequestsQuery {
    id: Option<i64>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct AnswerForm {
    /// `approve` or `reject`.
    answer: String,
    reason: String,
}

#[derive(Template)]
#[template(path = "requests.html")]
struct RequestsPage<'a> {
    ui: &'a Ui,
    told: Option<Outcome>,
    errors: &'a Errors,
    reason: String,
    total: i64,
    rows: Vec<Row>,
    chosen: Option<Chosen>,
    answered: Vec<Line>,
}

struct Row {
    href: String,
    name: String,
    caption: String,
    current: bool,
}

struct Chosen {
    id: i64,
    /// The requests beside it in the list.
    previous: Option<String>,
    next: Option<String>,
    name: String,
    person_href: String,
    caption: String,
    what: String,
    reason: String,
    /// Asked by or for the one who looks.
    own: bool,
    /// Why it cannot be approved as it is.
    refused: Option<String>,
    changes: Vec<ChangedDay>,
}

/// A request in one line.
pub(super) struct Line {
    pub id: i64,
    pub name: String,
    pub what: String,
    pub reason: String,
    pub state: String,
    pub open: bool,
}

impl Line {
    pub fn of(row: &RequestRow, asked: Option<&Asked>, types: &[LeaveType], today: Date) -> Self {
        let state = msg(format!("request-{}", row.state))
            .with("name", row.decided_by.as_deref().unwrap_or("Muster"))
            .with("answer", &row.answer);
        Self {
            id: row.id,
            name: row.name(),
            what: what(row, asked, types, today),
            reason: row.reason.clone(),
            state: state.to_string(),
            open: row.state == "open",
        }
    }
}

/// `Leave, 4 May to 6 May`, `Add punch 18:02 on 4 May`.
fn what(row: &RequestRow, asked: Option<&Asked>, types: &[LeaveType], today: Date) -> String {
    let day = |text: &str| match format::stored_date(text) {
        Some(day) => format::day_and_month(day, today).to_string(),
        None => text.to_owned(),
    };
    let mut text = match asked {
        Some(Asked::AddPunch { at, .. }) => msg("request-add_punch")
            .with("time", at.strftime("%H:%M"))
            .with("date", day(&row.from_day)),
        Some(Asked::VoidPunch { .. }) => msg("request-void_punch").with("date", day(&row.from_day)),
        _ if row.from_day == row.to_day => {
            msg(format!("request-{}-day", row.kind)).with("date", day(&row.from_day))
        }
        _ => msg(format!("request-{}-days", row.kind))
            .with("from", day(&row.from_day))
            .with("to", day(&row.to_day)),
    }
    .to_string();
    if let Some(Asked::Leave {
        part, leave_type, ..
    }) = asked
    {
        let half = match part {
            DayPart::Full => None,
            DayPart::FirstHalf => Some(msg("away-part-first_half")),
            DayPart::SecondHalf => Some(msg("away-part-second_half")),
        };
        let of = types.iter().find(|one| Some(one.id) == *leave_type);
        let beside = of.map(|one| one.name.clone());
        for more in beside.into_iter().chain(half.map(|half| half.to_string())) {
            text.push_str(" · ");
            text.push_str(&more);
        }
    }
    text
}

/// Requests in lines, with what each asks for.
pub(super) async fn lines(
    state: &WebState,
    seen: &requests::Seen,
    open: bool,
    today: Date,
) -> Result<Vec<(RequestRow, Line)>, PageError> {
    let types = state.store.leave_types().await?;
    let rows = requests::list(&state.store, seen, open, LISTED).await?;
    let mut lines = Vec::new();
    for row in rows {
        let stored = requests::find(&state.store, seen, row.id).await?;
        let asked = stored.as_ref().and_then(Asked::of);
        let line = Line::of(&row, asked.as_ref(), &types, today);
        lines.push((row, line));
    }
    Ok(lines)
}

fn is_own(visitor: &Visitor, employee: i64, made_by: Option<i64>) -> bool {
    made_by == Some(visitor.person.account) || visitor.person.employee == Some(EmployeeId(employee))
}

async fn show(
    State(state): State<WebState>,
    visitor: Visitor,
    Query(query): Query<RequestsQuery>,
    Told(told): Told,
) -> Result<Response, PageError> {
    page(&state, &visitor, query.id, told, &Errors::default(), "").await
}

async fn page(
    state: &WebState,
    visitor: &Visitor,
    id: Option<i64>,
    told: Option<Outcome>,
    errors: &Errors,
    reason: &str,
) -> Result<Response, PageError> {
    let seen = visitor.seen(state).await?;
    let ui = visitor.ui(state, Section::Requests);
    let today = ui.now.to_zoned(ui.zone.clone()).date();
    let open = lines(state, &seen, true, today).await?;
    let at = open.iter().position(|(row, _)| Some(row.id) == id);
    let at = at.or((!open.is_empty()).then_some(0));
    let beside = |at: Option<usize>| {
        let (row, _) = open.get(at?)?;
        Some(format!("/requests?id={}", row.id))
    };
    let chosen = match at.and_then(|at| Some((at, open.get(at)?))) {
        Some((at, (row, line))) => Some(Chosen {
            previous: beside(at.checked_sub(1)),
            next: beside(at.checked_add(1)),
            ..chosen(state, visitor, row, line, today).await?
        }),
        None => None,
    };
    let answered = lines(state, &seen, false, today).await?;
    html(&RequestsPage {
        total: requests::count_open(&state.store, &seen).await?,
        rows: open
            .iter()
            .enumerate()
            .map(|(number, (row, line))| Row {
                href: format!("/requests?id={}", row.id),
                name: line.name.clone(),
                caption: line.what.clone(),
                current: Some(number) == at,
            })
            .collect(),
        answered: answered.into_iter().map(|(_, line)| line).collect(),
        reason: reason.to_owned(),
        ui: &ui,
        errors,
        told,
        chosen,
    })
}

async fn chosen(
    state: &WebState,
    visitor: &Visitor,
    row: &RequestRow,
    line: &Line,
    today: Date,
) -> Result<Chosen, PageError> {
    let own = is_own(visitor, row.employee_id, row.made_by);
    let (mut refused, mut changes) = (None, Vec::new());
    if !own {
        let tx = state.store.begin_write().await?;
        let author = visitor.author(state);
        match tx.answer_request(row.id, Answer::Approve, author).await {
            Ok(()) => {
                let people = [EmployeeId(row.employee_id)];
                let found = state.engine.judge.preview(&tx, &people, PREVIEWED).await;
                tx.rollback().await?;
                let mut found = found?;
                found.retain(worth_showing);
                found.sort_by_key(|one| one.workday);
                changes = found
                    .iter()
                    .filter_map(|one| changed_day(one, today))
                    .collect();
            }
            Err(error) => {
                tx.rollback().await?;
                refused = Some(refused_as(error)?);
            }
        }
    }
    Ok(Chosen {
        id: row.id,
        previous: None,
        next: None,
        name: line.name.clone(),
        person_href: format!("/people/{}/{}", path_part(&row.code), row.from_day),
        caption: format::caption([Some(&*row.code), row.department.as_deref()]),
        what: line.what.clone(),
        reason: line.reason.clone(),
        own,
        refused,
        changes,
    })
}

/// In words, if the request itself is at fault.
fn refused_as(error: StoreError) -> Result<String, PageError> {
    match error {
        StoreError::Closed { .. } => Ok(msg("correct-closed").to_string()),
        StoreError::Invalid(_) => Ok(msg("request-refused").to_string()),
        StoreError::NotFound { .. } => Ok(refusal(&error).to_string()),
        error => Err(error.into()),
    }
}

async fn answer(
    State(state): State<WebState>,
    visitor: Visitor,
    session: Session,
    Path(id): Path<i64>,
    Form(form): Form<AnswerForm>,
) -> Result<Response, PageError> {
    let seen = visitor.seen(&state).await?;
    let found = requests::find(&state.store, &seen, id).await?;
    let found = found.ok_or(PageError::NotFound)?;
    let mut errors = Errors::default();
    let reason = filled(&form.reason);
    let answer = match (form.answer.as_str(), &reason) {
        ("approve", _) => Some(Answer::Approve),
        (_, Some(reason)) => Some(Answer::Reject(reason)),
        (_, None) => {
            errors.add("reason", msg("rollcall-reason-missing"));
            None
        }
    };
    if is_own(&visitor, found.employee_id, found.made_by) {
        errors.add("reason", msg("request-own"));
    }
    if let (Some(answer), true) = (answer, errors.is_empty()) {
        let tx = state.store.begin_write().await?;
        match tx.answer_request(id, answer, visitor.author(&state)).await {
            Ok(()) => {
                tx.commit().await?;
                state.engine.edited();
                let (title, text) = match answer {
                    Answer::Approve => (msg("request-done-approved"), msg("correct-judged")),
                    _ => (msg("request-done-rejected"), msg("request-done-told")),
                };
                leave(&session, &Outcome::done("/requests", title, text)).await?;
                return Ok(Redirect::to("/requests").into_response());
            }
            Err(error) => {
                tx.rollback().await?;
                errors.add("reason", refused_as(error)?);
            }
        }
    }
    page(&state, &visitor, Some(id), None, &errors, &form.reason).await
}

#[derive(Template)]
#[template(path = "team.html")]
struct TeamPage<'a> {
    ui: &'a Ui,
    heading: crate::text::Msg,
    rows: Vec<Member>,
}

struct Member {
    href: String,
    name: String,
    code: String,
    department: String,
    chip: Chip,
    first_in: String,
    last_out: String,
}

/// `/team`: who is there today.
async fn team(State(state): State<WebState>, visitor: Visitor) -> Result<Response, PageError> {
    visitor.require(visitor.may().team)?;
    let ui = visitor.ui(&state, Section::Team);
    let today = ui.now.to_zoned(ui.zone.clone()).date();
    let account = attendance::AccountId(visitor.person.account);
    let led = state.store.managed_by(account).await?;
    let rows = requests::team(&state.store, &led, &today.to_string()).await?;
    html(&TeamPage {
        heading: format::long_date(today),
        rows: rows.into_iter().map(member).collect(),
        ui: &ui,
    })
}

fn member(row: TeamRow) -> Member {
    let remarks = Remarks {
        exceptions: row.exceptions.as_deref().unwrap_or_default(),
        pending: row.pending.as_deref().unwrap_or_default(),
        ..Remarks::default()
    };
    Member {
        href: format!("/people/{}", path_part(&row.code)),
        name: row.name(),
        chip: match row.status.as_deref() {
            Some(status) => Chip::of(status, row.late_min.unwrap_or(0), remarks.missing(), false),
            None => Chip::not_judged(),
        },
        first_in: format::wall_minutes(row.first_in.as_deref().unwrap_or_default()).to_owned(),
        last_out: format::wall_minutes(row.last_out.as_deref().unwrap_or_default()).to_owned(),
        department: row.department,
        code: row.code,
    }
}

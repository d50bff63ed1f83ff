//! `/inbox`: device users without a person, who they might be, and the mapping that gives them their punches.

mod likeness;

use askama::Template;
use attendance::{DeviceId, DeviceUserId, EmployeeId};
use axum::Router;
use axum::extract::{Form, Query, State};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use ingest::Preview;
use serde::Deserialize;
use store::identity::NewLink;
use store::views::board::full_name;
use store::views::inbox::{self, Candidate, WaitingUser};

use self::likeness::{Likeness, likeness};
use super::changes::{ChangedDay, changed_day, worth_showing};
use super::form::filled;
use crate::WebState;
use crate::board::path_part;
use crate::error::{PageError, html};
use crate::format;
use crate::session::Visitor;
use crate::text::msg;
use crate::ui::{Section, Ui};

/// Users in the list.
const LISTED: i64 = 200;
/// People proposed for a user, and found by a search.
const PROPOSED: usize = 5;
const FOUND: i64 = 10;
/// People whose names are compared.
const COMPARED: i64 = 5000;
/// Days judged to show what a mapping changes, and the newest of them that are listed.
const PREVIEWED: usize = 2000;
const SHOWN: usize = 31;
pub(super) fn routes() -> Router<WebState> {
    Router::new()
        .route("/inbox", get(show))
        .route("/inbox/map", post(map))
        .route("/inbox/undo", post(undo))
}

/// Which user, and whose punches they may be.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct InboxQuery {
    device: Option<i64>,
    user: String,
    /// An employee's id, as radio buttons send it.
    who: String,
    /// Part of a name or code, for somebody who is not proposed.
    q: String,
    /// Just done: the employee mapped to, and the number of days it changed.
    mapped: Option<i64>,
    days: Option<u64>,
    undone: Option<u8>,
}

#[derive(Template)]
#[template(path = "inbox.html")]
struct InboxPage<'a> {
    ui: &'a Ui,
    query: &'a InboxQuery,
    rows: Vec<Row>,
    caption: String,
    mapped: Option<Mapped>,
    /// The user that was asked for waits no more.
    gone: bool,
    selected: Option<Selected>,
}

struct Row {
    href: String,
    user_id: String,
    name: String,
    caption: String,
    current: bool,
}

/// A mapping made a moment ago.
struct Mapped {
    text: String,
    employee: i64,
}

/// The device user being looked at.
struct Selected {
    device: i64,
    user_id: String,
    title: String,
    caption: String,
    /// Two people fit exactly.
    ambiguous: Option<String>,
    picks: Vec<Pick>,
    /// Makes an employee of this user.
    new_href: String,
    next_href: Option<String>,
    choice: Option<Choice>,
}

struct Pick {
    id: i64,
    name: String,
    place: String,
    reason: String,
    chosen: bool,
}

/// Whom the punches would go to, and what it changes.
struct Choice {
    employee: i64,
    name: String,
    caption: String,
    /// In order, the newest ones.
    days: Vec<ChangedDay>,
    /// Earlier ones that are not in `days`.
    more: usize,
}

async fn show(
    State(state): State<WebState>,
    visitor: Visitor,
    Query(query): Query<InboxQuery>,
) -> Result<Response, PageError> {
    visitor.require(visitor.may().map)?;
    let ui = visitor.ui(&state, Section::Inbox);
    let waiting = inbox::waiting(&state.store, LISTED).await?;
    let user = match query.device {
        // Somebody who was just mapped is shown in the notice; the page goes on with the next one.
        Some(device) if query.mapped.is_none() => {
            inbox::waiting_user(&state.store, device, &query.user).await?
        }
        _ => None,
    };
    // Somebody else may have mapped the user meanwhile. The page must not go on with another one, whom nobody looked at.
    let gone = user.is_none() && query.device.is_some() && query.mapped.is_none();
    let user = user.or_else(|| waiting.first().filter(|_| !gone).cloned());
    let mapped = match query.mapped {
        Some(employee) => mapped(&state, employee, query.days.unwrap_or(0)).await?,
        None => None,
    };
    let is_current = |one: &WaitingUser| {
        user.as_ref()
            .is_some_and(|user| (user.device_id, &user.user_id) == (one.device_id, &one.user_id))
    };
    let punches: i64 = waiting.iter().map(|one| one.punches).sum();
    let page = InboxPage {
        caption: if waiting.is_empty() {
            String::new()
        } else {
            msg("inbox-caption")
                .count("users", waiting.len())
                .count("punches", punches)
                .to_string()
        },
        rows: waiting
            .iter()
            .map(|one| row(one, is_current(one), &ui))
            .collect(),
        selected: match &user {
            Some(user) => {
                let next = waiting.iter().skip_while(|one| !is_current(one)).nth(1);
                Some(selected(&state, user, next, &query, &ui).await?)
            }
            None => None,
        },
        mapped,
        gone,
        query: &query,
        ui: &ui,
    };
    html(&page)
}

async fn mapped(state: &WebState, employee: i64, days: u64) -> Result<Option<Mapped>, PageError> {
    let employee = state.store.employee(EmployeeId(employee)).await?;
    Ok(employee.map(|one| Mapped {
        employee: one.id.0,
        text: msg("inbox-mapped")
            .with(
                "name",
                full_name(&one.fields.first_name, &one.fields.last_name),
            )
            .count("days", days)
            .to_string(),
    }))
}

fn link(user: &WaitingUser) -> String {
    format!(
        "/inbox?device={}&user={}",
        user.device_id,
        path_part(&user.user_id)
    )
}

fn row(user: &WaitingUser, current: bool, ui: &Ui) -> Row {
    Row {
        href: link(user),
        user_id: user.user_id.clone(),
        name: user.name.clone(),
        caption: msg("inbox-row")
            .with("device", &user.device)
            .count("punches", user.punches)
            .with("since", date(&user.first_clock, ui))
            .to_string(),
        current,
    }
}

/// `4 May` of a stored wall time.
fn date(wall: &str, ui: &Ui) -> String {
    let today = ui.now.to_zoned(ui.zone.clone()).date();
    let date = format::stored_date(wall);
    date.map_or_else(String::new, |date| {
        format::day_and_month(date, today).to_string()
    })
}

async fn selected(
    state: &WebState,
    user: &WaitingUser,
    next: Option<&WaitingUser>,
    query: &InboxQuery,
    ui: &Ui,
) -> Result<Selected, PageError> {
    let mut proposals = proposals(state, user).await?;
    // The best proposal is chosen from the start, unless several people fit exactly: then a person has to look.
    let first = proposals
        .first()
        .filter(|_| !user.ambiguous)
        .map(|one| one.candidate.id);
    if let Some(text) = filled(&query.q) {
        for candidate in inbox::search(&state.store, &text, FOUND).await? {
            if !proposals
                .iter()
                .any(|known| known.candidate.id == candidate.id)
            {
                proposals.push(Proposal::found(candidate));
            }
        }
    }
    // A choice that is neither proposed nor found any more, because the search was changed, stays.
    let wanted: Option<i64> = query.who.parse().ok();
    let listed = |proposals: &[Proposal], id| proposals.iter().any(|one| one.candidate.id == id);
    if let Some(id) = wanted.filter(|id| !listed(&proposals, *id)) {
        let candidate = inbox::candidate(&state.store, id).await?;
        proposals.extend(candidate.map(Proposal::found));
    }
    let chosen = wanted.filter(|id| listed(&proposals, *id)).or(first);
    let choice = match proposals
        .iter()
        .find(|one| Some(one.candidate.id) == chosen)
    {
        Some(proposal) => Some(choice(state, user, &proposal.candidate, ui).await?),
        None => None,
    };
    let seen = format::moment(
        format::instant(user.first_seen_ms),
        ui.now,
        &format::zone(&user.zone),
    );
    let caption = match user.name.as_str() {
        "" => msg("inbox-user-unnamed"),
        name => msg("inbox-user-named").with("name", name),
    };
    let (number, name) = (path_part(&user.user_id), path_part(&user.name));
    Ok(Selected {
        device: user.device_id,
        title: msg("inbox-user")
            .with("user", &user.user_id)
            .with("device", &user.device)
            .to_string(),
        caption: caption.with("seen", seen).to_string(),
        ambiguous: user.ambiguous.then(|| {
            msg("inbox-ambiguous")
                .with("user", &user.user_id)
                .count("punches", user.punches)
                .to_string()
        }),
        picks: proposals
            .iter()
            .map(|proposal| pick(proposal, user, chosen, ui))
            .collect(),
        new_href: format!("/people/new?device_id={number}&code={number}&first_name={name}"),
        next_href: next.map(link),
        user_id: user.user_id.clone(),
        choice,
    })
}

/// Somebody it might be, and why.
struct Proposal {
    candidate: Candidate,
    /// The number, code or user name is the same, exactly or apart from zeros and case.
    number: Option<bool>,
    likeness: Option<Likeness>,
}

impl Proposal {
    fn found(candidate: Candidate) -> Self {
        Self {
            candidate,
            number: None,
            likeness: None,
        }
    }
}

/// Whoever has the number or a name alike, the likeliest first.
async fn proposals(state: &WebState, user: &WaitingUser) -> Result<Vec<Proposal>, PageError> {
    let name = |one: &Candidate| full_name(&one.first_name, &one.last_name);
    let by_number = inbox::alike_by_number(&state.store, &user.user_id).await?;
    let mut proposals: Vec<Proposal> = by_number
        .into_iter()
        .map(|candidate| {
            let own = [
                candidate.device_id.as_ref(),
                Some(&candidate.code),
                candidate.username.as_ref(),
            ];
            let exact = own.contains(&Some(&user.user_id));
            Proposal {
                number: Some(exact),
                likeness: likeness(&user.name, &name(&candidate)),
                candidate,
            }
        })
        .collect();
    if !user.name.trim().is_empty() {
        for candidate in inbox::without_user_on(&state.store, user.device_id, COMPARED).await? {
            let likeness = likeness(&user.name, &name(&candidate));
            if likeness.is_some() && !proposals.iter().any(|one| one.candidate.id == candidate.id) {
                proposals.push(Proposal {
                    number: None,
                    likeness,
                    candidate,
                });
            }
        }
    }
    proposals.sort_by_key(|one| {
        let joined = joined_with_first_punch(&one.candidate, user);
        std::cmp::Reverse((one.number == Some(true), one.likeness, joined, one.number))
    });
    proposals.truncate(PROPOSED);
    Ok(proposals)
}

fn joined_with_first_punch(candidate: &Candidate, user: &WaitingUser) -> bool {
    let joined = candidate.employed_from.as_deref();
    joined.is_some_and(|joined| !joined.is_empty() && user.first_clock.starts_with(joined))
}

fn pick(proposal: &Proposal, user: &WaitingUser, chosen: Option<i64>, ui: &Ui) -> Pick {
    let one = &proposal.candidate;
    let mut reasons = Vec::new();
    match proposal.number {
        Some(true) => reasons.push(msg("inbox-same-number").to_string()),
        Some(false) => reasons.push(msg("inbox-close-number").to_string()),
        None => {}
    }
    match proposal.likeness {
        Some(Likeness::Same) => reasons.push(msg("inbox-same-name").to_string()),
        Some(Likeness::Close) => reasons.push(msg("inbox-close-name").to_string()),
        Some(Likeness::Begins) => reasons.push(msg("inbox-name-begins").to_string()),
        None => {}
    }
    let from = one.employed_from.as_deref().unwrap_or_default();
    if joined_with_first_punch(one, user) {
        reasons.push(msg("inbox-joined").with("date", date(from, ui)).to_string());
    } else if !from.is_empty() && !user.first_clock.is_empty() && from > user.first_clock.as_str() {
        reasons.push(
            msg("inbox-joined-later")
                .with("date", date(from, ui))
                .to_string(),
        );
    }
    if let Some(to) = one.employed_to.as_deref().and_then(filled) {
        reasons.push(msg("inbox-left").with("date", date(&to, ui)).to_string());
    }
    if let Some(number) = one
        .device_id
        .as_ref()
        .filter(|number| **number != user.user_id)
    {
        reasons.push(msg("inbox-other-number").with("number", number).to_string());
    }
    let place = [Some(one.code.clone()), one.department.clone()];
    Pick {
        id: one.id,
        name: full_name(&one.first_name, &one.last_name),
        place: place.into_iter().flatten().collect::<Vec<_>>().join(" · "),
        reason: reasons.join("; "),
        chosen: chosen == Some(one.id),
    }
}

async fn choice(
    state: &WebState,
    user: &WaitingUser,
    candidate: &Candidate,
    ui: &Ui,
) -> Result<Choice, PageError> {
    let name = full_name(&candidate.first_name, &candidate.last_name);
    let mut changed = Vec::new();
    if let Some(device_user) = DeviceUserId::parse(&user.user_id) {
        // It is mapped, looked at, and taken back.
        let link = new_link(user.device_id, &device_user, candidate.id, None);
        let tx = state.store.begin_write().await?;
        tx.link_user(&link, ui.now).await?;
        let whose = [EmployeeId(candidate.id)];
        let judge = &state.engine.judge;
        changed = judge.preview(&tx, &whose, PREVIEWED).await?;
        tx.rollback().await?;
    }
    let of_candidate = |one: &Preview| one.employee.0 == candidate.id && worth_showing(one);
    let mut days: Vec<&Preview> = changed.iter().filter(|one| of_candidate(one)).collect();
    days.sort_by_key(|one| one.workday);
    let today = ui.now.to_zoned(ui.zone.clone()).date();
    let more = days.len().saturating_sub(SHOWN);
    Ok(Choice {
        employee: candidate.id,
        caption: msg("inbox-changes")
            .count("days", days.len())
            .with("name", &name)
            .to_string(),
        days: days
            .iter()
            .skip(more)
            .filter_map(|one| changed_day(one, today))
            .collect(),
        more,
        name,
    })
}

fn new_link<'a>(
    device: i64,
    user: &'a DeviceUserId,
    employee: i64,
    author: Option<attendance::AccountId>,
) -> NewLink<'a> {
    NewLink {
        device: DeviceId(device),
        user,
        employee: EmployeeId(employee),
        from: None,
        to: None,
        origin: "inbox",
        author,
    }
}

#[derive(Deserialize)]
struct MapForm {
    device: i64,
    user: String,
    employee: i64,
}

impl MapForm {
    /// # Errors
    /// [`PageError::BadRequest`] for a text that no device user can have.
    fn user(&self) -> Result<DeviceUserId, PageError> {
        let user = DeviceUserId::parse(&self.user);
        user.ok_or_else(|| PageError::BadRequest("no device user".to_owned()))
    }

    fn detail(&self) -> serde_json::Value {
        serde_json::json!({ "device": self.device, "user": self.user, "employee": self.employee })
    }
}

async fn map(
    State(state): State<WebState>,
    visitor: Visitor,
    Form(form): Form<MapForm>,
) -> Result<Response, PageError> {
    visitor.require(visitor.may().map)?;
    let user = form.user()?;
    let known = inbox::waiting_user(&state.store, form.device, user.as_str()).await?;
    let employee = state.store.employee(EmployeeId(form.employee)).await?;
    let (Some(_), Some(_)) = (known, employee) else {
        // Somebody else was faster, or the form is old: the page shows how things are.
        return Ok(Redirect::to("/inbox").into_response());
    };
    let author = visitor.author(&state);
    let tx = state.store.begin_write().await?;
    let link = new_link(form.device, &user, form.employee, author.account);
    let touched = tx.link_user(&link, author.at).await?;
    tx.audit(author, "identity.link", user.as_str(), form.detail())
        .await?;
    tx.commit().await?;
    state.engine.edited();
    let to = format!(
        "/inbox?device={}&user={}&mapped={}&days={}",
        form.device,
        path_part(user.as_str()),
        form.employee,
        touched.days
    );
    Ok(Redirect::to(&to).into_response())
}

/// Takes a mapping back: the punches wait again, and the days are judged without them.
async fn undo(
    State(state): State<WebState>,
    visitor: Visitor,
    Form(form): Form<MapForm>,
) -> Result<Response, PageError> {
    visitor.require(visitor.may().map)?;
    let user = form.user()?;
    let author = visitor.author(&state);
    let (device, employee) = (DeviceId(form.device), EmployeeId(form.employee));
    let tx = state.store.begin_write().await?;
    match tx.take_link_back(device, &user, employee, author.at).await {
        Ok(_) => {
            tx.audit(author, "identity.unlink", user.as_str(), form.detail())
                .await?;
            tx.commit().await?;
            state.engine.edited();
        }
        Err(store::StoreError::NotFound { .. }) => tx.rollback().await?,
        Err(error) => return Err(error.into()),
    }
    let user = path_part(user.as_str());
    Ok(Redirect::to(&format!(
        "/inbox?device={}&user={user}&undone=1",
        form.device
    ))
    .into_response())
}

//! `/people`: the list of employees. The page of one of them, what people correct on it, the form and the import of a file are
//! in modules of their own.

mod away;
mod calendar;
mod correct;
mod follow;
mod form;
mod import;
mod me;
mod person;
mod why;

use askama::Template;
use axum::Router;
use axum::extract::{Query, State};
use axum::response::Response;
use axum::routing::{get, post};
use jiff::civil::Date;
use serde::Deserialize;
use store::views::people::{self, PeopleFilter, PersonRow};

use super::day::Choice;
use crate::WebState;
use crate::board::path_part;
use crate::error::{PageError, html};
use crate::format;
use crate::session::Visitor;
use crate::text::msg;
use crate::ui::{Section, Ui};

/// Rows of the list on one page.
const PAGE: i64 = 50;

pub(super) use why::Panel;

pub(super) fn routes() -> Router<WebState> {
    Router::new()
        .route("/people", get(list))
        .route("/people/new", get(form::new).post(form::add))
        .route("/people/import", get(import::show).post(import::take))
        .route("/people/{code}", get(person::show))
        .route("/people/{code}/pictures/{id}", get(person::picture))
        .route("/people/{code}/edit", get(form::edit).post(form::save))
        .route("/people/{code}/{date}", get(why::show))
        .route(
            "/people/{code}/{date}/add",
            get(correct::new_punch).post(correct::add),
        )
        .route(
            "/people/{code}/{date}/void",
            get(correct::new_void).post(correct::void),
        )
        .route("/people/{code}/{date}/undo", post(correct::undo))
        .route(
            "/people/{code}/{date}/leave",
            get(away::new_leave).post(away::add),
        )
        .route("/live/people/{code}", get(follow::follow))
        .merge(me::routes())
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct PeopleQuery {
    /// Part of a name or code, or a whole number on the terminals.
    q: String,
    /// Empty or an id, as a select sends it.
    department: String,
    page: Option<i64>,
}

#[derive(Template)]
#[template(path = "people.html")]
struct PeoplePage<'a> {
    ui: &'a Ui,
    query: &'a PeopleQuery,
    departments: Vec<Choice>,
    rows: Vec<Row>,
    /// Whether to say where somebody works.
    several_sites: bool,
    total: i64,
    from: i64,
    previous: Option<String>,
    next: Option<String>,
}

struct Row {
    href: String,
    name: String,
    code: String,
    department: String,
    number: String,
    shift: String,
    site: String,
    employed: String,
}

async fn list(
    State(state): State<WebState>,
    visitor: Visitor,
    Query(query): Query<PeopleQuery>,
) -> Result<Response, PageError> {
    visitor.require(visitor.may().people)?;
    let ui = visitor.ui(&state, Section::People);
    let filter = PeopleFilter {
        search: query.q.clone(),
        department_id: query.department.parse().ok(),
    };
    let total = people::count(&state.store, &filter).await?;
    let last = (total + PAGE - 1) / PAGE;
    let page = query.page.unwrap_or(1).clamp(1, last.max(1));
    let skip = (page - 1) * PAGE;
    let rows = people::list(&state.store, &filter, PAGE, skip).await?;
    let departments = people::departments(&state.store).await?;
    let today = ui.now.to_zoned(ui.zone.clone()).date();
    let link = |page: i64| {
        let (q, department) = (path_part(&query.q), path_part(&query.department));
        format!("/people?q={q}&department={department}&page={page}")
    };
    html(&PeoplePage {
        departments: departments
            .into_iter()
            .map(|one| Choice {
                value: one.id.to_string(),
                chosen: Some(one.id) == filter.department_id,
                name: one.name,
            })
            .collect(),
        rows: rows.into_iter().map(|one| row(one, today)).collect(),
        several_sites: state.boards.frame().sites.len() > 1,
        total,
        from: skip + 1,
        previous: (page > 1).then(|| link(page - 1)),
        next: (page < last).then(|| link(page + 1)),
        query: &query,
        ui: &ui,
    })
}

fn row(person: PersonRow, today: Date) -> Row {
    Row {
        href: format!("/people/{}", path_part(&person.code)),
        name: person.name(),
        employed: employed(&person, today),
        department: person.department.unwrap_or_default(),
        number: person.device_id.unwrap_or_default(),
        shift: person.shift.unwrap_or_default(),
        site: person.site,
        code: person.code,
    }
}

/// `left 3 May`, `from 1 June`, or nothing for somebody who is employed now.
fn employed(person: &PersonRow, today: Date) -> String {
    let date = |text: &Option<String>| text.as_deref().and_then(format::stored_date);
    if let Some(to) = date(&person.employed_to).filter(|to| *to < today) {
        msg("employed-left")
            .with("date", format::day_and_month(to, today))
            .to_string()
    } else if let Some(from) = date(&person.employed_from).filter(|from| *from > today) {
        msg("employed-joins")
            .with("date", format::day_and_month(from, today))
            .to_string()
    } else {
        String::new()
    }
}

async fn known(state: &WebState, code: &str) -> Result<PersonRow, PageError> {
    people::by_code(&state.store, code)
        .await?
        .ok_or(PageError::NotFound)
}

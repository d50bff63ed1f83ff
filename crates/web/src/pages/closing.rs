//! `/month/{yyyy-mm}/close`: closing a month, of everybody or of one site or department, opening it again, and what has changed after
//! it was closed.
//!
//! What is open is counted and can be waived by name, with a reason. Only an owner opens a closed period again.

use askama::Template;
use attendance::{DepartmentId, SiteId};
use axum::Router;
use axum::extract::{Form, Path, Query, State};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use exports::Month;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::Deserialize;
use store::StoreError;
use store::periods::{Days, Open, Part};
use store::views::closing::{self, ClosedPeriod};
use store::views::sheet::{self, Closing, Scope, ScopeName};
use tower_sessions::Session;

use super::day::{Choice, words};
use super::devices::form::site_choices;
use super::form::{Errors, filled, refusal};
use super::month::month_name;
use crate::WebState;
use crate::board::path_part;
use crate::error::{PageError, html};
use crate::format;
use crate::session::{Outcome, Told, Visitor, leave};
use crate::text::{Msg, msg};
use crate::ui::{Section, Ui};

pub(super) fn routes() -> Router<WebState> {
    Router::new()
        .route("/month/{month}/close", get(show).post(close))
        .route("/month/{month}/reopen", post(reopen))
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct CloseForm {
    /// Empty or an id, as a select sends it.
    site: String,
    department: String,
    waiver: String,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct ReopenForm {
    site: String,
    department: String,
    period: i64,
    reason: String,
}

#[derive(Template)]
#[template(path = "closing.html")]
struct ClosingPage<'a> {
    ui: &'a Ui,
    told: Option<Outcome>,
    errors: &'a Errors,
    month: Month,
    heading: Msg,
    title: Msg,
    /// What is closed, in words.
    scope: Msg,
    /// The month sheet.
    back: String,
    site: String,
    department: String,
    sites: Vec<Choice>,
    departments: Vec<Choice>,
    standing: Standing,
    open: Open,
    exceptions: String,
    waiver: String,
    /// A period whose opening was refused, with the reason that was given.
    refused: Option<(i64, String)>,
    periods: Vec<Period>,
    changed: Vec<Changed>,
}

/// Whether the days can be closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    /// The last day is not over.
    Running,
    /// There is no sheet.
    Empty,
    Open,
    Closed,
}

struct Period {
    id: i64,
    days: String,
    scope: String,
    closed: Msg,
    waiver: String,
    reopened: Option<Msg>,
    may_reopen: bool,
}

struct Changed {
    href: String,
    name: String,
    code: String,
    date: String,
    letter: String,
    fields: String,
}

/// A month, or one site or department in it.
struct Shown {
    month: Month,
    site: Option<i64>,
    department: Option<i64>,
    /// Those of the site.
    departments: Vec<ScopeName>,
    zone: TimeZone,
    today: Date,
    standing: Standing,
}

impl Shown {
    async fn of(
        state: &WebState,
        visitor: &Visitor,
        month: &str,
        site: &str,
        department: &str,
    ) -> Result<Self, PageError> {
        visitor.require(visitor.may().close)?;
        let month: Month = month.parse().map_err(|_| PageError::NotFound)?;
        let frame = state.boards.frame();
        let site = chosen(site, frame.sites.iter().map(|one| one.id))?;
        let tx = state.store.begin_read().await?;
        let departments = sheet::departments(&tx, site).await?;
        let department = chosen(department, departments.iter().map(|one| one.id))?;
        let concerned = frame.sites.iter();
        let concerned = concerned.filter(|one| site.is_none_or(|site| site == one.id));
        let dates = concerned.map(|one| state.clock.now().to_zoned(format::zone(&one.zone)).date());
        let zone = site.map_or_else(
            || frame.zone(),
            |site| {
                frame
                    .site(Some(site))
                    .map_or(TimeZone::UTC, |one| format::zone(&one.zone))
            },
        );
        let mut shown = Self {
            today: dates.min().ok_or(PageError::NotFound)?,
            standing: Standing::Running,
            zone,
            departments,
            department,
            site,
            month,
        };
        let (from, to) = shown.texts();
        let sheets = sheet::closing(&tx, &shown.scope(), &from, &to).await?;
        shown.standing = match sheets {
            _ if month.last() >= shown.today => Standing::Running,
            Closing { sheets: 0, .. } => Standing::Empty,
            Closing { sheets, locked, .. } if sheets == locked => Standing::Closed,
            _ => Standing::Open,
        };
        Ok(shown)
    }

    fn days(&self) -> Days {
        Days {
            from: self.month.first(),
            to: self.month.last(),
            of: match (self.site, self.department) {
                (_, Some(department)) => Part::Department(DepartmentId(department)),
                (Some(site), None) => Part::Site(SiteId(site)),
                (None, None) => Part::Everybody,
            },
        }
    }

    fn scope(&self) -> Scope {
        Scope {
            site_id: self.site,
            department_id: self.department,
        }
    }

    fn texts(&self) -> (String, String) {
        (
            self.month.first().to_string(),
            self.month.last().to_string(),
        )
    }

    /// The scope as a query string.
    fn filter(&self) -> String {
        let text = |id: Option<i64>| id.map(|id| id.to_string()).unwrap_or_default();
        match (self.site, self.department) {
            (None, None) => String::new(),
            _ => format!(
                "?site={}&department={}",
                text(self.site),
                text(self.department)
            ),
        }
    }

    fn href(&self) -> String {
        format!("/month/{}/close{}", self.month, self.filter())
    }

    /// What is closed, in words.
    fn words(&self, state: &WebState) -> Msg {
        let frame = state.boards.frame();
        let mut departments = self.departments.iter();
        let department = departments.find(|one| Some(one.id) == self.department);
        let site = frame.sites.iter().find(|one| Some(one.id) == self.site);
        match (department, site) {
            (Some(department), _) => {
                msg("close-scope-department").with("department", &department.name)
            }
            (None, Some(site)) => msg("close-scope-site").with("site", &site.name),
            (None, None) if frame.sites.len() > 1 => msg("close-scope-sites"),
            (None, None) => msg("close-scope-all"),
        }
    }

    async fn periods(&self, state: &WebState) -> Result<Vec<ClosedPeriod>, PageError> {
        let (from, to) = self.texts();
        Ok(closing::periods(&state.store, &self.scope(), &from, &to).await?)
    }

    async fn page(
        &self,
        state: &WebState,
        visitor: &Visitor,
        told: Option<Outcome>,
        errors: &Errors,
        waiver: String,
        refused: Option<(i64, String)>,
    ) -> Result<Response, PageError> {
        let ui = visitor.ui(state, Section::Month);
        let tx = state.store.begin_write().await?;
        let open = tx.open_in(self.days()).await?;
        tx.rollback().await?;
        let (from, to) = self.texts();
        let periods = self.periods(state).await?;
        let changed = closing::changed_cells(&state.store, &self.scope(), &from, &to).await?;
        html(&ClosingPage {
            heading: month_name(self.month),
            title: msg("close-title").with("month", month_name(self.month)),
            scope: self.words(state),
            back: format!("/month/{}{}", self.month, self.filter()),
            sites: site_choices(state, self.site.unwrap_or(0)),
            departments: self
                .departments
                .iter()
                .map(|one| Choice {
                    chosen: Some(one.id) == self.department,
                    value: one.id.to_string(),
                    name: one.name.clone(),
                })
                .collect(),
            site: self.site.map(|id| id.to_string()).unwrap_or_default(),
            department: self.department.map(|id| id.to_string()).unwrap_or_default(),
            exceptions: format!(
                "/exceptions?month={}{}",
                self.month,
                self.filter().replace('?', "&")
            ),
            standing: self.standing,
            periods: periods
                .into_iter()
                .map(|one| self.period(one, &ui))
                .collect(),
            changed: changed
                .into_iter()
                .map(|cell| Changed {
                    href: format!("/people/{}/{}", path_part(&cell.code), cell.workday),
                    date: match format::stored_date(&cell.workday) {
                        Some(day) => format::short_date(day, self.today).to_string(),
                        None => cell.workday.clone(),
                    },
                    fields: words(&cell.changes)
                        .map(|field| msg(format!("differs-{field}")).to_string())
                        .collect::<Vec<_>>()
                        .join(", "),
                    name: cell.name(),
                    code: cell.code,
                    letter: cell.letter,
                })
                .collect(),
            month: self.month,
            told,
            errors,
            open,
            waiver,
            refused,
            ui: &ui,
        })
    }

    fn period(&self, one: ClosedPeriod, ui: &Ui) -> Period {
        let day = |text: &str| match format::stored_date(text) {
            Some(day) => format::day_and_month(day, self.today).to_string(),
            None => text.to_owned(),
        };
        Period {
            id: one.id,
            days: msg("close-days")
                .with("from", day(&one.from_day))
                .with("to", day(&one.to_day))
                .to_string(),
            closed: closed_by(&one, &self.zone, self.today),
            reopened: one.reopened_ms.map(|ms| {
                msg("close-reopened-by")
                    .with("date", day_of(ms, &self.zone, self.today))
                    .with("name", one.reopened_by.as_deref().unwrap_or("Muster"))
                    .with("reason", one.reopen_reason.as_deref().unwrap_or_default())
            }),
            may_reopen: ui.may.reopen && one.reopened_ms.is_none(),
            scope: one
                .department
                .or(one.site)
                .unwrap_or_else(|| msg("all-departments").to_string()),
            waiver: match one.waiver.as_str() {
                "" => String::new(),
                reason => msg("close-waived")
                    .count("count", one.open_exceptions)
                    .with("reason", reason)
                    .to_string(),
            },
        }
    }
}

/// The id that a select sent, one of these; nothing chosen is all.
fn chosen(text: &str, mut known: impl Iterator<Item = i64>) -> Result<Option<i64>, PageError> {
    match text {
        "" => Ok(None),
        id => known
            .find(|one| one.to_string() == id)
            .map(Some)
            .ok_or(PageError::NotFound),
    }
}

fn day_of(ms: i64, zone: &TimeZone, today: Date) -> String {
    let day = format::instant(ms).to_zoned(zone.clone()).date();
    format::day_and_month(day, today).to_string()
}

/// `Closed on 3 May by Marta Lindqvist.`
pub(super) fn closed_by(period: &ClosedPeriod, zone: &TimeZone, today: Date) -> Msg {
    msg("close-closed-by")
        .with("date", day_of(period.closed_ms, zone, today))
        .with("name", period.closed_by.as_deref().unwrap_or("Muster"))
}

async fn show(
    State(state): State<WebState>,
    visitor: Visitor,
    Path(month): Path<String>,
    Query(form): Query<CloseForm>,
    Told(told): Told,
) -> Result<Response, PageError> {
    let shown = Shown::of(&state, &visitor, &month, &form.site, &form.department).await?;
    let none = Errors::default();
    shown
        .page(&state, &visitor, told, &none, String::new(), None)
        .await
}

async fn close(
    State(state): State<WebState>,
    visitor: Visitor,
    session: Session,
    Path(month): Path<String>,
    Form(form): Form<CloseForm>,
) -> Result<Response, PageError> {
    let shown = Shown::of(&state, &visitor, &month, &form.site, &form.department).await?;
    let mut errors = Errors::default();
    match shown.standing {
        Standing::Open => {}
        Standing::Running => errors.add("waiver", msg("close-running")),
        Standing::Empty => errors.add("waiver", msg("close-empty")),
        Standing::Closed => errors.add("waiver", msg("close-is-closed")),
    }
    let waiver = filled(&form.waiver);
    if errors.is_empty() {
        let tx = state.store.begin_write().await?;
        let unreported = tx.judge_unreported(shown.days(), state.clock.now()).await?;
        let open = tx.open_in(shown.days()).await?;
        if unreported > 0 {
            tx.commit().await?;
            state.engine.edited();
            errors.add("waiver", msg("close-unreported").count("count", unreported));
            return shown
                .page(&state, &visitor, None, &errors, form.waiver, None)
                .await;
        }
        if open.unjudged > 0 {
            errors.add(
                "waiver",
                msg("close-unjudged").count("count", open.unjudged),
            );
        } else if open.waivable() > 0 && waiver.is_none() {
            errors.add(
                "waiver",
                msg("close-refused").count("count", open.waivable()),
            );
        } else {
            let author = visitor.author(&state);
            tx.close_days(shown.days(), waiver.as_deref(), author)
                .await?;
            tx.commit().await?;
            state.engine.edited();
            let title = msg("close-done").with("month", month_name(shown.month));
            leave(
                &session,
                &Outcome::done(&shown.href(), title, msg("close-done-text")),
            )
            .await?;
            return Ok(Redirect::to(&shown.href()).into_response());
        }
        tx.rollback().await?;
    }
    shown
        .page(&state, &visitor, None, &errors, form.waiver, None)
        .await
}

async fn reopen(
    State(state): State<WebState>,
    visitor: Visitor,
    session: Session,
    Path(month): Path<String>,
    Form(form): Form<ReopenForm>,
) -> Result<Response, PageError> {
    visitor.require(visitor.may().reopen)?;
    let shown = Shown::of(&state, &visitor, &month, &form.site, &form.department).await?;
    let known = shown.periods(&state).await?;
    known
        .iter()
        .find(|one| one.id == form.period)
        .ok_or(PageError::NotFound)?;
    let mut errors = Errors::default();
    if filled(&form.reason).is_none() {
        errors.add("reason", msg("rollcall-reason-missing"));
    } else {
        let tx = state.store.begin_write().await?;
        let author = visitor.author(&state);
        match tx.reopen_period(form.period, &form.reason, author).await {
            Ok(()) => {
                tx.commit().await?;
                state.engine.edited();
                let title = msg("close-reopened");
                leave(
                    &session,
                    &Outcome::done(&shown.href(), title, msg("close-reopened-text")),
                )
                .await?;
                return Ok(Redirect::to(&shown.href()).into_response());
            }
            Err(error @ StoreError::Invalid(_)) => {
                tx.rollback().await?;
                errors.add("reason", refusal(&error));
            }
            Err(error) => return Err(error.into()),
        }
    }
    let refused = Some((form.period, form.reason));
    shown
        .page(&state, &visitor, None, &errors, String::new(), refused)
        .await
}

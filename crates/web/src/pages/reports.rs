//! `/reports`: files of any period, and the payroll file from its check to its hand-over. Profiles have a module of their own.

mod profile;

use std::collections::HashMap;

use askama::Template;
use axum::Router;
use axum::extract::{Form, Path, Query, State};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use exports::payroll::{Kept, OpenDay, Payroll, correction_columns, correction_rows};
use exports::{Column, ExportError, Format, Month, write_rows};
use jiff::civil::Date;
use serde::Deserialize;
use store::payroll::HandedOver;
use tower_sessions::Session;

use super::exports::{sent, split_name};
use super::form::filled;
use super::month::month_name;
use crate::WebState;
use crate::board::path_part;
use crate::error::{PageError, html};
use crate::format;
use crate::session::{Outcome, Told, Visitor, leave};
use crate::text::{Msg, msg};
use crate::ui::{Section, Ui};

/// Exports in the list.
const LISTED: u64 = 50;
/// Open days, changed lines and lines of the file that are shown.
const SHOWN: usize = 20;

pub(super) fn routes() -> Router<WebState> {
    Router::new()
        .route("/reports", get(show))
        .route("/reports/file", get(file))
        .route("/reports/payroll", post(hand_over))
        .route("/reports/exports/{file}", get(kept))
        .route("/reports/profile", get(profile::show).post(profile::save))
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct ReportsQuery {
    /// With a month the payroll file is computed.
    month: String,
    profile: String,
}

#[derive(Template)]
#[template(path = "reports.html")]
struct ReportsPage<'a> {
    ui: &'a Ui,
    told: Option<Outcome>,
    /// What the forms begin with.
    month: Month,
    day: Date,
    profiles: Vec<(String, bool)>,
    checked: Option<Checked>,
    exports: Vec<ExportRow>,
}

/// A payroll file that could be handed over.
struct Checked {
    profile: String,
    edit: String,
    month: Month,
    /// Why there is none.
    failed: Option<String>,
    period: Msg,
    lines: usize,
    open: Vec<Open>,
    open_count: usize,
    headings: Vec<String>,
    preview: Vec<Vec<String>>,
    changes: Option<Changes>,
    last: Option<Msg>,
}

struct Open {
    href: Option<String>,
    who: String,
    day: String,
    what: String,
}

/// What differs from the last export; no rows and no count when the two have other columns.
struct Changes {
    count: usize,
    comparable: bool,
    rows: Vec<(String, Vec<String>)>,
}

struct ExportRow {
    id: i64,
    made: String,
    profile: String,
    period: String,
    lines: i64,
    author: String,
    waived: Option<Msg>,
    hash: String,
    /// There is an earlier one of the period to compare with.
    corrects: bool,
}

async fn show(
    State(state): State<WebState>,
    visitor: Visitor,
    Told(told): Told,
    Query(query): Query<ReportsQuery>,
) -> Result<Response, PageError> {
    visitor.require(visitor.may().reports)?;
    let ui = visitor.ui(&state, Section::Reports);
    let today = ui.now.to_zoned(ui.zone.clone()).date();
    let profiles = state.store.payroll_profiles().await?;
    let asked: Option<Month> = query.month.parse().ok();
    let month = asked.unwrap_or_else(|| Month::of(today).previous());
    let chosen = profiles
        .iter()
        .find(|profile| profile.name == query.profile);
    let chosen = chosen
        .or(profiles.first())
        .map(|profile| profile.name.clone());
    let checked = match (&chosen, asked) {
        (Some(profile), Some(month)) => Some(check(&state, profile, month, &ui).await?),
        _ => None,
    };
    let names: HashMap<i64, String> = profiles
        .iter()
        .map(|profile| (profile.id, profile.name.clone()))
        .collect();
    html(&ReportsPage {
        told,
        month,
        day: today,
        profiles: profiles
            .into_iter()
            .map(|profile| (profile.name.clone(), Some(profile.name) == chosen))
            .collect(),
        checked,
        exports: export_rows(&state, &names, &ui).await?,
        ui: &ui,
    })
}

async fn check(
    state: &WebState,
    profile: &str,
    month: Month,
    ui: &Ui,
) -> Result<Checked, PageError> {
    let today = ui.now.to_zoned(ui.zone.clone()).date();
    let mut checked = Checked {
        profile: profile.to_owned(),
        edit: format!("/reports/profile?name={}", path_part(profile)),
        month,
        failed: None,
        period: month_name(month),
        lines: 0,
        open: Vec::new(),
        open_count: 0,
        headings: Vec::new(),
        preview: Vec::new(),
        changes: None,
        last: None,
    };
    let payroll = match Payroll::prepare(&state.store, profile, month).await {
        Ok(payroll) => payroll,
        Err(error @ (ExportError::Profile(_) | ExportError::NoSite(_))) => {
            checked.failed = Some(super::form::sentence(&error));
            return Ok(checked);
        }
        Err(error) => return Err(error.into()),
    };
    let text = |row: &Vec<exports::Cell>| row.iter().map(ToString::to_string).collect();
    checked.period = msg("payroll-period")
        .with("from", format::short_date(payroll.from, today))
        .with("to", format::short_date(payroll.to, today));
    checked.lines = payroll.lines.len();
    checked.open_count = payroll.open.len();
    checked.open = payroll
        .open
        .iter()
        .take(SHOWN)
        .map(|day| open(day, today))
        .collect();
    checked.preview = payroll.rows().iter().take(SHOWN).map(text).collect();
    checked.last = payroll.last.as_ref().map(|last| {
        let at = format::instant(last.row.made_ms);
        msg("payroll-last").with("time", format::moment(at, ui.now, &ui.zone))
    });
    checked.changes = payroll.last.as_ref().map(|_| {
        let changes = payroll.changes();
        let rows = correction_rows(changes.as_deref().unwrap_or_default());
        let word = |cell: &exports::Cell| msg(format!("correction-kind-{cell}")).to_string();
        Changes {
            count: changes.as_ref().map_or(0, Vec::len),
            comparable: changes.is_some(),
            rows: rows
                .iter()
                .take(2 * SHOWN)
                .map(|row| {
                    (
                        word(&row[0]),
                        row[1..].iter().map(ToString::to_string).collect(),
                    )
                })
                .collect(),
        }
    });
    checked.headings = payroll.headings;
    Ok(checked)
}

fn open(day: &OpenDay, today: Date) -> Open {
    let what = day.what.iter().map(|word| match word.split_once(' ') {
        Some((_, measure)) => msg("open-uncoded").with("what", measure).to_string(),
        None => match word.as_str() {
            "unknown" => msg("status-unknown").to_string(),
            "not_final" => msg("open-not-final").to_string(),
            "not_judged" => msg("not-judged").to_string(),
            exception => msg(format!("exception-{exception}")).to_string(),
        },
    });
    let person = format!("/people/{}", path_part(&day.code));
    Open {
        href: day.workday.map(|workday| format!("{person}/{workday}")),
        who: format!("{} {}", day.name, day.code),
        day: day
            .workday
            .map(|workday| format::short_date(workday, today).to_string())
            .unwrap_or_default(),
        what: what.collect::<Vec<_>>().join(", "),
    }
}

async fn export_rows(
    state: &WebState,
    profiles: &HashMap<i64, String>,
    ui: &Ui,
) -> Result<Vec<ExportRow>, PageError> {
    let accounts = state.store.accounts().await?;
    let exports = state.store.payroll_exports(None, LISTED).await?;
    let earlier = |row: &HandedOver| {
        exports.iter().any(|other| {
            other.id < row.id
                && (other.profile_id, &other.from_day, &other.to_day)
                    == (row.profile_id, &row.from_day, &row.to_day)
        })
    };
    let row = |row: &HandedOver| ExportRow {
        id: row.id,
        made: format::moment(format::instant(row.made_ms), ui.now, &ui.zone),
        profile: profiles.get(&row.profile_id).cloned().unwrap_or_default(),
        period: format!("{} – {}", row.from_day, row.to_day),
        lines: row.line_count,
        author: accounts
            .iter()
            .find(|account| Some(account.id.0) == row.author_id)
            .map(|account| account.name.clone())
            .unwrap_or_else(|| msg("muster").to_string()),
        waived: (row.waived > 0).then(|| {
            msg("payroll-waived")
                .count("count", row.waived)
                .with("by", &row.waived_by)
                .with("because", &row.waived_because)
        }),
        hash: row.hash.chars().take(12).collect(),
        corrects: earlier(row),
    };
    Ok(exports.iter().map(row).collect())
}

#[derive(Debug, Deserialize)]
struct FileChoice {
    what: String,
    #[serde(default)]
    period: String,
    #[serde(default)]
    code: String,
    format: String,
}

/// Leads to the address of the file that was chosen.
async fn file(visitor: Visitor, Query(choice): Query<FileChoice>) -> Result<Redirect, PageError> {
    visitor.require(visitor.may().reports)?;
    let (ending, bom) = match choice.format.as_str() {
        "xlsx" => ("xlsx", ""),
        _ => ("csv", "?bom=1"),
    };
    let name = format!("{}.{ending}{bom}", path_part(choice.period.trim()));
    Ok(Redirect::to(&match choice.what.as_str() {
        "month" => format!("/month/{name}"),
        "day" => format!("/day/{name}"),
        "punches" => format!("/punches/{name}"),
        "timecard" => format!("/timecard/{}/{name}", path_part(choice.code.trim())),
        _ => return Err(PageError::NotFound),
    }))
}

#[derive(Debug, Deserialize)]
struct HandOver {
    profile: String,
    month: String,
    /// Why open days do not matter; needed when there are any.
    #[serde(default)]
    because: String,
}

async fn hand_over(
    State(state): State<WebState>,
    visitor: Visitor,
    session: Session,
    Form(form): Form<HandOver>,
) -> Result<Response, PageError> {
    visitor.require(visitor.may().reports)?;
    let month: Month = form.month.parse().map_err(|_| PageError::NotFound)?;
    let payroll = Payroll::prepare(&state.store, &form.profile, month).await?;
    let because = filled(&form.because);
    let waiver = because
        .as_deref()
        .map(|because| (&*visitor.person.name, because));
    let done = payroll
        .hand_over(&state.store, waiver, visitor.author(&state))
        .await;
    let outcome = match done {
        Ok(_) => Outcome::done(
            "/reports",
            msg("payroll-done"),
            msg("payroll-done-text")
                .with("profile", &payroll.profile)
                .count("lines", payroll.lines.len()),
        ),
        Err(ExportError::Open(days)) => Outcome::not_done(
            "/reports",
            msg("payroll-refused"),
            msg("payroll-refused-text").count("count", days),
        ),
        Err(error) => return Err(error.into()),
    };
    leave(&session, &outcome).await?;
    let back = match outcome.done {
        true => "/reports".to_owned(),
        false => format!(
            "/reports?month={month}&profile={}",
            path_part(&form.profile)
        ),
    };
    Ok(Redirect::to(&back).into_response())
}

/// `/reports/exports/7.csv`: what was handed over, again; `/reports/exports/7-corrections.csv`: what it changed.
async fn kept(
    State(state): State<WebState>,
    visitor: Visitor,
    Path(file): Path<String>,
    Query(query): Query<super::exports::FileQuery>,
) -> Result<Response, PageError> {
    visitor.require(visitor.may().reports)?;
    let (name, format) = split_name(&file, query.bom.is_some());
    let format: Format = format.ok_or(PageError::NotFound)?;
    let (id, corrections) = match name.strip_suffix("-corrections") {
        Some(id) => (id, true),
        None => (name, false),
    };
    let id: i64 = id.parse().map_err(|_| PageError::NotFound)?;
    let (kept, before) = Kept::load(&state.store, id)
        .await?
        .ok_or(PageError::NotFound)?;
    let period = format!("payroll-{}-{}-{id}", kept.row.from_day, kept.row.to_day);
    if !corrections {
        return Ok(sent(kept.to_file(format)?, &period, format));
    }
    let changes = before.and_then(|before| kept.changes_since(&before));
    let changes = changes.ok_or(PageError::NotFound)?;
    let columns: Vec<Column> = correction_columns(&kept.headings);
    let file = write_rows(&columns, &correction_rows(&changes), format)?;
    Ok(sent(file, &format!("{period}-corrections"), format))
}

//! `/failures`: outages of all devices, those that last first.

use std::collections::BTreeMap;

use askama::Template;
use axum::Router;
use axum::extract::{Query, State};
use axum::response::Response;
use axum::routing::get;
use serde::Deserialize;
use store::views::devices;

use super::devices::{FailureLine, failure_line};
use crate::WebState;
use crate::error::{PageError, html};
use crate::session::Visitor;
use crate::ui::{Section, Ui};

/// Rows on one page.
const PAGE: i64 = 50;

pub(super) fn routes() -> Router<WebState> {
    Router::new().route("/failures", get(show))
}

#[derive(Template)]
#[template(path = "failures.html")]
struct FailuresPage<'a> {
    ui: &'a Ui,
    failures: Vec<FailureLine>,
    newer: Option<i64>,
    older: Option<i64>,
}

#[derive(Deserialize)]
struct FailuresQuery {
    page: Option<i64>,
}

async fn show(
    State(state): State<WebState>,
    visitor: Visitor,
    Query(query): Query<FailuresQuery>,
) -> Result<Response, PageError> {
    visitor.require(visitor.may().failures)?;
    let ui = visitor.ui(&state, Section::Failures);
    let page = query.page.unwrap_or(1).clamp(1, 10_000);
    // One more than is shown tells whether there is an older page.
    let mut rows = devices::failures(&state.store, None, PAGE + 1, (page - 1) * PAGE).await?;
    let more = rows.len() > PAGE as usize;
    rows.truncate(PAGE as usize);
    let day = ui.now.to_zoned(ui.zone.clone()).date().to_string();
    let unknown: BTreeMap<i64, i64> = devices::unknown_people(&state.store, &day)
        .await?
        .into_iter()
        .collect();
    let line = |row: devices::FailureRow| {
        let people = unknown.get(&row.device_id).copied().unwrap_or(0);
        failure_line(row, ui.now, people)
    };
    html(&FailuresPage {
        failures: rows.into_iter().map(line).collect(),
        newer: (page > 1).then(|| page - 1),
        older: more.then(|| page + 1),
        ui: &ui,
    })
}

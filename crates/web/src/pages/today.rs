//! `/today`: how many are in, of how many expected, and is that usual. `?team=mine` shows the people somebody leads.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use crate::WebState;
use crate::board::{Board, Facts};
use crate::error::{PageError, html};
use crate::session::Visitor;
use crate::sight::{MINE, Team};
use crate::ui::{Section, Ui};

#[derive(Template)]
#[template(path = "today.html")]
struct TodayPage<'a> {
    ui: &'a Ui,
    board: &'a Board,
}

#[derive(Template)]
#[template(path = "today/arrivals.html")]
struct ArrivalsCard<'a> {
    ui: &'a Ui,
    board: &'a Board,
}

#[derive(Deserialize)]
pub(crate) struct TodayQuery {
    site: Option<i64>,
    /// Empty or `mine`: the people somebody leads. Who may see nobody else need not ask.
    #[serde(default)]
    team: String,
    /// Shows the arrivals as a table.
    table: Option<u8>,
}

/// The board of the site asked for, or of the first one with somebody who is seen; as much of it as is seen.
pub(crate) async fn facts(
    state: &WebState,
    visitor: &Visitor,
    site: Option<i64>,
    team: &str,
) -> Result<Option<Arc<Facts>>, PageError> {
    if visitor.may().today && team != MINE {
        return Ok(state.boards.site(site).await?);
    }
    let team = Team::of(state, visitor).await?;
    let site = team.site(&state.boards.frame(), site);
    let Some(facts) = state.boards.site(site).await? else {
        return Ok(None);
    };
    let facts = facts
        .of_team(&state.store, &team, state.clock.now())
        .await?;
    Ok(Some(Arc::new(facts)))
}

async fn board(
    state: &WebState,
    visitor: &Visitor,
    query: &TodayQuery,
) -> Result<Option<Board>, PageError> {
    let version = state.boards.version();
    let Some(facts) = facts(state, visitor, query.site, &query.team).await? else {
        return Ok(None);
    };
    let mut board = Board::new(&facts, state.clock.now());
    board.stream.push_str(&format!("&v={version}"));
    board.arrivals.as_table = query.table.is_some();
    Ok(Some(board))
}

pub(crate) async fn show(
    State(state): State<WebState>,
    visitor: Visitor,
    Query(query): Query<TodayQuery>,
) -> Result<Response, PageError> {
    match board(&state, &visitor, &query).await? {
        Some(board) => html(&TodayPage {
            ui: &visitor.ui(&state, Section::Today),
            board: &board,
        }),
        None => Ok(Redirect::to("/setup/company").into_response()),
    }
}

/// The card of the arrivals alone, as a drawing or as a table.
pub(crate) async fn arrivals(
    State(state): State<WebState>,
    visitor: Visitor,
    Query(query): Query<TodayQuery>,
) -> Result<Response, PageError> {
    let board = board(&state, &visitor, &query)
        .await?
        .ok_or(PageError::NotFound)?;
    html(&ArrivalsCard {
        ui: &visitor.ui(&state, Section::Today),
        board: &board,
    })
}

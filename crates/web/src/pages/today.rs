//! `/today`: how many are in, of how many expected, and is that usual.

use askama::Template;
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use crate::WebState;
use crate::board::Board;
use crate::error::{PageError, html};
use crate::session::Visitor;
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
    /// Shows the arrivals as a table.
    table: Option<u8>,
}

/// The board of the site asked for, or of the default one.
async fn board(state: &WebState, query: &TodayQuery) -> Result<Option<Board>, PageError> {
    let version = state.boards.version();
    let Some(facts) = state.boards.site(query.site).await? else {
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
    visitor.require(visitor.may().today)?;
    match board(&state, &query).await? {
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
    visitor.require(visitor.may().today)?;
    let board = board(&state, &query).await?.ok_or(PageError::NotFound)?;
    html(&ArrivalsCard {
        ui: &visitor.ui(&state, Section::Today),
        board: &board,
    })
}

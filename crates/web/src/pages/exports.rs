//! Files instead of pages: `/month/2026-05.xlsx` is what `/month/2026-05` shows, with the same filters in the query string.

use std::fs::File;
use std::io::Read;

use attendance::EmployeeId;
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Path, Query, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use exports::{Export, ExportError, Format, Month};
use futures_util::stream;
use jiff::civil::Date;
use serde::Deserialize;
use store::views::sheet::{self, Scope};

use super::timecards;
use crate::WebState;
use crate::error::PageError;
use crate::session::Visitor;

/// A file is sent in pieces of this size.
const PIECE: usize = 64 * 1024;

pub(super) fn routes() -> Router<WebState> {
    Router::new()
        .route("/timecard/{code}/{file}", get(timecard))
        .route("/punches/{file}", get(punches))
}

/// How a file is wanted, beside its name.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct FileQuery {
    /// Anything: a CSV file begins with a byte order mark, by which Excel knows UTF-8.
    pub bom: Option<String>,
    site: String,
    department: String,
}

/// `2026-05` and the format of `2026-05.csv`; no format for what is no file.
pub(super) fn split_name(name: &str, bom: bool) -> (&str, Option<Format>) {
    for format in [Format::Csv { bom }, Format::Xlsx, Format::Json] {
        let stem = name.strip_suffix(format.extension());
        if let Some(stem) = stem.and_then(|stem| stem.strip_suffix('.')) {
            return (stem, Some(format));
        }
    }
    (name, None)
}

/// Writes the file and sends it.
pub(super) async fn send(
    state: &WebState,
    export: &Export,
    format: Format,
) -> Result<Response, PageError> {
    let file = export.to_file(&state.store, format).await?;
    Ok(sent(file, &export.file_name(), format))
}

/// A complete file as an answer that is kept.
pub(super) fn sent(file: File, name: &str, format: Format) -> Response {
    let pieces = stream::unfold(Some(file), |file| async {
        let mut file = file?;
        let read = tokio::task::spawn_blocking(move || {
            let mut piece = vec![0; PIECE];
            let length = file.read(&mut piece)?;
            piece.truncate(length);
            Ok::<_, std::io::Error>((file, piece))
        });
        match read.await.map_err(std::io::Error::other).flatten() {
            Ok((_, piece)) if piece.is_empty() => None,
            Ok((file, piece)) => Some((Ok(Bytes::from(piece)), Some(file))),
            Err(error) => Some((Err(error), None)),
        }
    });
    let disposition = format!("attachment; filename=\"{name}.{}\"", format.extension());
    let headers = [
        (header::CONTENT_TYPE, format.media_type().to_owned()),
        (header::CONTENT_DISPOSITION, disposition),
        (header::CACHE_CONTROL, "no-store".to_owned()),
    ];
    (headers, Body::from_stream(pieces)).into_response()
}

/// `/timecard/0007/2026-05.csv`; without an ending a page to print.
async fn timecard(
    State(state): State<WebState>,
    visitor: Visitor,
    Path((code, file)): Path<(String, String)>,
    Query(query): Query<FileQuery>,
) -> Result<Response, PageError> {
    let tx = state.store.begin_read().await?;
    let person = sheet::person(&tx, &code).await?;
    let person = person.ok_or(PageError::NotFound)?;
    drop(tx);
    visitor.require_sight(&state, EmployeeId(person.id)).await?;
    let (month, format) = split_name(&file, query.bom.is_some());
    let month: Month = month.parse().map_err(|_| PageError::NotFound)?;
    let Some(format) = format else {
        return timecards::of_one(&state, &visitor, &person, month).await;
    };
    let export = Export::Timecard { code, month };
    send(&state, &export, format).await
}

/// `/punches/2026-05.csv` or `/punches/2026-05-12.csv`.
async fn punches(
    State(state): State<WebState>,
    visitor: Visitor,
    Path(file): Path<String>,
    Query(query): Query<FileQuery>,
) -> Result<Response, PageError> {
    visitor.require(visitor.may().people)?;
    let (days, format) = split_name(&file, query.bom.is_some());
    let (from, to) = match (days.parse::<Month>(), days.parse::<Date>()) {
        (Ok(month), _) => (month.first(), month.last()),
        (_, Ok(day)) => (day, day),
        _ => return Err(PageError::NotFound),
    };
    let frame = state.boards.frame();
    let scope = Scope {
        site_id: frame.site(query.site.parse().ok()).map(|site| site.id),
        department_id: query.department.parse().ok(),
    };
    let export = Export::Punches { from, to, scope };
    send(&state, &export, format.ok_or(PageError::NotFound)?).await
}

impl From<ExportError> for PageError {
    fn from(error: ExportError) -> Self {
        match error {
            ExportError::Store(error) => Self::Store(error),
            ExportError::NobodyWithCode(_) | ExportError::NoProfile(_) => Self::NotFound,
            ExportError::TooManyRows => Self::TooManyRows,
            error @ ExportError::Profile(_) => Self::BadRequest(error.to_string()),
            error => Self::Export(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_an_ending_is_a_file() {
        assert_eq!(split_name("2026-05", false), ("2026-05", None));
        assert_eq!(
            split_name("2026-05.csv", true),
            ("2026-05", Some(Format::Csv { bom: true }))
        );
        assert_eq!(split_name("2026-05.xlsx", false).1, Some(Format::Xlsx));
        assert_eq!(split_name("2026-05csv", false).1, None);
    }
}

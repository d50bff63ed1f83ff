//! What a handler can fail with, and the page that says so.

use askama::Template;
use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse, Redirect, Response};
use store::StoreError;

use crate::ui::Ui;

#[derive(Debug, thiserror::Error)]
pub enum PageError {
    /// Nothing there, or nothing this person may see; the two look the same.
    #[error("not found")]
    NotFound,
    /// Nobody is signed in: a page goes to the sign-in, anything else is refused.
    #[error("not signed in")]
    SignIn { next: Option<String> },
    /// The request was not made by one of our own pages.
    #[error("foreign origin")]
    ForeignOrigin,
    #[error("bad request: {0}")]
    BadRequest(String),
    #[error("the request is too large")]
    TooLarge,
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("days could not be judged")]
    Judge(#[from] ingest::IngestError),
    #[error("a template failed")]
    Template(#[from] askama::Error),
    /// More than a sheet of Excel holds.
    #[error("too many rows for Excel")]
    TooManyRows,
    #[error("a file could not be made")]
    Export(#[source] exports::ExportError),
    #[error("{0}")]
    Internal(String),
}

/// A page without navigation that says one thing.
#[derive(Template)]
#[template(path = "message.html")]
struct MessagePage<'a> {
    ui: &'a Ui,
    title: String,
    text: String,
    /// For finding the failure in the log.
    reference: Option<String>,
}

/// The page of an error, for a layer that knows the frame.
#[derive(Clone, Debug)]
pub(crate) struct ErrorPage {
    kind: &'static str,
    reference: Option<String>,
}

impl IntoResponse for PageError {
    fn into_response(self) -> Response {
        let (status, kind) = match &self {
            Self::SignIn { next: Some(next) } => {
                let to = format!("/login?next={}", crate::board::path_part(next));
                return Redirect::to(&to).into_response();
            }
            Self::SignIn { next: None } => (StatusCode::UNAUTHORIZED, "sign-in"),
            Self::NotFound => (StatusCode::NOT_FOUND, "not-found"),
            Self::ForeignOrigin => (StatusCode::FORBIDDEN, "origin"),
            Self::BadRequest(_) => (StatusCode::BAD_REQUEST, "bad-request"),
            Self::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "too-large"),
            Self::TooManyRows => (StatusCode::UNPROCESSABLE_ENTITY, "too-many-rows"),
            Self::Store(_)
            | Self::Judge(_)
            | Self::Template(_)
            | Self::Export(_)
            | Self::Internal(_) => (StatusCode::INTERNAL_SERVER_ERROR, "failed"),
        };
        let reference = status.is_server_error().then(|| {
            let reference = crate::random_text(6);
            let error = &self as &dyn std::error::Error;
            tracing::error!(error, reference, "a page failed");
            reference
        });
        let mut response = status.into_response();
        response
            .extensions_mut()
            .insert(ErrorPage { kind, reference });
        response
    }
}

impl ErrorPage {
    /// For what was refused before a page was asked: a form that cannot be read, a method that does not exist.
    pub(crate) fn of(status: StatusCode) -> Self {
        let kind = match status {
            StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED => "not-found",
            StatusCode::PAYLOAD_TOO_LARGE => "too-large",
            _ => "bad-request",
        };
        Self {
            kind,
            reference: None,
        }
    }

    /// The whole page.
    pub(crate) fn render(&self, ui: &Ui) -> Response {
        let page = MessagePage {
            ui,
            title: ui.t(format!("error-{}-title", self.kind)).to_string(),
            text: ui.t(format!("error-{}-text", self.kind)).to_string(),
            reference: self.reference.clone(),
        };
        match page.render() {
            // A part of a page that asks for news cannot show the sign-in, so htmx leads the whole page there.
            Ok(html) if self.kind == "sign-in" => {
                ([("hx-redirect", "/login")], Html(html)).into_response()
            }
            Ok(html) => Html(html).into_response(),
            Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        }
    }
}

/// Renders a template as a page that no cache keeps.
pub(crate) fn html(template: &impl Template) -> Result<Response, PageError> {
    let text = template.render()?;
    Ok(([(header::CACHE_CONTROL, "no-store")], Html(text)).into_response())
}

//! Layers around every page: origin of writing requests, security headers, and pages for errors.

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::WebState;
use crate::error::{ErrorPage, PageError};
use crate::ui::Ui;

/// Pictures as `data:` are the arrows and ticks of form controls in the style sheet.
const POLICY: &str = "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; frame-ancestors 'none'; form-action 'self'";

/// Refuses a writing request that none of our own pages made. Browsers say where a request comes from; what says nothing is
/// no browser, and has no business here: scripts use the API.
pub(crate) async fn check_origin(request: Request, next: Next) -> Response {
    let reads = matches!(
        *request.method(),
        Method::GET | Method::HEAD | Method::OPTIONS
    );
    if reads || from_own_page(request.headers(), request.uri().host()) {
        next.run(request).await
    } else {
        PageError::ForeignOrigin.into_response()
    }
}

fn from_own_page(headers: &HeaderMap, authority: Option<&str>) -> bool {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    match text("sec-fetch-site") {
        Some(site) => site == "same-origin",
        None => {
            let origin = text("origin").and_then(|origin| origin.split_once("://"));
            let host = text(header::HOST.as_str()).or(authority);
            matches!((origin, host), (Some((_, origin)), Some(host)) if origin.eq_ignore_ascii_case(host))
        }
    }
}

/// Headers that every answer has.
pub(crate) async fn add_headers(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "same-origin"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

/// Turns errors into pages, in the frame of the company.
pub(crate) async fn show_errors(
    State(state): State<WebState>,
    request: Request,
    next: Next,
) -> Response {
    let response = next.run(request).await;
    let status = response.status();
    let page = match response.extensions().get::<ErrorPage>() {
        Some(page) => page.clone(),
        None if status.is_client_error() => ErrorPage::of(status),
        None => return response,
    };
    let ui = Ui::door(state.boards.frame().company.clone(), &state.clock);
    let mut shown = page.render(&ui);
    *shown.status_mut() = status;
    shown
}

/// What no route matches.
pub(crate) async fn not_found() -> PageError {
    PageError::NotFound
}

/// `GET /healthz`: the process is up.
pub(crate) async fn healthz() -> &'static str {
    "ok\n"
}

/// `GET /readyz`: the database answers and its tables are those of this program.
pub(crate) async fn readyz(State(state): State<WebState>) -> Response {
    match state.store.check_migrated().await {
        Ok(()) => "ok\n".into_response(),
        Err(error) => {
            let error = &error as &dyn std::error::Error;
            tracing::warn!(error, "not ready");
            (
                StatusCode::SERVICE_UNAVAILABLE,
                "the database does not answer\n",
            )
                .into_response()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(headers: &[(&'static str, &str)], expected: bool) {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(*name, value.parse().expect("a header"));
        }
        assert_eq!(from_own_page(&map, None), expected, "{headers:?}");
    }

    #[test]
    fn only_our_own_pages_may_write() {
        check(&[("sec-fetch-site", "same-origin")], true);
        check(&[("sec-fetch-site", "same-site")], false);
        check(
            &[
                ("sec-fetch-site", "cross-site"),
                ("origin", "http://h"),
                ("host", "h"),
            ],
            false,
        );
        check(&[("sec-fetch-site", "none")], false);
        check(&[("origin", "http://h:8080"), ("host", "h:8080")], true);
        check(&[("origin", "http://evil"), ("host", "h:8080")], false);
        check(&[("origin", "null"), ("host", "h:8080")], false);
        check(&[("host", "h:8080")], false);
        check(&[], false);
    }
}

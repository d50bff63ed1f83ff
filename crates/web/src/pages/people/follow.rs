//! `/live/people/{code}`: says when something of a person has changed that their page shows, as server-sent events. The page then
//! fetches itself again, so there is one way to make it.

use std::convert::Infallible;
use std::time::Duration;

use attendance::EmployeeId;
use axum::extract::{Path, Query, State};
use axum::response::sse::{Event, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use ingest::{Change, Subscription};
use jiff::civil::Date;
use serde::Deserialize;
use store::views::why as rows;
use tokio::sync::watch;
use tokio::time::Instant;

use super::known;
use super::person::month_of;
use crate::WebState;
use crate::error::PageError;
use crate::live::{LIFE, TICK};
use crate::session::Visitor;

/// After a change the page is left alone for so long: a burst is told once.
const PAUSE: Duration = Duration::from_millis(500);

#[derive(Debug, Deserialize)]
pub(super) struct FollowQuery {
    /// The month that is shown, `2026-05`.
    month: String,
}

pub(super) async fn follow(
    State(state): State<WebState>,
    visitor: Visitor,
    Path(code): Path<String>,
    Query(query): Query<FollowQuery>,
) -> Result<Response, PageError> {
    let person = known(&state, &code).await?;
    let employee = EmployeeId(person.id);
    visitor.require_sight(&state, employee).await?;
    let month = month_of(&query.month).ok_or(PageError::NotFound)?;
    let follower = Follower {
        changes: state.engine.changes.subscribe(),
        closing: state.closing(),
        state,
        employee,
        month,
        changed: false,
        next_tick: Instant::now(),
        silent_until: Instant::now(),
        end: Instant::now() + LIFE,
    };
    let events = stream::unfold(follower, |mut follower| async move {
        let event = follower.next().await?;
        Some((Ok::<_, Infallible>(event), follower))
    });
    let headers = [("cache-control", "no-store"), ("x-accel-buffering", "no")];
    Ok((headers, Sse::new(events)).into_response())
}

/// One open stream.
struct Follower {
    state: WebState,
    changes: Subscription,
    closing: watch::Receiver<bool>,
    employee: EmployeeId,
    /// Its first day.
    month: Date,
    /// Something is to be told.
    changed: bool,
    next_tick: Instant,
    silent_until: Instant,
    end: Instant,
}

impl Follower {
    /// The next event; `None` ends the stream.
    async fn next(&mut self) -> Option<Event> {
        loop {
            let now = Instant::now();
            if now >= self.end || *self.closing.borrow() {
                return None;
            }
            if self.changed && now >= self.silent_until {
                self.changed = false;
                self.silent_until = now + PAUSE;
                // A browser tells nobody of an event without data.
                return Some(Event::default().event("changed").data("page"));
            }
            if now >= self.next_tick {
                self.next_tick = now + TICK;
                let ms = self.state.clock.now().as_millisecond();
                let data = serde_json::json!({ "now": ms });
                return Some(Event::default().event("tick").data(data.to_string()));
            }
            let wake = match self.changed {
                true => self.silent_until.min(self.next_tick),
                false => self.next_tick,
            };
            tokio::select! {
                change = self.changes.next() => {
                    let change = change?;
                    self.changed |= self.concerns(&change).await;
                }
                closed = self.closing.changed() => closed.ok()?,
                () = tokio::time::sleep_until(wake.min(self.end)) => {}
            }
        }
    }

    /// Whether the page looks different by it. If that cannot be read, it is not fetched for nothing either.
    async fn concerns(&self, change: &Change) -> bool {
        if is_of_days(change, self.employee, self.month) {
            return true;
        }
        let punches = rows::any_of(&self.state.store, self.employee.0, &change.punches).await;
        punches.unwrap_or(false)
    }
}

/// Whether a day of that person in the month reads differently, or everything may.
fn is_of_days(change: &Change, employee: EmployeeId, month: Date) -> bool {
    let mut days = change.days.iter();
    change.everything || days.any(|(who, day)| *who == employee && day.first_of_month() == month)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(employee: i64, day: &str, expected: bool) {
        let change = Change {
            days: vec![(EmployeeId(employee), day.parse().expect("a date"))],
            ..Change::default()
        };
        let may = Date::constant(2026, 5, 1);
        assert_eq!(is_of_days(&change, EmployeeId(7), may), expected);
    }

    #[test]
    fn only_days_that_are_shown_are_told() {
        check(7, "2026-05-31", true);
        check(7, "2026-04-30", false);
        check(7, "2025-05-12", false);
        check(8, "2026-05-12", false);
        let may = Date::constant(2026, 5, 1);
        assert!(is_of_days(&Change::everything(), EmployeeId(7), may));
    }
}

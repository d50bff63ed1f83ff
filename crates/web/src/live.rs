//! `/live/today`: what changed on the board, as server-sent events. A region is the same template as in the page.

use std::collections::HashMap;
use std::convert::Infallible;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use askama::Template;
use axum::extract::{Query, State};
use axum::response::sse::{Event, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use serde::Deserialize;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::WebState;
use crate::board::{Board, Facts};
use crate::error::PageError;
use crate::pages;
use crate::session::Visitor;
use crate::ui::{Section, Ui};

/// The page counts ages from it, and knows by it that the stream lives.
pub(crate) const TICK: Duration = Duration::from_secs(15);
/// A stream ends after this long; the browser opens it again, and its session is checked again.
pub(crate) const LIFE: Duration = Duration::from_secs(15 * 60);

macro_rules! regions {
    ($($event:literal: $name:ident = $path:literal),+ $(,)?) => {
        $(#[derive(Template)]
        #[template(path = $path)]
        #[allow(dead_code, reason = "a template may need only one of them")]
        struct $name<'a> {
            ui: &'a Ui,
            board: &'a Board,
        })+

        /// Every region of the page by the name of its event.
        fn render_regions(ui: &Ui, board: &Board) -> Result<Vec<(&'static str, String)>, askama::Error> {
            Ok(vec![$(($event, $name { ui, board }.render()?)),+])
        }
    };
}

regions! {
    "heading": Heading = "today/heading.html",
    "last": Last = "today/last.html",
    "notices": Notices = "today/notices.html",
    "counters": Counters = "today/counters.html",
    "brief": BriefCard = "today/brief.html",
    "arrivals": ArrivalsCard = "today/arrivals.html",
    "departments": Departments = "today/departments.html",
    "punch": Punches = "today/punches.html",
    "not-arrived": NotArrived = "today/not_arrived.html",
    "unknown": Unknown = "today/unknown.html",
    "late": Late = "today/late.html",
    "devices": Devices = "today/devices.html",
}

/// Everything below the counters, for when its arrangement changes: before the first start, and after it.
#[derive(Template)]
#[template(path = "today/board.html")]
struct Whole<'a> {
    ui: &'a Ui,
    board: &'a Board,
}

#[derive(Deserialize)]
pub(crate) struct LiveQuery {
    site: Option<i64>,
    /// As on the page.
    #[serde(default)]
    team: String,
    /// The snapshot the page was made of; nothing is sent before there is a newer one.
    v: Option<u64>,
    /// Whether the page is arranged as before the first start: 1 or 0.
    early: Option<u8>,
}

pub(crate) async fn today(
    State(state): State<WebState>,
    visitor: Visitor,
    Query(query): Query<LiveQuery>,
) -> Result<Response, PageError> {
    visitor.require(visitor.may().today || visitor.may().team)?;
    let viewer = Viewer {
        versions: state.boards.watch(),
        closing: state.closing(),
        state,
        visitor,
        site: query.site,
        team: query.team,
        seen: query.v,
        hashes: HashMap::new(),
        early: query.early.map(|early| early == 1),
        waiting: Vec::new(),
        next_tick: Instant::now(),
        end: Instant::now() + LIFE,
    };
    let events = stream::unfold(viewer, |mut viewer| async move {
        let event = viewer.next().await?;
        Some((Ok::<_, Infallible>(event), viewer))
    });
    let headers = [("cache-control", "no-store"), ("x-accel-buffering", "no")];
    Ok((headers, Sse::new(events)).into_response())
}

/// One open stream.
struct Viewer {
    state: WebState,
    visitor: Visitor,
    site: Option<i64>,
    team: String,
    versions: watch::Receiver<u64>,
    closing: watch::Receiver<bool>,
    seen: Option<u64>,
    /// What each region looked like when it was last sent.
    hashes: HashMap<&'static str, u64>,
    /// How the page is arranged, as far as it is known.
    early: Option<bool>,
    waiting: Vec<Event>,
    next_tick: Instant,
    end: Instant,
}

impl Viewer {
    /// The next event; `None` ends the stream.
    async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.waiting.pop() {
                return Some(event);
            }
            if Instant::now() >= self.end || *self.closing.borrow() {
                return None;
            }
            let version = *self.versions.borrow_and_update();
            if self.seen != Some(version) {
                let first = self.seen.is_none();
                self.seen = Some(version);
                let facts = match self.facts().await {
                    Ok(facts) => facts?,
                    Err(error) => {
                        tracing::warn!(
                            error = &error as &dyn std::error::Error,
                            "a live page cannot be read"
                        );
                        return None; // the browser tries again
                    }
                };
                self.render(&facts, first)?;
                continue;
            }
            if self.hashes.is_empty() {
                // The page has this snapshot; what it looks like is needed to know what changes.
                let facts = self.facts().await.ok()??;
                self.render(&facts, false)?;
                self.waiting.clear();
            }
            if Instant::now() >= self.next_tick {
                self.next_tick = Instant::now() + TICK;
                return self.tick().await;
            }
            tokio::select! {
                changed = self.versions.changed() => changed.ok()?,
                closed = self.closing.changed() => closed.ok()?,
                () = tokio::time::sleep_until(self.next_tick.min(self.end)) => {}
            }
        }
    }

    async fn facts(&self) -> Result<Option<Arc<Facts>>, PageError> {
        pages::today::facts(&self.state, &self.visitor, self.site, &self.team).await
    }

    /// Puts the regions that look different into the queue; `all` sends every one.
    fn render(&mut self, facts: &Arc<Facts>, all: bool) -> Option<()> {
        let now = self.state.clock.now();
        let ui = self.visitor.ui(&self.state, Section::Today);
        let board = Board::new(facts, now);
        let regions = render_regions(&ui, &board).ok()?;
        let rearranged = self
            .early
            .replace(board.early)
            .is_some_and(|was| was != board.early);
        let mut events = Vec::new();
        for (name, html) in regions {
            let hash = look(&html);
            let changed = self.hashes.insert(name, hash) != Some(hash);
            let within = !matches!(name, "heading" | "last" | "notices" | "counters");
            if (changed || all) && !(rearranged && within) {
                events.push(Event::default().event(name).data(html));
            }
        }
        if rearranged {
            let html = Whole {
                ui: &ui,
                board: &board,
            }
            .render()
            .ok()?;
            events.push(Event::default().event("board").data(html));
        }
        events.reverse(); // they are taken from the end
        self.waiting = events;
        Some(())
    }

    async fn tick(&self) -> Option<Event> {
        let now = self.state.clock.now();
        let facts = self.facts().await.ok()?;
        let board = facts.map(|facts| Board::new(&facts, now));
        let data = serde_json::json!({
            "now": now.as_millisecond(),
            "spoken": board.as_ref().map(Board::spoken),
            "clock": board.map(|board| board.clock),
        });
        Some(Event::default().event("tick").data(data.to_string()))
    }
}

/// A hash of a region without its ages, which the page counts by itself.
fn look(html: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    let mut rest = html;
    while let Some(at) = rest.find("<time ") {
        let (before, time) = rest.split_at(at);
        before.hash(&mut hasher);
        let opened = time.find('>').unwrap_or(0);
        time[..opened].hash(&mut hasher);
        rest = time.find("</time>").map_or("", |end| &time[end..]);
    }
    rest.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_is_no_change_but_another_punch_is() {
        let row =
            |age: &str, at: i64| format!("<b>Gate</b> <time data-ago=\"{at}\">{age}</time> x");
        assert_eq!(look(&row("4 s ago", 1)), look(&row("9 s ago", 1)));
        assert_ne!(look(&row("4 s ago", 1)), look(&row("4 s ago", 2)));
        assert_ne!(look("<b>3</b>"), look("<b>4</b>"));
    }
}

//! What is planned: shifts and their patterns, the roster, holidays and leave. The roster leads to the others.

mod calendar;
mod import;
mod patterns;
mod roster;
mod shifts;

use std::collections::HashMap;

use attendance::ShiftId;
use axum::Router;
use axum::routing::{get, post};
use store::StoreError;
use store::calendar::NamedShift;
use store::planning_files::plan_by_names;
use store::roster::DayPlan;

use super::form::{refusal, sentence};
use crate::error::PageError;
use crate::text::msg;

pub(super) fn routes() -> Router<crate::WebState> {
    Router::new()
        .route("/shifts", get(shifts::list))
        .route("/shifts/new", get(shifts::new).post(shifts::add))
        .route("/shifts/{id}", get(shifts::edit).post(shifts::save))
        .route(
            "/shifts/{kind}/{id}",
            get(patterns::show).post(patterns::save),
        )
        .route("/roster", get(roster::show))
        .route("/roster/plan", post(roster::change))
        .route(
            "/roster/{code}/{date}",
            get(roster::day).post(roster::set_day),
        )
        .route("/calendar", get(calendar::show))
        .route("/calendar/holiday", post(calendar::add_holiday))
        .route("/calendar/leave", post(calendar::add_leave))
        .route("/calendar/type", post(calendar::save_type))
        .route("/calendar/remove", post(calendar::remove))
        .route("/import/{kind}", get(import::show).post(import::take))
}

/// The shifts by name and by id, for plans as people write them.
struct ShiftNames {
    by_name: HashMap<String, ShiftId>,
    by_id: HashMap<ShiftId, String>,
}

impl ShiftNames {
    fn of(shifts: &[NamedShift]) -> Self {
        let by_name = shifts.iter().map(|shift| (shift.name.clone(), shift.id));
        let by_id = shifts.iter().map(|shift| (shift.id, shift.name.clone()));
        Self {
            by_name: by_name.collect(),
            by_id: by_id.collect(),
        }
    }

    /// The plan of a text; nothing typed is a day off.
    fn plan(&self, text: &str) -> Result<DayPlan, String> {
        match text.trim() {
            "" => Ok(DayPlan::Off),
            text => plan_by_names(text, &self.by_name).map_err(|mistake| sentence(&mistake)),
        }
    }

    /// A plan as it is typed.
    fn text(&self, plan: &DayPlan) -> String {
        let names: Vec<&str> = plan
            .shifts()
            .iter()
            .filter_map(|id| self.by_id.get(id).map(String::as_str))
            .collect();
        match plan {
            DayPlan::Off => "off".to_owned(),
            DayPlan::Shifts(_) => names.join("+"),
            DayPlan::Auto(_) => format!("auto {}", names.join("+")),
        }
    }

    /// All names and the word for a day off, for choosing.
    fn choices(&self) -> Vec<String> {
        let mut names: Vec<String> = self.by_name.keys().cloned().collect();
        names.sort_unstable();
        names.insert(0, "off".to_owned());
        names
    }
}

/// In words beside the field, if what was entered is at fault.
fn refused(error: StoreError) -> Result<String, PageError> {
    match error {
        StoreError::Closed { .. }
        | StoreError::Invalid(_)
        | StoreError::Duplicate { .. }
        | StoreError::NotFound { .. } => Ok(refusal(&error).to_string()),
        error => Err(error.into()),
    }
}

/// `09:00–18:00`.
fn span(from: impl std::fmt::Display, to: impl std::fmt::Display) -> String {
    msg("times-span")
        .with("from", from)
        .with("to", to)
        .to_string()
}

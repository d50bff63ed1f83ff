//! One module per page: what it asks the store, and the template it fills.

mod away;
mod changes;
mod closing;
mod day;
mod devices;
mod door;
mod exceptions;
mod exports;
mod failures;
mod form;
mod inbox;
mod month;
mod people;
mod planning;
mod remarks;
mod reports;
mod requests;
mod roll_call;
mod rules;
mod settings;
mod setup;
mod timecards;
pub mod today;
mod users;

pub(crate) use day::words;
pub(crate) use remarks::Remarks;

use axum::Router;
use axum::extract::State;
use axum::response::Redirect;
use axum::routing::{get, post};

use crate::WebState;
use crate::session::Visitor;

/// Every page but today's.
pub(crate) fn routes() -> Router<WebState> {
    Router::new()
        .merge(inbox::routes())
        .merge(roll_call::routes())
        .merge(failures::routes())
        .merge(people::routes())
        .merge(month::routes())
        .merge(closing::routes())
        .merge(exceptions::routes())
        .merge(requests::routes())
        .merge(exports::routes())
        .merge(timecards::routes())
        .merge(reports::routes())
        .merge(planning::routes())
        .merge(settings::routes())
        .merge(users::routes())
        .merge(devices::operations::routes())
        .merge(devices::trust::routes())
        .merge(devices::orders::routes())
        .merge(devices::place::routes())
        .merge(devices::parked::routes())
        .merge(devices::waiting::routes())
        .merge(devices::coverage::routes())
        .route("/day", get(day::today))
        .route("/day/{date}", get(day::show))
        .route("/devices", get(devices::list))
        .route("/devices/poll", post(devices::poll_all))
        .route(
            "/devices/new",
            get(devices::form::new).post(devices::form::add),
        )
        .route("/devices/{serial}", get(devices::show))
        .route("/devices/{serial}/poll", post(devices::poll))
        .route("/devices/{serial}/doctor", post(devices::examine))
        .route(
            "/devices/{serial}/edit",
            get(devices::form::edit).post(devices::form::save),
        )
        .route("/devices/{serial}/clock", post(devices::clock::set))
        .route("/devices/{serial}/shift", post(devices::clock::shift))
        .route(
            "/devices/{serial}/shift/{id}/undo",
            post(devices::clock::undo),
        )
        .route("/devices/{serial}/remove", post(devices::retire))
        .merge(devices::fingerprints::routes())
        .route("/login", get(door::login).post(door::sign_in))
        .route("/logout", post(door::sign_out))
        .route(
            "/setup/company",
            get(setup::company).post(setup::save_company),
        )
        .route("/setup/device", get(setup::device).post(setup::add_device))
        .route("/setup/people", get(setup::people))
        .route("/setup/{token}", get(door::setup).post(door::make_owner))
        .route("/account", get(door::account))
        .route("/account/password", post(door::change_password))
}

/// `/`: the landing page of the role.
pub(crate) async fn home(State(_): State<WebState>, visitor: Visitor) -> Redirect {
    Redirect::to(visitor.may().landing())
}

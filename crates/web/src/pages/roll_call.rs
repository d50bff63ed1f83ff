//! `/rollcall`, `/rollcall/new` and `/rollcall/{id}`: attendance taken by a person when terminals cannot see people (R35, R36).
//!
//! A roll call says who was there; it never says that somebody was not. Real punches win, before and after it.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use askama::Template;
use attendance::{CorrectionId, EmployeeId};
use axum::Router;
use axum::extract::{Form, Path, Query, State};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use jiff::civil::{Date, DateTime, Time};
use jiff::{Span, Timestamp};
use serde::Deserialize;
use store::StoreError;
use store::corrections::{Side, Voided};
use store::views::board::{PersonDevice, full_name};
use store::views::day::{self, DayRow};
use store::views::devices::DeviceRow;
use store::views::roll_calls::{self, CalledPerson, RollCallRow};
use store::views::{board, devices};

use super::day::{Choice, words};
use super::form::{Errors, filled, refusal};
use crate::WebState;
use crate::board::{Frame, path_part};
use crate::error::{PageError, html};
use crate::format::{self, Chip};
use crate::session::Visitor;
use crate::text::msg;
use crate::ui::{Section, Ui};

/// Roll calls in the list.
const LISTED: i64 = 100;

pub(super) fn routes() -> Router<WebState> {
    Router::new()
        .route("/rollcall", get(list))
        .route("/rollcall/new", get(new).post(take))
        .route("/rollcall/{id}", get(show))
        .route("/rollcall/{id}/void", post(void))
}

#[derive(Template)]
#[template(path = "rollcalls.html")]
struct RollCallsPage<'a> {
    ui: &'a Ui,
    rows: Vec<Row>,
}

struct Row {
    href: String,
    at: String,
    people: i64,
    reason: String,
    author: String,
}

async fn list(State(state): State<WebState>, visitor: Visitor) -> Result<Response, PageError> {
    visitor.require(visitor.may().roll_call)?;
    let ui = visitor.ui(&state, Section::RollCall);
    let today = ui.now.to_zoned(ui.zone.clone()).date();
    let row = |row: RollCallRow| Row {
        href: format!("/rollcall/{}", row.id),
        at: wall(&row.at, today),
        people: row.people,
        reason: row.reason,
        author: row.author.unwrap_or_default(),
    };
    let rows = roll_calls::list(&state.store, LISTED).await?;
    html(&RollCallsPage {
        rows: rows.into_iter().map(row).collect(),
        ui: &ui,
    })
}

/// `Tue 12 May 09:22` of a stored wall time.
fn wall(text: &str, today: Date) -> String {
    let time = format::wall_minutes(text);
    match format::stored_date(text) {
        Some(date) => format!("{} {time}", format::short_date(date, today)),
        None => time.to_owned(),
    }
}

/// What a new roll call is about. `person` may come several times, so it is read from pairs.
#[derive(Clone, Debug, Default)]
struct Call {
    site: Option<i64>,
    /// A device id; only people known to it are listed.
    device: Option<i64>,
    date: String,
    time: String,
    side: String,
    reason: String,
    /// Everybody is listed, not only who has not been seen.
    everybody: bool,
    people: BTreeSet<i64>,
    /// Only another list is wanted; what is typed and ticked stays.
    filter: bool,
}

impl Call {
    fn read(pairs: Vec<(String, String)>) -> Self {
        let mut call = Self::default();
        for (name, value) in pairs {
            match name.as_str() {
                "site" => call.site = value.parse().ok(),
                "device" => call.device = value.parse().ok(),
                "date" => call.date = value,
                "time" => call.time = value,
                "side" => call.side = value,
                "reason" => call.reason = value,
                "show" => call.everybody = value == "all",
                "filter" => call.filter = true,
                "person" => call.people.extend(value.parse::<i64>()),
                _ => {}
            }
        }
        call
    }

    fn side(&self) -> Side {
        match self.side.as_str() {
            "out" => Side::Out,
            _ => Side::In,
        }
    }
}

#[derive(Template)]
#[template(path = "rollcall_new.html")]
struct NewPage<'a> {
    ui: &'a Ui,
    errors: &'a Errors,
    call: &'a Call,
    caption: String,
    sites: Vec<Choice>,
    devices: Vec<Choice>,
    people: Vec<Person>,
    /// How many of the site are on the roll that day.
    roll: usize,
    max_date: Date,
}

impl NewPage<'_> {
    fn leaving(&self) -> bool {
        self.call.side() == Side::Out
    }
}

/// Somebody who can be ticked.
struct Person {
    id: i64,
    name: String,
    code: String,
    department: String,
    note: String,
    chip: Chip,
    chosen: bool,
}

async fn new(
    State(state): State<WebState>,
    visitor: Visitor,
    Query(query): Query<Vec<(String, String)>>,
) -> Result<Response, PageError> {
    visitor.require(visitor.may().roll_call)?;
    let mut call = Call::read(query);
    let plan = Plan::of(&state, &mut call).await?;
    if call.time.is_empty() && call.date == plan.today.to_string() {
        call.time = format::clock_time(state.clock.now(), &plan.zone);
    }
    page(&state, &visitor, &call, &plan, &Errors::default()).await
}

/// Where and when the call is made.
struct Plan {
    frame: std::sync::Arc<Frame>,
    site: i64,
    zone: jiff::tz::TimeZone,
    today: Date,
    date: Date,
    devices: Vec<DeviceRow>,
}

impl Plan {
    /// Fills what the call leaves open: the site of its device or the default one, and today.
    ///
    /// # Errors
    /// [`PageError::NotFound`] before there is a site.
    async fn of(state: &WebState, call: &mut Call) -> Result<Self, PageError> {
        let frame = state.boards.frame();
        let devices = devices::list(&state.store, None).await?;
        // The device of another site was chosen before the site was changed.
        let here = |device: &&DeviceRow| call.site.is_none_or(|site| site == device.site_id);
        let device = devices.iter().find(|device| Some(device.id) == call.device);
        let device = device.filter(here);
        call.device = device.map(|device| device.id);
        let wanted = device.map(|device| device.site_id).or(call.site);
        let site = frame.site(wanted).ok_or(PageError::NotFound)?;
        let zone = format::zone(&site.zone);
        let today = state.clock.now().to_zoned(zone.clone()).date();
        let date = call.date.parse().unwrap_or(today);
        call.site = Some(site.id);
        call.date = date.to_string();
        Ok(Self {
            site: site.id,
            devices: devices
                .into_iter()
                .filter(|device| device.site_id == site.id)
                .collect(),
            zone,
            today,
            date,
            frame,
        })
    }
}

async fn page(
    state: &WebState,
    visitor: &Visitor,
    call: &Call,
    plan: &Plan,
    errors: &Errors,
) -> Result<Response, PageError> {
    let rows = day::rows(&state.store, Some(plan.site), &call.date).await?;
    let roll = rows.len();
    let ids: Vec<i64> = rows.iter().map(|row| row.id).collect();
    let uses = board::devices_of(&state.store, &ids).await?;
    let people = rows
        .into_iter()
        .filter(|row| call.people.contains(&row.id) || listed(row, call, &uses))
        .map(|row| person(row, call, &uses, &plan.devices))
        .collect();
    let choice = |id: i64, name: &str, chosen: Option<i64>| Choice {
        value: id.to_string(),
        name: name.to_owned(),
        chosen: chosen == Some(id),
    };
    html(&NewPage {
        ui: &visitor.ui(state, Section::RollCall),
        caption: format::long_date(plan.date).to_string(),
        sites: plan
            .frame
            .sites
            .iter()
            .map(|site| choice(site.id, &site.name, Some(plan.site)))
            .collect(),
        devices: plan
            .devices
            .iter()
            .map(|device| choice(device.id, &device.name, call.device))
            .collect(),
        people,
        roll,
        max_date: plan.today,
        errors,
        call,
    })
}

/// Who is offered: those nobody has seen yet, or for leaving those who have not left, at the device if one is given.
fn listed(row: &DayRow, call: &Call, uses: &[PersonDevice]) -> bool {
    let at_device = call.device.is_none_or(|device| {
        uses.iter()
            .any(|one| one.employee_id == row.id && one.device_id == device)
    });
    let open = match call.side() {
        Side::In => matches!(
            row.status.as_deref(),
            Some("unknown" | "not_arrived" | "absent")
        ),
        Side::Out => row.first_in.is_some() && row.last_out.is_none(),
    };
    at_device && (open || call.everybody)
}

fn person(row: DayRow, call: &Call, uses: &[PersonDevice], devices: &[DeviceRow]) -> Person {
    let own: Vec<&str> = uses
        .iter()
        .filter(|one| one.employee_id == row.id)
        .filter_map(|one| devices.iter().find(|device| device.id == one.device_id))
        .map(|device| device.name.as_str())
        .collect();
    let note = match (&row.first_in, own.as_slice()) {
        (Some(first_in), _) => msg("first-in-at")
            .with("time", format::wall_minutes(first_in))
            .to_string(),
        (None, [only]) => msg("uses-only").with("device", only).to_string(),
        (None, _) => String::new(),
    };
    Person {
        id: row.id,
        name: row.name(),
        chip: match row.status.as_deref() {
            Some(status) => Chip::of(status, row.late_min.unwrap_or(0), None, false),
            None => Chip::not_judged(),
        },
        department: row.department.unwrap_or_default(),
        chosen: call.people.contains(&row.id),
        code: row.code,
        note,
    }
}

async fn take(
    State(state): State<WebState>,
    visitor: Visitor,
    Form(form): Form<Vec<(String, String)>>,
) -> Result<Response, PageError> {
    visitor.require(visitor.may().roll_call)?;
    let mut call = Call::read(form);
    let date_is_wrong = call.date.parse::<Date>().is_err();
    let plan = Plan::of(&state, &mut call).await?;
    let mut errors = Errors::default();
    if call.filter {
        return page(&state, &visitor, &call, &plan, &errors).await;
    }
    if date_is_wrong {
        errors.add("date", msg("date-wrong"));
    }
    let at = called_at(&call, &plan, state.clock.now(), &mut errors);
    if filled(&call.reason).is_none() {
        errors.add("reason", msg("rollcall-reason-missing"));
    }
    let ids: Vec<i64> = call.people.iter().copied().collect();
    let employed = store::views::people::employed(&state.store, &call.date, &ids).await?;
    if call.people.is_empty() {
        errors.add("people", msg("rollcall-nobody"));
    } else if employed.len() < ids.len() {
        errors.add("people", msg("rollcall-not-employed"));
    }
    if let Some(at) = at.filter(|_| errors.is_empty()) {
        let tx = state.store.begin_write().await?;
        let ids: Vec<EmployeeId> = ids.into_iter().map(EmployeeId).collect();
        let author = visitor.author(&state);
        match tx
            .roll_call(&ids, at, call.side(), &call.reason, author)
            .await
        {
            Ok(entered) => {
                tx.commit().await?;
                state.engine.edited();
                let first = entered.first().map_or(0, |id| id.0);
                return Ok(Redirect::to(&format!("/rollcall/{first}")).into_response());
            }
            Err(error @ (StoreError::Invalid(_) | StoreError::NotFound { .. })) => {
                tx.rollback().await?;
                errors.add("people", refusal(&error));
            }
            Err(error) => return Err(error.into()),
        }
    }
    page(&state, &visitor, &call, &plan, &errors).await
}

/// The wall time of the call, not later than now.
fn called_at(call: &Call, plan: &Plan, now: Timestamp, errors: &mut Errors) -> Option<DateTime> {
    let Ok(time) = call.time.trim().parse::<Time>() else {
        errors.add("time", msg("rollcall-time-missing"));
        return None;
    };
    let at = plan.date.to_datetime(time);
    if at > now.to_zoned(plan.zone.clone()).datetime() {
        errors.add("time", msg("rollcall-time-to-come"));
        return None;
    }
    Some(at)
}

#[derive(Template)]
#[template(path = "rollcall.html")]
struct RollCallPage<'a> {
    ui: &'a Ui,
    errors: &'a Errors,
    id: i64,
    heading: String,
    caption: String,
    reason: String,
    called: Vec<Called>,
    /// Called people whom a terminal has seen too.
    seen: usize,
    again: String,
    day_href: String,
    /// Some calls still count.
    standing: bool,
}

/// One person of a roll call: what was said, and what the terminals say.
struct Called {
    id: i64,
    href: String,
    name: String,
    code: String,
    department: String,
    said: String,
    voided: bool,
    /// Time and device of the person's punch on that side of the day.
    punch: Option<(String, String)>,
    chip: Chip,
    note: String,
}

async fn show(
    State(state): State<WebState>,
    visitor: Visitor,
    Path(id): Path<i64>,
) -> Result<Response, PageError> {
    visitor.require(visitor.may().roll_call)?;
    called_page(&state, &visitor, id, &Errors::default()).await
}

async fn called_page(
    state: &WebState,
    visitor: &Visitor,
    id: i64,
    errors: &Errors,
) -> Result<Response, PageError> {
    let people = roll_calls::people(&state.store, id).await?;
    let Some(first) = people.first() else {
        return Err(PageError::NotFound);
    };
    let ui = visitor.ui(state, Section::RollCall);
    let today = ui.now.to_zoned(ui.zone.clone()).date();
    let date = format::stored_date(&first.at).unwrap_or(today);
    let employee = state.store.employee(EmployeeId(first.employee_id)).await?;
    let site = employee.map_or_else(String::new, |one| format!("&site={}", one.fields.site));
    let leaving = first.direction.as_deref() == Some(Side::Out.as_str());
    let punches = punches_of(state, &people, date, leaving).await?;
    let made = format::instant(first.made_ms);
    let heading = if leaving {
        "rollcall-left-at"
    } else {
        "rollcall-here-at"
    };
    let page = RollCallPage {
        id,
        heading: msg(heading)
            .with("time", format::wall_minutes(&first.at))
            .to_string(),
        caption: msg("rollcall-made")
            .with("date", format::long_date(date))
            .with("author", first.author.as_deref().unwrap_or("Muster"))
            .with("made", format::moment(made, ui.now, &ui.zone))
            .to_string(),
        reason: first.reason.clone(),
        again: format!("/rollcall/new?date={date}{site}"),
        day_href: format!("/day/{date}?{}", site.trim_start_matches('&')),
        seen: people
            .iter()
            .filter(|one| punches.contains_key(&one.employee_id))
            .count(),
        standing: people.iter().any(|one| !one.voided),
        called: people
            .into_iter()
            .map(|one| {
                let punch = punches.get(&one.employee_id).cloned();
                called(one, leaving, punch)
            })
            .collect(),
        errors,
        ui: &ui,
    };
    html(&page)
}

/// For each person the first punch of the date, or the last one for leaving, with the name of its device.
async fn punches_of(
    state: &WebState,
    people: &[CalledPerson],
    date: Date,
    leaving: bool,
) -> Result<HashMap<i64, (String, String)>, PageError> {
    let ids: Vec<i64> = people.iter().map(|one| one.employee_id).collect();
    let employees = store::views::people::employed(&state.store, &date.to_string(), &ids).await?;
    let zones: BTreeMap<i64, jiff::tz::TimeZone> = employees
        .into_iter()
        .map(|one| (one.id, format::zone(&one.zone)))
        .collect();
    // Zones reach from UTC−12 to UTC+14; each person's own date decides below.
    let around = |days: i64| {
        let day = date.saturating_add(Span::new().days(days));
        let start = day
            .to_zoned(jiff::tz::TimeZone::UTC)
            .map_err(|_| PageError::NotFound)?;
        Ok::<_, PageError>(start.timestamp().as_millisecond())
    };
    let seen = day::seen_of(&state.store, &ids, around(-1)?, around(2)?).await?;
    let devices = devices::list(&state.store, None).await?;
    let mut found: HashMap<i64, (String, String)> = HashMap::new();
    for punch in &seen {
        let Some(zone) = zones.get(&punch.employee_id) else {
            continue;
        };
        let at = format::instant(punch.instant_ms);
        if at.to_zoned(zone.clone()).date() != date {
            continue;
        }
        let device = devices.iter().find(|device| device.id == punch.device_id);
        let name = device.map(|device| device.name.clone()).unwrap_or_default();
        let entry = (format::clock_seconds(at, zone), name);
        if leaving {
            found.insert(punch.employee_id, entry);
        } else {
            found.entry(punch.employee_id).or_insert(entry);
        }
    }
    Ok(found)
}

fn called(one: CalledPerson, leaving: bool, punch: Option<(String, String)>) -> Called {
    let conflict = words(one.exceptions.as_deref().unwrap_or_default())
        .any(|word| word == "roll_call_conflict");
    let note = match (&punch, conflict) {
        _ if one.voided => msg("rollcall-voided").to_string(),
        (_, true) => msg("exception-roll_call_conflict").to_string(),
        (Some(_), false) => msg("rollcall-superseded").to_string(),
        (None, false) => String::new(),
    };
    let side = if leaving {
        "rollcall-left"
    } else {
        "rollcall-here"
    };
    Called {
        id: one.employee_id,
        href: format!("/people/{}", path_part(&one.code)),
        name: full_name(&one.first_name, &one.last_name),
        department: one.department.unwrap_or_default(),
        said: format!("{} {}", msg(side), format::wall_minutes(&one.at)),
        voided: one.voided,
        chip: match one.status.as_deref() {
            Some(status) => Chip::of(status, one.late_min.unwrap_or(0), None, false),
            None => Chip::not_judged(),
        },
        code: one.code,
        punch,
        note,
    }
}

#[derive(Deserialize)]
struct VoidForm {
    #[serde(default)]
    reason: String,
}

/// Takes a whole roll call back. Its entries stay visible.
async fn void(
    State(state): State<WebState>,
    visitor: Visitor,
    Path(id): Path<i64>,
    Form(form): Form<VoidForm>,
) -> Result<Response, PageError> {
    visitor.require(visitor.may().roll_call)?;
    let people = roll_calls::people(&state.store, id).await?;
    if people.is_empty() {
        return Err(PageError::NotFound);
    }
    let Some(reason) = filled(&form.reason) else {
        let mut errors = Errors::default();
        errors.add("reason", msg("rollcall-reason-missing"));
        return called_page(&state, &visitor, id, &errors).await;
    };
    let tx = state.store.begin_write().await?;
    for one in people.iter().filter(|one| !one.voided) {
        let what = Voided::Correction(CorrectionId(one.correction_id));
        tx.void(what, &reason, visitor.author(&state)).await?;
    }
    tx.commit().await?;
    state.engine.edited();
    Ok(Redirect::to(&format!("/rollcall/{id}")).into_response())
}

//! `/setup/company`, `/setup/device`, `/setup/people`: first run, after the owner account. Each step can be done later.

use askama::Template;
use attendance::{DeviceId, HourMinute, SegmentSpec, Shift, ShiftId};
use axum::extract::{Form, State};
use axum::response::{IntoResponse, Redirect, Response};
use jiff::civil::Weekday;
use store::people::Site;
use store::{Author, Store, StoreError, WriteTx};

use super::day::Choice;
use super::devices::form::{DeviceForm, site_choices};
use super::form::{Errors, refusal};
use crate::WebState;
use crate::error::{PageError, html};
use crate::format;
use crate::session::Visitor;
use crate::text::msg;
use crate::ui::{Section, Ui};

#[derive(Clone, Debug)]
struct CompanyForm {
    company: String,
    site: String,
    zone: String,
    start: String,
    end: String,
    /// Weekdays that are off, 1 is Monday.
    off: Vec<i8>,
}

impl Default for CompanyForm {
    fn default() -> Self {
        Self {
            company: String::new(),
            site: String::new(),
            zone: String::new(),
            start: "09:00".into(),
            end: "18:00".into(),
            off: Vec::new(),
        }
    }
}

impl CompanyForm {
    /// From the pairs of a sent form, in which a name may be there several times.
    fn read(pairs: Vec<(String, String)>) -> Self {
        let mut form = Self::default();
        for (name, value) in pairs {
            match name.as_str() {
                "company" => form.company = value,
                "site" => form.site = value,
                "zone" => form.zone = value,
                "start" => form.start = value,
                "end" => form.end = value,
                "off" => form.off.extend(value.parse::<i8>()),
                _ => {}
            }
        }
        form
    }
}

#[derive(Template)]
#[template(path = "setup_company.html")]
struct CompanyPage<'a> {
    ui: &'a Ui,
    errors: &'a Errors,
    form: &'a CompanyForm,
    zones: Vec<String>,
    days: Vec<Choice>,
    step: usize,
}

fn company_page(
    state: &WebState,
    visitor: &Visitor,
    form: &CompanyForm,
    errors: &Errors,
) -> Result<Response, PageError> {
    html(&CompanyPage {
        ui: &visitor.ui(state, Section::Door),
        errors,
        zones: jiff::tz::db()
            .available()
            .map(|zone| zone.to_string())
            .collect(),
        days: (1..=7)
            .map(|day| Choice {
                value: day.to_string(),
                name: msg(format!("weekday-short-{day}")).to_string(),
                chosen: form.off.contains(&day),
            })
            .collect(),
        form,
        step: 2,
    })
}

pub(crate) async fn company(
    State(state): State<WebState>,
    visitor: Visitor,
) -> Result<Response, PageError> {
    visitor.require(visitor.may().edit_devices && visitor.may().edit_people)?;
    if !is_open(&state.store).await? {
        return Ok(Redirect::to("/").into_response());
    }
    // The zone of a server says less than the browser's guess.
    let made = state.store.default_site().await?;
    let form = CompanyForm {
        site: made.map(|site| site.name).unwrap_or_default(),
        off: vec![6, 7],
        ..CompanyForm::default()
    };
    company_page(&state, &visitor, &form, &Errors::default())
}

pub(crate) async fn save_company(
    State(state): State<WebState>,
    visitor: Visitor,
    Form(pairs): Form<Vec<(String, String)>>,
) -> Result<Response, PageError> {
    let form = CompanyForm::read(pairs);
    visitor.require(visitor.may().edit_devices && visitor.may().edit_people)?;
    if !is_open(&state.store).await? {
        return Ok(Redirect::to("/").into_response());
    }
    let mut errors = Errors::default();
    let time = |text: &str| text.parse::<HourMinute>().ok();
    let (start, end) = (time(&form.start), time(&form.end));
    for (field, time) in [("start", &start), ("end", &end)] {
        if time.is_none() {
            errors.add(field, msg("setup-time-wrong"));
        }
    }
    for (field, text, key) in [
        ("company", &form.company, "setup-company-missing"),
        ("site", &form.site, "setup-site-missing"),
    ] {
        if text.trim().is_empty() {
            errors.add(field, msg(key));
        }
    }
    if jiff::tz::TimeZone::get(form.zone.trim()).is_err() {
        errors.add("zone", msg("setup-zone-wrong"));
    }
    if let (true, Some(start), Some(end)) = (errors.is_empty(), start, end) {
        let author = visitor.author(&state);
        let tx = state.store.begin_write().await?;
        let saved = async {
            tx.set_setting("company", Some(form.company.trim()), author)
                .await?;
            let zone = form.zone.trim();
            match state.store.default_site().await? {
                None => {
                    tx.add_site(&form.site, zone, author).await?;
                }
                Some(made) => {
                    take_over_site(&state.store, &tx, &made, &form.site, zone, author).await?
                }
            }
            let shift = Shift {
                segments: vec![SegmentSpec { start, end }],
                ..Shift::default()
            };
            let name = msg("setup-shift-name").to_string();
            let shift = tx.add_shift(&name, &shift, author).await?;
            tx.set_setting("default_shift", Some(&shift.to_string()), author)
                .await?;
            let days: Vec<(Weekday, Option<u8>)> = form
                .off
                .iter()
                .filter_map(|day| Weekday::from_monday_one_offset(*day).ok())
                .map(|day| (day, None))
                .collect();
            let mut off = None;
            if !days.is_empty() {
                let name = msg("setup-weekly-off-name").to_string();
                let added = tx.add_weekly_off(&name, &days, author).await?;
                off = Some(added);
                tx.set_setting("default_weekly_off", Some(&added.to_string()), author)
                    .await?;
            }
            give_usual_plan(&state.store, &tx, shift, off, author).await
        };
        match saved.await {
            Ok(()) => {
                tx.commit().await?;
                state.boards.refresh_frame().await?;
                state.engine.edited();
                return Ok(Redirect::to("/setup/device").into_response());
            }
            Err(error @ (StoreError::Invalid(_) | StoreError::Duplicate { .. })) => {
                tx.rollback().await?;
                errors.add("site", refusal(&error));
            }
            Err(error) => return Err(error.into()),
        }
    }
    company_page(&state, &visitor, &form, &errors)
}

/// The company has not been described yet. It may have a site all the same: the command line makes one for the first device.
pub(crate) async fn is_open(store: &Store) -> Result<bool, StoreError> {
    Ok(store.setting("company").await?.is_none())
}

/// Names the site that the command line made. Devices whose clocks were taken to run in its zone follow it.
async fn take_over_site(
    store: &Store,
    tx: &WriteTx,
    made: &Site,
    name: &str,
    zone: &str,
    author: Author,
) -> Result<(), StoreError> {
    tx.edit_site(made.id, name, zone, author).await?;
    for device in store.devices().await? {
        let id = DeviceId(device.id);
        let follows = [(None, made.zone.clone())];
        if device.site_id == made.id.0 && store.device_zones(id).await? == follows {
            tx.set_device_zone(id, None, zone, author).await?;
        }
    }
    Ok(())
}

/// People who came before the first shift did get it now, as those who come later will.
async fn give_usual_plan(
    store: &Store,
    tx: &WriteTx,
    shift: ShiftId,
    off: Option<i64>,
    author: Author,
) -> Result<(), StoreError> {
    for mut person in store.employees().await? {
        let fields = &mut person.fields;
        if fields.week_pattern.is_none() && fields.shift.is_none() {
            fields.shift = Some(shift);
            fields.weekly_off = fields.weekly_off.or(off);
            tx.edit_employee(person.id, fields, author).await?;
        }
    }
    Ok(())
}

#[derive(Template)]
#[template(path = "setup_device.html")]
struct DeviceStepPage<'a> {
    ui: &'a Ui,
    errors: &'a Errors,
    form: &'a DeviceForm,
    sites: Vec<Choice>,
    step: usize,
}

pub(crate) async fn device(
    State(state): State<WebState>,
    visitor: Visitor,
) -> Result<Response, PageError> {
    visitor.require(visitor.may().edit_devices)?;
    device_page(&state, &visitor, &DeviceForm::default(), &Errors::default())
}

fn device_page(
    state: &WebState,
    visitor: &Visitor,
    form: &DeviceForm,
    errors: &Errors,
) -> Result<Response, PageError> {
    html(&DeviceStepPage {
        ui: &visitor.ui(state, Section::Door),
        errors,
        sites: site_choices(state, form.site),
        form,
        step: 3,
    })
}

pub(crate) async fn add_device(
    State(state): State<WebState>,
    visitor: Visitor,
    Form(form): Form<DeviceForm>,
) -> Result<Response, PageError> {
    visitor.require(visitor.may().edit_devices)?;
    let mut errors = Errors::default();
    match form.add(&state, &visitor, &mut errors).await? {
        Some(_) => Ok(Redirect::to("/setup/people").into_response()),
        None => {
            form.tell_lost_secrets(&mut errors);
            device_page(&state, &visitor, &form, &errors)
        }
    }
}

#[derive(Template)]
#[template(path = "setup_people.html")]
struct PeopleStepPage<'a> {
    ui: &'a Ui,
    /// The time at the site, as a check of its zone.
    now: String,
    zone: String,
    step: usize,
}

pub(crate) async fn people(
    State(state): State<WebState>,
    visitor: Visitor,
) -> Result<Response, PageError> {
    visitor.require(visitor.may().edit_people)?;
    let ui = visitor.ui(&state, Section::Door);
    let frame = state.boards.frame();
    let site = frame.site(None).ok_or(PageError::NotFound)?;
    html(&PeopleStepPage {
        now: format::clock_time(ui.now, &ui.zone),
        zone: site.zone.clone(),
        ui: &ui,
        step: 4,
    })
}

//! `/devices/new` and `/devices/{serial}/edit`: registering and changing a device.

use std::collections::BTreeSet;

use askama::Template;
use attendance::{DeviceId, SiteId, Way};
use axum::Form;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Redirect, Response};
use ingest::DeviceKind;
use serde::Deserialize;
use store::StoreError;
use store::devices::{DeviceFields, NewDevice, SecretEdit};
use store::secrets::Secret;
use store::views::devices::DeviceRow;

use super::waiting::how_to_call;
use super::{direction, in_use};
use crate::WebState;
use crate::board::path_part;
use crate::error::{PageError, html};
use crate::pages::day::Choice;
use crate::pages::form::{Errors, filled, refusal};
use crate::session::Visitor;
use crate::text::msg;
use crate::ui::{Section, Ui};

/// The kind that is chosen in an empty form.
const USUAL: DeviceKind = DeviceKind::Zk;

/// Not `Debug`: it holds secrets.
#[derive(Clone, Deserialize)]
#[serde(default)]
pub(crate) struct DeviceForm {
    pub kind: String,
    pub serial_number: String,
    pub name: String,
    pub site: i64,
    pub address: String,
    pub port: String,
    /// Empty lets the next reading find it out.
    pub transport: String,
    pub username: String,
    /// Empty keeps what is stored.
    pub password: String,
    pub comm_key: String,
    pub clear_secrets: Option<String>,
    pub direction: String,
    pub interval_min: String,
    /// Checkboxes send nothing when they are not ticked; the form of an existing device says that it has one.
    pub poll: Option<String>,
    pub live: Option<String>,
    pub push: Option<String>,
    /// The form has ticks for the ways in.
    pub ways: Option<String>,
    pub set_clock: Option<String>,
    /// Whatever certificate it shows is taken.
    pub any_certificate: Option<String>,
    pub enabled: Option<String>,
    pub existing: Option<String>,
}

impl Default for DeviceForm {
    fn default() -> Self {
        Self {
            kind: USUAL.as_str().into(),
            serial_number: String::new(),
            name: String::new(),
            site: 0,
            address: String::new(),
            port: String::new(),
            transport: String::new(),
            username: String::new(),
            password: String::new(),
            comm_key: String::new(),
            clear_secrets: None,
            direction: "none".into(),
            interval_min: "5".into(),
            poll: None,
            live: None,
            push: None,
            ways: None,
            set_clock: None,
            any_certificate: None,
            enabled: None,
            existing: None,
        }
    }
}

/// What is stored of a device that may show any certificate.
const ANY: &str = "any";

/// The names of those between which its terminals have to be told apart.
fn transports(kind: DeviceKind) -> impl Iterator<Item = &'static str> {
    kind.transports().iter().map(|one| one.as_str())
}

fn ways(device: &DeviceRow) -> Vec<Way> {
    let ways = device.mode.split(',');
    ways.filter_map(|way| Way::from_name(way.trim())).collect()
}

impl DeviceForm {
    fn of(device: &DeviceRow) -> Self {
        let ways = ways(device);
        let ticked = |way| ways.contains(&way).then(|| "1".into());
        Self {
            kind: device.kind.clone(),
            serial_number: device.serial_number.clone(),
            name: device.name.clone(),
            site: device.site_id,
            address: device.address.clone().unwrap_or_default(),
            port: device.port.map(|port| port.to_string()).unwrap_or_default(),
            transport: device.transport.clone().unwrap_or_default(),
            username: device.username.clone().unwrap_or_default(),
            direction: device.direction.clone(),
            interval_min: (device.poll_interval_s / 60).max(1).to_string(),
            poll: ticked(Way::Poll),
            live: ticked(Way::Live),
            push: ticked(Way::Push),
            set_clock: device.set_clock.then(|| "1".into()),
            any_certificate: (device.certificate.as_deref() == Some(ANY)).then(|| "1".into()),
            enabled: device.enabled.then(|| "1".into()),
            existing: Some("1".into()),
            ..Self::default()
        }
    }

    /// What to store, as far as the fields make sense; `before` are the ways in as they were.
    fn fields(&self, before: Vec<Way>, errors: &mut Errors) -> DeviceFields {
        let kind = DeviceKind::from_name(&self.kind).unwrap_or(USUAL);
        let mode = self.mode(before, kind);
        if mode.is_empty() {
            errors.add("ways", msg("device-no-way"));
        }
        let port = match filled(&self.port) {
            None => None,
            Some(port) => port
                .parse::<u16>()
                .ok()
                .filter(|port| *port > 0)
                .or_else(|| {
                    errors.add("port", msg("device-port-wrong"));
                    None
                }),
        };
        let minutes = self
            .interval_min
            .trim()
            .parse::<u32>()
            .ok()
            .filter(|m| (1..=1440).contains(m));
        if minutes.is_none() {
            errors.add("interval_min", msg("device-interval-wrong"));
        }
        if self.serial_number.trim().is_empty() {
            errors.add("serial_number", msg("device-serial-missing"));
        }
        if kind.has_comm_key()
            && filled(&self.comm_key).is_some_and(|key| key.parse::<u32>().is_err())
        {
            errors.add("comm_key", msg("device-comm-key-wrong"));
        }
        let name = filled(&self.name).or_else(|| filled(&self.serial_number));
        DeviceFields {
            kind: kind.as_str().into(),
            serial_number: self.serial_number.clone(),
            name: name.unwrap_or_default(),
            site: SiteId(self.site),
            address: filled(&self.address),
            port,
            transport: filled(&self.transport)
                .filter(|name| transports(kind).any(|one| one == name)),
            username: filled(&self.username),
            mode,
            enabled: self.existing.is_none() || self.enabled.is_some(),
            direction: direction(&self.direction).to_owned(),
            poll_interval_secs: minutes.unwrap_or(5) * 60,
            set_clock: self.set_clock.is_some() && kind.sets_clock(),
        }
    }

    /// The ways in that are ticked, as far as the kind has them; a form without ticks leaves those from before.
    fn mode(&self, before: Vec<Way>, kind: DeviceKind) -> Vec<Way> {
        let live = self.live.is_some() && kind.tells_live();
        let (poll, push) = match &self.ways {
            // What is listened to is polled on the same connection.
            Some(_) => (self.poll.is_some() || live, self.push.is_some()),
            None => (before.contains(&Way::Poll), before.contains(&Way::Push)),
        };
        let push = push && kind.calls();
        let ways = [(Way::Poll, poll), (Way::Live, live), (Way::Push, push)];
        let used = ways.into_iter().filter(|(_, used)| *used);
        used.map(|(way, _)| way).collect()
    }

    /// A secret never goes back into a page, so whoever corrects another field has to type it again.
    pub fn tell_lost_secrets(&self, errors: &mut Errors) {
        for (field, typed) in [("comm_key", &self.comm_key), ("password", &self.password)] {
            if filled(typed).is_some() && errors.of(field).is_none() {
                errors.add(field, msg("device-secret-not-kept"));
            }
        }
    }

    fn secret(&self, typed: &str) -> SecretEdit {
        match (filled(typed), &self.clear_secrets) {
            (Some(secret), _) => SecretEdit::Set(Secret::new(secret)),
            (None, Some(_)) => SecretEdit::Clear,
            (None, None) => SecretEdit::Keep,
        }
    }

    /// Registers the device; errors are put beside their fields.
    pub async fn add(
        &self,
        state: &WebState,
        visitor: &Visitor,
        errors: &mut Errors,
    ) -> Result<Option<String>, PageError> {
        let mut form = self.clone();
        if form.site == 0 {
            form.site = state.boards.frame().site(None).map_or(0, |site| site.id);
        }
        let fields = form.fields(vec![Way::Poll], errors);
        if !errors.is_empty() {
            return Ok(None);
        }
        let serial = fields.serial_number.trim().to_owned();
        let secret = |typed: &str| filled(typed).map(Secret::new);
        let new = NewDevice {
            fields,
            password: secret(&form.password),
            comm_key: secret(&form.comm_key),
            zone: None,
        };
        let tx = state.store.begin_write().await?;
        match tx.add_device(&new, visitor.author(state)).await {
            Ok(device) => {
                if form.any_certificate.is_some() {
                    tx.set_certificate(device, Some(ANY), visitor.author(state))
                        .await?;
                }
                tx.commit().await?;
                state.engine.edited();
                Ok(Some(serial))
            }
            Err(error) => {
                tx.rollback().await?;
                refuse(error, errors)?;
                Ok(None)
            }
        }
    }
}

/// Puts what the store refused beside the field it is about.
fn refuse(error: StoreError, errors: &mut Errors) -> Result<(), PageError> {
    match error {
        StoreError::Duplicate { .. } => errors.add("serial_number", refusal(&error)),
        StoreError::Proven { .. } | StoreError::Invalid(_) | StoreError::NotFound { .. } => {
            errors.add("serial_number", refusal(&error));
        }
        StoreError::Secret(_) => errors.add("password", refusal(&error)),
        other => return Err(other.into()),
    }
    Ok(())
}

#[derive(Template)]
#[template(path = "device_form.html")]
struct DeviceFormPage<'a> {
    ui: &'a Ui,
    errors: &'a Errors,
    form: &'a DeviceForm,
    sites: Vec<Choice>,
    transports: Vec<&'static str>,
    /// The device that is edited.
    device: Option<&'a DeviceRow>,
    action: String,
    /// How to have a terminal call.
    how: String,
}

/// The form of a new device, or of `device`.
fn page(
    state: &WebState,
    visitor: &Visitor,
    form: &DeviceForm,
    errors: &Errors,
    device: Option<&DeviceRow>,
) -> Result<Response, PageError> {
    html(&DeviceFormPage {
        ui: &visitor.ui(state, Section::Devices),
        errors,
        sites: site_choices(state, form.site),
        // Which kind it is can be changed in the form.
        transports: BTreeSet::from_iter(DeviceKind::ALL.iter().copied().flat_map(transports))
            .into_iter()
            .collect(),
        form,
        how: how_to_call(&state.config),
        action: match device {
            None => "/devices/new".into(),
            Some(device) => format!("/devices/{}/edit", path_part(&device.serial_number)),
        },
        device,
    })
}

pub(in crate::pages) fn site_choices(state: &WebState, chosen: i64) -> Vec<Choice> {
    let frame = state.boards.frame();
    let sites = frame.sites.iter();
    sites
        .map(|site| Choice {
            value: site.id.to_string(),
            name: site.name.clone(),
            chosen: site.id == chosen,
        })
        .collect()
}

pub(crate) async fn new(
    State(state): State<WebState>,
    visitor: Visitor,
) -> Result<Response, PageError> {
    visitor.require(visitor.may().edit_devices)?;
    if state.boards.frame().sites.is_empty() {
        return Ok(Redirect::to("/setup/company").into_response());
    }
    let form = DeviceForm {
        poll: Some("1".into()),
        ..DeviceForm::default()
    };
    page(&state, &visitor, &form, &Errors::default(), None)
}

pub(crate) async fn add(
    State(state): State<WebState>,
    visitor: Visitor,
    Form(form): Form<DeviceForm>,
) -> Result<Response, PageError> {
    visitor.require(visitor.may().edit_devices)?;
    let mut errors = Errors::default();
    match form.add(&state, &visitor, &mut errors).await? {
        Some(serial) => {
            let to = format!("/devices/{}?asked=1", path_part(&serial));
            Ok(Redirect::to(&to).into_response())
        }
        None => {
            form.tell_lost_secrets(&mut errors);
            page(&state, &visitor, &form, &errors, None)
        }
    }
}

pub(crate) async fn edit(
    State(state): State<WebState>,
    visitor: Visitor,
    Path(serial): Path<String>,
) -> Result<Response, PageError> {
    visitor.require(visitor.may().edit_devices)?;
    let device = in_use(&state, &serial).await?;
    let form = DeviceForm::of(&device);
    page(&state, &visitor, &form, &Errors::default(), Some(&device))
}

pub(crate) async fn save(
    State(state): State<WebState>,
    visitor: Visitor,
    Path(serial): Path<String>,
    Form(form): Form<DeviceForm>,
) -> Result<Response, PageError> {
    visitor.require(visitor.may().edit_devices)?;
    let device = in_use(&state, &serial).await?;
    let mut errors = Errors::default();
    let fields = form.fields(ways(&device), &mut errors);
    if errors.is_empty() {
        let tx = state.store.begin_write().await?;
        let saved = tx
            .edit_device(
                DeviceId(device.id),
                &fields,
                &form.secret(&form.password),
                &form.secret(&form.comm_key),
                visitor.author(&state),
            )
            .await;
        match saved {
            Ok(()) => {
                let took_any = device.certificate.as_deref() == Some(ANY);
                if form.any_certificate.is_some() != took_any {
                    let certificate = form.any_certificate.as_ref().map(|_| ANY);
                    let author = visitor.author(&state);
                    tx.set_certificate(DeviceId(device.id), certificate, author)
                        .await?;
                }
                tx.commit().await?;
                state.engine.edited();
                let to = format!("/devices/{}", path_part(fields.serial_number.trim()));
                return Ok(Redirect::to(&to).into_response());
            }
            Err(error) => {
                tx.rollback().await?;
                refuse(error, &mut errors)?;
            }
        }
    }
    form.tell_lost_secrets(&mut errors);
    page(&state, &visitor, &form, &errors, Some(&device))
}

//! `/devices` and `/devices/{serial}`: the condition of the terminals, and what to do with one. The form, the doctor and what
//! is done at a terminal are in modules of their own, and so is what concerns those that call.

mod calls;
mod clear_log;
pub(super) mod clock;
pub(super) mod coverage;
mod doctor;
mod drift;
pub(super) mod fingerprints;
pub(super) mod form;
pub(super) mod operations;
pub(super) mod orders;
pub(super) mod parked;
pub(super) mod place;
pub(super) mod trust;
mod users;
pub(super) mod waiting;

use std::collections::BTreeMap;

use askama::Template;
use attendance::DeviceId;
use axum::extract::{Path, Query, State};
use axum::http::HeaderMap;
use axum::response::{Redirect, Response};
use ingest::{DeviceKind, Diagnosis, PollFailure};
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use store::views::devices::{
    self, CycleRow, DeviceRow, DeviceUserRow, FailureRow, Outage, ParkedRow, UserCounts,
};

use self::clock::{ClockCard, ShiftForm};
use super::form::sentence;
use crate::WebState;
use crate::board::path_part;
use crate::devices::{Condition, failing_step, in_contact, only_calls, why_not_polled};
use crate::error::{PageError, html};
use crate::format::{self, Ago, Lasting};
use crate::session::{Outcome, Told, Visitor};
use crate::text::{Msg, msg};
use crate::ui::{Section, Ui};

/// Cycles, failures and users on a device's page.
const CYCLES: i64 = 20;
const FAILURES: i64 = 10;
const USERS: i64 = 12;
const PARKED: i64 = 10;
/// Half hours of the contact strip.
const SLOTS: i64 = 48;
const SLOT: SignedDuration = SignedDuration::from_mins(30);

#[derive(Template)]
#[template(path = "devices.html")]
struct DevicesPage<'a> {
    ui: &'a Ui,
    caption: String,
    rows: Vec<Line>,
    failures: Vec<FailureLine>,
    /// Some device can be polled.
    polled: bool,
    /// How many are read because somebody asked for it a moment ago.
    asked: Option<usize>,
    /// Terminals that call and are not registered.
    waiting: Option<waiting::Card>,
    /// What came of deciding about one of them.
    told: Option<Outcome>,
}

struct Line {
    href: String,
    name: String,
    model: String,
    condition: Condition,
    ways: Vec<String>,
    contact: Option<Ago>,
    read_up_to: String,
    cycle: LastCycle,
    drift: String,
    drift_off: bool,
    users: String,
    strip: Strip,
    serial: String,
    address: String,
}

enum LastCycle {
    None,
    Read { new: i64, read: i64 },
    Failed(String),
}

/// The last 24 hours in half hours: whether the device was away in each; `None` before it was ever read. Down is short and
/// red.
struct Strip(Vec<Option<bool>>);

impl std::fmt::Display for Strip {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let down = self.0.iter().filter(|down| **down == Some(true)).count();
        let all = self.0.iter().flatten().count();
        let label = msg("contact-strip")
            .count("down", down)
            .count("all", all)
            .to_string();
        write!(
            f,
            "<svg class=\"strip\" width=\"144\" height=\"18\" role=\"img\" aria-label=\"{}\">",
            format::Escaped(&label)
        )?;
        for (slot, down) in self.0.iter().enumerate() {
            let Some(down) = down else {
                continue;
            };
            let (class, height) = if *down {
                ("f-absent", 8)
            } else {
                ("f-present", 18)
            };
            let (x, y) = (slot * 3, 18 - height);
            write!(
                f,
                "<rect class=\"{class}\" x=\"{x}\" y=\"{y}\" width=\"2\" height=\"{height}\" rx=\"1\"/>"
            )?;
        }
        f.write_str("</svg>")
    }
}

impl askama::filters::HtmlSafe for Strip {}

fn strip(device: &DeviceRow, outages: &[Outage], now: Timestamp) -> Strip {
    let slots = (0..SLOTS).map(|slot| {
        let begins = now - SLOT * i32::try_from(SLOTS - slot).unwrap_or(0);
        let (from, to) = (begins.as_millisecond(), (begins + SLOT).as_millisecond());
        let down = outages.iter().any(|outage| {
            outage.device_id == device.id
                && outage.began_ms < to
                && outage.ended_ms.is_none_or(|ended| ended > from)
        });
        let known = down || device.first_verified_ms.is_some_and(|first| first < to);
        known.then_some(down)
    });
    Strip(slots.collect())
}

pub(super) struct FailureLine {
    pub device: String,
    pub href: String,
    pub since: String,
    pub lasted: String,
    pub step: String,
    pub message: String,
    pub count: i64,
    pub open: bool,
    pub device_id: i64,
    pub people: i64,
}

pub(super) fn failure_line(row: FailureRow, now: Timestamp, people: i64) -> FailureLine {
    let zone = format::zone(&row.zone);
    let began = format::instant(row.began_ms);
    let ended = row.ended_ms.map(format::instant);
    let since = format::moment(began, now, &zone);
    FailureLine {
        device: row.device,
        href: format!("/devices/{}", path_part(&row.serial_number)),
        since: match ended {
            None => msg("since").with("time", since).to_string(),
            Some(ended) => msg("from-to")
                .with("from", since)
                .with("to", format::clock_time(ended, &zone))
                .to_string(),
        },
        lasted: format::duration(ended.unwrap_or(now).duration_since(began)),
        step: step(&row.step),
        message: sentence(&row.message),
        count: row.count,
        open: ended.is_none(),
        device_id: row.device_id,
        people,
    }
}

/// A step of a conversation, as people say it; a name this program does not know stays as it is.
pub(super) fn step(name: &str) -> String {
    match name {
        "resolve" | "connect" | "tls" | "sign_in" | "identify" | "clock" | "counters" | "users"
        | "punches" | "live" | "call" | "upload" => msg(format!("step-{name}")).to_string(),
        other => other.to_owned(),
    }
}

/// `ZKTeco SpeedFace-V5L`.
fn model(device: &DeviceRow) -> String {
    format!("{} {}", brand(&device.kind), device.model)
        .trim()
        .to_owned()
}

fn brand(kind: &str) -> String {
    match DeviceKind::from_name(kind) {
        Some(_) => msg(format!("kind-{kind}")).to_string(),
        None => kind.to_owned(),
    }
}

/// Whether it is of a kind that is or can so.
fn is_of(device: &DeviceRow, so: fn(DeviceKind) -> bool) -> bool {
    DeviceKind::from_name(&device.kind).is_some_and(so)
}

fn drift(seconds: i64) -> String {
    let sign = match seconds {
        1.. => "+",
        0 => "",
        _ => "−",
    };
    format!(
        "{sign}{}",
        msg("duration-seconds").count("seconds", seconds.abs())
    )
}

#[derive(Deserialize)]
pub(crate) struct DevicesQuery {
    asked: Option<usize>,
}

pub(crate) async fn list(
    State(state): State<WebState>,
    visitor: Visitor,
    Query(query): Query<DevicesQuery>,
    Told(told): Told,
) -> Result<Response, PageError> {
    visitor.require(visitor.may().devices)?;
    let ui = visitor.ui(&state, Section::Devices);
    let now = ui.now;
    let rows = devices::list(&state.store, None).await?;
    let cycles: BTreeMap<i64, CycleRow> = devices::last_cycles(&state.store)
        .await?
        .into_iter()
        .map(|cycle| (cycle.device_id, cycle))
        .collect();
    let since = now - SLOT * i32::try_from(SLOTS).unwrap_or(0);
    let outages = devices::outages_since(&state.store, since.as_millisecond()).await?;
    let day = now.to_zoned(ui.zone.clone()).date().to_string();
    let unknown: BTreeMap<i64, i64> = devices::unknown_people(&state.store, &day)
        .await?
        .into_iter()
        .collect();
    let failures = devices::failures(&state.store, None, FAILURES, 0).await?;
    html(&DevicesPage {
        polled: rows.iter().any(|device| why_not_polled(device).is_none()),
        asked: query.asked,
        waiting: waiting::card(&state, &visitor, &ui).await?,
        told,
        caption: msg("devices-in-contact")
            .count("well", in_contact(&rows))
            .count("all", rows.len())
            .to_string(),
        rows: rows
            .into_iter()
            .map(|device| line(&device, cycles.get(&device.id), &outages, now))
            .collect(),
        failures: failures
            .into_iter()
            .map(|row| {
                let people = unknown.get(&row.device_id).copied().unwrap_or(0);
                failure_line(row, now, people)
            })
            .collect(),
        ui: &ui,
    })
}

fn line(device: &DeviceRow, cycle: Option<&CycleRow>, outages: &[Outage], now: Timestamp) -> Line {
    let zone = format::zone(&device.zone);
    Line {
        href: format!("/devices/{}", path_part(&device.serial_number)),
        name: device.name.clone(),
        model: model(device),
        condition: Condition::of(device),
        ways: device
            .mode
            .split(',')
            .map(|way| msg(format!("way-{}", way.trim())).to_string())
            .collect(),
        contact: device.last_contact_ms.map(|at| Ago {
            at: format::instant(at),
            now,
            zone: zone.clone(),
        }),
        read_up_to: device
            .covered_to_ms
            .map(|at| format::moment(format::instant(at), now, &zone))
            .unwrap_or_default(),
        cycle: match cycle {
            None => LastCycle::None,
            Some(cycle) => match &cycle.error {
                Some(_) => LastCycle::Failed(step(cycle.step.as_deref().unwrap_or_default())),
                None => LastCycle::Read {
                    new: cycle.new,
                    read: cycle.read,
                },
            },
        },
        drift: device.clock_drift_s.map(drift).unwrap_or_default(),
        drift_off: Condition::of(device) == Condition::ClockOff,
        users: device
            .user_count
            .map(|users| users.to_string())
            .unwrap_or_default(),
        strip: strip(device, outages, now),
        serial: device.serial_number.clone(),
        address: device
            .address
            .as_ref()
            .or(device.calls_from.as_ref())
            .cloned()
            .unwrap_or_default(),
    }
}

#[derive(Template)]
#[template(path = "device.html")]
struct DevicePage<'a> {
    ui: &'a Ui,
    device: &'a DeviceRow,
    condition: Condition,
    lasting: Option<Lasting>,
    /// What is wrong, and what to do.
    trouble: Option<(String, String)>,
    cycles: Vec<Cycle>,
    failures: Vec<FailureLine>,
    identity: Vec<(String, String)>,
    users: Vec<DeviceUserRow>,
    counts: UserCounts,
    parked: Vec<Parked>,
    clock: ClockCard,
    shown: &'a Shown,
    /// What the doctor found.
    doctor: Option<Vec<doctor::Line>>,
    /// The log gets full: what to do, and whether that is urgent.
    filling: Option<(String, bool)>,
    /// For who may use them, of a kind that has them.
    fingerprints: Option<fingerprints::Card>,
    /// What is to be decided about its sign-in.
    trust: Option<trust::Card>,
    /// Why it is not polled.
    not_polled: Option<Msg>,
    people: i64,
    /// What came of an operation.
    told: Option<Outcome>,
    /// Whether this person may change something at the terminal.
    can_change: bool,
    kind: Option<DeviceKind>,
    /// Nobody reads it: it calls.
    only_calls: bool,
    calls: Option<calls::Card>,
    place: Option<place::Card>,
    orders: Option<orders::Card>,
    /// The day at the site.
    today: String,
}

struct Cycle {
    began: String,
    took: String,
    read: i64,
    new: i64,
    duplicate: i64,
    rejected: i64,
    error: Option<String>,
    folded: String,
}

struct Parked {
    reason: String,
    way: String,
    last: String,
    count: i64,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct DeviceQuery {
    /// A read was asked for a moment ago.
    asked: Option<u8>,
    /// `table` instead of the drawing.
    clock: Option<String>,
}

/// What a page of a device says beside what is known of it.
#[derive(Default)]
struct Shown {
    query: DeviceQuery,
    /// A shift of punches that is to be shown, and not made.
    shift: ShiftForm,
    /// What the doctor found.
    diagnosis: Option<Result<Diagnosis, PollFailure>>,
    /// What was done at the terminal a moment ago.
    told: Option<Outcome>,
    /// The page is there and asks for the parts of it that change by themselves.
    renewed: bool,
}

pub(crate) async fn show(
    State(state): State<WebState>,
    visitor: Visitor,
    Path(serial): Path<String>,
    Query(query): Query<DeviceQuery>,
    Query(shift): Query<ShiftForm>,
    headers: HeaderMap,
    Told(told): Told,
) -> Result<Response, PageError> {
    visitor.require(visitor.may().devices)?;
    let shown = Shown {
        query,
        shift,
        told,
        renewed: headers.contains_key("hx-request"),
        ..Shown::default()
    };
    page(&state, &visitor, &serial, shown).await
}

async fn page(
    state: &WebState,
    visitor: &Visitor,
    serial: &str,
    mut shown: Shown,
) -> Result<Response, PageError> {
    let told = shown.told.take();
    let device = known(state, serial).await?;
    let ui = visitor.ui(state, Section::Devices);
    let now = ui.now;
    let zone = format::zone(&device.zone);
    let cycles = devices::cycles(&state.store, device.id, CYCLES).await?;
    let failures = devices::failures(&state.store, Some(device.id), FAILURES, 0).await?;
    let day = now.to_zoned(zone.clone()).date().to_string();
    let unknown = devices::unknown_people(&state.store, &day).await?;
    let people = unknown
        .iter()
        .find(|(id, _)| *id == device.id)
        .map_or(0, |(_, people)| *people);
    let condition = Condition::of(&device);
    html(&DevicePage {
        condition,
        lasting: device.failing_since_ms.map(|since| Lasting {
            since: format::instant(since),
            now,
            zone: zone.clone(),
        }),
        trouble: trouble(
            &device,
            condition,
            state.engine.locator.searches(&device.kind),
            || waiting::how_to_call(&state.config),
        ),
        trust: trust::card(visitor, &device),
        not_polled: why_not_polled(&device),
        cycles: cycles
            .into_iter()
            .map(|row| cycle(row, now, &zone))
            .collect(),
        failures: failures
            .into_iter()
            .map(|row| failure_line(row, now, people))
            .collect(),
        identity: identity(&device, now),
        users: devices::users(&state.store, device.id, USERS).await?,
        counts: devices::user_counts(&state.store, device.id).await?,
        parked: devices::parked(&state.store, device.id, PARKED)
            .await?
            .into_iter()
            .map(|row: ParkedRow| Parked {
                reason: sentence(&row.reason),
                way: msg(format!("way-{}", row.way)).to_string(),
                last: format::moment(format::instant(row.last_ms), now, &zone),
                count: row.count,
            })
            .collect(),
        clock: clock::card(state, visitor, &device, &shown, now).await?,
        shown: &shown,
        doctor: shown.diagnosis.as_ref().map(doctor::lines),
        filling: filling(&device),
        fingerprints: match only_calls(&device) {
            true => None,
            false => fingerprints::card(state, visitor, &device).await?,
        },
        only_calls: only_calls(&device),
        calls: calls::card(state, &device, &ui).await?,
        place: place::card(state, visitor, &device, &ui).await?,
        orders: orders::card(state, visitor, &device, &ui).await?,
        today: day,
        people,
        told,
        can_change: operations::can_change(visitor, &device),
        kind: DeviceKind::from_name(&device.kind),
        device: &device,
        ui: &ui,
    })
}

async fn known(state: &WebState, serial: &str) -> Result<DeviceRow, PageError> {
    devices::by_serial(&state.store, serial)
        .await?
        .ok_or(PageError::NotFound)
}

/// The same, without those that were removed: nothing can be done with them any more.
async fn in_use(state: &WebState, serial: &str) -> Result<DeviceRow, PageError> {
    let device = known(state, serial).await?;
    match device.retired_ms {
        None => Ok(device),
        Some(_) => Err(PageError::NotFound),
    }
}

/// What failed at which step; what to do. `searched`: a device of its kind is found without an address. `how`: to have one
/// call.
fn trouble(
    device: &DeviceRow,
    condition: Condition,
    searched: bool,
    how: impl Fn() -> String,
) -> Option<(String, String)> {
    let error = device.last_error.as_ref().map(sentence).unwrap_or_default();
    let uploads = failing_step(device) == "upload";
    match condition {
        Condition::WaitingForCall => {
            return Some((msg("trouble-waiting-call-title").to_string(), how()));
        }
        // What the error says is what to do.
        Condition::NoPush => {
            let why = device.failing_message.as_ref();
            let why = why.map(sentence).unwrap_or_default();
            return Some((msg("trouble-no-push-title").to_string(), why));
        }
        Condition::ReadingFails if uploads => {
            let why = device.failing_message.as_ref();
            let why = why.map(sentence).unwrap_or_default();
            return Some((msg("trouble-uploads-title").to_string(), why));
        }
        _ => {}
    }
    let key = match condition {
        Condition::NoContact => "no-contact",
        Condition::NoCalls => "no-calls",
        Condition::Refused => "refused",
        Condition::NotIdentified => "not-identified",
        Condition::ReadingFails => "reading-fails",
        Condition::WaitingForAddress if searched => "searching",
        Condition::WaitingForAddress => "waiting",
        Condition::ClockOff => "clock-off",
        _ => return None,
    };
    let place = match (&device.address, device.port) {
        (Some(address), Some(port)) => msg("address-port")
            .with("address", address)
            .with("port", port)
            .to_string(),
        (Some(address), None) => address.clone(),
        _ => String::new(),
    };
    let drift_s = device.clock_drift_s.unwrap_or_default();
    let title = msg(format!("trouble-{key}-title"))
        .with("address", place)
        .with("name", &device.name)
        .with("drift", drift::long_drift(drift_s))
        .with("serial", &device.serial_number)
        .to_string();
    let reason = device.last_error_reason.as_deref().unwrap_or_default();
    let text = match condition {
        Condition::NoCalls => None,
        _ if condition.is_down() => doctor::advice(reason),
        _ => None,
    };
    let text = text
        .unwrap_or_else(|| msg(format!("trouble-{key}-text")))
        .to_string();
    let text = match condition {
        Condition::ClockOff | Condition::WaitingForAddress | Condition::NoCalls => text,
        _ => format!("{error} {text}"),
    };
    Some((title, text))
}

/// A log of which less than a fifth is free; less than a twentieth is urgent.
fn filling(device: &DeviceRow) -> Option<(String, bool)> {
    let records = u32::try_from(device.record_count?).ok()?;
    let capacity = u32::try_from(device.record_capacity?).ok()?;
    let percent = ingest::log_fullness(records, capacity)?;
    let text = msg("device-filling").count("percent", percent);
    Some((text.to_string(), percent >= 95))
}

fn cycle(row: CycleRow, now: Timestamp, zone: &jiff::tz::TimeZone) -> Cycle {
    let began = format::instant(row.began_ms);
    let ended = format::instant(row.ended_ms);
    let took = ended.duration_since(began).as_secs_f64().max(0.0);
    let same_day = began.to_zoned(zone.clone()).date() == now.to_zoned(zone.clone()).date();
    Cycle {
        began: if same_day {
            format::clock_seconds(began, zone)
        } else {
            format::moment(began, now, zone)
        },
        took: msg("duration-seconds")
            .with("seconds", format!("{took:.1}"))
            .to_string(),
        read: row.read,
        new: row.new,
        duplicate: row.duplicate,
        rejected: row.rejected,
        error: row
            .error
            .as_ref()
            .map(|error| format!("{}: {error}", step(row.step.as_deref().unwrap_or_default()))),
        folded: if row.folded > 0 {
            msg("cycles-folded")
                .count("count", row.folded)
                .with("time", format::clock_seconds(ended, zone))
                .to_string()
        } else {
            String::new()
        },
    }
}

fn identity(device: &DeviceRow, now: Timestamp) -> Vec<(String, String)> {
    let zone = format::zone(&device.zone);
    let mut facts = Vec::new();
    let mut fact = |key: &str, value: String| {
        if !value.is_empty() {
            facts.push((msg(format!("device-{key}")).to_string(), value));
        }
    };
    let kind = match device.firmware.as_str() {
        "" => model(device),
        firmware => msg("device-firmware")
            .with("model", model(device))
            .with("firmware", firmware)
            .to_string(),
    };
    fact("kind", kind);
    fact("serial", device.serial_number.clone());
    let read = !only_calls(device);
    fact(
        "address",
        match (&device.address, device.port) {
            (Some(address), Some(port)) => format!("{address}:{port}"),
            (Some(address), None) => address.clone(),
            _ if read => msg("device-no-address").to_string(),
            _ => String::new(),
        },
    );
    fact(
        "transport",
        device
            .transport
            .as_ref()
            .filter(|_| read)
            .map(|name| name.to_uppercase())
            .unwrap_or_default(),
    );
    fact(
        "certificate",
        match device.certificate.as_deref() {
            Some("any") => msg("certificate-any").to_string(),
            shown => shown.unwrap_or_default().to_owned(),
        },
    );
    let has_comm_key = is_of(device, DeviceKind::has_comm_key);
    if has_comm_key && read && device.last_contact_ms.is_some() && !device.has_comm_key {
        fact("key", msg("device-key-none").to_string());
    }
    fact("site", format!("{}, {}", device.site, device.zone));
    let moment = |ms: Option<i64>| ms.map(|ms| format::moment(format::instant(ms), now, &zone));
    let not_live = device.live_refused.clone().unwrap_or_default();
    fact("live", moment(device.live_since_ms).unwrap_or_default());
    fact("not-live", not_live);
    fact(
        "covered",
        moment(device.covered_to_ms).unwrap_or_else(|| msg("device-never-read").to_string()),
    );
    if let (Some(records), Some(capacity)) = (device.record_count, device.record_capacity) {
        let log = msg("device-log-of")
            .count("records", records)
            .count("capacity", capacity);
        fact("log", log.to_string());
    }
    if read {
        let interval = SignedDuration::from_secs(device.poll_interval_s);
        fact("interval", format::duration(interval));
        fact("next", moment(device.next_poll_ms).unwrap_or_default());
    }
    fact(
        "direction",
        msg(format!("direction-{}", direction(&device.direction))).to_string(),
    );
    facts
}

fn direction(name: &str) -> &'static str {
    ["states", "in", "out"]
        .into_iter()
        .find(|known| *known == name)
        .unwrap_or("none")
}

/// Asks for a read of one device now. The page says why when it is not polled.
pub(crate) async fn poll(
    State(state): State<WebState>,
    visitor: Visitor,
    Path(serial): Path<String>,
) -> Result<Redirect, PageError> {
    visitor.require(visitor.may().edit_devices)?;
    let device = in_use(&state, &serial).await?;
    state
        .engine
        .poller
        .poll_now(Some(&[DeviceId(device.id)]))
        .await?;
    Ok(Redirect::to(&format!(
        "/devices/{}?asked=1",
        path_part(&serial)
    )))
}

/// Asks for a read of every device now.
pub(crate) async fn poll_all(
    State(state): State<WebState>,
    visitor: Visitor,
) -> Result<Redirect, PageError> {
    visitor.require(visitor.may().edit_devices)?;
    let asked = state.engine.poller.poll_now(None).await?.len();
    Ok(Redirect::to(&format!("/devices?asked={asked}")))
}

/// Examines a device and stores nothing.
pub(crate) async fn examine(
    State(state): State<WebState>,
    visitor: Visitor,
    Path(serial): Path<String>,
) -> Result<Response, PageError> {
    visitor.require(visitor.may().edit_devices)?;
    let device = in_use(&state, &serial).await?;
    let poller = &state.engine.poller;
    let diagnosis = poller.examine(DeviceId(device.id), &mut |_| {}).await?;
    let shown = Shown {
        diagnosis: Some(diagnosis),
        ..Shown::default()
    };
    page(&state, &visitor, &serial, shown).await
}

/// Removes a device; its punches stay.
pub(crate) async fn retire(
    State(state): State<WebState>,
    visitor: Visitor,
    Path(serial): Path<String>,
) -> Result<Redirect, PageError> {
    visitor.require(visitor.may().edit_devices)?;
    let device = in_use(&state, &serial).await?;
    let tx = state.store.begin_write().await?;
    tx.retire_device(DeviceId(device.id), visitor.author(&state))
        .await?;
    tx.commit().await?;
    state.engine.edited();
    Ok(Redirect::to("/devices"))
}

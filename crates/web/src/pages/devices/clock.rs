//! The clock on a device's page: how far it is off, setting it, and putting right what a wrong one recorded.

use attendance::DeviceId;
use axum::extract::{Form, Path, State};
use axum::response::Redirect;
use ingest::{DeviceKind, NotSet, SetClockFailure};
use jiff::civil::{Date, DateTime};
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use store::StoreError;
use store::clock_shifts::{NewClockShift, SetAside};
use store::times::wall_text;
use store::views::clocks::{self, ShiftRow};
use store::views::devices::DeviceRow;

use super::drift::{Drift, long_drift};
use super::operations::{Operator, page_of};
use super::{Shown, in_use, is_of, step};
use crate::WebState;
use crate::devices::{is_off, only_calls};
use crate::error::PageError;
use crate::format;
use crate::pages::form::{Errors, filled, sentence};
use crate::session::{Outcome, Visitor};
use crate::text::{Msg, msg};

/// The chart shows so many days.
const DAYS: i64 = 30;
/// Punches looked at to find runs, and shifts in the list.
const SET_ASIDE: usize = 20_000;
const SHIFTS: i64 = 10;
/// Punches of one run are not further apart on the wrong clock.
const RUN_GAP: SignedDuration = SignedDuration::from_hours(24);

/// What the page says of a device's clock.
pub(super) struct ClockCard {
    pub drift: Drift,
    /// At the last contact.
    pub now: Option<String>,
    pub off: bool,
    pub as_table: bool,
    /// It can be set, and the visitor may.
    pub can_set: bool,
    /// Who sets it ends that a time server does, where there is one.
    pub asks_time_servers: bool,
    pub runs: Vec<Run>,
    pub shifts: Vec<Shift>,
    pub errors: Errors,
}

/// Punches that are set aside and lie together on the clock that was wrong.
pub(super) struct Run {
    pub title: String,
    pub first: String,
    pub last: String,
    /// As the form sends them.
    pub from: String,
    pub to: String,
    pub form: ShiftForm,
    /// The one that the visitor is filling in.
    pub asked: bool,
    pub preview: Option<Preview>,
}

/// What a shift would do.
pub(super) struct Preview {
    pub punches: usize,
    pub shift_s: i64,
    pub shift: String,
    pub first: (String, String),
    pub last: (String, String),
}

/// A shift that was made.
pub(super) struct Shift {
    pub id: i64,
    pub title: String,
    pub made: String,
    pub undone: Option<String>,
}

/// What is asked of a run: a range of the wrong clock, and by how much it was wrong, in one of two ways.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct ShiftForm {
    pub from: String,
    pub to: String,
    /// An amount, `+9:30`.
    pub by: String,
    /// When the first of them really was.
    pub really: String,
    pub reason: String,
    /// Exactly, as the preview has found it.
    pub shift_s: Option<i64>,
}

pub(super) async fn card(
    state: &WebState,
    visitor: &Visitor,
    device: &DeviceRow,
    shown: &Shown,
    now: Timestamp,
) -> Result<ClockCard, PageError> {
    let zone = format::zone(&device.zone);
    let today = zone.to_datetime(now).date();
    let from = now - SignedDuration::from_hours(24 * DAYS);
    let notes = clocks::notes(&state.store, device.id, from.as_millisecond()).await?;
    // It is looked for among all punches of the device, and the page does not replace that part by itself.
    let aside = match shown.renewed {
        true => Vec::new(),
        false => {
            let device = DeviceId(device.id);
            state.store.set_aside(device, SET_ASIDE).await?
        }
    };
    let mut errors = Errors::default();
    let runs = runs(aside)
        .into_iter()
        .map(|run| run_of(&run, &shown.shift, today, &mut errors))
        .collect();
    let shifts = clocks::shifts(&state.store, device.id, SHIFTS).await?;
    Ok(ClockCard {
        drift: Drift::new(notes, now, zone.clone()),
        now: device.clock_drift_s.map(long_drift),
        off: device.clock_drift_s.is_some_and(is_off),
        as_table: shown.query.clock.as_deref() == Some("table"),
        can_set: visitor.may().edit_devices
            && device.retired_ms.is_none()
            && device.address.is_some()
            && !only_calls(device)
            && is_of(device, DeviceKind::sets_clock),
        asks_time_servers: is_of(device, DeviceKind::asks_time_servers),
        runs,
        shifts: shifts
            .into_iter()
            .map(|row| {
                shift_of(&row, today, |ms| {
                    format::moment(format::instant(ms), now, &zone)
                })
            })
            .collect(),
        errors,
    })
}

/// Groups by the time that the wrong clock showed.
fn runs(mut aside: Vec<SetAside>) -> Vec<Vec<SetAside>> {
    aside.sort_by(|one, other| one.clock.cmp(&other.clock));
    let mut runs: Vec<Vec<SetAside>> = Vec::new();
    for punch in aside {
        let near = |last: &SetAside| {
            let (last, this) = (wall(&last.clock), wall(&punch.clock));
            last.zip(this)
                .is_some_and(|(last, this)| this.duration_since(last) <= RUN_GAP)
        };
        match runs.last_mut() {
            Some(run) if run.last().is_some_and(near) => run.push(punch),
            _ => runs.push(vec![punch]),
        }
    }
    runs
}

/// `asked` is what the form says, of whichever run.
fn run_of(run: &[SetAside], asked: &ShiftForm, today: Date, errors: &mut Errors) -> Run {
    let first = run
        .first()
        .map(|punch| punch.clock.clone())
        .unwrap_or_default();
    let last = run
        .last()
        .map(|punch| punch.clock.clone())
        .unwrap_or_default();
    let asked = Some(asked).filter(|form| {
        let from = typed_wall(&form.from);
        from.is_some_and(|from| (first.clone()..=last.clone()).contains(&wall_text(from)))
    });
    let date = |clock: &str| match format::stored_date(clock) {
        Some(date) => format::day_and_month(date, today).to_string(),
        None => clock.to_owned(),
    };
    let (on, until) = (date(&first), date(&last));
    let title = match on == until {
        true => msg("run-of-day"),
        false => msg("run-of-days").with("until", until),
    };
    Run {
        title: title
            .count("punches", run.len())
            .with("date", on)
            .to_string(),
        from: first.replace(' ', "T"),
        to: last.replace(' ', "T"),
        first: format::short_wall(&first, today),
        last: format::short_wall(&last, today),
        form: asked.cloned().unwrap_or_default(),
        preview: asked.and_then(|form| preview(run, form, today, errors)),
        asked: asked.is_some(),
    }
}

fn preview(
    run: &[SetAside],
    form: &ShiftForm,
    today: Date,
    errors: &mut Errors,
) -> Option<Preview> {
    let (from, to) = (typed_wall(&form.from)?, typed_wall(&form.to));
    let Some(to) = to.filter(|to| *to >= from) else {
        errors.add("to", msg("shift-range-wrong"));
        return None;
    };
    let within = wall_text(from)..=wall_text(to);
    let punches: Vec<_> = run
        .iter()
        .filter(|punch| within.contains(&punch.clock))
        .collect();
    let (first, last) = (punches.first()?, punches.last()?);
    let (first, last) = (wall(&first.clock)?, wall(&last.clock)?);
    let shift_s = match (filled(&form.by), filled(&form.really)) {
        (Some(by), None) => amount(&by).or_else(|| {
            errors.add("by", msg("shift-by-wrong"));
            None
        }),
        (None, Some(really)) => match typed_wall(&really) {
            Some(really) => Some(really.duration_since(first).as_secs()),
            None => {
                errors.add("really", msg("shift-really-wrong"));
                None
            }
        },
        _ => {
            errors.add("by", msg("shift-one-of-both"));
            None
        }
    }?;
    if filled(&form.reason).is_none() {
        errors.add("reason", msg("shift-reason-missing"));
        return None;
    }
    let by = SignedDuration::from_secs(shift_s);
    let moved = |clock: DateTime| {
        let shown = |clock| format::short_wall(&wall_text(clock), today);
        (shown(clock), shown(clock.saturating_add(by)))
    };
    Some(Preview {
        punches: punches.len(),
        shift_s,
        shift: format::shift(shift_s),
        first: moved(first),
        last: moved(last),
    })
}

fn shift_of(row: &ShiftRow, today: Date, moment: impl Fn(i64) -> String) -> Shift {
    let author = row.author.clone();
    Shift {
        id: row.id,
        title: msg("shift-title")
            .count("punches", row.punches)
            .with("from", format::short_wall(&row.from_clock, today))
            .with("to", format::short_wall(&row.to_clock, today))
            .with("shift", format::shift(row.shift_s))
            .to_string(),
        made: msg("shift-made")
            .with(
                "author",
                author.unwrap_or_else(|| msg("shift-nobody").to_string()),
            )
            .with("time", moment(row.made_ms))
            .with("reason", &row.reason)
            .to_string(),
        undone: row
            .undone_ms
            .map(|ms| msg("shift-undone").with("time", moment(ms)).to_string()),
    }
}

fn wall(text: &str) -> Option<DateTime> {
    text.parse().ok()
}

/// As a browser sends it, with or without seconds.
fn typed_wall(text: &str) -> Option<DateTime> {
    text.trim().parse().ok()
}

/// `+9:30`, `-0:05:30 h`, `−2 days 3:00`, `90 s`, `+45 min`; in seconds.
fn amount(text: &str) -> Option<i64> {
    let text = text.trim().replace('\u{a0}', " ");
    let (sign, rest) = match text.strip_prefix(['-', '−']) {
        Some(rest) => (-1, rest),
        None => (1, text.strip_prefix('+').unwrap_or(&text)),
    };
    let mut total: i64 = 0;
    let mut number: Option<i64> = None;
    let mut said = false;
    // A number and its unit may be written together.
    let spaced = rest
        .char_indices()
        .fold(String::new(), |mut spaced, (at, letter)| {
            let before = rest[..at].chars().next_back();
            if letter.is_alphabetic() && before.is_some_and(|before| before.is_ascii_digit()) {
                spaced.push(' ');
            }
            spaced.push(letter);
            spaced
        });
    for word in spaced.split_whitespace() {
        if word.contains(':') {
            let parts: Vec<u32> = word
                .split(':')
                .map(str::parse)
                .collect::<Result<_, _>>()
                .ok()?;
            let [hours, minutes, seconds] = match parts[..] {
                [hours, minutes] => [hours, minutes, 0],
                [hours, minutes, seconds] => [hours, minutes, seconds],
                _ => return None,
            };
            if number.is_some() || minutes > 59 || seconds > 59 {
                return None;
            }
            total =
                total.checked_add(i64::from(hours) * 3600 + i64::from(minutes * 60 + seconds))?;
            said = true;
            continue;
        }
        if let Ok(found) = word.parse::<u32>() {
            if number.replace(i64::from(found)).is_some() {
                return None;
            }
            continue;
        }
        let unit = match word {
            "d" | "day" | "days" => 86_400,
            "h" | "hour" | "hours" => 3600,
            "m" | "min" | "minutes" => 60,
            "s" | "seconds" => 1,
            _ => return None,
        };
        match number.take() {
            Some(number) => total = total.checked_add(number.checked_mul(unit)?)?,
            None if said && unit == 3600 => {} // 9:30 h
            None => return None,
        }
        said = true;
    }
    (said && number.is_none()).then_some(sign * total)
}

/// Sets the clock now.
pub(crate) async fn set(
    operator: Operator,
    Path(serial): Path<String>,
) -> Result<Redirect, PageError> {
    let state = &operator.state;
    let device = in_use(state, &serial).await?;
    let account = operator.visitor.author(state).account;
    let poller = &state.engine.poller;
    let set = poller.set_clock(DeviceId(device.id), account).await?;
    let page = page_of(&device);
    let not_set = |text: Msg| Outcome::not_done(&page, msg("clock-not-set"), text);
    let outcome = match set {
        Ok(change) => {
            let text = match change.left_time_server {
                true => "clock-was-set-text-alone",
                false => "clock-was-set-text",
            };
            let text = msg(text).with("drift", long_drift(change.before_s));
            Outcome::done(&page, msg("clock-was-set"), text)
        }
        Err(SetClockFailure::NotSet(NotSet::Right)) => {
            Outcome::done(&page, msg("clock-is-right"), msg("clock-is-right-text"))
        }
        Err(SetClockFailure::NotSet(NotSet::FromOutside)) => not_set(msg("clock-from-outside")),
        Err(SetClockFailure::NotSet(NotSet::InShift { until } | NotSet::OverPunch { until })) => {
            let zone = format::zone(&device.zone);
            not_set(msg("clock-over-punch").with("time", format::clock_seconds(until, &zone)))
        }
        Err(SetClockFailure::Failed(failure)) => not_set(
            msg("clock-step-failed")
                .with("step", step(failure.step))
                .with("why", sentence(&failure.message)),
        ),
    };
    operator.tell(&outcome).await
}

/// Moves punches that are set aside, as the preview said.
pub(crate) async fn shift(
    operator: Operator,
    Path(serial): Path<String>,
    Form(form): Form<ShiftForm>,
) -> Result<Redirect, PageError> {
    let state = &operator.state;
    let device = in_use(state, &serial).await?;
    let page = page_of(&device);
    let refused = |why: String| Outcome::not_done(&page, msg("shift-refused"), why);
    let range = typed_wall(&form.from).zip(typed_wall(&form.to));
    let Some(((from, to), shift_s)) = range.zip(form.shift_s) else {
        let why = msg("shift-range-wrong").to_string();
        return operator.tell(&refused(why)).await;
    };
    let new = NewClockShift {
        device: DeviceId(device.id),
        from,
        to,
        shift: SignedDuration::from_secs(shift_s),
        reason: form.reason,
    };
    let tx = state.store.begin_write().await?;
    match tx.shift_clock(&new, operator.visitor.author(state)).await {
        Ok(_) => tx.commit().await?,
        Err(StoreError::Invalid(why)) => {
            tx.rollback().await?;
            return operator.tell(&refused(sentence(&why))).await;
        }
        Err(error) => return Err(error.into()),
    }
    state.engine.edited();
    Ok(to_shifts(&device))
}

/// Takes a shift back.
pub(crate) async fn undo(
    State(state): State<WebState>,
    visitor: Visitor,
    Path((serial, id)): Path<(String, i64)>,
) -> Result<Redirect, PageError> {
    visitor.require(visitor.may().edit_devices)?;
    let device = in_use(&state, &serial).await?;
    let shifts = clocks::shifts(&state.store, device.id, i64::MAX).await?;
    if !shifts.iter().any(|shift| shift.id == id) {
        return Err(PageError::NotFound);
    }
    let tx = state.store.begin_write().await?;
    match tx.undo_clock_shift(id, visitor.author(&state)).await {
        Ok(_) => tx.commit().await?,
        // Somebody else was faster.
        Err(StoreError::Invalid(_)) => tx.rollback().await?,
        Err(error) => return Err(error.into()),
    }
    state.engine.edited();
    Ok(to_shifts(&device))
}

/// To the list of shifts, which shows the one that was made or taken back.
fn to_shifts(device: &DeviceRow) -> Redirect {
    Redirect::to(&format!("{}#shifts", page_of(device)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_as_people_write_them() {
        #[track_caller]
        fn check(text: &str, expected: Option<i64>) {
            assert_eq!(amount(text), expected, "{text}");
        }
        check("+9:30", Some(9 * 3600 + 1800));
        check("9:30 h", Some(9 * 3600 + 1800));
        check("-0:05:30", Some(-330));
        check("−2 days 3:00:00 h", Some(-(2 * 86_400 + 3 * 3600)));
        check("+9628 days", Some(9628 * 86_400));
        check("90 s", Some(90));
        check("1h 15min", Some(4500));
        check("0 h", Some(0));
        for wrong in [
            "", "+", "9", "9:60", "h", "9:30 min", "1 2 h", "1:2:3:4", "a while", "5 h 3", "-−1 h",
        ] {
            check(wrong, None);
        }
        check("99999999999 d", None);
        // What a page shows can be typed.
        for seconds in [0, 5, -330, 86_461, -831_772_800] {
            check(&format::shift(seconds), Some(seconds));
        }
    }

    fn aside(clocks: &[&str]) -> Vec<SetAside> {
        let punches = clocks.iter().zip(1..).map(|(clock, id)| SetAside {
            id,
            user_id: "7".to_owned(),
            clock: (*clock).to_owned(),
            received_ms: 0,
        });
        punches.collect()
    }

    #[test]
    fn punches_that_lie_together_are_a_run() {
        let found = runs(aside(&[
            "2000-01-01 00:10:00",
            "2026-05-04 01:00:00",
            "2000-01-02 00:10:00",
            "2000-01-03 00:10:01",
        ]));
        let found: Vec<Vec<_>> = found
            .iter()
            .map(|run| run.iter().map(|punch| &punch.clock[..10]).collect())
            .collect();
        assert_eq!(
            found,
            [
                vec!["2000-01-01", "2000-01-02"],
                vec!["2000-01-03"],
                vec!["2026-05-04"]
            ]
        );
    }

    #[test]
    fn a_preview_says_where_the_first_and_the_last_would_be() {
        let run = aside(&[
            "2000-01-01 00:10:00",
            "2000-01-01 09:15:00",
            "2000-01-01 20:00:00",
        ]);
        let today = "2026-05-12".parse().expect("a date");
        let form = ShiftForm {
            from: "2000-01-01T00:10".to_owned(),
            to: "2000-01-01T09:15".to_owned(),
            really: "2026-05-11T08:58:30".to_owned(),
            reason: "battery".to_owned(),
            ..ShiftForm::default()
        };
        let mut errors = Errors::default();
        let found = preview(&run, &form, today, &mut errors).expect("a preview");
        assert_eq!(found.punches, 2);
        assert!(found.first.1.ends_with("08:58:30") && found.last.1.ends_with("18:03:30"));
        let check = |change: fn(&mut ShiftForm), field: &str| {
            let mut form = form.clone();
            change(&mut form);
            let mut errors = Errors::default();
            assert!(preview(&run, &form, today, &mut errors).is_none());
            assert!(errors.of(field).is_some(), "{field}");
        };
        check(|form| form.really.clear(), "by");
        check(|form| form.by = "+9:30".to_owned(), "by");
        check(|form| form.really = "then".to_owned(), "really");
        check(|form| form.reason = " ".to_owned(), "reason");
        check(|form| form.to = "1999-01-01".to_owned(), "to");
    }
}

//! `/me`: what an employee sees of themselves – today, the own calendar and why a day reads as it does, the punches as they were
//! received – and asks for. An account that belongs to nobody has no such page, and no code in the address leads to somebody else.

use askama::Template;
use attendance::{EmployeeId, PunchId};
use axum::Router;
use axum::extract::{Form, Query, State};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use jiff::Span;
use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;
use serde::Deserialize;
use store::StoreError;
use store::requests::{Answer, Asked};
use store::views::people::{self, PersonPunch, PersonRow};
use store::views::requests::Seen;
use store::views::why::{self as rows, CalendarDay};
use tower_sessions::Session;

use super::calendar::{Cell, Totals, weekdays, weeks};
use super::correct::refused;
use super::person::month_of;
use super::why::Panel;
use crate::WebState;
use crate::error::{PageError, html};
use crate::format::{self, Chip};
use crate::pages::Remarks;
use crate::pages::away::AwayForm;
use crate::pages::day::Choice;
use crate::pages::form::{Errors, filled};
use crate::pages::requests::{Line, lines};
use crate::session::{Outcome, Told, Visitor, leave};
use crate::text::msg;
use crate::ui::{Section, Ui};

/// More than anybody punches in a month.
const PUNCHES: i64 = 500;
/// What can be asked for.
const KINDS: [&str; 4] = ["add_punch", "void_punch", "leave", "on_duty"];

pub(super) fn routes() -> Router<WebState> {
    Router::new()
        .route("/me", get(show))
        .route("/me/ask", get(new_request).post(ask))
        .route("/me/withdraw", post(withdraw))
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct MeQuery {
    /// `2026-05`.
    month: String,
    /// The day that is shown beside the calendar.
    day: String,
}

/// Whose page it is.
struct Me {
    person: PersonRow,
    employee: EmployeeId,
    zone: TimeZone,
    today: Date,
}

impl Me {
    async fn of(state: &WebState, visitor: &Visitor) -> Result<Self, PageError> {
        visitor.require(visitor.may().me)?;
        let employee = visitor.person.employee.ok_or(PageError::NotFound)?;
        let code = store::views::requests::code_of(&state.store, employee).await?;
        let person = people::by_code(&state.store, &code.ok_or(PageError::NotFound)?).await?;
        let person = person.ok_or(PageError::NotFound)?;
        let zone = format::zone(&person.zone);
        Ok(Self {
            today: state.clock.now().to_zoned(zone.clone()).date(),
            employee,
            person,
            zone,
        })
    }

    /// The punches from one day up to, not including, another, newest first.
    async fn punches(
        &self,
        state: &WebState,
        from: Date,
        before: Date,
    ) -> Result<Vec<PersonPunch>, PageError> {
        let midnight = |date: Date| {
            let start = self
                .zone
                .to_timestamp(date.at(0, 0, 0, 0))
                .map_err(|_| PageError::NotFound)?;
            Ok::<_, PageError>(start.as_millisecond())
        };
        let (from, before) = (midnight(from)?, midnight(before)?);
        Ok(rows::punches(&state.store, self.person.id, from, before, PUNCHES).await?)
    }

    /// One of the own punches, on that day of the site.
    async fn punch(
        &self,
        state: &WebState,
        on: Date,
        id: i64,
    ) -> Result<Option<PersonPunch>, PageError> {
        let before = on.tomorrow().map_err(|_| PageError::NotFound)?;
        let punches = self.punches(state, on, before).await?;
        Ok(punches.into_iter().find(|punch| punch.id == id))
    }
}

#[derive(Template)]
#[template(path = "me.html")]
struct MePage<'a> {
    ui: &'a Ui,
    told: Option<Outcome>,
    name: String,
    caption: String,
    /// Today's card, or that of the chosen day.
    card: DayCard,
    /// Why it reads as it does, once it was judged.
    panel: Option<Panel>,
    month: String,
    previous: String,
    next: String,
    weekdays: Vec<String>,
    weeks: Vec<Vec<Option<Cell>>>,
    totals: Totals,
    punches: Vec<Punch>,
    requests: Vec<Line>,
}

struct DayCard {
    date: Date,
    heading: String,
    chip: Chip,
    first_in: String,
    last_out: String,
    worked: String,
    notes: Vec<String>,
}

struct Punch {
    clock: String,
    device: String,
    way: String,
    void_href: String,
}

async fn show(
    State(state): State<WebState>,
    visitor: Visitor,
    Query(query): Query<MeQuery>,
    Told(told): Told,
) -> Result<Response, PageError> {
    let me = Me::of(&state, &visitor).await?;
    let ui = visitor.ui(&state, Section::Me);
    let asked: Option<Date> = query.day.parse().ok();
    let chosen = asked.unwrap_or(me.today);
    let month = month_of(&query.month).unwrap_or(chosen).first_of_month();
    let after = month.saturating_add(Span::new().months(1));
    let calendar = async |from: Date, before: Date| {
        let (from, before) = (from.to_string(), before.to_string());
        rows::calendar(&state.store, me.person.id, &from, &before).await
    };
    let days = calendar(month, after).await?;
    let shown = calendar(chosen, chosen.tomorrow().unwrap_or(chosen)).await?;
    let punches = me.punches(&state, month, after).await?;
    let seen = Seen::Person(me.employee);
    let mut requests = lines(&state, &seen, true, me.today).await?;
    requests.extend(lines(&state, &seen, false, me.today).await?);
    let panel = match shown.first() {
        Some(_) => Panel::of_own(&state, &visitor, &me.person.code, chosen).await?,
        None => None,
    };
    let link = |month: Date| format!("/me?month={}", month.strftime("%Y-%m"));
    html(&MePage {
        name: me.person.name(),
        caption: format::caption([
            Some(&*me.person.code),
            me.person.department.as_deref(),
            me.person.shift.as_deref(),
        ]),
        card: card(chosen, me.today, shown.first()),
        panel,
        month: format::month(month).to_string(),
        previous: link(month.saturating_sub(Span::new().months(1))),
        next: link(after),
        weekdays: weekdays(),
        weeks: weeks(month, &days, Some(chosen), "/me"),
        totals: Totals::of(&days),
        punches: punches.iter().map(|one| punch(one, &me)).collect(),
        requests: requests.into_iter().map(|(_, line)| line).collect(),
        ui: &ui,
        told,
    })
}

fn card(date: Date, today: Date, day: Option<&CalendarDay>) -> DayCard {
    let heading = match date == today {
        true => msg("me-today").to_string(),
        false => format::long_date(date).to_string(),
    };
    let Some(day) = day else {
        return DayCard {
            date,
            heading,
            chip: Chip::not_judged(),
            first_in: String::new(),
            last_out: String::new(),
            worked: String::new(),
            notes: Vec::new(),
        };
    };
    let remarks = Remarks {
        reason: &day.reason,
        leave_part: &day.leave_part,
        early_min: day.early_min,
        overtime_min: day.overtime_min,
        exceptions: &day.exceptions,
        pending: &day.pending,
    };
    let mut notes = remarks.texts();
    if day.late_min > 0 {
        let late = msg("late-by").with("minutes", format::minutes(day.late_min));
        notes.insert(0, late.to_string());
    }
    let worked = (day.worked_min > 0).then(|| format::minutes(day.worked_min));
    DayCard {
        chip: Chip::of(&day.status, day.late_min, remarks.missing(), false),
        first_in: format::wall_minutes(day.first_in.as_deref().unwrap_or_default()).to_owned(),
        last_out: format::wall_minutes(day.last_out.as_deref().unwrap_or_default()).to_owned(),
        worked: worked.unwrap_or_default(),
        notes,
        heading,
        date,
    }
}

/// On the device's own wall time.
fn punch(punch: &PersonPunch, me: &Me) -> Punch {
    let clock = punch.shifted.as_ref().unwrap_or(&punch.clock);
    let on = format::instant(punch.instant_ms)
        .to_zoned(me.zone.clone())
        .date();
    Punch {
        clock: format::short_wall(clock, me.today),
        device: punch.device.clone(),
        way: msg(format!("way-{}", punch.source)).to_string(),
        void_href: format!("/me/ask?kind=void_punch&date={on}&punch={}", punch.id),
    }
}

/// What a request sends. The days of leave are those of [`AwayForm`].
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct AskForm {
    kind: String,
    date: String,
    time: String,
    punch: i64,
    from: String,
    to: String,
    part: String,
    leave_type: String,
    reason: String,
}

impl AskForm {
    fn away(&self) -> AwayForm {
        AwayForm {
            kind: self.kind.clone(),
            from: self.from.clone(),
            to: self.to.clone(),
            part: self.part.clone(),
            leave_type: self.leave_type.clone(),
            ..AwayForm::default()
        }
    }
}

#[derive(Template)]
#[template(path = "me_ask.html")]
struct AskPage<'a> {
    ui: &'a Ui,
    errors: &'a Errors,
    form: &'a AskForm,
    title: String,
    today: Date,
    /// The punch that is not to count.
    voided: Option<Punch>,
    parts: Vec<Choice>,
    types: Vec<Choice>,
}

async fn page(
    state: &WebState,
    visitor: &Visitor,
    me: &Me,
    form: &AskForm,
    errors: &Errors,
) -> Result<Response, PageError> {
    let ui = visitor.ui(state, Section::Me);
    let voided = match (form.kind.as_str(), form.date.parse()) {
        ("void_punch", Ok(on)) => {
            let found = me.punch(state, on, form.punch).await?;
            Some(punch(&found.ok_or(PageError::NotFound)?, me))
        }
        ("void_punch", Err(_)) => return Err(PageError::NotFound),
        _ => None,
    };
    let away = form.away();
    html(&AskPage {
        title: msg(format!("ask-{}", form.kind)).to_string(),
        today: me.today,
        parts: away.parts(),
        types: away.types(&state.store.leave_types().await?),
        ui: &ui,
        errors,
        form,
        voided,
    })
}

async fn new_request(
    State(state): State<WebState>,
    visitor: Visitor,
    Query(mut form): Query<AskForm>,
) -> Result<Response, PageError> {
    let me = Me::of(&state, &visitor).await?;
    visitor.require(KINDS.contains(&form.kind.as_str()))?;
    if form.date.is_empty() {
        form.date = me.today.to_string();
    }
    for day in [&mut form.from, &mut form.to] {
        if day.is_empty() {
            day.clone_from(&form.date);
        }
    }
    page(&state, &visitor, &me, &form, &Errors::default()).await
}

async fn ask(
    State(state): State<WebState>,
    visitor: Visitor,
    session: Session,
    Form(form): Form<AskForm>,
) -> Result<Response, PageError> {
    let me = Me::of(&state, &visitor).await?;
    visitor.require(KINDS.contains(&form.kind.as_str()))?;
    let mut errors = Errors::default();
    let asked = asked(&state, &me, &form, &mut errors).await?;
    let reason = filled(&form.reason);
    if reason.is_none() {
        errors.add("reason", msg("rollcall-reason-missing"));
    }
    if let (Some(asked), Some(reason), true) = (asked, reason, errors.is_empty()) {
        let tx = state.store.begin_write().await?;
        let author = visitor.author(&state);
        match tx.ask(me.employee, &asked, &reason, author).await {
            Ok(_) => {
                tx.commit().await?;
                let outcome = Outcome::done("/me", msg("ask-sent"), msg("ask-sent-text"));
                leave(&session, &outcome).await?;
                return Ok(Redirect::to("/me").into_response());
            }
            Err(error @ StoreError::Closed { .. }) => {
                tx.rollback().await?;
                errors.add("reason", refused(error)?);
            }
            Err(error) => return Err(error.into()),
        }
    }
    page(&state, &visitor, &me, &form, &errors).await
}

async fn asked(
    state: &WebState,
    me: &Me,
    form: &AskForm,
    errors: &mut Errors,
) -> Result<Option<Asked>, PageError> {
    if matches!(form.kind.as_str(), "leave" | "on_duty") {
        let types = state.store.leave_types().await?;
        let away = form.away().read(&types, errors);
        return Ok(away.map(|away| Asked::Leave {
            kind: away.kind,
            from: away.from,
            to: away.to,
            part: away.part,
            leave_type: away.leave_type,
        }));
    }
    let Ok(date) = form.date.parse::<Date>() else {
        errors.add("date", msg("date-wrong"));
        return Ok(None);
    };
    if form.kind == "void_punch" {
        let found = me.punch(state, date, form.punch).await?;
        let found = found.ok_or(PageError::NotFound)?;
        return Ok(Some(Asked::VoidPunch {
            punch: PunchId(found.id),
            on: date,
        }));
    }
    let Ok(time) = form.time.trim().parse::<Time>() else {
        errors.add("time", msg("correct-time-missing"));
        return Ok(None);
    };
    let at = date.to_datetime(time);
    if at > me.zone.to_datetime(state.clock.now()) {
        errors.add("time", msg("rollcall-time-to-come"));
        return Ok(None);
    }
    Ok(Some(Asked::AddPunch { at, state: None }))
}

#[derive(Deserialize)]
struct WithdrawForm {
    id: i64,
}

async fn withdraw(
    State(state): State<WebState>,
    visitor: Visitor,
    session: Session,
    Form(form): Form<WithdrawForm>,
) -> Result<Response, PageError> {
    let me = Me::of(&state, &visitor).await?;
    let seen = Seen::Person(me.employee);
    let found = store::views::requests::find(&state.store, &seen, form.id).await?;
    visitor.require(found.is_some_and(|one| one.made_by == Some(visitor.person.account)))?;
    let tx = state.store.begin_write().await?;
    let author = visitor.author(&state);
    let outcome = match tx.answer_request(form.id, Answer::Withdraw, author).await {
        Ok(()) => {
            tx.commit().await?;
            Outcome::done("/me", msg("ask-withdrawn"), msg("ask-withdrawn-text"))
        }
        Err(StoreError::Invalid(_)) => {
            tx.rollback().await?;
            Outcome::not_done("/me", msg("ask-answered"), msg("ask-answered-text"))
        }
        Err(error) => return Err(error.into()),
    };
    leave(&session, &outcome).await?;
    Ok(Redirect::to("/me").into_response())
}

//! `/roster`: what people are to work in a week, the plan they have from a date on, and single days that are otherwise.

use std::collections::BTreeMap;

use askama::Template;
use attendance::{DayPart, EmployeeId, PlanOrigin, RosterValue, ShiftId};
use axum::extract::{Form, Path, Query, State};
use axum::response::{IntoResponse, Redirect, Response};
use ingest::PlannedDay;
use jiff::ToSpan;
use jiff::civil::{Date, ISOWeekDate, Weekday};
use serde::Deserialize;
use store::people::Employee;
use store::roster::{Override, PlanChange, WorkPlan};
use store::views::board::full_name;
use store::views::people::{self, PeopleFilter};
use tower_sessions::Session;

use super::super::day::Choice;
use super::super::form::Errors;
use super::{ShiftNames, refused};
use crate::WebState;
use crate::board::path_part;
use crate::error::{PageError, html};
use crate::format;
use crate::session::{Outcome, Told, Visitor, leave};
use crate::text::{Msg, msg};
use crate::ui::{Section, Ui};

/// People on one page.
const PAGE: i64 = 50;

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct RosterQuery {
    /// Such as `2026-W20`; empty is this week.
    week: String,
    /// Empty or an id, as a select sends it.
    department: String,
    page: Option<i64>,
}

impl RosterQuery {
    fn link(&self, monday: Date, page: i64) -> String {
        let department = path_part(&self.department);
        let week = week_name(monday);
        match page {
            1 => format!("/roster?week={week}&department={department}"),
            page => format!("/roster?week={week}&department={department}&page={page}"),
        }
    }

    /// The Monday of the week, that of today where none is named.
    fn monday(&self, today: Date) -> Result<Date, PageError> {
        if self.week.is_empty() {
            let since = i64::from(today.weekday().to_monday_zero_offset());
            return today
                .checked_sub(since.days())
                .map_err(|_| PageError::NotFound);
        }
        monday_of(&self.week).ok_or(PageError::NotFound)
    }
}

/// `2026-W20` of the date of its Monday.
fn week_name(monday: Date) -> String {
    let week = monday.iso_week_date();
    format!("{}-W{:02}", week.year(), week.week())
}

fn monday_of(week: &str) -> Option<Date> {
    let (year, week) = week.split_once("-W")?;
    let week = ISOWeekDate::new(year.parse().ok()?, week.parse().ok()?, Weekday::Monday).ok()?;
    // The pages beside it have dates, too.
    let monday = week.date();
    (1..=9998).contains(&monday.year()).then_some(monday)
}

#[derive(Template)]
#[template(path = "roster.html")]
struct RosterPage<'a> {
    ui: &'a Ui,
    told: Option<Outcome>,
    errors: &'a Errors,
    query: &'a RosterQuery,
    week: String,
    caption: String,
    previous_week: String,
    next_week: String,
    departments: Vec<Choice>,
    days: Vec<(Msg, Msg)>,
    rows: Vec<Row>,
    previous: Option<String>,
    next: Option<String>,
    /// What was typed of a change of the plan, and what there is to choose.
    plan: &'a PlanForm,
    parts: Vec<Part>,
}

struct Row {
    id: i64,
    name: String,
    code: String,
    href: String,
    chosen: bool,
    cells: Vec<Cell>,
}

struct Cell {
    href: String,
    /// For a screen reader: whose day it is.
    label: String,
    text: String,
    off: bool,
    /// Said of this day alone.
    single: bool,
    note: String,
}

/// One of the things that a plan is made of, as a select.
struct Part {
    name: &'static str,
    label: Msg,
    /// What choosing nothing means.
    none: Msg,
    choices: Vec<Choice>,
}

async fn parts(state: &WebState, plan: &PlanForm) -> Result<Vec<Part>, PageError> {
    let choice = |id: i64, name: String, chosen: &str| Choice {
        chosen: chosen == id.to_string(),
        value: id.to_string(),
        name,
    };
    let shifts = state.store.shifts().await?.into_iter();
    let weeks = state.store.week_patterns().await?.into_iter();
    let rotations = state.store.cycles().await?.into_iter();
    let offs = state.store.weekly_offs().await?.into_iter();
    Ok(vec![
        Part {
            name: "shift",
            label: msg("shift"),
            none: msg("none"),
            choices: shifts
                .map(|one| choice(one.id.0, one.name, &plan.shift))
                .collect(),
        },
        Part {
            name: "week_pattern",
            label: msg("week-pattern"),
            none: msg("week-pattern-none"),
            choices: weeks
                .map(|one| choice(one.id, one.name, &plan.week_pattern))
                .collect(),
        },
        Part {
            name: "rotation",
            label: msg("rotation"),
            none: msg("none"),
            choices: rotations
                .map(|one| choice(one.id, one.name, &plan.rotation))
                .collect(),
        },
        Part {
            name: "weekly_off",
            label: msg("weekly-off-days"),
            none: msg("weekly-off-none"),
            choices: offs
                .map(|one| choice(one.id, one.name, &plan.weekly_off))
                .collect(),
        },
    ])
}

/// A change of the plan as it was typed.
#[derive(Clone, Debug, Default)]
struct PlanForm {
    people: Vec<i64>,
    from: String,
    shift: String,
    week_pattern: String,
    rotation: String,
    anchor: String,
    weekly_off: String,
    /// Take back a change of that date instead.
    take_back: bool,
    back: RosterQuery,
}

impl PlanForm {
    fn parse(pairs: Vec<(String, String)>) -> Self {
        let mut form = Self::default();
        for (name, value) in pairs {
            match name.as_str() {
                "person" => form.people.extend(value.parse::<i64>()),
                "from" => form.from = value,
                "shift" => form.shift = value,
                "week_pattern" => form.week_pattern = value,
                "rotation" => form.rotation = value,
                "anchor" => form.anchor = value,
                "weekly_off" => form.weekly_off = value,
                "step" => form.take_back = value == "take-back",
                "week" => form.back.week = value,
                "department" => form.back.department = value,
                "page" => form.back.page = value.parse().ok(),
                _ => {}
            }
        }
        form
    }

    /// From when on, and what; `None` takes back.
    fn change(&self, errors: &mut Errors) -> Option<(Date, Option<WorkPlan>)> {
        if self.people.is_empty() {
            errors.add("people", msg("roster-nobody"));
        }
        let from: Option<Date> = self.from.parse().ok();
        if from.is_none() {
            errors.add("from", msg("date-wrong"));
        }
        let id = |text: &str| text.parse::<i64>().ok();
        let rotation = id(&self.rotation);
        let anchor: Option<Date> = match self.anchor.is_empty() {
            true => from,
            false => self.anchor.parse().ok(),
        };
        if rotation.is_some() && anchor.is_none() {
            errors.add("anchor", msg("date-wrong"));
        }
        let plan = WorkPlan {
            shift: id(&self.shift).map(ShiftId),
            week_pattern: id(&self.week_pattern),
            cycle: rotation.zip(anchor),
            weekly_off: id(&self.weekly_off),
        };
        errors
            .is_empty()
            .then_some(from)?
            .map(|from| (from, (!self.take_back).then_some(plan)))
    }
}

pub(super) async fn show(
    State(state): State<WebState>,
    visitor: Visitor,
    Told(told): Told,
    Query(query): Query<RosterQuery>,
) -> Result<Response, PageError> {
    visitor.require(visitor.may().plan)?;
    let plan = PlanForm::default();
    page(&state, &visitor, told, &query, &plan, &Errors::default()).await
}

async fn page(
    state: &WebState,
    visitor: &Visitor,
    told: Option<Outcome>,
    query: &RosterQuery,
    plan: &PlanForm,
    errors: &Errors,
) -> Result<Response, PageError> {
    let ui = visitor.ui(state, Section::Planning);
    let today = ui.now.to_zoned(ui.zone.clone()).date();
    let monday = query.monday(today)?;
    let days: Vec<Date> = monday.series(1.day()).take(7).collect();
    let filter = PeopleFilter {
        search: String::new(),
        department_id: query.department.parse().ok(),
    };
    let total = people::count(&state.store, &filter).await?;
    let last = (total + PAGE - 1) / PAGE;
    let page = query.page.unwrap_or(1).clamp(1, last.max(1));
    let people = people::list(&state.store, &filter, PAGE, (page - 1) * PAGE).await?;
    let asked: Vec<(EmployeeId, Date)> = people
        .iter()
        .flat_map(|person| days.iter().map(|day| (EmployeeId(person.id), *day)))
        .collect();
    let planned = state.engine.judge.planned(&asked).await?;
    let departments = people::departments(&state.store).await?;
    let parts = parts(state, plan).await?;
    let rows = people.into_iter().map(|person| {
        let id = EmployeeId(person.id);
        let name = person.name();
        let cell =
            |day: &Date| Cell::of(&name, &person.code, *day, planned.get(&(id, *day)), today);
        Row {
            id: person.id,
            cells: days.iter().map(cell).collect(),
            href: format!("/people/{}", path_part(&person.code)),
            chosen: plan.people.contains(&person.id),
            code: person.code,
            name,
        }
    });
    let sunday = days.last().copied().unwrap_or(monday);
    let link = |page: i64| query.link(monday, page);
    html(&RosterPage {
        told,
        errors,
        query,
        week: week_name(monday),
        caption: msg("from-to")
            .with("from", format::short_date(monday, today))
            .with("to", format::short_date(sunday, today))
            .to_string(),
        previous_week: query.link(monday - 7.days(), 1),
        next_week: query.link(monday + 7.days(), 1),
        departments: departments
            .into_iter()
            .map(|one| Choice {
                value: one.id.to_string(),
                chosen: Some(one.id) == filter.department_id,
                name: one.name,
            })
            .collect(),
        days: days
            .iter()
            .map(|day| {
                (
                    format::short_weekday(*day),
                    format::day_and_month(*day, today),
                )
            })
            .collect(),
        rows: rows.collect(),
        previous: (page > 1).then(|| link(page - 1)),
        next: (page < last).then(|| link(page + 1)),
        plan,
        parts,
        ui: &ui,
    })
}

impl Cell {
    fn of(name: &str, code: &str, day: Date, planned: Option<&PlannedDay>, today: Date) -> Self {
        let text = match planned {
            None => msg("roster-not-employed").to_string(),
            Some(planned) => value_text(&planned.value),
        };
        let mut notes = Vec::new();
        if let Some(planned) = planned {
            if planned.holiday {
                notes.push(msg("status-holiday").to_string());
            }
            for (on_duty, part) in &planned.away {
                let kind = if *on_duty { "on_duty" } else { "on_leave" };
                let text = match part {
                    DayPart::Full => msg(format!("status-{kind}")),
                    DayPart::FirstHalf => msg(format!("roster-first-{kind}")),
                    DayPart::SecondHalf => msg(format!("roster-second-{kind}")),
                };
                notes.push(text.to_string());
            }
        }
        Self {
            href: format!("/roster/{}/{day}", path_part(code)),
            label: format!("{name}, {}: {text}", format::short_date(day, today)),
            off: planned.is_none_or(|one| one.value == RosterValue::Off || one.holiday),
            single: planned.is_some_and(|one| one.origin == PlanOrigin::Override),
            note: notes.join(", "),
            text,
        }
    }
}

/// `EARLY+LATE`, `auto EARLY+LATE`, or off.
fn value_text(value: &RosterValue) -> String {
    match value {
        RosterValue::Off => msg("roster-off").to_string(),
        RosterValue::Shifts(names) => names.join("+"),
        RosterValue::Auto(names) => msg("roster-auto")
            .with("shifts", names.join("+"))
            .to_string(),
    }
}

/// Changes what the chosen people work from a date on.
pub(super) async fn change(
    State(state): State<WebState>,
    visitor: Visitor,
    session: Session,
    Form(pairs): Form<Vec<(String, String)>>,
) -> Result<Response, PageError> {
    visitor.require(visitor.may().plan)?;
    let form = PlanForm::parse(pairs);
    let mut errors = Errors::default();
    if let Some((from, plan)) = form.change(&mut errors) {
        let people: Vec<EmployeeId> = form.people.iter().copied().map(EmployeeId).collect();
        let tx = state.store.begin_write().await?;
        let author = visitor.author(&state);
        match tx.change_plan(&people, from, plan.as_ref(), author).await {
            Ok(()) => {
                tx.commit().await?;
                state.engine.edited();
                let ui = visitor.ui(&state, Section::Planning);
                let today = ui.now.to_zoned(ui.zone.clone()).date();
                let monday = form.back.monday(today)?;
                let to = form.back.link(monday, form.back.page.unwrap_or(1));
                let title = msg("roster-changed").count("count", people.len());
                let outcome = Outcome::done(&to, title, msg("rules-saved-text"));
                leave(&session, &outcome).await?;
                return Ok(Redirect::to(&to).into_response());
            }
            Err(error) => {
                tx.rollback().await?;
                errors.add("from", refused(error)?);
            }
        }
    }
    page(&state, &visitor, None, &form.back, &form, &errors).await
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct DayForm {
    plan: String,
    on_holiday: Option<String>,
    /// `as-planned` takes the single day back.
    step: String,
}

#[derive(Template)]
#[template(path = "roster_day.html")]
struct DayPage<'a> {
    ui: &'a Ui,
    errors: &'a Errors,
    person: i64,
    name: String,
    caption: String,
    planned: String,
    action: String,
    back: String,
    form: &'a DayForm,
    /// The day is otherwise already.
    single: bool,
    choices: Vec<String>,
    /// Since when which plan holds.
    changes: Vec<(String, Date, String)>,
}

async fn known(
    state: &WebState,
    visitor: &Visitor,
    code: &str,
    date: &str,
) -> Result<(Employee, Date), PageError> {
    visitor.require(visitor.may().plan)?;
    let day: Date = date.parse().map_err(|_| PageError::NotFound)?;
    let employee = state.store.employee_by_code(code).await?;
    let employee = employee.ok_or(PageError::NotFound)?;
    Ok((employee, day))
}

pub(super) async fn day(
    State(state): State<WebState>,
    visitor: Visitor,
    Path((code, date)): Path<(String, String)>,
) -> Result<Response, PageError> {
    let (employee, day) = known(&state, &visitor, &code, &date).await?;
    let names = ShiftNames::of(&state.store.shifts().await?);
    let single = single_day(&state, employee.id, day).await?;
    let form = DayForm {
        plan: single
            .as_ref()
            .map(|one| names.text(&one.plan))
            .unwrap_or_default(),
        on_holiday: single.filter(|one| one.on_holiday).map(|_| "1".to_owned()),
        step: String::new(),
    };
    day_page(&state, &visitor, &employee, day, &form, &Errors::default()).await
}

async fn single_day(
    state: &WebState,
    employee: EmployeeId,
    day: Date,
) -> Result<Option<Override>, PageError> {
    let mut found = state.store.overrides(None, day, day).await?;
    Ok(found.remove(&(employee, day)))
}

async fn day_page(
    state: &WebState,
    visitor: &Visitor,
    employee: &Employee,
    day: Date,
    form: &DayForm,
    errors: &Errors,
) -> Result<Response, PageError> {
    let ui = visitor.ui(state, Section::Planning);
    let today = ui.now.to_zoned(ui.zone.clone()).date();
    let names = ShiftNames::of(&state.store.shifts().await?);
    let planned = state.engine.judge.planned(&[(employee.id, day)]).await?;
    let planned = planned.get(&(employee.id, day));
    let texts = PlanTexts::load(state, &names).await?;
    let changes = state.store.plan_changes(employee.id).await?;
    let fields = &employee.fields;
    let name = full_name(&fields.first_name, &fields.last_name);
    let cell = Cell::of(&name, &fields.code, day, planned, today);
    let query = RosterQuery {
        week: week_name(day),
        ..RosterQuery::default()
    };
    html(&DayPage {
        errors,
        person: employee.id.0,
        caption: format::long_date(day).to_string(),
        planned: match cell.note.is_empty() {
            true => cell.text,
            false => format!("{} · {}", cell.text, cell.note),
        },
        action: cell.href,
        back: query.link(query.monday(today)?, 1),
        form,
        single: cell.single,
        choices: names.choices(),
        changes: changes
            .iter()
            .map(|change| {
                let from = format::short_date(change.from, today).to_string();
                (from, change.from, texts.of(change))
            })
            .collect(),
        name,
        ui: &ui,
    })
}

/// The names of everything a plan can be made of.
struct PlanTexts<'a> {
    shifts: &'a ShiftNames,
    weeks: BTreeMap<i64, String>,
    rotations: BTreeMap<i64, String>,
    offs: BTreeMap<i64, String>,
}

impl<'a> PlanTexts<'a> {
    async fn load(state: &WebState, shifts: &'a ShiftNames) -> Result<Self, PageError> {
        let weeks = state.store.week_patterns().await?.into_iter();
        let rotations = state.store.cycles().await?.into_iter();
        let offs = state.store.weekly_offs().await?.into_iter();
        Ok(Self {
            shifts,
            weeks: weeks.map(|one| (one.id, one.name)).collect(),
            rotations: rotations.map(|one| (one.id, one.name)).collect(),
            offs: offs.map(|one| (one.id, one.name)).collect(),
        })
    }

    /// What decides, in order: the weekly off over a rotation, a week or a shift.
    fn of(&self, change: &PlanChange) -> String {
        let plan = &change.plan;
        let mut parts = Vec::new();
        if let Some((cycle, anchor)) = plan.cycle {
            let name = self.rotations.get(&cycle).cloned().unwrap_or_default();
            let text = msg("roster-rotation")
                .with("name", name)
                .with("day", anchor);
            parts.push(text.to_string());
        } else if let Some(week) = plan.week_pattern {
            parts.extend(self.weeks.get(&week).cloned());
        } else if let Some(shift) = plan.shift {
            parts.extend(self.shifts.by_id.get(&shift).cloned());
        } else {
            parts.push(msg("roster-off").to_string());
        }
        if let Some(off) = plan.weekly_off {
            parts.extend(self.offs.get(&off).cloned());
        }
        parts.join(" · ")
    }
}

/// Sets a single day, or takes it back.
pub(super) async fn set_day(
    State(state): State<WebState>,
    visitor: Visitor,
    session: Session,
    Path((code, date)): Path<(String, String)>,
    Form(form): Form<DayForm>,
) -> Result<Response, PageError> {
    let (employee, day) = known(&state, &visitor, &code, &date).await?;
    let names = ShiftNames::of(&state.store.shifts().await?);
    let mut errors = Errors::default();
    let single = match (form.step.as_str(), form.plan.trim()) {
        ("as-planned", _) => Some(None),
        (_, "") => {
            errors.add("plan", msg("roster-plan-missing"));
            None
        }
        (_, text) => match names.plan(text) {
            Ok(plan) => Some(Some(Override {
                plan,
                on_holiday: form.on_holiday.is_some(),
            })),
            Err(mistake) => {
                errors.add("plan", mistake);
                None
            }
        },
    };
    if let Some(single) = single {
        let tx = state.store.begin_write().await?;
        let author = visitor.author(&state);
        match tx
            .set_override(employee.id, day, single.as_ref(), author)
            .await
        {
            Ok(()) => {
                tx.commit().await?;
                state.engine.edited();
                let to = format!("/roster?week={}", week_name(day));
                let title = msg("roster-day-set").with("day", day);
                let outcome = Outcome::done(&to, title, msg("rules-saved-text"));
                leave(&session, &outcome).await?;
                return Ok(Redirect::to(&to).into_response());
            }
            Err(error) => {
                tx.rollback().await?;
                errors.add("plan", refused(error)?);
            }
        }
    }
    day_page(&state, &visitor, &employee, day, &form, &errors).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weeks_are_those_of_iso() {
        #[track_caller]
        fn check(week: &str, monday: Option<&str>) {
            let found = monday_of(week);
            assert_eq!(
                found.map(|day| day.to_string()).as_deref(),
                monday,
                "{week}"
            );
            if let Some(monday) = found {
                assert_eq!(week_name(monday), week);
            }
        }
        check("2026-W20", Some("2026-05-11"));
        check("2027-W01", Some("2027-01-04"));
        check("2026-W53", Some("2026-12-28"));
        check("2025-W53", None);
        check("2026-20", None);
        check("9999-W52", None);
    }
}

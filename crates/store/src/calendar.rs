//! What is planned: shifts, week patterns, weekly offs, holidays, leave.
//!
//! Each change marks the reports that could differ by it. What a plan means is the engine's.

use std::collections::BTreeMap;

use attendance::{DayPart, EmployeeId, Shift, ShiftId, SiteId};
use jiff::civil::{Date, Weekday};
use sea_orm::{ActiveModelTrait, ColumnTrait, EntityTrait, QueryFilter, QueryOrder, Set};

use crate::audit::Author;
use crate::entities::{
    holidays, leave, leave_types, shifts, week_pattern_days, week_patterns, weekly_off_days,
    weekly_off_patterns,
};
use crate::marks::Whose;
use crate::people::{named, tidy_text};
use crate::roster::{DayPlan, day_plan, days_json};
use crate::times::day;
use crate::{Store, StoreError, WriteTx, sql};

/// A shift with its name.
#[derive(Clone, Debug, PartialEq)]
pub struct NamedShift {
    pub id: ShiftId,
    pub name: String,
    pub shift: Shift,
}

/// What is worked on which weekday.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WeekPattern {
    pub id: i64,
    pub name: String,
    /// From Monday to Sunday.
    pub days: [DayPlan; 7],
}

/// Which weekdays are off; without `nth` every one, else the `nth` of the month, 1 to 5.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WeeklyOffPattern {
    pub id: i64,
    pub name: String,
    pub days: Vec<(Weekday, Option<u8>)>,
}

/// A day off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holiday {
    pub id: i64,
    /// `None` is every site.
    pub site: Option<SiteId>,
    pub day: Date,
    pub name: String,
}

/// What adding or removing a day off did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HolidayChange {
    pub id: i64,
    /// Closed reports of that day. They stay as they are (R110), and list what differs (R111).
    pub closed: u64,
}

/// Whether somebody is away for themselves or for us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeaveKind {
    Leave,
    OnDuty,
}

impl LeaveKind {
    /// The name in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Leave => "leave",
            Self::OnDuty => "on_duty",
        }
    }
}

/// Approved leave or duty elsewhere. Both days inclusive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewLeave {
    pub employee: EmployeeId,
    pub kind: LeaveKind,
    pub from: Date,
    pub to: Date,
    pub part: DayPart,
    /// Which leave; `None` for duty, and where a company tells no kinds apart.
    pub leave_type: Option<i64>,
    pub reason: String,
}

/// A kind of leave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeaveType {
    pub id: i64,
    pub name: String,
    /// What payroll calls it.
    pub code: String,
    pub paid: bool,
}

impl WriteTx {
    /// # Errors
    /// [`StoreError::Duplicate`] for a name that is taken, [`StoreError::Invalid`] for an empty one.
    pub async fn add_shift(
        &self,
        name: &str,
        shift: &Shift,
        author: Author,
    ) -> Result<ShiftId, StoreError> {
        let name = named("shift", name)?;
        let row = shifts::ActiveModel {
            name: Set(name.clone()),
            definition: Set(shift_json(shift).to_string()),
            ..Default::default()
        };
        let id = shifts::Entity::insert(row)
            .exec(&self.tx)
            .await
            .map_err(|error| StoreError::duplicate(error, "a shift named", &name))?
            .last_insert_id;
        self.audit(author, "shift.add", &name, shift_json(shift))
            .await?;
        Ok(ShiftId(id))
    }

    /// Changes a shift for all days that are not locked, past ones too.
    pub async fn edit_shift(
        &self,
        id: ShiftId,
        name: &str,
        shift: &Shift,
        author: Author,
    ) -> Result<(), StoreError> {
        let name = named("shift", name)?;
        let before = shifts::Entity::find_by_id(id.0)
            .one(&self.tx)
            .await?
            .ok_or_else(|| StoreError::not_found("shift", id))?;
        let row = shifts::ActiveModel {
            id: Set(id.0),
            name: Set(name.clone()),
            definition: Set(shift_json(shift).to_string()),
        };
        let result = row.update(&self.tx).await;
        result.map_err(|error| StoreError::duplicate(error, "a shift named", &name))?;
        self.mark_planned(id, "shift edited").await?;
        self.audit(author, "shift.edit", &before.name, shift_json(shift))
            .await
    }

    pub async fn add_week_pattern(
        &self,
        name: &str,
        days: &[DayPlan; 7],
        author: Author,
    ) -> Result<i64, StoreError> {
        let name = named("week pattern", name)?;
        let row = week_patterns::ActiveModel {
            name: Set(name.clone()),
            ..Default::default()
        };
        let id = week_patterns::Entity::insert(row)
            .exec(&self.tx)
            .await
            .map_err(|error| StoreError::duplicate(error, "a week pattern named", &name))?
            .last_insert_id;
        self.insert_week_days(id, days).await?;
        self.audit(author, "week_pattern.add", &name, days_json(days))
            .await?;
        Ok(id)
    }

    pub async fn edit_week_pattern(
        &self,
        id: i64,
        name: &str,
        days: &[DayPlan; 7],
        author: Author,
    ) -> Result<(), StoreError> {
        let name = named("week pattern", name)?;
        let before = week_patterns::Entity::find_by_id(id)
            .one(&self.tx)
            .await?
            .ok_or_else(|| StoreError::not_found("week pattern", id))?;
        let row = week_patterns::ActiveModel {
            id: Set(id),
            name: Set(name.clone()),
        };
        let result = row.update(&self.tx).await;
        result.map_err(|error| StoreError::duplicate(error, "a week pattern named", &name))?;
        week_pattern_days::Entity::delete_many()
            .filter(week_pattern_days::Column::PatternId.eq(id))
            .exec(&self.tx)
            .await?;
        self.insert_week_days(id, days).await?;
        let people = "SELECT id FROM employees WHERE week_pattern_id = $1 \
                      UNION SELECT employee_id FROM plan_changes WHERE week_pattern_id = $1";
        self.mark_people(people, id, "week pattern edited").await?;
        self.audit(author, "week_pattern.edit", &before.name, days_json(days))
            .await
    }

    async fn insert_week_days(&self, pattern: i64, days: &[DayPlan; 7]) -> Result<(), StoreError> {
        self.check_shifts(days).await?;
        let rows = (1..)
            .zip(days)
            .map(|(weekday, plan)| week_pattern_days::ActiveModel {
                pattern_id: Set(pattern),
                weekday: Set(weekday),
                plan: Set(plan.to_string()),
            });
        week_pattern_days::Entity::insert_many(rows)
            .exec_without_returning(&self.tx)
            .await?;
        Ok(())
    }

    /// # Errors
    /// [`StoreError::Invalid`] also for an `nth` outside 1 to 5.
    pub async fn add_weekly_off(
        &self,
        name: &str,
        days: &[(Weekday, Option<u8>)],
        author: Author,
    ) -> Result<i64, StoreError> {
        let name = named("weekly off", name)?;
        let row = weekly_off_patterns::ActiveModel {
            name: Set(name.clone()),
            ..Default::default()
        };
        let id = weekly_off_patterns::Entity::insert(row)
            .exec(&self.tx)
            .await
            .map_err(|error| StoreError::duplicate(error, "a weekly off named", &name))?
            .last_insert_id;
        self.insert_off_days(id, days).await?;
        self.audit(author, "weekly_off.add", &name, off_json(days))
            .await?;
        Ok(id)
    }

    pub async fn edit_weekly_off(
        &self,
        id: i64,
        name: &str,
        days: &[(Weekday, Option<u8>)],
        author: Author,
    ) -> Result<(), StoreError> {
        let name = named("weekly off", name)?;
        let before = weekly_off_patterns::Entity::find_by_id(id)
            .one(&self.tx)
            .await?
            .ok_or_else(|| StoreError::not_found("weekly off", id))?;
        let row = weekly_off_patterns::ActiveModel {
            id: Set(id),
            name: Set(name.clone()),
        };
        let result = row.update(&self.tx).await;
        result.map_err(|error| StoreError::duplicate(error, "a weekly off named", &name))?;
        weekly_off_days::Entity::delete_many()
            .filter(weekly_off_days::Column::PatternId.eq(id))
            .exec(&self.tx)
            .await?;
        self.insert_off_days(id, days).await?;
        let people = "SELECT id FROM employees WHERE weekly_off_id = $1 \
                      UNION SELECT employee_id FROM plan_changes WHERE weekly_off_id = $1";
        self.mark_people(people, id, "weekly off edited").await?;
        self.audit(author, "weekly_off.edit", &before.name, off_json(days))
            .await
    }

    async fn insert_off_days(
        &self,
        pattern: i64,
        days: &[(Weekday, Option<u8>)],
    ) -> Result<(), StoreError> {
        if let Some((_, Some(nth))) = days
            .iter()
            .find(|(_, nth)| nth.is_some_and(|nth| !(1..=5).contains(&nth)))
        {
            return Err(StoreError::Invalid(format!(
                "no month has a weekday number {nth}"
            )));
        }
        if days.is_empty() {
            return Ok(());
        }
        let rows = days
            .iter()
            .map(|(weekday, nth)| weekly_off_days::ActiveModel {
                pattern_id: Set(pattern),
                weekday: Set(i64::from(weekday.to_monday_one_offset())),
                nth: Set(nth.map(i64::from)),
                ..Default::default()
            });
        weekly_off_days::Entity::insert_many(rows)
            .exec_without_returning(&self.tx)
            .await?;
        Ok(())
    }

    /// A day off concerns many, of whom some may be closed already: unlike what is entered for one person it is not refused for
    /// them, it changes the others.
    pub async fn add_holiday(
        &self,
        site: Option<SiteId>,
        day: Date,
        name: &str,
        author: Author,
    ) -> Result<HolidayChange, StoreError> {
        let name = named("holiday", name)?;
        if let Some(site) = site {
            self.site_row(site).await?;
        }
        let row = holidays::ActiveModel {
            site_id: Set(site.map(|id| id.0)),
            day: Set(day.to_string()),
            name: Set(name.clone()),
            ..Default::default()
        };
        let id = holidays::Entity::insert(row)
            .exec(&self.tx)
            .await?
            .last_insert_id;
        self.mark_holiday(site, day).await?;
        let closed = self.closed_reports(site, day).await?;
        let detail = serde_json::json!({ "day": day, "site": site, "closed": closed });
        self.audit(author, "holiday.add", &name, detail).await?;
        Ok(HolidayChange { id, closed })
    }

    pub async fn remove_holiday(
        &self,
        id: i64,
        author: Author,
    ) -> Result<HolidayChange, StoreError> {
        let before = holidays::Entity::find_by_id(id)
            .one(&self.tx)
            .await?
            .ok_or_else(|| StoreError::not_found("holiday", id))?;
        holidays::Entity::delete_by_id(id).exec(&self.tx).await?;
        let (site, on) = (before.site_id.map(SiteId), day(&before.day));
        self.mark_holiday(site, on).await?;
        let closed = self.closed_reports(site, on).await?;
        let detail = serde_json::json!({ "day": on, "site": site, "closed": closed });
        self.audit(author, "holiday.remove", &before.name, detail)
            .await?;
        Ok(HolidayChange { id, closed })
    }

    async fn mark_holiday(&self, site: Option<SiteId>, on: Date) -> Result<(), StoreError> {
        let whose = site.map_or(Whose::Everybody, Whose::Site);
        let (from, to) = with_neighbours(on, on);
        self.mark_reports(whose, from, to, "holiday").await?;
        Ok(())
    }

    /// # Errors
    /// [`StoreError::Duplicate`] for a name or code that is taken, [`StoreError::Invalid`] for an empty one.
    pub async fn add_leave_type(
        &self,
        name: &str,
        code: &str,
        paid: bool,
        author: Author,
    ) -> Result<i64, StoreError> {
        let name = named("leave type", name)?;
        let code = named("code of a leave type", code)?;
        let row = leave_types::ActiveModel {
            name: Set(name.clone()),
            code: Set(code.clone()),
            paid: Set(paid),
            ..Default::default()
        };
        let id = leave_types::Entity::insert(row)
            .exec(&self.tx)
            .await
            .map_err(|error| StoreError::duplicate(error, "a leave type named or coded", &name))?
            .last_insert_id;
        let detail = serde_json::json!({ "code": code, "paid": paid });
        self.audit(author, "leave_type.add", &name, detail).await?;
        Ok(id)
    }

    /// Changes how a kind of leave is called and paid; what was taken stays.
    pub async fn edit_leave_type(
        &self,
        kind: &LeaveType,
        author: Author,
    ) -> Result<(), StoreError> {
        let name = named("leave type", &kind.name)?;
        let code = named("code of a leave type", &kind.code)?;
        let before = leave_types::Entity::find_by_id(kind.id)
            .one(&self.tx)
            .await?
            .ok_or_else(|| StoreError::not_found("leave type", kind.id))?;
        let row = leave_types::ActiveModel {
            id: Set(kind.id),
            name: Set(name.clone()),
            code: Set(code.clone()),
            paid: Set(kind.paid),
        };
        let result = row.update(&self.tx).await;
        result
            .map_err(|error| StoreError::duplicate(error, "a leave type named or coded", &name))?;
        let detail = serde_json::json!({ "name": name, "code": code, "paid": kind.paid });
        self.audit(author, "leave_type.edit", &before.name, detail)
            .await
    }

    /// # Errors
    /// [`StoreError::Invalid`] when it ends before it begins, [`StoreError::NotFound`] for the employee or the type.
    pub async fn add_leave(&self, new: &NewLeave, author: Author) -> Result<i64, StoreError> {
        if new.to < new.from {
            return Err(StoreError::Invalid(format!(
                "the leave ends on {} before it begins on {}",
                new.to, new.from
            )));
        }
        if let Some(kind) = new.leave_type {
            let known = leave_types::Entity::find_by_id(kind).one(&self.tx).await?;
            known.ok_or_else(|| StoreError::not_found("leave type", kind))?;
        }
        self.refuse_closed(&[new.employee], new.from, new.to)
            .await?;
        let code = self.employee_code(new.employee).await?;
        let row = leave::ActiveModel {
            employee_id: Set(new.employee.0),
            kind: Set(new.kind.as_str().to_owned()),
            from_day: Set(new.from.to_string()),
            to_day: Set(new.to.to_string()),
            part: Set(part_text(new.part).to_owned()),
            type_id: Set(new.leave_type),
            reason: Set(tidy_text(&new.reason)),
            author_id: Set(author.account_id()),
            made_ms: Set(author.at_ms()),
            ..Default::default()
        };
        let id = leave::Entity::insert(row)
            .exec(&self.tx)
            .await?
            .last_insert_id;
        self.mark_leave(new.employee, new.from, new.to).await?;
        let detail = serde_json::json!({
            "kind": new.kind.as_str(),
            "from": new.from,
            "to": new.to,
            "part": part_text(new.part),
            "type": new.leave_type,
            "reason": tidy_text(&new.reason),
        });
        self.audit(author, "leave.add", &code, detail).await?;
        Ok(id)
    }

    pub async fn remove_leave(&self, id: i64, author: Author) -> Result<(), StoreError> {
        let before = leave::Entity::find_by_id(id)
            .one(&self.tx)
            .await?
            .ok_or_else(|| StoreError::not_found("leave", id))?;
        let employee = EmployeeId(before.employee_id);
        self.refuse_closed(&[employee], day(&before.from_day), day(&before.to_day))
            .await?;
        leave::Entity::delete_by_id(id).exec(&self.tx).await?;
        self.mark_leave(employee, day(&before.from_day), day(&before.to_day))
            .await?;
        let code = self.employee_code(employee).await?;
        let detail = serde_json::json!({
            "kind": before.kind,
            "from": before.from_day,
            "to": before.to_day,
            "part": before.part,
            "type": before.type_id,
            "reason": before.reason,
        });
        self.audit(author, "leave.remove", &code, detail).await
    }

    async fn mark_leave(
        &self,
        employee: EmployeeId,
        from: Date,
        to: Date,
    ) -> Result<(), StoreError> {
        let (from, to) = with_neighbours(from, to);
        self.mark_reports(Whose::Employees(&[employee]), from, to, "leave")
            .await?;
        Ok(())
    }

    /// Marks every report of the people a query finds by one id.
    pub(crate) async fn mark_people(
        &self,
        query: &str,
        id: i64,
        cause: &str,
    ) -> Result<(), StoreError> {
        let rows = sql::all(&self.tx, query, [id.into()]).await?;
        let people = rows
            .iter()
            .map(|row| Ok(EmployeeId(row.try_get_by_index(0)?)))
            .collect::<Result<Vec<_>, StoreError>>()?;
        self.mark_reports(Whose::Employees(&people), None, None, cause)
            .await?;
        Ok(())
    }

    pub(crate) async fn employee_code(&self, employee: EmployeeId) -> Result<String, StoreError> {
        let query = "SELECT code FROM employees WHERE id = $1";
        let row = sql::one(&self.tx, query, [employee.0.into()]).await?;
        let row = row.ok_or_else(|| StoreError::not_found("employee", employee))?;
        Ok(row.try_get_by_index(0)?)
    }
}

impl Store {
    /// All shifts by name.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] when a stored definition is not one this program understands.
    pub async fn shifts(&self) -> Result<Vec<NamedShift>, StoreError> {
        let query = shifts::Entity::find().order_by_asc(shifts::Column::Name);
        let rows = query.all(self.read()).await?;
        rows.into_iter().map(named_shift).collect()
    }

    /// The same of one shift.
    pub async fn shift(&self, id: ShiftId) -> Result<Option<NamedShift>, StoreError> {
        let row = shifts::Entity::find_by_id(id.0).one(self.read()).await?;
        row.map(named_shift).transpose()
    }

    /// All week patterns by name.
    pub async fn week_patterns(&self) -> Result<Vec<WeekPattern>, StoreError> {
        let days = week_pattern_days::Entity::find().all(self.read()).await?;
        let query = week_patterns::Entity::find().order_by_asc(week_patterns::Column::Name);
        let rows = query.all(self.read()).await?;
        Ok(rows
            .into_iter()
            .map(|row| {
                let plan_of = |weekday: i64| {
                    days.iter()
                        .find(|day| day.pattern_id == row.id && day.weekday == weekday)
                        .map(|day| day_plan(&day.plan))
                        .unwrap_or_default()
                };
                WeekPattern {
                    id: row.id,
                    days: [1, 2, 3, 4, 5, 6, 7].map(plan_of),
                    name: row.name,
                }
            })
            .collect())
    }

    /// All weekly-off patterns by name.
    pub async fn weekly_offs(&self) -> Result<Vec<WeeklyOffPattern>, StoreError> {
        let mut days: BTreeMap<i64, Vec<(Weekday, Option<u8>)>> = BTreeMap::new();
        let query = weekly_off_days::Entity::find().order_by_asc(weekly_off_days::Column::Id);
        for row in query.all(self.read()).await? {
            let weekday = i8::try_from(row.weekday)
                .ok()
                .and_then(|day| Weekday::from_monday_one_offset(day).ok());
            let nth = row.nth.and_then(|nth| u8::try_from(nth).ok());
            if let Some(weekday) = weekday {
                days.entry(row.pattern_id).or_default().push((weekday, nth));
            }
        }
        let query =
            weekly_off_patterns::Entity::find().order_by_asc(weekly_off_patterns::Column::Name);
        let rows = query.all(self.read()).await?;
        Ok(rows
            .into_iter()
            .map(|row| WeeklyOffPattern {
                days: days.remove(&row.id).unwrap_or_default(),
                id: row.id,
                name: row.name,
            })
            .collect())
    }

    /// All kinds of leave by name.
    pub async fn leave_types(&self) -> Result<Vec<LeaveType>, StoreError> {
        let query = leave_types::Entity::find().order_by_asc(leave_types::Column::Name);
        let rows = query.all(self.read()).await?;
        Ok(rows
            .into_iter()
            .map(|row| LeaveType {
                id: row.id,
                name: row.name,
                code: row.code,
                paid: row.paid,
            })
            .collect())
    }

    /// Holidays of all sites from one day to another, both inclusive, by day.
    pub async fn holidays(&self, from: Date, to: Date) -> Result<Vec<Holiday>, StoreError> {
        let query = holidays::Entity::find()
            .filter(holidays::Column::Day.between(from.to_string(), to.to_string()))
            .order_by_asc(holidays::Column::Day)
            .order_by_asc(holidays::Column::Id);
        let rows = query.all(self.read()).await?;
        Ok(rows
            .into_iter()
            .map(|row| Holiday {
                id: row.id,
                site: row.site_id.map(SiteId),
                day: day(&row.day),
                name: row.name,
            })
            .collect())
    }

    /// Leave and duty of a person that touches the days from one to another, both inclusive, the earliest first.
    pub async fn leave_of(
        &self,
        employee: EmployeeId,
        from: Date,
        to: Date,
    ) -> Result<Vec<leave::Model>, StoreError> {
        let query = leave::Entity::find()
            .filter(leave::Column::EmployeeId.eq(employee.0))
            .filter(leave::Column::FromDay.lte(to.to_string()))
            .filter(leave::Column::ToDay.gte(from.to_string()))
            .order_by_asc(leave::Column::FromDay)
            .order_by_asc(leave::Column::Id);
        Ok(query.all(self.read()).await?)
    }
}

fn named_shift(row: shifts::Model) -> Result<NamedShift, StoreError> {
    let shift = serde_json::from_str(&row.definition).map_err(|source| StoreError::Corrupt {
        what: "shift",
        source,
    })?;
    Ok(NamedShift {
        id: ShiftId(row.id),
        name: row.name,
        shift,
    })
}

fn shift_json(shift: &Shift) -> serde_json::Value {
    serde_json::to_value(shift).expect("a shift has text keys only")
}

fn off_json(days: &[(Weekday, Option<u8>)]) -> serde_json::Value {
    let days: Vec<_> = days
        .iter()
        .map(|(weekday, nth)| (weekday.to_monday_one_offset(), nth))
        .collect();
    serde_json::json!({ "days": days })
}

pub(crate) fn part_text(part: DayPart) -> &'static str {
    match part {
        DayPart::Full => "full",
        DayPart::FirstHalf => "first_half",
        DayPart::SecondHalf => "second_half",
    }
}

/// The part of a stored text.
pub(crate) fn part_of(text: &str) -> DayPart {
    match text {
        "first_half" => DayPart::FirstHalf,
        "second_half" => DayPart::SecondHalf,
        _ => DayPart::Full,
    }
}

/// A changed day can move the windows of the days beside it.
pub(crate) fn with_neighbours(from: Date, to: Date) -> (Option<Date>, Option<Date>) {
    (
        Some(from.yesterday().unwrap_or(from)),
        Some(to.tomorrow().unwrap_or(to)),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::on_both_databases;
    use crate::testing::{author, employee, employee_fields, marked_days, report, site};

    fn date(text: &str) -> Date {
        text.parse().unwrap()
    }

    fn day_shift() -> Shift {
        let time = |text: &str| text.parse().unwrap();
        Shift {
            segments: vec![attendance::SegmentSpec {
                start: time("09:00"),
                end: time("18:00"),
            }],
            ..Shift::default()
        }
    }

    /// Reports of these days, and no marks.
    async fn judged(tx: &WriteTx, employee: EmployeeId, days: &[&str]) {
        for day in days {
            report(tx, employee, day).await;
        }
        sql::run(&tx.tx, "DELETE FROM marked_days", [])
            .await
            .unwrap();
    }

    on_both_databases! {
        async fn an_edited_shift_marks_those_who_have_it(store: Store) {
            let tx = store.begin_write().await.unwrap();
            let site = site(&tx).await;
            let shift = tx.add_shift(" Day ", &day_shift(), author()).await.unwrap();
            let mut week = [Some(shift); 7].map(DayPlan::from);
            week[6] = DayPlan::Off;
            let pattern = tx.add_week_pattern("Six days", &week, author()).await.unwrap();
            let mut fields = employee_fields(site, "1");
            fields.shift = Some(shift);
            let by_shift = tx.add_employee(&fields, author()).await.unwrap();
            let mut fields = employee_fields(site, "2");
            fields.week_pattern = Some(pattern);
            let by_pattern = tx.add_employee(&fields, author()).await.unwrap();
            let other = employee(&tx, site, "3").await;
            for person in [by_shift, by_pattern, other] {
                judged(&tx, person, &["2026-04-01"]).await;
            }
            let mut edited = day_shift();
            edited.punch_each_segment = Some(false);
            tx.edit_shift(shift, "Early", &edited, author()).await.unwrap();
            tx.commit().await.unwrap();
            let found = store.shift(shift).await.unwrap().unwrap();
            assert_eq!((found.name.as_str(), found.shift), ("Early", edited));
            assert_eq!(store.shifts().await.unwrap().len(), 1);
            for (person, marks) in [(by_shift, 1), (by_pattern, 1), (other, 0)] {
                assert_eq!(marked_days(&store, person).await.len(), marks, "{person}");
            }
        }

        async fn patterns_are_kept_and_edited(store: Store) {
            let tx = store.begin_write().await.unwrap();
            let site = site(&tx).await;
            let shift = tx.add_shift("Day", &day_shift(), author()).await.unwrap();
            let week = tx.add_week_pattern("Week", &<[DayPlan; 7]>::default(), author()).await.unwrap();
            let off = [(Weekday::Sunday, None), (Weekday::Saturday, Some(2))];
            let offs = tx.add_weekly_off("Second Saturday", &off, author()).await.unwrap();
            let mut fields = employee_fields(site, "1");
            fields.week_pattern = Some(week);
            let by_week = tx.add_employee(&fields, author()).await.unwrap();
            let mut fields = employee_fields(site, "2");
            fields.weekly_off = Some(offs);
            let by_off = tx.add_employee(&fields, author()).await.unwrap();
            tx.commit().await.unwrap();
            assert_eq!(store.weekly_offs().await.unwrap()[0].days, off);

            let tx = store.begin_write().await.unwrap();
            judged(&tx, by_week, &["2026-04-01"]).await;
            judged(&tx, by_off, &["2026-04-01"]).await;
            let mut days = <[DayPlan; 7]>::default();
            days[0] = DayPlan::Shifts(vec![shift]);
            tx.edit_week_pattern(week, "Mondays", &days, author()).await.unwrap();
            tx.edit_weekly_off(offs, "None", &[], author()).await.unwrap();
            tx.commit().await.unwrap();
            let expected = WeekPattern { id: week, name: "Mondays".to_owned(), days };
            assert_eq!(store.week_patterns().await.unwrap(), [expected]);
            let expected = WeeklyOffPattern { id: offs, name: "None".to_owned(), days: vec![] };
            assert_eq!(store.weekly_offs().await.unwrap(), [expected]);
            for person in [by_week, by_off] {
                assert_eq!(marked_days(&store, person).await.len(), 1, "{person}");
            }
        }

        async fn what_no_calendar_has_is_refused(store: Store) {
            let tx = store.begin_write().await.unwrap();
            let sixth = [(Weekday::Monday, Some(6))];
            let error = tx.add_weekly_off("Sixth Monday", &sixth, author()).await.unwrap_err();
            assert_eq!(error.to_string(), "no month has a weekday number 6");
            let error = tx.remove_holiday(9, author()).await.unwrap_err();
            assert_eq!(error.to_string(), "there is no holiday 9");
            let error = tx.edit_shift(ShiftId(9), "Day", &day_shift(), author()).await.unwrap_err();
            assert_eq!(error.to_string(), "there is no shift 9");
            tx.add_shift("Day", &day_shift(), author()).await.unwrap();
            let error = tx.add_shift("Day", &day_shift(), author()).await.unwrap_err();
            assert_eq!(error.to_string(), "a shift named Day exists already");
        }

        async fn a_holiday_marks_its_site_around_its_day(store: Store) {
            let tx = store.begin_write().await.unwrap();
            let berlin = site(&tx).await;
            let apia = tx.add_site("Apia", "Pacific/Apia", author()).await.unwrap();
            let (here, there) = (employee(&tx, berlin, "1").await, employee(&tx, apia, "2").await);
            for person in [here, there] {
                let days = ["2026-04-29", "2026-04-30", "2026-05-01", "2026-05-02", "2026-05-03"];
                judged(&tx, person, &days).await;
            }
            let labour = date("2026-05-01");
            let HolidayChange { id, closed } = tx.add_holiday(Some(berlin), labour, "Labour Day", author()).await.unwrap();
            assert_eq!(closed, 0);
            tx.commit().await.unwrap();
            let around = [date("2026-04-30"), labour, date("2026-05-02")];
            assert_eq!(marked_days(&store, here).await, around);
            assert_eq!(marked_days(&store, there).await, []);
            let found = store.holidays(labour, labour).await.unwrap();
            assert_eq!((found[0].site, found[0].name.as_str()), (Some(berlin), "Labour Day"));

            let tx = store.begin_write().await.unwrap();
            judged(&tx, here, &[]).await;
            tx.remove_holiday(id, author()).await.unwrap();
            tx.add_holiday(None, labour, "Everywhere", author()).await.unwrap();
            tx.commit().await.unwrap();
            for person in [here, there] {
                assert_eq!(marked_days(&store, person).await, around);
            }
            assert_eq!(store.holidays(date("2026-05-02"), Date::MAX).await.unwrap(), []);
        }

        async fn a_holiday_says_how_much_of_its_day_is_closed(store: Store) {
            let tx = store.begin_write().await.unwrap();
            let berlin = site(&tx).await;
            let apia = tx.add_site("Apia", "Pacific/Apia", author()).await.unwrap();
            let (here, there) = (employee(&tx, berlin, "1").await, employee(&tx, apia, "2").await);
            for person in [here, there] {
                judged(&tx, person, &["2026-04-30", "2026-05-01"]).await;
            }
            sql::run(&tx.tx, "UPDATE attendances SET locked_ms = 1 WHERE workday = '2026-05-01'", []).await.unwrap();
            let report = "UPDATE attendance_reports SET stage = 'locked' WHERE workday = '2026-05-01'";
            sql::run(&tx.tx, report, []).await.unwrap();
            let add = async |site, day: &str| tx.add_holiday(site, date(day), "Labour Day", author()).await.unwrap();
            let everywhere = add(None, "2026-05-01").await;
            assert_eq!(everywhere.closed, 2);
            assert_eq!(add(Some(apia), "2026-05-01").await.closed, 1);
            assert_eq!(add(None, "2026-04-30").await.closed, 0);
            assert_eq!(tx.remove_holiday(everywhere.id, author()).await.unwrap(), everywhere);
            tx.commit().await.unwrap();
            let audited = &store.audit_entries(None, 1).await.unwrap()[0];
            assert!(audited.detail.contains("\"closed\":2"), "{}", audited.detail);
        }

        async fn leave_marks_its_days_and_can_be_taken_back(store: Store) {
            let tx = store.begin_write().await.unwrap();
            let site = site(&tx).await;
            let ada = employee(&tx, site, "1").await;
            judged(&tx, ada, &["2026-05-01", "2026-05-04", "2026-05-05", "2026-05-08"]).await;
            let mut new = NewLeave {
                employee: ada,
                kind: LeaveKind::OnDuty,
                from: date("2026-05-04"),
                to: date("2026-05-06"),
                part: DayPart::FirstHalf,
                leave_type: None,
                reason: " fair ".to_owned(),
            };
            let id = tx.add_leave(&new, author()).await.unwrap();
            tx.commit().await.unwrap();
            let worked = [date("2026-05-04"), date("2026-05-05")];
            assert_eq!(marked_days(&store, ada).await, worked);
            let last = date("2026-05-06");
            let found = store.leave_of(ada, last, last).await.unwrap();
            let (kind, part) = (found[0].kind.as_str(), found[0].part.as_str());
            assert_eq!((kind, part, found[0].reason.as_str()), ("on_duty", "first_half", "fair"));
            assert_eq!(store.leave_of(ada, date("2026-05-07"), Date::MAX).await.unwrap(), []);

            let tx = store.begin_write().await.unwrap();
            judged(&tx, ada, &[]).await;
            tx.remove_leave(id, author()).await.unwrap();
            new.to = date("2026-05-03");
            let error = tx.add_leave(&new, author()).await.unwrap_err();
            assert!(matches!(error, StoreError::Invalid(_)), "{error}");
            tx.commit().await.unwrap();
            assert_eq!(marked_days(&store, ada).await, worked);
            assert_eq!(store.leave_of(ada, Date::MIN, Date::MAX).await.unwrap(), []);
        }
    }
}

//! Who works what from when on: rotations, dated changes of the plan, and single days that are otherwise.
//!
//! The columns of an employee hold until the first change. Which of them decides a day is the engine's (R14).

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use attendance::{DepartmentId, EmployeeId, ShiftId};
use jiff::civil::Date;
use sea_orm::{ActiveModelTrait, ColumnTrait, EntityTrait, QueryFilter, QueryOrder, Set};

use crate::audit::Author;
use crate::entities::{cycle_days, cycles, plan_changes, roster_overrides, week_pattern_days};
use crate::marks::Whose;
use crate::people::named;
use crate::times::day;
use crate::{Store, StoreError, WriteTx, sql};

/// Longer than any rotation: a year and a day.
const LONGEST_CYCLE: usize = 366;

/// What is worked on one day.
///
/// As text, in the database and in files: nothing for a day off, `3` or `3+4` for shifts by id (R13), `auto 3+4` for a choice
/// among shifts by the first punch (R100).
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum DayPlan {
    #[default]
    Off,
    Shifts(Vec<ShiftId>),
    Auto(Vec<ShiftId>),
}

impl DayPlan {
    pub fn shifts(&self) -> &[ShiftId] {
        match self {
            Self::Off => &[],
            Self::Shifts(shifts) | Self::Auto(shifts) => shifts,
        }
    }
}

impl From<Option<ShiftId>> for DayPlan {
    fn from(shift: Option<ShiftId>) -> Self {
        shift.map_or(Self::Off, |shift| Self::Shifts(vec![shift]))
    }
}

impl fmt::Display for DayPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if matches!(self, Self::Auto(_)) {
            f.write_str("auto ")?;
        }
        for (place, shift) in self.shifts().iter().enumerate() {
            let plus = if place > 0 { "+" } else { "" };
            write!(f, "{plus}{shift}")?;
        }
        Ok(())
    }
}

/// A text is no [`DayPlan`].
#[derive(Debug, thiserror::Error)]
#[error("{0:?} is no plan of a day")]
pub struct NoDayPlan(String);

impl FromStr for DayPlan {
    type Err = NoDayPlan;

    fn from_str(text: &str) -> Result<Self, NoDayPlan> {
        let ids = |text: &str| -> Option<Vec<ShiftId>> {
            let ids = text.split('+').map(|id| id.parse().ok().map(ShiftId));
            ids.collect()
        };
        let plan = match text.strip_prefix("auto ") {
            Some(candidates) => ids(candidates).map(Self::Auto),
            None if text.is_empty() => Some(Self::Off),
            None => ids(text).map(Self::Shifts),
        };
        plan.ok_or_else(|| NoDayPlan(text.to_owned()))
    }
}

/// The plan of a stored text; a day off for one that nobody of ours wrote.
pub(crate) fn day_plan(text: &str) -> DayPlan {
    text.parse().unwrap_or_default()
}

/// A rotation: its days repeat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cycle {
    pub id: i64,
    pub name: String,
    /// The first is that of the anchor, which whoever works it has.
    pub days: Vec<DayPlan>,
}

/// What somebody works as long as nothing else is said. Without a rotation it is the week pattern, without that the shift; the
/// weekly off is over all of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WorkPlan {
    pub shift: Option<ShiftId>,
    pub week_pattern: Option<i64>,
    /// And the date of its first day.
    pub cycle: Option<(i64, Date)>,
    pub weekly_off: Option<i64>,
}

/// A plan that holds from a date on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlanChange {
    pub from: Date,
    pub plan: WorkPlan,
}

impl From<plan_changes::Model> for PlanChange {
    fn from(row: plan_changes::Model) -> Self {
        let anchor = row.cycle_anchor.as_deref().map(day);
        Self {
            from: day(&row.from_day),
            plan: WorkPlan {
                shift: row.shift_id.map(ShiftId),
                week_pattern: row.week_pattern_id,
                cycle: row.cycle_id.zip(anchor),
                weekly_off: row.weekly_off_id,
            },
        }
    }
}

/// A single day that is otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Override {
    pub plan: DayPlan,
    /// Worked although it is a holiday (R90).
    pub on_holiday: bool,
}

impl From<roster_overrides::Model> for Override {
    fn from(row: roster_overrides::Model) -> Self {
        Self {
            plan: day_plan(&row.plan),
            on_holiday: row.on_holiday,
        }
    }
}

impl WriteTx {
    /// # Errors
    /// [`StoreError::Duplicate`] for a name that is taken, [`StoreError::Invalid`] for none, or for no day or too many.
    pub async fn add_cycle(
        &self,
        name: &str,
        days: &[DayPlan],
        author: Author,
    ) -> Result<i64, StoreError> {
        let name = named("rotation", name)?;
        let row = cycles::ActiveModel {
            name: Set(name.clone()),
            ..Default::default()
        };
        let id = cycles::Entity::insert(row)
            .exec(&self.tx)
            .await
            .map_err(|error| StoreError::duplicate(error, "a rotation named", &name))?
            .last_insert_id;
        self.insert_cycle_days(id, days).await?;
        self.audit(author, "cycle.add", &name, days_json(days))
            .await?;
        Ok(id)
    }

    /// Changes a rotation for all days that are not locked, past ones too.
    pub async fn edit_cycle(
        &self,
        id: i64,
        name: &str,
        days: &[DayPlan],
        author: Author,
    ) -> Result<(), StoreError> {
        let name = named("rotation", name)?;
        let before = cycles::Entity::find_by_id(id)
            .one(&self.tx)
            .await?
            .ok_or_else(|| StoreError::not_found("rotation", id))?;
        let row = cycles::ActiveModel {
            id: Set(id),
            name: Set(name.clone()),
        };
        let result = row.update(&self.tx).await;
        result.map_err(|error| StoreError::duplicate(error, "a rotation named", &name))?;
        cycle_days::Entity::delete_many()
            .filter(cycle_days::Column::CycleId.eq(id))
            .exec(&self.tx)
            .await?;
        self.insert_cycle_days(id, days).await?;
        let people = "SELECT employee_id FROM plan_changes WHERE cycle_id = $1";
        self.mark_people(people, id, "rotation edited").await?;
        self.audit(author, "cycle.edit", &before.name, days_json(days))
            .await
    }

    async fn insert_cycle_days(&self, cycle: i64, days: &[DayPlan]) -> Result<(), StoreError> {
        if days.is_empty() || days.len() > LONGEST_CYCLE {
            return Err(StoreError::Invalid(format!(
                "a rotation has 1 to {LONGEST_CYCLE} days"
            )));
        }
        self.check_shifts(days).await?;
        let rows = (0..)
            .zip(days)
            .map(|(place, plan)| cycle_days::ActiveModel {
                cycle_id: Set(cycle),
                place: Set(place),
                plan: Set(plan.to_string()),
            });
        cycle_days::Entity::insert_many(rows)
            .exec_without_returning(&self.tx)
            .await?;
        Ok(())
    }

    /// Every shift of these plans exists, and those that name shifts name one at least.
    pub(crate) async fn check_shifts(&self, plans: &[DayPlan]) -> Result<(), StoreError> {
        let rows = sql::all(&self.tx, "SELECT id FROM shifts", []).await?;
        let mut known = Vec::with_capacity(rows.len());
        for row in &rows {
            known.push(ShiftId(row.try_get_by_index(0)?));
        }
        for plan in plans {
            if *plan != DayPlan::Off && plan.shifts().is_empty() {
                return Err(StoreError::Invalid("a plan names no shift".to_owned()));
            }
            if let Some(unknown) = plan.shifts().iter().find(|id| !known.contains(id)) {
                return Err(StoreError::not_found("shift", unknown));
            }
        }
        Ok(())
    }

    /// What these people work from a date on, until their next change; `None` takes back a change of that date.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] for somebody unknown; [`StoreError::Invalid`] when nobody is named.
    pub async fn change_plan(
        &self,
        employees: &[EmployeeId],
        from: Date,
        plan: Option<&WorkPlan>,
        author: Author,
    ) -> Result<(), StoreError> {
        if employees.is_empty() {
            return Err(StoreError::Invalid("nobody is named".to_owned()));
        }
        self.refuse_closed(employees, from, Date::MAX).await?;
        for employee in employees {
            let code = self.employee_code(*employee).await?;
            let key = (employee.0, from.to_string());
            plan_changes::Entity::delete_by_id(key.clone())
                .exec(&self.tx)
                .await?;
            if let Some(plan) = plan {
                let row = plan_changes::ActiveModel {
                    employee_id: Set(key.0),
                    from_day: Set(key.1),
                    shift_id: Set(plan.shift.map(|id| id.0)),
                    week_pattern_id: Set(plan.week_pattern),
                    cycle_id: Set(plan.cycle.map(|(id, _)| id)),
                    cycle_anchor: Set(plan.cycle.map(|(_, anchor)| anchor.to_string())),
                    weekly_off_id: Set(plan.weekly_off),
                };
                plan_changes::Entity::insert(row)
                    .exec_without_returning(&self.tx)
                    .await?;
            }
            let detail = serde_json::json!({
                "from": from,
                "shift": plan.and_then(|plan| plan.shift),
                "week_pattern": plan.and_then(|plan| plan.week_pattern),
                "cycle": plan.and_then(|plan| plan.cycle),
                "weekly_off": plan.and_then(|plan| plan.weekly_off),
            });
            let action = if plan.is_some() {
                "plan.change"
            } else {
                "plan.take_back"
            };
            self.audit(author, action, &code, detail).await?;
        }
        let first = from.yesterday().unwrap_or(from);
        self.mark_reports(
            Whose::Employees(employees),
            Some(first),
            None,
            "plan changed",
        )
        .await?;
        Ok(())
    }

    /// What somebody works on one day, whatever the plan says; `None`: as planned.
    pub async fn set_override(
        &self,
        employee: EmployeeId,
        on: Date,
        what: Option<&Override>,
        author: Author,
    ) -> Result<(), StoreError> {
        self.refuse_closed(&[employee], on, on).await?;
        let code = self.employee_code(employee).await?;
        if let Some(what) = what {
            self.check_shifts(std::slice::from_ref(&what.plan)).await?;
        }
        roster_overrides::Entity::delete_by_id((employee.0, on.to_string()))
            .exec(&self.tx)
            .await?;
        if let Some(what) = what {
            let row = roster_overrides::ActiveModel {
                employee_id: Set(employee.0),
                day: Set(on.to_string()),
                plan: Set(what.plan.to_string()),
                on_holiday: Set(what.on_holiday),
            };
            roster_overrides::Entity::insert(row)
                .exec_without_returning(&self.tx)
                .await?;
        }
        let (from, to) = crate::calendar::with_neighbours(on, on);
        self.mark_reports(Whose::Employees(&[employee]), from, to, "roster")
            .await?;
        let detail = serde_json::json!({
            "day": on,
            "plan": what.map(|what| what.plan.to_string()),
            "on_holiday": what.is_some_and(|what| what.on_holiday),
        });
        self.audit(author, "roster.override", &code, detail).await
    }

    /// Marks the reports of everybody whose plan can name a shift: by the shift itself, a pattern, a rotation or a single day.
    pub(crate) async fn mark_planned(&self, shift: ShiftId, cause: &str) -> Result<(), StoreError> {
        let names = |plan: &str| day_plan(plan).shifts().contains(&shift);
        let weeks = week_pattern_days::Entity::find().all(&self.tx).await?;
        let weeks = weeks.into_iter().filter(|row| names(&row.plan));
        let weeks: Vec<i64> = weeks.map(|row| row.pattern_id).collect();
        let cycles = cycle_days::Entity::find().all(&self.tx).await?;
        let cycles = cycles.into_iter().filter(|row| names(&row.plan));
        let cycles: Vec<i64> = cycles.map(|row| row.cycle_id).collect();
        let single = roster_overrides::Entity::find().all(&self.tx).await?;
        let single = single.into_iter().filter(|row| names(&row.plan));
        let mut people: Vec<EmployeeId> = single.map(|row| EmployeeId(row.employee_id)).collect();
        let backend = self.backend();
        let rows = sql::all(
            &self.tx,
            &format!(
                "SELECT id FROM employees WHERE shift_id = $1 OR week_pattern_id IN {} \
                 UNION SELECT employee_id FROM plan_changes \
                 WHERE shift_id = $1 OR week_pattern_id IN {} OR cycle_id IN {}",
                sql::in_ids(backend, 2),
                sql::in_ids(backend, 2),
                sql::in_ids(backend, 3),
            ),
            [shift.0.into(), sql::json(&weeks), sql::json(&cycles)],
        )
        .await?;
        for row in &rows {
            people.push(EmployeeId(row.try_get_by_index(0)?));
        }
        people.sort_unstable();
        people.dedup();
        self.mark_reports(Whose::Employees(&people), None, None, cause)
            .await?;
        Ok(())
    }
}

impl Store {
    /// All rotations by name.
    pub async fn cycles(&self) -> Result<Vec<Cycle>, StoreError> {
        let query = cycle_days::Entity::find().order_by_asc(cycle_days::Column::Place);
        let mut days: BTreeMap<i64, Vec<DayPlan>> = BTreeMap::new();
        for row in query.all(self.read()).await? {
            days.entry(row.cycle_id)
                .or_default()
                .push(day_plan(&row.plan));
        }
        let query = cycles::Entity::find().order_by_asc(cycles::Column::Name);
        let rows = query.all(self.read()).await?;
        Ok(rows
            .into_iter()
            .map(|row| Cycle {
                days: days.remove(&row.id).unwrap_or_default(),
                id: row.id,
                name: row.name,
            })
            .collect())
    }

    /// The changes of somebody's plan, the earliest first.
    pub async fn plan_changes(&self, employee: EmployeeId) -> Result<Vec<PlanChange>, StoreError> {
        let query = plan_changes::Entity::find()
            .filter(plan_changes::Column::EmployeeId.eq(employee.0))
            .order_by_asc(plan_changes::Column::FromDay);
        let rows = query.all(self.read()).await?;
        Ok(rows.into_iter().map(PlanChange::from).collect())
    }

    /// The single days from one to another, both inclusive, of everybody or of one department, by person and day.
    pub async fn overrides(
        &self,
        department: Option<DepartmentId>,
        from: Date,
        to: Date,
    ) -> Result<BTreeMap<(EmployeeId, Date), Override>, StoreError> {
        let rows: Vec<roster_overrides::Model> = sql::fetch(
            self.read(),
            "SELECT o.* FROM roster_overrides o JOIN employees e ON e.id = o.employee_id \
             WHERE o.day >= $1 AND o.day <= $2 AND ($3 = 0 OR e.department_id = $3)",
            [
                from.to_string().into(),
                to.to_string().into(),
                department.map_or(0, |id| id.0).into(),
            ],
        )
        .await?;
        Ok(rows
            .into_iter()
            .map(|row| {
                let key = (EmployeeId(row.employee_id), day(&row.day));
                (key, Override::from(row))
            })
            .collect())
    }
}

pub(crate) fn days_json(days: &[DayPlan]) -> serde_json::Value {
    let days: Vec<String> = days.iter().map(DayPlan::to_string).collect();
    serde_json::json!({ "days": days })
}

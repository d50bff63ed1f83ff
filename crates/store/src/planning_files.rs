//! Taking whole files of rosters, holidays and leave: what each line changes, and what is wrong with it.
//!
//! As with people the caller decides: commit what was right, or roll everything back.

use std::collections::{BTreeMap, HashMap};
use std::io::Read;

use attendance::{DayPart, EmployeeId, ShiftId, SiteId};
use jiff::Span;
use jiff::civil::Date;
use sea_orm::EntityTrait;

use crate::audit::Author;
use crate::calendar::{LeaveKind, NewLeave, part_text};
use crate::entities::{employees, holidays, leave, leave_types, roster_overrides, shifts, sites};
use crate::files::{FileError, Line, read_csv};
use crate::people::{RowError, tidy_text};
use crate::roster::{DayPlan, Override};
use crate::{StoreError, WriteTx};

pub const ROSTER_COLUMNS: &[&str] = &["code", "day", "to", "plan", "on_holiday"];
pub const HOLIDAY_COLUMNS: &[&str] = &["day", "name", "site"];
pub const LEAVE_COLUMNS: &[&str] = &["code", "kind", "from", "to", "part", "type", "reason"];

/// Days one line of a roster may set.
const LONGEST_LINE_DAYS: usize = 366;

/// What a file did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PlanningImport {
    pub added: usize,
    pub changed: usize,
    /// Already as the line says.
    pub unchanged: usize,
    /// Closed reports on the days off of the file; they stay as they are.
    pub closed: u64,
    pub errors: Vec<RowError>,
}

/// What one line, or one day of it, did.
enum Did {
    Added,
    Changed,
    Nothing,
}

impl PlanningImport {
    fn count(&mut self, did: Did) {
        match did {
            Did::Added => self.added += 1,
            Did::Changed => self.changed += 1,
            Did::Nothing => self.unchanged += 1,
        }
    }

    fn refuse(&mut self, line: u64, message: String) {
        self.errors.push(RowError { line, message });
    }

    fn detail(&self) -> serde_json::Value {
        serde_json::json!({
            "added": self.added,
            "changed": self.changed,
            "unchanged": self.unchanged,
            "closed": self.closed,
            "errors": self.errors.len(),
        })
    }
}

/// Who and what is named in a file, read once.
struct Names {
    people: HashMap<String, EmployeeId>,
    shifts: HashMap<String, ShiftId>,
    sites: HashMap<String, SiteId>,
    leave_types: HashMap<String, i64>,
}

impl Names {
    async fn load(tx: &WriteTx) -> Result<Self, StoreError> {
        let people = employees::Entity::find().all(&tx.tx).await?;
        let shifts = shifts::Entity::find().all(&tx.tx).await?;
        let sites = sites::Entity::find().all(&tx.tx).await?;
        let types = leave_types::Entity::find().all(&tx.tx).await?;
        let people = people.into_iter().map(|row| (row.code, EmployeeId(row.id)));
        let shifts = shifts.into_iter().map(|row| (row.name, ShiftId(row.id)));
        let sites = sites.into_iter().map(|row| (row.name, SiteId(row.id)));
        let types = types
            .into_iter()
            .flat_map(|row| [(row.code, row.id), (row.name, row.id)]);
        Ok(Self {
            people: people.collect(),
            shifts: shifts.collect(),
            sites: sites.collect(),
            leave_types: types.collect(),
        })
    }

    fn person(&self, line: &Line) -> Result<EmployeeId, String> {
        let code = line.filled("code").ok_or("the code is missing")?;
        let found = self.people.get(code);
        found
            .copied()
            .ok_or_else(|| format!("there is no employee {code:?}"))
    }

    fn plan(&self, text: &str) -> Result<DayPlan, String> {
        plan_by_names(text, &self.shifts)
    }
}

/// The plan that people write with the names of shifts: `off`, `DAY`, `EARLY+LATE`, or `auto DAY+NIGHT`.
///
/// # Errors
/// Which shift does not exist.
pub fn plan_by_names(text: &str, known: &HashMap<String, ShiftId>) -> Result<DayPlan, String> {
    let shifts = |names: &str| -> Result<Vec<ShiftId>, String> {
        let found = names.split('+').map(str::trim).map(|name| {
            let shift = known.get(name).copied();
            shift.ok_or_else(|| format!("there is no shift {name:?}"))
        });
        found.collect()
    };
    if text.eq_ignore_ascii_case("off") {
        return Ok(DayPlan::Off);
    }
    // A shift may be called so.
    if let Some(shift) = known.get(text) {
        return Ok(DayPlan::Shifts(vec![*shift]));
    }
    match text.strip_prefix("auto ") {
        Some(candidates) => Ok(DayPlan::Auto(shifts(candidates)?)),
        None => Ok(DayPlan::Shifts(shifts(text)?)),
    }
}

/// The date in a column; `None` when it is empty.
fn date(line: &Line, column: &str) -> Result<Option<Date>, String> {
    let Some(text) = line.filled(column) else {
        return Ok(None);
    };
    let date = text.parse().map(Some);
    date.map_err(|_| format!("{column} {text:?} is no date like 2026-05-06"))
}

/// A span of days with its end, which is the first day where it is empty.
fn days(line: &Line, first: &'static str) -> Result<(Date, Date), String> {
    let from = date(line, first)?.ok_or_else(|| format!("{first} is missing"))?;
    let to = date(line, "to")?.unwrap_or(from);
    if to < from {
        return Err(format!("it ends on {to} before it begins on {from}"));
    }
    Ok((from, to))
}

/// What a line asks for that cannot be kept is said at the line; everything else ends the import.
fn said(error: StoreError) -> Result<String, StoreError> {
    match error {
        StoreError::Closed { .. } | StoreError::Invalid(_) | StoreError::NotFound { .. } => {
            Ok(error.to_string())
        }
        other => Err(other),
    }
}

/// Reads a roster file.
///
/// # Errors
/// See [`FileError`].
pub fn read_roster(input: impl Read) -> Result<Vec<Line>, FileError> {
    read_csv(input, ROSTER_COLUMNS, &["code", "day", "plan"])
}

/// Reads a file of holidays.
///
/// # Errors
/// See [`FileError`].
pub fn read_holidays(input: impl Read) -> Result<Vec<Line>, FileError> {
    read_csv(input, HOLIDAY_COLUMNS, &["day", "name"])
}

/// Reads a file of leave and duty elsewhere.
///
/// # Errors
/// See [`FileError`].
pub fn read_leave(input: impl Read) -> Result<Vec<Line>, FileError> {
    read_csv(input, LEAVE_COLUMNS, &["code", "from"])
}

impl WriteTx {
    /// Sets what people work on single days: `code,day,to,plan,on_holiday`. An empty plan takes a single day back.
    ///
    /// # Errors
    /// Only of the database; then nothing may be committed.
    pub async fn import_roster(
        &self,
        lines: &[Line],
        author: Author,
    ) -> Result<PlanningImport, StoreError> {
        let names = Names::load(self).await?;
        let rows = roster_overrides::Entity::find().all(&self.tx).await?;
        let mut known: HashMap<(EmployeeId, Date), Override> = rows
            .into_iter()
            .map(|row| {
                let key = (EmployeeId(row.employee_id), crate::times::day(&row.day));
                (key, Override::from(row))
            })
            .collect();
        let mut done = PlanningImport::default();
        for line in lines {
            let asked = roster_line(&names, line);
            let (who, from, to, what) = match asked {
                Ok(asked) => asked,
                Err(message) => {
                    done.refuse(line.number, message);
                    continue;
                }
            };
            let on_days = from.series(Span::new().days(1));
            for on in on_days.take_while(|day| *day <= to) {
                let did = match (known.get(&(who, on)), &what) {
                    (None, None) => Did::Nothing,
                    (Some(before), Some(what)) if before == what => Did::Nothing,
                    (None, Some(_)) => Did::Added,
                    (Some(_), _) => Did::Changed,
                };
                if !matches!(did, Did::Nothing)
                    && let Err(error) = self.set_override(who, on, what.as_ref(), author).await
                {
                    done.refuse(line.number, said(error)?);
                    break;
                }
                match &what {
                    Some(what) => known.insert((who, on), what.clone()),
                    None => known.remove(&(who, on)),
                };
                done.count(did);
            }
        }
        self.audit(author, "roster.import", "", done.detail())
            .await?;
        Ok(done)
    }

    /// Adds days off: `day,name,site`; without a site everywhere. A day that is known is left as it is.
    ///
    /// # Errors
    /// Only of the database; then nothing may be committed.
    pub async fn import_holidays(
        &self,
        lines: &[Line],
        author: Author,
    ) -> Result<PlanningImport, StoreError> {
        let names = Names::load(self).await?;
        let rows = holidays::Entity::find().all(&self.tx).await?;
        let mut known: BTreeMap<(Option<i64>, String), String> = rows
            .into_iter()
            .map(|row| ((row.site_id, row.day), row.name))
            .collect();
        let mut done = PlanningImport::default();
        for line in lines {
            let asked = holiday_line(&names, line);
            let (site, on, name) = match asked {
                Ok(asked) => asked,
                Err(message) => {
                    done.refuse(line.number, message);
                    continue;
                }
            };
            let key = (site.map(|id| id.0), on.to_string());
            match known.get(&key) {
                Some(before) if *before == name => done.count(Did::Nothing),
                Some(before) => done.refuse(
                    line.number,
                    format!("{on} is a holiday called {before:?} already"),
                ),
                None => {
                    let change = self.add_holiday(site, on, &name, author).await?;
                    done.closed += change.closed;
                    known.insert(key, name);
                    done.count(Did::Added);
                }
            }
        }
        self.audit(author, "holiday.import", "", done.detail())
            .await?;
        Ok(done)
    }

    /// Adds leave and duty elsewhere: `code,kind,from,to,part,type,reason`. What is there already is left as it is.
    ///
    /// # Errors
    /// Only of the database; then nothing may be committed.
    pub async fn import_leave(
        &self,
        lines: &[Line],
        author: Author,
    ) -> Result<PlanningImport, StoreError> {
        let names = Names::load(self).await?;
        let rows = leave::Entity::find().all(&self.tx).await?;
        let mut known: Vec<_> = rows
            .into_iter()
            .map(|row| {
                let (who, kind, part) = (row.employee_id, row.kind, row.part);
                (who, kind, row.from_day, row.to_day, part, row.type_id)
            })
            .collect();
        known.sort_unstable();
        let mut done = PlanningImport::default();
        for line in lines {
            let new = match leave_line(&names, line) {
                Ok(new) => new,
                Err(message) => {
                    done.refuse(line.number, message);
                    continue;
                }
            };
            let key = (
                new.employee.0,
                new.kind.as_str().to_owned(),
                new.from.to_string(),
                new.to.to_string(),
                part_text(new.part).to_owned(),
                new.leave_type,
            );
            match known.binary_search(&key) {
                Ok(_) => done.count(Did::Nothing),
                Err(place) => match self.add_leave(&new, author).await {
                    Ok(_) => {
                        known.insert(place, key);
                        done.count(Did::Added);
                    }
                    Err(error) => done.refuse(line.number, said(error)?),
                },
            }
        }
        self.audit(author, "leave.import", "", done.detail())
            .await?;
        Ok(done)
    }
}

type RosterLine = (EmployeeId, Date, Date, Option<Override>);

fn roster_line(names: &Names, line: &Line) -> Result<RosterLine, String> {
    let who = names.person(line)?;
    let (from, to) = days(line, "day")?;
    let long = from.until(to).map_or(i32::MAX, |span| span.get_days());
    if usize::try_from(long).is_ok_and(|long| long >= LONGEST_LINE_DAYS) {
        return Err(format!("a line sets {LONGEST_LINE_DAYS} days at most"));
    }
    let on_holiday = match line.filled("on_holiday") {
        None | Some("no") => false,
        Some("yes") => true,
        Some(other) => return Err(format!("on_holiday {other:?} is neither yes nor no")),
    };
    let what = match line.filled("plan") {
        Some(plan) => Some(Override {
            plan: names.plan(plan)?,
            on_holiday,
        }),
        None => None,
    };
    Ok((who, from, to, what))
}

fn holiday_line(names: &Names, line: &Line) -> Result<(Option<SiteId>, Date, String), String> {
    let on = date(line, "day")?.ok_or("day is missing")?;
    let name = tidy_text(line.filled("name").ok_or("the name is missing")?);
    let site = match line.filled("site") {
        Some(name) => {
            let found = names.sites.get(name);
            Some(*found.ok_or_else(|| format!("there is no site {name:?}"))?)
        }
        None => None,
    };
    Ok((site, on, name))
}

fn leave_line(names: &Names, line: &Line) -> Result<NewLeave, String> {
    let employee = names.person(line)?;
    let (from, to) = days(line, "from")?;
    let kind = match line.filled("kind") {
        None | Some("leave") => LeaveKind::Leave,
        Some("on_duty") => LeaveKind::OnDuty,
        Some(other) => return Err(format!("kind {other:?} is neither leave nor on_duty")),
    };
    let part = match line.filled("part") {
        None | Some("full") => DayPart::Full,
        Some("first_half") => DayPart::FirstHalf,
        Some("second_half") => DayPart::SecondHalf,
        Some(other) => {
            return Err(format!(
                "part {other:?} is none of full, first_half, second_half"
            ));
        }
    };
    let leave_type = match line.filled("type") {
        Some(name) => {
            let found = names.leave_types.get(name);
            Some(*found.ok_or_else(|| format!("there is no leave type {name:?}"))?)
        }
        None => None,
    };
    Ok(NewLeave {
        employee,
        kind,
        from,
        to,
        part,
        leave_type,
        reason: line.filled("reason").unwrap_or_default().to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{author, employee, report, site};
    use crate::{Store, on_both_databases};

    async fn prepared(store: &Store) -> EmployeeId {
        let tx = store.begin_write().await.unwrap();
        let berlin = site(&tx).await;
        let ada = employee(&tx, berlin, "E1").await;
        for name in ["EARLY", "LATE"] {
            let shift = attendance::Shift::default();
            tx.add_shift(name, &shift, author()).await.unwrap();
        }
        tx.add_leave_type("Annual leave", "AL", true, author())
            .await
            .unwrap();
        tx.commit().await.unwrap();
        ada
    }

    fn messages(done: &PlanningImport) -> Vec<(u64, &str)> {
        let errors = done.errors.iter();
        errors
            .map(|error| (error.line, error.message.as_str()))
            .collect()
    }

    on_both_databases! {
        async fn a_roster_sets_single_days_and_takes_them_back(store: Store) {
            let ada = prepared(&store).await;
            let take = async |file: &str| {
                let lines = read_roster(file.as_bytes()).unwrap();
                let tx = store.begin_write().await.unwrap();
                let done = tx.import_roster(&lines, author()).await.unwrap();
                tx.commit().await.unwrap();
                done
            };
            let file = "code,day,to,plan,on_holiday\nE1,2026-05-04,2026-05-06,EARLY+LATE,\nE1,2026-05-07,,auto EARLY+LATE,yes\nE1,2026-05-08,,off,\n";
            let done = take(file).await;
            assert_eq!((done.added, done.changed, done.unchanged, done.errors.len()), (5, 0, 0, 0));
            assert_eq!(take(file).await.unchanged, 5);
            let on = |text: &str| -> Date { text.parse().unwrap() };
            let planned = store.overrides(None, on("2026-05-01"), on("2026-05-31")).await.unwrap();
            let says = |day: &str| {
                let what = &planned[&(ada, on(day))];
                (what.plan.to_string(), what.on_holiday)
            };
            assert_eq!(says("2026-05-06"), ("1+2".to_owned(), false));
            assert_eq!(says("2026-05-07"), ("auto 1+2".to_owned(), true));
            assert_eq!(says("2026-05-08"), (String::new(), false));
            let done = take("code,day,plan\nE1,2026-05-04,\nE1,2026-05-05,off\n").await;
            assert_eq!((done.added, done.changed), (0, 2));
            let left = store.overrides(None, on("2026-05-01"), on("2026-05-31")).await.unwrap();
            assert_eq!(left.len(), 4);
        }

        async fn each_bad_line_is_named(store: Store) {
            prepared(&store).await;
            let tx = store.begin_write().await.unwrap();
            let lines = read_roster(
                "code,day,to,plan,on_holiday\nE2,2026-05-04,,EARLY,\nE1,4.5.2026,,EARLY,\nE1,2026-05-04,2026-05-03,EARLY,\n\
                 E1,2026-05-04,,NIGHT,\nE1,2026-05-04,2028-05-04,off,\nE1,2026-05-04,,off,maybe\n".as_bytes()).unwrap();
            let done = tx.import_roster(&lines, author()).await.unwrap();
            assert_eq!(messages(&done), [
                (2, "there is no employee \"E2\""),
                (3, "day \"4.5.2026\" is no date like 2026-05-06"),
                (4, "it ends on 2026-05-03 before it begins on 2026-05-04"),
                (5, "there is no shift \"NIGHT\""),
                (6, "a line sets 366 days at most"),
                (7, "on_holiday \"maybe\" is neither yes nor no"),
            ]);
            assert_eq!(done.added, 0);
        }

        async fn holidays_and_leave_are_added_once(store: Store) {
            let ada = prepared(&store).await;
            let tx = store.begin_write().await.unwrap();
            report(&tx, ada, "2026-05-01").await;
            let file = "day,name,site\n2026-05-01,Labour Day,\n2026-05-25,Whit Monday,Berlin\n2026-05-26,?,Rome\n";
            let lines = read_holidays(file.as_bytes()).unwrap();
            let done = tx.import_holidays(&lines, author()).await.unwrap();
            assert_eq!((done.added, messages(&done)), (2, vec![(4, "there is no site \"Rome\"")]));
            let again = tx.import_holidays(&lines[..2], author()).await.unwrap();
            assert_eq!((again.added, again.unchanged), (0, 2));
            let renamed = read_holidays("day,name\n2026-05-01,May Day\n".as_bytes()).unwrap();
            let done = tx.import_holidays(&renamed, author()).await.unwrap();
            assert_eq!(messages(&done), [(2, "2026-05-01 is a holiday called \"Labour Day\" already")]);

            let file = "code,kind,from,to,part,type,reason\nE1,leave,2026-05-04,2026-05-08,,AL,sea\nE1,on_duty,2026-05-11,,first_half,,fair\n\
                        E1,leave,2026-05-12,,half,,\nE1,holiday,2026-05-12,,,,\nE1,leave,2026-05-12,,,SICK,\n";
            let lines = read_leave(file.as_bytes()).unwrap();
            let done = tx.import_leave(&lines, author()).await.unwrap();
            assert_eq!((done.added, messages(&done)), (2, vec![
                (4, "part \"half\" is none of full, first_half, second_half"),
                (5, "kind \"holiday\" is neither leave nor on_duty"),
                (6, "there is no leave type \"SICK\""),
            ]));
            let again = tx.import_leave(&lines[..2], author()).await.unwrap();
            assert_eq!((again.added, again.unchanged), (0, 2));
        }
    }
}

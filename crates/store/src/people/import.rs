//! Taking a whole file of employees: what each line changes, and what is wrong with it.

use std::collections::HashMap;

use attendance::{DepartmentId, EmployeeId, ShiftId, SiteId};
use sea_orm::EntityTrait;

use super::{Employee, EmployeeFields, identity_differs, plan_differs, tidy, tidy_text};
use crate::audit::Author;
use crate::entities::{departments, employees, shifts, sites};
use crate::marks::Whose;
use crate::{StoreError, WriteTx};

/// One line of an employee file. `None` is a column the file does not have, which changes nothing; an empty text clears.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EmployeeRow {
    /// For messages.
    pub line: u64,
    pub code: String,
    pub first_name: Option<String>,
    pub last_name: Option<String>,
    pub username: Option<String>,
    pub email: Option<String>,
    /// By name; made at the person's site when there is none of that name.
    pub department: Option<String>,
    pub device_user_id: Option<String>,
    /// By name; must exist. Empty is the usual shift of the company, which somebody new gets without the column too.
    pub shift: Option<String>,
    /// By name; must exist.
    pub site: Option<String>,
    /// `YYYY-MM-DD`.
    pub employed_from: Option<String>,
    pub employed_to: Option<String>,
}

/// What an import did. With errors the caller decides: commit what was right, or roll everything back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Imported {
    pub added: usize,
    pub changed: usize,
    pub unchanged: usize,
    /// The lines that add or change somebody, in their order.
    pub lines: Vec<ImportedLine>,
    pub errors: Vec<RowError>,
}

/// What one line of a file does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImportedLine {
    pub line: u64,
    pub code: String,
    pub first_name: String,
    pub last_name: String,
    /// The columns that differ from what was there; `None` for a new person.
    pub changed: Option<Vec<&'static str>>,
}

/// Why a line was not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowError {
    pub line: u64,
    pub message: String,
}

impl WriteTx {
    /// Adds and changes people by code, line by line; lines with errors are left out and listed.
    ///
    /// # Errors
    /// Only of the database; then nothing may be committed.
    pub async fn import_employees(
        &self,
        rows: &[EmployeeRow],
        author: Author,
    ) -> Result<Imported, StoreError> {
        let mut import = Import::load(self).await?;
        let mut done = Imported::default();
        let (mut resolve, mut replan) = (Vec::new(), Vec::new());
        let mut lines: HashMap<String, u64> = HashMap::new();
        for row in rows {
            let code = tidy_text(&row.code);
            let fields = match lines.insert(code.clone(), row.line) {
                Some(earlier) => Err(format!("code {code} stands in line {earlier} already")),
                None => import.fields(self, row, author).await?,
            };
            let fields = match fields {
                Ok(fields) => fields,
                Err(message) => {
                    let line = row.line;
                    done.errors.push(RowError { line, message });
                    continue;
                }
            };
            let line = |changed| ImportedLine {
                line: row.line,
                code: fields.code.clone(),
                first_name: fields.first_name.clone(),
                last_name: fields.last_name.clone(),
                changed,
            };
            match import.employees.get(&fields.code) {
                Some((_, before)) if *before == fields => done.unchanged += 1,
                Some((id, before)) => {
                    done.lines.push(line(Some(differences(before, &fields))));
                    self.update_employee(*id, &fields).await?;
                    if identity_differs(before, &fields) {
                        resolve.push(*id);
                    } else if plan_differs(before, &fields) {
                        replan.push(*id);
                    }
                    done.changed += 1;
                }
                None => {
                    done.lines.push(line(None));
                    resolve.push(self.insert_employee(&fields).await?);
                    done.added += 1;
                }
            }
        }
        self.resolve_employees(&resolve, author.at).await?;
        let whose = Whose::Employees(&replan);
        self.mark_reports(whose, None, None, "employee edited")
            .await?;
        let detail = serde_json::json!({
            "added": done.added,
            "changed": done.changed,
            "unchanged": done.unchanged,
            "errors": done.errors.len(),
        });
        self.audit(author, "employee.import", "", detail).await?;
        Ok(done)
    }
}

/// What an import looks up, read once.
struct Import {
    employees: HashMap<String, (EmployeeId, EmployeeFields)>,
    sites: HashMap<String, SiteId>,
    default_site: Option<SiteId>,
    /// By site and name.
    departments: HashMap<(SiteId, String), DepartmentId>,
    default_departments: HashMap<SiteId, DepartmentId>,
    shifts: HashMap<String, ShiftId>,
    /// What an empty shift means, so that a file imported twice changes nothing the second time.
    usual_shift: Option<ShiftId>,
}

impl Import {
    async fn load(tx: &WriteTx) -> Result<Self, StoreError> {
        let sites = sites::Entity::find().all(&tx.tx).await?;
        let departments = departments::Entity::find().all(&tx.tx).await?;
        let employees = employees::Entity::find().all(&tx.tx).await?;
        let shifts = shifts::Entity::find().all(&tx.tx).await?;
        Ok(Self {
            usual_shift: tx.usual("default_shift").await?.map(ShiftId),
            default_site: sites
                .iter()
                .find(|row| row.is_default)
                .map(|row| SiteId(row.id)),
            sites: sites
                .into_iter()
                .map(|row| (row.name, SiteId(row.id)))
                .collect(),
            default_departments: departments
                .iter()
                .filter(|row| row.is_default)
                .map(|row| (SiteId(row.site_id), DepartmentId(row.id)))
                .collect(),
            departments: departments
                .into_iter()
                .map(|row| ((SiteId(row.site_id), row.name), DepartmentId(row.id)))
                .collect(),
            employees: employees
                .into_iter()
                .map(Employee::from)
                .map(|found| (found.fields.code.clone(), (found.id, found.fields)))
                .collect(),
            shifts: shifts
                .into_iter()
                .map(|row| (row.name, ShiftId(row.id)))
                .collect(),
        })
    }

    /// The fields a line asks for, or what is wrong with it. The outer error is one of the database.
    async fn fields(
        &mut self,
        tx: &WriteTx,
        row: &EmployeeRow,
        author: Author,
    ) -> Result<Result<EmployeeFields, String>, StoreError> {
        let mut fields = match self.without_department(row) {
            Ok(fields) => fields,
            Err(message) => return Ok(Err(message)),
        };
        if let Some(name) = &row.department {
            fields.department = None;
            let name = tidy_text(name);
            if !name.is_empty() {
                let key = (fields.site, name);
                let department = match self.departments.get(&key) {
                    Some(department) => *department,
                    None => {
                        let made = tx.add_department(fields.site, &key.1, author).await?;
                        self.departments.insert(key, made);
                        made
                    }
                };
                fields.department = Some(department);
            }
        }
        if fields.department.is_none() {
            fields.department = self.default_departments.get(&fields.site).copied();
        }
        Ok(Ok(fields))
    }

    fn without_department(&self, row: &EmployeeRow) -> Result<EmployeeFields, String> {
        let code = tidy_text(&row.code);
        let before = self.employees.get(&code).map(|(_, fields)| fields);
        let site = match row.site.as_deref().map(str::trim) {
            Some(name) if !name.is_empty() => {
                let found = self.sites.get(name);
                *found.ok_or_else(|| format!("there is no site {name:?}"))?
            }
            Some(_) => self.default_site.ok_or("there is no site yet")?,
            None => before
                .map(|fields| fields.site)
                .or(self.default_site)
                .ok_or("there is no site yet")?,
        };
        let mut fields = match before {
            Some(before) => before.clone(),
            None => EmployeeFields {
                code,
                first_name: String::new(),
                last_name: String::new(),
                username: None,
                email: None,
                device_user_id: None,
                site,
                department: None,
                shift: None,
                week_pattern: None,
                weekly_off: None,
                employed_from: None,
                employed_to: None,
            },
        };
        if fields.site != site {
            fields.site = site;
            fields.department = None; // it belongs to the other site
        }
        if let Some(name) = &row.first_name {
            fields.first_name.clone_from(name);
        }
        if let Some(name) = &row.last_name {
            fields.last_name.clone_from(name);
        }
        for (given, field) in [
            (&row.username, &mut fields.username),
            (&row.email, &mut fields.email),
            (&row.device_user_id, &mut fields.device_user_id),
        ] {
            if given.is_some() {
                field.clone_from(given);
            }
        }
        if let Some(name) = row.shift.as_deref().map(str::trim) {
            fields.shift = match (name, self.shifts.get(name)) {
                ("", _) => self.usual_shift,
                (_, Some(shift)) => Some(*shift),
                (_, None) => return Err(format!("there is no shift {name:?}")),
            };
        }
        for (given, field, column) in [
            (
                &row.employed_from,
                &mut fields.employed_from,
                "employed_from",
            ),
            (&row.employed_to, &mut fields.employed_to, "employed_to"),
        ] {
            if let Some(text) = given.as_deref().map(str::trim) {
                *field = match (text, text.parse()) {
                    ("", _) => None,
                    (_, Ok(date)) => Some(date),
                    (_, Err(_)) => {
                        return Err(format!("{column} {text:?} is no date like 2026-05-06"));
                    }
                };
            }
        }
        tidy(&fields)
    }
}

/// The columns of an employee file in which they differ.
fn differences(before: &EmployeeFields, after: &EmployeeFields) -> Vec<&'static str> {
    let differs = [
        ("first_name", before.first_name != after.first_name),
        ("last_name", before.last_name != after.last_name),
        ("username", before.username != after.username),
        ("email", before.email != after.email),
        ("department", before.department != after.department),
        ("device_id", before.device_user_id != after.device_user_id),
        ("shift", before.shift != after.shift),
        ("site", before.site != after.site),
        ("employed_from", before.employed_from != after.employed_from),
        ("employed_to", before.employed_to != after.employed_to),
    ];
    let differs = differs.into_iter().filter(|(_, differs)| *differs);
    differs.map(|(column, _)| column).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{author, employee_fields, site};
    use crate::{Store, on_both_databases};

    fn row(line: u64, code: &str, name: &str) -> EmployeeRow {
        EmployeeRow {
            line,
            code: code.to_owned(),
            first_name: Some(name.to_owned()),
            ..EmployeeRow::default()
        }
    }

    fn text(text: &str) -> Option<String> {
        Some(text.to_owned())
    }

    async fn import(store: &Store, rows: &[EmployeeRow]) -> Imported {
        let tx = store.begin_write().await.unwrap();
        let done = tx.import_employees(rows, author()).await.unwrap();
        tx.commit().await.unwrap();
        done
    }

    async fn by_code(store: &Store, code: &str) -> EmployeeFields {
        let found = store.employee_by_code(code).await.unwrap();
        found.unwrap().fields
    }

    on_both_databases! {
        async fn an_empty_shift_is_the_usual_one(store: Store) {
            let tx = store.begin_write().await.unwrap();
            site(&tx).await;
            let day = tx.add_shift("Day", &attendance::Shift::default(), author()).await.unwrap();
            tx.set_setting("default_shift", Some(&day.0.to_string()), author()).await.unwrap();
            tx.commit().await.unwrap();
            let mut bo = row(2, "3", "Bo");
            bo.shift = text("");
            assert_eq!(import(&store, std::slice::from_ref(&bo)).await.added, 1);
            assert_eq!(import(&store, &[bo]).await.unchanged, 1);
            assert_eq!(by_code(&store, "3").await.shift, Some(day));
        }

        async fn an_import_adds_changes_and_leaves_alone(store: Store) {
            let tx = store.begin_write().await.unwrap();
            let berlin = site(&tx).await;
            let day = tx.add_shift("Day", &attendance::Shift::default(), author()).await.unwrap();
            tx.commit().await.unwrap();
            let mut ada = row(2, "007", " Ada ");
            ada.department = text("Sales");
            ada.shift = text("Day");
            ada.device_user_id = text("42");
            ada.employed_from = text("2026-01-01");
            let rows = [ada.clone(), row(3, "8", "Bo")];
            let done = import(&store, &rows).await;
            assert_eq!((done.added, done.changed, done.unchanged, done.errors.len()), (2, 0, 0, 0));
            assert!(done.lines.iter().all(|line| line.changed.is_none()));
            let kept = by_code(&store, "007").await;
            assert_eq!((kept.first_name.as_str(), kept.shift, kept.site), ("Ada", Some(day), berlin));
            assert_eq!(kept.employed_from, Some("2026-01-01".parse().unwrap()));
            let departments = store.departments().await.unwrap();
            assert!(departments.iter().any(|found| Some(found.id) == kept.department && found.name == "Sales"));

            let done = import(&store, &rows).await;
            assert_eq!(done, Imported { unchanged: 2, ..Imported::default() });

            // A column that is not in the file changes nothing; an empty cell clears.
            ada.shift = None;
            ada.device_user_id = text("");
            ada.department = text("");
            let done = import(&store, &[ada]).await;
            assert_eq!((done.added, done.changed, done.unchanged, done.errors.len()), (0, 1, 0, 0));
            let line = &done.lines[0];
            assert_eq!((line.line, line.code.as_str(), line.first_name.as_str()), (2, "007", "Ada"));
            assert_eq!(line.changed.as_deref(), Some(&["department", "device_id"][..]));
            let kept = by_code(&store, "007").await;
            assert_eq!((kept.shift, kept.device_user_id), (Some(day), None));
            assert!(departments.iter().any(|found| Some(found.id) == kept.department && found.is_default));
        }

        async fn each_bad_line_is_named_and_the_others_are_taken(store: Store) {
            let tx = store.begin_write().await.unwrap();
            site(&tx).await;
            tx.commit().await.unwrap();
            let mut unknown_site = row(4, "4", "Di");
            unknown_site.site = text("Rome");
            let mut unknown_shift = row(5, "5", "Ed");
            unknown_shift.shift = text("Night");
            let mut no_date = row(6, "6", "Flo");
            no_date.employed_from = text("1.5.2026");
            let mut backwards = row(7, "7", "Gil");
            backwards.employed_from = text("2026-05-02");
            backwards.employed_to = text("2026-05-01");
            let done = import(&store, &[
                row(2, "2", "Bo"),
                row(3, " 2", "Cy"),
                unknown_site,
                unknown_shift,
                no_date,
                backwards,
                row(8, "", "Hal"),
                row(9, "9", ""),
            ]).await;
            let errors: Vec<_> = done.errors.iter()
                .map(|error| (error.line, error.message.as_str()))
                .collect();
            assert_eq!(errors, [
                (3, "code 2 stands in line 2 already"),
                (4, "there is no site \"Rome\""),
                (5, "there is no shift \"Night\""),
                (6, "employed_from \"1.5.2026\" is no date like 2026-05-06"),
                (7, "employed_to 2026-05-01 is before employed_from 2026-05-02"),
                (8, "an employee needs a code"),
                (9, "an employee needs a name"),
            ]);
            assert_eq!(done.added, 1);
            assert_eq!(store.employees().await.unwrap().len(), 1);
        }

        async fn an_import_may_move_somebody_to_another_site(store: Store) {
            let tx = store.begin_write().await.unwrap();
            let berlin = site(&tx).await;
            let apia = tx.add_site("Apia", "Pacific/Apia", author()).await.unwrap();
            let sales = tx.add_department(berlin, "Sales", author()).await.unwrap();
            let mut fields = employee_fields(berlin, "7");
            fields.department = Some(sales);
            tx.add_employee(&fields, author()).await.unwrap();
            tx.commit().await.unwrap();
            let mut moved = row(2, "7", "Ada");
            moved.site = text("Apia");
            import(&store, &[moved]).await;
            let kept = by_code(&store, "7").await;
            assert_eq!(kept.site, apia);
            let departments = store.departments().await.unwrap();
            let at_apia = departments.iter().find(|found| found.site == apia).unwrap();
            assert_eq!(kept.department, Some(at_apia.id));
        }
    }
}

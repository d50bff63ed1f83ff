//! Sites, departments and employees.
//!
//! Whose punch is whose is decided in `identity`; an edit here only says who has to be looked at again.

mod import;

use attendance::{DepartmentId, EmployeeId, ShiftId, SiteId};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use sea_orm::{ActiveModelTrait, ColumnTrait, EntityTrait, QueryFilter, QueryOrder, Set};

use crate::audit::Author;
use crate::entities::{departments, employees, sites};
use crate::marks::Whose;
use crate::sql::Column;
use crate::times::{day, wall};
use crate::{Store, StoreError, WriteTx, sql};

pub use import::{EmployeeRow, Imported, ImportedLine, RowError};

/// The department of people who have no other.
const DEFAULT_DEPARTMENT: &str = "General";

/// A place with one zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Site {
    pub id: SiteId,
    pub name: String,
    /// IANA name.
    pub zone: String,
    pub is_default: bool,
}

impl From<sites::Model> for Site {
    fn from(row: sites::Model) -> Self {
        Self {
            id: SiteId(row.id),
            name: row.name,
            zone: row.zone,
            is_default: row.is_default,
        }
    }
}

/// A part of the company at one site.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Department {
    pub id: DepartmentId,
    pub name: String,
    pub site: SiteId,
    /// Holds the people of the site who have no other department.
    pub is_default: bool,
}

impl From<departments::Model> for Department {
    fn from(row: departments::Model) -> Self {
        Self {
            id: DepartmentId(row.id),
            name: row.name,
            site: SiteId(row.site_id),
            is_default: row.is_default,
        }
    }
}

/// What people enter about an employee.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EmployeeFields {
    /// What payroll prints. Unique; zeros and case count.
    pub code: String,
    pub first_name: String,
    pub last_name: String,
    pub username: Option<String>,
    pub email: Option<String>,
    /// The person's number on the terminals: text.
    pub device_user_id: Option<String>,
    pub site: SiteId,
    /// `None`: the default department of the site.
    pub department: Option<DepartmentId>,
    pub shift: Option<ShiftId>,
    pub week_pattern: Option<i64>,
    pub weekly_off: Option<i64>,
    /// Both inclusive; `None` is open.
    pub employed_from: Option<Date>,
    pub employed_to: Option<Date>,
}

/// A person of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Employee {
    pub id: EmployeeId,
    pub fields: EmployeeFields,
}

impl From<employees::Model> for Employee {
    fn from(row: employees::Model) -> Self {
        Self {
            id: EmployeeId(row.id),
            fields: EmployeeFields {
                code: row.code,
                first_name: row.first_name,
                last_name: row.last_name,
                username: row.username,
                email: row.email,
                device_user_id: row.device_id,
                site: SiteId(row.site_id),
                department: row.department_id.map(DepartmentId),
                shift: row.shift_id.map(ShiftId),
                week_pattern: row.week_pattern_id,
                weekly_off: row.weekly_off_id,
                employed_from: row.employed_from.as_deref().map(day),
                employed_to: row.employed_to.as_deref().map(day),
            },
        }
    }
}

impl WriteTx {
    /// A new site with its default department. The first one is the default.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] for an empty name or an unknown zone, [`StoreError::Duplicate`] for a name that is taken.
    pub async fn add_site(
        &self,
        name: &str,
        zone: &str,
        author: Author,
    ) -> Result<SiteId, StoreError> {
        let name = named("site", name)?;
        time_zone(zone)?;
        let first = sites::Entity::find().one(&self.tx).await?.is_none();
        let row = sites::ActiveModel {
            name: Set(name.clone()),
            zone: Set(zone.to_owned()),
            is_default: Set(first),
            ..Default::default()
        };
        let site = sites::Entity::insert(row)
            .exec(&self.tx)
            .await
            .map_err(|error| StoreError::duplicate(error, "a site named", &name))?
            .last_insert_id;
        let department = departments::ActiveModel {
            name: Set(DEFAULT_DEPARTMENT.to_owned()),
            site_id: Set(site),
            is_default: Set(true),
            ..Default::default()
        };
        departments::Entity::insert(department)
            .exec(&self.tx)
            .await?;
        let detail = serde_json::json!({ "zone": zone });
        self.audit(author, "site.add", &name, detail).await?;
        Ok(SiteId(site))
    }

    /// Renames a site or corrects its zone. Another zone moves what people entered in site time with it, and every day of the
    /// site is judged again. The clocks of its devices are not touched: see [`WriteTx::set_device_zone`].
    pub async fn edit_site(
        &self,
        site: SiteId,
        name: &str,
        zone: &str,
        author: Author,
    ) -> Result<(), StoreError> {
        let name = named("site", name)?;
        let tz = time_zone(zone)?;
        let before = self.site_row(site).await?;
        let row = sites::ActiveModel {
            id: Set(site.0),
            name: Set(name.clone()),
            zone: Set(zone.to_owned()),
            ..Default::default()
        };
        let result = row.update(&self.tx).await;
        result.map_err(|error| StoreError::duplicate(error, "a site named", &name))?;
        if before.zone != zone {
            self.move_corrections(site, &tz).await?;
            self.mark_reports(Whose::Site(site), None, None, "zone of the site")
                .await?;
        }
        let detail = serde_json::json!({ "name": name, "zone": zone });
        self.audit(author, "site.edit", &before.name, detail).await
    }

    async fn move_corrections(&self, site: SiteId, zone: &TimeZone) -> Result<(), StoreError> {
        let rows = sql::all(
            &self.tx,
            "SELECT id, at FROM corrections WHERE employee_id IN (SELECT id FROM employees WHERE site_id = $1)",
            [site.0.into()],
        )
        .await?;
        let mut moved = Vec::with_capacity(rows.len());
        for row in &rows {
            let at: String = row.try_get_by_index(1)?;
            let at = site_instant(wall(&at), zone)?;
            moved.push((row.try_get_by_index::<i64>(0)?, at.as_millisecond()));
        }
        let table = sql::json_rows(
            self.backend(),
            1,
            "r",
            &[("id", Column::Int), ("at_ms", Column::Int)],
        );
        sql::run(
            &self.tx,
            &format!(
                "UPDATE corrections SET at_ms = r.at_ms FROM {table} WHERE corrections.id = r.id"
            ),
            [sql::json(&moved)],
        )
        .await?;
        Ok(())
    }

    pub async fn add_department(
        &self,
        site: SiteId,
        name: &str,
        author: Author,
    ) -> Result<DepartmentId, StoreError> {
        let name = named("department", name)?;
        let row = departments::ActiveModel {
            name: Set(name.clone()),
            site_id: Set(site.0),
            is_default: Set(false),
            ..Default::default()
        };
        let id = departments::Entity::insert(row)
            .exec(&self.tx)
            .await
            .map_err(|error| StoreError::duplicate(error, "a department named", &name))?
            .last_insert_id;
        self.audit(
            author,
            "department.add",
            &name,
            serde_json::json!({ "site": site.0 }),
        )
        .await?;
        Ok(DepartmentId(id))
    }

    pub async fn rename_department(
        &self,
        department: DepartmentId,
        name: &str,
        author: Author,
    ) -> Result<(), StoreError> {
        let name = named("department", name)?;
        let before = departments::Entity::find_by_id(department.0)
            .one(&self.tx)
            .await?
            .ok_or_else(|| StoreError::not_found("department", department))?;
        let row = departments::ActiveModel {
            id: Set(department.0),
            name: Set(name.clone()),
            ..Default::default()
        };
        let result = row.update(&self.tx).await;
        result.map_err(|error| StoreError::duplicate(error, "a department named", &name))?;
        let detail = serde_json::json!({ "name": name });
        self.audit(author, "department.rename", &before.name, detail)
            .await
    }

    /// A new person. Device users that were waiting for somebody with this number, code or username are theirs from now on,
    /// with all their punches.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] for a field that cannot be, [`StoreError::Duplicate`] for a code that is taken.
    pub async fn add_employee(
        &self,
        fields: &EmployeeFields,
        author: Author,
    ) -> Result<EmployeeId, StoreError> {
        let fields = self.checked(fields).await?;
        let id = self.insert_employee(&fields).await?;
        self.resolve_employees(&[id], author.at).await?;
        self.audit(author, "employee.add", &fields.code, detail(&fields))
            .await?;
        Ok(id)
    }

    /// Changes a person, and marks every day that could differ by it.
    pub async fn edit_employee(
        &self,
        employee: EmployeeId,
        fields: &EmployeeFields,
        author: Author,
    ) -> Result<(), StoreError> {
        let fields = self.checked(fields).await?;
        let before = employees::Entity::find_by_id(employee.0)
            .one(&self.tx)
            .await?
            .map(Employee::from)
            .ok_or_else(|| StoreError::not_found("employee", employee))?
            .fields;
        if before == fields {
            return Ok(());
        }
        self.update_employee(employee, &fields).await?;
        if identity_differs(&before, &fields) {
            self.resolve_employees(&[employee], author.at).await?;
        } else if plan_differs(&before, &fields) {
            let whose = Whose::Employees(&[employee]);
            self.mark_reports(whose, None, None, "employee edited")
                .await?;
        }
        self.audit(author, "employee.edit", &before.code, detail(&fields))
            .await
    }

    pub(crate) async fn site_row(&self, site: SiteId) -> Result<sites::Model, StoreError> {
        sites::Entity::find_by_id(site.0)
            .one(&self.tx)
            .await?
            .ok_or_else(|| StoreError::not_found("site", site))
    }

    /// The same with trimmed texts and a department.
    async fn checked(&self, fields: &EmployeeFields) -> Result<EmployeeFields, StoreError> {
        let mut fields = tidy(fields).map_err(StoreError::Invalid)?;
        let at_site = departments::Entity::find()
            .filter(departments::Column::SiteId.eq(fields.site.0))
            .all(&self.tx)
            .await?;
        let department = at_site.iter().find(|row| match fields.department {
            Some(id) => row.id == id.0,
            None => row.is_default,
        });
        fields.department = match (department, fields.department) {
            (Some(row), _) => Some(DepartmentId(row.id)),
            (None, Some(id)) => {
                return Err(StoreError::not_found("department at that site:", id));
            }
            (None, None) => return Err(StoreError::not_found("site", fields.site)),
        };
        Ok(fields)
    }

    async fn insert_employee(&self, fields: &EmployeeFields) -> Result<EmployeeId, StoreError> {
        let mut fields = fields.clone();
        self.give_usual_plan(&mut fields).await?;
        let inserted = employees::Entity::insert(to_row(&fields))
            .exec(&self.tx)
            .await;
        let id = inserted
            .map_err(|error| StoreError::duplicate(error, "an employee with code", &fields.code))?
            .last_insert_id;
        Ok(EmployeeId(id))
    }

    /// Somebody new without a plan of their own gets the company's: the settings `default_shift` and `default_weekly_off`,
    /// which hold ids.
    async fn give_usual_plan(&self, fields: &mut EmployeeFields) -> Result<(), StoreError> {
        if fields.shift.is_none() && fields.week_pattern.is_none() {
            fields.shift = self.usual("default_shift").await?.map(ShiftId);
        }
        if fields.weekly_off.is_none() && fields.week_pattern.is_none() {
            fields.weekly_off = self.usual("default_weekly_off").await?;
        }
        Ok(())
    }

    async fn usual(&self, setting: &str) -> Result<Option<i64>, StoreError> {
        let query = "SELECT value FROM settings WHERE key = $1";
        let row = sql::one(&self.tx, query, [setting.into()]).await?;
        let value: Option<String> = row.map(|row| row.try_get_by_index(0)).transpose()?;
        Ok(value.and_then(|id| id.parse().ok()))
    }

    async fn update_employee(
        &self,
        employee: EmployeeId,
        fields: &EmployeeFields,
    ) -> Result<(), StoreError> {
        let mut row = to_row(fields);
        row.id = Set(employee.0);
        row.update(&self.tx)
            .await
            .map_err(|error| StoreError::duplicate(error, "an employee with code", &fields.code))?;
        Ok(())
    }
}

impl Store {
    /// The default site first, then by name.
    pub async fn sites(&self) -> Result<Vec<Site>, StoreError> {
        let query = sites::Entity::find()
            .order_by_desc(sites::Column::IsDefault)
            .order_by_asc(sites::Column::Name);
        let rows = query.all(self.read()).await?;
        Ok(rows.into_iter().map(Site::from).collect())
    }

    /// `None` until the first site is added.
    pub async fn default_site(&self) -> Result<Option<Site>, StoreError> {
        let query = sites::Entity::find().filter(sites::Column::IsDefault.eq(true));
        Ok(query.one(self.read()).await?.map(Site::from))
    }

    pub async fn site_by_name(&self, name: &str) -> Result<Option<Site>, StoreError> {
        let query = sites::Entity::find().filter(sites::Column::Name.eq(name.trim()));
        Ok(query.one(self.read()).await?.map(Site::from))
    }

    /// Departments of all sites, by name.
    pub async fn departments(&self) -> Result<Vec<Department>, StoreError> {
        let query = departments::Entity::find()
            .order_by_asc(departments::Column::Name)
            .order_by_asc(departments::Column::Id);
        let rows = query.all(self.read()).await?;
        Ok(rows.into_iter().map(Department::from).collect())
    }

    /// Everybody, past and present, by code.
    pub async fn employees(&self) -> Result<Vec<Employee>, StoreError> {
        let query = employees::Entity::find().order_by_asc(employees::Column::Code);
        let rows = query.all(self.read()).await?;
        Ok(rows.into_iter().map(Employee::from).collect())
    }

    pub async fn employee(&self, employee: EmployeeId) -> Result<Option<Employee>, StoreError> {
        let query = employees::Entity::find_by_id(employee.0);
        Ok(query.one(self.read()).await?.map(Employee::from))
    }

    pub async fn employee_by_code(&self, code: &str) -> Result<Option<Employee>, StoreError> {
        let query = employees::Entity::find().filter(employees::Column::Code.eq(code));
        Ok(query.one(self.read()).await?.map(Employee::from))
    }
}

/// The zone of an IANA name.
///
/// # Errors
/// [`StoreError::Invalid`] when there is no such zone.
pub(crate) fn time_zone(name: &str) -> Result<TimeZone, StoreError> {
    TimeZone::get(name).map_err(|_| {
        StoreError::Invalid(format!(
            "{name:?} is no time zone: expected a name like Europe/Berlin"
        ))
    })
}

/// The instant of a wall time a person entered (R2, R4).
pub(crate) fn site_instant(
    at: jiff::civil::DateTime,
    zone: &TimeZone,
) -> Result<jiff::Timestamp, StoreError> {
    zone.to_timestamp(at)
        .map_err(|_| StoreError::Invalid(format!("{at} is out of range")))
}

/// The same with trimmed texts, empty ones as `None`; or what is wrong.
fn tidy(fields: &EmployeeFields) -> Result<EmployeeFields, String> {
    let fields = EmployeeFields {
        code: tidy_text(&fields.code),
        first_name: tidy_text(&fields.first_name),
        last_name: tidy_text(&fields.last_name),
        username: tidy_option(fields.username.as_deref()),
        email: tidy_option(fields.email.as_deref()),
        device_user_id: tidy_option(fields.device_user_id.as_deref()),
        ..fields.clone()
    };
    if fields.code.is_empty() {
        return Err("an employee needs a code".to_owned());
    }
    if fields.first_name.is_empty() && fields.last_name.is_empty() {
        return Err("an employee needs a name".to_owned());
    }
    if let (Some(from), Some(to)) = (fields.employed_from, fields.employed_to)
        && to < from
    {
        return Err(format!("employed_to {to} is before employed_from {from}"));
    }
    Ok(fields)
}

/// Whether the change can move punches between people, or days into or out of the employment.
fn identity_differs(before: &EmployeeFields, after: &EmployeeFields) -> bool {
    let identity = |fields: &EmployeeFields| {
        (
            fields.code.clone(),
            fields.username.clone(),
            fields.device_user_id.clone(),
            (fields.employed_from, fields.employed_to, fields.site),
        )
    };
    identity(before) != identity(after)
}

/// Whether the change can give another report of the same punches.
fn plan_differs(before: &EmployeeFields, after: &EmployeeFields) -> bool {
    let plan = |fields: &EmployeeFields| {
        (
            fields.shift,
            fields.week_pattern,
            fields.weekly_off,
            fields.department,
        )
    };
    plan(before) != plan(after)
}

fn to_row(fields: &EmployeeFields) -> employees::ActiveModel {
    employees::ActiveModel {
        code: Set(fields.code.clone()),
        first_name: Set(fields.first_name.clone()),
        last_name: Set(fields.last_name.clone()),
        username: Set(fields.username.clone()),
        email: Set(fields.email.clone()),
        device_id: Set(fields.device_user_id.clone()),
        site_id: Set(fields.site.0),
        department_id: Set(fields.department.map(|id| id.0)),
        shift_id: Set(fields.shift.map(|id| id.0)),
        week_pattern_id: Set(fields.week_pattern),
        weekly_off_id: Set(fields.weekly_off),
        employed_from: Set(fields.employed_from.map(|day| day.to_string())),
        employed_to: Set(fields.employed_to.map(|day| day.to_string())),
        ..Default::default()
    }
}

/// For the audit.
fn detail(fields: &EmployeeFields) -> serde_json::Value {
    serde_json::json!({
        "code": fields.code,
        "first_name": fields.first_name,
        "last_name": fields.last_name,
        "username": fields.username,
        "email": fields.email,
        "device_id": fields.device_user_id,
        "site": fields.site,
        "department": fields.department,
        "shift": fields.shift,
        "week_pattern": fields.week_pattern,
        "weekly_off": fields.weekly_off,
        "employed_from": fields.employed_from,
        "employed_to": fields.employed_to,
    })
}

/// A name a person entered, tidied.
pub(crate) fn named(what: &str, name: &str) -> Result<String, StoreError> {
    let name = tidy_text(name);
    if name.is_empty() {
        return Err(StoreError::Invalid(format!("a {what} needs a name")));
    }
    Ok(name)
}

/// What a person entered, without the blanks around it and without NULs, which PostgreSQL does not keep.
pub(crate) fn tidy_text(text: &str) -> String {
    text.replace('\0', "").trim().to_owned()
}

/// The same, `None` when nothing is left.
pub(crate) fn tidy_option(text: Option<&str>) -> Option<String> {
    text.map(tidy_text).filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entities::{device_users, punches};
    use crate::on_both_databases;
    use crate::testing::{author, device, employee, employee_fields, marked_days, site};

    fn text(text: &str) -> Option<String> {
        Some(text.to_owned())
    }

    async fn by_code(store: &Store, code: &str) -> EmployeeFields {
        let found = store.employee_by_code(code).await.unwrap();
        found.unwrap().fields
    }

    /// A punch of a device user nobody has been found for.
    async fn unknown_punch(tx: &WriteTx, device: attendance::DeviceId, user: &str, clock: &str) {
        sql::run(
            &tx.tx,
            "INSERT INTO device_users (device_id, user_id, ambiguous, enrolled, first_seen_ms, last_seen_ms) \
             VALUES ($1, $2, false, true, 0, 0)",
            [device.0.into(), user.into()],
        )
        .await
        .unwrap();
        let at: jiff::Timestamp = format!("{}Z", clock.replace(' ', "T")).parse().unwrap();
        sql::run(
            &tx.tx,
            "INSERT INTO punches (device_id, user_id, clock, zone, instant_ms, received_ms, source, state, verify) \
             VALUES ($1, $2, $3, 'UTC', $4, $4, 'poll', 'none', 'finger')",
            [
                device.0.into(),
                user.into(),
                clock.into(),
                at.as_millisecond().into(),
            ],
        )
        .await
        .unwrap();
    }

    on_both_databases! {
        async fn somebody_new_gets_the_usual_plan(store: Store) {
            let tx = store.begin_write().await.unwrap();
            let site = site(&tx).await;
            let day = tx.add_shift("Day", &attendance::Shift::default(), author()).await.unwrap();
            let night = tx.add_shift("Night", &attendance::Shift::default(), author()).await.unwrap();
            let sunday = [(jiff::civil::Weekday::Sunday, None)];
            let off = tx.add_weekly_off("Sunday", &sunday, author()).await.unwrap();
            for (setting, id) in [("default_shift", day.0), ("default_weekly_off", off)] {
                tx.set_setting(setting, Some(&id.to_string()), author()).await.unwrap();
            }
            employee(&tx, site, "1").await;
            let own = EmployeeFields { shift: Some(night), ..employee_fields(site, "2") };
            tx.add_employee(&own, author()).await.unwrap();
            tx.commit().await.unwrap();
            for (code, shift) in [("1", day), ("2", night)] {
                let kept = by_code(&store, code).await;
                assert_eq!((kept.shift, kept.weekly_off), (Some(shift), Some(off)));
            }
        }

        async fn the_first_site_is_the_default_and_has_a_department(store: Store) {
            let tx = store.begin_write().await.unwrap();
            assert_eq!(store.default_site().await.unwrap(), None);
            let berlin = site(&tx).await;
            let apia = tx.add_site("Apia", "Pacific/Apia", author()).await.unwrap();
            tx.commit().await.unwrap();
            let sites = store.sites().await.unwrap();
            assert_eq!(sites.iter().map(|site| site.id).collect::<Vec<_>>(), [berlin, apia]);
            assert_eq!(store.default_site().await.unwrap().unwrap().id, berlin);
            assert_eq!(store.site_by_name(" Apia ").await.unwrap().unwrap().zone, "Pacific/Apia");
            let departments = store.departments().await.unwrap();
            assert!(departments.iter().all(|found| found.is_default));
            assert_eq!(departments.len(), 2);
        }

        async fn names_are_taken_once_and_zones_exist(store: Store) {
            let tx = store.begin_write().await.unwrap();
            let berlin = site(&tx).await;
            tx.add_department(berlin, "Sales", author()).await.unwrap();
            tx.commit().await.unwrap();
            let refused = async |error: Result<(), StoreError>, message: &str| {
                assert_eq!(error.unwrap_err().to_string(), message);
            };
            let tx = store.begin_write().await.unwrap();
            let error = tx.add_site("Berlin", "UTC", author()).await.map(|_| ());
            refused(error, "a site named Berlin exists already").await;
            drop(tx);
            let tx = store.begin_write().await.unwrap();
            let error = tx.add_department(berlin, " Sales ", author()).await.map(|_| ());
            refused(error, "a department named Sales exists already").await;
            drop(tx);
            let tx = store.begin_write().await.unwrap();
            let error = tx.add_site(" ", "UTC", author()).await.map(|_| ());
            refused(error, "a site needs a name").await;
            let error = tx.add_site("Rome", "Europe/Atlantis", author()).await.map(|_| ());
            refused(error, "\"Europe/Atlantis\" is no time zone: expected a name like Europe/Berlin").await;
        }

        async fn an_employee_has_a_department(store: Store) {
            let tx = store.begin_write().await.unwrap();
            let berlin = site(&tx).await;
            let apia = tx.add_site("Apia", "Pacific/Apia", author()).await.unwrap();
            let elsewhere = tx.add_department(apia, "Sales", author()).await.unwrap();
            employee(&tx, berlin, "7").await;
            let mut fields = employee_fields(berlin, "8");
            fields.department = Some(elsewhere);
            let error = tx.add_employee(&fields, author()).await.unwrap_err();
            assert!(matches!(error, StoreError::NotFound { .. }), "{error}");
            tx.commit().await.unwrap();
            let department = by_code(&store, "7").await.department.unwrap();
            let departments = store.departments().await.unwrap();
            let found = departments.iter().find(|found| found.id == department).unwrap();
            assert!(found.is_default && found.site == berlin);
        }

        async fn employees_are_tidied_and_checked(store: Store) {
            let tx = store.begin_write().await.unwrap();
            let berlin = site(&tx).await;
            let mut fields = employee_fields(berlin, " 0\u{0}07\0 ");
            fields.username = text(" \0");
            fields.device_user_id = text(" 0042 ");
            tx.add_employee(&fields, author()).await.unwrap();
            let changes: [fn(&mut EmployeeFields); 3] = [
                |fields| fields.code = " ".to_owned(),
                |fields| fields.first_name.clear(),
                |fields| {
                    fields.employed_from = Some("2026-05-02".parse().unwrap());
                    fields.employed_to = Some("2026-05-01".parse().unwrap());
                },
            ];
            for change in changes {
                let mut fields = employee_fields(berlin, "8");
                change(&mut fields);
                let error = tx.add_employee(&fields, author()).await.unwrap_err();
                assert!(matches!(error, StoreError::Invalid(_)), "{error}");
            }
            tx.commit().await.unwrap();
            let kept = by_code(&store, "007").await;
            assert_eq!((kept.username, kept.device_user_id), (None, text("0042")));

            let tx = store.begin_write().await.unwrap();
            let error = tx.add_employee(&employee_fields(berlin, "007"), author()).await;
            let message = error.unwrap_err().to_string();
            assert_eq!(message, "an employee with code 007 exists already");
        }

        async fn a_new_number_brings_its_punches_and_their_days(store: Store) {
            let tx = store.begin_write().await.unwrap();
            let berlin = site(&tx).await;
            let gate = device(&tx, berlin, "A1").await;
            unknown_punch(&tx, gate, "42", "2026-05-04 07:00:00").await;
            let ada = employee(&tx, berlin, "7").await;
            sql::run(&tx.tx, "DELETE FROM marked_days", []).await.unwrap();
            tx.commit().await.unwrap();

            let tx = store.begin_write().await.unwrap();
            let mut fields = by_code(&store, "7").await;
            fields.device_user_id = text("42");
            tx.edit_employee(ada, &fields, author()).await.unwrap();
            tx.commit().await.unwrap();
            let punch = punches::Entity::find().one(store.read()).await.unwrap().unwrap();
            assert_eq!(punch.employee_id, Some(ada.0));
            let user = device_users::Entity::find().one(store.read()).await.unwrap().unwrap();
            assert_eq!(user.match_by.as_deref(), Some("device_id"));
            let marked = marked_days(&store, ada).await;
            assert!(marked.contains(&"2026-05-04".parse().unwrap()), "{marked:?}");

            let tx = store.begin_write().await.unwrap();
            fields.device_user_id = None;
            tx.edit_employee(ada, &fields, author()).await.unwrap();
            tx.commit().await.unwrap();
            let punch = punches::Entity::find().one(store.read()).await.unwrap().unwrap();
            assert_eq!(punch.employee_id, None);
        }

        async fn only_what_can_change_a_report_marks_it(store: Store) {
            let tx = store.begin_write().await.unwrap();
            let berlin = site(&tx).await;
            let ada = employee(&tx, berlin, "7").await;
            let sales = tx.add_department(berlin, "Sales", author()).await.unwrap();
            crate::testing::report(&tx, ada, "2026-04-01").await;
            sql::run(&tx.tx, "DELETE FROM marked_days", []).await.unwrap();
            tx.commit().await.unwrap();
            let edit = async |change: &dyn Fn(&mut EmployeeFields)| {
                let tx = store.begin_write().await.unwrap();
                let mut fields = by_code(&store, "7").await;
                change(&mut fields);
                tx.edit_employee(ada, &fields, author()).await.unwrap();
                tx.commit().await.unwrap();
                marked_days(&store, ada).await.len()
            };
            assert_eq!(edit(&|_| {}).await, 0);
            assert_eq!(edit(&|fields| fields.last_name = "Byron".to_owned()).await, 0);
            assert_eq!(edit(&|fields| fields.department = Some(sales)).await, 1);
            let entries = store.audit_entries(None, 99).await.unwrap();
            let edits = entries.iter().filter(|entry| entry.action == "employee.edit");
            assert_eq!(edits.count(), 2);
        }

        async fn another_zone_moves_what_people_entered(store: Store) {
            let tx = store.begin_write().await.unwrap();
            let berlin = site(&tx).await;
            let ada = employee(&tx, berlin, "7").await;
            let at = "2026-05-04 09:00:00".parse().unwrap();
            tx.add_punch(ada, at, None, "forgot", author()).await.unwrap();
            crate::testing::report(&tx, ada, "2026-04-01").await;
            sql::run(&tx.tx, "DELETE FROM marked_days", []).await.unwrap();
            tx.edit_site(berlin, "London", "Europe/London", author()).await.unwrap();
            tx.commit().await.unwrap();
            let all = (jiff::Timestamp::MIN, jiff::Timestamp::MAX);
            let entry = &store.corrections_of(ada, all.0, all.1).await.unwrap()[0];
            assert_eq!(entry.at, "2026-05-04 09:00:00");
            let moved: jiff::Timestamp = "2026-05-04T08:00:00Z".parse().unwrap();
            assert_eq!(entry.at_ms, moved.as_millisecond());
            assert_eq!(marked_days(&store, ada).await, ["2026-04-01".parse().unwrap()]);
            assert_eq!(store.sites().await.unwrap()[0].name, "London");
        }
    }
}

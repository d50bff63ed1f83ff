//! Adding and editing an employee.

use askama::Template;
use attendance::{DepartmentId, EmployeeId, ShiftId, SiteId};
use axum::extract::{Form, Path, Query, State};
use axum::response::{IntoResponse, Redirect, Response};
use jiff::civil::Date;
use serde::Deserialize;
use store::people::{Department, Employee, EmployeeFields};
use store::{StoreError, WriteTx};

use crate::WebState;
use crate::board::path_part;
use crate::error::{PageError, html};
use crate::pages::day::Choice;
use crate::pages::form::{Errors, filled, refusal};
use crate::session::Visitor;
use crate::text::msg;
use crate::ui::{Section, Ui};

/// Names that are pages, so nobody could open the person of that code.
const TAKEN: [&str; 2] = ["new", "import"];

/// What the form sends; a query of the same names fills a new one.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct EmployeeForm {
    code: String,
    first_name: String,
    last_name: String,
    username: String,
    email: String,
    device_id: String,
    site: String,
    /// By name; made when the site has none of that name.
    department: String,
    shift: String,
    week_pattern: String,
    weekly_off: String,
    employed_from: String,
    employed_to: String,
}

#[derive(Template)]
#[template(path = "person_form.html")]
struct PersonFormPage<'a> {
    ui: &'a Ui,
    errors: &'a Errors,
    form: &'a EmployeeForm,
    /// The person being edited.
    name: Option<String>,
    action: String,
    cancel: String,
    sites: Vec<Choice>,
    departments: Vec<String>,
    shifts: Vec<Choice>,
    week_patterns: Vec<Choice>,
    weekly_offs: Vec<Choice>,
    /// Whether somebody new without a choice gets the company's.
    usual_shift: bool,
    usual_weekly_off: bool,
}

pub(super) async fn new(
    State(state): State<WebState>,
    visitor: Visitor,
    Query(form): Query<EmployeeForm>,
) -> Result<Response, PageError> {
    visitor.require(visitor.may().edit_people)?;
    page(&state, &visitor, &form, &Errors::default(), None).await
}

pub(super) async fn add(
    State(state): State<WebState>,
    visitor: Visitor,
    Form(form): Form<EmployeeForm>,
) -> Result<Response, PageError> {
    visitor.require(visitor.may().edit_people)?;
    store(&state, &visitor, &form, None).await
}

pub(super) async fn edit(
    State(state): State<WebState>,
    visitor: Visitor,
    Path(code): Path<String>,
) -> Result<Response, PageError> {
    visitor.require(visitor.may().edit_people)?;
    let employee = known(&state, &code).await?;
    let departments = state.store.departments().await?;
    let form = EmployeeForm::of(&employee, &departments);
    page(&state, &visitor, &form, &Errors::default(), Some(&employee)).await
}

pub(super) async fn save(
    State(state): State<WebState>,
    visitor: Visitor,
    Path(code): Path<String>,
    Form(form): Form<EmployeeForm>,
) -> Result<Response, PageError> {
    visitor.require(visitor.may().edit_people)?;
    let employee = known(&state, &code).await?;
    store(&state, &visitor, &form, Some(&employee)).await
}

async fn known(state: &WebState, code: &str) -> Result<Employee, PageError> {
    let employee = state.store.employee_by_code(code).await?;
    employee.ok_or(PageError::NotFound)
}

impl EmployeeForm {
    fn of(employee: &Employee, departments: &[Department]) -> Self {
        let fields = &employee.fields;
        let text = |value: &Option<String>| value.clone().unwrap_or_default();
        let id = |value: Option<i64>| value.map(|id| id.to_string()).unwrap_or_default();
        let date = |value: Option<Date>| value.map(|date| date.to_string()).unwrap_or_default();
        let own = |one: &&Department| Some(one.id) == fields.department && !one.is_default;
        Self {
            code: fields.code.clone(),
            first_name: fields.first_name.clone(),
            last_name: fields.last_name.clone(),
            username: text(&fields.username),
            email: text(&fields.email),
            device_id: text(&fields.device_user_id),
            site: fields.site.0.to_string(),
            department: departments
                .iter()
                .find(own)
                .map(|one| one.name.clone())
                .unwrap_or_default(),
            shift: id(fields.shift.map(|shift| shift.0)),
            week_pattern: id(fields.week_pattern),
            weekly_off: id(fields.weekly_off),
            employed_from: date(fields.employed_from),
            employed_to: date(fields.employed_to),
        }
    }

    /// Everything but the department, which is looked up or made while saving.
    fn fields(&self, default_site: Option<i64>, errors: &mut Errors) -> EmployeeFields {
        let code = self.code.trim();
        if code.is_empty() {
            errors.add("code", msg("employee-code-missing"));
        } else if TAKEN.contains(&code) {
            errors.add("code", msg("employee-code-taken"));
        }
        if self.first_name.trim().is_empty() && self.last_name.trim().is_empty() {
            errors.add("first_name", msg("employee-name-missing"));
        }
        let email = filled(&self.email);
        if email.as_deref().is_some_and(|email| !email.contains('@')) {
            errors.add("email", msg("owner-email-wrong"));
        }
        let site = self.site.parse().ok().or(default_site);
        if site.is_none() {
            errors.add("site", msg("employee-site-missing"));
        }
        let mut date = |name, text: &str| match (text.trim(), text.trim().parse()) {
            ("", _) => None,
            (_, Ok(date)) => Some(date),
            (_, Err(_)) => {
                errors.add(name, msg("date-wrong"));
                None
            }
        };
        let employed_from: Option<Date> = date("employed_from", &self.employed_from);
        let employed_to: Option<Date> = date("employed_to", &self.employed_to);
        if employed_from
            .zip(employed_to)
            .is_some_and(|(from, to)| to < from)
        {
            errors.add("employed_to", msg("employee-left-before"));
        }
        EmployeeFields {
            code: code.to_owned(),
            first_name: self.first_name.clone(),
            last_name: self.last_name.clone(),
            username: filled(&self.username),
            email,
            device_user_id: filled(&self.device_id),
            site: SiteId(site.unwrap_or_default()),
            department: None,
            shift: self.shift.parse().ok().map(ShiftId),
            week_pattern: self.week_pattern.parse().ok(),
            weekly_off: self.weekly_off.parse().ok(),
            employed_from,
            employed_to,
        }
    }
}

/// Saves the form and leads to the person, or shows it again with what is wrong.
async fn store(
    state: &WebState,
    visitor: &Visitor,
    form: &EmployeeForm,
    employee: Option<&Employee>,
) -> Result<Response, PageError> {
    let mut errors = Errors::default();
    let default_site = state.boards.frame().site(None).map(|site| site.id);
    let mut fields = form.fields(default_site, &mut errors);
    if errors.is_empty() {
        let tx = state.store.begin_write().await?;
        match write(
            state,
            &tx,
            visitor,
            form,
            &mut fields,
            employee.map(|one| one.id),
        )
        .await
        {
            Ok(()) => {
                tx.commit().await?;
                state.engine.edited();
                let to = format!("/people/{}", path_part(&fields.code));
                return Ok(Redirect::to(&to).into_response());
            }
            Err(error @ (StoreError::Duplicate { .. } | StoreError::Invalid(_))) => {
                tx.rollback().await?;
                errors.add("code", refusal(&error));
            }
            Err(error @ StoreError::NotFound { .. }) => {
                tx.rollback().await?;
                errors.add("site", refusal(&error));
            }
            Err(error) => return Err(error.into()),
        }
    }
    page(state, visitor, form, &errors, employee).await
}

async fn write(
    state: &WebState,
    tx: &WriteTx,
    visitor: &Visitor,
    form: &EmployeeForm,
    fields: &mut EmployeeFields,
    employee: Option<EmployeeId>,
) -> Result<(), StoreError> {
    let author = visitor.author(state);
    if let Some(name) = filled(&form.department) {
        fields.department = Some(department(state, tx, visitor, fields.site, &name).await?);
    }
    match employee {
        Some(id) => tx.edit_employee(id, fields, author).await,
        None => tx.add_employee(fields, author).await.map(drop),
    }
}

/// The department of that name at the site, made when there is none.
async fn department(
    state: &WebState,
    tx: &WriteTx,
    visitor: &Visitor,
    site: SiteId,
    name: &str,
) -> Result<DepartmentId, StoreError> {
    let known = state.store.departments().await?;
    let known = known
        .iter()
        .find(|one| one.site == site && one.name == name);
    match known {
        Some(one) => Ok(one.id),
        None => tx.add_department(site, name, visitor.author(state)).await,
    }
}

async fn page(
    state: &WebState,
    visitor: &Visitor,
    form: &EmployeeForm,
    errors: &Errors,
    employee: Option<&Employee>,
) -> Result<Response, PageError> {
    let choice = |id: i64, name: String, chosen: &str| Choice {
        chosen: chosen == id.to_string(),
        value: id.to_string(),
        name,
    };
    let frame = state.boards.frame();
    let mut departments: Vec<String> = state
        .store
        .departments()
        .await?
        .into_iter()
        .filter(|one| !one.is_default)
        .map(|one| one.name)
        .collect();
    departments.dedup();
    let shifts = state.store.shifts().await?;
    let week_patterns = state.store.week_patterns().await?;
    let weekly_offs = state.store.weekly_offs().await?;
    let usual = async |setting| {
        let kept = state.store.setting(setting).await?;
        Ok::<_, PageError>(employee.is_none() && kept.is_some())
    };
    let path = employee.map(|one| format!("/people/{}", path_part(&one.fields.code)));
    html(&PersonFormPage {
        ui: &visitor.ui(state, Section::People),
        sites: frame
            .sites
            .iter()
            .map(|site| choice(site.id, site.name.clone(), &form.site))
            .collect(),
        departments,
        usual_shift: usual("default_shift").await?,
        usual_weekly_off: usual("default_weekly_off").await?,
        shifts: shifts
            .into_iter()
            .map(|one| choice(one.id.0, one.name, &form.shift))
            .collect(),
        week_patterns: week_patterns
            .into_iter()
            .map(|one| choice(one.id, one.name, &form.week_pattern))
            .collect(),
        weekly_offs: weekly_offs
            .into_iter()
            .map(|one| choice(one.id, one.name, &form.weekly_off))
            .collect(),
        name: employee.map(|one| {
            store::views::board::full_name(&one.fields.first_name, &one.fields.last_name)
        }),
        action: path
            .as_ref()
            .map_or_else(|| "/people/new".into(), |path| format!("{path}/edit")),
        cancel: path.unwrap_or_else(|| "/people".into()),
        form,
        errors,
    })
}

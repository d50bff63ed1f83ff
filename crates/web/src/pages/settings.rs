//! `/settings`: the rules of the company, a site, a department or one person. What other rules would have made of a month is
//! shown before they are saved.

use std::collections::{BTreeMap, HashMap};

use askama::Template;
use attendance::{DepartmentId, EmployeeId, PolicyOverrides, SiteId};
use axum::Router;
use axum::extract::{Form, Query, State};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use exports::Month;
use ingest::Preview;
use jiff::civil::Date;
use serde::Deserialize;
use serde_json::Value;
use store::StoreError;
use store::policies::{Policies, PolicyScope};
use store::reports::ReportFields;
use store::views::board::full_name;
use tower_sessions::Session;

use super::changes::report_chip;
use super::day::{Choice, words};
use super::form::{Errors, refusal};
use super::rules::{self, Group};
use crate::WebState;
use crate::board::path_part;
use crate::error::{PageError, html};
use crate::format::{self, Chip};
use crate::session::{Outcome, Told, Visitor, leave};
use crate::text::msg;
use crate::ui::{Section, Ui};

/// Changed days listed; the number above counts all of them.
const LISTED: usize = 500;

/// Fields of a report that its chip says, or that say the same as another.
const SAID_BY_OTHERS: [&str; 4] = ["status", "letter", "first_in_ms", "last_out_ms"];

pub(super) fn routes() -> Router<WebState> {
    Router::new().route("/settings", get(show).post(save))
}

/// Whose rules are shown.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct RulesQuery {
    /// Empty is the company; `site-1`, `department-3`, `employee`.
    whose: String,
    /// Of the employee.
    code: String,
}

/// A level and the wider ones over it.
struct Level {
    scope: PolicyScope,
    name: String,
    href: String,
    /// From the widest to the narrowest, without itself.
    wider: Vec<(PolicyScope, String)>,
}

impl Level {
    async fn of(state: &WebState, query: &RulesQuery) -> Result<Self, PageError> {
        let sites = state.store.sites().await?;
        let departments = state.store.departments().await?;
        let company = (PolicyScope::Company, msg("rules-company").to_string());
        let of_site = |id: SiteId| {
            let site = sites.iter().find(|site| site.id == id);
            let name = site.map(|site| site.name.clone()).unwrap_or_default();
            (PolicyScope::Site(id), name)
        };
        let (level, id) = query.whose.split_once('-').unwrap_or((&query.whose, ""));
        let id: Option<i64> = id.parse().ok();
        let href = format!("/settings?whose={}", path_part(&query.whose));
        match (level, id) {
            ("" | "company", _) => Ok(Self {
                scope: PolicyScope::Company,
                name: msg("rules-company").to_string(),
                href: "/settings".to_owned(),
                wider: Vec::new(),
            }),
            ("site", Some(id)) => {
                let site = sites.iter().find(|site| site.id.0 == id);
                let site = site.ok_or(PageError::NotFound)?;
                Ok(Self {
                    scope: PolicyScope::Site(site.id),
                    name: site.name.clone(),
                    href,
                    wider: vec![company],
                })
            }
            ("department", Some(id)) => {
                let department = departments.iter().find(|one| one.id.0 == id);
                let department = department.ok_or(PageError::NotFound)?;
                Ok(Self {
                    scope: PolicyScope::Department(department.id),
                    name: department.name.clone(),
                    href,
                    wider: vec![company, of_site(department.site)],
                })
            }
            ("employee", _) => {
                let employee = state.store.employee_by_code(query.code.trim()).await?;
                let employee = employee.ok_or(PageError::NotFound)?;
                let fields = &employee.fields;
                let department = departments.iter().find(|one| match fields.department {
                    Some(id) => one.id == id,
                    None => one.site == fields.site && one.is_default,
                });
                let department =
                    department.map(|one| (PolicyScope::Department(one.id), one.name.clone()));
                let mut wider = vec![company, of_site(fields.site)];
                wider.extend(department);
                Ok(Self {
                    scope: PolicyScope::Employee(employee.id),
                    name: full_name(&fields.first_name, &fields.last_name),
                    href: format!("{href}&code={}", path_part(&fields.code)),
                    wider,
                })
            }
            _ => Err(PageError::NotFound),
        }
    }

    /// What holds here without values of its own, and who says so; `None` is the product itself.
    fn inherited(
        &self,
        policies: &Policies,
        name: &str,
        default: &Value,
    ) -> (Value, Option<String>) {
        let mut found = (default.clone(), None);
        for (scope, says) in &self.wider {
            if let Some(value) = policies.get(scope).and_then(|values| values.0.get(name)) {
                found = (value.clone(), Some(says.clone()));
            }
        }
        found
    }
}

#[derive(Template)]
#[template(path = "settings.html")]
struct SettingsPage<'a> {
    ui: &'a Ui,
    told: Option<Outcome>,
    errors: &'a Errors,
    query: &'a RulesQuery,
    /// No person has the code that was asked for.
    nobody: bool,
    name: String,
    levels: Vec<Choice>,
    /// Where something is set.
    set: Vec<(String, String)>,
    groups: Vec<Group>,
    month: Month,
    previewed: Option<Previewed>,
}

/// What a month would read like.
struct Previewed {
    count: usize,
    people: usize,
    rows: Vec<ChangedCell>,
    month: String,
}

struct ChangedCell {
    name: String,
    href: String,
    date: String,
    now: Option<Chip>,
    then: Option<Chip>,
    what: String,
}

async fn show(
    State(state): State<WebState>,
    visitor: Visitor,
    Told(told): Told,
    Query(query): Query<RulesQuery>,
) -> Result<Response, PageError> {
    visitor.require(visitor.may().plan)?;
    let asked = Level::of(&state, &query).await;
    let nobody = query.whose == "employee" && matches!(asked, Err(PageError::NotFound));
    let level = match nobody {
        true => Level::of(&state, &RulesQuery::default()).await?,
        false => asked?,
    };
    let policies = state.store.policies().await?;
    let own = policies.get(&level.scope).cloned().unwrap_or_default();
    let page = Page {
        query: &query,
        level,
        policies,
        typed: rules::typed(&own),
        told,
        nobody,
        month: None,
        previewed: None,
    };
    page.render(&state, &visitor, &Errors::default()).await
}

/// Saves what was typed, or shows what it would change.
async fn save(
    State(state): State<WebState>,
    visitor: Visitor,
    session: Session,
    Form(pairs): Form<Vec<(String, String)>>,
) -> Result<Response, PageError> {
    visitor.require(visitor.may().plan)?;
    let mut typed: BTreeMap<String, String> = pairs.into_iter().collect();
    let mut taken = |name: &str| typed.remove(name).unwrap_or_default();
    let query = RulesQuery {
        whose: taken("whose"),
        code: taken("code"),
    };
    let (step, month) = (taken("step"), taken("month"));
    let level = Level::of(&state, &query).await?;
    let mut errors = Errors::default();
    let month: Option<Month> = month.parse().ok();
    let mut previewed = None;
    match rules::overrides(&typed) {
        Err(wrong) => {
            for (name, why) in wrong {
                errors.add(name, why);
            }
        }
        Ok(values) if step == "save" => {
            let tx = state.store.begin_write().await?;
            let author = visitor.author(&state);
            match tx.set_policy(level.scope, Some(&values), author).await {
                Ok(()) => {
                    tx.commit().await?;
                    state.engine.edited();
                    let title = msg("rules-saved").with("name", &level.name);
                    let outcome = Outcome::done(&level.href, title, msg("rules-saved-text"));
                    leave(&session, &outcome).await?;
                    return Ok(Redirect::to(&level.href).into_response());
                }
                Err(error @ (StoreError::Invalid(_) | StoreError::NotFound { .. })) => {
                    tx.rollback().await?;
                    errors.add("whose", refusal(&error));
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(values) => match month {
            Some(month) => {
                previewed = Some(what_if(&state, &visitor, &level, &values, month).await?);
            }
            None => errors.add("month", msg("rules-no-month")),
        },
    }
    let policies = state.store.policies().await?;
    let page = Page {
        query: &query,
        level,
        policies,
        typed,
        told: None,
        nobody: false,
        month,
        previewed,
    };
    page.render(&state, &visitor, &errors).await
}

async fn what_if(
    state: &WebState,
    visitor: &Visitor,
    level: &Level,
    values: &PolicyOverrides,
    month: Month,
) -> Result<Previewed, PageError> {
    let judge = &state.engine.judge;
    let (first, last) = (month.first(), month.last());
    let mut changed = judge.what_if(level.scope, values, first, last).await?;
    let people = state.store.employees().await?;
    let people: HashMap<EmployeeId, (String, String)> = people
        .into_iter()
        .map(|one| {
            let name = full_name(&one.fields.first_name, &one.fields.last_name);
            (one.id, (name, one.fields.code))
        })
        .collect();
    let named = |one: &Preview| people.get(&one.employee).cloned().unwrap_or_default();
    changed.sort_by_cached_key(|one| (named(one), one.workday));
    let ui = visitor.ui(state, Section::Settings);
    let today = ui.now.to_zoned(ui.zone.clone()).date();
    let mut concerned: Vec<EmployeeId> = changed.iter().map(|one| one.employee).collect();
    concerned.dedup();
    Ok(Previewed {
        count: changed.len(),
        people: concerned.len(),
        rows: changed
            .iter()
            .take(LISTED)
            .map(|one| ChangedCell::of(one, named(one), today))
            .collect(),
        month: format::month(first).to_string(),
    })
}

impl ChangedCell {
    fn of(one: &Preview, (name, code): (String, String), today: Date) -> Self {
        let what = match (&one.before, &one.after) {
            (Some(before), Some(after)) => differences(before, after),
            _ => String::new(),
        };
        Self {
            href: format!("/people/{}/{}", path_part(&code), one.workday),
            name,
            date: format::short_date(one.workday, today).to_string(),
            now: one.before.as_ref().map(report_chip),
            then: one.after.as_ref().map(report_chip),
            what,
        }
    }
}

/// `Worked 8 h 00 → 7 h 30 · Late 25 min → 15 min`.
fn differences(before: &ReportFields, after: &ReportFields) -> String {
    let fields = |report: &ReportFields| serde_json::to_value(report).unwrap_or_default();
    let (before_fields, after_fields) = (fields(before), fields(after));
    let names = before.differences(after);
    let told = names.iter().map(String::as_str);
    let told = told.filter(|name| !SAID_BY_OTHERS.contains(name));
    let texts: Vec<String> = told
        .map(|name| {
            msg("changed-value")
                .with("what", msg(format!("changed-{name}")))
                .with("from", said(name, &before_fields[name]))
                .with("to", said(name, &after_fields[name]))
                .to_string()
        })
        .collect();
    texts.join(" · ")
}

fn said(name: &str, value: &Value) -> String {
    let text = match (name, value) {
        (_, Value::Number(minutes)) => format::minutes(minutes.as_i64().unwrap_or(0)),
        ("first_in" | "last_out", Value::String(wall)) => format::wall_minutes(wall).to_owned(),
        ("exceptions" | "pending", Value::String(list)) => {
            let texts: Vec<_> = words(list)
                .map(|word| msg(format!("exception-{word}")).to_string())
                .collect();
            texts.join(", ")
        }
        ("reason", Value::String(reason)) if !reason.is_empty() => {
            msg(format!("reason-{reason}")).to_string()
        }
        ("leave_part", Value::String(part)) if !part.is_empty() => {
            msg(format!("leave-part-{part}")).to_string()
        }
        (_, Value::String(text)) => text.clone(),
        _ => String::new(),
    };
    match text.is_empty() {
        true => msg("none").to_string(),
        false => text,
    }
}

/// What the page is made of.
struct Page<'a> {
    query: &'a RulesQuery,
    level: Level,
    policies: Policies,
    typed: BTreeMap<String, String>,
    told: Option<Outcome>,
    nobody: bool,
    month: Option<Month>,
    previewed: Option<Previewed>,
}

impl Page<'_> {
    async fn render(
        self,
        state: &WebState,
        visitor: &Visitor,
        errors: &Errors,
    ) -> Result<Response, PageError> {
        let ui = visitor.ui(state, Section::Settings);
        let today = ui.now.to_zoned(ui.zone.clone()).date();
        let (levels, set) = self.levels(state).await?;
        let defaults = rules::defaults();
        let groups = rules::groups(&self.typed, |name| {
            let (value, by) = self.level.inherited(&self.policies, name, &defaults[name]);
            Some((
                value,
                by.unwrap_or_else(|| msg("rules-default").to_string()),
            ))
        });
        html(&SettingsPage {
            told: self.told,
            errors,
            query: self.query,
            nobody: self.nobody,
            levels,
            set,
            groups,
            name: self.level.name.clone(),
            month: self.month.unwrap_or_else(|| Month::of(today)),
            previewed: self.previewed,
            ui: &ui,
        })
    }

    /// The levels to choose from, and those where something is set, as names and links.
    async fn levels(
        &self,
        state: &WebState,
    ) -> Result<(Vec<Choice>, Vec<(String, String)>), PageError> {
        let sites = state.store.sites().await?;
        let departments = state.store.departments().await?;
        let mut known = vec![(
            PolicyScope::Company,
            String::new(),
            msg("rules-company").to_string(),
        )];
        for site in &sites {
            let scope = PolicyScope::Site(SiteId(site.id.0));
            known.push((scope, format!("site-{}", site.id), site.name.clone()));
            let own = departments.iter().filter(|one| one.site == site.id);
            for department in own {
                let name = msg("rules-department")
                    .with("site", &site.name)
                    .with("department", &department.name);
                known.push((
                    PolicyScope::Department(DepartmentId(department.id.0)),
                    format!("department-{}", department.id),
                    name.to_string(),
                ));
            }
        }
        let mut set: Vec<_> = known
            .iter()
            .filter(|(scope, _, _)| self.policies.contains_key(scope))
            .map(|(_, whose, name)| (format!("/settings?whose={whose}"), name.clone()))
            .collect();
        for scope in self.policies.keys() {
            if let PolicyScope::Employee(id) = scope
                && let Some(employee) = state.store.employee(*id).await?
            {
                let fields = employee.fields;
                let href = format!("/settings?whose=employee&code={}", path_part(&fields.code));
                set.push((href, full_name(&fields.first_name, &fields.last_name)));
            }
        }
        let levels = known
            .into_iter()
            .map(|(scope, value, name)| Choice {
                chosen: scope == self.level.scope,
                value,
                name,
            })
            .collect();
        Ok((levels, set))
    }
}

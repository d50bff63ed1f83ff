//! `/reports/profile`: the columns and codes of a payroll file.

use askama::Template;
use axum::extract::{Form, Query, State};
use axum::response::{IntoResponse, Redirect, Response};
use exports::payroll::{Field, Measure, PayCode, Profile, ProfileColumn, Unit};
use serde::Deserialize;

use super::super::form::{filled, sentence};
use crate::WebState;
use crate::board::path_part;
use crate::error::{PageError, html};
use crate::session::Visitor;
use crate::text::msg;
use crate::ui::{Section, Ui};

/// Empty lines of the form.
const SPARE: usize = 4;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ProfileQuery {
    name: String,
}

#[derive(Template)]
#[template(path = "payroll_profile.html")]
struct ProfilePage<'a> {
    ui: &'a Ui,
    failed: Option<String>,
    entered: Entered,
    sites: Vec<String>,
    fields: Vec<String>,
    measures: Vec<String>,
}

/// The form as it was typed.
#[derive(Clone, Debug, Default)]
struct Entered {
    name: String,
    begins_on: String,
    site: String,
    /// Heading and field.
    columns: Vec<(String, String)>,
    /// Code, what it is of, unit.
    codes: Vec<(String, String, String)>,
}

impl Entered {
    fn of(name: &str, profile: &Profile) -> Self {
        let columns = profile.columns.iter();
        let codes = profile.codes.iter();
        Self {
            name: name.to_owned(),
            begins_on: profile.begins_on.to_string(),
            site: profile.site.clone().unwrap_or_default(),
            columns: columns
                .map(|column| (column.heading.clone(), column.field.to_string()))
                .collect(),
            codes: codes
                .map(|code| {
                    (
                        code.code.clone(),
                        code.of.to_string(),
                        code.unit.to_string(),
                    )
                })
                .collect(),
        }
    }

    /// The lines of a form come as the same names again and again, in order.
    fn parse(pairs: Vec<(String, String)>) -> Self {
        let mut entered = Self::default();
        for (name, value) in pairs {
            let value = value.trim().to_owned();
            match name.as_str() {
                "name" => entered.name = value,
                "begins_on" => entered.begins_on = value,
                "site" => entered.site = value,
                "heading" => entered.columns.push((value, String::new())),
                "code" => entered.codes.push((value, String::new(), String::new())),
                _ => {
                    if let (Some(column), "field") = (entered.columns.last_mut(), &*name) {
                        column.1 = value;
                    } else if let (Some(code), "of") = (entered.codes.last_mut(), &*name) {
                        code.1 = value;
                    } else if let (Some(code), "unit") = (entered.codes.last_mut(), &*name) {
                        code.2 = value;
                    }
                }
            }
        }
        entered
            .columns
            .retain(|(heading, field)| !heading.is_empty() || !field.is_empty());
        entered
            .codes
            .retain(|(code, of, _)| !code.is_empty() || !of.is_empty());
        entered
    }

    fn profile(&self) -> Result<Profile, exports::ExportError> {
        let columns = self.columns.iter().map(|(heading, field)| {
            Ok(ProfileColumn {
                heading: heading.clone(),
                field: field.parse()?,
            })
        });
        let codes = self.codes.iter().map(|(code, of, unit)| {
            Ok(PayCode {
                code: code.clone(),
                of: of.parse()?,
                unit: Unit::from_name(unit).unwrap_or(Unit::Days),
            })
        });
        let profile = Profile {
            // What is no number is refused as a day that is none.
            begins_on: self.begins_on.parse().unwrap_or(0),
            site: filled(&self.site),
            columns: columns.collect::<Result<_, exports::ExportError>>()?,
            codes: codes.collect::<Result<_, exports::ExportError>>()?,
        };
        profile.check()?;
        Ok(profile)
    }
}

pub(super) async fn show(
    State(state): State<WebState>,
    visitor: Visitor,
    Query(query): Query<ProfileQuery>,
) -> Result<Response, PageError> {
    visitor.require(visitor.may().reports)?;
    let stored = state.store.payroll_profile(&query.name).await?;
    let entered = match stored {
        None => Entered::of(&query.name, &Profile::example()),
        Some(stored) => Entered::of(&stored.name, &Profile::parse(&stored.definition)?),
    };
    page(&state, &visitor, entered, None)
}

fn page(
    state: &WebState,
    visitor: &Visitor,
    mut entered: Entered,
    failed: Option<String>,
) -> Result<Response, PageError> {
    let ui = visitor.ui(state, Section::Reports);
    let sums = Measure::all().into_iter().flat_map(|measure| {
        let units = Unit::ALL.into_iter();
        let units = units.filter(|unit| *unit == Unit::Days || measure.is_time());
        units
            .map(|unit| Field::Sum(unit, measure.clone()).to_string())
            .collect::<Vec<_>>()
    });
    let levels = (1..=3).map(Measure::OvertimeLevel);
    for _ in 0..SPARE {
        entered.columns.push(Default::default());
        entered.codes.push(Default::default());
    }
    let sites = state
        .boards
        .frame()
        .sites
        .iter()
        .map(|site| site.name.clone())
        .collect();
    html(&ProfilePage {
        failed,
        entered,
        sites,
        fields: Field::words().map(str::to_owned).chain(sums).collect(),
        measures: Measure::all()
            .into_iter()
            .chain(levels)
            .map(|measure| measure.to_string())
            .collect(),
        ui: &ui,
    })
}

pub(super) async fn save(
    State(state): State<WebState>,
    visitor: Visitor,
    Form(pairs): Form<Vec<(String, String)>>,
) -> Result<Response, PageError> {
    visitor.require(visitor.may().reports)?;
    let entered = Entered::parse(pairs);
    if entered.name.is_empty() {
        let failed = msg("profile-needs-name").to_string();
        return page(&state, &visitor, entered, Some(failed));
    }
    let profile = match entered.profile() {
        Ok(profile) => profile,
        Err(error) => return page(&state, &visitor, entered, Some(sentence(&error))),
    };
    let definition =
        serde_json::to_value(&profile).map_err(|error| PageError::Internal(error.to_string()))?;
    let tx = state.store.begin_write().await?;
    tx.save_payroll_profile(&entered.name, &definition, visitor.author(&state))
        .await?;
    tx.commit().await?;
    let to = format!("/reports?profile={}", path_part(&entered.name));
    Ok(Redirect::to(&to).into_response())
}

//! `muster policy`: the rules where they differ from the defaults, and what others would change.

use std::collections::HashMap;
use std::process::ExitCode;

use anyhow::Context;
use attendance::PolicyOverrides;
use jiff::civil::Date;
use store::Store;
use store::policies::PolicyScope;

use super::{author, department_named, engine, open_store, site_named};
use crate::config::Config;
use crate::output::{count, plain};

#[derive(clap::Subcommand)]
pub enum Command {
    /// What is set, from the widest to the narrowest: company, sites, departments, people.
    ///
    /// Example: muster policy show
    Show,
    /// Sets rules of a level; what it set before is replaced. Without values everything of the level is taken back.
    ///
    /// Example: muster policy set --department Sales grace_in_min=15 late_count_from=grace
    Set {
        #[command(flatten)]
        scope: Scope,
        /// NAME=VALUE, with the names of the rules.
        values: Vec<String>,
    },
    /// Lists every day that would say something else under other rules. Nothing is saved.
    ///
    /// Example: muster policy what-if --from 2026-05-01 --to 2026-05-31 grace_in_min=15
    WhatIf {
        #[command(flatten)]
        scope: Scope,
        #[arg(long, value_name = "DATE")]
        from: Date,
        #[arg(long, value_name = "DATE")]
        to: Date,
        /// NAME=VALUE; instead of everything the level sets.
        #[arg(required = true)]
        values: Vec<String>,
    },
}

/// Without any it is the company.
#[derive(clap::Args)]
#[group(multiple = false)]
pub struct Scope {
    /// A site by name.
    #[arg(long)]
    site: Option<String>,
    /// A department by name.
    #[arg(long)]
    department: Option<String>,
    /// A person by code.
    #[arg(long, value_name = "CODE")]
    employee: Option<String>,
}

pub async fn run(command: Command, config: Config) -> anyhow::Result<ExitCode> {
    match command {
        Command::Show => show(&open_store(&config).await?).await?,
        Command::Set { scope, values } => {
            let store = open_store(&config).await?;
            let scope = scope.find(&store).await?;
            let values = parse(&values)?;
            let tx = store.begin_write().await?;
            tx.set_policy(scope, Some(&values), author()).await?;
            tx.commit().await?;
            let set = count(values.0.len() as u64, "rule", "rules");
            println!("{set} set; every report they decide is judged again");
        }
        Command::WhatIf {
            scope,
            from,
            to,
            values,
        } => {
            let engine = engine(&config).await?;
            let scope = scope.find(&engine.store).await?;
            let values = parse(&values)?;
            let changed = engine.judge.what_if(scope, &values, from, to).await?;
            let people = engine.store.employees().await?;
            let people = people.into_iter().map(|person| (person.id, person.fields));
            let people: HashMap<_, _> = people.collect();
            for day in &changed {
                let who = people
                    .get(&day.employee)
                    .map_or_else(String::new, |fields| {
                        format!("{} {} {}", fields.code, fields.first_name, fields.last_name)
                    });
                let fields = match (&day.before, &day.after) {
                    (Some(before), Some(after)) => differences(before, after),
                    _ => String::new(),
                };
                println!(
                    "{}",
                    plain(&format!("{}  {}: {fields}", day.workday, who.trim()))
                );
            }
            let changed = count(changed.len() as u64, "day would", "days would");
            println!("{changed} say something else; nothing was saved");
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// `late_min 20 -> 0, letter P* -> P`.
fn differences(
    before: &store::reports::ReportFields,
    after: &store::reports::ReportFields,
) -> String {
    let (Ok(old), Ok(new)) = (serde_json::to_value(before), serde_json::to_value(after)) else {
        return String::new();
    };
    let text = |value: &serde_json::Value| match value {
        serde_json::Value::String(text) if text.is_empty() => "nothing".to_owned(),
        serde_json::Value::String(text) => text.clone(),
        serde_json::Value::Null => "nothing".to_owned(),
        other => other.to_string(),
    };
    let changed = before.differences(after);
    let shown = changed.iter().filter(|name| !name.ends_with("_ms"));
    let shown = shown.map(|name| format!("{name} {} -> {}", text(&old[name]), text(&new[name])));
    shown.collect::<Vec<_>>().join(", ")
}

impl Scope {
    async fn find(&self, store: &Store) -> anyhow::Result<PolicyScope> {
        if let Some(name) = &self.site {
            return Ok(PolicyScope::Site(site_named(store, name).await?));
        }
        if let Some(name) = &self.department {
            return Ok(PolicyScope::Department(
                department_named(store, name).await?,
            ));
        }
        if let Some(code) = &self.employee {
            let employee = store.employee_by_code(code).await?;
            let employee = employee.with_context(|| format!("there is no employee {code:?}"))?;
            return Ok(PolicyScope::Employee(employee.id));
        }
        Ok(PolicyScope::Company)
    }
}

/// `grace_in_min=15`: JSON where it is some, else a text.
fn parse(values: &[String]) -> anyhow::Result<PolicyOverrides> {
    let mut parsed = PolicyOverrides::default();
    for value in values {
        let (name, value) = value
            .split_once('=')
            .with_context(|| format!("{value:?} is not NAME=VALUE, such as grace_in_min=15"))?;
        let value = serde_json::from_str(value)
            .unwrap_or_else(|_| serde_json::Value::String(value.to_owned()));
        parsed.0.insert(name.to_owned(), value);
    }
    Ok(parsed)
}

async fn show(store: &Store) -> anyhow::Result<()> {
    let policies = store.policies().await?;
    if policies.is_empty() {
        println!("nothing is set: every rule has its default");
        return Ok(());
    }
    let (sites, departments) = (store.sites().await?, store.departments().await?);
    for (scope, values) in policies {
        let whose = match scope {
            PolicyScope::Company => "company".to_owned(),
            PolicyScope::Site(id) => {
                let site = sites.iter().find(|site| site.id == id);
                format!("site {}", site.map_or("", |site| site.name.as_str()))
            }
            PolicyScope::Department(id) => {
                let found = departments.iter().find(|one| one.id == id);
                format!("department {}", found.map_or("", |one| one.name.as_str()))
            }
            PolicyScope::Employee(id) => {
                let person = store.employee(id).await?;
                format!(
                    "employee {}",
                    person.map_or_else(String::new, |one| one.fields.code)
                )
            }
        };
        for (name, value) in values.0 {
            println!("{}", plain(&format!("{whose}: {name} = {value}")));
        }
    }
    Ok(())
}

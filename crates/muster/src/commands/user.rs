//! `muster user`: who may sign in, and who leads which department.

use std::collections::BTreeSet;
use std::process::ExitCode;

use anyhow::Context;
use attendance::EmployeeId;
use ingest::Clock;
use jiff::Timestamp;
use serde_json::json;
use store::accounts::{Account, AccountFields, NewAccount, Role};
use store::views::{accounts, people};
use store::{Store, StoreError};

use super::init::base_url;
use super::{author, department_named, open_store};
use crate::config::Config;
use crate::output::{Failure, Usage, print_table};

#[derive(clap::Subcommand)]
pub enum Command {
    /// Who may sign in, with which roles, as which employee, leading what.
    ///
    /// Example: muster user list --json
    List {
        #[arg(long)]
        json: bool,
    },
    /// Adds an account and prints a one-time link, by which the person chooses a password within 72 hours.
    ///
    /// Roles: owner, hr, it, manager (the days and requests of the departments led), employee (the own days and requests).
    ///
    /// Example: muster user add mona@example.org --name "Mona Haddad" --role manager,employee --employee EMP-7
    Add {
        /// The address to sign in with. Nothing is sent to it.
        email: String,
        /// As it is shown; without it that of the employee.
        #[arg(long)]
        name: Option<String>,
        /// One or several, with commas between. An account of an employee has this role if no other is given.
        #[arg(long, value_delimiter = ',', value_parser = role)]
        role: Vec<Role>,
        /// The code of the employee whose account it is.
        #[arg(long, value_name = "CODE")]
        employee: Option<String>,
        #[command(flatten)]
        address: Address,
    },
    /// Changes an account; what is not named stays.
    ///
    /// Example: muster user edit mona@example.org --role hr,employee
    Edit {
        /// The address the account signs in with.
        email: String,
        #[arg(long)]
        name: Option<String>,
        /// Another address to sign in with.
        #[arg(long, value_name = "EMAIL")]
        new_email: Option<String>,
        /// All roles the account is to have, with commas between.
        #[arg(long, value_delimiter = ',', value_parser = role)]
        role: Vec<Role>,
        /// The code of the employee whose account it is.
        #[arg(long, value_name = "CODE")]
        employee: Option<String>,
        /// The account is of no employee.
        #[arg(long, conflicts_with = "employee")]
        no_employee: bool,
    },
    /// Prints a new one-time link by which the person chooses another password; the link before it is void.
    ///
    /// Example: muster user link mona@example.org --base-url https://muster.example
    Link {
        email: String,
        #[command(flatten)]
        address: Address,
    },
    /// The account cannot sign in any more, from now on.
    ///
    /// Example: muster user disable mona@example.org
    Disable { email: String },
    /// The account may sign in again, with the password it had.
    ///
    /// Example: muster user enable mona@example.org
    Enable { email: String },
    /// Says who leads a department; with --lead or --nobody sets it.
    ///
    /// Example: muster user managers Weaving --lead mona@example.org,omar@example.org
    Managers {
        /// The name of the department.
        department: String,
        /// The addresses of all who lead it. They need the role manager.
        #[arg(long, value_name = "EMAIL", value_delimiter = ',')]
        lead: Vec<String>,
        /// Nobody leads it.
        #[arg(long, conflicts_with = "lead")]
        nobody: bool,
    },
}

#[derive(clap::Args)]
pub struct Address {
    /// The address people reach the server at, e.g. https://muster.example.
    #[arg(long, value_name = "URL")]
    base_url: Option<String>,
}

impl Address {
    fn link(&self, config: &Config, token: &str) -> String {
        let base = self.base_url.clone().unwrap_or_else(|| base_url(config));
        format!("{}/setup/{token}", base.trim_end_matches('/'))
    }
}

fn role(text: &str) -> Result<Role, String> {
    let names: Vec<_> = Role::ALL.iter().map(|role| role.as_str()).collect();
    Role::from_name(text.trim()).ok_or_else(|| format!("the roles are {}", names.join(", ")))
}

pub async fn run(command: Command, config: Config) -> anyhow::Result<ExitCode> {
    let store = open_store(&config).await?;
    match command {
        Command::List { json } => list(&store, json).await?,
        Command::Add {
            email,
            name,
            role,
            employee,
            address,
        } => {
            let new = new_account(&store, email, name, role, employee).await?;
            let tx = store.begin_write().await?;
            let id = tx.add_account(&new, author()).await?;
            let token = tx.add_sign_in_link(id, real_now(), author()).await?;
            tx.commit().await?;
            println!("added {}; hand on this link:\n", new.email.trim());
            println!("{}", address.link(&config, &token));
        }
        Command::Edit {
            email,
            name,
            new_email,
            role,
            employee,
            no_employee,
        } => {
            let account = account(&store, &email).await?;
            let mut fields = AccountFields::from(&account);
            fields.name = name.unwrap_or(fields.name);
            fields.email = new_email.unwrap_or(fields.email);
            if !role.is_empty() {
                fields.roles = role.into_iter().collect();
            }
            if let Some(code) = employee {
                fields.employee = Some(employee_with(&store, &code).await?);
            } else if no_employee {
                fields.employee = None;
            }
            check(&fields.roles, fields.employee)?;
            let tx = store.begin_write().await?;
            kept_owner(tx.edit_account(account.id, &fields, author()).await)?;
            tx.commit().await?;
            println!("{email} is changed");
        }
        Command::Link { email, address } => {
            let account = account(&store, &email).await?;
            let tx = store.begin_write().await?;
            let token = tx
                .add_sign_in_link(account.id, real_now(), author())
                .await?;
            tx.commit().await?;
            println!("{}", address.link(&config, &token));
        }
        Command::Disable { email } => {
            let account = account(&store, &email).await?;
            let tx = store.begin_write().await?;
            kept_owner(tx.disable_account(account.id, author()).await)?;
            tx.commit().await?;
            println!("{email} cannot sign in any more");
        }
        Command::Enable { email } => {
            let account = account(&store, &email).await?;
            let tx = store.begin_write().await?;
            tx.enable_account(account.id, author()).await?;
            tx.commit().await?;
            println!("{email} may sign in again");
        }
        Command::Managers {
            department,
            lead,
            nobody,
        } => managers(&store, &department, &lead, nobody).await?,
    }
    Ok(ExitCode::SUCCESS)
}

fn real_now() -> Timestamp {
    Clock::system().real_now()
}

async fn account(store: &Store, email: &str) -> anyhow::Result<Account> {
    let found = store.account_by_email(email).await?;
    found.with_context(|| format!("nobody signs in with {email:?}; see `muster user list`"))
}

async fn employee_with(store: &Store, code: &str) -> anyhow::Result<EmployeeId> {
    let found = people::by_code(store, code).await?;
    let person = found.with_context(|| format!("nobody has the code {code:?}"))?;
    Ok(EmployeeId(person.id))
}

fn check(roles: &BTreeSet<Role>, employee: Option<EmployeeId>) -> Result<(), Usage> {
    if roles.is_empty() {
        return Err(Usage(
            "an account needs a role: name one with --role".to_owned(),
        ));
    }
    if roles.contains(&Role::Employee) && employee.is_none() {
        return Err(Usage(
            "the role employee needs to know whose account it is: name the code with --employee"
                .to_owned(),
        ));
    }
    Ok(())
}

async fn new_account(
    store: &Store,
    email: String,
    name: Option<String>,
    role: Vec<Role>,
    code: Option<String>,
) -> anyhow::Result<NewAccount> {
    let person = match &code {
        Some(code) => {
            let found = people::by_code(store, code).await?;
            Some(found.with_context(|| format!("nobody has the code {code:?}"))?)
        }
        None => None,
    };
    let employee = person.as_ref().map(|person| EmployeeId(person.id));
    let mut roles: BTreeSet<Role> = role.into_iter().collect();
    if roles.is_empty() && employee.is_some() {
        roles.insert(Role::Employee);
    }
    check(&roles, employee)?;
    let name = name.or_else(|| person.map(|person| person.name()));
    Ok(NewAccount {
        name: name
            .ok_or_else(|| Usage("an account needs a name: say it with --name".to_owned()))?,
        email,
        password_hash: String::new(),
        roles,
        employee,
    })
}

fn kept_owner(done: Result<(), StoreError>) -> anyhow::Result<()> {
    match done {
        Err(error @ StoreError::LastOwner) => Err(Failure {
            what: "nothing was changed".to_owned(),
            next: "Add another owner with `muster user add EMAIL --role owner`, who then chooses a password by the link.".to_owned(),
            source: Some(Box::new(error)),
        }
        .into()),
        done => Ok(done?),
    }
}

async fn list(store: &Store, as_json: bool) -> anyhow::Result<()> {
    let leads = accounts::led(store).await?;
    let led = |id: i64| -> Vec<&str> {
        let of_account = leads.iter().filter(|one| one.account_id == id);
        of_account.map(|one| one.department.as_str()).collect()
    };
    let at = |ms: Option<i64>| ms.and_then(|ms| Timestamp::from_millisecond(ms).ok());
    let rows = accounts::list(store).await?;
    if as_json {
        let rows: Vec<_> = rows
            .iter()
            .map(|row| {
                json!({
                    "email": row.email,
                    "name": row.name,
                    "roles": row.roles.split(',').filter(|role| !role.is_empty()).collect::<Vec<_>>(),
                    "employee": row.code,
                    "leads": led(row.id),
                    "signed_in": at(row.signed_in_ms),
                    "disabled": at(row.disabled_ms),
                })
            })
            .collect();
        println!("{}", serde_json::to_string_pretty(&rows)?);
        return Ok(());
    }
    let text = |at: Option<Timestamp>| match at {
        Some(at) => at.strftime("%F %R UTC").to_string(),
        None => String::new(),
    };
    let rows: Vec<_> = rows
        .into_iter()
        .map(|row| {
            vec![
                row.email,
                row.name,
                row.roles,
                row.code.unwrap_or_default(),
                led(row.id).join(", "),
                text(at(row.signed_in_ms)),
                text(at(row.disabled_ms)),
            ]
        })
        .collect();
    let headings = [
        "e-mail",
        "name",
        "roles",
        "employee",
        "leads",
        "last signed in",
        "disabled",
    ];
    print_table(&headings, &rows);
    Ok(())
}

async fn managers(store: &Store, name: &str, lead: &[String], nobody: bool) -> anyhow::Result<()> {
    let department = department_named(store, name).await?;
    if lead.is_empty() && !nobody {
        let all = store.accounts().await?;
        for one in accounts::led(store).await? {
            let found = all.iter().find(|account| account.id.0 == one.account_id);
            if let Some(account) = found.filter(|_| one.department_id == department.0) {
                println!("{}", account.email);
            }
        }
        return Ok(());
    }
    let mut managers = BTreeSet::new();
    for email in lead {
        let account = account(store, email).await?;
        if !account.roles.contains(&Role::Manager) {
            return Err(Failure {
                what: format!("{email} does not have the role manager, nothing was changed"),
                next: "Give it with `muster user edit EMAIL --role …`, beside the roles it has."
                    .to_owned(),
                source: None,
            }
            .into());
        }
        managers.insert(account.id);
    }
    let tx = store.begin_write().await?;
    tx.set_managers(department, &managers, author()).await?;
    tx.commit().await?;
    match lead {
        [] => println!("nobody leads {name}"),
        lead => println!("{name} is led by {}", lead.join(", ")),
    }
    Ok(())
}

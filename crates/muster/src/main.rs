//! The `muster` program: command line, configuration and wiring. What the commands do lives in `commands/`, one file each.

// Doc comments on commands are what `--help` prints: plain text for a screen, not Markdown.
#![allow(
    rustdoc::bare_urls,
    rustdoc::broken_intra_doc_links,
    rustdoc::invalid_html_tags
)]

mod commands;
mod config;
mod demo;
mod lock;
mod output;
mod server;

use std::io::IsTerminal;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use config::{Config, Flags, Log, LogFormat};
use tracing_subscriber::EnvFilter;

/// Attendance server: reads ZKTeco and Hikvision terminals and shows who is in.
#[derive(Parser)]
#[command(
    name = "muster",
    version,
    propagate_version = true,
    max_term_width = 110
)]
struct Args {
    #[command(flatten)]
    flags: Flags,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// A whole company on virtual terminals, on loopback: 60 days of history and a working day at 20 × speed.
    ///
    /// Example: muster demo --listen 127.0.0.1:9000 --speed 60
    Demo(demo::Args),
    /// Writes muster.toml, makes the secret key and the database, and prints the link that creates the owner account.
    ///
    /// Example: muster init && muster serve
    Init(commands::init::Args),
    /// Prints a new one-time link that creates the owner account, or by which an existing owner sets a new password.
    ///
    /// Example: muster setup-link --base-url https://muster.example
    SetupLink(commands::init::SetupLinkArgs),
    /// Runs the server.
    ///
    /// Example: muster serve --listen 0.0.0.0:8080
    Serve(server::Args),
    /// Talks to one terminal; nothing is stored but what `clear-log` deletes there.
    #[command(subcommand)]
    Terminal(commands::terminal::Command),
    /// The configured devices.
    #[command(subcommand)]
    Device(commands::device::Command),
    /// The people.
    #[command(subcommand)]
    Employee(commands::employee::Command),
    /// Who may sign in, and who leads which department.
    #[command(subcommand)]
    User(commands::user::Command),
    /// What people work on single days.
    #[command(subcommand)]
    Roster(commands::planning::Roster),
    /// Days off of the company or a site.
    #[command(subcommand)]
    Holiday(commands::planning::Holiday),
    /// Approved leave and duty elsewhere.
    #[command(subcommand)]
    Leave(commands::planning::Leave),
    /// The rules where they differ from the defaults.
    #[command(subcommand)]
    Policy(commands::policy::Command),
    /// Closed days.
    #[command(subcommand)]
    Period(commands::period::Command),
    /// Reads all (or the named) devices once, now.
    ///
    /// Example: muster poll --device AEH2194760215 --json
    Poll(commands::poll::Args),
    /// Judges again; with --check only compares the stored reports with a fresh judgement.
    ///
    /// Example: muster judge --from 2026-11-01 --check
    Judge(commands::judge::Args),
    /// Says why a day of somebody reads as it does: punches, shift, thresholds, coverage, corrections, versions.
    ///
    /// Example: muster why EMP-7 2026-03-02 --at 2026-03-04T10:00
    Why(commands::why::Args),
    /// Reports as tables and files, and the payroll file.
    #[command(subcommand)]
    Report(commands::report::Command),
    /// Worked cases of the attendance rules.
    #[command(subcommand)]
    Rules(commands::rules::Command),
    /// Virtual terminals, for integrators and tests.
    #[command(subcommand)]
    Simulate(commands::simulate::Command),
    /// Brings the database to this version of Muster.
    ///
    /// Example: muster migrate
    Migrate,
    /// Prints the completion script of a shell.
    ///
    /// Example: muster completions bash > /etc/bash_completion.d/muster
    Completions { shell: clap_complete::Shell },
}

fn main() -> ExitCode {
    let args = Args::parse();
    if !matches!(args.command, Command::Serve(_)) {
        output::end_when_nobody_reads();
    }
    let outcome = Config::load(&args.flags).and_then(|config| {
        start_log(&config.log, &args.command);
        // reqwest is built without a TLS provider of its own; ring is ours.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()?;
        runtime.block_on(run(args, config))
    });
    match outcome {
        Ok(code) => code,
        Err(error) => {
            output::print_error(&error);
            output::exit_code(&error)
        }
    }
}

async fn run(args: Args, config: Config) -> anyhow::Result<ExitCode> {
    match args.command {
        Command::Demo(demo) => demo::run(demo).await?,
        Command::Init(init) => commands::init::run(init, &args.flags, config).await?,
        Command::SetupLink(link) => commands::init::setup_link(link, config).await?,
        Command::Serve(serve) => server::run(serve, config).await?,
        Command::Terminal(terminal) => return commands::terminal::run(terminal, &config).await,
        Command::Device(device) => return commands::device::run(device, config).await,
        Command::Employee(employee) => return commands::employee::run(employee, config).await,
        Command::User(user) => return commands::user::run(user, config).await,
        Command::Roster(roster) => return commands::planning::roster(roster, config).await,
        Command::Holiday(holiday) => return commands::planning::holiday(holiday, config).await,
        Command::Leave(leave) => return commands::planning::leave(leave, config).await,
        Command::Policy(policy) => return commands::policy::run(policy, config).await,
        Command::Period(period) => return commands::period::run(period, config).await,
        Command::Poll(poll) => return commands::poll::run(poll, config).await,
        Command::Judge(judge) => return commands::judge::run(judge, config).await,
        Command::Why(why) => return commands::why::run(why, config).await,
        Command::Report(report) => return commands::report::run(report, config).await,
        Command::Rules(rules) => return Ok(commands::rules::run(rules)),
        Command::Simulate(simulate) => commands::simulate::run(simulate).await?,
        Command::Migrate => commands::init::migrate(config).await?,
        Command::Completions { shell } => {
            let mut command = <Args as clap::CommandFactory>::command();
            clap_complete::generate(shell, &mut command, "muster", &mut std::io::stdout());
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The server logs what it does; a command that answers on standard output only says what went wrong.
fn start_log(log: &Log, command: &Command) {
    let serving = matches!(command, Command::Serve(_) | Command::Simulate(_));
    let filter = if serving {
        log.filter.as_str()
    } else {
        "error"
    };
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(
            EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(filter)),
        )
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr);
    match log.format {
        LogFormat::Text => subscriber.init(),
        LogFormat::Json => subscriber.json().init(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_help_of_every_command_has_an_example() {
        fn check(command: &clap::Command) {
            let commands: Vec<_> = command.get_subcommands().collect();
            if commands.is_empty() {
                let help = command.clone().render_long_help().to_string();
                assert!(help.contains("Example: "), "{}: {help}", command.get_name());
            }
            commands.into_iter().for_each(check);
        }
        let command = <Args as clap::CommandFactory>::command();
        command.clone().debug_assert();
        check(&command);
    }
}

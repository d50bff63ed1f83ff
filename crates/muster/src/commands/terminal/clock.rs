//! `muster terminal clock`: what it shows, and setting it. Whoever calls this decides when; nothing is waited for.

use ingest::Clock;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use terminals::{Target, Terminal, TerminalError};

use super::advice::failure;
use super::{connect, drift, drift_text, end, wall_text};
use crate::output::Usage;

/// A look at the clock: what it shows, and how far it is ahead of ours, in seconds.
struct Look {
    shows: DateTime,
    drift_s: i64,
    /// A time server or platform sets it, or did until it was set now.
    from_outside: bool,
}

pub async fn run(target: &Target, zone: &TimeZone, set: bool, json: bool) -> anyhow::Result<()> {
    if set && !target.kind.sets_clock() {
        return Err(Usage(format!(
            "setting the clock of a {} terminal is not offered yet: set it on the terminal, or let it ask a time server",
            target.kind.brand()
        ))
        .into());
    }
    let mut terminal = connect(target).await?;
    let looked = look(&mut terminal, zone).await;
    let after = match (&looked, set) {
        (Ok(_), true) => Some(set_to_now(&mut terminal, zone).await),
        _ => None,
    };
    let (before, _) = end(terminal, target, looked).await?;
    let after = after.transpose().map_err(|error| {
        let mut failure = failure(error, target);
        failure.what = format!("setting the clock failed at {}", target.address());
        failure
    })?;
    let now = after.as_ref().unwrap_or(&before);
    if json {
        let answer = serde_json::json!({
            "clock": wall_text(now.shows),
            "clock_drift_s": now.drift_s,
            "set": after.is_some(),
            "from_time_server": after.is_none() && before.from_outside,
            "left_time_server": after.as_ref().is_some_and(|after| after.from_outside),
            "clock_drift_before_s": after.is_some().then_some(before.drift_s),
        });
        println!("{answer}");
        return Ok(());
    }
    println!(
        "{}, {}",
        wall_text(before.shows),
        drift_text(before.drift_s)
    );
    if let Some(after) = &after {
        println!(
            "set to {}, {}",
            wall_text(after.shows),
            drift_text(after.drift_s)
        );
    }
    match &after {
        Some(after) if after.from_outside => println!(
            "a time server or platform set it until now, and no longer does: it runs by itself; its menu can have it ask again"
        ),
        None if before.from_outside => println!(
            "a time server or platform sets it: --set would end that, and it would run by itself"
        ),
        _ => {}
    }
    Ok(())
}

async fn look(terminal: &mut Terminal, zone: &TimeZone) -> Result<Look, TerminalError> {
    let shows = terminal.clock().await?;
    Ok(Look {
        shows,
        drift_s: drift(shows, zone),
        from_outside: terminal.clock_is_set_from_outside().await?,
    })
}

async fn set_to_now(terminal: &mut Terminal, zone: &TimeZone) -> Result<Look, TerminalError> {
    let clock = Clock::system();
    let set = terminal
        .set_clock(&|| zone.to_datetime(clock.now()))
        .await?;
    Ok(Look {
        shows: set.shows,
        drift_s: set.shows.duration_since(set.should).as_secs_f64().round() as i64,
        from_outside: set.left_time_server,
    })
}

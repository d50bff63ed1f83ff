//! What the doctor found, in lines, and what to do about what failed.

use ingest::{Check, Checked, Diagnosis, Found, PollFailure, Seen};

use super::{drift, step};
use crate::devices::is_off;
use crate::pages::form::sentence;
use crate::text::{Msg, msg};

/// One check.
pub(super) struct Line {
    /// `pass`, `fail` or `skip-step`.
    pub class: &'static str,
    pub icon: &'static str,
    pub title: String,
    pub detail: String,
    pub advice: Option<Msg>,
    /// How long it took, or that it was not done.
    pub took: String,
}

/// All checks in their order, or why there are none.
pub(super) fn lines(diagnosis: &Result<Diagnosis, PollFailure>) -> Vec<Line> {
    match diagnosis {
        Ok(diagnosis) => diagnosis
            .checks
            .iter()
            .map(|one| line(one, diagnosis))
            .collect(),
        Err(failure) => vec![Line {
            class: "fail",
            icon: "circle-x",
            title: step(failure.step),
            detail: sentence(&failure.message),
            advice: None,
            took: String::new(),
        }],
    }
}

fn line(one: &Checked, diagnosis: &Diagnosis) -> Line {
    let (class, icon, detail) = match &one.found {
        Found::Good(seen) => ("pass", "circle-check", seen_text(seen, diagnosis)),
        Found::Failed(failure) => ("fail", "circle-x", sentence(&failure.message)),
        Found::NotOffered => ("skip-step", "dots", String::new()),
        Found::NotTried => ("skip-step", "dots", String::new()),
    };
    let advice = match &one.found {
        Found::Failed(failure) if !is_said_before(one.check, failure, diagnosis) => {
            advice(failure.reason)
        }
        _ => None,
    };
    Line {
        class,
        icon,
        title: msg(format!("check-{}", one.check.as_str())).to_string(),
        detail,
        advice,
        took: match one.found {
            Found::NotOffered => msg("check-not-offered").to_string(),
            Found::NotTried => msg("check-not-tried").to_string(),
            _ => msg("duration-ms")
                .count(
                    "ms",
                    u64::try_from(one.took.as_millis()).unwrap_or(u64::MAX),
                )
                .to_string(),
        },
    }
}

/// TCP and UDP mostly fail for the same reason.
fn is_said_before(check: Check, failure: &PollFailure, diagnosis: &Diagnosis) -> bool {
    let earlier = diagnosis.checks.iter().take_while(|one| one.check != check);
    earlier
        .filter_map(|one| match &one.found {
            Found::Failed(earlier) => Some(earlier.reason),
            _ => None,
        })
        .any(|reason| reason == failure.reason)
}

fn seen_text(seen: &Seen, diagnosis: &Diagnosis) -> String {
    match seen {
        Seen::Nothing => String::new(),
        Seen::Addresses(addresses) => {
            let addresses: Vec<_> = addresses.iter().map(ToString::to_string).collect();
            addresses.join(", ")
        }
        Seen::Certificate(shown) => shown.to_string(),
        Seen::Abilities(abilities) => {
            let names = abilities
                .iter()
                .map(|one| msg(format!("ability-{}", one.as_str())));
            names
                .map(|name| name.to_string())
                .collect::<Vec<_>>()
                .join(", ")
        }
        Seen::Key { wanted: true } => msg("seen-key-accepted").to_string(),
        Seen::Key { wanted: false } => msg("seen-key-none").to_string(),
        Seen::Identity(identity) => {
            let parts = [&identity.serial, &identity.model, &identity.firmware];
            let parts = parts.into_iter().filter(|part| !part.is_empty());
            parts.cloned().collect::<Vec<_>>().join(", ")
        }
        Seen::Clock { shows, .. } => {
            let off = diagnosis.clock_drift_s.unwrap_or_default();
            let key = match is_off(off) {
                true => "seen-clock-off",
                false => "seen-clock",
            };
            msg(key)
                .with("clock", shows.strftime("%Y-%m-%d %H:%M:%S"))
                .with("drift", drift(off))
                .to_string()
        }
        Seen::Counters {
            users,
            records,
            capacity,
        } => {
            let users = users.map(|users| msg("seen-users").count("users", users));
            let records = records.map(|records| match capacity {
                Some(capacity) => msg("seen-records-of")
                    .count("records", records)
                    .count("capacity", *capacity),
                None => msg("seen-records").count("records", records),
            });
            let told = users.into_iter().chain(records);
            let told: Vec<_> = told.map(|one| one.to_string()).collect();
            told.join(", ")
        }
        Seen::Users(users) => msg("seen-users").count("users", *users).to_string(),
        Seen::Log {
            punches,
            rejected,
            whole,
        } => {
            let key = match whole {
                true => "seen-log",
                false => "seen-log-part",
            };
            msg(key)
                .count("punches", *punches)
                .count("rejected", *rejected)
                .to_string()
        }
    }
}

/// What to do about what the drivers name so; `None` for what they do not name.
pub(super) fn advice(reason: &str) -> Option<Msg> {
    const REASONS: [&str; 45] = [
        "resolve",
        "unreachable",
        "silent",
        "credentials",
        "key_required",
        "locked",
        "sign_in_unanswered",
        "sign_in_refused",
        "few_attempts",
        "no_tls",
        "tls_too_old",
        "other_certificate",
        "busy",
        "device_fault",
        "not_activated",
        "low_privilege",
        "not_supported",
        "device_full",
        "too_many_listeners",
        "reboot_required",
        "wrong_serial",
        "no_protocol",
        "no_log",
        "no_large_answers",
        "access_panel",
        "stream_full",
        "stream_mute",
        "refused",
        "not_understood",
        "write_unsure",
        "write_does_not_fit",
        "write_nobody",
        "write_algorithm",
        "write_log_changed",
        "write_full",
        "write_not_allowed",
        "write_card_taken",
        "write_meanwhile",
        "write_picture",
        "write_refused",
        "write_partly",
        "write_not_read_back",
        "write_not_as_asked",
        "write_not_offered",
        "write_unverified",
    ];
    REASONS
        .contains(&reason)
        .then(|| msg(format!("advice-{reason}")))
}

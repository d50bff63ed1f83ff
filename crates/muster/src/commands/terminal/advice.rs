//! What a failure of a terminal means and what to do about it.

use terminals::{DeviceKind, Step, Target, TerminalError};

use crate::output::Failure;

pub fn failure(error: TerminalError, target: &Target) -> Failure {
    Failure {
        what: format!("{} failed at {}", step_name(error.step()), target.address()),
        next: advice(&error, target),
        source: Some(Box::new(error)),
    }
}

/// The step as people say it.
fn step_name(step: Step) -> &'static str {
    match step {
        Step::Resolve => "finding the address",
        Step::Connect => "connecting",
        Step::Tls => "encrypting the connection",
        Step::SignIn => "signing in",
        Step::Identify => "reading the serial number",
        Step::Clock => "reading the clock",
        Step::Counters => "reading the counters",
        Step::Users => "reading the users",
        Step::Punches => "reading the punches",
        Step::Live => "listening",
        Step::Arm => "telling it whom to call",
        Step::Write => "writing",
    }
}

/// The same for the name that is stored with a failure; `None` for what is no step of a conversation.
pub fn stored_step_name(name: &str) -> Option<&'static str> {
    let step = Step::ALL.iter().find(|step| step.as_str() == name)?;
    Some(step_name(*step))
}

/// An error with its causes in one sentence.
pub fn story(error: &TerminalError) -> String {
    let mut story = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        story = format!("{story}: {error}");
        cause = error.source();
    }
    let first_word = story.split(' ').next().unwrap_or_default();
    // A host name keeps its case.
    if first_word.chars().all(|letter| letter.is_ascii_lowercase())
        && let Some(first) = story.get_mut(..1)
    {
        first.make_ascii_uppercase();
    }
    format!("{story}.")
}

pub fn advice(error: &TerminalError, target: &Target) -> String {
    advice_for(error.reason(), target)
}

/// What to do about what [`TerminalError::reason`] names. A target with a serial number is a configured device.
pub fn advice_for(reason: &str, target: &Target) -> String {
    let device = target.serial.as_deref();
    let edit = |flag: &str| match device {
        Some(serial) => format!("Set it with `muster device edit {serial} {flag}`."),
        None => "Correct it in the URL.".to_owned(),
    };
    let once =
        "Muster tried it once and will not try again by itself, so the terminal does not lock.";
    let password = || edit("--username NAME --password-stdin");
    match reason {
        "resolve" => {
            "Check the spelling of the host name, or use the IP address from the terminal's network menu.".to_owned()
        }
        "unreachable" => format!(
            "The terminal does not answer at {}, port {}. Check its power and network cable, and the address in its network menu.{}",
            target.host,
            target.port,
            match target.kind {
                DeviceKind::Zk => " Some terminals serve one connection at a time: stop other software that reads it.",
                DeviceKind::Hik => "",
            }
        ),
        "silent" => {
            "The terminal was reached and then fell silent. Nothing of an interrupted reading is kept, and nothing is lost: it is still \
             on the terminal. Check the network between, and try again."
                .to_owned()
        }
        "credentials" => match target.kind {
            DeviceKind::Zk => format!(
                "Comm key refused. {once} Compare it with the terminal's menu Comm. › PC connection. {}",
                edit("--comm-key-stdin")
            ),
            DeviceKind::Hik => format!("User name or password refused. {once} {}", password()),
        },
        "key_required" => format!(
            "The key is in the terminal's menu Comm. › PC connection. {}",
            match device {
                Some(_) => edit("--comm-key-stdin"),
                None => "Put it before the host: zk://COMMKEY@HOST.".to_owned(),
            }
        ),
        "locked" => "Somebody tried wrong passwords. Wait until the lock is over, half an hour if it does not say, then try again \
                     with the right one."
            .to_owned(),
        "sign_in_unanswered" => format!(
            "The terminal answered until the password was sent. It may have locked us out: compare user name and password, wait half an \
             hour, then try again. {}",
            password()
        ),
        "sign_in_refused" if target.kind == DeviceKind::Hik => password(),
        "wrong_serial" => {
            "No punch was taken. Find where the registered terminal is now and set its address, or register the terminal that answers \
             as a device of its own."
                .to_owned()
        }
        "no_protocol" | "no_log" | "no_large_answers" => {
            "Firmware of this kind gives its punches by push instead (menu Comm. › Cloud server), or after a change to attendance mode \
             or other firmware; ask the vendor for one that answers on port 4370."
                .to_owned()
        }
        "access_panel" => {
            "C3 and inBio access panels use the same port with another protocol, which Muster does not speak. Check the address."
                .to_owned()
        }
        "write_unsure" => {
            "The terminal fell silent while it was written to, so it may be done or not. Look at what it shows now, for users with \
             `muster terminal users`, before you try again."
                .to_owned()
        }
        "write_does_not_fit" => {
            "Nothing was changed. Shorten or correct it and try again.".to_owned()
        }
        "write_nobody" => {
            "Nothing was changed. `muster terminal users` shows who is there; zeros in front of a number count.".to_owned()
        }
        "write_algorithm" => "Nothing was changed. Enrol the finger at this terminal.".to_owned(),
        "write_log_changed" => "Nothing was deleted. Read the terminal again first.".to_owned(),
        "write_unverified" => format!(
            "Nothing was deleted. {}, look at what is not understood, and try again.",
            match device {
                Some(serial) => format!("Read it with `muster device poll {serial}`"),
                None => "Poll the device".to_owned(),
            }
        ),
        "write_not_as_asked" => {
            "The terminal took the request and shows something else now. Look at it there; its firmware may not do this over the \
             network."
                .to_owned()
        }
        "write_not_offered" => "Do it at the terminal or on its own web page.".to_owned(),
        "not_understood" => format!(
            "Something answers at {}, but not as {} terminals do. Check address and port; if they are right, the firmware speaks in a way \
             that this version does not know.",
            target.address(),
            target.kind.brand()
        ),
        _ => {
            "The terminal answered and said no. It may be busy: try again in a minute. If it stays so, its firmware or the account does \
             not allow this step."
                .to_owned()
        }
    }
}

/// A word about a log that gets full, after how much is in it.
pub fn fullness(records: u32, capacity: u32) -> String {
    match terminals::log_fullness(records, capacity) {
        None => String::new(),
        Some(percent) => {
            format!(", {percent} % full: clear it before it overwrites itself or hangs")
        }
    }
}

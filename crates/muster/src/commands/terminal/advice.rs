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
        "few_attempts" => format!(
            "The password was not sent. Make sure of it at the terminal's own web page, from another computer, then try again with \
             --anyway.{}",
            match device {
                Some(serial) => format!(" A wrong one is replaced by `muster device edit {serial} --username NAME --password-stdin`."),
                None => String::new(),
            }
        ),
        "no_tls" => "What answers there does not encrypt, or not as we do. Check the port: HTTPS is mostly 443, plain HTTP 80."
            .to_owned(),
        "tls_too_old" => format!(
            "Newer firmware mostly has TLS 1.2. Without it only plain HTTP is left, which everybody on the way can read{}.",
            match device {
                Some(serial) => format!(": `muster device edit {serial} --transport tcp --address {}:80`", target.host),
                None => ": hik:// instead of hiks://".to_owned(),
            }
        ),
        "other_certificate" => format!(
            "Nothing was sent to it. After a factory reset or new firmware a terminal has another certificate; otherwise something \
             stands in between. Compare it with the one on the terminal's own web page. {}",
            match device {
                Some(serial) => format!("If it is right: `muster device edit {serial} --certificate shown`."),
                None => "If it is right, put it into the URL.".to_owned(),
            }
        ),
        "busy" => "The terminal has other work, or no memory for this. It is asked again by itself.".to_owned(),
        "device_fault" => "Something is broken inside the terminal. Restart it; if that does not help, its vendor can.".to_owned(),
        "not_activated" => "The terminal is as from the factory: give it its first password at its own screen or web page.".to_owned(),
        "low_privilege" => "The user may not do this. Give it the permission on the terminal's own web page (User management: remote \
                            parameter settings, remote log search), or use another user."
            .to_owned(),
        "not_supported" => "The firmware of this terminal has no such thing.".to_owned(),
        "device_full" => "The terminal holds as many people, cards or faces as it can. Delete some there.".to_owned(),
        "too_many_listeners" => {
            "Other software listens to this terminal and takes all its places. End it, or poll the terminal.".to_owned()
        }
        "reboot_required" => "Restart the terminal.".to_owned(),
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
        "stream_full" => {
            "It tells its punches to a few at once. Stop other software that listens to it, or only read it: every punch comes with \
             the next reading."
                .to_owned()
        }
        "stream_mute" => {
            "Only read it: every punch comes with the next reading. Other firmware may tell them at once.".to_owned()
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
        "write_full" => "Nothing was changed. Delete somebody there who has left, then try again.".to_owned(),
        "write_not_allowed" => {
            "Nothing was changed. Give the account the right for this on the terminal's web page (User Management), or use another \
             account."
                .to_owned()
        }
        "write_card_taken" => {
            "Nothing was changed. Take the card away from who has it first.".to_owned()
        }
        "write_meanwhile" => {
            "Nothing was changed. Look at the user with `muster terminal users`, then try again.".to_owned()
        }
        "write_picture" => {
            "Nothing was changed. Use a picture with one face from the front, well lit, at most 200 kB.".to_owned()
        }
        "write_refused" => {
            "Nothing was changed. Its firmware or its settings do not allow this.".to_owned()
        }
        "write_partly" => {
            "The first part is done. Correct what the terminal did not like and try again.".to_owned()
        }
        "write_not_read_back" => {
            "Look at what the terminal shows now, for users with `muster terminal users`, before you try again.".to_owned()
        }
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

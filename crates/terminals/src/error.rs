//! What can go wrong between us and a terminal, named so that the poller can branch and a person can act.

use std::time::Duration;

use hik_proto::Condition;

use crate::{CertificatePin, WriteError};

/// The step of a conversation with a terminal. Failures are shown with it ("no answer at: connect").
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Step {
    /// Host name to address.
    Resolve,
    Connect,
    /// The handshake that encrypts the connection.
    Tls,
    /// Comm key, or user name and password.
    SignIn,
    /// Serial number and device information.
    Identify,
    Clock,
    Counters,
    Users,
    Punches,
    /// Punches as they are made.
    Live,
    /// A change at the terminal, and reading back what came of it.
    Write,
    /// Telling it whom to call.
    Arm,
}

impl Step {
    pub const ALL: &'static [Self] = &[
        Self::Resolve,
        Self::Connect,
        Self::Tls,
        Self::SignIn,
        Self::Identify,
        Self::Clock,
        Self::Counters,
        Self::Users,
        Self::Punches,
        Self::Live,
        Self::Write,
        Self::Arm,
    ];

    /// The name in the database and in messages.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Resolve => "resolve",
            Self::Connect => "connect",
            Self::Tls => "tls",
            Self::SignIn => "sign_in",
            Self::Identify => "identify",
            Self::Clock => "clock",
            Self::Counters => "counters",
            Self::Users => "users",
            Self::Punches => "punches",
            Self::Live => "live",
            Self::Write => "write",
            Self::Arm => "push",
        }
    }
}

impl std::fmt::Display for Step {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What the poller does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// Probably a passing fault: try again well before the next regular poll.
    Soon,
    NextPoll,
    /// Not before this long, even if that is later than the next poll.
    After(Duration),
    /// Repeating it may lock the device: wait until a person edits the credentials.
    AfterEdit,
}

#[derive(Debug, thiserror::Error)]
pub enum TerminalError {
    #[error("{address} cannot be resolved")]
    Resolve {
        address: String,
        #[source]
        source: std::io::Error,
    },
    #[error("no connection to {address}")]
    Unreachable {
        address: String,
        #[source]
        source: std::io::Error,
    },
    #[error("no answer within {} s at step {step}", after.as_secs_f64())]
    Timeout { step: Step, after: Duration },
    #[error("the connection was cut at step {step}")]
    Cut {
        step: Step,
        #[source]
        source: std::io::Error,
    },
    /// Wrong comm key, user name or password. Tried once.
    #[error("the terminal refused the credentials")]
    AuthRefused,
    /// The terminal wants a comm key, and none is configured.
    #[error("the terminal wants a comm key and none is set")]
    KeyRequired,
    /// Our password was refused, and it was the attempt that locked the account; with the time left if the terminal tells.
    #[error("the terminal refused the credentials and has locked the account{}", time_left(*.for_secs))]
    Locked { for_secs: Option<u32> },
    /// The account or our address is locked, and not by our password: somebody else has mistyped theirs.
    #[error("the terminal is locked after somebody's wrong passwords{}", time_left(*.for_secs))]
    LockedOut { for_secs: Option<u32> },
    /// The password was sent and nothing came back, which is also how some terminals answer a wrong one.
    #[error("no answer to the sign-in")]
    SignInUnanswered {
        #[source]
        source: Box<TerminalError>,
    },
    /// The password was sent as asked for, and again as asked for, and not accepted.
    #[error("the terminal asks for the sign-in again and again")]
    SignInRepeated,
    /// Nothing was sent: the terminal has refused this password before.
    #[error(
        "the terminal has refused these credentials before: they are not sent again unless somebody asks for it"
    )]
    RefusedBefore,
    /// Nothing was signed: another wrong password or two would lock the account, and this one has not been accepted yet.
    #[error(
        "the terminal allows {left} more wrong passwords before it locks, and this one was never accepted"
    )]
    FewAttempts { left: u32 },
    /// It wants a sign-in and offers none: busy, or it has locked us out. Left alone for so long.
    #[error(
        "the terminal wants a sign-in and offers none: it is busy or has locked us out, and is left alone for {for_secs} s"
    )]
    Resting { for_secs: u64 },
    /// Its TLS, or what answers there instead, and ours have nothing in common.
    #[error("no TLS with {address}")]
    Tls {
        address: String,
        #[source]
        source: std::io::Error,
    },
    /// It has TLS, but only versions or ciphers that protect nothing any more.
    #[error("the terminal at {address} speaks only TLS that is too old: {detail}")]
    TlsTooOld { address: String, detail: String },
    /// Another terminal, a new certificate after a factory reset, or somebody in between.
    #[error("the terminal shows the certificate {found}, expected {expected}")]
    OtherCertificate {
        expected: CertificatePin,
        found: CertificatePin,
    },
    #[error("the terminal at {address} answers with serial number {found}, expected {expected}")]
    WrongSerial {
        address: String,
        expected: String,
        found: String,
    },
    /// Its firmware has no such thing over this protocol, whatever is tried: another way in does, or another firmware.
    #[error("{lacking} (code {code} at step {step})")]
    NotOffered {
        step: Step,
        lacking: Lacking,
        code: u16,
    },
    /// Another product family, on the same port.
    #[error("this is an access panel, not an attendance terminal")]
    AccessPanel { step: Step },
    /// A terminal tells its punches to a few at once.
    #[error("all places of its live stream are taken{}", holders(.held_by))]
    StreamFull { held_by: Vec<String> },
    /// Neither its stream nor a subscription brought the punches that its log has.
    #[error("it does not tell its punches as they are made")]
    StreamMute,
    /// It answered, and said no.
    #[error("the terminal refused step {step}: {detail}")]
    Refused { step: Step, detail: String },
    /// It answered, said no, and what it means is known.
    #[error("the terminal refused step {step}: {detail}")]
    Condition {
        step: Step,
        condition: Condition,
        detail: String,
    },
    #[error("the answer at step {step} cannot be understood: {detail}")]
    Malformed { step: Step, detail: String },
    /// The answer is larger than we are willing to hold.
    #[error(
        "the answer at step {step} announces {announced} bytes, more than the limit of {limit}"
    )]
    TooLarge {
        step: Step,
        announced: u64,
        limit: u64,
    },
    #[error(transparent)]
    Write(#[from] WriteError),
}

/// What firmware lacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lacking {
    /// It no longer speaks the protocol at all.
    Protocol,
    Log,
    /// It holds too much for an answer in one packet, and cannot give another.
    LargeAnswers,
}

impl std::fmt::Display for Lacking {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Protocol => "the firmware no longer speaks the port 4370 protocol",
            Self::Log => "the log is not offered over this protocol",
            Self::LargeAnswers => "the firmware cannot prepare large answers",
        })
    }
}

impl TerminalError {
    /// A name for what is the matter, by which advice is found. Names are stored: they stay as they are.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Resolve { .. } => "resolve",
            Self::Unreachable { .. }
            | Self::Timeout {
                step: Step::Resolve | Step::Connect,
                ..
            }
            | Self::Cut {
                step: Step::Connect,
                ..
            } => "unreachable",
            Self::Timeout {
                step: Step::Write, ..
            }
            | Self::Cut {
                step: Step::Write, ..
            } => "write_unsure",
            Self::Timeout { .. } | Self::Cut { .. } => "silent",
            Self::AuthRefused | Self::RefusedBefore | Self::SignInRepeated => "credentials",
            Self::FewAttempts { .. } => "few_attempts",
            Self::Resting { .. } => "sign_in_refused",
            Self::Tls { .. } => "no_tls",
            Self::TlsTooOld { .. } => "tls_too_old",
            Self::OtherCertificate { .. } => "other_certificate",
            Self::KeyRequired => "key_required",
            Self::Locked { .. } | Self::LockedOut { .. } => "locked",
            Self::SignInUnanswered { .. } => "sign_in_unanswered",
            Self::WrongSerial { .. } => "wrong_serial",
            Self::NotOffered { lacking, .. } => match lacking {
                Lacking::Protocol => "no_protocol",
                Lacking::Log => "no_log",
                Lacking::LargeAnswers => "no_large_answers",
            },
            Self::AccessPanel { .. } => "access_panel",
            Self::StreamFull { .. } => "stream_full",
            Self::StreamMute => "stream_mute",
            Self::Refused {
                step: Step::SignIn, ..
            } => "sign_in_refused",
            Self::Refused { .. } => "refused",
            Self::Condition { condition, .. } => match condition {
                Condition::Busy => "busy",
                Condition::Fault => "device_fault",
                Condition::NotActivated => "not_activated",
                Condition::LowPrivilege => "low_privilege",
                Condition::NotSupported => "not_supported",
                Condition::Full => "device_full",
                Condition::TooManyListeners => "too_many_listeners",
                Condition::RebootRequired => "reboot_required",
                Condition::NotUnderstood => "not_understood",
            },
            Self::Write(error) => error.reason(),
            Self::Malformed { .. } | Self::TooLarge { .. } => "not_understood",
        }
    }

    pub fn retry(&self) -> Retry {
        match self {
            Self::AuthRefused
            | Self::RefusedBefore
            | Self::KeyRequired
            | Self::Locked { .. }
            | Self::SignInRepeated => Retry::AfterEdit,
            Self::Resting { for_secs } => Retry::After(Duration::from_secs(*for_secs)),
            Self::LockedOut { for_secs } => Retry::After(lock_lasts(*for_secs)),
            // Some terminals answer a wrong key with silence.
            Self::Timeout {
                step: Step::SignIn, ..
            }
            | Self::Cut {
                step: Step::SignIn, ..
            } => Retry::NextPoll,
            Self::Timeout { .. } | Self::Cut { .. } => Retry::Soon,
            Self::Resolve { .. }
            | Self::Unreachable { .. }
            | Self::WrongSerial { .. }
            | Self::SignInUnanswered { .. }
            | Self::FewAttempts { .. }
            | Self::Tls { .. }
            | Self::TlsTooOld { .. }
            | Self::OtherCertificate { .. }
            | Self::NotOffered { .. }
            | Self::AccessPanel { .. }
            | Self::StreamFull { .. }
            | Self::StreamMute
            | Self::Refused { .. }
            | Self::Condition { .. }
            | Self::Malformed { .. }
            | Self::TooLarge { .. }
            | Self::Write(_) => Retry::NextPoll,
        }
    }

    /// Nothing came from there, and it may be back any moment.
    pub fn is_absence(&self) -> bool {
        match self {
            Self::Resolve { .. } | Self::Unreachable { .. } => true,
            Self::Timeout { step, .. } | Self::Cut { step, .. } => *step != Step::SignIn,
            _ => false,
        }
    }

    /// Only telling punches as they are made is refused: the terminal can be read all the same.
    pub fn is_of_live_only(&self) -> bool {
        match self {
            Self::StreamFull { .. } | Self::StreamMute => true,
            Self::Refused { step, .. } => *step == Step::Live,
            _ => false,
        }
    }

    /// The step that failed.
    pub fn step(&self) -> Step {
        match self {
            Self::Resolve { .. } => Step::Resolve,
            Self::Unreachable { .. } => Step::Connect,
            Self::AuthRefused
            | Self::KeyRequired
            | Self::Locked { .. }
            | Self::LockedOut { .. }
            | Self::SignInUnanswered { .. }
            | Self::RefusedBefore
            | Self::FewAttempts { .. }
            | Self::Resting { .. }
            | Self::SignInRepeated => Step::SignIn,
            Self::Tls { .. } | Self::TlsTooOld { .. } | Self::OtherCertificate { .. } => Step::Tls,
            Self::WrongSerial { .. } => Step::Identify,
            Self::StreamFull { .. } | Self::StreamMute => Step::Live,
            Self::Write(_) => Step::Write,
            Self::Timeout { step, .. }
            | Self::Cut { step, .. }
            | Self::NotOffered { step, .. }
            | Self::AccessPanel { step }
            | Self::Refused { step, .. }
            | Self::Condition { step, .. }
            | Self::Malformed { step, .. }
            | Self::TooLarge { step, .. } => *step,
        }
    }
}

/// A minute longer than the terminal says; half an hour, the factory setting, where it does not. A day at most: no lock lasts
/// longer, and a number can be nonsense.
pub(crate) fn lock_lasts(for_secs: Option<u32>) -> Duration {
    match for_secs {
        Some(secs) => Duration::from_secs(u64::from(secs.min(86_400)) + 60),
        None => Duration::from_secs(1800),
    }
}

fn holders(addresses: &[String]) -> String {
    match addresses {
        [] => String::new(),
        _ => format!(", by {}", addresses.join(" and ")),
    }
}

fn time_left(for_secs: Option<u32>) -> String {
    match for_secs {
        Some(secs) => format!(", for {} min more", secs.div_ceil(60)),
        None => String::new(),
    }
}

//! What can go wrong with a terminal, scripted.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// One way in which a terminal, its network or its firmware misbehaves.
///
/// [`FromStr`] and [`Display`](fmt::Display) use the notation of the command line, `name` or `name=value`:
/// `slow=3s`, `impossible-time=17`. Each variant says its notation first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// `refuse`: nobody listens on the port and open connections are gone, like a terminal without power on a
    /// network that answers for it. Always concerns the whole terminal, whatever path the rule names.
    RefuseConnection,
    /// `silent`: takes the connection and the request, and never answers.
    Silent,
    /// `slow=3s`: waits this long before each answer.
    Slow(Duration),
    /// `dribble=20ms`: sends each answer byte by byte, with this pause between two bytes.
    Dribble(Duration),
    /// `cut`: sends the head and half of the body, then closes.
    CutMidBody,
    /// `stall`: sends the head and half of the body, then keeps the connection open and says no more.
    StallMidBody,
    /// `length=-5`: announces a body that many bytes longer (or shorter, when negative) than what it sends, then closes.
    WrongContentLength(i64),
    /// `garbage`: answers bytes that are no HTTP, and closes.
    Garbage,
    /// `garbage-body`: a correct head for a body that is neither JSON nor XML.
    GarbageBody,
    /// `huge-body`: announces four gigabytes and sends blanks for as long as somebody reads them.
    HugeBody,
    /// `endless-body`: announces no length and sends blanks for as long as somebody reads them.
    EndlessBody,
    /// `more-forever`: each page of a search is the first one again, and says `MORE`.
    MoreForever,
    /// `empty-pages`: each page of a search has no rows, and says `MORE`.
    EmptyPages,
    /// `ok-early`: each page of a search that has rows says `OK`, also where more follow.
    OkEarly,
    /// `no-status`: pages of a search do not say whether more follow.
    NoStatus,
    /// `high-total`: searches announce one row more than there is.
    HighTotal,
    /// `string-numbers`: all numbers in JSON bodies are strings.
    StringNumbers,
    /// `bare-object`: a list with one element is sent as that element.
    BareObject,
    /// `no-employee[=SERIAL]`: this row (all rows without a value) names nobody: no employee number and no name.
    MissingEmployeeNo(Option<u32>),
    /// `impossible-time[=SERIAL]`: this row (all rows without a value) happened at 25:61 on 30 February.
    ImpossibleTime(Option<u32>),
    /// `bad-name[=EMPLOYEE]`: the name of this person (of everybody without a value) is no valid UTF-8, in rows
    /// and in the list of people.
    InvalidUtf8Name(Option<String>),
    /// `wrong-serial`: another terminal of the same model has taken the address.
    WrongSerial,
    /// `row-arrives`: an event is added, at the terminal's present time, between the first and the second page of
    /// each search.
    RowArrives,
    /// `row-lost`: the oldest event is overwritten between the first and the second page of each search, which
    /// moves every position down by one.
    RowLost,
    /// `stale`: every signed request is answered with a new challenge that says `stale="true"`.
    AlwaysStale,
    /// `locked`: answers as if somebody had guessed passwords: `lockStatus` is `lock`.
    Locked,
    /// `bare-401`: 401 without a challenge, which some firmware answers when it is busy.
    BareUnauthorized,
    /// `busy`: 503 with `deviceBusy`.
    Busy,
    /// `error-in-200`: status 200 with a body that says `deviceError`.
    ErrorInOk,
}

/// When a request meets a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// The listening socket.
    Line,
    /// Before the sign-in is looked at.
    Early,
    /// Only a request that is signed correctly.
    Late,
}

impl Fault {
    /// A rule that concerns only requests for `path`, such as `/ISAPI/AccessControl/AcsEvent`; with a `/` at its end,
    /// everything below it.
    pub fn on(self, path: impl Into<String>) -> FaultRule {
        FaultRule {
            path: path.into(),
            ..self.into()
        }
    }

    /// A rule that lets the first `skip` requests pass.
    pub fn after(self, skip: u32) -> FaultRule {
        FaultRule::from(self).after(skip)
    }

    /// A rule that is over after `times` requests.
    pub fn times(self, times: u32) -> FaultRule {
        FaultRule::from(self).times(times)
    }

    pub(super) fn stage(&self) -> Stage {
        match self {
            Self::RefuseConnection => Stage::Line,
            Self::Silent
            | Self::AlwaysStale
            | Self::Locked
            | Self::BareUnauthorized
            | Self::Busy => Stage::Early,
            _ => Stage::Late,
        }
    }
}

/// A fault and the requests it concerns; a plain [`Fault`] concerns all of them.
///
/// `Silent`, `AlwaysStale`, `Locked`, `BareUnauthorized` and `Busy` meet every request. All other faults meet, and
/// count, only requests that are signed correctly: the challenge before them is always clean, so
/// `Fault::CutMidBody.on("/ISAPI/AccessControl/AcsEvent").after(1).times(1)` cuts the second page of a search and
/// nothing else, whether or not the client signs ahead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FaultRule {
    pub(super) fault: Fault,
    pub(super) path: String,
    pub(super) skip: u32,
    pub(super) times: Option<u32>,
}

impl FaultRule {
    /// Lets the first `skip` requests pass.
    pub fn after(mut self, skip: u32) -> Self {
        self.skip = skip;
        self
    }

    /// Over after `times` requests.
    pub fn times(mut self, times: u32) -> Self {
        self.times = Some(times);
        self
    }

    /// Whether this request meets the fault; uses up one of the skipped or allowed requests.
    pub(super) fn meets(&mut self, stage: Stage, path: &str) -> bool {
        let below = self.path.is_empty() || self.path.ends_with('/');
        let concerned = path == self.path || (below && path.starts_with(&self.path));
        if self.fault.stage() != stage || !concerned {
            return false;
        }
        if self.skip > 0 {
            self.skip -= 1;
            return false;
        }
        match &mut self.times {
            Some(0) => false,
            Some(left) => {
                *left -= 1;
                true
            }
            None => true,
        }
    }
}

impl From<Fault> for FaultRule {
    fn from(fault: Fault) -> Self {
        Self {
            fault,
            path: String::new(),
            skip: 0,
            times: None,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self {
            Self::Slow(delay) => return write!(f, "slow={}ms", delay.as_millis()),
            Self::Dribble(pause) => return write!(f, "dribble={}ms", pause.as_millis()),
            Self::WrongContentLength(by) => return write!(f, "length={by}"),
            Self::MissingEmployeeNo(Some(serial)) => return write!(f, "no-employee={serial}"),
            Self::ImpossibleTime(Some(serial)) => return write!(f, "impossible-time={serial}"),
            Self::InvalidUtf8Name(Some(employee)) => return write!(f, "bad-name={employee}"),
            Self::MissingEmployeeNo(None) => "no-employee",
            Self::ImpossibleTime(None) => "impossible-time",
            Self::InvalidUtf8Name(None) => "bad-name",
            Self::RefuseConnection => "refuse",
            Self::Silent => "silent",
            Self::CutMidBody => "cut",
            Self::StallMidBody => "stall",
            Self::Garbage => "garbage",
            Self::GarbageBody => "garbage-body",
            Self::HugeBody => "huge-body",
            Self::EndlessBody => "endless-body",
            Self::OkEarly => "ok-early",
            Self::NoStatus => "no-status",
            Self::HighTotal => "high-total",
            Self::MoreForever => "more-forever",
            Self::EmptyPages => "empty-pages",
            Self::StringNumbers => "string-numbers",
            Self::BareObject => "bare-object",
            Self::WrongSerial => "wrong-serial",
            Self::RowArrives => "row-arrives",
            Self::RowLost => "row-lost",
            Self::AlwaysStale => "stale",
            Self::Locked => "locked",
            Self::BareUnauthorized => "bare-401",
            Self::Busy => "busy",
            Self::ErrorInOk => "error-in-200",
        };
        f.write_str(name)
    }
}

/// The text names no fault, or its value does not fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownFault(String);

impl fmt::Display for UnknownFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no such fault: {}; known are {NOTATIONS}", self.0)
    }
}

impl std::error::Error for UnknownFault {}

const NOTATIONS: &str = "refuse, silent, slow=3s, dribble=20ms, cut, stall, length=-5, garbage, garbage-body, \
     huge-body, endless-body, more-forever, empty-pages, ok-early, no-status, high-total, string-numbers, \
     bare-object, no-employee[=SERIAL], impossible-time[=SERIAL], bad-name[=EMPLOYEE], wrong-serial, row-arrives, row-lost, stale, locked, bare-401, \
     busy, error-in-200";

impl FromStr for Fault {
    type Err = UnknownFault;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (name, value) = match text.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (text, None),
        };
        let unknown = || UnknownFault(text.to_owned());
        let serial = || -> Result<Option<u32>, UnknownFault> {
            value
                .map(|value| value.parse().map_err(|_| unknown()))
                .transpose()
        };
        let fault = match name {
            "slow" => Self::Slow(parse_duration(value.unwrap_or("3s")).ok_or_else(unknown)?),
            "dribble" => {
                Self::Dribble(parse_duration(value.unwrap_or("20ms")).ok_or_else(unknown)?)
            }
            "length" => {
                Self::WrongContentLength(value.unwrap_or("-5").parse().map_err(|_| unknown())?)
            }
            "no-employee" => Self::MissingEmployeeNo(serial()?),
            "impossible-time" => Self::ImpossibleTime(serial()?),
            "bad-name" => Self::InvalidUtf8Name(value.map(str::to_owned)),
            _ if value.is_some() => return Err(unknown()),
            "refuse" => Self::RefuseConnection,
            "silent" => Self::Silent,
            "cut" => Self::CutMidBody,
            "stall" => Self::StallMidBody,
            "garbage" => Self::Garbage,
            "garbage-body" => Self::GarbageBody,
            "huge-body" => Self::HugeBody,
            "endless-body" => Self::EndlessBody,
            "ok-early" => Self::OkEarly,
            "no-status" => Self::NoStatus,
            "high-total" => Self::HighTotal,
            "more-forever" => Self::MoreForever,
            "empty-pages" => Self::EmptyPages,
            "string-numbers" => Self::StringNumbers,
            "bare-object" => Self::BareObject,
            "wrong-serial" => Self::WrongSerial,
            "row-arrives" => Self::RowArrives,
            "row-lost" => Self::RowLost,
            "stale" => Self::AlwaysStale,
            "locked" => Self::Locked,
            "bare-401" => Self::BareUnauthorized,
            "busy" => Self::Busy,
            "error-in-200" => Self::ErrorInOk,
            _ => return Err(unknown()),
        };
        Ok(fault)
    }
}

/// `250ms` or `3s`.
fn parse_duration(text: &str) -> Option<Duration> {
    if let Some(millis) = text.strip_suffix("ms") {
        millis.parse().ok().map(Duration::from_millis)
    } else {
        text.strip_suffix('s')?
            .parse()
            .ok()
            .map(Duration::from_secs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_notation_is_understood_and_printed_again() {
        for notation in NOTATIONS.split(", ") {
            let bare = notation.split('[').next().unwrap().trim();
            let fault: Fault = bare.parse().unwrap();
            assert_eq!(fault.to_string().parse::<Fault>().unwrap(), fault, "{bare}");
        }
        assert_eq!(
            "slow=250ms".parse(),
            Ok(Fault::Slow(Duration::from_millis(250)))
        );
        assert_eq!(
            "no-employee=7".parse(),
            Ok(Fault::MissingEmployeeNo(Some(7)))
        );
        assert_eq!(
            "bad-name=007".parse(),
            Ok(Fault::InvalidUtf8Name(Some("007".into())))
        );
    }

    #[test]
    fn what_is_no_fault_is_named() {
        for text in ["", "slow=soon", "busy=2", "length=x", "no-employee=A"] {
            let error = text.parse::<Fault>().unwrap_err();
            assert!(
                error
                    .to_string()
                    .starts_with(&format!("no such fault: {text};"))
            );
        }
    }

    #[test]
    fn a_rule_skips_then_counts_down() {
        let mut rule = Fault::CutMidBody.on("/a").after(1).times(2);
        let met: Vec<bool> = ["/a", "/b", "/a/b", "/a", "/a", "/a"]
            .iter()
            .map(|path| rule.meets(Stage::Late, path))
            .collect();
        assert_eq!(met, [false, false, false, true, true, false]);
    }

    #[test]
    fn a_rule_concerns_one_path_or_all_below() {
        let meets = |rule: &str, path: &str| Fault::CutMidBody.on(rule).meets(Stage::Late, path);
        assert!(meets("/a", "/a") && !meets("/a", "/a/b") && !meets("/a", "/ab"));
        assert!(meets("/a/", "/a/b") && !meets("/a/", "/a") && meets("", "/a"));
    }
}

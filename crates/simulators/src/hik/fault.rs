//! What can go wrong with a terminal, scripted.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use jiff::SignedDuration;

use super::rights::Right;
use super::stream;

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
    /// `tls10`: HTTPS is answered as by a unit that speaks TLS 1.0 only: the handshake fails with `protocol_version`.
    OldTls,
    /// `cbc-only`: HTTPS is answered as by a unit with nothing but CBC: the handshake fails with `handshake_failure`.
    OldCiphers,
    /// `tls-silent`: HTTPS takes the greeting of a client and never answers it.
    SilentTls,
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
    /// `not-activated`: answers as a unit from the factory that nobody has given a password.
    NotActivated,
    /// `lacks=door`: the account lacks this right, see [`Right`]: 403 with `lowPrivilege`.
    Lacks(Right),
    /// `write-ignored`: every change is answered with OK and not made.
    WriteIgnored,
    /// `full`: there is no room for another person, card or face.
    Full,
    /// `no-setup`: the `SetUp` of people, cards and faces is not known, and the capabilities do not name it.
    NoSetUp,
    /// `user-info-list`: the list of people is called `UserInfoList`.
    UserInfoList,
    /// `name-cut=32`: names that are longer are cut to so many bytes, silently.
    NameCut(usize),
    /// `face-score`: no picture shows a face well enough.
    FaceScore,
    /// `delete-slow=5`: deleting a person with everything is `processing` so often before it is done.
    SlowDelete(u32),
    /// `delete-fails`: deleting a person with everything ends as `failed`.
    DeleteFails,
    /// `zero-host`: a server that is set is stored as 0.0.0.0, port 80, and answered with OK.
    ZeroHost,
    /// `strict-order`: a server is refused unless its elements have the order of the manuals.
    StrictOrder,
    /// `test-fails`: the test of a server is answered 500, without meaning anything.
    TestFails,
    /// `push-mute`: the slots are filled and nothing is sent.
    PushMute,
    /// `push-twice`: each POST is sent twice.
    PushTwice,
    /// `push-cut`: each POST ends in the middle.
    PushCut,
    /// `push-garbage`: each POST has a body that is nothing.
    PushGarbage,
    /// `time-refused`: setting the clock is answered with `invalidOperation`.
    TimeRefused,
    /// `time-ignored`: setting the clock is answered with OK and the clock goes on as before.
    TimeIgnored,
    /// `offset-refused`: setting the clock takes wall time only; a time with an offset is `badXmlContent`.
    OffsetRefused,
    /// `clock-jump=-12h`: the clock jumps, once, before the request that meets this is answered, and 3/1029 is logged.
    ClockJump(SignedDuration),
    /// `serial-reset`: the log is emptied and serial numbers begin at 1 again, once, before the request that meets
    /// this is answered.
    SerialReset,
    /// `stream-full`: opening a stream is answered 403 `deployExceedMax`, as if others had all its places.
    StreamFull,
    /// `quick-reopen=1s`: a stream that is asked for within this of the last request for one gets 400, so also when
    /// the last request only fetched a challenge.
    QuickReopen(Duration),
    /// `no-deploy-id=400`: a stream that is asked for with `deployID` gets this status.
    NoDeployId(u16),
    /// `stream-ends=5s`: the connection of a stream ends after this.
    StreamEnds(Duration),
    /// `half-open=5s`: a stream says nothing more after this, and its connection stays open.
    HalfOpen(Duration),
    /// `mute-stream`: a stream has heartbeats and no events, as of some face terminals.
    MuteStream,
    /// `stream-holes=2`: every second event is not sent; `frontSerialNo` of the next names it.
    StreamHoles(u32),
    /// `stream-twice`: each event is sent twice.
    StreamTwice,
    /// `log-dump`: a stream begins with the whole log, whatever `deployID` asked for.
    LogDump,
    /// `part-length=-5`: each part of a stream announces so many bytes more (or fewer, when negative) than it has;
    /// `part-length=none`: none announces any.
    PartLength(Option<i64>),
    /// `lf-only`: the lines around the parts of a stream end with LF.
    LfOnly,
    /// `garbage-part`: a part that is nothing comes before each event.
    GarbagePart,
    /// `huge-part`: instead of the first event a part that announces four gigabytes, and blanks for as long as
    /// somebody reads them.
    HugePart,
    /// `empty-count`: an XML part with an empty `activePostCount` comes before each event.
    EmptyCount,
    /// `boundary=NAME`: the parts of a stream are parted by this name.
    Boundary(String),
    /// `boundary-quoted`: the name stands between quotes.
    QuotedBoundary,
    /// `boundary-empty`: the head names none.
    EmptyBoundary,
}

/// Faults without a value, by their notation.
const PLAIN: &[(&str, Fault)] = &[
    ("refuse", Fault::RefuseConnection),
    ("silent", Fault::Silent),
    ("tls10", Fault::OldTls),
    ("cbc-only", Fault::OldCiphers),
    ("tls-silent", Fault::SilentTls),
    ("cut", Fault::CutMidBody),
    ("stall", Fault::StallMidBody),
    ("garbage", Fault::Garbage),
    ("garbage-body", Fault::GarbageBody),
    ("huge-body", Fault::HugeBody),
    ("endless-body", Fault::EndlessBody),
    ("more-forever", Fault::MoreForever),
    ("empty-pages", Fault::EmptyPages),
    ("ok-early", Fault::OkEarly),
    ("no-status", Fault::NoStatus),
    ("high-total", Fault::HighTotal),
    ("string-numbers", Fault::StringNumbers),
    ("bare-object", Fault::BareObject),
    ("no-employee", Fault::MissingEmployeeNo(None)),
    ("impossible-time", Fault::ImpossibleTime(None)),
    ("bad-name", Fault::InvalidUtf8Name(None)),
    ("wrong-serial", Fault::WrongSerial),
    ("row-arrives", Fault::RowArrives),
    ("row-lost", Fault::RowLost),
    ("stale", Fault::AlwaysStale),
    ("locked", Fault::Locked),
    ("bare-401", Fault::BareUnauthorized),
    ("busy", Fault::Busy),
    ("error-in-200", Fault::ErrorInOk),
    ("not-activated", Fault::NotActivated),
    ("write-ignored", Fault::WriteIgnored),
    ("full", Fault::Full),
    ("no-setup", Fault::NoSetUp),
    ("user-info-list", Fault::UserInfoList),
    ("face-score", Fault::FaceScore),
    ("delete-fails", Fault::DeleteFails),
    ("zero-host", Fault::ZeroHost),
    ("strict-order", Fault::StrictOrder),
    ("test-fails", Fault::TestFails),
    ("push-mute", Fault::PushMute),
    ("push-twice", Fault::PushTwice),
    ("push-cut", Fault::PushCut),
    ("push-garbage", Fault::PushGarbage),
    ("time-refused", Fault::TimeRefused),
    ("time-ignored", Fault::TimeIgnored),
    ("offset-refused", Fault::OffsetRefused),
    ("serial-reset", Fault::SerialReset),
    ("stream-full", Fault::StreamFull),
    ("mute-stream", Fault::MuteStream),
    ("stream-twice", Fault::StreamTwice),
    ("log-dump", Fault::LogDump),
    ("part-length=none", Fault::PartLength(None)),
    ("lf-only", Fault::LfOnly),
    ("garbage-part", Fault::GarbagePart),
    ("huge-part", Fault::HugePart),
    ("empty-count", Fault::EmptyCount),
    ("boundary-quoted", Fault::QuotedBoundary),
    ("boundary-empty", Fault::EmptyBoundary),
];

/// Faults with a value, as they are noted.
const VALUED: &[&str] = &[
    "slow=3s",
    "dribble=20ms",
    "length=-5",
    "no-employee=SERIAL",
    "impossible-time=SERIAL",
    "bad-name=EMPLOYEE",
    "lacks=door",
    "name-cut=32",
    "delete-slow=5",
    "clock-jump=-12h",
    "quick-reopen=1s",
    "no-deploy-id=404",
    "stream-ends=5s",
    "half-open=5s",
    "stream-holes=2",
    "part-length=-5",
    "boundary=NAME",
];

/// When a request meets a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// The listening socket.
    Line,
    /// The handshake of HTTPS.
    Handshake,
    /// A POST to a server.
    Push,
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
            Self::OldTls | Self::OldCiphers | Self::SilentTls => Stage::Handshake,
            Self::PushMute | Self::PushTwice | Self::PushCut | Self::PushGarbage => Stage::Push,
            Self::Silent
            | Self::AlwaysStale
            | Self::Locked
            | Self::BareUnauthorized
            | Self::NotActivated
            | Self::Busy => Stage::Early,
            _ => Stage::Late,
        }
    }

    /// Whether a request for `path` can show this fault at all.
    fn concerns(&self, path: &str) -> bool {
        match self {
            Self::StreamFull
            | Self::QuickReopen(_)
            | Self::NoDeployId(_)
            | Self::StreamEnds(_)
            | Self::HalfOpen(_)
            | Self::MuteStream
            | Self::StreamHoles(_)
            | Self::StreamTwice
            | Self::LogDump
            | Self::PartLength(_)
            | Self::LfOnly
            | Self::GarbagePart
            | Self::HugePart
            | Self::EmptyCount
            | Self::Boundary(_)
            | Self::QuotedBoundary
            | Self::EmptyBoundary => stream::is_path(path),
            _ => true,
        }
    }
}

/// A fault and the requests it concerns; a plain [`Fault`] concerns all of them.
///
/// `Silent`, `AlwaysStale`, `Locked`, `BareUnauthorized`, `NotActivated` and `Busy` meet every request. All other faults meet, and
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
        if self.fault.stage() != stage || !concerned || !self.fault.concerns(path) {
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
        let happens_once = matches!(fault, Fault::ClockJump(_) | Fault::SerialReset);
        Self {
            fault,
            path: String::new(),
            skip: 0,
            times: happens_once.then_some(1),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = |f: &mut fmt::Formatter<'_>, name: &str, time: &Duration| {
            write!(f, "{name}={}ms", time.as_millis())
        };
        match self {
            Self::Slow(delay) => millis(f, "slow", delay),
            Self::Dribble(pause) => millis(f, "dribble", pause),
            Self::WrongContentLength(by) => write!(f, "length={by}"),
            Self::MissingEmployeeNo(Some(serial)) => write!(f, "no-employee={serial}"),
            Self::ImpossibleTime(Some(serial)) => write!(f, "impossible-time={serial}"),
            Self::InvalidUtf8Name(Some(employee)) => write!(f, "bad-name={employee}"),
            Self::Lacks(right) => write!(f, "lacks={right}"),
            Self::NameCut(bytes) => write!(f, "name-cut={bytes}"),
            Self::SlowDelete(polls) => write!(f, "delete-slow={polls}"),
            Self::ClockJump(by) => write!(f, "clock-jump={}s", by.as_secs()),
            Self::QuickReopen(within) => millis(f, "quick-reopen", within),
            Self::NoDeployId(status) => write!(f, "no-deploy-id={status}"),
            Self::StreamEnds(after) => millis(f, "stream-ends", after),
            Self::HalfOpen(after) => millis(f, "half-open", after),
            Self::StreamHoles(every) => write!(f, "stream-holes={every}"),
            Self::PartLength(Some(by)) => write!(f, "part-length={by}"),
            Self::Boundary(name) => write!(f, "boundary={name}"),
            plain => {
                let named = PLAIN.iter().find(|(_, fault)| fault == plain);
                f.write_str(named.map_or("", |(name, _)| name))
            }
        }
    }
}

/// The text names no fault, or its value does not fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownFault(String);

impl fmt::Display for UnknownFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "no such fault: {}; known are {}",
            self.0,
            notations().join(", ")
        )
    }
}

impl std::error::Error for UnknownFault {}

fn notations() -> Vec<&'static str> {
    let plain = PLAIN.iter().map(|(name, _)| *name);
    plain.chain(VALUED.iter().copied()).collect()
}

impl FromStr for Fault {
    type Err = UnknownFault;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Some((_, fault)) = PLAIN.iter().find(|(name, _)| *name == text) {
            return Ok(fault.clone());
        }
        let unknown = || UnknownFault(text.to_owned());
        let (name, value) = match text.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (text, None),
        };
        let or = |default| value.unwrap_or(default);
        let time = |default| parse_duration(or(default)).ok_or_else(unknown);
        let needed = || value.filter(|value| !value.is_empty()).ok_or_else(unknown);
        Ok(match name {
            "slow" => Self::Slow(time("3s")?),
            "dribble" => Self::Dribble(time("20ms")?),
            "length" => Self::WrongContentLength(parse(or("-5")).ok_or_else(unknown)?),
            "no-employee" => Self::MissingEmployeeNo(Some(parse(needed()?).ok_or_else(unknown)?)),
            "impossible-time" => Self::ImpossibleTime(Some(parse(needed()?).ok_or_else(unknown)?)),
            "bad-name" => Self::InvalidUtf8Name(Some(needed()?.to_owned())),
            "lacks" => Self::Lacks(parse(needed()?).ok_or_else(unknown)?),
            "name-cut" => Self::NameCut(parse(or("32")).ok_or_else(unknown)?),
            "delete-slow" => Self::SlowDelete(parse(or("5")).ok_or_else(unknown)?),
            "clock-jump" => {
                let (text, sign) = match or("-12h").strip_prefix('-') {
                    Some(text) => (text, -1),
                    None => (or("-12h"), 1),
                };
                let by = parse_duration(text).ok_or_else(unknown)?;
                Self::ClockJump(SignedDuration::from_secs(sign * by.as_secs() as i64))
            }
            "quick-reopen" => Self::QuickReopen(time("1s")?),
            "no-deploy-id" => Self::NoDeployId(parse(or("404")).ok_or_else(unknown)?),
            "stream-ends" => Self::StreamEnds(time("5s")?),
            "half-open" => Self::HalfOpen(time("5s")?),
            "stream-holes" => Self::StreamHoles(parse(or("2")).ok_or_else(unknown)?),
            "part-length" => Self::PartLength(Some(parse(or("-5")).ok_or_else(unknown)?)),
            "boundary" => Self::Boundary(needed()?.to_owned()),
            _ => return Err(unknown()),
        })
    }
}

fn parse<T: FromStr>(text: &str) -> Option<T> {
    text.parse().ok()
}

/// `250ms`, `3s`, `5m` or `12h`.
fn parse_duration(text: &str) -> Option<Duration> {
    let (number, millis) = [("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000)]
        .into_iter()
        .find_map(|(unit, millis)| Some((text.strip_suffix(unit)?, millis)))?;
    let number: u32 = number.parse().ok()?;
    Some(Duration::from_millis(u64::from(number) * millis))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_notation_is_understood_and_printed_again() {
        for notation in notations() {
            let text = notation.replace("SERIAL", "7");
            let fault: Fault = text.parse().unwrap();
            assert_eq!(fault.to_string().parse::<Fault>().unwrap(), fault, "{text}");
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

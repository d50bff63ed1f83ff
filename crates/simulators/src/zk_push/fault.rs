//! What can go wrong with a terminal, its firmware or its network, scripted.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use jiff::SignedDuration;

/// One way in which a terminal, its network or its firmware misbehaves, set with
/// [`RunningTerminal::set_fault`](super::RunningTerminal::set_fault). Faults of different kinds add up; setting a kind
/// again replaces it. Those that break an upload break the first sending of each batch, so that the log gets through.
///
/// [`FromStr`] and [`Display`](fmt::Display) use the notation of the command line, `name` or `name=value`: `dribble=20ms`,
/// `repeat=3`. Each variant says its notation first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// `cut-request=40`: the connection closes after so many bytes of an upload, its head included.
    CutRequest(usize),
    /// `cut-answer`: the connection closes when the answer to an upload arrives, unread: the classic duplicate.
    CutAnswer,
    /// `hang-up`: the connection closes as soon as an upload is sent.
    HangUp,
    /// `stall`: half of the body of an upload, then silence until the terminal's time-out.
    Stall,
    /// `dribble=20ms`: sends the body of an upload byte by byte, with this pause between two bytes.
    Dribble(Duration),
    /// `split=7` or `split=7/20ms`: sends each request in segments of so many bytes.
    Split {
        /// Bytes of a segment, at least 1.
        size: usize,
        /// Between two segments. Zero leaves it to the network whether they stay apart.
        pause: Duration,
    },
    /// `chunked`: bodies in chunks, without `Content-Length`.
    Chunked,
    /// `expect`: waits for `100 Continue` before each body.
    ExpectContinue,
    /// `no-length`: the first sending of an upload has neither `Content-Length` nor chunks.
    NoLength,
    /// `http10`: HTTP/1.0, without `Host`.
    Http10,
    /// `twin`: sends each upload on two connections at once.
    Twin,
    /// `repeat=3`: sends each upload so many times more, although it was acknowledged.
    Repeat(u32),
    /// `crlf`: lines end in CRLF.
    Crlf,
    /// `no-last-lf`: the last line has no end.
    NoLastLf,
    /// `blank-lines`: a blank line before each upload of punches.
    BlankLines,
    /// `garbage`: a line in each upload of punches that is none.
    Garbage,
    /// `impossible-date`: a punch on 30 February in each upload of punches.
    ImpossibleDate,
    /// `nul`: a punch with a NUL in its user id in each upload of punches.
    Nul,
    /// `bom`: a byte order mark before each upload of punches.
    Bom,
    /// `blanks`: blanks between the fields of a punch.
    Blanks,
    /// `twice`: each punch twice in one upload.
    Twice,
    /// `newest-first`: what waits is sent from the end.
    NewestFirst,
    /// `status-255`: no state key was pressed for any punch.
    Status255,
    /// `stranger=999`: each punch is followed by one of this user id, who is not on the list.
    Stranger(String),
    /// `gb2312`: everybody is called 张伟, in GB2312.
    Gb2312,
    /// `empty-operlog`: an upload of operations without lines after each poll.
    EmptyOperlog,
    /// `unknown-table=WEATHER`: after connecting, a line of a table that nobody knows.
    UnknownTable(String),
    /// `key-exchange`: asks for the server's public key after connecting.
    KeyExchange,
    /// `clock-off=-90s`: the clock is off by so much.
    ClockOff(SignedDuration),
    /// `clock-reset`: the clock is at 2000-01-01 00:00:00, now and after each restart; the server may set it again.
    ClockReset,
    /// `wrong-serial=OTHER1`: calls under another serial number.
    WrongSerial(String),
    /// `ignores-stamps`: never sends again what was acknowledged, whatever stamp the server returns.
    IgnoresStamps,
    /// `one-command`: carries out the first command of an answer and forgets the others.
    OneCommand,
    /// `no-results`: carries out commands and reports nothing.
    NoResults,
    /// `unknown-results`: reports results under ids that nobody gave.
    UnknownResults,
    /// `command-code=VERIFY SUM:-1002`: answers commands that begin so with this code, without carrying them out.
    CommandCode {
        /// How the command begins.
        command: String,
        /// The answer.
        code: i64,
    },
    /// `empty-queries`: an access-control terminal announces no record of a query, and reports that there are some.
    EmptyQueries,
}

impl Fault {
    /// An example of each notation.
    pub const NOTATIONS: &[&str] = &[
        "cut-request=40",
        "cut-answer",
        "hang-up",
        "stall",
        "dribble=20ms",
        "split=7/20ms",
        "chunked",
        "expect",
        "no-length",
        "http10",
        "twin",
        "repeat=3",
        "crlf",
        "no-last-lf",
        "blank-lines",
        "garbage",
        "impossible-date",
        "nul",
        "bom",
        "blanks",
        "twice",
        "newest-first",
        "status-255",
        "stranger=999",
        "gb2312",
        "empty-operlog",
        "unknown-table=WEATHER",
        "key-exchange",
        "clock-off=-90s",
        "clock-reset",
        "wrong-serial=OTHER1",
        "ignores-stamps",
        "one-command",
        "no-results",
        "unknown-results",
        "command-code=VERIFY SUM:-1002",
        "empty-queries",
    ];
}

/// The faults that are but a name.
const PLAIN: &[(&str, Fault)] = &[
    ("cut-answer", Fault::CutAnswer),
    ("hang-up", Fault::HangUp),
    ("stall", Fault::Stall),
    ("chunked", Fault::Chunked),
    ("expect", Fault::ExpectContinue),
    ("no-length", Fault::NoLength),
    ("http10", Fault::Http10),
    ("twin", Fault::Twin),
    ("crlf", Fault::Crlf),
    ("no-last-lf", Fault::NoLastLf),
    ("blank-lines", Fault::BlankLines),
    ("garbage", Fault::Garbage),
    ("impossible-date", Fault::ImpossibleDate),
    ("nul", Fault::Nul),
    ("bom", Fault::Bom),
    ("blanks", Fault::Blanks),
    ("twice", Fault::Twice),
    ("newest-first", Fault::NewestFirst),
    ("status-255", Fault::Status255),
    ("gb2312", Fault::Gb2312),
    ("empty-operlog", Fault::EmptyOperlog),
    ("key-exchange", Fault::KeyExchange),
    ("clock-reset", Fault::ClockReset),
    ("ignores-stamps", Fault::IgnoresStamps),
    ("one-command", Fault::OneCommand),
    ("no-results", Fault::NoResults),
    ("unknown-results", Fault::UnknownResults),
    ("empty-queries", Fault::EmptyQueries),
];

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CutRequest(after) => write!(f, "cut-request={after}"),
            Self::Dribble(pause) => write!(f, "dribble={}ms", pause.as_millis()),
            Self::Split { size, pause } => write!(f, "split={size}/{}ms", pause.as_millis()),
            Self::Repeat(times) => write!(f, "repeat={times}"),
            Self::Stranger(pin) => write!(f, "stranger={pin}"),
            Self::UnknownTable(table) => write!(f, "unknown-table={table}"),
            Self::ClockOff(by) => write!(f, "clock-off={}s", by.as_secs()),
            Self::WrongSerial(serial) => write!(f, "wrong-serial={serial}"),
            Self::CommandCode { command, code } => write!(f, "command-code={command}:{code}"),
            plain => {
                let named = PLAIN.iter().find(|(_, fault)| fault == plain);
                f.write_str(named.map_or("", |(name, _)| name))
            }
        }
    }
}

/// The text names no fault, or its value is missing or does not fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownFault(String);

impl fmt::Display for UnknownFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known = Fault::NOTATIONS.join(", ");
        write!(f, "no such fault: {}; known are {known}", self.0)
    }
}

impl std::error::Error for UnknownFault {}

impl FromStr for Fault {
    type Err = UnknownFault;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let fault = match text.split_once('=') {
            Some((name, value)) => with_value(name, value),
            None => {
                let named = PLAIN.iter().find(|(name, _)| *name == text);
                named.map(|(_, fault)| fault.clone())
            }
        };
        fault.ok_or_else(|| UnknownFault(text.to_owned()))
    }
}

fn with_value(name: &str, value: &str) -> Option<Fault> {
    let word = || (!value.is_empty()).then(|| value.to_owned());
    Some(match name {
        "cut-request" => Fault::CutRequest(value.parse().ok()?),
        "dribble" => Fault::Dribble(duration(value)?),
        "split" => {
            let (size, pause) = match value.split_once('/') {
                Some((size, pause)) => (size, duration(pause)?),
                None => (value, Duration::ZERO),
            };
            let size = size.parse().ok().filter(|size| *size > 0)?;
            Fault::Split { size, pause }
        }
        "repeat" => Fault::Repeat(value.parse().ok()?),
        "stranger" => Fault::Stranger(word()?),
        "unknown-table" => Fault::UnknownTable(word()?),
        "clock-off" => {
            let seconds = value.strip_suffix('s')?.parse().ok()?;
            Fault::ClockOff(SignedDuration::from_secs(seconds))
        }
        "wrong-serial" => Fault::WrongSerial(value.to_owned()),
        "command-code" => {
            let (command, code) = value.rsplit_once(':')?;
            Fault::CommandCode {
                command: command.to_owned(),
                code: code.parse().ok()?,
            }
        }
        _ => return None,
    })
}

/// `3s` or `20ms`.
fn duration(text: &str) -> Option<Duration> {
    match text.strip_suffix("ms") {
        Some(number) => number.parse().ok().map(Duration::from_millis),
        None => text
            .strip_suffix('s')?
            .parse()
            .ok()
            .map(Duration::from_secs),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_are_read_from_text() {
        check("cut-answer", Fault::CutAnswer);
        check("dribble=3s", Fault::Dribble(Duration::from_secs(3)));
        let pause = Duration::ZERO;
        check("split=7", Fault::Split { size: 7, pause });
        let off = SignedDuration::from_secs(-90);
        check("clock-off=-90s", Fault::ClockOff(off));
        let (command, code) = ("VERIFY SUM".to_owned(), -1002);
        let refused = Fault::CommandCode { command, code };
        check("command-code=VERIFY SUM:-1002", refused);
    }

    #[test]
    fn every_notation_survives_writing_and_reading() {
        let mut kinds = std::collections::HashSet::new();
        for notation in Fault::NOTATIONS {
            let fault: Fault = notation.parse().expect(notation);
            assert_eq!(fault.to_string().parse(), Ok(fault.clone()));
            let new = kinds.insert(std::mem::discriminant(&fault));
            assert!(new, "{notation} twice");
        }
        for (name, _) in PLAIN {
            assert!(Fault::NOTATIONS.contains(name), "{name} is not listed");
        }
    }

    #[test]
    fn what_is_no_fault_is_named() {
        for text in [
            "melt",
            "repeat",
            "crlf=1",
            "split=0",
            "dribble=3",
            "stranger=",
            "clock-off=9",
            "command-code=INFO",
        ] {
            let error = text.parse::<Fault>().unwrap_err().to_string();
            let expected = format!("no such fault: {text}; known are cut-request=40, ");
            assert!(error.starts_with(&expected), "{error}");
        }
    }

    #[track_caller]
    fn check(text: &str, expected: Fault) {
        assert_eq!(text.parse::<Fault>(), Ok(expected));
    }
}

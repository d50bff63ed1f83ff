//! What can go wrong with a terminal or its network, scripted.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use super::network::Datagrams;

/// One way in which a terminal, its network or its firmware misbehaves, set with
/// [`RunningTerminal::set_fault`](super::RunningTerminal::set_fault). Faults of different kinds add up; setting a kind
/// again replaces it. They act on open connections too. Over UDP each packet is one datagram, so that segments and the
/// announced size of a frame mean nothing there; a pause stands between two datagrams.
///
/// [`FromStr`] and [`Display`](fmt::Display) use the notation of the command line, `name` or `name=value`: `slow=3s`,
/// `cut=5000`. Each variant says its notation first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// `refuse`: the port is closed and open connections end, like a terminal without power. Datagrams are not answered.
    RefuseConnection,
    /// `silent`: takes connections and requests, and never answers.
    Silent,
    /// `busy`: somebody else holds the only connection; new ones are closed at once, open ones stay.
    Busy,
    /// `one-connection` or `one-connection=3s`: serves one connection at a time and closes others at once; over UDP it does
    /// not answer them. The place of a connection that ends without EXIT stays taken for so long, in real time.
    OneConnection(Duration),
    /// `slow=3s`: waits this long before each answer.
    Slow(Duration),
    /// `dribble=20ms`: sends each answer byte by byte, with this pause between two bytes.
    Dribble(Duration),
    /// `split=7` or `split=7/20ms`: sends each answer in segments of so many bytes.
    Split {
        /// Bytes of a segment, at least 1.
        size: usize,
        /// Between two segments. Zero leaves it to the network whether they stay apart.
        pause: Duration,
    },
    /// `frames=20ms`: sends each frame of an answer on its own, with this pause between two. Without a fault all frames
    /// of an answer leave in one write and usually arrive merged.
    SeparateFrames(Duration),
    /// `cut=1000`: closes the connection after so many bytes of a log transfer, the four of its total included.
    CutLog(usize),
    /// `stall=1000`: falls silent after so many bytes of a log transfer and keeps the connection open.
    StallLog(usize),
    /// `hang-up=1503`: closes the connection when this command arrives.
    HangUp(u16),
    /// `mute=1503`: never answers this command, but all others.
    Mute(u16),
    /// `wrong-checksum`: the checksum of each packet is wrong.
    WrongChecksum,
    /// `wrong-reply-id`: each packet carries a reply id one above the one asked with.
    WrongReplyId,
    /// `stale`: each answer but the first is preceded by a late acknowledgement of the request before it.
    StaleAnswers,
    /// `garbage`: each answer is noise that is no packet.
    Garbage,
    /// `udp-loss=3`, `udp-loss=20%` or `udp-loss=20%/7`: these of the datagrams it sends are lost.
    UdpLoss(Datagrams),
    /// `udp-twice=3`: these of the datagrams it sends arrive twice.
    UdpTwice(Datagrams),
    /// `udp-reorder=3`: these of the datagrams it sends arrive after the next one of the same answer.
    UdpReorder(Datagrams),
    /// `events-merged=3`: live events wait until there are so many, and leave in one segment.
    EventsMerged(usize),
    /// `events-in-answers`: live events wait for the next answer and stand between its packets, one before each, the others
    /// behind the last.
    EventsInAnswers,
    /// `events-need-ack`: a live event waits until the one before it is acknowledged.
    EventsNeedAck,
    /// `events-twice`: each live event is sent twice.
    EventsTwice,
    /// `live-restart=2`: restarts after so many live events of a session.
    LiveRestart(u64),
    /// `live-stall=2`: falls silent after so many live events of a session and keeps the connection open, as after a pulled
    /// cable.
    LiveStall(u64),
    /// `access-panel`: answers as the access panels on the same port do, in frames that begin with `AA`.
    AccessPanel,
    /// `huge-frame`: each frame announces 2 GB.
    HugeFrame,
    /// `huge-log`: the log announces 2 GB, buffered or direct; its bytes stay those of the real log.
    HugeLog,
    /// `wrong-total=-40`: the total at the head of the log is off by so many bytes.
    WrongTotal(i32),
    /// `growing=1`: so many punches happen right after each reading of the counters, before the log is read.
    Growing(usize),
    /// `growing-transfer=1`: so many punches happen after a buffered read has announced the size of the log; its parts come
    /// from the longer log.
    GrowingTransfer(usize),
    /// `wrapped-log` or `wrapped-log=in-place`: in a full log the newest record replaces the oldest, and the counters stay.
    WrappedLog {
        /// At the place of the oldest, so that the log is no longer in order; else the others move up.
        in_place: bool,
    },
    /// `ignores-offset`: each part of a buffered read comes from the start.
    IgnoresOffset,
    /// `clock-reset`: the clock is at 2000-01-01 00:00:00, now and after each restart. A client may set it again.
    ClockReset,
    /// `factory-reset`: people, fingerprints and log are gone, once. Serial number, options and key stay.
    FactoryReset,
    /// `ignore-writes`: acknowledges whatever would change something, and does not do it.
    IgnoreWrites,
    /// `ignore-write=202`: acknowledges this command and does not do it.
    IgnoreWrite(u16),
    /// `cuts-names=9`: stores so many bytes of a name that a client writes, and says nothing.
    CutsNames(usize),
    /// `meddled=8`: right after this command somebody at the menu calls the first person "Meddled", who punches then.
    Meddled(u16),
    /// `command-code=31:2001`: this command is answered with this code, as on a model that does not offer it.
    CommandCode {
        /// The command.
        command: u16,
        /// The answer.
        code: u16,
    },
    /// `wrong-serial=OTHER1`: another terminal has taken the address. The serial may be empty, as some firmware sends it.
    WrongSerial(String),
    /// `impossible-time=17`: the record with this index, from 0, happened on 30 February.
    ImpossibleTime(usize),
    /// `counters=8:0,10:7`: these words of the counter list (command 50) lie. Word 8 counts the records.
    Counters(Vec<(usize, u32)>),
    /// `refuse-key`: a key is asked for, and none is right.
    RefuseKey,
    /// `connect-code=6001`: connecting is answered with this code; 6001 is firmware that refuses this protocol.
    ConnectCode(u16),
    /// `log-code=4989`: reading the log is answered with this code; 4989 is a SpeedFace, others say 2001 or 65535.
    LogCode(u16),
}

impl Fault {
    /// An example of each notation.
    pub const NOTATIONS: &[&str] = &[
        "refuse",
        "silent",
        "busy",
        "one-connection=3s",
        "slow=3s",
        "dribble=20ms",
        "split=7/20ms",
        "frames=20ms",
        "cut=1000",
        "stall=1000",
        "hang-up=1503",
        "mute=1503",
        "wrong-checksum",
        "wrong-reply-id",
        "stale",
        "garbage",
        "udp-loss=20%/7",
        "udp-twice=3",
        "udp-reorder=3",
        "events-merged=3",
        "events-in-answers",
        "events-need-ack",
        "events-twice",
        "live-restart=2",
        "live-stall=2",
        "access-panel",
        "huge-frame",
        "huge-log",
        "wrong-total=-40",
        "growing=1",
        "growing-transfer=1",
        "wrapped-log",
        "ignores-offset",
        "clock-reset",
        "factory-reset",
        "ignore-writes",
        "ignore-write=202",
        "cuts-names=9",
        "meddled=8",
        "command-code=31:2001",
        "wrong-serial=OTHER1",
        "impossible-time=17",
        "counters=8:0,10:7",
        "refuse-key",
        "connect-code=6001",
        "log-code=4989",
    ];
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self {
            Self::OneConnection(hold) => {
                return write!(f, "one-connection={}ms", hold.as_millis());
            }
            Self::Slow(delay) => return write!(f, "slow={}ms", delay.as_millis()),
            Self::Dribble(pause) => return write!(f, "dribble={}ms", pause.as_millis()),
            Self::Split { size, pause } => {
                return write!(f, "split={size}/{}ms", pause.as_millis());
            }
            Self::SeparateFrames(pause) => return write!(f, "frames={}ms", pause.as_millis()),
            Self::CutLog(after) => return write!(f, "cut={after}"),
            Self::StallLog(after) => return write!(f, "stall={after}"),
            Self::HangUp(command) => return write!(f, "hang-up={command}"),
            Self::Mute(command) => return write!(f, "mute={command}"),
            Self::UdpLoss(which) => return write!(f, "udp-loss={which}"),
            Self::UdpTwice(which) => return write!(f, "udp-twice={which}"),
            Self::UdpReorder(which) => return write!(f, "udp-reorder={which}"),
            Self::GrowingTransfer(punches) => return write!(f, "growing-transfer={punches}"),
            Self::Meddled(command) => return write!(f, "meddled={command}"),
            Self::CutsNames(bytes) => return write!(f, "cuts-names={bytes}"),
            Self::IgnoreWrite(command) => return write!(f, "ignore-write={command}"),
            Self::CommandCode { command, code } => {
                return write!(f, "command-code={command}:{code}");
            }
            Self::EventsMerged(together) => return write!(f, "events-merged={together}"),
            Self::LiveRestart(after) => return write!(f, "live-restart={after}"),
            Self::LiveStall(after) => return write!(f, "live-stall={after}"),
            Self::WrongTotal(by) => return write!(f, "wrong-total={by}"),
            Self::Growing(punches) => return write!(f, "growing={punches}"),
            Self::WrongSerial(serial) => return write!(f, "wrong-serial={serial}"),
            Self::ImpossibleTime(index) => return write!(f, "impossible-time={index}"),
            Self::Counters(words) => {
                let pairs: Vec<String> = (words.iter())
                    .map(|(word, value)| format!("{word}:{value}"))
                    .collect();
                return write!(f, "counters={}", pairs.join(","));
            }
            Self::ConnectCode(code) => return write!(f, "connect-code={code}"),
            Self::LogCode(code) => return write!(f, "log-code={code}"),
            Self::RefuseConnection => "refuse",
            Self::Silent => "silent",
            Self::Busy => "busy",
            Self::WrongChecksum => "wrong-checksum",
            Self::WrongReplyId => "wrong-reply-id",
            Self::StaleAnswers => "stale",
            Self::Garbage => "garbage",
            Self::EventsInAnswers => "events-in-answers",
            Self::EventsNeedAck => "events-need-ack",
            Self::EventsTwice => "events-twice",
            Self::AccessPanel => "access-panel",
            Self::HugeFrame => "huge-frame",
            Self::HugeLog => "huge-log",
            Self::RefuseKey => "refuse-key",
            Self::WrappedLog { in_place: false } => "wrapped-log",
            Self::WrappedLog { in_place: true } => "wrapped-log=in-place",
            Self::IgnoresOffset => "ignores-offset",
            Self::ClockReset => "clock-reset",
            Self::FactoryReset => "factory-reset",
            Self::IgnoreWrites => "ignore-writes",
        };
        f.write_str(name)
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
            None => without_value(text),
        };
        fault.ok_or_else(|| UnknownFault(text.to_owned()))
    }
}

fn with_value(name: &str, value: &str) -> Option<Fault> {
    fn number<T: FromStr>(text: &str) -> Option<T> {
        text.parse().ok()
    }
    Some(match name {
        "one-connection" => Fault::OneConnection(duration(value)?),
        "slow" => Fault::Slow(duration(value)?),
        "dribble" => Fault::Dribble(duration(value)?),
        "split" => {
            let (size, pause) = match value.split_once('/') {
                Some((size, pause)) => (size, duration(pause)?),
                None => (value, Duration::ZERO),
            };
            let size = number(size).filter(|size| *size > 0)?;
            Fault::Split { size, pause }
        }
        "frames" => Fault::SeparateFrames(duration(value)?),
        "cut" => Fault::CutLog(number(value)?),
        "stall" => Fault::StallLog(number(value)?),
        "hang-up" => Fault::HangUp(number(value)?),
        "mute" => Fault::Mute(number(value)?),
        "udp-loss" => Fault::UdpLoss(number(value)?),
        "udp-twice" => Fault::UdpTwice(number(value)?),
        "udp-reorder" => Fault::UdpReorder(number(value)?),
        "events-merged" => Fault::EventsMerged(number(value)?),
        "live-restart" => Fault::LiveRestart(number(value)?),
        "live-stall" => Fault::LiveStall(number(value)?),
        "wrong-total" => Fault::WrongTotal(number(value)?),
        "growing" => Fault::Growing(number(value)?),
        "growing-transfer" => Fault::GrowingTransfer(number(value)?),
        "wrapped-log" if value == "in-place" => Fault::WrappedLog { in_place: true },
        "ignore-write" => Fault::IgnoreWrite(number(value)?),
        "meddled" => Fault::Meddled(number(value)?),
        "cuts-names" => Fault::CutsNames(number(value)?),
        "command-code" => {
            let (command, code) = value.split_once(':')?;
            Fault::CommandCode {
                command: number(command)?,
                code: number(code)?,
            }
        }
        "wrong-serial" => Fault::WrongSerial(value.to_owned()),
        "impossible-time" => Fault::ImpossibleTime(number(value)?),
        "counters" => Fault::Counters(
            value
                .split(',')
                .map(|pair| {
                    let (word, value) = pair.split_once(':')?;
                    Some((number(word)?, number(value)?))
                })
                .collect::<Option<_>>()?,
        ),
        "connect-code" => Fault::ConnectCode(number(value)?),
        "log-code" => Fault::LogCode(number(value)?),
        _ => return None,
    })
}

fn without_value(name: &str) -> Option<Fault> {
    Some(match name {
        "refuse" => Fault::RefuseConnection,
        "silent" => Fault::Silent,
        "busy" => Fault::Busy,
        "one-connection" => Fault::OneConnection(Duration::ZERO),
        "wrong-checksum" => Fault::WrongChecksum,
        "wrong-reply-id" => Fault::WrongReplyId,
        "stale" => Fault::StaleAnswers,
        "garbage" => Fault::Garbage,
        "events-in-answers" => Fault::EventsInAnswers,
        "events-need-ack" => Fault::EventsNeedAck,
        "events-twice" => Fault::EventsTwice,
        "access-panel" => Fault::AccessPanel,
        "huge-frame" => Fault::HugeFrame,
        "huge-log" => Fault::HugeLog,
        "refuse-key" => Fault::RefuseKey,
        "wrapped-log" => Fault::WrappedLog { in_place: false },
        "ignores-offset" => Fault::IgnoresOffset,
        "clock-reset" => Fault::ClockReset,
        "factory-reset" => Fault::FactoryReset,
        "ignore-writes" => Fault::IgnoreWrites,
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
        check("refuse", Fault::RefuseConnection);
        check("slow=3s", Fault::Slow(Duration::from_secs(3)));
        check("cut=4096", Fault::CutLog(4096));
        check("wrong-serial=", Fault::WrongSerial(String::new()));
        check("wrong-total=-40", Fault::WrongTotal(-40));
        check("counters=8:0,10:7", Fault::Counters(vec![(8, 0), (10, 7)]));
        let pause = Duration::ZERO;
        check("one-connection", Fault::OneConnection(Duration::ZERO));
        check("wrapped-log=in-place", Fault::WrappedLog { in_place: true });
        check("udp-loss=3", Fault::UdpLoss(Datagrams::Every(3)));
        let (percent, seed) = (20, 0);
        let share = Datagrams::Percent { percent, seed };
        check("udp-twice=20%", Fault::UdpTwice(share));
        check("split=7", Fault::Split { size: 7, pause });
    }

    #[test]
    fn every_notation_survives_writing_and_reading() {
        let mut kinds = std::collections::HashSet::new();
        for notation in Fault::NOTATIONS {
            let fault: Fault = notation.parse().expect(notation);
            assert_eq!(fault.to_string().parse(), Ok(fault.clone()));
            assert!(
                kinds.insert(std::mem::discriminant(&fault)),
                "{notation} twice"
            );
        }
    }

    #[test]
    fn what_is_no_fault_is_named() {
        for text in [
            "melt",
            "cut",
            "refuse=1",
            "split=0",
            "slow=3",
            "counters=8",
            "mute=70000",
            "udp-loss=0",
            "udp-loss=101%",
            "udp-loss=20%7",
            "wrapped-log=somewhere",
        ] {
            let error = text.parse::<Fault>().unwrap_err().to_string();
            assert!(
                error.starts_with(&format!("no such fault: {text}; known are refuse, ")),
                "{error}"
            );
        }
    }

    #[track_caller]
    fn check(text: &str, expected: Fault) {
        assert_eq!(text.parse::<Fault>(), Ok(expected));
    }
}

//! Live events: what a terminal tells by itself over an open connection, once it was asked to.
//!
//! An event is a hint that comes once; the log stays the truth. Acknowledging one is [`crate::Session::acknowledgement`], and
//! every event wants one, also those that nobody understands.

use std::fmt;

use jiff::civil::DateTime;

use crate::clock;
use crate::command;
use crate::request::Request;
use crate::text;
use crate::users::{Uid, UserIndex};

/// Somebody punched. Event codes are also the bits of the mask of [`register`].
pub const ATTLOG: u16 = 1;
/// A finger lies on the sensor.
pub const FINGER: u16 = 1 << 1;
pub const ENROLL_USER: u16 = 1 << 2;
pub const ENROLL_FINGER: u16 = 1 << 3;
pub const BUTTON: u16 = 1 << 4;
pub const UNLOCK: u16 = 1 << 5;
/// Somebody was looked for, found or not.
pub const VERIFY: u16 = 1 << 7;
/// The quality of a finger while it is enrolled.
pub const FINGER_QUALITY: u16 = 1 << 8;
pub const ALARM: u16 = 1 << 9;

/// Asks for the events whose codes are in the mask; 0 asks for none any more. Terminals send nothing while they are disabled,
/// and may send what was not asked for.
pub fn register(mask: u16) -> Request {
    Request::new(command::REG_EVENT, u32::from(mask).to_le_bytes())
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event<'a> {
    Punch(Punch<'a>),
    FingerOnSensor,
    UserEnrolled(Uid),
    FingerEnrolled(Enrolment<'a>),
    Unlocked,
    /// Whom the terminal recognised; `None` for a stranger.
    Verified(Option<Uid>),
    /// 0 for a bad sample, 100 for a good one.
    FingerQuality(u8),
    Alarm(Alarm),
    /// A kind of event, or of alarm, that nobody has described.
    Other {
        code: u16,
        data: &'a [u8],
    },
    /// A known kind that cannot be understood. The connection is not affected: the next event may be all right.
    Rejected {
        code: u16,
        data: &'a [u8],
        reason: Rejection,
    },
}

/// A punch as the terminal reports it while it is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Punch<'a> {
    pub user: PunchUser<'a>,
    pub clock: DateTime,
    /// Numbers differ between platforms; see `docs/devices/zkteco.md`.
    pub verify: u8,
    /// As in [`crate::Record::state`].
    pub state: u8,
}

/// Whom a punch names. Which form comes depends on the layout, not on the person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PunchUser<'a> {
    /// Only the user list tells whose it is.
    Uid(Uid),
    Number(u32),
    /// Printable ASCII.
    Id(&'a str),
}

impl Punch<'_> {
    /// The user id as the user list has it. `None` when the punch has an internal number that the list does not know: as a
    /// user id it would credit somebody else, so the punch has to wait for a newer list.
    pub fn user_id(&self, users: Option<&UserIndex>) -> Option<String> {
        match self.user {
            PunchUser::Uid(Uid(uid)) => users?.id(uid, self.clock).map(str::to_owned),
            PunchUser::Number(number) => Some(number.to_string()),
            PunchUser::Id(id) => Some(id.to_owned()),
        }
    }
}

/// How the enrolment of a finger ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Enrolment<'a> {
    /// 0 done, 4 and 6 failed or given up, 5 a finger that somebody has already.
    pub result: u16,
    /// Missing when the enrolment failed.
    pub finger: Option<EnrolledFinger<'a>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EnrolledFinger<'a> {
    pub user_id: &'a str,
    /// 0 to 9.
    pub finger: u8,
    /// Bytes of its template.
    pub size: u16,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Alarm {
    ExitButton,
    /// The case was opened or taken off the wall.
    Tampered,
    Misoperation,
    DoorClosing,
    /// Somebody punched with the finger kept for being threatened.
    Duress(Uid),
    /// Somebody went in twice without going out.
    Passback(Uid),
}

/// Why an event is not understood. Displays as a lower-case phrase.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rejection {
    /// No known layout of this event has this many bytes.
    UnknownLayout {
        len: usize,
    },
    NoUserId,
    /// Year since 2000, month, day, hour, minute, second.
    ImpossibleDate([u8; 6]),
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownLayout { len } => write!(f, "no layout of {len} bytes is known"),
            Self::NoUserId => f.write_str("no readable user id"),
            Self::ImpossibleDate([year, month, day, hour, minute, second]) => write!(
                f,
                "impossible date {:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}",
                2000 + u16::from(*year)
            ),
        }
    }
}

/// Reads an event from its code (see [`crate::Incoming::Event`]) and the data of its packet. One packet is one event.
pub fn decode(code: u16, data: &[u8]) -> Event<'_> {
    let understood = match code {
        ATTLOG => punch(data).map(Event::Punch),
        FINGER => Ok(Event::FingerOnSensor),
        ENROLL_USER => number(data).map(|uid| Event::UserEnrolled(Uid(uid))),
        ENROLL_FINGER => enrolment(data).map(Event::FingerEnrolled),
        UNLOCK => Ok(Event::Unlocked),
        VERIFY => verified(data).map(Event::Verified),
        FINGER_QUALITY => quality(data).map(Event::FingerQuality),
        ALARM => alarm(data).map(|alarm| match alarm {
            Some(alarm) => Event::Alarm(alarm),
            None => Event::Other { code, data },
        }),
        _ => Ok(Event::Other { code, data }),
    };
    understood.unwrap_or_else(|reason| Event::Rejected { code, data, reason })
}

/// The layout is told by the length alone: 10 and 14 bytes begin with an internal number, 12 with a numeric user id, 32 and
/// more (36, 37 and 52 are known) with a user id as text. What follows the time is not understood and not read.
fn punch(data: &[u8]) -> Result<Punch<'_>, Rejection> {
    let (user, rest) = match data.len() {
        10 | 14 => {
            let (uid, rest) = data.split_at(2);
            (PunchUser::Uid(Uid(number(uid)?)), rest)
        }
        12 => {
            let (id, rest) = data.split_at(4);
            (PunchUser::Number(long(id)?), rest)
        }
        32.. => {
            let (id, rest) = data.split_at(24);
            (PunchUser::Id(user_id(id)?), rest)
        }
        len => return Err(Rejection::UnknownLayout { len }),
    };
    if matches!(
        user,
        PunchUser::Uid(Uid(0 | u16::MAX)) | PunchUser::Number(0 | u32::MAX)
    ) {
        return Err(Rejection::NoUserId);
    }
    let [verify, state, time @ ..] = rest.first_chunk::<8>().ok_or_else(|| unknown(data))?;
    Ok(Punch {
        user,
        clock: clock::from_six_bytes(*time).ok_or(Rejection::ImpossibleDate(*time))?,
        verify: *verify,
        state: match user {
            // The manual keeps a "valid" mark in the upper half here.
            PunchUser::Uid(_) if *state != u8::MAX => state & 0x0f,
            _ => *state,
        },
    })
}

fn enrolment(data: &[u8]) -> Result<Enrolment<'_>, Rejection> {
    let finger = match data.len() {
        2 => None,
        14 => Some(EnrolledFinger {
            user_id: user_id(&data[4..13])?,
            finger: data[13],
            size: number(&data[2..])?,
        }),
        _ => return Err(unknown(data)),
    };
    Ok(Enrolment {
        result: number(data)?,
        finger,
    })
}

fn verified(data: &[u8]) -> Result<Option<Uid>, Rejection> {
    match long(data)? {
        u32::MAX => Ok(None),
        uid => match u16::try_from(uid) {
            Ok(uid) => Ok(Some(Uid(uid))),
            Err(_) => Err(Rejection::NoUserId),
        },
    }
}

fn quality(data: &[u8]) -> Result<u8, Rejection> {
    data.first().copied().ok_or_else(|| unknown(data))
}

/// `None` for an alarm of another kind.
fn alarm(data: &[u8]) -> Result<Option<Alarm>, Rejection> {
    let kind = long(data)?;
    Ok(match data.len() {
        4 => match kind {
            0x35 => Some(Alarm::ExitButton),
            0x37 => Some(Alarm::Tampered),
            0x3a => Some(Alarm::Misoperation),
            _ => None,
        },
        8 => (kind == 0x54).then_some(Alarm::DoorClosing),
        12 => {
            let uid = Uid(number(&data[6..])?);
            match number(&data[4..])? {
                0x20 => Some(Alarm::Duress(uid)),
                0x22 => Some(Alarm::Passback(uid)),
                _ => None,
            }
        }
        _ => return Err(unknown(data)),
    })
}

fn user_id(field: &[u8]) -> Result<&str, Rejection> {
    text::user_id(field)
        .and_then(|id| std::str::from_utf8(id).ok())
        .ok_or(Rejection::NoUserId)
}

fn number(data: &[u8]) -> Result<u16, Rejection> {
    let bytes = data.first_chunk().ok_or_else(|| unknown(data))?;
    Ok(u16::from_le_bytes(*bytes))
}

fn long(data: &[u8]) -> Result<u32, Rejection> {
    let bytes = data.first_chunk().ok_or_else(|| unknown(data))?;
    Ok(u32::from_le_bytes(*bytes))
}

fn unknown(data: &[u8]) -> Rejection {
    Rejection::UnknownLayout { len: data.len() }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;
    use proptest::prelude::*;

    use super::*;
    use crate::testdata::{hex, named, vectors};
    use crate::users;

    #[test]
    fn golden_punches() {
        let mut seen = 0;
        for vector in vectors(include_str!("../testdata/events.txt")) {
            let [name, user, clock, verify, state, data] = vector.as_slice() else {
                panic!("a line of events.txt has six fields: {vector:?}");
            };
            let data = hex(data);
            let Event::Punch(punch) = decode(ATTLOG, &data) else {
                panic!("{name} is a punch");
            };
            let named = match punch.user {
                PunchUser::Uid(uid) => format!("uid {uid}"),
                PunchUser::Number(number) => format!("number {number}"),
                PunchUser::Id(id) => format!("id {id}"),
            };
            assert_eq!(
                (named, punch.clock.to_string()),
                (user.clone(), clock.clone()),
                "{name}"
            );
            assert_eq!(
                [punch.verify.to_string(), punch.state.to_string()],
                [verify.clone(), state.clone()],
                "{name}"
            );
            seen += 1;
        }
        assert_eq!(seen, 9);
    }

    #[track_caller]
    fn check(code: u16, data: &str, expected: Event<'_>) {
        assert_eq!(decode(code, &hex(data)), expected);
    }

    #[test]
    fn events_that_are_no_punches() {
        check(FINGER, "", Event::FingerOnSensor);
        check(ENROLL_USER, "2600", Event::UserEnrolled(Uid(38)));
        check(UNLOCK, "", Event::Unlocked);
        check(VERIFY, "26000000 01", Event::Verified(Some(Uid(38))));
        check(VERIFY, "ffffffff 01", Event::Verified(None));
        check(FINGER_QUALITY, "64", Event::FingerQuality(100));
        check(ALARM, "35000000", Event::Alarm(Alarm::ExitButton));
        check(ALARM, "37000000", Event::Alarm(Alarm::Tampered));
        check(ALARM, "3a000000", Event::Alarm(Alarm::Misoperation));
        check(ALARM, "54000000 00*4", Event::Alarm(Alarm::DoorClosing));
        check(
            ALARM,
            "00*4 2000 2600 01000000",
            Event::Alarm(Alarm::Duress(Uid(38))),
        );
        check(
            ALARM,
            "00*4 2200 2600 01000000",
            Event::Alarm(Alarm::Passback(Uid(38))),
        );
        let done = Enrolment {
            result: 0,
            finger: Some(EnrolledFinger {
                user_id: "123456789",
                finger: 3,
                size: 1200,
            }),
        };
        check(
            ENROLL_FINGER,
            "0000 b004 313233343536373839 03",
            Event::FingerEnrolled(done),
        );
        let failed = Enrolment {
            result: 4,
            finger: None,
        };
        check(ENROLL_FINGER, "0400", Event::FingerEnrolled(failed));
    }

    #[test]
    fn what_nobody_described_is_handed_on() {
        for (code, data) in [(1 << 12, &b"abc"[..]), (BUTTON, b"\x01"), (ALARM, &[9; 4])] {
            assert_eq!(decode(code, data), Event::Other { code, data });
        }
    }

    #[test]
    fn what_is_not_understood_keeps_its_bytes_and_a_reason() {
        let check = |code, data: &str, message: &str| {
            let bytes = hex(data);
            match decode(code, &bytes) {
                Event::Rejected {
                    code: found,
                    data,
                    reason,
                } => {
                    assert_eq!((found, data), (code, bytes.as_slice()));
                    assert_eq!(reason.to_string(), message);
                }
                other => panic!("{other:?} is not rejected"),
            }
        };
        for len in (0..32).filter(|len| ![10, 12, 14].contains(len)) {
            let message = format!("no layout of {len} bytes is known");
            check(ATTLOG, &format!("01*{len}"), &message);
        }
        let time = "1a0b16081e0f";
        check(ATTLOG, &format!("00*24 0100 {time}"), "no readable user id");
        check(
            ATTLOG,
            &format!("39ff 00*22 0100 {time}"),
            "no readable user id",
        );
        check(ATTLOG, &format!("0000 0100 {time}"), "no readable user id");
        check(ATTLOG, &format!("ffff 0100 {time}"), "no readable user id");
        check(
            ATTLOG,
            &format!("00000000 0100 {time}"),
            "no readable user id",
        );
        check(
            ATTLOG,
            &format!("ffffffff 0100 {time}"),
            "no readable user id",
        );
        check(
            ATTLOG,
            "2600 0100 19021e150c14",
            "impossible date 2025-02-30 21:12:20",
        );
        check(ENROLL_USER, "26", "no layout of 1 bytes is known");
        check(ENROLL_FINGER, "00*3", "no layout of 3 bytes is known");
        check(VERIFY, "000001", "no layout of 3 bytes is known");
        check(VERIFY, "00000100", "no readable user id");
        check(FINGER_QUALITY, "", "no layout of 0 bytes is known");
        check(ALARM, "00*5", "no layout of 5 bytes is known");
    }

    #[test]
    fn the_upper_half_of_a_state_is_no_state() {
        let state = |data: &str| match decode(ATTLOG, &hex(data)) {
            Event::Punch(punch) => punch.state,
            other => panic!("{other:?} is no punch"),
        };
        assert_eq!(state("2600 01 11 1a0b16081e0f"), 1);
        assert_eq!(state("2600 01 ff 1a0b16081e0f"), 255);
    }

    #[test]
    fn an_internal_number_is_whose_it_is_in_the_user_list() {
        let list = users::decode(
            &named(include_str!("../testdata/users.txt"), "list72"),
            None,
        );
        let index = UserIndex::of(&list.expect("a user list").users);
        let punch = |user| Punch {
            user,
            clock: date(2026, 11, 22).at(8, 30, 15, 0),
            verify: 1,
            state: 0,
        };
        let known = punch(PunchUser::Uid(Uid(38)));
        assert_eq!(known.user_id(Some(&index)).as_deref(), Some("90210"));
        assert_eq!(known.user_id(None), None);
        assert_eq!(
            punch(PunchUser::Uid(Uid(39))).user_id(Some(&index)),
            None,
            "never the number itself"
        );
        let number = punch(PunchUser::Number(90210)).user_id(None);
        assert_eq!(number.as_deref(), Some("90210"));
        assert_eq!(
            punch(PunchUser::Id("0042")).user_id(None).as_deref(),
            Some("0042")
        );
    }

    #[test]
    fn registrations() {
        assert_eq!(register(ATTLOG), Request::new(500, *b"\x01\0\0\0"));
        assert_eq!(register(0xffff), Request::new(500, *b"\xff\xff\0\0"));
        assert_eq!(register(0), Request::new(500, [0; 4]));
    }

    proptest! {
        /// Whatever comes is an event, and what is not understood is not lost.
        #[test]
        fn no_input_panics(
            bit in 0u32..16, any_code: u16, data in proptest::collection::vec(any::<u8>(), 0..80),
        ) {
            for code in [1 << bit, any_code] {
                if let Event::Other { data: kept, .. } | Event::Rejected { data: kept, .. } = decode(code, &data) {
                    prop_assert_eq!(kept, data.as_slice());
                }
            }
        }

        /// Bytes after the 32nd change nothing.
        #[test]
        fn a_tail_is_ignored(tail in proptest::collection::vec(any::<u8>(), 0..40)) {
            let data = hex("3930323130 00*19 0f 01 1a0b16081e0f");
            let longer = [data.clone(), tail].concat();
            prop_assert_eq!(decode(ATTLOG, &longer), decode(ATTLOG, &data));
        }
    }
}

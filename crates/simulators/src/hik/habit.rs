//! What a firmware always does, by name: the settings of a [`VirtualTerminal`] for the command line.

use std::fmt;
use std::str::FromStr;

use super::builder::VirtualTerminal;
use super::clock::{TimeNotation, ZoneNotation};
use super::isapi::OverCap;
use super::sign_in::{ChallengeForm, LockedAnswer, Nonces, Offer, RefusedAnswer, Staleness};

/// A setting with a name, such as `single-use-nonces`.
#[derive(Debug, Clone, Copy)]
pub struct Habit {
    name: &'static str,
    set: fn(VirtualTerminal) -> VirtualTerminal,
}

impl Habit {
    /// The terminal with this habit.
    pub fn set(self, terminal: VirtualTerminal) -> VirtualTerminal {
        (self.set)(terminal)
    }
}

const HABITS: &[Habit] = &[
    habit("sha256", |t| t.offer(Offer::Sha256)),
    habit("md5-and-sha256", |t| t.offer(Offer::Both)),
    habit("sha256-refused", |t| t.offer(Offer::BothButOnlyMd5Works)),
    habit("basic", |t| t.offer(Offer::Basic)),
    habit("quoted-challenge", |t| {
        t.challenge_form(ChallengeForm::Quoted)
    }),
    habit("camera-challenge", |t| {
        t.challenge_form(ChallengeForm::Camera)
    }),
    habit("single-use-nonces", |t| t.nonces(Nonces::SingleUse)),
    habit("nonces-of-one-path", |t| t.nonces(Nonces::BoundToUri)),
    habit("nonces-of-three-uses", |t| {
        t.nonces(Nonces::Expiring { uses: 3 })
    }),
    habit("nonces-of-a-minute", |t| {
        t.nonces(Nonces::Lasting { seconds: 60 })
    }),
    habit("stale-says-false", |t| t.staleness(Staleness::Denied)),
    habit("no-stale", |t| t.staleness(Staleness::Omitted)),
    habit("refuses-with-page", |t| {
        t.refused_answer(RefusedAnswer::Page)
    }),
    habit("refuses-with-status", |t| {
        t.refused_answer(RefusedAnswer::ResponseStatus)
    }),
    habit("locked-403", |t| t.locked_answer(LockedAnswer::Forbidden)),
    habit("locked-drops", |t| t.locked_answer(LockedAnswer::Dropped)),
    habit("keeps-alive", VirtualTerminal::keeps_alive),
    habit("pages-of-ten", |t| t.page_cap(10)),
    habit("empty-above-cap", |t| t.over_cap(OverCap::Empty)),
    habit("ignores-serials", VirtualTerminal::ignores_serials),
    habit("keeps-searches", VirtualTerminal::keeps_searches),
    habit("refuses-in-xml", VirtualTerminal::refuses_in_xml),
    habit("no-attendance-mode", |t| t.attendance_mode(false)),
    habit("twins", VirtualTerminal::twins),
    habit("times-without-zone", |t| {
        t.time_notation(TimeNotation::Bare)
    }),
    habit("times-marked-utc", |t| {
        t.time_notation(TimeNotation::WallMarkedUtc)
    }),
    habit("short-zone", |t| t.zone_notation(ZoneNotation::Short)),
    habit("digits-only", VirtualTerminal::digits_only),
];

const fn habit(name: &'static str, set: fn(VirtualTerminal) -> VirtualTerminal) -> Habit {
    Habit { name, set }
}

impl fmt::Display for Habit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// The text names no habit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownHabit(String);

impl fmt::Display for UnknownHabit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = HABITS.iter().map(|habit| habit.name).collect();
        write!(
            f,
            "no such habit: {}; known are {}",
            self.0,
            names.join(", ")
        )
    }
}

impl std::error::Error for UnknownHabit {}

impl FromStr for Habit {
    type Err = UnknownHabit;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let named = HABITS.iter().find(|habit| habit.name == text);
        named.copied().ok_or_else(|| UnknownHabit(text.to_owned()))
    }
}

//! The attendance rules: pure functions from punches, shifts, calendar and coverage to one report per employee and workday.
//!
//! Owns the domain's types and every rule. Reads no clock, no database and no file; time is always an argument.

mod auto_shift;
pub mod cases;
mod coverage;
mod day;
mod derivation;
mod evidence;
mod explain;
mod identity;
mod ids;
mod inputs;
mod judge;
mod lateness;
mod locked;
mod off_days;
mod overtime;
mod period;
mod plan;
mod policy;
mod punch;
mod report;
mod roll_call;
mod roster;
mod shift;
#[cfg(test)]
mod testing;
mod time;
mod window;
mod worked;

pub use derivation::{Derivation, Fact};
pub use identity::{Candidate, Match, MatchBy, find_employee};
pub use ids::{
    AccountId, CorrectionId, DepartmentId, DeviceId, DeviceUserId, EmployeeId, PunchId, ShiftId,
    SiteId,
};
pub use inputs::{
    Absence, Correction, CorrectionKind, Cycle, DayPart, Device, Direction, Employee,
    EvidencePunch, Gap, Inputs, PlannedShift, Relevance, Roster, RosterOverride, RosterPlan,
    RosterValue, Source, WeeklyOff,
};
pub use judge::{judge, judge_unexplained, planned_windows};
pub use policy::{
    EarlyCountFrom, LateCountFrom, OvertimeBasis, OvertimeCountFrom, Policy, PolicyError,
    PunchPolicy, Rounding, TieBreak, UnpunchedBreak,
};
pub use punch::{Punch, PunchState, VerifyMode, Way};
pub use report::{
    Exception, IgnoredReason, Judgement, Moment, Presence, Report, Stage, Status, UnknownReason,
    Waits,
};
pub use roster::{PlanOrigin, planned};
pub use shift::{
    Break, HourMinute, HourMinuteError, PolicyOverrides, SegmentSpec, Shift, ShiftError,
};

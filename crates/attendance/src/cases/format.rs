//! The case format: from the text of a file to inputs of the engine.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::civil::{Date, DateTime, Weekday};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use serde::Deserialize;
use serde_json::Value;

use crate::inputs::{
    Absence, Correction, CorrectionKind, Cycle, DayPart, Device, Direction, Employee,
    EvidencePunch, Gap, Inputs, PlannedShift, Relevance, Roster, RosterOverride, RosterPlan,
    RosterValue, Source, WeeklyOff,
};
use crate::policy::Policy;
use crate::report::{Exception, IgnoredReason, Report, Stage, Status, UnknownReason};
use crate::shift::{PolicyOverrides, Shift};
use crate::{PunchState, derivation::Derivation};

/// A mistake of a file: nothing of it is judged.
#[derive(Debug, thiserror::Error)]
pub enum CaseFileError {
    #[error("not TOML: {0}")]
    Toml(#[from] toml::de::Error),
    /// An unknown key, a missing field or a wrong type.
    #[error("{place}: {detail}")]
    Form { place: String, detail: String },
    #[error("case {0}: the id appears twice")]
    DuplicateId(String),
}

/// One case, ready to judge.
#[derive(Clone, Debug)]
pub struct Case {
    pub id: String,
    pub title: String,
    pub rules: Vec<String>,
    pub employee: Employee,
    pub inputs: Inputs,
    pub policy: Policy,
    pub now: Timestamp,
    pub expect: Vec<Expected>,
    pub quarantined: BTreeSet<String>,
    pub outside_employment: BTreeSet<String>,
}

impl Case {
    /// The asked days and everything around them that punches could belong to.
    pub fn days(&self) -> Vec<Date> {
        let asked = self.expect.iter().map(|expected| expected.report.workday);
        let punched = self.inputs.punches.iter().map(|punch| punch.wall.date());
        let added =
            self.inputs
                .corrections
                .iter()
                .filter_map(|correction| match &correction.kind {
                    CorrectionKind::Add { wall, .. } => Some(wall.date()),
                    CorrectionKind::Void { .. } => None,
                });
        let near: BTreeSet<Date> = asked
            .chain(punched)
            .chain(added)
            .flat_map(|day| (-2..=2).map(move |n| day + n.days()))
            .collect();
        near.into_iter().collect()
    }
}

/// What a day must be. Fields that are not written in the file have their default in `report`.
#[derive(Clone, Debug)]
pub struct Expected {
    pub report: Report,
    /// Compared only when written.
    pub shift: Option<String>,
    pub letter: Option<String>,
    pub ignored: Option<BTreeMap<String, IgnoredReason>>,
}

/// Reads the cases of a file.
///
/// # Errors
/// [`CaseFileError`] for anything that is not in the format; it names the case.
pub fn read(text: &str) -> Result<Vec<Case>, CaseFileError> {
    let table: toml::Table = text.parse()?;
    let mut file = as_json(toml::Value::Table(table));
    let cases = file.as_object_mut().and_then(|file| file.remove("case"));
    let file: FileSpec = from_value(file, "file")?;
    let Some(Value::Array(cases)) = cases else {
        return Err(form("file", "there is no [[case]]"));
    };
    let mut ids = BTreeSet::new();
    let mut out = Vec::with_capacity(cases.len());
    for (place, case) in cases.into_iter().enumerate() {
        let name = match case.get("id").and_then(Value::as_str) {
            Some(id) => format!("case {id}"),
            None => format!("case number {}", place + 1),
        };
        let case: CaseSpec = from_value(case, &name)?;
        if !ids.insert(case.id.clone()) {
            return Err(CaseFileError::DuplicateId(case.id));
        }
        out.push(case.build(&file).map_err(|detail| form(&name, detail))?);
    }
    Ok(out)
}

fn form(place: &str, detail: impl Into<String>) -> CaseFileError {
    CaseFileError::Form {
        place: place.to_owned(),
        detail: detail.into(),
    }
}

fn from_value<T: serde::de::DeserializeOwned>(
    value: Value,
    place: &str,
) -> Result<T, CaseFileError> {
    serde_json::from_value(value).map_err(|error| form(place, error.to_string()))
}

/// TOML has dates, JSON has not: they become text, which the fields below parse.
fn as_json(value: toml::Value) -> Value {
    match value {
        toml::Value::Table(table) => Value::Object(
            table
                .into_iter()
                .map(|(key, value)| (key, as_json(value)))
                .collect(),
        ),
        toml::Value::Array(values) => values.into_iter().map(as_json).collect(),
        toml::Value::Datetime(at) => Value::String(at.to_string()),
        toml::Value::String(text) => text.into(),
        toml::Value::Integer(number) => number.into(),
        toml::Value::Float(number) => number.into(),
        toml::Value::Boolean(truth) => truth.into(),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileSpec {
    #[serde(default, rename = "topic")]
    _topic: String,
    zone: Option<String>,
    now: Option<Timestamp>,
    #[serde(default)]
    devices: Vec<DeviceSpec>,
    #[serde(default)]
    shifts: BTreeMap<String, Shift>,
    #[serde(default)]
    policy: PolicyOverrides,
    #[serde(default)]
    week: WeekSpec,
    #[serde(default)]
    holidays: BTreeSet<Date>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CaseSpec {
    id: String,
    title: String,
    rules: Vec<String>,
    #[serde(default, rename = "why")]
    _why: String,
    zone: Option<String>,
    now: Option<Timestamp>,
    holidays: Option<BTreeSet<Date>>,
    employed_from: Option<Date>,
    employed_to: Option<Date>,
    devices: Option<Vec<DeviceSpec>>,
    #[serde(default)]
    shifts: BTreeMap<String, Shift>,
    #[serde(default)]
    policy: PolicyOverrides,
    week: Option<WeekSpec>,
    cycle: Option<CycleSpec>,
    #[serde(default)]
    weekly_off: Vec<WeeklyOffSpec>,
    #[serde(default)]
    overrides: Vec<OverrideSpec>,
    #[serde(default)]
    leave: Vec<AbsenceSpec>,
    #[serde(default)]
    on_duty: Vec<AbsenceSpec>,
    #[serde(default)]
    punches: Vec<PunchSpec>,
    #[serde(default)]
    corrections: Vec<CorrectionSpec>,
    #[serde(default)]
    locked: Vec<ReportSpec>,
    expect: Vec<ReportSpec>,
    #[serde(default)]
    quarantined: BTreeSet<String>,
    #[serde(default)]
    outside_employment: BTreeSet<String>,
}

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct DeviceSpec {
    id: String,
    zone: Option<String>,
    #[serde(default)]
    direction: DirectionSpec,
    #[serde(default = "yes")]
    relevant: bool,
    covered_to: Option<String>,
    #[serde(default)]
    gaps: Vec<GapSpec>,
}

fn yes() -> bool {
    true
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum DirectionSpec {
    #[default]
    None,
    States,
    In,
    Out,
}

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct GapSpec {
    from: String,
    to: Option<String>,
}

#[derive(Clone, Deserialize)]
#[serde(untagged)]
enum RosterSpec {
    One(String),
    Several(Vec<String>),
    Auto(AutoSpec),
}

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct AutoSpec {
    auto: Vec<String>,
}

#[derive(Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct WeekSpec {
    mon: Option<RosterSpec>,
    tue: Option<RosterSpec>,
    wed: Option<RosterSpec>,
    thu: Option<RosterSpec>,
    fri: Option<RosterSpec>,
    sat: Option<RosterSpec>,
    sun: Option<RosterSpec>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CycleSpec {
    anchor: Date,
    days: Vec<RosterSpec>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WeeklyOffSpec {
    weekday: WeekdaySpec,
    #[serde(default)]
    nth: Vec<u8>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum WeekdaySpec {
    Mon,
    Tue,
    Wed,
    Thu,
    Fri,
    Sat,
    Sun,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OverrideSpec {
    day: Date,
    shift: RosterSpec,
    #[serde(default)]
    on_holiday: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AbsenceSpec {
    from: Date,
    to: Option<Date>,
    #[serde(default)]
    part: PartSpec,
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum PartSpec {
    #[default]
    Full,
    FirstHalf,
    SecondHalf,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PunchSpec {
    at: String,
    device: Option<String>,
    id: Option<String>,
    #[serde(default)]
    state: PunchState,
    #[serde(default)]
    source: SourceSpec,
    received_at: Option<String>,
    #[serde(default)]
    suspect: bool,
    #[serde(default)]
    released: bool,
}

#[derive(Clone, Copy, Default, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum SourceSpec {
    #[default]
    Device,
    RollCall,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CorrectionSpec {
    add: Option<String>,
    state: Option<PunchState>,
    void: Option<String>,
    reason: String,
    id: Option<String>,
    made_at: Option<String>,
}

/// An expectation, or a stored report of a closed day.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ReportSpec {
    day: Date,
    status: Status,
    stage: Option<Stage>,
    #[serde(default)]
    reason: String,
    #[serde(default)]
    leave_part: String,
    first_in: Option<DateTime>,
    last_out: Option<DateTime>,
    #[serde(default)]
    planned_min: u32,
    #[serde(default)]
    worked_min: u32,
    #[serde(default)]
    late_min: u32,
    #[serde(default)]
    early_min: u32,
    #[serde(default)]
    overtime_min: u32,
    #[serde(default)]
    night_min: u32,
    #[serde(default)]
    overtime_levels: Vec<u32>,
    #[serde(default)]
    exceptions: Vec<Exception>,
    #[serde(default)]
    pending: Vec<Exception>,
    #[serde(default)]
    changes_after_close: Vec<String>,
    shift: Option<String>,
    letter: Option<String>,
    ignored: Option<BTreeMap<String, IgnoredReason>>,
}

impl CaseSpec {
    fn build(self, file: &FileSpec) -> Result<Case, String> {
        let zone_name = self
            .zone
            .as_ref()
            .or(file.zone.as_ref())
            .ok_or("`zone` is missing here and in the file")?;
        let zone = zone_of(zone_name)?;
        let now = self
            .now
            .or(file.now)
            .ok_or("`now` is missing here and in the file")?;
        let mut values = file.policy.clone();
        values.0.extend(self.policy.0);
        let policy = Policy::default()
            .with(&values)
            .map_err(|error| error.to_string())?;
        let mut shifts = file.shifts.clone();
        shifts.extend(self.shifts);
        let shifts: BTreeMap<Arc<str>, PlannedShift> = shifts
            .into_iter()
            .map(|(name, shift)| {
                let planned = PlannedShift::new(&name, shift, &policy)
                    .map_err(|error| format!("shift {name}: {error}"))?;
                Ok((name.as_str().into(), planned))
            })
            .collect::<Result<_, String>>()?;
        let week = self.week.unwrap_or_else(|| file.week.clone());
        let roster = Roster {
            plan: RosterPlan {
                week: [
                    week.mon, week.tue, week.wed, week.thu, week.fri, week.sat, week.sun,
                ]
                .map(|value| value.map(RosterSpec::build)),
                cycle: self.cycle.map(|cycle| Cycle {
                    anchor: cycle.anchor,
                    days: cycle.days.into_iter().map(RosterSpec::build).collect(),
                }),
                weekly_off: self
                    .weekly_off
                    .into_iter()
                    .map(WeeklyOffSpec::build)
                    .collect(),
            },
            changes: BTreeMap::new(),
            overrides: self
                .overrides
                .into_iter()
                .map(|o| {
                    (
                        o.day,
                        RosterOverride {
                            value: o.shift.build(),
                            on_holiday: o.on_holiday,
                        },
                    )
                })
                .collect(),
        };
        check_shift_names(&roster, &shifts)?;
        let devices: Vec<Device> = self
            .devices
            .unwrap_or_else(|| file.devices.clone())
            .into_iter()
            .map(|device| device.build(&zone, now))
            .collect::<Result<_, String>>()?;
        let punches = self
            .punches
            .into_iter()
            .enumerate()
            .map(|(place, punch)| punch.build(place, &devices, &zone))
            .collect::<Result<Vec<_>, String>>()?;
        let corrections = self
            .corrections
            .into_iter()
            .enumerate()
            .map(|(place, correction)| correction.build(place, &zone))
            .collect::<Result<Vec<_>, String>>()?;
        Ok(Case {
            employee: Employee {
                zone,
                employed_from: self.employed_from,
                employed_to: self.employed_to,
            },
            inputs: Inputs {
                devices,
                punches,
                corrections,
                shifts: Arc::new(shifts),
                roster,
                holidays: Arc::new(self.holidays.unwrap_or_else(|| file.holidays.clone())),
                leave: self.leave.into_iter().map(AbsenceSpec::build).collect(),
                on_duty: self.on_duty.into_iter().map(AbsenceSpec::build).collect(),
                locked: self
                    .locked
                    .into_iter()
                    .map(|report| Ok((report.day, report.build()?.report)))
                    .collect::<Result<_, String>>()?,
            },
            policy,
            now,
            expect: self
                .expect
                .into_iter()
                .map(ReportSpec::build)
                .collect::<Result<_, String>>()?,
            quarantined: self.quarantined,
            outside_employment: self.outside_employment,
            id: self.id,
            title: self.title,
            rules: self.rules,
        })
    }
}

fn check_shift_names(
    roster: &Roster,
    shifts: &BTreeMap<Arc<str>, PlannedShift>,
) -> Result<(), String> {
    let plan = &roster.plan;
    let values = plan
        .week
        .iter()
        .flatten()
        .chain(plan.cycle.iter().flat_map(|cycle| &cycle.days))
        .chain(roster.overrides.values().map(|o| &o.value));
    for value in values {
        if let RosterValue::Shifts(names) | RosterValue::Auto(names) = value
            && let Some(unknown) = names.iter().find(|name| !shifts.contains_key(*name))
        {
            return Err(format!("there is no shift {unknown}"));
        }
    }
    Ok(())
}

impl RosterSpec {
    fn build(self) -> RosterValue {
        let names = |names: Vec<String>| names.into_iter().map(Into::into).collect();
        match self {
            Self::One(name) if name == "off" => RosterValue::Off,
            Self::One(name) => RosterValue::Shifts(vec![name.into()]),
            Self::Several(several) => RosterValue::Shifts(names(several)),
            Self::Auto(candidates) => RosterValue::Auto(names(candidates.auto)),
        }
    }
}

impl WeeklyOffSpec {
    fn build(self) -> WeeklyOff {
        let weekday = match self.weekday {
            WeekdaySpec::Mon => Weekday::Monday,
            WeekdaySpec::Tue => Weekday::Tuesday,
            WeekdaySpec::Wed => Weekday::Wednesday,
            WeekdaySpec::Thu => Weekday::Thursday,
            WeekdaySpec::Fri => Weekday::Friday,
            WeekdaySpec::Sat => Weekday::Saturday,
            WeekdaySpec::Sun => Weekday::Sunday,
        };
        WeeklyOff {
            weekday,
            nth: self.nth,
        }
    }
}

impl AbsenceSpec {
    fn build(self) -> Absence {
        let part = match self.part {
            PartSpec::Full => DayPart::Full,
            PartSpec::FirstHalf => DayPart::FirstHalf,
            PartSpec::SecondHalf => DayPart::SecondHalf,
        };
        Absence {
            from: self.from,
            to: self.to.unwrap_or(self.from),
            part,
        }
    }
}

impl DeviceSpec {
    fn build(self, site: &TimeZone, now: Timestamp) -> Result<Device, String> {
        let gaps = self
            .gaps
            .iter()
            .map(|gap| {
                let to = gap.to.as_ref().map(|to| moment(to, site)).transpose()?;
                Ok(Gap {
                    from: moment(&gap.from, site)?.1,
                    to: to.map(|(_, instant)| instant),
                })
            })
            .collect::<Result<_, String>>()?;
        let covered_to = match &self.covered_to {
            Some(text) => moment(text, site)?.1,
            None => now,
        };
        Ok(Device {
            id: self.id.into(),
            zone: self
                .zone
                .map_or_else(|| Ok(site.clone()), |name| zone_of(&name))?,
            direction: match self.direction {
                DirectionSpec::None => Direction::None,
                DirectionSpec::States => Direction::States,
                DirectionSpec::In => Direction::In,
                DirectionSpec::Out => Direction::Out,
            },
            relevant: self.relevant.then(Relevance::default),
            covered_to: Some(covered_to),
            gaps,
            lag_min: 0,
        })
    }
}

impl PunchSpec {
    fn build(
        self,
        place: usize,
        devices: &[Device],
        site: &TimeZone,
    ) -> Result<EvidencePunch, String> {
        let id = self.id.unwrap_or_else(|| format!("p{}", place + 1));
        let device = match (self.source, self.device) {
            (SourceSpec::RollCall, None) => None,
            (SourceSpec::RollCall, Some(_)) => {
                return Err(format!("punch {id}: a roll call has no device"));
            }
            (SourceSpec::Device, None) => Some(0),
            (SourceSpec::Device, Some(name)) => {
                let found = devices.iter().position(|device| *device.id == *name);
                Some(found.ok_or_else(|| format!("punch {id}: there is no device {name}"))?)
            }
        };
        let zone = match device {
            Some(index) => {
                &devices
                    .get(index)
                    .ok_or_else(|| format!("punch {id}: there is no device"))?
                    .zone
            }
            None => site,
        };
        let (wall, instant) =
            moment(&self.at, zone).map_err(|error| format!("punch {id}: {error}"))?;
        let received_at = self
            .received_at
            .map(|text| moment(&text, site))
            .transpose()?;
        Ok(EvidencePunch {
            id: id.into(),
            device,
            wall,
            instant,
            received_at: received_at.map(|(_, instant)| instant),
            state: self.state,
            source: match self.source {
                SourceSpec::Device => Source::Device,
                SourceSpec::RollCall => Source::RollCall,
            },
            suspect: self.suspect,
            released: self.released,
        })
    }
}

impl CorrectionSpec {
    fn build(self, place: usize, site: &TimeZone) -> Result<Correction, String> {
        let id = self.id.unwrap_or_else(|| format!("c{}", place + 1));
        let kind = match (self.add, self.void) {
            (Some(at), None) => {
                let (wall, instant) =
                    moment(&at, site).map_err(|error| format!("correction {id}: {error}"))?;
                CorrectionKind::Add {
                    wall,
                    instant,
                    state: self.state,
                }
            }
            (None, Some(void)) => CorrectionKind::Void { id: void.into() },
            _ => return Err(format!("correction {id}: exactly one of `add` and `void`")),
        };
        let made_at = self.made_at.map(|text| moment(&text, site)).transpose()?;
        Ok(Correction {
            id: id.into(),
            kind,
            author: "case".into(),
            reason: self.reason.into(),
            made_at: made_at.map(|(_, instant)| instant),
        })
    }
}

impl ReportSpec {
    fn build(self) -> Result<Expected, String> {
        let reason = match self.reason.as_str() {
            "" => None,
            name => Some(
                UnknownReason::from_name(name)
                    .ok_or_else(|| format!("{}: unknown reason {name}", self.day))?,
            ),
        };
        // Only wall times are compared; the instant is not part of an expectation.
        let moment = |wall: Option<DateTime>| {
            wall.map(|wall| crate::report::Moment {
                wall,
                instant: Timestamp::UNIX_EPOCH,
            })
        };
        Ok(Expected {
            report: Report {
                workday: self.day,
                status: self.status,
                reason,
                stage: self.stage.unwrap_or(Stage::Final),
                shift: self.shift.clone().unwrap_or_default(),
                first_in: moment(self.first_in),
                last_out: moment(self.last_out),
                planned_min: self.planned_min,
                worked_min: self.worked_min,
                late_min: self.late_min,
                early_min: self.early_min,
                overtime_min: self.overtime_min,
                overtime_levels: self.overtime_levels,
                night_min: self.night_min,
                exceptions: self.exceptions,
                pending: self.pending,
                leave_part: self.leave_part,
                ignored: BTreeMap::new(),
                changes_after_close: self.changes_after_close,
                recheck_at: None,
                waits: None,
                derivation: Derivation::default(),
            },
            shift: self.shift,
            letter: self.letter,
            ignored: self.ignored,
        })
    }
}

fn zone_of(name: &str) -> Result<TimeZone, String> {
    TimeZone::get(name).map_err(|error| format!("zone {name}: {error}"))
}

/// A local date-time is wall time of `zone`, read by R4; an instant shows the wall time it has there.
fn moment(text: &str, zone: &TimeZone) -> Result<(DateTime, Timestamp), String> {
    if let Ok(instant) = text.parse::<Timestamp>() {
        return Ok((zone.to_datetime(instant), instant));
    }
    let wall: DateTime = text
        .parse()
        .map_err(|_| format!("{text:?} is neither a local date-time nor an instant"))?;
    let instant = zone
        .to_ambiguous_timestamp(wall)
        .compatible()
        .map_err(|error| error.to_string())?;
    Ok((wall, instant))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str =
        "zone = \"Asia/Karachi\"\nnow = 2026-03-20T00:00:00Z\ndevices = [{ id = \"gate\" }]\n";
    const CASE: &str = "[[case]]\nid = \"a\"\ntitle = \"t\"\nrules = [\"R1\"]\n";
    const EXPECT: &str = "expect = [{ day = 2026-03-02, status = \"weekly_off\" }]\n";

    #[track_caller]
    fn check_error(text: &str, expected: &str) {
        let error = read(text).expect_err("a mistake").to_string();
        assert!(error.contains(expected), "{error}");
    }

    #[test]
    fn mistakes_name_the_case_and_the_key() {
        check_error(&format!("{FILE}{CASE}"), "case a: missing field `expect`");
        check_error(
            &format!("{FILE}{CASE}{EXPECT}punch = []\n"),
            "case a: unknown field `punch`",
        );
        check_error(
            &format!("{FILE}colour = 1\n{CASE}{EXPECT}"),
            "file: unknown field `colour`",
        );
        check_error(
            &format!("{FILE}{CASE}{EXPECT}{CASE}{EXPECT}"),
            "case a: the id appears twice",
        );
        check_error(
            &format!("{FILE}{CASE}expect = [{{ day = 2026-03-02, status = \"gone\" }}]\n"),
            "gone",
        );
        check_error(
            &format!("{FILE}{CASE}{EXPECT}policy = {{ grace = 1 }}\n"),
            "grace",
        );
        check_error(
            &format!("{FILE}{CASE}{EXPECT}week = {{ mon = \"DAY\" }}\n"),
            "there is no shift DAY",
        );
        check_error(
            &format!(
                "{FILE}{CASE}{EXPECT}punches = [{{ at = 2026-03-02T09:00:00, device = \"x\" }}]\n"
            ),
            "no device x",
        );
        check_error(
            &format!("{FILE}{CASE}{EXPECT}corrections = [{{ reason = \"r\" }}]\n"),
            "exactly one",
        );
        check_error(FILE, "there is no [[case]]");
        check_error("a = [", "not TOML");
        check_error(&format!("{CASE}{EXPECT}"), "`zone` is missing");
    }

    #[test]
    fn a_case_replaces_and_merges_what_the_file_says() {
        let text = format!(
            "{FILE}holidays = [2026-03-01]\nweek = {{ mon = \"DAY\", tue = \"DAY\" }}\n\
             [shifts.DAY]\nsegments = [{{ start = \"09:00\", end = \"18:00\" }}]\n[policy]\ngrace_in_min = 5\n\
             {CASE}{EXPECT}policy = {{ grace_out_min = 6 }}\nweek = {{ mon = [\"DAY\"] }}\n\
             punches = [{{ at = 2026-03-02T09:00:00 }}, {{ at = 2026-03-02T04:00:00Z }}]\n"
        );
        let case = read(&text).expect("a good file").remove(0);
        assert_eq!(
            (case.policy.grace_in_min, case.policy.grace_out_min),
            (5, 6)
        );
        assert!(
            case.inputs.roster.plan.week[0].is_some() && case.inputs.roster.plan.week[1].is_none()
        );
        assert_eq!(case.inputs.holidays.len(), 1);
        assert_eq!(
            case.inputs.punches[0].instant,
            case.inputs.punches[1].instant
        );
        assert_eq!(
            case.inputs.punches[1].wall.to_string(),
            "2026-03-02T09:00:00"
        );
        assert_eq!(
            (&*case.inputs.punches[0].id, &*case.inputs.punches[1].id),
            ("p1", "p2")
        );
    }
}

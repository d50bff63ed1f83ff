//! How one payroll program wants its file: columns with its own headings, codes with its own numbers.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use attendance::Status;
use serde::{Deserialize, Serialize};

use crate::ExportError;

/// A payroll file. With a column `code` or `amount` it has a line per person and code that has an amount, else a line per person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// The day of the month on which a period begins, 1 to 28. From 2 on the period of a month began in the one before.
    #[serde(default = "first_day")]
    pub begins_on: i8,
    /// The name of the only site that is exported.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub site: Option<String>,
    pub columns: Vec<ProfileColumn>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub codes: Vec<PayCode>,
}

fn first_day() -> i8 {
    1
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProfileColumn {
    pub heading: String,
    pub field: Field,
}

/// What is paid under a code. Several entries with the same code add up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PayCode {
    pub code: String,
    pub of: Measure,
    pub unit: Unit,
}

/// What a column holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Field {
    EmployeeCode,
    FirstName,
    LastName,
    Name,
    Email,
    Site,
    Department,
    PeriodFrom,
    PeriodTo,
    /// The code of this line.
    Code,
    /// How much of it.
    Amount,
    /// In which unit.
    Unit,
    /// A sum of the period, whatever code it has: `hours:worked`.
    Sum(Unit, Measure),
}

/// Fields that are one word.
const WORDS: &[(Field, &str)] = &[
    (Field::EmployeeCode, "employee_code"),
    (Field::FirstName, "first_name"),
    (Field::LastName, "last_name"),
    (Field::Name, "name"),
    (Field::Email, "email"),
    (Field::Site, "site"),
    (Field::Department, "department"),
    (Field::PeriodFrom, "period_from"),
    (Field::PeriodTo, "period_to"),
    (Field::Code, "code"),
    (Field::Amount, "amount"),
    (Field::Unit, "unit"),
];

impl Field {
    /// The fields that are no sums.
    pub fn words() -> impl Iterator<Item = &'static str> {
        WORDS.iter().map(|(_, word)| *word)
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sum(unit, measure) => write!(f, "{unit}:{measure}"),
            word => {
                let found = WORDS.iter().find(|(field, _)| field == word);
                f.write_str(found.map_or("", |(_, text)| text))
            }
        }
    }
}

impl FromStr for Field {
    type Err = ExportError;

    fn from_str(text: &str) -> Result<Self, ExportError> {
        if let Some((field, _)) = WORDS.iter().find(|(_, word)| *word == text) {
            return Ok(field.clone());
        }
        let sum = text.split_once(':').and_then(|(unit, measure)| {
            Some(Self::Sum(Unit::from_name(unit)?, measure.parse().ok()?))
        });
        sum.ok_or_else(|| {
            let words: Vec<_> = Self::words().collect();
            ExportError::Profile(format!(
                "{text:?} is no field; they are {}, and sums such as days:present, hours:worked, minutes:late, days:leave:sick, hours:overtime:2",
                words.join(", ")
            ))
        })
    }
}

/// What is counted or added up.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Measure {
    /// Days with that status. A day of which half is leave or duty counts half.
    Status(Status),
    /// Days of that kind of leave; half days count half.
    Leave(String),
    Planned,
    Worked,
    Late,
    Early,
    Night,
    /// All overtime.
    Overtime,
    /// That of one level, counted from 1 (R84). Without levels all of it is level 1.
    OvertimeLevel(usize),
}

impl Measure {
    /// Whether it is minutes, which can also be counted in days.
    pub fn is_time(&self) -> bool {
        !matches!(self, Self::Status(_) | Self::Leave(_))
    }

    /// What can be chosen without a name or number of one's own.
    pub fn all() -> Vec<Self> {
        let statuses = Status::ALL.iter().copied().filter(|status| {
            !matches!(
                status,
                Status::NotDue | Status::NotArrived | Status::NotEmployed
            )
        });
        let mut all: Vec<_> = statuses.map(Self::Status).collect();
        all.extend([
            Self::Planned,
            Self::Worked,
            Self::Late,
            Self::Early,
            Self::Night,
            Self::Overtime,
        ]);
        all
    }
}

impl fmt::Display for Measure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status(status) => f.write_str(status.as_str()),
            Self::Leave(kind) => write!(f, "leave:{kind}"),
            Self::Planned => f.write_str("planned"),
            Self::Worked => f.write_str("worked"),
            Self::Late => f.write_str("late"),
            Self::Early => f.write_str("early"),
            Self::Night => f.write_str("night"),
            Self::Overtime => f.write_str("overtime"),
            Self::OvertimeLevel(level) => write!(f, "overtime:{level}"),
        }
    }
}

impl FromStr for Measure {
    type Err = ExportError;

    fn from_str(text: &str) -> Result<Self, ExportError> {
        let found = Self::all()
            .into_iter()
            .find(|measure| measure.to_string() == text);
        let named = match text.split_once(':') {
            Some(("leave", kind)) if !kind.trim().is_empty() => Some(Self::Leave(kind.to_owned())),
            Some(("overtime", level)) => {
                let level = level.parse().ok().filter(|level| (1..=9).contains(level));
                level.map(Self::OvertimeLevel)
            }
            _ => None,
        };
        found.or(named).ok_or_else(|| {
            let all: Vec<_> = Self::all().iter().map(ToString::to_string).collect();
            ExportError::Profile(format!(
                "{text:?} cannot be counted; what can is {}, leave:KIND and overtime:LEVEL",
                all.join(", ")
            ))
        })
    }
}

/// In what an amount is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    Days,
    /// With two decimals, rounded once, from the sum of the period.
    Hours,
    Minutes,
}

impl Unit {
    pub const ALL: [Self; 3] = [Self::Days, Self::Hours, Self::Minutes];

    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|unit| unit.to_string() == name)
    }
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Days => "days",
            Self::Hours => "hours",
            Self::Minutes => "minutes",
        })
    }
}

macro_rules! as_text {
    ($($name:ident),+) => {$(
        impl TryFrom<String> for $name {
            type Error = ExportError;

            fn try_from(text: String) -> Result<Self, ExportError> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(value: $name) -> Self {
                value.to_string()
            }
        }
    )+};
}
as_text!(Field, Measure);

impl Profile {
    /// The columns most payroll programs take, to begin with.
    pub fn example() -> Self {
        let column = |heading: &str, field: &str| ProfileColumn {
            heading: heading.to_owned(),
            field: field.parse().expect("a field of ours"),
        };
        Self {
            begins_on: 1,
            site: None,
            columns: vec![
                column("employee_code", "employee_code"),
                column("name", "name"),
                column("present_days", "days:present"),
                column("half_days", "days:half_day"),
                column("absent_days", "days:absent"),
                column("leave_days", "days:on_leave"),
                column("worked_hours", "hours:worked"),
                column("overtime_hours", "hours:overtime"),
                column("late_minutes", "minutes:late"),
            ],
            codes: Vec::new(),
        }
    }

    /// A stored definition.
    ///
    /// # Errors
    /// [`ExportError::Profile`] when it is none.
    pub fn parse(definition: &str) -> Result<Self, ExportError> {
        let profile: Self = serde_json::from_str(definition).map_err(|error| {
            ExportError::Profile(format!("the profile cannot be read: {error}"))
        })?;
        profile.check()?;
        Ok(profile)
    }

    /// # Errors
    /// [`ExportError::Profile`] with the first thing that is wrong.
    pub fn check(&self) -> Result<(), ExportError> {
        let wrong = |text: String| Err(ExportError::Profile(text));
        if !(1..=28).contains(&self.begins_on) {
            return wrong("a period begins on a day from 1 to 28".to_owned());
        }
        if self.columns.is_empty() {
            return wrong("a payroll file needs a column".to_owned());
        }
        let mut seen = std::collections::BTreeSet::new();
        for column in &self.columns {
            if column.heading.trim().is_empty() {
                return wrong(format!("the column {} has no heading", column.field));
            }
            if !seen.insert(&column.heading) {
                return wrong(format!("two columns are headed {:?}", column.heading));
            }
            if let Field::Sum(unit, measure) = &column.field {
                fits(*unit, measure)?;
            }
        }
        if self.is_by_code() && self.codes.is_empty() {
            return wrong("a file with a line for each code needs codes".to_owned());
        }
        let mut units: BTreeMap<&str, Unit> = BTreeMap::new();
        for code in &self.codes {
            if code.code.trim().is_empty() {
                return wrong(format!("the code of {} is empty", code.of));
            }
            fits(code.unit, &code.of)?;
            if *units.entry(&code.code).or_insert(code.unit) != code.unit {
                return wrong(format!("the code {:?} has two units", code.code));
            }
        }
        Ok(())
    }

    /// Whether the file has a line for each code.
    pub fn is_by_code(&self) -> bool {
        let of_code = |field: &Field| matches!(field, Field::Code | Field::Amount | Field::Unit);
        self.columns.iter().any(|column| of_code(&column.field))
    }

    /// Everything that is counted in some column or under some code.
    pub(crate) fn measures(&self) -> impl Iterator<Item = &Measure> {
        let columns = self
            .columns
            .iter()
            .filter_map(|column| match &column.field {
                Field::Sum(_, measure) => Some(measure),
                _ => None,
            });
        columns.chain(self.codes.iter().map(|code| &code.of))
    }
}

fn fits(unit: Unit, measure: &Measure) -> Result<(), ExportError> {
    if unit == Unit::Days || measure.is_time() {
        return Ok(());
    }
    Err(ExportError::Profile(format!(
        "{measure} is counted in days, not in {unit}"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_and_measures_are_read_as_they_are_written() {
        for text in Field::words().chain([
            "days:present",
            "hours:overtime:2",
            "days:leave:sick",
            "minutes:late",
        ]) {
            assert_eq!(text.parse::<Field>().unwrap().to_string(), text);
        }
        for wrong in [
            "",
            "days",
            "days:",
            "weeks:present",
            "hours:overtime:0",
            "days:leave:",
            "days:not_due",
        ] {
            assert!(wrong.parse::<Field>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_profile_that_cannot_be_is_refused_with_the_reason() {
        let check = |json: &str, says: &str| {
            let error = Profile::parse(json).unwrap_err().to_string();
            assert!(error.contains(says), "{error}");
        };
        check("{}", "columns");
        check(r#"{"columns":[]}"#, "needs a column");
        check(
            r#"{"columns":[{"heading":"A","field":"shoes"}]}"#,
            "is no field",
        );
        check(
            r#"{"columns":[{"heading":" ","field":"name"}]}"#,
            "no heading",
        );
        check(
            r#"{"columns":[{"heading":"A","field":"name"},{"heading":"A","field":"email"}]}"#,
            "two columns",
        );
        check(
            r#"{"columns":[{"heading":"A","field":"hours:present"}]}"#,
            "in days, not in hours",
        );
        check(
            r#"{"columns":[{"heading":"A","field":"code"}]}"#,
            "needs codes",
        );
        check(
            r#"{"begins_on":29,"columns":[{"heading":"A","field":"name"}]}"#,
            "from 1 to 28",
        );
        check(
            r#"{"columns":[{"heading":"A","field":"code"}],"codes":[{"code":"1","of":"worked","unit":"hours"},{"code":"1","of":"absent","unit":"days"}]}"#,
            "two units",
        );
        Profile::example().check().unwrap();
        let json = serde_json::to_string(&Profile::example()).unwrap();
        assert_eq!(Profile::parse(&json).unwrap(), Profile::example());
    }
}

//! The file that payroll takes: a profile says which columns and codes it has; what was handed over is kept, so that the next file
//! can say what has changed, and nothing is handed over while days are open unless somebody answers for it.

mod changes;
mod lines;
mod open;
mod profile;

use std::fmt::Write as _;
use std::io::Read;

use jiff::civil::Date;
use sha2::{Digest, Sha256};
use store::entities::payroll_exports;
use store::payroll::{NewPayrollExport, Waiver};
use store::views::sheet::{self, Scope};
use store::{Author, Store};

pub use changes::{Change, correction_columns, correction_rows};
pub use lines::Line;
pub use open::OpenDay;
pub use profile::{Field, Measure, PayCode, Profile, ProfileColumn, Unit};

use crate::sheet::reports_by_person;
use crate::{Cell, Column, ExportError, Format, Month, write_rows};

/// People whose reports are in memory at the same time.
const TOGETHER: usize = 250;

/// A payroll file before it is handed over.
#[derive(Clone, Debug)]
pub struct Payroll {
    pub profile_id: i64,
    pub profile: String,
    pub month: Month,
    /// The period, both days inclusive.
    pub from: Date,
    pub to: Date,
    pub headings: Vec<String>,
    pub lines: Vec<Line>,
    /// What has to be decided first, by person and day.
    pub open: Vec<OpenDay>,
    /// What was handed over last for this period.
    pub last: Option<Kept>,
}

/// What was handed over once.
#[derive(Clone, Debug)]
pub struct Kept {
    pub row: payroll_exports::Model,
    pub headings: Vec<String>,
    pub lines: Vec<Line>,
}

impl Kept {
    fn new(row: payroll_exports::Model) -> Result<Self, ExportError> {
        Ok(Self {
            headings: serde_json::from_str(&row.headings).map_err(ExportError::Kept)?,
            lines: serde_json::from_str(&row.lines).map_err(ExportError::Kept)?,
            row,
        })
    }

    /// The export of that id, and the one of the same profile and period before it.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn load(store: &Store, id: i64) -> Result<Option<(Self, Option<Self>)>, ExportError> {
        let Some(row) = store.payroll_export(id).await? else {
            return Ok(None);
        };
        let before = store.payroll_export_before(&row).await?;
        Ok(Some((Self::new(row)?, before.map(Self::new).transpose()?)))
    }

    /// What differs from an earlier hand-over; `None` when the profile had other columns then.
    pub fn changes_since(&self, before: &Self) -> Option<Vec<Change>> {
        (before.headings == self.headings).then(|| changes::between(&before.lines, &self.lines))
    }

    /// The file again, byte for byte.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn to_file(&self, format: Format) -> Result<std::fs::File, ExportError> {
        write_rows(&columns(&self.headings), &rows(&self.lines), format)
    }
}

impl Payroll {
    /// Computes the file of a month by a profile, from one state of the database.
    ///
    /// # Errors
    /// [`ExportError::NoProfile`], and when the database cannot be read.
    pub async fn prepare(
        store: &Store,
        profile_name: &str,
        month: Month,
    ) -> Result<Self, ExportError> {
        let stored = store.payroll_profile(profile_name).await?;
        let stored = stored.ok_or_else(|| ExportError::NoProfile(profile_name.to_owned()))?;
        let profile = Profile::parse(&stored.definition)?;
        let (from, to) = month.period(profile.begins_on);
        let (first, last) = (from.to_string(), to.to_string());
        let before = store.last_payroll_export(stored.id, &first, &last).await?;

        let tx = store.begin_read().await?;
        let site_id = match &profile.site {
            None => None,
            Some(name) => {
                let sites = sheet::sites(&tx).await?;
                let found = sites.into_iter().find(|site| site.name == *name);
                Some(found.ok_or_else(|| ExportError::NoSite(name.clone()))?.id)
            }
        };
        let scope = Scope {
            site_id,
            department_id: None,
        };
        let mut people = sheet::people(&tx, &scope, &first, &last).await?;
        people.sort_by(|a, b| a.code.cmp(&b.code));
        let (mut lines, mut open) = (Vec::new(), Vec::new());
        for people in people.chunks(TOGETHER) {
            let ids: Vec<i64> = people.iter().map(|person| person.id).collect();
            let reports = reports_by_person(&tx, people, &first, &last).await?;
            let leave = store::payroll::leave_of(&tx, &ids, &first, &last).await?;
            for person in people {
                let reports = reports.get(&person.id).map_or(&[][..], Vec::as_slice);
                let own = leave.iter().filter(|leave| leave.employee_id == person.id);
                let figures = lines::Figures::of(reports, &own.collect::<Vec<_>>());
                lines::add(&mut lines, &profile, person, (from, to), &figures);
                open::add(&mut open, &profile, person, (from, to), reports, &figures);
            }
        }
        Ok(Self {
            profile_id: stored.id,
            profile: stored.name,
            month,
            from,
            to,
            headings: profile
                .columns
                .into_iter()
                .map(|column| column.heading)
                .collect(),
            lines,
            open,
            last: before.map(Kept::new).transpose()?,
        })
    }

    /// What differs from the last hand-over; `None` when there was none, or the profile had other columns then.
    pub fn changes(&self) -> Option<Vec<Change>> {
        let last = self.last.as_ref()?;
        (last.headings == self.headings).then(|| changes::between(&last.lines, &self.lines))
    }

    pub fn columns(&self) -> Vec<Column> {
        columns(&self.headings)
    }

    pub fn rows(&self) -> Vec<Vec<Cell>> {
        rows(&self.lines)
    }

    /// Keeps the file as handed over; its id.
    ///
    /// # Errors
    /// [`ExportError::Open`] while days are open and nobody answers for them by name and with a reason.
    pub async fn hand_over(
        &self,
        store: &Store,
        waiver: Option<(&str, &str)>,
        author: Author,
    ) -> Result<i64, ExportError> {
        let waiver = match (self.open.is_empty(), waiver) {
            (true, _) => None,
            (false, None) => return Err(ExportError::Open(self.open.len())),
            (false, Some((by, because))) => Some(Waiver {
                by: by.to_owned(),
                because: because.to_owned(),
                days: self.open.iter().map(ToString::to_string).collect(),
            }),
        };
        let json = |value: serde_json::Result<String>| value.map_err(ExportError::Kept);
        let new = NewPayrollExport {
            profile_id: self.profile_id,
            from_day: self.from.to_string(),
            to_day: self.to.to_string(),
            headings: json(serde_json::to_string(&self.headings))?,
            lines: json(serde_json::to_string(&self.lines))?,
            line_count: i64::try_from(self.lines.len()).unwrap_or(i64::MAX),
            hash: self.hash()?,
            waiver,
        };
        let tx = store.begin_write().await?;
        let id = tx.add_payroll_export(&new, author).await?;
        tx.commit().await?;
        Ok(id)
    }

    /// SHA-256 of the CSV file without byte order mark.
    fn hash(&self) -> Result<String, ExportError> {
        let mut file = write_rows(&self.columns(), &self.rows(), Format::Csv { bom: false })?;
        let (mut hasher, mut buffer) = (Sha256::new(), vec![0; 1 << 16]);
        loop {
            let read = file.read(&mut buffer)?;
            if read == 0 {
                break;
            }
            hasher.update(&buffer[..read]);
        }
        let mut text = String::new();
        for byte in hasher.finalize() {
            let _ = write!(text, "{byte:02x}");
        }
        Ok(text)
    }
}

fn columns(headings: &[String]) -> Vec<Column> {
    headings
        .iter()
        .map(|heading| Column::new(&**heading, 16))
        .collect()
}

fn rows(lines: &[Line]) -> Vec<Vec<Cell>> {
    lines.iter().map(|line| line.cells.clone()).collect()
}

//! Reports as files that other programs read: CSV, Excel and JSON, and the payroll file.
//!
//! Owns columns, their order and how a value is written; what the values are was judged and stored before. Rows pass through one at
//! a time, so a file of a large company needs no more memory than that of a small one, and the same reports give the same bytes.

mod cell;
mod error;
mod month;
pub mod payroll;
mod punches;
mod sheet;
mod sink;
mod totals;

use std::fs::File;

use jiff::civil::Date;
use store::Store;
use store::views::sheet::Scope;
use tokio::sync::mpsc;

pub use cell::{Cell, Column, begins_like_a_formula};
pub use error::ExportError;
pub use month::{Month, NotAMonth};
pub use sink::{Csv, Json, Sink, Xlsx};
pub use totals::Totals;

/// Rows that are read before the first of them is written; so many of them are in memory, three times.
type Rows = Vec<Vec<Cell>>;

/// What is exported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Export {
    /// A line for each person employed on a workday.
    Day { day: Date, whose: Whose },
    /// A line for each person: a letter for each day (R121), then totals.
    Month { month: Month, whose: Whose },
    /// A line for each workday of a person in a month.
    Timecard { code: String, month: Month },
    /// A line for each punch that devices recorded from one day to another, both inclusive, on the days of the device's site. With a
    /// department only the punches of its people.
    Punches { from: Date, to: Date, scope: Scope },
}

/// Which people are in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Whose {
    Scope(Scope),
    /// These, in this order: what a page with more filters shows.
    Ids(Vec<i64>),
}

/// How a file is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// With a byte order mark Excel takes the file for UTF-8.
    Csv {
        bom: bool,
    },
    Xlsx,
    Json,
}

impl Format {
    /// The ending of a file's name.
    pub fn extension(self) -> &'static str {
        match self {
            Self::Csv { .. } => "csv",
            Self::Xlsx => "xlsx",
            Self::Json => "json",
        }
    }

    pub fn media_type(self) -> &'static str {
        match self {
            Self::Csv { .. } => "text/csv; charset=utf-8",
            Self::Xlsx => "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
            Self::Json => "application/json",
        }
    }
}

impl Export {
    pub fn columns(&self) -> Vec<Column> {
        match self {
            Self::Day { .. } | Self::Timecard { .. } => sheet::day_columns(),
            Self::Month { month, .. } => sheet::month_columns(*month),
            Self::Punches { .. } => punches::columns(),
        }
    }

    /// The name of a file without its ending, e.g. `month-2026-05`.
    pub fn file_name(&self) -> String {
        match self {
            Self::Day { day, .. } => format!("day-{day}"),
            Self::Month { month, .. } => format!("month-{month}"),
            Self::Timecard { code, month } => {
                let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
                let code: String = code.chars().filter(|c| plain(*c)).collect();
                format!("timecard-{code}-{month}")
            }
            Self::Punches { from, to, .. } if from == to => format!("punches-{from}"),
            Self::Punches { from, to, .. } => format!("punches-{from}-{to}"),
        }
    }

    /// Writes all rows of one state of the database into a sink.
    ///
    /// # Errors
    /// When the database cannot be read, the sink refuses, or a time card is of nobody.
    pub async fn into_sink<S: Sink + Send + 'static>(
        &self,
        store: &Store,
        sink: S,
    ) -> Result<S::Done, ExportError> {
        let columns = self.columns();
        let (to_writer, mut rows) = mpsc::channel::<Rows>(1);
        let writer = tokio::task::spawn_blocking(move || {
            let mut sink = sink;
            sink.head(&columns)?;
            while let Some(rows) = rows.blocking_recv() {
                for row in &rows {
                    sink.row(row)?;
                }
            }
            sink.finish()
        });
        let read = self.read(store, to_writer).await;
        let written = writer.await.map_err(ExportError::Interrupted)?;
        // A writer that gave up is why the reader could not go on.
        match (read, written) {
            (Err(ExportError::NobodyWrites), written) => written,
            (Err(error), _) => Err(error),
            (Ok(()), written) => written,
        }
    }

    async fn read(&self, store: &Store, to: mpsc::Sender<Rows>) -> Result<(), ExportError> {
        let tx = store.begin_read().await?;
        match self {
            Self::Day { day, whose } => sheet::read_day(&tx, *day, whose, &to).await,
            Self::Month { month, whose } => sheet::read_month(&tx, *month, whose, &to).await,
            Self::Timecard { code, month } => sheet::read_timecard(&tx, code, *month, &to).await,
            Self::Punches {
                from,
                to: last,
                scope,
            } => punches::read(&tx, *from, *last, scope, &to).await,
        }
    }

    /// Writes a whole file before anybody gets a byte of it, so that a failure never looks like a short month.
    ///
    /// # Errors
    /// As [`Export::into_sink`].
    pub async fn to_file(&self, store: &Store, format: Format) -> Result<File, ExportError> {
        match format {
            Format::Csv { bom } => {
                self.into_sink(store, Csv::new(sink::fresh_file()?, bom)?)
                    .await
            }
            Format::Xlsx => self.into_sink(store, Xlsx::new(sink::fresh_file()?)?).await,
            Format::Json => self.into_sink(store, Json::new(sink::fresh_file()?)).await,
        }
    }
}

/// Writes rows that are in memory already.
///
/// # Errors
/// When the file cannot be written.
pub fn write_rows(
    columns: &[Column],
    rows: &[Vec<Cell>],
    format: Format,
) -> Result<File, ExportError> {
    fn all<S: Sink>(
        mut sink: S,
        columns: &[Column],
        rows: &[Vec<Cell>],
    ) -> Result<S::Done, ExportError> {
        sink.head(columns)?;
        for row in rows {
            sink.row(row)?;
        }
        sink.finish()
    }
    match format {
        Format::Csv { bom } => all(Csv::new(sink::fresh_file()?, bom)?, columns, rows),
        Format::Xlsx => all(Xlsx::new(sink::fresh_file()?)?, columns, rows),
        Format::Json => all(Json::new(sink::fresh_file()?), columns, rows),
    }
}

/// Hands rows to the writer.
pub(crate) async fn hand_over(to: &mpsc::Sender<Rows>, rows: Rows) -> Result<(), ExportError> {
    to.send(rows).await.map_err(|_| ExportError::NobodyWrites)
}

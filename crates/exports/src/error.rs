//! Why there is no file.

use std::io;

use store::StoreError;

use crate::sink::MOST_ROWS;

#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("nobody has the employee code {0}")]
    NobodyWithCode(String),
    #[error("there is no payroll profile {0:?}")]
    NoProfile(String),
    #[error("there is no site {0:?}, which the payroll profile names")]
    NoSite(String),
    /// What a person wrote as a profile cannot be one; the message says why.
    #[error("{0}")]
    Profile(String),
    /// Nothing is handed over while days are open and nobody answers for it.
    #[error("{0} days are open")]
    Open(usize),
    #[error("an Excel sheet holds {MOST_ROWS} rows: take fewer days, one site, or CSV")]
    TooManyRows,
    #[error("the file cannot be written")]
    File(#[from] io::Error),
    #[error("the CSV file cannot be written")]
    Csv(#[from] csv::Error),
    #[error("the Excel file cannot be written")]
    Xlsx(#[from] rust_xlsxwriter::XlsxError),
    #[error("a kept payroll export cannot be understood")]
    Kept(#[source] serde_json::Error),
    #[error("the writer of the file was stopped")]
    Interrupted(#[source] tokio::task::JoinError),
    /// The writer has given up, and says itself why.
    #[error("nobody writes the file any more")]
    NobodyWrites,
}

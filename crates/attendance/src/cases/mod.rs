//! Worked cases of the rules: read from TOML files, judged with the real engine, compared completely.
//!
//! The format is described in `cases/README.md`. `format` reads it, `check` compares.

mod check;
mod format;

pub use check::{CaseResult, check};
pub use format::{Case, CaseFileError, Expected, read};

//! A value of a table, and the column it stands in.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A heading, and how wide its column is in Excel, in characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    pub heading: String,
    pub width: u8,
    /// Stays in sight when a wide sheet is moved.
    pub fixed: bool,
}

impl Column {
    pub fn new(heading: impl Into<String>, width: u8) -> Self {
        Self {
            heading: heading.into(),
            width,
            fixed: false,
        }
    }

    pub(crate) fn fixed(heading: &str, width: u8) -> Self {
        Self {
            fixed: true,
            ..Self::new(heading, width)
        }
    }
}

/// A value. Displayed as a file for people would have it; each sink writes it in its own way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Cell {
    Empty,
    Int(i64),
    /// A number with two decimals.
    Decimal {
        hundredths: i64,
    },
    Text(String),
}

impl Cell {
    /// Empty for an empty text.
    pub fn text(text: impl Into<String>) -> Self {
        let text = text.into();
        match text.is_empty() {
            true => Self::Empty,
            false => Self::Text(text),
        }
    }

    pub fn maybe(text: Option<&str>) -> Self {
        Self::text(text.unwrap_or_default())
    }
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => Ok(()),
            Self::Int(number) => number.fmt(f),
            Self::Decimal { hundredths } => {
                let sign = if *hundredths < 0 { "-" } else { "" };
                let size = hundredths.unsigned_abs();
                write!(f, "{sign}{}.{:02}", size / 100, size % 100)
            }
            Self::Text(text) => f.write_str(text),
        }
    }
}

/// Whether a spreadsheet may take this text for a formula, or for the beginning of one once it has skipped what cannot be seen.
/// Full-width signs count as much where they are typed.
pub fn begins_like_a_formula(text: &str) -> bool {
    text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_have_two_places() {
        let text = |hundredths| Cell::Decimal { hundredths }.to_string();
        assert_eq!(
            [text(0), text(50), text(-50), text(12345)],
            ["0.00", "0.50", "-0.50", "123.45"]
        );
    }

    #[test]
    fn a_kept_cell_is_read_back_as_it_was() {
        for cell in [
            Cell::Empty,
            Cell::Int(-3),
            Cell::Decimal { hundredths: 750 },
            Cell::text("0042"),
        ] {
            let kept = serde_json::to_string(&cell).unwrap();
            assert_eq!(serde_json::from_str::<Cell>(&kept).unwrap(), cell, "{kept}");
        }
    }
}

//! CSV files that people import: every column is known, every mistake has its line.
//!
//! Only reads; what the values mean is checked where they are stored.

use std::io::Read;

use crate::people::EmployeeRow;

/// The columns of an employee file. Only `code` is required.
pub const EMPLOYEE_COLUMNS: &[&str] = &[
    "code",
    "first_name",
    "last_name",
    "username",
    "email",
    "department",
    "device_id",
    "shift",
    "site",
    "employed_from",
    "employed_to",
];

/// Why a file is not one that can be imported. Nothing of it may be used.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    #[error("unknown column {name:?}; the columns are {}", known.join(","))]
    UnknownColumn {
        name: String,
        known: &'static [&'static str],
    },
    #[error("the column {name:?} is missing")]
    MissingColumn { name: &'static str },
    #[error("the column {name:?} is there twice")]
    RepeatedColumn { name: String },
    #[error("the columns are separated by semicolons; save the file with commas")]
    Semicolons,
    #[error("line {line} is not UTF-8 text; save the file as UTF-8")]
    NotUtf8 { line: u64 },
    #[error(
        "line {line} has {found} fields instead of {expected}; is a quotation mark or a comma missing?"
    )]
    FieldCount {
        line: u64,
        found: u64,
        expected: u64,
    },
    #[error("line {line} has a character in the column {column:?} that is no text (NUL)")]
    Nul { line: u64, column: String },
    #[error("the file cannot be read")]
    Io(#[from] std::io::Error),
}

/// One line of a file, trimmed.
#[derive(Clone, Debug)]
pub struct Line {
    /// Where it begins in the file; the headings are line 1.
    pub number: u64,
    cells: Vec<(usize, String)>,
    known: &'static [&'static str],
}

impl Line {
    /// The cell under that heading; `None` when the file does not have the column.
    pub fn get(&self, column: &str) -> Option<&str> {
        let wanted = self.known.iter().position(|name| *name == column)?;
        let (_, cell) = self.cells.iter().find(|(found, _)| *found == wanted)?;
        Some(cell)
    }

    /// The same, `None` also when it is empty.
    pub fn filled(&self, column: &str) -> Option<&str> {
        self.get(column).filter(|cell| !cell.is_empty())
    }

    fn owned(&self, column: &str) -> Option<String> {
        self.get(column).map(str::to_owned)
    }
}

/// Reads a file whose columns are all among `known`, in any order. Unknown ones are an error, so that a mistyped column is not
/// ignored.
///
/// # Errors
/// See [`FileError`]; the first mistake ends the reading.
pub fn read_csv(
    mut input: impl Read,
    known: &'static [&'static str],
    required: &[&'static str],
) -> Result<Vec<Line>, FileError> {
    let mut bytes = Vec::new();
    input.read_to_end(&mut bytes)?;
    let mut place = Lines {
        bytes: &bytes,
        at: 0,
        line: 1,
    };
    let mut reader = csv::ReaderBuilder::new()
        .trim(csv::Trim::All)
        .from_reader(bytes.as_slice());
    let headings = reader
        .headers()
        .map_err(|error| mistake(error, &mut place))?;
    let headings = columns(headings, known, required)?;
    let mut lines = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|error| mistake(error, &mut place))?;
        let number = place.of(record.position());
        let mut cells = Vec::with_capacity(headings.len());
        for (column, cell) in headings.iter().zip(&record) {
            if cell.contains('\0') {
                return Err(FileError::Nul {
                    line: number,
                    column: known[*column].to_owned(),
                });
            }
            cells.push((*column, cell.to_owned()));
        }
        lines.push(Line {
            number,
            cells,
            known,
        });
    }
    Ok(lines)
}

/// Reads an employee file.
///
/// # Errors
/// See [`FileError`].
pub fn read_employees(input: impl Read) -> Result<Vec<EmployeeRow>, FileError> {
    let lines = read_csv(input, EMPLOYEE_COLUMNS, &["code"])?;
    Ok(lines.iter().map(employee).collect())
}

fn employee(line: &Line) -> EmployeeRow {
    EmployeeRow {
        line: line.number,
        code: line.owned("code").unwrap_or_default(),
        first_name: line.owned("first_name"),
        last_name: line.owned("last_name"),
        username: line.owned("username"),
        email: line.owned("email"),
        department: line.owned("department"),
        device_user_id: line.owned("device_id"),
        shift: line.owned("shift"),
        site: line.owned("site"),
        employed_from: line.owned("employed_from"),
        employed_to: line.owned("employed_to"),
    }
}

/// For each heading its place among the known columns.
fn columns(
    headings: &csv::StringRecord,
    known: &'static [&'static str],
    required: &[&'static str],
) -> Result<Vec<usize>, FileError> {
    if headings.len() == 1 && headings.iter().any(|heading| heading.contains(';')) {
        return Err(FileError::Semicolons);
    }
    let mut columns = Vec::with_capacity(headings.len());
    for heading in headings {
        let Some(column) = known.iter().position(|name| *name == heading) else {
            let name = heading.to_owned();
            return Err(FileError::UnknownColumn { name, known });
        };
        if columns.contains(&column) {
            let name = heading.to_owned();
            return Err(FileError::RepeatedColumn { name });
        }
        columns.push(column);
    }
    for name in required {
        if !columns.iter().any(|column| known[*column] == *name) {
            return Err(FileError::MissingColumn { name });
        }
    }
    Ok(columns)
}

fn mistake(error: csv::Error, lines: &mut Lines<'_>) -> FileError {
    match error.into_kind() {
        csv::ErrorKind::Utf8 { pos, .. } => FileError::NotUtf8 {
            line: lines.of(pos.as_ref()),
        },
        csv::ErrorKind::UnequalLengths {
            pos,
            expected_len,
            len,
        } => FileError::FieldCount {
            line: lines.of(pos.as_ref()),
            found: len,
            expected: expected_len,
        },
        csv::ErrorKind::Io(error) => FileError::Io(error),
        other => FileError::Io(std::io::Error::other(format!("{other:?}"))),
    }
}

/// Finds the lines on which records begin, in their order. The reader's own count lags by one in files with CR and LF, because
/// it takes the LF for the beginning of the next record.
struct Lines<'a> {
    bytes: &'a [u8],
    at: usize,
    line: u64,
}

impl Lines<'_> {
    fn of(&mut self, position: Option<&csv::Position>) -> u64 {
        let start = position.map_or(0, |position| position.byte() as usize);
        let rest = self.bytes.get(start..).unwrap_or_default();
        let breaks = rest.iter().take_while(|byte| matches!(byte, b'\r' | b'\n'));
        let start = start + breaks.count();
        let passed = self.bytes.get(self.at..start).unwrap_or_default();
        self.line += passed.iter().filter(|byte| **byte == b'\n').count() as u64;
        self.at = start;
        self.line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_come_in_any_order_and_absent_ones_stay_absent() {
        let file = "email,code,last_name\n,7,Byron\nm@x.example,8,\"de, Morgan\"\n";
        let rows = read_employees(file.as_bytes()).unwrap();
        assert_eq!((rows[0].line, rows[1].line), (2, 3));
        assert_eq!(rows[0].code, "7");
        assert_eq!(rows[0].email.as_deref(), Some(""));
        assert_eq!(rows[0].first_name, None);
        assert_eq!(rows[1].last_name.as_deref(), Some("de, Morgan"));
    }

    #[test]
    fn mistakes_name_column_and_line() {
        check(
            b"code,frist_name\n",
            "unknown column \"frist_name\"; the columns are code,first_name,last_name,username,email,department,device_id,shift,site,employed_from,employed_to",
        );
        check(b"first_name\nAda\n", "the column \"code\" is missing");
        check(b"code,code\n1,2\n", "the column \"code\" is there twice");
        check(
            b"code;first_name\n1;Ada\n",
            "the columns are separated by semicolons; save the file with commas",
        );
        check(
            b"code,first_name\n1,Ada\n2,Jos\xe9\n",
            "line 3 is not UTF-8 text; save the file as UTF-8",
        );
        check(
            b"code,first_name\n1,Ada\n2\n",
            "line 3 has 1 fields instead of 2; is a quotation mark or a comma missing?",
        );
        check(
            b"code,first_name\n1,A\0da\n",
            "line 2 has a character in the column \"first_name\" that is no text (NUL)",
        );
        check(
            b"code,\xff\n",
            "line 1 is not UTF-8 text; save the file as UTF-8",
        );
    }

    #[track_caller]
    fn check(file: &[u8], expected: &str) {
        let error = read_employees(file).expect_err("a mistake");
        assert_eq!(error.to_string(), expected);
    }
}

//! Writers of tables. Each gets the columns once, then the rows, and gives back a file that is read from its beginning.

use std::fmt;
use std::fs::File;
use std::io::{BufWriter, Seek, Write};

use rust_xlsxwriter::{DocProperties, ExcelDateTime, Format, Workbook, Worksheet};

use crate::{Cell, Column, ExportError, begins_like_a_formula};

/// Rows of an Excel sheet below its headings.
pub const MOST_ROWS: u32 = 1_048_575;
/// Characters of an Excel cell.
const MOST_CHARACTERS: usize = 32_767;

/// Takes the rows of a table.
pub trait Sink {
    /// What is there at the end.
    type Done: Send + 'static;

    fn head(&mut self, columns: &[Column]) -> Result<(), ExportError>;
    fn row(&mut self, row: &[Cell]) -> Result<(), ExportError>;
    fn finish(self) -> Result<Self::Done, ExportError>;
}

/// A file without a name, gone when it is closed.
pub(crate) fn fresh_file() -> Result<File, ExportError> {
    Ok(tempfile::tempfile()?)
}

fn rewound(mut file: File) -> Result<File, ExportError> {
    file.rewind()?;
    Ok(file)
}

/// Comma separated, UTF-8. A text that a spreadsheet would take for a formula gets an apostrophe in front; a number never does.
#[derive(Debug)]
pub struct Csv {
    writer: csv::Writer<File>,
}

impl Csv {
    /// With a byte order mark if asked for.
    pub fn new(mut file: File, bom: bool) -> Result<Self, ExportError> {
        if bom {
            file.write_all("\u{feff}".as_bytes())?;
        }
        Ok(Self {
            writer: csv::WriterBuilder::new()
                .buffer_capacity(1 << 16)
                .from_writer(file),
        })
    }

    fn text(&mut self, text: &str) -> Result<(), csv::Error> {
        if begins_like_a_formula(text) {
            self.writer.write_field(format!("'{text}"))
        } else {
            self.writer.write_field(text)
        }
    }
}

impl Sink for Csv {
    type Done = File;

    fn head(&mut self, columns: &[Column]) -> Result<(), ExportError> {
        for column in columns {
            self.text(&column.heading)?;
        }
        Ok(self.writer.write_record(None::<&[u8]>)?)
    }

    fn row(&mut self, row: &[Cell]) -> Result<(), ExportError> {
        for cell in row {
            match cell {
                Cell::Text(text) => self.text(text)?,
                cell => self.writer.write_field(cell.to_string())?,
            }
        }
        Ok(self.writer.write_record(None::<&[u8]>)?)
    }

    fn finish(self) -> Result<File, ExportError> {
        let file = self
            .writer
            .into_inner()
            .map_err(|error| error.into_error())?;
        rewound(file)
    }
}

/// An Excel workbook of one sheet, whose rows go to a temporary file as they come. Texts are cells of text, which is never
/// calculated; those that look like a formula are marked, so that editing the cell does not make them one.
pub struct Xlsx {
    workbook: Workbook,
    file: File,
    rows: u32,
    quoted: Format,
    decimal: Format,
}

impl fmt::Debug for Xlsx {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Xlsx({} rows)", self.rows)
    }
}

impl Xlsx {
    pub fn new(file: File) -> Result<Self, ExportError> {
        let mut workbook = Workbook::new();
        // The same reports are the same bytes, whenever they are written.
        let properties = DocProperties::new()
            .set_creation_datetime(&ExcelDateTime::from_ymd(2000, 1, 1)?)
            .set_author("Muster");
        workbook.set_properties(&properties);
        workbook.add_worksheet_with_constant_memory()?;
        Ok(Self {
            workbook,
            file,
            rows: 0,
            quoted: Format::new().set_quote_prefix(),
            decimal: Format::new().set_num_format("0.00"),
        })
    }
}

/// Excel counts columns in 16 bits; a table of ours has some dozens.
fn number(column: usize) -> u16 {
    u16::try_from(column).unwrap_or(u16::MAX)
}

fn fitting(text: &str) -> &str {
    match text.char_indices().nth(MOST_CHARACTERS) {
        Some((end, _)) => &text[..end],
        None => text,
    }
}

fn write_text(
    sheet: &mut Worksheet,
    row: u32,
    column: usize,
    text: &str,
    quoted: &Format,
) -> Result<(), ExportError> {
    let text = fitting(text);
    if begins_like_a_formula(text) {
        sheet.write_string_with_format(row, number(column), text, quoted)?;
    } else {
        sheet.write_string(row, number(column), text)?;
    }
    Ok(())
}

impl Sink for Xlsx {
    type Done = File;

    fn head(&mut self, columns: &[Column]) -> Result<(), ExportError> {
        let bold = Format::new().set_bold();
        let sheet = self.workbook.worksheet_from_index(0)?;
        let fixed = columns.iter().take_while(|column| column.fixed).count();
        sheet.set_freeze_panes(1, number(fixed))?;
        for (at, column) in columns.iter().enumerate() {
            sheet.set_column_width(number(at), f64::from(column.width))?;
        }
        for (at, column) in columns.iter().enumerate() {
            sheet.write_string_with_format(0, number(at), fitting(&column.heading), &bold)?;
        }
        Ok(())
    }

    fn row(&mut self, row: &[Cell]) -> Result<(), ExportError> {
        if self.rows == MOST_ROWS {
            return Err(ExportError::TooManyRows);
        }
        self.rows += 1;
        let sheet = self.workbook.worksheet_from_index(0)?;
        for (at, cell) in row.iter().enumerate() {
            match cell {
                Cell::Empty => {}
                Cell::Text(text) => write_text(sheet, self.rows, at, text, &self.quoted)?,
                #[expect(clippy::cast_precision_loss, reason = "Excel has no other numbers")]
                Cell::Int(value) => {
                    sheet.write_number(self.rows, number(at), *value as f64)?;
                }
                #[expect(clippy::cast_precision_loss, reason = "Excel has no other numbers")]
                Cell::Decimal { hundredths } => {
                    let value = *hundredths as f64 / 100.0;
                    sheet.write_number_with_format(self.rows, number(at), value, &self.decimal)?;
                }
            }
        }
        Ok(())
    }

    fn finish(mut self) -> Result<File, ExportError> {
        let mut writer = BufWriter::with_capacity(1 << 16, self.file);
        self.workbook.save_to_writer(&mut writer)?;
        rewound(
            writer
                .into_inner()
                .map_err(std::io::IntoInnerError::into_error)?,
        )
    }
}

/// An array with an object for each row, in which nothing is left out.
#[derive(Debug)]
pub struct Json {
    writer: BufWriter<File>,
    /// Headings as JSON texts.
    keys: Vec<String>,
    any: bool,
}

impl Json {
    pub fn new(file: File) -> Self {
        Self {
            writer: BufWriter::with_capacity(1 << 16, file),
            keys: Vec::new(),
            any: false,
        }
    }
}

fn json_text(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

impl Sink for Json {
    type Done = File;

    fn head(&mut self, columns: &[Column]) -> Result<(), ExportError> {
        self.keys = columns
            .iter()
            .map(|column| json_text(&column.heading))
            .collect();
        Ok(self.writer.write_all(b"[")?)
    }

    fn row(&mut self, row: &[Cell]) -> Result<(), ExportError> {
        let mut separator = if std::mem::replace(&mut self.any, true) {
            ",\n{"
        } else {
            "\n{"
        };
        for (key, cell) in self.keys.iter().zip(row) {
            let value = match cell {
                Cell::Empty => "null".to_owned(),
                Cell::Text(text) => json_text(text),
                number => number.to_string(),
            };
            write!(self.writer, "{separator}{key}:{value}")?;
            separator = ",";
        }
        Ok(self.writer.write_all(b"}")?)
    }

    fn finish(mut self) -> Result<File, ExportError> {
        self.writer.write_all(b"\n]\n")?;
        rewound(
            self.writer
                .into_inner()
                .map_err(std::io::IntoInnerError::into_error)?,
        )
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use calamine::{Data, Reader, Xlsx as ReadXlsx, open_workbook_from_rs};

    use super::*;
    use crate::{Format as FileFormat, write_rows};

    fn dangerous() -> (Vec<Column>, Vec<Vec<Cell>>) {
        let columns = vec![
            Column::new("name", 10),
            Column::new("=cmd|' /C calc'!A0", 10),
        ];
        let rows = [
            "=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\rx", "\nx", "＝1", "a=1", "", "\u{1}",
            "a\"b,c",
        ]
        .map(|text| vec![Cell::text(text), Cell::Int(-5)]);
        (columns, rows.into())
    }

    fn bytes(format: FileFormat) -> Vec<u8> {
        let (columns, rows) = dangerous();
        let mut bytes = Vec::new();
        let mut file = write_rows(&columns, &rows, format).unwrap();
        file.read_to_end(&mut bytes).unwrap();
        bytes
    }

    #[test]
    fn no_text_becomes_a_formula_and_numbers_stay_numbers() {
        let csv = String::from_utf8(bytes(FileFormat::Csv { bom: false })).unwrap();
        let mut reader = csv::ReaderBuilder::new()
            .has_headers(false)
            .from_reader(csv.as_bytes());
        let records: Vec<_> = reader.records().map(Result::unwrap).collect();
        let first: Vec<_> = records
            .iter()
            .map(|record| record.get(0).unwrap())
            .collect();
        assert_eq!(
            first,
            [
                "name",
                "'=1+1",
                "'+1",
                "'-1",
                "'@SUM(A1)",
                "'\tx",
                "'\rx",
                "'\nx",
                "'＝1",
                "a=1",
                "",
                "\u{1}",
                "a\"b,c"
            ]
        );
        assert_eq!(
            records[0].get(1),
            Some("'=cmd|' /C calc'!A0"),
            "a heading is a text too"
        );
        assert!(
            records[1..]
                .iter()
                .all(|record| record.get(1) == Some("-5"))
        );
    }

    #[test]
    fn excel_gets_texts_and_numbers_as_they_are() {
        let (columns, rows) = dangerous();
        let file = bytes(FileFormat::Xlsx);
        let mut workbook: ReadXlsx<_> = open_workbook_from_rs(std::io::Cursor::new(file)).unwrap();
        assert!(
            workbook.worksheet_formula("Sheet1").unwrap().is_empty(),
            "there is no formula"
        );
        let range = workbook.worksheet_range("Sheet1").unwrap();
        assert_eq!(
            range.get((0, 1)),
            Some(&Data::String(columns[1].heading.clone()))
        );
        for (at, row) in rows.iter().enumerate() {
            let read = |column| range.get((at + 1, column)).cloned().unwrap_or_default();
            match &row[0] {
                Cell::Text(text) if !text.contains(char::is_control) => {
                    assert_eq!(read(0), Data::String(text.clone()))
                }
                Cell::Text(_) => assert!(matches!(read(0), Data::String(_)), "{:?}", read(0)),
                _ => assert_eq!(read(0), Data::Empty),
            }
            assert_eq!(read(1), Data::Float(-5.0));
        }
    }

    #[test]
    fn the_same_rows_are_the_same_bytes() {
        for format in [
            FileFormat::Csv { bom: true },
            FileFormat::Xlsx,
            FileFormat::Json,
        ] {
            assert_eq!(bytes(format), bytes(format), "{format:?}");
        }
    }

    #[test]
    fn a_byte_order_mark_is_written_when_asked_for() {
        assert!(bytes(FileFormat::Csv { bom: true }).starts_with(&[0xef, 0xbb, 0xbf]));
        assert!(bytes(FileFormat::Csv { bom: false }).starts_with(b"name"));
    }

    #[test]
    fn json_says_everything() {
        let json: Vec<serde_json::Value> =
            serde_json::from_slice(&bytes(FileFormat::Json)).unwrap();
        assert_eq!(json.len(), 12);
        assert_eq!(
            json[0]["name"], "=1+1",
            "JSON is read by programs, which calculate nothing"
        );
        assert_eq!(json[9]["name"], serde_json::Value::Null);
        assert_eq!(json[0]["=cmd|' /C calc'!A0"], -5);
    }

    #[test]
    fn a_sheet_of_excel_has_an_end() {
        let mut sink = Xlsx::new(fresh_file().unwrap()).unwrap();
        sink.head(&[Column::new("a", 5)]).unwrap();
        sink.rows = MOST_ROWS - 1;
        sink.row(&[Cell::Int(1)]).unwrap();
        assert!(matches!(
            sink.row(&[Cell::Int(1)]),
            Err(ExportError::TooManyRows)
        ));
    }
}

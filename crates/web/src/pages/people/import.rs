//! `/people/import`: employees from a CSV file. Checking it comes first; what was checked is what is then imported.

use askama::Template;
use axum::extract::multipart::MultipartError;
use axum::extract::{Multipart, State};
use axum::http::StatusCode;
use axum::response::Response;
use store::files::{self, EMPLOYEE_COLUMNS};
use store::people::{Imported, ImportedLine};
use store::views::board::full_name;

use crate::WebState;
use crate::error::{PageError, html};
use crate::pages::form::sentence;
use crate::session::Visitor;
use crate::ui::{Section, Ui};

/// Lines listed; the numbers above count all of them.
const LISTED: usize = 200;

#[derive(Template)]
#[template(path = "people_import.html")]
struct ImportPage<'a> {
    ui: &'a Ui,
    columns: &'a [&'a str],
    /// Why the file cannot be read at all.
    mistake: Option<String>,
    checked: Option<Checked>,
    done: Option<Imported>,
}

/// A file that was read, and what importing it would do.
struct Checked {
    /// The file itself, sent again with the confirmation.
    text: String,
    result: Imported,
    lines: Vec<Line>,
    /// New and changed lines that are not in `lines`.
    more: usize,
}

struct Line {
    number: u64,
    code: String,
    name: String,
    /// Names of the columns that differ; `None` for a new person.
    changed: Option<String>,
}

impl Checked {
    fn new(file: &[u8], result: Imported) -> Self {
        let line = |line: &ImportedLine| Line {
            number: line.line,
            code: line.code.clone(),
            name: full_name(&line.first_name, &line.last_name),
            changed: line.changed.as_ref().map(|columns| columns.join(", ")),
        };
        Self {
            // It was read as UTF-8 already.
            text: String::from_utf8_lossy(file).into_owned(),
            lines: result.lines.iter().take(LISTED).map(line).collect(),
            more: result.lines.len().saturating_sub(LISTED),
            result,
        }
    }
}

impl<'a> ImportPage<'a> {
    fn new(ui: &'a Ui) -> Self {
        Self {
            ui,
            columns: EMPLOYEE_COLUMNS,
            mistake: None,
            checked: None,
            done: None,
        }
    }
}

pub(super) async fn show(
    State(state): State<WebState>,
    visitor: Visitor,
) -> Result<Response, PageError> {
    visitor.require(visitor.may().edit_people)?;
    html(&ImportPage::new(&visitor.ui(&state, Section::People)))
}

/// Without `confirm` everything is done and taken back again, so the check finds what the import would.
pub(super) async fn take(
    State(state): State<WebState>,
    visitor: Visitor,
    mut form: Multipart,
) -> Result<Response, PageError> {
    visitor.require(visitor.may().edit_people)?;
    let (mut file, mut confirmed) = (Vec::new(), false);
    while let Some(field) = form.next_field().await.map_err(refused)? {
        match field.name() {
            // The second is the file that was checked: browsers send the line ends of text areas as CR LF, which is as good.
            Some("file" | "text") => file = field.bytes().await.map_err(refused)?.to_vec(),
            Some("confirm") => confirmed = true,
            _ => {}
        }
    }
    let ui = visitor.ui(&state, Section::People);
    let mut page = ImportPage::new(&ui);
    let rows = match files::read_employees(file.as_slice()) {
        Ok(rows) => rows,
        Err(error) => {
            page.mistake = Some(sentence(&error));
            return html(&page);
        }
    };
    let tx = state.store.begin_write().await?;
    let result = tx.import_employees(&rows, visitor.author(&state)).await?;
    if confirmed && result.errors.is_empty() {
        tx.commit().await?;
        state.engine.edited();
        page.done = Some(result);
        return html(&page);
    }
    tx.rollback().await?;
    page.checked = Some(Checked::new(&file, result));
    html(&page)
}

fn refused(error: MultipartError) -> PageError {
    match error.status() {
        StatusCode::PAYLOAD_TOO_LARGE => PageError::TooLarge,
        _ => PageError::BadRequest(error.body_text()),
    }
}

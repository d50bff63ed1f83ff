//! `/import/{kind}`: rosters, holidays and leave from CSV files. Checking comes first; what was checked is what is then imported.

use askama::Template;
use axum::extract::multipart::MultipartError;
use axum::extract::{Multipart, Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use store::WriteTx;
use store::audit::Author;
use store::files::{FileError, Line};
use store::planning_files::{
    HOLIDAY_COLUMNS, LEAVE_COLUMNS, PlanningImport, ROSTER_COLUMNS, read_holidays, read_leave,
    read_roster,
};

use super::super::form::sentence;
use crate::WebState;
use crate::error::{PageError, html};
use crate::session::Visitor;
use crate::text::{Msg, msg};
use crate::ui::{Section, Ui};

/// Which file, by the part of its address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Roster,
    Holidays,
    Leave,
}

impl Kind {
    fn of(text: &str) -> Result<Self, PageError> {
        match text {
            "roster" => Ok(Self::Roster),
            "holidays" => Ok(Self::Holidays),
            "leave" => Ok(Self::Leave),
            _ => Err(PageError::NotFound),
        }
    }

    fn columns(self) -> &'static [&'static str] {
        match self {
            Self::Roster => ROSTER_COLUMNS,
            Self::Holidays => HOLIDAY_COLUMNS,
            Self::Leave => LEAVE_COLUMNS,
        }
    }

    fn read(self, file: &[u8]) -> Result<Vec<Line>, FileError> {
        match self {
            Self::Roster => read_roster(file),
            Self::Holidays => read_holidays(file),
            Self::Leave => read_leave(file),
        }
    }

    async fn import(
        self,
        tx: &WriteTx,
        lines: &[Line],
        author: Author,
    ) -> Result<PlanningImport, PageError> {
        Ok(match self {
            Self::Roster => tx.import_roster(lines, author).await?,
            Self::Holidays => tx.import_holidays(lines, author).await?,
            Self::Leave => tx.import_leave(lines, author).await?,
        })
    }

    fn title(self) -> Msg {
        match self {
            Self::Roster => msg("import-roster"),
            Self::Holidays => msg("import-holidays"),
            Self::Leave => msg("import-leave"),
        }
    }

    fn hint(self) -> Msg {
        match self {
            Self::Roster => msg("import-roster-hint"),
            Self::Holidays => msg("import-holidays-hint"),
            Self::Leave => msg("import-leave-hint"),
        }
    }

    /// The page with what is imported.
    fn back(self) -> (&'static str, Msg) {
        match self {
            Self::Roster => ("/roster", msg("roster")),
            Self::Holidays | Self::Leave => ("/calendar", msg("calendar")),
        }
    }
}

#[derive(Template)]
#[template(path = "planning_import.html")]
struct ImportPage<'a> {
    ui: &'a Ui,
    title: Msg,
    hint: Msg,
    back: (&'static str, Msg),
    action: String,
    columns: &'a [&'a str],
    /// Why the file cannot be read at all.
    mistake: Option<String>,
    /// The file itself, sent again with the confirmation, and what importing it would do.
    checked: Option<(String, PlanningImport)>,
    done: Option<PlanningImport>,
}

impl<'a> ImportPage<'a> {
    fn new(ui: &'a Ui, kind: Kind, path: &str) -> Self {
        Self {
            ui,
            title: kind.title(),
            hint: kind.hint(),
            back: kind.back(),
            action: format!("/import/{path}"),
            columns: kind.columns(),
            mistake: None,
            checked: None,
            done: None,
        }
    }
}

pub(super) async fn show(
    State(state): State<WebState>,
    visitor: Visitor,
    Path(path): Path<String>,
) -> Result<Response, PageError> {
    visitor.require(visitor.may().plan)?;
    let kind = Kind::of(&path)?;
    let ui = visitor.ui(&state, Section::Planning);
    html(&ImportPage::new(&ui, kind, &path))
}

/// Without `confirm` everything is done and taken back again, so the check finds what the import would.
pub(super) async fn take(
    State(state): State<WebState>,
    visitor: Visitor,
    Path(path): Path<String>,
    mut form: Multipart,
) -> Result<Response, PageError> {
    visitor.require(visitor.may().plan)?;
    let kind = Kind::of(&path)?;
    let (mut file, mut confirmed) = (Vec::new(), false);
    while let Some(field) = form.next_field().await.map_err(refused)? {
        match field.name() {
            // The second is the file that was checked: browsers send the line ends of text areas as CR LF, which is as good.
            Some("file" | "text") => file = field.bytes().await.map_err(refused)?.to_vec(),
            Some("confirm") => confirmed = true,
            _ => {}
        }
    }
    let ui = visitor.ui(&state, Section::Planning);
    let lines = match kind.read(&file) {
        Ok(lines) => lines,
        Err(error) => {
            let mut page = ImportPage::new(&ui, kind, &path);
            page.mistake = Some(sentence(&error));
            return html(&page);
        }
    };
    let tx = state.store.begin_write().await?;
    let result = kind.import(&tx, &lines, visitor.author(&state)).await?;
    if confirmed && result.errors.is_empty() {
        tx.commit().await?;
        state.engine.edited();
        let mut page = ImportPage::new(&ui, kind, &path);
        page.done = Some(result);
        return html(&page);
    }
    tx.rollback().await?;
    let mut page = ImportPage::new(&ui, kind, &path);
    // It was read as UTF-8 already.
    page.checked = Some((String::from_utf8_lossy(&file).into_owned(), result));
    html(&page)
}

fn refused(error: MultipartError) -> PageError {
    match error.status() {
        StatusCode::PAYLOAD_TOO_LARGE => PageError::TooLarge,
        _ => PageError::BadRequest(error.body_text()),
    }
}

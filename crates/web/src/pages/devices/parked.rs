//! `/devices/{serial}/parked`: what a terminal sent and nobody could understand, record by record. For who may edit devices: a
//! record may hold anything, a password too.

use askama::Template;
use attendance::DeviceId;
use axum::Router;
use axum::extract::{Path, Query};
use axum::response::{Redirect, Response};
use axum::routing::{get, post};
use serde::Deserialize;
use store::views::devices::{self, DeviceRow, ParkedBytes};

use super::known;
use super::operations::{Operator, page_of};
use crate::WebState;
use crate::error::{PageError, html};
use crate::format;
use crate::pages::form::sentence;
use crate::session::{Outcome, Told};
use crate::text::msg;
use crate::ui::{Section, Ui};

pub(in crate::pages) fn routes() -> Router<WebState> {
    Router::new()
        .route("/devices/{serial}/parked", get(list))
        .route("/devices/{serial}/parked/again", post(again))
}

/// Records on one page.
const PAGE: i64 = 100;

#[derive(Deserialize)]
pub(crate) struct ParkedQuery {
    page: Option<i64>,
}

#[derive(Template)]
#[template(path = "device_parked.html")]
struct ParkedPage<'a> {
    ui: &'a Ui,
    device: &'a DeviceRow,
    records: Vec<Record>,
    all: i64,
    told: Option<Outcome>,
    previous: Option<String>,
    next: Option<String>,
}

struct Record {
    bytes: String,
    reason: String,
    way: String,
    first: String,
    last: String,
    count: i64,
}

async fn list(
    operator: Operator,
    Path(serial): Path<String>,
    Query(query): Query<ParkedQuery>,
    Told(told): Told,
) -> Result<Response, PageError> {
    let state = &operator.state;
    let device = known(state, &serial).await?;
    let ui = &operator.visitor.ui(state, Section::Devices);
    let zone = format::zone(&device.zone);
    let page = query.page.unwrap_or(1).clamp(1, i64::MAX / PAGE - 1);
    // One more than is shown tells whether there are more.
    let skip = (page - 1) * PAGE;
    let mut rows = devices::parked_bytes(&state.store, device.id, PAGE + 1, skip).await?;
    let more = rows.len() as i64 > PAGE;
    rows.truncate(PAGE as usize);
    let moment = |ms: i64| format::moment(format::instant(ms), ui.now, &zone);
    let record = |row: ParkedBytes| Record {
        bytes: visible(&row.bytes),
        reason: sentence(&row.reason),
        way: msg(format!("way-{}", row.way)).to_string(),
        first: moment(row.first_ms),
        last: moment(row.last_ms),
        count: row.count,
    };
    let link = |page: i64| format!("{}?page={page}", list_of(&device));
    html(&ParkedPage {
        ui,
        records: rows.into_iter().map(record).collect(),
        all: devices::kept(&state.store, device.id).await?.parked,
        told,
        previous: (page > 1).then(|| link(page - 1)),
        next: more.then(|| link(page + 1)),
        device: &device,
    })
}

fn list_of(device: &DeviceRow) -> String {
    format!("{}/parked", page_of(device))
}

/// Has everything that is set aside read again, by what this version understands.
async fn again(operator: Operator, Path(serial): Path<String>) -> Result<Redirect, PageError> {
    let state = &operator.state;
    let device = known(state, &serial).await?;
    let tried = crate::push::retry_parked(state, DeviceId(device.id)).await?;
    let (understood, left) = tried;
    let page = list_of(&device);
    let left = msg("parked-left").count("left", left);
    let outcome = match understood {
        0 => Outcome::not_done(&page, msg("parked-nothing"), left),
        _ => {
            let title = msg("parked-understood").count("records", understood);
            Outcome::done(&page, title, left)
        }
    };
    operator.tell(&outcome).await
}

/// Bytes as text: what is no letter, digit, sign or blank is written out, and nothing turns the text around or ends it.
fn visible(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '\t' => text.push_str("\\t"),
                '\r' => text.push_str("\\r"),
                '\n' => text.push_str("\\n"),
                '\\' => text.push_str("\\\\"),
                c if c.is_ascii_control() => text.push_str(&format!("\\x{:02x}", u32::from(c))),
                c if c.is_control() || is_unseen(c) => {
                    text.push_str(&format!("\\u{{{:x}}}", u32::from(c)))
                }
                c => text.push(c),
            }
        }
        for byte in chunk.invalid() {
            text.push_str(&format!("\\x{byte:02x}"));
        }
    }
    text
}

/// Blanks of no width, marks of direction, and other characters that only change their neighbours.
fn is_unseen(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_shown_and_never_act() {
        assert_eq!(
            visible(b"1\t2026-05-12 08:41:00\r\n"),
            "1\\t2026-05-12 08:41:00\\r\\n"
        );
        assert_eq!(
            visible(b"\0\x1b[2J\x7f\xff\xfe\\"),
            "\\x00\\x1b[2J\\x7f\\xff\\xfe\\\\"
        );
        assert_eq!(visible("Asma <b>أسماء".as_bytes()), "Asma <b>أسماء");
        assert_eq!(
            visible("a\u{202e}b\u{200b}\u{85}".as_bytes()),
            "a\\u{202e}b\\u{200b}\\u{85}"
        );
    }
}

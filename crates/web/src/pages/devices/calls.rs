//! The card of a device that calls: when and how it does, what it uploaded, what it holds against what is kept, and what
//! happened at it besides.

use attendance::DeviceId;
use store::entities::{device_calls, device_notices, device_uploads};
use store::views::devices::DeviceRow;

use ingest::DeviceKind;

use super::is_of;
use crate::WebState;
use crate::devices;
use crate::error::PageError;
use crate::format::{self, Ago};
use crate::text::{Msg, msg};
use crate::ui::Ui;

/// Contents and notices in the lists.
const CONTENTS: usize = 40;
const NOTICES: usize = 12;
/// So often the same upload came again when it is worth a word.
const REPEATS: i64 = 2;

pub(super) struct Card {
    /// `None` before the first call.
    pub last: Option<Ago>,
    pub facts: Vec<(String, String)>,
    pub uploads: Vec<UploadLine>,
    pub notices: Vec<NoticeLine>,
    /// Notices that are not in the list.
    pub more: usize,
}

pub(super) struct UploadLine {
    pub content: String,
    pub uploads: i64,
    pub lines: i64,
    pub new: i64,
    pub known: i64,
    pub parked: i64,
    pub last: String,
    /// How often in a row the last one came.
    pub repeated: Option<Msg>,
}

pub(super) struct NoticeLine {
    pub title: String,
    pub detail: String,
    pub when: String,
    pub times: Option<Msg>,
}

/// `None` for a device that does not call.
pub(super) async fn card(
    state: &WebState,
    device: &DeviceRow,
    ui: &Ui,
) -> Result<Option<Card>, PageError> {
    if !devices::calls(device) {
        return Ok(None);
    }
    let id = DeviceId(device.id);
    let calls = state.store.calls_of(id).await?;
    let kept = state.store.kept_records(id).await?;
    let zone = format::zone(&device.zone);
    let moment = |ms: i64| format::moment(format::instant(ms), ui.now, &zone);
    let upload = |row: device_uploads::Model| UploadLine {
        content: row.content,
        uploads: row.uploads,
        lines: row.lines,
        new: row.new,
        known: row.duplicate,
        parked: row.parked,
        last: moment(row.last_ms),
        repeated: (row.repeated >= REPEATS)
            .then(|| msg("upload-repeated").count("times", row.repeated + 1)),
    };
    let uploads = state.store.uploads_of(id).await?;
    let notices = state.store.notices_of(id).await?;
    let all = notices.len();
    let notices = notices.into_iter().take(NOTICES);
    let notices: Vec<_> = notices.map(|row| notice(row, &moment)).collect();
    Ok(Some(Card {
        last: calls.as_ref().map(|calls| Ago {
            at: format::instant(calls.last_ms),
            now: ui.now,
            zone: zone.clone(),
        }),
        facts: match &calls {
            // It is told nothing when it calls, and tells no count.
            Some(calls) if !is_of(device, DeviceKind::fetches_orders) => {
                vec![(msg("calls-from").to_string(), calls.address.clone())]
            }
            Some(calls) => facts(calls, device, kept, &moment),
            None => Vec::new(),
        },
        uploads: uploads.into_iter().take(CONTENTS).map(upload).collect(),
        more: all - notices.len(),
        notices,
    }))
}

fn facts(
    calls: &device_calls::Model,
    device: &DeviceRow,
    kept: i64,
    moment: &impl Fn(i64) -> String,
) -> Vec<(String, String)> {
    let every = jiff::SignedDuration::from_secs(calls.delay_s);
    let own = calls.own_address.as_ref();
    let speaks = speaks(&calls.dialect);
    let one_by_one = calls
        .one_by_one
        .then(|| msg("calls-one-by-one-text").to_string());
    let told = calls.told_ms.zip(device.record_count);
    let records = match told {
        None => msg("calls-not-told"),
        Some((at, records)) => {
            let missing = records + calls.surplus.unwrap_or(0) - kept;
            let key = match missing {
                1.. => "calls-records-missing",
                _ => "calls-records",
            };
            msg(key)
                .count("records", records)
                .with("time", moment(at))
                .count("kept", kept)
                .count("missing", missing)
        }
    };
    [
        ("from", Some(calls.address.clone())),
        (
            "own-address",
            own.filter(|own| **own != calls.address).cloned(),
        ),
        ("speaks", speaks),
        ("every", Some(format::duration(every))),
        ("one-by-one", one_by_one),
        ("holds", Some(records.to_string())),
    ]
    .into_iter()
    .filter_map(|(key, value)| Some((msg(format!("calls-{key}")).to_string(), value?)))
    .collect()
}

/// Which language, as far as whoever talks with it says that.
fn speaks(dialect: &str) -> Option<String> {
    let dialect: serde_json::Value = serde_json::from_str(dialect).ok()?;
    let words = ["family", "version"].into_iter();
    let words = words.filter_map(|key| dialect.get(key)?.as_str());
    let text = words.collect::<Vec<_>>().join(" ");
    (!text.is_empty()).then_some(text)
}

fn notice(row: device_notices::Model, moment: &impl Fn(i64) -> String) -> NoticeLine {
    NoticeLine {
        title: title(&row.kind),
        detail: row.detail,
        when: moment(row.last_ms),
        times: (row.count > 1).then(|| {
            msg("call-notice-times")
                .count("times", row.count)
                .with("time", moment(row.first_ms))
        }),
    }
}

/// In words; a kind that this program does not know stays as it is.
fn title(kind: &str) -> String {
    match kind {
        "another_network" | "cannot_check" | "unknown_table" | "key_exchange" | "log_cleared"
        | "clock_set" | "factory_reset" | "server_changed" | "wrong_key" | "other_product"
        | "another_hardware" | "events_missing" | "told_again" | "not_understood" => {
            msg(format!("call-notice-{kind}")).to_string()
        }
        other => other.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_of_a_language_is_shown() {
        let said = |dialect| speaks(dialect).unwrap_or_default();
        assert_eq!(
            said(r#"{"family":"attendance","version":"2.4.1","x":1}"#),
            "attendance 2.4.1"
        );
        assert_eq!(said(r#"{"version":"2.4.1"}"#), "2.4.1");
        for nothing in ["", "{}", "[]", "2.4.1", r#"{"family":7}"#] {
            assert_eq!(said(nothing), "", "{nothing}");
        }
    }
}

//! Punches as devices recorded them, by device and instant.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use store::ReadTx;
use store::views::sheet::{self, PunchSpan, Scope, SheetDevice, SheetPunch};
use tokio::sync::mpsc;

use crate::{Cell, Column, ExportError, Rows, hand_over};

/// Punches in memory at the same time.
const TOGETHER: i64 = 2000;

pub(crate) fn columns() -> Vec<Column> {
    [
        ("device_serial", 18),
        ("device", 18),
        ("user_id", 12),
        ("device_clock", 19),
        ("device_zone", 18),
        ("shifted_clock", 19),
        ("instant_utc", 21),
        ("received_utc", 21),
        ("way", 8),
        ("state", 10),
        ("verify", 10),
        ("suspect", 8),
        ("employee_code", 14),
        ("name", 24),
        ("punch_id", 10),
    ]
    .map(|(heading, width)| Column::new(heading, width))
    .into()
}

fn row(device: &SheetDevice, punch: SheetPunch) -> Vec<Cell> {
    let name = [punch.first_name, punch.last_name];
    let name: Vec<String> = name.into_iter().flatten().collect();
    vec![
        Cell::text(&*device.serial_number),
        Cell::text(&*device.name),
        Cell::text(punch.user_id),
        Cell::text(punch.clock),
        Cell::text(punch.zone),
        Cell::text(punch.shifted.unwrap_or_default()),
        Cell::text(utc(punch.instant_ms)),
        Cell::text(utc(punch.received_ms)),
        Cell::text(punch.source),
        Cell::text(punch.state),
        Cell::text(punch.verify),
        Cell::Int(punch.suspect.into()),
        Cell::text(punch.code.unwrap_or_default()),
        Cell::text(name.join(" ").trim()),
        Cell::Int(punch.id),
    ]
}

/// `2026-05-12T03:58:30Z`.
fn utc(ms: i64) -> String {
    let at = Timestamp::from_millisecond(ms).unwrap_or(Timestamp::UNIX_EPOCH);
    at.to_string()
}

pub(crate) async fn read(
    tx: &ReadTx,
    from: Date,
    last: Date,
    scope: &Scope,
    to: &mpsc::Sender<Rows>,
) -> Result<(), ExportError> {
    for device in sheet::devices(tx, scope.site_id).await? {
        let zone = TimeZone::get(&device.zone).unwrap_or(TimeZone::UTC);
        let mut span = PunchSpan {
            device_id: device.id,
            from_ms: midnight(from, &zone),
            to_ms: midnight(last.saturating_add(1.day()), &zone),
            after: None,
            limit: TOGETHER,
        };
        loop {
            let part = sheet::punches(tx, &span, scope.department_id).await?;
            let Some(end) = part.last() else { break };
            span.after = Some((end.instant_ms, end.id));
            let rows = part.into_iter().map(|punch| row(&device, punch)).collect();
            hand_over(to, rows).await?;
        }
    }
    Ok(())
}

/// When a day begins at a site.
fn midnight(day: Date, zone: &TimeZone) -> i64 {
    let begins = day.to_zoned(zone.clone());
    begins.map_or(0, |begins| begins.timestamp().as_millisecond())
}

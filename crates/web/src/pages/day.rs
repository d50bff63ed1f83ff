//! `/day/{date}`: everybody employed on one workday, or as many of them as somebody leads. Filters are in the query string, so a
//! link shows the same rows again.

use std::collections::HashMap;

use askama::Template;
use axum::extract::{Path, Query, State};
use axum::response::{Redirect, Response};
use exports::{Export, Whose};
use jiff::civil::Date;
use serde::Deserialize;
use store::views::closing;
use store::views::day::{self, CorrectionRow, DayRow, Seen};
use store::views::devices;
use store::views::sheet::Scope;

use super::closing::closed_by;
use super::devices::form::site_choices;
use super::exports::{send, split_name};
use super::form::filled;
use super::remarks::Remarks;
use crate::WebState;
use crate::board::{Segment, path_part};
use crate::error::{PageError, html};
use crate::format::{self, Chip};
use crate::session::Visitor;
use crate::sight::Sight;
use crate::text::{Msg, msg};
use crate::ui::{Section, Ui};

/// Rows on one page.
const PAGE: usize = 50;
/// The filter that is no segment.
const EXCEPTIONS: &str = "exceptions";

#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct DayQuery {
    site: Option<i64>,
    /// Name of a segment, or `exceptions`.
    #[serde(default)]
    status: String,
    /// Empty or an id, as a select sends it.
    #[serde(default)]
    department: String,
    #[serde(default)]
    shift: String,
    #[serde(default)]
    device: String,
    /// Part of a name or code.
    #[serde(default)]
    q: String,
    #[serde(default)]
    sort: String,
    /// Empty or `mine`: the people somebody leads.
    #[serde(default)]
    team: String,
    page: Option<usize>,
    bom: Option<String>,
}

impl DayQuery {
    /// The same filters with one of them changed, as a query string. The page starts again.
    fn with(&self, name: &str, value: &str) -> String {
        let site = self.site.map(|site| site.to_string()).unwrap_or_default();
        let mut text = String::new();
        for (key, own) in [
            ("site", site.as_str()),
            ("status", &self.status),
            ("department", &self.department),
            ("shift", &self.shift),
            ("device", &self.device),
            ("q", &self.q),
            ("sort", &self.sort),
            ("team", &self.team),
            ("page", ""),
        ] {
            let value = if key == name { value } else { own };
            if !value.is_empty() {
                text.push(if text.is_empty() { '?' } else { '&' });
                text.push_str(&format!("{key}={}", path_part(value)));
            }
        }
        if text.is_empty() {
            "?".to_owned()
        } else {
            text
        }
    }
}

#[derive(Template)]
#[template(path = "day.html")]
struct DayPage<'a> {
    ui: &'a Ui,
    query: &'a DayQuery,
    date: Date,
    heading: Msg,
    caption: String,
    previous: Option<String>,
    next: Option<String>,
    chips: Vec<FilterChip>,
    sites: Vec<Choice>,
    departments: Vec<Choice>,
    shifts: Vec<Choice>,
    devices: Vec<Choice>,
    rows: Vec<Row>,
    columns: Vec<Column>,
    shown: String,
    pages: Vec<PageLink>,
    /// The files of these rows.
    csv: String,
    xlsx: String,
    /// The word of the filter that found nobody, for the empty table.
    empty: String,
    clear: String,
    /// By whom the day was closed, for all that is shown or for some departments.
    closed_by: Vec<Msg>,
    /// Nothing of it can be corrected.
    closed: bool,
}

struct FilterChip {
    href: String,
    class: String,
    label: Msg,
    count: usize,
    pressed: bool,
}

pub(super) struct Choice {
    pub value: String,
    pub name: String,
    pub chosen: bool,
}

struct Column {
    key: &'static str,
    label: Msg,
    class: &'static str,
    sorted: bool,
    /// How it is sorted, as `aria-sort` says it.
    order: &'static str,
    href: Option<String>,
}

struct PageLink {
    number: usize,
    href: String,
    current: bool,
}

struct Row {
    id: i64,
    code: String,
    href: String,
    name: String,
    department: String,
    chip: Chip,
    first_in: String,
    last_out: String,
    missing_out: bool,
    worked: String,
    late: String,
    notes: Vec<String>,
    device: String,
}

fn segment(row: &DayRow) -> Segment {
    Segment::of(row.status.as_deref(), row.late_min.unwrap_or(0))
}

/// Words of a comma-separated set.
pub(crate) fn words(list: &str) -> impl Iterator<Item = &str> {
    list.split(',')
        .map(str::trim)
        .filter(|word| !word.is_empty())
}

fn has_exceptions(row: &DayRow) -> bool {
    words(row.exceptions.as_deref().unwrap_or_default())
        .next()
        .is_some()
}

/// What needs a decision comes first.
fn rank(row: &DayRow) -> u8 {
    match segment(row) {
        Segment::Absent | Segment::NotArrived => 0,
        _ if has_exceptions(row) => 1,
        Segment::Unknown => 2,
        Segment::HalfDay => 3,
        Segment::Late => 4,
        Segment::OnTime => 5,
        Segment::NotDue => 6,
        Segment::OnLeave => 7,
        Segment::WeeklyOff => 8,
        Segment::Holiday => 9,
    }
}

/// `/day`: the day it is at the site.
pub(crate) async fn today(
    State(state): State<WebState>,
    visitor: Visitor,
    Query(mut query): Query<DayQuery>,
) -> Result<Redirect, PageError> {
    let sight = Sight::of(&state, &visitor, &query.team).await?;
    let frame = state.boards.frame();
    let site = sight.site(&frame, query.site);
    query.site = site.map(|site| site.id);
    let zone = site.map_or_else(|| frame.zone(), |site| format::zone(&site.zone));
    let date = state.clock.now().to_zoned(zone).date();
    let filters = query.with("page", "");
    Ok(Redirect::to(&format!("/day/{date}{filters}")))
}

pub(crate) async fn show(
    State(state): State<WebState>,
    visitor: Visitor,
    Path(date): Path<String>,
    Query(mut query): Query<DayQuery>,
) -> Result<Response, PageError> {
    let sight = Sight::of(&state, &visitor, &query.team).await?;
    let (name, file) = split_name(&date, query.bom.is_some());
    let date: Date = name.parse().map_err(|_| PageError::NotFound)?;
    let ui = visitor.ui(&state, Section::Day);
    let frame = state.boards.frame();
    let site = sight.site(&frame, query.site);
    query.site = site.map(|site| site.id);
    let zone = site.map_or(ui.zone.clone(), |site| format::zone(&site.zone));
    let text = date.to_string();
    let midnight = |date: Date| {
        let start = date
            .to_zoned(zone.clone())
            .map_err(|_| PageError::NotFound)?;
        Ok::<_, PageError>(start.timestamp().as_millisecond())
    };
    let (from_ms, to_ms) = (
        midnight(date)?,
        midnight(date.saturating_add(jiff::Span::new().days(2)))?,
    );

    let mut rows = day::rows(&state.store, query.site, &text).await?;
    rows.retain(|row| sight.sees(row.id));
    let all_devices = devices::list(&state.store, query.site).await?;
    let departments = choices(
        rows.iter()
            .filter_map(|row| Some((row.department_id?.to_string(), row.department.clone()?))),
        &query.department,
    );
    let shifts = choices(
        rows.iter()
            .filter_map(|row| filled(row.shift.as_deref()?))
            .map(|shift| (shift.clone(), shift)),
        &query.shift,
    );
    let device_choices = choices(
        all_devices
            .iter()
            .map(|device| (device.id.to_string(), device.name.clone())),
        &query.device,
    );

    // Every filter but the status, so that the counts on the chips say what a chip would show.
    let search = query.q.trim().to_lowercase();
    rows.retain(|row| {
        (query.department.is_empty()
            || row
                .department_id
                .is_some_and(|id| id.to_string() == query.department))
            && (query.shift.is_empty() || row.shift.as_deref() == Some(&query.shift))
            && (search.is_empty()
                || row.name().to_lowercase().contains(&search)
                || row.code.to_lowercase().contains(&search))
    });
    if let Ok(device) = query.device.parse::<i64>() {
        let seen = day::seen(&state.store, from_ms, to_ms).await?;
        let first = first_devices(&rows, &seen);
        rows.retain(|row| first.get(&row.id) == Some(&device));
    }
    let chips = filter_chips(&rows, &query, &text);
    let exceptions = query.status == EXCEPTIONS;
    rows.retain(|row| {
        query.status.is_empty()
            || (exceptions && has_exceptions(row))
            || segment(row).name() == query.status
    });
    match query.sort.as_str() {
        "name" => {}
        "first_in" => rows.sort_by_key(|row| (row.first_in.is_none(), row.first_in.clone())),
        "late" => rows.sort_by_key(|row| std::cmp::Reverse(row.late_min)),
        _ => rows.sort_by_key(rank),
    }
    if let Some(format) = file {
        let whose = Whose::Ids(rows.iter().map(|row| row.id).collect());
        return send(&state, &Export::Day { day: date, whose }, format).await;
    }

    let total = rows.len();
    let page = query
        .page
        .unwrap_or(1)
        .clamp(1, total.div_ceil(PAGE).max(1));
    let start = (page - 1) * PAGE;
    let shown: Vec<DayRow> = rows.into_iter().skip(start).take(PAGE).collect();
    let ids: Vec<i64> = shown.iter().map(|row| row.id).collect();
    let seen = day::seen_of(&state.store, &ids, from_ms, to_ms).await?;
    let first = first_devices(&shown, &seen);
    let tomorrow = date.tomorrow().unwrap_or(date).to_string();
    let said = day::corrections(&state.store, &ids, &text, &tomorrow).await?;
    let name = |id: &i64| {
        let device = all_devices.iter().find(|device| device.id == *id);
        device.map(|device| device.name.clone()).unwrap_or_default()
    };
    let rows = shown
        .into_iter()
        .map(|one| {
            let device = first.get(&one.id).map(name).unwrap_or_default();
            let said: Vec<_> = said
                .iter()
                .filter(|entry| entry.employee_id == one.id)
                .collect();
            row(one, device, &said, date)
        })
        .collect();

    let today = ui.now.to_zoned(zone.clone()).date();
    let neighbour = |date: Result<Date, jiff::Error>| {
        date.ok()
            .map(|date| format!("/day/{date}{}", query.with("page", "")))
    };
    let department: Option<i64> = query.department.parse().ok();
    let scope = Scope {
        site_id: query.site,
        department_id: department,
    };
    let mut periods = closing::periods(&state.store, &scope, &text, &text).await?;
    periods.retain(|one| one.reopened_ms.is_none() && sight.sees_department(one.department_id));
    html(&DayPage {
        closed: periods
            .iter()
            .any(|one| one.department.is_none() || department.is_some()),
        closed_by: periods
            .iter()
            .map(|one| match (&one.department, department) {
                (Some(name), None) => msg("close-of-department")
                    .with("department", name)
                    .with("closed", closed_by(one, &zone, today)),
                _ => closed_by(one, &zone, today),
            })
            .collect(),
        date,
        heading: format::long_date(date),
        caption: site.map(|site| site.name.clone()).unwrap_or_default(),
        previous: neighbour(date.yesterday()),
        next: neighbour(date.tomorrow()).filter(|_| date < today),
        chips,
        sites: sites_seen(&state, &sight, query.site),
        departments,
        shifts,
        devices: device_choices,
        columns: columns(&query),
        csv: format!("/day/{date}.csv{}", query.with("page", "")),
        xlsx: format!("/day/{date}.xlsx{}", query.with("page", "")),
        shown: if total == 0 {
            String::new()
        } else {
            msg("rows-shown")
                .count("from", start + 1)
                .count("to", (start + PAGE).min(total))
                .count("all", total)
                .to_string()
        },
        pages: (1..=total.div_ceil(PAGE))
            .filter(|number| {
                *number == 1 || number.abs_diff(page) <= 3 || *number == total.div_ceil(PAGE)
            })
            .map(|number| PageLink {
                number,
                href: query.with("page", &number.to_string()),
                current: number == page,
            })
            .filter(|_| total > PAGE)
            .collect(),
        empty: if query.status.is_empty() {
            msg("day-empty").to_string()
        } else {
            let word = match exceptions {
                true => msg("day-exceptions"),
                false => msg(format!("segment-{}", known_segment(&query.status))),
            };
            msg("day-empty-status")
                .with("status", word)
                .with("date", format::day_and_month(date, today))
                .to_string()
        },
        clear: {
            let all = DayQuery {
                site: query.site,
                team: query.team.clone(),
                ..DayQuery::default()
            };
            format!("/day/{date}{}", all.with("page", ""))
        },
        rows,
        query: &query,
        ui: &ui,
    })
}

/// The sites where somebody to be seen works, for choosing.
pub(super) fn sites_seen(state: &WebState, sight: &Sight, chosen: Option<i64>) -> Vec<Choice> {
    let mut sites = site_choices(state, chosen.unwrap_or(0));
    sites.retain(|one| one.value.parse().is_ok_and(|id| sight.sees_site(id)));
    sites
}

/// A segment's name from a query, or that of the first one for anything else.
fn known_segment(name: &str) -> &'static str {
    let found = Segment::ALL
        .into_iter()
        .find(|segment| segment.name() == name);
    found.unwrap_or(Segment::OnTime).name()
}

/// Each pair once, in order of name.
fn choices(pairs: impl Iterator<Item = (String, String)>, chosen: &str) -> Vec<Choice> {
    let mut pairs: Vec<(String, String)> = pairs.map(|(value, name)| (name, value)).collect();
    pairs.sort();
    pairs.dedup();
    pairs
        .into_iter()
        .map(|(name, value)| Choice {
            chosen: value == chosen,
            value,
            name,
        })
        .collect()
}

/// The device of each person's first in.
fn first_devices(rows: &[DayRow], seen: &[Seen]) -> HashMap<i64, i64> {
    let mut by_instant = HashMap::new();
    for punch in seen {
        by_instant.insert((punch.employee_id, punch.instant_ms), punch.device_id);
    }
    rows.iter()
        .filter_map(|row| Some((row.id, *by_instant.get(&(row.id, row.first_in_ms?))?)))
        .collect()
}

fn filter_chips(rows: &[DayRow], query: &DayQuery, day: &str) -> Vec<FilterChip> {
    let chip = |status: &str, class: &str, label: Msg, count: usize| FilterChip {
        href: format!("/day/{day}{}", query.with("status", status)),
        class: class.to_owned(),
        label,
        count,
        pressed: query.status == status,
    };
    let mut chips = vec![chip("", "", msg("day-all"), rows.len())];
    for segment_ in Segment::ALL {
        let count = rows.iter().filter(|row| segment(row) == segment_).count();
        if count > 0 || query.status == segment_.name() {
            let class = format!("b-{}", segment_.colour());
            let label = msg(format!("segment-{}", segment_.name()));
            chips.push(chip(segment_.name(), &class, label, count));
        }
    }
    let exceptions = rows.iter().filter(|row| has_exceptions(row)).count();
    if exceptions > 0 || query.status == "exceptions" {
        chips.push(chip(
            "exceptions",
            "b-missing",
            msg("day-exceptions"),
            exceptions,
        ));
    }
    chips
}

fn columns(query: &DayQuery) -> Vec<Column> {
    let sorted = match query.sort.as_str() {
        known @ ("name" | "first_in" | "late") => known,
        _ => "status",
    };
    let column = |key: &'static str, label: Msg, class: &'static str, sorts: bool| Column {
        key,
        label,
        class,
        sorted: key == sorted,
        order: match key {
            "late" => "descending",
            "status" => "other",
            _ => "ascending",
        },
        href: sorts.then(|| query.with("sort", key)),
    };
    vec![
        column("name", msg("person"), "", true),
        column("department", msg("department"), "", false),
        column("status", msg("status"), "", true),
        column("first_in", msg("first-in"), "num", true),
        column("last_out", msg("last-out"), "num", false),
        column("worked", msg("worked"), "num", false),
        column("late", msg("late"), "num", true),
        column("note", msg("note"), "", false),
        column("device", msg("device"), "", false),
    ]
}

fn row(row: DayRow, device: String, said: &[&CorrectionRow], date: Date) -> Row {
    let remarks = Remarks {
        reason: row.reason.as_deref().unwrap_or_default(),
        leave_part: row.leave_part.as_deref().unwrap_or_default(),
        early_min: row.early_min.unwrap_or(0),
        overtime_min: row.overtime_min.unwrap_or(0),
        exceptions: row.exceptions.as_deref().unwrap_or_default(),
        pending: row.pending.as_deref().unwrap_or_default(),
    };
    let missing = remarks.missing();
    let chip = match row.status.as_deref() {
        Some(status) => Chip::of(status, row.late_min.unwrap_or(0), missing, false),
        None => Chip::not_judged(),
    };
    let mut notes = remarks.texts();
    notes.extend(said.iter().map(|entry| correction_note(entry)));
    let positive = |minutes: Option<i64>| minutes.filter(|minutes| *minutes > 0);
    Row {
        id: row.id,
        href: format!("/people/{}?day={date}", path_part(&row.code)),
        name: row.name(),
        department: row.department.clone().unwrap_or_default(),
        chip,
        first_in: format::wall_minutes(row.first_in.as_deref().unwrap_or_default()).to_owned(),
        last_out: format::wall_minutes(row.last_out.as_deref().unwrap_or_default()).to_owned(),
        missing_out: missing == Some("missing_out"),
        worked: positive(row.worked_min)
            .map(format::minutes)
            .unwrap_or_default(),
        late: positive(row.late_min)
            .map(format::minutes)
            .unwrap_or_default(),
        notes,
        device,
        code: row.code,
    }
}

/// `Roll call 09:22, Marta Lindqvist: Gate 2 has failed`.
pub(super) fn correction_note(entry: &CorrectionRow) -> String {
    msg(format!("correction-{}", entry.kind))
        .with("time", format::wall_minutes(&entry.at))
        .with("author", entry.author.as_deref().unwrap_or("Muster"))
        .with("reason", &entry.reason)
        .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_is_a_link() {
        let query = DayQuery {
            site: Some(3),
            status: "late".into(),
            q: "a b&c".into(),
            page: Some(4),
            ..DayQuery::default()
        };
        assert_eq!(query.with("status", ""), "?site=3&q=a%20b%26c");
        assert_eq!(
            query.with("sort", "name"),
            "?site=3&status=late&q=a%20b%26c&sort=name"
        );
        assert_eq!(DayQuery::default().with("status", ""), "?");
    }

    #[test]
    fn words_of_a_set() {
        assert_eq!(
            words("missing_out, off_shift").collect::<Vec<_>>(),
            ["missing_out", "off_shift"]
        );
        assert_eq!(words("").count(), 0);
    }
}

//! What differs between two hand-overs of the same period.

use std::collections::BTreeMap;

use super::Line;
use crate::{Cell, Column};

/// A line that is not as it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    New(Line),
    Changed { before: Line, after: Line },
    Gone(Line),
}

impl Change {
    /// The person it is about.
    pub fn person(&self) -> &str {
        match self {
            Self::New(line) | Self::Gone(line) | Self::Changed { after: line, .. } => &line.person,
        }
    }
}

/// By person and code.
pub(super) fn between(before: &[Line], after: &[Line]) -> Vec<Change> {
    let by_key = |lines: &[Line]| -> BTreeMap<(String, String), Line> {
        let keyed = lines
            .iter()
            .map(|line| ((line.person.clone(), line.code.clone()), line.clone()));
        keyed.collect()
    };
    let (before, mut after) = (by_key(before), by_key(after));
    let mut changes = Vec::new();
    for (key, before) in before {
        match after.remove(&key) {
            Some(after) if after == before => {}
            Some(after) => changes.push((key, Change::Changed { before, after })),
            None => changes.push((key, Change::Gone(before))),
        }
    }
    changes.extend(
        after
            .into_iter()
            .map(|(key, line)| (key, Change::New(line))),
    );
    changes.sort_by(|(a, _), (b, _)| a.cmp(b));
    changes.into_iter().map(|(_, change)| change).collect()
}

/// The columns of a file of corrections.
pub fn correction_columns(headings: &[String]) -> Vec<Column> {
    let own = headings.iter().map(|heading| Column::new(&**heading, 16));
    std::iter::once(Column::new("correction", 11))
        .chain(own)
        .collect()
}

/// Its rows: a changed line as it was (`before`) and as it is (`after`), one that was added (`new`) or fell away (`gone`).
pub fn correction_rows(changes: &[Change]) -> Vec<Vec<Cell>> {
    let row = |word: &str, line: &Line| {
        let cells = line.cells.iter().cloned();
        std::iter::once(Cell::text(word)).chain(cells).collect()
    };
    changes
        .iter()
        .flat_map(|change| match change {
            Change::New(line) => vec![row("new", line)],
            Change::Gone(line) => vec![row("gone", line)],
            Change::Changed { before, after } => vec![row("before", before), row("after", after)],
        })
        .collect()
}

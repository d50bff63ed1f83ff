//! Replays what the fuzz targets keep in `fuzz/corpus`, so that what they once found stays fixed without nightly.

#[path = "../../../fuzz/checks.rs"]
mod checks;

use std::fs;
use std::path::Path;

fn replay(target: &str, at_least: usize, check: fn(&[u8])) {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus");
    let mut seen = 0;
    for file in fs::read_dir(corpus.join(target)).expect("a corpus") {
        let path = file.expect("a file of the corpus").path();
        println!("{}", path.display()); // shown when the check fails
        check(&fs::read(path).expect("a readable file"));
        seen += 1;
    }
    assert!(seen >= at_least, "{target} has only {seen} inputs");
}

#[test]
fn packets() {
    replay("packet", 40, checks::packet);
}

#[test]
fn records() {
    replay("records", 40, checks::records);
}

#[test]
fn push() {
    replay("push", 25, checks::push);
}

#[test]
fn events() {
    replay("events", 20, checks::events);
}

//! Replays what the fuzz targets keep in `fuzz/corpus`, so that what they once found stays fixed without nightly.

#[path = "../../../fuzz/hik_checks.rs"]
mod hik_checks;

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
fn multipart() {
    replay("hik_multipart", 20, hik_checks::multipart);
}

#[test]
fn challenge() {
    replay("hik_challenge", 12, hik_checks::challenge);
}

#[test]
fn event() {
    replay("hik_event", 15, hik_checks::event);
}

#[test]
fn sadp() {
    replay("hik_sadp", 10, hik_checks::sadp);
}

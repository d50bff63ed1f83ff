//! Replays what the fuzz target `sadp` keeps in `fuzz/corpus`, so that what it once found stays fixed without nightly.

#[path = "../../../fuzz/hik_sadp.rs"]
mod checks;

use std::fs;
use std::path::Path;

#[test]
fn sadp() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/sadp");
    let mut seen = 0;
    for file in fs::read_dir(corpus).expect("a corpus") {
        let path = file.expect("a file of the corpus").path();
        println!("{}", path.display()); // shown when the check fails
        checks::sadp(&fs::read(path).expect("a readable file"));
        seen += 1;
    }
    assert!(seen >= 8, "only {seen} inputs");
}

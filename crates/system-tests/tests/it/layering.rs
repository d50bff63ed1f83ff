//! The invariants of the architecture that show in the dependency graph or in the words of the sources.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Which of our crates each crate may use (outside its tests). `muster` and `system-tests` may use all.
const ARROWS: &[(&str, &[&str])] = &[
    ("zk-proto", &[]),
    ("hik-proto", &[]),
    ("attendance", &[]),
    ("simulators", &[]),
    ("terminals", &["attendance", "hik-proto", "zk-proto"]),
    ("store", &["attendance"]),
    ("exports", &["attendance", "store"]),
    ("ingest", &["attendance", "store", "terminals"]),
    (
        "web",
        &[
            "attendance",
            "exports",
            "hik-proto",
            "ingest",
            "store",
            "zk-proto",
        ],
    ),
];

/// Pure crates do no I/O of any kind.
const PURE: &[&str] = &["zk-proto", "hik-proto", "attendance"];
const IO_CRATES: &[&str] = &["axum", "hyper", "reqwest", "sea-orm", "sqlx", "tokio"];

#[test]
fn crates_use_only_the_crates_below_them() {
    let ours: BTreeSet<&str> = ARROWS
        .iter()
        .map(|(name, _)| *name)
        .chain(["muster", "system-tests"])
        .collect();
    for (name, allowed) in ARROWS {
        let used = dependencies(name);
        let wrong: Vec<_> = used
            .iter()
            .filter(|d| ours.contains(d.as_str()) && !allowed.contains(&d.as_str()))
            .collect();
        assert!(wrong.is_empty(), "{name} must not depend on {wrong:?}");
    }
}

#[test]
fn the_list_names_every_crate() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the crates folder");
    let found: BTreeSet<String> = std::fs::read_dir(folder)
        .expect("the crates folder can be read")
        .map(|entry| {
            entry
                .expect("an entry")
                .file_name()
                .into_string()
                .expect("a plain name")
        })
        .collect();
    let listed = ARROWS
        .iter()
        .map(|(name, _)| (*name).to_owned())
        .chain(["muster".into(), "system-tests".into()]);
    assert_eq!(found, listed.collect());
}

#[test]
fn pure_crates_do_no_io() {
    for name in PURE {
        let used = dependencies(name);
        let wrong: Vec<_> = used
            .iter()
            .filter(|d| IO_CRATES.contains(&d.as_str()))
            .collect();
        assert!(wrong.is_empty(), "{name} must not depend on {wrong:?}");
    }
}

#[test]
fn only_store_knows_the_database_and_only_terminals_connects() {
    for (name, _) in ARROWS {
        let used = dependencies(name);
        if *name != "store" {
            assert!(
                !used.contains("sea-orm") && !used.contains("sqlx"),
                "{name} must leave SQL to store"
            );
        }
        if *name != "terminals" {
            assert!(
                !used.contains("reqwest"),
                "{name} must leave connections to terminals"
            );
        }
    }
}

#[test]
fn only_exports_writes_excel() {
    for (name, _) in ARROWS.iter().filter(|(name, _)| *name != "exports") {
        let used = dependencies(name);
        assert!(
            !used.contains("rust_xlsxwriter"),
            "{name} must leave files of spreadsheets to exports"
        );
    }
}

#[test]
fn only_store_contains_sql() {
    // Commands of terminals read like it; a simulator has no database.
    let others = |name: &str| !["store", "simulators"].contains(&name);
    for (name, _) in ARROWS.iter().filter(|(name, _)| others(name)) {
        none_say(
            name,
            &["\"SELECT ", "\"INSERT INTO ", "\"UPDATE ", "\"DELETE FROM "],
        );
    }
}

/// Brands differ in `terminals` and the protocol crates; whoever stores and judges punches does not see it.
#[test]
fn rules_and_store_know_no_brand() {
    for name in ["attendance", "store"] {
        none_say(name, &["\"zk\"", "\"hik\"", "DeviceKind"]);
    }
    none_say(
        "ingest",
        &["\"zk\"", "\"hik\"", "DeviceKind::Zk", "DeviceKind::Hik"],
    );
}

/// A Hikvision terminal that is sent an empty list, or none, deletes everybody: one module knows the paths, and its lists are
/// never empty.
#[test]
fn one_module_makes_deletions() {
    let paths = [
        "Info/Delete",
        "InfoDetail/Delete?",
        "Search/Delete",
        "deleteUser",
    ];
    for (name, _) in ARROWS.iter().filter(|(name, _)| *name != "simulators") {
        for (path, text) in sources(name) {
            let allowed = path.ends_with("hik-proto/src/deletion.rs");
            let said = paths.iter().find(|said| text.contains(**said));
            assert!(
                allowed || said.is_none(),
                "{} says {said:?}",
                path.display()
            );
        }
    }
}

/// P4: what is derived from a punch may be rewritten (zone and instant, by how much a person shifts it, whether it is doubted, whose
/// it is, the state by the best way), what the device
/// said never; and no punch goes.
#[test]
fn punches_are_neither_edited_nor_deleted() {
    none_say(
        "store",
        &[
            "DELETE FROM punches",
            "punches::Entity::delete",
            "punches::Entity::update",
        ],
    );
    let mut derived = vec![
        "UPDATE punches SET zone = $1, instant_ms = r.instant_ms, suspect = r.suspect FROM",
        "UPDATE punches SET shift_id = r.shift_id, shifted = r.shifted, zone = r.zone, instant_ms = r.instant_ms",
        "UPDATE punches SET employee_id = $2 WHERE",
        "UPDATE punches SET state = {best} WHERE",
    ];
    for (path, text) in sources("store") {
        for (at, _) in text.match_indices("UPDATE punches SET") {
            let known = derived
                .iter()
                .position(|known| text[at..].starts_with(known));
            let Some(known) = known else {
                panic!("{} changes punches in a new way", path.display());
            };
            derived.remove(known);
        }
    }
    assert_eq!(
        derived,
        Vec::<&str>::new(),
        "no longer there: strike them from this test"
    );
}

/// What a crate ships says none of these words. Its tests may.
#[track_caller]
fn none_say(name: &str, words: &[&str]) {
    for (path, text) in sources(name) {
        let found: Vec<_> = words.iter().filter(|word| text.contains(**word)).collect();
        assert!(found.is_empty(), "{} says {found:?}", path.display());
    }
}

/// The sources of a crate without their tests.
fn sources(name: &str) -> Vec<(PathBuf, String)> {
    let mut folders = vec![
        Path::new(env!("CARGO_MANIFEST_DIR"))
            .with_file_name(name)
            .join("src"),
    ];
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("a folder of sources") {
            let path = entry.expect("an entry").path();
            let stem = path.file_stem().and_then(|stem| stem.to_str());
            if path.is_dir() {
                folders.push(path);
            } else if !matches!(stem, Some("tests" | "testing")) {
                let text = std::fs::read_to_string(&path).expect("text");
                let shipped = text
                    .split("#[cfg(test)]\nmod tests")
                    .next()
                    .unwrap_or_default();
                found.push((path, shipped.to_owned()));
            }
        }
    }
    assert!(!found.is_empty(), "{name} has no sources");
    found
}

fn dependencies(name: &str) -> BTreeSet<String> {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"))
        .with_file_name(name)
        .join("Cargo.toml");
    let text = std::fs::read_to_string(&manifest)
        .unwrap_or_else(|error| panic!("{}: {error}", manifest.display()));
    let manifest: toml::Table = text.parse().expect("a manifest");
    manifest
        .get("dependencies")
        .and_then(|table| table.as_table())
        .into_iter()
        .flat_map(|t| t.keys().cloned())
        .collect()
}

//! Every worked case of the rules, one test per file.

use attendance::cases;

#[track_caller]
fn check(name: &str, text: &str) {
    let read = cases::read(text).unwrap_or_else(|error| panic!("{name}: {error}"));
    assert!(!read.is_empty());
    let failed: Vec<String> = read
        .iter()
        .map(cases::check)
        .flat_map(|result| {
            result
                .differences
                .into_iter()
                .map(move |difference| format!("{}: {difference}", result.id))
        })
        .collect();
    assert!(failed.is_empty(), "{name}:\n{}", failed.join("\n"));
}

macro_rules! files {
    ($($name:ident),+ $(,)?) => {$(
        #[test]
        fn $name() {
            let file = concat!(stringify!($name), ".toml");
            check(file, include_str!(concat!("../cases/rules/", stringify!($name), ".toml")));
        }
    )+};
}

files!(basics, calendar, coverage, roster, time, work, workday);

#[test]
fn every_file_is_tested() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("cases/rules");
    let mut names: Vec<_> = std::fs::read_dir(folder)
        .expect("the cases can be read")
        .map(|entry| {
            entry
                .expect("an entry")
                .file_name()
                .into_string()
                .expect("a plain name")
        })
        .collect();
    names.sort();
    assert_eq!(
        names,
        [
            "basics", "calendar", "coverage", "roster", "time", "work", "workday"
        ]
        .map(|n| format!("{n}.toml"))
    );
}

//! The message catalogue: every text a person reads comes from `locales/`. No words in templates or handlers.

use std::fmt;
use std::sync::LazyLock;

use fluent_bundle::concurrent::FluentBundle;
use fluent_bundle::{FluentArgs, FluentResource, FluentValue};

const ENGLISH: &str = include_str!("../locales/en.ftl");

static BUNDLE: LazyLock<FluentBundle<FluentResource>> = LazyLock::new(|| {
    let resource = FluentResource::try_new(ENGLISH.to_owned()).expect("locales/en.ftl parses");
    let language = "en".parse().expect("a language tag");
    let mut bundle = FluentBundle::new_concurrent(vec![language]);
    // Names get `dir="auto"` in the pages; isolation marks would end up in attributes and in copied text.
    bundle.set_use_isolating(false);
    bundle.set_formatter(Some(|value, _| match value {
        FluentValue::Number(number) => Some(grouped(number.value)),
        _ => None,
    }));
    bundle
        .add_resource(resource)
        .expect("locales/en.ftl has no key twice");
    bundle
});

/// The message of that key. A key that does not exist shows itself; a test compares all keys with the catalogue.
pub fn msg(key: impl Into<String>) -> Msg {
    Msg {
        key: key.into(),
        args: FluentArgs::new(),
    }
}

/// A message with its values, written out when displayed. Askama escapes it like any other text.
pub struct Msg {
    key: String,
    args: FluentArgs<'static>,
}

impl Msg {
    /// Fills `{ $name }` with a text.
    #[must_use]
    pub fn with(mut self, name: &'static str, text: impl fmt::Display) -> Self {
        self.args.set(name, text.to_string());
        self
    }

    /// Fills `{ $name }` with a number, which also selects the plural form.
    #[must_use]
    pub fn count<N: Count>(mut self, name: &'static str, number: N) -> Self {
        self.args.set(name, number.value());
        self
    }
}

/// Whole numbers that can select a plural form, also by reference, as templates have them.
pub trait Count {
    fn value(self) -> i64;
}

macro_rules! counts {
    ($($number:ty),+) => {$(
        impl Count for $number {
            fn value(self) -> i64 {
                i64::try_from(self).unwrap_or(i64::MAX)
            }
        }
        impl Count for &$number {
            fn value(self) -> i64 {
                (*self).value()
            }
        }
    )+};
}
counts!(i32, i64, u8, u16, u32, u64, usize);

impl fmt::Debug for Msg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Msg({})", self.key)
    }
}

impl fmt::Display for Msg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pattern = BUNDLE
            .get_message(&self.key)
            .and_then(|found| found.value());
        let Some(pattern) = pattern else {
            debug_assert!(false, "the catalogue has no message {:?}", self.key);
            return f.write_str(&self.key);
        };
        let mut errors = Vec::new();
        let text = BUNDLE.format_pattern(pattern, Some(&self.args), &mut errors);
        debug_assert!(errors.is_empty(), "{}: {errors:?}", self.key);
        f.write_str(&text)
    }
}

/// Whether the catalogue has that message.
#[cfg(test)]
fn exists(key: &str) -> bool {
    BUNDLE.has_message(key)
}

/// `12,345` from ten thousand on; below, the comma would be noise.
fn grouped(number: f64) -> String {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "only whole numbers are given to messages"
    )]
    let number = number as i64;
    let digits = number.unsigned_abs().to_string();
    let sign = if number < 0 { "−" } else { "" };
    if digits.len() < 5 {
        return format!("{sign}{digits}");
    }
    let mut text = String::from(sign);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;

    fn sources(folder: &Path, found: &mut Vec<String>) {
        for entry in std::fs::read_dir(folder).expect("a source folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                sources(&path, found);
            } else {
                found.push(std::fs::read_to_string(path).expect("a text file"));
            }
        }
    }

    fn all_sources() -> Vec<String> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut texts = Vec::new();
        sources(&root.join("src"), &mut texts);
        sources(&root.join("templates"), &mut texts);
        texts
    }

    /// What the sources ask for as `msg("…")`, and the beginnings of keys they complete from a closed set.
    fn used() -> (BTreeSet<String>, BTreeSet<String>) {
        let texts = all_sources();
        let mut keys = BTreeSet::new();
        let mut prefixes = BTreeSet::new();
        for text in texts {
            for call in ["msg(\"", "ui.t(\"", "plain(\"", "timed(\"", "mark(\""] {
                for (at, _) in text.match_indices(call) {
                    let rest = &text[at + call.len()..];
                    if let Some(end) = rest.find('"') {
                        keys.insert(rest[..end].to_owned());
                    }
                }
            }
            for call in ["msg(format!(\"", "ui.t(format!(\""] {
                for (at, _) in text.match_indices(call) {
                    let rest = &text[at + call.len()..];
                    if let Some(end) = rest.find('{') {
                        prefixes.insert(rest[..end].to_owned());
                    }
                }
            }
        }
        (keys, prefixes)
    }

    #[test]
    fn every_key_used_exists() {
        let (keys, _) = used();
        let missing: Vec<_> = keys
            .iter()
            .filter(|key| key.starts_with(|c: char| c.is_ascii_lowercase()))
            .filter(|key| !key.contains('{') && !exists(key))
            .collect();
        assert!(keys.len() > 100, "the scan finds keys");
        assert!(missing.is_empty(), "not in locales/en.ftl: {missing:#?}");
    }

    #[test]
    fn every_message_is_used() {
        let (_, prefixes) = used();
        let texts = all_sources();
        // A key may also stand in a table or be passed on, so every literal counts.
        let literals: BTreeSet<&str> = texts.iter().flat_map(|text| text.split('"')).collect();
        let unused: Vec<_> = ENGLISH
            .lines()
            .filter(|line| line.starts_with(|c: char| c.is_ascii_lowercase()))
            .filter_map(|line| line.split(" =").next())
            .filter(|key| !literals.contains(key))
            .filter(|key| {
                !prefixes
                    .iter()
                    .any(|prefix| key.starts_with(prefix.as_str()))
            })
            .collect();
        assert!(unused.is_empty(), "nobody asks for: {unused:#?}");
    }

    #[test]
    fn numbers_are_grouped_from_ten_thousand_on() {
        let text = |number| grouped(number);
        assert_eq!(
            [text(0.0), text(9999.0), text(10_000.0), text(-1_234_567.0)],
            ["0", "9999", "10,000", "−1,234,567"]
        );
    }
}

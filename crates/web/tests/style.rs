//! The style sheet: every status can be read in both themes, and every class a page uses exists.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

fn file(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The custom properties of the rule that begins with this selector.
fn tokens(css: &str, selector: &str) -> BTreeMap<String, String> {
    let start = css
        .find(&format!("\n{selector}{{"))
        .expect("the tokens of a theme");
    let body = &css[start + selector.len() + 2..];
    let body = &body[..body.find('}').expect("the end of a rule")];
    body.split(';')
        .filter_map(|line| line.trim().split_once(':'))
        .map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned()))
        .collect()
}

/// Relative luminance of `#rrggbb`, by WCAG 2.
fn luminance(colour: &str) -> f64 {
    let channel = |at: usize| {
        let value = u8::from_str_radix(&colour[at..at + 2], 16).expect("a colour #rrggbb");
        let value = f64::from(value) / 255.0;
        if value <= 0.04045 {
            value / 12.92
        } else {
            ((value + 0.055) / 1.055).powf(2.4)
        }
    };
    0.2126 * channel(1) + 0.7152 * channel(3) + 0.0722 * channel(5)
}

fn contrast(a: &str, b: &str) -> f64 {
    let (a, b) = (luminance(a), luminance(b));
    (a.max(b) + 0.05) / (a.min(b) + 0.05)
}

#[test]
fn everything_can_be_read_in_both_themes() {
    let css = file("assets/muster.css");
    let mut failures = Vec::new();
    let mut pairs = 0;
    for selector in [":root,[data-bs-theme=light]", "[data-bs-theme=dark]"] {
        let tokens = tokens(&css, selector);
        let mut check = |text: &str, ground: &str, least: f64| {
            let ratio = contrast(&tokens[text], &tokens[ground]);
            pairs += 1;
            if ratio < least {
                failures.push(format!(
                    "{selector} {text} on {ground}: {ratio:.2}, needed {least}"
                ));
            }
        };
        for status in [
            "present", "late", "half", "absent", "leave", "off", "holiday", "duty", "unknown",
            "due",
        ] {
            let name = format!("--s-{status}");
            check(&name, &format!("{name}-bg"), 4.5);
            check(&name, "--m-surface", 4.5);
            check(&format!("{name}-bar"), "--m-surface", 3.0);
        }
        for ground in ["--m-surface", "--m-bg", "--m-sunken"] {
            check("--m-ink", ground, 7.0);
            check("--m-muted", ground, 4.5);
        }
        check("--m-primary", "--m-surface", 4.5);
        check("--m-primary", "--m-primary-bg", 4.5);
        check("--m-primary-fg", "--m-primary", 4.5);
        check("--m-line-strong", "--m-surface", 3.0);
        check("--m-focus", "--m-surface", 3.0);
        check("--m-focus", "--m-bg", 3.0);
    }
    assert_eq!(pairs, 2 * 42);
    assert!(failures.is_empty(), "{failures:#?}");
}

fn templates(folder: &Path, found: &mut Vec<(String, String)>) {
    for entry in fs::read_dir(folder).expect("a folder of templates") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            templates(&path, found);
        } else {
            let text = fs::read_to_string(&path).expect("a template");
            found.push((path.display().to_string(), text));
        }
    }
}

/// The text without `{% … %}`, and with NUL in the place of `{{ … }}`.
fn without_tags(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(['{']) {
        out.push_str(&rest[..at]);
        let (end, stands_for) = match rest[at..].get(..2) {
            Some("{%") => ("%}", " "),
            Some("{{") => ("}}", "\u{0}"),
            _ => {
                out.push('{');
                rest = &rest[at + 1..];
                continue;
            }
        };
        out.push_str(stands_for);
        rest = rest[at..].split_once(end).map_or("", |(_, after)| after);
    }
    out + rest
}

#[test]
fn every_class_of_a_page_is_in_a_style_sheet() {
    let css = file("assets/muster.css") + &file("assets/vendor/tabler.css");
    let known: BTreeSet<&str> = css
        .split('.')
        .skip(1)
        .map(|rest| {
            let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '-' || c == '_'));
            &rest[..end.unwrap_or(rest.len())]
        })
        .collect();
    let mut pages = Vec::new();
    templates(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("templates"),
        &mut pages,
    );
    let mut unknown = BTreeSet::new();
    for (path, text) in &pages {
        assert!(
            !text.contains(" style="),
            "{path}: the content security policy forbids style attributes"
        );
        assert!(
            !text.contains("<script>"),
            "{path}: the content security policy forbids scripts in pages"
        );
        for value in without_tags(text).split(" class=\"").skip(1) {
            let value = &value[..value.find('"').unwrap_or(0)];
            // A class that an expression completes is written out where the expression is.
            for class in value
                .split_whitespace()
                .filter(|class| !class.contains('\u{0}'))
            {
                if !known.contains(class) {
                    unknown.insert(format!("{class} in {path}"));
                }
            }
        }
    }
    assert!(pages.len() > 20);
    assert!(
        unknown.is_empty(),
        "run `cargo xtask vendor`, or write the class: {unknown:#?}"
    );
}

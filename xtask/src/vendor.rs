//! Fetches the browser assets that are committed under `crates/web/assets`: style reset, font, scripts and icons.
//!
//! Uses the ordinary npm client for the download and compares every archive with the checksum pinned here. Nothing at run time
//! or at build time needs npm; this runs only when a version changes, an icon is added, or a page uses a new Tabler class.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

struct Package {
    name: &'static str,
    version: &'static str,
    licence: &'static str,
    /// As `npm view` reports it; covers the whole archive.
    integrity: &'static str,
    /// Path in the archive, path under `assets/vendor`.
    files: &'static [(&'static str, &'static str)],
}

const TABLER: Package = Package {
    name: "@tabler/core",
    version: "1.6.1",
    licence: "MIT",
    integrity: "sha512-lgmR9gcxRp5JlLxcmRi9Rz85JrEvH6Bz71KnlcPVSa97wtwQNjgSs3g3fxwbAlulHyRMghhIV04QUuW3pqDsIg==",
    files: &[],
};

const ICONS: Package = Package {
    name: "@tabler/icons",
    version: "3.51.0",
    licence: "MIT",
    integrity: "sha512-0pinvPZz7YeX+OSfxuEAbnEPWbocVXW5iU8h5lh41pYG8sZuQfpWECC980lxOT0clGIcNGn8xsBr+zKaRGdA/g==",
    files: &[("LICENSE", "tabler.LICENSE.txt")],
};

const COPIED: &[Package] = &[
    // 2.x on purpose: `npm i htmx.org` gives 4.x, whose attributes differ.
    Package {
        name: "htmx.org",
        version: "2.0.11",
        licence: "0BSD",
        integrity: "sha512-Thx/WtpeOQqSrqBCw/A1cwGJGg4UrVa3+sW0GmrM3p4gJgO89ecH4qtbnyzDDWFvBTqjnIMCgELTNt636dtamA==",
        files: &[
            ("dist/htmx.min.js", "htmx.js"),
            ("LICENSE", "htmx.LICENSE.txt"),
        ],
    },
    Package {
        name: "idiomorph",
        version: "0.8.0",
        licence: "0BSD",
        integrity: "sha512-R47JBL+6jHDQvcnbppIUtXXcxi5h6+wuCEEZXnRhUltsgzPFKzThL5PuHppP9ypJuy+7WawcY1TsSBD/iQbMhw==",
        files: &[
            ("dist/idiomorph-ext.min.js", "idiomorph-ext.js"),
            ("LICENSE", "idiomorph.LICENSE.txt"),
        ],
    },
    Package {
        name: "@fontsource-variable/inter",
        version: "5.3.0",
        licence: "OFL-1.1",
        integrity: "sha512-OupL48va4JNofb97w6NYeF9S7W/kHNKM0Er8Dem5nqi4jeOLrVJDoE8tZEpnMJmtkvNbB1EIPPwHcdkF6b1oUA==",
        files: &[
            ("files/inter-latin-wght-normal.woff2", "inter-latin.woff2"),
            (
                "files/inter-latin-ext-wght-normal.woff2",
                "inter-latin-ext.woff2",
            ),
            ("LICENSE", "inter.LICENSE.txt"),
        ],
    },
];

/// Downloads, verifies and writes everything. Run it from the workspace; a second run changes nothing.
///
/// # Errors
/// When npm or tar is missing, an archive does not have the pinned checksum, or a page names an icon that does not exist.
pub fn run() -> Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .context("the workspace folder")?;
    let web = root.join("crates/web");
    let vendor = web.join("assets/vendor");
    fs::create_dir_all(&vendor)?;

    for package in COPIED {
        let unpacked = unpack(root, package)?;
        copy_files(package, &unpacked, &vendor)?;
    }

    let words = used_words(&web)?;
    let tabler = unpack(root, &TABLER)?;
    let css = fs::read_to_string(tabler.join("dist/css/tabler.min.css"))?;
    let purged = format!(
        "/*! Tabler {} (MIT), without the rules that no page uses; made by `cargo xtask vendor` */\n{}\n",
        TABLER.version,
        purge(&css, &words)
    );
    println!("tabler.css: {} of {} bytes kept", purged.len(), css.len());
    fs::write(vendor.join("tabler.css"), purged)?;

    let icons = unpack(root, &ICONS)?;
    copy_files(&ICONS, &icons, &vendor)?;
    write_icons(&web, &icons)?;
    fs::write(vendor.join("README.md"), manifest())?;
    Ok(())
}

/// The folder with the package's content, downloaded once per version.
fn unpack(root: &Path, package: &Package) -> Result<PathBuf> {
    let cache = root.join("target/vendor").join(format!(
        "{}-{}",
        package.name.replace(['@', '/'], "_"),
        package.version
    ));
    let content = cache.join("package");
    if content.is_dir() {
        return Ok(content);
    }
    fs::create_dir_all(&cache)?;
    let spec = format!("{}@{}", package.name, package.version);
    let output = Command::new("npm")
        .args(["pack", "--json", "--ignore-scripts", &spec])
        .current_dir(&cache)
        .output()
        .context("cannot start npm; it is needed only to vendor assets")?;
    ensure!(
        output.status.success(),
        "npm pack {spec} failed: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    let answer: serde_json::Value = serde_json::from_slice(&output.stdout)?;
    let integrity = answer[0]["integrity"].as_str().unwrap_or_default();
    ensure!(
        integrity == package.integrity,
        "{spec} has checksum {integrity}, expected {}",
        package.integrity
    );
    let archive = answer[0]["filename"]
        .as_str()
        .context("npm pack names no file")?;
    let status = Command::new("tar")
        .args(["xzf", archive])
        .current_dir(&cache)
        .status()?;
    ensure!(status.success(), "tar cannot unpack {archive}");
    Ok(content)
}

fn copy_files(package: &Package, from: &Path, to: &Path) -> Result<()> {
    for (source, target) in package.files {
        fs::copy(from.join(source), to.join(target))
            .with_context(|| format!("{source} is not in {}", package.name))?;
    }
    Ok(())
}

fn manifest() -> String {
    let mut text = String::from(
        "# Vendored assets\n\nWritten by `cargo xtask vendor`; do not edit. Every archive was compared with its checksum.\n\n\
         | npm package | version | licence | checksum of the archive |\n|---|---|---|---|\n",
    );
    for package in COPIED.iter().chain([&TABLER, &ICONS]) {
        let _ = writeln!(
            text,
            "| `{}` | {} | {} | `{}` |",
            package.name, package.version, package.licence, package.integrity
        );
    }
    text.push_str(
        "\n`tabler.css` holds only the rules whose classes some page uses. The icons are in `../icons`, one per file, as Tabler draws them.\n",
    );
    text
}

/// Copies the outline icons that pages or sources name as `icon("…")`.
fn write_icons(web: &Path, icons: &Path) -> Result<()> {
    let folder = web.join("assets/icons");
    fs::create_dir_all(&folder)?;
    let mut wanted = BTreeSet::new();
    for (_, text) in sources(web)? {
        for (at, call) in ["icon(\"", "icon_s(\"", "Icon::large(\"", "Icon::small(\""]
            .into_iter()
            .flat_map(|call| text.match_indices(call))
        {
            let rest = &text[at + call.len()..];
            wanted.insert(rest[..rest.find('"').context("an open string")?].to_owned());
        }
    }
    for entry in fs::read_dir(&folder)? {
        fs::remove_file(entry?.path())?;
    }
    for name in wanted {
        let file = icons.join(format!("icons/outline/{name}.svg"));
        let Ok(svg) = fs::read_to_string(&file) else {
            bail!("Tabler has no outline icon {name:?}");
        };
        fs::write(folder.join(format!("{name}.svg")), svg)?;
    }
    Ok(())
}

/// Templates, scripts and Rust sources of `web`, by path.
fn sources(web: &Path) -> Result<BTreeMap<PathBuf, String>> {
    fn walk(folder: &Path, found: &mut BTreeMap<PathBuf, String>) -> Result<()> {
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            if path.is_dir() {
                walk(&path, found)?;
            } else if path
                .extension()
                .is_some_and(|extension| ["html", "rs", "js"].iter().any(|e| extension == *e))
            {
                let text = fs::read_to_string(&path)?;
                found.insert(path, text);
            }
        }
        Ok(())
    }
    let mut found = BTreeMap::new();
    walk(&web.join("templates"), &mut found)?;
    walk(&web.join("src"), &mut found)?;
    let script = web.join("assets/muster.js");
    found.insert(script.clone(), fs::read_to_string(script)?);
    Ok(found)
}

/// Every word that could be a class name. Too many is harmless, too few is not.
fn used_words(web: &Path) -> Result<BTreeSet<String>> {
    let word = |c: char| !(c.is_ascii_alphanumeric() || c == '-' || c == '_');
    Ok(sources(web)?
        .values()
        .flat_map(|text| text.split(word).map(str::to_owned).collect::<Vec<_>>())
        .filter(|text| !text.is_empty())
        .collect())
}

/// Drops every rule none of whose selectors can match: a selector stays when all its class names are used.
fn purge(css: &str, used: &BTreeSet<String>) -> String {
    let mut out = String::new();
    let css = without_comments(css);
    let mut rest = css.as_str();
    while let Some(open) = rest.find(['{', ';']) {
        let head = rest[..open].trim();
        if rest[open..].starts_with(';') {
            // A statement such as `@charset "UTF-8";` stays only if it declares something.
            if head.starts_with("@charset") {
                out.push_str(head);
                out.push(';');
            }
            rest = &rest[open + 1..];
            continue;
        }
        let close = open + matching_brace(&rest[open..]);
        let body = &rest[open + 1..close];
        rest = &rest[close + 1..];
        if head.starts_with("@media") || head.starts_with("@supports") {
            let inner = purge(body, used);
            if !inner.is_empty() {
                let _ = write!(out, "{head}{{{inner}}}");
            }
        } else if head.starts_with('@') {
            let name = head.rsplit(' ').next().unwrap_or_default();
            if used.contains(name) {
                let _ = write!(out, "{head}{{{body}}}");
            }
        } else {
            let kept: Vec<&str> = split_top(head, ',')
                .into_iter()
                .map(str::trim)
                .filter(|selector| classes(selector).all(|class| used.contains(class)))
                .collect();
            if !kept.is_empty() {
                let _ = write!(out, "{}{{{body}}}", kept.join(","));
            }
        }
    }
    out
}

/// A version number in a comment would read like a class.
fn without_comments(css: &str) -> String {
    let mut out = String::new();
    let mut rest = css;
    while let Some((before, after)) = rest.split_once("/*") {
        out.push_str(before);
        rest = after.split_once("*/").map_or("", |(_, after)| after);
    }
    out + rest
}

/// Place of the brace that closes the one at the start.
fn matching_brace(text: &str) -> usize {
    let mut depth = 0;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'{' => depth += 1,
            b'}' => {
                depth -= 1;
                if depth == 0 {
                    return at;
                }
            }
            _ => {}
        }
    }
    text.len() - 1
}

/// Splits at a separator outside of parentheses and brackets.
fn split_top(text: &str, separator: char) -> Vec<&str> {
    let (mut depth, mut start, mut parts) = (0, 0, Vec::new());
    for (at, c) in text.char_indices() {
        match c {
            '(' | '[' => depth += 1,
            ')' | ']' => depth -= 1,
            c if c == separator && depth == 0 => {
                parts.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    parts
}

/// Class names a selector needs; those inside `:not(…)` are not needed.
fn classes(selector: &str) -> impl Iterator<Item = &str> {
    let mut plain = Vec::new();
    let mut rest = selector;
    while let Some(at) = rest.find(":not(") {
        plain.push(&rest[..at]);
        rest = rest[at..].split_once(')').map_or("", |(_, after)| after);
    }
    plain.push(rest);
    plain.into_iter().flat_map(|part| {
        part.split('.').skip(1).map(|after| {
            let end = after
                .find(|c: char| !(c.is_ascii_alphanumeric() || c == '-' || c == '_'))
                .unwrap_or(after.len());
            &after[..end]
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn purging_keeps_what_can_match() {
        let used = ["btn", "card"].map(str::to_owned).into_iter().collect();
        let css = "@charset \"UTF-8\";/* v1.6 */body{a:b}.btn,.gone{c:d}.btn:not(.gone) .card{e:f}.card .gone{g:h}\
                   @media (min-width:1px){.gone{i:j}.btn{k:l}}@keyframes spin{to{m:n}}";
        assert_eq!(
            purge(css, &used),
            "@charset \"UTF-8\";body{a:b}.btn{c:d}.btn:not(.gone) .card{e:f}@media (min-width:1px){.btn{k:l}}"
        );
    }
}

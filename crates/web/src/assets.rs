//! Files the browser loads: inside the binary, under a path with a hash of the content, cached for ever.
//!
//! Each file is compressed once, when it is first asked for.

use std::collections::HashMap;
use std::fmt;
use std::sync::{LazyLock, OnceLock};

use axum::body::Bytes;
use axum::extract::Path;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use rust_embed::RustEmbed;

#[derive(RustEmbed)]
#[folder = "assets/"]
struct Files;

/// Where the icons are; they become part of the pages and are not served.
const ICON_FOLDER: &str = "icons/";

struct Asset {
    content: Bytes,
    kind: &'static str,
    zipped: OnceLock<Option<Bytes>>,
}

struct Assets {
    /// Plain name to hashed path.
    paths: HashMap<String, String>,
    /// Hashed name, without `/assets/`, to content.
    by_name: HashMap<String, Asset>,
}

static ASSETS: LazyLock<Assets> = LazyLock::new(|| {
    let mut assets = Assets {
        paths: HashMap::new(),
        by_name: HashMap::new(),
    };
    let (sheets, others): (Vec<_>, Vec<_>) = Files::iter()
        .filter(|name| !name.starts_with(ICON_FOLDER))
        .partition(|name| name.ends_with(".css"));
    // Style sheets last: they name fonts, whose hashed paths must be known by then.
    for name in others.into_iter().chain(sheets) {
        let file = Files::get(&name).expect("an embedded file");
        let mut content = Bytes::from(file.data.into_owned());
        if name.ends_with(".css") {
            let mut text = String::from_utf8_lossy(&content).into_owned();
            for (plain, path) in &assets.paths {
                text = text.replace(&format!("url({plain})"), &format!("url({path})"));
            }
            content = Bytes::from(text);
        }
        let hash = fnv(&content);
        let (stem, extension) = name.rsplit_once('.').unwrap_or((&name, ""));
        let hashed = format!("{}.{hash:016x}.{extension}", stem.replace('/', "-"));
        assets
            .paths
            .insert(name.to_string(), format!("/assets/{hashed}"));
        assets.by_name.insert(
            hashed,
            Asset {
                content,
                kind: kind(extension),
                zipped: OnceLock::new(),
            },
        );
    }
    assets
});

static ICONS: LazyLock<HashMap<String, String>> = LazyLock::new(|| {
    Files::iter()
        .filter(|name| name.starts_with(ICON_FOLDER))
        .map(|name| {
            let file = Files::get(&name).expect("an embedded file");
            let svg = String::from_utf8_lossy(&file.data).into_owned();
            // Only the shapes: size, stroke and colour are those of the place where the icon stands.
            let body = svg
                .split_once("<svg")
                .and_then(|(_, rest)| rest.split_once('>'))
                .and_then(|(_, rest)| rest.rsplit_once("</svg>"))
                .map_or("", |(body, _)| body);
            let body = body.lines().map(str::trim).collect::<String>();
            let name = name
                .trim_start_matches(ICON_FOLDER)
                .trim_end_matches(".svg");
            (name.to_owned(), body)
        })
        .collect()
});

/// The content changes the path; nothing secret depends on it, so a short hash is enough.
fn fnv(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

fn kind(extension: &str) -> &'static str {
    match extension {
        "css" => "text/css; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "svg" => "image/svg+xml",
        "woff2" => "font/woff2",
        _ => "application/octet-stream",
    }
}

/// The path of an asset, with its hash. An unknown name is a mistake in a template, which the tests render.
pub fn path(name: &str) -> &'static str {
    let path = ASSETS.paths.get(name);
    debug_assert!(path.is_some(), "no asset {name:?}");
    path.map_or("", String::as_str)
}

/// An outline icon as inline SVG, hidden from screen readers: the word stands beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Icon {
    name: &'static str,
    class: &'static str,
}

impl Icon {
    /// 18 px, for navigation and notices.
    pub const fn large(name: &'static str) -> Self {
        Self { name, class: "ic" }
    }

    /// 14 px, for statuses and buttons.
    pub const fn small(name: &'static str) -> Self {
        Self {
            name,
            class: "ic-s",
        }
    }
}

impl fmt::Display for Icon {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shapes = ICONS.get(self.name);
        debug_assert!(shapes.is_some(), "no icon {:?}", self.name);
        write!(
            f,
            "<svg class=\"{}\" viewBox=\"0 0 24 24\" fill=\"none\" stroke=\"currentColor\" stroke-linecap=\"round\" \
             stroke-linejoin=\"round\" aria-hidden=\"true\">{}</svg>",
            self.class,
            shapes.map_or("", String::as_str)
        )
    }
}

impl askama::filters::HtmlSafe for Icon {}

/// `GET /assets/{name}`.
pub(crate) async fn serve(Path(name): Path<String>, headers: HeaderMap) -> Response {
    let Some(asset) = ASSETS.by_name.get(&name) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let accepts_gzip = headers
        .get(header::ACCEPT_ENCODING)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|value| value.contains("gzip"));
    let zipped = accepts_gzip.then(|| asset.zipped()).flatten();
    let fixed: [(HeaderName, &str); 3] = [
        (header::CONTENT_TYPE, asset.kind),
        (header::CACHE_CONTROL, "public, max-age=31536000, immutable"),
        (header::VARY, "accept-encoding"),
    ];
    match zipped {
        Some(body) => (
            fixed,
            [(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"))],
            body,
        )
            .into_response(),
        None => (fixed, asset.content.clone()).into_response(),
    }
}

impl Asset {
    /// `None` for what is compressed already, as fonts are.
    fn zipped(&self) -> Option<Bytes> {
        self.zipped
            .get_or_init(|| {
                use std::io::Write as _;
                if self.kind.starts_with("font/") {
                    return None;
                }
                let mut zip =
                    flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
                zip.write_all(&self.content).ok()?;
                zip.finish().ok().map(Bytes::from)
            })
            .clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fonts_are_found_under_their_hashed_paths() {
        let sheet = path("muster.css").trim_start_matches("/assets/");
        let text = String::from_utf8_lossy(&ASSETS.by_name[sheet].content);
        assert!(text.contains("url(/assets/vendor-inter-latin."));
        assert!(!text.contains("url(vendor/"));
    }
}

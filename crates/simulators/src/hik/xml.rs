//! The little XML that terminals read and write: elements by their local names.

/// What stands in the first element with this local name, inner elements included; `""` for `<name/>`.
pub(super) fn inner<'a>(xml: &'a str, name: &str) -> Option<&'a str> {
    all(xml, name).next()
}

/// What stands in each element with this local name. Elements of one name do not hold each other.
pub(super) fn all<'a>(xml: &'a str, name: &str) -> impl Iterator<Item = &'a str> {
    let mut rest = xml;
    std::iter::from_fn(move || {
        loop {
            let (_, after) = rest.split_once('<')?;
            let (tag, body) = after.split_once('>')?;
            rest = body;
            let bare = tag.trim_end_matches('/');
            let full_name = bare.split([' ', '\t', '\r', '\n']).next().unwrap_or(bare);
            if local(full_name) != name || full_name.starts_with('/') {
                continue;
            }
            if bare.len() < tag.len() {
                return Some("");
            }
            let end = body.find(&format!("</{full_name}"))?;
            rest = body.get(end..)?;
            return body.get(..end);
        }
    })
}

/// The text of the first element with this local name, without blanks around it and entities.
pub(super) fn text(xml: &str, name: &str) -> Option<String> {
    let text = inner(xml, name)?.trim();
    Some(
        text.replace("&lt;", "<")
            .replace("&gt;", ">")
            .replace("&quot;", "\"")
            .replace("&apos;", "'")
            .replace("&amp;", "&"),
    )
}

fn local(name: &str) -> &str {
    name.rsplit(':').next().unwrap_or(name)
}

pub(super) fn elements(fields: &[(&str, &str)]) -> String {
    fields
        .iter()
        .map(|(name, text)| format!("<{name}>{}</{name}>\n", escape(text)))
        .collect()
}

pub(super) fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_are_found_by_their_local_names() {
        let xml = "<?xml version=\"1.0\"?><a:List xmlns:a=\"x\"><a:id>1</a:id><id >2</id><id/><url> a&amp;b </url></a:List>";
        assert_eq!(all(xml, "id").collect::<Vec<_>>(), ["1", "2", ""]);
        assert_eq!(text(xml, "url").as_deref(), Some("a&b"));
        assert_eq!(
            inner(xml, "List").map(|inner| inner.contains("url")),
            Some(true)
        );
        assert_eq!(inner(xml, "List2"), None);
        assert_eq!(inner("<id>1", "id"), None);
    }
}

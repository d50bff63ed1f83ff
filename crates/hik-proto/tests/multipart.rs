//! Multipart bodies as terminals write them: whatever the lengths say and however the bytes arrive, the same parts come out.

use hik_proto::{Content, Part, PartSplitter, Piece};
use proptest::prelude::*;

#[derive(Clone, Copy, Debug)]
enum Length {
    Right,
    Missing,
    Wrong(usize),
}

#[derive(Clone, Debug)]
struct Writing {
    line_end: &'static str,
    length: Length,
    /// The last boundary is there.
    closed: bool,
}

fn write(parts: &[Part], writing: &Writing) -> Vec<u8> {
    let line_end = writing.line_end;
    let mut bytes = Vec::new();
    for part in parts {
        let mut head = format!("--MIME_boundary{line_end}");
        if let Some(name) = &part.name {
            let file = part.file_name.iter();
            let file: String = file.map(|name| format!("; filename=\"{name}\"")).collect();
            head += &format!("Content-Disposition: form-data; name=\"{name}\"{file}{line_end}");
        }
        if !part.content_type.is_empty() {
            head += &format!("Content-Type: {}{line_end}", part.content_type);
        }
        match writing.length {
            Length::Right => head += &format!("Content-Length: {}{line_end}", part.body.len()),
            Length::Wrong(length) => head += &format!("content-length:{length}{line_end}"),
            Length::Missing => {}
        }
        bytes.extend(head.as_bytes());
        bytes.extend(line_end.as_bytes());
        bytes.extend(&part.body);
        bytes.extend(line_end.as_bytes());
    }
    if writing.closed {
        bytes.extend(format!("--MIME_boundary--{line_end}").as_bytes());
    }
    bytes
}

/// The pieces of a body that arrives in chunks, the last one only told by its end among them.
fn split<'a>(mut splitter: PartSplitter, chunks: impl Iterator<Item = &'a [u8]>) -> Vec<Piece> {
    let mut pieces = Vec::new();
    for chunk in chunks {
        splitter.extend(chunk);
        while let Some(piece) = splitter.next_piece() {
            pieces.push(piece);
        }
    }
    pieces.extend(splitter.finish());
    pieces
}

fn split_whole(content_type: &str, body: &[u8]) -> Vec<Piece> {
    let splitter = PartSplitter::of_content_type(content_type).expect("a multipart");
    split(splitter, std::iter::once(body))
}

fn parts(pieces: Vec<Piece>) -> Vec<Part> {
    let whole = |piece| match piece {
        Piece::Part(part) => part,
        Piece::TooLarge(..) => panic!("a part that is too large"),
    };
    pieces.into_iter().map(whole).collect()
}

fn bodies(pieces: Vec<Piece>) -> Vec<String> {
    let text = |part: Part| String::from_utf8_lossy(&part.body).into_owned();
    parts(pieces).into_iter().map(text).collect()
}

const MIXED: &str = "multipart/mixed; boundary=MIME_boundary";

#[track_caller]
fn check(content_type: &str, body: &str, expected: &[&str]) {
    let whole = split_whole(content_type, body.as_bytes());
    assert_eq!(bodies(whole.clone()), expected);
    let splitter = PartSplitter::of_content_type(content_type).expect("a multipart");
    assert_eq!(split(splitter, body.as_bytes().chunks(1)), whole);
}

#[test]
fn boundaries_given_quoted_empty_dashed_and_wrong() {
    let body = "--MIME_boundary\r\n\r\n{}\r\n--MIME_boundary\r\n\r\n{\"a\":1}\r\n";
    let both = ["{}", "{\"a\":1}"];
    check(MIXED, body, &both);
    check(
        "Multipart/Form-Data;Boundary=\"MIME_boundary\"",
        body,
        &both,
    );
    check("multipart/mixed; boundary=", body, &both);
    check("multipart/mixed; boundary=\"\"", body, &both);
    check("multipart/mixed", body, &both);
    check("multipart/mixed; boundary=--MIME_boundary", body, &both);
    check("multipart/mixed; boundary=other", body, &both);
    let quoted = "--a;b c\n\n{}\n--a;b c--";
    check(
        "multipart/x; y=\"boundary=z\"; boundary=\"a;b c\"",
        quoted,
        &["{}"],
    );
    for none in ["application/json", "multipar", "", "text/multipart/mixed"] {
        assert!(PartSplitter::of_content_type(none).is_none(), "{none}");
    }
}

#[test]
fn what_is_around_the_parts_is_nothing() {
    check(MIXED, "", &[]);
    check(MIXED, "\r\n\r\n--MIME_boundary--\r\n", &[]);
    check(
        MIXED,
        "hello --MIME_boundary\n--other\n--MIME_boundary\n\n{}\ntrailing\n--MIME_boundaryx\n--MIME_boundary--\nend\n--MIME_boundary\n\n[1]\n--MIME_boundary",
        &["{}", "[1]"],
    );
}

#[test]
fn parts_without_headers_without_line_ends_and_without_anything() {
    check(MIXED, "--MIME_boundary\n{}\n--MIME_boundary\n", &["{}"]);
    check(
        MIXED,
        "--MIME_boundary\n\n{}--MIME_boundary\n\n<a/>",
        &["{}", "<a/>"],
    );
    check(
        MIXED,
        "--MIME_boundary\n--MIME_boundary\n\n--MIME_boundary\n",
        &[""],
    );
    check(MIXED, "--MIME_boundary\n\ntext, cut", &["text, cut"]);
    check(MIXED, "--MIME_boundary\nContent-Type: text/plain\n", &[]);
}

/// The next boundary comes with the next part, which may be ten seconds or a night away.
#[test]
fn an_event_is_there_before_the_next_one() {
    for (event, length) in [
        ("{\"a\":{\"b\":\"}\\\"}\"}}", Some(18)),
        ("{\"a\":[1,{}]}", Some(5)),
        ("{\"a\":1}", Some(900)),
        ("{\"a\":1}", None),
        (
            "<?xml version=\"1.0\"?>\n<!-- x --><a><b/><c x=\"1\">d</c></a>",
            None,
        ),
        ("<a/>", Some(4)),
    ] {
        let mut splitter = PartSplitter::new(Some("b"));
        let length = length.map_or(String::new(), |length| {
            format!("Content-Length: {length}\r\n")
        });
        splitter.extend(format!("--b\r\n{length}\r\n{event}").as_bytes());
        let piece = splitter.next_piece().expect("a part");
        assert_eq!(bodies(vec![piece]), [event]);
    }
    let mut splitter = PartSplitter::new(Some("b"));
    splitter.extend(b"--b\r\nContent-Length: 8\r\n\r\n\xff\xd8\xff\xd9..\xff\xd9");
    let picture = parts(splitter.next_piece().into_iter().collect());
    assert_eq!(picture[0].body.len(), 8);
    assert_eq!(picture[0].content(), Content::Jpeg);
}

/// A length too short, a text that never closes: the boundary ends it, and the next part is whole.
#[test]
fn a_broken_part_costs_only_itself() {
    check(
        MIXED,
        "--MIME_boundary\nContent-Length: 3\n\n{\"a\":\"\n--MIME_boundary\nContent-Length: 9999\n\n{}\n--MIME_boundary\n\nxy\n--MIME_boundary--",
        &["{\"a\":\"", "{}", "xy"],
    );
}

#[test]
fn what_is_too_large_is_skipped_and_not_held() {
    let mut splitter = PartSplitter::new(Some("b")).keeping(1000);
    splitter.extend(b"--b\r\nContent-Type: image/jpeg\r\n\r\n");
    for _ in 0..100 {
        splitter.extend(&[b'\n'; 1000]);
        assert_eq!(splitter.next_piece(), None);
        assert!(splitter.held() <= 1000);
    }
    splitter.extend(b"\r\n--b\r\n\r\n{}");
    let Some(Piece::TooLarge(part, length)) = splitter.next_piece() else {
        panic!("a part that is too large");
    };
    assert_eq!(
        (part.content_type.as_str(), part.body.len()),
        ("image/jpeg", 0)
    );
    assert_eq!(length, 100_001);
    assert_eq!(bodies(splitter.next_piece().into_iter().collect()), ["{}"]);
}

#[test]
fn headers_have_an_end() {
    let endless = "X: y\r\n".repeat(10_000);
    let body = format!("--MIME_boundary\r\n{endless}\r\n--MIME_boundary\r\n\r\n{{}}");
    let pieces = split_whole(MIXED, body.as_bytes());
    assert!(matches!(pieces[0], Piece::TooLarge(..)));
    assert_eq!(bodies(pieces[1..].to_vec()), ["{}"]);
}

fn text(most: usize) -> impl Strategy<Value = String> {
    proptest::collection::vec(
        prop_oneof![
            Just('-'),
            Just('"'),
            Just('\\'),
            Just('{'),
            Just('}'),
            Just('<'),
            any::<char>()
        ],
        0..most,
    )
    .prop_map(|text| text.into_iter().collect())
}

fn body() -> impl Strategy<Value = Vec<u8>> {
    let json = (text(20), text(20)).prop_map(|(key, value)| {
        let value = serde_json::json!({ key: [value, {"-": 1}] });
        serde_json::to_vec_pretty(&value).expect("a value")
    });
    let xml = text(20).prop_map(|text| {
        let text: String = text.chars().filter(|c| !matches!(c, '<' | '\r')).collect();
        format!("<?xml version=\"1.0\"?>\n<a xmlns=\"u:/x\"><b/><c>{text}</c></a>").into_bytes()
    });
    let bytes = |most| proptest::collection::vec(any::<u8>().prop_map(|byte| byte & 0x7f), 0..most);
    let jpeg = bytes(60).prop_map(|inner| [b"\xff\xd8\xff", &inner[..], b"\xff\xd9"].concat());
    let other = bytes(60).prop_map(|bytes| {
        let bytes = [b".", &bytes[..]].concat();
        bytes.trim_ascii_end().to_vec()
    });
    prop_oneof![json, xml, jpeg, other]
}

fn part() -> impl Strategy<Value = Part> {
    let name = proptest::option::of("[A-Za-z_]{1,12}");
    (
        name,
        proptest::option::of("[a-z0-9. ;=]{0,12}"),
        "[a-z/; =\"]{0,20}",
        body(),
    )
        .prop_map(|(name, file_name, content_type, body)| Part {
            file_name: file_name.filter(|_| name.is_some()),
            name,
            content_type: content_type.trim().to_owned(),
            body,
        })
}

fn writing() -> impl Strategy<Value = Writing> {
    let length = prop_oneof![
        Just(Length::Right),
        Just(Length::Missing),
        (0..200usize).prop_map(Length::Wrong)
    ];
    let line_end = prop_oneof![Just("\r\n"), Just("\n")];
    (line_end, length, any::<bool>()).prop_map(|(line_end, length, closed)| Writing {
        line_end,
        length,
        closed,
    })
}

proptest! {
    #[test]
    fn what_is_written_is_read(
        written in proptest::collection::vec(part(), 0..6),
        writing in writing(),
        cut in 1..100usize,
    ) {
        let bytes = write(&written, &writing);
        let mut read = parts(split(PartSplitter::new(Some("MIME_boundary")), bytes.chunks(cut)));
        if let Some(last) = read.last_mut().filter(|_| !writing.closed) {
            // Without a boundary nobody knows whose the last line end is.
            let body = last.body.strip_suffix(writing.line_end.as_bytes());
            last.body = body.unwrap_or(&last.body).to_vec();
        }
        prop_assert_eq!(read, written);
    }

    /// Bytes that are made of what a splitter looks at.
    #[test]
    fn the_pieces_do_not_matter(
        tokens in proptest::collection::vec(0..14usize, 0..80),
        cuts in proptest::collection::vec(1..12usize, 1..40),
        most in 1..60usize,
    ) {
        const TOKENS: [&[u8]; 14] = [
            b"\n", b"\r\n", b"--b", b"--", b"-", b"b", b"{", b"}", b"<a>", b"</a>",
            b"\xff\xd8\xff\xd9", b"Content-Length: 4\n", b"\n--b\n\n", b"\"",
        ];
        let bytes = tokens.iter().map(|token| TOKENS[*token]).collect::<Vec<_>>().concat();
        for boundary in [None, Some("b")] {
            let splitter = || PartSplitter::new(boundary).keeping(most);
            let whole = split(splitter(), std::iter::once(&bytes[..]));
            let mut rest = &bytes[..];
            let chunks = cuts.iter().cycle().map_while(|cut| {
                let (chunk, after) = rest.split_at((*cut).min(rest.len()));
                rest = after;
                (!chunk.is_empty()).then_some(chunk)
            });
            let chunks: Vec<&[u8]> = chunks.collect();
            prop_assert_eq!(split(splitter(), chunks.into_iter()), whole);
        }
    }

    #[test]
    fn any_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let whole = split(PartSplitter::new(None), std::iter::once(&bytes[..]));
        prop_assert_eq!(split(PartSplitter::new(None), bytes.chunks(3)), whole);
    }
}

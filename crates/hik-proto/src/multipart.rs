//! Multipart bodies to parts, as the bytes come: the live stream, pushes, and search answers with pictures.
//!
//! Announced lengths are wrong on some firmware and line ends are mixed, so neither is believed. JSON and XML end where their root
//! ends, so that an event is there before the next one is; everything else ends at the next line that is the boundary.

use std::mem;

/// Bytes of one part that are kept; pictures have some ten thousand.
pub const MOST_OF_PART: usize = 8 << 20;

const MOST_OF_HEADERS: usize = 16 << 10;
const MOST_OF_BOUNDARY_LINE: usize = 256;

/// One part of a multipart body.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Part {
    /// As written, which is not always what it is: see [`Part::content`]. Empty where it is missing.
    pub content_type: String,
    /// The name of a form field; these differ by firmware.
    pub name: Option<String>,
    /// By which a row or an event may refer to a picture.
    pub file_name: Option<String>,
    pub body: Vec<u8>,
}

/// What the bytes of a body are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    Json,
    Xml,
    Jpeg,
    Other,
}

impl Content {
    /// By the first bytes; blanks and a byte order mark before them do not count.
    pub fn of(body: &[u8]) -> Self {
        let text = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
        match text.trim_ascii_start() {
            [b'{', ..] => Self::Json,
            [b'<', ..] => Self::Xml,
            _ if body.starts_with(b"\xff\xd8\xff") => Self::Jpeg,
            _ => Self::Other,
        }
    }
}

impl Part {
    pub fn content(&self) -> Content {
        Content::of(&self.body)
    }
}

/// What a multipart body brings next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    Part(Part),
    /// A part of so many bytes, more than are kept; its body is empty.
    TooLarge(Part, u64),
}

/// Splits a multipart body that comes in pieces of any size. What it gives does not depend on the pieces.
///
/// Holds at most [`MOST_OF_PART`] bytes and the last piece, if everything is taken out before more is put in.
#[derive(Debug)]
pub struct PartSplitter {
    /// Without the dashes in front of it, which some firmware takes for a part of it. `None` until a line tells.
    boundary: Option<String>,
    most: usize,
    buffer: Vec<u8>,
    /// Where what has not been taken begins.
    taken: usize,
    /// What has not been taken begins inside a line.
    mid_line: bool,
    /// Of what has not been taken, so many bytes have no boundary line among them.
    searched: usize,
    state: State,
}

#[derive(Debug)]
enum State {
    /// Before the first boundary; whether only blanks have come.
    Start { blank: bool },
    /// Behind a part: what comes before the next boundary is nothing.
    Gap,
    /// What the headers have said so far.
    Headers(Headers),
    Body {
        part: Part,
        announced: Option<usize>,
        root: Root,
    },
    /// In a part that is too large, of which so much has been dropped.
    Dropping { part: Part, dropped: u64 },
}

/// The headers of a part that have come; they are taken line by line, so that no line is read twice.
#[derive(Debug, Default)]
struct Headers {
    part: Part,
    announced: Option<usize>,
    /// Bytes of these lines.
    taken: usize,
}

/// What comes of looking at the bytes there are.
enum Next {
    Wait(State),
    GoOn(State),
    Give(State, Piece),
}

/// A boundary line, in what has not been taken.
struct Boundary {
    line: usize,
    end: usize,
    name: String,
    closing: bool,
}

impl Headers {
    fn add(&mut self, line: &[u8]) {
        let line = String::from_utf8_lossy(line);
        let Some((name, value)) = line.split_once(':') else {
            return;
        };
        match name.trim().to_ascii_lowercase().as_str() {
            "content-type" => self.part.content_type = value.trim().to_owned(),
            "content-length" => self.announced = value.trim().parse().ok(),
            "content-disposition" => {
                self.part.name = parameter(value, "name");
                self.part.file_name = parameter(value, "filename");
            }
            _ => {}
        }
    }
}

impl PartSplitter {
    /// For a body of this `Content-Type`; `None` where that is no multipart.
    pub fn of_content_type(content_type: &str) -> Option<Self> {
        let kind = content_type.trim_start().get(..10)?;
        kind.eq_ignore_ascii_case("multipart/")
            .then(|| Self::new(parameter(content_type, "boundary").as_deref()))
    }

    /// Without a boundary, or with an empty one, the first line that begins with `--` tells it. So it does where the body begins
    /// with it and the announced one is another.
    pub fn new(boundary: Option<&str>) -> Self {
        let boundary = boundary.map(|name| name.trim().trim_start_matches('-').to_owned());
        Self {
            boundary: boundary.filter(|name| !name.is_empty()),
            most: MOST_OF_PART,
            buffer: Vec::new(),
            taken: 0,
            mid_line: false,
            searched: 0,
            state: State::Start { blank: true },
        }
    }

    /// Keeps at most so many bytes of a part, instead of [`MOST_OF_PART`].
    #[must_use]
    pub fn keeping(mut self, most: usize) -> Self {
        self.most = most;
        self
    }

    pub fn extend(&mut self, bytes: &[u8]) {
        self.buffer.drain(..mem::take(&mut self.taken));
        self.buffer.extend_from_slice(bytes);
    }

    /// Bytes that are kept until a part is whole.
    pub fn held(&self) -> usize {
        self.rest().len()
    }

    /// Bytes that have been dropped of a part that is too large and has not ended.
    pub fn dropped(&self) -> u64 {
        match &self.state {
            State::Dropping { dropped, .. } => *dropped,
            _ => 0,
        }
    }

    /// The next part; `None` when more bytes are needed.
    pub fn next_piece(&mut self) -> Option<Piece> {
        loop {
            let next = match mem::replace(&mut self.state, State::Gap) {
                State::Start { blank } => self.start(blank),
                State::Gap => self.gap(),
                State::Headers(headers) => self.headers(headers),
                State::Body {
                    part,
                    announced,
                    root,
                } => self.body(part, announced, root),
                State::Dropping { part, dropped } => self.dropping(part, dropped),
            };
            match next {
                Next::Wait(state) => {
                    self.state = state;
                    return None;
                }
                Next::GoOn(state) => self.state = state,
                Next::Give(state, piece) => {
                    self.state = state;
                    return Some(piece);
                }
            }
        }
    }

    /// The last part of a body that has come to its end, where no boundary has ended it. For when [`Self::next_piece`] has
    /// nothing more.
    pub fn finish(mut self) -> Option<Piece> {
        self.extend(b"\n");
        if let Some(piece) = self.next_piece() {
            return Some(piece);
        }
        let rest = self.rest().strip_suffix(b"\n").unwrap_or_default();
        match &self.state {
            State::Body { part, .. } if !rest.is_empty() => Some(Piece::Part(Part {
                body: rest.to_vec(),
                ..part.clone()
            })),
            State::Dropping { part, dropped } => {
                let length = dropped + rest.len() as u64;
                Some(Piece::TooLarge(part.clone(), length))
            }
            State::Start { .. } | State::Gap | State::Headers(_) | State::Body { .. } => None,
        }
    }

    fn start(&mut self, blank: bool) -> Next {
        let found = self.next_boundary(|name, ours, before| {
            ours.is_none_or(|ours| ours == name) || (blank && is_blank(before))
        });
        match found {
            Some(found) => Next::GoOn(self.pass(found)),
            None => {
                let blank = blank && is_blank(&self.rest()[..self.searched]);
                self.drop_searched();
                Next::Wait(State::Start { blank })
            }
        }
    }

    fn gap(&mut self) -> Next {
        match self.next_boundary(is_ours) {
            Some(found) => Next::GoOn(self.pass(found)),
            None => {
                self.drop_searched();
                Next::Wait(State::Gap)
            }
        }
    }

    fn headers(&mut self, mut headers: Headers) -> Next {
        loop {
            let rest = self.rest();
            // Some parts have no headers and no empty line.
            if matches!(rest.first(), Some(b'{' | b'<')) {
                break;
            }
            let line_end = rest.iter().position(|byte| *byte == b'\n');
            if headers.taken + line_end.unwrap_or(rest.len()) > MOST_OF_HEADERS {
                return Next::GoOn(State::Dropping {
                    part: headers.part,
                    dropped: headers.taken as u64,
                });
            }
            let Some(line_end) = line_end else {
                return Next::Wait(State::Headers(headers));
            };
            let line = &rest[..line_end];
            let ours = self.boundary.as_deref();
            if boundary_line(line, ours).is_some_and(|(name, _)| is_ours(&name, ours, &[])) {
                return Next::GoOn(State::Gap);
            }
            let is_blank = line.trim_ascii().is_empty();
            headers.add(line);
            headers.taken += line_end + 1;
            self.take(line_end + 1);
            if is_blank {
                break;
            }
        }
        Next::GoOn(State::Body {
            part: headers.part,
            announced: headers.announced,
            root: Root::default(),
        })
    }

    fn body(&mut self, mut part: Part, announced: Option<usize>, mut root: Root) -> Next {
        let found = self.next_boundary(is_ours);
        // What may be the beginning of a boundary is not looked at before it is known: the pieces must not matter.
        let body = &self.rest()[..self.searched.min(self.most)];
        let whole = root
            .end(body)
            .or_else(|| announced.filter(|length| is_whole_picture(body.get(..*length))));
        if let Some(end) = whole {
            part.body = body[..end].to_vec();
            self.take(end);
            return Next::Give(State::Gap, Piece::Part(part));
        }
        match found {
            Some(found) if found.line <= self.most => {
                part.body = without_line_end(&self.rest()[..found.line]).to_vec();
                Next::Give(self.pass(found), Piece::Part(part))
            }
            None if self.searched <= self.most => Next::Wait(State::Body {
                part,
                announced,
                root,
            }),
            _ => Next::GoOn(State::Dropping { part, dropped: 0 }),
        }
    }

    fn dropping(&mut self, part: Part, mut dropped: u64) -> Next {
        match self.next_boundary(is_ours) {
            Some(found) => {
                dropped += found.line.saturating_sub(1) as u64;
                Next::Give(self.pass(found), Piece::TooLarge(part, dropped))
            }
            None => {
                dropped += self.searched as u64;
                self.drop_searched();
                Next::Wait(State::Dropping { part, dropped })
            }
        }
    }

    fn pass(&mut self, boundary: Boundary) -> State {
        self.take(boundary.end);
        self.boundary = Some(boundary.name);
        match boundary.closing {
            true => State::Gap,
            false => State::Headers(Headers::default()),
        }
    }

    fn rest(&self) -> &[u8] {
        &self.buffer[self.taken..]
    }

    /// What follows may be a boundary line.
    fn take(&mut self, length: usize) {
        self.taken += length;
        self.searched = 0;
        self.mid_line = false;
    }

    fn drop_searched(&mut self) {
        let searched = self.searched;
        let mid_line = self.mid_line || searched > 0;
        self.take(searched);
        self.mid_line = mid_line;
    }

    /// The first boundary line that `is_one`, which is told its name, ours, and what is before it. Moves `searched` to the line
    /// end before it, or before what may become one.
    fn next_boundary(
        &mut self,
        is_one: impl Fn(&str, Option<&str>, &[u8]) -> bool,
    ) -> Option<Boundary> {
        let rest = &self.buffer[self.taken..];
        let ours = self.boundary.as_deref();
        let mut at = self.searched;
        let mut line = (at == 0 && !self.mid_line).then_some(0);
        loop {
            if let Some(line) = line {
                let text = &rest[line..];
                let length = text
                    .iter()
                    .take(MOST_OF_BOUNDARY_LINE)
                    .position(|byte| *byte == b'\n');
                let begins_like_one = text.starts_with(b"--") || b"--".starts_with(text);
                if length.is_none() && begins_like_one && text.len() < MOST_OF_BOUNDARY_LINE {
                    self.searched = line.saturating_sub(1);
                    return None;
                }
                let named = length.and_then(|length| boundary_line(&text[..length], ours));
                if let (Some((name, closing)), Some(length)) = (named, length)
                    && is_one(&name, ours, &rest[..line])
                {
                    self.searched = line.saturating_sub(1);
                    return Some(Boundary {
                        line,
                        end: line + length + 1,
                        name,
                        closing,
                    });
                }
            }
            let Some(found) = rest[at..].iter().position(|byte| *byte == b'\n') else {
                self.searched = rest.len();
                return None;
            };
            at += found + 1;
            line = Some(at);
        }
    }
}

fn is_ours(name: &str, ours: Option<&str>, _before: &[u8]) -> bool {
    ours == Some(name)
}

fn is_blank(bytes: &[u8]) -> bool {
    bytes.trim_ascii().is_empty()
}

/// The name of a boundary line, and whether it is the last one of its body.
fn boundary_line(line: &[u8], ours: Option<&str>) -> Option<(String, bool)> {
    if !line.starts_with(b"--") {
        return None;
    }
    let name = std::str::from_utf8(line.trim_ascii_end()).ok()?;
    let name = name.trim_start_matches('-');
    let (name, closing) = match name.strip_suffix("--") {
        Some(bare) if ours != Some(name) => (bare, true),
        _ => (name, false),
    };
    let is_name = !name.is_empty() && name.bytes().all(|byte| matches!(byte, b' '..=b'~'));
    is_name.then(|| (name.to_owned(), closing))
}

/// A parameter of a header, e.g. `boundary` of `multipart/mixed; boundary="x"`.
fn parameter(header: &str, wanted: &str) -> Option<String> {
    let mut quoted = false;
    let parameters = header.split(|c| {
        quoted ^= c == '"';
        c == ';' && !quoted
    });
    parameters
        .filter_map(|parameter| parameter.split_once('='))
        .find(|(name, _)| name.trim().eq_ignore_ascii_case(wanted))
        .map(|(_, value)| value.trim().trim_matches('"').to_owned())
}

fn without_line_end(body: &[u8]) -> &[u8] {
    let body = body.strip_suffix(b"\n").unwrap_or(body);
    body.strip_suffix(b"\r").unwrap_or(body)
}

fn is_whole_picture(body: Option<&[u8]>) -> bool {
    body.is_some_and(|body| Content::of(body) == Content::Jpeg && body.ends_with(b"\xff\xd9"))
}

/// Finds where the root of a JSON or XML text ends. Text that is neither, or is broken, may have no end.
#[derive(Debug, Default)]
struct Root {
    /// So far the text has been looked at.
    at: usize,
    depth: u32,
    place: Place,
}

#[derive(Clone, Copy, Debug, Default)]
enum Place {
    #[default]
    Before,
    Json,
    JsonString {
        escaped: bool,
    },
    Xml,
    /// With its first and its last byte so far.
    Tag(Option<u8>, u8),
    /// Neither JSON nor XML.
    Nowhere,
}

impl Root {
    /// The length of the text up to the end of its root. The text may only have grown since the last call.
    fn end(&mut self, text: &[u8]) -> Option<usize> {
        while let Some(byte) = text.get(self.at).copied() {
            if matches!(self.place, Place::Nowhere) {
                return None;
            }
            self.at += 1;
            if self.ends_with(byte) {
                return Some(self.at);
            }
        }
        None
    }

    fn ends_with(&mut self, byte: u8) -> bool {
        let mut closed = false;
        self.place = match (self.place, byte) {
            (Place::Before, b'{') => {
                self.depth = 1;
                Place::Json
            }
            (Place::Before, b'<') => Place::Tag(None, byte),
            (Place::Before, b' ' | b'\t' | b'\r' | b'\n' | b'\xef' | b'\xbb' | b'\xbf') => {
                Place::Before
            }
            (Place::Before | Place::Nowhere, _) => Place::Nowhere,
            (Place::Json, b'"') => Place::JsonString { escaped: false },
            (Place::Json, b'{' | b'[') => {
                self.depth = self.depth.saturating_add(1);
                Place::Json
            }
            (Place::Json, b'}' | b']') => {
                closed = true;
                Place::Json
            }
            (Place::JsonString { escaped: false }, b'"') => Place::Json,
            (Place::JsonString { escaped }, _) => Place::JsonString {
                escaped: byte == b'\\' && !escaped,
            },
            (Place::Xml, b'<') => Place::Tag(None, byte),
            (Place::Json | Place::Xml, _) => self.place,
            (Place::Tag(first, last), b'>') => {
                match first {
                    Some(b'/') => closed = true,
                    Some(b'?' | b'!') => {}
                    _ if last == b'/' => return self.depth == 0,
                    _ => self.depth = self.depth.saturating_add(1),
                }
                Place::Xml
            }
            (Place::Tag(first, _), _) => Place::Tag(first.or(Some(byte)), byte),
        };
        if closed {
            self.depth = self.depth.saturating_sub(1);
        }
        closed && self.depth == 0
    }
}

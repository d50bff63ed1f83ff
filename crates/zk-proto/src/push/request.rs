//! Request targets: which endpoint, for which terminal, with what. Firmware writes them loosely, proxies and installers add to them.

use std::borrow::Cow;
use std::fmt;

use super::text;

/// Where a request goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Route<'a> {
    /// What stands before `/iclock`, without slashes around it: empty, or whatever was typed into the terminal, such as a secret.
    pub prefix: &'a str,
    pub endpoint: Endpoint<'a>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Endpoint<'a> {
    /// `cdata`: handshake by GET, uploads by POST.
    Cdata,
    /// `getrequest`: the poll for commands.
    GetRequest,
    /// `devicecmd`: results of commands.
    DeviceCmd,
    Ping,
    /// `exchange`: keys of the vendor's encryption, which we do not have.
    Exchange,
    /// `registry`: a security terminal introduces itself.
    Registry,
    /// `push`: a security terminal fetches its configuration.
    Push,
    /// `querydata`: what a command asked for.
    QueryData,
    /// `rtdata`: a security terminal asks for the time.
    RtData,
    /// `fdata`: photos.
    FileData,
    /// `file`: downloads of firmware.
    File,
    /// `test`: somebody tries the connection.
    Test,
    /// `cpos` and the like: canteen terminals, another product.
    Consumption,
    Other(&'a str),
}

impl<'a> Route<'a> {
    /// The route of a request target, with or without its query, in origin or absolute form. `None` when it is not under `iclock`.
    pub fn of(target: &'a str) -> Option<Self> {
        let path = target.split(['?', '#']).next().unwrap_or_default();
        let path = match path.find("://") {
            Some(at) if !path.starts_with('/') => {
                let authority = &path[at + 3..];
                &authority[authority.find('/')?..]
            }
            _ => path,
        };
        // The last one counts: terminals append to whatever was typed into them, even to a whole path.
        let mut end = path.len();
        let mut endpoint = "";
        while let Some(slash) = path[..end].rfind('/') {
            let segment = &path[slash + 1..end];
            if segment.eq_ignore_ascii_case("iclock") && !endpoint.is_empty() {
                return Some(Self {
                    prefix: path[..slash].trim_matches('/'),
                    endpoint: Endpoint::of(endpoint),
                });
            }
            if !segment.is_empty() {
                endpoint = segment;
            }
            end = slash;
        }
        // A target without a slash in front.
        (path[..end].eq_ignore_ascii_case("iclock") && !endpoint.is_empty()).then(|| Self {
            prefix: "",
            endpoint: Endpoint::of(endpoint),
        })
    }
}

impl<'a> Endpoint<'a> {
    fn of(segment: &'a str) -> Self {
        let name = segment.split_once('.').map_or(segment, |(name, _)| name);
        const NAMES: [(&str, Endpoint<'_>); 12] = [
            ("cdata", Endpoint::Cdata),
            ("getrequest", Endpoint::GetRequest),
            ("devicecmd", Endpoint::DeviceCmd),
            ("ping", Endpoint::Ping),
            ("exchange", Endpoint::Exchange),
            ("registry", Endpoint::Registry),
            ("push", Endpoint::Push),
            ("querydata", Endpoint::QueryData),
            ("rtdata", Endpoint::RtData),
            ("fdata", Endpoint::FileData),
            ("file", Endpoint::File),
            ("test", Endpoint::Test),
        ];
        let known = NAMES
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name));
        match (known, name.as_bytes()) {
            (Some((_, endpoint)), _) => *endpoint,
            (None, [b'c' | b'C', b'p' | b'P', b'o' | b'O', b's' | b'S', ..]) => Self::Consumption,
            (None, _) => Self::Other(segment),
        }
    }
}

/// The parameters of a request. Keys are found without regard to case, values come without blanks around them; `+` is a plus sign.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Query<'a>(Vec<(Cow<'a, str>, Cow<'a, str>)>);

impl<'a> Query<'a> {
    /// From what follows the `?`. Escapes that are none stay as they are.
    pub fn parse(query: &'a str) -> Self {
        let pairs = query.split('&').filter(|pair| !pair.is_empty());
        let pairs = pairs.map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decoded(key), decoded(value))
        });
        Self(pairs.collect())
    }

    /// From a whole request target.
    pub fn of(target: &'a str) -> Self {
        Self::parse(target.split_once('?').map_or("", |(_, query)| query))
    }

    /// The first value with this key; empty where the request has nothing behind the `=`.
    pub fn get(&self, key: &str) -> Option<&str> {
        let mut pairs = self.0.iter();
        let found = pairs.find(|(name, _)| name.eq_ignore_ascii_case(key));
        found.map(|(_, value)| value.as_ref())
    }

    /// The first of these keys that is there with a value.
    pub fn any(&self, keys: &[&str]) -> Option<&str> {
        let values = keys.iter().filter_map(|key| self.get(key));
        values.into_iter().find(|value| !value.is_empty())
    }

    pub fn number(&self, key: &str) -> Option<u64> {
        self.get(key)?.parse().ok()
    }

    /// `None` when there is none or it is none.
    pub fn serial(&self) -> Option<SerialNumber> {
        SerialNumber::parse(self.get("SN")?)
    }

    /// Where an upload says it stands, under whichever name: to be kept as it is, per terminal and kind of upload.
    pub fn stamp(&self) -> Option<&str> {
        const NAMES: [&str; 9] = [
            "Stamp",
            "OpStamp",
            "PhotoStamp",
            "ATTLOGStamp",
            "OPERLOGStamp",
            "ATTPHOTOStamp",
            "BIODATAStamp",
            "IDCARDStamp",
            "ERRORLOGStamp",
        ];
        self.any(&NAMES)
    }

    /// The upload is what a command asked for, which does not move the terminal's position.
    pub fn answers_a_command(&self) -> bool {
        self.stamp() == Some("0")
    }
}

impl fmt::Debug for Query<'_> {
    /// Without the shared keys.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = self.0.iter().map(|(key, value)| {
            let secret = super::body::is_secret(key.as_bytes());
            (key, if secret { "***" } else { value.as_ref() })
        });
        f.debug_map().entries(shown).finish()
    }
}

fn decoded(part: &str) -> Cow<'_, str> {
    if !part.contains(['%']) {
        let trimmed = part.trim();
        return match text::decode(trimmed.as_bytes()) {
            Cow::Borrowed(_) => Cow::Borrowed(trimmed),
            Cow::Owned(text) => Cow::Owned(text),
        };
    }
    let bytes = unescaped(part.as_bytes());
    Cow::Owned(text::decode(bytes.trim_ascii()).into_owned())
}

/// With `%xx` decoded where it is an escape.
pub(super) fn unescaped(bytes: &[u8]) -> Vec<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let mut out = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let [first, after @ ..] = rest {
        let escaped = match rest {
            [b'%', high, low, ..] => digit(*high).zip(digit(*low)),
            _ => None,
        };
        match escaped {
            Some((high, low)) => {
                out.push((high * 16 + low) as u8); // two hex digits
                rest = &rest[3..];
            }
            None => {
                out.push(*first);
                rest = after;
            }
        }
    }
    out
}

/// A terminal's serial number: 3 to 40 of letters, digits, `.`, `_` and `-`. Everything a terminal is known by.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SerialNumber(String);

impl SerialNumber {
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim_matches(' ');
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
        let is_one = (3..=40).contains(&text.len()) && text.bytes().all(fits);
        is_one.then(|| Self(text.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SerialNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// What a GET on `cdata` asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asks {
    /// The option block; also what a bare probe gets.
    Options,
    /// `type=time`: the time, as [`super::time::manual_answer`].
    Time,
    /// `type=LastPunch`: what to show to somebody.
    LastPunch { pin: String },
    /// `table=RemoteAtt`: the data of somebody who was enrolled elsewhere.
    RoamingUser { pin: String },
}

impl Asks {
    pub fn of(query: &Query<'_>) -> Self {
        let pin = || query.get("PIN").unwrap_or_default().to_owned();
        let is = |key, value: &str| {
            query
                .get(key)
                .is_some_and(|v| v.eq_ignore_ascii_case(value))
        };
        if query.get("options").is_some() {
            Self::Options
        } else if is("type", "time") {
            Self::Time
        } else if is("type", "LastPunch") {
            Self::LastPunch { pin: pin() }
        } else if is("table", "RemoteAtt") || query.get("PIN").is_some() {
            Self::RoamingUser { pin: pin() }
        } else {
            Self::Options
        }
    }
}

/// What a POST on `cdata` or `querydata` brings, and with that who reads the body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Upload {
    /// Punches: [`super::attlog`].
    AttLog,
    /// People, operations and templates, told apart by the first word of each line: [`super::operlog`].
    OperLog,
    /// The same without those words, after a command: all lines are of this kind.
    Rows(super::operlog::Kind),
    /// A picture: [`super::photo`].
    AttPhoto,
    /// Parameters: [`super::options::Parameters`].
    Options,
    /// Events as they happen: [`super::security::events`].
    RtLog,
    /// The state of doors: [`super::security::door_states`].
    RtState,
    /// The same events from the log: [`super::security::events`].
    Transactions,
    /// Somebody stands at the terminal and waits for an answer: `AUTH=Failed` where we do not verify people.
    Verification,
    /// Asks whether somebody who was recognised may pass.
    PostVerify,
    /// A table we know nothing about, by its name: kept and acknowledged.
    Other(String),
    /// No table and no stamp.
    Nothing,
}

impl Upload {
    /// The table, else the kind of stamp that old firmware sends instead.
    pub fn of(query: &Query<'_>) -> Self {
        use super::operlog::Kind;
        if query.get("AuthType").is_some() {
            return Self::Verification;
        }
        let table = query.any(&["table"]);
        let table = match table {
            Some(table) if !table.eq_ignore_ascii_case("tabledata") => Some(table),
            _ => query.any(&["tablename"]).or(table),
        };
        // An archive in place of the lines.
        if query
            .any(&["ContentType"])
            .is_some_and(|kind| kind.eq_ignore_ascii_case("tgz"))
        {
            return Self::Other(table.unwrap_or_default().to_owned());
        }
        let kind = query.any(&["type"]).unwrap_or_default();
        let Some(table) = table else {
            let has = |key| query.get(key).is_some();
            return match kind.to_ascii_lowercase().as_str() {
                "postverifydata" => Self::PostVerify,
                "biodata" => Self::Rows(Kind::BioData),
                "options" => Self::Options,
                _ if has("OpStamp") || has("OPERLOGStamp") => Self::OperLog,
                _ if has("PhotoStamp") || has("ATTPHOTOStamp") => Self::AttPhoto,
                _ if has("Stamp") || has("ATTLOGStamp") => Self::AttLog,
                _ => Self::Nothing,
            };
        };
        match table.to_ascii_lowercase().as_str() {
            "attlog" => Self::AttLog,
            "operlog" => Self::OperLog,
            "attphoto" => Self::AttPhoto,
            "options" => Self::Options,
            "rtlog" => Self::RtLog,
            "rtstate" => Self::RtState,
            "transaction" => Self::Transactions,
            name => match Kind::of(name) {
                Some(kind) => Self::Rows(kind),
                None => Self::Other(table.to_owned()),
            },
        }
    }

    /// The answer when all `count` lines were taken care of. Security terminals want rows of a table counted by its name.
    pub fn acknowledge(&self, query: &Query<'_>, count: usize) -> String {
        let is = |key, value: &str| {
            query
                .get(key)
                .is_some_and(|v| v.eq_ignore_ascii_case(value))
        };
        let has_rows = is("table", "tabledata") || is("type", "tabledata") || is("type", "count");
        match (self, query.any(&["tablename"])) {
            (Self::Verification, _) => "AUTH=Failed".to_owned(),
            (_, Some(table)) if has_rows => super::security::counted(table, count),
            (Self::AttLog | Self::OperLog | Self::Rows(_) | Self::Nothing, _) => {
                super::counted(count)
            }
            _ => super::OK.to_owned(),
        }
    }

    /// The name for stored positions and notices: one per kind of upload, whatever the terminal calls it.
    pub fn name(&self) -> &str {
        match self {
            Self::AttLog => "ATTLOG",
            Self::OperLog => "OPERLOG",
            Self::Rows(kind) => kind.name(),
            Self::AttPhoto => "ATTPHOTO",
            Self::Options => "options",
            Self::RtLog => "rtlog",
            Self::RtState => "rtstate",
            Self::Transactions => "transaction",
            Self::Verification => "verification",
            Self::PostVerify => "PostVerifyData",
            Self::Other(table) => table,
            Self::Nothing => "",
        }
    }
}

/// A request line that an HTTP library takes: what may not stand in a target is escaped, the method and the version stay. A line
/// that is good, or is no request line at all, comes back as it is. Terminals send raw blanks (`INFO=Ver 2.0.12, 2, 0`), names in
/// their own code page, and worse.
pub fn normalise_request_line(line: &[u8]) -> Cow<'_, [u8]> {
    const VERSION: &[u8] = b" HTTP/1.";
    let method = line.iter().position(|byte| *byte == b' ');
    let version = line
        .windows(VERSION.len())
        .rposition(|part| part == VERSION);
    let (Some(method), Some(version)) = (method, version) else {
        return Cow::Borrowed(line);
    };
    // The only blank of `GET HTTP/1.1`.
    if version <= method {
        return Cow::Borrowed(line);
    }
    let target = line[method + 1..version].trim_ascii();
    let is_good = target.len() == version - method - 1 && target.iter().all(|b| may_stand(*b));
    if is_good || target.is_empty() {
        return Cow::Borrowed(line);
    }
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    let mut out = Vec::with_capacity(line.len() + 16);
    out.extend_from_slice(&line[..=method]);
    for &byte in target {
        match may_stand(byte) {
            true => out.push(byte),
            false => out.extend([
                b'%',
                HEX[usize::from(byte >> 4)],
                HEX[usize::from(byte & 0xf)],
            ]),
        }
    }
    out.extend_from_slice(&line[version..]);
    Cow::Owned(out)
}

/// Unreserved and reserved characters of RFC 3986 and `%`, but not `#`: a request has no fragment.
fn may_stand(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~:/?[]@!$&'()*+,;=%".contains(&byte)
}

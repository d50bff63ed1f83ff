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
    /// `type=time`: the time, as [`super::time::manual_answer`]. Only [`super::Family::Manual`] asks.
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
            // Of a table that nobody knows too: every terminal takes the counted form, and some repeat what is not counted.
            (Self::AttLog | Self::OperLog | Self::Rows(_) | Self::Nothing | Self::Other(_), _) => {
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::operlog::Kind;
    use super::*;

    #[test]
    fn routes() {
        let check = |target: &str, prefix: &str, endpoint: Endpoint<'_>| {
            assert_eq!(
                Route::of(target),
                Some(Route { prefix, endpoint }),
                "{target}"
            );
        };
        check("/iclock/cdata", "", Endpoint::Cdata);
        check("/iclock/cdata?SN=1", "", Endpoint::Cdata);
        check("/iclock/cdata.aspx", "", Endpoint::Cdata);
        check("/iclock/CDATA.php/", "", Endpoint::Cdata);
        check("/IClock/getrequest/?a=/b/c", "", Endpoint::GetRequest);
        check("//iclock//devicecmd", "", Endpoint::DeviceCmd);
        check("/site/s3cret/iclock/ping", "site/s3cret", Endpoint::Ping);
        check(
            "/x/iclock/cdata/iclock/registry",
            "x/iclock/cdata",
            Endpoint::Registry,
        );
        check("http://10.0.0.5:8081/iclock/push", "", Endpoint::Push);
        check(
            "http://iclock/a/iclock/querydata?x",
            "a",
            Endpoint::QueryData,
        );
        check("iclock/rtdata", "", Endpoint::RtData);
        check("/iclock/fdata", "", Endpoint::FileData);
        check("/iclock/file", "", Endpoint::File);
        check("/iclock/test", "", Endpoint::Test);
        check("/iclock/exchange", "", Endpoint::Exchange);
        check("/iclock/cpos/ping", "", Endpoint::Consumption);
        check("/iclock/cposdata", "", Endpoint::Consumption);
        check("/iclock/New.thing", "", Endpoint::Other("New.thing"));
        for target in [
            "/",
            "",
            "/cdata",
            "/iclock",
            "/iclock/",
            "/iclockx/cdata",
            "http://iclock",
            "http://iclock/cdata",
        ] {
            assert_eq!(Route::of(target), None, "{target}");
        }
    }

    #[test]
    fn queries() {
        let query = Query::parse(
            "sn=BOCK1&table=%20ATTLOG &&INFO=Ver%202,%zz,+1%&Name=%D5%C5&flag&a=b=c&SN=2",
        );
        assert_eq!(query.get("SN"), Some("BOCK1"));
        assert_eq!(query.get("Table"), Some("ATTLOG"));
        assert_eq!(query.get("info"), Some("Ver 2,%zz,+1%"));
        assert_eq!(query.get("name"), Some("\u{5f20}"));
        assert_eq!(query.get("flag"), Some(""));
        assert_eq!(query.get("a"), Some("b=c"));
        assert_eq!(query.get("b"), None);
        let secret = Query::parse("SN=1&ComKey=88888888&pushcommkey=abc");
        let shown = format!("{secret:?}");
        assert!(!shown.contains("8888") && !shown.contains("abc"), "{shown}");
    }

    #[test]
    fn serial_numbers() {
        let check = |query: &str, expected: Option<&str>| {
            let serial = Query::parse(query).serial();
            assert_eq!(
                serial.as_ref().map(SerialNumber::as_str),
                expected,
                "{query}"
            );
        };
        check("SN=BOCK200961014", Some("BOCK200961014"));
        check("sn=%200316144680030%20", Some("0316144680030"));
        check("SN=a-b_c.d", Some("a-b_c.d"));
        check("SN=", None);
        check("options=all", None);
        check("SN=ab", None);
        check("SN=../etc", None);
        check("SN=abc%00", None);
        check("SN=abc%22", None);
        check(&format!("SN={}", "1".repeat(40)), Some(&"1".repeat(40)));
        check(&format!("SN={}", "1".repeat(41)), None);
    }

    #[test]
    fn uploads() {
        let check = |query: &str, upload: Upload| {
            assert_eq!(Upload::of(&Query::parse(query)), upload, "{query}");
        };
        check("table=attlog", Upload::AttLog);
        check("table=%20ATTLOG", Upload::AttLog);
        check("Stamp=289503453", Upload::AttLog);
        check("OpStamp=1", Upload::OperLog);
        check("PhotoStamp=1", Upload::AttPhoto);
        check("table=OPERLOG&Stamp=1", Upload::OperLog);
        check("table=USERINFO", Upload::Rows(Kind::User));
        check("table=FINGERTMP", Upload::Rows(Kind::Finger));
        check("type=BioData", Upload::Rows(Kind::BioData));
        check("type=PostVerifyData", Upload::PostVerify);
        check("AuthType=CARD", Upload::Verification);
        check("table=rtstate", Upload::RtState);
        check("table=tabledata&tablename=user", Upload::Rows(Kind::User));
        check(
            "table=tabledata&tableName=timezone",
            Upload::Other("timezone".to_owned()),
        );
        check("type=tabledata&tablename=transaction", Upload::Transactions);
        check("type=options&tablename=options", Upload::Options);
        check(
            "table=OPERLOG&ContentType=tgz",
            Upload::Other("OPERLOG".to_owned()),
        );
        check("table=SMS", Upload::Other("SMS".to_owned()));
        check("SN=1", Upload::Nothing);
    }

    #[test]
    fn acknowledgements() {
        let check = |query: &str, expected: &str| {
            let query = Query::parse(query);
            assert_eq!(Upload::of(&query).acknowledge(&query, 3), expected);
        };
        check("table=ATTLOG", "OK: 3");
        check("OpStamp=1", "OK: 3");
        check("table=IDCARD", "OK: 3");
        check("table=options", "OK");
        check("table=rtlog", "OK");
        check("table=SMS", "OK: 3");
        check("table=tabledata&tablename=userpic", "userpic=3");
        check("table=tabledata&tablename=timezone", "timezone=3");
        check("type=count&tablename=user", "user=3");
        check("type=options&tablename=options", "OK");
        check("AuthType=FP", "AUTH=Failed");
    }

    #[test]
    fn questions() {
        let check = |query: &str, asks: Asks| {
            assert_eq!(Asks::of(&Query::parse(query)), asks, "{query}");
        };
        let pin = || "7".to_owned();
        check("SN=1&options=all", Asks::Options);
        check("SN=1", Asks::Options);
        check("SN=1&type=time", Asks::Time);
        check("SN=1&type=LastPunch&PIN=7", Asks::LastPunch { pin: pin() });
        check(
            "SN=1&table=RemoteAtt&PIN=7",
            Asks::RoamingUser { pin: pin() },
        );
        check("SN=1&PIN=7", Asks::RoamingUser { pin: pin() });
    }

    #[track_caller]
    fn normalised(line: &[u8], expected: &[u8]) {
        let found = normalise_request_line(line);
        assert_eq!(
            found.escape_ascii().to_string(),
            expected.escape_ascii().to_string()
        );
    }

    #[test]
    fn request_lines_become_acceptable() {
        normalised(
            b"GET /iclock/getrequest?SN=A1&INFO=Ver 2.0, 2, 0 HTTP/1.1\r\n",
            b"GET /iclock/getrequest?SN=A1&INFO=Ver%202.0,%202,%200 HTTP/1.1\r\n",
        );
        normalised(
            b"POST  /iclock/cdata?t=\t\"<>{}|\\^`# HTTP/1.0",
            b"POST /iclock/cdata?t=%09%22%3C%3E%7B%7D%7C%5C%5E%60%23 HTTP/1.0",
        );
        normalised(
            b"GET /a?\xd5\xc5\x01 HTTP/1.1",
            b"GET /a?%D5%C5%01 HTTP/1.1",
        );
        normalised(
            b"GET /a HTTP/1.0 b HTTP/1.1",
            b"GET /a%20HTTP/1.0%20b HTTP/1.1",
        );
    }

    #[test]
    fn good_and_hopeless_request_lines_stay() {
        for line in [
            &b"GET /iclock/cdata?SN=A1&x=%zz[1]~!$&'()*+,;=:@/? HTTP/1.1\r\n"[..],
            b"GET HTTP/1.1",
            b"GET / a",
            b"GET  HTTP/1.1",
            b"GET    HTTP/1.1",
            b"\x16\x03\x01\x02",
            b"",
        ] {
            let found = normalise_request_line(line);
            assert!(
                matches!(found, Cow::Borrowed(same) if same == line),
                "{}",
                line.escape_ascii()
            );
        }
    }

    proptest! {
        #[test]
        fn what_was_normalised_is_good(target in proptest::collection::vec(any::<u8>(), 0..60)) {
            let line = [b"GET /", target.as_slice(), b" HTTP/1.1"].concat();
            let once = normalise_request_line(&line).into_owned();
            prop_assert!(matches!(normalise_request_line(&once), Cow::Borrowed(_)));
            let inside = &once[b"GET ".len()..once.len() - b" HTTP/1.1".len()];
            prop_assert!(inside.iter().all(|byte| may_stand(*byte)));
            prop_assert!(unescaped(inside).starts_with(b"/"));
        }

        #[test]
        fn no_input_panics(bytes in proptest::collection::vec(any::<u8>(), 0..60), text in "[a-z/?.:&=%0-9]{0,30}(/iclock/)?\\PC{0,30}") {
            normalise_request_line(&bytes);
            Route::of(&text);
            let query = Query::of(&text);
            Upload::of(&query);
            Asks::of(&query);
            SerialNumber::parse(&text);
        }
    }
}

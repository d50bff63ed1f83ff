//! People, operations, templates and pictures: lines that begin with a word, or the rows of a table without it. Both families'
//! tables are read here; the attendance family writes `USER PIN=`, the security family `user uid=..<HT>pin=`.

use std::fmt;

use jiff::civil::DateTime;

use super::body::{self, BadLine, Fields, LINE_LIMIT, Lines, Reason, number};
use super::time;

/// What a line is about, by its first word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    User,
    Operation,
    Finger,
    Face,
    Vein,
    BioData,
    UserPicture,
    BioPhoto,
    IdCard,
    ErrorLog,
}

impl Kind {
    /// By the first word of a line or the name of a table.
    pub fn of(word: &str) -> Option<Self> {
        const WORDS: [(&str, Kind); 18] = [
            ("USER", Kind::User),
            ("USERINFO", Kind::User),
            ("OPLOG", Kind::Operation),
            ("FP", Kind::Finger),
            ("FINGERTMP", Kind::Finger),
            ("templatev10", Kind::Finger),
            ("FACE", Kind::Face),
            ("FACETMP", Kind::Face),
            ("FVEIN", Kind::Vein),
            ("FVEINTMP", Kind::Vein),
            ("BIODATA", Kind::BioData),
            ("USERPIC", Kind::UserPicture),
            ("BIOPHOTO", Kind::BioPhoto),
            ("IDCARD", Kind::IdCard),
            ("identitycard", Kind::IdCard),
            ("ERRORLOG", Kind::ErrorLog),
            ("template", Kind::Finger),
            ("snapshot", Kind::BioPhoto),
        ];
        let found = WORDS
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(word));
        found.map(|(_, kind)| *kind)
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::User => "USER",
            Self::Operation => "OPLOG",
            Self::Finger => "FP",
            Self::Face => "FACE",
            Self::Vein => "FVEIN",
            Self::BioData => "BIODATA",
            Self::UserPicture => "USERPIC",
            Self::BioPhoto => "BIOPHOTO",
            Self::IdCard => "IDCARD",
            Self::ErrorLog => "ERRORLOG",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Line<'a> {
    User(User),
    Operation(Operation<'a>),
    Template(Template<'a>),
    Picture(Picture<'a>),
    /// A word we do nothing with, such as `ENROLL_FP` or `ERRORLOG`.
    Other {
        word: &'a str,
        line: Unread<'a>,
    },
}

/// A line as received, which may hold anything.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Unread<'a>(pub &'a [u8]);

impl fmt::Debug for Unread<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.0.len())
    }
}

/// The lines of a body. `rows` is the kind of lines without a word in front, where the table says it. One item per line that is not
/// blank, so their number is what to acknowledge.
pub fn lines(body: &[u8], rows: Option<Kind>) -> Entries<'_> {
    Entries {
        lines: body::lines(body),
        rows,
    }
}

#[derive(Clone, Debug)]
pub struct Entries<'a> {
    lines: Lines<'a>,
    rows: Option<Kind>,
}

impl<'a> Iterator for Entries<'a> {
    type Item = Result<Line<'a>, BadLine<'a>>;

    fn next(&mut self) -> Option<Self::Item> {
        let line = self.lines.next()?;
        Some(entry(line, self.rows).map_err(|reason| BadLine::new(line, reason)))
    }
}

fn entry(line: &[u8], rows: Option<Kind>) -> Result<Line<'_>, Reason> {
    if line.contains(&0) {
        return Err(Reason::Nul);
    }
    let (word, rest) = first_word(line);
    let kind = Kind::of(word);
    let (kind, rest) = match (kind, rows) {
        (Some(kind), _) => (Some(kind), rest),
        // The first field is no word.
        (None, Some(rows)) => (Some(rows), line),
        (None, None) => (None, rest),
    };
    let fields = Fields(rest);
    let is_long = |limit: usize| line.len() > limit;
    match kind {
        Some(Kind::User | Kind::Operation) if is_long(LINE_LIMIT) => Err(Reason::TooLong),
        Some(Kind::User) => user(fields).map(Line::User),
        Some(Kind::Operation) => operation(rest).map(Line::Operation),
        Some(kind @ (Kind::UserPicture | Kind::BioPhoto)) => Ok(Line::Picture(Picture {
            kind,
            pin: fields.pin()?,
            file_name: fields.text(&["FileName"]),
            size: fields.number(&["Size"]),
            content: ascii(fields.any(&["Content", "Photo"])),
        })),
        Some(kind @ (Kind::Finger | Kind::Face | Kind::Vein | Kind::BioData)) => {
            template(kind, fields).map(Line::Template)
        }
        Some(Kind::IdCard | Kind::ErrorLog) => Ok(other(word, line)),
        None if word.is_empty() => Err(Reason::Form),
        None => Ok(other(word, line)),
    }
}

fn other<'a>(word: &'a str, line: &'a [u8]) -> Line<'a> {
    let line = Unread(line);
    Line::Other { word, line }
}

/// The word of letters, digits and `_` before the first blank, and what follows. Empty when the line has none.
fn first_word(line: &[u8]) -> (&str, &[u8]) {
    let line = line.trim_ascii_start();
    let end = line.iter().position(|byte| matches!(byte, b' ' | b'\t'));
    let (word, rest) = line.split_at(end.unwrap_or(line.len()));
    let is_word = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
    let begins = word.first().is_some_and(u8::is_ascii_alphabetic);
    match std::str::from_utf8(word) {
        Ok(text) if begins && word.len() <= 32 && word.iter().all(is_word) => (text, rest),
        _ => ("", line),
    }
}

fn ascii(field: Option<&[u8]>) -> &str {
    let field = field.unwrap_or_default();
    std::str::from_utf8(field).unwrap_or_default()
}

/// Somebody as a terminal knows them. Fields that were not sent are `None`; not the same as empty.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct User {
    pub pin: String,
    /// May be empty.
    pub name: Option<String>,
    /// 0 user, 2 enroller, 6 manager, 14 super admin; see [`crate::users::Privilege`].
    pub privilege: Option<u8>,
    /// For the keypad.
    password: Option<String>,
    /// `Some(None)` when the terminal says that there is none.
    pub card: Option<Option<u64>>,
    pub group: Option<u8>,
    /// As sent: 16 digits in four groups, whether the zones of the group hold, then up to three of their own.
    pub zones: Option<String>,
    pub verify: Option<i16>,
    pub disabled: Option<bool>,
}

impl fmt::Debug for User {
    /// Without the password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("User")
            .field("pin", &self.pin)
            .field("name", &self.name)
            .field("privilege", &self.privilege)
            .field("card", &self.card)
            .field("group", &self.group)
            .finish_non_exhaustive()
    }
}

impl User {
    pub fn has_password(&self) -> Option<bool> {
        self.password.as_ref().map(|password| !password.is_empty())
    }

    pub fn password(&self) -> Option<&str> {
        self.password.as_deref()
    }
}

fn user(fields: Fields<'_>) -> Result<User, Reason> {
    Ok(User {
        pin: fields.pin()?.to_owned(),
        name: fields.text(&["Name"]),
        privilege: fields.number(&["Pri", "Privilege"]),
        password: fields.text(&["Passwd", "Password"]),
        card: fields.any(&["Card", "CardNo"]).map(card),
        group: fields.number(&["Grp", "Group"]),
        zones: fields.text(&["TZ"]),
        verify: fields.number(&["Verify"]),
        disabled: fields.number(&["Disable"]).map(|flag: u8| flag != 0),
    })
}

/// A card number: decimal, or in brackets its bytes in hex, the least significant first (`[15CD5B07]` is 123456789). `None` for
/// none, which is empty or 0, and for what is no number.
pub fn card(field: &[u8]) -> Option<u64> {
    let field = field.trim_ascii();
    let number = match field.strip_prefix(b"[") {
        None => number(field)?,
        Some(rest) => {
            let digits = rest.strip_suffix(b"]")?;
            let is_hex = digits.len().is_multiple_of(2) && digits.iter().all(u8::is_ascii_hexdigit);
            let bytes = digits.chunks(2).rev().map(|pair| {
                let pair = std::str::from_utf8(pair).ok()?;
                u64::from_str_radix(pair, 16).ok()
            });
            let mut number: u64 = 0;
            for byte in bytes {
                number = number.checked_mul(256)?.checked_add(byte?)?;
            }
            is_hex.then_some(number)?
        }
    };
    (number != 0).then_some(number)
}

/// Something that was done at the terminal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operation<'a> {
    /// See [`operation_name`].
    pub code: u16,
    /// Who did it; empty or `0` for nobody known.
    pub operator: &'a str,
    /// Wall time.
    pub time: DateTime,
    /// What it was done to; meaning and number depend on the code.
    pub objects: [&'a str; 4],
}

impl Operation<'_> {
    /// Explains punches that are missing or have a shifted time.
    pub fn tampers(&self) -> Option<Tampering> {
        Some(match self.code {
            13 => Tampering::DataCleared,
            21 => Tampering::ClockSet,
            22 => Tampering::FactoryReset,
            23 => Tampering::RecordsDeleted,
            82 | 83 => Tampering::ServerChanged,
            _ => return None,
        })
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Tampering {
    DataCleared,
    ClockSet,
    FactoryReset,
    RecordsDeleted,
    ServerChanged,
}

/// ` 4<HT>14<HT>2026-11-22 10:22:34<HT>0<HT>0<HT>0<HT>0`; the time is packed on old firmware.
fn operation(rest: &[u8]) -> Result<Operation<'_>, Reason> {
    let mut fields = rest.split(|byte| *byte == b'\t').map(<[u8]>::trim_ascii);
    let mut next = || fields.next().ok_or(Reason::TooFewFields);
    let code = number(next()?).ok_or(Reason::Number)?;
    let operator = next()?;
    let clock = time::parse_or_packed(next()?)?;
    let mut object = || fields.next().map_or("", |field| ascii(Some(field)));
    Ok(Operation {
        code,
        operator: std::str::from_utf8(operator).map_err(|_| Reason::User)?,
        time: clock.wall,
        objects: [object(), object(), object(), object()],
    })
}

/// What an operation is, in plain words.
pub fn operation_name(code: u16) -> Option<&'static str> {
    Some(match code {
        0 => "switched on",
        1 => "switched off",
        2 => "somebody was not recognised",
        3 => "alarm",
        4 => "menu opened",
        5 => "settings changed",
        6 => "finger enrolled",
        7 => "password set",
        8 => "card registered",
        9 => "user deleted",
        10 => "finger deleted",
        11 => "password deleted",
        12 => "card deleted",
        13 => "all data cleared",
        14..=20 => "memory card written or cleared",
        21 => "clock set",
        22 => "reset to factory settings",
        23 => "records deleted",
        24 => "administrators' rights removed",
        25..=28 => "access rules changed",
        29 => "door opened",
        30 => "user added",
        31 => "finger's attribute changed",
        32 => "alarm under duress",
        33 => "doorbell",
        34 => "anti-passback",
        35 => "photos deleted",
        36 | 37 => "user changed",
        38 => "data restored",
        39 => "data saved",
        40..=43 => "USB upload or download",
        53 => "exit button",
        54 => "door sensor",
        55 => "alarm",
        56 => "parameters reset",
        65 | 66 | 101 => "face enrolled",
        68 | 69 => "user's photo changed",
        70 => "name changed",
        71 => "privilege changed",
        76..=79 => "network settings changed",
        80 | 81 => "connection settings changed",
        82 => "server's address changed",
        83 => "server's port changed",
        106 => "face deleted",
        121..=126 => "vein or palm enrolled or deleted",
        _ => return None,
    })
}

/// A template of a finger, a face, a vein or a palm.
#[derive(Clone, PartialEq, Eq)]
pub struct Template<'a> {
    pub kind: Kind,
    pub pin: &'a str,
    /// Which finger or which part of a face, from 0.
    pub number: u16,
    pub index: u16,
    /// 0 not valid, 1 valid, 3 a finger for use under duress.
    pub valid: Option<u8>,
    /// Of BIODATA: 1 finger, 2 infrared face, 7 finger vein, 8 palm vein, 9 visible-light face, 10 visible-light palm.
    pub bio_type: Option<u8>,
    pub major_version: Option<u16>,
    pub minor_version: Option<u16>,
    /// What the line says of [`Self::data`].
    pub size: Option<u32>,
    /// Base64; empty when it is not ASCII.
    pub data: &'a str,
}

impl fmt::Debug for Template<'_> {
    /// Without the template.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Template")
            .field("kind", &self.kind)
            .field("pin", &self.pin)
            .field("number", &self.number)
            .field("index", &self.index)
            .field("bio_type", &self.bio_type)
            .finish_non_exhaustive()
    }
}

fn template(kind: Kind, fields: Fields<'_>) -> Result<Template<'_>, Reason> {
    Ok(Template {
        kind,
        pin: fields.pin()?,
        number: fields.number(&["FID", "FingerID", "No"]).unwrap_or(0),
        index: fields.number(&["Index"]).unwrap_or(0),
        valid: fields.number(&["Valid"]),
        bio_type: fields.number(&["Type"]),
        major_version: fields.number(&["MajorVer"]),
        minor_version: fields.number(&["MinorVer"]),
        size: fields.number(&["Size"]),
        data: ascii(fields.any(&["TMP", "Template"])),
    })
}

/// A photo of somebody.
#[derive(Clone, PartialEq, Eq)]
pub struct Picture<'a> {
    pub kind: Kind,
    pub pin: &'a str,
    pub file_name: Option<String>,
    /// What the line says of [`Self::content`].
    pub size: Option<u32>,
    /// A JPEG in Base64.
    pub content: &'a str,
}

impl fmt::Debug for Picture<'_> {
    /// Without the picture.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Picture")
            .field("kind", &self.kind)
            .field("pin", &self.pin)
            .field("file_name", &self.file_name)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn only(line: &[u8], rows: Option<Kind>) -> Result<Line<'_>, Reason> {
        let mut entries = lines(line, rows);
        let entry = entries.next().expect("a line");
        assert!(entries.next().is_none(), "one line");
        entry.map_err(|bad| bad.reason)
    }

    #[track_caller]
    fn read_user(line: &[u8], rows: Option<Kind>) -> User {
        match only(line, rows) {
            Ok(Line::User(user)) => user,
            other => panic!("a user: {other:?}"),
        }
    }

    #[test]
    fn cards() {
        let check = |field: &str, expected: Option<u64>| {
            assert_eq!(card(field.as_bytes()), expected, "{field}");
        };
        check("133440", Some(133_440));
        check(" 0000133440", Some(133_440));
        check("[15CD5B07]", Some(123_456_789));
        check("[15cd5b0700]", Some(123_456_789));
        check("[0000000000]", None);
        check("[0000000001]", Some(1 << 32));
        for nothing in [
            "",
            "0",
            "[]",
            "[15CD5B0]",
            "[15CD5B07",
            "[xy]",
            "-1",
            "card",
            "[112233445566778899]",
        ] {
            check(nothing, None);
        }
    }

    #[test]
    fn users_of_all_kinds_of_tables() {
        let attendance = b"USER PIN=7\tName=Ana\tPri=14\tPasswd=4711\tCard=[15CD5B07]\tGrp=2\tTZ=0001000100000000\tVerify=-1";
        let user = read_user(attendance, None);
        assert_eq!(
            (user.pin.as_str(), user.name.as_deref()),
            ("7", Some("Ana"))
        );
        assert_eq!(
            (user.privilege, user.group, user.verify),
            (Some(14), Some(2), Some(-1))
        );
        assert_eq!(user.card, Some(Some(123_456_789)));
        assert_eq!(
            (user.has_password(), user.password()),
            (Some(true), Some("4711"))
        );
        assert_eq!(user.zones.as_deref(), Some("0001000100000000"));
        assert!(!format!("{user:?}").contains("4711"));

        let rows = read_user(b"PIN=7\tName=Ana\tPri=14", Some(Kind::User));
        assert_eq!((rows.pin.as_str(), rows.privilege), ("7", Some(14)));
        assert_eq!((rows.card, rows.has_password()), (None, None));

        let security = b"user uid=5\tcardno=133440\tpin=7\tpassword=\tgroup=2\tname=Ana\tprivilege=14\tdisable=1";
        let security = read_user(security, Some(Kind::User));
        assert_eq!(
            (security.privilege, security.disabled),
            (Some(14), Some(true))
        );
        assert_eq!(security.card, Some(Some(133_440)));

        let unreadable = read_user(b"USER PIN=7\tPri=x\tGrp=300", None);
        assert_eq!((unreadable.privilege, unreadable.group), (None, None));
    }

    #[test]
    fn operations_of_old_firmware_have_packed_times() {
        let line = only(b"OPLOG 0\t0\t289515406\t0", None);
        let Ok(Line::Operation(operation)) = line else {
            panic!("an operation: {line:?}");
        };
        assert_eq!(operation.time, date(2009, 1, 3).at(20, 56, 46, 0));
        assert_eq!((operation.code, operation.objects), (0, ["0", "", "", ""]));
        assert_eq!(only(b"OPLOG x\t0\t289515406", None), Err(Reason::Number));
        assert_eq!(
            only(b"OPLOG 4\t0\t2026-02-30 08:00:00", None),
            Err(Reason::NoSuchTime)
        );
        assert_eq!(only(b"OPLOG 4\t0", None), Err(Reason::TooFewFields));
    }

    #[test]
    fn operations_that_explain_missing_punches() {
        let check = |code: u16, expected: Option<Tampering>| {
            let line = format!("OPLOG {code}\t0\t2026-11-22 08:00:00");
            let Ok(Line::Operation(operation)) = only(line.as_bytes(), None) else {
                panic!("an operation");
            };
            assert_eq!(operation.tampers(), expected);
            assert!(operation_name(code).is_some());
        };
        check(4, None);
        check(13, Some(Tampering::DataCleared));
        check(21, Some(Tampering::ClockSet));
        check(22, Some(Tampering::FactoryReset));
        check(23, Some(Tampering::RecordsDeleted));
        check(82, Some(Tampering::ServerChanged));
        assert_eq!(operation_name(999), None);
    }

    #[test]
    fn templates_and_pictures() {
        let template = |line, rows| match only(line, rows) {
            Ok(Line::Template(template)) => {
                assert!(!format!("{template:?}").contains("SghT"));
                (template.kind, template.pin, template.number, template.data)
            }
            other => panic!("a template: {other:?}"),
        };
        let finger = b"FP PIN=7\tFID=3\tSize=4\tValid=1\tTMP=SghT";
        assert_eq!(template(finger, None), (Kind::Finger, "7", 3, "SghT"));
        let face = b"FACE PIN=7\tFID=3\tSIZE=4\tVALID=1\tTMP=SghT";
        assert_eq!(template(face, None), (Kind::Face, "7", 3, "SghT"));
        let vein = b"FVEIN Pin=7\tFID=3\tIndex=1\tTmp=SghT";
        assert_eq!(template(vein, None), (Kind::Vein, "7", 3, "SghT"));
        let row = b"templatev10 size=4\tpin=7\tfingerid=3\tvalid=1\ttemplate=SghT";
        assert_eq!(template(row, None), (Kind::Finger, "7", 3, "SghT"));
        let bare = b"PIN=7\tFID=3\tTMP=SghT";
        assert_eq!(
            template(bare, Some(Kind::Finger)),
            (Kind::Finger, "7", 3, "SghT")
        );

        let picture = only(b"USERPIC PIN=7\tFileName=7.jpg\tSize=4\tContent=SghT", None);
        let Ok(Line::Picture(picture)) = picture else {
            panic!("a picture: {picture:?}");
        };
        assert_eq!(
            (picture.pin, picture.content, picture.size),
            ("7", "SghT", Some(4))
        );
        assert!(!format!("{picture:?}").contains("SghT"));
    }

    #[test]
    fn what_is_kept_and_what_is_bad() {
        let line: &[u8] = b"ENROLL_FP PIN=7\tFID=1";
        let (word, unread) = ("ENROLL_FP", Unread(line));
        assert_eq!(only(line, None), Ok(Line::Other { word, line: unread }));
        assert_eq!(only(b"USER Name=Ana", None), Err(Reason::NoUser));
        assert_eq!(only(b"USER PIN=1 2", None), Err(Reason::User));
        assert_eq!(only(b"USER PIN=7\tName=A\0B", None), Err(Reason::Nul));
        assert_eq!(only(b"\xff\xfe", None), Err(Reason::Form));
        let long = [b"USER PIN=7\tName=", "x".repeat(20_000).as_bytes()].concat();
        assert_eq!(only(&long, None), Err(Reason::TooLong));
    }

    #[test]
    fn names_of_kinds_are_their_words() {
        for word in [
            "USER", "OPLOG", "FP", "FACE", "FVEIN", "BIODATA", "USERPIC", "BIOPHOTO", "IDCARD",
            "ERRORLOG",
        ] {
            assert_eq!(Kind::of(word).map(Kind::name), Some(word));
        }
    }

    proptest! {
        #[test]
        fn no_input_panics_and_every_line_is_accounted_for(
            word in "(USER|FP|FACE|OPLOG|BIODATA|USERPIC|x)? ?", body in proptest::collection::vec(any::<u8>(), 0..200),
        ) {
            let body = [word.as_bytes(), &body].concat();
            let expected = body::lines(&body).count();
            prop_assert_eq!(lines(&body, None).count(), expected);
            prop_assert_eq!(lines(&body, Some(Kind::User)).count(), expected);
        }

        #[test]
        fn cards_are_read_as_written(number in 1u64..) {
            prop_assert_eq!(card(number.to_string().as_bytes()), Some(number));
            let bytes: String = number.to_le_bytes().iter().map(|byte| format!("{byte:02X}")).collect();
            prop_assert_eq!(card(format!("[{bytes}]").as_bytes()), Some(number));
        }
    }
}

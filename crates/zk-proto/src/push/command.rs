//! Commands: what a terminal finds in the answer to its poll. Texts are refused, never cleaned: a line break in a name would begin
//! a second command.

use std::fmt;

use jiff::civil::DateTime;
use serde::{Deserialize, Serialize};

use super::body::pin;
use super::hello::Family;
use super::request::SerialNumber;
use super::time::{self, PackedClock};

/// What a terminal can be told to do. What a family does not have, it does not get.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub enum Command {
    /// A user, new or changed. Terminals of the security family open no door to them before [`Command::Authorize`].
    SetUser(UserFields),
    /// Where and when a user may enter: the number of a time zone and bits of doors. Security family only.
    Authorize {
        pin: String,
        zone: u16,
        doors: u16,
    },
    /// With everything that is stored about them but their punches.
    DeleteUser {
        pin: String,
    },
    /// One user, or all.
    QueryUsers {
        pin: Option<String>,
    },
    /// Punches of a time, both ends included.
    QueryLog {
        from: DateTime,
        to: DateTime,
    },
    /// All punches, or those that were not sent. Security family only.
    QueryTransactions {
        new_only: bool,
    },
    /// How many punches there are in a time.
    VerifySum {
        from: DateTime,
        to: DateTime,
    },
    /// How many rows a table has. Security family only.
    Count {
        table: String,
    },
    SetOption {
        name: String,
        value: String,
    },
    /// The attendance firmware that takes it is not documented to.
    GetOption {
        name: String,
    },
    /// Makes it use what [`Command::SetOption`] wrote.
    ReloadOptions,
    /// Wall time. The attendance families take their clock from the `Date` of answers and the zone of the handshake.
    SetTime {
        clock: DateTime,
    },
    Info,
    /// Read the options again, and upload from the stamps in them.
    Check,
    /// Upload what is new, now.
    UploadNew,
    Restart,
    /// Open a door. Attendance terminals have one, and open it as long as they are set to.
    Unlock {
        door: u8,
        seconds: u8,
    },
    EndAlarm,
    /// Deletes all punches on the terminal.
    ClearLog,
    /// Deletes all photos of punches on the terminal.
    ClearPhotos,
    /// Somebody is to enrol a finger at the terminal; the result comes when they are done.
    EnrolFinger {
        pin: String,
        finger: u8,
    },
}

/// A user to be written. Fields that are `None` are not sent, which leaves them as they are.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserFields {
    pub pin: String,
    pub name: Option<String>,
    pub privilege: Option<u8>,
    /// For the keypad; empty for none.
    pub password: Option<String>,
    /// 0 for none.
    pub card: Option<u64>,
    pub group: Option<u8>,
    /// 16 digits; not in the security family.
    pub zones: Option<String>,
}

impl fmt::Debug for UserFields {
    /// Without the password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UserFields")
            .field("pin", &self.pin)
            .field("name", &self.name)
            .field("privilege", &self.privilege)
            .field("card", &self.card)
            .field("group", &self.group)
            .finish_non_exhaustive()
    }
}

/// How a terminal wants to be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dialect {
    pub family: Family,
    /// Every command in an envelope with the serial number: those that registered with `CmdFormat=1`.
    pub wrapped: Option<SerialNumber>,
    /// `Privilege=` instead of `Pri=`: some units of the attendance family.
    pub long_privilege: bool,
}

impl Dialect {
    pub fn new(family: Family) -> Self {
        Self {
            family,
            wrapped: None,
            long_privilege: false,
        }
    }
}

/// Why a command cannot be sent to a terminal.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommandError {
    #[error("{command} is not offered to terminals of the {} family", family.name())]
    NotOffered {
        command: &'static str,
        family: Family,
    },
    #[error(
        "the user id {pin:?} is empty, too long, or has blanks or characters that no user id has"
    )]
    Pin { pin: String },
    #[error("the {field} has a line break, a tab or another control character")]
    ControlCharacter { field: &'static str },
    #[error("the {field} has a character that separates fields")]
    Separator { field: &'static str },
    #[error("the {field} is empty")]
    Empty { field: &'static str },
    #[error("the terminal's clock has no room for the year {year}")]
    Year { year: i16 },
    #[error("the time ends before it begins")]
    EmptyTime,
    #[error("zones are 16 digits")]
    Zones,
}

/// A command as it goes into an answer.
#[derive(Clone, PartialEq, Eq)]
pub struct Encoded {
    pub id: u64,
    /// Without the line feed. May hold a password.
    pub line: String,
    /// What follows in the same answer would be lost.
    pub ends_answer: bool,
}

impl fmt::Debug for Encoded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Encoded")
            .field("id", &self.id)
            .field("len", &self.line.len())
            .finish_non_exhaustive()
    }
}

impl Command {
    /// The line for a terminal. Ids are per terminal and never used again.
    ///
    /// # Errors
    /// When the family does not have the command, or a text cannot be sent as it is.
    pub fn encode(&self, id: u64, dialect: &Dialect) -> Result<Encoded, CommandError> {
        let body = match dialect.family {
            Family::Security => self.security()?,
            family => self.attendance(family, dialect)?,
        };
        let line = format!("C:{id}:{body}");
        let line = match &dialect.wrapped {
            Some(serial) => {
                format!("DataType=1,SN={serial},Priority=0,CmdID={id},CmdDesc={line}")
            }
            None => line,
        };
        Ok(Encoded {
            id,
            line,
            ends_answer: *self == Self::Restart,
        })
    }

    /// Twice does no more than once, so it may be sent again when no result came.
    pub fn may_repeat(&self) -> bool {
        !matches!(
            self,
            Self::Restart
                | Self::Unlock { .. }
                | Self::ClearLog
                | Self::ClearPhotos
                | Self::EnrolFinger { .. }
        )
    }

    /// In plain words.
    pub fn name(&self) -> &'static str {
        match self {
            Self::SetUser(_) => "writing a user",
            Self::Authorize { .. } => "authorising a user",
            Self::DeleteUser { .. } => "deleting a user",
            Self::QueryUsers { .. } => "reading users",
            Self::QueryLog { .. } => "reading punches of a time",
            Self::QueryTransactions { .. } => "reading all punches",
            Self::VerifySum { .. } => "counting punches of a time",
            Self::Count { .. } => "counting rows",
            Self::SetOption { .. } => "writing an option",
            Self::GetOption { .. } => "reading an option",
            Self::ReloadOptions => "reloading options",
            Self::SetTime { .. } => "setting the clock",
            Self::Info => "asking for its state",
            Self::Check => "asking for a check",
            Self::UploadNew => "asking for new punches",
            Self::Restart => "restarting",
            Self::Unlock { .. } => "opening a door",
            Self::EndAlarm => "ending an alarm",
            Self::ClearLog => "deleting all punches",
            Self::ClearPhotos => "deleting all photos",
            Self::EnrolFinger { .. } => "enrolling a finger",
        }
    }

    fn attendance(&self, family: Family, dialect: &Dialect) -> Result<String, CommandError> {
        let is_original = family == Family::Original;
        let span = |from: &DateTime, to: &DateTime| {
            if to < from {
                return Err(CommandError::EmptyTime);
            }
            let write = match family {
                Family::Manual => time::iso,
                _ => time::text,
            };
            Ok(format!(
                "StartTime={}\tEndTime={}",
                write(*from),
                write(*to)
            ))
        };
        Ok(match self {
            Self::SetUser(user) => {
                let table = if is_original {
                    "DATA USER"
                } else {
                    "DATA UPDATE USERINFO"
                };
                let mut line = Fields::new(table);
                line.pin("PIN", &user.pin)?;
                line.optional("Name", &user.name, "name")?;
                let privilege = match dialect.long_privilege {
                    true => "Privilege",
                    false => "Pri",
                };
                line.number(privilege, user.privilege);
                line.optional("Passwd", &user.password, "password")?;
                line.card("Card", user.card);
                line.number("Grp", user.group);
                if let Some(zones) = &user.zones {
                    let is_one = zones.len() == 16 && zones.bytes().all(|b| b.is_ascii_digit());
                    if !is_one {
                        return Err(CommandError::Zones);
                    }
                    line.field("TZ", zones);
                }
                line.0
            }
            Self::DeleteUser { pin } => {
                let table = if is_original {
                    "DATA DEL_USER"
                } else {
                    "DATA DELETE USERINFO"
                };
                let mut line = Fields::new(table);
                // Without one some terminals delete everybody.
                line.pin("PIN", pin)?;
                line.0
            }
            Self::QueryUsers { pin } if !is_original => {
                let mut line = Fields::new("DATA QUERY USERINFO");
                if let Some(pin) = pin {
                    line.pin("PIN", pin)?;
                }
                line.0
            }
            Self::QueryLog { from, to } if !is_original => {
                format!("DATA QUERY ATTLOG {}", span(from, to)?)
            }
            Self::VerifySum { from, to } if !is_original => {
                format!("VERIFY SUM ATTLOG {}", span(from, to)?)
            }
            Self::SetOption { name, value } => format!("SET OPTION {}", option(name, value)?),
            Self::GetOption { name } if !is_original => {
                option(name, "")?;
                format!("GET OPTION FROM {name}")
            }
            Self::ReloadOptions if !is_original => "RELOAD OPTIONS".to_owned(),
            Self::Info => "INFO".to_owned(),
            Self::Check => "CHECK".to_owned(),
            Self::UploadNew => "LOG".to_owned(),
            Self::Restart => "REBOOT".to_owned(),
            Self::Unlock { .. } => "AC_UNLOCK".to_owned(),
            Self::EndAlarm => "AC_UNALARM".to_owned(),
            Self::ClearLog => "CLEAR LOG".to_owned(),
            Self::ClearPhotos if !is_original => "CLEAR PHOTO".to_owned(),
            Self::EnrolFinger { pin, finger } if !is_original => {
                let mut line = Fields::new("ENROLL_FP");
                line.pin("PIN", pin)?;
                line.number("FID", Some(*finger));
                line.number("RETRY", Some(3));
                line.number("OVERWRITE", Some(1));
                line.0
            }
            _ => return Err(self.not_offered(family)),
        })
    }

    fn security(&self) -> Result<String, CommandError> {
        Ok(match self {
            Self::SetUser(user) => {
                let mut line = Fields::new("DATA UPDATE user");
                line.card("CardNo", user.card);
                line.pin("Pin", &user.pin)?;
                line.optional("Password", &user.password, "password")?;
                line.number("Group", user.group);
                line.optional("Name", &user.name, "name")?;
                line.number("Privilege", user.privilege);
                line.0
            }
            Self::Authorize { pin, zone, doors } => {
                let mut line = Fields::new("DATA UPDATE userauthorize");
                line.pin("Pin", pin)?;
                line.number("AuthorizeTimezoneId", Some(*zone));
                line.number("AuthorizeDoorId", Some(*doors));
                line.0
            }
            Self::DeleteUser { pin } => {
                let mut line = Fields::new("DATA DELETE user");
                line.pin("Pin", pin)?;
                line.0
            }
            Self::QueryUsers { pin: None } => {
                "DATA QUERY tablename=user,fielddesc=*,filter=*".to_owned()
            }
            Self::QueryUsers { pin: Some(pin) } => {
                check_pin(pin)?;
                if pin.contains(',') {
                    return Err(CommandError::Separator { field: "user id" });
                }
                format!("DATA QUERY tablename=user,fielddesc=*,filter=Pin={pin}")
            }
            Self::QueryTransactions { new_only } => {
                let filter = if *new_only { "NewRecord" } else { "*" };
                format!("DATA QUERY tablename=transaction,fielddesc=*,filter={filter}")
            }
            Self::Count { table } => {
                let is_name = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
                if table.is_empty() {
                    return Err(CommandError::Empty { field: "table" });
                }
                if !table.bytes().all(is_name) {
                    return Err(CommandError::Separator { field: "table" });
                }
                format!("DATA COUNT {table}")
            }
            Self::SetOption { name, value } => {
                let option = option(name, value)?;
                if option.contains(',') {
                    return Err(CommandError::Separator { field: "option" });
                }
                format!("SET OPTIONS {option}")
            }
            Self::GetOption { name } => {
                option(name, "")?;
                format!("GET OPTIONS {name}")
            }
            Self::SetTime { clock } => {
                let packed = PackedClock::pack(*clock);
                let year = clock.year();
                let PackedClock(packed) = packed.ok_or(CommandError::Year { year })?;
                format!("SET OPTIONS DateTime={packed}")
            }
            Self::Restart => "CONTROL DEVICE 03000000".to_owned(),
            // The lock of a door, not an auxiliary output. 0 seconds would close it, 255 leave it open.
            Self::Unlock { door, seconds } => {
                format!(
                    "CONTROL DEVICE 01{door:02X}01{:02X}",
                    seconds.clamp(&1, &254)
                )
            }
            _ => return Err(self.not_offered(Family::Security)),
        })
    }

    fn not_offered(&self, family: Family) -> CommandError {
        let command = self.name();
        CommandError::NotOffered { command, family }
    }
}

/// A command with `name=value` fields behind it, tabs between.
struct Fields(String);

impl Fields {
    fn new(verb: &str) -> Self {
        Self(verb.to_owned())
    }

    fn field(&mut self, name: &str, value: impl fmt::Display) {
        let separator = if self.0.contains('=') { '\t' } else { ' ' };
        self.0.push_str(&format!("{separator}{name}={value}"));
    }

    fn pin(&mut self, name: &str, pin: &str) -> Result<(), CommandError> {
        check_pin(pin)?;
        self.field(name, pin);
        Ok(())
    }

    fn optional(
        &mut self,
        name: &str,
        value: &Option<String>,
        field: &'static str,
    ) -> Result<(), CommandError> {
        if let Some(value) = value {
            check_text(value, field)?;
            self.field(name, value);
        }
        Ok(())
    }

    fn number(&mut self, name: &str, value: Option<impl fmt::Display>) {
        if let Some(value) = value {
            self.field(name, value);
        }
    }

    /// Decimal; empty for none.
    fn card(&mut self, name: &str, card: Option<u64>) {
        match card {
            Some(0) => self.field(name, ""),
            Some(card) => self.field(name, card),
            None => {}
        }
    }
}

fn check_pin(text: &str) -> Result<(), CommandError> {
    match pin(text.as_bytes()) {
        Ok(pin) if pin == text => Ok(()),
        _ => Err(CommandError::Pin {
            pin: text.to_owned(),
        }),
    }
}

fn check_text(text: &str, field: &'static str) -> Result<(), CommandError> {
    match text.contains(char::is_control) {
        true => Err(CommandError::ControlCharacter { field }),
        false => Ok(()),
    }
}

fn option(name: &str, value: &str) -> Result<String, CommandError> {
    if name.is_empty() {
        return Err(CommandError::Empty { field: "option" });
    }
    if name.contains(['=', ' ', ',']) {
        return Err(CommandError::Separator { field: "option" });
    }
    check_text(name, "option")?;
    check_text(value, "option's value")?;
    Ok(format!("{name}={value}"))
}

/// How much a terminal takes at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    pub commands: usize,
    pub bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            commands: 200,
            bytes: 40 * 1024,
        }
    }
}

/// An answer to a poll.
#[derive(Clone, PartialEq, Eq)]
pub struct Answer {
    pub body: String,
    /// The ids in it. The others wait for the next poll.
    pub sent: Vec<u64>,
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answer")
            .field("len", &self.body.len())
            .field("sent", &self.sent)
            .finish()
    }
}

/// The commands that go into one answer, in their order; `OK` when there are none. A restart is the last. One that alone is larger
/// than the limit is sent alone, or it would hold up the rest for ever.
pub fn answer(commands: &[Encoded], limits: Limits) -> Answer {
    let mut body = String::new();
    let mut sent = Vec::new();
    for command in commands.iter().take(limits.commands) {
        let fits = body.len() + command.line.len() < limits.bytes;
        if !fits && !sent.is_empty() {
            break;
        }
        body.push_str(&command.line);
        body.push('\n');
        sent.push(command.id);
        if command.ends_answer {
            break;
        }
    }
    if sent.is_empty() {
        body.push_str(super::OK);
    }
    Answer { body, sent }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;
    use proptest::prelude::*;

    use super::super::operlog::{Kind, Line, lines};
    use super::*;

    const FAMILIES: [Family; 4] = [
        Family::Original,
        Family::Attendance,
        Family::Manual,
        Family::Security,
    ];

    #[track_caller]
    fn sent(command: &Command, family: Family) -> String {
        let encoded = command.encode(7, &Dialect::new(family));
        let line = encoded.expect("a command").line;
        line.strip_prefix("C:7:").expect("an id").to_owned()
    }

    fn user(pin: &str) -> UserFields {
        UserFields {
            pin: pin.to_owned(),
            name: Some("Ana".to_owned()),
            privilege: Some(14),
            ..UserFields::default()
        }
    }

    fn pin(pin: &str) -> String {
        pin.to_owned()
    }

    fn span() -> [DateTime; 2] {
        [
            date(2026, 11, 21).at(0, 0, 0, 0),
            date(2026, 11, 22).at(23, 59, 59, 0),
        ]
    }

    #[test]
    fn each_family_has_its_own_words() {
        let [from, to] = span();
        let check = |command: Command, expected: [Option<&str>; 4]| {
            for (family, expected) in FAMILIES.into_iter().zip(expected) {
                let line = command.encode(7, &Dialect::new(family));
                let expected = match expected {
                    Some(line) => Ok(format!("C:7:{line}")),
                    None => Err(CommandError::NotOffered {
                        command: command.name(),
                        family,
                    }),
                };
                assert_eq!(line.map(|encoded| encoded.line), expected);
            }
        };
        let attendance = |line| [None, Some(line), Some(line), None];
        let security = |line| [None, None, None, Some(line)];
        let all_but_security = |line| [Some(line), Some(line), Some(line), None];
        let new = "DATA UPDATE USERINFO PIN=0007\tName=Ana\tPri=14";
        check(
            Command::SetUser(user("0007")),
            [
                Some("DATA USER PIN=0007\tName=Ana\tPri=14"),
                Some(new),
                Some(new),
                Some("DATA UPDATE user Pin=0007\tName=Ana\tPrivilege=14"),
            ],
        );
        check(
            Command::DeleteUser { pin: pin("7") },
            [
                Some("DATA DEL_USER PIN=7"),
                Some("DATA DELETE USERINFO PIN=7"),
                Some("DATA DELETE USERINFO PIN=7"),
                Some("DATA DELETE user Pin=7"),
            ],
        );
        let all = "DATA QUERY USERINFO";
        let all_security = "DATA QUERY tablename=user,fielddesc=*,filter=*";
        check(
            Command::QueryUsers { pin: None },
            [None, Some(all), Some(all), Some(all_security)],
        );
        let one = "DATA QUERY USERINFO PIN=7";
        let one_security = "DATA QUERY tablename=user,fielddesc=*,filter=Pin=7";
        check(
            Command::QueryUsers {
                pin: Some(pin("7")),
            },
            [None, Some(one), Some(one), Some(one_security)],
        );
        check(
            Command::QueryLog { from, to },
            [
                None,
                Some(
                    "DATA QUERY ATTLOG StartTime=2026-11-21 00:00:00\tEndTime=2026-11-22 23:59:59",
                ),
                Some(
                    "DATA QUERY ATTLOG StartTime=2026-11-21T00:00:00\tEndTime=2026-11-22T23:59:59",
                ),
                None,
            ],
        );
        check(
            Command::VerifySum { from, to },
            [
                None,
                Some(
                    "VERIFY SUM ATTLOG StartTime=2026-11-21 00:00:00\tEndTime=2026-11-22 23:59:59",
                ),
                Some(
                    "VERIFY SUM ATTLOG StartTime=2026-11-21T00:00:00\tEndTime=2026-11-22T23:59:59",
                ),
                None,
            ],
        );
        check(
            Command::QueryTransactions { new_only: true },
            security("DATA QUERY tablename=transaction,fielddesc=*,filter=NewRecord"),
        );
        check(
            Command::Count { table: pin("user") },
            security("DATA COUNT user"),
        );
        check(
            Command::Authorize {
                pin: pin("7"),
                zone: 1,
                doors: 15,
            },
            security("DATA UPDATE userauthorize Pin=7\tAuthorizeTimezoneId=1\tAuthorizeDoorId=15"),
        );
        let volume = || Command::SetOption {
            name: pin("VOLUME"),
            value: pin("50"),
        };
        let set = Some("SET OPTION VOLUME=50");
        check(volume(), [set, set, set, Some("SET OPTIONS VOLUME=50")]);
        let get = Some("GET OPTION FROM VOLUME");
        check(
            Command::GetOption {
                name: pin("VOLUME"),
            },
            [None, get, get, Some("GET OPTIONS VOLUME")],
        );
        check(Command::ReloadOptions, attendance("RELOAD OPTIONS"));
        let clock = date(2018, 2, 22).at(14, 54, 54, 0);
        check(
            Command::SetTime { clock },
            security("SET OPTIONS DateTime=583080894"),
        );
        check(Command::Info, all_but_security("INFO"));
        check(Command::Check, all_but_security("CHECK"));
        check(Command::UploadNew, all_but_security("LOG"));
        let restart = Some("REBOOT");
        check(
            Command::Restart,
            [restart, restart, restart, Some("CONTROL DEVICE 03000000")],
        );
        let unlock = Some("AC_UNLOCK");
        check(
            Command::Unlock {
                door: 1,
                seconds: 5,
            },
            [unlock, unlock, unlock, Some("CONTROL DEVICE 01010105")],
        );
        check(Command::EndAlarm, all_but_security("AC_UNALARM"));
        check(Command::ClearLog, all_but_security("CLEAR LOG"));
        check(Command::ClearPhotos, attendance("CLEAR PHOTO"));
        check(
            Command::EnrolFinger {
                pin: pin("7"),
                finger: 3,
            },
            attendance("ENROLL_FP PIN=7\tFID=3\tRETRY=3\tOVERWRITE=1"),
        );
    }

    #[test]
    fn doors_are_neither_left_open_nor_asked_for_no_time() {
        let open = |seconds| sent(&Command::Unlock { door: 4, seconds }, Family::Security);
        assert_eq!(open(0), "CONTROL DEVICE 01040101");
        assert_eq!(open(255), "CONTROL DEVICE 010401FE");
    }

    #[test]
    fn nothing_is_cleaned() {
        let refused = |command: Command, expected: CommandError| {
            for family in FAMILIES {
                let found = command.encode(7, &Dialect::new(family));
                let is_offered = !matches!(found, Err(CommandError::NotOffered { .. }));
                assert!(!is_offered || found == Err(expected.clone()), "{found:?}");
            }
            assert!(
                command
                    .encode(7, &Dialect::new(Family::Attendance))
                    .is_err()
            );
        };
        for (name, field) in [
            ("A\nC:8:CLEAR LOG", "name"),
            ("A\rB", "name"),
            ("A\tPri=14", "name"),
            ("A\0", "name"),
        ] {
            let mut fields = user("7");
            fields.name = Some(name.to_owned());
            refused(
                Command::SetUser(fields),
                CommandError::ControlCharacter { field },
            );
        }
        let mut fields = user("7");
        fields.password = Some("1\t2".to_owned());
        let field = "password";
        refused(
            Command::SetUser(fields),
            CommandError::ControlCharacter { field },
        );
        for pin in ["", " ", "1 2", "7\n", " 7", "1\t2"] {
            let error = CommandError::Pin {
                pin: pin.to_owned(),
            };
            refused(Command::SetUser(user(pin)), error.clone());
            refused(
                Command::DeleteUser {
                    pin: pin.to_owned(),
                },
                error.clone(),
            );
            refused(
                Command::QueryUsers {
                    pin: Some(pin.to_owned()),
                },
                error,
            );
        }
        let [from, to] = span();
        refused(
            Command::QueryLog { from: to, to: from },
            CommandError::EmptyTime,
        );
        let set = |name: &str, value: &str| Command::SetOption {
            name: name.to_owned(),
            value: value.to_owned(),
        };
        refused(set("", "1"), CommandError::Empty { field: "option" });
        refused(set("A=B", "1"), CommandError::Separator { field: "option" });
        let field = "option's value";
        refused(set("A", "1\n2"), CommandError::ControlCharacter { field });
        let comma = set("A", "1,B=2").encode(7, &Dialect::new(Family::Security));
        assert_eq!(comma, Err(CommandError::Separator { field: "option" }));
        let mut fields = user("7");
        fields.zones = Some("1".to_owned());
        let zones = Command::SetUser(fields).encode(7, &Dialect::new(Family::Attendance));
        assert_eq!(zones, Err(CommandError::Zones));
        let clock = date(2100, 1, 1).at(0, 0, 0, 0);
        let late = Command::SetTime { clock }.encode(7, &Dialect::new(Family::Security));
        assert_eq!(late, Err(CommandError::Year { year: 2100 }));
    }

    #[test]
    fn dialects() {
        let mut dialect = Dialect::new(Family::Attendance);
        dialect.long_privilege = true;
        let line = Command::SetUser(user("7")).encode(7, &dialect);
        let line = line.expect("a command").line;
        assert!(line.ends_with("\tPrivilege=14"));
        let mut dialect = Dialect::new(Family::Security);
        dialect.wrapped = SerialNumber::parse("338315");
        let line = Command::Restart
            .encode(7, &dialect)
            .expect("a command")
            .line;
        let expected =
            "DataType=1,SN=338315,Priority=0,CmdID=7,CmdDesc=C:7:CONTROL DEVICE 03000000";
        assert_eq!(line, expected);
    }

    #[test]
    fn passwords_are_not_shown() {
        let mut fields = user("7");
        fields.password = Some("4711".to_owned());
        let command = Command::SetUser(fields);
        let encoded = command.encode(1, &Dialect::new(Family::Attendance));
        let encoded = encoded.expect("a command");
        let shown = format!(
            "{command:?} {encoded:?} {:?}",
            answer(std::slice::from_ref(&encoded), Limits::default())
        );
        assert!(!shown.contains("4711"), "{shown}");
    }

    fn encoded(id: u64, len: usize, ends_answer: bool) -> Encoded {
        Encoded {
            id,
            line: "x".repeat(len),
            ends_answer,
        }
    }

    #[test]
    fn answers_keep_to_the_limits() {
        let check = |commands: &[Encoded], sent: &[u64]| {
            let answer = answer(commands, Limits::default());
            assert_eq!(answer.sent, sent);
            answer.body
        };
        assert_eq!(check(&[], &[]), "OK");
        let many: Vec<_> = (0..300).map(|id| encoded(id, 10, false)).collect();
        let first: Vec<u64> = (0..200).collect();
        check(&many, &first);
        let large = [
            encoded(1, 30_000, false),
            encoded(2, 10_958, false),
            encoded(3, 1, false),
        ];
        assert_eq!(check(&large[..2], &[1, 2]).len(), 40 * 1024);
        let large = [
            encoded(1, 30_000, false),
            encoded(2, 11_000, false),
            encoded(3, 1, false),
        ];
        check(&large, &[1]);
        check(&[encoded(1, 50_000, false), encoded(2, 1, false)], &[1]);
        let restart = [
            encoded(1, 1, false),
            encoded(2, 1, true),
            encoded(3, 1, false),
        ];
        assert_eq!(check(&restart, &[1, 2]), "x\nx\n");
        let restart = Command::Restart.encode(9, &Dialect::new(Family::Original));
        assert!(restart.expect("a command").ends_answer);
    }

    #[test]
    fn what_may_be_sent_again() {
        assert!(Command::SetUser(user("7")).may_repeat());
        assert!(Command::Info.may_repeat());
        for once in [
            Command::Restart,
            Command::ClearLog,
            Command::Unlock {
                door: 1,
                seconds: 5,
            },
        ] {
            assert!(!once.may_repeat());
        }
    }

    proptest! {
        #[test]
        fn users_are_read_as_written(
            pin in "[!-~]{1,24}", name in "[a-z\u{e0}-\u{ff}]{0,8}( [a-z=]{1,8})?", privilege in proptest::option::of(0u8..15),
            card in 0u64.., group: u8, password in "[0-9]{0,8}",
        ) {
            let fields = UserFields {
                pin: pin.clone(), name: Some(name.clone()), privilege, card: Some(card), group: Some(group),
                password: Some(password.clone()), zones: None,
            };
            for family in FAMILIES {
                let line = sent(&Command::SetUser(fields.clone()), family);
                let row = line.splitn(if family == Family::Original { 2 } else { 3 }, ' ').last().expect("a row");
                let row = row.strip_prefix("USER ").unwrap_or(row);
                let read = lines(row.as_bytes(), Some(Kind::User)).next().expect("a line");
                let Ok(Line::User(read)) = read else {
                    panic!("a user: {read:?}");
                };
                prop_assert_eq!(&read.pin, &pin);
                prop_assert_eq!(read.name.as_deref(), Some(name.trim()));
                prop_assert_eq!(read.privilege, privilege);
                prop_assert_eq!(read.card, Some((card != 0).then_some(card)));
                prop_assert_eq!(read.group, Some(group));
                prop_assert_eq!(read.password(), Some(password.as_str()));
            }
        }

        #[test]
        fn a_command_is_one_line(text in "\\PC{0,10}[\t\r\n\0]?\\PC{0,10}", id: u64) {
            let mut fields = user("7");
            fields.name = Some(text.clone());
            let commands = [
                Command::SetUser(fields),
                Command::DeleteUser { pin: text.clone() },
                Command::QueryUsers { pin: Some(text.clone()) },
                Command::SetOption { name: text.clone(), value: text.clone() },
                Command::GetOption { name: text.clone() },
                Command::Count { table: text.clone() },
                Command::Authorize { pin: text.clone(), zone: 1, doors: 1 },
                Command::EnrolFinger { pin: text.clone(), finger: 1 },
            ];
            for family in FAMILIES {
                for command in &commands {
                    if let Ok(encoded) = command.encode(id, &Dialect::new(family)) {
                        prop_assert!(!encoded.line.contains(['\r', '\n', '\0']));
                        let start = format!("C:{id}:");
                        prop_assert!(encoded.line.starts_with(&start));
                    }
                }
            }
        }
    }
}

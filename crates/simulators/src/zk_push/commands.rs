//! The commands of the server, their results, and what a terminal tells about itself.

use tokio::time::Instant;

use super::clock;
use super::conversation::{Conversation, Session};
use super::device::{Batch, Device, Executed};
use super::event::Event;
use super::fault::Fault;
use super::profile::Profile;
use super::users::User;

/// Return codes of the attendance family.
mod code {
    pub(super) const PARAMETER: i64 = -1;
    pub(super) const NO_SUCH_USER: i64 = -10;
    pub(super) const NOT_SUPPORTED: i64 = -1002;
    pub(super) const TIMED_OUT: i64 = -1003;
}

/// How often an upload that a query caused is tried before the query has failed.
const ATTEMPTS: u32 = 3;

/// A result that waits to be reported.
#[derive(Debug, Clone)]
pub(super) struct Report {
    /// Of the command among those that were carried out.
    pub index: usize,
    text: Vec<u8>,
    /// Whether it fills a request of its own.
    stands_alone: bool,
}

/// The requests that report these results, and how many each of them holds.
pub(super) fn bodies(reports: &[Report]) -> Vec<(Vec<u8>, usize)> {
    let groups = reports.chunk_by(|one, next| !one.stands_alone && !next.stands_alone);
    groups
        .map(|group| {
            let texts: Vec<&[u8]> = group.iter().map(|report| &*report.text).collect();
            (texts.concat(), group.len())
        })
        .collect()
}

/// A command as it was sent.
#[derive(Debug, Clone)]
pub(super) struct Command {
    pub id: String,
    /// Raw, for names may be in any code page.
    pub bytes: Vec<u8>,
}

impl Command {
    pub(super) fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }

    /// What stands behind these words.
    pub(super) fn after(&self, words: &str) -> Option<&[u8]> {
        let rest = self.bytes.strip_prefix(words.as_bytes())?;
        match rest.first() {
            None => Some(rest),
            Some(b' ') => Some(&rest[1..]),
            Some(_) => None,
        }
    }
}

/// Lines `C:id:command`, also wrapped as `…,CmdDesc=C:id:command`; all else is no command.
fn parse(body: &[u8]) -> Vec<Command> {
    let wrapper = b"CmdDesc=";
    let lines = body.split(|byte| *byte == b'\n');
    lines
        .filter_map(|line| {
            let end = line.iter().rposition(|byte| !matches!(byte, b'\r' | 0));
            let line = &line[..end? + 1];
            let wrapped = line.windows(wrapper.len()).position(|part| part == wrapper);
            let line = &line[wrapped.map_or(0, |at| at + wrapper.len())..];
            let rest = line.strip_prefix(b"C:")?;
            let colon = rest.iter().position(|byte| *byte == b':')?;
            Some(Command {
                id: String::from_utf8_lossy(&rest[..colon]).into_owned(),
                bytes: rest[colon + 1..].to_vec(),
            })
        })
        .collect()
}

/// The `key=value` fields of a command.
pub(super) struct Fields<'a>(Vec<(String, &'a [u8])>);

impl<'a> Fields<'a> {
    pub(super) fn of(bytes: &'a [u8], separator: u8) -> Self {
        let fields = bytes.split(|byte| *byte == separator);
        let pairs = fields.filter_map(|field| {
            let equals = field.iter().position(|byte| *byte == b'=')?;
            let key = String::from_utf8_lossy(&field[..equals]);
            Some((key.trim().to_ascii_lowercase(), &field[equals + 1..]))
        });
        Self(pairs.collect())
    }

    pub(super) fn bytes(&self, key: &str) -> Option<&'a [u8]> {
        let found = self.0.iter().find(|(known, _)| known == key);
        found.map(|(_, value)| *value)
    }

    pub(super) fn text(&self, key: &str) -> Option<String> {
        let text = String::from_utf8_lossy(self.bytes(key)?);
        Some(text.trim().to_owned())
    }

    pub(super) fn number<T: std::str::FromStr>(&self, key: &str) -> Option<T> {
        self.text(key)?.parse().ok()
    }

    /// The user these fields describe, what they leave out as it was.
    pub(super) fn user(&self, known: &[User]) -> Option<User> {
        let pin = self.text("pin").filter(|pin| !pin.is_empty())?;
        let known = known.iter().find(|user| user.pin == pin).cloned();
        let mut user = known.unwrap_or_else(|| User::new(pin));
        if let Some(name) = self.bytes("name") {
            user.name = name.to_vec();
        }
        let privilege = self.number("pri").or_else(|| self.number("privilege"));
        user.privilege = privilege.unwrap_or(user.privilege);
        let password = self.text("passwd").or_else(|| self.text("password"));
        user.password = password.unwrap_or(user.password);
        if let Some(card) = self.text("card").or_else(|| self.text("cardno")) {
            user.card = card.parse().unwrap_or(0);
        }
        let group = self.number("grp").or_else(|| self.number("group"));
        user.group = group.unwrap_or(user.group);
        user.time_zones = self.text("tz").unwrap_or(user.time_zones);
        Some(user)
    }
}

/// What came of a command.
pub(super) struct Outcome {
    pub code: i64,
    pub echo: String,
    /// Behind `CMD=`, in the same line.
    pub more: String,
    /// Lines behind the result.
    pub lines: Vec<u8>,
    /// All of a result that has one field a line.
    pub fields: Option<Vec<u8>>,
    pub restarts: bool,
}

impl Outcome {
    pub(super) fn new(echo: &str, code: i64) -> Self {
        Self {
            code,
            echo: echo.to_owned(),
            more: String::new(),
            lines: Vec::new(),
            fields: None,
            restarts: false,
        }
    }
}

impl Conversation {
    /// Carries out the commands in an answer to a poll, in order. Nothing behind a restart is carried out.
    pub(super) async fn carry_out(&mut self, body: &[u8], session: &mut Session) {
        for command in parse(body) {
            let (is_access, forced, forgets) = {
                let device = self.device();
                let forced = device.faults.iter().find_map(|fault| match fault {
                    Fault::CommandCode {
                        command: start,
                        code,
                    } if command.text().starts_with(start) => Some(*code),
                    _ => None,
                });
                let is_access = device.profile() == Profile::Acc;
                (is_access, forced, device.has(&Fault::OneCommand))
            };
            let outcome = match forced {
                Some(code) => Outcome::new(&first_words(&command.text(), is_access), code),
                None if is_access => self.carry_out_access(&command, session).await,
                None => self.carry_out_attendance(&command, session).await,
            };
            self.note(&command, &outcome);
            if outcome.restarts {
                self.device().wants_restart = true;
                return;
            }
            if forgets {
                return;
            }
        }
    }

    fn note(&mut self, command: &Command, outcome: &Outcome) {
        let mut device = self.device();
        let index = device.executed.len();
        device.executed.push(Executed {
            id: command.id.clone(),
            command: command.text(),
            code: outcome.code,
            reported: false,
        });
        let id = match device.has(&Fault::UnknownResults) {
            true => format!("9{}", command.id),
            false => command.id.clone(),
        };
        let serial = device.serial().to_owned();
        drop(device);
        let text = match &outcome.fields {
            Some(fields) => {
                let head = format!(
                    "ID={id}\nSN={serial}\nReturn={}\nCMD={}\n",
                    outcome.code, outcome.echo
                );
                [head.as_bytes(), fields].concat()
            }
            None => {
                let line = format!(
                    "ID={id}&Return={}&CMD={}{}\n",
                    outcome.code, outcome.echo, outcome.more
                );
                [line.as_bytes(), &outcome.lines].concat()
            }
        };
        self.results.push(Report {
            index,
            text,
            stands_alone: outcome.fields.is_some(),
        });
        self.tell(Event::Executed {
            id: command.id.clone(),
            command: command.text().replace('\t', " "),
            code: outcome.code,
        });
        self.shared.changed.notify_waiters();
    }

    async fn carry_out_attendance(&mut self, command: &Command, session: &mut Session) -> Outcome {
        if let Some(key) = command.after("DATA") {
            let key = key.to_vec();
            return self.carry_out_data(&key, session).await;
        }
        if let Some(window) = command.after("VERIFY SUM ATTLOG") {
            return self.count_punches(window);
        }
        if let Some(pair) = command.after("SET OPTION") {
            let pair = String::from_utf8_lossy(pair).into_owned();
            let Some((key, value)) = pair.split_once('=') else {
                return Outcome::new("SET OPTION", code::PARAMETER);
            };
            let key = key.trim_start_matches('~').to_owned();
            self.device().options.insert(key, value.to_owned());
            return Outcome::new("SET OPTION", 0);
        }
        match command.text().as_str() {
            "INFO" => Outcome {
                lines: info_lines(&self.device()),
                ..Outcome::new("INFO", 0)
            },
            "CHECK" => {
                session.checks = true;
                Outcome::new("CHECK", 0)
            }
            "LOG" => {
                session.flushes = true;
                Outcome::new("LOG", 0)
            }
            "RELOAD OPTIONS" => Outcome::new("RELOAD OPTIONS", 0),
            "REBOOT" => Outcome {
                restarts: true,
                ..Outcome::new("REBOOT", 0)
            },
            "AC_UNLOCK" => {
                self.device().unlocks += 1;
                Outcome::new("AC_UNLOCK", 0)
            }
            "CLEAR LOG" => {
                self.device().clear_log();
                Outcome::new("CLEAR_LOG", 0)
            }
            text if text.to_ascii_lowercase().starts_with("shell ") => {
                let output = self.device().config.shell_output.clone();
                match output {
                    Some(output) => Outcome {
                        fields: Some(
                            format!("FILENAME=shellout.txt\nContent={output}\n").into_bytes(),
                        ),
                        ..Outcome::new("Shell", 0)
                    },
                    None => Outcome::new("Shell", code::NOT_SUPPORTED),
                }
            }
            text => Outcome::new(&first_words(text, false), code::NOT_SUPPORTED),
        }
    }

    async fn carry_out_data(&mut self, rest: &[u8], session: &Session) -> Outcome {
        let command = Command {
            id: String::new(),
            bytes: rest.to_vec(),
        };
        let profile = self.device().profile();
        let code = if let Some(fields) = command.after("UPDATE USERINFO") {
            self.write_user(&Fields::of(fields, b'\t'))
        } else if let Some(fields) = command.after("USER")
            && profile == Profile::A0
        {
            self.write_user(&Fields::of(fields, b'\t'))
        } else if let Some(fields) = command.after("DELETE USERINFO") {
            self.delete_user(&Fields::of(fields, b'\t'))
        } else if let Some(fields) = command.after("QUERY USERINFO") {
            let pin = Fields::of(fields, b'\t').text("pin");
            let batches = self
                .device()
                .query_users(|user| pin.as_ref().is_none_or(|pin| *pin == user.pin));
            self.deliver(batches, session, code::TIMED_OUT).await
        } else if let Some(fields) = command.after("QUERY ATTLOG") {
            let fields = Fields::of(fields, b'\t');
            match window(&fields) {
                Some((from, to)) => {
                    let batches = self.device().query_punches(&session.options, |punch| {
                        from <= punch.clock && punch.clock <= to
                    });
                    self.deliver(batches, session, code::TIMED_OUT).await
                }
                None => code::PARAMETER,
            }
        } else {
            code::NOT_SUPPORTED
        };
        Outcome::new("DATA", code)
    }

    fn write_user(&mut self, fields: &Fields<'_>) -> i64 {
        let mut device = self.device();
        let Some(user) = fields.user(&device.users) else {
            return code::PARAMETER;
        };
        device.put_user(user);
        0
    }

    /// Without a user id the branch of manual 3.2.0 deletes everybody.
    fn delete_user(&mut self, fields: &Fields<'_>) -> i64 {
        let mut device = self.device();
        match fields.text("pin") {
            Some(pin) if device.remove_user(&pin) => 0,
            Some(_) => code::NO_SUCH_USER,
            None if device.profile() == Profile::B => {
                device.users.clear();
                device.user_changes += 1;
                0
            }
            None => code::PARAMETER,
        }
    }

    fn count_punches(&self, fields: &[u8]) -> Outcome {
        let fields = Fields::of(fields, b'\t');
        let Some((from, to)) = window(&fields) else {
            return Outcome::new("VERIFY SUM", code::PARAMETER);
        };
        let device = self.device();
        let clocks = device.logged().iter().map(|logged| logged.punch.clock);
        let count = clocks
            .filter(|clock| from <= *clock && *clock <= to)
            .count();
        let text = |key| fields.text(key).unwrap_or_default();
        let (start, end) = (text("starttime"), text("endtime"));
        Outcome {
            more: format!("&StartTime={start}&EndTime={end}&AttlogSum={count}"),
            ..Outcome::new("VERIFY SUM", 0)
        }
    }

    /// Uploads what a query asked for, before its result is reported; `timed_out` when the server does not take it.
    pub(super) async fn deliver(
        &mut self,
        batches: Vec<Batch>,
        session: &Session,
        timed_out: i64,
    ) -> i64 {
        for batch in batches {
            let mut attempt = 0;
            while let Err(failed) = self.upload(&batch, attempt).await {
                attempt += 1;
                if attempt == ATTEMPTS {
                    return timed_out;
                }
                let pause = self.error_delay(&session.options, &failed);
                self.rest_until(Instant::now() + pause).await;
            }
        }
        0
    }
}

/// The two times between which a query asks, both included.
fn window(fields: &Fields<'_>) -> Option<(jiff::civil::DateTime, jiff::civil::DateTime)> {
    let time = |key| clock::parse(&fields.text(key)?);
    Some((time("starttime")?, time("endtime")?))
}

/// What a result calls a command: the attendance family names `DATA` alone.
pub(super) fn first_words(command: &str, is_access: bool) -> String {
    let words: Vec<&str> = command.split([' ', '\t']).collect();
    let two = is_access || matches!(words[0], "VERIFY" | "SET" | "GET" | "RELOAD" | "CLEAR");
    let words = &words[..words.len().min(if two { 2 } else { 1 })];
    words.join(" ")
}

/// A parameter by its name without `~`.
pub(super) fn parameter(device: &Device, name: &str) -> Option<String> {
    Some(match name {
        "UserCount" => device.users.len().to_string(),
        "FPCount" => fingers(device).to_string(),
        "TransactionCount" => device.logged().len().to_string(),
        "FirmVer" => parameter(device, "FWVersion")?,
        name => device.options.get(name)?.clone(),
    })
}

fn fingers(device: &Device) -> usize {
    device.users.iter().map(|user| user.fingers.len()).sum()
}

/// `key=value` of parameters the terminal knows; what cannot be changed carries a `~`.
fn pairs(device: &Device, names: &[&str]) -> Vec<String> {
    let fixed = ["DeviceName", "MaxAttLogCount", "MaxUserCount", "Platform"];
    let names = names.iter().map(|name| name.trim().trim_start_matches('~'));
    names
        .filter_map(|name| {
            let tilde = if fixed.contains(&name) { "~" } else { "" };
            Some(format!("{tilde}{name}={}", parameter(device, name)?))
        })
        .collect()
}

/// The upload of parameters: those the server wants, or all.
pub(super) fn parameters(device: &Device, wanted: Option<&str>) -> Vec<u8> {
    let all = "DeviceName,MAC,TransactionCount,MaxAttLogCount,UserCount,FingerFunOn,FPVersion,FaceFunOn,FWVersion,PushVersion";
    let names: Vec<&str> = wanted.unwrap_or(all).split(',').collect();
    pairs(device, &names).join(",").into_bytes()
}

/// What an access-control terminal says when it registers.
pub(super) fn registration(device: &Device) -> Vec<u8> {
    let names = [
        "DeviceName",
        "FirmVer",
        "PushVersion",
        "CommType",
        "MaxPackageSize",
        "LockCount",
        "ReaderCount",
        "MaxUserCount",
        "MaxAttLogCount",
        "IPAddress",
        "StringPinFunOn",
        "CmdFormat",
    ];
    let mut all = vec!["DeviceType=acc".to_owned()];
    all.extend(pairs(device, &names));
    all.extend((device.config.comm_key.iter()).map(|key| format!("authKey={key}")));
    all.join(",").into_bytes()
}

fn info_lines(device: &Device) -> Vec<u8> {
    let names = [
        "DeviceName",
        "FWVersion",
        "UserCount",
        "FPCount",
        "TransactionCount",
        "IPAddress",
        "Platform",
        "MAC",
        "Language",
    ];
    let lines = pairs(device, &names).join("\n") + "\n";
    lines.into_bytes()
}

/// The list in the first poll.
pub(super) fn info_fields(device: &Device) -> String {
    let option = |name: &str| parameter(device, name).unwrap_or_default();
    let cards = device.users.iter().filter(|user| user.card > 0).count();
    let mut fields = vec![
        option("FWVersion"),
        device.users.len().to_string(),
        fingers(device).to_string(),
        device.logged().len().to_string(),
        option("IPAddress"),
        option("FPVersion"),
        "7".to_owned(),
        "15".to_owned(),
        "0".to_owned(),
        "111".to_owned(),
        cards.to_string(),
        "0".to_owned(),
        "0".to_owned(),
    ];
    fields.truncate(device.profile().info_fields());
    fields.join(match device.profile() {
        Profile::B => ", ",
        _ => ",",
    })
}

//! Results of commands, in all the shapes `devicecmd` has been seen with.

use std::borrow::Cow;
use std::fmt;

use super::body::{BadLine, Reason, number};
use super::hello::Family;
use super::options::Parameters;
use super::request::{Query, unescaped};
use super::text;

/// What became of a command.
#[derive(Clone, PartialEq, Eq)]
pub struct CommandResult {
    /// As sent. Ids belong to a terminal: look it up among the commands of the one that reports.
    pub id: String,
    /// `None` when it is no number.
    pub code: Option<i64>,
    /// What the terminal says it did: `DATA`, `INFO`, `VERIFY SUM`.
    pub command: String,
    /// Whose result it is, where the terminal says.
    pub serial: Option<String>,
    /// The answer to counting punches.
    pub att_log_sum: Option<u64>,
    /// The answer to INFO.
    pub parameters: Parameters,
    /// The answer to what we do not send: output of a shell, a file.
    pub content: Option<Vec<u8>>,
}

impl fmt::Debug for CommandResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CommandResult")
            .field("id", &self.id)
            .field("code", &self.code)
            .field("command", &self.command)
            .field("att_log_sum", &self.att_log_sum)
            .finish_non_exhaustive()
    }
}

impl CommandResult {
    /// Our ids are numbers.
    pub fn number(&self) -> Option<u64> {
        self.id.parse().ok()
    }

    /// Whether it was done. What is no number is no success.
    pub fn succeeded(&self, family: Family) -> bool {
        let counts = ["GetFile", "PutFile", "Shell"];
        let is_counted = || {
            counts
                .iter()
                .any(|name| self.command.eq_ignore_ascii_case(name))
        };
        match self.code {
            Some(0) => true,
            Some(1..) => family == Family::Security || is_counted(),
            _ => false,
        }
    }

    /// What the code means, in plain words.
    pub fn meaning(&self, family: Family) -> &'static str {
        match self.code {
            Some(_) if self.succeeded(family) => "done",
            Some(code) => meaning(family, code),
            None => "the terminal gave no readable result",
        }
    }
}

/// The results of a request, and what was in it besides.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Results<'a> {
    pub results: Vec<CommandResult>,
    /// Lines that belong to no result.
    pub bad: Vec<BadLine<'a>>,
}

/// Reads the body, or the query where the body has none.
pub fn results<'a>(query: &Query<'_>, body: &'a [u8]) -> Results<'a> {
    let mut found = Results::default();
    let mut rest = body;
    while let Some((line, after)) = next_line(rest) {
        rest = after;
        if line.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        if begins_result(line) {
            let (result, after) = result(line, rest);
            rest = after;
            found.results.push(result);
        } else {
            found.bad.push(BadLine::new(line, Reason::Form));
        }
    }
    if found.results.is_empty() && query.any(&["ID"]).is_some() {
        let text = |key| query.get(key).unwrap_or_default();
        found.results.push(CommandResult {
            id: text("ID").to_owned(),
            code: text("Return").parse().ok(),
            command: text("CMD").replace('+', " "),
            serial: query.any(&["SN"]).map(str::to_owned),
            att_log_sum: query.number("AttlogSum"),
            parameters: Parameters::default(),
            content: None,
        });
    }
    found
}

/// A line without its end, and what follows it.
fn next_line(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    if bytes.is_empty() {
        return None;
    }
    let end = bytes.iter().position(|byte| *byte == b'\n');
    let end = end.unwrap_or(bytes.len());
    let line = &bytes[..end];
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    Some((line, bytes.get(end + 1..).unwrap_or_default()))
}

/// `ID=`, an id without blanks, and a `&` or the end.
fn begins_result(line: &[u8]) -> bool {
    let Some(id) = line.strip_prefix(b"ID=") else {
        return false;
    };
    let end = id.iter().position(|byte| *byte == b'&');
    let id = &id[..end.unwrap_or(id.len())];
    !id.is_empty() && !id.iter().any(u8::is_ascii_whitespace)
}

/// The result that begins with this line, and what follows it.
fn result<'a>(line: &'a [u8], mut rest: &'a [u8]) -> (CommandResult, &'a [u8]) {
    let mut result = CommandResult {
        id: String::new(),
        code: None,
        command: String::new(),
        serial: None,
        att_log_sum: None,
        parameters: Parameters::default(),
        content: None,
    };
    for part in line.split(|byte| *byte == b'&') {
        result.take(part);
    }
    let is_one_line = line.contains(&b'&');
    let from = rest;
    while let Some((line, after)) = next_line(rest) {
        if begins_result(line) {
            break;
        }
        // Everything behind is content, lines that look like results included.
        if !is_one_line && let Some(content) = rest.strip_prefix(b"Content=") {
            result.content = Some(content.to_vec());
            return (result, b"");
        }
        if !is_one_line {
            result.take(line);
        }
        rest = after;
    }
    let lines = &from[..from.len() - rest.len()];
    if is_one_line {
        result.parameters = Parameters::parse(lines);
    }
    (result, rest)
}

impl CommandResult {
    fn take(&mut self, part: &[u8]) {
        let Some(at) = part.iter().position(|byte| *byte == b'=') else {
            return;
        };
        let key = part[..at].trim_ascii().to_ascii_lowercase();
        let value = match part.contains(&b'%') {
            true => Cow::Owned(unescaped(&part[at + 1..])),
            false => Cow::Borrowed(&part[at + 1..]),
        };
        let shown = || text::decode(value.trim_ascii()).into_owned();
        match key.as_slice() {
            b"id" => self.id = shown(),
            b"return" => self.code = number(&value),
            b"cmd" => self.command = shown().replace('+', " "),
            b"sn" => self.serial = Some(shown()),
            b"attlogsum" => self.att_log_sum = number(&value),
            _ => {}
        }
    }
}

/// What a return code other than success means, in plain words.
pub fn meaning(family: Family, code: i64) -> &'static str {
    match family {
        Family::Security => security_meaning(code),
        Family::Manual => match code {
            -4 => "nothing matches",
            -5 => "no space left",
            -6 => "the data is not valid",
            -22 => "the command is unknown",
            _ => attendance_meaning(code),
        },
        Family::Original | Family::Attendance => attendance_meaning(code),
    }
}

fn attendance_meaning(code: i64) -> &'static str {
    match code {
        0 => "done",
        2 => "the finger exists already",
        4 => "enrolling failed",
        5 => "the finger is another user's, or nobody came",
        6 => "cancelled at the terminal",
        7 => "the terminal is busy",
        -1 => "a parameter is wrong, or nothing was found",
        -2 => "the photo's size is wrong, or a file is",
        -3 => "the terminal could not read or write its memory",
        -9 => "the template's size is wrong",
        -10 => "the terminal has no such user",
        -11 => "the template's format is wrong",
        -12 => "the template is not valid",
        -30 => "the template's version is not the terminal's",
        -1001 => "the terminal is full",
        -1002 => "the terminal does not know the command",
        -1003 => "the terminal took too long",
        -1004 => "this model does not have it, or is not set up for it",
        -1005 => "the terminal is busy",
        -1006 => "the data is too long",
        -1007 => "the terminal has no memory left",
        -1008 => "the terminal could not fetch data from the server",
        _ => "the terminal refused",
    }
}

fn security_meaning(code: i64) -> &'static str {
    match code {
        0.. => "done",
        -8 => "not authorised",
        -13 => "the terminal does not know the command",
        -14 => "the communication password is wrong",
        -18 => "no space left",
        -28..=-1 => "the terminal could not transfer it, or a parameter is wrong",
        -108..=-100 => "the table is wrong or not there",
        -612 => "the parameter could not be saved",
        -620 => "the data's format is wrong",
        -621 => "the table has no such field",
        -629 => "the terminal has no such table",
        -708 => "the firmware does not have the command",
        -725 => "the terminal took too long",
        -726 => "the server answered the terminal with an error",
        -730 => "no answer",
        -731 => "the server failed on the terminal's data",
        -801 => "the command's format is wrong",
        -5000 => "passed on to another controller",
        _ => "the terminal refused",
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn read<'a>(query: &str, body: &'a [u8]) -> Results<'a> {
        results(&Query::parse(query), body)
    }

    #[track_caller]
    fn only(query: &str, body: &[u8]) -> CommandResult {
        let found = read(query, body);
        assert_eq!(found.bad, []);
        let [result] = found.results.as_slice() else {
            panic!("one result: {found:?}");
        };
        result.clone()
    }

    #[test]
    fn one_line_in_all_its_forms() {
        let check = |query: &str, body: &str, code: Option<i64>, command: &str| {
            let result = only(query, body.as_bytes());
            assert_eq!((result.number(), result.code), (Some(101), code), "{body}");
            assert_eq!(result.command, command);
        };
        check("SN=X", "ID=101&Return=0&CMD=DATA", Some(0), "DATA");
        check(
            "SN=X",
            "ID=101&Return=-1002&CMD=DATA\r\n",
            Some(-1002),
            "DATA",
        );
        check(
            "SN=X",
            "ID=101&SN=X&Return=0&CMD=DATA+UPDATE",
            Some(0),
            "DATA UPDATE",
        );
        check(
            "SN=X",
            "ID=101&Return=%2d1&CMD=DATA%20UPDATE",
            Some(-1),
            "DATA UPDATE",
        );
        check("SN=X", "ID=101&Return=abc&CMD=DATA", None, "DATA");
        check("SN=X&ID=101&Return=0&CMD=DATA", "", Some(0), "DATA");
        check(
            "SN=X&ID=101&Return=0&CMD=CLEAR+LOG",
            "\r\n",
            Some(0),
            "CLEAR LOG",
        );
    }

    #[test]
    fn counting_punches() {
        let body = b"ID=5&Return=0&CMD=VERIFY SUM&StartTime=2026-11-21 00:00:00&EndTime=2026-11-22 00:00:00&AttlogSum=17";
        let result = only("SN=X", body);
        assert_eq!(
            (result.att_log_sum, result.command.as_str()),
            (Some(17), "VERIFY SUM")
        );
    }

    #[test]
    fn several_with_info_among_them() {
        let body = b"ID=1&Return=0&CMD=DATA\nID=2&Return=0&CMD=INFO\n~DeviceName=K40\nID=none of ours\nUserCount=3\n\nID=3&Return=-1&CMD=DATA";
        let found = read("SN=X", body);
        let ids: Vec<_> = found.results.iter().map(|one| one.id.as_str()).collect();
        assert_eq!(ids, ["1", "2", "3"]);
        assert_eq!(found.results[1].parameters.model(), Some("K40"));
        assert_eq!(found.results[1].parameters.user_count(), Some(3));
        assert!(found.results[0].parameters.is_empty());
    }

    #[test]
    fn content_may_look_like_results() {
        let body = b"ID=32\r\nReturn=5\r\nCMD=GetFile\r\nFILENAME=a\r\nContent=ID=1&Return=0&CMD=DATA\nID=2";
        let result = only("SN=X", body);
        assert_eq!((result.number(), result.code), (Some(32), Some(5)));
        let content: &[u8] = b"ID=1&Return=0&CMD=DATA\nID=2";
        assert_eq!(result.content.as_deref(), Some(content));
    }

    #[test]
    fn what_is_none() {
        assert_eq!(read("SN=X", b""), Results::default());
        let found = read(
            "SN=X",
            b"garbage\nID=\nID= 1&Return=0\n\nID=4&Return=0&CMD=LOG",
        );
        assert_eq!((found.bad.len(), found.results.len()), (3, 1));
        let odd = only("SN=X", b"ID=info8487&Return=0&CMD=INFO");
        assert_eq!((odd.id.as_str(), odd.number()), ("info8487", None));
    }

    #[test]
    fn success_and_meaning() {
        let check = |command: &str, code: i64, family: Family, success: bool, meaning: &str| {
            let body = format!("ID=1&Return={code}&CMD={command}");
            let result = only("", body.as_bytes());
            assert_eq!(result.succeeded(family), success, "{code} {family:?}");
            assert_eq!(result.meaning(family), meaning);
        };
        check("DATA", 0, Family::Attendance, true, "done");
        check(
            "ENROLL_FP",
            2,
            Family::Attendance,
            false,
            "the finger exists already",
        );
        check(
            "DATA",
            -10,
            Family::Original,
            false,
            "the terminal has no such user",
        );
        check(
            "DATA",
            -1002,
            Family::Manual,
            false,
            "the terminal does not know the command",
        );
        check("DATA", -22, Family::Manual, false, "the command is unknown");
        check("GetFile", 4096, Family::Attendance, true, "done");
        check("DATA QUERY", 41, Family::Security, true, "done");
        check(
            "DATA",
            -629,
            Family::Security,
            false,
            "the terminal has no such table",
        );
        check(
            "DATA",
            -13,
            Family::Security,
            false,
            "the terminal does not know the command",
        );
        check(
            "DATA",
            -9999,
            Family::Security,
            false,
            "the terminal refused",
        );
        let unreadable = only("", b"ID=1&Return=x&CMD=DATA");
        assert!(!unreadable.succeeded(Family::Security));
        let meaning = unreadable.meaning(Family::Security);
        assert_eq!(meaning, "the terminal gave no readable result");
    }

    proptest! {
        #[test]
        fn no_input_panics(start in "(ID=[0-9]{1,3}(&Return=0)?\n?){0,3}", body in proptest::collection::vec(any::<u8>(), 0..200)) {
            let body = [start.as_bytes(), &body].concat();
            let found = read("SN=X&ID=1", &body);
            let lines = body.split(|byte| *byte == b'\n').count();
            prop_assert!(found.results.len() + found.bad.len() <= lines + 1);
        }

        #[test]
        fn results_are_read_as_written(all in proptest::collection::vec((any::<u64>(), any::<i32>()), 0..5), crlf: bool) {
            let end = if crlf { "\r\n" } else { "\n" };
            let body: String = all.iter().map(|(id, code)| format!("ID={id}&Return={code}&CMD=DATA{end}")).collect();
            let found = read("SN=X", body.as_bytes());
            let read: Vec<_> = found.results.iter().map(|one| (one.number(), one.code)).collect();
            let written: Vec<_> = all.iter().map(|(id, code)| (Some(*id), Some(i64::from(*code)))).collect();
            prop_assert_eq!(read, written);
        }
    }
}

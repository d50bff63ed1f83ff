//! The lines of uploads, as each generation of firmware writes them.

use jiff::SignedDuration;
use jiff::civil::DateTime;

use super::clock::{pack_clock, text};
use super::fault::Fault;
use super::log::{Logged, Punch};
use super::profile::{Profile, Stamps};
use super::users::User;

/// 张伟 in GB2312.
const ZHANG_WEI: &[u8] = b"\xd5\xc5\xce\xb0";

/// What the fields of a punch depend on besides the punch.
#[derive(Debug, Clone)]
pub(super) struct AttlogLayout {
    pub fields: usize,
    pub temperature: (String, String),
    pub offset: Option<SignedDuration>,
}

impl AttlogLayout {
    pub(super) fn line(&self, punch: &Punch) -> Vec<u8> {
        let offset = self.offset.map(|offset| format!("{:+}", offset.as_secs()));
        let mut fields = vec![
            punch.pin.clone(),
            text(punch.clock),
            punch.status.to_string(),
            punch.verify.to_string(),
            punch.work_code.clone(),
            "0".to_owned(),
            "0".to_owned(),
        ];
        if self.fields == 16 {
            // Job and tip codes.
            fields.resize(16, "0".to_owned());
        } else {
            let (measured, converted) = &self.temperature;
            fields.extend(["0".to_owned(), measured.clone(), converted.clone()]);
            fields.extend([offset.unwrap_or_default(), String::new()]);
        }
        fields.truncate(self.fields);
        fields.join("\t").into_bytes()
    }
}

/// The stamp that goes with punches up to `newest`.
pub(super) fn stamp(stamps: Stamps, newest: DateTime) -> String {
    match stamps {
        Stamps::Packed => pack_clock(newest).to_string(),
        Stamps::Iso => newest.strftime("%Y-%m-%dT%H:%M:%S").to_string(),
        Stamps::Own => "9999".to_owned(),
    }
}

pub(super) fn user(profile: Profile, user: &User, faults: &[Fault]) -> Vec<u8> {
    let card = match (profile, user.card) {
        (Profile::A0, 0) => "[0000000000]".to_owned(),
        (_, 0) => String::new(),
        (Profile::A0 | Profile::V22 | Profile::Essl, card) => {
            let bytes = card.to_le_bytes();
            let digits: String = bytes.iter().map(|byte| format!("{byte:02X}")).collect();
            format!("[{digits}]")
        }
        (_, card) => card.to_string(),
    };
    let mut line = format!("USER PIN={}\tName=", user.pin).into_bytes();
    line.extend_from_slice(name(user, faults));
    let rest = format!(
        "\tPri={}\tPasswd={}\tCard={card}\tGrp={}\tTZ={}",
        user.privilege, user.password, user.group, user.time_zones
    );
    line.extend_from_slice(rest.as_bytes());
    if profile.is_modern() {
        line.extend_from_slice(b"\tVerify=0\tViceCard=");
    }
    line
}

fn name<'a>(user: &'a User, faults: &[Fault]) -> &'a [u8] {
    match faults.contains(&Fault::Gb2312) {
        true => ZHANG_WEI,
        false => &user.name,
    }
}

pub(super) fn finger(pin: &str, finger: u8, template: &str) -> Vec<u8> {
    let size = template.len();
    format!("FP PIN={pin}\tFID={finger}\tSize={size}\tValid=1\tTMP={template}").into_bytes()
}

/// What somebody did at the menu. The oldest firmware writes packed times.
pub(super) fn operation(
    profile: Profile,
    code: u8,
    operator: &str,
    at: DateTime,
    objects: &[&str; 4],
) -> Vec<u8> {
    let time = match profile {
        Profile::A0 => pack_clock(at).to_string(),
        _ => text(at),
    };
    format!("OPLOG {code}\t{operator}\t{time}\t{}", objects.join("\t")).into_bytes()
}

/// A user of an access-control terminal, the `uid`th.
pub(super) fn access_user(uid: usize, user: &User, faults: &[Fault]) -> Vec<u8> {
    let card = match user.card {
        0 => String::new(),
        card => card.to_string(),
    };
    let start = format!(
        "user uid={uid}\tcardno={card}\tpin={}\tpassword={}\tgroup={}\tstarttime=0\tendtime=0\tname=",
        user.pin, user.password, user.group
    );
    let mut line = start.into_bytes();
    line.extend_from_slice(name(user, faults));
    let end = format!("\tprivilege={}\tdisable=0\tverify=0", user.privilege);
    line.extend_from_slice(end.as_bytes());
    line
}

/// The event 0, opened normally, of an access-control terminal.
pub(super) fn live_event(logged: &Logged) -> Vec<u8> {
    let Punch {
        pin,
        clock,
        status,
        verify,
        ..
    } = &logged.punch;
    format!(
        "time={}\tpin={pin}\tcardno=0\tsitecode=0\tlinkid=0\teventaddr=1\tevent=0\tinoutstatus={status}\tverifytype={verify}\tindex={}",
        text(*clock),
        logged.number
    )
    .into_bytes()
}

/// The same as a record of the table `transaction`.
pub(super) fn transaction(logged: &Logged) -> Vec<u8> {
    let Punch {
        pin,
        clock,
        status,
        verify,
        ..
    } = &logged.punch;
    format!(
        "transaction cardno=0\tpin={pin}\tverified={verify}\tdoorid=1\teventtype=0\tinoutstate={status}\ttime_second={}\tindex={}\tsitecode=0\tdevid=1",
        pack_clock(*clock),
        logged.number
    )
    .into_bytes()
}

/// The state of the doors of an access-control terminal.
pub(super) fn door_state(at: DateTime) -> Vec<u8> {
    format!(
        "time={}\tsensor=00\trelay=00\talarm=0000000000000000",
        text(at)
    )
    .into_bytes()
}

/// The lines of punches with what faults make of them.
pub(super) fn spoil(mut lines: Vec<Vec<u8>>, at: DateTime, faults: &[Fault]) -> Vec<Vec<u8>> {
    let has = |fault: &Fault| faults.contains(fault);
    if has(&Fault::Blanks) {
        for line in &mut lines {
            for byte in line.iter_mut().filter(|byte| **byte == b'\t') {
                *byte = b' ';
            }
        }
    }
    if has(&Fault::Twice) {
        lines = lines
            .into_iter()
            .flat_map(|line| [line.clone(), line])
            .collect();
    }
    if has(&Fault::Garbage) {
        lines.push(b"garbage".to_vec());
    }
    if has(&Fault::ImpossibleDate) {
        let line = format!("1002\t{}-02-30 08:00:00\t0\t1", at.year());
        lines.push(line.into_bytes());
    }
    if has(&Fault::Nul) {
        let line = format!("10\x0002\t{}\t0\t1", text(at));
        lines.push(line.into_bytes());
    }
    if has(&Fault::BlankLines) {
        lines.insert(0, Vec::new());
    }
    if has(&Fault::Bom)
        && let Some(first) = lines.first_mut()
    {
        first.splice(0..0, *b"\xef\xbb\xbf");
    }
    lines
}

/// The lines as one body.
pub(super) fn body(lines: &[Vec<u8>], faults: &[Fault]) -> Vec<u8> {
    let end: &[u8] = match faults.contains(&Fault::Crlf) {
        true => b"\r\n",
        false => b"\n",
    };
    let mut body = Vec::new();
    for line in lines {
        body.extend_from_slice(line);
        body.extend_from_slice(end);
    }
    if faults.contains(&Fault::NoLastLf) {
        body.truncate(body.len().saturating_sub(end.len()));
    }
    body
}

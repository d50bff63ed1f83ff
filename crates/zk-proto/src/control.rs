//! What a terminal can be told to do at once: its clock, its door, its screen, its log.

use std::time::Duration;

use jiff::civil::DateTime;

use crate::clock::PackedClock;
use crate::command;
use crate::request::Request;
use crate::text::NameEncoding;

/// Sets the clock to the wall time of the terminal's site. Nothing in the log changes. Read the time afterwards: not every
/// terminal that says "done" took it. `None` outside the years 2000 to 2099.
pub fn set_time(clock: DateTime) -> Option<Request> {
    let PackedClock(raw) = PackedClock::pack(clock)?;
    Some(Request::new(command::SET_TIME, raw.to_le_bytes()))
}

/// Deletes the whole log. Only after everything in it is stored: read it, compare the counter once more, then clear.
pub fn clear_log() -> Request {
    Request::new(command::CLEAR_ATTLOG, [])
}

/// In what a terminal counts how long its door stays open. Sources disagree, so it is to be tried per model with a short time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DoorUnit {
    #[default]
    Tenths,
    Seconds,
}

/// Opens the door, for at most an hour.
pub fn unlock(open: Duration, unit: DoorUnit) -> Request {
    let open = open.min(Duration::from_secs(3600));
    let delay = match unit {
        DoorUnit::Tenths => open.as_millis() / 100,
        DoorUnit::Seconds => open.as_millis() / 1000,
    };
    // An hour of tenths is 36,000.
    Request::new(command::UNLOCK, (delay as u32).to_le_bytes())
}

/// Plays a voice. Common ones are 0 "thank you", 1 wrong password, 2 access denied, 3 invalid id, 4 try again, 9 already
/// punched, 10 and 11 beeps; not every model has all.
pub fn voice(index: u32) -> Request {
    Request::new(command::TEST_VOICE, index.to_le_bytes())
}

/// Writes a line of the screen, with a blank before the text as common clients do. `None` when the text has characters that
/// the terminal's code page does not have, or that are no text.
pub fn show(line: u16, text: &str, encoding: NameEncoding) -> Option<Request> {
    let mut data = line.to_le_bytes().to_vec();
    data.extend_from_slice(b"\0 ");
    data.extend(encoding.encode(text)?);
    Some(Request::new(command::WRITE_LCD, data))
}

pub fn clear_screen() -> Request {
    Request::new(command::CLEAR_LCD, [])
}

/// Blocks keypad and sensors for so many seconds, while users are written. Without end they would stay blocked if the
/// connection broke.
pub fn disable(secs: u32) -> Request {
    Request::new(command::DISABLE_DEVICE, secs.to_le_bytes())
}

/// Ends [`disable`]. Also to be sent before asking for events, in case somebody else left the terminal disabled.
pub fn enable() -> Request {
    Request::new(command::ENABLE_DEVICE, [])
}

/// Restarts the terminal. No answer and a broken connection are as good as "done".
pub fn restart() -> Request {
    Request::new(command::RESTART, [])
}

/// To be sent after users or templates were written or deleted.
pub fn refresh_data() -> Request {
    Request::new(command::REFRESH_DATA, [])
}

/// To be sent after options were written.
pub fn refresh_options() -> Request {
    Request::new(command::REFRESH_OPTION, [])
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    #[test]
    fn requests() {
        assert_eq!(voice(9), Request::new(1017, [9, 0, 0, 0]));
        assert_eq!(clear_screen(), Request::new(67, []));
        assert_eq!(enable(), Request::new(1002, []));
        assert_eq!(restart(), Request::new(1004, []));
        assert_eq!(refresh_data(), Request::new(1013, []));
        assert_eq!(refresh_options(), Request::new(1014, []));
    }

    #[test]
    fn times_that_cannot_be_packed_are_not_sent() {
        assert_eq!(set_time(date(1999, 12, 31).at(0, 0, 0, 0)), None);
        assert_eq!(set_time(date(2100, 1, 1).at(0, 0, 0, 0)), None);
    }

    #[test]
    fn doors_stay_open_in_the_unit_of_the_terminal() {
        let delay = |millis, unit| unlock(Duration::from_millis(millis), unit).data;
        assert_eq!(delay(1500, DoorUnit::Tenths), [15, 0, 0, 0]);
        assert_eq!(delay(1500, DoorUnit::Seconds), [1, 0, 0, 0]);
        assert_eq!(delay(u64::MAX, DoorUnit::Seconds), 3600u32.to_le_bytes());
    }

    #[test]
    fn texts_are_shown_in_the_code_page_of_the_terminal() {
        let shown = |text| show(2, text, NameEncoding::Windows1256).map(|request| request.data);
        assert_eq!(shown("A\u{62d}").as_deref(), Some(&b"\x02\0\0 A\xcd"[..]));
        assert_eq!(shown("\u{5f20}"), None);
        assert_eq!(shown("A\nB"), None);
    }
}

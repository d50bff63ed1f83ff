//! Many terminals in one process.

use std::io;
use std::net::IpAddr;

use super::builder::VirtualTerminal;
use super::running::RunningTerminal;

impl VirtualTerminal {
    /// Starts `count` terminals like this one, each on a free port of `ip`. They differ in serial number (this one's last
    /// digits counted on), MAC and first session, and share the people and the log until one of them changes its own.
    ///
    /// Each takes one open file a transport and one for every connection: the limit of the process (`ulimit -n`) must
    /// allow them. It cannot be raised from here.
    ///
    /// # Errors
    ///
    /// When an address cannot be bound or the limit of open files is reached; what was started ends.
    pub async fn start_fleet(self, count: usize, ip: IpAddr) -> io::Result<Vec<RunningTerminal>> {
        let model = self.laid_out();
        let first = model.serial_number().to_owned();
        let mut fleet = Vec::with_capacity(count);
        for index in 0..count {
            let terminal = model.clone().with_serial_number(&counted_on(&first, index));
            let started = terminal.start((ip, 0)).await.map_err(|error| {
                let number = index + 1;
                let text = format!("terminal {number} of {count}, each an open file: {error}");
                io::Error::new(error.kind(), text)
            })?;
            fleet.push(started);
        }
        Ok(fleet)
    }
}

/// The text with its last digits counted on, at the same width: `AB007` and 5 is `AB012`.
fn counted_on(text: &str, by: usize) -> String {
    let letters = text.trim_end_matches(|character: char| character.is_ascii_digit());
    let digits = &text[letters.len()..];
    match digits.parse::<u64>() {
        Ok(number) => {
            let (number, width) = (number.saturating_add(by as u64), digits.len());
            format!("{letters}{number:0width$}")
        }
        Err(_) => format!("{text}{by}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn serial_numbers_are_counted_on() {
        check("AB007", 5, "AB012");
        check("AB007", 0, "AB007");
        check("AB99", 1, "AB100");
        check("X", 3, "X3");
        check("12345678901234567890123", 1, "123456789012345678901231");

        #[track_caller]
        fn check(first: &str, by: usize, expected: &str) {
            assert_eq!(counted_on(first, by), expected);
        }
    }
}

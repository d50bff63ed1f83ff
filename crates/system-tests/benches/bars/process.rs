//! This program in other processes: terminals whose work must not count as ours, and readers whose memory is to be measured.

use std::io::{BufRead, BufReader, Lines, Read, Write};
use std::net::SocketAddr;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use crate::{cycle, fleet, hik, push, sheets, today, zk_log};

/// What the first argument of such a process begins with.
pub const ROLE: &str = "--role=";

/// Does the work of one of our processes.
pub fn play(role: &str, arguments: &[String]) {
    match &role[ROLE.len()..] {
        "zk-terminal" => zk_log::be_a_terminal(arguments),
        "zk-terminals" => cycle::be_terminals(arguments),
        "zk-fleet" => fleet::be_a_fleet(),
        "arrivals" => today::be_terminals_with_arrivals(arguments),
        "zk-reader" => zk_log::be_a_reader(arguments),
        "push-storm" => push::be_a_storm(arguments),
        "push-site" => push::be_a_site(arguments),
        "hik-terminals" => hik::be_terminals(arguments),
        "hik-streams" => hik::be_streams(),
        "exporter" => sheets::be_an_exporter(arguments),
        "push-slow" => push::be_slow_writers(arguments),
        other => panic!("there is no role {other}"),
    }
}

/// A running process of ours, killed with the value.
pub struct Role {
    process: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Role {
    pub fn start(role: &str, arguments: &[String]) -> Self {
        let mut process = Command::new(std::env::current_exe().expect("this program has a path"))
            .arg(format!("{ROLE}{role}"))
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("this program can be started again");
        let lines = BufReader::new(process.stdout.take().expect("piped")).lines();
        Self { process, lines }
    }

    /// The next line it prints.
    pub fn line(&mut self) -> String {
        let line = self.lines.next().expect("the process is still running");
        line.expect("it prints text")
    }

    /// The serial numbers and addresses of so many terminals, each on the next of its lines.
    pub fn terminals(&mut self, count: usize) -> Vec<(String, SocketAddr)> {
        let terminals = (0..count).map(|_| {
            let line = self.line();
            let (serial, address) = line
                .split_once(' ')
                .expect("a serial number and an address");
            (serial.to_owned(), address.parse().expect("an address"))
        });
        terminals.collect()
    }

    /// Sends it a line.
    pub fn tell(&mut self, line: &str) {
        let input = self.process.stdin.as_mut().expect("piped");
        writeln!(input, "{line}").expect("the process is still running");
    }
}

impl Drop for Role {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Waits until the process that started this one is done with it.
pub fn until_told_to_end() {
    let _ = std::io::stdin().read_to_end(&mut Vec::new());
}

/// A value of `/proc/PID/status` in kB, such as `VmRSS` or `VmHWM`; `pid` may be `self`.
pub fn memory_kb(pid: &str, name: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))
        .expect("Linux tells the memory of a process");
    let value = status.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        (key == name).then(|| value.trim_end_matches("kB").trim().parse().ok())?
    });
    value.unwrap_or_else(|| panic!("{name} is in the status of a process"))
}

/// The processor time that a process has used so far, in user and kernel mode, with all its threads.
pub fn cpu_time(pid: &str) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("Linux tells");
    // The name before the last bracket may hold blanks. Behind it the 12th and 13th are the times, in hundredths of a second.
    let (_, fields) = stat.rsplit_once(')').expect("the name is in brackets");
    let ticks = fields.split_whitespace().skip(11).take(2);
    let ticks: u64 = ticks
        .map(|ticks| ticks.parse::<u64>().expect("a number"))
        .sum();
    Duration::from_millis(10 * ticks)
}

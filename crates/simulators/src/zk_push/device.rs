//! The state of a virtual terminal: people, log, what waits to be uploaded, and what it was told.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::mem::discriminant;
use std::time::Duration;

use jiff::SignedDuration;
use jiff::civil::DateTime;

use super::clock::{Clock, MILLENNIUM, pack_clock};
use super::event::Observer;
use super::fault::Fault;
use super::lines::{self, AttlogLayout};
use super::log::{Logged, Punch};
use super::options::Options;
use super::profile::{Profile, Stamps};
use super::users::User;

/// What a terminal is, whatever happens to it.
#[derive(Clone)]
pub(super) struct Config {
    pub profile: Profile,
    pub serial: String,
    pub clock: Clock,
    pub observer: Option<Observer>,
    pub offset: Option<SignedDuration>,
    pub comm_key: Option<String>,
    pub language: String,
    pub temperature: (String, String),
    pub attlog_fields: usize,
    pub wants_counted_acks: bool,
    pub batch: usize,
    pub delay: Option<Duration>,
    pub error_delay: Option<Duration>,
    pub time_out: Duration,
    pub time_scale: u32,
    pub restart_time: Duration,
    pub follows_server_clock: bool,
    pub keeps_alive: bool,
    pub token: Option<String>,
    pub shell_output: Option<String>,
}

/// What a terminal asked and was asked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts {
    /// Requests that were begun, whatever became of them.
    pub requests: u64,
    /// First requests, `options=all`, and those of a `CHECK`.
    pub handshakes: u64,
    /// Registrations of an access-control terminal.
    pub registrations: u64,
    /// Polls for commands.
    pub polls: u64,
    /// Uploads of lines, also for a query.
    pub uploads: u64,
    /// Lines the server acknowledged, repetitions included.
    pub lines_acknowledged: u64,
    /// Reports of results.
    pub reports: u64,
    /// Answers that were no success.
    pub refused: u64,
    /// Requests without an answer.
    pub unanswered: u64,
    /// Answers to uploads that acknowledged nothing, although they were a success.
    pub bad_acks: u64,
}

/// A command and what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Executed {
    /// The id the server gave it.
    pub id: String,
    /// What stood behind the id.
    pub command: String,
    /// The return code.
    pub code: i64,
    /// Whether the server took the report.
    pub reported: bool,
}

/// A line that waits and is no punch, or a whole photo.
#[derive(Debug, Clone)]
pub(super) struct Paper {
    id: u64,
    table: String,
    line: Vec<u8>,
    about: About,
    sent: u32,
}

/// Which setting allows a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum About {
    Operations,
    Users,
    Anything,
}

/// What says that an upload has arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Ack {
    Success,
    /// `OK: n`.
    Counted,
    /// `table=n`.
    Named(String),
}

/// One upload.
#[derive(Debug, Clone)]
pub(super) struct Batch {
    pub path: &'static str,
    /// As in an attendance upload, and for people to read.
    pub table: String,
    pub query: Vec<(&'static str, String)>,
    pub body: Vec<u8>,
    pub lines: usize,
    pub ack: Ack,
    /// Whether none of it was sent before.
    pub is_new: bool,
    entries: Vec<usize>,
    papers: Vec<u64>,
    /// Whether its records wait no longer when it has arrived; not so when the server asked for them.
    settles: bool,
}

pub(super) struct Device {
    pub config: Config,
    pub users: Vec<User>,
    pub options: BTreeMap<String, String>,
    pub faults: Vec<Fault>,
    pub online: bool,
    pub wants_restart: bool,
    pub counts: Counts,
    pub executed: Vec<Executed>,
    pub unlocks: u64,
    pub authorized: BTreeSet<String>,
    /// What the terminal adds to the clock it was given.
    pub clock_shift: SignedDuration,
    pub user_changes: u64,
    pub acknowledged: usize,
    /// Everything that was ever logged; what was cleared stands before `log_start`.
    entries: Vec<Logged>,
    log_start: usize,
    waiting: BTreeSet<usize>,
    papers: VecDeque<Paper>,
    papers_made: u64,
}

impl Device {
    pub(super) fn new(config: Config, users: Vec<User>, options: BTreeMap<String, String>) -> Self {
        Self {
            config,
            users,
            options,
            faults: Vec::new(),
            online: true,
            wants_restart: false,
            counts: Counts::default(),
            executed: Vec::new(),
            unlocks: 0,
            authorized: BTreeSet::new(),
            clock_shift: SignedDuration::ZERO,
            user_changes: 0,
            acknowledged: 0,
            entries: Vec::new(),
            log_start: 0,
            waiting: BTreeSet::new(),
            papers: VecDeque::new(),
            papers_made: 0,
        }
    }

    pub(super) fn profile(&self) -> Profile {
        self.config.profile
    }

    /// The serial number it calls under.
    pub(super) fn serial(&self) -> &str {
        let other = self.faults.iter().find_map(|fault| match fault {
            Fault::WrongSerial(serial) => Some(serial),
            _ => None,
        });
        other.unwrap_or(&self.config.serial)
    }

    pub(super) fn has(&self, fault: &Fault) -> bool {
        self.faults.contains(fault)
    }

    pub(super) fn set_fault(&mut self, fault: Fault) {
        match &fault {
            Fault::ClockReset => self.reset_clock(),
            Fault::ClockOff(by) => self.clock_shift = *by,
            _ => {}
        }
        let kind = discriminant(&fault);
        self.faults.retain(|known| discriminant(known) != kind);
        self.faults.push(fault);
    }

    pub(super) fn now(&self) -> DateTime {
        let shown = (self.config.clock)().saturating_add(self.clock_shift);
        shown.with().subsec_nanosecond(0).build().unwrap_or(shown)
    }

    pub(super) fn set_clock(&mut self, shows: DateTime) {
        self.clock_shift = shows.duration_since((self.config.clock)());
    }

    pub(super) fn reset_clock(&mut self) {
        self.set_clock(MILLENNIUM);
    }

    // The log.

    /// Appends a punch; it waits to be uploaded.
    pub(super) fn log(&mut self, mut punch: Punch, live: bool) {
        if self.has(&Fault::Status255) {
            punch.status = 255;
        }
        let stranger = self.faults.iter().find_map(|fault| match fault {
            Fault::Stranger(pin) => Some(pin.clone()),
            _ => None,
        });
        let followed = stranger.map(|pin| Punch {
            pin,
            ..punch.clone()
        });
        for punch in [Some(punch), followed].into_iter().flatten() {
            self.waiting.insert(self.entries.len());
            self.entries.push(Logged {
                punch,
                number: (self.entries.len() - self.log_start) as u64 + 1,
                acknowledged: false,
                sent: 0,
                live,
            });
        }
    }

    /// What is in the log now.
    pub(super) fn logged(&self) -> &[Logged] {
        &self.entries[self.log_start..]
    }

    /// Everything that was ever in the log, also before it was cleared.
    pub(super) fn ever_logged(&self) -> &[Logged] {
        &self.entries
    }

    pub(super) fn clear_log(&mut self) {
        self.log_start = self.entries.len();
        self.waiting.clear();
    }

    pub(super) fn factory_reset(&mut self) {
        self.clear_log();
        self.users.clear();
        self.papers.clear();
        self.authorized.clear();
        self.user_changes += 1;
    }

    /// Everything that is not acknowledged yet is no live event any more.
    pub(super) fn nothing_is_live(&mut self) {
        for index in &self.waiting {
            self.entries[*index].live = false;
        }
    }

    /// The server told from where on it wants the log.
    pub(super) fn resume_from(&mut self, stamp: Option<&str>, asked_to_check: bool) {
        let Some(stamp) = stamp.filter(|_| !self.has(&Fault::IgnoresStamps)) else {
            return;
        };
        let from = self.log_start;
        let newer: Vec<usize> = match self.profile().stamps() {
            Stamps::Own if asked_to_check && stamp == "0" => (from..self.entries.len()).collect(),
            Stamps::Own => return,
            Stamps::Packed => {
                let Ok(stamp) = stamp.parse::<u32>() else {
                    return;
                };
                self.newer_than(|clock| pack_clock(clock) > stamp)
            }
            Stamps::Iso if stamp == "0" => (from..self.entries.len()).collect(),
            Stamps::Iso => {
                let Ok(stamp) = stamp.parse::<DateTime>() else {
                    return;
                };
                self.newer_than(|clock| clock > stamp)
            }
        };
        self.waiting.extend(newer);
    }

    fn newer_than(&self, is_newer: impl Fn(DateTime) -> bool) -> Vec<usize> {
        (self.log_start..self.entries.len())
            .filter(|index| is_newer(self.entries[*index].punch.clock))
            .collect()
    }

    // People.

    /// What somebody did at the menu, as `OPLOG`; access-control terminals keep no such log here.
    pub(super) fn operation(&mut self, code: u8, operator: &str, objects: [&str; 4]) {
        if self.profile() != Profile::Acc {
            let line = lines::operation(self.profile(), code, operator, self.now(), &objects);
            self.queue("OPERLOG", line, About::Operations);
        }
    }

    /// Adds or replaces a user without a word to the server.
    pub(super) fn put_user(&mut self, user: User) {
        self.user_changes += 1;
        match self.users.iter_mut().find(|known| known.pin == user.pin) {
            Some(known) => *known = user,
            None => self.users.push(user),
        }
    }

    pub(super) fn remove_user(&mut self, pin: &str) -> bool {
        let before = self.users.len();
        self.users.retain(|user| user.pin != pin);
        self.user_changes += 1;
        self.users.len() < before
    }

    /// The lines of a user wait to be uploaded.
    pub(super) fn report_user(&mut self, user: &User) {
        if self.profile() == Profile::Acc {
            let uid = self.users.iter().position(|known| known.pin == user.pin);
            let line = lines::access_user(uid.unwrap_or(0) + 1, user, &self.faults);
            self.queue("user", line, About::Anything);
            return;
        }
        let line = lines::user(self.profile(), user, &self.faults);
        self.queue("OPERLOG", line, About::Users);
        for (finger, template) in &user.fingers {
            let line = lines::finger(&user.pin, *finger, template);
            self.queue("OPERLOG", line, About::Users);
        }
    }

    pub(super) fn queue(&mut self, table: &str, line: Vec<u8>, about: About) {
        self.papers_made += 1;
        self.papers.push_back(Paper {
            id: self.papers_made,
            table: table.to_owned(),
            line,
            about,
            sent: 0,
        });
    }

    // Uploads.

    /// What is to be uploaded next under these settings.
    pub(super) fn next_batch(&self, options: &Options) -> Option<Batch> {
        let attendance = self.profile() != Profile::Acc;
        if !attendance || options.wants_punches() {
            let entries = self.next_entries();
            if let Some(first) = entries.first() {
                return Some(match (attendance, self.entries[*first].live) {
                    (true, _) => self.attlog(&entries, options, false),
                    (false, true) => self.live_events(&entries),
                    (false, false) => self.transactions(&entries),
                });
            }
        }
        let papers = self.next_papers(options);
        let table = papers.first()?.table.clone();
        Some(match table.as_str() {
            "ATTPHOTO" => self.photo(papers[0]),
            _ if attendance || table.starts_with("rt") => self.table(&table, &papers),
            _ => self.access_table(&table, &papers),
        })
    }

    /// Access-control terminals never mix what is live with what is not.
    fn next_entries(&self) -> Vec<usize> {
        let size = self.config.batch;
        let mut entries: Vec<usize> = match self.has(&Fault::NewestFirst) {
            true => self.waiting.iter().rev().take(size).copied().collect(),
            false => self.waiting.iter().take(size).copied().collect(),
        };
        if self.profile() == Profile::Acc
            && let Some(first) = entries.first()
        {
            let live = self.entries[*first].live;
            let kept = entries
                .iter()
                .take_while(|index| self.entries[**index].live == live);
            entries.truncate(kept.count());
        }
        entries
    }

    fn next_papers(&self, options: &Options) -> Vec<&Paper> {
        let mut allowed = self.papers.iter().filter(|paper| match paper.about {
            About::Operations => options.wants_operations(),
            About::Users => options.wants_users(),
            About::Anything => true,
        });
        let Some(first) = allowed.next() else {
            return Vec::new();
        };
        let same = allowed.take_while(|paper| paper.table == first.table);
        std::iter::once(first)
            .chain(same.take(self.config.batch - 1))
            .collect()
    }

    fn entries_batch(&self, table: &str, entries: &[usize], lines: Vec<Vec<u8>>) -> Batch {
        let sent = entries.iter().map(|index| self.entries[*index].sent);
        Batch {
            path: "cdata",
            table: table.to_owned(),
            query: vec![("table", table.to_owned())],
            lines: lines.iter().filter(|line| !line.is_empty()).count(),
            body: lines::body(&lines, &self.faults),
            ack: Ack::Success,
            is_new: sent.max() == Some(0),
            entries: entries.to_vec(),
            papers: Vec::new(),
            settles: true,
        }
    }

    fn counted(&self) -> Ack {
        match self.config.wants_counted_acks {
            true => Ack::Counted,
            false => Ack::Success,
        }
    }

    fn attlog(&self, entries: &[usize], options: &Options, for_query: bool) -> Batch {
        let layout = AttlogLayout {
            fields: self.config.attlog_fields,
            temperature: self.config.temperature.clone(),
            offset: self.config.offset.or_else(|| options.zone()),
        };
        let punches = entries.iter().map(|index| &self.entries[*index].punch);
        let newest = punches.clone().map(|punch| punch.clock).max();
        let lines = punches.map(|punch| layout.line(punch)).collect();
        let lines = lines::spoil(lines, self.now(), &self.faults);
        let stamp = match newest {
            Some(newest) if !for_query => lines::stamp(self.profile().stamps(), newest),
            _ => "0".to_owned(),
        };
        let mut batch = self.entries_batch("ATTLOG", entries, lines);
        batch.query.push(("Stamp", stamp));
        if self.profile() == Profile::A0 {
            batch.query.remove(0);
        }
        Batch {
            ack: self.counted(),
            settles: !for_query,
            ..batch
        }
    }

    fn live_events(&self, entries: &[usize]) -> Batch {
        let lines = entries
            .iter()
            .map(|index| lines::live_event(&self.entries[*index]));
        self.entries_batch("rtlog", entries, lines.collect())
    }

    fn transactions(&self, entries: &[usize]) -> Batch {
        let lines: Vec<_> = (entries.iter())
            .map(|index| lines::transaction(&self.entries[*index]))
            .collect();
        let count = lines.len().to_string();
        let batch = self.entries_batch("transaction", entries, lines);
        Batch {
            query: vec![
                ("table", "tabledata".to_owned()),
                ("tablename", "transaction".to_owned()),
                ("count", count),
            ],
            ack: Ack::Named("transaction".to_owned()),
            ..batch
        }
    }

    fn papers_batch(&self, table: &str, papers: &[&Paper]) -> Batch {
        let lines: Vec<_> = papers.iter().map(|paper| paper.line.clone()).collect();
        Batch {
            is_new: papers.iter().all(|paper| paper.sent == 0),
            papers: papers.iter().map(|paper| paper.id).collect(),
            ..self.entries_batch(table, &[], lines)
        }
    }

    fn table(&self, table: &str, papers: &[&Paper]) -> Batch {
        let mut batch = self.papers_batch(table, papers);
        let stamp = match self.profile().stamps() {
            Stamps::Own => "9999".to_owned(),
            stamps => lines::stamp(stamps, self.now()),
        };
        match self.profile() {
            Profile::Acc => {}
            Profile::A0 => batch.query = vec![("OpStamp", stamp)],
            Profile::V24 | Profile::V242 if table == "OPERLOG" => {
                batch.query.push(("OpStamp", stamp));
            }
            _ => batch.query.push(("Stamp", stamp)),
        }
        if self.profile() != Profile::Acc {
            batch.ack = self.counted();
        }
        batch
    }

    fn access_table(&self, table: &str, papers: &[&Paper]) -> Batch {
        let batch = self.papers_batch(table, papers);
        Batch {
            query: vec![
                ("table", "tabledata".to_owned()),
                ("tablename", table.to_owned()),
                ("count", batch.lines.to_string()),
            ],
            ack: Ack::Named(table.to_owned()),
            ..batch
        }
    }

    fn photo(&self, paper: &Paper) -> Batch {
        Batch {
            body: paper.line.clone(),
            ack: Ack::Success,
            ..self.table("ATTPHOTO", &[paper])
        }
    }

    /// The uploads that a query for punches between two times causes, oldest first.
    pub(super) fn query_punches(
        &self,
        options: &Options,
        within: impl Fn(&Punch) -> bool,
    ) -> Vec<Batch> {
        let found: Vec<usize> = (self.log_start..self.entries.len())
            .filter(|index| within(&self.entries[*index].punch))
            .collect();
        (found.chunks(self.config.batch))
            .map(|part| self.attlog(part, options, true))
            .collect()
    }

    /// The uploads that a query for people causes.
    pub(super) fn query_users(&self, wanted: impl Fn(&User) -> bool) -> Vec<Batch> {
        let lines: Vec<Vec<u8>> = (self.users.iter())
            .filter(|user| wanted(user))
            .map(|user| lines::user(self.profile(), user, &self.faults))
            .collect();
        let table = match self.profile().is_modern() {
            true => "USERINFO",
            false => "OPERLOG",
        };
        let batches = lines.chunks(self.config.batch).map(|part| {
            let mut batch = self.entries_batch(table, &[], part.to_vec());
            match self.profile() {
                Profile::A0 => batch.query = vec![("OpStamp", "0".to_owned())],
                _ => batch.query.push(("Stamp", "0".to_owned())),
            }
            Batch {
                ack: self.counted(),
                is_new: true,
                ..batch
            }
        });
        batches.collect()
    }

    /// The packets of an access-control terminal's answer to a query, and how many records they hold.
    pub(super) fn query_table(&self, id: &str, table: &str, only_new: bool) -> (Vec<Batch>, usize) {
        let entries: Vec<usize> = match (table, only_new) {
            ("transaction", true) => self.waiting.iter().copied().collect(),
            ("transaction", false) => (self.log_start..self.entries.len()).collect(),
            _ => Vec::new(),
        };
        let lines: Vec<Vec<u8>> = match table {
            "transaction" => (entries.iter())
                .map(|index| lines::transaction(&self.entries[*index]))
                .collect(),
            _ => (self.users.iter().enumerate())
                .map(|(index, user)| lines::access_user(index + 1, user, &self.faults))
                .collect(),
        };
        let total = lines.len();
        if self.has(&Fault::EmptyQueries) || lines.is_empty() {
            return (vec![self.packet(id, table, &[], &[], (0, 0))], total);
        }
        let size = self.config.batch;
        let packets = lines.len().div_ceil(size);
        let batches = (lines.chunks(size).enumerate()).map(|(index, part)| {
            let entries = entries.iter().skip(index * size).take(size).copied();
            let entries: Vec<usize> = entries.collect();
            self.packet(id, table, &entries, part, (index + 1, packets))
        });
        (batches.collect(), total)
    }

    fn packet(
        &self,
        id: &str,
        table: &str,
        entries: &[usize],
        lines: &[Vec<u8>],
        (index, of): (usize, usize),
    ) -> Batch {
        let batch = self.entries_batch(table, entries, lines.to_vec());
        Batch {
            path: "querydata",
            query: vec![
                ("type", "tabledata".to_owned()),
                ("cmdid", id.to_owned()),
                ("tablename", table.to_owned()),
                ("count", lines.len().to_string()),
                ("packcnt", of.to_string()),
                ("packidx", index.to_string()),
            ],
            ack: Ack::Named(table.to_owned()),
            is_new: true,
            settles: false,
            ..batch
        }
    }

    /// An answer of an access-control terminal that holds no records: a count, or options.
    pub(super) fn answer(&self, id: &str, kind: &'static str, table: &str, text: String) -> Batch {
        let ack = match kind {
            "count" => Ack::Named(table.to_owned()),
            _ => Ack::Success,
        };
        Batch {
            body: text.into_bytes(),
            lines: 0,
            query: vec![
                ("type", kind.to_owned()),
                ("cmdid", id.to_owned()),
                ("tablename", table.to_owned()),
                ("count", "1".to_owned()),
                ("packcnt", "1".to_owned()),
                ("packidx", "1".to_owned()),
            ],
            ack,
            ..self.packet(id, table, &[], &[], (1, 1))
        }
    }

    /// An upload of operations without lines.
    pub(super) fn empty_operlog(&self) -> Batch {
        Batch {
            ack: Ack::Success,
            ..self.table("OPERLOG", &[])
        }
    }

    pub(super) fn sending(&mut self, batch: &Batch) {
        self.counts.uploads += 1;
        for index in &batch.entries {
            self.entries[*index].sent += 1;
        }
        for paper in &mut self.papers {
            if batch.papers.contains(&paper.id) {
                paper.sent += 1;
            }
        }
    }

    /// The server has said that it has the batch.
    pub(super) fn acknowledge(&mut self, batch: &Batch) {
        self.counts.lines_acknowledged += batch.lines as u64;
        for index in &batch.entries {
            let entry = &mut self.entries[*index];
            self.acknowledged += usize::from(!entry.acknowledged);
            entry.acknowledged = true;
            if batch.settles {
                self.waiting.remove(index);
            }
        }
        self.papers
            .retain(|paper| !batch.papers.contains(&paper.id));
    }
}

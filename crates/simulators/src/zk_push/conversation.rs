//! What a terminal does all day: connect, upload, poll, carry out, report, and begin again after a failure.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::SignedDuration;
use jiff::civil::DateTime;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use super::clock;
use super::commands;
use super::device::{About, Ack, Batch, Device};
use super::event::Event;
use super::fault::Fault;
use super::http::{Answer, Request};
use super::lines;
use super::network::{Manner, Network, NoAnswer};
use super::options::Options;
use super::profile::Profile;
use super::server::Server;

/// Until the server says otherwise.
const DELAY: Duration = Duration::from_secs(10);
const ERROR_DELAY: Duration = Duration::from_secs(30);
/// After a refused connection: the server is restarting.
const REFUSED_DELAY: Duration = Duration::from_secs(1);

/// What the terminal's task and the people around it share.
pub(super) struct Shared {
    device: Mutex<Device>,
    pub server: Mutex<Server>,
    /// Something happened that others may wait for.
    pub changed: Notify,
    /// The terminal has something to do.
    pub wake: Notify,
    /// What is under way is cut off.
    pub cut: Notify,
}

impl Shared {
    pub(super) fn new(device: Device, server: Server) -> Arc<Self> {
        Arc::new(Self {
            device: Mutex::new(device),
            server: Mutex::new(server),
            changed: Notify::new(),
            wake: Notify::new(),
            cut: Notify::new(),
        })
    }

    pub(super) fn device(&self) -> MutexGuard<'_, Device> {
        self.device.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn server(&self) -> Server {
        let server = self.server.lock();
        server.unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Why something did not work out.
pub(super) enum Failed {
    /// There was no answer.
    Network(NoAnswer),
    /// There was one, and it was not what firmware wants.
    Answer,
}

/// What a terminal knows of the server since it connected.
#[derive(Default)]
pub(super) struct Session {
    pub options: Options,
    /// It got no settings, and uploads nothing.
    polls_only: bool,
    /// Everything that waits is to be uploaded now, also without real-time upload.
    pub flushes: bool,
    /// The settings are to be fetched again.
    pub checks: bool,
    tells_info: bool,
    users_told: u64,
    poll_at: Option<Instant>,
    upload_at: Option<Instant>,
    flush_at: Option<Instant>,
    time_at: Option<Instant>,
    looked_at: Option<DateTime>,
}

pub(super) struct Conversation {
    pub shared: Arc<Shared>,
    network: Network,
    /// The cookie of an access-control terminal.
    pub token: Option<String>,
    pub results: Vec<commands::Report>,
}

impl Conversation {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self {
            shared,
            network: Network::default(),
            token: None,
            results: Vec::new(),
        }
    }

    pub(super) fn device(&self) -> MutexGuard<'_, Device> {
        self.shared.device()
    }

    pub(super) async fn run(mut self) {
        let mut kept: Option<Session> = None;
        loop {
            self.wait_until_online().await;
            if self.restart_if_wanted().await {
                kept = None;
            }
            let connected = match kept.take() {
                Some(session) => Ok(session),
                None => self.connect().await,
            };
            match connected {
                Ok(session) => kept = self.serve(session).await,
                Err(failed) => {
                    let pause = self.error_delay(&Options::default(), &failed);
                    self.rest_until(Instant::now() + pause).await;
                }
            }
        }
    }

    /// Fetches the settings; an access-control terminal registers.
    async fn connect(&mut self) -> Result<Session, Failed> {
        let profile = self.device().profile();
        let mut session = match profile {
            Profile::Acc => self.register().await?,
            _ => self.fetch_settings(false).await?,
        };
        session.tells_info = true;
        if session.polls_only {
            self.tell(Event::PollsOnly);
            return Ok(session);
        }
        let options = session.options.len();
        self.tell(Event::Connected { options });
        self.greet(&mut session).await?;
        Ok(session)
    }

    /// What comes once after the settings.
    async fn greet(&mut self, session: &mut Session) -> Result<(), Failed> {
        let (profile, unknown_table, exchanges_keys) = {
            let device = self.device();
            let unknown = device.faults.iter().find_map(|fault| match fault {
                Fault::UnknownTable(table) => Some(table.clone()),
                _ => None,
            });
            (device.profile(), unknown, device.has(&Fault::KeyExchange))
        };
        if let Some(table) = unknown_table {
            let mut device = self.device();
            device.queue(&table, b"no\tserver\tknows\tthis".to_vec(), About::Anything);
        }
        if exchanges_keys {
            let exchange = self.post("exchange", &[("type", "publickey")], Vec::new(), "exchange");
            // Whatever it says, the terminal goes on in clear.
            self.ask_in_passing("key exchange", exchange).await?;
        }
        match profile {
            Profile::Acc => {
                let asks = {
                    let mut device = self.device();
                    let line = lines::door_state(device.now());
                    device.queue("rtstate", line, About::Anything);
                    device.config.follows_server_clock
                };
                if asks {
                    self.ask_access_time().await?;
                }
            }
            Profile::B => session.time_at = Some(Instant::now()),
            _ if profile.is_modern() && session.options.is_on("PushOptionsFlag") => {
                let wanted = session.options.get("PushOptions").map(str::to_owned);
                let body = commands::parameters(&self.device(), wanted.as_deref());
                let request = self.post("cdata", &[("table", "options")], body, "options");
                let what = "upload of its parameters";
                self.ask_in_passing(what, request).await?;
            }
            _ => {}
        }
        Ok(())
    }

    /// The first request of the attendance family, at start or because of a CHECK.
    async fn fetch_settings(&mut self, asked_to_check: bool) -> Result<Session, Failed> {
        let request = {
            let device = self.device();
            let profile = device.profile();
            let mut query = vec![("options", "all")];
            if let Some(version) = profile.push_version() {
                query.push(("pushver", version));
                query.push(("language", device.config.language.as_str()));
            }
            let key = device.config.comm_key.as_deref();
            if let Some(key) = key.filter(|_| profile != Profile::B) {
                query.push(("pushcommkey", key));
            }
            if profile.is_modern() {
                query.extend([("DeviceType", "att"), ("PushOptionsFlag", "1")]);
            }
            self.request(&device, "GET", "cdata", &query)
        };
        self.device().counts.handshakes += 1;
        let answer = self.ask("connecting", request).await?;
        let mut session = Session::default();
        if !Options::are_in(&answer.body) {
            session.polls_only = true;
            return Ok(session);
        }
        session.options = Options::parse(&answer.body);
        self.follow_date(&session.options, &answer);
        let mut device = self.device();
        device.resume_from(session.options.log_stamp(), asked_to_check);
        drop(device);
        Ok(session)
    }

    /// Works until it has to connect again. A session comes back when it outlives an outage.
    async fn serve(&mut self, mut session: Session) -> Option<Session> {
        loop {
            if self.restart_if_wanted().await {
                return None;
            }
            if !self.device().online {
                return self.outlives_outage(&session).then_some(session);
            }
            match self.work(&mut session).await {
                Ok(()) => {}
                Err(failed) => {
                    let pause = self.error_delay(&session.options, &failed);
                    let again = Instant::now() + pause;
                    if let Failed::Network(_) = failed {
                        self.network.hang_up();
                        self.device().nothing_is_live();
                        self.rest_until(again).await;
                        if !self.outlives_outage(&session) && !self.device().wants_restart {
                            return None;
                        }
                    } else {
                        // Only what has just been tried waits longer.
                        let tried = |at: Instant| if at <= Instant::now() { again } else { at };
                        session.upload_at = session.upload_at.map(tried);
                        session.poll_at = session.poll_at.map(tried);
                    }
                }
            }
        }
    }

    fn outlives_outage(&self, session: &Session) -> bool {
        session.polls_only || self.device().profile().connects_at_boot_alone()
    }

    /// The next thing there is to do, or a rest until there is one.
    async fn work(&mut self, session: &mut Session) -> Result<(), Failed> {
        let now = Instant::now();
        let is_due = |at: Option<Instant>| at.is_none_or(|at| at <= now);
        if session.checks {
            session.checks = false;
            let fresh = self.fetch_settings(true).await?;
            session.options = fresh.options;
            session.flushes = true;
        }
        if !session.polls_only && is_due(session.upload_at) {
            self.look_at_times(session, now);
            let due = session.flushes || session.options.realtime();
            let batch = self.device().next_batch(&session.options);
            match batch {
                Some(batch) if due => {
                    session.upload_at = Some(now);
                    self.upload(&batch, 0).await?;
                    session.upload_at = None;
                    return Ok(());
                }
                Some(_) => {}
                None => session.flushes = false,
            }
        }
        if session.time_at.is_some_and(|at| at <= now) {
            return self.ask_time(session).await;
        }
        if is_due(session.poll_at) {
            session.poll_at = Some(now);
            self.poll(session).await?;
            session.poll_at = Some(Instant::now() + self.delay(&session.options));
            return Ok(());
        }
        let next = [
            session.poll_at,
            session.upload_at.filter(|at| *at > now),
            session.flush_at,
            session.time_at,
        ];
        let next = next.into_iter().flatten().min();
        tokio::select! {
            () = sleep_until(next.unwrap_or(now + DELAY)) => {}
            () = self.shared.wake.notified() => {}
        }
        Ok(())
    }

    /// Without real-time upload, everything that waits goes at intervals and at times of day.
    fn look_at_times(&self, session: &mut Session, now: Instant) {
        let shown = self.device().now();
        let before = session.looked_at.replace(shown).unwrap_or(shown);
        let minute = |time: DateTime| i64::from(time.hour()) * 60 + i64::from(time.minute());
        let (from, to) = (minute(before), minute(shown));
        let passed = |at: &i64| match before.date() == shown.date() {
            true => from < *at && *at <= to,
            false => from < *at || *at <= to,
        };
        if session.options.times().iter().any(passed) {
            session.flushes = true;
        }
        if let Some(interval) = session.options.interval() {
            let interval = self.scaled(interval);
            match session.flush_at {
                Some(at) if at > now => {}
                at => {
                    session.flushes |= at.is_some();
                    session.flush_at = Some(now + interval);
                }
            }
        }
    }

    /// Uploads one batch, for the `attempt`th time besides what the batch itself has behind it.
    pub(super) async fn upload(&mut self, batch: &Batch, attempt: u32) -> Result<(), Failed> {
        let what = format!("upload of {} {} lines", batch.lines, batch.table);
        let query: Vec<(&str, &str)> = (batch.query.iter())
            .map(|(key, value)| (*key, value.as_str()))
            .collect();
        let request = self.post(batch.path, &query, batch.body.clone(), &batch.table);
        let (times, twin) = {
            let mut device = self.device();
            device.sending(batch);
            let times = device.faults.iter().find_map(|fault| match fault {
                Fault::Repeat(times) => Some(*times),
                _ => None,
            });
            (times.unwrap_or(0), device.has(&Fault::Twin))
        };
        let is_new = batch.is_new && attempt == 0;
        let answer = match twin {
            true => self.exchange_twice(&request).await,
            false => self.exchange(&request, is_new).await,
        };
        let answer = self.accept(&what, answer)?;
        if !is_acknowledged(&batch.ack, batch.lines, &answer) {
            self.device().counts.bad_acks += 1;
            self.fail(
                &what,
                format!("the answer {:?} does not count them", answer.text()),
            );
            return Err(Failed::Answer);
        }
        for _ in 0..times {
            self.device().counts.uploads += 1;
            self.exchange(&request, false)
                .await
                .map_err(Failed::Network)?;
        }
        self.device().acknowledge(batch);
        if batch.lines > 0 {
            let (table, lines) = (batch.table.clone(), batch.lines);
            self.tell(Event::Acknowledged { table, lines });
        }
        self.shared.changed.notify_waiters();
        Ok(())
    }

    /// Polls, carries out what it is told, and reports.
    async fn poll(&mut self, session: &mut Session) -> Result<(), Failed> {
        if !self.results.is_empty() {
            self.report().await?;
        }
        let request = {
            let device = self.device();
            let changed = session.users_told != device.user_changes;
            let info = (session.tells_info || changed) && device.profile() != Profile::Acc;
            session.users_told = device.user_changes;
            let info = info.then(|| commands::info_fields(&device));
            let query: Vec<(&str, &str)> = match &info {
                Some(info) => vec![("INFO", info.as_str())],
                None => Vec::new(),
            };
            self.request(&device, "GET", "getrequest", &query)
        };
        let answer = self.ask("poll", request).await?;
        session.tells_info = false;
        self.device().counts.polls += 1;
        self.follow_date(&session.options, &answer);
        self.shared.changed.notify_waiters();
        if self.device().has(&Fault::EmptyOperlog) {
            let batch = self.device().empty_operlog();
            self.upload(&batch, 0).await?;
        }
        self.carry_out(&answer.body, session).await;
        if !self.results.is_empty() {
            self.report().await?;
        }
        Ok(())
    }

    /// Reports what waits to be reported. Nothing is forgotten when it fails.
    async fn report(&mut self) -> Result<(), Failed> {
        if self.device().has(&Fault::NoResults) {
            self.results.clear();
            return Ok(());
        }
        for (body, count) in commands::bodies(&self.results) {
            let request = self.post("devicecmd", &[], body, "devicecmd");
            self.ask("report of results", request).await?;
            let reported: Vec<_> = self.results.drain(..count).collect();
            let mut device = self.device();
            device.counts.reports += 1;
            for report in reported {
                if let Some(executed) = device.executed.get_mut(report.index) {
                    executed.reported = true;
                }
            }
        }
        self.shared.changed.notify_waiters();
        Ok(())
    }

    /// The time as the branch of manual 3.2.0 asks for it.
    async fn ask_time(&mut self, session: &mut Session) -> Result<(), Failed> {
        let request = {
            let device = self.device();
            self.request(&device, "GET", "cdata", &[("type", "time")])
        };
        session.time_at = Some(Instant::now() + self.delay(&session.options));
        let answer = self.ask("asking for the time", request).await?;
        let period = session.options.seconds("SyncTime");
        session.time_at = (period.filter(|period| !period.is_zero()))
            .map(|period| Instant::now() + self.scaled(period));
        let text = answer.text();
        let time = text.strip_prefix("Time=").and_then(|time| time.get(..19));
        if let Some(time) = time.and_then(clock::parse) {
            self.set_clock(time);
        }
        Ok(())
    }

    /// Firmware sets its clock from the header `Date` and the zone it was told.
    fn follow_date(&self, options: &Options, answer: &Answer) {
        let Some(zone) = options.zone() else { return };
        let date = (answer.date.as_deref())
            .and_then(|date| jiff::fmt::rfc2822::parse(date).ok())
            .map(|date| date.with_time_zone(jiff::tz::TimeZone::UTC).datetime());
        if let Some(date) = date {
            self.set_clock(date.saturating_add(zone));
        }
    }

    /// Sets the clock when the terminal follows the server's and is off by two seconds or more.
    pub(super) fn set_clock(&self, shows: DateTime) {
        let mut device = self.device();
        let off = shows.duration_since(device.now()).abs();
        if !device.config.follows_server_clock || off < SignedDuration::from_secs(2) {
            return;
        }
        device.set_clock(shows);
        drop(device);
        self.tell(Event::ClockSet(shows));
        self.shared.changed.notify_waiters();
    }

    // Requests.

    /// A request of this terminal, without body.
    pub(super) fn request(
        &self,
        device: &Device,
        method: &'static str,
        path: &str,
        query: &[(&str, &str)],
    ) -> Request {
        let profile = device.profile();
        let server = self.shared.server();
        let mut target = format!(
            "{}/iclock/{path}{}?{}={}",
            server.prefix,
            profile.suffix(),
            profile.key("SN"),
            device.serial()
        );
        let key = device.config.comm_key.as_deref();
        let key = key.filter(|_| profile == Profile::B);
        for (name, value) in query.iter().copied().chain(key.map(|key| ("ComKey", key))) {
            let value = match profile.leaves_blanks_raw() {
                true => value.to_owned(),
                false => value.replace(' ', "%20"),
            };
            target += &format!("&{}={value}", profile.key(name));
        }
        let connection = match (profile, device.config.keeps_alive) {
            (Profile::Acc, _) => "starting",
            (_, true) => "keep-alive",
            (_, false) => "close",
        };
        Request {
            method,
            target,
            headers: vec![
                ("Host", server.authority),
                ("User-Agent", "iClock Proxy/1.09".to_owned()),
                ("Connection", connection.to_owned()),
                ("Accept", "*/*".to_owned()),
            ],
            body: None,
        }
    }

    /// A request with a body, whose type depends on what `table` it is of.
    pub(super) fn post(
        &self,
        path: &str,
        query: &[(&str, &str)],
        body: Vec<u8>,
        table: &str,
    ) -> Request {
        let device = self.device();
        let kind = device.profile().content_type(table);
        let request = self.request(&device, "POST", path, query);
        let mut request = request.header("Content-Type", kind);
        request.body = Some(body);
        request
    }

    /// Asks, and takes any success for an answer.
    pub(super) async fn ask(&mut self, what: &str, request: Request) -> Result<Answer, Failed> {
        let answer = self.exchange(&request, false).await;
        self.accept(what, answer)
    }

    /// Asks for something without which it goes on, unless the server is away.
    async fn ask_in_passing(&mut self, what: &str, request: Request) -> Result<(), Failed> {
        match self.ask(what, request).await {
            Err(Failed::Network(error)) => Err(Failed::Network(error)),
            Ok(_) | Err(Failed::Answer) => Ok(()),
        }
    }

    fn accept(&self, what: &str, answer: Result<Answer, NoAnswer>) -> Result<Answer, Failed> {
        match answer {
            Ok(answer) if answer.is_success() => Ok(answer),
            Ok(answer) => {
                self.device().counts.refused += 1;
                self.fail(what, answer.summary());
                Err(Failed::Answer)
            }
            Err(error) => {
                self.device().counts.unanswered += 1;
                self.fail(what, error.to_string());
                Err(Failed::Network(error))
            }
        }
    }

    async fn exchange(&mut self, request: &Request, may_break: bool) -> Result<Answer, NoAnswer> {
        let request = self.with_cookie(request);
        let manner = self.manner(may_break);
        let (shared, server) = (self.shared.clone(), self.shared.server());
        // Made before looking, so that no cut is missed.
        let cut = shared.cut.notified();
        if !shared.device().online {
            return Err(NoAnswer::Cut);
        }
        shared.device().counts.requests += 1;
        shared.changed.notify_waiters();
        tokio::select! {
            answer = self.network.exchange(&server.authority, &request, &manner) => answer,
            () = cut => Err(NoAnswer::Cut),
        }
    }

    /// The same request on two connections at once; the answer is the worse of the two.
    async fn exchange_twice(&mut self, request: &Request) -> Result<Answer, NoAnswer> {
        let request = self.with_cookie(request);
        let (manner, server) = (self.manner(false), self.shared.server());
        {
            let mut device = self.device();
            device.counts.uploads += 1;
            device.counts.requests += 2;
        }
        let mut second = Network::default();
        let (first, second) = tokio::join!(
            self.network.exchange(&server.authority, &request, &manner),
            second.exchange(&server.authority, &request, &manner),
        );
        let (first, second) = (first?, second?);
        Ok(match second.is_success() {
            true => first,
            false => second,
        })
    }

    fn with_cookie(&self, request: &Request) -> Request {
        let mut request = request.clone();
        if let Some(token) = &self.token {
            request = request.header("Cookie", format!("token={token}"));
        }
        request
    }

    fn manner(&self, may_break: bool) -> Manner {
        let device = self.device();
        Manner {
            faults: device.faults.clone(),
            may_break,
            time_out: device.config.time_out,
            keeps_alive: device.config.keeps_alive,
        }
    }

    // Waiting.

    /// An interval the server sets, as short as this terminal's time is.
    fn scaled(&self, interval: Duration) -> Duration {
        interval / self.device().config.time_scale
    }

    fn delay(&self, options: &Options) -> Duration {
        let set = self.device().config.delay;
        let asked = options
            .seconds("Delay")
            .or_else(|| options.seconds("RequestDelay"));
        set.unwrap_or_else(|| self.scaled(asked.unwrap_or(DELAY)))
    }

    pub(super) fn error_delay(&self, options: &Options, failed: &Failed) -> Duration {
        let set = self.device().config.error_delay;
        let asked = options.seconds("ErrorDelay").unwrap_or(ERROR_DELAY);
        let delay = set.unwrap_or_else(|| self.scaled(asked));
        match failed {
            Failed::Network(NoAnswer::Refused) => delay.min(REFUSED_DELAY),
            _ => delay,
        }
    }

    async fn wait_until_online(&mut self) {
        while !self.device().online {
            self.network.hang_up();
            self.device().nothing_is_live();
            self.shared.wake.notified().await;
        }
    }

    /// Rests, unless the terminal is restarted or switched on meanwhile.
    pub(super) async fn rest_until(&self, until: Instant) {
        let was_online = self.device().online;
        loop {
            tokio::select! {
                () = sleep_until(until) => return,
                () = self.shared.wake.notified() => {}
            }
            let device = self.device();
            if device.wants_restart || device.online != was_online {
                return;
            }
        }
    }

    /// Whether it has restarted, and so has to connect again.
    async fn restart_if_wanted(&mut self) -> bool {
        if !std::mem::take(&mut self.device().wants_restart) {
            return false;
        }
        self.tell(Event::Restarts);
        self.network.hang_up();
        self.token = None;
        let away = {
            let mut device = self.device();
            device.nothing_is_live();
            if device.has(&Fault::ClockReset) {
                device.reset_clock();
            }
            device.config.restart_time
        };
        if !away.is_zero() {
            tokio::time::sleep(away).await;
        }
        true
    }

    fn fail(&self, what: &str, why: String) {
        let what = what.to_owned();
        self.tell(Event::Failed { what, why });
        self.shared.changed.notify_waiters();
    }

    pub(super) fn tell(&self, event: Event) {
        let (observer, serial) = {
            let device = self.device();
            (device.config.observer.clone(), device.serial().to_owned())
        };
        if let Some(observer) = observer {
            observer(&serial, &event);
        }
    }
}

fn is_acknowledged(ack: &Ack, lines: usize, answer: &Answer) -> bool {
    let text = answer.text();
    let number = |start: &str| text.strip_prefix(start)?.trim_start().parse::<usize>().ok();
    match ack {
        Ack::Success => true,
        Ack::Counted => number("OK:") == Some(lines),
        Ack::Named(table) => number(&format!("{table}=")).is_some(),
    }
}

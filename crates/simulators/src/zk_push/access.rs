//! What access-control terminals do otherwise: registration, their time, and their commands.

use super::clock::unpack_clock;
use super::commands::{Command, Fields, Outcome, first_words, parameter, registration};
use super::conversation::{Conversation, Failed, Session};
use super::event::Event;
use super::options::Options;

/// Return codes of this family.
mod code {
    pub(super) const PARAMETER: i64 = -1;
    pub(super) const NO_SUCH_COMMAND: i64 = -13;
    pub(super) const NO_SUCH_TABLE: i64 = -629;
    pub(super) const SERVER_FAILED: i64 = -726;
}

impl Conversation {
    /// Says hello, registers, and fetches the configuration.
    pub(super) async fn register(&mut self) -> Result<Session, Failed> {
        let query = [
            ("options", "all"),
            ("pushver", "3.1.2"),
            ("DeviceType", "acc"),
        ];
        self.token = None;
        let hello = self.request(&self.device(), "GET", "cdata", &query);
        let hello = hello.header("Accept-Charset", "UTF-8");
        self.device().counts.handshakes += 1;
        let answer = self.ask("connecting", hello).await?;
        let mut session = Session::default();
        let known = Options::parse(&answer.body);
        if known.get("registry") == Some("ok") {
            let code = known.get("RegistryCode").unwrap_or_default().to_owned();
            self.token = Some(self.token_of(&code, &known));
            session.options = known;
            return Ok(session);
        }
        let body = registration(&self.device());
        let request = self.post("registry", &[], body, "registry");
        self.device().counts.registrations += 1;
        let answer = self.ask("registration", request).await?;
        let code = Options::parse(&answer.body);
        let Some(code) = code.get("RegistryCode").map(str::to_owned) else {
            let (what, why) = ("registration".to_owned(), answer.summary());
            self.tell(Event::Failed { what, why });
            return Err(Failed::Answer);
        };
        self.token = Some(self.token_of(&code, &session.options));
        self.tell(Event::Registered { code: code.clone() });
        let request = self.post("push", &[], Vec::new(), "push");
        let answer = self.ask("fetching the configuration", request).await?;
        session.options = Options::parse(&answer.body);
        self.token = Some(self.token_of(&code, &session.options));
        Ok(session)
    }

    /// The MD5 of code, serial number and session id in the order in which the manual names them.
    fn token_of(&self, code: &str, options: &Options) -> String {
        use md5::{Digest, Md5};
        let device = self.device();
        if let Some(token) = &device.config.token {
            return token.clone();
        }
        let session = options.get("SessionID").unwrap_or_default();
        let digest = Md5::digest(format!("{code}{}{session}", device.serial()));
        digest.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Asks for UTC and the server's zone.
    pub(super) async fn ask_access_time(&mut self) -> Result<(), Failed> {
        let request = self.request(&self.device(), "GET", "rtdata", &[("type", "time")]);
        let answer = self.ask("asking for the time", request).await?;
        let text = answer.text();
        let fields = Fields::of(text.as_bytes(), b',');
        let utc = fields.number("datetime").and_then(unpack_clock);
        let zone = fields.text("servertz").and_then(|zone| {
            let (hours, minutes) = zone.split_at_checked(3)?;
            super::clock::parse_zone(&format!("{hours}:{minutes}"))
        });
        if let (Some(utc), Some(zone)) = (utc, zone) {
            self.set_clock(utc.saturating_add(zone));
        }
        Ok(())
    }

    pub(super) async fn carry_out_access(
        &mut self,
        command: &Command,
        session: &mut Session,
    ) -> Outcome {
        let echo = first_words(&command.text(), true);
        if let Some(text) = command.after("CONTROL DEVICE") {
            return self.control(&String::from_utf8_lossy(text), &echo);
        }
        let code = if let Some(fields) = command.after("DATA UPDATE user") {
            let mut device = self.device();
            match Fields::of(fields, b'\t').user(&device.users) {
                Some(user) => {
                    device.put_user(user);
                    0
                }
                None => code::PARAMETER,
            }
        } else if let Some(fields) = command.after("DATA UPDATE userauthorize") {
            match Fields::of(fields, b'\t').text("pin") {
                Some(pin) => {
                    self.device().authorized.insert(pin);
                    0
                }
                None => code::PARAMETER,
            }
        } else if let Some(fields) = command.after("DATA DELETE user") {
            match Fields::of(fields, b'\t').text("pin") {
                Some(pin) => {
                    let mut device = self.device();
                    device.authorized.remove(&pin);
                    i64::from(device.remove_user(&pin))
                }
                None => code::PARAMETER,
            }
        } else if let Some(table) = command.after("DATA COUNT") {
            let table = String::from_utf8_lossy(table).into_owned();
            self.count(&command.id, table.trim(), session).await
        } else if let Some(fields) = command.after("DATA QUERY") {
            let fields = Fields::of(fields, b',');
            let table = fields.text("tablename").unwrap_or_default();
            let only_new = fields.text("filter").as_deref() == Some("NewRecord");
            self.query(&command.id, &table, only_new, session).await
        } else if let Some(pairs) = command.after("SET OPTIONS") {
            self.set_options(&String::from_utf8_lossy(pairs))
        } else if let Some(names) = command.after("GET OPTIONS") {
            let names = String::from_utf8_lossy(names).into_owned();
            self.tell_options(&command.id, &names, session).await
        } else {
            code::NO_SUCH_COMMAND
        };
        Outcome::new(&echo, code)
    }

    /// `AABBCCDD`: 01 opens a door, 03 restarts.
    fn control(&mut self, text: &str, echo: &str) -> Outcome {
        let restarts = text.starts_with("03");
        let code = match text.len() >= 8 && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            true if restarts => 0,
            true if text.starts_with("01") => {
                self.device().unlocks += 1;
                0
            }
            _ => code::PARAMETER,
        };
        Outcome {
            restarts: restarts && code == 0,
            ..Outcome::new(echo, code)
        }
    }

    async fn count(&mut self, id: &str, table: &str, session: &Session) -> i64 {
        let count = {
            let device = self.device();
            match table {
                "user" => device.users.len(),
                "transaction" => device.logged().len(),
                _ => return code::NO_SUCH_TABLE,
            }
        };
        let answer = self
            .device()
            .answer(id, "count", table, format!("{table}={count}"));
        match self
            .deliver(vec![answer], session, code::SERVER_FAILED)
            .await
        {
            0 => count as i64,
            failed => failed,
        }
    }

    async fn query(&mut self, id: &str, table: &str, only_new: bool, session: &Session) -> i64 {
        if !matches!(table, "user" | "transaction") {
            return code::NO_SUCH_TABLE;
        }
        let (packets, total) = self.device().query_table(id, table, only_new);
        match self.deliver(packets, session, code::SERVER_FAILED).await {
            0 => total as i64,
            failed => failed,
        }
    }

    /// `DateTime` is the server's local time, packed.
    fn set_options(&mut self, pairs: &str) -> i64 {
        for (key, value) in pairs.split(',').filter_map(|pair| pair.split_once('=')) {
            let key = key.trim().trim_start_matches('~');
            let mut device = self.device();
            match key {
                "DateTime" => match value.trim().parse().ok().and_then(unpack_clock) {
                    Some(shows) => {
                        device.set_clock(shows);
                        drop(device);
                        self.tell(Event::ClockSet(shows));
                    }
                    None => return code::PARAMETER,
                },
                key => {
                    device.options.insert(key.to_owned(), value.to_owned());
                }
            }
        }
        0
    }

    async fn tell_options(&mut self, id: &str, names: &str, session: &Session) -> i64 {
        let answer = {
            let device = self.device();
            let known = names.split(',').filter_map(|name| {
                let name = name.trim();
                let value = parameter(&device, name.trim_start_matches('~'))?;
                Some(format!("{name}={value}"))
            });
            let text = known.collect::<Vec<_>>().join(",");
            device.answer(id, "options", "options", text)
        };
        self.deliver(vec![answer], session, code::SERVER_FAILED)
            .await
    }
}

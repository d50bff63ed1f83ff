//! ZKTeco push: what each request of a terminal does, and what it is told. Bytes are `zk_proto::push`'s, what is kept is `ingest`'s.

mod commands;
mod dialect;
mod uploads;

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use axum::http::{StatusCode, header};
use ingest::{Caller, Callers, Clock, DeviceKind, Event, Stranger, Who};
use jiff::tz::TimeZone;
use store::StoreError;
use store::calls::Told;
use zk_proto::push::hello::{Family, Hello};
use zk_proto::push::options::{Info, OptionBlock, Parameters, SecurityBlock, Stamps, Topic};
use zk_proto::push::request::{Asks, Endpoint, Query, Route, SerialNumber, Upload};
use zk_proto::push::security::{self, RegistryCode};
use zk_proto::push::{OK, time};

use super::{
    Decision, Method, OTHER_LIMIT, PHOTO_LIMIT, PUNCHES_LIMIT, PushAnswer, PushHead, PushProtocol,
    PushRequest,
};
use dialect::Spoken;

pub(super) use uploads::retry_parked;

/// A terminal that is held, or whose upload could not be stored, comes again after so long.
const COME_AGAIN_SECS: u32 = 60;
/// Of a registration only so much is looked at.
const KEY_LENGTH: usize = 64;

/// What the operator decides about terminals that call.
#[derive(Clone, Default)]
pub struct ZkPushOptions {
    /// What has to stand in front of `/iclock`; without one anything may.
    pub path_secret: Option<String>,
    /// Templates of fingers, faces and palms are taken.
    pub keep_templates: bool,
    /// Photos are taken.
    pub keep_photos: bool,
}

impl fmt::Debug for ZkPushOptions {
    /// Without the secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ZkPushOptions")
            .field("keep_templates", &self.keep_templates)
            .field("keep_photos", &self.keep_photos)
            .finish_non_exhaustive()
    }
}

/// Answers ZKTeco terminals that call.
#[derive(Clone, Debug)]
pub struct ZkPush {
    callers: Callers,
    clock: Clock,
    options: Arc<ZkPushOptions>,
}

impl ZkPush {
    pub fn new(callers: Callers, clock: Clock, options: ZkPushOptions) -> Self {
        Self {
            callers,
            clock,
            options: Arc::new(options),
        }
    }
}

/// A request as far as it is understood before its body is.
struct Call<'a> {
    head: &'a PushHead,
    endpoint: Endpoint<'a>,
    query: Query<'a>,
    caller: Arc<Caller>,
    serial: SerialNumber,
    spoken: Spoken,
    family: Family,
}

impl PushProtocol for ZkPush {
    async fn decide(&self, head: &PushHead) -> Decision {
        match self.admit(head).await {
            Err(answer) => Decision::Refuse(answer),
            Ok(call) => Decision::Read {
                limit: call.as_ref().map_or(OTHER_LIMIT, limit),
            },
        }
    }

    async fn answer(&self, request: PushRequest) -> PushAnswer {
        let call = match self.admit(&request.head).await {
            Err(answer) => return answer,
            Ok(None) => return PushAnswer::ok(OK),
            Ok(Some(call)) => call,
        };
        match self.reply(&call, &request.body).await {
            Ok(answer) => answer,
            Err(error) => {
                tracing::error!(
                    device.id = call.caller.device.0,
                    error = &error as &dyn std::error::Error,
                    "what device {} says could not be kept; it says it again",
                    call.caller.name
                );
                not_kept()
            }
        }
    }
}

/// How long a body may be.
fn limit(call: &Call<'_>) -> usize {
    match (call.endpoint, Upload::of(&call.query)) {
        (Endpoint::FileData, _) | (Endpoint::Cdata, Upload::AttPhoto) => PHOTO_LIMIT,
        (
            Endpoint::Cdata,
            Upload::AttLog
            | Upload::OperLog
            | Upload::Rows(_)
            | Upload::RtLog
            | Upload::Transactions
            | Upload::Nothing,
        )
        | (Endpoint::QueryData, _) => PUNCHES_LIMIT,
        _ => OTHER_LIMIT,
    }
}

impl ZkPush {
    /// Who calls, if they may; `None` for somebody who only tries the connection.
    async fn admit<'a>(&self, head: &'a PushHead) -> Result<Option<Call<'a>>, PushAnswer> {
        let route = Route::of(&head.path);
        let route = route.filter(|route| self.knows_the_secret(route.prefix));
        let Some(Route { endpoint, .. }) = route else {
            return Err(text(StatusCode::NOT_FOUND, "ERROR: no such place"));
        };
        match endpoint {
            Endpoint::Test => return Ok(None),
            // Another product, or firmware that others serve.
            Endpoint::File => return Err(text(StatusCode::NOT_FOUND, "ERROR: no such file")),
            _ => {}
        }
        let query = Query::parse(&head.query);
        let Some(serial) = query.serial() else {
            let what = "ERROR: the serial number SN is missing or is none";
            return Err(text(StatusCode::BAD_REQUEST, what));
        };
        let hello = Hello::of(&query);
        let agent = head.headers.get(header::USER_AGENT);
        let stranger = Stranger {
            serial_number: serial.as_str(),
            kind: DeviceKind::Zk.as_str(),
            model: hello.device_type.as_deref().unwrap_or_default(),
            address: head.peer.ip(),
            agent: agent
                .and_then(|agent| agent.to_str().ok())
                .unwrap_or_default(),
        };
        let caller = match self.callers.who(&stranger).await {
            Ok(Who::Known(caller)) => caller,
            Ok(Who::Held) => {
                let answer = "ERROR: device not approved\n";
                return Err(PushAnswer::later(COME_AGAIN_SECS, answer));
            }
            Ok(Who::Refused) => {
                return Err(text(StatusCode::FORBIDDEN, "ERROR: device refused"));
            }
            Err(error) => {
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "nobody knows who calls; it calls again"
                );
                return Err(not_kept());
            }
        };
        let spoken = Spoken::parse(&caller.dialect());
        let family = Family::evident(&query).unwrap_or(spoken.family);
        let call = Call {
            head,
            endpoint,
            query,
            serial,
            spoken,
            family,
            caller,
        };
        self.check_key(&call, &hello).await?;
        Ok(Some(call))
    }

    fn knows_the_secret(&self, prefix: &str) -> bool {
        match &self.options.path_secret {
            None => true,
            Some(secret) => {
                let typed = prefix.rsplit('/').next().unwrap_or_default();
                same_secret(typed, secret)
            }
        }
    }

    /// A terminal that has ever said its key has to say it from then on; one that cannot is known by its serial number alone.
    async fn check_key(&self, call: &Call<'_>, hello: &Hello) -> Result<(), PushAnswer> {
        let Some(key) = &call.caller.comm_key else {
            return Ok(());
        };
        let is_right = match hello.key() {
            Some(said) => same_secret(said, key.expose().trim()),
            None => !(call.spoken.says_key && (call.greets() || call.family == Family::Manual)),
        };
        if is_right {
            return Ok(());
        }
        let event = Event {
            kind: "wrong_key",
            detail: call.head.peer.ip().to_string(),
        };
        self.note(call, &event).await;
        Err(text(StatusCode::FORBIDDEN, "ERROR: wrong key"))
    }

    async fn note(&self, call: &Call<'_>, event: &Event) {
        if let Err(error) = self.callers.note(&call.caller, event).await {
            tracing::warn!(
                device.id = call.caller.device.0,
                error = &error as &dyn std::error::Error,
                "a notice could not be kept"
            );
        }
    }

    async fn reply(&self, call: &Call<'_>, body: &[u8]) -> Result<PushAnswer, StoreError> {
        let caller = &call.caller;
        let is_post = call.head.method == Method::Post;
        match call.endpoint {
            Endpoint::GetRequest => return self.poll(call).await,
            Endpoint::Cdata if !is_post => return self.asked(call).await,
            _ => {}
        }
        self.callers.called(caller, false);
        match call.endpoint {
            Endpoint::Cdata => self.uploaded(call, body, false).await,
            Endpoint::QueryData => self.uploaded(call, body, true).await,
            Endpoint::DeviceCmd => self.reported(call, body).await,
            Endpoint::Registry => self.registered(call, body).await,
            Endpoint::Push => Ok(PushAnswer::ok(self.security_block(call))),
            Endpoint::RtData => Ok(PushAnswer::ok(self.time(call))),
            Endpoint::Exchange => self.keys_wanted(call).await,
            Endpoint::Consumption => {
                let detail = call.head.path.chars().take(100).collect();
                let kind = "other_product";
                self.callers.note(caller, &Event { kind, detail }).await?;
                Ok(text(StatusCode::NOT_FOUND, "ERROR: not served"))
            }
            Endpoint::Other(name) if !body.is_empty() => {
                self.unknown(call, name, body).await?;
                Ok(PushAnswer::ok(OK))
            }
            Endpoint::FileData => self.photographed(call, body).await,
            _ => Ok(PushAnswer::ok(OK)),
        }
    }

    /// GET on `cdata`: a greeting, or a question.
    async fn asked(&self, call: &Call<'_>) -> Result<PushAnswer, StoreError> {
        match Asks::of(&call.query) {
            Asks::Options if call.spoken_or_said() == Family::Security => {
                // The cue to register.
                self.callers.called(&call.caller, false);
                Ok(PushAnswer::ok(OK))
            }
            Asks::Options => self.greeted(call).await,
            Asks::Time => {
                self.callers.called(&call.caller, false);
                if !call.spoken.is_manual {
                    let spoken = Spoken {
                        family: Family::Manual,
                        is_manual: true,
                        ..call.spoken.clone()
                    };
                    self.callers.learn(&call.caller, &spoken.to_json()).await?;
                }
                let now = self.clock.now().to_zoned(call.caller.zone.clone());
                Ok(PushAnswer::ok(time::manual_answer(&now)))
            }
            Asks::LastPunch { .. } | Asks::RoamingUser { .. } => {
                self.callers.called(&call.caller, false);
                Ok(PushAnswer::ok(OK))
            }
        }
    }

    async fn greeted(&self, call: &Call<'_>) -> Result<PushAnswer, StoreError> {
        let hello = Hello::of(&call.query);
        let family = match call.spoken.is_manual {
            true => Family::Manual,
            false => hello.family(),
        };
        let spoken = Spoken {
            family,
            version: hello.version.map(|version| version.to_string()),
            language: hello.language,
            says_key: call.spoken.says_key || (call.keyed() && hello.key().is_some()),
            ..call.spoken.clone()
        };
        let welcome = self.greet(call, &spoken).await?;
        let stamp = |content: &str| {
            let stamp = welcome.cursors.get(content);
            stamp.cloned().unwrap_or_else(|| "0".to_owned())
        };
        let offset = call.caller.zone.to_offset(self.clock.now());
        let mut block = OptionBlock::new(&call.serial);
        block.stamps = Stamps {
            att_log: stamp(Upload::AttLog.name()),
            oper_log: stamp(Upload::OperLog.name()),
            att_photo: stamp(Upload::AttPhoto.name()),
        };
        block.delay_secs = u16::try_from(welcome.delay_secs).unwrap_or(60);
        block.offset = Some(offset);
        if call.spoken.wants_keys {
            block.version = WITHOUT_KEYS;
        }
        if self.options.keep_photos {
            block.topics.push(Topic::AttPhoto);
        }
        if self.options.keep_templates {
            block
                .topics
                .extend([Topic::EnrollFp, Topic::ChgFp, Topic::Face]);
        }
        Ok(PushAnswer::ok(block.encode(family)))
    }

    async fn greet(&self, call: &Call<'_>, spoken: &Spoken) -> Result<ingest::Welcome, StoreError> {
        self.callers
            .greet(&call.caller, &spoken.to_json(), call.head.peer.ip())
            .await
    }

    /// `getrequest`: it is there, perhaps says what it holds, and fetches what it is to do.
    async fn poll(&self, call: &Call<'_>) -> Result<PushAnswer, StoreError> {
        let caller = &call.caller;
        self.callers.called(caller, true);
        let body = match call.head.method {
            Method::Head => OK.to_owned(),
            _ => {
                let handed = self.callers.hand_out(caller).await?;
                self.commands(call, handed).await?
            }
        };
        let body = call.spoken.charset().encode(&body).into_owned();
        if let Some(info) = call.query.any(&["INFO"]) {
            let told = told_by_poll(&Info::parse(info));
            self.callers.told(caller, &told, self.clock.now()).await?;
        }
        Ok(PushAnswer::ok(body))
    }

    /// A security terminal introduces itself, as it does at every connection.
    async fn registered(&self, call: &Call<'_>, body: &[u8]) -> Result<PushAnswer, StoreError> {
        let parameters = Parameters::parse(body);
        let code = match &call.spoken.code {
            Some(code) => code.clone(),
            None => crate::random_text(5),
        };
        let version = parameters.get("PushVersion").map(|version| {
            let version = version.chars().filter(|c| !c.is_control());
            version.take(KEY_LENGTH).collect()
        });
        let spoken = Spoken {
            family: Family::Security,
            version,
            code: Some(code.clone()),
            wrapped: parameters.wraps_commands(),
            ..call.spoken.clone()
        };
        self.greet(call, &spoken).await?;
        let told = told_by_parameters(&parameters);
        self.callers
            .told(&call.caller, &told, self.clock.now())
            .await?;
        let answer = RegistryCode::parse(&code).map(|code| code.answer());
        Ok(PushAnswer::ok(answer.unwrap_or_else(|| OK.to_owned())))
    }

    fn security_block(&self, call: &Call<'_>) -> String {
        let mut block = SecurityBlock::new(crate::random_text(16).to_uppercase());
        block.request_delay_secs = u16::try_from(call.caller.delay_secs())
            .unwrap_or(30)
            .clamp(2, 30);
        block.encode()
    }

    fn time(&self, call: &Call<'_>) -> String {
        let now = self.clock.now();
        let utc = TimeZone::UTC.to_datetime(now);
        let offset = call.caller.zone.to_offset(now);
        security::time_answer(utc, offset).unwrap_or_else(|| OK.to_owned())
    }

    /// It wants to encrypt as only the vendor's library can: from its next greeting on it is told that we are older than that.
    async fn keys_wanted(&self, call: &Call<'_>) -> Result<PushAnswer, StoreError> {
        let event = Event {
            kind: "key_exchange",
            detail: String::new(),
        };
        self.callers.note(&call.caller, &event).await?;
        if !call.spoken.wants_keys {
            let spoken = Spoken {
                wants_keys: true,
                ..call.spoken.clone()
            };
            self.callers.learn(&call.caller, &spoken.to_json()).await?;
        }
        Ok(text(StatusCode::NOT_FOUND, "ERROR: not served"))
    }
}

/// The newest version that knows no encryption.
const WITHOUT_KEYS: &str = "2.2.14";

impl Call<'_> {
    fn greets(&self) -> bool {
        matches!(self.endpoint, Endpoint::Cdata | Endpoint::Registry)
            && self.head.method != Method::Post
    }

    fn keyed(&self) -> bool {
        self.caller.comm_key.is_some()
    }

    /// What a greeting says, which is newer than what was kept.
    fn spoken_or_said(&self) -> Family {
        match self.query.get("options") {
            Some(_) => Hello::of(&self.query).family(),
            None => self.family,
        }
    }
}

fn told_by_poll(info: &Info) -> Told {
    Told {
        model: None,
        firmware: info.firmware.clone(),
        own_address: info.lan_address.map(|address| address.to_string()),
        users: info.users,
        records: info.records,
        record_capacity: None,
    }
}

fn told_by_parameters(parameters: &Parameters) -> Told {
    let text = |value: Option<&str>| value.map(str::to_owned);
    Told {
        model: text(parameters.model()),
        firmware: text(parameters.firmware()),
        own_address: parameters.lan_address().as_ref().map(IpAddr::to_string),
        users: parameters.user_count(),
        records: parameters.record_count(),
        record_capacity: parameters.record_capacity(),
    }
}

/// Takes the same time whatever is wrong.
fn same_secret(said: &str, right: &str) -> bool {
    let differences = said
        .bytes()
        .chain(std::iter::repeat(0))
        .zip(right.bytes())
        .fold(0, |found, (said, right)| found | (said ^ right));
    said.len() == right.len() && differences == 0
}

fn text(status: StatusCode, text: &str) -> PushAnswer {
    PushAnswer::with(status, format!("{text}\n"))
}

/// The terminal keeps what it has.
fn not_kept() -> PushAnswer {
    PushAnswer::later(COME_AGAIN_SECS, "ERROR: not stored, come again\n")
}

//! Orders in a terminal's words, and its results in ours.

use ingest::{Answer, Handed, Order, Privilege};
use store::StoreError;
use zk_proto::push::command::{self, Command, CommandError, Encoded, UserFields};
use zk_proto::push::hello::Family;
use zk_proto::push::result::{self, CommandResult};
use zk_proto::push::{OK, options::Parameters};

use super::{Call, PushAnswer, ZkPush, told_by_parameters};

/// The only door of a terminal that has one.
const DOOR: u8 = 1;

impl ZkPush {
    /// The answer to a poll: the orders that were handed out, in this terminal's words. What has none in them ends at once.
    pub(super) async fn commands(
        &self,
        call: &Call<'_>,
        handed: Vec<Handed>,
    ) -> Result<String, StoreError> {
        let mut encoded = Vec::with_capacity(handed.len());
        for handed in handed {
            match self.encode(call, &handed) {
                Ok(command) => encoded.push(command),
                Err(error) => {
                    let answer = Answer {
                        id: handed.id,
                        unsupported: matches!(error, CommandError::NotOffered { .. }),
                        text: error.to_string(),
                        ..Answer::default()
                    };
                    self.callers.answered(&call.caller, &answer).await?;
                }
            }
        }
        Ok(command::answer(&encoded, command::Limits::default()).body)
    }

    fn encode(&self, call: &Call<'_>, handed: &Handed) -> Result<Encoded, CommandError> {
        let id = u64::try_from(handed.id).unwrap_or_default();
        let dialect = call.spoken.dialect(call.family, &call.serial);
        let command = self.command(call, handed);
        command.encode(id, &dialect)
    }

    fn command(&self, call: &Call<'_>, handed: &Handed) -> Command {
        let is_security = call.family == Family::Security;
        match handed.order.clone() {
            Order::SetUser {
                user,
                name,
                privilege,
                card,
                ..
            } => Command::SetUser(UserFields {
                pin: user,
                name,
                privilege: privilege.and_then(|name| privilege_code(&name)),
                password: handed
                    .secret
                    .as_ref()
                    .map(|secret| secret.expose().to_owned()),
                card: card.map(u64::from),
                ..UserFields::default()
            }),
            Order::DeleteUser { user } => Command::DeleteUser { pin: user },
            Order::ListUsers => Command::QueryUsers { pin: None },
            Order::ReadLog { .. } if is_security => Command::QueryTransactions { new_only: false },
            Order::ReadLog { from, to } => Command::QueryLog { from, to },
            Order::CountLog { from, to } => Command::VerifySum { from, to },
            Order::SetClock if is_security => Command::SetTime {
                clock: call.caller.clock_at(self.clock.now()),
            },
            // Its clock follows ours by the zone it is told when it reads its options.
            Order::SetClock | Order::Recheck => Command::Check,
            Order::SetOption { key, value } => Command::SetOption { name: key, value },
            Order::TellState if is_security => Command::Count {
                table: "transaction".to_owned(),
            },
            Order::TellState => Command::Info,
            Order::UploadNew if is_security => Command::QueryTransactions { new_only: true },
            Order::UploadNew => Command::UploadNew,
            Order::Restart => Command::Restart,
            Order::Unlock { seconds } => Command::Unlock {
                door: DOOR,
                seconds: u8::try_from(seconds).unwrap_or(u8::MAX),
            },
            Order::ClearLog { .. } => Command::ClearLog,
        }
    }

    /// `devicecmd`: what became of commands. What is of no command of this terminal's is forgotten.
    pub(super) async fn reported(
        &self,
        call: &Call<'_>,
        body: &[u8],
    ) -> Result<PushAnswer, StoreError> {
        let found = result::results(&call.query, body);
        for result in &found.results {
            let of_another = result
                .serial
                .as_deref()
                .is_some_and(|serial| !serial.trim().eq_ignore_ascii_case(call.serial.as_str()));
            let known = match result.number().and_then(|id| i64::try_from(id).ok()) {
                Some(id) if !of_another => {
                    let answer = answer_of(result, id, call.family);
                    self.callers.answered(&call.caller, &answer).await?
                }
                _ => false,
            };
            if !known {
                tracing::debug!(
                    device.id = call.caller.device.0,
                    "device {} reports a command it was not given",
                    call.caller.name
                );
            }
        }
        Ok(PushAnswer::ok(OK))
    }
}

fn answer_of(result: &CommandResult, id: i64, family: Family) -> Answer {
    let tells = !result.parameters.is_empty();
    Answer {
        id,
        succeeded: result.succeeded(family),
        code: result.code.unwrap_or_default(),
        text: text_of(result, family),
        unsupported: matches!(
            (family, result.code),
            (Family::Security, Some(-13 | -629 | -708)) | (_, Some(-1002 | -1004 | -22))
        ),
        counted: result.att_log_sum,
        told: tells.then(|| told_by_parameters(&result.parameters)),
    }
}

/// The meaning of the code, and what else the terminal says that may be shown.
fn text_of(result: &CommandResult, family: Family) -> String {
    let meaning = result.meaning(family);
    let shown = shown(&result.parameters);
    match shown.is_empty() {
        true => meaning.to_owned(),
        false => format!("{meaning}: {shown}"),
    }
}

fn shown(parameters: &Parameters) -> String {
    let pairs: Vec<_> = parameters
        .shown()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    pairs.join(", ")
}

/// As terminals number them.
fn privilege_code(name: &str) -> Option<u8> {
    Some(match Privilege::from_name(name)? {
        Privilege::User => 0,
        Privilege::Enroller => 2,
        Privilege::Manager => 6,
        Privilege::Admin => 14,
    })
}

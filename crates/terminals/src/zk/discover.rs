//! Asks an address whether a ZKTeco terminal is there, and which: as little as tells its serial number.

use std::net::SocketAddr;

use tokio::time::Instant;
use zk_proto::options;

use super::ZkTerminal;
use super::connection::Connection;
use crate::discover::{Answer, Pace, ScanKeys, ScanLimits};
use crate::{
    CertificateTrust, Credentials, Deadline, DeviceKind, Target, TerminalError, Transport,
};

/// In bytes. What is longer is no serial number and no model.
const LONGEST: usize = 64;

/// Connects, and once more for each further key if the terminal wants one: a key is tried once in a session.
pub(crate) async fn who_is_at(
    place: SocketAddr,
    limits: &ScanLimits,
    pace: &Pace,
    keys: &ScanKeys,
) -> Answer {
    pace.turn().await;
    let deadline = Deadline::after(limits.host);
    let mut untried = keys.untried(place, Instant::now()).into_iter();
    let mut answer = Answer::Nothing;
    loop {
        let opened = Connection::open_at(place, limits.connect, deadline).await;
        let Ok(connection) = opened else {
            return answer;
        };
        let mut terminal = ZkTerminal::over(connection, stranger(place));
        let asked = ask(&mut terminal, place, keys, &mut untried).await;
        terminal.close().await;
        answer = match asked {
            Ok(answer) => answer,
            Err(TerminalError::AccessPanel { .. }) => Answer::AccessPanel,
            Err(error) => Answer::Other(error.to_string()),
        };
        if answer != Answer::WantsKey || untried.len() == 0 {
            return answer;
        }
        pace.turn().await;
    }
}

fn stranger(place: SocketAddr) -> Target {
    Target {
        kind: DeviceKind::Zk,
        host: place.ip().to_string(),
        port: place.port(),
        transport: Transport::Tcp,
        credentials: Credentials::default(),
        certificate: CertificateTrust::default(),
        serial: None,
    }
}

/// `WantsKey` when the next key is wrong, or there is none.
async fn ask(
    terminal: &mut ZkTerminal,
    place: SocketAddr,
    keys: &ScanKeys,
    untried: &mut impl Iterator<Item = u32>,
) -> Result<Answer, TerminalError> {
    if terminal.connection.greet().await? {
        let Some(key) = untried.next() else {
            return Ok(Answer::WantsKey);
        };
        keys.try_at(place, key, Instant::now());
        // Some answer a wrong key with silence, or hang up.
        if !terminal.connection.accepts_key(key).await.unwrap_or(false) {
            return Ok(Answer::WantsKey);
        }
        keys.was_right(place, key);
    }
    let serial = terminal.serial().await?;
    let model = terminal.option(options::MODEL).await?.unwrap_or_default();
    if serial.len() > LONGEST || model.len() > LONGEST {
        let what = "its serial number or model is longer than any that is known";
        return Ok(Answer::Other(what.to_owned()));
    }
    Ok(Answer::Terminal { serial, model })
}

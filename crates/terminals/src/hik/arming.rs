//! The `httpHosts` slots of a terminal: ours is found or taken, written, and read back. Nobody else's is touched.

use std::net::{IpAddr, SocketAddr};

use hik_proto::{CallHost, HostCapabilities, HostSlot, decode_hosts, encode_free_host, paths};
use jiff::tz::Offset;
use reqwest::Method;

use super::http::{Answer, Content};
use super::{HikTerminal, malformed, optional};
use crate::{Armed, CallHere, Step, TerminalError, Told};

const STEP: Step = Step::Arm;
/// More than any terminal has.
const MOST_SLOTS: u32 = 64;

impl HikTerminal {
    /// Has the terminal post its events to us: in the slot that has our path already, or in a free one. Nothing is written when
    /// it is so already, unless that is asked for.
    ///
    /// # Errors
    /// See [`TerminalError`]; `Refused` when no slot is free, naming who has them, or when the terminal stored something else
    /// than it was told.
    pub async fn arm(&mut self, here: &CallHere) -> Result<Armed, TerminalError> {
        let slots = self.slots().await?;
        let can = self.what_slots_can().await?;
        let heartbeat_secs = can.heartbeat_secs(here.heartbeat_secs);
        let host = match &here.host {
            Some(host) => host.clone(),
            None => self.our_address().await?.to_string(),
        };
        let slot = find(&slots, can.slots, here)?;
        let meant = CallHost {
            id: &slot.id,
            path: &here.path,
            host: &host,
            port: here.port,
            format: can.format(),
            heartbeat_secs,
            resends: can.resends,
        };
        let clock_offset = self.clock_offset().await?;
        let was_told = here.again || !slot.differences(&meant).is_empty();
        if was_told {
            self.write(&slot.id, meant.encode()).await?;
            self.check(&meant).await?;
        }
        let calls_to = match host.contains(':') {
            true => format!("[{host}]:{}", here.port),
            false => format!("{host}:{}", here.port),
        };
        Ok(Armed::Told(Told {
            slot: slot.id,
            calls_to,
            heartbeat_secs,
            hardware: self.hardware.clone(),
            clock_offset,
            was_told,
        }))
    }

    /// Gives back the slot that has our path, or the former one; what nobody took is left alone.
    ///
    /// # Errors
    /// See [`TerminalError`].
    pub async fn disarm(&mut self, here: &CallHere) -> Result<(), TerminalError> {
        for slot in self
            .slots()
            .await?
            .iter()
            .filter(|slot| is_ours(slot, here))
        {
            self.write(&slot.id, encode_free_host(&slot.id)).await?;
        }
        match self.slots().await?.iter().find(|slot| is_ours(slot, here)) {
            None => Ok(()),
            Some(slot) => Err(refused(format!(
                "slot {} was given back, and the terminal goes on calling us",
                slot.id
            ))),
        }
    }

    /// As its last reading found it, or as it is now. Events name an offset too, which some firmware makes up.
    async fn clock_offset(&mut self) -> Result<Option<Offset>, TerminalError> {
        if self.clock_offset.is_none() {
            optional(self.clock_at(STEP).await)?;
        }
        Ok(self.clock_offset.flatten())
    }

    async fn slots(&mut self) -> Result<Vec<HostSlot>, TerminalError> {
        let body = self.http.get(STEP, paths::HTTP_HOSTS).await?;
        let body = body.required(STEP)?;
        decode_hosts(&body).map_err(malformed(STEP))
    }

    /// What is not told is as usual.
    async fn what_slots_can(&mut self) -> Result<HostCapabilities, TerminalError> {
        match self.http.get(STEP, paths::HTTP_HOST_CAPABILITIES).await {
            Ok(Answer::Body(body)) => Ok(HostCapabilities::decode(&body).unwrap_or_default()),
            Ok(Answer::NotAvailable(_)) | Err(TerminalError::Refused { step: STEP, .. }) => {
                Ok(HostCapabilities::default())
            }
            Err(error) => Err(error),
        }
    }

    async fn write(&mut self, id: &str, body: String) -> Result<(), TerminalError> {
        let uri = format!("{}/{id}", paths::HTTP_HOSTS);
        let content = Content::of(body);
        let answer = self
            .http
            .call(STEP, Method::PUT, &uri, Some(content))
            .await?;
        answer.required(STEP).map(drop)
    }

    /// A client was seen to send what it should, and the terminal to store 0.0.0.0:80.
    async fn check(&mut self, meant: &CallHost<'_>) -> Result<(), TerminalError> {
        let slots = self.slots().await?;
        let Some(stored) = slots.iter().find(|slot| slot.id == meant.id) else {
            return Err(refused(format!(
                "slot {} is gone after it was written",
                meant.id
            )));
        };
        let differences = stored.differences(meant);
        if differences.is_empty() {
            return Ok(());
        }
        let differences: Vec<_> = differences.iter().map(ToString::to_string).collect();
        Err(refused(format!(
            "the terminal stored something else in slot {} than it was told: {}",
            meant.id,
            differences.join(", ")
        )))
    }

    /// Ours on the way to the terminal. Nothing is sent.
    async fn our_address(&self) -> Result<IpAddr, TerminalError> {
        let unreachable = |source| TerminalError::Unreachable {
            address: self.address.clone(),
            source,
        };
        let places = tokio::net::lookup_host(self.address.as_str());
        let place = places.await.map_err(unreachable)?.next();
        let place = place.ok_or_else(|| unreachable(std::io::ErrorKind::NotFound.into()))?;
        let any: SocketAddr = match place {
            SocketAddr::V4(_) => ([0, 0, 0, 0], 0).into(),
            SocketAddr::V6(_) => ([0_u16; 8], 0).into(),
        };
        let socket = tokio::net::UdpSocket::bind(any)
            .await
            .map_err(unreachable)?;
        socket.connect(place).await.map_err(unreachable)?;
        let ours = socket.local_addr().map_err(unreachable)?;
        Ok(ours.ip().to_canonical())
    }
}

fn is_ours(slot: &HostSlot, here: &CallHere) -> bool {
    slot.has_path(&here.path) || here.former.as_ref().is_some_and(|path| slot.has_path(path))
}

/// Ours before a free one, so that a terminal never calls us twice.
fn find(
    slots: &[HostSlot],
    there_are: Option<u32>,
    here: &CallHere,
) -> Result<HostSlot, TerminalError> {
    let ours = slots.iter().find(|slot| is_ours(slot, here));
    if let Some(slot) = ours.or_else(|| slots.iter().find(|slot| slot.is_free())) {
        return Ok(slot.clone());
    }
    // Some firmware lists only those that are taken.
    let mut ids = (1..=there_are.unwrap_or(0).min(MOST_SLOTS)).map(|id| id.to_string());
    if let Some(id) = ids.find(|id| slots.iter().all(|slot| slot.id != *id)) {
        return Ok(HostSlot {
            id,
            ..HostSlot::default()
        });
    }
    if slots.is_empty() {
        return Err(refused(
            "the terminal has no slot for an address that it calls".to_owned(),
        ));
    }
    let holders: Vec<_> = slots
        .iter()
        .map(|slot| format!("slot {} calls {}", slot.id, slot.holder()))
        .collect();
    Err(refused(format!(
        "no slot of the terminal is free: {}; empty one of them on the terminal's page if it is not needed",
        holders.join(", ")
    )))
}

fn refused(detail: String) -> TerminalError {
    TerminalError::Refused { step: STEP, detail }
}

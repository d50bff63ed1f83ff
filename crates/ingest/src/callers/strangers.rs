//! Terminals that call and are not registered, at a bounded cost whatever calls.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Mutex;

use jiff::{SignedDuration, Timestamp};
use store::devices::NewDevice;
use store::held::{HELD_AT_MOST, HeldCall};
use store::{Author, StoreError};

use super::{Callers, lock};
use crate::Change;

/// A terminal that calls, as far as it says who it is.
#[derive(Clone, Copy, Debug)]
pub struct Stranger<'a> {
    pub serial_number: &'a str,
    /// The name of the brand, as the drivers know it.
    pub kind: &'static str,
    pub model: &'a str,
    pub address: IpAddr,
    /// As HTTP names it.
    pub agent: &'a str,
}

/// Serial numbers that one address may invent in an hour.
const NEW_PER_ADDRESS: u32 = 20;
const NEW_WITHIN: SignedDuration = SignedDuration::from_hours(1);
/// Addresses that are remembered; calls of others are answered and not listed.
const ADDRESSES_AT_MOST: usize = 1000;
/// Of what it says of itself.
const LONGEST_TEXT: usize = 100;

#[derive(Debug, Default)]
pub(super) struct Strangers(Mutex<Noted>);

#[derive(Debug, Default)]
struct Noted {
    /// Calls that are not kept yet.
    calls: HashMap<String, HeldCall>,
    /// Whose calls are listed, and when they last were: further ones need no further place.
    listed: HashMap<String, Timestamp>,
    /// How many serial numbers an address has brought, and since when.
    addresses: HashMap<IpAddr, (u32, Timestamp)>,
}

impl Strangers {
    /// Notes a call, to be kept by and by.
    pub(super) fn note(&self, stranger: &Stranger<'_>, at: Timestamp) {
        let mut noted = lock(&self.0);
        if let Some(call) = noted.calls.get_mut(stranger.serial_number) {
            call.calls = call.calls.saturating_add(1);
            call.at_ms = at.as_millisecond();
            return;
        }
        if noted.calls.len() >= HELD_AT_MOST || !noted.may_list(stranger, at) {
            return;
        }
        noted
            .calls
            .insert(stranger.serial_number.to_owned(), stranger.call(at));
    }

    /// Whether an address may bring one more serial number now.
    pub(super) fn may_register(&self, stranger: &Stranger<'_>, at: Timestamp) -> bool {
        lock(&self.0).may_list(stranger, at)
    }

    fn take(&self) -> Vec<HeldCall> {
        let mut noted = lock(&self.0);
        noted.calls.drain().map(|(_, call)| call).collect()
    }
}

impl Noted {
    fn may_list(&mut self, stranger: &Stranger<'_>, at: Timestamp) -> bool {
        if let Some(last) = self.listed.get_mut(stranger.serial_number) {
            *last = at;
            return true;
        }
        let is_old = |since: &Timestamp| at.duration_since(*since).abs() >= NEW_WITHIN;
        if self.addresses.len() >= ADDRESSES_AT_MOST {
            self.addresses.retain(|_, (_, since)| !is_old(since));
        }
        if self.listed.len() >= HELD_AT_MOST {
            self.listed.retain(|_, last| !is_old(last));
        }
        let is_full = self.addresses.len() >= ADDRESSES_AT_MOST
            && !self.addresses.contains_key(&stranger.address);
        if is_full || self.listed.len() >= HELD_AT_MOST {
            return false;
        }
        let (count, since) = self.addresses.entry(stranger.address).or_insert((0, at));
        if is_old(since) {
            (*count, *since) = (0, at);
        }
        *count += 1;
        let may = *count <= NEW_PER_ADDRESS;
        if may {
            self.listed.insert(stranger.serial_number.to_owned(), at);
        }
        may
    }
}

impl Stranger<'_> {
    fn call(&self, at: Timestamp) -> HeldCall {
        HeldCall {
            serial_number: self.serial_number.to_owned(),
            kind: self.kind,
            model: plain(self.model),
            address: self.address.to_string(),
            agent: plain(self.agent),
            at_ms: at.as_millisecond(),
            calls: 1,
        }
    }
}

/// Cut, and without what is no text.
fn plain(text: &str) -> String {
    let text = text.chars().filter(|c| !c.is_control());
    text.take(LONGEST_TEXT).collect()
}

impl Callers {
    pub(super) async fn keep_strangers(&self) -> Result<(), StoreError> {
        let mut calls = self.0.strangers.take();
        {
            // Somebody may have been registered since they called.
            let known = self.0.known();
            calls.retain(|call| !known.callers.contains_key(&call.serial_number));
        }
        if calls.is_empty() {
            return Ok(());
        }
        let is_known = |call: &HeldCall| self.0.known().held.contains(&call.serial_number);
        let is_news = !calls.iter().all(is_known);
        let tx = self.0.store.begin_write().await?;
        tx.hold(&calls).await?;
        if !is_news {
            return tx.commit_quietly().await;
        }
        tx.commit().await?;
        self.forget();
        self.0.changes.publish(Change::everything());
        Ok(())
    }

    /// Registers a terminal at the default site; `false` when its address has brought too many.
    pub(super) async fn register(&self, stranger: &Stranger<'_>) -> Result<bool, StoreError> {
        let inner = &*self.0;
        let at = inner.clock.now();
        if !inner.strangers.may_register(stranger, at) {
            return Ok(false);
        }
        // One that was removed by a person waits for a person.
        let known = inner.store.device_by_serial(stranger.serial_number).await?;
        let site = inner.store.default_site().await?;
        let Some(site) = site.filter(|_| known.is_none()) else {
            inner.strangers.note(stranger, at);
            return Ok(false);
        };
        let new = NewDevice::calling(stranger.kind, stranger.serial_number, site.id);
        let author = Author { account: None, at };
        let tx = inner.store.begin_write().await?;
        match tx.add_device(&new, author).await {
            Ok(_) => tx.commit().await?,
            // Two of its calls came at once.
            Err(StoreError::Duplicate { .. }) => {}
            Err(error) => return Err(error),
        }
        tracing::info!(
            serial_number = stranger.serial_number,
            address = %stranger.address,
            "a terminal that called was registered"
        );
        self.read_known().await?;
        inner.changes.publish(Change::everything());
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stranger(serial: &str, address: [u8; 4]) -> Stranger<'_> {
        Stranger {
            serial_number: serial,
            kind: "zk",
            model: "K40\u{7}",
            address: IpAddr::from(address),
            agent: "iClock",
        }
    }

    fn at(minute: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_mins(minute)
    }

    #[test]
    fn an_address_brings_only_so_many() {
        let strangers = Strangers::default();
        for n in 0..100 {
            strangers.note(&stranger(&format!("X{n}"), [10, 0, 0, 1]), at(0));
        }
        strangers.note(&stranger("Y", [10, 0, 0, 2]), at(0));
        let mut calls = strangers.take();
        calls.sort_by(|a, b| a.serial_number.cmp(&b.serial_number));
        assert_eq!(calls.len(), 21);
        assert_eq!(
            (calls[20].serial_number.as_str(), calls[20].model.as_str()),
            ("Y", "K40")
        );
        // Those that are listed may go on, others only later.
        strangers.note(&stranger("X1", [10, 0, 0, 1]), at(5));
        strangers.note(&stranger("X50", [10, 0, 0, 1]), at(5));
        assert_eq!(strangers.take().len(), 1);
        strangers.note(&stranger("X50", [10, 0, 0, 1]), at(61));
        assert_eq!(strangers.take().len(), 1);
    }

    #[test]
    fn nothing_grows_with_what_calls() {
        let strangers = Strangers::default();
        for n in 0..20_000_u32 {
            let [_, b, c, d] = n.to_be_bytes();
            strangers.note(&stranger(&format!("X{n}"), [10, b, c, d]), at(0));
        }
        let noted = lock(&strangers.0);
        assert_eq!(
            (noted.calls.len(), noted.listed.len()),
            (HELD_AT_MOST, HELD_AT_MOST)
        );
        assert!(noted.addresses.len() <= ADDRESSES_AT_MOST);
    }
}

//! Who is connected: a bounded number of places, in all and per address. Who waits for nothing makes room for who comes.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

/// Places beyond the limit while those who were asked to leave are leaving.
const LEAVING: usize = 32;

#[derive(Debug)]
pub(super) struct Places {
    most: usize,
    most_per_address: usize,
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    /// By age.
    places: BTreeMap<u64, Place>,
    next: u64,
}

#[derive(Debug)]
struct Place {
    address: IpAddr,
    state: Arc<PlaceState>,
    leaving: bool,
}

/// What a connection and the door tell each other.
#[derive(Debug, Default)]
pub(super) struct PlaceState {
    busy: AtomicBool,
    leave: Notify,
}

impl PlaceState {
    pub(super) fn set_busy(&self, busy: bool) {
        self.busy.store(busy, Ordering::Release);
    }

    pub(super) fn is_busy(&self) -> bool {
        self.busy.load(Ordering::Acquire)
    }

    /// Returns when somebody else needs the place.
    pub(super) async fn asked_to_leave(&self) {
        self.leave.notified().await;
    }
}

/// One place, until it is dropped.
#[derive(Debug)]
pub(super) struct Seat {
    places: Arc<Places>,
    id: u64,
    pub state: Arc<PlaceState>,
}

impl Places {
    pub(super) fn new(most: usize, most_per_address: usize) -> Arc<Self> {
        Arc::new(Self {
            most,
            most_per_address,
            taken: Mutex::default(),
        })
    }

    /// A place for a new connection; `None` when all are taken by connections with a request under way.
    pub(super) fn enter(self: &Arc<Self>, address: IpAddr) -> Option<Seat> {
        let mut taken = self.taken();
        if taken.places.len() >= self.most.saturating_add(LEAVING) {
            return None;
        }
        let staying = || taken.places.values().filter(|place| !place.leaving);
        let from_there = staying().filter(|place| place.address == address).count();
        if from_there >= self.most_per_address {
            taken.ask_oldest_to_leave(|place| place.address == address)?;
        } else if staying().count() >= self.most {
            taken.ask_oldest_to_leave(|_| true)?;
        }
        let id = taken.next;
        taken.next += 1;
        let state = Arc::<PlaceState>::default();
        let place = Place {
            address,
            state: state.clone(),
            leaving: false,
        };
        taken.places.insert(id, place);
        Some(Seat {
            places: self.clone(),
            id,
            state,
        })
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Taken {
    fn ask_oldest_to_leave(&mut self, among: impl Fn(&Place) -> bool) -> Option<()> {
        let mut places = self.places.values_mut();
        let oldest = places.find(|p| !p.leaving && !p.state.is_busy() && among(p))?;
        oldest.leaving = true;
        oldest.state.leave.notify_one();
        Some(())
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.places.taken().places.remove(&self.id);
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn address(last: u8) -> IpAddr {
        Ipv4Addr::new(10, 0, 0, last).into()
    }

    fn is_leaving(places: &Arc<Places>, seat: &Seat) -> bool {
        places.taken().places[&seat.id].leaving
    }

    #[test]
    fn the_oldest_without_a_request_makes_room() {
        let places = Places::new(3, 2);
        let busy = places.enter(address(1)).expect("a place");
        busy.state.set_busy(true);
        let first = places.enter(address(1)).expect("a place");
        let second = places.enter(address(2)).expect("a place");
        // Too many from one address: one of its own goes.
        let third = places.enter(address(1)).expect("a place of its own");
        assert!(is_leaving(&places, &first) && !is_leaving(&places, &second));
        // Too many in all: whoever is oldest.
        let fourth = places.enter(address(3)).expect("a place");
        assert!(is_leaving(&places, &second) && !is_leaving(&places, &third));
        third.state.set_busy(true);
        assert!(places.enter(address(1)).is_none(), "both at work");
        fourth.state.set_busy(true);
        assert!(places.enter(address(4)).is_none(), "all at work");
        drop(third);
        assert!(places.enter(address(1)).is_some());
    }

    #[test]
    fn those_who_leave_are_bounded_too() {
        let places = Places::new(1, 1);
        let seats: Vec<_> = (0..200).map_while(|_| places.enter(address(1))).collect();
        assert_eq!(seats.len(), 1 + LEAVING);
    }
}

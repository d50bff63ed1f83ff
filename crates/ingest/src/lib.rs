//! The data path: who is read when, what a batch does, and who judges it.
//!
//! Owns the order of things and every task that runs by itself. Contains no SQL, no socket and no rule: those are `store`,
//! `terminals` and `attendance`.

mod background;
mod callers;
mod changes;
mod clock;
mod clock_notes;
mod clock_setting;
mod engine;
mod error;
mod evidence;
mod intake;
mod judge;
mod locator;
mod log_order;
mod opener;
mod pictures;
mod place;
mod poller;
mod together;

pub use callers::{
    Answer, Caller, CallerOptions, Callers, Delivered, Delivery, Event, Handed, Link, Order,
    Stranger, Unknown, Welcome, Who, has_missed_calls,
};
pub use changes::{Change, Changes, Subscription};
pub use clock::Clock;
pub use clock_setting::{
    CLOCK_TOLERANCE, ClockChange, ClockFacts, NotSet, SetBy, SetClockError, may_set, set_clock,
};
pub use engine::{Engine, Watching, Workers};
pub use error::IngestError;
pub use intake::{Accepted, Batch, ClockFault, Contact, Intake};
pub use judge::{Difference, Explanation, Judge, PlannedDay, Preview};
pub use locator::{Located, Locator, LocatorOptions, Outcome, Search};
pub use pictures::{KIND as PICTURE, Pictures};
pub use place::is_registered_at;
pub use poller::{
    CallsTo, Checked, Diagnosis, Done, Found, Operation, Picture, PollFailure, Polled, Poller,
    PollerOptions, SetClockFailure, Taken,
};
pub use terminals::doctor::{Check, Seen};
pub use terminals::{
    DeviceKind, DeviceUser, Effect, Limit, ParkedRecord, Privilege, UserChange, UserDetails,
    Written, log_fullness,
};

//! The one integration binary: journeys from simulator to browser, and what must hold across crates.

mod crash;
mod journeys;
mod layering;

//! The one integration binary: journeys from simulator to browser, and what must hold across crates.

mod calling;
mod calling_crash;
mod crash;
mod hik_calling;
mod journeys;
mod layering;

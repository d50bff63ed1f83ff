//! From a reading to a judged report, over a real database, and over real sockets where a terminal takes part.

mod calling;
mod clocks;
mod company;
mod fingerprints;
mod identity;
mod intake;
mod judging;
mod live;
mod locating;
mod operations;
mod planning;
mod polling;

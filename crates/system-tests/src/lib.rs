//! Tests of the whole: simulator, server process, database and browser together.
//!
//! Here is what the tests in `tests/it` and the measurements in `benches` share: a browser and an installation of Muster with
//! its server process.

pub mod browser;
pub mod installation;

pub use browser::{Browser, Page};
pub use installation::{Database, Installation, Server, free_port};

//! Telling a terminal whom to call when something happens, where it can be told so.

use jiff::tz::Offset;

/// Where a terminal is to call.
#[derive(Clone, PartialEq, Eq)]
pub struct CallHere {
    /// A name or an address that it reaches us by; `None`: the address from which we reach it.
    pub host: Option<String>,
    pub port: u16,
    /// Of the URL. Who has it can call as this terminal.
    pub path: String,
    /// A path that it was told before, and that is ours too.
    pub former: Option<String>,
    /// It should show so often that it is there.
    pub heartbeat_secs: u32,
    /// It is told even if it was told already: it does not call, as some do not after a restart.
    pub again: bool,
}

impl std::fmt::Debug for CallHere {
    /// Without its paths.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CallHere")
            .field("host", &self.host)
            .field("port", &self.port)
            .finish_non_exhaustive()
    }
}

/// What a terminal knows of us afterwards.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Armed {
    /// It cannot be told: a person enters the address on the terminal.
    ByHand,
    /// It calls us.
    Told(Told),
}

/// Of a terminal that calls us, as it was read back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// Which of its places for addresses holds ours. Opaque.
    pub slot: String,
    /// `host:port` of ours.
    pub calls_to: String,
    pub heartbeat_secs: u32,
    /// The terminal's hardware address, with which it signs what it tells; where it says it.
    pub hardware: Option<String>,
    /// How far its own clock is from UTC, where it says so.
    pub clock_offset: Option<Offset>,
    /// It had to be told; otherwise it was so already.
    pub was_told: bool,
}

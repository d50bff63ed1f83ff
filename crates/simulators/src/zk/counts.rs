//! What a terminal was asked, for tests to check.

use std::collections::BTreeMap;

/// What a terminal was asked. Numbers only grow, except `open`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts {
    /// Connections accepted, those closed at once included, and sessions over UDP.
    pub connections: u64,
    /// Connections closed at once because the terminal serves one at a time.
    pub turned_away: u64,
    /// Connections open now.
    pub open: u64,
    /// Bytes received.
    pub bytes_in: u64,
    /// Bytes sent.
    pub bytes_out: u64,
    /// Keys tried, right or wrong.
    pub auth_attempts: u64,
    /// Keys refused.
    pub auth_refused: u64,
    /// Times the terminal was disabled. Reading must leave it at 0.
    pub disables: u64,
    /// Requests whose checksum does not hold.
    pub bad_checksums: u64,
    /// Requests with another session id than the terminal gave.
    pub wrong_sessions: u64,
    /// Live events sent, to all sessions together.
    pub events_sent: u64,
    /// Live events acknowledged.
    pub events_acknowledged: u64,
    /// Acknowledgements of nothing: with a reply id, data or another session, or more than there were events.
    pub stray_acknowledgements: u64,
    /// Requests by command number, also those that got no answer.
    pub commands: BTreeMap<u16, u64>,
}

impl Counts {
    /// Live events that nobody has acknowledged.
    pub fn events_unacknowledged(&self) -> u64 {
        self.events_sent.saturating_sub(self.events_acknowledged)
    }

    /// How often this command arrived.
    pub fn of(&self, command: u16) -> u64 {
        self.commands.get(&command).copied().unwrap_or(0)
    }
}

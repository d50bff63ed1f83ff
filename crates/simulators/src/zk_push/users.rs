//! The people a terminal knows.

/// A person on a terminal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// The number or text people know; leading zeros count.
    pub pin: String,
    /// Raw bytes; terminals with a Chinese menu send GB2312.
    pub name: Vec<u8>,
    /// 0 user, 2 enroller, 6 admin, 14 super administrator.
    pub privilege: u8,
    /// Card number, 0 for none.
    pub card: u32,
    /// Kept as it was typed.
    pub password: String,
    /// Access group.
    pub group: u8,
    /// 16 digits.
    pub time_zones: String,
    /// Fingers 0 to 9 and their templates as base64.
    pub fingers: Vec<(u8, String)>,
}

impl User {
    /// A plain user without name, card or password, in access group 1.
    pub fn new(pin: impl Into<String>) -> Self {
        Self {
            pin: pin.into(),
            name: Vec::new(),
            privilege: 0,
            card: 0,
            password: String::new(),
            group: 1,
            time_zones: "0000000000000000".to_owned(),
            fingers: Vec::new(),
        }
    }

    /// The name as UTF-8, or as bytes in any other code page.
    pub fn named(mut self, name: impl AsRef<[u8]>) -> Self {
        self.name = name.as_ref().to_vec();
        self
    }

    /// Makes the person a super administrator (privilege 14).
    pub fn admin(mut self) -> Self {
        self.privilege = 14;
        self
    }

    /// Sets the card number.
    pub fn with_card(mut self, card: u32) -> Self {
        self.card = card;
        self
    }

    /// Sets the password.
    pub fn with_password(mut self, password: &str) -> Self {
        self.password = password.to_owned();
        self
    }

    /// Sets the 16 digits of the time zones.
    pub fn with_time_zones(mut self, digits: &str) -> Self {
        self.time_zones = digits.to_owned();
        self
    }

    /// Adds a finger, 0 to 9, and its template as base64.
    pub fn with_finger(mut self, finger: u8, template: &str) -> Self {
        self.fingers.push((finger, template.to_owned()));
        self
    }
}

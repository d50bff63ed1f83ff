//! What an operator's account may be kept from.

use std::fmt;
use std::str::FromStr;

use super::http::Request;

/// One of the permissions of an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Right {
    /// `log`: search the events.
    Log,
    /// `stream`: listen to them.
    Stream,
    /// `push`: say where they are sent.
    Push,
    /// `people`: see people, cards and faces.
    People,
    /// `enrol`: change people, cards and faces.
    Enrol,
    /// `door`: open doors.
    Door,
    /// `clock`: set the clock.
    Clock,
}

const NAMES: [(&str, Right); 7] = [
    ("log", Right::Log),
    ("stream", Right::Stream),
    ("push", Right::Push),
    ("people", Right::People),
    ("enrol", Right::Enrol),
    ("door", Right::Door),
    ("clock", Right::Clock),
];

impl Right {
    /// Whether the request can only be made with this right.
    pub(super) fn is_needed(self, request: &Request) -> bool {
        let path = request.path();
        let below = |folders: &[&str]| folders.iter().any(|folder| path.starts_with(folder));
        match self {
            Self::Log => below(&["/ISAPI/AccessControl/AcsEvent"]),
            Self::Stream => below(&[
                "/ISAPI/Event/notification/alertStream",
                "/ISAPI/Event/notification/subscribeEvent",
            ]),
            Self::Push => below(&["/ISAPI/Event/notification/httpHosts"]),
            Self::People => below(PEOPLE),
            Self::Enrol => below(PEOPLE) && is_change(request),
            Self::Door => below(&["/ISAPI/AccessControl/RemoteControl/door"]),
            Self::Clock => below(&["/ISAPI/System/time"]) && is_change(request),
        }
    }
}

const PEOPLE: &[&str] = &[
    "/ISAPI/AccessControl/UserInfo",
    "/ISAPI/AccessControl/CardInfo",
    "/ISAPI/Intelligent/FDLib",
];

/// Whether the request changes something; a search, though it is a POST, does not.
pub(super) fn is_change(request: &Request) -> bool {
    let path = request.path();
    match request.method.as_str() {
        "GET" => false,
        "POST" => !(path.ends_with("Search") || path.starts_with("/ISAPI/AccessControl/AcsEvent")),
        _ => true,
    }
}

impl fmt::Display for Right {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named = NAMES.iter().find(|(_, right)| right == self);
        f.write_str(named.map_or("", |(name, _)| name))
    }
}

impl FromStr for Right {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let named = NAMES.iter().find(|(name, _)| *name == text);
        named.map(|(_, right)| *right).ok_or(())
    }
}

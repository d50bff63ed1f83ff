//! Where a terminal is and how to sign in: everything a connection needs, nothing a database row has besides.

use std::fmt;
use std::str::FromStr;

use crate::{CertificateTrust, NoPin, Privilege};

/// The brands we speak to. A third brand adds a variant here and in `Terminal`; the compiler lists the rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DeviceKind {
    Zk,
    Hik,
}

impl DeviceKind {
    pub const ALL: &'static [Self] = &[Self::Zk, Self::Hik];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Zk => "zk",
            Self::Hik => "hik",
        }
    }

    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.as_str() == name)
    }

    /// The name people know the brand by.
    pub fn brand(self) -> &'static str {
        match self {
            Self::Zk => "ZKTeco",
            Self::Hik => "Hikvision",
        }
    }

    /// Whether [`crate::Terminal::listen`] works with it.
    pub fn tells_live(self) -> bool {
        match self {
            Self::Zk | Self::Hik => true,
        }
    }

    /// Whether its terminals can call us and push what they record.
    pub fn calls(self) -> bool {
        match self {
            Self::Zk | Self::Hik => true,
        }
    }

    /// Where each of its terminals calls at a place of its own, because it does not say who it is: what stands before its token.
    /// [`crate::Terminal::arm`] tells it. `None` where terminals say who they are, and are told by a person.
    pub fn call_path(self) -> Option<&'static str> {
        match self {
            Self::Zk => None,
            Self::Hik => Some("/hik/events/"),
        }
    }

    /// Whether its terminals fetch what they are to do when they call.
    pub fn fetches_orders(self) -> bool {
        match self {
            Self::Zk => true,
            Self::Hik => false,
        }
    }

    /// Whether [`crate::Terminal::set_clock`] works with it.
    pub fn sets_clock(self) -> bool {
        match self {
            Self::Zk | Self::Hik => true,
        }
    }

    /// Whether [`crate::discover::scan`] finds it by its serial number.
    pub fn can_be_found(self) -> bool {
        match self {
            Self::Zk => true,
            Self::Hik => false,
        }
    }

    /// Whether [`crate::discover::ask_links`] finds it by its serial number.
    pub fn answers_links(self) -> bool {
        match self {
            Self::Zk => false,
            Self::Hik => true,
        }
    }

    /// Whether the serial number that a terminal tells is the one that somebody has entered.
    pub fn is_serial(self, told: &str, entered: &str) -> bool {
        match self {
            Self::Zk => same_serial(told, entered),
            Self::Hik => hik_proto::serial_matches(told, entered),
        }
    }

    /// Whether people can be changed at its terminals, the door opened, and the terminal restarted.
    pub fn can_be_changed(self) -> bool {
        match self {
            Self::Zk | Self::Hik => true,
        }
    }

    /// Whether its terminals can ask a time server, which then overrules who sets their clock.
    pub fn asks_time_servers(self) -> bool {
        match self {
            Self::Zk => false,
            Self::Hik => true,
        }
    }

    /// What its terminals let people do at their menu.
    pub fn privileges(self) -> &'static [Privilege] {
        match self {
            Self::Zk => Privilege::ALL,
            Self::Hik => &[Privilege::User, Privilege::Admin],
        }
    }

    /// Whether this can be the number of a card.
    pub fn is_card(self, text: &str) -> bool {
        match self {
            Self::Zk => text.parse::<u32>().is_ok(),
            Self::Hik => hik_proto::CardNo::parse(text).is_some(),
        }
    }

    /// Whether a user of its terminals can have more than one card.
    pub fn holds_many_cards(self) -> bool {
        match self {
            Self::Zk => false,
            Self::Hik => true,
        }
    }

    /// Whether its terminals let people in from one date until another.
    pub fn has_validity(self) -> bool {
        match self {
            Self::Zk => false,
            Self::Hik => true,
        }
    }

    /// Whether [`crate::Terminal::set_face`] works with it.
    pub fn takes_faces(self) -> bool {
        match self {
            Self::Zk => false,
            Self::Hik => true,
        }
    }

    /// Whether who opens the door says for how long; otherwise the terminal's own setting does.
    pub fn times_door(self) -> bool {
        match self {
            Self::Zk => true,
            Self::Hik => false,
        }
    }

    /// Whether voice and screen of its terminals can be used.
    pub fn speaks_and_shows(self) -> bool {
        match self {
            Self::Zk => true,
            Self::Hik => false,
        }
    }

    /// Whether its terminals delete their log when asked.
    pub fn clears_log(self) -> bool {
        match self {
            Self::Zk => true,
            Self::Hik => false,
        }
    }

    /// Whether its terminals give and take fingerprints, as [`crate::Terminal::fingerprints`] does.
    pub fn copies_fingerprints(self) -> bool {
        match self {
            Self::Zk => true,
            Self::Hik => false,
        }
    }

    /// Whether [`Credentials::comm_key`] protects its terminals, which serve everybody while they have none.
    pub fn has_comm_key(self) -> bool {
        match self {
            Self::Zk => true,
            Self::Hik => false,
        }
    }

    pub fn default_port(self) -> u16 {
        match self {
            Self::Zk => 4370,
            Self::Hik => 80,
        }
    }

    /// Those that a person can choose between. Where nobody does, ZKTeco terminals are found out, and the port of a Hikvision
    /// terminal says it.
    pub fn transports(self) -> &'static [Transport] {
        match self {
            Self::Zk => &[Transport::Tcp, Transport::Udp],
            Self::Hik => &[Transport::Tcp, Transport::Tls],
        }
    }

    /// The usual port where this transport is chosen.
    pub fn port_by(self, chosen: Option<Transport>) -> u16 {
        match (self, chosen) {
            (Self::Hik, Some(Transport::Tls)) => 443,
            _ => self.default_port(),
        }
    }

    /// How a device at this port is spoken to, of which nothing is `known` unless it has answered before.
    pub fn transport(self, port: u16, known: Option<Transport>) -> Transport {
        match (self, port) {
            (Self::Zk, _) => known.unwrap_or(Transport::Unknown),
            (Self::Hik, _) if known == Some(Transport::Tls) => Transport::Tls,
            (Self::Hik, _) if known == Some(Transport::Tcp) => Transport::Tcp,
            (Self::Hik, 443) => Transport::Tls,
            (Self::Hik, _) => Transport::Tcp,
        }
    }
}

/// How the packets of a terminal travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    Tcp,
    Udp,
    /// HTTP over TLS.
    Tls,
    /// To be found out: TCP, and where that is refused or stays silent, UDP.
    Unknown,
}

impl Transport {
    /// The name in URLs and in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
            Self::Tls => "tls",
            Self::Unknown => "unknown",
        }
    }

    pub fn from_name(name: &str) -> Option<Self> {
        let known = [Self::Tcp, Self::Udp, Self::Tls];
        known
            .into_iter()
            .find(|transport| transport.as_str() == name)
    }
}

/// Secrets of one terminal. Never printed.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Credentials {
    /// ZKTeco: a number, 0 or none when the terminal has no key.
    pub comm_key: Option<u32>,
    pub username: Option<String>,
    pub password: Option<String>,
    /// Grows whenever somebody edits them, or asks that they be tried again: what was refused before is not sent without.
    pub version: i64,
    /// They are sent although the terminal allows few wrong passwords more: it has accepted them before, or a person insists.
    pub confirmed: bool,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("username", &self.username)
            .finish_non_exhaustive()
    }
}

/// One terminal to talk to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    pub kind: DeviceKind,
    /// Host name or IP address.
    pub host: String,
    pub port: u16,
    pub transport: Transport,
    pub credentials: Credentials,
    /// Which certificate it may show, where the transport is TLS.
    pub certificate: CertificateTrust,
    /// The serial number the terminal must have; `None` accepts any and is for talking to a terminal outside the registry.
    pub serial: Option<String>,
}

impl Target {
    pub fn address(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }
}

/// Whether two serial numbers are of the same terminal: terminals and stickers disagree about case and blanks.
pub fn same_serial(one: &str, other: &str) -> bool {
    one.trim().eq_ignore_ascii_case(other.trim())
}

/// Why a terminal URL is not one.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    #[error("a terminal URL starts with zk://, hik:// or hiks://")]
    Scheme,
    #[error("the terminal URL names no host")]
    Host,
    #[error("the port {0:?} is not a number from 1 to 65535")]
    Port(String),
    #[error("the comm key is not a number")]
    CommKey,
    #[error("a Hikvision URL needs user:password@ before the host")]
    User,
    #[error("unknown option {0:?} in the terminal URL")]
    Option(String),
    #[error("the option {0:?} of the terminal URL: {NoPin}")]
    Certificate(String),
    #[error("fingerprint and insecure=1 contradict each other in the terminal URL")]
    Trust,
}

impl FromStr for Target {
    type Err = TargetError;

    /// Reads `zk://[COMMKEY@]host[:4370][?transport=tcp|udp]`, `hik://user:password@host[:80]` and
    /// `hiks://user:password@host[:443][?fingerprint=sha256:…|insecure=1]`. The password may be percent-encoded. Without a
    /// transport it is found out.
    fn from_str(url: &str) -> Result<Self, Self::Err> {
        let (scheme, rest) = url.split_once("://").ok_or(TargetError::Scheme)?;
        let (kind, mut transport, default_port) = match scheme {
            "zk" => (DeviceKind::Zk, Transport::Unknown, 4370),
            "hik" => (DeviceKind::Hik, Transport::Tcp, 80),
            "hiks" => (DeviceKind::Hik, Transport::Tls, 443),
            _ => return Err(TargetError::Scheme),
        };
        let (rest, options) = rest.split_once('?').unwrap_or((rest, ""));
        let (sign_in, place) = match rest.trim_end_matches('/').rsplit_once('@') {
            Some((sign_in, place)) => (Some(sign_in), place),
            None => (None, rest.trim_end_matches('/')),
        };
        let (host, port) = split_host_port(place)?;
        let mut certificate = CertificateTrust::FirstUse;
        for option in options.split('&').filter(|option| !option.is_empty()) {
            let unknown = || TargetError::Option(option.to_owned());
            let trust = match option.split_once('=').ok_or_else(unknown)? {
                ("transport", name) if kind == DeviceKind::Zk => {
                    let named = Transport::from_name(name);
                    let named = named.filter(|named| kind.transports().contains(named));
                    transport = named.ok_or_else(unknown)?;
                    continue;
                }
                ("fingerprint", pin) if transport == Transport::Tls => {
                    let pin = percent_decoded(pin).parse();
                    let wrong = |_| TargetError::Certificate(option.to_owned());
                    CertificateTrust::Pinned(pin.map_err(wrong)?)
                }
                ("insecure", "1") if transport == Transport::Tls => CertificateTrust::Any,
                _ => return Err(unknown()),
            };
            if !matches!(certificate, CertificateTrust::FirstUse) {
                return Err(TargetError::Trust);
            }
            certificate = trust;
        }
        let credentials = match (kind, sign_in) {
            (DeviceKind::Zk, None) => Credentials::default(),
            (DeviceKind::Zk, Some(key)) => Credentials {
                comm_key: Some(key.parse().map_err(|_| TargetError::CommKey)?),
                ..Credentials::default()
            },
            (DeviceKind::Hik, Some(pair)) => {
                let (user, password) = pair.split_once(':').ok_or(TargetError::User)?;
                Credentials {
                    username: Some(percent_decoded(user)),
                    password: Some(percent_decoded(password)),
                    ..Credentials::default()
                }
            }
            (DeviceKind::Hik, None) => return Err(TargetError::User),
        };
        Ok(Self {
            kind,
            host,
            port: port.unwrap_or(default_port),
            transport,
            credentials,
            certificate,
            serial: None,
        })
    }
}

fn split_host_port(place: &str) -> Result<(String, Option<u16>), TargetError> {
    let (host, port) = if let Some(bracketed) = place.strip_prefix('[') {
        let (host, rest) = bracketed.split_once(']').ok_or(TargetError::Host)?;
        (host, rest.strip_prefix(':'))
    } else {
        match place.rsplit_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (place, None),
        }
    };
    if host.is_empty() {
        return Err(TargetError::Host);
    }
    let port = match port {
        None => None,
        Some(text) => Some(
            text.parse()
                .ok()
                .filter(|port| *port != 0)
                .ok_or_else(|| TargetError::Port(text.to_owned()))?,
        ),
    };
    Ok((host.to_owned(), port))
}

fn percent_decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut i = 0;
    while i < bytes.len() {
        let hex = (bytes[i] == b'%')
            .then(|| bytes.get(i + 1..i + 3))
            .flatten()
            .and_then(|pair| std::str::from_utf8(pair).ok())
            .and_then(|pair| u8::from_str_radix(pair, 16).ok());
        match hex {
            Some(byte) => {
                out.push(byte);
                i += 3;
            }
            None => {
                out.push(bytes[i]);
                i += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terminal_urls() {
        let target: Target = "zk://1234@10.0.0.9?transport=udp"
            .parse()
            .expect("a good URL");
        assert_eq!(
            (target.port, target.transport, target.credentials.comm_key),
            (4370, Transport::Udp, Some(1234))
        );
        let target: Target = "hik://admin:p%40ss:word@[::1]:8000"
            .parse()
            .expect("a good URL");
        assert_eq!(target.address(), "[::1]:8000");
        assert_eq!(target.credentials.password.as_deref(), Some("p@ss:word"));
        let target: Target = "hiks://a:b@gate.example".parse().expect("a good URL");
        assert_eq!((target.port, target.transport), (443, Transport::Tls));
    }

    #[test]
    fn the_transport_of_a_zkteco_terminal_is_found_out_once() {
        let transport = |url: &str| url.parse::<Target>().map(|target| target.transport);
        assert_eq!(transport("zk://h"), Ok(Transport::Unknown));
        assert_eq!(transport("zk://h?transport=tcp"), Ok(Transport::Tcp));
        let option = |option: &str| Err(TargetError::Option(option.into()));
        assert_eq!(transport("zk://h?transport=tls"), option("transport=tls"));
        assert_eq!(
            transport("hik://a:b@h?transport=udp"),
            option("transport=udp")
        );
        assert_eq!(DeviceKind::Zk.transport(4370, None), Transport::Unknown);
        let udp = Some(Transport::Udp);
        assert_eq!(DeviceKind::Zk.transport(4370, udp), Transport::Udp);
        assert_eq!(DeviceKind::Hik.transport(443, udp), Transport::Tls);
        assert_eq!(DeviceKind::Hik.transport(80, udp), Transport::Tcp);
        let tls = Some(Transport::Tls);
        assert_eq!(DeviceKind::Hik.transport(8443, tls), Transport::Tls);
        assert_eq!(DeviceKind::Hik.port_by(tls), 443);
    }

    #[test]
    fn which_certificate_a_url_trusts() {
        let trust = |url: &str| url.parse::<Target>().map(|target| target.certificate);
        assert_eq!(trust("hiks://a:b@h"), Ok(CertificateTrust::FirstUse));
        assert_eq!(trust("hiks://a:b@h?insecure=1"), Ok(CertificateTrust::Any));
        let pin = format!("sha256:{}", "0a".repeat(32));
        assert_eq!(
            trust(&format!("hiks://a:b@h?fingerprint={pin}")),
            Ok(CertificateTrust::Pinned(pin.parse().expect("a pin")))
        );
        let short = "fingerprint=sha256:0a";
        assert_eq!(
            trust(&format!("hiks://a:b@h?{short}")),
            Err(TargetError::Certificate(short.into()))
        );
        assert_eq!(
            trust(&format!("hiks://a:b@h?fingerprint={pin}&insecure=1")),
            Err(TargetError::Trust)
        );
        for url in ["hik://a:b@h?insecure=1", "hiks://a:b@h?insecure=0"] {
            assert!(matches!(trust(url), Err(TargetError::Option(_))), "{url}");
        }
    }

    #[test]
    fn bad_terminal_urls_name_what_is_wrong() {
        let error = |url: &str| url.parse::<Target>().expect_err("a bad URL");
        assert_eq!(error("10.0.0.9"), TargetError::Scheme);
        assert_eq!(error("zk://"), TargetError::Host);
        assert_eq!(error("zk://key@h"), TargetError::CommKey);
        assert_eq!(error("zk://h:0"), TargetError::Port("0".into()));
        assert_eq!(error("hik://h"), TargetError::User);
        assert_eq!(
            error("zk://h?speed=9"),
            TargetError::Option("speed=9".into())
        );
    }

    #[test]
    fn debug_hides_secrets() {
        let target: Target = "hik://admin:topsecret@h".parse().expect("a good URL");
        assert!(!format!("{target:?}").contains("topsecret"));
    }

    #[test]
    fn serial_numbers_are_the_same_in_any_case_and_with_blanks() {
        assert!(same_serial("AEH2194760215", " aeh2194760215\r\n"));
        assert!(!same_serial("AEH2194760215", "AEH2194760216"));
        assert!(!same_serial("AEH2194760215", "AEH 2194760215"));
    }
}

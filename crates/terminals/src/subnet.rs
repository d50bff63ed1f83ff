//! Which addresses may be searched for terminals: small private IPv4 networks, and nothing else.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The networks that are private to a place or a machine. Whatever is searched lies inside one of them.
const PRIVATE: [(Ipv4Addr, u8); 5] = [
    (Ipv4Addr::new(10, 0, 0, 0), 8),
    (Ipv4Addr::new(172, 16, 0, 0), 12),
    (Ipv4Addr::new(192, 168, 0, 0), 16),
    (Ipv4Addr::new(169, 254, 0, 0), 16),
    (Ipv4Addr::new(127, 0, 0, 0), 8),
];
/// 4096 addresses.
const WIDEST: u8 = 20;

/// A private IPv4 network of at most 4096 addresses, as in `10.0.0.0/24`. A single address is one too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Subnet {
    /// Its first address.
    base: Ipv4Addr,
    prefix: u8,
}

/// Why a text is no subnet that may be searched.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SubnetError {
    #[error(
        "{0:?} is no subnet; expected an address and the length of its prefix, like 10.0.0.0/24"
    )]
    Syntax(String),
    #[error("{0:?} is IPv6; only IPv4 subnets are searched")]
    Ipv6(String),
    #[error(
        "{0} is not private; only subnets of 10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16, 169.254.0.0/16 and 127.0.0.0/8 are searched"
    )]
    Public(String),
    #[error(
        "{0} has more than 4096 addresses; name the parts that hold terminals, each /20 or smaller"
    )]
    TooLarge(String),
    #[error("{found} does not begin its subnet; did you mean {meant}?")]
    NotItsBeginning { found: String, meant: Subnet },
}

impl Subnet {
    pub fn contains(&self, address: Ipv4Addr) -> bool {
        masked(address, self.prefix) == self.base
    }

    /// Whether every address of `part` is one of this subnet.
    pub fn covers(&self, part: &Self) -> bool {
        part.prefix >= self.prefix && self.contains(part.base)
    }

    /// The addresses a terminal can have: without that of the network and that of its broadcast, where it has them.
    pub fn hosts(&self) -> impl Iterator<Item = Ipv4Addr> + use<> {
        let first = u32::from(self.base);
        let last = first | !mask(self.prefix);
        let spared = u32::from(self.prefix < 31);
        (first + spared..=last - spared).map(Ipv4Addr::from)
    }
}

fn mask(prefix: u8) -> u32 {
    u32::MAX.checked_shl(32 - u32::from(prefix)).unwrap_or(0)
}

fn masked(address: Ipv4Addr, prefix: u8) -> Ipv4Addr {
    Ipv4Addr::from(u32::from(address) & mask(prefix))
}

impl FromStr for Subnet {
    type Err = SubnetError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        let syntax = || SubnetError::Syntax(text.to_owned());
        let (address, prefix) = text.split_once('/').unwrap_or((text, "32"));
        if address.parse::<Ipv6Addr>().is_ok() {
            return Err(SubnetError::Ipv6(text.to_owned()));
        }
        let address: Ipv4Addr = address.parse().map_err(|_| syntax())?;
        let prefix: u8 = prefix.parse().map_err(|_| syntax())?;
        if prefix > 32 {
            return Err(syntax());
        }
        let private = PRIVATE
            .iter()
            .any(|(network, length)| masked(address, *length) == *network);
        if !private {
            return Err(SubnetError::Public(text.to_owned()));
        }
        if prefix < WIDEST {
            return Err(SubnetError::TooLarge(text.to_owned()));
        }
        let subnet = Self {
            base: masked(address, prefix),
            prefix,
        };
        if subnet.base != address {
            return Err(SubnetError::NotItsBeginning {
                found: text.to_owned(),
                meant: subnet,
            });
        }
        Ok(subnet)
    }
}

impl fmt::Display for Subnet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.base, self.prefix)
    }
}

impl TryFrom<String> for Subnet {
    type Error = SubnetError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Subnet> for String {
    fn from(subnet: Subnet) -> Self {
        subnet.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subnet(text: &str) -> Subnet {
        text.parse().expect("a subnet")
    }

    #[test]
    fn hosts_of_subnets() {
        #[track_caller]
        fn check(text: &str, count: usize, first: &str, last: &str) {
            let hosts: Vec<_> = subnet(text).hosts().collect();
            let ends = [hosts[0], hosts[hosts.len() - 1]].map(|host| host.to_string());
            assert_eq!(
                (hosts.len(), ends),
                (count, [first, last].map(str::to_owned))
            );
        }
        check("10.0.0.0/24", 254, "10.0.0.1", "10.0.0.254");
        check("172.31.240.0/20", 4094, "172.31.240.1", "172.31.255.254");
        check("192.168.1.8/30", 2, "192.168.1.9", "192.168.1.10");
        check("192.168.1.8/31", 2, "192.168.1.8", "192.168.1.9");
        check(" 127.0.0.1 ", 1, "127.0.0.1", "127.0.0.1");
    }

    #[test]
    fn only_small_private_networks_are_subnets() {
        #[track_caller]
        fn check(text: &str, part: &str) {
            let error = text.parse::<Subnet>().expect_err("no subnet").to_string();
            assert!(error.contains(part) && error.contains(text), "{error}");
        }
        for text in [
            "",
            "10.0.0",
            "10.0.0.0/33",
            "10.0.0.0/-1",
            "10.0.0.0/24/1",
            "gate/24",
        ] {
            check(text, "is no subnet");
        }
        for text in ["fd00::/120", "::1", "fe80::1/64"] {
            check(text, "only IPv4");
        }
        for text in [
            "8.8.8.0/24",
            "172.32.0.0/24",
            "172.15.255.0/24",
            "192.169.0.0/24",
            "11.0.0.1",
            "0.0.0.0/0",
            "100.64.0.0/24",
            "224.0.0.0/24",
        ] {
            check(text, "is not private");
        }
        for text in ["10.0.0.0/8", "192.168.0.0/16", "10.0.0.0/19"] {
            check(text, "more than 4096");
        }
        check("10.0.0.5/24", "did you mean 10.0.0.0/24?");
    }

    #[test]
    fn parts_of_a_subnet() {
        let office = subnet("10.0.0.0/24");
        let covers = |text| office.covers(&subnet(text));
        assert!(covers("10.0.0.0/24") && covers("10.0.0.128/25") && covers("10.0.0.255"));
        assert!(!covers("10.0.0.0/23") && !covers("10.0.1.0/24") && !covers("10.0.1.0"));
    }
}

//! The server a terminal is told to call.

use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;

/// Host, port and path of the server, as an installer types them: `http://10.0.0.5:8081/secret`. Scheme, port (80) and path
/// may be left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    pub(super) authority: String,
    pub(super) prefix: String,
}

impl From<SocketAddr> for Server {
    fn from(addr: SocketAddr) -> Self {
        Self {
            authority: addr.to_string(),
            prefix: String::new(),
        }
    }
}

impl FromStr for Server {
    type Err = NoServer;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let rest = text.strip_prefix("http://").unwrap_or(text);
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let blank = |c: char| c.is_whitespace() || c.is_control();
        if authority.is_empty() || rest.contains("://") || rest.contains(blank) {
            return Err(NoServer(text.to_owned()));
        }
        let has_port = authority
            .rsplit_once(':')
            .is_some_and(|(_, port)| port.parse::<u16>().is_ok());
        let port = if has_port { "" } else { ":80" };
        let path = path.trim_matches('/');
        Ok(Self {
            authority: format!("{authority}{port}"),
            prefix: match path {
                "" => String::new(),
                path => format!("/{path}"),
            },
        })
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "http://{}{}", self.authority, self.prefix)
    }
}

/// The text is no address of a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoServer(String);

impl fmt::Display for NoServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "no server: {}; write http://HOST:PORT, or http://HOST:PORT/PATH",
            self.0
        )
    }
}

impl std::error::Error for NoServer {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scheme_port_and_path_may_be_left_out() {
        check("10.0.0.5", "http://10.0.0.5:80");
        check("http://muster.lan:8081/", "http://muster.lan:8081");
        check(
            "10.0.0.5:8081/site/secret/",
            "http://10.0.0.5:8081/site/secret",
        );
        check("http://[::1]:8081", "http://[::1]:8081");
        for text in ["", "https://a:1", "http://", "a b"] {
            assert!(text.parse::<Server>().is_err(), "{text}");
        }
    }

    #[track_caller]
    fn check(text: &str, expected: &str) {
        assert_eq!(text.parse::<Server>().unwrap().to_string(), expected);
    }
}

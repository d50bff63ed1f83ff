//! TLS with a terminal: which certificate it may show, and which it showed.
//!
//! A terminal signs its certificate itself, so no authority can vouch for it. Known is only that it is the same one as before.

use std::fmt;
use std::io;
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    AlertDescription, CertificateError, ClientConfig, DigitallySignedStruct, SignatureScheme,
};
use sha2::{Digest, Sha256};

use crate::TerminalError;

/// The sha256 of a certificate. Written `sha256:` and 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct CertificatePin([u8; 32]);

impl CertificatePin {
    fn of(certificate: &CertificateDer<'_>) -> Self {
        Self(Sha256::digest(certificate.as_ref()).into())
    }
}

impl fmt::Display for CertificatePin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("sha256:")?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for CertificatePin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// Why a text is no fingerprint of a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a certificate fingerprint is sha256: and 64 hexadecimal digits")]
pub struct NoPin;

impl FromStr for CertificatePin {
    type Err = NoPin;

    /// In any case, and with the colons between bytes that openssl and browsers write.
    fn from_str(text: &str) -> Result<Self, NoPin> {
        let lower = text.trim().to_ascii_lowercase();
        let digits = lower.strip_prefix("sha256:").ok_or(NoPin)?;
        let digits: Vec<u8> = digits.bytes().filter(|byte| *byte != b':').collect();
        let mut pin = [0; 32];
        if digits.len() != 2 * pin.len() {
            return Err(NoPin);
        }
        for (byte, pair) in pin.iter_mut().zip(digits.chunks_exact(2)) {
            let pair = std::str::from_utf8(pair).map_err(|_| NoPin)?;
            if !pair.bytes().all(|digit| digit.is_ascii_hexdigit()) {
                return Err(NoPin);
            }
            *byte = u8::from_str_radix(pair, 16).map_err(|_| NoPin)?;
        }
        Ok(Self(pin))
    }
}

/// Which certificate a terminal may show.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CertificateTrust {
    /// Any; whoever connects keeps it, and pins it from then on.
    #[default]
    FirstUse,
    Pinned(CertificatePin),
    /// Any, for ever: somebody has said so.
    Any,
}

/// What the connections to one terminal share: sessions are resumed, and which certificate it showed.
#[derive(Clone, Debug)]
pub(crate) struct Tls {
    pub(crate) trust: CertificateTrust,
    config: Arc<ClientConfig>,
    shown: Shown,
}

#[derive(Clone, Debug, Default)]
struct Shown(Arc<Mutex<Option<CertificatePin>>>);

impl Tls {
    pub(crate) fn new(trust: CertificateTrust) -> Self {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let shown = Shown::default();
        let verifier = Verifier {
            trust,
            shown: shown.clone(),
            provider: Arc::clone(&provider),
        };
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("ring supports the default protocol versions")
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier))
            .with_no_client_auth();
        Self {
            trust,
            config: Arc::new(config),
            shown,
        }
    }

    pub(crate) fn config(&self) -> ClientConfig {
        ClientConfig::clone(&self.config)
    }

    /// What a failed handshake means to whoever has to do something about it.
    pub(crate) fn failure(&self, address: &str, error: &rustls::Error) -> TerminalError {
        use AlertDescription::{HandshakeFailure, InsufficientSecurity, ProtocolVersion};
        match (self.trust, self.shown(), error) {
            (
                CertificateTrust::Pinned(expected),
                Some(found),
                rustls::Error::InvalidCertificate(_),
            ) if expected != found => TerminalError::OtherCertificate { expected, found },
            (
                _,
                _,
                rustls::Error::AlertReceived(
                    HandshakeFailure | InsufficientSecurity | ProtocolVersion,
                )
                | rustls::Error::PeerIncompatible(_),
            ) => TerminalError::TlsTooOld {
                address: address.to_owned(),
                detail: error.to_string(),
            },
            _ => TerminalError::Tls {
                address: address.to_owned(),
                source: io::Error::new(io::ErrorKind::InvalidData, error.to_string()),
            },
        }
    }

    /// The certificate of the last handshake that got so far.
    pub(crate) fn shown(&self) -> Option<CertificatePin> {
        *self.shown.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Compares the certificate itself instead of who vouches for it: name, dates and issuer are the factory's.
#[derive(Debug)]
struct Verifier {
    trust: CertificateTrust,
    shown: Shown,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let shown = CertificatePin::of(certificate);
        *self.shown.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(shown);
        match self.trust {
            CertificateTrust::Pinned(pin) if pin != shown => Err(
                rustls::Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure),
            ),
            _ => Ok(ServerCertVerified::assertion()),
        }
    }

    // Without these anybody could show a certificate that was seen on the network.
    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_is_read_as_people_copy_it() {
        let digits = "0123456789abcdef".repeat(4);
        let pin: CertificatePin = format!("sha256:{digits}").parse().expect("a fingerprint");
        assert_eq!(pin.to_string(), format!("sha256:{digits}"));
        let pairs: Vec<String> = digits
            .to_uppercase()
            .as_bytes()
            .chunks(2)
            .map(|pair| String::from_utf8_lossy(pair).into_owned())
            .collect();
        assert_eq!(format!("SHA256:{}", pairs.join(":")).parse(), Ok(pin));
    }

    #[test]
    fn what_is_no_fingerprint() {
        for text in [
            String::new(),
            "0123456789abcdef".repeat(4),
            "sha256:".to_owned(),
            format!("sha256:{}", "0123456789abcdef".repeat(3)),
            format!("sha256:{}+1", "ab".repeat(31)),
            format!("sha1:{}", "ab".repeat(32)),
        ] {
            assert_eq!(text.parse::<CertificatePin>(), Err(NoPin), "{text}");
        }
    }
}

//! HTTPS with a certificate as from the factory: signed by itself, for a name nobody asks for.

use std::io;
use std::sync::Arc;

use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use rustls::server::NoServerSessionStorage;
use sha2::{Digest, Sha256};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::fault::Fault;

/// A self-signed certificate with its key. Cloning shares it, as units of one batch do.
#[derive(Clone)]
pub struct Certificate {
    config: Arc<ServerConfig>,
    fingerprint: String,
}

impl Certificate {
    /// A new key and certificate for this name.
    ///
    /// # Errors
    ///
    /// The system has no random numbers.
    pub fn self_signed(name: &str) -> io::Result<Self> {
        let other = |error: &dyn std::fmt::Display| io::Error::other(error.to_string());
        let random = SystemRandom::new();
        let algorithm = &ECDSA_P256_SHA256_ASN1_SIGNING;
        let key =
            EcdsaKeyPair::generate_pkcs8(algorithm, &random).map_err(|error| other(&error))?;
        let pair = EcdsaKeyPair::from_pkcs8(algorithm, key.as_ref(), &random)
            .map_err(|error| other(&error))?;
        let to_sign = to_be_signed(name, pair.public_key().as_ref());
        let signature = pair
            .sign(&random, &to_sign)
            .map_err(|error| other(&error))?;
        let der = sequence(&[
            &to_sign,
            &sequence(&[ECDSA_WITH_SHA256]),
            &bits(signature.as_ref()),
        ]);
        let fingerprint = Sha256::digest(&der)
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .and_then(|builder| {
                let key = PrivatePkcs8KeyDer::from(key.as_ref().to_vec());
                builder
                    .with_no_client_auth()
                    .with_single_cert(vec![CertificateDer::from(der)], key.into())
            })
            .map_err(|error| other(&error))?;
        // Each connection shows the certificate, and a thousand idle ones stay small.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        Ok(Self {
            config: Arc::new(config),
            fingerprint,
        })
    }

    /// SHA-256 of the certificate in DER, in lower-case hexadecimal without separators.
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    pub(super) fn acceptor(&self) -> tokio_rustls::TlsAcceptor {
        self.config.clone().into()
    }
}

impl std::fmt::Debug for Certificate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Certificate")
            .field("fingerprint", &self.fingerprint)
            .finish_non_exhaustive()
    }
}

/// Takes the greeting of a client and fails the handshake as old units do.
pub(super) async fn fail_handshake(stream: &mut TcpStream, fault: &Fault) -> io::Result<()> {
    const PROTOCOL_VERSION: u8 = 70;
    const HANDSHAKE_FAILURE: u8 = 40;
    let mut header = [0; 5];
    stream.read_exact(&mut header).await?;
    let length = u16::from_be_bytes([header[3], header[4]]);
    stream.read_exact(&mut vec![0; usize::from(length)]).await?;
    let description = match fault {
        Fault::OldTls => PROTOCOL_VERSION,
        Fault::OldCiphers => HANDSHAKE_FAILURE,
        _ => return std::future::pending().await,
    };
    // An alert, fatal, in a record of TLS 1.0.
    let alert = [0x15, 0x03, 0x01, 0x00, 0x02, 0x02, description];
    stream.write_all(&alert).await?;
    stream.shutdown().await
}

// The little DER of a certificate, X.509 version 3 as in RFC 5280 section 4.1.

const ECDSA_WITH_SHA256: &[u8] = &[0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02];
const EC_PUBLIC_KEY: &[u8] = &[0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];
const PRIME256V1: &[u8] = &[0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
const COMMON_NAME: &[u8] = &[0x06, 0x03, 0x55, 0x04, 0x03];

fn to_be_signed(name: &str, public_key: &[u8]) -> Vec<u8> {
    let version = tagged(0xa0, &[&[0x02, 0x01, 0x02]]);
    let serial = tagged(0x02, &[&Sha256::digest(public_key)[..8], &[1]]);
    let mut serial = serial;
    // Positive: the first bit of its first byte is not set.
    serial[2] = serial[2] & 0x7f | 0x40;
    let name = tagged(0x0c, &[name.as_bytes()]);
    let name = sequence(&[&tagged(0x31, &[&sequence(&[COMMON_NAME, &name])])]);
    let validity = sequence(&[
        &tagged(0x17, &[b"200101000000Z"]),
        &tagged(0x17, &[b"491231235959Z"]),
    ]);
    let key = sequence(&[&sequence(&[EC_PUBLIC_KEY, PRIME256V1]), &bits(public_key)]);
    let algorithm = sequence(&[ECDSA_WITH_SHA256]);
    sequence(&[&version, &serial, &algorithm, &name, &validity, &name, &key])
}

fn sequence(parts: &[&[u8]]) -> Vec<u8> {
    tagged(0x30, parts)
}

fn bits(bytes: &[u8]) -> Vec<u8> {
    tagged(0x03, &[&[0], bytes])
}

fn tagged(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let body = parts.concat();
    let mut der = vec![tag];
    match body.len() {
        length @ 0..=0x7f => der.push(length as u8),
        length @ 0x80..=0xff => der.extend([0x81, length as u8]),
        length => der.extend([0x82, (length >> 8) as u8, length as u8]),
    }
    der.extend(body);
    der
}

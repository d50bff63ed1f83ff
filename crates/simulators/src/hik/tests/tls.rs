//! HTTPS as a client sees it.

use std::sync::{Arc, Mutex};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, SignatureScheme};
use sha2::{Digest, Sha256};
use tokio_rustls::TlsConnector;

use super::*;

/// Takes any certificate, checks that its owner holds the key, and remembers its fingerprint.
#[derive(Debug)]
struct Notes {
    provider: Arc<CryptoProvider>,
    seen: Mutex<Option<String>>,
}

impl ServerCertVerifier for Notes {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let digest = Sha256::digest(certificate);
        let text = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        *self.seen.lock().unwrap() = Some(text);
        Ok(ServerCertVerified::assertion())
    }

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

/// What comes back for an unsigned request over HTTPS, and the fingerprint that was shown.
async fn ask(terminal: &RunningTerminal) -> io::Result<(Vec<u8>, String)> {
    let provider = Arc::new(ring::default_provider());
    let notes = Arc::new(Notes {
        provider: provider.clone(),
        seen: Mutex::new(None),
    });
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(notes.clone())
        .with_no_client_auth();
    let stream = TcpStream::connect(terminal.addr()).await?;
    let name = ServerName::try_from("terminal.example").unwrap();
    let mut stream = TlsConnector::from(Arc::new(config))
        .connect(name, stream)
        .await?;
    stream
        .write_all(request("GET", INFO, None, "").as_bytes())
        .await?;
    let mut bytes = Vec::new();
    // The terminal closes without saying so in TLS.
    match stream.read_to_end(&mut bytes).await {
        Err(error) if error.kind() != io::ErrorKind::UnexpectedEof => return Err(error),
        _ => {}
    }
    let seen = notes.seen.lock().unwrap().take();
    Ok((bytes, seen.unwrap()))
}

#[tokio::test]
async fn https_shows_a_certificate_of_its_own_that_can_change() {
    let terminal = start(entrance().https()).await;
    let (answer, first) = ask(&terminal).await.unwrap();
    assert_eq!(response(&answer).status, 401);
    assert_eq!(terminal.fingerprint(), Some(first.clone()));
    terminal.change_certificate().unwrap();
    let (_, second) = ask(&terminal).await.unwrap();
    assert_ne!(first, second);
    assert_eq!(terminal.fingerprint(), Some(second));
    assert_eq!(start(entrance()).await.fingerprint(), None);

    let shared = Certificate::self_signed("batch").unwrap();
    for _ in 0..2 {
        let terminal = start(entrance().certificate(shared.clone())).await;
        assert_eq!(ask(&terminal).await.unwrap().1, shared.fingerprint());
    }
    // Plain HTTP is not understood there.
    let plain = exchange(&terminal, &request("GET", INFO, None, "")).await;
    assert!(!plain.starts_with(b"HTTP"));
}

#[tokio::test]
async fn old_tls_is_refused_with_the_alert_of_its_time() {
    use rustls::{AlertDescription, Error};
    for (fault, expected) in [
        (Fault::OldTls, AlertDescription::ProtocolVersion),
        (Fault::OldCiphers, AlertDescription::HandshakeFailure),
    ] {
        let terminal = start(entrance().https().fault(fault)).await;
        let error = ask(&terminal).await.unwrap_err();
        let inner = error.into_inner().unwrap();
        let alert = inner.downcast_ref::<Error>();
        assert_eq!(alert, Some(&Error::AlertReceived(expected)));
        terminal.clear_faults();
        assert!(ask(&terminal).await.is_ok());
    }
    let terminal = start(entrance().https().fault(Fault::SilentTls)).await;
    assert!(
        timeout(Duration::from_millis(200), ask(&terminal))
            .await
            .is_err()
    );
    // Without HTTPS there is no handshake to fail.
    let plain = start(entrance().fault(Fault::OldTls)).await;
    assert_eq!(get(&plain, INFO).await.status, 200);
}

//! Device passwords and other secrets at rest, the key file that seals them, and random one-time tokens.
//!
//! A sealed value is `KEY_ID.BASE64(nonce ‖ XChaCha20-Poly1305)`, bound to its table, row and column: copied elsewhere it
//! does not open. The key is a file beside the configuration, never in the database.

use std::fmt;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chacha20poly1305::aead::{Aead as _, KeyInit as _, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use sha2::{Digest as _, Sha256};

use crate::{Store, StoreError, call_places, commands, fingerprints, kept_uploads, sql};

const KEY_LEN: usize = 32;
const NONCE_LEN: usize = 24;

#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    #[error("passwords or fingerprints are stored, but there is no secret key to open them")]
    NoKey,
    /// Sealed by another key than ours. The ids are no secrets.
    #[error("sealed with the key {found}, but the key at hand is {expected}")]
    WrongKey { expected: String, found: String },
    /// Our key, but the value was changed or moved from its row.
    #[error("the sealed {column} of {table} {row} is damaged")]
    Damaged {
        table: &'static str,
        row: i64,
        column: &'static str,
    },
    #[error("{} is no key file", path.display())]
    NoKeyFile { path: PathBuf },
    #[error("the key file {} cannot be {verb}", path.display())]
    File {
        path: PathBuf,
        verb: &'static str,
        #[source]
        source: std::io::Error,
    },
}

/// Text that is never printed: a password, a comm key.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself. Not for messages.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// Where a sealed value stands; it opens nowhere else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    pub table: &'static str,
    pub row: i64,
    pub column: &'static str,
}

impl Place {
    fn bytes(self) -> Vec<u8> {
        format!("{}:{}:{}", self.table, self.row, self.column).into_bytes()
    }

    fn damaged(self) -> SecretError {
        SecretError::Damaged {
            table: self.table,
            row: self.row,
            column: self.column,
        }
    }
}

/// The key that seals. Never printed.
pub struct SecretKey {
    bytes: [u8; KEY_LEN],
    /// The first bytes of its SHA-256, in hex: says which key sealed a value, and nothing more.
    pub(crate) id: String,
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretKey({})", self.id)
    }
}

impl SecretKey {
    pub fn generate() -> Self {
        Self::from_bytes(random_bytes())
    }

    fn from_bytes(bytes: [u8; KEY_LEN]) -> Self {
        let id = hex(&Sha256::digest(bytes)[..4]);
        Self { bytes, id }
    }

    /// Writes a new key to a new file that only its owner can read. An existing file is never overwritten.
    pub fn create_file(path: &Path) -> Result<Self, SecretError> {
        let key = Self::generate();
        let mut options = std::fs::OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        options
            .open(path)
            .and_then(|mut file| {
                writeln!(file, "{}", URL_SAFE_NO_PAD.encode(key.bytes))?;
                file.sync_all()
            })
            .map_err(|source| SecretError::File {
                path: path.to_owned(),
                verb: "written",
                source,
            })?;
        Ok(key)
    }

    /// Reads a file made by [`SecretKey::create_file`].
    pub fn read_file(path: &Path) -> Result<Self, SecretError> {
        let text = std::fs::read_to_string(path).map_err(|source| SecretError::File {
            path: path.to_owned(),
            verb: "read",
            source,
        })?;
        URL_SAFE_NO_PAD
            .decode(text.trim())
            .ok()
            .and_then(|bytes| bytes.try_into().ok())
            .map(Self::from_bytes)
            .ok_or_else(|| SecretError::NoKeyFile {
                path: path.to_owned(),
            })
    }

    pub fn seal(&self, place: Place, plain: &Secret) -> String {
        let nonce: [u8; NONCE_LEN] = random_bytes();
        let payload = Payload {
            msg: plain.expose().as_bytes(),
            aad: &place.bytes(),
        };
        let mut sealed = nonce.to_vec();
        sealed.extend(
            self.cipher()
                .encrypt(XNonce::from_slice(&nonce), payload)
                .expect("a short text can always be sealed"),
        );
        format!("{}.{}", self.id, URL_SAFE_NO_PAD.encode(sealed))
    }

    /// # Errors
    /// [`SecretError::WrongKey`] when another key sealed it, [`SecretError::Damaged`] when it was changed or moved.
    pub fn unseal(&self, place: Place, sealed: &str) -> Result<Secret, SecretError> {
        let (id, body) = sealed.split_once('.').ok_or_else(|| place.damaged())?;
        if id != self.id {
            return Err(SecretError::WrongKey {
                expected: self.id.clone(),
                found: id.to_owned(),
            });
        }
        let body = URL_SAFE_NO_PAD.decode(body).ok();
        let (nonce, msg) = body
            .as_deref()
            .and_then(|body| body.split_at_checked(NONCE_LEN))
            .ok_or_else(|| place.damaged())?;
        let payload = Payload {
            msg,
            aad: &place.bytes(),
        };
        self.cipher()
            .decrypt(XNonce::from_slice(nonce), payload)
            .ok()
            .and_then(|plain| String::from_utf8(plain).ok())
            .map(Secret)
            .ok_or_else(|| place.damaged())
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new(&self.bytes.into())
    }
}

/// 128 random bits as URL-safe text: one-time links, sessions, names of leases.
pub fn random_token() -> String {
    URL_SAFE_NO_PAD.encode(random_bytes::<16>())
}

/// Tells things apart that live at the same time. Short, because it stands in many rows, and no secret.
pub fn random_name() -> String {
    URL_SAFE_NO_PAD.encode(random_bytes::<6>())
}

/// What is stored in place of a token: whoever reads the database cannot use it.
pub(crate) fn token_hash(token: &str) -> String {
    hex(&Sha256::digest(token))
}

/// SHA-256 as lower-case hex.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn random_bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("the operating system gives random numbers");
    bytes
}

impl Store {
    /// Whether every sealed value opens with the key of this store. A server must not start when it fails: it would refuse
    /// device after device for a fault of its own.
    pub async fn check_secret_key(&self) -> Result<(), StoreError> {
        let rows = sql::all(
            self.read(),
            "SELECT id, password_sealed, comm_key_sealed FROM devices \
             WHERE password_sealed IS NOT NULL OR comm_key_sealed IS NOT NULL",
            [],
        )
        .await?;
        for row in rows {
            let id = row.try_get_by_index(0)?;
            for (at, column) in [(1, "password"), (2, "comm_key")] {
                let sealed: Option<String> = row.try_get_by_index(at)?;
                let place = Place {
                    table: "devices",
                    row: id,
                    column,
                };
                self.unseal(place, sealed.as_deref())?;
            }
        }
        for (sealed, place) in [
            (
                "sealed FROM fingerprint_backups",
                fingerprints::place as fn(i64) -> Place,
            ),
            ("sealed FROM kept_uploads", kept_uploads::place),
            (
                "secret_sealed AS sealed FROM device_commands WHERE secret_sealed IS NOT NULL",
                commands::place,
            ),
            (
                "token_sealed AS sealed FROM (SELECT device_id AS id, token_sealed FROM call_places) AS places",
                call_places::place,
            ),
        ] {
            self.check_key_of(sealed, place).await?;
        }
        Ok(())
    }

    /// Opens one value that another key sealed, if there is one: these are too many to open all.
    async fn check_key_of(&self, sealed: &str, place: fn(i64) -> Place) -> Result<(), StoreError> {
        let ours = self
            .key()
            .map_or(String::new(), |key| format!("{}.", key.id));
        let other = sql::one(
            self.read(),
            &format!(
                "SELECT id, sealed FROM (SELECT id, {sealed}) AS rows_of_it \
                 WHERE substr(sealed, 1, length($1)) <> $1 OR $1 = '' LIMIT 1"
            ),
            [ours.into()],
        )
        .await?;
        if let Some(other) = other {
            let sealed: String = other.try_get_by_index(1)?;
            self.unseal(place(other.try_get_by_index(0)?), Some(&sealed))?;
        }
        Ok(())
    }

    pub(crate) fn unseal(
        &self,
        place: Place,
        sealed: Option<&str>,
    ) -> Result<Option<Secret>, SecretError> {
        match (sealed, self.key()) {
            (None, _) => Ok(None),
            (Some(_), None) => Err(SecretError::NoKey),
            (Some(sealed), Some(key)) => Ok(Some(key.unseal(place, sealed)?)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLACE: Place = Place {
        table: "devices",
        row: 7,
        column: "password",
    };

    #[test]
    fn a_sealed_value_opens_in_its_place_only() {
        let key = SecretKey::generate();
        let sealed = key.seal(PLACE, &Secret::new("s3cret"));
        assert!(!sealed.contains("s3cret"));
        assert_eq!(key.unseal(PLACE, &sealed).unwrap().expose(), "s3cret");
        for elsewhere in [
            Place { row: 8, ..PLACE },
            Place {
                column: "comm_key",
                ..PLACE
            },
            Place {
                table: "accounts",
                ..PLACE
            },
        ] {
            let opened = key.unseal(elsewhere, &sealed);
            assert!(matches!(opened, Err(SecretError::Damaged { .. })));
        }
    }

    #[test]
    fn the_same_text_is_sealed_differently_each_time() {
        let key = SecretKey::generate();
        let plain = Secret::new("0");
        assert_ne!(key.seal(PLACE, &plain), key.seal(PLACE, &plain));
    }

    #[test]
    fn another_key_is_named_and_a_changed_value_is_damaged() {
        let (key, other) = (SecretKey::generate(), SecretKey::generate());
        let sealed = key.seal(PLACE, &Secret::new("s3cret"));
        assert!(matches!(
            other.unseal(PLACE, &sealed),
            Err(SecretError::WrongKey { expected, found }) if expected == other.id && found == key.id
        ));
        for damaged in [
            "".to_owned(),
            key.id.clone() + ".",
            key.id.clone() + ".AAAA",
            sealed.clone() + "AA",
            sealed[..sealed.len() - 4].to_owned(),
        ] {
            let opened = key.unseal(PLACE, &damaged);
            assert!(
                matches!(opened, Err(SecretError::Damaged { .. })),
                "{damaged}"
            );
        }
    }

    #[test]
    fn the_key_file_is_private_and_never_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("muster.key");
        let key = SecretKey::create_file(&path).unwrap();
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = std::fs::metadata(&path).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
        assert_eq!(SecretKey::read_file(&path).unwrap().bytes, key.bytes);
        assert!(matches!(
            SecretKey::create_file(&path),
            Err(SecretError::File { .. })
        ));
        std::fs::write(&path, "no key").unwrap();
        assert!(matches!(
            SecretKey::read_file(&path),
            Err(SecretError::NoKeyFile { .. })
        ));
    }

    #[test]
    fn secrets_are_not_printed() {
        let key = SecretKey::generate();
        let shown = format!("{:?} {key:?}", Secret::new("s3cret"));
        assert!(!shown.contains("s3cret"), "{shown}");
        assert!(
            !shown.contains(&URL_SAFE_NO_PAD.encode(key.bytes)),
            "{shown}"
        );
    }
}

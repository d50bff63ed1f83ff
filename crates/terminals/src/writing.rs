//! Changes at a terminal, in words that hold for every brand: what to write, what was read back, and how it can fail.

use std::fmt;
use std::time::Duration;

use attendance::DeviceUserId;
use zk_proto::control::DoorUnit;

use crate::{Terminal, TerminalError};

/// What a device user may do at the terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Privilege {
    User,
    /// May enrol others.
    Enroller,
    Manager,
    Admin,
}

impl Privilege {
    pub const ALL: &'static [Self] = &[Self::User, Self::Enroller, Self::Manager, Self::Admin];

    pub fn from_name(name: &str) -> Option<Self> {
        let mut all = Self::ALL.iter().copied();
        all.find(|privilege| privilege.as_str() == name)
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Enroller => "enroller",
            Self::Manager => "manager",
            Self::Admin => "admin",
        }
    }
}

/// How a device user is to be. `None` keeps what is there; a new user gets no name, card or password and is a plain user.
#[derive(Clone, PartialEq, Eq)]
pub struct UserChange {
    pub id: DeviceUserId,
    pub name: Option<String>,
    pub privilege: Option<Privilege>,
    /// 0 takes the card away.
    pub card: Option<u32>,
    /// For the keypad; an empty one takes it away.
    pub password: Option<String>,
}

impl UserChange {
    /// Nothing but that there is such a user.
    pub fn none(id: DeviceUserId) -> Self {
        Self {
            id,
            name: None,
            privilege: None,
            card: None,
            password: None,
        }
    }
}

impl fmt::Debug for UserChange {
    /// Without the password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UserChange")
            .field("id", &self.id)
            .field("name", &self.name)
            .field("privilege", &self.privilege)
            .field("card", &self.card)
            .finish_non_exhaustive()
    }
}

/// What a write did to a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    Created,
    Changed,
    /// They were so already, and nothing was written.
    AlreadySo,
}

/// What a write did, and the user as they were read back afterwards.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    pub effect: Effect,
    pub user: UserDetails,
}

/// A device user in the terminal's list, with what only matters to who writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserDetails {
    pub id: DeviceUserId,
    pub name: String,
    /// `None` for one that has no name with us.
    pub privilege: Option<Privilege>,
    /// The terminal does not let them in.
    pub disabled: bool,
    pub card: Option<String>,
    pub has_password: bool,
}

/// Fingerprints of one device user. Only a terminal of the same algorithm understands them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fingerprints {
    /// As the terminal calls it; `None` when it does not tell.
    pub algorithm: Option<String>,
    pub fingers: Vec<Fingerprint>,
}

#[derive(Clone, PartialEq, Eq)]
pub struct Fingerprint {
    /// 0 to 9.
    pub finger: u8,
    pub kind: FingerKind,
    pub template: Vec<u8>,
}

impl fmt::Debug for Fingerprint {
    /// Without the template: it is biometric data.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fingerprint")
            .field("finger", &self.finger)
            .field("kind", &self.kind)
            .field("len", &self.template.len())
            .finish()
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FingerKind {
    Valid,
    /// Opens the door and raises an alarm.
    Duress,
    Invalid,
}

impl FingerKind {
    const ALL: [Self; 3] = [Self::Valid, Self::Duress, Self::Invalid];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Valid => "valid",
            Self::Duress => "duress",
            Self::Invalid => "invalid",
        }
    }

    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }
}

/// Why something was not written, or not as asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WriteError {
    /// Nothing was sent.
    #[error("nothing was written: {detail}")]
    DoesNotFit { detail: String },
    #[error("the terminal has no user {id}")]
    NoSuchUser { id: DeviceUserId },
    #[error("the terminal has no finger {finger} of user {id}")]
    NoSuchFinger { id: DeviceUserId, finger: u8 },
    #[error(
        "nothing was written: the fingerprints are of algorithm {found} and the terminal has {own}"
    )]
    OtherAlgorithm { found: String, own: String },
    /// Read it again before it is cleared.
    #[error(
        "the log was not cleared: {expected} records are known to be read, and it holds {found}"
    )]
    LogChanged { expected: u32, found: u32 },
    /// It was written, and something else was read back.
    #[error("asked for {asked}, the terminal shows {shows}")]
    NotAsAsked { asked: String, shows: String },
    #[error("writing to {brand} terminals is not offered")]
    NotOffered { brand: &'static str },
}

impl WriteError {
    /// See [`TerminalError::reason`].
    pub fn reason(&self) -> &'static str {
        match self {
            Self::DoesNotFit { .. } => "write_does_not_fit",
            Self::NoSuchUser { .. } | Self::NoSuchFinger { .. } => "write_nobody",
            Self::OtherAlgorithm { .. } => "write_algorithm",
            Self::LogChanged { .. } => "write_log_changed",
            Self::NotAsAsked { .. } => "write_not_as_asked",
            Self::NotOffered { .. } => "write_not_offered",
        }
    }
}

impl Terminal {
    /// Creates or changes a device user, and compares the terminal's list afterwards: they are as asked, and nobody else
    /// changed.
    ///
    /// # Errors
    /// [`WriteError::DoesNotFit`] before anything is sent, [`WriteError::NotAsAsked`] after it; see [`TerminalError`]. After a
    /// time-out at the step `Write` it may be done or not: the user list tells.
    pub async fn set_user(&mut self, change: &UserChange) -> Result<Written, TerminalError> {
        match self {
            Self::Zk(terminal) => terminal.set_user(change).await,
            Self::Hik(_) => Err(not_offered()),
        }
    }

    /// Deletes a device user with everything that the terminal stores about them but their punches, and gives who it was.
    ///
    /// # Errors
    /// [`WriteError::NoSuchUser`]; otherwise as [`Self::set_user`].
    pub async fn delete_user(&mut self, id: &DeviceUserId) -> Result<UserDetails, TerminalError> {
        match self {
            Self::Zk(terminal) => terminal.delete_user(id).await,
            Self::Hik(_) => Err(not_offered()),
        }
    }

    /// The fingerprint algorithm; `None` when the terminal does not tell.
    ///
    /// # Errors
    /// See [`TerminalError`].
    pub async fn algorithm(&mut self) -> Result<Option<String>, TerminalError> {
        match self {
            Self::Zk(terminal) => terminal.algorithm().await,
            Self::Hik(_) => Err(not_offered()),
        }
    }

    /// The fingerprints of one user. Reads those of everybody, which can take a while.
    ///
    /// # Errors
    /// [`WriteError::NoSuchUser`]; see [`TerminalError`].
    pub async fn fingerprints(&mut self, id: &DeviceUserId) -> Result<Fingerprints, TerminalError> {
        match self {
            Self::Zk(terminal) => terminal.fingerprints(id).await,
            Self::Hik(_) => Err(not_offered()),
        }
    }

    /// The fingerprints of everybody who has any. Those of nobody in the user list are left out.
    ///
    /// # Errors
    /// See [`TerminalError`].
    pub async fn all_fingerprints(
        &mut self,
    ) -> Result<Vec<(DeviceUserId, Fingerprints)>, TerminalError> {
        match self {
            Self::Zk(terminal) => terminal.all_fingerprints().await,
            Self::Hik(_) => Err(not_offered()),
        }
    }

    /// Creates or changes a user together with these fingers, and compares users and fingerprints afterwards. Other fingers of
    /// the user stay.
    ///
    /// # Errors
    /// [`WriteError::OtherAlgorithm`], also when either terminal does not tell its own; otherwise as [`Self::set_user`].
    pub async fn write_fingerprints(
        &mut self,
        change: &UserChange,
        prints: &Fingerprints,
    ) -> Result<Written, TerminalError> {
        match self {
            Self::Zk(terminal) => terminal.write_fingerprints(change, prints).await,
            Self::Hik(_) => Err(not_offered()),
        }
    }

    /// Deletes one finger of a user, or all, and gives which.
    ///
    /// # Errors
    /// [`WriteError::NoSuchUser`], [`WriteError::NoSuchFinger`]; otherwise as [`Self::set_user`].
    pub async fn delete_fingerprints(
        &mut self,
        id: &DeviceUserId,
        finger: Option<u8>,
    ) -> Result<Vec<u8>, TerminalError> {
        match self {
            Self::Zk(terminal) => terminal.delete_fingerprints(id, finger).await,
            Self::Hik(_) => Err(not_offered()),
        }
    }

    /// Deletes the whole log if it holds exactly the `held` records that are known to be stored, and gives how many it holds
    /// now: 0, or the few that were made since.
    ///
    /// # Errors
    /// [`WriteError::LogChanged`] before anything is deleted, [`WriteError::NotAsAsked`] when nothing was; see
    /// [`TerminalError`].
    pub async fn clear_log(&mut self, held: u32) -> Result<u32, TerminalError> {
        match self {
            Self::Zk(terminal) => terminal.clear_log(held).await,
            Self::Hik(_) => Err(not_offered()),
        }
    }

    /// Restarts the terminal and ends the conversation. An answer, silence and a broken connection all mean that it does; that
    /// it answers again later is for the caller to see.
    ///
    /// # Errors
    /// See [`TerminalError`]; the conversation is ended then, too.
    pub async fn restart(self) -> Result<(), TerminalError> {
        match self {
            Self::Zk(terminal) => terminal.restart().await,
            Self::Hik(terminal) => {
                terminal.close().await;
                Err(not_offered())
            }
        }
    }

    /// Opens the door for a time, from a second to an hour. ZKTeco models count it in different units and do not tell in
    /// which; nothing can be read back.
    ///
    /// # Errors
    /// See [`TerminalError`].
    pub async fn unlock(&mut self, open: Duration, unit: DoorUnit) -> Result<(), TerminalError> {
        match self {
            Self::Zk(terminal) => terminal.unlock(open, unit).await,
            Self::Hik(_) => Err(not_offered()),
        }
    }

    /// Plays one of the terminal's voices. Nothing can be read back.
    ///
    /// # Errors
    /// See [`TerminalError`].
    pub async fn voice(&mut self, index: u32) -> Result<(), TerminalError> {
        match self {
            Self::Zk(terminal) => terminal.voice(index).await,
            Self::Hik(_) => Err(not_offered()),
        }
    }

    /// Writes a line of the screen. Nothing can be read back.
    ///
    /// # Errors
    /// [`WriteError::DoesNotFit`] when the terminal cannot write such characters; see [`TerminalError`].
    pub async fn show(&mut self, line: u16, text: &str) -> Result<(), TerminalError> {
        match self {
            Self::Zk(terminal) => terminal.show(line, text).await,
            Self::Hik(_) => Err(not_offered()),
        }
    }

    /// Takes away what [`Self::show`] wrote.
    ///
    /// # Errors
    /// See [`TerminalError`].
    pub async fn clear_screen(&mut self) -> Result<(), TerminalError> {
        match self {
            Self::Zk(terminal) => terminal.clear_screen().await,
            Self::Hik(_) => Err(not_offered()),
        }
    }
}

fn not_offered() -> TerminalError {
    let brand = crate::DeviceKind::Hik.brand();
    WriteError::NotOffered { brand }.into()
}

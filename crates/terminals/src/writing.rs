//! Changes at a terminal, in words that hold for every brand: what to write, what was read back, and how it can fail.

use std::fmt;
use std::time::Duration;

use attendance::DeviceUserId;
use jiff::civil::DateTime;
use zk_proto::control::DoorUnit;

use crate::{DeviceKind, Terminal, TerminalError};

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
    /// All they are to have; none takes them away.
    pub cards: Option<Vec<String>>,
    /// For the keypad; an empty one takes it away.
    pub password: Option<String>,
    /// From when on the terminal lets them in, in its wall time.
    pub valid_from: Option<Limit>,
    /// Until when.
    pub valid_until: Option<Limit>,
}

/// One end of the time in which a terminal lets somebody in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    At(DateTime),
    /// There is none.
    Never,
}

impl UserChange {
    /// Nothing but that there is such a user.
    pub fn none(id: DeviceUserId) -> Self {
        Self {
            id,
            name: None,
            privilege: None,
            cards: None,
            password: None,
            valid_from: None,
            valid_until: None,
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
            .field("cards", &self.cards)
            .field("valid_from", &self.valid_from)
            .field("valid_until", &self.valid_until)
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
    pub cards: Vec<String>,
    pub has_password: bool,
    /// In the terminal's wall time; `None` where there is no limit.
    pub valid_from: Option<DateTime>,
    pub valid_until: Option<DateTime>,
    /// `None` where the terminal does not tell.
    pub has_face: Option<bool>,
}

impl UserDetails {
    /// The cards as people read them; `None` when there are none.
    pub fn cards_text(&self) -> Option<String> {
        (!self.cards.is_empty()).then(|| self.cards.join(", "))
    }
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
    #[error("the terminal has no face of user {id}")]
    NoSuchFace { id: DeviceUserId },
    #[error(
        "nothing was written: the fingerprints are of algorithm {found} and the terminal has {own}"
    )]
    OtherAlgorithm { found: String, own: String },
    /// Read it again before it is cleared.
    #[error(
        "the log was not cleared: {expected} records are known to be read, and it holds {found}"
    )]
    LogChanged { expected: u32, found: u32 },
    #[error("the terminal takes no more ({said})")]
    Full { said: String },
    #[error("the account with which Muster signs in may not do this ({said})")]
    NotAllowed { said: String },
    #[error("card {card} belongs to somebody else")]
    CardTaken { card: String },
    #[error("user {id} was added at the terminal meanwhile")]
    AddedMeanwhile { id: DeviceUserId },
    #[error("the terminal cannot use the picture ({said})")]
    BadPicture { said: String },
    /// Nothing was written, for another reason; in the terminal's words.
    #[error("the terminal says {said}")]
    Refused { said: String },
    /// The first of several steps.
    #[error("{done}; then: {why}")]
    Partly { done: String, why: String },
    /// Whether it was written is not known.
    #[error("it may be written or not: {detail}")]
    Unsure { detail: String },
    #[error("the terminal says that it is written, and it could not be read back: {detail}")]
    NotReadBack { detail: String },
    /// It was written, and something else was read back.
    #[error("asked for {asked}, the terminal shows {shows}")]
    NotAsAsked { asked: String, shows: String },
    #[error("{brand} terminals do not offer this")]
    NotOffered { brand: &'static str },
}

impl WriteError {
    /// See [`TerminalError::reason`].
    pub fn reason(&self) -> &'static str {
        match self {
            Self::DoesNotFit { .. } => "write_does_not_fit",
            Self::NoSuchUser { .. } | Self::NoSuchFinger { .. } | Self::NoSuchFace { .. } => {
                "write_nobody"
            }
            Self::OtherAlgorithm { .. } => "write_algorithm",
            Self::LogChanged { .. } => "write_log_changed",
            Self::Full { .. } => "write_full",
            Self::NotAllowed { .. } => "write_not_allowed",
            Self::CardTaken { .. } => "write_card_taken",
            Self::AddedMeanwhile { .. } => "write_meanwhile",
            Self::BadPicture { .. } => "write_picture",
            Self::Refused { .. } => "write_refused",
            Self::Partly { .. } => "write_partly",
            Self::Unsure { .. } => "write_unsure",
            Self::NotReadBack { .. } => "write_not_read_back",
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
            Self::Hik(terminal) => terminal.set_user(change).await,
        }
    }

    /// Deletes a device user with everything that the terminal stores about them but their punches, and gives who it was.
    ///
    /// # Errors
    /// [`WriteError::NoSuchUser`]; otherwise as [`Self::set_user`].
    pub async fn delete_user(&mut self, id: &DeviceUserId) -> Result<UserDetails, TerminalError> {
        match self {
            Self::Zk(terminal) => terminal.delete_user(id).await,
            Self::Hik(terminal) => terminal.delete_user(id).await,
        }
    }

    /// Gives a user the face of a picture, in the place of the one they have, and gives the user as they are then. That there
    /// is a face can be read back, not whose.
    ///
    /// # Errors
    /// [`WriteError::DoesNotFit`] for what is no JPEG of at most 200 kB, [`WriteError::NoSuchUser`],
    /// [`WriteError::BadPicture`] when the terminal finds no face in it; otherwise as [`Self::set_user`].
    pub async fn set_face(
        &mut self,
        id: &DeviceUserId,
        picture: &[u8],
    ) -> Result<UserDetails, TerminalError> {
        match self {
            Self::Zk(_) => Err(not_offered(DeviceKind::Zk)),
            Self::Hik(terminal) => terminal.set_face(id, picture).await,
        }
    }

    /// Deletes the face of a user, and gives the user as they are then.
    ///
    /// # Errors
    /// [`WriteError::NoSuchUser`], [`WriteError::NoSuchFace`]; otherwise as [`Self::set_user`].
    pub async fn delete_face(&mut self, id: &DeviceUserId) -> Result<UserDetails, TerminalError> {
        match self {
            Self::Zk(_) => Err(not_offered(DeviceKind::Zk)),
            Self::Hik(terminal) => terminal.delete_face(id).await,
        }
    }

    /// The fingerprint algorithm; `None` when the terminal does not tell.
    ///
    /// # Errors
    /// See [`TerminalError`].
    pub async fn algorithm(&mut self) -> Result<Option<String>, TerminalError> {
        match self {
            Self::Zk(terminal) => terminal.algorithm().await,
            Self::Hik(_) => Err(not_offered(DeviceKind::Hik)),
        }
    }

    /// The fingerprints of one user. Reads those of everybody, which can take a while.
    ///
    /// # Errors
    /// [`WriteError::NoSuchUser`]; see [`TerminalError`].
    pub async fn fingerprints(&mut self, id: &DeviceUserId) -> Result<Fingerprints, TerminalError> {
        match self {
            Self::Zk(terminal) => terminal.fingerprints(id).await,
            Self::Hik(_) => Err(not_offered(DeviceKind::Hik)),
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
            Self::Hik(_) => Err(not_offered(DeviceKind::Hik)),
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
            Self::Hik(_) => Err(not_offered(DeviceKind::Hik)),
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
            Self::Hik(_) => Err(not_offered(DeviceKind::Hik)),
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
            Self::Hik(_) => Err(not_offered(DeviceKind::Hik)),
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
            Self::Hik(terminal) => terminal.restart().await,
        }
    }

    /// Opens the door, for a time from a second to an hour where [`DeviceKind::times_door`], otherwise for as long as the
    /// terminal is set to. ZKTeco models count the time in different units and do not tell in which. That the door moved
    /// cannot be read back.
    ///
    /// # Errors
    /// [`WriteError::NotAsAsked`] when the door is set to stay closed; see [`TerminalError`].
    pub async fn unlock(
        &mut self,
        open: Option<Duration>,
        unit: DoorUnit,
    ) -> Result<(), TerminalError> {
        match (self, open) {
            (Self::Zk(terminal), Some(open)) => terminal.unlock(open, unit).await,
            (Self::Hik(terminal), None) => terminal.unlock().await,
            (Self::Zk(_), None) => {
                Err(does_not_fit("for how long the door opens is missing").into())
            }
            (Self::Hik(_), Some(_)) => {
                Err(does_not_fit("the terminal itself decides for how long the door opens").into())
            }
        }
    }

    /// Plays one of the terminal's voices. Nothing can be read back.
    ///
    /// # Errors
    /// See [`TerminalError`].
    pub async fn voice(&mut self, index: u32) -> Result<(), TerminalError> {
        match self {
            Self::Zk(terminal) => terminal.voice(index).await,
            Self::Hik(_) => Err(not_offered(DeviceKind::Hik)),
        }
    }

    /// Writes a line of the screen. Nothing can be read back.
    ///
    /// # Errors
    /// [`WriteError::DoesNotFit`] when the terminal cannot write such characters; see [`TerminalError`].
    pub async fn show(&mut self, line: u16, text: &str) -> Result<(), TerminalError> {
        match self {
            Self::Zk(terminal) => terminal.show(line, text).await,
            Self::Hik(_) => Err(not_offered(DeviceKind::Hik)),
        }
    }

    /// Takes away what [`Self::show`] wrote.
    ///
    /// # Errors
    /// See [`TerminalError`].
    pub async fn clear_screen(&mut self) -> Result<(), TerminalError> {
        match self {
            Self::Zk(terminal) => terminal.clear_screen().await,
            Self::Hik(_) => Err(not_offered(DeviceKind::Hik)),
        }
    }
}

fn not_offered(kind: DeviceKind) -> TerminalError {
    let brand = kind.brand();
    WriteError::NotOffered { brand }.into()
}

pub(crate) fn does_not_fit(detail: impl ToString) -> WriteError {
    WriteError::DoesNotFit {
        detail: detail.to_string(),
    }
}

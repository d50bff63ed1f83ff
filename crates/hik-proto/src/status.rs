//! How a terminal says no: response status and login state.

use crate::body::Fields;

/// A `ResponseStatus`, in XML or JSON. The HTTP status varies and may even be 200, so this decides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResponseStatus {
    /// 0 and 1 are success, 2 busy, 3 device error, 4 invalid operation, 5 format, 6 content, 7 reboot required.
    pub code: u32,
    /// e.g. `notSupport`; empty when not sent.
    pub sub_code: String,
    /// What a person may read: `errorMsg`, else `statusString`.
    pub text: String,
}

/// What a terminal says no for, as far as somebody can do something about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Condition {
    /// It has other work, or no memory left for this.
    Busy,
    /// Something is broken inside.
    Fault,
    /// From the factory: nobody has set its first password.
    NotActivated,
    LowPrivilege,
    /// Its firmware has no such thing.
    NotSupported,
    /// As many people, cards or faces as it can hold.
    Full,
    /// As many listeners as it serves.
    TooManyListeners,
    RebootRequired,
    /// It does not understand the request: another dialect, or our mistake.
    NotUnderstood,
}

/// Sub codes in lower case. The status code alone decides where the sub code is not among them.
const CONDITIONS: &[(&str, Condition)] = &[
    ("devicebusy", Condition::Busy),
    ("nomemory", Condition::Busy),
    ("serviceunavailable", Condition::Busy),
    ("upgrading", Condition::Busy),
    ("nosearchidresource", Condition::Busy),
    ("deviceerror", Condition::Fault),
    ("searchdatabaseerror", Condition::Fault),
    ("notactivated", Condition::NotActivated),
    ("lowprivilege", Condition::LowPrivilege),
    ("notsupport", Condition::NotSupported),
    ("methodnotallowed", Condition::NotSupported),
    ("eventnotsupport", Condition::NotSupported),
    ("deviceuserfull", Condition::Full),
    ("devicefacefull", Condition::Full),
    ("deployexceedmax", Condition::TooManyListeners),
    ("rebootrequired", Condition::RebootRequired),
    ("badxmlformat", Condition::NotUnderstood),
    ("badjsonformat", Condition::NotUnderstood),
];

impl ResponseStatus {
    /// What is the matter; `None` for success, for what concerns the sign-in, and for what only its words say.
    pub fn condition(&self) -> Option<Condition> {
        let sub_code = self.sub_code.to_ascii_lowercase();
        let named = CONDITIONS.iter().find(|(code, _)| *code == sub_code);
        match (named, self.code) {
            _ if self.is_ok() || self.is_lock() || self.is_bad_sign_in() => None,
            (Some((_, condition)), _) => Some(*condition),
            (None, 2) => Some(Condition::Busy),
            (None, 3) if sub_code.is_empty() => Some(Condition::Fault),
            (None, 5) => Some(Condition::NotUnderstood),
            (None, 7) => Some(Condition::RebootRequired),
            (None, _) => None,
        }
    }

    /// The status a body carries; `None` for every other body.
    pub fn find(body: &[u8]) -> Option<Self> {
        let fields = Fields::parse(body).ok()?;
        Some(Self {
            code: fields.number("statusCode")?,
            sub_code: fields.text("subStatusCode").unwrap_or_default().to_owned(),
            text: fields
                .text("errorMsg")
                .or_else(|| fields.text("statusString"))
                .unwrap_or_default()
                .to_owned(),
        })
    }

    pub fn is_ok(&self) -> bool {
        self.code <= 1
    }

    /// Busy or a passing device error: the same request may succeed a moment later.
    pub fn is_passing(&self) -> bool {
        matches!(self.code, 2 | 3)
    }

    /// The terminal does not know the request, or the account may not send it. Repeating it changes nothing.
    pub fn is_not_available(&self) -> bool {
        ["notSupport", "lowPrivilege", "methodNotAllowed"]
            .iter()
            .any(|code| code.eq_ignore_ascii_case(&self.sub_code))
    }

    /// The account is locked, whatever the password.
    pub fn is_lock(&self) -> bool {
        ["userNameLocked", "loginNumExceedLimit"]
            .iter()
            .any(|code| code.eq_ignore_ascii_case(&self.sub_code))
    }

    /// As many listen to the stream as it has places.
    pub fn is_without_place(&self) -> bool {
        self.sub_code.eq_ignore_ascii_case("deployExceedMax")
    }

    /// The sign-in itself was refused.
    pub fn is_bad_sign_in(&self) -> bool {
        self.sub_code.eq_ignore_ascii_case("badAuthorization")
    }
}

/// Why a change was refused, as far as somebody acts on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    PersonExists,
    NoSuchPerson,
    /// Somebody has the card.
    CardTaken,
    /// The person has a face.
    FaceExists,
    /// The picture shows no face that can be used, or is not of its size.
    BadPicture,
    /// What any request may be refused for. After `Fault` nobody can tell at which point it failed.
    For(Condition),
    Other,
}

/// What only changes are refused for.
const REFUSALS: [(&str, Refusal); 10] = [
    ("employeeNoAlreadyExist", Refusal::PersonExists),
    ("deviceUserAlreadyExist", Refusal::PersonExists),
    ("employeeNoNotExist", Refusal::NoSuchPerson),
    ("deviceUserNotExist", Refusal::NoSuchPerson),
    ("cardNoAlreadyExist", Refusal::CardTaken),
    ("deviceUserAlreadyExistFace", Refusal::FaceExists),
    ("SubpicAnalysisModelingError", Refusal::BadPicture),
    ("faceScoreFailure", Refusal::BadPicture),
    ("pictureSizeExceedLimit", Refusal::BadPicture),
    ("uploadImageSizeError", Refusal::BadPicture),
];

impl ResponseStatus {
    /// Only means something where [`Self::is_ok`] is false.
    pub fn refusal(&self) -> Refusal {
        let mut named = REFUSALS.iter();
        match named.find(|(name, _)| name.eq_ignore_ascii_case(&self.sub_code)) {
            Some((_, refusal)) => *refusal,
            // `deviceUserFull`, `deviceFaceFull`, and what newer firmware makes of it.
            None if self.sub_code.to_ascii_lowercase().ends_with("full") => {
                Refusal::For(Condition::Full)
            }
            None => match self.condition() {
                Some(condition) => Refusal::For(condition),
                None if self.code == 3 => Refusal::For(Condition::Fault),
                None => Refusal::Other,
            },
        }
    }
}

impl std::fmt::Display for ResponseStatus {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (self.sub_code.as_str(), self.text.as_str()) {
            ("", "") => write!(f, "status {}", self.code),
            ("", text) => f.write_str(text),
            (sub_code, text) if text.is_empty() || text == sub_code => f.write_str(sub_code),
            (sub_code, text) => write!(f, "{sub_code} ({text})"),
        }
    }
}

/// What the body of a refused login tells about the lock: a `userCheck`, or a `ResponseStatus` with the same members.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LoginState {
    pub locked: bool,
    pub unlock_in_secs: Option<u32>,
    pub attempts_left: Option<u32>,
}

impl LoginState {
    /// Reads what there is; a body that tells nothing (older units send an HTML page) gives the default.
    pub fn read(body: &[u8]) -> Self {
        let Ok(fields) = Fields::parse(body) else {
            return Self::default();
        };
        let status = ResponseStatus::find(body);
        Self {
            // The whole word: `unlock` contains `lock`.
            locked: fields
                .text("lockStatus")
                .is_some_and(|state| state.eq_ignore_ascii_case("lock"))
                || status.is_some_and(|status| status.is_lock()),
            unlock_in_secs: fields.number("unlockTime"),
            attempts_left: fields.number("retryLoginTime"),
        }
    }
}

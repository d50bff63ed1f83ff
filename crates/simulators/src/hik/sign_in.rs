//! Digest authentication as terminals do it, and the lock-out that follows wrong passwords.
//!
//! RFC 7616 with `qop="auth"`; what differs between firmwares is set by [`Nonces`], [`Offer`] and [`ChallengeForm`].

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;

use jiff::{SignedDuration, Timestamp};
use md5::Md5;
use sha2::{Digest, Sha256};

use super::http::{Answer, Request, XML};

/// The account of a terminal. There is no default password; the caller chooses one.
#[derive(Clone)]
pub struct Login {
    pub username: String,
    pub password: String,
}

impl Login {
    pub fn new(username: impl Into<String>, password: impl Into<String>) -> Self {
        Self {
            username: username.into(),
            password: password.into(),
        }
    }
}

impl std::fmt::Debug for Login {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Login")
            .field("username", &self.username)
            .finish_non_exhaustive()
    }
}

/// Which ways to sign in the terminal offers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Offer {
    Md5,
    Sha256,
    /// Both, SHA-256 first.
    Both,
    /// Offers both and refuses every answer made with SHA-256.
    BothButOnlyMd5Works,
    /// Only Basic, as units from 2014 do.
    Basic,
}

/// How a challenge is spelled; all three are seen in the field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChallengeForm {
    /// `Digest qop="auth", realm="DS-6E392E44", nonce="…=", stale="false", opaque="", domain="::"`; names the
    /// algorithm, bare, only when it is `SHA-256`. Two challenges come in two headers.
    Terminal,
    /// `Digest realm="…", domain="::", qop="auth", nonce="…:…", opaque="", algorithm="MD5", stale="FALSE"`; the
    /// other algorithm is spelled `"SHA256"`. Two challenges come in one header.
    Quoted,
    /// `Digest qop="auth", realm="IP Camera(C2183)", nonce="…", stale="FALSE"`, without `opaque`.
    Camera,
}

/// How long a nonce is good for. A nonce that is no longer good, or an `nc` that did not grow, is answered with a
/// new challenge and is no failed sign-in, provided the password is right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Nonces {
    /// Any number of requests, with a growing `nc`.
    Reusable,
    /// One request each.
    SingleUse,
    /// This many requests each.
    Expiring { uses: u32 },
    /// Any number of requests for so long, on the terminal's own clock.
    Lasting { seconds: u32 },
    /// Any number of requests, but only to the path and query it was issued for.
    BoundToUri,
}

/// What a challenge says when the nonce was the only thing wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Staleness {
    /// `stale="true"`.
    Said,
    /// `stale="false"`, as many firmwares do.
    Denied,
    /// Nothing.
    Omitted,
}

/// The body of a 401 with a challenge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefusedAnswer {
    /// `userCheck` with the attempts that are left.
    UserCheck,
    /// A page in HTML, as of older units.
    Page,
    /// `ResponseStatus` with the attempts that are left.
    ResponseStatus,
}

/// What follows wrong passwords from one address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LockOut {
    /// The wrong attempt with this number locks.
    pub attempts: u32,
    /// For how long, on the terminal's own clock.
    pub minutes: u32,
    pub answer: LockedAnswer,
}

impl Default for LockOut {
    /// Five attempts, 30 minutes: the factory setting.
    fn default() -> Self {
        Self {
            attempts: 5,
            minutes: 30,
            answer: LockedAnswer::UserCheck,
        }
    }
}

/// What a locked terminal answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LockedAnswer {
    /// 401 without a challenge, with the seconds left in `userCheck`.
    UserCheck,
    /// 403 with the seconds left in `userCheck`.
    Forbidden,
    /// The connection ends without an answer.
    Dropped,
}

/// What became of the sign-in of one request.
#[derive(Debug)]
pub(super) enum Verdict {
    Signed,
    /// No `Authorization`: a challenge, never a failure.
    Unsigned(Answer),
    /// The right password on a nonce that is no longer good.
    Stale(Answer),
    /// Wrong name, password or arithmetic.
    Refused(Answer),
    /// The wrong attempt that locks. `None` drops the connection.
    RefusedAndLocked(Option<Answer>),
    /// From an address that is locked out; nothing was checked. `None` drops the connection.
    Locked(Option<Answer>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Algorithm {
    Md5,
    Sha256,
}

#[derive(Debug, Clone)]
struct Nonce {
    text: String,
    uri: String,
    issued_at: Timestamp,
    uses: u32,
    last_count: u32,
}

#[derive(Debug, Clone, Default)]
struct Failures {
    count: u32,
    locked_until: Option<Timestamp>,
}

/// The sign-in of one terminal: its account, the nonces it gave out and whom it has locked out.
#[derive(Debug, Clone)]
pub(super) struct Gate {
    pub(super) login: Login,
    pub(super) realm: String,
    pub(super) offer: Offer,
    pub(super) form: ChallengeForm,
    pub(super) nonces: Nonces,
    pub(super) staleness: Staleness,
    pub(super) refused_answer: RefusedAnswer,
    pub(super) lock_out: LockOut,
    issued: VecDeque<Nonce>,
    issued_ever: u64,
    failures: HashMap<IpAddr, Failures>,
}

/// Terminals remember few challenges; the oldest is forgotten first.
const NONCES_KEPT: usize = 64;

impl Gate {
    pub(super) fn new(login: Login, realm: String) -> Self {
        Self {
            login,
            realm,
            offer: Offer::Md5,
            form: ChallengeForm::Terminal,
            nonces: Nonces::Reusable,
            staleness: Staleness::Said,
            refused_answer: RefusedAnswer::UserCheck,
            lock_out: LockOut::default(),
            issued: VecDeque::new(),
            issued_ever: 0,
            failures: HashMap::new(),
        }
    }

    /// Forgets all nonces, as a restart does.
    pub(super) fn restart(&mut self) {
        self.issued.clear();
    }

    pub(super) fn admit(
        &mut self,
        request: &Request,
        peer: IpAddr,
        now: Timestamp,
        always_stale: bool,
    ) -> Verdict {
        if let Some(left) = self.locked_for(peer, now) {
            return Verdict::Locked(self.locked_answer(left));
        }
        let Some(authorization) = request.header("authorization") else {
            return Verdict::Unsigned(self.challenge(request, peer, now, false));
        };
        if !self.proves_password(request, authorization) {
            let failures = self.failures.entry(peer).or_default();
            failures.count += 1;
            if failures.count >= self.lock_out.attempts {
                let lasts = SignedDuration::from_mins(self.lock_out.minutes.into());
                failures.locked_until = Some(now.saturating_add(lasts).unwrap_or(Timestamp::MAX));
                return Verdict::RefusedAndLocked(self.locked_answer(lasts.as_secs()));
            }
            return Verdict::Refused(self.challenge(request, peer, now, false));
        }
        if always_stale || !self.spends_nonce(request, now, authorization) {
            return Verdict::Stale(self.challenge(request, peer, now, true));
        }
        self.failures.remove(&peer);
        Verdict::Signed
    }

    /// What a locked terminal says; see also `Fault::Locked`.
    pub(super) fn locked_answer(&self, seconds: i64) -> Option<Answer> {
        let status = match self.lock_out.answer {
            LockedAnswer::UserCheck => 401,
            LockedAnswer::Forbidden => 403,
            LockedAnswer::Dropped => return None,
        };
        let rest = format!("<lockStatus>lock</lockStatus>\n<unlockTime>{seconds}</unlockTime>\n");
        Some(Answer::new(status, XML, unauthorized(&rest)))
    }

    fn locked_for(&mut self, peer: IpAddr, now: Timestamp) -> Option<i64> {
        let until = self.failures.get(&peer)?.locked_until?;
        let left = until.duration_since(now).as_secs();
        if left <= 0 {
            self.failures.remove(&peer);
            return None;
        }
        Some(left)
    }

    fn challenge(
        &mut self,
        request: &Request,
        peer: IpAddr,
        now: Timestamp,
        stale: bool,
    ) -> Answer {
        let failed = self
            .failures
            .get(&peer)
            .map_or(0, |failures| failures.count);
        let left = self.lock_out.attempts.saturating_sub(failed);
        let mut answer = match self.refused_answer {
            RefusedAnswer::UserCheck => {
                let rest = format!(
                    "<lockStatus>unlock</lockStatus>\n<retryLoginTime>{left}</retryLoginTime>\n"
                );
                Answer::new(401, XML, unauthorized(&rest))
            }
            RefusedAnswer::Page => {
                let page =
                    "<html><head><title>Document Error: Unauthorized</title></head></html>\n";
                Answer::new(401, "text/html", page)
            }
            RefusedAnswer::ResponseStatus => {
                let body = format!(
                    "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<ResponseStatus version=\"2.0\">\n\
                     <statusCode>4</statusCode>\n<statusString>Invalid Operation</statusString>\n\
                     <subStatusCode>badAuthorization</subStatusCode>\n<lockStatus>unlock</lockStatus>\n\
                     <retryLoginTime>{left}</retryLoginTime>\n</ResponseStatus>\n"
                );
                Answer::new(401, XML, body)
            }
        };
        if self.offer == Offer::Basic {
            answer.challenges = vec![format!("Basic realm=\"{}\"", self.realm)];
            return answer;
        }
        let nonce = self.issue(request, now);
        let stale = stale && self.staleness == Staleness::Said;
        let algorithms: &[Algorithm] = match self.offer {
            Offer::Md5 | Offer::Basic => &[Algorithm::Md5],
            Offer::Sha256 => &[Algorithm::Sha256],
            Offer::Both | Offer::BothButOnlyMd5Works => &[Algorithm::Sha256, Algorithm::Md5],
        };
        answer.challenges = algorithms
            .iter()
            .map(|algorithm| self.spell(&nonce, *algorithm, stale))
            .map(|text| match self.staleness {
                Staleness::Omitted => text
                    .replace(", stale=\"false\"", "")
                    .replace(", stale=\"FALSE\"", ""),
                Staleness::Said | Staleness::Denied => text,
            })
            .collect();
        if self.form == ChallengeForm::Quoted {
            answer.challenges = vec![answer.challenges.join(", ")];
        }
        answer
    }

    fn spell(&self, nonce: &str, algorithm: Algorithm, stale: bool) -> String {
        let realm = &self.realm;
        let (lower, upper) = if stale {
            ("true", "TRUE")
        } else {
            ("false", "FALSE")
        };
        let bare = match algorithm {
            Algorithm::Md5 => "",
            Algorithm::Sha256 => ", algorithm=SHA-256",
        };
        match self.form {
            ChallengeForm::Terminal => format!(
                "Digest qop=\"auth\", realm=\"{realm}\", nonce=\"{nonce}\", stale=\"{lower}\", opaque=\"\", domain=\"::\"{bare}"
            ),
            ChallengeForm::Quoted => {
                let name = match algorithm {
                    Algorithm::Md5 => "MD5",
                    Algorithm::Sha256 => "SHA256",
                };
                format!(
                    "Digest realm=\"{realm}\", domain=\"::\", qop=\"auth\", nonce=\"{nonce}\", opaque=\"\", algorithm=\"{name}\", stale=\"{upper}\""
                )
            }
            ChallengeForm::Camera => format!(
                "Digest qop=\"auth\", realm=\"{realm}\", nonce=\"{nonce}\", stale=\"{upper}\"{bare}"
            ),
        }
    }

    fn issue(&mut self, request: &Request, now: Timestamp) -> String {
        self.issued_ever += 1;
        let seed = hash(
            Algorithm::Md5,
            &format!("{}:{}", self.realm, self.issued_ever),
        );
        let text = match self.form {
            ChallengeForm::Quoted => format!("{}:{}", &seed[..26], self.issued_ever),
            ChallengeForm::Terminal | ChallengeForm::Camera => format!("{seed}="),
        };
        if self.issued.len() == NONCES_KEPT {
            self.issued.pop_front();
        }
        self.issued.push_back(Nonce {
            text: text.clone(),
            uri: request.target.clone(),
            issued_at: now,
            uses: 0,
            last_count: 0,
        });
        text
    }

    /// Whether the header was made with the password of this terminal, whatever the state of its nonce.
    fn proves_password(&self, request: &Request, authorization: &str) -> bool {
        if self.offer == Offer::Basic {
            let pair = format!("{}:{}", self.login.username, self.login.password);
            return authorization.strip_prefix("Basic ") == Some(base64(pair.as_bytes()).as_str());
        }
        let Some(fields) = parse_digest(authorization) else {
            return false;
        };
        let field = |name: &str| fields.get(name).map(String::as_str);
        let algorithm = match field("algorithm").map(str::to_ascii_uppercase).as_deref() {
            None | Some("MD5") => Algorithm::Md5,
            Some("SHA-256" | "SHA256") => Algorithm::Sha256,
            Some(_) => return false,
        };
        let offered = match self.offer {
            Offer::Md5 | Offer::BothButOnlyMd5Works => algorithm == Algorithm::Md5,
            Offer::Sha256 => algorithm == Algorithm::Sha256,
            Offer::Both => true,
            Offer::Basic => false,
        };
        // An empty `opaque` must come back as an empty `opaque`.
        let opaque = match self.form {
            ChallengeForm::Camera => None,
            ChallengeForm::Terminal | ChallengeForm::Quoted => Some(""),
        };
        let (Some(nonce), Some(cnonce), Some(count)) =
            (field("nonce"), field("cnonce"), field("nc"))
        else {
            return false;
        };
        let expected = digest_response(
            algorithm,
            &self.login,
            &self.realm,
            &request.method,
            &request.target,
            nonce,
            count,
            cnonce,
        );
        offered
            && field("username") == Some(&self.login.username)
            && field("realm") == Some(&self.realm)
            && field("uri") == Some(&request.target)
            && field("qop") == Some("auth")
            && field("opaque") == opaque
            && nonce_count(count).is_some()
            && field("response") == Some(&expected)
    }

    /// Whether the nonce is one of ours and still good; counts its use.
    fn spends_nonce(&mut self, request: &Request, now: Timestamp, authorization: &str) -> bool {
        if self.offer == Offer::Basic {
            return true;
        }
        let Some(fields) = parse_digest(authorization) else {
            return false;
        };
        let nonce = fields.get("nonce");
        let Some(issued) = self
            .issued
            .iter_mut()
            .find(|known| Some(&known.text) == nonce)
        else {
            return false;
        };
        let count = fields
            .get("nc")
            .and_then(|count| nonce_count(count))
            .unwrap_or(0);
        if count <= issued.last_count {
            return false;
        }
        let good = match self.nonces {
            Nonces::Reusable => true,
            Nonces::SingleUse => issued.uses == 0,
            Nonces::Expiring { uses } => issued.uses < uses,
            Nonces::Lasting { seconds } => {
                now.duration_since(issued.issued_at).as_secs() < i64::from(seconds)
            }
            Nonces::BoundToUri => issued.uri == request.target,
        };
        if good {
            issued.uses += 1;
            issued.last_count = count;
        }
        good
    }
}

fn unauthorized(rest: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<userCheck>\n<statusValue>401</statusValue>\n\
         <statusString>Unauthorized</statusString>\n{rest}</userCheck>\n"
    )
}

/// Exactly eight hexadecimal digits.
fn nonce_count(text: &str) -> Option<u32> {
    (text.len() == 8)
        .then(|| u32::from_str_radix(text, 16).ok())
        .flatten()
}

/// The fields of `Digest a=b, c="d"`; names in lower case. `None` when it is not that.
pub(super) fn parse_digest(header: &str) -> Option<HashMap<String, String>> {
    let mut rest = header.strip_prefix("Digest ")?;
    let mut fields = HashMap::new();
    loop {
        rest = rest.trim_start_matches([' ', ',']);
        if rest.is_empty() {
            return Some(fields);
        }
        let (name, after) = rest.split_once('=')?;
        let value;
        if let Some(quoted) = after.strip_prefix('"') {
            (value, rest) = quoted.split_once('"')?;
        } else {
            (value, rest) = after.split_once(',').unwrap_or((after, ""));
        }
        fields.insert(name.trim().to_ascii_lowercase(), value.trim().to_owned());
    }
}

#[allow(clippy::too_many_arguments)] // they are the terms of one formula
pub(super) fn digest_response(
    algorithm: Algorithm,
    login: &Login,
    realm: &str,
    method: &str,
    uri: &str,
    nonce: &str,
    count: &str,
    cnonce: &str,
) -> String {
    let Login { username, password } = login;
    let ha1 = hash(algorithm, &format!("{username}:{realm}:{password}"));
    let ha2 = hash(algorithm, &format!("{method}:{uri}"));
    hash(
        algorithm,
        &format!("{ha1}:{nonce}:{count}:{cnonce}:auth:{ha2}"),
    )
}

fn hash(algorithm: Algorithm, text: &str) -> String {
    match algorithm {
        Algorithm::Md5 => hex(&Md5::digest(text)),
        Algorithm::Sha256 => hex(&Sha256::digest(text)),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A realm as terminals make it, from the serial number.
pub(super) fn realm_of(serial_number: &str) -> String {
    let seed = hash(Algorithm::Md5, serial_number).to_uppercase();
    format!("DS-{}", &seed[..8])
}

pub(super) fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for chunk in bytes.chunks(3) {
        let group = chunk
            .iter()
            .fold(0_u32, |group, byte| group << 8 | u32::from(*byte))
            << (8 * (3 - chunk.len()));
        for place in 0..4 {
            let index = (group >> (18 - 6 * place)) & 0x3f;
            out.push(if place <= chunk.len() {
                char::from(ALPHABET[index as usize])
            } else {
                '='
            });
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONCE: &str = "NjY1NzE5OGYyNmUzMDRhYWQwZTRkNDhjY2I5NTE4NmQ=";

    /// Vectors computed outside this project and accepted from curl 7.88.
    #[track_caller]
    fn check(algorithm: Algorithm, method: &str, uri: &str, count: &str, expected: &str) {
        let login = Login::new("admin", "Abc12345");
        let response = digest_response(
            algorithm,
            &login,
            "DS-6E392E44",
            method,
            uri,
            NONCE,
            count,
            "0a4f113b",
        );
        assert_eq!(response, expected);
    }

    #[test]
    fn responses_match_the_published_vectors() {
        let info = "/ISAPI/System/deviceInfo";
        check(
            Algorithm::Md5,
            "GET",
            info,
            "00000001",
            "95d7c7e450bb45f3dc9c0dca2c2dedfa",
        );
        check(
            Algorithm::Md5,
            "POST",
            "/ISAPI/AccessControl/AcsEvent?format=json",
            "00000002",
            "ff1eb5340e221c9539dda6b2fa4cc647",
        );
        check(
            Algorithm::Sha256,
            "GET",
            info,
            "00000001",
            "c7b02e8ecee1cbd4c3cc58fadf30fc79c794df7afbf081628ce57df183ede4e7",
        );
    }

    #[test]
    fn rfc_7616_example() {
        // RFC 7616 section 3.9.1.
        for (algorithm, expected) in [
            (Algorithm::Md5, "8ca523f5e9506fed4657c9700eebdbec"),
            (
                Algorithm::Sha256,
                "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1",
            ),
        ] {
            let response = digest_response(
                algorithm,
                &Login::new("Mufasa", "Circle of Life"),
                "http-auth@example.org",
                "GET",
                "/dir/index.html",
                "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",
                "00000001",
                "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
            );
            assert_eq!(response, expected);
        }
    }

    #[test]
    fn authorization_fields_are_found_in_any_order_and_quoting() {
        let fields =
            parse_digest("Digest nc=00000001,opaque=\"\", URI=\"/a?b=c,d\" , qop=auth").unwrap();
        let expected = [
            ("nc", "00000001"),
            ("opaque", ""),
            ("uri", "/a?b=c,d"),
            ("qop", "auth"),
        ];
        assert_eq!(fields.len(), expected.len());
        for (name, value) in expected {
            assert_eq!(fields[name], value, "{name}");
        }
        for text in ["Basic YQ==", "Digest nc", "Digest uri=\"/a"] {
            assert!(parse_digest(text).is_none(), "{text}");
        }
    }

    #[test]
    fn base64_vectors_of_rfc_4648() {
        for (text, expected) in [
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
        ] {
            assert_eq!(base64(text.as_bytes()), expected);
        }
    }
}

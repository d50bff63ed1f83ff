//! HTTP digest as terminals speak it: reading challenges, signing requests, and deciding what a 401 means.
//!
//! The arithmetic is `digest_auth`'s. The policy is ours, because a terminal locks its account after five refused logins: a
//! password is refused when a request signed with a *fresh* nonce is; then nothing is signed with it again. Basic is never sent.

use std::collections::HashMap;
use std::fmt;

use digest_auth::{AlgorithmType, AuthContext, AuthorizationHeader, HttpMethod, Qop};

/// The hash of a challenge; `session` is the `-sess` form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Algorithm {
    pub sha256: bool,
    pub session: bool,
}

/// One digest challenge we can answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Challenge {
    pub realm: String,
    pub nonce: String,
    /// Echoed as sent, also when empty.
    pub opaque: Option<String>,
    pub algorithm: Algorithm,
    /// The name of the algorithm as sent: `SHA-256` and `SHA256` are both in use, and the answer repeats it.
    algorithm_name: String,
    /// Whether `auth` is offered; without it the older form without counter is used.
    pub qop: bool,
    /// The nonce was old, not the password wrong. Many units never say so.
    pub stale: bool,
}

/// What the `WWW-Authenticate` headers of one answer offer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Offers {
    pub digest: Vec<Challenge>,
    /// Basic is offered too. It is never used: it shows the password to everybody on the network.
    pub basic: bool,
}

impl Offers {
    /// Reads all `WWW-Authenticate` headers. Order of parameters, quoting and several challenges in one header are free;
    /// challenges we cannot answer are left out.
    pub fn parse<'a>(headers: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let mut offers = Self::default();
        for header in headers {
            for (scheme, params) in challenges(&String::from_utf8_lossy(header)) {
                if scheme.eq_ignore_ascii_case("basic") {
                    offers.basic = true;
                } else if scheme.eq_ignore_ascii_case("digest") {
                    offers.digest.extend(Challenge::from_params(params));
                }
            }
        }
        offers
    }

    /// The challenge to answer: SHA-256 before MD5.
    pub fn strongest(&self) -> Option<&Challenge> {
        let strong = self.digest.iter().find(|c| c.algorithm.sha256);
        strong.or(self.digest.first())
    }
}

impl Challenge {
    fn from_params(params: Vec<(String, String)>) -> Option<Self> {
        let mut params: HashMap<String, String> = params.into_iter().collect();
        let algorithm_name = params
            .remove("algorithm")
            .unwrap_or_else(|| "MD5".to_owned());
        let lower = algorithm_name.to_ascii_lowercase();
        let (hash, session) = match lower.strip_suffix("-sess") {
            Some(hash) => (hash, true),
            None => (lower.as_str(), false),
        };
        let sha256 = match hash {
            "md5" => false,
            "sha-256" | "sha256" => true,
            _ => return None,
        };
        let qop = match params.get("qop").map(|qop| qop.trim()) {
            None | Some("") => false,
            Some(list) => list
                .split(',')
                .any(|qop| qop.trim().eq_ignore_ascii_case("auth"))
                .then_some(true)?,
        };
        Some(Self {
            realm: params.remove("realm")?,
            nonce: params.remove("nonce").filter(|nonce| !nonce.is_empty())?,
            opaque: params.remove("opaque"),
            algorithm: Algorithm { sha256, session },
            algorithm_name,
            qop,
            stale: params
                .get("stale")
                .is_some_and(|stale| stale.eq_ignore_ascii_case("true")),
        })
    }

    /// The `Authorization` header of one request. `uri` is path and query exactly as on the request line, `count` the number of
    /// requests signed with this nonce, this one included. `cnonce` is drawn at random when `None`.
    pub fn sign(
        &self,
        user: &str,
        password: &str,
        method: &str,
        uri: &str,
        count: u32,
        cnonce: Option<&str>,
    ) -> String {
        let mut context = AuthContext::new_with_method(
            user,
            password,
            uri,
            Option::<&[u8]>::None,
            HttpMethod::from(method),
        );
        if let Some(cnonce) = cnonce {
            context.set_custom_cnonce(cnonce);
        }
        let hash = if self.algorithm.sha256 {
            AlgorithmType::SHA2_256
        } else {
            AlgorithmType::MD5
        };
        let mut header = AuthorizationHeader {
            realm: self.realm.clone(),
            nonce: self.nonce.clone(),
            opaque: self.opaque.clone(),
            userhash: false,
            algorithm: digest_auth::Algorithm::new(hash, self.algorithm.session),
            response: String::new(),
            username: user.to_owned(),
            uri: uri.to_owned(),
            qop: self.qop.then_some(Qop::AUTH),
            cnonce: cnonce.map(str::to_owned),
            nc: count,
        };
        // A session hash needs a cnonce even without qop, and then has nowhere to say which; no terminal asks for that.
        header.digest(&context);
        self.render(&header)
    }

    /// `digest_auth` spells the algorithm its own way and always quotes alike; terminals are shown their own spelling.
    fn render(&self, header: &AuthorizationHeader) -> String {
        use fmt::Write;
        let quoted = |text: &str| text.replace('\\', "\\\\").replace('"', "\\\"");
        let mut text = format!(
            "Digest username=\"{}\", realm=\"{}\", nonce=\"{}\", uri=\"{}\"",
            quoted(&header.username),
            quoted(&self.realm),
            quoted(&self.nonce),
            quoted(&header.uri),
        );
        if let Some(cnonce) = &header.cnonce {
            let _ = write!(
                text,
                ", qop=auth, nc={:08x}, cnonce=\"{}\"",
                header.nc,
                quoted(cnonce)
            );
        }
        let _ = write!(text, ", response=\"{}\"", header.response);
        if let Some(opaque) = &self.opaque {
            let _ = write!(text, ", opaque=\"{}\"", quoted(opaque));
        }
        let _ = write!(text, ", algorithm={}", self.algorithm_name);
        text
    }
}

/// Splits a header into challenges: scheme and parameters, names in lower case.
fn challenges(header: &str) -> Vec<(String, Vec<(String, String)>)> {
    let separators: &[char] = &[',', ' ', '\t'];
    let mut found: Vec<(String, Vec<(String, String)>)> = Vec::new();
    let mut rest = header.trim_start_matches(separators);
    while !rest.is_empty() {
        let end = rest
            .find(|c: char| c == '=' || separators.contains(&c))
            .unwrap_or(rest.len());
        let name = &rest[..end];
        let after = rest[end..].trim_start_matches([' ', '\t']);
        rest = match after.strip_prefix('=') {
            None => {
                found.push((name.to_owned(), Vec::new()));
                after
            }
            Some(value) => {
                let (value, after) = parameter_value(value.trim_start_matches([' ', '\t']));
                if let Some((_, params)) = found.last_mut() {
                    params.push((name.to_ascii_lowercase(), value));
                }
                after
            }
        }
        .trim_start_matches(separators);
    }
    found
}

/// A quoted string or a bare word, and what follows it. A quote that never closes ends with the header.
fn parameter_value(text: &str) -> (String, &str) {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find([',', ' ', '\t']).unwrap_or(text.len());
        return (text[..end].to_owned(), &text[end..]);
    };
    let mut value = String::new();
    let mut characters = quoted.char_indices();
    while let Some((at, c)) = characters.next() {
        match c {
            '"' => return (value, &quoted[at + 1..]),
            '\\' => value.extend(characters.next().map(|(_, escaped)| escaped)),
            _ => value.push(c),
        }
    }
    (value, "")
}

/// How a request went out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sent {
    /// Without credentials; never counts as a login.
    Unsigned,
    /// Signed with a nonce that had been used before.
    Reused,
    /// Signed with a nonce that had just been given for it.
    Fresh,
}

/// What a 401 means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Challenged {
    /// Send the request once more; it will be signed with the new nonce.
    Again,
    /// The password is wrong. Nothing more may be signed with it.
    Refused,
    /// The terminal calls even a nonce it has just given stale. The password need not be the reason.
    NeverFresh,
    /// Only Basic is offered.
    OnlyBasic,
    /// No challenge to answer: the terminal is busy or has locked us out.
    NoChallenge,
}

/// Who signs. Never printed.
#[derive(Clone, Copy)]
pub struct Login<'a> {
    pub user: &'a str,
    pub password: &'a str,
}

impl fmt::Debug for Login<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Login")
            .field("user", &self.user)
            .finish_non_exhaustive()
    }
}

/// The digest state of one terminal: the nonces at hand and how it lets them be used. It outlives connections, and holds no
/// password.
///
/// A challenge is kept per path, because some firmware binds a nonce to the path it was given for. When a kept nonce fails
/// twice in a row the terminal does not let nonces be used again, and every request is made in two steps from then on.
#[derive(Debug)]
pub struct DigestSession {
    kept: HashMap<String, Kept>,
    reuse: bool,
    failed_reuses: u8,
    /// A stale nonce may be renewed once for each request, not for ever.
    renewed: bool,
    proven: bool,
}

#[derive(Debug)]
struct Kept {
    challenge: Challenge,
    count: u32,
    /// Not used since a long pause: it may have expired meanwhile.
    rested: bool,
}

/// Paths whose challenge is kept. We ask for far fewer; those of a terminal's own picture URLs are not worth more.
const KEPT_PATHS: usize = 64;

impl Default for DigestSession {
    fn default() -> Self {
        Self {
            kept: HashMap::new(),
            reuse: true,
            failed_reuses: 0,
            renewed: false,
            proven: false,
        }
    }
}

impl DigestSession {
    /// A request begins, which may be sent more than once.
    pub fn begin(&mut self) {
        self.renewed = false;
    }

    /// Nothing was asked for so long that nonces may have expired: that says nothing about using them again.
    pub fn rested(&mut self) {
        self.kept.values_mut().for_each(|kept| kept.rested = true);
    }

    /// The terminal did what a request sent so asked for.
    pub fn succeeded(&mut self, sent: Sent) {
        self.proven |= sent != Sent::Unsigned;
    }

    /// Whether the terminal has taken the password, so that a later refusal hardly concerns it.
    pub fn is_proven(&self) -> bool {
        self.proven
    }

    /// Another password, or nothing came back to this one: it has to prove itself, with a fresh nonce, so that a wrong one
    /// is sent only once.
    pub fn doubt(&mut self) {
        self.proven = false;
        self.kept.clear();
    }

    /// Signs a request if a nonce for it is at hand. Call it for every sending, also the repeated one.
    pub fn sign(&mut self, login: Login<'_>, method: &str, uri: &str) -> (Sent, Option<String>) {
        let Some(kept) = self.kept.get_mut(path_of(uri)) else {
            return (Sent::Unsigned, None);
        };
        kept.count += 1;
        let sent = if kept.count == 1 {
            Sent::Fresh
        } else {
            Sent::Reused
        };
        let Login { user, password } = login;
        let header = kept
            .challenge
            .sign(user, password, method, uri, kept.count, None);
        (sent, Some(header))
    }

    /// Decides what a 401 means for a request that went out as `sent`. What is `Refused` or `NeverFresh` must not be signed again.
    pub fn challenged(&mut self, sent: Sent, uri: &str, offers: &Offers) -> Challenged {
        let used = self.kept.remove(path_of(uri));
        let challenge = offers.strongest();
        match sent {
            Sent::Unsigned => {}
            Sent::Reused if used.is_some_and(|used| used.rested) => {}
            Sent::Reused => {
                self.failed_reuses = self.failed_reuses.saturating_add(1);
                if self.failed_reuses >= 2 {
                    self.reuse = false;
                }
            }
            Sent::Fresh => {
                let stale = challenge.is_some_and(|challenge| challenge.stale);
                // Some firmware answers a bare 401 when it is busy. Twice in a row it is no accident.
                let busy = self.proven && challenge.is_none() && !offers.basic;
                if !stale {
                    self.doubt();
                    if !busy {
                        return Challenged::Refused;
                    }
                }
                if stale && self.renewed {
                    return Challenged::NeverFresh;
                }
                self.renewed |= stale;
            }
        }
        match challenge {
            Some(challenge) => {
                if self.kept.len() >= KEPT_PATHS {
                    self.kept.clear();
                }
                self.kept.insert(
                    path_of(uri).to_owned(),
                    Kept {
                        challenge: challenge.clone(),
                        count: 0,
                        rested: false,
                    },
                );
                Challenged::Again
            }
            None if offers.basic => Challenged::OnlyBasic,
            None => Challenged::NoChallenge,
        }
    }

    /// The request was answered with anything but 401.
    pub fn accepted(&mut self, sent: Sent, uri: &str) {
        if sent == Sent::Reused {
            self.failed_reuses = 0;
        }
        if let Some(kept) = self.kept.get_mut(path_of(uri)) {
            kept.rested = false;
        }
        if !self.reuse {
            self.kept.remove(path_of(uri));
        }
    }
}

fn path_of(uri: &str) -> &str {
    uri.split('?').next().unwrap_or(uri)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: &str = r#"Digest qop="auth", realm="DS-6E392E44", nonce="NjY1NzE5OGYyNmUzMDRhYWQwZTRkNDhjY2I5NTE4NmQ=", stale="false", opaque="", domain="::""#;

    fn offers(header: &str) -> Offers {
        Offers::parse([header.as_bytes()])
    }

    fn only(header: &str) -> Challenge {
        let offers = offers(header);
        assert_eq!(offers.digest.len(), 1, "{header}");
        offers.digest[0].clone()
    }

    #[test]
    fn challenges_seen_in_the_wild() {
        let first = only(FIRST);
        assert_eq!(first.realm, "DS-6E392E44");
        assert_eq!(first.nonce, "NjY1NzE5OGYyNmUzMDRhYWQwZTRkNDhjY2I5NTE4NmQ=");
        assert_eq!(first.opaque.as_deref(), Some(""));
        assert!(first.qop && !first.stale && !first.algorithm.sha256);

        let second = only(
            r#"Digest realm="fe12f37bd0f0bccbbd35f1aa", domain="::", qop="auth", nonce="300b7e88f3d69ebf3e2f04218a:1685264184756", opaque="", algorithm="MD5", stale="FALSE""#,
        );
        assert_eq!(second.nonce, "300b7e88f3d69ebf3e2f04218a:1685264184756");

        let third = only(
            r#"Digest qop="auth", realm="IP Camera(C2183)", nonce="4e5468694e7a42694e7a4d364f4449354d7a6b354d54513d", stale="FALSE""#,
        );
        assert_eq!(third.realm, "IP Camera(C2183)");
        assert_eq!(third.opaque, None);
    }

    #[test]
    fn several_challenges_in_one_header_or_in_many() {
        let one = offers(
            r#"Basic realm="x", Digest realm="a, b", nonce=n1, algorithm=MD5, qop=auth, Digest realm="a", nonce="n=2", algorithm="SHA256", qop="auth,auth-int", stale=TRUE"#,
        );
        assert!(one.basic);
        assert_eq!(one.digest.len(), 2);
        assert_eq!(one.digest[0].realm, "a, b");
        let strongest = one.strongest().expect("a challenge");
        assert_eq!((strongest.nonce.as_str(), strongest.stale), ("n=2", true));

        let many = Offers::parse([
            FIRST.as_bytes(),
            b"Digest realm=\"a\", nonce=\"n\", algorithm=SHA-256",
        ]);
        assert!(
            many.strongest()
                .is_some_and(|c| c.algorithm.sha256 && !c.qop)
        );
    }

    #[test]
    fn challenges_we_cannot_answer_are_left_out() {
        for header in [
            "Digest realm=\"a\"",
            "Digest realm=\"a\", nonce=\"\"",
            "Digest realm=\"a\", nonce=\"n\", algorithm=MD4",
            "Digest realm=\"a\", nonce=\"n\", qop=\"auth-int\"",
            "Negotiate TlRMTVNTUAAB==",
            "",
        ] {
            assert_eq!(offers(header), Offers::default(), "{header}");
        }
    }

    #[track_caller]
    fn check_response(challenge: &Challenge, method: &str, uri: &str, count: u32, response: &str) {
        let header = challenge.sign("admin", "Abc12345", method, uri, count, Some("0a4f113b"));
        assert!(
            header.contains(&format!("response=\"{response}\"")),
            "{header}"
        );
    }

    #[test]
    fn test_vectors() {
        let md5 = only(FIRST);
        let info = "/ISAPI/System/deviceInfo";
        check_response(&md5, "GET", info, 1, "95d7c7e450bb45f3dc9c0dca2c2dedfa");
        check_response(
            &md5,
            "POST",
            "/ISAPI/AccessControl/AcsEvent?format=json",
            2,
            "ff1eb5340e221c9539dda6b2fa4cc647",
        );
        let sha = only(&format!("{FIRST}, algorithm=SHA256"));
        check_response(
            &sha,
            "GET",
            info,
            1,
            "c7b02e8ecee1cbd4c3cc58fadf30fc79c794df7afbf081628ce57df183ede4e7",
        );
        let header = sha.sign("admin", "Abc12345", "GET", info, 1, Some("0a4f113b"));
        assert!(
            header.ends_with("opaque=\"\", algorithm=SHA256"),
            "{header}"
        );
        assert!(header.contains("qop=auth, nc=00000001, cnonce=\"0a4f113b\""));
    }

    const URI: &str = "/ISAPI/System/time";
    const LOGIN: Login<'_> = Login {
        user: "admin",
        password: "topsecret",
    };

    /// One request through the session: how each sending went out, until it is accepted or given up.
    fn request(session: &mut DigestSession, answers: &[Option<&str>]) -> (Vec<Sent>, Challenged) {
        let mut sent = Vec::new();
        session.begin();
        for answer in answers {
            let (how, _) = session.sign(LOGIN, "GET", URI);
            sent.push(how);
            match answer {
                None => {
                    session.accepted(how, URI);
                    return (sent, Challenged::Again);
                }
                Some(header) => match session.challenged(how, URI, &offers(header)) {
                    Challenged::Again => {}
                    end => return (sent, end),
                },
            }
        }
        panic!("the session wants to send once more");
    }

    const STALE: &str = r#"Digest realm="a", nonce="n2", qop="auth", stale=TRUE"#;

    #[test]
    fn a_kept_nonce_saves_the_second_step() {
        let mut session = DigestSession::default();
        let (sent, _) = request(&mut session, &[Some(FIRST), None]);
        assert_eq!(sent, [Sent::Unsigned, Sent::Fresh]);
        assert_eq!(request(&mut session, &[None]).0, [Sent::Reused]);
        assert_eq!(session.sign(LOGIN, "GET", "/ISAPI/other").0, Sent::Unsigned);
    }

    #[test]
    fn a_wrong_password_is_signed_once() {
        let mut session = DigestSession::default();
        let (sent, end) = request(&mut session, &[Some(FIRST), Some(FIRST)]);
        assert_eq!((sent.len(), end), (2, Challenged::Refused));
        assert_eq!(session.sign(LOGIN, "GET", URI), (Sent::Unsigned, None));
    }

    #[test]
    fn a_stale_nonce_is_no_refusal_but_renewed_only_once() {
        let mut session = DigestSession::default();
        let (sent, end) = request(&mut session, &[Some(FIRST), Some(STALE), None]);
        assert_eq!(sent, [Sent::Unsigned, Sent::Fresh, Sent::Fresh]);
        assert_eq!(end, Challenged::Again);
        let mut session = DigestSession::default();
        let (sent, end) = request(&mut session, &[Some(FIRST), Some(STALE), Some(STALE)]);
        assert_eq!((sent.len(), end), (3, Challenged::NeverFresh));
        assert_eq!(session.sign(LOGIN, "GET", URI), (Sent::Unsigned, None));
    }

    #[test]
    fn single_use_nonces_are_noticed_after_two_failures() {
        let mut session = DigestSession::default();
        request(&mut session, &[Some(FIRST), None]);
        for _ in 0..2 {
            let (sent, _) = request(&mut session, &[Some(FIRST), None]);
            assert_eq!(sent, [Sent::Reused, Sent::Fresh]);
        }
        let (sent, _) = request(&mut session, &[Some(FIRST), None]);
        assert_eq!(sent, [Sent::Unsigned, Sent::Fresh]);
    }

    #[test]
    fn nonces_that_expire_in_a_pause_are_used_again() {
        let mut session = DigestSession::default();
        request(&mut session, &[Some(FIRST), None]);
        for _ in 0..5 {
            session.rested();
            let (sent, _) = request(&mut session, &[Some(FIRST), None]);
            assert_eq!(sent, [Sent::Reused, Sent::Fresh]);
            assert_eq!(request(&mut session, &[None]).0, [Sent::Reused]);
        }
    }

    #[test]
    fn no_challenge_and_basic_alone_sign_nothing() {
        let mut session = DigestSession::default();
        assert_eq!(
            request(&mut session, &[Some("")]).1,
            Challenged::NoChallenge
        );
        let basic = "Basic realm=\"x\"";
        assert_eq!(
            request(&mut session, &[Some(basic)]).1,
            Challenged::OnlyBasic
        );
    }

    #[test]
    fn a_bare_401_refuses_a_password_that_was_never_accepted() {
        let mut session = DigestSession::default();
        let (_, end) = request(&mut session, &[Some(FIRST), Some("")]);
        assert_eq!(end, Challenged::Refused);
        let mut session = DigestSession::default();
        session.succeeded(Sent::Unsigned);
        assert!(!session.is_proven(), "nothing was signed");
        session.succeeded(Sent::Fresh);
        let (_, end) = request(&mut session, &[Some(FIRST), Some("")]);
        assert_eq!(end, Challenged::NoChallenge);
        assert!(!session.is_proven(), "twice in a row it is no accident");
        session.succeeded(Sent::Reused);
        let (_, end) = request(&mut session, &[Some(FIRST), Some(FIRST)]);
        assert_eq!(end, Challenged::Refused, "it was changed");
    }

    #[test]
    fn debug_hides_the_password() {
        assert!(!format!("{LOGIN:?}").contains("topsecret"));
    }
}

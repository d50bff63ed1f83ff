//! Changes at a Hikvision terminal: each is checked before it is sent, confirmed by its answer, and compared with what is read
//! back. The bodies are in `hik_proto`; what is known of real terminals is in `docs/devices/hikvision.md`.
//!
//! A terminal cannot be blocked meanwhile. What people change there at the same time is noticed where it concerns the same user.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use attendance::DeviceUserId;
use hik_proto::{
    AccessCapabilities, Card, CardNo, Condition, DeleteProgress, DoorCommand, DoorState,
    EmployeeNo, FacePicture, FaceUpload, NonEmpty, PersonRecord, Refusal, Request, ResponseStatus,
    Validity, decode_has_face, delete_cards, delete_faces, delete_people, delete_people_with_all,
    encode_face_search, paths, reboot,
};
use jiff::civil::DateTime;

use super::http::{Answer, Changed};
use super::{HikTerminal, malformed, optional, people};
use crate::writing::does_not_fit;
use crate::{
    Effect, Limit, Privilege, Retry, Step, TerminalError, UserChange, UserDetails, WriteError,
    Written,
};

/// How long a terminal may take to delete somebody, after the vendor's advice, and how often it is asked.
const DELETE_WITHIN: Duration = Duration::from_secs(60);
const DELETE_LOOKS: Duration = Duration::from_secs(1);
/// The one that every terminal has.
const DOOR: u32 = 1;

impl HikTerminal {
    /// See [`crate::Terminal::set_user`].
    ///
    /// # Errors
    /// See [`crate::Terminal::set_user`].
    pub async fn set_user(&mut self, change: &UserChange) -> Result<Written, TerminalError> {
        let asked = Asked::of(change)?;
        let before = self.person(Step::Users, &asked.number).await?;
        if before.is_none() {
            self.check_number(&asked.number).await?;
        }
        let wanted = asked.applied_to(before.as_ref())?;
        let had = match before {
            Some(_) => self.cards(Step::Users, &asked.number).await?,
            None => BTreeSet::new(),
        };
        let cards = asked.cards.as_ref().unwrap_or(&had);
        let person_is_so = before.as_ref() == Some(&wanted) && asked.password.is_none();
        if person_is_so && *cards == had {
            return Ok(Written {
                effect: Effect::AlreadySo,
                user: details(&change.id, &wanted, had, false),
            });
        }

        let counted = self.people_count().await?;
        let mut done = None;
        if !person_is_so {
            self.write_person(&change.id, before.as_ref(), &wanted, asked.password)
                .await?;
            done = Some(format!("user {} was written", change.id));
        }
        self.write_cards(&asked.number, &had, cards, done).await?;

        let (shown, cards) = self
            .compared(&wanted, asked.cards.as_ref())
            .await
            .map_err(unseen)?;
        let added = u32::from(before.is_none());
        self.check_nobody_is_gone(counted.map(|counted| counted + added))
            .await?;
        let has_password = asked.password.is_some_and(|password| !password.is_empty());
        Ok(Written {
            effect: match before {
                None => Effect::Created,
                Some(_) => Effect::Changed,
            },
            user: details(&change.id, &shown, cards, has_password),
        })
    }

    /// A number that this terminal can store. A terminal that does not say what it can decides itself.
    async fn check_number(&mut self, number: &EmployeeNo) -> Result<(), TerminalError> {
        let step = Step::Users;
        let told = optional(self.http.get(step, paths::ACCESS_CAPABILITIES).await)?;
        let Some(Answer::Body(body)) = told else {
            return Ok(());
        };
        let can = AccessCapabilities::decode(&body).unwrap_or_default();
        let text = number.as_str();
        if can.employee_no_digits && !text.bytes().all(|byte| byte.is_ascii_digit()) {
            let detail = format!("this terminal takes only digits as a user id, not {text}");
            return Err(does_not_fit(detail).into());
        }
        match can.employee_no_len {
            Some(most) if text.chars().count() > most => {
                let detail = format!("this terminal takes user ids of at most {most} characters");
                Err(does_not_fit(detail).into())
            }
            _ => Ok(()),
        }
    }

    async fn write_person(
        &mut self,
        id: &DeviceUserId,
        before: Option<&PersonRecord>,
        wanted: &PersonRecord,
        password: Option<&str>,
    ) -> Result<(), TerminalError> {
        let request = match before {
            None => wanted.record(password),
            Some(_) => wanted.modify(password),
        };
        let mut changed = self.http.change(&request).await?;
        if is_not_offered(&changed) {
            changed = self.http.change(&wanted.set_up(password)).await?;
        }
        let Changed::Refused(said) = changed else {
            return Ok(());
        };
        match said.refusal() {
            Refusal::PersonExists => Err(WriteError::AddedMeanwhile { id: id.clone() }.into()),
            Refusal::NoSuchPerson => Err(WriteError::NoSuchUser { id: id.clone() }.into()),
            // What is there now says more than it does.
            Refusal::For(Condition::Fault) => {
                let now = self.person(Step::Write, &wanted.employee_no).await;
                match now.map_err(unseen)? {
                    Some(now) if wanted.differences(&now).is_empty() => Ok(()),
                    now if now.as_ref() == before => Err(WriteError::Refused {
                        said: said.to_string(),
                    }
                    .into()),
                    _ => Err(refused(&said)),
                }
            }
            _ => Err(refused(&said)),
        }
    }

    /// Gives what is missing before it takes what is too many away, so that nobody is left without.
    async fn write_cards(
        &mut self,
        of: &EmployeeNo,
        had: &BTreeSet<CardNo>,
        wanted: &BTreeSet<CardNo>,
        mut done: Option<String>,
    ) -> Result<(), TerminalError> {
        for card_no in wanted.difference(had) {
            let card = Card {
                employee_no: of.clone(),
                card_no: card_no.clone(),
            };
            let given = self.give_card(&card).await;
            given.map_err(|error| after(done.take(), error))?;
            done = Some(format!("user {of} has card {card_no}"));
        }
        if let Some(cards) = NonEmpty::from_items(had.difference(wanted).cloned()) {
            let taken = self.changed(&delete_cards(&cards)).await;
            taken.map_err(|error| after(done, error))?;
        }
        Ok(())
    }

    async fn give_card(&mut self, card: &Card) -> Result<(), TerminalError> {
        let mut changed = self.http.change(&card.record()).await?;
        if is_not_offered(&changed) {
            changed = self.http.change(&card.set_up()).await?;
        }
        match changed {
            Changed::Done => Ok(()),
            Changed::Refused(said) if said.refusal() == Refusal::CardTaken => {
                let card = card.card_no.to_string();
                Err(WriteError::CardTaken { card }.into())
            }
            Changed::Refused(said) => Err(refused(&said)),
        }
    }

    /// The person and their cards as they are now, if they are as asked.
    async fn compared(
        &mut self,
        wanted: &PersonRecord,
        cards: Option<&BTreeSet<CardNo>>,
    ) -> Result<(PersonRecord, BTreeSet<CardNo>), TerminalError> {
        let number = &wanted.employee_no;
        let Some(shown) = self.person(Step::Write, number).await? else {
            return Err(WriteError::NotAsAsked {
                asked: format!("user {number}"),
                shows: format!("no user {number}"),
            }
            .into());
        };
        let different = wanted.differences(&shown);
        if !different.is_empty() {
            let each = |of: &dyn Fn(&hik_proto::Difference) -> String| {
                different.iter().map(of).collect::<Vec<_>>().join(", ")
            };
            return Err(WriteError::NotAsAsked {
                asked: format!(
                    "user {number} with {}",
                    each(&|one| format!("{} {}", one.member, one.asked))
                ),
                shows: each(&|one| format!("{} {}", one.member, one.shown)),
            }
            .into());
        }
        let found = self.cards(Step::Write, number).await?;
        match cards {
            Some(asked) if *asked != found => {
                let named = |cards: &BTreeSet<CardNo>| match cards.is_empty() {
                    true => "no card".to_owned(),
                    false => {
                        let cards: Vec<_> = cards.iter().map(CardNo::as_str).collect();
                        format!("card {}", cards.join(", "))
                    }
                };
                Err(WriteError::NotAsAsked {
                    asked: format!("user {number} with {}", named(asked)),
                    shows: named(&found),
                }
                .into())
            }
            _ => Ok((shown, found)),
        }
    }

    /// Whether there are as many people as there have to be, or more: others may add some meanwhile.
    async fn check_nobody_is_gone(&mut self, least: Option<u32>) -> Result<(), TerminalError> {
        let now = self.people_count().await.map_err(unseen)?;
        match (least, now) {
            (Some(least), Some(now)) if now < least => Err(WriteError::NotAsAsked {
                asked: format!("{least} users"),
                shows: format!("{now}"),
            }
            .into()),
            _ => Ok(()),
        }
    }

    /// See [`crate::Terminal::delete_user`].
    ///
    /// # Errors
    /// See [`crate::Terminal::delete_user`].
    pub async fn delete_user(&mut self, id: &DeviceUserId) -> Result<UserDetails, TerminalError> {
        let number = employee_no(id)?;
        let before = self.existing(id, &number).await?;
        let cards = self.cards(Step::Users, &number).await?;
        let counted = self.people_count().await?;

        let one = NonEmpty::one(number.clone());
        match self.http.change(&delete_people_with_all(&one)).await? {
            Changed::Done => self.await_deletion(&number).await?,
            Changed::Refused(said) if said.refusal() == NOT_OFFERED => {
                if let Some(cards) = NonEmpty::from_items(cards.iter().cloned()) {
                    self.changed(&delete_cards(&cards)).await?;
                }
                self.changed(&delete_people(&one)).await?;
            }
            Changed::Refused(said) if said.refusal() == Refusal::NoSuchPerson => {
                return Err(WriteError::NoSuchUser { id: id.clone() }.into());
            }
            Changed::Refused(said) => return Err(refused(&said)),
        }

        let left = self.person(Step::Write, &number).await.map_err(unseen)?;
        if left.is_some() {
            return Err(WriteError::NotAsAsked {
                asked: format!("no user {id}"),
                shows: format!("user {id}"),
            }
            .into());
        }
        self.check_nobody_is_gone(counted.map(|counted| counted.saturating_sub(1)))
            .await?;
        Ok(details(id, &before, cards, false))
    }

    /// The terminal answers before it has deleted anybody, and is asked until it has. One that does not tell is looked at.
    async fn await_deletion(&mut self, number: &EmployeeNo) -> Result<(), TerminalError> {
        let step = Step::Write;
        let began = Instant::now();
        let still = |detail: &str| {
            let detail = format!("the terminal {detail} user {number}");
            Err(WriteError::Unsure { detail }.into())
        };
        loop {
            let told = self.http.get(step, paths::DELETE_PROGRESS).await;
            let body = match told.map_err(unseen)? {
                Answer::Body(body) => body,
                Answer::NotAvailable(_) => return Ok(()),
            };
            let progress = DeleteProgress::decode(&body).map_err(malformed(step));
            match progress.map_err(unseen)? {
                DeleteProgress::Done => return Ok(()),
                DeleteProgress::Failed => return still("says that it failed to delete"),
                DeleteProgress::Processing if began.elapsed() >= DELETE_WITHIN => {
                    return still("has been deleting for a minute, and is not done with");
                }
                DeleteProgress::Processing => self.http.pause(step, DELETE_LOOKS).await?,
            }
        }
    }

    /// See [`crate::Terminal::set_face`].
    ///
    /// # Errors
    /// See [`crate::Terminal::set_face`].
    pub async fn set_face(
        &mut self,
        id: &DeviceUserId,
        picture: &[u8],
    ) -> Result<UserDetails, TerminalError> {
        let picture = FacePicture::new(picture.to_vec()).map_err(does_not_fit)?;
        let number = employee_no(id)?;
        let before = self.existing(id, &number).await?;
        let upload = FaceUpload {
            of: &number,
            picture: &picture,
        };
        let has_one = before.faces().is_some_and(|faces| faces > 0);
        let mut changed = match has_one {
            true => self.http.change(&upload.set_up()).await?,
            false => self.http.change(&upload.record()).await?,
        };
        let other_way =
            |said: &ResponseStatus| matches!(said.refusal(), Refusal::FaceExists | NOT_OFFERED);
        if let Changed::Refused(said) = &changed
            && !has_one
            && other_way(said)
        {
            changed = self.http.change(&upload.set_up()).await?;
        }
        match changed {
            Changed::Done => self.with_face(id, true).await,
            Changed::Refused(said) => Err(match said.refusal() {
                Refusal::NoSuchPerson => WriteError::NoSuchUser { id: id.clone() }.into(),
                Refusal::BadPicture => WriteError::BadPicture {
                    said: said.to_string(),
                }
                .into(),
                _ => refused(&said),
            }),
        }
    }

    /// See [`crate::Terminal::delete_face`].
    ///
    /// # Errors
    /// See [`crate::Terminal::delete_face`].
    pub async fn delete_face(&mut self, id: &DeviceUserId) -> Result<UserDetails, TerminalError> {
        let number = employee_no(id)?;
        let before = self.existing(id, &number).await?;
        if self.has_face(Step::Users, &before).await? == Some(false) {
            return Err(WriteError::NoSuchFace { id: id.clone() }.into());
        }
        self.changed(&delete_faces(&NonEmpty::one(number))).await?;
        self.with_face(id, false).await
    }

    /// The user as they are now, if they have a face or none, as asked.
    async fn with_face(
        &mut self,
        id: &DeviceUserId,
        asked: bool,
    ) -> Result<UserDetails, TerminalError> {
        let number = employee_no(id)?;
        let said = |face: bool| match face {
            true => format!("a face of user {id}"),
            false => format!("no face of user {id}"),
        };
        let now = self.person(Step::Write, &number).await.map_err(unseen)?;
        let Some(now) = now else {
            return Err(WriteError::NotAsAsked {
                asked: said(asked),
                shows: format!("no user {id}"),
            }
            .into());
        };
        match self.has_face(Step::Write, &now).await.map_err(unseen)? {
            Some(shows) if shows == asked => {}
            Some(shows) => {
                return Err(WriteError::NotAsAsked {
                    asked: said(asked),
                    shows: said(shows),
                }
                .into());
            }
            None => {
                return Err(WriteError::NotReadBack {
                    detail: "the terminal does not tell who has a face".to_owned(),
                }
                .into());
            }
        }
        let cards = self.cards(Step::Write, &number).await.map_err(unseen)?;
        Ok(UserDetails {
            has_face: Some(asked),
            ..details(id, &now, cards, false)
        })
    }

    /// By its library of faces, else by what the person's row counts; `None` where neither is told.
    async fn has_face(
        &mut self,
        step: Step,
        person: &PersonRecord,
    ) -> Result<Option<bool>, TerminalError> {
        let of = &person.employee_no;
        let search = encode_face_search(of);
        match self.http.post(step, paths::FACES, search).await? {
            Answer::Body(body) => decode_has_face(&body, of)
                .map(Some)
                .map_err(malformed(step)),
            Answer::NotAvailable(_) => Ok(person.faces().map(|faces| faces > 0)),
        }
    }

    /// See [`crate::Terminal::unlock`].
    ///
    /// # Errors
    /// See [`crate::Terminal::unlock`].
    pub async fn unlock(&mut self) -> Result<(), TerminalError> {
        self.changed(&DoorCommand::Open.request(DOOR)).await?;
        let step = Step::Write;
        let told = optional(self.http.get(step, paths::WORK_STATUS).await);
        let state = match told.map_err(unseen)? {
            Some(Answer::Body(body)) => DoorState::decode(&body, DOOR).unwrap_or(None),
            _ => None,
        };
        match state {
            Some(DoorState::AlwaysClosed) => Err(WriteError::NotAsAsked {
                asked: "an open door".to_owned(),
                shows: "a door that is set to stay closed".to_owned(),
            }
            .into()),
            _ => Ok(()),
        }
    }

    /// See [`crate::Terminal::restart`].
    ///
    /// # Errors
    /// See [`TerminalError`].
    pub async fn restart(mut self) -> Result<(), TerminalError> {
        let told = self.changed(&reboot()).await;
        self.close().await;
        match told {
            // It is gone before it has answered.
            Err(
                TerminalError::Timeout {
                    step: Step::Write, ..
                }
                | TerminalError::Cut {
                    step: Step::Write, ..
                },
            ) => Ok(()),
            told => told,
        }
    }

    async fn changed(&mut self, request: &Request) -> Result<(), TerminalError> {
        match self.http.change(request).await? {
            Changed::Done => Ok(()),
            Changed::Refused(said) => Err(refused(&said)),
        }
    }

    async fn person(
        &mut self,
        step: Step,
        number: &EmployeeNo,
    ) -> Result<Option<PersonRecord>, TerminalError> {
        people::find(&mut self.http, step, number).await
    }

    async fn existing(
        &mut self,
        id: &DeviceUserId,
        number: &EmployeeNo,
    ) -> Result<PersonRecord, TerminalError> {
        let found = self.person(Step::Users, number).await?;
        Ok(found.ok_or_else(|| WriteError::NoSuchUser { id: id.clone() })?)
    }

    async fn cards(
        &mut self,
        step: Step,
        of: &EmployeeNo,
    ) -> Result<BTreeSet<CardNo>, TerminalError> {
        let found = people::cards(&mut self.http, step, Some(of)).await?;
        let own = found.unwrap_or_default().into_iter();
        Ok(own
            .filter(|card| card.employee_no == *of)
            .map(|card| card.card_no)
            .collect())
    }
}

/// What is asked of a user, checked as far as that needs no terminal.
struct Asked<'a> {
    number: EmployeeNo,
    name: Option<&'a str>,
    user_type: Option<&'static str>,
    cards: Option<BTreeSet<CardNo>>,
    password: Option<&'a str>,
    valid_from: Option<DateTime>,
    valid_until: Option<DateTime>,
}

impl<'a> Asked<'a> {
    fn of(change: &'a UserChange) -> Result<Self, WriteError> {
        let name = change.name.as_deref().map(str::trim);
        let most = PersonRecord::LONGEST_NAME;
        if name.is_some_and(|name| name.len() > most || name.contains(char::is_control)) {
            let detail = format!("a name has at most {most} bytes and no control characters");
            return Err(does_not_fit(detail));
        }
        let card = |text: &String| {
            CardNo::parse(text).ok_or_else(|| {
                does_not_fit(format!("{text:?} is no card number of 1 to 20 characters"))
            })
        };
        let cards = change.cards.as_ref();
        Ok(Self {
            number: employee_no(&change.id)?,
            name,
            user_type: change.privilege.map(user_type).transpose()?,
            cards: cards
                .map(|cards| cards.iter().map(card).collect())
                .transpose()?,
            password: change.password.as_deref(),
            valid_from: limit(change.valid_from, Validity::EARLIEST)?,
            valid_until: limit(change.valid_until, Validity::LATEST)?,
        })
    }

    /// The user as they are to be: somebody new may pass, and of somebody known only what is asked changes.
    fn applied_to(&self, before: Option<&PersonRecord>) -> Result<PersonRecord, WriteError> {
        let mut wanted = match before {
            Some(before) => before.clone(),
            None => PersonRecord::new(self.number.clone()),
        };
        if let Some(name) = self.name {
            wanted.name = name.to_owned();
        }
        if let Some(user_type) = self.user_type {
            wanted.user_type = user_type.to_owned();
        }
        if self.valid_from.is_some() || self.valid_until.is_some() {
            let counted = wanted.validity.filter(|validity| validity.enabled);
            let mut validity = counted.unwrap_or(Validity::ALWAYS);
            validity.begin = self.valid_from.unwrap_or(validity.begin);
            validity.end = self.valid_until.unwrap_or(validity.end);
            if validity.begin > validity.end {
                let (begin, end) = (validity.begin, validity.end);
                return Err(does_not_fit(format!("{begin} is after {end}")));
            }
            wanted.validity = Some(validity);
        }
        Ok(wanted)
    }
}

fn limit(asked: Option<Limit>, never: DateTime) -> Result<Option<DateTime>, WriteError> {
    let possible = Validity::EARLIEST..=Validity::LATEST;
    match asked {
        None => Ok(None),
        Some(Limit::Never) => Ok(Some(never)),
        Some(Limit::At(at)) if possible.contains(&at) => Ok(Some(at)),
        Some(Limit::At(at)) => Err(does_not_fit(format!(
            "a terminal takes dates from 2000 to 2037, not {at}"
        ))),
    }
}

fn user_type(privilege: Privilege) -> Result<&'static str, WriteError> {
    match privilege {
        Privilege::User => Ok(PersonRecord::NORMAL),
        Privilege::Admin => Ok(PersonRecord::ADMIN),
        Privilege::Enroller | Privilege::Manager => Err(does_not_fit(
            "a Hikvision terminal knows users and administrators",
        )),
    }
}

fn employee_no(id: &DeviceUserId) -> Result<EmployeeNo, WriteError> {
    EmployeeNo::parse(id.as_str())
        .ok_or_else(|| does_not_fit(format!("{id} cannot be a number on a terminal")))
}

/// `sets_password`: one was just written, which most terminals do not show.
fn details(
    id: &DeviceUserId,
    person: &PersonRecord,
    cards: BTreeSet<CardNo>,
    sets_password: bool,
) -> UserDetails {
    let counted = person.validity.filter(|validity| validity.enabled);
    UserDetails {
        id: id.clone(),
        name: person.name.clone(),
        privilege: match person.user_type.as_str() {
            PersonRecord::NORMAL => Some(Privilege::User),
            PersonRecord::ADMIN => Some(Privilege::Admin),
            _ => None,
        },
        disabled: person.user_type == PersonRecord::BLOCKED
            || person.door_right.as_deref() == Some(""),
        cards: cards.iter().map(ToString::to_string).collect(),
        has_password: sets_password || person.shows_password(),
        valid_from: counted
            .map(|validity| validity.begin)
            .filter(|begin| *begin > Validity::EARLIEST),
        valid_until: counted
            .map(|validity| validity.end)
            .filter(|end| *end < Validity::LATEST),
        has_face: person.faces().map(|faces| faces > 0),
    }
}

fn is_not_offered(changed: &Changed) -> bool {
    matches!(changed, Changed::Refused(said) if said.refusal() == NOT_OFFERED)
}

/// The firmware has no such request.
const NOT_OFFERED: Refusal = Refusal::For(Condition::NotSupported);

/// A refusal with what is known about whether anything was written.
pub(super) fn refused(status: &ResponseStatus) -> TerminalError {
    let said = status.to_string();
    match status.refusal() {
        Refusal::BadPicture => WriteError::BadPicture { said },
        Refusal::For(Condition::LowPrivilege) => WriteError::NotAllowed { said },
        Refusal::For(Condition::Full) => WriteError::Full { said },
        Refusal::For(Condition::Fault) => WriteError::Unsure {
            detail: format!("the terminal says {said}"),
        },
        Refusal::PersonExists
        | Refusal::NoSuchPerson
        | Refusal::CardTaken
        | Refusal::FaceExists
        | Refusal::For(_)
        | Refusal::Other => WriteError::Refused { said },
    }
    .into()
}

/// A refusal of the second or a later step.
fn after(done: Option<String>, error: TerminalError) -> TerminalError {
    match (done, error) {
        (Some(done), TerminalError::Write(why)) => {
            let why = why.to_string();
            WriteError::Partly { done, why }.into()
        }
        (_, error) => error,
    }
}

/// What goes wrong after a change was sent: it is there, and not seen. A silent terminal says so by its step.
pub(super) fn unseen(error: TerminalError) -> TerminalError {
    let stays = matches!(
        error,
        TerminalError::Write(_)
            | TerminalError::Timeout {
                step: Step::Write,
                ..
            }
            | TerminalError::Cut {
                step: Step::Write,
                ..
            }
    );
    if stays || error.retry() == Retry::AfterEdit {
        return error;
    }
    WriteError::NotReadBack {
        detail: error.to_string(),
    }
    .into()
}

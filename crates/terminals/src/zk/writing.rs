//! Changes at a ZKTeco terminal: each is checked before it is sent, confirmed by its answer, and compared with what is read
//! back. The bytes are in `zk_proto`; what is known of real terminals is in `docs/devices/zkteco.md`.
//!
//! While people or the log are written, keypad and sensors are blocked, for a minute at most: whatever happens to us, the
//! terminal unblocks itself.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use attendance::DeviceUserId;
use zk_proto::bulk::Wanted;
use zk_proto::control::{self, DoorUnit};
use zk_proto::templates::{self, Enrolled, Finger};
use zk_proto::text::NameEncoding;
use zk_proto::users::{self, UserList, UserRecord};
use zk_proto::{Counters, Template, Uid, User, UserLayout, command, options};

use super::connection::{Connection, Twice};
use super::{ZkTerminal, device_user_id};
use crate::writing::does_not_fit;
use crate::{
    Deadline, Effect, FingerKind, Fingerprint, Fingerprints, Privilege, Step, TerminalError,
    UserChange, UserDetails, WriteError, Written,
};

/// Longer than a write takes, and no longer than people can wait at a door if we are gone.
const BLOCKED_SECS: u32 = 60;
/// To unblock the terminal after a failure, also when the deadline has passed; once on the connection and once on a new one.
const UNBLOCK: Duration = Duration::from_secs(3);
/// Above the most that is sold, 10,000 templates of at most 1,700 bytes.
const MAX_TEMPLATES_LEN: u32 = 32 << 20;
/// An hour, which is what the longest request can ask for.
const LONGEST_UNLOCK: Duration = Duration::from_secs(3600);
/// How many differences an error names.
const SHOWN: usize = 5;

impl ZkTerminal {
    /// See [`crate::Terminal::set_user`].
    ///
    /// # Errors
    /// See [`crate::Terminal::set_user`].
    pub async fn set_user(&mut self, change: &UserChange) -> Result<Written, TerminalError> {
        // What does not fit is refused here, before anybody at the terminal notices anything.
        let people = self.people(Step::Users).await?;
        let wanted = people.as_listed(&people.record(change)?)?;
        if people.effect_of(&wanted) == Effect::AlreadySo {
            return Ok(people.written(Effect::AlreadySo, &wanted));
        }
        let written = self.set_user_blocked(change).await;
        self.unblock().await;
        written
    }

    async fn set_user_blocked(&mut self, change: &UserChange) -> Result<Written, TerminalError> {
        self.block().await?;
        // Once more: somebody may have enrolled at the keypad in between and have the free number now.
        let before = self.people(Step::Write).await?;
        let record = before.record(change)?;
        let wanted = before.as_listed(&record)?;
        let request = record
            .write(before.layout()?, before.list.encoding)
            .map_err(does_not_fit)?;
        // Harmless: it names its internal number, so the second one writes the same user to the same place.
        self.connection
            .change(&request, Twice::Harmless)
            .await
            .map_err(|error| {
                let what = format!("writing user {}", change.id);
                about(
                    error,
                    &what,
                    "; it may not take such an id, privilege or card",
                )
            })?;
        self.refresh().await?;
        let after = self.people(Step::Write).await?;
        let mut expected = before.by_number();
        expected.insert(wanted.uid(), &wanted);
        compare_people(&expected, &after)?;
        Ok(after.written(before.effect_of(&wanted), &wanted))
    }

    /// See [`crate::Terminal::delete_user`].
    ///
    /// # Errors
    /// See [`crate::Terminal::delete_user`].
    pub async fn delete_user(&mut self, id: &DeviceUserId) -> Result<UserDetails, TerminalError> {
        self.people(Step::Users).await?.user(id)?;
        let deleted = self.delete_user_blocked(id).await;
        self.unblock().await;
        deleted
    }

    async fn delete_user_blocked(
        &mut self,
        id: &DeviceUserId,
    ) -> Result<UserDetails, TerminalError> {
        self.block().await?;
        let before = self.people(Step::Write).await?;
        let user = before.user(id)?;
        let mut expected = before.by_number();
        expected.remove(&user.uid());
        // Harmless: nobody is given the number while the terminal is blocked. A second one is refused, so the list decides.
        let refused = self.change_or_refusal(&users::delete(user.uid())).await?;
        self.refresh().await?;
        let after = self.people(Step::Write).await?;
        match (refused, after.find(id)) {
            (Some(refused), Some(_)) => Err(about(refused, &format!("deleting user {id}"), "")),
            _ => compare_people(&expected, &after).map(|()| before.details(user)),
        }
    }

    /// See [`crate::Terminal::algorithm`].
    ///
    /// # Errors
    /// See [`TerminalError`].
    pub async fn algorithm(&mut self) -> Result<Option<String>, TerminalError> {
        let told = self.option(options::FINGER_ALGORITHM).await?;
        Ok(told.filter(|algorithm| !algorithm.is_empty()))
    }

    /// See [`crate::Terminal::fingerprints`].
    ///
    /// # Errors
    /// See [`crate::Terminal::fingerprints`].
    pub async fn fingerprints(&mut self, id: &DeviceUserId) -> Result<Fingerprints, TerminalError> {
        let algorithm = self.algorithm().await?;
        let people = self.people(Step::Users).await?;
        let uid = people.user(id)?.uid();
        let templates = self.templates(Step::Users).await?;
        let of_user = templates.values().filter(|template| template.uid == uid);
        Ok(Fingerprints {
            algorithm,
            fingers: of_user.map(fingerprint).collect(),
        })
    }

    /// See [`crate::Terminal::all_fingerprints`].
    ///
    /// # Errors
    /// See [`TerminalError`].
    pub async fn all_fingerprints(
        &mut self,
    ) -> Result<Vec<(DeviceUserId, Fingerprints)>, TerminalError> {
        let algorithm = self.algorithm().await?;
        let people = self.people(Step::Users).await?;
        let mut fingers: BTreeMap<Uid, Vec<Fingerprint>> = BTreeMap::new();
        for template in self.templates(Step::Users).await?.values() {
            let of_user = fingers.entry(template.uid).or_default();
            of_user.push(fingerprint(template));
        }
        let users = people.list.users.iter();
        Ok(users
            .filter_map(|user| {
                let prints = Fingerprints {
                    algorithm: algorithm.clone(),
                    fingers: fingers.remove(&user.uid())?,
                };
                Some((device_user_id(user.id.as_bytes()), prints))
            })
            .collect())
    }

    /// See [`crate::Terminal::write_fingerprints`].
    ///
    /// # Errors
    /// See [`crate::Terminal::write_fingerprints`].
    pub async fn write_fingerprints(
        &mut self,
        change: &UserChange,
        prints: &Fingerprints,
    ) -> Result<Written, TerminalError> {
        let fingers = writable(prints)?;
        let own = self.algorithm().await?;
        if own.is_none() || own != prints.algorithm {
            let told = |algorithm: Option<&str>| algorithm.unwrap_or("nobody knows").to_owned();
            return Err(WriteError::OtherAlgorithm {
                found: told(prints.algorithm.as_deref()),
                own: told(own.as_deref()),
            }
            .into());
        }
        let people = self.people(Step::Users).await?;
        people.save(&people.record(change)?, &fingers)?;
        let written = self.write_fingerprints_blocked(change, &fingers).await;
        self.unblock().await;
        written
    }

    async fn write_fingerprints_blocked(
        &mut self,
        change: &UserChange,
        fingers: &[(Finger, Vec<u8>)],
    ) -> Result<Written, TerminalError> {
        self.block().await?;
        let before = self.people(Step::Write).await?;
        let mut expected = self.templates(Step::Write).await?;
        let record = before.record(change)?;
        let wanted = before.as_listed(&record)?;
        let upload = before.save(&record, fingers)?;
        self.connection
            .upload(&upload)
            .await
            .map_err(|error| about(error, &format!("writing user {}", change.id), ""))?;
        self.refresh().await?;

        let after = self.people(Step::Write).await?;
        let mut people = before.by_number();
        people.insert(wanted.uid(), &wanted);
        compare_people(&people, &after)?;
        for (finger, bytes) in fingers {
            let template = Template {
                uid: wanted.uid(),
                finger: *finger,
                flag: VALID,
                bytes: bytes.clone(),
            };
            expected.insert((template.uid, template.finger), template);
        }
        let templates = self.templates(Step::Write).await?;
        compare_templates(&expected, &templates, &after)?;
        Ok(after.written(before.effect_of(&wanted), &wanted))
    }

    /// See [`crate::Terminal::delete_fingerprints`].
    ///
    /// # Errors
    /// See [`crate::Terminal::delete_fingerprints`].
    pub async fn delete_fingerprints(
        &mut self,
        id: &DeviceUserId,
        finger: Option<u8>,
    ) -> Result<Vec<u8>, TerminalError> {
        self.people(Step::Users).await?.user(id)?;
        let deleted = self.delete_fingerprints_blocked(id, finger).await;
        self.unblock().await;
        deleted
    }

    async fn delete_fingerprints_blocked(
        &mut self,
        id: &DeviceUserId,
        finger: Option<u8>,
    ) -> Result<Vec<u8>, TerminalError> {
        self.block().await?;
        let people = self.people(Step::Write).await?;
        let uid = people.user(id)?.uid();
        let mut expected = self.templates(Step::Write).await?;
        let of_user = expected.keys().filter(|(owner, _)| *owner == uid);
        let chosen: Vec<Finger> = of_user
            .map(|(_, number)| *number)
            .filter(|number| finger.is_none_or(|finger| finger == number.number()))
            .collect();
        if let (Some(finger), []) = (finger, &chosen[..]) {
            let id = id.clone();
            return Err(WriteError::NoSuchFinger { id, finger }.into());
        }
        let mut refused = None;
        for number in &chosen {
            let request = match people.layout()? {
                UserLayout::Long72 => {
                    templates::delete(id.as_str(), *number).map_err(does_not_fit)?
                }
                UserLayout::Short28 => templates::delete_by_uid(uid, *number),
            };
            // Harmless: it names the finger. A second one is refused, so what is left decides.
            refused = refused.or(self.change_or_refusal(&request).await?);
            expected.remove(&(uid, *number));
        }
        self.refresh().await?;
        let left = self.templates(Step::Write).await?;
        let there_still = |number: &&Finger| left.contains_key(&(uid, **number));
        match (refused, chosen.iter().find(there_still)) {
            (Some(refused), Some(number)) => {
                let what = format!("deleting finger {} of user {id}", number.number());
                Err(about(refused, &what, ""))
            }
            _ => {
                compare_templates(&expected, &left, &people)?;
                Ok(chosen.iter().map(|number| number.number()).collect())
            }
        }
    }

    /// See [`crate::Terminal::clear_log`].
    ///
    /// # Errors
    /// See [`crate::Terminal::clear_log`].
    pub async fn clear_log(&mut self, held: u32) -> Result<u32, TerminalError> {
        let cleared = self.clear_log_blocked(held).await;
        self.unblock().await;
        cleared
    }

    async fn clear_log_blocked(&mut self, held: u32) -> Result<u32, TerminalError> {
        // Before it counts: a punch after that would be deleted unread.
        self.block().await?;
        let found = self.records().await?;
        if found != held {
            let expected = held;
            return Err(WriteError::LogChanged { expected, found }.into());
        }
        if held == 0 {
            return Ok(0);
        }
        // Harmful: a second one would delete what was punched after the first. Where its answer got lost, the counter tells.
        let lossy = self.connection.loses();
        match self
            .connection
            .change(&control::clear_log(), Twice::Harmful)
            .await
        {
            Err(TerminalError::Timeout { .. }) if lossy => {}
            said => said.map_err(|error| about(error, "clearing the log", ""))?,
        }
        self.refresh().await?;
        match self.records().await? {
            left if left < held => Ok(left),
            left => Err(WriteError::NotAsAsked {
                asked: "an empty log".to_owned(),
                shows: format!("{left} records"),
            }
            .into()),
        }
    }

    async fn records(&mut self) -> Result<u32, TerminalError> {
        let step = Step::Write;
        let records = self.counters_at(step).await?.records;
        records.ok_or_else(|| TerminalError::Refused {
            step,
            detail: "it does not tell how many records it holds".to_owned(),
        })
    }

    /// See [`crate::Terminal::restart`].
    ///
    /// # Errors
    /// See [`TerminalError`].
    pub async fn restart(mut self) -> Result<(), TerminalError> {
        // Harmful twice, so it is sent once: over UDP a request that got lost looks like a terminal that is gone.
        let gone = self.connection.send_away(&control::restart()).await;
        self.close().await;
        gone.map_err(|error| about(error, "restarting", ""))
    }

    /// See [`crate::Terminal::unlock`].
    ///
    /// # Errors
    /// See [`TerminalError`].
    pub async fn unlock(&mut self, open: Duration, unit: DoorUnit) -> Result<(), TerminalError> {
        if !(Duration::from_secs(1)..=LONGEST_UNLOCK).contains(&open) {
            return Err(does_not_fit("a door opens for 1 to 3600 seconds").into());
        }
        // Harmful: the door would stay open for longer.
        self.connection
            .change(&control::unlock(open, unit), Twice::Harmful)
            .await
            .map_err(|error| about(error, "opening the door", ""))
    }

    /// See [`crate::Terminal::voice`].
    ///
    /// # Errors
    /// See [`TerminalError`].
    pub async fn voice(&mut self, index: u32) -> Result<(), TerminalError> {
        // Harmful: people would hear it twice.
        self.connection
            .change(&control::voice(index), Twice::Harmful)
            .await
            .map_err(|error| about(error, &format!("playing voice {index}"), ""))
    }

    /// See [`crate::Terminal::show`].
    ///
    /// # Errors
    /// See [`crate::Terminal::show`].
    pub async fn show(&mut self, line: u16, text: &str) -> Result<(), TerminalError> {
        // The names in its list tell how it writes letters that are not ASCII.
        let encoding = match text.is_ascii() {
            true => NameEncoding::default(),
            false => self.user_list_at(Step::Users, None).await?.encoding,
        };
        let request = control::show(line, text, encoding).ok_or_else(|| {
            let code_page = format!("{encoding:?}");
            does_not_fit(format!(
                "the text has characters that the terminal's {code_page} code page does not have"
            ))
        })?;
        // Harmless: the line is the same afterwards.
        self.connection
            .change(&request, Twice::Harmless)
            .await
            .map_err(|error| about(error, &format!("showing a text in line {line}"), ""))
    }

    /// See [`crate::Terminal::clear_screen`].
    ///
    /// # Errors
    /// See [`TerminalError`].
    pub async fn clear_screen(&mut self) -> Result<(), TerminalError> {
        // Harmless: an empty screen is empty.
        self.connection
            .change(&control::clear_screen(), Twice::Harmless)
            .await
            .map_err(|error| about(error, "clearing the screen", ""))
    }

    async fn people(&mut self, step: Step) -> Result<People, TerminalError> {
        let counters = self.counters_at(step).await?;
        let list = self.user_list_at(step, counters.users).await?;
        let layout = match list.layout {
            Some(layout) => Some(layout),
            // One that has nobody yet.
            None => {
                let platform = self.option(options::PLATFORM).await?;
                let colour = platform.is_some_and(|platform| platform.contains("TFT"));
                colour.then_some(UserLayout::Long72)
            }
        };
        Ok(People {
            list,
            layout,
            room: counters.user_capacity,
        })
    }

    async fn templates(&mut self, step: Step) -> Result<Templates, TerminalError> {
        let counted = self.counters_at(step).await?.fingerprints;
        let body = self
            .whole(step, Wanted::Templates, counted, MAX_TEMPLATES_LEN)
            .await?;
        let list = templates::decode_list(&body).map_err(|error| TerminalError::Malformed {
            step,
            detail: error.to_string(),
        })?;
        let places = list.templates.into_iter();
        Ok(places
            .map(|template| ((template.uid, template.finger), template))
            .collect())
    }

    async fn counters_at(&mut self, step: Step) -> Result<Counters, TerminalError> {
        let told = self
            .connection
            .ask_if_known(step, command::GET_FREE_SIZES, &[])
            .await?;
        Ok(told.map(Counters::decode).unwrap_or_default())
    }

    /// The refusal, where what is there now says more than it does.
    async fn change_or_refusal(
        &mut self,
        request: &zk_proto::Request,
    ) -> Result<Option<TerminalError>, TerminalError> {
        match self.connection.change(request, Twice::Harmless).await {
            Ok(()) => Ok(None),
            Err(refused @ TerminalError::Refused { .. }) => Ok(Some(refused)),
            Err(error) => Err(error),
        }
    }

    /// Has what was written take effect. Whether it did is read back, so a model without this command is none the worse.
    async fn refresh(&mut self) -> Result<(), TerminalError> {
        let request = control::refresh_data();
        self.connection
            .ask_if_known(Step::Write, request.command, &request.data)
            .await?;
        Ok(())
    }

    /// Blocks keypad and sensors. A model that refuses, or only says so, is written to all the same: what people do there
    /// meanwhile is found by reading back.
    async fn block(&mut self) -> Result<(), TerminalError> {
        self.blocked = true;
        let request = control::disable(BLOCKED_SECS);
        self.connection
            .ask_if_known(Step::Write, request.command, &request.data)
            .await?;
        Ok(())
    }

    /// Ends [`Self::block`], however the write ended: on a new connection if this one is of no use any more, or the terminal
    /// has forgotten it.
    async fn unblock(&mut self) {
        if !std::mem::take(&mut self.blocked) {
            return;
        }
        let deadline = self.connection.deadline();
        self.connection.renew(Deadline::after(UNBLOCK));
        if let Err(error) = enable(&mut self.connection).await {
            tracing::debug!(%error, "a terminal was not unblocked on its connection");
            self.connection.exit().await;
            match self.unblock_anew().await {
                Ok(connection) => self.connection = connection,
                Err(error) => tracing::warn!(
                    %error,
                    "a terminal stays blocked for a minute, it cannot be reached to unblock it"
                ),
            }
        }
        self.connection.renew(deadline);
    }

    async fn unblock_anew(&self) -> Result<Connection, TerminalError> {
        let deadline = Deadline::after(UNBLOCK);
        let mut connection = Connection::open(&self.target, self.transport(), deadline).await?;
        if connection.greet().await? {
            let key = self.target.credentials.comm_key;
            connection.sign_in(key).await?;
        }
        enable(&mut connection).await?;
        Ok(connection)
    }
}

async fn enable(connection: &mut Connection) -> Result<(), TerminalError> {
    let request = control::enable();
    connection
        .ask(Step::Write, request.command, &request.data)
        .await?;
    Ok(())
}

type Templates = BTreeMap<(Uid, Finger), Template>;

const INVALID: u8 = 0;
const VALID: u8 = 1;
const DURESS: u8 = 3;

/// The user list, with what is needed to write into it.
struct People {
    list: UserList,
    layout: Option<UserLayout>,
    room: Option<u32>,
}

impl People {
    fn find(&self, id: &DeviceUserId) -> Option<&User> {
        let mut users = self.list.users.iter();
        users.find(|user| user.id == id.as_str())
    }

    fn layout(&self) -> Result<UserLayout, WriteError> {
        self.layout.ok_or_else(|| {
            does_not_fit(
                "the terminal has no users, and its platform does not tell how it stores them; enrol one at its menu first",
            )
        })
    }

    fn user(&self, id: &DeviceUserId) -> Result<&User, WriteError> {
        self.find(id)
            .ok_or_else(|| WriteError::NoSuchUser { id: id.clone() })
    }

    fn by_number(&self) -> BTreeMap<Uid, &User> {
        let users = self.list.users.iter();
        users.map(|user| (user.uid(), user)).collect()
    }

    /// What to write for the user to be as asked: what is known of them where nothing is asked.
    fn record(&self, change: &UserChange) -> Result<UserRecord, WriteError> {
        let mut record = match self.find(&change.id) {
            Some(user) => user.record(self.list.encoding),
            None => self.newcomer(&change.id)?,
        };
        if let Some(name) = &change.name {
            record.name = name.trim().to_owned();
        }
        if let Some(privilege) = change.privilege {
            record.privilege = with_role(record.privilege, privilege);
        }
        if let Some(cards) = &change.cards {
            record.card = card_of(cards)?;
        }
        if change.valid_from.is_some() || change.valid_until.is_some() {
            return Err(does_not_fit("a ZKTeco terminal keeps no dates of validity"));
        }
        if let Some(password) = &change.password {
            record.password.clone_from(password);
        }
        self.as_listed(&record)?;
        Ok(record)
    }

    fn newcomer(&self, id: &DeviceUserId) -> Result<UserRecord, WriteError> {
        let held = self.list.users.len();
        if self.room.is_some_and(|room| held >= room as usize) {
            let detail = format!("the terminal holds {held} users and takes no more");
            return Err(does_not_fit(detail));
        }
        let uid = Uid::unused(&self.list)
            .ok_or_else(|| does_not_fit("the terminal has no internal number left"))?;
        Ok(UserRecord::new(uid, id.as_str()))
    }

    fn as_listed(&self, record: &UserRecord) -> Result<User, WriteError> {
        record
            .as_listed(self.layout()?, self.list.encoding)
            .map_err(does_not_fit)
    }

    fn save(
        &self,
        record: &UserRecord,
        fingers: &[(Finger, Vec<u8>)],
    ) -> Result<Vec<zk_proto::Request>, WriteError> {
        let user = record;
        templates::save(
            &[Enrolled { user, fingers }],
            self.layout()?,
            self.list.encoding,
        )
        .map_err(does_not_fit)
    }

    fn effect_of(&self, wanted: &User) -> Effect {
        match self.by_number().get(&wanted.uid()) {
            None => Effect::Created,
            Some(known) if *known == wanted => Effect::AlreadySo,
            Some(_) => Effect::Changed,
        }
    }

    fn written(&self, effect: Effect, user: &User) -> Written {
        Written {
            effect,
            user: self.details(user),
        }
    }

    fn details(&self, user: &User) -> UserDetails {
        UserDetails {
            id: device_user_id(user.id.as_bytes()),
            name: self.name(user),
            privilege: role(user.privilege()),
            disabled: user.privilege().is_disabled(),
            cards: (user.card != 0)
                .then(|| user.card.to_string())
                .into_iter()
                .collect(),
            has_password: user.has_password(),
            valid_from: None,
            valid_until: None,
            has_face: None,
        }
    }

    fn name(&self, user: &User) -> String {
        self.list.encoding.decode(&user.name)
    }

    /// The fields in which a user is not as asked.
    fn differences(&self, asked: &User, shown: &User) -> Vec<(String, String)> {
        let mut fields = Vec::new();
        let mut differ = |asked: String, shown: String| fields.push((asked, shown));
        if asked.id != shown.id {
            differ(format!("id {}", asked.id), format!("id {}", shown.id));
        }
        if asked.name != shown.name {
            differ(
                format!("name {:?}", self.name(asked)),
                format!("name {:?}", self.name(shown)),
            );
        }
        if asked.privilege() != shown.privilege() {
            differ(
                format!("privilege {}", asked.privilege().0),
                format!("privilege {}", shown.privilege().0),
            );
        }
        if asked.card != shown.card {
            differ(
                format!("card {}", asked.card),
                format!("card {}", shown.card),
            );
        }
        if fields.is_empty() && asked != shown {
            let other = "another password, group or time zone";
            fields.push(("all as asked".to_owned(), other.to_owned()));
        }
        fields
    }
}

/// The one card a user can have; 0 is none.
fn card_of(cards: &[String]) -> Result<u32, WriteError> {
    match cards {
        [] => Ok(0),
        [card] => card.trim().parse().map_err(|_| {
            does_not_fit(format!("a card is a number up to {}, not {card}", u32::MAX))
        }),
        _ => Err(does_not_fit("a user of a ZKTeco terminal has one card")),
    }
}

/// Whether exactly these people are in the list.
fn compare_people(expected: &BTreeMap<Uid, &User>, after: &People) -> Result<(), TerminalError> {
    let found = after.by_number();
    let mut different = Vec::new();
    let numbers: BTreeSet<Uid> = expected.keys().chain(found.keys()).copied().collect();
    for number in numbers {
        match (expected.get(&number), found.get(&number)) {
            (Some(asked), Some(shown)) => {
                let fields = after.differences(asked, shown);
                let of = |field: String| format!("user {} with {field}", asked.id);
                different.extend(fields.into_iter().map(|(a, b)| (of(a), of(b))));
            }
            (Some(asked), None) => {
                different.push((
                    format!("user {}", asked.id),
                    format!("no user {}", asked.id),
                ));
            }
            (None, Some(shown)) => {
                different.push((
                    format!("no user {}", shown.id),
                    format!("user {}", shown.id),
                ));
            }
            (None, None) => {}
        }
    }
    as_asked(different)
}

/// Whether exactly these templates are there. Nothing tells the flag of those that were written, so flags are not compared.
fn compare_templates(
    expected: &Templates,
    found: &Templates,
    people: &People,
) -> Result<(), TerminalError> {
    let numbers = people.by_number();
    let places: BTreeSet<(Uid, Finger)> = expected.keys().chain(found.keys()).copied().collect();
    let mut different = Vec::new();
    for place in places {
        let (asked, shown) = (expected.get(&place), found.get(&place));
        if asked.map(|template| &template.bytes) == shown.map(|template| &template.bytes) {
            continue;
        }
        let (uid, finger) = (place.0, place.1.number());
        let owner = match numbers.get(&uid) {
            Some(user) => format!("user {}", user.id),
            None => "nobody".to_owned(),
        };
        let finger = format!("finger {finger} of {owner}");
        different.push(match (asked, shown) {
            (Some(_), Some(_)) => (finger.clone(), format!("{finger} with other bytes")),
            (Some(_), None) => (finger.clone(), format!("no {finger}")),
            _ => (format!("no {finger}"), finger),
        });
    }
    as_asked(different)
}

fn as_asked(different: Vec<(String, String)>) -> Result<(), TerminalError> {
    if different.is_empty() {
        return Ok(());
    }
    let more = different.len().saturating_sub(SHOWN);
    let (asked, mut shows): (Vec<_>, Vec<_>) = different.into_iter().take(SHOWN).unzip();
    if more > 0 {
        shows.push(format!("{more} more differences"));
    }
    let (asked, shows) = (asked.join(", "), shows.join(", "));
    Err(WriteError::NotAsAsked { asked, shows }.into())
}

/// The fingers as they are uploaded. The upload has no place for their kind.
fn writable(prints: &Fingerprints) -> Result<Vec<(Finger, Vec<u8>)>, WriteError> {
    if prints.fingers.is_empty() {
        return Err(does_not_fit("there is no fingerprint"));
    }
    let fingers = prints.fingers.iter().map(|print| {
        let number = print.finger;
        let finger = Finger::new(number)
            .ok_or_else(|| does_not_fit(format!("fingers are 0 to 9, there is no {number}")))?;
        match print.kind {
            FingerKind::Valid => Ok((finger, print.template.clone())),
            FingerKind::Duress => Err(does_not_fit(format!(
                "finger {number} raises an alarm, and a copy of it would not"
            ))),
            FingerKind::Invalid => Err(does_not_fit(format!("finger {number} is marked invalid"))),
        }
    });
    fingers.collect()
}

fn fingerprint(template: &Template) -> Fingerprint {
    Fingerprint {
        finger: template.finger.number(),
        kind: match template.flag {
            INVALID => FingerKind::Invalid,
            DURESS => FingerKind::Duress,
            _ => FingerKind::Valid,
        },
        template: template.bytes.clone(),
    }
}

fn role(privilege: users::Privilege) -> Option<Privilege> {
    match privilege.0 & 0x0e {
        0 => Some(Privilege::User),
        2 => Some(Privilege::Enroller),
        6 | 12 => Some(Privilege::Manager), // 12 in the vendor's manual
        14 => Some(Privilege::Admin),
        _ => None,
    }
}

/// Who is disabled stays so, and who has the role already keeps the number the terminal has for it.
fn with_role(before: users::Privilege, wanted: Privilege) -> users::Privilege {
    if role(before) == Some(wanted) {
        return before;
    }
    let users::Privilege(number) = match wanted {
        Privilege::User => users::Privilege::USER,
        Privilege::Enroller => users::Privilege::ENROLLER,
        Privilege::Manager => users::Privilege::MANAGER,
        Privilege::Admin => users::Privilege::SUPER_ADMIN,
    };
    users::Privilege(before.0 & !0x0e | number)
}

/// A refusal with what was refused, and what may be the matter.
fn about(error: TerminalError, what: &str, hint: &str) -> TerminalError {
    match error {
        TerminalError::Refused { step, detail } => TerminalError::Refused {
            step,
            detail: format!("{what}: {detail}{hint}"),
        },
        error => error,
    }
}

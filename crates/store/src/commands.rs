//! Commands for devices that call: durable from being given until the device's own result closes them.
//!
//! What they mean is for `ingest`; here they are handed out at least once, and closed once.

use std::collections::BTreeMap;

use attendance::DeviceId;
use jiff::Timestamp;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

use crate::audit::Author;
use crate::entities::device_commands;
use crate::secrets::{Place, Secret, SecretError};
use crate::sql;
use crate::{Store, StoreError, WriteTx};

/// The purpose of what a person wants.
pub const PERSON: &str = "person";
/// So often a command is handed out that may be done twice.
const SENT_AT_MOST: i64 = 5;
/// Of the commands that ended so many are kept of each device.
const ENDED_KEPT: i64 = 200;
/// A device's answer is shown, not stored at any length.
const LONGEST_ANSWER: usize = 2000;

/// A command to be given.
#[derive(Clone, Debug)]
pub struct NewCommand<'a> {
    pub device: DeviceId,
    /// JSON of what is to be done, without secrets.
    pub what: &'a str,
    /// [`PERSON`], or which work of ours it belongs to.
    pub purpose: &'a str,
    pub secret: Option<Secret>,
    /// Doing it twice is as doing it once, so that it may be handed out again.
    pub repeatable: bool,
    /// It waits until it is let go, see [`WriteTx::let_command_go`].
    pub held_back: bool,
}

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    Done,
    Failed,
    /// It was handed out, and nobody can tell whether it was done.
    Unanswered,
}

impl Ended {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Unanswered => "unanswered",
        }
    }
}

impl WriteTx {
    /// Keeps a command for a device; the row. They are handed out in the order in which they were given.
    ///
    /// # Errors
    /// [`StoreError::Secret`] when there is a secret but no key to seal it.
    pub async fn give_command(
        &self,
        new: &NewCommand<'_>,
        author: Author,
    ) -> Result<device_commands::Model, StoreError> {
        let row = sql::one(
            &self.tx,
            "INSERT INTO device_commands (device_id, what, purpose, repeatable, made_ms, author_id, state) \
             VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING id",
            [
                new.device.0.into(),
                new.what.into(),
                new.purpose.into(),
                new.repeatable.into(),
                author.at_ms().into(),
                author.account_id().into(),
                if new.held_back { "held_back" } else { "waiting" }.into(),
            ],
        )
        .await?;
        let id: i64 = row
            .ok_or_else(|| StoreError::not_found("device", new.device))?
            .try_get_by_index(0)?;
        if let Some(secret) = &new.secret {
            let key = self.key().ok_or(SecretError::NoKey)?;
            sql::run(
                &self.tx,
                "UPDATE device_commands SET secret_sealed = $2 WHERE id = $1",
                [id.into(), key.seal(place(id), secret).into()],
            )
            .await?;
        }
        sql::run(
            &self.tx,
            "DELETE FROM device_commands WHERE device_id = $1 AND ended_ms IS NOT NULL AND id NOT IN \
             (SELECT id FROM device_commands WHERE device_id = $1 AND ended_ms IS NOT NULL ORDER BY id DESC LIMIT $2)",
            [new.device.0.into(), ENDED_KEPT.into()],
        )
        .await?;
        self.command(id).await
    }

    /// Hands out up to `limit` commands in their order: those that wait, and those that were handed out before `again` and
    /// may be done twice; none after one that `ends` what a device does in a row. With `alone` only one, and none while
    /// another is not answered.
    pub async fn hand_out_commands(
        &self,
        device: DeviceId,
        at: Timestamp,
        again: Timestamp,
        limit: usize,
        alone: bool,
        ends: impl Fn(&device_commands::Model) -> bool,
    ) -> Result<Vec<device_commands::Model>, StoreError> {
        let open = device_commands::Entity::find()
            .filter(device_commands::Column::DeviceId.eq(device.0))
            .filter(device_commands::Column::State.is_in(["waiting", "sent"]))
            .order_by_asc(device_commands::Column::Id)
            .all(&self.tx)
            .await?;
        let is_out = |row: &device_commands::Model| {
            row.state == "sent" && row.sent_ms > Some(again.as_millisecond())
        };
        if alone && open.iter().any(is_out) {
            return Ok(Vec::new());
        }
        let due = open.into_iter().filter(|row| match row.state.as_str() {
            "waiting" => true,
            _ => row.repeatable && row.sent < SENT_AT_MOST && !is_out(row),
        });
        let mut due: Vec<_> = due.take(if alone { 1 } else { limit }).collect();
        if let Some(last) = due.iter().position(ends) {
            due.truncate(last + 1);
        }
        let ids: Vec<i64> = due.iter().map(|row| row.id).collect();
        if !ids.is_empty() {
            sql::run(
                &self.tx,
                &format!(
                    "UPDATE device_commands SET state = 'sent', sent_ms = $2, sent = sent + 1 WHERE id IN {}",
                    sql::in_ids(self.backend(), 1)
                ),
                [sql::json(&ids), at.as_millisecond().into()],
            )
            .await?;
        }
        for row in &mut due {
            row.state = "sent".to_owned();
            row.sent_ms = Some(at.as_millisecond());
            row.sent += 1;
        }
        Ok(due)
    }

    /// Closes a command of a device that is open; `None` when that device has none of that id. Its secret is forgotten, and so
    /// is all of it when it was done and no person gave it.
    pub async fn end_command(
        &self,
        device: DeviceId,
        id: i64,
        ended: Ended,
        code: Option<i64>,
        answer: &str,
        at: Timestamp,
    ) -> Result<Option<device_commands::Model>, StoreError> {
        let mut cut = answer.len().min(LONGEST_ANSWER);
        while !answer.is_char_boundary(cut) {
            cut -= 1;
        }
        let answer = answer[..cut].replace('\0', " ");
        let row = sql::one(
            &self.tx,
            "UPDATE device_commands SET state = $3, code = $4, answer = $5, ended_ms = $6, secret_sealed = NULL \
             WHERE device_id = $1 AND id = $2 AND ended_ms IS NULL RETURNING id",
            [
                device.0.into(),
                id.into(),
                ended.as_str().into(),
                code.into(),
                answer.into(),
                at.as_millisecond().into(),
            ],
        )
        .await?;
        if row.is_none() {
            return Ok(None);
        }
        let command = self.command(id).await?;
        if ended == Ended::Done && command.purpose != PERSON {
            sql::run(
                &self.tx,
                "DELETE FROM device_commands WHERE id = $1",
                [id.into()],
            )
            .await?;
        }
        Ok(Some(command))
    }

    /// Takes back a command that was not handed out; `false` when it was, or is not of this device.
    pub async fn withdraw_command(
        &self,
        device: DeviceId,
        id: i64,
        at: Timestamp,
    ) -> Result<bool, StoreError> {
        let withdrawn = sql::run(
            &self.tx,
            "UPDATE device_commands SET state = 'withdrawn', ended_ms = $3, secret_sealed = NULL \
             WHERE device_id = $1 AND id = $2 AND (state = 'waiting' OR state = 'held_back')",
            [device.0.into(), id.into(), at.as_millisecond().into()],
        )
        .await?;
        Ok(withdrawn > 0)
    }

    /// Ends what was handed out before `since` and is not to be handed out again; what was ended.
    pub async fn give_up_commands(
        &self,
        since: Timestamp,
        at: Timestamp,
    ) -> Result<Vec<device_commands::Model>, StoreError> {
        let rows = sql::all(
            &self.tx,
            "UPDATE device_commands SET state = 'unanswered', ended_ms = $2, secret_sealed = NULL \
             WHERE state = 'sent' AND sent_ms <= $1 AND (NOT repeatable OR sent >= $3) RETURNING id",
            [
                since.as_millisecond().into(),
                at.as_millisecond().into(),
                SENT_AT_MOST.into(),
            ],
        )
        .await?;
        let mut ended = Vec::with_capacity(rows.len());
        for row in &rows {
            ended.push(self.command(row.try_get_by_index(0)?).await?);
        }
        Ok(ended)
    }

    /// A command that was held back may be handed out.
    pub async fn let_command_go(&self, id: i64) -> Result<(), StoreError> {
        sql::run(
            &self.tx,
            "UPDATE device_commands SET state = 'waiting' WHERE id = $1 AND state = 'held_back'",
            [id.into()],
        )
        .await?;
        Ok(())
    }

    /// What a command that is open is about says something else.
    pub async fn change_command(&self, id: i64, what: &str) -> Result<(), StoreError> {
        sql::run(
            &self.tx,
            "UPDATE device_commands SET what = $2 WHERE id = $1 AND ended_ms IS NULL",
            [id.into(), what.into()],
        )
        .await?;
        Ok(())
    }

    /// Whether a device has an open command of a purpose.
    pub async fn has_open_command(
        &self,
        device: DeviceId,
        purpose: &str,
    ) -> Result<bool, StoreError> {
        let row = sql::one(
            &self.tx,
            "SELECT 1 FROM device_commands WHERE device_id = $1 AND purpose = $2 AND (state = 'waiting' OR state = 'sent') LIMIT 1",
            [device.0.into(), purpose.into()],
        )
        .await?;
        Ok(row.is_some())
    }

    /// From now on a device is given one command at a time.
    pub async fn give_one_by_one(&self, device: DeviceId) -> Result<(), StoreError> {
        sql::run(
            &self.tx,
            "UPDATE device_calls SET one_by_one = true WHERE device_id = $1",
            [device.0.into()],
        )
        .await?;
        Ok(())
    }

    async fn command(&self, id: i64) -> Result<device_commands::Model, StoreError> {
        device_commands::Entity::find_by_id(id)
            .one(&self.tx)
            .await?
            .ok_or_else(|| StoreError::not_found("command", id))
    }
}

impl Store {
    /// The secret that belongs into a command.
    ///
    /// # Errors
    /// [`StoreError::Secret`] when the key does not fit.
    pub fn command_secret(
        &self,
        command: &device_commands::Model,
    ) -> Result<Option<Secret>, StoreError> {
        Ok(self.unseal(place(command.id), command.secret_sealed.as_deref())?)
    }

    /// Devices with commands that were handed out before `since` and are not answered, each with whether one of them is to be
    /// given up.
    pub async fn unanswered_commands(
        &self,
        since: Timestamp,
    ) -> Result<BTreeMap<DeviceId, bool>, StoreError> {
        let rows = sql::all(
            self.read(),
            "SELECT device_id, max(CASE WHEN NOT repeatable OR sent >= $2 THEN 1 ELSE 0 END) FROM device_commands \
             WHERE state = 'sent' AND sent_ms <= $1 GROUP BY device_id",
            [since.as_millisecond().into(), SENT_AT_MOST.into()],
        )
        .await?;
        let mut devices = BTreeMap::new();
        for row in &rows {
            let give_up: i32 = row.try_get_by_index(1)?;
            devices.insert(DeviceId(row.try_get_by_index(0)?), give_up != 0);
        }
        Ok(devices)
    }

    /// The newest commands of a device, newest first.
    pub async fn commands_of(
        &self,
        device: DeviceId,
        limit: u64,
    ) -> Result<Vec<device_commands::Model>, StoreError> {
        let query = device_commands::Entity::find()
            .filter(device_commands::Column::DeviceId.eq(device.0))
            .order_by_desc(device_commands::Column::Id)
            .limit(limit);
        Ok(query.all(self.read()).await?)
    }
}

pub(crate) fn place(id: i64) -> Place {
    Place {
        table: "device_commands",
        row: id,
        column: "secret",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::on_both_databases;
    use crate::secrets::SecretKey;
    use crate::testing::{author, device, site};

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_second(secs).unwrap()
    }

    fn new(device: DeviceId, what: &str, repeatable: bool) -> NewCommand<'_> {
        NewCommand {
            device,
            what,
            purpose: PERSON,
            secret: None,
            repeatable,
            held_back: false,
        }
    }

    async fn handed_out(tx: &WriteTx, gate: DeviceId, now: i64, alone: bool) -> Vec<String> {
        let out = tx
            .hand_out_commands(gate, at(now), at(now - 300), 10, alone, |row| {
                row.what == "restart"
            })
            .await
            .unwrap();
        out.into_iter().map(|row| row.what).collect()
    }

    const NOTHING: [&str; 0] = [];

    on_both_databases! {
        async fn a_command_is_handed_out_again_until_it_is_answered_by_its_own_device(store: Store) {
            let tx = store.begin_write().await.unwrap();
            let site = site(&tx).await;
            let (gate, other) = (device(&tx, site, "G").await, device(&tx, site, "O").await);
            let mut ids = Vec::new();
            for (what, repeatable) in [("a", true), ("restart", false), ("b", true)] {
                ids.push(tx.give_command(&new(gate, what, repeatable), author()).await.unwrap().id);
            }
            tx.give_command(&new(other, "x", true), author()).await.unwrap();
            assert_eq!(handed_out(&tx, gate, 1000, false).await, ["a", "restart"], "nothing is done after a restart");
            assert_eq!(handed_out(&tx, gate, 1000, false).await, ["b"]);
            assert_eq!(handed_out(&tx, gate, 1299, false).await, NOTHING, "they are out");
            let end = async |device, id| {
                tx.end_command(device, id, Ended::Done, Some(0), "", at(1)).await.unwrap().map(|row| row.what)
            };
            assert_eq!(end(other, ids[2]).await, None, "another device cannot answer");
            assert_eq!(end(gate, ids[2]).await.as_deref(), Some("b"));
            assert_eq!(end(gate, ids[2]).await, None, "nor can it be answered twice");
            assert_eq!(handed_out(&tx, gate, 1300, false).await, ["a"], "a restart is never handed out twice");
            for again in 2..=4 {
                assert_eq!(handed_out(&tx, gate, 1000 + 300 * again, false).await, ["a"]);
            }
            assert_eq!(handed_out(&tx, gate, 9000, false).await, NOTHING);
            let given_up = tx.give_up_commands(at(9000), at(9000)).await.unwrap();
            let given_up: Vec<_> = given_up.iter().map(|row| (row.id, row.state.as_str())).collect();
            assert_eq!(given_up, [(ids[0], "unanswered"), (ids[1], "unanswered")]);
        }

        async fn what_is_held_back_is_handed_out_when_it_is_let_go(store: Store) {
            let tx = store.begin_write().await.unwrap();
            let site = site(&tx).await;
            let gate = device(&tx, site, "G").await;
            let command = NewCommand { held_back: true, ..new(gate, "clear", false) };
            let given = tx.give_command(&command, author()).await.unwrap();
            assert_eq!(handed_out(&tx, gate, 1000, false).await, NOTHING);
            tx.change_command(given.id, "clear again").await.unwrap();
            tx.let_command_go(given.id).await.unwrap();
            assert_eq!(handed_out(&tx, gate, 1000, false).await, ["clear again"]);
            tx.commit().await.unwrap();
            assert_eq!(store.unanswered_commands(at(999)).await.unwrap(), BTreeMap::new());
            assert_eq!(store.unanswered_commands(at(1000)).await.unwrap(), BTreeMap::from([(gate, true)]));
        }

        async fn one_at_a_time_waits_for_the_answer(store: Store) {
            let tx = store.begin_write().await.unwrap();
            let site = site(&tx).await;
            let gate = device(&tx, site, "G").await;
            let first = tx.give_command(&new(gate, "a", true), author()).await.unwrap();
            tx.give_command(&new(gate, "b", true), author()).await.unwrap();
            assert_eq!(handed_out(&tx, gate, 1000, true).await, ["a"]);
            assert_eq!(handed_out(&tx, gate, 1010, true).await, NOTHING);
            tx.end_command(gate, first.id, Ended::Failed, Some(-1002), "", at(1)).await.unwrap();
            assert_eq!(handed_out(&tx, gate, 1020, true).await, ["b"]);
        }

        async fn what_people_gave_is_kept_for_a_while_and_our_own_is_not(store: Store) {
            let tx = store.begin_write().await.unwrap();
            let site = site(&tx).await;
            let gate = device(&tx, site, "G").await;
            let mut ids = std::collections::BTreeSet::new();
            for round in 0..ENDED_KEPT + 5 {
                let purpose = if round % 2 == 0 { PERSON } else { "check" };
                let command = NewCommand { purpose, ..new(gate, "a", true) };
                let given = tx.give_command(&command, author()).await.unwrap();
                assert!(ids.insert(given.id), "an id is never given twice");
                let ended = tx.end_command(gate, given.id, Ended::Done, Some(0), "", at(1)).await.unwrap();
                assert_eq!(ended.unwrap().state, "done");
            }
            tx.commit().await.unwrap();
            let kept = store.commands_of(gate, 1000).await.unwrap();
            assert_eq!(kept.len() as i64, ENDED_KEPT / 2 + 3);
            assert!(kept.iter().all(|row| row.purpose == PERSON));
        }

        async fn the_secret_of_a_command_is_sealed_and_forgotten_when_it_ends(store: Store) {
            let store = store.with_secret_key(SecretKey::generate());
            let tx = store.begin_write().await.unwrap();
            let site = site(&tx).await;
            let gate = device(&tx, site, "G").await;
            let command = NewCommand { secret: Some(Secret::new("4711")), ..new(gate, "a", true) };
            let given = tx.give_command(&command, author()).await.unwrap();
            assert!(!given.secret_sealed.as_deref().unwrap().contains("4711"));
            assert_eq!(store.command_secret(&given).unwrap().unwrap().expose(), "4711");
            let ended = tx.end_command(gate, given.id, Ended::Done, None, "\0ok", at(1)).await.unwrap().unwrap();
            assert_eq!((ended.secret_sealed, ended.answer.as_str()), (None, " ok"));
        }
    }
}

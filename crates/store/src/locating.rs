//! Devices that are found at another address, and whose turn it is to search for them.

use attendance::DeviceId;
use jiff::Timestamp;

use crate::audit::Author;
use crate::entities::devices;
use crate::{Store, StoreError, WriteTx, sql};

/// What was concluded about a device that nobody reaches. Nothing of it is written when the device has been edited, removed or
/// read since its row was read.
#[derive(Clone, Copy, Debug)]
pub struct Sighting<'a> {
    pub before: &'a devices::Model,
    /// For people, as the reason why it fails.
    pub message: &'a str,
}

impl WriteTx {
    /// Moves a device to where it was found, ends a read that is under way elsewhere, and makes it due. Whether it did.
    pub async fn move_device(
        &self,
        sighting: Sighting<'_>,
        address: &str,
        port: Option<u16>,
        author: Author,
    ) -> Result<bool, StoreError> {
        let Sighting { before, message } = sighting;
        let moved = sql::run(
            &self.tx,
            &format!(
                "UPDATE devices SET address = $5, port = $6, next_poll_ms = $7, fail_count = 0, lease_owner = NULL, \
                 lease_until_ms = NULL, last_error_reason = NULL, last_error = CASE WHEN last_error IS NULL THEN NULL ELSE $8 END {UNCHANGED}"
            ),
            unchanged(before).into_iter().chain([
                address.into(),
                port.map(i64::from).into(),
                author.at_ms().into(),
                message.into(),
            ]),
        )
        .await?;
        if moved == 0 {
            return Ok(false);
        }
        sql::run(
            &self.tx,
            "UPDATE device_failures SET message = $2 WHERE device_id = $1 AND ended_ms IS NULL",
            [before.id.into(), message.into()],
        )
        .await?;
        let detail = serde_json::json!({
            "from": place(before.address.as_deref(), before.port),
            "to": place(Some(address), port.map(i64::from)),
        });
        self.audit(author, "device.moved", &before.serial_number, detail)
            .await?;
        Ok(true)
    }

    /// Shows why a device that was found stays where it is, as its failure at `step`. Whether it is still so.
    pub async fn doubt_device(
        &self,
        sighting: Sighting<'_>,
        step: &str,
        at: Timestamp,
    ) -> Result<bool, StoreError> {
        let Sighting { before, message } = sighting;
        let doubted = sql::run(
            &self.tx,
            &format!("UPDATE devices SET last_error = $5, last_error_step = $6, last_error_reason = NULL {UNCHANGED}"),
            unchanged(before)
                .into_iter()
                .chain([message.into(), step.into()]),
        )
        .await?;
        if doubted > 0 {
            let device = DeviceId(before.id);
            self.record_failure(device, at, step, message).await?;
        }
        Ok(doubted > 0)
    }

    /// Takes the turn at work that one process at a time does, for real time; `false` when another has it until later than
    /// `real_now`.
    pub async fn take_turn(
        &self,
        work: &str,
        real_now: Timestamp,
        real_until: Timestamp,
    ) -> Result<bool, StoreError> {
        let taken = sql::run(
            &self.tx,
            "INSERT INTO turns (work, until_ms) VALUES ($1, $3) \
             ON CONFLICT (work) DO UPDATE SET until_ms = excluded.until_ms WHERE turns.until_ms <= $2",
            [
                work.into(),
                real_now.as_millisecond().into(),
                real_until.as_millisecond().into(),
            ],
        )
        .await?;
        Ok(taken > 0)
    }

    /// Prolongs the turn of who has it.
    pub async fn prolong_turn(&self, work: &str, real_until: Timestamp) -> Result<(), StoreError> {
        sql::run(
            &self.tx,
            "UPDATE turns SET until_ms = $2 WHERE work = $1",
            [work.into(), real_until.as_millisecond().into()],
        )
        .await?;
        Ok(())
    }
}

impl Store {
    /// Whether [`WriteTx::take_turn`] would give it.
    pub async fn turn_is_free(&self, work: &str, real_now: Timestamp) -> Result<bool, StoreError> {
        let taken = sql::one(
            self.read(),
            "SELECT until_ms FROM turns WHERE work = $1 AND until_ms > $2",
            [work.into(), real_now.as_millisecond().into()],
        )
        .await?;
        Ok(taken.is_none())
    }
}

/// The device is where `$2` and `$3` say, is still to be read, and has not been read since.
const UNCHANGED: &str = "WHERE id = $1 AND serial_number = $4 AND COALESCE(address, '') = $2 AND COALESCE(port, 0) = $3 \
     AND enabled AND NOT needs_edit AND retired_ms IS NULL AND (COALESCE(address, '') = '' OR last_error IS NOT NULL)";

fn unchanged(before: &devices::Model) -> [sea_orm::Value; 4] {
    [
        before.id.into(),
        before.address.clone().unwrap_or_default().into(),
        before.port.unwrap_or_default().into(),
        before.serial_number.clone().into(),
    ]
}

fn place(address: Option<&str>, port: Option<i64>) -> Option<String> {
    let address = address.filter(|address| !address.is_empty())?;
    Some(match port {
        Some(port) => format!("{address}:{port}"),
        None => address.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::devices::{DeviceFields, SecretEdit};
    use crate::on_both_databases;
    use crate::testing::{author, count_rows, device, site};

    /// A device that fails to connect.
    async fn failing(store: &Store) -> devices::Model {
        let tx = store.begin_write().await.unwrap();
        let site = site(&tx).await;
        let gate = device(&tx, site, "G1").await;
        sql::run(
            &tx.tx,
            "UPDATE devices SET last_error = 'no answer', last_error_step = 'connect', fail_count = 9, next_poll_ms = NULL, \
             lease_owner = 'x', lease_until_ms = 1",
            [],
        )
        .await
        .unwrap();
        tx.record_failure(gate, author().at, "connect", "no answer")
            .await
            .unwrap();
        tx.commit().await.unwrap();
        row(store).await
    }

    async fn row(store: &Store) -> devices::Model {
        store.device_by_serial("G1").await.unwrap().unwrap()
    }

    async fn moved(store: &Store, before: &devices::Model) -> bool {
        let tx = store.begin_write().await.unwrap();
        let sighting = Sighting {
            before,
            message: "it answers elsewhere",
        };
        let moved = tx
            .move_device(sighting, "10.0.0.9", Some(5005), author())
            .await;
        tx.commit().await.unwrap();
        moved.unwrap()
    }

    async fn edited(store: &Store, change: impl FnOnce(&mut DeviceFields)) {
        let row = row(store).await;
        let mut fields = DeviceFields::from(&row);
        change(&mut fields);
        let keep = SecretEdit::Keep;
        let tx = store.begin_write().await.unwrap();
        tx.edit_device(DeviceId(row.id), &fields, &keep, &keep, author())
            .await
            .unwrap();
        tx.commit().await.unwrap();
    }

    on_both_databases! {
        async fn a_device_that_was_found_is_due_there(store: Store) {
            let before = failing(&store).await;
            assert!(moved(&store, &before).await);
            let now = row(&store).await;
            assert_eq!((now.address.as_deref(), now.port), (Some("10.0.0.9"), Some(5005)));
            assert_eq!((now.fail_count, now.lease_owner.as_deref()), (0, None));
            assert_eq!(now.next_poll_ms, Some(author().at.as_millisecond()));
            assert_eq!(now.last_error.as_deref(), Some("it answers elsewhere"));
            let failure = sql::one(store.read(), "SELECT message, count FROM device_failures", []).await.unwrap().unwrap();
            let failure: (String, i64) = (failure.try_get_by_index(0).unwrap(), failure.try_get_by_index(1).unwrap());
            assert_eq!(failure, ("it answers elsewhere".to_owned(), 1), "no failure of its own");
            let audit = store.audit_entries(None, 1).await.unwrap();
            assert_eq!((audit[0].action.as_str(), audit[0].subject.as_str()), ("device.moved", "G1"));
            assert_eq!(audit[0].detail, r#"{"from":"192.0.2.1","to":"10.0.0.9:5005"}"#);
        }

        async fn a_device_without_address_is_given_one(store: Store) {
            failing(&store).await;
            edited(&store, |fields| fields.address = None).await;
            let tx = store.begin_write().await.unwrap();
            sql::run(&tx.tx, "UPDATE devices SET last_error = NULL", []).await.unwrap();
            tx.commit().await.unwrap();
            assert!(moved(&store, &row(&store).await).await);
            assert_eq!(row(&store).await.last_error, None, "it has not failed");
            let audit = store.audit_entries(None, 1).await.unwrap();
            assert_eq!(audit[0].detail, r#"{"from":null,"to":"10.0.0.9:5005"}"#);
        }

        async fn what_people_or_a_read_did_meanwhile_stays(store: Store) {
            let first = failing(&store).await;
            let audited = count_rows(&store, "audit").await;
            let sql = async |text: &str| {
                let tx = store.begin_write().await.unwrap();
                sql::run(&tx.tx, text, []).await.unwrap();
                tx.commit().await.unwrap();
            };
            for (change, back) in [
                ("address = '10.0.0.7'", "address = '192.0.2.1'"),
                ("address = NULL", "address = '192.0.2.1'"),
                ("port = 4371", "port = NULL"),
                ("serial_number = 'G2'", "serial_number = 'G1'"),
                ("enabled = false", "enabled = true"),
                ("needs_edit = true", "needs_edit = false"),
                ("retired_ms = 1", "retired_ms = NULL"),
                ("last_error = NULL", "last_error = 'no answer'"),
            ] {
                sql(&format!("UPDATE devices SET {change}")).await;
                assert!(!moved(&store, &first).await, "{change}");
                let tx = store.begin_write().await.unwrap();
                let sighting = Sighting { before: &first, message: "two answer" };
                assert!(!tx.doubt_device(sighting, "identify", author().at).await.unwrap(), "{change}");
                tx.commit().await.unwrap();
                sql(&format!("UPDATE devices SET {back}")).await;
            }
            assert_eq!(row(&store).await, first);
            assert_eq!(count_rows(&store, "audit").await, audited);
        }

        async fn a_doubt_is_the_reason_why_it_fails(store: Store) {
            let before = failing(&store).await;
            let tx = store.begin_write().await.unwrap();
            let sighting = Sighting { before: &before, message: "two answer" };
            assert!(tx.doubt_device(sighting, "identify", author().at).await.unwrap());
            tx.commit().await.unwrap();
            let now = row(&store).await;
            assert_eq!((now.last_error.as_deref(), now.last_error_step.as_deref()), (Some("two answer"), Some("identify")));
            assert_eq!((now.address, now.next_poll_ms), (before.address, before.next_poll_ms));
            assert_eq!(count_rows(&store, "device_failures").await, 1);
        }

        async fn a_turn_is_one_process_s_until_it_ends(store: Store) {
            let at = |secs| Timestamp::from_second(secs).unwrap();
            let take = async |work: &str, now, until| {
                let tx = store.begin_claim().await.unwrap();
                let taken = tx.take_turn(work, at(now), at(until)).await.unwrap();
                tx.commit_quietly().await.unwrap();
                taken
            };
            assert!(store.turn_is_free("search", at(0)).await.unwrap());
            assert!(take("search", 0, 60).await);
            assert!(!take("search", 59, 500).await);
            assert!(take("other", 59, 500).await);
            assert!(!store.turn_is_free("search", at(59)).await.unwrap());
            let tx = store.begin_claim().await.unwrap();
            tx.prolong_turn("search", at(90)).await.unwrap();
            tx.commit_quietly().await.unwrap();
            assert!(!store.turn_is_free("search", at(89)).await.unwrap());
            assert!(store.turn_is_free("search", at(90)).await.unwrap());
            assert!(take("search", 90, 150).await);
        }
    }
}

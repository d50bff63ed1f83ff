//! Terminals that call and are not registered: listed for a person to decide, bounded whatever calls.

use sea_orm::{EntityTrait, QueryOrder};

use crate::audit::Author;
use crate::entities::held_terminals;
use crate::sql::{self, Column};
use crate::{Store, StoreError, WriteTx};

/// So many are listed; of more the ones that were silent longest are forgotten. Those a person refused are kept besides.
pub const HELD_AT_MOST: usize = 200;

/// A terminal that calls and is not registered.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct HeldCall {
    pub serial_number: String,
    pub kind: &'static str,
    pub model: String,
    pub address: String,
    pub agent: String,
    pub at_ms: i64,
    /// Since it was last kept.
    pub calls: u32,
}

impl WriteTx {
    /// Lists these terminals, or says that they called again.
    pub async fn hold(&self, calls: &[HeldCall]) -> Result<(), StoreError> {
        let rows: Vec<_> = calls
            .iter()
            .map(|call| {
                (
                    &call.serial_number,
                    call.kind,
                    &call.model,
                    &call.address,
                    &call.agent,
                    call.at_ms,
                    call.calls,
                )
            })
            .collect();
        let table = sql::json_rows(
            self.backend(),
            1,
            "r",
            &[
                ("serial_number", Column::Text),
                ("kind", Column::Text),
                ("model", Column::Text),
                ("address", Column::Text),
                ("agent", Column::Text),
                ("at_ms", Column::Int),
                ("calls", Column::Int),
            ],
        );
        sql::run(
            &self.tx,
            &format!(
                "INSERT INTO held_terminals (serial_number, kind, model, address, agent, first_ms, last_ms, calls) \
                 SELECT r.serial_number, r.kind, r.model, r.address, r.agent, r.at_ms, r.at_ms, r.calls FROM {table} WHERE true \
                 ON CONFLICT (serial_number) DO UPDATE SET address = excluded.address, last_ms = excluded.last_ms, \
                 calls = held_terminals.calls + excluded.calls, \
                 model = CASE WHEN excluded.model = '' THEN held_terminals.model ELSE excluded.model END, \
                 agent = CASE WHEN excluded.agent = '' THEN held_terminals.agent ELSE excluded.agent END"
            ),
            [sql::json(&rows)],
        )
        .await?;
        sql::run(
            &self.tx,
            "DELETE FROM held_terminals WHERE NOT refused AND serial_number NOT IN \
             (SELECT serial_number FROM held_terminals WHERE NOT refused ORDER BY last_ms DESC, serial_number LIMIT $1)",
            [(HELD_AT_MOST as i64).into()],
        )
        .await?;
        Ok(())
    }

    /// A terminal is registered now, or is to be forgotten.
    pub async fn forget_held(&self, serial_number: &str) -> Result<(), StoreError> {
        sql::run(
            &self.tx,
            "DELETE FROM held_terminals WHERE serial_number = $1",
            [serial_number.into()],
        )
        .await?;
        Ok(())
    }

    /// A person does not want a terminal that waits, or does again.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when it does not wait any more.
    pub async fn refuse_held(
        &self,
        serial_number: &str,
        refused: bool,
        author: Author,
    ) -> Result<(), StoreError> {
        let changed = sql::run(
            &self.tx,
            "UPDATE held_terminals SET refused = $2 WHERE serial_number = $1",
            [serial_number.into(), refused.into()],
        )
        .await?;
        if changed == 0 {
            return Err(StoreError::not_found("terminal", serial_number));
        }
        let action = match refused {
            true => "device.refuse",
            false => "device.hold",
        };
        let detail = serde_json::json!({});
        self.audit(author, action, serial_number, detail).await
    }
}

impl Store {
    /// Terminals that wait to be decided on, the newest first; after them those that were refused.
    pub async fn held_terminals(&self) -> Result<Vec<held_terminals::Model>, StoreError> {
        let query = held_terminals::Entity::find()
            .order_by_asc(held_terminals::Column::Refused)
            .order_by_desc(held_terminals::Column::LastMs)
            .order_by_asc(held_terminals::Column::SerialNumber);
        Ok(query.all(self.read()).await?)
    }

    /// One of them.
    pub async fn held_terminal(
        &self,
        serial_number: &str,
    ) -> Result<Option<held_terminals::Model>, StoreError> {
        Ok(held_terminals::Entity::find_by_id(serial_number)
            .one(self.read())
            .await?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::on_both_databases;
    use crate::testing::{author, count_rows};

    fn call(serial: String, at_ms: i64) -> HeldCall {
        HeldCall {
            serial_number: serial,
            kind: "zk",
            model: String::new(),
            address: "10.0.0.9".to_owned(),
            agent: String::new(),
            at_ms,
            calls: 1,
        }
    }

    on_both_databases! {
        async fn invented_serials_displace_each_other_and_nobody_a_person_refused(store: Store) {
            let tx = store.begin_write().await.unwrap();
            tx.hold(&[call("REFUSED".into(), 1)]).await.unwrap();
            tx.refuse_held("REFUSED", true, author()).await.unwrap();
            for batch in 0..3 {
                let calls: Vec<_> = (0..HELD_AT_MOST as i64 - 50)
                    .map(|n| call(format!("X{batch}-{n}"), 1000 * (batch + 1) + n))
                    .collect();
                tx.hold(&calls).await.unwrap();
            }
            tx.commit().await.unwrap();
            assert_eq!(count_rows(&store, "held_terminals").await, HELD_AT_MOST as u64 + 1);
            let held = store.held_terminals().await.unwrap();
            assert_eq!(held[0].serial_number, format!("X2-{}", HELD_AT_MOST - 51), "the newest first");
            assert!(held.last().unwrap().refused);
            assert!(held.iter().all(|held| !held.serial_number.starts_with("X0")), "the oldest are forgotten");
        }

        async fn a_second_call_keeps_what_the_first_one_said(store: Store) {
            let tx = store.begin_write().await.unwrap();
            let first = HeldCall { model: "K40".into(), agent: "iClock".into(), ..call("A1".into(), 1000) };
            tx.hold(&[first]).await.unwrap();
            let second = HeldCall { address: "10.0.0.10".into(), ..call("A1".into(), 2000) };
            tx.hold(&[second]).await.unwrap();
            tx.commit().await.unwrap();
            let held = store.held_terminal("A1").await.unwrap().unwrap();
            assert_eq!((held.model.as_str(), held.agent.as_str(), held.address.as_str()), ("K40", "iClock", "10.0.0.10"));
            assert_eq!((held.first_ms, held.last_ms, held.calls), (1000, 2000, 2));
            let tx = store.begin_write().await.unwrap();
            tx.forget_held("A1").await.unwrap();
            assert!(tx.refuse_held("A1", true, author()).await.is_err());
        }
    }
}

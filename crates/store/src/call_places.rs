//! Places where devices call: each has a random token in its path, stored so that only we can read it.

use attendance::{DeviceId, Way};
use jiff::Timestamp;
use sea_orm::{EntityTrait, QueryOrder};

use crate::audit::Author;
use crate::coverage::GapCause;
use crate::entities::call_places;
use crate::secrets::{Place, Secret, SecretError, random_token, token_hash};
use crate::sql::{self, Column};
use crate::{Store, StoreError, WriteTx};

/// What a terminal was told, as far as it is known to hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Armed<'a> {
    pub slot: &'a str,
    pub calls_to: &'a str,
    pub heartbeat_secs: u32,
    pub hardware: Option<&'a str>,
    /// How far its own clock is from UTC, in seconds.
    pub clock_offset_s: Option<i32>,
    /// It had to be told, now; otherwise it was so already.
    pub was_told: bool,
}

/// Whether the events of a device follow each other: each names the one before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Chain {
    /// Nothing is missing between what was known before and the newest.
    Whole,
    /// Nothing is known of the time before.
    Begins,
    /// Something is missing.
    Broken,
}

impl WriteTx {
    /// The token of a device, made when it has none.
    ///
    /// # Errors
    /// [`StoreError::Secret`] when there is no key, or one that does not fit.
    pub async fn call_token(&self, device: DeviceId, at: Timestamp) -> Result<Secret, StoreError> {
        let row = sql::one(
            &self.tx,
            "SELECT token_sealed FROM call_places WHERE device_id = $1",
            [device.0.into()],
        )
        .await?;
        let key = self.key().ok_or(SecretError::NoKey)?;
        if let Some(row) = row {
            let sealed: String = row.try_get_by_index(0)?;
            return Ok(key.unseal(place(device.0), &sealed)?);
        }
        let token = Secret::new(random_token());
        sql::run(
            &self.tx,
            "INSERT INTO call_places (device_id, token_hash, token_sealed, made_ms) VALUES ($1, $2, $3, $4)",
            [
                device.0.into(),
                token_hash(token.expose()).into(),
                key.seal(place(device.0), &token).into(),
                at.as_millisecond().into(),
            ],
        )
        .await?;
        Ok(token)
    }

    /// Gives a device another token; what calls with the one before is a stranger from now on. Which terminal called is
    /// forgotten too.
    ///
    /// # Errors
    /// As [`WriteTx::call_token`].
    pub async fn renew_call_token(
        &self,
        device: DeviceId,
        author: Author,
    ) -> Result<Secret, StoreError> {
        let before = self.device_row(device).await?;
        self.call_token(device, author.at).await?;
        let key = self.key().ok_or(SecretError::NoKey)?;
        let token = Secret::new(random_token());
        sql::run(
            &self.tx,
            "UPDATE call_places SET former_sealed = CASE WHEN slot IS NULL THEN NULL ELSE COALESCE(former_sealed, token_sealed) END, \
             token_hash = $2, token_sealed = $3, made_ms = $4, hardware = NULL WHERE device_id = $1",
            [
                device.0.into(),
                token_hash(token.expose()).into(),
                key.seal(place(device.0), &token).into(),
                author.at_ms().into(),
            ],
        )
        .await?;
        self.audit(
            author,
            "device.push_renew",
            &before.serial_number,
            serde_json::json!({}),
        )
        .await?;
        Ok(token)
    }

    /// Keeps what a terminal is known to have been told.
    pub async fn keep_armed(
        &self,
        device: DeviceId,
        armed: &Armed<'_>,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        sql::run(
            &self.tx,
            "UPDATE call_places SET slot = $2, calls_to = $3, heartbeat_s = $4, hardware = COALESCE($5, hardware), \
             armed_ms = CASE WHEN $6 OR armed_ms IS NULL THEN $7 ELSE armed_ms END, checked_ms = $7, failure = NULL, \
             former_sealed = NULL, clock_offset_s = $8 WHERE device_id = $1",
            [
                device.0.into(),
                armed.slot.into(),
                armed.calls_to.into(),
                i64::from(armed.heartbeat_secs).into(),
                armed.hardware.into(),
                armed.was_told.into(),
                at.as_millisecond().into(),
                armed.clock_offset_s.map(i64::from).into(),
            ],
        )
        .await?;
        Ok(())
    }

    /// Keeps why a terminal could not be told.
    pub async fn keep_not_armed(
        &self,
        device: DeviceId,
        failure: &str,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        sql::run(
            &self.tx,
            "UPDATE call_places SET failure = $2, checked_ms = $3, slot = NULL, calls_to = NULL, armed_ms = NULL \
             WHERE device_id = $1",
            [device.0.into(), failure.into(), at.as_millisecond().into()],
        )
        .await?;
        Ok(())
    }

    /// The terminal has our address no more, or nobody will ever reach it to say so.
    pub async fn keep_disarmed(&self, device: DeviceId) -> Result<(), StoreError> {
        sql::run(
            &self.tx,
            "UPDATE call_places SET slot = NULL, calls_to = NULL, armed_ms = NULL, checked_ms = NULL, failure = NULL, \
             former_sealed = NULL WHERE device_id = $1",
            [device.0.into()],
        )
        .await?;
        Ok(())
    }

    /// Which terminal calls, unless that is known.
    pub async fn keep_hardware(&self, device: DeviceId, hardware: &str) -> Result<(), StoreError> {
        sql::run(
            &self.tx,
            "UPDATE call_places SET hardware = $2 WHERE device_id = $1 AND hardware IS NULL",
            [device.0.into(), hardware.into()],
        )
        .await?;
        Ok(())
    }

    /// Keeps when each of these devices last told an event, and showed that it is there.
    pub async fn keep_arrivals(
        &self,
        arrivals: &[(DeviceId, Option<Timestamp>, Option<Timestamp>)],
    ) -> Result<(), StoreError> {
        let rows: Vec<_> = arrivals
            .iter()
            .map(|(device, event, heartbeat)| {
                let ms = |at: &Option<Timestamp>| at.map(Timestamp::as_millisecond);
                (device.0, ms(event), ms(heartbeat))
            })
            .collect();
        let table = sql::json_rows(
            self.backend(),
            1,
            "r",
            &[
                ("id", Column::Int),
                ("event", Column::Int),
                ("heartbeat", Column::Int),
            ],
        );
        let update = format!(
            "UPDATE call_places SET last_event_ms = COALESCE(r.event, last_event_ms), \
             last_heartbeat_ms = COALESCE(r.heartbeat, last_heartbeat_ms) FROM {table} WHERE device_id = r.id"
        );
        sql::run(&self.tx, &update, [sql::json(&rows)]).await?;
        Ok(())
    }

    /// Keeps the number of the newest event of a device.
    pub async fn keep_last_number(&self, device: DeviceId, last: u64) -> Result<(), StoreError> {
        let last = i64::try_from(last).unwrap_or(i64::MAX);
        sql::run(
            &self.tx,
            "UPDATE call_places SET last_number = $2 WHERE device_id = $1",
            [device.0.into(), last.into()],
        )
        .await?;
        Ok(())
    }

    /// Covers a device that nobody reads up to its newest event, as far as none is missing before it. What is missing is in no
    /// later event, so that gap stays until the device is read. Nothing is covered while its clock is wrong.
    pub async fn cover_followed(
        &self,
        device: DeviceId,
        chain: Chain,
        to: Timestamp,
    ) -> Result<(), StoreError> {
        if self.wrong_clock_seen(device).await?.is_some() {
            return Ok(());
        }
        let known = self.covered_to(device).await?;
        if chain == Chain::Whole {
            self.close_open_contact_gaps(device).await?;
        } else if let Some(known) = known.filter(|known| *known < to) {
            self.add_gap(device, known, Some(to), GapCause::Contact)
                .await?;
        }
        // Of the time before its first event nothing is known.
        let from = known.is_none().then_some(to);
        if let Some(from) = self.advance_coverage(device, from, to).await? {
            self.mark_device(device, from, "device in service").await?;
        }
        Ok(())
    }
}

pub(crate) fn place(device: i64) -> Place {
    Place {
        table: "call_places",
        row: device,
        column: "token",
    }
}

impl Store {
    /// Where a device calls; `None` until it has a place.
    pub async fn call_place(
        &self,
        device: DeviceId,
    ) -> Result<Option<call_places::Model>, StoreError> {
        Ok(call_places::Entity::find_by_id(device.0)
            .one(self.read())
            .await?)
    }

    /// Every place, by device.
    pub async fn call_places(&self) -> Result<Vec<call_places::Model>, StoreError> {
        let query = call_places::Entity::find().order_by_asc(call_places::Column::DeviceId);
        Ok(query.all(self.read()).await?)
    }

    /// The token of a place, and the one before if the terminal may have that still.
    ///
    /// # Errors
    /// [`StoreError::Secret`] when the key does not fit.
    pub fn call_tokens(
        &self,
        row: &call_places::Model,
    ) -> Result<(Secret, Option<Secret>), StoreError> {
        let place = place(row.device_id);
        let token = self.unseal(place, Some(&row.token_sealed))?;
        let former = self.unseal(place, row.former_sealed.as_deref())?;
        Ok((token.ok_or(SecretError::NoKey)?, former))
    }

    /// What a token is looked up by.
    pub fn call_token_hash(token: &str) -> String {
        token_hash(token)
    }

    /// Devices that no reading tells whom to call, with their kinds: those that were told to call and are not to any more, because
    /// they were removed or another way leads to them now, and those with an address that nobody reads.
    pub async fn devices_to_tell(&self) -> Result<Vec<(DeviceId, String)>, StoreError> {
        let rows = sql::all(
            self.read(),
            "SELECT d.id, d.kind FROM devices d LEFT JOIN call_places p ON p.device_id = d.id \
             WHERE (p.slot IS NOT NULL AND (d.retired_ms IS NOT NULL OR (',' || d.mode || ',') NOT LIKE '%,push,%')) \
             OR (d.retired_ms IS NULL AND d.enabled AND NOT d.needs_edit AND COALESCE(d.address, '') <> '' \
             AND (',' || d.mode || ',') LIKE '%,push,%' AND (',' || d.mode || ',') NOT LIKE '%,poll,%') ORDER BY d.id",
            [],
        )
        .await?;
        rows.iter()
            .map(|row| Ok((DeviceId(row.try_get_by_index(0)?), row.try_get_by_index(1)?)))
            .collect()
    }

    /// Of the newest punches of a device that were made between these two instants, at most so many: how many they are, and how
    /// many of them it told by itself.
    pub async fn told_of_newest(
        &self,
        device: DeviceId,
        (from, to): (Timestamp, Timestamp),
        at_most: u32,
    ) -> Result<(u32, u32), StoreError> {
        let rows = sql::all(
            self.read(),
            "SELECT EXISTS (SELECT 1 FROM punch_sightings s WHERE s.punch_id = p.id AND s.way = $5) FROM punches p \
             WHERE p.device_id = $1 AND p.instant_ms > $2 AND p.instant_ms < $3 ORDER BY p.instant_ms DESC LIMIT $4",
            [
                device.0.into(),
                from.as_millisecond().into(),
                to.as_millisecond().into(),
                i64::from(at_most).into(),
                Way::Push.as_str().into(),
            ],
        )
        .await?;
        let (mut all, mut told) = (0, 0);
        for row in rows {
            all += 1;
            told += u32::from(row.try_get_by_index::<bool>(0)?);
        }
        Ok((all, told))
    }
}

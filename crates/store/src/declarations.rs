//! What a person says about a device's coverage (R76): nothing is missing in a time that was not read, or the device is gone.

use attendance::DeviceId;
use jiff::Timestamp;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, Set};

use crate::audit::Author;
use crate::corrections::reasoned;
use crate::entities::coverage_declarations;
use crate::times::instant;
use crate::{Store, StoreError, WriteTx, sql};

impl WriteTx {
    /// Declares that nothing is missing of a device from `from` until before `to`.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] without a reason, for no time at all, or one that has not passed.
    pub async fn declare_covered(
        &self,
        device: DeviceId,
        from: Timestamp,
        to: Timestamp,
        reason: &str,
        author: Author,
    ) -> Result<i64, StoreError> {
        let reason = reasoned(reason)?;
        if to <= from || to > author.at {
            return Err(StoreError::Invalid(
                "only a time that has passed can be declared covered".to_owned(),
            ));
        }
        let serial = self.device_row(device).await?.serial_number;
        let row = coverage_declarations::ActiveModel {
            device_id: Set(device.0),
            from_ms: Set(from.as_millisecond()),
            to_ms: Set(to.as_millisecond()),
            reason: Set(reason.clone()),
            author_id: Set(author.account_id()),
            made_ms: Set(author.at_ms()),
            ..Default::default()
        };
        let id = coverage_declarations::Entity::insert(row)
            .exec(&self.tx)
            .await?
            .last_insert_id;
        self.mark_device(device, from, "declared covered").await?;
        let detail = serde_json::json!({ "from": from, "to": to, "reason": reason });
        self.audit(author, "coverage.declare", &serial, detail)
            .await?;
        Ok(id)
    }

    /// Takes a declaration back.
    pub async fn withdraw_declaration(&self, id: i64, author: Author) -> Result<(), StoreError> {
        let row = coverage_declarations::Entity::find_by_id(id)
            .one(&self.tx)
            .await?
            .ok_or_else(|| StoreError::not_found("declaration", id))?;
        if row.withdrawn_ms.is_some() {
            return Ok(());
        }
        sql::run(
            &self.tx,
            "UPDATE coverage_declarations SET withdrawn_ms = $2 WHERE id = $1",
            [id.into(), author.at_ms().into()],
        )
        .await?;
        let device = DeviceId(row.device_id);
        let serial = self.device_row(device).await?.serial_number;
        self.mark_device(device, instant(row.from_ms), "declaration withdrawn")
            .await?;
        let detail = serde_json::json!({ "id": id });
        self.audit(author, "coverage.withdraw", &serial, detail)
            .await
    }

    /// Declares a device gone since an instant: from then on it could have seen nobody. It is not read any more.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] without a reason, or for an instant to come.
    pub async fn declare_gone(
        &self,
        device: DeviceId,
        since: Timestamp,
        reason: &str,
        author: Author,
    ) -> Result<(), StoreError> {
        let reason = reasoned(reason)?;
        if since > author.at {
            return Err(StoreError::Invalid(
                "a device cannot be gone before it is".to_owned(),
            ));
        }
        let serial = self.device_row(device).await?.serial_number;
        self.retire_device(device, author).await?;
        sql::run(
            &self.tx,
            "UPDATE devices SET retired_ms = $2 WHERE id = $1",
            [device.0.into(), since.as_millisecond().into()],
        )
        .await?;
        self.mark_device(device, since, "device gone").await?;
        let detail = serde_json::json!({ "since": since, "reason": reason });
        self.audit(author, "device.gone", &serial, detail).await
    }
}

impl Store {
    /// What was declared of a device, the latest first, withdrawn ones too.
    pub async fn declarations(
        &self,
        device: DeviceId,
    ) -> Result<Vec<coverage_declarations::Model>, StoreError> {
        let query = coverage_declarations::Entity::find()
            .filter(coverage_declarations::Column::DeviceId.eq(device.0))
            .order_by_desc(coverage_declarations::Column::Id);
        Ok(query.all(self.read()).await?)
    }
}

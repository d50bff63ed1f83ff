//! Who did what. Every change a person makes is audited in its own transaction, so neither exists without the other.

use attendance::AccountId;
use jiff::Timestamp;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, Set};

use crate::entities::audit;
use crate::{Store, StoreError, WriteTx};

/// Who makes a change, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Author {
    /// `None` for the command line and for Muster itself.
    pub account: Option<AccountId>,
    pub at: Timestamp,
}

impl Author {
    pub(crate) fn at_ms(&self) -> i64 {
        self.at.as_millisecond()
    }

    pub(crate) fn account_id(&self) -> Option<i64> {
        self.account.map(|account| account.0)
    }
}

impl WriteTx {
    /// Notes an action, e.g. `device.edit`, on a subject, e.g. a serial number. `detail` must hold no secret.
    pub async fn audit(
        &self,
        author: Author,
        action: &str,
        subject: &str,
        detail: serde_json::Value,
    ) -> Result<(), StoreError> {
        let row = audit::ActiveModel {
            at_ms: Set(author.at_ms()),
            account_id: Set(author.account_id()),
            action: Set(action.to_owned()),
            subject: Set(subject.to_owned()),
            detail: Set(detail.to_string()),
            ..Default::default()
        };
        audit::Entity::insert(row).exec(&self.tx).await?;
        Ok(())
    }
}

impl Store {
    /// Entries older than the id `before`, newest first. The next page begins before the last id of this one.
    pub async fn audit_entries(
        &self,
        before: Option<i64>,
        limit: u64,
    ) -> Result<Vec<audit::Model>, StoreError> {
        let mut query = audit::Entity::find().order_by_desc(audit::Column::Id);
        if let Some(before) = before {
            query = query.filter(audit::Column::Id.lt(before));
        }
        Ok(query.limit(limit).all(self.read()).await?)
    }
}

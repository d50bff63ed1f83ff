//! The one-time links by which people choose the password of their account: at first, and when they have forgotten it.
//!
//! Only the SHA-256 of a link is stored. An account has one at a time; a new password and being disabled void it.

use attendance::AccountId;
use jiff::{SignedDuration, Timestamp};

use crate::accounts::Account;
use crate::audit::Author;
use crate::secrets::{random_token, token_hash};
use crate::{Store, StoreError, WriteTx, sql};

/// How long such a link may be used: it is handed on, and not everybody reads mail at once.
pub const SIGN_IN_LINK_LIFE: SignedDuration = SignedDuration::from_hours(72);

impl WriteTx {
    /// A new one-time token for an account, to be shown once; the one before is void. It works until `real_now` +
    /// [`SIGN_IN_LINK_LIFE`].
    ///
    /// # Errors
    /// [`StoreError::Invalid`] for an account that is disabled.
    pub async fn add_sign_in_link(
        &self,
        id: AccountId,
        real_now: Timestamp,
        author: Author,
    ) -> Result<String, StoreError> {
        let account = self.known_account(id).await?;
        if account.disabled.is_some() {
            return Err(StoreError::Invalid(format!(
                "the account {} is disabled: enable it first",
                account.email
            )));
        }
        self.void_sign_in_links(id).await?;
        let token = random_token();
        let expires = real_now + SIGN_IN_LINK_LIFE;
        sql::run(
            &self.tx,
            "INSERT INTO setup_links (token_hash, expires_ms, account_id) VALUES ($1, $2, $3)",
            [
                token_hash(&token).into(),
                expires.as_millisecond().into(),
                id.0.into(),
            ],
        )
        .await?;
        let detail = serde_json::json!({});
        self.audit(author, "account.link", &account.email, detail)
            .await?;
        Ok(token)
    }

    /// Gives the account of a link its password, and uses the link up. `None` when it is unknown, old or used; then nothing is
    /// written.
    pub async fn choose_password(
        &self,
        token: &str,
        real_now: Timestamp,
        password_hash: &str,
        at: Timestamp,
    ) -> Result<Option<AccountId>, StoreError> {
        let values = [token_hash(token).into(), real_now.as_millisecond().into()];
        let Some(row) = sql::one(&self.tx, ACCOUNT_OF_LINK, values).await? else {
            return Ok(None);
        };
        let account = AccountId(row.try_get_by_index(0)?);
        let author = Author {
            account: Some(account),
            at,
        };
        self.set_password_hash(account, password_hash, author)
            .await?;
        Ok(Some(account))
    }

    pub(crate) async fn void_sign_in_links(&self, account: AccountId) -> Result<(), StoreError> {
        let text = "DELETE FROM setup_links WHERE account_id = $1";
        sql::run(&self.tx, text, [account.0.into()]).await?;
        Ok(())
    }
}

const ACCOUNT_OF_LINK: &str =
    "SELECT l.account_id FROM setup_links l JOIN accounts a ON a.id = l.account_id
     WHERE l.token_hash = $1 AND l.expires_ms > $2 AND a.disabled_ms IS NULL";

impl Store {
    /// Whose password is chosen by a link that may still be used.
    pub async fn account_of_link(
        &self,
        token: &str,
        real_now: Timestamp,
    ) -> Result<Option<Account>, StoreError> {
        let values = [token_hash(token).into(), real_now.as_millisecond().into()];
        match sql::one(self.read(), ACCOUNT_OF_LINK, values).await? {
            Some(row) => self.account(AccountId(row.try_get_by_index(0)?)).await,
            None => Ok(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::accounts::Role;
    use crate::on_both_databases;
    use crate::testing::{author, new_account};

    fn now() -> Timestamp {
        author().at
    }

    async fn mona(store: &Store) -> AccountId {
        let tx = store.begin_write().await.unwrap();
        let new = new_account("mona@example.org", Role::Manager, None);
        let id = tx.add_account(&new, author()).await.unwrap();
        tx.commit().await.unwrap();
        id
    }

    async fn link(store: &Store, account: AccountId) -> String {
        let tx = store.begin_write().await.unwrap();
        let token = tx.add_sign_in_link(account, now(), author()).await.unwrap();
        tx.commit().await.unwrap();
        token
    }

    async fn choose(store: &Store, token: &str, at: Timestamp) -> Option<AccountId> {
        let tx = store.begin_write().await.unwrap();
        let chosen = tx.choose_password(token, at, "$hash", at).await.unwrap();
        tx.commit().await.unwrap();
        chosen
    }

    on_both_databases! {
        async fn a_link_chooses_a_password_once(store: Store) {
            let id = mona(&store).await;
            let token = link(&store, id).await;
            let of = store.account_of_link(&token, now()).await.unwrap().unwrap();
            assert_eq!((of.id, of.password_hash.as_str()), (id, ""));
            assert_eq!(choose(&store, &token, now()).await, Some(id));
            assert_eq!(store.account(id).await.unwrap().unwrap().password_hash, "$hash");
            assert_eq!(choose(&store, &token, now()).await, None);
            assert_eq!(store.account_of_link(&token, now()).await.unwrap(), None);
            let audited = store.audit_entries(None, 9).await.unwrap();
            let said: Vec<_> = audited.iter().map(|one| (one.action.as_str(), one.account_id)).collect();
            assert_eq!(said[..2], [("account.password", Some(id.0)), ("account.link", None)]);
            assert!(audited.iter().all(|one| !one.detail.contains(&token)));
        }

        async fn only_the_newest_link_works_and_not_for_ever(store: Store) {
            let id = mona(&store).await;
            let first = link(&store, id).await;
            let second = link(&store, id).await;
            assert_eq!(choose(&store, &first, now()).await, None);
            let late = now() + SIGN_IN_LINK_LIFE;
            assert_eq!(store.account_of_link(&second, late).await.unwrap(), None);
            assert_eq!(choose(&store, &second, late).await, None);
            assert_eq!(choose(&store, &second, late - SignedDuration::from_millis(1)).await, Some(id));
        }

        async fn who_is_disabled_gets_no_link_and_uses_none(store: Store) {
            let id = mona(&store).await;
            let token = link(&store, id).await;
            let tx = store.begin_write().await.unwrap();
            tx.disable_account(id, author()).await.unwrap();
            let error = tx.add_sign_in_link(id, now(), author()).await.unwrap_err();
            assert_eq!(error.to_string(), "the account mona@example.org is disabled: enable it first");
            tx.enable_account(id, author()).await.unwrap();
            tx.commit().await.unwrap();
            assert_eq!(choose(&store, &token, now()).await, None, "it stays void");
            assert_eq!(store.account(id).await.unwrap().unwrap().disabled, None);
        }

        async fn a_link_of_an_account_makes_no_owner_and_resets_no_other(store: Store) {
            let id = mona(&store).await;
            let token = link(&store, id).await;
            assert!(!store.setup_link_works(&token, now()).await.unwrap());
            let tx = store.begin_write().await.unwrap();
            let made = tx.set_up_owner(&token, now(), "eve@example.org", "Eve", "$eve", now()).await;
            assert_eq!(made.unwrap(), None);
            assert!(!tx.reset_password(&token, now(), id, "$eve", now()).await.unwrap());
            let owners = tx.add_setup_link(now()).await.unwrap();
            assert_eq!(tx.choose_password(&owners, now(), "$eve", now()).await.unwrap(), None);
            tx.commit().await.unwrap();
            assert_eq!(choose(&store, &token, now()).await, Some(id), "it was not used up");
        }
    }
}

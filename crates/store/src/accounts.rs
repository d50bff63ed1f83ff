//! Who may sign in: accounts, their sessions, and the one-time links that make the first one or reset an owner's password.
//!
//! The links by which everybody else chooses a password are in `sign_in_links.rs`. Passwords arrive hashed. Tokens are stored as SHA-256 only. Sessions and links use real time.

use std::collections::BTreeSet;
use std::fmt;

use attendance::{AccountId, EmployeeId};
use jiff::{SignedDuration, Timestamp};
use sea_orm::{ActiveModelTrait, ColumnTrait, EntityTrait, QueryFilter, QueryOrder, Set};

use crate::audit::Author;
use crate::entities::{accounts, sign_in_sessions};
use crate::people::tidy_text;
use crate::secrets::{random_token, token_hash};
use crate::times::instant;
use crate::{Store, StoreError, WriteTx, sql};

/// How long a one-time link may be used.
pub const SETUP_LINK_LIFE: SignedDuration = SignedDuration::from_mins(30);

/// What an account may do. A set per account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    Owner,
    Hr,
    It,
    /// Of a department: sees the own team.
    Manager,
    Employee,
}

impl Role {
    pub const ALL: &'static [Self] = &[
        Self::Owner,
        Self::Hr,
        Self::It,
        Self::Manager,
        Self::Employee,
    ];

    /// The name in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Hr => "hr",
            Self::It => "it",
            Self::Manager => "manager",
            Self::Employee => "employee",
        }
    }

    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|role| role.as_str() == name)
    }
}

/// Somebody who may sign in.
#[derive(Clone, PartialEq, Eq)]
pub struct Account {
    pub id: AccountId,
    pub email: String,
    pub name: String,
    /// PHC string; empty as long as nobody has chosen a password.
    pub password_hash: String,
    pub roles: BTreeSet<Role>,
    pub employee: Option<EmployeeId>,
    pub signed_in: Option<Timestamp>,
    /// Since when it may not sign in any more.
    pub disabled: Option<Timestamp>,
}

impl Account {
    /// Whether it is an owner's who can sign in.
    pub fn is_working_owner(&self) -> bool {
        self.disabled.is_none()
            && !self.password_hash.is_empty()
            && self.roles.contains(&Role::Owner)
    }
}

impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Account")
            .field("id", &self.id)
            .field("email", &self.email)
            .field("roles", &self.roles)
            .finish_non_exhaustive()
    }
}

impl From<accounts::Model> for Account {
    fn from(row: accounts::Model) -> Self {
        Self {
            id: AccountId(row.id),
            email: row.email,
            name: row.name,
            password_hash: row.password_hash,
            roles: row.roles.split(',').filter_map(Role::from_name).collect(),
            employee: row.employee_id.map(EmployeeId),
            signed_in: row.signed_in_ms.map(instant),
            disabled: row.disabled_ms.map(instant),
        }
    }
}

/// An account to be made.
#[derive(Clone)]
pub struct NewAccount {
    pub email: String,
    pub name: String,
    /// PHC string, or empty for somebody who chooses a password by a link.
    pub password_hash: String,
    pub roles: BTreeSet<Role>,
    pub employee: Option<EmployeeId>,
}

/// What can be changed of an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountFields {
    pub email: String,
    pub name: String,
    pub roles: BTreeSet<Role>,
    pub employee: Option<EmployeeId>,
}

impl From<&Account> for AccountFields {
    fn from(account: &Account) -> Self {
        Self {
            email: account.email.clone(),
            name: account.name.clone(),
            roles: account.roles.clone(),
            employee: account.employee,
        }
    }
}

impl fmt::Debug for NewAccount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewAccount")
            .field("email", &self.email)
            .field("roles", &self.roles)
            .finish_non_exhaustive()
    }
}

/// Stands for a password in a session: another one after the password was changed, and no help to find it.
pub fn password_mark(password_hash: &str) -> String {
    let mut mark = token_hash(password_hash);
    mark.truncate(16);
    mark
}

impl WriteTx {
    /// # Errors
    /// [`StoreError::Invalid`] for an empty name or something that is no address; [`StoreError::Duplicate`] for an address that
    /// has an account.
    pub async fn add_account(
        &self,
        new: &NewAccount,
        author: Author,
    ) -> Result<AccountId, StoreError> {
        let (email, name) = address_and_name(&new.email, &new.name)?;
        let row = accounts::ActiveModel {
            email: Set(email.clone()),
            name: Set(name),
            password_hash: Set(new.password_hash.clone()),
            roles: Set(roles_text(&new.roles)),
            employee_id: Set(new.employee.map(|id| id.0)),
            created_ms: Set(author.at_ms()),
            signed_in_ms: Set(None),
            disabled_ms: Set(None),
            ..Default::default()
        };
        let id = accounts::Entity::insert(row)
            .exec(&self.tx)
            .await
            .map_err(|error| StoreError::duplicate(error, "an account with the address", &email))?
            .last_insert_id;
        let detail =
            serde_json::json!({ "roles": roles_text(&new.roles), "employee": new.employee });
        self.audit(author, "account.add", &email, detail).await?;
        Ok(AccountId(id))
    }

    /// Changes an account; what is the same already is not audited.
    ///
    /// # Errors
    /// [`StoreError::LastOwner`] when nobody would be left who can sign in as owner; else as [`WriteTx::add_account`].
    pub async fn edit_account(
        &self,
        id: AccountId,
        fields: &AccountFields,
        author: Author,
    ) -> Result<(), StoreError> {
        let (email, name) = address_and_name(&fields.email, &fields.name)?;
        let account = self.known_account(id).await?;
        if !fields.roles.contains(&Role::Owner) {
            self.leave_an_owner(&account).await?;
        }
        let before = AccountFields::from(&account);
        let after = AccountFields {
            email: email.clone(),
            name: name.clone(),
            ..fields.clone()
        };
        if before == after {
            return Ok(());
        }
        let row = accounts::ActiveModel {
            id: Set(id.0),
            email: Set(email.clone()),
            name: Set(name.clone()),
            roles: Set(roles_text(&fields.roles)),
            employee_id: Set(fields.employee.map(|id| id.0)),
            ..Default::default()
        };
        row.update(&self.tx)
            .await
            .map_err(|error| StoreError::duplicate(error, "an account with the address", &email))?;
        let detail = serde_json::json!({
            "email": email,
            "name": name,
            "roles": roles_text(&fields.roles),
            "employee": fields.employee,
        });
        self.audit(author, "account.edit", &before.email, detail)
            .await
    }

    pub(crate) async fn known_account(&self, id: AccountId) -> Result<Account, StoreError> {
        let row = accounts::Entity::find_by_id(id.0).one(&self.tx).await?;
        row.map(Account::from)
            .ok_or_else(|| StoreError::not_found("account", id))
    }

    async fn leave_an_owner(&self, without: &Account) -> Result<(), StoreError> {
        let others = accounts::Entity::find().filter(accounts::Column::Id.ne(without.id.0));
        let others = others.all(&self.tx).await?;
        let left = others
            .into_iter()
            .any(|row| Account::from(row).is_working_owner());
        match without.is_working_owner() && !left {
            true => Err(StoreError::LastOwner),
            false => Ok(()),
        }
    }

    /// Makes the first account, with the roles owner, HR and IT, and uses up its link. `None` when the link is unknown, old or
    /// used; then nothing is written.
    ///
    /// # Errors
    /// As [`WriteTx::add_account`]; roll back, and the link stays usable.
    pub async fn set_up_owner(
        &self,
        token: &str,
        real_now: Timestamp,
        email: &str,
        name: &str,
        password_hash: &str,
        at: Timestamp,
    ) -> Result<Option<AccountId>, StoreError> {
        if !self.use_setup_link(token, real_now).await? {
            return Ok(None);
        }
        let new = NewAccount {
            email: email.to_owned(),
            name: name.to_owned(),
            password_hash: password_hash.to_owned(),
            roles: [Role::Owner, Role::Hr, Role::It].into(),
            employee: None,
        };
        let author = Author { account: None, at };
        Ok(Some(self.add_account(&new, author).await?))
    }

    /// Gives an account another password by a one-time link, and uses the link up. `false` when it is unknown, old or used; then
    /// nothing is written.
    pub async fn reset_password(
        &self,
        token: &str,
        real_now: Timestamp,
        account: AccountId,
        password_hash: &str,
        at: Timestamp,
    ) -> Result<bool, StoreError> {
        if !self.use_setup_link(token, real_now).await? {
            return Ok(false);
        }
        let author = Author { account: None, at };
        self.set_password_hash(account, password_hash, author)
            .await?;
        Ok(true)
    }

    /// Voids the links by which another password could be chosen.
    pub async fn set_password_hash(
        &self,
        account: AccountId,
        password_hash: &str,
        author: Author,
    ) -> Result<(), StoreError> {
        let changed = sql::run(
            &self.tx,
            "UPDATE accounts SET password_hash = $2 WHERE id = $1",
            [account.0.into(), password_hash.into()],
        )
        .await?;
        self.void_sign_in_links(account).await?;
        self.audit_account(changed, account, "account.password", author)
            .await
    }

    /// The account may not sign in any more, nor by a link. What it did keeps its name.
    ///
    /// # Errors
    /// [`StoreError::LastOwner`] when nobody would be left who can sign in as owner.
    pub async fn disable_account(
        &self,
        account: AccountId,
        author: Author,
    ) -> Result<(), StoreError> {
        self.leave_an_owner(&self.known_account(account).await?)
            .await?;
        self.void_sign_in_links(account).await?;
        let changed = sql::run(
            &self.tx,
            "UPDATE accounts SET disabled_ms = COALESCE(disabled_ms, $2) WHERE id = $1",
            [account.0.into(), author.at_ms().into()],
        )
        .await?;
        self.audit_account(changed, account, "account.disable", author)
            .await
    }

    /// The account may sign in again, with the password it had.
    pub async fn enable_account(
        &self,
        account: AccountId,
        author: Author,
    ) -> Result<(), StoreError> {
        let changed = sql::run(
            &self.tx,
            "UPDATE accounts SET disabled_ms = NULL WHERE id = $1",
            [account.0.into()],
        )
        .await?;
        self.audit_account(changed, account, "account.enable", author)
            .await
    }

    /// Notes that somebody signed in.
    pub async fn note_sign_in(&self, account: AccountId, at: Timestamp) -> Result<(), StoreError> {
        let values = [account.0.into(), at.as_millisecond().into()];
        let text = "UPDATE accounts SET signed_in_ms = $2 WHERE id = $1";
        sql::run(&self.tx, text, values).await?;
        Ok(())
    }

    async fn audit_account(
        &self,
        changed: u64,
        account: AccountId,
        action: &str,
        author: Author,
    ) -> Result<(), StoreError> {
        if changed == 0 {
            return Err(StoreError::not_found("account", account));
        }
        self.audit(author, action, &account.to_string(), serde_json::json!({}))
            .await
    }

    /// A new one-time token, to be shown once. It works until `real_now` + [`SETUP_LINK_LIFE`].
    pub async fn add_setup_link(&self, real_now: Timestamp) -> Result<String, StoreError> {
        let token = random_token();
        let expires = real_now + SETUP_LINK_LIFE;
        sql::run(
            &self.tx,
            "INSERT INTO setup_links (token_hash, expires_ms) VALUES ($1, $2)",
            [token_hash(&token).into(), expires.as_millisecond().into()],
        )
        .await?;
        Ok(token)
    }

    /// Uses up a one-time link of whoever runs the server; `false` when it is unknown, old, used, or another kind of link.
    pub async fn use_setup_link(
        &self,
        token: &str,
        real_now: Timestamp,
    ) -> Result<bool, StoreError> {
        let used = sql::run(
            &self.tx,
            "UPDATE setup_links SET used_ms = $2 WHERE token_hash = $1 AND used_ms IS NULL AND expires_ms > $2 \
               AND account_id IS NULL",
            [token_hash(token).into(), real_now.as_millisecond().into()],
        )
        .await?;
        Ok(used == 1)
    }

    /// Creates or replaces a session. `id` is what the cookie holds; only its hash is kept.
    pub async fn save_session(
        &self,
        id: &str,
        data: &str,
        expires: Timestamp,
    ) -> Result<(), StoreError> {
        sql::run(
            &self.tx,
            "INSERT INTO sign_in_sessions (id, data, expires_ms) VALUES ($1, $2, $3) \
             ON CONFLICT (id) DO UPDATE SET data = excluded.data, expires_ms = excluded.expires_ms",
            [
                token_hash(id).into(),
                data.into(),
                expires.as_millisecond().into(),
            ],
        )
        .await?;
        Ok(())
    }

    /// Ends a session; one that does not exist is no error.
    pub async fn delete_session(&self, id: &str) -> Result<(), StoreError> {
        let id = token_hash(id).into();
        sql::run(&self.tx, "DELETE FROM sign_in_sessions WHERE id = $1", [id]).await?;
        Ok(())
    }

    /// Removes sessions and links that nobody can use any more; how many sessions it were.
    pub async fn purge_sessions(&self, real_now: Timestamp) -> Result<u64, StoreError> {
        let now = real_now.as_millisecond();
        sql::run(
            &self.tx,
            "DELETE FROM setup_links WHERE expires_ms <= $1",
            [now.into()],
        )
        .await?;
        Ok(sql::run(
            &self.tx,
            "DELETE FROM sign_in_sessions WHERE expires_ms <= $1",
            [now.into()],
        )
        .await?)
    }
}

impl Store {
    /// The account of an address, whatever its case; disabled ones too.
    pub async fn account_by_email(&self, email: &str) -> Result<Option<Account>, StoreError> {
        let query = accounts::Entity::find().filter(accounts::Column::Email.eq(email_key(email)));
        Ok(query.one(self.read()).await?.map(Account::from))
    }

    pub async fn account(&self, id: AccountId) -> Result<Option<Account>, StoreError> {
        let row = accounts::Entity::find_by_id(id.0).one(self.read()).await?;
        Ok(row.map(Account::from))
    }

    /// All accounts by name.
    pub async fn accounts(&self) -> Result<Vec<Account>, StoreError> {
        let query = accounts::Entity::find().order_by_asc(accounts::Column::Name);
        let rows = query.all(self.read()).await?;
        Ok(rows.into_iter().map(Account::from).collect())
    }

    /// Whether somebody with the role owner can sign in. While nobody can, `serve` prints a one-time link.
    pub async fn has_owner(&self) -> Result<bool, StoreError> {
        let accounts = self.accounts().await?;
        Ok(accounts.iter().any(Account::is_working_owner))
    }

    /// Whether a one-time link of whoever runs the server may still be used.
    pub async fn setup_link_works(
        &self,
        token: &str,
        real_now: Timestamp,
    ) -> Result<bool, StoreError> {
        let row = sql::one(
            self.read(),
            "SELECT 1 FROM setup_links WHERE token_hash = $1 AND used_ms IS NULL AND expires_ms > $2 AND account_id IS NULL",
            [token_hash(token).into(), real_now.as_millisecond().into()],
        )
        .await?;
        Ok(row.is_some())
    }

    /// The data of a session that has not expired, and when it does.
    pub async fn session(
        &self,
        id: &str,
        real_now: Timestamp,
    ) -> Result<Option<(String, Timestamp)>, StoreError> {
        let query = sign_in_sessions::Entity::find_by_id(token_hash(id))
            .filter(sign_in_sessions::Column::ExpiresMs.gt(real_now.as_millisecond()));
        let row = query.one(self.read()).await?;
        Ok(row.map(|row| (row.data, instant(row.expires_ms))))
    }
}

/// As they are stored.
fn address_and_name(email: &str, name: &str) -> Result<(String, String), StoreError> {
    let (email, name) = (email_key(email), tidy_text(name));
    if !email.contains('@') {
        return Err(StoreError::Invalid(format!(
            "{email:?} is no e-mail address"
        )));
    }
    if name.is_empty() {
        return Err(StoreError::Invalid("an account needs a name".to_owned()));
    }
    Ok((email, name))
}

fn email_key(email: &str) -> String {
    tidy_text(email).to_lowercase()
}

fn roles_text(roles: &BTreeSet<Role>) -> String {
    let names: Vec<_> = roles.iter().map(|role| role.as_str()).collect();
    names.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::on_both_databases;
    use crate::testing::{author, new_account};

    fn now() -> Timestamp {
        author().at
    }

    async fn link(store: &Store) -> String {
        let tx = store.begin_write().await.unwrap();
        let token = tx.add_setup_link(now()).await.unwrap();
        tx.commit().await.unwrap();
        token
    }

    async fn set_up(store: &Store, token: &str, at: Timestamp, email: &str) -> Option<AccountId> {
        let tx = store.begin_write().await.unwrap();
        let made = tx.set_up_owner(token, at, email, "Ada", "$hash", at).await;
        tx.commit().await.unwrap();
        made.unwrap()
    }

    on_both_databases! {
        async fn a_link_makes_the_owner_once(store: Store) {
            assert!(!store.has_owner().await.unwrap());
            let token = link(&store).await;
            assert!(store.setup_link_works(&token, now()).await.unwrap());
            let id = set_up(&store, &token, now(), " Ada@Example.org ").await.unwrap();
            assert!(store.has_owner().await.unwrap());
            assert!(!store.setup_link_works(&token, now()).await.unwrap());
            assert_eq!(set_up(&store, &token, now(), "eve@example.org").await, None);
            let account = store.account_by_email("ADA@example.org").await.unwrap().unwrap();
            assert_eq!((account.id, account.email.as_str()), (id, "ada@example.org"));
            assert_eq!(account.roles, [Role::Owner, Role::Hr, Role::It].into());
            assert_eq!(store.accounts().await.unwrap(), [account]);
        }

        async fn a_link_resets_a_password_once(store: Store) {
            let first = link(&store).await;
            let id = set_up(&store, &first, now(), "ada@example.org").await.unwrap();
            let token = link(&store).await;
            let reset = async |hash: &str| {
                let tx = store.begin_write().await.unwrap();
                let done = tx.reset_password(&token, now(), id, hash, now()).await.unwrap();
                tx.commit().await.unwrap();
                done
            };
            assert!(reset("$second").await);
            assert!(!reset("$third").await);
            let account = store.account(id).await.unwrap().unwrap();
            assert_eq!(account.password_hash, "$second");
            assert_ne!(password_mark("$hash"), password_mark("$second"));
            let audited = store.audit_entries(None, 1).await.unwrap();
            assert_eq!(audited[0].action, "account.password");
        }

        async fn a_link_is_unknown_after_half_an_hour(store: Store) {
            let token = link(&store).await;
            let late = now() + SETUP_LINK_LIFE;
            assert!(!store.setup_link_works(&token, late).await.unwrap());
            assert!(!store.setup_link_works("another", now()).await.unwrap());
            assert_eq!(set_up(&store, &token, late, "ada@example.org").await, None);
            let just = late - SignedDuration::from_millis(1);
            assert!(set_up(&store, &token, just, "ada@example.org").await.is_some());
        }

        async fn neither_link_nor_session_is_stored_in_the_clear(store: Store) {
            let token = link(&store).await;
            let tx = store.begin_write().await.unwrap();
            tx.save_session("cookie", "{}", now()).await.unwrap();
            tx.commit().await.unwrap();
            for (query, clear) in [
                ("SELECT token_hash FROM setup_links", token.as_str()),
                ("SELECT id FROM sign_in_sessions", "cookie"),
            ] {
                let row = sql::one(store.read(), query, []).await.unwrap().unwrap();
                let kept: String = row.try_get_by_index(0).unwrap();
                assert_eq!(kept.len(), 64);
                assert_ne!(kept, clear);
            }
        }

        async fn an_address_has_one_account(store: Store) {
            let new = NewAccount {
                email: "ada@example.org".to_owned(),
                name: "Ada".to_owned(),
                password_hash: "$hash".to_owned(),
                roles: [Role::Hr].into(),
                employee: None,
            };
            let tx = store.begin_write().await.unwrap();
            let id = tx.add_account(&new, author()).await.unwrap();
            tx.set_password_hash(id, "$other", author()).await.unwrap();
            tx.disable_account(id, author()).await.unwrap();
            tx.commit().await.unwrap();
            let account = store.account(id).await.unwrap().unwrap();
            assert_eq!(account.password_hash, "$other");
            assert_eq!(account.disabled, Some(now()));
            assert!(!format!("{account:?} {new:?}").contains('$'));

            let tx = store.begin_write().await.unwrap();
            let again = NewAccount { email: "ADA@example.org".to_owned(), ..new.clone() };
            let error = tx.add_account(&again, author()).await.unwrap_err();
            assert_eq!(error.to_string(), "an account with the address ada@example.org exists already");
            drop(tx);

            let tx = store.begin_write().await.unwrap();
            for bad in [
                NewAccount { email: "ada".to_owned(), ..new.clone() },
                NewAccount { name: " ".to_owned(), ..new.clone() },
            ] {
                let error = tx.add_account(&bad, author()).await.unwrap_err();
                assert!(matches!(error, StoreError::Invalid(_)), "{error}");
            }
            let error = tx.disable_account(AccountId(99), author()).await.unwrap_err();
            assert_eq!(error.to_string(), "there is no account 99");
        }

        async fn an_owner_who_can_sign_in_is_always_left(store: Store) {
            let token = link(&store).await;
            let ada = set_up(&store, &token, now(), "ada@example.org").await.unwrap();
            let tx = store.begin_write().await.unwrap();
            let new = new_account("bo@example.org", Role::Owner, None);
            let bo = tx.add_account(&new, author()).await.unwrap();
            tx.commit().await.unwrap();
            let fields = AccountFields::from(&store.account(ada).await.unwrap().unwrap());
            let demoted = AccountFields { roles: [Role::Hr].into(), ..fields.clone() };
            let refused = async || {
                let tx = store.begin_write().await.unwrap();
                let error = tx.disable_account(ada, author()).await.unwrap_err();
                assert!(matches!(error, StoreError::LastOwner), "{error}");
                let error = tx.edit_account(ada, &demoted, author()).await.unwrap_err();
                assert!(matches!(error, StoreError::LastOwner), "{error}");
                tx.rollback().await.unwrap();
            };
            refused().await; // Bo has not chosen a password yet
            let tx = store.begin_write().await.unwrap();
            tx.set_password_hash(bo, "$bo", author()).await.unwrap();
            tx.edit_account(ada, &demoted, author()).await.unwrap();
            let error = tx.disable_account(bo, author()).await.unwrap_err();
            assert!(matches!(error, StoreError::LastOwner), "{error}");
            tx.edit_account(ada, &fields, author()).await.unwrap();
            tx.disable_account(bo, author()).await.unwrap();
            tx.commit().await.unwrap();
            refused().await; // Bo is disabled
        }

        async fn an_edit_is_audited_once_and_an_address_stays_with_one(store: Store) {
            let token = link(&store).await;
            let ada = set_up(&store, &token, now(), "ada@example.org").await.unwrap();
            let tx = store.begin_write().await.unwrap();
            let new = new_account("bo@example.org", Role::Employee, None);
            let bo = tx.add_account(&new, author()).await.unwrap();
            let fields = AccountFields {
                email: " Bob@Example.org".to_owned(),
                name: "Bob".to_owned(),
                roles: [Role::Manager].into(),
                employee: None,
            };
            tx.edit_account(bo, &fields, Author { account: Some(ada), at: now() }).await.unwrap();
            tx.edit_account(bo, &fields, author()).await.unwrap();
            tx.commit().await.unwrap();
            let account = store.account(bo).await.unwrap().unwrap();
            assert_eq!((account.email.as_str(), account.roles), ("bob@example.org", [Role::Manager].into()));
            let audited = store.audit_entries(None, 9).await.unwrap();
            let edits: Vec<_> = audited.iter().filter(|one| one.action == "account.edit").collect();
            assert_eq!(edits.len(), 1);
            assert_eq!((edits[0].subject.as_str(), edits[0].account_id), ("bo@example.org", Some(ada.0)));
            let tx = store.begin_write().await.unwrap();
            let taken = AccountFields { email: "ada@example.org".to_owned(), ..fields };
            let error = tx.edit_account(bo, &taken, author()).await.unwrap_err();
            assert!(matches!(error, StoreError::Duplicate { .. }), "{error}");
        }

        async fn sessions_are_replaced_expire_and_end(store: Store) {
            let later = now() + SignedDuration::from_hours(1);
            let save = async |data: &str| {
                let tx = store.begin_write().await.unwrap();
                tx.save_session("cookie", data, later).await.unwrap();
                tx.commit().await.unwrap();
            };
            save("1").await;
            save("2").await;
            let found = store.session("cookie", now()).await.unwrap();
            assert_eq!(found, Some(("2".to_owned(), later)));
            assert_eq!(store.session("cookie", later).await.unwrap(), None);
            let tx = store.begin_write().await.unwrap();
            assert_eq!(tx.purge_sessions(now()).await.unwrap(), 0);
            assert_eq!(tx.purge_sessions(later).await.unwrap(), 1);
            tx.commit().await.unwrap();
            save("3").await;
            let tx = store.begin_write().await.unwrap();
            tx.delete_session("cookie").await.unwrap();
            tx.delete_session("cookie").await.unwrap();
            tx.commit().await.unwrap();
            assert_eq!(store.session("cookie", now()).await.unwrap(), None);
        }
    }
}

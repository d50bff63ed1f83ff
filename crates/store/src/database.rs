//! Opening a database, transactions, migrations, and noticing what others write.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use sea_orm::sqlx::postgres::{PgConnectOptions, PgListener, PgPoolOptions};
use sea_orm::sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous,
};
use sea_orm::sqlx::{ConnectOptions as _, Connection as _};
use sea_orm::{DatabaseConnection, DbBackend, DbErr};
use sea_orm_migration::MigratorTrait;

use crate::migrations::Migrator;
use crate::secrets::SecretKey;
use crate::transaction::Transaction;
use crate::{StoreError, sql};

/// How long a writer waits for another process that holds the SQLite file.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);
/// How long anybody waits for a connection of a pool. A hot writer queues behind others, so this is generous.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(30);
const SLOW_STATEMENT: Duration = Duration::from_millis(500);
const READ_CONNECTIONS: u32 = 4;
const POSTGRES_CONNECTIONS: u32 = 8;
/// How often a SQLite file is asked whether another process wrote to it.
const FOREIGN_WRITE_INTERVAL: Duration = Duration::from_millis(500);
/// The PostgreSQL advisory lock of [`Store::begin_write`].
const WRITERS: i64 = 0x6d75_7374_6572; // "muster"
/// The PostgreSQL channel on which each commit names the store that made it.
const CHANNEL: &str = "muster_changed";

/// An open database. Cheap to clone; all clones share the connections.
///
/// SQLite: one writing connection, whose transactions begin IMMEDIATE and so queue instead of failing, and a few reading
/// ones beside it. PostgreSQL: two pools.
#[derive(Clone)]
pub struct Store {
    writer: DatabaseConnection,
    reader: DatabaseConnection,
    pub(crate) url: Arc<str>,
    /// Names this store to other nodes, so that its own commits are not news to it.
    node: Arc<str>,
    key: Option<Arc<SecretKey>>,
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Store({})", without_password(&self.url))
    }
}

impl Store {
    /// Opens `sqlite://PATH`, creating the file, or `postgres://…`. The tables are not touched: see [`Store::migrate`].
    ///
    /// # Errors
    /// [`StoreError::Url`] for another scheme or an in-memory database; [`StoreError::Open`] when it cannot be reached.
    pub async fn open(url: &str) -> Result<Self, StoreError> {
        let open_error = |source: sea_orm::sqlx::Error| StoreError::Open {
            url: without_password(url),
            source: DbErr::Conn(sea_orm::RuntimeErr::SqlxError(Arc::new(source))),
        };
        let (writer, reader) = if url.starts_with("sqlite:") && !url.contains(":memory:") {
            open_sqlite(url).await.map_err(open_error)?
        } else if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            open_postgres(url).await.map_err(open_error)?
        } else {
            return Err(StoreError::Url(without_password(url)));
        };
        Ok(Self {
            writer,
            reader,
            url: url.into(),
            node: crate::secrets::random_token().into(),
            key: None,
        })
    }

    /// The same store, able to seal and unseal device passwords.
    pub fn with_secret_key(mut self, key: SecretKey) -> Self {
        self.key = Some(Arc::new(key));
        self
    }

    /// Creates or updates the tables. Repeating it does nothing.
    pub async fn migrate(&self) -> Result<(), StoreError> {
        Ok(Migrator::up(&self.writer, None).await?)
    }

    /// Fails with [`StoreError::NotMigrated`] when [`Store::migrate`] has work to do.
    pub async fn check_migrated(&self) -> Result<(), StoreError> {
        let pending = match Migrator::get_pending_migrations_read_only(&self.reader).await {
            Ok(pending) => pending.len(),
            Err(error) => return Err(error.into()),
        };
        if pending > 0 {
            return Err(StoreError::NotMigrated { pending });
        }
        Ok(())
    }

    pub fn backend(&self) -> DbBackend {
        self.writer.get_database_backend()
    }

    /// A writing transaction. It waits for the one before it; keep it short. Dropping it rolls back.
    ///
    /// One after the other on PostgreSQL too: what is read to decide a write (who a user is, what waits for coverage, which
    /// days have a report) must not be changed by a neighbour that cannot see it, or a mark is lost.
    pub async fn begin_write(&self) -> Result<WriteTx, StoreError> {
        let tx = self.begin_claim().await?;
        if self.backend() == DbBackend::Postgres {
            sql::run(&tx.tx, "SELECT pg_advisory_xact_lock($1)", [WRITERS.into()]).await?;
        }
        Ok(tx)
    }

    /// A writing transaction for leases and sessions, whose rows decide nothing but themselves: on PostgreSQL it waits for no
    /// other.
    pub async fn begin_claim(&self) -> Result<WriteTx, StoreError> {
        Ok(WriteTx {
            tx: Transaction::begin_write(&self.writer).await?,
            node: Arc::clone(&self.node),
            key: self.key.clone(),
        })
    }

    /// For a single query. Several that must agree with each other belong into [`Store::begin_read`].
    pub fn read(&self) -> &DatabaseConnection {
        &self.reader
    }

    /// A reading transaction: every query in it sees the same state of the database.
    pub async fn begin_read(&self) -> Result<ReadTx, StoreError> {
        Ok(ReadTx {
            tx: Transaction::begin_read(&self.reader).await?,
        })
    }

    /// Begins to watch for commits of other processes.
    pub async fn foreign_writes(&self) -> Result<ForeignWrites, StoreError> {
        let source = match self.backend() {
            DbBackend::Postgres => {
                let mut listener = PgListener::connect(&self.url)
                    .await
                    .map_err(StoreError::Listen)?;
                listener.listen(CHANNEL).await.map_err(StoreError::Listen)?;
                Source::Postgres(Box::new(listener))
            }
            _ => Source::Sqlite {
                version: data_version(&self.writer).await?,
            },
        };
        Ok(ForeignWrites {
            store: self.clone(),
            source,
        })
    }

    /// Waits for running queries and closes all connections.
    pub async fn close(&self) -> Result<(), StoreError> {
        self.reader.close_by_ref().await?;
        Ok(self.writer.close_by_ref().await?)
    }

    pub(crate) fn key(&self) -> Option<&SecretKey> {
        self.key.as_deref()
    }
}

/// A writing transaction. What is done in it becomes visible with [`WriteTx::commit`] as a whole, or not at all.
pub struct WriteTx {
    pub(crate) tx: Transaction,
    node: Arc<str>,
    key: Option<Arc<SecretKey>>,
}

impl fmt::Debug for WriteTx {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WriteTx")
    }
}

impl WriteTx {
    /// Makes it durable and tells the other nodes.
    pub async fn commit(self) -> Result<(), StoreError> {
        if self.backend() == DbBackend::Postgres {
            let node: &str = &self.node;
            let values = [CHANNEL.into(), node.into()];
            sql::run(&self.tx, "SELECT pg_notify($1, $2)", values).await?;
        }
        self.commit_quietly().await
    }

    /// The same without telling the other nodes, for what no page shows: leases and the like. On PostgreSQL notifying
    /// commits wait for each other.
    pub async fn commit_quietly(self) -> Result<(), StoreError> {
        Ok(self.tx.commit().await?)
    }

    pub async fn rollback(self) -> Result<(), StoreError> {
        Ok(self.tx.rollback().await?)
    }

    pub fn backend(&self) -> DbBackend {
        sea_orm::ConnectionTrait::get_database_backend(&self.tx)
    }

    pub(crate) fn key(&self) -> Option<&SecretKey> {
        self.key.as_deref()
    }
}

/// A reading transaction; see [`Store::begin_read`].
pub struct ReadTx {
    pub(crate) tx: Transaction,
}

impl fmt::Debug for ReadTx {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ReadTx")
    }
}

impl ReadTx {
    pub fn backend(&self) -> DbBackend {
        sea_orm::ConnectionTrait::get_database_backend(&self.tx)
    }
}

/// Notices commits of other processes: a second node, or a command beside the server.
#[derive(Debug)]
pub struct ForeignWrites {
    store: Store,
    source: Source,
}

#[derive(Debug)]
enum Source {
    Sqlite { version: i64 },
    Postgres(Box<PgListener>),
}

impl ForeignWrites {
    /// Returns after another process has committed something since the last call, within a second. Several commits may be
    /// reported as one, and after a lost connection one may be reported that was none. Dropping the future loses nothing.
    pub async fn changed(&mut self) -> Result<(), StoreError> {
        match &mut self.source {
            Source::Sqlite { version } => loop {
                tokio::time::sleep(FOREIGN_WRITE_INTERVAL).await;
                let now = data_version(&self.store.writer).await?;
                if std::mem::replace(version, now) != now {
                    return Ok(());
                }
            },
            Source::Postgres(listener) => loop {
                match listener.try_recv().await.map_err(StoreError::Listen)? {
                    Some(note) if note.payload() == &*self.store.node => {}
                    Some(_) => return Ok(()),
                    None => return Ok(()), // reconnected: something may have been missed
                }
            },
        }
    }
}

/// Asked on the writing connection: there it changes by commits of others only.
async fn data_version(writer: &DatabaseConnection) -> Result<i64, StoreError> {
    let row = sql::one(writer, "PRAGMA data_version", []).await?;
    let row = row.ok_or_else(|| DbErr::RecordNotFound("PRAGMA data_version".into()))?;
    Ok(i64::from(row.try_get_by_index::<i32>(0)?))
}

async fn open_sqlite(
    url: &str,
) -> Result<(DatabaseConnection, DatabaseConnection), sea_orm::sqlx::Error> {
    let options = url
        .parse::<SqliteConnectOptions>()?
        .create_if_missing(true)
        // A batch falls all over the indices: larger pages are fewer to find and to write. Those of 16 KiB made small ones slow.
        .page_size(8192)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(BUSY_TIMEOUT)
        .statement_cache_capacity(256)
        .log_statements(log::LevelFilter::Trace)
        .log_slow_statements(log::LevelFilter::Warn, SLOW_STATEMENT);
    let pool = || {
        SqlitePoolOptions::new()
            .acquire_timeout(ACQUIRE_TIMEOUT)
            .idle_timeout(None)
            .max_lifetime(None)
    };
    // Punches of many devices fall all over the indices by instant, so each batch changes the same pages again. They stay in
    // memory, and move from the log into the file only now and then.
    let writing = options
        .clone()
        .pragma("temp_store", "MEMORY") // else each statement of many rows makes a file to be able to undo itself
        .pragma("cache_size", "-16000") // KiB
        .pragma("wal_autocheckpoint", "8000") // pages
        .pragma("journal_size_limit", "67108864");
    let writer = pool().max_connections(1).connect_with(writing).await?;
    let reader = pool()
        .max_connections(READ_CONNECTIONS)
        // The punches of a batch of people lie on some hundred pages, each of which is asked for once for each of them.
        .connect_with(
            options
                .pragma("query_only", "ON")
                .pragma("cache_size", "-16000"),
        )
        .await?;
    Ok((writer.into(), reader.into()))
}

async fn open_postgres(
    url: &str,
) -> Result<(DatabaseConnection, DatabaseConnection), sea_orm::sqlx::Error> {
    let options = url
        .parse::<PgConnectOptions>()?
        .application_name("muster")
        .statement_cache_capacity(256)
        .log_statements(log::LevelFilter::Trace)
        .log_slow_statements(log::LevelFilter::Warn, SLOW_STATEMENT);
    // A pool keeps trying a server that refuses; whoever opens a database wants to know at once.
    options.connect().await?.close().await?;
    let pool = || {
        PgPoolOptions::new()
            .acquire_timeout(ACQUIRE_TIMEOUT)
            .max_connections(POSTGRES_CONNECTIONS)
    };
    let writer = pool().connect_with(options.clone()).await?;
    let reader = pool().connect_with(options).await?;
    Ok((writer.into(), reader.into()))
}

/// The URL as it may be shown.
fn without_password(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else {
        return url.to_owned();
    };
    match rest.rsplit_once('@') {
        Some((_, host)) => format!("{scheme}://…@{host}"),
        None => url.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::on_both_databases;
    use crate::sql::Column;

    async fn count(store: &Store) -> i64 {
        let row = sql::one(store.read(), "SELECT COUNT(*) FROM settings", [])
            .await
            .unwrap();
        row.unwrap().try_get_by_index(0).unwrap()
    }

    async fn insert(tx: &WriteTx, key: &str) {
        let values = [key.into()];
        sql::run(
            &tx.tx,
            "INSERT INTO settings (key, value) VALUES ($1, '')",
            values,
        )
        .await
        .unwrap();
    }

    on_both_databases! {
        async fn only_a_commit_makes_it_visible(store: Store) {
            let tx = store.begin_write().await.unwrap();
            insert(&tx, "dropped").await;
            drop(tx);
            let tx = store.begin_write().await.unwrap();
            insert(&tx, "rolled back").await;
            tx.rollback().await.unwrap();
            assert_eq!(count(&store).await, 0);
            let tx = store.begin_write().await.unwrap();
            insert(&tx, "kept").await;
            assert_eq!(count(&store).await, 0);
            tx.commit().await.unwrap();
            assert_eq!(count(&store).await, 1);
        }

        async fn a_copy_that_is_cut_off_leaves_nothing_behind(store: Store) {
            if store.backend() != DbBackend::Postgres {
                return;
            }
            let lines: String = (0..50_000).map(|line| format!("{line}\t\n")).collect();
            let copy = |tx: WriteTx| {
                let lines = lines.clone();
                async move { tx.tx.copy("COPY settings (key, value) FROM STDIN".to_owned(), lines).await.map(|copied| (tx, copied)) }
            };
            for after_ms in 0..9 {
                let copying = copy(store.begin_write().await.unwrap());
                let cut_off = tokio::time::timeout(Duration::from_millis(after_ms), copying).await;
                drop(cut_off);
                assert_eq!(count(&store).await, 0);
            }
            let (tx, copied) = copy(store.begin_write().await.unwrap()).await.unwrap();
            tx.commit().await.unwrap();
            assert_eq!((copied, count(&store).await), (50_000, 50_000));
        }

        async fn migrating_again_does_nothing(store: Store) {
            store.migrate().await.unwrap();
            store.check_migrated().await.unwrap();
        }

        async fn writers_of_one_store_wait_for_each_other(store: Store) {
            let writers: Vec<_> = (0..20)
                .map(|writer| {
                    let store = store.clone();
                    tokio::spawn(async move {
                        let tx = store.begin_write().await.unwrap();
                        insert(&tx, &writer.to_string()).await;
                        tokio::task::yield_now().await;
                        tx.commit().await.unwrap();
                    })
                })
                .collect();
            for writer in writers {
                writer.await.unwrap();
            }
            assert_eq!(count(&store).await, 20);
        }

        async fn writers_of_two_stores_wait_for_each_other(store: Store) {
            let other = Store::open(&store.url).await.unwrap();
            let first = store.begin_write().await.unwrap();
            insert(&first, "first").await;
            let second = tokio::spawn(async move {
                let tx = other.begin_write().await.unwrap();
                insert(&tx, "second").await;
                tx.commit().await.unwrap();
                other.close().await.unwrap();
            });
            tokio::time::sleep(Duration::from_millis(20)).await;
            first.commit().await.unwrap();
            second.await.unwrap();
            assert_eq!(count(&store).await, 2);
        }

        async fn a_reading_transaction_sees_one_state(store: Store) {
            let read = store.begin_read().await.unwrap();
            let count_in = async || {
                let row = sql::one(&read.tx, "SELECT COUNT(*) FROM settings", []).await.unwrap();
                row.unwrap().try_get_by_index::<i64>(0).unwrap()
            };
            assert_eq!(count_in().await, 0);
            let tx = store.begin_write().await.unwrap();
            insert(&tx, "later").await;
            tx.commit().await.unwrap();
            assert_eq!(count_in().await, 0);
            drop(read);
            assert_eq!(count(&store).await, 1);
        }

        async fn readers_cannot_write(store: Store) {
            let read = store.begin_read().await.unwrap();
            let write = "INSERT INTO settings (key, value) VALUES ('a', '')";
            assert!(sql::run(&read.tx, write, []).await.is_err());
        }

        async fn only_what_others_write_is_noticed(store: Store) {
            let other = Store::open(&store.url).await.unwrap();
            let mut foreign = store.foreign_writes().await.unwrap();
            let own = store.begin_write().await.unwrap();
            insert(&own, "own").await;
            own.commit().await.unwrap();
            let patience = Duration::from_millis(700);
            assert!(tokio::time::timeout(patience, foreign.changed()).await.is_err());
            let tx = other.begin_write().await.unwrap();
            insert(&tx, "foreign").await;
            tx.commit().await.unwrap();
            let noticed = tokio::time::timeout(Duration::from_secs(5), foreign.changed()).await;
            noticed.expect("within a second").unwrap();
            assert!(tokio::time::timeout(patience, foreign.changed()).await.is_err());
            drop(foreign);
            other.close().await.unwrap();
        }

        async fn many_rows_travel_as_one_parameter(store: Store) {
            let rows = [(Some(1), Some("a"), true), (None, None, false), (Some(i64::MAX), Some("\u{1F600}'\""), true)];
            let columns = [("number", Column::Int), ("word", Column::Text), ("flag", Column::Bool)];
            let table = sql::json_rows(store.backend(), 1, "r", &columns);
            let query = format!("SELECT r.number, r.word FROM {table} WHERE r.flag OR r.word IS NULL");
            let found = sql::all(store.read(), &query, [sql::json(&rows)]).await.unwrap();
            let found: Vec<(Option<i64>, Option<String>)> = found.iter()
                .map(|row| (row.try_get_by_index(0).unwrap(), row.try_get_by_index(1).unwrap()))
                .collect();
            assert_eq!(found, rows.map(|(number, word, _)| (number, word.map(str::to_owned))));

            let many: Vec<i64> = (0..100_000).collect();
            let query = format!("SELECT COUNT(*) FROM settings WHERE 7 IN {}", sql::in_ids(store.backend(), 1));
            sql::one(store.read(), &query, [sql::json(&many)]).await.unwrap();
            let query = format!("SELECT CASE WHEN 'b' IN {} THEN 'yes' ELSE 'no' END", sql::in_texts(store.backend(), 1));
            let row = sql::one(store.read(), &query, [sql::json(&["a", "b"])]).await.unwrap();
            assert_eq!(row.unwrap().try_get_by_index::<String>(0).unwrap(), "yes");
        }
    }

    #[tokio::test]
    async fn what_cannot_be_opened_is_named() {
        for url in ["mysql://a:b@c/d", "sqlite::memory:", "muster.db"] {
            let error = Store::open(url).await.unwrap_err();
            assert!(matches!(error, StoreError::Url(_)), "{url}: {error}");
            assert!(!error.to_string().contains("a:b"), "{error}");
        }
        for url in [
            "sqlite:///nonexistent/folder/muster.db",
            "postgres://muster:s3cret@127.0.0.1:1/muster",
        ] {
            let error = Store::open(url).await.unwrap_err();
            assert!(matches!(error, StoreError::Open { .. }), "{url}: {error}");
            assert!(
                !format!("{error} {error:?}").contains("s3cret"),
                "{error:?}"
            );
        }
    }

    #[tokio::test]
    async fn an_empty_file_is_not_migrated() {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", folder.path().join("muster.db").display());
        let store = Store::open(&url).await.unwrap();
        let error = store.check_migrated().await.unwrap_err();
        assert!(matches!(error, StoreError::NotMigrated { pending } if pending > 0));
        store.migrate().await.unwrap();
        store.check_migrated().await.unwrap();
    }
}

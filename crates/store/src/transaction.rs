//! The transaction inside a [`crate::WriteTx`] or [`crate::ReadTx`]. On PostgreSQL it is one of sqlx, because that of SeaORM
//! cannot `COPY`.

use std::sync::Arc;

use sea_orm::prelude::async_trait::async_trait;
use sea_orm::sqlx::{self, AssertSqlSafe, Executor as _, Postgres};
use sea_orm::{
    ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr, ExecResult,
    QueryResult, RuntimeErr, SqliteTransactionMode, Statement, TransactionOptions,
    TransactionTrait as _,
};
use sea_query_sqlx::SqlxValues;
use tokio::sync::Mutex;

pub(crate) enum Transaction {
    Sqlite(DatabaseTransaction),
    Postgres(Arc<PostgresTransaction>),
}

type PostgresTransaction = Mutex<sqlx::Transaction<'static, Postgres>>;

impl Transaction {
    /// One that writes.
    pub(crate) async fn begin_write(writer: &DatabaseConnection) -> Result<Self, DbErr> {
        Self::begin(writer, "BEGIN", SqliteTransactionMode::Immediate).await
    }

    /// One that reads: every query sees the same state. On SQLite the first query takes it.
    pub(crate) async fn begin_read(reader: &DatabaseConnection) -> Result<Self, DbErr> {
        let begin = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
        Self::begin(reader, begin, SqliteTransactionMode::Deferred).await
    }

    async fn begin(
        pool: &DatabaseConnection,
        postgres: &'static str,
        sqlite: SqliteTransactionMode,
    ) -> Result<Self, DbErr> {
        if pool.get_database_backend() == DbBackend::Postgres {
            let pool = pool.get_postgres_connection_pool();
            let begun = pool
                .begin_with(postgres)
                .await
                .map_err(|error| match error {
                    sqlx::Error::PoolTimedOut => {
                        DbErr::ConnectionAcquire(sea_orm::ConnAcquireErr::Timeout)
                    }
                    error => DbErr::Conn(RuntimeErr::SqlxError(Arc::new(error))),
                });
            return Ok(Self::Postgres(Arc::new(Mutex::new(begun?))));
        }
        let options = TransactionOptions {
            sqlite_transaction_mode: Some(sqlite),
            ..TransactionOptions::default()
        };
        Ok(Self::Sqlite(pool.begin_with_options(options).await?))
    }

    pub(crate) async fn commit(self) -> Result<(), DbErr> {
        match self {
            Self::Sqlite(tx) => tx.commit().await,
            Self::Postgres(tx) => alone(tx)?.commit().await.map_err(refused),
        }
    }

    pub(crate) async fn rollback(self) -> Result<(), DbErr> {
        match self {
            Self::Sqlite(tx) => tx.rollback().await,
            Self::Postgres(tx) => alone(tx)?.rollback().await.map_err(refused),
        }
    }

    /// Runs `COPY … FROM STDIN` with rows in its text format, on PostgreSQL only.
    ///
    /// In a task of its own, which ends it even when nobody waits any more: a connection that is left in the middle of a `COPY`
    /// takes no statement after it.
    pub(crate) async fn copy(&self, statement: String, rows: String) -> Result<u64, DbErr> {
        let Self::Postgres(tx) = self else {
            return Err(DbErr::BackendNotSupported {
                db: "SQLite",
                ctx: "COPY",
            });
        };
        let tx = Arc::clone(tx);
        let copying = tokio::spawn(async move {
            let mut tx = tx.lock().await;
            let mut copy = tx.copy_in_raw(&statement).await?;
            copy.send(rows.into_bytes()).await?;
            copy.finish().await
        });
        match copying.await {
            Ok(copied) => copied.map_err(refused),
            Err(ended) => Err(DbErr::Custom(ended.to_string())),
        }
    }
}

/// The transaction, unless a `COPY` that nobody waits for is still using it.
fn alone(tx: Arc<PostgresTransaction>) -> Result<sqlx::Transaction<'static, Postgres>, DbErr> {
    let tx = Arc::into_inner(tx);
    let tx = tx.ok_or_else(|| DbErr::Custom("COPY has not ended yet".to_owned()))?;
    Ok(tx.into_inner())
}

fn refused(error: sqlx::Error) -> DbErr {
    DbErr::Query(RuntimeErr::SqlxError(Arc::new(error)))
}

fn query(statement: &Statement) -> sqlx::query::Query<'_, Postgres, SqlxValues> {
    let values = statement.values.clone();
    let values = values.unwrap_or_else(|| sea_orm::Values(Vec::new()));
    sqlx::query_with(AssertSqlSafe(statement.sql.as_str()), SqlxValues(values))
}

#[async_trait]
impl ConnectionTrait for Transaction {
    fn get_database_backend(&self) -> DbBackend {
        match self {
            Self::Sqlite(_) => DbBackend::Sqlite,
            Self::Postgres(_) => DbBackend::Postgres,
        }
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        match self {
            Self::Sqlite(tx) => tx.execute_raw(statement).await,
            Self::Postgres(tx) => {
                let done = query(&statement).execute(&mut **tx.lock().await).await;
                done.map(ExecResult::from).map_err(refused)
            }
        }
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        match self {
            Self::Sqlite(tx) => tx.execute_unprepared(sql).await,
            Self::Postgres(tx) => {
                let done = tx.lock().await.execute(AssertSqlSafe(sql.to_owned())).await;
                done.map(ExecResult::from).map_err(refused)
            }
        }
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        match self {
            Self::Sqlite(tx) => tx.query_one_raw(statement).await,
            Self::Postgres(tx) => {
                let row = query(&statement)
                    .fetch_optional(&mut **tx.lock().await)
                    .await;
                Ok(row.map_err(refused)?.map(QueryResult::from))
            }
        }
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        match self {
            Self::Sqlite(tx) => tx.query_all_raw(statement).await,
            Self::Postgres(tx) => {
                let rows = query(&statement).fetch_all(&mut **tx.lock().await).await;
                let rows = rows.map_err(refused)?;
                Ok(rows.into_iter().map(QueryResult::from).collect())
            }
        }
    }
}

//! The floor of storing punches: as many rows in a table without any index, kept as ours are.

use std::path::Path;

use sea_orm::sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sea_orm::sqlx::{self, ConnectOptions, Connection};

/// How many rows, and how they come.
pub struct Bare {
    pub transactions: usize,
    /// Statements of a transaction.
    pub devices: usize,
    /// Rows of a statement.
    pub rows: usize,
}

impl Bare {
    /// Inserts them into a new database in this folder. They resolve nobody, and nothing is judged.
    pub async fn insert(&self, folder: &Path) {
        let mut connection = SqliteConnectOptions::new()
            .filename(folder.join("bare.db"))
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .connect()
            .await
            .expect("a database can be made");
        let rows: Vec<_> = (0..self.rows)
            .map(|n| {
                serde_json::json!([
                    (1001 + n % 500).to_string(),
                    "2026-11-20 08:58:30",
                    1_795_000_000_000_i64 + n as i64
                ])
            })
            .collect();
        let rows = serde_json::Value::from(rows).to_string();
        let table = "CREATE TABLE punches (id INTEGER PRIMARY KEY, device_id INTEGER, user_id TEXT, clock TEXT, instant_ms INTEGER)";
        sqlx::query(table)
            .execute(&mut connection)
            .await
            .expect("a table can be made");
        for _ in 0..self.transactions {
            let mut tx = connection.begin().await.expect("a transaction");
            for device in 0..self.devices as i64 {
                let insert = "INSERT INTO punches (device_id, user_id, clock, instant_ms) \
                              SELECT ?1, value ->> 0, value ->> 1, value ->> 2 FROM json_each(?2)";
                let insert = sqlx::query(insert).bind(device).bind(&rows);
                insert
                    .execute(&mut *tx)
                    .await
                    .expect("rows can be inserted");
            }
            tx.commit().await.expect("it is kept");
        }
    }
}

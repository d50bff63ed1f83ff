//! What can go wrong in the store.

use crate::secrets::SecretError;

#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("the database {url} cannot be opened")]
    Open {
        /// Without its password.
        url: String,
        #[source]
        source: sea_orm::DbErr,
    },
    #[error("{0} is no database URL: expected sqlite://PATH or postgres://…")]
    Url(String),
    /// The tables are missing or older than this program.
    #[error("the database is not migrated: {pending} migrations are pending")]
    NotMigrated { pending: usize },
    #[error("the database refused")]
    Database(#[from] sea_orm::DbErr),
    /// A unique value exists already, e.g. "a device with serial number 123".
    #[error("{what} {value} exists already")]
    Duplicate { what: &'static str, value: String },
    /// An id or name that was asked for by a person does not exist.
    #[error("there is no {what} {value}")]
    NotFound { what: &'static str, value: String },
    /// Another serial number for a device that has proved its own: its punches would become those of another terminal.
    #[error(
        "device {serial_number} has answered with this serial number: add another device instead"
    )]
    Proven { serial_number: String },
    /// A change of a day whose period is closed (R110).
    #[error("{workday} is closed: open its period again, or leave it as it is")]
    Closed { workday: String },
    /// Nobody would be left who can sign in as owner.
    #[error("it is the only account of an owner who can sign in: make another owner first")]
    LastOwner,
    /// A value a person entered cannot be stored; the message says why.
    #[error("{0}")]
    Invalid(String),
    #[error(transparent)]
    Secret(#[from] SecretError),
    #[error("a stored {what} cannot be understood")]
    Corrupt {
        what: &'static str,
        #[source]
        source: serde_json::Error,
    },
    /// Somebody else was to write it, and was stopped.
    #[error("it was not stored: its writer was stopped")]
    Interrupted,
    #[error("the connection for notifications is gone")]
    Listen(#[source] sea_orm::sqlx::Error),
}

impl StoreError {
    /// Turns the violation of a unique key into [`StoreError::Duplicate`]; other errors pass unchanged.
    pub(crate) fn duplicate(error: sea_orm::DbErr, what: &'static str, value: &str) -> Self {
        match error.sql_err() {
            Some(sea_orm::SqlErr::UniqueConstraintViolation(_)) => Self::Duplicate {
                what,
                value: value.to_owned(),
            },
            _ => Self::Database(error),
        }
    }

    pub(crate) fn not_found(what: &'static str, value: impl ToString) -> Self {
        Self::NotFound {
            what,
            value: value.to_string(),
        }
    }
}

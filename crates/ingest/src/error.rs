//! What can go wrong on the data path.

use store::StoreError;

#[derive(Debug, thiserror::Error)]
pub enum IngestError {
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The stored policy of the company is none this program understands.
    #[error("the stored policy cannot be used")]
    Policy(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A defect of ours: judging panicked.
    #[error("judging failed")]
    Judging(#[source] tokio::task::JoinError),
}

/// An error with what caused it, in one line for people.
pub(crate) fn story(error: &dyn std::error::Error) -> String {
    let mut story = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let text = cause.to_string();
        if !story.ends_with(&text) {
            story.push_str(": ");
            story.push_str(&text);
        }
        source = cause.source();
    }
    story
}

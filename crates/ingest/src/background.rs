//! Work that goes on beside other work and ends with the value that stands for it.

use std::time::Duration;

use store::StoreError;
use tokio::task::JoinHandle;

/// A task that ends when it is dropped.
#[derive(Debug)]
pub(crate) struct Background(JoinHandle<()>);

impl Background {
    pub(crate) fn begin(work: impl Future<Output = ()> + Send + 'static) -> Self {
        Self(tokio::spawn(work))
    }

    /// Does the work again and again, for the first time after `every`. `failing` says what does not get done while it fails.
    pub(crate) fn repeat<W>(
        every: Duration,
        failing: &'static str,
        work: impl Fn() -> W + Send + 'static,
    ) -> Self
    where
        W: Future<Output = Result<(), StoreError>> + Send,
    {
        Self::begin(async move {
            loop {
                tokio::time::sleep(every).await;
                if let Err(error) = work().await {
                    tracing::warn!(
                        error = &error as &dyn std::error::Error,
                        "{failing}; trying again"
                    );
                }
            }
        })
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        self.0.abort();
    }
}

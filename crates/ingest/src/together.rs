//! Storing together: whoever comes first writes for all who wait, in one transaction, because a commit waits for the disk.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use store::StoreError;
use tokio::sync::oneshot;

/// How items are stored, all or nothing.
pub(crate) trait Keep: Sync {
    type Item: Send + Sync;
    type Kept: Send;

    /// How much of a transaction an item is.
    fn weight(item: &Self::Item) -> usize;

    /// What became of each, in their order.
    fn keep(
        &self,
        items: &[Self::Item],
    ) -> impl Future<Output = Result<Vec<Self::Kept>, StoreError>> + Send;
}

/// Items that wait to be stored.
#[derive(Debug)]
pub(crate) struct Together<T, R> {
    waiting: Mutex<VecDeque<Waiting<T, R>>>,
    /// Held by who stores them.
    pen: tokio::sync::Mutex<()>,
    /// As much as one transaction takes.
    at_most: usize,
}

#[derive(Debug)]
struct Waiting<T, R> {
    item: T,
    kept: oneshot::Sender<Result<R, StoreError>>,
}

impl<T: Send + Sync, R: Send> Together<T, R> {
    pub(crate) fn new(at_most: usize) -> Self {
        Self {
            waiting: Mutex::default(),
            pen: tokio::sync::Mutex::default(),
            at_most,
        }
    }

    /// What became of an item; `None` when whoever was storing it was stopped, and nobody knows.
    pub(crate) async fn keep<K: Keep<Item = T, Kept = R>>(
        &self,
        keeper: &K,
        item: T,
    ) -> Result<Option<R>, StoreError> {
        let (kept, mut told) = oneshot::channel();
        self.waiting().push_back(Waiting { item, kept });
        loop {
            let _pen = tokio::select! {
                biased;
                // It need not wait until those before it have seen that they are done.
                told = &mut told => return told.map_or(Ok(None), |kept| kept.map(Some)),
                pen = self.pen.lock() => pen,
            };
            match told.try_recv() {
                Ok(kept) => return kept.map(Some),
                Err(oneshot::error::TryRecvError::Empty) => self.keep_next(keeper).await,
                Err(oneshot::error::TryRecvError::Closed) => return Ok(None),
            }
        }
    }

    /// Stores the next items that wait; if that fails, each by itself, so that a bad one harms nobody.
    async fn keep_next<K: Keep<Item = T, Kept = R>>(&self, keeper: &K) {
        let (items, told) = self.next::<K>();
        match keeper.keep(&items).await {
            Ok(results) => {
                for (told, result) in told.into_iter().zip(results) {
                    let _gone = told.send(Ok(result));
                }
            }
            Err(_) if items.len() > 1 => {
                for (item, told) in items.iter().zip(told) {
                    let result = keeper.keep(std::slice::from_ref(item)).await;
                    if let Some(result) = result.map(|kept| kept.into_iter().next()).transpose() {
                        let _gone = told.send(result);
                    }
                }
            }
            Err(error) => {
                if let Some(told) = told.into_iter().next() {
                    let _gone = told.send(Err(error));
                }
            }
        }
    }

    fn next<K: Keep<Item = T, Kept = R>>(
        &self,
    ) -> (Vec<T>, Vec<oneshot::Sender<Result<R, StoreError>>>) {
        let mut waiting = self.waiting();
        let mut weight = 0;
        let fits = waiting.iter().take_while(|waiting| {
            let before = weight;
            weight += K::weight(&waiting.item);
            before < self.at_most
        });
        let fits = fits.count();
        let next = waiting.drain(..fits);
        next.map(|waiting| (waiting.item, waiting.kept)).unzip()
    }

    fn waiting(&self) -> MutexGuard<'_, VecDeque<Waiting<T, R>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use tokio::sync::Semaphore;

    /// Keeps numbers; refuses 13, and waits for a permit before each transaction.
    struct Numbers {
        transactions: Mutex<Vec<Vec<u32>>>,
        go: Semaphore,
    }

    impl Keep for Numbers {
        type Item = u32;
        type Kept = u32;

        fn weight(_item: &u32) -> usize {
            1
        }

        async fn keep(&self, items: &[u32]) -> Result<Vec<u32>, StoreError> {
            self.go
                .acquire()
                .await
                .expect("it is never closed")
                .forget();
            if items.contains(&13) {
                return Err(StoreError::Invalid("13".to_owned()));
            }
            let mut transactions = self.transactions.lock().expect("nobody panics");
            transactions.push(items.to_vec());
            Ok(items.to_vec())
        }
    }

    #[tokio::test]
    async fn what_waits_is_stored_together_and_a_bad_one_harms_nobody() {
        let numbers = Arc::new(Numbers {
            transactions: Mutex::default(),
            go: Semaphore::new(0),
        });
        let together = Arc::new(Together::<u32, u32>::new(3));
        let mut tasks = Vec::new();
        for number in [1, 12, 13, 14, 15, 16] {
            let (numbers, together) = (Arc::clone(&numbers), Arc::clone(&together));
            tasks.push(tokio::spawn(async move {
                together.keep(&*numbers, number).await
            }));
            tokio::task::yield_now().await;
        }
        numbers.go.add_permits(100);
        let mut kept = Vec::new();
        for task in tasks {
            kept.push(task.await.expect("no panic").ok().flatten());
        }
        assert_eq!(
            kept,
            [Some(1), Some(12), None, Some(14), Some(15), Some(16)]
        );
        let transactions = numbers.transactions.lock().expect("nobody panics").clone();
        // The first found nobody else; three fit into one, which 13 spoilt.
        assert_eq!(transactions, [vec![1], vec![12], vec![14], vec![15, 16]]);
    }
}

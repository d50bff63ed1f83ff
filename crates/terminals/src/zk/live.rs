//! Punches that the terminal tells by itself while they are made, on the connection that is open.

use std::time::Duration;

use attendance::{DeviceUserId, Punch};
use zk_proto::event::{self, Event, PunchUser};
use zk_proto::{Counters, UserIndex};

use super::{ZkTerminal, punch_state, verify_mode};
use crate::{Deadline, Live, ParkedRecord, Step, TerminalError};

impl ZkTerminal {
    /// Gives what follows another deadline.
    pub fn renew(&mut self, deadline: Deadline) {
        self.connection.renew(deadline);
    }

    /// Asks the terminal to tell each punch when it is made. From now on [`Self::next_live`] hands them out, also those that
    /// come in the middle of a read.
    ///
    /// # Errors
    /// See [`TerminalError`].
    pub async fn listen(&mut self) -> Result<(), TerminalError> {
        self.connection.listen();
        let request = event::register(event::ATTLOG);
        self.connection
            .ask(Step::Live, request.command, &request.data)
            .await?;
        Ok(())
    }

    /// What the terminal tells next; `None` when it has been quiet for so long. Each is to be acknowledged when it is kept.
    ///
    /// # Errors
    /// See [`TerminalError`]. A terminal that has gone away without a word stays quiet: ask for its clock now and then.
    pub async fn next_live(&mut self, quiet: Duration) -> Result<Option<Live>, TerminalError> {
        loop {
            let Some((code, data)) = self.connection.next_event(quiet).await? else {
                return Ok(None);
            };
            match event::decode(code, &data) {
                Event::Punch(punch) => return self.live_punch(&punch, &data).await.map(Some),
                Event::Rejected {
                    code: event::ATTLOG,
                    reason,
                    ..
                } => return Ok(Some(Live::unclear(data.clone(), reason.to_string()))),
                other => {
                    tracing::debug!(?other, "heard something else than a punch");
                    self.acknowledge().await?;
                }
            }
        }
    }

    /// Tells the terminal that what it told last is kept.
    ///
    /// # Errors
    /// See [`TerminalError`].
    pub async fn acknowledge(&mut self) -> Result<(), TerminalError> {
        self.connection.acknowledge(Step::Live).await
    }

    async fn live_punch(
        &mut self,
        punch: &event::Punch<'_>,
        data: &[u8],
    ) -> Result<Live, TerminalError> {
        let mut id = punch.user_id(self.numbers.as_ref());
        if id.is_none() && matches!(punch.user, PunchUser::Uid(_)) {
            // Somebody new.
            let list = self.user_list(&Counters::default()).await?;
            self.numbers = Some(UserIndex::of(&list.users));
            id = punch.user_id(self.numbers.as_ref());
        }
        let id = id.and_then(|id| DeviceUserId::from_bytes(id.as_bytes()));
        Ok(match id {
            Some(user) => Live::Punch(Punch {
                user,
                clock: punch.clock,
                offset: None,
                state: punch_state(punch.state),
                verify: verify_mode(punch.verify),
                record: 0,
            }),
            None => Live::unclear(data.to_vec(), "nobody has this internal number".to_owned()),
        })
    }
}

impl Live {
    fn unclear(bytes: Vec<u8>, reason: String) -> Self {
        Self::Unclear(ParkedRecord { bytes, reason })
    }
}

//! How far a conversation has come, told to a person who watches.

use std::time::{Duration, Instant};

use crate::Step;

/// Is told of each step that is done, and how long it took.
pub type OnStep<'a> = &'a mut (dyn FnMut(Step, Duration) + Send);

/// Measures one step after the other.
pub(crate) struct Steps<'a> {
    began: Instant,
    on_step: OnStep<'a>,
}

impl<'a> Steps<'a> {
    pub(crate) fn begin(on_step: OnStep<'a>) -> Self {
        Self {
            began: Instant::now(),
            on_step,
        }
    }

    /// The step is done now, and the next one begins.
    pub(crate) fn done(&mut self, step: Step) {
        self.done_at(step, Instant::now());
    }

    /// The same for a step that turned out to be done a moment ago.
    pub(crate) fn done_at(&mut self, step: Step, at: Instant) {
        (self.on_step)(step, at.saturating_duration_since(self.began));
        self.began = at;
    }
}

//! Hikvision push: terminals that were told to post their events to a place of their own. Bytes are `hik-proto`'s, what is kept
//! is `ingest`'s.
//!
//! Some terminals post the same for ever until they are told 200, so that is the answer to everything that is kept, and to
//! everything that is nothing to keep.

mod events;

use std::sync::Arc;

use axum::http::{StatusCode, header};
use ingest::{Caller, Callers, DeviceKind, Pictures};
use store::StoreError;

use super::{Decision, Method, PHOTO_LIMIT, PushAnswer, PushHead, PushProtocol, PushRequest};
use events::Post;

pub(super) use events::retry_parked;

/// A terminal whose post could not be stored comes again after so long, if it does.
const COME_AGAIN_SECS: u32 = 30;
/// A token is shorter.
const LONGEST_TOKEN: usize = 64;

/// Answers Hikvision terminals that call.
#[derive(Clone, Debug)]
pub struct HikPush {
    callers: Callers,
    pictures: Pictures,
}

impl HikPush {
    pub fn new(callers: Callers, pictures: Pictures) -> Self {
        Self { callers, pictures }
    }

    /// Whether a request to this path is for these terminals.
    pub(super) fn serves(path: &str) -> bool {
        prefix().is_some_and(|prefix| path.starts_with(prefix))
    }

    /// Whose place it is. A place that is nobody's is told nothing, and costs a look-up in memory.
    async fn admit(&self, head: &PushHead) -> Result<Arc<Caller>, PushAnswer> {
        let token = prefix().and_then(|prefix| head.path.strip_prefix(prefix));
        let token = token.map(|token| token.trim_end_matches('/'));
        let token = token.filter(|token| !token.is_empty() && token.len() <= LONGEST_TOKEN);
        let caller = match token {
            None => None,
            Some(token) => self.callers.at_place(token).await.map_err(|error| {
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "nobody knows who calls; it calls again"
                );
                not_kept()
            })?,
        };
        caller.ok_or_else(|| PushAnswer::with(StatusCode::NOT_FOUND, "ERROR: no such place\n"))
    }

    async fn keep(&self, caller: &Arc<Caller>, request: &PushRequest) -> Result<(), StoreError> {
        let kind = request.head.headers.get(header::CONTENT_TYPE);
        let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        let mut post = Post::read(kind, &request.body);
        if let Some(hardware) = post.hardware.clone()
            && !self.callers.is_known_hardware(caller, &hardware).await?
        {
            if let Some(delivery) = post.of_another_terminal(&hardware) {
                self.callers.deliver(caller, delivery).await?;
            }
            return Ok(());
        }
        let address = request.head.peer.ip();
        self.callers
            .arrived(caller, address, post.is_heartbeat())
            .await?;
        if let Some(clock) = post.clock {
            self.callers.heard_clock(caller, clock).await?;
        }
        let pictures = match self.pictures.are_wanted() {
            true => post.take_pictures(caller),
            false => Vec::new(),
        };
        if let Some(delivery) = post.delivery(caller) {
            self.callers.deliver(caller, delivery).await?;
        }
        for (user, clock, jpeg) in pictures {
            let kept = self.pictures.keep(caller.device, &user, clock, jpeg);
            kept.await;
        }
        Ok(())
    }
}

impl PushProtocol for HikPush {
    async fn decide(&self, head: &PushHead) -> Decision {
        match self.admit(head).await {
            Err(answer) => Decision::Refuse(answer),
            // Somebody who only tries the address.
            Ok(_) if head.method != Method::Post => Decision::Refuse(PushAnswer::ok("")),
            Ok(_) => Decision::Read { limit: PHOTO_LIMIT },
        }
    }

    async fn answer(&self, request: PushRequest) -> PushAnswer {
        let caller = match self.admit(&request.head).await {
            Err(answer) => return answer,
            Ok(_) if request.head.method != Method::Post => return PushAnswer::ok(""),
            Ok(caller) => caller,
        };
        match self.keep(&caller, &request).await {
            Ok(()) => PushAnswer::ok(""),
            Err(error) => {
                tracing::error!(
                    device.id = caller.device.0,
                    error = &error as &dyn std::error::Error,
                    "what device {} says could not be kept; it says it again",
                    caller.name
                );
                not_kept()
            }
        }
    }
}

fn prefix() -> Option<&'static str> {
    DeviceKind::Hik.call_path()
}

fn not_kept() -> PushAnswer {
    PushAnswer::later(COME_AGAIN_SECS, "ERROR: not stored, come again\n")
}

//! The protocols of all brands on the same sockets: the path says whose a request is.

use super::{Decision, HikPush, PushAnswer, PushHead, PushProtocol, PushRequest, ZkPush};

/// Answers terminals of every brand.
#[derive(Clone, Debug)]
pub struct Brands {
    pub zk: ZkPush,
    pub hik: HikPush,
}

impl PushProtocol for Brands {
    async fn decide(&self, head: &PushHead) -> Decision {
        match HikPush::serves(&head.path) {
            true => self.hik.decide(head).await,
            false => self.zk.decide(head).await,
        }
    }

    async fn answer(&self, request: PushRequest) -> PushAnswer {
        match HikPush::serves(&request.head.path) {
            true => self.hik.answer(request).await,
            false => self.zk.answer(request).await,
        }
    }
}

impl Brands {
    /// Whether a request to this path is for a terminal's server, not for the pages beside it.
    pub(super) fn serves(path: &str) -> bool {
        HikPush::serves(path) || zk_proto::push::Route::of(path).is_some()
    }
}

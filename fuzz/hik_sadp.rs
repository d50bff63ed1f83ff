//! What holds for any datagram that claims to be a Hikvision terminal. The fuzz target checks it with bytes it invents,
//! `crates/hik-proto/tests/sadp_corpus.rs` with those that are kept in `corpus/sadp`.

use hik_proto::sadp::{self, SadpAnswer, normal_mac};

/// One datagram.
pub fn sadp(datagram: &[u8]) {
    let Ok(Some(answer)) = SadpAnswer::decode(datagram) else {
        return;
    };
    assert!(datagram.len() <= sadp::LONGEST_ANSWER);
    assert!(!answer.serial.is_empty() && answer.http_port != 0);
    let texts = [
        &answer.serial,
        &answer.model,
        &answer.firmware,
        &answer.uuid,
    ];
    for text in texts {
        assert!(text.len() <= 100 && !text.contains(char::is_control));
    }
    assert!(
        answer
            .address
            .is_none_or(|address| !address.is_unspecified())
    );
    if let Some(mac) = &answer.mac {
        assert_eq!(normal_mac(mac).as_ref(), Some(mac));
    }
    // Nobody takes what we ask for what a terminal answers.
    for question in sadp::QUESTIONS {
        let probe = sadp::probe(&answer.uuid, question);
        assert!(!matches!(SadpAnswer::decode(probe.as_bytes()), Ok(Some(_))));
    }
}

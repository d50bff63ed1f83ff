//! Nothing a network can send makes a decoder panic, and what we write we can read.

use hik_proto::{
    Challenged, DeviceInfo, DeviceTime, DigestSession, EventCapabilities, EventTime, Login,
    LoginState, Notification, Offers, ResponseStatus, Sent, decode_event_page, decode_listeners,
    decode_people_count, decode_people_page, serial_matches,
};
use proptest::prelude::*;

fn decode_with_everything(body: &[u8]) {
    let _ = DeviceInfo::decode(body);
    let _ = DeviceTime::decode(body);
    let _ = EventCapabilities::decode(body);
    let _ = ResponseStatus::find(body);
    let _ = LoginState::read(body);
    let _ = decode_event_page(body);
    let _ = Notification::decode(body);
    let _ = Notification::may_be_access(body);
    let _ = decode_listeners(body);
    let _ = decode_people_page(body);
    let _ = decode_people_count(body);
    let _ = Offers::parse([body]);
    let text = String::from_utf8_lossy(body);
    let _ = text.parse::<EventTime>();
    let _ = serial_matches(&text, &text);
}

const SEEDS: [&[u8]; 8] = [
    include_bytes!("../testdata/device_info.xml"),
    include_bytes!("../testdata/event_page_more.json"),
    include_bytes!("../testdata/event_page_trouble.json"),
    include_bytes!("../testdata/people_page.json"),
    include_bytes!("../testdata/stream_event.json"),
    include_bytes!("../testdata/stream_event.xml"),
    include_bytes!("../testdata/user_check_left.xml"),
    br#"x
Digest qop="auth", realm="DS-6E392E44", nonce="NjY1=", stale="false", opaque="", algorithm=SHA256"#,
];

proptest! {
    #[test]
    fn any_bytes(body in proptest::collection::vec(any::<u8>(), 0..512)) {
        decode_with_everything(&body);
    }

    /// Real bodies with bytes overwritten and the end cut off reach deeper than noise does.
    #[test]
    fn damaged_bodies(
        seed in 0..SEEDS.len(),
        edits in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..8),
        cut in any::<prop::sample::Index>(),
    ) {
        let seed = SEEDS[seed];
        let start = seed.iter().position(|b| *b == b'\n').map_or(0, |at| at + 1);
        let mut body = seed[start..].to_vec();
        for (at, byte) in edits {
            let at = at.index(body.len());
            body[at] = byte;
        }
        body.truncate(cut.index(body.len() + 1));
        decode_with_everything(&body);
    }

    #[test]
    fn times_survive_writing_and_reading(
        seconds in 0i64..4_000_000_000,
        offset in proptest::option::of(-720i32..=840),
    ) {
        let offset = offset.map(|minutes| {
            jiff::tz::Offset::from_seconds(minutes * 60).expect("an offset")
        });
        let clock = jiff::tz::Offset::UTC
            .to_datetime(jiff::Timestamp::from_second(seconds).expect("an instant"));
        let time = EventTime { clock, offset };
        prop_assert_eq!(time.to_string().parse::<EventTime>(), Ok(time));
    }

    /// Whatever a terminal answers, a password it never accepted is signed at most twice: once, and once more if it says stale.
    #[test]
    fn a_password_never_accepted_is_hardly_ever_signed(
        answers in proptest::collection::vec(
            prop_oneof![
                Just(r#"Digest realm="a", nonce="1", qop="auth""#),
                Just(r#"Digest realm="a", nonce="2", qop="auth", stale=true"#),
                Just(r#"Digest realm="a", nonce="3", algorithm=SHA256"#),
                Just(r#"Basic realm="a""#),
                Just(""),
            ],
            1..40,
        ),
    ) {
        let login = Login { user: "admin", password: "wrong" };
        let mut session = DigestSession::default();
        let mut signed = 0;
        for answer in answers {
            let (sent, header) = session.sign(login, "GET", "/ISAPI/System/deviceInfo");
            signed += u32::from(header.is_some());
            prop_assert_eq!(header.is_some(), sent != Sent::Unsigned);
            let offers = Offers::parse([answer.as_bytes()]);
            match session.challenged(sent, "/ISAPI/System/deviceInfo", &offers) {
                Challenged::Refused | Challenged::NeverFresh => break,
                _ => {}
            }
        }
        prop_assert!(signed <= 2);
    }
}

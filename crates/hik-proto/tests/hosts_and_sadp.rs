//! Slots of `httpHosts` and answers of SADP: the documented examples, what damages them, and any bytes at all.

use hik_proto::sadp::{self, SadpAnswer, normal_mac};
use hik_proto::{
    CallHost, EventFormat, HostCapabilities, HostSlot, decode_hosts, encode_free_host,
    serial_matches,
};
use proptest::prelude::*;

macro_rules! golden {
    ($name:literal) => {
        without_source(include_str!(concat!("../testdata/", $name)))
    };
}

fn without_source(file: &str) -> &str {
    let (source, body) = file.split_once('\n').expect("a source and a body");
    assert!(source.starts_with("# "), "the first line names the source");
    body
}

fn meant() -> CallHost<'static> {
    CallHost {
        id: "1",
        path: "/hik/push/2f0c1d6a9b",
        host: "192.168.1.10",
        port: 8080,
        format: EventFormat::Json,
        heartbeat_secs: 30,
        resends: false,
    }
}

fn slots(body: &str) -> Vec<HostSlot> {
    decode_hosts(body.as_bytes()).expect("a list of slots")
}

/// Reads the PUT of `meant` as if the terminal had stored it.
fn stored(meant: &CallHost<'_>) -> HostSlot {
    let mut slots = slots(&meant.encode());
    assert_eq!(slots.len(), 1);
    slots.remove(0)
}

#[test]
fn a_slot_is_written_in_the_documented_order() {
    assert_eq!(meant().encode(), golden!("http_host.xml"));
    let slot = stored(&meant());
    assert_eq!(slot.differences(&meant()), []);
    assert_eq!((slot.id.as_str(), slot.heartbeat_secs), ("1", Some(30)));
    assert!(!slot.is_free() && slot.has_path("/hik/push/2f0c1d6a9b"));
}

#[test]
fn somebody_s_slots_and_free_ones() {
    let slots = slots(golden!("http_hosts.xml"));
    let ids: Vec<_> = slots.iter().map(|slot| slot.id.as_str()).collect();
    assert_eq!(ids, ["1", "2"]);
    assert!(!slots[0].is_free(), "the vendor's service has no URL");
    assert_eq!(slots[0].holder(), "alarm.example.com:7660");
    assert!(slots[1].is_free());
}

/// Only a slot that leads nowhere is free, whatever is missing of it and in whatever order it comes.
#[test]
fn what_leads_somewhere_is_not_free() {
    let slot = |inner: &str| {
        let body = format!(
            "<a:HttpHostNotificationList><a:HttpHostNotification>{inner}</a:HttpHostNotification>\
             <a:HttpHostNotification><id>9</id><url>/other</url></a:HttpHostNotification></a:HttpHostNotificationList>"
        );
        slots(&body).remove(0)
    };
    for free in [
        "<id>1</id>",
        "<id>1</id><url/><ipAddress>0.0.0.0</ipAddress>",
        "<protocolType>HTTP</protocolType><ipv6Address>::</ipv6Address><id>1</id>",
    ] {
        assert!(slot(free).is_free(), "{free}");
    }
    for taken in [
        "<id>1</id><url>/</url>",
        "<url>/x</url><id>1</id>",
        "<id>1</id><ipAddress>10.0.0.9</ipAddress>",
        "<id>1</id><protocolType>EHome</protocolType>",
        "<id>1</id><addressingFormatType>hostname</addressingFormatType><hostName>h</hostName>",
        "<id>1</id><ipv6Address>fd00::1</ipv6Address>",
    ] {
        assert!(!slot(taken).is_free(), "{taken}");
    }
    // A slot that nobody can name is not guessed at.
    for no_id in ["<url/>", "<id></id>", "<id>../../x</id>"] {
        let body = format!("<HttpHostNotification>{no_id}</HttpHostNotification>");
        assert!(decode_hosts(body.as_bytes()).is_err(), "{no_id}");
    }
}

#[test]
fn slots_in_json() {
    let one = r#"{"id":"2","url":"/hik/push/2f0c1d6a9b","protocolType":"HTTP","parameterFormatType":"JSON",
        "addressingFormatType":"ipaddress","ipAddress":"192.168.1.10","portNo":8080}"#;
    for body in [
        format!(r#"{{"HttpHostNotificationList":[{{"HttpHostNotification":{one}}}]}}"#),
        format!(r#"{{"HttpHostNotificationList":{{"HttpHostNotification":[{one}]}}}}"#),
        format!(r#"{{"HttpHostNotification":{one}}}"#),
    ] {
        let slots = slots(&body);
        assert_eq!(slots.len(), 1, "{body}");
        assert_eq!(slots[0].differences(&meant()), []);
        assert_eq!(slots[0].id, "2");
    }
    assert_eq!(slots(r#"{"HttpHostNotificationList":[]}"#), []);
}

#[test]
fn what_was_stored_otherwise_is_named() {
    let differs = |change: &dyn Fn(&mut HostSlot)| {
        let mut slot = stored(&meant());
        change(&mut slot);
        let found = slot.differences(&meant());
        let found: Vec<_> = found.iter().map(ToString::to_string).collect();
        found.join(", ")
    };
    assert_eq!(
        differs(&|slot| (slot.host, slot.port) = ("0.0.0.0".into(), Some(80))),
        "address is 0.0.0.0 instead of 192.168.1.10, portNo is 80 instead of 8080"
    );
    assert_eq!(
        differs(&|slot| slot.url = "/HIK/push/2f0c1d6a9b".into()),
        "url is another one instead of our path"
    );
    assert_eq!(
        differs(&|slot| slot.protocol.clear()),
        "protocolType is nothing instead of HTTP"
    );
    assert_eq!(
        differs(&|slot| slot.format = "XML".into()),
        "parameterFormatType is XML instead of JSON"
    );
    assert_eq!(
        differs(&|slot| slot.events = ["videoloss".to_owned()].into()),
        "events is videoloss instead of AccessControllerEvent"
    );
    // Some firmware stores a whole URL, drops the subscription, or says `http`.
    let full = "http://192.168.1.10:8080/hik/push/2f0c1d6a9b";
    assert_eq!(differs(&|slot| slot.url = full.into()), "");
    assert_eq!(differs(&|slot| slot.events.clear()), "");
    assert_eq!(differs(&|slot| slot.protocol = "http".into()), "");
}

#[test]
fn a_slot_by_name_and_one_with_everything_to_escape() {
    let named = CallHost {
        host: "muster.example.com",
        path: "/a?b=1&c=<\"'>",
        format: EventFormat::Xml,
        resends: true,
        ..meant()
    };
    let slot = stored(&named);
    assert_eq!(slot.differences(&named), []);
    assert!(
        named
            .encode()
            .contains("<hostName>muster.example.com</hostName>")
    );
    assert!(named.encode().contains("<httpBroken>true</httpBroken>"));
    let sixth = CallHost {
        host: "fd00::1",
        ..meant()
    };
    assert_eq!(stored(&sixth).differences(&sixth), []);
}

#[test]
fn a_slot_that_was_given_back_is_free() {
    let slots = slots(&encode_free_host("2"));
    assert!(slots[0].is_free() && slots[0].id == "2");
}

#[test]
fn what_slots_can_do() {
    let can = HostCapabilities::decode(golden!("http_host_capabilities.xml").as_bytes());
    let can = can.expect("capabilities");
    assert_eq!((can.slots, can.format()), (Some(2), EventFormat::Json));
    assert_eq!(can.heartbeat_secs(60), 30);
    assert!(can.resends);
    let least = HostCapabilities::decode(
        b"<C><parameterFormatType opt=\"XML\"/><heartbeat min=\"10\"/></C>",
    )
    .expect("capabilities");
    assert_eq!((least.slots, least.format()), (None, EventFormat::Xml));
    assert_eq!((least.heartbeat_secs(1), least.resends), (10, false));
    // Limits that contradict each other, or none.
    let odd = HostCapabilities::decode(b"<C><heartbeat min=\"60\" max=\"0\"/></C>");
    assert_eq!(odd.expect("capabilities").heartbeat_secs(30), 1);
    assert_eq!(HostCapabilities::default().heartbeat_secs(30), 30);
}

#[test]
fn a_terminal_tells_where_it_is() {
    let answer = SadpAnswer::decode(golden!("sadp_answer.xml").as_bytes());
    let answer = answer.expect("XML").expect("an answer");
    assert_eq!(answer.serial, "DS-K1T342MFX-E120250307V043800ENGB9637211");
    assert!(serial_matches(&answer.serial, "gb9637211"));
    assert_eq!(answer.model, "DS-K1T342MFX-E1");
    assert_eq!(answer.address, Some([192, 168, 1, 64].into()));
    assert_eq!((answer.http_port, answer.https_port), (80, None));
    assert_eq!(answer.mac.as_deref(), Some("c0:6d:ed:02:d3:d9"));
    assert_eq!(answer.firmware, "V4.38.0build 250307");
    assert_eq!(answer.activated, Some(true));
    assert_eq!(answer.uuid, "13A888A9-F1B1-4020-AE9F-05607682D23B");
}

#[test]
fn a_question_is_no_answer() {
    let uuid = "13a888a9-f1b1-4020-ae9f-05607682d23b";
    let probe = sadp::probe(uuid, "inquiry");
    assert_eq!(probe, golden!("sadp_probe.xml").trim_end());
    assert_eq!(SadpAnswer::decode(probe.as_bytes()).expect("XML"), None);
    assert_eq!(
        SadpAnswer::decode(b"<Hello><x>1</x></Hello>").expect("XML"),
        None
    );
}

#[test]
fn odd_answers() {
    let read = |inner: &str| {
        let body = format!("<Probematch><DeviceSN>S1</DeviceSN>{inner}</Probematch>\0\0");
        let read = SadpAnswer::decode(body.as_bytes()).expect("XML");
        read.expect("an answer")
    };
    let nothing = read("");
    assert_eq!((nothing.http_port, nothing.address), (80, None));
    assert_eq!((nothing.activated, nothing.mac), (None, None));
    let odd = read(
        "<MAC>C06DED02D3D9</MAC><Activated>0</Activated><HttpPort>8000</HttpPort><HttpsPort>443</HttpsPort>\
         <IPv4Address>0.0.0.0</IPv4Address><ResetAbility>true</ResetAbility><X><Y>1</Y></X>",
    );
    assert_eq!(odd.mac.as_deref(), Some("c0:6d:ed:02:d3:d9"));
    assert_eq!((odd.activated, odd.address), (Some(false), None));
    assert_eq!((odd.http_port, odd.https_port), (8000, Some(443)));
    for port in ["0", "65536", "x"] {
        assert_eq!(read(&format!("<HttpPort>{port}</HttpPort>")).http_port, 80);
    }
    let long = format!("<DeviceDescription>{}</DeviceDescription>", "x".repeat(97));
    assert_eq!(read(&long).model, "");
    // Nobody writes a line of his own among ours.
    let lines = read("<DeviceDescription>a\n\tb&#x9b;31m</DeviceDescription>");
    assert_eq!(lines.model, "a  b 31m");
    assert!(SadpAnswer::decode(b"<ProbeMatch><MAC>1</MAC></ProbeMatch>").is_err());
    let huge = format!(
        "<ProbeMatch><DeviceSN>S</DeviceSN>{}</ProbeMatch>",
        " ".repeat(8192)
    );
    assert!(SadpAnswer::decode(huge.as_bytes()).is_err());
    assert_eq!(normal_mac("c0:6d:ed:02:d3"), None);
}

const SEEDS: [&str; 4] = [
    include_str!("../testdata/http_hosts.xml"),
    include_str!("../testdata/http_host_capabilities.xml"),
    include_str!("../testdata/sadp_answer.xml"),
    r#"{"HttpHostNotificationList":[{"HttpHostNotification":{"id":"1","url":"/x","portNo":8080}}]}"#,
];

fn decode_with_everything(body: &[u8]) {
    if let Ok(slots) = decode_hosts(body) {
        for slot in slots {
            let _ = (slot.is_free(), slot.holder(), slot.differences(&meant()));
        }
    }
    if let Ok(can) = HostCapabilities::decode(body) {
        let _ = (can.format(), can.heartbeat_secs(30));
    }
    let _ = SadpAnswer::decode(body);
}

proptest! {
    #[test]
    fn any_bytes(body in proptest::collection::vec(any::<u8>(), 0..512)) {
        decode_with_everything(&body);
    }

    #[test]
    fn damaged_bodies(
        seed in 0..SEEDS.len(),
        edits in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..8),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut body = SEEDS[seed].as_bytes().to_vec();
        if body.starts_with(b"# ") {
            let start = body.iter().position(|b| *b == b'\n').map_or(0, |at| at + 1);
            body.drain(..start);
        }
        for (at, byte) in edits {
            let at = at.index(body.len());
            body[at] = byte;
        }
        body.truncate(cut.index(body.len() + 1));
        decode_with_everything(&body);
    }

    /// Whatever a slot is called by, the terminal reads what was written.
    #[test]
    fn slots_survive_writing_and_reading(
        path in "/[!-~]{0,100}",
        host in prop_oneof!["[a-z]{1,20}", Just("10.1.2.3".to_owned()), Just("fd00::7".to_owned())],
        port in 1..=u16::MAX,
        heartbeat_secs in 1..200_u32,
        resends: bool,
    ) {
        let meant = CallHost { path: &path, host: &host, port, heartbeat_secs, resends, ..meant() };
        let slot = stored(&meant);
        prop_assert_eq!(slot.differences(&meant), vec![]);
        prop_assert_eq!(slot.heartbeat_secs, Some(heartbeat_secs));
    }
}

//! What holds for any bytes a Hikvision terminal may send. The fuzz targets check it with bytes they invent,
//! `crates/hik-proto/tests/corpus.rs` with those that are kept in `corpus`.

use hik_proto::sadp::{self, SadpAnswer, normal_mac};
use hik_proto::{
    Content, Notification, Offers, PartSplitter, Piece, Says, decode_event_page, decode_listeners,
};

/// A byte that says how the body is cut and whether its boundary is known (`MIME_boundary`), one for how much of a part is
/// kept, then the body.
pub fn multipart(input: &[u8]) {
    let [how, most, body @ ..] = input else {
        return;
    };
    let boundary = (how & 0x80 != 0).then_some("MIME_boundary");
    let most = usize::from(*most) * 16;
    let splitter = || PartSplitter::new(boundary).keeping(most);
    let whole = pieces(splitter(), body, body.len().max(1), most);
    let cut = pieces(splitter(), body, usize::from(how & 0x7f).max(1), most);
    assert_eq!(whole, cut, "parts do not depend on how they were cut");
}

fn pieces(mut splitter: PartSplitter, body: &[u8], cut: usize, most: usize) -> Vec<Piece> {
    /// The headers of a part, or a line that may become a boundary.
    const BESIDES: usize = (16 << 10) + 512;
    let mut pieces = Vec::new();
    for bytes in body.chunks(cut) {
        splitter.extend(bytes);
        while let Some(piece) = splitter.next_piece() {
            pieces.push(piece);
        }
        assert!(splitter.held() <= most + BESIDES, "memory is bounded");
    }
    pieces.extend(splitter.finish());
    let kept: usize = pieces.iter().map(|piece| length_kept(piece, most)).sum();
    assert!(kept <= body.len(), "nothing is invented");
    pieces
}

fn length_kept(piece: &Piece, most: usize) -> usize {
    match piece {
        Piece::Part(part) => {
            assert!(part.body.len() <= most.max(1) + 512);
            part.body.len()
        }
        Piece::TooLarge(part, _) => {
            assert!(part.body.is_empty());
            0
        }
    }
}

/// The `WWW-Authenticate` headers of an answer, one a line.
pub fn challenge(input: &[u8]) {
    let offers = Offers::parse(input.split(|byte| *byte == b'\n'));
    assert!(offers.digest.len() <= input.len());
    if let Some(strongest) = offers.strongest() {
        assert!(offers.digest.contains(strongest));
    }
}

/// The body of an event, as a stream, a push and a search tell it, in JSON or XML.
pub fn event(input: &[u8]) {
    if let Ok(Notification::Access(told)) = Notification::decode(input) {
        assert!(told.row.serial != Some(0));
        assert!(matches!(
            Content::of(input),
            Content::Json | Content::Xml | Content::Other
        ));
        match &told.row.row.value {
            Ok(event) => {
                let person = event.employee_no.as_deref();
                assert!(person.is_none_or(|person| !matches!(person.trim(), "" | "0")));
                if let Ok(Says::Punch { employee_no, .. }) = event.says() {
                    assert_eq!((event.major, Some(employee_no)), (5, person));
                }
            }
            Err(reason) => assert!(!reason.is_empty()),
        }
    }
    let _ = Notification::may_be_access(input);
    let _ = decode_listeners(input);
    if let Ok(page) = decode_event_page(input) {
        for row in page.rows {
            assert!(row.serial != Some(0));
            if let Ok(event) = row.row.value {
                let _ = event.says();
            }
        }
    }
}

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

//! What each fault looks like from the server.

use super::*;

/// Three punches by a terminal of this profile with these faults, all delivered.
async fn delivered(profile: Profile, faults: &[&str]) -> (Office, RunningTerminal) {
    let office = Office::open(usual).await;
    let mut terminal = terminal(profile)
        .time_out(Duration::from_millis(500))
        .records(punches(3));
    for fault in faults {
        terminal = terminal.fault(fault.parse().unwrap());
    }
    let terminal = terminal.start(office.addr);
    within(terminal.until_acknowledged(3)).await;
    within(terminal.until_polls(1)).await;
    (office, terminal)
}

/// The lines of the uploads of punches, as `PIN` or `-` for a blank one.
async fn check(fault: &str, expected: &[&str]) {
    let (office, _terminal) = delivered(Profile::V24, &[fault]).await;
    let pins = |body: String| {
        let lines = body.lines().map(|line| {
            match line.split(['\t', ' ']).next() {
                None | Some("") => "-",
                Some("1001") => "1",
                Some("1002") if line.contains("-02-30 ") => "30 February",
                Some("1002") => "2",
                Some("1003") => "3",
                Some("\u{feff}1001") => "BOM 1",
                Some("10\x0002") => "NUL",
                Some(other) => return other.to_owned(),
            }
            .to_owned()
        });
        lines.collect::<Vec<String>>().join(",")
    };
    let uploads: Vec<String> = office.attlogs().into_iter().map(pins).collect();
    assert_eq!(uploads, expected, "{fault}");
}

#[tokio::test]
async fn spoilt_lines_travel_with_the_good_ones() {
    check("garbage", &["1,2,3,garbage"]).await;
    check("impossible-date", &["1,2,3,30 February"]).await;
    check("nul", &["1,2,3,NUL"]).await;
    check("blank-lines", &["-,1,2,3"]).await;
    check("bom", &["BOM 1,2,3"]).await;
    check("blanks", &["1,2,3"]).await;
    check("twice", &["1,1,2,2,3,3"]).await;
    check("newest-first", &["3,2,1"]).await;
    check("crlf", &["1,2,3"]).await;
}

#[tokio::test]
async fn uploads_that_break_arrive_at_the_second_attempt() {
    check("cut-answer", &["1,2,3", "1,2,3"]).await;
    check("no-length", &["", "1,2,3"]).await;
    check("repeat=3", &["1,2,3"; 4]).await;
    check("twin", &["1,2,3"; 2]).await;
    check("split=7", &["1,2,3"]).await;
    check("dribble=0ms", &["1,2,3"]).await;
    check("chunked", &["1,2,3"]).await;
    check("expect", &["1,2,3"]).await;
}

#[tokio::test]
async fn a_request_that_is_cut_never_arrives_whole() {
    for fault in ["cut-request=260", "stall"] {
        let (office, terminal) = delivered(Profile::V24, &[fault]).await;
        // The half may be noticed after the whole.
        let uploads = within(async {
            loop {
                let next = office.seen.changed.notified();
                let uploads = office.of("POST /iclock/cdata");
                if uploads.len() == 2 {
                    return uploads;
                }
                next.await;
            }
        })
        .await;
        let half = uploads.iter().find(|upload| !upload.whole).expect(fault);
        assert!(
            !half.text().is_empty() && half.lines() < 3,
            "{fault}: {half:?}"
        );
        assert_eq!(terminal.counts().unanswered, 1, "{fault}");
    }
    let (_office, terminal) = delivered(Profile::V24, &["hang-up"]).await;
    assert_eq!(
        (terminal.counts().uploads, terminal.counts().unanswered),
        (2, 1)
    );
}

#[tokio::test]
async fn segments_arrive_one_by_one() {
    let (office, _terminal) = delivered(Profile::V24, &["split=40/1ms"]).await;
    let upload = &office.attlogs()[0];
    assert_eq!(upload.lines().count(), 3);
}

#[tokio::test]
async fn line_ends() {
    let (office, _terminal) = delivered(Profile::V22, &["crlf", "no-last-lf"]).await;
    let body = &office.attlogs()[0];
    assert_eq!(body.matches("\r\n").count(), 2);
    assert!(!body.ends_with('\n'));
}

#[tokio::test]
async fn states_and_strangers_enter_the_log() {
    let office = Office::open(usual).await;
    let terminal = terminal(Profile::V22).start(office.addr);
    terminal.set_fault(Fault::Status255);
    terminal.set_fault("stranger=999".parse().unwrap());
    terminal.punch("1", 0, 1);
    within(terminal.until_acknowledged(2)).await;
    let seen: Vec<_> = (terminal.acknowledged().into_iter())
        .map(|punch| (punch.pin, punch.status))
        .collect();
    assert_eq!(seen, [("1".to_owned(), 255), ("999".to_owned(), 255)]);
    terminal.clear_faults();
    terminal.punch("2", 0, 1);
    within(terminal.until_acknowledged(3)).await;
    assert_eq!(terminal.log()[2].punch.status, 0);
}

#[tokio::test]
async fn another_terminal_calls_under_the_same_serial_number() {
    let (office, terminal) = delivered(Profile::V24, &["wrong-serial=OTHER1"]).await;
    assert!(
        office
            .received()
            .iter()
            .all(|request| request.query("SN") == Some("OTHER1"))
    );
    assert_eq!(terminal.serial_number(), "BOCK200961014");
}

#[tokio::test]
async fn old_http_has_no_host() {
    let (office, _terminal) = delivered(Profile::V24, &["http10"]).await;
    for request in office.received() {
        assert!(request.head.contains(" HTTP/1.0\r\n"), "{}", request.head);
        assert_eq!(request.header("Host"), None);
    }
}

#[tokio::test]
async fn requests_nobody_asked_for() {
    let faults = [
        "empty-operlog",
        "key-exchange",
        "unknown-table=WEATHER",
        "gb2312",
    ];
    let (office, terminal) = delivered(Profile::V24, &faults).await;
    terminal.add_user(User::new("7").named("Ana"));
    let empty = office
        .until(1, "POST /iclock/cdata?SN=BOCK200961014&table=OPERLOG")
        .await;
    assert!(empty.text().is_empty());
    office
        .until(1, "POST /iclock/exchange?SN=BOCK200961014&type=publickey")
        .await;
    let unknown = office
        .until(1, "POST /iclock/cdata?SN=BOCK200961014&table=WEATHER")
        .await;
    assert_eq!(unknown.lines(), 1);
    within(async {
        loop {
            let next = office.seen.changed.notified();
            let requests = office.received();
            if requests.iter().any(|request| {
                request
                    .body
                    .windows(9)
                    .any(|part| part == b"Name=\xd5\xc5\xce\xb0")
            }) {
                return;
            }
            next.await;
        }
    })
    .await;
}

#[tokio::test]
async fn stamps_can_be_ignored() {
    let office = with_commands("C:1:CHECK").await;
    let terminal = terminal(Profile::V24).fault(Fault::IgnoresStamps);
    let terminal = terminal.records(punches(3)).start(office.addr);
    within(terminal.until_counts(|counts| counts.handshakes == 2)).await;
    within(terminal.until_polls(3)).await;
    assert_eq!(office.attlogs().len(), 1);
}

#[tokio::test]
async fn refused_keys_and_parameters_do_not_stop_it() {
    let office = Office::open(|request: &Received| match request.line() {
        line if line.contains("options=all") => ok(settings() + "PushOptionsFlag=1\n"),
        line if line.contains("/exchange") => Reply::Says(404, String::new()),
        line if line.contains("table=options") => Reply::Says(503, String::new()),
        _ => usual(request),
    })
    .await;
    let terminal = terminal(Profile::V24).fault(Fault::KeyExchange);
    let terminal = terminal.start(office.addr);
    within(terminal.until_polls(2)).await;
    assert_eq!(terminal.counts().handshakes, 1);
    assert_eq!(terminal.counts().refused, 2);
}
